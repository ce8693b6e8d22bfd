//! The recording of a drive: from fix to journal, from journal to block, and recovery after a kill.
//!
//! Each fix is queued for the journal immediately. Every 60 s, and at pause, hide and finish, the journal becomes one
//! block, which is one change of the track, in the transaction that empties the journal. Where fixes are sparse a block
//! waits for more: a change costs a hundred bytes of its own, and the journal is equally durable.

mod journal_writer;
mod packer;
mod reception;
mod record_all;
mod timeline;

use minicbor::{Decode, Encode};

use crate::docs;
use crate::fix::Fix;
use crate::id::DocId;
use crate::recorder::{Recorder, TimedFix, Verdict};
use crate::replica::documents::{self, DocumentStore};
use crate::replica::io::{KeyRange, SensorFailure, Space, StoredEntry};
use crate::replica::journal::{self, JournalEntry};
use crate::replica::views::{RecordingState, RecordingView};
use crate::replica::write_queue::WriteQueue;
use crate::sorting::sort_by;
use crate::stats::DriveStats;
use crate::time::{Now, Timestamp};
use crate::track::{Mark, MarkKind, Refusal, Stretch};

use self::journal_writer::JournalWriter;
use self::packer::BlockPacker;
use self::reception::Reception;
pub(crate) use self::record_all::record_all;
use self::timeline::Timeline;

/// Maximum time after which the recording of a killed app resumes automatically, in milliseconds.
const RESUMES_MS: i64 = 600_000;
/// Minimum change of a clock difference that is stored, in milliseconds.
const KEPT_CHANGE_MS: u64 = 1_000;
const META_KEY: &[u8] = b"recording";

/// The recorded drive. Stored in [`Space::Meta`] from start to finish.
#[derive(Clone, Copy, Debug, PartialEq, Encode, Decode)]
pub(crate) struct RecordedDrive {
    #[n(0)]
    pub(crate) drive: DocId,
    #[n(1)]
    pub(crate) track: DocId,
    #[n(2)]
    pub(crate) started_at: Timestamp,
    #[n(3)]
    pub(crate) car: Option<DocId>,
    /// When the last packed item arrived, by the phone's clock. The journal has later items.
    #[n(4)]
    pub(crate) last_at: Option<Timestamp>,
    /// Whether the recording runs: it is neither paused nor left unfinished on purpose.
    #[n(5)]
    #[cbor(default)]
    pub(crate) is_running: bool,
    /// The difference between the recording's clock and the phone's at that time: how far the phone's was set back.
    #[n(6)]
    #[cbor(default)]
    pub(crate) ahead_ms: i64,
    /// The offset of the sensor's times at that time.
    #[n(7)]
    #[cbor(default)]
    pub(crate) sensor_ms: i64,
}

impl RecordedDrive {
    /// Creates a recorded drive that starts now.
    pub(crate) fn new(
        drive: DocId,
        track: DocId,
        started_at: Timestamp,
        car: Option<DocId>,
        now: Now,
    ) -> RecordedDrive {
        RecordedDrive {
            drive,
            track,
            started_at,
            car,
            last_at: Some(now.wall),
            is_running: true,
            ahead_ms: 0,
            sensor_ms: 0,
        }
    }
}

/// The current recording.
#[derive(Debug)]
pub(crate) struct Recording {
    recorded_drive: RecordedDrive,
    state: RecordingState,
    timeline: Timeline,
    recorder: Recorder,
    packer: BlockPacker,
    journal: JournalWriter,
    reception: Reception,
    /// Journal entries of a killed app, until the track is loaded for recovery.
    left_behind: Vec<JournalEntry>,
    /// The state before an unfinished recording resumed. Cleared once later data is packed.
    before_resume: Option<BeforeResume>,
}

/// The state that [`Recording::undo_resume`] restores.
#[derive(Debug)]
struct BeforeResume {
    left_off_at: Timestamp,
    recorder: Recorder,
    stretch: Stretch,
    journal_next: u64,
}

