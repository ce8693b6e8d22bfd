//! The queue of storage operations: one transaction at a time, retried until it succeeds.
//!
//! A failed transaction returns to the front of the queue, together with everything queued after it.

use crate::replica::io::{Effect, KeyRange, Space, StorageFailure, StoreOp, StoredEntry};

const FIRST_RETRY_MS: u64 = 1_000;
const LAST_RETRY_MS: u64 = 5_000;

/// The sequence number of the last operation queued at some moment. It is durable when all operations up to it are on
/// disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct WriteSeq(u64);

/// The write queue.
#[derive(Debug, Default)]
pub(crate) struct WriteQueue {
    batch: u32,
    in_flight: Option<Vec<StoreOp>>,
    queued: Vec<StoreOp>,
    /// Number of operations queued since the start, and number of those on disk.
    issued: u64,
    durable: u64,
    failure: Option<(StorageFailure, u64)>,
    retry_in_ms: u64,
    /// The deletion that may be tried alone, see [`WriteQueue::delete_independently`], and whether it is in flight alone.
    independent: Option<KeyRange>,
    is_alone: bool,
    /// Whether the injected fault splits transactions.
    #[cfg(feature = "faults")]
    splits: bool,
}

impl WriteQueue {
    /// Queues a write of a key.
    pub(crate) fn put(&mut self, space: Space, key: Vec<u8>, value: Vec<u8>) {
        let is_covered = |range: &KeyRange| range.space == space && range.from <= key && key <= range.to;
        if self.independent.as_ref().is_some_and(is_covered) {
            self.independent = None;
        }
        self.push(StoreOp::Put(StoredEntry { space, key, value }));
    }

    /// Queues the deletion of all keys in a range.
    pub(crate) fn delete(&mut self, range: KeyRange) {
        self.push(StoreOp::Delete(range));
    }

    /// Queues a deletion that no other operation depends on. After a failed transaction it is tried in one of its own: a
    /// full disk may accept it.
    pub(crate) fn delete_independently(&mut self, range: KeyRange) {
        self.delete(range.clone());
        self.independent = Some(range);
    }

    fn push(&mut self, op: StoreOp) {
        self.queued.push(op);
        self.issued += 1;
    }

    /// Returns the sequence number of the last queued operation.
    pub(crate) fn write_seq(&self) -> WriteSeq {
        WriteSeq(self.issued)
    }

    /// Returns the sequence number of the last operation on disk.
    pub(crate) fn durable_seq(&self) -> WriteSeq {
        WriteSeq(self.durable)
    }

    /// Returns whether all operations up to a sequence number are on disk.
    pub(crate) fn is_durable(&self, seq: WriteSeq) -> bool {
        seq.0 <= self.durable
    }

    /// Returns whether all operations are on disk.
    pub(crate) fn is_idle(&self) -> bool {
        self.durable == self.issued
    }

    /// Returns the failure of the last attempt, if it failed.
    pub(crate) fn failure(&self) -> Option<StorageFailure> {
        self.failure.map(|(failure, _)| failure)
    }

    /// Returns the queued values of the keys in a range that may not be on disk.
    pub(crate) fn pending<'a>(&'a self, range: &'a KeyRange) -> impl Iterator<Item = &'a StoredEntry> {
        self.in_flight.iter().flatten().chain(&self.queued).filter_map(move |op| match op {
            StoreOp::Put(entry) => {
                (entry.space == range.space && range.from <= entry.key && entry.key <= range.to).then_some(entry)
            }
            StoreOp::Delete(_) => None,
        })
    }

