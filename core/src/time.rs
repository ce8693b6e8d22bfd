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

/// How far the clocks of a place are ahead of UTC at a moment, in minutes, −18 h to +18 h as ISO 8601 and Java have it. In
/// JavaScript `-date.getTimezoneOffset()`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(type = "number"))]
#[serde(transparent)]
#[cbor(transparent)]
pub struct UtcOffset(#[n(0)] i16);

impl UtcOffset {
    /// The largest offset, either way.
    const MAX_MINUTES: i64 = 18 * 60;

    /// The offset of so many minutes, if it is one.
    pub fn from_minutes(minutes: i64) -> Option<UtcOffset> {
        let within = (-UtcOffset::MAX_MINUTES..=UtcOffset::MAX_MINUTES).contains(&minutes);
        i16::try_from(minutes).ok().filter(|_| within).map(UtcOffset)
    }

    /// In minutes.
    pub const fn as_minutes(self) -> i64 {
        self.0 as i64
    }

    /// What a clock of the place shows at an instant, as the instant at which a clock in UTC shows the same.
    pub const fn local(self, at: Timestamp) -> Timestamp {
        Timestamp(at.0.saturating_add(self.as_minutes() * 60_000))
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

    #[test]
    fn an_offset_has_at_most_eighteen_hours() {
        for (minutes, expected) in [(330, true), (1_080, true), (1_081, false), (-1_080, true), (i64::MIN, false)] {
            assert_eq!(UtcOffset::from_minutes(minutes).is_some(), expected, "{minutes}");
        }
        let local = UtcOffset::from_minutes(-90).unwrap().local(Timestamp(0));
        assert_eq!(local, Timestamp(-5_400_000));
    }
}
