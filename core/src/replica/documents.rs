//! The phone's documents: the record of each, the ones in memory, and the rows projected from them.
//!
//! Each change, local or remote, passes through here exactly once: it is queued for the disk, the document's record is
//! updated, and the row is folded again. The document store is independent of where changes come from.

mod damage;
mod document;
mod fold_queue;
mod invariants;
mod outbox;
mod record;
mod relay_state;
mod rows;
mod snapshot;
#[cfg(test)]
mod tests;
mod unsent;

use automerge::Automerge;
use minicbor::Encode;
use sha2::{Digest as _, Sha256};

use self::document::Documents;
use self::fold_queue::FoldQueue;
use self::outbox::Outbox;
pub(crate) use self::outbox::{InFlight, Unsent};
use self::record::ShortHash;
pub(crate) use self::record::{DocumentRecord, MissingChanges};
use self::rows::StoredRow;
pub(crate) use self::unsent::ChangeTotals;
use crate::change::{self, ChangeLimits, ScannedChange};
use crate::digest::Digest;
use crate::docs;
use crate::docs::automerge_doc::{self, NewChange, Unreadable};
use crate::id::{ChangeHash, DocId};
use crate::kind::Reconciler;
use crate::projection::DocumentRow;
use crate::replica::io::{KeyRange, Space, StoredEntry};
use crate::replica::write_queue::{WriteQueue, WriteSeq};
use crate::sorted::Set;
use crate::track::Stretch;
use crate::wire::DocKind;

/// Maximum number of unused documents in memory.
const KEEP_LOADED: usize = 16;

/// The document store.
#[derive(Debug)]
pub(crate) struct DocumentStore {
    /// The actor of this start of the app; see [`DocumentStore::actor_in`].
    actor: [u8; 16],
    documents: Documents,
    folds: FoldQueue,
    /// The events that the reconcilers have not taken.
    events: Set<DocumentEvent>,
    /// Documents whose changed records are not queued for the disk; see [`DocumentStore::write`].
    unwritten: Set<DocId>,
    /// Documents whose changed rows are not queued for the disk.
    unwritten_rows: Set<DocId>,
    /// Changes that the relay has not acknowledged.
    pub(crate) outbox: Outbox,
    /// Documents whose records changed and of which something must be fetched; see [`DocumentStore::must_fetch`].
    newly_to_fetch: Set<DocId>,
    digest: Digest,
}

/// An event of a document that concerns a reconciler.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum DocumentEvent {
    /// A drive, a track or a published copy has changes of two devices, or a drive with a published copy changed
    /// remotely.
    Merged(DocId),
    /// A drive has changes of two devices.
    Concurrent(DocId),
    /// A drive or a published copy changed remotely, and the two were not compared with each other.
    Changed(DocId),
    /// The row of a track was folded.
    TrackFolded(DocId),
}

impl DocumentStore {
    /// Opens the document store from stored entries. Unreadable entries are left out; the relay has their documents.
    pub(crate) fn open(actor: [u8; 16], stored: &[StoredEntry]) -> DocumentStore {
        let mut documents = DocumentStore {
            actor,
            documents: Documents::default(),
            folds: FoldQueue::default(),
            events: Set::new(),
            unwritten: Set::new(),
            unwritten_rows: Set::new(),
            outbox: Outbox::default(),
            newly_to_fetch: Set::new(),
            digest: Digest::default(),
        };
        let id = |entry: &StoredEntry| entry.key.as_slice().try_into().ok().map(DocId::from_bytes);
        for entry in stored.iter().filter(|entry| entry.space == Space::Doc) {
            let (Some(doc), Ok(record)) = (id(entry), minicbor::decode::<DocumentRecord>(&entry.value)) else {
                continue;
            };
            documents.digest.replace(&doc, &[], &record.relay_heads);
            documents.outbox.wait(record.unacked.keys().map(|index| Unsent { doc, index: *index }));
            if record.kind.policy().has_row_on_phone && record.is_here() {
                documents.folds.push(doc);
            }
            if record.needs_alignment() {
                documents.events.insert(DocumentEvent::Merged(doc));
            }
            if record.is_unchecked {
                documents.events.insert(DocumentEvent::Changed(doc));
            }
            documents.documents.insert(doc, record);
        }
        for entry in stored.iter().filter(|entry| entry.space == Space::Row) {
            let (Some(doc), Ok(stored)) = (id(entry), minicbor::decode::<StoredRow>(&entry.value)) else { continue };
            if documents.documents.record(&doc).is_some_and(|record| stored.is_fresh(&record.heads)) {
                documents.folds.remove(&doc);
            }
            if rows::is_contested(&stored.row) {
                documents.events.insert(DocumentEvent::Merged(doc));
            }
            // A row is shown even if the record is damaged, since the relay may have the document.
            documents.documents.record_or_new(doc, stored.row.kind());
            documents.documents.set_row(&doc, Some(stored.row));
        }
        documents
    }

