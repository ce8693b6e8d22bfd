//! The table `profile`: who accounts say that they are.

use sqlx::SqliteConnection;
use tourismo_core::id::AccountId;

use super::column;

/// A profile as it is derived.
#[derive(Clone, Debug)]
pub(crate) struct ProfileRecord {
    pub(crate) account: AccountId,
    pub(crate) revision: u64,
    pub(crate) handle: String,
    pub(crate) display_name: String,
    pub(crate) bio: String,
}

/// Replaces the account's profile.
pub(crate) async fn replace(writer: &mut SqliteConnection, profile: &ProfileRecord) -> Result<(), sqlx::Error> {
    let sql = r#"
        INSERT INTO profile (account, revision, handle, display_name, bio) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (account) DO UPDATE SET
            revision = excluded.revision, handle = excluded.handle, display_name = excluded.display_name,
            bio = excluded.bio
    "#;
    sqlx::query(sql)
        .bind(profile.account.as_bytes().as_slice())
        .bind(column(profile.revision))
        .bind(&profile.handle)
        .bind(&profile.display_name)
        .bind(&profile.bio)
        .execute(writer)
        .await?;
    Ok(())
}

/// Removes the account's profile, if it has one.
pub(crate) async fn remove(writer: &mut SqliteConnection, account: AccountId) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM profile WHERE account = $1").bind(account.as_bytes().as_slice()).execute(writer).await?;
    Ok(())
}
