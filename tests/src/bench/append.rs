//! The cost of a fix in the core, at the beginning and at the end of a day's drive, and the time to load that drive.

use std::hint::black_box;

use anyhow::Context;
use tourismo_core::display::{Line, Profile};
use tourismo_core::docs::{automerge_doc, track};
use tourismo_core::fix::Fix;
use tourismo_core::replica::io::{Command, Effect, Input, KeyRange, Space, StoreOp};
use tourismo_core::replica::{Bootstrap, Replica};
use tourismo_core::time::{Now, Timestamp};
use tourismo_core::track::block::decode_all;
use tourismo_core::track::parts::parts;

use super::machine::Stopwatch;
use super::median;
use crate::phone::Storage;

/// The number of fixes that are timed together: ten blocks.
const WINDOW: usize = 600;
/// The number of windows at the beginning and at the end.
const WINDOWS: usize = 6;
const LOADS: usize = 21;
/// The maximum distance of a drive's line on the phone from its track, metres.
const LINE_TOLERANCE_M: f64 = 3.0;

/// The result.
#[derive(Clone, Copy, Debug)]
pub struct Appending {
    /// Microseconds of CPU per fix over the first hour: the median of six windows of 600.
    pub first_us: f64,
    /// The same over the last hour.
    pub last_us: f64,
    /// Milliseconds of CPU to load the track's document from its stored changes.
    pub load_ms: f64,
    /// Milliseconds of CPU to decode all its blocks and to compute the line on the map and the values of the charts.
    pub show_ms: f64,
}

/// Records a drive with the core alone; every transaction is answered as stored at once.
///
/// # Errors
/// If the track cannot be loaded again.
pub fn appending(fixes: &[Fix]) -> anyhow::Result<Appending> {
    let opening = Bootstrap { seed: vec![1; 32].into(), device: vec![2; 32].into(), grant: None, stored: Vec::new() };
    let mut phone = Bare { replica: Replica::open(&opening)?, now: Now::default(), ops: Vec::new() };
    phone.now.wall = fixes.first().context("a drive has fixes")?.recorded_at;
    phone.handle(Input::Start);
    phone.handle(Input::Command { request: 1, command: Command::StartDrive { car: None } });
    let mut costs_us = Vec::new();
    for window in fixes.chunks_exact(WINDOW) {
        let stopwatch = Stopwatch::start();
        for fix in window {
            phone.pass(fix.recorded_at);
            phone.handle(Input::Fix { fix: *fix, arrived_ms: None });
        }
        costs_us.push(stopwatch.elapsed_ns() / 1e3 / WINDOW as f64);
    }
    phone.handle(Input::Command { request: 2, command: Command::FinishDrive });
    let (load_ms, show_ms) = loading(&phone.ops)?;
    let first_us = median(costs_us.iter().take(WINDOWS).copied().collect());
    let last_us = median(costs_us.iter().rev().take(WINDOWS).copied().collect());
    Ok(Appending { first_us, last_us, load_ms, show_ms })
}

/// A replica whose disk accepts everything, without a network.
struct Bare {
    replica: Replica,
    now: Now,
    ops: Vec<StoreOp>,
}

impl Bare {
    fn pass(&mut self, to: Timestamp) {
        self.now.monotonic_ms += to.millis_since(self.now.wall).max(0) as f64;
        self.now.wall = to;
    }

    fn handle(&mut self, input: Input) {
        let mut next = Some(input);
        while let Some(input) = next.take() {
            for effect in self.replica.handle(self.now, input) {
                match effect {
                    Effect::Store { batch, ops } => {
                        self.ops.extend(ops);
                        next = Some(Input::Stored { batch });
                    }
                    Effect::Connect
                    | Effect::Load { .. }
                    | Effect::Sign { .. }
                    | Effect::Send { .. }
                    | Effect::Disconnect
                    | Effect::SetTimer { .. }
                    | Effect::Settled { .. }
                    | Effect::Changed { .. } => {}
                }
            }
        }
    }
}

/// Loads the largest stored document repeatedly.
fn loading(ops: &[StoreOp]) -> anyhow::Result<(f64, f64)> {
    let mut storage = Storage::in_memory();
    storage.write(ops).ok().context("memory takes all")?;
    let changes = storage.read(&[KeyRange { space: Space::Change, from: Vec::new(), to: vec![0xff; 32] }]);
    let document = |key: &[u8]| key[..16].to_vec();
    let largest = changes.chunk_by(|a, b| document(&a.key) == document(&b.key)).max_by_key(|changes| changes.len());
    let chunks: Vec<&[u8]> =
        largest.context("a track was stored")?.iter().map(|entry| entry.value.as_slice()).collect();
    let (mut load_ms, mut show_ms) = (Vec::new(), Vec::new());
    for _ in 0..LOADS {
        let stopwatch = Stopwatch::start();
        let document = automerge_doc::load(&[0; 16], chunks.iter().copied()).ok().context("the track can be loaded")?;
        load_ms.push(stopwatch.elapsed_ns() / 1e6);
        let stopwatch = Stopwatch::start();
        for blocks in track::sessions(&document) {
            let parts = parts(&decode_all(blocks.iter().map(Vec::as_slice)).stretches);
            black_box((Line::simplified(&parts, LINE_TOLERANCE_M), Profile::of(&parts)));
        }
        show_ms.push(stopwatch.elapsed_ns() / 1e6);
    }
    Ok((median(load_ms), median(show_ms)))
}
