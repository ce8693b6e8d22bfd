//! Public reads over HTTP, without a token.

use std::io::Read;

use tourismo_core::docs::{ProfileFields, Visibility, profile, published};
use tourismo_core::time::Timestamp;
use tourismo_core::wire::{DocKind, Offer};

use crate::harness::{Document, Phone, Relay, ask, drive_on, get, get_with};

const HOUR_MS: i64 = 3_600_000;
/// A full hour of September 2026.
const START: Timestamp = Timestamp(1_790_000_000_000 - 1_790_000_000_000 % HOUR_MS);

async fn push(relay: &Relay, phone: &Phone, offers: Vec<Offer>) {
    let mut wire = phone.join(relay.addr()).await;
    let count = offers.len();
    wire.push(offers).await;
    assert_eq!(wire.answers(count).await.acked.len(), count);
    wire.close().await;
}

async fn titles(relay: &Relay, query: &str) -> (Vec<String>, Option<String>) {
    let page = get(relay.addr(), &format!("/v1/feed/public{query}")).await.json();
    let title = |drive: &serde_json::Value| drive["title"].as_str().unwrap().to_owned();
    let titles = page["drives"].as_array().unwrap().iter().map(title).collect();
    (titles, page["next"].as_str().map(str::to_owned))
}

#[tokio::test]
async fn a_published_drive_is_in_the_feed_with_its_author() {
    let (relay, phone) = (Relay::start().await, Phone::founder(1));
    let mut drive = Document::new(phone.device(), 1, DocKind::Published);
    let offer = drive.publish("Over the pass", Visibility::Public, &drive_on(START + 600_000));
    push(&relay, &phone, vec![offer]).await;
    let page = get(relay.addr(), "/v1/feed/public").await.json();
    let item = &page["drives"][0];
    assert_eq!(item["id"], drive.id.to_string());
    assert_eq!(item["account"], phone.account.to_string());
    assert_eq!(item["title"], "Over the pass");
    assert_eq!(item["car"], "Red one");
    assert_eq!(item["startedAt"], START.as_millis(), "to the hour");
    assert_eq!(item["utcOffsetMin"], 120);
    assert_eq!(item["handle"], serde_json::Value::Null);
    assert_eq!(item["bbox"].as_array().unwrap().len(), 4);
    assert_eq!(item["line"].as_array().unwrap().len(), 2, "nothing is drawn through the tunnel");
    let distance_m = item["stats"]["distanceM"].as_f64().unwrap();
    assert!((2_300.0..2_420.0).contains(&distance_m), "{distance_m}");

    // A profile that arrives later is shown as well.
    let mut profile_doc = Document::new(phone.device(), 2, DocKind::Profile);
    let fields = ProfileFields { handle: "dan".into(), display_name: "Dan".into(), ..ProfileFields::default() };
    let offer = profile_doc.offer(|doc| profile::put(doc, &fields)).0;
    push(&relay, &phone, vec![offer]).await;
    let page = get(relay.addr(), "/v1/feed/public").await.json();
    assert_eq!(page["drives"][0]["handle"], "dan");
    assert_eq!(page["drives"][0]["displayName"], "Dan");
}

#[tokio::test]
async fn a_feed_page_stays_where_it_is_while_others_publish() {
    let (relay, phone) = (Relay::start().await, Phone::founder(1));
    let publish = |number: u8, hours: i64| {
        let mut drive = Document::new(phone.device(), number, DocKind::Published);
        drive.publish(&format!("{hours} h"), Visibility::Public, &drive_on(START + hours * HOUR_MS))
    };
    push(&relay, &phone, (0..30).map(|i| publish(i, i64::from(i))).collect()).await;
    let (first, next) = titles(&relay, "?limit=10").await;
    assert_eq!(first, (20..30).rev().map(|hours| format!("{hours} h")).collect::<Vec<_>>());
    // One above the first page, one in a page that was read, one in a page that was not.
    push(&relay, &phone, vec![publish(40, 40), publish(41, 25), publish(42, 15)]).await;
    let (second, next) = titles(&relay, &format!("?limit=10&after={}", next.unwrap())).await;
    let mut due: Vec<_> = (11..20).rev().map(|hours| format!("{hours} h")).collect();
    due.insert(4, "15 h".into());
    assert_eq!(second, due);
    let (third, next) = titles(&relay, &format!("?limit=100&after={}", next.unwrap())).await;
    assert_eq!(third, (0..11).rev().map(|hours| format!("{hours} h")).collect::<Vec<_>>());
    assert_eq!(next, None);
    assert_eq!(titles(&relay, "?limit=1").await.0, ["40 h"], "the newest page is not an old one");
}

