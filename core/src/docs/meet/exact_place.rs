//! Who sees the exact place of a meet, and the area in which everybody else sees it.

use automerge::legacy::{Key, ObjectId, Op};
use automerge::{Automerge, ROOT, ReadDoc, ScalarValue, Value};
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::{AMENDS, EXACT_PLACE, KEYS, PLACE, POSITION, TimedValue};
use crate::docs::automerge_doc;

/// The side of an area in units of 10⁻⁷ degree of latitude: 0.05°, about 5.6 km.
const ROW: i64 = 500_000;

/// The number of rows of areas from pole to pole.
const ROWS: i64 = 1_800_000_000 / ROW;

/// Maximum number of operations of a change that is examined: a phone's change of a meet has at most one for each key.
const MAX_OPS: usize = 32;

/// Who sees the exact place of a meet: its position and the name of its place. Its organisers always do. `[W1]` `[W2]`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
#[cbor(index_only)]
pub enum ExactPlace {
    /// Everybody who sees the meet.
    #[default]
    #[n(0)]
    Everyone,
    /// Everybody who sees the meet, from twelve hours before its start until its end.
    #[n(1)]
    Day,
    /// The accounts that answered that they are going.
    #[n(2)]
    Attendees,
    /// Only its organisers.
    #[n(3)]
    Organisers,
}

impl ExactPlace {
    /// Returns the name that documents use.
    pub fn name(self) -> &'static str {
        match self {
            ExactPlace::Everyone => "everyone",
            ExactPlace::Day => "day",
            ExactPlace::Attendees => "attendees",
            ExactPlace::Organisers => "organisers",
        }
    }

    /// Returns the value with this name. Unknown names of newer versions hide the place: they may be narrower than all
    /// others.
    pub fn from_name(name: &str) -> ExactPlace {
        match name {
            "everyone" => ExactPlace::Everyone,
            "day" => ExactPlace::Day,
            "attendees" => ExactPlace::Attendees,
            _ => ExactPlace::Organisers,
        }
    }

    /// Returns the narrower of two values.
    pub fn narrower(self, other: ExactPlace) -> ExactPlace {
        let narrowness = |value: ExactPlace| match value {
            ExactPlace::Everyone => 3,
            ExactPlace::Day => 2,
            ExactPlace::Attendees => 1,
            ExactPlace::Organisers => 0,
        };
        if narrowness(other) < narrowness(self) { other } else { self }
    }
}

/// A rectangle of a fixed grid, about 5 km wide and high wherever roads are. It depends on nothing but the grid, so that
/// several meets at one place, or several edits of one meet, tell no more than one. `[W4]`
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Area {
    /// Degrees.
    pub west: f64,
    /// Degrees.
    pub south: f64,
    /// Degrees.
    pub east: f64,
    /// Degrees.
    pub north: f64,
}

impl Area {
    /// Returns the area that contains a position: longitude and latitude in degrees.
    pub fn around([lon, lat]: [f64; 2]) -> Area {
        let units = |degrees: f64| (degrees * 1e7).round() as i64;
        let row = (units(lat) + 900_000_000).div_euclid(ROW).clamp(0, ROWS - 1);
        let south = row * ROW - 900_000_000;
        // Columns widen towards the poles, so that an area stays about as wide as high.
        let middle = (south + ROW / 2) as f64 / 1e7;
        let width = ROW * (1.0 / libm::cos(middle.to_radians())).round() as i64;
        let last = (3_600_000_000 - 1) / width;
        let west = (units(lon) + 1_800_000_000).div_euclid(width).clamp(0, last) * width - 1_800_000_000;
        let degrees = |units: i64| units as f64 / 1e7;
        Area {
            west: degrees(west),
            south: degrees(south),
            east: degrees((west + width).min(1_800_000_000)),
            north: degrees(south + ROW),
        }
    }

    /// Returns its middle: longitude and latitude in degrees.
    pub fn middle(&self) -> [f64; 2] {
        [(self.west + self.east) / 2.0, (self.south + self.north) / 2.0]
    }
}

/// What a document says about its exact place beside the value itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct PlaceHistory {
    /// The number of changes of the place alone.
    pub(super) place_changes: u32,
    /// The number of changes that set who sees it.
    pub(super) switches: u32,
}

