//! Decides whether the car moves or stands.
//!
//! The position of a standing car wanders, half a kilometre in an hour. So no way is counted while the car stands. When
//! it leaves, the straight line from the place where it stopped is counted, so that slow movement in a queue is not
//! lost.

use crate::fix::Fix;
use crate::geodesy::{Ecef, Position, distance_m};
use crate::time::Timestamp;

/// Below this speed for three fixes the car stands.
const STANDING_MPS: f64 = 0.5;
const SLOW_FIXES: u8 = 3;
/// Above this Doppler speed for two fixes the car moves. Speeds computed from positions wander, too.
const MOVING_MPS: f64 = 0.9;
const FAST_FIXES: u8 = 2;
/// Within this distance of the running centroid, or within the accuracy of the fix, the car may stand.
const RESTING_RADIUS_M: f64 = 8.0;
/// After this time within the radius the car stands. A car in a traffic jam leaves the circle within that time.
const RESTING_MS: i64 = 10_000;
/// Beyond this distance from the centroid, or beyond the accuracy of the fix, the car moves.
const LEAVING_RADIUS_M: f64 = 15.0;

/// The contribution of one fix to a drive.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Progress {
    pub(super) distance_m: f64,
    pub(super) moving_ms: i64,
}

#[derive(Clone, Debug)]
pub(super) enum Motion {
    Moving {
        /// Consecutive slow fixes.
        slow_fixes: u8,
        /// The centroid of the place where the car may stand.
        rest: Centroid,
    },
    Standing {
        /// The way up to this position is counted.
        stop: Position,
        place: Centroid,
        /// The time of the last fix that looked like standing.
        still_at: Timestamp,
        /// Consecutive fast fixes.
        fast_fixes: u8,
    },
}

impl Motion {
    /// Returns the state at the first fix of a part: standing, until motion is seen.
    pub(super) fn standing_at(fix: &Fix) -> Motion {
        Motion::Standing { stop: Position::from(fix), place: Centroid::of(fix), still_at: fix.fixed_at, fast_fixes: 0 }
    }

    /// Moves from `last` to `fix`, `way_m` apart, at `speed_mps`.
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

/// The mean position of fixes.
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
