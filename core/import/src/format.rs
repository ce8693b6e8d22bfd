//! The format of a file, by its content.

use crate::{table, takeout, text};

/// The format is found in this number of bytes at the start.
pub(crate) const START_BYTES: usize = 16 << 10;

/// A format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Zip,
    Gzip,
    Fit,
    Gpx,
    Tcx,
    Kml,
    GeoJson,
    /// The location history of Google Takeout.
    Records,
    /// The location history of a phone with Google's Timeline.
    Timeline,
    Nmea,
    Vbo,
    Table,
}

impl Format {
    /// Returns the format of a file, if it is known.
    pub(crate) fn of(bytes: &[u8]) -> Option<Format> {
        match bytes {
            [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] => return Some(Format::Zip),
            [0x1f, 0x8b, ..] => return Some(Format::Gzip),
            _ if bytes.get(8..12) == Some(b".FIT") => return Some(Format::Fit),
            _ => {}
        }
        let text = text::decode(&bytes[..bytes.len().min(START_BYTES)]).ok()?.text;
        let text = text.trim_start();
        match text.chars().next()? {
            '<' => of_xml(text),
            '{' | '[' if takeout::is_timeline(text) => Some(Format::Timeline),
            '{' if takeout::is_records(text) => Some(Format::Records),
            '{' => is_geojson(text).then_some(Format::GeoJson),
            _ if text.lines().any(is_sentence) => Some(Format::Nmea),
            _ if text.to_lowercase().contains("[column names]") => Some(Format::Vbo),
            _ if table::is_table(text) => Some(Format::Table),
            _ => None,
        }
    }
}

/// Returns the format by the name of the outermost element. Declarations and comments before it are skipped.
fn of_xml(mut text: &str) -> Option<Format> {
    loop {
        let (_, tag) = text.split_once('<')?;
        if let Some(comment) = tag.strip_prefix("!--") {
            (_, text) = comment.split_once("-->")?;
            continue;
        }
        text = tag;
        if tag.starts_with(|first: char| first.is_alphabetic() || first == '_') {
            break;
        }
    }
    let name = text.split(|character: char| character.is_whitespace() || matches!(character, '>' | '/')).next()?;
    match name.rsplit(':').next()? {
        "gpx" => Some(Format::Gpx),
        "TrainingCenterDatabase" => Some(Format::Tcx),
        "kml" | "Document" | "Placemark" => Some(Format::Kml),
        _ => None,
    }
}

fn is_geojson(text: &str) -> bool {
    let names = ["\"FeatureCollection\"", "\"Feature\"", "\"LineString\"", "\"MultiLineString\""];
    names.iter().any(|name| text.contains(name))
}

/// Returns whether a line is an NMEA 0183 sentence of a satellite receiver.
fn is_sentence(line: &str) -> bool {
    let Some((_, sentence)) = line.split_once('$') else { return false };
    let known = ["RMC", "GGA", "GSA", "GSV", "GLL", "VTG"];
    sentence.get(2..6).is_some_and(|kind| kind.ends_with(',') && known.contains(&&kind[..3]))
}
