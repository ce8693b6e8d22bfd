//! `GET /v1/feed/public`: public drives, newest first, page by page; also as Atom and JSON Feed.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::db::feed::{self, FeedRow, PublicKey};
use crate::db::order::Hour;
use crate::domain::authorize::Viewer;
use crate::domain::grid::Bounds;
use crate::http::cursor::List;
use crate::http::error::ApiError;
use crate::http::page::Page;
use crate::http::query::{MAX_LIMIT, PageQuery, Query, given};
use crate::http::read_request::ReadRequest;
use crate::http::readers::AnswerReaders;
use crate::notify::newest_page::NewestPage;
use crate::read::access_check;
use crate::read::drive_item::{DriveItem, DrivePage};
use crate::read::formats::json_feed::JsonFeed;
use crate::read::schema::Refusals;
use crate::read::syndication::{self, Feed, FeedRequest, Form};

/// `bbox`, for the public feed.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct BoundsQuery {
    /// Drives that are completely within these bounds: `west,south,east,north` in degrees, west greater than east
    /// across the date line.
    #[serde(default, deserialize_with = "given")]
    #[param(value_type = String)]
    bbox: Option<Bounds>,
}
/// Public drives, newest first.
///
/// They are ordered by the hour in which they began. Within an hour the relay decides the order; the fourth and later
/// drives of an account come after all others.
#[utoipa::path(
    get, path = "/v1/feed/public", tag = "feed", security((), ("token" = [])),
    params(BoundsQuery, PageQuery
    ),
    responses((status = 200, description = "A page of published drives.", body = DrivePage), Refusals)
)]
pub(crate) async fn public(
    State(readers): State<AnswerReaders>,
    State(newest_page): State<Arc<NewestPage>>,
    request: ReadRequest,
    Query(paging): Query<PageQuery>,
    Query(BoundsQuery { bbox }): Query<BoundsQuery>,
) -> Result<Response, ApiError> {
    let place = place(&paging, Hour::Driven)?;
    let rows = match (bbox, place) {
        (None, None) => newest(&readers, &newest_page).await?.iter().take(paging.rows() as usize).cloned().collect(),
        (Some(_), _) | (None, Some(_)) => rows(&readers, &paging, bbox, Hour::Driven).await?,
    };
    let (rows, next) = shown(&readers, request.viewer, &paging, Hour::Driven, rows).await?;
    let items = DriveItem::list(&mut readers.acquire().await?, request.viewer, &rows).await?;
    request.answer(&DrivePage { head: (), items, next })
}

/// Public drives as Atom with GeoRSS, by the hour in which they became visible, the latest first.
#[utoipa::path(
    get, path = "/v1/feed/public.atom", tag = "feeds", security(()),
    params(BoundsQuery, PageQuery),
    responses((status = 200, description = "Atom.", body = String, content_type = "application/atom+xml"), Refusals)
)]
pub(crate) async fn public_atom(
    asked: FeedRequest,
    Query(BoundsQuery { bbox }): Query<BoundsQuery>,
) -> Result<Response, ApiError> {
    syndicated(&asked, bbox, Form::Atom).await
}

/// Public drives as JSON Feed 1.1, by the hour in which they became visible, the latest first.
#[utoipa::path(
    get, path = "/v1/feed/public.json", tag = "feeds", security(()),
    params(BoundsQuery, PageQuery),
    responses((status = 200, description = "JSON Feed.", body = JsonFeed, content_type = "application/feed+json"), Refusals)
)]
pub(crate) async fn public_json_feed(
    asked: FeedRequest,
    Query(BoundsQuery { bbox }): Query<BoundsQuery>,
) -> Result<Response, ApiError> {
    syndicated(&asked, bbox, Form::Json).await
}

type Rows = Vec<FeedRow>;

async fn syndicated(asked: &FeedRequest, bbox: Option<Bounds>, form: Form) -> Result<Response, ApiError> {
    let FeedRequest { readers, web, request, paging } = asked;
    let rows = rows(readers, paging, bbox, Hour::Shown).await?;
    let (rows, next) = shown(readers, request.viewer, paging, Hour::Shown, rows).await?;
    let items = syndication::drives(web, &rows)?;
    let [about, title, page] = ["public", "Public drives", "feed"].map(str::to_owned);
    Ok(syndication::feed(asked, Feed { about, title, page, items, next }, form))
}

fn list(by: Hour) -> List {
    match by {
        Hour::Driven => List::PublicFeed,
        Hour::Shown => List::ShownDrives,
    }
}

fn place(paging: &PageQuery, by: Hour) -> Result<Option<PublicKey>, ApiError> {
    Ok(paging.after(list(by))?.map(|(hour, place, doc)| PublicKey { hour, place, doc }))
}

async fn rows(readers: &AnswerReaders, paging: &PageQuery, bbox: Option<Bounds>, by: Hour) -> Result<Rows, ApiError> {
    let after = place(paging, by)?.unwrap_or(PublicKey::FIRST);
    let mut reader = readers.acquire().await?;
    Ok(match bbox {
        Some(bounds) => feed::page_within(&mut reader, &bounds, by, after, paging.rows()).await?,
        None => feed::page(&mut reader, by, after, paging.rows()).await?,
    })
}

/// Removes drives of accounts that the viewer blocks, so a page may be shorter than requested.
async fn shown(
    readers: &AnswerReaders,
    viewer: Viewer,
    paging: &PageQuery,
    by: Hour,
    rows: Rows,
) -> Result<(Rows, Option<String>), ApiError> {
    let blocked = match viewer.account() {
        Some(_) => access_check::blocked_either_way(&mut readers.acquire().await?, viewer).await?,
        None => Default::default(),
    };
    let Page { items: mut rows, next, .. } = paging.page(rows, list(by), |row| {
        let PublicKey { hour, place, doc } = row.public_key(by);
        (hour, place, doc)
    });
    rows.retain(|row| access_check::may_list(viewer, row.account, row.visibility, &blocked));
    Ok((rows, next))
}

async fn newest(readers: &AnswerReaders, newest: &NewestPage) -> Result<Arc<[FeedRow]>, ApiError> {
    match newest.get() {
        Ok(rows) => Ok(rows),
        Err(generation) => {
            let mut reader = readers.acquire().await?;
            let rows = feed::page(&mut reader, Hour::Driven, PublicKey::FIRST, MAX_LIMIT + 1).await?;
            let rows: Arc<[FeedRow]> = rows.into();
            newest.keep(generation, rows.clone());
            Ok(rows)
        }
    }
}
