//! Hostile clients against the real relay over loopback, bounded in count and time, with an honest phone beside them.
//!
//! Every attack has a relay of its own, fresh, with the limits that operators get, and states what it may cost at most.
//! What the honest phone pushes meanwhile must be acknowledged, all of it.

mod changes;
mod foe;
pub mod forge;
mod requests;
mod sockets;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::sync::oneshot;
use tourismo_core::wire::DocKind;

use self::foe::Foe;
use crate::bench::machine::Usage;
use crate::bench::{Table, grouped};
use crate::client::{Device, Document};
use crate::daemon::{Daemon, Start};

/// How long the honest phone rests between two changes.
const PAUSE: Duration = Duration::from_millis(20);

/// The share of acknowledgements that must come within [`Attack::SLOWEST`].
const PERCENTILE: usize = 95;

/// How much of everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Seconds for all attacks together.
    Small,
    /// Some minutes.
    Full,
}

impl Scale {
    /// A count at this scale.
    fn of(self, full: usize) -> usize {
        match self {
            Scale::Small => (full / 20).max(2),
            Scale::Full => full,
        }
    }
}

/// One attack.
#[derive(Clone, Copy)]
pub struct Attack {
    /// What is done.
    pub name: &'static str,
    /// The most that the relay's memory may grow, in MiB.
    pub max_growth_mib: u64,
    /// The most time on a core that it may take, the honest phone's share included.
    pub max_cpu: Duration,
    run: fn(Field) -> Running,
}

type Running = Pin<Box<dyn Future<Output = anyhow::Result<String>> + Send>>;

/// Where an attack takes place.
#[derive(Clone, Debug)]
struct Field {
    relay: SocketAddr,
    scale: Scale,
}

impl Field {
    /// A hostile host; another one for each number.
    fn foe(&self, host: u8) -> Foe {
        Foe { relay: self.relay, from: IpAddr::V4(Ipv4Addr::new(127, 66, 0, host)) }
    }
}

/// What an attack came to.
#[derive(Clone, Debug)]
pub struct Report {
    /// The attack's name.
    pub name: &'static str,
    /// What became of what was sent.
    pub outcome: String,
    /// How far the relay's memory grew, in bytes.
    pub growth_bytes: u64,
    /// Time on a core.
    pub cpu: Duration,
    /// How many changes of the honest phone were acknowledged meanwhile.
    pub acknowledged: usize,
    /// How long nineteen of twenty of its acknowledgements took at most.
    pub p95: Duration,
    /// Which bounds do not hold; times on the clock are not among them.
    pub broken: Vec<String>,
}

impl Attack {
    /// The longest that 95 of 100 acknowledgements of the honest phone may take while a relay on a machine with nothing
    /// else to do is attacked.
    pub const SLOWEST: Duration = Duration::from_millis(100);

    /// All attacks.
    pub fn all() -> Vec<Attack> {
        [changes::attacks(), sockets::attacks(), requests::attacks()].concat()
    }

    /// Attacks a fresh relay.
    ///
    /// # Errors
    /// If the relay ends, or the honest phone is refused anything.
    pub async fn run(&self, scale: Scale) -> anyhow::Result<Report> {
        let folder = tempfile::tempdir()?;
        let relay = Start::on(&folder.path().join("relay.sqlite")).start().await?;
        let honest = Honest::join(&relay).await?;
        let before = Usage::of(relay.pid())?;
        let honest = honest.live();
        let field = Field { relay: relay.addr(), scale };
        let outcome = (self.run)(field).await.with_context(|| self.name)?;
        let waits = honest.end().await.with_context(|| format!("{}: the honest phone", self.name))?;
        let after = Usage::of(relay.pid())?;
        relay.stop().await?;
        let growth_bytes = after.peak_bytes.saturating_sub(before.peak_bytes);
        let cpu = after.cpu.saturating_sub(before.cpu);
        let mut broken = Vec::new();
        if growth_bytes > self.max_growth_mib << 20 {
            broken.push(format!("grew by {} MiB, {} are allowed", growth_bytes >> 20, self.max_growth_mib));
        }
        if cpu > self.max_cpu {
            broken.push(format!("took {cpu:.1?} of a core, {:.1?} are allowed", self.max_cpu));
        }
        let p95 = waits[(waits.len() * PERCENTILE / 100).min(waits.len() - 1)];
        Ok(Report { name: self.name, outcome, growth_bytes, cpu, acknowledged: waits.len(), p95, broken })
    }
}

/// The reports as a table.
pub fn table(reports: &[Report]) -> Table {
    let row = |report: &Report| {
        vec![
            report.name.to_owned(),
            report.outcome.clone(),
            format!("{:.1}", report.growth_bytes as f64 / f64::from(1 << 20)),
            format!("{:.2}", report.cpu.as_secs_f64()),
            grouped(report.acknowledged as u64),
            format!("{:.1}", report.p95.as_secs_f64() * 1e3),
        ]
    };
    Table {
        title: "What hostile clients cost",
        notes: "Each against a fresh relay with the limits that it has by itself, as a process of its own, over loopback. An \
                honest phone pushes a change, waits for its acknowledgement, rests 20 ms, and begins again."
            .to_owned(),
        columns: vec!["attack", "what became of it", "MiB more", "s of a core", "honest changes", "95 % within, ms"],
        rows: reports.iter().map(row).collect(),
    }
}

/// A phone that means no harm.
struct Honest {
    device: Device,
    client: crate::client::Client,
    document: Document,
}

/// An honest phone at work.
struct Living {
    stop: oneshot::Sender<()>,
    work: tokio::task::JoinHandle<anyhow::Result<Vec<Duration>>>,
}

impl Honest {
    async fn join(relay: &Daemon) -> anyhow::Result<Honest> {
        let device = Device::founder([1; 32]);
        let client = device.connect(relay.addr()).await?;
        let document = Document::new(device.key(), [1; 16], DocKind::Car);
        let mut honest = Honest { device, client, document };
        // What is allocated once is allocated before anything is measured.
        for _ in 0..20 {
            honest.push().await?;
        }
        Ok(honest)
    }

    async fn push(&mut self) -> anyhow::Result<Duration> {
        let (hash, offer) = self.document.change(100);
        let sent = Instant::now();
        self.client.push(vec![offer]).await?;
        let answers = self.client.answers(1).await?;
        anyhow::ensure!(answers.acked == [hash], "{:?} was refused {:?}", self.device.account, answers.nacked);
        Ok(sent.elapsed())
    }

    fn live(mut self) -> Living {
        let (stop, mut stopped) = oneshot::channel();
        let work = tokio::spawn(async move {
            let mut waits = Vec::new();
            loop {
                waits.push(self.push().await?);
                let rest = tokio::time::timeout(PAUSE, &mut stopped);
                if rest.await.is_ok() {
                    return Ok(waits);
                }
            }
        });
        Living { stop, work }
    }
}

impl Living {
    /// How long its acknowledgements took, ascending.
    async fn end(self) -> anyhow::Result<Vec<Duration>> {
        drop(self.stop);
        let mut waits = self.work.await??;
        waits.sort();
        Ok(waits)
    }
}
