//! Every read of the API with bad values for each of its parameters, and every text field with every kind of character.
//! No answer may be a server error.

use std::collections::BTreeMap;

use serde_json::Value;
use tourismo_core::docs::{
    Answer as Rsvp, CarFields, LogEntry, LogKind, MeetFields, ProfileFields, Reaction, Visibility, car, profile,
};
use tourismo_core::id::DocId;
use tourismo_core::time::Timestamp;
use tourismo_core::wire::DocKind;
use tourismo_server::maintenance::check;

use crate::harness::{Answer, Person, Relay, get, get_with, now};

const START: Timestamp = Timestamp(1_790_000_000_000);
const DAY_MS: i64 = 86_400_000;

/// Values that no parameter accepts, percent-encoded.
const BAD: [&str; 30] = [
    "",
    "0",
    "-1",
    "1.5",
    "1e309",
    "NaN",
    "-inf",
    "255",
    "65536",
    "4294967296",
    "9223372036854775807",
    "-9223372036854775808",
    "99999999999999999999999999",
    "%00",
    "%0d%0aset-cookie:%20a=b",
    "%ff%fe",
    "%",
    "%F0%9F%9A%97",
    "%E2%80%AE",
    "null",
    "[]",
    "a=b;c",
    "..%2f..%2fetc%2fpasswd",
    "%3Cscript%3E",
    "%27%3B%20DROP%20TABLE%20meet%3B%20--",
    "00000000-0000-0000-0000-000000000000",
    "ffffffff-ffff-ffff-ffff-ffffffffffff",
    "1,2,3,4,5",
    "180,90,-180,-90",
    "-180,-90,180,90",
];

/// Characters that must not break out of a text: control characters, line breaks before protocol lines, changes of the
/// text direction, noncharacters, markup of every format.
fn hostile() -> String {
    let controls: String = ('\0'..='\u{1f}').chain('\u{7f}'..='\u{9f}').collect();
    let marks = "\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\n]]> --> <script>alert(1)</script> &amp; &#0; \" ' \\ \\n ; , {{}} ";
    format!("{controls}{marks}\u{202e}\u{2066}\u{feff}\u{fffe}\u{ffff}\u{10ffff}\u{1f697}\u{e000}\u{301}")
}

/// Ids and handles of one thing of each kind.
struct Things {
    person: Person,
    drive: DocId,
    car: DocId,
    meet: DocId,
}

async fn things(relay: &Relay) -> Things {
    let mut person = Person::named(relay, 1, "anna").await;
    let mut ben = Person::named(relay, 2, "ben").await;
    ben.follow(relay, &person).await;
    person.follow(relay, &ben).await;
    let car = person.car(relay, "Red one", true).await;
    person.car(relay, "Blue one", true).await;
    let entry =
        LogEntry { kind: LogKind::Service, at: START, odometer_m: None, litres: None, cost: None, note: String::new() };
    person.log(relay, car, &entry).await;
    person.log(relay, car, &entry).await;
    let (mut drive, mut meet) = (DocId::from_bytes([0; 16]), DocId::from_bytes([0; 16]));
    for days in 1..3 {
        let start = START + days * DAY_MS;
        drive = person.publish(relay, "Over the pass", Visibility::Public, start).await;
        person.drive(relay, "Over the pass", Some(car), start, Some(drive)).await;
        ben.publish(relay, "Ben's", Visibility::Public, start).await;
        let fields = MeetFields {
            title: "Dawn patrol".to_owned(),
            starts_at: now() + days * DAY_MS,
            visibility: Visibility::Public,
            position: Some([8.5, 47.0]),
            ..MeetFields::default()
        };
        meet = person.meet(relay, &fields).await;
    }
    for who in [&mut person, &mut ben] {
        who.react(relay, drive, Reaction::Road).await;
        who.comment(relay, drive, "Yes").await;
        who.answer(relay, meet, Rsvp::Going).await;
    }
    Things { person, drive, car, meet }
}

impl Things {
    /// A valid value for a parameter.
    fn good(&self, path: &str, parameter: &str) -> String {
        match parameter {
            "person" => "anna".to_owned(),
            "car" => self.car.to_string(),
            "id" if path.starts_with("/v1/meets") => self.meet.to_string(),
            "id" if path.starts_with("/v1/me/cars") => self.car.to_string(),
            "id" => self.drive.to_string(),
            "prefix" => "an".to_owned(),
            _ => "1".to_owned(),
        }
    }

