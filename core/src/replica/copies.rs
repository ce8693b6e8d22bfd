//! Keeps published copies in step with their drives after two devices changed them at the same time.
//!
//! A drive and its published copy are two documents, and each settles concurrent edits by itself: one might say that the
//! drive was withdrawn while the other still shows it to everyone. The drive decides, and whichever device merges them
//! brings the copy into line.

use crate::docs::{Visibility, published};
use crate::id::DocId;
use crate::projection::Row;
use crate::replica::Replica;
use crate::wire::DocKind;

impl Replica {
    /// Looks after the copies of all drives that were merged, as far as documents are in memory; reads the others.
    pub(super) fn align_copies(&mut self) {
        if self.read_again_at_ms.is_some() {
            return;
        }
        for doc in self.shelf.take_merged() {
            self.misaligned.extend(self.drive_of(&doc));
            self.miscounted.extend(self.drive_in_doubt(&doc));
        }
        for drive in self.misaligned.take() {
            if !self.align_copy(drive) {
                self.misaligned.insert(drive);
            }
        }
    }

    /// The drive that a document is, or is the copy of.
    fn drive_of(&self, doc: &DocId) -> Option<DocId> {
        let is_of = |(id, row): &(&DocId, &Row)| {
            *id == doc || matches!(row, Row::Drive(fields) if fields.published.as_ref() == Some(doc))
        };
        self.shelf.rows().find(is_of).map(|(id, _)| *id)
    }

    /// Brings the copy of a drive into line. Says whether that is settled.
    fn align_copy(&mut self, drive: DocId) -> bool {
        let Some(Row::Drive(fields)) = self.shelf.row(&drive) else { return true };
        let Some(copy) = fields.published else { return true };
        let (title, car) = (fields.title.clone(), self.car_name(fields.car));
        let visibility = if fields.deleted { Visibility::Private } else { fields.visibility };
        let is_there =
            self.shelf.record(&copy).is_some_and(|record| record.kind == DocKind::Published && record.is_here());
        if self.shelf.is_stale(&drive) {
            return false;
        }
        if !is_there || self.shelf.is_unreadable(&copy) {
            return true;
        }
        let Some(document) = self.shelf.loaded(&copy) else {
            self.read_document(copy);
            return false;
        };
        // What Automerge refuses to change stays as it is; another device may know how.
        if let Ok(change) = published::change(document, &title, &car, visibility) {
            self.shelf.add_own(&mut self.store, copy, change);
        }
        true
    }
}
