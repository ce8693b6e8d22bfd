//! The drive that is being recorded: from a fix to the journal, from the journal to a block, and back after a kill.
//!
//! Every fix is queued for the journal at once. Every 60 s, and at pause, hide and finish, what the journal holds becomes
//! one block, one change of the track, in the transaction that empties the journal. Where fixes are sparse a block waits
//! for some more: a change costs a hundred bytes by itself, and what is in the journal is as durable.

mod timeline;

use std::collections::VecDeque;

use automerge::Automerge;
use minicbor::{Decode, Encode};

use crate::docs;
use crate::fix::Fix;
use crate::id::DocId;
use crate::recorder::{Recorder, TimedFix, Verdict};
use crate::replica::io::{KeyRange, SensorFailure, Space, StoredEntry};
use crate::replica::journal::{self, Entry};
use crate::replica::shelf::{self, Shelf};
use crate::replica::store::{Store, Ticket};
use crate::replica::view::{RecordingState, RecordingView, Signal};
use crate::sorting::sort_by;
use crate::stats::DriveStats;
use crate::time::{Now, Timestamp};
use crate::track::block::BlockEncoder;
use crate::track::{Mark, MarkKind, Refusal, Stretch};

use self::timeline::Timeline;

/// How long a stretch becomes before it is packed, in milliseconds.
const BLOCK_MS: u64 = 60_000;
/// A stretch of fewer items waits for more, so long at most, in milliseconds.
const SPARSE_ITEMS: usize = 30;
const SPARSE_BLOCK_MS: u64 = 600_000;
/// How many items a stretch may hold before it is packed.
const BLOCK_ITEMS: usize = 1_000;
/// After how long without a fix the signal counts as lost, in milliseconds.
const SIGNAL_MS: u64 = 5_000;
/// A recording that a killed app left behind goes on by itself for so long, in milliseconds.
const RESUMES_MS: i64 = 600_000;
/// By how much a clock may go wrong before that is kept, in milliseconds.
const KEPT_CHANGE_MS: u64 = 1_000;
const META_KEY: &[u8] = b"recording";

/// Which drive is being recorded. Stored in [`Space::Meta`] from start to finish.
#[derive(Clone, Copy, Debug, PartialEq, Encode, Decode)]
pub(crate) struct Subject {
    #[n(0)]
    pub(crate) drive: DocId,
    #[n(1)]
    pub(crate) track: DocId,
    #[n(2)]
    pub(crate) started_at: Timestamp,
    #[n(3)]
    pub(crate) car: Option<DocId>,
    /// When the last of what is packed came, by the phone's clock. How much later the journal ends is in the journal.
    #[n(4)]
    pub(crate) last_at: Option<Timestamp>,
    /// Whether it is being recorded: neither paused nor left unfinished on purpose.
    #[n(5)]
    #[cbor(default)]
    pub(crate) is_running: bool,
    /// How much the clock of the recording was ahead of the phone's then: that much the phone's was set back meanwhile.
    #[n(6)]
    #[cbor(default)]
    pub(crate) ahead_ms: i64,
    /// What was added to the times of the sensor then.
    #[n(7)]
    #[cbor(default)]
    pub(crate) sensor_ms: i64,
}

impl Subject {
    /// A drive that is being recorded from a moment on.
    pub(crate) fn new(drive: DocId, track: DocId, started_at: Timestamp, car: Option<DocId>, now: Now) -> Subject {
        Subject { drive, track, started_at, car, last_at: Some(now.wall), is_running: true, ahead_ms: 0, sensor_ms: 0 }
    }
}

/// The drive that is being recorded.
#[derive(Debug)]
pub(crate) struct Recording {
    subject: Subject,
    state: RecordingState,
    timeline: Timeline,
    recorder: Recorder,
    encoder: BlockEncoder,
    /// Names this start of the app among the recorder sessions of the track.
    session: String,
    /// How many blocks of others the recorder's figures contain.
    known_blocks: usize,
    next_block: u32,
    stretch: Stretch,
    stretch_began_ms: Option<u64>,
    /// The key of the next journal entry.
    journal_next: u64,
    /// The keys of the journal entries whose fixes the recorder holds back, ascending.
    journal_held: Vec<u64>,
    /// What a killed app left in the journal, until the track is loaded and it can be taken up.
    left_behind: Vec<Entry>,
    /// For each fix that is not known to be on disk, the write that brings it there.
    unsaved: VecDeque<Ticket>,
    taken: u32,
    last_fix: Option<LastFix>,
    /// When the last one came that was accepted, on the monotonic clock; absent before the first since the app started.
    accepted_ms: Option<u64>,
    /// How many were refused or held back since the last one that was accepted, and why the last of them.
    refused: (u32, Option<Refusal>),
    failure: Option<SensorFailure>,
    /// What was there before an unfinished recording went on. Gone once something that came later is packed.
    before_resume: Option<BeforeResume>,
    /// The time of the last entry of the journal that was replayed.
    replayed_at: Option<Timestamp>,
}

