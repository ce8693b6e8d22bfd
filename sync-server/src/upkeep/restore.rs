//! Puts a backup in the place of a database.

use std::path::{Path, PathBuf};

use tourismo_core::wire::Epoch;

use super::backup::copy_beside;
use super::{UpkeepError, check};
use crate::data_file::{DataFile, to_read};
use crate::{db, random};

/// A database that was restored.
#[derive(Clone, Debug)]
pub struct Restored {
    /// What is in it.
    pub report: check::Report,
    /// Where what it replaced is kept, if there was anything.
    pub kept: Option<PathBuf>,
}

/// Puts a backup in the place of the database, as another life of its log: phones compare what they have with it and
/// offer again what it lacks. `[H4]` `[C1]`
///
/// The backup may be older than this program: its schema is brought up to date. It is not touched itself.
///
/// # Errors
/// [`UpkeepError`] if the backup is not sound, or if somebody serves the database.
pub async fn restore(from: &Path, data: &Path) -> Result<Restored, UpkeepError> {
    let from = to_read(from)?;
    let file = DataFile::claim(data).await?;
    let copy = copy_beside(&from, file.path()).await?;

    let failed = UpkeepError::database(&from);
    let mut connection = db::sqlite::connect_alone(&copy).await.map_err(&failed)?;
    // Before the schema is touched: statements may fail in strange ways on a damaged file.
    let findings = check::storage(&mut connection).await.map_err(&failed)?;
    if !findings.is_empty() {
        return Err(UpkeepError::Damaged { path: from.clone(), findings });
    }
    db::bring_up_to_date(&mut connection).await?;
    let mut report = check::look(&mut connection).await.map_err(&failed)?;
    if report.findings.iter().all(check::Finding::is_derived) && !report.findings.is_empty() {
        // Another version may derive other rows.
        check::derive_again(&mut connection).await.map_err(&failed)?;
        report = check::look(&mut connection).await.map_err(&failed)?;
    }
    if !report.findings.is_empty() {
        return Err(UpkeepError::Damaged { path: from.clone(), findings: report.findings });
    }
    // The copy has the new epoch before it is anybody's database.
    db::relay::begin_epoch(&mut connection, Epoch(random())).await.map_err(&failed)?;
    connection.close().await.map_err(&failed)?;

    let kept = file.replace_with(&copy).map_err(UpkeepError::io(file.path()))?;
    // The file has left its temporary name.
    let _ = copy.keep();
    Ok(Restored { report, kept })
}
