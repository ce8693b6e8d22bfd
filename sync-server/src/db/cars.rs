//! The tables `car` and `car_log`: cars and logbooks.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use sqlx::AssertSqlSafe;
use tourismo_core::docs::logbook::{Cost, LogEntry, LogKind};
use tourismo_core::docs::{CarFields, LogItem};
use tourismo_core::id::{AccountId, DocId};
use tourismo_core::time::Timestamp;

use super::follows::difference;
use super::sql::{self, Columns, Connection, Insert, columns, numbers};
use super::{doc_in, position};

/// A car as shown to its owner.
#[derive(Clone, Debug)]
pub(crate) struct CarRow {
    pub(crate) doc: DocId,
    pub(crate) fields: CarFields,
    /// The number of its drives, with their distance in metres.
    pub(crate) drives: u64,
    pub(crate) distance_m: f64,
    /// The newest odometer reading plus the distance driven since, metres.
    pub(crate) odometer_m: Option<f64>,
}

columns!(CarFields { make, model, year, nickname, colour, is_public });
columns!(CarRow { doc, fields, drives, distance_m, odometer_m });
columns!(LogItem { id: "entry", entry });
columns!(LogEntry { kind, at, odometer_m, litres, cost, note });
columns!(Cost { minor: "cost_minor", currency });
numbers!(LogKind { Odometer = 0, Fuel = 1, Service = 2 });

static REPLACE: LazyLock<Insert> =
    LazyLock::new(|| Insert::or_replace("car", &[vec!["account", "doc"], CarFields::list()].concat(), 2));
static REPLACE_ENTRY: LazyLock<Insert> =
    LazyLock::new(|| Insert::or_replace("car_log", &[vec!["account", "doc"], LogItem::list()].concat(), 3));

/// Inserts or replaces cars, without their logbooks.
pub(crate) async fn replace(
    writer: &mut Connection,
    cars: &[(AccountId, DocId, &CarFields)],
) -> Result<(), sqlx::Error> {
    let mut bulk = REPLACE.rows();
    for (account, doc, fields) in cars {
        bulk.row([(*account).into(), (*doc).into()].into_iter().chain(fields.values()));
    }
    bulk.execute(writer).await.map(drop)
}

/// Replaces the stored logbook of a car by the derived one (diff).
pub(crate) async fn replace_log(
    writer: &mut Connection,
    account: AccountId,
    doc: DocId,
    stored: &[LogItem],
    derived: &[LogItem],
) -> Result<(), sqlx::Error> {
    let set = |log: &[LogItem]| log.iter().map(|item| (item.id, item.entry.clone())).collect::<BTreeMap<_, _>>();
    let (gone, said) = difference(&set(stored), &set(derived));
    let sql = "DELETE FROM car_log WHERE account = $1 AND doc = $2 AND entry IN ";
    sql::delete_each(writer, sql, &[*account.as_bytes(), *doc.as_bytes()], &gone).await?;
    let mut bulk = REPLACE_ENTRY.rows();
    for (id, entry) in said {
        bulk.row([account.into(), doc.into()].into_iter().chain(LogItem { id, entry }.values()));
    }
    bulk.execute(writer).await.map(drop)
}

/// Removes a car with its logbook, if it exists.
pub(crate) async fn remove(writer: &mut Connection, account: AccountId, doc: DocId) -> Result<(), sqlx::Error> {
    for sql in
        ["DELETE FROM car_log WHERE account = $1 AND doc = $2", "DELETE FROM car WHERE account = $1 AND doc = $2"]
    {
        sql::query(sql).bind(account).bind(doc).execute(writer).await?;
    }
    Ok(())
}

/// Returns the derived row of a car, if it exists.
pub(crate) async fn record(
    reader: &mut Connection,
    account: AccountId,
    doc: DocId,
) -> Result<Option<CarFields>, sqlx::Error> {
    let sql = format!("SELECT {} FROM car WHERE account = $1 AND doc = $2", CarFields::of("car"));
    let row = sql::query(AssertSqlSafe(sql)).bind(account).bind(doc).row(reader).await?;
    row.map(|row| CarFields::from_row(&row)).transpose()
}

