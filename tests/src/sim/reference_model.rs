//! What was promised: a small model beside the system, of what phones called saved and what the relay acknowledged.

use std::collections::{BTreeMap, BTreeSet};

use tourismo_core::change::ScannedChange;
use tourismo_core::fix::Fix;
use tourismo_core::id::{AccountId, ChangeHash, DocId};
use tourismo_core::replica::io::{Command, CommandOutcome};
use tourismo_core::replica::views::{RecordingState, RecordingView};

use crate::sim::relay::RelayDisk;

/// A fix as its place in a track is found again: latitude and longitude in micro-degrees. Its time is for the recorder to
/// settle.
pub(super) type FixKey = (i64, i64);

/// A title, and the phone and the request that wanted it; none for the first.
pub(super) type Title = (Option<(usize, u32)>, String);

/// Everything that was promised.
#[derive(Clone, Debug, Default)]
pub(super) struct ReferenceModel {
    /// What was taken in for each drive.
    pub(super) drives: BTreeMap<DocId, RecordedFixes>,
    /// What is being recorded on each phone since its app started.
    live: BTreeMap<usize, LiveRecording>,
    /// What was finished in memory on each phone, and is not settled yet, by drive.
    finishing: BTreeMap<(usize, DocId), LiveRecording>,
    /// Commands that are not settled yet.
    commands: BTreeMap<(usize, u32), Command>,
    /// What each relay has acknowledged.
    pub(super) acknowledged: BTreeSet<(usize, ChangeHash)>,
    /// Drives and cars that were said to be made, finished, deleted.
    pub(super) started: BTreeSet<DocId>,
    pub(super) finished: BTreeSet<DocId>,
    pub(super) deleted: BTreeSet<DocId>,
    pub(super) cars: BTreeSet<DocId>,
    /// Links to meets that were given, and those that others took the place of.
    pub(super) links: BTreeSet<DocId>,
    pub(super) old_links: BTreeSet<DocId>,
    /// For each drive the titles that it may have, oldest first.
    pub(super) titles: BTreeMap<DocId, Vec<Title>>,
    /// Whether the relay was restored, another took its place, or a link misdelivered, so that it may have something else than
    /// a phone believes.
    pub(super) may_differ: bool,
    /// Whether a relay's disk was full, so that it refused what other changes build on.
    pub(super) was_full: bool,
    /// Whether a phone's storage was copied or put back, so that what one phone took in may be in a track twice.
    pub(super) has_copies: bool,
    /// Whose each document is that was ever pushed.
    pub(super) owners: BTreeMap<DocId, AccountId>,
    /// Which change each number of an actor named.
    numbers: BTreeMap<(DocId, Vec<u8>, u64), ChangeHash>,
    /// Whether a phone lost what was only there, and nobody else may have it.
    pub(super) was_rolled_back: bool,
    /// The phones that recorded each drive.
    recorded_on: BTreeMap<DocId, BTreeSet<usize>>,
}

/// What was taken in for a drive, in order.
#[derive(Clone, Debug, Default)]
pub(super) struct RecordedFixes {
    /// What was called saved.
    pub(super) saved: Vec<FixKey>,
    /// What was in memory only when the app was killed: it may have reached the disk.
    pub(super) perhaps: Vec<FixKey>,
    /// How many fixes that were no positions were called saved, and how many were not.
    pub(super) invalid_saved: u32,
    pub(super) invalid_perhaps: u32,
}

#[derive(Clone, Debug)]
struct LiveRecording {
    drive: DocId,
    /// When each was taken in; no key for what is no position.
    fixes: Vec<(u64, Option<FixKey>)>,
    unsaved: usize,
}

impl ReferenceModel {
    pub(super) fn commanded(&mut self, phone: usize, request: u32, command: &Command) {
        if let Command::EditDrive { drive, title: Some(title), .. } = command {
            let initial = || vec![(None, String::new())];
            self.titles.entry(*drive).or_insert_with(initial).push((Some((phone, request)), title.clone()));
        }
        self.commands.insert((phone, request), command.clone());
    }

    pub(super) fn settled(&mut self, phone: usize, request: u32, outcome: &CommandOutcome) {
        let Some(command) = self.commands.remove(&(phone, request)) else { return };
        match (outcome, command) {
            (CommandOutcome::Done { doc: Some(drive) }, Command::StartDrive { .. }) => {
                self.started.insert(*drive);
            }
            (CommandOutcome::Done { doc: Some(drive) }, Command::FinishDrive) => {
                self.finished.insert(*drive);
                if let Some(mut live) = self.finishing.remove(&(phone, *drive)) {
                    live.unsaved = 0;
                    self.keep(live);
                }
            }
            (CommandOutcome::Done { .. }, Command::DeleteDrive { drive }) => {
                self.deleted.insert(drive);
            }
            (CommandOutcome::Done { doc: Some(car) }, Command::PutCar { .. }) => {
                self.cars.insert(*car);
            }
            (CommandOutcome::Done { doc: Some(link) }, Command::RenewMeetLink { meet, .. }) => {
                self.links.insert(*link);
                self.old_links.insert(meet);
            }
            (CommandOutcome::Done { .. }, Command::EditDrive { drive, title: Some(_), .. }) => {
                if let Some(titles) = self.titles.get_mut(&drive)
                    && let Some(place) = titles.iter().position(|(by, _)| *by == Some((phone, request)))
                {
                    titles.drain(..place);
                }
            }
            (CommandOutcome::Refused { .. }, Command::EditDrive { drive, title: Some(_), .. }) => {
                if let Some(titles) = self.titles.get_mut(&drive) {
                    titles.retain(|(by, _)| *by != Some((phone, request)));
                }
            }
            _ => {}
        }
    }

