//! HTTP without any endpoint: connections and their limits, authentication, parameters, pages, errors, event streams.

pub(crate) mod compression;
pub(crate) mod cursor;
pub(crate) mod error;
pub(crate) mod event_stream;
pub(crate) mod page;
pub(crate) mod path;
pub(crate) mod query;
pub(crate) mod read_request;
pub(crate) mod readers;
pub(crate) mod reading_device;
pub(crate) mod serving;
pub(crate) mod viewer;
