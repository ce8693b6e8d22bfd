//! `GET /v1/roads/{id}`: a road with what makes its score, and the newest public drives over it.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde_json::{Value, json};

use crate::Relay;
use crate::api::asked::Asked;
use crate::api::drive_item::DriveItem;
use crate::api::path::Path;
use crate::api::schema::Refusals;
use crate::api::{ApiError, reach};
use crate::authorize::{Access, Audience, authorize};
use crate::db::sql::Connection;
use crate::db::{feed, published, roads};

/// A road in one direction as a GeoJSON Feature; `properties.drives` has the newest drives over most of it, as the public feed
/// shows them.
#[utoipa::path(
    get, path = "/v1/roads/{id}", tag = "roads", security((), ("token" = [])),
    params(("id" = String, Path, description = "The road.")),
    responses((status = 200, description = "GeoJSON.", body = Object, content_type = "application/geo+json"), Refusals)
)]
pub(crate) async fn road(
    State(relay): State<Arc<Relay>>,
    Path(id): Path<String>,
    asked: Asked,
) -> Result<Response, ApiError> {
    if !super::may_read(asked.viewer) {
        return Err(ApiError::not_found());
    }
    let id = id.parse().map_err(|_| ApiError::not_found())?;
    let mut reader = relay.readers.snapshot().await?;
    let road = roads::find(&mut reader, id).await?.ok_or_else(ApiError::not_found)?;
    let mut feature = super::feature(&road);
    let mut drives: Vec<Value> = Vec::new();
    for doc in road.drives {
        drives.extend(drive(&mut reader, &asked, doc).await?);
    }
    feature.set_property("drives", json!(drives));
    Ok(asked.answer_with(feature.to_string(), "application/geo+json"))
}

/// A drive, if it is still for everybody, and the viewer may see it.
async fn drive(
    reader: &mut Connection,
    asked: &Asked,
    doc: tourismo_core::id::DocId,
) -> Result<Option<Value>, ApiError> {
    let Some((owner, visibility)) = published::audience(reader, doc).await? else { return Ok(None) };
    let relation = reach::relation(reader, asked.viewer, owner).await?;
    if authorize(asked.viewer, Audience { owner, visibility, relation }, Access::Listed).is_err() {
        return Ok(None);
    }
    let Some(row) = feed::find(reader, owner, doc).await? else { return Ok(None) };
    Ok(serde_json::to_value(DriveItem::one(reader, asked.viewer, &row).await?).ok())
}
