//! `GET /v1/people/{person}/followers` and `/following`: lists of people, the latest first.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use tourismo_core::id::AccountId;
use tourismo_core::time::Timestamp;
use utoipa::ToSchema;

use crate::Relay;
use crate::api::asked::{Asked, page};
use crate::api::cursor::List;
use crate::api::path::Path;
use crate::api::schema::{PageParameters, Refusals};
use crate::api::{ApiError, reach};
use crate::db::follows::{self, PeopleList, PersonRow};
use crate::db::sql::Connection;

/// A person in a list.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PersonItem {
    #[schema(value_type = String, format = Uuid)]
    account: AccountId,
    handle: Option<String>,
    display_name: Option<String>,
    /// Since when the one follows the other, milliseconds since 1970 UTC.
    #[schema(value_type = i64)]
    since: Timestamp,
    /// Whether the viewer follows this person.
    is_followed: bool,
}

/// A page of people.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PeoplePage {
    people: Vec<PersonItem>,
    /// For the parameter `after` of the next page; absent on the last one.
    next: Option<String>,
}

/// Whose follow counts, the latest first.
#[utoipa::path(
    get, path = "/v1/people/{person}/followers", tag = "people", security((), ("token" = [])),
    params(("person" = String, Path, description = "A handle or an account's id."), PageParameters),
    responses((status = 200, body = PeoplePage), Refusals)
)]
pub(crate) async fn followers(
    State(relay): State<Arc<Relay>>,
    Path(name): Path<String>,
    asked: Asked,
) -> Result<Response, ApiError> {
    let mut reader = relay.readers.snapshot().await?;
    let person = reach::person(&mut reader, &asked, &name).await?;
    people(&mut reader, &asked, person.account, PeopleList::Followers, List::Followers).await
}

/// Whom a person follows, the latest first.
#[utoipa::path(
    get, path = "/v1/people/{person}/following", tag = "people", security((), ("token" = [])),
    params(("person" = String, Path, description = "A handle or an account's id."), PageParameters),
    responses((status = 200, body = PeoplePage), Refusals)
)]
pub(crate) async fn following(
    State(relay): State<Arc<Relay>>,
    Path(name): Path<String>,
    asked: Asked,
) -> Result<Response, ApiError> {
    let mut reader = relay.readers.snapshot().await?;
    let person = reach::person(&mut reader, &asked, &name).await?;
    people(&mut reader, &asked, person.account, PeopleList::Following, List::Following).await
}

/// A page of one of a person's lists.
pub(crate) async fn people(
    reader: &mut Connection,
    asked: &Asked,
    person: AccountId,
    which: PeopleList,
    list: List,
) -> Result<Response, ApiError> {
    let limit = asked.limit()?;
    let after = asked.after(list)?.unwrap_or((Timestamp(i64::MAX), AccountId::from_bytes([0xff; 16])));
    let rows = follows::list(reader, which, person, asked.viewer.account(), after, limit + 1).await?;
    let (rows, next) = page(rows, limit, list, |row| (row.since, row.account));
    asked.answer(&PeoplePage { people: rows.into_iter().map(item).collect(), next })
}

fn item(row: PersonRow) -> PersonItem {
    let PersonRow { account, since, author, is_followed } = row;
    PersonItem { account, handle: author.handle, display_name: author.display_name, since, is_followed }
}
