//! What must be true in the end, whatever happened: everybody agrees, and nothing that was promised is missing.

use std::collections::BTreeMap;

use automerge::Automerge;
use tourismo_core::docs::drive::DriveFields;
use tourismo_core::docs::{self, Visibility, open};
use tourismo_core::fix::Fix;
use tourismo_core::geodesy::{Position, distance_m};
use tourismo_core::id::DocId;
use tourismo_core::privacy::HIDDEN_M;
use tourismo_core::projection::{self, Row};
use tourismo_core::recorder::Recorder;
use tourismo_core::replica::view::{DriveSync, DriveView, LinkStatus, StorageStatus};
use tourismo_core::track::Stretch;
use tourismo_core::track::block::decode_all;
use tourismo_core::track::parts::merged;
use tourismo_core::wire::DocKind;

use crate::sim::World;
use crate::sim::ledger::{Key, key};
use crate::sim::world::HOME;

impl World {
    /// Whether a phone has nothing left to store, send or get, and why not.
    pub fn is_settled(&self, phone: usize) -> Result<(), String> {
        let Some(replica) = &self.phones[phone].replica else { return Err("the app does not run".to_owned()) };
        let status = replica.status();
        if status.storage != StorageStatus::Saved || status.link != LinkStatus::UpToDate || status.unsent_changes > 0 {
            return Err(format!("{status:?}"));
        }
        if !self.phones[phone].conn.and_then(|conn| self.net.get(conn)).is_some_and(|conn| conn.is_whole()) {
            return Err("its connection is dead, and it does not know".to_owned());
        }
        match replica.drives().into_iter().find(|drive| !matches!(drive.sync, DriveSync::OnRelay { .. })) {
            Some(drive) => Err(format!("drive {}: {:?}", drive.id, drive.sync)),
            None => Ok(()),
        }
    }

    /// What was acknowledged must be in the relay's log, also after a crash.
    pub(super) fn check_acknowledged(&mut self) {
        let lost = self.ledger.acknowledged.iter().find(|(relay, hash)| !self.relays[*relay].books.has(hash)).copied();
        if let Some((_, hash)) = lost {
            self.breaks(format!("what was acknowledged is on the relay's disk: {hash}"));
        }
    }

    /// Checks everything that must be true once all phones are settled.
    pub(super) fn check_end(&mut self) {
        self.ledger.close();
        self.check_acknowledged();
        for found in [self.check_views(), self.check_promises(), self.check_tracks()] {
            if let Err(broken) = found {
                self.breaks(broken);
            }
        }
    }

    /// The documents that the relay has, loaded.
    fn loaded(&self) -> Result<BTreeMap<DocId, (DocKind, Automerge)>, String> {
        let load = |(id, (kind, chunks)): (DocId, (DocKind, Vec<&[u8]>))| {
            let doc = open::load(&[0; 16], chunks).map_err(|_| format!("what the relay has can be read: {id}"))?;
            Ok((id, (kind, doc)))
        };
        self.relays[HOME].documents(&self.account(0)).into_iter().map(load).collect()
    }

