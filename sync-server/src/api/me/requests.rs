//! `GET /v1/me/requests`: who waits to be accepted as a follower.

use axum::extract::State;
use axum::response::Response;

use crate::api::ApiError;
use crate::api::access_check::Person;
use crate::api::cursor::List;
use crate::api::people::lists::{PeoplePage, people};
use crate::api::query::{PageQuery, Query};
use crate::api::read_request::OwnRequest;
use crate::api::schema::Refusals;
use crate::db::follows::PeopleList;
use crate::state::AnswerReaders;

/// Who says to follow me and waits to be accepted, the latest first.
#[utoipa::path(
    get, path = "/v1/me/requests", tag = "me", security(("token" = [])), params(PageQuery),
    responses((status = 200, description = "A page of people.", body = PeoplePage), Refusals)
)]
pub(crate) async fn requests(
    State(readers): State<AnswerReaders>,
    OwnRequest { me, request }: OwnRequest,
    Query(paging): Query<PageQuery>,
) -> Result<Response, ApiError> {
    let mut reader = readers.acquire().await?;
    people(&mut reader, &request, &paging, Person::own_account(me), PeopleList::Requests, List::Requests).await
}
