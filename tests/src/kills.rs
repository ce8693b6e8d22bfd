//! Kills the real relay, or its Postgres, at random moments while clients push, and then looks up everything that was
//! ever acknowledged.
//!
//! The seed decides the pushes and the acknowledgement after which the kill comes; the relay's progress at that moment
//! depends on the machine.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use clap::ValueEnum;
use sqlx::{Connection, PgConnection, SqliteConnection};
use tempfile::TempDir;
use tokio::sync::mpsc::{self, UnboundedSender};
use tokio::time::timeout;
use tourismo_core::id::ChangeHash;
use tourismo_core::wire::{DocKind, Message, NackCode, Offer};
use tourismo_server::Location;
use tourismo_test_postgres::Cluster;

use crate::client::{Client, Device, Document};
use crate::daemon::{Daemon, Start, check};
use crate::sim::SimRng;

/// The number of outstanding pushes of a client.
const IN_FLIGHT: usize = 4;

/// Maximum time for a relay to reconnect to Postgres: it needs milliseconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// The process to kill.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Victim {
    /// The relay with a database file.
    Relay,
    /// The relay with Postgres.
    RelayOnPostgres,
    /// Postgres, while the relay runs.
    Postgres,
}

/// The parameters of a run.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// The seed of all random decisions.
    pub seed: u64,
    /// The process to kill.
    pub victim: Victim,
    /// The number of kills.
    pub times: u32,
    /// The number of clients that push at the same time, each for an account of its own.
    pub clients: usize,
}

/// The result of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The number of kills.
    pub kills: u32,
    /// The number of acknowledged changes.
    pub acknowledged: u64,
    /// The number of acknowledged changes that were missing after a restart.
    pub lost: u64,
    /// The number of changes on disk whose acknowledgement was not sent.
    pub unheard: u64,
}

/// One client, between two connections.
struct Pusher {
    device: Device,
    document: Document,
    chance: SimRng,
    acknowledged: BTreeSet<ChangeHash>,
    /// Pushed changes without an answer, in order, which are pushed again first. `[P6]`
    unanswered: VecDeque<(ChangeHash, Offer)>,
}

/// A relay, its database, and the process to kill.
struct Stage {
    victim: Victim,
    database: Location,
    cluster: Option<Cluster>,
    relay: Option<Daemon>,
    /// Kept so that it is not deleted.
    _folder: TempDir,
}

/// Performs a run.
///
/// # Errors
/// If anything fails other than a loss, such as a refused change or a damaged database.
pub async fn run(plan: Plan) -> anyhow::Result<Report> {
    let mut stage = Stage::set(plan.victim)?;
    let mut chance = SimRng::new(plan.seed);
    let mut pushers: Vec<Pusher> = (0..plan.clients).map(|_| Pusher::new(&mut chance)).collect();
    let mut report = Report::default();
    for _ in 0..plan.times {
        let addr = stage.up().await?;
        look_up(&stage.database, &mut pushers, &mut report).await?;
        // Some kills come before the first acknowledgement, some after a dozen transactions.
        let acknowledgements = if chance.one_in(8) { 0 } else { chance.between(1, 60) };
        let (tell, mut told) = mpsc::unbounded_channel();
        let at_work: Vec<_> =
            pushers.drain(..).map(|pusher| tokio::spawn(pusher.push_until_cut(addr, tell.clone()))).collect();
        drop(tell);
        let mut heard = 0;
        while heard < acknowledgements {
            heard += told.recv().await.context("the relay let nobody in")?;
        }
        // The moment within a commit.
        tokio::time::sleep(Duration::from_micros(chance.between(0, 4_000))).await;
        stage.kill().await?;
        report.kills += 1;
        for pusher in at_work {
            pushers.push(pusher.await??);
        }
    }
    let addr = stage.up().await?;
    look_up(&stage.database, &mut pushers, &mut report).await?;
    for pusher in &pushers {
        let chunks = pusher.device.connect(addr).await?.fetch(pusher.document.id()).await?;
        let sent: BTreeSet<ChangeHash> = chunks.into_iter().map(name_of).collect::<Result<_, _>>()?;
        report.lost += pusher.acknowledged.difference(&sent).count() as u64;
    }
    stage.relay.take().context("it is up")?.stop().await?;
    check(stage.database).context("after the last kill")?;
    report.acknowledged = pushers.iter().map(|pusher| pusher.acknowledged.len() as u64).sum();
    Ok(report)
}

impl Stage {
    fn set(victim: Victim) -> anyhow::Result<Stage> {
        let folder = tempfile::tempdir()?;
        let (database, cluster) = match victim {
            Victim::Relay => (Location::File(folder.path().join("relay.sqlite")), None),
            Victim::RelayOnPostgres | Victim::Postgres => {
                let cluster = Cluster::start()?;
                (Location::Postgres(cluster.url()), Some(cluster))
            }
        };
        Ok(Stage { victim, database, cluster, relay: None, _folder: folder })
    }

