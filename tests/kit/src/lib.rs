//! Clients of the relay without a replica, for all tests.

pub mod client;
pub mod http;
