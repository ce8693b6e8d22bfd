//! Checks that tracks hold each accepted fix once, and that published copies hold no more than allowed.

use std::collections::BTreeMap;

use automerge::Automerge;
use tourismo_core::docs::drive::DriveFields;
use tourismo_core::docs::{self, Visibility, automerge_doc};
use tourismo_core::fix::Fix;
use tourismo_core::geodesy::{Position, distance_m};
use tourismo_core::id::{AccountId, DocId};
use tourismo_core::privacy;
use tourismo_core::privacy::places::{ALWAYS_HIDDEN_M, Place, SAME_PLACE_M};
use tourismo_core::privacy::stops::stops;
use tourismo_core::recorder::Recorder;
use tourismo_core::track::Stretch;
use tourismo_core::track::block::decode_all;
use tourismo_core::track::parts::merged;
use tourismo_core::wire::DocKind;

use crate::sim::reference_model::{FixKey, RecordedFixes, key};
use crate::sim::{InjectedBug, Network};

impl Network {
    /// Every fix reported as saved must be in its track exactly once, and nothing else.
    pub(super) fn check_tracks(&self, account: AccountId) -> Result<(), String> {
        let loaded = self.loaded(account)?;
        let settings = loaded.values().filter(|(kind, _)| *kind == DocKind::Settings);
        let places: Vec<Place> = settings.flat_map(|(_, doc)| docs::settings::places(doc)).collect();
        for (id, (kind, doc)) in &loaded {
            if *kind != DocKind::Drive {
                continue;
            }
            let drive = docs::drive::read(doc);
            let Some(track) = drive.track.and_then(|track| loaded.get(&track)) else {
                // A phone that was put back may have a track that only another relay has, and a removed device a track that it
                // could not push any more.
                if self.reference.was_rolled_back || !self.reference.unpromised.is_empty() {
                    continue;
                }
                return Err(format!("a drive has its track: {id}"));
            };
            for blocks in docs::track::sessions(&track.1) {
                let decoded = decode_all(blocks.iter().map(Vec::as_slice));
                if !decoded.failures.is_empty() {
                    return Err(format!("every block can be read: drive {id}, {:?}", decoded.failures));
                }
            }
            let stretches = docs::track::stretches(&track.1);
            self.check_fixes(id, &stretches).map_err(|broken| format!("{broken} (drive {id})"))?;
            // Statistics of deleted drives are not counted again, nor those of drives with a lost part, such as the part that a
            // removed device could not push any more.
            let may_be_partial = (self.reference.was_rolled_back && self.reference.may_differ)
                || self.reference.is_recorded_without_promise(id);
            if let Some(stats) = drive.stats.filter(|_| !drive.deleted && !may_be_partial) {
                let again = Recorder::resume(drive.started_at, &stretches).stats();
                if again != stats {
                    return Err(format!("figures come out the same from the track: {id}: {stats:?} are {again:?}"));
                }
            }
            if let Some(copy) = drive.published {
                let Some(copy) = loaded.get(&copy) else {
                    // A phone that was put back has lost the copy that waited for the relay to have its drive, and a removed device
                    // could not push it any more.
                    if self.reference.was_rolled_back || !self.reference.unpromised.is_empty() {
                        continue;
                    }
                    return Err(format!("a published copy is on the relay: {copy}"));
                };
                let shown = self.published_blocks(&copy.1, &track.1);
                // Another device may have continued the drive after it was published.
                let is_of_one = !self.reference.has_copies && self.reference.recorders(id) < 2;
                // What a phone that was put back has lost of a track may be missing to make a withdrawn copy again.
                let may_be_withdrawn = self.reference.was_rolled_back || self.reference.may_differ;
                if may_be_withdrawn && !docs::published::is_current(&copy.1) {
                    continue;
                }
                let private = merged(&stretches);
                check_published(&copy.1, shown.clone(), &private, &drive, &places, is_of_one)?;
                let stops = if is_of_one { stops(&private) } else { Vec::new() };
                check_zones(&copy.1, &shown, &stops, &places)?;
            }
        }
        let is_copy = |id: &DocId| {
            loaded.values().any(|(kind, doc)| *kind == DocKind::Drive && docs::drive::read(doc).published == Some(*id))
        };
        let is_withdrawn =
            |doc: &Automerge| docs::published::read(doc).is_some_and(|fields| fields.visibility == Visibility::Private);
        let stray =
            loaded.iter().find(|(id, (kind, doc))| *kind == DocKind::Published && !is_copy(id) && !is_withdrawn(doc));
        if let Some((id, _)) = stray {
            return Err(format!("a published copy that no drive names is withdrawn: {id}"));
        }
        let is_ours = |id: &DocId| self.reference.owners.get(id) == Some(&account);
        let is_missing =
            |(id, taken): &(&DocId, &RecordedFixes)| !taken.saved.is_empty() && is_ours(id) && !loaded.contains_key(id);
        let missing = self.reference.drives.iter().find(is_missing);
        missing.map_or(Ok(()), |(id, _)| Err(format!("a drive with saved fixes is there: {id}")))
    }

