//! Meets: visibility, answers, permissions, place and time.

use serde_json::json;
use tourismo_core::docs::social::SocialEntry;
use tourismo_core::docs::{Answer, MeetFields, Visibility, automerge_doc};
use tourismo_core::time::Timestamp;
use tourismo_core::wire::DocKind;
use tourismo_server::maintenance::{check, repair};

use crate::harness::{Person, Relay, get, now};

const DAY_MS: i64 = 86_400_000;

fn fields(title: &str, days: i64, position: Option<[f64; 2]>) -> MeetFields {
    MeetFields {
        title: title.to_owned(),
        text: "Coffee first.".to_owned(),
        place: "At the top".to_owned(),
        position,
        starts_at: Timestamp(now().as_millis() / 1_000 * 1_000 + days * DAY_MS),
        ends_at: None,
        time_zone: "Europe/Zurich".to_owned(),
        capacity: Some(20),
        visibility: Visibility::Public,
        cancelled: false,
    }
}

async fn titles(relay: &Relay, query: &str) -> Vec<String> {
    let (mut found, mut after) = (Vec::new(), String::new());
    loop {
        let answer = get(relay.addr(), &format!("/v1/meets?limit=2&{query}{after}")).await;
        assert_eq!(answer.status, 200, "{query}: {}", String::from_utf8_lossy(&answer.body));
        let page = answer.json();
        found.extend(page["meets"].as_array().unwrap().iter().map(|meet| meet["title"].as_str().unwrap().to_owned()));
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => return found,
        }
    }
}

#[tokio::test]
async fn meets_are_found_near_a_place_and_in_a_span_of_time_the_earliest_first() {
    let relay = Relay::start().await;
    let mut anna = Person::named(&relay, 1, "anna").await;
    for (title, days, position) in [
        ("Zurich", 3, Some([8.54, 47.37])),
        ("Bern", 2, Some([7.45, 46.95])),
        ("Fiji", 4, Some([179.9, -17.0])),
        ("Samoa", 5, Some([-172.0, -13.8])),
        ("Nowhere", 1, None),
        ("Past", -1, Some([8.54, 47.37])),
    ] {
        anna.meet(&relay, &fields(title, days, position)).await;
    }
    anna.meet(&relay, &MeetFields { visibility: Visibility::Link, ..fields("Hidden", 1, None) }).await;
    assert_eq!(titles(&relay, "").await, ["Nowhere", "Bern", "Zurich", "Fiji", "Samoa"]);
    assert_eq!(titles(&relay, "bbox=7,46,9,48").await, ["Bern", "Zurich"]);
    assert_eq!(titles(&relay, "bbox=170,-20,-170,0").await, ["Fiji", "Samoa"]);
    assert_eq!(titles(&relay, "near=47.3,8.5&radiusM=20000").await, ["Zurich"]);
    assert_eq!(titles(&relay, "near=47.3,8.5&radiusM=150000").await, ["Bern", "Zurich"]);
    assert_eq!(titles(&relay, "near=-17,-179.9&radiusM=50000").await, ["Fiji"]);
    let to = now().as_millis() + 2 * DAY_MS + DAY_MS / 2;
    assert_eq!(titles(&relay, &format!("to={to}")).await, ["Nowhere", "Bern"]);
    assert_eq!(titles(&relay, "from=0").await[0], "Past");
    assert_eq!(check(relay.database().location()).await.unwrap().findings, []);
}

