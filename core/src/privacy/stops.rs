//! The stops of a drive: its ends, and every stay in between.
//!
//! Each stop is at a place, and the places of an account decide what is hidden of all its drives. A wrong first fix must not
//! take the place of the true start, so both sides of an implausible step near an end are ends, too.

use crate::fix::Fix;
use crate::geodesy::{Ecef, Position, distance_m};
use crate::track::parts::is_plausible_end;

/// The minimum time within [`STAY_M`] that is a stay, milliseconds.
pub const STAY_MS: i64 = 180_000;
/// The maximum distance from the beginning of a stay, metres.
pub const STAY_M: f64 = 150.0;
/// The speed below which a gap of at least [`STAY_MS`] contains a stay, m/s: that of a walker.
const WALKING_MPS: f64 = 1.5;
/// The maximum time between an end and an implausible step whose sides are ends, too, milliseconds.
const NEAR_AN_END_MS: i64 = 60_000;
/// The minimum interval between the fixes at which a stay is searched, milliseconds.
const EXAMINED_EVERY_MS: i64 = 1_000;

/// Returns the stops of a drive: its first and last fix, both sides of implausible steps near them, and stays of at least
/// [`STAY_MS`]. Fixes ascend by time.
pub fn stops(fixes: &[Fix]) -> Vec<Position> {
    let (Some(first), Some(last)) = (fixes.first(), fixes.last()) else { return Vec::new() };
    let is_near_an_end = |fix: &Fix| {
        fix.fixed_at.millis_since(first.fixed_at) <= NEAR_AN_END_MS
            || last.fixed_at.millis_since(fix.fixed_at) <= NEAR_AN_END_MS
    };
    let mut stops = vec![Position::from(first), Position::from(last)];
    for pair in fixes.windows(2) {
        let (before, after) = (&pair[0], &pair[1]);
        let is_jump = || (is_near_an_end(before) || is_near_an_end(after)) && !is_plausible_end(before, after);
        if is_slow_gap(before, after) || is_jump() {
            stops.extend([Position::from(before), Position::from(after)]);
        }
    }
    stops.extend(stays(fixes));
    stops
}

/// Returns whether the car stood somewhere between two fixes that are too far from each other for a stay.
fn is_slow_gap(before: &Fix, after: &Fix) -> bool {
    let gap_ms = after.fixed_at.millis_since(before.fixed_at);
    let slow_m = STAY_M..=WALKING_MPS * gap_ms as f64 / 1000.0;
    gap_ms >= STAY_MS && slow_m.contains(&distance_m(before.into(), after.into()))
}

/// Returns the middle of each stay.
fn stays(fixes: &[Fix]) -> Vec<Position> {
    let places: Vec<Ecef> = fixes.iter().map(|fix| Ecef::from(Position::from(fix))).collect();
    let mut stays = Vec::new();
    let mut from = 0;
    while from < fixes.len() {
        let is_near = |place: &Ecef| places[from].chord_m(*place) <= STAY_M;
        let to = from + places[from..].iter().take_while(|place| is_near(place)).count();
        let stayed_ms = fixes[to - 1].fixed_at.millis_since(fixes[from].fixed_at);
        if stayed_ms >= STAY_MS {
            stays.push(Ecef::middle(&places[from..to]));
            from = to;
        } else {
            let due = fixes[from].fixed_at + EXAMINED_EVERY_MS;
            from += 1 + fixes[from + 1..].iter().take_while(|fix| fix.fixed_at < due).count();
        }
    }
    stays
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{eastward, fix};

    fn east_m(stops: &[Position]) -> Vec<i64> {
        stops.iter().map(|stop| ((stop.lon_deg - 10.0) * 111_319.5).round() as i64).collect()
    }

    #[test]
    fn a_drive_stops_at_its_ends() {
        assert_eq!(east_m(&stops(&eastward(&[(600, 10.0)]))), [0, 6_000]);
        assert_eq!(stops(&[]), []);
        assert_eq!(east_m(&stops(&[fix(0.0, 5.0, 0.0)])), [5, 5]);
    }

    #[test]
    fn three_minutes_at_one_place_are_a_stop_and_a_red_light_is_none() {
        let with_a_stay = |seconds| east_m(&stops(&eastward(&[(300, 10.0), (seconds, 0.0), (300, 10.0)])));
        assert_eq!(with_a_stay(120), [0, 6_000]);
        let [_, _, stay] = with_a_stay(240)[..] else { panic!("it stayed once") };
        assert!((2_850..=3_000).contains(&stay), "{stay}");
    }

    #[test]
    fn a_gap_of_three_minutes_at_one_place_is_a_stop() {
        let mut fixes = eastward(&[(300, 10.0), (240, 0.0), (300, 10.0)]);
        fixes.drain(300..540);
        let [_, _, stay] = east_m(&stops(&fixes))[..] else { panic!("it stayed once") };
        assert!((2_850..=3_150).contains(&stay), "{stay}");
    }

    #[test]
    fn a_recording_that_was_paused_at_home_and_resumed_a_kilometre_later_stopped_on_both_sides() {
        let mut fixes = eastward(&[(300, 10.0), (1_800, 0.0), (300, 10.0)]);
        fixes.drain(301..2_200);
        assert_eq!(east_m(&stops(&fixes)), [0, 6_000, 3_000, 4_000]);
        // A long tunnel is crossed faster.
        let mut fixes = eastward(&[(900, 20.0)]);
        fixes.drain(300..600);
        assert_eq!(east_m(&stops(&fixes)), [0, 18_000]);
    }

    #[test]
    fn a_first_fix_beside_the_place_does_not_hide_the_true_start() {
        for off_m in [500.0, 2_000.0] {
            let mut fixes = eastward(&[(600, 10.0)]);
            fixes[0] = fix(0.0, 0.0, off_m);
            assert_eq!(east_m(&stops(&fixes)), [0, 6_000, 0, 10]);
            let last = fixes.len() - 1;
            fixes[last] = fix(last as f64, 6_000.0, off_m);
            assert_eq!(east_m(&stops(&fixes)), [0, 6_000, 0, 10, 5_990, 6_000]);
        }
    }

    #[test]
    fn a_jump_in_the_middle_of_a_drive_is_no_stop() {
        let mut fixes = eastward(&[(600, 10.0)]);
        fixes[300] = fix(300.0, 3_000.0, 2_000.0);
        assert_eq!(east_m(&stops(&fixes)), [0, 6_000]);
    }

    #[test]
    fn a_dense_track_is_searched_as_quickly_as_another() {
        let dense: Vec<Fix> =
            (0..60_000).map(|index| fix(f64::from(index) / 25.0, f64::from(index) / 2.0, 0.0)).collect();
        assert_eq!(stops(&dense).len(), 2);
    }
}
