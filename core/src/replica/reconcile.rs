//! The reconcilers, and the state of the replica that they use. Each owns its queue of drives.

use crate::id::{AccountId, DocId};
use crate::replica::commands::singleton_id;
use crate::replica::device::Device;
use crate::replica::documents::{DocumentRecord, DocumentStore};
use crate::replica::drive_stats::StatsReconciler;
use crate::replica::io::StoredEntry;
use crate::replica::output::Output;
use crate::replica::place_finder::PlaceFinder;
use crate::replica::profile_attack::ProfileAttack;
use crate::replica::published_copies::CopyReconciler;
use crate::replica::redactions::RedactionReconciler;
use crate::replica::storage_reads::StorageReads;
use crate::replica::sync_client::SyncClient;
use crate::replica::write_queue::{WriteQueue, WriteSeq};
use crate::sorted::Set;
use crate::wire::DocKind;

/// The reconcilers.
#[derive(Debug, Default)]
pub(super) struct Reconcilers {
    pub(super) places: PlaceFinder,
    pub(super) redactions: RedactionReconciler,
    pub(super) copies: CopyReconciler,
    pub(super) stats: StatsReconciler,
    pub(super) attack: ProfileAttack,
}

impl Reconcilers {
    /// Opens the reconcilers from stored entries.
    pub(super) fn open(stored: &[StoredEntry]) -> Reconcilers {
        Reconcilers { redactions: RedactionReconciler::open(stored), ..Reconcilers::default() }
    }

    /// Returns the documents that the reconcilers need in memory.
    pub(super) fn in_use(&self, documents: &DocumentStore, account: &AccountId) -> Set<DocId> {
        let mut in_use = Set::new();
        in_use.extend(self.redactions.in_use(documents));
        in_use.extend(self.copies.in_use(documents, account));
        in_use.extend(self.stats.in_use(documents));
        in_use.extend(self.attack.in_use());
        in_use
    }

    /// Passes the events of documents to each reconciler.
    fn take_events(&mut self, documents: &mut DocumentStore) {
        for event in documents.take_events() {
            self.places.note(event);
            self.redactions.note(event);
            self.copies.note(event);
            self.stats.note(event);
        }
    }

    /// Returns whether all places are known and every published copy was compared with them.
    pub(super) fn is_redaction_settled(&self, documents: &DocumentStore, account: &AccountId) -> bool {
        self.are_places_settled(documents) && self.redactions.is_settled(documents.places(account))
    }

    fn are_places_settled(&self, documents: &DocumentStore) -> bool {
        !documents.has_events() && documents.some_stale(1).is_empty() && self.places.is_settled()
    }

    /// Polls the search for places. Returns whether there was anything to do.
    pub(super) fn poll_places(&mut self, context: &mut ReconcileContext<'_>) -> bool {
        self.take_events(context.documents);
        let before = (context.activity(), self.places.is_settled());
        self.places.poll(context);
        (context.activity(), self.places.is_settled()) != before
    }

    /// Polls the reconciler of what published copies show. Returns whether there was anything to do.
    pub(super) fn poll_redactions(&mut self, context: &mut ReconcileContext<'_>) -> bool {
        self.take_events(context.documents);
        let before = (context.activity(), self.redactions.state());
        // A copy that was made with a part of the places would soon be made again.
        let knows_places = self.are_places_settled(context.documents);
        self.redactions.poll(knows_places, context);
        (context.activity(), self.redactions.state()) != before
    }

    /// Polls the reconciler of published copies. Returns whether there was anything to do.
    pub(super) fn poll_copies(&mut self, context: &mut ReconcileContext<'_>) -> bool {
        self.take_events(context.documents);
        let before = context.activity();
        self.copies.poll(&self.redactions, context);
        context.activity() != before
    }

    /// Polls the reconciler of statistics. Returns whether there was anything to do.
    pub(super) fn poll_stats(&mut self, context: &mut ReconcileContext<'_>) -> bool {
        self.take_events(context.documents);
        let before = context.activity();
        self.stats.poll(context);
        context.activity() != before
    }

    /// Polls the attack on the profile. Returns whether there was anything to do.
    pub(super) fn poll_attack(&mut self, context: &mut ReconcileContext<'_>) -> bool {
        let before = (context.activity(), self.attack.state());
        self.attack.poll(context);
        (context.activity(), self.attack.state()) != before
    }
}

/// The state outside a reconciler that its methods use.
pub(super) struct ReconcileContext<'a> {
    pub(super) account: AccountId,
    pub(super) device: &'a mut Device,
    pub(super) documents: &'a mut DocumentStore,
    pub(super) writes: &'a mut WriteQueue,
    pub(super) reads: &'a mut StorageReads,
    pub(super) sync_client: &'a mut SyncClient,
    pub(super) output: &'a mut Output,
    /// The drive that is being recorded.
    pub(super) recorded: Option<DocId>,
}

