//! Pushes: what the relay accepts and refuses, and that acknowledgements hold.

use tourismo_core::id::{ChangeHash, DocId};
use tourismo_core::time::Timestamp;
use tourismo_core::wire::{ByeCode, Chunk, DocKind, MAX_BATCH, MAX_CHUNK_BYTES, Message, NackCode, Offer};

use tourismo_core::docs::{automerge_doc, social};
use tourismo_server::maintenance::{begin_again, repair};
use tourismo_server::{Config, Location};

use crate::harness::{Database, Document, Phone, Relay, get};

#[tokio::test]
async fn p2_a_change_is_on_disk_when_it_is_acknowledged() {
    let (relay, phone) = (Relay::start().await, Phone::founder(1));
    let mut wire = phone.join(relay.addr()).await;
    let (offer, hash) = Document::new(phone.device(), 1, DocKind::Car).change();
    wire.push(vec![offer]).await;
    let answers = wire.answers(1).await;
    assert_eq!((answers.acked, answers.cursor), (vec![hash], 1));
    assert_eq!(relay.changes_on_disk().await, 1);
}

#[tokio::test]
async fn p2_a_change_pushed_twice_is_acknowledged_twice_and_stored_once() {
    let (relay, phone) = (Relay::start().await, Phone::founder(1));
    let mut car = Document::new(phone.device(), 1, DocKind::Car);
    let changes = [car.change(), car.change()];
    let offers: Vec<Offer> = changes.iter().map(|(offer, _)| offer.clone()).collect();
    let hashes: Vec<ChangeHash> = changes.iter().map(|(_, hash)| *hash).collect();
    let mut wire = phone.join(relay.addr()).await;
    for _ in 0..2 {
        wire.push(offers.clone()).await;
        assert_eq!(wire.answers(2).await.acked, hashes);
    }
    wire.close().await;
    // The same change on another connection, and twice in one push.
    let mut again = phone.catch_up(relay.addr(), 2).await.0;
    again.push([offers.clone(), offers].concat()).await;
    assert_eq!(again.answers(4).await.acked, [hashes.clone(), hashes].concat());
    assert_eq!(relay.changes_on_disk().await, 2);
}

#[tokio::test]
async fn p4_a_refused_change_leaves_the_others_of_its_push_alone() {
    let (relay, phone) = (Relay::start().await, Phone::founder(1));
    let mut whole = Document::new(phone.device(), 1, DocKind::Car);
    let mut holed = Document::new(phone.device(), 2, DocKind::Drive);
    let (first, first_hash) = whole.change();
    let (_never_sent, _) = holed.change();
    let (orphan, _) = holed.change();
    let (second, second_hash) = whole.change();
    let garbage = Offer { doc: whole.id, kind: whole.kind, chunk: Chunk(vec![1, 2, 3]) };
    let mut wire = phone.join(relay.addr()).await;
    wire.push(vec![first, orphan, second, garbage]).await;
    let answers = wire.answers(4).await;
    assert_eq!(answers.acked, [first_hash, second_hash]);
    assert_eq!(answers.nacked, [(0, 1, NackCode::UnknownDeps), (0, 3, NackCode::Malformed)]);
    assert_eq!(answers.cursor, 2, "a refused change takes no place in the log");
}

/// Pushes one change and returns the code of its refusal.
async fn refusal(relay: &Relay, phone: &Phone, offer: Offer) -> NackCode {
    let before = relay.changes_on_disk().await;
    let mut wire = phone.join(relay.addr()).await;
    wire.push(vec![offer]).await;
    let answers = wire.answers(1).await;
    assert_eq!(relay.changes_on_disk().await, before, "a refused change is not stored");
    answers.nacked[0].2
}

/// Pushes changes that must be accepted.
async fn keep(relay: &Relay, phone: &Phone, offers: Vec<Offer>) {
    let mut wire = phone.join(relay.addr()).await;
    let count = offers.len();
    wire.push(offers).await;
    assert_eq!(wire.answers(count).await.acked.len(), count);
    wire.close().await;
}

