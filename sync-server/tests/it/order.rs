//! The order of public lists, which must reveal nothing private.

use tourismo_core::docs::{Visibility, published};
use tourismo_core::id::DocId;
use tourismo_core::time::Timestamp;
use tourismo_core::wire::{DocKind, Offer};
use tourismo_server::maintenance::{check, repair};

use crate::harness::{Answer, Document, Person, Phone, Relay, drive_on, get, now};

const HOUR_MS: i64 = 3_600_000;
const START: Timestamp = Timestamp(1_790_000_000_000 - 1_790_000_000_000 % HOUR_MS);

/// The authors of the listed drives, in order.
async fn authors(relay: &Relay, path: &str) -> Vec<String> {
    let page = get(relay.addr(), path).await.json();
    page["drives"].as_array().unwrap().iter().map(|drive| drive["handle"].as_str().unwrap().to_owned()).collect()
}

/// Publishes many drives of one person in one hour, with ids that the person chose.
async fn flood(relay: &Relay, person: &Person, ids: impl Iterator<Item = u8>) -> Vec<Document> {
    let (mut docs, mut offers): (Vec<Document>, Vec<Offer>) = (Vec::new(), Vec::new());
    for (number, id) in (100..).zip(ids) {
        let id = DocId::bound(&person.account(), [id, id, id, id, id, number]);
        let mut doc = Document::named(person.phone.device(), number, DocKind::Published, id);
        offers.push(doc.publish("flood", Visibility::Public, &drive_on(START + 1_000)));
        docs.push(doc);
    }
    person.push(relay, offers).await;
    docs
}

async fn withdraw(relay: &Relay, person: &Person, docs: &mut [Document]) {
    let change = |doc: &mut Document| doc.offer(|doc| published::change(doc, "flood", "", Visibility::Private)).0;
    person.push(relay, docs.iter_mut().map(change).collect()).await;
}

#[tokio::test]
async fn nobody_fills_an_hour_of_the_public_feed_or_chooses_to_stand_on_top() {
    let relay = Relay::start().await;
    let mallory = Person::named(&relay, 1, "mallory").await;
    let mut others = Vec::new();
    for (seed, name) in (2..).zip(["anna", "ben", "cleo", "dora", "emil"]) {
        let mut person = Person::named(&relay, seed, name).await;
        person.publish(&relay, name, Visibility::Public, START).await;
        others.push(name);
    }
    let mut docs = flood(&relay, &mallory, 0xd0..0xf8).await;
    let all_at_once = |mut names: Vec<String>| {
        names.dedup();
        names
    };
    let first = authors(&relay, "/v1/feed/public?limit=100").await;
    assert_eq!(first.len(), 45);
    let count = |names: &[String], name: &str| names.iter().filter(|found| *found == name).count();
    for path in [
        "/v1/feed/public?limit=8",
        "/v1/feed/public?limit=8&bbox=8,46,9,48",
        "/v1/feed/public?limit=8&bbox=-20,30,60,70",
    ] {
        let page = authors(&relay, path).await;
        assert_eq!(count(&page, "mallory"), 3, "{path}: {page:?}");
        assert!(others.iter().all(|name| count(&page, name) == 1), "{path}: {page:?}");
    }
    let atom = String::from_utf8(get(relay.addr(), "/v1/feed/public.atom?limit=8").await.body).unwrap();
    assert_eq!(atom.matches(">flood<").count(), 3, "nor what became visible in an hour");

    // Other ids give the same position, and a withdrawn drive makes room for the next one.
    withdraw(&relay, &mallory, &mut docs[..20]).await;
    let fewer = authors(&relay, "/v1/feed/public?limit=100").await;
    assert_eq!(all_at_once(first[..8].to_vec()), all_at_once(fewer[..8].to_vec()));
    assert_eq!((fewer.len(), count(&fewer[..8], "mallory")), (25, 3));
    assert_eq!(check(relay.database().location()).await.unwrap().findings, []);
    withdraw(&relay, &mallory, &mut docs[20..]).await;
    let mut again = flood(&relay, &mallory, 0x01..0x29).await;
    let low = authors(&relay, "/v1/feed/public?limit=8").await;
    assert_eq!(all_at_once(low), all_at_once(first[..8].to_vec()));
    withdraw(&relay, &mallory, &mut again[..38]).await;
    assert_eq!(count(&authors(&relay, "/v1/feed/public").await, "mallory"), 2);

    let database = relay.stop().await;
    let sound = check(database.location()).await.unwrap();
    assert_eq!(sound.findings, []);
    assert_eq!(repair(database.location()).await.unwrap(), sound, "the same order comes of the log again");
}

