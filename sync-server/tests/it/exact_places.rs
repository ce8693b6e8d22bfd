//! The exact place of a meet is in no answer to readers who may not see it, and leaves no other trace there.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use serde_json::{Value, json};
use tourismo_core::docs::meet::ExactPlace;
use tourismo_core::docs::social::{self, SocialEntry, SocialKey};
use tourismo_core::docs::{Answer, MeetFields, Visibility, automerge_doc};
use tourismo_core::id::DocId;
use tourismo_core::time::Timestamp;
use tourismo_core::wire::DocKind;
use tourismo_server::maintenance::{check, repair};
use tourismo_server::{Config, TimeSource};

use crate::harness::{Answer as HttpAnswer, Person, Relay, every_path, get, get_with, now};
use crate::live::Stream;

const HOUR_MS: i64 = 3_600_000;

const PLACE: &str = "canary lane 7";
/// In the area from 8.5 to 8.55 and from 47.35 to 47.4.
const EXACT: [f64; 2] = [8.541_234_5, 47.372_345_6];
/// What would give the place away: its name, and its coordinates as decimals of any length or as numbers of a document.
const CANARIES: [&str; 5] = [PLACE, "8.541", "47.372", "85412345", "473723456"];

/// A reader: a name, and the account if there is one.
type Reader<'p> = (&'static str, Option<&'p Person>);

/// The organiser Anna, her co-organiser Ben, and people with each kind of answer. All but Ben follow Anna.
struct Scene {
    relay: Relay,
    time: Arc<AtomicI64>,
    anna: Person,
    ben: Person,
    going: Person,
    undecided: Person,
    withdrawn: Person,
    maybe: Person,
    no: Person,
    blocked: Person,
    stranger: Person,
    meet: DocId,
    fields: MeetFields,
}

impl Scene {
    async fn start(exact_place: ExactPlace, visibility: Visibility) -> Scene {
        let time = Arc::new(AtomicI64::new(now().as_millis()));
        let told = time.clone();
        let relay = Relay::start_with(|config: &mut Config| {
            config.time = TimeSource::from_fn(move || Timestamp(told.load(Ordering::Relaxed)));
            // A search through every answer asks more often than one address may.
            config.limits.max_requests_per_second = u32::MAX;
            config.limits.max_read_millis_per_second = u32::MAX;
        })
        .await;
        let mut people = Vec::new();
        for (seed, name) in
            (1..).zip(["anna", "ben", "going", "undecided", "withdrawn", "maybe", "no", "blocked", "stranger"])
        {
            people.push(Person::named(&relay, seed, name).await);
        }
        let Ok([mut anna, ben, mut going, mut undecided, mut withdrawn, mut maybe, mut no, mut blocked, stranger]) =
            <[Person; 9]>::try_from(people)
        else {
            panic!("there are nine names")
        };
        let fields = MeetFields {
            title: "Open garage".to_owned(),
            place: PLACE.to_owned(),
            position: Some(EXACT),
            starts_at: now() + 20 * HOUR_MS,
            time_zone: "Europe/Zurich".to_owned(),
            visibility,
            exact_place,
            ..MeetFields::default()
        };
        let meet = anna.meet(&relay, &fields).await;
        anna.grant(&relay, meet, ben.account(), true).await;
        for person in [&mut going, &mut undecided, &mut withdrawn, &mut maybe, &mut no, &mut blocked] {
            person.follow(&relay, &anna).await;
        }
        for person in [&mut going, &mut withdrawn, &mut blocked] {
            person.answer(&relay, meet, Answer::Going).await;
        }
        maybe.answer(&relay, meet, Answer::Maybe).await;
        no.answer(&relay, meet, Answer::No).await;
        withdraw_answer(&relay, &mut withdrawn, meet).await;
        anna.say(&relay, SocialEntry::Block(blocked.account())).await;
        Scene { relay, time, anna, ben, going, undecided, withdrawn, maybe, no, blocked, stranger, meet, fields }
    }

