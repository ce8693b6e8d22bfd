//! Instants and spans. Core never reads a clock: every instant is handed in.

use std::fmt;
use std::ops::{Add, Sub};

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

/// An instant of wall-clock time: milliseconds since 1970-01-01T00:00:00Z, without leap seconds.
///
/// In JavaScript a `number`, as `Date.now()` gives it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Encode, Decode)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(type = "number"))]
#[serde(transparent)]
#[cbor(transparent)]
pub struct Timestamp(#[n(0)] pub i64);

impl Timestamp {
    /// Milliseconds since the epoch.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// The time from `earlier` to `self` in milliseconds; negative if `earlier` is later. Never overflows.
    pub const fn millis_since(self, earlier: Timestamp) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The start of the UTC hour that contains this instant: how coarse published times are.
    pub const fn floor_to_hour(self) -> Timestamp {
        Timestamp(self.0.saturating_sub(self.0.rem_euclid(3_600_000)))
    }
}

impl Add<i64> for Timestamp {
    type Output = Timestamp;
    fn add(self, millis: i64) -> Timestamp {
        Timestamp(self.0.saturating_add(millis))
    }
}

impl Sub<i64> for Timestamp {
    type Output = Timestamp;
    fn sub(self, millis: i64) -> Timestamp {
        Timestamp(self.0.saturating_sub(millis))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ms", self.0)
    }
}

/// What the shell's clocks show at the moment of an input.
///
/// Phone clocks jump; deadlines and gaps are measured on the monotonic clock, times that people read on the wall clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct Now {
    /// The wall clock: `Date.now()`.
    pub wall: Timestamp,
    /// Milliseconds of a clock that never goes back, from an arbitrary origin: `performance.timeOrigin + performance.now()`,
    /// which pages and workers share.
    pub monotonic_ms: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_floor_towards_the_past_also_before_1970() {
        assert_eq!(Timestamp(3_600_001).floor_to_hour(), Timestamp(3_600_000));
        assert_eq!(Timestamp(-1).floor_to_hour(), Timestamp(-3_600_000));
        assert_eq!(Timestamp(i64::MIN).floor_to_hour().0, i64::MIN);
    }
}
