//! `GET /v1/drives/{id}/drive.gpx`: a published drive as GPX 1.1.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::drive::{admit, for_its_audience};
use crate::db::published;
use crate::http::error::ApiError;
use crate::http::path::Path;
use crate::http::read_request::{ReadRequest, is_known};
use crate::http::readers::AnswerReaders;
use crate::read::access_check;
use crate::read::formats::gpx::{self, Gpx};
use crate::read::formats::track::Track;
use crate::read::schema::Refusals;
use crate::read::syndication::{Web, name};
use crate::read::tracks::{self, Tracks};

/// A published drive as GPX, without times.
#[utoipa::path(
    get, path = "/v1/drives/{id}/drive.gpx", tag = "feeds", security((), ("token" = [])),
    params(("id" = String, Path, description = "The published drive.")),
    responses((status = 200, description = "GPX.", body = String, content_type = "application/gpx+xml"), Refusals)
)]
pub(crate) async fn drive_gpx(
    State(readers): State<AnswerReaders>,
    State(tracks): State<Arc<Tracks>>,
    web: Web,
    Path(id): Path<String>,
    request: ReadRequest,
) -> Result<Response, ApiError> {
    let id = access_check::id(&id)?;
    let mut reader = readers.snapshot().await?;
    let page = admit(&mut reader, &request, id).await?;
    let blocks = published::blocks(&mut reader, page.account, id).await?;
    drop(reader);
    let url = web.drive(id);
    let etag = tracks.etag(&url, &page, &blocks);
    let caching = request.caching(etag.clone());
    if is_known(&request.headers, &etag) {
        return Ok((StatusCode::NOT_MODIFIED, caching).into_response());
    }
    let (track, room) = tracks.read(request.source, blocks, Track::of_blocks).await?;
    let author = name(page.author.handle.as_deref(), page.author.display_name.as_deref());
    let (length, body) = tracks::written(room, Gpx::new(&page.title, &author, &url, track)).await?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(gpx::CONTENT_TYPE)),
        (header::CONTENT_LENGTH, HeaderValue::from(length)),
        (header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"drive.gpx\"")),
    ];
    Ok(for_its_audience((caching, headers, body).into_response(), &page))
}
