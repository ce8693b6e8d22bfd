//! Changes that the relay has not acknowledged: which wait to be sent, where they are stored, which were refused.

use crate::id::DocId;
use crate::replica::io::{KeyRange, Space};
use crate::replica::shelf::{Shelf, change_key};
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

impl Shelf {
    /// Takes in that the relay refused a change.
    pub(crate) fn refuse(&mut self, store: &mut Store, doc: DocId, code: NackCode) {
        if let Some(record) = self.records.get_mut(&doc) {
            record.refused = Some(code);
            self.put_record(store, doc);
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

    /// Which unsent change is stored under a key.
    pub(crate) fn unsent_at(key: &[u8]) -> Option<Unsent> {
        let (doc, index) = key.split_first_chunk::<16>()?;
        Some(Unsent { doc: DocId::from_bytes(*doc), index: u32::from_be_bytes(index.try_into().ok()?) })
    }
}