impl Recording {
    /// Starts a recording. The caller creates its documents.
    pub(crate) fn start(
        drive: DocId,
        track: DocId,
        car: Option<DocId>,
        actor: &[u8; 16],
        now: Now,
        writes: &mut WriteQueue,
    ) -> Recording {
        let subject = RecordedDrive::new(drive, track, now.wall, car, now);
        writes.put(Space::Meta, META_KEY.to_vec(), documents::cbor(&subject));
        let mut recording = Recording::new(subject, RecordingState::Active, actor);
        recording.timeline.at(now);
        recording
    }

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

    fn new(subject: RecordedDrive, state: RecordingState, actor: &[u8; 16]) -> Recording {
        Recording {
            recorded_drive: subject,
            state,
            timeline: Timeline::not_before(subject.started_at),
            recorder: Recorder::new(subject.started_at),
            packer: BlockPacker::new(actor),
            journal: JournalWriter::new(0),
            reception: Reception::default(),
            left_behind: Vec::new(),
            before_resume: None,
        }
    }

    /// Returns the drive.
    pub(crate) fn drive(&self) -> DocId {
        self.recorded_drive.drive
    }

    /// Returns the track document, which must stay in memory.
    pub(crate) fn track(&self) -> DocId {
        self.recorded_drive.track
    }

    /// Returns the drive with the data that is known without its document.
    pub(crate) fn recorded_drive(&self) -> RecordedDrive {
        self.recorded_drive
    }

    /// Continues in another track.
    pub(crate) fn replace_track(&mut self, track: DocId, writes: &mut WriteQueue) {
        self.recorded_drive.track = track;
        writes.put(Space::Meta, META_KEY.to_vec(), documents::cbor(&self.recorded_drive));
    }

    /// Returns the statistics so far.
    pub(crate) fn stats(&self) -> DriveStats {
        self.recorder.stats()
    }

