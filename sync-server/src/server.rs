//! The server as a whole: its state, its routes, and the endpoints about the process.

pub(crate) mod health;
pub(crate) mod metrics;
pub(crate) mod openapi;
pub(crate) mod pwa;
pub(crate) mod ready;
pub(crate) mod router;
pub(crate) mod state;
