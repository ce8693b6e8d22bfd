//! The recording of a drive: from fix to journal, from journal to block, and recovery after a kill.
//!
//! Each fix is queued for the journal immediately. Every 60 s, and at pause, hide and finish, the journal becomes one
//! block, which is one change of the track, in the transaction that empties the journal. Where fixes are sparse a block
//! waits for more: a change costs a hundred bytes of its own, and the journal is equally durable.

mod journal_writer;
mod packer;
mod reception;
mod record_all;
mod recorded_drive;
mod resumption;
mod timeline;

use crate::docs;
use crate::fix::Fix;
use crate::id::DocId;
use crate::recorder::{Recorder, TimedFix, Verdict};
use crate::replica::documents::{self, DocumentStore};
use crate::replica::io::{KeyRange, SensorFailure, Space};
use crate::replica::journal::JournalEntry;
use crate::replica::views::{RecordingState, RecordingView};
use crate::replica::write_queue::WriteQueue;
use crate::stats::DriveStats;
use crate::time::{Now, Timestamp};
use crate::track::{Mark, MarkKind, Refusal, Stretch};

use self::journal_writer::JournalWriter;
use self::packer::BlockPacker;
use self::reception::Reception;
pub(crate) use self::record_all::record_all;
pub(crate) use self::recorded_drive::RecordedDrive;
use self::resumption::BeforeResume;
use self::timeline::Timeline;

/// Maximum time after which the recording of a killed app resumes automatically, in milliseconds.
const RESUMES_MS: i64 = 600_000;
/// Minimum change of a clock difference that is stored, in milliseconds.
const KEPT_CHANGE_MS: u64 = 1_000;
const META_KEY: &[u8] = b"recording";

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
