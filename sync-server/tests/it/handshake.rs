//! The handshake: which devices are accepted, and the reaction to violations of the protocol.

use tokio_tungstenite::tungstenite::Message as Frame;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tourismo_core::id::DeviceKey;
use tourismo_core::wire::{ByeCode, MAX_MESSAGE_BYTES, Message, OLDEST_PHONE_PROTOCOL, PROTOCOL, RelayId};

use crate::harness::{Document, Phone, Relay, Wire, get, origin_of};

#[tokio::test]
async fn h1_h2_h4_a_phone_with_its_key_is_welcome() {
    let (relay, phone) = (Relay::start().await, Phone::founder(1));
    let mut wire = Wire::open(relay.addr()).await;
    wire.send(&phone.hello()).await;
    let Message::Challenge { protocol, relay: id, nonce } = wire.receive().await else { panic!("a challenge was due") };
    assert_eq!(protocol, OLDEST_PHONE_PROTOCOL, "what the phone speaks");
    wire.send(&phone.proof(&id, &nonce, &origin_of(relay.addr()))).await;
    let Message::Welcome { head, max_message_bytes, .. } = wire.receive().await else { panic!("a welcome was due") };
    assert_eq!((head, max_message_bytes as usize), (0, MAX_MESSAGE_BYTES));
}

#[tokio::test]
async fn h2_every_connection_is_asked_something_else() {
    let (relay, phone) = (Relay::start().await, Phone::founder(1));
    let mut nonces = Vec::new();
    for _ in 0..2 {
        let mut wire = Wire::open(relay.addr()).await;
        wire.send(&phone.hello()).await;
        let Message::Challenge { nonce, .. } = wire.receive().await else { panic!("a challenge was due") };
        nonces.push(nonce);
    }
    assert_ne!(nonces[0], nonces[1]);
}

#[tokio::test]
async fn h1_a_phone_of_another_protocol_is_told_so() {
    let (relay, phone) = (Relay::start().await, Phone::founder(1));
    for protocols in [vec![], vec![PROTOCOL + 1], vec![PROTOCOL; 9]] {
        let mut wire = Wire::open(relay.addr()).await;
        wire.send(&Message::Hello { protocols, account: phone.account, device: phone.device() }).await;
        assert_eq!(wire.bye().await, ByeCode::UnknownProtocol);
    }
}

#[tokio::test]
async fn h3_a_wrong_key_is_refused() {
    let (relay, phone) = (Relay::start().await, Phone::founder(1));
    let mut wire = Wire::open(relay.addr()).await;
    wire.send(&phone.hello()).await;
    let Message::Challenge { relay: id, nonce, .. } = wire.receive().await else { panic!("a challenge was due") };
    wire.send(&Phone::founder(2).posing_as(phone.account).proof(&id, &nonce, &origin_of(relay.addr()))).await;
    assert_eq!(wire.bye().await, ByeCode::NotAuthentic);
}

#[tokio::test]
async fn h3_a_proof_for_another_relay_or_another_connection_is_refused() {
    let (relay, phone) = (Relay::start().await, Phone::founder(1));
    for forge_relay in [true, false] {
        let mut wire = Wire::open(relay.addr()).await;
        wire.send(&phone.hello()).await;
        let Message::Challenge { relay: id, nonce, .. } = wire.receive().await else { panic!("a challenge was due") };
        let (id, nonce) = if forge_relay { (RelayId([0; 16]), nonce) } else { (id, [0; 32]) };
        wire.send(&phone.proof(&id, &nonce, &origin_of(relay.addr()))).await;
        assert_eq!(wire.bye().await, ByeCode::NotAuthentic);
    }
}

#[tokio::test]
async fn h5_a_device_that_a_device_let_in_may_speak_for_the_account() {
    let (relay, founder) = (Relay::start().await, Phone::founder(1));
    let second = founder.link(2);
    let third = second.link(3);
    assert_eq!(third.knock(relay.addr()).await.bye().await, ByeCode::NotAuthentic, "nobody knows who let it in");
    // The account id is the founder's key hash, so a device with a grant may connect before the founder.
    second.enter(relay.addr()).await;
    founder.enter(relay.addr()).await;
    third.enter(relay.addr()).await;
    assert_eq!(relay.count("SELECT COUNT(*) FROM device").await, 3);
    assert_eq!(relay.count("SELECT COUNT(*) FROM account").await, 1);
}

#[tokio::test]
async fn h5_a_device_that_nobody_let_in_is_refused() {
    let (relay, founder, stranger) = (Relay::start().await, Phone::founder(1), Phone::founder(2));
    founder.enter(relay.addr()).await;
    stranger.enter(relay.addr()).await;
    // No grant; a grant for another device; a grant from a device of another account.
    let bare = Phone::founder(3).posing_as(founder.account);
    let borrowed = Phone::founder(3).posing_as(founder.account).with_grant(founder.link(4).grant());
    let foreign = Phone::founder(2).posing_as(founder.account).link(3);
    for phone in [bare, borrowed, foreign] {
        assert_eq!(phone.knock(relay.addr()).await.bye().await, ByeCode::NotAuthentic);
    }
    assert_eq!(relay.count("SELECT COUNT(*) FROM device").await, 2);
}