    /// The path with all its parameters filled, one of them with `bad` if one is named.
    fn fill(&self, path: &str, bad: Option<(&str, &str)>) -> String {
        let mut filled = String::new();
        for part in path.split('/').skip(1) {
            filled.push('/');
            match part.strip_prefix('{').and_then(|part| part.split_once('}')) {
                Some((name, rest)) => {
                    let good = self.good(path, name);
                    filled.push_str(bad.filter(|(of, _)| *of == name).map_or(&good, |(_, value)| value));
                    filled.push_str(rest);
                }
                None => filled.push_str(part),
            }
        }
        filled
    }
}

/// The reads in the API description: the path, and the name and place of each parameter.
async fn reads(relay: &Relay) -> Vec<(String, Vec<(String, String)>)> {
    let api = get(relay.addr(), "/v1/openapi.json").await.json();
    let of = |(path, read): (&String, &Value)| {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let parameters = read["get"]["parameters"].as_array().cloned().unwrap_or_default();
        (path.clone(), parameters.iter().map(|it| (text(&it["name"]), text(&it["in"]))).collect())
    };
    let paths = api["paths"].as_object().unwrap().iter();
    paths.filter(|(_, methods)| methods.get("get").is_some()).map(of).collect()
}

async fn ask(relay: &Relay, path: &str, headers: &str) -> Answer {
    get_with(relay.addr(), path, headers).await
}

/// Checks that the answer is no server error, and that a refusal has a code and a hint.
fn check_answer(path: &str, answer: &Answer) {
    assert!(answer.status < 500, "{path}: {}", String::from_utf8_lossy(&answer.body));
    assert_eq!(answer.header("set-cookie"), "", "{path}");
    if answer.status >= 400 {
        let body: Option<Value> = serde_json::from_slice(&answer.body).ok();
        let error = &body.unwrap_or_else(|| panic!("{path}: {answer:?}"))["error"];
        let is_told = error["code"].is_string() && error["message"].is_string();
        assert!(is_told && (answer.status != 400 || error["hint"].is_string()), "{path}: {error}");
    }
}

#[tokio::test]
async fn whatever_a_parameter_holds_no_read_ends_in_an_error_of_the_server() {
    let relay = Relay::start_with(|config| config.limits.max_requests_per_second = 1_000_000).await;
    let things = things(&relay).await;
    let token = format!("authorization: Bearer {}\r\n", things.person.token(&relay));
    let long = "x".repeat(2_000);
    let reads = reads(&relay).await;
    assert!(reads.len() > 35, "{}", reads.len());
    let mut asked = 0;
    for (path, parameters) in &reads {
        for (name, place) in parameters {
            for bad in BAD.into_iter().chain([long.as_str()]) {
                let (mut url, mut headers) = (things.fill(path, None), token.clone());
                match place.as_str() {
                    "path" => url = things.fill(path, Some((name, bad))),
                    "query" if path == "/v1/people" && name != "prefix" => {
                        url.push_str(&format!("?prefix=a&{name}={bad}"))
                    }
                    "query" if name == "radiusM" => url.push_str(&format!("?near=47,8&radiusM={bad}")),
                    "query" => url.push_str(&format!("?{name}={bad}")),
                    "header" => headers.push_str(&format!("{name}: {bad}\r\n")),
                    other => panic!("{path}: a parameter in {other}"),
                }
                check_answer(&url, &ask(&relay, &url, &headers).await);
                asked += 1;
            }
        }
        // Without query parameters and without a token.
        let url = things.fill(path, None);
        let (known, stranger) = (ask(&relay, &url, &token).await, ask(&relay, &url, "").await);
        check_answer(&url, &known);
        check_answer(&url, &stranger);
        assert_eq!(stranger.status == 401, path.starts_with("/v1/me/"), "{url}");
    }
    assert!(asked > 2_000, "{asked}");
    assert_eq!(check(relay.database().location()).await.unwrap().findings, []);
}

