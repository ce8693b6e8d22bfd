//! The location history of Google: `Records.json` of Takeout, and the Timeline that Android and iOS phones export.
//!
//! These are positions of whole years, not drives: [`Trips`] finds the drives in them by movement. `Records.json` has up to
//! gigabytes, so it is read as a stream.

use std::io::Read;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use tourismo_core::fix::Fix;
use tourismo_core::time::Timestamp;

use crate::found::{Draft, FileError};
use crate::numbers::{bare_fix, number_of, time_of, unix_time};
use crate::trips::{Trip, Trips};

/// Maximum number of drives of a file.
const MAX_DRIVES: usize = 20_000;

/// Returns whether a text begins like `Records.json`.
pub(crate) fn is_records(start: &str) -> bool {
    start.contains("\"locations\"") && start.contains("\"latitudeE7\"")
}

/// Returns whether a text begins like a Timeline of a phone.
pub(crate) fn is_timeline(start: &str) -> bool {
    start.contains("\"semanticSegments\"") || start.contains("\"rawSignals\"") || is_of_ios(start)
}

fn is_of_ios(start: &str) -> bool {
    start.starts_with('[') && start.contains("\"startTime\"") && start.contains("\"geo:")
}

/// Reads `Records.json`, a drive for each trip.
pub(crate) fn read_records(reader: impl Read) -> Result<Vec<Draft>, FileError> {
    let mut history = History::default();
    let mut json = serde_json::Deserializer::from_reader(std::io::BufReader::new(reader));
    let broken = Records(&mut history).deserialize(&mut json).err();
    match broken {
        Some(error) if history.points == 0 => Err(FileError::damaged(error)),
        broken => Ok(history.finish(broken.map(|error| error.to_string()))),
    }
}

/// Reads a Timeline, a drive for each trip.
pub(crate) fn read_timeline(bytes: &[u8]) -> Result<Vec<Draft>, FileError> {
    let is_list = bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[');
    let timeline = if is_list {
        Timeline {
            semantic_segments: serde_json::from_slice(bytes).map_err(FileError::damaged)?,
            raw_signals: Vec::new(),
        }
    } else {
        serde_json::from_slice(bytes).map_err(FileError::damaged)?
    };
    let mut fixes: Vec<Fix> = timeline.semantic_segments.iter().flat_map(Segment::fixes).collect();
    fixes.extend(timeline.raw_signals.iter().filter_map(|signal| signal.position.as_ref()?.fix()));
    fixes.sort_by_key(|fix| fix.fixed_at);
    let mut history = History::default();
    fixes.into_iter().for_each(|fix| history.add(fix, ""));
    Ok(history.finish(None))
}

/// The drives among the positions of years, which may be from the newest to the oldest, as in old exports.
#[derive(Default)]
struct History {
    trips: Trips,
    drafts: Vec<Draft>,
    points: usize,
}

impl History {
    fn add(&mut self, fix: Fix, kind: &str) {
        self.points += 1;
        if let Some(trip) = self.trips.add(fix, kind) {
            self.keep(trip);
        }
    }

    fn keep(&mut self, Trip { fixes, kind, .. }: Trip) {
        if self.drafts.len() < MAX_DRIVES {
            self.drafts.push(Draft { kind: Some(kind), points: fixes.len(), fixes, ..Draft::default() });
        }
    }

    fn finish(mut self, broken: Option<String>) -> Vec<Draft> {
        if let Some(trip) = self.trips.end() {
            self.keep(trip);
        }
        if let (Some(broken), Some(last)) = (broken, self.drafts.last_mut()) {
            last.note(|| broken);
        }
        self.drafts
    }
}

/// Reads the locations of `Records.json` one by one.
struct Records<'a>(&'a mut History);

impl<'de> DeserializeSeed<'de> for Records<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Records<'_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object with locations")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            if key == "locations" {
                map.next_value_seed(Locations(self.0))?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

struct Locations<'a>(&'a mut History);

impl<'de> DeserializeSeed<'de> for Locations<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Locations<'_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a list of locations")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while let Some(location) = list.next_element::<Location>()? {
            match location.fix() {
                Some(fix) => self.0.add(fix, location.kind()),
                None => self.0.points += 1,
            }
        }
        Ok(())
    }
}

