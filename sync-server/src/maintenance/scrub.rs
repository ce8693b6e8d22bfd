//! Rewrites the files of a database, so that they have no byte of what was deleted. `[X3]`

use super::MaintenanceError;
use crate::db::{self, Claim, Location};

/// The sizes of a scrubbed database, bytes.
#[derive(Clone, Copy, Debug)]
pub struct Scrubbed {
    /// Before.
    pub before: u64,
    /// Afterwards.
    pub after: u64,
}

/// Rewrites every table. This needs as much free space as the database has, and takes as long as to copy it.
///
/// # Errors
/// [`MaintenanceError`] if the database is being served, is of another version, or cannot be written.
pub async fn scrub(database: &Location) -> Result<Scrubbed, MaintenanceError> {
    let failed = MaintenanceError::database(database.clone());
    let (_claim, mut connection) = Claim::alone(database).await?;
    if !db::has_current_schema(&mut connection).await.map_err(&failed)? {
        return Err(MaintenanceError::OtherVersion { database: database.clone() });
    }
    let before = db::bytes(&mut connection).await.map_err(&failed)?;
    db::scrub(&mut connection).await.map_err(&failed)?;
    let after = db::bytes(&mut connection).await.map_err(&failed)?;
    db::close(connection).await.map_err(&failed)?;
    Ok(Scrubbed { before, after })
}
