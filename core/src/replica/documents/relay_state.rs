//! The known state of each document on the relay: acknowledged changes, heads, and changes that are missing here.

use crate::change;
use crate::id::{ChangeHash, DocId};
use crate::kind::Reconciler;
use crate::replica::documents::snapshot::AnnouncedSnapshot;
use crate::replica::documents::{DocumentEvent, DocumentRecord, DocumentStore, MissingChanges, ShortHash, Unsent};
use crate::sorted::Set;
use crate::wire::{DocHistory, DocKind};

impl DocumentStore {
    /// Returns the changes of a document that the relay has and this phone lacks.
    pub(crate) fn missing_changes(&self, doc: &DocId) -> MissingChanges {
        let lack = |record: &DocumentRecord| MissingChanges {
            missing: record.missing.clone(),
            announced: record.announced.clone(),
        };
        self.documents.record(doc).map(lack).unwrap_or_default()
    }

    /// Records that a fetch is complete, with the changes that were missing when it began. Changes that are still
    /// missing exist nowhere. Returns whether other changes are missing.
    pub(crate) fn note_fetched(&mut self, doc: DocId, lacked: &MissingChanges) -> bool {
        let Some(record) = self.documents.record_mut(&doc) else { return false };
        let before = (record.missing.len(), record.announced.is_some());
        record.missing.retain(|hash| !lacked.missing.contains(hash));
        record.announced.take_if(|announced| lacked.announced.as_ref() == Some(announced));
        let lacks_any = record.lacks_any();
        if (record.missing.len(), record.announced.is_some()) != before {
            self.unwritten.insert(doc);
        }
        lacks_any
    }

    /// Records that the relay has a change, unless that is known.
    ///
    /// Unknown changes of a document must come in the order of the log.
    pub(crate) fn relay_has(&mut self, doc: DocId, kind: DocKind, hash: &ChangeHash, deps: &[ChangeHash]) {
        if let Some(mut heads) = self.note_on_relay(doc, kind, hash) {
            change::advance_heads(&mut heads, deps, *hash);
            // The relay has its dependencies, too. If the phone did not know that, a fetch tells which changes the
            // relay has: recorded separately, an earlier change would become a head again. `[C5]`
            let record = self.documents.record_mut(&doc).expect("it was taken note of");
            if record.announced.is_none() && !deps.iter().all(|dep| record.is_on_relay(dep)) {
                let changes = deps.len() as u32;
                record.announced = Some(AnnouncedSnapshot { heads: heads.clone(), changes, earlier: Vec::new() });
            }
            self.set_relay_heads(doc, heads);
        }
    }

    /// Records that changes on the relay depend on these changes. An acknowledgement that came earlier made heads of
    /// them. `[C5]`
    pub(super) fn remove_relay_heads(&mut self, doc: DocId, hashes: &[ChangeHash]) {
        let is_head = |head: &ChangeHash| !hashes.contains(head);
        let Some(record) = self.documents.record(&doc) else { return };
        if !record.relay_heads.iter().all(is_head) {
            let heads = record.relay_heads.iter().copied().filter(is_head).collect();
            self.set_relay_heads(doc, heads);
        }
    }

    /// Records that the relay has a change. Returns the earlier heads on the relay, if the change was unknown there.
    pub(super) fn note_on_relay(&mut self, doc: DocId, kind: DocKind, hash: &ChangeHash) -> Option<Vec<ChangeHash>> {
        let record = self.documents.record_or_new(doc, kind);
        if record.is_on_relay(hash) {
            return None;
        }
        self.unwritten.insert(doc);
        let heads = record.relay_heads.clone();
        match record.position(hash) {
            Some(index) => self.acknowledge(doc, index),
            None => drop(record.missing.insert(ShortHash::from(hash))),
        }
        Some(heads)
    }

    /// Records that the relay has the change at this position of a document.
    pub(super) fn acknowledge(&mut self, doc: DocId, index: u32) {
        if let Some(record) = self.documents.record_mut(&doc) {
            record.unacked.remove(&index);
        }
        self.outbox.acknowledge(&Unsent { doc, index });
    }

    /// Replaces the known state of a document on the relay.
    pub(crate) fn relay_has_exactly(&mut self, history: &DocHistory) {
        let doc = history.doc;
        let Some(kind) = history.kind.or_else(|| self.documents.record(&doc).map(|record| record.kind)) else {
            return;
        };
        let record = self.documents.record_or_new(doc, kind);
        let mut theirs = Set::new();
        theirs.extend(history.hashes.iter().map(ShortHash::from));
        for (index, short) in (0..).zip(&record.changes) {
            if theirs.contains(short) {
                record.unacked.remove(&index);
                self.outbox.acknowledge(&Unsent { doc, index });
            } else {
                // The size is read when the change is sent.
                record.unacked.entry(index).or_insert(0);
                self.outbox.wait([Unsent { doc, index }]);
            }
        }
        let mut ours = Set::new();
        ours.extend(record.changes.iter().copied());
        // Damaged changes count as missing, too.
        let is_missing = |short: &ShortHash| !ours.contains(short) || record.missing.contains(short);
        theirs.retain(is_missing);
        record.missing = theirs;
        record.announced = None;
        self.set_relay_heads(doc, history.heads.clone());
    }

    /// Returns whether changes are missing of a document that this phone keeps in full, or that must be complete before
    /// a push.
    pub(crate) fn must_fetch(&self, doc: &DocId) -> bool {
        self.documents.record(doc).is_some_and(DocumentRecord::must_fetch)
    }

    /// Returns the documents to fetch.
    pub(crate) fn docs_to_fetch(&self) -> Vec<DocId> {
        self.documents.records().filter(|(_, record)| record.must_fetch()).map(|(doc, _)| *doc).collect()
    }

    /// Takes the documents of which something must be fetched since their records changed: also those to which this phone
    /// added a change while the relay has a snapshot that is not here.
    pub(crate) fn take_newly_to_fetch(&mut self) -> Vec<DocId> {
        self.newly_to_fetch.take().into_iter().filter(|doc| self.must_fetch(doc)).collect()
    }

    pub(super) fn set_relay_heads(&mut self, doc: DocId, heads: Vec<ChangeHash>) {
        let record = self.documents.record_mut(&doc).expect("the caller looked it up");
        self.digest.replace(&doc, &record.relay_heads, &heads);
        record.relay_heads = heads;
        record.clear_refusal();
        if record.kind.policy().reconciled == Some(Reconciler::DriveStats) && record.needs_alignment() {
            self.events.insert(DocumentEvent::Merged(doc));
        }
        self.unwritten.insert(doc);
    }
}
