//! Membership statements over real sockets: who is let in, who is told, and what a removed device is refused.

use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, sleep, timeout};
use tourismo_core::docs::Visibility;
use tourismo_core::id::DeviceKey;
use tourismo_core::membership::{
    Claim, MembershipDigest, MembershipSet, ReceivedStatement, Statement, recovery_lookup,
};
use tourismo_core::time::Timestamp;
use tourismo_core::track::Stretch;
use tourismo_core::wire::{ByeCode, DocKind, Message};

use crate::harness::{Document, Phone, Relay, drive_on, get, get_with, now, origin_of};

/// Long enough for any machine: whoever waits so long waits in vain.
const PATIENCE: Duration = Duration::from_secs(60);

fn revoke(keeps: &[&Phone]) -> Claim {
    let mut keeps: Vec<DeviceKey> = keeps.iter().map(|phone| phone.device()).collect();
    keeps.sort();
    Claim::Revoke { keeps }
}

fn digest_of(phone: &Phone, received: &[ReceivedStatement]) -> MembershipDigest {
    let mut set = MembershipSet::new(phone.account);
    set.merge(received.to_vec()).unwrap();
    set.digest()
}

fn statements(received: Vec<ReceivedStatement>) -> Vec<Statement> {
    received.into_iter().map(|one| one.statement).collect()
}

/// A read as a device, by its read token.
async fn read_as(relay: &Relay, phone: &Phone) -> (u16, String) {
    let token = phone.token(&phone.relay(relay.addr()).await, now() + 60_000, &origin_of(relay.addr()));
    let answer = get_with(relay.addr(), "/v1/me/devices", &format!("authorization: Bearer {token}\r\n")).await;
    let code = answer.json()["error"]["code"].as_str().unwrap_or_default().to_owned();
    (answer.status, code)
}

#[tokio::test]
async fn g5_unchanged_statements_cost_sixteen_bytes_and_changed_ones_are_told() {
    let (relay, founder) = (Relay::start().await, Phone::founder(1).with_membership());
    let mut wire = founder.enter(relay.addr()).await;
    assert_eq!(wire.catch_up_members(MembershipDigest::default(), false).await, None, "there are none on either side");
    let second = founder.link(2);
    let mut other = second.enter(relay.addr()).await;
    let told = other.catch_up_members(MembershipDigest::default(), true).await.expect("its own grant is stored");
    let grant = second.grant().unwrap().statement(second.device());
    assert_eq!(statements(told.clone()), std::slice::from_ref(&grant));
    assert_eq!(statements(wire.members(1).await), std::slice::from_ref(&grant), "the other device is told at once");
    other.close().await;
    let mut again = second.enter(relay.addr()).await;
    let digest = digest_of(&second, &told);
    assert_eq!(again.catch_up_members(digest, false).await, None, "equal digests: nothing is said");
    let plain = Message::CatchUp { cursor: 0, digest: Default::default(), membership: None }.encode().len();
    let with = Message::CatchUp { cursor: 0, digest: Default::default(), membership: Some(digest) }.encode().len();
    assert!(with - plain <= 40, "{plain} {with}");
}

#[tokio::test]
async fn g5_statements_that_only_a_phone_has_come_back_to_a_relay_that_lost_them() {
    let (relay, founder) = (Relay::start().await, Phone::founder(1).with_membership());
    let (second, third) = (founder.link(2), founder.link(3));
    let mut wire = founder.enter(relay.addr()).await;
    wire.catch_up_members(MembershipDigest::default(), false).await;
    let grants = [&second, &third].map(|phone| phone.grant().unwrap().statement(phone.device()));
    let told = wire.declare(grants.to_vec(), 2).await;
    assert_eq!(told.len(), 2);
    assert_eq!(wire.declare(grants.to_vec(), 2).await, told, "the same again changes nothing");
    // A stranger's statement is not stored.
    let stranger = Phone::founder(9).with_membership().posing_as(founder.account);
    let foreign = stranger.statement(Claim::Grant, stranger.device());
    assert_eq!(wire.declare(vec![foreign], 2).await, told);
    // A forged one ends the connection.
    let forged = Statement { signature: [7; 64], ..grants[0].clone() };
    wire.send(&Message::Declare { statements: vec![forged] }).await;
    assert_eq!(wire.bye().await, ByeCode::NotAuthentic);
    let relay = relay.restart_with(|_| {}).await;
    let mut wire = founder.enter(relay.addr()).await;
    assert_eq!(wire.catch_up_members(MembershipDigest::default(), true).await, Some(told), "they are on disk");
}

