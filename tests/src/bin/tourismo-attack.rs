//! Attacks the real relay in every way that is known, and says what each cost.

#![expect(clippy::print_stdout, reason = "prints what it finds")]

use std::process::ExitCode;

use clap::Parser;
use tourismo_tests::attack::{self, Attack, Scale};

/// Attack the real relay over loopback while an honest phone syncs, and print what each attack cost. Fails if a bound does
/// not hold: memory, time on a core, the honest phone's acknowledgements.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Only attacks with this in their names.
    #[arg(default_value = "")]
    filter: String,
    /// Seconds rather than minutes: what the tests do.
    #[arg(long)]
    small: bool,
    /// Do not hold the relay to how long acknowledgements take, which says as much about what else the machine does.
    #[arg(long)]
    busy: bool,
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let Arguments { filter, small, busy } = Arguments::parse();
    let scale = if small { Scale::Small } else { Scale::Full };
    let mut reports = Vec::new();
    let mut broken = Vec::new();
    for attack in Attack::all().into_iter().filter(|attack| attack.name.contains(&filter)) {
        println!("{} …", attack.name);
        let report = attack.run(scale).await?;
        broken.extend(report.broken.iter().map(|bound| format!("{}: {bound}", report.name)));
        if !busy && report.p95 > Attack::SLOWEST {
            broken.push(format!("{}: the honest phone waited {:.0?}", report.name, report.p95));
        }
        reports.push(report);
    }
    println!("\n{}", attack::table(&reports).markdown());
    for bound in &broken {
        println!("{bound}");
    }
    Ok(if broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
