//! Attacks of devices that were removed from their account, or soon will be: they go on with everything that they have open, let
//! others in, enrol recovery keys, and send statements that nobody signed.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tourismo_core::id::DeviceKey;
use tourismo_core::membership::{Claim, MembershipSet, Statement, recovery_lookup};
use tourismo_core::time::Timestamp;
use tourismo_core::wire::{ByeCode, DocKind, Message};

use super::hostile_client::HostileClient;
use super::{Attack, Environment, Scale};
use crate::client::{Client, Device, Document};

/// The number of devices that one account of the attack removes. It has room for 64 removals by devices.
const REMOVED_OF_AN_ACCOUNT: usize = 40;

/// Maximum time from a removal to the last byte for the removed device: its p99 on a machine with no other work.
const CUT_OFF: Duration = Duration::from_secs(1);

/// Longer than any wait of an honest relay.
const PATIENCE: Duration = Duration::from_secs(120);

pub(super) fn attacks() -> Vec<Attack> {
    vec![
        Attack::new("a removed device that goes on", |field| Box::pin(goes_on(field))).growth_mib(32),
        Attack::new("a thief who lets others in and enrols recovery keys", |field| Box::pin(cascade(field)))
            .growth_mib(16),
        Attack::new("membership statements that are forged, replayed, or too many", |field| Box::pin(forgeries(field)))
            .growth_mib(32),
    ]
}

/// Devices with an open connection that pushes, an open event stream, a read token and an accomplice are removed one after the
/// other. Each is cut off, is told why, and adds nothing afterwards.
async fn goes_on(field: Environment) -> anyhow::Result<String> {
    let rounds = field.scale.of(1_000);
    let mut times = Vec::new();
    while times.len() < rounds {
        let number = times.len() / REMOVED_OF_AN_ACCOUNT;
        let owner = Device::founder(seed(0x71, number)).with_membership();
        let mut client = field.hostile(1 + (number % 8) as u8).join(&owner).await?;
        for round in 0..REMOVED_OF_AN_ACCOUNT.min(rounds - times.len()) {
            let took = remove_one(&field, &owner, &mut client, number * REMOVED_OF_AN_ACCOUNT + round).await;
            times.push(took.with_context(|| format!("removal {}", times.len()))?);
        }
    }
    times.sort();
    let p99 = times[(times.len() * 99).div_ceil(100) - 1];
    ensure!(field.scale == Scale::Small || p99 <= CUT_OFF, "a removed device was cut off after {p99:.1?} (p99)");
    Ok(format!("{} cut off, p99 {:.0} ms", times.len(), p99.as_secs_f64() * 1e3))
}

/// Returns the time from the removal of a device to the last byte for it.
async fn remove_one(
    field: &Environment,
    owner: &Device,
    client: &mut Client,
    number: usize,
) -> anyhow::Result<Duration> {
    // Several hosts, because one may not ask as often.
    let hostile = field.hostile(20 + (number / REMOVED_OF_AN_ACCOUNT) as u8);
    let thief = owner.link(seed(0x72, number));
    let mut stolen = hostile.join(&thief).await?;
    let token = thief.read_token(&stolen, now() + 3_600_000);
    ensure!(status(hostile, "/v1/me/devices", &token).await? == 200, "a device of the account may read");
    let mut stream = open_stream(hostile, &token).await?;
    let mut document = Document::new(thief.key(), (number as u128 + 1).to_be_bytes(), DocKind::Car);
    stolen.push(vec![document.change(100).1]).await?;
    ensure!(stolen.answers(1).await?.nacked.is_empty(), "a device of the account may write");

    let going_on = tokio::spawn(push_until_the_end(stolen, document));
    let began = Instant::now();
    let removal = owner.statement(Claim::Revoke { keeps: Vec::new() }, thief.key());
    client.send(&Message::Declare { statements: vec![removal] }).await?;
    let code = going_on.await??;
    ensure!(code == ByeCode::Revoked, "a removed device is told {code:?}");
    timeout(PATIENCE, end_of_stream(&mut stream)).await.context("the relay keeps the stream")?;
    let took = Instant::now() - began;

    let answer = status(hostile, "/v1/me/devices", &token).await?;
    ensure!(answer == 401, "a removed device reads: {answer}");
    ensure!(knock(hostile, &thief).await? == Some(ByeCode::Revoked), "a removed device is let in");
    let accomplice = thief.link(seed(0x73, number));
    ensure!(knock(hostile, &accomplice).await? == Some(ByeCode::NotAuthentic), "a removed device lets another one in");
    // The grant that it had is no grant again, whoever presents it.
    ensure!(knock(hostile, &owner.link(seed(0x72, number))).await? == Some(ByeCode::Revoked), "a grant counts twice");
    Ok(took)
}

/// Reads an event stream to its end, or until the relay cuts it off.
async fn end_of_stream(stream: &mut TcpStream) {
    let (mut text, mut bytes) = (Vec::new(), [0; 4 << 10]);
    while !text.ends_with(b"\r\n0\r\n\r\n") {
        match stream.read(&mut bytes).await {
            Ok(count) if count > 0 => text.extend(&bytes[..count]),
            Ok(_) | Err(_) => return,
        }
    }
}