#[tokio::test]
async fn p4_an_actor_of_no_device_of_the_account_is_refused() {
    let (relay, phone, other) = (Relay::start().await, Phone::founder(1), Phone::founder(2));
    other.join(relay.addr()).await;
    let (offer, _) = Document::new(other.device(), 1, DocKind::Car).change();
    assert_eq!(refusal(&relay, &phone, offer).await, NackCode::ForeignActor);
}

/// A device that was added after the backup from which the relay was restored.
#[tokio::test]
async fn p10_what_a_device_made_is_taken_when_another_one_vouches_for_it() {
    let relay = Relay::start_with(|config| config.limits.max_devices_per_account = 2).await;
    let (phone, lost) = (Phone::founder(1), Phone::founder(2));
    let mut car = Document::new(lost.device(), 1, DocKind::Car);
    let ((first, first_hash), (second, _)) = (car.change(), car.change());
    assert_eq!(refusal(&relay, &phone, first.clone()).await, NackCode::ForeignActor);
    let mut wire = phone.join(relay.addr()).await;
    // Sent twice, because the second time must have no effect.
    for _ in 0..2 {
        wire.send(&Message::Vouch { actor_prefix: lost.device().actor_prefix() }).await;
        assert_eq!(wire.receive().await, Message::Vouched);
    }
    wire.push(vec![first]).await;
    assert_eq!(wire.answers(1).await.acked, [first_hash]);
    // As many as the account may have devices, and no more.
    let vouched = [lost.device(), Phone::founder(3).device(), Phone::founder(4).device()];
    for device in &vouched[1..] {
        wire.send(&Message::Vouch { actor_prefix: device.actor_prefix() }).await;
        assert_eq!(wire.receive().await, Message::Vouched);
    }
    let mut by_others = vouched[1..].iter().map(|device| Document::new(*device, 3, DocKind::Car).change());
    let ((taken, taken_hash), (refused, _)) = (by_others.next().unwrap(), by_others.next().unwrap());
    wire.push(vec![taken, refused]).await;
    let answers = wire.answers(2).await;
    assert_eq!((answers.acked, answers.nacked[0].2), (vec![taken_hash], NackCode::ForeignActor));
    wire.close().await;
    // The vouched devices are stored, so that vouching again is within the limit. They may not connect.
    let relay = relay.restart_with(|config| config.limits.max_devices_per_account = 2).await;
    assert_eq!(refusal(&relay, &phone, second.clone()).await, NackCode::ForeignActor, "each connection vouches");
    let mut wire = phone.join(relay.addr()).await;
    wire.send(&Message::Vouch { actor_prefix: lost.device().actor_prefix() }).await;
    assert_eq!(wire.receive().await, Message::Vouched);
    wire.push(vec![second]).await;
    assert_eq!(wire.answers(1).await.acked.len(), 1);
    assert_eq!(relay.count("SELECT COUNT(*) FROM device").await, 1);
}