#[tokio::test]
async fn every_drive_is_on_exactly_one_page_whatever_the_size_of_the_pages() {
    let (relay, phone) = (Relay::start().await, Phone::founder(1));
    // Many began in the same hour: the id decides.
    let offers = (0..40u8).map(|number| {
        let mut drive = Document::new(phone.device(), number, DocKind::Published);
        drive.publish(&number.to_string(), Visibility::Public, &drive_on(START + i64::from(number % 3) * HOUR_MS))
    });
    push(&relay, &phone, offers.collect()).await;
    let all = titles(&relay, "?limit=100").await.0;
    assert_eq!(all.len(), 40);
    for limit in [1, 7, 39, 40] {
        let (mut paged, mut next) = titles(&relay, &format!("?limit={limit}")).await;
        while let Some(after) = next {
            let page = titles(&relay, &format!("?limit={limit}&after={after}")).await;
            paged.extend(page.0);
            next = page.1;
        }
        assert_eq!(paged, all, "pages of {limit}");
    }
}

#[tokio::test]
async fn parameters_that_make_no_sense_are_refused_with_a_code() {
    let relay = Relay::start().await;
    for (query, code) in [("limit=0", "bad_limit"), ("limit=101", "bad_limit"), ("after=xyz", "bad_cursor")] {
        let answer = get(relay.addr(), &format!("/v1/feed/public?{query}")).await;
        assert_eq!((answer.status, answer.json()["error"]["code"].as_str()), (400, Some(code)), "{query}");
    }
}

#[tokio::test]
async fn a_published_drive_is_read_as_geojson() {
    let (relay, phone) = (Relay::start().await, Phone::founder(1));
    let mut drive = Document::new(phone.device(), 1, DocKind::Published);
    let offer = drive.publish("Over the pass", Visibility::Link, &drive_on(START + 600_000));
    push(&relay, &phone, vec![offer]).await;
    assert!(titles(&relay, "").await.0.is_empty(), "a drive for those with the link is in no list");

    let path = format!("/v1/drives/{}", drive.id);
    let answer = get(relay.addr(), &path).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/geo+json"));
    assert_eq!(answer.header("access-control-allow-origin"), "*");
    let feature = answer.json();
    assert_eq!((&feature["type"], &feature["geometry"]["type"]), (&"Feature".into(), &"MultiLineString".into()));
    let lines = feature["geometry"]["coordinates"].as_array().unwrap();
    let parts = feature["properties"]["parts"].as_array().unwrap();
    assert_eq!(lines.iter().map(|line| line.as_array().unwrap().len()).collect::<Vec<_>>(), [60, 60]);
    for column in ["elapsedMs", "speedMps", "altitudeM"] {
        assert_eq!(parts.iter().map(|part| part[column].as_array().unwrap().len()).collect::<Vec<_>>(), [60, 60]);
    }
    assert_eq!((parts[0]["elapsedMs"][0].as_i64(), parts[1]["elapsedMs"][0].as_i64()), (Some(0), Some(120_000)));
    assert_eq!((&parts[0]["gap"], &parts[1]["gap"]), (&serde_json::Value::Null, &"noSignal".into()));
    assert_eq!(parts[0]["speedMps"][7], 20.0);
    assert_eq!(lines[0][0], serde_json::json!([8.5, 47.0]));
    assert_eq!(feature["properties"]["title"], "Over the pass");

    // An unchanged answer is 304; a changed one is sent.
    let etag = answer.header("etag").to_owned();
    let again = get_with(relay.addr(), &path, &format!("if-none-match: {etag}\r\n")).await;
    assert_eq!((again.status, again.body.len()), (304, 0));
    let (offer, _) = drive.offer(|doc| published::change(doc, "Over two passes", "", Visibility::Link));
    push(&relay, &phone, vec![offer]).await;
    let changed = get_with(relay.addr(), &path, &format!("if-none-match: {etag}\r\n")).await;
    assert_eq!(changed.status, 200);
    assert_eq!(changed.json()["properties"]["title"], "Over two passes");
}

