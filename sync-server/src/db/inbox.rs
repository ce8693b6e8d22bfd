//! The tables `inbox`, `inbox_fix` and `inbox_claim`: what background recorders posted for an account and no device has taken yet.

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

/// How long a taken fix is remembered, so that a repeated post does not add it again; and the maximum number of them: who has the
/// address must not fill the disk.
const REMEMBERED_MS: i64 = 30 * DAY_MS;
const MAX_REMEMBERED: u64 = 1_000_000;

/// Maximum number of fixes that are taken in one transaction, so that pushes do not wait for it.
pub(crate) const TAKEN_AT_ONCE: u64 = 5_000;

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
    /// The number of fixes that were taken and are remembered.
    remembered: u64,
}

/// Waiting fixes of one recorder: those of a drive that a device has claimed, otherwise all.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Recorded {
    /// The name of the recorder.
    pub(crate) recorder: String,
    /// In the order of time. Not empty.
    pub(crate) fixes: Vec<Fix>,
    /// When the last one of them arrived.
    pub(crate) received_at: Timestamp,
    /// Whether a device has claimed them.
    pub(crate) is_claimed: bool,
}

/// The fixes of a recorder up to a time that had arrived when a device read the list.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Portion {
    pub(crate) recorder: String,
    /// The time of the last fix.
    pub(crate) until: Timestamp,
    /// When the newest fix of the list arrived.
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
        remembered: position("remembered", row.get("remembered")?)?,
    })
}

/// Returns the inbox of an account.
pub(crate) async fn find(reader: &mut Connection, account: AccountId) -> Result<Option<Inbox>, sqlx::Error> {
    let sql = r#"
        SELECT account, secret, created_at, posted_at, waiting, refused, remembered FROM inbox WHERE account = $1
    "#;
    sql::query(sql).bind(account).row(reader).await?.map(|row| inbox(&row)).transpose()
}

