//! `GET /v1/drives/{id}`: a published drive as a GeoJSON Feature (RFC 7946), its track in parts, with columns for
//! charts.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tourismo_core::docs::Visibility;
use tourismo_core::id::DocId;

use crate::db::published::{self, DrivePage};
use crate::db::sql::Connection;
use crate::domain::authorize::{Access, Audience, authorize};
use crate::http::compression::SharedAnswers;
use crate::http::error::ApiError;
use crate::http::path::Path;
use crate::http::read_request::{ReadRequest, is_known};
use crate::http::readers::AnswerReaders;
use crate::read::access_check;
use crate::read::formats::geojson::{self, Feature};
use crate::read::formats::track::Track;
use crate::read::geojson::{DriveFeature, DriveHead};
use crate::read::schema::{Refusals, raw};
use crate::read::tracks::{self, Tracks};

/// A published drive as a GeoJSON Feature (RFC 7946). Private, withdrawn and unknown drives give the same answer: not
/// found.
///
/// The geometry is a `MultiLineString` without the gaps, cut at the date line (RFC 7946). `properties.parts` has for
/// each of its lines the columns `elapsedMs` (since the first fix), `speedMps` and `altitudeM` (`null` where unknown),
/// one value for each position.
#[utoipa::path(
    get, path = "/v1/drives/{id}", tag = "drives", security((), ("token" = [])),
    params(("id" = String, Path, description = "The published drive.")),
    responses((status = 200, description = "The drive.", body = DriveFeature, content_type = "application/geo+json"), Refusals)
)]
pub(crate) async fn drive(
    State(readers): State<AnswerReaders>,
    State(tracks): State<Arc<Tracks>>,
    Path(id): Path<String>,
    request: ReadRequest,
) -> Result<Response, ApiError> {
    let id = access_check::id(&id)?;
    let mut reader = readers.snapshot().await?;
    let page = admit(&mut reader, &request, id).await?;
    let blocks = published::blocks(&mut reader, page.account, id).await?;
    drop(reader);
    let etag = tracks.etag("GeoJSON", &page, &blocks);
    let caching = request.caching(etag.clone());
    if is_known(&request.headers, &etag) {
        return Ok((StatusCode::NOT_MODIFIED, caching).into_response());
    }
    let (track, room) = tracks.read(request.source, blocks, Track::of_blocks_for_maps).await?;
    let properties = serde_json::to_string(&head(id, &page)?).map_err(|_| ApiError::internal())?;
    let feature = Feature::new(&id.to_string(), page.bbox, &properties, track);
    let (length, body) = tracks::written(room, feature).await?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(geojson::CONTENT_TYPE)),
        (header::CONTENT_LENGTH, HeaderValue::from(length)),
    ];
    Ok(for_its_audience((caching, headers, body).into_response(), &page))
}

/// Returns the drive, if the viewer may see it.
pub(super) async fn admit(reader: &mut Connection, request: &ReadRequest, id: DocId) -> Result<DrivePage, ApiError> {
    let page = published::find(reader, id).await?.ok_or_else(ApiError::not_found)?;
    let relation = access_check::relation(reader, request.viewer, page.account).await?;
    let audience = Audience { owner: page.account, visibility: page.visibility, relation };
    authorize(request.viewer, audience, Access::ById).map_err(|_| ApiError::not_found())?;
    Ok(page)
}

/// Marks the answer for a public drive as the same for everybody.
pub(super) fn for_its_audience(mut response: Response, page: &DrivePage) -> Response {
    if page.visibility == Visibility::Public {
        response.extensions_mut().insert(SharedAnswers);
    }
    response
}

fn head(id: DocId, page: &DrivePage) -> Result<DriveHead, ApiError> {
    Ok(DriveHead {
        id,
        account: page.account,
        handle: page.author.handle.clone(),
        display_name: page.author.display_name.clone(),
        title: page.title.clone(),
        started_at: page.started_at,
        utc_offset_min: page.utc_offset,
        car: page.car.clone(),
        stats: raw(&page.stats)?,
    })
}
