//! Roads found in public drives: the minimum number of drivers, visibility, formats, and removal.

use std::time::{Duration, SystemTime};

use tokio::time::timeout;
use tourismo_core::docs::{Visibility, published};
use tourismo_core::fix::Fix;
use tourismo_core::id::DocId;
use tourismo_core::time::Timestamp;
use tourismo_core::track::Stretch;
use tourismo_core::wire::DocKind;
use tourismo_server::maintenance::{Finding, check, repair};

use crate::harness::{Document, Phone, Relay, get, get_with};
use crate::maintenance::push;

/// How long to wait for the road builder, which needs milliseconds.
const PATIENCE: Duration = Duration::from_secs(60);

async fn relay() -> Relay {
    Relay::start_with(|config| {
        config.roads_every = Duration::ZERO;
        config.roads_from_drivers = 3;
    })
    .await
}

const DAY_MS: i64 = 86_400_000;

/// 3 km of corners at 15 m/s, so many days from today.
fn winding_drive(days: i64) -> Vec<Stretch> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis();
    let start = Timestamp(i64::try_from(now).unwrap() + days * DAY_MS);
    let (mut east_m, mut north_m, mut heading) = (0.0, 0.0, 0.0_f64);
    let mut fixes = Vec::new();
    for metre in 0..3_000_i32 {
        // Straights of 100 m and corners of 100 m, to the left and to the right.
        let bend = [0.0, 1.0 / 60.0, 0.0, -1.0 / 60.0][(metre / 100 % 4) as usize];
        heading += bend;
        east_m += heading.cos();
        north_m += heading.sin();
        if metre % 15 == 0 {
            let fixed_at = start + i64::from(metre) * 1_000 / 15;
            fixes.push(Fix {
                fixed_at,
                recorded_at: fixed_at,
                lat_deg: 47.0 + north_m / 111_200.0,
                lon_deg: 8.5 + east_m / 76_000.0,
                accuracy_m: Some(5.0),
                altitude_m: Some(400.0),
                altitude_accuracy_m: None,
                heading_deg: None,
                speed_mps: Some(15.0),
            });
        }
    }
    vec![Stretch { fixes, ..Stretch::default() }]
}

/// Publishes a drive of yesterday over the road.
async fn publish(relay: &Relay, seed: u8, visibility: Visibility) -> (Phone, Document) {
    let phone = Phone::founder(seed);
    let drive = publish_from(relay, &phone, seed, visibility, -1).await;
    (phone, drive)
}

async fn publish_from(relay: &Relay, phone: &Phone, number: u8, visibility: Visibility, days: i64) -> Document {
    let id = DocId::bound(&phone.account, [number; 6]);
    let mut drive = Document::named(phone.device(), number, DocKind::Published, id);
    let offer = drive.publish(&format!("Drive {number}"), visibility, &winding_drive(days));
    push(relay, phone, vec![offer]).await;
    drive
}

