//! `GET /v1/me/cars/{id}/drives`: a car's history, newest first.

use axum::extract::State;
use axum::response::Response;

use super::drives::{FIRST, OwnDrivePage, item, key};
use crate::api::cursor::List;
use crate::api::path::Path;
use crate::api::query::{PageQuery, Query};
use crate::api::read_request::OwnRequest;
use crate::api::schema::Refusals;
use crate::api::{ApiError, access_check};
use crate::db::{cars, drives};
use crate::state::AnswerReaders;

/// What my car was driven for, newest first.
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
