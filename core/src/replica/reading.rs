//! What is read from the phone's storage, and what becomes of it: documents that something waits for, rows to be folded,
//! changes to be pushed.

use crate::id::DocId;
use crate::replica::io::{Effect, StorageFailure, StoredEntry};
use crate::replica::shelf::{Record, Shelf};
use crate::replica::store::Ticket;
use crate::replica::{DOCUMENTS, Replica};
use crate::sorted::Map;
use crate::time::Now;

/// How long to wait after storage could not be read, in milliseconds.
const READ_AGAIN_MS: u64 = 1_000;

/// What is read from storage, and for whom.
#[derive(Debug)]
pub(super) enum Reading {
    /// A document that a command or a recording waits for. What was durable when the reading began is certainly in what
    /// is read; what reached the disk meanwhile may be missing.
    Document(DocId, Ticket),
    /// Documents whose rows must be folded.
    Rows(Vec<DocId>, Ticket),
    /// Changes to be pushed: the link's reading of this number.
    Push(u32),
}

/// What was read of documents whose rows must be folded, until that is noted on disk.
#[derive(Debug)]
struct ReadRows {
    docs: Vec<DocId>,
    entries: Vec<StoredEntry>,
    since: Ticket,
}

/// The readings of storage that are under way or must be tried again.
#[derive(Debug, Default)]
pub(super) struct StorageReads {
    under_way: Map<u32, Reading>,
    rows: Option<ReadRows>,
    /// Documents that could not be read.
    failed: Vec<DocId>,
    /// When to read again, on the monotonic clock; until then nothing else is read.
    retry_at_ms: Option<u64>,
}

impl StorageReads {
    /// Takes in that the shell was asked to read.
    pub(super) fn begin(&mut self, request: u32, reading: Reading) {
        self.under_way.insert(request, reading);
    }

    /// Returns whether storage cannot be read for the moment.
    pub(super) fn is_waiting(&self) -> bool {
        self.retry_at_ms.is_some()
    }

    /// When to read again, and why.
    pub(super) fn next_deadline(&self) -> Option<(u64, &'static str)> {
        self.retry_at_ms.map(|due| (due, "read storage again"))
    }

    /// Returns whether a document is being read, or will be.
    pub(super) fn is_awaited(&self, doc: &DocId) -> bool {
        self.is_reading(doc) || self.failed.contains(doc)
    }

    /// Returns whether any document is being read, or will be.
    pub(super) fn is_any_awaited(&self) -> bool {
        !self.under_way.is_empty() || !self.failed.is_empty()
    }

    fn is_reading(&self, doc: &DocId) -> bool {
        self.under_way.values().any(|reading| matches!(reading, Reading::Document(other, _) if other == doc))
    }

    /// Takes the documents to read again, if it is time to.
    fn take_due(&mut self, now_ms: u64) -> Vec<DocId> {
        match self.retry_at_ms.take_if(|due| *due <= now_ms) {
            Some(_) => std::mem::take(&mut self.failed),
            None => Vec::new(),
        }
    }

    fn retry_later(&mut self, now_ms: u64, doc: Option<DocId>) {
        self.failed.extend(doc);
        self.retry_at_ms = Some(now_ms + READ_AGAIN_MS);
    }
}

impl Replica {
    pub(super) fn read_document(&mut self, doc: DocId) {
        if self.reads.is_reading(&doc) {
            return;
        }
        let request = self.output.next_request();
        self.reads.begin(request, Reading::Document(doc, self.store.durable()));
        self.output.effects.push(Effect::Load { request, ranges: vec![Shelf::range(&doc)] });
    }

    pub(super) fn read_again(&mut self, now_ms: u64) {
        for doc in self.reads.take_due(now_ms) {
            self.read_document(doc);
        }
    }

    pub(super) fn fold_stale(&mut self) {
        if self.suspects.may_fold(&self.store)
            && let Some(ReadRows { docs, entries, since }) = self.reads.rows.take()
        {
            self.shelf.fold_stale(&self.store, &docs, &entries, since);
            self.suspects.came_back(&docs, &mut self.store);
            docs.into_iter().for_each(|doc| self.want_repair(doc));
            self.output.topics.extend(DOCUMENTS);
        }
        if self.reads.is_waiting() {
            return;
        }
        let docs = self.suspects.next(&self.shelf);
        if !docs.is_empty() {
            let request = self.output.next_request();
            let ranges = docs.iter().map(Shelf::range).collect();
            self.reads.begin(request, Reading::Rows(docs, self.store.durable()));
            self.output.effects.push(Effect::Load { request, ranges });
        }
    }

    pub(super) fn loaded(&mut self, now: Now, request: u32, entries: &[StoredEntry]) {
        // A storage that can be read is alive.
        if matches!(self.store.failing(), Some(StorageFailure::Aborted | StorageFailure::Unavailable)) {
            self.store.hurry(now.monotonic_ms as u64);
        }
        match self.reads.under_way.remove(&request) {
            None => {}
            Some(Reading::Document(doc, since)) => {
                if !self.shelf.load(doc, entries, &self.store, since) {
                    return self.read_document(doc);
                }
                self.want_repair(doc);
                self.recover(now, &doc, entries);
                self.retry_parked(now);
            }
            Some(Reading::Rows(docs, since)) => {
                self.suspects.read(&docs, &mut self.store);
                self.reads.rows = Some(ReadRows { docs, entries: entries.to_vec(), since });
            }
            Some(Reading::Push(number)) => {
                self.with_link(now, |link, desk| link.read(number, entries, desk).into_iter().collect());
            }
        }
    }

    pub(super) fn load_failed(&mut self, now: Now, request: u32) {
        let now_ms = now.monotonic_ms as u64;
        match self.reads.under_way.remove(&request) {
            None => {}
            Some(Reading::Document(doc, _)) => self.reads.retry_later(now_ms, Some(doc)),
            Some(Reading::Rows(..)) => {
                self.suspects.not_read();
                self.reads.retry_later(now_ms, None);
            }
            Some(Reading::Push(number)) => self.with_link(now, |link, desk| {
                link.read_failed(number, desk);
                Vec::new()
            }),
        }
    }

    /// Has the relay asked for what is damaged of a document that this phone keeps in full.
    fn want_repair(&mut self, doc: DocId) {
        let is_wanted = |record: &Record| record.lacks_any() && !record.kind.is_on_demand();
        if self.shelf.is_unreadable(&doc) && self.shelf.record(&doc).is_some_and(is_wanted) {
            self.link.want(doc);
        }
    }
}
