//! Hostile clients against the real relay over loopback, with an honest phone and an honest reader beside them.
//!
//! Each attack has a fresh relay with default limits, as a process of its own, and runs in these steps:
//!
//! 1. The honest phone pushes and the honest reader reads, without the attack.
//! 2. The attack runs beside them. Its threads have a lower priority: an attacker has a machine of their own, and the
//!    relay shall not have to share its cores with them.
//! 3. The attack has ended and its sockets are closed. The relay has to come back to rest.
//! 4. The honest clients go on for a while.
//!
//! Two kinds of bounds are judged. Those in [`Report::broken`] hold on any machine, and in the tests: nothing honest is
//! refused, memory, time on a core, the return to rest. Those in [`Report::slow`] are times on the clock, which hold
//! only on a machine with nothing else to do: the honest phone's p99 during the attack and after it is at most twice that
//! before, and rest comes within ten seconds.
//!
//! To add an attack: write `async fn name(field: Environment) -> anyhow::Result<String>` in a module below `attack/`, which says
//! what became of what it sent, and fails if a bound on counts does not hold; add an [`Attack::new`] to the list that the
//! module's `attacks()` returns, with the bounds and options that differ from the usual ones; add a new module to
//! [`Attack::all`]. A bound on counts belongs into the attack's function, since only that knows what was sent.

mod admission;
mod changes;
pub mod forge;
mod forwarders;
mod honest;
mod hostile_client;
mod owners;
mod quotas;
mod readers;
mod requests;
mod rest;
mod sockets;
pub mod worst;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::time::{Duration, Instant};

use anyhow::Context;
use tourismo_server::Origin;

pub use self::honest::Figures;
use self::honest::Honest;
use self::hostile_client::HostileClient;
use self::rest::State;
use crate::bench::{Table, grouped};
use crate::daemon::Start;

/// How much of everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Some seconds for each attack.
    Small,
    /// Up to a minute for each attack.
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

    /// After how many acknowledgements the honest phone's times are known.
    fn acks(self) -> usize {
        match self {
            Scale::Small => 20,
            Scale::Full => 300,
        }
    }

    /// How much lower the priority of an attack's threads is, as nice(1) has it. What an attacker's machine works is no
    /// cost of the relay: at full scale it comes last of all. At the small one the machine may be busy with other tests,
    /// beside which an attack shall come to an end.
    fn nice(self) -> i32 {
        match self {
            Scale::Small => 10,
            Scale::Full => 19,
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
    /// The most time on a core that the relay may take during the attack, the honest clients' share included.
    pub max_cpu: Duration,
    /// More options of `tourismo-server serve`.
    pub options: &'static [&'static str],
    /// The origin at which clients reach the relay, as it is told by `--public-url`; the address where it listens if absent.
    pub public_url: Option<&'static str>,
    run: fn(Environment) -> Running,
}

/// How many acknowledgements are too few for a percentile.
const FEW_ACKS: usize = 100;

type Running = Pin<Box<dyn Future<Output = anyhow::Result<String>> + Send>>;

/// Where an attack takes place.
#[derive(Clone, Debug)]
struct Environment {
    relay: SocketAddr,
    /// Where honest clients dial it.
    origin: String,
    scale: Scale,
}

impl Environment {
    /// A hostile host; another one for each number.
    fn hostile(&self, host: u8) -> HostileClient {
        HostileClient { relay: self.relay, from: IpAddr::V4(Ipv4Addr::new(127, 66, 0, host)) }
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
    /// Time on a core during the attack.
    pub cpu: Duration,
    /// What the honest clients saw before the attack, during it, and after it.
    pub honest: [Figures; 3],
    /// How long after the attack's end the relay was at rest.
    pub rested_in: Duration,
    /// Which bounds do not hold on any machine.
    pub broken: Vec<String>,
    /// Which bounds on times do not hold. They say something only on a machine with nothing else to do.
    pub slow: Vec<String>,
}

impl Attack {
    /// The most that a relay's memory may grow by an attack, in MiB, where the attack names no other bound.
    pub const MAX_GROWTH_MIB: u64 = 64;

