//! The inbox of an account: what background recorders post, and what devices take of it. The requests are those of the recorders'
//! documentation.

use serde_json::{Value, json};
use tourismo_core::fix::packed;

use tourismo_server::maintenance::export_account;

use crate::harness::{Answer, Person, Relay, ask, get, now, post};

/// A message of OwnTracks, some minutes ago and some kilometres to the east.
fn own_tracks(minutes_ago: i64, east_km: f64) -> Value {
    json!({
        "_type": "location", "acc": 7, "alt": 600, "batt": 81, "cog": 90, "conn": "m", "lat": 46.5, "lon": 10.0 + east_km / 76.7,
        "t": "u", "tid": "an", "topic": "owntracks/anna/phone", "tst": now().as_millis() / 1000 - minutes_ago * 60, "vac": 3,
    })
}

/// Standing from 60 minutes ago, driven from 40 to 20 minutes ago, a kilometre a minute, then standing again for some minutes.
fn drive_and_stop(minutes_there: i64) -> Vec<Value> {
    let stood = (41..=60).rev().map(|minute| own_tracks(minute, 0.0));
    let driven = (20..=40).rev().map(|minute| own_tracks(minute, (40 - minute) as f64));
    let there = (1..=minutes_there).map(|minute| own_tracks(20 - minute, 20.0));
    stood.chain(driven).chain(there).collect()
}

impl Person {
    async fn act(&self, relay: &Relay, path: &str, body: &Value) -> u16 {
        let token = format!("authorization: Bearer {}\r\n", self.token(relay));
        post(relay.addr(), path, &token, body).await.status
    }

    /// Makes an address, and returns its path.
    async fn open_inbox(&self, relay: &Relay) -> String {
        assert_eq!(self.act(relay, "/v1/me/inbox/open", &json!({})).await, 204);
        self.address(relay).await.expect("it has an address")
    }

    async fn address(&self, relay: &Relay) -> Option<String> {
        let inbox = self.read(relay, "/v1/me/inbox").await;
        inbox["secret"].as_str().map(|secret| format!("/v1/inbox/{secret}"))
    }
}

async fn send(relay: &Relay, address: &str, messages: &[Value]) {
    for message in messages {
        let answer = post(relay.addr(), address, "", message).await;
        assert_eq!((answer.status, answer.text().as_str()), (200, "[]"), "OwnTracks expects a list");
    }
}

