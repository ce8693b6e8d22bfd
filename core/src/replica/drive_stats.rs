//! Reconciles the statistics of drives after two devices recorded into one track.
//!
//! The device that finishes a drive writes the statistics of the part that it has. After the merge of the tracks each
//! device recalculates them; from the same track all devices get the same result. A device without the track fetches
//! it, because the devices that recorded it may be lost before they recalculate.

use crate::docs::drive;
use crate::id::DocId;
use crate::projection::DocumentRow;
use crate::recorder::Recorder;
use crate::replica::documents::{DocumentEvent, DocumentRecord, DocumentStore};
use crate::replica::io::Topic;
use crate::replica::reconcile::ReconcileContext;
use crate::sorted::Set;
use crate::wire::DocKind;

/// The reconciler of the statistics of drives.
#[derive(Debug, Default)]
pub(super) struct StatsReconciler {
    /// Tracks and drives with changes of two devices. Stale ones are examined after their next fold.
    merged: Set<DocId>,
    /// Drives whose tracks were merged and whose statistics may cover only a part.
    miscounted: Set<DocId>,
}

impl StatsReconciler {
    /// Handles a change of a document.
    pub(super) fn note(&mut self, event: DocumentEvent) {
        match event {
            DocumentEvent::Merged(doc) => drop(self.merged.insert(doc)),
            DocumentEvent::Concurrent(_) | DocumentEvent::Changed(_) | DocumentEvent::TrackFolded(_) => {}
        }
    }

    /// Queues a drive whose statistics may cover only a part of its track.
    pub(super) fn request(&mut self, drive: DocId) {
        self.miscounted.insert(drive);
    }

    /// Returns the drives that wait for a document in storage, or for a row. The others wait for a relay.
    pub(super) fn waiting(&self, documents: &DocumentStore) -> impl Iterator<Item = &DocId> {
        let is_here = |drive: &&DocId| {
            let track = match documents.row(drive) {
                Some(DocumentRow::Drive(fields)) => fields.track.and_then(|track| documents.record(&track)),
                _ => None,
            };
            !track.is_some_and(DocumentRecord::lacks_any)
        };
        self.miscounted.iter().filter(is_here)
    }

    /// Returns the drives and tracks that are read to calculate statistics.
    pub(super) fn in_use(&self, documents: &DocumentStore) -> Vec<DocId> {
        let track = |drive: &DocId| match documents.row(drive) {
            Some(DocumentRow::Drive(fields)) => fields.track,
            _ => None,
        };
        self.miscounted.iter().flat_map(|drive| [Some(*drive), track(drive)]).flatten().collect()
    }

    /// Updates drives with merged tracks that are here; fetches and reads the others.
    pub(super) fn poll(&mut self, context: &mut ReconcileContext<'_>) {
        if context.reads.is_waiting() {
            return;
        }
        let mut unknown = Vec::new();
        for doc in self.merged.take_where(|doc| !context.documents.is_stale(doc)) {
            match drive_in_doubt(context.documents, &doc) {
                Some(drive) => drop(self.miscounted.insert(drive)),
                None => unknown.push(doc),
            }
        }
        // A track may arrive before its drive is folded.
        if !context.documents.some_stale(1).is_empty() {
            let is_track = |doc: &DocId| context.documents.record(doc).is_some_and(|it| it.kind == DocKind::Track);
            self.merged.extend(unknown.into_iter().filter(is_track));
        }
        for drive in self.miscounted.take() {
            if !count_again(drive, context) {
                self.miscounted.insert(drive);
            }
        }
    }
}

/// Returns the drive whose statistics a document makes doubtful: as its track, or as a drive with concurrent values.
fn drive_in_doubt(documents: &DocumentStore, doc: &DocId) -> Option<DocId> {
    let is_it = |(id, row): &(&DocId, &DocumentRow)| matches!(row, DocumentRow::Drive(fields) if fields.track == Some(*doc) || (*id == doc && fields.is_contested));
    documents.rows().find(is_it).map(|(id, _)| *id)
}

