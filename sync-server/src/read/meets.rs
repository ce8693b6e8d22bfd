//! Reads of meets: `/v1/meets…`.

pub(crate) mod attendees;
pub(crate) mod calendar;
pub(crate) mod feeds;
pub(crate) mod live;
pub(crate) mod meet;
pub(crate) mod search;
