//! Reactions and comments on drives.

use serde_json::json;
use tourismo_core::docs::social::{self, Comment, HiddenComment, SocialEntry, SocialKey};
use tourismo_core::docs::{Answer, LogEntry, LogKind, Reaction, Visibility, logbook};
use tourismo_core::time::Timestamp;
use tourismo_core::wire::DocKind;
use tourismo_server::maintenance::check;

use crate::harness::{Person, Relay, get, get_with, now};

const START: Timestamp = Timestamp(1_790_000_000_000);

#[tokio::test]
async fn reactions_are_counted_listed_and_mine_is_marked() {
    let relay = Relay::start().await;
    let mut anna = Person::named(&relay, 1, "anna").await;
    let mut ben = Person::named(&relay, 2, "ben").await;
    let mut cleo = Person::named(&relay, 3, "cleo").await;
    let drive = anna.publish(&relay, "Over the pass", Visibility::Public, START).await;
    let path = format!("/v1/drives/{drive}/reactions");
    anna.react(&relay, drive, Reaction::Road).await;
    ben.react(&relay, drive, Reaction::Like).await;
    cleo.react(&relay, drive, Reaction::Like).await;
    cleo.react(&relay, drive, Reaction::Wow).await;
    let page = ben.read(&relay, &path).await;
    assert_eq!(page["counts"], json!({ "like": 1, "wow": 1, "road": 1, "car": 0 }));
    assert_eq!(page["mine"], "like");
    let reactions = page["reactions"].as_array().unwrap();
    let seen: Vec<_> =
        reactions.iter().map(|item| (item["handle"].as_str().unwrap(), item["isMine"] == true)).collect();
    assert_eq!(seen, [("ben", true), ("cleo", false), ("anna", false)]);
    let first = get(relay.addr(), &format!("{path}?limit=2")).await.json();
    assert_eq!(first["mine"], json!(null));
    let rest = get(relay.addr(), &format!("{path}?limit=2&after={}", first["next"].as_str().unwrap())).await.json();
    assert_eq!((rest["reactions"].as_array().unwrap().len(), &rest["next"]), (1, &json!(null)));

    // Reactions of people whom the owner or the viewer blocks are not shown.
    anna.say(&relay, SocialEntry::Block(cleo.account())).await;
    assert_eq!(get(relay.addr(), &path).await.json()["counts"]["wow"], 0);
    ben.say(&relay, SocialEntry::Block(anna.account())).await;
    assert_eq!(ben.ask(&relay, &path).await.status, 404);
    assert_eq!(check(relay.database().location()).await.unwrap().findings, []);
}

#[tokio::test]
async fn comments_come_latest_first_and_can_be_taken_back() {
    let relay = Relay::start().await;
    let mut anna = Person::named(&relay, 1, "anna").await;
    let mut ben = Person::named(&relay, 2, "ben").await;
    let drive = anna.publish(&relay, "Over the pass", Visibility::Link, START).await;
    let hostile = "<img src=x onerror=alert(1)>\u{0}\u{202e} \u{1f697}";
    let first = ben.comment(&relay, drive, hostile).await;
    anna.comment(&relay, drive, "Thank you").await;
    ben.comment(&relay, drive, &"x".repeat(5_000)).await;
    let path = format!("/v1/drives/{drive}/comments");
    let page = ben.read(&relay, &format!("{path}?limit=2")).await;
    assert_eq!(page["count"], 3);
    let newest = &page["comments"][0];
    assert_eq!((newest["text"].as_str().unwrap().len(), &newest["isMine"]), (2_000, &true.into()));
    let rest = get(relay.addr(), &format!("{path}?after={}", page["next"].as_str().unwrap())).await.json();
    assert_eq!(rest["comments"][0]["text"], "<img src=x onerror=alert(1)> \u{1f697}", "data, as it was said");

    let about = social::about(&ben.account(), &drive);
    let offer = ben.edit(about, DocKind::Social, |doc| social::remove(doc, &SocialKey::Comment(first)));
    ben.push(&relay, vec![offer]).await;
    assert_eq!(get(relay.addr(), &path).await.json()["count"], 2);
    assert_eq!(check(relay.database().location()).await.unwrap().findings, []);
}

#[tokio::test]
async fn a_comment_from_the_future_does_not_stay_on_top() {
    let relay = Relay::start().await;
    let mut anna = Person::named(&relay, 1, "anna").await;
    let drive = anna.publish(&relay, "Over the pass", Visibility::Public, START).await;
    anna.comment(&relay, drive, "Early").await;
    for (days, text) in [(30, "Far ahead"), (0, "On time")] {
        let (id, at) = (anna.fresh_id(), now() + days * 86_400_000);
        let comment = Comment { drive, at, text: text.to_owned() };
        anna.say(&relay, SocialEntry::Comment(id, &comment)).await;
    }
    let path = format!("/v1/drives/{drive}/comments");
    let texts = async |path: &str| {
        let page = get(relay.addr(), path).await.json();
        let comments = page["comments"].as_array().unwrap().iter();
        let texts: Vec<_> = comments.map(|comment| comment["text"].as_str().unwrap().to_owned()).collect();
        (texts, page["next"].as_str().map(str::to_owned))
    };
    assert_eq!(texts(&path).await.0.last().unwrap(), "Early");
    let (first, next) = texts(&format!("{path}?limit=1")).await;
    assert_eq!(first, ["On time"]);
    assert_eq!(texts(&format!("{path}?after={}", next.unwrap())).await.0, ["Early"]);
}

