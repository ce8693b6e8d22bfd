//! The command `tourismo-bench`: measures the figures that Tourismo promises, beside those of other systems, as tables.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::ensure;
use clap::{Parser, ValueEnum};
use tourismo_tests::bench::peers::Peer;
use tourismo_tests::bench::{
    costs, follower, groups, history, hostile, load, machine, reads, reconnect, recorders, rest, road_reads, roads,
    rows, search, sizes, upload,
};

/// Measure the figures and print them as tables in Markdown.
#[derive(Parser)]
#[command(version)]
struct Cli {
    /// Also write the tables into this file; with --only, replace the table with the same title.
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
    /// Measure only this.
    #[arg(long)]
    only: Option<Part>,
    /// The binary of the relay, to be run as a process of its own.
    #[arg(long, value_name = "FILE", default_value = "target/release/tourismo-server")]
    relay: PathBuf,
    /// The binary of `tests/peers`; without it, only Tourismo is measured.
    #[arg(long, value_name = "FILE")]
    samod: Option<PathBuf>,
    /// The number of drives of the larger community of the reads; the smaller one has a tenth.
    #[arg(long, default_value_t = 1_000_000)]
    drives: u64,
    /// The number of roads of the larger continent; the smaller one has a tenth.
    #[arg(long, default_value_t = 1_000_000)]
    segments: usize,
    /// Also measure the peers with 5,000 documents, which takes some minutes.
    #[arg(long)]
    patient: bool,
    /// Only give a hostile message to Automerge. Another process measures this one.
    #[arg(long, hide = true)]
    automerge_alone: Option<String>,
    /// Only run the relay of the benchmark of rows.
    #[arg(long, hide = true, num_args = 1.., allow_hyphen_values = true)]
    as_relay: Vec<String>,
}

/// A table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// A reconnect when nothing has changed.
    Reconnect,
    /// The first upload, and a kill after it.
    Upload,
    /// The relay's size at rest.
    Rest,
    /// The relay's throughput of pushes, and the delay of its acknowledgements.
    Load,
    /// The statements and syncs of these pushes.
    Groups,
    /// The cost of the projected rows.
    Rows,
    /// The delay until a follower is told of a drive.
    Follower,
    /// What a new device receives of a long history.
    History,
    /// Bytes per fix.
    Sizes,
    /// Bytes per fix for each kind of recorder.
    Recorders,
    /// The cost of a fix and of a long drive.
    Costs,
    /// The cost of a search of one's drives.
    Search,
    /// The cost of finding roads.
    Roads,
    /// The latency of road reads with the roads of a continent.
    RoadReads,
    /// The cost of a hostile message.
    Hostile,
    /// The latency of reads with a large community.
    Reads,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Cli::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // A failure to write is reported by the exit code.
            let _ = writeln!(std::io::stderr(), "tourismo-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli) -> anyhow::Result<()> {
    if let Some(kind) = cli.automerge_alone {
        hostile::automerge_alone(&kind);
        return Ok(());
    }
    if !cli.as_relay.is_empty() {
        return rows::be_relay(&cli.as_relay).await;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let peers = cli.samod.map(|samod| Peer::all(samod, &root.join("tests/peers")));
    let peers = peers.as_ref().map_or(&[][..], |peers| peers.as_slice());
    let head = format!(
        "# Benchmarks\n\nWritten by `just bench` on {}, shared with other work; `just bench --only PART` replaces one table. \
         Counts and bytes are exact and the same on every machine; times are medians of CPU time, unless a note says \
         otherwise.\n",
        machine::description()
    );
    let mut text = match (&cli.write, cli.only) {
        (Some(path), Some(_)) => std::fs::read_to_string(path)?,
        (Some(_) | None, Some(_) | None) => head.clone(),
    };
    ensure!(text.starts_with(&head), "the other tables are from another machine or version: measure all of them");
    for part in Part::value_variants().iter().filter(|part| cli.only.is_none_or(|only| only == **part)) {
        let table = match part {
            Part::Reconnect => reconnect::table(peers, cli.patient).await?,
            Part::Upload => upload::table(&cli.relay, peers, cli.patient).await?,
            Part::Rest => rest::table().await?,
            Part::Load => load::table().await?,
            Part::Groups => groups::table().await?,
            Part::Rows => rows::table().await?,
            Part::Follower => follower::table().await?,
            Part::History => history::table().await?,
            Part::Sizes => sizes::table().await?,
            Part::Recorders => recorders::table().await?,
            Part::Costs => costs::table(&root, !peers.is_empty()).await?,
            Part::Search => search::table(&root)?,
            Part::Roads => roads::table()?,
            Part::RoadReads => road_reads::table(cli.segments).await?,
            Part::Hostile => hostile::table().await?,
            Part::Reads => reads::table(cli.drives).await?,
        };
        write!(std::io::stdout(), "\n{}", table.markdown())?;
        text = table.put_into(&text);
    }
    if let Some(path) = cli.write {
        std::fs::write(path, text)?;
    }
    Ok(())
}
