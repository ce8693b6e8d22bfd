//! Reads of a person's own data: drives, cars, logbooks, figures, the home feed.

use serde_json::{Value, json};
use tourismo_core::docs::social::{SocialEntry, SocialKey};
use tourismo_core::docs::{Cost, LogEntry, LogKind, Visibility};
use tourismo_core::id::AccountId;
use tourismo_core::time::Timestamp;
use tourismo_core::wire::DocKind;
use tourismo_server::maintenance::check;

use crate::harness::{Person, Relay, get, now};

const HOUR_MS: i64 = 3_600_000;
/// A full hour of September 2026.
const START: Timestamp = Timestamp(1_790_000_000_000 - 1_790_000_000_000 % HOUR_MS);

fn all<'v>(value: &'v Value, list: &str, field: &str) -> Vec<&'v str> {
    value[list].as_array().unwrap().iter().map(|item| item[field].as_str().unwrap()).collect()
}

/// The titles on all pages of a list.
async fn paged(relay: &Relay, person: &Person, path: &str, list: &str, field: &str, limit: u32) -> Vec<String> {
    let (mut found, mut after) = (Vec::new(), String::new());
    loop {
        let page = person.read(relay, &format!("{path}?limit={limit}{after}")).await;
        found.extend(all(&page, list, field).into_iter().map(str::to_owned));
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => return found,
        }
    }
}

#[tokio::test]
async fn my_drives_and_a_cars_history_come_newest_first_and_are_nobody_elses() {
    let relay = Relay::start().await;
    let (mut anna, ben) = (Person::new(&relay, 1).await, Person::new(&relay, 2).await);
    let (red, blue) = (anna.car(&relay, "Red one", false).await, anna.car(&relay, "Blue one", false).await);
    for (hours, car) in [(3, Some(red)), (1, Some(blue)), (2, Some(red)), (2, None)] {
        anna.drive(&relay, &format!("{hours} h"), car, START + hours * HOUR_MS, None).await;
    }
    for limit in [1, 3, 4, 100] {
        assert_eq!(paged(&relay, &anna, "/v1/me/drives", "drives", "title", limit).await, ["3 h", "2 h", "2 h", "1 h"]);
        let history = format!("/v1/me/cars/{red}/drives");
        assert_eq!(paged(&relay, &anna, &history, "drives", "title", limit).await, ["3 h", "2 h"]);
    }
    let page = anna.read(&relay, "/v1/me/drives?limit=1").await;
    let drive = &page["drives"][0];
    assert_eq!((&drive["car"], &drive["stats"]["distanceM"]), (&red.to_string().into(), &60_000.0.into()));
    assert_eq!(drive["endedAt"], START.as_millis() + 4 * HOUR_MS);
    assert_eq!(ben.read(&relay, "/v1/me/drives").await, json!({ "drives": [], "next": null }));
    assert_eq!(ben.ask(&relay, &format!("/v1/me/cars/{red}/drives")).await.status, 404);
    assert_eq!(check(relay.database().location()).await.unwrap().findings, []);
}

#[tokio::test]
async fn a_garage_counts_its_cars_and_their_odometers_go_on_from_the_newest_reading() {
    let relay = Relay::start().await;
    let mut anna = Person::new(&relay, 1).await;
    let old = anna.car(&relay, "Old one", false).await;
    let new = anna.car(&relay, "New one", true).await;
    for hours in [1, 5, 9] {
        anna.drive(&relay, "", Some(old), START + hours * HOUR_MS, None).await;
    }
    let entry = |hours: i64, kind, odometer_m, cost: Option<i64>| LogEntry {
        kind,
        at: START + hours * HOUR_MS,
        odometer_m,
        litres: None,
        cost: cost.map(|minor| Cost { minor, currency: "CHF".to_owned() }),
        note: format!("at {hours}"),
    };
    anna.log(&relay, old, &entry(0, LogKind::Odometer, Some(1_000.0), None)).await;
    anna.log(&relay, old, &entry(4, LogKind::Service, Some(100_000.0), Some(12_345))).await;
    anna.log(&relay, old, &entry(6, LogKind::Fuel, None, Some(-5))).await;

    assert_eq!(paged(&relay, &anna, "/v1/me/cars", "cars", "nickname", 1).await, ["New one", "Old one"]);
    let garage = anna.read(&relay, "/v1/me/cars").await;
    assert_eq!((&garage["cars"][0]["id"], &garage["cars"][0]["odometerM"]), (&new.to_string().into(), &Value::Null));
    let car = &garage["cars"][1];
    assert_eq!((&car["drives"], &car["distanceM"]), (&3.into(), &180_000.0.into()));
    assert_eq!(car["odometerM"], 220_000.0, "two drives after the reading");
    let log = format!("/v1/me/cars/{old}/log");
    assert_eq!(paged(&relay, &anna, &log, "entries", "note", 2).await, ["at 6", "at 4", "at 0"]);
    let page = anna.read(&relay, &log).await;
    let (fuel, service) = (&page["entries"][0], &page["entries"][1]);
    assert_eq!((&fuel["kind"], &fuel["cost"]), (&"fuel".into(), &json!({ "minor": -5, "currency": "CHF" })));
    assert_eq!(service["odometerM"], 100_000.0);
    assert_eq!(check(relay.database().location()).await.unwrap().findings, []);
}

