//! Ids belong to accounts: a stranger's writes to another account's ids have no effect on anybody.

use serde_json::Value;
use tourismo_core::docs::drive::{self, DriveEdit};
use tourismo_core::docs::social::{self, SocialEntry};
use tourismo_core::docs::{MeetFields, Visibility, automerge_doc, meet, published};
use tourismo_core::id::{AccountId, DocId};
use tourismo_core::time::Timestamp;
use tourismo_core::wire::DocKind;
use tourismo_server::maintenance::{back_up, check, repair, restore};

use crate::harness::{Database, Document, Person, Relay, drive_on, get, now};

const START: Timestamp = Timestamp(1_790_000_000_000);

fn meet_on(title: &str) -> MeetFields {
    MeetFields {
        title: title.to_owned(),
        starts_at: now() + 86_400_000,
        visibility: Visibility::Public,
        ..MeetFields::default()
    }
}

/// Every id of an account that a stranger can compute.
fn computable(account: &AccountId, meets: &[DocId]) -> Vec<(DocId, DocKind)> {
    let things = (0..16).map(|digit| DocId::from_bytes([digit; 16]));
    let mut ids: Vec<_> = things.map(|thing| (social::about(account, &thing), DocKind::Social)).collect();
    ids.push((social::people(account), DocKind::Social));
    ids.push((DocId::only(account, "profile"), DocKind::Profile));
    ids.push((DocId::only(account, "settings"), DocKind::Settings));
    ids.extend(meets.iter().map(|id| (meet::amendment(account, id), DocKind::Meet)));
    ids
}

/// Writes to other accounts' ids. All of it is accepted, as documents of the stranger's account.
struct Stranger {
    person: Person,
    docs: u8,
}

impl Stranger {
    async fn new(relay: &Relay) -> Stranger {
        Stranger { person: Person::named(relay, 200, "stranger").await, docs: 0 }
    }

    fn document(&mut self, id: DocId, kind: DocKind) -> Document {
        self.docs += 1;
        Document::named(self.person.phone.device(), self.docs, kind, id)
    }

    async fn write_to(&mut self, relay: &Relay, ids: &[(DocId, DocKind)]) {
        let mut offers = Vec::new();
        for (id, kind) in ids {
            let mut doc = self.document(*id, *kind);
            offers.push(match kind {
                DocKind::Published => doc.publish("Stolen", Visibility::Public, &drive_on(START)),
                DocKind::Meet => doc.offer(|doc| meet::put(doc, now(), None, None, &meet_on("Stolen"))).0,
                _ => doc.offer(|doc| automerge_doc::edit(doc, |edit| edit.boolean("mine", true))).0,
            });
        }
        self.person.push(relay, offers).await;
    }
}

async fn title(relay: &Relay, path: &str) -> String {
    let answer = get(relay.addr(), path).await;
    assert_eq!(answer.status, 200, "{path}");
    let body = answer.json();
    let title = body["properties"]["title"].as_str().or(body["title"].as_str());
    title.unwrap_or_else(|| panic!("{path}: {body}")).to_owned()
}