/// The relay after a batch over all public drives.
async fn surveyed_anew(relay: Relay) -> Relay {
    let database = relay.stop().await;
    database.write("DELETE FROM road_batch").await;
    let relay = Relay::start_on(database, |config| config.roads_from_drivers = 3).await;
    let batch = async {
        while relay.count("SELECT COUNT(*) FROM road_batch").await == 0 {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, batch).await.expect("a batch is made");
    relay
}

async fn roads(relay: &Relay, query: &str) -> Vec<serde_json::Value> {
    let answer = get(relay.addr(), &format!("/v1/roads{query}")).await;
    assert_eq!(answer.status, 200, "{query}");
    answer.json()["features"].as_array().unwrap().clone()
}

/// Waits for the next batch over so many drives, after which roads are shown or not.
async fn surveyed(relay: &Relay, is_shown: bool) {
    let look = async {
        while relay.count("SELECT CAST(COUNT(*) AS BIGINT) FROM (SELECT 1 FROM road_segment LIMIT 1) shown").await
            != i64::from(is_shown)
            || relay.count("SELECT COUNT(*) FROM road_batch").await == 0
        {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, look).await.expect("a batch is made");
}

#[tokio::test]
async fn r10_a_road_is_shown_from_three_drivers_on_until_one_of_them_withdraws() {
    let relay = relay().await;
    publish(&relay, 1, Visibility::Public).await;
    publish(&relay, 2, Visibility::Public).await;
    publish(&relay, 4, Visibility::Link).await;
    publish(&relay, 5, Visibility::Followers).await;
    assert_eq!(relay.count("SELECT COUNT(*) FROM road_trace").await, 2, "what is for everybody");
    let (phone, mut drive) = publish(&relay, 3, Visibility::Public).await;
    surveyed(&relay, true).await;

    let shown = roads(&relay, "").await;
    let best = &shown[0];
    assert_eq!(best["geometry"]["type"], "LineString");
    assert!(best["properties"]["score"].as_u64().unwrap() > 50, "{best}");
    assert!(best["properties"]["parts"]["corners"].as_u64().unwrap() > 50);
    assert_eq!(best["properties"]["drivers"], "few");
    let id = best["id"].as_str().unwrap();
    let road = get(relay.addr(), &format!("/v1/roads/{id}")).await.json();
    let mut titles: Vec<_> =
        road["properties"]["drives"].as_array().unwrap().iter().map(|drive| drive["title"].clone()).collect();
    titles.sort_by_key(ToString::to_string);
    assert_eq!(titles, ["Drive 1", "Drive 2", "Drive 3"]);
    assert_eq!(check(relay.database().location()).await.unwrap().findings, []);

    let withdrawn = drive.offer(|doc| published::change(doc, "Withdrawn", "", Visibility::Private)).0;
    push(&relay, &phone, vec![withdrawn]).await;
    surveyed(&relay, false).await;
    assert!(roads(&relay, "").await.is_empty());
    assert_eq!(get(relay.addr(), &format!("/v1/roads/{id}")).await.status, 404);
    assert_eq!(check(relay.database().location()).await.unwrap().findings, []);
}

#[tokio::test]
async fn r10_people_are_counted_not_their_devices_nor_their_drives_nor_what_is_dated_in_the_future_or_long_ago() {
    let relay = relay().await;
    let first = Phone::founder(1);
    for (number, phone) in [(1, &first), (2, &first.link(101)), (3, &first.link(102)), (4, &first)] {
        publish_from(&relay, phone, number, Visibility::Public, -1).await;
    }
    publish(&relay, 5, Visibility::Public).await;
    publish_from(&relay, &Phone::founder(6), 6, Visibility::Public, 30).await;
    publish_from(&relay, &Phone::founder(7), 7, Visibility::Public, -370).await;
    assert_eq!(relay.count("SELECT COUNT(*) FROM road_trace").await, 7);
    let relay = surveyed_anew(relay).await;
    assert!(roads(&relay, "").await.is_empty(), "two people");
    publish(&relay, 8, Visibility::Public).await;
    let relay = surveyed_anew(relay).await;
    assert!(!roads(&relay, "").await.is_empty(), "three");
    assert_eq!(check(relay.database().location()).await.unwrap().findings, []);
}

#[tokio::test]
async fn roads_are_found_by_place_and_score_page_by_page_and_not_sent_twice() {
    let relay = relay().await;
    for seed in 1..=3 {
        publish(&relay, seed, Visibility::Public).await;
    }
    surveyed(&relay, true).await;
    let all = roads(&relay, "").await;
    for query in ["?bbox=8.4,46.9,8.7,47.1", "?bbox=0,0,40,60", "?near=47.01,8.51&radiusM=5000", "?min_score=10"] {
        assert_eq!(roads(&relay, query).await, all, "{query}");
    }
    for query in ["?bbox=8.6,46.9,8.7,47.1", "?near=47.1,8.5&radiusM=2000", "?min_score=100", "?bbox=-8.7,46,-8.4,48"] {
        assert!(roads(&relay, query).await.is_empty(), "{query}");
    }
    let mut paged = Vec::new();
    let mut query = "?limit=1".to_owned();
    loop {
        let page = get(relay.addr(), &format!("/v1/roads{query}")).await.json();
        paged.extend(page["features"].as_array().unwrap().clone());
        let Some(next) = page["next"].as_str() else { break };
        query = format!("?limit=1&after={next}");
    }
    assert_eq!(paged, all);
    for bad in ["?min_score=101", "?min_score=x", "?after=AAAA", "?bbox=1"] {
        assert_eq!(get(relay.addr(), &format!("/v1/roads{bad}")).await.status, 400, "{bad}");
    }
    let first = get(relay.addr(), "/v1/roads").await;
    let known = format!("If-None-Match: {}\r\n", first.header("etag"));
    assert_eq!(get_with(relay.addr(), "/v1/roads", &known).await.status, 304);
}

#[tokio::test]
async fn a_tile_has_the_roads_of_its_place() {
    let relay = relay().await;
    for seed in 1..=3 {
        publish(&relay, seed, Visibility::Public).await;
    }
    surveyed(&relay, true).await;
    // The tile of 8.5° E 47.0° N at zoom 12.
    let tile = get(relay.addr(), "/v1/roads/tiles/12/2144/1440.mvt").await;
    assert_eq!((tile.status, tile.header("content-type")), (200, "application/vnd.mapbox-vector-tile"));
    assert!(tile.body.windows(5).any(|bytes| bytes == b"score"));
    let known = format!("If-None-Match: {}\r\n", tile.header("etag"));
    assert_eq!(get_with(relay.addr(), "/v1/roads/tiles/12/2144/1440.mvt", &known).await.status, 304);
    let elsewhere = get(relay.addr(), "/v1/roads/tiles/12/10/10.mvt").await;
    assert_eq!((elsewhere.status, elsewhere.body.len()), (200, 0));
    for bad in ["15/0/0.mvt", "2/4/0.mvt", "2/0/0", "x/0/0.mvt", "2/0/-1.mvt"] {
        assert!([400, 404].contains(&get(relay.addr(), &format!("/v1/roads/tiles/{bad}")).await.status), "{bad}");
    }
}

#[tokio::test]
async fn a_road_that_is_not_what_the_drives_say_is_found_and_mended() {
    let relay = relay().await;
    for seed in 1..=3 {
        publish(&relay, seed, Visibility::Public).await;
    }
    surveyed(&relay, true).await;
    let mut database = relay.stop().await;
    for wrong in [
        "UPDATE road_segment SET length_m = length_m + 1000",
        "UPDATE road_square SET lon = lon + 1 WHERE size = 2",
        "DELETE FROM road_square WHERE size = 5",
        "DELETE FROM road_segment",
    ] {
        database.write(wrong).await;
        let findings = check(database.location()).await.unwrap().findings;
        assert!(matches!(findings[..], [Finding::Roads { .. }]), "{wrong}: {findings:?}");
        assert_eq!(repair(database.location()).await.unwrap().findings, []);
        let relay = Relay::start_on(database, |config| config.roads_from_drivers = 3).await;
        surveyed(&relay, true).await;
        database = relay.stop().await;
    }
    let relay = Relay::start_on(database, |config| config.roads_from_drivers = 3).await;
    assert!(roads(&relay, "").await[0]["properties"]["lengthM"].as_u64().unwrap() < 5_000);
}
