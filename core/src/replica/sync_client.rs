//! The phone's connection to its relay: when to connect, what to send next, what to do with what comes.
//!
//! It moves changes between the document store and a session. It never looks into a document.

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

/// The connection.
#[derive(Debug)]
pub(crate) struct SyncClient {
    identity: Identity,
    relay: RelayMemory,
    state: ConnectionState,
    /// Whether the machine believes to have a network.
    online: bool,
    /// How many connections failed in a row.
    failures: u32,
    pacing: Pacing,
    vouching: Vouching,
    fetches: Fetches,
    comparison: Comparison,
    /// Whether phone and relay agreed already on this connection.
    has_agreed: bool,
}

#[derive(Debug)]
enum ConnectionState {
    Idle { retry_at_ms: u64 },
    Connecting,
    Open(Box<ClientSession>),
    Rejected { code: ByeCode, retry_at_ms: u64 },
}

/// What the replica has to do for the sync client, besides sending.
#[derive(Debug, PartialEq)]
pub(crate) enum SyncEffect {
    /// Send a message.
    Send(Vec<u8>),
    /// Have the device sign this and give the signature to [`SyncClient::signed`].
    Sign(Vec<u8>),
    /// Close the connection.
    Disconnect,
    /// A document that was wanted is here.
    Fetched,
}

/// What the sync client works on.
pub(crate) struct SyncContext<'a> {
    pub(crate) documents: &'a mut DocumentStore,
    pub(crate) writes: &'a mut WriteQueue,
    pub(crate) now_ms: u64,
    pub(crate) wall: Timestamp,
    /// A random number for this moment.
    pub(crate) random: u64,
}

impl SyncClient {
    /// The sync client as storage has it.
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

    /// The relay that let this phone in last, and the origin that was dialled then.
    pub(crate) fn relay(&self) -> Option<(RelayId, String)> {
        self.relay.relay()
    }

    /// What the relay's clock shows. This phone's own may be days off: without a handshake since the app started, it is
    /// corrected by what the last one told.
    pub(crate) fn relay_time(&self, now: Now) -> Timestamp {
        self.relay.time(now)
    }

    /// The sync client of another account on the same phone, which knows nothing yet of any relay.
    pub(crate) fn join(&mut self, identity: Identity) {
        *self = SyncClient { online: self.online, ..SyncClient::open(identity, &[]) };
    }

    /// How the connection is.
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

    /// Whether the relay can be asked for a document, if perhaps a moment later.
    pub(crate) fn can_fetch(&self, doc: &DocId) -> bool {
        matches!(self.state, ConnectionState::Connecting | ConnectionState::Open(_)) && !self.fetches.is_unusable(doc)
    }

    /// Whether a document is on its way from the relay.
    pub(crate) fn is_fetching(&self, doc: &DocId) -> bool {
        self.fetches.is_under_way(doc)
    }

    /// Asks for a document when there is a connection.
    pub(crate) fn request_fetch(&mut self, doc: DocId) {
        self.fetches.want(doc);
    }

    /// Takes in whether the machine believes to have a network. With one, a new attempt is made at once.
    pub(crate) fn set_network(&mut self, online: bool, now_ms: u64) {
        self.online = online;
        self.failures = 0;
        if online && !matches!(self.state, ConnectionState::Connecting | ConnectionState::Open(_)) {
            self.state = ConnectionState::Idle { retry_at_ms: now_ms };
        }
    }

    /// Whether to connect at once; if so, the sync client takes it as being done.
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

    /// When to do something, and what.
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

    /// Takes in that the deadline has come.
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

    /// Takes in that the connection to this origin is open.
    pub(crate) fn connected(&mut self, origin: String, context: &mut SyncContext<'_>) -> Vec<SyncEffect> {
        let (session, hello) = ClientSession::open(self.identity, origin, context.now_ms);
        self.state = ConnectionState::Open(Box::new(session));
        self.comparison.reset();
        self.has_agreed = false;
        vec![SyncEffect::Send(hello)]
    }

