//! `GET /v1/drives/{id}/reactions`: the reactions to a published drive.

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use tourismo_core::docs::Reaction;
use tourismo_core::id::AccountId;
use utoipa::ToSchema;

use crate::db::engagement;
use crate::db::reactions::{self, ReactionRow};
use crate::http::cursor::List;
use crate::http::error::ApiError;
use crate::http::page::{Listed, Page};
use crate::http::path::Path;
use crate::http::query::{PageQuery, Query};
use crate::http::read_request::ReadRequest;
use crate::http::readers::AnswerReaders;
use crate::read::access_check;
use crate::read::drive_item::ReactionCounts;
use crate::read::schema::Refusals;

/// A reaction.
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

/// Fields about all reactions.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ReactionsHead {
    counts: ReactionCounts,
    /// The viewer's reaction.
    mine: Option<&'static str>,
}

impl Listed for ReactionItem {
    const LIST: &'static str = "reactions";
    const PAGE: &'static str = "ReactionPage";
    const DESCRIPTION: &'static str = "A page of reactions.";
    type Schema = ReactionItem;
}

/// A page of reactions.
pub(crate) type ReactionPage = Page<ReactionItem, ReactionsHead>;

/// The reactions to a drive: their numbers, and the accounts.
#[utoipa::path(
    get, path = "/v1/drives/{id}/reactions", tag = "drives", security((), ("token" = [])),
    params(("id" = String, Path, description = "The published drive."), PageQuery),
    responses((status = 200, description = "A page of reactions.", body = ReactionPage), Refusals)
)]
pub(crate) async fn reactions(
    State(readers): State<AnswerReaders>,
    Path(id): Path<String>,
    request: ReadRequest,
    Query(paging): Query<PageQuery>,
) -> Result<Response, ApiError> {
    let (id, viewer) = (access_check::id(&id)?, request.viewer.account());
    let after = paging.after(List::Reactions)?.unwrap_or((-1, AccountId::from_bytes([0xff; 16])));
    let mut reader = readers.snapshot().await?;
    let owner = access_check::drive_owner(&mut reader, &request, id).await?;
    let said = engagement::of_drive(&mut reader, id, owner, viewer).await?;
    let rows = reactions::list(&mut reader, id, owner, viewer, after, paging.rows()).await?;
    let page = paging.page(rows, List::Reactions, ReactionRow::key);
    let item = |row: ReactionRow| ReactionItem {
        account: row.account,
        handle: row.author.handle,
        display_name: row.author.display_name,
        reaction: row.reaction.name(),
        is_mine: viewer == Some(row.account),
    };
    let head = ReactionsHead { counts: ReactionCounts::of(said), mine: said.mine.map(Reaction::name) };
    request.answer(&page.map(item).with_head(head))
}
