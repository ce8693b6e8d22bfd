//! The phone's connection to its relay: when to connect, what to send, and how to handle messages.
//!
//! It moves changes between the document store and a session. It never reads a document.

mod comparison;
mod fetches;
mod progress;
mod pushing;
mod relay_memory;
mod vouching;

use crate::change::is_document;
use crate::digest::Digest;
use crate::id::DocId;
use crate::replica::documents::{self, DocumentStore};
use crate::replica::io::{KeyRange, StoredEntry};
use crate::replica::membership::Membership;
use crate::replica::sync_client::comparison::Comparison;
use crate::replica::sync_client::fetches::Fetches;
use crate::replica::sync_client::pushing::Pacing;
use crate::replica::sync_client::relay_memory::{RelayMemory, Welcome};
use crate::replica::sync_client::vouching::Vouching;
use crate::replica::views::LinkStatus;
use crate::replica::write_queue::WriteQueue;
use crate::session::client::{ClientEvent, ClientSession, Identity};
use crate::time::{Now, Timestamp};
use crate::wire::{ByeCode, Chunk, Entry, EntryBody, RelayId};

const FIRST_RETRY_MS: u64 = 1_000;
const LAST_RETRY_MS: u64 = 60_000;

/// The sync client.
#[derive(Debug)]
pub(crate) struct SyncClient {
    identity: Identity,
    relay: RelayMemory,
    state: ConnectionState,
    /// Whether the operating system reports a network.
    online: bool,
    /// Number of consecutive failed connections.
    failures: u32,
    pacing: Pacing,
    vouching: Vouching,
    fetches: Fetches,
    comparison: Comparison,
    /// Whether phone and relay have agreed on this connection.
    has_agreed: bool,
}

#[derive(Debug)]
enum ConnectionState {
    Idle { retry_at_ms: u64 },
    Connecting,
    Open(Box<ClientSession>),
    Rejected { code: ByeCode, retry_at_ms: u64 },
}

/// What the replica must do for the sync client.
#[derive(Debug, PartialEq)]
pub(crate) enum SyncEffect {
    /// Send a message.
    Send(Vec<u8>),
    /// Sign these bytes with the device key and pass the signature to [`SyncClient::signed`].
    Sign(Vec<u8>),
    /// Close the connection.
    Disconnect,
    /// A requested document has arrived.
    Fetched,
    /// The membership statements are others than before.
    MembersChanged,
}

/// The state outside the sync client that its methods use.
pub(crate) struct SyncContext<'a> {
    pub(crate) documents: &'a mut DocumentStore,
    pub(crate) membership: &'a mut Membership,
    pub(crate) writes: &'a mut WriteQueue,
    pub(crate) now_ms: u64,
    pub(crate) wall: Timestamp,
    /// A fresh random number.
    pub(crate) random: u64,
}

impl SyncClient {
    /// Opens the sync client from stored entries.
    pub(crate) fn open(identity: Identity, stored: &[StoredEntry]) -> SyncClient {
        SyncClient {
            identity,
            relay: RelayMemory::open(identity.account, stored),
            state: ConnectionState::Idle { retry_at_ms: 0 },
            online: true,
            failures: 0,
            pacing: Pacing::default(),
            vouching: Vouching::default(),
            fetches: Fetches::default(),
            comparison: Comparison::open(stored),
            has_agreed: false,
        }
    }

    /// Returns the relay of the last handshake, and the origin that was dialled.
    pub(crate) fn relay(&self) -> Option<(RelayId, String)> {
        self.relay.relay()
    }

    /// Returns the relay's time. The phone's clock may be wrong by days: without a handshake since the app started, it
    /// is corrected by the difference at the last handshake.
    pub(crate) fn relay_time(&self, now: Now) -> Timestamp {
        self.relay.time(now)
    }

    /// Switches to another account on the same phone, without knowledge of any relay.
    pub(crate) fn join(&mut self, identity: Identity) {
        *self = SyncClient { online: self.online, ..SyncClient::open(identity, &[]) };
    }

    /// Returns the state of the connection.
    pub(crate) fn status(&self, documents: &DocumentStore) -> LinkStatus {
        match &self.state {
            ConnectionState::Idle { .. } => LinkStatus::Offline,
            ConnectionState::Connecting => LinkStatus::Connecting,
            ConnectionState::Rejected { code, .. } => LinkStatus::Rejected { code: *code },
            ConnectionState::Open(session)
                if session.is_caught_up() && !session.is_waiting() && documents.outbox.is_idle() =>
            {
                LinkStatus::UpToDate
            }
            ConnectionState::Open(_) => LinkStatus::Syncing,
        }
    }

