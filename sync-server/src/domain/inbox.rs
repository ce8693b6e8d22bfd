//! Which of the fixes in an inbox are drives.

use sha2::{Digest, Sha256};
use tourismo_core::fix::Fix;
use tourismo_core::time::Timestamp;
use tourismo_import::trips::{Trip, Trips};

/// A recorder that posted nothing for this time has ended its drive, milliseconds.
const QUIET_MS: i64 = 3_600_000;

/// A drive in an inbox.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct InboxDrive {
    /// The id of the source: a hash of recorder and start. Each device that takes the drive derives the same document from it.
    pub(crate) source: [u8; 32],
    /// In the order of time. Not empty.
    pub(crate) fixes: Vec<Fix>,
    /// The way with movement, metres.
    pub(crate) distance_m: f64,
    /// Whether no further fix belongs to it.
    pub(crate) is_finished: bool,
}

/// What the waiting fixes of a recorder are.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Sorted {
    /// In the order of time; the last one may be unfinished.
    pub(crate) drives: Vec<InboxDrive>,
    /// Fixes up to this time belong to no drive: the recorder stood, or its phone was carried on a walk. Absent while
    /// a drive begins before.
    pub(crate) idle_until: Option<Timestamp>,
}

/// Finds the drives of a recorder in its fixes, which are in the order of time. The last one to arrive was received at `received_at`.
/// Whatever a device has claimed has ended.
pub(crate) fn sort(recorder: &str, fixes: &[Fix], received_at: Timestamp, is_claimed: bool, now: Timestamp) -> Sorted {
    let drive = |Trip { fixes, length_m, .. }: Trip, is_finished| InboxDrive {
        source: source(recorder, &fixes),
        fixes,
        distance_m: length_m,
        is_finished,
    };
    let mut trips = Trips::default();
    let mut drives: Vec<InboxDrive> =
        fixes.iter().filter_map(|fix| trips.add(*fix, "")).map(|trip| drive(trip, true)).collect();
    let is_quiet = is_claimed || now.millis_since(received_at) >= QUIET_MS;
    let began = trips.began().map(|fix| fix.fixed_at);
    drives.extend(trips.end().map(|trip| drive(trip, is_quiet)));
    let idle_until = if drives.first().is_some_and(|drive| drive.is_finished) {
        None
    } else if is_quiet {
        fixes.last().map(|fix| fix.fixed_at)
    } else {
        // The next drive may begin at the last fix.
        let rest = began.or(fixes.last().map(|fix| fix.fixed_at));
        fixes.iter().map(|fix| fix.fixed_at).rfind(|at| rest.is_some_and(|rest| *at < rest))
    };
    Sorted { drives, idle_until }
}

fn source(recorder: &str, fixes: &[Fix]) -> [u8; 32] {
    let started_at = fixes.first().map_or(0, |fix| fix.fixed_at.as_millis());
    Sha256::digest(format!("tourismo inbox v1 {started_at} {recorder}")).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp(1_790_000_000_000);

    /// A fix at a minute, that many kilometres to the east.
    fn at(minute: i64, east_km: f64) -> Fix {
        Fix {
            fixed_at: START + minute * 60_000,
            recorded_at: START + minute * 60_000,
            lat_deg: 46.5,
            lon_deg: 10.0 + east_km / 76.7,
            accuracy_m: None,
            altitude_m: None,
            altitude_accuracy_m: None,
            heading_deg: None,
            speed_mps: None,
        }
    }

    /// Standing until minute 30, then driven for 20 minutes.
    fn stood_and_driven() -> Vec<Fix> {
        (0..=30).map(|minute| at(minute, 0.0)).chain((1..=20).map(|minute| at(30 + minute, minute as f64))).collect()
    }

    fn minutes(sorted: &Sorted) -> (Vec<(i64, i64, bool)>, Option<i64>) {
        let minute = |at: Timestamp| at.millis_since(START) / 60_000;
        let ends = |drive: &InboxDrive| {
            (minute(drive.fixes[0].fixed_at), minute(drive.fixes.last().unwrap().fixed_at), drive.is_finished)
        };
        (sorted.drives.iter().map(ends).collect(), sorted.idle_until.map(minute))
    }

    #[test]
    fn i4_a_drive_is_unfinished_until_its_recorder_stands_or_is_quiet() {
        let mut fixes = stood_and_driven();
        let sorted = |fixes: &[Fix], after: i64| {
            let last = fixes.last().unwrap().fixed_at;
            minutes(&sort("phone", fixes, last, false, last + after * 60_000))
        };
        assert_eq!(sorted(&fixes, 1), (vec![(30, 50, false)], Some(29)));
        assert_eq!(sorted(&fixes, 59), (vec![(30, 50, false)], Some(29)), "a tunnel, or no signal");
        assert_eq!(sorted(&fixes, 60), (vec![(30, 50, true)], None));
        fixes.extend((51..=61).map(|minute| at(minute, 20.0)));
        assert_eq!(sorted(&fixes, 0), (vec![(30, 50, true)], None));
    }

    #[test]
    fn i6_what_a_device_has_claimed_has_ended() {
        let driven = stood_and_driven();
        let last = driven.last().unwrap().fixed_at;
        assert_eq!(minutes(&sort("phone", &driven, last, true, last)), (vec![(30, 50, true)], None));
    }

    #[test]
    fn i4_what_is_no_drive_is_idle_except_for_the_fix_at_which_the_next_one_may_begin() {
        let stood: Vec<Fix> = (0..=30).map(|minute| at(minute, 0.0)).collect();
        let last = stood[30].fixed_at;
        assert_eq!(minutes(&sort("phone", &stood, last, false, last)), (vec![], Some(29)));
        assert_eq!(minutes(&sort("phone", &stood, last, false, last + QUIET_MS)), (vec![], Some(30)));
        assert_eq!(sort("phone", &[], START, false, START), Sorted::default());
    }

    #[test]
    fn i5_a_drive_has_one_source_however_much_of_it_is_here() {
        let all = stood_and_driven();
        let source = |recorder: &str, fixes: &[Fix]| sort(recorder, fixes, START, false, START).drives[0].source;
        assert_eq!(source("phone", &all), source("phone", &all[..45]));
        assert_eq!(source("phone", &all), source("phone", &all[25..]), "also without what was idle");
        assert_ne!(source("phone", &all), source("another", &all));
    }
}
