//! A random scenario: users drive, edit and publish while faults happen; then the faults end, and all must agree.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::sim::Network;
use crate::sim::actions::ScenarioRun;
use crate::sim::clock_faults::ClockFaults;
use crate::sim::faults::InjectedBug;
use crate::sim::network::HOME;
use crate::sim::theft::Theft;

/// The part of scenarios in which machines sleep, clocks have rates of their own, and links deliver twice or too early.
/// The others are unchanged, so that the traces of earlier failing seeds stay the same.
const HOSTILE_ONE_IN: u64 = 4;

/// Of a thousand scenarios those in which the disks of relays are put back several times without a new epoch.
const RESTORED_IMAGE_SEEDS: Range<u64> = 440..490;

/// The parameters of a scenario.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// Decides everything.
    pub seed: u64,
    /// The number of actions of users and faults.
    pub steps: u32,
    /// A bug that should be found.
    pub bug: InjectedBug,
    /// Whether phones poll the components of their replicas in random orders.
    pub shuffles_polls: bool,
    /// Whether the lines of the trace are kept.
    pub keeps_lines: bool,
}

/// The result of a scenario.
#[derive(Clone, Debug)]
pub struct Report {
    /// The first broken promise, if any.
    pub broken: Option<String>,
    /// Equal for equal scenarios.
    pub trace_hash: u64,
    /// The lines of the trace, if they were kept.
    pub lines: Vec<String>,
    /// Its virtual duration.
    pub virtual_ms: u64,
    /// The time until all agreed.
    pub converged_ms: u64,
    /// The number of changes on the relay at the end.
    pub changes: usize,
    /// The number of accepted fixes.
    pub fixes: usize,
    /// The number of events: messages, answers of disks, timers, measurements.
    pub events: u64,
}

/// Runs one scenario twice. Different traces break the promise of determinism.
pub fn run_twice(scenario: Scenario) -> Report {
    let (mut first, second) = (run(scenario), run(scenario));
    if first.trace_hash != second.trace_hash && first.broken.is_none() {
        first.broken = Some("one seed tells one story".to_owned());
    }
    first
}

/// Runs one scenario.
pub fn run(scenario: Scenario) -> Report {
    let mut sim = Network::with(scenario.seed, scenario.bug, scenario.keeps_lines);
    sim.clock_faults = ClockFaults::of(scenario.seed);
    sim.theft = Theft::of(scenario.seed);
    sim.shuffles_polls = scenario.shuffles_polls;
    let mut converged_ms = 0;
    let told = catch_unwind(AssertUnwindSafe(|| {
        let is_unruly = scenario.seed % HOSTILE_ONE_IN == 1;
        let is_put_back = RESTORED_IMAGE_SEEDS.contains(&(scenario.seed % 1_000));
        ScenarioRun::begin(&mut sim, is_unruly, is_put_back).run(scenario.steps);
        converged_ms = sim.converge();
    }));
    if let Err(panic) = told {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        sim.report_broken(format!("nothing panics: {}", text.unwrap_or_default()));
    }
    let changes = sim.relays[HOME].disk.accounts.values().map(|account| account.entries.len()).sum();
    let fixes = sim.reference.drives.values().map(|taken| taken.saved.len()).sum();
    Report {
        broken: sim.broken.clone(),
        trace_hash: sim.trace.hash(),
        virtual_ms: sim.now_ms,
        converged_ms,
        changes,
        fixes,
        events: sim.events(),
        lines: sim.trace.into_lines(),
    }
}
