//! The simulator: real replicas and real relay sessions in a simulated network. Disks fail and fill up. Links break in
//! one direction or both, and messages come twice or too early. Apps are killed or handed from tab to tab. Phones
//! sleep, have wrong clocks, and are wiped, copied or put back to an old backup. Relays crash, are restored, or are
//! replaced by another one. Devices are stolen and removed.
//!
//! One seed decides everything, time is a number, and one queue orders all events, so that a seed that fails once fails
//! always. Promises are checked during a run: saved data is there after a kill, acknowledged changes are there after a
//! crash, and all phones and relays agree once the faults are over.

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
mod theft;
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
