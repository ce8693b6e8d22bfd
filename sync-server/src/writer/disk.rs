//! How much room there is for what is written, and for whom: the last part of the disk is for accounts that are not new.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How often the disk is looked at, at most.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// For whom there is room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Room {
    /// For everybody.
    ForAll,
    /// For accounts that are not new.
    ForOlderAccounts,
}

/// Looks at the disk that a database file is on.
#[derive(Debug)]
pub(crate) struct Disk {
    /// Nothing is known of the disk of a database server.
    file: Option<PathBuf>,
    /// The most that the file may take.
    max_database_bytes: Option<u64>,
    reserved_percent: u32,
    seen: Option<(Instant, Room)>,
}

/// What is used and what there is, bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Space {
    free: u64,
    total: u64,
}

impl Disk {
    pub(crate) fn new(file: Option<PathBuf>, max_database_bytes: Option<u64>, reserved_percent: u32) -> Disk {
        Disk { file, max_database_bytes, reserved_percent, seen: None }
    }

    /// For whom there is room, as it was within the last second.
    pub(crate) fn room(&mut self) -> Room {
        match self.seen {
            Some((at, room)) if at.elapsed() < LOOK_EVERY => room,
            Some(_) | None => {
                let room = self.look();
                self.seen = Some((Instant::now(), room));
                room
            }
        }
    }

    fn look(&self) -> Room {
        let Some(file) = &self.file else { return Room::ForAll };
        let database = self.max_database_bytes.and_then(|total| {
            let used = std::fs::metadata(file).ok()?.len();
            Some(Space { free: total.saturating_sub(used), total })
        });
        let is_scarce = |space: Space| is_scarce(space, self.reserved_percent);
        if file_system(file).is_some_and(is_scarce) || database.is_some_and(is_scarce) {
            return Room::ForOlderAccounts;
        }
        Room::ForAll
    }
}

/// Whether less is free than is reserved.
fn is_scarce(Space { free, total }: Space, reserved_percent: u32) -> bool {
    u128::from(free) * 100 < u128::from(total) * u128::from(reserved_percent)
}

/// The file system that a file is on.
#[cfg(unix)]
fn file_system(file: &Path) -> Option<Space> {
    let found = rustix::fs::statvfs(file).ok()?;
    Some(Space {
        free: found.f_bavail.saturating_mul(found.f_frsize),
        total: found.f_blocks.saturating_mul(found.f_frsize),
    })
}

#[cfg(not(unix))]
fn file_system(_file: &Path) -> Option<Space> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_part_of_the_disk_is_reserved() {
        let space = |free| Space { free, total: 1_000 };
        assert!(is_scarce(space(49), 5) && !is_scarce(space(50), 5));
        assert!(!is_scarce(space(0), 0), "nothing is reserved");
        assert!(!is_scarce(Space { free: u64::MAX, total: u64::MAX }, 100));
    }

    #[test]
    fn a_database_that_is_nearly_as_large_as_it_may_be_has_room_for_older_accounts_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("x.sqlite");
        std::fs::write(&file, vec![0; 960]).unwrap();
        let room = |max_bytes| Disk::new(Some(file.clone()), max_bytes, 1).room();
        assert_eq!((room(Some(1_000)), room(Some(965))), (Room::ForAll, Room::ForOlderAccounts));
        assert_eq!(Disk::new(None, None, 100).room(), Room::ForAll, "of a database server nothing is known");
    }
}