    /// Returns the next transaction, if one may begin.
    pub(crate) fn next(&mut self, now_ms: u64) -> Option<Effect> {
        let waits = self.failure.is_some_and(|(_, retry_at)| now_ms < retry_at);
        if self.in_flight.is_some() || self.queued.is_empty() || waits {
            return None;
        }
        self.batch += 1;
        // Its own operation stays in the queue, so that the order and the numbers of all others stay.
        let alone = self.independent.clone().filter(|_| self.failure.is_some() && !self.is_alone);
        self.is_alone = alone.is_some();
        if let Some(range) = alone {
            self.in_flight = Some(Vec::new());
            return Some(Effect::Store { batch: self.batch, ops: vec![StoreOp::Delete(range)] });
        }
        let ops = self.take_queued();
        self.in_flight = Some(ops.clone());
        Some(Effect::Store { batch: self.batch, ops })
    }

    #[cfg(not(feature = "faults"))]
    fn take_queued(&mut self) -> Vec<StoreOp> {
        std::mem::take(&mut self.queued)
    }

    /// Records that a transaction is on disk. Answers to other transactions are ignored.
    pub(crate) fn stored(&mut self, batch: u32) {
        if batch == self.batch
            && let Some(ops) = self.in_flight.take()
        {
            self.durable += ops.len() as u64;
            self.failure = None;
            self.retry_in_ms = 0;
            if std::mem::take(&mut self.is_alone) || self.is_idle() {
                self.independent = None;
            }
        }
    }

    /// Records that a transaction failed. Returns the sequence number of its last operation.
    pub(crate) fn failed(&mut self, batch: u32, failure: StorageFailure, now_ms: u64) -> Option<WriteSeq> {
        let mut ops = if batch == self.batch { self.in_flight.take()? } else { return None };
        let seq = WriteSeq(self.durable + ops.len() as u64);
        ops.append(&mut self.queued);
        self.queued = ops;
        self.retry_in_ms = (self.retry_in_ms * 2).clamp(FIRST_RETRY_MS, LAST_RETRY_MS);
        self.failure = Some((failure, now_ms + self.retry_in_ms));
        Some(seq)
    }

    /// Retries a failed transaction immediately: the user returned and may have freed space.
    pub(crate) fn retry_now(&mut self, now_ms: u64) {
        if let Some((_, retry_at)) = &mut self.failure {
            *retry_at = now_ms.min(*retry_at);
        }
    }

    /// Returns when a failed transaction is retried, and the reason.
    pub(crate) fn next_deadline(&self) -> Option<(u64, &'static str)> {
        let (_, retry_at) = self.failure.filter(|_| self.in_flight.is_none())?;
        Some((retry_at, "try a failed transaction again"))
    }

    /// Checks what holds after every event: each operation is on disk, in flight or queued, and a queued one is behind a
    /// transaction or will be tried again.
    pub(crate) fn check_invariants(&self) -> Result<(), String> {
        let in_flight = self.in_flight.as_ref().map_or(0, Vec::len);
        if self.issued - self.durable != (in_flight + self.queued.len()) as u64 {
            return Err("a write is neither on disk nor on its way".to_owned());
        }
        if !self.queued.is_empty() && self.in_flight.is_none() && self.failure.is_none() {
            return Err(format!("{} writes wait for no transaction", self.queued.len()));
        }
        Ok(())
    }
}

#[cfg(feature = "faults")]
impl WriteQueue {
    /// Drops the operations of the transaction that is in flight.
    pub(crate) fn forget_transaction(&mut self) {
        self.in_flight = None;
    }

    /// Makes a transaction of each operation.
    pub(crate) fn split_transactions(&mut self, splits: bool) {
        self.splits = splits;
    }

