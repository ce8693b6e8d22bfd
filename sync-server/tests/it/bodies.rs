//! Compares whole answers of the reads with a file, which shows every added, removed or changed field. After an intended
//! change, `INSTA_UPDATE=always cargo test bodies` writes the file anew.

use std::fmt::Write;

use serde_json::Value;
use tourismo_core::docs::{Answer, Cost, LogEntry, LogKind, MeetFields, Reaction, Visibility};
use tourismo_core::time::Timestamp;

use crate::harness::{Person, Relay, get, now};

/// A full hour of September 2026.
const START: Timestamp = Timestamp(1_789_999_200_000);
/// A day in 2096.
const FAR: Timestamp = Timestamp(4_000_000_000_000);
const DAY_MS: i64 = 86_400_000;

/// Replaces every time of the last days, since these differ in each run.
fn without_times(value: &mut Value) {
    let now = now().as_millis();
    match value {
        Value::Number(number) => {
            if number.as_i64().is_some_and(|number| (number - now).abs() < 2 * DAY_MS) {
                *value = "<time>".into();
            }
        }
        Value::Array(items) => items.iter_mut().for_each(without_times),
        Value::Object(fields) => fields.values_mut().for_each(without_times),
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

#[tokio::test]
async fn whole_answers_are_those_of_the_file() {
    let relay = Relay::start().await;
    let (mut anna, mut ben) = (Person::named(&relay, 1, "anna").await, Person::named(&relay, 2, "ben").await);
    ben.follow(&relay, &anna).await;
    let car = anna.car(&relay, "Miata", true).await;
    let entry = LogEntry {
        kind: LogKind::Fuel,
        at: START,
        odometer_m: Some(1_000.0),
        litres: Some(40.5),
        cost: Some(Cost { minor: 7_530, currency: "CHF".to_owned() }),
        note: "full".to_owned(),
    };
    anna.log(&relay, car, &entry).await;
    let copy = anna.publish(&relay, "Pass", Visibility::Public, START + 3_600_000).await;
    anna.drive(&relay, "Pass", Some(car), START + 3_600_000, Some(copy)).await;
    anna.drive(&relay, "Home", None, START, None).await;
    let fields = MeetFields {
        title: "Coffee".to_owned(),
        text: "Coffee first.".to_owned(),
        place: "At the top".to_owned(),
        position: Some([8.5, 47.0]),
        starts_at: FAR,
        ends_at: Some(FAR + 3_600_000),
        time_zone: "Europe/Zurich".to_owned(),
        capacity: Some(20),
        visibility: Visibility::Public,
        cancelled: false,
    };
    let meet = anna.meet(&relay, &fields).await;
    ben.react(&relay, copy, Reaction::Road).await;
    ben.comment(&relay, copy, "Nice").await;
    ben.answer(&relay, meet, Answer::Going).await;

    let of_anna =
        ["cars", &format!("cars/{car}/drives"), &format!("cars/{car}/log"), "drives", "meets", "profile", "requests"]
            .map(|path| format!("/v1/me/{path}"));
    let of_anna = of_anna.into_iter().chain(["/v1/me/stats".to_owned()]);
    let of_ben = [
        &format!("drives/{copy}/comments"),
        &format!("drives/{copy}/reactions"),
        "feed/public",
        "me/feed",
        "me/in-common/anna",
        "meets",
        &format!("meets/{meet}"),
        &format!("meets/{meet}/attendees"),
        "people?prefix=an",
        "people/anna",
        "people/anna/cars",
        "people/anna/drives",
        "people/anna/followers",
        "people/ben/following",
        "people/anna/meets",
        "people/anna/stats",
        "roads?bbox=8,46,9,48",
        "stats",
        "people/nobody",
        "meets?limit=0",
    ]
    .map(|path| format!("/v1/{path}"));
    let mut text = String::new();
    let mut note = |who: &str, path: &str, status: u16, mut body: Value| {
        without_times(&mut body);
        writeln!(text, "GET {path} ({who}): {status}\n{body:#}\n").unwrap();
    };
    for path in of_anna {
        let answer = anna.ask(&relay, &path).await;
        note("anna", &path, answer.status, answer.json());
    }
    for path in of_ben {
        let answer = ben.ask(&relay, &path).await;
        note("ben", &path, answer.status, answer.json());
    }
    for path in [format!("/v1/drives/{copy}/reactions"), "/v1/me/drives".to_owned()] {
        let answer = get(relay.addr(), &path).await;
        note("anybody", &path, answer.status, answer.json());
    }
    insta::assert_snapshot!(text);
}