    /// Returns whether a document can be requested from the relay, now or shortly.
    pub(crate) fn can_fetch(&self, doc: &DocId) -> bool {
        matches!(self.state, ConnectionState::Connecting | ConnectionState::Open(_)) && !self.fetches.is_unusable(doc)
    }

    /// Returns whether a document is being fetched or queued.
    pub(crate) fn is_fetching(&self, doc: &DocId) -> bool {
        self.fetches.is_under_way(doc)
    }

    /// Queues a document to be fetched.
    pub(crate) fn request_fetch(&mut self, doc: DocId) {
        self.fetches.want(doc);
    }

    /// Records whether there is a network. With one, the next attempt is immediate.
    pub(crate) fn set_network(&mut self, online: bool, now_ms: u64) {
        self.online = online;
        self.failures = 0;
        if online && !matches!(self.state, ConnectionState::Connecting | ConnectionState::Open(_)) {
            self.state = ConnectionState::Idle { retry_at_ms: now_ms };
        }
    }

    /// Returns whether to connect now. If so, the state becomes connecting.
    pub(crate) fn should_connect(&mut self, now_ms: u64) -> bool {
        let due = self.online && self.retry_at_ms().is_some_and(|retry_at_ms| retry_at_ms <= now_ms);
        if due {
            self.state = ConnectionState::Connecting;
        }
        due
    }

    fn retry_at_ms(&self) -> Option<u64> {
        match self.state {
            ConnectionState::Idle { retry_at_ms } | ConnectionState::Rejected { retry_at_ms, .. } => Some(retry_at_ms),
            ConnectionState::Connecting | ConnectionState::Open(_) => None,
        }
    }

    /// Returns the next deadline and its reason.
    pub(crate) fn next_deadline(&self) -> Option<(u64, &'static str)> {
        match &self.state {
            ConnectionState::Open(session) => {
                session.next_deadline().into_iter().chain(self.pacing.next_deadline()).min()
            }
            ConnectionState::Idle { .. } | ConnectionState::Connecting | ConnectionState::Rejected { .. } => {
                self.retry_at_ms().filter(|_| self.online).map(|due| (due, "connect again"))
            }
        }
    }

    /// Handles the deadline.
    pub(crate) fn tick(&mut self, context: &mut SyncContext<'_>) -> Vec<SyncEffect> {
        self.pacing.tick(context.now_ms);
        match &self.state {
            ConnectionState::Open(session) if session.next_deadline().is_some_and(|(due, _)| due <= context.now_ms) => {
                self.disconnected(context);
                vec![SyncEffect::Disconnect]
            }
            _ => Vec::new(),
        }
    }

    /// Handles an opened connection to this origin.
    pub(crate) fn connected(&mut self, origin: String, context: &mut SyncContext<'_>) -> Vec<SyncEffect> {
        let (session, hello) = ClientSession::open(self.identity, origin, context.now_ms);
        self.state = ConnectionState::Open(Box::new(session));
        self.comparison.reset();
        self.has_agreed = false;
        vec![SyncEffect::Send(hello)]
    }

    /// Returns true once per connection, when phone and relay agree and all fetches are complete.
    pub(crate) fn take_agreement(&mut self, documents: &DocumentStore) -> bool {
        let agrees = !self.has_agreed
            && self.status(documents) == LinkStatus::UpToDate
            && self.comparison.is_settled()
            && self.fetches.under_way().next().is_none();
        self.has_agreed |= agrees;
        agrees
    }

    /// Handles a closed connection. Changes without an acknowledgement are pushed again later. `[P6]`
    pub(crate) fn disconnected(&mut self, context: &mut SyncContext<'_>) {
        if matches!(self.state, ConnectionState::Connecting | ConnectionState::Open(_)) {
            let wait = FIRST_RETRY_MS.saturating_mul(1 << self.failures.min(10)).min(LAST_RETRY_MS);
            self.failures += 1;
            self.state = ConnectionState::Idle { retry_at_ms: jittered(wait, context) };
        }
        if !self.comparison.is_settled() {
            // The rest of an interrupted comparison is available from another comparison only.
            self.relay.forget();
        }
        context.documents.give_back_all();
        self.fetches = Fetches::default();
        self.vouching = Vouching::default();
        context.membership.disconnected();
    }

    /// Handles the device's signature.
    pub(crate) fn signed(&mut self, signature: [u8; 64]) -> Option<SyncEffect> {
        let ConnectionState::Open(session) = &mut self.state else { return None };
        session.proof_message(signature).map(SyncEffect::Send)
    }

