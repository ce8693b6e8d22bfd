//! Kills the real relay, or its Postgres, again and again while clients push, and checks everything that was
//! acknowledged.

#![expect(clippy::print_stdout, reason = "prints what it finds")]

use std::process::ExitCode;

use clap::Parser;
use tourismo_tests::kills::{Plan, Victim, run};

/// Kill the relay, or its Postgres, with SIGKILL at random moments while clients push. Every acknowledged change must
/// be there afterwards.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// The process to kill; Postgres is a private one.
    #[arg(long, default_value = "relay")]
    victim: Victim,
    /// The number of kills.
    #[arg(long, default_value_t = 300)]
    times: u32,
    /// The seed of the pushes and of the times of the kills; random if absent.
    #[arg(long)]
    seed: Option<u64>,
    /// The number of clients that push at the same time.
    #[arg(long, default_value_t = 4)]
    clients: usize,
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let Arguments { victim, times, seed, clients } = Arguments::parse();
    let seed = match seed {
        Some(seed) => seed,
        None => u64::from(getrandom::u32()?),
    };
    println!("seed {seed}");
    let report = run(Plan { seed, victim, times, clients }).await?;
    println!(
        "{} kills, {} changes acknowledged, {} of them lost; {} were on disk and not yet acknowledged",
        report.kills, report.acknowledged, report.lost, report.unheard
    );
    Ok(if report.lost == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
