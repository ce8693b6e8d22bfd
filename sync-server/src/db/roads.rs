//! The tables `road_trace`, `road_segment`, `road_square` and `road_batch`: public drives as cells, and the roads found in them.

mod squares;

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use sqlx::AssertSqlSafe;
use tourismo_core::id::{AccountId, DocId};
use tourismo_core::roads::RoadScore;
use tourismo_core::time::Timestamp;

use super::sql::{self, Connection, SqlRow};
use super::{account_in, damaged, doc_in, time_in};
use crate::domain::grid::Bounds;
use crate::domain::roads::{Evidence, SegmentId};

pub(crate) use squares::misplaced;

/// Maximum number of drives that a road lists.
pub(crate) const MOST_DRIVES: usize = 20;

/// A public drive as read by the batch.
#[derive(Clone, Debug)]
pub(crate) struct TraceRecord {
    pub(crate) account: AccountId,
    pub(crate) doc: DocId,
    pub(crate) started_at: Timestamp,
    pub(crate) trace: Vec<u8>,
}

/// A road.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RoadRecord {
    pub(crate) id: SegmentId,
    pub(crate) score: RoadScore,
    pub(crate) length_m: u32,
    pub(crate) evidence: Evidence,
    /// Longitude, latitude, degrees.
    pub(crate) line: Vec<[f64; 2]>,
    /// Its newest drives, the newest first.
    pub(crate) drives: Vec<DocId>,
}

/// A road as drawn on a map.
#[derive(Clone, Debug)]
pub(crate) struct RoadLine {
    pub(crate) id: SegmentId,
    pub(crate) score: u8,
    pub(crate) length_m: u32,
    /// Longitude, latitude, degrees.
    pub(crate) line: Vec<[f64; 2]>,
}

/// The input of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Batch {
    /// Drives of the 365 days before this one count.
    pub(crate) day: Timestamp,
    /// The minimum number of drivers of a road.
    pub(crate) fewest: u32,
    /// A digest of all traces that count.
    pub(crate) traces: Vec<u8>,
}

/// Roads to write and to remove.
#[derive(Debug, Default)]
pub(crate) struct RoadUpdate {
    pub(crate) replace: Vec<RoadRecord>,
    pub(crate) remove: Vec<SegmentId>,
    /// The input of all roads once this is written; nothing if more updates follow.
    pub(crate) batch: Option<Batch>,
}

/// A position in a list of roads, the best first.
pub(crate) type RoadKey = (i64, SegmentId);

impl RoadRecord {
    /// Returns its position in the list.
    pub(crate) fn key(&self) -> RoadKey {
        (100 - i64::from(self.score.score), self.id)
    }

    /// Returns longitude and latitude of its middle, degrees.
    pub(crate) fn middle(&self) -> [f64; 2] {
        self.line.get(self.line.len() / 2).copied().unwrap_or_default()
    }
}

/// Inserts the trace of a drive.
pub(crate) async fn insert_trace(
    writer: &mut Connection,
    account: AccountId,
    doc: DocId,
    started_at: Timestamp,
    trace: &[u8],
) -> Result<(), sqlx::Error> {
    sql::query("INSERT INTO road_trace (account, doc, started_at, trace) VALUES ($1, $2, $3, $4)")
        .bind(account)
        .bind(doc)
        .bind(started_at)
        .bind(trace)
        .execute(writer)
        .await
        .map(drop)
}

/// Removes the trace of a drive, if it exists.
pub(crate) async fn remove_trace(writer: &mut Connection, account: AccountId, doc: DocId) -> Result<(), sqlx::Error> {
    let sql = "DELETE FROM road_trace WHERE account = $1 AND doc = $2";
    sql::query(sql).bind(account).bind(doc).execute(writer).await.map(drop)
}

/// Removes all traces, so that they can be derived again.
pub(crate) async fn remove_traces(writer: &mut Connection) -> Result<(), sqlx::Error> {
    sql::query("DELETE FROM road_trace").execute(writer).await.map(drop)
}

/// Returns the number of traces.
pub(crate) async fn count_traces(reader: &mut Connection) -> Result<u64, sqlx::Error> {
    super::position("count", sql::query_scalar("SELECT COUNT(*) FROM road_trace").fetch_one(reader).await?)
}

/// Returns the start and the trace of a drive.
pub(crate) async fn trace(
    reader: &mut Connection,
    account: AccountId,
    doc: DocId,
) -> Result<Option<(Timestamp, Vec<u8>)>, sqlx::Error> {
    let sql = "SELECT started_at, trace FROM road_trace WHERE account = $1 AND doc = $2";
    let row = sql::query(sql).bind(account).bind(doc).row(reader).await?;
    row.map(|row| Ok((time_in(&row, "started_at")?, row.get("trace")?))).transpose()
}

