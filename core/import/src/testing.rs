//! Drives for tests.

use tourismo_core::fix::Fix;
use tourismo_core::time::Timestamp;

/// A drive that goes north-east from a moment on, one fix a second with all values, quantised.
pub(crate) fn drive(start_ms: i64, seconds: i64) -> Vec<Fix> {
    let fix = |second: i64| {
        let fixed_at = Timestamp(start_ms + second * 1000);
        let step = second as f64;
        let fix = Fix {
            fixed_at,
            recorded_at: fixed_at,
            lat_deg: 46.5 + step * 1.3e-4,
            lon_deg: 10.4 + step * 2.1e-4,
            accuracy_m: Some(4.0 + (second % 5) as f64),
            altitude_m: Some(1_800.0 + (second % 100) as f64 * 1.7),
            altitude_accuracy_m: Some(6.0),
            heading_deg: Some((second % 360) as f64),
            speed_mps: Some(18.0 + (second % 7) as f64 * 0.3),
        };
        fix.quantised().expect("it is a position")
    };
    (0..seconds).map(fix).collect()
}
