//! The inputs, commands and effects of a replica. Shells pass these on and decide nothing.

mod command;
mod import;
mod outcome;

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::fix::Fix;

pub use self::command::Command;
pub use self::import::{ArchivedDocument, DocumentRef, ImportCandidate, ImportMatch};
pub use self::outcome::{CommandError, CommandOutcome};

/// An event for the replica.
// In JavaScript an object with a `type`, which the binding reads by itself, as it reads a `Command`: the `tag` of serde
// buffers every value and reads it twice, which makes the WASM a tenth larger.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(tag = "type"))]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Input {
    /// The replica was just opened; the first input, exactly once.
    Start,
    /// The position sensor reported a measurement.
    Fix {
        /// The measurement as reported; it may be invalid. The recording sets its own `recorded_at`.
        fix: Fix,
        /// The arrival at the page by the monotonic clock of [`Now`](crate::time::Now), milliseconds; absent for the
        /// present time.
        #[serde(default)]
        #[cfg_attr(feature = "ts", ts(optional))]
        arrived_ms: Option<f64>,
    },
    /// The position sensor failed or is not allowed.
    SensorFailed {
        /// The reason.
        reason: SensorFailure,
    },
    /// A command of the user or of a program. Answered by [`Effect::Settled`] with the same `request`.
    Command {
        /// A number chosen by the caller, which is part of the answer.
        request: u32,
        /// The command.
        command: Command,
    },
    /// Answers [`Effect::Store`]: the transaction is on disk.
    Stored {
        /// The number of the transaction.
        batch: u32,
    },
    /// Answers [`Effect::Store`]: nothing of the transaction was stored.
    StoreFailed {
        /// The number of the transaction.
        batch: u32,
        /// The reason.
        failure: StorageFailure,
    },
    /// Answers [`Effect::Load`].
    Loaded {
        /// The number of the request.
        request: u32,
        /// The entries in the requested ranges, ascending in each range.
        entries: Vec<StoredEntry>,
    },
    /// Answers [`Effect::Load`]: reading failed. The replica requests it again.
    LoadFailed {
        /// The number of the request.
        request: u32,
        /// The reason.
        failure: StorageFailure,
    },
    /// Answers [`Effect::Sign`].
    Signed {
        /// The number of the request.
        request: u32,
        /// The Ed25519 signature, 64 bytes.
        #[cfg_attr(feature = "ts", ts(type = "Uint8Array"))]
        signature: ByteBuf,
    },
    /// The UTC offset of the machine. Sent at the start, and before a drive begins.
    Zone {
        /// The offset ahead of UTC, minutes.
        #[cfg_attr(feature = "ts", ts(type = "number"))]
        utc_offset_min: i64,
    },
    /// The operating system reports that there is a network, or none.
    Network {
        /// Whether there is a network.
        online: bool,
    },
    /// The WebSocket is open.
    Connected {
        /// The origin that the shell dialled, as browsers write it: `https://relay.example` for
        /// `wss://relay.example/v1/sync`. A signature of the device is valid at this origin only, so it must not come
        /// from a message of the relay.
        origin: String,
    },
    /// A binary message arrived on the WebSocket.
    Received {
        /// Its bytes.
        #[cfg_attr(feature = "ts", ts(type = "Uint8Array"))]
        bytes: ByteBuf,
    },
    /// The WebSocket could not be opened or was closed.
    Disconnected,
    /// The page was hidden: the recording is packed and stored at once.
    Hidden,
    /// The page was shown again.
    Shown,
    /// The time of [`Effect::SetTimer`] has come.
    Tick,
}

/// Why the position sensor reports nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum SensorFailure {
    /// The user or the browser does not allow it.
    Denied,
    /// There is no position at the moment.
    Unavailable,
    /// No position arrived in time.
    TimedOut,
}

/// Why storage failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum StorageFailure {
    /// There is no room.
    QuotaExceeded,
    /// The transaction was aborted.
    Aborted,
    /// The storage is closed, broken or not allowed here.
    Unavailable,
}

