//! Drives as GPX 1.1 files, the form in which people and other programs keep them.
//!
//! Reads also GPX 1.0, files without a namespace, and speed and course wherever in a track point they stand (Garmin's
//! TrackPointExtension v1 and v2, GPX 1.0). Several tracks and segments become one list in the file's order: what is a
//! gap is the recorder's to say. It takes a stream of events, never a tree, and expands no entity of the file's own.

use std::fmt::Write;

use quick_xml::Reader;
use quick_xml::escape::{escape, resolve_predefined_entity};
use quick_xml::events::{BytesStart, Event};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tourismo_core::fix::Fix;
use tourismo_core::time::Timestamp;

/// The largest file that is read: 50 hours at one fix a second are about 40 MB.
pub const MAX_BYTES: usize = 64 << 20;

/// Why a file cannot be read as a drive.
#[derive(Debug, thiserror::Error)]
pub enum GpxError {
    /// Larger than [`MAX_BYTES`].
    #[error("the file has {bytes} bytes, more than {MAX_BYTES}")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// Not UTF-8.
    #[error("the file is not UTF-8 text")]
    NotUtf8(#[from] std::str::Utf8Error),
    /// Not XML.
    #[error("the file is not XML: {0}")]
    NotXml(#[from] quick_xml::Error),
    /// It declares a document type, which only attackers do in GPX.
    #[error("the file has a DOCTYPE")]
    DocType,
    /// The outermost element is another one, or there is none.
    #[error("the file is not GPX")]
    NotGpx,
    /// A track point without a readable latitude and longitude.
    #[error("track point {point} has no position")]
    NoPosition {
        /// Counted from 0.
        point: usize,
    },
    /// A track point without a readable time: a route, not a drive.
    #[error("track point {point} has no time")]
    NoTime {
        /// Counted from 0.
        point: usize,
    },
    /// A value that is not a number.
    #[error("track point {point} has a {element} that is not a number")]
    NotANumber {
        /// Counted from 0.
        point: usize,
        /// The element's name.
        element: &'static str,
    },
}

/// What a file holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GpxFile {
    /// The name of the first track that has one.
    pub name: Option<String>,
    /// All track points in the file's order, as they stand there: nothing is checked, sorted or dropped. GPX does not
    /// tell when a phone recorded, so that `recorded_at` equals `fixed_at`.
    pub fixes: Vec<Fix>,
}

/// Reads a GPX file.
///
/// # Errors
/// [`GpxError`] if the bytes are no GPX file of a drive; nothing is guessed.
pub fn read(bytes: &[u8]) -> Result<GpxFile, GpxError> {
    if bytes.len() > MAX_BYTES {
        return Err(GpxError::TooLarge { bytes: bytes.len() });
    }
    let text = std::str::from_utf8(bytes)?;
    let mut reader = Reader::from_str(text.trim_start_matches('\u{feff}'));
    let mut file = GpxFile::default();
    let mut open: Vec<Element> = Vec::new();
    let mut point: Option<PointText> = None;
    let mut content = String::new();
    let mut is_gpx = false;
    loop {
        match reader.read_event()? {
            Event::DocType(_) => return Err(GpxError::DocType),
            Event::Start(tag) => {
                let element = Element::of(&tag);
                match (element, open.is_empty()) {
                    (Element::Gpx, true) => is_gpx = true,
                    (_, true) => return Err(GpxError::NotGpx),
                    (Element::TrackPoint, false) => point = Some(PointText::of(&tag, file.fixes.len())?),
                    (_, false) => {}
                }
                open.push(element);
                content.clear();
            }
            // A point without a child has no time; any other empty element says nothing.
            Event::Empty(tag) => {
                if Element::of(&tag) == Element::TrackPoint {
                    return Err(GpxError::NoTime { point: file.fixes.len() });
                }
            }
            Event::Text(text) => content.push_str(&text.xml10_content()),
            Event::CData(text) => content.push_str(&text.xml10_content()),
            Event::GeneralRef(reference) => match reference.resolve_char_ref()? {
                Some(character) => content.push(character),
                None => content.push_str(resolve_predefined_entity(&reference).unwrap_or_default()),
            },
            Event::End(_) => {
                let Some(element) = open.pop() else { return Err(GpxError::NotGpx) };
                match element {
                    Element::TrackPoint => {
                        if let Some(text) = point.take() {
                            file.fixes.push(text.fix(file.fixes.len())?);
                        }
                    }
                    Element::Name if open.last() == Some(&Element::Track) => {
                        file.name.get_or_insert_with(|| content.trim().to_owned());
                    }
                    Element::Gpx | Element::Track | Element::Name | Element::Other => {}
                    Element::Time | Element::Value(_) => {
                        if let Some(point) = &mut point {
                            point.keep(element, content.trim());
                        }
                    }
                }
            }
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
            Event::Eof if open.is_empty() && is_gpx => break,
            Event::Eof => return Err(GpxError::NotGpx),
        }
    }
    Ok(file)
}

#[derive(Clone, Copy, PartialEq)]
enum Element {
    Gpx,
    Track,
    TrackPoint,
    Name,
    Time,
    Value(Value),
    Other,
}

/// The values of a point, in the order of [`PointText::values`].
#[derive(Clone, Copy, PartialEq)]
enum Value {
    Elevation,
    Speed,
    Course,
    HorizontalAccuracy,
    VerticalAccuracy,
}

impl Value {
    /// The element's name without its prefix. The accuracies are those of OpenTracks; GPX has none.
    fn name(self) -> &'static str {
        match self {
            Value::Elevation => "ele",
            Value::Speed => "speed",
            Value::Course => "course",
            Value::HorizontalAccuracy => "accuracy_horizontal",
            Value::VerticalAccuracy => "accuracy_vertical",
        }
    }
}

