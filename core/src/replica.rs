//! The phone's engine behind one door: [`Replica::handle`] takes what happened and says what to do.
//!
//! It records, edits, stores and syncs. It has no clock, no chance and no IO: the shell brings time and events and
//! performs the effects. What it shows is read through plain functions.

mod commands;
mod copies;
mod figures;
pub mod io;
mod journal;
mod link;
mod opening;
mod reading;
mod recording;
mod recovery;
mod shelf;
mod store;
mod suspects;
#[cfg(test)]
mod tests;
mod views;

pub mod view;

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde_bytes::ByteBuf;

pub use self::opening::{Linked, OpenError, Opening};
use crate::access::ReadToken;
use crate::id::{AccountId, DeviceKey, DocId};
use crate::replica::commands::Parked;
use crate::replica::io::{Effect, Input, Outcome, Topic};
use crate::replica::link::{Desk, Link};
use crate::replica::opening::identity;
use crate::replica::reading::{ReadRows, Reading};
use crate::replica::recording::Recording;
use crate::replica::shelf::Shelf;
use crate::replica::store::{Store, Ticket};
use crate::replica::suspects::Suspects;
use crate::replica::view::TrackView;
use crate::session::client::Identity;
use crate::sorted::{Map, Set};
use crate::time::{Now, Timestamp, UtcOffset};
use crate::wire::Grant;

/// Why the device is asked to sign.
#[derive(Debug)]
enum Signing {
    /// To prove itself to the relay.
    Proof,
    /// To let this other device in; the command with this request.
    Grant(u32, DeviceKey),
    /// To let this account read from the relay for a while; the command with this request.
    Token(u32, TokenTerms),
}

/// What a token for reads says besides its signature.
#[derive(Debug)]
struct TokenTerms {
    account: AccountId,
    /// The origin of the relay that it is for.
    origin: String,
    /// By the relay's clock.
    expires_at: Timestamp,
    /// By this phone's clock.
    expires_here_at: Timestamp,
}

/// The phone's engine.
#[derive(Debug)]
pub struct Replica {
    identity: Identity,
    actor: [u8; 16],
    rng: ChaCha12Rng,
    store: Store,
    shelf: Shelf,
    suspects: Suspects,
    link: Link,
    recording: Option<Recording>,
    utc_offset: Option<UtcOffset>,
    opened: Option<TrackView>,
    parked: Vec<Parked>,
    /// Drives that were merged and whose published copies may say something else.
    misaligned: Set<DocId>,
    /// Such drives whose copies have not come yet.
    awaiting_copies: Set<DocId>,
    /// Drives that came from elsewhere, or whose copies did, to be compared with them.
    unchecked: Set<DocId>,
    /// Those of them that are being compared.
    checking: Set<DocId>,
    /// Drives whose tracks were merged and whose figures may be those of a part.
    miscounted: Set<DocId>,
    /// Commands that are done in memory and settle when the disk has them.
    settling: Vec<(Ticket, u32, Outcome)>,
    requests: u32,
    readings: Map<u32, Reading>,
    read_rows: Option<ReadRows>,
    signings: Map<u32, Signing>,
    /// After storage could not be read: the documents to read again, and when.
    unread: Vec<DocId>,
    read_again_at_ms: Option<u64>,
    timer: Option<u64>,
    topics: Set<Topic>,
    effects: Vec<Effect>,
}

/// What is read from documents.
const DOCUMENTS: [Topic; 5] = [Topic::Drives, Topic::Cars, Topic::Account, Topic::Social, Topic::Meets];

impl Replica {
    /// The replica as storage has it. [`Input::Start`] sets it going.
    ///
    /// # Errors
    /// [`OpenError`] if what the shell gives does not fit.
    pub fn open(opening: &Opening) -> Result<Replica, OpenError> {
        let seed: [u8; 32] = opening.seed.as_slice().try_into().map_err(|_| OpenError::WrongLength)?;
        let device = DeviceKey(opening.device.as_slice().try_into().map_err(|_| OpenError::WrongLength)?);
        let mut rng = ChaCha12Rng::from_seed(seed);
        let mut store = Store::default();
        let identity = identity(device, opening, &mut store)?;
        // A fresh actor for every start: one that a restored or doubled tab used again would wedge Automerge for good.
        let mut actor = [0; 16];
        actor[..8].copy_from_slice(&device.actor_prefix());
        rng.fill_bytes(&mut actor[8..]);
        let mut shelf = Shelf::open(actor, &opening.stored);
        let suspects = Suspects::open(&opening.stored, &mut shelf, &mut store);
        Ok(Replica {
            identity,
            actor,
            rng,
            store,
            shelf,
            suspects,
            link: Link::open(identity, &opening.stored),
            recording: Recording::left_behind(&opening.stored, &actor),
            utc_offset: None,
            opened: None,
            parked: Vec::new(),
            misaligned: Set::new(),
            awaiting_copies: Set::new(),
            unchecked: Set::new(),
            checking: Set::new(),
            miscounted: Set::new(),
            settling: Vec::new(),
            requests: 0,
            readings: Map::new(),
            read_rows: None,
            signings: Map::new(),
            unread: Vec::new(),
            read_again_at_ms: None,
            timer: None,
            topics: Set::new(),
            effects: Vec::new(),
        })
    }

