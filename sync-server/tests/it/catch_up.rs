//! Catching up: a phone fetches what it lacks, and the relay gets back what it lost.

use std::collections::BTreeSet;

use tourismo_core::digest::Digest;
use tourismo_core::id::DocId;
use tourismo_core::wire::{BATCH_BYTES, ByeCode, DocHeads, DocKind, EntryBody, Message, Offer};

use crate::harness::{Document, Phone, Relay, Wire};

const FIRST: [u8; 16] = [0; 16];
const LAST: [u8; 16] = [0xff; 16];

async fn push(wire: &mut Wire, offers: Vec<Offer>) {
    let count = offers.len();
    wire.push(offers).await;
    assert_eq!(wire.answers(count).await.acked.len(), count);
}

#[tokio::test]
async fn c3_a_reconnect_with_nothing_new_takes_one_message_each_way() {
    let (relay, phone) = (Relay::start().await, Phone::founder(1));
    let mut documents: Vec<Document> =
        (1..=50).map(|number| Document::new(phone.device(), number, DocKind::Drive)).collect();
    let mut wire = phone.join(relay.addr()).await;
    push(&mut wire, documents.iter_mut().map(|document| document.change().0).collect()).await;
    wire.close().await;

    let mut digest = Digest::default();
    documents.iter().for_each(|document| digest.replace(&document.id, &[], &document.heads));
    let mut wire = phone.enter(relay.addr()).await;
    wire.count_from_here();
    wire.send(&Message::CatchUp { cursor: 50, digest, membership: None }).await;
    assert_eq!(wire.receive().await, Message::CaughtUp { cursor: 50, digest });
    assert_eq!((wire.sent, wire.received), (1, 1));
}

#[tokio::test]
async fn c2_what_came_after_the_cursor_is_sent_in_order() {
    let (relay, phone) = (Relay::start().await, Phone::founder(1));
    let mut car = Document::new(phone.device(), 1, DocKind::Car);
    let changes: Vec<_> = (0..5).map(|_| car.change()).collect();
    let mut wire = phone.join(relay.addr()).await;
    push(&mut wire, changes.iter().map(|(offer, _)| offer.clone()).collect()).await;
    for cursor in 0..=5 {
        let (_, entries, end, digest) = phone.catch_up(relay.addr(), cursor as u64).await;
        let bodies: Vec<_> = entries.into_iter().map(|entry| entry.body).collect();
        let due: Vec<_> = changes[cursor..].iter().map(|(offer, _)| EntryBody::Change(offer.chunk.clone())).collect();
        assert_eq!((bodies, end), (due, 5));
        let mut expected = Digest::default();
        expected.replace(&car.id, &[], &car.heads);
        assert_eq!(digest, expected);
    }
}

#[tokio::test]
async fn c2_a_long_log_comes_in_pages() {
    let (relay, phone) = (Relay::start().await, Phone::founder(1));
    let mut wire = phone.join(relay.addr()).await;
    let mut car = Document::new(phone.device(), 1, DocKind::Car);
    for _ in 0..5 {
        push(&mut wire, vec![car.large_change(BATCH_BYTES / 2).0, car.change().0]).await;
    }
    let mut other = phone.enter(relay.addr()).await;
    other.count_from_here();
    let (entries, cursor, _) = other.catch_up(0).await;
    assert_eq!((entries.len(), cursor), (10, 10));
    assert!(other.received > 3, "{} messages", other.received);
}

#[tokio::test]
async fn c6_a_phone_that_knows_more_of_the_log_than_there_is_is_told_where_it_ends() {
    let (relay, phone) = (Relay::start().await, Phone::founder(1));
    let mut wire = phone.enter(relay.addr()).await;
    wire.catch_up(0).await;
    let mut car = Document::new(phone.device(), 1, DocKind::Car);
    push(&mut wire, vec![car.change().0, car.change().0]).await;
    wire.close().await;
    for (cursor, end) in [(3, 2), (u64::MAX, 3)] {
        let (mut wire, entries, at, digest) = phone.catch_up(relay.addr(), cursor).await;
        let mut expected = Digest::default();
        expected.replace(&car.id, &[], &car.heads);
        assert_eq!((entries.len(), at, digest), (0, end, expected), "its own digest tells that it lacks something");
        push(&mut wire, vec![car.change().0]).await;
        wire.close().await;
    }
}

