//! The writer's memory between its transactions: account states, documents and folded documents. A push to a document
//! that the relay handled recently reads nothing.
//!
//! It contains only committed state, which only the writer changes. A transaction takes the memory and returns it after
//! its commit; after a failure, or if the result is unknown, the memory is empty. It is bounded by size. This module
//! must not depend on SQL.

use std::collections::BTreeMap;
use std::hash::Hash;
use std::sync::Arc;

use hashlink::LruCache;
use tourismo_core::admission::{AccountState, DocumentState};
use tourismo_core::change::Actor;
use tourismo_core::id::{AccountId, ChangeHash, DocId};
use tourismo_core::time::Timestamp;

use super::projector::Loaded;
use crate::db::change_log::FoundChange;
use crate::db::decisions::Decisions;
use crate::db::documents::{ActorUse, DocState};

/// Maximum size of the account states, of the documents and of the folded documents, approximately, bytes.
const ACCOUNT_STATE_BYTES: usize = 2 << 20;
const DOCS_BYTES: usize = 6 << 20;
const LOADED_BYTES: usize = 12 << 20;
const FOUNDED_BYTES: usize = 512 << 10;

/// The size of a document with one head and one actor, bytes, as measured for 22,000 of them: nearly all of it is tree
/// nodes with free entries.
const DOC_BYTES: usize = 1_200;

/// Maximum number of remembered actors of one document. A phone writes as a new actor after each start.
const MAX_ACTORS: usize = 8;

/// A document by its account and its id. Accounts may use the same ids.
pub(super) type Key = (AccountId, DocId);

/// The remembered state.
#[derive(Debug)]
pub(super) struct Memory {
    /// The stored maximum time of entries, as far as it is known.
    pub(super) received_until: Timestamp,
    /// The decisions of operators, once they were read. Operators decide by hand, so these are few.
    pub(super) decisions: Option<Arc<Decisions>>,
    accounts: WeightedCache<AccountId, AccountState>,
    docs: WeightedCache<Key, KnownDocument>,
    loaded: WeightedCache<Key, Loaded>,
    founded_at: WeightedCache<AccountId, Timestamp>,
}

/// The state of a document in the log.
#[derive(Clone, Debug)]
pub(super) struct KnownDocument {
    pub(super) log: DocumentState,
    pub(super) is_quarantined: bool,
    /// Whether its rows must be derived in the background.
    pub(super) is_due: bool,
    /// The number of its chunks.
    pub(super) chunks: u64,
    /// The uses by actors that were looked up, also empty ones.
    pub(super) actors: BTreeMap<Actor, ActorUse>,
    /// Changes that were looked up; others may be stored, too.
    pub(super) stored: BTreeMap<ChangeHash, FoundChange>,
}

impl Default for Memory {
    fn default() -> Memory {
        Memory {
            received_until: Timestamp(0),
            decisions: None,
            accounts: WeightedCache::new(ACCOUNT_STATE_BYTES),
            docs: WeightedCache::new(DOCS_BYTES),
            loaded: WeightedCache::new(LOADED_BYTES),
            founded_at: WeightedCache::new(FOUNDED_BYTES),
        }
    }
}

impl Memory {
    /// Takes the state of an account out of the memory.
    pub(super) fn take_account(&mut self, account: AccountId) -> Option<AccountState> {
        self.accounts.take(&account)
    }

    /// Takes the state of a document out of the memory.
    pub(super) fn take_doc(&mut self, doc: Key) -> Option<KnownDocument> {
        self.docs.take(&doc)
    }

    /// Takes a document, as it was last folded, out of the memory.
    pub(super) fn take_loaded(&mut self, doc: Key) -> Option<Loaded> {
        self.loaded.take(&doc)
    }

    /// Returns when an account was founded.
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

    /// Keeps what the next change of a document will probably need: that it depends on the heads.
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
    /// Returns the state of a document without looked-up values.
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

/// The most recently used entries, bounded by their size.
///
/// The crate `quick_cache`, which caches answers, does not fit: the writer removes an entry and inserts it again in each
/// transaction, so that no entry is ever hit in place, and the crate reserves most of the size for entries that were hit.
#[derive(Debug)]
struct WeightedCache<K, V> {
    bound: usize,
    weight: usize,
    values: LruCache<K, (V, usize)>,
}

impl<K: Eq + Hash, V> WeightedCache<K, V> {
    fn new(bound: usize) -> WeightedCache<K, V> {
        WeightedCache { bound, weight: 0, values: LruCache::new_unbounded() }
    }

    fn take(&mut self, key: &K) -> Option<V> {
        let (value, weight) = self.values.remove(key)?;
        self.weight -= weight;
        Some(value)
    }

    /// Inserts an entry, unless it exceeds the bound by itself, and removes the least recently used ones until all fit.
    fn put(&mut self, key: K, value: V, weight: usize) {
        if weight > self.bound {
            return;
        }
        self.take(&key);
        while self.weight + weight > self.bound
            && let Some((_, (_, forgotten))) = self.values.remove_lru()
        {
            self.weight -= forgotten;
        }
        self.weight += weight;
        self.values.insert(key, (value, weight));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_used_lately_is_remembered_and_the_rest_forgotten() {
        let mut cache = WeightedCache::new(20);
        for key in 0..1_000 {
            cache.put(key, key, 1);
            assert_eq!(cache.take(&0), Some(0), "it is used all the time");
            cache.put(0, 0, 1);
            assert!(cache.values.len() <= 20, "{cache:?}");
            assert_eq!(cache.weight, cache.values.len());
        }
        assert_eq!((cache.take(&999), cache.take(&999), cache.take(&500)), (Some(999), None, None));
        cache.put(1, 1, 21);
        assert_eq!(cache.take(&1), None, "it would take all the room");
    }

    #[test]
    fn a_heavy_value_takes_the_room_of_as_many_as_it_weighs() {
        let mut cache = WeightedCache::new(10);
        (0..10).for_each(|key| cache.put(key, (), 1));
        cache.put(10, (), 4);
        assert_eq!([0, 3, 4, 10].map(|key| cache.take(&key).is_some()), [false, false, true, true]);
        assert_eq!(cache.weight, 5);
        cache.put(9, (), 3);
        assert_eq!(cache.weight, 7, "the value of a key is replaced");
    }
}
