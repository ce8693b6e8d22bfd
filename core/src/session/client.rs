//! The phone's end of a sync session.
//!
//! It decides which message may be sent next and has the pushes that wait for their acknowledgement. The replica owns
//! the documents and handles the received content.

use crate::digest::Digest;
use crate::id::{AccountId, ChangeHash, DeviceKey, DocId};
use crate::membership::{MembershipDigest, ReceivedStatement, Statement};
use crate::session::{MAX_PUSHES_IN_FLIGHT, SILENCE_MS};
use crate::sorted::{Map, Set};
use crate::sorting::sort_by_key;
use crate::time::Timestamp;
use crate::wire::{
    ByeCode, Chunk, DocHeads, DocHistory, Entry, Epoch, Grant, MAX_CHUNK_BYTES, MEMBERSHIP_PROTOCOL, Message, NackCode,
    OLDEST_PHONE_PROTOCOL, Offer, PROTOCOL, RelayId, proof_bytes,
};

/// Time without a message after which a client that waits for an answer ends the connection, milliseconds. `[M5]`
pub const ANSWER_MS: u64 = 30_000;

/// The identity of a phone.
#[derive(Clone, Copy, Debug)]
pub struct Identity {
    /// Its account.
    pub account: AccountId,
    /// The key of its device.
    pub device: DeviceKey,
    /// The grant for the device; absent for the founding device.
    pub grant: Option<Grant>,
}

/// The meaning of a message for the replica.
#[derive(Debug, PartialEq)]
pub enum ClientEvent {
    /// The device must sign these bytes; [`ClientSession::proof_message`] continues.
    Sign(Vec<u8>),
    /// The handshake is complete; [`ClientSession::catch_up`] continues.
    Welcomed {
        /// The relay's id.
        relay: RelayId,
        /// The epoch of its log.
        epoch: Epoch,
        /// The position of the newest entry in the account's log.
        head: u64,
        /// The relay's clock.
        at: Timestamp,
    },
    /// Changes of other sessions, snapshots, or stubs of either.
    Entries {
        /// Oldest first.
        entries: Vec<Entry>,
        /// The new cursor.
        cursor: u64,
    },
    /// No entry is left.
    CaughtUp {
        /// The new cursor.
        cursor: u64,
        /// The digest of all documents of the account on the relay.
        digest: Digest,
    },
    /// These changes are on the relay's disk.
    Acked {
        /// Their hashes.
        hashes: Vec<ChangeHash>,
        /// The new cursor.
        cursor: u64,
    },
    /// This change was refused.
    Nacked {
        /// Its hash.
        hash: ChangeHash,
        /// The reason.
        code: NackCode,
    },
    /// A page of a requested document.
    Fetched {
        /// The document.
        doc: DocId,
        /// Its changes and perhaps a snapshot, whole, dependencies first.
        chunks: Vec<Chunk>,
        /// Whether it was the last page.
        done: bool,
    },
    /// Documents of which the relay has other changes.
    Differences {
        /// The documents, each with the hashes of all its changes.
        docs: Vec<DocHistory>,
        /// Whether it was the last page of the comparison.
        done: bool,
    },
    /// The relay answered a vouch.
    Vouched,
    /// All membership statements of the relay. `[G5]`
    Members(Vec<ReceivedStatement>),
    /// The relay sent a ping; this is the answer.
    Pinged(Vec<u8>),
    /// The relay ended the connection.
    Ended(ByeCode),
    /// The message is not valid at this point, so earlier messages may have been corrupted, too. `[C5]`
    Garbled(ByeCode),
}

