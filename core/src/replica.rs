//! The phone's engine: [`Replica::handle`] takes an input and returns effects.
//!
//! It records, edits, stores and syncs. It has no clock, no randomness of its own and no IO: the shell supplies time
//! and events and performs the effects. Views are read by pure functions.

mod bootstrap;
mod commands;
mod crash_guard;
mod device;
mod documents;
mod drive_stats;
mod invariants;
pub mod io;
mod journal;
mod published_copies;
mod reconcile;
mod recording;
mod recovery;
mod signing;
mod storage_reads;
mod sync_client;
#[cfg(test)]
mod tests;
mod write_queue;

pub mod views;

pub use self::bootstrap::{Bootstrap, DeviceGrant, OpenError};
use crate::id::{DeviceKey, DocId};
use crate::replica::bootstrap::identity;
use crate::replica::commands::CommandQueue;
use crate::replica::crash_guard::CrashGuard;
use crate::replica::device::Device;
use crate::replica::documents::DocumentStore;
use crate::replica::drive_stats::StatsReconciler;
use crate::replica::io::{CommandOutcome, Effect, Input, Topic};
use crate::replica::published_copies::CopyReconciler;
use crate::replica::reconcile::ReconcileContext;
use crate::replica::recording::Recording;
use crate::replica::signing::{Signatures, Signing};
use crate::replica::storage_reads::{StorageRead, StorageReads};
use crate::replica::sync_client::{SyncClient, SyncContext};
use crate::replica::views::TrackView;
use crate::replica::write_queue::WriteQueue;
use crate::sorted::Set;
use crate::time::{Now, UtcOffset};

/// The phone's engine.
#[derive(Debug)]
pub struct Replica {
    device: Device,
    writes: WriteQueue,
    documents: DocumentStore,
    crash_guard: CrashGuard,
    sync_client: SyncClient,
    recording: Option<Recording>,
    opened: Option<TrackView>,
    commands: CommandQueue,
    copy_reconciler: CopyReconciler,
    stats_reconciler: StatsReconciler,
    reads: StorageReads,
    signatures: Signatures,
    output: Output,
}

/// Effects and topics for the shell.
#[derive(Debug, Default)]
struct Output {
    effects: Vec<Effect>,
    /// Views that changed since the last answer.
    topics: Set<Topic>,
    /// When the shell's timer fires, on the monotonic clock.
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

/// Topics of views that are derived from documents.
const DOCUMENT_TOPICS: [Topic; 5] = [Topic::Drives, Topic::Cars, Topic::Account, Topic::Social, Topic::Meets];

impl Replica {
    /// Opens the replica from stored entries. [`Input::Start`] starts it.
    ///
    /// # Errors
    /// [`OpenError`] if an argument of the shell is invalid.
    pub fn open(bootstrap: &Bootstrap) -> Result<Replica, OpenError> {
        let seed: [u8; 32] = bootstrap.seed.as_slice().try_into().map_err(|_| OpenError::WrongLength)?;
        let device = DeviceKey(bootstrap.device.as_slice().try_into().map_err(|_| OpenError::WrongLength)?);
        let mut writes = WriteQueue::default();
        let identity = identity(device, bootstrap, &mut writes)?;
        let device = Device::new(identity, seed);
        let mut documents = DocumentStore::open(device.actor, &bootstrap.stored);
        let crash_guard = CrashGuard::open(&bootstrap.stored, &mut documents, &mut writes);
        Ok(Replica {
            writes,
            documents,
            crash_guard,
            sync_client: SyncClient::open(identity, &bootstrap.stored),
            recording: Recording::left_behind(&bootstrap.stored, &device.actor),
            device,
            opened: None,
            commands: CommandQueue::default(),
            copy_reconciler: CopyReconciler::default(),
            stats_reconciler: StatsReconciler::default(),
            reads: StorageReads::default(),
            signatures: Signatures::default(),
            output: Output::default(),
        })
    }

