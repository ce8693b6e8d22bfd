//! The end of a pause, and the recovery of a recording whose app was killed or whose device was another one.

use crate::docs;
use crate::recorder::Recorder;
use crate::replica::documents::{self, DocumentStore};
use crate::replica::io::{Space, StoredEntry};
use crate::replica::journal::{self, JournalEntry};
use crate::replica::views::RecordingState;
use crate::replica::write_queue::WriteQueue;
use crate::sorting::sort_by;
use crate::time::{Now, Timestamp};
use crate::track::{MarkKind, Stretch};

use super::journal_writer::JournalWriter;
use super::timeline::Timeline;
use super::{META_KEY, RecordedDrive, Recording};

/// The state that [`Recording::undo_resume`] restores.
#[derive(Debug)]
pub(super) struct BeforeResume {
    left_off_at: Timestamp,
    recorder: Recorder,
    stretch: Stretch,
    journal_next: u64,
}

impl Recording {
    /// Takes over a drive of another device. [`Recording::recover`] follows.
    pub(crate) fn take_over(subject: RecordedDrive, actor: &[u8; 16], writes: &mut WriteQueue) -> Recording {
        writes.put(Space::Meta, META_KEY.to_vec(), documents::cbor(&subject));
        Recording::new(subject, RecordingState::Recovering, actor)
    }

    /// Returns the recording of a killed app, if there is one. [`Recording::recover`] follows.
    pub(crate) fn left_behind(stored: &[StoredEntry], actor: &[u8; 16]) -> Option<Recording> {
        let meta = stored.iter().find(|entry| entry.space == Space::Meta && entry.key == META_KEY)?;
        let subject = minicbor::decode(&meta.value).ok()?;
        let mut recording = Recording::new(subject, RecordingState::Recovering, actor);
        let mut journal: Vec<_> = stored.iter().filter(|entry| entry.space == Space::Journal).collect();
        sort_by(&mut journal, |a, b| a.key.cmp(&b.key));
        let key = |entry: &StoredEntry| entry.key.as_slice().try_into().ok().map(u64::from_be_bytes);
        recording.left_behind = journal.iter().filter_map(|entry| journal::decode(&entry.value)).collect();
        // No entry can follow the last index, so only a damaged key has it.
        let next = journal.iter().rev().find_map(|entry| key(entry)?.checked_add(1)).unwrap_or(0);
        recording.journal = JournalWriter::new(next);
        Some(recording)
    }

    /// Recovers the recording of a killed app once the track is in memory: packed blocks are counted again, and the
    /// journal becomes a block.
    pub(crate) fn recover(&mut self, now: Now, documents: &mut DocumentStore, writes: &mut WriteQueue) {
        if self.state != RecordingState::Recovering {
            return;
        }
        let track = documents.loaded(&self.recorded_drive.track);
        self.packer.counted(track.as_ref().map_or(0, |track| docs::track::block_count(track)));
        let stretches = track.map(|track| docs::track::stretches(track)).unwrap_or_default();
        self.recorder = Recorder::resume(self.recorded_drive.started_at, &stretches);
        let mut replayed_at = None;
        for entry in std::mem::take(&mut self.left_behind) {
            self.replay(entry, &mut replayed_at);
        }
        self.settle();
        // Refused fixes and marks are included: the clock of the recording continues after all of them.
        if let Some(last_at) = stretches.iter().chain([&self.packer.stretch]).filter_map(Stretch::last_arrival).max() {
            self.timeline = Timeline::ahead(last_at, self.recorded_drive.ahead_ms);
        }
        self.timeline.at(now);
        self.recorder.go_on_with_sensor(self.recorded_drive.sensor_ms);
        self.reception.forget_refused();
        self.state = RecordingState::Unfinished;
        self.pack(documents, writes);
    }

    /// Resumes after a pause, or resumes the recording of a killed app.
    pub(crate) fn resume(&mut self, now: Now, writes: &mut WriteQueue) {
        let kind = if self.state == RecordingState::Paused { MarkKind::Resumed } else { MarkKind::Restarted };
        self.before_resume = (self.state == RecordingState::Unfinished).then(|| BeforeResume {
            left_off_at: self.recorded_drive.last_at.unwrap_or(self.recorded_drive.started_at),
            recorder: self.recorder.clone(),
            stretch: self.packer.stretch.clone(),
            journal_next: self.journal.next(),
        });
        self.state = RecordingState::Active;
        self.set_running(true, writes);
        self.mark(kind, now, writes);
        self.recorder.go_on_at(self.timeline.at(now));
    }

    /// Restores the unfinished recording of a killed app, without what was recorded after it resumed. Returns whether
    /// there was something to undo.
    pub(crate) fn undo_resume(&mut self, writes: &mut WriteQueue) -> bool {
        let Some(before) = self.before_resume.take() else { return false };
        let BeforeResume { left_off_at, recorder, stretch, journal_next } = before;
        self.journal.delete_from(journal_next, writes);
        self.recorder = recorder;
        self.packer.restore(stretch);
        self.reception.forget_last();
        self.recorded_drive.last_at = Some(left_off_at);
        self.state = RecordingState::Unfinished;
        self.set_running(false, writes);
        true
    }

    /// Stores whether the recording runs.
    pub(super) fn set_running(&mut self, is_running: bool, writes: &mut WriteQueue) {
        self.recorded_drive.is_running = is_running;
        writes.put(Space::Meta, META_KEY.to_vec(), documents::cbor(&self.recorded_drive));
    }

    /// Returns when the app was killed, while the recording is unfinished or its resumption can be undone.
    pub(super) fn left_off_at(&self) -> Option<Timestamp> {
        match (&self.before_resume, self.state) {
            (Some(before), _) => Some(before.left_off_at),
            (None, RecordingState::Unfinished) => self.recorded_drive.last_at,
            (None, RecordingState::Recovering | RecordingState::Active | RecordingState::Paused) => None,
        }
    }

    /// Replays a journal entry. `replayed_at` is the time of the previous one.
    fn replay(&mut self, entry: JournalEntry, replayed_at: &mut Option<Timestamp>) {
        let mut pass = |at: Timestamp| {
            // The journal's clock ignores changes of the phone's.
            let passed_ms = replayed_at.replace(at).map_or(0, |before| at.millis_since(before).max(0));
            self.recorded_drive.last_at = self.recorded_drive.last_at.map(|last_at| last_at + passed_ms);
        };
        match entry {
            JournalEntry::Fix(timed) => {
                pass(timed.fix.recorded_at);
                self.judge(&timed);
            }
            JournalEntry::Invalid => self.count_invalid(),
            JournalEntry::Mark(mark) => {
                pass(mark.at);
                self.settle();
                self.packer.stretch.marks.push(mark);
            }
        }
    }
}
