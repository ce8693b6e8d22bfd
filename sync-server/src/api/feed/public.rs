//! `GET /v1/feed/public`: public drives, newest first, page by page; also as Atom and JSON Feed.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;

use crate::Relay;
use crate::api::asked::{Asked, MAX_LIMIT, page};
use crate::api::cursor::List;
use crate::api::drive_item::{DriveItem, DrivePage};
use crate::api::schema::{PageParameters, Refusals};
use crate::api::syndication::{self, Form, Web};
use crate::api::{ApiError, reach};
use crate::db::feed::{self, FeedKey, FeedRow};

/// Public drives, newest first.
#[utoipa::path(
    get, path = "/v1/feed/public", tag = "feed", security((), ("token" = [])),
    params(
        ("bbox" = Option<String>, Query, description = "Drives that are wholly within these bounds: `west,south,east,north` \
            in degrees, west greater than east over the date line."),
        PageParameters,
    ),
    responses((status = 200, body = DrivePage), Refusals)
)]
pub(crate) async fn public(State(relay): State<Arc<Relay>>, asked: Asked) -> Result<Response, ApiError> {
    let (rows, next) = read(&relay, &asked).await?;
    let drives = DriveItem::list(&mut relay.readers.acquire().await?, asked.viewer, &rows).await?;
    asked.answer(&DrivePage { drives, next })
}

/// Public drives as Atom with GeoRSS.
#[utoipa::path(
    get, path = "/v1/feed/public.atom", tag = "feeds",
    params(("bbox" = Option<String>, Query, description = "`west,south,east,north` in degrees."), PageParameters),
    responses((status = 200, description = "Atom.", body = String, content_type = "application/atom+xml"), Refusals)
)]
pub(crate) async fn public_atom(State(relay): State<Arc<Relay>>, asked: Asked) -> Result<Response, ApiError> {
    let (rows, next) = read(&relay, &asked).await?;
    let web = Web::of(&relay, &asked);
    let items = syndication::drives(&web, &rows)?;
    Ok(syndication::feed(&asked, &web, TITLE, items, next.as_deref(), Form::Atom))
}

/// Public drives as JSON Feed 1.1.
#[utoipa::path(
    get, path = "/v1/feed/public.json", tag = "feeds",
    params(("bbox" = Option<String>, Query, description = "`west,south,east,north` in degrees."), PageParameters),
    responses((status = 200, description = "JSON Feed.", body = String, content_type = "application/feed+json"), Refusals)
)]
pub(crate) async fn public_json_feed(State(relay): State<Arc<Relay>>, asked: Asked) -> Result<Response, ApiError> {
    let (rows, next) = read(&relay, &asked).await?;
    let web = Web::of(&relay, &asked);
    let items = syndication::drives(&web, &rows)?;
    Ok(syndication::feed(&asked, &web, TITLE, items, next.as_deref(), Form::Json))
}

const TITLE: &str = "Public drives";

/// A page, without those with whom the viewer has nothing to do: it may be shorter than asked for.
async fn read(relay: &Relay, asked: &Asked) -> Result<(Vec<FeedRow>, Option<String>), ApiError> {
    let (limit, bounds) = (asked.limit()?, asked.bbox()?);
    let place = asked.after(List::PublicFeed)?.map(|(sort_at, doc)| FeedKey { sort_at, doc });
    let after = place.unwrap_or(FeedKey::FIRST);
    // One row more than is shown tells whether there is a next page.
    let mut rows = match (bounds, place) {
        (Some(bounds), _) => feed::page_within(&mut relay.readers.acquire().await?, &bounds, after, limit + 1).await?,
        (None, None) => newest(relay).await?.iter().take(limit as usize + 1).cloned().collect(),
        (None, Some(_)) => feed::page(&mut relay.readers.acquire().await?, after, limit + 1).await?,
    };
    let shunned = match asked.viewer.account() {
        Some(_) => reach::shunned(&mut relay.readers.acquire().await?, asked.viewer).await?,
        None => Default::default(),
    };
    let next;
    (rows, next) = page(rows, limit, List::PublicFeed, |row| (row.key.sort_at, row.key.doc));
    rows.retain(|row| reach::may_list(asked.viewer, row.account, row.visibility, &shunned));
    Ok((rows, next))
}

async fn newest(relay: &Relay) -> Result<Arc<[FeedRow]>, ApiError> {
    match relay.newest.get() {
        Ok(rows) => Ok(rows),
        Err(generation) => {
            let mut reader = relay.readers.acquire().await?;
            let rows: Arc<[FeedRow]> = feed::page(&mut reader, FeedKey::FIRST, MAX_LIMIT + 1).await?.into();
            relay.newest.keep(generation, rows.clone());
            Ok(rows)
        }
    }
}
