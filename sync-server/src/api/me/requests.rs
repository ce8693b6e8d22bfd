//! `GET /v1/me/requests`: who waits to be accepted as a follower.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;

use crate::Relay;
use crate::api::ApiError;
use crate::api::asked::Asked;
use crate::api::cursor::List;
use crate::api::people::lists::{PeoplePage, people};
use crate::api::reach::Person;
use crate::api::schema::{PageParameters, Refusals};
use crate::db::follows::PeopleList;

/// Who says to follow me and waits to be accepted, the latest first.
#[utoipa::path(
    get, path = "/v1/me/requests", tag = "me", security(("token" = [])), params(PageParameters),
    responses((status = 200, description = "A page of people.", body = PeoplePage), Refusals)
)]
pub(crate) async fn requests(State(relay): State<Arc<Relay>>, asked: Asked) -> Result<Response, ApiError> {
    let me = asked.me()?;
    people(&mut relay.readers.acquire().await?, &asked, Person::oneself(me), PeopleList::Requests, List::Requests).await
}
