//! Unreadable documents: they are stored, synced, shown in their last readable version, and affect no other document.

use std::collections::BTreeSet;

use automerge::ReadDoc;
use tourismo_core::docs::social::{self, SocialEntry, SocialKey};
use tourismo_core::docs::{ProfileFields, Visibility, automerge_doc, profile, published};
use tourismo_core::fix::Fix;
use tourismo_core::id::{AccountId, DocId};
use tourismo_core::projection::MAX_PUBLISHED_FIXES;
use tourismo_core::time::Timestamp;
use tourismo_core::track::Stretch;
use tourismo_core::wire::{DocKind, Offer};
use tourismo_server::{Limits, maintenance};

use crate::harness::{Document, Person, Phone, Relay, drive_on, get, transplanted};

const START: Timestamp = Timestamp(1_790_000_000_000);

async fn push(relay: &Relay, phone: &Phone, offers: Vec<Offer>) {
    let mut wire = phone.join(relay.addr()).await;
    let count = offers.len();
    wire.push(offers).await;
    assert_eq!(wire.answers(count).await.acked.len(), count);
    wire.close().await;
    relay.settle().await;
}

async fn shown(relay: &Relay) -> usize {
    get(relay.addr(), "/v1/feed/public").await.json()["drives"].as_array().unwrap().len()
}

async fn quarantined(relay: &Relay, why: &'static str) -> i64 {
    match why {
        "unreadable" => relay.count("SELECT COUNT(*) FROM document WHERE quarantined = 'unreadable'").await,
        _ => relay.count("SELECT COUNT(*) FROM document WHERE quarantined = 'too_large'").await,
    }
}

/// A change after `doc`'s last one that writes to a map that does not exist in the document.
fn poison(phone: &Phone, doc: &mut Document, number: u8) -> Offer {
    let mut other = Document::new(phone.device(), number, DocKind::Published);
    // The document's operations again, so that the operation numbers fit, with a map as the last one.
    let ops = doc.doc.stats().num_ops;
    other.offer(|doc| {
        automerge_doc::edit(doc, |edit| {
            for op in 1..ops {
                edit.boolean(&format!("{op}"), true)?;
            }
            edit.map("map").map(|_| ())
        })
    });
    let (inside, _) = other.offer(|doc| {
        automerge_doc::edit(doc, |edit| {
            let map = edit.map("map")?;
            edit.bytes_in(&map, "inside", vec![1])
        })
    });
    let mut chunk = inside.chunk;
    chunk.0 = transplanted(&chunk.0, doc.heads[0]);
    Offer { doc: doc.id, kind: doc.kind, chunk }
}

#[tokio::test]
async fn p13_a_document_that_automerge_cannot_bear_is_kept_and_synced_and_shown_as_it_was() {
    let (relay, phone) = (Relay::start().await, Phone::founder(1));
    let mut sound = Document::new(phone.device(), 1, DocKind::Published);
    let mut broken = Document::new(phone.device(), 2, DocKind::Published);
    let offers = [&mut sound, &mut broken].map(|doc| doc.publish("Pass", Visibility::Public, &drive_on(START)));
    push(&relay, &phone, offers.into()).await;
    assert_eq!(shown(&relay).await, 2);
    let poison = poison(&phone, &mut broken, 2);
    push(&relay, &phone, vec![poison.clone()]).await;
    assert_eq!((quarantined(&relay, "unreadable").await, shown(&relay).await), (1, 2));

    // The owner's other devices receive the change, and other documents work.
    let (mut wire, entries, ..) = phone.catch_up(relay.addr(), 0).await;
    assert_eq!(entries.len(), 3);
    assert_eq!(wire.fetch(broken.id).await[1], poison.chunk.0);
    let change = sound.offer(|doc| published::change(doc, "Another pass", "", Visibility::Public)).0;
    push(&relay, &phone, vec![change]).await;
    let page = get(relay.addr(), "/v1/feed/public").await.json();
    let mut titles: Vec<_> = [0, 1].map(|place| page["drives"][place]["title"].clone()).into();
    titles.sort_by_key(ToString::to_string);
    assert_eq!(titles, ["Another pass", "Pass"]);

    // The operator is told; the check of the database finds no error.
    let report = maintenance::check(relay.database().location()).await.unwrap();
    assert_eq!((report.quarantined.len(), report.rows, report.findings), (1, 6, vec![]));

    // A rebuild gives the same: it searches for the last readable version.
    let stopped = relay.stop().await;
    assert_eq!(maintenance::repair(stopped.location()).await.unwrap().findings, vec![]);
}

