//! The phone's connection to its relay: when to connect, what to send next, what to do with what comes.
//!
//! It moves changes between the shelf and a session. It never looks into a document.

mod comparison;
mod offers;
mod progress;

use std::collections::VecDeque;

use minicbor::{Decode, Encode};

use crate::change::Actor;
use crate::change::is_document;
use crate::digest::Digest;
use crate::id::{AccountId, ChangeHash, DocId};
use crate::replica::io::{KeyRange, Space, StoredEntry};
use crate::replica::link::comparison::Comparison;
use crate::replica::shelf::{self, Lack, Shelf, Unsent};
use crate::replica::store::Store;
use crate::replica::view::LinkStatus;
use crate::session::client::{Event, Identity, Session};
use crate::sorted::{Map, Set};
use crate::time::{Now, Timestamp};
use crate::wire::{ByeCode, Chunk, Entry, EntryBody, Epoch, RelayId};

const FIRST_RETRY_MS: u64 = 1_000;
const LAST_RETRY_MS: u64 = 60_000;
const MINUTE_MS: i64 = 60_000;
const META_KEY: &[u8] = b"relay";
const GARBLED_KEY: &[u8] = b"garbled";

/// What the phone remembers of its relay. Stored in [`Space::Meta`].
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
struct Known {
    #[n(0)]
    relay: RelayId,
    #[n(1)]
    epoch: Epoch,
    #[n(2)]
    cursor: u64,
    /// In whose log.
    #[n(3)]
    account: AccountId,
    /// How far the relay's clock was ahead of this phone's at the last handshake, in whole minutes.
    #[n(4)]
    ahead_min: Option<i64>,
    /// The origin that was dialled when it let the phone in; absent in what earlier versions stored.
    #[n(5)]
    origin: Option<String>,
}

/// What the relay's clock showed at the handshake of this connection, or of the last one since the app started.
#[derive(Clone, Copy, Debug)]
struct RelayClock {
    at: Timestamp,
    /// When that was, on the monotonic clock.
    heard_at_ms: u64,
}

/// The connection.
#[derive(Debug)]
pub(crate) struct Link {
    identity: Identity,
    known: Option<Known>,
    /// What storage has of that.
    kept: Option<Known>,
    clock: Option<RelayClock>,
    state: State,
    online: bool,
    failures: u32,
    /// Pushed and not acknowledged.
    sent: Map<ChangeHash, Sent>,
    /// How the actors of other devices begin whose changes this phone offers: to be vouched for, being vouched for, and vouched
    /// for on this connection. `[P10]`
    strangers: Vec<[u8; 8]>,
    vouching: Option<[u8; 8]>,
    vouched: Set<[u8; 8]>,
    /// Taken from the shelf and being read from storage, and which reading it is.
    reading: Option<(u32, Vec<Unsent>)>,
    readings: u32,
    read_again_at_ms: u64,
    /// When to offer again what was refused.
    offer_again_at_ms: Option<u64>,
    wanted: VecDeque<DocId>,
    /// What is being fetched, and what was lacking of it when it was asked for.
    fetching: Option<(DocId, Lack)>,
    /// Documents of which the relay sent, on this connection, a snapshot that is of no use.
    unusable: Set<DocId>,
    comparison: Comparison,
    /// Whether a connection was garbled, and nothing was compared since: whatever the digests say. Kept on disk. `[C5]`
    was_garbled: bool,
    /// Whether phone and relay agreed already on this connection.
    has_agreed: bool,
}

