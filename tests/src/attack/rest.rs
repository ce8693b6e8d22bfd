//! Checks that a relay returns to rest after an attack: CPU time, memory and connections as before it.

use std::time::{Duration, Instant};

use anyhow::Context;

use super::Attack;
use crate::bench::machine::Usage;

/// The time between two checks of the relay.
const EVERY: Duration = Duration::from_millis(500);

/// Maximum waiting time, however slow the machine is.
const PATIENCE: Duration = Duration::from_secs(180);

/// The state of a relay's process.
#[derive(Clone, Copy, Debug)]
pub(super) struct State {
    pub(super) usage: Usage,
    sockets: usize,
    at: Instant,
}

impl State {
    pub(super) fn of(process: u32) -> anyhow::Result<State> {
        let folder = std::fs::read_dir(format!("/proc/{process}/fd")).context("the relay has ended")?;
        // A file may be closed between the listing and this read.
        let links = folder.filter_map(|file| std::fs::read_link(file.ok()?.path()).ok());
        let sockets = links.filter(|link| link.to_string_lossy().starts_with("socket:")).count();
        Ok(State { usage: Usage::of(process)?, sockets, at: Instant::now() })
    }

    /// Returns the share of one core that the relay used since then.
    pub(super) fn share_since(&self, before: &State) -> f64 {
        let cpu = self.usage.cpu.saturating_sub(before.usage.cpu);
        cpu.as_secs_f64() / self.at.duration_since(before.at).as_secs_f64().max(1e-3)
    }
}

/// Waits until a relay is as it was before an attack, while honest clients continue. Returns how long that took, or
/// what differs.
pub(super) async fn wait(process: u32, before: &State, quiet_share: f64) -> anyhow::Result<Result<Duration, String>> {
    let began = Instant::now();
    let mut last = State::of(process)?;
    loop {
        tokio::time::sleep(EVERY).await;
        let state = State::of(process)?;
        let unlike = unlike(&state, before, state.share_since(&last), quiet_share);
        if unlike.is_empty() {
            return Ok(Ok(began.elapsed()));
        }
        if began.elapsed() > PATIENCE {
            return Ok(Err(unlike.join(", ")));
        }
        last = state;
    }
}

fn unlike(state: &State, before: &State, share: f64, quiet_share: f64) -> Vec<String> {
    let mut unlike = Vec::new();
    // The CPU clock counts in hundredths of a second.
    if share > 2.0 * quiet_share + 0.05 {
        unlike.push(format!("{:.0} % of a core, {:.0} % before", share * 100.0, quiet_share * 100.0));
    }
    if state.sockets > before.sockets {
        unlike.push(format!("{} sockets, {} before", state.sockets, before.sockets));
    }
    let more = state.usage.resident_bytes.saturating_sub(before.usage.resident_bytes) >> 20;
    if more > Attack::MAX_GROWTH_MIB {
        unlike.push(format!("{more} MiB more memory"));
    }
    unlike
}