#[tokio::test]
async fn p13_a_document_larger_than_anything_shown_is_kept_and_not_loaded() {
    let (relay, phone) = (Relay::start().await, Phone::founder(1));
    let mut long = Document::new(phone.device(), 1, DocKind::Published);
    let mut many = Document::new(phone.device(), 2, DocKind::Published);
    let offers = [&mut long, &mut many].map(|doc| doc.publish("Pass", Visibility::Public, &drive_on(START)));
    push(&relay, &phone, offers.into()).await;
    for _ in 0..2 {
        push(&relay, &phone, (0..2).map(|_| long.large_change(300 << 10).0).collect()).await;
    }
    let ops: Vec<Offer> =
        (0..3).map(|_| many.offer(|doc| automerge_doc::edit(doc, |edit| edit.make_text("t"))).0).collect();
    push(&relay, &phone, ops).await;
    assert_eq!((quarantined(&relay, "too_large").await, shown(&relay).await), (1, 2));
    let texts = ["a", "b"].map(|letter| {
        let text = letter.repeat(6_000);
        many.offer(|doc| automerge_doc::edit(doc, |edit| edit.update_text("t", &text))).0
    });
    push(&relay, &phone, texts.into()).await;
    assert_eq!((quarantined(&relay, "too_large").await, shown(&relay).await), (2, 2));
    assert_eq!(relay.changes_on_disk().await, 2 + 4 + 3 + 2);

    // The owner withdraws one. The relay reads that from the change alone.
    let withdrawn = long.offer(|doc| published::change(doc, "Pass", "", Visibility::Private)).0;
    push(&relay, &phone, vec![withdrawn]).await;
    assert_eq!(shown(&relay).await, 1);
    assert_eq!(maintenance::check(relay.database().location()).await.unwrap().findings, vec![]);
}

#[tokio::test]
async fn p13_a_drive_of_more_fixes_than_are_shown_is_named_to_its_owner_and_to_the_operator() {
    let relay = Relay::start().await;
    let mut anna = Person::new(&relay, 1).await;
    anna.call(&relay, "anna", true).await;
    // As an app of an earlier version publishes it: with all fixes.
    let fix = drive_on(START)[0].fixes[0];
    let at = |index: usize| {
        let at = START + 1_000 * index as i64;
        Fix { fixed_at: at, recorded_at: at, lat_deg: 40.0 + (index % 60_000) as f64 * 1e-4, ..fix }
    };
    let fixes: Vec<Fix> = (0..=MAX_PUBLISHED_FIXES).map(at).collect();
    let stretches = |fixes: &[Fix]| -> Vec<Stretch> {
        fixes.chunks(600).map(|fixes| Stretch { fixes: fixes.to_vec(), ..Stretch::default() }).collect()
    };
    let shown = anna.publish_track(&relay, "Long", Visibility::Public, &stretches(&fixes[1..])).await;
    let hidden = anna.publish_track(&relay, "Too long", Visibility::Public, &stretches(&fixes)).await;
    let sees = async |drive: DocId| anna.ask(&relay, &format!("/v1/drives/{drive}")).await.status;
    assert_eq!((sees(shown).await, sees(hidden).await), (200, 404));
    let told = anna.read(&relay, "/v1/me/profile").await["quarantined"].clone();
    assert_eq!(
        told,
        serde_json::json!([{ "document": hidden.to_string(), "kind": "published", "reason": "too_large" }])
    );
    let report = maintenance::check(relay.database().location()).await.unwrap();
    let named: Vec<String> = report.quarantined.iter().map(ToString::to_string).collect();
    assert_eq!(named, [format!("quarantine: Published {hidden} of account {}: too_large", anna.account())]);
    assert_eq!(report.findings, vec![], "nothing is wrong with the database");
}

