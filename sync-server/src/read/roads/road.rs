//! `GET /v1/roads/{id}`: a road with the parts of its score, and the newest public drives over it.

use axum::extract::State;
use axum::response::Response;

use crate::db::feed;
use crate::db::roads::{self, MOST_DRIVES};
use crate::http::error::ApiError;
use crate::http::path::Path;
use crate::http::read_request::ReadRequest;
use crate::http::readers::AnswerReaders;
use crate::read::access_check;
use crate::read::drive_item::DriveItem;
use crate::read::geojson::RoadFeature;
use crate::read::schema::Refusals;

/// A road in one direction as a GeoJSON Feature. `properties.drives` has the newest public drives over most of it, at
/// most 20, as in the public feed.
#[utoipa::path(
    get, path = "/v1/roads/{id}", tag = "roads", security((), ("token" = [])),
    params(("id" = String, Path, description = "The road.")),
    responses((status = 200, description = "The road.", body = RoadFeature, content_type = "application/geo+json"), Refusals)
)]
pub(crate) async fn road(
    State(readers): State<AnswerReaders>,
    Path(id): Path<String>,
    request: ReadRequest,
) -> Result<Response, ApiError> {
    if !super::may_read(request.viewer) {
        return Err(ApiError::not_found());
    }
    let id = id.parse().map_err(|_| ApiError::not_found())?;
    let mut reader = readers.snapshot().await?;
    let road = roads::find(&mut reader, id).await?.ok_or_else(ApiError::not_found)?;
    let mut rows = feed::named::<MOST_DRIVES>(&mut reader, &road.drives).await?;
    let blocked = access_check::blocked_either_way(&mut reader, request.viewer).await?;
    rows.retain(|row| access_check::may_list(request.viewer, row.account, row.visibility, &blocked));
    let drives = DriveItem::list(&mut reader, request.viewer, &rows).await?;
    let feature = super::feature(&road, Some(drives))?;
    Ok(request.answer_with(feature.to_string(), "application/geo+json"))
}
