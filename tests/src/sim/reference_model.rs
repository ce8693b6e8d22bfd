//! The promises: a small model beside the system of what phones reported as saved and what the relay acknowledged.

use std::collections::{BTreeMap, BTreeSet};

use tourismo_core::change::ScannedChange;
use tourismo_core::fix::Fix;
use tourismo_core::id::{AccountId, ChangeHash, DeviceKey, DocId};
use tourismo_core::replica::io::{Command, CommandOutcome};
use tourismo_core::replica::views::{RecordingState, RecordingView};
use tourismo_core::time::Timestamp;

use crate::sim::relay::RelayDisk;

/// The position of a fix, by which it is found in a track: latitude and longitude in micro-degrees. The recorder
/// decides its time.
pub(super) type FixKey = (i64, i64);

/// A title, with the phone and the request that set it; none for the first.
pub(super) type Title = (Option<(usize, u32)>, String);

/// All promises.
#[derive(Clone, Debug, Default)]
pub(super) struct ReferenceModel {
    /// The accepted fixes of each drive.
    pub(super) drives: BTreeMap<DocId, RecordedFixes>,
    /// The present recording of each phone since its app started.
    live: BTreeMap<usize, LiveRecording>,
    /// The recordings that were finished in memory and are not settled yet, by phone and drive.
    finishing: BTreeMap<(usize, DocId), LiveRecording>,
    /// Commands that are not settled yet.
    commands: BTreeMap<(usize, u32), Command>,
    /// The changes that each relay has acknowledged.
    pub(super) acknowledged: BTreeSet<(usize, ChangeHash)>,
    /// Drives and cars that were reported as made, finished, deleted.
    pub(super) started: BTreeSet<DocId>,
    pub(super) finished: BTreeSet<DocId>,
    pub(super) deleted: BTreeSet<DocId>,
    pub(super) cars: BTreeSet<DocId>,
    /// The present links to meets, and the replaced ones.
    pub(super) links: BTreeSet<DocId>,
    pub(super) old_links: BTreeSet<DocId>,
    /// The possible titles of each drive, oldest first.
    pub(super) titles: BTreeMap<DocId, Vec<Title>>,
    /// Whether the relay was restored or replaced, or a link misdelivered, so that the relay's state may differ from a
    /// phone's knowledge.
    pub(super) may_differ: bool,
    /// Whether a relay's disk was full, so that it refused dependencies of other changes.
    pub(super) was_full: bool,
    /// Whether a phone's storage was copied or put back, so that fixes of one phone may be in a track twice.
    pub(super) has_copies: bool,
    /// The owner of each document that was ever pushed.
    pub(super) owners: BTreeMap<DocId, AccountId>,
    /// The change of each sequence number of an actor.
    numbers: BTreeMap<(DocId, Vec<u8>, u64), ChangeHash>,
    /// Whether a phone lost data that no other device may have.
    pub(super) was_rolled_back: bool,
    /// The stolen phone and those that it let in.
    pub(super) thieves: BTreeSet<usize>,
    /// The phones whose data is not promised: the thieves, and the phones that a thief removed.
    pub(super) unpromised: BTreeSet<usize>,
    /// The time at which a relay first got a recovery key of thieves, by the relay, the key and the thief's device.
    pub(super) enrolled: BTreeMap<(usize, DeviceKey, DeviceKey), Timestamp>,
    /// The secret of the owner's recovery words, in a scenario with a theft.
    pub(super) words: Option<[u8; 16]>,
    /// The phones that recorded each drive.
    recorded_on: BTreeMap<DocId, BTreeSet<usize>>,
}

/// The accepted fixes of a drive, in order.
#[derive(Clone, Debug, Default)]
pub(super) struct RecordedFixes {
    /// The fixes reported as saved.
    pub(super) saved: Vec<FixKey>,
    /// The fixes that were in memory only when the app was killed: they may be on disk.
    pub(super) perhaps: Vec<FixKey>,
    /// The numbers of invalid fixes reported as saved, and not.
    pub(super) invalid_saved: u32,
    pub(super) invalid_perhaps: u32,
}

#[derive(Clone, Debug)]
struct LiveRecording {
    drive: DocId,
    /// The arrival of each fix; without a key for invalid ones.
    fixes: Vec<(u64, Option<FixKey>)>,
    unsaved: usize,
    is_promised: bool,
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
        if self.unpromised.contains(&phone) {
            if let Command::RenewMeetLink { meet, .. } = command {
                self.links.remove(&meet);
            }
            return;
        }
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

    /// Notes that a replica has handled an input; `fed` is the fix, if it was one.
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
            let is_promised = !self.unpromised.contains(&phone);
            let live = self.live.entry(phone).or_insert_with(|| LiveRecording::of(before.drive, is_promised));
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

    /// Notes that an app was killed. Fails if data from before this moment is lost.
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

