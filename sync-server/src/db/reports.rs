//! The table `report`: what people reported to the operators. It is bounded: by reporter and day, by address and day, and as a
//! whole, with less room for reports without an account.

use std::sync::LazyLock;

use sqlx::AssertSqlSafe;
use tourismo_core::id::DocId;
use tourismo_core::time::Timestamp;

use super::decisions::Item;
use super::sql::{self, Columns, Connection, Insert, columns, numbers};
use super::{column, position};
use crate::clients::limits::{DAY_MS, SourceName};

/// Maximum number of open reports with an account, and of anonymous ones. More are refused until operators close some.
pub(crate) const MAX_OPEN: u64 = 10_000;
pub(crate) const MAX_OPEN_ANONYMOUS: u64 = 1_000;

/// Maximum number of reports in 24 hours: of an account, of an address, and of an address without an account.
pub(crate) const MAX_OF_ACCOUNT: u64 = 50;
pub(crate) const MAX_OF_ADDRESS: u64 = 100;
pub(crate) const MAX_ANONYMOUS_OF_ADDRESS: u64 = 5;

/// How long a closed report is kept.
const KEPT_CLOSED_MS: i64 = 90 * DAY_MS;

/// Why something is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReportReason {
    Spam,
    Harassment,
    Danger,
    Private,
    Illegal,
    Other,
}

numbers!(ReportReason { Spam = 0, Harassment = 1, Danger = 2, Private = 3, Illegal = 4, Other = 5 });

/// A report.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StoredReport {
    pub(crate) number: u64,
    pub(crate) reported_at: Timestamp,
    pub(crate) item: Item,
    pub(crate) is_anonymous: bool,
    /// The account; of an anonymous report the name of its address.
    pub(crate) reporter: DocId,
    pub(crate) source: DocId,
    pub(crate) reason: ReportReason,
    pub(crate) body: String,
    pub(crate) closed_at: Option<Timestamp>,
}

columns!(StoredReport { number, reported_at, item, is_anonymous, reporter, source, reason, body, closed_at });

static INSERT: LazyLock<Insert> = LazyLock::new(|| Insert::into("report", &StoredReport::list()));

/// A report that was not judged yet.
#[derive(Clone, Debug)]
pub(crate) struct NewReport {
    pub(crate) item: Item,
    /// The account of the reporter, if there is one.
    pub(crate) reporter: Option<DocId>,
    pub(crate) source: SourceName,
    pub(crate) reason: ReportReason,
    pub(crate) body: String,
}

/// What became of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reported {
    /// It is stored, now or before: the same reporter reports an item once.
    Stored,
    /// The reporter or the address reported too much today.
    TooMany,
    /// Too many reports are open.
    Full,
}

/// Stores a report within the bounds.
pub(crate) async fn insert(
    writer: &mut Connection,
    report: &NewReport,
    now: Timestamp,
) -> Result<Reported, sqlx::Error> {
    let NewReport { item, reporter, source, reason, body } = report;
    let source = DocId::from_bytes(source.0);
    let (is_anonymous, reporter) = (reporter.is_none(), reporter.unwrap_or(source));
    let sql = r#"
        SELECT 1 FROM report
        WHERE account = $1 AND target = $2 AND item = $3 AND is_anonymous = $4 AND reporter = $5
    "#;
    let known = sql::query(sql).bind(item.account).bind(item.target).bind(item.item);
    if known.bind(i64::from(is_anonymous)).bind(reporter).row(writer).await?.is_some() {
        return Ok(Reported::Stored);
    }
    let since = now + -DAY_MS;
    let sql = "SELECT COUNT(*) FROM report WHERE source = $1 AND reported_at > $2";
    let of_address: i64 = sql::query_scalar(sql).bind(source).bind(since).fetch_one(writer).await?;
    let sql = "SELECT COUNT(*) FROM report WHERE reporter = $1 AND reported_at > $2";
    let of_reporter: i64 = sql::query_scalar(sql).bind(reporter).bind(since).fetch_one(writer).await?;
    let most = if is_anonymous { MAX_ANONYMOUS_OF_ADDRESS } else { MAX_OF_ACCOUNT };
    if position("count", of_address)? >= MAX_OF_ADDRESS || position("count", of_reporter)? >= most {
        return Ok(Reported::TooMany);
    }
    let sql = "SELECT COUNT(*) FROM report WHERE is_anonymous = $1 AND closed_at IS NULL";
    let open: i64 = sql::query_scalar(sql).bind(i64::from(is_anonymous)).fetch_one(writer).await?;
    if position("count", open)? >= if is_anonymous { MAX_OPEN_ANONYMOUS } else { MAX_OPEN } {
        return Ok(Reported::Full);
    }
    let newest: i64 = sql::query_scalar("SELECT COALESCE(MAX(number), 0) FROM report").fetch_one(writer).await?;
    let report = StoredReport {
        number: position("number", newest)? + 1,
        reported_at: now,
        item: *item,
        is_anonymous,
        reporter,
        source,
        reason: *reason,
        body: body.clone(),
        closed_at: None,
    };
    let mut bulk = INSERT.rows();
    bulk.row(report.values());
    bulk.execute(writer).await?;
    Ok(Reported::Stored)
}

/// Closes the open reports about an item, and forgets those that were closed long ago.
pub(crate) async fn close(writer: &mut Connection, item: &Item, now: Timestamp) -> Result<u64, sqlx::Error> {
    let sql = r#"
        UPDATE report SET closed_at = $4 WHERE account = $1 AND target = $2 AND item = $3 AND closed_at IS NULL
    "#;
    let query = sql::query(sql).bind(item.account).bind(item.target).bind(item.item).bind(now);
    let closed = query.execute(writer).await?;
    let sql = "DELETE FROM report WHERE closed_at < $1";
    sql::query(sql).bind(now + -KEPT_CLOSED_MS).execute(writer).await?;
    Ok(closed)
}

/// Returns a report.
pub(crate) async fn find(reader: &mut Connection, number: u64) -> Result<Option<StoredReport>, sqlx::Error> {
    let sql = format!("SELECT {} FROM report WHERE number = $1", StoredReport::of("report"));
    let row = sql::query(AssertSqlSafe(sql)).bind(column(number)).row(reader).await?;
    row.map(|row| StoredReport::from_row(&row)).transpose()
}

/// Returns the newest open reports before a number, the newest first: those with an account, or anonymous ones.
pub(crate) async fn open(
    reader: &mut Connection,
    is_anonymous: bool,
    before: u64,
    limit: u32,
) -> Result<Vec<StoredReport>, sqlx::Error> {
    let sql = format!(
        r#"
        SELECT {} FROM report WHERE is_anonymous = $1 AND number < $2 AND closed_at IS NULL
        ORDER BY number DESC LIMIT $3
        "#,
        StoredReport::of("report")
    );
    let query = sql::query(AssertSqlSafe(sql)).bind(i64::from(is_anonymous)).bind(column(before));
    query.bind(i64::from(limit)).rows(reader, StoredReport::from_row).await
}
