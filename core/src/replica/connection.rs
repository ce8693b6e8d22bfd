//! Connects the sync client with the other components: performs its effects, and reports what it changed.

use crate::replica::Replica;
use crate::replica::io::{Effect, Topic};
use crate::replica::output::DOCUMENT_TOPICS;
use crate::replica::signing::Signing;
use crate::replica::storage_reads::StorageRead;
use crate::replica::sync_client::{SyncClient, SyncContext, SyncEffect};
use crate::time::Now;

impl Replica {
    /// Runs the sync client after an input and performs its effects.
    pub(super) fn with_sync_client(
        &mut self,
        now: Now,
        work: impl FnOnce(&mut SyncClient, &mut SyncContext<'_>) -> Vec<SyncEffect>,
    ) {
        let random = self.device.random();
        self.run_sync_client(now, random, work);
    }

    fn run_sync_client(
        &mut self,
        now: Now,
        random: u64,
        work: impl FnOnce(&mut SyncClient, &mut SyncContext<'_>) -> Vec<SyncEffect>,
    ) {
        let (before, was_under_way) =
            (self.sync_client.status(&self.documents), self.sync_client.under_way(&self.documents));
        let mut context = SyncContext {
            documents: &mut self.documents,
            membership: &mut self.membership,
            writes: &mut self.writes,
            now_ms: now.monotonic_ms as u64,
            wall: now.wall,
            random,
        };
        let seq = context.writes.write_seq();
        let effects = work(&mut self.sync_client, &mut context);
        context.documents.write(context.writes);
        if self.writes.write_seq() != seq {
            self.output.topics.extend(DOCUMENT_TOPICS);
            self.output.topics.insert(Topic::Status);
        }
        if self.sync_client.status(&self.documents) != before {
            self.output.topics.insert(Topic::Status);
        }
        if self.sync_client.under_way(&self.documents) != was_under_way {
            self.output.topics.extend([Topic::Drives, Topic::Status]);
        }
        for effect in effects {
            self.perform(now, effect);
        }
    }

    fn perform(&mut self, now: Now, effect: SyncEffect) {
        match effect {
            SyncEffect::Send(bytes) => self.output.effects.push(Effect::Send { bytes }),
            SyncEffect::Sign(bytes) => {
                // A signature that arrives later belongs to a closed connection.
                self.device.signatures.forget_proof();
                self.sign(bytes, Signing::Proof);
            }
            SyncEffect::Disconnect => {
                self.output.effects.push(Effect::Disconnect);
                self.retry_fetches(now);
            }
            SyncEffect::MembersChanged => {
                self.output.topics.insert(Topic::Members);
            }
            SyncEffect::Fetched => self.retry_fetches(now),
        }
    }

    /// Handles a closed connection.
    pub(super) fn disconnected(&mut self, now: Now) {
        self.with_sync_client(now, |sync_client, context| {
            sync_client.disconnected(context);
            Vec::new()
        });
        self.retry_fetches(now);
    }

    /// Retries what waits for a document from the relay.
    fn retry_fetches(&mut self, now: Now) {
        self.read_recovering();
        self.retry_waiting(now);
    }

    /// Connects if that is due, and sends messages. Returns whether there was anything to do.
    pub(super) fn poll_sync_client(&mut self, now: Now, random: u64) -> bool {
        let seq = self.writes.write_seq();
        let connects = self.sync_client.should_connect(now.monotonic_ms as u64);
        if connects {
            self.output.effects.push(Effect::Connect);
            self.output.topics.insert(Topic::Status);
        }
        let (mut reading, mut sends) = (None, false);
        self.run_sync_client(now, random, |sync_client, context| {
            let (effects, read) = sync_client.poll(context);
            (reading, sends) = (read, !effects.is_empty());
            effects
        });
        let reads = reading.is_some();
        if let Some((number, ranges)) = reading {
            let request = self.output.load(ranges);
            self.reads.begin(request, StorageRead::Push(number));
        }
        connects || sends || reads || self.writes.write_seq() != seq
    }
}