    /// Handles a message.
    pub(crate) fn received(&mut self, bytes: &[u8], context: &mut SyncContext<'_>) -> Vec<SyncEffect> {
        let ConnectionState::Open(session) = &mut self.state else { return Vec::new() };
        match session.receive(context.now_ms, bytes) {
            ClientEvent::Sign(bytes) => vec![SyncEffect::Sign(bytes)],
            ClientEvent::Welcomed { relay, epoch, head, at } => {
                let (origin, account) = (session.origin().to_owned(), self.identity.account);
                vec![self.welcomed(Welcome { relay, epoch, at, origin, account }, head, context)]
            }
            ClientEvent::Entries { entries, cursor } => {
                for entry in entries {
                    self.take_entry(entry, context);
                }
                self.advance(cursor, context);
                self.relay_changed(context);
                Vec::new()
            }
            ClientEvent::CaughtUp { cursor, digest } => {
                self.advance(cursor, context);
                self.failures = 0;
                self.comparison.digests_compared(digest == context.documents.digest());
                self.keep_cursor(context);
                context.documents.offer_refused_again();
                // Fetches that an earlier connection did not complete.
                self.request_missing(context);
                Vec::new()
            }
            ClientEvent::Acked { hashes, cursor } => {
                for hash in hashes {
                    self.acked(&hash, context);
                }
                self.advance(cursor, context);
                Vec::new()
            }
            ClientEvent::Nacked { hash, code } => {
                self.nacked(&hash, code, context);
                Vec::new()
            }
            ClientEvent::Fetched { doc, chunks, done } => self.fetched(doc, chunks, done, context),
            ClientEvent::Differences { docs, done } => {
                self.differ(docs, done, context);
                Vec::new()
            }
            ClientEvent::Vouched => {
                self.vouching.confirm();
                context.documents.offer_refused_again();
                Vec::new()
            }
            ClientEvent::Members(statements) => match context.membership.received(statements, context.writes) {
                Ok(true) => vec![SyncEffect::MembersChanged],
                Ok(false) => Vec::new(),
                // No relay has such a statement: it garbles, or lies.
                Err(_) => self.ended(ByeCode::NotAuthentic, context),
            },
            ClientEvent::Pinged(pong) => vec![SyncEffect::Send(pong)],
            ClientEvent::Ended(code) => self.ended(code, context),
            ClientEvent::Garbled(code) => {
                let outcomes = self.ended(code, context);
                self.comparison.garbled(context.writes);
                outcomes
            }
        }
    }

    fn ended(&mut self, code: ByeCode, context: &mut SyncContext<'_>) -> Vec<SyncEffect> {
        self.disconnected(context);
        if !code.is_temporary() {
            // Even a permanent rejection may pass: a proxy may have garbled a message, or the relay may be upgraded.
            self.state = ConnectionState::Rejected { code, retry_at_ms: jittered(LAST_RETRY_MS, context) };
        }
        vec![SyncEffect::Disconnect]
    }

    fn welcomed(&mut self, welcome: Welcome, head: u64, context: &mut SyncContext<'_>) -> SyncEffect {
        // Positions are valid within one epoch. In another epoch the comparison finds the differences. `[C1]`
        let nothing_from_there = context.documents.digest() == Digest::default();
        let known = self.relay.cursor(welcome.relay, welcome.epoch);
        if known.is_none() && !nothing_from_there {
            self.comparison.begin();
        }
        let cursor = known.unwrap_or(if nothing_from_there { 0 } else { head });
        self.relay.welcomed(welcome, cursor, context.wall, context.now_ms);
        let ConnectionState::Open(session) = &mut self.state else {
            unreachable!("a message came on an open connection")
        };
        SyncEffect::Send(session.catch_up(cursor, context.documents.digest(), context.membership.digest()))
    }

    fn advance(&mut self, cursor: u64, context: &mut SyncContext<'_>) {
        if self.relay.advance(cursor) {
            self.keep_cursor(context);
        }
    }

    /// Stores the cursor, unless entries before it may be missing.
    fn keep_cursor(&mut self, context: &mut SyncContext<'_>) {
        if self.comparison.is_settled() {
            self.relay.save(context.writes);
        }
    }

