//! `GET /v1/meets/{id}/attendees`: who comes, those first whom the viewer follows.

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use tourismo_core::id::AccountId;
use utoipa::ToSchema;

use super::meet::{AnswerCounts, AnswerName};
use crate::db::meets;
use crate::db::rsvps::{self, AttendeeRow};
use crate::domain::authorize::Access;
use crate::http::cursor::List;
use crate::http::error::ApiError;
use crate::http::page::{Listed, Page};
use crate::http::path::Path;
use crate::http::query::{PageQuery, Query};
use crate::http::read_request::ReadRequest;
use crate::http::readers::AnswerReaders;
use crate::read::access_check;
use crate::read::schema::Refusals;

/// Someone who comes, or may.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AttendeeItem {
    #[schema(value_type = String, format = Uuid)]
    account: AccountId,
    handle: Option<String>,
    display_name: Option<String>,
    answer: AnswerName,
    /// Whether the viewer follows them.
    is_followed: bool,
    /// How many of the 200 whom they followed last the viewer follows, too: `/v1/me/in-common/{account}` has the names of
    /// all.
    followed_in_common: u64,
}

/// What is said of all who answered.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AttendeesHead {
    answers: AnswerCounts,
}

impl Listed for AttendeeItem {
    const LIST: &'static str = "attendees";
    const PAGE: &'static str = "AttendeePage";
    const DESCRIPTION: &'static str = "A page of those who come.";
    type Schema = AttendeeItem;
}

/// A page of those who come.
pub(crate) type AttendeePage = Page<AttendeeItem, AttendeesHead>;

/// Who comes, or may: those first whom the viewer follows, then by answer.
///
/// Those who ask about followers are shown to the organisers and to whom they accepted; they are counted all the same.
#[utoipa::path(
    get, path = "/v1/meets/{id}/attendees", tag = "meets", security((), ("token" = [])),
    params(("id" = String, Path, description = "The meet."), PageQuery),
    responses((status = 200, description = "A page of people who answered.", body = AttendeePage), Refusals)
)]
pub(crate) async fn attendees(
    State(readers): State<AnswerReaders>,
    Path(id): Path<String>,
    request: ReadRequest,
    Query(paging): Query<PageQuery>,
) -> Result<Response, ApiError> {
    let (id, viewer) = (access_check::id(&id)?, request.viewer.account());
    let after = paging.after(List::Attendees)?.unwrap_or((-1, -1, AccountId::from_bytes([0; 16])));
    let mut reader = readers.snapshot().await?;
    let (meet, _) = meets::find(&mut reader, id).await?.ok_or_else(ApiError::not_found)?;
    if !access_check::may_see_meet(&mut reader, request.viewer, &meet, Access::ById).await? {
        return Err(ApiError::not_found());
    }
    let rsvps::AnswerCounts { going, maybe, no } = rsvps::counted(&mut reader, id, meet.account, viewer).await?;
    let organisers = meets::organisers(&mut reader, meet.account, id).await?;
    let is_organiser = |account: AccountId| account == meet.account || organisers.contains(&account);
    let sees_all = viewer.is_some_and(is_organiser);
    let rows = rsvps::attendees(&mut reader, id, meet.account, viewer, sees_all, after, paging.rows()).await?;
    let page = paging.page(rows, List::Attendees, AttendeeRow::key);
    let item = |row: AttendeeRow| AttendeeItem {
        account: row.account,
        handle: row.author.handle,
        display_name: row.author.display_name,
        answer: row.answer.into(),
        is_followed: row.is_followed,
        followed_in_common: row.followed_in_common,
    };
    let answers = AnswerCounts { going, maybe, no };
    request.answer(&page.map(item).with_head(AttendeesHead { answers }))
}
