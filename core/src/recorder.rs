//! The recorder: decides of every fix, one by one, whether it belongs to the drive.
//!
//! A pure fold: the same fixes and the same calls of [`Recorder::settle`] give the same verdicts and figures, however
//! often they are replayed. Nothing is thrown away: what is refused goes into the track beside what is accepted, with
//! its reason. The recorder knows nothing of storage or documents, and no clock but the times in the fixes.

use crate::fix::{Fix, InvalidFix};
use crate::geodesy::{Position, distance_m};
use crate::stats::{DriveStats, RunningStats};
use crate::time::Timestamp;
use crate::track::parts::merged;
use crate::track::{Refusal, RefusedFix, Stretch};

/// A fix may be measured so much later than the phone's clock says.
const FUTURE_MS: i64 = 60_000;
/// A good fix is at least so accurate.
const ACCURATE_M: f64 = 35.0;
/// What is still taken in after [`PATIENCE_MS`] without a good fix.
const BARELY_ACCURATE_M: f64 = 65.0;
const PATIENCE_MS: i64 = 15_000;
/// No car is faster, metres per second.
const IMPLAUSIBLE_MPS: f64 = 70.0;

/// A recording in progress. Its size does not depend on the number of fixes.
#[derive(Clone, Debug)]
pub struct Recorder {
    started_at: Timestamp,
    /// When the last good fix was accepted; the start, before that.
    good_at: Timestamp,
    /// A fix that jumped. Whether it is an outlier only the next fix can tell.
    held: Option<Fix>,
    stats: RunningStats,
    refused: u32,
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
    /// A recorder that has seen nothing yet. What was measured before `started_at` it refuses.
    pub fn new(started_at: Timestamp) -> Recorder {
        Recorder { started_at, good_at: started_at, held: None, stats: RunningStats::default(), refused: 0 }
    }

    /// The recorder that recorded `stretches`, settled, from one run or several, in any order. Its figures are those of
    /// the live one, bit for bit.
    pub fn resume(started_at: Timestamp, stretches: &[Stretch]) -> Recorder {
        let mut recorder = Recorder::new(started_at);
        merged(stretches).iter().for_each(|fix| recorder.accept(fix));
        for stretch in stretches {
            let refused = u32::try_from(stretch.refused.len()).unwrap_or(u32::MAX);
            recorder.refused = recorder.refused.saturating_add(refused).saturating_add(stretch.invalid_count);
        }
        recorder
    }

    /// Takes a fix in as the sensor gave it.
    ///
    /// Returns what is decided by that, in order: nothing if the fix is held until the next one; two verdicts if it
    /// decides about the one held before, too.
    pub fn take(&mut self, fix: &Fix) -> Vec<Verdict> {
        let fix = match fix.quantised() {
            Ok(fix) => fix,
            Err(invalid) => {
                self.count_invalid();
                return vec![Verdict::Invalid(invalid)];
            }
        };
        if let Some(refusal) = self.refusal(&fix) {
            return vec![self.refuse(fix, refusal)];
        }
        let mut verdicts = Vec::with_capacity(2);
        if let Some(held) = self.held.take() {
            verdicts.push(self.judge(held, &fix));
        }
        if self.has_jumped(&fix) {
            self.held = Some(fix);
        } else {
            self.accept(&fix);
            verdicts.push(Verdict::Accepted(fix));
        }
        verdicts
    }

    /// Counts a fix that was no position, as [`Recorder::take`] does.
    pub fn count_invalid(&mut self) {
        self.refused = self.refused.saturating_add(1);
    }

    /// Decides about a held fix, if there is one, without waiting for the next: at every mark and at the end. One sign
    /// is not enough to call it an outlier, so it is accepted.
    pub fn settle(&mut self) -> Option<Verdict> {
        let held = self.held.take()?;
        self.accept(&held);
        Some(Verdict::Accepted(held))
    }

    /// What can be said of the fix alone, and against the last one.
    fn refusal(&self, fix: &Fix) -> Option<Refusal> {
        let last_at = self.held.as_ref().or(self.last()).map(|last| last.fixed_at);
        if last_at.is_some_and(|last_at| fix.fixed_at <= last_at) {
            Some(Refusal::NotLater)
        } else if fix.fixed_at.millis_since(fix.recorded_at) > FUTURE_MS {
            Some(Refusal::InTheFuture)
        } else if fix.fixed_at < self.started_at {
            Some(Refusal::BeforeStart)
        } else if fix.accuracy_m.is_some_and(|accuracy_m| accuracy_m > self.tolerated_m(fix.fixed_at)) {
            Some(Refusal::TooInaccurate)
        } else {
            None
        }
    }

    /// The largest accuracy circle that is taken in at a moment. A fix without any is taken: files have none.
    fn tolerated_m(&self, at: Timestamp) -> f64 {
        if at.millis_since(self.good_at) >= PATIENCE_MS { BARELY_ACCURATE_M } else { ACCURATE_M }
    }

    /// The first sign of an outlier: no car gets there in that time. Doppler may tell that this one does.
    fn has_jumped(&self, fix: &Fix) -> bool {
        let Some(last) = self.last() else { return false };
        // Some receivers report several times a second; a metre of noise is not a speed then.
        let elapsed_s = fix.fixed_at.millis_since(last.fixed_at).max(1_000) as f64 / 1000.0;
        let plausible_mps = fix.speed_mps.map_or(IMPLAUSIBLE_MPS, |mps| IMPLAUSIBLE_MPS.max(3.0 * mps + 15.0));
        way_m(last, fix) > plausible_mps * elapsed_s
    }

    /// The second sign: the next fix is back where the jump began. A train or a plane goes on and is believed.
    fn judge(&mut self, held: Fix, next: &Fix) -> Verdict {
        let is_contradicted = self.last().is_some_and(|last| way_m(last, next) < way_m(&held, next));
        if is_contradicted {
            self.refuse(held, Refusal::Outlier)
        } else {
            self.accept(&held);
            Verdict::Accepted(held)
        }
    }

    fn accept(&mut self, fix: &Fix) {
        if fix.accuracy_m.is_none_or(|accuracy_m| accuracy_m <= ACCURATE_M) {
            self.good_at = fix.fixed_at;
        }
        self.stats.fold(fix);
    }

    fn refuse(&mut self, fix: Fix, refusal: Refusal) -> Verdict {
        self.refused = self.refused.saturating_add(1);
        Verdict::Refused(RefusedFix { fix, refusal })
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

    /// The fix that waits for the next one, quantised. It is in no stretch yet.
    pub fn held(&self) -> Option<&Fix> {
        self.held.as_ref()
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

#[cfg(test)]
mod tests;
