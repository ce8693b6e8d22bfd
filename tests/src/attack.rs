//! Hostile clients against the real relay over loopback, beside an honest phone and an honest reader.
//!
//! Each attack has a fresh relay with default limits, as a separate process, and these steps:
//!
//! 1. The honest phone pushes and the honest reader reads, without the attack.
//! 2. The attack runs beside them. Its threads have a lower priority, because an attacker uses another machine, whose
//!    work must not take time from the relay's cores.
//! 3. The attack has ended and its sockets are closed. The relay must return to rest.
//! 4. The honest clients continue for a while.
//!
//! There are two kinds of bounds. Those in [`Report::broken`] hold on any machine, and in the tests: nothing honest is
//! refused, memory, CPU time, the return to rest. Those in [`slow`] are real times, which hold only on a machine with no
//! other work: the honest phone's p99 during and after an attack is at most twice that of all phases before attacks, and
//! the relay is at rest within ten seconds. An attack that ends before the phone has made [`ENOUGH_ACKS`] changes is
//! repeated against further relays, so that there is a percentile.
//!
//! To add an attack: write `async fn name(field: Environment) -> anyhow::Result<String>` in a module below `attack/`,
//! which returns what became of the sent data and fails if a bound on counts does not hold; add an [`Attack::new`] to
//! the list of the module's `attacks()`, with the bounds and options that differ from the defaults; add a new module to
//! [`Attack::all`]. Bounds on counts belong to the attack's function, because only it has the counts.

mod admission;
pub mod bomb;
mod changes;
mod forwarders;
mod honest;
mod hostile_client;
mod inbox;
mod owners;
mod quotas;
mod readers;
mod removed;
mod reports;
mod requests;
mod rest;
mod sockets;
pub mod worst;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::time::{Duration, Instant};

use anyhow::Context;
use tourismo_server::Origin;

use self::honest::Honest;
pub use self::honest::{Durations, Figures};
use self::hostile_client::HostileClient;
use self::rest::State;
use crate::bench::{Table, grouped};
use crate::daemon::Start;

/// The size of an attack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Some seconds for each attack.
    Small,
    /// Up to a minute for each attack.
    Full,
}

impl Scale {
    /// Returns a count at this scale.
    fn of(self, full: usize) -> usize {
        match self {
            Scale::Small => (full / 20).max(2),
            Scale::Full => full,
        }
    }

    /// Returns the number of acknowledgements after which the honest phone's times are known.
    fn acks(self) -> usize {
        match self {
            Scale::Small => 20,
            Scale::Full => 300,
        }
    }

    /// Returns the decrease of the priority of an attack's threads, as of nice(1). The work of an attacker's machine is
    /// no cost of the relay, so at full scale it has the lowest priority. At the small scale other tests may use the
    /// machine, and the attack must end nevertheless.
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
    /// Its name.
    pub name: &'static str,
    /// Maximum growth of the relay's memory, MiB.
    pub max_growth_mib: u64,
    /// Maximum CPU time of the relay during the attack, including the work for the honest clients.
    pub max_cpu: Duration,
    /// Further options of `tourismo-server serve`.
    pub options: &'static [&'static str],
    /// The value of `--public-url`; the address of the relay if absent.
    pub public_url: Option<&'static str>,
    run: fn(Environment) -> Running,
}

/// The number of acknowledgements during an attack that give a percentile.
const ENOUGH_ACKS: usize = 300;

/// The number of acknowledgements before and after a repeated attack.
const ACKS_OF_A_REPETITION: usize = 40;

/// Maximum number of runs of one attack.
const MAX_RUNS: usize = 25;

type Running = Pin<Box<dyn Future<Output = anyhow::Result<String>> + Send>>;

/// The environment of an attack.
#[derive(Clone, Debug)]
struct Environment {
    relay: SocketAddr,
    /// The origin that honest clients dial.
    origin: String,
    scale: Scale,
}

impl Environment {
    /// Returns a hostile host; a different one for each number.
    fn hostile(&self, host: u8) -> HostileClient {
        HostileClient { relay: self.relay, from: IpAddr::V4(Ipv4Addr::new(127, 66, 0, host)) }
    }
}

