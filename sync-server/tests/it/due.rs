//! Documents whose rows are projected by a background task: acknowledged at once, shown a little later, and narrowed at
//! once.

use automerge::ScalarValue;
use tourismo_core::docs::social::{self, Answer, Comment, Reaction, SocialEntry, SocialKey};
use tourismo_core::docs::{LinkRenewal, MeetFields, Visibility, automerge_doc, meet, published};
use tourismo_core::id::DocId;
use tourismo_core::time::Timestamp;
use tourismo_core::track::Stretch;
use tourismo_core::wire::{DocKind, Offer};
use tourismo_server::maintenance;

use crate::harness::{Document, Phone, Relay, drive_on, get};

const START: Timestamp = Timestamp(1_790_000_000_000);

async fn push(relay: &Relay, phone: &Phone, offer: Offer) {
    let mut wire = phone.join(relay.addr()).await;
    wire.push(vec![offer]).await;
    assert_eq!(wire.answers(1).await.acked.len(), 1);
    wire.close().await;
}

async fn shown(relay: &Relay) -> usize {
    get(relay.addr(), "/v1/feed/public").await.json()["drives"].as_array().unwrap().len()
}

/// A drive of so many blocks that it is not written in one transaction.
fn many_blocks() -> Vec<Stretch> {
    let stretch = |number: i64| {
        let fixes = drive_on(START + number * 60_000)[0].fixes[..3].to_vec();
        Stretch { fixes, ..Stretch::default() }
    };
    (0..1_300).map(stretch).collect()
}

#[tokio::test]
async fn p13_a_long_drive_is_shown_when_all_of_it_is_there_and_to_fewer_people_at_once() {
    let (relay, phone) = (Relay::start().await, Phone::founder(1));
    let mut drive = Document::new(phone.device(), 1, DocKind::Published);
    let publish = drive.publish("Pass", Visibility::Public, &many_blocks());
    push(&relay, &phone, publish).await;
    relay.settle().await;
    assert_eq!((shown(&relay).await, relay.count("SELECT COUNT(*) FROM published_block").await), (1, 1_300));
    assert_eq!(get(relay.addr(), "/v1/ready").await.json()["due"], 0);
    let report = maintenance::check(relay.database().location()).await.unwrap();
    assert_eq!((report.due, report.findings), (0, vec![]));

    let followers = drive.offer(|doc| published::change(doc, "Pass", "", Visibility::Followers)).0;
    push(&relay, &phone, followers).await;
    assert_eq!(shown(&relay).await, 0, "nobody waits for that");
    relay.settle().await;
    assert_eq!((shown(&relay).await, relay.count("SELECT COUNT(*) FROM published_drive").await), (0, 1));
    let private = drive.offer(|doc| published::change(doc, "Pass", "", Visibility::Private)).0;
    push(&relay, &phone, private).await;
    assert_eq!(relay.count("SELECT COUNT(*) FROM published_block").await, 0);
    relay.settle().await;
    assert_eq!(maintenance::check(relay.database().location()).await.unwrap().findings, vec![]);
}