/// A change that was pushed.
#[derive(Debug)]
struct Sent {
    unsent: Unsent,
    deps: Vec<ChangeHash>,
    actor: Actor,
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
        let known = stored
            .iter()
            .find(|entry| entry.space == Space::Meta && entry.key == META_KEY)
            .and_then(|entry| minicbor::decode(&entry.value).ok())
            .filter(|known: &Known| known.account == identity.account);
        Link {
            identity,
            known: known.clone(),
            kept: known,
            clock: None,
            state: State::Idle { retry_at_ms: 0 },
            online: true,
            failures: 0,
            sent: Map::new(),
            strangers: Vec::new(),
            vouching: None,
            vouched: Set::new(),
            reading: None,
            readings: 0,
            read_again_at_ms: 0,
            offer_again_at_ms: None,
            wanted: VecDeque::new(),
            fetching: None,
            unusable: Set::new(),
            comparison: Comparison::NotNeeded,
            was_garbled: stored.iter().any(|entry| entry.space == Space::Meta && entry.key == GARBLED_KEY),
            has_agreed: false,
        }
    }

    /// The relay that let this phone in last, and the origin that was dialled then.
    pub(crate) fn relay(&self) -> Option<(RelayId, String)> {
        let known = self.known.as_ref()?;
        Some((known.relay, known.origin.clone()?))
    }

    /// What the relay's clock shows. This phone's own may be days off: without a handshake since the app started, it is
    /// corrected by what the last one told.
    pub(crate) fn relay_time(&self, now: Now) -> Timestamp {
        match self.clock {
            Some(RelayClock { at, heard_at_ms }) => at + (now.monotonic_ms as u64).saturating_sub(heard_at_ms) as i64,
            None => {
                let ahead_min = self.known.as_ref().and_then(|known| known.ahead_min).unwrap_or(0);
                now.wall + ahead_min.saturating_mul(MINUTE_MS)
            }
        }
    }

    /// The link of another account on the same phone, which knows nothing yet of any relay.
    pub(crate) fn join(&mut self, identity: Identity) {
        *self = Link { online: self.online, ..Link::open(identity, &[]) };
    }

    /// How the connection is.
    pub(crate) fn status(&self, shelf: &Shelf) -> LinkStatus {
        let nothing_waits = || !shelf.has_unsent() && self.sent.is_empty() && self.reading.is_none();
        match &self.state {
            State::Idle { .. } => LinkStatus::Offline,
            State::Connecting => LinkStatus::Connecting,
            State::Rejected { code, .. } => LinkStatus::Rejected { code: *code },
            State::Open(session) if session.is_caught_up() && !session.is_waiting() && nothing_waits() => {
                LinkStatus::UpToDate
            }
            State::Open(_) => LinkStatus::Syncing,
        }
    }

    /// Whether the relay can be asked for a document, if perhaps a moment later.
    pub(crate) fn can_bring(&self, doc: &DocId) -> bool {
        matches!(self.state, State::Connecting | State::Open(_)) && !self.unusable.contains(doc)
    }

    /// Whether a document is on its way from the relay.
    pub(crate) fn is_fetching(&self, doc: &DocId) -> bool {
        self.fetching.as_ref().is_some_and(|(fetching, _)| fetching == doc) || self.wanted.contains(doc)
    }

    /// Asks for a document when there is a connection.
    pub(crate) fn want(&mut self, doc: DocId) {
        if !self.is_fetching(&doc) && !self.unusable.contains(&doc) {
            self.wanted.push_back(doc);
        }
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
            State::Open(session) => {
                let read_again =
                    (self.read_again_at_ms > 0).then_some((self.read_again_at_ms, "read unsent changes again"));
                let offer_again = self.offer_again_at_ms.map(|due| (due, "offer again what was refused"));
                session.next_deadline().into_iter().chain(read_again).chain(offer_again).min()
            }
            State::Idle { .. } | State::Connecting | State::Rejected { .. } => {
                self.retry_at_ms().filter(|_| self.online).map(|due| (due, "connect again"))
            }
        }
    }

    /// Takes in that the deadline has come.
    pub(crate) fn tick(&mut self, desk: &mut Desk<'_>) -> Vec<Outcome> {
        if self.read_again_at_ms <= desk.now_ms {
            // From here on the reading waits for other things only, which come by themselves.
            self.read_again_at_ms = 0;
        }
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
        self.comparison = Comparison::NotNeeded;
        self.has_agreed = false;
        vec![Outcome::Send(hello)]
    }

    /// Says once on each connection that phone and relay agree, and that whatever was to be fetched is here.
    pub(crate) fn agrees(&mut self, shelf: &Shelf) -> bool {
        let agrees = !self.has_agreed
            && self.status(shelf) == LinkStatus::UpToDate
            && self.comparison.is_settled()
            && self.fetches().next().is_none();
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
            self.known = None;
        }
        let sent = std::mem::take(&mut self.sent).into_values().map(|sent| sent.unsent);
        let reading = self.reading.take().map(|(_, unsent)| unsent).unwrap_or_default();
        desk.shelf.give_back(sent.chain(reading));
        self.fetching = None;
        self.unusable.clear();
        self.strangers.clear();
        self.vouching = None;
        self.vouched = Set::new();
        self.wanted.clear();
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
            Event::Welcomed { relay, epoch, head, at } => vec![self.welcomed(relay, epoch, head, at, desk)],
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
                let is_agreed = digest == desk.shelf.digest() && !self.was_garbled;
                self.comparison = if is_agreed { Comparison::NotNeeded } else { Comparison::beginning() };
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
                self.vouched.extend(self.vouching.take());
                desk.shelf.offer_refused_again();
                Vec::new()
            }
            Event::Pinged(pong) => vec![Outcome::Send(pong)],
            Event::Ended(code) => self.ended(code, desk),
            Event::Garbled(code) => {
                let outcomes = self.ended(code, desk);
                self.was_garbled = true;
                desk.store.put(Space::Meta, GARBLED_KEY.to_vec(), Vec::new());
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

    fn welcomed(&mut self, relay: RelayId, epoch: Epoch, head: u64, at: Timestamp, desk: &mut Desk<'_>) -> Outcome {
        self.clock = Some(RelayClock { at, heard_at_ms: desk.now_ms });
        let ahead_min = Some(at.millis_since(desk.wall) / MINUTE_MS);
        let State::Open(session) = &mut self.state else { unreachable!("a message came on an open connection") };
        let same = self.known.as_ref().filter(|known| known.relay == relay && known.epoch == epoch);
        // Positions mean something within one epoch only. In another, the comparison finds what differs. `[C1]`
        let nothing_from_there = desk.shelf.digest() == Digest::default();
        let cursor = if nothing_from_there { 0 } else { head };
        let cursor = same.map_or(cursor, |known| known.cursor);
        let origin = Some(session.origin().to_owned());
        let known = Known { relay, epoch, cursor, account: self.identity.account, ahead_min, origin };
        if same.is_none() && !nothing_from_there {
            self.comparison = Comparison::beginning();
        }
        self.known = Some(known);
        Outcome::Send(session.catch_up(cursor, desk.shelf.digest()))
    }

    fn advance(&mut self, cursor: u64, desk: &mut Desk<'_>) {
        if let Some(known) = &mut self.known
            && known.cursor != cursor
        {
            known.cursor = cursor;
            self.keep_cursor(desk);
        }
    }

    /// Remembers how far this phone knows the log, unless there may be something before that it does not know.
    fn keep_cursor(&mut self, desk: &mut Desk<'_>) {
        if self.comparison.is_settled()
            && let Some(known) = &self.known
            && self.kept.as_ref() != Some(known)
        {
            self.kept = Some(known.clone());
            desk.store.put(Space::Meta, META_KEY.to_vec(), shelf::cbor(known));
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
                self.sent.remove(&scanned.hash);
                if desk.shelf.add_entry(desk.store, doc, kind, &scanned, chunk) && self.comparison.is_settled() {
                    self.want(doc);
                }
            }
            EntryBody::Stub { hash, deps, bytes: _ } => {
                self.sent.remove(&hash);
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
            if self.unusable.contains(&doc) {
                // The rest builds on what cannot be read.
            } else if is_document(&chunk) {
                if !desk.shelf.add_snapshot(desk.store, doc, kind, None, chunk) {
                    self.unusable.insert(doc);
                }
            } else if let Some(scanned) = shelf::scan(&chunk) {
                desk.shelf.add_fetched(desk.store, doc, kind, &scanned, chunk);
            }
        }
        if !done {
            return Vec::new();
        }
        let lacked = self.fetching.take().map(|(_, lacked)| lacked).unwrap_or_default();
        if self.unusable.contains(&doc) {
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
            && let Some(doc) = self.wanted.pop_front()
        {
            outcomes.push(Outcome::Send(session.fetch(desk.now_ms, doc)));
            self.fetching = Some((doc, desk.shelf.lack(&doc)));
        }
        if let State::Open(session) = &mut self.state
            && session.can_vouch()
            && let Some(stranger) = self.strangers.pop()
        {
            self.vouching = Some(stranger);
            outcomes.push(Outcome::Send(session.vouch(desk.now_ms, stranger)));
        }
        (outcomes, self.take_offers(desk))
    }
}

/// The end of a wait that begins at this moment, of between half and all of it, so that phones do not come back in step.
fn about(wait_ms: u64, desk: &Desk<'_>) -> u64 {
    desk.now_ms + wait_ms / 2 + desk.dice % (wait_ms / 2 + 1)
}
