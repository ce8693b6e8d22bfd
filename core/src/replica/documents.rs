//! The documents of this phone: what is known of each, which are in memory, and the rows projected from them.
//!
//! Every change, of this phone or from elsewhere, passes through here exactly once: it is queued for the disk, the
//! document's record is brought up to date, and the row is folded again. The document store does not know why changes come.

mod damage;
mod document;
mod fold_queue;
mod invariants;
mod outbox;
mod record;
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
use self::snapshot::AnnouncedSnapshot;
pub(crate) use self::unsent::ChangeTotals;
use crate::change::{self, ChangeLimits, ScannedChange};
use crate::digest::Digest;
use crate::docs::automerge_doc::{self, NewChange, Unreadable};
use crate::id::{ChangeHash, DocId};
use crate::projection::{self, DocumentRow};
use crate::replica::io::{KeyRange, Space, StoredEntry};
use crate::replica::write_queue::{WriteQueue, WriteSeq};
use crate::sorted::Set;
use crate::wire::{DocHistory, DocKind};

/// How many documents stay in memory without being in use.
const KEEP_LOADED: usize = 16;

/// The documents.
#[derive(Debug)]
pub(crate) struct DocumentStore {
    /// Of this start of the app; see [`DocumentStore::actor_in`].
    actor: [u8; 16],
    documents: Documents,
    folds: FoldQueue,
    /// Drives, tracks and published copies in which changes of two devices met, and drives with a copy of which more came.
    merged: Set<DocId>,
    /// Drives that decide what their copies say; see [`DocumentStore::decides`].
    decisive: Set<DocId>,
    /// Drives and published copies that came from elsewhere and were not compared with each other.
    unchecked: Set<DocId>,
    /// Documents whose records have changed and are not queued for the disk; see [`DocumentStore::write`].
    unwritten: Set<DocId>,
    /// The same for rows.
    unwritten_rows: Set<DocId>,
    /// Changes that the relay has not acknowledged.
    pub(crate) outbox: Outbox,
    digest: Digest,
}

impl DocumentStore {
    /// The document store as storage has it. What cannot be read is left out; it can be had from the relay again.
    pub(crate) fn open(actor: [u8; 16], stored: &[StoredEntry]) -> DocumentStore {
        let mut documents = DocumentStore {
            actor,
            documents: Documents::default(),
            folds: FoldQueue::default(),
            merged: Set::new(),
            decisive: Set::new(),
            unchecked: Set::new(),
            unwritten: Set::new(),
            unwritten_rows: Set::new(),
            outbox: Outbox::default(),
            digest: Digest::default(),
        };
        let id = |entry: &StoredEntry| entry.key.as_slice().try_into().ok().map(DocId::from_bytes);
        for entry in stored.iter().filter(|entry| entry.space == Space::Doc) {
            let (Some(doc), Ok(record)) = (id(entry), minicbor::decode::<DocumentRecord>(&entry.value)) else {
                continue;
            };
            documents.digest.replace(&doc, &[], &record.relay_heads);
            documents.outbox.wait(record.unacked.keys().map(|index| Unsent { doc, index: *index }));
            if projection::is_kept_on_phone(record.kind) && record.is_here() {
                documents.folds.push(doc);
            }
            if record.needs_alignment() {
                documents.merged.insert(doc);
            }
            if record.is_unchecked {
                documents.unchecked.insert(doc);
            }
            documents.documents.insert(doc, record);
        }
        for entry in stored.iter().filter(|entry| entry.space == Space::Row) {
            let (Some(doc), Ok(stored)) = (id(entry), minicbor::decode::<StoredRow>(&entry.value)) else { continue };
            if documents.documents.record(&doc).is_some_and(|record| stored.is_fresh(&record.heads)) {
                documents.folds.remove(&doc);
            }
            if rows::is_contested(&stored.row) {
                documents.merged.insert(doc);
            }
            // A row is shown also where the record is damaged: the relay may have the document.
            documents.documents.record_or_new(doc, stored.row.kind());
            documents.documents.set_row(&doc, Some(stored.row));
        }
        documents
    }

