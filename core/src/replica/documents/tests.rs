//! The document store's record of the relay's state, after each change.

use super::*;
use crate::docs;
use crate::docs::drive::DriveFields;
use crate::projection;
use crate::wire::DocHistory;

#[test]
fn the_same_change_to_two_documents_has_two_names() {
    let (mut documents, mut writes) = (DocumentStore::open([7; 16], &[]), WriteQueue::default());
    let docs = [1, 2].map(|byte| DocId::from_bytes([byte; 16]));
    for doc in docs {
        let change = docs::track::create(documents.create(doc, DocKind::Track)).unwrap();
        documents.add_own(&mut writes, doc, change);
    }
    let [first, second] = docs.map(|doc| documents.record(&doc).unwrap().heads.clone());
    assert_eq!((first.len(), second.len()), (1, 1));
    assert_ne!(first, second);
    assert_eq!(documents.actor_in(&docs[0])[..8], [7; 8]);
}

#[test]
fn c5_what_builds_on_something_that_was_never_heard_of_is_fetched_before_it_is_kept() {
    let (mut documents, mut writes) = (DocumentStore::open([7; 16], &[]), WriteQueue::default());
    let mut theirs = automerge_doc::new(&[9; 16]);
    let mut put = |key: &str| automerge_doc::edit(&mut theirs, |edit| edit.boolean(key, true)).unwrap().unwrap();
    let changes = ["first", "second", "third", "meanwhile"].map(|key| put(key).chunk);
    let doc = DocId::from_bytes([1; 16]);
    let scanned = changes.each_ref().map(|chunk| scan(chunk).unwrap());
    let third = &scanned[2];
    assert!(documents.add_entry(&mut writes, doc, DocKind::Car, third, changes[2].clone()), "it has to be fetched");
    let record = documents.record(&doc).unwrap();
    assert_eq!((record.is_here(), record.missing_count(), &record.relay_heads), (false, 2, &vec![third.hash]));
    let lacked = documents.missing_changes(&doc);
    for (scanned, chunk) in scanned.iter().zip(changes) {
        documents.add_fetched(&mut writes, doc, DocKind::Car, scanned, chunk);
    }
    assert!(!documents.note_fetched(doc, &lacked));
    let record = documents.record(&doc).unwrap();
    let heads = vec![scanned[3].hash];
    assert_eq!((record.missing_count(), &record.heads, &record.relay_heads), (0, &heads, &heads));
}

#[test]
fn c5_a_snapshot_that_is_older_than_what_was_heard_of_makes_no_heads() {
    let (mut documents, mut writes) = (DocumentStore::open([7; 16], &[]), WriteQueue::default());
    let mut theirs = automerge_doc::new(&[9; 16]);
    let mut put = |key: &str| automerge_doc::edit(&mut theirs, |edit| edit.boolean(key, true)).unwrap().unwrap();
    put("first");
    put("second");
    let snapshot = automerge_doc::snapshot(&theirs);
    let third = automerge_doc::edit(&mut theirs, |edit| edit.boolean("third", true)).unwrap().unwrap().chunk;
    let doc = DocId::from_bytes([1; 16]);
    let scanned = scan(&third).unwrap();
    assert!(documents.add_entry(&mut writes, doc, DocKind::Car, &scanned, third.clone()));
    assert!(documents.add_snapshot(&mut writes, doc, DocKind::Car, None, snapshot));
    documents.add_fetched(&mut writes, doc, DocKind::Car, &scanned, third);
    let record = documents.record(&doc).unwrap();
    assert_eq!(
        (record.missing_count(), &record.heads, &record.relay_heads),
        (0, &record.relay_heads, &vec![scanned.hash])
    );
}

