//! A fix as integers: the row that a block stores.
//!
//! This module defines units and ranges of a quantised [`Fix`], and must not depend on the coding of rows.

use crate::fix::{Fix, YEAR_2200};
use crate::time::Timestamp;

use super::block::{BlockError, Field};

/// One fix in the units of its quantisation, without `recorded_at`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct QuantisedFix {
    pub(super) fixed_at_ms: i64,
    /// 1e-6 degree.
    pub(super) lat_udeg: i64,
    /// 1e-6 degree.
    pub(super) lon_udeg: i64,
    /// 0.1 m/s.
    pub(super) speed_dmps: Option<i64>,
    pub(super) heading_deg: Option<i64>,
    /// 0.1 m.
    pub(super) altitude_dm: Option<i64>,
    pub(super) accuracy_m: Option<i64>,
    pub(super) altitude_accuracy_m: Option<i64>,
}

impl QuantisedFix {
    /// Returns the row of a quantised fix.
    pub(super) fn from_fix(fix: &Fix) -> QuantisedFix {
        let whole = |value: Option<f64>, per_unit: f64| value.map(|value| (value * per_unit).round() as i64);
        QuantisedFix {
            fixed_at_ms: fix.fixed_at.as_millis(),
            lat_udeg: (fix.lat_deg * 1e6).round() as i64,
            lon_udeg: (fix.lon_deg * 1e6).round() as i64,
            speed_dmps: whole(fix.speed_mps, 10.0),
            heading_deg: whole(fix.heading_deg, 1.0),
            altitude_dm: whole(fix.altitude_m, 10.0),
            accuracy_m: whole(fix.accuracy_m, 1.0),
            altitude_accuracy_m: whole(fix.altitude_accuracy_m, 1.0),
        }
    }

    /// Returns the quantised fix of this row, bit for bit the input of [`QuantisedFix::from_fix`].
    pub(super) fn to_fix(self, recorded_at: Timestamp) -> Fix {
        let real = |value: Option<i64>, per_unit: f64| value.map(|value| value as f64 / per_unit);
        Fix {
            fixed_at: Timestamp(self.fixed_at_ms),
            recorded_at,
            lat_deg: self.lat_udeg as f64 / 1e6,
            lon_deg: self.lon_udeg as f64 / 1e6,
            accuracy_m: real(self.accuracy_m, 1.0),
            altitude_m: real(self.altitude_dm, 10.0),
            altitude_accuracy_m: real(self.altitude_accuracy_m, 1.0),
            heading_deg: real(self.heading_deg, 1.0),
            speed_mps: real(self.speed_dmps, 10.0),
        }
    }

    /// Returns the values that may be absent, in the order of the presence bits of the side stream.
    pub(super) fn optional_values(&self) -> [Option<i64>; 5] {
        let QuantisedFix { speed_dmps, heading_deg, altitude_dm, accuracy_m, altitude_accuracy_m, .. } = *self;
        [speed_dmps, heading_deg, altitude_dm, accuracy_m, altitude_accuracy_m]
    }

    /// Like [`QuantisedFix::optional_values`], for writing.
    pub(super) fn optional_values_mut(&mut self) -> [&mut Option<i64>; 5] {
        let QuantisedFix { speed_dmps, heading_deg, altitude_dm, accuracy_m, altitude_accuracy_m, .. } = self;
        [speed_dmps, heading_deg, altitude_dm, accuracy_m, altitude_accuracy_m]
    }

    /// Checks that a quantised fix can have these values.
    ///
    /// # Errors
    /// [`BlockError::OutOfRange`] with the first invalid field.
    pub(super) fn check(&self) -> Result<(), BlockError> {
        let fits = |value: Option<i64>, (min, max): (i64, i64)| value.is_none_or(|value| (min..=max).contains(&value));
        let is_null_island = (self.lat_udeg, self.lon_udeg) == (0, 0);
        let field = if !is_storable_time(self.fixed_at_ms) {
            Field::Time
        } else if !fits(Some(self.lat_udeg), ranges::LATITUDE_UDEG) {
            Field::Latitude
        } else if !fits(Some(self.lon_udeg), ranges::LONGITUDE_UDEG) || is_null_island {
            Field::Longitude
        } else if !fits(self.speed_dmps, ranges::SPEED_DMPS) {
            Field::Speed
        } else if !fits(self.heading_deg, ranges::HEADING_DEG) {
            Field::Heading
        } else if !fits(self.altitude_dm, ranges::ALTITUDE_DM) {
            Field::Altitude
        } else if !fits(self.accuracy_m, ranges::ACCURACY_M) {
            Field::Accuracy
        } else if !fits(self.altitude_accuracy_m, ranges::ACCURACY_M) {
            Field::AltitudeAccuracy
        } else {
            return Ok(());
        };
        Err(BlockError::OutOfRange { field })
    }
}

/// The ranges of the values of quantised fixes, inclusive.
pub(super) mod ranges {
    pub(in crate::track) const LATITUDE_UDEG: (i64, i64) = (-90_000_000, 90_000_000);
    pub(in crate::track) const LONGITUDE_UDEG: (i64, i64) = (-180_000_000, 180_000_000);
    pub(in crate::track) const SPEED_DMPS: (i64, i64) = (0, 10_000);
    pub(in crate::track) const HEADING_DEG: (i64, i64) = (0, 359);
    pub(in crate::track) const ALTITUDE_DM: (i64, i64) = (-200_000, 200_000);
    pub(in crate::track) const ACCURACY_M: (i64, i64) = (0, 1_000_000);
}

/// Returns whether a fix can have this time: 1970 to 2200.
pub(super) fn is_storable_time(millis: i64) -> bool {
    (0..=YEAR_2200.as_millis()).contains(&millis)
}
