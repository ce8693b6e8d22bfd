//! The pure core of Tourismo: recording, documents, sync and projections.
//!
//! The core is sans-IO: it has no clock, randomness, IO, threads or globals. Times, seeds and bytes are arguments, and
//! effects are return values. So the same code runs in the browser, in the relay and in the simulator, and the same
//! inputs give the same trace everywhere.
//!
//! The code map of ARCHITECTURE.md lists which module may use which; `just rooms` checks it.

pub mod admission;
pub mod change;
mod crc;
pub mod digest;
pub mod display;
pub mod docs;
pub mod fix;
pub mod geodesy;
pub mod handle_name;
pub mod id;
pub mod kind;
mod letter_case;
pub mod membership;
pub mod origin;
pub mod privacy;
pub mod projection;
pub mod read_token;
pub mod recorder;
pub mod recovery;
pub mod replica;
pub mod roads;
pub mod session;
mod sorted;
mod sorting;
pub mod stats;
#[cfg(test)]
mod testing;
pub mod time;
pub mod track;
pub mod wire;
