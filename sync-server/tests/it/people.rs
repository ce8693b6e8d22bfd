//! People: handles, public profiles, follows.

use serde_json::json;
use tourismo_core::docs::Visibility;
use tourismo_core::docs::social::{SocialEntry, SocialKey};
use tourismo_core::time::Timestamp;
use tourismo_server::maintenance::{check, repair};

use crate::harness::{Person, Relay, get};

const START: Timestamp = Timestamp(1_790_000_000_000);

async fn state(relay: &Relay, person: &Person) -> String {
    person.read(relay, "/v1/me/profile").await["handleState"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn r5_a_handle_is_found_in_any_spelling_and_is_whose_claim_came_first() {
    let relay = Relay::start().await;
    let mut dan = Person::named(&relay, 1, "dan").await;
    let mut other = Person::named(&relay, 2, "DAN").await;
    let third = Person::named(&relay, 3, "Dan").await;
    assert_eq!((state(&relay, &dan).await, state(&relay, &other).await), ("held".into(), "handle_taken".into()));
    for spelling in ["dan", "Dan", "DAN"] {
        let found = get(relay.addr(), &format!("/v1/people/{spelling}")).await.json();
        assert_eq!(found["account"], dan.account().to_string());
    }
    let loser = get(relay.addr(), &format!("/v1/people/{}", other.account())).await.json();
    assert_eq!((&loser["handle"], &loser["displayName"]), (&json!(null), &"DAN!".into()));

    // Another spelling or another handle changes nothing, nor does an edit by a person who waits for the handle.
    dan.call(&relay, "dAn", false).await;
    other.call(&relay, "Dan", true).await;
    assert_eq!((state(&relay, &dan).await, state(&relay, &other).await), ("held".into(), "handle_taken".into()));
    assert_eq!(check(relay.database().location()).await.unwrap().findings, []);

    // A released handle goes to the next person who asked for it.
    dan.call(&relay, "daniel", false).await;
    assert_eq!((state(&relay, &dan).await, state(&relay, &other).await), ("held".into(), "held".into()));
    assert_eq!(state(&relay, &third).await, "handle_taken");
    dan.call(&relay, "dan", false).await;
    assert_eq!(state(&relay, &dan).await, "handle_taken", "whoever comes back comes last");
    dan.call(&relay, "no handle!", false).await;
    assert_eq!(state(&relay, &dan).await, "handle_invalid");
    dan.call(&relay, "", false).await;
    assert_eq!(state(&relay, &dan).await, "none");

    let database = relay.stop().await;
    let sound = check(database.location()).await.unwrap();
    assert_eq!(sound.findings, []);
    assert_eq!(repair(database.location()).await.unwrap(), sound, "who came first is known to the log");
    let relay = Relay::start_on(database, |_| {}).await;
    assert_eq!((state(&relay, &other).await, state(&relay, &third).await), ("held".into(), "handle_taken".into()));
}

#[tokio::test]
async fn r5_of_handles_that_look_alike_the_first_is_held_and_none_mixes_scripts() {
    let relay = Relay::start().await;
    let mut first = Person::named(&relay, 1, "danl").await;
    let second = Person::named(&relay, 2, "dan1").await;
    let mixed = Person::named(&relay, 3, "v\u{435}ra").await;
    let cyrillic = Person::named(&relay, 4, "\u{430}\u{441}\u{430}").await;
    let latin = Person::named(&relay, 5, "aca").await;
    let due = [
        (&first, "held"),
        (&second, "handle_taken"),
        (&mixed, "handle_invalid"),
        (&cyrillic, "held"),
        (&latin, "handle_taken"),
    ];
    for (person, due) in due {
        assert_eq!(state(&relay, person).await, due);
    }
    assert_eq!(get(relay.addr(), "/v1/people/dan1").await.status, 404, "it leads to nobody else");
    assert_eq!(get(relay.addr(), "/v1/people/aca").await.status, 404);
    first.call(&relay, "daniel", false).await;
    assert_eq!(state(&relay, &second).await, "held");
    let database = relay.stop().await;
    let sound = check(database.location()).await.unwrap();
    assert_eq!(sound.findings, []);
    assert_eq!(repair(database.location()).await.unwrap(), sound);
}

#[tokio::test]
async fn people_are_found_by_how_their_handles_begin() {
    let relay = Relay::start().await;
    let mut people = Vec::new();
    for (seed, handle) in (1..).zip(["dan", "Dana", "daniel", "Zoë", "d.x"]) {
        people.push(Person::named(&relay, seed, handle).await);
    }
    let find = async |query: &str| {
        let page = get(relay.addr(), &format!("/v1/people?{query}")).await.json();
        let handles =
            page["people"].as_array().unwrap().iter().map(|person| person["handle"].as_str().unwrap().to_owned());
        (handles.collect::<Vec<_>>(), page["next"].as_str().map(str::to_owned))
    };
    assert_eq!(find("prefix=DAN").await.0, ["dan", "Dana", "daniel"]);
    assert_eq!(find("prefix=zo%C3%AB").await.0, ["Zoë"]);
    assert_eq!(find("prefix=x").await.0, [""; 0]);
    let (first, next) = find("prefix=da&limit=2").await;
    assert_eq!(first, ["dan", "Dana"]);
    assert_eq!(find(&format!("prefix=da&limit=2&after={}", next.unwrap())).await, (vec!["daniel".to_owned()], None));
    // A person does not find those whom they block; those find the person as before.
    let zoe = people[3].account();
    people[0].say(&relay, SocialEntry::Block(zoe)).await;
    assert_eq!(people[0].read(&relay, "/v1/people?prefix=zo").await["people"], json!([]));
    let page = people[3].read(&relay, "/v1/people?prefix=dan").await;
    assert_eq!(page["people"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn whom_two_people_both_follow_has_names_for_each_of_them() {
    let relay = Relay::start().await;
    let mut anna = Person::named(&relay, 1, "anna").await;
    let mut ben = Person::named(&relay, 2, "ben").await;
    let others = [Person::named(&relay, 3, "cleo").await, Person::named(&relay, 4, "dora").await];
    let emil = Person::named(&relay, 5, "emil").await;
    for other in others.iter().chain([&emil]) {
        ben.follow(&relay, other).await;
    }
    anna.follow(&relay, &others[1]).await;
    anna.follow(&relay, &others[0]).await;
    let names = |page: &serde_json::Value| {
        let people = page["people"].as_array().unwrap().iter();
        people.map(|person| person["handle"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let path = "/v1/me/in-common/ben";
    assert_eq!(names(&anna.read(&relay, path).await), ["dora", "cleo"], "whom ben follows, the latest first");
    let first = anna.read(&relay, &format!("{path}?limit=1")).await;
    let rest = anna.read(&relay, &format!("{path}?after={}", first["next"].as_str().unwrap())).await;
    assert_eq!((names(&first), names(&rest)), (vec!["dora".to_owned()], vec!["cleo".to_owned()]));
    assert_eq!(names(&emil.read(&relay, path).await), [""; 0]);
    assert_eq!(get(relay.addr(), path).await.json()["error"]["code"], "token_needed");
    anna.say(&relay, SocialEntry::Block(others[1].account())).await;
    assert_eq!(names(&anna.read(&relay, path).await), ["cleo"]);
}

#[tokio::test]
async fn a_person_is_known_by_what_they_show_everyone() {
    let relay = Relay::start().await;
    let mut anna = Person::named(&relay, 1, "anna").await;
    let mut ben = Person::named(&relay, 2, "ben").await;
    anna.car(&relay, "Secret", false).await;
    anna.car(&relay, "Shown", true).await;
    anna.publish(&relay, "for everyone", Visibility::Public, START).await;
    anna.publish(&relay, "for followers", Visibility::Followers, START).await;
    anna.publish(&relay, "by link", Visibility::Link, START).await;
    let cars = get(relay.addr(), "/v1/people/anna/cars").await.json();
    assert_eq!(cars["cars"].as_array().unwrap().len(), 1);
    assert_eq!(cars["cars"][0]["nickname"], "Shown");
    assert_eq!(cars["cars"][0].get("odometerM"), None);
    let count = |value: serde_json::Value| value["drives"].as_array().unwrap().len();
    assert_eq!(count(get(relay.addr(), "/v1/people/anna/drives").await.json()), 1);
    assert_eq!(count(ben.read(&relay, "/v1/people/anna/drives").await), 1);
    ben.follow(&relay, &anna).await;
    assert_eq!(count(ben.read(&relay, "/v1/people/anna/drives").await), 2);
    assert_eq!(count(anna.read(&relay, "/v1/people/anna/drives?limit=1").await), 1);
    let stats = get(relay.addr(), "/v1/people/anna/stats").await.json();
    assert_eq!((&stats["drives"], &stats["followers"], &stats["following"]), (&1.into(), &1.into(), &0.into()));
    assert!((2_300.0..2_420.0).contains(&stats["distanceM"].as_f64().unwrap()), "{stats}");
    let following = anna.read(&relay, "/v1/people/ben/following").await;
    assert_eq!(following["people"][0]["handle"], "anna");
    let all = get(relay.addr(), "/v1/stats").await.json();
    assert_eq!((&all["people"], &all["drives"], &all["meets"]), (&2.into(), &1.into(), &0.into()));
    assert_eq!(relay.count("SELECT followers FROM v_people WHERE display_name = 'anna!'").await, 1);
    assert_eq!(relay.count("SELECT published_drives FROM v_people WHERE display_name = 'anna!'").await, 3);
}

#[tokio::test]
async fn r11_who_follows_somebody_who_asks_about_followers_is_for_those_whom_they_accepted() {
    let relay = Relay::start().await;
    let mut anna = Person::named(&relay, 1, "anna").await;
    let mut ben = Person::named(&relay, 2, "ben").await;
    let mut cleo = Person::named(&relay, 3, "cleo").await;
    let mut dora = Person::named(&relay, 4, "dora").await;
    let mut others = Vec::new();
    for seed in 5..9 {
        others.push(Person::named(&relay, seed, &format!("other{seed}")).await);
    }
    anna.call(&relay, "anna", true).await;
    ben.follow(&relay, &anna).await;
    anna.say(&relay, SocialEntry::Accept(ben.account())).await;
    dora.follow(&relay, &anna).await;
    anna.follow(&relay, &cleo).await;
    for other in &mut others {
        other.follow(&relay, &cleo).await;
    }
    let names = |page: &serde_json::Value| {
        let people = page["people"].as_array().unwrap().iter();
        people.map(|person| person["handle"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    for list in ["followers", "following"] {
        let path = format!("/v1/people/anna/{list}");
        let hidden = get(relay.addr(), &path).await.json();
        assert_eq!(hidden, json!({ "people": [], "isHidden": true, "next": null }), "{list}");
        assert_eq!(dora.read(&relay, &path).await, hidden, "who waits is nobody yet");
        for person in [&anna, &ben] {
            let page = person.read(&relay, &path).await;
            assert_eq!((names(&page).len(), &page["isHidden"]), (1, &false.into()), "{list}");
        }
    }
    assert_eq!(dora.read(&relay, "/v1/me/in-common/anna").await["isHidden"], true);
    // In another person's list she is shown to herself, to followers whom she accepted, and to the list's owner.
    let whole = ["other8", "other7", "other6", "other5", "anna"];
    for person in [&anna, &ben, &cleo] {
        assert_eq!(names(&person.read(&relay, "/v1/people/cleo/followers").await), whole);
    }
    for limit in [1, 2, 3, 4, 100] {
        let (mut found, mut next) = (Vec::new(), String::new());
        loop {
            let page = get(relay.addr(), &format!("/v1/people/cleo/followers?limit={limit}{next}")).await.json();
            found.extend(names(&page));
            let Some(after) = page["next"].as_str() else { break };
            next = format!("&after={after}");
        }
        assert_eq!(found, whole[..4], "pages of {limit}");
    }
    // Strangers read her numbers rounded.
    for other in &mut others {
        other.follow(&relay, &anna).await;
        anna.say(&relay, SocialEntry::Accept(other.account())).await;
    }
    dora.take_back(&relay, SocialKey::Follow(anna.account())).await;
    assert_eq!(ben.read(&relay, "/v1/people/anna/stats").await["followers"], 5);
    anna.say(&relay, SocialEntry::Accept(cleo.account())).await;
    cleo.follow(&relay, &anna).await;
    assert_eq!(ben.read(&relay, "/v1/people/anna/stats").await["followers"], 6);
    assert_eq!(get(relay.addr(), "/v1/people/anna/stats").await.json()["followers"], 5);
}