/// What an account shows, writes and blocks works the same before and after a stranger's writes.
#[tokio::test]
async fn b3_a_stranger_who_writes_to_every_id_of_somebody_takes_nothing_from_them() {
    let relay = Relay::start().await;
    let mut anna = Person::new(&relay, 1).await;
    let mut friend = Person::named(&relay, 2, "friend").await;
    let mut stranger = Stranger::new(&relay).await;
    let hosted = friend.meet(&relay, &meet_on("Friend's")).await;
    friend.grant(&relay, hosted, anna.account(), true).await;
    // Ids are not secret: the stranger can compute the future ones.
    let mut ids = computable(&anna.account(), &[hosted]);
    for number in 1..=3 {
        ids.push((DocId::bound(&anna.account(), [1, number, 0, 0, 0, 0]), DocKind::Published));
    }
    stranger.write_to(&relay, &ids).await;

    // The harness asserts that all of this is acknowledged.
    anna.call(&relay, "anna", true).await;
    let drive = anna.publish(&relay, "Anna's drive", Visibility::Public, START).await;
    let close = anna.publish(&relay, "For followers", Visibility::Followers, START).await;
    let meet = anna.meet(&relay, &meet_on("Anna's meet")).await;
    assert!(ids.iter().any(|(id, _)| *id == meet), "the stranger knew it before");
    anna.say(&relay, SocialEntry::Accept(friend.account())).await;
    anna.say(&relay, SocialEntry::Block(stranger.person.account())).await;
    let moved = MeetFields { title: "Moved by Anna".to_owned(), ..meet_on("Friend's") };
    anna.amend(&relay, hosted, &meet_on("Friend's"), &moved).await;
    friend.follow(&relay, &anna).await;
    let annas = anna.account();
    stranger.person.say(&relay, SocialEntry::Follow(annas, now())).await;

    for round in ["before", "after"] {
        assert_eq!(title(&relay, &format!("/v1/drives/{drive}")).await, "Anna's drive", "{round}");
        assert_eq!(title(&relay, &format!("/v1/meets/{meet}")).await, "Anna's meet", "{round}");
        assert_eq!(title(&relay, &format!("/v1/meets/{hosted}")).await, "Moved by Anna", "{round}");
        let seen = friend.ask(&relay, &format!("/v1/drives/{close}")).await.status;
        assert_eq!((seen, get(relay.addr(), &format!("/v1/drives/{close}")).await.status), (200, 404), "{round}");
        let by_stranger = stranger.person.ask(&relay, &format!("/v1/drives/{close}")).await.status;
        assert_eq!(by_stranger, 404, "{round}: the block and the approval hold");
        // Another stranger, after the account has content.
        let mut again = Stranger { person: Person::new(&relay, 201 + round.len() as u8).await, docs: 0 };
        ids.extend([(drive, DocKind::Published), (close, DocKind::Published), (meet, DocKind::Meet)]);
        // An id has one kind in an account.
        ids.sort();
        ids.dedup_by_key(|(id, _)| *id);
        again.write_to(&relay, &ids).await;
        anna.say(&relay, SocialEntry::Block(AccountId::from_bytes([round.len() as u8; 16]))).await;
        anna.comment(&relay, drive, round).await;
    }
    let feed = get(relay.addr(), "/v1/feed/public").await.json().to_string();
    assert!(!feed.contains("Stolen"), "{feed}");

    assert!(relay.count("SELECT COUNT(*) FROM not_shown").await > 0, "what the strangers showed is shown to nobody");
    let database = relay.stop().await;
    let sound = check(database.location()).await.unwrap();
    assert_eq!(sound.findings, []);
    assert_eq!(repair(database.location()).await.unwrap(), sound);
}

/// After a restore from before a publication, a stranger who has read the link connects first.
#[tokio::test]
async fn b3_after_a_restore_a_link_shows_its_owner_s_document_or_nothing() {
    let relay = Relay::start_on(Database::file(), |_| {}).await;
    let mut anna = Person::named(&relay, 1, "anna").await;
    let folder = tempfile::tempdir().unwrap();
    let backup = folder.path().join("backup");
    back_up(&relay.database().path(), &backup, false).await.unwrap();
    let drive = anna.publish(&relay, "Anna's drive", Visibility::Link, START).await;
    let meet = anna.meet(&relay, &meet_on("Anna's meet")).await;
    let data = relay.stop().await;
    restore(&backup, &data.path()).await.unwrap();

    let relay = Relay::start_on(data, |_| {}).await;
    let mut stranger = Stranger::new(&relay).await;
    stranger.write_to(&relay, &[(drive, DocKind::Published), (meet, DocKind::Meet)]).await;
    for path in [format!("/v1/drives/{drive}"), format!("/v1/meets/{meet}")] {
        assert_eq!(get(relay.addr(), &path).await.status, 404, "{path}");
    }
    anna.offer_again(&relay).await;
    assert_eq!(title(&relay, &format!("/v1/drives/{drive}")).await, "Anna's drive");
    assert_eq!(title(&relay, &format!("/v1/meets/{meet}")).await, "Anna's meet");
}

