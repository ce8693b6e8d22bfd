//! Drives as GPX files, the format in which people and other programs store them.
//!
//! Reads GPX 1.1, GPX 1.0 and files without a namespace, in the encodings of `text`. An element counts where it belongs:
//! below a track point in GPX's own namespace, or below the point's extensions in one of a known program (Garmin's
//! TrackPointExtension v1 and v2, OpenTracks, OsmAnd). Values of extensions never replace the point's own.
//!
//! As little as possible is lost to a fault, which is reported with its line: a value, a point, or everything after a
//! syntax error. Several tracks and segments become one list in the order of time; the recorder detects gaps.
//! It takes a stream of events, never a tree, and expands no entity of the file's own: a document type is skipped.

mod point;

use quick_xml::NsReader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::ResolveResult;
use tourismo_core::fix::{Fix, InvalidFix};

use self::point::{PointText, Value};
use crate::text;

pub use crate::found::MAX_BYTES;

/// Maximum number of listed problems; further ones are counted.
pub const MAX_PROBLEMS: usize = 100;

/// Why a file cannot be read as a drive.
#[derive(Debug, thiserror::Error)]
pub enum GpxError {
    /// Larger than [`MAX_BYTES`].
    #[error("the file has {bytes} bytes, more than {MAX_BYTES}")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// It declares an unknown encoding.
    #[error("the file's encoding {label:?} is unknown")]
    UnknownEncoding {
        /// The declared encoding.
        label: String,
    },
    /// Not XML, before the first track point.
    #[error("line {line}: the file is not XML: {error}")]
    NotXml {
        /// Counted from 1.
        line: usize,
        /// The error.
        error: quick_xml::Error,
    },
    /// It ends before its first track point does.
    #[error("the file is cut short")]
    CutShort,
    /// The outermost element is another one, or there is none.
    #[error("the file is not GPX")]
    NotGpx,
}

/// The content of a file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GpxFile {
    /// The name of the first track that has one.
    pub name: Option<String>,
    /// The track points with a valid position and time, ordered by time; those with equal times in the file's order.
    /// GPX has no time of recording, so `recorded_at` equals `fixed_at`.
    pub fixes: Vec<Fix>,
    /// The number of track points, readable or not.
    pub point_count: usize,
    /// Whether the order of the points in the file is not that of time.
    pub is_reordered: bool,
    /// The problems in the file's order; at most [`MAX_PROBLEMS`].
    pub problems: Vec<Problem>,
    /// The number of problems.
    pub problem_count: usize,
}

/// A problem in a file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {fault}")]
pub struct Problem {
    /// The line, from 1; for a track point the line on which it begins.
    pub line: usize,
    /// The fault.
    pub fault: Fault,
}

/// A fault, and its consequence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A track point without a readable latitude and longitude.
    #[error("a track point has no position; it is left out")]
    NoPosition,
    /// A track point without a time: a route, not a drive.
    #[error("a track point has no time; it is left out")]
    NoTime,
    /// A time in an unknown format.
    #[error("a track point has a time that cannot be read; it is left out")]
    NotATime,
    /// Numbers that are not a valid position and time.
    #[error("a track point is left out: {0}")]
    Invalid(InvalidFix),
    /// A value that is not a number.
    #[error("a track point has a value of {element} that is not a number; the value is left out")]
    NotANumber {
        /// The element's name.
        element: &'static str,
    },
    /// A syntax error.
    #[error("the file is not XML from here on, and what follows is left out: {0}")]
    NotXml(String),
    /// It ends before its outermost element does.
    #[error("the file is cut short")]
    CutShort,
    /// Bytes that are not text in the file's encoding.
    #[error("some characters are not in the file's encoding")]
    Malformed,
}

/// A track of a file.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Track {
    /// Its name.
    pub(crate) name: Option<String>,
    /// What moved, such as "cycling".
    pub(crate) kind: Option<String>,
    /// The number of track points, readable or not.
    pub(crate) point_count: usize,
    /// Its track points in the file's order.
    pub(crate) fixes: Vec<Fix>,
}

/// Reads a GPX file, all its tracks as one drive.
///
/// # Errors
/// [`GpxError`] if the bytes are not a GPX file. A file without any readable point is not an error;
/// [`GpxFile::problems`] lists the reasons.
pub fn read(bytes: &[u8]) -> Result<GpxFile, GpxError> {
    let (mut file, tracks) = read_tracks(bytes)?;
    for track in tracks {
        file.name = file.name.or(track.name);
        if file.fixes.is_empty() { file.fixes = track.fixes } else { file.fixes.extend(track.fixes) }
    }
    file.is_reordered = !file.fixes.is_sorted_by_key(|fix| fix.fixed_at);
    file.fixes.sort_by_key(|fix| fix.fixed_at);
    Ok(file)
}

