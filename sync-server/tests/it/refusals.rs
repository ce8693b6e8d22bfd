//! Every bad input is refused with a code and a hint, and none causes a server error.

use serde_json::json;
use tourismo_core::docs::Visibility;
use tourismo_core::time::Timestamp;
use tourismo_core::wire::DocKind;

use crate::harness::{Document, Person, Relay, ask, drive_on, get};

#[tokio::test]
async fn r7_what_makes_no_sense_is_refused_with_a_code_and_a_hint() {
    let relay = Relay::start().await;
    let person = Person::named(&relay, 1, "dan").await;
    let id = person.account();
    let foreign = "AQFfX19fX19fX19fX19fX19fX19fX18";
    for (path, code) in [
        ("feed/public?limit=0", "bad_limit"),
        ("feed/public?limit=1e9", "bad_limit"),
        ("feed/public?after=%00", "bad_cursor"),
        ("feed/public?bbox=1,2,3", "bad_bbox"),
        ("feed/public?bbox=NaN,0,0,0", "bad_bbox"),
        ("feed/public?bbox=0,50,1,40", "bad_bbox"),
        ("meets?near=47", "bad_near"),
        ("meets?near=47,8&radiusM=1e12", "bad_radius"),
        ("meets?from=yesterday", "bad_time"),
        ("meets?to=99999999999999999999", "bad_time"),
        ("people?prefix=", "bad_prefix"),
        ("people", "bad_prefix"),
        (&format!("people?prefix={}", "x".repeat(31)), "bad_prefix"),
        ("people?prefix=%00", "bad_prefix"),
        ("me/stats?by=week", "bad_by"),
        (&format!("me/drives?after={foreign}"), "bad_cursor"),
        (&format!("me/feed?after={foreign}"), "bad_cursor"),
        (&format!("me/cars?after={foreign}"), "bad_cursor"),
        (&format!("me/meets?after={foreign}"), "bad_cursor"),
        (&format!("people/{id}/followers?after={foreign}"), "bad_cursor"),
    ] {
        let answer = person.ask(&relay, &format!("/v1/{path}")).await;
        let error = &answer.json()["error"];
        assert_eq!((answer.status, error["code"].as_str()), (400, Some(code)), "{path}");
        assert!(error["hint"].is_string() && error["message"].is_string(), "{path}");
    }
}

#[tokio::test]
async fn names_and_ids_that_lead_nowhere_look_like_nothing() {
    let relay = Relay::start().await;
    let person = Person::named(&relay, 1, "dan").await;
    let missing = person.ask(&relay, "/v1/drives/00000000-0000-7000-8000-000000000000").await.without_date();
    assert_eq!(missing.status, 404);
    for path in [
        "drives/no-id",
        "drives/%00",
        "drives/%ff%fe",
        "drives/x/comments",
        "drives/x/reactions",
        "drives/x/drive.gpx",
        "meets/x",
        "meets/x/attendees",
        "meets/x/live",
        "meets/x/meet.ics",
        "people/nobody",
        "people/%F0%9F%9A%97/drives",
        "people/00000000-0000-0000-0000-000000000000",
        "people/..%2f..%2fetc",
        "people/dan'--/stats",
        "me/cars/x/drives",
        "me/cars/x/log",
        "people/dan/cars/x/feed.atom",
        "nothing",
    ] {
        let answer = person.ask(&relay, &format!("/v1/{path}")).await.without_date();
        // A path that is not UTF-8 is refused before any route is matched.
        assert!(answer == missing || answer.status == 400 || path == "nothing", "{path}: {answer:?}");
        assert!(matches!(answer.status, 400 | 404), "{path}");
    }
}

#[tokio::test]
async fn the_public_feed_within_bounds_has_what_is_wholly_in_them() {
    let relay = Relay::start().await;
    let mut person = Person::new(&relay, 1).await;
    for hours in 0..5 {
        let start = Timestamp(1_790_000_000_000 + hours * 3_600_000);
        person.publish(&relay, &format!("{hours}"), Visibility::Public, start).await;
    }
    // The drives go north from 47.0, 8.5 for three kilometres.
    let count = async |query: &str| {
        let page = get(relay.addr(), &format!("/v1/feed/public?{query}")).await.json();
        page["drives"].as_array().unwrap().len()
    };
    assert_eq!(count("bbox=8,46,9,48").await, 5);
    assert_eq!(count("bbox=8.4,46.9,8.6,47.1").await, 5);
    assert_eq!(count("bbox=8.4,46.9,8.6,47.01").await, 0, "they lead out of it");
    assert_eq!(count("bbox=-180,-90,180,90").await, 5);
    assert_eq!(count("bbox=170,-90,160,90").await, 5, "nearly all the way round");
    assert_eq!(count("bbox=170,40,-170,50").await, 0);
    let first = get(relay.addr(), "/v1/feed/public?bbox=8,46,9,48&limit=3").await.json();
    let next = first["next"].as_str().unwrap();
    assert_eq!(count(&format!("bbox=8,46,9,48&limit=3&after={next}")).await, 2);
}

