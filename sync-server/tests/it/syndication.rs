//! Public feeds over real sockets, read by independent parsers.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use tourismo_core::docs::{MeetFields, Visibility};
use tourismo_core::time::Timestamp;

use crate::harness::{Answer, Person, Relay, get, get_with, now};

const HOUR_MS: i64 = 3_600_000;
const START: Timestamp = Timestamp(1_790_000_000_000 - 1_790_000_000_000 % HOUR_MS);
const TITLE: &str = "<b>Over</b> & \"under\" ]]>";

/// Every entry on all pages of a feed, by its links.
async fn entries(relay: &Relay, path: &str) -> Vec<feed_rs::model::Entry> {
    let (mut found, mut next) = (Vec::new(), Some(path.to_owned()));
    while let Some(path) = next {
        let answer = get(relay.addr(), &path).await;
        assert_eq!(answer.status, 200, "{path}");
        let feed = feed_rs::parser::parse(answer.body.as_slice()).unwrap();
        let is_json = feed.feed_type == feed_rs::model::FeedType::JSON;
        let link = feed.links.iter().find(|link| link.rel.as_deref() == Some("next")).map(|link| link.href.clone());
        let link = if is_json { answer.json()["next_url"].as_str().map(str::to_owned) } else { link };
        next = link.map(|link| link.strip_prefix(&format!("http://{}", relay.addr())).unwrap().to_owned());
        found.extend(feed.entries);
    }
    found
}

#[tokio::test]
async fn feeds_of_everyone_of_a_person_and_of_a_car_are_read_page_by_page() {
    let relay = Relay::start().await;
    let mut anna = Person::named(&relay, 1, "anna").await;
    let car = anna.car(&relay, "Red & fast", true).await;
    let secret = anna.car(&relay, "Secret", false).await;
    let mut ben = Person::named(&relay, 2, "ben").await;
    for hours in 0..5 {
        let published = anna.publish(&relay, TITLE, Visibility::Public, START + hours * HOUR_MS).await;
        let driven = if hours < 2 { car } else { secret };
        anna.drive(&relay, "private title", Some(driven), START + hours * HOUR_MS, Some(published)).await;
    }
    anna.publish(&relay, "for followers", Visibility::Followers, START).await;
    ben.publish(&relay, "Ben's", Visibility::Public, START).await;
    for form in ["atom", "json"] {
        for (path, count) in [
            (format!("/v1/feed/public.{form}?limit=2"), 6),
            (format!("/v1/people/anna/feed.{form}?limit=2"), 5),
            (format!("/v1/people/{}/feed.{form}", anna.account()), 5),
            (format!("/v1/people/anna/cars/{car}/feed.{form}?limit=1"), 2),
            (format!("/v1/feed/public.{form}?limit=2&bbox=8%2C46%2C9%2C48"), 6),
        ] {
            let entries = entries(&relay, &path).await;
            assert_eq!(entries.len(), count, "{path}");
            // Within one hour, the order of different people's drives is random.
            let title = |entry: &&feed_rs::model::Entry| entry.title.as_ref().unwrap().content == TITLE;
            let hers = entries.iter().find(title).expect("her drive is in the feed");
            assert_eq!(hers.authors[0].name.as_deref(), Some("anna!"));
            assert!(hers.links[0].href.contains("/#/public/"), "{:?}", hers.links);
        }
        let hidden = get(relay.addr(), &format!("/v1/people/anna/cars/{secret}/feed.{form}")).await;
        assert_eq!(hidden.status, 404);
    }
    let atom = get(relay.addr(), "/v1/feed/public.atom").await;
    assert_eq!(atom.header("content-type"), "application/atom+xml; charset=utf-8");
    assert!(!String::from_utf8(atom.body).unwrap().contains("private title"));
}