/// What [`Recording::undo_resume`] goes back to.
#[derive(Debug)]
struct BeforeResume {
    left_off_at: Timestamp,
    recorder: Recorder,
    stretch: Stretch,
    journal_next: u64,
}

#[derive(Clone, Copy, Debug)]
struct LastFix {
    at_ms: u64,
    accuracy_m: Option<f64>,
    refused: Option<Refusal>,
}

impl Recording {
    /// Begins a drive. The caller makes its documents.
    pub(crate) fn start(
        drive: DocId,
        track: DocId,
        car: Option<DocId>,
        actor: &[u8; 16],
        now: Now,
        store: &mut Store,
    ) -> Recording {
        let subject = Subject::new(drive, track, now.wall, car, now);
        store.put(Space::Meta, META_KEY.to_vec(), shelf::cbor(&subject));
        let mut recording = Recording::new(subject, RecordingState::Active, actor);
        recording.timeline.at(now);
        recording
    }

    /// Goes on with a drive of another device. It begins with [`Recording::recover`].
    pub(crate) fn take_over(subject: Subject, actor: &[u8; 16], store: &mut Store) -> Recording {
        store.put(Space::Meta, META_KEY.to_vec(), shelf::cbor(&subject));
        Recording::new(subject, RecordingState::Recovering, actor)
    }

    /// The recording that a killed app left behind, if it did. It goes on with [`Recording::recover`].
    pub(crate) fn left_behind(stored: &[StoredEntry], actor: &[u8; 16]) -> Option<Recording> {
        let meta = stored.iter().find(|entry| entry.space == Space::Meta && entry.key == META_KEY)?;
        let subject = minicbor::decode(&meta.value).ok()?;
        let mut recording = Recording::new(subject, RecordingState::Recovering, actor);
        let mut journal: Vec<_> = stored.iter().filter(|entry| entry.space == Space::Journal).collect();
        sort_by(&mut journal, |a, b| a.key.cmp(&b.key));
        let key = |entry: &StoredEntry| entry.key.as_slice().try_into().ok().map(u64::from_be_bytes);
        recording.left_behind = journal.iter().filter_map(|entry| journal::decode(&entry.value)).collect();
        // The last place has none behind it: only a damaged key names it.
        recording.journal_next = journal.iter().rev().find_map(|entry| key(entry)?.checked_add(1)).unwrap_or(0);
        Some(recording)
    }

    fn new(subject: Subject, state: RecordingState, actor: &[u8; 16]) -> Recording {
        Recording {
            subject,
            state,
            timeline: Timeline::not_before(subject.started_at),
            recorder: Recorder::new(subject.started_at),
            encoder: BlockEncoder::new(),
            session: actor.iter().map(|byte| format!("{byte:02x}")).collect(),
            known_blocks: 0,
            next_block: 0,
            stretch: Stretch::default(),
            stretch_began_ms: None,
            journal_next: 0,
            journal_held: Vec::new(),
            left_behind: Vec::new(),
            unsaved: VecDeque::new(),
            taken: 0,
            last_fix: None,
            accepted_ms: None,
            refused: (0, None),
            failure: None,
            before_resume: None,
            replayed_at: None,
        }
    }

    /// The drive.
    pub(crate) fn drive(&self) -> DocId {
        self.subject.drive
    }

    /// The document of its track, which must stay in memory.
    pub(crate) fn track(&self) -> DocId {
        self.subject.track
    }

    /// The drive, and what is known of it without its document.
    pub(crate) fn subject(&self) -> Subject {
        self.subject
    }

    /// Records into another track from here on.
    pub(crate) fn replace_track(&mut self, track: DocId, store: &mut Store) {
        self.subject.track = track;
        store.put(Space::Meta, META_KEY.to_vec(), shelf::cbor(&self.subject));
    }

    /// What was driven so far.
    pub(crate) fn stats(&self) -> DriveStats {
        self.recorder.stats()
    }