/// A location of `Records.json`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct Location {
    latitude_e7: Option<f64>,
    longitude_e7: Option<f64>,
    accuracy: Option<f64>,
    altitude: Option<f64>,
    vertical_accuracy: Option<f64>,
    velocity: Option<f64>,
    heading: Option<f64>,
    timestamp: Option<String>,
    /// Of exports before 2022.
    timestamp_ms: Option<String>,
    activity: Vec<Activities>,
}

/// What the phone takes for the way of moving at a moment, the most probable one first.
#[derive(Deserialize)]
struct Activities {
    #[serde(default)]
    activity: Vec<Activity>,
}

#[derive(Deserialize)]
struct Activity {
    #[serde(rename = "type", default)]
    kind: String,
}

impl Location {
    fn fix(&self) -> Option<Fix> {
        let iso = self.timestamp.as_deref().and_then(time_of);
        let at = iso.or_else(|| unix_time(number_of(self.timestamp_ms.as_deref()?)?))?;
        Some(Fix {
            accuracy_m: self.accuracy,
            altitude_m: self.altitude,
            altitude_accuracy_m: self.vertical_accuracy,
            heading_deg: self.heading,
            speed_mps: self.velocity,
            ..bare_fix(at, degrees(self.latitude_e7?), degrees(self.longitude_e7?))
        })
    }

    fn kind(&self) -> &str {
        let first = self.activity.first().and_then(|activities| activities.activity.first());
        match first.map_or("", |activity| activity.kind.as_str()) {
            "IN_VEHICLE" | "IN_ROAD_VEHICLE" | "IN_FOUR_WHEELER_VEHICLE" | "IN_CAR" => "Driving",
            "IN_TWO_WHEELER_VEHICLE" => "Motorcycling",
            "ON_BICYCLE" => "Cycling",
            "IN_RAIL_VEHICLE" => "Train",
            "IN_BUS" => "Bus",
            _ => "",
        }
    }
}

/// Converts an integer of 10^-7 degrees. Some exports have it without its sign, as 32 bits.
fn degrees(e7: f64) -> f64 {
    let signed = if e7 > 2_147_483_647.0 { e7 - 4_294_967_296.0 } else { e7 };
    signed / 1e7
}

/// A Timeline. iOS has its segments as a list.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct Timeline {
    semantic_segments: Vec<Segment>,
    raw_signals: Vec<Signal>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct Segment {
    start_time: String,
    timeline_path: Vec<PathPoint>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct PathPoint {
    point: String,
    /// On Android.
    time: Option<String>,
    /// On iOS.
    duration_minutes_offset_from_start_time: Option<String>,
}

impl Segment {
    fn fixes(&self) -> impl Iterator<Item = Fix> {
        let started_at = time_of(&self.start_time);
        self.timeline_path.iter().filter_map(move |path| {
            let offset = path.duration_minutes_offset_from_start_time.as_deref().and_then(number_of);
            let by_offset = started_at.zip(offset).map(|(at, minutes)| at + (minutes * 60_000.0) as i64);
            let at = path.time.as_deref().and_then(time_of).or(by_offset)?;
            point(&path.point, at)
        })
    }
}

#[derive(Deserialize)]
struct Signal {
    position: Option<SignalPosition>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct SignalPosition {
    #[serde(rename = "LatLng")]
    lat_lng: String,
    accuracy_meters: Option<f64>,
    altitude_meters: Option<f64>,
    speed_meters_per_second: Option<f64>,
    timestamp: String,
}

impl SignalPosition {
    fn fix(&self) -> Option<Fix> {
        let fix = point(&self.lat_lng, time_of(&self.timestamp)?)?;
        Some(Fix {
            accuracy_m: self.accuracy_meters,
            altitude_m: self.altitude_meters,
            speed_mps: self.speed_meters_per_second,
            ..fix
        })
    }
}

/// Reads a position such as `46.5°, 10.4°` or `geo:46.5,10.4`.
fn point(text: &str, at: Timestamp) -> Option<Fix> {
    let (lat, lon) = text.trim_start_matches("geo:").split_once(',')?;
    let degrees = |text: &str| number_of(text.trim().trim_end_matches('\u{b0}'));
    Some(bare_fix(at, degrees(lat)?, degrees(lon)?))
}
