//! Checks what becomes of measurements under any clock fault: each is in the drive or can be taken back, in the order
//! of measurement, and the drive has the right duration. The view never reports a recording that does not happen.

use std::collections::{BTreeMap, BTreeSet};

use tourismo_core::docs;
use tourismo_core::fix::Fix;
use tourismo_core::geodesy::{Position, distance_m};
use tourismo_core::id::{AccountId, DocId};
use tourismo_core::replica::io::{Command, CommandOutcome};
use tourismo_core::replica::views::{RecordingState, RecordingView, Signal, TrackView};
use tourismo_core::track::Stretch;
use tourismo_core::track::parts::merged;
use tourismo_core::wire::DocKind;

use crate::sim::Network;
use crate::sim::reference_model::{FixKey, key};

/// Maximum number of right fixes that are refused after an event of a clock, of a recording, or of an earlier fix.
const REFUSED_EACH: usize = 3;
/// Maximum number of consecutive fixes that are not accepted before the view must report it: two with a doubtful time and
/// one with a doubtful position, as when a drive is resumed on a phone elsewhere with another time.
const UNREPORTED: u32 = 3;
/// The tolerance of the duration, and the additional tolerance for each disturbance, milliseconds.
const OFF_MS: (i64, i64) = (2_000, 1_500);
/// The tolerance of the distance: in metres, in metres for each disturbance, and as a share of the whole.
const OFF_M: (f64, f64, f64) = (100.0, 100.0, 0.1);

/// The measured and the reported fixes of a scenario.
#[derive(Debug, Default)]
pub(super) struct Recordings {
    drives: BTreeMap<DocId, Vec<Measured>>,
    /// The times of events of the clock of a phone or of its sensor.
    disturbed: Vec<(usize, u64)>,
    /// The times at which the clock of a phone or of its sensor was set, and whether the page was hidden.
    set: Vec<(usize, u64, bool)>,
    /// The phones that slept with their monotonic clocks, and lost the time.
    lost_count: BTreeSet<usize>,
    /// The fixes that were not accepted, for each drive that a phone recorded in one of its lives.
    in_a_row: BTreeMap<(usize, u32, DocId), NotTakenIn>,
}

/// The last fixes that a recording did not accept.
#[derive(Clone, Copy, Debug, Default)]
struct NotTakenIn {
    /// Their number.
    all: u32,
    /// The number of consecutive right ones among them.
    right: u32,
    /// The time of measurement of the first right one.
    since_ms: u64,
    /// The number of fixes in the drive at that time.
    known: u32,
}

/// A measurement during a recorded drive.
#[derive(Clone, Copy, Debug)]
pub(super) struct Measured {
    phone: usize,
    life: u32,
    at_ms: u64,
    key: Option<FixKey>,
    place: Position,
    is_right: bool,
}

impl Measured {
    pub(super) fn of(phone: usize, life: u32, at_ms: u64, fix: &Fix, is_right: bool) -> Measured {
        let quantised = fix.quantised().ok();
        Measured { phone, life, at_ms, key: quantised.as_ref().map(key), place: Position::from(fix), is_right }
    }

    /// Returns whether there was a break between two measurements: paused, hidden, asleep, killed.
    fn are_apart(from: &Measured, to: &Measured) -> bool {
        to.at_ms - from.at_ms > 1_500 || from.life != to.life
    }
}

impl Recordings {
    pub(super) fn was_disturbed(&mut self, phone: usize, at_ms: u64) {
        self.disturbed.push((phone, at_ms));
    }

    pub(super) fn was_set(&mut self, phone: usize, at_ms: u64, is_hidden: bool) {
        self.set.push((phone, at_ms, is_hidden));
        self.was_disturbed(phone, at_ms);
    }

    pub(super) fn lost_count(&mut self, phone: usize) {
        self.lost_count.insert(phone);
    }

