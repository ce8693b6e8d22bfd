//! Whether the car moves or stands.
//!
//! A standing car's receiver wanders about, half a kilometre in an hour. While the car stands, no way is counted; when it
//! leaves, the straight line from where it stopped is, so that creeping forward in a queue is not lost.

use crate::fix::Fix;
use crate::geodesy::{Ecef, Position, distance_m};
use crate::time::Timestamp;

/// Slower than this for three fixes: it stands.
const STANDING_MPS: f64 = 0.5;
const SLOW_FIXES: u8 = 3;
/// Faster than this for two fixes by the receiver's Doppler: it moves. Speeds from positions wander, too.
const MOVING_MPS: f64 = 0.9;
const FAST_FIXES: u8 = 2;
/// Around the running centroid, or as far as the fix is accurate: it may stand.
const RESTING_RADIUS_M: f64 = 8.0;
/// So long within the radius: it stands. In less a car in a jam would not leave the circle either.
const RESTING_MS: i64 = 10_000;
/// So far from the centroid, or as far as the fix is accurate: it moves.
const LEAVING_RADIUS_M: f64 = 15.0;

/// What one fix adds to a drive.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Progress {
    pub(super) distance_m: f64,
    pub(super) moving_ms: i64,
}

#[derive(Clone, Debug)]
pub(super) enum Motion {
    Moving {
        /// Slow fixes in a row.
        slow_fixes: u8,
        /// Where it may be about to stand.
        rest: Centroid,
    },
    Standing {
        /// Up to here everything is counted.
        stop: Position,
        place: Centroid,
        /// The last fix that looked like standing.
        still_at: Timestamp,
        /// Fast fixes in a row.
        fast_fixes: u8,
    },
}

impl Motion {
    /// At the first fix of a part: nothing is known of any motion yet.
    pub(super) fn standing_at(fix: &Fix) -> Motion {
        Motion::Standing { stop: Position::from(fix), place: Centroid::of(fix), still_at: fix.fixed_at, fast_fixes: 0 }
    }

    /// From `last` to `fix`, `way_m` apart, at `speed_mps`.
    pub(super) fn step(&mut self, last: &Fix, fix: &Fix, way_m: f64, speed_mps: Option<f64>) -> Progress {
        let accuracy_m = fix.accuracy_m.unwrap_or(0.0);
        let is_fast = fix.speed_mps.is_some_and(|mps| mps > MOVING_MPS);
        let resting_radius_m = RESTING_RADIUS_M.max(accuracy_m);
        match self {
            Motion::Moving { slow_fixes, rest } => {
                let is_slow = speed_mps.is_some_and(|mps| mps < STANDING_MPS);
                *slow_fixes = if is_slow { *slow_fixes + 1 } else { 0 };
                if is_fast || rest.offset_m(fix) > resting_radius_m {
                    *rest = Centroid::of(fix);
                } else {
                    rest.add(fix);
                }
                if *slow_fixes >= SLOW_FIXES || fix.fixed_at.millis_since(rest.since) >= RESTING_MS {
                    *self = Motion::standing_at(fix);
                }
                Progress { distance_m: way_m, moving_ms: fix.fixed_at.millis_since(last.fixed_at) }
            }
            Motion::Standing { stop, place, still_at, fast_fixes } => {
                *fast_fixes = if is_fast { *fast_fixes + 1 } else { 0 };
                let offset_m = place.offset_m(fix);
                if *fast_fixes >= FAST_FIXES || offset_m > LEAVING_RADIUS_M.max(accuracy_m) {
                    let progress = Progress {
                        distance_m: distance_m(*stop, Position::from(fix)),
                        moving_ms: fix.fixed_at.millis_since(*still_at),
                    };
                    *self = Motion::Moving { slow_fixes: 0, rest: Centroid::of(fix) };
                    return progress;
                }
                if !is_fast && offset_m <= resting_radius_m {
                    place.add(fix);
                    *still_at = fix.fixed_at;
                }
                Progress::default()
            }
        }
    }
}

/// The mean place of some fixes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Centroid {
    place: Ecef,
    fixes: f64,
    since: Timestamp,
}

impl Centroid {
    fn of(fix: &Fix) -> Centroid {
        Centroid { place: Ecef::from(Position::from(fix)), fixes: 1.0, since: fix.fixed_at }
    }

    fn add(&mut self, fix: &Fix) {
        let there = Ecef::from(Position::from(fix));
        self.fixes += 1.0;
        self.place.x_m += (there.x_m - self.place.x_m) / self.fixes;
        self.place.y_m += (there.y_m - self.place.y_m) / self.fixes;
        self.place.z_m += (there.z_m - self.place.z_m) / self.fixes;
    }

    fn offset_m(&self, fix: &Fix) -> f64 {
        self.place.chord_m(Ecef::from(Position::from(fix)))
    }
}
