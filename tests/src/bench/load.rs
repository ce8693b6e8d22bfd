//! The throughput of the relay, the latency of acknowledgements, and the resources that they need.

use std::time::{Duration, Instant};

use anyhow::ensure;
use tokio::time::{interval, sleep};
use tourismo_core::docs::drive::{self, DriveEdit};
use tourismo_core::id::DocId;
use tourismo_core::stats::DriveStats;
use tourismo_core::time::Timestamp;
use tourismo_core::wire::{DocKind, Offer};

use super::machine::Usage;
use super::{Table, grouped};
use crate::client::{Client, Device, Document};
use crate::daemon::{Daemon, Start};

/// The additional bytes of a change: about those of a minute of driving.
pub(super) const CHANGE_BYTES: usize = 170;
/// The number of changes of a document, because making the next one takes Automerge longer, the more there are.
const CHANGES_PER_DOCUMENT: usize = 16;
/// The number of outstanding pushes of a client at full load.
const IN_FLIGHT: usize = 3;

/// The throughput of the relay and the latency of acknowledgements, as a table.
///
/// # Errors
/// If the relay fails or refuses a change.
pub async fn table() -> anyhow::Result<Table> {
    let measured = [
        ("as fast as it goes", as_fast_as_it_goes(32, 16, 100).await?),
        ("as fast as it goes", as_fast_as_it_goes(64, 1, 300).await?),
        ("2,500 a second", at_2_500().await?),
    ];
    let row = |(how, loaded): (&str, Loaded)| {
        let Loaded { clients, batch, changes_per_s, median_ms, p99_ms, cpu_ms_per_1_000 } = loaded;
        vec![
            how.to_owned(),
            clients.to_string(),
            batch.to_string(),
            grouped(changes_per_s.round() as u64),
            format!("{median_ms:.1}"),
            format!("{p99_ms:.1}"),
            format!("{cpu_ms_per_1_000:.0}"),
        ]
    };
    Ok(Table {
        title: "Throughput of pushes",
        notes: "The real binary and clients over real sockets, all on this machine. A change has about 300 bytes, \
                and each is synced to the disk before its acknowledgement. As fast as it goes: every client has \
                three pushes in flight. At a rate: each change is pushed at its time, and its latency counts from \
                then. Wall time."
            .to_owned(),
        columns: vec![
            "",
            "clients",
            "changes in a push",
            "changes/s",
            "median ms",
            "99th percentile ms",
            "the relay's ms of CPU for 1,000",
        ],
        rows: measured.into_iter().map(row).collect(),
    })
}

async fn at_2_500() -> anyhow::Result<Loaded> {
    let folder = tempfile::tempdir()?;
    let relay = start(&folder.path().join("relay.sqlite")).start().await?;
    at_a_rate(relay, Content::Tracks, 100, 2_500, 10).await
}

/// A relay under load.
#[derive(Clone, Copy, Debug)]
pub struct Loaded {
    /// The number of clients.
    pub clients: usize,
    /// The number of changes in each push.
    pub batch: usize,
    /// Acknowledged changes per second.
    pub changes_per_s: f64,
    /// The median of the latency of acknowledgements.
    pub median_ms: f64,
    /// The p99 of that latency.
    pub p99_ms: f64,
    /// The relay's CPU time for a thousand changes.
    pub cpu_ms_per_1_000: f64,
}

/// The pushed content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Blocks of tracks, which have no rows.
    Tracks,
    /// Drives of ten minutes: each begins a drive, has ten blocks of its track, and finishes it.
    Driving,
    /// Drives only: each is started, finished and renamed.
    Drives,
}

/// Returns a relay that allows all clients from one address.
pub fn start(data: &std::path::Path) -> Start {
    let few = ["--max-connections-per-address", "--max-new-accounts-per-hour", "--max-requests-per-second"];
    let rates = ["--max-changes-per-second", "--max-messages-per-second", "--max-bytes-per-second"];
    let lifted = few.into_iter().chain(rates).flat_map(|option| [option.into(), "1000000000".into()]);
    Start { arguments: lifted.collect(), ..Start::on(data) }
}

