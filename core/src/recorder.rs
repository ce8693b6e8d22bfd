//! The recorder: decides for each fix whether it belongs to the drive.
//!
//! It is a pure fold: the same fixes and the same calls of [`Recorder::settle`] give the same verdicts and statistics,
//! however often they are replayed. Nothing is discarded: refused fixes are stored in the track beside the accepted
//! ones, with their reason. The recorder must not depend on storage or documents, and has no clock except the times in
//! the fixes.
//!
//! A fix passes two stages. [`Recorder::time`] decides when it was measured (`clock`), and [`Recorder::judge`] whether
//! its position is plausible. The journal stores the result of the first stage, because a replay has another clock and
//! cannot repeat it.

mod clock;

use crate::fix::{Fix, InvalidFix, YEAR_2200};
use crate::geodesy::{Position, distance_m};
use crate::stats::{DriveStats, RunningStats};
use crate::time::Timestamp;
use crate::track::parts::{is_plausible_step, merged};
use crate::track::{Refusal, RefusedFix, Stretch};

use self::clock::SensorClock;

/// Maximum radius of accuracy of a good fix, metres.
const ACCURATE_M: f64 = 35.0;
/// Maximum radius that is accepted after [`PATIENCE_MS`] without a good fix.
const BARELY_ACCURATE_M: f64 = 65.0;
const PATIENCE_MS: i64 = 15_000;
/// No vehicle is faster, metres per second.
const IMPOSSIBLE_MPS: f64 = 350.0;
/// Implausible steps are accepted when they have continued for this time: a ride in a train or a plane.
const BELIEVED_MS: i64 = 30_000;
/// Maximum number of fixes that wait for a later one to decide about them.
const MOST_HELD: usize = 512;

/// A recording in progress. Its size is bounded, however many fixes it has.
#[derive(Clone, Debug)]
pub struct Recorder {
    started_at: Timestamp,
    clock: SensorClock,
    /// The time of the last good accepted fix, or of the start.
    good_at: Timestamp,
    /// Fixes after a jump, each an implausible step from the one before. Later fixes decide whether they are outliers.
    held: Vec<Fix>,
    /// The speed of accepted implausible steps, metres per second: a step of that speed does not wait again.
    believed_mps: f64,
    stats: RunningStats,
    refused: u32,
}

/// A fix with a final time, for [`Recorder::judge`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TimedFix {
    /// The quantised fix. `fixed_at` and `recorded_at` are on the clock of the recording.
    pub fix: Fix,
    /// The reason for which the time is unknown. `fixed_at` is the sensor's own time then.
    pub refusal: Option<Refusal>,
}

/// The decision about a fix.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Verdict {
    /// The fix belongs to the drive; quantised.
    Accepted(Fix),
    /// The fix does not belong to the drive and is stored with its reason; quantised.
    Refused(RefusedFix),
    /// The fix is not a position and cannot be stored; it is only counted.
    Invalid(InvalidFix),
}

impl Recorder {
    /// Returns a recorder without fixes.
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

    /// Returns a recorder with the settled contents of `stretches`, from one run or several, in any order. Its
    /// statistics equal those of the original recorder, bit for bit.
    pub fn resume(started_at: Timestamp, stretches: &[Stretch]) -> Recorder {
        let mut recorder = Recorder::new(started_at);
        recorder.count_again(stretches);
        recorder
    }

    /// Computes the statistics again from `stretches`, which must hold all decided fixes, and continues.
    pub fn count_again(&mut self, stretches: &[Stretch]) {
        (self.stats, self.refused) = (RunningStats::default(), 0);
        merged(stretches).iter().for_each(|fix| self.accept(fix));
        for stretch in stretches {
            let refused = u32::try_from(stretch.refused.len()).unwrap_or(u32::MAX);
            self.refused = self.refused.saturating_add(refused).saturating_add(stretch.invalid_count);
        }
    }

    /// Handles a fix of the sensor with its time of arrival as `recorded_at`: [`Recorder::time`], then
    /// [`Recorder::judge`].
    ///
    /// # Examples
    /// ```
    /// use tourismo_core::fix::Fix;
    /// use tourismo_core::recorder::{Recorder, Verdict};
    /// use tourismo_core::time::Timestamp;
    /// use tourismo_core::track::Refusal;
    ///
    /// let start = Timestamp(1_700_000_000_000);
    /// let mut recorder = Recorder::new(start);
    /// let fix = |second: i32, accuracy_m: f64| Fix {
    ///     fixed_at: start + 1_000 * i64::from(second),
    ///     recorded_at: start + 1_000 * i64::from(second),
    ///     lat_deg: 46.5 + 1e-4 * f64::from(second),
    ///     lon_deg: 10.4,
    ///     accuracy_m: Some(accuracy_m),
    ///     altitude_m: None,
    ///     altitude_accuracy_m: None,
    ///     heading_deg: None,
    ///     speed_mps: Some(11.1),
    /// };
    /// assert!(matches!(recorder.take(&fix(1, 5.0))[..], [Verdict::Accepted(_)]));
    /// let refused = recorder.take(&fix(2, 2_000.0));
    /// assert!(matches!(&refused[..], [Verdict::Refused(fix)] if fix.refusal == Refusal::TooInaccurate));
    /// assert_eq!((recorder.stats().fixes, recorder.stats().refused), (1, 1));
    /// ```
    pub fn take(&mut self, fix: &Fix) -> Vec<Verdict> {
        match self.time(fix) {
            Ok(timed) => self.judge(&timed),
            Err(invalid) => {
                self.count_invalid();
                vec![Verdict::Invalid(invalid)]
            }
        }
    }

