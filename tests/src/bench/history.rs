//! The cost of history: a new device of an account with an old log, and a document with very many edits, with snapshots
//! of the relay and without.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, ensure};
use sqlx::{Connection, SqliteConnection};
use tokio::time::sleep;
use tourismo_core::fix::Fix;
use tourismo_core::id::DocId;
use tourismo_core::replica::io::{Command, CommandOutcome, KeyRange, Space, StoredEntry};
use tourismo_core::replica::views::TrackView;
use tourismo_core::time::Timestamp;
use tourismo_server::Running;
use tourismo_test_kit::relay::{self, sync_url};

use super::tap::{Count, Direction, Tap, count};
use super::{Table, grouped};
use crate::phone::{Clock, Phone, Setup};
use crate::replay;
use crate::synthetic::{self, Kind, Options};

/// Maximum time without progress.
const PATIENCE: Duration = Duration::from_secs(120);
/// When the first drive begins: 1 June 2024, 11:00 UTC.
const START: Timestamp = Timestamp(1_717_232_400_000);
const DAY_MS: i64 = 86_400_000;
const FIXES_PER_DRIVE: usize = 70;

/// The traffic to a new device with snapshots and without, as a table.
///
/// # Errors
/// If a phone or the relay fails.
pub async fn table() -> anyhow::Result<Table> {
    let mut rows = Vec::new();
    for snapshots in [Snapshots::NotMade, Snapshots::Made] {
        let measured = [
            ("500 drives of four changes, tracks not fetched", of_drives(500, snapshots).await?),
            ("one drive, its title changed 10,000 times", of_edits(10_000, snapshots).await?),
        ];
        for (what, NewDevice { changes, relay_bytes, down, took, chunks }) in measured {
            rows.push(vec![
                what.to_owned(),
                if snapshots == Snapshots::Made { "yes" } else { "no" }.to_owned(),
                grouped(changes),
                format!("{:.0}", relay_bytes as f64 / 1e3),
                grouped(down.messages),
                format!("{:.0}", down.bytes as f64 / 1e3),
                grouped(chunks as u64),
                format!("{:.0}", took.as_secs_f64() * 1e3),
            ]);
        }
    }
    Ok(Table {
        title: "A new device and a long history",
        notes: "A phone syncs what it recorded without a signal to a relay, which makes snapshots as soon as they \
                pay, or never. Then another device joins the account. Its traffic is counted by a proxy, with \
                WebSocket frames and handshake. The time is wall time from its first frame to the last. The relay's \
                size is that of changes and snapshots, tracks included."
            .to_owned(),
        columns: vec![
            "",
            "snapshots",
            "changes",
            "relay's KB",
            "messages down",
            "KB down",
            "chunks on the new device",
            "ms",
        ],
        rows,
    })
}

/// Whether the relay makes snapshots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Snapshots {
    /// Yes, when they are due.
    Made,
    /// No.
    NotMade,
}

/// A new device of an account.
#[derive(Clone, Copy, Debug)]
pub struct NewDevice {
    /// The number of changes in the account's log.
    pub changes: u64,
    /// Their size on the relay, bytes of chunks.
    pub relay_bytes: u64,
    /// The traffic to the new device, including the handshake.
    pub down: Count,
    /// The time from its first frame to the last.
    pub took: Duration,
    /// The number of chunks that it stored.
    pub chunks: usize,
}

/// Measures a new device of an account with so many drives of four changes each, and their tracks, which are not fetched.
///
/// # Errors
/// If the phones and the relay do not agree in the end.
pub async fn of_drives(drives: usize, snapshots: Snapshots) -> anyhow::Result<NewDevice> {
    let relay = Relay::start(snapshots).await?;
    let mut phone = relay.phone()?;
    for number in 0..drives {
        let start = Timestamp(START.as_millis() + number as i64 * DAY_MS);
        let fixes = synthetic::drive(number as u64, Options { start, minutes: 3, kind: Kind::Mountain });
        let drive = record(&mut phone, fixes.iter().take(FIXES_PER_DRIVE)).await?;
        let edit = |title, notes| Command::EditDrive { drive, title, notes, car: None };
        replay::order(&mut phone, "title", edit(Some(format!("Over the pass {number}")), None)).await?;
        replay::order(&mut phone, "notes", edit(None, Some("Dry, little traffic".to_owned()))).await?;
    }
    relay.new_device(phone, snapshots).await
}

/// Measures a new device of an account in which the title of one drive was changed so many times.
///
/// # Errors
/// If the phones and the relay do not agree in the end.
pub async fn of_edits(edits: usize, snapshots: Snapshots) -> anyhow::Result<NewDevice> {
    let relay = Relay::start(snapshots).await?;
    let mut phone = relay.phone()?;
    let fixes = synthetic::drive(1, Options { start: START, minutes: 3, kind: Kind::Mountain });
    let drive = record(&mut phone, fixes.iter().take(FIXES_PER_DRIVE)).await?;
    for number in 0..edits {
        let title = Some(format!("Over the pass, {number}"));
        replay::order(&mut phone, "title", Command::EditDrive { drive, title, notes: None, car: None }).await?;
    }
    relay.new_device(phone, snapshots).await
}

/// The storage of a device that was added to a drive later and opened it once: its track is one snapshot.
#[derive(Debug)]
pub struct Opened {
    /// The device's public key.
    pub device: [u8; 32],
    /// The drive.
    pub drive: DocId,
    /// Everything in its storage.
    pub stored: Vec<StoredEntry>,
}