/// Measures the throughput with this number of clients and of changes in a push, each pushed as soon as earlier ones
/// are acknowledged.
///
/// # Errors
/// If a phone is not let in, or a change is refused.
pub async fn as_fast_as_it_goes(clients: usize, batch: usize, pushes: usize) -> anyhow::Result<Loaded> {
    let folder = tempfile::tempdir()?;
    let relay = start(&folder.path().join("relay.sqlite")).start().await?;
    let ready = prepared(&relay, Content::Tracks, clients, batch, pushes).await?;
    let (before, began) = (Usage::of(relay.pid())?, Instant::now());
    let at_work: Vec<_> = ready.into_iter().map(|(client, pushes)| tokio::spawn(push_all(client, pushes))).collect();
    let mut waits_ms = Vec::new();
    for client in at_work {
        waits_ms.extend(client.await??);
    }
    let took = began.elapsed();
    let used = Usage::of(relay.pid())?.cpu - before.cpu;
    relay.stop().await?;
    Ok(Loaded::of(clients, batch, took, used, waits_ms))
}

/// Measures the latency of acknowledgements at this rate of changes, one in a push, from the clients in turn,
/// independent of outstanding ones.
///
/// # Errors
/// If a phone is not let in, or a change is refused.
pub async fn at_a_rate(
    relay: Daemon,
    content: Content,
    clients: usize,
    changes_per_s: usize,
    seconds: usize,
) -> anyhow::Result<Loaded> {
    let pushes = changes_per_s * seconds / clients;
    let ready = prepared(&relay, content, clients, 1, pushes).await?;
    let period = Duration::from_secs_f64(clients as f64 / changes_per_s as f64);
    let (before, began) = (Usage::of(relay.pid())?, Instant::now());
    let at_work: Vec<_> = ready
        .into_iter()
        .zip(0..)
        .map(|((client, pushes), place)| {
            // Distributed over the period, not all at once.
            let first = period.mul_f64(f64::from(place) / clients as f64);
            tokio::spawn(push_in_time(client, pushes, first, period))
        })
        .collect();
    let mut waits_ms = Vec::new();
    for client in at_work {
        waits_ms.extend(client.await??);
    }
    let took = began.elapsed();
    let used = Usage::of(relay.pid())?.cpu - before.cpu;
    relay.stop().await?;
    Ok(Loaded::of(clients, 1, took, used, waits_ms))
}

pub(super) type Pushes = Vec<Vec<Offer>>;

/// Returns connected clients with their pushes.
pub(super) async fn prepared(
    relay: &Daemon,
    content: Content,
    clients: usize,
    batch: usize,
    pushes: usize,
) -> anyhow::Result<Vec<(Client, Pushes)>> {
    let mut ready = Vec::new();
    for number in 0..clients as u64 {
        let device = Device::founder(seed(number));
        let changes = content.changes(&device, number, pushes * batch);
        let pushes = changes.chunks(batch).map(<[Offer]>::to_vec).collect();
        ready.push((device.connect(relay.addr()).await?, pushes));
    }
    Ok(ready)
}