    fn take_entry(&mut self, entry: Entry, context: &mut SyncContext<'_>) {
        let Entry { doc, kind, received_at: _, body } = entry;
        if !self.comparison.covers(&doc) {
            // The entry may depend on changes that the comparison will report as missing. It is sent again with them.
            return;
        }
        match body {
            EntryBody::Change(Chunk(chunk)) => {
                // Changes that cannot be read make the next digest differ; they are not used.
                let Some(scanned) = documents::scan(&chunk) else { return };
                context.documents.outbox.take_in_flight(&scanned.hash);
                if context.documents.add_entry(context.writes, doc, kind, &scanned, chunk)
                    && self.comparison.is_settled()
                {
                    self.request_fetch(doc);
                }
            }
            EntryBody::Stub { hash, deps, bytes: _ } => {
                context.documents.outbox.take_in_flight(&hash);
                context.documents.relay_has(doc, kind, &hash, &deps);
                if self.comparison.is_settled() && context.documents.must_fetch(&doc) {
                    self.request_fetch(doc);
                }
            }
            EntryBody::Snapshot { heads, changes, chunk: Chunk(chunk) } => {
                let announced = Some((heads.as_slice(), changes));
                if !context.documents.add_snapshot(context.writes, doc, kind, announced, chunk) {
                    // Another snapshot may contain the announced changes.
                    context.documents.announce_snapshot(doc, kind, heads, changes);
                }
            }
            EntryBody::SnapshotStub { heads, changes, bytes: _ } => {
                context.documents.announce_snapshot(doc, kind, heads, changes);
                if self.comparison.is_settled() && context.documents.must_fetch(&doc) {
                    self.request_fetch(doc);
                }
            }
        }
    }

    fn fetched(
        &mut self,
        doc: DocId,
        chunks: Vec<Chunk>,
        done: bool,
        context: &mut SyncContext<'_>,
    ) -> Vec<SyncEffect> {
        let Some(kind) = context.documents.record(&doc).map(|record| record.kind) else { return Vec::new() };
        for Chunk(chunk) in chunks {
            if self.fetches.is_unusable(&doc) {
                // The remaining changes depend on an unreadable one.
            } else if is_document(&chunk) {
                if !context.documents.add_snapshot(context.writes, doc, kind, None, chunk) {
                    self.fetches.mark_unusable(doc);
                }
            } else if let Some(scanned) = documents::scan(&chunk) {
                context.documents.add_fetched(context.writes, doc, kind, &scanned, chunk);
            }
        }
        if !done {
            return Vec::new();
        }
        let lacked = self.fetches.finish();
        if self.fetches.is_unusable(&doc) {
            context.documents.expect_no_snapshot(doc);
            return vec![SyncEffect::Fetched];
        }
        if context.documents.note_fetched(doc, &lacked) {
            // The relay received more changes of the document in the meantime.
            self.request_fetch(doc);
            return Vec::new();
        }
        vec![SyncEffect::Fetched]
    }

    /// Queues all documents with missing changes that must be complete.
    fn request_missing(&mut self, context: &SyncContext<'_>) {
        if self.comparison.is_settled() {
            context.documents.docs_to_fetch().into_iter().for_each(|doc| self.request_fetch(doc));
        }
    }

    /// Returns the messages that can be sent now, and the ranges to read from storage for the next push, with the
    /// number of that read.
    pub(crate) fn poll(&mut self, context: &mut SyncContext<'_>) -> (Vec<SyncEffect>, Option<(u32, Vec<KeyRange>)>) {
        let newly_to_fetch = context.documents.take_newly_to_fetch();
        if self.comparison.is_settled() && matches!(self.state, ConnectionState::Open(_)) {
            newly_to_fetch.into_iter().for_each(|doc| self.request_fetch(doc));
        }
        let mut outcomes = Vec::from_iter(self.compare_on(context));
        if let ConnectionState::Open(session) = &mut self.state
            && session.can_fetch()
            && let Some(doc) = self.fetches.next()
        {
            outcomes.push(SyncEffect::Send(session.fetch(context.now_ms, doc)));
            self.fetches.asked(doc, context.documents.missing_changes(&doc));
        }
        if let ConnectionState::Open(session) = &mut self.state
            && session.can_vouch()
            && let Some(actor_prefix) = self.vouching.next()
        {
            outcomes.push(SyncEffect::Send(session.vouch(context.now_ms, actor_prefix)));
        }
        if let ConnectionState::Open(session) = &mut self.state
            && session.can_declare()
            && !context.membership.is_settled()
        {
            let statements = context.membership.next_declaration();
            if !statements.is_empty() {
                outcomes.push(SyncEffect::Send(session.declare(context.now_ms, statements)));
            }
        }
        (outcomes, self.take_offers(context))
    }
}

/// Returns the end of a delay with jitter: between half and all of `wait_ms`, so that phones do not reconnect
/// simultaneously.
fn jittered(wait_ms: u64, context: &SyncContext<'_>) -> u64 {
    context.now_ms + wait_ms / 2 + context.random % (wait_ms / 2 + 1)
}
