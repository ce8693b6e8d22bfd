//! A published drive as a GeoJSON Feature (RFC 7946), with columns for charts beside its lines.
//!
//! It is written from the fixes while a client reads: 24 bytes for each fix are held, and one step of text. A `Feature` of crate
//! `geojson`, which writes roads, takes 120 bytes for each fix (a position and three values of columns), and the whole text
//! besides: 12 MB and 4 MB for 100,000 fixes, for each slow reader. The test below compares the sizes.

use std::fmt::Write;

use tourismo_core::track::parts::Gap;

use super::track::{Steps, Track, TrackFix, TrackPart};

/// The media type.
pub(crate) const CONTENT_TYPE: &str = "application/geo+json";

/// The number of fixes that are written in one step.
const FIXES_PER_STEP: usize = 256;

/// A Feature while it is being written.
#[derive(Debug)]
pub(crate) struct Feature {
    lines: Vec<TrackPart>,
    head: String,
    middle: String,
    at: At,
}

/// The position up to which it is written.
#[derive(Clone, Copy, Debug)]
enum At {
    Head,
    /// A fix of a line.
    Line(usize, usize),
    Middle,
    /// A fix in a column of a line.
    Column(usize, Column, usize),
    Tail,
    End,
}

#[derive(Clone, Copy, Debug)]
enum Column {
    Elapsed,
    Speed,
    Altitude,
}

impl Feature {
    /// Creates a feature of a track. `properties` is a JSON object, to which `parts` is added; a line has at least two
    /// positions.
    pub(crate) fn new(id: &str, bbox: [f64; 4], properties: &str, track: Track) -> Feature {
        let [west, south, east, north] = bbox.map(number);
        let properties = properties.strip_suffix('}').unwrap_or(properties);
        Feature {
            lines: track.0.into_iter().filter(|part| part.fixes.len() > 1).collect(),
            head: format!(
                r#"{{"type":"Feature","id":"{id}","bbox":[{west},{south},{east},{north}],"geometry":{{"type":"MultiLineString","coordinates":["#
            ),
            middle: format!(r#"]}},"properties":{properties},"parts":["#),
            at: At::Head,
        }
    }

    /// Writes fixes of a line from one on, in brackets; returns where to continue if there are more.
    fn fixes(
        text: &mut String,
        part: &TrackPart,
        from: usize,
        write: impl Fn(&mut String, &TrackFix),
    ) -> Option<usize> {
        let until = part.fixes.len().min(from + FIXES_PER_STEP);
        for (index, fix) in part.fixes.iter().enumerate().take(until).skip(from) {
            text.push(if index == 0 { '[' } else { ',' });
            write(text, fix);
        }
        if until < part.fixes.len() {
            return Some(until);
        }
        text.push(']');
        None
    }
}

impl Steps for Feature {
    fn step(&mut self, text: &mut String) -> bool {
        self.at = match self.at {
            At::Head => {
                text.push_str(&self.head);
                At::Line(0, 0)
            }
            At::Line(line, fix) => match self.lines.get(line) {
                None => At::Middle,
                Some(part) => {
                    if line > 0 && fix == 0 {
                        text.push(',');
                    }
                    match Feature::fixes(text, part, fix, position) {
                        Some(next) => At::Line(line, next),
                        None => At::Line(line + 1, 0),
                    }
                }
            },
            At::Middle => {
                text.push_str(&self.middle);
                At::Column(0, Column::Elapsed, 0)
            }
            At::Column(line, column, fix) => match self.lines.get(line) {
                None => At::Tail,
                Some(part) => {
                    if fix == 0 {
                        text.push_str(&column.begin(line, part.after));
                    }
                    match (Feature::fixes(text, part, fix, |text, fix| column.value(text, fix)), column.next()) {
                        (Some(next), _) => At::Column(line, column, next),
                        (None, Some(column)) => At::Column(line, column, 0),
                        (None, None) => {
                            text.push('}');
                            At::Column(line + 1, Column::Elapsed, 0)
                        }
                    }
                }
            },
            At::Tail => {
                text.push_str("]}}");
                At::End
            }
            At::End => return false,
        };
        true
    }

    fn begin_again(&mut self) {
        self.at = At::Head;
    }
}

impl Column {
    fn next(self) -> Option<Column> {
        match self {
            Column::Elapsed => Some(Column::Speed),
            Column::Speed => Some(Column::Altitude),
            Column::Altitude => None,
        }
    }

