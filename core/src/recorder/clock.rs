//! Decides when each fix was measured, with any clock of the sensor.
//!
//! Fixes come in the order of their arrival, and `recorded_at` is the time of arrival. The sensor's own time is more
//! precise, but its clock may be wrong by decades, set in mid-drive, or wrong for a single fix. This module compares
//! the two. A fix whose time is consistent with the fixes before keeps it. Any other fix is refused. If the next one
//! differs by the same amount, the sensor's clock was set, and an offset is added to its times from there on, so that
//! the track has no jump. If a sensor's times are never consistent, the arrival counts.

use std::collections::VecDeque;

use crate::fix::{Fix, YEAR_2200};
use crate::time::Timestamp;
use crate::track::Refusal;

/// The maximum time by which the first measurement may be later than its arrival, milliseconds: the difference between
/// two right clocks.
const FIRST_AHEAD_MS: i64 = 10_000;
/// The maximum time by which a delay between measurement and arrival may be shorter than all recent ones, milliseconds:
/// the interval between two fixes, within these bounds. Some sensors report whole seconds only.
const AHEAD_MS: (i64, i64) = (250, 1_000);
/// The shortest recent delay is taken over this number of fixes.
const KNOWN_DELAYS: usize = 10;
/// The maximum difference between two clocks' measures of one interval, milliseconds, in addition to an eighth of the
/// interval.
const STEADY_MS: i64 = 1_000;
/// Maximum number of consecutive fixes whose times are refused.
const PATIENCE: u8 = 2;
/// The assumed interval between two fixes if it is unknown, milliseconds.
const USUAL_INTERVAL_MS: i64 = 1_000;

/// Compares the sensor's clock with the times of arrival.
#[derive(Clone, Debug)]
pub(super) struct SensorClock {
    /// When the recording began or last resumed: no earlier fix belongs to it.
    since: Timestamp,
    /// The offset added to the sensor's times.
    offset_ms: i64,
    /// The delays between measurement and arrival of the last fixes, with this offset.
    delays_ms: VecDeque<i64>,
    /// The time of the last consistent fix: no other fix may be earlier.
    last_at: Option<Timestamp>,
    /// The last fix, consistent or not.
    last: Option<SensorReport>,
    /// Whether that fix was inconsistent.
    is_doubtful: bool,
    /// The offset added to the times of arrival.
    arrival_shift_ms: i64,
    interval_ms: i64,
    /// The number of consecutive inconsistent fixes.
    misfits: u8,
}

/// The times of a fix as reported, without offsets.
#[derive(Clone, Copy, Debug)]
struct SensorReport {
    measured_at: Timestamp,
    recorded_at: Timestamp,
    /// The arrival, on a monotonic clock.
    arrived_at: Timestamp,
    place: (f64, f64),
}

impl SensorClock {
    pub(super) fn new(started_at: Timestamp) -> SensorClock {
        SensorClock {
            since: started_at,
            offset_ms: 0,
            delays_ms: VecDeque::with_capacity(KNOWN_DELAYS),
            last_at: None,
            last: None,
            is_doubtful: false,
            arrival_shift_ms: 0,
            interval_ms: USUAL_INTERVAL_MS,
            misfits: 0,
        }
    }

    /// Returns the offset added to the sensor's times.
    pub(super) fn offset_ms(&self) -> i64 {
        self.offset_ms
    }

    /// Continues with the offset that an earlier clock found for the same sensor.
    pub(super) fn go_on_with(&mut self, offset_ms: i64) {
        self.offset_ms = offset_ms;
    }

    /// Resumes at this time after a break.
    pub(super) fn go_on_at(&mut self, at: Timestamp) {
        self.since = self.since.max(at);
    }

    /// Continues after a fix whose time was decided elsewhere.
    pub(super) fn go_on_after(&mut self, fix: &Fix) {
        self.last_at = Some(self.last_at.map_or(fix.fixed_at, |last_at| last_at.max(fix.fixed_at)));
    }

    /// Returns the fix with its time of measurement, or with the reason for which the time is unknown. `recorded_at`
    /// has the counted arrival.
    pub(super) fn time(&mut self, fix: &Fix) -> (Fix, Option<Refusal>) {
        let reported = self.report(fix);
        let before = self.last.replace(reported);
        let fix = Fix { recorded_at: reported.arrived_at, ..*fix };
        if let Some(misfit) = self.misfit(&reported) {
            let repeats = before.is_some_and(|before| before.repeats(&reported));
            let step_ms = before.filter(|_| self.is_doubtful).and_then(|before| before.steady_step_ms(&reported));
            self.misfits = self.misfits.saturating_add(u8::from(!repeats)).min(PATIENCE + 1);
            self.is_doubtful = true;
            let is_decided = step_ms.is_some() || self.misfits > PATIENCE;
            if repeats || !is_decided || !self.set(&reported, step_ms.unwrap_or(0)) {
                return (fix, Some(misfit));
            }
            if step_ms.is_some() {
                self.misfits = 0;
            }
        } else {
            self.misfits = 0;
        }
        self.is_doubtful = self.misfits > 0;
        let fixed_at = reported.measured_at + self.offset_ms;
        self.last_at = Some(fixed_at);
        if self.delays_ms.len() == KNOWN_DELAYS {
            self.delays_ms.pop_front();
        }
        self.delays_ms.push_back(reported.arrived_at.millis_since(fixed_at));
        (Fix { fixed_at, ..fix }, None)
    }