impl Element {
    fn of(tag: &BytesStart<'_>) -> Element {
        match tag.local_name().as_ref() {
            "gpx" => Element::Gpx,
            "trk" => Element::Track,
            "trkpt" => Element::TrackPoint,
            "name" => Element::Name,
            "time" => Element::Time,
            "ele" => Element::Value(Value::Elevation),
            "speed" => Element::Value(Value::Speed),
            "course" => Element::Value(Value::Course),
            "accuracy_horizontal" => Element::Value(Value::HorizontalAccuracy),
            "accuracy_vertical" => Element::Value(Value::VerticalAccuracy),
            _ => Element::Other,
        }
    }
}

/// A track point as it stands in the file.
struct PointText {
    lat_deg: f64,
    lon_deg: f64,
    time: Option<Timestamp>,
    values: [Option<String>; 5],
}

impl PointText {
    fn of(tag: &BytesStart<'_>, point: usize) -> Result<PointText, GpxError> {
        let degrees = |name: &str| {
            let attribute = tag.try_get_attribute(name).ok().flatten()?;
            attribute.value.trim().parse::<f64>().ok()
        };
        let (Some(lat_deg), Some(lon_deg)) = (degrees("lat"), degrees("lon")) else {
            return Err(GpxError::NoPosition { point });
        };
        Ok(PointText { lat_deg, lon_deg, time: None, values: Default::default() })
    }

    fn keep(&mut self, element: Element, content: &str) {
        match element {
            Element::Time => self.time = time_of(content),
            Element::Value(value) if !content.is_empty() => self.values[value as usize] = Some(content.to_owned()),
            Element::Value(_)
            | Element::Gpx
            | Element::Track
            | Element::TrackPoint
            | Element::Name
            | Element::Other => {}
        }
    }

    fn fix(&self, point: usize) -> Result<Fix, GpxError> {
        let Some(fixed_at) = self.time else { return Err(GpxError::NoTime { point }) };
        let number = |value: Value| match &self.values[value as usize] {
            Some(text) => {
                text.parse::<f64>().map(Some).map_err(|_| GpxError::NotANumber { point, element: value.name() })
            }
            None => Ok(None),
        };
        Ok(Fix {
            fixed_at,
            recorded_at: fixed_at,
            lat_deg: self.lat_deg,
            lon_deg: self.lon_deg,
            accuracy_m: number(Value::HorizontalAccuracy)?,
            altitude_m: number(Value::Elevation)?,
            altitude_accuracy_m: number(Value::VerticalAccuracy)?,
            heading_deg: number(Value::Course)?,
            speed_mps: number(Value::Speed)?,
        })
    }
}

