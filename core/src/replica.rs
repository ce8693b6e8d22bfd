//! The phone's engine behind one door: [`Replica::handle`] takes what happened and says what to do.
//!
//! It records, edits, stores and syncs. It has no clock, no chance and no IO: the shell brings time and events and
//! performs the effects. What it shows is read through plain functions.

mod commands;
mod copies;
mod device;
mod figures;
mod invariants;
pub mod io;
mod journal;
mod link;
mod opening;
mod reading;
mod recording;
mod recovery;
mod shelf;
mod signing;
mod store;
mod suspects;
#[cfg(test)]
mod tests;
mod views;

pub mod view;

pub use self::opening::{Linked, OpenError, Opening};
use crate::id::{DeviceKey, DocId};
use crate::replica::commands::CommandQueue;
use crate::replica::device::Device;
use crate::replica::io::{Effect, Input, Outcome, Topic};
use crate::replica::link::{Desk, Link};
use crate::replica::opening::identity;
use crate::replica::reading::{Reading, StorageReads};
use crate::replica::recording::Recording;
use crate::replica::shelf::Shelf;
use crate::replica::signing::{Signatures, Signing};
use crate::replica::store::Store;
use crate::replica::suspects::Suspects;
use crate::replica::view::TrackView;
use crate::sorted::Set;
use crate::time::{Now, UtcOffset};

/// The phone's engine.
#[derive(Debug)]
pub struct Replica {
    device: Device,
    store: Store,
    shelf: Shelf,
    suspects: Suspects,
    link: Link,
    recording: Option<Recording>,
    opened: Option<TrackView>,
    commands: CommandQueue,
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
    reads: StorageReads,
    signatures: Signatures,
    output: Output,
}

/// What the shell is to do, and what it is asked.
#[derive(Debug, Default)]
struct Output {
    effects: Vec<Effect>,
    /// What looks different since the last answer.
    topics: Set<Topic>,
    /// When the shell's timer goes off, on the monotonic clock.
    timer: Option<u64>,
    /// The number of the last request to the shell.
    last_request: u32,
}

