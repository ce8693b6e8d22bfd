//! Private places, and the zone of each: what lies inside a zone is never published.
//!
//! A place is found at a stop of a drive, or set by its owner. It never moves. Its zone is a disc whose centre is off the
//! place by an offset that only the owner's devices can compute: a keyed hash of a secret that is drawn once. So a circle
//! around the shown ends of many drives does not lead to the place. The offset never changes: an offset that was drawn for
//! each drive would average out.
//!
//! | size | usual radius | offset | always inside |
//! |---|--:|--:|--:|
//! | standard | 800 m | up to 500 m | 300 m around the place |
//! | large | 1,100 m | up to 800 m | 300 m around the place |
//!
//! In drives that stop at the place both are larger, see [`super::zones`].
//!
//! The large zone contains the standard one: its centre is off that of the standard zone by at most 300 m, in a direction
//! that is independent of the place. Enlarging a zone therefore hides more everywhere, and both discs together tell no more
//! about the place than the first one.

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::geodesy::{Position, TangentPlane, distance_m};
use crate::id::DocId;
use crate::privacy::zones::{MAX_RADIUS_M, Zone};

/// A stop so near to a place, in metres, is at that place.
pub const SAME_PLACE_M: f64 = 250.0;

/// The distance around a place that its zone always contains, metres.
pub const ALWAYS_HIDDEN_M: f64 = 300.0;

/// The usual radius of the standard zone, metres.
pub const STANDARD_RADIUS_M: f64 = 800.0;
/// The largest offset of its centre from the place, metres.
pub const MAX_OFFSET_M: f64 = 500.0;
/// What the radius of the large zone is more, and the largest offset of its centre from that of the standard zone, metres.
const LARGER_M: f64 = 300.0;

/// The largest distance from a place at which its zone may hide something, metres.
pub const REACH_M: f64 = MAX_OFFSET_M + MAX_RADIUS_M + 2.0 * LARGER_M;

/// The kind of a place for its owner. It is a label only; [`ZoneSize`] decides what is hidden.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
#[cbor(index_only)]
pub enum PlaceKind {
    /// A stop that nobody has named.
    #[default]
    #[n(0)]
    Stop,
    /// The owner lives there.
    #[n(1)]
    Home,
    /// The owner works there.
    #[n(2)]
    Work,
    /// Somebody whom the owner knows lives there.
    #[n(3)]
    Friend,
    /// Open to everyone: a circuit, a car park, a meeting point. Only such a place can be without a zone.
    #[n(4)]
    Open,
}

impl PlaceKind {
    /// The name that documents use.
    pub fn name(self) -> &'static str {
        match self {
            PlaceKind::Stop => "stop",
            PlaceKind::Home => "home",
            PlaceKind::Work => "work",
            PlaceKind::Friend => "friend",
            PlaceKind::Open => "open",
        }
    }

    /// Returns the kind with this name. Unknown names of newer versions are stops, which are hidden.
    pub fn from_name(name: &str) -> PlaceKind {
        match name {
            "home" => PlaceKind::Home,
            "work" => PlaceKind::Work,
            "friend" => PlaceKind::Friend,
            "open" => PlaceKind::Open,
            _ => PlaceKind::Stop,
        }
    }
}

/// The size of the zone of a place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Encode, Decode)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
#[cbor(index_only)]
pub enum ZoneSize {
    /// The place is not private: nothing is hidden around it.
    #[n(0)]
    None,
    /// A radius of 800 m.
    #[default]
    #[n(1)]
    Standard,
    /// A radius of 1,100 m, for lonely houses.
    #[n(2)]
    Large,
}

impl ZoneSize {
    /// The name that documents use.
    pub fn name(self) -> &'static str {
        match self {
            ZoneSize::None => "none",
            ZoneSize::Standard => "standard",
            ZoneSize::Large => "large",
        }
    }

    /// Returns the size with this name. Unknown names of newer versions are large: they may be larger than all known ones.
    pub fn from_name(name: &str) -> ZoneSize {
        match name {
            "none" => ZoneSize::None,
            "standard" => ZoneSize::Standard,
            _ => ZoneSize::Large,
        }
    }
}

/// The secret of a place, drawn once.
#[derive(Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
pub struct PlaceSecret(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 16]);

impl std::fmt::Debug for PlaceSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PlaceSecret(…)")
    }
}

/// A place of an account. Only the account's own devices know it.
#[derive(Clone, Copy, Debug, PartialEq, Encode, Decode)]
pub struct Place {
    /// Its id.
    #[n(0)]
    pub id: DocId,
    /// Its position.
    #[n(1)]
    pub position: Position,
    /// The key of the offset of its zone.
    #[n(2)]
    pub secret: PlaceSecret,
    /// Whether it was found at a stop of a drive; otherwise its owner set it on a map.
    #[n(3)]
    pub is_found: bool,
    /// Its kind.
    #[n(4)]
    pub kind: PlaceKind,
    /// The size of its zone.
    #[n(5)]
    pub size: ZoneSize,
}

