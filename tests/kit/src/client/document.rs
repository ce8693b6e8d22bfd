//! A document as a phone makes it, change by change.

use automerge::Automerge;
use tourismo_core::change::advance_heads;
use tourismo_core::docs::automerge_doc::{self, EditError, NewChange};
use tourismo_core::id::{AccountId, ChangeHash, DeviceKey, DocId};
use tourismo_core::wire::{Chunk, DocKind, Offer};

/// A document with one actor.
#[derive(Debug)]
pub struct Document {
    /// Its id.
    pub id: DocId,
    /// Its kind.
    pub kind: DocKind,
    /// Its heads.
    pub heads: Vec<ChangeHash>,
    /// Its content.
    pub doc: Automerge,
    changes: u64,
}

impl Document {
    /// Creates an empty document for a device. `name` determines its id and its actor.
    pub fn new(device: DeviceKey, name: [u8; 16], kind: DocKind) -> Document {
        let mut start = [0; 8];
        start.copy_from_slice(&name[..8]);
        Document::written_by(device, start, DocId::from_bytes(name), kind)
    }

    /// An empty document that a start of the app on a device will write to.
    pub fn written_by(device: DeviceKey, start: [u8; 8], id: DocId, kind: DocKind) -> Document {
        let mut actor = [0; 16];
        actor[..8].copy_from_slice(&device.actor_prefix());
        actor[8..].copy_from_slice(&start);
        Document { id, kind, heads: Vec::new(), doc: automerge_doc::new(&actor), changes: 0 }
    }

    /// Creates an empty document with an id that is bound to the account.
    pub fn bound(account: &AccountId, device: DeviceKey, name: [u8; 16], kind: DocKind) -> Document {
        let mut part = [0; 6];
        part.copy_from_slice(&name[10..]);
        Document { id: DocId::bound(account, part), ..Document::new(device, name, kind) }
    }

    /// Its id.
    pub fn id(&self) -> DocId {
        self.id
    }

    /// Makes the next change, with this number of incompressible bytes.
    ///
    /// # Panics
    /// Never: a document accepts bytes, and other bytes are a change.
    pub fn change(&mut self, bytes: usize) -> (ChangeHash, Offer) {
        self.changes += 1;
        let from = self.changes * 1_000_003;
        let noise = (from..from + bytes as u64).map(|i| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8);
        let value: Vec<u8> = self.changes.to_le_bytes().into_iter().chain(noise).collect();
        self.edit(|doc| automerge_doc::edit(doc, |edit| edit.bytes_or_nothing("value", Some(&value))))
    }

    /// Makes a change with an edit.
    ///
    /// # Panics
    /// If the edit fails or changes nothing.
    pub fn edit(
        &mut self,
        edit: impl FnOnce(&mut Automerge) -> Result<Option<NewChange>, EditError>,
    ) -> (ChangeHash, Offer) {
        let change = edit(&mut self.doc).expect("the edit can be made").expect("it changes something");
        advance_heads(&mut self.heads, &change.deps, change.hash);
        (change.hash, Offer { doc: self.id, kind: self.kind, chunk: Chunk(change.chunk) })
    }
}
