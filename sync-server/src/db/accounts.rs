//! The tables `account`, `device` and `vouched`: the accounts of the logs and the devices that may write to them.

use tourismo_core::admission::{AccountState, Usage};
use tourismo_core::digest::Digest;
use tourismo_core::id::{AccountId, DeviceKey};
use tourismo_core::membership::MembershipDigest;
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

/// Adds a device to an account, or sets when a device was seen last.
pub(crate) async fn insert_device(
    writer: &mut Connection,
    account: AccountId,
    device: DeviceKey,
    granted_by: Option<DeviceKey>,
    added_at: Timestamp,
    seen_at: Option<Timestamp>,
) -> Result<(), sqlx::Error> {
    let sql = r#"
        INSERT INTO device (account, device, actor_prefix, granted_by, added_at, seen_at)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (account, device) DO UPDATE SET seen_at = excluded.seen_at
    "#;
    sql::query(sql)
        .bind(account.as_bytes().as_slice())
        .bind(device.0.as_slice())
        .bind(device.actor_prefix().as_slice())
        .bind(granted_by.map(|key| key.0.to_vec()))
        .bind(added_at.as_millis())
        .bind(seen_at.map(Timestamp::as_millis))
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

/// The state of a device of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DeviceState {
    /// The device is a member.
    Member {
        /// The time of its last connection, if it was stored.
        seen_at: Option<Timestamp>,
    },
    /// The device was removed.
    Removed,
    /// The device never connected.
    Unknown,
}

/// Returns the state of a device.
pub(crate) async fn device_state(
    connection: &mut Connection,
    account: AccountId,
    device: DeviceKey,
) -> Result<DeviceState, sqlx::Error> {
    let sql = "SELECT removed_at, seen_at FROM device WHERE account = $1 AND device = $2";
    let row: Option<(Option<i64>, Option<i64>)> =
        sql::query(sql).bind(account).bind(device.0.as_slice()).fetch_optional(connection).await?;
    Ok(match row {
        Some((None, seen_at)) => DeviceState::Member { seen_at: seen_at.map(Timestamp) },
        Some((Some(_), _)) => DeviceState::Removed,
        None => DeviceState::Unknown,
    })
}

/// A row of a device.
#[derive(Clone, Debug)]
pub(crate) struct DeviceRow {
    pub(crate) device: DeviceKey,
    pub(crate) granted_by: Option<DeviceKey>,
    pub(crate) added_at: Timestamp,
    pub(crate) removed_at: Option<Timestamp>,
    pub(crate) seen_at: Option<Timestamp>,
}

/// Returns all devices of an account, the oldest first, including removed ones.
pub(crate) async fn all_devices(
    connection: &mut Connection,
    account: AccountId,
) -> Result<Vec<DeviceRow>, sqlx::Error> {
    type Row = (Vec<u8>, Option<Vec<u8>>, i64, Option<i64>, Option<i64>);
    let sql = r#"
        SELECT device, granted_by, added_at, removed_at, seen_at FROM device WHERE account = $1 ORDER BY added_at, device
    "#;
    let rows: Vec<Row> = sql::query(sql).bind(account).fetch_all(connection).await?;
    let read = |(device, granted_by, added_at, removed_at, seen_at): Row| {
        Ok(DeviceRow {
            device: DeviceKey(fixed("device", &device)?),
            granted_by: granted_by.map(|key| fixed("granted_by", &key)).transpose()?.map(DeviceKey),
            added_at: Timestamp(added_at),
            removed_at: removed_at.map(Timestamp),
            seen_at: seen_at.map(Timestamp),
        })
    };
    rows.into_iter().map(read).collect()
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
    let count: i64 = sql::query_scalar("SELECT COUNT(*) FROM device WHERE account = $1 AND removed_at IS NULL")
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

/// Returns the head of the account's log and the digest of its membership statements.
pub(crate) async fn head_and_membership(
    connection: &mut Connection,
    account: AccountId,
) -> Result<(u64, MembershipDigest), sqlx::Error> {
    let sql = "SELECT head, membership FROM account WHERE account = $1";
    let (head, membership): (i64, Option<Vec<u8>>) = sql::query(sql).bind(account).fetch_one(connection).await?;
    let membership = membership.map(|digest| fixed("membership", &digest)).transpose()?;
    Ok((position("head", head)?, membership.map(MembershipDigest).unwrap_or_default()))
}

/// Returns all accounts, ascending.
pub(crate) async fn all(connection: &mut Connection) -> Result<Vec<AccountId>, sqlx::Error> {
    let ids: Vec<Vec<u8>> =
        sql::query_scalar("SELECT account FROM account ORDER BY account").fetch_all(connection).await?;
    ids.iter().map(|id| account_id(id)).collect()
}

/// Returns the accounts that use most bytes, the largest first.
pub(crate) async fn largest(connection: &mut Connection, most: u32) -> Result<Vec<AccountId>, sqlx::Error> {
    let sql = "SELECT account FROM account ORDER BY bytes DESC, account LIMIT $1";
    let ids: Vec<Vec<u8>> = sql::query_scalar(sql).bind(i64::from(most)).fetch_all(connection).await?;
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
        sql::query_scalar(sql).bind(account.as_bytes().as_slice()).fetch_all(&mut *connection).await?;
    let actor_prefixes = prefixes.iter().map(|prefix| fixed("actor_prefix", prefix)).collect::<Result<_, _>>()?;
    let sql = "SELECT actor_prefix FROM device WHERE account = $1 AND removed_at IS NOT NULL";
    let prefixes: Vec<Vec<u8>> = sql::query_scalar(sql).bind(account).fetch_all(connection).await?;
    let revoked_prefixes = prefixes.iter().map(|prefix| fixed("actor_prefix", prefix)).collect::<Result<_, _>>()?;
    let (head, digest) = (position("head", head)?, Digest(fixed("digest", &digest)?));
    Ok(AccountState { account, actor_prefixes, revoked_prefixes, head, digest, usage })
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