/// Reads that accept each other's cursors, since they are the same list in several formats.
const SAME_LISTS: [&[&str]; 3] = [
    &["/v1/feed/public.atom", "/v1/feed/public.json"],
    &[
        "/v1/people/{person}/feed.atom",
        "/v1/people/{person}/feed.json",
        "/v1/people/{person}/cars/{car}/feed.atom",
        "/v1/people/{person}/cars/{car}/feed.json",
    ],
    &["/v1/meets", "/v1/meets.ics", "/v1/meets.atom", "/v1/meets.json"],
];

#[tokio::test]
async fn r7_a_cursor_is_good_for_its_own_list_alone() {
    let relay = Relay::start_with(|config| config.limits.max_requests_per_second = 1_000_000).await;
    let things = things(&relay).await;
    let token = format!("authorization: Bearer {}\r\n", things.person.token(&relay));
    let with = |path: &str, query: &str| {
        let first = if path == "/v1/people" { "?prefix=a&" } else { "?" };
        format!("{}{first}{query}", things.fill(path, None))
    };
    let paged = |parameters: &[(String, String)]| parameters.iter().any(|(name, _)| name == "after");
    let lists: Vec<String> =
        reads(&relay).await.into_iter().filter(|(_, parameters)| paged(parameters)).map(|(path, _)| path).collect();
    let mut cursors = BTreeMap::new();
    for path in &lists {
        let answer = ask(&relay, &with(path, "limit=1"), &token).await;
        assert_eq!(answer.status, 200, "{path}");
        if let Some(next) =
            serde_json::from_slice::<Value>(&answer.body).ok().and_then(|page| page["next"].as_str().map(str::to_owned))
        {
            cursors.insert(path.clone(), next);
        }
    }
    assert!(cursors.len() > 12, "{:?}", cursors.keys());
    for path in &lists {
        for (of, cursor) in &cursors {
            let is_same = of == path
                || SAME_LISTS.iter().any(|same| same.contains(&path.as_str()) && same.contains(&of.as_str()));
            let answer = ask(&relay, &with(path, &format!("after={cursor}")), &token).await;
            let due = if is_same { 200 } else { 400 };
            assert_eq!(answer.status, due, "{path} with a cursor of {of}: {}", String::from_utf8_lossy(&answer.body));
            if !is_same {
                assert_eq!(answer.json()["error"]["code"], "bad_cursor", "{path}");
            }
        }
        // A modified cursor is another position in the same list, or is refused.
        let Some(cursor) = cursors.get(path) else { continue };
        for place in 0..cursor.len() {
            for bent in ["A", "_", "8"] {
                let bent = format!("{}{bent}{}", &cursor[..place], &cursor[place + 1..]);
                let answer = ask(&relay, &with(path, &format!("after={bent}")), &token).await;
                assert!([200, 400].contains(&answer.status), "{path} {bent}");
            }
            let cut = ask(&relay, &with(path, &format!("after={}", &cursor[..place])), &token).await;
            assert!([200, 400].contains(&cut.status), "{path} {}", &cursor[..place]);
        }
    }
}

