//! The tables `inbox` and `inbox_fix`: what background recorders posted for an account and no device has taken yet.

use std::collections::BTreeMap;

use tourismo_core::fix::{Fix, packed};
use tourismo_core::id::AccountId;
use tourismo_core::time::Timestamp;

use super::sql::{self, Bulk, Connection, SqlRow};
use super::{account_id, column, position};
use crate::clients::limits::DAY_MS;

/// The number of bytes of the secret part of an address.
pub(crate) const SECRET_BYTES: usize = 16;

/// Maximum number of fixes of an account that wait: 27 hours at one a second.
pub(crate) const MAX_WAITING: u64 = 100_000;

/// How long a taken fix is remembered, so that a repeated post does not add it again.
const REMEMBERED_MS: i64 = 30 * DAY_MS;

/// The secret part of an address.
pub(crate) type Secret = [u8; SECRET_BYTES];

/// The inbox of an account.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Inbox {
    pub(crate) account: AccountId,
    /// Absent while the inbox has no address.
    pub(crate) secret: Option<Secret>,
    /// When the address was made.
    pub(crate) created_at: Timestamp,
    pub(crate) posted_at: Option<Timestamp>,
    /// The number of fixes that no device has taken.
    pub(crate) waiting: u64,
    /// The number of positions that could not be read.
    pub(crate) refused: u64,
}

/// The waiting fixes of one recorder.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Recorded {
    /// The name of the recorder.
    pub(crate) recorder: String,
    /// In the order of time.
    pub(crate) fixes: Vec<Fix>,
    /// When the last one of them arrived.
    pub(crate) received_at: Timestamp,
}

fn inbox(row: &SqlRow) -> Result<Inbox, sqlx::Error> {
    let secret: Option<Vec<u8>> = row.get("secret")?;
    Ok(Inbox {
        account: account_id(&row.get::<Vec<u8>>("account")?)?,
        secret: secret.and_then(|secret| secret.try_into().ok()),
        created_at: Timestamp(row.get("created_at")?),
        posted_at: row.get::<Option<i64>>("posted_at")?.map(Timestamp),
        waiting: position("waiting", row.get("waiting")?)?,
        refused: position("refused", row.get("refused")?)?,
    })
}

/// Returns the inbox of an account.
pub(crate) async fn find(reader: &mut Connection, account: AccountId) -> Result<Option<Inbox>, sqlx::Error> {
    let sql = "SELECT account, secret, created_at, posted_at, waiting, refused FROM inbox WHERE account = $1";
    sql::query(sql).bind(account).row(reader).await?.map(|row| inbox(&row)).transpose()
}

/// Returns the inbox with an address.
pub(crate) async fn find_by_secret(reader: &mut Connection, secret: &Secret) -> Result<Option<Inbox>, sqlx::Error> {
    let sql = "SELECT account, secret, created_at, posted_at, waiting, refused FROM inbox WHERE secret = $1";
    sql::query(sql).bind(secret.as_slice()).row(reader).await?.map(|row| inbox(&row)).transpose()
}

/// Gives the inbox of an account a new address; the one before ends.
pub(crate) async fn open(
    writer: &mut Connection,
    account: AccountId,
    secret: &Secret,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    let sql = r#"
        INSERT INTO inbox (account, secret, created_at, waiting, refused) VALUES ($1, $2, $3, 0, 0)
        ON CONFLICT (account) DO UPDATE SET secret = excluded.secret, created_at = excluded.created_at, refused = 0
    "#;
    sql::query(sql).bind(account).bind(secret.as_slice()).bind(now).execute(writer).await.map(drop)
}

/// Ends the address of an inbox. What waits stays.
pub(crate) async fn close(writer: &mut Connection, account: AccountId) -> Result<(), sqlx::Error> {
    let sql = "UPDATE inbox SET secret = NULL WHERE account = $1";
    sql::query(sql).bind(account).execute(writer).await.map(drop)
}

/// Adds fixes. Those whose recorder and time are known, also if a device took them, are not added again.
pub(crate) async fn insert(
    writer: &mut Connection,
    account: AccountId,
    recorder: &str,
    fixes: &[Fix],
    refused: usize,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    // Two rows of one statement must not have the same key.
    let by_time: BTreeMap<Timestamp, &Fix> = fixes.iter().map(|fix| (fix.fixed_at, fix)).collect();
    let mut bulk = Bulk::new(
        "INSERT INTO inbox_fix (account, recorder, fixed_at, received_at, fix) VALUES ",
        "ON CONFLICT (account, recorder, fixed_at) DO NOTHING",
    );
    for (fixed_at, fix) in by_time {
        let bytes = packed::pack([fix]);
        bulk.row([account.into(), recorder.into(), fixed_at.into(), now.into(), bytes.as_slice().into()]);
    }
    let added = bulk.execute(writer).await?;
    let sql = "UPDATE inbox SET waiting = waiting + $2, refused = refused + $3, posted_at = $4 WHERE account = $1";
    let query = sql::query(sql).bind(account).bind(column(added)).bind(column(refused as u64)).bind(now);
    query.execute(writer).await.map(drop)
}

/// Returns the waiting fixes of an account, by recorder.
pub(crate) async fn waiting(reader: &mut Connection, account: AccountId) -> Result<Vec<Recorded>, sqlx::Error> {
    let sql = r#"
        SELECT recorder, received_at, fix FROM inbox_fix WHERE account = $1 AND fix IS NOT NULL ORDER BY recorder, fixed_at
    "#;
    let row = |row: &SqlRow| {
        let bytes: Vec<u8> = row.get("fix")?;
        Ok((row.get::<String>("recorder")?, Timestamp(row.get("received_at")?), packed::unpack(&bytes).next()))
    };
    let mut found: Vec<Recorded> = Vec::new();
    for (recorder, received_at, fix) in sql::query(sql).bind(account).rows(reader, row).await? {
        match found.last_mut() {
            Some(last) if last.recorder == recorder => {
                last.received_at = last.received_at.max(received_at);
                last.fixes.extend(fix);
            }
            Some(_) | None => found.push(Recorded { recorder, fixes: fix.into_iter().collect(), received_at }),
        }
    }
    Ok(found)
}

/// Deletes the content of the waiting fixes of a recorder up to a time, and forgets fixes that were taken long ago.
pub(crate) async fn take(
    writer: &mut Connection,
    account: AccountId,
    recorder: &str,
    until: Timestamp,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    let sql = r#"
        UPDATE inbox_fix SET fix = NULL WHERE account = $1 AND recorder = $2 AND fixed_at <= $3 AND fix IS NOT NULL
    "#;
    let taken = sql::query(sql).bind(account).bind(recorder).bind(until).execute(&mut *writer).await?;
    let sql = "UPDATE inbox SET waiting = waiting - $2 WHERE account = $1";
    sql::query(sql).bind(account).bind(column(taken)).execute(&mut *writer).await?;
    let sql = "DELETE FROM inbox_fix WHERE account = $1 AND fix IS NULL AND received_at < $2";
    sql::query(sql).bind(account).bind(now + -REMEMBERED_MS).execute(writer).await.map(drop)
}
