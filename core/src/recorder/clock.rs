//! When each fix was measured, whatever the sensor's clock says.
//!
//! Fixes come in the order of their arrival, and `recorded_at` says when each arrived. The sensor's own time is finer, but
//! its clock may be anything: wrong by decades, set in mid-drive, or wrong for a single fix. Here the two are compared. A
//! fix whose time fits what came before keeps it. One that does not is refused; if the next one differs in the same way, the
//! sensor's clock was set, and its times are moved from there on, so that the track goes on without a jump. A sensor whose
//! times never fit is not asked for the time: then the arrival counts.

use std::collections::VecDeque;

use crate::fix::{Fix, YEAR_2200};
use crate::time::Timestamp;
use crate::track::Refusal;

/// How much later than its arrival the first fix may be measured: two clocks that are right differ by so much, milliseconds.
const FIRST_AHEAD_MS: i64 = 10_000;
/// How much sooner than any of the last ones a fix may arrive after its measurement, milliseconds: the time between two
/// fixes, within these bounds. Whole seconds are all that some sensors tell.
const AHEAD_MS: (i64, i64) = (250, 1_000);
/// Of so many fixes the shortest way from measurement to arrival is known.
const KNOWN_DELAYS: usize = 10;
/// What two clocks may differ in their measure of the time between two fixes, milliseconds, and an eighth of that time.
const STEADY_MS: i64 = 1_000;
/// The times of so many fixes in a row are refused at most.
const PATIENCE: u8 = 2;
/// How long it took from one fix to the next, where nothing tells, milliseconds.
const USUAL_INTERVAL_MS: i64 = 1_000;

/// Compares the sensor's clock with that of the arrivals.
#[derive(Clone, Debug)]
pub(super) struct SensorClock {
    /// When the recording began, or last went on: nothing earlier belongs to it.
    since: Timestamp,
    /// What is added to the sensor's times.
    offset_ms: i64,
    /// How long the last fixes took from their measurement to their arrival, if the offset is right.
    delays_ms: VecDeque<i64>,
    /// When the last fix was measured that fitted: no other is earlier.
    last_at: Option<Timestamp>,
    /// The last fix of all.
    last: Option<SensorReport>,
    /// Whether that one did not fit.
    is_doubtful: bool,
    /// What is added to the times of arrival.
    arrival_shift_ms: i64,
    interval_ms: i64,
    /// So many fixes in a row did not fit.
    misfits: u8,
}

/// What a fix tells of its times, before anything is added.
#[derive(Clone, Copy, Debug)]
struct SensorReport {
    measured_at: Timestamp,
    recorded_at: Timestamp,
    /// When it arrived, on a clock that never goes back.
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

    /// What is added to the sensor's times.
    pub(super) fn offset_ms(&self) -> i64 {
        self.offset_ms
    }

    /// Goes on with what an earlier clock added to the times of the same sensor.
    pub(super) fn go_on_with(&mut self, offset_ms: i64) {
        self.offset_ms = offset_ms;
    }

    /// Goes on from this moment after a break.
    pub(super) fn go_on_at(&mut self, at: Timestamp) {
        self.since = self.since.max(at);
    }

    /// Goes on behind a fix that was timed elsewhere.
    pub(super) fn go_on_after(&mut self, fix: &Fix) {
        self.last_at = Some(self.last_at.map_or(fix.fixed_at, |last_at| last_at.max(fix.fixed_at)));
    }

    /// The fix with the time at which it was measured, or why that cannot be known. Its arrival comes out as it is counted.
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

    /// What a fix tells. The clock of the arrivals may be that of a phone which is set back; then the time that usually
    /// passes between two fixes has passed.
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

    /// Why the time of a fix does not fit what came before, if it does not.
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

    /// Moves the sensor's times so that this one was measured as long before its arrival as those before, or by a step later
    /// than the last where arrivals stand still. Says whether the times go on then.
    fn set(&mut self, reported: &SensorReport, step_ms: i64) -> bool {
        let delay_ms = self.shortest_delay_ms().unwrap_or(0);
        let is_later = |offset_ms: i64| {
            let at = reported.measured_at + offset_ms;
            (self.since..=YEAR_2200).contains(&at) && self.last_at.is_none_or(|last_at| at > last_at)
        };
        // Not so long before that it would not belong to the recording: then what looked like delays was the sensor's clock.
        let by_arrival = (reported.arrived_at - delay_ms).max(self.since.min(reported.arrived_at));
        let by_step = self.last_at.map_or(by_arrival, |last_at| last_at + step_ms);
        let moved_ms = by_arrival.max(by_step).millis_since(reported.measured_at);
        // The sensor's own time, where that fits: a single first fix that came late is no measure.
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
    /// Whether another is this one reported again.
    fn repeats(&self, next: &SensorReport) -> bool {
        next.measured_at == self.measured_at && next.place == self.place
    }

    /// How far the sensor's clock went on, if it did so as the other one.
    fn steady_step_ms(&self, next: &SensorReport) -> Option<i64> {
        let measured_ms = next.measured_at.millis_since(self.measured_at);
        let arrived_ms = next.arrived_at.millis_since(self.arrived_at);
        let is_steady = measured_ms > 0 && (measured_ms - arrived_ms).abs() <= STEADY_MS + arrived_ms / 8;
        is_steady.then_some(measured_ms)
    }
}
