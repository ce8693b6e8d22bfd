//! The messages of a sync session and their bytes: one CBOR array per binary WebSocket message (PROTOCOL.md).
//!
//! This file knows shapes and limits. What may be said when, and what it means, is the session's business.

mod codes;
#[cfg(test)]
mod tests;

use minicbor::{Decode, Encode};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

pub use self::codes::{ByeCode, NackCode};
use crate::digest::Digest;
use crate::id::{AccountId, ChangeHash, DeviceKey, DocId};
use crate::time::Timestamp;

/// The protocol version that phones speak. `[H1]`
pub const PROTOCOL: u16 = 2;

/// The oldest version that relays can speak. In version 1 signatures do not name the origin that the phone dialled. `[H9]`
pub const OLDEST_PROTOCOL: u16 = 1;

/// The largest message that either side accepts, in bytes. A WebSocket frame may be no larger. `[M2]`
pub const MAX_MESSAGE_BYTES: usize = 1 << 20;

/// The largest chunk of one change that the relay accepts, in bytes. `[P3]`
pub const MAX_CHUNK_BYTES: usize = 512 << 10;

/// The most changes in one push or one page of entries. `[P3]`
pub const MAX_BATCH: usize = 1_000;

/// How many bytes of chunks a sender puts into one push or page before it closes it: so few that one passes a weak signal
/// (4 KB/s) well before the other side takes the silence for a broken connection.
pub const BATCH_BYTES: usize = 64 << 10;

/// The most heads that a document may have in a comparison.
pub const MAX_HEADS: usize = 256;

/// The most heads that changes from phones may leave. A phone's next change builds on all of them, and on what it holds
/// itself and has not sent: both together are fewer than a change may depend on.
pub const MAX_STORED_HEADS: usize = 192;

