//! The space that is left for writing, by kind of account: the last part of the disk is reserved for accounts that are
//! not new.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::db::{postgres, sql};

/// The minimum time between two checks of the disk.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Which writes are allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DiskSpace {
    /// All accounts.
    Everybody,
    /// Accounts that are not new.
    OlderAccounts,
    /// Only short changes that may use the reserve of an account. An SQLite file that is full refuses writes by itself.
    Reserved,
}

impl DiskSpace {
    /// Returns whether a change outside of the reserve may be written.
    pub(super) fn is_for(self, is_new_account: bool) -> bool {
        match self {
            DiskSpace::Everybody => true,
            DiskSpace::OlderAccounts => !is_new_account,
            DiskSpace::Reserved => false,
        }
    }
}

/// Checks the disk of a database file, or the size of a Postgres database.
#[derive(Debug)]
pub(crate) struct Disk {
    /// The disk of a database server is unknown.
    file: Option<PathBuf>,
    /// Maximum size of the database.
    max_database_bytes: Option<u64>,
    reserved_percent: u32,
    seen: Option<(Instant, DiskSpace)>,
}

/// The free and total space, bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FileSystemSpace {
    free: u64,
    total: u64,
}

impl Disk {
    pub(crate) fn new(file: Option<PathBuf>, max_database_bytes: Option<u64>, reserved_percent: u32) -> Disk {
        Disk { file, max_database_bytes, reserved_percent, seen: None }
    }

    /// Returns who may write, as of the last second.
    pub(crate) async fn available(&mut self, database: &mut sql::Connection) -> Result<DiskSpace, sqlx::Error> {
        if let Some((at, room)) = self.seen
            && at.elapsed() < LOOK_EVERY
        {
            return Ok(room);
        }
        let room = self.measure(database).await?;
        self.seen = Some((Instant::now(), room));
        Ok(room)
    }

    async fn measure(&self, database: &mut sql::Connection) -> Result<DiskSpace, sqlx::Error> {
        let used = match (&self.file, self.max_database_bytes) {
            (_, None) => None,
            (Some(file), Some(_)) => std::fs::metadata(file).ok().map(|file| file.len()),
            (None, Some(_)) => Some(postgres::bytes(database).await?),
        };
        let database = self.max_database_bytes.zip(used);
        let database = database.map(|(total, used)| FileSystemSpace { free: total.saturating_sub(used), total });
        let file_system = self.file.as_deref().and_then(file_system);
        Ok(room(database, file_system, self.reserved_percent, self.file.is_some()))
    }
}

/// Returns who may write, given the size of a database and the space of its file system.
fn room(
    database: Option<FileSystemSpace>,
    file_system: Option<FileSystemSpace>,
    reserved_percent: u32,
    is_file: bool,
) -> DiskSpace {
    if !is_file && database.is_some_and(|space| space.free == 0) {
        return DiskSpace::Reserved;
    }
    let is_any_scarce = [database, file_system].into_iter().flatten().any(|space| is_scarce(space, reserved_percent));
    if is_any_scarce { DiskSpace::OlderAccounts } else { DiskSpace::Everybody }
}

/// Returns whether less is free than is reserved.
fn is_scarce(FileSystemSpace { free, total }: FileSystemSpace, reserved_percent: u32) -> bool {
    u128::from(free) * 100 < u128::from(total) * u128::from(reserved_percent)
}

/// Returns the space of the file system of a file.
#[cfg(unix)]
fn file_system(file: &Path) -> Option<FileSystemSpace> {
    let found = rustix::fs::statvfs(file).ok()?;
    Some(FileSystemSpace {
        free: found.f_bavail.saturating_mul(found.f_frsize),
        total: found.f_blocks.saturating_mul(found.f_frsize),
    })
}

#[cfg(not(unix))]
fn file_system(_file: &Path) -> Option<FileSystemSpace> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_part_of_the_disk_is_reserved() {
        let space = |free| FileSystemSpace { free, total: 1_000 };
        assert!(is_scarce(space(49), 5) && !is_scarce(space(50), 5));
        assert!(!is_scarce(space(0), 0), "nothing is reserved");
        assert!(!is_scarce(FileSystemSpace { free: u64::MAX, total: u64::MAX }, 100));
    }

    #[test]
    fn a_database_that_is_nearly_as_large_as_it_may_be_has_room_for_older_accounts_alone() {
        let database = |free| Some(FileSystemSpace { free, total: 1_000 });
        let file = |free| room(database(free), None, 5, true);
        let server = |free| room(database(free), None, 5, false);
        assert_eq!([50, 49, 0].map(file), [DiskSpace::Everybody, DiskSpace::OlderAccounts, DiskSpace::OlderAccounts]);
        assert_eq!([50, 49, 0].map(server), [DiskSpace::Everybody, DiskSpace::OlderAccounts, DiskSpace::Reserved]);
        assert_eq!(room(database(500), database(49), 5, true), DiskSpace::OlderAccounts, "its disk has less");
        assert_eq!(
            room(None, None, 100, false),
            DiskSpace::Everybody,
            "of the disk of a database server nothing is known"
        );
    }
}
