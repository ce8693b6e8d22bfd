//! The state of a document that is available without loading it.

use std::collections::BTreeMap;

use minicbor::{Decode, Encode};

use crate::change::advance_heads;
use crate::id::ChangeHash;
use crate::kind::Reconciler;
use crate::replica::documents::ChangeTotals;
use crate::replica::documents::snapshot::AnnouncedSnapshot;
use crate::sorted::Set;
use crate::wire::{DocKind, NackCode};

/// The state of a document that is known without loading it. Stored in [`Space::Doc`](crate::replica::io::Space::Doc) under the document's id.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub(crate) struct DocumentRecord {
    /// Its kind.
    #[n(0)]
    pub(crate) kind: DocKind,
    /// The heads of the local changes.
    #[n(1)]
    pub(crate) heads: Vec<ChangeHash>,
    /// The heads of the changes on the relay, as far as known.
    #[n(2)]
    pub(crate) relay_heads: Vec<ChangeHash>,
    /// The local changes, in the order in which they were stored.
    #[n(3)]
    pub(super) changes: Vec<ShortHash>,
    /// Positions of the unacknowledged changes, with their sizes in bytes.
    #[n(4)]
    pub(super) unacked: BTreeMap<u32, u32>,
    /// The changes that the relay has and this phone lacks.
    #[n(5)]
    pub(super) missing: Set<ShortHash>,
    /// The code with which the relay refused a change.
    #[n(6)]
    pub(crate) refused: Option<NackCode>,
    /// A snapshot announced by the relay that is not complete here.
    #[n(7)]
    pub(super) announced: Option<AnnouncedSnapshot>,
    /// Ranges of positions of the changes stored in a snapshot: first and last.
    #[n(8)]
    #[cbor(default)]
    pub(super) in_snapshot: Vec<(u32, u32)>,
    /// Number of snapshots stored in addition to one; see [`crate::replica::documents::snapshot`].
    #[n(9)]
    #[cbor(default)]
    pub(super) further_snapshots: u32,
    /// Whether a drive or a published copy changed remotely since the two were compared; see
    /// [`crate::replica::published_copies`].
    #[n(10)]
    #[cbor(default)]
    pub(super) is_unchecked: bool,
}

impl DocumentRecord {
    pub(super) fn new(kind: DocKind) -> DocumentRecord {
        DocumentRecord {
            kind,
            heads: Vec::new(),
            relay_heads: Vec::new(),
            changes: Vec::new(),
            unacked: BTreeMap::new(),
            missing: Set::new(),
            refused: None,
            announced: None,
            in_snapshot: Vec::new(),
            further_snapshots: 0,
            is_unchecked: false,
        }
    }

    pub(super) fn position(&self, hash: &ChangeHash) -> Option<u32> {
        let short = ShortHash::from(hash);
        self.changes.iter().position(|known| *known == short).map(|index| index as u32)
    }

    /// Returns the positions of the unacknowledged changes.
    pub(super) fn unacked_places(&self) -> impl Iterator<Item = u32> {
        self.unacked.keys().copied()
    }

    /// Returns the totals of the unacknowledged changes.
    pub(crate) fn unsent(&self) -> ChangeTotals {
        ChangeTotals { changes: self.unacked.len() as u32, bytes: self.unacked.values().sum() }
    }

    /// Returns the totals of one change; nothing if it is acknowledged.
    pub(crate) fn unsent_at(&self, index: u32) -> ChangeTotals {
        self.unacked.get(&index).map_or(ChangeTotals::default(), |bytes| ChangeTotals { changes: 1, bytes: *bytes })
    }

    /// Returns the number of acknowledged local changes.
    pub(crate) fn acked(&self) -> u32 {
        (self.changes.len() - self.unacked.len()) as u32
    }

    /// Returns whether the relay has changes that this phone lacks.
    pub(crate) fn lacks_any(&self) -> bool {
        !self.missing.is_empty() || self.announced.is_some()
    }

    /// Returns whether it is unknown which of the local changes the relay has.
    pub(super) fn is_unclear(&self) -> bool {
        self.announced.is_some() && !self.unacked.is_empty()
    }

    /// Records that a change is stored separately, also if a snapshot contains it.
    pub(super) fn is_stored_by_itself(&mut self, index: u32) {
        let around = |(first, last): &(u32, u32)| match index {
            index if index < *first || index > *last => [Some((*first, *last)), None],
            index => [
                index.checked_sub(1).filter(|before| first <= before).map(|before| (*first, before)),
                Some(index + 1).filter(|after| after <= last).map(|after| (after, *last)),
            ],
        };
        self.in_snapshot = self.in_snapshot.iter().flat_map(around).flatten().collect();
    }

    /// Returns whether missing changes are fetched without a request.
    pub(super) fn must_fetch(&self) -> bool {
        self.lacks_any() && (!self.kind.is_on_demand() || self.is_unclear())
    }

