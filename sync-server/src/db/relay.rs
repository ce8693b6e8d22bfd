//! The table `relay`: which relay this is, and which life of its log.

use sqlx::SqliteConnection;
use tourismo_core::wire::{Epoch, RelayId};

use super::fixed;

/// Who this relay is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Identity {
    pub(crate) id: RelayId,
    pub(crate) epoch: Epoch,
}

/// The identity of this database, which is `fresh` if it has none yet.
pub(crate) async fn identify(writer: &mut SqliteConnection, fresh: Identity) -> Result<Identity, sqlx::Error> {
    sqlx::query("INSERT INTO relay (one, id, epoch) VALUES (1, $1, $2) ON CONFLICT (one) DO NOTHING")
        .bind(fresh.id.0.as_slice())
        .bind(fresh.epoch.0.as_slice())
        .execute(&mut *writer)
        .await?;
    let (id, epoch): (Vec<u8>, Vec<u8>) = sqlx::query_as("SELECT id, epoch FROM relay").fetch_one(writer).await?;
    Ok(Identity { id: RelayId(fixed("id", &id)?), epoch: Epoch(fixed("epoch", &epoch)?) })
}

/// Begins another life of the log.
pub(crate) async fn begin_epoch(writer: &mut SqliteConnection, epoch: Epoch) -> Result<(), sqlx::Error> {
    let done = sqlx::query("UPDATE relay SET epoch = $1").bind(epoch.0.as_slice()).execute(writer).await?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(sqlx::Error::RowNotFound) }
}

/// Whether this database knows which relay it is.
pub(crate) async fn is_identified(reader: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    Ok(sqlx::query_scalar::<_, i64>("SELECT one FROM relay").fetch_optional(reader).await?.is_some())
}

/// Whether the database can be read at all.
pub(crate) async fn is_readable(reader: &mut SqliteConnection) -> bool {
    sqlx::query_scalar::<_, i64>("SELECT one FROM relay").fetch_one(reader).await.is_ok()
}