/// Returns up to `limit` traces after a position, by account and id.
pub(crate) async fn traces(
    reader: &mut Connection,
    after: (AccountId, DocId),
    limit: u32,
) -> Result<Vec<TraceRecord>, sqlx::Error> {
    let sql = r#"
        SELECT account, doc, started_at, trace FROM road_trace
        WHERE (account, doc) > ($1, $2) ORDER BY account, doc LIMIT $3
    "#;
    let read = |row: &SqlRow| {
        Ok(TraceRecord {
            account: account_in(row, "account")?,
            doc: doc_in(row, "doc")?,
            started_at: time_in(row, "started_at")?,
            trace: row.get("trace")?,
        })
    };
    sql::query(sql).bind(after.0).bind(after.1).bind(i64::from(limit)).rows(reader, read).await
}

/// Returns the input of the last batch.
pub(crate) async fn batch(reader: &mut Connection) -> Result<Option<Batch>, sqlx::Error> {
    let row = sql::query("SELECT day, fewest, traces FROM road_batch").row(reader).await?;
    row.map(|row| {
        let fewest = u32::try_from(row.get::<i64>("fewest")?).map_err(|_| damaged("fewest"))?;
        Ok(Batch { day: time_in(&row, "day")?, fewest, traces: row.get("traces")? })
    })
    .transpose()
}

/// Sets the input of the roads; none while they are being replaced.
pub(crate) async fn set_batch(writer: &mut Connection, batch: Option<&Batch>) -> Result<(), sqlx::Error> {
    sql::query("DELETE FROM road_batch").execute(&mut *writer).await?;
    let Some(batch) = batch else { return Ok(()) };
    sql::query("INSERT INTO road_batch (one, day, fewest, traces) VALUES (1, $1, $2, $3)")
        .bind(batch.day)
        .bind(i64::from(batch.fewest))
        .bind(batch.traces.as_slice())
        .execute(writer)
        .await
        .map(drop)
}

/// Inserts or replaces roads.
pub(crate) async fn replace(writer: &mut Connection, roads: &[RoadRecord]) -> Result<(), sqlx::Error> {
    let sql = r#"
        INSERT INTO road_segment (id, rank, parts, measured_m, length_m, evidence, line, drives)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
    "#;
    for road in roads {
        remove(writer, &[road.id]).await?;
        let drives: Vec<u8> = road.drives.iter().flat_map(|doc| *doc.as_bytes()).collect();
        sql::query(sql)
            .bind(name(road.id))
            .bind(road.key().0)
            .bind(json(&road.score.parts).as_str())
            .bind(i64::from(road.score.measured_m))
            .bind(i64::from(road.length_m))
            .bind(road.evidence as i64)
            .bind(json(&road.line).as_str())
            .bind(drives)
            .execute(&mut *writer)
            .await?;
        squares::insert(writer, road).await?;
    }
    Ok(())
}

/// Removes roads.
pub(crate) async fn remove(writer: &mut Connection, ids: &[SegmentId]) -> Result<(), sqlx::Error> {
    for id in ids {
        if let Some(road) = find(writer, *id).await? {
            squares::remove(writer, &road).await?;
            sql::query("DELETE FROM road_segment WHERE id = $1").bind(name(*id)).execute(&mut *writer).await?;
        }
    }
    Ok(())
}

/// Removes all roads; the next batch finds them again.
pub(crate) async fn remove_all(writer: &mut Connection) -> Result<(), sqlx::Error> {
    for sql in ["DELETE FROM road_batch", "DELETE FROM road_square", "DELETE FROM road_segment"] {
        sql::query(sql).execute(&mut *writer).await?;
    }
    Ok(())
}

/// Returns all roads by their ids.
pub(crate) async fn all(reader: &mut Connection) -> Result<BTreeMap<SegmentId, RoadRecord>, sqlx::Error> {
    let mut all = BTreeMap::new();
    let mut last = SegmentId(0, 0);
    loop {
        let sql = select("WHERE road.id > $1 ORDER BY road.id LIMIT 1000");
        let page = sql::query(AssertSqlSafe(sql)).bind(name(last)).rows(reader, read).await?;
        match page.last() {
            Some(road) => last = road.id,
            None => return Ok(all),
        }
        all.extend(page.into_iter().map(|road| (road.id, road)));
    }
}