    fn take_queued(&mut self) -> Vec<StoreOp> {
        let mut ops = std::mem::take(&mut self.queued);
        if self.splits && ops.len() > 1 {
            self.queued = ops.split_off(1);
        }
        ops
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(writes: &mut WriteQueue, key: u8) {
        writes.put(Space::Meta, vec![key], vec![key]);
    }

    fn keys(effect: Option<Effect>) -> Vec<u8> {
        match effect {
            Some(Effect::Store { ops, .. }) => ops
                .into_iter()
                .map(|op| match op {
                    StoreOp::Put(entry) => entry.key[0],
                    StoreOp::Delete(range) => range.from[0],
                })
                .collect(),
            _ => Vec::new(),
        }
    }

    #[test]
    fn one_transaction_is_under_way_at_a_time_and_holds_all_that_waited() {
        let mut writes = WriteQueue::default();
        put(&mut writes, 1);
        assert_eq!(keys(writes.next(0)), [1]);
        put(&mut writes, 2);
        put(&mut writes, 3);
        let seq = writes.write_seq();
        assert!(keys(writes.next(0)).is_empty());
        writes.stored(1);
        assert!(!writes.is_durable(seq));
        assert_eq!(keys(writes.next(0)), [2, 3]);
        writes.stored(2);
        assert!(writes.is_durable(seq) && writes.is_idle());
    }

    #[test]
    fn a_failed_transaction_is_tried_again_in_order_with_what_came_since() {
        let mut writes = WriteQueue::default();
        put(&mut writes, 1);
        let first = writes.write_seq();
        writes.next(0);
        put(&mut writes, 2);
        assert_eq!(writes.failed(1, StorageFailure::QuotaExceeded, 0), Some(first));
        assert_eq!(writes.failure(), Some(StorageFailure::QuotaExceeded));
        assert!(keys(writes.next(FIRST_RETRY_MS - 1)).is_empty());
        assert_eq!(keys(writes.next(FIRST_RETRY_MS)), [1, 2]);
        writes.stored(1);
        assert!(!writes.is_idle(), "the answer to the transaction that failed is not taken for the new one's");
        writes.stored(2);
        assert!(writes.is_idle() && writes.failure().is_none());
    }

    #[test]
    fn a_failed_transaction_is_tried_at_once_when_somebody_is_there() {
        let mut writes = WriteQueue::default();
        put(&mut writes, 1);
        writes.next(0);
        writes.failed(1, StorageFailure::QuotaExceeded, 0);
        assert_eq!(writes.next_deadline().map(|(due, _)| due), Some(FIRST_RETRY_MS));
        writes.retry_now(10);
        assert_eq!(keys(writes.next(10)), [1]);
        writes.failed(2, StorageFailure::QuotaExceeded, 10);
        assert_eq!(writes.next_deadline().map(|(due, _)| due), Some(10 + 2 * FIRST_RETRY_MS));
    }

    #[test]
    fn after_a_failure_an_independent_deletion_is_tried_alone_and_then_everything_again() {
        let mut writes = WriteQueue::default();
        put(&mut writes, 1);
        writes.delete_independently(KeyRange { space: Space::Meta, from: vec![9], to: vec![9] });
        assert_eq!(keys(writes.next(0)), [1, 9]);
        writes.failed(1, StorageFailure::QuotaExceeded, 0);
        assert_eq!(keys(writes.next(1_000)), [9], "alone");
        writes.failed(2, StorageFailure::QuotaExceeded, 1_000);
        assert_eq!(keys(writes.next(10_000)), [1, 9]);
        writes.failed(3, StorageFailure::QuotaExceeded, 10_000);
        assert_eq!(keys(writes.next(20_000)), [9]);
        writes.stored(4);
        assert!(!writes.is_idle(), "the others are not on disk");
        assert_eq!(keys(writes.next(20_000)), [1, 9]);
        writes.stored(5);
        assert!(writes.is_idle() && writes.next(20_000).is_none());
        writes.delete_independently(KeyRange { space: Space::Meta, from: vec![9], to: vec![9] });
        put(&mut writes, 9);
        assert_eq!(keys(writes.next(20_000)), [9, 9]);
        writes.failed(6, StorageFailure::QuotaExceeded, 20_000);
        assert_eq!(keys(writes.next(30_000)), [9, 9], "the key was set again");
    }
}