#[tokio::test]
async fn h6_a_slow_handshake_is_given_up() {
    let relay = Relay::start().await;
    let wire = Wire::open(relay.addr()).await;
    // While the clock is paused, time jumps to the next deadline whenever all tasks wait.
    tokio::time::pause();
    assert_eq!(wire.bye().await, ByeCode::TooSlow);
}

#[tokio::test]
async fn m5_a_quiet_client_is_pinged() {
    let (relay, phone) = (Relay::start().await, Phone::founder(1));
    let mut wire = phone.join(relay.addr()).await;
    tokio::time::pause();
    assert_eq!(wire.receive().await, Message::Ping);
}

#[tokio::test]
async fn m1_bytes_that_are_no_message_end_the_connection() {
    let (relay, phone) = (Relay::start().await, Phone::founder(1));
    let hello = phone.hello().encode();
    let behind = [hello.as_slice(), &[0]].concat();
    for bytes in [&[][..], &[0x01], &[0xf6], b"\xff\xff\xff\xff", &hello[..hello.len() - 1], &behind] {
        let mut wire = Wire::open(relay.addr()).await;
        wire.send_bytes(bytes.to_vec()).await;
        assert_eq!(wire.bye().await, ByeCode::Malformed, "{bytes:?}");
    }
    phone.enter(relay.addr()).await;
}

#[tokio::test]
async fn m2_a_message_that_is_too_large_ends_the_connection() {
    let relay = Relay::start().await;
    let mut wire = Wire::open(relay.addr()).await;
    wire.send_bytes(vec![0; MAX_MESSAGE_BYTES + 1]).await;
    assert_eq!(wire.bye().await, ByeCode::TooLarge);
    assert_eq!(get(relay.addr(), "/v1/health").await.status, 200);
}

#[tokio::test]
async fn m3_a_text_message_ends_the_connection() {
    let relay = Relay::start().await;
    let mut wire = Wire::open(relay.addr()).await;
    wire.send_frame(Frame::Text("hello".into())).await;
    assert_eq!(wire.bye().await, ByeCode::Malformed);
}

#[tokio::test]
async fn m4_a_message_out_of_order_ends_the_connection() {
    let (relay, phone) = (Relay::start().await, Phone::founder(1));
    let (offer, _) = Document::new(phone.device(), 1, tourismo_core::wire::DocKind::Car).change();

    let mut early = Wire::open(relay.addr()).await;
    early.push(vec![offer.clone()]).await;
    assert_eq!(early.bye().await, ByeCode::OutOfOrder, "a push before the handshake");

    let mut uncaught = phone.enter(relay.addr()).await;
    uncaught.push(vec![offer]).await;
    assert_eq!(uncaught.bye().await, ByeCode::OutOfOrder, "a push before catching up");

    let mut twice = phone.join(relay.addr()).await;
    twice.send(&phone.hello()).await;
    assert_eq!(twice.bye().await, ByeCode::OutOfOrder, "a second hello");

    assert_eq!(relay.changes_on_disk().await, 0);
}

#[tokio::test]
async fn m4_a_relay_that_stops_says_so() {
    let (relay, phone) = (Relay::start().await, Phone::founder(1));
    let (idle, fresh) = (phone.join(relay.addr()).await, Wire::open(relay.addr()).await);
    let (_database, idle, fresh) = tokio::join!(relay.stop(), idle.bye(), fresh.bye());
    assert_eq!((idle, fresh), (ByeCode::GoingAway, ByeCode::GoingAway));
}

#[tokio::test]
async fn no_more_connections_are_taken_than_there_are_places() {
    let relay = Relay::start_with(|config| config.limits.max_connections = 1).await;
    let phone = Phone::founder(1);
    let wire = phone.join(relay.addr()).await;
    let refused = tokio_tungstenite::connect_async(format!("ws://{}/v1/sync", relay.addr())).await;
    assert!(refused.unwrap_err().to_string().contains("503"));
    wire.close().await;
    // The place is free once the server has seen the end of the connection.
    while tokio_tungstenite::connect_async(format!("ws://{}/v1/sync", relay.addr())).await.is_err() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_page_of_another_host_cannot_connect() {
    let relay =
        Relay::start_with(|config| config.allowed_origins = vec!["https://drive.example".parse().unwrap()]).await;
    let connect = async |origin: String| {
        let mut request = format!("ws://{}/v1/sync", relay.addr()).into_client_request().unwrap();
        request.headers_mut().insert("origin", origin.parse().unwrap());
        tokio_tungstenite::connect_async(request).await.map(drop).map_err(|error| error.to_string())
    };
    assert!(connect("https://evil.example".into()).await.unwrap_err().contains("403"));
    assert!(connect("https://drive.example".into()).await.is_ok());
    assert!(connect(format!("http://{}", relay.addr())).await.is_ok());
}

#[tokio::test]
async fn h3_a_key_that_is_no_point_of_the_curve_is_refused() {
    let relay = Relay::start().await;
    let key = DeviceKey([0xff; 32]);
    let account = tourismo_core::id::AccountId::founded_by(&key);
    let mut wire = Wire::open(relay.addr()).await;
    wire.send(&Message::Hello { protocols: vec![PROTOCOL], account, device: key }).await;
    let Message::Challenge { .. } = wire.receive().await else { panic!("a challenge was due") };
    wire.send(&Message::Proof { signature: [0; 64], grant: None, origin: Some(origin_of(relay.addr())) }).await;
    assert_eq!(wire.bye().await, ByeCode::NotAuthentic);
}
