//! The zones of private places, and how large each is in a drive.
//!
//! Every place hides a disc of its usual radius ([`places`](super::places)) in each drive. Where a drive stops, the disc is
//! larger, the farther the drive goes: the exit that somebody takes towards a destination says where the way began, and it says
//! less, the farther it is from there.
//!
//! A drive goes as far as its farthest point is from the centre of the zone. Of a zone that the drive enters the far edge counts
//! and no position inside. So the radius depends on positions outside of all zones and on the centres of zones, never on the
//! distance of an exact place. More places, or larger ones, never make a disc smaller.

use super::places::{MAX_OFFSET_M, Place, REACH_M, SAME_PLACE_M, STANDARD_RADIUS_M};
use crate::geodesy::{Ecef, Position, distance_m};

/// The part of the way beyond its usual radius that a zone grows by.
pub(super) const GROWTH: f64 = 0.3;
/// The largest radius of a standard zone, metres.
pub(super) const MAX_RADIUS_M: f64 = 2_000.0;

/// A disc inside which nothing is published.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Zone {
    center: Ecef,
    radius_m: f64,
}

impl Zone {
    pub(super) fn around(center: Position, radius_m: f64) -> Zone {
        Zone { center: center.into(), radius_m }
    }

    /// Returns the disc that contains every zone of the usual radius that a place at this stop could get.
    fn of_unknown(stop: Position) -> Zone {
        Zone::around(stop, STANDARD_RADIUS_M + MAX_OFFSET_M)
    }

    /// Returns the distance of a point from the edge along a straight line, metres; negative inside.
    pub fn distance_m(&self, to: Ecef) -> f64 {
        self.center.chord_m(to) - self.radius_m
    }

    /// Returns its centre.
    pub fn center(&self) -> Position {
        self.center.into()
    }

    /// Returns its radius, metres.
    pub fn radius_m(&self) -> f64 {
        self.radius_m
    }

    /// Returns whether a point of the ground is inside.
    pub fn holds(&self, at: Ecef) -> bool {
        let (x, y, z) = (self.center.x_m - at.x_m, self.center.y_m - at.y_m, self.center.z_m - at.z_m);
        x * x + y * y + z * z <= self.radius_m * self.radius_m
    }
}

/// Returns the radius of the standard zone of a place where a drive stops that goes so far from its centre, metres.
pub fn radius_at_stop_m(goes_m: f64) -> f64 {
    (GROWTH * (goes_m - STANDARD_RADIUS_M)).clamp(STANDARD_RADIUS_M, MAX_RADIUS_M)
}

