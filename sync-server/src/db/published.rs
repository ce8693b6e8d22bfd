//! The tables `published_drive` and `published_block`: published drives with the blocks of their tracks.

use std::sync::LazyLock;

use sqlx::AssertSqlSafe;
use tourismo_core::docs::Visibility;
use tourismo_core::id::{AccountId, DocId};
use tourismo_core::time::{Timestamp, UtcOffset};
use tourismo_core::wire::DocKind;

use super::drive_totals::DriveTotals;
use super::feed::Author;
use super::feed_items::{self, FeedItem};
use super::sql::{self, Bulk, Columns, Connection, Insert, Value, columns, numbers};
use super::{account_in, column, position};
use super::{order, roads};
use crate::domain::grid::Bounds;

/// The number of parts of the feed's index.
pub(crate) const BUCKETS: u8 = 16;

/// A derived drive.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct DriveRecord {
    pub(crate) account: AccountId,
    pub(crate) doc: DocId,
    pub(crate) revision: u64,
    pub(crate) sort_at: Timestamp,
    /// The hour in which it got its present visibility.
    pub(crate) shown_at: Timestamp,
    /// Differs after every change.
    pub(crate) updated_at: Timestamp,
    pub(crate) visibility: Visibility,
    pub(crate) started_at: Timestamp,
    pub(crate) utc_offset: Option<UtcOffset>,
    pub(crate) title: String,
    pub(crate) car: Option<String>,
    pub(crate) stats: String,
    pub(crate) figures: DriveTotals,
    /// West, south, east, north, degrees.
    pub(crate) bbox: [f64; 4],
    /// JSON, as in the API.
    pub(crate) line: String,
    /// The public trace of its road; none if the drive is not public.
    pub(crate) trace: Option<Vec<u8>>,
}

/// A drive with the other contents of its page.
#[derive(Clone, Debug)]
pub(crate) struct DrivePage {
    pub(crate) account: AccountId,
    pub(crate) visibility: Visibility,
    pub(crate) started_at: Timestamp,
    pub(crate) utc_offset: Option<UtcOffset>,
    pub(crate) title: String,
    pub(crate) car: Option<String>,
    pub(crate) stats: String,
    pub(crate) bbox: [f64; 4],
    pub(crate) author: Author,
}

columns!(DriveRecord {
    account, doc, revision, sort_at, shown_at, updated_at, visibility, started_at, utc_offset: "utc_offset_min", title, car,
    stats, figures, bbox, line
} trace = |_| Ok(None));
columns!(DrivePage {
    account, visibility, started_at, utc_offset: "utc_offset_min", title, car, stats, bbox
} author = Author::read);
// Indexes contain these numbers.
numbers!(Visibility { Private = 0, Link = 1, Public = 2, Followers = 3 });

static INSERT: LazyLock<Insert> = LazyLock::new(|| {
    let columns = [DriveRecord::list(), vec!["bucket", "cell", "wide_cell", "place", "shown_place"]].concat();
    Insert::into("published_drive", &columns)
});

/// Inserts a new drive with the blocks of its track.
pub(crate) async fn insert(
    writer: &mut Connection,
    drive: &DriveRecord,
    blocks: &[Vec<u8>],
) -> Result<(), sqlx::Error> {
    let (cell, wide_cell) = drive.cells();
    let [place, shown_place] = order::places_behind(writer, drive.account, [drive.sort_at, drive.shown_at]).await?;
    let beside = [i64::from(bucket(drive.doc)), cell, wide_cell, place, shown_place].map(Value::from);
    let mut bulk = INSERT.rows();
    bulk.row(drive.values().into_iter().chain(beside));
    bulk.execute(writer).await?;
    let hours = order::hours_of(writer, drive.account, drive.doc).await?;
    order::settle(writer, drive.account, &hours).await?;
    if let Some(item) = drive.feed_item() {
        feed_items::insert(writer, &item).await?;
    }
    if let Some(trace) = &drive.trace {
        roads::insert_trace(writer, drive.account, drive.doc, drive.started_at, trace).await?;
    }
    insert_blocks(writer, drive.account, drive.doc, 0, blocks).await
}