/// Reads a GPX file track by track. The returned [`GpxFile`] has no name and no fixes.
pub(crate) fn read_tracks(bytes: &[u8]) -> Result<(GpxFile, Vec<Track>), GpxError> {
    if bytes.len() > MAX_BYTES {
        return Err(GpxError::TooLarge { bytes: bytes.len() });
    }
    let text = text::decode(bytes).map_err(|label| GpxError::UnknownEncoding { label })?;
    // Some programs begin with spaces, which an XML declaration may not follow.
    let content = text.text.trim_start();
    let mut reading = Reading::of(content);
    if text.is_malformed {
        let line = reading.lines.clone().at(content.find('\u{fffd}').unwrap_or_default());
        reading.file.problems.push(Problem { line, fault: Fault::Malformed });
        reading.file.problem_count += 1;
    }
    let mut xml = NsReader::from_str(content);
    // Users write "Cars & Coffee" into names.
    xml.config_mut().allow_dangling_amp = true;
    loop {
        let place = xml.buffer_position() as usize;
        match xml.read_resolved_event() {
            Ok((namespace, event)) => {
                if reading.take(place, &namespace, event)? {
                    break;
                }
            }
            Err(error) => {
                let place = xml.error_position() as usize;
                if reading.file.point_count == 0 {
                    return Err(GpxError::NotXml { line: reading.lines.at(place), error });
                }
                reading.note(place, Fault::NotXml(error.to_string()));
                break;
            }
        }
    }
    Ok((reading.file, reading.tracks))
}

/// The meaning of an element, by its position.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Element {
    Gpx,
    Track,
    Name,
    Kind,
    Segment,
    Point,
    Own(Value),
    Extensions,
    GarminExtension,
    Extended(Value),
    Other,
}

/// The namespace of an element.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Namespace {
    /// The namespace of the outermost element.
    Gpx,
    Garmin,
    OpenTracks,
    OsmAnd,
    Other,
}

impl Namespace {
    /// `gpx` is the name of GPX's own, if the outermost element has one.
    fn of(name: &ResolveResult<'_>, gpx: Option<&str>) -> Namespace {
        let name = match name {
            ResolveResult::Bound(name) => Some(name.0),
            ResolveResult::Unbound => None,
            // An undeclared prefix is Garmin's where an element of Garmin's is possible.
            ResolveResult::Unknown(_) => return Namespace::Garmin,
        };
        match name {
            name if name == gpx => Namespace::Gpx,
            // OpenTracks writes "xmlschemes".
            Some(name) if name.starts_with("http://www.garmin.com/xmlschem") => Namespace::Garmin,
            Some("http://opentracksapp.com/xmlschemas/v1") => Namespace::OpenTracks,
            Some("https://osmand.net" | "https://osmand.net/docs/technical/osmand-file-formats/osmand-gpx") => {
                Namespace::OsmAnd
            }
            Some(_) | None => Namespace::Other,
        }
    }
}

impl Element {
    /// Returns the meaning of an element of this name below `parent`.
    fn below(parent: Element, namespace: Namespace, name: &str) -> Element {
        let motion = match name {
            "speed" => Some(Value::Speed),
            "course" => Some(Value::Course),
            _ => None,
        };
        match (parent, namespace, name) {
            (Element::Gpx, Namespace::Gpx, "trk") => Element::Track,
            (Element::Track, Namespace::Gpx, "name") => Element::Name,
            (Element::Track, Namespace::Gpx, "type") => Element::Kind,
            (Element::Track, Namespace::Gpx, "trkseg") => Element::Segment,
            (Element::Segment, Namespace::Gpx, "trkpt") => Element::Point,
            (Element::Point, Namespace::Gpx, "time") => Element::Own(Value::Time),
            (Element::Point, Namespace::Gpx, "ele") => Element::Own(Value::Elevation),
            (Element::Point, Namespace::Gpx, "extensions") => Element::Extensions,
            (Element::Point, Namespace::Gpx, _) => motion.map_or(Element::Other, Element::Own),
            (Element::Point | Element::Extensions, Namespace::Garmin, "TrackPointExtension") => {
                Element::GarminExtension
            }
            (Element::GarminExtension, Namespace::Garmin, _)
            | (Element::Extensions, Namespace::Gpx | Namespace::OsmAnd, _) => {
                motion.map_or(Element::Other, Element::Extended)
            }
            (Element::Extensions, Namespace::OpenTracks, "accuracy_horizontal") => {
                Element::Extended(Value::HorizontalAccuracy)
            }
            (Element::Extensions, Namespace::OpenTracks, "accuracy_vertical") => {
                Element::Extended(Value::VerticalAccuracy)
            }
            (_, _, _) => Element::Other,
        }
    }
}

/// The state of reading a file.
struct Reading<'a> {
    file: GpxFile,
    tracks: Vec<Track>,
    lines: Lines<'a>,
    /// Whether the outermost element is GPX's, and its namespace.
    is_gpx: bool,
    gpx: Option<String>,
    open: Vec<Element>,
    point: PointText,
    content: String,
}

