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

#[cfg(test)]
mod tests;

use crate::docs::{Visibility, drive, published};
use crate::id::{AccountId, DocId};
use crate::projection::DocumentRow;
use crate::replica::documents::{DocumentEvent, DocumentRecord, DocumentStore};
use crate::replica::io::Topic;
use crate::replica::reconcile::ReconcileContext;
use crate::replica::redactions::RedactionReconciler;
use crate::sorted::Set;
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

/// The reconciler of published copies.
#[derive(Debug, Default)]
pub(super) struct CopyReconciler {
    /// Drives and published copies with changes of two devices, and drives with a published copy that changed
    /// remotely. Stale ones are examined after their next fold.
    merged: Set<DocId>,
    /// Drives whose state overrides the state of their published copies: either received changes of two devices, or this
    /// phone changed the copy. For other drives with remote changes it is unknown whether the copy is newer; they may
    /// only narrow the visibility of theirs.
    decisive: Set<DocId>,
    /// Drives that were merged and whose published copies may differ.
    misaligned: Set<DocId>,
    /// Merged drives whose published copies are not here yet.
    awaiting_copies: Set<DocId>,
    /// Drives and published copies that changed remotely, until phone and relay agree.
    changed: Set<DocId>,
    /// Drives that changed remotely, or whose copies did, to be compared with their copies.
    unchecked: Set<DocId>,
    /// Drives that are being compared with their copies.
    checking: Set<DocId>,
}

impl CopyReconciler {
    /// Handles a change of a document.
    pub(super) fn note(&mut self, event: DocumentEvent) {
        match event {
            DocumentEvent::Merged(doc) => drop(self.merged.insert(doc)),
            DocumentEvent::Concurrent(drive) => drop(self.decisive.insert(drive)),
            DocumentEvent::Changed(doc) => drop(self.changed.insert(doc)),
            DocumentEvent::TrackFolded(_) => {}
        }
    }

    /// Aligns the copies of merged drives that are in memory, and reads the others.
    ///
    /// A copy that is still to be compared with the places is not widened before that.
    pub(super) fn poll(&mut self, redactions: &RedactionReconciler, context: &mut ReconcileContext<'_>) {
        if context.reads.is_waiting() {
            return;
        }
        for doc in self.merged.take_where(|doc| !context.documents.is_stale(doc)) {
            if let Some(drive) = drive_of(context.documents, &doc) {
                if drive != doc {
                    self.decisive.insert(drive);
                }
                self.misaligned.insert(drive);
            }
        }
        let drives = self.misaligned.take().into_iter().chain(self.awaiting_copies.take());
        for drive in drives.collect::<Vec<_>>() {
            match self.align_copy(drive, redactions, context) {
                Alignment::Settled => {}
                Alignment::Reading => drop(self.misaligned.insert(drive)),
                Alignment::Awaiting => drop(self.awaiting_copies.insert(drive)),
            }
        }
        self.check_copies(redactions, context);
    }