/// Records the fixes on one device, lets the relay make snapshots, and opens the drive on another device.
///
/// # Errors
/// If the phones and the relay do not agree in the end.
pub async fn opened_elsewhere(fixes: &[Fix]) -> anyhow::Result<Opened> {
    let relay = Relay::start(Snapshots::Made).await?;
    let mut phone = relay.phone()?;
    let drive = record(&mut phone, fixes.iter()).await?;
    let mut other = relay.joined(phone, Snapshots::Made, Setup::in_memory(&sync_url(relay.running.addr()))).await?;
    replay::order(&mut other, "open", Command::OpenDrive { drive }).await?;
    ensure!(matches!(other.replica().track(), Some(TrackView::Ready { .. })), "the track does not come");
    let device = other.device();
    let storage = other.into_storage();
    let all = |space| KeyRange { space, from: Vec::new(), to: vec![0xff; 32] };
    let stored = storage.read(&[Space::Meta, Space::Journal, Space::Doc, Space::Row, Space::Change].map(all));
    Ok(Opened { device, drive, stored })
}

/// Records a drive without a network, one fix after the other.
async fn record(phone: &mut Phone, fixes: impl Iterator<Item = &Fix>) -> anyhow::Result<DocId> {
    let mut fixes = fixes.peekable();
    phone.travel(fixes.peek().context("a drive has fixes")?.recorded_at);
    replay::order(phone, "start", Command::StartDrive { car: None }).await?;
    for fix in fixes {
        phone.travel(fix.recorded_at);
        phone.feed(*fix);
    }
    replay::order(phone, "finish", Command::FinishDrive).await?.context("a drive was finished")
}

struct Relay {
    running: Running,
    folder: tempfile::TempDir,
}

impl Relay {
    async fn start(snapshots: Snapshots) -> anyhow::Result<Relay> {
        let folder = tempfile::tempdir()?;
        let compact_after = match snapshots {
            Snapshots::Made => Duration::ZERO,
            Snapshots::NotMade => Duration::MAX,
        };
        let database = folder.path().join("relay.sqlite");
        let running = relay::start(database, |config| config.compact_after = compact_after).await?;
        Ok(Relay { running, folder })
    }

    /// A phone without a network.
    fn phone(&self) -> anyhow::Result<Phone> {
        let setup = Setup::in_memory(&sync_url(self.running.addr()));
        Ok(Phone::open(Setup { clock: Clock::standing_at(START), online: false, ..setup })?)
    }

    async fn new_device(self, phone: Phone, snapshots: Snapshots) -> anyhow::Result<NewDevice> {
        let tap = Tap::before(self.running.addr()).await?;
        let other = self.joined(phone, snapshots, tap.setup()).await?;
        let frames = tap.take();
        let took = frames.first().zip(frames.last()).map_or(Duration::ZERO, |(first, last)| last.at - first.at);
        let stored = KeyRange { space: Space::Change, from: Vec::new(), to: vec![0xff; 32] };
        let mut database = self.database().await?;
        let (changes, relay_bytes) = (
            ask(&mut database, "SELECT CAST(SUM(changes) AS INTEGER) FROM account").await?,
            ask(
                &mut database,
                r#"
                SELECT (SELECT COALESCE(SUM(LENGTH(chunk)), 0) FROM change)
                    + (SELECT COALESCE(SUM(LENGTH(chunk)), 0) FROM snapshot)
                "#,
            )
            .await?,
        );
        database.close().await?;
        let chunks = other.into_storage().read(&[stored]).len();
        self.running.shutdown().await;
        Ok(NewDevice { changes, relay_bytes, down: count(&frames, Direction::Down, 0), took, chunks })
    }

    /// Syncs everything to the relay, waits for its snapshots, and adds another device to the account.
    async fn joined(&self, mut phone: Phone, snapshots: Snapshots, setup: Setup) -> anyhow::Result<Phone> {
        phone.clock().set_rate(1.0);
        phone.network(true);
        phone.sync(PATIENCE).await?;
        if snapshots == Snapshots::Made {
            self.compacted().await?;
        }
        let device = setup.key.verifying_key().to_bytes().to_vec().into();
        let granted = phone.command(Command::GrantDevice { device }, PATIENCE).await;
        let Some(CommandOutcome::Granted { grant }) = granted else { anyhow::bail!("no grant: {granted:?}") };
        let mut other = Phone::open(Setup { grant: Some(grant.into_vec()), ..setup })?;
        other.sync(PATIENCE).await?;
        ensure!(other.replica().drives().len() == phone.replica().drives().len(), "drives are missing");
        Ok(other)
    }

    /// Waits until no snapshot is due.
    async fn compacted(&self) -> anyhow::Result<()> {
        let due = r#"
            SELECT (SELECT COUNT(*) FROM document WHERE is_unfit = 0 AND loose >= 4 AND 2 * loose >= covered)
                + (SELECT COUNT(*) FROM snapshot WHERE state < 2)
        "#;
        let mut database = self.database().await?;
        while ask(&mut database, due).await? > 0 {
            sleep(Duration::from_millis(50)).await;
        }
        Ok(database.close().await?)
    }

    async fn database(&self) -> anyhow::Result<SqliteConnection> {
        let path = self.folder.path().join("relay.sqlite");
        Ok(SqliteConnection::connect(&path_url(&path)).await?)
    }
}

async fn ask(database: &mut SqliteConnection, sql: &'static str) -> anyhow::Result<u64> {
    Ok(sqlx::query_scalar::<_, i64>(sql).fetch_one(database).await?.unsigned_abs())
}

fn path_url(path: &Path) -> String {
    format!("sqlite:{}", path.display())
}