impl ReconcileContext<'_> {
    /// Returns the document with the settings and places of the account.
    pub(super) fn settings_id(&self) -> DocId {
        singleton_id(&self.account, DocKind::Settings)
    }

    /// Returns whether a document is a published copy of which something readable is here.
    pub(super) fn is_readable_copy(&self, doc: &DocId) -> bool {
        let is_copy = |record: &DocumentRecord| record.kind == DocKind::Published && record.is_here();
        self.documents.record(doc).is_some_and(is_copy) && !self.documents.is_unreadable(doc)
    }

    /// Reads a document into memory.
    pub(super) fn read_document(&mut self, doc: DocId) {
        self.reads.read_document(doc, self.writes, self.output);
    }

    /// Returns a value that changes whenever a reconciler writes, reads or fetches.
    fn activity(&self) -> (WriteSeq, usize, usize, usize) {
        let fetches = self.sync_client.fetches().count();
        (self.writes.write_seq(), self.documents.unwritten_count(), self.output.effects.len(), fetches)
    }
}

#[cfg(test)]
pub(super) mod fixture {
    //! A phone for the tests of the reconcilers: it has documents, and a disk that answers on request.

    use super::*;
    use crate::docs::automerge_doc::NewChange;
    use crate::docs::drive::{self, DriveEdit};
    use crate::docs::published::{self, PublishedFields};
    use crate::docs::{self, Visibility};
    use crate::id::DeviceKey;
    use crate::replica::io::{Effect, StoreOp, StoredEntry};
    use crate::session::client::Identity;
    use crate::time::Timestamp;
    use crate::wire::DocKind;

    pub(in crate::replica) const DRIVE: DocId = DocId::from_bytes([1; 16]);
    pub(in crate::replica) const TRACK: DocId = DocId::from_bytes([2; 16]);

    pub(in crate::replica) struct Phone {
        pub(in crate::replica) documents: DocumentStore,
        pub(in crate::replica) output: Output,
        account: AccountId,
        device: Device,
        writes: WriteQueue,
        reads: StorageReads,
        sync_client: SyncClient,
        disk: Vec<StoredEntry>,
    }

    impl Phone {
        /// Returns a phone with an unfinished drive and its empty track.
        pub(in crate::replica) fn new() -> Phone {
            let device = DeviceKey([7; 32]);
            let identity = Identity { account: AccountId::founded_by(&device), device, grant: None };
            let device = Device::new(identity, [7; 32]);
            let (mut documents, mut writes) = (DocumentStore::open([7; 16], &[]), WriteQueue::default());
            let reads = StorageReads::open(&[], &mut documents, &mut writes);
            let mut phone = Phone {
                documents,
                output: Output::default(),
                account: identity.account,
                device,
                writes,
                reads,
                sync_client: SyncClient::open(identity, &[]),
                disk: Vec::new(),
            };
            let change = docs::track::create(phone.documents.create(TRACK, DocKind::Track)).unwrap();
            phone.add(TRACK, change);
            let document = phone.documents.create(DRIVE, DocKind::Drive);
            let change = drive::create(document, Timestamp(0), TRACK, None, None).unwrap();
            phone.add(DRIVE, change);
            phone
        }

        pub(in crate::replica) fn context(&mut self) -> ReconcileContext<'_> {
            ReconcileContext {
                account: self.account,
                device: &mut self.device,
                documents: &mut self.documents,
                writes: &mut self.writes,
                reads: &mut self.reads,
                sync_client: &mut self.sync_client,
                output: &mut self.output,
                recorded: None,
            }
        }

        fn add(&mut self, doc: DocId, change: Option<NewChange>) {
            self.documents.add_own(&mut self.writes, doc, change);
        }

        pub(in crate::replica) fn edit_drive(&mut self, edit: &DriveEdit<'_>) {
            let change = drive::change(self.documents.loaded(&DRIVE).unwrap(), edit).unwrap();
            self.add(DRIVE, change);
        }

        /// Creates the published copy of the drive with this visibility.
        pub(in crate::replica) fn make_copy(&mut self, copy: DocId, visibility: Visibility) {
            let fields = PublishedFields {
                title: String::new(),
                car: String::new(),
                started_at: Timestamp(0),
                utc_offset: None,
                visibility,
                blocks: Vec::new(),
            };
            let change = published::create(self.documents.create(copy, DocKind::Published), &fields).unwrap();
            self.add(copy, change);
        }

        /// Returns the id of the copy after so many renewals of the link.
        pub(in crate::replica) fn copy_id(&self, renewals: u32) -> DocId {
            DocId::of_copy(&self.account, &DRIVE, renewals)
        }

        /// Returns the title and visibility of a copy in memory.
        pub(in crate::replica) fn shown(&mut self, copy: DocId) -> (String, Visibility) {
            published::title_and_visibility(self.documents.loaded(&copy).unwrap())
        }

        /// Stores everything, and removes a document from memory.
        pub(in crate::replica) fn unload(&mut self, doc: DocId) {
            self.documents.write(&mut self.writes);
            if let Some(Effect::Store { batch, ops }) = self.writes.next(0) {
                self.disk.extend(ops.into_iter().filter_map(|op| match op {
                    StoreOp::Put(entry) => Some(entry),
                    StoreOp::Delete(_) => None,
                }));
                self.writes.stored(batch);
            }
            self.documents.unload(&doc);
        }

        /// Answers a read of a document. Returns whether there was one.
        pub(in crate::replica) fn disk_answers(&mut self, doc: DocId) -> bool {
            let range = DocumentStore::change_range(&doc);
            let asked = self
                .output
                .effects
                .iter()
                .any(|effect| matches!(effect, Effect::Load { ranges, .. } if ranges.contains(&range)));
            self.output.effects.clear();
            asked && self.documents.load(doc, &self.disk, &self.writes, self.writes.durable_seq())
        }
    }
}
