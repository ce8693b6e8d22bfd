//! Code that the tests, the samples and the tools share: synthetic drives, files of drives, phones, the relay as a process,
//! the simulator. Clients without a replica are in `tests/kit/`, which the tests of the relay use, too.
//!
//! The product must not depend on this crate.

pub mod attack;
pub mod bench;
pub mod community;
pub mod daemon;
pub mod home_attack;
pub mod kills;
pub mod network;
pub mod phone;
pub mod power_cut;
pub mod real_drives;
pub mod replay;
pub mod roads;
pub mod sim;
pub mod synthetic;

pub use tourismo_test_kit::client;
