//! Search for public meets by place and time.

use std::fmt::Write;

use sqlx::AssertSqlSafe;
use tourismo_core::id::DocId;
use tourismo_core::time::Timestamp;

use super::feed::Author;
use super::meets::{MeetKey, MeetRecord, with_author};
use super::sql::{self, Connection};
use crate::domain::grid::{Bounds, Cells};

/// The assumed duration of a meet without an end, milliseconds.
const ASSUMED_LENGTH_MS: i64 = 12 * 3_600_000;

/// Limits for start and end of meets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    /// The earliest start.
    pub(crate) from: Timestamp,
    /// The latest start.
    pub(crate) to: Timestamp,
    /// They end after the first time and not after the second; at any time if absent.
    pub(crate) ends: Option<(Timestamp, Timestamp)>,
}

/// The order of a list of meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// The earliest start first.
    Earliest,
    /// The latest start first.
    Latest,
}

/// Returns up to `limit` public meets in a span of time after a position in their order; within bounds if given. They
/// include meets of accounts that the viewer blocks: the caller must authorize each.
pub(crate) async fn search(
    reader: &mut Connection,
    bounds: Option<&Bounds>,
    span: Span,
    order: Order,
    after: MeetKey,
    limit: u32,
) -> Result<Vec<(MeetRecord, Author)>, sqlx::Error> {
    // The position is one bound of the index range, and the end of the span is the other. With both ends of the span as
    // bounds, every page would scan from the first meet of the span.
    let (after, end) = match order {
        Order::Earliest => {
            let before = Timestamp(span.from.as_millis().saturating_sub(1));
            (after.max((before, DocId::from_bytes([0xff; 16]))), span.to)
        }
        Order::Latest => {
            let behind = Timestamp(span.to.as_millis().saturating_add(1));
            (after.min((behind, DocId::from_bytes([0; 16]))), span.from)
        }
    };
    let range = order.range(span.ends.is_some());
    // The parameters of the bounds come before those of the ends.
    let first_of_ends = if bounds.is_some() { 9 } else { 5 };
    let range = range.replace("$ends_after", &format!("${first_of_ends}"));
    let range = range.replace("$ends_by", &format!("${}", first_of_ends + 1));
    let sql = bounds.map_or_else(|| all(&range, order), |bounds| merged(&within(bounds), &range, order));
    let query = sql::query(AssertSqlSafe(sql)).bind(end).bind(after.0).bind(after.1).bind(i64::from(limit));
    let query = match bounds {
        Some(bounds) => query.bind(bounds.west).bind(bounds.south).bind(bounds.east).bind(bounds.north),
        None => query,
    };
    let query = match span.ends {
        Some((after, by)) => query.bind(after).bind(by),
        None => query,
    };
    query.rows(reader, with_author).await
}

impl Order {
    /// Returns the condition for meets of the span after the position; with a bound for their ends if requested.
    fn range(self, is_by_end: bool) -> String {
        let range = match self {
            Order::Earliest => "meet.starts_at <= $1 AND (meet.starts_at, meet.doc) > ($2, $3)",
            Order::Latest => "meet.starts_at >= $1 AND (meet.starts_at, meet.doc) < ($2, $3)",
        };
        let ends_at = format!("COALESCE(meet.ends_at, meet.starts_at + {ASSUMED_LENGTH_MS})");
        if is_by_end {
            format!("{range} AND {ends_at} > $ends_after AND {ends_at} <= $ends_by")
        } else {
            range.to_owned()
        }
    }

    fn direction(self) -> &'static str {
        match self {
            Order::Earliest => "",
            Order::Latest => "DESC",
        }
    }
}

/// Returns a statement for the first `$4` meets anywhere.
fn all(range: &str, order: Order) -> String {
    let direction = order.direction();
    format!(
        r#"
        SELECT {}, {} FROM meet LEFT JOIN profile ON profile.account = meet.account
        WHERE meet.visibility = 2 AND {range}
        ORDER BY meet.starts_at {direction}, meet.doc {direction} LIMIT $4
        "#,
        MeetRecord::columns(),
        Author::COLUMNS
    )
}

/// Returns the index ranges that contain all meets within bounds, one for each square that they touch.
fn within(bounds: &Bounds) -> Vec<String> {
    let (column, cells) = match bounds.cells() {
        Cells::Narrow(cells) => ("cell", cells),
        Cells::Wide(cells) => ("wide_cell", cells),
    };
    let longitudes = if bounds.is_over_date_line() { "(lon >= $5 OR lon <= $7)" } else { "lon >= $5 AND lon <= $7" };
    let range = |cell| format!("AND {column} = {cell} AND lat >= $6 AND lat <= $8 AND {longitudes}");
    cells.into_iter().map(range).collect()
}

/// Returns a statement for the first `$4` entries of several index ranges, merged; it reads at most that many of each.
fn merged(ranges: &[String], span: &str, order: Order) -> String {
    let direction = order.direction();
    let mut arms = String::new();
    for (index, range) in ranges.iter().enumerate() {
        let union = if index == 0 { "" } else { "UNION ALL" };
        write!(
            arms,
            r#"
            {union} SELECT * FROM (
                SELECT account, doc, starts_at FROM meet
                WHERE visibility = 2 AND {span} {range}
                ORDER BY starts_at {direction}, doc {direction} LIMIT $4
            ) range_{index}"#
        )
        .expect("writing to a String cannot fail");
    }
    format!(
        r#"
        SELECT {}, {}
        FROM (SELECT * FROM ({arms}) merged ORDER BY starts_at {direction}, doc {direction} LIMIT $4) page
        JOIN meet ON meet.account = page.account AND meet.doc = page.doc
        LEFT JOIN profile ON profile.account = meet.account
        ORDER BY meet.starts_at {direction}, meet.doc {direction}
        "#,
        MeetRecord::columns(),
        Author::COLUMNS,
    )
}
