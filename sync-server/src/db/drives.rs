//! The table `drive`: drives as their owners see them, without their tracks. Every read here is of one account's own.

use sqlx::AssertSqlSafe;
use tourismo_core::docs::Visibility;
use tourismo_core::id::{AccountId, DocId};
use tourismo_core::time::{Timestamp, UtcOffset};

use super::figures::Figures;
use super::sql::{self, Bulk, Connection, Row};
use super::{account_in, doc_in, optional_doc_in, optional_time_in, position, published, time_in, utc_offset_in};

/// A drive as it is derived.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct OwnDrive {
    pub(crate) account: AccountId,
    pub(crate) doc: DocId,
    pub(crate) title: String,
    pub(crate) car: Option<DocId>,
    pub(crate) started_at: Timestamp,
    pub(crate) utc_offset: Option<UtcOffset>,
    pub(crate) ended_at: Option<Timestamp>,
    /// JSON, as the API shows it.
    pub(crate) stats: Option<String>,
    pub(crate) figures: Figures,
    pub(crate) visibility: Visibility,
    pub(crate) published: Option<DocId>,
}

impl OwnDrive {
    /// Its published copy, if an app made that before ids were bound.
    pub(crate) fn unbound_copy(&self) -> Option<DocId> {
        self.published.filter(|copy| *copy == DocId::of_unbound_copy(&self.account, &self.doc))
    }
}

/// A place in a list of drives.
pub(crate) type DriveKey = (Timestamp, DocId);

/// What was driven, summed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Totals {
    pub(crate) drives: u64,
    pub(crate) distance_m: f64,
    pub(crate) moving_ms: i64,
    pub(crate) duration_ms: i64,
    pub(crate) ascent_m: f64,
}

const COLUMNS: &str = "account, doc, title, car, started_at, ended_at, month, stats, distance_m, moving_ms, duration_ms, \
    ascent_m, visibility, published, utc_offset_min";

/// What [`Totals::read`] reads.
const TOTALS: &str = "COUNT(*) AS drives, COALESCE(SUM(distance_m), 0.0) AS distance_m, \
    CAST(COALESCE(SUM(moving_ms), 0) AS BIGINT) AS moving_ms, \
    CAST(COALESCE(SUM(duration_ms), 0) AS BIGINT) AS duration_ms, COALESCE(SUM(ascent_m), 0.0) AS ascent_m";

/// Replaces drives.
pub(crate) async fn replace(writer: &mut Connection, drives: &[&OwnDrive]) -> Result<(), sqlx::Error> {
    let before = r#"
        INSERT INTO drive (
            account, doc, title, car, started_at, ended_at, month, stats, distance_m, moving_ms, duration_ms, ascent_m,
            visibility, published, utc_offset_min
        ) VALUES "#;
    let after = r#"
        ON CONFLICT (account, doc) DO UPDATE SET
            title = excluded.title, car = excluded.car, started_at = excluded.started_at, ended_at = excluded.ended_at,
            month = excluded.month, stats = excluded.stats, distance_m = excluded.distance_m,
            moving_ms = excluded.moving_ms, duration_ms = excluded.duration_ms, ascent_m = excluded.ascent_m,
            visibility = excluded.visibility, published = excluded.published,
            utc_offset_min = excluded.utc_offset_min
        "#;
    let mut bulk = Bulk::new(before, after);
    for drive in drives {
        bulk.row([
            drive.account.into(),
            drive.doc.into(),
            drive.title.as_str().into(),
            drive.car.into(),
            drive.started_at.into(),
            drive.ended_at.into(),
            drive.figures.month.into(),
            drive.stats.as_deref().into(),
            drive.figures.distance_m.into(),
            drive.figures.moving_ms.into(),
            drive.figures.duration_ms.into(),
            drive.figures.ascent_m.into(),
            published::number(drive.visibility).into(),
            drive.published.into(),
            drive.utc_offset.map(UtcOffset::as_minutes).into(),
        ]);
    }
    bulk.execute(writer).await.map(drop)
}

/// Removes a drive, if it is there.
pub(crate) async fn remove(writer: &mut Connection, account: AccountId, doc: DocId) -> Result<(), sqlx::Error> {
    sql::query("DELETE FROM drive WHERE account = $1 AND doc = $2")
        .bind(account)
        .bind(doc)
        .execute(writer)
        .await
        .map(drop)
}

