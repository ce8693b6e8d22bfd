//! `GET /v1/people/{person}`: the public profile of an account.

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use tourismo_core::id::AccountId;
use utoipa::ToSchema;

use crate::db::profiles;
use crate::http::error::ApiError;
use crate::http::path::Path;
use crate::http::read_request::ReadRequest;
use crate::http::readers::AnswerReaders;
use crate::read::access_check;
use crate::read::schema::Refusals;

/// The public profile of an account.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PersonBody {
    #[schema(value_type = String, format = Uuid)]
    account: AccountId,
    /// Absent if it has none, or if another account holds it.
    handle: Option<String>,
    display_name: String,
    bio: String,
    /// Whether followers must be accepted.
    by_approval: bool,
    /// Whether the viewer states to follow the account.
    is_followed: bool,
    /// Whether the account accepted the viewer, or lets everybody follow.
    is_accepted: bool,
}

/// The public profile of an account, by handle (in any spelling) or id.
#[utoipa::path(
    get, path = "/v1/people/{person}", tag = "people", security((), ("token" = [])),
    params(("person" = String, Path, description = "A handle or an account's id.")),
    responses((status = 200, description = "The person.", body = PersonBody), Refusals)
)]
pub(crate) async fn person(
    State(readers): State<AnswerReaders>,
    Path(name): Path<String>,
    request: ReadRequest,
) -> Result<Response, ApiError> {
    let mut reader = readers.snapshot().await?;
    let person = access_check::person(&mut reader, &request, &name).await?;
    let profile = profiles::find(&mut reader, person.account).await?;
    // Without a profile followers must be accepted.
    let none = || (None, String::new(), String::new(), true);
    let (handle, display_name, bio, by_approval) = profile.map_or_else(none, |profile| {
        (
            Some(profile.handle).filter(|handle| profile.holds && !handle.is_empty()),
            profile.display_name,
            profile.bio,
            profile.by_approval,
        )
    });
    request.answer(&PersonBody {
        account: person.account,
        handle,
        display_name,
        bio,
        by_approval,
        is_followed: person.relation.follows,
        is_accepted: person.relation.is_accepted,
    })
}
