//! Reconciles published copies with their drives after two devices changed them concurrently.
//!
//! A drive and its published copy are two documents, which resolve concurrent edits separately: one may be withdrawn
//! while the other is public. The drive overrides the copy, and each device that merges changes updates the copy. A
//! change of the drive alone narrows the copy at once, and never widens it.
//!
//! A restored relay or phone may have a recent version of one document and an older version of the other. Therefore
//! documents with remote changes are compared once phone and relay agree. It is unknown which of the two is newer, so
//! the narrower visibility applies to both. A copy without a drive that names it is withdrawn: the change that named or
//! withdrew it is lost. During publishing the drive names the copy before the copy exists, and the copy is pushed once
//! the relay has the drive.

use crate::docs::{Visibility, drive, published};
use crate::id::DocId;
use crate::projection::DocumentRow;
use crate::replica::Replica;
use crate::replica::documents::DocumentRecord;
use crate::replica::io::Topic;
use crate::wire::DocKind;

/// Maximum number of copies that are compared at once.
const CHECKED_AT_ONCE: usize = 4;

/// Maximum number of earlier links of a copy that are examined.
const MAX_EARLIER: u32 = 100;

/// The result of aligning a published copy.
enum Alignment {
    /// The copy matches its drive, or cannot be changed.
    Settled,
    /// The copy is being read from storage.
    Reading,
    /// The copy is not here.
    Awaiting,
}

impl Replica {
    /// Aligns the copies of merged drives that are in memory, and reads the others.
    pub(super) fn align_copies(&mut self) {
        if self.reads.is_waiting() {
            return;
        }
        let mut unknown = Vec::new();
        for doc in self.documents.take_merged() {
            if let Some(drive) = self.drive_of(&doc) {
                if drive != doc {
                    self.documents.make_decisive(drive);
                }
                self.misaligned.insert(drive);
            }
            match self.drive_in_doubt(&doc) {
                Some(drive) => drop(self.miscounted.insert(drive)),
                None => unknown.push(doc),
            }
        }
        // A track may arrive before its drive is folded.
        if !self.documents.some_stale(1).is_empty() {
            self.documents.look_again(unknown);
        }
        let drives = self.misaligned.take().into_iter().chain(self.awaiting_copies.take());
        for drive in drives.collect::<Vec<_>>() {
            match self.align_copy(drive) {
                Alignment::Settled => {}
                Alignment::Reading => drop(self.misaligned.insert(drive)),
                Alignment::Awaiting => drop(self.awaiting_copies.insert(drive)),
            }
        }
        self.check_copies();
    }

    /// Compares drives with remote changes with their copies once phone and relay agree, a few at a time because each
    /// is read.
    fn check_copies(&mut self) {
        // A stale row has the earlier values.
        if self.documents.some_stale(1).is_empty() && self.sync_client.take_agreement(&self.documents) {
            for doc in self.documents.take_unchecked() {
                self.unchecked.insert(self.drive_of(&doc).unwrap_or(doc));
            }
        }
        loop {
            for doc in self.checking.take() {
                let alignment = match self.drive_of(&doc) {
                    Some(drive) => self.check_copy(drive),
                    None => self.withdraw_unnamed(doc),
                };
                if matches!(alignment, Alignment::Reading) {
                    self.checking.insert(doc);
                }
            }
            let Some(next) = self.unchecked.first().copied().filter(|_| self.checking.len() < CHECKED_AT_ONCE) else {
                return;
            };
            self.unchecked.remove(&next);
            self.checking.insert(next);
        }
    }

    /// Returns the documents being compared.
    pub(super) fn note_compared(&self) -> Vec<DocId> {
        let copies = |drive: &DocId| match self.documents.row(drive) {
            Some(DocumentRow::Drive(fields)) => {
                let others = self.other_copies(drive, fields.renewals, fields.published);
                fields.published.into_iter().chain(others).collect()
            }
            _ => Vec::new(),
        };
        self.checking.iter().flat_map(|doc| copies(doc).into_iter().chain([*doc])).collect()
    }