    /// Compares drives with remote changes with their copies once phone and relay agree, a few at a time because each
    /// is read.
    fn check_copies(&mut self, redactions: &RedactionReconciler, context: &mut ReconcileContext<'_>) {
        // A stale row has the earlier values.
        if context.documents.some_stale(1).is_empty() && context.sync_client.take_agreement(context.documents) {
            for doc in self.changed.take() {
                self.unchecked.insert(drive_of(context.documents, &doc).unwrap_or(doc));
            }
        }
        loop {
            for doc in self.checking.take() {
                let alignment = match drive_of(context.documents, &doc) {
                    Some(drive) => self.check_copy(drive, redactions, context),
                    None => withdraw_unnamed(doc, context),
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

    /// Returns whether the copies of merged drives are being read. No document may be evicted meanwhile.
    pub(super) fn is_aligning(&self) -> bool {
        !self.misaligned.is_empty()
    }

    /// Returns the drives and copies that wait for a document in storage, or for a row.
    pub(super) fn waiting(&self) -> impl Iterator<Item = &DocId> {
        self.misaligned.iter().chain(self.checking.iter())
    }

    /// Returns the documents being compared.
    pub(super) fn in_use(&self, documents: &DocumentStore, account: &AccountId) -> Vec<DocId> {
        let copies = |drive: &DocId| match documents.row(drive) {
            Some(DocumentRow::Drive(fields)) => {
                let others = other_copies(documents, account, drive, fields.renewals, fields.published);
                fields.published.into_iter().chain(others).collect()
            }
            _ => Vec::new(),
        };
        self.checking.iter().flat_map(|doc| copies(doc).into_iter().chain([*doc])).collect()
    }

    /// Aligns a drive and its copy, whichever is newer.
    fn check_copy(
        &mut self,
        drive: DocId,
        redactions: &RedactionReconciler,
        context: &mut ReconcileContext<'_>,
    ) -> Alignment {
        let Some(DocumentRow::Drive(fields)) = context.documents.row(&drive).cloned() else {
            return Alignment::Settled;
        };
        if context.documents.is_stale(&drive) {
            return Alignment::Reading;
        }
        if context.documents.is_unreadable(&drive) {
            return Alignment::Settled;
        }
        // This applies also if the named copy is lost.
        if let Alignment::Reading = withdraw_others(drive, context) {
            return Alignment::Reading;
        }
        let Some(copy) = fields.published else { return Alignment::Settled };
        let is_here = |doc: &DocId| context.documents.record(doc).is_some_and(|record| record.is_here());
        if !is_here(&copy) || context.documents.is_unreadable(&copy) {
            return Alignment::Settled;
        }
        let Some(document) = context.documents.loaded(&copy) else {
            context.read_document(copy);
            return Alignment::Reading;
        };
        if !published::is_current(document) {
            // It is withdrawn to be made again, or about to be: its visibility says nothing of the drive's.
            context.documents.checked([drive, copy]);
            return Alignment::Settled;
        }
        let (title, shown_to) = published::title_and_visibility(document);
        let narrower = if fields.deleted { Visibility::Private } else { fields.visibility.narrower(shown_to) };
        if title == fields.title && shown_to == narrower && (fields.deleted || fields.visibility == narrower) {
            context.documents.checked([drive, copy]);
            return Alignment::Settled;
        }
        self.decisive.insert(drive);
        if !fields.deleted && fields.visibility != narrower {
            let Some(document) = context.documents.loaded(&drive) else {
                context.read_document(drive);
                return Alignment::Reading;
            };
            let edit = drive::DriveEdit { published: Some((copy, narrower)), ..drive::DriveEdit::default() };
            // A document that Automerge cannot edit stays unchanged; another device may be able to edit it.
            if let Ok(change) = drive::change(document, &edit) {
                context.documents.add_own(context.writes, drive, change);
                context.output.topics.insert(Topic::Drives);
            }
        }
        match self.align_copy(drive, redactions, context) {
            Alignment::Reading => Alignment::Reading,
            Alignment::Settled | Alignment::Awaiting => {
                context.documents.checked([drive, copy]);
                Alignment::Settled
            }
        }
    }

    /// Aligns the copy of a drive.
    fn align_copy(
        &mut self,
        drive: DocId,
        redactions: &RedactionReconciler,
        context: &mut ReconcileContext<'_>,
    ) -> Alignment {
        let Some(DocumentRow::Drive(fields)) = context.documents.row(&drive).cloned() else {
            return Alignment::Settled;
        };
        let Some(copy) = fields.published else { return Alignment::Settled };
        if context.documents.is_stale(&drive) {
            return Alignment::Reading;
        }
        if let Alignment::Reading = withdraw_others(drive, context) {
            return Alignment::Reading;
        }
        match context.documents.record(&copy) {
            Some(record) if record.kind != DocKind::Published => return Alignment::Settled,
            Some(record) if record.is_here() => {}
            // The drive may arrive before its copy.
            Some(_) | None => return Alignment::Awaiting,
        }
        if context.documents.is_unreadable(&copy) {
            return Alignment::Settled;
        }
        self.edit_copy(drive, copy, &fields, redactions, context)
    }

    /// Updates a copy with the fields of its drive; it is widened only if the drive overrides it.
    fn edit_copy(
        &mut self,
        drive: DocId,
        copy: DocId,
        fields: &drive::DriveFields,
        redactions: &RedactionReconciler,
        context: &mut ReconcileContext<'_>,
    ) -> Alignment {
        let car = context.documents.car_name(fields.car);
        let Some(document) = context.documents.loaded(&copy) else {
            context.read_document(copy);
            return Alignment::Reading;
        };
        let (_, shown_to) = published::title_and_visibility(document);
        let wanted = if fields.deleted { Visibility::Private } else { fields.visibility };
        let wanted = if self.decisive.contains(&drive) { wanted } else { wanted.narrower(shown_to) };
        let places = context.documents.places(&context.account);
        let is_unchecked = redactions.is_unchecked(&drive, &copy, places);
        let visibility = if is_unchecked { wanted.narrower(shown_to) } else { wanted };
        let Some(document) = context.documents.loaded(&copy) else { return Alignment::Settled };
        // A document that Automerge cannot edit stays unchanged; another device may be able to edit it.
        if let Ok(change) = published::change(document, &fields.title, &car, visibility) {
            if change.is_some() {
                self.decisive.insert(drive);
            }
            context.documents.add_own(context.writes, copy, change);
        }
        if visibility == wanted { Alignment::Settled } else { Alignment::Reading }
    }
}

/// Withdraws a published copy without a drive that names it. An unreadable drive may name it.
fn withdraw_unnamed(copy: DocId, context: &mut ReconcileContext<'_>) -> Alignment {
    let hides = |doc: &DocId, record: &DocumentRecord| record.lacks_any() || context.documents.is_unreadable(doc);
    let drives = || context.documents.records().filter(|(_, record)| record.kind == DocKind::Drive);
    if drives().any(|(doc, record)| hides(doc, record)) {
        return Alignment::Settled;
    }
    if drives().any(|(doc, _)| context.documents.is_stale(doc)) {
        return Alignment::Reading;
    }
    withdraw(copy, context)
}

/// Withdraws a published copy. Its other fields stay; they are not visible.
fn withdraw(copy: DocId, context: &mut ReconcileContext<'_>) -> Alignment {
    let is_copy = |record: &DocumentRecord| record.kind == DocKind::Published && record.is_here();
    if !context.documents.record(&copy).is_some_and(is_copy) || context.documents.is_unreadable(&copy) {
        return Alignment::Settled;
    }
    let Some(document) = context.documents.loaded(&copy) else {
        context.read_document(copy);
        return Alignment::Reading;
    };
    // A document that Automerge cannot edit stays unchanged; another device may be able to edit it.
    if let Ok(change) = published::withdraw(document) {
        context.documents.add_own(context.writes, copy, change);
        context.documents.checked([copy]);
    }
    Alignment::Settled
}

/// Withdraws the copies of a drive that it does not name.
fn withdraw_others(drive: DocId, context: &mut ReconcileContext<'_>) -> Alignment {
    let Some(DocumentRow::Drive(fields)) = context.documents.row(&drive) else { return Alignment::Settled };
    for other in other_copies(context.documents, &context.account, &drive, fields.renewals, fields.published) {
        if let Alignment::Reading = withdraw(other, context) {
            return Alignment::Reading;
        }
    }
    Alignment::Settled
}

/// Returns the other copies of a drive: of renewed links, and of earlier versions with other ids.
fn other_copies(
    documents: &DocumentStore,
    account: &AccountId,
    drive: &DocId,
    renewals: u32,
    named: Option<DocId>,
) -> Vec<DocId> {
    let earlier = renewals.saturating_sub(MAX_EARLIER)..=renewals;
    let bound = earlier.map(|renewals| DocId::of_copy(account, drive, renewals));
    let unbound = DocId::of_unbound_copy(account, drive);
    let is_here = |id: &DocId| documents.record(id).is_some_and(|record| record.is_here());
    bound.chain([unbound]).filter(|id| Some(*id) != named && is_here(id)).collect()
}

/// Returns the drive itself, or the drive of a copy.
fn drive_of(documents: &DocumentStore, doc: &DocId) -> Option<DocId> {
    if matches!(documents.row(doc), Some(DocumentRow::Drive(_))) {
        return Some(*doc);
    }
    let is_of = |(_, row): &(&DocId, &DocumentRow)| matches!(row, DocumentRow::Drive(fields) if fields.published.as_ref() == Some(doc));
    documents.rows().find(is_of).map(|(id, _)| *id)
}
