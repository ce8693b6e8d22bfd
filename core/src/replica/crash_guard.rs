//! Finds documents whose fold crashes the app (poison documents).
//!
//! Remote changes are loaded and folded automatically, at every start if necessary. Automerge may panic on a change
//! that is valid by itself and invalid in its document. In WebAssembly a panic ends the app, so the app would crash at
//! every start. Therefore the documents to fold are noted on disk before the fold, and the note is deleted after it.
//! After a start with a note, the noted documents are folded one by one. A document whose fold alone fails to return
//! five times is quarantined: it stays stored and synced, and it is not loaded until a new change arrives.
//!
//! An operating system that is short of memory also kills the app, without a reason. To avoid false positives the note
//! exists as briefly as possible: it is written after the documents have been read, and deleted in the next
//! transaction.
//!
//! A note costs one small write for up to a hundred documents. Local changes are folded in memory and not noted.

use minicbor::{Decode, Encode};

use crate::id::DocId;
use crate::replica::documents::{DocumentStore, cbor};
use crate::replica::io::{KeyRange, Space, StoredEntry};
use crate::replica::write_queue::{WriteQueue, WriteSeq};
use crate::sorted::Set;

/// Maximum number of documents per fold after a catch-up.
const FOLD_DOCS: usize = 100;
/// Number of failed folds before a document is quarantined.
const ATTEMPTS: u32 = 5;
const NOTE_KEY: &[u8] = b"folding";
const QUARANTINE_KEY: &[u8] = b"quarantine";

/// The note on disk: the documents being folded.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
struct FoldNote {
    #[n(0)]
    docs: Vec<DocId>,
    /// Number of consecutive starts with exactly this note.
    #[n(1)]
    attempts: u32,
}

/// The documents whose fold may have crashed the app, and those being folded.
#[derive(Debug)]
pub(crate) struct CrashGuard {
    /// The note of the last start, if it was not deleted.
    left: Option<FoldNote>,
    /// The documents of that note that are still to be folded alone.
    alone: Set<DocId>,
    quarantined: Set<DocId>,
    is_reading: bool,
    noted: Option<(FoldNote, WriteSeq)>,
}

impl CrashGuard {
    /// Reads the note of the last start.
    pub(crate) fn open(stored: &[StoredEntry], documents: &mut DocumentStore, writes: &mut WriteQueue) -> CrashGuard {
        let meta = |key: &[u8]| {
            let entry = stored.iter().find(|entry| entry.space == Space::Meta && entry.key == key);
            entry.map(|entry| entry.value.as_slice())
        };
        let quarantined: Vec<DocId> =
            meta(QUARANTINE_KEY).and_then(|value| minicbor::decode(value).ok()).unwrap_or_default();
        let left: Option<FoldNote> = meta(NOTE_KEY).and_then(|value| minicbor::decode(value).ok());
        let alone = left.iter().flat_map(|note| note.docs.iter().copied()).collect();
        let mut crash_guard =
            CrashGuard { left, alone, quarantined: quarantined.into_iter().collect(), is_reading: false, noted: None };
        let given_up = crash_guard.left.as_ref().filter(|note| note.attempts >= ATTEMPTS && note.docs.len() == 1);
        if let Some(doc) = given_up.map(|note| note.docs[0]) {
            crash_guard.quarantined.insert(doc);
            crash_guard.alone.clear();
            crash_guard.keep_quarantine(writes);
            writes.delete(write_note());
        }
        crash_guard.quarantined.iter().for_each(|doc| documents.quarantine(*doc));
        crash_guard
    }

    /// Returns the documents to read next, in order to fold them.
    pub(crate) fn next(&mut self, documents: &DocumentStore) -> Vec<DocId> {
        if self.is_reading || self.noted.is_some() {
            return Vec::new();
        }
        self.alone.retain(|doc| documents.is_stale(doc));
        let docs = match self.alone.first() {
            Some(doc) => vec![*doc],
            None => documents.some_stale(FOLD_DOCS),
        };
        self.is_reading = !docs.is_empty();
        docs
    }

    /// Records that documents were read. They may be folded once the note is on disk; see [`CrashGuard::may_fold`].
    pub(crate) fn read(&mut self, docs: &[DocId], writes: &mut WriteQueue) {
        self.is_reading = false;
        let before = self.left.take().filter(|left| left.docs == docs).map_or(0, |left| left.attempts);
        let note = FoldNote { docs: docs.to_vec(), attempts: before + 1 };
        writes.put(Space::Meta, NOTE_KEY.to_vec(), cbor(&note));
        self.noted = Some((note, writes.write_seq()));
    }

    /// Returns whether the documents that were read may be folded. A full disk cannot hold the note.
    pub(crate) fn may_fold(&self, writes: &WriteQueue) -> bool {
        let is_noted = |(_, seq): &(FoldNote, WriteSeq)| writes.is_durable(*seq) || writes.failure().is_some();
        self.noted.as_ref().is_some_and(is_noted)
    }

    /// Records that the fold of documents returned.
    pub(crate) fn fold_finished(&mut self, docs: &[DocId], writes: &mut WriteQueue) {
        self.noted = None;
        // On a full disk the rows may not fit: a note that stays would count as a crash at every start.
        writes.delete_independently(write_note());
        let before = self.quarantined.len();
        for doc in docs {
            self.alone.remove(doc);
            self.quarantined.remove(doc);
        }
        if self.quarantined.len() < before {
            self.keep_quarantine(writes);
        }
    }