/// Three changes of a track that depend on each other and are not on the relay.
fn three_changes(documents: &mut DocumentStore, writes: &mut WriteQueue, doc: DocId) -> [automerge_doc::NewChange; 3] {
    ["first", "second", "third"].map(|key| {
        let change =
            automerge_doc::edit(documents.create(doc, DocKind::Track), |edit| edit.boolean(key, true)).unwrap();
        documents.add_own(writes, doc, change.clone());
        change.unwrap()
    })
}

#[test]
fn c5_a_relay_that_has_what_builds_on_something_unsent_is_asked_what_it_has() {
    let (mut documents, mut writes) = (DocumentStore::open([7; 16], &[]), WriteQueue::default());
    let doc = DocId::from_bytes([1; 16]);
    let changes = three_changes(&mut documents, &mut writes, doc);
    let last = &changes[2];
    documents.relay_has(doc, DocKind::Track, &last.hash, &last.deps);
    assert!(
        documents.must_fetch(&doc) && documents.take_unsent(10, 10_000).is_empty(),
        "nothing is pushed before that"
    );
    let lacked = documents.missing_changes(&doc);
    for change in &changes {
        let scanned = scan(&change.chunk).unwrap();
        documents.add_fetched(&mut writes, doc, DocKind::Track, &scanned, change.chunk.clone());
    }
    assert!(!documents.note_fetched(doc, &lacked));
    let record = documents.record(&doc).unwrap();
    assert_eq!((record.unsent().changes, record.missing_count(), &record.relay_heads), (0, 0, &vec![last.hash]));
}

#[test]
fn c5_a_change_that_comes_before_what_it_builds_on_was_acknowledged_has_the_relay_asked_what_it_has() {
    let (mut documents, mut writes) = (DocumentStore::open([7; 16], &[]), WriteQueue::default());
    let doc = DocId::from_bytes([1; 16]);
    let mut put =
        |key: &str| automerge_doc::edit(documents.create(doc, DocKind::Car), |edit| edit.boolean(key, true)).unwrap();
    let (first, second) = (put("first"), put("second").unwrap());
    documents.add_own(&mut writes, doc, first.clone());
    let scanned = scan(&second.chunk).unwrap();
    assert!(documents.add_entry(&mut writes, doc, DocKind::Car, &scanned, second.chunk.clone()), "it is to be fetched");
    assert!(documents.take_unsent(10, 10_000).is_empty(), "nothing is pushed before that");
    let lacked = documents.missing_changes(&doc);
    for change in [&first.unwrap(), &second] {
        let scanned = scan(&change.chunk).unwrap();
        documents.add_fetched(&mut writes, doc, DocKind::Car, &scanned, change.chunk.clone());
    }
    assert!(!documents.note_fetched(doc, &lacked));
    let record = documents.record(&doc).unwrap();
    assert_eq!((record.unsent().changes, record.missing_count(), &record.relay_heads), (0, 0, &vec![second.hash]));
}

#[test]
fn a_drive_with_a_copy_is_looked_at_whenever_more_of_it_comes() {
    let (mut documents, mut writes) = (DocumentStore::open([7; 16], &[]), WriteQueue::default());
    let (doc, mut theirs) = (DocId::from_bytes([1; 16]), automerge_doc::new(&[9; 16]));
    let mut comes = |documents: &mut DocumentStore, title: &str| {
        let change = automerge_doc::edit(&mut theirs, |edit| edit.string("title", title)).unwrap().unwrap();
        documents.add_entry(&mut writes, doc, DocKind::Drive, &scan(&change.chunk).unwrap(), change.chunk);
        documents.folds = FoldQueue::default();
        documents.take_events()
    };
    assert_eq!(comes(&mut documents, "Before"), [DocumentEvent::Changed(doc)]);
    let fields = docs::drive::read(&automerge_doc::new(&[9; 16]));
    let row = DocumentRow::Drive(DriveFields { published: Some(DocId::from_bytes([2; 16])), ..fields });
    documents.documents.set_row(&doc, Some(row));
    let events = comes(&mut documents, "After");
    assert_eq!(events, [DocumentEvent::Merged(doc), DocumentEvent::Changed(doc)], "its copy may be newer");
}

