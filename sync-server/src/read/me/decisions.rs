//! `GET /v1/me/decisions`: what operators hide of the account, with their reasons.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use tourismo_core::id::{AccountId, DocId};
use tourismo_core::time::Timestamp;
use utoipa::ToSchema;

use crate::db::decisions::{self, Decision, Target};
use crate::http::error::ApiError;
use crate::http::read_request::OwnRequest;
use crate::http::readers::AnswerReaders;
use crate::read::schema::Refusals;

/// The kind of a hidden item.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum HiddenTarget {
    /// The account is suspended: others see nothing of it.
    Account,
    /// A published drive.
    Drive,
    /// A meet.
    Meet,
    /// A comment.
    Comment,
}

/// Something that an operator hides from others.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HiddenItem {
    target: HiddenTarget,
    /// The account; the drive, or its published copy if no drive names it; the document of the meet; the comment.
    #[schema(value_type = String, format = Uuid)]
    document: DocId,
    /// The id by which others found it; of a comment that of the drive.
    #[schema(value_type = String, format = Uuid)]
    link: DocId,
    /// The operator's reason.
    reason: String,
    /// Milliseconds since 1970 UTC.
    #[schema(value_type = i64)]
    decided_at: Timestamp,
}

/// What operators hide of an account.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HiddenItems {
    #[schema(value_type = String, format = Uuid)]
    account: AccountId,
    items: Vec<HiddenItem>,
}

/// What operators hide of me, with their reasons; what they show again is not in it. `[O3]`
#[utoipa::path(
    get, path = "/v1/me/decisions", tag = "me", security(("token" = [])),
    responses((status = 200, description = "The hidden items.", body = HiddenItems), Refusals)
)]
pub(crate) async fn own_decisions(
    State(readers): State<AnswerReaders>,
    OwnRequest { me, request }: OwnRequest,
) -> Result<Response, ApiError> {
    let rows = decisions::rows_of(&mut readers.acquire().await?, me).await?;
    // Of several decisions about one item the newest counts.
    let newest: BTreeMap<_, Decision> =
        rows.into_iter().map(|decision| ((decision.item.target, decision.item.item), decision)).collect();
    let items = newest.into_values().filter(|decision| decision.is_hidden).map(HiddenItem::from).collect();
    request.answer(&HiddenItems { account: me, items })
}

impl From<Decision> for HiddenItem {
    fn from(decision: Decision) -> HiddenItem {
        let Decision { decided_at, item, reason, .. } = decision;
        let target = match item.target {
            Target::Account => HiddenTarget::Account,
            Target::Drive => HiddenTarget::Drive,
            Target::Meet => HiddenTarget::Meet,
            Target::Comment => HiddenTarget::Comment,
        };
        HiddenItem { target, document: item.item, link: item.link, reason, decided_at }
    }
}