#[tokio::test]
async fn g9_a_removed_device_is_cut_off_within_a_second_and_others_notice_nothing_else() {
    let (relay, founder) = (Relay::start().await, Phone::founder(1).with_membership());
    let mut owner = founder.enter(relay.addr()).await;
    owner.catch_up_members(MembershipDigest::default(), false).await;
    let (thief, old_thief) = (founder.link(2), founder.link(3));
    let mut stolen = thief.enter(relay.addr()).await;
    stolen.catch_up_members(MembershipDigest::default(), true).await;
    owner.members(1).await;
    // A phone of version 2 of the same account is told what it understands.
    let old_thief = Phone::founder(1).link(3).with_grant(old_thief.grant());
    let mut old = old_thief.join(relay.addr()).await;
    owner.members(2).await;
    stolen.members(2).await;
    let mut document = Document::new(thief.device(), 1, DocKind::Car);
    stolen.push(vec![document.change().0]).await;
    assert_eq!(stolen.answers(1).await.acked.len(), 1);
    assert_eq!(read_as(&relay, &thief).await, (200, String::new()));
    let mut stream = open_stream(&relay, &thief).await;
    let Message::Entries { .. } = owner.receive().await else { panic!("its change arrives") };
    let Message::Entries { .. } = old.receive().await else { panic!("its change arrives") };

    let began = Instant::now();
    let removals = [&thief, &old_thief].map(|phone| founder.statement(revoke(&[]), phone.device()));
    owner.send(&Message::Declare { statements: removals.to_vec() }).await;
    assert_eq!(stolen.bye().await, ByeCode::Revoked);
    assert_eq!(old.bye().await, ByeCode::NotAuthentic, "version 2 does not know the code");
    stream_ends_with(&mut stream, "revoked").await;
    let took = began.elapsed();
    let told = owner.members(4).await;
    assert_eq!(read_as(&relay, &thief).await, (401, "revoked".to_owned()), "a token that was good");
    assert_eq!(thief.knock(relay.addr()).await.bye().await, ByeCode::Revoked);
    assert_eq!(old_thief.knock(relay.addr()).await.bye().await, ByeCode::NotAuthentic);
    // Another grant by the founder does not bring it back, and neither do its own friends.
    assert_eq!(founder.link(2).knock(relay.addr()).await.bye().await, ByeCode::Revoked);
    assert_eq!(thief.link(4).knock(relay.addr()).await.bye().await, ByeCode::NotAuthentic);
    // What it made before stays, and the owner's devices go on.
    assert_eq!(relay.changes_on_disk().await, 1);
    let mut owner = founder.enter(relay.addr()).await;
    owner.catch_up_members(digest_of(&founder, &told), false).await;
    let mut own = Document::new(founder.device(), 2, DocKind::Car);
    owner.push(vec![own.change().0]).await;
    assert_eq!(owner.answers(1).await.acked.len(), 1);
    // A slow machine makes everything late; on a quick one it is some milliseconds.
    assert!(took < PATIENCE, "{took:?}");
    eprintln!("a removed device was cut off after {took:?}");
}

