//! Drives as their owners read them: the table `drive`.

use tourismo_core::docs::drive::DriveFields;
use tourismo_core::id::{AccountId, DocId};

use super::{About, Derived, json, shortened};
use crate::db::drive_totals::DriveTotals;
use crate::db::drives::{self, OwnDrive};
use crate::db::sql::Connection;

/// Returns the row of a drive; none if it was deleted.
pub(super) fn derive(about: About, fields: DriveFields) -> Derived {
    if fields.deleted {
        return Derived::Nothing;
    }
    Derived::Drive(Box::new(OwnDrive {
        account: about.owner,
        doc: about.doc,
        title: shortened(&fields.title),
        car: fields.car,
        started_at: fields.started_at,
        utc_offset: fields.utc_offset,
        ended_at: fields.ended_at,
        stats: fields.stats.as_ref().map(json),
        figures: DriveTotals::of(fields.started_at, fields.utc_offset, fields.stats.as_ref()),
        visibility: fields.visibility,
        published: fields.published,
    }))
}

/// Replaces the rows of many drives.
pub(in crate::writer::projector) async fn apply(
    writer: &mut Connection,
    drives: &[&OwnDrive],
) -> Result<(), sqlx::Error> {
    drives::replace(writer, drives).await
}

/// Removes the row of a drive, if it has one.
pub(super) async fn remove(writer: &mut Connection, owner: AccountId, id: DocId) -> Result<(), sqlx::Error> {
    drives::remove(writer, owner, id).await
}

/// Reads the row of a drive.
pub(super) async fn stored(
    reader: &mut Connection,
    owner: AccountId,
    id: DocId,
) -> Result<Option<Derived>, sqlx::Error> {
    Ok(drives::record(reader, owner, id).await?.map(|drive| Derived::Drive(Box::new(drive))))
}

/// Returns the number of rows.
pub(super) fn count(_: &OwnDrive) -> u64 {
    1
}