    /// Returns the records of all documents, ascending.
    pub(crate) fn records(&self) -> impl Iterator<Item = (&DocId, &DocumentRecord)> + Clone {
        self.documents.records()
    }

    /// Returns the records from a document on, ascending.
    pub(crate) fn records_from(&self, from: DocId) -> impl Iterator<Item = (&DocId, &DocumentRecord)> {
        self.documents.records_from(from)
    }

    /// Returns the record of a document.
    pub(crate) fn record(&self, doc: &DocId) -> Option<&DocumentRecord> {
        self.documents.record(doc)
    }

    /// Returns the digest of everything that the relay is known to have.
    pub(crate) fn digest(&self) -> Digest {
        self.digest
    }

    /// Returns whether all writes of the document are on disk.
    pub(crate) fn is_durable(&self, doc: &DocId, writes: &WriteQueue) -> bool {
        !self.unwritten.contains(doc) && self.documents.last_write(doc).is_none_or(|seq| writes.is_durable(seq))
    }

    /// Returns whether the document is in memory.
    pub(crate) fn is_loaded(&self, doc: &DocId) -> bool {
        self.documents.loaded(doc).is_some()
    }

    /// Returns the document, if it is in memory.
    pub(crate) fn loaded(&mut self, doc: &DocId) -> Option<&mut Automerge> {
        self.documents.loaded_mut(doc)
    }

    /// Returns whether anything happened that concerns the reconcilers.
    pub(crate) fn has_events(&self) -> bool {
        !self.events.is_empty()
    }

    /// Returns a document that is in memory, to look at.
    pub(crate) fn peek(&self, doc: &DocId) -> Option<&Automerge> {
        self.documents.loaded(doc)
    }

    /// Takes what concerns the reconcilers and happened since the last call.
    pub(crate) fn take_events(&mut self) -> Vec<DocumentEvent> {
        self.events.take()
    }

    /// Returns the stretches of a track; none if it is not in memory.
    pub(crate) fn stretches(&mut self, track: &DocId) -> Vec<Stretch> {
        self.loaded(track).map(|track| docs::track::stretches(track)).unwrap_or_default()
    }

    /// Records that a drive was compared with its published copy, or that a copy without a drive was withdrawn.
    pub(crate) fn checked(&mut self, docs: impl IntoIterator<Item = DocId>) {
        for doc in docs {
            let Some(record) = self.documents.record_mut(&doc).filter(|record| record.is_unchecked) else { continue };
            record.is_unchecked = false;
            self.unwritten.insert(doc);
        }
    }

    /// Records a remote change of a document.
    fn note_remote_change(&mut self, doc: DocId) {
        let Some(record) = self.documents.record_mut(&doc) else { return };
        let (kind, is_merged) = (record.kind, record.needs_alignment());
        if kind.policy().reconciled == Some(Reconciler::PublishedCopy) {
            record.is_unchecked = true;
            self.events.insert(DocumentEvent::Changed(doc));
        }
        // The device that changed the drive also changed its copy, perhaps before this phone did. The copy follows the
        // drive.
        let has_copy =
            matches!(self.documents.row(&doc), Some(DocumentRow::Drive(fields)) if fields.published.is_some());
        if is_merged && kind == DocKind::Drive {
            self.events.insert(DocumentEvent::Concurrent(doc));
        }
        if is_merged || has_copy {
            self.events.insert(DocumentEvent::Merged(doc));
        }
        // Another device may have recorded after it received the end of the drive.
        if let Some(DocumentRow::Drive(fields)) = self.documents.row(&doc) {
            let meets = |track: &DocId| self.documents.record(track).is_some_and(DocumentRecord::needs_alignment);
            self.events.extend(fields.track.filter(meets).map(DocumentEvent::Merged));
        }
    }

    /// Returns whether the stored content of the document is unreadable.
    pub(crate) fn is_unreadable(&self, doc: &DocId) -> bool {
        self.documents.is_unreadable(doc)
    }

    /// Quarantines a document until it receives a new change.
    pub(crate) fn quarantine(&mut self, doc: DocId) {
        self.documents.damaged(&doc);
    }

    /// Returns the key range of a document's changes.
    pub(crate) fn change_range(doc: &DocId) -> KeyRange {
        KeyRange { space: Space::Change, from: change_key(doc, 0), to: change_key(doc, u32::MAX) }
    }