#[tokio::test]
async fn whatever_was_said_can_be_taken_back() {
    let relay = Relay::start().await;
    let mut anna = Person::named(&relay, 1, "anna").await;
    let ben = Person::named(&relay, 2, "ben").await;
    let thing = anna.publish(&relay, "Over the pass", Visibility::Public, START).await;
    let car = anna.car(&relay, "Red one", false).await;
    let entry = LogEntry {
        kind: LogKind::Fuel,
        at: START,
        odometer_m: None,
        litres: Some(40.0),
        cost: None,
        note: String::new(),
    };
    let entry_id = anna.log(&relay, car, &entry).await;
    anna.react(&relay, thing, Reaction::Car).await;
    anna.answer(&relay, thing, Answer::Maybe).await;
    anna.say(&relay, SocialEntry::Accept(ben.account())).await;
    let rows = "SELECT (SELECT COUNT(*) FROM reaction) + (SELECT COUNT(*) FROM rsvp) + (SELECT COUNT(*) FROM accept) \
                + (SELECT COUNT(*) FROM car_log)";
    assert_eq!(relay.count(rows).await, 4);
    let about = social::about(&anna.account(), &thing);
    let offers = vec![
        anna.edit(about, DocKind::Social, |doc| social::remove(doc, &SocialKey::React(thing))),
        anna.edit(about, DocKind::Social, |doc| social::remove(doc, &SocialKey::Rsvp(thing))),
        anna.edit(social::people(&anna.account()), DocKind::Social, |doc| {
            social::remove(doc, &SocialKey::Accept(ben.account()))
        }),
        anna.edit(car, DocKind::Car, |doc| logbook::put(doc, &entry_id, None)),
    ];
    anna.push(&relay, offers).await;
    assert_eq!(relay.count(rows).await, 0);
    assert_eq!(check(relay.database().location()).await.unwrap().findings, []);
}

#[tokio::test]
async fn whoever_reads_a_list_of_drives_sees_what_is_said_about_each() {
    let relay = Relay::start().await;
    let mut anna = Person::named(&relay, 1, "anna").await;
    let mut ben = Person::named(&relay, 2, "ben").await;
    let mut cleo = Person::named(&relay, 3, "cleo").await;
    ben.follow(&relay, &anna).await;
    let quiet = anna.publish(&relay, "Nobody knows", Visibility::Public, START).await;
    let loud = anna.publish(&relay, "Everybody knows", Visibility::Public, START + 3_600_000).await;
    let before = get(relay.addr(), "/v1/feed/public").await;
    anna.react(&relay, loud, Reaction::Road).await;
    ben.react(&relay, loud, Reaction::Like).await;
    cleo.react(&relay, loud, Reaction::Like).await;
    cleo.comment(&relay, loud, "Where is it?").await;
    ben.comment(&relay, loud, "In the Jura").await;
    ben.comment(&relay, loud, "No, elsewhere").await;
    let seen = |drive: &serde_json::Value| json!([drive["id"], drive["reactions"], drive["comments"], drive["mine"]]);
    let due = |likes: u32, comments: u32, mine: serde_json::Value| {
        let reactions = json!({ "like": likes, "wow": 0, "road": 1, "car": 0 });
        vec![
            json!([loud, reactions, comments, mine]),
            json!([quiet, { "like": 0, "wow": 0, "road": 0, "car": 0 }, 0, null]),
        ]
    };
    let in_list = |page: &serde_json::Value| page["drives"].as_array().unwrap().iter().map(seen).collect::<Vec<_>>();
    let lists = ["/v1/feed/public", "/v1/feed/public?bbox=8,46,9,48", "/v1/people/anna/drives"];
    for path in lists {
        assert_eq!(in_list(&get(relay.addr(), path).await.json()), due(2, 3, json!(null)), "{path}");
        assert_eq!(in_list(&ben.read(&relay, path).await), due(2, 3, json!("like")), "{path}");
    }
    let home = ben.read(&relay, "/v1/me/feed").await;
    let home: Vec<_> = home["items"].as_array().unwrap().iter().map(seen).collect();
    assert_eq!(home, due(2, 3, json!("like")));
    let etag = format!("if-none-match: {}\r\n", before.header("etag"));
    assert_eq!(get_with(relay.addr(), "/v1/feed/public", &etag).await.status, 200, "another count is another answer");

    // Comments of people whom the viewer blocks are hidden from the viewer; of people whom the owner blocks, from
    // everybody.
    ben.say(&relay, SocialEntry::Block(cleo.account())).await;
    for path in lists {
        assert_eq!(in_list(&ben.read(&relay, path).await), due(1, 2, json!("like")), "{path}");
        assert_eq!(in_list(&get(relay.addr(), path).await.json()), due(2, 3, json!(null)), "{path}");
    }
    cleo.say(&relay, SocialEntry::Block(anna.account())).await;
    for path in lists {
        assert_eq!(in_list(&get(relay.addr(), path).await.json()), due(2, 3, json!(null)), "{path}: anna is not told");
    }
    anna.say(&relay, SocialEntry::Block(cleo.account())).await;
    for path in lists {
        assert_eq!(in_list(&get(relay.addr(), path).await.json()), due(1, 2, json!(null)), "{path}");
    }
}