#[tokio::test]
async fn a_drive_is_read_whole_when_it_is_compressed() {
    let (relay, phone) = (Relay::start().await, Phone::founder(1));
    let mut drive = Document::new(phone.device(), 1, DocKind::Published);
    let offer = drive.publish("Over the pass", Visibility::Link, &drive_on(START + 600_000));
    push(&relay, &phone, vec![offer]).await;
    for path in [format!("/v1/drives/{}", drive.id), format!("/v1/drives/{}/drive.gpx", drive.id)] {
        let whole = get(relay.addr(), &path).await;
        for _ in 0..2 {
            let answer = get_with(relay.addr(), &path, "accept-encoding: br, gzip\r\n").await;
            assert_eq!((answer.status, answer.header("content-encoding")), (200, "gzip"));
            assert_eq!(answer.header("content-length"), answer.body.len().to_string());
            assert_eq!(whole.header("content-length"), whole.body.len().to_string());
            assert_eq!(answer.header("etag"), whole.header("etag"));
            let mut text = Vec::new();
            flate2::read::GzDecoder::new(answer.body.as_slice()).read_to_end(&mut text).unwrap();
            assert!(text == whole.body, "what was compressed before is the same");
        }
    }
}

#[tokio::test]
async fn private_withdrawn_and_unknown_drives_look_the_same() {
    let (relay, phone) = (Relay::start().await, Phone::founder(1));
    let mut private = Document::new(phone.device(), 1, DocKind::Published);
    let mut withdrawn = Document::new(phone.device(), 2, DocKind::Published);
    let mut unpublished = Document::new(phone.device(), 3, DocKind::Drive);
    let unknown = Document::new(phone.device(), 4, DocKind::Published);
    let offers = vec![
        private.publish("Private", Visibility::Private, &drive_on(START)),
        withdrawn.publish("Withdrawn", Visibility::Public, &drive_on(START)),
        unpublished.change().0,
    ];
    push(&relay, &phone, offers).await;
    assert_eq!(get(relay.addr(), &format!("/v1/drives/{}", withdrawn.id)).await.status, 200);
    let (offer, _) = withdrawn.offer(|doc| published::change(doc, "Withdrawn", "", Visibility::Private));
    push(&relay, &phone, vec![offer]).await;

    let mut answers = Vec::new();
    for id in [private.id, withdrawn.id, unpublished.id, unknown.id] {
        answers.push(get(relay.addr(), &format!("/v1/drives/{id}")).await.without_date());
    }
    answers.push(get(relay.addr(), "/v1/drives/no-id").await.without_date());
    assert_eq!(answers[0].status, 404);
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    assert!(titles(&relay, "").await.0.is_empty());
    assert_eq!(relay.count("SELECT COUNT(*) FROM published_block").await, 0, "nothing of it stays behind");
}

#[tokio::test]
async fn a_document_that_cannot_be_shown_harms_nobody() {
    let (relay, phone) = (Relay::start().await, Phone::founder(1));
    let mut nonsense = Document::new(phone.device(), 1, DocKind::Published);
    let mut drive = Document::new(phone.device(), 2, DocKind::Published);
    let offers = vec![nonsense.change().0, drive.publish("Good", Visibility::Public, &drive_on(START))];
    push(&relay, &phone, offers).await;
    assert_eq!(titles(&relay, "").await.0, ["Good"]);
}

#[tokio::test]
async fn a_drive_from_the_future_does_not_stay_on_top() {
    let (relay, phone) = (Relay::start().await, Phone::founder(1));
    let far = Timestamp(4_000_000_000_000);
    let mut drive = Document::new(phone.device(), 1, DocKind::Published);
    push(&relay, &phone, vec![drive.publish("Future", Visibility::Public, &drive_on(far))]).await;
    let sorted_in_the_future = "SELECT COUNT(*) FROM published_drive WHERE sort_at > 3999000000000";
    assert_eq!(relay.count(sorted_in_the_future).await, 0);
}

