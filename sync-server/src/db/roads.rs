//! The tables `road_trace`, `road_segment`, `road_square` and `road_batch`: public drives as cells, and the roads found in them.

mod squares;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use sqlx::AssertSqlSafe;
use tourismo_core::id::{AccountId, DocId};
use tourismo_core::roads::RoadScore;
use tourismo_core::time::Timestamp;

use super::sql::{self, Columns, Connection, Insert, SqlRow, Value, columns, numbers, one_column};
use super::{damaged, time_in};
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

columns!(TraceRecord { account, doc, started_at, trace });

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

columns!(RoadRecord { id, score, length_m, evidence, line, drives });
numbers!(Evidence { Few = 0, Some = 1, Many = 2, Most = 3 });
one_column!(SegmentId, Bytes, |id| name(*id), |bytes: Vec<u8>| id_in(&bytes));
one_column!(Vec<[f64; 2]>, Text, json, |text: String| serde_json::from_str(&text).ok());
one_column!(Vec<DocId>, Bytes, |docs| docs.iter().flat_map(|doc| *doc.as_bytes()).collect(), |bytes: Vec<u8>| Some(
    bytes.as_chunks::<16>().0.iter().map(|bytes| DocId::from_bytes(*bytes)).collect()
));

/// The score of a road as a column, in which the best road has the lowest value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rank(pub(crate) u8);

one_column!(Rank, Int, |rank| 100 - i64::from(rank.0), |number: i64| u8::try_from(100 - number).ok().map(Rank));

/// A road as drawn on a map.
#[derive(Clone, Debug)]
pub(crate) struct RoadLine {
    pub(crate) id: SegmentId,
    pub(crate) score: Rank,
    pub(crate) length_m: u32,
    /// Longitude, latitude, degrees.
    pub(crate) line: Vec<[f64; 2]>,
}

columns!(RoadLine { id, score: "rank", length_m, line });

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

columns!(Batch { day, fewest, traces });

static INSERT_TRACE: LazyLock<Insert> = LazyLock::new(|| Insert::into("road_trace", &TraceRecord::list()));
static INSERT: LazyLock<Insert> = LazyLock::new(|| Insert::into("road_segment", &RoadRecord::list()));
static INSERT_BATCH: LazyLock<Insert> =
    LazyLock::new(|| Insert::into("road_batch", &[vec!["one"], Batch::list()].concat()));

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
    let mut bulk = INSERT_TRACE.rows();
    bulk.row(TraceRecord { account, doc, started_at, trace: trace.to_vec() }.values());
    bulk.execute(writer).await.map(drop)
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
    let columns = TraceRecord::of("road_trace");
    let sql =
        format!("SELECT {columns} FROM road_trace WHERE (account, doc) > ($1, $2) ORDER BY account, doc LIMIT $3");
    let query = sql::query(AssertSqlSafe(sql)).bind(after.0).bind(after.1).bind(i64::from(limit));
    query.rows(reader, TraceRecord::from_row).await
}

/// Returns the input of the last batch.
pub(crate) async fn batch(reader: &mut Connection) -> Result<Option<Batch>, sqlx::Error> {
    let sql = format!("SELECT {} FROM road_batch", Batch::of("road_batch"));
    let row = sql::query(AssertSqlSafe(sql)).row(reader).await?;
    row.as_ref().map(Batch::from_row).transpose()
}

/// Sets the input of the roads; none while they are being replaced.
pub(crate) async fn set_batch(writer: &mut Connection, batch: Option<&Batch>) -> Result<(), sqlx::Error> {
    sql::query("DELETE FROM road_batch").execute(&mut *writer).await?;
    let Some(batch) = batch else { return Ok(()) };
    let mut bulk = INSERT_BATCH.rows();
    bulk.row([1_i64.into()].into_iter().chain(batch.values()));
    bulk.execute(writer).await.map(drop)
}

/// Inserts or replaces roads.
pub(crate) async fn replace(writer: &mut Connection, roads: &[RoadRecord]) -> Result<(), sqlx::Error> {
    for road in roads {
        remove(writer, &[road.id]).await?;
        let mut bulk = INSERT.rows();
        bulk.row(road.values());
        bulk.execute(writer).await?;
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
        let page = sql::query(AssertSqlSafe(sql)).bind(name(last)).rows(reader, RoadRecord::from_row).await?;
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
    row.as_ref().map(RoadRecord::from_row).transpose()
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
    named(reader, ids).await
}

/// Returns the lines of up to `limit` roads whose middle is within bounds, the best first.
pub(crate) async fn lines(reader: &mut Connection, bounds: &Bounds, limit: u32) -> Result<Vec<RoadLine>, sqlx::Error> {
    let ids = squares::best(reader, bounds, (-1, SegmentId(0, 0)), 100, limit).await?;
    named(reader, ids).await
}

/// The roads of these names, the best first. One statement, however many they are: the names come one after the other. An
/// SQLite without statistics takes tables in the order in which a `CROSS JOIN` names them.
async fn named<T: Columns>(reader: &mut Connection, ids: Vec<Vec<u8>>) -> Result<Vec<T>, sqlx::Error> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let columns = T::of("road");
    let sql = format!(
        r#"
        WITH RECURSIVE place (n) AS (SELECT 1 UNION ALL SELECT n + 16 FROM place WHERE n + 16 <= LENGTH($1)),
        asked AS MATERIALIZED (SELECT SUBSTR($1, place.n, 16) AS id FROM place)
        SELECT {columns} FROM asked CROSS JOIN road_segment road WHERE road.id = asked.id ORDER BY road.rank, road.id
        "#
    );
    sql::query(AssertSqlSafe(sql)).bind(ids.concat()).rows(reader, T::from_row).await
}

fn select(rest: &str) -> String {
    format!("SELECT {} FROM road_segment road {rest}", RoadRecord::of("road"))
}

/// A score as columns.
impl Columns for RoadScore {
    fn names(_: &'static str, names: &mut Vec<&'static str>) {
        names.extend(["rank", "parts", "measured_m"]);
    }

    fn bind(value: Option<&Self>, values: &mut Vec<Value>) {
        let rank = value.map(|score| Rank(score.score));
        Columns::bind(rank.as_ref(), values);
        values.push(Value::Text(value.map(|score| json(&score.parts))));
        Columns::bind(value.map(|score| &score.measured_m), values);
    }

    fn read(row: &SqlRow, prefix: &str, _: &'static str) -> Result<Self, sqlx::Error> {
        let Rank(score) = Columns::read(row, prefix, "rank")?;
        let parts: String = row.get_behind(prefix, "parts")?;
        let parts = serde_json::from_str(&parts).map_err(|_| damaged("parts"))?;
        Ok(RoadScore { score, parts, measured_m: Columns::read(row, prefix, "measured_m")? })
    }

    fn is_null(row: &SqlRow, prefix: &str, _: &'static str) -> Result<bool, sqlx::Error> {
        row.is_null_behind(prefix, "rank")
    }
}

fn id_in(bytes: &[u8]) -> Option<SegmentId> {
    let (from, to) = bytes.split_at_checked(8)?;
    let number = |bytes: &[u8]| bytes.try_into().map(u64::from_be_bytes).ok();
    Some(SegmentId(number(from)?, number(to)?))
}

fn name(id: SegmentId) -> Vec<u8> {
    [id.0.to_be_bytes(), id.1.to_be_bytes()].concat()
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("numbers in structs and arrays are JSON")
}
