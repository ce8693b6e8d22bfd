//! `GET /v1/me/cars/{id}/drives`: the drives of a car, newest first.

use axum::extract::State;
use axum::response::Response;

use super::drives::{FIRST, OwnDrivePage, item, key};
use crate::db::{cars, drives};
use crate::http::cursor::List;
use crate::http::error::ApiError;
use crate::http::path::Path;
use crate::http::query::{PageQuery, Query};
use crate::http::read_request::OwnRequest;
use crate::http::readers::AnswerReaders;
use crate::read::access_check;
use crate::read::schema::Refusals;

/// The drives of my car, newest first.
#[utoipa::path(
    get, path = "/v1/me/cars/{id}/drives", tag = "me", security(("token" = [])),
    params(("id" = String, Path, description = "The car."), PageQuery),
    responses((status = 200, description = "A page of drives.", body = OwnDrivePage), Refusals)
)]
pub(crate) async fn car_drives(
    State(readers): State<AnswerReaders>,
    Path(id): Path<String>,
    OwnRequest { me, request }: OwnRequest,
    Query(paging): Query<PageQuery>,
) -> Result<Response, ApiError> {
    let id = access_check::id(&id)?;
    let after = paging.after(List::CarDrives)?.unwrap_or(FIRST);
    let mut reader = readers.snapshot().await?;
    cars::record(&mut reader, me, id).await?.ok_or_else(ApiError::not_found)?;
    let rows = drives::page(&mut reader, me, Some(id), after, paging.rows()).await?;
    request.answer(&paging.page(rows, List::CarDrives, key).try_map(item)?)
}
