//! Changes that the relay has not acknowledged: which wait to be sent, where they are stored, which were refused.

use crate::docs::open;
use crate::id::DocId;
use crate::replica::io::{KeyRange, Space};
use crate::replica::shelf::{Shelf, ShortHash, change_key};
use crate::replica::store::Store;
use crate::wire::NackCode;

/// A change that is here and that the relay has not acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Unsent {
    /// Its document.
    pub(crate) doc: DocId,
    /// Its place among the document's changes.
    pub(crate) index: u32,
}

/// Some changes, and their size together in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Amount {
    pub(crate) changes: u32,
    pub(crate) bytes: u32,
}

impl Amount {
    /// Both together.
    pub(crate) fn plus(self, other: Amount) -> Amount {
        Amount { changes: self.changes + other.changes, bytes: self.bytes + other.bytes }
    }
}

impl Shelf {
    /// Takes in that the relay refused a change.
    pub(crate) fn refuse(&mut self, store: &mut Store, unsent: Unsent, code: NackCode) {
        let Some(record) = self.records.get_mut(&unsent.doc) else { return };
        if record.unacked.contains_key(&unsent.index) {
            self.refused.insert(unsent, code);
            if record.refused.replace(code) != Some(code) {
                self.put_record(store, unsent.doc);
            }
        }
    }

    /// Whether the relay had no room for a change of the document.
    pub(crate) fn is_over_quota(&self, doc: &DocId) -> bool {
        self.records.get(doc).is_some_and(|record| record.refused == Some(NackCode::OverQuota))
    }

    /// Whether any change was refused that may be taken another time.
    pub(crate) fn has_refused(&self) -> bool {
        self.refused.values().any(|code| code.may_change())
    }

    /// Has what was refused offered again, as far as it may be taken another time. `[P7]`
    pub(crate) fn offer_refused_again(&mut self) {
        let again: Vec<Unsent> = self.refused.extract_if(.., |_, code| code.may_change()).map(|(at, _)| at).collect();
        self.give_back(again);
    }

    /// Takes in that storage does not have an unsent change as it was written. A document in memory still has it; else it
    /// is what a relay would call it.
    pub(crate) fn restore_unsent(&mut self, store: &mut Store, unsent: Unsent) {
        let short = self.records.get(&unsent.doc).and_then(|record| record.changes.get(unsent.index as usize)).copied();
        let document = self.loaded.get(&unsent.doc);
        let chunk = document
            .zip(short)
            .and_then(|(document, short)| open::chunk(document, |hash| ShortHash::from(hash) == short));
        match chunk {
            Some(chunk) => {
                store.put(Space::Change, change_key(&unsent.doc, unsent.index), chunk);
                self.give_back([unsent]);
            }
            None => self.refuse(store, unsent, NackCode::Malformed),
        }
    }

    /// Whether any change waits to be sent.
    pub(crate) fn has_unsent(&self) -> bool {
        !self.unsent.is_empty()
    }

    /// Takes up to `count` unsent changes of about `bytes` bytes together, oldest of each document first.
    pub(crate) fn take_unsent(&mut self, count: usize, bytes: usize) -> Vec<Unsent> {
        let mut taken = Vec::new();
        let mut size = 0;
        while taken.len() < count
            && let Some(next) = self.unsent.first().copied()
        {
            let record = self.records.get(&next.doc);
            size += record.and_then(|record| record.unacked.get(&next.index)).map_or(0, |size| *size as usize);
            if size > bytes && !taken.is_empty() {
                break;
            }
            self.unsent.remove(&next);
            taken.push(next);
        }
        taken
    }

    /// Gives back changes that were taken and not acknowledged.
    pub(crate) fn give_back(&mut self, unsent: impl IntoIterator<Item = Unsent>) {
        for item in unsent {
            if self.records.get(&item.doc).is_some_and(|record| record.unacked.contains_key(&item.index)) {
                self.unsent.insert(item);
            }
        }
    }

    /// Where an unsent change is stored.
    pub(crate) fn unsent_range(unsent: &Unsent) -> KeyRange {
        let key = change_key(&unsent.doc, unsent.index);
        KeyRange { space: Space::Change, from: key.clone(), to: key }
    }

    /// Takes in the size of an unsent change as storage has it: a relay that lost it did not say.
    pub(crate) fn size_up(&mut self, unsent: &Unsent, bytes: u32) {
        let record = self.records.get_mut(&unsent.doc);
        if let Some(size) = record.and_then(|record| record.unacked.get_mut(&unsent.index)) {
            *size = bytes;
        }
    }

    /// Which unsent change is stored under a key.
    pub(crate) fn unsent_at(key: &[u8]) -> Option<Unsent> {
        let (doc, index) = key.split_first_chunk::<16>()?;
        Some(Unsent { doc: DocId::from_bytes(*doc), index: u32::from_be_bytes(index.try_into().ok()?) })
    }
}
