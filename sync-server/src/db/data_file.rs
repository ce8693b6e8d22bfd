//! The files of an SQLite database: claiming them, and replacing them by a restore.
//!
//! This module handles names, locks and renames, and must not depend on the content of a file. A database named `x` may
//! have these files beside it: `x-wal` and `x-shm` (SQLite's), `x-lock` (locked by the process that writes),
//! `x-restored` (a restore that is decided and not finished) and `x.replaced-…` (the database before a restore).

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use tokio::time::sleep;

/// How often a claim is attempted. A process that ends, or a child of it before `exec`, holds the lock slightly longer
/// than needed.
const ATTEMPTS: u32 = 10;

/// The time between two attempts.
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(50);

/// The exclusive right to write to a database file. It ends with the process, however the process ends.
#[derive(Debug)]
pub(crate) struct DataFile {
    path: PathBuf,
    _lock: File,
    /// The files opened by the names of the database and of its write-ahead log.
    opened: Option<[Option<FileId>; 2]>,
}

/// The identity of a file, by any name.
///
/// It is read by name and never by opening the file: closing a file would release SQLite's locks of this process on it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct FileId {
    #[cfg(unix)]
    device: u64,
    #[cfg(unix)]
    inode: u64,
    #[cfg(not(unix))]
    path: PathBuf,
}

impl FileId {
    /// Returns the file of a name, through symbolic links; `None` if there is none.
    fn of(path: &Path) -> io::Result<Option<FileId>> {
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            let id = |metadata: fs::Metadata| FileId { device: metadata.dev(), inode: metadata.ino() };
            Ok(if_there(fs::metadata(path))?.map(id))
        }
        #[cfg(not(unix))]
        Ok(if_there(fs::canonicalize(path))?.map(|path| FileId { path }))
    }
}

/// Why a database file cannot be claimed.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    /// Another process writes to it.
    #[error("{path} is in use: stop the server that serves it first")]
    InUse {
        /// The database.
        path: PathBuf,
    },
    /// The file was moved, deleted or replaced while it was served.
    #[error("{path} is not the file that was opened: it was moved, deleted or replaced. Put it back, or start again")]
    Displaced {
        /// The database.
        path: PathBuf,
    },
    /// A restore was interrupted. The next process that claims the database finishes it.
    #[error("a restore of {path} was interrupted: start the server, or restore again, to finish it")]
    HalfRestored {
        /// The database.
        path: PathBuf,
    },
    /// The files cannot be used.
    #[error("{path} cannot be used: {error}")]
    Io {
        /// The database.
        path: PathBuf,
        /// The cause.
        error: io::Error,
    },
}

impl DataFile {
    /// Claims a database, which need not exist, and finishes an interrupted restore. Waits a moment for a process that
    /// is ending.
    ///
    /// # Errors
    /// [`ClaimError`] if another process has it, or if the files cannot be used.
    pub(crate) async fn claim(path: &Path) -> Result<DataFile, ClaimError> {
        let failed = |error| ClaimError::Io { path: path.to_owned(), error };
        let path = resolved(path).map_err(failed)?;
        // The lock is on a separate file: the database file may be replaced, and has SQLite's own locks.
        let lock = private().create(true).truncate(false).open(beside(&path, "-lock"));
        let lock = lock.map_err(failed)?;
        let mut attempts = 0;
        while let Err(error) = lock.try_lock() {
            attempts += 1;
            match error {
                TryLockError::WouldBlock if attempts < ATTEMPTS => sleep(BETWEEN_ATTEMPTS).await,
                TryLockError::WouldBlock => return Err(ClaimError::InUse { path }),
                TryLockError::Error(error) => return Err(failed(error)),
            }
        }
        let file = DataFile { path, _lock: lock, opened: None };
        if let Some(kept) = file.finish_replacing().map_err(failed)? {
            tracing::info!(kept = %kept.display(), "finished an interrupted restore");
        }
        Ok(file)
    }

    /// Returns the path of the file, without symbolic links.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Creates the file if it does not exist. An empty file is an SQLite database. Drives are private, so only the
    /// owner of the file may read it, and the files that SQLite creates beside it get the same permissions. Permissions
    /// of an existing file are the operator's choice.
    pub(crate) fn make(&self) -> Result<(), ClaimError> {
        match private().create_new(true).open(&self.path) {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(ClaimError::Io { path: self.path.clone(), error }),
        }
    }

    /// Stores the identities of the opened files.
    pub(crate) fn remember(&mut self) -> Result<(), ClaimError> {
        let failed = |error| ClaimError::Io { path: self.path.clone(), error };
        let ids = [FileId::of(&self.path), FileId::of(&beside(&self.path, "-wal"))];
        let [file, log] = ids.map(|id| id.map_err(failed));
        self.opened = Some([file?, log?]);
        Ok(())
    }