#[test]
fn c5_a_snapshot_of_what_was_not_acknowledged_does_not_undo_what_came_after_it() {
    let (mut documents, mut writes) = (DocumentStore::open([7; 16], &[]), WriteQueue::default());
    let doc = DocId::from_bytes([1; 16]);
    let [first, second, third] = three_changes(&mut documents, &mut writes, doc);
    let mut older = automerge_doc::new(&[9; 16]);
    automerge_doc::apply(&mut older, [first.chunk.as_slice(), second.chunk.as_slice()]).unwrap();
    documents.announce_snapshot(doc, DocKind::Track, vec![second.hash], 2);
    documents.relay_has(doc, DocKind::Track, &third.hash, &third.deps);
    // A relay that is about to delete what a snapshot covers sends both.
    let lacked = documents.missing_changes(&doc);
    documents.add_fetched(&mut writes, doc, DocKind::Track, &scan(&first.chunk).unwrap(), first.chunk);
    assert!(documents.add_snapshot(&mut writes, doc, DocKind::Track, None, automerge_doc::snapshot(&older)));
    documents.add_fetched(&mut writes, doc, DocKind::Track, &scan(&third.chunk).unwrap(), third.chunk);
    assert!(!documents.note_fetched(doc, &lacked));
    let record = documents.record(&doc).unwrap();
    assert_eq!((record.unsent().changes, record.missing_count(), &record.relay_heads), (0, 0, &vec![third.hash]));
}

#[test]
fn c5_a_document_of_which_something_was_not_acknowledged_is_compared_as_a_whole() {
    let (mut documents, mut writes) = (DocumentStore::open([7; 16], &[]), WriteQueue::default());
    let doc = DocId::from_bytes([1; 16]);
    let [first, second, third] = three_changes(&mut documents, &mut writes, doc);
    // The relay has all three of them; the phone received the acknowledgement of the last one only.
    let history = |hashes: &[&NewChange]| DocHistory {
        doc,
        kind: Some(DocKind::Track),
        heads: vec![third.hash],
        hashes: hashes.iter().map(|change| change.hash).collect(),
    };
    documents.relay_has_exactly(&history(&[&third]));
    assert_eq!(documents.record(&doc).unwrap().heads_to_compare(), [], "the relay is to tell what it has");
    documents.relay_has_exactly(&history(&[&first, &second, &third]));
    let record = documents.record(&doc).unwrap();
    assert_eq!((record.unsent().changes, record.heads_to_compare()), (0, vec![third.hash]));
}

#[test]
fn c5_what_is_acknowledged_while_a_document_is_fetched_is_no_head_where_the_relay_has_more() {
    for is_snapshot in [false, true] {
        let (mut documents, mut writes) = (DocumentStore::open([7; 16], &[]), WriteQueue::default());
        let doc = DocId::from_bytes([1; 16]);
        let changes = three_changes(&mut documents, &mut writes, doc);
        let last = changes[2].hash;
        let snapshot = automerge_doc::snapshot(documents.loaded(&doc).unwrap());
        // Both were pushed. The relay has them from another device, and announces them before it acknowledges them.
        if is_snapshot {
            documents.announce_snapshot(doc, DocKind::Track, vec![last], 3);
        } else {
            documents.relay_has(doc, DocKind::Track, &last, &changes[2].deps);
        }
        documents.relay_has(doc, DocKind::Track, &changes[0].hash, &[]);
        documents.relay_has(doc, DocKind::Track, &changes[1].hash, &changes[1].deps);
        let lacked = documents.missing_changes(&doc);
        if is_snapshot {
            assert!(documents.add_snapshot(&mut writes, doc, DocKind::Track, None, snapshot));
        } else {
            for change in &changes {
                let scanned = scan(&change.chunk).unwrap();
                documents.add_fetched(&mut writes, doc, DocKind::Track, &scanned, change.chunk.clone());
            }
        }
        assert!(!documents.note_fetched(doc, &lacked));
        let record = documents.record(&doc).unwrap();
        assert_eq!((record.unsent().changes, record.missing_count()), (0, 0), "{is_snapshot}");
        assert_eq!(record.relay_heads, [last], "{is_snapshot}");
    }
}