/// Pushes one change after the other until the relay ends the connection; returns the code.
async fn push_until_the_end(mut client: Client, mut document: Document) -> anyhow::Result<ByeCode> {
    loop {
        // The relay may have closed the connection already; its last messages are still read.
        let _ = client.push(vec![document.change(100).1]).await;
        loop {
            match client.receive().await? {
                Message::Bye { code } => return Ok(code),
                Message::Ack { .. } | Message::Nack { .. } => break,
                Message::Entries { .. } | Message::Members { .. } => {}
                message => bail!("unexpected: {message:?}"),
            }
        }
    }
}

/// A thief lets an accomplice in, who lets another one in, and both enrol recovery keys. The owner removes the thief: all of
/// them are out at once, and the recovery keys never count.
async fn cascade(field: Environment) -> anyhow::Result<String> {
    let rounds = field.scale.of(100);
    for round in 0..rounds {
        let (host, hostile) = (field.hostile(1 + (round % 8) as u8), field.hostile(20));
        let owner = Device::founder(seed(0x74, round)).with_membership();
        let honest = owner.link(seed(0x75, round));
        let (mut client, mut other) = (host.join(&owner).await?, host.join(&honest).await?);
        let thief = owner.link(seed(0x76, round));
        let first = thief.link(seed(0x77, round));
        let second = first.link(seed(0x78, round));
        let mut gang = Vec::new();
        for device in [&thief, &first, &second] {
            gang.push(hostile.join(device).await?);
        }
        let mut keys = Vec::new();
        for (device, client, number) in [(&thief, 0, 0x79), (&second, 2, 0x7a)] {
            let key = Device::founder(seed(number, round)).with_membership().posing_as(owner.account);
            let statement = device.statement(key.accepts(&owner.account), key.key());
            gang[client].send(&Message::Declare { statements: vec![statement] }).await?;
            keys.push(key);
        }
        // Both keys are known to the relay, and neither counts yet.
        while members(&mut client).await?.statements().count() < 6 {}
        let removal = owner.statement(Claim::Revoke { keeps: Vec::new() }, thief.key());
        client.send(&Message::Declare { statements: vec![removal] }).await?;
        for member in &mut gang {
            loop {
                match member.receive().await? {
                    Message::Bye { code: ByeCode::Revoked } => break,
                    Message::Members { .. } | Message::Entries { .. } => {}
                    message => bail!("unexpected: {message:?}"),
                }
            }
        }
        for (number, key) in keys.iter().enumerate() {
            let path = format!("/v1/recovery/{}", hex(&recovery_lookup(&key.key())));
            ensure!(status(hostile, &path, "").await? == 404, "a thief's recovery key {number} counts");
            let device = key.link(seed(0x7b + number as u8, round));
            ensure!(knock(hostile, &device).await? == Some(ByeCode::NotAuthentic), "a thief's key lets a device in");
        }
        // The honest device notices nothing else.
        let mut document = Document::new(honest.key(), [9; 16], DocKind::Car);
        other.push(vec![document.change(100).1]).await?;
        ensure!(other.answers(1).await?.nacked.is_empty(), "an honest device is refused");
    }
    Ok(format!("{} devices and {} recovery keys out", 3 * rounds, 2 * rounds))
}

