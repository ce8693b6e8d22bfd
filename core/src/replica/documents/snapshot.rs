//! Snapshots: one chunk in place of all changes of a document up to some position of the log. `[S1]`
//!
//! Storage has the newest snapshot of each document under its last key, and none of the changes that it covers. After a
//! restore of the relay, its next snapshot may lack changes that only the stored one contains. Then the stored one is
//! kept and the new one is stored before it, until a snapshot covers both.

use automerge::Automerge;
use minicbor::{Decode, Encode};

use crate::change::{DocumentLimits, scan_document};
use crate::docs::automerge_doc;
use crate::id::{ChangeHash, DocId};
use crate::replica::documents::{DocumentRecord, DocumentStore, ShortHash, Unsent, change_key};
use crate::replica::io::{KeyRange, Space};
use crate::replica::write_queue::WriteQueue;
use crate::sorting::sort_by_key;
use crate::wire::DocKind;

/// The index of a document's snapshot among the keys of its changes. Further ones have smaller indices.
const SNAPSHOT_INDEX: u32 = u32::MAX;

/// An announced snapshot that is not here. Its changes are known once it is fetched.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub(crate) struct AnnouncedSnapshot {
    /// The heads of the covered changes.
    #[n(0)]
    pub(super) heads: Vec<ChangeHash>,
    /// Number of covered changes.
    #[n(1)]
    pub(super) changes: u32,
    /// The heads that the relay had before, as far as known. A snapshot of a relay that was put back may not cover them. `[C6]`
    #[n(2)]
    #[cbor(default)]
    pub(super) earlier: Vec<ChangeHash>,
}

impl DocumentStore {
    /// Records an announced snapshot of a document, the next entry of the log.
    pub(crate) fn announce_snapshot(&mut self, doc: DocId, kind: DocKind, heads: Vec<ChangeHash>, changes: u32) {
        let record = self.documents.record_or_new(doc, kind);
        // The known part of the relay's log covers at most the snapshot.
        if heads.iter().all(|head| record.is_on_relay(head)) {
            return;
        }
        record.missing.clear();
        let mut earlier = record.announced.take().map_or_else(Vec::new, |announced| announced.earlier);
        earlier.extend(record.relay_heads.iter().filter(|head| record.is_acknowledged(head) && !heads.contains(head)));
        record.announced = Some(AnnouncedSnapshot { heads: heads.clone(), changes, earlier });
        // Local changes among its heads were pushed. Otherwise they would be pushed again and become heads once
        // acknowledged.
        let here: Vec<u32> = heads.iter().filter_map(|head| record.position(head)).collect();
        here.into_iter().for_each(|index| self.acknowledge(doc, index));
        self.set_relay_heads(doc, heads);
        self.documents.record_mut(&doc).expect("it was made above").settle_announced();
    }

    /// Records that the relay's snapshot of a document is unusable. Changes that it may contain are pushed again; the
    /// relay ignores the ones it has.
    pub(crate) fn expect_no_snapshot(&mut self, doc: DocId) {
        if let Some(record) = self.documents.record_mut(&doc)
            && record.is_unclear()
        {
            record.announced = None;
            self.unwritten.insert(doc);
        }
    }

    /// Stores a snapshot that adds something. Returns whether its content matches the relay's announcement. `[S2]`
    pub(crate) fn add_snapshot(
        &mut self,
        writes: &mut WriteQueue,
        doc: DocId,
        kind: DocKind,
        announced: Option<(&[ChangeHash], u32)>,
        chunk: Vec<u8>,
    ) -> bool {
        let Ok(scanned) = scan_document(&chunk, &DocumentLimits::DEFAULT) else { return false };
        if announced.is_some_and(|(heads, changes)| scanned.heads != heads || scanned.changes != u64::from(changes)) {
            return false;
        }
        let is_known = |record: &DocumentRecord| {
            !record.lacks_any() && scanned.heads.iter().all(|head| record.is_acknowledged(head))
        };
        if self.documents.record(&doc).is_some_and(is_known) {
            return true;
        }
        let Ok(document) = automerge_doc::load(&self.actor_in(&doc), [chunk.as_slice()]) else { return false };
        let names = automerge_doc::names(&document);
        let one_by_one = self.documents.record_or_new(doc, kind).changes.len();
        self.record_snapshot(doc, &scanned.heads, &names);
        self.store_snapshot(writes, doc, &names, one_by_one, chunk);
        self.merge_loaded(doc, kind, document);
        self.unwritten.insert(doc);
        self.unwritten_rows.insert(doc);
        true
    }

