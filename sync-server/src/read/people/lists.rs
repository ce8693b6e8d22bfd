//! `GET /v1/people/{person}/followers` and `/following`: lists of accounts, the latest first.

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use tourismo_core::id::AccountId;
use tourismo_core::time::Timestamp;
use utoipa::ToSchema;

use crate::db::follows::{self, PeopleList, PersonRow};
use crate::db::sql::Connection;
use crate::http::cursor::{self, List};
use crate::http::error::ApiError;
use crate::http::page::{Listed, Page};
use crate::http::path::Path;
use crate::http::query::{PageQuery, Query};
use crate::http::read_request::ReadRequest;
use crate::http::readers::AnswerReaders;
use crate::read::access_check;
use crate::read::access_check::Person;
use crate::read::schema::Refusals;

/// An account in a list.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PersonItem {
    #[schema(value_type = String, format = Uuid)]
    account: AccountId,
    handle: Option<String>,
    display_name: Option<String>,
    /// The time since when the one follows the other, milliseconds since 1970 UTC.
    #[schema(value_type = i64)]
    since: Timestamp,
    /// Whether the viewer follows this account.
    is_followed: bool,
}

/// Fields about the whole list.
#[derive(Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PeopleHead {
    /// Whether this list is hidden from the viewer: the account approves its followers, and has not accepted the
    /// viewer.
    is_hidden: bool,
}

impl Listed for PersonItem {
    const LIST: &'static str = "people";
    const PAGE: &'static str = "PeoplePage";
    const DESCRIPTION: &'static str = "A page of people.";
    type Schema = PersonItem;
}

/// A page of accounts.
pub(crate) type PeoplePage = Page<PersonItem, PeopleHead>;

/// The followers of an account who count, the latest first.
///
/// The lists of an account that approves its followers are visible to itself and to its accepted followers. In other
/// lists, such an account is shown to those and to the owner of the list only.
#[utoipa::path(
    get, path = "/v1/people/{person}/followers", tag = "people", security((), ("token" = [])),
    params(("person" = String, Path, description = "A handle or an account's id."), PageQuery),
    responses((status = 200, description = "A page of people.", body = PeoplePage), Refusals)
)]
pub(crate) async fn followers(
    State(readers): State<AnswerReaders>,
    Path(name): Path<String>,
    request: ReadRequest,
    Query(paging): Query<PageQuery>,
) -> Result<Response, ApiError> {
    let mut reader = readers.snapshot().await?;
    let person = access_check::person(&mut reader, &request, &name).await?;
    people(&mut reader, &request, &paging, person, PeopleList::Followers, List::Followers).await
}

/// The accounts that an account follows, the latest first.
///
/// The lists of an account that approves its followers are visible to itself and to its accepted followers. In other
/// lists, such an account is shown to those and to the owner of the list only.
#[utoipa::path(
    get, path = "/v1/people/{person}/following", tag = "people", security((), ("token" = [])),
    params(("person" = String, Path, description = "A handle or an account's id."), PageQuery),
    responses((status = 200, description = "A page of people.", body = PeoplePage), Refusals)
)]
pub(crate) async fn following(
    State(readers): State<AnswerReaders>,
    Path(name): Path<String>,
    request: ReadRequest,
    Query(paging): Query<PageQuery>,
) -> Result<Response, ApiError> {
    let mut reader = readers.snapshot().await?;
    let person = access_check::person(&mut reader, &request, &name).await?;
    people(&mut reader, &request, &paging, person, PeopleList::Following, List::Following).await
}

/// Maximum number of reads for a page if accounts in the list are hidden from the viewer.
const LOOKS: usize = 10;

/// Returns a page of one of an account's lists. Hidden accounts are left out, and no cursor contains them. So a list
/// may end where hundreds in a row are hidden.
pub(crate) async fn people(
    reader: &mut Connection,
    request: &ReadRequest,
    paging: &PageQuery,
    person: Person,
    which: PeopleList,
    list: List,
) -> Result<Response, ApiError> {
    let limit = paging.limit.0 as usize;
    let mut after = paging.after(list)?.unwrap_or((Timestamp(i64::MAX), AccountId::from_bytes([0xff; 16])));
    if !person.shows_people(request.viewer, follows::requires_approval(reader, person.account).await?) {
        return request.answer(&PeoplePage { head: PeopleHead { is_hidden: true }, items: Vec::new(), next: None });
    }
    let mut found: Vec<PersonRow> = Vec::new();
    let mut is_more = true;
    for _ in 0..LOOKS {
        let rows = follows::list(reader, which, person.account, request.viewer.account(), after, paging.rows()).await?;
        is_more = rows.len() > limit;
        after = rows.last().map_or(after, |row| (row.since, row.account));
        found.extend(rows.into_iter().filter(|row| row.is_shown));
        if found.len() > limit || !is_more {
            break;
        }
    }
    is_more |= found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| is_more).map(|row| cursor::encode(list, &(row.since, row.account)));
    let items = found.into_iter().map(item).collect();
    request.answer(&PeoplePage { head: PeopleHead { is_hidden: false }, items, next })
}

fn item(row: PersonRow) -> PersonItem {
    let PersonRow { account, since, author, is_followed, is_shown: _ } = row;
    PersonItem { account, handle: author.handle, display_name: author.display_name, since, is_followed }
}