#[tokio::test]
async fn p13_a_profile_larger_than_anything_shown_is_shown_as_it_was() {
    let (relay, phone) = (Relay::start().await, Phone::founder(1));
    let mut drive = Document::new(phone.device(), 1, DocKind::Published);
    let mut about = Document::new(phone.device(), 2, DocKind::Profile);
    let fields =
        ProfileFields { handle: "dan".into(), display_name: "Dan".into(), bio: String::new(), by_approval: false };
    let offers = vec![
        drive.publish("Pass", Visibility::Public, &drive_on(START)),
        about.offer(|doc| profile::put(doc, &fields)).0,
    ];
    push(&relay, &phone, offers).await;
    let handle = async || get(relay.addr(), "/v1/feed/public").await.json()["drives"][0]["handle"].clone();
    assert_eq!(handle().await, "dan");
    for _ in 0..2 {
        push(&relay, &phone, (0..2).map(|_| about.large_change(300 << 10).0).collect()).await;
    }
    assert_eq!((quarantined(&relay, "too_large").await, shown(&relay).await), (1, 1));
    assert_eq!(handle().await, "dan", "nobody else has the handle now");
}

#[tokio::test]
async fn who_said_twenty_thousand_things_of_people_is_still_heard() {
    let (relay, phone) = (Relay::start_with(|config| config.limits = Limits::NONE).await, Phone::founder(1));
    let mut doc = Document::named(phone.device(), 1, DocKind::Social, social::people(&phone.account));
    let other =
        |number: u32| AccountId::from_bytes([[7; 12].as_slice(), &number.to_be_bytes()].concat().try_into().unwrap());
    let mut followed = BTreeSet::new();
    let mut counted = Vec::new();
    // So many pushes may wait for their answers.
    for round in 0..5 {
        let mut wire = phone.join(relay.addr()).await;
        for push in round * 4..(round + 1) * 4 {
            // The second half removes the entries of the first, every other one permanently.
            let change = |number: u32| {
                let (who, is_follow) = (other(number % 10_000), number < 10_000 || number.is_multiple_of(2));
                if is_follow {
                    followed.insert(who)
                } else {
                    followed.remove(&who)
                };
                let offer = doc.offer(|doc| match is_follow {
                    true => social::put(doc, &SocialEntry::Follow(who, START + i64::from(number))),
                    false => social::remove(doc, &SocialKey::Follow(who)),
                });
                offer.0
            };
            wire.push((push * 1_000..(push + 1) * 1_000).map(change).collect()).await;
        }
        assert_eq!(wire.answers(4_000).await.nacked, []);
        wire.close().await;
        relay.settle().await;
        counted.push((relay.count("SELECT COUNT(*) FROM follow").await, followed.len() as i64));
    }
    assert!(counted.iter().all(|(rows, due)| rows == due), "{counted:?}");
    let (offer, _) = doc.offer(|doc| social::remove(doc, &SocialKey::Follow(other(0))));
    let mut wire = phone.join(relay.addr()).await;
    wire.push(vec![offer]).await;
    wire.answers(1).await;
    assert_eq!(relay.count("SELECT COUNT(*) FROM follow").await, 4_999, "what is taken back goes at once");
    relay.settle().await;
    assert_eq!(relay.count("SELECT COUNT(*) FROM follow").await, 4_999);
    assert_eq!(relay.count("SELECT COUNT(*) FROM document WHERE quarantined IS NOT NULL").await, 0);
    assert_eq!(maintenance::check(relay.database().location()).await.unwrap().findings, []);
}

