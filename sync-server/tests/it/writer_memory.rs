//! The writer's cached state is the same as the disk's after every failed push.

use std::time::Duration;

use tourismo_core::docs::social::{self, SocialEntry, SocialKey};
use tourismo_core::docs::{CarFields, LogEntry, LogKind, Reaction, Visibility, car};
use tourismo_core::id::ChangeHash;
use tourismo_core::time::Timestamp;
use tourismo_core::wire::{DocKind, NackCode, Offer};
use tourismo_server::maintenance::check;

use crate::harness::{Document, Person, Phone, Relay};

const START: Timestamp = Timestamp(1_790_000_000_000);

/// A change that changes the projected row of a car, so that the row is written.
fn renamed(car: &mut Document, nickname: u32) -> (Offer, ChangeHash) {
    let fields = CarFields { nickname: format!("car {nickname}"), ..CarFields::default() };
    car.offer(|doc| car::put(doc, &fields))
}

#[tokio::test]
async fn p2_what_a_push_that_failed_would_have_changed_is_not_remembered() {
    let (relay, phone) = (Relay::start().await, Phone::founder(1));
    let mut car = Document::new(phone.device(), 1, DocKind::Car);
    let (offers, names): (Vec<_>, Vec<_>) = (0..3).map(|number| renamed(&mut car, number)).unzip();
    let (track, track_name) = Document::new(phone.device(), 2, DocKind::Track).change();
    let mut wire = phone.join(relay.addr()).await;
    wire.push(vec![offers[0].clone()]).await;
    assert_eq!(wire.answers(1).await.acked, names[..1]);

    relay.database().refuse_rows("car", &phone.account).await;
    for _ in 0..2 {
        wire.push(vec![track.clone(), offers[1].clone()]).await;
        let unavailable = wire.answers(2).await.nacked;
        assert!(unavailable.iter().all(|(.., code)| *code == NackCode::Unavailable), "{unavailable:?}");
        assert_eq!(unavailable.len(), 2);
        assert_eq!(relay.changes_on_disk().await, 1);
    }
    relay.database().accept_rows("car").await;

    // If the cache had kept the second change, it and the track would be acknowledged without being written.
    wire.push(vec![offers[1].clone(), track, offers[2].clone()]).await;
    let answers = wire.answers(3).await;
    assert_eq!((answers.acked, answers.cursor), (vec![names[1], track_name, names[2]], 4));
    assert_eq!(relay.changes_on_disk().await, 4);
    assert_eq!(check(relay.database().location()).await.unwrap().findings, []);
}

#[tokio::test]
async fn p2_of_two_accounts_that_push_at_once_one_fails_and_the_other_is_kept() {
    let (relay, phones) = (Relay::start().await, [Phone::founder(1), Phone::founder(2)]);
    let mut ours = Document::new(phones[0].device(), 1, DocKind::Car);
    let mut theirs = Document::new(phones[1].device(), 2, DocKind::Car);
    let [mut our_wire, mut their_wire] = [phones[0].join(relay.addr()).await, phones[1].join(relay.addr()).await];
    let mut waiting = Vec::new();
    relay.database().refuse_rows("car", &phones[1].account).await;
    for round in 1..=10 {
        let (our_offer, our_name) = ours.change();
        waiting.push(renamed(&mut theirs, round).0);
        tokio::join!(our_wire.push(vec![our_offer]), their_wire.push(waiting.clone()));
        let (our_answers, their_answers) = tokio::join!(our_wire.answers(1), their_wire.answers(waiting.len()));
        assert_eq!(our_answers.acked, [our_name]);
        assert_eq!((their_answers.acked, their_answers.nacked.len()), (vec![], round as usize));
    }
    relay.database().accept_rows("car").await;
    their_wire.push(waiting).await;
    assert_eq!(their_wire.answers(10).await.acked.len(), 10);
    assert_eq!(relay.changes_on_disk().await, 20);
    assert_eq!(check(relay.database().location()).await.unwrap().findings, []);
}