#[tokio::test]
async fn nothing_is_counted_further_than_it_says() {
    let relay = Relay::start().await;
    let mut anna = Person::named(&relay, 1, "anna").await;
    let drive = anna.publish(&relay, "Over the pass", Visibility::Public, START).await;
    let paths = ["reactions", "comments"].map(|what| format!("/v1/drives/{drive}/{what}?limit=1"));
    let (database, drive) = (relay.database(), relay.database().bytes(drive.as_bytes()));
    // Inserted by SQL: to push for so many people would take minutes.
    for start in [0_u32, 500, 1_000] {
        let someone = |number: u32| {
            let id = database.bytes(&[[7; 12].as_slice(), &number.to_be_bytes()].concat());
            (format!("({id}, {id}, {drive}, 1)"), format!("({id}, {id}, {id}, {drive}, {number}, 'x')"))
        };
        let (felt, uttered): (Vec<_>, Vec<_>) = (start..start + 500).map(someone).unzip();
        database.write(&format!("INSERT INTO reaction (account, doc, drive, kind) VALUES {}", felt.join(","))).await;
        let columns = "account, doc, comment, drive, at, text";
        database.write(&format!("INSERT INTO comment ({columns}) VALUES {}", uttered.join(","))).await;
    }
    let page = get(relay.addr(), "/v1/feed/public").await.json();
    assert_eq!(page["drives"][0]["reactions"], json!({ "like": 0, "wow": 1_000, "road": 0, "car": 0 }));
    assert_eq!(page["drives"][0]["comments"], 1_000);
    let [reactions, comments] = paths;
    assert_eq!(get(relay.addr(), &reactions).await.json()["counts"], page["drives"][0]["reactions"]);
    assert_eq!(get(relay.addr(), &comments).await.json()["count"], 1_000);
}

#[tokio::test]
async fn o9_the_owner_of_a_drive_removes_comments_on_it_and_nobody_else_does() {
    let relay = Relay::start().await;
    let [mut anna, mut ben, mut cleo] = [
        Person::named(&relay, 1, "anna").await,
        Person::named(&relay, 2, "ben").await,
        Person::named(&relay, 3, "cleo").await,
    ];
    let drive = anna.publish(&relay, "Pass", Visibility::Public, START).await;
    let comment = ben.comment(&relay, drive, "Rude").await;
    let other = cleo.comment(&relay, drive, "Kind").await;
    let path = format!("/v1/drives/{drive}/comments");
    let shown = async |person: &Person| {
        let page = person.read(&relay, &path).await;
        let texts: Vec<(String, bool)> = page["comments"]
            .as_array()
            .unwrap()
            .iter()
            .map(|comment| (comment["text"].as_str().unwrap().to_owned(), comment["isHidden"].as_bool().unwrap()))
            .collect();
        (page["count"].as_u64().unwrap(), texts)
    };
    let both = || vec![("Kind".to_owned(), false), ("Rude".to_owned(), false)];
    let hidden = HiddenComment { drive, account: ben.account(), comment };
    // Somebody else's word about a drive that is not theirs counts for nothing.
    cleo.say(&relay, SocialEntry::Hide(hidden)).await;
    ben.say(&relay, SocialEntry::Hide(HiddenComment { account: cleo.account(), comment: other, ..hidden })).await;
    assert_eq!(shown(&anna).await, (2, both()));
    assert_eq!(shown(&ben).await, (2, both()));

    anna.say(&relay, SocialEntry::Hide(hidden)).await;
    for person in [&ben, &cleo] {
        assert_eq!(shown(person).await, (1, vec![("Kind".to_owned(), false)]));
    }
    assert_eq!(
        shown(&anna).await,
        (1, vec![("Kind".to_owned(), false), ("Rude".to_owned(), true)]),
        "its owner can undo"
    );
    assert_eq!(check(relay.database().location()).await.unwrap().findings, []);

    let about = social::about(&anna.account(), &drive);
    let undo = anna.edit(about, DocKind::Social, |doc| social::remove(doc, &SocialKey::Hide(hidden.key())));
    anna.push(&relay, vec![undo]).await;
    assert_eq!(shown(&cleo).await, (2, both()));
}
