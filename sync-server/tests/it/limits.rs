//! The relay's limits, and the answers when they are reached.

use std::io::ErrorKind;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message as Frame;
use tourismo_core::wire::{ByeCode, DocKind, MAX_MESSAGE_BYTES, Message, NackCode, Offer};

use crate::harness::{Document, Person, Phone, Relay, Wire, get, get_with};

/// Cars of the phone with one change each.
fn cars(phone: &Phone, numbers: std::ops::Range<u8>) -> Vec<Offer> {
    numbers.map(|number| Document::new(phone.device(), number, DocKind::Car).change().0).collect()
}

#[tokio::test]
async fn p8_an_account_that_is_full_is_told_so_and_another_is_not_concerned() {
    let relay = Relay::start_with(|config| config.limits.max_account_documents = 2).await;
    let (full, other) = (Phone::founder(1), Phone::founder(2));
    let mut wire = full.join(relay.addr()).await;
    wire.push(cars(&full, 0..4)).await;
    let answers = wire.answers(4).await;
    assert_eq!(answers.acked.len(), 2);
    assert_eq!(answers.nacked, [(0, 2, NackCode::OverQuota), (0, 3, NackCode::OverQuota)]);
    let mut theirs = other.join(relay.addr()).await;
    theirs.push(cars(&other, 10..12)).await;
    assert_eq!(theirs.answers(2).await.acked.len(), 2);
    drop((wire, theirs));

    // Existing documents count at the next start. With a higher limit the rest is accepted.
    let relay = relay.restart_with(|config| config.limits.max_account_documents = 3).await;
    let mut wire = full.join(relay.addr()).await;
    wire.push(cars(&full, 0..4)).await;
    let answers = wire.answers(4).await;
    assert_eq!((answers.acked.len(), answers.nacked), (3, vec![(0, 3, NackCode::OverQuota)]));
}

#[tokio::test]
async fn p8_changes_and_bytes_are_counted_too() {
    for (changes, bytes) in [(2, u64::MAX), (u64::MAX, 2_500)] {
        let relay = Relay::start_with(|config| {
            config.limits.max_account_changes = changes;
            config.limits.max_account_bytes = bytes;
        })
        .await;
        let phone = Phone::founder(1);
        let mut track = Document::new(phone.device(), 1, DocKind::Track);
        let offers: Vec<Offer> = (0..3).map(|_| track.large_change(1_000).0).collect();
        let mut wire = phone.join(relay.addr()).await;
        wire.push(offers).await;
        assert_eq!(wire.answers(3).await.nacked, [(0, 2, NackCode::OverQuota)]);
    }
}

