//! Computes the relay's database after a power cut, from the writes and syncs of the real relay.
//!
//! The relay runs under strace, which records every write and sync of its files and every message to its clients. From
//! that the disk is rebuilt as it may be after a cut at any moment: synced writes are there; of other writes, each
//! sector is there or not, at random. Names of files are assumed to be durable at once.

mod trace;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use sqlx::{Connection, SqliteConnection};
use tourismo_core::id::ChangeHash;

pub use self::trace::{DataPart, Trace, TraceEvent, under_strace};
use crate::daemon::{Daemon, check};
use crate::sim::SimRng;

/// The unit that a disk writes as a whole or not at all.
const SECTOR_BYTES: usize = 512;

/// The fate of writes that were not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsynced {
    /// None of them is there.
    Dropped,
    /// Each is there, is not there, or is there in part.
    Torn,
    /// All of them are there.
    Kept,
}

/// Kills a relay that runs under strace, and waits until everything is recorded.
///
/// # Errors
/// If it was dead already, or the record cannot be read.
pub async fn kill_traced(relay: Daemon, notes: &Path) -> anyhow::Result<()> {
    let relay_id = relay.pid().to_string();
    relay.kill().await?;
    let is_last =
        |line: &str| line.split_once(' ').is_some_and(|(id, what)| id == relay_id && what.contains("+++ killed"));
    while !std::fs::read_to_string(notes)?.lines().rev().any(is_last) {
        tokio::task::yield_now().await;
    }
    Ok(())
}

/// The result of looking at a disk after a cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The number of changes that were acknowledged before the cut.
    pub acknowledged: usize,
    /// The number of missing ones.
    pub lost: usize,
}

/// A database before the trace began, and the events since.
#[derive(Debug)]
pub struct Disk<'t> {
    base: &'t [u8],
    trace: &'t Trace,
}

impl<'t> Disk<'t> {
    /// Returns the disk of a relay that was started on a database file with these bytes and without a write-ahead log.
    pub fn new(base: &'t [u8], trace: &'t Trace) -> Disk<'t> {
        Disk { base, trace }
    }

    /// Cuts the power before an event, runs the real binary's check of the rest, and looks up every change whose
    /// acknowledgement was sent.
    ///
    /// # Errors
    /// If the rest is damaged.
    pub async fn cut(
        &self,
        before: usize,
        unsynced: Unsynced,
        chance: &mut SimRng,
        pushed: &BTreeSet<ChangeHash>,
    ) -> anyhow::Result<Found> {
        let folder = tempfile::tempdir()?;
        let data = folder.path().join("relay.sqlite");
        for part in [DataPart::Database, DataPart::Log] {
            let bytes = self.content(part, before, unsynced, chance);
            if part == DataPart::Database || !bytes.is_empty() {
                std::fs::write(part.path(&data), bytes)?;
            }
        }
        check(data.as_path())?;
        let stored = names(&data).await?;
        let acknowledged = self.trace.acknowledged(before, pushed);
        Ok(Found { acknowledged: acknowledged.len(), lost: acknowledged.difference(&stored).count() })
    }

    fn content(&self, part: DataPart, before: usize, unsynced: Unsynced, chance: &mut SimRng) -> Vec<u8> {
        let mut bytes = if part == DataPart::Database { self.base.to_vec() } else { Vec::new() };
        let events = &self.trace.events()[..before];
        let synced = events.iter().filter_map(|event| match event {
            TraceEvent::Synced { part: of, covers, .. } if *of == part => Some(*covers),
            TraceEvent::Synced { .. }
            | TraceEvent::Write { .. }
            | TraceEvent::Truncate { .. }
            | TraceEvent::Sent(_) => None,
        });
        let covered = synced.max().unwrap_or(0);
        for (at, event) in events.iter().enumerate() {
            let fate = if at < covered { Unsynced::Kept } else { unsynced };
            match event {
                TraceEvent::Write { part: of, offset, bytes: written } if *of == part => {
                    write(&mut bytes, *offset, written, fate, chance);
                }
                TraceEvent::Truncate { part: of, length } if *of == part => {
                    if fate == Unsynced::Kept || (fate == Unsynced::Torn && chance.one_in(2)) {
                        bytes.resize(*length, 0);
                    }
                }
                TraceEvent::Write { .. }
                | TraceEvent::Truncate { .. }
                | TraceEvent::Synced { .. }
                | TraceEvent::Sent(_) => {}
            }
        }
        bytes
    }
}