/// Returns a road.
pub(crate) async fn find(reader: &mut Connection, id: SegmentId) -> Result<Option<RoadRecord>, sqlx::Error> {
    let row = sql::query(AssertSqlSafe(select("WHERE road.id = $1"))).bind(name(id)).row(reader).await?;
    row.as_ref().map(read).transpose()
}

/// Returns up to `limit` roads whose middle is within bounds, the best first, after a position and not worse than
/// `last_rank`.
pub(crate) async fn best(
    reader: &mut Connection,
    bounds: &Bounds,
    after: RoadKey,
    last_rank: i64,
    limit: u32,
) -> Result<Vec<RoadRecord>, sqlx::Error> {
    let ids = squares::best(reader, bounds, after, last_rank, limit).await?;
    named(reader, COLUMNS, ids, read).await
}

/// Returns the lines of up to `limit` roads whose middle is within bounds, the best first.
pub(crate) async fn lines(reader: &mut Connection, bounds: &Bounds, limit: u32) -> Result<Vec<RoadLine>, sqlx::Error> {
    let ids = squares::best(reader, bounds, (-1, SegmentId(0, 0)), 100, limit).await?;
    let read = |row: &SqlRow| {
        let (id, score) = (id(row)?, score(row)?);
        Ok(RoadLine { id, score, length_m: unsigned(row, "length_m")?, line: parsed(row, "line")? })
    };
    named(reader, "road.id, road.rank, road.length_m, road.line", ids, read).await
}

/// Returns the roads with these ids, the best first, in one statement: the ids are concatenated. An SQLite without
/// statistics takes tables in the order of a `CROSS JOIN`.
async fn named<T>(
    reader: &mut Connection,
    columns: &str,
    ids: Vec<Vec<u8>>,
    read: impl Fn(&SqlRow) -> Result<T, sqlx::Error>,
) -> Result<Vec<T>, sqlx::Error> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!(
        r#"
        WITH RECURSIVE place (n) AS (SELECT 1 UNION ALL SELECT n + 16 FROM place WHERE n + 16 <= LENGTH($1)),
        asked AS MATERIALIZED (SELECT SUBSTR($1, place.n, 16) AS id FROM place)
        SELECT {columns} FROM asked CROSS JOIN road_segment road WHERE road.id = asked.id ORDER BY road.rank, road.id
        "#
    );
    sql::query(AssertSqlSafe(sql)).bind(ids.concat()).rows(reader, read).await
}

const COLUMNS: &str =
    "road.id, road.rank, road.parts, road.measured_m, road.length_m, road.evidence, road.line, road.drives";

fn select(rest: &str) -> String {
    format!("SELECT {COLUMNS} FROM road_segment road {rest}")
}

fn read(row: &SqlRow) -> Result<RoadRecord, sqlx::Error> {
    let drives: Vec<u8> = row.get("drives")?;
    let (drives, _) = drives.as_chunks::<16>();
    Ok(RoadRecord {
        id: id(row)?,
        score: RoadScore { score: score(row)?, parts: parsed(row, "parts")?, measured_m: unsigned(row, "measured_m")? },
        length_m: unsigned(row, "length_m")?,
        evidence: Evidence::from_number(row.get("evidence")?).ok_or_else(|| damaged("evidence"))?,
        line: parsed(row, "line")?,
        drives: drives.iter().map(|bytes| DocId::from_bytes(*bytes)).collect(),
    })
}

fn id(row: &SqlRow) -> Result<SegmentId, sqlx::Error> {
    let id: Vec<u8> = row.get("id")?;
    let (from, to) = id.split_at_checked(8).ok_or_else(|| damaged("id"))?;
    let number = |bytes: &[u8]| bytes.try_into().map(u64::from_be_bytes).map_err(|_| damaged("id"));
    Ok(SegmentId(number(from)?, number(to)?))
}

fn score(row: &SqlRow) -> Result<u8, sqlx::Error> {
    u8::try_from(100 - row.get::<i64>("rank")?).map_err(|_| damaged("rank"))
}

fn unsigned(row: &SqlRow, column: &'static str) -> Result<u32, sqlx::Error> {
    u32::try_from(row.get::<i64>(column)?).map_err(|_| damaged(column))
}

fn parsed<T: DeserializeOwned>(row: &SqlRow, column: &'static str) -> Result<T, sqlx::Error> {
    serde_json::from_str(&row.get::<String>(column)?).map_err(|_| damaged(column))
}

fn name(id: SegmentId) -> Vec<u8> {
    [id.0.to_be_bytes(), id.1.to_be_bytes()].concat()
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("numbers in structs and arrays are JSON")
}
