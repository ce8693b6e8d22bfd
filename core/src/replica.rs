//! The phone's engine: [`Replica::handle`] takes an input and returns effects.
//!
//! It records, edits, stores and syncs. It has no clock, no randomness of its own and no IO: the shell supplies time
//! and events and performs the effects. Views are read by pure functions.

mod bootstrap;
mod commands;
mod connection;
mod crash_guard;
mod device;
mod documents;
mod drive_stats;
#[cfg(feature = "faults")]
mod faults;
mod invariants;
pub mod io;
mod journal;
mod membership;
mod output;
mod place_finder;
mod polling;
mod profile_attack;
mod published_copies;
mod reconcile;
mod recording;
mod recovery;
mod redacted_copy;
mod redactions;
mod signing;
mod storage_reads;
mod storage_writes;
mod sync_client;
#[cfg(test)]
mod tests;
mod write_queue;

pub mod views;

pub use self::bootstrap::{Bootstrap, DeviceGrant, OpenError};
#[cfg(feature = "faults")]
pub use self::faults::Fault;
use crate::id::DeviceKey;
use crate::replica::bootstrap::identity;
use crate::replica::commands::CommandQueue;
use crate::replica::device::Device;
use crate::replica::documents::DocumentStore;
use crate::replica::io::{Effect, Input, Topic};
use crate::replica::membership::Membership;
use crate::replica::output::Output;
use crate::replica::reconcile::Reconcilers;
use crate::replica::recording::Recording;
use crate::replica::storage_reads::StorageReads;
use crate::replica::sync_client::SyncClient;
use crate::replica::write_queue::WriteQueue;
use crate::time::{Now, UtcOffset};

