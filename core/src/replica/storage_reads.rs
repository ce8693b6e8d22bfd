//! Reads from storage and their consumers: documents that commands wait for, rows to fold, changes to push.

use crate::id::DocId;
use crate::replica::Replica;
use crate::replica::crash_guard::CrashGuard;
use crate::replica::documents::{DocumentRecord, DocumentStore};
use crate::replica::io::{StorageFailure, StoredEntry};
use crate::replica::output::{DOCUMENT_TOPICS, Output};
use crate::replica::write_queue::{WriteQueue, WriteSeq};
use crate::sorted::Map;
use crate::time::Now;

/// Delay before a failed read is retried, in milliseconds.
const READ_AGAIN_MS: u64 = 1_000;

/// The purpose of a read.
#[derive(Debug)]
pub(super) enum StorageRead {
    /// A document for a command or a recording. The result contains everything that was durable when the read began;
    /// later writes may be missing.
    Document(DocId, WriteSeq),
    /// Documents whose rows must be folded.
    Rows(Vec<DocId>, WriteSeq),
    /// Changes to push: the read of the sync client with this number.
    Push(u32),
}

/// Stored entries of documents to fold, held until the crash guard's note is on disk.
#[derive(Debug)]
struct RowsRead {
    docs: Vec<DocId>,
    entries: Vec<StoredEntry>,
    since: WriteSeq,
}

/// Reads in progress, reads to retry, and what was read of documents to fold.
#[derive(Debug)]
pub(super) struct StorageReads {
    in_flight: Map<u32, StorageRead>,
    /// Documents whose read failed.
    failed: Vec<DocId>,
    /// The time of the next attempt on the monotonic clock; until then nothing else is read.
    retry_at_ms: Option<u64>,
    crash_guard: CrashGuard,
    rows: Option<RowsRead>,
}

impl StorageReads {
    /// Opens the reads: no document that may have crashed the app is folded with others.
    pub(super) fn open(stored: &[StoredEntry], documents: &mut DocumentStore, writes: &mut WriteQueue) -> StorageReads {
        let crash_guard = CrashGuard::open(stored, documents, writes);
        StorageReads { in_flight: Map::new(), failed: Vec::new(), retry_at_ms: None, crash_guard, rows: None }
    }

    /// Records a read request to the shell.
    pub(super) fn begin(&mut self, request: u32, reading: StorageRead) {
        self.in_flight.insert(request, reading);
    }

    /// Reads a document, unless it is being read.
    pub(super) fn read_document(&mut self, doc: DocId, writes: &WriteQueue, output: &mut Output) {
        if self.is_reading(&doc) {
            return;
        }
        let request = output.load(vec![DocumentStore::change_range(&doc)]);
        self.begin(request, StorageRead::Document(doc, writes.durable_seq()));
    }

    /// Returns whether reads are suspended after a failure.
    pub(super) fn is_waiting(&self) -> bool {
        self.retry_at_ms.is_some()
    }

    /// Returns when to retry a read, and the reason.
    pub(super) fn next_deadline(&self) -> Option<(u64, &'static str)> {
        self.retry_at_ms.map(|due| (due, "read storage again"))
    }

    /// Returns whether a document that something waits for is being read, or will be.
    pub(super) fn is_any_awaited(&self) -> bool {
        !self.failed.is_empty() || self.in_flight.values().any(|reading| matches!(reading, StorageRead::Document(..)))
    }

    /// Returns whether storage is being read for a push.
    pub(super) fn is_reading_push(&self, push: u32) -> bool {
        self.in_flight.values().any(|reading| matches!(reading, StorageRead::Push(number) if *number == push))
    }

    /// Checks what holds after every event: the crash guard waits for reads that are in progress, and a retry has a time.
    pub(super) fn check_invariants(&self) -> Result<(), String> {
        let is_reading = self.in_flight.values().any(|reading| matches!(reading, StorageRead::Rows(..)));
        if is_reading != self.crash_guard.is_reading() || self.rows.is_some() != self.crash_guard.is_noted() {
            return Err("the crash guard waits for other documents than are read".to_owned());
        }
        match self.failed.first() {
            Some(doc) if self.retry_at_ms.is_none() => Err(format!("the failed read of {doc} is not retried")),
            _ => Ok(()),
        }
    }

    fn is_reading(&self, doc: &DocId) -> bool {
        self.in_flight.values().any(|reading| matches!(reading, StorageRead::Document(other, _) if other == doc))
    }

    /// Ends the suspension after a failure if it is due. Returns the documents to retry.
    fn take_due(&mut self, now_ms: u64) -> Option<Vec<DocId>> {
        self.retry_at_ms.take_if(|due| *due <= now_ms)?;
        Some(std::mem::take(&mut self.failed))
    }

