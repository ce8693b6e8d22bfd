//! The effects of a block, and that nothing reveals it.

use serde_json::{Value, json};
use tourismo_core::docs::social::{SocialEntry, SocialKey};
use tourismo_core::docs::{Answer, MeetFields, Reaction, Visibility};
use tourismo_core::id::DocId;
use tourismo_core::time::Timestamp;
use tourismo_server::maintenance::{check, repair};

use crate::harness::{Person, Relay, get, now};

const HOUR_MS: i64 = 3_600_000;
const START: Timestamp = Timestamp(1_790_000_000_000 - 1_790_000_000_000 % HOUR_MS);

/// Anna shows things to everybody and to followers. Ben follows her and reacts to all of them. Both mention Cleo.
struct Scene {
    relay: Relay,
    anna: Person,
    ben: Person,
    cleo: Person,
    meet: DocId,
    secret_meet: DocId,
    secret_drive: DocId,
    /// Every public read that concerns Anna or what she wrote.
    public: Vec<String>,
}

fn meet(title: &str, visibility: Visibility) -> MeetFields {
    let starts_at = Timestamp(now().as_millis() + 48 * HOUR_MS);
    MeetFields { title: title.to_owned(), starts_at, visibility, position: Some([8.5, 47.0]), ..MeetFields::default() }
}

async fn scene() -> Scene {
    let relay = Relay::start().await;
    let mut anna = Person::named(&relay, 1, "anna").await;
    let mut ben = Person::named(&relay, 2, "ben").await;
    let mut cleo = Person::named(&relay, 3, "cleo").await;
    let car = anna.car(&relay, "Red", true).await;
    let drive = anna.publish(&relay, "shown", Visibility::Public, START).await;
    let linked = anna.publish(&relay, "by link", Visibility::Link, START).await;
    let secret_drive = anna.publish(&relay, "for followers", Visibility::Followers, START).await;
    anna.drive(&relay, "", Some(car), START, Some(drive)).await;
    let shown_meet = anna.meet(&relay, &meet("shown", Visibility::Public)).await;
    let secret_meet = anna.meet(&relay, &meet("for followers", Visibility::Followers)).await;
    let other_drive = cleo.publish(&relay, "Cleo's", Visibility::Public, START).await;
    let other_meet = cleo.meet(&relay, &meet("Cleo's", Visibility::Public)).await;
    anna.follow(&relay, &cleo).await;
    ben.follow(&relay, &anna).await;
    ben.follow(&relay, &cleo).await;
    cleo.follow(&relay, &anna).await;
    for drive in [drive, linked, other_drive] {
        for person in [&mut anna, &mut ben] {
            person.react(&relay, drive, Reaction::Road).await;
            person.comment(&relay, drive, "A road").await;
        }
    }
    for meet in [shown_meet, other_meet] {
        for person in [&mut anna, &mut ben] {
            person.answer(&relay, meet, Answer::Going).await;
        }
    }
    let mut public: Vec<String> = [
        "feed/public",
        "feed/public?bbox=8,46,9,48",
        "feed/public.atom",
        "feed/public.json",
        "people?prefix=an",
        "meets",
        "meets?near=47,8.5",
        "meets.ics",
        "meets.atom",
        "meets.json",
        "people/cleo/followers",
        "people/cleo/following",
        "stats",
    ]
    .map(str::to_owned)
    .into();
    let cars = format!("/cars/{car}/feed.atom");
    let of_person =
        ["", "/drives", "/cars", "/followers", "/following", "/meets", "/stats", "/feed.atom", "/meets.ics", &cars];
    public.extend(of_person.map(|what| format!("people/anna{what}")));
    for drive in [drive, linked, other_drive] {
        public.extend(["", "/drive.gpx", "/reactions", "/comments"].map(|what| format!("drives/{drive}{what}")));
    }
    for meet in [shown_meet, other_meet] {
        public.extend(["", "/attendees", "/meet.ics"].map(|what| format!("meets/{meet}{what}")));
    }
    Scene { relay, anna, ben, cleo, meet: shown_meet, secret_meet, secret_drive, public }
}