impl<'a> Reading<'a> {
    fn of(text: &'a str) -> Reading<'a> {
        Reading {
            file: GpxFile::default(),
            tracks: Vec::new(),
            lines: Lines { text, place: 0, line: 1 },
            is_gpx: false,
            gpx: None,
            open: Vec::new(),
            point: PointText::default(),
            content: String::new(),
        }
    }

    /// Handles an event that begins at `place`. Returns whether it is the last one.
    fn take(&mut self, place: usize, namespace: &ResolveResult<'_>, event: Event<'_>) -> Result<bool, GpxError> {
        match event {
            Event::Start(tag) => {
                let element = self.element(namespace, &tag)?;
                if element == Element::Point {
                    self.point = PointText::of(&tag, place);
                }
                self.open.push(element);
                self.content.clear();
            }
            // A point without a child has no time; any other empty element has no value.
            Event::Empty(tag) => {
                if self.element(namespace, &tag)? == Element::Point {
                    self.point = PointText::of(&tag, place);
                    self.close_point();
                }
            }
            Event::Text(text) => self.content.push_str(&text.xml10_content()),
            Event::CData(text) => self.content.push_str(&text.xml10_content()),
            Event::GeneralRef(reference) => match reference.resolve_char_ref() {
                Ok(Some(character)) => self.content.push(character),
                Ok(None) | Err(_) => match resolve_predefined_entity(&reference) {
                    Some(text) => self.content.push_str(text),
                    // An entity of the file's own is kept unexpanded, so that it is not a number.
                    None => self.content.extend(["&", &*reference, ";"]),
                },
            },
            Event::End(_) => self.close(),
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) | Event::DocType(_) => {}
            Event::Eof => {
                if !self.is_gpx {
                    return Err(GpxError::NotGpx);
                }
                if !self.open.is_empty() {
                    if self.file.point_count == 0 {
                        return Err(GpxError::CutShort);
                    }
                    self.note(place, Fault::CutShort);
                }
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Returns the meaning of a tag at its position.
    fn element(&mut self, namespace: &ResolveResult<'_>, tag: &BytesStart<'_>) -> Result<Element, GpxError> {
        let element = match self.open.last() {
            Some(parent) => {
                Element::below(*parent, Namespace::of(namespace, self.gpx.as_deref()), tag.local_name().as_ref())
            }
            None if tag.local_name().as_ref() == "gpx" && !self.is_gpx => {
                self.is_gpx = true;
                if let ResolveResult::Bound(name) = namespace {
                    self.gpx = Some(name.0.to_owned());
                }
                Element::Gpx
            }
            None => return Err(GpxError::NotGpx),
        };
        if element == Element::Track {
            self.tracks.push(Track::default());
        }
        if let (Element::Point, Some(track)) = (element, self.tracks.last_mut()) {
            self.file.point_count += 1;
            track.point_count += 1;
        }
        Ok(element)
    }

    fn close(&mut self) {
        let content = self.content.trim();
        let track = self.tracks.last_mut();
        match self.open.pop() {
            Some(Element::Point) => self.close_point(),
            Some(Element::Name) => {
                if let Some(track) = track {
                    track.name.get_or_insert_with(|| content.to_owned());
                }
            }
            Some(Element::Kind) => {
                if let Some(track) = track {
                    track.kind.get_or_insert_with(|| content.to_owned());
                }
            }
            Some(Element::Own(value)) => self.point.set_own(value, content),
            Some(Element::Extended(value)) => self.point.set_extended(value, content),
            Some(
                Element::Gpx
                | Element::Track
                | Element::Segment
                | Element::Extensions
                | Element::GarminExtension
                | Element::Other,
            )
            | None => {}
        }
        self.content.clear();
    }

    fn close_point(&mut self) {
        let point = std::mem::take(&mut self.point);
        let faults = match point.fix() {
            Ok((fix, faults)) => {
                if let Some(track) = self.tracks.last_mut() {
                    track.fixes.push(fix);
                }
                faults
            }
            Err(fault) => vec![fault],
        };
        faults.into_iter().for_each(|fault| self.note(point.place, fault));
    }

    fn note(&mut self, place: usize, fault: Fault) {
        self.file.problem_count += 1;
        if self.file.problems.len() < MAX_PROBLEMS {
            let line = self.lines.at(place);
            self.file.problems.push(Problem { line, fault });
        }
    }
}

/// Counts lines from position to position, so that a file is read once.
#[derive(Clone)]
struct Lines<'a> {
    text: &'a str,
    place: usize,
    line: usize,
}

impl Lines<'_> {
    /// Returns the line, from 1, of a position that is not before the last one.
    fn at(&mut self, place: usize) -> usize {
        let place = place.min(self.text.len());
        if place > self.place {
            self.line += self.text.as_bytes()[self.place..place].iter().filter(|byte| **byte == b'\n').count();
            self.place = place;
        }
        self.line
    }
}

#[cfg(test)]
mod tests;