    /// Records that the read of documents failed.
    pub(crate) fn read_failed(&mut self) {
        self.is_reading = false;
    }

    /// Returns whether documents to fold are being read.
    pub(crate) fn is_reading(&self) -> bool {
        self.is_reading
    }

    /// Returns whether documents were read and not folded.
    pub(crate) fn is_noted(&self) -> bool {
        self.noted.is_some()
    }

    fn keep_quarantine(&self, writes: &mut WriteQueue) {
        let docs: Vec<DocId> = self.quarantined.iter().copied().collect();
        writes.put(Space::Meta, QUARANTINE_KEY.to_vec(), cbor(&docs));
    }
}

fn write_note() -> KeyRange {
    KeyRange { space: Space::Meta, from: NOTE_KEY.to_vec(), to: NOTE_KEY.to_vec() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replica::io::{Effect, StoreOp};
    use crate::wire::DocKind;

    const DOCS: [DocId; 3] = [DocId::from_bytes([1; 16]), DocId::from_bytes([2; 16]), DocId::from_bytes([3; 16])];

    /// A phone that crashes whenever it folds one certain document. Its storage remains.
    #[derive(Default)]
    struct Phone {
        disk: Vec<StoredEntry>,
    }

    impl Phone {
        /// Starts the phone and folds until it crashes or is done; returns the folded documents.
        fn start(&mut self, deadly: Option<DocId>) -> (Vec<DocId>, DocumentStore) {
            let (mut documents, mut writes) = (DocumentStore::open([7; 16], &[]), WriteQueue::default());
            DOCS.iter().for_each(|doc| documents.mark_stale(*doc, DocKind::Car));
            let mut crash_guard = CrashGuard::open(&self.disk, &mut documents, &mut writes);
            let mut back = Vec::new();
            for _ in 0..20 {
                self.sync(&mut writes);
                let docs = crash_guard.next(&documents);
                if !docs.is_empty() {
                    crash_guard.read(&docs, &mut writes);
                    self.sync(&mut writes);
                    assert!(crash_guard.may_fold(&writes));
                    if deadly.is_some_and(|deadly| docs.contains(&deadly)) {
                        return (back, documents);
                    }
                    docs.iter().for_each(|doc| documents.mark_fresh(doc));
                    crash_guard.fold_finished(&docs, &mut writes);
                    back.extend(docs);
                }
            }
            (back, documents)
        }

        fn sync(&mut self, writes: &mut WriteQueue) {
            while let Some(Effect::Store { batch, ops }) = writes.next(0) {
                for op in ops {
                    match op {
                        StoreOp::Put(entry) => {
                            self.disk.retain(|other| other.key != entry.key);
                            self.disk.push(entry);
                        }
                        StoreOp::Delete(range) => self.disk.retain(|entry| entry.key != range.from),
                    }
                }
                writes.stored(batch);
            }
        }
    }

    #[test]
    fn what_comes_back_is_folded_at_once_and_leaves_no_note() {
        let mut phone = Phone::default();
        assert_eq!(phone.start(None).0, DOCS);
        assert_eq!(phone.disk, []);
    }

    #[test]
    fn a_document_that_kills_the_app_is_found_and_quarantined_and_the_others_are_folded() {
        let mut phone = Phone::default();
        assert_eq!(phone.start(Some(DOCS[1])).0, [], "all at once");
        let starts: Vec<_> = (0..ATTEMPTS).map(|_| phone.start(Some(DOCS[1])).0).collect();
        assert_eq!(
            starts,
            [DOCS[..1].to_vec(), vec![], vec![], vec![], vec![]],
            "one by one, then the one that did not come back first"
        );
        let (back, documents) = phone.start(Some(DOCS[1]));
        assert_eq!(back, [DOCS[0], DOCS[2]]);
        assert!(documents.is_unreadable(&DOCS[1]) && !documents.is_unreadable(&DOCS[0]));
        assert_eq!(phone.start(Some(DOCS[1])).0, [DOCS[0], DOCS[2]], "and at every start from then on");
    }

    #[test]
    fn an_app_that_is_killed_while_it_reads_quarantines_nothing() {
        let mut phone = Phone::default();
        for _ in 0..2 * ATTEMPTS {
            let (mut documents, mut writes) = (DocumentStore::open([7; 16], &[]), WriteQueue::default());
            DOCS.iter().for_each(|doc| documents.mark_stale(*doc, DocKind::Car));
            let mut crash_guard = CrashGuard::open(&phone.disk, &mut documents, &mut writes);
            assert_eq!(crash_guard.next(&documents), DOCS, "they are read, and that takes a while");
            phone.sync(&mut writes);
        }
        assert_eq!(phone.disk, []);
    }

    #[test]
    fn an_app_that_is_killed_otherwise_quarantines_nothing() {
        let mut phone = Phone::default();
        for _ in 1..ATTEMPTS {
            phone.start(Some(DOCS[0]));
        }
        let (back, documents) = phone.start(None);
        assert_eq!(back.len(), 3);
        assert!(DOCS.iter().all(|doc| !documents.is_unreadable(doc)));
    }
}