#[test]
fn c5_a_document_of_which_less_is_here_than_should_be_is_compared_as_a_whole() {
    let mut documents = DocumentStore::open([7; 16], &[]);
    let (doc, hash) = (DocId::from_bytes([1; 16]), ChangeHash([2; 32]));
    documents.relay_has(doc, DocKind::Car, &hash, &[]);
    assert_eq!(documents.record(&doc).unwrap().heads_to_compare(), [hash], "it is known to be missing");
    documents.note_fetched(doc, &documents.missing_changes(&doc));
    assert_eq!(documents.record(&doc).unwrap().heads_to_compare(), [], "it should have come and did not");
}

#[test]
fn a_row_of_an_earlier_version_is_shown_until_it_is_folded_again() {
    let doc = DocId::from_bytes([1; 16]);
    let mut record = DocumentRecord::new(DocKind::Car);
    record.append(&ChangeHash([2; 32]), &[]);
    let entry = |space, value| StoredEntry { space, key: doc.as_bytes().to_vec(), value };
    let row = DocumentRow::Car(docs::CarFields::default(), Vec::new());
    let stored = |version| StoredRow { heads: record.heads.clone(), row: row.clone(), version };
    let earlier = [cbor(&stored(projection::VERSION - 1)), b"not a row of this version".to_vec()];
    for (value, is_shown) in earlier.into_iter().zip([true, false]) {
        let documents = DocumentStore::open([7; 16], &[entry(Space::Doc, cbor(&record)), entry(Space::Row, value)]);
        assert_eq!((documents.is_stale(&doc), documents.row(&doc).is_some()), (true, is_shown));
    }
    let fresh = entry(Space::Row, cbor(&stored(projection::VERSION)));
    assert!(!DocumentStore::open([7; 16], &[entry(Space::Doc, cbor(&record)), fresh]).is_stale(&doc));
}

#[test]
fn a_copy_is_pushed_behind_the_drive_that_names_it() {
    let (mut documents, mut writes) = (DocumentStore::open([7; 16], &[]), WriteQueue::default());
    let docs = [(1, DocKind::Published), (2, DocKind::Drive), (3, DocKind::Track)];
    for (byte, kind) in docs {
        let doc = DocId::from_bytes([byte; 16]);
        let change = automerge_doc::edit(documents.create(doc, kind), |edit| edit.boolean("any", true)).unwrap();
        documents.add_own(&mut writes, doc, change);
    }
    let mut taken =
        |count| documents.take_unsent(count, 1_000).iter().map(|unsent| unsent.doc.as_bytes()[0]).collect::<Vec<_>>();
    assert_eq!(taken(1), [2]);
    assert_eq!(taken(9), [3, 1]);
    assert_eq!(taken(9), [0; 0]);
}

