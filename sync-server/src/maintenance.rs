//! Maintenance commands: copying a served database, restoring a copy, checking, exporting an account.
//!
//! Each is one function from the location of a database to a report. Nothing here prints or serves. Postgres has its
//! own tools for copies; they cannot begin another epoch of the log.

mod backup;
mod check;
mod entries;
mod export;
mod membership;
mod recount;
mod restore;

use std::io;
use std::path::{Path, PathBuf};

pub use self::backup::{Backup, back_up};
pub(crate) use self::check::bring_rows_up_to_date;
pub use self::check::{EntryFault, Finding, Quarantined, Report, check, repair};
pub use self::export::{AccountExport, export_account};
pub use self::restore::{Restored, begin_again, restore, take_decisions};
use tourismo_core::id::AccountId;

use crate::db::sqlite::Obstacle;
use crate::db::{ClaimError, Location, OpenError};

/// Why a maintenance command failed. The database is unchanged.
#[derive(Debug, thiserror::Error)]
pub enum MaintenanceError {
    /// The database cannot be claimed.
    #[error(transparent)]
    Claim(#[from] ClaimError),
    /// The database cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The database cannot be read or written.
    #[error("{database} cannot be read or written: {error}")]
    Database {
        /// The database.
        database: Location,
        /// The cause.
        error: sqlx::Error,
    },
    /// The file is not a database.
    #[error("{database} is no SQLite database, or its beginning was overwritten")]
    NoDatabase {
        /// The file.
        database: Location,
    },
    /// The user or the file system prevents reading. This error contains nothing of the stored content.
    #[error(
        "{database} cannot be read here ({error}): SQLite writes files beside it, -wal and -shm. Run this as the user who \
         serves it, or on a copy in a folder that this user may write to"
    )]
    NotAllowed {
        /// The database.
        database: Location,
        /// The error of SQLite.
        error: sqlx::Error,
    },
    /// A file cannot be written.
    #[error("{path} cannot be written: {error}")]
    Io {
        /// The path.
        path: PathBuf,
        /// The cause.
        error: io::Error,
    },
    /// The backup exists already.
    #[error("{path} is there already: name another file, or add --replace")]
    Exists {
        /// Its path.
        path: PathBuf,
    },
    /// The copy would replace the database itself, or another database that is served.
    #[error("{path} is {database} itself, or a file of it: name another file")]
    SameFile {
        /// The target.
        path: PathBuf,
        /// The database.
        database: PathBuf,
    },
    /// The database or backup is damaged.
    #[error("{database} is damaged; nothing was replaced")]
    Damaged {
        /// Its location.
        database: Location,
        /// The damage.
        findings: Vec<Finding>,
    },
    /// The database has no such account.
    #[error("there is no account {account}")]
    NoAccount {
        /// The account.
        account: AccountId,
    },
    /// The database was written by another version of this program.
    #[error("{database} was written by another version: use that version, or start this one's server on it first")]
    OtherVersion {
        /// Its location.
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

    /// Returns the conversion of the errors of opening a database.
    fn opening(database: &Location) -> impl Fn(OpenError) -> MaintenanceError {
        let failed = MaintenanceError::database(database.clone());
        move |error| match error {
            OpenError::Database(error) => failed(error),
            error => MaintenanceError::Open(error),
        }
    }
}
