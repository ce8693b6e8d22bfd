//! `GET /v1/me/meets`: the meets that one made, may change, or answered with anything but no.

use axum::extract::State;
use axum::response::Response;
use tourismo_core::id::DocId;
use tourismo_core::time::Timestamp;

use crate::api::cursor::List;
use crate::api::page::Page;
use crate::api::query::{PageQuery, Query};
use crate::api::read_request::OwnRequest;
use crate::api::schema::{MeetItem, MeetPage, Refusals};
use crate::api::{ApiError, access_check};
use crate::authorize::Access;
use crate::db::meets;
use crate::state::AnswerReaders;

/// My meets, the latest start first: those I made or may change, and those to which I said that I come, or may.
#[utoipa::path(
    get, path = "/v1/me/meets", tag = "me", security(("token" = [])), params(PageQuery),
    responses((status = 200, description = "A page of meets.", body = MeetPage), Refusals)
)]
pub(crate) async fn own_meets(
    State(readers): State<AnswerReaders>,
    OwnRequest { me, request }: OwnRequest,
    Query(paging): Query<PageQuery>,
) -> Result<Response, ApiError> {
    let after = paging.after(List::OwnMeets)?.unwrap_or((Timestamp(i64::MAX), DocId::from_bytes([0xff; 16])));
    let mut reader = readers.snapshot().await?;
    let rows = meets::mine(&mut reader, me, after, paging.rows()).await?;
    let Page { items: rows, next, .. } = paging.page(rows, List::OwnMeets, |(meet, _)| (meet.starts_at, meet.doc));
    let mut meets = Vec::new();
    for (meet, author) in &rows {
        // Whoever answered knows its id.
        if access_check::may_see_meet(&mut reader, request.viewer, meet, Access::ById).await? {
            meets.push(MeetItem::new(meet, author));
        }
    }
    request.answer(&MeetPage { head: (), items: meets, next })
}
