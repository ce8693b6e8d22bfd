//! The sync session: which message is allowed when on a connection, and what it means (PROTOCOL.md).
//!
//! Both ends are sans-IO state machines: [`relay::RelaySession`] at the relay, [`client::ClientSession`] on the phone.
//! They handle messages, cursors and hashes, and must not depend on Automerge documents, sockets, SQL or IndexedDB.

pub mod client;
pub mod relay;

/// Maximum duration of the handshake, milliseconds. `[H6]`
pub const HANDSHAKE_MS: u64 = 10_000;

/// Time without a message after which the relay sends a ping, milliseconds. `[M5]`
pub const PING_AFTER_MS: u64 = 30_000;

/// Time without a message after which either side ends the connection, milliseconds. `[M5]`
pub const SILENCE_MS: u64 = 75_000;

/// Maximum number of unacknowledged pushes of a client. `[P5]`
pub const MAX_PUSHES_IN_FLIGHT: usize = 4;