/// One device of an account must not use the next sequence number of another.
#[tokio::test]
async fn p12_a_device_cannot_take_the_next_number_of_another_one() {
    let (relay, phone) = (Relay::start().await, Phone::founder(1));
    let thief = phone.link(2);
    let mut car = Document::new(phone.device(), 1, DocKind::Car);
    let (first, ours) = (car.change().0, car.change().0);
    keep(&relay, &phone, vec![first.clone()]).await;
    // The thief has the document, and so its actor and the number of its next change.
    let mut forged = Document::new(phone.device(), 1, DocKind::Car);
    assert_eq!(forged.change().0, first);
    let taken = forged.offer(|doc| automerge_doc::edit(doc, |edit| edit.boolean("taken", true))).0;
    let mut wire = thief.join(relay.addr()).await;
    wire.push(vec![taken.clone()]).await;
    assert_eq!(wire.answers(1).await.nacked[0].2, NackCode::ForeignActor, "nobody vouched");
    wire.send(&Message::Vouch { actor_prefix: phone.device().actor_prefix() }).await;
    assert_eq!(wire.receive().await, Message::Vouched);
    wire.push(vec![taken.clone(), first]).await;
    let answers = wire.answers(2).await;
    assert_eq!(
        (answers.acked.len(), answers.nacked[0].2),
        (1, NackCode::ForeignActor),
        "what is there is acknowledged"
    );

    // The same after a restart and a rebuild.
    let database = relay.stop().await;
    assert_eq!(repair(database.location()).await.unwrap().findings, []);
    let relay = Relay::start_on(database, |_| {}).await;
    let mut wire = thief.join(relay.addr()).await;
    wire.send(&Message::Vouch { actor_prefix: phone.device().actor_prefix() }).await;
    assert_eq!(wire.receive().await, Message::Vouched);
    wire.push(vec![taken.clone()]).await;
    assert_eq!(wire.answers(1).await.nacked[0].2, NackCode::ForeignActor);
    keep(&relay, &phone, vec![ours]).await;

    // In another epoch of the log, any device may bring back what the relay lost: the device that made it may be lost.
    let (mut made, other) = (Document::new(phone.device(), 2, DocKind::Car), phone.link(3));
    keep(&relay, &phone, vec![made.change().0]).await;
    let database = relay.stop().await;
    begin_again(database.location()).await.unwrap();
    let relay = Relay::start_on(database, |_| {}).await;
    let mut wire = other.join(relay.addr()).await;
    wire.send(&Message::Vouch { actor_prefix: phone.device().actor_prefix() }).await;
    assert_eq!(wire.receive().await, Message::Vouched);
    wire.push(vec![made.change().0]).await;
    assert_eq!(wire.answers(1).await.acked.len(), 1);
}

#[tokio::test]
async fn b3_a_document_of_another_account_with_the_same_id_is_another_document() {
    let (relay, phone, other) = (Relay::start().await, Phone::founder(1), Phone::founder(2));
    let mut car = Document::new(phone.device(), 1, DocKind::Car);
    keep(&relay, &phone, vec![car.change().0]).await;
    let (mut theirs, _) = Document::new(other.device(), 2, DocKind::Drive).change();
    theirs.doc = car.id;
    keep(&relay, &other, vec![theirs]).await;
    keep(&relay, &phone, vec![car.change().0]).await;
    // Each gets its own changes and nothing of the other's.
    for (phone, changes) in [(&phone, 2), (&other, 1)] {
        let (mut wire, entries, ..) = phone.catch_up(relay.addr(), 0).await;
        assert_eq!(entries.len(), changes);
        wire.send(&Message::Fetch { doc: car.id }).await;
        let Message::Fetched { chunks, .. } = wire.receive().await else { panic!("it was asked for") };
        assert_eq!(chunks.len(), changes);
    }
}

#[tokio::test]
async fn p4_a_document_stays_what_it_is() {
    let (relay, phone) = (Relay::start().await, Phone::founder(1));
    let mut car = Document::new(phone.device(), 1, DocKind::Car);
    keep(&relay, &phone, vec![car.change().0]).await;
    car.kind = DocKind::Published;
    assert_eq!(refusal(&relay, &phone, car.change().0).await, NackCode::KindMismatch);
}

#[tokio::test]
async fn p4_an_actor_that_forgot_what_it_did_is_told_so() {
    let (relay, phone) = (Relay::start().await, Phone::founder(1));
    let mut car = Document::new(phone.device(), 1, DocKind::Car);
    keep(&relay, &phone, vec![car.change().0]).await;
    // The same actor begins again, with other content.
    let (other, _) = Document::new(phone.device(), 1, DocKind::Car).large_change(10);
    assert_eq!(refusal(&relay, &phone, other).await, NackCode::DuplicateSeq);
}

#[tokio::test]
async fn p4_a_gap_in_an_actors_numbers_is_refused() {
    let (relay, phone) = (Relay::start().await, Phone::founder(1));
    let mut car = Document::new(phone.device(), 1, DocKind::Car);
    let (first, _) = car.change();
    keep(&relay, &phone, vec![first.clone()]).await;
    // Change 3 depends on change 1 alone. Automerge panics when it loads such a change.
    let (second, _) = car.change();
    let forged = with_seq(&second.chunk.0, 2, 3);
    let offer = Offer { chunk: Chunk(forged), ..second };
    assert_eq!(refusal(&relay, &phone, offer).await, NackCode::SeqGap);
}