    fn retry_later(&mut self, now_ms: u64, doc: Option<DocId>) {
        self.failed.extend(doc);
        self.retry_at_ms = Some(now_ms + READ_AGAIN_MS);
    }
}

impl Replica {
    pub(super) fn read_document(&mut self, doc: DocId) {
        self.reads.read_document(doc, &self.writes, &mut self.output);
    }

    /// Retries failed reads. Returns whether that was due: the other components may read again, too.
    pub(super) fn poll_reads(&mut self, now: Now) -> bool {
        let due = self.reads.take_due(now.monotonic_ms as u64);
        let is_due = due.is_some();
        due.into_iter().flatten().for_each(|doc| self.read_document(doc));
        is_due
    }

    /// Folds the documents that were read once the crash guard's note is on disk, or reads the next ones. Returns whether
    /// there was anything to do.
    pub(super) fn poll_rows(&mut self) -> bool {
        let is_noted = self.reads.crash_guard.may_fold(&self.writes);
        let folded = self.reads.rows.take_if(|_| is_noted);
        let folds = folded.is_some();
        if let Some(RowsRead { docs, entries, since }) = folded {
            self.documents.fold_stale(&self.writes, &docs, &entries, since);
            self.reads.crash_guard.fold_finished(&docs, &mut self.writes);
            docs.into_iter().for_each(|doc| self.request_repair(doc));
            self.output.topics.extend(DOCUMENT_TOPICS);
        }
        if self.reads.is_waiting() {
            return folds;
        }
        let docs = self.reads.crash_guard.next(&self.documents);
        let reads = !docs.is_empty();
        if reads {
            let request = self.output.load(docs.iter().map(DocumentStore::change_range).collect());
            self.reads.begin(request, StorageRead::Rows(docs, self.writes.durable_seq()));
        }
        folds || reads
    }

    pub(super) fn loaded(&mut self, now: Now, request: u32, entries: &[StoredEntry]) {
        // A successful read shows that storage works again.
        if matches!(self.writes.failure(), Some(StorageFailure::Aborted | StorageFailure::Unavailable)) {
            self.writes.retry_now(now.monotonic_ms as u64);
        }
        match self.reads.in_flight.remove(&request) {
            None => {}
            Some(StorageRead::Document(doc, since)) => {
                if !self.documents.load(doc, entries, &self.writes, since) {
                    return self.read_document(doc);
                }
                self.request_repair(doc);
                self.recover(now, &doc, entries);
                self.retry_waiting(now);
            }
            Some(StorageRead::Rows(docs, since)) => {
                self.reads.crash_guard.read(&docs, &mut self.writes);
                self.reads.rows = Some(RowsRead { docs, entries: entries.to_vec(), since });
            }
            Some(StorageRead::Push(number)) => {
                self.with_sync_client(now, |sync_client, context| {
                    sync_client.read(number, entries, context).into_iter().collect()
                });
            }
        }
    }

    pub(super) fn load_failed(&mut self, now: Now, request: u32) {
        let now_ms = now.monotonic_ms as u64;
        match self.reads.in_flight.remove(&request) {
            None => {}
            Some(StorageRead::Document(doc, _)) => self.reads.retry_later(now_ms, Some(doc)),
            Some(StorageRead::Rows(..)) => {
                self.reads.crash_guard.read_failed();
                self.reads.retry_later(now_ms, None);
            }
            Some(StorageRead::Push(number)) => self.with_sync_client(now, |sync_client, context| {
                sync_client.read_failed(number, context);
                Vec::new()
            }),
        }
    }

    /// Requests the damaged changes of a document from the relay, if this phone keeps the document in full.
    fn request_repair(&mut self, doc: DocId) {
        let is_wanted = |record: &DocumentRecord| record.lacks_any() && !record.kind.is_on_demand();
        if self.documents.is_unreadable(&doc) && self.documents.record(&doc).is_some_and(is_wanted) {
            self.sync_client.request_fetch(doc);
        }
    }
}

#[cfg(feature = "faults")]
impl StorageReads {
    /// Forgets a read.
    pub(super) fn forget(&mut self, request: u32) {
        self.in_flight.remove(&request);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_components_read_again_once_the_retry_is_due_even_if_no_document_failed() {
        let (mut documents, mut writes) = (DocumentStore::open([7; 16], &[]), WriteQueue::default());
        let mut reads = StorageReads::open(&[], &mut documents, &mut writes);
        reads.retry_later(0, None);
        assert_eq!((reads.take_due(READ_AGAIN_MS - 1), reads.is_waiting()), (None, true));
        assert_eq!((reads.take_due(READ_AGAIN_MS), reads.is_waiting()), (Some(Vec::new()), false));
    }
}