    /// Returns whether a clock was set while nothing was measured, or too late to be detected after a kill. Then the
    /// duration of the break is unknown: a clock that was set back looks like a late fix. It is also unknown while the
    /// page is hidden: a clock that was set forward looks like a machine that has slept.
    fn lost_time(&self, found: &[(&Fix, &Measured)]) -> bool {
        let ([(_, first), ..], [.., (_, last)]) = (found, found) else { return false };
        let is_set_in = |from_ms: u64, to_ms: u64, only_hidden: bool| {
            self.set.iter().any(|(phone, at_ms, is_hidden)| {
                *phone == first.phone && (from_ms..=to_ms).contains(at_ms) && (*is_hidden || !only_hidden)
            })
        };
        let is_set_between = |pair: &[(&Fix, &Measured)]| {
            let (from, to) = (pair[0].1, pair[1].1);
            Measured::are_apart(from, to) && is_set_in(from.at_ms.saturating_sub(2_000), to.at_ms, false)
        };
        self.lost_count.contains(&first.phone)
            || is_set_in(first.at_ms, last.at_ms, true)
            || found.windows(2).any(is_set_between)
    }

    /// Notes a measurement.
    pub(super) fn measured(&mut self, recording: &RecordingView, measured: Measured) {
        if recording.state == RecordingState::Active {
            self.drives.entry(recording.drive).or_default().push(measured);
        }
    }

    /// Notes how a phone handled a fix, and checks what it shows then.
    pub(super) fn note_disturbance(
        &mut self,
        (phone, life): (usize, u32),
        now_ms: u64,
        before: Option<&RecordingView>,
        is_right: bool,
        after: Option<RecordingView>,
        hides_refusals: bool,
    ) -> Option<String> {
        let (Some(before), Some(after)) = (before, after) else { return None };
        let is_active = |view: &RecordingView| view.state == RecordingState::Active;
        let row = self.in_a_row.entry((phone, life, after.drive)).or_default();
        // A pause may have accepted waiting fixes meanwhile.
        if before.stats.fixes > row.known {
            *row = NotTakenIn::default();
        }
        row.known = after.stats.fixes;
        if before.drive != after.drive
            || !is_active(before)
            || !is_active(&after)
            || after.stats.fixes > before.stats.fixes
        {
            (row.all, row.right) = (0, 0);
            return None;
        }
        row.all += 1;
        if !is_right {
            row.right = 0;
        } else {
            row.since_ms = if row.right == 0 { now_ms } else { row.since_ms };
            row.right += 1;
        }
        let says_so = after.not_recording.is_some() && !hides_refusals || !matches!(after.signal, Signal::Good { .. });
        if row.all > UNREPORTED && !says_so {
            return Some(format!(
                "nobody is told that a drive is recorded which is not: phone {phone}, {} fixes in a row",
                row.all
            ));
        }
        let is_since = |(of, at_ms): &&(usize, u64)| *of == phone && (row.since_ms..=now_ms).contains(at_ms);
        let happened = 1 + self.disturbed.iter().filter(is_since).count();
        let is_too_much = row.right as usize > REFUSED_EACH * happened;
        is_too_much.then(|| {
            format!("a drive goes on whatever the clocks show: phone {phone}, {} right fixes in a row", row.right)
        })
    }

    /// Returns the number of events during a drive that may cost some of its fixes.
    fn disturbances(&self, measured: &[Measured]) -> usize {
        let (Some(first), Some(last)) = (measured.first(), measured.last()) else { return 0 };
        let happened = self.disturbed.iter().filter(|(phone, at_ms)| {
            *phone == first.phone && (first.at_ms.saturating_sub(2_000)..=last.at_ms + 2_000).contains(at_ms)
        });
        let wrong = measured.iter().filter(|measured| !measured.is_right).count();
        let apart = measured.windows(2).filter(|pair| Measured::are_apart(&pair[0], &pair[1])).count();
        1 + happened.count() + wrong + apart
    }
}