/// Inserts blocks of a drive's track from an index on.
pub(crate) async fn insert_blocks(
    writer: &mut Connection,
    account: AccountId,
    doc: DocId,
    first: u64,
    blocks: &[Vec<u8>],
) -> Result<(), sqlx::Error> {
    let mut bulk = Bulk::new("INSERT INTO published_block (account, doc, place, block) VALUES ", "");
    for (place, block) in (column(first)..).zip(blocks) {
        bulk.row([account.into(), doc.into(), place.into(), block.as_slice().into()]);
    }
    bulk.execute(writer).await.map(drop)
}

/// Sets the visibility of an existing drive to that of its record.
pub(crate) async fn show_to(writer: &mut Connection, drive: &DriveRecord) -> Result<(), sqlx::Error> {
    let (account, doc) = (drive.account, drive.doc);
    feed_items::remove(writer, account, doc).await?;
    roads::remove_trace(writer, account, doc).await?;
    let mut hours = order::hours_of(writer, account, doc).await?;
    sql::query("UPDATE published_drive SET visibility = $3 WHERE account = $1 AND doc = $2")
        .bind(account)
        .bind(doc)
        .bind(drive.visibility)
        .execute(&mut *writer)
        .await?;
    hours.extend(order::hours_of(writer, account, doc).await?);
    order::settle(writer, account, &hours).await?;
    if let Some(item) = drive.feed_item() {
        feed_items::insert(writer, &item).await?;
    }
    match &drive.trace {
        Some(trace) => roads::insert_trace(writer, account, doc, drive.started_at, trace).await,
        None => Ok(()),
    }
}

/// Removes a drive with the blocks of its track, if it exists.
pub(crate) async fn remove(writer: &mut Connection, account: AccountId, doc: DocId) -> Result<(), sqlx::Error> {
    feed_items::remove(writer, account, doc).await?;
    roads::remove_trace(writer, account, doc).await?;
    let hours = order::hours_of(writer, account, doc).await?;
    sql::query("DELETE FROM published_drive WHERE account = $1 AND doc = $2")
        .bind(account)
        .bind(doc)
        .execute(&mut *writer)
        .await?;
    order::settle(writer, account, &hours).await
}

/// Removes all drives with their blocks, so that they can be derived again.
pub(crate) async fn remove_all(writer: &mut Connection) -> Result<(), sqlx::Error> {
    sql::query("DELETE FROM published_block").execute(&mut *writer).await?;
    sql::query("DELETE FROM published_drive").execute(writer).await.map(drop)
}

/// Returns the number of drives.
pub(crate) async fn count(reader: &mut Connection) -> Result<u64, sqlx::Error> {
    position("count", sql::query_scalar("SELECT COUNT(*) FROM published_drive").fetch_one(reader).await?)
}

/// Returns a derived drive; `None` if it does not exist, or if it has a wrong position in the feeds.
pub(crate) async fn record(
    reader: &mut Connection,
    account: AccountId,
    doc: DocId,
) -> Result<Option<DriveRecord>, sqlx::Error> {
    let Some((mut drive, cells)) = row(reader, account, doc).await? else { return Ok(None) };
    let trace = roads::trace(reader, account, doc).await?;
    drive.trace = trace.as_ref().map(|(_, trace)| trace.clone());
    let is_in_place = drive.cells() == cells
        && trace.is_none_or(|(started_at, _)| started_at == drive.started_at)
        && feed_items::find(reader, account, doc).await? == drive.feed_item()
        && order::is_settled(reader, account, doc).await?;
    Ok(is_in_place.then_some(drive))
}

