//! `GET /v1/drives/{id}/reactions`: what people feel about a published drive.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use tourismo_core::docs::Reaction;
use tourismo_core::id::AccountId;
use utoipa::ToSchema;

use crate::Relay;
use crate::api::asked::{Asked, page};
use crate::api::cursor::List;
use crate::api::drive_item::ReactionCounts;
use crate::api::path::Path;
use crate::api::schema::{PageParameters, Refusals};
use crate::api::{ApiError, reach};
use crate::db::reactions::{self, ReactionRow};
use crate::db::said;

/// What somebody feels.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReactionItem {
    #[schema(value_type = String, format = Uuid)]
    account: AccountId,
    handle: Option<String>,
    display_name: Option<String>,
    /// `like`, `wow`, `road` or `car`.
    reaction: &'static str,
    /// Whether it is the viewer's.
    is_mine: bool,
}

/// A page of reactions.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ReactionPage {
    counts: ReactionCounts,
    /// What the viewer feels.
    mine: Option<&'static str>,
    reactions: Vec<ReactionItem>,
    /// For the parameter `after` of the next page; absent on the last one.
    next: Option<String>,
}

/// What people feel about a drive: counted, and who.
#[utoipa::path(
    get, path = "/v1/drives/{id}/reactions", tag = "drives", security((), ("token" = [])),
    params(("id" = String, Path, description = "The published drive."), PageParameters),
    responses((status = 200, description = "A page of reactions.", body = ReactionPage), Refusals)
)]
pub(crate) async fn reactions(
    State(relay): State<Arc<Relay>>,
    Path(id): Path<String>,
    asked: Asked,
) -> Result<Response, ApiError> {
    let (limit, id, viewer) = (asked.limit()?, reach::id(&id)?, asked.viewer.account());
    let after = asked.after(List::Reactions)?.unwrap_or((-1, AccountId::from_bytes([0xff; 16])));
    let mut reader = relay.readers.snapshot().await?;
    let owner = reach::drive_owner(&mut reader, &asked, id).await?;
    let said = said::about_one(&mut reader, id, owner, viewer).await?;
    let rows = reactions::list(&mut reader, id, owner, viewer, after, limit + 1).await?;
    let (rows, next) = page(rows, limit, List::Reactions, ReactionRow::key);
    let item = |row: ReactionRow| ReactionItem {
        account: row.account,
        handle: row.author.handle,
        display_name: row.author.display_name,
        reaction: row.reaction.name(),
        is_mine: viewer == Some(row.account),
    };
    asked.answer(&ReactionPage {
        counts: ReactionCounts::of(said),
        mine: said.mine.map(Reaction::name),
        reactions: rows.into_iter().map(item).collect(),
        next,
    })
}
