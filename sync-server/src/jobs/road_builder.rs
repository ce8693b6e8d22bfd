//! Finds the roads in all public drives, in batches.
//!
//! It reads from one state of the database with its own connections, one page of drives at a time, and passes only
//! changes to the writer. An interrupted batch is not stored as a batch, so the next one completes it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tourismo_core::id::{AccountId, DocId};
use tourismo_core::time::Timestamp;
use tracing::Instrument;

use crate::db::roads::{self, Batch, MOST_DRIVES, RoadRecord, RoadUpdate, TraceRecord};
use crate::db::sql::{self, Connection};
use crate::domain::roads::{CellCounts, Driver, Network, Nodes, Segment, Trace};
use crate::runtime::clock::Clock;
use crate::runtime::metrics::Metrics;
use crate::writer::{Unavailable, Writer};

/// The number of drives that are read at a time.
const PAGE: u32 = 64;

/// The number of roads that are written in one transaction, so that other jobs are done in between.
const WRITTEN_AT_ONCE: usize = 250;

/// The age up to which a drive counts: a year.
const COUNTS_FOR_MS: i64 = 365 * DAY_MS;
const DAY_MS: i64 = 86_400_000;
/// How much later than the beginning of the day a drive may have begun: the day, and another one for wrong clocks.
const AHEAD_MS: i64 = 2 * DAY_MS;

pub(crate) struct RoadBuilder {
    pub(crate) readers: sql::Pool,
    pub(crate) writer: Writer,
    pub(crate) clock: Arc<Clock>,
    /// Notified after every commit that changed public drives.
    pub(crate) published: Arc<Notify>,
    /// The time between two batches.
    pub(crate) every: Duration,
    /// The minimum number of distinct drivers of a road.
    pub(crate) fewest: u32,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) stopping: watch::Receiver<bool>,
}

/// Why a batch ended early.
#[derive(Debug, thiserror::Error)]
enum Stopped {
    #[error("the database cannot be read: {0}")]
    Reading(#[from] sqlx::Error),
    #[error("the database cannot be written")]
    Writing,
}

impl From<Unavailable> for Stopped {
    fn from(Unavailable: Unavailable) -> Stopped {
        Stopped::Writing
    }
}

impl RoadBuilder {
    pub(crate) fn spawn(self) -> JoinHandle<()> {
        tokio::spawn(self.run())
    }

    async fn run(mut self) {
        let metrics = self.metrics.clone();
        while !*self.stopping.borrow() {
            let (mut stopping, began) = (self.stopping.clone(), Instant::now());
            tokio::select! {
                _ = stopping.wait_for(|stopping| *stopping) => return,
                surveyed = self.find_roads().instrument(tracing::debug_span!("job", name = "roads")) => {
                    metrics.writer.round("roads", began);
                    if let Err(error) = surveyed {
                        tracing::warn!(%error, "road update failed, will retry");
                    }
                }
            }
            let (published, every) = (self.published.clone(), self.every);
            let next = async {
                sleep(every).await;
                // A batch a day removes old drives also if nothing changes.
                let _ = timeout(Duration::from_secs(86_400), published.notified()).await;
            };
            tokio::select! {
                _ = self.stopping.wait_for(|stopping| *stopping) => return,
                () = next => {}
            }
        }
    }

