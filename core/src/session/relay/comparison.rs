//! A comparison that is being answered, piece by piece: however much differs, no more than a page of it is in memory.

use std::collections::{BTreeMap, VecDeque};

use super::{HeadsPage, MAX_HEADS_PAGE, NamesPage, RelayEffect};
use crate::id::{ChangeHash, DocId};
use crate::wire::{BATCH_BYTES, DocHeads, DocHistory, MAX_HEADS};

/// What a document adds to a message besides its hashes, in bytes, at most.
const DOC_BYTES: usize = 64;
/// What a hash adds, in bytes.
const HASH_BYTES: usize = 34;

/// A comparison that is being answered.
#[derive(Debug)]
pub(super) struct RelayComparison {
    /// The rest of the range, of which the relay's heads are still to be read.
    rest: Option<(DocId, DocId)>,
    /// What the client has in the rest.
    theirs: BTreeMap<DocId, Vec<ChangeHash>>,
    /// Documents that the relay has, that differ and have not been told of, without their hashes.
    differing: VecDeque<DocHistory>,
    /// Documents of the same part of the range that only the client has, and that have not been told of.
    lost: Vec<DocHistory>,
    /// The last hash of the first that differs that was told.
    after: Option<ChangeHash>,
    /// The log reached up to here when their heads were read: what is newer comes as entries.
    upto: u64,
}

impl RelayComparison {
    /// The comparison that a client asks for; nothing if it is none. `[D1]`
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

    /// What must be read to go on; nothing when all was told.
    pub(super) fn next_effect(&self) -> Option<RelayEffect> {
        if !self.differing.is_empty() {
            let docs = self.differing.iter().take(MAX_HEADS_PAGE).map(|history| history.doc).collect();
            return Some(RelayEffect::ReadNames { docs, after: self.after, upto: self.upto });
        }
        self.rest.map(|(from, to)| RelayEffect::ReadHeads { from, to })
    }

    /// Takes in what the relay has in the first part of the rest, and returns what can be told if nothing of it must be
    /// read: the documents that it does not have, in pages for a message each. `[D2]`
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

    /// Takes in names of the first documents that differ, and returns what can be told of them, in pages for a message
    /// each. `[D2]`
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
        // One that goes on does so at the head of the next page: nothing may come in between.
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

/// The id after this one.
fn successor(doc: DocId) -> Option<DocId> {
    u128::from_be_bytes(*doc.as_bytes()).checked_add(1).map(|next| DocId::from_bytes(next.to_be_bytes()))
}
