//! The table `profile`: who accounts say that they are, and who has which handle.
//!
//! Of those who claim handles that look alike, in whatever spelling, the first has it: by the relay's clock, at the moment when the claim
//! came. When it lets go of it the next one has it.

use std::sync::LazyLock;

use sqlx::AssertSqlSafe;
use tourismo_core::handle_name;
use tourismo_core::id::{AccountId, DocId};
use tourismo_core::time::Timestamp;

use super::follows::not_blocked_by;
use super::sql::{self, Columns, Connection, Insert, columns};
use super::{account_in, doc_in, position};

/// A profile as it is derived.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ProfileRecord {
    pub(crate) account: AccountId,
    pub(crate) doc: DocId,
    pub(crate) revision: u64,
    pub(crate) handle: String,
    pub(crate) display_name: String,
    pub(crate) bio: String,
    pub(crate) by_approval: bool,
    /// When the relay heard of the claim to the handle.
    pub(crate) claimed_at: Timestamp,
}

/// A profile as it may be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProfileRow {
    pub(crate) account: AccountId,
    /// As its owner writes it, whether or not it is theirs; may be empty.
    pub(crate) handle: String,
    /// As it is compared, if it is one.
    pub(crate) folded: Option<String>,
    /// Whether the handle is theirs.
    pub(crate) holds: bool,
    pub(crate) display_name: String,
    pub(crate) bio: String,
    pub(crate) by_approval: bool,
}

columns!(ProfileRecord { account, doc, revision, handle, display_name, bio, by_approval, claimed_at });
columns!(ProfileRow { account, handle, folded, holds, display_name, bio, by_approval });

static REPLACE: LazyLock<Insert> = LazyLock::new(|| {
    let columns = [ProfileRecord::list(), vec!["folded", "skeleton", "holds"]].concat();
    Insert::or_replace("profile", &columns, 1)
});

impl ProfileRecord {
    fn folded(&self) -> Option<String> {
        handle_name::fold(&self.handle)
    }
}

/// What two handles have in common that look alike (Unicode Technical Standard 39): of those who claim one, the first has it.
fn skeleton(folded: &str) -> String {
    unicode_security::skeleton(folded).collect()
}

/// Replaces the account's profile.
pub(crate) async fn replace(writer: &mut Connection, profile: &ProfileRecord) -> Result<(), sqlx::Error> {
    let (before, folded) = (skeleton_of(writer, profile.account).await?, profile.folded());
    let skeleton = folded.as_deref().map(skeleton);
    let mut bulk = REPLACE.rows();
    // Nobody has the handle until it is settled who does.
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

/// Of the handles that look alike gives one to its holder: to whoever claimed one of them first.
async fn settle(writer: &mut Connection, skeleton: &str) -> Result<(), sqlx::Error> {
    let sql = "SELECT account FROM profile WHERE skeleton = $1 ORDER BY claimed_at, account LIMIT 1";
    let first: Option<Vec<u8>> = sql::query_scalar(sql).bind(skeleton).fetch_optional(writer).await?;
    let Some(first) = first else { return Ok(()) };
    // One lets go before the other takes it.
    let sql = "UPDATE profile SET holds = 0 WHERE skeleton = $1 AND holds = 1 AND account <> $2";
    sql::query(sql).bind(skeleton).bind(first.as_slice()).execute(writer).await?;
    sql::query("UPDATE profile SET holds = 1 WHERE account = $1 AND holds = 0").bind(first).execute(writer).await?;
    Ok(())
}

/// The documents of profiles that have a handle which is not theirs, or lack one that is.
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

/// The account's profile as it was derived, if it has one.
pub(crate) async fn record(reader: &mut Connection, account: AccountId) -> Result<Option<ProfileRecord>, sqlx::Error> {
    let columns = ProfileRecord::of("profile");
    let sql = format!("SELECT {columns}, folded, skeleton FROM profile WHERE account = $1");
    let Some(row) = sql::query(AssertSqlSafe(sql)).bind(account).row(reader).await? else { return Ok(None) };
    let record = ProfileRecord::from_row(&row)?;
    // One that would be found by another name is not what was derived.
    let folded = record.folded();
    let is_in_place = row.get::<Option<String>>("skeleton")? == folded.as_deref().map(skeleton)
        && row.get::<Option<String>>("folded")? == folded;
    Ok(is_in_place.then_some(record))
}

/// The account's profile, if it has one.
pub(crate) async fn find(reader: &mut Connection, account: AccountId) -> Result<Option<ProfileRow>, sqlx::Error> {
    let sql = format!("SELECT {} FROM profile WHERE account = $1", ProfileRow::of("profile"));
    let row = sql::query(AssertSqlSafe(sql)).bind(account).row(reader).await?;
    row.map(|row| ProfileRow::from_row(&row)).transpose()
}

/// Who has a handle.
pub(crate) async fn holder(reader: &mut Connection, folded: &str) -> Result<Option<AccountId>, sqlx::Error> {
    let row =
        sql::query("SELECT account FROM profile WHERE folded = $1 AND holds = 1").bind(folded).row(reader).await?;
    row.map(|row| account_in(&row, "account")).transpose()
}

/// Up to `limit` profiles whose handles begin so, by handle, after this one; without those whom the viewer
/// blocks.
pub(crate) async fn search(
    reader: &mut Connection,
    prefix: &str,
    viewer: Option<AccountId>,
    after: &str,
    limit: u32,
) -> Result<Vec<ProfileRow>, sqlx::Error> {
    // Above every handle that begins so.
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

/// How many profiles there are.
pub(crate) async fn count(reader: &mut Connection) -> Result<u64, sqlx::Error> {
    position("count", sql::query_scalar("SELECT COUNT(*) FROM profile").fetch_one(reader).await?)
}

/// Removes all profiles, to be derived again.
pub(crate) async fn remove_all(writer: &mut Connection) -> Result<(), sqlx::Error> {
    sql::query("DELETE FROM profile").execute(writer).await.map(drop)
}