    /// A replica has handled an input; `fed` is the fix, if it was one.
    pub(super) fn handled(
        &mut self,
        phone: usize,
        now_ms: u64,
        before: Option<&RecordingView>,
        fed: Option<&Fix>,
        after: Option<&RecordingView>,
    ) {
        if let (Some(before), Some(fed)) = (before, fed)
            && before.state == RecordingState::Active
        {
            self.recorded_on.entry(before.drive).or_default().insert(phone);
            let live = self.live.entry(phone).or_insert_with(|| LiveRecording::of(before.drive));
            live.fixes.push((now_ms, fed.quantised().ok().as_ref().map(key)));
        }
        match (self.live.get_mut(&phone), after) {
            (Some(live), Some(after)) if live.drive == after.drive => live.unsaved = after.unsaved as usize,
            (Some(_), _) => {
                let live = self.live.remove(&phone).expect("it was there a moment ago");
                if let Some(earlier) = self.finishing.insert((phone, live.drive), live) {
                    self.keep(earlier);
                }
            }
            (None, _) => {}
        }
    }

    /// An app was killed. Complains if anything is lost that it heard before this moment.
    pub(super) fn killed(&mut self, phone: usize, since_ms: u64, is_healthy: bool) -> Option<String> {
        self.commands.retain(|(of, _), _| *of != phone);
        let finishing: Vec<LiveRecording> =
            self.finishing.extract_if(.., |(of, _), _| *of == phone).map(|(_, live)| live).collect();
        finishing.into_iter().for_each(|live| self.keep(live));
        let live = self.live.remove(&phone)?;
        let unsaved = &live.fixes[live.fixes.len().saturating_sub(live.unsaved)..];
        let is_late = unsaved.iter().any(|(at_ms, _)| *at_ms < since_ms);
        let complaint = (is_late && is_healthy)
            .then(|| format!("at most the last second is lost: phone {phone}, {} fixes", unsaved.len()));
        self.keep(live);
        complaint
    }

    pub(super) fn acknowledged(&mut self, relay: usize, hashes: &[ChangeHash]) {
        self.acknowledged.extend(hashes.iter().map(|hash| (relay, *hash)));
    }

    /// The relay went back to a backup: what it acknowledged since then, the phones still have.
    pub(super) fn restored(&mut self, relay: usize, disk: &RelayDisk) {
        self.may_differ = true;
        self.acknowledged.retain(|(of, hash)| *of != relay || disk.has(hash));
        if self.was_rolled_back {
            // What a phone had lost, the relay alone may have had.
            for phone in self.recorded_on.values().flatten().copied().collect::<BTreeSet<_>>() {
                self.forget_fixes(phone);
            }
            self.forget_documents();
        }
    }

    /// A phone's storage is not what it was. What was only there, and is not safe elsewhere, nobody has promised.
    pub(super) fn rolled_back(&mut self, phone: usize, is_safe: bool) {
        (self.has_copies, self.was_rolled_back) = (true, true);
        if !is_safe {
            self.forget_fixes(phone);
            self.forget_documents();
        }
    }

    /// Nobody has promised what a phone recorded.
    fn forget_fixes(&mut self, phone: usize) {
        for (drive, taken) in &mut self.drives {
            if self.recorded_on.get(drive).is_some_and(|phones| phones.contains(&phone)) {
                taken.perhaps.append(&mut taken.saved);
                taken.invalid_perhaps += std::mem::take(&mut taken.invalid_saved);
            }
        }
    }

    /// Nobody has promised what was made or said.
    fn forget_documents(&mut self) {
        let of_drives = [&mut self.started, &mut self.finished, &mut self.deleted, &mut self.cars];
        for promised in of_drives.into_iter().chain([&mut self.links, &mut self.old_links]) {
            promised.clear();
        }
        self.titles.clear();
    }

    /// How many phones recorded a drive.
    pub(super) fn recorders(&self, drive: &DocId) -> usize {
        self.recorded_on.get(drive).map_or(0, BTreeSet::len)
    }

    /// A phone pushes a change. Complains if its number names another one already.
    pub(super) fn pushed(&mut self, account: AccountId, doc: DocId, change: &ScannedChange) -> Option<String> {
        self.owners.insert(doc, account);
        let number = (doc, change.actor.as_bytes().to_vec(), change.seq);
        let before = self.numbers.insert(number, change.hash);
        before.is_some_and(|hash| hash != change.hash).then(|| format!("a number names one change: document {doc}"))
    }

    fn keep(&mut self, live: LiveRecording) {
        let taken = self.drives.entry(live.drive).or_default();
        let (saved, unsaved) = live.fixes.split_at(live.fixes.len().saturating_sub(live.unsaved));
        let invalid = |fixes: &[(u64, Option<FixKey>)]| fixes.iter().filter(|(_, key)| key.is_none()).count() as u32;
        taken.saved.extend(saved.iter().filter_map(|(_, key)| *key));
        taken.perhaps.extend(unsaved.iter().filter_map(|(_, key)| *key));
        taken.invalid_saved += invalid(saved);
        taken.invalid_perhaps += invalid(unsaved);
    }

    /// The run is over: what is still open counts as it stands.
    pub(super) fn close(&mut self) {
        let lives =
            std::mem::take(&mut self.finishing).into_values().chain(std::mem::take(&mut self.live).into_values());
        for live in lives.collect::<Vec<_>>() {
            self.keep(live);
        }
    }
}

impl LiveRecording {
    fn of(drive: DocId) -> LiveRecording {
        LiveRecording { drive, fixes: Vec::new(), unsaved: 0 }
    }
}

/// The key of a quantised fix.
pub(super) fn key(fix: &Fix) -> FixKey {
    ((fix.lat_deg * 1e6).round() as i64, (fix.lon_deg * 1e6).round() as i64)
}
