//! `GET /v1/meets/{id}`: a meet with the numbers of answers.

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use tourismo_core::docs::Answer;
use tourismo_core::id::{AccountId, DocId};
use tourismo_core::time::Timestamp;
use utoipa::ToSchema;

use crate::db::sql::Connection;
use crate::db::{meets, rsvps};
use crate::domain::authorize::{Access, Viewer};
use crate::http::error::ApiError;
use crate::http::path::Path;
use crate::http::read_request::ReadRequest;
use crate::http::readers::AnswerReaders;
use crate::read::access_check;
use crate::read::schema::{MeetItem, Refusals};

/// An answer to a meet.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum AnswerName {
    Going,
    Maybe,
    No,
}

impl From<Answer> for AnswerName {
    fn from(answer: Answer) -> AnswerName {
        match answer {
            Answer::Going => AnswerName::Going,
            Answer::Maybe => AnswerName::Maybe,
            Answer::No => AnswerName::No,
        }
    }
}

/// The numbers of answers, each at most 10,000.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AnswerCounts {
    pub(super) going: u64,
    pub(super) maybe: u64,
    pub(super) no: u64,
}

/// A meet with its answers.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MeetBody {
    #[serde(flatten)]
    meet: MeetItem,
    /// The co-organisers.
    #[schema(value_type = Vec<String>)]
    organisers: Vec<AccountId>,
    /// Grows with every change.
    sequence: u64,
    /// When the newest field was set, by its author's clock. A change must have a later time.
    #[schema(value_type = i64)]
    changed_at: Timestamp,
    answers: AnswerCounts,
    /// The viewer's answer.
    my_answer: Option<AnswerName>,
}

/// A meet.
#[utoipa::path(
    get, path = "/v1/meets/{id}", tag = "meets", security((), ("token" = [])),
    params(("id" = String, Path, description = "The meet.")),
    responses((status = 200, description = "The meet.", body = MeetBody), Refusals)
)]
pub(crate) async fn meet(
    State(readers): State<AnswerReaders>,
    Path(id): Path<String>,
    request: ReadRequest,
) -> Result<Response, ApiError> {
    let mut reader = readers.snapshot().await?;
    let body = read(&mut reader, request.viewer, access_check::id(&id)?).await?.ok_or_else(ApiError::not_found)?;
    request.answer(&body)
}

/// Returns the meet, if the viewer may see it.
pub(super) async fn read(reader: &mut Connection, viewer: Viewer, id: DocId) -> Result<Option<MeetBody>, sqlx::Error> {
    let Some((meet, author)) = meets::find(reader, id).await? else { return Ok(None) };
    if !access_check::may_see_meet(reader, viewer, &meet, Access::ById).await? {
        return Ok(None);
    }
    let rsvps::AnswerCounts { going, maybe, no } = rsvps::counted(reader, id, meet.account, viewer.account()).await?;
    let my_answer = match viewer.account() {
        Some(account) => rsvps::of(reader, account, id).await?.map(AnswerName::from),
        None => None,
    };
    Ok(Some(MeetBody {
        organisers: meets::organisers(reader, meet.account, id).await?,
        sequence: meet.sequence,
        changed_at: meet.changed_at,
        meet: MeetItem::new(&meet, &author),
        answers: AnswerCounts { going, maybe, no },
        my_answer,
    }))
}
