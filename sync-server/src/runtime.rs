//! The runtime of a process: clock, threads, randomness, metrics.

pub(crate) mod background_thread;
pub(crate) mod clock;
pub(crate) mod log_throttle;
pub(crate) mod metrics;

/// Returns random bytes of the system, for ids and keys.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the system has randomness; without it no key is safe");
    bytes
}
