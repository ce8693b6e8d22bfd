//! The comparison of all documents with the relay's, when digests differ: range by range, ascending by id.

use crate::id::DocId;
use crate::replica::io::{KeyRange, Space};
use crate::replica::link::{Desk, GARBLED_KEY, Link, Outcome, State};
use crate::replica::shelf::Record;
use crate::wire::{DocHeads, DocHistory};

/// How many documents one comparison covers.
const COMPARE_DOCS: usize = 500;

/// How far the comparison of all documents is.
#[derive(Debug, PartialEq)]
pub(super) enum Comparison {
    NotNeeded,
    /// Everything below this id is compared.
    From(DocId),
    /// An answer for this range, the last id included, is awaited.
    Awaiting {
        from: DocId,
        to: DocId,
        /// Documents of which the relay has something, as far as is known, and was said to have nothing, so that it tells all.
        unsaid: Vec<DocId>,
    },
    Done,
}

impl Comparison {
    pub(super) fn beginning() -> Comparison {
        Comparison::From(DocId::from_bytes([0; 16]))
    }

    /// Whether it is known what the relay has.
    pub(super) fn is_settled(&self) -> bool {
        match self {
            Comparison::NotNeeded | Comparison::Done => true,
            Comparison::From(_) | Comparison::Awaiting { .. } => false,
        }
    }

    /// Whether it is known what the relay has of a document, so that entries of the log add to it.
    pub(super) fn covers(&self, doc: &DocId) -> bool {
        match self {
            Comparison::NotNeeded | Comparison::Done => true,
            Comparison::From(from) | Comparison::Awaiting { from, .. } => doc < from,
        }
    }
}

impl Link {
    /// Asks about the next range, if it is time to.
    pub(super) fn compare_on(&mut self, desk: &Desk<'_>) -> Option<Outcome> {
        let State::Open(session) = &mut self.state else { return None };
        let Comparison::From(from) = self.comparison else { return None };
        if !session.is_caught_up() {
            return None;
        }
        let mut rest = desk.shelf.records().range(from..);
        let heads = |(doc, record): (&DocId, &Record)| DocHeads { doc: *doc, heads: record.heads_to_compare() };
        let page: Vec<_> = rest.by_ref().take(COMPARE_DOCS).map(heads).collect();
        let last = DocId::from_bytes([0xff; 16]);
        let to = if rest.next().is_some() { page.last().map_or(last, |d| d.doc) } else { last };
        let (known, unsaid): (Vec<_>, Vec<_>) = page.into_iter().partition(|d| !d.heads.is_empty());
        let has_any = |doc: &DocId| desk.shelf.record(doc).is_some_and(|record| !record.relay_heads.is_empty());
        let unsaid = unsaid.into_iter().map(|d| d.doc).filter(has_any).collect();
        self.comparison = Comparison::Awaiting { from, to, unsaid };
        Some(Outcome::Send(session.compare(desk.now_ms, from, to, known)))
    }

    /// Takes in a page of what differs.
    pub(super) fn differ(&mut self, docs: Vec<DocHistory>, done: bool, desk: &mut Desk<'_>) {
        for history in &docs {
            desk.shelf.relay_has_exactly(history);
            if let Comparison::Awaiting { unsaid, .. } = &mut self.comparison {
                unsaid.retain(|doc| *doc != history.doc);
            }
        }
        if done && let Comparison::Awaiting { to, unsaid, .. } = &mut self.comparison {
            let (to, untold) = (*to, std::mem::take(unsaid));
            for doc in untold {
                desk.shelf.relay_has_exactly(&DocHistory { doc, kind: None, heads: Vec::new(), hashes: Vec::new() });
            }
            self.comparison = match successor(to) {
                Some(next) => Comparison::From(next),
                None => Comparison::Done,
            };
            if self.comparison == Comparison::Done && std::mem::take(&mut self.was_garbled) {
                let key = || GARBLED_KEY.to_vec();
                desk.store.delete(KeyRange { space: Space::Meta, from: key(), to: key() });
            }
            self.want_all(desk);
            self.keep_cursor(desk);
        }
    }
}

/// The id after this one.
fn successor(doc: DocId) -> Option<DocId> {
    u128::from_be_bytes(*doc.as_bytes()).checked_add(1).map(|next| DocId::from_bytes(next.to_be_bytes()))
}
