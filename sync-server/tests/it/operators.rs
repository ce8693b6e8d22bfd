//! What operators do about abuse: decisions, reports, the secret. Each rule is tested from outside: the texts of a hidden item
//! are looked for in every answer of the relay.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::{Value, json};
use tempfile::TempDir;
use tourismo_core::docs::social::SocialEntry;
use tourismo_core::docs::{Answer as MeetAnswer, MeetFields, Reaction, Visibility};
use tourismo_core::id::DocId;
use tourismo_core::time::Timestamp;
use tourismo_core::wire::ByeCode;
use tourismo_server::maintenance::{check, repair, restore, take_decisions};
use tourismo_server::{AdminAddress, Config, Registration};

use crate::harness::{Answer, Database, Person, Phone, Relay, ask, get, get_with, now, post};

const START: Timestamp = Timestamp(1_790_000_000_000);

/// In every text of Anna's.
const CANARY: &str = "canary";

/// A relay with an operators' address, and its secret.
struct Operated {
    relay: Relay,
    secret: String,
    folder: TempDir,
}

fn operated_by(folder: &TempDir) -> impl FnOnce(&mut Config) + use<> {
    let secret_file = folder.path().join("secret");
    move |config| {
        config.admin = Some(AdminAddress { listen: ([127, 0, 0, 1], 0).into(), secret_file });
        // A search through every answer asks more often than one address may.
        config.limits.max_requests_per_second = u32::MAX;
        config.limits.max_read_millis_per_second = u32::MAX;
    }
}

impl Operated {
    async fn start() -> Operated {
        let folder = tempfile::tempdir().unwrap();
        let relay = Relay::start_with(operated_by(&folder)).await;
        Operated::of(relay, folder)
    }

    fn of(relay: Relay, folder: TempDir) -> Operated {
        let secret = std::fs::read_to_string(folder.path().join("secret")).unwrap().trim().to_owned();
        Operated { relay, secret, folder }
    }

    fn header(&self) -> String {
        format!("authorization: Bearer {}\r\n", self.secret)
    }

    async fn read(&self, path: &str) -> Value {
        let answer = get_with(self.relay.admin_addr().unwrap(), path, &self.header()).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.json()
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        post(self.relay.admin_addr().unwrap(), path, &self.header(), &body).await
    }

    /// Decides about an item, and waits until all rows are derived.
    async fn decide(&self, item: Value, is_hidden: bool) -> Value {
        let answer =
            self.post("/v1/decisions", json!({ "item": item, "isHidden": is_hidden, "reason": "Insults." })).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        self.relay.settle().await;
        answer.json()
    }
}

/// Anna, in all of whose texts the canary is; Ben and Carl, who follow her.
struct Scene {
    anna: Person,
    ben: Person,
    carl: Person,
    drive: DocId,
    meet: DocId,
    comment: DocId,
    bens_drive: DocId,
    car: DocId,
}

fn meet_fields() -> MeetFields {
    MeetFields {
        title: format!("{CANARY} meet"),
        text: format!("{CANARY} text"),
        place: format!("{CANARY} place"),
        position: Some([11.4, 47.2]),
        starts_at: now() + 86_400_000,
        visibility: Visibility::Public,
        ..MeetFields::default()
    }
}

async fn scene(relay: &Relay) -> Scene {
    let mut anna = Person::named(relay, 1, "canaryanna").await;
    let mut ben = Person::named(relay, 2, "ben").await;
    let mut carl = Person::named(relay, 3, "carl").await;
    let bens_drive = ben.publish(relay, "Ben's", Visibility::Public, START).await;
    let car = anna.car(relay, "canary car", true).await;
    let drive = anna.publish(relay, "canary drive", Visibility::Public, START).await;
    let meet = anna.meet(relay, &meet_fields()).await;
    let comment = anna.comment(relay, bens_drive, "canary comment").await;
    anna.react(relay, bens_drive, Reaction::Like).await;
    anna.say(relay, SocialEntry::Follow(ben.account(), now())).await;
    for person in [&mut ben, &mut carl] {
        person.follow(relay, &anna).await;
        person.react(relay, drive, Reaction::Wow).await;
        person.answer(relay, meet, MeetAnswer::Going).await;
    }
    Scene { anna, ben, carl, drive, meet, comment, bens_drive, car }
}