/// An id from before ids were bound is shown for the account that had it then, and for no other.
#[tokio::test]
async fn b3_an_unbound_id_is_shown_only_for_the_account_that_had_it_before_ids_were_bound() {
    let relay = Relay::start().await;
    let anna = Person::named(&relay, 1, "anna").await;
    let mut stranger = Stranger::new(&relay).await;
    let [kept, new] = [3, 4].map(|number| DocId::new(START, [number; 10]));
    let database = relay.stop().await;
    let had = format!(
        "INSERT INTO unbound_id (doc, account) VALUES ({}, {})",
        database.bytes(kept.as_bytes()),
        database.bytes(anna.account().as_bytes())
    );
    database.write(&had).await;
    let relay = Relay::start_on(database, |_| {}).await;

    stranger.write_to(&relay, &[(kept, DocKind::Published), (new, DocKind::Published)]).await;
    let mut offers = Vec::new();
    for (number, id) in (1..).zip([kept, new]) {
        let mut doc = Document::named(anna.phone.device(), number, DocKind::Published, id);
        offers.push(doc.publish("Anna's drive", Visibility::Public, &drive_on(START)));
    }
    anna.push(&relay, offers).await;
    assert_eq!(title(&relay, &format!("/v1/drives/{kept}")).await, "Anna's drive");
    assert_eq!(get(relay.addr(), &format!("/v1/drives/{new}")).await.status, 404);
    let not_shown = |profile: &Value| profile["notShown"].as_array().expect("it says so").len();
    for (person, count) in [(&anna, 1), (&stranger.person, 2)] {
        let profile = person.ask(&relay, "/v1/me/profile").await.json();
        assert_eq!(not_shown(&profile), count, "kept and synced, and shown to nobody: {profile}");
    }
    assert_eq!(check(relay.database().location()).await.unwrap().findings, []);
}