    /// Decides when a fix was measured. `recorded_at` is the time of arrival, preferably on a monotonic clock.
    ///
    /// # Errors
    /// [`InvalidFix`] if it is not a position. Such a fix is not counted yet.
    pub fn time(&mut self, fix: &Fix) -> Result<TimedFix, InvalidFix> {
        // An invalid time is no reason to lose a position.
        let storable = |at: Timestamp| at.clamp(Timestamp(0), YEAR_2200);
        let fix = Fix { fixed_at: storable(fix.fixed_at), recorded_at: storable(fix.recorded_at), ..*fix };
        let (fix, refusal) = self.clock.time(&fix.quantised()?);
        Ok(TimedFix { fix, refusal })
    }

    /// Handles a fix with a final time.
    ///
    /// Returns the decisions that it allows, in order: none if the fix waits for later ones; several if it also decides
    /// about waiting fixes.
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

    /// Counts an invalid fix, as [`Recorder::take`] does.
    pub fn count_invalid(&mut self) {
        self.refused = self.refused.saturating_add(1);
    }

    /// Decides about the waiting fixes without the next one: at every mark and at the end. There is only one sign that
    /// they are outliers, which is not enough, so they are accepted.
    pub fn settle(&mut self) -> Vec<Verdict> {
        self.end_run(|_, _| None)
    }

    /// Returns the maximum accepted radius of accuracy at a time. A fix without accuracy is accepted, because files
    /// have none.
    fn tolerated_m(&self, at: Timestamp) -> f64 {
        if at.millis_since(self.good_at) >= PATIENCE_MS { BARELY_ACCURATE_M } else { ACCURATE_M }
    }

    /// Returns whether a car can get from one fix to the other, or Doppler speeds confirm it.
    fn is_plausible(&self, from: &Fix, to: &Fix) -> bool {
        is_plausible_step(from, to) || way_m(from, to) <= self.believed_mps * elapsed_s(from, to)
    }

    /// A jump is the first sign of an outlier. The second sign is that the next fixes are back, or that nothing moves
    /// at that speed. A train or a plane continues and is accepted.
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
            // The drive continues at the new position; the steps in between are refused.
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

    /// Makes a fix wait. Accepts the waiting fixes if they have continued for long enough.
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

    /// Decides about all waiting fixes, each by its index and by their number.
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

    /// Returns the milliseconds that are added to the sensor's times; 0 at first.
    pub fn sensor_offset_ms(&self) -> i64 {
        self.clock.offset_ms()
    }

    /// Continues with a sensor to whose times this offset was added before, because finding it again would take several
    /// fixes.
    pub fn go_on_with_sensor(&mut self, offset_ms: i64) {
        self.clock.go_on_with(offset_ms);
    }

    /// Resumes at this time after a pause or a kill. An earlier fix is an old one that the sensor repeats, or the
    /// sensor's clock was set back meanwhile.
    pub fn go_on_at(&mut self, at: Timestamp) {
        self.clock.go_on_at(at);
    }

    /// Returns the start of the recording.
    pub fn started_at(&self) -> Timestamp {
        self.started_at
    }

    /// Returns the last accepted fix.
    pub fn last(&self) -> Option<&Fix> {
        self.stats.last()
    }

    /// Returns the position of the last accepted fix.
    pub fn position(&self) -> Option<Position> {
        self.last().map(Position::from)
    }

    /// Returns the waiting fixes, quantised. They are in no stretch yet.
    pub fn held(&self) -> &[Fix] {
        &self.held
    }

    /// Returns the speed at the last accepted fix, metres per second, if it is known.
    pub fn speed_mps(&self) -> Option<f64> {
        self.stats.speed_mps()
    }

    /// Returns the statistics of the drive so far.
    pub fn stats(&self) -> DriveStats {
        DriveStats { refused: self.refused, ..self.stats.summary() }
    }
}

fn way_m(from: &Fix, to: &Fix) -> f64 {
    distance_m(from.into(), to.into())
}

/// Returns the seconds from one fix to a later one.
fn elapsed_s(from: &Fix, to: &Fix) -> f64 {
    to.fixed_at.millis_since(from.fixed_at) as f64 / 1000.0
}

#[cfg(test)]
mod any_input;
#[cfg(test)]
mod tests;
