//! Commands about the recorded drive: start, pause, resume, take over, finish.

use crate::docs::{self, drive};
use crate::id::DocId;
use crate::replica::Replica;
use crate::replica::commands::unreadable;
use crate::replica::documents::DocumentRecord;
use crate::replica::io::{CommandError, Topic};
use crate::replica::recording::{RecordedDrive, Recording};
use crate::replica::views::RecordingState;
use crate::time::Now;
use crate::wire::DocKind;

impl Replica {
    pub(super) fn start_drive(&mut self, now: Now, car: Option<DocId>) -> Result<Option<DocId>, CommandError> {
        let (drive, track) = (self.device.new_doc_id(now), self.device.new_doc_id(now));
        let change = docs::track::create(self.documents.create(track, DocKind::Track)).map_err(unreadable)?;
        self.documents.add_own(&mut self.writes, track, change);
        let document = self.documents.create(drive, DocKind::Drive);
        let change = drive::create(document, now.wall, track, car, self.device.utc_offset).map_err(unreadable)?;
        self.documents.add_own(&mut self.writes, drive, change);
        self.recording = Some(Recording::start(drive, track, car, &self.device.actor, now, &mut self.writes));
        self.output.topics.extend([Topic::Recording, Topic::Drives]);
        Ok(Some(drive))
    }

    pub(super) fn pause_drive(&mut self, now: Now) -> Result<Option<DocId>, CommandError> {
        let recording = self.recording.as_mut().ok_or(CommandError::NotRecording)?;
        if recording.state() != RecordingState::Active {
            return Err(CommandError::NotRecording);
        }
        let drive = recording.drive();
        recording.pause(now, &mut self.documents, &mut self.writes);
        self.output.topics.insert(Topic::Recording);
        Ok(Some(drive))
    }

    pub(super) fn resume_drive(&mut self, now: Now) -> Result<Option<DocId>, CommandError> {
        let recording = self.recording.as_mut().ok_or(CommandError::NotRecording)?;
        if recording.state() == RecordingState::Active {
            return Err(CommandError::AlreadyRecording);
        }
        let drive = recording.drive();
        recording.resume(now, &mut self.writes);
        self.output.topics.insert(Topic::Recording);
        Ok(Some(drive))
    }

    pub(super) fn undo_resume(&mut self) -> Result<Option<DocId>, CommandError> {
        let recording = self.recording.as_mut().ok_or(CommandError::NotRecording)?;
        let drive = recording.drive();
        if !recording.undo_resume(&mut self.writes) {
            return Err(CommandError::NotFound);
        }
        self.output.topics.insert(Topic::Recording);
        Ok(Some(drive))
    }

    pub(super) fn take_over_drive(&mut self, now: Now, drive: DocId) -> Result<Option<DocId>, CommandError> {
        let fields = self.drive(&drive)?;
        let (track, started_at, car) = (fields.track.ok_or(CommandError::Unreadable)?, fields.started_at, fields.car);
        let subject = RecordedDrive::new(drive, track, started_at, car, now);
        let mut recording = Recording::take_over(subject, &self.device.actor, &mut self.writes);
        recording.recover(now, &mut self.documents, &mut self.writes);
        recording.resume(now, &mut self.writes);
        self.recording = Some(recording);
        self.output.topics.insert(Topic::Recording);
        Ok(Some(drive))
    }

    pub(super) fn finish_drive(&mut self, now: Now) -> Result<Option<DocId>, CommandError> {
        let RecordedDrive { drive, track, .. } =
            self.recording.as_ref().ok_or(CommandError::NotRecording)?.recorded_drive();
        // The drive's document is unreadable or missing. The recorded track gets a new drive.
        let is_lost = self.require_loaded(&drive, DocKind::Drive).is_err();
        let drive = if is_lost { self.replace_drive(now, drive).map_err(unreadable)? } else { drive };
        let mut recording = self.recording.take().expect("it was there a moment ago");
        let ended_at = recording.finish(now, &mut self.documents, &mut self.writes);
        let finished = Some((ended_at, recording.stats()));
        self.change_drive(drive, &drive::DriveEdit { finished, track: Some(track), ..drive::DriveEdit::default() })?;
        if self.documents.record(&track).is_some_and(DocumentRecord::needs_alignment) {
            self.reconcilers.stats.request(drive);
        }
        self.reconcilers.places.request(drive);
        self.output.topics.insert(Topic::Recording);
        Ok(Some(drive))
    }

    pub(super) fn discard_drive(&mut self, now: Now) -> Result<Option<DocId>, CommandError> {
        let drive = self.finish_drive(now)?;
        if let Some(drive) = drive {
            self.change_drive(drive, &drive::DriveEdit { deleted: true, ..drive::DriveEdit::default() })?;
        }
        Ok(drive)
    }
}
