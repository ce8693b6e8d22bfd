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

/// How it stands with the copy of a drive that was merged.
enum Alignment {
    /// It says what its drive says, or nothing can be done about it.
    Settled,
    /// Storage is asked for it.
    Reading,
    /// It has not come yet.
    Awaiting,
}

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
        let drives = self.misaligned.take().into_iter().chain(self.awaiting_copies.take());
        for drive in drives.collect::<Vec<_>>() {
            match self.align_copy(drive) {
                Alignment::Settled => {}
                Alignment::Reading => drop(self.misaligned.insert(drive)),
                Alignment::Awaiting => drop(self.awaiting_copies.insert(drive)),
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

    /// Brings the copy of a drive into line.
    fn align_copy(&mut self, drive: DocId) -> Alignment {
        let Some(Row::Drive(fields)) = self.shelf.row(&drive) else { return Alignment::Settled };
        let Some(copy) = fields.published else { return Alignment::Settled };
        let (title, car) = (fields.title.clone(), self.car_name(fields.car));
        let visibility = if fields.deleted { Visibility::Private } else { fields.visibility };
        if self.shelf.is_stale(&drive) {
            return Alignment::Reading;
        }
        match self.shelf.record(&copy) {
            Some(record) if record.kind != DocKind::Published => return Alignment::Settled,
            Some(record) if record.is_here() => {}
            // Of a drive and its copy, the drive may well come first.
            Some(_) | None => return Alignment::Awaiting,
        }
        if self.shelf.is_unreadable(&copy) {
            return Alignment::Settled;
        }
        let Some(document) = self.shelf.loaded(&copy) else {
            self.read_document(copy);
            return Alignment::Reading;
        };
        // What Automerge refuses to change stays as it is; another device may know how.
        if let Ok(change) = published::change(document, &title, &car, visibility) {
            self.shelf.add_own(&mut self.store, copy, change);
        }
        Alignment::Settled
    }
}