/// The phone's engine.
#[derive(Debug)]
pub struct Replica {
    device: Device,
    writes: WriteQueue,
    reads: StorageReads,
    documents: DocumentStore,
    sync_client: SyncClient,
    membership: Membership,
    recording: Option<Recording>,
    commands: CommandQueue,
    reconcilers: Reconcilers,
    output: Output,
    #[cfg(feature = "faults")]
    faults: faults::Faults,
}

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
        Ok(Replica {
            reads: StorageReads::open(&bootstrap.stored, &mut documents, &mut writes),
            writes,
            documents,
            sync_client: SyncClient::open(identity, &bootstrap.stored),
            membership: Membership::open(identity, &bootstrap.stored),
            recording: Recording::left_behind(&bootstrap.stored, &device.actor),
            device,
            commands: CommandQueue::default(),
            reconcilers: Reconcilers::open(&bootstrap.stored),
            output: Output::default(),
            #[cfg(feature = "faults")]
            faults: faults::Faults::default(),
        })
    }

    /// Handles an input and returns the effects, in their order.
    ///
    /// # Examples
    /// A phone without a network makes a car. The command is settled when the shell has stored its changes:
    /// ```
    /// use std::collections::VecDeque;
    ///
    /// use serde_bytes::ByteBuf;
    /// use tourismo_core::docs::CarFields;
    /// use tourismo_core::replica::io::{Command, CommandOutcome, Effect, Input};
    /// use tourismo_core::replica::{Bootstrap, Replica};
    /// use tourismo_core::time::{Now, Timestamp};
    ///
    /// let bootstrap = Bootstrap {
    ///     seed: ByteBuf::from([1; 32]),
    ///     device: ByteBuf::from([2; 32]),
    ///     grant: None,
    ///     stored: Vec::new(),
    /// };
    /// let mut replica = Replica::open(&bootstrap)?;
    /// let now = Now { wall: Timestamp(1_700_000_000_000), monotonic_ms: 0.0 };
    ///
    /// let fields = CarFields { nickname: "Blue".to_owned(), ..CarFields::default() };
    /// let command = Command::PutCar { car: None, fields };
    /// let mut inputs = VecDeque::from([Input::Start, Input::Command { request: 1, command }]);
    /// let mut is_done = false;
    /// while let Some(input) = inputs.pop_front() {
    ///     for effect in replica.handle(now, input) {
    ///         match effect {
    ///             // A shell writes the operations in one durable transaction before it answers.
    ///             Effect::Store { batch, .. } => inputs.push_back(Input::Stored { batch }),
    ///             Effect::Settled { request: 1, outcome } => is_done = matches!(outcome, CommandOutcome::Done { .. }),
    ///             _ => {}
    ///         }
    ///     }
    /// }
    /// assert!(is_done);
    /// assert_eq!(replica.cars()[0].fields.nickname, "Blue");
    /// # Ok::<(), tourismo_core::replica::OpenError>(())
    /// ```
    pub fn handle(&mut self, now: Now, input: Input) -> Vec<Effect> {
        #[cfg(not(feature = "faults"))]
        self.route(now, input);
        #[cfg(feature = "faults")]
        self.route_with_fault(now, input);
        self.poll(now);
        self.set_timer(now);
        self.output.take()
    }

    /// Passes an input to the component that handles it.
    fn route(&mut self, now: Now, input: Input) {
        match input {
            Input::Start => self.read_recovering(),
            Input::Fix { fix, arrived_ms } => {
                self.with_recording(|recording, documents, writes| {
                    recording.fix(&fix, arrived_ms, now, documents, writes);
                });
            }
            Input::SensorFailed { reason } => self.with_recording(|recording, _, _| recording.sensor_failed(reason)),
            Input::Command { request, command } => {
                self.retry_writes(now);
                self.command(now, request, command);
            }
            Input::Stored { batch } => self.stored(batch),
            Input::StoreFailed { batch, failure } => self.store_failed(now, batch, failure),
            Input::Loaded { request, entries } => self.loaded(now, request, &entries),
            Input::LoadFailed { request, failure: _ } => self.load_failed(now, request),
            Input::Signed { request, signature } => self.signed(now, request, &signature),
            Input::Zone { utc_offset_min } => self.device.utc_offset = UtcOffset::from_minutes(utc_offset_min),
            Input::Network { online } => self.sync_client.set_network(online, now.monotonic_ms as u64),
            Input::Connected { origin } => {
                self.with_sync_client(now, |sync_client, context| sync_client.connected(origin, context));
            }
            Input::Received { bytes } => {
                self.with_sync_client(now, |sync_client, context| sync_client.received(&bytes, context));
            }
            Input::Disconnected => self.disconnected(now),
            Input::Hidden => {
                self.retry_writes(now);
                self.with_recording(|recording, documents, writes| recording.hidden(now, documents, writes));
            }
            Input::Shown => {
                self.retry_writes(now);
                self.with_recording(|recording, _, writes| recording.shown(now, writes));
                self.sync_client.set_network(true, now.monotonic_ms as u64);
            }
            Input::Tick => {
                self.output.timer_fired();
                self.with_recording(|recording, documents, writes| recording.tick(now, documents, writes));
                self.with_sync_client(now, SyncClient::tick);
            }
        }
    }

    /// Passes something to the recording, if there is one.
    fn with_recording(&mut self, work: impl FnOnce(&mut Recording, &mut DocumentStore, &mut WriteQueue)) {
        if let Some(recording) = &mut self.recording {
            work(recording, &mut self.documents, &mut self.writes);
            self.output.topics.insert(Topic::Recording);
        }
    }

    /// Retries a failed transaction immediately: the user is present, and may have freed space.
    fn retry_writes(&mut self, now: Now) {
        self.writes.retry_now(now.monotonic_ms as u64);
    }

    /// Sets the shell's timer to the earliest deadline of a component.
    fn set_timer(&mut self, now: Now) {
        let now_ms = now.monotonic_ms as u64;
        let recording = self.recording.as_ref().and_then(|recording| recording.next_deadline(now_ms));
        let deadlines =
            [self.writes.next_deadline(), self.sync_client.next_deadline(), recording, self.reads.next_deadline()];
        if let Some(deadline) = deadlines.into_iter().flatten().min() {
            self.output.set_timer(now_ms, deadline);
        }
    }
}