    /// Those who see the place only if everybody sees it.
    fn others(&self) -> Vec<Reader<'_>> {
        vec![
            ("anybody", None),
            ("undecided", Some(&self.undecided)),
            ("withdrawn", Some(&self.withdrawn)),
            ("maybe", Some(&self.maybe)),
            ("no", Some(&self.no)),
            ("blocked", Some(&self.blocked)),
            ("stranger", Some(&self.stranger)),
        ]
    }

    fn now(&self) -> Timestamp {
        Timestamp(self.time.load(Ordering::Relaxed))
    }

    fn pass(&self, hours: i64) {
        self.time.fetch_add(hours * HOUR_MS, Ordering::Relaxed);
    }

    fn header(&self, reader: Option<&Person>) -> String {
        let token = |person: &Person| person.token_until(&self.relay, self.now() + HOUR_MS);
        reader.map(|person| format!("authorization: Bearer {}\r\n", token(person))).unwrap_or_default()
    }

    async fn read(&self, reader: Option<&Person>, path: &str) -> HttpAnswer {
        get_with(self.relay.addr(), path, &self.header(reader)).await.without_date()
    }

    /// Every answer to a reader, by path.
    async fn answers(&self, reader: Option<&Person>) -> Vec<(String, HttpAnswer)> {
        let people = ["anna".to_owned(), self.anna.account().to_string()];
        let mut answers = Vec::new();
        for path in every_path(&people, &[self.meet]) {
            let path = if path == "/v1/people" { "/v1/people?prefix=an".to_owned() } else { path };
            let answer = self.read(reader, &path).await;
            assert!(![401, 429, 500].contains(&answer.status) || reader.is_none(), "{path}: {}", answer.status);
            answers.push((path, answer));
        }
        answers
    }

    /// Where the place can be read.
    async fn where_is(&self, readers: Vec<Reader<'_>>) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        for (name, reader) in readers {
            for (path, answer) in self.answers(reader).await {
                let headers: String = answer.headers.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
                let text = (headers + &answer.text()).to_lowercase();
                if CANARIES.iter().any(|canary| text.contains(canary)) {
                    found.insert(format!("{name} {path}"));
                }
            }
            if let Some(person) = reader {
                let token = person.token_until(&self.relay, self.now() + HOUR_MS);
                let path = format!("/v1/meets/{}/live", self.meet);
                let first = Stream::open_with(&self.relay, &token, &path, None).await.event().await;
                if CANARIES.iter().any(|canary| first.data.to_string().contains(canary)) {
                    found.insert(format!("{name} {path}"));
                }
            }
        }
        found
    }

    /// The titles of the meets within half a kilometre of a position, for a reader.
    async fn near(&self, reader: Option<&Person>, [lon, lat]: [f64; 2]) -> usize {
        let path = format!("/v1/meets?near={lat},{lon}&radiusM=500");
        self.read(reader, &path).await.json()["meets"].as_array().unwrap().len()
    }

    /// Changes the meet.
    async fn change(&mut self, change: impl FnOnce(&mut MeetFields)) {
        let seen = self.fields.clone();
        change(&mut self.fields);
        self.anna.change_meet(&self.relay, self.meet, &seen, &self.fields).await;
    }
}

async fn withdraw_answer(relay: &Relay, person: &mut Person, meet: DocId) {
    let doc = social::about(&person.account(), &meet);
    let offer = person.edit(doc, DocKind::Social, |doc| social::remove(doc, &SocialKey::Rsvp(meet)));
    person.push(relay, vec![offer]).await;
}

/// The paths at which those who see the exact place find it.
fn places_of(name: &str, meet: DocId) -> Vec<String> {
    ["/v1/meets".to_owned(), format!("/v1/meets/{meet}"), format!("/v1/meets/{meet}/meet.ics"), "/v1/me/meets".into()]
        .map(|path| format!("{name} {path}"))
        .into()
}

