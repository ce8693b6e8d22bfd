//! The recorder: decides of every fix, one by one, whether it belongs to the drive.
//!
//! A pure fold: the same fixes and the same calls of [`Recorder::settle`] give the same verdicts and figures, however
//! often they are replayed. Nothing is thrown away: what is refused goes into the track beside what is accepted, with
//! its reason. The recorder knows nothing of storage or documents, and no clock but the times in the fixes.
//!
//! A fix passes two stages. [`Recorder::time`] settles when it was measured (`clock`), [`Recorder::judge`] whether its place
//! is believed. What lies between them is what a journal keeps: a replay has another clock, and must not ask it again.

mod clock;

use crate::fix::{Fix, InvalidFix, YEAR_2200};
use crate::geodesy::{Position, distance_m};
use crate::stats::{DriveStats, RunningStats};
use crate::time::Timestamp;
use crate::track::parts::{is_plausible_step, merged};
use crate::track::{Refusal, RefusedFix, Stretch};

use self::clock::SensorClock;

/// A good fix is at least so accurate.
const ACCURATE_M: f64 = 35.0;
/// What is still taken in after [`PATIENCE_MS`] without a good fix.
const BARELY_ACCURATE_M: f64 = 65.0;
const PATIENCE_MS: i64 = 15_000;
/// Nothing that people ride in is faster, metres per second.
const IMPOSSIBLE_MPS: f64 = 350.0;
/// A run of implausible steps that goes on for so long is a ride in a train or a plane.
const BELIEVED_MS: i64 = 30_000;
/// So many fixes wait at most for one that decides about them.
const MOST_HELD: usize = 512;

/// A recording in progress. Its size does not depend on the number of fixes.
#[derive(Clone, Debug)]
pub struct Recorder {
    started_at: Timestamp,
    clock: SensorClock,
    /// When the last good fix was accepted; the start, before that.
    good_at: Timestamp,
    /// Fixes after a jump, each an implausible step from the one before. Whether they are outliers only later ones tell.
    held: Vec<Fix>,
    /// The speed of a run that was believed, metres per second: nothing is held for being as fast.
    believed_mps: f64,
    stats: RunningStats,
    refused: u32,
}

/// A fix whose time is settled: what [`Recorder::judge`] wants.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TimedFix {
    /// The fix, quantised. `fixed_at` is on the clock of the recording, and so is `recorded_at`.
    pub fix: Fix,
    /// Why its time cannot be known. `fixed_at` is the sensor's own then.
    pub refusal: Option<Refusal>,
}

/// What becomes of a fix.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Verdict {
    /// It belongs to the drive; quantised.
    Accepted(Fix),
    /// It does not, and is kept with its reason; quantised.
    Refused(RefusedFix),
    /// It is no position and cannot be kept; it is only counted.
    Invalid(InvalidFix),
}

impl Recorder {
    /// A recorder that has seen nothing yet.
    pub fn new(started_at: Timestamp) -> Recorder {
        Recorder {
            started_at,
            clock: SensorClock::new(started_at),
            good_at: started_at,
            held: Vec::new(),
            believed_mps: 0.0,
            stats: RunningStats::default(),
            refused: 0,
        }
    }

    /// The recorder that recorded `stretches`, settled, from one run or several, in any order. Its figures are those of
    /// the live one, bit for bit.
    pub fn resume(started_at: Timestamp, stretches: &[Stretch]) -> Recorder {
        let mut recorder = Recorder::new(started_at);
        recorder.count_again(stretches);
        recorder
    }

    /// Counts everything anew from `stretches`, which hold all that was decided, and goes on as before.
    pub fn count_again(&mut self, stretches: &[Stretch]) {
        (self.stats, self.refused) = (RunningStats::default(), 0);
        merged(stretches).iter().for_each(|fix| self.accept(fix));
        for stretch in stretches {
            let refused = u32::try_from(stretch.refused.len()).unwrap_or(u32::MAX);
            self.refused = self.refused.saturating_add(refused).saturating_add(stretch.invalid_count);
        }
    }