    /// Checks that the names still refer to the opened files. Writes to other files would be lost for the next process
    /// that opens the database.
    pub(crate) fn is_in_place(&self) -> Result<(), ClaimError> {
        let Some([file, log]) = &self.opened else { return Ok(()) };
        // The write-ahead log may be created later; if an existing one is missing, its content is lost.
        let is_there =
            |name: &Path, id: &Option<FileId>| id.is_none() || matches!(&FileId::of(name), Ok(found) if found == id);
        let is_in_place = is_there(&self.path, file) && is_there(&beside(&self.path, "-wal"), log);
        if is_in_place { Ok(()) } else { Err(ClaimError::Displaced { path: self.path.clone() }) }
    }

    /// Replaces the database by a file, which must be complete, closed and in the same folder. Returns the path at
    /// which the old database is kept.
    ///
    /// A crash leaves the old database or the new one: once the file has its intermediate name, the replacement is
    /// decided, and the next process that claims the database finishes it.
    pub(crate) fn replace_with(&self, file: &Path) -> io::Result<Option<PathBuf>> {
        File::open(file)?.sync_all()?;
        fs::rename(file, beside(&self.path, "-restored"))?;
        sync_folder_of(&self.path)?;
        self.finish_replacing()
    }

    fn finish_replacing(&self) -> io::Result<Option<PathBuf>> {
        let decided = beside(&self.path, "-restored");
        let Some(written) = if_there(fs::metadata(&decided))? else { return Ok(None) };
        // The name is the same in every attempt, so that the files of one database stay together.
        let written_ms = written.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        let kept = beside(&self.path, &format!(".replaced-{written_ms}"));
        // SQLite would apply a write-ahead log to any database beside it, so the log is moved first.
        if_there(fs::rename(beside(&self.path, "-wal"), beside(&kept, "-wal")))?;
        if_there(fs::remove_file(beside(&self.path, "-shm")))?;
        let was_there = if_there(fs::rename(&self.path, &kept))?.is_some();
        sync_folder_of(&self.path)?;
        fs::rename(&decided, &self.path)?;
        sync_folder_of(&self.path)?;
        Ok((was_there || kept.exists()).then_some(kept))
    }
}

