//! Replaces a database by a backup.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use tourismo_core::id::AccountId;
use tourismo_core::wire::Epoch;

use super::backup::copy_beside;
use super::{MaintenanceError, check};
use crate::db::data_file::{DataFile, is_one_file, to_read};
use crate::db::decisions::{self, Decision};
use crate::db::sql::Connection;
use crate::db::{self, Claim, Location, OpenError, accounts, documents, invitations};
use crate::runtime::random;

/// A restored database.
#[derive(Clone, Debug)]
pub struct Restored {
    /// The result of its check.
    pub report: check::Report,
    /// The path of the replaced database, if there was one.
    pub kept: Option<PathBuf>,
    /// The number of operators' decisions that the backup lacked and the replaced database had; absent if that database could
    /// not be read.
    pub decisions: Option<u64>,
}

/// Replaces the database by a backup, and begins another epoch: phones compare their documents with it and push what it
/// lacks. What operators decided since the backup stays decided, as far as the replaced database can be read. `[H4]` `[C1]`
/// `[O7]`
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
    let decisions = match operated_in(&Location::from(file.path())).await {
        Ok(newer) => Some(take(&mut connection, newer).await.map_err(&failed)?),
        Err(error) => {
            tracing::warn!(%error, "the decisions of operators since the backup cannot be read: name a database that has them with --decisions-from");
            None
        }
    };
    connection.close().await.map_err(&failed)?;

    let kept = file.replace_with(&copy).map_err(MaintenanceError::io(file.path()))?;
    // The file has its final name.
    let _ = copy.keep();
    Ok(Restored { report, kept, decisions })
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

/// Adds the operators' decisions of another database that this one lacks, and derives the rows of the accounts that they are
/// about again; returns their number. `[O7]`
///
/// # Errors
/// [`MaintenanceError`] if one of them cannot be read, or if the database is being served.
pub async fn take_decisions(database: &Location, from: &Location) -> Result<u64, MaintenanceError> {
    let newer = operated_in(from).await.map_err(MaintenanceError::opening(from))?;
    let (_claim, mut connection) = Claim::alone(database).await?;
    let failed = MaintenanceError::database(database.clone());
    let taken = take(&mut connection, newer).await.map_err(&failed)?;
    db::close(connection).await.map_err(&failed)?;
    Ok(taken)
}

/// What a restore takes from another database.
#[derive(Debug, Default)]
struct Operated {
    decisions: Vec<Decision>,
    /// The accounts that need no invitation: their phones push again what the backup lacks.
    accounts: Vec<AccountId>,
}

/// Reads decisions and accounts of a database; none if there is no database, or if it is older than decisions.
async fn operated_in(database: &Location) -> Result<Operated, OpenError> {
    if let Location::File(path) = database
        && !path.metadata().is_ok_and(|file| file.len() > 0)
    {
        return Ok(Operated::default());
    }
    let mut reader = db::connect_to_read(database).await?;
    let mut operated = Operated::default();
    if decisions::exist(&mut reader).await? {
        operated.decisions = decisions::rows(&mut reader).await?;
        operated.accounts = invitations::all_let_in(&mut reader).await?;
    }
    reader.close().await?;
    Ok(operated)
}

async fn take(writer: &mut Connection, newer: Operated) -> Result<u64, sqlx::Error> {
    writer.begin().await?;
    let known: BTreeSet<AccountId> = invitations::all_let_in(writer).await?.into_iter().collect();
    let missing: Vec<AccountId> = newer.accounts.into_iter().filter(|account| !known.contains(account)).collect();
    let at = db::relay::received_until(writer).await?;
    invitations::let_in(writer, &missing, at).await?;
    let before = decisions::rows(writer).await?.len();
    for account in decisions::merge(writer, newer.decisions).await? {
        if accounts::exists(writer, account).await? {
            documents::release(writer, account, None).await?;
            check::derive_account(writer, account).await?;
        }
    }
    let taken = decisions::rows(writer).await?.len() - before;
    writer.commit().await?;
    Ok(taken as u64)
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