    /// Notes that the relay went back to a backup: the phones still have what it acknowledged since then.
    pub(super) fn restored(&mut self, relay: usize, disk: &RelayDisk) {
        self.may_differ = true;
        self.acknowledged.retain(|(of, hash)| *of != relay || disk.has(hash));
        if self.was_rolled_back {
            // The relay may have been the only one with what a phone had lost.
            for phone in self.recorded_on.values().flatten().copied().collect::<BTreeSet<_>>() {
                self.forget_fixes(phone);
            }
            self.forget_documents();
        }
    }

    /// Notes that a phone's storage changed. Data that only this phone had, and that is not safe elsewhere, is not
    /// promised.
    pub(super) fn rolled_back(&mut self, phone: usize, is_safe: bool) {
        (self.has_copies, self.was_rolled_back) = (true, true);
        if !is_safe {
            self.forget_fixes(phone);
            self.forget_documents();
        }
    }

    /// Notes that a phone is a thief's.
    pub(super) fn steal(&mut self, phone: usize) {
        self.thieves.insert(phone);
        self.unpromised.insert(phone);
    }

    /// Notes that a phone is a copy of another one.
    pub(super) fn copied(&mut self, phone: usize, of: usize) {
        for phones in [&mut self.thieves, &mut self.unpromised] {
            if phones.contains(&of) {
                phones.insert(phone);
            }
        }
    }

    /// Notes that a thief removed an honest phone: the relay takes nothing more of it.
    pub(super) fn removed(&mut self, phone: usize) {
        if self.unpromised.insert(phone) {
            self.live.values_mut().chain(self.finishing.values_mut()).for_each(|live| live.is_promised = false);
            self.rolled_back(phone, false);
        }
    }

    /// Removes the promises about a phone's recordings.
    fn forget_fixes(&mut self, phone: usize) {
        for (drive, taken) in &mut self.drives {
            if self.recorded_on.get(drive).is_some_and(|phones| phones.contains(&phone)) {
                taken.perhaps.append(&mut taken.saved);
                taken.invalid_perhaps += std::mem::take(&mut taken.invalid_saved);
            }
        }
    }

    /// Removes the promises about documents.
    fn forget_documents(&mut self) {
        let of_drives = [&mut self.started, &mut self.finished, &mut self.deleted, &mut self.cars];
        for promised in of_drives.into_iter().chain([&mut self.links, &mut self.old_links]) {
            promised.clear();
        }
        self.titles.clear();
    }

    /// Returns the number of phones that recorded a drive.
    pub(super) fn recorders(&self, drive: &DocId) -> usize {
        self.recorded_on.get(drive).map_or(0, BTreeSet::len)
    }

    /// Returns whether a phone whose data is not promised recorded a part of a drive.
    pub(super) fn is_recorded_without_promise(&self, drive: &DocId) -> bool {
        self.recorded_on.get(drive).is_some_and(|phones| !phones.is_disjoint(&self.unpromised))
    }

    /// Notes that a phone pushes a change. Fails if its sequence number is that of another change.
    pub(super) fn pushed(&mut self, account: AccountId, doc: DocId, change: &ScannedChange) -> Option<String> {
        self.owners.insert(doc, account);
        let number = (doc, change.actor.as_bytes().to_vec(), change.seq);
        let before = self.numbers.insert(number, change.hash);
        before.is_some_and(|hash| hash != change.hash).then(|| format!("a number names one change: document {doc}"))
    }

    fn keep(&mut self, live: LiveRecording) {
        let taken = self.drives.entry(live.drive).or_default();
        let saved = if live.is_promised { live.fixes.len().saturating_sub(live.unsaved) } else { 0 };
        let (saved, unsaved) = live.fixes.split_at(saved);
        let invalid = |fixes: &[(u64, Option<FixKey>)]| fixes.iter().filter(|(_, key)| key.is_none()).count() as u32;
        taken.saved.extend(saved.iter().filter_map(|(_, key)| *key));
        taken.perhaps.extend(unsaved.iter().filter_map(|(_, key)| *key));
        taken.invalid_saved += invalid(saved);
        taken.invalid_perhaps += invalid(unsaved);
    }

    /// Ends the run: open recordings count as they are.
    pub(super) fn close(&mut self) {
        let lives =
            std::mem::take(&mut self.finishing).into_values().chain(std::mem::take(&mut self.live).into_values());
        for live in lives.collect::<Vec<_>>() {
            self.keep(live);
        }
    }
}

impl LiveRecording {
    fn of(drive: DocId, is_promised: bool) -> LiveRecording {
        LiveRecording { drive, fixes: Vec::new(), unsaved: 0, is_promised }
    }
}

/// Returns the key of a quantised fix.
pub(super) fn key(fix: &Fix) -> FixKey {
    ((fix.lat_deg * 1e6).round() as i64, (fix.lon_deg * 1e6).round() as i64)
}
