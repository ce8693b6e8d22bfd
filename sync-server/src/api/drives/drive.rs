//! `GET /v1/drives/{id}`: a published drive as a GeoJSON Feature (RFC 7946), its track in parts, with what charts need.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use tourismo_core::docs::Visibility;
use tourismo_core::id::DocId;
use tourismo_core::track::block::fix_count;

use crate::Relay;
use crate::api::compression::SharedAnswers;
use crate::api::geojson::{DriveFeature, DriveHead};
use crate::api::path::Path;
use crate::api::read_request::{ReadRequest, is_known};
use crate::api::schema::{Refusals, raw};
use crate::api::{ApiError, access_check};
use crate::authorize::{Access, Audience, authorize};
use crate::bodies::BodyPermit;
use crate::db::published::{self, DrivePage};
use crate::db::sql::Connection;
use crate::feeds::geojson::{self, Feature};
use crate::feeds::track::{self, BYTES_PER_FIX, Steps, Track};

/// How many fixes are as much work as any other request.
const FIXES_PER_REQUEST: usize = 5_000;

/// A published drive as a GeoJSON Feature (RFC 7946). Private, withdrawn and unknown ones are not found, all the same.
///
/// The geometry is a `MultiLineString` without the gaps, cut at the date line (RFC 7946); `properties.parts` has for each of its lines the columns
/// `elapsedMs` (since the first fix), `speedMps` and `altitudeM` (`null` where unknown), one value for each position.
#[utoipa::path(
    get, path = "/v1/drives/{id}", tag = "drives", security((), ("token" = [])),
    params(("id" = String, Path, description = "The published drive.")),
    responses((status = 200, description = "The drive.", body = DriveFeature, content_type = "application/geo+json"), Refusals)
)]
pub(crate) async fn drive(
    State(relay): State<Arc<Relay>>,
    Path(id): Path<String>,
    request: ReadRequest,
) -> Result<Response, ApiError> {
    let id = access_check::id(&id)?;
    let mut reader = relay.readers.snapshot().await?;
    let page = admit(&mut reader, &request, id).await?;
    let blocks = published::blocks(&mut reader, page.account, id).await?;
    drop(reader);
    let etag = etag(&relay, "GeoJSON", &page, &blocks);
    let caching = request.caching(etag.clone());
    if is_known(&request.headers, &etag) {
        return Ok((StatusCode::NOT_MODIFIED, caching).into_response());
    }
    let (track, room) = read(&relay, &request, blocks, Track::of_blocks_for_maps).await?;
    let properties = serde_json::to_string(&head(id, &page)?).map_err(|_| ApiError::internal())?;
    let feature = Feature::new(&id.to_string(), page.bbox, &properties, track);
    let (length, body) = written(room, feature).await?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(geojson::CONTENT_TYPE)),
        (header::CONTENT_LENGTH, HeaderValue::from(length)),
    ];
    Ok(for_its_audience((caching, headers, body).into_response(), &page))
}

/// The drive, if the viewer may see it.
pub(super) async fn admit(reader: &mut Connection, request: &ReadRequest, id: DocId) -> Result<DrivePage, ApiError> {
    let page = published::find(reader, id).await?.ok_or_else(ApiError::not_found)?;
    let relation = access_check::relation(reader, request.viewer, page.account).await?;
    let audience = Audience { owner: page.account, visibility: page.visibility, relation };
    authorize(request.viewer, audience, Access::ById).map_err(|_| ApiError::not_found())?;
    Ok(page)
}

/// The track in these blocks, with room for it in memory as long as it is written to whoever asks, who pays by its length.
/// One track is read at a time: that takes five times the room, for milliseconds.
pub(super) async fn read(
    relay: &Relay,
    request: &ReadRequest,
    blocks: Vec<Vec<u8>>,
    track_of: fn(&[Vec<u8>]) -> Track,
) -> Result<(Track, BodyPermit), ApiError> {
    let fixes: usize = blocks.iter().map(|block| fix_count(block)).sum();
    relay.limiter.requests(request.source, fixes / FIXES_PER_REQUEST)?;
    let room = relay.bodies.reserve(request.source, fixes * BYTES_PER_FIX).ok_or_else(ApiError::too_many_bodies)?;
    let track = relay.reading_tracks.run(move || track_of(&blocks)).await.map_err(|_| ApiError::internal())?;
    Ok((track, room))
}

/// A text that is written while it is read, and how long it is.
pub(super) async fn written(room: BodyPermit, mut steps: impl Steps) -> Result<(usize, Body), ApiError> {
    let measured = tokio::task::spawn_blocking(move || {
        let length = track::length(&mut steps);
        (length, steps)
    });
    let (length, steps) = measured.await.map_err(|_| ApiError::internal())?;
    Ok((length, room.body(track::pieces(steps).map(Bytes::from))))
}

/// Says of a drive for everyone that everybody has the same.
pub(super) fn for_its_audience(mut response: Response, page: &DrivePage) -> Response {
    if page.visibility == Visibility::Public {
        response.extensions_mut().insert(SharedAnswers);
    }
    response
}

/// The tag of an answer that is made of these parts: a function of what is shown, and of nothing else that the relay knows.
/// Nobody can guess from it what a part holds besides. Weak, because an answer may be compressed.
pub(super) fn etag(relay: &Relay, form: &str, page: &DrivePage, blocks: &[Vec<u8>]) -> HeaderValue {
    let DrivePage { account, visibility: _, started_at, utc_offset, title, car, stats, bbox, author } = page;
    let shown =
        json!([form, account, started_at, utc_offset, title, car, stats, bbox, author.handle, author.display_name]);
    let shown = [shown.to_string(), env!("CARGO_PKG_VERSION").to_owned()].map(String::into_bytes);
    let parts = shown.iter().chain(blocks).flat_map(|part| [part.len().to_be_bytes().to_vec(), part.clone()]);
    let digest = relay.secret.hash("tag of a drive", parts);
    let tag: String = digest.iter().take(12).map(|byte| format!("{byte:02x}")).collect();
    HeaderValue::from_str(&format!("W/\"{tag}\"")).expect("digits are visible ASCII")
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