/// The result of an attack.
#[derive(Clone, Debug)]
pub struct Report {
    /// The attack's name.
    pub name: &'static str,
    /// The result for the sent data, of the first run.
    pub outcome: String,
    /// The number of runs, each against a relay of its own.
    pub runs: usize,
    /// The growth of the relay's memory, bytes; the largest of all runs.
    pub growth_bytes: u64,
    /// The CPU time during the attack; the longest of all runs.
    pub cpu: Duration,
    /// The figures of the honest clients before, during and after the attack, of all runs.
    pub honest: [Figures; 3],
    /// The time from the end of the attack until the relay was at rest; the longest of all runs.
    pub rested_in: Duration,
    /// The broken bounds that must hold on any machine.
    pub broken: Vec<String>,
}

impl Report {
    /// Adds a further run.
    fn add(&mut self, other: Report) {
        self.runs += other.runs;
        self.growth_bytes = self.growth_bytes.max(other.growth_bytes);
        self.cpu = self.cpu.max(other.cpu);
        self.rested_in = self.rested_in.max(other.rested_in);
        self.broken.extend(other.broken);
        for (figures, more) in self.honest.iter_mut().zip(other.honest) {
            figures.add(more);
        }
    }
}

impl Attack {
    /// The default maximum growth of a relay's memory, MiB.
    pub const MAX_GROWTH_MIB: u64 = 64;

    /// Maximum ratio of the p99 of the honest phone's acknowledgements to that without the attack.
    pub const MAX_RATIO: f64 = 2.0;

    /// Maximum time until the relay is at rest after an attack.
    pub const MAX_REST: Duration = Duration::from_secs(10);

    /// Creates an attack with the default bounds.
    const fn new(name: &'static str, run: fn(Environment) -> Running) -> Attack {
        let (max_growth_mib, max_cpu) = (Attack::MAX_GROWTH_MIB, Duration::from_secs(20));
        Attack { name, max_growth_mib, max_cpu, options: &[], public_url: None, run }
    }

    /// Sets another bound on memory.
    const fn growth_mib(self, max_growth_mib: u64) -> Attack {
        Attack { max_growth_mib, ..self }
    }

    /// Sets another bound on CPU time, in seconds.
    const fn cpu_s(self, cpu_s: u64) -> Attack {
        Attack { max_cpu: Duration::from_secs(cpu_s), ..self }
    }

    /// Sets further options of the relay.
    const fn options(self, options: &'static [&'static str]) -> Attack {
        Attack { options, ..self }
    }

    /// Sets the relay's public URL.
    const fn public_url(self, public_url: &'static str) -> Attack {
        Attack { public_url: Some(public_url), ..self }
    }

    /// Returns all attacks.
    pub fn all() -> Vec<Attack> {
        let parts = [
            admission::attacks,
            changes::attacks,
            owners::attacks,
            quotas::attacks,
            sockets::attacks,
            requests::attacks,
            reports::attacks,
            inbox::attacks,
            readers::attacks,
            removed::attacks,
            forwarders::attacks,
        ];
        parts.map(|attacks| attacks()).concat()
    }

    /// Attacks a fresh relay; at full scale further ones, until there is a percentile.
    ///
    /// # Errors
    /// If the relay ends, or cannot be measured.
    pub async fn run(&self, scale: Scale) -> anyhow::Result<Report> {
        let mut report = self.run_once(scale, scale.acks()).await?;
        let has_enough = |report: &Report| scale == Scale::Small || report.honest[1].acks.count() >= ENOUGH_ACKS;
        while !has_enough(&report) && report.broken.is_empty() && report.runs < MAX_RUNS {
            report.add(self.run_once(scale, ACKS_OF_A_REPETITION).await?);
        }
        Ok(report)
    }

    /// Attacks a fresh relay. The honest phone has this number of changes acknowledged before and after it.
    async fn run_once(&self, scale: Scale, acks: usize) -> anyhow::Result<Report> {
        let folder = tempfile::tempdir()?;
        let mut start = Start::on(&folder.path().join("relay.sqlite"));
        let public_url = self.public_url.map(|url| ["--public-url", url]);
        start.arguments = self.options.iter().chain(public_url.iter().flatten()).map(Into::into).collect();
        let relay = start.start().await?;
        let pid = relay.pid();
        let origin = self.public_url.map_or_else(|| Origin::from(relay.addr()).to_string(), str::to_owned);
        let honest = Honest::join(relay.addr(), &origin).await.context("the honest clients")?;

        let (begin, begun) = (Instant::now(), State::of(pid)?);
        honest.acknowledged(acks).await?;
        let (attack, before) = (Instant::now(), State::of(pid)?);
        let outcome =
            on_threads_of_its_own((self.run)(Environment { relay: relay.addr(), origin, scale }), scale.nice()).await?;
        // An attack may end before the phone's next change. Of two more changes, one was sent since it began.
        let _ = honest.acknowledged(2).await;
        let (end, after) = (Instant::now(), State::of(pid)?);
        let rested = rest::wait(pid, &before, before.share_since(&begun)).await?;
        let rest = Instant::now();
        // The refusals of a phone are reported by its figures.
        let _ = honest.acknowledged(acks).await;
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
        let outcome = outcome.unwrap_or_else(|_| "failed".to_owned());
        Ok(Report {
            name: self.name,
            outcome,
            runs: 1,
            growth_bytes,
            cpu,
            honest: [quiet, attacked, later],
            rested_in: rested.unwrap_or(Duration::MAX),
            broken,
        })
    }
}