/// Every path of the API's description, with the ids of the scene for its parameters.
fn paths(scene: &Scene) -> Vec<String> {
    let description: Value = serde_json::from_str(include_str!("../../openapi.json")).unwrap();
    let (anna, ben) = (scene.anna.account().to_string(), scene.ben.account().to_string());
    let ids = [scene.drive, scene.meet, scene.bens_drive, scene.car, scene.comment].map(|id| id.to_string());
    let mut paths = vec![String::from("/v1/meets?bbox=11,47,12,48"), "/v1/meets?near=47.2,11.4".into()];
    for (path, methods) in description["paths"].as_object().unwrap() {
        if methods.get("get").is_none() {
            continue;
        }
        let mut made = vec![path.clone()];
        for name in ["person", "id", "car", "z", "x", "y", "lookup", "secret", "source"] {
            let values: Vec<String> = match name {
                "person" => vec!["canaryanna".into(), anna.clone(), "ben".into(), ben.clone()],
                "lookup" | "source" => vec!["0".repeat(64)],
                "secret" => vec!["0".repeat(32)],
                "z" => vec!["8".into()],
                "x" => vec!["136".into()],
                "y" => vec!["90".into()],
                _ => ids.to_vec(),
            };
            let parameter = format!("{{{name}}}");
            made = made
                .into_iter()
                .flat_map(|path| match path.contains(&parameter) {
                    true => values.iter().map(|value| path.replace(&parameter, value)).collect(),
                    false => vec![path],
                })
                .collect();
        }
        paths.extend(made.into_iter().map(|path| match path.as_str() {
            "/v1/people" => "/v1/people?prefix=can".to_owned(),
            _ => path,
        }));
    }
    let unfilled = paths.iter().find(|path| path.contains('{'));
    assert_eq!(unfilled, None, "each parameter has a value");
    paths
}

/// The paths whose answers have this text, for a reader without an account, for Ben and for Carl.
async fn where_is(relay: &Relay, scene: &Scene, text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for path in paths(scene) {
        let mut readers = vec![("anybody", String::new())];
        for (name, person) in [("ben", &scene.ben), ("carl", &scene.carl)] {
            readers.push((name, format!("authorization: Bearer {}\r\n", person.token(relay))));
        }
        for (name, header) in readers {
            // A feed of everything is an event stream, which has no body here.
            let answer = get_with(relay.addr(), &path, &header).await;
            assert!(![429, 500].contains(&answer.status), "{path}: {}", answer.status);
            if answer.text().to_lowercase().contains(text) {
                found.insert(format!("{name} {path}"));
            }
        }
    }
    found
}

#[tokio::test]
async fn o1_o2_a_hidden_item_is_in_no_answer_and_shown_again_it_is_where_it_was() {
    let operated = Operated::start().await;
    let relay = &operated.relay;
    let scene = scene(relay).await;
    let account = scene.anna.account();
    for (text, item) in [
        ("canary drive", json!({ "target": "drive", "id": scene.drive })),
        ("canary meet", json!({ "target": "meet", "id": scene.meet })),
        (
            "canary comment",
            json!({ "target": "comment", "id": scene.comment, "account": account, "drive": scene.bens_drive }),
        ),
    ] {
        let before = where_is(relay, &scene, text).await;
        assert!(before.len() >= 3, "{text} is shown to each of them: {before:?}");
        operated.decide(item.clone(), true).await;
        assert_eq!(where_is(relay, &scene, text).await, BTreeSet::new(), "{text}");
        assert_eq!(check(relay.database().location()).await.unwrap().findings, [], "{text}");
        operated.decide(item, false).await;
        assert_eq!(where_is(relay, &scene, text).await, before, "{text}");
    }
}

