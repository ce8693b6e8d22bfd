//! The messages of a sync session and their bytes: one CBOR array per binary WebSocket message (PROTOCOL.md).
//!
//! This module defines formats and limits. `session` decides which message is allowed when, and what it means.

mod codes;
#[cfg(test)]
mod tests;

use minicbor::{Decode, Encode};
use sha2::{Digest as _, Sha256};

pub use self::codes::{ByeCode, NackCode};
use crate::digest::Digest;
use crate::id::{AccountId, ChangeHash, DeviceKey, DocId};
pub use crate::kind::DocKind;
pub use crate::membership::grant_bytes;
use crate::membership::{Claim, MembershipDigest, ReceivedStatement, Statement};
use crate::time::Timestamp;

/// The newest protocol version. `[H1]`
pub const PROTOCOL: u16 = 3;

/// The oldest version that phones speak. Without version 3 a relay keeps no membership statements. `[G5]`
pub const OLDEST_PHONE_PROTOCOL: u16 = 2;

/// The first version with membership statements. `[G5]`
pub const MEMBERSHIP_PROTOCOL: u16 = 3;

/// The oldest protocol version of relays. In version 1 signatures do not cover the origin that the phone dialled.
/// `[H9]`
pub const OLDEST_PROTOCOL: u16 = 1;

/// Maximum size of a message, bytes. A WebSocket frame may not be larger. `[M2]`
pub const MAX_MESSAGE_BYTES: usize = 1 << 20;

/// Maximum size of the chunk of a change, bytes. `[P3]`
pub const MAX_CHUNK_BYTES: usize = 512 << 10;

/// Maximum number of changes in one push, and of entries in one page. `[P3]`
pub const MAX_BATCH: usize = 1_000;

/// Target size of a push or a page, bytes of chunks. At 4 KB/s, a weak signal, it arrives well before the other side
/// treats the silence as a broken connection.
pub const BATCH_BYTES: usize = 64 << 10;

/// Maximum number of membership statements in one message of a phone. `[G5]`
pub const MAX_DECLARED: usize = 32;

/// Maximum number of heads of a document in a comparison.
pub const MAX_HEADS: usize = 256;

/// Maximum number of heads of a stored document. A phone's next change depends on all of them and on its own unsent
/// changes: together fewer than the maximum number of dependencies.
pub const MAX_STORED_HEADS: usize = 192;

/// A message of a sync connection. Even tags are from the client, odd ones from the relay, 30 is from both.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
#[cbor(flat)]
pub enum Message {
    /// Opens the connection. `[H1]`
    #[n(0)]
    Hello {
        /// Protocol versions that the client speaks, at most eight.
        #[n(0)]
        protocols: Vec<u16>,
        /// The account that the client acts for.
        #[n(1)]
        account: AccountId,
        /// The key of this device.
        #[n(2)]
        device: DeviceKey,
    },
    /// Asks for a proof that the client holds the device's private key. `[H2]`
    #[n(1)]
    Challenge {
        /// The version chosen from those of the client.
        #[n(0)]
        protocol: u16,
        /// The relay's id.
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
        /// The grant for the device; absent for the founding device.
        #[n(1)]
        grant: Option<Grant>,
        /// The signed origin that the phone dialled; absent in version 1. `[H9]`
        #[n(2)]
        origin: Option<String>,
    },
    /// Completes the handshake. `[H4]`
    #[n(3)]
    Welcome {
        /// The history of the relay's log; a restore from a backup begins another one.
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
    /// Sends the state of the client. `[C1]`
    #[n(4)]
    CatchUp {
        /// The log position up to which the client has every entry.
        #[n(0)]
        cursor: u64,
        /// The digest of all documents with the heads that the client believes the relay to have.
        #[n(1)]
        digest: Digest,
        /// Over the membership statements that the client has; absent before version 3. `[G5]`
        #[n(2)]
        membership: Option<MembershipDigest>,
    },
    /// Log entries in order, of changes of other sessions. `[C2]` `[L1]`
    #[n(5)]
    Entries {
        /// The entries, oldest first.
        #[n(0)]
        entries: Vec<Entry>,
        /// The client's new cursor: every entry up to it was sent or acknowledged.
        #[n(1)]
        cursor: u64,
    },
    /// Tells that no entry is left to send. `[C3]`
    #[n(7)]
    CaughtUp {
        /// The client's cursor: the head of the log.
        #[n(0)]
        cursor: u64,
        /// The digest of all documents of the account at this position.
        #[n(1)]
        digest: Digest,
    },
    /// Offers changes. `[P1]`
    #[n(6)]
    Push {
        /// The changes, dependencies first.
        #[n(0)]
        changes: Vec<Offer>,
    },
    /// Acknowledges changes that are on disk. `[P2]`
    #[n(9)]
    Ack {
        /// The hashes of the changes.
        #[n(0)]
        hashes: Vec<ChangeHash>,
        /// The client's new cursor.
        #[n(1)]
        cursor: u64,
    },
    /// Refuses one change of a push; the others are kept. `[P4]`
    #[n(11)]
    Nack {
        /// The index of the change in its push.
        #[n(0)]
        index: u32,
        /// The number of pushes before that push on this connection.
        #[n(1)]
        push: u64,
        /// The reason.
        #[n(2)]
        code: NackCode,
    },
    /// Requests every change of one document. `[F1]`
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
        /// Its changes and perhaps a snapshot, as many as fit, dependencies first.
        #[n(1)]
        chunks: Vec<Chunk>,
        /// Whether this is the last page.
        #[n(2)]
        done: bool,
        /// Whether the last chunk continues with the first one of the next page. `[F3]`
        #[n(3)]
        goes_on: bool,
    },
    /// Sends the heads of every document in a range of ids. `[D1]`
    #[n(10)]
    Compare {
        /// The first id of the range.
        #[n(0)]
        from: DocId,
        /// The last id of the range.
        #[n(1)]
        to: DocId,
        /// The documents in the range, ascending, with the heads that the client believes the relay to have.
        #[n(2)]
        docs: Vec<DocHeads>,
    },
    /// Answers a comparison, page by page. `[D2]`
    #[n(15)]
    Differences {
        /// The documents that differ, with the hashes of all changes that the relay has of them; none for a document
        /// that it does not have.
        #[n(0)]
        docs: Vec<DocHistory>,
        /// Whether this is the last page for the comparison.
        #[n(1)]
        done: bool,
    },
    /// Tells that a device unknown to the relay belongs to the account. `[P10]`
    #[n(12)]
    Vouch {
        /// The prefix of its actor ids.
        #[cbor(n(0), with = "minicbor::bytes")]
        actor_prefix: [u8; 8],
    },
    /// Answers a vouch: the client may offer the refused changes again. `[P10]`
    #[n(17)]
    Vouched,
    /// Offers membership statements. `[G5]`
    #[n(14)]
    Declare {
        /// The statements, at most [`MAX_DECLARED`].
        #[n(0)]
        statements: Vec<Statement>,
    },
    /// Lists every membership statement of the account: after a digest that differs, after a declaration, and after a change of
    /// another session. `[G5]`
    #[n(19)]
    Members {
        /// The statements.
        #[n(0)]
        statements: Vec<ReceivedStatement>,
    },
    /// Answers a ping. `[M5]`
    #[n(28)]
    Pong,
    /// Checks that the client is still there. `[M5]`
    #[n(29)]
    Ping,
    /// Ends the connection with a reason. `[M4]`
    #[n(30)]
    Bye {
        /// The reason.
        #[n(0)]
        code: ByeCode,
    },
}