/// Returns the zones that may hide something of a drive: its points, its stops, the places of the account, and the stops at
/// which a place is still to be added. Around these, all is hidden that the zone of such a place could hide.
pub(super) fn zones(points: &[Ecef], stops: &[Position], places: &[Place], unknown: &[Position]) -> Vec<Zone> {
    let Some(first) = points.first() else { return Vec::new() };
    let farthest_m = |from: Ecef| points.iter().map(|point| from.chord_m(*point)).fold(0.0, f64::max);
    // Most of hundreds of places are far from a drive.
    let reach_m = farthest_m(*first) + REACH_M;
    let near: Vec<&Place> = places
        .iter()
        .filter(|place| first.chord_m(place.position.into()) <= reach_m && place.zone().is_some())
        .collect();
    let is_entered = |zone: &Zone| points.iter().any(|point| zone.holds(*point));
    let mut entered: Vec<Zone> = near.iter().map(|place| place.standard_zone()).filter(is_entered).collect();
    entered.extend(unknown.iter().map(|stop| Zone::of_unknown(*stop)));
    let goes_m = |from: Ecef| {
        let far_edges = entered.iter().map(|zone| zone.center.chord_m(from) + zone.radius_m);
        far_edges.fold(farthest_m(from), f64::max)
    };
    let is_stop = |place: &Place| stops.iter().any(|stop| distance_m(place.position, *stop) <= SAME_PLACE_M);
    let radius_m = |place: &Place| match is_stop(place) {
        true => radius_at_stop_m(goes_m(place.standard_zone().center)),
        false => STANDARD_RADIUS_M,
    };
    let of_unknown = |stop: &Position| {
        let radius_m = radius_at_stop_m(goes_m((*stop).into()) + MAX_OFFSET_M);
        Zone::around(*stop, radius_m + MAX_OFFSET_M)
    };
    let of_places = near.iter().filter_map(|place| place.zone_of_radius(radius_m(place)));
    of_places.chain(unknown.iter().map(of_unknown)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geodesy::TangentPlane;
    use crate::id::DocId;
    use crate::privacy::places::{PlaceKind, PlaceSecret, ZoneSize};

    const HERE: Position = Position { lat_deg: 46.5, lon_deg: 10.4 };

    fn place(east_m: f64, number: u8, size: ZoneSize) -> Place {
        Place {
            id: DocId::from_bytes([number; 16]),
            position: TangentPlane::at(HERE).unproject(east_m, 0.0),
            secret: PlaceSecret([number; 16]),
            is_found: true,
            kind: PlaceKind::Stop,
            size,
        }
    }

    /// Points of a way to the east from one place to another.
    fn eastwards(from_m: i32, to_m: i32) -> Vec<Ecef> {
        let plane = TangentPlane::at(HERE);
        (from_m / 10..=to_m / 10).map(|step| plane.unproject(f64::from(step) * 10.0, 0.0).into()).collect()
    }

    fn radii(points: &[Ecef], stops: &[&Place], places: &[Place]) -> Vec<f64> {
        let stops: Vec<Position> = stops.iter().map(|place| place.position).collect();
        zones(points, &stops, places, &[]).iter().map(Zone::radius_m).collect()
    }

    #[test]
    fn the_zone_of_a_stop_grows_with_the_distance_of_the_drive_up_to_a_bound() {
        let radius_m = |to_m: i32| {
            let (home, other) = (place(0.0, 1, ZoneSize::Standard), place(f64::from(to_m), 2, ZoneSize::Standard));
            radii(&eastwards(0, to_m), &[&home, &other], &[home])[0]
        };
        assert_eq!(radius_m(1_500), STANDARD_RADIUS_M);
        assert!(radius_m(4_500) > STANDARD_RADIUS_M && radius_m(4_500) < radius_m(5_500));
        assert_eq!(radius_m(30_000), MAX_RADIUS_M);
        // A round trip goes as far as it gets.
        let home = place(0.0, 1, ZoneSize::Standard);
        let mut there_and_back = eastwards(0, 9_000);
        there_and_back.extend(eastwards(0, 9_000).into_iter().rev());
        assert_eq!(radii(&there_and_back, &[&home], &[home]), [MAX_RADIUS_M]);
    }

    #[test]
    fn the_zone_of_a_place_that_a_drive_only_passes_has_its_usual_radius() {
        let [home, passed, other] = [0.0, 15_000.0, 30_000.0].map(|at_m| place(at_m, 1, ZoneSize::Standard));
        let radii = radii(&eastwards(0, 30_000), &[&home, &other], &[home, passed, other]);
        assert_eq!(radii, [MAX_RADIUS_M, STANDARD_RADIUS_M, MAX_RADIUS_M]);
    }

    #[test]
    fn the_position_inside_a_zone_where_a_drive_ends_decides_nothing() {
        let (home, other) = (place(0.0, 1, ZoneSize::Standard), place(5_000.0, 2, ZoneSize::Standard));
        let center_m = TangentPlane::at(HERE).project_m(other.standard_zone().center()).0;
        let inside = (center_m - 600.0, center_m + 600.0);
        let of_end =
            |to_m: f64| zones(&eastwards(0, to_m as i32), &[home.position, other.position], &[home, other], &[]);
        assert_eq!(of_end(inside.0), of_end(inside.1));
    }

    #[test]
    fn a_place_at_an_unknown_stop_hides_no_more_than_was_hidden_before_it_was_known() {
        for number in 0..200 {
            let other = place(6_000.0, number, ZoneSize::Standard);
            let home = place(0.0, number.wrapping_add(100), ZoneSize::Standard);
            let (points, stops) = (eastwards(0, 6_000), [home.position, other.position]);
            let before = zones(&points, &stops, &[home], &[other.position]);
            for (after, before) in zones(&points, &stops, &[home, other], &[]).iter().zip(before) {
                assert!(after.center.chord_m(before.center) + after.radius_m <= before.radius_m + 1.0, "{number}");
            }
        }
    }

    #[test]
    fn places_that_are_far_from_a_drive_have_no_zone_in_it() {
        let [home, far] = [0.0, 40_000.0].map(|at_m| place(at_m, 1, ZoneSize::Large));
        assert_eq!(zones(&eastwards(0, 9_000), &[home.position], &[home, far], &[]).len(), 1);
        assert_eq!(zones(&[], &[], &[home], &[]), []);
    }
}