/// The result of Python's feedparser as JSON: whether the feed was ill-formed, and its entries.
fn read_by_python(feed: &[u8]) -> serde_json::Value {
    const SCRIPT: &str = r#"
import feedparser, json, sys
feed = feedparser.parse(sys.stdin.buffer.read())
shown = lambda entry: {name: entry.get(name) for name in ("id", "title", "link", "author", "published", "updated", "where")}
print(json.dumps({
    "guessed": bool(feed.bozo), "version": feed.version, "title": feed.feed.title,
    "next": [link.href for link in feed.feed.links if link.rel == "next"], "entries": [shown(entry) for entry in feed.entries],
}))
"#;
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/python/bin/python");
    assert!(python.exists(), "tests/setup.sh test installs Python's feedparser");
    let mut command = Command::new(python);
    let mut running = command.args(["-c", SCRIPT]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    running.stdin.take().unwrap().write_all(feed).unwrap();
    let output = running.wait_with_output().unwrap();
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test]
async fn pythons_feedparser_reads_atom_as_it_was_meant() {
    let relay = Relay::start().await;
    let mut anna = Person::named(&relay, 1, "anna").await;
    let mut published = Vec::new();
    for hours in 0..3 {
        published.insert(0, anna.publish(&relay, TITLE, Visibility::Public, START + hours * HOUR_MS).await);
    }
    for path in ["/v1/feed/public.atom?limit=2", "/v1/people/anna/feed.atom?limit=2"] {
        let (mut ids, mut next) = (Vec::new(), Some(path.to_owned()));
        while let Some(path) = next {
            let feed = read_by_python(&get(relay.addr(), &path).await.body);
            assert_eq!((&feed["guessed"], &feed["version"]), (&false.into(), &"atom10".into()), "{feed}");
            for entry in feed["entries"].as_array().unwrap() {
                assert_eq!(entry["title"], TITLE, "{path}");
                assert_eq!((&entry["author"], &entry["where"]["type"]), (&"anna!".into(), &"LineString".into()));
                assert!(entry["published"].is_string() && entry["updated"].is_string(), "{entry}");
                ids.push(entry["id"].as_str().unwrap().to_owned());
            }
            let host = format!("http://{}", relay.addr());
            next = feed["next"][0].as_str().map(|link| link.strip_prefix(&host).unwrap().to_owned());
        }
        assert_eq!(ids, published.iter().map(|id| format!("urn:uuid:{id}")).collect::<Vec<_>>(), "{path}");
    }
}

fn calendar(answer: &Answer) -> Vec<icalendar::Event> {
    assert_eq!((answer.status, answer.header("content-type")), (200, "text/calendar; charset=utf-8"));
    let calendar: icalendar::Calendar = std::str::from_utf8(&answer.body).unwrap().parse().unwrap();
    calendar.events().cloned().collect()
}

#[tokio::test]
async fn meets_are_subscribed_to_and_a_change_of_one_is_a_change_of_the_same() {
    use icalendar::Component;
    let relay = Relay::start().await;
    let mut anna = Person::named(&relay, 1, "anna").await;
    let fields = MeetFields {
        title: TITLE.to_owned(),
        starts_at: Timestamp(now().as_millis() / 1_000 * 1_000 + 48 * HOUR_MS),
        time_zone: "Europe/Zurich".to_owned(),
        visibility: Visibility::Public,
        position: Some([8.5, 47.0]),
        ..MeetFields::default()
    };
    let meet = anna.meet(&relay, &fields).await;
    for path in ["/v1/meets.ics", "/v1/people/anna/meets.ics", &format!("/v1/meets/{meet}/meet.ics")] {
        let events = calendar(&get(relay.addr(), path).await);
        assert_eq!(events.len(), 1, "{path}");
        assert_eq!(events[0].get_summary(), Some(TITLE));
        assert_eq!(events[0].property_value("STATUS"), Some("CONFIRMED"));
    }
    let path = format!("/v1/meets/{meet}/meet.ics");
    let before = &calendar(&get(relay.addr(), &path).await)[0];
    anna.change_meet(&relay, meet, &fields, &MeetFields { cancelled: true, ..fields.clone() }).await;
    let after = &calendar(&get(relay.addr(), &path).await)[0];
    assert_eq!(after.property_value("STATUS"), Some("CANCELLED"));
    assert_eq!(after.get_uid(), before.get_uid());
    let sequence = |event: &icalendar::Event| event.property_value("SEQUENCE").unwrap().parse::<u32>().unwrap();
    assert!(sequence(after) > sequence(before));
}

#[tokio::test]
async fn meets_are_read_page_by_page_and_a_change_of_one_makes_it_newer() {
    let relay = Relay::start().await;
    let mut anna = Person::named(&relay, 1, "anna").await;
    let fields = |title: &str, days: i64| MeetFields {
        title: title.to_owned(),
        text: "Bring <coffee>.".to_owned(),
        place: "At the lake".to_owned(),
        starts_at: Timestamp(now().as_millis() + 24 * days * HOUR_MS),
        time_zone: "Europe/Zurich".to_owned(),
        visibility: Visibility::Public,
        position: Some([8.5, 47.0]),
        ..MeetFields::default()
    };
    let mut meets = Vec::new();
    for (title, days) in [("Third", 3), (TITLE, 1), ("Second", 2)] {
        meets.push(anna.meet(&relay, &fields(title, days)).await);
    }
    let seen = fields("Third", 3);
    anna.change_meet(&relay, meets[0], &seen, &MeetFields { cancelled: true, ..seen.clone() }).await;
    for path in ["/v1/meets.atom?limit=1", "/v1/meets.json?limit=1", "/v1/meets.atom?limit=2&near=47,8.5"] {
        let entries = entries(&relay, path).await;
        let titles: Vec<_> = entries.iter().map(|entry| entry.title.as_ref().unwrap().content.as_str()).collect();
        assert_eq!(titles, [TITLE, "Second", "Cancelled: Third"], "{path}");
        for entry in &entries {
            let text = entry.summary.as_ref().map(|text| &text.content);
            let text = text.or(entry.content.as_ref().and_then(|content| content.body.as_ref())).unwrap();
            assert!(text.ends_with("(Europe/Zurich)\nAt the lake\nBring <coffee>."), "{text}");
            assert!(entry.links[0].href.contains("/#/meets/"), "{:?}", entry.links);
            assert_eq!(entry.authors[0].name.as_deref(), Some("anna!"));
        }
    }
    assert!(entries(&relay, "/v1/meets.atom?bbox=0,0,1,1").await.is_empty());
    let feed = read_by_python(&get(relay.addr(), "/v1/meets.atom").await.body);
    assert_eq!((&feed["guessed"], &feed["version"]), (&false.into(), &"atom10".into()), "{feed}");
    assert_eq!(feed["entries"][0]["where"]["coordinates"], serde_json::json!([8.5, 47.0]));
}

/// The titles of a calendar or of a feed.
async fn titles(relay: &Relay, path: &str) -> Vec<String> {
    if path.contains(".ics") {
        use icalendar::Component;
        let events = calendar(&get(relay.addr(), path).await);
        return events.iter().map(|event| event.get_summary().unwrap().to_owned()).collect();
    }
    entries(relay, path).await.into_iter().map(|entry| entry.title.unwrap().content).collect()
}

#[tokio::test]
async fn a_meet_stays_with_its_subscribers_when_it_begins_and_for_30_days_after_it_has_ended() {
    let relay = Relay::start().await;
    let mut anna = Person::named(&relay, 1, "anna").await;
    let meet = |title: &str, starts_in: i64, hours: Option<i64>| MeetFields {
        title: title.to_owned(),
        starts_at: Timestamp(now().as_millis() + starts_in * HOUR_MS),
        ends_at: hours.map(|hours| Timestamp(now().as_millis() + (starts_in + hours) * HOUR_MS)),
        visibility: Visibility::Public,
        position: Some([8.5, 47.0]),
        ..MeetFields::default()
    };
    for fields in [
        meet("ended 31 days ago", -32 * 24, Some(24)),
        meet("ended 29 days ago", -40 * 24, Some(11 * 24)),
        meet("ended yesterday, as it seems", -36, None),
        meet("begun, with an end", -700, Some(720)),
        meet("begun, without an end", -1, None),
        meet("to come", 48, None),
    ] {
        anna.meet(&relay, &fields).await;
    }
    let near = "near=47,8.5";
    let coming = ["begun, with an end", "begun, without an end", "to come"];
    let ended = ["ended 29 days ago", "ended yesterday, as it seems"];
    let by_start = [ended, [coming[0], coming[1]]].concat();
    for query in [near, ""] {
        let found = titles(&relay, &format!("/v1/meets.ics?{query}")).await;
        assert_eq!(found, [by_start.as_slice(), &coming[2..]].concat(), "{query}");
        for form in ["atom", "json"] {
            for limit in [1, 2, 4, 100] {
                let found = titles(&relay, &format!("/v1/meets.{form}?limit={limit}&{query}")).await;
                assert_eq!(found, [coming.as_slice(), &[ended[1], ended[0]]].concat(), "{form} {limit} {query}");
            }
        }
        let listed = get(relay.addr(), &format!("/v1/meets?{query}")).await.json();
        let listed = listed["meets"].as_array().unwrap().iter().map(|meet| meet["title"].as_str().unwrap().to_owned());
        assert_eq!(listed.collect::<Vec<_>>(), coming, "{query}");
    }
    let from = now().as_millis() + HOUR_MS;
    assert_eq!(titles(&relay, &format!("/v1/meets.atom?from={from}")).await, ["to come"], "what was asked for");
}

#[tokio::test]
async fn a_feed_leads_to_a_page_and_is_the_same_one_by_whatever_name_the_relay_is_reached() {
    let relay = Relay::start().await;
    let mut anna = Person::named(&relay, 1, "anna").await;
    let car = anna.car(&relay, "Red", true).await;
    let published = anna.publish(&relay, TITLE, Visibility::Public, START).await;
    anna.drive(&relay, "", Some(car), START, Some(published)).await;
    let account = anna.account();
    let mut ids = Vec::new();
    for (path, page) in [
        ("/v1/feed/public".to_owned(), "feed".to_owned()),
        ("/v1/people/anna/feed".to_owned(), format!("people/{account}")),
        (format!("/v1/people/anna/cars/{car}/feed"), format!("people/{account}")),
        ("/v1/meets".to_owned(), "meets".to_owned()),
    ] {
        let atom = async |query: &str, host: &str| {
            let answer = get_with(relay.addr(), &format!("{path}.atom?{query}"), &format!("host: {host}\r\n")).await;
            feed_rs::parser::parse(answer.body.as_slice()).unwrap()
        };
        let (one, other) = (atom("limit=1", "one.example").await, atom("", "other.example").await);
        let home = |feed: &feed_rs::model::Feed| {
            let link = feed.links.iter().find(|link| link.rel.as_deref() == Some("alternate"));
            link.unwrap().href.clone()
        };
        assert_eq!(home(&one), format!("http://one.example/#/{page}"), "{path}");
        let same =
            |feed: feed_rs::model::Feed| (feed.id, feed.entries.into_iter().map(|entry| entry.id).collect::<Vec<_>>());
        let narrower = atom("bbox=0,0,1,1", "one.example").await.id;
        let one = same(one);
        assert!(one.0.starts_with("urn:uuid:") && one.0 != narrower, "{}: of another place it is another feed", one.0);
        ids.push(one.0.clone());
        assert_eq!(one, same(other), "{path}");
        let json = get(relay.addr(), &format!("{path}.json")).await.json();
        assert!(json["home_page_url"].as_str().unwrap().ends_with(&format!("/#/{page}")), "{json}");
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 4, "each feed has an id of its own");
}

#[tokio::test]
async fn a_published_drive_is_read_as_gpx() {
    let relay = Relay::start().await;
    let mut anna = Person::named(&relay, 1, "anna").await;
    let drive = anna.publish(&relay, TITLE, Visibility::Link, START).await;
    let answer = get(relay.addr(), &format!("/v1/drives/{drive}/drive.gpx")).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/gpx+xml; charset=utf-8"));
    let gpx = gpx::read(answer.body.as_slice()).unwrap();
    assert_eq!(gpx.tracks[0].name.as_deref(), Some(TITLE));
    assert_eq!(gpx.tracks[0].segments.iter().map(|segment| segment.points.len()).collect::<Vec<_>>(), [60, 60]);
    assert!(gpx.tracks[0].segments[0].points[0].time.is_none());
}

#[tokio::test]
async fn the_api_describes_itself() {
    let relay = Relay::start().await;
    let api = get(relay.addr(), "/v1/openapi.json").await.json();
    for path in ["/v1/me/feed", "/v1/people/{person}", "/v1/meets/{id}/attendees", "/v1/feed/public.atom"] {
        assert!(api["paths"][path]["get"]["responses"]["200"].is_object(), "{path}");
    }
}
