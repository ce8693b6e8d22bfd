//! `GET /v1/drives/{id}/comments`: what people say about a published drive, the latest first.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use tourismo_core::id::{AccountId, DocId};
use tourismo_core::time::Timestamp;
use utoipa::ToSchema;

use crate::Relay;
use crate::api::asked::{Asked, page};
use crate::api::cursor::List;
use crate::api::path::Path;
use crate::api::schema::{PageParameters, Refusals};
use crate::api::{ApiError, reach};
use crate::db::comments::{self, CommentRow};
use crate::db::said;

/// What somebody says.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CommentItem {
    #[schema(value_type = String, format = Uuid)]
    id: DocId,
    #[schema(value_type = String, format = Uuid)]
    account: AccountId,
    handle: Option<String>,
    display_name: Option<String>,
    /// Milliseconds since 1970 UTC.
    #[schema(value_type = i64)]
    at: Timestamp,
    text: String,
    /// Whether it is the viewer's.
    is_mine: bool,
}

/// A page of comments.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CommentPage {
    /// How many there are on all pages; at most 1,000, which stands for more, too.
    count: u64,
    comments: Vec<CommentItem>,
    /// For the parameter `after` of the next page; absent on the last one.
    next: Option<String>,
}

/// How far ahead of the relay's clock an author's may be, milliseconds: a day, which no wrong time zone reaches.
const AHEAD_MS: i64 = 86_400_000;

/// What people say about a drive, the latest first: by their own clocks. What is dated more than a day ahead is not told before
/// its time, so that nobody's word stays on top.
#[utoipa::path(
    get, path = "/v1/drives/{id}/comments", tag = "drives", security((), ("token" = [])),
    params(("id" = String, Path, description = "The published drive."), PageParameters),
    responses((status = 200, description = "A page of comments.", body = CommentPage), Refusals)
)]
pub(crate) async fn comments(
    State(relay): State<Arc<Relay>>,
    Path(id): Path<String>,
    asked: Asked,
) -> Result<Response, ApiError> {
    let (limit, id, viewer) = (asked.limit()?, reach::id(&id)?, asked.viewer.account());
    let latest = (relay.clock.now() + AHEAD_MS, DocId::from_bytes([0xff; 16]));
    let after = asked.after(List::Comments)?.map_or(latest, |after| latest.min(after));
    let mut reader = relay.readers.snapshot().await?;
    let owner = reach::drive_owner(&mut reader, &asked, id).await?;
    let count = said::about_one(&mut reader, id, owner, viewer).await?.comments;
    let rows = comments::list(&mut reader, id, owner, viewer, after, limit + 1).await?;
    let (rows, next) = page(rows, limit, List::Comments, |row| (row.at, row.id));
    let item = |row: CommentRow| CommentItem {
        id: row.id,
        account: row.account,
        handle: row.author.handle,
        display_name: row.author.display_name,
        at: row.at,
        text: row.text,
        is_mine: viewer == Some(row.account),
    };
    asked.answer(&CommentPage { count, comments: rows.into_iter().map(item).collect(), next })
}
