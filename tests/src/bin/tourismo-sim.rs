//! Runs simulations, one scenario for each seed, until an invariant is violated.

#![expect(clippy::print_stdout, reason = "prints what it finds")]

use std::process::ExitCode;

use clap::Parser;
use tourismo_tests::sim::{InjectedBug, Scenario, run, run_twice};

/// Simulate phones, their relay, and the faults between them.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// The number of scenarios.
    #[arg(long, default_value_t = 1_000)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    first: u64,
    /// The number of user actions and faults in each scenario.
    #[arg(long, default_value_t = 60)]
    steps: u32,
    /// Print every event of the first scenario.
    #[arg(long)]
    trace: bool,
    /// Run each scenario once. By default each runs twice, and both runs must be equal.
    #[arg(long)]
    once: bool,
    /// Poll the components of the phones' replicas in random orders.
    #[arg(long)]
    shuffle: bool,
    /// Continue after a violated invariant.
    #[arg(long)]
    keep_going: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let (mut broken, mut events, mut fixes, mut changes, mut virtual_ms, mut slowest_ms) = (0_u64, 0, 0, 0, 0, 0);
    let seeds = if arguments.trace { 1 } else { arguments.seeds };
    for seed in arguments.first..arguments.first + seeds {
        let scenario = Scenario {
            seed,
            steps: arguments.steps,
            bug: InjectedBug::Nothing,
            shuffles_polls: arguments.shuffle,
            keeps_lines: arguments.trace,
        };
        let report = if arguments.once || arguments.trace { run(scenario) } else { run_twice(scenario) };
        report.lines.iter().for_each(|line| println!("{line}"));
        events += report.events;
        (fixes, changes) = (fixes + report.fixes, changes + report.changes);
        (virtual_ms, slowest_ms) = (virtual_ms + report.virtual_ms, slowest_ms.max(report.converged_ms));
        if let Some(promise) = report.broken {
            println!("seed {seed}: BROKEN: {promise}");
            let shuffle = if arguments.shuffle { " --shuffle" } else { "" };
            println!("  just sim --first {seed} --steps {}{shuffle} --trace", arguments.steps);
            broken += 1;
            if !arguments.keep_going {
                break;
            }
        }
    }
    let hours = virtual_ms as f64 / 3_600_000.0;
    println!(
        "{seeds} stories, {events} steps, {hours:.1} virtual hours, {fixes} fixes, {changes} changes; {broken} broken"
    );
    println!("slowest to agree after the faults: {:.1} s", slowest_ms as f64 / 1_000.0);
    if broken == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
