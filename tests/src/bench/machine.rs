//! The machine that measures, and how much of a core a thread has used.

use rustix::time::{ClockId, clock_gettime};

/// The processor's name and how many of its cores there are; nothing that tells whose machine it is.
pub fn description() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    let model = model.map_or("a processor without a name", |(_, name)| name.trim());
    format!("{cores} cores of {model}")
}

/// Measures how long this thread has really been at work: what others take from it does not count.
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