#[tokio::test]
async fn figures_are_summed_by_month_and_by_car() {
    let relay = Relay::start().await;
    let mut anna = Person::new(&relay, 1).await;
    let car = anna.car(&relay, "Red one", false).await;
    anna.drive(&relay, "", Some(car), START, None).await;
    anna.drive(&relay, "", None, START + HOUR_MS, None).await;
    anna.drive(&relay, "", Some(car), START + 31 * 24 * HOUR_MS, None).await;
    let months = anna.read(&relay, "/v1/me/stats").await;
    let figures = |drives: u32| {
        let count = f64::from(drives);
        json!({
            "drives": drives, "distanceM": 60_000.0 * count, "movingMs": 3_000_000 * drives,
            "durationMs": 3_600_000 * drives, "ascentM": 500.0 * count
        })
    };
    let with = |name: &str, value: Value, drives| {
        let mut item = figures(drives);
        item[name] = value;
        item
    };
    let due = json!([with("month", "2026-10".into(), 1), with("month", "2026-09".into(), 2)]);
    assert_eq!(months["months"], due);
    let cars = anna.read(&relay, "/v1/me/stats?by=car").await;
    let cars = cars["cars"].as_array().unwrap();
    assert_eq!(cars.len(), 2);
    assert!(cars.contains(&with("car", car.to_string().into(), 2)) && cars.contains(&with("car", Value::Null, 1)));
    assert_eq!(relay.count("SELECT drives FROM v_drives_per_month WHERE month = 202609 AND car IS NOT NULL").await, 1);
}

#[tokio::test]
async fn a_drive_that_was_taken_off_all_lists_is_on_none() {
    let relay = Relay::start().await;
    let mut anna = Person::new(&relay, 1).await;
    let id = anna.drive(&relay, "Gone", None, START, None).await;
    let edit = tourismo_core::docs::drive::DriveEdit { deleted: true, ..Default::default() };
    let offer = anna.edit(id, DocKind::Drive, |doc| tourismo_core::docs::drive::change(doc, &edit));
    anna.push(&relay, vec![offer]).await;
    assert_eq!(anna.read(&relay, "/v1/me/drives").await["drives"], json!([]));
    assert_eq!(check(relay.database().location()).await.unwrap().findings, []);
}

#[tokio::test]
async fn the_home_feed_has_what_those_show_whom_i_follow_newest_first() {
    let relay = Relay::start().await;
    let mut anna = Person::named(&relay, 1, "anna").await;
    let mut ben = Person::named(&relay, 2, "ben").await;
    let mut cleo = Person::named(&relay, 3, "cleo").await;
    let mut dora = Person::named(&relay, 4, "dora").await;
    for (person, name) in [(&mut ben, "ben"), (&mut cleo, "cleo"), (&mut dora, "dora")] {
        for hours in 0..4 {
            let title = format!("{name} {hours}");
            person.publish(&relay, &title, Visibility::Public, START + hours * HOUR_MS).await;
        }
    }
    ben.publish(&relay, "by link", Visibility::Link, START).await;
    cleo.publish(&relay, "for followers", Visibility::Followers, START + 5 * HOUR_MS).await;
    assert_eq!(anna.read(&relay, "/v1/me/feed").await["items"], json!([]));
    anna.follow(&relay, &ben).await;
    anna.follow(&relay, &cleo).await;

    let whole = paged(&relay, &anna, "/v1/me/feed", "items", "title", 100).await;
    assert_eq!(whole.len(), 9);
    assert_eq!(whole[0], "for followers");
    let hours: Vec<&str> = whole[1..].iter().map(|title| title.split_once(' ').unwrap().1).collect();
    assert_eq!(hours, ["3", "3", "2", "2", "1", "1", "0", "0"]);
    for limit in [1, 2, 3, 8, 9] {
        assert_eq!(paged(&relay, &anna, "/v1/me/feed", "items", "title", limit).await, whole, "pages of {limit}");
    }
    let page = anna.read(&relay, "/v1/me/feed").await;
    assert_eq!((&page["items"][0]["kind"], &page["items"][0]["handle"]), (&"drive".into(), &"cleo".into()));

    // A blocked person finds what is public, until they are accepted. The person who blocks finds nothing.
    cleo.say(&relay, SocialEntry::Block(anna.account())).await;
    assert_eq!(paged(&relay, &anna, "/v1/me/feed", "items", "title", 3).await, whole[1..]);
    cleo.take_back(&relay, SocialKey::Block(anna.account())).await;
    assert_eq!(paged(&relay, &anna, "/v1/me/feed", "items", "title", 3).await, whole[1..]);
    cleo.say(&relay, SocialEntry::Accept(anna.account())).await;
    assert_eq!(paged(&relay, &anna, "/v1/me/feed", "items", "title", 3).await, whole);
    anna.say(&relay, SocialEntry::Block(cleo.account())).await;
    let of_ben = paged(&relay, &anna, "/v1/me/feed", "items", "title", 3).await;
    assert!(of_ben.iter().all(|title| title.starts_with("ben")), "{of_ben:?}");
    anna.take_back(&relay, SocialKey::Block(cleo.account())).await;
    anna.take_back(&relay, SocialKey::Follow(ben.account())).await;
    assert_eq!(paged(&relay, &anna, "/v1/me/feed", "items", "title", 3).await.len(), 5);
    assert_eq!(check(relay.database().location()).await.unwrap().findings, []);
}