    /// Creates an empty document in memory. It exists once its first change is added.
    pub(crate) fn create(&mut self, doc: DocId, kind: DocKind) -> &mut Automerge {
        self.documents.record_or_new(doc, kind);
        let actor = self.actor_in(&doc);
        if self.documents.loaded(&doc).is_none() {
            self.documents.load(doc, automerge_doc::new(&actor));
        }
        self.documents.loaded_mut(&doc).expect("it was loaded above")
    }

    /// Discards a document from [`DocumentStore::create`] that has no change yet.
    pub(crate) fn discard_new(&mut self, doc: &DocId) {
        self.documents.remove(doc);
    }

    /// Loads a document from the stored chunks and from those in the write queue.
    ///
    /// `since` is the durable write sequence number at the start of the read. Returns whether the read is complete;
    /// otherwise a write finished during the read, and the document must be read again.
    pub(crate) fn load(&mut self, doc: DocId, entries: &[StoredEntry], writes: &WriteQueue, since: WriteSeq) -> bool {
        if self.documents.loaded(&doc).is_some() {
            return true;
        }
        match self.assemble(&doc, entries, writes) {
            Ok(document) => {
                self.documents.repaired(&doc);
                self.documents.load(doc, document);
                if !self.has_fresh_track_row(&doc) {
                    self.refold(doc);
                }
            }
            Err(Unreadable) if self.was_written_since(&doc, since) => return false,
            Err(Unreadable) => self.note_damage(doc, entries, writes),
        }
        true
    }

    fn was_written_since(&self, doc: &DocId, since: WriteSeq) -> bool {
        self.unwritten.contains(doc) || self.documents.last_write(doc).is_some_and(|last| last > since)
    }

    /// Assembles the document with every change in the record.
    fn assemble(&self, doc: &DocId, entries: &[StoredEntry], writes: &WriteQueue) -> Result<Automerge, Unreadable> {
        let range = DocumentStore::change_range(doc);
        let stored = entries.iter().filter(|entry| range.from <= entry.key && entry.key <= range.to);
        let chunks = stored.chain(writes.pending(&range)).map(|entry| entry.value.as_slice());
        let document = automerge_doc::load(&self.actor_in(doc), chunks)?;
        // A damaged record does not tell which changes the document has.
        let is_whole = self.documents.record(doc).is_some_and(|record| automerge_doc::heads(&document) == record.heads);
        if is_whole { Ok(document) } else { Err(Unreadable) }
    }

    /// Returns the actor of this start for one document: the device's eight bytes, then eight of the document. A common
    /// actor would give equal first changes of two documents the same hash.
    fn actor_in(&self, doc: &DocId) -> [u8; 16] {
        let mut actor = self.actor;
        let digest = Sha256::new().chain_update(self.actor).chain_update(doc.as_bytes()).finalize();
        actor[8..].copy_from_slice(&digest[..8]);
        actor
    }

    /// Evicts documents from memory, except those in use.
    pub(crate) fn evict(&mut self, in_use: &Set<DocId>) {
        let idle: Vec<DocId> =
            self.documents.loaded_ids().iter().copied().filter(|doc| !in_use.contains(doc)).collect();
        for doc in &idle[..idle.len().saturating_sub(KEEP_LOADED)] {
            self.documents.unload(doc);
        }
    }

    /// Adds a change that was made to a document in memory.
    pub(crate) fn add_own(&mut self, writes: &mut WriteQueue, doc: DocId, change: Option<NewChange>) {
        let Some(change) = change else { return };
        let record = self.documents.record_mut(&doc).expect("a document in memory has a record");
        let index = append(writes, &doc, record, &change.hash, &change.deps, change.chunk.clone());
        record.unacked.insert(index, change.chunk.len() as u32);
        self.outbox.wait([Unsent { doc, index }]);
        self.unwritten.insert(doc);
        let kind = record.kind;
        self.refold_soon(doc, kind);
    }

    /// Adds the next change of the log, if it is new. Returns whether the document must be fetched first: if a
    /// dependency is missing, only the hash is kept, so that stored changes depend on stored changes only.
    pub(crate) fn add_entry(
        &mut self,
        writes: &mut WriteQueue,
        doc: DocId,
        kind: DocKind,
        scanned: &ScannedChange,
        chunk: Vec<u8>,
    ) -> bool {
        let lacked_any =
            self.documents.record(&doc).is_some_and(DocumentRecord::lacks_any) || !self.has_all(&doc, &scanned.deps);
        if lacked_any {
            self.relay_has(doc, kind, &scanned.hash, &scanned.deps);
        } else {
            self.add_fetched(writes, doc, kind, scanned, chunk);
        }
        lacked_any || self.must_fetch(&doc)
    }