/// Returns a car's whole logbook, ascending by id.
pub(crate) async fn logbook(
    reader: &mut Connection,
    account: AccountId,
    doc: DocId,
) -> Result<Vec<LogItem>, sqlx::Error> {
    let columns = LogItem::of("car_log");
    let sql = format!("SELECT {columns} FROM car_log WHERE account = $1 AND doc = $2 ORDER BY entry");
    sql::query(AssertSqlSafe(sql)).bind(account).bind(doc).rows(reader, LogItem::from_row).await
}

/// A position in a logbook.
pub(crate) type LogKey = (Timestamp, DocId);

/// Returns up to `limit` entries of a car's logbook after a position, the latest first.
pub(crate) async fn log_page(
    reader: &mut Connection,
    account: AccountId,
    doc: DocId,
    after: LogKey,
    limit: u32,
) -> Result<Vec<LogItem>, sqlx::Error> {
    let columns = LogItem::of("car_log");
    let sql = format!(
        r#"
        SELECT {columns} FROM car_log WHERE account = $1 AND doc = $2 AND (at, entry) < ($3, $4)
        ORDER BY at DESC, entry DESC LIMIT $5
        "#
    );
    sql::query(AssertSqlSafe(sql))
        .bind(account)
        .bind(doc)
        .bind(after.0)
        .bind(after.1)
        .bind(i64::from(limit))
        .rows(reader, LogItem::from_row)
        .await
}

/// Returns up to `limit` cars of an account that were made before this one, newest first.
pub(crate) async fn garage(
    reader: &mut Connection,
    account: AccountId,
    after: DocId,
    limit: u32,
) -> Result<Vec<CarRow>, sqlx::Error> {
    let fields = CarFields::of("car");
    let sql = format!(
        r#"
        SELECT
            car.doc, {fields},
            (SELECT COUNT(*) FROM drive WHERE drive.account = car.account AND drive.car = car.doc) AS drives,
            COALESCE((
                SELECT SUM(drive.distance_m) FROM drive WHERE drive.account = car.account AND drive.car = car.doc
            ), 0.0) AS distance_m,
            (
                SELECT car_log.odometer_m + COALESCE((
                    SELECT SUM(drive.distance_m) FROM drive
                    WHERE drive.account = car_log.account AND drive.car = car_log.doc AND drive.started_at > car_log.at
                ), 0.0)
                FROM car_log
                WHERE car_log.account = car.account AND car_log.doc = car.doc AND car_log.odometer_m IS NOT NULL
                ORDER BY car_log.at DESC, car_log.entry DESC LIMIT 1
            ) AS odometer_m
        FROM car WHERE car.account = $1 AND car.doc < $2
        ORDER BY car.doc DESC LIMIT $3
        "#
    );
    sql::query(AssertSqlSafe(sql)).bind(account).bind(after).bind(i64::from(limit)).rows(reader, CarRow::from_row).await
}

/// Returns up to `limit` public cars of an account that were made before this one, newest first.
pub(crate) async fn public_garage(
    reader: &mut Connection,
    account: AccountId,
    after: DocId,
    limit: u32,
) -> Result<Vec<(DocId, CarFields)>, sqlx::Error> {
    let fields = CarFields::of("car");
    let sql = format!(
        "SELECT doc, {fields} FROM car WHERE account = $1 AND doc < $2 AND is_public = 1 ORDER BY doc DESC LIMIT $3"
    );
    sql::query(AssertSqlSafe(sql))
        .bind(account)
        .bind(after)
        .bind(i64::from(limit))
        .rows(reader, |row| Ok((doc_in(row, "doc")?, CarFields::from_row(row)?)))
        .await
}

/// Returns the number of rows.
pub(crate) async fn count(reader: &mut Connection) -> Result<u64, sqlx::Error> {
    let sql = "SELECT (SELECT COUNT(*) FROM car) + (SELECT COUNT(*) FROM car_log)";
    position("count", sql::query_scalar(sql).fetch_one(reader).await?)
}

/// Removes all rows, so that they can be derived again.
pub(crate) async fn remove_all(writer: &mut Connection) -> Result<(), sqlx::Error> {
    sql::query("DELETE FROM car_log").execute(writer).await?;
    sql::query("DELETE FROM car").execute(writer).await.map(drop)
}