#[tokio::test]
async fn o4_a_suspended_account_is_in_no_answer_and_its_own_data_still_syncs() {
    let operated = Operated::start().await;
    let relay = &operated.relay;
    let mut scene = scene(relay).await;
    let account = scene.anna.account();
    let before = where_is(relay, &scene, CANARY).await;
    assert!(before.len() > 20, "{before:?}");
    operated.decide(json!({ "target": "person", "id": account }), true).await;
    assert_eq!(where_is(relay, &scene, CANARY).await, BTreeSet::new());
    // Whoever follows an account knows its id. Nobody else learns that it is there.
    let ids = where_is(relay, &scene, &account.to_string()).await;
    assert!(ids.iter().all(|place| !place.starts_with("anybody")), "{ids:?}");
    assert_eq!(check(relay.database().location()).await.unwrap().findings, []);

    // The handle is nobody else's.
    let mut dora = Person::new(relay, 4).await;
    dora.call(relay, "CanaryAnna", false).await;
    assert_eq!(dora.read(relay, "/v1/me/profile").await["handleState"], "handle_taken");
    // Its own devices sync and read as before.
    scene.anna.publish(relay, "canary later", Visibility::Public, START).await;
    scene.anna.drive(relay, "canary own", None, START, None).await;
    assert_eq!(scene.anna.read(relay, "/v1/me/drives").await["drives"].as_array().unwrap().len(), 1);
    let profile = scene.anna.read(relay, "/v1/me/profile").await;
    assert_eq!((&profile["handle"], &profile["handleState"]), (&"canaryanna".into(), &"held".into()));
    let hidden = scene.anna.read(relay, "/v1/me/decisions").await;
    assert_eq!((&hidden["items"][0]["target"], &hidden["items"][0]["reason"]), (&"account".into(), &"Insults.".into()));
    assert_eq!(where_is(relay, &scene, CANARY).await, BTreeSet::new(), "what comes later is not shown either");

    operated.decide(json!({ "target": "person", "id": account }), false).await;
    let after = where_is(relay, &scene, CANARY).await;
    assert!(before.is_subset(&after), "{:?}", before.difference(&after));
    assert_eq!(scene.anna.read(relay, "/v1/me/decisions").await["items"], json!([]));
}

#[tokio::test]
async fn o3_the_owner_of_a_hidden_item_reads_the_reason_and_a_renewed_link_shows_nothing() {
    let operated = Operated::start().await;
    let relay = &operated.relay;
    let mut anna = Person::named(relay, 1, "anna").await;
    let fields = meet_fields();
    let meet = anna.meet(relay, &fields).await;
    let copy = anna.publish(relay, "canary drive", Visibility::Public, START).await;
    let drive = anna.drive(relay, "own", None, START, Some(copy)).await;
    operated.decide(json!({ "target": "meet", "id": meet }), true).await;
    operated.decide(json!({ "target": "drive", "id": copy }), true).await;
    let items = anna.read(relay, "/v1/me/decisions").await["items"].clone();
    let named = |item: &Value| (item["target"].clone(), item["document"].clone(), item["link"].clone());
    let items: Vec<_> = items.as_array().unwrap().iter().map(named).collect();
    assert_eq!(items, [(json!("drive"), json!(drive), json!(copy)), (json!("meet"), json!(meet), json!(meet))]);
    // A meet under another link is the same meet.
    let renewed = anna.renew_meet(relay, meet, &fields).await;
    assert_eq!(get(relay.addr(), &format!("/v1/meets/{renewed}")).await.status, 404);
    assert_eq!(anna.read(relay, &format!("/v1/meets/{renewed}")).await["visibility"], "private", "its owner sees it");
    assert_eq!(check(relay.database().location()).await.unwrap().findings, []);
}

#[tokio::test]
async fn o6_without_the_secret_nobody_lists_or_decides_and_the_public_address_knows_nothing_of_it() {
    let operated = Operated::start().await;
    let (public, admin) = (operated.relay.addr(), operated.relay.admin_addr().unwrap());
    let anna = Person::named(&operated.relay, 1, "anna").await;
    let token = anna.token(&operated.relay);
    for (method, path) in [
        ("GET", "/v1/reports"),
        ("POST", "/v1/reports/1/dismiss"),
        ("GET", "/v1/decisions"),
        ("POST", "/v1/decisions"),
        ("GET", "/v1/accounts"),
        ("GET", "/v1/accounts/anna"),
    ] {
        for header in
            [String::new(), "authorization: Bearer 0\r\n".into(), format!("authorization: Bearer {token}\r\n")]
        {
            let refused = ask(admin, method, path, &header).await;
            assert_eq!(
                (refused.status, refused.json()["error"]["code"].as_str()),
                (401, Some("wrong_secret")),
                "{path}"
            );
            let elsewhere = ask(public, method, path, &header).await;
            assert!([400, 401, 404, 405].contains(&elsewhere.status), "{method} {path}: {}", elsewhere.status);
        }
        let with_secret = ask(public, method, path, &operated.header()).await;
        assert!([400, 401, 404, 405].contains(&with_secret.status), "{method} {path}");
    }
    let page = get(admin, "/").await;
    assert_eq!((page.status, page.header("x-content-type-options")), (200, "nosniff"));
    assert!(page.header("content-security-policy").starts_with("default-src 'none'; script-src 'self'"));
    for file in ["/page.js", "/page.css"] {
        assert_eq!(get(admin, file).await.status, 200);
    }
}

