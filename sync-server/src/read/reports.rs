//! `POST /v1/reports`: a report about a drive, a comment, a meet or a person to the operators of the relay.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use tourismo_core::id::{AccountId, DocId};
use tourismo_core::wire::RelayId;
use utoipa::ToSchema;

use crate::db::decisions::{self, Item, Target};
use crate::db::meets;
use crate::db::reports::{NewReport, ReportReason, Reported};
use crate::db::sql::Connection;
use crate::domain::authorize::Access;
use crate::http::error::ApiError;
use crate::http::read_request::ReadRequest;
use crate::http::readers::AnswerReaders;
use crate::http::viewer::Viewers;
use crate::read::access_check;
use crate::read::schema::Refusals;
use crate::writer::Writer;

/// Maximum size of a body, bytes, and maximum number of characters of a text.
const MAX_BODY: usize = 8 << 10;
const MAX_TEXT: usize = 1_000;

/// The kind of what is reported.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ReportTarget {
    /// A published drive.
    Drive,
    /// A comment on a drive.
    Comment,
    /// A meet.
    Meet,
    /// An account.
    Person,
}

/// Why something is reported.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ReportReasonName {
    /// Advertising or nonsense.
    Spam,
    /// It harasses or threatens somebody.
    Harassment,
    /// It calls for danger on roads.
    Danger,
    /// It shows somebody's private data.
    Private,
    /// It is against the law.
    Illegal,
    /// Another reason: see the text.
    Other,
}

/// A report.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NewReportBody {
    target: ReportTarget,
    /// The drive, the comment, the meet or the account.
    #[schema(value_type = String, format = Uuid)]
    id: DocId,
    /// The author of a comment.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = Uuid)]
    account: Option<AccountId>,
    /// The drive of a comment.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = Uuid)]
    drive: Option<DocId>,
    reason: ReportReasonName,
    /// At most 1,000 characters.
    #[serde(default)]
    text: String,
}

/// Reports something that the reporter can see to the operators of the relay. One reporter reports an item once; again
/// changes nothing. Without a token at most 5 reports a day from an address, with one at most 50 a day of an account. `[O5]`
#[utoipa::path(
    post, path = "/v1/reports", tag = "reports", security((), ("token" = [])),
    request_body = NewReportBody,
    responses(
        (status = 204, description = "The report is stored."),
        Refusals
    )
)]
pub(crate) async fn report(
    State(readers): State<AnswerReaders>,
    State(viewers): State<Arc<Viewers>>,
    State(writer): State<Writer>,
    mut request: ReadRequest,
    body: Bytes,
) -> Result<StatusCode, ApiError> {
    if body.len() > MAX_BODY {
        return Err(ApiError::bad_body("The body has at most 8 KiB."));
    }
    let body: NewReportBody = serde_json::from_slice(&body).map_err(|error| ApiError::bad_body(&error.to_string()))?;
    if body.text.chars().count() > MAX_TEXT {
        return Err(ApiError::bad_body("The text has at most 1,000 characters."));
    }
    let item = {
        let mut reader = readers.snapshot().await?;
        item(&mut reader, &request, &body).await?.ok_or_else(ApiError::not_found)?
    };
    let account = request.viewer.account();
    if account == Some(item.account) {
        return Err(ApiError::bad_body("It is your own."));
    }
    request.release_permit();
    let report = NewReport {
        item,
        reporter: account.map(|account| DocId::from_bytes(*account.as_bytes())),
        source: request.source.names(relay_of(&viewers)).host,
        reason: body.reason.into(),
        body: body.text.trim().to_owned(),
    };
    match writer.report(report).await.map_err(|_| ApiError::unavailable())? {
        Reported::Stored => Ok(StatusCode::NO_CONTENT),
        Reported::TooMany => Err(ApiError::too_many_reports()),
        Reported::Full => Err(ApiError::reports_full()),
    }
}

fn relay_of(viewers: &Viewers) -> &RelayId {
    &viewers.relay
}

/// Returns what is reported, if the reporter can see it.
async fn item(reader: &mut Connection, request: &ReadRequest, body: &NewReportBody) -> Result<Option<Item>, ApiError> {
    match body.target {
        ReportTarget::Person => {
            let account = AccountId::from_bytes(*body.id.as_bytes());
            access_check::person(reader, request, &account.to_string()).await?;
            Ok(decisions::find(reader, Target::Account, body.id).await?)
        }
        ReportTarget::Drive => {
            access_check::drive_owner(reader, request, body.id).await?;
            Ok(decisions::find(reader, Target::Drive, body.id).await?)
        }
        ReportTarget::Meet => {
            let Some((meet, _)) = meets::find(reader, body.id).await? else { return Ok(None) };
            if !access_check::may_see_meet(reader, request.viewer, &meet, Access::ById).await? {
                return Ok(None);
            }
            Ok(decisions::find(reader, Target::Meet, body.id).await?)
        }
        ReportTarget::Comment => {
            let (Some(account), Some(drive)) = (body.account, body.drive) else {
                return Err(ApiError::bad_body("A comment needs the fields account and drive."));
            };
            access_check::drive_owner(reader, request, drive).await?;
            Ok(decisions::find_comment(reader, account, drive, body.id).await?)
        }
    }
}

impl From<ReportReasonName> for ReportReason {
    fn from(name: ReportReasonName) -> ReportReason {
        match name {
            ReportReasonName::Spam => ReportReason::Spam,
            ReportReasonName::Harassment => ReportReason::Harassment,
            ReportReasonName::Danger => ReportReason::Danger,
            ReportReasonName::Private => ReportReason::Private,
            ReportReasonName::Illegal => ReportReason::Illegal,
            ReportReasonName::Other => ReportReason::Other,
        }
    }
}
