//! Helpers of the tests: a relay in this process, drives, timeouts.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ed25519_dalek::SigningKey;
use serde_json::Value;
use tempfile::TempDir;
use tourismo_core::fix::Fix;
use tourismo_core::replica::io::{Command, CommandOutcome};
use tourismo_core::time::Timestamp;
use tourismo_server::{Location, Running};
use tourismo_test_kit::http::{Answer, get, get_with};
use tourismo_test_kit::relay;
use tourismo_tests::phone::{Clock, Phone, Setup};
use tourismo_tests::synthetic::{self, Kind, Options};

/// The timeout for what must happen: only a failing test waits so long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The start of the drives.
pub(crate) const START: Timestamp = Timestamp(1_717_232_400_000);

const DATABASE: &str = "relay.sqlite";

/// A relay in this process, with its database in a folder of its own.
pub(crate) struct Relay {
    running: Running,
    folder: TempDir,
}

impl Relay {
    pub(crate) async fn start() -> anyhow::Result<Relay> {
        let folder = tempfile::tempdir()?;
        Ok(Relay { running: relay::start(folder.path().join(DATABASE), |_| {}).await?, folder })
    }

    pub(crate) fn url(&self) -> String {
        relay::sync_url(self.running.addr())
    }

    /// The location of its database.
    pub(crate) fn database(&self) -> Location {
        Location::File(self.folder.path().join(DATABASE))
    }

    /// The JSON at a path.
    pub(crate) async fn json(&self, path: &str) -> anyhow::Result<Value> {
        found(path, get(self.running.addr(), path).await?)
    }

    /// Waits until every acknowledged change has its rows: those of a transaction that would take too long are derived after it.
    pub(crate) async fn until_projected(&self) -> anyhow::Result<()> {
        while self.json("/v1/ready").await?["due"] != 0 {
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    /// The JSON at a path, read with this read token.
    pub(crate) async fn json_for(&self, token: &str, path: &str) -> anyhow::Result<Value> {
        found(path, get_with(self.running.addr(), path, &format!("authorization: Bearer {token}\r\n")).await?)
    }

    /// The status of the relay's answer.
    pub(crate) async fn status(&self, path: &str) -> anyhow::Result<u16> {
        Ok(get(self.running.addr(), path).await?.status)
    }
}

fn found(path: &str, answer: Answer) -> anyhow::Result<Value> {
    anyhow::ensure!(answer.status == 200, "{path}: {} {}", answer.status, answer.text());
    Ok(answer.json())
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