    /// Adds a stored change whose dependencies are here, and returns its position.
    pub(super) fn append(&mut self, hash: &ChangeHash, deps: &[ChangeHash]) -> u32 {
        self.changes.push(ShortHash::from(hash));
        advance_heads(&mut self.heads, deps, *hash);
        self.changes.len() as u32 - 1
    }

    /// Clears the announced snapshot once all of its heads are here: the relay has the changes before them. Only a
    /// fetch tells whether local changes are among these. `[C5]`
    pub(super) fn settle_announced(&mut self) {
        let is_here = |announced: &AnnouncedSnapshot| announced.heads.iter().all(|head| self.position(head).is_some());
        if self.unacked.is_empty() && self.announced.as_ref().is_some_and(is_here) {
            self.announced = None;
        }
    }

    /// Clears the refusal once the relay has all changes.
    pub(super) fn clear_refusal(&mut self) {
        if self.unacked.is_empty() {
            self.refused = None;
        }
    }

    /// Returns the number of missing changes.
    pub(crate) fn missing_count(&self) -> u32 {
        self.missing.len() as u32 + self.announced.as_ref().map_or(0, |announced| announced.changes)
    }

    /// Returns whether the relay's heads include this change, as far as known.
    pub(super) fn is_on_relay(&self, hash: &ChangeHash) -> bool {
        self.is_acknowledged(hash)
            || self.missing.contains(&ShortHash::from(hash))
            || self.announced.as_ref().is_some_and(|announced| announced.heads.contains(hash))
    }

    /// Returns whether a change is here and on the relay.
    pub(super) fn is_acknowledged(&self, hash: &ChangeHash) -> bool {
        self.position(hash).is_some_and(|index| !self.unacked.contains_key(&index))
    }

    /// Returns whether changes of two devices were merged, so that derived documents may differ.
    pub(crate) fn needs_alignment(&self) -> bool {
        match self.kind.policy().reconciled {
            Some(Reconciler::PublishedCopy) => self.heads.len() > 1,
            // The device that finished the drive may have had a part of the track only. A device without the track sees
            // two parts meet on the relay: all devices that hold the track may be lost.
            Some(Reconciler::DriveStats) => {
                self.relay_heads.len() > 1 || self.is_here() && (self.heads.len() > 1 || self.lacks_any())
            }
            None => false,
        }
    }

    /// Returns the heads to report in a comparison: the known heads on the relay. They are empty if some of those
    /// changes should be here and are not, or if a change is unacknowledged, which the relay may have below these
    /// heads; then the relay sends all hashes.
    pub(crate) fn heads_to_compare(&self) -> Vec<ChangeHash> {
        let is_complete = self.heads == self.relay_heads || self.lacks_any();
        if is_complete && self.unacked.is_empty() { self.relay_heads.clone() } else { Vec::new() }
    }

    /// Returns whether any change is here.
    pub(crate) fn is_here(&self) -> bool {
        !self.changes.is_empty()
    }
}

/// The changes of a document that are missing here, as far as their hashes are known.
#[derive(Clone, Debug, Default)]
pub(crate) struct MissingChanges {
    pub(super) missing: Set<ShortHash>,
    pub(super) announced: Option<AnnouncedSnapshot>,
}

/// The first eight bytes of a change's hash, which distinguish the changes of one document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(transparent)]
pub(crate) struct ShortHash(#[cbor(n(0), with = "minicbor::bytes")] [u8; 8]);

impl From<&ChangeHash> for ShortHash {
    fn from(hash: &ChangeHash) -> ShortHash {
        ShortHash(*hash.0.first_chunk().expect("a hash has 32 bytes"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A record in the format before snapshots.
    #[derive(Encode)]
    struct Earlier {
        #[n(0)]
        kind: DocKind,
        #[n(1)]
        heads: Vec<ChangeHash>,
        #[n(2)]
        relay_heads: Vec<ChangeHash>,
        #[n(3)]
        changes: Vec<ShortHash>,
        #[n(4)]
        unacked: BTreeMap<u32, u32>,
        #[n(5)]
        missing: Vec<ShortHash>,
        #[n(6)]
        refused: Option<NackCode>,
    }

    #[test]
    fn a_record_that_an_earlier_version_stored_is_read() {
        let (heads, relay_heads) = (vec![ChangeHash([1; 32])], vec![ChangeHash([2; 32])]);
        let short = |number| ShortHash([number; 8]);
        let earlier = Earlier {
            kind: DocKind::Track,
            heads: heads.clone(),
            relay_heads: relay_heads.clone(),
            changes: vec![short(1)],
            unacked: BTreeMap::from([(0, 100)]),
            missing: vec![short(2)],
            refused: Some(NackCode::OverQuota),
        };
        let mut record =
            DocumentRecord { kind: DocKind::Track, heads, relay_heads, ..DocumentRecord::new(DocKind::Track) };
        record.changes.push(short(1));
        record.unacked.insert(0, 100);
        record.missing.insert(short(2));
        record.refused = Some(NackCode::OverQuota);
        assert_eq!(minicbor::decode::<DocumentRecord>(&minicbor::to_vec(earlier).unwrap()).unwrap(), record);
    }
}
