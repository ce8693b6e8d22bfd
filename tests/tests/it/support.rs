//! Helpers of the tests: a relay in this process, a minimal HTTP client, drives, timeouts.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ed25519_dalek::SigningKey;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tourismo_core::fix::Fix;
use tourismo_core::replica::io::{Command, CommandOutcome};
use tourismo_core::time::Timestamp;
use tourismo_server::{Config, Running, Server};
use tourismo_tests::phone::{Clock, Phone, Setup};
use tourismo_tests::synthetic::{self, Kind, Options};

/// The timeout for what must happen: only a failing test waits so long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The start of the drives.
pub(crate) const START: Timestamp = Timestamp(1_717_232_400_000);

/// A relay in this process, with its database in a folder of its own.
pub(crate) struct Relay {
    running: Running,
    _folder: TempDir,
}

impl Relay {
    pub(crate) async fn start() -> anyhow::Result<Relay> {
        let folder = tempfile::tempdir()?;
        let mut config = Config::new("127.0.0.1:0".parse()?, folder.path().join("relay.sqlite"));
        // An almost full disk of the test machine must not change what the relay accepts.
        config.limits.reserved_disk_percent = 0;
        Ok(Relay { running: Server::start(config).await?, _folder: folder })
    }

    pub(crate) fn url(&self) -> String {
        url(self.running.addr())
    }

    /// The JSON at a path.
    pub(crate) async fn json(&self, path: &str) -> anyhow::Result<Value> {
        let answer = self.get(path).await?;
        anyhow::ensure!(answer.starts_with("HTTP/1.1 200 "), "{path}: {answer}");
        let (_, body) = answer.split_once("\r\n\r\n").context("an answer has a body")?;
        Ok(serde_json::from_str(body)?)
    }

    /// The JSON at a path, read with this read token.
    pub(crate) async fn json_for(&self, token: &str, path: &str) -> anyhow::Result<Value> {
        let answer = get_with(self.running.addr(), path, &format!("Authorization: Bearer {token}\r\n")).await?;
        let (_, body) = answer.split_once("\r\n\r\n").context("an answer has a body")?;
        anyhow::ensure!(answer.starts_with("HTTP/1.1 200 "), "{path}: {answer}");
        Ok(serde_json::from_str(body)?)
    }

    /// The status of the relay's answer.
    pub(crate) async fn status(&self, path: &str) -> anyhow::Result<u16> {
        let answer = self.get(path).await?;
        Ok(answer.split(' ').nth(1).context("an answer has a status")?.parse()?)
    }

    async fn get(&self, path: &str) -> anyhow::Result<String> {
        get(self.running.addr(), path).await
    }
}

/// The relay's answer to a GET.
pub(crate) async fn get(relay: SocketAddr, path: &str) -> anyhow::Result<String> {
    get_with(relay, path, "").await
}

/// The same with additional headers, each ended by a line break; invalid UTF-8 in the answer is replaced.
pub(crate) async fn get_with(relay: SocketAddr, path: &str, headers: &str) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect(relay).await?;
    // With HTTP/1.0 the body is not chunked.
    stream.write_all(format!("GET {path} HTTP/1.0\r\nHost: localhost\r\n{headers}\r\n").as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).replacen("HTTP/1.0", "HTTP/1.1", 1))
}

pub(crate) fn url(relay: SocketAddr) -> String {
    format!("ws://{relay}/v1/sync")
}

/// A phone with no network, in memory, whose clock stands at [`START`].
pub(crate) fn offline(relay: &str) -> Setup {
    Setup { clock: Clock::standing_at(START), online: false, ..Setup::in_memory(relay) }
}

/// The same device with its key and empty storage.
pub(crate) fn forgetful(key: &Setup, relay: &str) -> anyhow::Result<Phone> {
    Ok(Phone::open(Setup { key: key.key.clone(), ..Setup::in_memory(relay) })?)
}

/// A read token of the device with this key.
pub(crate) async fn read_token(key: SigningKey, relay: &str) -> anyhow::Result<String> {
    let mut phone = Phone::open(Setup { key, ..Setup::in_memory(relay) })?;
    phone.sync(PATIENCE).await?;
    match phone.command(Command::ReadToken, PATIENCE).await {
        Some(CommandOutcome::Token { token, .. }) => Ok(BASE64_URL_SAFE_NO_PAD.encode(token)),
        other => anyhow::bail!("{other:?}"),
    }
}

/// Gives a phone real time and a network.
pub(crate) fn go_online(phone: &mut Phone) {
    phone.clock().set_rate(1.0);
    phone.network(true);
}

pub(crate) fn made_drive(seed: u64, minutes: u32, kind: Kind) -> Vec<Fix> {
    synthetic::drive(seed, Options { start: START, minutes, kind })
}
