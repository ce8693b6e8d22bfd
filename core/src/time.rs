//! Times and time spans. The core never reads a clock: every time is an argument.

use std::fmt;
use std::ops::{Add, Sub};

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

/// A wall-clock time: milliseconds since 1970-01-01T00:00:00Z, without leap seconds.
///
/// In JavaScript a `number`, as returned by `Date.now()`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Encode, Decode)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(type = "number"))]
#[serde(transparent)]
#[cbor(transparent)]
pub struct Timestamp(#[n(0)] pub i64);

impl Timestamp {
    /// Returns the milliseconds since the epoch.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Returns the time from `earlier` to `self` in milliseconds; negative if `earlier` is later. Never overflows.
    pub const fn millis_since(self, earlier: Timestamp) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Returns the year and the month, 1 to 12, of this time in UTC, by the Gregorian calendar.
    ///
    /// Source: `civil_from_days` in Howard Hinnant's "chrono-Compatible Low-Level Date Algorithms".
    pub const fn year_and_month(self) -> (i64, u8) {
        const DAY_MS: i64 = 24 * 3_600_000;
        const DAYS_OF_400_YEARS: i64 = 146_097;
        // Days since 1 March of the year 0, so that a leap day is the last day of a year.
        let days = self.0.div_euclid(DAY_MS) + 719_468;
        let day = days.rem_euclid(DAYS_OF_400_YEARS);
        let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
        let day_of_year = day - (365 * year + year / 4 - year / 100);
        let months = (5 * day_of_year + 2) / 153;
        let month = if months < 10 { months + 3 } else { months - 9 };
        let year = year + days.div_euclid(DAYS_OF_400_YEARS) * 400 + if month <= 2 { 1 } else { 0 };
        (year, month as u8)
    }

    /// Returns the start of the UTC hour that contains this time: the precision of published times.
    pub const fn floor_to_hour(self) -> Timestamp {
        Timestamp(self.0.saturating_sub(self.0.rem_euclid(3_600_000)))
    }
}

/// The difference of local time from UTC, minutes, from −18 h to +18 h as in ISO 8601 and Java. In JavaScript
/// `-date.getTimezoneOffset()`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(type = "number"))]
#[serde(transparent)]
#[cbor(transparent)]
pub struct UtcOffset(#[n(0)] i16);

impl UtcOffset {
    /// The maximum offset in either direction.
    const MAX_MINUTES: i64 = 18 * 60;

    /// Returns the offset of this number of minutes, if it is in range.
    pub fn from_minutes(minutes: i64) -> Option<UtcOffset> {
        let within = (-UtcOffset::MAX_MINUTES..=UtcOffset::MAX_MINUTES).contains(&minutes);
        i16::try_from(minutes).ok().filter(|_| within).map(UtcOffset)
    }

    /// Returns the offset in minutes.
    pub const fn as_minutes(self) -> i64 {
        self.0 as i64
    }

    /// Returns the local time at `at`, as the time at which a clock in UTC shows the same.
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

/// The readings of the shell's clocks at the time of an input.
///
/// Phone clocks jump: deadlines and gaps use the monotonic clock, and times shown to users use the wall clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct Now {
    /// The wall clock: `Date.now()`.
    pub wall: Timestamp,
    /// The monotonic clock, milliseconds from an arbitrary origin: `performance.timeOrigin + performance.now()`, which
    /// pages and workers share.
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
    fn months_are_those_of_the_calendar() {
        const DAY_MS: i64 = 24 * 3_600_000;
        let mut day = Timestamp(0);
        for year in 1970..=2400 {
            let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let days = [31, if is_leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
            for (month, days) in (1..).zip(days) {
                assert_eq!(day.year_and_month(), (year, month));
                day = day + days * DAY_MS;
                assert_eq!((day - 1).year_and_month(), (year, month));
            }
        }
        assert_eq!(Timestamp(-1).year_and_month(), (1969, 12));
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
