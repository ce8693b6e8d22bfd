//! `GET /v1/drives/{id}`: a published drive as a GeoJSON Feature (RFC 7946), its track in parts, with what charts need.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Extension, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt as _, stream};
use geojson::{Feature, Geometry, GeometryValue, JsonObject, Position};
use serde_json::{Value, json};
use tokio::sync::OwnedSemaphorePermit;
use tourismo_core::display::cut_parts;
use tourismo_core::id::DocId;
use tourismo_core::time::Timestamp;
use tourismo_core::track::block::{decode_all, fix_count};
use tourismo_core::track::parts::{Gap, Part, parts};

use crate::Relay;
use crate::api::asked::{Asked, is_known};
use crate::api::path::Path;
use crate::api::schema::Refusals;
use crate::api::{ApiError, reach};
use crate::authorize::{Access, Audience, authorize};
use crate::db::published::{self, DrivePage};
use crate::db::sql::Connection;
use crate::limits::Source;

/// How many kilobytes drives that are made, or on their way to readers, may take together. Whoever comes then waits.
pub(crate) const BODIES_KB: usize = 48 << 10;

/// How many bytes a fix takes while an answer is made, about.
const BYTES_PER_FIX: usize = 400;

/// How many fixes are as much work as any other request.
const FIXES_PER_REQUEST: usize = 5_000;

/// How many bytes are handed to the connection at once.
const PIECE_BYTES: usize = 64 << 10;

/// A published drive as a GeoJSON Feature (RFC 7946). Private, withdrawn and unknown ones are not found, all the same.
///
/// The geometry is a `MultiLineString` without the gaps, cut at the date line (RFC 7946); `properties.parts` has for each of its lines the columns
/// `elapsedMs` (since the first fix), `speedMps` and `altitudeM` (`null` where unknown), one value for each position.
#[utoipa::path(
    get, path = "/v1/drives/{id}", tag = "drives", security((), ("token" = [])),
    params(("id" = String, Path, description = "The published drive.")),
    responses((status = 200, description = "GeoJSON.", body = Object, content_type = "application/geo+json"), Refusals)
)]
pub(crate) async fn drive(
    State(relay): State<Arc<Relay>>,
    Extension(source): Extension<Source>,
    Path(id): Path<String>,
    asked: Asked,
) -> Result<Response, ApiError> {
    let id = reach::id(&id)?;
    let mut reader = relay.readers.snapshot().await?;
    let page = admit(&mut reader, &asked, id).await?;
    let blocks = published::blocks(&mut reader, page.account, id).await?;
    drop(reader);
    let etag = etag(&relay, "GeoJSON", &page, &blocks);
    let caching = asked.caching(etag.clone());
    if is_known(&asked.headers, &etag) {
        return Ok((StatusCode::NOT_MODIFIED, caching).into_response());
    }
    let mut room = room_for(&relay, source, &blocks).await?;
    let body = tokio::task::spawn_blocking(move || feature(id, &page, &blocks).map(|feature| feature.to_string()));
    let body = body.await.map_err(|_| ApiError::internal())?.map_err(|_| ApiError::internal())?;
    let content_type = (header::CONTENT_TYPE, HeaderValue::from_static("application/geo+json"));
    let kilobytes = (1 + body.len() / 1_000).min(room.num_permits());
    let room = room.split(kilobytes).ok_or_else(ApiError::internal)?;
    let length = (header::CONTENT_LENGTH, HeaderValue::from(body.len()));
    Ok((caching, [content_type, length], in_pieces(body.into(), room)).into_response())
}

/// The drive, if the viewer may see it.
pub(super) async fn admit(reader: &mut Connection, asked: &Asked, id: DocId) -> Result<DrivePage, ApiError> {
    let page = published::find(reader, id).await?.ok_or_else(ApiError::not_found)?;
    let relation = reach::relation(reader, asked.viewer, page.account).await?;
    let audience = Audience { owner: page.account, visibility: page.visibility, relation };
    authorize(asked.viewer, audience, Access::ById).map_err(|_| ApiError::not_found())?;
    Ok(page)
}

/// Waits for room to make an answer of these blocks, which whoever asks pays by their size.
pub(super) async fn room_for(
    relay: &Relay,
    source: Source,
    blocks: &[Vec<u8>],
) -> Result<OwnedSemaphorePermit, ApiError> {
    let fixes: usize = blocks.iter().map(|block| fix_count(block)).sum();
    relay.doorkeeper.requests(source, fixes / FIXES_PER_REQUEST)?;
    let kilobytes = (1 + fixes * BYTES_PER_FIX / 1_000).min(BODIES_KB) as u32;
    relay.bodies.clone().acquire_many_owned(kilobytes).await.map_err(|_| ApiError::internal())
}

