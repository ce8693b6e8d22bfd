//! The costs of scoring drives, and of finding the roads in many.

use std::collections::BTreeMap;
use std::hint::black_box;

use tourismo_core::fix::Fix;
use tourismo_core::roads::RoadSteps;
use tourismo_core::time::Timestamp;
use tourismo_server::roads::{CellCounts, Driver, Trace};

use super::machine::{Stopwatch, Usage};
use super::{Table, grouped, made_drive};
use crate::real_drives;
use crate::synthetic::{self, Kind, Options};

/// The costs of scoring and finding roads, as a table.
///
/// # Errors
/// If the system does not report the resources of a process.
pub fn table() -> anyhow::Result<Table> {
    let mut rows = Vec::new();
    let made: Vec<_> = [Kind::Mountain, Kind::Lane, Kind::Town, Kind::Motorway].map(|kind| made_drive(60, kind)).into();
    rows.push(vec![
        "scoring a drive".into(),
        "4".into(),
        "4".into(),
        format!("{:.2} µs per fix", scoring_ns(&made) / 1e3),
        String::new(),
        String::new(),
    ]);
    for (drives, count) in [(12_500, 500), (25_000, 500), (50_000, 500), (100_000, 500)] {
        let Batch { drives, roads, cpu_s, peak_bytes, segments } = batch(&traces(count), drives)?;
        rows.push(vec![
            "finding roads".into(),
            grouped(drives as u64),
            grouped(roads as u64),
            format!("{cpu_s:.1} s"),
            format!("{:.0}", peak_bytes as f64 / 1e6),
            grouped(segments as u64),
        ]);
    }
    Ok(Table {
        title: "Finding roads",
        notes: "Scoring is the time for one hour of a drive, with its best stretches, on the phone as on the relay. \
                A batch of the relay reads every public drive four times (cells, nodes, ways, and which drivers used \
                which road): here drives of 20 minutes, each by another driver, over 500 roads, without the time to \
                read the database. Memory is the peak of the process up to then."
            .to_owned(),
        columns: vec!["", "drives", "roads", "CPU", "peak, MB", "segments"],
        rows,
    })
}

/// The result of a batch.
#[derive(Clone, Copy, Debug)]
pub struct Batch {
    /// The number of drives.
    pub drives: usize,
    /// The number of different roads.
    pub roads: usize,
    /// CPU time, seconds.
    pub cpu_s: f64,
    /// Maximum memory of the process, bytes.
    pub peak_bytes: u64,
    /// The number of found segments.
    pub segments: usize,
}

/// Nanoseconds per fix to score drives, with their best stretches.
pub fn scoring_ns(drives: &[Vec<Fix>]) -> f64 {
    let fixes: usize = drives.iter().map(Vec::len).sum();
    let stopwatch = Stopwatch::start();
    for drive in drives {
        let survey = RoadSteps::of(black_box(drive));
        black_box((survey.score(), survey.best_stretches()));
    }
    stopwatch.elapsed_ns() / fixes.max(1) as f64
}

/// Drives of 20 minutes on `roads` roads of two kinds, as the database stores them.
pub fn traces(roads: usize) -> Vec<Vec<u8>> {
    let trace = |seed: u64| {
        let kind = [Kind::Mountain, Kind::Lane][seed as usize % 2];
        let options = Options { start: Timestamp(1_717_232_400_000), minutes: 20, kind };
        Trace::of(&RoadSteps::of(&real_drives::ordered(&synthetic::drive(seed, options)))).encode()
    };
    (0..roads as u64).map(trace).collect()
}

/// Finds the roads in so many drives over these, each by another driver. As in the relay, each pass decodes them again.
///
/// # Errors
/// If a trace or `/proc` cannot be read.
pub fn batch(traces: &[Vec<u8>], drives: usize) -> anyhow::Result<Batch> {
    let all = || traces.iter().cycle().take(drives).zip(1..);
    let stopwatch = Stopwatch::start();
    let mut census = CellCounts::default();
    for (trace, _) in all() {
        census.count(&Trace::decode(trace)?);
    }
    let mut nodes = census.settle();
    for (trace, driver) in all() {
        nodes.count(Driver(driver), &Trace::decode(trace)?);
    }
    let mut network = nodes.settle();
    for (trace, driver) in all() {
        network.add(Driver(driver), &Trace::decode(trace)?);
    }
    let segments = network.segments(5, &BTreeMap::new()).len();
    for (trace, _) in all() {
        black_box(network.driven_pairs(&Trace::decode(trace)?));
    }
    let cpu_s = stopwatch.elapsed_ns() / 1e9;
    let peak_bytes = Usage::of(std::process::id())?.peak_bytes;
    Ok(Batch { drives, roads: traces.len(), cpu_s, peak_bytes, segments })
}
