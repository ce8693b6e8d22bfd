//! The command `tourismo-privacy`: attacks the homes of made people with what is published of their drives.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use tourismo_tests::home_attack::attackers::Attack;
use tourismo_tests::home_attack::{Setting, measure, measure_relayed, table};

/// Looks for the homes of made people in what the core publishes of their drives, and writes what it finds as Markdown.
#[derive(Parser)]
#[command(version)]
struct Cli {
    /// How many people.
    #[arg(long, default_value_t = 1_000)]
    people: u64,
    /// How many of them publish through a relay, too.
    #[arg(long, default_value_t = 50)]
    relayed: u64,
    /// Measures only what an attacker finds in twenty drives.
    #[arg(long)]
    twenty: bool,
    /// Writes between the marks of this file; to the standard output if absent.
    #[arg(long)]
    write: Option<PathBuf>,
}

impl Cli {
    fn settings(&self) -> Vec<Setting> {
        if self.twenty { vec![Setting::Twenty] } else { Setting::ALL.to_vec() }
    }
}

const BEGIN: &str = "<!-- table -->\n";
const END: &str = "<!-- end of table -->\n";

/// The maximum time that a phone waits for its relay.
const PATIENCE: Duration = Duration::from_secs(120);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    let mut report = measure(cli.people, &Attack::ALL, &cli.settings());
    report.found.extend(measure_relayed(cli.relayed, &Attack::ALL, PATIENCE).await?);
    eprintln!("redaction costs {:.0} ns for each fix and place", report.cost_ns);
    let table = table(&report);
    let Some(path) = cli.write else {
        return Ok(writeln!(std::io::stdout().lock(), "{table}")?);
    };
    let page = std::fs::read_to_string(&path)?;
    let parts = page.split_once(BEGIN).and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    let (before, after) = parts.ok_or_else(|| anyhow::anyhow!("{} has no marks", path.display()))?;
    Ok(std::fs::write(&path, format!("{before}{BEGIN}\n{table}\n{END}{after}"))?)
}