#[tokio::test]
async fn w2_w3_the_place_for_those_who_come_is_in_no_answer_to_anybody_else() {
    let mut scene = Scene::start(ExactPlace::Attendees, Visibility::Public).await;
    assert_eq!(scene.where_is(scene.others()).await, BTreeSet::new());
    for (name, person) in [("anna", &scene.anna), ("ben", &scene.ben), ("going", &scene.going)] {
        let found = scene.where_is(vec![(name, Some(person))]).await;
        let missing: Vec<_> = places_of(name, scene.meet).into_iter().filter(|place| !found.contains(place)).collect();
        assert!(missing.is_empty() && found.len() > 6, "{missing:?} {found:?}");
        assert!(found.contains(&format!("{name} /v1/meets/{}/live", scene.meet)), "{found:?}");
    }
    let path = format!("/v1/meets/{}", scene.meet);
    let shown = scene.read(None, &path).await.json();
    let area = json!([8.5, 47.35, 8.55, 47.4]);
    assert_eq!((&shown["place"], &shown["position"], &shown["area"]), (&json!(""), &Value::Null, &area));
    assert_eq!((&shown["exactPlace"], &shown["isPlaceExact"]), (&json!("attendees"), &json!(false)));
    let calendar = scene.read(None, &format!("{path}/meet.ics")).await.text();
    assert!(calendar.contains("LOCATION:The exact place is shown to people who are going."), "{calendar}");
    assert!(!calendar.contains("GEO:"), "{calendar}");
    let exact = scene.read(Some(&scene.going), &path).await.json();
    assert_eq!((&exact["place"], &exact["position"], &exact["area"]), (&json!(PLACE), &json!(EXACT), &Value::Null));
    // A search finds it by its area, whoever searches.
    for (_, reader) in scene.others().into_iter().chain([("going", Some(&scene.going)), ("anna", Some(&scene.anna))]) {
        assert_eq!((scene.near(reader, EXACT).await, scene.near(reader, [8.525, 47.375]).await), (0, 1));
    }

    // An answer counts as long as it stands, and for the link under which it was given.
    withdraw_answer(&scene.relay, &mut scene.going, scene.meet).await;
    scene.withdrawn.answer(&scene.relay, scene.meet, Answer::Going).await;
    assert_eq!(scene.where_is(vec![("going", Some(&scene.going))]).await, BTreeSet::new());
    assert!(scene.where_is(vec![("withdrawn", Some(&scene.withdrawn))]).await.len() > 6);
    scene.anna.grant(&scene.relay, scene.meet, scene.ben.account(), false).await;
    assert_eq!(scene.where_is(vec![("ben", Some(&scene.ben))]).await, BTreeSet::new(), "Ben is no organiser any more");
    scene.meet = scene.anna.renew_meet(&scene.relay, scene.meet, &scene.fields).await;
    assert_eq!(scene.where_is(vec![("withdrawn", Some(&scene.withdrawn))]).await, BTreeSet::new());

    assert_eq!(check(scene.relay.database().location()).await.unwrap().findings, []);
}

#[tokio::test]
async fn w3_a_relay_that_kept_the_exact_place_where_everybody_reads_would_be_found() {
    let scene = Scene::start(ExactPlace::Attendees, Visibility::Public).await;
    // The injected bug: the columns that every read selects have the exact place.
    scene.relay.database().write("UPDATE meet SET place = hidden_place, lon = hidden_lon, lat = hidden_lat").await;
    let found = scene.where_is(vec![("anybody", None), ("undecided", Some(&scene.undecided))]).await;
    for path in ["/v1/meets", "/v1/people/anna/meets"] {
        assert!(found.contains(&format!("anybody {path}")), "{found:?}");
    }
    assert!(found.contains("undecided /v1/me/feed"), "{found:?}");
    let findings = check(scene.relay.database().location()).await.unwrap().findings;
    assert_eq!(findings.len(), 1, "and a check finds it");
}

#[tokio::test]
async fn w2_the_place_for_the_day_is_shown_from_twelve_hours_before_the_start_until_the_end() {
    let mut scene = Scene::start(ExactPlace::Day, Visibility::Public).await;
    let going = || vec![("going", Some(&scene.going))];
    assert_eq!(scene.where_is(scene.others().into_iter().chain(going()).collect()).await, BTreeSet::new());
    assert!(scene.where_is(vec![("anna", Some(&scene.anna))]).await.len() > 6);
    scene.pass(9);
    let found = scene.where_is(scene.others()).await;
    for (name, _) in scene.others() {
        assert!(found.contains(&format!("{name} /v1/meets/{}", scene.meet)), "{found:?}");
    }
    for path in ["/v1/meets.ics", "/v1/meets.atom", "/v1/meets.json", "/v1/people/anna/meets.ics"] {
        assert!(found.contains(&format!("anybody {path}")), "{path}: {found:?}");
    }
    assert_eq!(scene.near(None, EXACT).await, 0, "a search finds it by its area, on the day, too");
    scene.change(|fields| fields.cancelled = true).await;
    assert_eq!(scene.where_is(scene.others()).await, BTreeSet::new(), "it is cancelled");
    scene.change(|fields| fields.cancelled = false).await;
    assert!(!scene.where_is(vec![("anybody", None)]).await.is_empty());
    scene.pass(24);
    assert_eq!(scene.where_is(scene.others()).await, BTreeSet::new(), "it is over");
}

