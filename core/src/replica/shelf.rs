//! The documents of this phone: what is known of each, which are in memory, and the rows projected from them.
//!
//! Every change, of this phone or from elsewhere, passes through here exactly once: it is queued for the disk, the
//! document's record is brought up to date, and the row is folded again. The shelf does not know why changes come.

mod damage;
mod invariants;
mod outbox;
mod record;
mod rows;
mod snapshot;
#[cfg(test)]
mod tests;
mod unsent;

use std::collections::BTreeMap;

use automerge::Automerge;
use minicbor::Encode;
use sha2::{Digest as _, Sha256};

use self::outbox::Outbox;
pub(crate) use self::outbox::{InFlight, Unsent};
use self::record::ShortHash;
pub(crate) use self::record::{Lack, Record};
use self::rows::StoredRow;
use self::snapshot::Announced;
pub(crate) use self::unsent::Amount;
use crate::change::{self, ChangeLimits, ScannedChange};
use crate::digest::Digest;
use crate::docs::open::{self, NewChange, Unreadable};
use crate::id::{ChangeHash, DocId};
use crate::projection::{self, Row};
use crate::replica::io::{KeyRange, Space, StoredEntry};
use crate::replica::store::{Store, Ticket};
use crate::sorted::{Map, Set};
use crate::wire::{DocHistory, DocKind};

/// How many documents stay in memory without being in use.
const KEEP_LOADED: usize = 16;

/// The documents.
#[derive(Debug)]
pub(crate) struct Shelf {
    /// Of this start of the app; see [`Shelf::actor_in`].
    actor: [u8; 16],
    records: BTreeMap<DocId, Record>,
    rows: Map<DocId, Row>,
    /// Documents whose row does not show all changes that are here.
    stale: Set<DocId>,
    /// Tracks in memory whose rows do not show all changes; see [`Shelf::fold_tracks`].
    unfolded_tracks: Set<DocId>,
    loaded: Map<DocId, Automerge>,
    unreadable: Set<DocId>,
    /// Drives, tracks and published copies in which changes of two devices met, and drives with a copy of which more came.
    merged: Set<DocId>,
    /// Drives that decide what their copies say; see [`Shelf::decides`].
    decisive: Set<DocId>,
    /// Drives and published copies that came from elsewhere and were not compared with each other.
    unchecked: Set<DocId>,
    /// The last write that concerned each document.
    tickets: Map<DocId, Ticket>,
    /// Documents whose records have changed and are not queued for the disk; see [`Shelf::write`].
    unwritten: Set<DocId>,
    /// The same for rows.
    unwritten_rows: Set<DocId>,
    /// Changes that the relay has not acknowledged.
    pub(crate) outbox: Outbox,
    digest: Digest,
}

impl Shelf {
    /// The shelf as storage has it. What cannot be read is left out; it can be had from the relay again.
    pub(crate) fn open(actor: [u8; 16], stored: &[StoredEntry]) -> Shelf {
        let mut shelf = Shelf {
            actor,
            records: BTreeMap::new(),
            rows: Map::new(),
            stale: Set::new(),
            unfolded_tracks: Set::new(),
            loaded: Map::new(),
            unreadable: Set::new(),
            merged: Set::new(),
            decisive: Set::new(),
            unchecked: Set::new(),
            tickets: Map::new(),
            unwritten: Set::new(),
            unwritten_rows: Set::new(),
            outbox: Outbox::default(),
            digest: Digest::default(),
        };
        let id = |entry: &StoredEntry| entry.key.as_slice().try_into().ok().map(DocId::from_bytes);
        for entry in stored.iter().filter(|entry| entry.space == Space::Doc) {
            let (Some(doc), Ok(record)) = (id(entry), minicbor::decode::<Record>(&entry.value)) else { continue };
            shelf.digest.replace(&doc, &[], &record.relay_heads);
            shelf.outbox.wait(record.unacked.keys().map(|index| Unsent { doc, index: *index }));
            if projection::is_kept_on_phone(record.kind) && record.is_here() {
                shelf.stale.insert(doc);
            }
            if record.needs_alignment() {
                shelf.merged.insert(doc);
            }
            if record.is_unchecked {
                shelf.unchecked.insert(doc);
            }
            shelf.records.insert(doc, record);
        }
        for entry in stored.iter().filter(|entry| entry.space == Space::Row) {
            let (Some(doc), Ok(stored)) = (id(entry), minicbor::decode::<StoredRow>(&entry.value)) else { continue };
            if shelf.records.get(&doc).is_some_and(|record| stored.is_fresh(&record.heads)) {
                shelf.stale.remove(&doc);
            }
            if rows::is_contested(&stored.row) {
                shelf.merged.insert(doc);
            }
            shelf.rows.insert(doc, stored.row);
        }
        shelf
    }