    /// How many times as long as without the attack 99 of 100 acknowledgements of the honest phone may take.
    pub const MAX_RATIO: f64 = 2.0;

    /// How long after its end the relay may be busy with an attack.
    pub const MAX_REST: Duration = Duration::from_secs(10);

    /// An attack with the usual bounds.
    const fn new(name: &'static str, run: fn(Environment) -> Running) -> Attack {
        let (max_growth_mib, max_cpu) = (Attack::MAX_GROWTH_MIB, Duration::from_secs(20));
        Attack { name, max_growth_mib, max_cpu, options: &[], public_url: None, run }
    }

    /// The same with another bound on memory.
    const fn growth_mib(self, max_growth_mib: u64) -> Attack {
        Attack { max_growth_mib, ..self }
    }

    /// The same with another bound on time on a core, in seconds.
    const fn cpu_s(self, cpu_s: u64) -> Attack {
        Attack { max_cpu: Duration::from_secs(cpu_s), ..self }
    }

    /// The same on a relay that is started with more options.
    const fn options(self, options: &'static [&'static str]) -> Attack {
        Attack { options, ..self }
    }

    /// The same on a relay that is told at which origin clients reach it.
    const fn public_url(self, public_url: &'static str) -> Attack {
        Attack { public_url: Some(public_url), ..self }
    }

    /// All attacks.
    pub fn all() -> Vec<Attack> {
        let parts = [
            admission::attacks,
            changes::attacks,
            owners::attacks,
            quotas::attacks,
            sockets::attacks,
            requests::attacks,
            readers::attacks,
            forwarders::attacks,
        ];
        parts.map(|attacks| attacks()).concat()
    }

    /// Attacks a fresh relay.
    ///
    /// # Errors
    /// If the relay ends, or cannot be measured.
    pub async fn run(&self, scale: Scale) -> anyhow::Result<Report> {
        let folder = tempfile::tempdir()?;
        let mut start = Start::on(&folder.path().join("relay.sqlite"));
        let public_url = self.public_url.map(|url| ["--public-url", url]);
        start.arguments = self.options.iter().chain(public_url.iter().flatten()).map(Into::into).collect();
        let relay = start.start().await?;
        let pid = relay.pid();
        let origin = self.public_url.map_or_else(|| Origin::from(relay.addr()).to_string(), str::to_owned);
        let honest = Honest::join(relay.addr(), &origin).await.context("the honest clients")?;

        let (begin, begun) = (Instant::now(), State::of(pid)?);
        honest.acknowledged(scale.acks()).await?;
        let (attack, before) = (Instant::now(), State::of(pid)?);
        let outcome =
            on_threads_of_its_own((self.run)(Environment { relay: relay.addr(), origin, scale }), scale.nice()).await?;
        // An attack may be over before the phone's next change. Of two more, one was sent since it began.
        let _ = honest.acknowledged(2).await;
        let (end, after) = (Instant::now(), State::of(pid)?);
        let rested = rest::wait(pid, &before, before.share_since(&begun)).await?;
        let rest = Instant::now();
        // Of a phone that was refused something, that is what is reported.
        let _ = honest.acknowledged(scale.acks()).await;
        let honest = honest.end([(begin, attack), (attack, end), (end, rest), (rest, Instant::now())]).await?;
        relay.stop().await?;

        let growth_bytes = after.usage.peak_bytes.saturating_sub(before.usage.peak_bytes);
        let cpu = after.usage.cpu.saturating_sub(before.usage.cpu);
        let mut broken = Vec::new();
        if growth_bytes > self.max_growth_mib << 20 {
            broken.push(format!("grew by {} MiB, {} are allowed", growth_bytes >> 20, self.max_growth_mib));
        }
        if cpu > self.max_cpu {
            broken.push(format!("took {cpu:.1?} of a core, {:.1?} are allowed", self.max_cpu));
        }
        if let Err(error) = &outcome {
            broken.push(format!("{error:#}"));
        }
        if let Err(unlike) = &rested {
            broken.push(format!("never came to rest: {unlike}"));
        }
        let refused: Vec<&String> = honest.iter().flat_map(|figures| &figures.refusals).collect();
        if let Some(first) = refused.first() {
            broken.push(format!("{} honest requests were refused; {first}", refused.len()));
        }
        let [quiet, attacked, _, later] = honest;
        let rested_in = rested.unwrap_or(Duration::MAX);
        let mut slow = Vec::new();
        for (when, figures) in [("during the attack", &attacked), ("after it", &later)] {
            let ratio = figures.ack_p99.as_secs_f64() / quiet.ack_p99.as_secs_f64().max(1e-6);
            // Of few acknowledgements it is a single one, which may wait for the most expensive change.
            let single = if figures.acks < FEW_ACKS { worst::MAX_CPU } else { Duration::ZERO };
            if figures.ack_p99 > quiet.ack_p99.mul_f64(Attack::MAX_RATIO) + single {
                slow.push(format!("the honest phone waited {ratio:.1} times as long {when}: {:.1?}", figures.ack_p99));
            }
        }
        if rested_in > Attack::MAX_REST {
            slow.push(format!("came to rest after {rested_in:.1?}"));
        }
        let outcome = outcome.unwrap_or_else(|_| "failed".to_owned());
        Ok(Report {
            name: self.name,
            outcome,
            growth_bytes,
            cpu,
            honest: [quiet, attacked, later],
            rested_in,
            broken,
            slow,
        })
    }
}