/// An effect for the shell to perform.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Effect {
    /// Perform all operations in one durable transaction and answer with [`Input::Stored`] or [`Input::StoreFailed`].
    /// At most one transaction is in progress.
    Store {
        /// The number of the transaction, which is part of the answer.
        batch: u32,
        /// The operations in order.
        ops: Vec<StoreOp>,
    },
    /// Read ranges of the storage and answer with [`Input::Loaded`] or [`Input::LoadFailed`].
    Load {
        /// The number of the request, which is part of the answer.
        request: u32,
        /// The ranges.
        ranges: Vec<KeyRange>,
    },
    /// Sign with the device's private key and answer with [`Input::Signed`].
    Sign {
        /// The number of the request, which is part of the answer.
        request: u32,
        /// The bytes to sign.
        #[serde(with = "serde_bytes")]
        #[cfg_attr(feature = "ts", ts(type = "Uint8Array"))]
        bytes: Vec<u8>,
    },
    /// Open the WebSocket to the relay; answer with [`Input::Connected`] or [`Input::Disconnected`].
    Connect,
    /// Send a binary message on the WebSocket.
    Send {
        /// Its bytes.
        #[serde(with = "serde_bytes")]
        #[cfg_attr(feature = "ts", ts(type = "Uint8Array"))]
        bytes: Vec<u8>,
    },
    /// Close the WebSocket. No [`Input::Disconnected`] is needed.
    Disconnect,
    /// Set the only timer, relative to the present time; a new one replaces the last. Answer with [`Input::Tick`].
    SetTimer {
        /// Milliseconds from now.
        in_ms: f64,
        /// The reason.
        why: &'static str,
    },
    /// A command has ended.
    Settled {
        /// The command's `request`.
        request: u32,
        /// Its result.
        outcome: CommandOutcome,
    },
    /// Views have changed; screens that show them must read them again.
    Changed {
        /// The views.
        topics: Vec<Topic>,
    },
}

/// A view that can change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum Topic {
    /// [`crate::replica::views::RecordingView`].
    Recording,
    /// [`crate::replica::views::DriveView`]s.
    Drives,
    /// The opened drive's [`crate::replica::views::TrackView`].
    Track,
    /// [`crate::replica::views::CarView`]s.
    Cars,
    /// [`crate::replica::views::SocialView`].
    Social,
    /// [`crate::replica::views::MeetView`]s.
    Meets,
    /// Profile and settings.
    Account,
    /// [`crate::replica::views::MembersView`].
    Members,
    /// [`crate::replica::views::StatusView`].
    Status,
}

/// One of the key-value spaces of the phone's storage. In IndexedDB: one object store each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum Space {
    /// Account, cursor, present recording. Read when the replica is opened.
    Meta,
    /// Fixes and marks that are not in a block yet. Read when the replica is opened.
    Journal,
    /// Records of documents. Read when the replica is opened.
    Doc,
    /// Projected rows. Read when the replica is opened.
    Row,
    /// Changes. Read when needed.
    Change,
}

impl Space {
    /// The spaces whose entries [`crate::replica::Replica::open`] requires.
    pub const OPENING: [Space; 4] = [Space::Meta, Space::Journal, Space::Doc, Space::Row];
}

/// One operation of a transaction.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum StoreOp {
    /// Set a key to a value.
    Put(StoredEntry),
    /// Remove every key of a range.
    Delete(KeyRange),
}

/// A key and its value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct StoredEntry {
    /// The space.
    pub space: Space,
    /// The key; keys sort bytewise.
    #[serde(with = "serde_bytes")]
    #[cfg_attr(feature = "ts", ts(type = "Uint8Array"))]
    pub key: Vec<u8>,
    /// The value.
    #[serde(with = "serde_bytes")]
    #[cfg_attr(feature = "ts", ts(type = "Uint8Array"))]
    pub value: Vec<u8>,
}

/// The keys from `from` up to and including `to`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct KeyRange {
    /// The space.
    pub space: Space,
    /// The first key.
    #[serde(with = "serde_bytes")]
    #[cfg_attr(feature = "ts", ts(type = "Uint8Array"))]
    pub from: Vec<u8>,
    /// The last key.
    #[serde(with = "serde_bytes")]
    #[cfg_attr(feature = "ts", ts(type = "Uint8Array"))]
    pub to: Vec<u8>,
}

#[cfg(test)]
impl KeyRange {
    /// Returns whether an entry is in the range.
    pub(crate) fn contains(&self, entry: &StoredEntry) -> bool {
        self.space == entry.space && self.from <= entry.key && entry.key <= self.to
    }
}