#[tokio::test]
async fn p4_a_refused_change_makes_no_document() {
    let (relay, phones) = (Relay::start().await, [Phone::founder(1), Phone::founder(2)]);
    let mut ours = Document::new(phones[0].device(), 1, DocKind::Car);
    let mut theirs = Document::new(phones[1].device(), 1, DocKind::Car);
    let (first, second) = (ours.change().0, ours.change().0);
    let [mut our_wire, mut their_wire] = [phones[0].join(relay.addr()).await, phones[1].join(relay.addr()).await];
    our_wire.push(vec![second]).await;
    assert_eq!(our_wire.answers(1).await.nacked[0].2, NackCode::UnknownDeps);
    let (offer, name) = theirs.change();
    their_wire.push(vec![offer]).await;
    assert_eq!(their_wire.answers(1).await.acked, [name]);
    our_wire.push(vec![first]).await;
    assert_eq!(our_wire.answers(1).await.acked.len(), 1, "the id is theirs, and ours, too");
    let (offer, name) = theirs.change();
    their_wire.push(vec![offer]).await;
    assert_eq!(their_wire.answers(1).await.acked, [name], "what somebody else wrote under it is nothing to them");
}

#[tokio::test]
async fn h5_a_device_that_is_let_in_after_its_account_wrote_may_write_at_once() {
    let (relay, phone) = (Relay::start().await, Phone::founder(1));
    let mut car = Document::new(phone.device(), 1, DocKind::Car);
    let mut wire = phone.join(relay.addr()).await;
    wire.push(vec![car.change().0]).await;
    assert_eq!(wire.answers(1).await.acked.len(), 1);
    let linked = phone.link(2);
    let mut other = linked.join(relay.addr()).await;
    let (offer, name) = Document::new(linked.device(), 2, DocKind::Car).change();
    other.push(vec![offer]).await;
    assert_eq!(other.answers(1).await.acked, [name]);
}

#[tokio::test]
async fn rows_that_are_made_change_by_change_are_those_of_the_whole_log_also_while_snapshots_are_made() {
    let mut relay = Relay::start_with(|config| config.compact_after = Duration::ZERO).await;
    let mut anna = Person::named(&relay, 1, "anna").await;
    let mut ben = Person::named(&relay, 2, "ben").await;
    let car = anna.car(&relay, "Red one", true).await;
    let shown = anna.publish(&relay, "Over the pass", Visibility::Public, START).await;
    for round in 0..3 {
        for time in 0..6 {
            let entry = LogEntry {
                kind: LogKind::Fuel,
                at: START,
                odometer_m: None,
                litres: Some(40.0),
                cost: None,
                note: String::new(),
            };
            anna.log(&relay, car, &entry).await;
            anna.drive(&relay, "Home", Some(car), START, None).await;
            let comment = ben.comment(&relay, shown, "Where is that?").await;
            ben.react(&relay, shown, Reaction::Road).await;
            let about = social::about(&ben.account(), &shown);
            let offers = [SocialKey::React(shown), SocialKey::Comment(comment)]
                .map(|subject| ben.edit(about, DocKind::Social, |doc| social::remove(doc, &subject)));
            ben.push(&relay, offers.into()).await;
            ben.comment(&relay, shown, "Ah, there!").await;
            ben.follow(&relay, &anna).await;
            ben.take_back(&relay, SocialKey::Follow(anna.account())).await;
            anna.say(&relay, SocialEntry::Block(ben.account())).await;
            anna.take_back(&relay, SocialKey::Block(ben.account())).await;
            anna.call(&relay, &format!("anna{round}{time}"), time % 2 == 0).await;
        }
        assert_eq!(check(relay.database().location()).await.unwrap().findings, [], "round {round}");
        relay = relay.restart_with(|config| config.compact_after = Duration::ZERO).await;
    }
}
