//! The clock of a recording: the phone's clock at the start of the recording, advanced by the monotonic clock.
//!
//! A phone's clock may be set at any time, which must not change the length of a drive. A monotonic clock is never set,
//! but on some machines it stops during sleep. Machines sleep while the page is hidden: for that time the phone's clock
//! counts, if it advanced further.

use crate::time::{Now, Timestamp};

/// The maximum time in milliseconds from a fix to its arrival on the page. A longer one means that another clock
/// measured the fix.
const LONGEST_HANDOVER_MS: f64 = 60_000.0;

/// The clock of a recording.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timeline {
    /// The minimum of its time.
    least: Timestamp,
    /// The difference to the phone's clock when the clock is set.
    ahead_ms: i64,
    /// Its time when it was set, and the phone's clocks then; none before the first read.
    set: Option<(Timestamp, Now)>,
    /// The phone's clocks at the last read.
    last: Now,
    /// Its time at the last read.
    shown: Timestamp,
    /// The arrival of the last fix.
    arrived: Timestamp,
    is_hidden: bool,
}

impl Timeline {
    /// Creates a clock that continues the phone's, and is never before this time.
    pub(super) fn not_before(least: Timestamp) -> Timeline {
        Timeline::ahead(least, 0)
    }

    /// Creates a clock that is so much ahead of the phone's, and is never before this time.
    pub(super) fn ahead(least: Timestamp, ahead_ms: i64) -> Timeline {
        Timeline { least, ahead_ms, set: None, last: Now::default(), shown: least, arrived: least, is_hidden: false }
    }

    /// Returns the time.
    pub(super) fn at(&mut self, now: Now) -> Timestamp {
        let (mut from, mut origin) = *self.set.get_or_insert((self.least.max(now.wall + self.ahead_ms), now));
        if self.is_hidden {
            let ran_ms = now.monotonic_ms - self.last.monotonic_ms;
            let slept_ms = now.wall.millis_since(self.last.wall) as f64 - ran_ms;
            if slept_ms > 1_000.0 {
                (from, origin) = (self.shown + now.wall.millis_since(self.last.wall), now);
            }
        }
        self.set = Some((from, origin));
        self.last = now;
        let ran_ms = (now.monotonic_ms - origin.monotonic_ms).max(0.0);
        self.shown = self.shown.max(from + ran_ms as i64);
        self.shown
    }

    /// Returns the arrival of a fix on its page, if the page reported it on the monotonic clock of `now`.
    pub(super) fn arrival(&mut self, now: Now, arrived_ms: Option<f64>) -> Timestamp {
        let here = self.at(now);
        let handover_ms = arrived_ms.map(|arrived_ms| now.monotonic_ms - arrived_ms);
        let known_ms = handover_ms.filter(|handover_ms| (0.0..=LONGEST_HANDOVER_MS).contains(handover_ms));
        self.arrived = self.arrived.max(here - known_ms.unwrap_or(0.0) as i64);
        self.arrived
    }

    /// Records whether the page is hidden.
    pub(super) fn hidden(&mut self, now: Now, is_hidden: bool) {
        self.at(now);
        self.is_hidden = is_hidden;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now(wall_ms: i64, monotonic_ms: f64) -> Now {
        Now { wall: Timestamp(wall_ms), monotonic_ms }
    }

    #[test]
    fn a_phone_that_is_set_does_not_set_the_recording() {
        let mut timeline = Timeline::not_before(Timestamp(1_000_000));
        let mut shows = |wall_ms, monotonic_ms| timeline.at(now(wall_ms, monotonic_ms)).0;
        assert_eq!(shows(1_000_000, 50.0), 1_000_000);
        assert_eq!(shows(1_000_700, 750.0), 1_000_700);
        assert_eq!(shows(5_000_000, 1_050.0), 1_001_000);
        assert_eq!(shows(0, 2_050.0), 1_002_000);
    }

    #[test]
    fn a_recording_that_goes_on_after_a_kill_knows_how_its_clock_differed_from_the_phones() {
        let least = Timestamp(5_000_000);
        for (ahead_ms, wall_ms, shown) in
            [(0, 5_020_000, 5_020_000), (-3_600_000, 8_620_000, 5_020_000), (0, 0, 5_000_000)]
        {
            assert_eq!(
                Timeline::ahead(least, ahead_ms).at(now(wall_ms, 7.0)),
                Timestamp(shown),
                "{ahead_ms} {wall_ms}"
            );
        }
    }

    #[test]
    fn a_machine_that_stops_its_clock_while_it_sleeps_with_the_page_hidden_is_believed() {
        let mut timeline = Timeline::not_before(Timestamp(0));
        timeline.at(now(10_000, 0.0));
        timeline.hidden(now(11_000, 1_000.0), true);
        timeline.hidden(now(611_000, 2_000.0), false);
        assert_eq!(timeline.at(now(611_500, 2_500.0)), Timestamp(611_500));
        // The clock was set back while the page was hidden.
        timeline.hidden(now(612_000, 3_000.0), true);
        timeline.hidden(now(12_000, 13_000.0), false);
        assert_eq!(timeline.at(now(13_000, 14_000.0)), Timestamp(623_000));
    }

    #[test]
    fn a_fix_arrived_when_its_page_had_it_but_never_before_the_one_before() {
        let mut timeline = Timeline::not_before(Timestamp(0));
        timeline.at(now(10_000, 0.0));
        assert_eq!(timeline.arrival(now(12_000, 2_000.0), Some(500.0)), Timestamp(10_500));
        assert_eq!(timeline.arrival(now(12_500, 2_500.0), Some(100.0)), Timestamp(10_500));
        assert_eq!(timeline.arrival(now(13_000, 3_000.0), Some(9e12)), Timestamp(13_000));
        assert_eq!(timeline.arrival(now(14_000, 4_000.0), Some(f64::NAN)), Timestamp(14_000));
    }
}