impl Network {
    /// Checks every drive of an account that one phone has recorded and kept.
    pub(super) fn check_recordings(&self, account: AccountId) -> Result<(), String> {
        let Some(faults) = &self.clock_faults else { return Ok(()) };
        if self.reference.has_copies || self.reference.was_rolled_back {
            return Ok(());
        }
        let loaded = self.loaded(account)?;
        for (id, (kind, doc)) in &loaded {
            if *kind != DocKind::Drive || self.reference.recorders(id) != 1 {
                continue;
            }
            let drive = docs::drive::read(doc);
            let (Some(measured), Some(track)) = (faults.recordings.drives.get(id), drive.track) else { continue };
            let Some((_, track)) = loaded.get(&track).filter(|_| !drive.deleted) else { continue };
            let stretches = docs::track::stretches(track);
            let taken_back = docs::track::refused(track).into_iter().filter(|listed| listed.is_taken_back);
            let taken_back: BTreeSet<FixKey> = taken_back.map(|listed| key(&listed.refused.fix)).collect();
            let disturbances = faults.recordings.disturbances(measured);
            self.check_measured(id, measured, disturbances, &stretches, &taken_back)
                .map_err(|broken| format!("{broken} (drive {id}, {disturbances} disturbances)"))?;
        }
        Ok(())
    }

    fn check_measured(
        &self,
        drive: &DocId,
        measured: &[Measured],
        disturbances: usize,
        stretches: &[Stretch],
        taken_back: &BTreeSet<FixKey>,
    ) -> Result<(), String> {
        let fixes = merged(stretches);
        let accepted: BTreeSet<FixKey> = fixes.iter().map(key).collect();
        let refused: BTreeSet<FixKey> =
            stretches.iter().flat_map(|stretch| &stretch.refused).map(|refused| key(&refused.fix)).collect();
        let perhaps = self.reference.drives.get(drive).map(|taken| taken.perhaps.as_slice()).unwrap_or_default();
        let is_lost = |key: &FixKey| !accepted.contains(key) && !refused.contains(key) && !perhaps.contains(key);
        let right: Vec<(FixKey, &Measured)> =
            measured.iter().filter(|measured| measured.is_right).filter_map(|m| Some((m.key?, m))).collect();
        if let Some((key, at)) = right.iter().find(|(key, _)| is_lost(key)) {
            return Err(format!("what was measured is in the drive or among what was refused: {key:?} {at:?}"));
        }
        let turned_away = right.iter().filter(|(key, _)| refused.contains(key) && !accepted.contains(key)).count();
        if turned_away > REFUSED_EACH * disturbances {
            return Err(format!("what is right is in the drive: {turned_away} of {} were refused", right.len()));
        }
        // In the order of the track. Positions that were measured twice do not count, nor do fixes that were taken
        // back, because a block stores the arrival of its last fix only.
        let mut measured_at: BTreeMap<FixKey, Vec<&Measured>> = BTreeMap::new();
        for measured in measured {
            measured.key.into_iter().for_each(|key| measured_at.entry(key).or_default().push(measured));
        }
        let once = |fix: &Fix| {
            let measured = measured_at.get(&key(fix)).filter(|all| all.len() == 1 && !taken_back.contains(&key(fix)));
            measured.map(|all| all[0])
        };
        let found: Vec<(&Fix, &Measured)> = fixes.iter().filter_map(|fix| Some((fix, once(fix)?))).collect();
        if let Some(pair) = found.windows(2).find(|pair| pair[0].1.at_ms > pair[1].1.at_ms) {
            return Err(format!("fixes stand in the order in which they were measured: {pair:?}"));
        }
        // A fix with a wrong time has a right position, and a repeated fix has one position: in the order of measurement,
        // except for a fix that was taken back, which counts where the track has it, after the same fix.
        let mut told: BTreeMap<FixKey, (usize, Position)> = BTreeMap::new();
        for (index, measured) in measured.iter().enumerate() {
            if let Some(key) = measured.key.filter(|key| accepted.contains(key)) {
                told.entry(key).or_insert((index, measured.place));
            }
        }
        let mut before = 0;
        let mut driven: Vec<(usize, Position)> = Vec::new();
        for (key, (index, place)) in fixes.iter().map(key).filter_map(|key| Some((key, *told.get(&key)?))) {
            before = if taken_back.contains(&key) { before } else { index };
            driven.push((before, place));
        }
        driven.sort_by_key(|(order, _)| *order);
        let driven: Vec<Position> = driven.into_iter().map(|(_, place)| place).collect();
        self.check_lengths(disturbances, stretches, &found, &driven)
    }

