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
use tourismo_core::privacy::places::SAME_PLACE_M;
use tourismo_core::replica::io::{Command, CommandError, CommandOutcome};
use tourismo_core::replica::views::{LookView, PlaceView};
use tourismo_core::time::Timestamp;
use tourismo_server::{Config, Limits, Running, Server};
use tourismo_test_kit::http::{Answer, get};

use crate::home_attack::people::{Drive, Person, Shown};
use crate::home_attack::streets::{Point, distance_m};
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
    let mut publisher = Publisher::open(person, seed, relay)?;
    for (number, drive) in person.drives.iter().enumerate() {
        publisher.record(drive, number, true).await?;
    }
    publisher.read(person, patience).await
}

/// The phone of a person, without a network but when its answers are read.
#[derive(Debug)]
pub struct Publisher {
    phone: Phone,
    relay: SocketAddr,
}

impl Publisher {
    /// Opens the phone.
    ///
    /// # Errors
    /// If the person has no drive, or there is no room for the phone.
    pub fn open(person: &Person, seed: u64, relay: SocketAddr) -> anyhow::Result<Publisher> {
        let first = person.drives.first().and_then(|drive| drive.fixes.first()).context("there is a drive")?;
        let mut random = [0; 32];
        random[..8].copy_from_slice(&seed.to_be_bytes());
        let phone = Phone::open(Setup {
            key: SigningKey::from_bytes(&random),
            seed: random,
            clock: Clock::standing_at(first.fixed_at),
            online: false,
            ..Setup::in_memory(&format!("ws://{relay}/v1/sync"))
        })?;
        Ok(Publisher { phone, relay })
    }

    /// Records a drive on the day with this number, and publishes it if something may be shown. The number is its title.
    ///
    /// # Errors
    /// If the phone refuses anything.
    pub async fn record(&mut self, drive: &Drive, number: usize, is_public: bool) -> anyhow::Result<()> {
        let later = |at: Timestamp| at + (number as i64 + 1) * DAY_MS;
        let later = |fix: &Fix| Fix { fixed_at: later(fix.fixed_at), recorded_at: later(fix.recorded_at), ..*fix };
        let ride = Ride { title: number.to_string(), car: None, fixes: drive.fixes.iter().map(later).collect() };
        let drive = ride.record(&mut self.phone, Pace::Max).await?;
        if is_public {
            match replay::publish(&mut self.phone, drive.id, Visibility::Public).await {
                Ok(_) | Err(RideError::Refused { code: CommandError::NothingLeftToPublish, .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Attacks the profile without a network, syncs, and reads what the relay answers to others.
    ///
    /// # Errors
    /// If the phone or the relay refuses anything.
    pub async fn read(&mut self, person: &Person, patience: Duration) -> anyhow::Result<Relayed> {
        let looks = match self.phone.command(Command::AttackProfile, patience).await {
            Some(CommandOutcome::Attacked { looks }) => looks,
            other => anyhow::bail!("the phone cannot attack its profile: {other:?}"),
        };
        self.phone.clock().set_rate(1.0);
        self.phone.network(true);
        self.phone.sync(patience).await?;
        self.phone.network(false);
        self.phone.clock().set_rate(0.0);
        let account = self.phone.replica().account();
        let answers = answers(self.relay, &account.account.to_string()).await?;
        let mut shown = Vec::new();
        for (_, answer) in answers.iter().filter(|(path, _)| is_drive(path)) {
            shown.push(shown_in(person, &account.places, &answer.json())?);
        }
        Ok(Relayed { shown, places: account.places, looks, answers })
    }
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
fn shown_in(person: &Person, places: &[PlaceView], feature: &Value) -> anyhow::Result<Shown> {
    let number: usize = feature["properties"]["title"].as_str().unwrap_or_default().parse()?;
    let lines = feature["geometry"]["coordinates"].as_array().context("a drive has lines")?;
    let positions = lines.iter().flat_map(|line| line.as_array().into_iter().flatten());
    let on_plane = |[lon_deg, lat_deg]: [f64; 2]| person.plane.project_m(Position { lat_deg, lon_deg });
    let point = |at: &Value| -> Option<Point> { Some(on_plane([at[0].as_f64()?, at[1].as_f64()?])) };
    let points: Option<Vec<_>> = positions.map(point).collect();
    let drive = person.drives.get(number).context("the title is a number of a drive")?;
    let end = if drive.is_outbound { drive.fixes.last() } else { drive.fixes.first() };
    let end = person.plane.project_m(end.context("a drive has fixes")?.into());
    let is_there = |place: &&PlaceView| distance_m(on_plane(place.position), end) <= SAME_PLACE_M;
    let centers = places.iter().filter(is_there).filter_map(|place| place.zone.as_ref());
    let far_centers = centers.map(|zone| on_plane(zone.center)).collect();
    let points = points.context("coordinates are numbers")?;
    Ok(Shown { points, is_outbound: drive.is_outbound, far_centers })
}