/// The phone's end of one connection.
#[derive(Debug)]
pub struct ClientSession {
    identity: Identity,
    /// The dialled origin.
    origin: String,
    phase: ClientPhase,
    /// The version that the relay chose; 0 before the challenge.
    protocol: u16,
    /// The time of the last message of the relay, or of the first request since no other answer was awaited.
    quiet_since_ms: u64,
    pushes: u64,
    /// The hashes of the changes of each waiting push, by index, without acknowledged and refused ones.
    waiting: Map<u64, Map<u32, ChangeHash>>,
    fetching: Option<DocId>,
    /// The received part of a chunk that continues on the next page. `[F3]`
    begun: Vec<u8>,
    comparing: bool,
    vouching: bool,
    declaring: bool,
    /// A document that may continue on the next page. `[D2]`
    begun_history: Option<DocHistory>,
    /// The documents listed in the present comparison.
    compared: Set<DocId>,
    /// The relay's last cursor.
    cursor: u64,
}

#[derive(Debug, PartialEq)]
enum ClientPhase {
    AwaitingChallenge,
    Signing { relay: RelayId },
    AwaitingWelcome { relay: RelayId },
    Welcomed,
    CatchingUp,
    Open,
    Ended,
}

impl ClientSession {
    /// Opens a session on a new connection to this origin; returns it with the first message. `[H1]`
    pub fn open(identity: Identity, origin: String, now_ms: u64) -> (ClientSession, Vec<u8>) {
        let hello = Message::Hello {
            protocols: vec![PROTOCOL, OLDEST_PHONE_PROTOCOL],
            account: identity.account,
            device: identity.device,
        };
        let session = ClientSession {
            identity,
            origin,
            phase: ClientPhase::AwaitingChallenge,
            protocol: 0,
            quiet_since_ms: now_ms,
            pushes: 0,
            waiting: Map::new(),
            fetching: None,
            begun: Vec::new(),
            comparing: false,
            vouching: false,
            declaring: false,
            begun_history: None,
            compared: Set::new(),
            cursor: 0,
        };
        (session, hello.encode())
    }

    /// Returns the dialled origin.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Returns the message with the signature for [`ClientEvent::Sign`]; nothing if none is awaited. `[H3]`
    pub fn proof_message(&mut self, signature: [u8; 64]) -> Option<Vec<u8>> {
        let ClientPhase::Signing { relay } = self.phase else { return None };
        self.phase = ClientPhase::AwaitingWelcome { relay };
        Some(Message::Proof { signature, grant: self.identity.grant, origin: Some(self.origin.clone()) }.encode())
    }

    /// Returns the message with the state of the phone. `[C1]` `[G5]`
    pub fn catch_up(&mut self, cursor: u64, digest: Digest, membership: MembershipDigest) -> Vec<u8> {
        debug_assert_eq!(self.phase, ClientPhase::Welcomed);
        self.phase = ClientPhase::CatchingUp;
        // The relay's log may be shorter than before. `[C6]`
        self.cursor = 0;
        Message::CatchUp { cursor, digest, membership: self.has_membership().then_some(membership) }.encode()
    }

    /// Returns whether another push is allowed. `[P5]`
    pub fn can_push(&self) -> bool {
        self.phase == ClientPhase::Open && self.waiting.len() < MAX_PUSHES_IN_FLIGHT
    }

    /// Returns whether the relay has sent all entries.
    pub fn is_caught_up(&self) -> bool {
        self.phase == ClientPhase::Open
    }

    /// Returns whether an answer is outstanding.
    pub fn is_waiting(&self) -> bool {
        let is_asking = self.fetching.is_some() || self.comparing || self.vouching || self.declaring;
        self.phase != ClientPhase::Open || !self.waiting.is_empty() || is_asking
    }

    /// Returns the message that offers changes, which are passed with their hashes. `[P1]`
    pub fn push(&mut self, now_ms: u64, offers: Vec<(ChangeHash, Offer)>) -> Vec<u8> {
        debug_assert!(self.can_push() && !offers.is_empty());
        self.start_waiting(now_ms);
        let (hashes, changes): (Vec<_>, Vec<_>) = offers.into_iter().unzip();
        let mut waiting = Map::new();
        waiting.extend((0..).zip(hashes));
        self.waiting.insert(self.pushes, waiting);
        self.pushes += 1;
        Message::Push { changes }.encode()
    }

    /// Returns whether [`ClientSession::fetch`] is allowed.
    pub fn can_fetch(&self) -> bool {
        self.phase == ClientPhase::Open && self.fetching.is_none()
    }

