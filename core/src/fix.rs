//! One measurement of a position sensor, its validation and its quantisation.
//!
//! This module must not depend on drives, tracks or documents.

pub mod packed;

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// One measured position, as the W3C Geolocation API gives it (WGS 84).
///
/// A fix has three times. `fixed_at` is the time of the measurement, which orders a track. `recorded_at` is the time at
/// which the phone recorded the fix. The third, the time of arrival at the relay, is part of the log entry of the
/// change that holds the fix.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub struct Fix {
    /// The time of the measurement.
    pub fixed_at: Timestamp,
    /// The time at which the phone recorded the fix.
    pub recorded_at: Timestamp,
    /// Geodetic latitude, degrees north, -90 to 90.
    pub lat_deg: f64,
    /// Longitude, degrees east, -180 to 180.
    pub lon_deg: f64,
    /// Radius of the horizontal 95 % confidence circle, metres.
    #[serde(default)]
    pub accuracy_m: Option<f64>,
    /// Altitude, metres, above the ellipsoid or above sea level, depending on the phone: only differences are reliable.
    #[serde(default)]
    pub altitude_m: Option<f64>,
    /// 95 % confidence of the altitude, metres.
    #[serde(default)]
    pub altitude_accuracy_m: Option<f64>,
    /// Direction of travel, degrees clockwise from true north, 0 to 360; absent when standing.
    #[serde(default)]
    pub heading_deg: Option<f64>,
    /// Ground speed by the sensor (Doppler), metres per second.
    #[serde(default)]
    pub speed_mps: Option<f64>,
}

/// 2200-01-01T00:00:00Z: no fix is later.
pub(crate) const YEAR_2200: Timestamp = Timestamp(7_258_118_400_000);

/// The reasons for which a fix is not a position. The recorder has further reasons.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidFix {
    /// Latitude or longitude is NaN or infinite.
    #[error("latitude or longitude is not a number")]
    NotFinite,
    /// Latitude outside ±90 or longitude outside ±180 degrees.
    #[error("latitude or longitude is out of range")]
    OutOfRange,
    /// (0, 0), to the micro-degree: broken receivers report it before they have a position.
    #[error("the position is 0, 0")]
    NullIsland,
    /// Measured before 1970 or after the year 2200.
    #[error("the time is not between 1970 and 2200")]
    TimeOutOfRange,
}

impl Fix {
    /// Checks that the fix is a position, and rounds every value to the precision of a track. So values computed while
    /// recording equal, bit for bit, those computed from the stored track.
    ///
    /// Precision: times 1 ms, latitude and longitude 1e-6 degree (0.11 m), altitude 0.1 m, speed 0.1 m/s, both
    /// accuracies 1 m, heading 1 degree (360 becomes 0). Optional values that are not finite or out of range become
    /// absent (altitude beyond ±20 km, speed outside 0 to 1,000 m/s, accuracies outside 0 to 1,000 km, heading outside
    /// 0 to 360): sensors report NaN for unknown values.
    ///
    /// # Errors
    /// [`InvalidFix`] if latitude, longitude or time is invalid.
    pub fn quantised(&self) -> Result<Fix, InvalidFix> {
        if !(self.lat_deg.is_finite() && self.lon_deg.is_finite()) {
            return Err(InvalidFix::NotFinite);
        }
        if self.lat_deg.abs() > 90.0 || self.lon_deg.abs() > 180.0 {
            return Err(InvalidFix::OutOfRange);
        }
        let (lat_deg, lon_deg) = (round_to(self.lat_deg, 1e6), round_to(self.lon_deg, 1e6));
        if lat_deg == 0.0 && lon_deg == 0.0 {
            return Err(InvalidFix::NullIsland);
        }
        for time in [self.fixed_at, self.recorded_at] {
            if time < Timestamp(0) || time > YEAR_2200 {
                return Err(InvalidFix::TimeOutOfRange);
            }
        }
        Ok(Fix {
            fixed_at: self.fixed_at,
            recorded_at: self.recorded_at,
            lat_deg,
            lon_deg,
            accuracy_m: rounded(self.accuracy_m, 1.0, 0.0, 1e6),
            altitude_m: rounded(self.altitude_m, 10.0, -20_000.0, 20_000.0),
            altitude_accuracy_m: rounded(self.altitude_accuracy_m, 1.0, 0.0, 1e6),
            heading_deg: rounded(self.heading_deg, 1.0, 0.0, 360.0).map(|deg| if deg == 360.0 { 0.0 } else { deg }),
            speed_mps: rounded(self.speed_mps, 10.0, 0.0, 1_000.0),
        })
    }
}

/// Returns the nearest multiple of `1 / per_unit`. Division by a whole number gives the same bits as decoding.
fn round_to(value: f64, per_unit: f64) -> f64 {
    // Adding zero turns -0.0 into 0.0; integers have no negative zero.
    (value * per_unit).round() / per_unit + 0.0
}

fn rounded(value: Option<f64>, per_unit: f64, min: f64, max: f64) -> Option<f64> {
    value.filter(|v| v.is_finite() && (min..=max).contains(v)).map(|v| round_to(v, per_unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fix() -> Fix {
        Fix {
            fixed_at: Timestamp(1_700_000_000_123),
            recorded_at: Timestamp(1_700_000_000_456),
            lat_deg: 46.528_611_49,
            lon_deg: -10.454_321_51,
            accuracy_m: Some(4.6),
            altitude_m: Some(2757.26),
            altitude_accuracy_m: None,
            heading_deg: Some(359.6),
            speed_mps: Some(f64::NAN),
        }
    }

    #[test]
    fn values_are_rounded_to_what_a_track_keeps_and_stay_there() {
        let once = fix().quantised().unwrap();
        assert_eq!((once.lat_deg, once.lon_deg), (46.528_611, -10.454_322));
        assert_eq!((once.accuracy_m, once.altitude_m), (Some(5.0), Some(2757.3)));
        assert_eq!((once.heading_deg, once.speed_mps, once.altitude_accuracy_m), (Some(0.0), None, None));
        assert_eq!(once.quantised().unwrap(), once);
    }

    #[test]
    fn what_is_no_position_is_refused_with_its_reason() {
        let refusal = |change: fn(&mut Fix)| {
            let mut fix = fix();
            change(&mut fix);
            fix.quantised().unwrap_err()
        };
        assert_eq!(refusal(|f| f.lat_deg = f64::NAN), InvalidFix::NotFinite);
        assert_eq!(refusal(|f| f.lon_deg = f64::INFINITY), InvalidFix::NotFinite);
        assert_eq!(refusal(|f| f.lat_deg = 90.000_001), InvalidFix::OutOfRange);
        assert_eq!(refusal(|f| f.lon_deg = -180.5), InvalidFix::OutOfRange);
        assert_eq!(refusal(|f| (f.lat_deg, f.lon_deg) = (0.0, -0.0)), InvalidFix::NullIsland);
        assert_eq!(refusal(|f| (f.lat_deg, f.lon_deg) = (4e-7, -4e-7)), InvalidFix::NullIsland);
        assert_eq!(refusal(|f| f.fixed_at = Timestamp(-1)), InvalidFix::TimeOutOfRange);
        assert_eq!(refusal(|f| f.recorded_at = Timestamp(i64::MAX)), InvalidFix::TimeOutOfRange);
    }
}