#[tokio::test]
async fn h7_an_account_has_only_so_many_connections() {
    let relay = Relay::start_with(|config| config.limits.max_connections_per_account = 2).await;
    let phone = Phone::founder(1);
    let (first, _second) = (phone.join(relay.addr()).await, phone.join(relay.addr()).await);
    assert_eq!(phone.knock(relay.addr()).await.bye().await, ByeCode::Overloaded);
    Phone::founder(2).join(relay.addr()).await;
    first.close().await;
    // The place is free once the server has seen the end of the connection.
    while phone.knock(relay.addr()).await.sent_away().await {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn h7_strangers_do_not_take_an_accounts_connections() {
    let relay = Relay::start_with(|config| config.limits.max_connections_per_account = 1).await;
    let phone = Phone::founder(1);
    phone.enter(relay.addr()).await.close().await;
    let mut held = Vec::new();
    for seed in 2..10 {
        // A device with a grant that it signed itself, as anybody can make one.
        let stranger = Phone::founder(seed).posing_as(phone.account).link(seed + 100);
        let mut wire = stranger.knock(relay.addr()).await;
        assert_eq!(wire.receive().await, Message::Bye { code: ByeCode::NotAuthentic });
        // The server waits a while for the client to close.
        held.push(wire);
    }
    phone.enter(relay.addr()).await;
    drop(held);
}

#[tokio::test]
async fn h7_an_account_has_only_so_many_devices() {
    let relay = Relay::start_with(|config| config.limits.max_devices_per_account = 2).await;
    let founder = Phone::founder(1);
    founder.enter(relay.addr()).await;
    founder.link(2).enter(relay.addr()).await;
    assert_eq!(founder.link(3).knock(relay.addr()).await.bye().await, ByeCode::OverQuota);
    founder.link(2).enter(relay.addr()).await;
}

#[tokio::test]
async fn h7_only_so_many_accounts_are_founded_from_one_address() {
    let relay = Relay::start_with(|config| config.limits.max_new_accounts_per_hour = 2).await;
    for seed in [1, 2] {
        Phone::founder(seed).enter(relay.addr()).await;
    }
    assert_eq!(Phone::founder(3).knock(relay.addr()).await.bye().await, ByeCode::Overloaded);
    Phone::founder(1).enter(relay.addr()).await;
    assert_eq!(relay.count("SELECT COUNT(*) FROM account").await, 2);
}

#[tokio::test]
async fn p9_who_pushes_more_than_their_share_waits_and_is_then_put_off() {
    let relay = Relay::start_with(|config| config.limits.max_changes_per_second = 1).await;
    let phone = Phone::founder(1);
    let mut wire = phone.join(relay.addr()).await;
    wire.push(cars(&phone, 0..20)).await;
    assert_eq!(wire.answers(20).await.acked.len(), 20, "what may come at once does not wait");
    wire.push(cars(&phone, 20..60)).await;
    let answers = wire.answers(40).await;
    assert!(answers.nacked.iter().all(|(_, _, code)| *code == NackCode::Unavailable), "{answers:?}");
    assert_eq!(answers.nacked.len(), 40);
    assert_eq!(relay.changes_on_disk().await, 20);
}

#[tokio::test]
async fn m2_a_stranger_may_not_say_much() {
    let relay = Relay::start().await;
    let mut wire = Wire::open(relay.addr()).await;
    wire.send_frame(Frame::Binary(vec![0; MAX_MESSAGE_BYTES / 2].into())).await;
    // The server closes with bytes unread, so that the `bye` may be lost.
    while wire.frame().await.is_some() {}
    assert_eq!(get(relay.addr(), "/v1/health").await.status, 200);
}

#[tokio::test]
async fn too_many_requests_are_refused_with_a_code() {
    let relay = Relay::start_with(|config| config.limits.max_requests_per_second = 1).await;
    let mut statuses = Vec::new();
    for _ in 0..25 {
        statuses.push(get(relay.addr(), "/v1/stats").await.status);
    }
    assert_eq!(statuses[..20], [200; 20]);
    let refused = get(relay.addr(), "/v1/feed/public").await;
    assert_eq!((refused.status, refused.json()["error"]["code"].as_str()), (429, Some("too_many_requests")));
    assert!(refused.header("retry-after").parse::<u64>().is_ok_and(|seconds| seconds > 0), "it says when to come back");
    assert_eq!(get(relay.addr(), "/v1/health").await.status, 200, "whether it runs may always be asked");
}

#[tokio::test]
async fn clients_behind_a_trusted_proxy_are_told_apart() {
    let relay = Relay::start_with(|config| {
        config.limits.max_requests_per_second = 1;
        config.limits.trust_proxy = true;
    })
    .await;
    let ask = async |address: &str| {
        let header = format!("x-forwarded-for: 203.0.113.1, {address}\r\n");
        get_with(relay.addr(), "/v1/feed/public", &header).await.status
    };
    for port in 0..20 {
        assert_eq!(ask(&format!("192.0.2.1:{port}")).await, 200);
    }
    assert_eq!((ask("192.0.2.1").await, ask("192.0.2.2").await), (429, 200));
}

#[tokio::test]
async fn behind_a_proxy_a_socket_is_the_connection_of_the_client_that_the_proxy_names() {
    let relay = Relay::start_with(|config| {
        config.limits.max_connections_per_address = 2;
        config.limits.trust_proxy = true;
    })
    .await;
    let mut sockets = Vec::new();
    for _ in 0..3 {
        sockets.push(TcpStream::connect(relay.addr()).await.unwrap());
    }
    let mut asked = async |socket: usize, client: &str| {
        let request = format!("GET /v1/feed/public HTTP/1.1\r\nhost: x\r\nx-forwarded-for: {client}\r\n\r\n");
        let stream: &mut TcpStream = &mut sockets[socket];
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = vec![0; 16 << 10];
        let length = stream.read(&mut answer).await.unwrap();
        let answer = String::from_utf8_lossy(&answer[..length]).into_owned();
        answer[9..12].parse::<u16>().unwrap()
    };
    assert_eq!((asked(0, "192.0.2.1").await, asked(1, "192.0.2.1").await), (200, 200));
    assert_eq!(asked(0, "192.0.2.1").await, 200, "on a kept connection it is the same one");
    // The proxy reuses a kept connection for another client.
    assert_eq!((asked(0, "192.0.2.2").await, asked(0, "192.0.2.1").await), (200, 200));
    assert_eq!(asked(2, "192.0.2.1").await, 503, "that would be a third one");
    assert_eq!(get_with(relay.addr(), "/v1/feed/public", "x-forwarded-for: 192.0.2.3\r\n").await.status, 200);
}

#[tokio::test]
async fn health_is_answered_when_all_sockets_are_taken() {
    let relay = Relay::start_with(|config| {
        config.limits.max_sockets = 2;
        config.health_listen = Some(([127, 0, 0, 1], 0).into());
    })
    .await;
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(relay.addr()).await.unwrap();
        // A socket counts as taken at the latest when its first byte is read.
        stream.write_all(b"GET /v1/health HTTP/1.1\r\nhost: x\r\nconnection: keep-alive\r\n").await.unwrap();
        held.push(stream);
    }
    assert_eq!(get(relay.addr(), "/v1/health").await.status, 200);
    assert_eq!(get(relay.addr(), "/v1/ready").await.status, 200);
    let refused = get(relay.addr(), "/v1/feed/public").await;
    assert_eq!((refused.status, refused.json()["error"]["code"].as_str()), (503, Some("overloaded")));

    let health = relay.health_addr().unwrap();
    assert_eq!(get(health, "/v1/ready").await.status, 200);
    assert_eq!(get(health, "/v1/feed/public").await.status, 503);
}

#[tokio::test]
async fn health_is_answered_to_an_address_that_has_all_its_connections() {
    let relay = Relay::start_with(|config| config.limits.max_connections_per_address = 1).await;
    let held = TcpStream::connect(relay.addr()).await.unwrap();
    assert_eq!(get(relay.addr(), "/v1/health").await.status, 200);
    assert_eq!(get(relay.addr(), "/v1/feed/public").await.status, 503);
    drop(held);
}

#[tokio::test]
async fn one_address_has_only_so_many_event_streams() {
    let relay = Relay::start_with(|config| config.limits.max_streams_per_address = 2).await;
    let person = Person::new(&relay, 1).await;
    let listen = async || {
        let mut stream = TcpStream::connect(relay.addr()).await.unwrap();
        let head = format!(
            "GET /v1/me/feed/live HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\r\n",
            person.token(&relay)
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut status = [0; 12];
        stream.read_exact(&mut status).await.unwrap();
        (String::from_utf8_lossy(&status[9..]).into_owned(), stream)
    };
    let first = listen().await;
    let second = listen().await;
    assert_eq!((first.0.as_str(), second.0.as_str(), listen().await.0.as_str()), ("200", "200", "503"));
    drop(first);
    // There is room once the server has seen the end of the connection.
    while listen().await.0 != "200" {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn one_address_has_only_so_many_connections() {
    let relay = Relay::start_with(|config| config.limits.max_connections_per_address = 2).await;
    let mut held = Vec::new();
    for _ in 0..2 {
        held.push(TcpStream::connect(relay.addr()).await.unwrap());
    }
    assert_eq!(get(relay.addr(), "/v1/stats").await.status, 503);
    drop(held);
}

#[tokio::test]
async fn a_head_that_never_ends_is_given_up() {
    let relay = Relay::start().await;
    let mut slow = TcpStream::connect(relay.addr()).await.unwrap();
    slow.write_all(b"GET /v1/health HTTP/1.1\r\nhost: relay\r\nx-slow: ").await.unwrap();
    // While the clock is paused, time jumps to the next deadline whenever all tasks wait.
    tokio::time::pause();
    assert!(is_closed(&mut slow).await);
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let relay = Relay::start().await;
    let mut stream = TcpStream::connect(relay.addr()).await.unwrap();
    stream.write_all(format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "y".repeat(20_000)).as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // The rest of the request head is unread when the server closes.
    let _ = stream.read_to_end(&mut answer).await;
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 431 "), "{:?}", String::from_utf8_lossy(&answer));
}

/// Longer than every deadline of the server: while the clock is paused, time may jump before the socket is polled.
const DAY: Duration = Duration::from_secs(86_400);

/// Whether the server ends the connection without an answer.
async fn is_closed(stream: &mut TcpStream) -> bool {
    let mut byte = [0];
    match tokio::time::timeout(DAY, stream.read(&mut byte)).await.expect("it stays open") {
        Ok(count) => count == 0,
        Err(error) => error.kind() == ErrorKind::ConnectionReset,
    }
}
