//! The sync session: what may be said when on one connection, and what it means (PROTOCOL.md).
//!
//! Both ends live here as sans-IO state machines: [`relay::RelaySession`] at the relay, [`client::ClientSession`] on the phone. They
//! know messages, cursors and hashes; they know nothing of Automerge documents, sockets, SQL or IndexedDB.

pub mod client;
pub mod relay;

/// How long the handshake may take, in milliseconds. `[H6]`
pub const HANDSHAKE_MS: u64 = 10_000;

/// After how much silence the relay asks whether the phone is still there, in milliseconds. `[M5]`
pub const PING_AFTER_MS: u64 = 30_000;

/// After how much silence either side gives the connection up, in milliseconds. `[M5]`
pub const SILENCE_MS: u64 = 75_000;

/// The most pushes a client may have waiting for their acknowledgement. `[P5]`
pub const MAX_PUSHES_IN_FLIGHT: usize = 4;
