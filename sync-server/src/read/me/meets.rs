//! `GET /v1/me/meets`: the meets that the account made, may change, or answered with anything but no.

use axum::extract::State;
use axum::response::Response;
use tourismo_core::id::DocId;
use tourismo_core::time::Timestamp;

use crate::db::meets;
use crate::domain::authorize::Access;
use crate::http::cursor::List;
use crate::http::error::ApiError;
use crate::http::page::Page;
use crate::http::query::{PageQuery, Query};
use crate::http::read_request::OwnRequest;
use crate::http::readers::AnswerReaders;
use crate::read::access_check;
use crate::read::schema::{MeetItem, MeetPage, Refusals};

/// My meets, the latest start first: those that I made or may change, and those that I attend or may attend.
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
        // An account that answered has the id.
        if access_check::may_see_meet(&mut reader, request.viewer, meet, Access::ById).await? {
            meets.push(MeetItem::new(meet, author));
        }
    }
    request.answer(&MeetPage { head: (), items: meets, next })
}
