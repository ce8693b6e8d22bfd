//! `POST /v1/invitations/redeem`: lets a new account in by the code of an invitation, before its first connection.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use tourismo_core::id::AccountId;
use utoipa::ToSchema;

use crate::clients::limits::Registration;
use crate::db::invitations::CodeHash;
use crate::http::error::ApiError;
use crate::http::read_request::ReadRequest;
use crate::read::schema::Refusals;
use crate::writer::Writer;

/// Maximum size of a body, bytes.
const MAX_BODY: usize = 1 << 10;

/// A code for an account.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct Redemption {
    /// The code of the invitation, in any spelling.
    code: String,
    /// The account, which need not exist. Its id derives from the key of its first device.
    #[schema(value_type = String, format = Uuid)]
    account: AccountId,
}

/// Lets an account in by an invitation, so that its first device can connect. Again for the same account changes nothing. `[O8]`
#[utoipa::path(
    post, path = "/v1/invitations/redeem", tag = "invitations", security(()),
    request_body = Redemption,
    responses(
        (status = 204, description = "The account may connect."),
        Refusals
    )
)]
pub(crate) async fn redeem(
    State(writer): State<Writer>,
    State(registration): State<Registration>,
    mut request: ReadRequest,
    body: Bytes,
) -> Result<StatusCode, ApiError> {
    if body.len() > MAX_BODY {
        return Err(ApiError::bad_body("The body has at most 1 KiB."));
    }
    let Redemption { code, account } =
        serde_json::from_slice(&body).map_err(|error| ApiError::bad_body(&error.to_string()))?;
    match registration {
        Registration::Open => return Ok(StatusCode::NO_CONTENT),
        Registration::Closed => return Err(ApiError::registration_closed()),
        Registration::Invite => {}
    }
    request.release_permit();
    let hash = CodeHash::of(&code).ok_or_else(ApiError::bad_invitation)?;
    let is_invited = writer.redeem(hash, account).await.map_err(|_| ApiError::unavailable())?;
    if is_invited { Ok(StatusCode::NO_CONTENT) } else { Err(ApiError::bad_invitation()) }
}
