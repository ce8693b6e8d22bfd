//! The phone's connection to its relay: when to connect, what to send next, what to do with what comes.
//!
//! It moves changes between the shelf and a session. It never looks into a document.

mod comparison;
mod fetches;
mod progress;
mod pushing;
mod relay_memory;
mod vouching;

use crate::change::is_document;
use crate::digest::Digest;
use crate::id::DocId;
use crate::replica::io::{KeyRange, StoredEntry};
use crate::replica::link::comparison::Comparison;
use crate::replica::link::fetches::Fetches;
use crate::replica::link::pushing::Pacing;
use crate::replica::link::relay_memory::{RelayMemory, Welcome};
use crate::replica::link::vouching::Vouching;
use crate::replica::shelf::{self, Shelf};
use crate::replica::store::Store;
use crate::replica::view::LinkStatus;
use crate::session::client::{Event, Identity, Session};
use crate::time::{Now, Timestamp};
use crate::wire::{ByeCode, Chunk, Entry, EntryBody, RelayId};

const FIRST_RETRY_MS: u64 = 1_000;
const LAST_RETRY_MS: u64 = 60_000;

/// The connection.
#[derive(Debug)]
pub(crate) struct Link {
    identity: Identity,
    relay: RelayMemory,
    state: State,
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
enum State {
    Idle { retry_at_ms: u64 },
    Connecting,
    Open(Box<Session>),
    Rejected { code: ByeCode, retry_at_ms: u64 },
}

/// What the replica has to do for the link, besides sending.
#[derive(Debug, PartialEq)]
pub(crate) enum Outcome {
    /// Send a message.
    Send(Vec<u8>),
    /// Have the device sign this and give the signature to [`Link::signed`].
    Sign(Vec<u8>),
    /// Close the connection.
    Disconnect,
    /// A document that was wanted is here.
    Fetched,
}

/// What the link works on.
pub(crate) struct Desk<'a> {
    pub(crate) shelf: &'a mut Shelf,
    pub(crate) store: &'a mut Store,
    pub(crate) now_ms: u64,
    pub(crate) wall: Timestamp,
    /// A random number for this moment.
    pub(crate) dice: u64,
}