    /// Aligns a drive and its copy, whichever is newer.
    fn check_copy(&mut self, drive: DocId) -> Alignment {
        let Some(DocumentRow::Drive(fields)) = self.documents.row(&drive).cloned() else { return Alignment::Settled };
        if self.documents.is_stale(&drive) {
            return Alignment::Reading;
        }
        if self.documents.is_unreadable(&drive) {
            return Alignment::Settled;
        }
        // This applies also if the named copy is lost.
        if let Alignment::Reading = self.withdraw_others(drive) {
            return Alignment::Reading;
        }
        let Some(copy) = fields.published else { return Alignment::Settled };
        let is_here = |doc: &DocId| self.documents.record(doc).is_some_and(|record| record.is_here());
        if !is_here(&copy) || self.documents.is_unreadable(&copy) {
            return Alignment::Settled;
        }
        let Some(document) = self.documents.loaded(&copy) else {
            self.read_document(copy);
            return Alignment::Reading;
        };
        let (title, shown_to) = published::title_and_visibility(document);
        let narrower = if fields.deleted { Visibility::Private } else { fields.visibility.narrower(shown_to) };
        if title == fields.title && shown_to == narrower && (fields.deleted || fields.visibility == narrower) {
            self.documents.checked([drive, copy]);
            return Alignment::Settled;
        }
        self.documents.make_decisive(drive);
        if !fields.deleted && fields.visibility != narrower {
            let Some(document) = self.documents.loaded(&drive) else {
                self.read_document(drive);
                return Alignment::Reading;
            };
            let edit = drive::DriveEdit { published: Some((copy, narrower)), ..drive::DriveEdit::default() };
            // A document that Automerge cannot edit stays unchanged; another device may be able to edit it.
            if let Ok(change) = drive::change(document, &edit) {
                self.documents.add_own(&mut self.writes, drive, change);
                self.output.topics.insert(Topic::Drives);
            }
        }
        match self.align_copy(drive) {
            Alignment::Reading => Alignment::Reading,
            Alignment::Settled | Alignment::Awaiting => {
                self.documents.checked([drive, copy]);
                Alignment::Settled
            }
        }
    }

    /// Withdraws a published copy without a drive that names it. An unreadable drive may name it.
    fn withdraw_unnamed(&mut self, copy: DocId) -> Alignment {
        let hides = |doc: &DocId, record: &DocumentRecord| record.lacks_any() || self.documents.is_unreadable(doc);
        let drives = || self.documents.records().filter(|(_, record)| record.kind == DocKind::Drive);
        if drives().any(|(doc, record)| hides(doc, record)) {
            return Alignment::Settled;
        }
        if drives().any(|(doc, _)| self.documents.is_stale(doc)) {
            return Alignment::Reading;
        }
        self.withdraw(copy)
    }

    /// Withdraws a published copy. Its other fields stay; they are not visible.
    fn withdraw(&mut self, copy: DocId) -> Alignment {
        let is_copy = |record: &DocumentRecord| record.kind == DocKind::Published && record.is_here();
        if !self.documents.record(&copy).is_some_and(is_copy) || self.documents.is_unreadable(&copy) {
            return Alignment::Settled;
        }
        let Some(document) = self.documents.loaded(&copy) else {
            self.read_document(copy);
            return Alignment::Reading;
        };
        // A document that Automerge cannot edit stays unchanged; another device may be able to edit it.
        if let Ok(change) = published::withdraw(document) {
            self.documents.add_own(&mut self.writes, copy, change);
            self.documents.checked([copy]);
        }
        Alignment::Settled
    }

