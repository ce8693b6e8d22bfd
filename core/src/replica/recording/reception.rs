//! The state of the sensor for the view: whether there is a signal, and whether fixes are recorded.

use std::collections::VecDeque;

use crate::replica::io::SensorFailure;
use crate::replica::views::Signal;
use crate::replica::write_queue::{WriteQueue, WriteSeq};
use crate::track::Refusal;

/// Duration without a fix after which the signal is lost, in milliseconds.
const SIGNAL_MS: u64 = 5_000;

/// The state of the sensor.
#[derive(Debug, Default)]
pub(super) struct Reception {
    /// Number of fixes since the app started.
    taken: u32,
    /// For each fix that may not be on disk, the sequence number of its write.
    unsaved: VecDeque<WriteSeq>,
    last_fix: Option<LastFix>,
    /// When the last fix was accepted, on the monotonic clock; absent before the first.
    accepted_ms: Option<u64>,
    /// Number of fixes that were refused or held since the last accepted one, and the reason of the last of them.
    refused: (u32, Option<Refusal>),
    failure: Option<SensorFailure>,
}

#[derive(Clone, Copy, Debug)]
struct LastFix {
    at_ms: u64,
    accuracy_m: Option<f64>,
    refused: Option<Refusal>,
}

impl Reception {
    /// Records a fix written to the journal, and the reason of its refusal, if any.
    pub(super) fn fix(&mut self, now_ms: u64, accuracy_m: Option<f64>, refused: Option<Refusal>, write: WriteSeq) {
        self.failure = None;
        self.taken = self.taken.saturating_add(1);
        self.unsaved.push_back(write);
        self.last_fix = Some(LastFix { at_ms: now_ms, accuracy_m, refused });
    }

    /// Records a failure of the sensor.
    pub(super) fn failed(&mut self, reason: SensorFailure) {
        self.failure = Some(reason);
    }

    /// Records that fixes were accepted at this time.
    pub(super) fn accepted_at(&mut self, now_ms: u64) {
        self.accepted_ms = Some(now_ms);
    }

    /// Records an accepted fix.
    pub(super) fn count_accepted(&mut self) {
        self.refused = (0, None);
    }

    /// Records a refused or held fix.
    pub(super) fn count_refused(&mut self, refusal: Refusal) {
        self.refused = (self.refused.0.saturating_add(1), Some(refusal));
    }

    /// Clears the refusals when the recording resumes.
    pub(super) fn forget_refused(&mut self) {
        self.refused = (0, None);
    }

    /// Clears the last fix when the resumption is undone.
    pub(super) fn forget_last(&mut self) {
        self.forget_refused();
        self.last_fix = None;
    }

    /// Records that writes may have succeeded. Returns whether the view changes.
    pub(super) fn saved(&mut self, writes: &WriteQueue) -> bool {
        let before = self.unsaved.len();
        while self.unsaved.front().is_some_and(|seq| writes.is_durable(*seq)) {
            self.unsaved.pop_front();
        }
        self.unsaved.len() != before
    }

    /// Returns when the signal is lost.
    pub(super) fn signal_ends_ms(&self) -> Option<u64> {
        self.last_fix.map(|last| last.at_ms + SIGNAL_MS)
    }

    /// Returns whether the speed of the last accepted fix is current.
    pub(super) fn is_speed_known(&self, now_ms: u64) -> bool {
        self.accepted_ms.is_some_and(|at_ms| now_ms < at_ms + SIGNAL_MS)
    }

    /// Returns the number of fixes since the app started.
    pub(super) fn taken(&self) -> u32 {
        self.taken
    }

    /// Returns the number of fixes that may not be on disk.
    pub(super) fn unsaved(&self) -> u32 {
        self.unsaved.len() as u32
    }

    /// Returns the signal.
    pub(super) fn signal(&self, now_ms: u64) -> Signal {
        match (self.failure, self.last_fix) {
            (Some(reason), _) => Signal::Failed { reason },
            (None, None) => Signal::Waiting,
            (None, Some(last)) if now_ms >= last.at_ms + SIGNAL_MS => Signal::Lost,
            (None, Some(LastFix { refused: Some(Refusal::TooInaccurate), accuracy_m: Some(accuracy_m), .. })) => {
                Signal::Inaccurate { accuracy_m }
            }
            (None, Some(last)) => Signal::Good { accuracy_m: last.accuracy_m },
        }
    }

    /// Returns why arriving fixes are not recorded. A single refused fix among accepted ones does not count.
    pub(super) fn not_recording(&self, has_any: bool) -> Option<Refusal> {
        let (count, reason) = self.refused;
        let least = if has_any { 2 } else { 1 };
        reason.filter(|_| count >= least)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signal_is_good_inaccurate_lost_or_failed() {
        let mut reception = Reception::default();
        assert_eq!(reception.signal(0), Signal::Waiting);
        reception.fix(1_000, Some(900.0), Some(Refusal::TooInaccurate), WriteSeq::default());
        assert_eq!(reception.signal(1_000), Signal::Inaccurate { accuracy_m: 900.0 });
        reception.fix(2_000, Some(5.0), None, WriteSeq::default());
        assert_eq!(reception.signal(6_999), Signal::Good { accuracy_m: Some(5.0) });
        assert_eq!((reception.signal(7_000), reception.signal_ends_ms()), (Signal::Lost, Some(7_000)));
        reception.failed(SensorFailure::Denied);
        assert_eq!(reception.signal(7_000), Signal::Failed { reason: SensorFailure::Denied });
    }

    #[test]
    fn a_single_refused_fix_counts_only_if_it_is_all_there_is() {
        let mut reception = Reception::default();
        reception.count_refused(Refusal::Outlier);
        assert_eq!((reception.not_recording(true), reception.not_recording(false)), (None, Some(Refusal::Outlier)));
        reception.count_refused(Refusal::Outlier);
        assert_eq!(reception.not_recording(true), Some(Refusal::Outlier));
        reception.count_accepted();
        assert_eq!(reception.not_recording(false), None);
    }
}
