//! Predicts the next position of a track in two ways: by repeating the last displacement, and by speed and heading
//! (dead reckoning). It uses the one with the smaller recent error, or their mean.
//!
//! All arithmetic uses integers and cannot overflow: rows that enter the state have passed their check.

use super::predictor_v1::{LONGITUDE_SPAN_UDEG, wrapped};
use super::quantised_fix::QuantisedFix;

/// Longer intervals do not improve the prediction.
const MAX_INTERVAL_MS: i64 = 1 << 20;
/// Added to both speeds of a ratio: near standstill the ratio of two speeds is mostly rounding.
const SPEED_FLOOR_DMPS: i64 = 10;
/// Errors have this number of binary places, and change by 1 / 2^this towards a new one.
const ERROR_PLACES: u32 = 4;
/// The maximum counted error.
const MAX_ERROR_UDEG: i64 = 1 << 16;

/// A displacement in micro-degrees, north and east.
type Displacement = (i64, i64);

/// The last position, and the recent errors of each prediction.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reckoning {
    pub(super) lat_udeg: i64,
    pub(super) lon_udeg: i64,
    step: Displacement,
    /// The last interval.
    interval_ms: i64,
    /// The last known speed; 0 if none is known.
    speed_dmps: i64,
    /// Speed and heading of the last row, if it had both.
    velocity: Option<(i64, i64)>,
    /// The running errors of the repeated displacement, of dead reckoning and of their mean.
    errors: [i64; 3],
}

/// The predicted displacements; dead reckoning and the mean exist only with speed and heading.
pub(super) struct Expected {
    ways: [Displacement; 3],
    has_velocity: bool,
    best: usize,
}

impl Expected {
    pub(super) fn way(&self) -> Displacement {
        self.ways[self.best]
    }
}

impl Reckoning {
    /// Returns the state at a row.
    pub(super) fn at(row: &QuantisedFix) -> Reckoning {
        Reckoning {
            lat_udeg: row.lat_udeg,
            lon_udeg: row.lon_udeg,
            step: (0, 0),
            interval_ms: 1000,
            speed_dmps: row.speed_dmps.unwrap_or(0),
            velocity: row.speed_dmps.zip(row.heading_deg),
            errors: [0; 3],
        }
    }

    /// Returns the predictions after an interval, for a row with this speed and heading.
    pub(super) fn expect(&self, interval_ms: i64, speed_dmps: Option<i64>, heading_deg: Option<i64>) -> Expected {
        let speed = speed_dmps.unwrap_or(self.speed_dmps);
        let again = (self.scaled(self.step.0, interval_ms, speed), self.scaled(self.step.1, interval_ms, speed));
        let Some(velocity) = speed_dmps.zip(heading_deg) else {
            return Expected { ways: [again; 3], has_velocity: false, best: 0 };
        };
        let reckoned = self.reckoned(interval_ms, velocity);
        let mean = (again.0 + (reckoned.0 - again.0) / 2, again.1 + (reckoned.1 - again.1) / 2);
        let [of_again, of_reckoned, of_mean] = self.errors;
        let best = if of_again <= of_mean && of_again <= of_reckoned {
            0
        } else if of_reckoned < of_mean {
            1
        } else {
            2
        };
        Expected { ways: [again, reckoned, mean], has_velocity: true, best }
    }

    /// Moves to the next row.
    pub(super) fn step_to(&mut self, row: &QuantisedFix, interval_ms: i64, expected: &Expected) {
        let step = (row.lat_udeg - self.lat_udeg, wrapped(row.lon_udeg - self.lon_udeg, LONGITUDE_SPAN_UDEG));
        if expected.has_velocity {
            for (error, way) in self.errors.iter_mut().zip(expected.ways) {
                let now = ((step.0 - way.0).abs() + (step.1 - way.1).abs()).min(MAX_ERROR_UDEG);
                *error += now - (*error >> ERROR_PLACES);
            }
        }
        *self = Reckoning {
            lat_udeg: row.lat_udeg,
            lon_udeg: row.lon_udeg,
            step,
            interval_ms,
            speed_dmps: row.speed_dmps.unwrap_or(self.speed_dmps),
            velocity: row.speed_dmps.zip(row.heading_deg),
            errors: self.errors,
        };
    }

