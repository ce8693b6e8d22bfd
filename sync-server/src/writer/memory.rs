//! What the writer remembers of the log between its transactions: books, documents and what was folded, so that a push to
//! a document of which the relay heard lately reads nothing.
//!
//! It holds only what is on disk, and only the one writer changes that. A transaction takes the memory with it, and it comes
//! back from the commit alone: after a failure, or one of which nobody knows how it ended, nothing is remembered. It is
//! bounded by what it weighs, not by what there is, and knows no SQL.

use std::collections::BTreeMap;

use tourismo_core::admission::{AccountState, DocumentState};
use tourismo_core::change::Actor;
use tourismo_core::id::{AccountId, ChangeHash, DocId};
use tourismo_core::time::Timestamp;

use super::projector::Loaded;
use crate::db::change_log::FoundChange;
use crate::db::documents::{ActorUse, DocState};

/// What the books, the documents and what was folded of them may weigh, each, in bytes, roughly; twice that for a moment.
const ACCOUNT_STATE_BYTES: usize = 1 << 20;
const DOCS_BYTES: usize = 3 << 20;
const LOADED_BYTES: usize = 6 << 20;
const FOUNDED_BYTES: usize = 256 << 10;

/// What is known of a document with one head and one actor weighs, bytes, as 22,000 of them were measured: nearly all of
/// it is nodes of trees, with room for more.
const DOC_BYTES: usize = 1_200;

/// The most actors of one document that are remembered. A phone writes as another one each time that it is started.
const MAX_ACTORS: usize = 8;

/// A document: whose it is, and its id. Accounts may use the same ids.
pub(super) type Key = (AccountId, DocId);

/// What is remembered.
#[derive(Debug)]
pub(super) struct Memory {
    /// Until when the database says that the log may have entries, as far as this is known.
    pub(super) received_until: Timestamp,
    accounts: LruCache<AccountId, AccountState>,
    docs: LruCache<Key, KnownDocument>,
    loaded: LruCache<Key, Loaded>,
    founded_at: LruCache<AccountId, Timestamp>,
}

/// What the log knows of a document.
#[derive(Clone, Debug)]
pub(super) struct KnownDocument {
    pub(super) log: DocumentState,
    pub(super) is_quarantined: bool,
    /// Whether its rows are to be derived beside the writer.
    pub(super) is_due: bool,
    /// How many chunks it consists of.
    pub(super) chunks: u64,
    /// What they wrote, of actors that were asked about; nothing of one that has written nothing.
    pub(super) actors: BTreeMap<Actor, ActorUse>,
    /// Changes that were asked about; those that are not here may be there all the same.
    pub(super) stored: BTreeMap<ChangeHash, FoundChange>,
}

impl Default for Memory {
    fn default() -> Memory {
        Memory {
            received_until: Timestamp(0),
            accounts: LruCache::new(ACCOUNT_STATE_BYTES),
            docs: LruCache::new(DOCS_BYTES),
            loaded: LruCache::new(LOADED_BYTES),
            founded_at: LruCache::new(FOUNDED_BYTES),
        }
    }
}

impl Memory {
    /// Hands over the books of an account, which are then no longer here.
    pub(super) fn take_account(&mut self, account: AccountId) -> Option<AccountState> {
        self.accounts.take(&account)
    }

    /// Hands over what is known of a document.
    pub(super) fn take_doc(&mut self, doc: Key) -> Option<KnownDocument> {
        self.docs.take(&doc)
    }

    /// Hands over a document as it was last folded.
    pub(super) fn take_loaded(&mut self, doc: Key) -> Option<Loaded> {
        self.loaded.take(&doc)
    }

    /// When an account was founded.
    pub(super) fn founded_at(&mut self, account: AccountId) -> Option<Timestamp> {
        self.founded_at.take(&account)
    }

    pub(super) fn keep_founded_at(&mut self, account: AccountId, at: Timestamp) {
        self.founded_at.put(account, at, 96);
    }

    pub(super) fn keep_account(&mut self, log: AccountState) {
        let weight = 256 + 48 * log.actor_prefixes.len();
        self.accounts.put(log.account, log, weight);
    }

    /// Keeps what the next change of a document is likely to ask about: that it builds on the heads.
    pub(super) fn keep_doc(&mut self, doc: Key, mut known: KnownDocument) {
        known.stored.retain(|hash, _| known.log.heads.contains(hash));
        if known.actors.len() > MAX_ACTORS {
            known.actors.clear();
        }
        let weight = DOC_BYTES + 96 * known.log.heads.len() + 128 * known.actors.len();
        self.docs.put(doc, known, weight);
    }

    pub(super) fn keep_loaded(&mut self, doc: Key, loaded: Loaded) {
        let weight = loaded.weight();
        self.loaded.put(doc, loaded, weight);
    }
}

impl KnownDocument {
    /// A document of which nothing has been asked yet.
    pub(super) fn new(state: DocState) -> KnownDocument {
        let DocState { log, is_quarantined, is_due, chunks } = state;
        KnownDocument { log, is_quarantined, is_due, chunks, actors: BTreeMap::new(), stored: BTreeMap::new() }
    }

    pub(super) fn last_seq(&self, actor: &Actor) -> u64 {
        self.actor(actor).last_seq
    }

    pub(super) fn actor(&self, actor: &Actor) -> ActorUse {
        self.actors.get(actor).copied().unwrap_or_default()
    }
}

/// What was used lately, in two generations: when the younger one has grown to its bound, the older one is forgotten and
/// it takes its place.
#[derive(Debug)]
struct LruCache<K, V> {
    bound: usize,
    weight: usize,
    young: BTreeMap<K, (V, usize)>,
    old: BTreeMap<K, (V, usize)>,
}

impl<K: Ord, V> LruCache<K, V> {
    fn new(bound: usize) -> LruCache<K, V> {
        LruCache { bound, weight: 0, young: BTreeMap::new(), old: BTreeMap::new() }
    }

    fn take(&mut self, key: &K) -> Option<V> {
        if let Some((value, weight)) = self.young.remove(key) {
            self.weight -= weight;
            return Some(value);
        }
        self.old.remove(key).map(|(value, _)| value)
    }

    /// Keeps what is not here; what weighs more than all may together is not kept.
    fn put(&mut self, key: K, value: V, weight: usize) {
        if weight > self.bound {
            return;
        }
        if self.weight + weight > self.bound {
            (self.old, self.weight) = (std::mem::take(&mut self.young), 0);
        }
        self.weight += weight;
        self.young.insert(key, (value, weight));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_used_lately_is_remembered_and_the_rest_forgotten() {
        let mut recent = LruCache::new(10);
        for key in 0..1_000 {
            recent.put(key, key, 1);
            let zero = recent.take(&0);
            assert_eq!(zero, Some(0), "it is used all the time");
            recent.put(0, 0, 1);
            assert!(recent.young.len() + recent.old.len() <= 20, "{recent:?}");
            assert_eq!(recent.weight, recent.young.len());
        }
        assert_eq!((recent.take(&999), recent.take(&999), recent.take(&500)), (Some(999), None, None));
        recent.put(1, 1, 11);
        assert_eq!(recent.take(&1), None, "it would take all the room");
    }
}
