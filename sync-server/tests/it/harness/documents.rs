//! Documents as phones make them, change by change.

use std::ops::{Deref, DerefMut};

use automerge::Automerge;
use tourismo_core::docs::published::{self, PublishedFields};
use tourismo_core::docs::{Visibility, automerge_doc};
use tourismo_core::fix::Fix;
use tourismo_core::id::{AccountId, ChangeHash, DeviceKey, DocId};
use tourismo_core::kind::IdRule;
use tourismo_core::time::{Timestamp, UtcOffset};
use tourismo_core::track::Stretch;
use tourismo_core::track::block::BlockEncoder;
use tourismo_core::wire::{DocKind, Offer};
use tourismo_test_kit::client::Document as Writing;

pub(crate) struct Document(Writing);

impl Deref for Document {
    type Target = Writing;

    fn deref(&self) -> &Writing {
        &self.0
    }
}

impl DerefMut for Document {
    fn deref_mut(&mut self) -> &mut Writing {
        &mut self.0
    }
}

impl Document {
    /// An empty document that `device` will write to. `number` makes ids and actors distinct.
    pub(crate) fn new(device: DeviceKey, number: u8, kind: DocKind) -> Document {
        let id = match kind.policy().id {
            // Bound to an account that this device founded.
            IdRule::Bound => DocId::bound(&AccountId::founded_by(&device), [number; 6]),
            IdRule::Free | IdRule::OnlyOne(_) => DocId::new(Timestamp(1_790_000_000_000), [number; 10]),
        };
        Document::named(device, number, kind, id)
    }

    /// An empty document with the given id.
    pub(crate) fn named(device: DeviceKey, number: u8, kind: DocKind, id: DocId) -> Document {
        Document(Writing::written_by(device, [number; 8], id, kind))
    }

    /// The next change, with arbitrary content.
    pub(crate) fn change(&mut self) -> (Offer, ChangeHash) {
        self.large_change(0)
    }

    /// A change of about this many bytes.
    pub(crate) fn large_change(&mut self, bytes: usize) -> (Offer, ChangeHash) {
        let (hash, offer) = self.0.change(bytes);
        (offer, hash)
    }

    pub(crate) fn offer(
        &mut self,
        edit: impl FnOnce(&mut Automerge) -> Result<Option<automerge_doc::NewChange>, automerge_doc::EditError>,
    ) -> (Offer, ChangeHash) {
        let (hash, offer) = self.edit(edit);
        (offer, hash)
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
