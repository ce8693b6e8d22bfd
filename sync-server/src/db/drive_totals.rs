//! The columns `month`, `distance_m`, `moving_ms`, `duration_ms`, `ascent_m`, which are summed over drives.

use tourismo_core::stats::DriveStats;
use tourismo_core::time::{Timestamp, UtcOffset};

use super::sql::columns;

/// The summed values of a drive.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct DriveTotals {
    /// The month of the start in its local time, else UTC, such as 202609.
    pub(crate) month: i64,
    pub(crate) distance_m: f64,
    pub(crate) moving_ms: i64,
    pub(crate) duration_ms: i64,
    pub(crate) ascent_m: f64,
}

columns!(DriveTotals { month, distance_m, moving_ms, duration_ms, ascent_m });

impl DriveTotals {
    /// Returns the values of a drive with this start; zeros while it is not finished.
    pub(crate) fn of(started_at: Timestamp, utc_offset: Option<UtcOffset>, stats: Option<&DriveStats>) -> DriveTotals {
        let DriveStats { distance_m, moving_ms, duration_ms, ascent_m, .. } = stats.copied().unwrap_or_default();
        let local = utc_offset.map_or(started_at, |offset| offset.local(started_at));
        let (year, month) = local.year_and_month();
        DriveTotals { month: year * 100 + i64::from(month), distance_m, moving_ms, duration_ms, ascent_m }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_is_that_of_the_calendar_where_the_drive_began() {
        let last_hour_of_august = Timestamp(1_788_220_799_999);
        for (minutes, expected) in [(None, 202_608), (Some(-720), 202_608), (Some(60), 202_609)] {
            let offset = minutes.and_then(UtcOffset::from_minutes);
            assert_eq!(DriveTotals::of(last_hour_of_august, offset, None).month, expected, "{minutes:?}");
        }
    }
}
