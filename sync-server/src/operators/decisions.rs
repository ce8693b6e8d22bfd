//! Reports and decisions.

use std::collections::BTreeMap;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use tourismo_core::docs::social;
use tourismo_core::id::{AccountId, DocId};

use super::answers::{
    ClosedBody, DecideBody, DecisionBody, DecisionsBody, ItemBody, ReportBody, ReportsBody, Shown, TargetName,
};
use crate::db::decisions::{self, Item, Target};
use crate::db::reports::{self, StoredReport};
use crate::db::sql::{Connection, Pool};
use crate::db::{comments, meets, profiles, published};
use crate::http::error::ApiError;
use crate::writer::{NewDecision, Writer};

/// Maximum number of characters of a reason.
const MAX_REASON: usize = 500;

/// The number of reports or decisions of an answer.
const PAGE: u32 = 50;

/// Maximum number of characters of a text that is shown to operators.
const MAX_SHOWN: usize = 500;

/// The parameters of a list: `before` a number; and of reports, whether they are anonymous.
type Parameters = Query<BTreeMap<String, String>>;

fn before(parameters: &BTreeMap<String, String>) -> u64 {
    parameters.get("before").and_then(|before| before.parse().ok()).unwrap_or(i64::MAX as u64)
}

/// The open reports, the newest first, with what is shown of each item.
pub(super) async fn reports(
    State(readers): State<Pool>,
    Query(parameters): Parameters,
) -> Result<Json<ReportsBody>, ApiError> {
    let mut reader = readers.snapshot().await?;
    let is_anonymous = parameters.get("anonymous").is_some_and(|value| value == "true");
    let mut reports = Vec::new();
    for report in reports::open(&mut reader, is_anonymous, before(&parameters), PAGE).await? {
        let StoredReport { number, reported_at, item, is_anonymous, reporter, reason, body, .. } = report;
        reports.push(ReportBody {
            number,
            at: reported_at,
            item: item.into(),
            shown: shown(&mut reader, &item).await?,
            reason: reason.name().to_owned(),
            text: body,
            reporter: (!is_anonymous).then(|| AccountId::from_bytes(*reporter.as_bytes())),
        });
    }
    Ok(Json(ReportsBody { reports }))
}

/// The decisions, the newest first.
pub(super) async fn decisions(
    State(readers): State<Pool>,
    Query(parameters): Parameters,
) -> Result<Json<DecisionsBody>, ApiError> {
    let mut reader = readers.acquire().await?;
    let page = decisions::page(&mut reader, before(&parameters), PAGE).await?;
    Ok(Json(DecisionsBody { decisions: page.into_iter().map(Into::into).collect() }))
}

/// Hides or shows an item, suspends an account, or ends that. `[O1]`
pub(super) async fn decide(
    State(readers): State<Pool>,
    State(writer): State<Writer>,
    body: Bytes,
) -> Result<Json<DecisionBody>, ApiError> {
    let DecideBody { report, item, is_hidden, reason } = super::parsed(&body)?;
    let reason = reason.trim();
    if reason.is_empty() || reason.chars().count() > MAX_REASON {
        return Err(ApiError::bad_body("A reason has 1 to 500 characters: the owner reads it."));
    }
    let item = {
        let mut reader = readers.snapshot().await?;
        match (report, item) {
            (Some(number), _) => reports::find(&mut reader, number).await?.map(|report| report.item),
            (None, Some(item)) => find(&mut reader, item).await?,
            (None, None) => None,
        }
    };
    let item = item.ok_or_else(ApiError::not_found)?;
    let decision = NewDecision { item, is_hidden, reason: reason.to_owned() };
    let decision = writer.decide(decision).await.map_err(|_| ApiError::unavailable())?;
    tracing::info!(
        number = decision.number, account = %item.account, target = ?item.target, item = %item.link, is_hidden,
        "an operator decided"
    );
    Ok(Json(decision.into()))
}

/// Closes the open reports about the item of a report.
pub(super) async fn dismiss(
    State(readers): State<Pool>,
    State(writer): State<Writer>,
    Path(number): Path<u64>,
) -> Result<Json<ClosedBody>, ApiError> {
    let report = reports::find(&mut readers.acquire().await?, number).await?.ok_or_else(ApiError::not_found)?;
    let closed = writer.dismiss(report.item).await.map_err(|_| ApiError::unavailable())?;
    tracing::info!(number, closed, "an operator dismissed reports");
    Ok(Json(ClosedBody { closed }))
}

async fn find(reader: &mut Connection, body: ItemBody) -> Result<Option<Item>, sqlx::Error> {
    let ItemBody { target, id, account, drive } = body;
    match (target, account, drive) {
        (TargetName::Person, ..) => decisions::find(reader, Target::Account, id).await,
        (TargetName::Drive, ..) => decisions::find(reader, Target::Drive, id).await,
        (TargetName::Meet, ..) => decisions::find(reader, Target::Meet, id).await,
        (TargetName::Comment, Some(account), Some(drive)) => decisions::find_comment(reader, account, drive, id).await,
        (TargetName::Comment, ..) => Ok(None),
    }
}

/// Returns what an item shows to others.
async fn shown(reader: &mut Connection, item: &Item) -> Result<Shown, sqlx::Error> {
    let profile = profiles::find(reader, item.account).await?;
    let text = match item.target {
        Target::Account => {
            profile.as_ref().map(|profile| format!("{}\n{}", profile.display_name, profile.bio).trim().to_owned())
        }
        Target::Drive => published::head(reader, item.account, item.link).await?.map(|drive| drive.title),
        Target::Meet => meets::find(reader, item.link).await?.map(|(meet, _)| format!("{}\n{}", meet.title, meet.text)),
        Target::Comment => comment_of(reader, item.account, item.link, item.item).await?,
    };
    let handle = profile.and_then(|profile| profile.withheld_handle.or(Some(profile.handle)));
    Ok(Shown {
        handle: handle.filter(|handle| !handle.is_empty()),
        text: text.filter(|text| !text.is_empty()).map(|text| text.chars().take(MAX_SHOWN).collect()),
    })
}

async fn comment_of(
    reader: &mut Connection,
    account: AccountId,
    drive: DocId,
    comment: DocId,
) -> Result<Option<String>, sqlx::Error> {
    let doc = social::about(&account, &drive);
    let found = comments::stored_with_ids(reader, account, doc, &[comment]).await?;
    Ok(found.into_iter().next().map(|(_, comment)| comment.text))
}