    /// Returns the message that requests all changes of a document. `[F1]`
    pub fn fetch(&mut self, now_ms: u64, doc: DocId) -> Vec<u8> {
        self.start_waiting(now_ms);
        self.fetching = Some(doc);
        Message::Fetch { doc }.encode()
    }

    /// Returns the message with the heads that the phone believes the relay to have in a range of ids. `[D1]`
    pub fn compare(&mut self, now_ms: u64, from: DocId, to: DocId, docs: Vec<DocHeads>) -> Vec<u8> {
        self.start_waiting(now_ms);
        self.comparing = true;
        Message::Compare { from, to, docs }.encode()
    }

    /// Returns whether [`ClientSession::vouch`] is allowed.
    pub fn can_vouch(&self) -> bool {
        self.phase == ClientPhase::Open && !self.vouching
    }

    /// Returns the message that vouches for a device. `[P10]`
    pub fn vouch(&mut self, now_ms: u64, actor_prefix: [u8; 8]) -> Vec<u8> {
        self.start_waiting(now_ms);
        self.vouching = true;
        Message::Vouch { actor_prefix }.encode()
    }

    /// Returns whether the relay keeps membership statements. `[G5]`
    fn has_membership(&self) -> bool {
        self.protocol >= MEMBERSHIP_PROTOCOL
    }

    /// Returns whether [`ClientSession::declare`] may be called.
    pub fn can_declare(&self) -> bool {
        self.phase == ClientPhase::Open && self.has_membership() && !self.declaring
    }

    /// Returns the message that offers membership statements. The relay answers with all of its own. `[G5]`
    pub fn declare(&mut self, now_ms: u64, statements: Vec<Statement>) -> Vec<u8> {
        self.start_waiting(now_ms);
        self.declaring = true;
        Message::Declare { statements }.encode()
    }

    /// Time without a message before a request does not count, because the relay had nothing to answer.
    fn start_waiting(&mut self, now_ms: u64) {
        if !self.is_waiting() {
            self.quiet_since_ms = now_ms;
        }
    }

    /// Returns when a silent relay is given up, on the clock of `now_ms`: early while an answer is due, else after
    /// missing pings. `[M5]`
    pub fn next_deadline(&self) -> Option<(u64, &'static str)> {
        let patience_ms = if self.is_waiting() { ANSWER_MS } else { SILENCE_MS };
        (self.phase != ClientPhase::Ended).then_some((self.quiet_since_ms + patience_ms, "give up a silent relay"))
    }

    /// Handles a message. After [`ClientEvent::Ended`] and [`ClientEvent::Garbled`] the caller must close the
    /// connection and drop the session.
    pub fn receive(&mut self, now_ms: u64, bytes: &[u8]) -> ClientEvent {
        self.quiet_since_ms = now_ms;
        let event =
            Message::decode(bytes).map_err(|error| error.bye()).and_then(|message| self.handle_message(message));
        event.unwrap_or_else(|code| {
            self.phase = ClientPhase::Ended;
            ClientEvent::Garbled(code)
        })
    }

