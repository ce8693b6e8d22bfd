//! What is known of a document without loading it.

use std::collections::BTreeMap;

use minicbor::{Decode, Encode};

use crate::change::advance_heads;
use crate::id::ChangeHash;
use crate::replica::documents::ChangeTotals;
use crate::replica::documents::snapshot::AnnouncedSnapshot;
use crate::sorted::Set;
use crate::wire::{DocKind, NackCode};

/// What is known of a document without loading it. Stored in [`Space::Doc`] under the document's id.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub(crate) struct DocumentRecord {
    /// What it is.
    #[n(0)]
    pub(crate) kind: DocKind,
    /// The heads of the changes that are here.
    #[n(1)]
    pub(crate) heads: Vec<ChangeHash>,
    /// The heads of the changes that the relay is known to have.
    #[n(2)]
    pub(crate) relay_heads: Vec<ChangeHash>,
    /// The changes that are here, in the order in which they were stored.
    #[n(3)]
    pub(super) changes: Vec<ShortHash>,
    /// Which of them the relay has not acknowledged, and their sizes in bytes.
    #[n(4)]
    pub(super) unacked: BTreeMap<u32, u32>,
    /// The changes that the relay has and that are not here.
    #[n(5)]
    pub(super) missing: Set<ShortHash>,
    /// Why the relay refused one of the changes.
    #[n(6)]
    pub(crate) refused: Option<NackCode>,
    /// A snapshot of which not everything is here, if the relay has told of one.
    #[n(7)]
    pub(super) announced: Option<AnnouncedSnapshot>,
    /// Which of the changes are stored in a snapshot: first and last places.
    #[n(8)]
    #[cbor(default)]
    pub(super) in_snapshot: Vec<(u32, u32)>,
    /// How many snapshots are stored besides one; see [`crate::replica::documents::snapshot`].
    #[n(9)]
    #[cbor(default)]
    pub(super) further_snapshots: u32,
    /// Whether changes of a drive or a published copy came from elsewhere since the two were compared; see
    /// [`crate::replica::copies`].
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

    /// The places of the changes that the relay has not acknowledged.
    pub(super) fn unacked_places(&self) -> impl Iterator<Item = u32> {
        self.unacked.keys().copied()
    }

    /// What the relay has not acknowledged.
    pub(crate) fn unsent(&self) -> ChangeTotals {
        ChangeTotals { changes: self.unacked.len() as u32, bytes: self.unacked.values().sum() }
    }

    /// One change that the relay has not acknowledged; nothing, if it has.
    pub(crate) fn unsent_at(&self, index: u32) -> ChangeTotals {
        self.unacked.get(&index).map_or(ChangeTotals::default(), |bytes| ChangeTotals { changes: 1, bytes: *bytes })
    }

    /// How many of the changes that are here the relay has.
    pub(crate) fn acked(&self) -> u32 {
        (self.changes.len() - self.unacked.len()) as u32
    }

    /// Whether the relay has changes that are not here.
    pub(crate) fn lacks_any(&self) -> bool {
        !self.missing.is_empty() || self.announced.is_some()
    }

    /// Whether it cannot be known yet which of the changes here the relay has.
    pub(super) fn is_unclear(&self) -> bool {
        self.announced.is_some() && !self.unacked.is_empty()
    }

    /// Takes note that a change is stored by itself, whatever a snapshot holds.
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

    /// Whether what the relay has is to be fetched without being asked for.
    pub(super) fn must_fetch(&self) -> bool {
        self.lacks_any() && (!self.kind.is_on_demand() || self.is_unclear())
    }

    /// Takes note of a change that is stored, behind all that it depends on, and returns its place.
    pub(super) fn append(&mut self, hash: &ChangeHash, deps: &[ChangeHash]) -> u32 {
        self.changes.push(ShortHash::from(hash));
        advance_heads(&mut self.heads, deps, *hash);
        self.changes.len() as u32 - 1
    }

    /// Forgets that the relay told of heads that were not here, once all of them are: what it has before them came before. Of
    /// what was made here only a fetch tells whether they build on it. `[C5]`
    pub(super) fn settle_announced(&mut self) {
        let is_here = |announced: &AnnouncedSnapshot| announced.heads.iter().all(|head| self.position(head).is_some());
        if self.unacked.is_empty() && self.announced.as_ref().is_some_and(is_here) {
            self.announced = None;
        }
    }

    /// Forgets that the relay refused something, once it has everything.
    pub(super) fn clear_refusal(&mut self) {
        if self.unacked.is_empty() {
            self.refused = None;
        }
    }

    /// How many those are.
    pub(crate) fn missing_count(&self) -> u32 {
        self.missing.len() as u32 + self.announced.as_ref().map_or(0, |announced| announced.changes)
    }

    /// Whether the relay heads stand for this change, too, as far as is known.
    pub(super) fn is_on_relay(&self, hash: &ChangeHash) -> bool {
        self.is_acknowledged(hash)
            || self.missing.contains(&ShortHash::from(hash))
            || self.announced.as_ref().is_some_and(|announced| announced.heads.contains(hash))
    }

    /// Whether a change is here and on the relay.
    pub(super) fn is_acknowledged(&self, hash: &ChangeHash) -> bool {
        self.position(hash).is_some_and(|index| !self.unacked.contains_key(&index))
    }

    /// Whether changes of two devices meet in it, and what is derived from it may say something else.
    pub(crate) fn needs_alignment(&self) -> bool {
        match self.kind {
            DocKind::Drive | DocKind::Published => self.heads.len() > 1,
            // Who finished it may have had a part of it only. Who does not hold the track sees that two parts meet on the relay:
            // those who do may all be lost.
            DocKind::Track => {
                self.relay_heads.len() > 1 || self.is_here() && (self.heads.len() > 1 || self.lacks_any())
            }
            DocKind::Settings | DocKind::Profile | DocKind::Car | DocKind::Social | DocKind::Meet => false,
        }
    }

    /// What to say of it in a comparison: the heads that the relay is known to have, but nothing if all of that should be
    /// here and is not, or if something was not acknowledged, which the relay may have below these heads: then the relay
    /// tells everything.
    pub(crate) fn heads_to_compare(&self) -> Vec<ChangeHash> {
        let is_complete = self.heads == self.relay_heads || self.lacks_any();
        if is_complete && self.unacked.is_empty() { self.relay_heads.clone() } else { Vec::new() }
    }

    /// Whether any change is here.
    pub(crate) fn is_here(&self) -> bool {
        !self.changes.is_empty()
    }
}

/// What the relay has of a document and is not here, as far as it is known by name.
#[derive(Clone, Debug, Default)]
pub(crate) struct MissingChanges {
    pub(super) missing: Set<ShortHash>,
    pub(super) announced: Option<AnnouncedSnapshot>,
}

/// The first eight bytes of a change's name: enough to tell the changes of one document apart.
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

    /// A record as it was stored before there were snapshots.
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
