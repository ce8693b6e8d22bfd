//! Documents as phones make them, change by change.

use automerge::Automerge;
use tourismo_core::change::advance_heads;
use tourismo_core::docs::published::{self, PublishedFields};
use tourismo_core::docs::{Visibility, automerge_doc};
use tourismo_core::fix::Fix;
use tourismo_core::id::{AccountId, ChangeHash, DeviceKey, DocId};
use tourismo_core::time::{Timestamp, UtcOffset};
use tourismo_core::track::Stretch;
use tourismo_core::track::block::BlockEncoder;
use tourismo_core::wire::{Chunk, DocKind, Offer};

pub(crate) struct Document {
    pub(crate) id: DocId,
    pub(crate) kind: DocKind,
    pub(crate) heads: Vec<ChangeHash>,
    pub(crate) doc: Automerge,
    changes: usize,
}

impl Document {
    /// An empty document that `device` will write to. `number` makes ids and actors distinct.
    pub(crate) fn new(device: DeviceKey, number: u8, kind: DocKind) -> Document {
        let mut actor = [number; 16];
        actor[..8].copy_from_slice(&device.actor_prefix());
        let id = match kind {
            // Bound to an account that this device founded.
            DocKind::Published | DocKind::Meet => DocId::bound(&AccountId::founded_by(&device), [number; 6]),
            DocKind::Settings | DocKind::Profile | DocKind::Car | DocKind::Drive | DocKind::Track | DocKind::Social => {
                DocId::new(Timestamp(1_790_000_000_000), [number; 10])
            }
        };
        Document { id, kind, heads: Vec::new(), doc: automerge_doc::new(&actor), changes: 0 }
    }

    /// An empty document with the given id.
    pub(crate) fn named(device: DeviceKey, number: u8, kind: DocKind, id: DocId) -> Document {
        Document { id, ..Document::new(device, number, kind) }
    }

    /// The next change, with arbitrary content.
    pub(crate) fn change(&mut self) -> (Offer, ChangeHash) {
        self.changes += 1;
        let key = format!("change {}", self.changes);
        self.offer(|doc| automerge_doc::edit(doc, |edit| edit.boolean(&key, true)))
    }

    /// A change of about this many bytes.
    pub(crate) fn large_change(&mut self, bytes: usize) -> (Offer, ChangeHash) {
        self.changes += 1;
        // Incompressible bytes, different for each change.
        let from = self.changes as u64 * 1_000_003;
        let byte = |i: u64| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8;
        let noise: Vec<u8> = (from..from + bytes as u64).map(byte).collect();
        self.offer(|doc| automerge_doc::edit(doc, |edit| edit.bytes_or_nothing("noise", Some(&noise))))
    }

    pub(crate) fn offer(
        &mut self,
        edit: impl FnOnce(&mut Automerge) -> Result<Option<automerge_doc::NewChange>, automerge_doc::EditError>,
    ) -> (Offer, ChangeHash) {
        let change = edit(&mut self.doc).unwrap().expect("the edit changes something");
        advance_heads(&mut self.heads, &change.deps, change.hash);
        (Offer { doc: self.id, kind: self.kind, chunk: Chunk(change.chunk) }, change.hash)
    }

    /// The one change of a published drive.
    pub(crate) fn publish(&mut self, title: &str, visibility: Visibility, stretches: &[Stretch]) -> Offer {
        let mut encoder = BlockEncoder::new();
        let blocks = stretches.iter().map(|stretch| encoder.encode(stretch).unwrap()).collect();
        let started_at = stretches[0].fixes[0].fixed_at.floor_to_hour();
        let fields = PublishedFields {
            title: title.into(),
            car: "Red one".into(),
            started_at,
            utc_offset: UtcOffset::from_minutes(120),
            visibility,
            blocks,
        };
        self.offer(|doc| published::create(doc, &fields)).0
    }
}

/// The change with its only dependency replaced, and with a correct checksum. Its operations are unchanged.
pub(crate) fn transplanted(chunk: &[u8], dep: ChangeHash) -> Vec<u8> {
    // Magic 4, checksum 4, type 1, length 1 or 2, then the body: number of dependencies 1, one of them 32.
    let body = if chunk[9] < 0x80 { 10 } else { 11 };
    let mut forged = chunk.to_vec();
    assert_eq!(forged[body], 1);
    forged[body + 1..body + 33].copy_from_slice(&dep.0);
    let change = automerge::Change::from_bytes(forged.clone()).unwrap();
    // The first four bytes of the new hash are the correct checksum.
    forged[4..8].copy_from_slice(&change.hash().0[..4]);
    forged
}

/// A drive north at 20 m/s that began at `start`: a minute, a tunnel of a minute, another minute.
pub(crate) fn drive_on(start: Timestamp) -> Vec<Stretch> {
    let fix = |second: i64| Fix {
        fixed_at: start + second * 1_000,
        recorded_at: start + second * 1_000,
        lat_deg: 47.0 + second as f64 * 20.0 / 111_000.0,
        lon_deg: 8.5,
        accuracy_m: Some(5.0),
        altitude_m: Some(400.0 + second as f64),
        altitude_accuracy_m: None,
        heading_deg: Some(0.0),
        speed_mps: Some(20.0),
    };
    let stretch = |seconds: std::ops::Range<i64>| Stretch { fixes: seconds.map(fix).collect(), ..Stretch::default() };
    vec![stretch(0..60), stretch(120..180)]
}
