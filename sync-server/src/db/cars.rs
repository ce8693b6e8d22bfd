//! The tables `car` and `car_log`: garages and logbooks.

use std::collections::BTreeMap;

use tourismo_core::docs::logbook::{Cost, LogEntry, LogKind};
use tourismo_core::docs::{CarFields, LogItem};
use tourismo_core::id::{AccountId, DocId};
use tourismo_core::time::Timestamp;

use super::follows::difference;
use super::sql::{self, Bulk, Connection, Row};
use super::{damaged, doc_in, position, time_in};

/// A car as its owner sees it.
#[derive(Clone, Debug)]
pub(crate) struct CarRow {
    pub(crate) doc: DocId,
    pub(crate) fields: CarFields,
    /// How many drives it was driven for, and how far, metres.
    pub(crate) drives: u64,
    pub(crate) distance_m: f64,
    /// The newest reading of its odometer and what was driven after it, metres.
    pub(crate) odometer_m: Option<f64>,
}

const FIELDS: &str = "car.doc, car.make, car.model, car.year, car.nickname, car.colour, car.is_public";

/// Replaces cars, without their logbooks.
pub(crate) async fn replace(
    writer: &mut Connection,
    cars: &[(AccountId, DocId, &CarFields)],
) -> Result<(), sqlx::Error> {
    let before = "INSERT INTO car (account, doc, make, model, year, nickname, colour, is_public) VALUES ";
    let after = r#"
        ON CONFLICT (account, doc) DO UPDATE SET
            make = excluded.make, model = excluded.model, year = excluded.year, nickname = excluded.nickname,
            colour = excluded.colour, is_public = excluded.is_public
    "#;
    let mut bulk = Bulk::new(before, after);
    for (account, doc, fields) in cars {
        bulk.row([
            (*account).into(),
            (*doc).into(),
            fields.make.as_str().into(),
            fields.model.as_str().into(),
            fields.year.map(i64::from).into(),
            fields.nickname.as_str().into(),
            fields.colour.as_str().into(),
            i64::from(fields.is_public).into(),
        ]);
    }
    bulk.execute(writer).await.map(drop)
}

/// Makes of what a car's logbook holds what it says; an entry more is a row more.
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
    let before = r#"
        INSERT INTO car_log (account, doc, entry, kind, at, odometer_m, litres, cost_minor, currency, note) VALUES "#;
    let after = r#"
        ON CONFLICT (account, doc, entry) DO UPDATE SET
            kind = excluded.kind, at = excluded.at, odometer_m = excluded.odometer_m, litres = excluded.litres,
            cost_minor = excluded.cost_minor, currency = excluded.currency, note = excluded.note
    "#;
    let mut bulk = Bulk::new(before, after);
    for (id, entry) in said {
        bulk.row([
            account.into(),
            doc.into(),
            id.into(),
            number(entry.kind).into(),
            entry.at.into(),
            entry.odometer_m.into(),
            entry.litres.into(),
            entry.cost.as_ref().map(|cost| cost.minor).into(),
            entry.cost.as_ref().map(|cost| cost.currency.as_str()).into(),
            entry.note.as_str().into(),
        ]);
    }
    bulk.execute(writer).await.map(drop)
}

/// Removes a car with its logbook, if it is there.
pub(crate) async fn remove(writer: &mut Connection, account: AccountId, doc: DocId) -> Result<(), sqlx::Error> {
    for sql in
        ["DELETE FROM car_log WHERE account = $1 AND doc = $2", "DELETE FROM car WHERE account = $1 AND doc = $2"]
    {
        sql::query(sql).bind(account).bind(doc).execute(writer).await?;
    }
    Ok(())
}

/// A car as it was derived, if it is there.
pub(crate) async fn record(
    reader: &mut Connection,
    account: AccountId,
    doc: DocId,
) -> Result<Option<CarFields>, sqlx::Error> {
    let sql = "SELECT doc, make, model, year, nickname, colour, is_public FROM car WHERE account = $1 AND doc = $2";
    sql::query(sql).bind(account).bind(doc).row(reader).await?.map(|row| fields(&row)).transpose()
}

/// A car's whole logbook, ascending by id.
pub(crate) async fn logbook(
    reader: &mut Connection,
    account: AccountId,
    doc: DocId,
) -> Result<Vec<LogItem>, sqlx::Error> {
    let sql = r#"
        SELECT entry, kind, at, odometer_m, litres, cost_minor, currency, note
        FROM car_log WHERE account = $1 AND doc = $2 ORDER BY entry
    "#;
    sql::query(sql).bind(account).bind(doc).rows(reader, log_item).await
}