    /// Returns the displacement over `interval_ms` at `speed_dmps` that corresponds to a last displacement of
    /// `step_udeg`. The largest product is 2^29 micro-degrees times 2^20 ms times 2^14 dm/s.
    fn scaled(&self, step_udeg: i64, interval_ms: i64, speed_dmps: i64) -> i64 {
        let way = interval_ms.clamp(0, MAX_INTERVAL_MS) * (speed_dmps + SPEED_FLOOR_DMPS);
        let last_way = self.interval_ms.clamp(1, MAX_INTERVAL_MS) * (self.speed_dmps + SPEED_FLOOR_DMPS);
        if way == last_way {
            return step_udeg;
        }
        (step_udeg * way + last_way / 2).div_euclid(last_way)
    }

    /// Returns the displacement at the mean of the last velocity and this one. The largest product is 2^14 dm/s times
    /// 2^20 ms times twice 2^14.
    fn reckoned(&self, interval_ms: i64, velocity: (i64, i64)) -> Displacement {
        let (last, this) = (vector(self.velocity.unwrap_or(velocity)), vector(velocity));
        let interval_ms = interval_ms.clamp(0, MAX_INTERVAL_MS);
        let udeg = |sum: i64, per: i64| sum * interval_ms / per;
        // Near a pole dead reckoning is inaccurate.
        let parallel = cos_deg(self.lat_udeg / 1_000_000).max(1 << (UNIT_PLACES - 7));
        let north = udeg(last.0 + this.0, TWICE_DMPS_MS_PER_UDEG << UNIT_PLACES);
        (north, udeg(last.1 + this.1, TWICE_DMPS_MS_PER_UDEG * parallel))
    }
}

/// A micro-degree of a meridian is 0.111195 m: 1,111.95 times 0.1 m/s times 1 ms; of the sum of two velocities twice that.
const TWICE_DMPS_MS_PER_UDEG: i64 = 2_224;
/// The number of binary places of sines.
const UNIT_PLACES: u32 = 14;

/// Returns a velocity of 0.1 m/s and degrees as 2^14 times north and east.
fn vector((speed_dmps, heading_deg): (i64, i64)) -> Displacement {
    (speed_dmps * cos_deg(heading_deg), speed_dmps * cos_deg(heading_deg - 90))
}

/// Returns 2^14 times the cosine of whole degrees.
fn cos_deg(degrees: i64) -> i64 {
    let turned = degrees.rem_euclid(360);
    let folded = if turned > 180 { 360 - turned } else { turned };
    if folded <= 90 { i64::from(COSINES[folded as usize]) } else { -i64::from(COSINES[180 - folded as usize]) }
}

/// 2^14 times the cosines of 0 to 90 degrees.
const COSINES: [u16; 91] = [
    16_384, 16_382, 16_374, 16_362, 16_344, 16_322, 16_294, 16_262, 16_225, 16_182, 16_135, 16_083, 16_026, 15_964,
    15_897, 15_826, 15_749, 15_668, 15_582, 15_491, 15_396, 15_296, 15_191, 15_082, 14_968, 14_849, 14_726, 14_598,
    14_466, 14_330, 14_189, 14_044, 13_894, 13_741, 13_583, 13_421, 13_255, 13_085, 12_911, 12_733, 12_551, 12_365,
    12_176, 11_982, 11_786, 11_585, 11_381, 11_174, 10_963, 10_749, 10_531, 10_311, 10_087, 9860, 9630, 9397, 9162,
    8923, 8682, 8438, 8192, 7943, 7692, 7438, 7182, 6924, 6664, 6402, 6138, 5872, 5604, 5334, 5063, 4790, 4516, 4240,
    3964, 3686, 3406, 3126, 2845, 2563, 2280, 1997, 1713, 1428, 1143, 857, 572, 286, 0,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cosines_are_those_of_whole_degrees() {
        for degrees in -360..=720 {
            let exact = libm::cos(f64::from(degrees).to_radians()) * 16_384.0;
            assert!((cos_deg(i64::from(degrees)) as f64 - exact).abs() <= 0.51, "{degrees}");
        }
    }

    #[test]
    fn speed_and_heading_lead_to_where_a_car_is_a_second_later() {
        let row = QuantisedFix {
            lat_udeg: 60_000_000,
            speed_dmps: Some(200),
            heading_deg: Some(30),
            ..QuantisedFix::default()
        };
        let reckoning = Reckoning::at(&row);
        let (north, east) = reckoning.reckoned(1000, (200, 30));
        // 20 m: 17.3 m north and 10 m east, where a degree of longitude is half as long.
        assert!((north - 156).abs() <= 1 && (east - 180).abs() <= 1, "{north} {east}");
    }
}