#[tokio::test]
async fn o7_decisions_survive_a_repair_and_a_restart() {
    let operated = Operated::start().await;
    let scene = scene(&operated.relay).await;
    operated.decide(json!({ "target": "drive", "id": scene.drive }), true).await;
    operated.decide(json!({ "target": "person", "id": scene.ben.account() }), true).await;
    let Operated { relay, folder, .. } = operated;
    let database = relay.stop().await;
    assert_eq!(repair(database.location()).await.unwrap().findings, []);
    let relay = Relay::start_on(database, operated_by(&folder)).await;
    let operated = Operated::of(relay, folder);
    assert_eq!(where_is(&operated.relay, &scene, "canary drive").await, BTreeSet::new());
    assert_eq!(get(operated.relay.addr(), "/v1/people/ben").await.status, 404);
    let decisions = operated.read("/v1/decisions").await;
    assert_eq!(decisions["decisions"].as_array().unwrap().len(), 2);
    operated.decide(json!({ "target": "drive", "id": scene.drive }), false).await;
    assert!(!where_is(&operated.relay, &scene, "canary drive").await.is_empty());
}

fn copied(database: &Database, folder: &TempDir, name: &str) -> PathBuf {
    let target = folder.path().join(name);
    std::fs::copy(database.path(), &target).unwrap();
    target
}

#[tokio::test]
async fn o7_a_restored_backup_keeps_what_was_decided_since() {
    let folder = tempfile::tempdir().unwrap();
    let relay = Relay::start_on(Database::file(), operated_by(&folder)).await;
    let scene = scene(&relay).await;
    let operated = Operated::of(relay, folder);
    operated.decide(json!({ "target": "meet", "id": scene.meet }), true).await;
    let Operated { relay, folder, .. } = operated;
    let database = relay.stop().await;
    let backup = copied(&database, &folder, "backup.sqlite");

    let operated = Operated::of(Relay::start_on(database, operated_by(&folder)).await, folder);
    operated.decide(json!({ "target": "drive", "id": scene.drive }), true).await;
    operated.decide(json!({ "target": "meet", "id": scene.meet }), false).await;
    let Operated { relay, folder, .. } = operated;
    let database = relay.stop().await;
    let restored = restore(&backup, &database.path()).await.unwrap();
    assert_eq!(restored.decisions, Some(2));
    assert_eq!(check(database.location()).await.unwrap().findings, []);
    let operated = Operated::of(Relay::start_on(database, operated_by(&folder)).await, folder);
    let relay = &operated.relay;
    assert_eq!(get(relay.addr(), &format!("/v1/drives/{}", scene.drive)).await.status, 404);
    assert_eq!(get(relay.addr(), &format!("/v1/meets/{}", scene.meet)).await.status, 200);
}

#[tokio::test]
async fn o7_decisions_of_another_database_are_taken_over_once() {
    let (one, other) = (Operated::start().await, Operated::start().await);
    for operated in [&one, &other] {
        scene(&operated.relay).await;
    }
    let scene = scene_ids(&one.relay).await;
    one.decide(json!({ "target": "drive", "id": scene }), true).await;
    // The other relay does not know this account.
    let late = Person::new(&one.relay, 9).await;
    let from = one.relay.stop().await;
    let to = other.relay.stop().await;
    assert_eq!(take_decisions(to.location(), from.location()).await.unwrap(), 1);
    assert_eq!(take_decisions(to.location(), from.location()).await.unwrap(), 0);
    assert_eq!(check(to.location()).await.unwrap().findings, []);
    let relay = Relay::start_on(to, |config| config.registration = Registration::Invite).await;
    assert_eq!(get(relay.addr(), &format!("/v1/drives/{scene}")).await.status, 404);
    late.phone.enter(relay.addr()).await;
    assert!(Phone::founder(10).knock(relay.addr()).await.sent_away().await, "nobody else may come");
}

/// The drive of the scene: both databases have the same people, whose ids derive from their seeds.
async fn scene_ids(relay: &Relay) -> DocId {
    let feed = get(relay.addr(), "/v1/people/canaryanna/drives").await.json();
    feed["drives"][0]["id"].as_str().unwrap().parse().unwrap()
}

