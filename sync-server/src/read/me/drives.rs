//! `GET /v1/me/drives`: the account's own drives, newest first.

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use serde_json::value::RawValue;
use tourismo_core::id::DocId;
use tourismo_core::stats::DriveStats;
use tourismo_core::time::{Timestamp, UtcOffset};
use utoipa::ToSchema;

use crate::db::drives::{self, DriveKey, OwnDrive};
use crate::http::cursor::List;
use crate::http::error::ApiError;
use crate::http::page::{Listed, Page};
use crate::http::query::{PageQuery, Query};
use crate::http::read_request::OwnRequest;
use crate::http::readers::AnswerReaders;
use crate::read::schema::{Refusals, VisibilityName, raw};

/// The position before every drive.
pub(super) const FIRST: DriveKey = (Timestamp(i64::MAX), DocId::from_bytes([0xff; 16]));

/// A drive of the account, without its track.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OwnDriveItem {
    #[schema(value_type = String, format = Uuid)]
    id: DocId,
    title: String,
    /// The car's id.
    #[schema(value_type = Option<String>, format = Uuid)]
    car: Option<DocId>,
    /// Milliseconds since 1970 UTC.
    #[schema(value_type = i64)]
    started_at: Timestamp,
    /// The UTC offset at the start, in minutes ahead of UTC; absent if unknown.
    #[schema(value_type = Option<i64>)]
    utc_offset_min: Option<UtcOffset>,
    /// Absent while it is not finished.
    #[schema(value_type = Option<i64>)]
    ended_at: Option<Timestamp>,
    /// The statistics; absent while the drive is not finished.
    #[schema(value_type = Option<DriveStats>)]
    stats: Option<Box<RawValue>>,
    visibility: VisibilityName,
    /// The id of its published copy.
    #[schema(value_type = Option<String>, format = Uuid)]
    published: Option<DocId>,
}

impl Listed for OwnDriveItem {
    const LIST: &'static str = "drives";
    const PAGE: &'static str = "OwnDrivePage";
    const DESCRIPTION: &'static str = "A page of the account's drives.";
    type Schema = OwnDriveItem;
}

/// A page of the account's drives.
pub(crate) type OwnDrivePage = Page<OwnDriveItem>;

/// My drives, newest first.
#[utoipa::path(
    get, path = "/v1/me/drives", tag = "me", security(("token" = [])), params(PageQuery),
    responses((status = 200, description = "A page of drives.", body = OwnDrivePage), Refusals)
)]
pub(crate) async fn own_drives(
    State(readers): State<AnswerReaders>,
    OwnRequest { me, request }: OwnRequest,
    Query(paging): Query<PageQuery>,
) -> Result<Response, ApiError> {
    let after = paging.after(List::OwnDrives)?.unwrap_or(FIRST);
    let rows = drives::page(&mut readers.acquire().await?, me, None, after, paging.rows()).await?;
    request.answer(&paging.page(rows, List::OwnDrives, key).try_map(item)?)
}

pub(super) fn key(drive: &OwnDrive) -> DriveKey {
    (drive.started_at, drive.doc)
}

pub(super) fn item(drive: OwnDrive) -> Result<OwnDriveItem, ApiError> {
    Ok(OwnDriveItem {
        id: drive.doc,
        title: drive.title,
        car: drive.car,
        started_at: drive.started_at,
        utc_offset_min: drive.utc_offset,
        ended_at: drive.ended_at,
        stats: drive.stats.as_deref().map(raw).transpose()?,
        visibility: drive.visibility.into(),
        published: drive.published,
    })
}