    /// What the recording does.
    pub(crate) fn state(&self) -> RecordingState {
        self.state
    }

    /// Takes up what a killed app left behind, as soon as the track is in memory: what was packed is counted again, and
    /// the journal becomes a block.
    pub(crate) fn recover(&mut self, now: Now, shelf: &mut Shelf, store: &mut Store) {
        if self.state != RecordingState::Recovering {
            return;
        }
        let track = shelf.loaded(&self.subject.track);
        self.known_blocks = track.as_ref().map_or(0, |track| docs::track::block_count(track));
        let stretches = track.map(|track| docs::track::stretches(track)).unwrap_or_default();
        self.recorder = Recorder::resume(self.subject.started_at, &stretches);
        for entry in std::mem::take(&mut self.left_behind) {
            self.replay(entry);
        }
        self.settle();
        // Also what was refused and what happened: the clock of the recording goes on behind all of that.
        if let Some(last_at) = stretches.iter().chain([&self.stretch]).filter_map(Stretch::last_arrival).max() {
            self.timeline = Timeline::ahead(last_at, self.subject.ahead_ms);
        }
        self.timeline.at(now);
        self.recorder.go_on_with_sensor(self.subject.sensor_ms);
        self.refused = (0, None);
        self.state = RecordingState::Unfinished;
        self.pack(shelf, store);
    }

    /// Goes on after a pause, or with what a killed app left behind.
    pub(crate) fn resume(&mut self, now: Now, store: &mut Store) {
        let kind = if self.state == RecordingState::Paused { MarkKind::Resumed } else { MarkKind::Restarted };
        self.before_resume = (self.state == RecordingState::Unfinished).then(|| BeforeResume {
            left_off_at: self.subject.last_at.unwrap_or(self.subject.started_at),
            recorder: self.recorder.clone(),
            stretch: self.stretch.clone(),
            journal_next: self.journal_next,
        });
        self.state = RecordingState::Active;
        self.run(true, store);
        self.mark(kind, now, store);
        self.recorder.go_on_at(self.timeline.at(now));
    }

    /// Leaves the recording as a killed app left it behind, without what came since it went on. Returns whether there was
    /// something to undo.
    pub(crate) fn undo_resume(&mut self, store: &mut Store) -> bool {
        let Some(before) = self.before_resume.take() else { return false };
        let BeforeResume { left_off_at, recorder, stretch, journal_next } = before;
        if journal_next < self.journal_next {
            let (from, to) = (journal_key(journal_next), journal_key(self.journal_next - 1));
            store.delete(KeyRange { space: Space::Journal, from, to });
        }
        (self.recorder, self.stretch) = (recorder, stretch);
        self.journal_held.clear();
        self.refused = (0, None);
        self.last_fix = None;
        self.stretch_began_ms = None;
        self.subject.last_at = Some(left_off_at);
        self.state = RecordingState::Unfinished;
        self.run(false, store);
        true
    }

    /// Remembers whether the drive is being recorded.
    fn run(&mut self, is_running: bool, store: &mut Store) {
        self.subject.is_running = is_running;
        store.put(Space::Meta, META_KEY.to_vec(), shelf::cbor(&self.subject));
    }

    /// When the recording was left behind, while it is unfinished or its going on can be undone.
    fn left_off_at(&self) -> Option<Timestamp> {
        match (&self.before_resume, self.state) {
            (Some(before), _) => Some(before.left_off_at),
            (None, RecordingState::Unfinished) => self.subject.last_at,
            (None, RecordingState::Recovering | RecordingState::Active | RecordingState::Paused) => None,
        }
    }

    /// Records nothing until [`Recording::resume`].
    pub(crate) fn pause(&mut self, now: Now, shelf: &mut Shelf, store: &mut Store) {
        self.settle();
        self.mark(MarkKind::Paused, now, store);
        self.state = RecordingState::Paused;
        self.run(false, store);
        self.pack(shelf, store);
    }

    /// Takes in that the page was hidden: what is recorded is packed, since the app may be killed at any moment.
    pub(crate) fn hidden(&mut self, now: Now, shelf: &mut Shelf, store: &mut Store) {
        self.timeline.hidden(now, true);
        if self.state == RecordingState::Active {
            self.mark(MarkKind::Hidden, now, store);
            self.pack(shelf, store);
        }
    }

