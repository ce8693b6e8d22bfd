//! Attacks the real relay in every way that is known, and reports the cost of each attack.

#![expect(clippy::print_stdout, reason = "prints what it finds")]

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use tourismo_tests::attack::{self, Attack, Scale};

/// Attack the real relay over loopback while an honest phone syncs and an honest reader reads, and print the cost of
/// each attack. Fails if a bound does not hold: refusals and delays of the honest clients, memory, CPU time, the time
/// until the relay is idle again. The attackers' threads have the lowest priority, since they stand for other machines.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Only attacks with this text in their names.
    #[arg(default_value = "")]
    filter: String,
    /// Print the names of the attacks and exit.
    #[arg(long)]
    list: bool,
    /// A small run of some seconds, as in the tests.
    #[arg(long)]
    small: bool,
    /// Do not judge durations: the delay of the honest phone, and the time until the relay is idle. They depend on the
    /// other load of the machine. With --worst: do not judge the time of the writer.
    #[arg(long)]
    busy: bool,
    /// Instead of the attacks, search for the change that costs the writer the most, with so many tries for each shape.
    #[arg(long, value_name = "TRIES")]
    worst: Option<u32>,
    /// With --worst: the seed of the tries.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// With --worst: the corpus of the fuzz targets.
    #[arg(long, default_value = "tests/fuzz/corpus")]
    corpus: PathBuf,
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let Arguments { filter, list, small, busy, worst, seed, corpus } = Arguments::parse();
    if let Some(tries) = worst {
        let found = attack::worst::search(seed, tries, &corpus).await?;
        println!("{}", attack::worst::table(&found).markdown());
        let too_long = found.iter().filter(|worst| worst.push.cpu.max(worst.rows.cpu) > attack::worst::MAX_CPU);
        return Ok(if busy || too_long.count() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    let attacks = Attack::all().into_iter().filter(|attack| attack.name.contains(&filter));
    if list {
        attacks.for_each(|attack| println!("{}", attack.name));
        return Ok(ExitCode::SUCCESS);
    }
    let scale = if small { Scale::Small } else { Scale::Full };
    let mut reports = Vec::new();
    let mut broken = Vec::new();
    for attack in attacks {
        println!("{} …", attack.name);
        let report = attack.run(scale).await?;
        broken.extend(report.broken.iter().map(|bound| format!("{}: {bound}", report.name)));
        reports.push(report);
    }
    if !busy {
        broken.extend(attack::slow(&reports));
    }
    println!("\n{}", attack::table(&reports).markdown());
    for bound in &broken {
        println!("{bound}");
    }
    Ok(if broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