/// Returns the inbox with an address.
pub(crate) async fn find_by_secret(reader: &mut Connection, secret: &Secret) -> Result<Option<Inbox>, sqlx::Error> {
    let sql = r#"
        SELECT account, secret, created_at, posted_at, waiting, refused, remembered FROM inbox WHERE secret = $1
    "#;
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

/// Adds fixes. Those whose recorder and time are known, also if a device took them, are not added again. The time of receipt must
/// be later than that of any earlier post to this inbox: [`take`] tells posts apart by it.
pub(crate) async fn insert(
    writer: &mut Connection,
    account: AccountId,
    recorder: &str,
    fixes: &[Fix],
    refused: usize,
    received_at: Timestamp,
) -> Result<(), sqlx::Error> {
    // Two rows of one statement must not have the same key.
    let by_time: BTreeMap<Timestamp, &Fix> = fixes.iter().map(|fix| (fix.fixed_at, fix)).collect();
    let mut bulk = Bulk::new(
        "INSERT INTO inbox_fix (account, recorder, fixed_at, received_at, fix) VALUES ",
        "ON CONFLICT (account, recorder, fixed_at) DO NOTHING",
    );
    for (fixed_at, fix) in by_time {
        let bytes = packed::pack([fix]);
        bulk.row([account.into(), recorder.into(), fixed_at.into(), received_at.into(), bytes.as_slice().into()]);
    }
    let added = bulk.execute(writer).await?;
    let sql = "UPDATE inbox SET waiting = waiting + $2, refused = refused + $3, posted_at = $4 WHERE account = $1";
    let query = sql::query(sql).bind(account).bind(column(added)).bind(column(refused as u64)).bind(received_at);
    query.execute(writer).await.map(drop)
}

/// Returns the waiting fixes of an account, by recorder.
pub(crate) async fn waiting(reader: &mut Connection, account: AccountId) -> Result<Vec<Recorded>, sqlx::Error> {
    let claims = claims(reader, account).await?;
    let sql = r#"
        SELECT recorder, received_at, fix FROM inbox_fix WHERE account = $1 AND fix IS NOT NULL ORDER BY recorder, fixed_at
    "#;
    let row = |row: &SqlRow| {
        let (received_at, bytes) = (Timestamp(row.get("received_at")?), row.get::<Vec<u8>>("fix")?);
        let received = packed::unpack(&bytes).next().map(|fix| (received_at, fix));
        Ok((row.get::<String>("recorder")?, received))
    };
    let mut by_recorder: BTreeMap<String, Vec<(Timestamp, Fix)>> = BTreeMap::new();
    for (recorder, received) in sql::query(sql).bind(account).rows(reader, row).await? {
        by_recorder.entry(recorder).or_default().extend(received);
    }
    let recorded = |(recorder, all): (String, Vec<(Timestamp, Fix)>)| {
        let claimed = claims.get(&recorder).map_or(Vec::new(), |claim| claim.of(&all));
        // What was claimed may be taken already.
        let is_claimed = !claimed.is_empty();
        let received = if is_claimed { claimed } else { all };
        let received_at = received.iter().map(|(received_at, _)| *received_at).max()?;
        Some(Recorded { recorder, fixes: received.into_iter().map(|(_, fix)| fix).collect(), received_at, is_claimed })
    };
    Ok(by_recorder.into_iter().filter_map(recorded).collect())
}

impl Portion {
    /// Returns what is part of it.
    fn of(&self, received: &[(Timestamp, Fix)]) -> Vec<(Timestamp, Fix)> {
        let is_part =
            |(received_at, fix): &&(Timestamp, Fix)| fix.fixed_at <= self.until && *received_at <= self.received_at;
        received.iter().filter(is_part).copied().collect()
    }
}

/// Returns the claims of an account by recorder.
async fn claims(reader: &mut Connection, account: AccountId) -> Result<BTreeMap<String, Portion>, sqlx::Error> {
    let sql = "SELECT recorder, until, received_at FROM inbox_claim WHERE account = $1";
    let row = |row: &SqlRow| {
        let (until, received_at) = (Timestamp(row.get("until")?), Timestamp(row.get("received_at")?));
        let recorder: String = row.get("recorder")?;
        Ok((recorder.clone(), Portion { recorder, until, received_at }))
    };
    Ok(sql::query(sql).bind(account).rows(reader, row).await?.into_iter().collect())
}

/// Claims fixes for a drive, unless others of the recorder are claimed or none waits.
pub(crate) async fn claim(writer: &mut Connection, account: AccountId, portion: &Portion) -> Result<(), sqlx::Error> {
    let sql = r#"
        INSERT INTO inbox_claim (account, recorder, until, received_at)
        SELECT account, recorder, $3, $4 FROM inbox_fix
        WHERE account = $1 AND recorder = $2 AND fixed_at = $3 AND fix IS NOT NULL
        ON CONFLICT (account, recorder) DO NOTHING
    "#;
    let Portion { recorder, until, received_at } = portion;
    let query = sql::query(sql).bind(account).bind(recorder.as_str()).bind(*until).bind(*received_at);
    query.execute(writer).await.map(drop)
}

/// Deletes the content of fixes, the newest first and at most [`TAKEN_AT_ONCE`], and forgets some of those that were taken before.
/// Returns whether there may be more to delete; the claim ends with the last of them.
pub(crate) async fn take(
    writer: &mut Connection,
    account: AccountId,
    portion: &Portion,
    now: Timestamp,
) -> Result<bool, sqlx::Error> {
    let Portion { recorder, until, received_at } = portion;
    let claim = claims(writer, account).await?.remove(recorder);
    let received_at = claim.as_ref().map_or(*received_at, |claim| claim.received_at.min(*received_at));
    // The last one that is not taken now. A list of the taken ones would be compared with every row by Postgres.
    let sql = r#"
        SELECT fixed_at FROM inbox_fix
        WHERE account = $1 AND recorder = $2 AND fixed_at <= $3 AND received_at <= $4 AND fix IS NOT NULL
        ORDER BY fixed_at DESC LIMIT 1 OFFSET $5
    "#;
    let query = sql::query(sql).bind(account).bind(recorder.as_str()).bind(*until).bind(received_at);
    let left = query.bind(column(TAKEN_AT_ONCE)).row(&mut *writer).await?;
    let left: Option<i64> = left.map(|row| row.get("fixed_at")).transpose()?;
    let sql = r#"
        UPDATE inbox_fix SET fix = NULL
        WHERE account = $1 AND recorder = $2 AND fixed_at > $3 AND fixed_at <= $4 AND received_at <= $5 AND fix IS NOT NULL
    "#;
    let query = sql::query(sql).bind(account).bind(recorder.as_str()).bind(left.unwrap_or(i64::MIN));
    let taken = query.bind(*until).bind(received_at).execute(&mut *writer).await?;
    let remembered = find(writer, account).await?.map_or(0, |inbox| inbox.remembered) + taken;
    let old = forget(writer, account, now + -REMEMBERED_MS, TAKEN_AT_ONCE).await?;
    let too_many = (remembered - old).saturating_sub(MAX_REMEMBERED);
    let forgotten = old + forget(writer, account, now, too_many.min(TAKEN_AT_ONCE)).await?;
    let sql = "UPDATE inbox SET waiting = waiting - $2, remembered = remembered + $2 - $3 WHERE account = $1";
    sql::query(sql).bind(account).bind(column(taken)).bind(column(forgotten)).execute(&mut *writer).await?;
    let has_more = left.is_some();
    if claim.is_some() && !has_more {
        let sql = r#"
            DELETE FROM inbox_claim
            WHERE account = $1 AND recorder = $2 AND (until <= $3 OR NOT EXISTS (
                SELECT 1 FROM inbox_fix WHERE account = $1 AND recorder = $2 AND fix IS NOT NULL
            ))
        "#;
        sql::query(sql).bind(account).bind(recorder.as_str()).bind(*until).execute(writer).await?;
    }
    Ok(has_more)
}

/// Forgets taken fixes that arrived before a time: the earliest ones up to this number, and those that arrived with the last of
/// them. Returns their number.
async fn forget(
    writer: &mut Connection,
    account: AccountId,
    before: Timestamp,
    count: u64,
) -> Result<u64, sqlx::Error> {
    let Some(last) = count.checked_sub(1) else { return Ok(0) };
    let sql = r#"
        SELECT received_at FROM inbox_fix WHERE account = $1 AND fix IS NULL AND received_at < $2
        ORDER BY received_at LIMIT 1 OFFSET $3
    "#;
    let through = sql::query(sql).bind(account).bind(before).bind(column(last)).row(&mut *writer).await?;
    let through = through.map(|row| row.get("received_at")).transpose()?.map_or(before + -1, Timestamp);
    let sql = "DELETE FROM inbox_fix WHERE account = $1 AND fix IS NULL AND received_at <= $2";
    sql::query(sql).bind(account).bind(through).execute(writer).await
}
