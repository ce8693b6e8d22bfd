//! Erased documents: the erasure is the only change of the record, and nothing else of the document is left here. `[X5]`

use crate::erasure::ERASURE_BYTES;
use crate::id::{ChangeHash, DocId};
use crate::projection::DocumentRow;
use crate::replica::documents::{DocumentRecord, DocumentStore, ShortHash, Unsent, change_key};
use crate::replica::io::{KeyRange, Space};
use crate::replica::write_queue::WriteQueue;
use crate::wire::DocKind;

/// A drive that was erased while documents of it may be left.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ErasedDrive {
    pub(crate) drive: DocId,
    pub(crate) track: Option<DocId>,
    pub(crate) published: Option<DocId>,
    pub(crate) renewals: u32,
}

/// The erasure of a document: its hash and its bytes.
#[derive(Clone, Debug)]
pub(crate) struct NewErasure {
    pub(crate) hash: ChangeHash,
    pub(crate) chunk: Vec<u8>,
}

impl DocumentStore {
    /// Returns whether a document is erased.
    pub(crate) fn is_erased(&self, doc: &DocId) -> bool {
        self.documents.record(doc).is_some_and(|record| record.is_erased)
    }

    /// Removes everything of a document, in memory and on disk, except its erasure. `is_on_relay` tells whether the erasure
    /// comes from the relay. `[X5]`
    pub(crate) fn erase(
        &mut self,
        writes: &mut WriteQueue,
        doc: DocId,
        kind: DocKind,
        erasure: NewErasure,
        is_on_relay: bool,
    ) {
        let NewErasure { hash, chunk } = erasure;
        if !self.is_erased(&doc) {
            self.note_erased_drive(doc);
            self.outbox.forget(&doc);
            self.folds.forget(&doc);
            self.unwritten_rows.remove(&doc);
            self.newly_to_fetch.remove(&doc);
            let relay_heads = self.documents.record(&doc).map_or_else(Vec::new, |record| record.relay_heads.clone());
            let kind = self.documents.record(&doc).map_or(kind, |record| record.kind);
            let mut record = DocumentRecord { relay_heads, is_erased: true, ..DocumentRecord::new(kind) };
            let index = record.append(&hash, &[]);
            record.heads = vec![hash];
            record.unacked.insert(index, ERASURE_BYTES as u32);
            self.documents.remove(&doc);
            self.documents.insert(doc, record);
            writes.erase(DocumentStore::change_range(&doc));
            let key = || doc.as_bytes().to_vec();
            writes.delete(KeyRange { space: Space::Row, from: key(), to: key() });
            writes.put(Space::Change, change_key(&doc, index), chunk);
            self.outbox.wait([Unsent { doc, index }]);
            self.unwritten.insert(doc);
        }
        if is_on_relay {
            self.erasure_is_on_relay(doc);
        }
    }

    /// Records that the relay has an erasure of a document whose signer is unknown here, and so nothing else of it. The document
    /// stays, and the erasure is verified again when it is fetched. `[X5]`
    pub(crate) fn await_erasure(&mut self, doc: DocId, kind: DocKind, hash: ChangeHash) {
        if self.is_erased(&doc) {
            return;
        }
        let record = self.documents.record_or_new(doc, kind);
        record.awaits_erasure = true;
        self.set_relay_heads(doc, vec![hash]);
    }

    /// Records that the relay sent a document without an erasure. Returns whether it had announced one.
    pub(crate) fn expect_no_erasure(&mut self, doc: DocId) -> bool {
        let Some(record) = self.documents.record_mut(&doc) else { return false };
        let was_awaited = std::mem::take(&mut record.awaits_erasure);
        if was_awaited {
            self.unwritten.insert(doc);
        }
        was_awaited
    }

    /// Returns the documents of which the relay has an erasure whose signer was unknown here.
    pub(crate) fn awaiting_erasure(&self) -> Vec<DocId> {
        self.documents.records().filter(|(_, record)| record.awaits_erasure).map(|(doc, _)| *doc).collect()
    }

    /// Records that the relay has the erasure of an erased document, and so nothing else of it.
    pub(super) fn erasure_is_on_relay(&mut self, doc: DocId) {
        let Some(heads) = self.documents.record(&doc).map(|record| record.heads.clone()) else { return };
        self.acknowledge(doc, 0);
        self.set_relay_heads(doc, heads);
    }

    /// Returns whether a change is the erasure of an erased document.
    pub(super) fn is_its_erasure(&self, doc: &DocId, hash: &ChangeHash) -> bool {
        self.documents.record(doc).is_some_and(|record| record.is_erased && record.heads == [*hash])
    }

    /// Takes the drives that were erased since the last call.
    pub(crate) fn take_erased_drives(&mut self) -> Vec<ErasedDrive> {
        std::mem::take(&mut self.erased_drives)
    }

    /// Returns whether [`DocumentStore::take_erased_drives`] returns any.
    pub(crate) fn has_erased_drives(&self) -> bool {
        !self.erased_drives.is_empty()
    }

    fn note_erased_drive(&mut self, drive: DocId) {
        if let Some(DocumentRow::Drive(fields)) = self.documents.row(&drive) {
            let (track, published, renewals) = (fields.track, fields.published, fields.renewals);
            self.erased_drives.push(ErasedDrive { drive, track, published, renewals });
        }
    }

    /// Records what the relay has of an erased document, which it has not erased yet. `hashes` and `heads` are all that it has.
    pub(super) fn relay_has_of_erased(&mut self, doc: DocId, heads: &[ChangeHash], hashes: &[ChangeHash]) {
        let Some(record) = self.documents.record_mut(&doc) else { return };
        let is_there =
            record.changes.first().is_some_and(|own| hashes.iter().any(|hash| ShortHash::from(hash) == *own));
        if is_there {
            return self.erasure_is_on_relay(doc);
        }
        record.unacked.insert(0, ERASURE_BYTES as u32);
        self.outbox.wait([Unsent { doc, index: 0 }]);
        self.set_relay_heads(doc, heads.to_vec());
    }
}