/// Returns whether the document says who sees the exact place in a way that only newer versions can read.
pub(super) fn is_unreadable(doc: &Automerge) -> bool {
    let competing = automerge_doc::competing(doc, KEYS[EXACT_PLACE]);
    let is_readable = |value: &ScalarValue| {
        let stamped: Option<TimedValue> = value.as_bytes().and_then(|bytes| minicbor::decode(bytes).ok());
        stamped.is_some_and(|stamped| automerge_doc::is_sane(&stamped.at))
    };
    let is_object = matches!(doc.get(ROOT, KEYS[EXACT_PLACE]), Ok(Some((Value::Object(_), _))));
    is_object || competing.is_cut || !competing.values.iter().all(is_readable)
}

/// Counts the changes of a document. The numbers do not depend on the order in which changes arrived.
pub(super) fn history(doc: &Automerge) -> PlaceHistory {
    let mut history = PlaceHistory::default();
    for change in doc.get_changes(&[]).iter().filter(|change| change.len() <= MAX_OPS) {
        let ops = change.decode().operations;
        let sets = |op: &Op, keys: &[&str]| match (&op.obj, &op.key) {
            (ObjectId::Root, Key::Map(key)) => keys.contains(&key.as_str()),
            (ObjectId::Root | ObjectId::Id(_), _) => false,
        };
        let is_of_place = |op: &Op| sets(op, &[KEYS[PLACE], KEYS[POSITION], AMENDS]);
        history.place_changes += u32::from(!ops.is_empty() && ops.iter().all(is_of_place));
        history.switches += u32::from(ops.iter().any(|op| sets(op, &[KEYS[EXACT_PLACE]])));
    }
    history
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::geodesy::{Position, distance_m};

    #[test]
    fn w1_a_name_of_a_newer_version_hides_the_place() {
        for value in [ExactPlace::Everyone, ExactPlace::Day, ExactPlace::Attendees, ExactPlace::Organisers] {
            assert_eq!(ExactPlace::from_name(value.name()), value);
            assert_eq!(value.narrower(ExactPlace::Organisers), ExactPlace::Organisers);
            assert_eq!(ExactPlace::Everyone.narrower(value), value);
        }
        assert_eq!(ExactPlace::from_name("friendsOfFriends"), ExactPlace::Organisers);
        assert_eq!(ExactPlace::from_name(""), ExactPlace::Organisers);
    }

    #[test]
    fn w4_areas_are_those_of_the_table() {
        let around = |lon, lat| {
            let Area { west, south, east, north } = Area::around([lon, lat]);
            [west, south, east, north]
        };
        assert_eq!(around(8.5417, 47.3769), [8.5, 47.35, 8.55, 47.4]);
        assert_eq!(around(8.5, 47.35), [8.5, 47.35, 8.55, 47.4], "the edges in the south and west belong to it");
        assert_eq!(around(-0.0001, -0.0001), [-0.05, -0.05, 0.0, 0.0]);
        assert_eq!(around(10.75, 59.91), [10.7, 59.9, 10.8, 59.95]);
        for (lon, lat) in [(180.0, 0.0), (-180.0, 90.0), (179.999_999_9, -90.0), (0.0, 90.0), (180.0, 59.91)] {
            let [west, south, east, north] = around(lon, lat);
            assert!(west <= lon && lon <= east && south <= lat && lat <= north && west < east, "{lon} {lat}");
            assert!(west >= -180.0 && east <= 180.0 && south >= -90.0 && north <= 90.0);
        }
    }

    proptest! {
        #[test]
        fn w4_an_area_contains_its_positions_and_is_the_same_for_all_of_them(
            lon in -180.0..180.0_f64, lat in -85.0..85.0_f64, x in 0.001..0.999_f64, y in 0.001..0.999_f64,
        ) {
            let area = Area::around([lon, lat]);
            prop_assert!(area.west <= lon + 1e-7 && lon <= area.east + 1e-7 && area.south <= lat + 1e-7);
            let other = [area.west + x * (area.east - area.west), area.south + y * (area.north - area.south)];
            prop_assert_eq!(Area::around(other), area);
            prop_assert_eq!(Area::around(area.middle()), area);
            let at = |lon_deg, lat_deg| Position { lon_deg, lat_deg };
            let middle = area.middle();
            let [width, height] = [
                distance_m(at(area.west, middle[1]), at(area.east, middle[1])),
                distance_m(at(middle[0], area.south), at(middle[0], area.north)),
            ];
            // The last column of a row may be narrower.
            prop_assert!(area.east > 179.0 || (3_500.0..8_500.0).contains(&width), "{}", width);
            prop_assert!((5_500.0..5_600.0).contains(&height), "{}", height);
        }
    }
}
