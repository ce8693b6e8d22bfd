//! Polls the components after each input, until none has anything to do.
//!
//! The order does not matter: each component acts on the state that is there when it is polled, and is polled again. The
//! simulator polls in random orders.

use crate::projection::DocumentRow;
use crate::replica::Replica;
use crate::replica::io::Topic;
use crate::replica::reconcile::{ReconcileContext, Reconcilers};
use crate::replica::recording::Recording;
use crate::replica::views::TrackView;
use crate::time::Now;

/// A component that may have work although no input is for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Component {
    /// Reads of documents that failed.
    Reads,
    /// Rows of tracks in memory.
    Tracks,
    /// Rows of documents in storage.
    Rows,
    /// The list of private places.
    Places,
    /// The reconciler of what published copies show.
    Redactions,
    /// The commands that wait for it.
    Commands,
    /// The reconciler of published copies.
    Copies,
    /// The reconciler of statistics.
    Stats,
    /// The attack on the own profile.
    Attack,
    /// The recording of a killed app.
    Recovery,
    /// The sync client.
    SyncClient,
    /// The documents in memory.
    Memory,
    /// The write queue.
    Writes,
}

const COMPONENTS: [Component; 13] = [
    Component::Reads,
    Component::Tracks,
    Component::Rows,
    Component::Places,
    Component::Redactions,
    Component::Commands,
    Component::Copies,
    Component::Stats,
    Component::Attack,
    Component::Recovery,
    Component::SyncClient,
    Component::Memory,
    Component::Writes,
];

/// Maximum number of rounds after one input. What is left then is done after the next input.
const MAX_ROUNDS: u32 = 100;

impl Replica {
    /// Polls the components until none has anything to do.
    pub(super) fn poll(&mut self, now: Now) {
        let random = self.device.random();
        for _ in 0..MAX_ROUNDS {
            let mut is_at_rest = true;
            for component in self.poll_order() {
                is_at_rest &= !self.poll_component(now, random, component);
            }
            if is_at_rest {
                return;
            }
        }
        debug_assert!(false, "the components come to rest");
    }

    #[cfg(not(feature = "faults"))]
    fn poll_order(&self) -> [Component; 13] {
        COMPONENTS
    }

    /// Returns the order of the next round: any, if the simulator wants that.
    #[cfg(feature = "faults")]
    fn poll_order(&mut self) -> [Component; 13] {
        let mut order = COMPONENTS;
        self.faults.shuffle(&mut order);
        order
    }

    /// Returns whether the component had anything to do.
    fn poll_component(&mut self, now: Now, random: u64, component: Component) -> bool {
        match component {
            Component::Reads => self.poll_reads(now),
            Component::Tracks => self.poll_tracks(),
            Component::Rows => self.poll_rows(),
            Component::Places => self.with_reconcilers(Reconcilers::poll_places),
            Component::Redactions => self.poll_redactions(),
            Component::Commands => self.poll_commands(now),
            Component::Copies => self.with_reconcilers(Reconcilers::poll_copies),
            Component::Stats => self.with_reconcilers(Reconcilers::poll_stats),
            Component::Attack => self.with_reconcilers(Reconcilers::poll_attack),
            Component::Recovery => self.poll_recovery(),
            Component::SyncClient => self.poll_sync_client(now, random),
            Component::Memory => self.poll_memory(),
            Component::Writes => self.poll_writes(now),
        }
    }

    /// Folds the rows of changed tracks in memory.
    fn poll_tracks(&mut self) -> bool {
        let folds = self.documents.fold_tracks(self.recording.as_ref().map(Recording::track));
        if folds {
            self.output.topics.insert(Topic::Drives);
        }
        folds
    }

    /// Compares published copies with the places. The opened drive shows what is hidden by the new ones.
    fn poll_redactions(&mut self) -> bool {
        let before = self.reconcilers.redactions.generation();
        let is_active = self.with_reconcilers(Reconcilers::poll_redactions);
        if self.reconcilers.redactions.generation() != before
            && let Some(TrackView::Ready { drive, .. }) = self.output.opened
            && let Some(DocumentRow::Drive(fields)) = self.documents.row(&drive)
            && let Some(track) = fields.track
        {
            self.show_again(drive, &track);
        }
        is_active
    }

    /// Returns whether everything that others see was compared with all places that are known here.
    pub(super) fn is_redaction_settled(&self) -> bool {
        self.reconcilers.is_redaction_settled(&self.documents, &self.device.identity.account)
    }

    /// Attempts the commands again that publish something, once nothing is left to be withdrawn before.
    fn poll_commands(&mut self, now: Now) -> bool {
        let is_due = self.commands.awaits_redaction() && self.is_redaction_settled();
        if is_due {
            self.retry_waiting(now);
        }
        is_due
    }

    fn with_reconcilers(&mut self, poll: fn(&mut Reconcilers, &mut ReconcileContext<'_>) -> bool) -> bool {
        let mut context = ReconcileContext {
            account: self.device.identity.account,
            device: &mut self.device,
            documents: &mut self.documents,
            writes: &mut self.writes,
            reads: &mut self.reads,
            sync_client: &mut self.sync_client,
            output: &mut self.output,
            recorded: self.recording.as_ref().map(Recording::drive),
        };
        poll(&mut self.reconcilers, &mut context)
    }

    /// Evicts documents from memory that nothing uses.
    ///
    /// The documents of a waiting command stay in memory until it is complete; otherwise they could evict each other.
    fn poll_memory(&mut self) -> bool {
        if !self.commands.has_waiting() && !self.reconcilers.copies.is_aligning() {
            let mut in_use = self.reconcilers.in_use(&self.documents, &self.device.identity.account);
            in_use.extend(self.recording.iter().map(Recording::track));
            self.documents.evict(&in_use);
        }
        // Nothing waits for room in memory.
        false
    }
}
