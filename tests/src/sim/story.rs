//! A random story: people who drive, edit and publish while things break; then the faults end, and everybody must agree.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::sim::World;
use crate::sim::acts::Story;
use crate::sim::clock_faults::ClockFaults;
use crate::sim::weather::Plant;
use crate::sim::world::HOME;

/// One story in so many has machines that sleep, clocks that run at rates of their own, and links that deliver twice or too
/// early. The others go on as they went, so that the seeds that failed once still tell what they told.
const UNRULY_ONE_IN: u64 = 4;

/// Of a thousand stories those in which the disks of relays are put back again and again, and nobody tells the relays.
const PUT_BACK: Range<u64> = 440..490;

/// What a story is made of.
#[derive(Clone, Copy, Debug)]
pub struct Outline {
    /// Decides everything.
    pub seed: u64,
    /// How many things people and faults do.
    pub steps: u32,
    /// A fault that should be found.
    pub plant: Plant,
    /// Whether to keep the lines of the trace.
    pub keeps_lines: bool,
}

/// How a story went.
#[derive(Clone, Debug)]
pub struct Report {
    /// The promise that was broken first, if one was.
    pub broken: Option<String>,
    /// Equal for equal stories.
    pub trace_hash: u64,
    /// The lines of the trace, if they were kept.
    pub lines: Vec<String>,
    /// How much virtual time it took.
    pub virtual_ms: u64,
    /// How long it took until everybody agreed.
    pub converged_ms: u64,
    /// How many changes the relay has in the end.
    pub changes: usize,
    /// How many fixes were taken in.
    pub fixes: usize,
    /// How many things happened: each message, each answer of a disk, each timer, each measurement is one.
    pub events: u64,
}

/// Tells one story twice, and breaks the promise that a seed decides everything if the two differ.
pub fn run_twice(outline: Outline) -> Report {
    let (mut first, second) = (run(outline), run(outline));
    if first.trace_hash != second.trace_hash && first.broken.is_none() {
        first.broken = Some("one seed tells one story".to_owned());
    }
    first
}

/// Tells one story.
pub fn run(outline: Outline) -> Report {
    let mut world = World::with(outline.seed, outline.plant, outline.keeps_lines);
    world.clock_faults = ClockFaults::of(outline.seed);
    let mut converged_ms = 0;
    let told = catch_unwind(AssertUnwindSafe(|| {
        let is_unruly = outline.seed % UNRULY_ONE_IN == 1;
        let is_put_back = PUT_BACK.contains(&(outline.seed % 1_000));
        Story::begin(&mut world, is_unruly, is_put_back).tell(outline.steps);
        converged_ms = world.heal();
    }));
    if let Err(panic) = told {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        world.breaks(format!("nothing panics: {}", text.unwrap_or_default()));
    }
    let changes = world.relays[HOME].books.accounts.values().map(|account| account.entries.len()).sum();
    let fixes = world.ledger.drives.values().map(|taken| taken.saved.len()).sum();
    Report {
        broken: world.broken.clone(),
        trace_hash: world.trace.hash(),
        virtual_ms: world.now_ms,
        converged_ms,
        changes,
        fixes,
        events: world.events(),
        lines: world.trace.into_lines(),
    }
}