#[tokio::test]
async fn h4_the_epoch_stays_when_the_server_restarts() {
    let (relay, phone) = (Relay::start().await, Phone::founder(1));
    let before = phone.enter(relay.addr()).await.epoch;
    let relay = relay.restart_with(|_| {}).await;
    assert_eq!(phone.enter(relay.addr()).await.epoch, before);
    assert_ne!(phone.enter(Relay::start().await.addr()).await.epoch, before);
}

#[tokio::test]
async fn c4_f1_tracks_are_announced_and_sent_when_asked_for() {
    let (relay, phone) = (Relay::start().await, Phone::founder(1));
    let mut track = Document::new(phone.device(), 1, DocKind::Track);
    let changes: Vec<_> = (0..3).map(|_| track.change()).collect();
    let mut wire = phone.join(relay.addr()).await;
    push(&mut wire, changes.iter().map(|(offer, _)| offer.clone()).collect()).await;

    let (mut other, entries, ..) = phone.link(2).catch_up(relay.addr(), 0).await;
    for (index, entry) in entries.into_iter().enumerate() {
        let (offer, hash) = &changes[index];
        let deps = index.checked_sub(1).map(|before| changes[before].1).into_iter().collect();
        assert_eq!(entry.body, EntryBody::Stub { hash: *hash, deps, bytes: offer.chunk.0.len() as u32 });
    }
    let chunks: Vec<_> = changes.iter().map(|(offer, _)| offer.chunk.0.clone()).collect();
    assert_eq!(other.fetch(track.id).await, chunks);
}

#[tokio::test]
async fn f2_a_large_document_comes_in_pages_and_only_to_its_account() {
    let (relay, phone) = (Relay::start().await, Phone::founder(1));
    let mut track = Document::new(phone.device(), 1, DocKind::Track);
    let offers: Vec<Offer> = (0..3).map(|_| track.large_change(BATCH_BYTES / 2).0).collect();
    let mut wire = phone.join(relay.addr()).await;
    push(&mut wire, offers.clone()).await;
    wire.count_from_here();
    assert_eq!(wire.fetch(track.id).await, offers.into_iter().map(|offer| offer.chunk.0).collect::<Vec<_>>());
    assert!(wire.received > 1);
    let mut stranger = Phone::founder(2).join(relay.addr()).await;
    assert!(stranger.fetch(track.id).await.is_empty());
}

#[tokio::test]
async fn d2_a_comparison_finds_what_either_side_lacks() {
    let (relay, phone) = (Relay::start().await, Phone::founder(1));
    let mut documents: Vec<Document> =
        (1..=4).map(|number| Document::new(phone.device(), number, DocKind::Drive)).collect();
    let mut wire = phone.join(relay.addr()).await;
    // Document 0 is the same on both sides; 1 has more on the relay; 2 is only on the relay; 3 only on the phone.
    push(&mut wire, documents[..3].iter_mut().map(|document| document.change().0).collect()).await;
    let believed = documents[1].heads.clone();
    let older = believed[0];
    push(&mut wire, vec![documents[1].change().0]).await;
    documents[3].change();

    let heads = |document: &Document| DocHeads { doc: document.id, heads: document.heads.clone() };
    let docs = vec![heads(&documents[0]), DocHeads { doc: documents[1].id, heads: believed }, heads(&documents[3])];
    let (from, to) = (DocId::from_bytes(FIRST), DocId::from_bytes(LAST));
    wire.send(&Message::Compare { from, to, docs }).await;
    let Message::Differences { docs, done: true } = wire.receive().await else { panic!("differences were due") };
    let found: Vec<_> = docs.iter().map(|doc| (doc.doc, doc.kind, doc.hashes.len())).collect();
    let drive = Some(DocKind::Drive);
    assert_eq!(found, [(documents[1].id, drive, 2), (documents[2].id, drive, 1), (documents[3].id, None, 0)]);
    assert!(docs[0].hashes.contains(&older));
    assert_eq!(docs[0].heads, documents[1].heads);
}