#[test]
fn a_new_copy_waits_until_the_relay_has_the_drive_that_names_it() {
    let (mut documents, mut writes) = (DocumentStore::open([7; 16], &[]), WriteQueue::default());
    let (copy, drive) = (DocId::from_bytes([1; 16]), DocId::from_bytes([2; 16]));
    let mut hashes = Vec::new();
    for (doc, kind) in [(copy, DocKind::Published), (drive, DocKind::Drive)] {
        let change = automerge_doc::edit(documents.create(doc, kind), |edit| edit.boolean("any", true)).unwrap();
        hashes.push(change.as_ref().unwrap().hash);
        documents.add_own(&mut writes, doc, change);
    }
    let Some(DocumentRow::Drive(fields)) = documents.row(&drive).cloned() else {
        panic!("a drive is folded when it is made")
    };
    documents.documents.set_row(&drive, Some(DocumentRow::Drive(DriveFields { published: Some(copy), ..fields })));
    let docs = |unsent: Vec<Unsent>| unsent.iter().map(|unsent| unsent.doc).collect::<Vec<_>>();
    let drives = documents.take_unsent(9, 1_000);
    assert_eq!(docs(drives.clone()), [drive]);
    assert_eq!(docs(documents.take_unsent(9, 1_000)), [], "the relay may refuse the drive");
    documents.requeue_unsent(drives);
    documents.relay_has(drive, DocKind::Drive, &hashes[1], &[]);
    assert_eq!(docs(documents.take_unsent(9, 1_000)), [copy]);
    // A withdrawal is pushed without a wait.
    documents.relay_has(copy, DocKind::Published, &hashes[0], &[]);
    for (doc, kind) in [(copy, DocKind::Published), (drive, DocKind::Drive)] {
        let change = automerge_doc::edit(documents.create(doc, kind), |edit| edit.boolean("any", false)).unwrap();
        documents.add_own(&mut writes, doc, change);
    }
    assert_eq!(docs(documents.take_unsent(1, 1_000)), [drive]);
    assert_eq!(docs(documents.take_unsent(1, 1_000)), [copy]);
}

#[test]
fn what_is_lost_inside_is_found_by_the_invariants() {
    let doc = DocId::from_bytes([1; 16]);
    let documents = || {
        let (mut documents, mut writes) = (DocumentStore::open([7; 16], &[]), WriteQueue::default());
        let change =
            automerge_doc::edit(documents.create(doc, DocKind::Car), |edit| edit.boolean("any", true)).unwrap();
        documents.add_own(&mut writes, doc, change);
        documents.write(&mut writes);
        documents
    };
    assert_eq!(documents().check_invariants(), Ok(()));
    let broken: [fn(&mut DocumentStore); 5] = [
        |documents| documents.unwritten.extend([DocId::from_bytes([1; 16])]),
        |documents| documents.outbox = Outbox::default(),
        |documents| documents.outbox.wait([Unsent { doc: DocId::from_bytes([2; 16]), index: 0 }]),
        |documents| documents.digest.replace(&DocId::from_bytes([1; 16]), &[], &[ChangeHash([9; 32])]),
        |documents| {
            documents.documents.record_mut(&DocId::from_bytes([1; 16])).unwrap().relay_heads = vec![ChangeHash([9; 32])]
        },
    ];
    for breaks in broken {
        let mut documents = documents();
        breaks(&mut documents);
        assert!(documents.check_invariants().is_err());
    }
}

#[test]
fn a_track_with_an_announced_snapshot_is_fetched_once_this_phone_adds_to_it() {
    let (mut documents, mut writes) = (DocumentStore::open([7; 16], &[]), WriteQueue::default());
    let doc = DocId::from_bytes([1; 16]);
    let first = automerge_doc::edit(documents.create(doc, DocKind::Track), |edit| edit.boolean("any", true)).unwrap();
    let hash = first.as_ref().unwrap().hash;
    documents.add_own(&mut writes, doc, first);
    documents.relay_has(doc, DocKind::Track, &hash, &[]);
    documents.announce_snapshot(doc, DocKind::Track, vec![ChangeHash([9; 32])], 2);
    documents.write(&mut writes);
    assert_eq!(documents.take_newly_to_fetch(), [], "a track is fetched when somebody opens it");
    let second = automerge_doc::edit(documents.create(doc, DocKind::Track), |edit| edit.boolean("any", false)).unwrap();
    documents.add_own(&mut writes, doc, second);
    documents.write(&mut writes);
    assert_eq!(documents.take_newly_to_fetch(), [doc], "what the snapshot holds decides what is pushed");
    assert_eq!(documents.take_newly_to_fetch(), []);
}