    /// Takes in that the page was shown again.
    pub(crate) fn shown(&mut self, now: Now, store: &mut Store) {
        self.timeline.hidden(now, false);
        if self.state == RecordingState::Active {
            self.mark(MarkKind::Shown, now, store);
        }
    }

    /// Ends the recording and says when the drive ended. What was recorded is packed; the caller finishes the drive.
    pub(crate) fn finish(&mut self, now: Now, shelf: &mut Shelf, store: &mut Store) -> Timestamp {
        self.close(shelf, store);
        if let Some(track) = shelf.loaded(&self.subject.track)
            && self.has_company(track)
        {
            self.recorder = Recorder::resume(self.subject.started_at, &docs::track::stretches(track));
        }
        // A drive that a killed app left behind ended when its last fix came, not when it was found.
        let last_fix = self.recorder.last().map(|fix| fix.recorded_at);
        match self.state {
            RecordingState::Unfinished | RecordingState::Recovering => last_fix.unwrap_or(self.subject.started_at),
            RecordingState::Active | RecordingState::Paused => self.timeline.at(now),
        }
    }

    /// Packs everything that was decided, and decides about the rest.
    pub(crate) fn pack_all(&mut self, shelf: &mut Shelf, store: &mut Store) {
        self.settle();
        self.pack(shelf, store);
    }

    /// Counts everything anew from a track that holds all of it.
    pub(crate) fn count_again(&mut self, stretches: &[Stretch]) {
        // Without its track in memory nothing could be packed.
        if self.items() == 0 && self.state != RecordingState::Recovering {
            self.recorder.count_again(stretches);
        }
    }

    /// Ends the recording without ending the drive: what was recorded is packed.
    pub(crate) fn close(&mut self, shelf: &mut Shelf, store: &mut Store) {
        self.settle();
        self.pack(shelf, store);
        let range = KeyRange { space: Space::Meta, from: META_KEY.to_vec(), to: META_KEY.to_vec() };
        store.delete(range);
    }

    /// Whether another device has recorded into the track meanwhile.
    fn has_company(&self, track: &Automerge) -> bool {
        docs::track::block_count(track) > self.known_blocks + self.next_block as usize
    }

    /// Takes in a measurement, and when its page had it.
    pub(crate) fn fix(&mut self, fix: &Fix, arrived_ms: Option<f64>, now: Now, shelf: &mut Shelf, store: &mut Store) {
        if self.state != RecordingState::Active {
            return;
        }
        let now_ms = now.monotonic_ms as u64;
        self.failure = None;
        self.look_at_clocks(now, store);
        self.taken = self.taken.saturating_add(1);
        let accepted_before = self.recorder.last().map(|fix| fix.fixed_at);
        let recorded_at = self.timeline.arrival(now, arrived_ms);
        let refused = match self.recorder.time(&Fix { recorded_at, ..*fix }) {
            Ok(timed) => {
                let key = self.write(&Entry::Fix(timed), store);
                let (refused, is_held) = self.judge(&timed);
                if is_held {
                    self.count_refused(Refusal::Outlier);
                }
                self.journal_held.extend(is_held.then_some(key));
                let decided = self.journal_held.len() - self.recorder.held().len();
                self.journal_held.drain(..decided);
                refused
            }
            // Of a fix that is no position only that it came can be stored.
            Err(_) => {
                self.write(&Entry::Invalid, store);
                self.count_invalid();
                Some(Refusal::Invalid)
            }
        };
        if self.recorder.last().map(|fix| fix.fixed_at) != accepted_before {
            self.accepted_ms = Some(now_ms);
        }
        self.unsaved.push_back(store.ticket());
        self.last_fix = Some(LastFix { at_ms: now_ms, accuracy_m: fix.accuracy_m, refused });
        self.stretch_began_ms.get_or_insert(now_ms);
        if self.block_due_ms().is_some_and(|due_ms| due_ms <= now_ms) || self.items() >= BLOCK_ITEMS {
            self.pack(shelf, store);
        }
    }

    /// Takes in that the sensor failed.
    pub(crate) fn sensor_failed(&mut self, reason: SensorFailure) {
        self.failure = Some(reason);
    }

    /// Looks whether it is time to pack.
    pub(crate) fn tick(&mut self, now: Now, shelf: &mut Shelf, store: &mut Store) {
        if self.block_due_ms().is_some_and(|due_ms| due_ms <= now.monotonic_ms as u64) {
            self.pack(shelf, store);
        }
    }