impl Output {
    /// Returns a number for a request to the shell.
    fn next_request(&mut self) -> u32 {
        self.last_request = self.last_request.wrapping_add(1);
        self.last_request
    }
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
        let mut store = Store::default();
        let identity = identity(device, opening, &mut store)?;
        let device = Device::new(identity, seed);
        let mut shelf = Shelf::open(device.actor, &opening.stored);
        let suspects = Suspects::open(&opening.stored, &mut shelf, &mut store);
        Ok(Replica {
            store,
            shelf,
            suspects,
            link: Link::open(identity, &opening.stored),
            recording: Recording::left_behind(&opening.stored, &device.actor),
            device,
            opened: None,
            commands: CommandQueue::default(),
            misaligned: Set::new(),
            awaiting_copies: Set::new(),
            unchecked: Set::new(),
            checking: Set::new(),
            miscounted: Set::new(),
            reads: StorageReads::default(),
            signatures: Signatures::default(),
            output: Output::default(),
        })
    }

    /// Takes in what happened and says what to do, in this order.
    pub fn handle(&mut self, now: Now, input: Input) -> Vec<Effect> {
        self.take(now, input);
        self.pump(now);
        std::mem::take(&mut self.output.effects)
    }

    fn take(&mut self, now: Now, input: Input) {
        let now_ms = now.monotonic_ms as u64;
        match input {
            Input::Start => self.read_recovering(),
            Input::Fix { fix, arrived_ms } => {
                if let Some(recording) = &mut self.recording {
                    recording.fix(&fix, arrived_ms, now, &mut self.shelf, &mut self.store);
                    self.output.topics.insert(Topic::Recording);
                }
            }
            Input::SensorFailed { reason } => {
                if let Some(recording) = &mut self.recording {
                    recording.sensor_failed(reason);
                    self.output.topics.insert(Topic::Recording);
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
                    for request in self.commands.take_failed(ticket) {
                        self.output.effects.push(Effect::Settled { request, outcome: Outcome::NotStored { failure } });
                    }
                }
                self.output.topics.insert(Topic::Status);
            }
            Input::Loaded { request, entries } => self.loaded(now, request, &entries),
            Input::LoadFailed { request, failure: _ } => self.load_failed(now, request),
            Input::Signed { request, signature } => self.signed(request, &signature),
            Input::Zone { utc_offset_min } => self.device.utc_offset = UtcOffset::from_minutes(utc_offset_min),
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
                self.output.timer = None;
                if let Some(recording) = &mut self.recording {
                    recording.tick(now, &mut self.shelf, &mut self.store);
                    self.output.topics.insert(Topic::Recording);
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
            self.output.topics.insert(Topic::Drives);
        }
        self.fold_stale();
        self.align_copies();
        self.count_again();
        self.leave_finished();
        if self.link.should_connect(now_ms) {
            self.output.effects.push(Effect::Connect);
            self.output.topics.insert(Topic::Status);
        }
        let mut reading = None;
        self.with_link(now, |link, desk| {
            let (outcomes, read) = link.pump(desk);
            reading = read;
            outcomes
        });
        if let Some((number, ranges)) = reading {
            let request = self.output.next_request();
            self.reads.begin(request, Reading::Push(number));
            self.output.effects.push(Effect::Load { request, ranges });
        }
        // What a command has waited for stays until it has everything: else its documents could push each other out.
        if !self.commands.has_waiting() && self.misaligned.is_empty() {
            let mut in_use: Vec<DocId> = self.recording.iter().map(Recording::track).collect();
            in_use.extend(self.compared());
            self.shelf.trim(&in_use);
        }
        self.shelf.write(&mut self.store);
        self.output.effects.extend(self.store.next(now_ms));
        self.set_timer(now_ms);
        if !self.output.topics.is_empty() {
            self.output.effects.push(Effect::Changed { topics: self.output.topics.take() });
        }
    }

    fn set_timer(&mut self, now_ms: u64) {
        let recording = self.recording.as_ref().and_then(|recording| recording.next_deadline(now_ms));
        let deadlines = [self.store.next_deadline(), self.link.next_deadline(), recording, self.reads.next_deadline()];
        let Some((due, why)) = deadlines.into_iter().flatten().min() else { return };
        if self.output.timer != Some(due) {
            self.output.timer = Some(due);
            self.output.effects.push(Effect::SetTimer { in_ms: due.saturating_sub(now_ms) as f64, why });
        }
    }

    /// Lets the link work, and does what it wants done.
    fn with_link(&mut self, now: Now, work: impl FnOnce(&mut Link, &mut Desk<'_>) -> Vec<link::Outcome>) {
        let (before, was_under_way) = (self.link.status(&self.shelf), self.link.under_way(&self.shelf));
        let mut desk = Desk {
            shelf: &mut self.shelf,
            store: &mut self.store,
            now_ms: now.monotonic_ms as u64,
            wall: now.wall,
            dice: self.device.random(),
        };
        let ticket = desk.store.ticket();
        let outcomes = work(&mut self.link, &mut desk);
        desk.shelf.write(desk.store);
        if self.store.ticket() != ticket {
            self.output.topics.extend(DOCUMENTS);
            self.output.topics.insert(Topic::Status);
        }
        if self.link.status(&self.shelf) != before {
            self.output.topics.insert(Topic::Status);
        }
        if self.link.under_way(&self.shelf) != was_under_way {
            self.output.topics.extend([Topic::Drives, Topic::Status]);
        }
        for outcome in outcomes {
            match outcome {
                link::Outcome::Send(bytes) => self.output.effects.push(Effect::Send { bytes }),
                link::Outcome::Sign(bytes) => {
                    // A signature that comes late belongs to a connection that is gone.
                    self.signatures.forget_proof();
                    self.sign(bytes, Signing::Proof);
                }
                link::Outcome::Disconnect => {
                    self.output.effects.push(Effect::Disconnect);
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

    /// Answers commands whose writes have reached the disk.
    fn settle(&mut self) {
        let settled = self.commands.take_settled(&self.store).into_iter();
        self.output.effects.extend(settled.map(|(request, outcome)| Effect::Settled { request, outcome }));
    }

    fn saved(&mut self) {
        if let Some(recording) = &mut self.recording
            && recording.saved(&self.store)
        {
            self.output.topics.insert(Topic::Recording);
        }
        if self.store.is_idle() {
            self.output.topics.extend([Topic::Status, Topic::Drives]);
        }
    }
}
