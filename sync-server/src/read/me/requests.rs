//! `GET /v1/me/requests`: followers who wait for acceptance.

use axum::extract::State;
use axum::response::Response;

use crate::db::follows::PeopleList;
use crate::http::cursor::List;
use crate::http::error::ApiError;
use crate::http::query::{PageQuery, Query};
use crate::http::read_request::OwnRequest;
use crate::http::readers::AnswerReaders;
use crate::read::access_check::Person;
use crate::read::people::lists::{PeoplePage, people};
use crate::read::schema::Refusals;

/// My followers who wait for acceptance, the latest first.
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