    /// Updates the record: all of these changes are here and on the relay.
    fn record_snapshot(&mut self, doc: DocId, snapshot_heads: &[ChangeHash], names: &[(ChangeHash, Vec<ChangeHash>)]) {
        let record = self.documents.record_mut(&doc).expect("the caller made it");
        let covers = |head: &ChangeHash| names.iter().any(|(hash, _)| hash == head);
        // A snapshot older than the announced state adds no heads.
        let covers_announced = record.announced.as_ref().is_none_or(|announced| announced.heads.iter().all(covers));
        let is_news = covers_announced && !snapshot_heads.iter().all(|head| record.is_on_relay(head));
        let mut here: Vec<(ShortHash, u32)> = record.changes.iter().copied().zip(0..).collect();
        sort_by_key(&mut here, |known| *known);
        for (hash, deps) in names {
            let short = ShortHash::from(hash);
            match here.binary_search_by_key(&short, |(known, _)| *known).ok().map(|place| here[place].1) {
                Some(index) => {
                    record.unacked.remove(&index);
                    self.outbox.acknowledge(&Unsent { doc, index });
                }
                None => {
                    record.append(hash, deps);
                }
            }
            record.missing.remove(&short);
        }
        let announced = if covers_announced { record.announced.take() } else { None };
        let mut heads = if is_news { snapshot_heads.to_vec() } else { record.relay_heads.clone() };
        // Acknowledged changes that the snapshot does not contain stay heads: either they came after it, or the relay was put
        // back to an older state and lost them. Then the digests differ, and the comparison finds them. `[C6]`
        let known = if is_news { record.relay_heads.clone() } else { Vec::new() };
        let earlier = announced.map_or_else(Vec::new, |announced| announced.earlier);
        for head in known.into_iter().chain(earlier).filter(|head| !covers(head)) {
            if !heads.contains(&head) {
                heads.push(head);
            }
        }
        sort_by_key(&mut heads, |head| *head);
        if record.relay_heads != heads {
            self.set_relay_heads(doc, heads);
        } else {
            record.clear_refusal();
        }
        if !is_news {
            names.iter().for_each(|(_, deps)| self.remove_relay_heads(doc, deps));
        }
    }

    /// Queues the snapshot for the disk, and the deletion of those of the first `one_by_one` changes that it contains.
    fn store_snapshot(
        &mut self,
        writes: &mut WriteQueue,
        doc: DocId,
        names: &[(ChangeHash, Vec<ChangeHash>)],
        one_by_one: usize,
        chunk: Vec<u8>,
    ) {
        let record = self.documents.record_mut(&doc).expect("the caller made it");
        let mut covered: Vec<ShortHash> = names.iter().map(|(hash, _)| ShortHash::from(hash)).collect();
        sort_by_key(&mut covered, |short| *short);
        let is_covered = |short: &ShortHash| covered.binary_search(short).is_ok();
        let is_stored = |place: u32| record.in_snapshot.iter().any(|(first, last)| (*first..=*last).contains(&place));
        let (mut in_new, mut in_any) = (Vec::new(), Vec::new());
        for (place, short) in (0..).zip(&record.changes) {
            if is_covered(short) {
                in_new.push(place);
            }
            if is_covered(short) || is_stored(place) {
                in_any.push(place);
            }
        }
        for (first, last) in runs(&in_new) {
            if (first as usize) < one_by_one {
                let (from, to) = (change_key(&doc, first), change_key(&doc, last));
                writes.delete(KeyRange { space: Space::Change, from, to });
            }
        }
        if in_any.len() > in_new.len() {
            record.further_snapshots += 1;
        } else if record.further_snapshots > 0 {
            let (from, to) = (change_key(&doc, record.first_snapshot()), change_key(&doc, SNAPSHOT_INDEX - 1));
            writes.delete(KeyRange { space: Space::Change, from, to });
            record.further_snapshots = 0;
        }
        writes.put(Space::Change, change_key(&doc, record.first_snapshot()), chunk);
        record.in_snapshot = runs(&in_any);
    }