    fn check_fixes(&self, drive: &DocId, stretches: &[Stretch]) -> Result<(), String> {
        let Some(taken) = self.reference.drives.get(drive) else {
            return match stretches.iter().find_map(|stretch| stretch.fixes.first()) {
                Some(fix) => Err(format!("a track holds only what was measured: {fix:?}")),
                None => Ok(()),
            };
        };
        let mut found: BTreeMap<FixKey, u32> = BTreeMap::new();
        let refused = stretches.iter().flat_map(|stretch| stretch.refused.iter().map(|refused| &refused.fix));
        for fix in stretches.iter().flat_map(|stretch| &stretch.fixes).chain(refused) {
            *found.entry(key(fix)).or_default() += 1;
        }
        let count = |keys: &[FixKey]| {
            let mut counts: BTreeMap<FixKey, u32> = BTreeMap::new();
            keys.iter().for_each(|key| *counts.entry(*key).or_default() += 1);
            counts
        };
        let (saved, perhaps) = (count(&taken.saved), count(&taken.perhaps));
        for (key, times) in &saved {
            if found.get(key).copied().unwrap_or(0) < *times {
                return Err(format!("a fix that was called saved is in the track: {key:?}, {times} times"));
            }
        }
        for (key, times) in &found {
            let fed = saved.get(key).copied().unwrap_or(0) + perhaps.get(key).copied().unwrap_or(0);
            if fed == 0 || (*times > fed && !self.reference.has_copies) {
                return Err(format!("a fix is in the track once: {key:?}, {times} times of {fed}"));
            }
        }
        let invalid: u32 = stretches.iter().map(|stretch| stretch.invalid_count).sum();
        let most = taken.invalid_saved + taken.invalid_perhaps;
        if invalid < taken.invalid_saved || (invalid > most && !self.reference.has_copies) {
            return Err(format!("what is no position is counted once: {invalid}, {} saved", taken.invalid_saved));
        }
        Ok(())
    }

    /// Returns the blocks that others see of a track.
    fn published_blocks(&self, copy: &Automerge, private: &Automerge) -> Vec<Vec<u8>> {
        match self.bug {
            InjectedBug::ShowsOriginals => docs::track::sessions(private).concat(),
            InjectedBug::ShowsFirstCopies => {
                let first = automerge_doc::chunks(copy).next().map(|(_, chunk)| chunk);
                let first = automerge_doc::load(&[0; 16], first).expect("it builds on nothing");
                docs::published::read(&first).map(|fields| fields.blocks).unwrap_or_default()
            }
            _ => docs::published::read(copy).map(|fields| fields.blocks).unwrap_or_default(),
        }
    }
}

/// Checks that nothing published is near the ends of a drive.
fn check_published(
    copy: &Automerge,
    blocks: Vec<Vec<u8>>,
    private: &[Fix],
    drive: &DriveFields,
    places: &[Place],
    is_of_one: bool,
) -> Result<(), String> {
    let fields = docs::published::read(copy).ok_or("a published copy can be read")?;
    let visibility = if drive.deleted { Visibility::Private } else { drive.visibility };
    if fields.visibility != visibility || fields.title != drive.title {
        return Err(format!("a copy says what its drive says: {:?}, {:?}: {drive:?}", fields.visibility, fields.title));
    }
    // A copy of earlier rules that is private is withdrawn: nobody reads it before it is made again.
    if fields.visibility == Visibility::Private && !docs::published::is_current(copy) {
        return Ok(());
    }
    let (Some(first), Some(last), true) = (private.first(), private.last(), is_of_one) else { return Ok(()) };
    for fix in decode_all(blocks.iter().map(Vec::as_slice)).stretches.iter().flat_map(|stretch| &stretch.fixes) {
        let place = Position::from(fix);
        // Unless its owner calls an end open, it is at a place, around which everything is hidden.
        let is_open = |end: &Fix| {
            places.iter().any(|place| place.zone().is_none() && distance_m(place.position, end.into()) <= SAME_PLACE_M)
        };
        let near_m = ALWAYS_HIDDEN_M - SAME_PLACE_M;
        if [first, last].iter().any(|end| !is_open(end) && distance_m(Position::from(*end), place) < near_m) {
            return Err(format!("nothing published is near an end of its drive: {}", fields.title));
        }
    }
    Ok(())
}

/// Nothing that others see was made by other rules, and nothing of it is inside a zone.
fn check_zones(copy: &Automerge, blocks: &[Vec<u8>], stops: &[Position], places: &[Place]) -> Result<(), String> {
    let fields = docs::published::read(copy).ok_or("a published copy can be read")?;
    if fields.visibility == Visibility::Private {
        return Ok(());
    }
    let stretches = decode_all(blocks.iter().map(Vec::as_slice)).stretches;
    let is_inside = privacy::shows_a_place(stretches.iter().flat_map(|stretch| &stretch.fixes), stops, places);
    if is_inside || !docs::published::is_current(copy) {
        return Err(format!("nothing published is inside a zone of a place: {}", fields.title));
    }
    Ok(())
}
