//! Erases documents: those that the user orders to erase, those whose time has come, and what is left of a drive that another
//! device erased.
//!
//! The documents of one order are erased in one transaction, once every erasure is signed: a kill leaves all or none. A
//! document whose time has come is erased only after phone and relay agreed on this connection, because another device may
//! have restored it. `[X6]`

use std::collections::VecDeque;

use crate::erasure::{Erasure, erase_bytes, erasure_hash};
use crate::id::{AccountId, DocId};
use crate::projection::DocumentRow;
use crate::replica::Replica;
use crate::replica::documents::{DocumentStore, ErasedDrive, NewErasure};
use crate::replica::io::{CommandOutcome, Topic};
use crate::replica::output::DOCUMENT_TOPICS;
use crate::replica::published_copies::copies_of;
use crate::replica::signing::Signing;
use crate::replica::views::TrackView;
use crate::time::{Now, Timestamp};
use crate::wire::DocKind;

/// The orders to erase that are not performed.
#[derive(Debug, Default)]
pub(super) struct Eraser {
    waiting: VecDeque<Order>,
    /// The order whose signatures are awaited.
    signing: Option<Order>,
    /// Whether the rows were examined since phone and relay agreed.
    has_examined: bool,
}

/// Documents that are erased together.
#[derive(Debug)]
struct Order {
    /// The request of the command; absent if it is due.
    request: Option<u32>,
    docs: Vec<(DocId, DocKind)>,
    signed: Vec<(DocId, DocKind, [u8; 64])>,
}

impl Order {
    fn new(request: Option<u32>, docs: Vec<(DocId, DocKind)>) -> Order {
        Order { request, docs, signed: Vec::new() }
    }
}

impl Replica {
    /// Orders to erase a document, and what belongs to it.
    pub(super) fn erase(&mut self, request: u32, doc: DocId) {
        let docs = belonging(&self.documents, &self.device.identity.account, doc);
        self.reconcilers.eraser.waiting.push_back(Order::new(Some(request), docs));
    }

    /// Orders what is due, and requests the signatures of the next order. Returns whether there was anything to do.
    pub(super) fn poll_eraser(&mut self, now: Now) -> bool {
        let (account, mut is_active) = (self.device.identity.account, false);
        if self.documents.has_erased_drives() {
            is_active = true;
            for drive in self.documents.take_erased_drives() {
                self.close_opened(&drive.drive);
                let left = left_of(&self.documents, &account, &drive);
                if !left.is_empty() {
                    self.reconcilers.eraser.waiting.push_back(Order::new(None, left));
                }
            }
        }
        let has_agreed = self.sync_client.has_agreed() && self.documents.some_stale(1).is_empty();
        if has_agreed && !self.reconcilers.eraser.has_examined {
            let at = self.sync_client.relay_time(now);
            let due = self.documents.rows().filter(|(_, row)| erase_at(row).is_some_and(|due| due <= at));
            let due: Vec<DocId> = due.map(|(doc, _)| *doc).collect();
            let orders = due.into_iter().map(|doc| Order::new(None, belonging(&self.documents, &account, doc)));
            self.reconcilers.eraser.waiting.extend(orders.collect::<Vec<_>>());
        }
        self.reconcilers.eraser.has_examined = has_agreed;
        is_active |= self.abandon_erased_recording();
        if self.reconcilers.eraser.signing.is_none()
            && let Some(mut order) = self.reconcilers.eraser.waiting.pop_front()
        {
            is_active = true;
            order.docs.retain(|(doc, _)| !self.documents.is_erased(doc));
            for (doc, kind) in order.docs.clone() {
                self.sign(erase_bytes(&account, &doc), Signing::Erasure(doc, kind));
            }
            self.reconcilers.eraser.signing = Some(order);
            self.perform_signed();
        }
        is_active
    }

    /// Handles the signature of an erasure.
    pub(super) fn erasure_signed(&mut self, doc: DocId, kind: DocKind, signature: [u8; 64]) {
        if let Some(order) = &mut self.reconcilers.eraser.signing {
            order.signed.push((doc, kind, signature));
        }
        self.perform_signed();
    }