#[tokio::test]
async fn who_comes_is_told_with_those_first_whom_i_follow_and_whom_we_both_follow() {
    let relay = Relay::start().await;
    let mut people = Vec::new();
    for (seed, name) in (1..).zip(["anna", "ben", "cleo", "dora", "emil"]) {
        people.push(Person::named(&relay, seed, name).await);
    }
    let accounts: Vec<_> = people.iter().map(Person::account).collect();
    let meet = people[0].meet(&relay, &fields("Sunday", 1, None)).await;
    for (who, answer) in [(1, Answer::Going), (2, Answer::Maybe), (3, Answer::Going), (4, Answer::No)] {
        people[who].answer(&relay, meet, answer).await;
    }
    // Anna follows Cleo and Dora. Ben follows them, too. Cleo follows Dora.
    for (who, whom) in [(0, 2), (0, 3), (1, 2), (1, 3), (2, 3)] {
        people[who].say(&relay, SocialEntry::Follow(accounts[whom], now())).await;
    }
    let path = format!("/v1/meets/{meet}/attendees");
    let page = people[0].read(&relay, &path).await;
    assert_eq!(page["answers"], json!({ "going": 2, "maybe": 1, "no": 1 }));
    let seen = page["attendees"].as_array().unwrap().iter().map(|item| {
        (item["handle"].as_str().unwrap(), item["isFollowed"] == true, item["followedInCommon"].as_u64().unwrap())
    });
    assert_eq!(seen.collect::<Vec<_>>(), [("dora", true, 0), ("cleo", true, 1), ("ben", false, 2)]);
    let first = people[0].read(&relay, &format!("{path}?limit=2")).await;
    let rest = people[0].read(&relay, &format!("{path}?limit=2&after={}", first["next"].as_str().unwrap())).await;
    assert_eq!((rest["attendees"][0]["handle"].as_str(), &rest["next"]), (Some("ben"), &json!(null)));
    assert_eq!(get(relay.addr(), &path).await.json()["attendees"].as_array().unwrap().len(), 3);

    let mine = people[4].read(&relay, &format!("/v1/meets/{meet}")).await;
    assert_eq!((&mine["myAnswer"], &mine["title"]), (&"no".into(), &"Sunday".into()));
    assert_eq!(people[4].read(&relay, "/v1/me/meets").await["meets"], json!([]));
    for who in [0, 1, 2] {
        let own = people[who].read(&relay, "/v1/me/meets").await;
        assert_eq!(own["meets"][0]["title"], "Sunday");
    }
    // The answers of people whom the owner blocks do not count; those of people whom the viewer blocks are hidden.
    people[0].say(&relay, SocialEntry::Block(accounts[3])).await;
    let page = people[1].read(&relay, &path).await;
    assert_eq!(page["answers"]["going"], 1);
    assert_eq!(people[3].read(&relay, &path).await["answers"]["going"], 2, "who is blocked is not told");
    assert_eq!(people[3].read(&relay, "/v1/me/meets").await["meets"][0]["title"], "Sunday");
    assert_eq!(relay.count("SELECT going FROM v_meets").await, 2);
    assert_eq!(check(relay.database().location()).await.unwrap().findings, []);
}

#[tokio::test]
async fn co_organisers_change_a_meet_while_they_may_and_the_latest_word_counts() {
    let relay = Relay::start().await;
    let mut anna = Person::named(&relay, 1, "anna").await;
    let mut ben = Person::named(&relay, 2, "ben").await;
    let mut cleo = Person::named(&relay, 3, "cleo").await;
    let original = MeetFields { visibility: Visibility::Private, ..fields("Sunday", 1, None) };
    let meet = anna.meet(&relay, &original).await;
    let path = format!("/v1/meets/{meet}");
    assert_eq!(ben.ask(&relay, &path).await.status, 404);
    // A change by a person who is not a co-organiser has no effect, until they become one.
    let moved = MeetFields { place: "Car park".to_owned(), ..original.clone() };
    ben.amend(&relay, meet, &original, &moved).await;
    assert_eq!(anna.read(&relay, &path).await["place"], "At the top");
    let before = anna.read(&relay, &path).await["sequence"].as_u64().unwrap();
    anna.grant(&relay, meet, ben.account(), true).await;
    let seen = ben.read(&relay, &path).await;
    assert_eq!((&seen["place"], &seen["organisers"]), (&"Car park".into(), &json!([ben.account().to_string()])));
    assert!(seen["sequence"].as_u64().unwrap() > before);
    assert_eq!(ben.read(&relay, "/v1/me/meets").await["meets"][0]["place"], "Car park");
    cleo.amend(&relay, meet, &original, &MeetFields { title: "Mine".to_owned(), ..original.clone() }).await;
    assert_eq!(anna.read(&relay, &path).await["title"], "Sunday");

    let called_off = MeetFields { cancelled: true, visibility: Visibility::Public, ..moved.clone() };
    anna.change_meet(&relay, meet, &moved, &called_off).await;
    let seen = get(relay.addr(), &path).await.json();
    assert_eq!((&seen["cancelled"], &seen["place"]), (&true.into(), &"Car park".into()));
    anna.grant(&relay, meet, ben.account(), false).await;
    let seen = get(relay.addr(), &path).await.json();
    assert_eq!((&seen["place"], &seen["organisers"]), (&"At the top".into(), &json!([])));

    let database = relay.stop().await;
    let sound = check(database.location()).await.unwrap();
    assert_eq!(sound.findings, []);
    assert_eq!(repair(database.location()).await.unwrap(), sound);
}

