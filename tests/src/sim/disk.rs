//! A phone's storage: the disk, and the transactions in progress.

use std::collections::{BTreeMap, BTreeSet};

use tourismo_core::change::is_document;
use tourismo_core::docs::automerge_doc;
use tourismo_core::id::{ChangeHash, DocId};
use tourismo_core::replica::io::{KeyRange, Space, StoreOp, StoredEntry};

/// Key-value spaces that survive a kill.
#[derive(Clone, Debug, Default)]
pub struct Disk {
    entries: BTreeMap<(Space, Vec<u8>), Vec<u8>>,
    in_flight: Vec<(u32, Vec<StoreOp>)>,
}

impl Disk {
    /// Returns the entries that a replica needs when it is opened.
    pub fn opening(&self) -> Vec<StoredEntry> {
        let wanted = self.entries.iter().filter(|((space, _), _)| Space::OPENING.contains(space));
        wanted.map(entry).collect()
    }

    /// Returns the entries of some ranges.
    pub fn read(&self, ranges: &[KeyRange]) -> Vec<StoredEntry> {
        let within = |range: &KeyRange| (range.space, range.from.clone())..=(range.space, range.to.clone());
        ranges.iter().flat_map(|range| self.entries.range(within(range)).map(entry)).collect()
    }

    /// Returns the number of entries of a space.
    pub fn count(&self, space: Space) -> usize {
        self.entries.keys().filter(|(of, _)| *of == space).count()
    }

    /// Returns every change on disk with its document.
    pub fn changes(&self) -> impl Iterator<Item = (DocId, &[u8])> {
        let changes = self.entries.iter().filter(|((space, _), _)| *space == Space::Change);
        changes.filter_map(|((_, key), chunk)| Some((DocId::from_bytes(*key.first_chunk()?), chunk.as_slice())))
    }

    /// Returns whether a change of a document is on disk, as a change or in a snapshot.
    pub fn has(&self, doc: &DocId, chunk: &[u8]) -> bool {
        let from = (Space::Change, doc.as_bytes().to_vec());
        let mut of_doc = self
            .entries
            .range(from..)
            .take_while(|((space, key), _)| *space == Space::Change && key.starts_with(doc.as_bytes()));
        of_doc.any(|(_, stored)| stored == chunk || taken_apart(stored).any(|(_, in_snapshot)| in_snapshot == chunk))
    }

    /// Returns the hashes of all changes on disk.
    pub fn hashes(&self) -> BTreeSet<ChangeHash> {
        let plain = |chunk| tourismo_core::admission::scan_candidate(chunk).ok().map(|change| change.hash);
        let names = |(_, chunk)| plain(chunk).into_iter().chain(taken_apart(chunk).map(|(hash, _)| hash));
        self.changes().flat_map(names).collect()
    }

    /// Begins a transaction. Returns whether it is the only one in progress.
    pub(super) fn begin(&mut self, batch: u32, ops: Vec<StoreOp>) -> bool {
        self.in_flight.push((batch, ops));
        self.in_flight.len() == 1
    }

    /// Returns the number of bytes on disk and in progress.
    pub(super) fn bytes(&self) -> usize {
        let under_way = self.in_flight.iter().flat_map(|(_, ops)| ops).map(|op| match op {
            StoreOp::Put(entry) => entry.key.len() + entry.value.len(),
            StoreOp::Delete(_) => 0,
        });
        self.entries.iter().map(|((_, key), value)| key.len() + value.len()).chain(under_way).sum()
    }

    pub(super) fn commit(&mut self, batch: u32) {
        for (_, ops) in self.in_flight.extract_if(.., |(under_way, _)| *under_way == batch).collect::<Vec<_>>() {
            self.apply(&ops);
        }
    }

    pub(super) fn abort(&mut self, batch: u32) {
        self.in_flight.retain(|(under_way, _)| *under_way != batch);
    }

    /// Deletes the change at this index of each document, as a damaged disk would.
    pub(super) fn lose(&mut self, index: u32) {
        self.entries.retain(|(space, key), _| *space != Space::Change || !key.ends_with(&index.to_be_bytes()));
    }

    /// Deletes the records of all documents.
    pub(super) fn lose_records(&mut self) {
        self.entries.retain(|(space, _), _| *space != Space::Doc);
    }

    /// The app is killed: this number of operations in progress is on disk. A real disk has all of them or none.
    pub(super) fn kill(&mut self, survive: impl FnOnce(usize) -> usize) {
        let ops: Vec<StoreOp> = std::mem::take(&mut self.in_flight).into_iter().flat_map(|(_, ops)| ops).collect();
        self.apply(&ops[..survive(ops.len())]);
    }

    fn apply(&mut self, ops: &[StoreOp]) {
        for op in ops {
            match op {
                StoreOp::Put(entry) => {
                    self.entries.insert((entry.space, entry.key.clone()), entry.value.clone());
                }
                StoreOp::Delete(range) => {
                    let within = |space: Space, key: &[u8]| {
                        space == range.space && range.from.as_slice() <= key && key <= range.to.as_slice()
                    };
                    self.entries.retain(|(space, key), _| !within(*space, key));
                }
            }
        }
    }
}

fn entry(((space, key), value): (&(Space, Vec<u8>), &Vec<u8>)) -> StoredEntry {
    StoredEntry { space: *space, key: key.clone(), value: value.clone() }
}

/// Returns the changes in a snapshot; none of anything else.
fn taken_apart(chunk: &[u8]) -> impl Iterator<Item = (ChangeHash, Vec<u8>)> {
    let snapshot = is_document(chunk).then(|| automerge_doc::load(&[0; 16], [chunk]).ok()).flatten();
    snapshot.into_iter().flat_map(|doc| automerge_doc::chunks(&doc))
}