/// A place in a logbook.
pub(crate) type LogKey = (Timestamp, DocId);

/// Up to `limit` entries of a car's logbook after a place, the latest first.
pub(crate) async fn log_page(
    reader: &mut Connection,
    account: AccountId,
    doc: DocId,
    after: LogKey,
    limit: u32,
) -> Result<Vec<LogItem>, sqlx::Error> {
    let sql = r#"
        SELECT entry, kind, at, odometer_m, litres, cost_minor, currency, note
        FROM car_log WHERE account = $1 AND doc = $2 AND (at, entry) < ($3, $4)
        ORDER BY at DESC, entry DESC LIMIT $5
    "#;
    sql::query(sql)
        .bind(account)
        .bind(doc)
        .bind(after.0)
        .bind(after.1)
        .bind(i64::from(limit))
        .rows(reader, log_item)
        .await
}

/// Up to `limit` cars of an account's garage that were made before this one, newest first.
pub(crate) async fn garage(
    reader: &mut Connection,
    account: AccountId,
    after: DocId,
    limit: u32,
) -> Result<Vec<CarRow>, sqlx::Error> {
    let sql = r#"
        SELECT
            car.doc, car.make, car.model, car.year, car.nickname, car.colour, car.is_public,
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
    "#;
    let read = |row: &Row| {
        Ok(CarRow {
            doc: doc_in(row, "doc")?,
            fields: fields(row)?,
            drives: position("drives", row.get("drives")?)?,
            distance_m: row.get("distance_m")?,
            odometer_m: row.get("odometer_m")?,
        })
    };
    sql::query(sql).bind(account).bind(after).bind(i64::from(limit)).rows(reader, read).await
}

/// Up to `limit` cars of an account that everyone may know of, made before this one, newest first.
pub(crate) async fn public_garage(
    reader: &mut Connection,
    account: AccountId,
    after: DocId,
    limit: u32,
) -> Result<Vec<(DocId, CarFields)>, sqlx::Error> {
    let sql = format!(
        "SELECT {FIELDS} FROM car WHERE account = $1 AND doc < $2 AND is_public = 1 ORDER BY doc DESC LIMIT $3"
    );
    sql::query(sqlx::AssertSqlSafe(sql))
        .bind(account)
        .bind(after)
        .bind(i64::from(limit))
        .rows(reader, |row| Ok((doc_in(row, "doc")?, fields(row)?)))
        .await
}

/// How many rows there are.
pub(crate) async fn count(reader: &mut Connection) -> Result<u64, sqlx::Error> {
    let sql = "SELECT (SELECT COUNT(*) FROM car) + (SELECT COUNT(*) FROM car_log)";
    position("count", sql::query_scalar(sql).fetch_one(reader).await?)
}

/// Removes all rows, to be derived again.
pub(crate) async fn remove_all(writer: &mut Connection) -> Result<(), sqlx::Error> {
    sql::query("DELETE FROM car_log").execute(writer).await?;
    sql::query("DELETE FROM car").execute(writer).await.map(drop)
}

fn fields(row: &Row) -> Result<CarFields, sqlx::Error> {
    let year: Option<i64> = row.get("year")?;
    Ok(CarFields {
        make: row.get("make")?,
        model: row.get("model")?,
        year: year.map(|year| u16::try_from(year).map_err(|_| damaged("year"))).transpose()?,
        nickname: row.get("nickname")?,
        colour: row.get("colour")?,
        is_public: row.get::<i64>("is_public")? == 1,
    })
}

fn log_item(row: &Row) -> Result<LogItem, sqlx::Error> {
    let (minor, currency): (Option<i64>, Option<String>) = (row.get("cost_minor")?, row.get("currency")?);
    let entry = LogEntry {
        kind: kind(row.get("kind")?)?,
        at: time_in(row, "at")?,
        odometer_m: row.get("odometer_m")?,
        litres: row.get("litres")?,
        cost: minor.zip(currency).map(|(minor, currency)| Cost { minor, currency }),
        note: row.get("note")?,
    };
    Ok(LogItem { id: doc_in(row, "entry")?, entry })
}

fn number(kind: LogKind) -> i64 {
    match kind {
        LogKind::Odometer => 0,
        LogKind::Fuel => 1,
        LogKind::Service => 2,
    }
}

fn kind(number: i64) -> Result<LogKind, sqlx::Error> {
    [LogKind::Odometer, LogKind::Fuel, LogKind::Service]
        .into_iter()
        .find(|kind| self::number(*kind) == number)
        .ok_or_else(|| damaged("kind"))
}
