//! What an operator does with a database: copy it while it is served, put a copy back, look whether it is sound.
//!
//! Each is one function from where a database is to a report. Nothing here prints, and nothing here serves. Postgres has
//! tools of its own to copy a database; what they cannot do is to say that another life of the log begins.

mod backup;
mod check;
mod entries;
mod recount;
mod restore;

use std::io;
use std::path::{Path, PathBuf};

pub use self::backup::{Backup, back_up};
pub(crate) use self::check::bring_rows_up_to_date;
pub use self::check::{EntryFault, Finding, Quarantined, Report, check, repair};
pub use self::restore::{Restored, begin_again, restore};
use crate::db::sqlite::Obstacle;
use crate::db::{ClaimError, Location, OpenError};

/// Why an operator's wish was not done. What was there before is there still.
#[derive(Debug, thiserror::Error)]
pub enum MaintenanceError {
    /// The database cannot be had.
    #[error(transparent)]
    Claim(#[from] ClaimError),
    /// The database cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The database cannot be read or written.
    #[error("{database} cannot be read or written: {error}")]
    Database {
        /// Which.
        database: Location,
        /// Why.
        error: sqlx::Error,
    },
    /// The file is something else.
    #[error("{database} is no SQLite database, or its beginning was overwritten")]
    NoDatabase {
        /// Which.
        database: Location,
    },
    /// The user or the file system stands in the way. It says nothing of what is stored.
    #[error(
        "{database} cannot be read here ({error}): SQLite writes files beside it, -wal and -shm. Run this as the user who \
         serves it, or on a copy in a folder that this user may write to"
    )]
    NotAllowed {
        /// Which.
        database: Location,
        /// What SQLite says.
        error: sqlx::Error,
    },
    /// A file cannot be written.
    #[error("{path} cannot be written: {error}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The backup is there already.
    #[error("{path} is there already: name another file, or add --replace")]
    Exists {
        /// Which.
        path: PathBuf,
    },
    /// The copy would take the place of what it is a copy of, or of another database that is served.
    #[error("{path} is {database} itself, or a file of it: name another file")]
    SameFile {
        /// The file that was named.
        path: PathBuf,
        /// The database.
        database: PathBuf,
    },
    /// What is or would be a backup is not sound. The findings say what is wrong.
    #[error("{database} is damaged; nothing was replaced")]
    Damaged {
        /// Which.
        database: Location,
        /// What is wrong with it.
        findings: Vec<Finding>,
    },
    /// The database was written by another version of this program.
    #[error("{database} was written by another version: use that version, or start this one's server on it first")]
    OtherVersion {
        /// Which.
        database: Location,
    },
}

impl MaintenanceError {
    fn io(path: &Path) -> impl Fn(io::Error) -> MaintenanceError {
        move |error| MaintenanceError::Io { path: path.to_owned(), error }
    }

    fn database(database: impl Into<Location>) -> impl Fn(sqlx::Error) -> MaintenanceError {
        let database = database.into();
        move |error| {
            let database = database.clone();
            match Obstacle::of(&error) {
                Some(Obstacle::NoDatabase) => MaintenanceError::NoDatabase { database },
                Some(Obstacle::NotAllowed) => MaintenanceError::NotAllowed { database, error },
                None => MaintenanceError::Database { database, error },
            }
        }
    }

    /// For a database that could not be opened.
    fn opening(database: &Location) -> impl Fn(OpenError) -> MaintenanceError {
        let failed = MaintenanceError::database(database.clone());
        move |error| match error {
            OpenError::Database(error) => failed(error),
            error => MaintenanceError::Open(error),
        }
    }
}
