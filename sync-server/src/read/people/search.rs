//! `GET /v1/people?prefix=`: accounts whose handles have a prefix.

use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use tourismo_core::id::AccountId;
use utoipa::{IntoParams, ToSchema};

use crate::db::profiles::{self, ProfileRow};
use crate::http::cursor::List;
use crate::http::error::ApiError;
use crate::http::page::{Listed, Page};
use crate::http::query::{BadParameter, PageQuery, Query, Value, given};
use crate::http::read_request::ReadRequest;
use crate::http::readers::AnswerReaders;
use crate::read::schema::Refusals;

/// A found account.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FoundPerson {
    #[schema(value_type = String, format = Uuid)]
    account: AccountId,
    handle: String,
    display_name: String,
}

impl Listed for FoundPerson {
    const LIST: &'static str = "people";
    const PAGE: &'static str = "FoundPage";
    const DESCRIPTION: &'static str = "A page of found accounts.";
    type Schema = FoundPerson;
}

/// A page of found accounts.
pub(crate) type FoundPage = Page<FoundPerson>;

/// The prefix of a search.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PrefixQuery {
    /// The prefix of the handle: 1 to 30 characters.
    #[serde(default, deserialize_with = "given")]
    #[param(value_type = String, required = true)]
    prefix: Option<Prefix>,
}

/// The prefix of a handle in lower case, 1 to 30 characters.
#[derive(Debug)]
struct Prefix(String);

impl Value for Prefix {
    fn parse(text: &str) -> Result<Prefix, BadParameter> {
        let prefix = text.to_lowercase();
        let is_one = (1..=30).contains(&prefix.chars().count()) && !prefix.contains('\0');
        if is_one { Ok(Prefix(prefix)) } else { Err(BadParameter::Prefix) }
    }
}

/// Accounts whose handles have a prefix, in upper or lower case, by handle.
#[utoipa::path(
    get, path = "/v1/people", tag = "people", security((), ("token" = [])),
    params(PrefixQuery, PageQuery),
    responses((status = 200, description = "The people found.", body = FoundPage), Refusals)
)]
pub(crate) async fn search_people(
    State(readers): State<AnswerReaders>,
    request: ReadRequest,
    Query(paging): Query<PageQuery>,
    Query(PrefixQuery { prefix }): Query<PrefixQuery>,
) -> Result<Response, ApiError> {
    let prefix = prefix.ok_or(BadParameter::Prefix)?;
    let after: String = paging.after(List::People)?.unwrap_or_default();
    let mut reader = readers.acquire().await?;
    let rows = profiles::search(&mut reader, &prefix.0, request.viewer.account(), &after, paging.rows()).await?;
    let page = paging.page(rows, List::People, |row| row.folded.clone().unwrap_or_default());
    let found =
        |row: ProfileRow| FoundPerson { account: row.account, handle: row.handle, display_name: row.display_name };
    request.answer(&page.map(found))
}
