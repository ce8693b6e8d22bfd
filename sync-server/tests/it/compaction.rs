//! Snapshots in place of many changes: what devices receive, what the database stores, and what happens to a bad
//! snapshot.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::timeout;
use tourismo_core::digest::Digest;
use tourismo_core::docs::{Visibility, automerge_doc, snapshot};
use tourismo_core::id::{ChangeHash, DocId};
use tourismo_core::time::Timestamp;
use tourismo_core::wire::{BATCH_BYTES, DocHeads, DocKind, Entry, EntryBody, Message, NackCode, Offer};
use tourismo_server::maintenance::check;

use crate::harness::{Database, Document, Phone, Relay, Wire, drive_on, get};

/// How long to wait for the compactor, which needs milliseconds.
const PATIENCE: Duration = Duration::from_secs(60);

async fn relay() -> Relay {
    Relay::start_with(|config| config.compact_after = Duration::ZERO).await
}

async fn push(wire: &mut Wire, offers: Vec<Offer>) -> Vec<ChangeHash> {
    let count = offers.len();
    wire.push(offers).await;
    let answers = wire.answers(count).await;
    assert_eq!(answers.nacked, []);
    answers.acked
}

/// Waits until no snapshot is due, and returns what a device gets from a cursor on.
async fn compacted(relay: &Relay, phone: &Phone, cursor: u64) -> Vec<Entry> {
    let waiting = r#"
        SELECT (SELECT COUNT(*) FROM document WHERE is_unfit = 0 AND loose >= 4 AND 2 * loose >= covered)
            + (SELECT COUNT(*) FROM snapshot WHERE state < 2)
    "#;
    until_asked(relay.database(), waiting, 0).await;
    let (wire, entries, ..) = phone.catch_up(relay.addr(), cursor).await;
    wire.close().await;
    entries
}

fn is_one_snapshot(entries: &[Entry]) -> bool {
    matches!(entries, [entry] if entry.body.is_snapshot())
}

#[tokio::test]
async fn s1_a_new_device_gets_one_snapshot_and_an_old_one_nothing() {
    let (relay, phone) = (relay().await, Phone::founder(1));
    let mut car = Document::new(phone.device(), 1, DocKind::Car);
    let mut wire = phone.join(relay.addr()).await;
    let names = push(&mut wire, (0..20).map(|_| car.change().0).collect()).await;
    let entries = compacted(&relay, &phone, 0).await;
    let EntryBody::Snapshot { heads, changes, chunk } = &entries[0].body else { panic!("{entries:?}") };
    assert_eq!((heads, *changes), (&car.heads, 20));
    let loaded = automerge_doc::load(&[0; 16], [chunk.0.as_slice()]).unwrap();
    assert_eq!(automerge_doc::names(&loaded).into_iter().map(|(hash, _)| hash).collect::<Vec<_>>(), names);

    for cursor in [1, 7, 19] {
        let (_, entries, end, _) = phone.catch_up(relay.addr(), cursor).await;
        assert!(is_one_snapshot(&entries), "a cursor inside what it covers gets the whole of it");
        assert_eq!(end, 20);
    }
    let (_, entries, end, digest) = phone.catch_up(relay.addr(), 20).await;
    let mut expected = Digest::default();
    expected.replace(&car.id, &[], &car.heads);
    assert_eq!((entries, end, digest), (Vec::new(), 20, expected));
}