async fn report(relay: &Relay, person: Option<&Person>, body: &Value) -> (u16, String) {
    let header = person.map(|person| format!("authorization: Bearer {}\r\n", person.token(relay)));
    let answer = post(relay.addr(), "/v1/reports", &header.unwrap_or_default(), body).await;
    let code = (!answer.body.is_empty()).then(|| answer.json()["error"]["code"].as_str().unwrap().to_owned());
    (answer.status, code.unwrap_or_default())
}

#[tokio::test]
async fn o5_reports_name_what_the_reporter_sees_once_and_end_with_a_decision() {
    let operated = Operated::start().await;
    let relay = &operated.relay;
    let mut scene = scene(relay).await;
    let private = scene.anna.publish(relay, "followers", Visibility::Followers, START).await;
    let drive = json!({ "target": "drive", "id": scene.drive, "reason": "danger", "text": "  Racing.  " });
    let stored = (204, String::new());
    for _ in 0..3 {
        assert_eq!(report(relay, Some(&scene.ben), &drive).await, stored, "again changes nothing");
    }
    assert_eq!(report(relay, Some(&scene.carl), &drive).await, stored);
    assert_eq!(report(relay, None, &drive).await, stored);
    let not_found = (404, "not_found".to_owned());
    let of_followers = json!({ "target": "drive", "id": private, "reason": "spam" });
    assert_eq!(report(relay, None, &of_followers).await, not_found, "who does not see it cannot report it");
    assert_eq!(report(relay, Some(&scene.ben), &of_followers).await, stored);
    let bad = (400, "bad_body".to_owned());
    assert_eq!(report(relay, Some(&scene.anna), &drive).await, bad, "one's own");
    for body in [
        json!({}),
        json!({ "target": "drive", "id": "x", "reason": "spam" }),
        json!({ "target": "drive", "id": scene.drive, "reason": "dislike" }),
        json!({ "target": "comment", "id": scene.comment, "reason": "spam" }),
        json!({ "target": "drive", "id": scene.drive, "reason": "spam", "text": "x".repeat(1_001) }),
        json!({ "target": "drive", "id": scene.drive, "reason": "spam", "text": "x".repeat(9_000) }),
    ] {
        assert_eq!(report(relay, Some(&scene.ben), &body).await, bad, "{body}");
    }
    let (anna, bens) = (scene.anna.account(), scene.bens_drive);
    for body in [
        json!({ "target": "meet", "id": scene.meet, "reason": "spam" }),
        json!({ "target": "person", "id": anna, "reason": "harassment" }),
        json!({ "target": "comment", "id": scene.comment, "account": anna, "drive": bens, "reason": "illegal" }),
    ] {
        assert_eq!(report(relay, Some(&scene.carl), &body).await, stored, "{body}");
    }
    let open = operated.read("/v1/reports").await;
    let open = open["reports"].as_array().unwrap();
    assert_eq!(open.len(), 6);
    assert_eq!((&open[0]["target"], &open[0]["shown"]["text"]), (&json!("comment"), &json!("canary comment")));
    assert_eq!(operated.read("/v1/reports?anonymous=true").await["reports"][0]["reporter"], Value::Null);
    let first = open.last().unwrap();
    assert_eq!((&first["text"], &first["reason"]), (&json!("Racing."), &json!("danger")));
    // A decision about the item of a report closes all reports about it.
    let body = json!({ "report": first["number"], "isHidden": true, "reason": "Racing." });
    assert_eq!(operated.post("/v1/decisions", body).await.status, 200);
    assert_eq!(operated.read("/v1/reports").await["reports"].as_array().unwrap().len(), 4);
    assert_eq!(operated.read("/v1/reports?anonymous=true").await["reports"], json!([]));
    let dismissed = operated.post(&format!("/v1/reports/{}/dismiss", open[0]["number"]), json!({})).await;
    assert_eq!(dismissed.json()["closed"], 1);
    for body in [
        json!({ "report": 1, "isHidden": true, "reason": "" }),
        json!({ "report": 1, "isHidden": true, "reason": "x".repeat(501) }),
        json!({ "isHidden": true }),
    ] {
        assert_eq!(operated.post("/v1/decisions", body).await.status, 400);
    }
    let unknown = json!({ "report": 99, "isHidden": true, "reason": "x" });
    assert_eq!(operated.post("/v1/decisions", unknown).await.status, 404);
    let usage = operated.read("/v1/accounts/canaryanna").await;
    assert!(usage["bytes"].as_u64().unwrap() > 0 && usage["isSuspended"] == false);
    assert_eq!(operated.read("/v1/accounts").await["accounts"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn o5_an_address_without_an_account_reports_five_times_a_day() {
    let operated = Operated::start().await;
    let relay = &operated.relay;
    let mut anna = Person::named(relay, 1, "anna").await;
    let mut outcomes = Vec::new();
    for _ in 0..7 {
        let drive = anna.publish(relay, "Pass", Visibility::Public, START).await;
        let body = json!({ "target": "drive", "id": drive, "reason": "spam" });
        outcomes.push(report(relay, None, &body).await.0);
    }
    assert_eq!(outcomes, [204, 204, 204, 204, 204, 429, 429]);
    let body = json!({ "target": "person", "id": anna.account(), "reason": "spam" });
    assert_eq!(report(relay, None, &body).await, (429, "too_many_reports".to_owned()));
    let ben = Person::named(relay, 2, "ben").await;
    assert_eq!(report(relay, Some(&ben), &body).await.0, 204, "with an account there is more room");
}

async fn redeem(relay: &Relay, phone: &Phone, code: &str) -> (u16, String) {
    let body = json!({ "code": code, "account": phone.account });
    let answer = post(relay.addr(), "/v1/invitations/redeem", "", &body).await;
    let code = (!answer.body.is_empty()).then(|| answer.json()["error"]["code"].as_str().unwrap().to_owned());
    (answer.status, code.unwrap_or_default())
}

#[tokio::test]
async fn o8_who_has_an_invitation_may_make_an_account_and_nobody_else() {
    let folder = tempfile::tempdir().unwrap();
    let operated_by = operated_by(&folder);
    let relay = Relay::start_with(|config| {
        operated_by(config);
        config.registration = Registration::Invite;
    })
    .await;
    let operated = Operated::of(relay, folder);
    let (relay, addr) = (&operated.relay, operated.relay.addr());
    let [one, two, three] = [1, 2, 3].map(|seed| Phone::founder(seed).with_membership());
    assert_eq!(one.knock(addr).await.bye().await, ByeCode::NotInvited);
    let older = Phone::founder(1);
    assert_eq!(older.knock(addr).await.bye().await, ByeCode::OverQuota, "version 2 knows no such code");

    let invitation = operated.post("/v1/invitations", json!({ "note": "Club", "uses": 2 })).await.json();
    let code = invitation["code"].as_str().unwrap().to_owned();
    let refused = (403, "bad_invitation".to_owned());
    assert_eq!(redeem(relay, &one, "0000-0000-0000").await, refused);
    assert_eq!(redeem(relay, &one, "x").await, refused);
    for _ in 0..2 {
        assert_eq!(redeem(relay, &one, &code.to_uppercase()).await.0, 204, "again changes nothing");
    }
    one.enter(addr).await;
    assert_eq!(redeem(relay, &two, &code).await.0, 204);
    assert_eq!(redeem(relay, &three, &code).await, refused, "it lets in two");
    assert_eq!(three.knock(addr).await.bye().await, ByeCode::NotInvited);
    // Another device of an invited account needs no invitation.
    two.link(4).with_membership().enter(addr).await;

    let other = operated.post("/v1/invitations", json!({})).await.json();
    let revoked = ask(relay.admin_addr().unwrap(), "DELETE", "/v1/invitations/2", &operated.header()).await;
    assert_eq!((revoked.status, &revoked.json()["isRevoked"]), (200, &json!(true)));
    assert_eq!(redeem(relay, &three, other["code"].as_str().unwrap()).await, refused);
    let list = operated.read("/v1/invitations").await;
    assert_eq!((&list["invitations"][1]["used"], &list["invitations"][1]["code"]), (&json!(2), &Value::Null));
    for body in [json!({ "uses": 0 }), json!({ "days": 366 }), json!({ "note": "x".repeat(201) })] {
        assert_eq!(operated.post("/v1/invitations", body).await.status, 400);
    }
    let unknown = ask(relay.admin_addr().unwrap(), "DELETE", "/v1/invitations/9", &operated.header()).await;
    assert_eq!(unknown.status, 404);

    let relay = operated.relay.restart_with(|config| config.registration = Registration::Closed).await;
    assert_eq!(three.knock(relay.addr()).await.bye().await, ByeCode::RegistrationClosed);
    assert_eq!(redeem(&relay, &three, &code).await, (403, "registration_closed".to_owned()));
    one.enter(relay.addr()).await;
    let relay = relay.restart_with(|_| {}).await;
    assert_eq!(redeem(&relay, &three, &code).await.0, 204, "everybody may come");
    three.enter(relay.addr()).await;
}
