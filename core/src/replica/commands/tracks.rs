//! Commands about the track of a drive: the opened track, and its refused fixes.

use crate::docs::{self, drive};
use crate::id::DocId;
use crate::recorder::Recorder;
use crate::replica::Replica;
use crate::replica::commands::unreadable;
use crate::replica::io::{CommandError, Topic};
use crate::replica::views::TrackView;
use crate::replica::views::build;

impl Replica {
    pub(super) fn take_back_refused(
        &mut self,
        drive: DocId,
        fixes: &[String],
        holds: bool,
    ) -> Result<Option<DocId>, CommandError> {
        let fields = self.drive(&drive)?;
        let (started_at, ended_at) = (fields.started_at, fields.ended_at);
        let track = fields.track.ok_or(CommandError::Unreadable)?;
        let mut recording = self.recording.take_if(|recording| recording.drive() == drive);
        if let Some(recording) = &mut recording {
            recording.pack_all(&mut self.documents, &mut self.writes);
        }
        let document = self.documents.loaded(&track).ok_or(CommandError::NotFound);
        let change = document.and_then(|document| docs::track::take_back(document, fixes, holds).map_err(unreadable));
        if let Ok(change) = &change {
            self.documents.add_own(&mut self.writes, track, change.clone());
        }
        let stretches = self.documents.stretches(&track);
        if let Some(mut recording) = recording {
            recording.count_again(&stretches);
            self.recording = Some(recording);
            self.output.topics.insert(Topic::Recording);
        }
        change?;
        if let Some(ended_at) = ended_at {
            let finished = Some((ended_at, Recorder::resume(started_at, &stretches).stats()));
            self.change_drive(drive, &drive::DriveEdit { finished, ..drive::DriveEdit::default() })?;
        }
        self.show_again(drive, &track);
        Ok(Some(drive))
    }

    /// Shows the track of a drive that is in memory.
    pub(super) fn show_track(&mut self, drive: DocId, track: &DocId) {
        let places = self.documents.places(&self.device.identity.account).to_vec();
        let stretches = self.documents.stretches(track);
        let refused = self.documents.loaded(track).map(|track| docs::track::refused(track)).unwrap_or_default();
        self.output.opened = Some(build::track(drive, &places, &stretches, refused));
        self.output.topics.insert(Topic::Track);
    }

    /// Updates the opened track, if it is this one.
    pub(in crate::replica) fn show_again(&mut self, drive: DocId, track: &DocId) {
        let is_shown = matches!(&self.output.opened, Some(TrackView::Ready { drive: opened, .. }) if *opened == drive);
        if is_shown && self.documents.loaded(track).is_some() {
            self.show_track(drive, track);
        }
    }
}
