//! `GET /v1/recovery/{lookup}`: which account a recovery key belongs to, by a hash of its public half.
//!
//! Request and answer hold no secret. A client that knows the public key learns the id of the account; only the private key can
//! sign a grant.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use tourismo_core::id::AccountId;
use tourismo_core::membership::{RecoveryState, recovery_lookup};
use tourismo_core::time::Timestamp;
use utoipa::ToSchema;

use crate::db::membership;
use crate::http::error::ApiError;
use crate::http::path::Path;
use crate::http::read_request::ReadRequest;
use crate::http::readers::AnswerReaders;
use crate::read::schema::Refusals;
use crate::runtime::clock::Clock;

/// The account of a recovery key.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RecoverableAccount {
    #[schema(value_type = String, format = Uuid)]
    account: AccountId,
    /// From when on the recovery key counts, if it does not yet.
    #[schema(value_type = Option<i64>)]
    from: Option<Timestamp>,
}

/// The accounts of a recovery key.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RecoverableAccounts {
    /// Usually one.
    items: Vec<RecoverableAccount>,
}

/// The accounts that a recovery key can bring back. `lookup` is the SHA-256 of `tourismo recovery lookup v1` and the public
/// key, hexadecimal. `[G8]`
#[utoipa::path(
    get, path = "/v1/recovery/{lookup}", tag = "recovery", security(()),
    params(("lookup" = String, Path, description = "The hash of the public recovery key.")),
    responses((status = 200, description = "The accounts.", body = RecoverableAccounts), Refusals)
)]
pub(crate) async fn recoverable_accounts(
    State(readers): State<AnswerReaders>,
    State(clock): State<Arc<Clock>>,
    Path(lookup): Path<String>,
    request: ReadRequest,
) -> Result<Response, ApiError> {
    let wanted = parse(&lookup).ok_or_else(ApiError::not_found)?;
    let mut reader = readers.snapshot().await?;
    let mut items = Vec::new();
    for account in membership::accounts_of(&mut reader, wanted).await? {
        let members = membership::read(&mut reader, account).await?.evaluate(clock.now());
        for one in members.recovery_keys().filter(|one| recovery_lookup(&one.key) == wanted) {
            match one.state {
                RecoveryState::Effective => items.push(RecoverableAccount { account, from: None }),
                RecoveryState::Pending { until } => items.push(RecoverableAccount { account, from: Some(until) }),
                RecoveryState::Unsent | RecoveryState::Objected | RecoveryState::Revoked => {}
            }
        }
    }
    if items.is_empty() {
        return Err(ApiError::not_found());
    }
    request.answer(&RecoverableAccounts { items })
}

/// Reads 64 hexadecimal digits.
fn parse(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (byte, at) in bytes.iter_mut().zip((0..64).step_by(2)) {
        *byte = u8::from_str_radix(&text[at..at + 2], 16).ok()?;
    }
    Some(bytes)
}