/// An app from before ids were bound publishes at a current relay. The id is computed from the account and one of its
/// drives, so no other account can have it.
#[tokio::test]
async fn b3_a_copy_of_an_earlier_app_is_shown_once_the_drive_is_there_that_its_id_is_computed_from() {
    let relay = Relay::start().await;
    let mut anna = Person::named(&relay, 1, "anna").await;
    let mut stranger = Stranger::new(&relay).await;
    let (device, account) = (anna.phone.device(), anna.account());
    let not_shown = async |person: &Person, relay: &Relay| {
        person.ask(relay, "/v1/me/profile").await.json()["notShown"].as_array().expect("it says so").len()
    };
    let status = async |relay: &Relay, id: DocId| get(relay.addr(), &format!("/v1/drives/{id}")).await.status;
    let mut copies = Vec::new();
    for (number, is_large) in [(30, false), (31, true)] {
        let drive = anna.next_id();
        let copy = DocId::of_unbound_copy(&account, &drive);
        // A drive of the stranger proves nothing about other accounts' ids.
        stranger.write_to(&relay, &[(copy, DocKind::Published)]).await;
        stranger.person.drive(&relay, "Mine", None, START, Some(copy)).await;
        let mut doc = Document::named(device, number, DocKind::Published, copy);
        let offer = doc.publish("Anna's drive", Visibility::Public, &drive_on(START));
        anna.push(&relay, vec![offer]).await;
        assert_eq!(
            (status(&relay, copy).await, not_shown(&anna, &relay).await),
            (404, 1),
            "the drive is not there yet"
        );
        if is_large {
            let more = anna.edit(drive, DocKind::Drive, |doc| {
                automerge_doc::edit(doc, |edit| {
                    (0..1_500).try_for_each(|number| edit.boolean(&format!("more {number}"), true))
                })
            });
            anna.push(&relay, vec![more]).await;
        }
        assert_eq!(anna.drive(&relay, "Anna's drive", None, START, Some(copy)).await, drive);
        assert_eq!(title(&relay, &format!("/v1/drives/{copy}")).await, "Anna's drive");
        assert_eq!(not_shown(&anna, &relay).await, 0);
        stranger.write_to(&relay, &[(copy, DocKind::Published)]).await;
        copies.push((doc, copy));
    }
    // The drive arrives before the copy.
    let copy = DocId::of_unbound_copy(&account, &anna.next_id());
    anna.drive(&relay, "Anna's drive", None, START, Some(copy)).await;
    let mut doc = Document::named(device, 32, DocKind::Published, copy);
    let offer = doc.publish("Anna's drive", Visibility::Public, &drive_on(START));
    anna.push(&relay, vec![offer]).await;
    assert_eq!(title(&relay, &format!("/v1/drives/{copy}")).await, "Anna's drive");
    let (first, id) = &mut copies[0];
    anna.push(&relay, vec![first.offer(|doc| published::change(doc, "Renamed", "", Visibility::Public)).0]).await;
    assert_eq!(title(&relay, &format!("/v1/drives/{id}")).await, "Renamed");

    // Both are projected in the background, in either order.
    let mut large = Vec::new();
    for number in 33..39 {
        let drive = anna.fresh_id();
        let copy = DocId::of_unbound_copy(&account, &drive);
        let mut doc = Document::named(device, number, DocKind::Published, copy);
        let published = doc.publish("Anna's drive", Visibility::Public, &drive_on(START));
        let edit = DriveEdit { published: Some((copy, Visibility::Public)), ..DriveEdit::default() };
        let begun = anna.edit(drive, DocKind::Drive, |doc| drive::create(doc, START, drive, None, None));
        let more = anna.edit(drive, DocKind::Drive, |doc| {
            automerge_doc::edit(doc, |edit| {
                (0..1_500).try_for_each(|number| edit.boolean(&format!("more {number}"), true))
            })
        });
        let named = anna.edit(drive, DocKind::Drive, |doc| drive::change(doc, &edit));
        anna.push(&relay, vec![published, doc.large_change(300 << 10).0, begun, more, named]).await;
        assert_eq!(title(&relay, &format!("/v1/drives/{copy}")).await, "Anna's drive", "copy {copy} of {drive}");
        large.push(copy);
    }

    let database = relay.stop().await;
    let sound = check(database.location()).await.unwrap();
    assert_eq!(sound.findings, []);
    assert_eq!(repair(database.location()).await.unwrap(), sound);
    // The state of a relay that did not check drives.
    for sql in ["DELETE FROM unbound_id", "UPDATE relay SET projected = 0"] {
        database.write(sql).await;
    }
    let relay = Relay::start_on(database, |_| {}).await;
    assert_eq!((not_shown(&anna, &relay).await, not_shown(&stranger.person, &relay).await), (0, 2));
    for copy in copies.iter().map(|(_, copy)| copy).chain(&large) {
        assert_eq!(status(&relay, *copy).await, 200, "{copy}");
    }
    assert_eq!(check(relay.database().location()).await.unwrap(), sound);
}

/// Restores the schema of the version before ids were bound, where the first account to write to an id owns it.
async fn take_back_to_the_version_before(database: &Database) {
    for sql in [
        "DROP TABLE not_shown",
        "DROP TABLE unbound_id",
        "ALTER TABLE actor DROP COLUMN own_at",
        "CREATE UNIQUE INDEX document_owner ON document (doc)",
        "DELETE FROM _sqlx_migrations WHERE version = 41",
        // The rows were projected by that version.
        "UPDATE relay SET projected = 0",
    ] {
        database.write(sql).await;
    }
}