/// Returns the bounds on times that the attacks broke: they are meaningful only on a machine with no other work.
pub fn slow(reports: &[Report]) -> Vec<String> {
    let most = unattacked(reports).p99().mul_f64(Attack::MAX_RATIO);
    let mut slow = Vec::new();
    for report in reports {
        let [_, attacked, later] = &report.honest;
        for (when, figures) in [("during the attack", attacked), ("after it", later)] {
            let p99 = figures.acks.p99();
            if p99 > most {
                slow.push(format!(
                    "{}: the honest phone's p99 {when} was {p99:.1?}; {most:.1?} are allowed",
                    report.name
                ));
            }
        }
        if report.rested_in > Attack::MAX_REST {
            slow.push(format!("{}: came to rest after {:.1?}", report.name, report.rested_in));
        }
    }
    slow
}

/// Returns the times of acknowledgements before all attacks: a percentile of one phase alone varies by a factor of two.
fn unattacked(reports: &[Report]) -> Durations {
    let mut all = Durations::default();
    reports.iter().for_each(|report| all.add(&report.honest[0].acks));
    all
}

/// Runs an attack on threads with a lower priority than those of the honest clients.
async fn on_threads_of_its_own(attack: Running, nice: i32) -> anyhow::Result<anyhow::Result<String>> {
    open_many_files()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        // If the priority cannot be lowered, the attack runs nevertheless.
        .on_thread_start(move || {
            let _ = rustix::process::setpriority_process(None, nice);
        })
        .build()?;
    let outcome = runtime.spawn(attack).await;
    runtime.shutdown_background();
    outcome.context("the attack panicked")
}

/// Raises the limit of open files to the maximum: a process begins with fewer than a relay has sockets.
fn open_many_files() -> anyhow::Result<()> {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let raised = rustix::process::Rlimit { current: limit.maximum, ..limit };
    Ok(rustix::process::setrlimit(rustix::process::Resource::Nofile, raised)?)
}

/// Returns the reports as a table.
pub fn table(reports: &[Report]) -> Table {
    let row = |report: &Report| {
        let ms = |durations: &Durations| format!("{:.1}", durations.p99().as_secs_f64() * 1e3);
        let [quiet, attacked, later] = &report.honest;
        vec![
            report.name.to_owned(),
            report.outcome.clone(),
            format!("{:.1}", report.growth_bytes as f64 / f64::from(1 << 20)),
            format!("{:.2}", report.cpu.as_secs_f64()),
            grouped(report.runs as u64),
            grouped(attacked.acks.count() as u64),
            ms(&quiet.acks),
            ms(&attacked.acks),
            ms(&later.acks),
            grouped(attacked.reads.count() as u64),
            ms(&attacked.reads),
            format!("{:.1}", report.rested_in.as_secs_f64()),
        ]
    };
    let unattacked = unattacked(reports);
    Table {
        title: "What hostile clients cost",
        notes: format!(
            "Each against a fresh relay with the limits that it has by itself, as a process of its own, over loopback. An \
             honest phone pushes a change, waits for its acknowledgement, rests 20 ms, and begins again; an honest reader \
             reads every 50 ms. Attacks that end sooner are repeated until the phone has made {ENOUGH_ACKS} changes. Times of \
             honest clients are 99th percentiles: before the attack, during it, and after it. Over all phases before an \
             attack, {} changes, that is {:.1} ms.",
            grouped(unattacked.count() as u64),
            unattacked.p99().as_secs_f64() * 1e3
        ),
        columns: vec![
            "attack",
            "what became of it",
            "MiB more",
            "s of a core",
            "runs",
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