    /// Checks that durations and distances are those that were driven.
    fn check_lengths(
        &self,
        disturbances: usize,
        stretches: &[Stretch],
        found: &[(&Fix, &Measured)],
        driven: &[Position],
    ) -> Result<(), String> {
        let many = disturbances as i64;
        // The times of a sensor's wrong reports are unknown.
        let timed: Vec<_> = found.iter().filter(|(_, measured)| measured.is_right).collect();
        let lost_time = self.clock_faults.as_ref().is_some_and(|faults| faults.recordings.lost_time(found));
        if let ([(first, from), ..], [.., (last, to)], false) = (timed.as_slice(), timed.as_slice(), lost_time) {
            let true_ms = self.phones[from.phone].clocked_ms(to.at_ms - from.at_ms) as i64;
            let duration_ms = last.fixed_at.millis_since(first.fixed_at);
            if (duration_ms - true_ms).abs() > OFF_MS.0 + OFF_MS.1 * many {
                return Err(format!("a drive lasts as long as it was driven: {duration_ms} of {true_ms} ms"));
            }
        }
        let Some((first, _)) = found.first() else { return Ok(()) };
        let true_m: f64 = driven.windows(2).map(|pair| distance_m(pair[0], pair[1])).sum();
        let stats = tourismo_core::recorder::Recorder::resume(first.fixed_at, stretches).stats();
        let way_m = stats.distance_m + stats.gap_distance_m;
        if (way_m - true_m).abs() > OFF_M.0 + OFF_M.1 * many as f64 + OFF_M.2 * true_m {
            return Err(format!("a drive is as long as it was driven: {way_m} of {true_m:.0} m"));
        }
        Ok(())
    }

    /// Takes back the refused fixes of a drive that a single phone has recorded (of two at a time the track follows
    /// one). Returns whether there were any.
    pub(super) fn take_back_refused(&mut self) -> bool {
        // Fixes of a track that is lost in part cannot be taken back.
        if self.reference.has_copies || self.reference.was_rolled_back {
            return false;
        }
        let refused = |sim: &Network, phone: usize| {
            let drives = sim.replica(phone).drives().into_iter();
            drives
                .filter(|drive| drive.ended_at.is_some() && sim.reference.recorders(&drive.id) == 1)
                .find(|drive| drive.stats.is_some_and(|stats| stats.refused > 0))
        };
        let found = (0..self.phones.len()).find_map(|phone| Some((phone, refused(self, phone)?)));
        let Some((phone, before)) = found.filter(|_| self.clock_faults.is_some()) else { return false };
        let drive = before.id;
        let listed = |sim: &Network| match sim.replica(phone).track() {
            Some(TrackView::Ready { drive: of, refused, .. }) if *of == drive => Some(refused.clone()),
            _ => None,
        };
        self.command(phone, Command::OpenDrive { drive });
        self.run_until(30_000, |sim| listed(sim).is_some());
        let Some(list) = listed(self) else {
            self.report_broken(format!("a drive can be opened: {drive} on phone {phone}"));
            return true;
        };
        let fixes: Vec<String> =
            list.iter().filter(|fix| !fix.is_taken_back).take(3).map(|fix| fix.id.clone()).collect();
        let count = fixes.len() as u32;
        let request = self.command(phone, Command::TakeBackRefused { drive, fixes, holds: true });
        self.run_until(30_000, |sim| sim.outcome(phone, request).is_some());
        let now_taken_back = listed(self).iter().flatten().filter(|fix| fix.is_taken_back).count();
        let is_done = matches!(self.outcome(phone, request), Some(CommandOutcome::Done { .. }));
        let after = self.replica(phone).drives().into_iter().find(|view| view.id == drive).and_then(|view| view.stats);
        let (fixes_before, fixes_after) = (before.stats.map(|stats| stats.fixes), after.map(|stats| stats.fixes));
        if !is_done || now_taken_back < count as usize || fixes_after <= fixes_before.filter(|_| count > 0) {
            let outcome = self.outcome(phone, request);
            self.report_broken(format!(
                "what was refused can be taken back: drive {drive}, {count} of {}: {outcome:?}, {fixes_before:?} fixes became {fixes_after:?}",
                list.len()
            ));
        }
        true
    }
}
