//! The keys of the journal: the next one, and the ones in use.

use crate::replica::io::{KeyRange, Space};
use crate::replica::journal::{self, JournalEntry};
use crate::replica::write_queue::WriteQueue;

/// Writes journal entries, and deletes the packed ones.
#[derive(Debug)]
pub(super) struct JournalWriter {
    /// The next key.
    next: u64,
    /// The keys of the entries whose fixes the recorder holds back, ascending.
    held: Vec<u64>,
}

impl JournalWriter {
    /// Continues after the stored entries.
    pub(super) fn new(next: u64) -> JournalWriter {
        JournalWriter { next, held: Vec::new() }
    }

    /// Returns the key of the next entry.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// Queues an entry for the disk, and returns its key.
    pub(super) fn write(&mut self, entry: &JournalEntry, writes: &mut WriteQueue) -> u64 {
        let key = self.next;
        writes.put(Space::Journal, journal_key(key), journal::encode(entry));
        self.next += 1;
        key
    }

    /// Records that the fix of an entry is held.
    pub(super) fn hold(&mut self, key: u64) {
        self.held.push(key);
    }

    /// Records how many of the newest fixes are still held.
    pub(super) fn hold_only(&mut self, count: usize) {
        let decided = self.held.len().saturating_sub(count);
        self.held.drain(..decided);
    }

    /// Deletes the entries from a key on.
    pub(super) fn delete_from(&mut self, from: u64, writes: &mut WriteQueue) {
        if from < self.next {
            let (from, to) = (journal_key(from), journal_key(self.next - 1));
            writes.delete(KeyRange { space: Space::Journal, from, to });
        }
        self.held.clear();
    }

    /// Deletes packed entries. Held fixes are not packed, and their entries stay.
    pub(super) fn delete_packed(&self, writes: &mut WriteQueue) {
        let mut from = 0;
        for until in self.held.iter().copied().chain([self.next]) {
            if from < until {
                writes.delete(KeyRange { space: Space::Journal, from: journal_key(from), to: journal_key(until - 1) });
            }
            from = until + 1;
        }
    }
}

fn journal_key(index: u64) -> Vec<u8> {
    index.to_be_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replica::io::{Effect, StoreOp};

    /// Returns the keys on a disk after all queued writes.
    fn kept(writes: &mut WriteQueue) -> Vec<u64> {
        let Some(Effect::Store { ops, .. }) = writes.next(0) else { panic!("something was queued") };
        let number = |key: &[u8]| u64::from_be_bytes(key.try_into().unwrap());
        let mut keys = Vec::new();
        for op in ops {
            match op {
                StoreOp::Put(entry) => keys.push(number(&entry.key)),
                StoreOp::Delete(range) => keys.retain(|key| !(number(&range.from)..=number(&range.to)).contains(key)),
            }
        }
        keys
    }

    #[test]
    fn a_fix_that_is_held_back_stays_in_the_journal() {
        let (mut journal, mut writes) = (JournalWriter::new(10), WriteQueue::default());
        for is_held in [false, true, false, true, false] {
            let key = journal.write(&JournalEntry::Invalid, &mut writes);
            if is_held {
                journal.hold(key);
            }
        }
        journal.hold_only(1);
        journal.delete_packed(&mut writes);
        assert_eq!(kept(&mut writes), [13]);
    }

    #[test]
    fn what_came_since_a_resume_can_be_deleted_alone() {
        let (mut journal, mut writes) = (JournalWriter::new(10), WriteQueue::default());
        for _ in 0..3 {
            journal.write(&JournalEntry::Invalid, &mut writes);
        }
        journal.delete_from(11, &mut writes);
        assert_eq!(kept(&mut writes), [10]);
    }
}