fn write(file: &mut Vec<u8>, offset: usize, written: &[u8], fate: Unsynced, chance: &mut SimRng) {
    let is_there: &dyn Fn(&mut SimRng) -> bool = match fate {
        Unsynced::Dropped => return,
        Unsynced::Kept => &|_| true,
        Unsynced::Torn => match chance.between(0, 3) {
            0 => return,
            1 => &|_| true,
            _ => &|chance| chance.one_in(2),
        },
    };
    let mut from = 0;
    while from < written.len() {
        // Up to the end of the sector, at any position of the write.
        let to = (from + SECTOR_BYTES - (offset + from) % SECTOR_BYTES).min(written.len());
        if is_there(chance) {
            file.resize(file.len().max(offset + to), 0);
            file[offset + from..offset + to].copy_from_slice(&written[from..to]);
        }
        from = to;
    }
}

/// Returns the hashes of all changes in a database.
async fn names(data: &Path) -> anyhow::Result<BTreeSet<ChangeHash>> {
    let mut database = SqliteConnection::connect(&format!("sqlite://{}", data.display())).await?;
    let names: Vec<Vec<u8>> = sqlx::query_scalar("SELECT hash FROM change").fetch_all(&mut database).await?;
    database.close().await?;
    names
        .into_iter()
        .map(|name| Ok(ChangeHash(name.try_into().map_err(|_| anyhow::anyhow!("a hash has 32 bytes"))?)))
        .collect()
}

impl DataPart {
    /// Returns the path of this part of a database.
    pub fn path(self, data: &Path) -> PathBuf {
        match self {
            DataPart::Database => data.to_owned(),
            DataPart::Log => data.with_extension("sqlite-wal"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace() -> Trace {
        let write = |offset, byte: u8| TraceEvent::Write { part: DataPart::Log, offset, bytes: vec![byte; 1_024] };
        let synced = |covers| TraceEvent::Synced { part: DataPart::Log, covers, wrote: true };
        Trace::of(vec![write(0, 1), synced(1), write(1_024, 2), synced(1), write(2_048, 3)])
    }

    fn left(before: usize, unsynced: Unsynced) -> Vec<u8> {
        let trace = trace();
        let disk = Disk::new(&[], &trace);
        disk.content(DataPart::Log, before, unsynced, &mut SimRng::new(1))
    }

    #[test]
    fn what_a_sync_covered_is_there_and_what_came_after_it_is_not() {
        for (before, bytes) in [(0, 0), (1, 0), (2, 1_024), (3, 1_024), (5, 1_024)] {
            assert_eq!(left(before, Unsynced::Dropped), vec![1; bytes], "before event {before}");
        }
        assert_eq!(left(5, Unsynced::Kept).len(), 3_072);
    }

    #[test]
    fn a_torn_write_is_there_sector_by_sector() {
        let trace = trace();
        let disk = Disk::new(&[], &trace);
        let mut seen = BTreeSet::new();
        for seed in 0..100 {
            let left = disk.content(DataPart::Log, 3, Unsynced::Torn, &mut SimRng::new(seed));
            let whole = [[1; 512], [1; 512], [2; 512], [2; 512]].concat();
            assert_eq!(left[..1_024], whole[..1_024]);
            let sectors = left[1_024..].chunks(512).map(|sector| sector.iter().all(|byte| *byte == 2));
            seen.insert(sectors.collect::<Vec<_>>());
        }
        let all = [vec![], vec![true], vec![false, true], vec![true, true]];
        assert_eq!(seen, BTreeSet::from(all));
    }
}
