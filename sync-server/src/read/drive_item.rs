//! A published drive as lists show it, with its engagement.

use serde::Serialize;
use serde_json::value::RawValue;
use tourismo_core::docs::Reaction;
use tourismo_core::id::{AccountId, DocId};
use tourismo_core::stats::DriveStats;
use tourismo_core::time::{Timestamp, UtcOffset};
use utoipa::ToSchema;

use crate::db::engagement::{self, Engagement};
use crate::db::feed::FeedRow;
use crate::db::sql::Connection;
use crate::domain::authorize::Viewer;
use crate::http::error::ApiError;
use crate::http::page::{Listed, Page};
use crate::read::schema::{VisibilityName, raw};

/// A published drive in a list. All values are of the shown part; its start is rounded to the hour.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DriveItem {
    #[schema(value_type = String, format = Uuid)]
    pub(crate) id: DocId,
    #[schema(value_type = String, format = Uuid)]
    pub(crate) account: AccountId,
    /// Absent if the author has none, or if another account holds it.
    pub(crate) handle: Option<String>,
    pub(crate) display_name: Option<String>,
    pub(crate) title: String,
    /// Milliseconds since 1970 UTC.
    #[schema(value_type = i64)]
    pub(crate) started_at: Timestamp,
    /// The UTC offset at the start, in minutes ahead of UTC; absent if unknown.
    #[schema(value_type = Option<i64>)]
    pub(crate) utc_offset_min: Option<UtcOffset>,
    /// The name of the car.
    pub(crate) car: Option<String>,
    /// The statistics.
    #[schema(value_type = DriveStats)]
    pub(crate) stats: Box<RawValue>,
    /// West, south, east, north, degrees (RFC 7946).
    pub(crate) bbox: [f64; 4],
    /// Simplified parts of `[longitude, latitude]`.
    #[schema(value_type = Vec<Vec<[f64; 2]>>)]
    pub(crate) line: Box<RawValue>,
    pub(crate) visibility: VisibilityName,
    /// The numbers of reactions by kind.
    pub(crate) reactions: ReactionCounts,
    /// The number of comments; at most 1,000, which also stands for more.
    pub(crate) comments: u64,
    /// The viewer's reaction: `like`, `wow`, `road` or `car`.
    pub(crate) mine: Option<&'static str>,
}

impl DriveItem {
    /// Returns the items of these drives, in their order, with the engagement that the viewer may see.
    pub(crate) async fn list(
        reader: &mut Connection,
        viewer: Viewer,
        rows: &[FeedRow],
    ) -> Result<Vec<DriveItem>, ApiError> {
        let said =
            engagement::of_drives(reader, rows.iter().map(|row| (row.key.doc, row.account)), viewer.account()).await?;
        rows.iter().map(|row| DriveItem::new(row, said.get(&row.key.doc).copied().unwrap_or_default())).collect()
    }

    /// Returns the item of a drive with this engagement.
    pub(crate) fn new(row: &FeedRow, said: Engagement) -> Result<DriveItem, ApiError> {
        Ok(DriveItem {
            id: row.key.doc,
            account: row.account,
            handle: row.author.handle.clone(),
            display_name: row.author.display_name.clone(),
            title: row.title.clone(),
            started_at: row.started_at,
            utc_offset_min: row.utc_offset,
            car: row.car.clone(),
            stats: raw(&row.stats)?,
            bbox: row.bbox,
            line: raw(&row.line)?,
            visibility: row.visibility.into(),
            reactions: ReactionCounts::of(said),
            comments: said.comments,
            mine: said.mine.map(Reaction::name),
        })
    }
}

impl Listed for DriveItem {
    const LIST: &'static str = "drives";
    const PAGE: &'static str = "DrivePage";
    const DESCRIPTION: &'static str = "A page of published drives.";
    type Schema = DriveItem;
}

/// A page of published drives.
pub(crate) type DrivePage = Page<DriveItem>;

/// The numbers of reactions by kind, each at most 1,000, which also stands for more.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub(crate) struct ReactionCounts {
    pub(crate) like: u64,
    pub(crate) wow: u64,
    pub(crate) road: u64,
    pub(crate) car: u64,
}

impl ReactionCounts {
    pub(crate) fn of(said: Engagement) -> ReactionCounts {
        let [like, wow, road, car] = said.reactions;
        ReactionCounts { like, wow, road, car }
    }
}