    /// Returns the published copy of a drive; none if phone and relay have both lost it. Another phone may bring it
    /// back.
    pub(super) fn copy_of(&self, drive: &drive::DriveFields) -> Option<DocId> {
        let is_somewhere =
            |copy: &DocId| self.documents.record(copy).is_some_and(|record| record.is_here() || record.lacks_any());
        drive.published.filter(is_somewhere)
    }

    /// Returns the drive itself, or the drive of a copy.
    fn drive_of(&self, doc: &DocId) -> Option<DocId> {
        if matches!(self.documents.row(doc), Some(DocumentRow::Drive(_))) {
            return Some(*doc);
        }
        let is_of = |(_, row): &(&DocId, &DocumentRow)| matches!(row, DocumentRow::Drive(fields) if fields.published.as_ref() == Some(doc));
        self.documents.rows().find(is_of).map(|(id, _)| *id)
    }

    /// Aligns the copy of a drive.
    fn align_copy(&mut self, drive: DocId) -> Alignment {
        let Some(DocumentRow::Drive(fields)) = self.documents.row(&drive) else { return Alignment::Settled };
        let Some(copy) = fields.published else { return Alignment::Settled };
        let (title, car) = (fields.title.clone(), self.car_name(fields.car));
        let visibility = if fields.deleted { Visibility::Private } else { fields.visibility };
        if self.documents.is_stale(&drive) {
            return Alignment::Reading;
        }
        if let Alignment::Reading = self.withdraw_others(drive) {
            return Alignment::Reading;
        }
        self.edit_drive_for_copy(drive, copy, &title, &car, visibility)
    }

    /// Withdraws the copies of a drive that it does not name.
    fn withdraw_others(&mut self, drive: DocId) -> Alignment {
        let Some(DocumentRow::Drive(fields)) = self.documents.row(&drive) else { return Alignment::Settled };
        for other in self.other_copies(&drive, fields.renewals, fields.published) {
            if let Alignment::Reading = self.withdraw(other) {
                return Alignment::Reading;
            }
        }
        Alignment::Settled
    }

    /// Returns the other copies of a drive: of renewed links, and of earlier versions with other ids.
    fn other_copies(&self, drive: &DocId, renewals: u32, named: Option<DocId>) -> Vec<DocId> {
        let account = &self.device.identity.account;
        let earlier = renewals.saturating_sub(MAX_EARLIER)..=renewals;
        let bound = earlier.map(|renewals| DocId::of_copy(account, drive, renewals));
        let unbound = DocId::of_unbound_copy(account, drive);
        let is_here = |id: &DocId| self.documents.record(id).is_some_and(|record| record.is_here());
        bound.chain([unbound]).filter(|id| Some(*id) != named && is_here(id)).collect()
    }

    /// Updates a copy of a drive; it is widened only if the drive overrides it.
    fn edit_drive_for_copy(
        &mut self,
        drive: DocId,
        copy: DocId,
        title: &str,
        car: &str,
        visibility: Visibility,
    ) -> Alignment {
        match self.documents.record(&copy) {
            Some(record) if record.kind != DocKind::Published => return Alignment::Settled,
            Some(record) if record.is_here() => {}
            // The drive may arrive before its copy.
            Some(_) | None => return Alignment::Awaiting,
        }
        if self.documents.is_unreadable(&copy) {
            return Alignment::Settled;
        }
        let decides = self.documents.decides(&drive);
        let Some(document) = self.documents.loaded(&copy) else {
            self.read_document(copy);
            return Alignment::Reading;
        };
        let (_, shown_to) = published::title_and_visibility(document);
        let visibility = if decides { visibility } else { visibility.narrower(shown_to) };
        // A document that Automerge cannot edit stays unchanged; another device may be able to edit it.
        if let Ok(change) = published::change(document, title, car, visibility) {
            if change.is_some() {
                self.documents.make_decisive(drive);
            }
            self.documents.add_own(&mut self.writes, copy, change);
        }
        Alignment::Settled
    }
}
