//! The table `relay`: the identity of the relay and the epoch of its log.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tourismo_core::time::Timestamp;
use tourismo_core::wire::{Epoch, RelayId};

use super::sql::{self, Connection};
use super::{damaged, documents, fixed};

/// The identity of this relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) id: RelayId,
    pub(crate) epoch: Epoch,
}

/// A secret of this relay: nobody else can compute its keyed hashes. It is never printed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Secret(pub(crate) [u8; 32]);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl Secret {
    /// Returns the keyed hash of parts for a purpose (HMAC-SHA-256, RFC 2104). All parts except the last one must have
    /// fixed lengths.
    pub(crate) fn hash(&self, purpose: &str, parts: impl IntoIterator<Item: AsRef<[u8]>>) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("a key may have any length");
        mac.update(purpose.as_bytes());
        parts.into_iter().for_each(|part| mac.update(part.as_ref()));
        mac.finalize().into_bytes().into()
    }
}

/// Stores a secret in a database that has an identity without one.
pub(crate) async fn make_secret(writer: &mut Connection, fresh: &Secret) -> Result<(), sqlx::Error> {
    let sql = "UPDATE relay SET secret = $1 WHERE secret IS NULL";
    sql::query(sql).bind(fresh.0.as_slice()).execute(writer).await.map(drop)
}

/// Returns the secret of this database.
pub(crate) async fn secret(reader: &mut Connection) -> Result<Secret, sqlx::Error> {
    let secret: Option<Option<Vec<u8>>> = sql::query_scalar("SELECT secret FROM relay").fetch_optional(reader).await?;
    Ok(Secret(fixed("secret", &secret.flatten().ok_or_else(|| damaged("secret"))?)?))
}

/// Returns the identity of this database, which becomes `fresh` if it has none.
pub(crate) async fn identify(
    writer: &mut Connection,
    fresh: Identity,
    secret: &Secret,
) -> Result<Identity, sqlx::Error> {
    sql::query("INSERT INTO relay (one, id, epoch, secret) VALUES (1, $1, $2, $3) ON CONFLICT (one) DO NOTHING")
        .bind(fresh.id.0.as_slice())
        .bind(fresh.epoch.0.as_slice())
        .bind(secret.0.as_slice())
        .execute(&mut *writer)
        .await?;
    identity(writer).await?.ok_or(sqlx::Error::RowNotFound)
}

/// Returns the identity of this database, if it has one.
pub(crate) async fn identity(reader: &mut Connection) -> Result<Option<Identity>, sqlx::Error> {
    let row: Option<(Vec<u8>, Vec<u8>)> = sql::query("SELECT id, epoch FROM relay").fetch_optional(reader).await?;
    let read = |(id, epoch): (Vec<u8>, Vec<u8>)| {
        Ok(Identity { id: RelayId(fixed("id", &id)?), epoch: Epoch(fixed("epoch", &epoch)?) })
    };
    row.map(read).transpose()
}

/// Returns the version of the projection of the rows; 0 if there is none.
pub(crate) async fn projected(reader: &mut Connection) -> Result<u32, sqlx::Error> {
    let version: Option<i64> = sql::query_scalar("SELECT projected FROM relay").fetch_optional(reader).await?;
    Ok(u32::try_from(version.unwrap_or(0)).unwrap_or(0))
}

/// Sets the version of the projection of the rows.
pub(crate) async fn set_projected(writer: &mut Connection, version: u32) -> Result<(), sqlx::Error> {
    sql::query("UPDATE relay SET projected = $1").bind(i64::from(version)).execute(writer).await.map(drop)
}

/// Returns the latest time that entries of the log may have, by the relay's clock when they arrived.
pub(crate) async fn received_until(reader: &mut Connection) -> Result<Timestamp, sqlx::Error> {
    let until: Option<i64> = sql::query_scalar("SELECT received_until FROM relay").fetch_optional(reader).await?;
    Ok(Timestamp(until.unwrap_or(0)))
}

/// Raises the latest time that entries of the log may have.
pub(crate) async fn set_received_until(writer: &mut Connection, until: Timestamp) -> Result<(), sqlx::Error> {
    let sql = "UPDATE relay SET received_until = $1 WHERE received_until < $1";
    sql::query(sql).bind(until.as_millis()).execute(writer).await.map(drop)
}

/// Begins another epoch.
pub(crate) async fn begin_epoch(writer: &mut Connection, epoch: Epoch) -> Result<(), sqlx::Error> {
    // Devices that were lost cannot push what the log lacks; other devices may. `[P12]`
    documents::release_actors(writer).await?;
    let done = sql::query("UPDATE relay SET epoch = $1").bind(epoch.0.as_slice()).execute(writer).await?;
    if done == 1 { Ok(()) } else { Err(sqlx::Error::RowNotFound) }
}

/// Returns whether the database can be read.
pub(crate) async fn is_readable(reader: &mut Connection) -> bool {
    matches!(sql::query("SELECT one FROM relay").row(reader).await, Ok(Some(_)))
}
