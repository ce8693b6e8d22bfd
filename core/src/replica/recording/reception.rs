//! What comes from the sensor, as it is shown: whether there is a signal, and whether anything is recorded.

use std::collections::VecDeque;

use crate::replica::io::SensorFailure;
use crate::replica::views::Signal;
use crate::replica::write_queue::{WriteQueue, WriteSeq};
use crate::track::Refusal;

/// After how long without a fix the signal counts as lost, in milliseconds.
const SIGNAL_MS: u64 = 5_000;

/// What comes from the sensor.
#[derive(Debug, Default)]
pub(super) struct Reception {
    /// How many fixes came since the app started.
    taken: u32,
    /// For each fix that is not known to be on disk, the write that brings it there.
    unsaved: VecDeque<WriteSeq>,
    last_fix: Option<LastFix>,
    /// When the last accepted fix came, on the monotonic clock; absent before the first since the app started.
    accepted_ms: Option<u64>,
    /// How many fixes were refused or held back since the last one that was accepted, and why the last of them.
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
    /// Takes in a fix that was written to the journal, and why it was refused, if it was.
    pub(super) fn fix(&mut self, now_ms: u64, accuracy_m: Option<f64>, refused: Option<Refusal>, write: WriteSeq) {
        self.failure = None;
        self.taken = self.taken.saturating_add(1);
        self.unsaved.push_back(write);
        self.last_fix = Some(LastFix { at_ms: now_ms, accuracy_m, refused });
    }

    /// Takes in that the sensor failed.
    pub(super) fn failed(&mut self, reason: SensorFailure) {
        self.failure = Some(reason);
    }

    /// Takes in that fixes were accepted at this moment.
    pub(super) fn accepted_at(&mut self, now_ms: u64) {
        self.accepted_ms = Some(now_ms);
    }

    /// Takes in that a fix was accepted.
    pub(super) fn count_accepted(&mut self) {
        self.refused = (0, None);
    }

    /// Takes in that a fix was refused or is held back.
    pub(super) fn count_refused(&mut self, refusal: Refusal) {
        self.refused = (self.refused.0.saturating_add(1), Some(refusal));
    }

    /// Forgets what was refused: the recording goes on.
    pub(super) fn forget_refused(&mut self) {
        self.refused = (0, None);
    }

    /// Forgets the last fix: the recording was left again.
    pub(super) fn forget_last(&mut self) {
        self.forget_refused();
        self.last_fix = None;
    }

    /// Takes in that writes may have succeeded. Returns whether that changes what is shown.
    pub(super) fn saved(&mut self, writes: &WriteQueue) -> bool {
        let before = self.unsaved.len();
        while self.unsaved.front().is_some_and(|seq| writes.is_durable(*seq)) {
            self.unsaved.pop_front();
        }
        self.unsaved.len() != before
    }

    /// When the signal counts as lost.
    pub(super) fn signal_ends_ms(&self) -> Option<u64> {
        self.last_fix.map(|last| last.at_ms + SIGNAL_MS)
    }

    /// Returns whether the speed of the last accepted fix is that of this moment.
    pub(super) fn is_speed_known(&self, now_ms: u64) -> bool {
        self.accepted_ms.is_some_and(|at_ms| now_ms < at_ms + SIGNAL_MS)
    }

    /// The number of fixes that came since the app started.
    pub(super) fn taken(&self) -> u32 {
        self.taken
    }

    /// The number of fixes that are not known to be on disk.
    pub(super) fn unsaved(&self) -> u32 {
        self.unsaved.len() as u32
    }

    /// The signal.
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

    /// Why nothing is recorded though fixes come. A single one that is refused says nothing of the next, unless it is all
    /// there is.
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
