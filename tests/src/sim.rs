//! The simulator: real replicas and real relay sessions in a made-up world of disks that fail, links that break, apps
//! that are killed and relays that crash.
//!
//! One seed decides everything, time is a number, and one queue orders what happens, so that a seed that fails once fails
//! always. While it runs, promises are checked: what was called saved is there after a kill, what
//! was acknowledged is there after a crash, and everybody agrees once the faults are over.

mod chance;
mod devices;
mod disk;
mod ledger;
mod net;
mod oracle;
mod outages;
mod phone;
mod relay;
mod serving;
mod shell;
mod story;
mod trace;
mod weather;
mod wires;
mod world;

pub use chance::Chance;
pub use disk::Disk;
pub use net::Traffic;
pub use phone::Phone;
pub use relay::Relay;
pub use story::{CONVERGENCE_MS, Outline, Report, run};
pub use weather::{Plant, Weather};
pub use world::World;