/// Everything that can be said on a sync connection. Even tags come from the client, odd ones from the relay, 30 from both.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
#[cbor(flat)]
pub enum Message {
    /// Opens the connection. `[H1]`
    #[n(0)]
    Hello {
        /// Protocol versions that the client speaks, at most eight.
        #[n(0)]
        protocols: Vec<u16>,
        /// The account it wants to speak for.
        #[n(1)]
        account: AccountId,
        /// The key of this device.
        #[n(2)]
        device: DeviceKey,
    },
    /// Asks for a proof that the client holds the device's private key. `[H2]`
    #[n(1)]
    Challenge {
        /// The version chosen from the client's.
        #[n(0)]
        protocol: u16,
        /// Who asks.
        #[n(1)]
        relay: RelayId,
        /// 32 random bytes, used once.
        #[cbor(n(2), with = "minicbor::bytes")]
        nonce: [u8; 32],
    },
    /// Answers the challenge. `[H3]`
    #[n(2)]
    Proof {
        /// Ed25519 over [`proof_bytes`]; in version 1 over [`proof_bytes_v1`].
        #[cbor(n(0), with = "minicbor::bytes")]
        signature: [u8; 64],
        /// How the device came to the account; absent for the device that founded it.
        #[n(1)]
        grant: Option<Grant>,
        /// The origin that the phone dialled, as it was signed; absent in version 1. `[H9]`
        #[n(2)]
        origin: Option<String>,
    },
    /// Lets the client in. `[H4]`
    #[n(3)]
    Welcome {
        /// Which life of the relay's log this is; a restore from a backup starts another.
        #[n(0)]
        epoch: Epoch,
        /// The position of the newest entry in the account's log.
        #[n(1)]
        head: u64,
        /// The largest message that the relay accepts, in bytes.
        #[n(2)]
        max_message_bytes: u32,
        /// The largest chunk that the relay accepts, in bytes.
        #[n(3)]
        max_chunk_bytes: u32,
        /// The relay's clock.
        #[n(4)]
        at: Timestamp,
    },
    /// Says what the client has. `[C1]`
    #[n(4)]
    CatchUp {
        /// The log position up to which the client has everything.
        #[n(0)]
        cursor: u64,
        /// Over all documents and the heads that the client believes the relay to have.
        #[n(1)]
        digest: Digest,
    },
    /// Log entries in order, made by other sessions. `[C2]` `[L1]`
    #[n(5)]
    Entries {
        /// The entries, oldest first.
        #[n(0)]
        entries: Vec<Entry>,
        /// The client's new cursor: everything up to here was sent or acknowledged.
        #[n(1)]
        cursor: u64,
    },
    /// Says that nothing is left to send. `[C3]`
    #[n(7)]
    CaughtUp {
        /// The client's cursor: the head of the log.
        #[n(0)]
        cursor: u64,
        /// Over all documents of the account at this position.
        #[n(1)]
        digest: Digest,
    },
    /// Offers changes to keep. `[P1]`
    #[n(6)]
    Push {
        /// The changes; one that depends on another comes after it.
        #[n(0)]
        changes: Vec<Offer>,
    },
    /// Promises that these changes are on disk. `[P2]`
    #[n(9)]
    Ack {
        /// The changes by name.
        #[n(0)]
        hashes: Vec<ChangeHash>,
        /// The client's new cursor.
        #[n(1)]
        cursor: u64,
    },
    /// Says that one change of a push was refused; the others are kept. `[P4]`
    #[n(11)]
    Nack {
        /// Where the change stood in its push.
        #[n(0)]
        index: u32,
        /// How many pushes came before the one it was in, on this connection.
        #[n(1)]
        push: u64,
        /// Why.
        #[n(2)]
        code: NackCode,
    },
    /// Asks for every change of one document. `[F1]`
    #[n(8)]
    Fetch {
        /// The document.
        #[n(0)]
        doc: DocId,
    },
    /// Answers a fetch, page by page. `[F2]`
    #[n(13)]
    Fetched {
        /// The document.
        #[n(0)]
        doc: DocId,
        /// Its changes and perhaps a snapshot, as many as fit; dependencies come first.
        #[n(1)]
        chunks: Vec<Chunk>,
        /// Whether this is the last page.
        #[n(2)]
        done: bool,
        /// Whether the last chunk goes on with the first one of the next page. `[F3]`
        #[n(3)]
        goes_on: bool,
    },
    /// Says what the client has of every document in a range of ids. `[D1]`
    #[n(10)]
    Compare {
        /// The first id of the range.
        #[n(0)]
        from: DocId,
        /// The last id of the range.
        #[n(1)]
        to: DocId,
        /// The documents in the range, ascending, with the heads the client believes the relay to have.
        #[n(2)]
        docs: Vec<DocHeads>,
    },
    /// Answers a comparison, page by page. `[D2]`
    #[n(15)]
    Differences {
        /// The documents that differ, with everything the relay has of them; no hashes for one it does not have.
        #[n(0)]
        docs: Vec<DocHistory>,
        /// Whether this is the last page for the comparison.
        #[n(1)]
        done: bool,
    },
    /// Says that a device which the relay does not know belongs to the account. `[P10]`
    #[n(12)]
    Vouch {
        /// How its actor ids begin.
        #[cbor(n(0), with = "minicbor::bytes")]
        actor_prefix: [u8; 8],
    },
    /// Answers a vouch: what was refused for that may be offered again. `[P10]`
    #[n(17)]
    Vouched,
    /// Answers a ping. `[M5]`
    #[n(28)]
    Pong,
    /// Asks whether the client is still there. `[M5]`
    #[n(29)]
    Ping,
    /// Says why the sender closes the connection. `[M4]`
    #[n(30)]
    Bye {
        /// Why.
        #[n(0)]
        code: ByeCode,
    },
}

/// Names one relay, for as long as its database lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
pub struct RelayId(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 16]);

/// Names one life of a relay's log. Within an epoch, a position once given never means another entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
pub struct Epoch(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 16]);

/// What a document is. Fixed when the document is made; decides how it syncs and who may read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[cbor(index_only)]
#[serde(rename_all = "camelCase")]
pub enum DocKind {
    /// Units, defaults, names of devices; one per account.
    #[n(0)]
    Settings,
    /// What everyone may know of an account; one per account.
    #[n(1)]
    Profile,
    /// A car.
    #[n(2)]
    Car,
    /// A drive without its track.
    #[n(3)]
    Drive,
    /// The track of a drive.
    #[n(4)]
    Track,
    /// The redacted copy of a drive that others may see.
    #[n(5)]
    Published,
    /// What an account says about others and their things: whom it follows, what it likes, where it comes; 17 per account.
    #[n(6)]
    Social,
    /// A meet, or what a co-organiser says of one.
    #[n(7)]
    Meet,
}

