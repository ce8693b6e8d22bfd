//! The receiver in the phone, which measures the true state.

use tourismo_core::fix::Fix;
use tourismo_core::time::Timestamp;

use super::road::Truth;
use super::{Kind, Random};

/// A receiver whose error changes slowly, like that of real ones: repeated measurements have the same error.
pub(super) struct Receiver {
    drift_m: f64,
    east: Drift,
    north: Drift,
    up: Drift,
}

impl Receiver {
    pub(super) fn new(kind: Kind, chance: &mut Random) -> Receiver {
        let drift_m = match kind {
            Kind::Mountain => 2.5,
            Kind::Lane => 2.0,
            Kind::Town => 4.0,
            Kind::Motorway => 1.5,
        };
        let mut drift = |deviation_m| Drift { error_m: deviation_m * chance.normal(), deviation_m };
        Receiver { drift_m, east: drift(drift_m), north: drift(drift_m), up: drift(2.0 * drift_m) }
    }

    /// One fix, measured at `at`.
    pub(super) fn measure(&mut self, truth: &Truth, at: Timestamp, chance: &mut Random) -> Fix {
        let east_m = self.east.step(chance) + 0.3 * chance.normal();
        let north_m = self.north.step(chance) + 0.3 * chance.normal();
        let up_m = self.up.step(chance);
        let speed_mps = (truth.speed_mps + 0.08 * chance.normal()).max(0.0);
        let heading_deg = truth.heading_deg + 1.5 * chance.normal();
        let meters_per_degree = 111_195.0;
        let parallel_m = meters_per_degree * libm::cos(truth.lat_deg.to_radians());
        Fix {
            fixed_at: at,
            recorded_at: at + chance.between(30.0, 400.0) as i64,
            lat_deg: truth.lat_deg + north_m / meters_per_degree,
            lon_deg: truth.lon_deg + east_m / parallel_m,
            accuracy_m: Some(self.drift_m * chance.between(1.6, 2.4)),
            altitude_m: Some(truth.altitude_m + up_m),
            altitude_accuracy_m: Some(2.0 * self.drift_m * chance.between(1.5, 2.0)),
            heading_deg: (speed_mps >= 0.5).then(|| heading_deg.rem_euclid(360.0)),
            speed_mps: Some(speed_mps),
        }
    }
}

/// An error with a memory of about a minute (a first-order Gauss–Markov process).
struct Drift {
    error_m: f64,
    deviation_m: f64,
}

impl Drift {
    fn step(&mut self, chance: &mut Random) -> f64 {
        const KEPT: f64 = 59.0 / 60.0;
        self.error_m = KEPT * self.error_m + (1.0 - KEPT * KEPT).sqrt() * self.deviation_m * chance.normal();
        self.error_m
    }
}
