//! The table `profile`: the profiles of accounts and the holders of handles.
//!
//! Of several accounts that claim handles that look alike, in any spelling, the first one holds the handle, by the
//! relay's time of the claim. When it releases the handle, the next one holds it.

use std::sync::LazyLock;

use sqlx::AssertSqlSafe;
use tourismo_core::handle_name;
use tourismo_core::id::{AccountId, DocId};
use tourismo_core::time::Timestamp;

use super::follows::not_blocked_by;
use super::sql::{self, Columns, Connection, Insert, columns};
use super::{account_in, doc_in, position};

/// A derived profile.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ProfileRecord {
    pub(crate) account: AccountId,
    pub(crate) doc: DocId,
    pub(crate) revision: u64,
    pub(crate) handle: String,
    pub(crate) display_name: String,
    pub(crate) bio: String,
    pub(crate) by_approval: bool,
    /// When the relay received the claim to the handle.
    pub(crate) claimed_at: Timestamp,
    /// The handle of a suspended account, whose `handle` is empty: nobody finds it, and nobody else gets it. `[O4]`
    pub(crate) withheld_handle: Option<String>,
}

/// A profile as shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProfileRow {
    pub(crate) account: AccountId,
    /// The handle as its owner writes it, held or not; may be empty.
    pub(crate) handle: String,
    /// The folded handle, if it is valid.
    pub(crate) folded: Option<String>,
    /// Whether the account holds the handle.
    pub(crate) holds: bool,
    pub(crate) display_name: String,
    pub(crate) bio: String,
    pub(crate) by_approval: bool,
    /// The handle of a suspended account.
    pub(crate) withheld_handle: Option<String>,
}

columns!(ProfileRecord { account, doc, revision, handle, display_name, bio, by_approval, claimed_at, withheld_handle });
columns!(ProfileRow { account, handle, folded, holds, display_name, bio, by_approval, withheld_handle });

static REPLACE: LazyLock<Insert> = LazyLock::new(|| {
    let columns = [ProfileRecord::list(), vec!["folded", "skeleton", "holds"]].concat();
    Insert::or_replace("profile", &columns, 1)
});

impl ProfileRecord {
    fn folded(&self) -> Option<String> {
        handle_name::fold(&self.handle)
    }

    /// Returns the text that is equal for handles that look like the claimed one, shown or withheld.
    fn skeleton(&self) -> Option<String> {
        let claimed = self.withheld_handle.as_deref().unwrap_or(&self.handle);
        handle_name::fold(claimed).as_deref().map(skeleton)
    }
}

/// Returns the text that is equal for handles that look alike (Unicode Technical Standard 39).
fn skeleton(folded: &str) -> String {
    unicode_security::skeleton(folded).collect()
}

/// Inserts or replaces the account's profile.
pub(crate) async fn replace(writer: &mut Connection, profile: &ProfileRecord) -> Result<(), sqlx::Error> {
    let (before, folded) = (skeleton_of(writer, profile.account).await?, profile.folded());
    let skeleton = profile.skeleton();
    let mut bulk = REPLACE.rows();
    // Nobody holds the handle until the holder is settled.
    let beside = [folded.as_deref().into(), skeleton.as_deref().into(), 0.into()];
    bulk.row(profile.values().into_iter().chain(beside));
    bulk.execute(writer).await?;
    if let Some(before) = before.filter(|before| Some(before) != skeleton.as_ref()) {
        settle(writer, &before).await?;
    }
    match skeleton {
        Some(skeleton) => settle(writer, &skeleton).await,
        None => Ok(()),
    }
}

async fn skeleton_of(writer: &mut Connection, account: AccountId) -> Result<Option<String>, sqlx::Error> {
    let sql = "SELECT skeleton FROM profile WHERE account = $1";
    let skeleton: Option<Option<String>> = sql::query_scalar(sql).bind(account).fetch_optional(writer).await?;
    Ok(skeleton.flatten())
}

/// Gives a handle with this skeleton to the account that claimed it first.
async fn settle(writer: &mut Connection, skeleton: &str) -> Result<(), sqlx::Error> {
    let sql = "SELECT account FROM profile WHERE skeleton = $1 ORDER BY claimed_at, account LIMIT 1";
    let first: Option<Vec<u8>> = sql::query_scalar(sql).bind(skeleton).fetch_optional(writer).await?;
    let Some(first) = first else { return Ok(()) };
    // One account must release the handle before another one can hold it.
    let sql = "UPDATE profile SET holds = 0 WHERE skeleton = $1 AND holds = 1 AND account <> $2";
    sql::query(sql).bind(skeleton).bind(first.as_slice()).execute(writer).await?;
    sql::query("UPDATE profile SET holds = 1 WHERE account = $1 AND holds = 0").bind(first).execute(writer).await?;
    Ok(())
}