    fn handle_message(&mut self, message: Message) -> Result<ClientEvent, ByeCode> {
        match (&self.phase, message) {
            (_, Message::Bye { code }) => {
                self.phase = ClientPhase::Ended;
                Ok(ClientEvent::Ended(code))
            }
            (ClientPhase::CatchingUp | ClientPhase::Open, Message::Ping) => {
                Ok(ClientEvent::Pinged(Message::Pong.encode()))
            }
            (ClientPhase::AwaitingChallenge, Message::Challenge { protocol, relay, nonce }) => {
                if !(OLDEST_PHONE_PROTOCOL..=PROTOCOL).contains(&protocol) {
                    // A proof of version 1 is valid at any origin, so the phone sends none. `[H9]`
                    self.phase = ClientPhase::Ended;
                    return Ok(ClientEvent::Ended(ByeCode::UnknownProtocol));
                }
                self.protocol = protocol;
                self.phase = ClientPhase::Signing { relay };
                let Identity { account, device, grant: _ } = &self.identity;
                Ok(ClientEvent::Sign(proof_bytes(&relay, &nonce, account, device, &self.origin)))
            }
            (ClientPhase::AwaitingWelcome { relay }, Message::Welcome { epoch, head, at, .. }) => {
                let relay = *relay;
                self.phase = ClientPhase::Welcomed;
                Ok(ClientEvent::Welcomed { relay, epoch, head, at })
            }
            (ClientPhase::CatchingUp | ClientPhase::Open, Message::Entries { entries, cursor }) => {
                Ok(ClientEvent::Entries { entries, cursor: self.advance(cursor)? })
            }
            (ClientPhase::CatchingUp, Message::CaughtUp { cursor, digest }) => {
                self.phase = ClientPhase::Open;
                Ok(ClientEvent::CaughtUp { cursor: self.advance(cursor)?, digest })
            }
            (ClientPhase::Open, Message::Ack { hashes, cursor }) => {
                let mut acked = hashes.clone();
                sort_by_key(&mut acked, |hash| *hash);
                self.waiting.retain(|_, push| {
                    push.retain(|_, hash| acked.binary_search(hash).is_err());
                    !push.is_empty()
                });
                Ok(ClientEvent::Acked { hashes, cursor: self.advance(cursor)? })
            }
            (ClientPhase::Open, Message::Nack { index, push, code }) => {
                let waiting = self.waiting.get_mut(&push).ok_or(ByeCode::OutOfOrder)?;
                let hash = waiting.remove(&index).ok_or(ByeCode::OutOfOrder)?;
                if waiting.is_empty() {
                    self.waiting.remove(&push);
                }
                Ok(ClientEvent::Nacked { hash, code })
            }
            (ClientPhase::Open, Message::Fetched { doc, chunks, done, goes_on }) if self.fetching == Some(doc) => {
                if done && goes_on {
                    return Err(ByeCode::Malformed);
                }
                if done {
                    self.fetching = None;
                }
                Ok(ClientEvent::Fetched { doc, chunks: self.join_chunks(chunks, goes_on)?, done })
            }
            (ClientPhase::Open, Message::Vouched) if self.vouching => {
                self.vouching = false;
                Ok(ClientEvent::Vouched)
            }
            (ClientPhase::CatchingUp | ClientPhase::Open, Message::Members { statements }) if self.has_membership() => {
                self.declaring = false;
                Ok(ClientEvent::Members(statements))
            }
            (ClientPhase::Open, Message::Differences { docs, done }) if self.comparing => {
                self.comparing = !done;
                Ok(ClientEvent::Differences { docs: self.complete_histories(docs, done)?, done })
            }
            _ => Err(ByeCode::OutOfOrder),
        }
    }

    /// Returns the documents that are complete. A document may continue at the start of the next page only.
    fn complete_histories(&mut self, docs: Vec<DocHistory>, done: bool) -> Result<Vec<DocHistory>, ByeCode> {
        let mut whole = Vec::new();
        for doc in docs {
            match &mut self.begun_history {
                Some(begun) if begun.doc == doc.doc => begun.hashes.extend(doc.hashes),
                _ if self.compared.insert(doc.doc) => whole.extend(self.begun_history.replace(doc)),
                _ => return Err(ByeCode::OutOfOrder),
            }
        }
        if done {
            whole.extend(self.begun_history.take());
            self.compared = Set::new();
        }
        Ok(whole)
    }

    /// Returns the complete chunks of a page, joined with the part before them; keeps the last one if it continues.
    fn join_chunks(&mut self, mut chunks: Vec<Chunk>, goes_on: bool) -> Result<Vec<Chunk>, ByeCode> {
        if let Some(Chunk(first)) = chunks.first_mut()
            && !self.begun.is_empty()
        {
            self.begun.append(first);
            *first = std::mem::take(&mut self.begun);
        }
        if goes_on {
            self.begun = chunks.pop().map(|Chunk(bytes)| bytes).unwrap_or_default();
        }
        if self.begun.len() > MAX_CHUNK_BYTES { Err(ByeCode::TooLarge) } else { Ok(chunks) }
    }

