//! Damaged documents: the relay's changes of them are fetched again.

use automerge::Automerge;

use crate::change::is_document;
use crate::docs::automerge_doc::{self, Unreadable};
use crate::id::DocId;
use crate::replica::documents::{DocumentStore, ShortHash, change_key, scan};
use crate::replica::io::{Space, StoredEntry};
use crate::replica::write_queue::WriteQueue;
use crate::sorted::Set;

impl DocumentStore {
    /// Handles a document that cannot be assembled from stored entries, and finds the damaged changes. Those on the
    /// relay count as missing and are fetched.
    pub(super) fn note_damage(&mut self, doc: DocId, entries: &[StoredEntry], writes: &WriteQueue) {
        self.documents.damaged(&doc);
        let whole = whole_changes(&doc, entries, writes);
        let Some(record) = self.documents.record_mut(&doc) else { return };
        for (index, short) in (0..).zip(&record.changes) {
            if !whole.contains(short) && !record.unacked.contains_key(&index) {
                record.missing.insert(*short);
            }
        }
    }

    /// Stores a damaged change again.
    pub(super) fn repair(&mut self, writes: &mut WriteQueue, doc: DocId, index: u32, chunk: Vec<u8>) {
        writes.put(Space::Change, change_key(&doc, index), chunk);
        if let Some(record) = self.documents.record_mut(&doc) {
            record.is_stored_by_itself(index);
        }
        if self.documents.record(&doc).is_some_and(|record| record.kind.policy().has_row_on_phone) {
            self.folds.push(doc);
        }
        self.unwritten.insert(doc);
    }

    /// Returns the readable part of a document: all intact changes with intact dependencies.
    pub(crate) fn readable_part(&self, doc: &DocId, entries: &[StoredEntry], writes: &WriteQueue) -> Automerge {
        let range = DocumentStore::change_range(doc);
        let stored = entries.iter().filter(|entry| range.from <= entry.key && entry.key <= range.to);
        let chunks = stored.chain(writes.pending(&range)).map(|entry| entry.value.as_slice());
        let (snapshots, changes): (Vec<_>, Vec<_>) = chunks.partition(|chunk| is_document(chunk));
        let actor = self.actor_in(doc);
        let mut document =
            automerge_doc::load(&actor, snapshots).unwrap_or_else(|Unreadable| automerge_doc::new(&actor));
        // A change that depends on a damaged one is left out.
        let _ = automerge_doc::apply(&mut document, changes.into_iter().filter(|chunk| scan(chunk).is_some()));
        document
    }
}

/// Returns the readable changes of a document.
fn whole_changes(doc: &DocId, entries: &[StoredEntry], writes: &WriteQueue) -> Set<ShortHash> {
    let range = DocumentStore::change_range(doc);
    let stored = entries.iter().filter(|entry| range.from <= entry.key && entry.key <= range.to);
    let mut whole = Set::new();
    for entry in stored.chain(writes.pending(&range)) {
        if let Some(scanned) = scan(&entry.value) {
            whole.insert(ShortHash::from(&scanned.hash));
        } else if let Ok(snapshot) = automerge_doc::load(&[0; 16], [entry.value.as_slice()]) {
            whole.extend(automerge_doc::names(&snapshot).iter().map(|(hash, _)| ShortHash::from(hash)));
        }
    }
    whole
}