    async fn find_roads(&mut self) -> Result<(), Stopped> {
        let day = Timestamp(self.clock.now().as_millis().div_euclid(DAY_MS) * DAY_MS);
        let (mut found, batch, mut before) = {
            let mut moment = self.readers.snapshot().await?;
            let traces = digest(&mut moment, day).await?;
            let batch = Batch { day, fewest: self.fewest, traces };
            if roads::batch(&mut moment).await?.as_ref() == Some(&batch) {
                return Ok(());
            }
            let before = roads::all(&mut moment).await?;
            (find(&mut moment, day, self.fewest, &before).await?, batch, before)
        };
        found.retain(|road| before.remove(&road.id).as_ref() != Some(road));
        let gone: Vec<_> = before.into_keys().collect();
        // Roads that must not be shown are removed first.
        for remove in gone.chunks(WRITTEN_AT_ONCE) {
            self.writer.apply_road_update(RoadUpdate { remove: remove.to_vec(), ..RoadUpdate::default() }).await?;
        }
        for roads in found.chunks(WRITTEN_AT_ONCE) {
            self.writer.apply_road_update(RoadUpdate { replace: roads.to_vec(), ..RoadUpdate::default() }).await?;
        }
        self.writer.apply_road_update(RoadUpdate { batch: Some(batch), ..RoadUpdate::default() }).await?;
        tracing::debug!(changed = found.len(), removed = gone.len(), "roads updated");
        Ok(())
    }
}

/// Finds the roads in all drives that count on a day. `before` prevents frequent changes of scores and evidence.
pub(crate) async fn find(
    reader: &mut Connection,
    day: Timestamp,
    fewest: u32,
    before: &BTreeMap<crate::domain::roads::SegmentId, RoadRecord>,
) -> Result<Vec<RoadRecord>, sqlx::Error> {
    let census = over_traces(reader, day, CellCounts::default(), |census, _, trace| census.count(trace)).await?;
    let count = |nodes: &mut Nodes, record: &TraceRecord, trace: &Trace| nodes.count(driver(record.account), trace);
    let nodes = over_traces(reader, day, census.settle(), count).await?;
    let add = |network: &mut Network, record: &TraceRecord, trace: &Trace| network.add(driver(record.account), trace);
    let network = over_traces(reader, day, nodes.settle(), add).await?;
    let shown = before.values().map(|road| (road.id, (road.evidence, road.score))).collect();
    let segments = network.segments(fewest as usize, &shown);
    let passing = TraceSummary::new(network, &segments);
    let passing = over_traces(reader, day, passing, TraceSummary::note).await?;
    let record = |(segment, drives): (Segment, Vec<(Timestamp, DocId)>)| RoadRecord {
        id: segment.id,
        score: segment.score,
        length_m: segment.length_m,
        evidence: segment.evidence,
        line: segment.line,
        drives: drives.into_iter().map(|(_, doc)| doc).collect(),
    };
    Ok(segments.into_iter().zip(passing.newest).map(record).collect())
}

/// Returns a digest of all drives that count on a day.
pub(crate) async fn digest(reader: &mut Connection, day: Timestamp) -> Result<Vec<u8>, sqlx::Error> {
    let hash = |hash: &mut Sha256, record: &TraceRecord, _: &Trace| {
        hash.update(record.doc.as_bytes());
        hash.update(Sha256::digest(&record.trace));
    };
    Ok(over_traces(reader, day, Sha256::new(), hash).await?.finalize().to_vec())
}

/// A driver is an account with all its devices. Drivers have the order of accounts, in which drives are read.
fn driver(account: AccountId) -> Driver {
    Driver(u128::from_be_bytes(*account.as_bytes()))
}

/// Passes every drive that counts to a function, on another thread than those of sockets.
async fn over_traces<S: Send + 'static>(
    reader: &mut Connection,
    day: Timestamp,
    mut state: S,
    each: impl Fn(&mut S, &TraceRecord, &Trace) + Copy + Send + 'static,
) -> Result<S, sqlx::Error> {
    let mut after = (AccountId::from_bytes([0; 16]), DocId::from_bytes([0; 16]));
    loop {
        let page = roads::traces(reader, after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(state) };
        after = (last.account, last.doc);
        let work = tokio::task::spawn_blocking(move || {
            let counts = |record: &&TraceRecord| {
                // A drive from the future would count until its time has come, and a year longer.
                (-AHEAD_MS..=COUNTS_FOR_MS).contains(&day.millis_since(record.started_at))
            };
            for record in page.iter().filter(counts) {
                // An unreadable trace does not count; `check` reports it.
                if let Ok(trace) = Trace::decode(&record.trace) {
                    each(&mut state, record, &trace);
                }
            }
            state
        });
        state = work.await.map_err(|_| sqlx::Error::WorkerCrashed)?;
    }
}

/// The fourth pass: the drives of each road.
struct TraceSummary {
    network: Network,
    roads: HashMap<[u64; 2], usize>,
    /// The number of pairs of nodes of each road.
    pairs: Vec<usize>,
    newest: Vec<Vec<(Timestamp, DocId)>>,
}

impl TraceSummary {
    fn new(network: Network, segments: &[Segment]) -> TraceSummary {
        let mut roads = HashMap::new();
        for (index, segment) in segments.iter().enumerate() {
            roads.extend(segment.nodes.windows(2).map(|pair| ([pair[0], pair[1]], index)));
        }
        let pairs = segments.iter().map(|segment| segment.nodes.len() - 1).collect();
        TraceSummary { network, roads, pairs, newest: vec![Vec::new(); segments.len()] }
    }

    fn note(&mut self, record: &TraceRecord, trace: &Trace) {
        let mut passed: BTreeMap<usize, usize> = BTreeMap::new();
        for road in self.network.driven_pairs(trace).iter().filter_map(|pair| self.roads.get(pair)) {
            *passed.entry(*road).or_default() += 1;
        }
        // A drive counts for a road if it passed at least half of it, not if it only crossed it.
        for (road, _) in passed.into_iter().filter(|(road, passed)| 2 * passed >= self.pairs[*road]) {
            let newest = &mut self.newest[road];
            newest.push((record.started_at, record.doc));
            newest.sort_unstable_by(|a, b| b.cmp(a));
            newest.truncate(MOST_DRIVES);
        }
    }
}