/// ISO 8601 with a zone; without one it is UTC, as GPX prescribes.
fn time_of(text: &str) -> Option<Timestamp> {
    let instant =
        OffsetDateTime::parse(text, &Rfc3339).or_else(|_| OffsetDateTime::parse(&format!("{text}Z"), &Rfc3339)).ok()?;
    i64::try_from(instant.unix_timestamp_nanos().div_euclid(1_000_000)).ok().map(Timestamp)
}

/// Writes a drive as GPX 1.1 with speed and course in Garmin's TrackPointExtension v2 and the accuracies in OpenTracks'.
///
/// # Panics
/// If a fix is of a year that RFC 3339 cannot write (before 0 or after 9999).
pub fn write(name: &str, fixes: &[Fix]) -> String {
    let mut xml = String::with_capacity(300 * fixes.len() + 600);
    xml.push_str(concat!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n",
        "<gpx version=\"1.1\" creator=\"Tourismo\" xmlns=\"http://www.topografix.com/GPX/1/1\" ",
        "xmlns:gpxtpx=\"http://www.garmin.com/xmlschemas/TrackPointExtension/v2\" ",
        "xmlns:opentracks=\"http://opentracksapp.com/xmlschemas/v1\">\n"
    ));
    let mut put = |text: std::fmt::Arguments<'_>| xml.write_fmt(text).expect("writing to a String cannot fail");
    put(format_args!("<trk><name>{}</name><trkseg>\n", escape(name)));
    for fix in fixes {
        let millis = i128::from(fix.fixed_at.as_millis());
        let time = OffsetDateTime::from_unix_timestamp_nanos(millis * 1_000_000).ok();
        let time = time.and_then(|time| time.format(&Rfc3339).ok()).expect("fixes are measured in years 0 to 9999");
        put(format_args!("<trkpt lat=\"{}\" lon=\"{}\">", fix.lat_deg, fix.lon_deg));
        if let Some(altitude_m) = fix.altitude_m {
            put(format_args!("<ele>{altitude_m}</ele>"));
        }
        put(format_args!("<time>{time}</time><extensions>"));
        if fix.speed_mps.is_some() || fix.heading_deg.is_some() {
            put(format_args!("<gpxtpx:TrackPointExtension>"));
            if let Some(speed_mps) = fix.speed_mps {
                put(format_args!("<gpxtpx:speed>{speed_mps}</gpxtpx:speed>"));
            }
            if let Some(heading_deg) = fix.heading_deg {
                put(format_args!("<gpxtpx:course>{heading_deg}</gpxtpx:course>"));
            }
            put(format_args!("</gpxtpx:TrackPointExtension>"));
        }
        if let Some(accuracy_m) = fix.accuracy_m {
            put(format_args!("<opentracks:accuracy_horizontal>{accuracy_m}</opentracks:accuracy_horizontal>"));
        }
        if let Some(accuracy_m) = fix.altitude_accuracy_m {
            put(format_args!("<opentracks:accuracy_vertical>{accuracy_m}</opentracks:accuracy_vertical>"));
        }
        put(format_args!("</extensions></trkpt>\n"));
    }
    put(format_args!("</trkseg></trk></gpx>\n"));
    xml
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::made;

    fn point(inner: &str) -> String {
        format!("<gpx><trk><trkseg><trkpt lat=\"46.5\" lon='10.4'>{inner}</trkpt></trkseg></trk></gpx>")
    }

    fn refusal(xml: &str) -> String {
        read(xml.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn a_written_drive_reads_back_as_it_was() {
        let options = made::Options { start: Timestamp(1_717_232_400_250), minutes: 3, kind: made::Kind::Mountain };
        let mut fixes = made::drive(3, options);
        fixes.iter_mut().for_each(|fix| fix.recorded_at = fix.fixed_at);
        fixes[5].altitude_m = None;
        fixes[6].speed_mps = None;
        let file = read(write("Stelvio <east> & back", &fixes).as_bytes()).unwrap();
        assert_eq!(file, GpxFile { name: Some("Stelvio <east> & back".to_owned()), fixes });
    }

    #[test]
    fn speed_and_course_are_found_wherever_programs_write_them() {
        let time = "<time>2024-06-01T09:00:00Z</time>";
        for inner in [
            format!(
                "{time}<extensions><ns3:TrackPointExtension><ns3:speed>12.5</ns3:speed><ns3:course>90</ns3:course></ns3:TrackPointExtension></extensions>"
            ),
            format!("{time}<extensions><speed>12.5</speed><course>90</course></extensions>"),
            format!("<course>90</course><speed>12.5</speed>{time}"),
        ] {
            let fix = read(point(&inner).as_bytes()).unwrap().fixes[0];
            assert_eq!((fix.speed_mps, fix.heading_deg), (Some(12.5), Some(90.0)), "{inner}");
        }
    }

    #[test]
    fn times_are_read_with_and_without_a_zone_or_fractions() {
        let time =
            |text: &str| read(point(&format!("<time> {text} </time>")).as_bytes()).map(|f| f.fixes[0].fixed_at.0);
        assert_eq!(time("2024-06-01T09:00:00Z").unwrap(), 1_717_232_400_000);
        assert_eq!(time("2024-06-01T11:00:00.250+02:00").unwrap(), 1_717_232_400_250);
        assert_eq!(time("2024-06-01T09:00:00").unwrap(), 1_717_232_400_000);
        assert!(matches!(time("yesterday"), Err(GpxError::NoTime { point: 0 })));
    }

    #[test]
    fn what_is_no_drive_is_refused_with_its_reason() {
        assert_eq!(refusal(""), "the file is not GPX");
        assert_eq!(refusal("<html></html>"), "the file is not GPX");
        assert_eq!(refusal("A letter, not a drive."), "the file is not GPX");
        assert_eq!(refusal("<gpx><trk>"), "the file is not GPX");
        assert_eq!(refusal(&point("<ele>3</ele>")), "track point 0 has no time");
        assert_eq!(
            refusal("<gpx><trk><trkseg><trkpt lat='1' lon='2'/></trkseg></trk></gpx>"),
            "track point 0 has no time"
        );
        assert_eq!(refusal("<gpx><trk><trkseg><trkpt lat='x' lon='2'></trkpt>"), "track point 0 has no position");
        let wrong = point("<time>2024-06-01T09:00:00Z</time><ele>high</ele>");
        assert_eq!(refusal(&wrong), "track point 0 has a ele that is not a number");
        assert!(refusal("<gpx></trk>").starts_with("the file is not XML"));
        assert!(matches!(read(&[b'<', 0xff]), Err(GpxError::NotUtf8(_))));
        assert!(matches!(read(&vec![b' '; MAX_BYTES + 1]), Err(GpxError::TooLarge { .. })));
    }

    #[test]
    fn entities_of_the_files_own_are_refused() {
        let bomb = "<!DOCTYPE gpx [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]><gpx><trk><name>&b;</name></trk></gpx>";
        assert_eq!(refusal(bomb), "the file has a DOCTYPE");
        let undeclared = read(b"<gpx><trk><name>a&b;c&amp;&#100;</name></trk></gpx>").unwrap();
        assert_eq!(undeclared.name.as_deref(), Some("ac&d"));
    }

    #[test]
    fn a_byte_order_mark_and_several_segments_are_no_obstacle() {
        let segment = "<trkseg><trkpt lat='1' lon='180'><time>2024-06-01T09:00:00Z</time></trkpt></trkseg>";
        let xml = format!("\u{feff}<gpx><wpt lat='3' lon='4'/><trk>{segment}{segment}</trk><trk>{segment}</trk></gpx>");
        assert_eq!(read(xml.as_bytes()).unwrap().fixes.len(), 3);
    }
}