    /// Returns the times of a fix. The clock of the arrivals may be set back; then the usual interval is assumed to
    /// have passed.
    fn report(&mut self, fix: &Fix) -> SensorReport {
        if let Some(last) = &self.last {
            let passed_ms = fix.recorded_at.millis_since(last.recorded_at);
            if passed_ms < 0 {
                self.arrival_shift_ms = (last.arrived_at + self.interval_ms).millis_since(fix.recorded_at);
            } else if (1..=60_000).contains(&passed_ms) {
                self.interval_ms = passed_ms;
            }
        }
        SensorReport {
            measured_at: fix.fixed_at,
            recorded_at: fix.recorded_at,
            arrived_at: (fix.recorded_at + self.arrival_shift_ms).clamp(Timestamp(0), YEAR_2200),
            place: (fix.lat_deg, fix.lon_deg),
        }
    }

    /// Returns why the time of a fix is inconsistent, if it is.
    fn misfit(&self, reported: &SensorReport) -> Option<Refusal> {
        let at = reported.measured_at + self.offset_ms;
        let delay_ms = reported.arrived_at.millis_since(at);
        let (soonest_ms, usual_ms) = match self.shortest_delay_ms() {
            Some(known_ms) => (known_ms - self.interval_ms.clamp(AHEAD_MS.0, AHEAD_MS.1), known_ms),
            None => (-FIRST_AHEAD_MS, 0),
        };
        // An offset that follows from a single fix may be that of a wrong time: a later fix cannot be late by it.
        let is_guess_wrong = self.misfits > PATIENCE && delay_ms > usual_ms + STEADY_MS;
        if self.last_at.is_some_and(|last_at| at <= last_at) || is_guess_wrong {
            Some(Refusal::NotLater)
        // A sensor whose clock is behind reports every fix as late. Only one that is later than usual is from before.
        } else if at + usual_ms.max(0) < self.since {
            Some(Refusal::BeforeStart)
        } else if delay_ms < soonest_ms || at > YEAR_2200 {
            Some(Refusal::InTheFuture)
        } else {
            None
        }
    }

    /// Sets the offset so that this fix has the same delay as those before it, or is one step later than the last if
    /// the arrivals stand still. Returns whether the times are consistent then.
    fn set(&mut self, reported: &SensorReport, step_ms: i64) -> bool {
        let delay_ms = self.shortest_delay_ms().unwrap_or(0);
        let is_later = |offset_ms: i64| {
            let at = reported.measured_at + offset_ms;
            (self.since..=YEAR_2200).contains(&at) && self.last_at.is_none_or(|last_at| at > last_at)
        };
        // Not so early that it would be before the recording: then the offset of the sensor's clock looked like a
        // delay.
        let by_arrival = (reported.arrived_at - delay_ms).max(self.since.min(reported.arrived_at));
        let by_step = self.last_at.map_or(by_arrival, |last_at| last_at + step_ms);
        let moved_ms = by_arrival.max(by_step).millis_since(reported.measured_at);
        // The sensor's own time, if it is consistent: a late first fix is no measure.
        let own_ms = reported.arrived_at.millis_since(reported.measured_at);
        let fits_unmoved = moved_ms.abs() <= STEADY_MS
            || self.delays_ms.len() == 1 && (-FIRST_AHEAD_MS..=FIRST_AHEAD_MS).contains(&own_ms);
        let offset_ms = if fits_unmoved && is_later(0) { 0 } else { moved_ms };
        if !is_later(offset_ms) {
            return false;
        }
        self.offset_ms = offset_ms;
        self.delays_ms.clear();
        true
    }

    fn shortest_delay_ms(&self) -> Option<i64> {
        self.delays_ms.iter().copied().min()
    }
}

impl SensorReport {
    /// Returns whether the next report repeats this one.
    fn repeats(&self, next: &SensorReport) -> bool {
        next.measured_at == self.measured_at && next.place == self.place
    }

    /// Returns the step of the sensor's clock, if it agrees with that of the arrivals.
    fn steady_step_ms(&self, next: &SensorReport) -> Option<i64> {
        let measured_ms = next.measured_at.millis_since(self.measured_at);
        let arrived_ms = next.arrived_at.millis_since(self.arrived_at);
        let is_steady = measured_ms > 0 && (measured_ms - arrived_ms).abs() <= STEADY_MS + arrived_ms / 8;
        is_steady.then_some(measured_ms)
    }
}