/// The id of a relay, for the lifetime of its database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
pub struct RelayId(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 16]);

/// The id of one history of a relay's log. Within an epoch a position never refers to another entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
pub struct Epoch(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 16]);

/// The bytes of a change (an Automerge chunk of type 1 or 2) or of a snapshot (type 0).
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
pub struct Chunk(#[cbor(n(0), with = "minicbor::bytes")] pub Vec<u8>);

impl std::fmt::Debug for Chunk {
    // A chunk may hold positions, so only its length is printed.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Chunk({} bytes)", self.0.len())
    }
}

/// A change that a client offers to the relay.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Offer {
    /// The document it changes.
    #[n(0)]
    pub doc: DocId,
    /// The kind of the document.
    #[n(1)]
    pub kind: DocKind,
    /// The change.
    #[n(2)]
    pub chunk: Chunk,
}

/// One entry of an account's log, as the relay sends it to the account's other devices.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Entry {
    /// The document it changes.
    #[n(0)]
    pub doc: DocId,
    /// The kind of the document.
    #[n(1)]
    pub kind: DocKind,
    /// When the relay received it.
    #[n(2)]
    pub received_at: Timestamp,
    /// The change, a snapshot, or an announcement of either.
    #[n(3)]
    pub body: EntryBody,
}

/// A change, or its stub for a document that syncs on demand `[C4]`; or a snapshot in place of all changes up to its
/// position. `[S1]`
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
#[cbor(flat)]
pub enum EntryBody {
    /// The change.
    #[n(0)]
    Change(#[n(0)] Chunk),
    /// A change that the relay sends on request.
    #[n(1)]
    Stub {
        /// Its hash.
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
        /// The number of these changes.
        #[n(1)]
        changes: u32,
        /// A whole document.
        #[n(2)]
        chunk: Chunk,
    },
    /// A snapshot that the relay sends on request. `[S3]`
    #[n(3)]
    SnapshotStub {
        /// The heads of its changes, ascending.
        #[n(0)]
        heads: Vec<ChangeHash>,
        /// The number of its changes.
        #[n(1)]
        changes: u32,
        /// The size of its chunk.
        #[n(2)]
        bytes: u32,
    },
}

impl EntryBody {
    /// Returns the body of a snapshot's entry: with its chunk, if the document is sent in full and the chunk is not
    /// larger than a page. `[S1]` `[S3]`
    pub fn of_snapshot(kind: DocKind, heads: Vec<ChangeHash>, changes: u32, chunk: Vec<u8>) -> EntryBody {
        if kind.is_on_demand() || chunk.len() > BATCH_BYTES {
            EntryBody::SnapshotStub { heads, changes, bytes: chunk.len() as u32 }
        } else {
            EntryBody::Snapshot { heads, changes, chunk: Chunk(chunk) }
        }
    }

