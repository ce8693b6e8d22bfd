//! Invitations for relays on which not everybody may make an account.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};

use super::answers::{InvitationBody, InvitationsBody, NewInvitationBody};
use crate::db::invitations::{self, CodeHash};
use crate::db::sql::Pool;
use crate::http::error::ApiError;
use crate::runtime::random;
use crate::writer::{InvitationAct, Writer};

/// The number of invitations of an answer.
const MOST: u32 = 100;

/// Maximum number of accounts of an invitation, of its days, and of characters of a note.
const MAX_USES: u32 = 1_000;
const MAX_DAYS: u32 = 365;
const MAX_NOTE: usize = 200;

/// The invitations, the newest first, without their codes.
pub(super) async fn invitations(State(readers): State<Pool>) -> Result<Json<InvitationsBody>, ApiError> {
    let found = invitations::list(&mut readers.acquire().await?, MOST).await?;
    let invitations = found.into_iter().map(|(invitation, used)| InvitationBody::new(invitation, used, None));
    Ok(Json(InvitationsBody { invitations: invitations.collect() }))
}

/// Makes an invitation, and returns its code once.
pub(super) async fn create(State(writer): State<Writer>, body: Bytes) -> Result<Json<InvitationBody>, ApiError> {
    let NewInvitationBody { note, uses, days } = super::parsed(&body)?;
    if !(1..=MAX_USES).contains(&uses) || !(1..=MAX_DAYS).contains(&days) || note.chars().count() > MAX_NOTE {
        return Err(ApiError::bad_body(
            "An invitation has 1 to 1,000 uses, 1 to 365 days, and a note of 200 characters.",
        ));
    }
    let code = invitations::code_of(random());
    let hash = CodeHash::of(&code).ok_or_else(ApiError::internal)?;
    let note = note.trim().to_owned();
    let created = writer.invite(InvitationAct::Create { hash, uses, days, note }).await;
    let created = created.map_err(|_| ApiError::unavailable())?.ok_or_else(ApiError::internal)?;
    tracing::info!(number = created.number, uses, "an operator invited");
    Ok(Json(InvitationBody::new(created, 0, Some(code))))
}

/// Revokes an invitation. Accounts that used it stay.
pub(super) async fn revoke(
    State(writer): State<Writer>,
    Path(number): Path<u64>,
) -> Result<Json<InvitationBody>, ApiError> {
    let revoked = writer.invite(InvitationAct::Revoke(number)).await.map_err(|_| ApiError::unavailable())?;
    let revoked = revoked.ok_or_else(ApiError::not_found)?;
    tracing::info!(number, "an operator revoked an invitation");
    Ok(Json(InvitationBody::new(revoked, 0, None)))
}