    /// Says once on each connection that phone and relay agree, and that whatever was to be fetched is here.
    pub(crate) fn take_agreement(&mut self, documents: &DocumentStore) -> bool {
        let agrees = !self.has_agreed
            && self.status(documents) == LinkStatus::UpToDate
            && self.comparison.is_settled()
            && self.fetches.under_way().next().is_none();
        self.has_agreed |= agrees;
        agrees
    }

    /// Takes in that the connection is gone. What was pushed and not acknowledged is pushed again later. `[P6]`
    pub(crate) fn disconnected(&mut self, context: &mut SyncContext<'_>) {
        if matches!(self.state, ConnectionState::Connecting | ConnectionState::Open(_)) {
            let wait = FIRST_RETRY_MS.saturating_mul(1 << self.failures.min(10)).min(LAST_RETRY_MS);
            self.failures += 1;
            self.state = ConnectionState::Idle { retry_at_ms: jittered(wait, context) };
        }
        if !self.comparison.is_settled() {
            // What the rest of it would have told can be had by another comparison only.
            self.relay.forget();
        }
        context.documents.give_back_all();
        self.fetches = Fetches::default();
        self.vouching = Vouching::default();
    }

    /// Takes in the device's signature.
    pub(crate) fn signed(&mut self, signature: [u8; 64]) -> Option<SyncEffect> {
        let ConnectionState::Open(session) = &mut self.state else { return None };
        session.proof_message(signature).map(SyncEffect::Send)
    }

    /// Takes in a message.
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
                // What an earlier connection did not live to bring.
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
            // Also what a relay means for good may pass: a proxy garbled a message, a relay is brought up to date.
            self.state = ConnectionState::Rejected { code, retry_at_ms: jittered(LAST_RETRY_MS, context) };
        }
        vec![SyncEffect::Disconnect]
    }

    fn welcomed(&mut self, welcome: Welcome, head: u64, context: &mut SyncContext<'_>) -> SyncEffect {
        // Positions mean something within one epoch only. In another, the comparison finds what differs. `[C1]`
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
        SyncEffect::Send(session.catch_up(cursor, context.documents.digest()))
    }

    fn advance(&mut self, cursor: u64, context: &mut SyncContext<'_>) {
        if self.relay.advance(cursor) {
            self.keep_cursor(context);
        }
    }

    /// Remembers how far this phone knows the log, unless there may be something before that it does not know.
    fn keep_cursor(&mut self, context: &mut SyncContext<'_>) {
        if self.comparison.is_settled() {
            self.relay.save(context.writes);
        }
    }

    fn take_entry(&mut self, entry: Entry, context: &mut SyncContext<'_>) {
        let Entry { doc, kind, received_at: _, body } = entry;
        if !self.comparison.covers(&doc) {
            // It may build on what the comparison will tell to be missing, and is told again together with that.
            return;
        }
        match body {
            EntryBody::Change(Chunk(chunk)) => {
                // What cannot be read here differs in the next digest; it is never acted upon.
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
                    // What it was said to be is still to be had, by another snapshot.
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
                // The rest builds on what cannot be read.
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
            // More of it came to the relay in the meantime.
            self.request_fetch(doc);
            return Vec::new();
        }
        vec![SyncEffect::Fetched]
    }

    /// Asks for whatever this phone lacks something of and must have.
    fn request_missing(&mut self, context: &SyncContext<'_>) {
        if self.comparison.is_settled() {
            context.documents.docs_to_fetch().into_iter().for_each(|doc| self.request_fetch(doc));
        }
    }

    /// Whatever can be sent at this moment, and what must be read from storage for it, with the number of that reading.
    pub(crate) fn pump(&mut self, context: &mut SyncContext<'_>) -> (Vec<SyncEffect>, Option<(u32, Vec<KeyRange>)>) {
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
        (outcomes, self.take_offers(context))
    }
}

/// The end of a wait that begins at this moment, of between half and all of it, so that phones do not come back in step.
fn jittered(wait_ms: u64, context: &SyncContext<'_>) -> u64 {
    context.now_ms + wait_ms / 2 + context.random % (wait_ms / 2 + 1)
}