    /// Takes a fix in as the sensor gave it, with the time of its arrival as `recorded_at`: [`Recorder::time`], then
    /// [`Recorder::judge`].
    pub fn take(&mut self, fix: &Fix) -> Vec<Verdict> {
        match self.time(fix) {
            Ok(timed) => self.judge(&timed),
            Err(invalid) => {
                self.count_invalid();
                vec![Verdict::Invalid(invalid)]
            }
        }
    }

    /// Settles when a fix was measured. `recorded_at` is when it arrived, best on a clock that nobody sets.
    ///
    /// # Errors
    /// [`InvalidFix`] if it is no position. Such a fix is not counted yet.
    pub fn time(&mut self, fix: &Fix) -> Result<TimedFix, InvalidFix> {
        // A time that cannot be kept is no reason to lose a position.
        let storable = |at: Timestamp| at.clamp(Timestamp(0), YEAR_2200);
        let fix = Fix { fixed_at: storable(fix.fixed_at), recorded_at: storable(fix.recorded_at), ..*fix };
        let (fix, refusal) = self.clock.time(&fix.quantised()?);
        Ok(TimedFix { fix, refusal })
    }

    /// Takes in a fix whose time is settled.
    ///
    /// Returns what is decided by that, in order: nothing if the fix is held until later ones tell; several verdicts if it
    /// decides about those held before, too.
    pub fn judge(&mut self, timed: &TimedFix) -> Vec<Verdict> {
        let TimedFix { fix, refusal } = *timed;
        let last_at = self.held.last().or(self.last()).map(|last| last.fixed_at);
        let is_late = last_at.is_some_and(|last_at| fix.fixed_at <= last_at);
        let is_inaccurate = fix.accuracy_m.is_some_and(|accuracy_m| accuracy_m > self.tolerated_m(fix.fixed_at));
        let refusal =
            refusal.or(is_late.then_some(Refusal::NotLater)).or(is_inaccurate.then_some(Refusal::TooInaccurate));
        match refusal {
            Some(refusal) => vec![self.refuse(fix, refusal)],
            None => self.judge_place(fix),
        }
    }

    /// Counts a fix that was no position, as [`Recorder::take`] does.
    pub fn count_invalid(&mut self) {
        self.refused = self.refused.saturating_add(1);
    }

    /// Decides about the held fixes, if there are any, without waiting for the next: at every mark and at the end. One sign
    /// is not enough to call them outliers, so they are accepted.
    pub fn settle(&mut self) -> Vec<Verdict> {
        self.end_run(|_, _| None)
    }

    /// The largest accuracy circle that is taken in at a moment. A fix without any is taken: files have none.
    fn tolerated_m(&self, at: Timestamp) -> f64 {
        if at.millis_since(self.good_at) >= PATIENCE_MS { BARELY_ACCURATE_M } else { ACCURATE_M }
    }

    /// Whether a car, or Doppler, gets from one fix to the other.
    fn is_plausible(&self, from: &Fix, to: &Fix) -> bool {
        is_plausible_step(from, to) || way_m(from, to) <= self.believed_mps * elapsed_s(from, to)
    }

    /// A jump is the first sign of an outlier; the second is that what follows is back, or that nothing moves like that. A
    /// train or a plane goes on and is believed.
    fn judge_place(&mut self, fix: Fix) -> Vec<Verdict> {
        let goes_on = self.last().is_none_or(|last| self.is_plausible(last, &fix));
        let Some(held) = self.held.last().copied() else {
            return if goes_on { vec![self.accepted(fix)] } else { self.hold(fix) };
        };
        let goes_on_there = self.is_plausible(&held, &fix);
        let is_back =
            goes_on && (!goes_on_there || self.last().is_some_and(|last| way_m(last, &fix) < way_m(&held, &fix)));
        let outlier = Some(Refusal::Outlier);
        let mut verdicts = if is_back {
            self.end_run(|_, _| outlier)
        } else if goes_on_there {
            // The drive goes on elsewhere. How it got there is not believed.
            self.end_run(|index, count| outlier.filter(|_| index + 1 < count))
        } else if way_m(&held, &fix) > IMPOSSIBLE_MPS * elapsed_s(&held, &fix) {
            let mut verdicts = self.end_run(|_, _| outlier);
            verdicts.extend(self.hold(fix));
            return verdicts;
        } else {
            return self.hold(fix);
        };
        verdicts.push(self.accepted(fix));
        verdicts
    }