fn code(answer: &Answer) -> (u16, String) {
    (answer.status, answer.json()["error"]["code"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn i1_an_address_is_secret_is_replaced_and_ends() {
    let relay = Relay::start().await;
    let (anna, ben) = (Person::new(&relay, 1).await, Person::new(&relay, 2).await);
    assert_eq!(anna.read(&relay, "/v1/me/inbox").await["secret"], Value::Null);
    let first = anna.open_inbox(&relay).await;
    let second = anna.open_inbox(&relay).await;
    assert_ne!(first, second);
    for address in [first.as_str(), "/v1/inbox/00000000000000000000000000000000", "/v1/inbox/x", "/v1/inbox/%00"] {
        assert_eq!(
            code(&post(relay.addr(), address, "", &own_tracks(1, 0.0)).await),
            (404, "not_found".into()),
            "{address}"
        );
    }
    send(&relay, &second, &[own_tracks(1, 0.0)]).await;
    assert_eq!(anna.read(&relay, "/v1/me/inbox").await["waiting"], 1);
    assert_eq!(ben.read(&relay, "/v1/me/inbox").await["waiting"], 0, "it is nobody else's");
    assert_eq!(get(relay.addr(), "/v1/me/inbox").await.status, 401);
    assert_eq!(post(relay.addr(), "/v1/me/inbox/open", "", &json!({})).await.status, 401);

    assert_eq!(anna.act(&relay, "/v1/me/inbox/close", &json!({})).await, 204);
    assert_eq!(anna.address(&relay).await, None);
    assert_eq!(post(relay.addr(), &second, "", &own_tracks(1, 0.0)).await.status, 404);
    assert_eq!(anna.read(&relay, "/v1/me/inbox").await["waiting"], 1, "what waits stays");
}

#[tokio::test]
async fn i2_what_was_answered_is_on_disk() {
    let mut relay = Relay::start().await;
    let anna = Person::new(&relay, 1).await;
    let address = anna.open_inbox(&relay).await;
    for count in 1..=3_i64 {
        send(&relay, &address, &[own_tracks(count, 0.0)]).await;
        assert_eq!(relay.count("SELECT COUNT(*) FROM inbox_fix WHERE fix IS NOT NULL").await, count);
    }
    relay = relay.restart_with(|_| {}).await;
    assert_eq!(anna.read(&relay, "/v1/me/inbox").await["waiting"], 3);
}

#[tokio::test]
async fn i3_four_recorders_are_understood_and_repeated_or_reordered_posts_add_nothing() {
    let relay = Relay::start().await;
    let anna = Person::new(&relay, 1).await;
    let address = anna.open_inbox(&relay).await;
    let at = |minutes_ago: i64| {
        let at = iso(now().as_millis() - minutes_ago * 60_000);
        (at.clone(), at.replace(':', "%3A"))
    };
    let feature = |minutes_ago: i64| {
        json!({
            "type": "Feature", "geometry": { "type": "Point", "coordinates": [10.0, 46.5] },
            "properties": { "timestamp": at(minutes_ago).0, "speed": -1, "horizontal_accuracy": 7, "motion": ["driving"],
                "device_id": "overland" },
        })
    };
    let batch = json!({ "locations": [feature(3), feature(2), feature(1), feature(2), { "type": "Feature" }] });
    let traccar = json!({
        "location": { "timestamp": at(4).0, "coords": { "latitude": 46.5, "longitude": 10.0, "accuracy": 7, "speed": 3, "heading": 9,
            "altitude": 600 }, "is_moving": true, "event": "motionchange" },
        "device_id": "48241179",
    });
    let query = format!("{address}?lat=46.5&lon=10.0&time={}&s=12.5&acc=7&alt=600&dir=90", at(5).1);
    let own = own_tracks(6, 0.0);
    for round in 0..3 {
        let overland = post(relay.addr(), &address, "", &batch).await;
        assert_eq!((overland.status, overland.text().as_str()), (200, r#"{"result":"ok"}"#), "{round}");
        assert_eq!(post(relay.addr(), &address, "", &traccar).await.status, 200);
        assert_eq!(ask(relay.addr(), "GET", &query, "").await.status, 200);
        send(&relay, &address, std::slice::from_ref(&own)).await;
        let inbox = anna.read(&relay, "/v1/me/inbox").await;
        assert_eq!((&inbox["waiting"], &inbox["refused"]), (&json!(6), &json!(round + 1)), "{round}");
    }
    assert_eq!(relay.count("SELECT COUNT(DISTINCT recorder) FROM inbox_fix").await, 4);
}

/// An instant as ISO 8601 in UTC, to the second.
fn iso(millis: i64) -> String {
    let days = millis.div_euclid(86_400_000);
    let (mut year, mut left) = (1970, days);
    let length = |year: i64| if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) { 366 } else { 365 };
    while left >= length(year) {
        left -= length(year);
        year += 1;
    }
    let mut month = 1;
    let of_month = |month: i64| match month {
        2 => length(year) - 337,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    while left >= of_month(month) {
        left -= of_month(month);
        month += 1;
    }
    let seconds = millis.rem_euclid(86_400_000) / 1000;
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{:02}T{hour:02}:{minute:02}:{second:02}Z", left + 1)
}

#[tokio::test]
async fn i4_a_drive_that_stopped_is_finished_and_its_fixes_are_those_that_were_posted() {
    let relay = Relay::start().await;
    let anna = Person::new(&relay, 1).await;
    let address = anna.open_inbox(&relay).await;
    let messages = drive_and_stop(15);
    // Until it stands: the last one comes first.
    let (under_way, stood) = messages.split_at(41);
    let (last, before) = under_way.split_last().unwrap();
    send(&relay, &address, std::slice::from_ref(last)).await;
    send(&relay, &address, before).await;
    let drives = anna.read(&relay, "/v1/me/inbox").await["drives"].clone();
    assert_eq!((drives.as_array().unwrap().len(), &drives[0]["isFinished"]), (1, &json!(false)));
    send(&relay, &address, stood).await;
    let inbox = anna.read(&relay, "/v1/me/inbox").await;
    let drive = &inbox["drives"][0];
    assert_eq!(
        (&drive["isFinished"], &drive["fixes"], &drive["recorder"]),
        (&json!(true), &json!(21), &json!("owntracks/anna/phone"))
    );
    assert_eq!(drive["source"], drives[0]["source"], "it is the same drive");
    assert!((drive["distanceM"].as_f64().unwrap() - 20_000.0).abs() < 100.0, "{drive}");
    assert_eq!(inbox["idle"], json!([]), "what comes before it is deleted with it");

    let path = format!("/v1/me/inbox/drives/{}", drive["source"].as_str().unwrap());
    let fixes: Vec<_> = packed::unpack(&anna.ask(&relay, &path).await.body).collect();
    assert_eq!(fixes.len(), 21);
    assert!(fixes.is_sorted_by_key(|fix| fix.fixed_at));
    assert_eq!(fixes[0].fixed_at.as_millis(), messages[20]["tst"].as_i64().unwrap() * 1000);
    assert_eq!((fixes[0].accuracy_m, fixes[0].heading_deg), (Some(7.0), Some(90.0)));
    assert_eq!(anna.ask(&relay, "/v1/me/inbox/drives/00").await.status, 404);
}

#[tokio::test]
async fn the_export_of_an_account_has_what_waits_in_its_inbox() {
    let relay = Relay::start().await;
    let anna = Person::new(&relay, 1).await;
    let address = anna.open_inbox(&relay).await;
    send(&relay, &address, &[own_tracks(2, 0.0), own_tracks(1, 0.0)]).await;
    let folder = tempfile::tempdir().unwrap();
    let archive = folder.path().join("all.zip");
    let export = export_account(relay.database().location(), anna.account(), now(), &archive).await.unwrap();
    assert_eq!((export.documents, export.inbox_fixes), (0, 2));
    let bytes = std::fs::read(&archive).unwrap();
    let name = b"inbox/1 owntracks anna phone.gpx";
    assert!(bytes.windows(name.len()).any(|window| window == name));
}

/// What a device sends for a drive of the list.
fn portion(drive: &Value) -> Value {
    json!({ "recorder": drive["recorder"], "until": drive["endedAt"], "receivedAt": drive["receivedAt"] })
}

#[tokio::test]
async fn i6_what_arrives_after_the_list_was_read_stays() {
    let relay = Relay::start().await;
    let anna = Person::new(&relay, 1).await;
    let address = anna.open_inbox(&relay).await;
    let mut messages = drive_and_stop(15);
    let late = messages.split_off(30).split_off(1);
    let (hour_ago, stop) = (messages, late.last().unwrap().clone());
    send(&relay, &address, &hour_ago).await;
    send(&relay, &address, &[stop]).await;
    let drive = anna.read(&relay, "/v1/me/inbox").await["drives"][0].clone();
    assert_eq!(drive["isFinished"], true, "a gap ends it");
    // The recorder sends what it could not send before, in the second in which the device takes the drive.
    send(&relay, &address, &late).await;
    assert_eq!(anna.act(&relay, "/v1/me/inbox/take", &portion(&drive)).await, 204);
    let rest = anna.read(&relay, "/v1/me/inbox").await;
    assert_eq!((&rest["waiting"], rest["drives"].as_array().unwrap().len()), (&json!(25), 1));
}

#[tokio::test]
async fn i6_a_claimed_drive_is_the_same_for_each_device_whatever_arrives() {
    let relay = Relay::start().await;
    let anna = Person::new(&relay, 1).await;
    let address = anna.open_inbox(&relay).await;
    let mut messages = drive_and_stop(15);
    // These could not be sent with the others.
    let kept: Vec<Value> = messages.splice(30..33, []).collect();
    send(&relay, &address, &messages).await;
    let drive = anna.read(&relay, "/v1/me/inbox").await["drives"][0].clone();
    assert_eq!((&drive["isFinished"], &drive["fixes"]), (&json!(true), &json!(18)));
    assert_eq!(anna.act(&relay, "/v1/me/inbox/claim", &portion(&drive)).await, 204);
    send(&relay, &address, &kept).await;
    let mut another = portion(&drive);
    another["receivedAt"] = json!(i64::MAX);
    assert_eq!(anna.act(&relay, "/v1/me/inbox/claim", &another).await, 204, "the first claim counts");
    let inbox = anna.read(&relay, "/v1/me/inbox").await;
    let claimed = &inbox["drives"][0];
    assert_eq!((&claimed["source"], &claimed["fixes"]), (&drive["source"], &json!(18)));
    assert_eq!((inbox["drives"].as_array().unwrap().len(), &inbox["idle"]), (1, &json!([])));
    let path = format!("/v1/me/inbox/drives/{}", drive["source"].as_str().unwrap());
    assert_eq!(packed::unpack(&anna.ask(&relay, &path).await.body).count(), 18);

    // Another device takes it, whatever it knows of what arrived.
    assert_eq!(anna.act(&relay, "/v1/me/inbox/take", &another).await, 204);
    let inbox = anna.read(&relay, "/v1/me/inbox").await;
    assert_eq!(inbox["waiting"], 15 + 3, "what arrived later stays");
    assert_eq!(relay.count("SELECT COUNT(*) FROM inbox_claim").await, 0);
    for unknown in [json!({ "recorder": "x", "until": 1, "receivedAt": 1 }), portion(&drive)] {
        assert_eq!(anna.act(&relay, "/v1/me/inbox/claim", &unknown).await, 204);
    }
    assert_eq!(relay.count("SELECT COUNT(*) FROM inbox_claim").await, 0, "nothing to claim");
}

#[tokio::test]
async fn i6_much_is_taken_in_several_transactions() {
    let relay = unhurried().await;
    let anna = Person::new(&relay, 1).await;
    let address = anna.open_inbox(&relay).await;
    for from in [0, 5_000, 10_000] {
        assert_eq!(post(relay.addr(), &address, "", &standing(from, 5_000)).await.status, 200);
    }
    // What the list says of them: all but the last, at which a drive may begin. Its reading takes a debug build long.
    let until = relay.count("SELECT MAX(fixed_at) FROM inbox_fix").await - 1_000;
    let received_at = relay.count("SELECT MAX(received_at) FROM inbox_fix").await;
    let idle = json!({ "recorder": "", "until": until, "receivedAt": received_at });
    assert_eq!(anna.act(&relay, "/v1/me/inbox/take", &idle).await, 204);
    assert_eq!(relay.count("SELECT waiting FROM inbox").await, 1);
    assert_eq!(relay.count("SELECT remembered FROM inbox").await, 14_999);
}

#[tokio::test]
async fn i7_what_was_taken_is_remembered_within_a_bound() {
    let relay = Relay::start().await;
    let anna = Person::new(&relay, 1).await;
    let address = anna.open_inbox(&relay).await;
    let mut taken = 0;
    let mut take = async || {
        for from in [0, 100] {
            assert_eq!(post(relay.addr(), &address, "", &standing(taken + from, 100)).await.status, 200);
        }
        let idle = anna.read(&relay, "/v1/me/inbox").await["idle"][0].clone();
        assert_eq!(anna.act(&relay, "/v1/me/inbox/take", &idle).await, 204);
        taken += 200;
    };
    take().await;
    // As if a million had been taken before.
    relay.database().write("UPDATE inbox SET remembered = 1000000").await;
    take().await;
    assert_eq!(relay.count("SELECT COUNT(*) FROM inbox_fix WHERE fix IS NULL").await, 199, "the oldest are forgotten");
    assert_eq!(relay.count("SELECT remembered FROM inbox").await, 1_000_000);
}

#[tokio::test]
async fn i6_what_was_taken_is_deleted_and_a_late_repetition_does_not_bring_it_back() {
    let relay = Relay::start().await;
    let anna = Person::new(&relay, 1).await;
    let address = anna.open_inbox(&relay).await;
    let messages = drive_and_stop(15);
    send(&relay, &address, &messages).await;
    let drive = anna.read(&relay, "/v1/me/inbox").await["drives"][0].clone();
    assert_eq!(anna.act(&relay, "/v1/me/inbox/take", &portion(&drive)).await, 204);
    send(&relay, &address, &messages).await;
    let inbox = anna.read(&relay, "/v1/me/inbox").await;
    assert_eq!((&inbox["drives"], &inbox["waiting"]), (&json!([]), &json!(15)));
    assert_eq!(relay.count("SELECT COUNT(*) FROM inbox_fix WHERE fix IS NULL").await, 41);

    // The rest is idle, except for the fix at which the next drive may begin.
    let idle = inbox["idle"][0].clone();
    assert_eq!(anna.act(&relay, "/v1/me/inbox/take", &idle).await, 204);
    assert_eq!(anna.read(&relay, "/v1/me/inbox").await["waiting"], 1);
    for bad in [json!({}), json!({ "recorder": "x", "until": "now" }), json!({ "recorder": "x", "until": 1 })] {
        assert_eq!(anna.act(&relay, "/v1/me/inbox/take", &bad).await, 400, "{bad}");
    }
}

#[tokio::test]
async fn i3_what_no_recorder_posts_is_refused_and_times_in_the_future_are_counted() {
    let relay = Relay::start().await;
    let anna = Person::new(&relay, 1).await;
    let address = anna.open_inbox(&relay).await;
    for body in [json!({ "hello": "world" }), json!([1, 2]), json!("text")] {
        assert_eq!(code(&post(relay.addr(), &address, "", &body).await), (400, "bad_body".into()), "{body}");
    }
    let encrypted = post(relay.addr(), &address, "", &json!({ "_type": "encrypted", "data": "x" })).await;
    assert!(encrypted.json()["error"]["hint"].as_str().unwrap().contains("encryption key"), "{}", encrypted.text());
    send(&relay, &address, &[own_tracks(-60, 0.0), own_tracks(1, 0.0)]).await;
    let inbox = anna.read(&relay, "/v1/me/inbox").await;
    assert_eq!((&inbox["waiting"], &inbox["refused"]), (&json!(1), &json!(1)));
}

/// A relay without a limit of the rate.
async fn unhurried() -> Relay {
    Relay::start_with(|config| config.limits.max_changes_per_second = u32::MAX).await
}

/// A batch of Overland: a fix each second of a recorder that does not move.
fn standing(from: i64, count: i64) -> Value {
    let feature = |index: i64| {
        let at = 1_700_000_000_000 + index * 1000;
        json!({ "geometry": { "type": "Point", "coordinates": [10, 46] }, "properties": { "timestamp": at } })
    };
    json!({ "locations": (from..from + count).map(feature).collect::<Vec<Value>>() })
}

#[tokio::test]
async fn i7_the_rate_of_an_inbox_is_limited() {
    // A burst is what 20 seconds allow.
    let relay = Relay::start_with(|config| config.limits.max_changes_per_second = 1).await;
    let anna = Person::new(&relay, 1).await;
    let address = anna.open_inbox(&relay).await;
    let mut statuses = Vec::new();
    while statuses.last() != Some(&429) && statuses.len() < 20 {
        let sent = 15 * statuses.len() as i64;
        statuses.push(post(relay.addr(), &address, "", &standing(sent, 15)).await.status);
    }
    let (refusal, accepted) = statuses.split_last().unwrap();
    assert_eq!(*refusal, 429, "{statuses:?}");
    assert!(!accepted.is_empty() && accepted.iter().all(|status| *status == 200), "{statuses:?}");
    assert_eq!(anna.read(&relay, "/v1/me/inbox").await["waiting"], 15 * accepted.len());
}

#[tokio::test]
async fn i7_an_inbox_that_is_full_refuses_more_and_keeps_what_it_has() {
    let relay = unhurried().await;
    let anna = Person::new(&relay, 1).await;
    let address = anna.open_inbox(&relay).await;
    let mut sent = 0;
    let refusal = loop {
        let answer = post(relay.addr(), &address, "", &standing(sent, 5_000)).await;
        if answer.status != 200 {
            assert_eq!(answer.status, 507, "{}", answer.text());
            break code(&answer);
        }
        sent += 5_000;
        assert!(sent <= 100_000);
    };
    assert_eq!((refusal, sent), ((507, "inbox_full".into()), 100_000));
    // The list of so many takes a debug build too long.
    assert_eq!(relay.count("SELECT waiting FROM inbox").await, 100_000);
    assert_eq!(relay.count("SELECT COUNT(*) FROM inbox_fix WHERE fix IS NOT NULL").await, 100_000);
}