#[tokio::test]
async fn w1_a_value_that_the_relay_does_not_know_shows_the_place_to_organisers_only() {
    let mut scene = Scene::start(ExactPlace::Everyone, Visibility::Followers).await;
    assert!(scene.where_is(vec![("undecided", Some(&scene.undecided))]).await.len() > 3, "everyone sees it");
    // CBOR of a time and the text "neighbours"; and of a time and something that is neither a text nor a number.
    let at = (now() + 60_000).as_millis().to_be_bytes();
    let neighbours = [&[0x82, 0x1b], &at[..], &[0x82, 0x00, 0x81, 0x6a], b"neighbours"].concat();
    let unknown = [&[0x82, 0x1b], &at[..], &[0x82, 0x07, 0x80]].concat();
    for value in [neighbours, unknown] {
        let edit = |doc: &mut automerge::Automerge| {
            automerge_doc::edit(doc, |edit| edit.bytes_or_nothing("exactPlace", Some(&value)))
        };
        let offer = scene.anna.edit(scene.meet, DocKind::Meet, edit);
        scene.anna.push(&scene.relay, vec![offer]).await;
        let readers = scene.others().into_iter().chain([("going", Some(&scene.going))]);
        assert_eq!(scene.where_is(readers.collect()).await, BTreeSet::new());
        let shown = scene.read(Some(&scene.undecided), &format!("/v1/meets/{}", scene.meet)).await.json();
        assert_eq!(shown["exactPlace"], "organisers");
        assert!(scene.where_is(vec![("ben", Some(&scene.ben))]).await.len() > 2);
    }
}

#[tokio::test]
async fn w3_no_answer_depends_on_where_in_its_area_a_hidden_place_is_or_how_often_it_was_changed() {
    let mut scene = Scene::start(ExactPlace::Attendees, Visibility::Public).await;
    let token = |scene: &Scene, person: &Person| person.token_until(&scene.relay, scene.now() + HOUR_MS);
    let of_meet = format!("/v1/meets/{}/live", scene.meet);
    let mut home = Stream::open_with(&scene.relay, &token(&scene, &scene.undecided), "/v1/me/feed/live", None).await;
    let mut theirs = Stream::open_with(&scene.relay, &token(&scene, &scene.undecided), &of_meet, None).await;
    let mut attending = Stream::open_with(&scene.relay, &token(&scene, &scene.going), &of_meet, None).await;
    for stream in [&mut home, &mut theirs, &mut attending] {
        stream.event().await;
    }
    async fn all(scene: &Scene) -> Vec<(&'static str, Vec<(String, HttpAnswer)>)> {
        let mut answers = Vec::new();
        for (name, reader) in scene.others() {
            answers.push((name, scene.answers(reader).await));
        }
        answers
    }
    let before = all(&scene).await;
    scene.change(|fields| fields.position = Some([8.512, 47.398])).await;
    scene.change(|fields| fields.place = "Another canary lane, much longer than the first one".to_owned()).await;
    scene.change(|fields| fields.position = Some([8.549, 47.351])).await;
    scene.change(|fields| (fields.place, fields.position) = (String::new(), Some(EXACT))).await;
    let moved = MeetFields { position: Some([8.53, 47.36]), ..scene.fields.clone() };
    scene.ben.amend(&scene.relay, scene.meet, &scene.fields, &moved).await;
    for ((name, before), (_, after)) in before.iter().zip(&all(&scene).await) {
        for ((path, before), (_, after)) in before.iter().zip(after) {
            assert_eq!(before, after, "{name} {path}: status, headers and body");
        }
    }
    // Those who come read where it is. Several changes may be one event.
    let mut position = Value::Null;
    while position != json!([8.53, 47.36]) {
        position = attending.event().await.data["position"].take();
    }
    // No stream of the others had an event before a change that they see.
    scene.change(|fields| fields.title = "Open garage on Sunday".to_owned()).await;
    assert_eq!(theirs.event().await.data["title"], "Open garage on Sunday");
    assert_eq!(home.event().await.data["title"], "Open garage on Sunday");
    let path = format!("/v1/meets/{}", scene.meet);
    let sequence = async |scene: &Scene| scene.read(None, &path).await.json()["sequence"].as_u64().unwrap();
    let titled = sequence(&scene).await;
    scene.change(|fields| fields.exact_place = ExactPlace::Everyone).await;
    let open = sequence(&scene).await;
    scene.change(|fields| fields.exact_place = ExactPlace::Day).await;
    let hidden = sequence(&scene).await;
    assert!(titled < open && open < hidden, "calendars ignore what has a lower number: {titled} {open} {hidden}");

    let database = scene.relay.stop().await;
    let sound = check(database.location()).await.unwrap();
    assert_eq!((sound.findings.len(), repair(database.location()).await.unwrap() == sound), (0, true));
}

