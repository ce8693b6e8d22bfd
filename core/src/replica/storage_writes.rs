//! Transactions of the write queue, and the commands and recordings that wait for them.

use crate::replica::Replica;
use crate::replica::io::{CommandOutcome, Effect, StorageFailure, Topic};
use crate::time::Now;

impl Replica {
    /// Begins the next transaction, if one may begin. Returns whether there was anything to write.
    ///
    /// The records and rows of changed documents are queued first: a transaction that has a change of a document has its
    /// record, too.
    pub(super) fn poll_writes(&mut self, now: Now) -> bool {
        let seq = self.writes.write_seq();
        self.documents.write(&mut self.writes);
        let transaction = self.writes.next(now.monotonic_ms as u64);
        let began = transaction.is_some();
        self.output.effects.extend(transaction);
        began || self.writes.write_seq() != seq
    }

    /// Handles a transaction that is on disk.
    pub(super) fn stored(&mut self, batch: u32) {
        self.writes.stored(batch);
        self.settle_commands();
        if let Some(recording) = &mut self.recording
            && recording.saved(&self.writes)
        {
            self.output.topics.insert(Topic::Recording);
        }
        if self.writes.is_idle() {
            self.output.topics.extend([Topic::Status, Topic::Drives]);
        }
    }

    /// Handles a transaction that failed. Its commands are answered; the write queue tries it again.
    pub(super) fn store_failed(&mut self, now: Now, batch: u32, failure: StorageFailure) {
        if let Some(seq) = self.writes.failed(batch, failure, now.monotonic_ms as u64) {
            let failed = self.commands.take_failed(seq).into_iter();
            let outcome = CommandOutcome::NotStored { failure };
            self.output.effects.extend(failed.map(|request| Effect::Settled { request, outcome: outcome.clone() }));
        }
        self.output.topics.insert(Topic::Status);
    }

    /// Answers the commands whose writes are on disk.
    pub(super) fn settle_commands(&mut self) {
        let settled = self.commands.take_settled(&self.writes).into_iter();
        self.output.effects.extend(settled.map(|(request, outcome)| Effect::Settled { request, outcome }));
    }
}