    /// When the stretch is to be packed, on the monotonic clock.
    fn block_due_ms(&self) -> Option<u64> {
        let wait_ms = if self.items() < SPARSE_ITEMS { SPARSE_BLOCK_MS } else { BLOCK_MS };
        self.stretch_began_ms.map(|began_ms| began_ms + wait_ms)
    }

    /// Takes in that some writes have succeeded. Says whether that changes what is shown.
    pub(crate) fn saved(&mut self, store: &Store) -> bool {
        let before = self.unsaved.len();
        while self.unsaved.front().is_some_and(|ticket| store.is_durable(*ticket)) {
            self.unsaved.pop_front();
        }
        self.unsaved.len() != before
    }

    /// When to do something, on the monotonic clock, and what.
    pub(crate) fn next_deadline(&self, now_ms: u64) -> Option<(u64, &'static str)> {
        let pack = self.block_due_ms().map(|due_ms| (due_ms, "pack a block"));
        let lost = self.last_fix.map(|last| (last.at_ms + SIGNAL_MS, "show that the signal is lost"));
        let lost = lost.filter(|(due, _)| self.state == RecordingState::Active && *due > now_ms);
        pack.into_iter().chain(lost).min()
    }

    /// What to show.
    pub(crate) fn view(&self, now: Now) -> RecordingView {
        let now_ms = now.monotonic_ms as u64;
        let fresh = self.last_fix.is_some_and(|last| now_ms < last.at_ms + SIGNAL_MS);
        let is_speed_known = self.accepted_ms.is_some_and(|at_ms| now_ms < at_ms + SIGNAL_MS);
        let last = self.recorder.last();
        let left_off_at = self.left_off_at();
        let is_recent = left_off_at.is_some_and(|at| now.wall.millis_since(at).saturating_abs() <= RESUMES_MS);
        RecordingView {
            state: self.state,
            left_off_at,
            resumes_itself: self.state == RecordingState::Unfinished && self.subject.is_running && is_recent,
            can_undo_resume: self.before_resume.is_some(),
            drive: self.subject.drive,
            car: self.subject.car,
            started_at: self.subject.started_at,
            stats: self.recorder.stats(),
            speed_mps: self.recorder.speed_mps().filter(|_| is_speed_known && self.state == RecordingState::Active),
            signal: self.signal(fresh),
            taken: self.taken,
            unsaved: self.unsaved.len() as u32,
            position: last.map(|fix| [fix.lon_deg, fix.lat_deg]),
            not_recording: self.not_recording(),
        }
    }

    /// Why nothing is recorded at the moment though fixes come. A single one that is refused says nothing of the next, unless
    /// it is all there is.
    fn not_recording(&self) -> Option<Refusal> {
        let (count, reason) = self.refused;
        let least = if self.recorder.last().is_none() { 1 } else { 2 };
        reason.filter(|_| self.state == RecordingState::Active && count >= least)
    }

    fn signal(&self, fresh: bool) -> Signal {
        match (self.failure, self.last_fix) {
            (Some(reason), _) => Signal::Failed { reason },
            (None, None) => Signal::Waiting,
            (None, Some(_)) if !fresh => Signal::Lost,
            (None, Some(LastFix { refused: Some(Refusal::TooInaccurate), accuracy_m: Some(accuracy_m), .. })) => {
                Signal::Inaccurate { accuracy_m }
            }
            (None, Some(last)) => Signal::Good { accuracy_m: last.accuracy_m },
        }
    }

    fn items(&self) -> usize {
        let Stretch { fixes, refused, invalid_count, marks, run: _ } = &self.stretch;
        fixes.len() + refused.len() + *invalid_count as usize + marks.len()
    }

    /// Queues an entry for the journal, and returns its key.
    fn write(&mut self, entry: &Entry, store: &mut Store) -> u64 {
        let key = self.journal_next;
        store.put(Space::Journal, journal_key(key), journal::encode(entry));
        self.journal_next += 1;
        key
    }

    fn mark(&mut self, kind: MarkKind, now: Now, store: &mut Store) {
        let mark = Mark { at: self.timeline.at(now), kind };
        self.look_at_clocks(now, store);
        self.settle();
        self.write(&Entry::Mark(mark), store);
        self.stretch.marks.push(mark);
        self.stretch_began_ms.get_or_insert(now.monotonic_ms as u64);
    }

