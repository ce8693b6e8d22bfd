//! A signature is valid at the origin that the phone dialled and nowhere else: a relay that passes another relay's
//! challenge on to a phone cannot use the answer.

use tourismo_core::wire::{ByeCode, Message};
use tourismo_server::Config;

use crate::harness::{Phone, Relay, Wire, get_with, now, origin_of};

fn named(urls: &'static [&str]) -> impl FnOnce(&mut Config) {
    |config| config.public_urls = urls.iter().map(|url| url.parse().unwrap()).collect()
}

/// Proves a device key on a connection for the given origin; returns the code of a `bye`.
async fn prove(mut wire: Wire, origin: &str) -> Option<ByeCode> {
    let phone = Phone::founder(1);
    wire.send(&phone.hello()).await;
    let Message::Challenge { relay, nonce, .. } = wire.receive().await else { panic!("a challenge was due") };
    wire.send(&phone.proof(&relay, &nonce, origin)).await;
    outcome(wire).await
}

/// The same with protocol version 1.
async fn prove_v1(mut wire: Wire) -> Option<ByeCode> {
    let phone = Phone::founder(1);
    wire.send(&Message::Hello { protocols: vec![1], account: phone.account, device: phone.device() }).await;
    match wire.receive().await {
        Message::Challenge { protocol, relay, nonce } => {
            assert_eq!(protocol, 1);
            wire.send(&phone.proof_v1(&relay, &nonce)).await;
            outcome(wire).await
        }
        Message::Bye { code } => Some(code),
        message => panic!("a challenge was due: {message:?}"),
    }
}

async fn outcome(mut wire: Wire) -> Option<ByeCode> {
    match wire.receive().await {
        Message::Welcome { .. } => None,
        Message::Bye { code } => Some(code),
        message => panic!("in or out: {message:?}"),
    }
}

/// The code with which a read with this token is refused, if it is.
async fn read(relay: &Relay, token: &str, headers: &str) -> Option<String> {
    let answer = get_with(relay.addr(), "/v1/me/profile", &format!("authorization: Bearer {token}\r\n{headers}")).await;
    (answer.status != 200).then(|| answer.json()["error"]["code"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn h9_a_relay_without_a_public_url_lets_in_who_dialled_the_address_where_the_connection_ends() {
    let relay = Relay::start().await;
    let port = relay.addr().port();
    for (origin, expected) in [
        (format!("http://127.0.0.1:{port}"), None),
        (format!("http://localhost:{port}"), None),
        // A hostile relay on another port or address of the machine, or on another machine.
        (format!("http://127.0.0.1:{}", port ^ 1), Some(ByeCode::WrongOrigin)),
        (format!("http://localhost:{}", port ^ 1), Some(ByeCode::WrongOrigin)),
        (format!("http://127.0.0.2:{port}"), Some(ByeCode::WrongOrigin)),
        (format!("https://127.0.0.1:{port}"), Some(ByeCode::WrongOrigin)),
        ("https://evil.example".to_owned(), Some(ByeCode::WrongOrigin)),
        (String::new(), Some(ByeCode::WrongOrigin)),
    ] {
        let wire = Wire::open(relay.addr()).await;
        assert_eq!(prove(wire, &origin).await, expected, "{origin}");
    }
}

#[tokio::test]
async fn h9_without_a_public_url_no_header_makes_an_origin_the_relays_own() {
    let relay = Relay::start().await;
    for (name, value) in [("host", "evil.example"), ("x-forwarded-host", "evil.example")] {
        let wire = Wire::open_with(relay.addr(), &[(name, value)]).await;
        assert_eq!(prove(wire, "http://evil.example").await, Some(ByeCode::WrongOrigin), "{name}");
    }
    // Forwarded addresses concern the client's address, not the origin that it dialled.
    for header in [("x-forwarded-for", "192.0.2.1"), ("forwarded", "for=192.0.2.1")] {
        let wire = Wire::open_with(relay.addr(), &[header]).await;
        assert_eq!(prove(wire, &origin_of(relay.addr())).await, Some(ByeCode::WrongOrigin), "{header:?}");
    }
    assert_eq!(relay.count("SELECT COUNT(*) FROM account").await, 0, "who is refused leaves nothing");
}

#[tokio::test]
async fn h9_a_relay_with_public_urls_lets_in_who_dialled_one_of_them() {
    let relay = Relay::start_with(named(&["https://relay.example", "http://bücher.example:8080"])).await;
    for (origin, expected) in [
        ("https://relay.example", None),
        ("http://xn--bcher-kva.example:8080", None),
        ("https://relay.example:443", Some(ByeCode::WrongOrigin)),
        ("http://relay.example", Some(ByeCode::WrongOrigin)),
        (&origin_of(relay.addr()), Some(ByeCode::WrongOrigin)),
    ] {
        let wire = Wire::open_with(relay.addr(), &[("x-forwarded-for", "192.0.2.1")]).await;
        assert_eq!(prove(wire, origin).await, expected, "{origin}");
    }
}

#[tokio::test]
async fn h9_phones_of_version_1_are_served_as_before_unless_the_operator_refuses_them() {
    for (oldest, urls, expected) in
        [(1, &[][..], None), (1, &["https://relay.example"], None), (2, &[], Some(ByeCode::UnknownProtocol))]
    {
        let relay = Relay::start_with(|config| {
            config.oldest_protocol = oldest;
            named(urls)(config);
        })
        .await;
        assert_eq!(prove_v1(Wire::open(relay.addr()).await).await, expected, "from version {oldest} on");
        let phone = Phone::founder(1);
        let newer = prove(Wire::open(relay.addr()).await, urls.first().unwrap_or(&&*origin_of(relay.addr()))).await;
        assert_eq!(newer, None);
        let id = phone.relay(relay.addr()).await;
        let code = read(&relay, &phone.token_v1(&id, now() + 60_000), "").await;
        assert_eq!(code.as_deref(), expected.map(|_| "bad_token"), "from version {oldest} on");
    }
}

#[tokio::test]
async fn h9_a_read_token_is_good_at_the_origin_that_was_signed() {
    let relay = Relay::start().await;
    let phone = Phone::founder(1);
    phone.join(relay.addr()).await.close().await;
    let id = phone.relay(relay.addr()).await;
    let token = |origin: &str| phone.token(&id, now() + 60_000, origin);
    let wrong = Some("wrong_origin".to_owned());
    assert_eq!(read(&relay, &token("https://evil.example"), "").await, wrong);
    let good = token(&origin_of(relay.addr()));
    assert_eq!(read(&relay, &good, "").await, None);
    assert_eq!(
        read(&relay, &good, "x-forwarded-for: 192.0.2.1\r\n").await,
        wrong,
        "it is remembered, and looked at anew"
    );
    assert_eq!(read(&relay, &good, "").await, None);

    let relay = relay.restart_with(named(&["https://relay.example"])).await;
    assert_eq!(read(&relay, &good, "").await, wrong);
    assert_eq!(read(&relay, &token("https://relay.example"), "").await, None);
}
