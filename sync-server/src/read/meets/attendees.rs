//! `GET /v1/meets/{id}/attendees`: the attendees of a meet, first those whom the viewer follows.

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

/// An account that attends or may attend.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AttendeeItem {
    #[schema(value_type = String, format = Uuid)]
    account: AccountId,
    handle: Option<String>,
    display_name: Option<String>,
    answer: AnswerName,
    /// Whether the viewer follows the account.
    is_followed: bool,
    /// The number of accounts that the viewer follows among the last 200 that this account followed.
    /// `/v1/me/in-common/{account}` lists all of them.
    followed_in_common: u64,
}

/// Fields about all answers.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AttendeesHead {
    answers: AnswerCounts,
}

impl Listed for AttendeeItem {
    const LIST: &'static str = "attendees";
    const PAGE: &'static str = "AttendeePage";
    const DESCRIPTION: &'static str = "A page of attendees.";
    type Schema = AttendeeItem;
}

/// A page of attendees.
pub(crate) type AttendeePage = Page<AttendeeItem, AttendeesHead>;

/// The attendees of a meet, also those who may attend: first those whom the viewer follows, then by answer.
///
/// Accounts that approve their followers are shown to the organisers and to those whom they accepted; they are counted
/// for everybody.
#[utoipa::path(
    get, path = "/v1/meets/{id}/attendees", tag = "meets", security((), ("token" = [])),
    params(("id" = String, Path, description = "The meet."), PageQuery),
    responses((status = 200, description = "A page of attendees.", body = AttendeePage), Refusals)
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