impl DocKind {
    /// Every kind, by number.
    pub const ALL: [DocKind; 8] = [
        DocKind::Settings,
        DocKind::Profile,
        DocKind::Car,
        DocKind::Drive,
        DocKind::Track,
        DocKind::Published,
        DocKind::Social,
        DocKind::Meet,
    ];

    /// Whether a device gets the changes of such a document only when it asks for them. `[C4]`
    pub fn is_on_demand(self) -> bool {
        match self {
            DocKind::Track => true,
            DocKind::Settings
            | DocKind::Profile
            | DocKind::Car
            | DocKind::Drive
            | DocKind::Published
            | DocKind::Social
            | DocKind::Meet => false,
        }
    }

    /// The number that stands for the kind on the wire and in storage.
    pub fn number(self) -> u8 {
        self as u8
    }

    /// The kind with this number, if there is one.
    pub fn from_number(number: u8) -> Option<DocKind> {
        DocKind::ALL.into_iter().find(|kind| kind.number() == number)
    }
}

/// The bytes of one change, an Automerge chunk of type 1 or 2, or of a snapshot, one of type 0.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
pub struct Chunk(#[cbor(n(0), with = "minicbor::bytes")] pub Vec<u8>);

impl std::fmt::Debug for Chunk {
    // A chunk may hold positions: only its length is ever printed.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Chunk({} bytes)", self.0.len())
    }
}

/// A change that a client asks the relay to keep.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Offer {
    /// The document it changes.
    #[n(0)]
    pub doc: DocId,
    /// What the document is.
    #[n(1)]
    pub kind: DocKind,
    /// The change.
    #[n(2)]
    pub chunk: Chunk,
}

/// One entry of an account's log, as another device of the account gets it.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Entry {
    /// The document it changes.
    #[n(0)]
    pub doc: DocId,
    /// What the document is.
    #[n(1)]
    pub kind: DocKind,
    /// When the relay received it.
    #[n(2)]
    pub received_at: Timestamp,
    /// The change itself, or what there is to know about it.
    #[n(3)]
    pub body: EntryBody,
}

/// The change itself, or, for a document that syncs on demand, what there is to know about it `[C4]`; or a snapshot in
/// place of all changes up to its own position. `[S1]`
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
#[cbor(flat)]
pub enum EntryBody {
    /// The change.
    #[n(0)]
    Change(#[n(0)] Chunk),
    /// A change that is sent when it is asked for.
    #[n(1)]
    Stub {
        /// Its name.
        #[n(0)]
        hash: ChangeHash,
        /// The changes it depends on.
        #[n(1)]
        deps: Vec<ChangeHash>,
        /// The size of its chunk.
        #[n(2)]
        bytes: u32,
    },
    /// All changes of the document up to here in one chunk. `[S1]`
    #[n(2)]
    Snapshot {
        /// The heads of these changes, ascending.
        #[n(0)]
        heads: Vec<ChangeHash>,
        /// How many they are.
        #[n(1)]
        changes: u32,
        /// A whole document.
        #[n(2)]
        chunk: Chunk,
    },
    /// A snapshot that is sent when it is asked for. `[S3]`
    #[n(3)]
    SnapshotStub {
        /// The heads of its changes, ascending.
        #[n(0)]
        heads: Vec<ChangeHash>,
        /// How many they are.
        #[n(1)]
        changes: u32,
        /// The size of its chunk.
        #[n(2)]
        bytes: u32,
    },
}

impl EntryBody {
    /// How the log tells of a snapshot: with its chunk, if the document is sent in full and the chunk is no larger than a
    /// page. `[S1]` `[S3]`
    pub fn of_snapshot(kind: DocKind, heads: Vec<ChangeHash>, changes: u32, chunk: Vec<u8>) -> EntryBody {
        if kind.is_on_demand() || chunk.len() > BATCH_BYTES {
            EntryBody::SnapshotStub { heads, changes, bytes: chunk.len() as u32 }
        } else {
            EntryBody::Snapshot { heads, changes, chunk: Chunk(chunk) }
        }
    }

    /// Whether it stands for all changes of the document up to here.
    pub fn is_snapshot(&self) -> bool {
        match self {
            EntryBody::Snapshot { .. } | EntryBody::SnapshotStub { .. } => true,
            EntryBody::Change(_) | EntryBody::Stub { .. } => false,
        }
    }
}

/// A document and its heads.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct DocHeads {
    /// The document.
    #[n(0)]
    pub doc: DocId,
    /// Its heads, ascending.
    #[n(1)]
    pub heads: Vec<ChangeHash>,
}

