//! Answers a comparison piece by piece, with at most one page of it in memory.

use std::collections::{BTreeMap, VecDeque};

use super::{HeadsPage, MAX_HEADS_PAGE, NamesPage, RelayEffect};
use crate::id::{ChangeHash, DocId};
use crate::wire::{BATCH_BYTES, DocHeads, DocHistory, MAX_HEADS};

/// Maximum size of a document in a message without its hashes, bytes.
const DOC_BYTES: usize = 64;
/// The size of a hash in a message, bytes.
const HASH_BYTES: usize = 34;

/// A comparison while it is being answered.
#[derive(Debug)]
pub(super) struct RelayComparison {
    /// The rest of the range, of which the relay's heads must be read.
    rest: Option<(DocId, DocId)>,
    /// The client's heads in the rest.
    theirs: BTreeMap<DocId, Vec<ChangeHash>>,
    /// Documents that the relay has, that differ and were not sent yet, without their hashes.
    differing: VecDeque<DocHistory>,
    /// Documents in the same part of the range that only the client has and that were not sent yet.
    lost: Vec<DocHistory>,
    /// The last hash that was sent of the first differing document.
    after: Option<ChangeHash>,
    /// The head of the log when the heads were read: later changes come as entries.
    upto: u64,
}

impl RelayComparison {
    /// Creates the comparison that a client requests; nothing if the request is invalid. `[D1]`
    pub(super) fn new(from: DocId, to: DocId, docs: Vec<DocHeads>) -> Option<RelayComparison> {
        let ascending = docs.windows(2).all(|pair| pair[0].doc < pair[1].doc);
        let within = docs.iter().all(|d| from <= d.doc && d.doc <= to && d.heads.len() <= MAX_HEADS);
        (ascending && within && from <= to).then(|| RelayComparison {
            rest: Some((from, to)),
            theirs: docs.into_iter().map(|d| (d.doc, d.heads)).collect(),
            differing: VecDeque::new(),
            lost: Vec::new(),
            after: None,
            upto: 0,
        })
    }

    /// Returns the read that must come next; nothing at the end.
    pub(super) fn next_effect(&self) -> Option<RelayEffect> {
        if !self.differing.is_empty() {
            let docs = self.differing.iter().take(MAX_HEADS_PAGE).map(|history| history.doc).collect();
            return Some(RelayEffect::ReadNames { docs, after: self.after, upto: self.upto });
        }
        self.rest.map(|(from, to)| RelayEffect::ReadHeads { from, to })
    }

    /// Handles the relay's heads in the first part of the rest. If no hashes must be read for it, returns the documents
    /// that the relay does not have, in pages of one message each. `[D2]`
    pub(super) fn heads(&mut self, page: HeadsPage) -> Vec<Vec<DocHistory>> {
        let Some((_, to)) = self.rest.take() else { return Vec::new() };
        let beyond = successor(page.through).filter(|beyond| *beyond <= to);
        self.rest = beyond.map(|beyond| (beyond, to));
        let later = beyond.map(|beyond| self.theirs.split_off(&beyond)).unwrap_or_default();
        let mut theirs = std::mem::replace(&mut self.theirs, later);
        for (DocHeads { doc, heads }, kind) in page.docs {
            if theirs.remove(&doc).is_none_or(|known| known != heads) {
                self.differing.push_back(DocHistory { doc, kind: Some(kind), heads, hashes: Vec::new() });
            }
        }
        self.upto = page.head;
        let lost = |doc| DocHistory { doc, kind: None, heads: Vec::new(), hashes: Vec::new() };
        self.lost.extend(theirs.into_keys().map(lost));
        if self.differing.is_empty() { in_pages(std::mem::take(&mut self.lost)) } else { Vec::new() }
    }

    /// Handles hashes of the first differing documents and returns the documents to send, in pages of one message each.
    /// `[D2]`
    pub(super) fn names(&mut self, page: NamesPage) -> Vec<Vec<DocHistory>> {
        let mut told = Vec::new();
        let mut names = page.names.into_iter().peekable();
        while let Some(hashes) = names.next() {
            let Some(history) = self.differing.front() else { break };
            self.after = None;
            if names.peek().is_none() && page.goes_on {
                self.after = hashes.last().copied();
                told.push(DocHistory { hashes, ..history.clone() });
            } else if let Some(history) = self.differing.pop_front() {
                told.push(DocHistory { hashes, ..history });
            }
        }
        // A document that continues must be the first of the next page, so no other document may come in between.
        if !page.goes_on {
            told.append(&mut self.lost);
        }
        in_pages(told)
    }
}

fn in_pages(docs: Vec<DocHistory>) -> Vec<Vec<DocHistory>> {
    let mut pages: Vec<Vec<DocHistory>> = Vec::new();
    let mut bytes = 0;
    for doc in docs {
        let size = DOC_BYTES + HASH_BYTES * (doc.heads.len() + doc.hashes.len());
        bytes += size;
        match pages.last_mut() {
            Some(page) if bytes <= BATCH_BYTES => page.push(doc),
            Some(_) | None => {
                bytes = size;
                pages.push(vec![doc]);
            }
        }
    }
    pages
}

/// Returns the next id.
fn successor(doc: DocId) -> Option<DocId> {
    u128::from_be_bytes(*doc.as_bytes()).checked_add(1).map(|next| DocId::from_bytes(next.to_be_bytes()))
}