    /// What is known of all documents, ascending.
    pub(crate) fn records(&self) -> impl Iterator<Item = (&DocId, &DocumentRecord)> + Clone {
        self.documents.records()
    }

    /// What is known of the documents from one on, ascending.
    pub(crate) fn records_from(&self, from: DocId) -> impl Iterator<Item = (&DocId, &DocumentRecord)> {
        self.documents.records_from(from)
    }

    /// What is known of a document.
    pub(crate) fn record(&self, doc: &DocId) -> Option<&DocumentRecord> {
        self.documents.record(doc)
    }

    /// Over everything that the relay is known to have.
    pub(crate) fn digest(&self) -> Digest {
        self.digest
    }

    /// Whether everything of the document is on disk.
    pub(crate) fn is_durable(&self, doc: &DocId, writes: &WriteQueue) -> bool {
        !self.unwritten.contains(doc) && self.documents.last_write(doc).is_none_or(|seq| writes.is_durable(seq))
    }

    /// Returns whether the document is in memory.
    pub(crate) fn is_loaded(&self, doc: &DocId) -> bool {
        self.documents.loaded(doc).is_some()
    }

    /// The document, if it is in memory.
    pub(crate) fn loaded(&mut self, doc: &DocId) -> Option<&mut Automerge> {
        self.documents.loaded_mut(doc)
    }

    /// The drives, tracks and published copies in which changes of two devices met since the last call, and the drives with a
    /// copy of which more came.
    pub(crate) fn take_merged(&mut self) -> Vec<DocId> {
        // One that is not folded yet is looked at when it is.
        let (later, merged) = self.merged.take().into_iter().partition(|doc| self.is_stale(doc));
        let later: Vec<DocId> = later;
        self.merged.extend(later);
        merged
    }

    /// Has [`DocumentStore::take_merged`] give these tracks again.
    pub(crate) fn look_again(&mut self, docs: Vec<DocId>) {
        let is_track = |doc: &DocId| self.documents.record(doc).is_some_and(|record| record.kind == DocKind::Track);
        self.merged.extend(docs.into_iter().filter(is_track));
    }

    /// The drives and published copies that came from elsewhere and were not checked, see [`DocumentStore::checked`].
    pub(crate) fn take_unchecked(&mut self) -> Vec<DocId> {
        self.unchecked.take()
    }

    /// Takes in that a drive and its published copy were compared with each other, or that a copy which no drive names is
    /// withdrawn.
    pub(crate) fn checked(&mut self, docs: impl IntoIterator<Item = DocId>) {
        for doc in docs {
            let Some(record) = self.documents.record_mut(&doc).filter(|record| record.is_unchecked) else { continue };
            record.is_unchecked = false;
            self.unwritten.insert(doc);
        }
    }

    /// Takes in that a drive decides what its copy says: changes met in one of the two, or this phone changed the copy. Of other
    /// drives that changed elsewhere nobody knows whether the copy is newer.
    pub(crate) fn make_decisive(&mut self, drive: DocId) {
        self.decisive.insert(drive);
    }

    /// Whether a drive decides what its copy says. Others only narrow it.
    pub(crate) fn decides(&self, drive: &DocId) -> bool {
        self.decisive.contains(drive)
    }