#[tokio::test]
async fn a_meet_is_in_the_home_feeds_of_followers() {
    let relay = Relay::start().await;
    let mut anna = Person::named(&relay, 1, "anna").await;
    let mut ben = Person::named(&relay, 2, "ben").await;
    let hidden = MeetFields { visibility: Visibility::Followers, ..fields("For friends", 1, Some([8.5, 47.0])) };
    let meet = anna.meet(&relay, &hidden).await;
    assert_eq!(ben.ask(&relay, &format!("/v1/meets/{meet}")).await.status, 404);
    assert_eq!(ben.read(&relay, "/v1/people/anna/meets").await["meets"], json!([]));
    ben.follow(&relay, &anna).await;
    let item = &ben.read(&relay, "/v1/me/feed").await["items"][0];
    assert_eq!(
        (&item["kind"], &item["title"], &item["handle"]),
        (&"meet".into(), &"For friends".into(), &"anna".into())
    );
    assert_eq!(item["position"], json!([8.5, 47.0]));
    assert_eq!(ben.read(&relay, "/v1/people/anna/meets").await["meets"][0]["title"], "For friends");
    assert_eq!(titles(&relay, "").await, [""; 0]);
}

#[tokio::test]
async fn p13_a_meet_larger_than_anything_shown_is_shown_as_it_was_until_it_is_withdrawn() {
    let relay = Relay::start().await;
    let mut anna = Person::named(&relay, 1, "anna").await;
    let meet = anna.meet(&relay, &fields("Sunday", 1, None)).await;
    for round in 0..6 {
        let byte = |i: u64| ((i + round * 1_000_003).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8;
        let noise: Vec<u8> = (0..400_000).map(byte).collect();
        let offer = anna.edit(meet, DocKind::Meet, |doc| {
            automerge_doc::edit(doc, |edit| edit.bytes_or_nothing("noise", Some(&noise)))
        });
        anna.push(&relay, vec![offer]).await;
    }
    assert_eq!(get(relay.addr(), &format!("/v1/meets/{meet}")).await.status, 200);
    let public = fields("Sunday", 1, None);
    let private = MeetFields { visibility: Visibility::Private, ..public.clone() };
    anna.change_meet(&relay, meet, &public, &private).await;
    assert_eq!(get(relay.addr(), &format!("/v1/meets/{meet}")).await.status, 404);
    let report = check(relay.database().location()).await.unwrap();
    assert_eq!((report.quarantined.len(), report.findings), (1, vec![]));
}

#[tokio::test]
async fn whoever_asks_about_followers_is_counted_among_those_who_come_and_named_to_those_whom_they_accepted() {
    let relay = Relay::start().await;
    let mut anna = Person::named(&relay, 1, "anna").await;
    let mut ben = Person::named(&relay, 2, "ben").await;
    let mut cleo = Person::named(&relay, 3, "cleo").await;
    let dora = Person::named(&relay, 4, "dora").await;
    ben.call(&relay, "ben", true).await;
    ben.say(&relay, SocialEntry::Accept(cleo.account())).await;
    let fields = MeetFields {
        title: "Coffee".to_owned(),
        starts_at: Timestamp(now().as_millis() + 86_400_000),
        visibility: Visibility::Public,
        ..MeetFields::default()
    };
    let meet = anna.meet(&relay, &fields).await;
    ben.answer(&relay, meet, Answer::Going).await;
    cleo.answer(&relay, meet, Answer::Going).await;
    let path = format!("/v1/meets/{meet}/attendees");
    for (person, due) in [(&anna, 2), (&ben, 2), (&cleo, 2), (&dora, 1)] {
        let page = person.read(&relay, &path).await;
        assert_eq!(
            (page["attendees"].as_array().unwrap().len(), &page["answers"]["going"]),
            (due, &2.into()),
            "{page}"
        );
    }
    assert_eq!(get(relay.addr(), &path).await.json()["attendees"][0]["handle"], "cleo");
}

/// The old link shows nothing, answers included. What counts of the meet and who may change it are the same.
#[tokio::test]
async fn b4_a_meet_whose_link_is_renewed_is_found_by_the_new_one_alone() {
    let relay = Relay::start().await;
    let mut anna = Person::named(&relay, 1, "anna").await;
    let mut ben = Person::named(&relay, 2, "ben").await;
    let mut cleo = Person::named(&relay, 3, "cleo").await;
    cleo.follow(&relay, &anna).await;
    let original = MeetFields { visibility: Visibility::Link, ..fields("Sunday", 1, None) };
    let old = anna.meet(&relay, &original).await;
    anna.grant(&relay, old, ben.account(), true).await;
    let moved = MeetFields { place: "Car park".to_owned(), ..original.clone() };
    ben.amend(&relay, old, &original, &moved).await;
    cleo.answer(&relay, old, Answer::Going).await;
    let mine = async |person: &Person| person.read(&relay, "/v1/me/meets").await["meets"].clone();
    assert_eq!(mine(&cleo).await[0]["place"], "Car park");

    let link = anna.renew_meet(&relay, old, &moved).await;
    // Changes of the old link have no effect.
    ben.amend(&relay, old, &moved, &MeetFields { place: "Nowhere".to_owned(), ..moved.clone() }).await;
    cleo.answer(&relay, old, Answer::Maybe).await;
    for path in ["", "/attendees", "/live", "/meet.ics"].map(|rest| format!("/v1/meets/{old}{rest}")) {
        for person in [&anna, &ben, &cleo] {
            assert_eq!(person.ask(&relay, &path).await.status, 404, "{path}");
        }
        assert_eq!(get(relay.addr(), &path).await.status, 404, "{path}");
    }
    assert_eq!(mine(&cleo).await, json!([]), "nobody learns the new link from an answer");
    for person in [&anna, &ben] {
        assert_eq!(mine(person).await[0]["id"], link.to_string());
    }
    let path = format!("/v1/meets/{link}");
    let seen = get(relay.addr(), &path).await.json();
    assert_eq!((&seen["title"], &seen["place"]), (&"Sunday".into(), &"Car park".into()));
    assert_eq!(seen["organisers"], json!([ben.account().to_string()]));
    assert_eq!(seen["answers"], json!({ "going": 0, "maybe": 0, "no": 0 }));
    cleo.answer(&relay, link, Answer::Going).await;
    let elsewhere = MeetFields { place: "At the lake".to_owned(), visibility: Visibility::Public, ..moved.clone() };
    ben.amend(&relay, link, &moved, &elsewhere).await;
    let seen = cleo.read(&relay, &path).await;
    assert_eq!((&seen["place"], &seen["myAnswer"]), (&"At the lake".into(), &"going".into()));

    let newest = anna.renew_meet(&relay, old, &elsewhere).await;
    let feed = cleo.read(&relay, "/v1/me/feed").await;
    let shown = feed["items"].as_array().unwrap().iter().map(|item| item["id"].clone()).collect::<Vec<_>>();
    assert_eq!(shown, [newest.to_string()]);
    let database = relay.stop().await;
    let sound = check(database.location()).await.unwrap();
    assert_eq!(sound.findings, []);
    assert_eq!(repair(database.location()).await.unwrap(), sound);
    let relay = Relay::start_on(database, |_| {}).await;
    for (id, status) in [(old, 404), (link, 404), (newest, 200)] {
        assert_eq!(get(relay.addr(), &format!("/v1/meets/{id}")).await.status, status, "{id}");
    }
}
