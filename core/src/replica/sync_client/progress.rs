//! Progress of pushes and fetches, derived from the state of the sync client.

use crate::id::DocId;
use crate::replica::documents::{ChangeTotals, DocumentStore};
use crate::replica::sync_client::SyncClient;
use crate::sorted::Map;

impl SyncClient {
    /// Returns the documents being fetched or queued.
    pub(crate) fn fetches(&self) -> impl Iterator<Item = &DocId> {
        self.fetches.under_way()
    }

    /// Returns the changes in flight, by document.
    pub(crate) fn sent(&self, documents: &DocumentStore) -> Map<DocId, ChangeTotals> {
        let mut sent: Map<DocId, ChangeTotals> = Map::new();
        for unsent in documents.outbox.in_flight() {
            let amount =
                documents.record(&unsent.doc).map_or(ChangeTotals::default(), |record| record.unsent_at(unsent.index));
            let sum = sent.or_default(unsent.doc);
            *sum = sum.plus(amount);
        }
        sent
    }

    /// Returns the number of changes in flight and of documents to fetch. While it is constant, views of progress
    /// change only with the document store.
    pub(crate) fn under_way(&self, documents: &DocumentStore) -> (usize, usize) {
        (documents.outbox.in_flight_count(), self.fetches().count())
    }
}