    /// Takes note that something came from elsewhere.
    fn note_remote_change(&mut self, doc: DocId) {
        let Some(record) = self.documents.record_mut(&doc) else { return };
        let (kind, is_merged) = (record.kind, record.needs_alignment());
        if matches!(kind, DocKind::Drive | DocKind::Published) {
            record.is_unchecked = true;
            self.unchecked.insert(doc);
        }
        // Whoever changed a drive changed its copy, too, but maybe before this phone did: the copy follows the drive.
        let has_copy =
            matches!(self.documents.row(&doc), Some(DocumentRow::Drive(fields)) if fields.published.is_some());
        if is_merged && kind == DocKind::Drive {
            self.decisive.insert(doc);
        }
        if is_merged || has_copy {
            self.merged.insert(doc);
        }
        // A drive that is finished elsewhere may have been recorded on after that.
        if let Some(DocumentRow::Drive(fields)) = self.documents.row(&doc) {
            let meets = |track: &DocId| self.documents.record(track).is_some_and(DocumentRecord::needs_alignment);
            self.merged.extend(fields.track.filter(meets));
        }
    }

    /// Whether what is stored of the document cannot be read.
    pub(crate) fn is_unreadable(&self, doc: &DocId) -> bool {
        self.documents.is_unreadable(doc)
    }

    /// Leaves a document alone until something new comes for it.
    pub(crate) fn quarantine(&mut self, doc: DocId) {
        self.documents.damaged(&doc);
    }

    /// Where the changes of a document are stored.
    pub(crate) fn change_range(doc: &DocId) -> KeyRange {
        KeyRange { space: Space::Change, from: change_key(doc, 0), to: change_key(doc, u32::MAX) }
    }

    /// Puts a new, empty document into memory. It exists once its first change is added.
    pub(crate) fn create(&mut self, doc: DocId, kind: DocKind) -> &mut Automerge {
        self.documents.record_or_new(doc, kind);
        let actor = self.actor_in(&doc);
        if self.documents.loaded(&doc).is_none() {
            self.documents.load(doc, automerge_doc::new(&actor));
        }
        self.documents.loaded_mut(&doc).expect("it was loaded above")
    }

    /// Takes back [`DocumentStore::create`] of a document that has no change yet.
    pub(crate) fn discard_new(&mut self, doc: &DocId) {
        self.documents.remove(doc);
    }

    /// Puts a document into memory from the chunks that storage gave, and those that are on their way there.
    ///
    /// `since` stands for what was durable when the reading began. Says whether that was enough; if not, something
    /// reached the disk behind the reading's back, and it is to be read again.
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

    /// The whole document, with every change that the record counts.
    fn assemble(&self, doc: &DocId, entries: &[StoredEntry], writes: &WriteQueue) -> Result<Automerge, Unreadable> {
        let range = DocumentStore::change_range(doc);
        let stored = entries.iter().filter(|entry| range.from <= entry.key && entry.key <= range.to);
        let chunks = stored.chain(writes.pending(&range)).map(|entry| entry.value.as_slice());
        let document = automerge_doc::load(&self.actor_in(doc), chunks)?;
        // Of a document whose record is damaged nobody knows what it should hold.
        let is_whole = self.documents.record(doc).is_some_and(|record| automerge_doc::heads(&document) == record.heads);
        if is_whole { Ok(document) } else { Err(Unreadable) }
    }

    /// The writer of this start's changes to one document: the device's eight bytes, then eight of its own. With one for
    /// all documents, the same first change of two of them would have one name.
    fn actor_in(&self, doc: &DocId) -> [u8; 16] {
        let mut actor = self.actor;
        let digest = Sha256::new().chain_update(self.actor).chain_update(doc.as_bytes()).finalize();
        actor[8..].copy_from_slice(&digest[..8]);
        actor
    }

    /// Lets documents go from memory, but for those in use.
    pub(crate) fn evict(&mut self, in_use: &[DocId]) {
        while self.documents.loaded_ids().len() > KEEP_LOADED + in_use.len() {
            let idle = self.documents.loaded_ids().iter().copied().find(|doc| !in_use.contains(doc));
            let Some(doc) = idle else { return };
            self.documents.unload(&doc);
        }
    }

    /// Keeps a change that was just made to a document in memory.
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

