//! The unpacked stretch of a recording, and its blocks.

use automerge::Automerge;

use crate::docs;
use crate::id::DocId;
use crate::replica::documents::DocumentStore;
use crate::replica::write_queue::WriteQueue;
use crate::track::Stretch;
use crate::track::block::BlockEncoder;

/// Maximum duration of a stretch before it is packed, in milliseconds.
const BLOCK_MS: u64 = 60_000;
/// A stretch with fewer items waits for more, at most this long, in milliseconds.
const SPARSE_ITEMS: usize = 30;
const SPARSE_BLOCK_MS: u64 = 600_000;
/// Maximum number of items of a stretch.
pub(super) const BLOCK_ITEMS: usize = 1_000;

/// Packs stretches into blocks of a track.
#[derive(Debug)]
pub(super) struct BlockPacker {
    encoder: BlockEncoder,
    /// The recorder session of this start of the app.
    session: String,
    next_block: u32,
    /// Number of blocks of other sessions in the recorder's statistics.
    known_blocks: usize,
    /// The unpacked stretch.
    pub(super) stretch: Stretch,
    /// When it began, on the monotonic clock.
    began_ms: Option<u64>,
}

impl BlockPacker {
    /// Creates a packer for this start of the app.
    pub(super) fn new(actor: &[u8; 16]) -> BlockPacker {
        BlockPacker {
            encoder: BlockEncoder::new(),
            session: actor.iter().map(|byte| format!("{byte:02x}")).collect(),
            next_block: 0,
            known_blocks: 0,
            stretch: Stretch::default(),
            began_ms: None,
        }
    }

    /// Records the number of counted blocks of other sessions.
    pub(super) fn counted(&mut self, blocks: usize) {
        self.known_blocks = blocks;
    }

    /// Returns whether a track has blocks that the recorder has not counted.
    pub(super) fn has_uncounted(&self, track: &Automerge) -> bool {
        docs::track::block_count(track) > self.known_blocks + self.next_block as usize
    }

    /// Records an arrived item.
    pub(super) fn begin(&mut self, now_ms: u64) {
        self.began_ms.get_or_insert(now_ms);
    }

    /// Restores an earlier stretch.
    pub(super) fn restore(&mut self, stretch: Stretch) {
        self.stretch = stretch;
        self.began_ms = None;
    }

    /// Returns how many items are not packed.
    pub(super) fn items(&self) -> usize {
        let Stretch { fixes, refused, invalid_count, marks, run: _ } = &self.stretch;
        fixes.len() + refused.len() + *invalid_count as usize + marks.len()
    }

    /// Returns when the stretch is due, on the monotonic clock.
    pub(super) fn due_ms(&self) -> Option<u64> {
        let wait_ms = if self.items() < SPARSE_ITEMS { SPARSE_BLOCK_MS } else { BLOCK_MS };
        self.began_ms.map(|began_ms| began_ms + wait_ms)
    }

    /// Returns whether it is time to pack.
    pub(super) fn is_due(&self, now_ms: u64) -> bool {
        self.due_ms().is_some_and(|due_ms| due_ms <= now_ms)
    }

    /// Returns whether the stretch is as long as it may be.
    pub(super) fn is_full(&self) -> bool {
        self.items() >= BLOCK_ITEMS
    }

    /// Encodes the stretch as a block, which is one change, or as several if the delays of the fixes differ much.
    /// Returns whether there was anything to encode and the track was in memory. Without the track everything stays in
    /// the journal for the next attempt.
    pub(super) fn pack(&mut self, track: DocId, documents: &mut DocumentStore, writes: &mut WriteQueue) -> bool {
        self.began_ms = None;
        if documents.loaded(&track).is_none() || self.items() == 0 {
            return false;
        }
        for part in std::mem::take(&mut self.stretch).of_one_delay() {
            let block = self.encoder.encode(&part).expect("the recorder gives only what a block can hold");
            let document = documents.loaded(&track).expect("it was there a moment ago");
            let change = docs::track::add_block(document, &self.session, self.next_block, block);
            let change = change.expect("a block has a key of its own");
            self.next_block += 1;
            documents.add_own(writes, track, change);
        }
        true
    }
}
