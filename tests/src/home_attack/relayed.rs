//! What a reader gets from a real relay of the drives that a made person published from a real phone.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use ed25519_dalek::SigningKey;
use serde_json::Value;
use tempfile::TempDir;
use tourismo_core::docs::Visibility;
use tourismo_core::fix::Fix;
use tourismo_core::geodesy::Position;
use tourismo_core::replica::io::{Command, CommandError, CommandOutcome};
use tourismo_core::replica::views::{LookView, PlaceView};
use tourismo_core::time::Timestamp;
use tourismo_server::{Config, Limits, Running, Server};
use tourismo_test_kit::http::{Answer, get};

use crate::home_attack::people::{Person, Shown};
use crate::phone::{Clock, Phone, Setup};
use crate::replay::{self, Pace, Ride, RideError};

/// The drives of a person are on different days.
const DAY_MS: i64 = 86_400_000;

/// What somebody published, and what others read of it.
#[derive(Debug)]
pub struct Relayed {
    /// The public drives, from their GeoJSON.
    pub shown: Vec<Shown>,
    /// The private places that the phone found.
    pub places: Vec<PlaceView>,
    /// Where the phone, without a network, says that others would look.
    pub looks: Vec<LookView>,
    /// Every public answer about the person, by path.
    pub answers: Vec<(String, Answer)>,
}

/// Starts a relay in this process, with a database in a folder of its own.
///
/// # Errors
/// If there is no room for it.
pub async fn relay() -> anyhow::Result<(Running, TempDir)> {
    let folder = tempfile::tempdir()?;
    let mut config = Config::new("127.0.0.1:0".parse()?, folder.path().join("relay.sqlite"));
    config.limits = Limits::NONE;
    Ok((Server::start(config).await?, folder))
}

/// Records the drives of a person on a phone, publishes each after it was recorded, and reads what a relay answers.
///
/// # Errors
/// If the phone or the relay refuses anything.
pub async fn publish(person: &Person, seed: u64, relay: SocketAddr, patience: Duration) -> anyhow::Result<Relayed> {
    let first_day = person.drives.first().and_then(|drive| drive.fixes.first()).context("there is a drive")?.fixed_at;
    let mut random = [0; 32];
    random[..8].copy_from_slice(&seed.to_be_bytes());
    let mut phone = Phone::open(Setup {
        key: SigningKey::from_bytes(&random),
        seed: random,
        clock: Clock::standing_at(first_day),
        online: false,
        ..Setup::in_memory(&format!("ws://{relay}/v1/sync"))
    })?;
    for (day, drive) in (0..).zip(&person.drives) {
        let later = |at: Timestamp| at + day * DAY_MS;
        let later = |fix: &Fix| Fix { fixed_at: later(fix.fixed_at), recorded_at: later(fix.recorded_at), ..*fix };
        let ride = Ride { title: day.to_string(), car: None, fixes: drive.fixes.iter().map(later).collect() };
        let drive = ride.record(&mut phone, Pace::Max).await?;
        match replay::publish(&mut phone, drive.id, Visibility::Public).await {
            Ok(_) | Err(RideError::Refused { code: CommandError::NothingLeftToPublish, .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let looks = match phone.command(Command::AttackProfile, patience).await {
        Some(CommandOutcome::Attacked { looks }) => looks,
        other => anyhow::bail!("the phone cannot attack its profile: {other:?}"),
    };
    phone.clock().set_rate(1.0);
    phone.network(true);
    phone.sync(patience).await?;
    let account = phone.replica().account();
    let answers = answers(relay, &account.account.to_string()).await?;
    let mut shown = Vec::new();
    for (_, answer) in answers.iter().filter(|(path, _)| is_drive(path)) {
        shown.push(shown_in(person, &answer.json())?);
    }
    Ok(Relayed { shown, places: account.places, looks, answers })
}

/// Whether a path is that of a drive as GeoJSON.
fn is_drive(path: &str) -> bool {
    path.strip_prefix("/v1/drives/").is_some_and(|id| !id.contains('/'))
}

/// Everything that is public about an account.
async fn answers(relay: SocketAddr, account: &str) -> anyhow::Result<Vec<(String, Answer)>> {
    let mut answers = Vec::new();
    let read = async |path: String| -> anyhow::Result<(String, Answer)> {
        let answer = get(relay, &path).await?;
        anyhow::ensure!(answer.status == 200, "{path}: {} {}", answer.status, answer.text());
        Ok((path, answer))
    };
    let list = format!("/v1/people/{account}/drives?limit=100");
    answers.push(read(list).await?);
    let drives = answers[0].1.json();
    let ids = drives["drives"].as_array().into_iter().flatten().filter_map(|drive| drive["id"].as_str());
    for id in ids {
        answers.push(read(format!("/v1/drives/{id}")).await?);
        answers.push(read(format!("/v1/drives/{id}/drive.gpx")).await?);
    }
    for path in ["stats", "feed.atom", "feed.json", "cars", "meets"] {
        answers.push(read(format!("/v1/people/{account}/{path}")).await?);
    }
    for path in ["feed/public", "feed/public.atom", "feed/public.json", "stats"] {
        answers.push(read(format!("/v1/{path}")).await?);
    }
    Ok(answers)
}

/// The drive in a GeoJSON Feature. Its title tells which drive it is.
fn shown_in(person: &Person, feature: &Value) -> anyhow::Result<Shown> {
    let number: usize = feature["properties"]["title"].as_str().unwrap_or_default().parse()?;
    let lines = feature["geometry"]["coordinates"].as_array().context("a drive has lines")?;
    let positions = lines.iter().flat_map(|line| line.as_array().into_iter().flatten());
    let point = |at: &Value| -> Option<(f64, f64)> {
        let position = Position { lon_deg: at[0].as_f64()?, lat_deg: at[1].as_f64()? };
        Some(person.plane.project_m(position))
    };
    let points: Option<Vec<_>> = positions.map(point).collect();
    let drive = person.drives.get(number).context("the title is a number of a drive")?;
    Ok(Shown { points: points.context("coordinates are numbers")?, is_outbound: drive.is_outbound })
}
