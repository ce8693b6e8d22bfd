//! Kills the real relay again and again while clients push, and looks up everything that it acknowledged.

#![expect(clippy::print_stdout, reason = "prints what it finds")]

use std::process::ExitCode;

use clap::Parser;
use tourismo_tests::kills::{Plan, run};

/// Kill the relay with SIGKILL at random moments while clients push. Nothing that it acknowledged may be missing.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// How many times.
    #[arg(long, default_value_t = 300)]
    times: u32,
    /// Decides what is pushed and when the kills come; drawn if absent.
    #[arg(long)]
    seed: Option<u64>,
    /// How many clients push at the same time.
    #[arg(long, default_value_t = 4)]
    clients: usize,
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let Arguments { times, seed, clients } = Arguments::parse();
    let seed = match seed {
        Some(seed) => seed,
        None => u64::from(getrandom::u32()?),
    };
    println!("seed {seed}");
    let report = run(Plan { seed, times, clients }).await?;
    println!(
        "{} kills, {} changes acknowledged, {} of them lost; {} were on disk and not yet acknowledged",
        report.kills, report.acknowledged, report.lost, report.unheard
    );
    Ok(if report.lost == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