#[tokio::test]
async fn p13_b4_the_old_link_of_a_large_meet_leads_nowhere_at_once_and_nobody_else_s_id_is_its_link() {
    let (relay, phone) = (Relay::start().await, Phone::founder(1));
    let mut doc = Document::new(phone.device(), 1, DocKind::Meet);
    let fields =
        MeetFields { title: "Pass".into(), starts_at: START, visibility: Visibility::Link, ..MeetFields::default() };
    let made = doc.offer(|doc| meet::put(doc, START, None, None, &fields)).0;
    let more = doc.offer(|doc| {
        automerge_doc::edit(doc, |edit| (0..1_500).try_for_each(|number| edit.boolean(&format!("more {number}"), true)))
    });
    push(&relay, &phone, made).await;
    push(&relay, &phone, more.0).await;
    relay.settle().await;
    let status = async |id: DocId| get(relay.addr(), &format!("/v1/meets/{id}")).await.status;
    assert_eq!(status(doc.id).await, 200);

    let renewal = doc.offer(|doc| meet::renew(doc, &phone.account, START, &fields)).0;
    push(&relay, &phone, renewal).await;
    let link = meet::read(&doc.doc).link_id(&phone.account, &doc.id).unwrap();
    assert_eq!(status(doc.id).await, 404, "nobody waits for that");
    relay.settle().await;
    assert_eq!((status(doc.id).await, status(link).await), (404, 200));

    // Another account's meet, which this account writes to as if it were its own.
    let other = Phone::founder(2);
    let mut theirs = Document::new(other.device(), 2, DocKind::Meet);
    let stolen = LinkRenewal { renewals: 9, id: theirs.id };
    let steal = minicbor::to_vec(stolen).unwrap();
    let stealing = doc.offer(|doc| automerge_doc::edit(doc, |edit| edit.bytes_or_nothing("renewed", Some(&steal)))).0;
    push(&relay, &phone, stealing).await;
    for _ in ["narrowed at once", "derived"] {
        assert_eq!([status(doc.id).await, status(link).await, status(theirs.id).await], [404; 3]);
        relay.settle().await;
    }
    let shown = MeetFields { title: "Theirs".into(), ..fields };
    push(&relay, &other, theirs.offer(|doc| meet::put(doc, START, None, None, &shown)).0).await;
    assert_eq!(get(relay.addr(), &format!("/v1/meets/{}", theirs.id)).await.json()["title"], "Theirs");
    assert_eq!(maintenance::check(relay.database().location()).await.unwrap().findings, vec![]);
}

#[tokio::test]
async fn p13_what_is_taken_back_of_much_that_was_said_goes_at_once() {
    let (relay, phone) = (Relay::start().await, Phone::founder(1));
    let thing = |number: u16| {
        let mut id = [7; 16];
        id[..2].copy_from_slice(&number.to_be_bytes());
        DocId::from_bytes(id)
    };
    let id = social::about(&phone.account, &thing(0));
    let mut said = Document::named(phone.device(), 1, DocKind::Social, id);
    let all = said.offer(|doc| {
        automerge_doc::edit(doc, |edit| {
            (0..1_500).try_for_each(|number| {
                edit.entry("react", thing(number).as_bytes(), Some(ScalarValue::Str(Reaction::Like.name().into())))
            })
        })
    });
    push(&relay, &phone, all.0).await;
    let comment = Comment { drive: thing(0), at: START, text: "What a view.".into() };
    for word in [SocialEntry::Comment(thing(1), &comment), SocialEntry::Rsvp(thing(2), Answer::Going, START)] {
        let offer = said.offer(|doc| social::put(doc, &word)).0;
        push(&relay, &phone, offer).await;
    }
    relay.settle().await;
    let counted = async || {
        let [mut reactions, mut comments, mut rsvps] = [0; 3];
        for (count, sql) in [
            (&mut reactions, "SELECT COUNT(*) FROM reaction"),
            (&mut comments, "SELECT COUNT(*) FROM comment"),
            (&mut rsvps, "SELECT COUNT(*) FROM rsvp"),
        ] {
            *count = relay.count(sql).await;
        }
        (reactions, comments, rsvps)
    };
    assert_eq!(counted().await, (1_500, 1, 1));
    for (subject, left) in [
        (SocialKey::React(thing(5)), (1_499, 1, 1)),
        (SocialKey::Comment(thing(1)), (1_499, 0, 1)),
        (SocialKey::Rsvp(thing(2)), (1_499, 0, 0)),
    ] {
        let offer = said.offer(|doc| social::remove(doc, &subject)).0;
        push(&relay, &phone, offer).await;
        assert_eq!(counted().await, left);
    }
    relay.settle().await;
    assert_eq!(counted().await, (1_499, 0, 0));
    assert_eq!(maintenance::check(relay.database().location()).await.unwrap().findings, vec![]);
}
