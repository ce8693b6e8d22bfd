//! Recovery of the recording of a killed app, also if its documents are unreadable.
//!
//! A damaged track is fetched from the relay. If the relay has no more of it or cannot be reached, recording continues
//! in a new track with the readable part, so that no signal is needed to drive on. The damaged data stays in storage.

use crate::docs::automerge_doc::EditError;
use crate::docs::{self, drive};
use crate::id::DocId;
use crate::projection::DocumentRow;
use crate::replica::Replica;
use crate::replica::io::{StoredEntry, Topic};
use crate::replica::recording::RecordedDrive;
use crate::replica::views::RecordingState;
use crate::time::Now;
use crate::wire::DocKind;

impl Replica {
    /// Reads the track of a recording that waits for recovery.
    pub(super) fn read_recovering(&mut self) {
        if let Some(track) = self.recovering() {
            self.read_document(track);
        }
    }

    /// Recovers a recording after its track was read, successfully or not.
    pub(super) fn recover(&mut self, now: Now, doc: &DocId, entries: &[StoredEntry]) {
        if self.recovering() != Some(*doc) {
            return;
        }
        if self.documents.loaded(doc).is_none() {
            if self.documents.record(doc).is_some_and(|record| record.lacks_any()) && self.sync_client.can_fetch(doc) {
                return self.sync_client.request_fetch(*doc);
            }
            self.replace_track(now, doc, entries);
        }
        if let Some(recording) = &mut self.recording {
            recording.recover(now, &mut self.documents, &mut self.writes);
            self.output.topics.insert(Topic::Recording);
        }
    }

    /// Returns the track of the recording that waits for recovery.
    fn recovering(&self) -> Option<DocId> {
        let recording = self.recording.as_ref()?;
        (recording.state() == RecordingState::Recovering).then(|| recording.track())
    }

    /// Replaces an unreadable track by a new one.
    fn replace_track(&mut self, now: Now, damaged: &DocId, entries: &[StoredEntry]) {
        let remains = self.documents.readable_part(damaged, entries, &self.writes);
        let track = self.device.new_doc_id(now);
        let made = docs::track::copy(self.documents.create(track, DocKind::Track), &remains);
        // A new document accepts every edit.
        let Ok(changes) = made else { return };
        for change in changes {
            self.documents.add_own(&mut self.writes, track, Some(change));
        }
        if let Some(recording) = &mut self.recording {
            recording.replace_track(track, &mut self.writes);
        }
    }

    /// Replaces an unreadable drive by a new one, with the data of its row.
    pub(super) fn replace_drive(&mut self, now: Now, damaged: DocId) -> Result<DocId, EditError> {
        let fields = match self.documents.row(&damaged) {
            Some(DocumentRow::Drive(fields)) => Some(fields.clone()),
            _ => None,
        };
        let RecordedDrive { track, started_at, car, .. } =
            self.recording.as_ref().expect("only a drive that is being recorded is replaced").recorded_drive();
        let utc_offset = fields.as_ref().and_then(|fields| fields.utc_offset);
        let drive = self.device.new_doc_id(now);
        let change = drive::create(self.documents.create(drive, DocKind::Drive), started_at, track, car, utc_offset)?;
        self.documents.add_own(&mut self.writes, drive, change);
        if let Some(fields) = fields {
            let (title, notes) = (Some(fields.title.as_str()), Some(fields.notes.as_str()));
            let edit = drive::DriveEdit { title, notes, ..drive::DriveEdit::default() };
            let change = drive::change(self.documents.create(drive, DocKind::Drive), &edit)?;
            self.documents.add_own(&mut self.writes, drive, change);
        }
        Ok(drive)
    }

    /// Drops the recording of a killed app if another device has finished the drive. Returns whether it did.
    pub(super) fn poll_recovery(&mut self) -> bool {
        let Some(recording) = self.recording.as_ref() else { return false };
        let (drive, track) = (recording.drive(), recording.track());
        let is_finished =
            matches!(self.documents.row(&drive), Some(DocumentRow::Drive(fields)) if fields.ended_at.is_some());
        let drops =
            recording.state() == RecordingState::Unfinished && is_finished && self.documents.loaded(&track).is_some();
        if let Some(mut recording) = self.recording.take_if(|_| drops) {
            recording.close(&mut self.documents, &mut self.writes);
            self.reconcilers.stats.request(drive);
            self.output.topics.extend([Topic::Recording, Topic::Drives]);
        }
        drops
    }
}