impl Place {
    /// Returns the zone in drives that do not stop here; none if the place is not private.
    pub fn zone(&self) -> Option<Zone> {
        self.zone_of_radius(STANDARD_RADIUS_M)
    }

    /// Returns the zone if that of a standard place had this radius.
    pub(super) fn zone_of_radius(&self, radius_m: f64) -> Option<Zone> {
        let standard = self.standard_center();
        match self.size {
            ZoneSize::None => None,
            ZoneSize::Standard => Some(Zone::around(standard, radius_m)),
            ZoneSize::Large => {
                let center = offset(standard, &self.secret, b"large", LARGER_M);
                Some(Zone::around(center, radius_m + LARGER_M))
            }
        }
    }

    /// Returns the zone of the usual radius that the place has or had with the standard size.
    pub(super) fn standard_zone(&self) -> Zone {
        Zone::around(self.standard_center(), STANDARD_RADIUS_M)
    }

    fn standard_center(&self) -> Position {
        offset(self.position, &self.secret, b"standard", MAX_OFFSET_M)
    }

    /// Returns whether the zone may hide something within bounds: west, south, east, north, degrees.
    pub fn may_hide_in(&self, [west_deg, south_deg, east_deg, north_deg]: [f64; 4]) -> bool {
        // A degree of latitude is at least 110.5 km long.
        let margin_deg = REACH_M / 110_000.0;
        let Position { lat_deg, lon_deg } = self.position;
        if self.size == ZoneSize::None || !(south_deg - margin_deg..=north_deg + margin_deg).contains(&lat_deg) {
            return false;
        }
        let cos_lat = libm::cos((lat_deg.abs() + margin_deg).to_radians());
        if cos_lat < 0.02 {
            return true;
        }
        let margin_deg = margin_deg / cos_lat;
        let width_deg = (east_deg - west_deg).rem_euclid(360.0);
        (lon_deg - west_deg + margin_deg).rem_euclid(360.0) <= width_deg + 2.0 * margin_deg
    }
}

/// Moves a position by a keyed offset that is uniform in a disc.
fn offset(from: Position, secret: &PlaceSecret, purpose: &[u8], most_m: f64) -> Position {
    let digest =
        Sha256::new().chain_update(b"tourismo zone v1 ").chain_update(secret.0).chain_update(purpose).finalize();
    let part = |at: usize| {
        let bytes = digest[at..at + 8].try_into().expect("a digest has 32 bytes");
        // Between 0 and 1, in steps of 2^-53.
        (u64::from_be_bytes(bytes) >> 11) as f64 / (1u64 << 53) as f64
    };
    let (sin, cos) = libm::sincos(std::f64::consts::TAU * part(0));
    let away_m = most_m * libm::sqrt(part(8));
    TangentPlane::at(from).unproject(away_m * sin, away_m * cos)
}

/// Returns whether a stop is at a known place.
pub fn is_known(stop: Position, places: &[Place]) -> bool {
    places.iter().any(|place| distance_m(place.position, stop) <= SAME_PLACE_M)
}

