//! What is on its way between the phone and its relay. Nothing is counted along: it is what the sync client waits for.

use crate::id::DocId;
use crate::replica::documents::{ChangeTotals, DocumentStore};
use crate::replica::sync_client::SyncClient;
use crate::sorted::Map;

impl SyncClient {
    /// What is being fetched or about to be.
    pub(crate) fn fetches(&self) -> impl Iterator<Item = &DocId> {
        self.fetches.under_way()
    }

    /// What is pushed and neither acknowledged nor refused, by document.
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

    /// How many changes and documents are on their way, to the relay and from it. While it stays the same, so does
    /// everything that is shown of the way, but for what reaches the document store.
    pub(crate) fn under_way(&self, documents: &DocumentStore) -> (usize, usize) {
        (documents.outbox.in_flight_count(), self.fetches().count())
    }
}