#[tokio::test]
async fn g4_g8_recovery_words_bring_the_account_back_and_a_thief_who_is_first_does_not() {
    let (relay, founder) = (Relay::start().await, Phone::founder(1).with_membership());
    let mut owner = founder.enter(relay.addr()).await;
    owner.catch_up_members(MembershipDigest::default(), false).await;
    let thief = founder.link(2);
    let mut stolen = thief.enter(relay.addr()).await;
    stolen.catch_up_members(MembershipDigest::default(), true).await;
    let (words, other_words) = (
        Phone::founder(8).with_membership().posing_as(founder.account),
        Phone::founder(9).with_membership().posing_as(founder.account),
    );
    let lookup = |key: &Phone| {
        let hash = recovery_lookup(&key.device());
        format!("/v1/recovery/{}", hash.map(|byte| format!("{byte:02x}")).concat())
    };
    assert_eq!(get(relay.addr(), &lookup(&words)).await.status, 404);
    assert_eq!(get(relay.addr(), "/v1/recovery/00").await.status, 404);
    assert_eq!(get(relay.addr(), &format!("/v1/recovery/{}", "zz".repeat(32))).await.status, 404);
    stolen.declare(vec![thief.statement(other_words.accepts(&founder.account), other_words.device())], 2).await;
    owner.members(2).await;
    owner.declare(vec![founder.statement(words.accepts(&founder.account), words.device())], 3).await;
    let found = get(relay.addr(), &lookup(&words)).await.json();
    assert_eq!(found["items"][0]["account"], founder.account.to_string());
    assert!(found["items"][0]["from"].is_null());
    let pending = get(relay.addr(), &lookup(&other_words)).await.json();
    assert!(pending["items"][0]["from"].is_i64(), "after a week");
    assert_eq!(other_words.link(20).knock(relay.addr()).await.bye().await, ByeCode::NotAuthentic, "not before");
    // The founder's phone is in the lake. The words let a new one in, and remove everything else.
    owner.close().await;
    let new = words.link(30);
    let mut wire = new.enter(relay.addr()).await;
    assert_eq!(wire.catch_up_members(MembershipDigest::default(), true).await.map(|told| told.len()), Some(4));
    let removals = [&founder, &other_words].map(|key| words.statement(revoke(&[]), key.device()));
    wire.send(&Message::Declare { statements: removals.to_vec() }).await;
    loop {
        match stolen.receive().await {
            Message::Members { .. } => {}
            message => break assert_eq!(message, Message::Bye { code: ByeCode::Revoked }),
        }
    }
    wire.members(6).await;
    assert_eq!(founder.knock(relay.addr()).await.bye().await, ByeCode::Revoked);
    assert_eq!(get(relay.addr(), &lookup(&other_words)).await.status, 404, "it never counts");
    let devices = read_as(&relay, &new).await;
    assert_eq!(devices, (200, String::new()));
}

#[tokio::test]
async fn g3_devices_from_before_there_were_statements_stay_in_and_can_be_removed() {
    let (relay, founder) = (Relay::start().await, Phone::founder(1));
    let second = founder.link(2);
    founder.join(relay.addr()).await.close().await;
    second.join(relay.addr()).await.close().await;
    let database = relay.stop().await;
    database.write("DELETE FROM membership").await;
    database.write("UPDATE account SET membership = NULL").await;
    database.write("UPDATE device SET seen_at = NULL").await;
    let relay = Relay::start_on(database, |_| {}).await;
    let owner = founder.with_membership();
    let mut wire = owner.enter(relay.addr()).await;
    assert_eq!(wire.catch_up_members(MembershipDigest::default(), false).await, None);
    second.join(relay.addr()).await.close().await;
    assert_eq!(wire.members(1).await.len(), 1, "its grant is stored when it comes again");
    wire.declare(vec![owner.statement(revoke(&[]), second.device())], 2).await;
    assert_eq!(second.knock(relay.addr()).await.bye().await, ByeCode::NotAuthentic);
}