/// All strings in a JSON value.
fn texts(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => found.push(text.clone()),
        Value::Array(values) => values.iter().for_each(|value| texts(value, found)),
        Value::Object(fields) => fields.values().for_each(|value| texts(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[tokio::test]
async fn no_text_that_people_write_leaves_its_place_in_any_answer() {
    let relay = Relay::start_with(|config| config.limits.max_requests_per_second = 1_000_000).await;
    let mut things = things(&relay).await;
    let (anna, text) = (&mut things.person, hostile());
    let fields =
        ProfileFields { handle: "anna".to_owned(), display_name: text.clone(), bio: text.clone(), by_approval: false };
    let named = anna.edit(DocId::only(&anna.account(), "profile"), DocKind::Profile, |doc| profile::put(doc, &fields));
    let fields = CarFields {
        make: text.clone(),
        model: text.clone(),
        year: Some(1_990),
        nickname: text.clone(),
        colour: text.clone(),
        ..CarFields { is_public: true, ..CarFields::default() }
    };
    let car = anna.edit(things.car, DocKind::Car, |doc| car::put(doc, &fields));
    anna.push(&relay, vec![named, car]).await;
    let entry =
        LogEntry { kind: LogKind::Fuel, at: START, odometer_m: None, litres: None, cost: None, note: text.clone() };
    anna.log(&relay, things.car, &entry).await;
    let published = anna.publish(&relay, &text, Visibility::Public, START).await;
    anna.drive(&relay, &text, Some(things.car), START, Some(published)).await;
    anna.comment(&relay, things.drive, &text).await;
    anna.comment(&relay, things.drive, &text.repeat(200)).await;
    let fields = MeetFields {
        title: text.clone(),
        text: text.repeat(300),
        place: text.clone(),
        time_zone: text.clone(),
        starts_at: now() + DAY_MS,
        visibility: Visibility::Public,
        position: Some([8.5, 47.0]),
        ..MeetFields::default()
    };
    things.meet = anna.meet(&relay, &fields).await;
    things.drive = published;
    let anna = &things.person;
    let token = format!("authorization: Bearer {}\r\n", anna.token(&relay));
    for (path, parameters) in reads(&relay).await.iter().filter(|(path, _)| !path.ends_with("/live")) {
        let mut url = things.fill(path, None);
        if parameters.iter().any(|(name, _)| name == "prefix") {
            url.push_str("?prefix=a");
        }
        let answer = ask(&relay, &url, &token).await;
        check_answer(&url, &answer);
        let (form, body) = (answer.header("content-type").to_owned(), String::from_utf8_lossy(&answer.body));
        let is_sound = |c: char| c == '\n' || !c.is_control() && !('\u{202a}'..='\u{202e}').contains(&c);
        if form.contains("json") {
            let mut found = Vec::new();
            texts(&answer.json(), &mut found);
            assert!(found.iter().all(|text| text.chars().all(is_sound)), "{url}: {found:?}");
        } else if form.contains("xml") {
            assert!(body.chars().all(is_sound) && !body.contains("<script"), "{url}: {body}");
            match form.contains("atom") {
                true => drop(feed_rs::parser::parse(answer.body.as_slice()).unwrap()),
                false => drop(gpx::read(answer.body.as_slice()).unwrap()),
            }
        } else if form.contains("calendar") {
            assert!(
                body.split("\r\n").all(|line| line.len() <= 75 && line.chars().all(|c| !c.is_control())),
                "{url}: {body}"
            );
            let calendar: icalendar::Calendar = body.parse().unwrap();
            let meets = if url.ends_with("meet.ics") { 1 } else { 3 };
            assert_eq!(calendar.events().count(), meets, "{url}: no text begins an event");
        }
    }
    assert_eq!(check(relay.database().location()).await.unwrap().findings, []);
}

#[tokio::test]
async fn meets_and_answers_at_the_ends_of_time_are_read_or_left_out() {
    let relay = Relay::start().await;
    let mut anna = Person::named(&relay, 1, "anna").await;
    let ends = [i64::MIN, -1, 0, 1, 7_258_118_399_999, 7_258_118_400_000, 253_402_300_800_000, i64::MAX];
    for (starts_at, ends_at) in ends.iter().flat_map(|start| ends.iter().map(move |end| (*start, *end))) {
        let fields = MeetFields {
            title: format!("{starts_at} to {ends_at}"),
            starts_at: Timestamp(starts_at),
            ends_at: Some(Timestamp(ends_at)),
            time_zone: "Europe/Zurich".to_owned(),
            visibility: Visibility::Public,
            position: Some([8.5, 47.0]),
            ..MeetFields::default()
        };
        anna.meet(&relay, &fields).await;
    }
    let mut found = 0;
    for path in [
        "/v1/meets",
        "/v1/meets.ics",
        "/v1/people/anna/meets",
        "/v1/people/anna/meets.ics",
        "/v1/me/meets",
        "/v1/me/feed",
    ] {
        for query in [
            "",
            "?limit=100",
            "?from=-9223372036854775808&limit=100",
            "?from=0&to=9223372036854775807",
            "?from=5&to=-5",
        ] {
            let answer = anna.ask(&relay, &format!("{path}{query}")).await;
            assert_eq!(answer.status, 200, "{path}{query}: {}", String::from_utf8_lossy(&answer.body));
            match answer.header("content-type").starts_with("text/calendar") {
                true => drop(std::str::from_utf8(&answer.body).unwrap().parse::<icalendar::Calendar>().unwrap()),
                false => found += answer.json()["meets"].as_array().map_or(0, Vec::len),
            }
        }
    }
    assert!(found > 0, "those that can be are shown");
    assert_eq!(check(relay.database().location()).await.unwrap().findings, []);
}