/// Writes the statistics if they differ. Returns whether the drive is settled.
fn count_again(drive: DocId, context: &mut ReconcileContext<'_>) -> bool {
    let Some(DocumentRow::Drive(fields)) = context.documents.row(&drive) else { return true };
    if context.documents.is_stale(&drive) {
        return false;
    }
    let (Some(ended_at), Some(track), stats) = (fields.ended_at, fields.track, fields.stats) else { return true };
    let started_at = fields.started_at;
    let is_recorded = context.recorded == Some(drive);
    let is_somewhere = |record: &&DocumentRecord| record.is_here() || record.lacks_any();
    let Some(record) = context.documents.record(&track).filter(is_somewhere) else { return true };
    // A device that is recording updates the drive when it finishes.
    if fields.deleted || is_recorded {
        return true;
    }
    if record.lacks_any() {
        if context.sync_client.can_fetch(&track) {
            context.sync_client.request_fetch(track);
        }
        return false;
    }
    if context.documents.is_unreadable(&track) || context.documents.is_unreadable(&drive) {
        return true;
    }
    if context.documents.loaded(&track).is_none() {
        context.read_document(track);
        return false;
    }
    let stretches = context.documents.stretches(&track);
    let fixes: usize = stretches.iter().map(|stretch| stretch.fixes.len()).sum();
    // Another device counted a longer drive: the relay lost a part of the track, which may come back. Until then
    // the end of the drive is unknown here, and a copy published with shorter statistics could show that end.
    if stats.is_some_and(|stats| fixes < stats.fixes as usize) {
        return true;
    }
    let counted = Recorder::resume(started_at, &stretches).stats();
    if stats == Some(counted) {
        return true;
    }
    let Some(document) = context.documents.loaded(&drive) else {
        context.read_document(drive);
        return false;
    };
    let edit = drive::DriveEdit { finished: Some((ended_at, counted)), ..drive::DriveEdit::default() };
    // A document that Automerge cannot edit stays unchanged; another device may be able to edit it.
    if let Ok(change) = drive::change(document, &edit) {
        context.documents.add_own(context.writes, drive, change);
        context.output.topics.extend([Topic::Drives, Topic::Cars]);
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docs::drive::DriveEdit;
    use crate::replica::reconcile::fixture::{DRIVE, Phone, TRACK};
    use crate::stats::DriveStats;
    use crate::time::Timestamp;

    /// Returns a phone with a finished drive and an empty track. The drive's statistics count so many fixes.
    fn finished(fixes: u32) -> Phone {
        let mut phone = Phone::new();
        let wrong = DriveStats { fixes, moving_ms: 7, ..DriveStats::default() };
        phone.edit_drive(&DriveEdit { finished: Some((Timestamp(9), wrong)), ..DriveEdit::default() });
        phone
    }

    fn stats(phone: &Phone) -> DriveStats {
        let Some(DocumentRow::Drive(fields)) = phone.documents.row(&DRIVE) else { panic!("a drive") };
        fields.stats.unwrap()
    }

    #[test]
    fn the_statistics_of_a_merged_track_are_calculated_again_once_track_and_drive_are_in_memory() {
        let mut phone = finished(0);
        phone.unload(TRACK);
        phone.unload(DRIVE);
        let mut reconciler = StatsReconciler::default();
        reconciler.note(DocumentEvent::Merged(TRACK));
        reconciler.poll(&mut phone.context());
        assert!(phone.disk_answers(TRACK));
        reconciler.poll(&mut phone.context());
        assert!(phone.disk_answers(DRIVE), "the track shows that the statistics are wrong");
        reconciler.poll(&mut phone.context());
        assert_eq!((stats(&phone).moving_ms, reconciler.miscounted.is_empty()), (0, true));
    }

    #[test]
    fn statistics_of_more_fixes_than_are_here_stay() {
        let mut phone = finished(1);
        let mut reconciler = StatsReconciler::default();
        reconciler.request(DRIVE);
        reconciler.poll(&mut phone.context());
        assert_eq!((stats(&phone).fixes, reconciler.miscounted.is_empty()), (1, true));
    }
}