    /// Returns the state of the recording.
    pub(crate) fn state(&self) -> RecordingState {
        self.state
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
    fn set_running(&mut self, is_running: bool, writes: &mut WriteQueue) {
        self.recorded_drive.is_running = is_running;
        writes.put(Space::Meta, META_KEY.to_vec(), documents::cbor(&self.recorded_drive));
    }

    /// Returns when the app was killed, while the recording is unfinished or its resumption can be undone.
    fn left_off_at(&self) -> Option<Timestamp> {
        match (&self.before_resume, self.state) {
            (Some(before), _) => Some(before.left_off_at),
            (None, RecordingState::Unfinished) => self.recorded_drive.last_at,
            (None, RecordingState::Recovering | RecordingState::Active | RecordingState::Paused) => None,
        }
    }

    /// Pauses until [`Recording::resume`].
    pub(crate) fn pause(&mut self, now: Now, documents: &mut DocumentStore, writes: &mut WriteQueue) {
        self.settle();
        self.mark(MarkKind::Paused, now, writes);
        self.state = RecordingState::Paused;
        self.set_running(false, writes);
        self.pack(documents, writes);
    }

    /// Handles a hidden page: everything is packed, since the app may be killed at any time.
    pub(crate) fn hidden(&mut self, now: Now, documents: &mut DocumentStore, writes: &mut WriteQueue) {
        self.timeline.hidden(now, true);
        if self.state == RecordingState::Active {
            self.mark(MarkKind::Hidden, now, writes);
            self.pack(documents, writes);
        }
    }

    /// Handles a shown page.
    pub(crate) fn shown(&mut self, now: Now, writes: &mut WriteQueue) {
        self.timeline.hidden(now, false);
        if self.state == RecordingState::Active {
            self.mark(MarkKind::Shown, now, writes);
        }
    }

    /// Ends the recording and returns the end of the drive. Everything is packed; the caller finishes the drive.
    pub(crate) fn finish(&mut self, now: Now, documents: &mut DocumentStore, writes: &mut WriteQueue) -> Timestamp {
        self.close(documents, writes);
        if let Some(track) = documents.loaded(&self.recorded_drive.track)
            && self.packer.has_uncounted(track)
        {
            self.recorder = Recorder::resume(self.recorded_drive.started_at, &docs::track::stretches(track));
        }
        // The drive of a killed app ended with its last fix, not when the app was started again.
        let last_fix = self.recorder.last().map(|fix| fix.recorded_at);
        match self.state {
            RecordingState::Unfinished | RecordingState::Recovering => {
                last_fix.unwrap_or(self.recorded_drive.started_at)
            }
            RecordingState::Active | RecordingState::Paused => self.timeline.at(now),
        }
    }

    /// Decides about held fixes and packs everything.
    pub(crate) fn pack_all(&mut self, documents: &mut DocumentStore, writes: &mut WriteQueue) {
        self.settle();
        self.pack(documents, writes);
    }

    /// Recalculates all statistics from the complete track.
    pub(crate) fn count_again(&mut self, stretches: &[Stretch]) {
        // Blocks cannot be added without the track in memory.
        if self.packer.items() == 0 && self.state != RecordingState::Recovering {
            self.recorder.count_again(stretches);
        }
    }

    /// Ends the recording but not the drive: everything is packed.
    pub(crate) fn close(&mut self, documents: &mut DocumentStore, writes: &mut WriteQueue) {
        self.settle();
        self.pack(documents, writes);
        let range = KeyRange { space: Space::Meta, from: META_KEY.to_vec(), to: META_KEY.to_vec() };
        writes.delete(range);
    }

    /// Handles a fix and the time of its arrival on the page.
    pub(crate) fn fix(
        &mut self,
        fix: &Fix,
        arrived_ms: Option<f64>,
        now: Now,
        documents: &mut DocumentStore,
        writes: &mut WriteQueue,
    ) {
        if self.state != RecordingState::Active {
            return;
        }
        let now_ms = now.monotonic_ms as u64;
        self.update_clocks(now, writes);
        let accepted_before = self.recorder.last().map(|fix| fix.fixed_at);
        let recorded_at = self.timeline.arrival(now, arrived_ms);
        let refused = match self.recorder.time(&Fix { recorded_at, ..*fix }) {
            Ok(timed) => {
                let key = self.journal.write(&JournalEntry::Fix(timed), writes);
                let (refused, is_held) = self.judge(&timed);
                if is_held {
                    self.reception.count_refused(Refusal::Outlier);
                    self.journal.hold(key);
                }
                self.journal.hold_only(self.recorder.held().len());
                refused
            }
            // For an invalid fix only its arrival can be stored.
            Err(_) => {
                self.journal.write(&JournalEntry::Invalid, writes);
                self.count_invalid();
                Some(Refusal::Invalid)
            }
        };
        if self.recorder.last().map(|fix| fix.fixed_at) != accepted_before {
            self.reception.accepted_at(now_ms);
        }
        self.reception.fix(now_ms, fix.accuracy_m, refused, writes.write_seq());
        self.packer.begin(now_ms);
        if self.packer.is_due(now_ms) || self.packer.is_full() {
            self.pack(documents, writes);
        }
    }

    /// Handles a failure of the sensor.
    pub(crate) fn sensor_failed(&mut self, reason: SensorFailure) {
        self.reception.failed(reason);
    }

    /// Packs if it is due.
    pub(crate) fn tick(&mut self, now: Now, documents: &mut DocumentStore, writes: &mut WriteQueue) {
        if self.packer.is_due(now.monotonic_ms as u64) {
            self.pack(documents, writes);
        }
    }

    /// Handles completed writes. Returns whether the view changes.
    pub(crate) fn saved(&mut self, writes: &WriteQueue) -> bool {
        self.reception.saved(writes)
    }

    /// Returns the next deadline on the monotonic clock and its reason.
    pub(crate) fn next_deadline(&self, now_ms: u64) -> Option<(u64, &'static str)> {
        let pack = self.packer.due_ms().map(|due_ms| (due_ms, "pack a block"));
        let lost = self.reception.signal_ends_ms().map(|due_ms| (due_ms, "show that the signal is lost"));
        let lost = lost.filter(|(due, _)| self.state == RecordingState::Active && *due > now_ms);
        pack.into_iter().chain(lost).min()
    }

    /// Returns the view.
    pub(crate) fn view(&self, now: Now) -> RecordingView {
        let now_ms = now.monotonic_ms as u64;
        let is_active = self.state == RecordingState::Active;
        let is_speed_known = is_active && self.reception.is_speed_known(now_ms);
        let last = self.recorder.last();
        let left_off_at = self.left_off_at();
        let is_recent = left_off_at.is_some_and(|at| now.wall.millis_since(at).saturating_abs() <= RESUMES_MS);
        RecordingView {
            state: self.state,
            left_off_at,
            resumes_itself: self.state == RecordingState::Unfinished && self.recorded_drive.is_running && is_recent,
            can_undo_resume: self.before_resume.is_some(),
            drive: self.recorded_drive.drive,
            car: self.recorded_drive.car,
            started_at: self.recorded_drive.started_at,
            stats: self.recorder.stats(),
            speed_mps: self.recorder.speed_mps().filter(|_| is_speed_known),
            signal: self.reception.signal(now_ms),
            taken: self.reception.taken(),
            unsaved: self.reception.unsaved(),
            position: last.map(|fix| [fix.lon_deg, fix.lat_deg]),
            not_recording: self.reception.not_recording(last.is_some()).filter(|_| is_active),
        }
    }

    fn mark(&mut self, kind: MarkKind, now: Now, writes: &mut WriteQueue) {
        let mark = Mark { at: self.timeline.at(now), kind };
        self.update_clocks(now, writes);
        self.settle();
        self.journal.write(&JournalEntry::Mark(mark), writes);
        self.packer.stretch.marks.push(mark);
        self.packer.begin(now.monotonic_ms as u64);
    }

    /// Reads the phone's clock and stores its difference from the recording's, and the sensor's offset. After a kill
    /// only these tell how long the app was stopped.
    fn update_clocks(&mut self, now: Now, writes: &mut WriteQueue) {
        self.recorded_drive.last_at = Some(now.wall);
        let ahead_ms = self.timeline.at(now).millis_since(now.wall);
        let sensor_ms = self.recorder.sensor_offset_ms();
        let changed_ms =
            ahead_ms.abs_diff(self.recorded_drive.ahead_ms).max(sensor_ms.abs_diff(self.recorded_drive.sensor_ms));
        if changed_ms > KEPT_CHANGE_MS {
            (self.recorded_drive.ahead_ms, self.recorded_drive.sensor_ms) = (ahead_ms, sensor_ms);
            writes.put(Space::Meta, META_KEY.to_vec(), documents::cbor(&self.recorded_drive));
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

    /// Handles a fix with a settled time. Returns why it was refused, if it was, and whether it is held.
    fn judge(&mut self, timed: &TimedFix) -> (Option<Refusal>, bool) {
        let verdicts = self.recorder.judge(timed);
        let of_this = verdicts.iter().find_map(|verdict| match verdict {
            Verdict::Accepted(fix) => (*fix == timed.fix).then_some(None),
            Verdict::Refused(refused) => (refused.fix == timed.fix).then_some(Some(refused.refusal)),
            Verdict::Invalid(_) => None,
        });
        self.add_verdicts(verdicts);
        (of_this.flatten(), of_this.is_none())
    }

    fn settle(&mut self) {
        let verdicts = self.recorder.settle();
        self.journal.hold_only(0);
        self.add_verdicts(verdicts);
    }

    fn count_invalid(&mut self) {
        self.recorder.count_invalid();
        self.packer.stretch.invalid_count += 1;
        self.reception.count_refused(Refusal::Invalid);
    }

    /// Adds verdicts to the stretch.
    fn add_verdicts(&mut self, verdicts: Vec<Verdict>) {
        for verdict in verdicts {
            match verdict {
                Verdict::Accepted(fix) => {
                    self.packer.stretch.fixes.push(fix);
                    self.reception.count_accepted();
                }
                Verdict::Refused(refused) => {
                    self.packer.stretch.refused.push(refused);
                    self.reception.count_refused(refused.refusal);
                }
                Verdict::Invalid(_) => self.count_invalid(),
            }
        }
    }

    /// Packs the decided fixes in the transaction that deletes them from the journal.
    fn pack(&mut self, documents: &mut DocumentStore, writes: &mut WriteQueue) {
        if self.packer.pack(self.recorded_drive.track, documents, writes) {
            self.before_resume = None;
            writes.put(Space::Meta, META_KEY.to_vec(), documents::cbor(&self.recorded_drive));
            self.journal.delete_packed(writes);
        }
    }
}