impl Link {
    /// The link as storage has it.
    pub(crate) fn open(identity: Identity, stored: &[StoredEntry]) -> Link {
        Link {
            identity,
            relay: RelayMemory::open(identity.account, stored),
            state: State::Idle { retry_at_ms: 0 },
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

    /// The link of another account on the same phone, which knows nothing yet of any relay.
    pub(crate) fn join(&mut self, identity: Identity) {
        *self = Link { online: self.online, ..Link::open(identity, &[]) };
    }

    /// How the connection is.
    pub(crate) fn status(&self, shelf: &Shelf) -> LinkStatus {
        match &self.state {
            State::Idle { .. } => LinkStatus::Offline,
            State::Connecting => LinkStatus::Connecting,
            State::Rejected { code, .. } => LinkStatus::Rejected { code: *code },
            State::Open(session) if session.is_caught_up() && !session.is_waiting() && shelf.outbox.is_idle() => {
                LinkStatus::UpToDate
            }
            State::Open(_) => LinkStatus::Syncing,
        }
    }

    /// Whether the relay can be asked for a document, if perhaps a moment later.
    pub(crate) fn can_bring(&self, doc: &DocId) -> bool {
        matches!(self.state, State::Connecting | State::Open(_)) && !self.fetches.is_unusable(doc)
    }

    /// Whether a document is on its way from the relay.
    pub(crate) fn is_fetching(&self, doc: &DocId) -> bool {
        self.fetches.is_under_way(doc)
    }

    /// Asks for a document when there is a connection.
    pub(crate) fn want(&mut self, doc: DocId) {
        self.fetches.want(doc);
    }

    /// Takes in whether the machine believes to have a network. With one, a new attempt is made at once.
    pub(crate) fn network(&mut self, online: bool, now_ms: u64) {
        self.online = online;
        self.failures = 0;
        if online && !matches!(self.state, State::Connecting | State::Open(_)) {
            self.state = State::Idle { retry_at_ms: now_ms };
        }
    }

    /// Whether to connect at once; if so, the link takes it as being done.
    pub(crate) fn should_connect(&mut self, now_ms: u64) -> bool {
        let due = self.online && self.retry_at_ms().is_some_and(|retry_at_ms| retry_at_ms <= now_ms);
        if due {
            self.state = State::Connecting;
        }
        due
    }

    fn retry_at_ms(&self) -> Option<u64> {
        match self.state {
            State::Idle { retry_at_ms } | State::Rejected { retry_at_ms, .. } => Some(retry_at_ms),
            State::Connecting | State::Open(_) => None,
        }
    }

    /// When to do something, and what.
    pub(crate) fn next_deadline(&self) -> Option<(u64, &'static str)> {
        match &self.state {
            State::Open(session) => session.next_deadline().into_iter().chain(self.pacing.next_deadline()).min(),
            State::Idle { .. } | State::Connecting | State::Rejected { .. } => {
                self.retry_at_ms().filter(|_| self.online).map(|due| (due, "connect again"))
            }
        }
    }

    /// Takes in that the deadline has come.
    pub(crate) fn tick(&mut self, desk: &mut Desk<'_>) -> Vec<Outcome> {
        self.pacing.tick(desk.now_ms);
        match &self.state {
            State::Open(session) if session.next_deadline().is_some_and(|(due, _)| due <= desk.now_ms) => {
                self.disconnected(desk);
                vec![Outcome::Disconnect]
            }
            _ => Vec::new(),
        }
    }

    /// Takes in that the connection to this origin is open.
    pub(crate) fn connected(&mut self, origin: String, desk: &mut Desk<'_>) -> Vec<Outcome> {
        let (session, hello) = Session::open(self.identity, origin, desk.now_ms);
        self.state = State::Open(Box::new(session));
        self.comparison.reset();
        self.has_agreed = false;
        vec![Outcome::Send(hello)]
    }

    /// Says once on each connection that phone and relay agree, and that whatever was to be fetched is here.
    pub(crate) fn agrees(&mut self, shelf: &Shelf) -> bool {
        let agrees = !self.has_agreed
            && self.status(shelf) == LinkStatus::UpToDate
            && self.comparison.is_settled()
            && self.fetches.under_way().next().is_none();
        self.has_agreed |= agrees;
        agrees
    }

    /// Takes in that the connection is gone. What was pushed and not acknowledged is pushed again later. `[P6]`
    pub(crate) fn disconnected(&mut self, desk: &mut Desk<'_>) {
        if matches!(self.state, State::Connecting | State::Open(_)) {
            let wait = FIRST_RETRY_MS.saturating_mul(1 << self.failures.min(10)).min(LAST_RETRY_MS);
            self.failures += 1;
            self.state = State::Idle { retry_at_ms: about(wait, desk) };
        }
        if !self.comparison.is_settled() {
            // What the rest of it would have told can be had by another comparison only.
            self.relay.forget();
        }
        desk.shelf.give_back_all();
        self.fetches = Fetches::default();
        self.vouching = Vouching::default();
    }

    /// Takes in the device's signature.
    pub(crate) fn signed(&mut self, signature: [u8; 64]) -> Option<Outcome> {
        let State::Open(session) = &mut self.state else { return None };
        session.prove(signature).map(Outcome::Send)
    }

    /// Takes in a message.
    pub(crate) fn received(&mut self, bytes: &[u8], desk: &mut Desk<'_>) -> Vec<Outcome> {
        let State::Open(session) = &mut self.state else { return Vec::new() };
        match session.receive(desk.now_ms, bytes) {
            Event::Sign(bytes) => vec![Outcome::Sign(bytes)],
            Event::Welcomed { relay, epoch, head, at } => {
                let (origin, account) = (session.origin().to_owned(), self.identity.account);
                vec![self.welcomed(Welcome { relay, epoch, at, origin, account }, head, desk)]
            }
            Event::Entries { entries, cursor } => {
                for entry in entries {
                    self.take_entry(entry, desk);
                }
                self.advance(cursor, desk);
                self.news(desk);
                Vec::new()
            }
            Event::CaughtUp { cursor, digest } => {
                self.advance(cursor, desk);
                self.failures = 0;
                self.comparison.digests_compared(digest == desk.shelf.digest());
                self.keep_cursor(desk);
                desk.shelf.offer_refused_again();
                // What an earlier connection did not live to bring.
                self.want_all(desk);
                Vec::new()
            }
            Event::Acked { hashes, cursor } => {
                for hash in hashes {
                    self.acked(&hash, desk);
                }
                self.advance(cursor, desk);
                Vec::new()
            }
            Event::Nacked { hash, code } => {
                self.nacked(&hash, code, desk);
                Vec::new()
            }
            Event::Fetched { doc, chunks, done } => self.fetched(doc, chunks, done, desk),
            Event::Differences { docs, done } => {
                self.differ(docs, done, desk);
                Vec::new()
            }
            Event::Vouched => {
                self.vouching.confirm();
                desk.shelf.offer_refused_again();
                Vec::new()
            }
            Event::Pinged(pong) => vec![Outcome::Send(pong)],
            Event::Ended(code) => self.ended(code, desk),
            Event::Garbled(code) => {
                let outcomes = self.ended(code, desk);
                self.comparison.garbled(desk.store);
                outcomes
            }
        }
    }

    fn ended(&mut self, code: ByeCode, desk: &mut Desk<'_>) -> Vec<Outcome> {
        self.disconnected(desk);
        if !code.is_temporary() {
            // Also what a relay means for good may pass: a proxy garbled a message, a relay is brought up to date.
            self.state = State::Rejected { code, retry_at_ms: about(LAST_RETRY_MS, desk) };
        }
        vec![Outcome::Disconnect]
    }

    fn welcomed(&mut self, welcome: Welcome, head: u64, desk: &mut Desk<'_>) -> Outcome {
        // Positions mean something within one epoch only. In another, the comparison finds what differs. `[C1]`
        let nothing_from_there = desk.shelf.digest() == Digest::default();
        let known = self.relay.cursor(welcome.relay, welcome.epoch);
        if known.is_none() && !nothing_from_there {
            self.comparison.begin();
        }
        let cursor = known.unwrap_or(if nothing_from_there { 0 } else { head });
        self.relay.welcomed(welcome, cursor, desk.wall, desk.now_ms);
        let State::Open(session) = &mut self.state else { unreachable!("a message came on an open connection") };
        Outcome::Send(session.catch_up(cursor, desk.shelf.digest()))
    }

    fn advance(&mut self, cursor: u64, desk: &mut Desk<'_>) {
        if self.relay.advance(cursor) {
            self.keep_cursor(desk);
        }
    }

    /// Remembers how far this phone knows the log, unless there may be something before that it does not know.
    fn keep_cursor(&mut self, desk: &mut Desk<'_>) {
        if self.comparison.is_settled() {
            self.relay.save(desk.store);
        }
    }

    fn take_entry(&mut self, entry: Entry, desk: &mut Desk<'_>) {
        let Entry { doc, kind, received_at: _, body } = entry;
        if !self.comparison.covers(&doc) {
            // It may build on what the comparison will tell to be missing, and is told again together with that.
            return;
        }
        match body {
            EntryBody::Change(Chunk(chunk)) => {
                // What cannot be read here differs in the next digest; it is never acted upon.
                let Some(scanned) = shelf::scan(&chunk) else { return };
                desk.shelf.outbox.take_in_flight(&scanned.hash);
                if desk.shelf.add_entry(desk.store, doc, kind, &scanned, chunk) && self.comparison.is_settled() {
                    self.want(doc);
                }
            }
            EntryBody::Stub { hash, deps, bytes: _ } => {
                desk.shelf.outbox.take_in_flight(&hash);
                desk.shelf.relay_has(doc, kind, &hash, &deps);
                if self.comparison.is_settled() && desk.shelf.is_wanted(&doc) {
                    self.want(doc);
                }
            }
            EntryBody::Snapshot { heads, changes, chunk: Chunk(chunk) } => {
                let announced = Some((heads.as_slice(), changes));
                if !desk.shelf.add_snapshot(desk.store, doc, kind, announced, chunk) {
                    // What it was said to be is still to be had, by another snapshot.
                    desk.shelf.announce_snapshot(doc, kind, heads, changes);
                }
            }
            EntryBody::SnapshotStub { heads, changes, bytes: _ } => {
                desk.shelf.announce_snapshot(doc, kind, heads, changes);
                if self.comparison.is_settled() && desk.shelf.is_wanted(&doc) {
                    self.want(doc);
                }
            }
        }
    }

    fn fetched(&mut self, doc: DocId, chunks: Vec<Chunk>, done: bool, desk: &mut Desk<'_>) -> Vec<Outcome> {
        let Some(kind) = desk.shelf.record(&doc).map(|record| record.kind) else { return Vec::new() };
        for Chunk(chunk) in chunks {
            if self.fetches.is_unusable(&doc) {
                // The rest builds on what cannot be read.
            } else if is_document(&chunk) {
                if !desk.shelf.add_snapshot(desk.store, doc, kind, None, chunk) {
                    self.fetches.mark_unusable(doc);
                }
            } else if let Some(scanned) = shelf::scan(&chunk) {
                desk.shelf.add_fetched(desk.store, doc, kind, &scanned, chunk);
            }
        }
        if !done {
            return Vec::new();
        }
        let lacked = self.fetches.finish();
        if self.fetches.is_unusable(&doc) {
            desk.shelf.expect_no_snapshot(doc);
            return vec![Outcome::Fetched];
        }
        if desk.shelf.fetched_all(doc, &lacked) {
            // More of it came to the relay in the meantime.
            self.want(doc);
            return Vec::new();
        }
        vec![Outcome::Fetched]
    }

    /// Asks for whatever this phone lacks something of and must have.
    fn want_all(&mut self, desk: &Desk<'_>) {
        if self.comparison.is_settled() {
            desk.shelf.wanted().into_iter().for_each(|doc| self.want(doc));
        }
    }

    /// Whatever can be sent at this moment, and what must be read from storage for it, with the number of that reading.
    pub(crate) fn pump(&mut self, desk: &mut Desk<'_>) -> (Vec<Outcome>, Option<(u32, Vec<KeyRange>)>) {
        let mut outcomes = Vec::from_iter(self.compare_on(desk));
        if let State::Open(session) = &mut self.state
            && session.can_fetch()
            && let Some(doc) = self.fetches.next()
        {
            outcomes.push(Outcome::Send(session.fetch(desk.now_ms, doc)));
            self.fetches.asked(doc, desk.shelf.lack(&doc));
        }
        if let State::Open(session) = &mut self.state
            && session.can_vouch()
            && let Some(actor_prefix) = self.vouching.next()
        {
            outcomes.push(Outcome::Send(session.vouch(desk.now_ms, actor_prefix)));
        }
        (outcomes, self.take_offers(desk))
    }
}

/// The end of a wait that begins at this moment, of between half and all of it, so that phones do not come back in step.
fn about(wait_ms: u64, desk: &Desk<'_>) -> u64 {
    desk.now_ms + wait_ms / 2 + desk.dice % (wait_ms / 2 + 1)
}