#[tokio::test]
async fn g3_a_removal_keeps_a_device_that_the_removed_one_let_in_before_there_were_statements() {
    let (relay, founder) = (Relay::start().await, Phone::founder(1));
    let second = founder.link(2);
    let third = second.link(3);
    for phone in [&founder, &second, &third] {
        phone.join(relay.addr()).await.close().await;
    }
    let database = relay.stop().await;
    database.write("DELETE FROM membership").await;
    database.write("UPDATE account SET membership = NULL").await;
    database.write("UPDATE device SET seen_at = NULL").await;
    let relay = Relay::start_on(database, |_| {}).await;
    let owner = founder.with_membership();
    let mut wire = owner.enter(relay.addr()).await;
    wire.catch_up_members(MembershipDigest::default(), false).await;
    // No phone knows who let the third device in.
    wire.declare(vec![owner.statement(revoke(&[]), second.device())], 1).await;
    assert_eq!(second.knock(relay.addr()).await.bye().await, ByeCode::NotAuthentic);
    third.join(relay.addr()).await.close().await;
    assert_eq!(wire.members(2).await.len(), 2, "its grant is stored, and it stays in");
    third.join(relay.addr()).await.close().await;
    wire.declare(vec![owner.statement(revoke(&[]), third.device())], 3).await;
    assert_eq!(third.knock(relay.addr()).await.bye().await, ByeCode::NotAuthentic);
}

#[tokio::test]
async fn g9_an_answer_that_a_removed_device_reads_slowly_is_cut_off() {
    let (relay, founder) = (Relay::start().await, Phone::founder(1).with_membership());
    let mut owner = founder.enter(relay.addr()).await;
    owner.catch_up_members(MembershipDigest::default(), false).await;
    let mut drive = Document::new(founder.device(), 101, DocKind::Published);
    // Ten hours.
    let minutes: Vec<Stretch> =
        (0..600).map(|minute| drive_on(Timestamp(1_790_000_000_000 + minute * 60_000)).swap_remove(0)).collect();
    owner.push(vec![drive.publish("Long", Visibility::Public, &minutes)]).await;
    assert_eq!(owner.answers(1).await.nacked, []);
    let thief = founder.link(2);
    let mut stolen = thief.enter(relay.addr()).await;
    stolen.catch_up_members(MembershipDigest::default(), true).await;
    owner.members(1).await;
    let path = format!("/v1/drives/{}/drive.gpx", drive.id);
    relay.settle().await;
    let whole = get(relay.addr(), &path).await.body.len();
    assert!(whole > 2 << 20, "{whole}");

    let token = thief.token(&thief.relay(relay.addr()).await, now() + 60_000, &origin_of(relay.addr()));
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(16 << 10).unwrap();
    let mut stream = socket.connect(relay.addr()).await.unwrap();
    let head = format!("GET {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut read = stream.read(&mut [0; 512]).await.unwrap();
    owner.send(&Message::Declare { statements: vec![founder.statement(revoke(&[]), thief.device())] }).await;
    assert_eq!(stolen.bye().await, ByeCode::Revoked);
    // It reads a kilobyte in ten milliseconds, for which the whole answer takes much longer than the cut.
    loop {
        let mut bytes = [0; 1 << 10];
        match timeout(PATIENCE, stream.read(&mut bytes)).await.expect("nothing happens to the connection") {
            Ok(count) if count > 0 => read += count,
            Ok(_) | Err(_) => break,
        }
        sleep(Duration::from_millis(10)).await;
        assert!(read < whole, "a removed device reads all of its answer");
    }
}

async fn open_stream(relay: &Relay, phone: &Phone) -> BufReader<TcpStream> {
    let token = phone.token(&phone.relay(relay.addr()).await, now() + 60_000, &origin_of(relay.addr()));
    let mut stream = TcpStream::connect(relay.addr()).await.unwrap();
    let head = format!("GET /v1/me/feed/live HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut stream = BufReader::new(stream);
    wait_for_line(&mut stream, "event: open").await;
    stream
}

async fn stream_ends_with(stream: &mut BufReader<TcpStream>, event: &str) {
    wait_for_line(stream, &format!("event: {event}")).await;
    wait_for_line(stream, "0").await;
}

async fn wait_for_line(stream: &mut BufReader<TcpStream>, wanted: &str) {
    loop {
        let mut line = String::new();
        let length = timeout(PATIENCE, stream.read_line(&mut line)).await.expect("nothing was said").unwrap();
        assert!(length > 0, "the connection was cut before {wanted}");
        if line.trim_end() == wanted {
            return;
        }
    }
}
