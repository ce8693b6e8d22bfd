//! What accounts use.

use axum::Json;
use axum::extract::{Path, State};
use tourismo_core::handle_name;
use tourismo_core::id::AccountId;

use super::answers::{AccountBody, AccountsBody};
use crate::db::sql::{Connection, Pool};
use crate::db::{accounts, decisions, profiles};
use crate::http::error::ApiError;

/// The number of accounts of an answer.
const MOST: u32 = 50;

/// The accounts that use most bytes.
pub(super) async fn accounts(State(readers): State<Pool>) -> Result<Json<AccountsBody>, ApiError> {
    let mut reader = readers.snapshot().await?;
    let mut found = Vec::new();
    for account in accounts::largest(&mut reader, MOST).await? {
        found.push(usage(&mut reader, account).await?);
    }
    Ok(Json(AccountsBody { accounts: found }))
}

/// What one account uses, by its id or its handle, also while it is suspended.
pub(super) async fn account(
    State(readers): State<Pool>,
    Path(name): Path<String>,
) -> Result<Json<AccountBody>, ApiError> {
    let mut reader = readers.snapshot().await?;
    let account = match name.parse::<AccountId>() {
        Ok(account) if accounts::exists(&mut reader, account).await? => Some(account),
        Ok(_) => None,
        Err(_) => match handle_name::fold(&name) {
            Some(folded) => profiles::claimant(&mut reader, &folded).await?,
            None => None,
        },
    };
    let account = account.ok_or_else(ApiError::not_found)?;
    Ok(Json(usage(&mut reader, account).await?))
}

async fn usage(reader: &mut Connection, account: AccountId) -> Result<AccountBody, sqlx::Error> {
    let log = accounts::log(reader, account).await?;
    let profile = profiles::find(reader, account).await?;
    let handle = profile.and_then(|profile| profile.withheld_handle.or(Some(profile.handle)));
    Ok(AccountBody {
        account,
        handle: handle.filter(|handle| !handle.is_empty()),
        is_suspended: decisions::is_suspended(reader, account).await?,
        devices: accounts::devices(reader, account).await?,
        documents: log.usage.documents,
        changes: log.usage.changes,
        bytes: log.usage.bytes,
        founded_at: accounts::founded_at(reader, account).await?,
    })
}