/// A body that gives its room back when it was read, or its reader has gone.
pub(super) fn in_pieces(body: Bytes, room: OwnedSemaphorePermit) -> Body {
    let pieces = stream::unfold((body, room), async |(mut rest, room)| {
        let piece = rest.split_to(rest.len().min(PIECE_BYTES));
        (!piece.is_empty()).then_some((Ok::<_, Infallible>(piece), (rest, room)))
    });
    // Whoever compresses it asks once more behind its end.
    Body::from_stream(pieces.fuse())
}

/// The tag of an answer that is made of these parts: a function of what is shown, and of nothing else that the relay knows.
/// Nobody can guess from it what a part holds besides. Weak, because an answer may be compressed.
pub(super) fn etag(relay: &Relay, form: &str, page: &DrivePage, blocks: &[Vec<u8>]) -> HeaderValue {
    let DrivePage { account, visibility: _, started_at, title, car, stats, bbox, author } = page;
    let shown = json!([form, account, started_at, title, car, stats, bbox, author.handle, author.display_name]);
    let shown = [shown.to_string(), env!("CARGO_PKG_VERSION").to_owned()].map(String::into_bytes);
    let parts = shown.iter().chain(blocks).flat_map(|part| [part.len().to_be_bytes().to_vec(), part.clone()]);
    let digest = relay.secret.hash("tag of a drive", parts);
    let tag: String = digest.iter().take(12).map(|byte| format!("{byte:02x}")).collect();
    HeaderValue::from_str(&format!("W/\"{tag}\"")).expect("digits are visible ASCII")
}

fn feature(id: DocId, page: &DrivePage, blocks: &[Vec<u8>]) -> Result<Feature, serde_json::Error> {
    let parts = cut_parts(parts(&decode_all(blocks.iter().map(Vec::as_slice)).stretches));
    // The time of day is nobody's business: times count from the first fix.
    let start = parts.first().and_then(|part| part.fixes.first()).map(|fix| fix.fixed_at).unwrap_or_default();
    // A line has two positions at least.
    let lines: Vec<&Part> = parts.iter().filter(|part| part.fixes.len() > 1).collect();
    let coordinates =
        lines.iter().map(|part| part.fixes.iter().map(|fix| position(fix.lon_deg, fix.lat_deg)).collect());
    let properties = json!({
        "id": id,
        "account": page.account,
        "handle": page.author.handle,
        "displayName": page.author.display_name,
        "title": page.title,
        "startedAt": page.started_at,
        "car": page.car,
        "stats": serde_json::from_str::<Value>(&page.stats)?,
        "parts": lines.iter().map(|part| columns(part, start)).collect::<Vec<_>>(),
    });
    let properties: Option<JsonObject> = serde_json::from_value(properties)?;
    Ok(Feature {
        bbox: Some(page.bbox.to_vec()),
        geometry: Some(Geometry::new(GeometryValue::MultiLineString { coordinates: coordinates.collect() })),
        id: Some(geojson::feature::Id::String(id.to_string())),
        properties,
        foreign_members: None,
    })
}

fn columns(part: &Part, start: Timestamp) -> Value {
    json!({
        "gap": part.after.map(gap),
        "elapsedMs": part.fixes.iter().map(|fix| fix.fixed_at.millis_since(start)).collect::<Vec<_>>(),
        "speedMps": part.fixes.iter().map(|fix| fix.speed_mps.map(tenths)).collect::<Vec<_>>(),
        "altitudeM": part.fixes.iter().map(|fix| fix.altitude_m.map(tenths)).collect::<Vec<_>>(),
    })
}

/// Why nothing was measured before a part.
fn gap(gap: Gap) -> &'static str {
    match gap {
        Gap::NoSignal => "noSignal",
        Gap::Hidden => "hidden",
        Gap::Restarted => "restarted",
        Gap::Paused => "paused",
    }
}

fn position(lon_deg: f64, lat_deg: f64) -> Position {
    let rounded = |degrees: f64| (degrees * 1e6).round() / 1e6;
    Position::from([rounded(lon_deg), rounded(lat_deg)])
}

fn tenths(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}
