//! Clients: their addresses behind proxies, the origins that they dial, and their limits.

pub(crate) mod bodies;
pub(crate) mod limits;
pub(crate) mod origin;
pub(crate) mod proxy;
pub(crate) mod read_queue;
