//! The table `profile`: who accounts say that they are, and who has which handle.
//!
//! Of those who claim handles that look alike, in whatever spelling, the first has it: by the relay's clock, at the moment when the claim
//! came. When it lets go of it the next one has it.

use sqlx::AssertSqlSafe;
use tourismo_core::handle;
use tourismo_core::id::{AccountId, DocId};
use tourismo_core::time::Timestamp;

use super::follows::not_blocked_by;
use super::sql::{self, Connection, Row};
use super::{account_in, column, doc_in, position, time_in};

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

impl ProfileRecord {
    fn folded(&self) -> Option<String> {
        handle::fold(&self.handle)
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
    let sql = r#"
        INSERT INTO profile
            (account, doc, revision, handle, display_name, bio, by_approval, folded, claimed_at, skeleton, holds)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0)
        ON CONFLICT (account) DO UPDATE SET
            doc = excluded.doc, revision = excluded.revision, handle = excluded.handle,
            display_name = excluded.display_name, bio = excluded.bio, by_approval = excluded.by_approval,
            folded = excluded.folded, claimed_at = excluded.claimed_at, skeleton = excluded.skeleton, holds = 0
    "#;
    sql::query(sql)
        .bind(profile.account)
        .bind(profile.doc)
        .bind(column(profile.revision))
        .bind(profile.handle.as_str())
        .bind(profile.display_name.as_str())
        .bind(profile.bio.as_str())
        .bind(i64::from(profile.by_approval))
        .bind(folded.as_deref())
        .bind(profile.claimed_at)
        .bind(skeleton.as_deref())
        .execute(writer)
        .await?;
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
    let sql = r#"
        SELECT doc, revision, handle, display_name, bio, by_approval, folded, skeleton, claimed_at FROM profile
        WHERE account = $1
    "#;
    let Some(row) = sql::query(sql).bind(account).row(reader).await? else { return Ok(None) };
    let record = ProfileRecord {
        account,
        doc: doc_in(&row, "doc")?,
        revision: position("revision", row.get("revision")?)?,
        handle: row.get("handle")?,
        display_name: row.get("display_name")?,
        bio: row.get("bio")?,
        by_approval: row.get::<i64>("by_approval")? == 1,
        claimed_at: time_in(&row, "claimed_at")?,
    };
    // One that would be found by another name is not what was derived.
    let folded = record.folded();
    let is_in_place = row.get::<Option<String>>("skeleton")? == folded.as_deref().map(skeleton)
        && row.get::<Option<String>>("folded")? == folded;
    Ok(is_in_place.then_some(record))
}

const ROW: &str = "SELECT account, handle, folded, holds, display_name, bio, by_approval FROM profile ";

/// The account's profile, if it has one.
pub(crate) async fn find(reader: &mut Connection, account: AccountId) -> Result<Option<ProfileRow>, sqlx::Error> {
    let sql = [ROW, "WHERE account = $1"].concat();
    sql::query(AssertSqlSafe(sql)).bind(account).row(reader).await?.map(|row| profile_row(&row)).transpose()
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
    let sql = format!(
        "{ROW} WHERE folded >= $1 AND folded < $2 AND folded > $3 AND holds = 1 AND {} ORDER BY folded LIMIT $5",
        not_blocked_by("profile.account", 4)
    );
    sql::query(AssertSqlSafe(sql))
        .bind(prefix)
        .bind(end.as_str())
        .bind(after)
        .bind(viewer)
        .bind(i64::from(limit))
        .rows(reader, profile_row)
        .await
}

fn profile_row(row: &Row) -> Result<ProfileRow, sqlx::Error> {
    Ok(ProfileRow {
        account: account_in(row, "account")?,
        handle: row.get("handle")?,
        folded: row.get("folded")?,
        holds: row.get::<i64>("holds")? == 1,
        display_name: row.get("display_name")?,
        bio: row.get("bio")?,
        by_approval: row.get::<i64>("by_approval")? == 1,
    })
}

/// How many profiles there are.
pub(crate) async fn count(reader: &mut Connection) -> Result<u64, sqlx::Error> {
    position("count", sql::query_scalar("SELECT COUNT(*) FROM profile").fetch_one(reader).await?)
}

/// Removes all profiles, to be derived again.
pub(crate) async fn remove_all(writer: &mut Connection) -> Result<(), sqlx::Error> {
    sql::query("DELETE FROM profile").execute(writer).await.map(drop)
}