#[tokio::test]
async fn p13_whoever_makes_their_own_social_document_too_large_still_blocks_and_is_told() {
    let relay = Relay::start_with(|config| config.limits = Limits::NONE).await;
    let mut anna = Person::new(&relay, 1).await;
    anna.call(&relay, "anna", true).await;
    let (mut ben, mut cleo) = (Person::named(&relay, 2, "ben").await, Person::named(&relay, 3, "cleo").await);
    let drive = anna.publish(&relay, "Pass", Visibility::Followers, START).await;
    for other in [&mut ben, &mut cleo] {
        other.follow(&relay, &anna).await;
        anna.say(&relay, SocialEntry::Accept(other.account())).await;
    }
    anna.say(&relay, SocialEntry::Block(ben.account())).await;
    let sees = async |person: &Person| person.ask(&relay, &format!("/v1/drives/{drive}")).await.status;
    assert_eq!((sees(&ben).await, sees(&cleo).await), (404, 200));
    let quarantined = |profile: serde_json::Value| profile["quarantined"].clone();
    assert_eq!(quarantined(anna.read(&relay, "/v1/me/profile").await), serde_json::json!([]));

    // As many operations as the relay reads of such a document, and more.
    for number in 0..20_u64 {
        let byte = |i: u64| ((i + number * 1_000_003).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8;
        let noise: Vec<u8> = (0..500_000).map(byte).collect();
        let people = social::people(&anna.account());
        let offer = anna.edit(people, DocKind::Social, |doc| {
            automerge_doc::edit(doc, |edit| edit.bytes_or_nothing("noise", Some(&noise)))
        });
        anna.push(&relay, vec![offer]).await;
    }
    assert_eq!(relay.count("SELECT COUNT(*) FROM document WHERE quarantined = 'too_large'").await, 1);
    assert_eq!((sees(&ben).await, sees(&cleo).await), (404, 200), "blocks and acceptances stay");
    let told = quarantined(anna.read(&relay, "/v1/me/profile").await);
    assert_eq!((&told[0]["kind"], &told[0]["reason"]), (&"social".into(), &"too_large".into()));

    // What narrows takes effect; what widens does not.
    anna.say(&relay, SocialEntry::Block(cleo.account())).await;
    assert_eq!(sees(&cleo).await, 404);
    anna.take_back(&relay, SocialKey::Block(ben.account())).await;
    anna.take_back(&relay, SocialKey::Accept(cleo.account())).await;
    assert_eq!(sees(&ben).await, 404);
    assert_eq!(relay.count("SELECT COUNT(*) FROM accept").await, 1, "the word for ben stays");
    assert_eq!(relay.count("SELECT COUNT(*) FROM block").await, 2);
    assert_eq!(maintenance::check(relay.database().location()).await.unwrap().findings, vec![]);

    // A rebuild gives the same.
    let stopped = relay.stop().await;
    assert_eq!(maintenance::repair(stopped.location()).await.unwrap().findings, vec![]);
    let relay = Relay::start_on(stopped, |_| ()).await;
    assert_eq!(relay.count("SELECT COUNT(*) FROM block").await, 2);
}

#[tokio::test]
async fn r12_without_a_profile_a_follower_must_be_accepted() {
    let relay = Relay::start().await;
    let mut anna = Person::new(&relay, 1).await;
    let mut ben = Person::named(&relay, 2, "ben").await;
    let drive = anna.publish(&relay, "Pass", Visibility::Followers, START).await;
    ben.follow(&relay, &anna).await;
    let sees = async || ben.ask(&relay, &format!("/v1/drives/{drive}")).await.status;
    let feed = async || ben.read(&relay, "/v1/me/feed").await.to_string().contains("Pass");
    assert_eq!((sees().await, feed().await), (404, false));
    assert_eq!(anna.read(&relay, "/v1/me/profile").await["byApproval"], true);
    let requests = anna.read(&relay, "/v1/me/requests").await;
    assert_eq!(requests["people"][0]["account"], ben.account().to_string());
    anna.say(&relay, SocialEntry::Accept(ben.account())).await;
    assert_eq!((sees().await, feed().await), (200, true));
    anna.take_back(&relay, SocialKey::Accept(ben.account())).await;
    assert_eq!(sees().await, 404);
    anna.call(&relay, "anna", false).await;
    assert_eq!((sees().await, feed().await), (200, true), "she says that everybody may follow");
}