    /// Every phone shows what the relay's rows say.
    fn check_views(&self) -> Result<(), String> {
        let loaded = self.loaded()?;
        let rows = loaded.iter().filter_map(|(id, (kind, doc))| Some((*id, projection::fold(*kind, doc)?)));
        let rows: BTreeMap<DocId, Row> = rows.collect();
        for (phone, state) in self.phones.iter().enumerate() {
            let Some(replica) = &state.replica else { continue };
            let shown: BTreeMap<DocId, DriveView> = replica.drives().into_iter().map(|view| (view.id, view)).collect();
            let listed = rows.iter().filter_map(|(id, row)| match row {
                Row::Drive(fields) if !fields.deleted => Some((id, fields)),
                _ => None,
            });
            let mut count = 0;
            for (id, fields) in listed {
                count += 1;
                let view = shown.get(id).ok_or_else(|| format!("phone {phone} shows drive {id}"))?;
                let same = view.title == fields.title
                    && view.notes == fields.notes
                    && view.car == fields.car
                    && view.started_at == fields.started_at
                    && view.ended_at == fields.ended_at
                    && view.stats == fields.stats
                    && view.visibility == fields.visibility
                    && view.published == fields.published;
                if !same {
                    return Err(format!("phone {phone} shows what the relay has: {view:?} is {fields:?}"));
                }
            }
            if shown.len() != count {
                return Err(format!("phone {phone} shows {} drives, the relay has {count}", shown.len()));
            }
            let cars: BTreeMap<_, _> = replica.cars().into_iter().map(|car| (car.id, car.fields)).collect();
            let relay_cars: BTreeMap<_, _> = rows
                .iter()
                .filter_map(|(id, row)| match row {
                    Row::Car(fields) => Some((*id, fields.clone())),
                    _ => None,
                })
                .collect();
            if cars != relay_cars {
                return Err(format!("phone {phone} has the relay's cars: {cars:?} are {relay_cars:?}"));
            }
            let account = replica.account();
            for row in rows.values() {
                match row {
                    Row::Profile(fields) if *fields != account.profile => {
                        return Err(format!("phone {phone} has the relay's profile: {account:?}"));
                    }
                    Row::Settings(fields) if *fields != account.settings => {
                        return Err(format!("phone {phone} has the relay's settings: {account:?}"));
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// What was called done is done.
    fn check_promises(&self) -> Result<(), String> {
        let Some(replica) = self.phones.iter().find_map(|phone| phone.replica.as_ref()) else { return Ok(()) };
        let drives: BTreeMap<DocId, DriveView> = replica.drives().into_iter().map(|view| (view.id, view)).collect();
        let is_gone = |id: &&DocId| !drives.contains_key(id) && !self.ledger.deleted.contains(id);
        // A deletion that was not settled may have happened all the same.
        let is_deleted = |id: &DocId| self.relay_row(id).is_some_and(|row| matches!(row, Row::Drive(f) if f.deleted));
        if let Some(id) = self.ledger.started.iter().filter(is_gone).find(|id| !is_deleted(id)) {
            return Err(format!("a drive that was started is there: {id}"));
        }
        if let Some(id) = self.ledger.deleted.iter().find(|id| drives.contains_key(id)) {
            return Err(format!("a drive that was deleted is gone: {id}"));
        }
        if let Some(id) =
            self.ledger.finished.iter().find(|id| drives.get(id).is_some_and(|drive| drive.ended_at.is_none()))
        {
            return Err(format!("a drive that was finished has an end: {id}"));
        }
        let cars: Vec<DocId> = replica.cars().into_iter().map(|car| car.id).collect();
        if let Some(id) = self.ledger.cars.iter().find(|id| !cars.contains(id)) {
            return Err(format!("a car that was put is there: {id}"));
        }
        if self.phones.len() == 1 {
            for (id, titles) in &self.ledger.titles {
                if let Some(drive) = drives.get(id)
                    && !titles.iter().any(|(_, title)| *title == drive.title)
                {
                    return Err(format!(
                        "a title that was saved stays: drive {id} has {:?} of {titles:?}",
                        drive.title
                    ));
                }
            }
        }
        Ok(())
    }

    fn relay_row(&self, id: &DocId) -> Option<Row> {
        let documents = self.relays[HOME].documents(&self.account(0));
        let (kind, chunks) = documents.get(id)?;
        projection::fold(*kind, &open::load(&[0; 16], chunks.iter().copied()).ok()?)
    }

    /// Every fix that was called saved is in its track exactly once, and nothing else is.
    fn check_tracks(&self) -> Result<(), String> {
        let loaded = self.loaded()?;
        for (id, (kind, doc)) in &loaded {
            if *kind != DocKind::Drive {
                continue;
            }
            let drive = docs::drive::read(doc);
            let Some(track) = drive.track.and_then(|track| loaded.get(&track)) else {
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
            if let Some(stats) = drive.stats {
                let again = Recorder::resume(drive.started_at, &stretches).stats();
                if again != stats {
                    return Err(format!("figures come out the same from the track: {id}: {stats:?} are {again:?}"));
                }
            }
            if let Some(copy) = drive.published {
                let copy = loaded.get(&copy).ok_or_else(|| format!("a published copy is on the relay: {copy}"))?;
                check_published(&copy.1, &merged(&stretches), &drive)?;
            }
        }
        let is_copy = |id: &DocId| {
            loaded.values().any(|(kind, doc)| *kind == DocKind::Drive && docs::drive::read(doc).published == Some(*id))
        };
        let stray = loaded.iter().find(|(id, (kind, _))| *kind == DocKind::Published && !is_copy(id));
        if let Some((id, _)) = stray {
            return Err(format!("a published copy belongs to a drive: {id}"));
        }
        let missing = self.ledger.drives.iter().find(|(id, taken)| !taken.saved.is_empty() && !loaded.contains_key(id));
        missing.map_or(Ok(()), |(id, _)| Err(format!("a drive with saved fixes is there: {id}")))
    }

    fn check_fixes(&self, drive: &DocId, stretches: &[Stretch]) -> Result<(), String> {
        let Some(taken) = self.ledger.drives.get(drive) else {
            return match stretches.iter().find_map(|stretch| stretch.fixes.first()) {
                Some(fix) => Err(format!("a track holds only what was measured: {fix:?}")),
                None => Ok(()),
            };
        };
        let mut found: BTreeMap<Key, u32> = BTreeMap::new();
        let refused = stretches.iter().flat_map(|stretch| stretch.refused.iter().map(|refused| &refused.fix));
        for fix in stretches.iter().flat_map(|stretch| &stretch.fixes).chain(refused) {
            *found.entry(key(fix)).or_default() += 1;
        }
        let count = |keys: &[Key]| {
            let mut counts: BTreeMap<Key, u32> = BTreeMap::new();
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
            if fed == 0 || (*times > fed && !self.ledger.has_copies) {
                return Err(format!("a fix is in the track once: {key:?}, {times} times of {fed}"));
            }
        }
        let invalid: u32 = stretches.iter().map(|stretch| stretch.invalid_count).sum();
        let most = taken.invalid_saved + taken.invalid_perhaps;
        if invalid < taken.invalid_saved || (invalid > most && !self.ledger.has_copies) {
            return Err(format!("what is no position is counted once: {invalid}, {} saved", taken.invalid_saved));
        }
        Ok(())
    }
}

/// Nothing published lies near the ends of a drive.
fn check_published(copy: &Automerge, private: &[Fix], drive: &DriveFields) -> Result<(), String> {
    let fields = docs::published::read(copy).ok_or("a published copy can be read")?;
    let visibility = if drive.deleted { Visibility::Private } else { drive.visibility };
    if fields.visibility != visibility || fields.title != drive.title {
        return Err(format!("a copy says what its drive says: {:?}, {:?}: {drive:?}", fields.visibility, fields.title));
    }
    let (Some(first), Some(last)) = (private.first(), private.last()) else { return Ok(()) };
    for fix in decode_all(fields.blocks.iter().map(Vec::as_slice)).stretches.iter().flat_map(|stretch| &stretch.fixes) {
        let place = Position::from(fix);
        if [first, last].iter().any(|end| distance_m(Position::from(*end), place) < HIDDEN_M) {
            return Err(format!("nothing published is near an end of its drive: {}", fields.title));
        }
    }
    Ok(())
}