#[tokio::test]
async fn health_and_readiness_are_told() {
    let relay = Relay::start().await;
    assert_eq!(get(relay.addr(), "/v1/health").await.json()["status"], "ok");
    let ready = get(relay.addr(), "/v1/ready").await;
    assert_eq!((ready.status, &ready.json()["ready"]), (200, &true.into()));
    assert_eq!(get(relay.addr(), "/v1/nothing").await.json()["error"]["code"], "not_found");
}

#[tokio::test]
async fn a_page_of_any_host_may_send_a_read_token() {
    let relay = Relay::start().await;
    let wish = "origin: https://drive.example\r\naccess-control-request-method: GET\r\n\
                access-control-request-headers: authorization\r\n";
    for path in ["/v1/me/feed", "/v1/me/feed/live", "/v1/drives/x", "/v1/roads"] {
        let answer = ask(relay.addr(), "OPTIONS", path, wish).await;
        let allowed = [answer.header("access-control-allow-origin"), answer.header("access-control-allow-headers")];
        assert_eq!((answer.status, allowed[0]), (200, "*"), "{path}");
        assert!(allowed[1].contains("authorization"), "{path}: {allowed:?}");
        assert_eq!(ask(relay.addr(), "DELETE", path, "").await.status, 405);
    }
}

#[tokio::test]
async fn the_pwa_is_served_from_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    };
    file("index.html", "<title>Tourismo</title>");
    file("sw.js", "self");
    file("assets/core-1a2b.wasm", "\0asm");
    let relay = Relay::start_with(|config| config.pwa = Some(folder.path().to_owned())).await;
    for (path, status, content_type, caching) in [
        ("/", 200, "text/html; charset=utf-8", "no-cache"),
        ("/drives/7", 200, "text/html; charset=utf-8", "no-cache"),
        ("/sw.js", 200, "text/javascript; charset=utf-8", "no-cache"),
        ("/assets/core-1a2b.wasm", 200, "application/wasm", "public, max-age=31536000, immutable"),
        ("/assets/gone.js", 404, "application/json", "no-store"),
        ("/../Cargo.toml", 404, "application/json", "no-store"),
        ("/%2e%2e/%2e%2e/etc/passwd", 200, "text/html; charset=utf-8", "no-cache"),
    ] {
        let answer = get(relay.addr(), path).await;
        let seen = (answer.status, answer.header("content-type"), answer.header("cache-control"));
        assert_eq!(seen, (status, content_type, caching), "{path}");
        let policy = answer.header("content-security-policy");
        assert!(policy.contains("'wasm-unsafe-eval'"));
        let own = format!("connect-src 'self' ws://{0} wss://{0};", relay.addr());
        assert!(policy.contains(&own), "a page connects to its own relay alone: {policy}");
        let may = answer.header("permissions-policy");
        assert!(may.contains("geolocation=(self)") && may.contains("camera=(self)"), "it measures, and scans codes");
        assert!(!String::from_utf8_lossy(&answer.body).contains("root:"));
    }
}

#[tokio::test]
async fn what_the_build_compressed_is_sent_as_the_build_left_it() {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in
        [("index.html", "<title>Tourismo</title>"), ("app.wasm", "\0asm"), ("app.wasm.br", "smaller")]
    {
        std::fs::write(folder.path().join(name), content).unwrap();
    }
    let relay = Relay::start_with(|config| config.pwa = Some(folder.path().to_owned())).await;
    for (path, accepted, encoding, body) in [
        ("/app.wasm", "accept-encoding: gzip, br\r\n", "br", "smaller"),
        ("/app.wasm", "accept-encoding: br;q=0\r\n", "", "\0asm"),
        ("/app.wasm", "", "", "\0asm"),
        ("/", "accept-encoding: deflate\r\n", "", "<title>Tourismo</title>"),
    ] {
        let answer = get_with(relay.addr(), path, accepted).await;
        let seen = (answer.header("content-encoding"), String::from_utf8_lossy(&answer.body));
        assert_eq!(seen, (encoding, body.into()), "{path} {accepted}");
        assert_eq!(answer.header("vary"), "accept-encoding", "a shared cache keeps both forms apart");
        let content_type = if path == "/" { "text/html; charset=utf-8" } else { "application/wasm" };
        assert_eq!(answer.header("content-type"), content_type, "{path} {accepted}");
    }
}