/// The time of day of every time that an answer states of making, publishing or changing.
fn stated_times(text: &str) -> Vec<String> {
    let after = |tag: &'static str, chars: usize| {
        text.match_indices(tag).map(move |(at, _)| text[at + tag.len()..].chars().take(chars).collect::<String>())
    };
    let minutes = |at: String| at.chars().skip(14).take(5).collect::<String>();
    let stamps = after("DTSTAMP:", 15).map(|at| format!("{}:{}", &at[11..13], &at[13..15]));
    let of_feeds = ["<published>", "<updated>", "date_published\":\"", "date_modified\":\""];
    let feeds = of_feeds.into_iter().flat_map(|tag| after(tag, 19).map(minutes));
    let number = |digits: String| digits.chars().take_while(char::is_ascii_digit).collect::<String>();
    let of_hour = |at: i64| format!("{:02}:{:02}", at % HOUR_MS / 60_000, at % 60_000 / 1_000);
    let changed = after("\"changedAt\":", 13).map(move |at| number(at).parse().map_or("none".to_owned(), of_hour));
    stamps.chain(feeds).chain(changed).collect()
}

#[tokio::test]
async fn r13_others_read_the_hour_in_which_a_meet_was_made_and_changed_and_organisers_the_time() {
    let mut scene = Scene::start(ExactPlace::Everyone, Visibility::Public).await;
    for edits in [0, 1] {
        if edits > 0 {
            scene.change(|fields| fields.title = "Another title".to_owned()).await;
        }
        let mut seen = BTreeSet::new();
        for (name, reader) in [("anybody", None), ("going", Some(&scene.going)), ("maybe", Some(&scene.maybe))] {
            for (path, answer) in scene.answers(reader).await {
                for at in stated_times(&answer.text()) {
                    // A second for each change after the first: of the co-organiser, and of the title.
                    let of_edit = format!("00:0{}", 1 + edits);
                    assert!(at == of_edit || at == "00:00", "{name} {path}: {at} in {}", answer.text());
                    seen.insert(path.clone());
                }
            }
        }
        assert!(seen.len() >= 7, "{seen:?}");
        assert_eq!(scene.relay.count("SELECT COUNT(*) FROM feed_item WHERE sort_at % 3600000 <> 0").await, 0);
    }
    let path = format!("/v1/meets/{}", scene.meet);
    let at = async |reader| scene.read(reader, &path).await.json()["changedAt"].as_i64().unwrap();
    let (owner, organiser, other) = (at(Some(&scene.anna)).await, at(Some(&scene.ben)).await, at(None).await);
    assert_eq!((owner, owner - owner % HOUR_MS + 2_000), (organiser, other));
    assert!((now().as_millis() - 600_000..=now().as_millis()).contains(&owner), "a change must have a later time");
    assert_eq!(get(scene.relay.addr(), &path).await.json()["changedAt"], json!(other));
}
