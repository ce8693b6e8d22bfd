//! `GET /v1/me/in-common/{person}`: whom oneself and somebody else both follow.

use axum::extract::State;
use axum::response::Response;

use crate::api::cursor::List;
use crate::api::path::Path;
use crate::api::people::lists::{PeoplePage, people};
use crate::api::query::{PageQuery, Query};
use crate::api::read_request::OwnRequest;
use crate::api::schema::Refusals;
use crate::api::{ApiError, access_check};
use crate::db::follows::PeopleList;
use crate::state::AnswerReaders;

/// Whom I and a person both follow, the latest whom they do first.
#[utoipa::path(
    get, path = "/v1/me/in-common/{person}", tag = "me", security(("token" = [])),
    params(("person" = String, Path, description = "A handle or an account's id."), PageQuery),
    responses((status = 200, description = "A page of people.", body = PeoplePage), Refusals)
)]
pub(crate) async fn in_common(
    State(readers): State<AnswerReaders>,
    Path(name): Path<String>,
    OwnRequest { request, .. }: OwnRequest,
    Query(paging): Query<PageQuery>,
) -> Result<Response, ApiError> {
    let mut reader = readers.snapshot().await?;
    let person = access_check::person(&mut reader, &request, &name).await?;
    people(&mut reader, &request, &paging, person, PeopleList::InCommon, List::InCommon).await
}