#[tokio::test]
async fn what_is_for_followers_is_for_those_who_were_accepted() {
    let relay = Relay::start().await;
    let mut anna = Person::named(&relay, 1, "anna").await;
    let mut ben = Person::new(&relay, 2).await;
    ben.call(&relay, "ben", true).await;
    let drive = ben.publish(&relay, "for followers", Visibility::Followers, START).await;
    ben.publish(&relay, "for everyone", Visibility::Public, START).await;
    anna.follow(&relay, &ben).await;
    let titles = async |person: &Person| paged(&relay, person, "/v1/me/feed", "items", "title", 10).await;
    assert_eq!(titles(&anna).await, ["for everyone"]);
    assert_eq!(anna.ask(&relay, &format!("/v1/drives/{drive}")).await.status, 404);
    let requests = ben.read(&relay, "/v1/me/requests").await;
    assert_eq!(all(&requests, "people", "handle"), ["anna"]);
    assert_eq!(anna.read(&relay, "/v1/people/ben/followers").await["people"], json!([]));
    let followers = async || get(relay.addr(), "/v1/people/ben/stats").await.json()["followers"].as_u64();
    assert_eq!(followers().await, Some(0));

    ben.say(&relay, SocialEntry::Accept(anna.account())).await;
    assert_eq!(titles(&anna).await.len(), 2);
    assert_eq!(anna.ask(&relay, &format!("/v1/drives/{drive}")).await.status, 200);
    assert_eq!(ben.read(&relay, "/v1/me/requests").await["people"], json!([]));
    assert_eq!(all(&anna.read(&relay, "/v1/people/ben/followers").await, "people", "handle"), ["anna"]);
    assert_eq!(followers().await, Some(1));
    let seen = anna.read(&relay, "/v1/people/ben").await;
    assert_eq!((&seen["isFollowed"], &seen["isAccepted"]), (&true.into(), &true.into()));
    assert_eq!(get(relay.addr(), &format!("/v1/drives/{drive}")).await.status, 404);
}

#[tokio::test]
async fn a_word_more_is_a_row_more_and_a_word_elsewhere_is_none() {
    let relay = Relay::start().await;
    let mut anna = Person::new(&relay, 1).await;
    for number in 0..20 {
        anna.say(&relay, SocialEntry::Follow(AccountId::from_bytes([number; 16]), now())).await;
    }
    assert_eq!(relay.count("SELECT COUNT(*) FROM follow").await, 20);
    // The same entry in another document, or about oneself, has no effect.
    let elsewhere = anna.fresh_id();
    for word in [
        SocialEntry::Follow(AccountId::from_bytes([99; 16]), now()),
        SocialEntry::React(elsewhere, tourismo_core::docs::Reaction::Like),
    ] {
        let offer = anna.edit(elsewhere, DocKind::Social, |doc| tourismo_core::docs::social::put(doc, &word));
        anna.push(&relay, vec![offer]).await;
    }
    anna.say(&relay, SocialEntry::Follow(anna.account(), now())).await;
    assert_eq!(relay.count("SELECT COUNT(*) FROM follow").await, 20);
    assert_eq!(relay.count("SELECT COUNT(*) FROM reaction").await, 0);
    assert_eq!(check(relay.database().location()).await.unwrap().findings, []);
}