    /// Merges a stored snapshot into the document in memory.
    fn merge_loaded(&mut self, doc: DocId, kind: DocKind, snapshot: Automerge) {
        self.note_remote_change(doc);
        self.documents.repaired(&doc);
        if kind.policy().has_row_on_phone {
            self.folds.push(doc);
        }
        if let Some(document) = self.documents.loaded_mut(&doc) {
            // A change that Automerge rejects is kept: the relay has it, and a later version may read it.
            drop(automerge_doc::merge(document, &snapshot));
        } else if self.documents.record(&doc).is_some_and(|record| automerge_doc::heads(&snapshot) == record.heads) {
            self.documents.load(doc, snapshot);
        }
        self.refold(doc);
    }
}

impl DocumentRecord {
    /// Returns the index of the document's first snapshot among the keys of its changes.
    fn first_snapshot(&self) -> u32 {
        SNAPSHOT_INDEX - self.further_snapshots
    }
}

impl DocumentStore {
    /// Returns the key range of a document's snapshots.
    pub(super) fn snapshots(&self, doc: &DocId) -> KeyRange {
        let first = self.documents.record(doc).map_or(SNAPSHOT_INDEX, DocumentRecord::first_snapshot);
        KeyRange { space: Space::Change, from: change_key(doc, first), to: change_key(doc, SNAPSHOT_INDEX) }
    }
}

