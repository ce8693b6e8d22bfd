//! `GET /v1/me/profile`: one's own profile as others see it, and whether the handle is one's own.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use tourismo_core::id::AccountId;
use utoipa::ToSchema;

use crate::Relay;
use crate::api::ApiError;
use crate::api::asked::Asked;
use crate::api::schema::Refusals;
use crate::db::profiles;

/// Whether a handle is whose profile says so.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum HandleState {
    /// The profile says none.
    None,
    /// It is no handle: 2 to 30 letters and digits, and `_`, `.`, `-` between them.
    HandleInvalid,
    /// Somebody else said it first, in this or another spelling. Others do not see it.
    HandleTaken,
    /// It is.
    Held,
}

/// One's own profile.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OwnProfile {
    #[schema(value_type = String, format = Uuid)]
    account: AccountId,
    /// As it is written, whether or not others see it; may be empty.
    handle: String,
    handle_state: HandleState,
    display_name: String,
    bio: String,
    /// Whether followers must be accepted.
    by_approval: bool,
}

/// My profile, and the state of my handle. `[R5]`
#[utoipa::path(
    get, path = "/v1/me/profile", tag = "me", security(("token" = [])),
    responses((status = 200, body = OwnProfile), Refusals)
)]
pub(crate) async fn own_profile(State(relay): State<Arc<Relay>>, asked: Asked) -> Result<Response, ApiError> {
    let me = asked.me()?;
    let profile = profiles::find(&mut relay.readers.acquire().await?, me).await?;
    let handle_state = match &profile {
        Some(profile) if profile.holds => HandleState::Held,
        Some(profile) if profile.folded.is_some() => HandleState::HandleTaken,
        Some(profile) if !profile.handle.is_empty() => HandleState::HandleInvalid,
        Some(_) | None => HandleState::None,
    };
    let (handle, display_name, bio, by_approval) = profile.map_or_else(Default::default, |profile| {
        (profile.handle, profile.display_name, profile.bio, profile.by_approval)
    });
    asked.answer(&OwnProfile { account: me, handle, handle_state, display_name, bio, by_approval })
}
