//! What all tests share: clients of the relay that have no replica.

pub mod client;
pub mod http;