    /// Restarts the killed process, and waits until the relay accepts connections.
    async fn up(&mut self) -> anyhow::Result<SocketAddr> {
        let Some(relay) = &self.relay else {
            return Ok(self.relay.insert(Start::at(self.database.clone()).start().await?).addr());
        };
        if let Some(cluster) = &self.cluster {
            cluster.restart()?;
        }
        let letting_in = async { while Device::founder([0; 32]).connect(relay.addr()).await.is_err() {} };
        timeout(PATIENCE, letting_in).await.context("the relay did not find its way back to Postgres")?;
        Ok(relay.addr())
    }

    async fn kill(&mut self) -> anyhow::Result<()> {
        match self.victim {
            Victim::Postgres => Ok(self.cluster.as_ref().context("there is a Postgres")?.kill()?),
            Victim::Relay | Victim::RelayOnPostgres => self.relay.take().context("it is up")?.kill().await,
        }
    }
}

/// Looks up every acknowledged change in the database of a restarted relay.
async fn look_up(database: &Location, pushers: &mut [Pusher], report: &mut Report) -> anyhow::Result<()> {
    let sql = "SELECT doc, hash FROM change";
    let rows: Vec<(Vec<u8>, Vec<u8>)> = match database {
        Location::File(path) => {
            let mut database = SqliteConnection::connect(&format!("sqlite://{}?mode=ro", path.display())).await?;
            sqlx::query_as(sql).fetch_all(&mut database).await?
        }
        Location::Postgres(url) => sqlx::query_as(sql).fetch_all(&mut PgConnection::connect(url).await?).await?,
    };
    let mut stored: BTreeMap<Vec<u8>, BTreeSet<Vec<u8>>> = BTreeMap::new();
    for (doc, hash) in rows {
        stored.entry(doc).or_default().insert(hash);
    }
    for pusher in pushers {
        let stored = stored.remove(pusher.document.id().as_bytes().as_slice()).unwrap_or_default();
        let is_stored = |hash: &ChangeHash| stored.contains(hash.0.as_slice());
        report.lost += pusher.acknowledged.iter().filter(|hash| !is_stored(hash)).count() as u64;
        report.unheard += pusher.unanswered.iter().filter(|(hash, _)| is_stored(hash)).count() as u64;
    }
    Ok(())
}

fn name_of(chunk: Vec<u8>) -> anyhow::Result<ChangeHash> {
    Ok(ChangeHash(automerge::Change::from_bytes(chunk)?.hash().0))
}

impl Pusher {
    fn new(chance: &mut SimRng) -> Pusher {
        let device = Device::founder(chance.bytes());
        let document = Document::new(device.key(), chance.bytes(), DocKind::Track);
        let chance = SimRng::new(chance.between(0, u64::MAX - 1));
        Pusher { device, document, chance, acknowledged: BTreeSet::new(), unanswered: VecDeque::new() }
    }

    /// Pushes and receives until the connection breaks. Acknowledgements that arrived before count.
    async fn push_until_cut(mut self, relay: SocketAddr, tell: UnboundedSender<u64>) -> anyhow::Result<Pusher> {
        let Ok(mut client) = self.device.connect(relay).await else { return Ok(self) };
        // The number of unanswered changes of each outstanding push.
        let mut on_the_way: VecDeque<usize> = VecDeque::new();
        let mut next = 0;
        loop {
            while on_the_way.len() < IN_FLIGHT {
                let count = self.chance.between(1, 24) as usize;
                while self.unanswered.len() < next + count {
                    let bytes = self.chance.between(20, 400) as usize;
                    self.unanswered.push_back(self.document.change(bytes));
                }
                let offers = self.unanswered.range(next..next + count).map(|(_, offer)| offer.clone()).collect();
                if client.push(offers).await.is_err() {
                    self.drain(&mut client).await?;
                    return Ok(self);
                }
                on_the_way.push_back(count);
                next += count;
            }
            let Ok(message) = client.receive().await else { return Ok(self) };
            let Some(acked) = self.take(message)? else { return Ok(self) };
            // The receiver is gone once the kill is under way.
            let _ = tell.send(acked as u64);
            next -= acked;
            let mut left = acked;
            // Acknowledgements come in the order of the pushes.
            while left > 0 {
                let first = on_the_way.front_mut().context("more is acknowledged than was pushed")?;
                let of_first = left.min(*first);
                (*first, left) = (*first - of_first, left - of_first);
                if *first == 0 {
                    on_the_way.pop_front();
                }
            }
        }
    }

    /// Handles messages that arrived before the connection broke.
    async fn drain(&mut self, client: &mut Client) -> anyhow::Result<()> {
        while let Ok(message) = client.receive().await {
            if self.take(message)?.is_none() {
                break;
            }
        }
        Ok(())
    }

    /// Counts acknowledged changes; `None` if the relay cannot store anything at the moment.
    fn take(&mut self, message: Message) -> anyhow::Result<Option<usize>> {
        let hashes = match message {
            Message::Ack { hashes, .. } => hashes,
            Message::Nack { code: NackCode::Unavailable, .. } => return Ok(None),
            message => anyhow::bail!("an acknowledgement was due: {message:?}"),
        };
        for hash in &hashes {
            anyhow::ensure!(self.unanswered.front().is_some_and(|(first, _)| first == hash), "out of order");
            self.unanswered.pop_front();
            self.acknowledged.insert(*hash);
        }
        Ok(Some(hashes.len()))
    }
}