    /// Accepts a cursor, which must not go back. `[C5]`
    fn advance(&mut self, cursor: u64) -> Result<u64, ByeCode> {
        if cursor < self.cursor {
            return Err(ByeCode::OutOfOrder);
        }
        self.cursor = cursor;
        Ok(cursor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::DocKind;

    const ORIGIN: &str = "https://relay.example";

    fn comparing() -> ClientSession {
        let device = DeviceKey([1; 32]);
        let identity = Identity { account: AccountId::founded_by(&device), device, grant: None };
        let (mut session, _) = ClientSession::open(identity, ORIGIN.to_owned(), 0);
        session.phase = ClientPhase::Open;
        session.compare(0, DocId::from_bytes([0; 16]), DocId::from_bytes([0xff; 16]), Vec::new());
        session
    }

    fn history(doc: u8, hash: u8) -> DocHistory {
        let hashes = vec![ChangeHash([hash; 32])];
        DocHistory { doc: DocId::from_bytes([doc; 16]), kind: Some(DocKind::Car), heads: hashes.clone(), hashes }
    }

    fn page(session: &mut ClientSession, docs: &[DocHistory], done: bool) -> ClientEvent {
        session.receive(0, &Message::Differences { docs: docs.to_vec(), done }.encode())
    }

    #[test]
    fn c5_a_document_that_is_told_of_in_two_places_of_a_comparison_ends_the_connection() {
        let mut session = comparing();
        page(&mut session, &[history(1, 1), history(2, 1)], false);
        let ClientEvent::Differences { docs, .. } = page(&mut session, &[history(2, 2), history(3, 1)], false) else {
            panic!("it goes on at the head of the next page")
        };
        assert_eq!(docs[0].hashes.len(), 2);
        assert_eq!(page(&mut session, &[history(2, 3)], true), ClientEvent::Garbled(ByeCode::OutOfOrder));

        let mut session = comparing();
        page(&mut session, &[history(1, 1)], true);
        session.compare(0, DocId::from_bytes([0; 16]), DocId::from_bytes([0xff; 16]), Vec::new());
        let again = page(&mut session, &[history(1, 1)], true);
        assert!(matches!(again, ClientEvent::Differences { .. }), "another comparison may tell of it again");
    }

    #[test]
    fn h9_a_phone_signs_the_origin_that_it_dialled_and_no_proof_of_version_1() {
        let device = DeviceKey([1; 32]);
        let identity = Identity { account: AccountId::founded_by(&device), device, grant: None };
        let open = || ClientSession::open(identity, ORIGIN.to_owned(), 0).0;
        let challenge = |protocol| Message::Challenge { protocol, relay: RelayId([2; 16]), nonce: [3; 32] }.encode();
        for version in [0, 1, 4] {
            let mut session = open();
            assert_eq!(session.receive(0, &challenge(version)), ClientEvent::Ended(ByeCode::UnknownProtocol));
            assert_eq!(session.proof_message([4; 64]), None, "nothing is awaited of it");
        }
        let mut session = open();
        let ClientEvent::Sign(bytes) = session.receive(0, &challenge(2)) else { panic!("it proves itself") };
        assert_eq!(bytes, proof_bytes(&RelayId([2; 16]), &[3; 32], &identity.account, &device, ORIGIN));
        let proof = Message::decode(&session.proof_message([4; 64]).unwrap()).unwrap();
        assert_eq!(proof, Message::Proof { signature: [4; 64], grant: None, origin: Some(ORIGIN.to_owned()) });
    }

    #[test]
    fn c5_a_cursor_that_goes_back_ends_the_connection() {
        let mut session = comparing();
        for (cursor, is_garbled) in [(5, false), (5, false), (6, false), (4, true)] {
            let event = session.receive(0, &Message::Entries { entries: Vec::new(), cursor }.encode());
            assert_eq!(event == ClientEvent::Garbled(ByeCode::OutOfOrder), is_garbled, "{cursor}");
        }
    }
}