    /// Keeps the next change of the log, if it is not here yet. Says whether the document has to be fetched first: if
    /// something before it is missing, whether that was known or not, only its name is kept, so that whatever is stored
    /// depends on what was stored before.
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

    /// Keeps a change that was fetched behind all that it depends on, if it is not here yet.
    pub(crate) fn add_fetched(
        &mut self,
        writes: &mut WriteQueue,
        doc: DocId,
        kind: DocKind,
        scanned: &ScannedChange,
        chunk: Vec<u8>,
    ) {
        if self.documents.record(&doc).is_some_and(|record| record.announced.is_some()) {
            // Part of the snapshot that was announced: what that adds to the heads is known.
            self.note_on_relay(doc, kind, &scanned.hash);
        } else {
            self.relay_has(doc, kind, &scanned.hash, &scanned.deps);
        }
        if !self.has_all(&doc, &scanned.deps) {
            // It is named as missing, and comes again behind what it depends on.
            return;
        }
        self.remove_relay_heads(doc, &scanned.deps);
        let record = self.documents.record_mut(&doc).expect("the relay has something of it");
        // The last change of a snapshot that a restored relay does not have any more comes by itself.
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
            // What Automerge refuses is kept all the same: it is the relay's truth, if not this version's.
            let _ = automerge_doc::apply(document, [chunk.as_slice()]);
        }
        let record = self.documents.record_mut(&doc).expect("it was there a moment ago");
        append(writes, &doc, record, &scanned.hash, &scanned.deps, chunk);
        record.settle_announced();
        self.note_remote_change(doc);
        if projection::is_kept_on_phone(kind) {
            self.folds.push(doc);
        }
        self.unwritten.insert(doc);
        self.refold_soon(doc, kind);
    }

    /// What the relay has of a document and is not here.
    pub(crate) fn missing_changes(&self, doc: &DocId) -> MissingChanges {
        let lack = |record: &DocumentRecord| MissingChanges {
            missing: record.missing.clone(),
            announced: record.announced.clone(),
        };
        self.documents.record(doc).map(lack).unwrap_or_default()
    }

    /// Takes in that the relay has sent everything it had of a document when this was lacking. What is lacking still,
    /// nobody has. Says whether something else is.
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

    /// Takes in that the relay has a change; nothing, if that is known.
    ///
    /// The changes of a document must come in the order of the log, but for those that are known.
    pub(crate) fn relay_has(&mut self, doc: DocId, kind: DocKind, hash: &ChangeHash, deps: &[ChangeHash]) {
        if let Some(mut heads) = self.note_on_relay(doc, kind, hash) {
            change::advance_heads(&mut heads, deps, *hash);
            // What it builds on is on the relay, too. Where the phone never heard of that, or believed it to be here alone,
            // a fetch tells what the relay has: one by one, what came earlier would count as a head again. `[C5]`
            let record = self.documents.record_mut(&doc).expect("it was taken note of");
            if record.announced.is_none() && !deps.iter().all(|dep| record.is_on_relay(dep)) {
                record.announced = Some(AnnouncedSnapshot { heads: heads.clone(), changes: deps.len() as u32 });
            }
            self.set_relay_heads(doc, heads);
        }
    }

    /// Takes in that something that the relay has builds on these changes. An acknowledgement that came before that was known
    /// made heads of them. `[C5]`
    fn remove_relay_heads(&mut self, doc: DocId, hashes: &[ChangeHash]) {
        let is_head = |head: &ChangeHash| !hashes.contains(head);
        let Some(record) = self.documents.record(&doc) else { return };
        if !record.relay_heads.iter().all(is_head) {
            let heads = record.relay_heads.iter().copied().filter(is_head).collect();
            self.set_relay_heads(doc, heads);
        }
    }

    /// Whether all of these changes of a document are here.
    fn has_all(&self, doc: &DocId, hashes: &[ChangeHash]) -> bool {
        let record = self.documents.record(doc);
        hashes.iter().all(|hash| record.is_some_and(|record| record.position(hash).is_some()))
    }

    /// Takes note that the relay has a change. Gives what its heads were, if that was not known.
    fn note_on_relay(&mut self, doc: DocId, kind: DocKind, hash: &ChangeHash) -> Option<Vec<ChangeHash>> {
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

    /// Takes note that the relay has the change at this place of a document.
    fn acknowledge(&mut self, doc: DocId, index: u32) {
        if let Some(record) = self.documents.record_mut(&doc) {
            record.unacked.remove(&index);
        }
        self.outbox.acknowledge(&Unsent { doc, index });
    }

    /// Takes in everything that the relay has of a document.
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
                // Its size is looked up when it is sent.
                record.unacked.entry(index).or_insert(0);
                self.outbox.wait([Unsent { doc, index }]);
            }
        }
        let mut ours = Set::new();
        ours.extend(record.changes.iter().copied());
        // What is damaged here counts as missing, too.
        let is_missing = |short: &ShortHash| !ours.contains(short) || record.missing.contains(short);
        theirs.retain(is_missing);
        record.missing = theirs;
        record.announced = None;
        self.set_relay_heads(doc, history.heads.clone());
    }

    /// Whether this phone lacks something of a document that it keeps in full, or to which it cannot push before it has it.
    pub(crate) fn must_fetch(&self, doc: &DocId) -> bool {
        self.documents.record(doc).is_some_and(DocumentRecord::must_fetch)
    }

    /// All such documents.
    pub(crate) fn docs_to_fetch(&self) -> Vec<DocId> {
        self.documents.records().filter(|(_, record)| record.must_fetch()).map(|(doc, _)| *doc).collect()
    }

    /// Queues for the disk what has become of records and rows. Whoever lets the document store change calls this before the disk gets
    /// what is queued: of a hundred entries of one document, the record is written once.
    pub(crate) fn write(&mut self, writes: &mut WriteQueue) {
        for doc in self.unwritten.take() {
            if let Some(record) = self.documents.record(&doc) {
                writes.put(Space::Doc, doc.as_bytes().to_vec(), cbor(record));
                self.documents.written(&doc, writes.write_seq());
            }
        }
        for doc in self.unwritten_rows.take() {
            self.put_row(writes, doc);
        }
    }

    fn set_relay_heads(&mut self, doc: DocId, heads: Vec<ChangeHash>) {
        let record = self.documents.record_mut(&doc).expect("the caller looked it up");
        self.digest.replace(&doc, &record.relay_heads, &heads);
        record.relay_heads = heads;
        record.clear_refusal();
        if record.kind == DocKind::Track && record.needs_alignment() {
            self.merged.insert(doc);
        }
        self.unwritten.insert(doc);
    }
}

#[cfg(test)]
impl DocumentStore {
    /// Takes the changes that [`DocumentStore::read_unsent`] would have read.
    pub(crate) fn take_unsent(&mut self, count: usize, bytes: usize) -> Vec<Unsent> {
        let read = self.read_unsent(count, bytes);
        read.and_then(|(reading, _)| self.outbox.take_reading(reading)).unwrap_or_default()
    }

    pub(crate) fn mark_stale(&mut self, doc: DocId, kind: DocKind) {
        self.documents.insert(doc, DocumentRecord::new(kind));
        self.folds.push(doc);
    }

    pub(crate) fn mark_fresh(&mut self, doc: &DocId) {
        self.folds.remove(doc);
    }
}

/// Queues a change for the disk behind the document's others, and returns its place.
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

/// The bytes of a value as storage has it.
pub(crate) fn cbor(value: &impl Encode<()>) -> Vec<u8> {
    minicbor::to_vec(value).expect("writing to memory cannot fail")
}

/// Scans a change from elsewhere.
pub(crate) fn scan(chunk: &[u8]) -> Option<ScannedChange> {
    change::scan(chunk, &ChangeLimits::DEFAULT).ok()
}