/// The chunk with another sequence number and a correct checksum.
fn with_seq(chunk: &[u8], from: u8, to: u8) -> Vec<u8> {
    // Magic 4, checksum 4, type 1, length 1 or 2, then the body: number of dependencies 1, one dependency 32, actor 1 +
    // 16, seq 1.
    let body = if chunk[9] < 0x80 { 10 } else { 11 };
    let mut forged = chunk.to_vec();
    let seq = &mut forged[body + 1 + 32 + 1 + 16];
    assert_eq!(*seq, from);
    *seq = to;
    let change = automerge::Change::from_bytes(forged.clone()).unwrap();
    // The first four bytes of the new hash are the correct checksum.
    forged[4..8].copy_from_slice(&change.hash().0[..4]);
    forged
}

#[tokio::test]
async fn p3_a_chunk_that_is_too_large_is_refused() {
    let (relay, phone) = (Relay::start().await, Phone::founder(1));
    let (offer, _) = Document::new(phone.device(), 1, DocKind::Car).large_change(MAX_CHUNK_BYTES);
    assert_eq!(refusal(&relay, &phone, offer).await, NackCode::TooLarge);
    let (fitting, _) = Document::new(phone.device(), 1, DocKind::Car).large_change(MAX_CHUNK_BYTES - 1_000);
    keep(&relay, &phone, vec![fitting]).await;
}

#[tokio::test]
async fn p3_a_push_of_too_many_changes_or_none_ends_the_connection() {
    let (relay, phone) = (Relay::start().await, Phone::founder(1));
    let (offer, _) = Document::new(phone.device(), 1, DocKind::Car).change();
    for (count, code) in [(0, ByeCode::OutOfOrder), (MAX_BATCH + 1, ByeCode::Overloaded)] {
        let mut wire = phone.join(relay.addr()).await;
        wire.push(vec![offer.clone(); count]).await;
        assert_eq!(wire.bye().await, code, "{count} changes");
    }
}

#[tokio::test]
async fn p3_a_full_push_is_kept() {
    let (relay, phone) = (Relay::start().await, Phone::founder(1));
    let mut car = Document::new(phone.device(), 1, DocKind::Car);
    let offers: Vec<Offer> = (0..MAX_BATCH).map(|_| car.change().0).collect();
    keep(&relay, &phone, offers).await;
    assert_eq!(relay.changes_on_disk().await, MAX_BATCH as i64);
    let gaps = "SELECT COUNT(*) FROM change WHERE seq NOT BETWEEN 1 AND (SELECT COUNT(*) FROM change)";
    assert_eq!(relay.count(gaps).await, 0);
}

#[tokio::test]
async fn p5_a_phone_may_have_several_pushes_under_way() {
    let (relay, phone) = (Relay::start().await, Phone::founder(1));
    let mut car = Document::new(phone.device(), 1, DocKind::Car);
    let changes: Vec<_> = (0..4).map(|_| car.change()).collect();
    let mut wire = phone.join(relay.addr()).await;
    for (offer, _) in &changes {
        wire.push(vec![offer.clone()]).await;
    }
    assert_eq!(wire.answers(4).await.acked, changes.iter().map(|(_, hash)| *hash).collect::<Vec<_>>());
}

#[tokio::test]
async fn l1_a_second_device_gets_what_the_first_one_pushes() {
    let (relay, first) = (Relay::start().await, Phone::founder(1));
    let mut one = first.join(relay.addr()).await;
    let mut two = first.link(2).join(relay.addr()).await;
    let mut stranger = Phone::founder(9).join(relay.addr()).await;
    let (offer, hash) = Document::new(first.device(), 1, DocKind::Drive).change();
    one.push(vec![offer.clone()]).await;
    assert_eq!(one.answers(1).await.acked, [hash]);
    let Message::Entries { entries, cursor } = two.receive().await else { panic!("an entry was due") };
    assert_eq!((entries.len(), cursor), (1, 1));
    assert_eq!((entries[0].doc, entries[0].kind), (offer.doc, DocKind::Drive));
    assert_eq!(entries[0].body, tourismo_core::wire::EntryBody::Change(offer.chunk));
    // A notification of the stranger would arrive before the answer to this fetch.
    stranger.send(&Message::Fetch { doc: offer.doc }).await;
    assert!(matches!(stranger.receive().await, Message::Fetched { chunks, done: true, .. } if chunks.is_empty()));
}