/// Ben's answers to all public reads, with his token.
async fn told(scene: &Scene) -> Vec<(String, u16, String)> {
    let mut all = Vec::new();
    for path in &scene.public {
        let answer = scene.ben.ask(&scene.relay, &format!("/v1/{path}")).await;
        all.push((path.clone(), answer.status, String::from_utf8(answer.body).unwrap()));
    }
    all
}

fn count(page: &Value, list: &str) -> usize {
    page[list].as_array().unwrap().len()
}

#[tokio::test]
async fn r6_whoever_is_blocked_is_told_the_same_as_before_of_all_that_is_public() {
    let mut scene = scene().await;
    let before = told(&scene).await;
    assert!(before.iter().all(|(path, status, _)| *status == 200 || panic!("{path}")));
    let home = scene.ben.read(&scene.relay, "/v1/me/feed").await;
    assert_eq!(count(&home, "items"), 6, "{home}");
    scene.anna.say(&scene.relay, SocialEntry::Block(scene.ben.account())).await;
    for (before, after) in before.iter().zip(&told(&scene).await) {
        // Before the block, these lists included what is for followers.
        if !["people/anna/drives", "people/anna/meets"].contains(&before.0.as_str()) {
            assert_eq!(before, after, "no answer tells that anything has changed");
        }
    }
    // What is for followers looks withdrawn.
    let nobody = scene.ben.ask(&scene.relay, "/v1/drives/00000000-0000-0000-0000-000000000000").await.without_date();
    for path in [format!("drives/{}", scene.secret_drive), format!("meets/{}", scene.secret_meet)] {
        assert_eq!(scene.ben.ask(&scene.relay, &format!("/v1/{path}")).await.without_date(), nobody, "{path}");
        assert_eq!(scene.cleo.ask(&scene.relay, &format!("/v1/{path}")).await.status, 200, "{path}");
    }
    assert_eq!(count(&scene.ben.read(&scene.relay, "/v1/me/feed").await, "items"), 4, "public ones stay");
    assert_eq!(check(scene.relay.database().location()).await.unwrap().findings, []);
}

#[tokio::test]
async fn r6_whoever_is_blocked_reads_of_them_what_anyone_reads_without_a_token() {
    let mut scene = scene().await;
    scene.anna.say(&scene.relay, SocialEntry::Block(scene.ben.account())).await;
    // A person without content, so that the answers contain nothing of their own.
    let dora = Person::named(&scene.relay, 4, "dora").await;
    scene.anna.say(&scene.relay, SocialEntry::Block(dora.account())).await;
    for path in &scene.public {
        let path = format!("/v1/{path}");
        let (with, without) = (dora.ask(&scene.relay, &path).await, get(scene.relay.addr(), &path).await);
        assert_eq!((with.status, &with.body), (without.status, &without.body), "{path}");
    }
}

#[tokio::test]
async fn r6_what_the_blocked_say_is_shown_to_nobody_else_and_whoever_blocks_sees_nothing_of_them() {
    let mut scene = scene().await;
    let ben_drive = scene.ben.publish(&scene.relay, "Ben's", Visibility::Public, START).await;
    scene.anna.say(&scene.relay, SocialEntry::Block(scene.ben.account())).await;
    let Scene { relay, anna, ben, cleo, meet, .. } = &scene;
    let shown = get(relay.addr(), "/v1/people/anna/drives").await.json()["drives"][0].clone();
    assert_eq!((&shown["reactions"]["road"], &shown["comments"]), (&json!(1), &json!(1)), "not in numbers either");
    let drive = shown["id"].as_str().unwrap();
    for (path, list) in [
        (format!("drives/{drive}/reactions"), "reactions"),
        (format!("drives/{drive}/comments"), "comments"),
        (format!("meets/{meet}/attendees"), "attendees"),
    ] {
        for person in [anna, cleo] {
            let page = person.read(relay, &format!("/v1/{path}")).await;
            let by_ben = page[list].as_array().unwrap().iter().any(|item| item["handle"] == "ben");
            assert!(!by_ben && count(&page, list) == 1, "{page}");
        }
        assert_eq!(count(&ben.read(relay, &format!("/v1/{path}")).await, list), 2, "their own words they see");
    }
    assert_eq!(cleo.read(relay, &format!("/v1/meets/{meet}")).await["answers"]["going"], 1);
    let followers = cleo.read(relay, "/v1/people/anna/followers").await;
    assert_eq!((count(&followers, "people"), &followers["people"][0]["handle"]), (1, &json!("cleo")));
    for path in ["people/ben", &format!("drives/{ben_drive}")] {
        assert_eq!(anna.ask(relay, &format!("/v1/{path}")).await.status, 404, "{path}");
    }
    assert_eq!(count(&anna.read(relay, "/v1/people?prefix=ben").await, "people"), 0);
    assert!(
        anna.read(relay, "/v1/feed/public").await["drives"].as_array().unwrap().iter().all(|d| d["handle"] != "ben")
    );
}

