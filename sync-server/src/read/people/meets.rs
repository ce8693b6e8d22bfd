//! `GET /v1/people/{person}/meets`: the meets of an account, the latest start first.

use axum::extract::State;
use axum::response::Response;
use tourismo_core::id::DocId;
use tourismo_core::time::Timestamp;

use crate::db::meets;
use crate::domain::authorize::{Access, Audience, authorize};
use crate::http::cursor::List;
use crate::http::error::ApiError;
use crate::http::page::Page;
use crate::http::path::Path;
use crate::http::query::{PageQuery, Query};
use crate::http::read_request::ReadRequest;
use crate::http::readers::AnswerReaders;
use crate::read::access_check;
use crate::read::schema::{MeetItem, MeetPage, Refusals};

/// The meets of an account, the latest start first: public ones, and those for followers if the viewer is an accepted
/// follower.
#[utoipa::path(
    get, path = "/v1/people/{person}/meets", tag = "people", security((), ("token" = [])),
    params(("person" = String, Path, description = "A handle or an account's id."), PageQuery),
    responses((status = 200, description = "A page of meets.", body = MeetPage), Refusals)
)]
pub(crate) async fn person_meets(
    State(readers): State<AnswerReaders>,
    Path(name): Path<String>,
    request: ReadRequest,
    Query(paging): Query<PageQuery>,
) -> Result<Response, ApiError> {
    let after = paging.after(List::PersonMeets)?.unwrap_or((Timestamp(i64::MAX), DocId::from_bytes([0xff; 16])));
    let mut reader = readers.snapshot().await?;
    let person = access_check::person(&mut reader, &request, &name).await?;
    let with_followers = person.shows_to_followers(request.viewer);
    let rows = meets::of_person(&mut reader, person.account, with_followers, after, paging.rows()).await?;
    let Page { items: rows, next, .. } = paging.page(rows, List::PersonMeets, |(meet, _)| (meet.starts_at, meet.doc));
    let may_list = |visibility| {
        let audience = Audience { owner: person.account, visibility, relation: person.relation };
        authorize(request.viewer, audience, Access::Listed).is_ok()
    };
    let shown = rows.iter().filter(|(meet, _)| may_list(meet.visibility));
    let items = shown.map(|(meet, author)| MeetItem::new(meet, author)).collect();
    request.answer(&MeetPage { head: (), items, next })
}
