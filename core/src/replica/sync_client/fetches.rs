//! Fetches of documents from the relay: queued, in progress, and unusable ones.

use std::collections::VecDeque;

use crate::id::DocId;
use crate::replica::documents::MissingChanges;
use crate::sorted::Set;

/// Documents to be fetched from the relay, one at a time.
#[derive(Debug, Default)]
pub(super) struct Fetches {
    wanted: VecDeque<DocId>,
    /// The document being fetched, and its missing changes at the time of the request.
    fetching: Option<(DocId, MissingChanges)>,
    /// Documents whose snapshot from the relay could not be read on this connection.
    unusable: Set<DocId>,
}

impl Fetches {
    /// Queues a document, unless it is queued, being fetched or unusable.
    pub(super) fn want(&mut self, doc: DocId) {
        if !self.is_under_way(&doc) && !self.is_unusable(&doc) {
            self.wanted.push_back(doc);
        }
    }

    /// Returns whether a document is being fetched or queued.
    pub(super) fn is_under_way(&self, doc: &DocId) -> bool {
        self.under_way().any(|other| other == doc)
    }

    /// Returns the documents that are being fetched or queued.
    pub(super) fn under_way(&self) -> impl Iterator<Item = &DocId> {
        self.fetching.iter().map(|(doc, _)| doc).chain(&self.wanted)
    }

    /// Takes the next document to request. The caller requests it and calls [`Fetches::asked`].
    pub(super) fn next(&mut self) -> Option<DocId> {
        self.wanted.pop_front()
    }

    /// Records a request with the changes that are missing.
    pub(super) fn asked(&mut self, doc: DocId, lack: MissingChanges) {
        self.fetching = Some((doc, lack));
    }

    /// Records that the relay has sent everything. Returns the changes that were missing at the request.
    pub(super) fn finish(&mut self) -> MissingChanges {
        self.fetching.take().map(|(_, lack)| lack).unwrap_or_default()
    }

    /// Records that the relay's snapshot of a document is unreadable.
    pub(super) fn mark_unusable(&mut self, doc: DocId) {
        self.unusable.insert(doc);
    }

    /// Returns whether the relay's snapshot of a document is unreadable.
    pub(super) fn is_unusable(&self, doc: &DocId) -> bool {
        self.unusable.contains(doc)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCS: [DocId; 2] = [DocId::from_bytes([1; 16]), DocId::from_bytes([2; 16])];

    #[test]
    fn a_document_is_queued_once_until_it_has_come_and_never_while_it_is_of_no_use() {
        let mut fetches = Fetches::default();
        for doc in [DOCS[0], DOCS[1], DOCS[0]] {
            fetches.want(doc);
        }
        assert_eq!(fetches.under_way().copied().collect::<Vec<_>>(), DOCS);
        let next = fetches.next().unwrap();
        fetches.asked(next, MissingChanges::default());
        fetches.want(DOCS[0]);
        assert_eq!(fetches.under_way().copied().collect::<Vec<_>>(), DOCS, "it is on its way");
        fetches.mark_unusable(DOCS[0]);
        fetches.finish();
        fetches.want(DOCS[0]);
        assert_eq!(fetches.under_way().copied().collect::<Vec<_>>(), DOCS[1..]);
    }
}
