//! Meets for everyone, by where and when they are.

use std::fmt::Write;

use sqlx::AssertSqlSafe;
use tourismo_core::id::DocId;
use tourismo_core::time::Timestamp;

use super::feed::Author;
use super::meets::{MeetKey, MeetRecord, with_author};
use super::sql::{self, Connection};
use crate::grid::{Bounds, Cells};

/// When meets begin, both ends included.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
}

/// Up to `limit` meets for everyone that begin in a span of time, after a place in their order, the earliest first; within
/// bounds if they are named. Among them those of people with whom the viewer has nothing to do: the caller must authorize each.
pub(crate) async fn search(
    reader: &mut Connection,
    bounds: Option<&Bounds>,
    span: Span,
    after: MeetKey,
    limit: u32,
) -> Result<Vec<(MeetRecord, Author)>, sqlx::Error> {
    // One lower bound, which the index takes whole: two would have it begin at the first meet of the span again and again.
    let earliest = (Timestamp(span.from.as_millis().saturating_sub(1)), DocId::from_bytes([0xff; 16]));
    let after = after.max(earliest);
    let sql = bounds.map_or_else(all, |bounds| merged(&within(bounds)));
    let query = sql::query(AssertSqlSafe(sql)).bind(span.to).bind(after.0).bind(after.1).bind(i64::from(limit));
    let query = match bounds {
        Some(bounds) => query.bind(bounds.west).bind(bounds.south).bind(bounds.east).bind(bounds.north),
        None => query,
    };
    query.rows(reader, with_author).await
}

/// A statement for the first `$4`, wherever they are.
fn all() -> String {
    format!(
        r#"
        SELECT {}, {} FROM meet LEFT JOIN profile ON profile.account = meet.account
        WHERE meet.visibility = 2 AND meet.starts_at <= $1 AND (meet.starts_at, meet.doc) > ($2, $3)
        ORDER BY meet.starts_at, meet.doc LIMIT $4
        "#,
        MeetRecord::COLUMNS,
        Author::COLUMNS
    )
}

/// The ranges of an index in which all is that lies within bounds, one for each square that they touch.
fn within(bounds: &Bounds) -> Vec<String> {
    let (column, cells) = match bounds.cells() {
        Cells::Narrow(cells) => ("cell", cells),
        Cells::Wide(cells) => ("wide_cell", cells),
    };
    let longitudes = if bounds.is_over_date_line() { "(lon >= $5 OR lon <= $7)" } else { "lon >= $5 AND lon <= $7" };
    let range = |cell| format!("AND {column} = {cell} AND lat >= $6 AND lat <= $8 AND {longitudes}");
    cells.into_iter().map(range).collect()
}

/// A statement for the first `$4` of several ranges of an index, merged and cut to `$4`: no more than that are read of each.
fn merged(ranges: &[String]) -> String {
    let mut arms = String::new();
    for (index, range) in ranges.iter().enumerate() {
        let union = if index == 0 { "" } else { "UNION ALL" };
        write!(
            arms,
            r#"
            {union} SELECT * FROM (
                SELECT account, doc, starts_at FROM meet
                WHERE visibility = 2 AND starts_at <= $1 AND (starts_at, doc) > ($2, $3) {range}
                ORDER BY starts_at, doc LIMIT $4
            ) range_{index}"#
        )
        .expect("writing to a String cannot fail");
    }
    format!(
        r#"
        SELECT {}, {}
        FROM (SELECT * FROM ({arms}) merged ORDER BY starts_at, doc LIMIT $4) page
        JOIN meet ON meet.account = page.account AND meet.doc = page.doc
        LEFT JOIN profile ON profile.account = meet.account
        ORDER BY meet.starts_at, meet.doc
        "#,
        MeetRecord::COLUMNS,
        Author::COLUMNS,
    )
}
