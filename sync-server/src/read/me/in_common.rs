//! `GET /v1/me/in-common/{person}`: the accounts that the viewer and another account both follow.

use axum::extract::State;
use axum::response::Response;

use crate::db::follows::PeopleList;
use crate::http::cursor::List;
use crate::http::error::ApiError;
use crate::http::path::Path;
use crate::http::query::{PageQuery, Query};
use crate::http::read_request::OwnRequest;
use crate::http::readers::AnswerReaders;
use crate::read::access_check;
use crate::read::people::lists::{PeoplePage, people};
use crate::read::schema::Refusals;

/// The accounts that I and another account both follow, those that it followed last first.
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
