//! `GET /v1/feed/public`: public drives, newest first, page by page; also as Atom and JSON Feed.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::Relay;
use crate::api::cursor::List;
use crate::api::drive_item::{DriveItem, DrivePage};
use crate::api::page::Page;
use crate::api::query::{MAX_LIMIT, PageQuery, Query, given};
use crate::api::read_request::ReadRequest;
use crate::api::schema::Refusals;
use crate::api::syndication::{self, Feed, Form, Web};
use crate::api::{ApiError, access_check};
use crate::authorize::Viewer;
use crate::db::feed::{self, FeedRow, PublicKey};
use crate::db::order::Hour;
use crate::feeds::json_feed::JsonFeed;
use crate::grid::Bounds;

/// `bbox`, as the public feed takes it.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct BoundsQuery {
    /// Drives that are wholly within these bounds: `west,south,east,north` in degrees, west greater than east over the date line.
    #[serde(default, deserialize_with = "given")]
    #[param(value_type = String)]
    bbox: Option<Bounds>,
}
/// Public drives, newest first.
///
/// They are listed by the hour in which they began. Within an hour the relay orders them; the fourth drive of an account and
/// those after it stand behind all others.
#[utoipa::path(
    get, path = "/v1/feed/public", tag = "feed", security((), ("token" = [])),
    params(BoundsQuery, PageQuery
    ),
    responses((status = 200, description = "A page of published drives.", body = DrivePage), Refusals)
)]
pub(crate) async fn public(
    State(relay): State<Arc<Relay>>,
    request: ReadRequest,
    Query(paging): Query<PageQuery>,
    Query(BoundsQuery { bbox }): Query<BoundsQuery>,
) -> Result<Response, ApiError> {
    let (rows, next) = read(&relay, request.viewer, &paging, bbox, Hour::Driven).await?;
    let items = DriveItem::list(&mut relay.readers.acquire().await?, request.viewer, &rows).await?;
    request.answer(&DrivePage { head: (), items, next })
}

/// Public drives as Atom with GeoRSS: by the hour in which they became visible, the latest first.
#[utoipa::path(
    get, path = "/v1/feed/public.atom", tag = "feeds", security(()),
    params(BoundsQuery, PageQuery),
    responses((status = 200, description = "Atom.", body = String, content_type = "application/atom+xml"), Refusals)
)]
pub(crate) async fn public_atom(
    State(relay): State<Arc<Relay>>,
    request: ReadRequest,
    Query(paging): Query<PageQuery>,
    Query(BoundsQuery { bbox }): Query<BoundsQuery>,
) -> Result<Response, ApiError> {
    syndicated(&relay, &request, &paging, bbox, Form::Atom).await
}

/// Public drives as JSON Feed 1.1: by the hour in which they became visible, the latest first.
#[utoipa::path(
    get, path = "/v1/feed/public.json", tag = "feeds", security(()),
    params(BoundsQuery, PageQuery),
    responses((status = 200, description = "JSON Feed.", body = JsonFeed, content_type = "application/feed+json"), Refusals)
)]
pub(crate) async fn public_json_feed(
    State(relay): State<Arc<Relay>>,
    request: ReadRequest,
    Query(paging): Query<PageQuery>,
    Query(BoundsQuery { bbox }): Query<BoundsQuery>,
) -> Result<Response, ApiError> {
    syndicated(&relay, &request, &paging, bbox, Form::Json).await
}

async fn syndicated(
    relay: &Relay,
    request: &ReadRequest,
    paging: &PageQuery,
    bbox: Option<Bounds>,
    form: Form,
) -> Result<Response, ApiError> {
    let (rows, next) = read(relay, request.viewer, paging, bbox, Hour::Shown).await?;
    let web = Web::of(relay, request);
    let items = syndication::drives(&web, &rows)?;
    let [about, title, page] = ["public", "Public drives", "feed"].map(str::to_owned);
    Ok(syndication::feed(relay, request, &web, Feed { about, title, page, items, next }, form))
}

/// A page, without those whom the viewer blocks: it may be shorter than asked for.
async fn read(
    relay: &Relay,
    viewer: Viewer,
    paging: &PageQuery,
    bbox: Option<Bounds>,
    by: Hour,
) -> Result<(Vec<FeedRow>, Option<String>), ApiError> {
    let list = match by {
        Hour::Driven => List::PublicFeed,
        Hour::Shown => List::ShownDrives,
    };
    let place = paging.after(list)?.map(|(hour, place, doc)| PublicKey { hour, place, doc });
    let after = place.unwrap_or(PublicKey::FIRST);
    let most = paging.rows();
    let rows = match (bbox, place, by) {
        (Some(bounds), ..) => feed::page_within(&mut relay.readers.acquire().await?, &bounds, by, after, most).await?,
        (None, None, Hour::Driven) => newest(relay).await?.iter().take(most as usize).cloned().collect(),
        (None, _, Hour::Driven | Hour::Shown) => {
            feed::page(&mut relay.readers.acquire().await?, by, after, most).await?
        }
    };
    let blocked = match viewer.account() {
        Some(_) => access_check::blocked_either_way(&mut relay.readers.acquire().await?, viewer).await?,
        None => Default::default(),
    };
    let Page { items: mut rows, next, .. } = paging.page(rows, list, |row| {
        let PublicKey { hour, place, doc } = row.public_key(by);
        (hour, place, doc)
    });
    rows.retain(|row| access_check::may_list(viewer, row.account, row.visibility, &blocked));
    Ok((rows, next))
}

async fn newest(relay: &Relay) -> Result<Arc<[FeedRow]>, ApiError> {
    match relay.newest.get() {
        Ok(rows) => Ok(rows),
        Err(generation) => {
            let mut reader = relay.readers.acquire().await?;
            let rows = feed::page(&mut reader, Hour::Driven, PublicKey::FIRST, MAX_LIMIT + 1).await?;
            let rows: Arc<[FeedRow]> = rows.into();
            relay.newest.keep(generation, rows.clone());
            Ok(rows)
        }
    }
}
