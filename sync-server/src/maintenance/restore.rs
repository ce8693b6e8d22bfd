//! Replaces a database by a backup.

use std::path::{Path, PathBuf};

use tourismo_core::wire::Epoch;

use super::backup::copy_beside;
use super::{MaintenanceError, check};
use crate::db::data_file::{DataFile, is_one_file, to_read};
use crate::db::sql::Connection;
use crate::db::{self, Claim, Location};
use crate::runtime::random;

/// A restored database.
#[derive(Clone, Debug)]
pub struct Restored {
    /// The result of its check.
    pub report: check::Report,
    /// The path of the replaced database, if there was one.
    pub kept: Option<PathBuf>,
}

/// Replaces the database by a backup, and begins another epoch: phones compare their documents with it and push what it
/// lacks. `[H4]` `[C1]`
///
/// The backup may be older than this program: the copy is migrated. The backup itself is not changed.
///
/// # Errors
/// [`MaintenanceError`] if the backup is damaged, or if the database is being served.
pub async fn restore(from: &Path, data: &Path) -> Result<Restored, MaintenanceError> {
    let from = to_read(from)?;
    if is_one_file(data, &from).map_err(MaintenanceError::io(data))? {
        return Err(MaintenanceError::SameFile { path: from, database: data.to_owned() });
    }
    let file = DataFile::claim(data).await?;
    let copy = copy_beside(&from, file.path()).await?;

    let mut connection = db::sqlite::connect_alone(&copy).await.map_err(MaintenanceError::database(from.as_path()))?;
    let from = Location::from(from);
    let report = is_intact(&mut connection, &from).await?;
    let failed = MaintenanceError::database(from);
    // The copy gets its new epoch before it becomes the database.
    db::relay::begin_epoch(&mut connection, Epoch(random())).await.map_err(&failed)?;
    connection.close().await.map_err(&failed)?;

    let kept = file.replace_with(&copy).map_err(MaintenanceError::io(file.path()))?;
    // The file has its final name.
    let _ = copy.keep();
    Ok(Restored { report, kept })
}

/// Begins another epoch of the log of a database that was put back by other means, such as `pg_restore`. `[H4]` `[C1]`
///
/// It is migrated, and derived data that differs is derived again.
///
/// # Errors
/// [`MaintenanceError`] if the database is damaged, or if it is being served.
pub async fn begin_again(database: &Location) -> Result<check::Report, MaintenanceError> {
    let (_claim, mut connection) = Claim::alone(database).await?;
    let report = is_intact(&mut connection, database).await?;
    let failed = MaintenanceError::database(database.clone());
    db::relay::begin_epoch(&mut connection, Epoch(random())).await.map_err(&failed)?;
    db::close(connection).await.map_err(&failed)?;
    Ok(report)
}

/// Migrates the schema and checks everything; derived data that differs is derived again.
async fn is_intact(connection: &mut Connection, database: &Location) -> Result<check::Report, MaintenanceError> {
    let failed = MaintenanceError::database(database.clone());
    let damaged = |findings| MaintenanceError::Damaged { database: database.clone(), findings };
    // Before the migration, because statements may fail in strange ways on a damaged file.
    let findings = check::storage(connection).await.map_err(&failed)?;
    if !findings.is_empty() {
        return Err(damaged(findings));
    }
    db::bring_up_to_date(connection).await?;
    let report = check::inspect_and_repair(connection).await.map_err(&failed)?;
    if report.findings.is_empty() { Ok(report) } else { Err(damaged(report.findings)) }
}
