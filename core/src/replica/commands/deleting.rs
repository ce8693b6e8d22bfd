//! Commands that delete drives, cars and meets, restore and erase them. `[X6]`

use crate::docs::{Visibility, deletion, drive};
use crate::id::DocId;
use crate::projection::DocumentRow;
use crate::replica::Replica;
use crate::replica::commands::unreadable;
use crate::replica::io::{CommandError, Topic};
use crate::replica::output::DOCUMENT_TOPICS;
use crate::time::Now;
use crate::wire::DocKind;

impl Replica {
    pub(super) fn delete_drive(&mut self, now: Now, drive: DocId) -> Result<Option<DocId>, CommandError> {
        if let Some(published) = self.copy(&drive)? {
            self.change_published(drive, published, Visibility::Private)?;
        }
        self.hide(now, drive)
    }

    /// Hides a document in memory until it is erased.
    pub(super) fn hide(&mut self, now: Now, doc: DocId) -> Result<Option<DocId>, CommandError> {
        let erase_at = self.sync_client.relay_time(now) + deletion::RESTORABLE_MS;
        let document = self.documents.loaded(&doc).ok_or(CommandError::NotFound)?;
        let change = deletion::put(document, Some(erase_at)).map_err(unreadable)?;
        self.documents.add_own(&mut self.writes, doc, change);
        self.output.topics.extend(DOCUMENT_TOPICS);
        Ok(Some(doc))
    }

    /// Shows a deleted document again. The copy of a drive stays withdrawn, and the drive says so.
    pub(super) fn restore(&mut self, doc: DocId) -> Result<Option<DocId>, CommandError> {
        let document = self.documents.loaded(&doc).ok_or(CommandError::NotFound)?;
        let change = deletion::put(document, None).map_err(unreadable)?;
        self.documents.add_own(&mut self.writes, doc, change);
        if let Some(DocumentRow::Drive(fields)) = self.documents.row(&doc)
            && let Some(copy) = fields.published
        {
            let published = Some((copy, Visibility::Private));
            self.change_drive(doc, &drive::DriveEdit { published, ..drive::DriveEdit::default() })?;
        }
        self.output.topics.extend(DOCUMENT_TOPICS);
        self.output.topics.insert(Topic::Drives);
        Ok(Some(doc))
    }

    /// Returns the kind of a deleted document.
    pub(super) fn deleted_kind(&self, doc: &DocId) -> Result<DocKind, CommandError> {
        match self.documents.row(doc) {
            Some(DocumentRow::Drive(fields)) if fields.deleted => Ok(DocKind::Drive),
            Some(DocumentRow::Car(_, _, Some(_))) => Ok(DocKind::Car),
            Some(DocumentRow::Meet(row)) if row.erase_at.is_some() => Ok(DocKind::Meet),
            _ => Err(CommandError::NotFound),
        }
    }

    /// Checks that a car is in the garage.
    pub(super) fn is_listed_in_garage(&self, car: &DocId) -> Result<(), CommandError> {
        match self.documents.row(car) {
            Some(DocumentRow::Car(_, _, None)) => Ok(()),
            _ => Err(CommandError::NotFound),
        }
    }

    /// Checks that a document can be erased: a drive that is not being recorded here, a car, or an own meet.
    pub(super) fn can_erase(&self, doc: &DocId) -> Result<(), CommandError> {
        if self.recording.as_ref().is_some_and(|recording| recording.drive() == *doc) {
            return Err(CommandError::NotFinished);
        }
        match self.documents.row(doc) {
            Some(DocumentRow::Drive(_) | DocumentRow::Car(..)) => Ok(()),
            Some(DocumentRow::Meet(row)) if row.amends.is_none() => Ok(()),
            _ => Err(CommandError::NotFound),
        }
    }
}
