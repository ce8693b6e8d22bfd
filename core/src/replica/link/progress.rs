//! What is on its way between the phone and its relay. Nothing is counted along: it is what the link waits for.

use crate::id::DocId;
use crate::replica::link::Link;
use crate::replica::shelf::{Amount, Shelf};
use crate::sorted::Map;

impl Link {
    /// What is being fetched or about to be.
    pub(crate) fn fetches(&self) -> impl Iterator<Item = &DocId> {
        self.fetches.under_way()
    }

    /// What is pushed and neither acknowledged nor refused, by document.
    pub(crate) fn sent(&self, shelf: &Shelf) -> Map<DocId, Amount> {
        let mut sent: Map<DocId, Amount> = Map::new();
        for unsent in shelf.outbox.in_flight() {
            let amount = shelf.record(&unsent.doc).map_or(Amount::default(), |record| record.unsent_at(unsent.index));
            let sum = sent.or_default(unsent.doc);
            *sum = sum.plus(amount);
        }
        sent
    }

    /// How many changes and documents are on their way, to the relay and from it. While it stays the same, so does
    /// everything that is shown of the way, but for what reaches the shelf.
    pub(crate) fn under_way(&self, shelf: &Shelf) -> (usize, usize) {
        (shelf.outbox.in_flight_count(), self.fetches().count())
    }
}