    /// Lets a fix wait. A run that has been going on for long enough is believed.
    fn hold(&mut self, fix: Fix) -> Vec<Verdict> {
        self.held.push(fix);
        let run_ms = fix.fixed_at.millis_since(self.held[0].fixed_at);
        if run_ms < BELIEVED_MS && self.held.len() < MOST_HELD {
            return Vec::new();
        }
        let fastest_mps = |pair: &[Fix]| way_m(&pair[0], &pair[1]) / elapsed_s(&pair[0], &pair[1]);
        let run_mps = self.held.windows(2).map(fastest_mps).fold(0.0, f64::max);
        self.believed_mps = self.believed_mps.max(1.25 * run_mps);
        self.end_run(|_, _| None)
    }

    /// Decides about all held fixes: each by its place among them and by how many there are.
    fn end_run(&mut self, refusal: impl Fn(usize, usize) -> Option<Refusal>) -> Vec<Verdict> {
        let held = std::mem::take(&mut self.held);
        let count = held.len();
        let decide = |(index, fix): (usize, Fix)| match refusal(index, count) {
            Some(refusal) => self.refuse(fix, refusal),
            None => self.accepted(fix),
        };
        held.into_iter().enumerate().map(decide).collect()
    }

    fn accepted(&mut self, fix: Fix) -> Verdict {
        self.accept(&fix);
        Verdict::Accepted(fix)
    }

    fn accept(&mut self, fix: &Fix) {
        if fix.accuracy_m.is_none_or(|accuracy_m| accuracy_m <= ACCURATE_M) {
            self.good_at = fix.fixed_at;
        }
        self.clock.go_on_after(fix);
        self.stats.fold(fix);
    }

    fn refuse(&mut self, fix: Fix, refusal: Refusal) -> Verdict {
        self.refused = self.refused.saturating_add(1);
        Verdict::Refused(RefusedFix { fix, refusal })
    }

    /// What is added to the times of the sensor, milliseconds. They are the sensor's own at first.
    pub fn sensor_offset_ms(&self) -> i64 {
        self.clock.offset_ms()
    }

    /// Goes on with a sensor to whose times this was added before: else it would have to be found anew.
    pub fn go_on_with_sensor(&mut self, offset_ms: i64) {
        self.clock.go_on_with(offset_ms);
    }

    /// Goes on from this moment after a pause or a kill. A fix from before it is an old one that the sensor tells first, or its
    /// clock was set back meanwhile.
    pub fn go_on_at(&mut self, at: Timestamp) {
        self.clock.go_on_at(at);
    }

    /// When the recording began.
    pub fn started_at(&self) -> Timestamp {
        self.started_at
    }

    /// The last accepted fix.
    pub fn last(&self) -> Option<&Fix> {
        self.stats.last()
    }

    /// Where the last accepted fix was measured.
    pub fn position(&self) -> Option<Position> {
        self.last().map(Position::from)
    }

    /// The fixes that wait for later ones, quantised. They are in no stretch yet.
    pub fn held(&self) -> &[Fix] {
        &self.held
    }

    /// The speed at the last accepted fix, metres per second, if it is known.
    pub fn speed_mps(&self) -> Option<f64> {
        self.stats.speed_mps()
    }

    /// The figures of the drive so far.
    pub fn stats(&self) -> DriveStats {
        DriveStats { refused: self.refused, ..self.stats.summary() }
    }
}

fn way_m(from: &Fix, to: &Fix) -> f64 {
    distance_m(from.into(), to.into())
}

/// Seconds from one fix to a later one.
fn elapsed_s(from: &Fix, to: &Fix) -> f64 {
    to.fixed_at.millis_since(from.fixed_at) as f64 / 1000.0
}

#[cfg(test)]
mod any_input;
#[cfg(test)]
mod tests;
