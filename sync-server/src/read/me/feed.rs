//! `GET /v1/me/feed`: drives and meets of followed accounts, newest first.

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use tourismo_core::id::AccountId;
use utoipa::ToSchema;

use crate::db::engagement;
use crate::db::feed::FeedKey;
use crate::db::feed_items::{self, HomeItem};
use crate::db::sql::Connection;
use crate::http::cursor::List;
use crate::http::error::ApiError;
use crate::http::page::{Listed, Page};
use crate::http::query::{PageQuery, Query};
use crate::http::read_request::OwnRequest;
use crate::http::readers::AnswerReaders;
use crate::read::drive_item::DriveItem;
use crate::read::schema::{MeetItem, Refusals};

/// An item of a home feed.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum HomeEntry {
    Drive(Box<HomeDrive>),
    Meet(Box<HomeMeet>),
}

/// A drive in a home feed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HomeDrive {
    kind: HomeDriveKind,
    #[serde(flatten)]
    drive: DriveItem,
}

/// A meet in a home feed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HomeMeet {
    kind: HomeMeetKind,
    #[serde(flatten)]
    meet: MeetItem,
}

/// The kind of an item that is a drive.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum HomeDriveKind {
    Drive,
}

/// The kind of an item that is a meet.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum HomeMeetKind {
    Meet,
}

impl Listed for HomeEntry {
    const LIST: &'static str = "items";
    const PAGE: &'static str = "HomePage";
    const DESCRIPTION: &'static str = "A page of a home feed.";
    type Schema = HomeEntry;
}

/// A page of a home feed.
pub(crate) type HomePage = Page<HomeEntry>;

/// Drives and meets of the accounts that I follow, newest first: drives by their start, meets by their publishing.
#[utoipa::path(
    get, path = "/v1/me/feed", tag = "me", security(("token" = [])), params(PageQuery),
    responses((status = 200, description = "A page of the home feed.", body = HomePage), Refusals)
)]
pub(crate) async fn home_feed(
    State(readers): State<AnswerReaders>,
    OwnRequest { me, request }: OwnRequest,
    Query(paging): Query<PageQuery>,
) -> Result<Response, ApiError> {
    let after = paging.after(List::HomeFeed)?;
    let after = after.map_or(FeedKey::FIRST, |(sort_at, doc)| FeedKey { sort_at, doc });
    let mut reader = readers.acquire().await?;
    // The statement authorizes: it reads only items that the account may see.
    let rows = feed_items::home(&mut reader, me, after, paging.rows()).await?;
    let page = paging.page(rows, List::HomeFeed, |item: &HomeItem| (item.key().sort_at, item.key().doc));
    request.answer(&Page { head: (), items: entries(&mut reader, me, &page.items).await?, next: page.next })
}

/// Returns the items as an account sees them.
pub(super) async fn entries(
    reader: &mut Connection,
    me: AccountId,
    items: &[HomeItem],
) -> Result<Vec<HomeEntry>, ApiError> {
    let drives = items.iter().filter_map(|item| match item {
        HomeItem::Drive(drive) => Some((drive.key.doc, drive.account)),
        HomeItem::Meet(..) => None,
    });
    let said = engagement::of_drives(reader, drives, Some(me)).await?;
    let entry = |item: &HomeItem| match item {
        HomeItem::Drive(drive) => {
            let said = said.get(&drive.key.doc).copied().unwrap_or_default();
            let drive = DriveItem::new(drive, said)?;
            Ok(HomeEntry::Drive(Box::new(HomeDrive { kind: HomeDriveKind::Drive, drive })))
        }
        HomeItem::Meet(meet, author) => {
            let meet = MeetItem::new(meet, author);
            Ok(HomeEntry::Meet(Box::new(HomeMeet { kind: HomeMeetKind::Meet, meet })))
        }
    };
    items.iter().map(entry).collect()
}
