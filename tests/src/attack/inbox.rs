//! Attacks on inboxes: guessed addresses, and floods of an address that has become known.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use anyhow::{Context, ensure};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::sleep;
use tourismo_core::docs::social::SocialEntry;
use tourismo_core::id::AccountId;

use super::readers::Account;
use super::{Attack, Environment, Scale};
use crate::bench::grouped;

/// Maximum number of fixes that wait (PROTOCOL.md, I7).
const MAX_WAITING: u64 = 100_000;
/// Maximum size of a body, bytes.
const MAX_BODY: usize = 1 << 20;

pub(super) fn attacks() -> Vec<Attack> {
    vec![
        Attack::new("guessed addresses of inboxes", |field| Box::pin(guesses(field))).growth_mib(24).cpu_s(40),
        Attack::new("an inbox whose address is known", |field| Box::pin(floods(field))).cpu_s(60),
    ]
}

/// Tries addresses, also with bodies that are as long as they may be for an address that exists.
async fn guesses(field: Environment) -> anyhow::Result<String> {
    let mut statuses = Statuses::default();
    let body = batch(0, 5_000);
    for round in 0..field.scale.of(8_000) {
        let path =
            format!("/v1/inbox/{:032x}", (round as u128 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835));
        let request = match round % 50 {
            0 => post(&path, &body),
            part if part % 2 == 0 => post(&path, r#"{"_type":"location","lat":46,"lon":10,"tst":1700000000}"#),
            _ => format!("GET {path}?lat=46&lon=10 HTTP/1.1\r\nhost: r\r\nconnection: close\r\n\r\n"),
        };
        statuses.count(field.hostile(1 + (round % 3) as u8).ask(request.as_bytes()).await?);
    }
    // The relay may close the connection while it is sent a body that it does not want.
    statuses.ensure_only(&[0, 404, 429])?;
    Ok(statuses.to_string())
}

/// Sends as much as possible to the address of a person, who goes on syncing, revokes the address and empties the inbox.
async fn floods(field: Environment) -> anyhow::Result<String> {
    let mut owner = Account::join(&field, 1, 1).await?;
    ensure!(owner.post("/v1/me/inbox/open", "{}").await? == 204, "the inbox gets no address");
    let inbox = owner.read("/v1/me/inbox").await?;
    let path = format!("/v1/inbox/{}", inbox["secret"].as_str().context("it has an address")?);

    let slow = slow_posts(&field, &path).await?;
    let mut statuses = Statuses::default();
    let rounds = if field.scale == Scale::Small { 12 } else { 400 };
    for round in 0..rounds {
        let hostile = field.hostile(10 + (round % 4) as u8);
        for body in [batch(round * 5_000, 5_000), "[".repeat(MAX_BODY), nonsense(), "x".repeat(2 * MAX_BODY)] {
            statuses.count(hostile.ask(post(&path, &body).as_bytes()).await?);
        }
        owner.say(&SocialEntry::Accept(AccountId::from_bytes([round as u8; 16]))).await?;
    }
    statuses.ensure_only(&[0, 200, 400, 413, 429, 503, 507])?;
    ensure!(statuses.of(200) > 0, "nothing was stored: {statuses}");
    let inbox = owner.read("/v1/me/inbox").await?;
    let waiting = inbox["waiting"].as_u64().context("it has a number")?;
    ensure!(waiting <= MAX_WAITING, "{waiting} fixes wait");
    drop(slow);

    ensure!(owner.post("/v1/me/inbox/close", "{}").await? == 204, "the address does not end");
    let status = field.hostile(10).ask(post(&path, &batch(0, 1)).as_bytes()).await?;
    ensure!(status == 404, "{status} to a post to a revoked address");
    for idle in inbox["idle"].as_array().context("it has a list")? {
        ensure!(owner.post("/v1/me/inbox/take", &idle.to_string()).await? == 204, "the inbox is not emptied");
    }
    let left = owner.read("/v1/me/inbox").await?["waiting"].as_u64().context("it has a number")?;
    ensure!(left < 2, "{left} fixes are left");
    Ok(format!("{} kept, {statuses}", grouped(waiting)))
}

/// Begins posts of the maximum size and does not go on.
async fn slow_posts(field: &Environment, path: &str) -> anyhow::Result<Vec<TcpStream>> {
    let mut slow = Vec::new();
    for number in 0..field.scale.of(400) {
        let mut stream = field.hostile(20 + (number % 8) as u8).connect().await?;
        let head = format!("POST {path} HTTP/1.1\r\nhost: r\r\ncontent-length: {MAX_BODY}\r\n\r\n");
        stream.write_all((head + &"x".repeat(MAX_BODY / 8)).as_bytes()).await.ok();
        slow.push(stream);
    }
    sleep(Duration::from_millis(200)).await;
    Ok(slow)
}

/// A batch of Overland with a fix for each second.
fn batch(from: usize, count: usize) -> String {
    let mut text = String::from(r#"{"locations":["#);
    for index in from..from + count {
        let (comma, at) = (if index == from { "" } else { "," }, 1_700_000_000 + index);
        let place = r#"{"geometry":{"type":"Point","coordinates":[10,46]},"properties":{"timestamp":"#;
        write!(text, "{comma}{place}{at}}}}}").expect("writing to a String cannot fail");
    }
    text + "]}"
}

/// A batch of as many positions as fit, none of which is valid.
fn nonsense() -> String {
    format!(r#"{{"locations":[{}0]}}"#, "{},".repeat(MAX_BODY / 3 - 10))
}

fn post(path: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nhost: r\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// The number of answers by status.
#[derive(Debug, Default)]
struct Statuses(BTreeMap<u16, u64>);

impl Statuses {
    fn count(&mut self, status: u16) {
        *self.0.entry(status).or_default() += 1;
    }

    fn of(&self, status: u16) -> u64 {
        self.0.get(&status).copied().unwrap_or(0)
    }

    fn ensure_only(&self, allowed: &[u16]) -> anyhow::Result<()> {
        let other = self.0.keys().find(|status| !allowed.contains(status));
        ensure!(other.is_none(), "unexpected answers: {self}");
        Ok(())
    }
}

impl std::fmt::Display for Statuses {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let counts: Vec<String> =
            self.0.iter().map(|(status, count)| format!("{} × {status}", grouped(*count))).collect();
        f.write_str(&counts.join(", "))
    }
}
