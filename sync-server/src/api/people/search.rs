//! `GET /v1/people?prefix=`: people whose handles begin so.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use tourismo_core::id::AccountId;
use utoipa::ToSchema;

use crate::Relay;
use crate::api::ApiError;
use crate::api::asked::{Asked, page};
use crate::api::cursor::List;
use crate::api::schema::{PageParameters, Refusals};
use crate::db::profiles::{self, ProfileRow};

/// A person who was found.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FoundPerson {
    #[schema(value_type = String, format = Uuid)]
    account: AccountId,
    handle: String,
    display_name: String,
}

/// A page of people who were found.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FoundPage {
    people: Vec<FoundPerson>,
    /// For the parameter `after` of the next page; absent on the last one.
    next: Option<String>,
}

/// People whose handles begin so, in whatever case, by handle.
#[utoipa::path(
    get, path = "/v1/people", tag = "people", security((), ("token" = [])),
    params(("prefix" = String, Query, description = "With what the handle begins: 1 to 30 characters."), PageParameters),
    responses((status = 200, description = "The people found.", body = FoundPage), Refusals)
)]
pub(crate) async fn search_people(State(relay): State<Arc<Relay>>, asked: Asked) -> Result<Response, ApiError> {
    let limit = asked.limit()?;
    let prefix = asked.text("prefix").unwrap_or_default().to_lowercase();
    if !(1..=30).contains(&prefix.chars().count()) || prefix.contains('\0') {
        return Err(ApiError::bad_parameter("bad_prefix", "prefix has 1 to 30 characters of a handle.".to_owned()));
    }
    let after: String = asked.after(List::People)?.unwrap_or_default();
    let mut reader = relay.readers.acquire().await?;
    let rows = profiles::search(&mut reader, &prefix, asked.viewer.account(), &after, limit + 1).await?;
    let (rows, next) = page(rows, limit, List::People, |row| row.folded.clone().unwrap_or_default());
    let found =
        |row: ProfileRow| FoundPerson { account: row.account, handle: row.handle, display_name: row.display_name };
    asked.answer(&FoundPage { people: rows.into_iter().map(found).collect(), next })
}
