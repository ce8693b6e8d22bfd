//! Polls the components after each input.

use crate::id::DocId;
use crate::replica::Replica;
use crate::replica::io::Topic;
use crate::replica::reconcile::{ReconcileContext, Reconcilers};
use crate::replica::recording::Recording;
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
    /// The reconciler of published copies.
    Copies,
    /// The reconciler of statistics.
    Stats,
    /// The recording of a killed app.
    Recovery,
    /// The sync client.
    SyncClient,
    /// The documents in memory.
    Memory,
    /// The write queue.
    Writes,
}

const COMPONENTS: [Component; 9] = [
    Component::Reads,
    Component::Tracks,
    Component::Rows,
    Component::Copies,
    Component::Stats,
    Component::Recovery,
    Component::SyncClient,
    Component::Memory,
    Component::Writes,
];

impl Replica {
    /// Polls the components.
    pub(super) fn poll(&mut self, now: Now) {
        for component in COMPONENTS {
            self.poll_component(now, component);
        }
    }

    /// Returns whether the component had anything to do.
    fn poll_component(&mut self, now: Now, component: Component) -> bool {
        match component {
            Component::Reads => self.poll_reads(now),
            Component::Tracks => self.poll_tracks(),
            Component::Rows => self.poll_rows(),
            Component::Copies => self.with_reconcilers(Reconcilers::poll_copies),
            Component::Stats => self.with_reconcilers(Reconcilers::poll_stats),
            Component::Recovery => self.poll_recovery(),
            Component::SyncClient => self.poll_sync_client(now),
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

    fn with_reconcilers(&mut self, poll: fn(&mut Reconcilers, &mut ReconcileContext<'_>) -> bool) -> bool {
        let mut context = ReconcileContext {
            account: self.device.identity.account,
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
            let account = &self.device.identity.account;
            let mut in_use: Vec<DocId> = self.recording.iter().map(Recording::track).collect();
            in_use.extend(self.reconcilers.copies.in_use(&self.documents, account));
            self.documents.evict(&in_use);
        }
        // Nothing waits for room in memory.
        false
    }
}
