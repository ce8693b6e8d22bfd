//! Finds drives by movement in positions that were recorded all day long, such as a location history or the inbox of an account.

use tourismo_core::fix::Fix;
use tourismo_core::geodesy::{Position, distance_m};

/// A step of at least this speed is movement, metres per second, unless the sensor reports less than [`STANDING_MPS`].
const MOVING_MPS: f64 = 2.5;
const STANDING_MPS: f64 = 1.0;
/// A trip ends after this time without movement, and at a gap of this length, milliseconds.
const STOP_MS: i64 = 600_000;
const GAP_MS: i64 = 1_200_000;
/// A trip is a drive if it has this length, number of positions and speed of a step.
const MIN_M: f64 = 1_000.0;
const MIN_FIXES: usize = 5;
const DRIVING_MPS: f64 = 7.0;
/// Positions with a larger uncertainty come from radio cells, metres.
const MAX_ACCURACY_M: f64 = 100.0;

/// A drive: its fixes from the last one before the first movement to the end of the last movement.
#[derive(Clone, Debug, PartialEq)]
pub struct Trip {
    /// In the order in which they were added. Not empty.
    pub fixes: Vec<Fix>,
    /// The kind of activity with the first movement; may be empty.
    pub kind: String,
    /// The length of all steps with movement, metres.
    pub length_m: f64,
}

/// Finds drives in fixes that are added in the order of time, or all in the reverse order.
#[derive(Clone, Debug, Default)]
pub struct Trips {
    trip: Vec<Fix>,
    /// The number of fixes up to the end of the last movement.
    moved: usize,
    length_m: f64,
    max_mps: f64,
    kind: String,
    before: Option<Fix>,
}

impl Trips {
    /// Adds the next fix, with the kind of activity if it is known. Returns a drive that ended before it. Invalid and very
    /// inaccurate fixes are left out.
    pub fn add(&mut self, fix: Fix, kind: &str) -> Option<Trip> {
        let fix = fix.quantised().ok()?;
        if fix.accuracy_m.is_some_and(|accuracy_m| accuracy_m > MAX_ACCURACY_M) {
            return None;
        }
        let before = self.before.replace(fix)?;
        let ms = fix.fixed_at.millis_since(before.fixed_at).abs();
        let step_m = distance_m(Position::from(&before), Position::from(&fix));
        let mps = step_m * 1000.0 / ms.max(1) as f64;
        if ms > GAP_MS {
            return self.end();
        }
        let stands = fix.speed_mps.is_some_and(|speed_mps| speed_mps < STANDING_MPS);
        let is_moving = ms > 0 && mps >= MOVING_MPS && !stands;
        if self.trip.is_empty() {
            if !is_moving {
                return None;
            }
            self.trip.push(before);
        }
        self.trip.push(fix);
        if is_moving {
            self.moved = self.trip.len();
            self.length_m += step_m;
            self.max_mps = self.max_mps.max(mps);
            if self.kind.is_empty() {
                kind.clone_into(&mut self.kind);
            }
        }
        let last_moved = self.trip.get(self.moved.saturating_sub(1)).copied().unwrap_or(fix);
        let has_stopped = fix.fixed_at.millis_since(last_moved.fixed_at).abs() > STOP_MS;
        if has_stopped { self.end() } else { None }
    }

    /// Ends the present trip, and returns it if it is a drive.
    pub fn end(&mut self) -> Option<Trip> {
        let mut trip = std::mem::take(self);
        self.before = trip.before;
        trip.trip.truncate(trip.moved);
        let is_drive = trip.length_m >= MIN_M && trip.trip.len() >= MIN_FIXES && trip.max_mps >= DRIVING_MPS;
        is_drive.then_some(Trip { fixes: trip.trip, kind: trip.kind, length_m: trip.length_m })
    }

    /// Returns the first fix of the present trip, whether or not it becomes a drive.
    pub fn began(&self) -> Option<&Fix> {
        self.trip.first()
    }
}

#[cfg(test)]
mod tests {
    use tourismo_core::time::Timestamp;

    use super::*;
    use crate::numbers::bare_fix;

    /// A fix at a time in seconds, that many metres to the east.
    fn at(seconds: i64, east_m: f64) -> Fix {
        bare_fix(Timestamp(1_790_000_000_000 + seconds * 1000), 46.5, 10.0 + east_m / 76_700.0)
    }

    /// The first and last seconds of each drive.
    fn drives(fixes: impl IntoIterator<Item = Fix>) -> Vec<(i64, i64)> {
        let (mut trips, mut found) = (Trips::default(), Vec::new());
        fixes.into_iter().for_each(|fix| found.extend(trips.add(fix, "")));
        found.extend(trips.end());
        let seconds = |fix: &Fix| fix.fixed_at.millis_since(Timestamp(1_790_000_000_000)) / 1000;
        found.iter().map(|trip| (seconds(&trip.fixes[0]), seconds(trip.fixes.last().unwrap()))).collect()
    }

    #[test]
    fn a_drive_lasts_from_its_first_movement_to_its_last_one() {
        let stood = (0..60).map(|minute| at(minute * 60, 0.0));
        let driven = (1..=20).map(|step| at(3_600 + step * 30, step as f64 * 400.0));
        let there = (1..60).map(|minute| at(4_200 + minute * 60, 8_000.0));
        assert_eq!(drives(stood.chain(driven).chain(there)), [(3_540, 4_200)]);
    }

    #[test]
    fn a_stop_of_nine_minutes_is_part_of_a_drive_and_one_of_eleven_ends_it() {
        let drive_with = |stop: i64| {
            let driven =
                |from: i64, east_m: f64| (0..=10).map(move |step| at(from + step * 30, east_m + step as f64 * 400.0));
            let stopped = (1..stop).map(|minute| at(300 + minute * 60, 4_000.0));
            drives(driven(0, 0.0).chain(stopped).chain(driven(300 + stop * 60, 4_000.0)))
        };
        assert_eq!(drive_with(9), [(0, 1_140)]);
        assert_eq!(drive_with(11), [(0, 300), (960, 1_260)]);
    }

    #[test]
    fn a_walk_and_the_noise_of_a_stood_receiver_are_no_drives() {
        assert_eq!(drives((0..2_000).map(|second| at(second, second as f64 * 1.4))), []);
        let noise = |second: i64| Fix { speed_mps: Some(0.1), ..at(second, (second % 7) as f64 * 4.0) };
        assert_eq!(drives((0..5_000).map(noise)), []);
    }
}
