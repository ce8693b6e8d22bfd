//! Records the fixes of a file at once, with the recorder, statistics and blocks of a live drive and without the journal.

use crate::fix::Fix;
use crate::id::DocId;
use crate::recorder::{Recorder, Verdict};
use crate::replica::documents::DocumentStore;
use crate::replica::write_queue::WriteQueue;
use crate::stats::DriveStats;
use crate::time::Timestamp;
use crate::track::Stretch;

use super::packer::{BLOCK_ITEMS, BlockPacker};

/// The recorded fixes of a file.
pub(crate) struct Recorded {
    recorder: Recorder,
    stretches: Vec<Stretch>,
}

/// Records fixes with their own times. The time of arrival is `recorded_at`.
pub(crate) fn record_all(fixes: impl Iterator<Item = Fix>, started_at: Timestamp) -> Recorded {
    let mut recorded = Recorded { recorder: Recorder::new(started_at), stretches: vec![Stretch::default()] };
    for fix in fixes {
        let verdicts = recorded.recorder.take(&fix);
        recorded.add(verdicts);
    }
    let verdicts = recorded.recorder.settle();
    recorded.add(verdicts);
    recorded
}

impl Recorded {
    fn add(&mut self, verdicts: Vec<Verdict>) {
        let is_full = self.stretches.last().is_none_or(|stretch| items(stretch) >= BLOCK_ITEMS);
        if is_full {
            self.stretches.push(Stretch::default());
        }
        let Some(stretch) = self.stretches.last_mut() else { return };
        for verdict in verdicts {
            match verdict {
                Verdict::Accepted(fix) => stretch.fixes.push(fix),
                Verdict::Refused(refused) => stretch.refused.push(refused),
                Verdict::Invalid(_) => stretch.invalid_count += 1,
            }
        }
    }

    /// Returns the time of the last accepted fix.
    pub(crate) fn ended_at(&self) -> Option<Timestamp> {
        self.recorder.last().map(|fix| fix.fixed_at)
    }

    /// Returns the statistics.
    pub(crate) fn stats(&self) -> DriveStats {
        self.recorder.stats()
    }

    /// Adds everything to a new track as blocks.
    pub(crate) fn pack(self, track: DocId, actor: &[u8; 16], documents: &mut DocumentStore, writes: &mut WriteQueue) {
        let mut packer = BlockPacker::new(actor);
        for stretch in self.stretches {
            packer.restore(stretch);
            packer.pack(track, documents, writes);
        }
    }
}

fn items(stretch: &Stretch) -> usize {
    stretch.fixes.len() + stretch.refused.len() + stretch.invalid_count as usize
}