    /// Adds a fetched change whose dependencies are here, if it is new.
    pub(crate) fn add_fetched(
        &mut self,
        writes: &mut WriteQueue,
        doc: DocId,
        kind: DocKind,
        scanned: &ScannedChange,
        chunk: Vec<u8>,
    ) {
        if self.documents.record(&doc).is_some_and(|record| record.announced.is_some()) {
            // The change is part of the announced snapshot, whose heads are known.
            self.note_on_relay(doc, kind, &scanned.hash);
        } else {
            self.relay_has(doc, kind, &scanned.hash, &scanned.deps);
        }
        if !self.has_all(&doc, &scanned.deps) {
            // The change is recorded as missing; a fetch brings it after its dependencies.
            return;
        }
        self.remove_relay_heads(doc, &scanned.deps);
        let record = self.documents.record_mut(&doc).expect("the relay has something of it");
        // A restored relay without the snapshot sends its last change separately.
        let is_new = record.missing.remove(&ShortHash::from(&scanned.hash)) || record.position(&scanned.hash).is_none();
        if !is_new {
            return;
        }
        let damaged_place = record.position(&scanned.hash);
        if !record.lacks_any() {
            self.documents.repaired(&doc);
        }
        if let Some(index) = damaged_place {
            return self.repair(writes, doc, index, chunk);
        }
        if let Some(document) = self.documents.loaded_mut(&doc) {
            // A change that Automerge rejects is kept: the relay has it, and a later version may read it.
            let _ = automerge_doc::apply(document, [chunk.as_slice()]);
        }
        let record = self.documents.record_mut(&doc).expect("it was there a moment ago");
        append(writes, &doc, record, &scanned.hash, &scanned.deps, chunk);
        record.settle_announced();
        self.note_remote_change(doc);
        if kind.policy().has_row_on_phone {
            self.folds.push(doc);
        }
        self.unwritten.insert(doc);
        self.refold_soon(doc, kind);
    }

    /// Returns whether all of these changes of a document are here.
    fn has_all(&self, doc: &DocId, hashes: &[ChangeHash]) -> bool {
        let record = self.documents.record(doc);
        hashes.iter().all(|hash| record.is_some_and(|record| record.position(hash).is_some()))
    }

    /// Queues changed records and rows for the disk. Callers that change the document store call this before the next
    /// transaction begins, so that a hundred entries of one document write its record once.
    pub(crate) fn write(&mut self, writes: &mut WriteQueue) {
        for doc in self.unwritten.take() {
            if let Some(record) = self.documents.record(&doc) {
                if record.must_fetch() {
                    self.newly_to_fetch.insert(doc);
                }
                writes.put(Space::Doc, doc.as_bytes().to_vec(), cbor(record));
                self.documents.written(&doc, writes.write_seq());
            }
        }
        for doc in self.unwritten_rows.take() {
            self.put_row(writes, doc);
        }
    }

    /// Returns how many changed records and rows are not queued for the disk.
    pub(crate) fn unwritten_count(&self) -> usize {
        self.unwritten.len() + self.unwritten_rows.len()
    }
}

#[cfg(test)]
impl DocumentStore {
    /// Takes the changes that [`DocumentStore::read_unsent`] would read.
    pub(crate) fn take_unsent(&mut self, count: usize, bytes: usize) -> Vec<Unsent> {
        let read = self.read_unsent(count, bytes);
        read.and_then(|(reading, _)| self.outbox.take_reading(reading)).unwrap_or_default()
    }

    pub(crate) fn unload(&mut self, doc: &DocId) {
        self.documents.unload(doc);
    }

    pub(crate) fn mark_stale(&mut self, doc: DocId, kind: DocKind) {
        self.documents.insert(doc, DocumentRecord::new(kind));
        self.folds.push(doc);
    }

    pub(crate) fn mark_fresh(&mut self, doc: &DocId) {
        self.folds.remove(doc);
    }
}

/// Queues a change behind the document's other changes and returns its position.
fn append(
    writes: &mut WriteQueue,
    doc: &DocId,
    record: &mut DocumentRecord,
    hash: &ChangeHash,
    deps: &[ChangeHash],
    chunk: Vec<u8>,
) -> u32 {
    let index = record.append(hash, deps);
    writes.put(Space::Change, change_key(doc, index), chunk);
    index
}

fn change_key(doc: &DocId, index: u32) -> Vec<u8> {
    [doc.as_bytes().as_slice(), &index.to_be_bytes()].concat()
}

/// Encodes a value as it is stored.
pub(crate) fn cbor(value: &impl Encode<()>) -> Vec<u8> {
    minicbor::to_vec(value).expect("writing to memory cannot fail")
}

/// Scans a remote change.
pub(crate) fn scan(chunk: &[u8]) -> Option<ScannedChange> {
    change::scan(chunk, &ChangeLimits::DEFAULT).ok()
}
