//! `GET /v1/people/{person}/drives`: the published drives of an account, newest first.

use axum::extract::State;
use axum::response::Response;

use crate::db::feed::{self, FeedKey, FeedRow};
use crate::domain::authorize::{Access, Audience, authorize};
use crate::http::cursor::List;
use crate::http::error::ApiError;
use crate::http::page::Page;
use crate::http::path::Path;
use crate::http::query::{PageQuery, Query};
use crate::http::read_request::ReadRequest;
use crate::http::readers::AnswerReaders;
use crate::read::access_check;
use crate::read::drive_item::{DriveItem, DrivePage};
use crate::read::schema::Refusals;

/// The published drives of an account, newest first: public ones, and those for followers if the viewer is an accepted
/// follower.
#[utoipa::path(
    get, path = "/v1/people/{person}/drives", tag = "people", security((), ("token" = [])),
    params(("person" = String, Path, description = "A handle or an account's id."), PageQuery),
    responses((status = 200, description = "A page of published drives.", body = DrivePage), Refusals)
)]
pub(crate) async fn person_drives(
    State(readers): State<AnswerReaders>,
    Path(name): Path<String>,
    request: ReadRequest,
    Query(paging): Query<PageQuery>,
) -> Result<Response, ApiError> {
    let after = paging.after(List::PersonDrives)?;
    let after = after.map_or(FeedKey::FIRST, |(sort_at, doc)| FeedKey { sort_at, doc });
    let mut reader = readers.snapshot().await?;
    let person = access_check::person(&mut reader, &request, &name).await?;
    let with_followers = person.shows_to_followers(request.viewer);
    let rows = feed::of_person(&mut reader, person.account, with_followers, after, paging.rows()).await?;
    let page = paging.page(rows, List::PersonDrives, |row| (row.key.sort_at, row.key.doc));
    let Page { items: mut rows, next, .. } = page;
    let may_list = |row: &FeedRow| {
        let audience = Audience { owner: row.account, visibility: row.visibility, relation: person.relation };
        authorize(request.viewer, audience, Access::Listed).is_ok()
    };
    rows.retain(may_list);
    let items = DriveItem::list(&mut reader, request.viewer, &rows).await?;
    request.answer(&DrivePage { head: (), items, next })
}
