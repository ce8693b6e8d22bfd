//! Numbers and times as programs write them.

use tourismo_core::fix::Fix;
use tourismo_core::time::Timestamp;

/// Reads a finite number.
pub(crate) fn number_of(text: &str) -> Option<f64> {
    text.trim().parse().ok().filter(|number: &f64| number.is_finite())
}

/// Reads a time in ISO 8601; without a zone it is UTC, as GPX prescribes. Also accepts forms that programs write: a space for
/// the `T`, a comma before fractions, and zones without a colon.
pub(crate) fn time_of(text: &str) -> Option<Timestamp> {
    let (date, time) = text.trim().split_once(['T', 't', ' '])?;
    let zone_at = time.find(['Z', 'z', '+', '-']).unwrap_or(time.len());
    let (time, zone) = time.split_at(zone_at);
    let mut days = date.split('-').map(digits);
    let (year, month, day) = (days.next()??, days.next()??, days.next()??);
    let (whole, fraction) = time.split_once(['.', ',']).unwrap_or((time, ""));
    let mut parts = whole.split(':').map(digits);
    let (hours, minutes, seconds) = (parts.next()??, parts.next()??, parts.next()??);
    // 60 is a leap second.
    if days.next().is_some() || parts.next().is_some() || hours > 23 || minutes > 59 || seconds > 60 {
        return None;
    }
    let millis = match fraction {
        "" => 0,
        fraction if fraction.is_ascii() => digits(&format!("{fraction:0<3}")[..3])?,
        _ => return None,
    };
    let time_ms = ((hours * 60 + minutes) * 60 + seconds) * 1000 + millis;
    Some(Timestamp(days_since_1970(year, month, day)? * DAY_MS + time_ms - zone_ms(zone)?))
}

const DAY_MS: i64 = 86_400_000;

/// Reads one to nine digits.
fn digits(text: &str) -> Option<i64> {
    let is_number = (1..=9).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}

/// Returns the offset of a zone ahead of UTC, milliseconds: `Z`, `+02:00`, `+0200`, `+02`, or nothing.
fn zone_ms(zone: &str) -> Option<i64> {
    let Some(ahead) = zone.strip_prefix(['+', '-']) else { return matches!(zone, "" | "Z" | "z").then_some(0) };
    let (hours, minutes) = match ahead.split_once(':') {
        Some((hours, minutes)) => (digits(hours)?, digits(minutes)?),
        None if ahead.len() == 4 => (digits(ahead)? / 100, digits(ahead)? % 100),
        None => (digits(ahead)?, 0),
    };
    let ahead_ms = (hours * 60 + minutes) * 60_000;
    (hours < 24 && minutes < 60).then_some(if zone.starts_with('-') { -ahead_ms } else { ahead_ms })
}

/// Returns a time as ISO 8601 in UTC, with milliseconds unless they are zero.
pub(crate) fn iso(at: Timestamp) -> String {
    let (days, of_day_ms) = (at.as_millis().div_euclid(DAY_MS), at.as_millis().rem_euclid(DAY_MS));
    // Howard Hinnant's `civil_from_days`.
    let shifted = days + 719_468;
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (seconds, millis) = (of_day_ms / 1000, of_day_ms % 1000);
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let fraction = if millis == 0 { String::new() } else { format!(".{millis:03}") };
    format!("{year:04}-{month:02}-{day:02}T{hours:02}:{minutes:02}:{seconds:02}{fraction}Z")
}

/// Reads seconds or milliseconds since 1970, by the size of the number: both are of the years 1973 to 2286.
pub(crate) fn unix_time(number: f64) -> Option<Timestamp> {
    let millis = if (1e8..1e11).contains(&number) { number * 1000.0 } else { number };
    // A number that means something else, such as seconds since the start.
    (1e11..1e13).contains(&millis).then_some(Timestamp(millis.round() as i64))
}

/// Returns the days since 1970 of a day of the Gregorian calendar in the years 0 to 9999 (Howard Hinnant's `days_from_civil`).
pub(crate) fn days_since_1970(year: i64, month: i64, day: i64) -> Option<i64> {
    if !((1..=12).contains(&month) && (1..=31).contains(&day) && (0..=9_999).contains(&year)) {
        return None;
    }
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    Some(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468)
}

/// Reads `hhmmss`, with or without fractions, as milliseconds since midnight.
pub(crate) fn time_of_day(text: &str) -> Option<i64> {
    let number = number_of(text).filter(|number| (0.0..240_000.0).contains(number))?;
    let whole = number.trunc() as i64;
    let (hours, minutes, seconds) = (whole / 10_000, whole / 100 % 100, whole % 100);
    let millis = (number.fract() * 1000.0).round() as i64;
    (minutes < 60 && seconds < 61).then_some(((hours * 60 + minutes) * 60 + seconds) * 1000 + millis)
}

/// Returns a fix that has only a position and a time.
pub(crate) fn bare_fix(fixed_at: Timestamp, lat_deg: f64, lon_deg: f64) -> Fix {
    Fix {
        fixed_at,
        recorded_at: fixed_at,
        lat_deg,
        lon_deg,
        accuracy_m: None,
        altitude_m: None,
        altitude_accuracy_m: None,
        heading_deg: None,
        speed_mps: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_programs_write_them() {
        for (text, millis) in [
            ("2024-06-01T09:00:00Z", 0),
            ("2024-06-01t09:00:00z", 0),
            (" 2024-06-01T11:00:00.250+02:00 ", 250),
            ("2024-06-01T09:00:00", 0),
            ("2024-06-01 09:00:00", 0),
            ("2024-06-01 09:00:00,5Z", 500),
            ("2024-06-01T09:00:00+0000", 0),
            ("2024-06-01T04:30:00-0430", 0),
            ("2024-06-01T11:00:00+02", 0),
        ] {
            assert_eq!(time_of(text), Some(Timestamp(1_717_232_400_000 + millis)), "{text}");
        }
        for text in ["", "yesterday", "0", "2024-06-01", "2024-06-01T25:00:00Z", "2024-06-01T09:00:00+é0", "T+ü"] {
            assert_eq!(time_of(text), None, "{text}");
        }
    }

    #[test]
    fn a_written_time_is_read_as_it_was() {
        assert_eq!(iso(Timestamp(1_717_232_400_000)), "2024-06-01T09:00:00Z");
        assert_eq!(iso(Timestamp(0)), "1970-01-01T00:00:00Z");
        // Every day of 230 years, at another millisecond.
        for day in 0..84_000 {
            let at = Timestamp(day * DAY_MS + day * 977 % DAY_MS);
            assert_eq!(time_of(&iso(at)), Some(at), "{}", iso(at));
        }
    }

    #[test]
    fn numbers_are_seconds_or_milliseconds_of_this_age_or_no_time() {
        assert_eq!(unix_time(1_717_232_400.25), Some(Timestamp(1_717_232_400_250)));
        assert_eq!(unix_time(1_717_232_400_250.0), Some(Timestamp(1_717_232_400_250)));
        for number in [0.0, 12.5, -1.0, f64::NAN, f64::INFINITY, 1e18] {
            assert_eq!(unix_time(number), None, "{number}");
        }
        assert_eq!(days_since_1970(1970, 1, 1), Some(0));
        assert_eq!(days_since_1970(2024, 2, 29), Some(19_782));
        assert_eq!(days_since_1970(2024, 13, 1), None);
        assert_eq!(time_of_day("235959.5"), Some(86_399_500));
        assert_eq!((time_of_day("246000"), time_of_day("x")), (None, None));
    }
}