/// Returns whether two names refer to one file, through symbolic and hard links, or whether one is a file of SQLite
/// beside the other.
pub(crate) fn is_one_file(database: &Path, other: &Path) -> io::Result<bool> {
    let Some(other) = FileId::of(other)? else { return Ok(false) };
    let database = resolved(database)?;
    for part in ["", "-wal", "-shm", "-lock", "-restored"] {
        if FileId::of(&beside(&database, part))?.as_ref() == Some(&other) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Fails if a process serves a database of this name or works on it.
pub(crate) fn is_unclaimed(path: &Path) -> Result<(), ClaimError> {
    let failed = |error| ClaimError::Io { path: path.to_owned(), error };
    let path = resolved(path).map_err(failed)?;
    let Some(lock) = if_there(File::open(beside(&path, "-lock"))).map_err(failed)? else { return Ok(()) };
    match lock.try_lock_shared() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(ClaimError::InUse { path }),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

/// Returns the path of a database that is only read, also while another process writes to it.
///
/// # Errors
/// [`ClaimError`] if it does not exist, or if its restore was interrupted.
pub(crate) fn to_read(path: &Path) -> Result<PathBuf, ClaimError> {
    let failed = |error| ClaimError::Io { path: path.to_owned(), error };
    let resolved = resolved(path).map_err(failed)?;
    if beside(&resolved, "-restored").exists() {
        return Err(ClaimError::HalfRestored { path: resolved });
    }
    fs::metadata(&resolved).map_err(failed)?;
    Ok(resolved)
}

/// Waits until created and renamed files beside a file are on disk.
pub(crate) fn sync_folder_of(path: &Path) -> io::Result<()> {
    // Other systems cannot open folders as files.
    if cfg!(unix) { File::open(folder_of(path))?.sync_all() } else { Ok(()) }
}

/// Returns the folder of a file.
pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Options for writing a file that only its owner may read.
fn private() -> OpenOptions {
    let mut options = File::options();
    options.write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

fn resolved(path: &Path) -> io::Result<PathBuf> {
    match if_there(fs::canonicalize(path))? {
        Some(path) => Ok(path),
        None => Ok(fs::canonicalize(folder_of(path))?.join(path.file_name().ok_or(io::ErrorKind::InvalidFilename)?)),
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}

fn if_there<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder_with(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        files.iter().for_each(|(name, text)| fs::write(folder.path().join(name), text).unwrap());
        folder
    }

    fn read(folder: &Path, name: &str) -> Option<String> {
        fs::read_to_string(folder.join(name)).ok()
    }

    #[tokio::test]
    async fn a_database_is_claimed_by_one_at_a_time_by_whatever_name() {
        let folder = folder_with(&[("x", "")]);
        let path = folder.path().join("x");
        let claimed = DataFile::claim(&path).await.unwrap();
        assert!(matches!(DataFile::claim(&path).await, Err(ClaimError::InUse { .. })));
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(&path, folder.path().join("y")).unwrap();
            assert!(matches!(DataFile::claim(&folder.path().join("y")).await, Err(ClaimError::InUse { .. })));
        }
        drop(claimed);
        assert!(DataFile::claim(&path).await.is_ok());
    }

    #[tokio::test]
    async fn what_is_replaced_is_kept_with_its_write_ahead_log() {
        let folder = folder_with(&[("x", "old"), ("x-wal", "old log"), ("x-shm", "old index"), ("new", "new")]);
        let file = DataFile::claim(&folder.path().join("x")).await.unwrap();
        let kept = file.replace_with(&folder.path().join("new")).unwrap().unwrap();
        assert_eq!(read(folder.path(), "x").as_deref(), Some("new"));
        assert_eq!(
            [read(folder.path(), "x-wal"), read(folder.path(), "x-shm"), read(folder.path(), "new")],
            [const { None }; 3]
        );
        assert_eq!(fs::read_to_string(&kept).unwrap(), "old");
        assert_eq!(fs::read_to_string(beside(&kept, "-wal")).unwrap(), "old log");
    }

    #[tokio::test]
    async fn a_replacement_that_was_interrupted_anywhere_is_finished_by_the_next_claim() {
        let whole = [("x", "old"), ("x-wal", "old log"), ("x-restored", "new")];
        for done in 0..=2 {
            let folder = folder_with(&whole);
            let path = folder.path().join("x");
            let written = fs::metadata(folder.path().join("x-restored")).unwrap().modified().unwrap();
            let kept = format!("x.replaced-{}", written.duration_since(UNIX_EPOCH).unwrap().as_millis());
            let renames = [("x-wal", format!("{kept}-wal")), ("x", kept.clone())];
            for (from, to) in &renames[..done] {
                fs::rename(folder.path().join(from), folder.path().join(to)).unwrap();
            }
            assert!(matches!(to_read(&path), Err(ClaimError::HalfRestored { .. })));
            DataFile::claim(&path).await.unwrap();
            assert_eq!(read(folder.path(), "x").as_deref(), Some("new"), "after {done} renames");
            assert_eq!(read(folder.path(), &kept).as_deref(), Some("old"));
            assert_eq!(read(folder.path(), &format!("{kept}-wal")).as_deref(), Some("old log"));
            assert!(to_read(&path).is_ok());
        }
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_database_that_was_moved_deleted_or_replaced_is_noticed() {
        let folder = folder_with(&[("x", "a database"), ("x-wal", "its log")]);
        let at = |name: &str| folder.path().join(name);
        let mut file = DataFile::claim(&at("x")).await.unwrap();
        file.remember().unwrap();
        let is_in_place = || file.is_in_place().is_ok();
        assert!(is_in_place());
        for part in ["x", "x-wal"] {
            fs::rename(at(part), at("elsewhere")).unwrap();
            assert!(!is_in_place(), "{part} is missing");
            fs::write(at(part), "another one").unwrap();
            assert!(!is_in_place(), "{part} is another one");
            fs::rename(at("elsewhere"), at(part)).unwrap();
            assert!(is_in_place(), "{part} is back");
        }
        fs::write(at("x"), "a database, written to").unwrap();
        assert!(is_in_place());
    }

    #[cfg(unix)]
    #[test]
    fn one_file_is_known_by_all_its_names() {
        let folder = folder_with(&[("x", "a database"), ("x-wal", "its log"), ("y", "a database")]);
        let at = |name: &str| folder.path().join(name);
        std::os::unix::fs::symlink(at("x"), at("symbolic")).unwrap();
        fs::hard_link(at("x"), at("hard")).unwrap();
        for other in ["x", "symbolic", "hard", "x-wal"] {
            assert!(is_one_file(&at("x"), &at(other)).unwrap(), "{other}");
            assert!(is_one_file(&at("symbolic"), &at(other)).unwrap(), "{other}");
        }
        for other in ["y", "not there"] {
            assert!(!is_one_file(&at("x"), &at(other)).unwrap(), "{other}");
        }
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_new_database_is_for_its_owner_alone_and_an_old_one_stays_as_it_is() {
        use std::os::unix::fs::PermissionsExt;
        let folder = folder_with(&[("old", "a database")]);
        let mode = |name: &str| fs::metadata(folder.path().join(name)).unwrap().permissions().mode() & 0o777;
        fs::set_permissions(folder.path().join("old"), fs::Permissions::from_mode(0o640)).unwrap();
        for name in ["new", "old"] {
            DataFile::claim(&folder.path().join(name)).await.unwrap().make().unwrap();
        }
        assert_eq!([mode("new"), mode("new-lock"), mode("old")], [0o600, 0o600, 0o640]);
        assert_eq!(read(folder.path(), "old").as_deref(), Some("a database"));
    }

    #[test]
    fn a_database_that_is_not_there_is_not_read() {
        let folder = folder_with(&[]);
        assert!(matches!(to_read(&folder.path().join("x")), Err(ClaimError::Io { .. })));
    }
}
