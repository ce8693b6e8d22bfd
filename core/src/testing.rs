//! Fixes for tests, in metres and seconds.

use crate::fix::Fix;
use crate::time::Timestamp;

/// 2024-06-01T09:00:00Z, a full hour.
pub(crate) const START: Timestamp = Timestamp(1_717_232_400_000);
/// The length of a degree of latitude at the equator, and of a degree of longitude there.
pub(crate) const DEGREE_NORTH_M: f64 = 110_574.4;
pub(crate) const DEGREE_EAST_M: f64 = 111_319.5;

/// A quantised fix `seconds` after [`START`], at this distance east and north of (0° N, 10° E), with an accuracy of 5 m
/// and no optional values.
pub(crate) fn fix(seconds: f64, east_m: f64, north_m: f64) -> Fix {
    let fixed_at = START + (seconds * 1000.0).round() as i64;
    let fix = Fix {
        fixed_at,
        recorded_at: fixed_at + 200,
        lat_deg: north_m / DEGREE_NORTH_M,
        lon_deg: 10.0 + east_m / DEGREE_EAST_M,
        accuracy_m: Some(5.0),
        altitude_m: None,
        altitude_accuracy_m: None,
        heading_deg: None,
        speed_mps: None,
    };
    fix.quantised().expect("it is a position")
}

/// The same with the receiver's speed.
pub(crate) fn fix_at_speed(seconds: f64, east_m: f64, north_m: f64, speed_mps: f64) -> Fix {
    Fix { speed_mps: Some(speed_mps), ..fix(seconds, east_m, north_m) }
}

/// A drive straight to the east with one fix a second and its speed. Each leg has a number of seconds and a speed in
/// metres per second.
pub(crate) fn eastward(legs: &[(u32, f64)]) -> Vec<Fix> {
    let mut fixes = vec![fix_at_speed(0.0, 0.0, 0.0, legs.first().map_or(0.0, |leg| leg.1))];
    let mut east_m = 0.0;
    for &(seconds, speed_mps) in legs {
        for _ in 0..seconds {
            east_m += speed_mps;
            fixes.push(fix_at_speed(fixes.len() as f64, east_m, 0.0, speed_mps));
        }
    }
    fixes
}