    /// Returns the text before its values.
    fn begin(self, line: usize, after: Option<Gap>) -> String {
        match self {
            Column::Elapsed => {
                let comma = if line == 0 { "" } else { "," };
                let gap = after.map_or("null".to_owned(), |gap| format!("\"{}\"", gap_name(gap)));
                format!(r#"{comma}{{"gap":{gap},"elapsedMs":"#)
            }
            Column::Speed => r#","speedMps":"#.to_owned(),
            Column::Altitude => r#","altitudeM":"#.to_owned(),
        }
    }

    fn value(self, text: &mut String, fix: &TrackFix) {
        match self {
            Column::Elapsed => write!(text, "{}", fix.elapsed_ms).expect("writing to a String cannot fail"),
            Column::Speed => optional(text, fix.speed_mps()),
            Column::Altitude => optional(text, fix.altitude_m()),
        }
    }
}

fn position(text: &mut String, fix: &TrackFix) {
    write!(text, "[{:?},{:?}]", fix.lon_deg(), fix.lat_deg()).expect("writing to a String cannot fail");
}

fn optional(text: &mut String, value: Option<f64>) {
    match value {
        Some(value) => write!(text, "{value:?}").expect("writing to a String cannot fail"),
        None => text.push_str("null"),
    }
}

/// Returns a number as JSON, which has no NaN and no infinity.
fn number(value: f64) -> String {
    if value.is_finite() { format!("{value:?}") } else { "null".to_owned() }
}

/// Returns the name of the reason of a gap.
fn gap_name(gap: Gap) -> &'static str {
    match gap {
        Gap::NoSignal => "noSignal",
        Gap::Hidden => "hidden",
        Gap::Restarted => "restarted",
        Gap::Paused => "paused",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::track::{length, pieces, tests::made};
    use super::*;

    fn feature(counts: &[usize]) -> (Vec<String>, Value) {
        let track = Track::of_parts(&made(counts));
        let mut feature = Feature::new("an-id", [-8.5, 47.0, -8.5, 48.0], r#"{"title":"A \"drive\"}"}"#, track);
        let length = length(&mut feature);
        let written: Vec<String> = pieces(feature).collect();
        assert_eq!(written.iter().map(String::len).sum::<usize>(), length);
        let value = serde_json::from_str(&written.concat()).unwrap();
        (written, value)
    }

    #[test]
    fn the_fixes_take_a_fifth_of_what_a_feature_of_the_crate_takes() {
        let in_the_crate = size_of::<geojson::Position>() + 3 * size_of::<Value>();
        assert!(in_the_crate >= 5 * size_of::<TrackFix>(), "{in_the_crate}");
    }

    #[test]
    fn a_feature_has_lines_and_a_column_value_for_each_position() {
        let (_, value) = feature(&[3, 1, 2]);
        let lines = json!([[[-8.5, 47.0], [-8.5, 47.001], [-8.5, 47.002]], [[-8.5, 47.204], [-8.5, 47.205]]]);
        assert_eq!(value["geometry"], json!({"type": "MultiLineString", "coordinates": lines}));
        let parts = json!([
            {"gap": null, "elapsedMs": [0, 1000, 2000], "speedMps": [13.9, null, 13.9], "altitudeM": [400.0, null, 398.0]},
            {"gap": "noSignal", "elapsedMs": [204_000, 205_000], "speedMps": [13.9, null], "altitudeM": [196.0, null]},
        ]);
        assert_eq!(value["properties"], json!({"title": "A \"drive\"}", "parts": parts}));
        assert_eq!((&value["id"], &value["bbox"]), (&json!("an-id"), &json!([-8.5, 47.0, -8.5, 48.0])));
        assert!(value.to_string().parse::<geojson::Feature>().is_ok(), "a reader that is not ours takes it");
        assert_eq!(feature(&[]).1["geometry"]["coordinates"], json!([]));
        assert_eq!(feature(&[1]).1["properties"]["parts"], json!([]));
    }

    #[test]
    fn a_long_drive_is_never_one_text() {
        let (written, value) = feature(&[40_000, 256, 512]);
        assert!(written.len() > 10 && written.iter().all(|piece| piece.len() < 100_000));
        let lengths = |values: &Value| values.as_array().unwrap().len();
        let columns = &value["properties"]["parts"];
        for (index, count) in [40_000, 256, 512].into_iter().enumerate() {
            assert_eq!(lengths(&value["geometry"]["coordinates"][index]), count);
            for column in ["elapsedMs", "speedMps", "altitudeM"] {
                assert_eq!(lengths(&columns[index][column]), count);
            }
        }
    }
}
