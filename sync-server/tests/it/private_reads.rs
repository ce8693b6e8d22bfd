//! Read tokens over real sockets.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tourismo_core::read_token::MAX_LIFETIME_MS;
use tourismo_core::wire::RelayId;

use crate::harness::{Answer, Person, Phone, Relay, get, get_with, now, origin_of};

async fn ask(relay: &Relay, authorization: &str) -> Answer {
    get_with(relay.addr(), "/v1/me/profile", &format!("authorization: {authorization}\r\n")).await
}

#[tokio::test]
async fn r1_a_device_reads_as_its_account_and_so_does_another_that_was_let_in() {
    let relay = Relay::start().await;
    let person = Person::named(&relay, 1, "dan").await;
    let profile = person.read(&relay, "/v1/me/profile").await;
    assert_eq!((&profile["handle"], &profile["handleState"]), (&"dan".into(), &"held".into()));
    assert_eq!(person.read(&relay, "/v1/me/profile").await, profile, "a token is good more than once");
    let other = person.phone.link(2);
    other.join(relay.addr()).await.close().await;
    let token = other.token(&person.relay_id(), now() + 60_000, &origin_of(relay.addr()));
    assert_eq!(ask(&relay, &format!("bearer {token}")).await.json(), profile);
}

#[tokio::test]
async fn r2_r3_wrong_and_old_tokens_are_told_apart_and_taken_for_nobody() {
    let relay = Relay::start().await;
    let person = Person::new(&relay, 1).await;
    let id = person.relay_id();
    let (stranger, origin) = (Phone::founder(9), origin_of(relay.addr()));
    let token = |phone: &Phone, id, expires_at| phone.token(id, expires_at, &origin);
    let good = person.token(&relay);
    let forged = {
        let mut bytes = BASE64_URL_SAFE_NO_PAD.decode(&good).unwrap();
        bytes[119] ^= 1;
        BASE64_URL_SAFE_NO_PAD.encode(bytes)
    };
    for (authorization, code) in [
        (format!("Bearer {forged}"), "bad_token"),
        (format!("Bearer {}", token(&person.phone, &RelayId([7; 16]), now() + 60_000)), "bad_token"),
        (format!("Bearer {}", token(&person.phone, &id, now() + MAX_LIFETIME_MS + 600_000)), "bad_token"),
        (format!("Bearer {}", token(&person.phone, &id, now() - 1)), "expired_token"),
        (format!("Bearer {}", token(&stranger, &id, now() + 60_000)), "bad_token"),
        (format!("Bearer {}", token(&stranger.posing_as(person.account()), &id, now() + 60_000)), "bad_token"),
        (format!("Basic {good}"), "bad_token"),
        ("Bearer".to_owned(), "bad_token"),
    ] {
        let answer = ask(&relay, &authorization).await;
        assert_eq!((answer.status, answer.json()["error"]["code"].as_str()), (401, Some(code)), "{authorization}");
        assert_eq!(answer.header("www-authenticate"), "Bearer");
        assert!(answer.json()["error"]["hint"].is_string());
        // A bad token is refused even where none is needed: the client expects an answer for its own account.
        let public = get_with(relay.addr(), "/v1/feed/public", &format!("authorization: {authorization}\r\n")).await;
        assert_eq!(public.status, 401);
    }
    assert_eq!(ask(&relay, &format!("Bearer {good}")).await.status, 200);
    // No client sends a token that is not ASCII.
    let mut stream = TcpStream::connect(relay.addr()).await.unwrap();
    let request = "GET /v1/me/profile HTTP/1.1\r\nhost: r\r\nconnection: close\r\nauthorization: Bearer \u{e9}\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 401 ") && answer.contains("bad_token"), "{answer}");
}

#[tokio::test]
async fn r4_what_is_ones_own_needs_a_token_and_is_kept_from_caches() {
    let relay = Relay::start().await;
    let person = Person::new(&relay, 1).await;
    let id = person.account();
    for path in [
        "drives",
        "cars",
        "meets",
        "feed",
        "feed/live",
        "stats",
        "profile",
        "requests",
        &format!("cars/{id}/drives"),
        &format!("cars/{id}/log"),
    ] {
        let answer = get(relay.addr(), &format!("/v1/me/{path}")).await;
        assert_eq!((answer.status, answer.json()["error"]["code"].as_str()), (401, Some("token_needed")), "{path}");
    }
    let mine = person.ask(&relay, "/v1/me/drives").await;
    assert_eq!((mine.header("cache-control"), mine.header("vary")), ("private, no-store", "authorization"));
    assert_eq!(get(relay.addr(), "/v1/feed/public").await.header("cache-control"), "no-cache");
}

#[tokio::test]
async fn r8_an_answer_that_did_not_change_is_not_sent_again() {
    let relay = Relay::start().await;
    let mut person = Person::named(&relay, 1, "dan").await;
    let ask = async |etag: &str| {
        let headers = format!("if-none-match: {etag}\r\n");
        get_with(relay.addr(), "/v1/people/dan", &headers).await
    };
    let first = get(relay.addr(), "/v1/people/dan").await;
    let again = ask(first.header("etag")).await;
    assert_eq!((again.status, again.body.len()), (304, 0));
    person.call(&relay, "Dan", false).await;
    let changed = ask(first.header("etag")).await;
    assert_eq!((changed.status, &changed.json()["handle"]), (200, &"Dan".into()));
}
