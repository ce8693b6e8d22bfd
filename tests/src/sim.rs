//! The simulator: real replicas and real relay sessions in a made-up world of disks that fail and fill up, links that break
//! in one direction or both, messages that come twice or too early, apps that are killed or handed from tab to tab, phones
//! that sleep, whose clocks run as they like, that are wiped, copied or put back to an old backup, relays that crash, are
//! restored, or are given up for another one.
//!
//! One seed decides everything, time is a number, and one queue orders what happens, so that a seed that fails once fails
//! always. While it runs, promises are checked: what was called saved is there after a kill, what
//! was acknowledged is there after a crash, and everybody agrees once the faults are over.

mod acts;
mod chance;
mod clock_faults;
mod devices;
mod disk;
mod healing;
mod ledger;
mod net;
mod oracle;
mod outages;
mod phone;
mod recordings;
mod relay;
mod rows;
mod serving;
mod shell;
mod story;
mod stranger;
mod trace;
mod tracks;
mod weather;
mod wires;
mod world;

pub use chance::Chance;
pub use disk::Disk;
pub use healing::CONVERGENCE_MS;
pub use net::Traffic;
pub use phone::Phone;
pub use relay::Relay;
pub use story::{Outline, Report, run, run_twice};
pub use weather::{Plant, Weather};
pub use world::World;
