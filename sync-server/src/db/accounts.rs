//! The tables `account`, `device` and `vouched`: the accounts of the logs and the devices that may write to them.

use tourismo_core::admission::{AccountState, Usage};
use tourismo_core::digest::Digest;
use tourismo_core::id::{AccountId, DeviceKey};
use tourismo_core::time::Timestamp;

use super::sql::{self, Bulk, Connection};
use super::{account_id, column, damaged, fixed, position};

/// Creates an account with an empty log, if it does not exist.
pub(crate) async fn insert(writer: &mut Connection, account: AccountId) -> Result<(), sqlx::Error> {
    sql::query("INSERT INTO account (account, head, digest) VALUES ($1, 0, $2) ON CONFLICT (account) DO NOTHING")
        .bind(account.as_bytes().as_slice())
        .bind(Digest::default().0.as_slice())
        .execute(writer)
        .await?;
    Ok(())
}

/// Adds a device to an account, if it is new.
pub(crate) async fn insert_device(
    writer: &mut Connection,
    account: AccountId,
    device: DeviceKey,
    granted_by: Option<DeviceKey>,
    added_at: Timestamp,
) -> Result<(), sqlx::Error> {
    let sql = r#"
        INSERT INTO device (account, device, actor_prefix, granted_by, added_at) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (account, device) DO NOTHING
    "#;
    sql::query(sql)
        .bind(account.as_bytes().as_slice())
        .bind(device.0.as_slice())
        .bind(device.actor_prefix().as_slice())
        .bind(granted_by.map(|key| key.0.to_vec()))
        .bind(added_at.as_millis())
        .execute(writer)
        .await?;
    Ok(())
}

/// Stores that a device with this actor prefix belongs to the account, unless it is known or the maximum is reached.
/// Returns whether it stored it.
pub(crate) async fn vouch(
    writer: &mut Connection,
    account: AccountId,
    actor_prefix: [u8; 8],
    added_at: Timestamp,
    most: u32,
) -> Result<bool, sqlx::Error> {
    let sql = r#"
        INSERT INTO vouched (account, actor_prefix, added_at)
        SELECT $1, $2, $3 FROM account
        WHERE account = $1 AND (SELECT COUNT(*) FROM vouched WHERE account = $1) < $4
            AND NOT EXISTS (SELECT 1 FROM device WHERE device.account = $1 AND device.actor_prefix = $2)
        ON CONFLICT (account, actor_prefix) DO NOTHING
    "#;
    let inserted = sql::query(sql)
        .bind(account.as_bytes().as_slice())
        .bind(actor_prefix.as_slice())
        .bind(added_at.as_millis())
        .bind(i64::from(most))
        .execute(writer)
        .await?;
    Ok(inserted > 0)
}

/// Returns whether the device belongs to the account.
pub(crate) async fn has_device(
    connection: &mut Connection,
    account: AccountId,
    device: DeviceKey,
) -> Result<bool, sqlx::Error> {
    sql::query("SELECT 1 FROM device WHERE account = $1 AND device = $2")
        .bind(account.as_bytes().as_slice())
        .bind(device.0.as_slice())
        .row(connection)
        .await
        .map(|row| row.is_some())
}

/// Returns whether the account exists.
pub(crate) async fn exists(connection: &mut Connection, account: AccountId) -> Result<bool, sqlx::Error> {
    sql::query("SELECT 1 FROM account WHERE account = $1")
        .bind(account.as_bytes().as_slice())
        .row(connection)
        .await
        .map(|row| row.is_some())
}

/// Returns the number of devices of the account.
pub(crate) async fn devices(connection: &mut Connection, account: AccountId) -> Result<u64, sqlx::Error> {
    let count: i64 = sql::query_scalar("SELECT COUNT(*) FROM device WHERE account = $1")
        .bind(account.as_bytes().as_slice())
        .fetch_one(connection)
        .await?;
    position("count", count)
}

/// Returns when the account was founded: when its first device connected.
pub(crate) async fn founded_at(connection: &mut Connection, account: AccountId) -> Result<Timestamp, sqlx::Error> {
    let sql = "SELECT MIN(added_at) FROM device WHERE account = $1";
    let at: Option<i64> = sql::query_scalar(sql).bind(account).fetch_one(connection).await?;
    Ok(Timestamp(at.unwrap_or(i64::MAX)))
}

