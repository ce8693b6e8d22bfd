//! `GET /v1/meets`: public meets in a span of time, within bounds or near a place, the earliest first.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use tourismo_core::id::DocId;
use tourismo_core::time::Timestamp;
use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterIn};

use crate::Relay;
use crate::api::asked::{Asked, MAX_LIMIT};
use crate::api::cursor::{self, List};
use crate::api::schema::{MeetItem, MeetPage, PageParameters, Refusals, parameter};
use crate::api::{ApiError, reach};
use crate::db::feed::Author;
use crate::db::meet_search::{self, Span};
use crate::db::meets::{MeetKey, MeetRecord};
use crate::grid::Bounds;

/// How often to look on when what is within the bounds is not near enough. A circle is 79 % of the square around it.
const LOOKS: usize = 10;

/// Public meets, the earliest first: those that begin from now on, unless told.
#[utoipa::path(
    get, path = "/v1/meets", tag = "meets", security((), ("token" = [])),
    params(WhereAndWhen, PageParameters),
    responses((status = 200, body = MeetPage), Refusals)
)]
pub(crate) async fn search(State(relay): State<Arc<Relay>>, asked: Asked) -> Result<Response, ApiError> {
    let (rows, next) = read(&relay, &asked, asked.limit()?).await?;
    asked.answer(&MeetPage { meets: rows.iter().map(|(meet, author)| MeetItem::new(meet, author)).collect(), next })
}

/// Where and when to look, as every read of many meets takes it.
pub(super) enum WhereAndWhen {}

impl IntoParams for WhereAndWhen {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![
            parameter::<String>("bbox", "Within these bounds: `west,south,east,north` in degrees."),
            parameter::<String>("near", "Near this place: `latitude,longitude` in degrees."),
            parameter::<f64>("radiusM", "How near, metres: 50000 unless told, 500000 at most."),
            parameter::<i64>("from", "The earliest start, milliseconds since 1970 UTC: now unless told."),
            parameter::<i64>("to", "The latest start."),
        ]
    }
}

/// A page of what was asked for. Of what is near, it may be shorter than asked for and yet have a next one.
pub(super) async fn read(
    relay: &Relay,
    asked: &Asked,
    limit: u32,
) -> Result<(Vec<(MeetRecord, Author)>, Option<String>), ApiError> {
    let (near, bbox) = (asked.near()?, asked.bbox()?);
    let bounds = bbox.or(near.map(|near| Bounds::around(near.lon, near.lat, near.radius_m)));
    let from = asked.time("from")?.unwrap_or_else(|| relay.clock.now());
    let span = Span { from, to: asked.time("to")?.unwrap_or(Timestamp(i64::MAX)) };
    let first = (Timestamp(i64::MIN), DocId::from_bytes([0; 16]));
    let mut after: MeetKey = asked.after(List::Meets)?.unwrap_or(first);
    let mut reader = relay.readers.snapshot().await?;
    let shunned = reach::shunned(&mut reader, asked.viewer).await?;
    let mut found = Vec::new();
    for _ in 0..LOOKS {
        let rows = meet_search::search(&mut reader, bounds.as_ref(), span, after, MAX_LIMIT).await?;
        let is_last = rows.len() < MAX_LIMIT as usize;
        for (meet, author) in rows {
            if found.len() == limit as usize {
                return Ok((found, Some(cursor::encode(List::Meets, &after))));
            }
            after = (meet.starts_at, meet.doc);
            let is_near = near.is_none_or(|near| meet.position.is_some_and(|place| near.holds(place)));
            if is_near && reach::may_list(asked.viewer, meet.account, meet.visibility, &shunned) {
                found.push((meet, author));
            }
        }
        if is_last {
            return Ok((found, None));
        }
    }
    Ok((found, Some(cursor::encode(List::Meets, &after))))
}
