//! Changes that the relay has not acknowledged: the waiting ones, their place in storage, the refused ones.

use crate::change::is_document;
use crate::docs::automerge_doc;
use crate::id::{ChangeHash, DocId};
use crate::projection::DocumentRow;
use crate::replica::documents::{DocumentRecord, DocumentStore, ShortHash, Unsent, change_key};
use crate::replica::io::{KeyRange, Space, StoredEntry};
use crate::replica::write_queue::WriteQueue;
use crate::sorted::Set;
use crate::sorting::sort_by;
use crate::wire::{DocKind, NackCode};

/// A number of changes and their total size in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ChangeTotals {
    pub(crate) changes: u32,
    pub(crate) bytes: u32,
}

impl ChangeTotals {
    /// Returns the sum.
    pub(crate) fn plus(self, other: ChangeTotals) -> ChangeTotals {
        ChangeTotals { changes: self.changes + other.changes, bytes: self.bytes + other.bytes }
    }
}

impl DocumentStore {
    /// Records that the relay refused a change.
    pub(crate) fn refuse(&mut self, unsent: Unsent, code: NackCode) {
        let Some(record) = self.documents.record_mut(&unsent.doc) else { return };
        if record.unacked.contains_key(&unsent.index) {
            self.outbox.refuse(unsent, code);
            if record.refused.replace(code) != Some(code) {
                self.unwritten.insert(unsent.doc);
            }
        }
    }

    /// Returns whether a change of the document exceeded the quota.
    pub(crate) fn is_over_quota(&self, doc: &DocId) -> bool {
        self.documents.record(doc).is_some_and(|record| record.refused == Some(NackCode::OverQuota))
    }

    /// Returns whether any of these changes of a document is neither acknowledged nor refused.
    pub(crate) fn is_still_to_be_sent(&self, doc: &DocId, hashes: &[ChangeHash]) -> bool {
        let Some(record) = self.documents.record(doc) else { return false };
        let mut places = hashes.iter().filter_map(|hash| record.position(hash));
        places.any(|index| record.unacked.contains_key(&index) && !self.outbox.is_refused(&Unsent { doc: *doc, index }))
    }

    /// Queues refused changes again, if their refusal may be temporary. `[P7]`
    pub(crate) fn offer_refused_again(&mut self) {
        let again = self.outbox.take_retriable();
        self.requeue_unsent(again);
    }

    /// Handles an unsent change that is damaged in storage. A document in memory still has it; otherwise it counts as
    /// missing.
    pub(crate) fn restore_unsent(&mut self, writes: &mut WriteQueue, unsent: Unsent) {
        let short =
            self.documents.record(&unsent.doc).and_then(|record| record.changes.get(unsent.index as usize)).copied();
        let document = self.documents.loaded(&unsent.doc);
        let chunk = document.zip(short).and_then(|(document, short)| {
            automerge_doc::chunks(document).find(|(hash, _)| ShortHash::from(hash) == short)
        });
        match chunk {
            Some((_, chunk)) => {
                writes.put(Space::Change, change_key(&unsent.doc, unsent.index), chunk);
                if let Some(record) = self.documents.record_mut(&unsent.doc) {
                    record.is_stored_by_itself(unsent.index);
                }
                self.unwritten.insert(unsent.doc);
                self.requeue_unsent([unsent]);
            }
            None => self.refuse(unsent, NackCode::Malformed),
        }
    }

    /// Takes up to `count` waiting changes of about `bytes` bytes in total: the oldest of each document first, and
    /// published copies after the drives that name them. Changes of a document with an announced snapshot that may
    /// cover them stay. Returns the ranges to read from storage and the number of the read; none if there is nothing to
    /// send.
    pub(crate) fn read_unsent(&mut self, count: usize, bytes: usize) -> Option<(u32, Vec<KeyRange>)> {
        let mut taken = Vec::new();
        let mut size = 0;
        let is_copy = |unsent: &&Unsent| self.push_order(unsent).0;
        let (others, copies) = (self.outbox.waiting().filter(|it| !is_copy(it)), self.outbox.waiting().filter(is_copy));
        let held = if self.outbox.waiting().any(|it| is_copy(&it)) { self.held_copies() } else { Set::new() };
        for next in others.chain(copies.filter(|it| !held.contains(&it.doc))) {
            let Some(record) = self.documents.record(&next.doc).filter(|record| !record.is_unclear()) else { continue };
            size += record.unacked.get(&next.index).map_or(0, |size| *size as usize);
            if taken.len() == count || (size > bytes && !taken.is_empty()) {
                break;
            }
            taken.push(*next);
        }
        if taken.is_empty() {
            return None;
        }
        let mut ranges: Vec<KeyRange> = taken.iter().map(|unsent| self.unsent_range(unsent)).collect();
        // Each snapshot is read once.
        sort_by(&mut ranges, |a, b| a.from.cmp(&b.from));
        ranges.dedup();
        Some((self.outbox.read(taken), ranges))
    }

