//! Computes the state of one account from the entries of its log.
//!
//! The caller compares it with the stored state.

use std::collections::{BTreeMap, BTreeSet};

use tourismo_core::admission::{AccountState, DocumentState, scan_candidate};
use tourismo_core::change::Actor;
use tourismo_core::id::{ChangeHash, DocId};
use tourismo_core::wire::DocKind;

use crate::db::change_log::StoredEntry;

/// The faults of an entry of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntryFault {
    /// Positions before it have no entry.
    #[error("does not follow the one before it")]
    Gap,
    /// Its change cannot be read.
    #[error("holds no change that can be read")]
    Unreadable,
    /// Hash, dependencies or counter differ from those of its change.
    #[error("is not what its columns say")]
    Misnamed,
    /// Its change depends on one that is not before it.
    #[error("builds on a change that is not before it")]
    Orphan,
    /// Its change has a sequence number that does not follow its actor's last one.
    #[error("does not follow the last change of its actor")]
    SeqGap,
    /// Its actor belongs to no device of the account.
    #[error("was made by no device of the account")]
    ForeignActor,
    /// Its document is not in the stored state.
    #[error("belongs to a document that is not there")]
    NoDocument,
}

/// The state after the entries so far.
pub(super) struct Recount {
    /// Head, digest and usage.
    pub(super) log: AccountState,
    /// The documents with their heads.
    pub(super) docs: BTreeMap<DocId, DocumentState>,
    /// The position of the last entry of each document.
    pub(super) revisions: BTreeMap<DocId, u64>,
    /// The last sequence number of each actor.
    pub(super) last_seqs: BTreeMap<(DocId, Actor), u64>,
    names: BTreeMap<DocId, BTreeSet<ChangeHash>>,
}

impl Recount {
    /// Creates the state before the first entry of an account. `books` has its devices, `kinds` the kinds of its
    /// documents.
    pub(super) fn new(books: &AccountState, kinds: &BTreeMap<DocId, DocKind>) -> Recount {
        let log = AccountState { head: 0, digest: Default::default(), usage: Default::default(), ..books.clone() };
        let docs = kinds.iter().map(|(id, kind)| (*id, DocumentState::new(books.account, *kind))).collect();
        Recount { log, docs, revisions: BTreeMap::new(), last_seqs: BTreeMap::new(), names: BTreeMap::new() }
    }

    /// Adds the next entry. A faulty one is added as far as possible.
    pub(super) fn enter(&mut self, entry: &StoredEntry) -> Result<(), EntryFault> {
        let follows = entry.seq == self.log.head + 1;
        let counted = self.count(entry);
        // Its position is used in any case.
        self.log.head = entry.seq;
        if follows { counted } else { counted.and(Err(EntryFault::Gap)) }
    }

    fn count(&mut self, entry: &StoredEntry) -> Result<(), EntryFault> {
        let doc = self.docs.get_mut(&entry.doc).ok_or(EntryFault::NoDocument)?;
        let change = scan_candidate(&entry.chunk).map_err(|_| EntryFault::Unreadable)?;
        let names = self.names.entry(entry.doc).or_default();
        let is_orphan = !change.deps.iter().all(|dep| names.contains(dep));
        names.insert(change.hash);
        self.log.append(entry.doc, doc, &change, entry.bytes as usize);
        self.revisions.insert(entry.doc, entry.seq);
        let last_seq = self.last_seqs.insert((entry.doc, change.actor.clone()), change.seq).unwrap_or(0);
        let is_of = |prefix: &[u8; 8]| change.actor.as_bytes().starts_with(prefix);
        if (change.hash, &change.deps, change.max_op()) != (entry.hash, &entry.deps, entry.max_op) {
            Err(EntryFault::Misnamed)
        } else if is_orphan {
            Err(EntryFault::Orphan)
        } else if change.seq != last_seq + 1 {
            Err(EntryFault::SeqGap)
        } else if !self.log.actor_prefixes.iter().any(is_of) {
            Err(EntryFault::ForeignActor)
        } else {
            Ok(())
        }
    }
}