/// Returns the documents of profiles that wrongly hold, or wrongly do not hold, their handle.
pub(crate) async fn wrong_holders(reader: &mut Connection) -> Result<Vec<DocId>, sqlx::Error> {
    let sql = r#"
        SELECT profile.doc FROM profile
        WHERE profile.holds <> CASE
            WHEN profile.skeleton IS NULL THEN 0
            WHEN EXISTS (
                SELECT 1 FROM profile other
                WHERE other.skeleton = profile.skeleton
                    AND (other.claimed_at, other.account) < (profile.claimed_at, profile.account)
            ) THEN 0
            ELSE 1
        END
        ORDER BY profile.account
    "#;
    sql::query(sql).rows(reader, |row| doc_in(row, "doc")).await
}

/// Returns the account's derived profile, if it has one.
pub(crate) async fn record(reader: &mut Connection, account: AccountId) -> Result<Option<ProfileRecord>, sqlx::Error> {
    let columns = ProfileRecord::of("profile");
    let sql = format!("SELECT {columns}, folded, skeleton FROM profile WHERE account = $1");
    let Some(row) = sql::query(AssertSqlSafe(sql)).bind(account).row(reader).await? else { return Ok(None) };
    let record = ProfileRecord::from_row(&row)?;
    // A profile that is found under another name differs from the derived one.
    let is_in_place = row.get::<Option<String>>("skeleton")? == record.skeleton()
        && row.get::<Option<String>>("folded")? == record.folded();
    Ok(is_in_place.then_some(record))
}

/// Returns the account's profile, if it has one.
pub(crate) async fn find(reader: &mut Connection, account: AccountId) -> Result<Option<ProfileRow>, sqlx::Error> {
    let sql = format!("SELECT {} FROM profile WHERE account = $1", ProfileRow::of("profile"));
    let row = sql::query(AssertSqlSafe(sql)).bind(account).row(reader).await?;
    row.map(|row| ProfileRow::from_row(&row)).transpose()
}

/// Returns the holder of a handle.
pub(crate) async fn holder(reader: &mut Connection, folded: &str) -> Result<Option<AccountId>, sqlx::Error> {
    let row =
        sql::query("SELECT account FROM profile WHERE folded = $1 AND holds = 1").bind(folded).row(reader).await?;
    row.map(|row| account_in(&row, "account")).transpose()
}

/// Returns the account that would hold a handle if it is not suspended.
pub(crate) async fn claimant(reader: &mut Connection, folded: &str) -> Result<Option<AccountId>, sqlx::Error> {
    let sql = "SELECT account FROM profile WHERE skeleton = $1 AND holds = 1";
    let row = sql::query(sql).bind(skeleton(folded).as_str()).row(reader).await?;
    row.map(|row| account_in(&row, "account")).transpose()
}

/// Returns up to `limit` profiles whose handles have this prefix, after a handle, ordered by handle, without those of
/// accounts that the viewer blocks.
pub(crate) async fn search(
    reader: &mut Connection,
    prefix: &str,
    viewer: Option<AccountId>,
    after: &str,
    limit: u32,
) -> Result<Vec<ProfileRow>, sqlx::Error> {
    // Greater than every handle with this prefix.
    let end = format!("{prefix}{}", char::MAX);
    let (columns, not_blocked) = (ProfileRow::of("profile"), not_blocked_by("profile.account", 4));
    let sql = format!(
        r#"
        SELECT {columns} FROM profile
        WHERE folded >= $1 AND folded < $2 AND folded > $3 AND holds = 1 AND {not_blocked} ORDER BY folded LIMIT $5
        "#
    );
    sql::query(AssertSqlSafe(sql))
        .bind(prefix)
        .bind(end.as_str())
        .bind(after)
        .bind(viewer)
        .bind(i64::from(limit))
        .rows(reader, ProfileRow::from_row)
        .await
}

/// Returns the number of profiles.
pub(crate) async fn count(reader: &mut Connection) -> Result<u64, sqlx::Error> {
    position("count", sql::query_scalar("SELECT COUNT(*) FROM profile").fetch_one(reader).await?)
}

/// Removes all profiles, so that they can be derived again.
pub(crate) async fn remove_all(writer: &mut Connection) -> Result<(), sqlx::Error> {
    sql::query("DELETE FROM profile").execute(writer).await.map(drop)
}