/// Returns the stops at which a place must be added, in their order: each is more than [`SAME_PLACE_M`] from every place and
/// from the ones before it.
pub fn unknown_stops(stops: &[Position], places: &[Place]) -> Vec<Position> {
    let mut unknown: Vec<Position> = Vec::new();
    for stop in stops {
        let is_near = |other: &Position| distance_m(*other, *stop) <= SAME_PLACE_M;
        if !is_known(*stop, places) && !unknown.iter().any(is_near) {
            unknown.push(*stop);
        }
    }
    unknown
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::geodesy::Ecef;

    fn place(lat_deg: f64, lon_deg: f64, secret: u128, size: ZoneSize) -> Place {
        Place {
            id: DocId::from_bytes([1; 16]),
            position: Position { lat_deg, lon_deg },
            secret: PlaceSecret(secret.to_be_bytes()),
            is_found: true,
            kind: PlaceKind::Home,
            size,
        }
    }

    /// Points on a circle around a position.
    fn around(position: Position, radius_m: f64) -> Vec<Ecef> {
        let plane = TangentPlane::at(position);
        let at = |degrees: f64| {
            let (sin, cos) = libm::sincos(degrees.to_radians());
            plane.unproject(radius_m * sin, radius_m * cos).into()
        };
        (0..72).map(|step| at(f64::from(step) * 5.0)).collect()
    }

    #[test]
    fn the_offsets_of_many_places_fill_the_disc_evenly() {
        let offsets = (0..4_000u128).map(|secret| {
            let zone = place(46.5, 10.4, secret, ZoneSize::Standard).zone().expect("it is private");
            TangentPlane::at(Position { lat_deg: 46.5, lon_deg: 10.4 }).project_m(zone.center())
        });
        let (mut inner, mut east, mut north) = (0, 0.0, 0.0);
        for (east_m, north_m) in offsets {
            inner += u32::from(libm::hypot(east_m, north_m) < 250.0);
            (east, north) = (east + east_m / 4_000.0, north + north_m / 4_000.0);
        }
        assert!((900..1_100).contains(&inner), "a quarter of the disc has {inner} of 4,000");
        assert!(libm::hypot(east, north) < 15.0, "they lean to {east:.0} m east, {north:.0} m north");
    }

    #[test]
    fn the_zone_of_a_place_never_moves() {
        let at = |secret| place(46.5, 10.4, secret, ZoneSize::Standard).zone();
        assert_eq!(at(7), at(7));
        assert_ne!(at(7), at(8));
        let center = at(7).expect("it is private").center();
        assert_eq!((center.lat_deg.to_bits(), center.lon_deg.to_bits()), ZONE_OF_7, "{center:?}");
    }

    /// Published copies rely on it: a zone that moved would show what was hidden.
    const ZONE_OF_7: (u64, u64) = (4_631_740_651_578_995_207, 4_622_044_198_612_142_709);

    #[test]
    fn a_place_that_is_not_private_has_no_zone() {
        assert_eq!(place(46.5, 10.4, 7, ZoneSize::None).zone(), None);
    }

    #[test]
    fn a_stop_is_at_a_place_within_two_hundred_and_fifty_metres() {
        let home = place(0.0, 10.0, 1, ZoneSize::Standard);
        let north = |metres: f64| Position { lat_deg: metres / 110_574.4, lon_deg: 10.0 };
        assert!(is_known(north(249.0), &[home]) && !is_known(north(251.0), &[home]));
        let stops = [north(100.0), north(600.0), north(800.0), north(900.0), north(600.0)];
        assert_eq!(unknown_stops(&stops, &[home]), [north(600.0), north(900.0)]);
    }

    #[test]
    fn names_of_newer_versions_hide_the_most() {
        assert_eq!(PlaceKind::from_name("castle"), PlaceKind::Stop);
        assert_eq!(ZoneSize::from_name("huge"), ZoneSize::Large);
        for size in [ZoneSize::None, ZoneSize::Standard, ZoneSize::Large] {
            assert_eq!(ZoneSize::from_name(size.name()), size);
        }
        for kind in [PlaceKind::Stop, PlaceKind::Home, PlaceKind::Work, PlaceKind::Friend, PlaceKind::Open] {
            assert_eq!(PlaceKind::from_name(kind.name()), kind);
        }
    }

    proptest! {
        #[test]
        fn three_hundred_metres_around_a_place_are_inside_and_nothing_beyond_its_reach(
            lat in prop_oneof![-90.0..=90.0_f64, 89.99..=90.0_f64, -90.0..=-89.99_f64],
            lon in prop_oneof![-180.0..=180.0_f64, 179.99..=180.0_f64],
            secret in any::<u128>(),
            is_large in any::<bool>(),
        ) {
            let size = if is_large { ZoneSize::Large } else { ZoneSize::Standard };
            let place = place(lat, lon, secret, size);
            let zone = place.zone().expect("it is private");
            prop_assert!(zone.holds(place.position.into()));
            for near in around(place.position, ALWAYS_HIDDEN_M - 0.01) {
                prop_assert!(zone.holds(near));
            }
            for far in around(place.position, REACH_M + 0.01) {
                prop_assert!(!zone.holds(far));
            }
        }

        #[test]
        fn whatever_a_zone_hides_is_within_the_bounds_that_it_may_hide_in(
            lat in prop_oneof![-90.0..=90.0_f64, 88.9..=90.0_f64],
            lon in prop_oneof![-180.0..=180.0_f64, 179.98..=180.0_f64],
            secret in any::<u128>(),
            degrees in 0.0..360.0_f64,
            far_m in 0.0..2_000.0_f64,
            height in 0.0..0.1_f64,
        ) {
            let place = place(lat, lon, secret, ZoneSize::Large);
            let (sin, cos) = libm::sincos(degrees.to_radians());
            let at = TangentPlane::at(place.position).unproject(far_m * sin, far_m * cos);
            if place.zone().expect("it is private").holds(at.into()) {
                let east = if at.lon_deg + height > 180.0 { at.lon_deg + height - 360.0 } else { at.lon_deg + height };
                prop_assert!(place.may_hide_in([at.lon_deg, at.lat_deg, east, at.lat_deg + height]));
            }
        }

        #[test]
        fn the_large_zone_contains_the_standard_one(lat in -90.0..=90.0_f64, lon in -180.0..=180.0_f64, secret in any::<u128>()) {
            let standard = place(lat, lon, secret, ZoneSize::Standard).zone().expect("it is private");
            let large = place(lat, lon, secret, ZoneSize::Large).zone().expect("it is private");
            for edge in around(standard.center(), standard.radius_m() - 0.01) {
                prop_assert!(large.holds(edge));
            }
        }
    }
}
