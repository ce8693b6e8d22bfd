//! The command `tourismo-made`: writes a synthetic drive as GPX to the standard output.

use std::io::Write;

use clap::{Parser, ValueEnum};
use tourismo_core::time::Timestamp;
use tourismo_import::write::gpx;
use tourismo_tests::synthetic::{self, Device, Kind, Options};

/// Write a synthetic drive as GPX. The same arguments give the same bytes.
#[derive(Parser)]
#[command(version)]
struct Cli {
    /// The seed of the drive.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The length of the drive in minutes.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=1_440))]
    minutes: u32,
    /// The kind of road.
    #[arg(long, default_value = "mountain")]
    road: Road,
    /// The kind of recorder.
    #[arg(long, default_value = "phone")]
    device: Recorder,
}

#[derive(Clone, Copy, ValueEnum)]
enum Recorder {
    /// A phone that measures every second on the second, with all values.
    Phone,
    /// A phone with Android's fused location: jitter, an irregular interval, few accuracies.
    Android,
    /// An iPhone.
    Iphone,
    /// A logger with a fix every 5 s.
    Logger5,
    /// A logger with a fix every 30 s.
    Logger30,
    /// A receiver with ten fixes a second.
    Receiver10,
    /// A receiver with 18 fixes a second.
    Receiver18,
    /// A receiver with 25 fixes a second.
    Receiver25,
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
    let Cli { seed, minutes, road, device } = Cli::parse();
    let kind = match road {
        Road::Mountain => Kind::Mountain,
        Road::Lane => Kind::Lane,
        Road::Town => Kind::Town,
        Road::Motorway => Kind::Motorway,
    };
    let options = Options { start: START, minutes, kind };
    let with = |device| synthetic::drive_with(device, seed, options);
    let fixes = match device {
        Recorder::Phone => synthetic::drive(seed, options),
        Recorder::Android => with(Device::Android),
        Recorder::Iphone => with(Device::Iphone),
        Recorder::Logger5 => with(Device::Logger { interval_s: 5 }),
        Recorder::Logger30 => with(Device::Logger { interval_s: 30 }),
        Recorder::Receiver10 => with(Device::Receiver { rate_hz: 10 }),
        Recorder::Receiver18 => with(Device::Receiver { rate_hz: 18 }),
        Recorder::Receiver25 => with(Device::Receiver { rate_hz: 25 }),
    };
    std::io::stdout().lock().write_all(gpx::write("A made drive", &fixes).as_bytes())?;
    Ok(())
}
