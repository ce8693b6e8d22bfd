//! `GET /v1/meets`: public meets in a span of time, within bounds or near a position, the earliest first. Feeds and
//! calendars of meets use the same search.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use tourismo_core::id::{AccountId, DocId};
use tourismo_core::time::Timestamp;
use utoipa::IntoParams;

use crate::db::feed::Author;
use crate::db::meet_search::{self, Order, Span};
use crate::db::meets::{MeetKey, MeetRecord};
use crate::db::sql::Connection;
use crate::domain::authorize::Viewer;
use crate::domain::grid::Bounds;
use crate::http::cursor::{self, List};
use crate::http::error::ApiError;
use crate::http::query::{Circle, MAX_LIMIT, PageQuery, Query, WhereQuery, given};
use crate::http::read_request::ReadRequest;
use crate::http::readers::AnswerReaders;
use crate::read::access_check;
use crate::read::schema::{MeetItem, MeetPage, Refusals};
use crate::runtime::clock::Clock;

/// Maximum number of reads for a page if meets within the bounds are not near enough. A circle is 79 % of the square
/// around it.
const LOOKS: usize = 10;

/// How long feeds and calendars keep a meet that has ended, milliseconds: 30 days. A subscribed calendar removes meets
/// that are missing.
const KEPT_MS: i64 = 30 * 86_400_000;

/// How long before its end a meet may have begun, milliseconds: the maximum of the core.
const LONGEST_MS: i64 = 31 * 86_400_000;

/// Public meets, the earliest first; by default those that have not ended.
///
/// A meet without an end is assumed to last twelve hours.
#[utoipa::path(
    get, path = "/v1/meets", tag = "meets", security((), ("token" = [])),
    params(WhereQuery, WhenQuery, PageQuery),
    responses((status = 200, description = "A page of meets.", body = MeetPage), Refusals)
)]
pub(crate) async fn search_meets(
    State(readers): State<AnswerReaders>,
    State(clock): State<Arc<Clock>>,
    request: ReadRequest,
    Query(paging): Query<PageQuery>,
    Query(place): Query<WhereQuery>,
    Query(time): Query<WhenQuery>,
) -> Result<Response, ApiError> {
    let (rows, next) = Looking::new(&readers, &clock, request.viewer, place, time).await?.of_coming(&paging).await?;
    let items = rows.iter().map(|(meet, author)| MeetItem::new(meet, author)).collect();
    request.answer(&MeetPage { head: (), items, next })
}

/// `from` and `to`, for every read of many meets.
#[derive(Clone, Copy, Debug, Deserialize, IntoParams)]
#[ into_params(parameter_in = Query)]
pub(crate) struct WhenQuery {
    /// The earliest start, milliseconds since 1970 UTC. Default: all meets that have not ended.
    #[serde(default, deserialize_with = "given")]
    #[param(value_type = i64)]
    from: Option<Timestamp>,
    /// The latest start.
    #[serde(default, deserialize_with = "given")]
    #[param(value_type = i64
            )]
    to: Option<Timestamp>,
}

type Rows = Vec<(MeetRecord, Author)>;

/// The position before the first meet of each order.
const EARLIEST: MeetKey = (Timestamp(i64::MIN), DocId::from_bytes([0; 16]));
const LATEST: MeetKey = (Timestamp(i64::MAX), DocId::from_bytes([0xff; 16]));

/// A search for public meets in one state of the database.
pub(super) struct Looking {
    reader: Connection,
    viewer: Viewer,
    blocked: BTreeSet<AccountId>,
    circle: Option<Circle>,
    bounds: Option<Bounds>,
    from: Option<Timestamp>,
    to: Timestamp,
    now: Timestamp,
}

impl Looking {
    pub(super) async fn new(
        readers: &AnswerReaders,
        clock: &Clock,
        viewer: Viewer,
        place: WhereQuery,
        WhenQuery { from, to }: WhenQuery,
    ) -> Result<Looking, ApiError> {
        let mut reader = readers.snapshot().await?;
        Ok(Looking {
            viewer,
            blocked: access_check::blocked_either_way(&mut reader, viewer).await?,
            reader,
            circle: place.circle(),
            bounds: place.bounds(),
            from,
            to: to.unwrap_or(Timestamp(i64::MAX)),
            now: clock.now(),
        })
    }

