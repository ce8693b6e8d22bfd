//! Meets as Atom and JSON Feed: `GET /v1/meets.atom` and `/v1/meets.json`.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;

use super::search::{Looking, WhenQuery};
use crate::http::error::ApiError;
use crate::http::query::{PageQuery, Query, WhereQuery};
use crate::read::formats::json_feed::JsonFeed;
use crate::read::schema::Refusals;
use crate::read::syndication::{self, Feed, FeedRequest, Form};
use crate::runtime::clock::Clock;

/// Public meets as Atom with GeoRSS.
///
/// A page of the meets of `/v1/meets`, the earliest first, then those that ended within 30 days, the latest first.
#[utoipa::path(
    get, path = "/v1/meets.atom", tag = "feeds", security(()),
    params(WhereQuery, WhenQuery, PageQuery),
    responses((status = 200, description = "Atom.", body = String, content_type = "application/atom+xml"), Refusals)
)]
pub(crate) async fn meets_atom(
    State(clock): State<Arc<Clock>>,
    asked: FeedRequest,
    Query(place): Query<WhereQuery>,
    Query(time): Query<WhenQuery>,
) -> Result<Response, ApiError> {
    let looking = Looking::new(&asked.readers, &clock, asked.request.viewer, place, time).await?;
    meets(&asked, looking, Form::Atom).await
}

/// Public meets as JSON Feed 1.1.
///
/// A page of the meets of `/v1/meets`, the earliest first, then those that ended within 30 days, the latest first.
#[utoipa::path(
    get, path = "/v1/meets.json", tag = "feeds", security(()),
    params(WhereQuery, WhenQuery, PageQuery),
    responses((status = 200, description = "JSON Feed.", body = JsonFeed, content_type = "application/feed+json"), Refusals)
)]
pub(crate) async fn meets_json_feed(
    State(clock): State<Arc<Clock>>,
    asked: FeedRequest,
    Query(place): Query<WhereQuery>,
    Query(time): Query<WhenQuery>,
) -> Result<Response, ApiError> {
    let looking = Looking::new(&asked.readers, &clock, asked.request.viewer, place, time).await?;
    meets(&asked, looking, Form::Json).await
}

async fn meets(asked: &FeedRequest, looking: Looking, form: Form) -> Result<Response, ApiError> {
    let (rows, next) = looking.with_ended(&asked.paging).await?;
    let items = rows.iter().map(|(meet, organiser)| syndication::meet(&asked.web, meet, organiser)).collect();
    let feed = Feed { about: "meets".to_owned(), title: "Meets".to_owned(), page: "meets".to_owned(), items, next };
    Ok(syndication::feed(asked, feed, form))
}