#[tokio::test]
async fn p4_a_postgres_database_as_large_as_it_may_be_takes_short_words_and_nothing_else() {
    let relay = Relay::start_on(Database::postgres(), |config| config.max_database_bytes = Some(1 << 20)).await;
    let phone = Phone::founder(1);
    let (drive, _) = Document::new(phone.device(), 1, DocKind::Drive).change();
    assert_eq!(refusal(&relay, &phone, drive.clone()).await, NackCode::Unavailable);
    let (word, _) = Document::named(phone.device(), 2, DocKind::Social, social::people(&phone.account)).change();
    keep(&relay, &phone, vec![word]).await;
    assert_eq!(get(relay.addr(), "/v1/ready").await.status, 200);
    let relay = Relay::start_on(relay.stop().await, |config| config.max_database_bytes = Some(1 << 40)).await;
    keep(&relay, &phone, vec![drive]).await;
}

#[tokio::test]
async fn p4_a_full_disk_refuses_changes_and_nothing_else() {
    // On Postgres a trigger refuses large changes.
    let max_bytes = |config: &Config| matches!(config.database, Location::File(_)).then_some(400_000);
    let relay = Relay::start_with(|config| config.max_database_bytes = max_bytes(config)).await;
    relay.database().fill_up().await;
    let phone = Phone::founder(1);
    let mut kept = Document::new(phone.device(), 1, DocKind::Car);
    let (small, hash) = kept.change();
    keep(&relay, &phone, vec![small]).await;
    let (large, large_hash) = Document::new(phone.device(), 2, DocKind::Drive).large_change(MAX_CHUNK_BYTES - 1_000);
    assert_eq!(refusal(&relay, &phone, large.clone()).await, NackCode::Unavailable);
    // Reads work, and so do writes that fit.
    let (mut wire, entries, ..) = phone.catch_up(relay.addr(), 0).await;
    assert_eq!(entries.len(), 1);
    assert_eq!(get(relay.addr(), "/v1/ready").await.status, 200);
    let (next, next_hash) = kept.change();
    wire.push(vec![next]).await;
    let answers = wire.answers(1).await;
    assert_eq!(answers.acked, [next_hash], "{:?}", answers.nacked);
    wire.close().await;
    // With room again, what was refused is accepted.
    let database = relay.stop().await;
    database.make_room().await;
    let relay = Relay::start_on(database, |_| {}).await;
    let mut wire = phone.catch_up(relay.addr(), 2).await.0;
    wire.push(vec![large]).await;
    assert_eq!(wire.answers(1).await.acked, [large_hash]);
    assert_ne!(hash, large_hash);
}

#[tokio::test]
async fn p2_pushes_of_many_phones_at_once_are_all_kept() {
    let relay = Relay::start().await;
    let addr = relay.addr();
    let phones = (1..=20u8).map(|seed| async move {
        let phone = Phone::founder(seed);
        let mut wire = phone.join(addr).await;
        let mut car = Document::new(phone.device(), seed, DocKind::Car);
        for _ in 0..5 {
            let offers: Vec<Offer> = (0..4).map(|_| car.change().0).collect();
            wire.push(offers).await;
            assert_eq!(wire.answers(4).await.acked.len(), 4);
        }
    });
    let phones: Vec<_> = phones.map(tokio::spawn).collect();
    for phone in phones {
        phone.await.unwrap();
    }
    assert_eq!(relay.changes_on_disk().await, 400);
    assert_eq!(relay.count("SELECT COUNT(*) FROM account WHERE head = 20").await, 20);
}

#[tokio::test]
async fn f2_a_document_that_is_not_there_has_no_changes() {
    let (relay, phone) = (Relay::start().await, Phone::founder(1));
    let mut wire = phone.join(relay.addr()).await;
    assert!(wire.fetch(DocId::new(Timestamp(0), [0; 10])).await.is_empty());
}
