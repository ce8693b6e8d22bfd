//! Reconciles the statistics of drives after two devices recorded into one track.
//!
//! The device that finishes a drive writes the statistics of the part that it knows. When the tracks have been merged,
//! each device recalculates them and writes a different result; from the same track all devices get the same result. A
//! device without the track fetches it, because the devices that recorded it may be lost before they recalculate.

use crate::docs::drive;
use crate::id::DocId;
use crate::projection::DocumentRow;
use crate::recorder::Recorder;
use crate::replica::Replica;
use crate::replica::documents::DocumentRecord;
use crate::replica::io::Topic;
use crate::replica::views::RecordingState;

impl Replica {
    /// Updates drives with merged tracks that are here; fetches and reads the others.
    pub(super) fn count_again(&mut self) {
        if self.reads.is_waiting() {
            return;
        }
        for drive in self.miscounted.take() {
            if !self.count_drive_again(drive) {
                self.miscounted.insert(drive);
            }
        }
    }

    /// Returns the drive whose statistics a document makes doubtful: as its track, or as a drive with concurrent
    /// values.
    pub(super) fn drive_in_doubt(&self, doc: &DocId) -> Option<DocId> {
        let is_it = |(id, row): &(&DocId, &DocumentRow)| matches!(row, DocumentRow::Drive(fields) if fields.track == Some(*doc) || (*id == doc && fields.is_contested));
        self.documents.rows().find(is_it).map(|(id, _)| *id)
    }

    /// Writes the statistics if they differ. Returns whether the drive is settled.
    fn count_drive_again(&mut self, drive: DocId) -> bool {
        let Some(DocumentRow::Drive(fields)) = self.documents.row(&drive) else { return true };
        if self.documents.is_stale(&drive) {
            return false;
        }
        let (Some(ended_at), Some(track), stats) = (fields.ended_at, fields.track, fields.stats) else { return true };
        let started_at = fields.started_at;
        let is_recorded = self.recording.as_ref().is_some_and(|recording| recording.drive() == drive);
        let is_somewhere = |record: &&DocumentRecord| record.is_here() || record.lacks_any();
        let Some(record) = self.documents.record(&track).filter(is_somewhere) else { return true };
        // A device that is recording updates the drive when it finishes.
        if fields.deleted || is_recorded {
            return true;
        }
        if record.lacks_any() {
            if self.sync_client.can_fetch(&track) {
                self.sync_client.request_fetch(track);
            }
            return false;
        }
        if self.documents.is_unreadable(&track) || self.documents.is_unreadable(&drive) {
            return true;
        }
        if self.documents.loaded(&track).is_none() {
            self.read_document(track);
            return false;
        }
        let stretches = self.stretches(&track);
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
        let Some(document) = self.documents.loaded(&drive) else {
            self.read_document(drive);
            return false;
        };
        let edit = drive::DriveEdit { finished: Some((ended_at, counted)), ..drive::DriveEdit::default() };
        // A document that Automerge cannot edit stays unchanged; another device may be able to edit it.
        if let Ok(change) = drive::change(document, &edit) {
            self.documents.add_own(&mut self.writes, drive, change);
            self.output.topics.extend([Topic::Drives, Topic::Cars]);
        }
        true
    }

    /// Drops the recording of a killed app if another device has finished the drive.
    pub(super) fn leave_finished(&mut self) {
        let Some(recording) = self.recording.as_ref() else { return };
        let (drive, track) = (recording.drive(), recording.track());
        let is_finished =
            matches!(self.documents.row(&drive), Some(DocumentRow::Drive(fields)) if fields.ended_at.is_some());
        if recording.state() == RecordingState::Unfinished && is_finished && self.documents.loaded(&track).is_some() {
            let mut recording = self.recording.take().expect("it was there a moment ago");
            recording.close(&mut self.documents, &mut self.writes);
            self.miscounted.insert(drive);
            self.output.topics.extend([Topic::Recording, Topic::Drives]);
        }
    }
}