/// Everything the relay has of a document, by name. What does not fit on a page goes on in the next. `[D2]`
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct DocHistory {
    /// The document.
    #[n(0)]
    pub doc: DocId,
    /// What it is; absent if the relay does not have it.
    #[n(1)]
    pub kind: Option<DocKind>,
    /// Its heads, ascending.
    #[n(2)]
    pub heads: Vec<ChangeHash>,
    /// Its changes: all of them, or as many as fit on the page.
    #[n(3)]
    pub hashes: Vec<ChangeHash>,
}

/// A device's word that another device belongs to the account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Grant {
    /// The device that was already in.
    #[n(0)]
    pub granted_by: DeviceKey,
    /// Its Ed25519 signature over [`grant_bytes`].
    #[cbor(n(1), with = "minicbor::bytes")]
    pub signature: [u8; 64],
}

/// What a device signs to prove that it holds its key: to the relay at this origin, on this connection, for this account.
/// Relay id and nonce are the relay's word; the origin is what the phone dialled. `[H3]` `[H9]`
pub fn proof_bytes(
    relay: &RelayId,
    nonce: &[u8; 32],
    account: &AccountId,
    device: &DeviceKey,
    origin: &str,
) -> Vec<u8> {
    [b"tourismo proof v2".as_slice(), &relay.0, nonce, account.as_bytes(), &device.0, origin.as_bytes()].concat()
}

/// What a device of version 1 signed. A signature over it is good at any origin: no phone makes one any more. `[H9]`
pub fn proof_bytes_v1(relay: &RelayId, nonce: &[u8; 32], account: &AccountId, device: &DeviceKey) -> Vec<u8> {
    [b"tourismo proof v1".as_slice(), &relay.0, nonce, account.as_bytes(), &device.0].concat()
}

/// What people compare when a device is let into an account: twelve digits in three groups, the first 40 bits of
/// SHA-256(`"tourismo join check v1" ‖ account ‖ device ‖ granted_by`) modulo 10^12. Both devices show the same only if they
/// mean the same account, the same new device and the same device that lets it in. `[H8]`
pub fn join_check(account: &AccountId, device: &DeviceKey, granted_by: &DeviceKey) -> String {
    let parts = [b"tourismo join check v1".as_slice(), account.as_bytes(), &device.0, &granted_by.0].concat();
    let digest = Sha256::digest(parts);
    let number = digest.iter().take(5).fold(0_u64, |number, byte| (number << 8) | u64::from(*byte)) % 1_000_000_000_000;
    format!("{:04} {:04} {:04}", number / 100_000_000, number / 10_000 % 10_000, number % 10_000)
}

/// What a device signs to let `device` into `account`. `[H5]`
pub fn grant_bytes(account: &AccountId, device: &DeviceKey) -> Vec<u8> {
    [b"tourismo grant v1".as_slice(), account.as_bytes(), &device.0].concat()
}

/// Why bytes are not a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// Longer than [`MAX_MESSAGE_BYTES`].
    #[error("a message of {bytes} bytes is larger than allowed")]
    TooLarge {
        /// Its length.
        bytes: usize,
    },
    /// Not a message of this protocol.
    #[error("not a message of this protocol")]
    Malformed,
}

impl WireError {
    /// What to tell the other side.
    pub fn bye(self) -> ByeCode {
        match self {
            WireError::TooLarge { .. } => ByeCode::TooLarge,
            WireError::Malformed => ByeCode::Malformed,
        }
    }
}

impl Message {
    /// The bytes of the message.
    pub fn encode(&self) -> Vec<u8> {
        minicbor::to_vec(self).expect("writing to memory cannot fail")
    }

    /// Reads one message. Nothing allocates more than a small multiple of the input's length.
    ///
    /// # Errors
    /// [`WireError`] if the bytes are too many, are not a message, or hold anything after it. `[M1]` `[M2]`
    pub fn decode(bytes: &[u8]) -> Result<Message, WireError> {
        if bytes.len() > MAX_MESSAGE_BYTES {
            return Err(WireError::TooLarge { bytes: bytes.len() });
        }
        let mut decoder = minicbor::Decoder::new(bytes);
        let message = decoder.decode::<Message>().map_err(|_| WireError::Malformed)?;
        if decoder.position() != bytes.len() { Err(WireError::Malformed) } else { Ok(message) }
    }
}