#[tokio::test]
async fn documents_of_each_kind_that_hold_nonsense_harm_nobody() {
    let relay = Relay::start().await;
    let person = Person::new(&relay, 1).await;
    let mut offers = Vec::new();
    for (number, kind) in (50..).zip(DocKind::ALL) {
        let mut nonsense = Document::new(person.phone.device(), number, kind);
        let garbage = [0xff; 50];
        for key in ["startsAt", "title", "log 0190", "follow x", "comment y", "amends", "handle", "startedAt"] {
            let edit = |doc: &mut _| {
                tourismo_core::docs::automerge_doc::edit(doc, |edit| edit.bytes_or_nothing(key, Some(&garbage)))
            };
            offers.push(nonsense.offer(edit).0);
        }
    }
    let mut drive = Document::new(person.phone.device(), 99, DocKind::Published);
    offers.push(drive.publish("Good", Visibility::Public, &drive_on(Timestamp(1_790_000_000_000))));
    person.push(&relay, offers).await;
    assert_eq!(get(relay.addr(), "/v1/feed/public").await.json()["drives"][0]["title"], "Good");
    for path in ["drives", "cars", "meets", "feed", "stats", "profile", "requests"] {
        person.read(&relay, &format!("/v1/me/{path}")).await;
    }
    assert_eq!(tourismo_server::maintenance::check(relay.database().location()).await.unwrap().findings, []);
}

#[tokio::test]
async fn what_is_no_read_is_refused_with_a_code() {
    let relay = Relay::start().await;
    for path in ["/v1/feed/public", "/v1/me/drives", "/v1/health"] {
        for method in ["POST", "PUT", "DELETE", "PATCH"] {
            let answer = ask(relay.addr(), method, path, "").await;
            assert_eq!((answer.status, answer.json()["error"]["code"].as_str()), (405, Some("method_not_allowed")));
        }
    }
}

#[tokio::test]
async fn a_drive_over_the_date_line_is_found_in_all_bounds_that_hold_it_and_is_cut_there() {
    let relay = Relay::start().await;
    let mut person = Person::new(&relay, 1).await;
    let mut track = drive_on(Timestamp(1_790_000_000_000));
    // On Taveuni, to the east: the drive crosses the 180th meridian in its first part.
    for (index, fix) in track.iter_mut().flat_map(|stretch| &mut stretch.fixes).enumerate() {
        let lon_deg = 179.999 + 2e-4 * index as f64;
        (fix.lat_deg, fix.lon_deg) = (-16.8, if lon_deg > 180.0 { lon_deg - 360.0 } else { lon_deg });
    }
    let drive = person.publish_track(&relay, "Taveuni", Visibility::Public, &track).await;
    let count = async |bbox: &str| {
        let page = get(relay.addr(), &format!("/v1/feed/public?bbox={bbox}")).await.json();
        page["drives"].as_array().unwrap().len()
    };
    for (bbox, expected) in [
        ("-180,-90,180,90", 1),
        ("179,-17,-179,-16", 1),
        ("170,-90,160,90", 1),
        ("179.9995,-17,-179,-16", 0),
        ("-180,-17,-179,-16", 0),
        ("179,-17,180,-16", 0),
    ] {
        assert_eq!(count(bbox).await, expected, "{bbox}");
    }
    let page = get(relay.addr(), "/v1/feed/public").await.json();
    let feature = get(relay.addr(), &format!("/v1/drives/{drive}")).await.json();
    assert!(feature["bbox"][0].as_f64() > feature["bbox"][2].as_f64());
    let lines = feature["geometry"]["coordinates"].as_array().unwrap();
    assert_eq!(lines.len(), 3, "two parts, one of them cut");
    for (line, part) in lines.iter().zip(feature["properties"]["parts"].as_array().unwrap()) {
        assert_eq!(line.as_array().unwrap().len(), part["elapsedMs"].as_array().unwrap().len());
    }
    for line in lines.iter().chain(page["drives"][0]["line"].as_array().unwrap()) {
        let lons: Vec<f64> = line.as_array().unwrap().iter().map(|point| point[0].as_f64().unwrap()).collect();
        assert!(lons.windows(2).all(|pair| (pair[1] - pair[0]).abs() < 1.0), "{lons:?}");
    }
    assert_eq!((&lines[0].as_array().unwrap().last().unwrap()[0], &lines[1][0][0]), (&json!(180.0), &json!(-180.0)));
}