/// Returns a drive without its trace, at any position in the feeds.
pub(crate) async fn head(
    reader: &mut Connection,
    account: AccountId,
    doc: DocId,
) -> Result<Option<DriveRecord>, sqlx::Error> {
    Ok(row(reader, account, doc).await?.map(|(drive, _)| drive))
}

/// Returns the row of a drive and its squares.
async fn row(
    reader: &mut Connection,
    account: AccountId,
    doc: DocId,
) -> Result<Option<(DriveRecord, (i64, i64))>, sqlx::Error> {
    let columns = DriveRecord::of("published_drive");
    let sql = format!(
        "SELECT {columns}, cell, wide_cell FROM published_drive WHERE account = $1 AND doc = $2 AND bucket = $3"
    );
    let query = sql::query(AssertSqlSafe(sql)).bind(account).bind(doc).bind(i64::from(bucket(doc)));
    let Some(row) = query.row(reader).await? else { return Ok(None) };
    let drive = DriveRecord::from_row(&row)?;
    Ok(Some((drive, (row.get("cell")?, row.get("wide_cell")?))))
}

impl DriveRecord {
    /// Returns whether it is in home feeds.
    pub(crate) fn is_in_home_feeds(&self) -> bool {
        self.feed_item().is_some()
    }

    /// Returns its item in home feeds.
    fn feed_item(&self) -> Option<FeedItem> {
        let DriveRecord { account, doc, sort_at, visibility, .. } = *self;
        FeedItem::new(account, doc, sort_at, visibility, DocKind::Published)
    }

    fn cells(&self) -> (i64, i64) {
        let [west, south, east, north] = self.bbox;
        Bounds { west, south, east, north }.home()
    }
}

/// Returns a drive of any visibility by its id: the caller must authorize the read.
pub(crate) async fn find(reader: &mut Connection, doc: DocId) -> Result<Option<DrivePage>, sqlx::Error> {
    let (columns, author) = (DrivePage::of("drive"), Author::COLUMNS);
    let sql = format!(
        r#"
        SELECT {columns}, {author} FROM published_drive drive LEFT JOIN profile ON profile.account = drive.account
        WHERE drive.doc = $1
        "#
    );
    let row = sql::query(AssertSqlSafe(sql)).bind(doc).row(reader).await?;
    row.map(|row| DrivePage::from_row(&row)).transpose()
}

/// Returns the owner and the visibility of a published drive.
pub(crate) async fn audience(
    reader: &mut Connection,
    doc: DocId,
) -> Result<Option<(AccountId, Visibility)>, sqlx::Error> {
    let row =
        sql::query("SELECT account, visibility FROM published_drive WHERE doc = $1").bind(doc).row(reader).await?;
    row.map(|row| Ok((account_in(&row, "account")?, row.field("visibility")?))).transpose()
}

/// Returns the encoded blocks of a drive's track, in order.
pub(crate) async fn blocks(
    reader: &mut Connection,
    account: AccountId,
    doc: DocId,
) -> Result<Vec<Vec<u8>>, sqlx::Error> {
    sql::query_scalar("SELECT block FROM published_block WHERE account = $1 AND doc = $2 ORDER BY place")
        .bind(account)
        .bind(doc)
        .fetch_all(reader)
        .await
}

/// Returns the FNV-1a hash of the id as a bucket. The bits of a UUIDv7 depend on the time.
fn bucket(doc: DocId) -> u8 {
    let hash = doc
        .as_bytes()
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    (hash >> 32) as u8 % BUCKETS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_made_one_after_the_other_spread_over_all_buckets() {
        let mut counts = [0; BUCKETS as usize];
        for i in 0..1_600u32 {
            let mut random = [7; 10];
            random[..4].copy_from_slice(&i.wrapping_mul(2_654_435_761).to_le_bytes());
            counts[usize::from(bucket(DocId::new(Timestamp(1_790_000_000_000 + i64::from(i)), random)))] += 1;
        }
        assert!(counts.iter().all(|count| (50..200).contains(count)), "{counts:?}");
    }
}