    /// Returns a page of the search. Near a position, a page may be shorter than requested and still have a next one.
    pub(super) async fn of_coming(mut self, paging: &PageQuery) -> Result<(Rows, Option<String>), ApiError> {
        let after = paging.after(List::Meets)?.unwrap_or(EARLIEST);
        let (rows, next) = self.coming(after, paging.limit.0).await?;
        Ok((rows, next.map(|place| cursor::encode(List::Meets, &place))))
    }

    /// Returns a page for subscribers: the search, then meets that ended within the last 30 days, the latest first.
    pub(super) async fn with_ended(mut self, paging: &PageQuery) -> Result<(Rows, Option<String>), ApiError> {
        let limit = paging.limit.0;
        let mut rows = Vec::new();
        let ended_after = match paging.after(List::EndedMeets) {
            Ok(Some(place)) => place,
            Ok(None) | Err(_) => {
                let after = paging.after(List::Meets)?.unwrap_or(EARLIEST);
                let next;
                (rows, next) = self.coming(after, limit).await?;
                if let Some(place) = next {
                    return Ok((rows, Some(cursor::encode(List::Meets, &place))));
                }
                LATEST
            }
        };
        let (ended, next) = self.ended(ended_after, limit - rows.len() as u32).await?;
        rows.extend(ended);
        Ok((rows, next.map(|place| cursor::encode(List::EndedMeets, &place))))
    }

    /// Returns the content of a calendar: the next hundred meets of the search, and the latest hundred of those that
    /// ended within the last 30 days.
    pub(super) async fn for_calendar(mut self) -> Result<Rows, ApiError> {
        let mut rows = self.ended(LATEST, MAX_LIMIT).await?.0;
        rows.reverse();
        rows.extend(self.coming(EARLIEST, MAX_LIMIT).await?.0);
        Ok(rows)
    }

    /// Returns meets that begin within the requested span; without a beginning those that have not ended.
    async fn coming(&mut self, after: MeetKey, limit: u32) -> Result<(Rows, Option<MeetKey>), ApiError> {
        let (from, ends) = match self.from {
            Some(from) => (from, None),
            None => (self.now - LONGEST_MS, Some((self.now, Timestamp(i64::MAX)))),
        };
        let span = Span { from, to: self.to, ends };
        self.page(span, Order::Earliest, after, limit).await
    }

    /// Returns meets that ended within the last 30 days, if no other span was requested.
    async fn ended(&mut self, after: MeetKey, limit: u32) -> Result<(Rows, Option<MeetKey>), ApiError> {
        if self.from.is_some() {
            return Ok((Vec::new(), None));
        }
        let ends_after = self.now - KEPT_MS;
        let ends = Some((ends_after, self.now));
        let span = Span { from: ends_after - LONGEST_MS, to: self.to, ends };
        self.page(span, Order::Latest, after, limit).await
    }

    async fn page(
        &mut self,
        span: Span,
        order: Order,
        mut after: MeetKey,
        limit: u32,
    ) -> Result<(Rows, Option<MeetKey>), ApiError> {
        let mut found = Vec::new();
        for _ in 0..LOOKS {
            let bounds = self.bounds.as_ref();
            let rows = meet_search::search(&mut self.reader, bounds, span, order, after, MAX_LIMIT).await?;
            let is_last = rows.len() < MAX_LIMIT as usize;
            for (meet, author) in rows {
                if found.len() == limit as usize {
                    return Ok((found, Some(after)));
                }
                after = (meet.starts_at, meet.doc);
                let is_near = self.circle.is_none_or(|circle| meet.position.is_some_and(|place| circle.holds(place)));
                if is_near && access_check::may_list(self.viewer, meet.account, meet.visibility, &self.blocked) {
                    found.push((meet, author));
                }
            }
            if is_last {
                return Ok((found, None));
            }
        }
        Ok((found, Some(after)))
    }
}
