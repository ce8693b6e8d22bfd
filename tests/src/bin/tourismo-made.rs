//! The command `tourismo-made`: writes a drive that nobody drove as GPX to the standard output.

use std::io::Write;

use clap::{Parser, ValueEnum};
use tourismo_core::time::Timestamp;
use tourismo_tests::gpx_file;
use tourismo_tests::made::{self, Kind, Options};

/// Writes a made drive as GPX. The same arguments write the same bytes.
#[derive(Parser)]
#[command(version)]
struct Cli {
    /// Makes the drive.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How long it takes.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=1_440))]
    minutes: u32,
    /// What road it takes.
    #[arg(long, default_value = "mountain")]
    road: Road,
}

#[derive(Clone, Copy, ValueEnum)]
enum Road {
    /// Hairpins and sweepers around a mountain pass.
    Mountain,
    /// A country lane.
    Lane,
    /// Corners and traffic lights.
    Town,
    /// Wide bends at 120 km/h.
    Motorway,
}

/// 2024-06-01 09:00 UTC.
const START: Timestamp = Timestamp(1_717_232_400_000);

fn main() -> anyhow::Result<()> {
    let Cli { seed, minutes, road } = Cli::parse();
    let kind = match road {
        Road::Mountain => Kind::Mountain,
        Road::Lane => Kind::Lane,
        Road::Town => Kind::Town,
        Road::Motorway => Kind::Motorway,
    };
    let fixes = made::drive(seed, Options { start: START, minutes, kind });
    std::io::stdout().lock().write_all(gpx_file::write("A made drive", &fixes).as_bytes())?;
    Ok(())
}