#[tokio::test]
async fn s1_what_comes_after_a_snapshot_follows_it_and_goes_into_the_next() {
    let (relay, phone) = (relay().await, Phone::founder(1));
    let mut car = Document::new(phone.device(), 1, DocKind::Car);
    let mut wire = phone.join(relay.addr()).await;
    push(&mut wire, (0..20).map(|_| car.change().0).collect()).await;
    compacted(&relay, &phone, 0).await;
    push(&mut wire, (0..9).map(|_| car.change().0).collect()).await;
    let (_, entries, end, _) = phone.catch_up(relay.addr(), 0).await;
    assert_eq!((entries.len(), end), (10, 29), "nine are too few to write twenty anew");
    assert!(entries[0].body.is_snapshot() && !entries[1].body.is_snapshot());
    push(&mut wire, vec![car.change().0]).await;
    let entries = compacted(&relay, &phone, 0).await;
    assert!(matches!(&entries[0].body, EntryBody::Snapshot { changes: 30, heads, .. } if *heads == car.heads));
    assert_eq!(relay.count("SELECT COUNT(*) FROM snapshot").await, 1, "the one before is gone");
}

#[tokio::test]
async fn s3_f3_a_track_is_announced_as_one_and_comes_in_pieces_when_asked_for() {
    let (relay, phone) = (relay().await, Phone::founder(1));
    let mut track = Document::new(phone.device(), 1, DocKind::Track);
    let mut wire = phone.join(relay.addr()).await;
    // Each change sets a key of its own, so that the snapshot contains all the random values.
    let change = |number: u64| {
        let byte = |i: u64| ((i + number).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8;
        let noise: Vec<u8> = (0..BATCH_BYTES as u64 / 2).map(byte).collect();
        track.offer(|doc| automerge_doc::edit(doc, |edit| edit.bytes_or_nothing(&number.to_string(), Some(&noise)))).0
    };
    let offers = (0..5).map(change).collect();
    push(&mut wire, offers).await;
    let entries = compacted(&relay, &phone, 0).await;
    let EntryBody::SnapshotStub { heads, changes: 5, bytes } = &entries[0].body else { panic!("{entries:?}") };
    assert_eq!(heads, &track.heads);
    wire.count_from_here();
    let chunks = wire.fetch(track.id).await;
    assert_eq!(chunks.iter().map(Vec::len).collect::<Vec<_>>(), [*bytes as usize]);
    assert!(*bytes as usize > 2 * BATCH_BYTES && wire.received > 2, "{bytes} bytes in {} messages", wire.received);
    assert_eq!(automerge_doc::heads(&automerge_doc::load(&[0; 16], [chunks[0].as_slice()]).unwrap()), track.heads);
}

#[tokio::test]
async fn s4_names_that_a_snapshot_covers_are_known_as_before() {
    let (relay, phone) = (relay().await, Phone::founder(1));
    let mut car = Document::new(phone.device(), 1, DocKind::Car);
    let mut wire = phone.join(relay.addr()).await;
    let offers: Vec<Offer> = (0..8).map(|_| car.change().0).collect();
    let names = push(&mut wire, offers.clone()).await;
    compacted(&relay, &phone, 0).await;

    assert_eq!(push(&mut wire, offers).await, names, "a change sent again is acknowledged again");
    assert_eq!(relay.count("SELECT COUNT(*) FROM change").await, 0);
    // A device that was offline makes a change on top of one in the middle.
    let mut doc = automerge_doc::new(&{
        let mut actor = [9; 16];
        actor[..8].copy_from_slice(&phone.device().actor_prefix());
        actor
    });
    automerge_doc::apply(&mut doc, car.doc.get_changes(&[]).iter().take(5).map(|change| change.raw_bytes())).unwrap();
    let change = automerge_doc::edit(&mut doc, |edit| edit.boolean("from the past", true)).unwrap().unwrap();
    assert_eq!(change.deps, [names[4]]);
    let chunk = tourismo_core::wire::Chunk(change.chunk);
    assert_eq!(push(&mut wire, vec![Offer { doc: car.id, kind: DocKind::Car, chunk }]).await, [change.hash]);

    let (from, to) = (DocId::from_bytes([0; 16]), DocId::from_bytes([0xff; 16]));
    let docs = vec![DocHeads { doc: car.id, heads: car.heads.clone() }];
    wire.send(&Message::Compare { from, to, docs }).await;
    let Message::Differences { docs, done: true } = wire.receive().await else { panic!("differences were due") };
    let all: BTreeSet<ChangeHash> = names.iter().copied().chain([change.hash]).collect();
    assert_eq!(docs[0].hashes.iter().copied().collect::<BTreeSet<_>>(), all);

    // No new change may use the sequence number of a covered one.
    let mut twin = Document::new(phone.device(), 1, DocKind::Car);
    let other = twin.offer(|doc| automerge_doc::edit(doc, |edit| edit.boolean("other", true))).0;
    wire.push(vec![Offer { doc: car.id, ..other }]).await;
    assert_eq!(wire.answers(1).await.nacked[0].2, NackCode::DuplicateSeq);
}

#[tokio::test]
async fn p4_s4_a_snapshot_is_taken_from_no_client() {
    let (relay, phone) = (Relay::start().await, Phone::founder(1));
    let mut car = Document::new(phone.device(), 1, DocKind::Car);
    (0..4).for_each(|_| drop(car.change()));
    let chunk = tourismo_core::wire::Chunk(automerge_doc::snapshot(&car.doc));
    let mut wire = phone.join(relay.addr()).await;
    wire.push(vec![Offer { doc: car.id, kind: DocKind::Car, chunk }]).await;
    assert_eq!(wire.answers(1).await.nacked[0].2, NackCode::Malformed);
}

#[tokio::test]
async fn s5_a_document_edited_ten_thousand_times_stays_small() {
    let (relay, phone) = (relay().await, Phone::founder(1));
    let mut drive = Document::new(phone.device(), 1, DocKind::Drive);
    let mut wire = phone.join(relay.addr()).await;
    let mut sent = 0;
    for round in 0..20 {
        let offers: Vec<Offer> = (0..500)
            .map(|number| {
                let title = format!("Drive number {}", 500 * round + number);
                drive.offer(|doc| automerge_doc::edit(doc, |edit| edit.string_if_changed("title", "", &title))).0
            })
            .collect();
        sent += offers.iter().map(|offer| offer.chunk.0.len()).sum::<usize>();
        push(&mut wire, offers).await;
    }
    let entries = compacted(&relay, &phone, 0).await;
    assert!(entries.len() < 4_000, "{} entries", entries.len());
    let database = relay.stop().await;
    let bytes = database
        .ask(
            r#"
            SELECT (SELECT COALESCE(SUM(LENGTH(chunk)), 0) FROM change)
                + (SELECT COALESCE(SUM(LENGTH(chunk)), 0) FROM snapshot)
            "#,
        )
        .await;
    assert!((bytes as usize) < sent * 2 / 3, "{bytes} of {sent} bytes");
    let report = check(database.location()).await.unwrap();
    assert_eq!((report.changes, report.findings), (10_000, Vec::new()), "every change can be read");
}

#[tokio::test]
async fn s5_a_damaged_snapshot_is_found_before_any_change_is_dropped() {
    let (relay, phone) = (Relay::start().await, Phone::founder(1));
    let mut car = Document::new(phone.device(), 1, DocKind::Car);
    let mut wire = phone.join(relay.addr()).await;
    let names: BTreeSet<ChangeHash> =
        push(&mut wire, (0..8).map(|_| car.change().0).collect()).await.into_iter().collect();
    wire.close().await;
    let database = relay.stop().await;
    // The relay is killed after a snapshot was written, and the disk flips a bit of it.
    let mut chunk = automerge_doc::snapshot(&car.doc);
    snapshot::verify(&chunk, &car.heads, &names).unwrap();
    let middle = chunk.len() / 2;
    chunk[middle] ^= 1;
    let (heads, chunk) = (database.bytes(&car.heads[0].0), database.bytes(&chunk));
    let sql = format!("INSERT INTO snapshot SELECT account, doc, 8, 0, {heads}, 8, 0, 0, {chunk} FROM document");
    database.write(&sql).await;
    let relay = Relay::start_on(database.clone(), |config| config.compact_after = Duration::ZERO).await;
    until_asked(&database, "SELECT COUNT(*) FROM snapshot WHERE state = 0", 0).await;
    assert_eq!(database.ask("SELECT COUNT(*) FROM snapshot").await, 0);
    assert_eq!(database.ask("SELECT COUNT(*) FROM change").await, 8, "nothing was dropped");
    assert_eq!(database.ask("SELECT is_unfit FROM document").await, 1, "it is left alone");
    let (_, entries, ..) = phone.catch_up(relay.addr(), 0).await;
    assert_eq!(entries.len(), 8);
}

/// Repeats a query until it gives this answer.
async fn until_asked(database: &Database, sql: &str, answer: i64) {
    let wait = async { while database.ask(sql).await != answer {} };
    timeout(PATIENCE, wait).await.expect("the answer came");
}

#[tokio::test]
async fn s5_a_server_killed_between_the_steps_goes_on_where_it_stopped() {
    let phone = Phone::founder(1);
    for state in [0, 1] {
        let relay = Relay::start().await;
        let mut car = Document::new(phone.device(), 1, DocKind::Car);
        let mut wire = phone.join(relay.addr()).await;
        push(&mut wire, (0..8).map(|_| car.change().0).collect()).await;
        wire.close().await;
        let database = relay.stop().await;
        let (heads, chunk) = (database.bytes(&car.heads[0].0), database.bytes(&automerge_doc::snapshot(&car.doc)));
        let sql =
            format!("INSERT INTO snapshot SELECT account, doc, 8, {state}, {heads}, 8, 0, 0, {chunk} FROM document");
        database.write(&sql).await;
        if state == 1 {
            // Three of the eight were compacted away.
            database.write("INSERT INTO covered_change SELECT account, doc, hash, seq, max_op, LENGTH(chunk), received_at FROM change WHERE seq > 5",
            )
            .await;
            database.write("DELETE FROM change WHERE seq > 5").await;
            database.write("UPDATE document SET loose = 5, covered = 3").await;
        }
        assert_eq!(check(database.location()).await.unwrap().findings, [], "nothing is missing in between");
        let relay = Relay::start_on(database.clone(), |config| config.compact_after = Duration::ZERO).await;
        let (_, entries, ..) = phone.catch_up(relay.addr(), 0).await;
        assert!(entries.iter().any(|entry| entry.body.is_snapshot()) || entries.len() == 8);
        until_asked(&database, "SELECT COUNT(*) FROM snapshot WHERE state = 2", 1).await;
        assert!(is_one_snapshot(&phone.catch_up(relay.addr(), 0).await.1));
        assert_eq!(database.ask("SELECT COUNT(*) FROM change").await, 0);
        assert_eq!(database.ask("SELECT 100 * loose + covered FROM document").await, 8);
        let database = relay.stop().await;
        assert_eq!(check(database.location()).await.unwrap().findings, []);
    }
}

#[tokio::test]
async fn s1_a_published_drive_keeps_its_row_when_its_changes_are_in_a_snapshot() {
    let (relay, phone) = (relay().await, Phone::founder(1));
    let mut drive = Document::new(phone.device(), 1, DocKind::Published);
    let start = Timestamp(1_790_000_000_000);
    let mut wire = phone.join(relay.addr()).await;
    let publish = drive.publish("Over the pass", Visibility::Public, &drive_on(start));
    push(&mut wire, vec![publish]).await;
    push(&mut wire, (0..4).map(|_| drive.change().0).collect()).await;
    compacted(&relay, &phone, 0).await;
    push(&mut wire, vec![drive.change().0]).await;
    let page = get(relay.addr(), &format!("/v1/drives/{}", drive.id)).await;
    assert_eq!(page.status, 200);
    let database = relay.stop().await;
    assert_eq!(check(database.location()).await.unwrap().findings, [], "the row is what snapshot and change fold to");
}