/// A drive as it was derived, if it is there.
pub(crate) async fn record(
    reader: &mut Connection,
    account: AccountId,
    doc: DocId,
) -> Result<Option<OwnDrive>, sqlx::Error> {
    let sql = format!("SELECT {COLUMNS} FROM drive WHERE account = $1 AND doc = $2");
    let row = sql::query(AssertSqlSafe(sql)).bind(account).bind(doc).row(reader).await?;
    row.map(|row| read(&row)).transpose()
}

/// Up to `limit` drives of an account after a place, newest first; of one car if it is named.
pub(crate) async fn page(
    reader: &mut Connection,
    account: AccountId,
    car: Option<DocId>,
    after: DriveKey,
    limit: u32,
) -> Result<Vec<OwnDrive>, sqlx::Error> {
    let of_car = if car.is_some() { "car = $5 AND" } else { "" };
    let sql = format!(
        r#"
        SELECT {COLUMNS} FROM drive
        WHERE account = $1 AND {of_car} (started_at, doc) < ($2, $3)
        ORDER BY started_at DESC, doc DESC LIMIT $4
        "#
    );
    let query = sql::query(AssertSqlSafe(sql)).bind(account).bind(after.0).bind(after.1).bind(i64::from(limit));
    let query = if car.is_some() { query.bind(car) } else { query };
    query.rows(reader, read).await
}

fn read(row: &Row) -> Result<OwnDrive, sqlx::Error> {
    Ok(OwnDrive {
        account: account_in(row, "account")?,
        doc: doc_in(row, "doc")?,
        title: row.get("title")?,
        car: optional_doc_in(row, "car")?,
        started_at: time_in(row, "started_at")?,
        utc_offset: utc_offset_in(row)?,
        ended_at: optional_time_in(row, "ended_at")?,
        stats: row.get("stats")?,
        figures: Figures::read(row)?,
        visibility: published::visibility(row.get("visibility")?)?,
        published: optional_doc_in(row, "published")?,
    })
}

impl Totals {
    fn read(row: &Row) -> Result<Totals, sqlx::Error> {
        Ok(Totals {
            drives: position("drives", row.get("drives")?)?,
            distance_m: row.get("distance_m")?,
            moving_ms: row.get("moving_ms")?,
            duration_ms: row.get("duration_ms")?,
            ascent_m: row.get("ascent_m")?,
        })
    }
}

/// What an account drove in each month (202609), the latest first.
pub(crate) async fn by_month(reader: &mut Connection, account: AccountId) -> Result<Vec<(i64, Totals)>, sqlx::Error> {
    let sql = format!("SELECT month, {TOTALS} FROM drive WHERE account = $1 GROUP BY month ORDER BY month DESC");
    let read = |row: &Row| Ok((row.get("month")?, Totals::read(row)?));
    sql::query(AssertSqlSafe(sql)).bind(account).rows(reader, read).await
}

/// What an account drove with each car, by car; `None` for none.
pub(crate) async fn by_car(
    reader: &mut Connection,
    account: AccountId,
) -> Result<Vec<(Option<DocId>, Totals)>, sqlx::Error> {
    let sql = format!("SELECT car, {TOTALS} FROM drive WHERE account = $1 GROUP BY car ORDER BY car");
    let read = |row: &Row| Ok((optional_doc_in(row, "car")?, Totals::read(row)?));
    sql::query(AssertSqlSafe(sql)).bind(account).rows(reader, read).await
}

/// What everybody may know that an account drove.
pub(crate) async fn published_by(reader: &mut Connection, account: AccountId) -> Result<Totals, sqlx::Error> {
    let sql = format!("SELECT {TOTALS} FROM published_drive WHERE account = $1 AND visibility = 2");
    let row = sql::query(AssertSqlSafe(sql)).bind(account).row(reader).await?;
    row.map_or(Ok(Totals::default()), |row| Totals::read(&row))
}

/// What everybody may know that was driven, by all.
pub(crate) async fn published_by_all(reader: &mut Connection) -> Result<Totals, sqlx::Error> {
    let sql = format!("SELECT {TOTALS} FROM published_drive WHERE visibility = 2");
    let row = sql::query(AssertSqlSafe(sql)).row(reader).await?;
    row.map_or(Ok(Totals::default()), |row| Totals::read(&row))
}

/// How many drives there are.
pub(crate) async fn count(reader: &mut Connection) -> Result<u64, sqlx::Error> {
    position("count", sql::query_scalar("SELECT COUNT(*) FROM drive").fetch_one(reader).await?)
}

/// Removes all drives, to be derived again.
pub(crate) async fn remove_all(writer: &mut Connection) -> Result<(), sqlx::Error> {
    sql::query("DELETE FROM drive").execute(writer).await.map(drop)
}
