//! The table `relay`: which relay this is, and which life of its log.

use tourismo_core::wire::{Epoch, RelayId};

use super::fixed;
use super::sql::{self, Connection};

/// Who this relay is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Identity {
    pub(crate) id: RelayId,
    pub(crate) epoch: Epoch,
}

/// The identity of this database, which is `fresh` if it has none yet.
pub(crate) async fn identify(writer: &mut Connection, fresh: Identity) -> Result<Identity, sqlx::Error> {
    sql::query("INSERT INTO relay (one, id, epoch) VALUES (1, $1, $2) ON CONFLICT (one) DO NOTHING")
        .bind(fresh.id.0.as_slice())
        .bind(fresh.epoch.0.as_slice())
        .execute(&mut *writer)
        .await?;
    let (id, epoch): (Vec<u8>, Vec<u8>) = sql::query("SELECT id, epoch FROM relay").fetch_one(writer).await?;
    Ok(Identity { id: RelayId(fixed("id", &id)?), epoch: Epoch(fixed("epoch", &epoch)?) })
}

/// Begins another life of the log.
pub(crate) async fn begin_epoch(writer: &mut Connection, epoch: Epoch) -> Result<(), sqlx::Error> {
    let done = sql::query("UPDATE relay SET epoch = $1").bind(epoch.0.as_slice()).execute(writer).await?;
    if done == 1 { Ok(()) } else { Err(sqlx::Error::RowNotFound) }
}

/// Whether this database knows which relay it is.
pub(crate) async fn is_identified(reader: &mut Connection) -> Result<bool, sqlx::Error> {
    Ok(sql::query("SELECT one FROM relay").row(reader).await?.is_some())
}

/// Whether the database can be read at all.
pub(crate) async fn is_readable(reader: &mut Connection) -> bool {
    matches!(sql::query("SELECT one FROM relay").row(reader).await, Ok(Some(_)))
}