#[tokio::test]
async fn r6_an_unblock_does_not_bring_back_a_follow() {
    let mut scene = scene().await;
    let ben = scene.ben.account();
    let Scene { relay, anna, .. } = &mut scene;
    anna.say(relay, SocialEntry::Block(ben)).await;
    anna.take_back(relay, SocialKey::Block(ben)).await;
    let secrets = [format!("/v1/drives/{}", scene.secret_drive), format!("/v1/meets/{}", scene.secret_meet)];
    let status = async |scene: &Scene| {
        let mut all = Vec::new();
        for path in &secrets {
            all.push(scene.ben.ask(&scene.relay, path).await.status);
        }
        all.push(count(&scene.ben.read(&scene.relay, "/v1/me/feed").await, "items") as u16);
        all
    };
    assert_eq!(status(&scene).await, [404, 404, 4], "although Anna lets everybody else follow");
    scene.ben.take_back(&scene.relay, SocialKey::Follow(scene.anna.account())).await;
    scene.ben.follow(&scene.relay, &scene.anna).await;
    assert_eq!(status(&scene).await, [404, 404, 4], "nor does it by following anew");
    let requests = scene.anna.read(&scene.relay, "/v1/me/requests").await;
    assert_eq!(requests["people"][0]["handle"], "ben", "she is asked");
    scene.anna.say(&scene.relay, SocialEntry::Accept(ben)).await;
    assert_eq!(status(&scene).await, [200, 200, 6]);
    assert_eq!(count(&scene.anna.read(&scene.relay, "/v1/me/requests").await, "people"), 0);

    let database = scene.relay.stop().await;
    let sound = check(database.location()).await.unwrap();
    assert_eq!(sound.findings, []);
    assert_eq!(repair(database.location()).await.unwrap(), sound);
}

#[tokio::test]
async fn r6_what_a_blocked_co_organiser_says_does_not_count() {
    let mut scene = scene().await;
    let (ben, id) = (scene.ben.account(), scene.secret_meet);
    let fields = meet("for followers", Visibility::Followers);
    scene.anna.grant(&scene.relay, id, ben, true).await;
    let changed = MeetFields { title: "Ben's idea".to_owned(), ..fields.clone() };
    scene.ben.amend(&scene.relay, id, &fields, &changed).await;
    let title = async |scene: &Scene| {
        scene.anna.read(&scene.relay, &format!("/v1/meets/{id}")).await["title"].as_str().unwrap().to_owned()
    };
    assert_eq!(title(&scene).await, "Ben's idea");
    scene.anna.say(&scene.relay, SocialEntry::Block(ben)).await;
    assert_eq!(title(&scene).await, "for followers");
    assert_eq!(scene.ben.ask(&scene.relay, &format!("/v1/meets/{id}")).await.status, 404);
    assert_eq!(check(scene.relay.database().location()).await.unwrap().findings, []);
    scene.anna.take_back(&scene.relay, SocialKey::Block(ben)).await;
    assert_eq!(title(&scene).await, "Ben's idea");
}
