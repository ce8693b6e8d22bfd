//! Reads of an account's own data: `/v1/me/…`. Each requires a read token.

pub(crate) mod car_drives;
pub(crate) mod car_log;
pub(crate) mod cars;
pub(crate) mod decisions;
pub(crate) mod devices;
pub(crate) mod drives;
pub(crate) mod feed;
pub(crate) mod feed_live;
pub(crate) mod in_common;
pub(crate) mod inbox;
pub(crate) mod meets;
pub(crate) mod profile;
pub(crate) mod requests;
pub(crate) mod stats;
