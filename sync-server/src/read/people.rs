//! Reads of accounts: `/v1/people…`.

pub(crate) mod cars;
pub(crate) mod drives;
pub(crate) mod feeds;
pub(crate) mod lists;
pub(crate) mod meets;
pub(crate) mod person;
pub(crate) mod search;
pub(crate) mod stats;
