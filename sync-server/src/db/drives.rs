//! The table `drive`: drives as shown to their owners, without their tracks. Every read is of one account's own drives.

use std::sync::LazyLock;

use sqlx::AssertSqlSafe;
use tourismo_core::docs::Visibility;
use tourismo_core::id::{AccountId, DocId};
use tourismo_core::time::{Timestamp, UtcOffset};

use super::drive_totals::DriveTotals;
use super::sql::{self, Columns, Connection, Insert, SqlRow, columns};
use super::{optional_doc_in, position};

/// A derived drive.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct OwnDrive {
    pub(crate) account: AccountId,
    pub(crate) doc: DocId,
    pub(crate) title: String,
    pub(crate) car: Option<DocId>,
    pub(crate) started_at: Timestamp,
    pub(crate) utc_offset: Option<UtcOffset>,
    pub(crate) ended_at: Option<Timestamp>,
    /// JSON, as in the API.
    pub(crate) stats: Option<String>,
    pub(crate) figures: DriveTotals,
    pub(crate) visibility: Visibility,
    pub(crate) published: Option<DocId>,
}

impl OwnDrive {
    /// Returns its published copy, if an app older than bound ids made it.
    pub(crate) fn unbound_copy(&self) -> Option<DocId> {
        self.published.filter(|copy| *copy == DocId::of_unbound_copy(&self.account, &self.doc))
    }
}

/// A position in a list of drives.
pub(crate) type DriveKey = (Timestamp, DocId);

/// Sums over drives.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Totals {
    pub(crate) drives: u64,
    pub(crate) distance_m: f64,
    pub(crate) moving_ms: i64,
    pub(crate) duration_ms: i64,
    pub(crate) ascent_m: f64,
}

columns!(OwnDrive {
    account,
    doc,
    title,
    car,
    started_at,
    ended_at,
    stats,
    figures,
    visibility,
    published,
    utc_offset: "utc_offset_min"
});
columns!(Totals { drives, distance_m, moving_ms, duration_ms, ascent_m });

static REPLACE: LazyLock<Insert> = LazyLock::new(|| Insert::or_replace("drive", &OwnDrive::list(), 2));

/// The columns that [`Totals`] reads.
const TOTALS: &str = "COUNT(*) AS drives, COALESCE(SUM(distance_m), 0.0) AS distance_m, \
    CAST(COALESCE(SUM(moving_ms), 0) AS BIGINT) AS moving_ms, \
    CAST(COALESCE(SUM(duration_ms), 0) AS BIGINT) AS duration_ms, COALESCE(SUM(ascent_m), 0.0) AS ascent_m";

/// Inserts or replaces drives.
pub(crate) async fn replace(writer: &mut Connection, drives: &[&OwnDrive]) -> Result<(), sqlx::Error> {
    let mut bulk = REPLACE.rows();
    drives.iter().for_each(|drive| bulk.row(drive.values()));
    bulk.execute(writer).await.map(drop)
}

/// Removes a drive, if it exists.
pub(crate) async fn remove(writer: &mut Connection, account: AccountId, doc: DocId) -> Result<(), sqlx::Error> {
    sql::query("DELETE FROM drive WHERE account = $1 AND doc = $2")
        .bind(account)
        .bind(doc)
        .execute(writer)
        .await
        .map(drop)
}

/// Returns the derived row of a drive, if it exists.
pub(crate) async fn record(
    reader: &mut Connection,
    account: AccountId,
    doc: DocId,
) -> Result<Option<OwnDrive>, sqlx::Error> {
    let sql = format!("SELECT {} FROM drive WHERE account = $1 AND doc = $2", OwnDrive::of("drive"));
    let row = sql::query(AssertSqlSafe(sql)).bind(account).bind(doc).row(reader).await?;
    row.map(|row| OwnDrive::from_row(&row)).transpose()
}

/// Returns the drive of an account that names a published copy.
pub(crate) async fn with_copy(
    reader: &mut Connection,
    account: AccountId,
    copy: DocId,
) -> Result<Option<DocId>, sqlx::Error> {
    let sql = "SELECT doc FROM drive WHERE account = $1 AND published = $2 ORDER BY doc LIMIT 1";
    let row = sql::query(sql).bind(account).bind(copy).row(reader).await?;
    row.map(|row| row.field("doc")).transpose()
}

/// Returns up to `limit` drives of an account after a position, newest first; of one car if given.
pub(crate) async fn page(
    reader: &mut Connection,
    account: AccountId,
    car: Option<DocId>,
    after: DriveKey,
    limit: u32,
) -> Result<Vec<OwnDrive>, sqlx::Error> {
    let columns = OwnDrive::of("drive");
    let of_car = if car.is_some() { "car = $5 AND" } else { "" };
    let sql = format!(
        r#"
        SELECT {columns} FROM drive
        WHERE account = $1 AND {of_car} (started_at, doc) < ($2, $3)
        ORDER BY started_at DESC, doc DESC LIMIT $4
        "#
    );
    let query = sql::query(AssertSqlSafe(sql)).bind(account).bind(after.0).bind(after.1).bind(i64::from(limit));
    let query = if car.is_some() { query.bind(car) } else { query };
    query.rows(reader, OwnDrive::from_row).await
}

/// Returns the sums of an account for each month (202609), the latest first.
pub(crate) async fn by_month(reader: &mut Connection, account: AccountId) -> Result<Vec<(i64, Totals)>, sqlx::Error> {
    let sql = format!("SELECT month, {TOTALS} FROM drive WHERE account = $1 GROUP BY month ORDER BY month DESC");
    let read = |row: &SqlRow| Ok((row.get("month")?, Totals::from_row(row)?));
    sql::query(AssertSqlSafe(sql)).bind(account).rows(reader, read).await
}

/// Returns the sums of an account for each car; `None` for drives without one.
pub(crate) async fn by_car(
    reader: &mut Connection,
    account: AccountId,
) -> Result<Vec<(Option<DocId>, Totals)>, sqlx::Error> {
    let sql = format!("SELECT car, {TOTALS} FROM drive WHERE account = $1 GROUP BY car ORDER BY car");
    let read = |row: &SqlRow| Ok((optional_doc_in(row, "car")?, Totals::from_row(row)?));
    sql::query(AssertSqlSafe(sql)).bind(account).rows(reader, read).await
}

/// Returns the sums of an account's public drives.
pub(crate) async fn published_by(reader: &mut Connection, account: AccountId) -> Result<Totals, sqlx::Error> {
    let sql = format!("SELECT {TOTALS} FROM published_drive WHERE account = $1 AND visibility = 2");
    let row = sql::query(AssertSqlSafe(sql)).bind(account).row(reader).await?;
    row.map_or(Ok(Totals::default()), |row| Totals::from_row(&row))
}

/// Returns the sums of all public drives.
pub(crate) async fn published_by_all(reader: &mut Connection) -> Result<Totals, sqlx::Error> {
    let sql = format!("SELECT {TOTALS} FROM published_drive WHERE visibility = 2");
    let row = sql::query(AssertSqlSafe(sql)).row(reader).await?;
    row.map_or(Ok(Totals::default()), |row| Totals::from_row(&row))
}

/// Returns the number of drives.
pub(crate) async fn count(reader: &mut Connection) -> Result<u64, sqlx::Error> {
    position("count", sql::query_scalar("SELECT COUNT(*) FROM drive").fetch_one(reader).await?)
}

/// Removes all drives, so that they can be derived again.
pub(crate) async fn remove_all(writer: &mut Connection) -> Result<(), sqlx::Error> {
    sql::query("DELETE FROM drive").execute(writer).await.map(drop)
}
