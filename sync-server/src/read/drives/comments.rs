//! `GET /v1/drives/{id}/comments`: the comments on a published drive, the latest first.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use tourismo_core::id::{AccountId, DocId};
use tourismo_core::time::Timestamp;
use utoipa::ToSchema;

use crate::db::comments::{self, CommentRow};
use crate::db::engagement;
use crate::http::cursor::List;
use crate::http::error::ApiError;
use crate::http::page::{Listed, Page};
use crate::http::path::Path;
use crate::http::query::{PageQuery, Query};
use crate::http::read_request::ReadRequest;
use crate::http::readers::AnswerReaders;
use crate::read::access_check;
use crate::read::schema::Refusals;
use crate::runtime::clock::Clock;

/// A comment.
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
    /// Whether the viewer wrote it.
    is_mine: bool,
    /// Whether the owner of the drive, who is the viewer, removed it. Others do not get it.
    is_hidden: bool,
}

/// Fields about all comments.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CommentsHead {
    /// The number of comments on all pages; at most 1,000, which also stands for more.
    count: u64,
}

impl Listed for CommentItem {
    const LIST: &'static str = "comments";
    const PAGE: &'static str = "CommentPage";
    const DESCRIPTION: &'static str = "A page of comments.";
    type Schema = CommentItem;
}

/// A page of comments.
pub(crate) type CommentPage = Page<CommentItem, CommentsHead>;

/// How far the time of a comment may be ahead of the relay's clock, milliseconds: a day, which exceeds any wrong time
/// zone.
const AHEAD_MS: i64 = 86_400_000;

/// The comments on a drive, the latest first by their authors' clocks. A comment that is dated more than a day ahead is
/// hidden until its time, so that none stays at the top. A comment that the owner of the drive removed is for the owner only.
#[utoipa::path(
    get, path = "/v1/drives/{id}/comments", tag = "drives", security((), ("token" = [])),
    params(("id" = String, Path, description = "The published drive."), PageQuery),
    responses((status = 200, description = "A page of comments.", body = CommentPage), Refusals)
)]
pub(crate) async fn comments(
    State(readers): State<AnswerReaders>,
    State(clock): State<Arc<Clock>>,
    Path(id): Path<String>,
    request: ReadRequest,
    Query(paging): Query<PageQuery>,
) -> Result<Response, ApiError> {
    let (id, viewer) = (access_check::id(&id)?, request.viewer.account());
    let latest = (clock.now() + AHEAD_MS, DocId::from_bytes([0xff; 16]));
    let after = paging.after(List::Comments)?.map_or(latest, |after| latest.min(after));
    let mut reader = readers.snapshot().await?;
    let owner = access_check::drive_owner(&mut reader, &request, id).await?;
    let count = engagement::of_drive(&mut reader, id, owner, viewer).await?.comments;
    let rows = comments::list(&mut reader, id, owner, viewer, after, paging.rows()).await?;
    let page = paging.page(rows, List::Comments, |row| (row.at, row.id));
    let item = |row: CommentRow| CommentItem {
        id: row.id,
        account: row.account,
        handle: row.author.handle,
        display_name: row.author.display_name,
        at: row.at,
        text: row.text,
        is_mine: viewer == Some(row.account),
        is_hidden: row.is_hidden,
    };
    request.answer(&page.map(item).with_head(CommentsHead { count }))
}