    /// All documents, ascending.
    pub(crate) fn records(&self) -> &BTreeMap<DocId, Record> {
        &self.records
    }

    /// What is known of a document.
    pub(crate) fn record(&self, doc: &DocId) -> Option<&Record> {
        self.records.get(doc)
    }

    /// Over everything that the relay is known to have.
    pub(crate) fn digest(&self) -> Digest {
        self.digest
    }

    /// Whether everything of the document is on disk.
    pub(crate) fn is_durable(&self, doc: &DocId, store: &Store) -> bool {
        !self.unwritten.contains(doc) && self.tickets.get(doc).is_none_or(|ticket| store.is_durable(*ticket))
    }

    /// The document, if it is in memory.
    pub(crate) fn loaded(&mut self, doc: &DocId) -> Option<&mut Automerge> {
        self.loaded.get_mut(doc)
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

    /// Has [`Shelf::take_merged`] give these tracks again.
    pub(crate) fn look_again(&mut self, docs: Vec<DocId>) {
        let is_track = |doc: &DocId| self.records.get(doc).is_some_and(|record| record.kind == DocKind::Track);
        self.merged.extend(docs.into_iter().filter(is_track));
    }

    /// The drives and published copies that came from elsewhere and were not checked, see [`Shelf::checked`].
    pub(crate) fn take_unchecked(&mut self) -> Vec<DocId> {
        self.unchecked.take()
    }

    /// Takes in that a drive and its published copy were compared with each other, or that a copy which no drive names is
    /// withdrawn.
    pub(crate) fn checked(&mut self, docs: impl IntoIterator<Item = DocId>) {
        for doc in docs {
            let Some(record) = self.records.get_mut(&doc).filter(|record| record.is_unchecked) else { continue };
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
    fn came(&mut self, doc: DocId) {
        let Some(record) = self.records.get_mut(&doc) else { return };
        if matches!(record.kind, DocKind::Drive | DocKind::Published) {
            record.is_unchecked = true;
            self.unchecked.insert(doc);
        }
        // Whoever changed a drive changed its copy, too, but maybe before this phone did: the copy follows the drive.
        let has_copy = matches!(self.rows.get(&doc), Some(Row::Drive(fields)) if fields.published.is_some());
        let is_merged = record.needs_alignment();
        if is_merged && record.kind == DocKind::Drive {
            self.decisive.insert(doc);
        }
        if is_merged || has_copy {
            self.merged.insert(doc);
        }
        // A drive that is finished elsewhere may have been recorded on after that.
        if let Some(Row::Drive(fields)) = self.rows.get(&doc) {
            let meets = |track: &DocId| self.records.get(track).is_some_and(Record::needs_alignment);
            self.merged.extend(fields.track.filter(meets));
        }
    }

    /// Whether what is stored of the document cannot be read.
    pub(crate) fn is_unreadable(&self, doc: &DocId) -> bool {
        self.unreadable.contains(doc)
    }

    /// Leaves a document alone until something new comes for it.
    pub(crate) fn quarantine(&mut self, doc: DocId) {
        self.unreadable.insert(doc);
    }

    /// Where the changes of a document are stored.
    pub(crate) fn range(doc: &DocId) -> KeyRange {
        KeyRange { space: Space::Change, from: change_key(doc, 0), to: change_key(doc, u32::MAX) }
    }

    /// Puts a new, empty document into memory. It exists once its first change is added.
    pub(crate) fn make(&mut self, doc: DocId, kind: DocKind) -> &mut Automerge {
        self.records.entry(doc).or_insert_with(|| Record::new(kind));
        let actor = self.actor_in(&doc);
        self.loaded.or_insert_with(doc, || open::new(&actor))
    }

    /// Takes back [`Shelf::make`] of a document that has no change yet.
    pub(crate) fn unmake(&mut self, doc: &DocId) {
        self.records.remove(doc);
        self.loaded.remove(doc);
    }

    /// Puts a document into memory from the chunks that storage gave, and those that are on their way there.
    ///
    /// `since` stands for what was durable when the reading began. Says whether that was enough; if not, something
    /// reached the disk behind the reading's back, and it is to be read again.
    pub(crate) fn load(&mut self, doc: DocId, entries: &[StoredEntry], store: &Store, since: Ticket) -> bool {
        if self.loaded.get(&doc).is_some() {
            return true;
        }
        match self.assemble(&doc, entries, store) {
            Ok(document) => {
                self.unreadable.remove(&doc);
                self.loaded.insert(doc, document);
                if !self.has_fresh_track_row(&doc) {
                    self.refold(doc);
                }
            }
            Err(Unreadable) if self.was_written_since(&doc, since) => return false,
            Err(Unreadable) => self.damaged(doc, entries, store),
        }
        true
    }

    fn was_written_since(&self, doc: &DocId, since: Ticket) -> bool {
        self.unwritten.contains(doc) || self.tickets.get(doc).is_some_and(|last| *last > since)
    }

    /// The whole document, with every change that the record counts.
    fn assemble(&self, doc: &DocId, entries: &[StoredEntry], store: &Store) -> Result<Automerge, Unreadable> {
        let range = Shelf::range(doc);
        let stored = entries.iter().filter(|entry| range.from <= entry.key && entry.key <= range.to);
        let chunks = stored.chain(store.pending(&range)).map(|entry| entry.value.as_slice());
        let document = open::load(&self.actor_in(doc), chunks)?;
        // Of a document whose record is damaged nobody knows what it should hold.
        let is_whole = self.records.get(doc).is_some_and(|record| open::heads(&document) == record.heads);
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
    pub(crate) fn trim(&mut self, in_use: &[DocId]) {
        while self.loaded.len() > KEEP_LOADED + in_use.len() {
            let idle = self.loaded.iter().map(|(doc, _)| *doc).find(|doc| !in_use.contains(doc));
            let Some(doc) = idle else { return };
            self.loaded.remove(&doc);
        }
    }

    /// Keeps a change that was just made to a document in memory.
    pub(crate) fn add_own(&mut self, store: &mut Store, doc: DocId, change: Option<NewChange>) {
        let Some(change) = change else { return };
        let record = self.records.get_mut(&doc).expect("a document in memory has a record");
        let index = append(store, &doc, record, &change.hash, &change.deps, change.chunk.clone());
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
        store: &mut Store,
        doc: DocId,
        kind: DocKind,
        scanned: &ScannedChange,
        chunk: Vec<u8>,
    ) -> bool {
        let lacked_any = self.records.get(&doc).is_some_and(Record::lacks_any) || !self.has_all(&doc, &scanned.deps);
        if lacked_any {
            self.relay_has(doc, kind, &scanned.hash, &scanned.deps);
        } else {
            self.add_fetched(store, doc, kind, scanned, chunk);
        }
        lacked_any || self.is_wanted(&doc)
    }

    /// Keeps a change that was fetched behind all that it depends on, if it is not here yet.
    pub(crate) fn add_fetched(
        &mut self,
        store: &mut Store,
        doc: DocId,
        kind: DocKind,
        scanned: &ScannedChange,
        chunk: Vec<u8>,
    ) {
        if self.records.get(&doc).is_some_and(|record| record.announced.is_some()) {
            // Part of the snapshot that was announced: what that adds to the heads is known.
            self.note(doc, kind, &scanned.hash);
        } else {
            self.relay_has(doc, kind, &scanned.hash, &scanned.deps);
        }
        if !self.has_all(&doc, &scanned.deps) {
            // It is named as missing, and comes again behind what it depends on.
            return;
        }
        self.are_no_heads(doc, &scanned.deps);
        let record = self.records.get_mut(&doc).expect("the relay has something of it");
        // The last change of a snapshot that a restored relay does not have any more comes by itself.
        let is_new = record.missing.remove(&ShortHash::from(&scanned.hash)) || record.position(&scanned.hash).is_none();
        if !is_new {
            return;
        }
        if !record.lacks_any() {
            self.unreadable.remove(&doc);
        }
        if let Some(index) = record.position(&scanned.hash) {
            return self.repair(store, doc, index, chunk);
        }
        if let Some(document) = self.loaded.get_mut(&doc) {
            // What Automerge refuses is kept all the same: it is the relay's truth, if not this version's.
            let _ = open::apply(document, [chunk.as_slice()]);
        }
        append(store, &doc, record, &scanned.hash, &scanned.deps, chunk);
        record.settle_announced();
        self.came(doc);
        if projection::is_kept_on_phone(kind) {
            self.stale.insert(doc);
        }
        self.unwritten.insert(doc);
        self.refold_soon(doc, kind);
    }

    /// What the relay has of a document and is not here.
    pub(crate) fn lack(&self, doc: &DocId) -> Lack {
        let lack = |record: &Record| Lack { missing: record.missing.clone(), announced: record.announced.clone() };
        self.records.get(doc).map(lack).unwrap_or_default()
    }

    /// Takes in that the relay has sent everything it had of a document when this was lacking. What is lacking still,
    /// nobody has. Says whether something else is.
    pub(crate) fn fetched_all(&mut self, doc: DocId, lacked: &Lack) -> bool {
        let Some(record) = self.records.get_mut(&doc) else { return false };
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
        if let Some(mut heads) = self.note(doc, kind, hash) {
            change::advance_heads(&mut heads, deps, *hash);
            // What it builds on is on the relay, too. Where the phone never heard of that, or believed it to be here alone,
            // a fetch tells what the relay has: one by one, what came earlier would count as a head again. `[C5]`
            let record = self.records.get_mut(&doc).expect("it was taken note of");
            if record.announced.is_none() && !deps.iter().all(|dep| record.is_on_relay(dep)) {
                record.announced = Some(Announced { heads: heads.clone(), changes: deps.len() as u32 });
            }
            self.set_relay_heads(doc, heads);
        }
    }

    /// Takes in that something that the relay has builds on these changes. An acknowledgement that came before that was known
    /// made heads of them. `[C5]`
    fn are_no_heads(&mut self, doc: DocId, hashes: &[ChangeHash]) {
        let is_head = |head: &ChangeHash| !hashes.contains(head);
        let Some(record) = self.records.get(&doc) else { return };
        if !record.relay_heads.iter().all(is_head) {
            let heads = record.relay_heads.iter().copied().filter(is_head).collect();
            self.set_relay_heads(doc, heads);
        }
    }

    /// Whether all of these changes of a document are here.
    fn has_all(&self, doc: &DocId, hashes: &[ChangeHash]) -> bool {
        let record = self.records.get(doc);
        hashes.iter().all(|hash| record.is_some_and(|record| record.position(hash).is_some()))
    }

    /// Takes note that the relay has a change. Gives what its heads were, if that was not known.
    fn note(&mut self, doc: DocId, kind: DocKind, hash: &ChangeHash) -> Option<Vec<ChangeHash>> {
        let record = self.records.entry(doc).or_insert_with(|| Record::new(kind));
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
        if let Some(record) = self.records.get_mut(&doc) {
            record.unacked.remove(&index);
        }
        self.outbox.acknowledge(&Unsent { doc, index });
    }

    /// Takes in everything that the relay has of a document.
    pub(crate) fn relay_has_exactly(&mut self, history: &DocHistory) {
        let doc = history.doc;
        let Some(kind) = history.kind.or_else(|| self.records.get(&doc).map(|record| record.kind)) else {
            return;
        };
        let record = self.records.entry(doc).or_insert_with(|| Record::new(kind));
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
    pub(crate) fn is_wanted(&self, doc: &DocId) -> bool {
        self.records.get(doc).is_some_and(Record::is_wanted)
    }

    /// All such documents.
    pub(crate) fn wanted(&self) -> Vec<DocId> {
        self.records.iter().filter(|(_, record)| record.is_wanted()).map(|(doc, _)| *doc).collect()
    }

    /// Queues for the disk what has become of records and rows. Whoever lets the shelf change calls this before the disk gets
    /// what is queued: of a hundred entries of one document, the record is written once.
    pub(crate) fn write(&mut self, store: &mut Store) {
        for doc in self.unwritten.take() {
            if let Some(record) = self.records.get(&doc) {
                store.put(Space::Doc, doc.as_bytes().to_vec(), cbor(record));
                self.tickets.insert(doc, store.ticket());
            }
        }
        for doc in self.unwritten_rows.take() {
            self.put_row(store, doc);
        }
    }

    fn set_relay_heads(&mut self, doc: DocId, heads: Vec<ChangeHash>) {
        let record = self.records.get_mut(&doc).expect("the caller looked it up");
        self.digest.replace(&doc, &record.relay_heads, &heads);
        record.relay_heads = heads;
        record.settle();
        if record.kind == DocKind::Track && record.needs_alignment() {
            self.merged.insert(doc);
        }
        self.unwritten.insert(doc);
    }
}

#[cfg(test)]
impl Shelf {
    /// Takes the changes that [`Shelf::read_unsent`] would have read.
    pub(crate) fn take_unsent(&mut self, count: usize, bytes: usize) -> Vec<Unsent> {
        let read = self.read_unsent(count, bytes);
        read.and_then(|(reading, _)| self.outbox.take_reading(reading)).unwrap_or_default()
    }

    pub(crate) fn make_stale(&mut self, doc: DocId, kind: DocKind) {
        self.records.insert(doc, Record::new(kind));
        self.stale.insert(doc);
    }

    pub(crate) fn no_longer_stale(&mut self, doc: &DocId) {
        self.stale.remove(doc);
    }
}

/// Queues a change for the disk behind the document's others, and returns its place.
fn append(
    store: &mut Store,
    doc: &DocId,
    record: &mut Record,
    hash: &ChangeHash,
    deps: &[ChangeHash],
    chunk: Vec<u8>,
) -> u32 {
    let index = record.append(hash, deps);
    store.put(Space::Change, change_key(doc, index), chunk);
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
