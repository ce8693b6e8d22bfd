//! Copies a database into one file, also while it is served.

use std::path::Path;

use tempfile::{NamedTempFile, TempPath};

use super::MaintenanceError;
use super::check::{self, Finding};
use crate::db;
use crate::db::data_file::{folder_of, is_one_file, is_unclaimed, sync_folder_of, to_read};
use crate::db::sql::{self, Connection};

/// A finished backup.
#[derive(Clone, Copy, Debug)]
pub struct Backup {
    /// Its size.
    pub bytes: u64,
    /// The number of its accounts.
    pub accounts: u64,
    /// The number of its changes.
    pub changes: u64,
}

/// Writes a copy of one state of the database. The file gets its name when it was checked and is on disk.
///
/// # Errors
/// [`MaintenanceError`] if the copy cannot be made or is damaged, or if the file exists and must not be replaced.
pub async fn back_up(data: &Path, to: &Path, replace: bool) -> Result<Backup, MaintenanceError> {
    let data = to_read(data)?;
    let is_same = is_one_file(&data, to).map_err(MaintenanceError::io(to))?;
    if is_same {
        return Err(MaintenanceError::SameFile { path: to.to_owned(), database: data });
    }
    // It must not replace a database that another server serves.
    is_unclaimed(to)?;
    if !replace && to.exists() {
        return Err(MaintenanceError::Exists { path: to.to_owned() });
    }
    let copy = copy_beside(&data, to).await?;
    let mut connection = db::sqlite::connect_to_read(&copy).await.map_err(MaintenanceError::database(&*copy))?;
    let backup = is_intact(&mut connection, &copy).await?;
    connection.close().await.map_err(MaintenanceError::database(&*copy))?;

    let bytes = sync(&copy).map_err(MaintenanceError::io(to))?;
    let named = if replace { copy.persist(to) } else { copy.persist_noclobber(to) };
    named.map_err(|failed| match failed.error.kind() {
        std::io::ErrorKind::AlreadyExists => MaintenanceError::Exists { path: to.to_owned() },
        _ => MaintenanceError::Io { path: to.to_owned(), error: failed.error },
    })?;
    sync_folder_of(to).map_err(MaintenanceError::io(to))?;
    Ok(Backup { bytes, ..backup })
}

/// Copies a database into a new file in the folder of another file: the pages in use, without a write-ahead log.
///
/// The file is deleted if it is dropped without getting a name.
pub(super) async fn copy_beside(from: &Path, beside: &Path) -> Result<TempPath, MaintenanceError> {
    let copy = tempfile::Builder::new().prefix("tourismo-").suffix(".partial").tempfile_in(folder_of(beside));
    let copy = copy.map(NamedTempFile::into_temp_path).map_err(MaintenanceError::io(beside))?;
    let mut connection = db::sqlite::connect_beside_others(from).await.map_err(MaintenanceError::database(from))?;
    let name = copy.to_string_lossy();
    let copied = sql::query("VACUUM INTO $1").bind(name.as_ref()).execute(&mut connection).await;
    copied.map_err(MaintenanceError::database(from))?;
    connection.close().await.map_err(MaintenanceError::database(from))?;
    Ok(copy)
}

/// Checks a copy as far as possible without reading every change.
async fn is_intact(connection: &mut Connection, path: &Path) -> Result<Backup, MaintenanceError> {
    let failed = MaintenanceError::database(path);
    let findings: Vec<Finding> = check::storage(connection).await.map_err(&failed)?;
    if !findings.is_empty() {
        return Err(MaintenanceError::Damaged { database: path.into(), findings });
    }
    let findings = check::positions(connection).await.map_err(&failed)?;
    if !findings.is_empty() {
        return Err(MaintenanceError::Damaged { database: path.into(), findings });
    }
    let count = async |connection: &mut Connection, sql| {
        sql::query_scalar(sql).fetch_one(connection).await.map(i64::unsigned_abs)
    };
    Ok(Backup {
        bytes: 0,
        accounts: count(connection, "SELECT COUNT(*) FROM account").await.map_err(&failed)?,
        changes: count(connection, "SELECT (SELECT COUNT(*) FROM change) + (SELECT COUNT(*) FROM covered_change)")
            .await
            .map_err(&failed)?,
    })
}

/// Waits until a file is on disk, and returns its size.
fn sync(path: &Path) -> std::io::Result<u64> {
    let file = std::fs::File::options().write(true).open(path)?;
    file.sync_all()?;
    Ok(file.metadata()?.len())
}
