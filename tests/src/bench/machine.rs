//! The measuring machine, and the resources that a thread or a process has used.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use rustix::time::{ClockId, clock_gettime};

/// Returns the processor's name and its number of cores; nothing that identifies the machine.
pub fn description() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    let model = model.map_or("a processor without a name", |(_, name)| name.trim());
    format!("{cores} cores of {model}")
}

/// Measures the CPU time of this thread, so that other work does not count.
#[derive(Debug)]
pub struct Stopwatch {
    began_ns: i128,
}

impl Stopwatch {
    /// Starts.
    pub fn start() -> Stopwatch {
        Stopwatch { began_ns: worked_ns() }
    }

    /// Nanoseconds of work since the start.
    pub fn elapsed_ns(&self) -> f64 {
        (worked_ns() - self.began_ns) as f64
    }
}

fn worked_ns() -> i128 {
    let spent = clock_gettime(ClockId::ThreadCPUTime);
    i128::from(spent.tv_sec) * 1_000_000_000 + i128::from(spent.tv_nsec)
}

/// The resources that a process has used so far.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    /// CPU time of all its threads.
    pub cpu: Duration,
    /// Maximum memory, bytes of resident pages.
    pub peak_bytes: u64,
    /// Present memory, bytes of resident pages.
    pub resident_bytes: u64,
}

impl Usage {
    /// Reads it from `/proc` (proc_pid_stat(5), proc_pid_status(5)).
    ///
    /// # Errors
    /// If there is no such process.
    pub fn of(process: u32) -> anyhow::Result<Usage> {
        let read = |file: &str| std::fs::read_to_string(PathBuf::from(format!("/proc/{process}/{file}")));
        let (stat, status) = (read("stat")?, read("status")?);
        // The second field, the name, is the only one that may hold spaces; it ends with the last parenthesis.
        let fields = stat.rsplit_once(')').context("a stat file has a name")?.1.split_whitespace();
        let ticks: u64 = fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
        let size = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)?.trim().strip_suffix("kB"));
            let kilobytes: u64 = line.context("a status file tells sizes")?.trim().parse()?;
            anyhow::Ok(kilobytes << 10)
        };
        let cpu = Duration::from_secs_f64(ticks as f64 / rustix::param::clock_ticks_per_second() as f64);
        Ok(Usage { cpu, peak_bytes: size("VmHWM:")?, resident_bytes: size("VmRSS:")? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_and_memory_of_a_process_are_seen() {
        let before = Usage::of(std::process::id()).unwrap();
        let filled = vec![1u8; 64 << 20];
        let watch = Stopwatch::start();
        let mut sum = 0u64;
        while watch.elapsed_ns() < 5e7 {
            sum += filled.iter().map(|byte| u64::from(*byte)).sum::<u64>();
        }
        let after = Usage::of(std::process::id()).unwrap();
        assert!(sum > 0 && after.peak_bytes >= 64 << 20, "{after:?}");
        assert!(after.cpu >= before.cpu + Duration::from_millis(30), "{before:?} {after:?}");
    }
}