    /// Returns whether the entry stands for all changes of the document up to its position.
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

/// The hashes of everything that the relay has of a document. They continue on the next page if they do not fit. `[D2]`
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct DocHistory {
    /// The document.
    #[n(0)]
    pub doc: DocId,
    /// Its kind; absent if the relay does not have it.
    #[n(1)]
    pub kind: Option<DocKind>,
    /// Its heads, ascending.
    #[n(2)]
    pub heads: Vec<ChangeHash>,
    /// The hashes of its changes: all of them, or as many as fit on the page.
    #[n(3)]
    pub hashes: Vec<ChangeHash>,
}

/// A device's signed statement that another device belongs to the account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Grant {
    /// The granting device.
    #[n(0)]
    pub granted_by: DeviceKey,
    /// Its Ed25519 signature over [`grant_bytes`].
    #[cbor(n(1), with = "minicbor::bytes")]
    pub signature: [u8; 64],
}

impl Grant {
    /// Returns the grant as a membership statement. `[G1]`
    pub fn statement(self, device: DeviceKey) -> Statement {
        Statement { claim: Claim::Grant, subject: device, by: self.granted_by, signature: self.signature }
    }
}

/// Returns the bytes that a device signs to prove that it holds its key: for the relay at this origin, this connection
/// and this account. The relay chooses relay id and nonce; the origin is what the phone dialled. `[H3]` `[H9]`
pub fn proof_bytes(
    relay: &RelayId,
    nonce: &[u8; 32],
    account: &AccountId,
    device: &DeviceKey,
    origin: &str,
) -> Vec<u8> {
    [b"tourismo proof v2".as_slice(), &relay.0, nonce, account.as_bytes(), &device.0, origin.as_bytes()].concat()
}

/// Returns the bytes that a device of version 1 signed. Such a signature is valid at any origin, so phones do not make
/// it. `[H9]`
pub fn proof_bytes_v1(relay: &RelayId, nonce: &[u8; 32], account: &AccountId, device: &DeviceKey) -> Vec<u8> {
    [b"tourismo proof v1".as_slice(), &relay.0, nonce, account.as_bytes(), &device.0].concat()
}

/// Returns the digits that users compare before a device enters an account: twelve digits in three groups, the first 40
/// bits of SHA-256(`"tourismo join check v1" ‖ account ‖ device ‖ granted_by`) modulo 10^12. Both devices show the same
/// digits only if account, new device and granting device are the same on both. `[H8]`
pub fn join_check(account: &AccountId, device: &DeviceKey, granted_by: &DeviceKey) -> String {
    let parts = [b"tourismo join check v1".as_slice(), account.as_bytes(), &device.0, &granted_by.0].concat();
    let digest = Sha256::digest(parts);
    let number = digest.iter().take(5).fold(0_u64, |number, byte| (number << 8) | u64::from(*byte)) % 1_000_000_000_000;
    format!("{:04} {:04} {:04}", number / 100_000_000, number / 10_000 % 10_000, number % 10_000)
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
    /// Returns the code to answer with.
    pub fn bye(self) -> ByeCode {
        match self {
            WireError::TooLarge { .. } => ByeCode::TooLarge,
            WireError::Malformed => ByeCode::Malformed,
        }
    }
}

impl Message {
    /// Encodes the message.
    pub fn encode(&self) -> Vec<u8> {
        minicbor::to_vec(self).expect("writing to memory cannot fail")
    }

    /// Decodes one message. Allocations are bounded by a small multiple of the input's length.
    ///
    /// # Errors
    /// [`WireError`] if there are too many bytes, if they are not a message, or if bytes follow it. `[M1]` `[M2]`
    ///
    /// # Examples
    /// ```
    /// use tourismo_core::digest::Digest;
    /// use tourismo_core::wire::{Message, WireError};
    ///
    /// let message = Message::CatchUp { cursor: 7, digest: Digest::default(), membership: None };
    /// let mut bytes = message.encode();
    /// assert_eq!(Message::decode(&bytes), Ok(message));
    ///
    /// bytes.push(0);
    /// assert_eq!(Message::decode(&bytes), Err(WireError::Malformed));
    /// ```
    pub fn decode(bytes: &[u8]) -> Result<Message, WireError> {
        if bytes.len() > MAX_MESSAGE_BYTES {
            return Err(WireError::TooLarge { bytes: bytes.len() });
        }
        let mut decoder = minicbor::Decoder::new(bytes);
        let message = decoder.decode::<Message>().map_err(|_| WireError::Malformed)?;
        if decoder.position() != bytes.len() { Err(WireError::Malformed) } else { Ok(message) }
    }
}