/// Returns the position of the newest entry in the account's log, and the digest of all its documents.
pub(crate) async fn head(connection: &mut Connection, account: AccountId) -> Result<(u64, Digest), sqlx::Error> {
    let (head, digest): (i64, Vec<u8>) = sql::query("SELECT head, digest FROM account WHERE account = $1")
        .bind(account.as_bytes().as_slice())
        .fetch_one(connection)
        .await?;
    Ok((position("head", head)?, Digest(fixed("digest", &digest)?)))
}

/// Returns all accounts, ascending.
pub(crate) async fn all(connection: &mut Connection) -> Result<Vec<AccountId>, sqlx::Error> {
    let ids: Vec<Vec<u8>> =
        sql::query_scalar("SELECT account FROM account ORDER BY account").fetch_all(connection).await?;
    ids.iter().map(|id| account_id(id)).collect()
}

/// Returns the accounts whose logs do not have exactly the positions from 1 to their head.
pub(crate) async fn with_gaps(connection: &mut Connection) -> Result<Vec<AccountId>, sqlx::Error> {
    let sql = r#"
        SELECT account.account
        FROM account
        LEFT JOIN (
            SELECT account, COUNT(*) AS entries, MAX(seq) AS last
            FROM (SELECT account, seq FROM change UNION ALL SELECT account, seq FROM covered_change) entry
            GROUP BY account
        ) log ON log.account = account.account
        WHERE account.head <> COALESCE(log.entries, 0) OR account.head <> COALESCE(log.last, 0)
        ORDER BY account.account
    "#;
    let ids: Vec<Vec<u8>> = sql::query_scalar(sql).fetch_all(connection).await?;
    ids.iter().map(|id| account_id(id)).collect()
}

/// Reads the account state.
pub(crate) async fn log(connection: &mut Connection, account: AccountId) -> Result<AccountState, sqlx::Error> {
    let sql = "SELECT head, digest, changes, documents, bytes FROM account WHERE account = $1";
    let (head, digest, changes, documents, bytes): (i64, Vec<u8>, i64, i64, i64) =
        sql::query(sql).bind(account.as_bytes().as_slice()).fetch_one(&mut *connection).await?;
    let usage = Usage {
        changes: position("changes", changes)?,
        documents: position("documents", documents)?,
        bytes: position("bytes", bytes)?,
    };
    let sql = r#"
        SELECT actor_prefix FROM device WHERE account = $1
        UNION SELECT actor_prefix FROM vouched WHERE account = $1
    "#;
    let prefixes: Vec<Vec<u8>> =
        sql::query_scalar(sql).bind(account.as_bytes().as_slice()).fetch_all(connection).await?;
    let actor_prefixes = prefixes.iter().map(|prefix| fixed("actor_prefix", prefix)).collect::<Result<_, _>>()?;
    let (head, digest) = (position("head", head)?, Digest(fixed("digest", &digest)?));
    Ok(AccountState { account, actor_prefixes, head, digest, usage })
}

/// Writes a recomputed account state.
pub(crate) async fn correct(writer: &mut Connection, log: &AccountState) -> Result<(), sqlx::Error> {
    let sql = "UPDATE account SET head = $2, digest = $3, changes = $4, documents = $5, bytes = $6 WHERE account = $1";
    sql::query(sql)
        .bind(log.account.as_bytes().as_slice())
        .bind(column(log.head))
        .bind(log.digest.0.as_slice())
        .bind(column(log.usage.changes))
        .bind(column(log.usage.documents))
        .bind(column(log.usage.bytes))
        .execute(writer)
        .await
        .map(drop)
}

/// Writes the account states that changed by appending.
pub(crate) async fn update(writer: &mut Connection, logs: &[&AccountState]) -> Result<(), sqlx::Error> {
    // The statement never inserts, because each account was read before.
    let mut bulk = Bulk::new(
        "INSERT INTO account (account, head, digest, changes, documents, bytes) VALUES ",
        "ON CONFLICT (account) DO UPDATE SET head = excluded.head, digest = excluded.digest, \
         changes = excluded.changes, documents = excluded.documents, bytes = excluded.bytes \
         WHERE account.head <= excluded.head",
    );
    for log in logs {
        bulk.row([
            log.account.into(),
            column(log.head).into(),
            log.digest.0.as_slice().into(),
            column(log.usage.changes).into(),
            column(log.usage.documents).into(),
            column(log.usage.bytes).into(),
        ]);
    }
    if bulk.execute(writer).await? == logs.len() as u64 { Ok(()) } else { Err(damaged("head")) }
}