    /// Returns the published copies that must wait until the relay has the drives that name them: a relay may refuse
    /// the drive and accept the copy of one batch, and another phone withdraws a copy that no drive names, see
    /// [`crate::replica::published_copies`].
    fn held_copies(&self) -> Set<DocId> {
        let is_new = |copy: &DocId| self.documents.record(copy).is_some_and(|record| record.unacked.contains_key(&0));
        let named_by_unsent = |(drive, row): (&DocId, &DocumentRow)| match row {
            DocumentRow::Drive(fields) => fields.published.filter(|copy| is_new(copy) && self.is_any_to_be_sent(drive)),
            _ => None,
        };
        self.documents.rows().filter_map(named_by_unsent).collect()
    }

    /// Returns whether any change of a document is neither acknowledged nor refused.
    fn is_any_to_be_sent(&self, doc: &DocId) -> bool {
        let Some(record) = self.documents.record(doc) else { return false };
        record.unacked_places().any(|index| !self.outbox.is_refused(&Unsent { doc: *doc, index }))
    }

    /// Returns the sort key of a change in a push. A relay that has a published copy must have the drive that names it;
    /// otherwise another phone would withdraw the copy, see [`crate::replica::published_copies`].
    pub(crate) fn push_order(&self, unsent: &Unsent) -> (bool, Unsent) {
        let is_copy = |record: &DocumentRecord| record.kind == DocKind::Published;
        (self.documents.record(&unsent.doc).is_some_and(is_copy), *unsent)
    }

    /// Queues taken changes again that were not acknowledged.
    pub(crate) fn requeue_unsent(&mut self, unsent: impl IntoIterator<Item = Unsent>) {
        let unacked: Vec<Unsent> = unsent.into_iter().filter(|item| self.is_unacked(item)).collect();
        self.outbox.wait(unacked);
    }

    /// Returns whether the relay has not acknowledged a change.
    pub(super) fn is_unacked(&self, item: &Unsent) -> bool {
        self.documents.record(&item.doc).is_some_and(|record| record.unacked.contains_key(&item.index))
    }

    /// Queues all changes in flight again after the connection closed. `[P6]`
    pub(crate) fn give_back_all(&mut self) {
        let unsent = self.outbox.take_all_under_way();
        self.requeue_unsent(unsent);
    }

    /// Returns the key range of an unsent change: its own key or, if a relay lost it, perhaps a snapshot.
    pub(super) fn unsent_range(&self, unsent: &Unsent) -> KeyRange {
        let is_inside = |(first, last): &(u32, u32)| (*first..=*last).contains(&unsent.index);
        let record = self.documents.record(&unsent.doc);
        let is_in_snapshot = record.is_some_and(|record| record.in_snapshot.iter().any(is_inside));
        if is_in_snapshot {
            return self.snapshots(&unsent.doc);
        }
        let key = change_key(&unsent.doc, unsent.index);
        KeyRange { space: Space::Change, from: key.clone(), to: key }
    }

    /// Records the stored size of an unsent change; a relay that lost it did not report it.
    pub(crate) fn set_unsent_size(&mut self, unsent: &Unsent, bytes: u32) {
        let record = self.documents.record_mut(&unsent.doc);
        if let Some(size) = record.and_then(|record| record.unacked.get_mut(&unsent.index)) {
            *size = bytes;
        }
    }

    /// Returns the changes among `wanted` in a stored entry, with their chunks: one, or several of a snapshot.
    pub(crate) fn unsent_in(&self, entry: &StoredEntry, wanted: &Set<Unsent>) -> Vec<(Unsent, Vec<u8>)> {
        let Some(unsent) = unsent_at(&entry.key) else { return Vec::new() };
        if !is_document(&entry.value) {
            return wanted.get(&unsent).map(|unsent| (*unsent, entry.value.clone())).into_iter().collect();
        }
        let (Some(record), Ok(document)) =
            (self.documents.record(&unsent.doc), automerge_doc::load(&self.actor, [&entry.value[..]]))
        else {
            return Vec::new();
        };
        let found = |(hash, chunk)| {
            let unsent = Unsent { doc: unsent.doc, index: record.position(&hash)? };
            Some((*wanted.get(&unsent)?, chunk))
        };
        automerge_doc::chunks(&document).filter_map(found).collect()
    }
}

/// Returns the change stored under a key.
pub(super) fn unsent_at(key: &[u8]) -> Option<Unsent> {
    let (doc, index) = key.split_first_chunk::<16>()?;
    Some(Unsent { doc: DocId::from_bytes(*doc), index: u32::from_be_bytes(index.try_into().ok()?) })
}
