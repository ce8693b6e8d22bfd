//! Meets as iCalendar: `GET /v1/meets.ics` and `GET /v1/meets/{id}/meet.ics`.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;

use super::search::{Looking, WhenQuery};
use crate::db::meets;
use crate::domain::authorize::Access;
use crate::http::error::ApiError;
use crate::http::path::Path;
use crate::http::query::{Query, WhereQuery};
use crate::http::read_request::ReadRequest;
use crate::http::readers::AnswerReaders;
use crate::read::access_check;
use crate::read::schema::Refusals;
use crate::read::syndication::{self, Web};
use crate::runtime::clock::Clock;

/// Public meets as iCalendar, for subscription.
///
/// The calendar has the next hundred meets of `/v1/meets`, and the latest hundred of those that ended within 30 days.
#[utoipa::path(
    get, path = "/v1/meets.ics", tag = "feeds", security(()),
    params(WhereQuery, WhenQuery),
    responses((status = 200, description = "iCalendar.", body = String, content_type = "text/calendar"), Refusals)
)]
pub(crate) async fn meets_calendar(
    State(readers): State<AnswerReaders>,
    State(clock): State<Arc<Clock>>,
    web: Web,
    request: ReadRequest,
    Query(place): Query<WhereQuery>,
    Query(time): Query<WhenQuery>,
) -> Result<Response, ApiError> {
    let rows = Looking::new(&readers, &clock, request.viewer, place, time).await?.for_calendar().await?;
    Ok(syndication::calendar(&request, &web, "Meets", rows.iter().map(|(meet, _)| meet)))
}

/// A meet as iCalendar.
#[utoipa::path(
    get, path = "/v1/meets/{id}/meet.ics", tag = "feeds", security((), ("token" = [])),
    params(("id" = String, Path, description = "The meet.")),
    responses((status = 200, description = "iCalendar.", body = String, content_type = "text/calendar"), Refusals)
)]
pub(crate) async fn meet_calendar(
    State(readers): State<AnswerReaders>,
    web: Web,
    Path(id): Path<String>,
    request: ReadRequest,
) -> Result<Response, ApiError> {
    let mut reader = readers.snapshot().await?;
    let (meet, _) = meets::find(&mut reader, access_check::id(&id)?).await?.ok_or_else(ApiError::not_found)?;
    if !access_check::may_see_meet(&mut reader, request.viewer, &meet, Access::ById).await? {
        return Err(ApiError::not_found());
    }
    let title = meet.title.clone();
    Ok(syndication::calendar(&request, &web, &title, std::iter::once(&meet)))
}