/// Runs an attack on threads that yield to the relay and to the honest clients.
async fn on_threads_of_its_own(attack: Running, nice: i32) -> anyhow::Result<anyhow::Result<String>> {
    open_many_files()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        // A thread that may not lower its priority attacks nevertheless.
        .on_thread_start(move || {
            let _ = rustix::process::setpriority_process(None, nice);
        })
        .build()?;
    let outcome = runtime.spawn(attack).await;
    runtime.shutdown_background();
    outcome.context("the attack panicked")
}

/// Takes all the open files that the system allows: a process begins with fewer than a relay has sockets.
fn open_many_files() -> anyhow::Result<()> {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let raised = rustix::process::Rlimit { current: limit.maximum, ..limit };
    Ok(rustix::process::setrlimit(rustix::process::Resource::Nofile, raised)?)
}

/// The reports as a table.
pub fn table(reports: &[Report]) -> Table {
    let row = |report: &Report| {
        let ms = |figures: &Figures| format!("{:.1}", figures.ack_p99.as_secs_f64() * 1e3);
        let [quiet, attacked, later] = &report.honest;
        vec![
            report.name.to_owned(),
            report.outcome.clone(),
            format!("{:.1}", report.growth_bytes as f64 / f64::from(1 << 20)),
            format!("{:.2}", report.cpu.as_secs_f64()),
            grouped(attacked.acks as u64),
            ms(quiet),
            ms(attacked),
            ms(later),
            grouped(attacked.reads as u64),
            format!("{:.1}", attacked.read_p99.as_secs_f64() * 1e3),
            format!("{:.1}", report.rested_in.as_secs_f64()),
        ]
    };
    Table {
        title: "What hostile clients cost",
        notes: "Each against a fresh relay with the limits that it has by itself, as a process of its own, over loopback. An \
                honest phone pushes a change, waits for its acknowledgement, rests 20 ms, and begins again; an honest reader \
                reads every 50 ms. Times of honest clients are 99th percentiles: before the attack, during it, and after it."
            .to_owned(),
        columns: vec![
            "attack",
            "what became of it",
            "MiB more",
            "s of a core",
            "honest changes",
            "ms before",
            "ms during",
            "ms after",
            "honest reads",
            "ms",
            "s to rest",
        ],
        rows: reports.iter().map(row).collect(),
    }
}