    /// Takes in what happened and says what to do, in this order.
    pub fn handle(&mut self, now: Now, input: Input) -> Vec<Effect> {
        self.take(now, input);
        self.pump(now);
        std::mem::take(&mut self.effects)
    }

    fn take(&mut self, now: Now, input: Input) {
        let now_ms = now.monotonic_ms as u64;
        match input {
            Input::Start => self.read_recovering(),
            Input::Fix { fix, arrived_ms } => {
                if let Some(recording) = &mut self.recording {
                    recording.fix(&fix, arrived_ms, now, &mut self.shelf, &mut self.store);
                    self.topics.insert(Topic::Recording);
                }
            }
            Input::SensorFailed { reason } => {
                if let Some(recording) = &mut self.recording {
                    recording.sensor_failed(reason);
                    self.topics.insert(Topic::Recording);
                }
            }
            Input::Command { request, command } => {
                self.store.hurry(now_ms);
                self.command(now, request, command);
            }
            Input::Stored { batch } => {
                self.store.stored(batch);
                self.settle();
                self.saved();
            }
            Input::StoreFailed { batch, failure } => {
                if let Some(ticket) = self.store.failed(batch, failure, now_ms) {
                    let (failed, waiting) = self.settling.drain(..).partition(|(until, ..)| *until <= ticket);
                    self.settling = waiting;
                    let failed: Vec<(Ticket, u32, Outcome)> = failed;
                    for (_, request, _) in failed {
                        self.effects.push(Effect::Settled { request, outcome: Outcome::NotStored { failure } });
                    }
                }
                self.topics.insert(Topic::Status);
            }
            Input::Loaded { request, entries } => self.loaded(now, request, &entries),
            Input::LoadFailed { request, failure: _ } => self.load_failed(now, request),
            Input::Signed { request, signature } => self.signed(request, &signature),
            Input::Zone { utc_offset_min } => self.utc_offset = UtcOffset::from_minutes(utc_offset_min),
            Input::Network { online } => self.link.network(online, now_ms),
            Input::Connected { origin } => self.with_link(now, |link, desk| link.connected(origin, desk)),
            Input::Received { bytes } => self.with_link(now, |link, desk| link.received(&bytes, desk)),
            Input::Disconnected => {
                self.with_link(now, |link, desk| {
                    link.disconnected(desk);
                    Vec::new()
                });
                self.read_recovering();
                self.retry_parked(now);
            }
            Input::Hidden => {
                self.store.hurry(now_ms);
                if let Some(recording) = &mut self.recording {
                    recording.hidden(now, &mut self.shelf, &mut self.store);
                }
            }
            Input::Shown => {
                self.store.hurry(now_ms);
                if let Some(recording) = &mut self.recording {
                    recording.shown(now, &mut self.store);
                }
                self.link.network(true, now_ms);
            }
            Input::Tick => {
                self.timer = None;
                if let Some(recording) = &mut self.recording {
                    recording.tick(now, &mut self.shelf, &mut self.store);
                    self.topics.insert(Topic::Recording);
                }
                self.with_link(now, Link::tick);
            }
        }
    }

    /// Whatever can go on at this moment: rows, pushes, transactions, the timer, the news.
    fn pump(&mut self, now: Now) {
        let now_ms = now.monotonic_ms as u64;
        self.read_again(now_ms);
        let recorded = self.recording.as_ref().map(Recording::track);
        if self.shelf.fold_tracks(recorded) {
            self.topics.insert(Topic::Drives);
        }
        self.fold_stale();
        self.align_copies();
        self.count_again();
        self.leave_finished();
        if self.link.should_connect(now_ms) {
            self.effects.push(Effect::Connect);
            self.topics.insert(Topic::Status);
        }
        let mut reading = None;
        self.with_link(now, |link, desk| {
            let (outcomes, read) = link.pump(desk);
            reading = read;
            outcomes
        });
        if let Some((number, ranges)) = reading {
            let request = self.request();
            self.readings.insert(request, Reading::Push(number));
            self.effects.push(Effect::Load { request, ranges });
        }
        // What a command has waited for stays until it has everything: else its documents could push each other out.
        if self.parked.is_empty() && self.misaligned.is_empty() {
            let mut in_use: Vec<DocId> = self.recording.iter().map(Recording::track).collect();
            in_use.extend(self.compared());
            self.shelf.trim(&in_use);
        }
        self.shelf.write(&mut self.store);
        self.effects.extend(self.store.next(now_ms));
        self.set_timer(now_ms);
        if !self.topics.is_empty() {
            self.effects.push(Effect::Changed { topics: self.topics.take() });
        }
    }

