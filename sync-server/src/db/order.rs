//! The order of public drives within an hour, in which no author can choose a position.
//!
//! Within an hour accounts are ordered by a keyed hash, and an account's drives after its first [`FIRST`] come after
//! the drives of all others. Otherwise an author who chooses ids could be first, and one who publishes a thousand
//! drives could fill the hour.

use sqlx::AssertSqlSafe;
use tourismo_core::id::{AccountId, DocId};
use tourismo_core::time::Timestamp;

use super::relay::{self, Secret};
use super::sql::{self, Connection, SqlRow};
use super::{doc_in, time_in};

/// The number of an account's drives in an hour that are ordered among those of others.
pub(crate) const FIRST: usize = 3;

/// The hour by which drives are ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hour {
    /// The hour of the start.
    Driven,
    /// The hour in which the drive got its present visibility.
    Shown,
}

impl Hour {
    const ALL: [Hour; 2] = [Hour::Driven, Hour::Shown];

    /// Returns the columns of the hour and of the position within it.
    pub(crate) const fn columns(self) -> (&'static str, &'static str) {
        match self {
            Hour::Driven => ("sort_at", "place"),
            Hour::Shown => ("shown_at", "shown_place"),
        }
    }
}

/// Returns the positions of an account's drives in an hour: of the first ones, and of any others.
fn places(secret: &Secret, account: AccountId, hour: Timestamp) -> (i64, i64) {
    let hash =
        secret.hash("order of an hour", [account.as_bytes().as_slice(), hour.as_millis().to_be_bytes().as_slice()]);
    let mut first = [0; 8];
    first.copy_from_slice(&hash[..8]);
    let rank = i64::from_be_bytes(first) & (i64::MAX >> 1);
    (rank | (1 << 62), rank)
}

/// Sets the positions of an account's public drives in the present and former hours of a drive. Must be called whenever
/// a drive was written or removed; reads and writes a few rows, however many drives exist.
pub(crate) async fn settle(
    writer: &mut Connection,
    account: AccountId,
    hours: &[(Hour, Timestamp)],
) -> Result<(), sqlx::Error> {
    if hours.is_empty() {
        return Ok(());
    }
    let secret = relay::secret(writer).await?;
    for (by, hour) in hours {
        let (_, place) = by.columns();
        let (among, behind) = places(&secret, account, *hour);
        // One more than are first, because another drive may have displaced it.
        for (index, (doc, stored)) in first_of(writer, account, *by, *hour).await?.into_iter().enumerate() {
            let due = if index < FIRST { among } else { behind };
            if stored != due {
                let sql = format!("UPDATE published_drive SET {place} = $1 WHERE account = $2 AND doc = $3");
                sql::query(AssertSqlSafe(sql)).bind(due).bind(account).bind(doc).execute(writer).await?;
            }
        }
    }
    Ok(())
}

/// Returns the first drives of an account in an hour and the next one, with their positions.
async fn first_of(
    reader: &mut Connection,
    account: AccountId,
    by: Hour,
    hour: Timestamp,
) -> Result<Vec<(DocId, i64)>, sqlx::Error> {
    let (at, place) = by.columns();
    let sql = format!(
        r#"
        SELECT doc, {place} AS place FROM published_drive
        WHERE account = $1 AND {at} = $2 AND visibility = 2
        ORDER BY doc LIMIT {}"#,
        FIRST + 1
    );
    let read = |row: &SqlRow| Ok((doc_in(row, "doc")?, row.get("place")?));
    sql::query(AssertSqlSafe(sql)).bind(account).bind(hour).rows(reader, read).await
}

/// Returns the hours of a public drive; none if it does not exist or is not public.
pub(crate) async fn hours_of(
    reader: &mut Connection,
    account: AccountId,
    doc: DocId,
) -> Result<Vec<(Hour, Timestamp)>, sqlx::Error> {
    let sql = "SELECT sort_at, shown_at FROM published_drive WHERE account = $1 AND doc = $2 AND visibility = 2";
    let row = sql::query(sql).bind(account).bind(doc).row(reader).await?;
    let Some(row) = row else { return Ok(Vec::new()) };
    Hour::ALL.into_iter().map(|by| Ok((by, time_in(&row, by.columns().0)?))).collect()
}

/// Returns the position of a drive before it is settled: after the first ones.
pub(crate) async fn places_behind(
    reader: &mut Connection,
    account: AccountId,
    hours: [Timestamp; 2],
) -> Result<[i64; 2], sqlx::Error> {
    let secret = relay::secret(reader).await?;
    Ok(hours.map(|hour| places(&secret, account, hour).1))
}

/// Returns whether a public drive has its right position.
pub(crate) async fn is_settled(reader: &mut Connection, account: AccountId, doc: DocId) -> Result<bool, sqlx::Error> {
    let secret = relay::secret(reader).await?;
    for (by, hour) in hours_of(reader, account, doc).await? {
        let (among, behind) = places(&secret, account, hour);
        let first = first_of(reader, account, by, hour).await?;
        let due = match first.iter().position(|(first, _)| *first == doc) {
            Some(index) if index < FIRST => among,
            Some(_) | None => behind,
        };
        let sql = format!("SELECT {} FROM published_drive WHERE account = $1 AND doc = $2", by.columns().1);
        let place: i64 = sql::query_scalar(AssertSqlSafe(sql)).bind(account).bind(doc).fetch_one(reader).await?;
        if place != due {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_that_publishes_much_stands_behind_everybody_and_every_hour_is_ordered_anew() {
        let secret = Secret([7; 32]);
        let account = |number: u8| AccountId::from_bytes([number; 16]);
        let hour = |number: i64| Timestamp(number * 3_600_000);
        let order = |secret: &Secret, at: i64| {
            let mut accounts: Vec<u8> = (0..20).collect();
            accounts.sort_by_key(|number| places(secret, account(*number), hour(at)).0);
            accounts
        };
        assert!(order(&secret, 1) != order(&secret, 2) && order(&secret, 1) != order(&Secret([8; 32]), 1));
        let all: Vec<_> = (0..20).map(|number| places(&secret, account(number), hour(1))).collect();
        assert!(all.iter().all(|(among, _)| all.iter().all(|(_, behind)| among > behind && *behind >= 0)));
    }
}