/// Returns the first and last positions of each run of consecutive positions.
fn runs(places: &[u32]) -> Vec<(u32, u32)> {
    places.chunk_by(|a, b| a + 1 == *b).map(|run| (run[0], run[run.len() - 1])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;
    use crate::docs::automerge_doc::NewChange;
    use crate::replica::io::{Effect, StoreOp, StoredEntry};
    use crate::wire::DocHistory;

    const DOC: DocId = DocId::from_bytes([1; 16]);

    fn put(doc: &mut Automerge, key: &str) -> NewChange {
        automerge_doc::edit(doc, |edit| edit.boolean(key, true)).unwrap().unwrap()
    }

    /// A document store with a document of which the relay has the first of two changes.
    fn documents() -> (DocumentStore, WriteQueue) {
        let (mut documents, mut writes) = (DocumentStore::open([7; 16], &[]), WriteQueue::default());
        for key in ["first", "second"] {
            let change = put(documents.create(DOC, DocKind::Car), key);
            let (hash, deps) = (change.hash, change.deps.clone());
            documents.add_own(&mut writes, DOC, Some(change));
            if key == "first" {
                documents.relay_has(DOC, DocKind::Car, &hash, &deps);
            }
        }
        (documents, writes)
    }

    /// The relay's document after another device, which had the first change, made two more.
    fn elsewhere(documents: &mut DocumentStore) -> Automerge {
        let first = automerge_doc::chunks(documents.loaded(&DOC).unwrap()).next().unwrap().1;
        let mut doc = automerge_doc::load(&[9; 16], [first.as_slice()]).unwrap();
        put(&mut doc, "third");
        put(&mut doc, "fourth");
        doc
    }

    #[test]
    fn s2_what_is_unsent_stays_unsent_beside_a_snapshot_and_the_rest_is_on_the_relay() {
        let (mut documents, mut writes) = documents();
        let theirs = elsewhere(&mut documents);
        let heads = automerge_doc::heads(&theirs);
        assert!(documents.add_snapshot(
            &mut writes,
            DOC,
            DocKind::Car,
            Some((&heads, 3)),
            automerge_doc::snapshot(&theirs)
        ));
        let record = documents.record(&DOC).unwrap();
        assert_eq!((record.unsent().changes, record.heads.len(), &record.relay_heads), (1, 2, &heads));
        assert!(!record.lacks_any());
        let document = documents.loaded(&DOC).unwrap();
        for key in ["first", "second", "third", "fourth"] {
            assert!(automerge_doc::boolean(document, key), "{key}");
        }
    }

    /// The stored entries after these writes.
    fn stored(writes: &mut WriteQueue) -> Vec<StoredEntry> {
        let mut disk: Vec<StoredEntry> = Vec::new();
        while let Some(Effect::Store { batch, ops }) = writes.next(0) {
            for op in ops {
                match op {
                    StoreOp::Put(entry) => {
                        disk.retain(|other| (other.space, &other.key) != (entry.space, &entry.key));
                        disk.push(entry);
                    }
                    StoreOp::Delete(KeyRange { space, from, to }) => {
                        disk.retain(|entry| entry.space != space || entry.key < from || to < entry.key);
                    }
                }
            }
            writes.stored(batch);
        }
        disk
    }

    #[test]
    fn s2_what_only_an_earlier_snapshot_holds_stays_when_a_restored_relay_makes_one_without_it() {
        let (mut documents, mut writes) = (DocumentStore::open([7; 16], &[]), WriteQueue::default());
        let mut theirs = automerge_doc::new(&[9; 16]);
        let first = put(&mut theirs, "first");
        let mut restored = theirs.fork();
        let lost = put(&mut theirs, "lost");
        assert!(documents.add_snapshot(&mut writes, DOC, DocKind::Car, None, automerge_doc::snapshot(&theirs)));
        let history = |hashes: &[&NewChange]| DocHistory {
            doc: DOC,
            kind: Some(DocKind::Car),
            heads: vec![hashes[hashes.len() - 1].hash],
            hashes: hashes.iter().map(|change| change.hash).collect(),
        };
        documents.relay_has_exactly(&history(&[&first]));
        let later = put(&mut restored, "later");
        documents.relay_has_exactly(&history(&[&first, &later]));
        assert!(documents.add_snapshot(&mut writes, DOC, DocKind::Car, None, automerge_doc::snapshot(&restored)));
        documents.write(&mut writes);

        let disk = stored(&mut writes);
        let mut again = DocumentStore::open([8; 16], &disk);
        let unsent = again.take_unsent(10, 1_000);
        assert_eq!(unsent.len(), 1, "the relay lacks one of them");
        let range = again.unsent_range(&unsent[0]);
        let found = disk.iter().filter(|entry| range.from <= entry.key && entry.key <= range.to);
        let wanted = unsent.into_iter().collect();
        let chunks: Vec<_> = found.flat_map(|entry| again.unsent_in(entry, &wanted)).map(|(_, chunk)| chunk).collect();
        assert_eq!(chunks, std::slice::from_ref(&lost.chunk), "it is there to be sent");
        again.load(DOC, &disk, &writes, writes.durable_seq());
        let document = again.loaded(&DOC).expect("storage has all of it");
        for key in ["first", "lost", "later"] {
            assert!(automerge_doc::boolean(document, key), "{key}");
        }

        restored.merge(&mut theirs).unwrap();
        assert!(
            again.add_snapshot(&mut writes, DOC, DocKind::Car, None, automerge_doc::snapshot(&restored)),
            "all of them"
        );
        let snapshots = again.snapshots(&DOC);
        assert_eq!(snapshots.from, snapshots.to, "one is enough again");
    }

    #[test]
    fn c6_what_a_relay_that_was_put_back_lost_stays_its_head_beside_its_snapshot_so_that_the_digests_differ() {
        let (mut documents, mut writes) = documents();
        let second = documents.record(&DOC).unwrap().heads[0];
        let theirs = elsewhere(&mut documents);
        let first = theirs.get_changes(&[])[0].hash();
        documents.relay_has(DOC, DocKind::Car, &second, &[ChangeHash(first.0)]);
        let heads = automerge_doc::heads(&theirs);
        let snapshot = automerge_doc::snapshot(&theirs);
        assert!(documents.add_snapshot(&mut writes, DOC, DocKind::Car, Some((&heads, 3)), snapshot));
        let record = documents.record(&DOC).unwrap();
        assert!(record.relay_heads.contains(&second) && record.relay_heads.len() == 2, "{:?}", record.relay_heads);
        assert!(record.relay_heads.is_sorted());
        let mut digest = Digest::default();
        digest.replace(&DOC, &[], &heads);
        assert_ne!(documents.digest(), digest);
    }

    #[test]
    fn c6_what_a_relay_that_was_put_back_lost_is_its_head_again_once_the_announced_snapshot_is_here() {
        let (mut documents, mut writes) = documents();
        let second = documents.record(&DOC).unwrap().heads[0];
        let theirs = elsewhere(&mut documents);
        let first = theirs.get_changes(&[])[0].hash();
        documents.relay_has(DOC, DocKind::Car, &second, &[ChangeHash(first.0)]);
        let heads = automerge_doc::heads(&theirs);
        documents.announce_snapshot(DOC, DocKind::Car, heads.clone(), 3);
        assert_eq!(documents.record(&DOC).unwrap().relay_heads, heads);
        assert!(documents.add_snapshot(&mut writes, DOC, DocKind::Car, None, automerge_doc::snapshot(&theirs)));
        let record = documents.record(&DOC).unwrap();
        assert!(record.relay_heads.contains(&second) && record.relay_heads.len() == 2, "{:?}", record.relay_heads);
    }

    #[test]
    fn s2_a_snapshot_that_is_not_what_it_was_said_to_be_is_not_kept() {
        let (mut documents, mut writes) = documents();
        documents.write(&mut writes);
        let theirs = elsewhere(&mut documents);
        let (heads, sound) = (automerge_doc::heads(&theirs), automerge_doc::snapshot(&theirs));
        let before = (documents.record(&DOC).unwrap().clone(), writes.write_seq());
        let mut offer = |heads: &[ChangeHash], changes, chunk: &[u8]| {
            let is_kept =
                documents.add_snapshot(&mut writes, DOC, DocKind::Car, Some((heads, changes)), chunk.to_vec());
            documents.write(&mut writes);
            assert_eq!((documents.record(&DOC).unwrap(), writes.write_seq()), (&before.0, before.1));
            is_kept
        };
        assert!(!offer(&heads, 4, &sound), "it has fewer changes");
        assert!(!offer(&[heads[0], ChangeHash([0xff; 32])], 3, &sound), "it has other heads");
        assert!(!offer(&heads, 3, &theirs.save_after(&[])), "it is changes one after the other");
        assert!(!offer(&heads, 3, &[]));
        for at in 0..sound.len() {
            let mut damaged = sound.clone();
            damaged[at] ^= 0x40;
            assert!(!offer(&heads, 3, &damaged), "byte {at}");
        }
        assert!(documents.add_snapshot(&mut writes, DOC, DocKind::Car, Some((&heads, 3)), sound), "the sound one is");
    }

    #[test]
    fn s3_changes_of_which_a_snapshot_may_know_wait_until_it_is_here() {
        let (mut documents, mut writes) = documents();
        assert_eq!(documents.take_unsent(10, 1_000).len(), 1);
        documents.requeue_unsent([Unsent { doc: DOC, index: 1 }]);
        let theirs = elsewhere(&mut documents);
        documents.announce_snapshot(DOC, DocKind::Car, automerge_doc::heads(&theirs), 3);
        assert!(documents.take_unsent(10, 1_000).is_empty() && documents.must_fetch(&DOC));
        documents.add_snapshot(&mut writes, DOC, DocKind::Car, None, automerge_doc::snapshot(&theirs));
        assert_eq!(documents.take_unsent(10, 1_000), [Unsent { doc: DOC, index: 1 }]);
    }

    #[test]
    fn s3_changes_come_one_by_one_where_a_restored_relay_does_not_have_the_snapshot_it_told_of() {
        let (mut documents, mut writes) = (DocumentStore::open([7; 16], &[]), WriteQueue::default());
        let mut theirs = automerge_doc::new(&[9; 16]);
        let changes = [put(&mut theirs, "first"), put(&mut theirs, "second")];
        let heads = automerge_doc::heads(&theirs);
        documents.announce_snapshot(DOC, DocKind::Track, heads.clone(), 2);
        let lacked = documents.missing_changes(&DOC);
        for change in changes {
            let scanned = crate::replica::documents::scan(&change.chunk).unwrap();
            documents.add_fetched(&mut writes, DOC, DocKind::Track, &scanned, change.chunk);
        }
        assert!(!documents.note_fetched(DOC, &lacked));
        let record = documents.record(&DOC).unwrap();
        assert_eq!((&record.heads, &record.relay_heads, record.missing_count()), (&heads, &heads, 0));
    }

    #[test]
    fn s3_a_relay_that_is_about_to_drop_what_a_snapshot_covers_may_send_both() {
        let (mut documents, mut writes) = (DocumentStore::open([7; 16], &[]), WriteQueue::default());
        let mut theirs = automerge_doc::new(&[9; 16]);
        let first = put(&mut theirs, "first");
        put(&mut theirs, "second");
        let heads = automerge_doc::heads(&theirs);
        documents.announce_snapshot(DOC, DocKind::Track, heads.clone(), 2);
        let later = put(&mut theirs.clone(), "later");
        documents.relay_has(DOC, DocKind::Track, &later.hash, &later.deps);
        let scanned = crate::replica::documents::scan(&first.chunk).unwrap();
        documents.add_fetched(&mut writes, DOC, DocKind::Track, &scanned, first.chunk);
        assert_eq!(documents.record(&DOC).unwrap().relay_heads, [later.hash], "the first change is no head again");
        assert!(documents.add_snapshot(&mut writes, DOC, DocKind::Track, None, automerge_doc::snapshot(&theirs)));
        let record = documents.record(&DOC).unwrap();
        assert_eq!(
            (&record.heads, record.relay_heads.as_slice(), record.missing_count()),
            (&heads, &[later.hash][..], 1)
        );
    }

    #[test]
    fn s3_a_change_that_was_pushed_and_is_a_head_of_an_announced_snapshot_is_acknowledged() {
        for is_dropped in [false, true] {
            let (mut documents, mut writes) = documents();
            let ours = documents.loaded(&DOC).unwrap().clone();
            let chunks: Vec<Vec<u8>> = automerge_doc::chunks(&ours).map(|(_, chunk)| chunk).collect();
            let mut theirs = automerge_doc::load(&[9; 16], [chunks[0].as_slice()]).unwrap();
            let third = put(&mut theirs, "third");
            let mut covered = theirs.clone();
            automerge_doc::merge(&mut covered, &ours).unwrap();
            let fourth = put(&mut theirs, "fourth");
            // The relay had the second change, but its acknowledgement was lost.
            documents.announce_snapshot(DOC, DocKind::Car, automerge_doc::heads(&covered), 3);
            documents.relay_has(DOC, DocKind::Car, &fourth.hash, &fourth.deps);
            let lacked = documents.missing_changes(&DOC);
            let keep = |documents: &mut DocumentStore, writes: &mut WriteQueue, chunk: &[u8]| {
                let scanned = crate::replica::documents::scan(chunk).unwrap();
                documents.add_fetched(writes, DOC, DocKind::Car, &scanned, chunk.to_vec());
            };
            keep(&mut documents, &mut writes, &third.chunk);
            if is_dropped {
                keep(&mut documents, &mut writes, &chunks[1]);
            } else {
                assert!(documents.add_snapshot(
                    &mut writes,
                    DOC,
                    DocKind::Car,
                    None,
                    automerge_doc::snapshot(&covered)
                ));
            }
            keep(&mut documents, &mut writes, &fourth.chunk);
            assert!(!documents.note_fetched(DOC, &lacked));
            let record = documents.record(&DOC).unwrap();
            assert_eq!((record.unsent().changes, record.missing_count()), (0, 0), "{is_dropped}");
            assert_eq!((&record.relay_heads, record.heads.len()), (&record.heads, 2), "{is_dropped}");
        }
    }

    #[test]
    fn s3_a_snapshot_of_which_everything_is_here_lacks_nothing() {
        let (mut documents, _) = documents();
        let heads = automerge_doc::heads(documents.loaded(&DOC).unwrap());
        documents.announce_snapshot(DOC, DocKind::Track, heads.clone(), 2);
        let record = documents.record(&DOC).unwrap();
        assert_eq!((record.unsent().changes, record.missing_count(), &record.relay_heads), (0, 0, &heads));
    }
}
