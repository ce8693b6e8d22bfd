//! Documents over which the app may have died.
//!
//! What other devices changed is loaded and folded by itself, at every start if need be. Automerge may panic over a change
//! that is sound by itself and wrong in its document, and in WebAssembly a panic ends the app: it would end at every start.
//! So the documents to be folded are noted on disk before, and struck out when they came back. What a start finds noted is
//! folded one by one; a document that did not come back five times alone is quarantined: it stays stored and synced, is
//! not loaded again until something new comes for it, and everything else works.
//!
//! Who kills the app does not say so, and a phone that is short of memory kills it again and again. So the note stands for
//! as short a time as can be: it is written when the documents have been read, and struck out in the next transaction.
//!
//! A note costs a small write for up to a hundred documents of a catch-up. What this phone itself changes is folded in
//! memory and not noted.

use minicbor::{Decode, Encode};

use crate::id::DocId;
use crate::replica::documents::{DocumentStore, cbor};
use crate::replica::io::{KeyRange, Space, StoredEntry};
use crate::replica::write_queue::{WriteQueue, WriteSeq};
use crate::sorted::Set;

/// How many documents are folded in one go after a catch-up.
const FOLD_DOCS: usize = 100;
/// How often a document may not come back.
const ATTEMPTS: u32 = 5;
const NOTE_KEY: &[u8] = b"folding";
const QUARANTINE_KEY: &[u8] = b"quarantine";

/// What is being folded, as it is noted on disk.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
struct FoldNote {
    #[n(0)]
    docs: Vec<DocId>,
    /// How often exactly these were noted in a row.
    #[n(1)]
    attempts: u32,
}

/// The documents over which the app may have died, and those that are being folded.
#[derive(Debug)]
pub(crate) struct CrashGuard {
    /// What the last start noted and did not strike out.
    left: Option<FoldNote>,
    /// Of those, what is still to be folded alone.
    alone: Set<DocId>,
    quarantined: Set<DocId>,
    is_reading: bool,
    noted: Option<(FoldNote, WriteSeq)>,
}

impl CrashGuard {
    /// What the last start left behind.
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

    /// The documents to read next, in order to fold them.
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

    /// Takes in that documents were read. They may be folded when that is noted on disk, see [`CrashGuard::may_fold`].
    pub(crate) fn read(&mut self, docs: &[DocId], writes: &mut WriteQueue) {
        self.is_reading = false;
        let before = self.left.take().filter(|left| left.docs == docs).map_or(0, |left| left.attempts);
        let note = FoldNote { docs: docs.to_vec(), attempts: before + 1 };
        writes.put(Space::Meta, NOTE_KEY.to_vec(), cbor(&note));
        self.noted = Some((note, writes.write_seq()));
    }

    /// Whether what was read may be folded. On a disk that takes nothing, nothing can be noted.
    pub(crate) fn may_fold(&self, writes: &WriteQueue) -> bool {
        let is_noted = |(_, seq): &(FoldNote, WriteSeq)| writes.is_durable(*seq) || writes.failure().is_some();
        self.noted.as_ref().is_some_and(is_noted)
    }

    /// Takes in that documents came back.
    pub(crate) fn fold_finished(&mut self, docs: &[DocId], writes: &mut WriteQueue) {
        self.noted = None;
        writes.delete(write_note());
        let before = self.quarantined.len();
        for doc in docs {
            self.alone.remove(doc);
            self.quarantined.remove(doc);
        }
        if self.quarantined.len() < before {
            self.keep_quarantine(writes);
        }
    }

    /// Takes in that they could not be read.
    pub(crate) fn read_failed(&mut self) {
        self.is_reading = false;
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

    /// A phone that dies whenever one document is folded: storage that outlives it, and what a start folds.
    #[derive(Default)]
    struct Phone {
        disk: Vec<StoredEntry>,
    }

    impl Phone {
        /// Starts, folds until it dies or is done, and says what came back.
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
