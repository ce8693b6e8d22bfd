//! `GET /v1/drives/{id}/drive.gpx`: a published drive as GPX 1.1.

use std::sync::Arc;

use axum::extract::{Extension, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tourismo_core::track::block::decode_all;
use tourismo_core::track::parts::parts;

use super::drive::{admit, etag, in_pieces, room_for};
use crate::Relay;
use crate::api::asked::{Asked, is_known};
use crate::api::path::Path;
use crate::api::schema::Refusals;
use crate::api::syndication::{Web, name};
use crate::api::{ApiError, reach};
use crate::db::published;
use crate::feeds::gpx;
use crate::limits::Source;

/// A published drive as GPX, without times.
#[utoipa::path(
    get, path = "/v1/drives/{id}/drive.gpx", tag = "feeds", security((), ("token" = [])),
    params(("id" = String, Path, description = "The published drive.")),
    responses((status = 200, description = "GPX.", body = String, content_type = "application/gpx+xml"), Refusals)
)]
pub(crate) async fn drive_gpx(
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
    let url = Web::of(&relay, &asked).drive(id);
    let etag = etag(&relay, &url, &page, &blocks);
    let caching = asked.caching(etag.clone());
    if is_known(&asked.headers, &etag) {
        return Ok((StatusCode::NOT_MODIFIED, caching).into_response());
    }
    let room = room_for(&relay, source, &blocks).await?;
    let author = name(page.author.handle.as_deref(), page.author.display_name.as_deref());
    let body = tokio::task::spawn_blocking(move || {
        let parts = parts(&decode_all(blocks.iter().map(Vec::as_slice)).stretches);
        gpx::write(&page.title, &author, &url, &parts)
    });
    let body = body.await.map_err(|_| ApiError::internal())?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(gpx::CONTENT_TYPE)),
        (header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"drive.gpx\"")),
        (header::CONTENT_LENGTH, HeaderValue::from(body.len())),
    ];
    Ok((caching, headers, in_pieces(body.into(), room)).into_response())
}