    /// Takes note of what the phone's clock shows, and keeps by how much that and the sensor's differ from the clock of the
    /// recording: who goes on after a kill has nothing else to tell how long the app was gone.
    fn look_at_clocks(&mut self, now: Now, store: &mut Store) {
        self.subject.last_at = Some(now.wall);
        let ahead_ms = self.timeline.at(now).millis_since(now.wall);
        let sensor_ms = self.recorder.sensor_offset_ms();
        let changed_ms = ahead_ms.abs_diff(self.subject.ahead_ms).max(sensor_ms.abs_diff(self.subject.sensor_ms));
        if changed_ms > KEPT_CHANGE_MS {
            (self.subject.ahead_ms, self.subject.sensor_ms) = (ahead_ms, sensor_ms);
            store.put(Space::Meta, META_KEY.to_vec(), shelf::cbor(&self.subject));
        }
    }

    fn replay(&mut self, entry: Entry) {
        match entry {
            Entry::Fix(timed) => {
                self.pass(timed.fix.recorded_at);
                self.judge(&timed);
            }
            Entry::Invalid => self.count_invalid(),
            Entry::Mark(mark) => {
                self.pass(mark.at);
                self.settle();
                self.stretch.marks.push(mark);
            }
        }
    }

    /// Counts the time that passed in the journal, whose clock follows no change of the phone's.
    fn pass(&mut self, at: Timestamp) {
        let passed_ms = self.replayed_at.replace(at).map_or(0, |before| at.millis_since(before).max(0));
        self.subject.last_at = self.subject.last_at.map(|last_at| last_at + passed_ms);
    }

    /// Takes in a fix whose time is settled. Says why it was refused, if it was, and whether it waits for later ones.
    fn judge(&mut self, timed: &TimedFix) -> (Option<Refusal>, bool) {
        let verdicts = self.recorder.judge(timed);
        let of_this = verdicts.iter().find_map(|verdict| match verdict {
            Verdict::Accepted(fix) => (*fix == timed.fix).then_some(None),
            Verdict::Refused(refused) => (refused.fix == timed.fix).then_some(Some(refused.refusal)),
            Verdict::Invalid(_) => None,
        });
        self.note(verdicts);
        (of_this.flatten(), of_this.is_none())
    }

    fn settle(&mut self) {
        let verdicts = self.recorder.settle();
        self.journal_held.clear();
        self.note(verdicts);
    }

    fn count_invalid(&mut self) {
        self.recorder.count_invalid();
        self.stretch.invalid_count += 1;
        self.count_refused(Refusal::Invalid);
    }

    /// Puts what was decided into the stretch.
    fn note(&mut self, verdicts: Vec<Verdict>) {
        for verdict in verdicts {
            match verdict {
                Verdict::Accepted(fix) => {
                    self.stretch.fixes.push(fix);
                    self.refused = (0, None);
                }
                Verdict::Refused(refused) => {
                    self.stretch.refused.push(refused);
                    self.count_refused(refused.refusal);
                }
                Verdict::Invalid(_) => self.count_invalid(),
            }
        }
    }

    fn count_refused(&mut self, refusal: Refusal) {
        self.refused = (self.refused.0.saturating_add(1), Some(refusal));
    }

    /// Turns the stretch into a block, which is one change, in the transaction that takes it out of the journal; into several
    /// where fixes took very different times to arrive.
    fn pack(&mut self, shelf: &mut Shelf, store: &mut Store) {
        self.stretch_began_ms = None;
        // Without the track in memory everything stays in the journal, and the next attempt packs it.
        if shelf.loaded(&self.subject.track).is_none() || self.items() == 0 {
            return;
        }
        for part in std::mem::take(&mut self.stretch).of_one_delay() {
            let block = self.encoder.encode(&part).expect("the recorder gives only what a block can hold");
            let track = shelf.loaded(&self.subject.track).expect("it was there a moment ago");
            let change = docs::track::add_block(track, &self.session, self.next_block, block);
            let change = change.expect("a block has a key of its own");
            self.next_block += 1;
            shelf.add_own(store, self.subject.track, change);
        }
        self.before_resume = None;
        store.put(Space::Meta, META_KEY.to_vec(), shelf::cbor(&self.subject));
        // Fixes that are still held back are in no block yet, and stay in the journal.
        let mut from = 0;
        for until in self.journal_held.iter().copied().chain([self.journal_next]) {
            if from < until {
                store.delete(KeyRange { space: Space::Journal, from: journal_key(from), to: journal_key(until - 1) });
            }
            from = until + 1;
        }
    }
}

fn journal_key(index: u64) -> Vec<u8> {
    index.to_be_bytes().to_vec()
}