#[tokio::test]
async fn d2_what_the_relay_lost_is_found_and_taken_back() {
    let (relay, phone) = (Relay::start().await, Phone::founder(1));
    let mut car = Document::new(phone.device(), 1, DocKind::Car);
    let (offer, hash) = car.change();
    let mut wire = phone.join(relay.addr()).await;
    push(&mut wire, vec![offer.clone()]).await;
    wire.close().await;
    lose_everything(&relay).await;

    let (mut wire, _, cursor, digest) = phone.catch_up(relay.addr(), 0).await;
    assert_eq!((cursor, digest), (0, Digest::default()));
    let (from, to) = (DocId::from_bytes(FIRST), DocId::from_bytes(LAST));
    let docs = vec![DocHeads { doc: car.id, heads: car.heads.clone() }];
    wire.send(&Message::Compare { from, to, docs }).await;
    let Message::Differences { docs, done: true } = wire.receive().await else { panic!("differences were due") };
    assert_eq!((docs[0].doc, docs[0].kind, docs[0].hashes.len()), (car.id, None, 0));
    wire.push(vec![offer]).await;
    assert_eq!(wire.answers(1).await.acked, [hash]);
}

#[tokio::test]
async fn d2_a_document_with_more_names_than_fit_goes_on_in_the_next_page() {
    let (relay, phone) = (Relay::start().await, Phone::founder(1));
    let mut track = Document::new(phone.device(), 1, DocKind::Track);
    let mut wire = phone.join(relay.addr()).await;
    let mut pushed = BTreeSet::new();
    for _ in 0..5 {
        let (offers, hashes): (Vec<_>, Vec<_>) = (0..500).map(|_| track.change()).unzip();
        pushed.extend(hashes);
        push(&mut wire, offers).await;
    }
    let (from, to) = (DocId::from_bytes(FIRST), DocId::from_bytes(LAST));
    wire.send(&Message::Compare { from, to, docs: Vec::new() }).await;
    let (mut told, mut pages) = (BTreeSet::new(), 0);
    loop {
        let Message::Differences { docs, done } = wire.receive().await else { panic!("differences were due") };
        assert!(docs.iter().all(|part| (part.doc, &part.heads) == (track.id, &track.heads)));
        told.extend(docs.into_iter().flat_map(|part| part.hashes));
        pages += 1;
        if done {
            break;
        }
    }
    assert_eq!((told, pages), (pushed, 2));
}

/// Deletes the logs, as the restore of an old backup does.
async fn lose_everything(relay: &Relay) {
    let database = relay.database();
    for sql in ["DELETE FROM change", "DELETE FROM actor", "DELETE FROM document"] {
        database.write(sql).await;
    }
    let digest = database.bytes(&[0; 32]);
    database.write(&format!("UPDATE account SET head = 0, digest = {digest}")).await;
}

#[tokio::test]
async fn d1_a_comparison_that_is_not_in_order_is_refused() {
    let (relay, phone) = (Relay::start().await, Phone::founder(1));
    let (low, high) = (DocId::from_bytes(FIRST), DocId::from_bytes(LAST));
    let heads = |doc| DocHeads { doc, heads: Vec::new() };
    for (from, to, docs) in
        [(high, low, vec![]), (low, high, vec![heads(high), heads(low)]), (low, low, vec![heads(high)])]
    {
        let mut wire = phone.join(relay.addr()).await;
        wire.send(&Message::Compare { from, to, docs }).await;
        assert_eq!(wire.bye().await, ByeCode::OutOfOrder);
    }
}