/// A database of that version, in which a stranger wrote to ids of Anna's first.
#[tokio::test]
async fn b3_a_database_of_the_version_before_keeps_what_it_shows_and_takes_what_it_refused() {
    let relay = Relay::start().await;
    let (mut anna, mut friend) = (Person::new(&relay, 1).await, Person::named(&relay, 2, "friend").await);
    let mut stranger = Stranger::new(&relay).await;
    let device = anna.phone.device();
    // Ids in the format of that version for Anna's drive and meet.
    let [drive, meeting, squatted] = [3, 4, 5].map(|number| DocId::new(START, [number; 10]));
    let mut copy = Document::named(device, 100, DocKind::Published, drive);
    let mut meet_doc = Document::named(device, 101, DocKind::Meet, meeting);
    let shown = meet_on("Anna's meet");
    let meet_made = meet_doc.offer(|doc| meet::put(doc, now(), None, None, &shown)).0;
    anna.push(&relay, vec![copy.publish("Anna's drive", Visibility::Link, &drive_on(START)), meet_made]).await;
    let annas = anna.account();
    let computable = computable(&annas, &[]);
    stranger.write_to(&relay, &computable).await;
    stranger.write_to(&relay, &[(squatted, DocKind::Published)]).await;
    let database = relay.stop().await;
    take_back_to_the_version_before(&database).await;

    let relay = Relay::start_on(database, |_| {}).await;
    for round in ["after the upgrade", "later"] {
        assert_eq!(title(&relay, &format!("/v1/drives/{drive}")).await, "Anna's drive", "{round}");
        assert_eq!(title(&relay, &format!("/v1/meets/{meeting}")).await, "Anna's meet", "{round}");
        friend.comment(&relay, drive, round).await;
        if round == "after the upgrade" {
            // What that version refused is pushed again and accepted.
            anna.call(&relay, "anna", true).await;
            anna.say(&relay, SocialEntry::Block(stranger.person.account())).await;
            let mut theirs = Document::named(device, 102, DocKind::Published, squatted);
            anna.push(&relay, vec![theirs.publish("Anna's other", Visibility::Link, &drive_on(START))]).await;
            let again = meet_doc.offer(|doc| meet::grant(doc, &friend.account(), true)).0;
            anna.push(&relay, vec![again]).await;
            stranger.write_to(&relay, &[(drive, DocKind::Published), (meeting, DocKind::Meet)]).await;
        }
    }
    assert_eq!(anna.read(&relay, "/v1/people/anna").await["account"], annas.to_string());
    let profiles = relay.database().bytes(DocId::only(&annas, "profile").as_bytes());
    let sql = format!("SELECT COUNT(*) FROM document WHERE doc = {profiles}");
    assert_eq!(relay.count(&sql).await, 2, "what the stranger wrote stays theirs");
    let close = anna.publish(&relay, "For followers", Visibility::Followers, START).await;
    stranger.person.say(&relay, SocialEntry::Follow(annas, now())).await;
    assert_eq!(stranger.person.ask(&relay, &format!("/v1/drives/{close}")).await.status, 404, "the block holds");
    // The owner of this one is unknown: it stays with the account that the relay had it from, and Anna's profile
    // lists it as not shown.
    assert_eq!(title(&relay, &format!("/v1/drives/{squatted}")).await, "Stolen");
    let profile = anna.read(&relay, "/v1/me/profile").await;
    let told: Vec<_> = profile["notShown"].as_array().unwrap().iter().map(|doc| doc["document"].clone()).collect();
    assert_eq!(told, [squatted.to_string()]);

    let database = relay.stop().await;
    let sound = check(database.location()).await.unwrap();
    assert_eq!(sound.findings, []);
    assert_eq!(repair(database.location()).await.unwrap(), sound);
}