    fn set_timer(&mut self, now_ms: u64) {
        let recording = self.recording.as_ref().and_then(|recording| recording.next_deadline(now_ms));
        let read = self.read_again_at_ms.map(|due| (due, "read storage again"));
        let deadlines = [self.store.next_deadline(), self.link.next_deadline(), recording, read];
        let Some((due, why)) = deadlines.into_iter().flatten().min() else { return };
        if self.timer != Some(due) {
            self.timer = Some(due);
            self.effects.push(Effect::SetTimer { in_ms: due.saturating_sub(now_ms) as f64, why });
        }
    }

    /// Lets the link work, and does what it wants done.
    fn with_link(&mut self, now: Now, work: impl FnOnce(&mut Link, &mut Desk<'_>) -> Vec<link::Outcome>) {
        let (before, was_under_way) = (self.link.status(&self.shelf), self.link.under_way());
        let mut desk = Desk {
            shelf: &mut self.shelf,
            store: &mut self.store,
            now_ms: now.monotonic_ms as u64,
            wall: now.wall,
            dice: self.rng.next_u64(),
        };
        let ticket = desk.store.ticket();
        let outcomes = work(&mut self.link, &mut desk);
        desk.shelf.write(desk.store);
        if self.store.ticket() != ticket {
            self.topics.extend(DOCUMENTS);
            self.topics.insert(Topic::Status);
        }
        if self.link.status(&self.shelf) != before {
            self.topics.insert(Topic::Status);
        }
        if self.link.under_way() != was_under_way {
            self.topics.extend([Topic::Drives, Topic::Status]);
        }
        for outcome in outcomes {
            match outcome {
                link::Outcome::Send(bytes) => self.effects.push(Effect::Send { bytes }),
                link::Outcome::Sign(bytes) => {
                    // A signature that comes late belongs to a connection that is gone.
                    self.signings.retain(|_, signing| !matches!(signing, Signing::Proof));
                    self.sign(bytes, Signing::Proof);
                }
                link::Outcome::Disconnect => {
                    self.effects.push(Effect::Disconnect);
                    self.read_recovering();
                    self.retry_parked(now);
                }
                link::Outcome::Fetched => {
                    self.read_recovering();
                    self.retry_parked(now);
                }
            }
        }
    }

    fn sign(&mut self, bytes: Vec<u8>, signing: Signing) {
        let request = self.request();
        self.signings.insert(request, signing);
        self.effects.push(Effect::Sign { request, bytes });
    }

    fn signed(&mut self, request: u32, signature: &[u8]) {
        let Some(signing) = self.signings.remove(&request) else { return };
        let Ok(signature) = <[u8; 64]>::try_from(signature) else { return };
        match signing {
            Signing::Proof => {
                if let Some(link::Outcome::Send(bytes)) = self.link.signed(signature) {
                    self.effects.push(Effect::Send { bytes });
                }
            }
            Signing::Grant(request, device) => {
                let grant = Grant { granted_by: self.identity.device, signature };
                let linked = Linked { account: self.identity.account, grant, device };
                let outcome = Outcome::Granted { grant: ByteBuf::from(shelf::cbor(&linked)) };
                self.effects.push(Effect::Settled { request, outcome });
            }
            Signing::Token(request, TokenTerms { account, origin, expires_at, expires_here_at }) => {
                let (device, origin) = (self.identity.device, Some(origin));
                let token = ReadToken { account, device, expires_at, signature, origin };
                let token = ByteBuf::from(token.to_bytes());
                let outcome = Outcome::Token { token, expires_at: expires_here_at };
                self.effects.push(Effect::Settled { request, outcome });
            }
        }
    }

    /// Answers commands whose writes have reached the disk.
    fn settle(&mut self) {
        let settling = std::mem::take(&mut self.settling);
        for (ticket, request, outcome) in settling {
            if self.store.is_durable(ticket) {
                self.effects.push(Effect::Settled { request, outcome });
            } else {
                self.settling.push((ticket, request, outcome));
            }
        }
    }

    fn saved(&mut self) {
        if let Some(recording) = &mut self.recording
            && recording.saved(&self.store)
        {
            self.topics.insert(Topic::Recording);
        }
        if self.store.is_idle() {
            self.topics.extend([Topic::Status, Topic::Drives]);
        }
    }

    fn request(&mut self) -> u32 {
        self.requests = self.requests.wrapping_add(1);
        self.requests
    }

    /// A new id for something that others find by its id.
    fn new_bound_id(&mut self) -> DocId {
        let mut part = [0; 6];
        self.rng.fill_bytes(&mut part);
        DocId::bound(&self.identity.account, part)
    }

    fn new_doc_id(&mut self, now: Now) -> DocId {
        let mut random = [0; 10];
        self.rng.fill_bytes(&mut random);
        DocId::new(now.wall, random)
    }
}