/// A stranger and a device of the account send statements that nobody signed, that were signed for another account, that are
/// cut, and far too many. The statements of the victim stay as they are.
async fn forgeries(field: Environment) -> anyhow::Result<String> {
    let (host, hostile) = (field.hostile(1), field.hostile(20));
    let owner = Device::founder(seed(0x7d, 0)).with_membership();
    let device = owner.link(seed(0x7d, 1));
    let (mut client, mut flooding) = (host.join(&owner).await?, hostile.join(&device).await?);
    let stranger = Device::founder(seed(0x7e, 0)).with_membership();
    drop(hostile.join(&stranger).await?);

    let grant = device.grant().context("a linked device has a grant")?.statement(device.key());
    let revoke = |by: &Device, subject: DeviceKey| by.statement(Claim::Revoke { keeps: Vec::new() }, subject);
    let victims_word = Statement { claim: Claim::Revoke { keeps: Vec::new() }, by: owner.key(), ..grant.clone() };
    let forged = [
        // A grant taken for a revocation, another subject, another signer, another signature.
        victims_word,
        Statement { subject: stranger.key(), ..grant.clone() },
        Statement { by: stranger.key(), ..grant.clone() },
        Statement { signature: [7; 64], ..revoke(&owner, device.key()) },
        // Said of its own account by the stranger.
        revoke(&stranger, owner.key()),
    ];
    for statement in &forged {
        let mut client = hostile.join(&device).await?;
        client.send(&Message::Declare { statements: vec![statement.clone()] }).await?;
        ensure!(end_of(&mut client).await? == ByeCode::NotAuthentic, "a forged statement is taken: {statement:?}");
    }
    // The statements of one account, said of another one.
    let mut other = hostile.join(&stranger).await?;
    other.send(&Message::Declare { statements: vec![revoke(&owner, device.key())] }).await?;
    ensure!(end_of(&mut other).await? == ByeCode::NotAuthentic, "a statement of another account is taken");
    // A key that never spoke for the account says something that it did sign.
    let foreign = stranger.clone().posing_as(owner.account);
    flooding.send(&Message::Declare { statements: vec![revoke(&foreign, owner.key())] }).await?;
    ensure!(members(&mut flooding).await?.statements().count() == 1, "a stranger's statement is stored");
    for statements in [Vec::new(), vec![grant.clone(); 33]] {
        let mut client = hostile.join(&device).await?;
        client.send(&Message::Declare { statements }).await?;
        ensure!(end_of(&mut client).await? == ByeCode::Overloaded, "a message has from 1 to 32 statements");
    }
    let mut cut = Message::Declare { statements: vec![grant.clone()] }.encode();
    cut.pop();
    let mut socket = hostile.join(&device).await?;
    socket.send_frame(tokio_tungstenite::tungstenite::Message::Binary(cut.into())).await?;
    ensure!(end_of(&mut socket).await? == ByeCode::Malformed, "half a message is taken");

    // Far more than an account may have.
    let messages = field.scale.of(2_000);
    let mut stored = 0;
    for message in 0..messages {
        let about = |number: usize| {
            let mut subject = [0x7f; 32];
            subject[..4].copy_from_slice(&((message * 32 + number) as u32).to_be_bytes());
            device.statement(Claim::Object, DeviceKey(subject))
        };
        flooding.send(&Message::Declare { statements: (0..32).map(about).collect() }).await?;
        stored = members(&mut flooding).await?.statements().count();
    }
    ensure!(stored <= 64, "a device stored {stored} statements");
    let set = members_after(&mut client, stored).await?;
    client.send(&Message::Declare { statements: vec![revoke(&owner, device.key())] }).await?;
    ensure!(end_of(&mut flooding).await? == ByeCode::Revoked, "the owner has no room to remove the device");
    ensure!(set.evaluate(now()).is_member(&owner.key()), "the owner is out");
    Ok(format!("{} forged, {} statements sent, {stored} stored", forged.len(), messages * 32))
}

/// Receives until the relay ends the connection; returns the code.
async fn end_of(client: &mut Client) -> anyhow::Result<ByeCode> {
    loop {
        match client.receive().await? {
            Message::Bye { code } => return Ok(code),
            Message::Members { .. } | Message::Entries { .. } => {}
            message => bail!("unexpected: {message:?}"),
        }
    }
}

/// Receives the statements of the account.
async fn members(client: &mut Client) -> anyhow::Result<MembershipSet> {
    loop {
        match client.receive().await? {
            Message::Members { statements } => {
                let mut set = MembershipSet::new(client.account());
                set.merge(statements)?;
                return Ok(set);
            }
            Message::Entries { .. } => {}
            message => bail!("unexpected: {message:?}"),
        }
    }
}

/// Receives until there are so many statements.
async fn members_after(client: &mut Client, count: usize) -> anyhow::Result<MembershipSet> {
    loop {
        let set = members(client).await?;
        if set.statements().count() >= count {
            return Ok(set);
        }
    }
}

/// Returns the code with which the relay refuses a device; `None` if it lets the device in.
async fn knock(hostile: HostileClient, device: &Device) -> anyhow::Result<Option<ByeCode>> {
    match hostile.answer_to(device).await? {
        Message::Welcome { .. } => Ok(None),
        Message::Bye { code } => Ok(Some(code)),
        message => bail!("unexpected: {message:?}"),
    }
}

/// Returns the status of a read with a token, or without one if it is empty.
async fn status(hostile: HostileClient, path: &str, token: &str) -> anyhow::Result<u16> {
    let token = if token.is_empty() { String::new() } else { format!("authorization: Bearer {token}\r\n") };
    let request = format!("GET {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n{token}\r\n", hostile.relay);
    hostile.ask(request.as_bytes()).await
}

/// Opens the event stream of the home feed, and reads its first event.
async fn open_stream(hostile: HostileClient, token: &str) -> anyhow::Result<TcpStream> {
    let mut stream = hostile.connect().await?;
    let request = format!("GET /v1/me/feed/live HTTP/1.1\r\nhost: relay\r\nauthorization: Bearer {token}\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut text = String::new();
    while !text.contains("event: open") {
        let mut bytes = [0; 4 << 10];
        let count = timeout(PATIENCE, stream.read(&mut bytes)).await??;
        ensure!(count > 0, "the stream ended: {text}");
        text.push_str(&String::from_utf8_lossy(&bytes[..count]));
    }
    Ok(stream)
}

fn seed(kind: u8, number: usize) -> [u8; 32] {
    let mut seed = [kind; 32];
    seed[..4].copy_from_slice(&(number as u32).to_be_bytes());
    seed
}

fn now() -> Timestamp {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
