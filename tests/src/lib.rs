//! The shared parts of tests, samples and tools: synthetic drives, drive files, phones and clients, the relay as a
//! process, the simulator.
//!
//! The product must not depend on this crate.

pub mod attack;
pub mod bench;
pub mod client;
pub mod community;
pub mod daemon;
pub mod gpx_file;
pub mod kills;
pub mod network;
pub mod phone;
pub mod power_cut;
pub mod real_drives;
pub mod replay;
pub mod roads;
pub mod sim;
pub mod synthetic;