    /// Handles an input and returns the effects, in their order.
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
                    recording.fix(&fix, arrived_ms, now, &mut self.documents, &mut self.writes);
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
                self.writes.retry_now(now_ms);
                self.command(now, request, command);
            }
            Input::Stored { batch } => {
                self.writes.stored(batch);
                self.settle_commands();
                self.writes_saved();
            }
            Input::StoreFailed { batch, failure } => {
                if let Some(seq) = self.writes.failed(batch, failure, now_ms) {
                    for request in self.commands.take_failed(seq) {
                        self.output
                            .effects
                            .push(Effect::Settled { request, outcome: CommandOutcome::NotStored { failure } });
                    }
                }
                self.output.topics.insert(Topic::Status);
            }
            Input::Loaded { request, entries } => self.loaded(now, request, &entries),
            Input::LoadFailed { request, failure: _ } => self.load_failed(now, request),
            Input::Signed { request, signature } => self.signed(request, &signature),
            Input::Zone { utc_offset_min } => self.device.utc_offset = UtcOffset::from_minutes(utc_offset_min),
            Input::Network { online } => self.sync_client.set_network(online, now_ms),
            Input::Connected { origin } => {
                self.with_sync_client(now, |sync_client, context| sync_client.connected(origin, context))
            }
            Input::Received { bytes } => {
                self.with_sync_client(now, |sync_client, context| sync_client.received(&bytes, context))
            }
            Input::Disconnected => {
                self.with_sync_client(now, |sync_client, context| {
                    sync_client.disconnected(context);
                    Vec::new()
                });
                self.read_recovering();
                self.retry_parked(now);
            }
            Input::Hidden => {
                self.writes.retry_now(now_ms);
                if let Some(recording) = &mut self.recording {
                    recording.hidden(now, &mut self.documents, &mut self.writes);
                }
            }
            Input::Shown => {
                self.writes.retry_now(now_ms);
                if let Some(recording) = &mut self.recording {
                    recording.shown(now, &mut self.writes);
                }
                self.sync_client.set_network(true, now_ms);
            }
            Input::Tick => {
                self.output.timer = None;
                if let Some(recording) = &mut self.recording {
                    recording.tick(now, &mut self.documents, &mut self.writes);
                    self.output.topics.insert(Topic::Recording);
                }
                self.with_sync_client(now, SyncClient::tick);
            }
        }
    }

    /// Advances every component: rows, pushes, transactions, the timer, notifications.
    fn pump(&mut self, now: Now) {
        let now_ms = now.monotonic_ms as u64;
        self.read_again(now_ms);
        let recorded = self.recording.as_ref().map(Recording::track);
        if self.documents.fold_tracks(recorded) {
            self.output.topics.insert(Topic::Drives);
        }
        self.fold_stale();
        self.reconcile();
        self.leave_finished();
        if self.sync_client.should_connect(now_ms) {
            self.output.effects.push(Effect::Connect);
            self.output.topics.insert(Topic::Status);
        }
        let mut reading = None;
        self.with_sync_client(now, |sync_client, context| {
            let (outcomes, read) = sync_client.pump(context);
            reading = read;
            outcomes
        });
        if let Some((number, ranges)) = reading {
            let request = self.output.next_request();
            self.reads.begin(request, StorageRead::Push(number));
            self.output.effects.push(Effect::Load { request, ranges });
        }
        // The documents of a waiting command stay in memory until it is complete; otherwise they could evict each
        // other.
        if !self.commands.has_waiting() && !self.copy_reconciler.is_aligning() {
            let mut in_use: Vec<DocId> = self.recording.iter().map(Recording::track).collect();
            in_use.extend(self.copy_reconciler.in_use(&self.documents, &self.device.identity.account));
            self.documents.evict(&in_use);
        }
        self.documents.write(&mut self.writes);
        self.output.effects.extend(self.writes.next(now_ms));
        self.set_timer(now_ms);
        if !self.output.topics.is_empty() {
            self.output.effects.push(Effect::Changed { topics: self.output.topics.take() });
        }
    }

    /// Polls the reconcilers.
    fn reconcile(&mut self) {
        for event in self.documents.take_events() {
            self.copy_reconciler.note(event);
            self.stats_reconciler.note(event);
        }
        let mut context = ReconcileContext {
            account: self.device.identity.account,
            documents: &mut self.documents,
            writes: &mut self.writes,
            reads: &mut self.reads,
            sync_client: &mut self.sync_client,
            output: &mut self.output,
            recorded: self.recording.as_ref().map(Recording::drive),
        };
        self.copy_reconciler.poll(&mut context);
        self.stats_reconciler.poll(&mut context);
    }

    fn set_timer(&mut self, now_ms: u64) {
        let recording = self.recording.as_ref().and_then(|recording| recording.next_deadline(now_ms));
        let deadlines =
            [self.writes.next_deadline(), self.sync_client.next_deadline(), recording, self.reads.next_deadline()];
        let Some((due, why)) = deadlines.into_iter().flatten().min() else { return };
        if self.output.timer != Some(due) {
            self.output.timer = Some(due);
            self.output.effects.push(Effect::SetTimer { in_ms: due.saturating_sub(now_ms) as f64, why });
        }
    }

    /// Runs the sync client and performs its effects.
    fn with_sync_client(
        &mut self,
        now: Now,
        work: impl FnOnce(&mut SyncClient, &mut SyncContext<'_>) -> Vec<sync_client::SyncEffect>,
    ) {
        let (before, was_under_way) =
            (self.sync_client.status(&self.documents), self.sync_client.under_way(&self.documents));
        let mut context = SyncContext {
            documents: &mut self.documents,
            writes: &mut self.writes,
            now_ms: now.monotonic_ms as u64,
            wall: now.wall,
            random: self.device.random(),
        };
        let seq = context.writes.write_seq();
        let outcomes = work(&mut self.sync_client, &mut context);
        context.documents.write(context.writes);
        if self.writes.write_seq() != seq {
            self.output.topics.extend(DOCUMENT_TOPICS);
            self.output.topics.insert(Topic::Status);
        }
        if self.sync_client.status(&self.documents) != before {
            self.output.topics.insert(Topic::Status);
        }
        if self.sync_client.under_way(&self.documents) != was_under_way {
            self.output.topics.extend([Topic::Drives, Topic::Status]);
        }
        for outcome in outcomes {
            match outcome {
                sync_client::SyncEffect::Send(bytes) => self.output.effects.push(Effect::Send { bytes }),
                sync_client::SyncEffect::Sign(bytes) => {
                    // A late signature belongs to a connection that is closed.
                    self.signatures.forget_proof();
                    self.sign(bytes, Signing::Proof);
                }
                sync_client::SyncEffect::Disconnect => {
                    self.output.effects.push(Effect::Disconnect);
                    self.read_recovering();
                    self.retry_parked(now);
                }
                sync_client::SyncEffect::Fetched => {
                    self.read_recovering();
                    self.retry_parked(now);
                }
            }
        }
    }

    /// Answers the commands whose writes are on disk.
    fn settle_commands(&mut self) {
        let settled = self.commands.take_settled(&self.writes).into_iter();
        self.output.effects.extend(settled.map(|(request, outcome)| Effect::Settled { request, outcome }));
    }

    fn writes_saved(&mut self) {
        if let Some(recording) = &mut self.recording
            && recording.saved(&self.writes)
        {
            self.output.topics.insert(Topic::Recording);
        }
        if self.writes.is_idle() {
            self.output.topics.extend([Topic::Status, Topic::Drives]);
        }
    }
}