#[tokio::test]
async fn a_drive_that_is_published_weeks_late_reaches_the_first_page_of_its_subscribers_and_an_edit_makes_it_newer() {
    let relay = Relay::start().await;
    let phone = Phone::founder(1);
    let mut drive = Document::new(phone.device(), 1, DocKind::Published);
    let old = Timestamp(now().as_millis() - 60 * 24 * HOUR_MS);
    let offer = drive.publish("late", Visibility::Link, &drive_on(old));
    let mut wire = phone.join(relay.addr()).await;
    let newer = (0..40_u8).map(|number| {
        let mut doc = Document::new(phone.device(), 10 + number, DocKind::Published);
        doc.publish(
            "older news",
            Visibility::Public,
            &drive_on(Timestamp(now().as_millis() - i64::from(number) * HOUR_MS)),
        )
    });
    wire.push(newer.chain([offer]).collect()).await;
    assert_eq!(wire.answers(41).await.acked.len(), 41);
    let of_person = format!("/v1/people/{}/feed.json", phone.account);
    let item = async |path: &str| {
        let feed = get(relay.addr(), path).await.json();
        let items = feed["items"].as_array().unwrap().clone();
        items.into_iter().find(|item| item["title"].as_str().unwrap().starts_with("late"))
    };
    // The others became visible two hours before.
    let sql = "UPDATE published_drive SET shown_at = shown_at - 7200000";
    relay.database().write(sql).await;
    assert_eq!(item("/v1/feed/public.json?limit=100").await, None);
    let offer = drive.offer(|doc| published::change(doc, "late", "", Visibility::Public)).0;
    wire.push(vec![offer]).await;
    wire.answers(1).await;
    let mut updated = Vec::new();
    for title in ["late", "late, and edited", "late, and edited again"] {
        if title != "late" {
            let offer = drive.offer(|doc| published::change(doc, title, "", Visibility::Public)).0;
            wire.push(vec![offer]).await;
            wire.answers(1).await;
        }
        for path in ["/v1/feed/public.json?limit=1", "/v1/feed/public.json?limit=1&bbox=8,46,9,48", &of_person] {
            let item = item(path).await.unwrap_or_else(|| panic!("{path}: {title}"));
            assert_eq!(item["title"], title, "{path}");
            assert!(item["date_published"].as_str().unwrap().ends_with(":00:00Z"), "to the hour");
            updated.push(item["date_modified"].as_str().unwrap().to_owned());
        }
    }
    updated.dedup();
    assert_eq!(updated.len(), 3, "{updated:?}");
    assert!(updated.is_sorted());
    let listed = get(relay.addr(), "/v1/feed/public?limit=1").await.json();
    assert_eq!(listed["drives"][0]["title"], "older news", "elsewhere a drive is where it began");
}

#[tokio::test]
async fn r8_what_others_see_is_the_same_however_much_is_recorded_in_private() {
    let relay = Relay::start().await;
    let mut anna = Person::named(&relay, 1, "anna").await;
    let drive = anna.publish(&relay, "shown", Visibility::Public, START).await;
    let car = anna.car(&relay, "Red", true).await;
    let paths = [
        format!("drives/{drive}"),
        format!("drives/{drive}/drive.gpx"),
        format!("drives/{drive}/reactions"),
        format!("drives/{drive}/comments"),
        "feed/public".to_owned(),
        "feed/public.atom".to_owned(),
        "feed/public.json".to_owned(),
        "people?prefix=an".to_owned(),
        "people/anna".to_owned(),
        "people/anna/drives".to_owned(),
        "people/anna/cars".to_owned(),
        "people/anna/followers".to_owned(),
        "people/anna/stats".to_owned(),
        "people/anna/feed.atom".to_owned(),
        format!("people/anna/cars/{car}/feed.atom"),
        "people/anna/meets".to_owned(),
        "people/anna/meets.ics".to_owned(),
        "meets".to_owned(),
        "stats".to_owned(),
    ];
    let read = async || {
        let mut answers: Vec<Answer> = Vec::new();
        for path in &paths {
            answers.push(get(relay.addr(), &format!("/v1/{path}")).await.without_date());
        }
        answers
    };
    let before = read().await;
    for number in 0..5 {
        anna.drive(&relay, "private", Some(car), START + number * HOUR_MS, None).await;
    }
    for (path, (before, after)) in paths.iter().zip(before.iter().zip(&read().await)) {
        assert_eq!(before.status, 200, "{path}");
        assert_eq!(before, after, "{path}: body, tag and all other headers");
    }
    let tag =
        |answers: &[Answer]| answers[..2].iter().map(|answer| answer.header("etag").to_owned()).collect::<Vec<_>>();
    let etags = tag(&before);
    anna.call(&relay, "annika", false).await;
    let renamed = get(relay.addr(), &format!("/v1/drives/{drive}")).await;
    assert_ne!(renamed.header("etag"), etags[0], "another name is another answer");
    anna.call(&relay, "anna", false).await;
    assert_eq!(tag(&read().await), etags, "the same content has the same tag");
    let database = relay.stop().await;
    repair(database.location()).await.unwrap();
    let relay = Relay::start_on(database, |_| {}).await;
    let again = get(relay.addr(), &format!("/v1/drives/{drive}")).await;
    assert_eq!(again.header("etag"), etags[0], "also in another life of the server");
}
