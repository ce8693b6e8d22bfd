//! Event streams over real sockets.

use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tourismo_core::docs::social::SocialEntry;
use tourismo_core::docs::{Answer, MeetFields, Visibility};
use tourismo_core::id::AccountId;
use tourismo_core::time::Timestamp;

use crate::harness::{Person, Relay, now};

/// A wait that is too long for any machine, so that its end is a failure.
const PATIENCE: Duration = Duration::from_secs(60);
const START: Timestamp = Timestamp(1_790_000_000_000);

/// An open stream, read event by event.
struct Stream(BufReader<TcpStream>);

#[derive(Debug)]
struct Event {
    kind: String,
    id: Option<String>,
    data: Value,
}

impl Stream {
    async fn open(relay: &Relay, person: &Person, path: &str, last: Option<&str>) -> Stream {
        Stream::open_with(relay, &person.token(relay), path, last).await
    }

    async fn open_with(relay: &Relay, token: &str, path: &str, last: Option<&str>) -> Stream {
        let mut stream = TcpStream::connect(relay.addr()).await.unwrap();
        let last = last.map(|id| format!("last-event-id: {id}\r\n")).unwrap_or_default();
        let head = format!("GET {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n{last}\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut stream = Stream(BufReader::new(stream));
        assert!(stream.line().await.contains("200"));
        let mut head = String::new();
        while !head.ends_with("\n\n") {
            head = format!("{head}{}\n", stream.line().await);
        }
        assert!(head.contains("x-accel-buffering: no"), "a proxy would gather the events: {head}");
        stream
    }

    async fn line(&mut self) -> String {
        let mut line = String::new();
        let length = timeout(PATIENCE, self.0.read_line(&mut line)).await.expect("nothing was said").unwrap();
        assert!(length > 0, "the connection was cut");
        line.trim_end().to_owned()
    }

    /// The next event, without the chunk sizes around it.
    async fn event(&mut self) -> Event {
        let (mut kind, mut id, mut data) = (String::new(), None, Value::Null);
        loop {
            let line = self.line().await;
            if let Some(value) = line.strip_prefix("event: ") {
                kind = value.to_owned();
            } else if let Some(value) = line.strip_prefix("id: ") {
                id = Some(value.to_owned());
            } else if let Some(value) = line.strip_prefix("data: ") {
                data = serde_json::from_str(value).unwrap();
            } else if line.is_empty() && !kind.is_empty() {
                return Event { kind, id, data };
            }
        }
    }

    /// Waits until the server ends the stream with an empty chunk. The connection may stay open.
    async fn end(mut self) {
        while self.line().await != "0" {}
    }
}

#[tokio::test]
async fn r9_a_published_drive_reaches_an_open_home_feed_and_one_that_comes_back() {
    let relay = Relay::start().await;
    let mut anna = Person::named(&relay, 1, "anna").await;
    let mut ben = Person::named(&relay, 2, "ben").await;
    let mut cleo = Person::named(&relay, 3, "cleo").await;
    anna.follow(&relay, &ben).await;
    let mut stream = Stream::open(&relay, &anna, "/v1/me/feed/live", None).await;
    let open = stream.event().await;
    assert_eq!(open.kind, "open");
    cleo.publish(&relay, "Not followed", Visibility::Public, START).await;
    ben.publish(&relay, "By link", Visibility::Private, START).await;
    let drive = ben.publish(&relay, "Now", Visibility::Followers, START).await;
    let event = stream.event().await;
    assert_eq!((event.kind.as_str(), event.data["id"].as_str()), ("item", Some(drive.to_string().as_str())));
    assert_eq!((&event.data["kind"], &event.data["title"]), (&"drive".into(), &"Now".into()));
    let last = event.id.unwrap();
    drop(stream);

    let fields = MeetFields {
        title: "Meanwhile".to_owned(),
        starts_at: now(),
        visibility: Visibility::Public,
        ..MeetFields::default()
    };
    ben.meet(&relay, &fields).await;
    let mut back = Stream::open(&relay, &anna, "/v1/me/feed/live", Some(&last)).await;
    assert_eq!(back.event().await.kind, "open");
    assert_eq!(back.event().await.data["title"], "Meanwhile");
    // No event reveals a block: public events arrive as before. The events of newly
    // followed people arrive, too.
    ben.say(&relay, SocialEntry::Block(anna.account())).await;
    ben.publish(&relay, "For everybody", Visibility::Public, START).await;
    let event = back.event().await;
    let event = if event.kind == "stale" { back.event().await } else { event };
    assert_eq!(event.data["title"], "For everybody");
    anna.follow(&relay, &cleo).await;
    assert_eq!(back.event().await.kind, "stale");
    cleo.publish(&relay, "Followed", Visibility::Public, START).await;
    assert_eq!(back.event().await.data["title"], "Followed");

    let mut lost = Stream::open(&relay, &anna, "/v1/me/feed/live", Some("0-0")).await;
    assert_eq!(lost.event().await.kind, "open");
    assert_eq!(lost.event().await.kind, "stale");
}

#[tokio::test]
async fn r9_an_answer_reaches_an_open_meet_and_streams_end_with_the_server() {
    let relay = Relay::start().await;
    let mut anna = Person::named(&relay, 1, "anna").await;
    let mut ben = Person::named(&relay, 2, "ben").await;
    let fields = MeetFields {
        title: "Sunday".to_owned(),
        starts_at: now(),
        visibility: Visibility::Public,
        ..MeetFields::default()
    };
    let meet = anna.meet(&relay, &fields).await;
    let path = format!("/v1/meets/{meet}/live");
    let mut stream = Stream::open(&relay, &anna, &path, None).await;
    let first = stream.event().await;
    assert_eq!((first.kind.as_str(), &first.data["answers"]["going"]), ("meet", &0.into()));
    ben.answer(&relay, meet, Answer::Going).await;
    assert_eq!(stream.event().await.data["answers"]["going"], 1);
    anna.change_meet(&relay, meet, &fields, &MeetFields { cancelled: true, ..fields.clone() }).await;
    assert_eq!(stream.event().await.data["cancelled"], true);
    // The stream of a viewer who loses access ends.
    let mut theirs = Stream::open(&relay, &ben, &path, None).await;
    theirs.event().await;
    anna.say(&relay, SocialEntry::Block(ben.account())).await;
    let cancelled = MeetFields { cancelled: true, ..fields };
    let withdrawn = MeetFields { visibility: Visibility::Private, ..cancelled.clone() };
    anna.change_meet(&relay, meet, &cancelled, &withdrawn).await;
    theirs.end().await;
    let home = Stream::open(&relay, &anna, "/v1/me/feed/live", None).await;
    relay.stop().await;
    stream.end().await;
    home.end().await;
}

#[tokio::test]
async fn r9_what_concerns_nobody_is_told_nobody() {
    let relay = Relay::start().await;
    let mut anna = Person::named(&relay, 1, "anna").await;
    let mut ben = Person::named(&relay, 2, "ben").await;
    let mut cleo = Person::named(&relay, 3, "cleo").await;
    anna.follow(&relay, &ben).await;
    let fields = MeetFields {
        title: "Sunday".to_owned(),
        starts_at: now(),
        visibility: Visibility::Public,
        ..MeetFields::default()
    };
    let meet = ben.meet(&relay, &fields).await;
    let mut home = Stream::open(&relay, &anna, "/v1/me/feed/live", None).await;
    let mut open_meet = Stream::open(&relay, &anna, &format!("/v1/meets/{meet}/live"), None).await;
    assert_eq!([home.event().await.kind, open_meet.event().await.kind], ["open", "meet"]);
    // Neither an acceptance by a person who does not follow nor a meet's change without permission causes an event.
    for number in 200..220 {
        cleo.say(&relay, SocialEntry::Accept(AccountId::from_bytes([number; 16]))).await;
    }
    cleo.say(&relay, SocialEntry::Accept(anna.account())).await;
    ben.say(&relay, SocialEntry::Accept(cleo.account())).await;
    cleo.amend(&relay, meet, &fields, &MeetFields { cancelled: true, ..fields.clone() }).await;
    let drive = ben.publish(&relay, "Now", Visibility::Public, START).await;
    assert_eq!(home.event().await.data["id"].as_str(), Some(drive.to_string().as_str()), "nothing came before it");
    ben.change_meet(&relay, meet, &fields, &MeetFields { title: "Monday".to_owned(), ..fields.clone() }).await;
    let event = open_meet.event().await;
    assert_eq!((&event.data["title"], &event.data["cancelled"]), (&"Monday".into(), &false.into()));
    assert_eq!(home.event().await.data["title"], "Monday");
    // An acceptance by a followed person causes one.
    ben.say(&relay, SocialEntry::Accept(anna.account())).await;
    assert_eq!(home.event().await.kind, "stale");
}

#[tokio::test]
async fn r9_a_stream_ends_with_the_token_that_opened_it() {
    let relay = Relay::start().await;
    let anna = Person::named(&relay, 1, "anna").await;
    let token = anna.token_until(&relay, Timestamp(now().as_millis() + 5_000));
    let mut stream = Stream::open_with(&relay, &token, "/v1/me/feed/live", None).await;
    assert_eq!([stream.event().await.kind, stream.event().await.kind], ["open", "expired"]);
    stream.end().await;
}

#[tokio::test]
async fn one_account_has_only_so_many_streams() {
    let relay = Relay::start().await;
    let anna = Person::named(&relay, 1, "anna").await;
    let mut streams = Vec::new();
    for _ in 0..16 {
        streams.push(Stream::open(&relay, &anna, "/v1/me/feed/live", None).await);
    }
    let refused = anna.ask(&relay, "/v1/me/feed/live").await;
    assert_eq!((refused.status, refused.json()["error"]["code"].as_str()), (503, Some("overloaded")));
}
