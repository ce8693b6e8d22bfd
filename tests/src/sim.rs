//! The simulator: real replicas and real relay sessions in a simulated network of disks that fail and fill up, links that break
//! in one direction or both, messages that come twice or too early, apps that are killed or handed from tab to tab, phones
//! that sleep, whose clocks run as they like, that are wiped, copied or put back to an old backup, relays that crash, are
//! restored, or are given up for another one.
//!
//! One seed decides everything, time is a number, and one queue orders what happens, so that a seed that fails once fails
//! always. While it runs, promises are checked: what was called saved is there after a kill, what
//! was acknowledged is there after a crash, and everybody agrees once the faults are over.

mod actions;
mod clock_faults;
mod connections;
mod convergence;
mod devices;
mod disk;
mod faults;
mod hostile_writers;
mod network;
mod oracle;
mod outages;
mod phone;
mod recordings;
mod reference_model;
mod relay;
mod rng;
mod rows;
mod scenario;
mod serving;
mod shell;
mod trace;
mod tracks;
mod transport;

pub use connections::Traffic;
pub use convergence::CONVERGENCE_MS;
pub use disk::Disk;
pub use faults::{FaultProfile, InjectedBug};
pub use network::Network;
pub use phone::Phone;
pub use relay::Relay;
pub use rng::SimRng;
pub use scenario::{Report, Scenario, run, run_twice};
