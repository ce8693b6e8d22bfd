//! The table `profile`: who accounts say that they are.

use tourismo_core::id::AccountId;

use super::sql::{self, Connection};
use super::{column, position};

/// A profile as it is derived.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ProfileRecord {
    pub(crate) account: AccountId,
    pub(crate) revision: u64,
    pub(crate) handle: String,
    pub(crate) display_name: String,
    pub(crate) bio: String,
}

/// Replaces the account's profile.
pub(crate) async fn replace(writer: &mut Connection, profile: &ProfileRecord) -> Result<(), sqlx::Error> {
    let sql = r#"
        INSERT INTO profile (account, revision, handle, display_name, bio) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (account) DO UPDATE SET
            revision = excluded.revision, handle = excluded.handle, display_name = excluded.display_name,
            bio = excluded.bio
    "#;
    sql::query(sql)
        .bind(profile.account.as_bytes().as_slice())
        .bind(column(profile.revision))
        .bind(profile.handle.as_str())
        .bind(profile.display_name.as_str())
        .bind(profile.bio.as_str())
        .execute(writer)
        .await?;
    Ok(())
}

/// Removes the account's profile, if it has one.
pub(crate) async fn remove(writer: &mut Connection, account: AccountId) -> Result<(), sqlx::Error> {
    sql::query("DELETE FROM profile WHERE account = $1").bind(account.as_bytes().as_slice()).execute(writer).await?;
    Ok(())
}

/// The account's profile, if it has one.
pub(crate) async fn find(reader: &mut Connection, account: AccountId) -> Result<Option<ProfileRecord>, sqlx::Error> {
    let row: Option<(i64, String, String, String)> =
        sql::query("SELECT revision, handle, display_name, bio FROM profile WHERE account = $1")
            .bind(account.as_bytes().as_slice())
            .fetch_optional(reader)
            .await?;
    let read = |(revision, handle, display_name, bio)| {
        Ok(ProfileRecord { account, revision: position("revision", revision)?, handle, display_name, bio })
    };
    row.map(read).transpose()
}

/// How many profiles there are.
pub(crate) async fn count(reader: &mut Connection) -> Result<u64, sqlx::Error> {
    position("count", sql::query_scalar("SELECT COUNT(*) FROM profile").fetch_one(reader).await?)
}

/// Removes all profiles, to be derived again.
pub(crate) async fn remove_all(writer: &mut Connection) -> Result<(), sqlx::Error> {
    sql::query("DELETE FROM profile").execute(writer).await.map(drop)
}
