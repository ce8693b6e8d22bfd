//! `GET /v1/me/cars/{id}/drives`: a car's history, newest first.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;

use super::drives::{FIRST, OwnDrivePage, item, key};
use crate::Relay;
use crate::api::asked::{Asked, page};
use crate::api::cursor::List;
use crate::api::path::Path;
use crate::api::schema::{PageParameters, Refusals};
use crate::api::{ApiError, reach};
use crate::db::{cars, drives};

/// What my car was driven for, newest first.
#[utoipa::path(
    get, path = "/v1/me/cars/{id}/drives", tag = "me", security(("token" = [])),
    params(("id" = String, Path, description = "The car."), PageParameters),
    responses((status = 200, description = "A page of drives.", body = OwnDrivePage), Refusals)
)]
pub(crate) async fn car_drives(
    State(relay): State<Arc<Relay>>,
    Path(id): Path<String>,
    asked: Asked,
) -> Result<Response, ApiError> {
    let (me, limit, id) = (asked.me()?, asked.limit()?, reach::id(&id)?);
    let after = asked.after(List::CarDrives)?.unwrap_or(FIRST);
    let mut reader = relay.readers.snapshot().await?;
    cars::record(&mut reader, me, id).await?.ok_or_else(ApiError::not_found)?;
    let rows = drives::page(&mut reader, me, Some(id), after, limit + 1).await?;
    let (rows, next) = page(rows, limit, List::CarDrives, key);
    asked.answer(&OwnDrivePage { drives: rows.into_iter().map(item).collect::<Result<_, _>>()?, next })
}
