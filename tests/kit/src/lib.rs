//! Clients of the relay without a replica, and a relay in this process, for all tests.

pub mod client;
pub mod http;
pub mod relay;