impl Content {
    /// Returns this number of changes of an account.
    fn changes(self, device: &Device, account: u64, count: usize) -> Vec<Offer> {
        let mut documents = 0;
        let mut fresh = |kind| {
            documents += 1;
            Document::new(device.key(), name(account, documents), kind)
        };
        let mut changes = Vec::with_capacity(count);
        while changes.len() < count {
            match self {
                Content::Tracks => {
                    let mut track = fresh(DocKind::Track);
                    changes.extend((0..CHANGES_PER_DOCUMENT).map(|_| track.change(CHANGE_BYTES).1));
                }
                Content::Driving => {
                    let (mut drive, mut track) = (fresh(DocKind::Drive), fresh(DocKind::Track));
                    changes.push(begun(&mut drive, track.id()));
                    changes.extend((0..10).map(|_| track.change(CHANGE_BYTES).1));
                    changes.push(finished(&mut drive));
                }
                Content::Drives => {
                    let (mut drive, track) = (fresh(DocKind::Drive), fresh(DocKind::Track));
                    changes.extend([begun(&mut drive, track.id()), finished(&mut drive)]);
                    let named = DriveEdit { title: Some("Over the pass"), ..DriveEdit::default() };
                    changes.push(drive.edit(|doc| drive::change(doc, &named)).1);
                }
            }
        }
        changes.truncate(count);
        changes
    }
}

const START: Timestamp = Timestamp(1_790_000_000_000);

fn begun(drive: &mut Document, track: DocId) -> Offer {
    drive.edit(|doc| drive::create(doc, START, track, None, None)).1
}

fn finished(drive: &mut Document) -> Offer {
    let stats = DriveStats { distance_m: 9_000.0, duration_ms: 600_000, moving_ms: 590_000, ..DriveStats::default() };
    let edit = DriveEdit { finished: Some((START + 600_000, stats)), ..DriveEdit::default() };
    drive.edit(|doc| drive::change(doc, &edit)).1
}

/// Pushes as soon as pushes are acknowledged, and returns each latency in milliseconds.
pub(super) async fn push_all(mut client: Client, pushes: Pushes) -> anyhow::Result<Vec<f64>> {
    let mut sent = std::collections::VecDeque::new();
    let mut waits_ms = Vec::new();
    let mut pushes = pushes.into_iter();
    loop {
        while sent.len() < IN_FLIGHT
            && let Some(push) = pushes.next()
        {
            let count = push.len();
            sent.push_back((Instant::now(), count));
            client.push(push).await?;
        }
        let Some((at, count)) = sent.pop_front() else { return Ok(waits_ms) };
        let answers = client.answers(count).await?;
        ensure!(answers.nacked.is_empty(), "{:?}", answers.nacked);
        waits_ms.push(at.elapsed().as_secs_f64() * 1e3);
    }
}

/// Pushes one after the other, each at its time; if that is past already, the latency counts from then.
pub(super) async fn push_in_time(
    mut client: Client,
    pushes: Pushes,
    first: Duration,
    period: Duration,
) -> anyhow::Result<Vec<f64>> {
    sleep(first).await;
    let mut clock = interval(period);
    clock.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Burst);
    let mut waits_ms = Vec::new();
    for push in pushes {
        let due = clock.tick().await;
        client.push(push).await?;
        ensure!(client.answers(1).await?.nacked.is_empty(), "a change was refused");
        waits_ms.push(due.elapsed().as_secs_f64() * 1e3);
    }
    Ok(waits_ms)
}

impl Loaded {
    fn of(clients: usize, batch: usize, took: Duration, used: Duration, mut waits_ms: Vec<f64>) -> Loaded {
        waits_ms.sort_by(f64::total_cmp);
        let changes = (waits_ms.len() * batch) as f64;
        let at = |share: f64| waits_ms.get((waits_ms.len() as f64 * share) as usize).copied().unwrap_or_default();
        Loaded {
            clients,
            batch,
            changes_per_s: changes / took.as_secs_f64(),
            median_ms: at(0.5),
            p99_ms: at(0.99),
            cpu_ms_per_1_000: used.as_secs_f64() * 1e6 / changes,
        }
    }
}

pub(super) fn seed(number: u64) -> [u8; 32] {
    let mut seed = [7; 32];
    seed[..8].copy_from_slice(&number.to_le_bytes());
    seed
}

pub(super) fn name(account: u64, place: u64) -> [u8; 16] {
    let mut name = [0; 16];
    name[..8].copy_from_slice(&place.to_be_bytes());
    name[8..].copy_from_slice(&account.to_be_bytes());
    name
}
