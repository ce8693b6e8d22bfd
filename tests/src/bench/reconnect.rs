//! The cost of a reconnect after no change, or one.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use sqlx::{Connection, SqliteConnection};
use tourismo_core::docs::CarFields;
use tourismo_core::replica::io::{Command, KeyRange, Space, StoreOp, StoredEntry};
use tourismo_core::time::Timestamp;
use tourismo_server::Running;
use tourismo_test_kit::relay::{self, sync_url};

use super::peers::Peer;
use super::tap::{Count, Direction, Frame, Tap, count};
use super::{Table, grouped};
use crate::phone::{Clock, Phone, Setup, Storage};
use crate::replay;

/// Maximum time for an answer of a relay on this machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// The messages of our handshake in each direction: hello and proof; challenge and welcome.
const HANDSHAKE: usize = 2;

/// Reconnects of Tourismo and of the peers, as a table. Only who is patient sees the peers with 5,000 documents.
///
/// # Errors
/// If a client or server fails.
pub async fn table(peers: &[Peer], patient: bool) -> anyhow::Result<Table> {
    let mut rows = Vec::new();
    let mut row = |name: &str, measured: Reconnect, ours: Reconnect| {
        let Reconnect { documents, up, down, took } = measured;
        rows.push(vec![
            name.to_owned(),
            grouped(documents as u64),
            format!("{} + {}", grouped(up.messages), grouped(down.messages)),
            format!("{} + {}", grouped(up.bytes), grouped(down.bytes)),
            format!("{:.2}", measured.bytes() / documents as f64),
            grouped((measured.bytes() / ours.bytes()).round() as u64),
            format!("{:.0}", took.as_secs_f64() * 1e3),
        ]);
    };
    for documents in [10, 1_000, 5_000] {
        let ours = self::ours(documents, Meanwhile::Nothing).await?;
        row("Tourismo", ours, ours);
        if documents <= 1_000 || patient {
            for peer in peers {
                row(peer.name, peer.reconnect(documents).await?, ours);
            }
        }
        if documents == 5_000 {
            row("Tourismo, one edited meanwhile", self::ours(documents, Meanwhile::OneEdit).await?, ours);
        }
    }
    Ok(Table {
        title: "Reconnecting when nothing has changed",
        notes: "Counted by a proxy between client and server, with WebSocket frames, after the handshake; up + down. \
                Before Tourismo reconnects, both sides are restarted, and every change in the phone's storage and in \
                the relay's database is overwritten with one zero byte. They still agree, which shows that neither \
                loads a document. The peers' servers have all documents in memory, and their clients have loaded \
                them before the measurement. A document is a map of four short fields. The time is wall time from \
                the first frame to the last."
            .to_owned(),
        columns: vec!["", "documents", "messages", "bytes", "bytes per document", "times Tourismo's bytes", "ms"],
        rows,
    })
}

/// The result of a reconnect.
#[derive(Clone, Copy, Debug)]
pub struct Reconnect {
    /// Documents that both sides have.
    pub documents: usize,
    /// After the handshake, to the server.
    pub up: Count,
    /// After the handshake, to the client.
    pub down: Count,
    /// The time from the first frame to the last, including the handshake.
    pub took: Duration,
}

impl Reconnect {
    /// Reads it off the frames, without so many messages of the handshake each way.
    pub fn of(documents: usize, frames: &[Frame], handshake: usize) -> Reconnect {
        let (up, down) = (count(frames, Direction::Up, handshake), count(frames, Direction::Down, handshake));
        let took = match frames {
            [first, .., last] => last.at - first.at,
            _ => Duration::ZERO,
        };
        Reconnect { documents, up, down, took }
    }

    /// Returns the bytes in both directions.
    pub fn bytes(&self) -> f64 {
        (self.up.bytes + self.down.bytes) as f64
    }
}

/// The changes on the phone while it was disconnected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meanwhile {
    /// Nothing.
    Nothing,
    /// One document was edited.
    OneEdit,
}

/// A phone without a network with this number of cars.
///
/// # Errors
/// If the phone refuses.
pub async fn phone_with_cars(setup: Setup, documents: usize) -> anyhow::Result<Phone> {
    let clock = Clock::standing_at(Timestamp(1_717_232_400_000));
    let mut phone = Phone::open(Setup { clock, online: false, ..setup })?;
    for number in 0..documents {
        let command = Command::PutCar { car: None, fields: car(format!("car {number}")) };
        replay::order(&mut phone, "car", command).await?;
    }
    phone.clock().set_rate(1.0);
    Ok(phone)
}

fn car(nickname: String) -> CarFields {
    CarFields { make: "Mazda".to_owned(), model: "MX-5".to_owned(), year: Some(1991), nickname, ..CarFields::default() }
}

/// Measures a phone and a relay that have so many cars, both started afresh on what they stored.
///
/// If nothing happened meanwhile, every change in the phone's storage and in the relay's database is overwritten with a
/// zero byte before the reconnect: if either side loaded a single document, they would not agree.
///
/// # Errors
/// If they do not.
pub async fn ours(documents: usize, meanwhile: Meanwhile) -> anyhow::Result<Reconnect> {
    let folder = tempfile::tempdir()?;
    let database = folder.path().join("relay.sqlite");
    let relay = start(&database).await?;
    let setup = Setup::in_memory(&sync_url(relay.addr()));
    let key = setup.key.clone();
    let mut phone = phone_with_cars(setup, documents).await?;
    phone.network(true);
    phone.sync(PATIENCE).await?;
    if meanwhile == Meanwhile::OneEdit {
        phone.network(false);
        let first = phone.replica().cars().first().map(|car| car.id);
        let command = Command::PutCar { car: first, fields: car("another name".to_owned()) };
        replay::order(&mut phone, "rename a car", command).await?;
    }
    let mut storage = phone.into_storage();
    relay.shutdown().await;

    if meanwhile == Meanwhile::Nothing {
        spoil_phone(&mut storage)?;
        spoil_relay(&database).await?;
    }
    let relay = start(&database).await?;
    let tap = Tap::before(relay.addr()).await?;
    let mut phone = Phone::open(Setup { storage, key, ..tap.setup() })?;
    phone.sync(PATIENCE).await?;
    let frames = tap.take();
    anyhow::ensure!(phone.status().documents as usize == documents, "documents are missing");
    drop(phone);
    relay.shutdown().await;
    Ok(Reconnect::of(documents, &frames, HANDSHAKE))
}

async fn start(database: &Path) -> anyhow::Result<Running> {
    Ok(relay::start(database.to_owned(), |_| {}).await?)
}

fn spoil_phone(storage: &mut Storage) -> anyhow::Result<()> {
    let all = KeyRange { space: Space::Change, from: Vec::new(), to: vec![0xff; 32] };
    let changes = storage.read(&[all]);
    let spoiled = |entry: StoredEntry| StoreOp::Put(StoredEntry { value: vec![0], ..entry });
    let ops: Vec<_> = changes.into_iter().map(spoiled).collect();
    anyhow::ensure!(!ops.is_empty(), "the phone has no change");
    storage.write(&ops).ok().context("memory takes all")
}

async fn spoil_relay(database: &Path) -> anyhow::Result<()> {
    let mut database = SqliteConnection::connect(&format!("sqlite:{}", database.display())).await?;
    let spoiled = sqlx::query("UPDATE change SET chunk = x'00'").execute(&mut database).await?;
    anyhow::ensure!(spoiled.rows_affected() > 0, "the relay has no change");
    Ok(database.close().await?)
}
