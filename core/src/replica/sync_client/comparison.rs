//! The comparison of all documents with the relay's after digests differed: range by range, ascending by id.

use crate::id::DocId;
use crate::replica::documents::DocumentRecord;
use crate::replica::io::{KeyRange, Space, StoredEntry};
use crate::replica::sync_client::{ConnectionState, SyncClient, SyncContext, SyncEffect};
use crate::replica::write_queue::WriteQueue;
use crate::wire::{DocHeads, DocHistory};

/// Maximum number of documents per range.
const COMPARE_DOCS: usize = 500;

/// Key in [`Space::Meta`] of the flag that a garbled connection was not followed by a comparison.
const GARBLED_KEY: &[u8] = b"garbled";

/// The comparison of all documents on this connection.
#[derive(Debug)]
pub(super) struct Comparison {
    progress: Progress,
    /// Whether a garbled connection was not followed by a comparison, whatever the digests say. Stored. `[C5]`
    was_garbled: bool,
}

/// The progress of the comparison.
#[derive(Debug, PartialEq)]
enum Progress {
    NotNeeded,
    /// All documents below this id are compared.
    From(DocId),
    /// The answer for this range is awaited, the last id included.
    Awaiting {
        from: DocId,
        to: DocId,
        /// Documents that were reported as unknown although the relay has changes of them, so that it sends all hashes.
        unsaid: Vec<DocId>,
    },
    Done,
}

const BEGINNING: Progress = Progress::From(DocId::from_bytes([0; 16]));

impl Comparison {
    /// Reads from storage whether a comparison is due.
    pub(super) fn open(stored: &[StoredEntry]) -> Comparison {
        let was_garbled = stored.iter().any(|entry| entry.space == Space::Meta && entry.key == GARBLED_KEY);
        Comparison { progress: Progress::NotNeeded, was_garbled }
    }

    /// Handles the start of a connection.
    pub(super) fn reset(&mut self) {
        self.progress = Progress::NotNeeded;
    }

    /// Starts with the first document.
    pub(super) fn begin(&mut self) {
        self.progress = BEGINNING;
    }

    /// Starts with the first document, unless a comparison is in progress or complete on this connection.
    pub(super) fn begin_if_not_needed(&mut self) {
        if self.progress == Progress::NotNeeded {
            self.begin();
        }
    }

    /// Records whether the digests of phone and relay are equal.
    pub(super) fn digests_compared(&mut self, are_equal: bool) {
        self.progress = if are_equal && !self.was_garbled { Progress::NotNeeded } else { BEGINNING };
    }

    /// Records a garbled connection: a comparison is due, also after a restart. `[C5]`
    pub(super) fn garbled(&mut self, writes: &mut WriteQueue) {
        self.was_garbled = true;
        writes.put(Space::Meta, GARBLED_KEY.to_vec(), Vec::new());
    }

    /// Returns whether it is known what the relay has.
    pub(super) fn is_settled(&self) -> bool {
        match self.progress {
            Progress::NotNeeded | Progress::Done => true,
            Progress::From(_) | Progress::Awaiting { .. } => false,
        }
    }

    /// Returns whether all documents were compared on this connection.
    pub(super) fn is_done(&self) -> bool {
        self.progress == Progress::Done
    }

    /// Returns whether it is known what the relay has of a document, so that entries of the log add to it.
    pub(super) fn covers(&self, doc: &DocId) -> bool {
        match &self.progress {
            Progress::NotNeeded | Progress::Done => true,
            Progress::From(from) | Progress::Awaiting { from, .. } => doc < from,
        }
    }

    /// Continues after the answered range.
    fn go_on(&mut self, to: DocId, writes: &mut WriteQueue) {
        self.progress = match successor(to) {
            Some(next) => Progress::From(next),
            None => Progress::Done,
        };
        if self.is_done() && std::mem::take(&mut self.was_garbled) {
            let key = || GARBLED_KEY.to_vec();
            writes.delete(KeyRange { space: Space::Meta, from: key(), to: key() });
        }
    }
}

impl SyncClient {
    /// Requests the next range, if it is due.
    pub(super) fn compare_on(&mut self, context: &SyncContext<'_>) -> Option<SyncEffect> {
        let ConnectionState::Open(session) = &mut self.state else { return None };
        let Progress::From(from) = self.comparison.progress else { return None };
        if !session.is_caught_up() {
            return None;
        }
        let mut rest = context.documents.records_from(from);
        let heads = |(doc, record): (&DocId, &DocumentRecord)| DocHeads { doc: *doc, heads: record.heads_to_compare() };
        let page: Vec<_> = rest.by_ref().take(COMPARE_DOCS).map(heads).collect();
        let last = DocId::from_bytes([0xff; 16]);
        let to = if rest.next().is_some() { page.last().map_or(last, |d| d.doc) } else { last };
        let (known, unsaid): (Vec<_>, Vec<_>) = page.into_iter().partition(|d| !d.heads.is_empty());
        let has_any = |doc: &DocId| context.documents.record(doc).is_some_and(|record| !record.relay_heads.is_empty());
        let unsaid = unsaid.into_iter().map(|d| d.doc).filter(has_any).collect();
        self.comparison.progress = Progress::Awaiting { from, to, unsaid };
        Some(SyncEffect::Send(session.compare(context.now_ms, from, to, known)))
    }

    /// Handles a page of differences.
    pub(super) fn differ(&mut self, docs: Vec<DocHistory>, done: bool, context: &mut SyncContext<'_>) {
        for history in &docs {
            context.documents.relay_has_exactly(history);
            if let Progress::Awaiting { unsaid, .. } = &mut self.comparison.progress {
                unsaid.retain(|doc| *doc != history.doc);
            }
        }
        if done && let Progress::Awaiting { to, unsaid, .. } = &mut self.comparison.progress {
            let (to, untold) = (*to, std::mem::take(unsaid));
            for doc in untold {
                context.documents.relay_has_exactly(&DocHistory {
                    doc,
                    kind: None,
                    heads: Vec::new(),
                    hashes: Vec::new(),
                });
            }
            self.comparison.go_on(to, context.writes);
            self.request_missing(context);
            self.keep_cursor(context);
        }
    }
}

/// Returns the next id.
fn successor(doc: DocId) -> Option<DocId> {
    u128::from_be_bytes(*doc.as_bytes()).checked_add(1).map(|next| DocId::from_bytes(next.to_be_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_garbled_connection_has_everything_compared_whatever_the_digests_say() {
        let mut writes = WriteQueue::default();
        let mut comparison = Comparison::open(&[]);
        comparison.digests_compared(true);
        assert!(comparison.is_settled() && !comparison.is_done());
        comparison.garbled(&mut writes);
        comparison.reset();
        comparison.digests_compared(true);
        assert!(!comparison.is_settled());
        comparison.go_on(DocId::from_bytes([0xff; 16]), &mut writes);
        assert!(comparison.is_done());
        comparison.reset();
        comparison.digests_compared(true);
        assert!(comparison.is_settled(), "once it is compared, the digests count again");
    }

    #[test]
    fn entries_of_the_log_count_for_what_is_compared() {
        let doc = |number| DocId::from_bytes([number; 16]);
        let mut comparison = Comparison::open(&[]);
        comparison.begin();
        assert!(!comparison.covers(&doc(1)));
        comparison.go_on(doc(1), &mut WriteQueue::default());
        assert!(comparison.covers(&doc(1)) && !comparison.covers(&doc(2)) && !comparison.is_settled());
    }
}