    /// Erases the documents of the order once all signatures are here.
    fn perform_signed(&mut self) {
        let Some(order) = self.reconcilers.eraser.signing.take_if(|order| order.signed.len() == order.docs.len())
        else {
            return;
        };
        let (account, by) = (self.device.identity.account, self.device.identity.device);
        for (doc, kind, signature) in order.signed {
            let chunk = Erasure { by, signature }.encode();
            let erasure = NewErasure { hash: erasure_hash(&account, &doc), chunk };
            self.documents.erase(&mut self.writes, doc, kind, erasure, false);
        }
        self.documents.write(&mut self.writes);
        self.output.topics.extend(DOCUMENT_TOPICS);
        self.output.topics.insert(Topic::Status);
        if let Some(request) = order.request {
            let outcome = CommandOutcome::Done { doc: None };
            self.commands.settle_after(self.writes.write_seq(), request, outcome);
            self.settle_commands();
        }
    }

    /// Ends the recording of a drive that another device erased. Returns whether there was one.
    fn abandon_erased_recording(&mut self) -> bool {
        let documents = &self.documents;
        let is_erased = |drive: &DocId, track: &DocId| documents.is_erased(drive) || documents.is_erased(track);
        let erased = self.recording.take_if(|recording| is_erased(&recording.drive(), &recording.track()));
        let Some(recording) = erased else { return false };
        recording.abandon(&mut self.writes);
        self.output.topics.extend([Topic::Recording, Topic::Drives]);
        true
    }

    fn close_opened(&mut self, erased: &DocId) {
        let is_it = |view: &mut TrackView| match view {
            TrackView::Loading { drive } | TrackView::Ready { drive, .. } | TrackView::Unavailable { drive, .. } => {
                drive == erased
            }
        };
        if self.output.opened.take_if(is_it).is_some() {
            self.output.topics.insert(Topic::Track);
        }
    }
}

/// Returns when a document is due to be erased.
fn erase_at(row: &DocumentRow) -> Option<Timestamp> {
    match row {
        DocumentRow::Drive(fields) => fields.erase_at,
        DocumentRow::Car(_, _, erase_at) => *erase_at,
        DocumentRow::Meet(row) => row.erase_at,
        DocumentRow::Settings(..)
        | DocumentRow::Profile(_)
        | DocumentRow::Published(_)
        | DocumentRow::Social(_)
        | DocumentRow::Track(..) => None,
    }
}

/// Returns a document and what belongs to it: the track of a drive, and its published copies. The first copies are erased
/// even if this phone has none, because another phone may be about to publish them.
fn belonging(documents: &DocumentStore, account: &AccountId, doc: DocId) -> Vec<(DocId, DocKind)> {
    let Some(kind) = documents.record(&doc).map(|record| record.kind) else { return Vec::new() };
    let mut docs = vec![(doc, kind)];
    if let Some(DocumentRow::Drive(fields)) = documents.row(&doc) {
        let (track, published, renewals) = (fields.track, fields.published, fields.renewals);
        docs.extend(left_of(documents, account, &ErasedDrive { drive: doc, track, published, renewals }));
        let copy = (DocId::of_copy(account, &doc, renewals), DocKind::Published);
        if !docs.contains(&copy) {
            docs.push(copy);
        }
    }
    docs
}

/// Returns the documents of a drive that are known here and not erased.
fn left_of(documents: &DocumentStore, account: &AccountId, drive: &ErasedDrive) -> Vec<(DocId, DocKind)> {
    let ErasedDrive { drive, track, published, renewals } = *drive;
    let copies = published.into_iter().chain(copies_of(account, &drive, renewals));
    let docs =
        track.map(|track| (track, DocKind::Track)).into_iter().chain(copies.map(|copy| (copy, DocKind::Published)));
    let mut left: Vec<(DocId, DocKind)> = Vec::new();
    for (doc, kind) in docs {
        let is_left = documents.record(&doc).is_some_and(|record| record.kind == kind && !record.is_erased);
        if is_left && !left.contains(&(doc, kind)) {
            left.push((doc, kind));
        }
    }
    left
}
