//! Lists of published drives, newest first: the public feed (all of it or within bounds), an account's drives and a
//! car's.

use std::fmt::Write;
use std::sync::LazyLock;

use sqlx::AssertSqlSafe;
use tourismo_core::docs::Visibility;
use tourismo_core::id::{AccountId, DocId};
use tourismo_core::time::{Timestamp, UtcOffset};

use super::order::Hour;
use super::published::BUCKETS;
use super::sql::{self, Columns, Connection, SqlRow, columns};
use crate::domain::grid::{Bounds, Cells};

/// A position in a feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FeedKey {
    pub(crate) sort_at: Timestamp,
    pub(crate) doc: DocId,
}

/// A position in the order of all public drives: see [`order`](super::order).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PublicKey {
    pub(crate) hour: Timestamp,
    pub(crate) place: i64,
    pub(crate) doc: DocId,
}

impl PublicKey {
    /// The position before everything.
    pub(crate) const FIRST: PublicKey =
        PublicKey { hour: Timestamp(i64::MAX), place: i64::MAX, doc: DocId::from_bytes([0xff; 16]) };
}

impl FeedKey {
    /// The position before everything.
    pub(crate) const FIRST: FeedKey = FeedKey { sort_at: Timestamp(i64::MAX), doc: DocId::from_bytes([0xff; 16]) };
}

/// A drive in a list.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FeedRow {
    pub(crate) key: FeedKey,
    place: i64,
    /// The hour in which it got its present visibility.
    pub(crate) shown_at: Timestamp,
    shown_place: i64,
    /// Differs after every change.
    pub(crate) updated_at: Timestamp,
    pub(crate) account: AccountId,
    pub(crate) visibility: Visibility,
    pub(crate) started_at: Timestamp,
    pub(crate) utc_offset: Option<UtcOffset>,
    pub(crate) title: String,
    pub(crate) car: Option<String>,
    /// JSON, as in the API.
    pub(crate) stats: String,
    /// West, south, east, north, degrees.
    pub(crate) bbox: [f64; 4],
    /// JSON, as in the API.
    pub(crate) line: String,
    pub(crate) author: Author,
}

/// The owner of something, as lists show it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Author {
    /// Absent if there is none, or if another account holds it.
    pub(crate) handle: Option<String>,
    pub(crate) display_name: Option<String>,
}

impl Author {
    /// The columns that [`read`](Author::read) reads, of a table or alias `profile`.
    pub(crate) const COLUMNS: &str =
        "CASE WHEN profile.holds = 1 AND profile.handle <> '' THEN profile.handle END AS handle, profile.display_name";

    pub(crate) fn read(row: &SqlRow) -> Result<Author, sqlx::Error> {
        Ok(Author { handle: row.get("handle")?, display_name: row.get("display_name")? })
    }
}

columns!(FeedKey { sort_at, doc });
columns!(FeedRow {
            key,
            place,
            shown_at,
            shown_place,
            updated_at,
            account,
            visibility,
            started_at,
            utc_offset: "utc_offset_min",
            title,
            car,
            stats,
            bbox,
            line
}
            author = Author::read);

impl FeedRow {
    /// Returns its position in the order of all public drives.
    pub(crate) fn public_key(&self, by: Hour) -> PublicKey {
        let (hour, place) = match by {
            Hour::Driven => (self.key.sort_at, self.place),
            Hour::Shown => (self.shown_at, self.shown_place),
        };
        PublicKey { hour, place, doc: self.key.doc }
    }
}

/// Returns a statement for the first `$4` entries of several index ranges, merged, after the position (`$1`, `$2`,
/// `$3`). It reads at most `$4` entries of each range, wherever the page is in the list.
fn merged(by: Hour, ranges: impl Iterator<Item = String>) -> String {
    let (hour, place) = by.columns();
    let mut arms = String::new();
    for (index, range) in ranges.enumerate() {
        let union = if index == 0 { "" } else { "UNION ALL" };
        write!(
            arms,
            r#"
            {union} SELECT * FROM (
                SELECT account, doc, {hour}, {place} FROM published_drive
                WHERE visibility = 2 AND {range} AND ({hour}, {place}, doc) < ($1, $2, $3)
                ORDER BY {hour} DESC, {place} DESC, doc DESC LIMIT $4
            ) range_{index}"#
        )
        .expect("writing to a String cannot fail");
    }
    format!(
        r#"
        SELECT {}, {}
        FROM (SELECT * FROM ({arms}) merged ORDER BY {hour} DESC, {place} DESC, doc DESC LIMIT $4) page
        JOIN published_drive drive ON drive.account = page.account AND drive.doc = page.doc
        LEFT JOIN profile ON profile.account = drive.account
        ORDER BY drive.{hour} DESC, drive.{place} DESC, drive.doc DESC
        "#,
        FeedRow::of("drive"),
        Author::COLUMNS,
    )
}

fn all(by: Hour) -> String {
    merged(by, (0..BUCKETS).map(|bucket| format!("bucket = {bucket}")))
}

static DRIVEN: LazyLock<String> = LazyLock::new(|| all(Hour::Driven));
static SHOWN: LazyLock<String> = LazyLock::new(|| all(Hour::Shown));

/// Returns up to `limit` public drives after a position.
pub(crate) async fn page(
    reader: &mut Connection,
    by: Hour,
    after: PublicKey,
    limit: u32,
) -> Result<Vec<FeedRow>, sqlx::Error> {
    let statement = match by {
        Hour::Driven => &DRIVEN,
        Hour::Shown => &SHOWN,
    };
    from_public(sql::query(AssertSqlSafe(statement.as_str())), after, limit).rows(reader, FeedRow::from_row).await
}

/// Returns up to `limit` public drives after a position that are within bounds.
pub(crate) async fn page_within(
    reader: &mut Connection,
    bounds: &Bounds,
    by: Hour,
    after: PublicKey,
    limit: u32,
) -> Result<Vec<FeedRow>, sqlx::Error> {
    let (column, cells) = match bounds.cells() {
        Cells::Narrow(cells) => ("cell", cells),
        Cells::Wide(cells) => ("wide_cell", cells),
    };
    // If the box crosses the date line, its western part has the greater longitudes.
    let longitudes = if bounds.is_all_the_way_round() {
        "$5 < $7"
    } else if bounds.is_over_date_line() {
        "(west >= $5 OR west <= $7) AND (east >= $5 OR east <= $7) AND (west <= east OR (west >= $5 AND east <= $7))"
    } else {
        "west >= $5 AND east <= $7 AND west <= east"
    };
    let range = |cell| format!("{column} = {cell} AND south >= $6 AND north <= $8 AND {longitudes}");
    let sql = merged(by, cells.into_iter().map(range));
    let query = from_public(sql::query(AssertSqlSafe(sql)), after, limit);
    let query = query.bind(bounds.west).bind(bounds.south).bind(bounds.east).bind(bounds.north);
    query.rows(reader, FeedRow::from_row).await
}

fn from_public(query: sql::Query, after: PublicKey, limit: u32) -> sql::Query {
    query.bind(after.hour).bind(after.place).bind(after.doc).bind(i64::from(limit))
}

fn from(query: sql::Query, after: FeedKey, limit: u32) -> sql::Query {
    query.bind(after.sort_at.as_millis()).bind(after.doc.as_bytes().as_slice()).bind(i64::from(limit))
}

/// Returns up to `limit` drives of an account after a position: public ones, and those for followers if
/// `with_followers`.
pub(crate) async fn of_person(
    reader: &mut Connection,
    account: AccountId,
    with_followers: bool,
    after: FeedKey,
    limit: u32,
) -> Result<Vec<FeedRow>, sqlx::Error> {
    let sql = format!(
        r#"
        SELECT {}, {}
        FROM published_drive drive LEFT JOIN profile ON profile.account = drive.account
        WHERE drive.account = $4 AND drive.visibility >= 2 AND drive.visibility <= $5
            AND (drive.sort_at, drive.doc) < ($1, $2)
        ORDER BY drive.sort_at DESC, drive.doc DESC LIMIT $3
        "#,
        FeedRow::of("drive"),
        Author::COLUMNS
    );
    from(sql::query(AssertSqlSafe(sql)), after, limit)
        .bind(account.as_bytes().as_slice())
        .bind(if with_followers { 3 } else { 2_i64 })
        .rows(reader, FeedRow::from_row)
        .await
}

/// Returns up to `limit` public drives of an account after a position, ordered by when they became visible. The
/// position is the hour and the drive.
pub(crate) async fn shown_by_person(
    reader: &mut Connection,
    account: AccountId,
    after: FeedKey,
    limit: u32,
) -> Result<Vec<FeedRow>, sqlx::Error> {
    let sql = format!(
        r#"
        SELECT {}, {}
        FROM published_drive drive LEFT JOIN profile ON profile.account = drive.account
        WHERE drive.account = $4 AND drive.visibility = 2 AND (drive.shown_at, drive.doc) < ($1, $2)
        ORDER BY drive.shown_at DESC, drive.doc DESC LIMIT $3
        "#,
        FeedRow::of("drive"),
        Author::COLUMNS
    );
    from(sql::query(AssertSqlSafe(sql)), after, limit).bind(account).rows(reader, FeedRow::from_row).await
}

/// Returns one published drive of any visibility: the caller must authorize the read.
pub(crate) async fn find(
    reader: &mut Connection,
    account: AccountId,
    doc: DocId,
) -> Result<Option<FeedRow>, sqlx::Error> {
    let sql = format!(
        r#"
        SELECT {}, {} FROM published_drive drive LEFT JOIN profile ON profile.account = drive.account
        WHERE drive.account = $1 AND drive.doc = $2
        "#,
        FeedRow::of("drive"),
        Author::COLUMNS
    );
    let row = sql::query(AssertSqlSafe(sql)).bind(account).bind(doc).row(reader).await?;
    row.map(|row| FeedRow::from_row(&row)).transpose()
}

/// Returns up to `MOST` drives by their ids, as far as they are public, newest first. They include drives of accounts
/// that the viewer blocks: the caller must authorize each.
pub(crate) async fn named<const MOST: usize>(
    reader: &mut Connection,
    ids: &[DocId],
) -> Result<Vec<FeedRow>, sqlx::Error> {
    // The last id is repeated, so that fewer ids use the same statement.
    let Some(last) = ids.last() else { return Ok(Vec::new()) };
    let marks: Vec<String> = (1..=MOST).map(|number| format!("${number}")).collect();
    let sql = format!(
        r#"
        SELECT {}, {} FROM published_drive drive LEFT JOIN profile ON profile.account = drive.account
        WHERE drive.visibility = 2 AND drive.doc IN ({}) ORDER BY drive.sort_at DESC, drive.doc DESC
        "#,
        FeedRow::of("drive"),
        Author::COLUMNS,
        marks.join(", ")
    );
    let query = sql::query(AssertSqlSafe(sql));
    let query = ids.iter().chain(std::iter::repeat(last)).take(MOST).fold(query, |query, id| query.bind(*id));
    query.rows(reader, FeedRow::from_row).await
}

/// Returns up to `limit` public drives of a car after a position, ordered by when they became visible. Only its owner's
/// private drives show which car it was.
pub(crate) async fn of_car(
    reader: &mut Connection,
    account: AccountId,
    car: DocId,
    after: FeedKey,
    limit: u32,
) -> Result<Vec<FeedRow>, sqlx::Error> {
    let sql = format!(
        r#"
        SELECT {}, {}
        FROM drive driven
        JOIN published_drive drive ON drive.account = driven.account AND drive.doc = driven.published
        LEFT JOIN profile ON profile.account = drive.account
        WHERE driven.account = $4 AND driven.car = $5 AND drive.visibility = 2 AND (drive.shown_at, drive.doc) < ($1, $2)
        ORDER BY drive.shown_at DESC, drive.doc DESC LIMIT $3
        "#,
        FeedRow::of("drive"),
        Author::COLUMNS
    );
    from(sql::query(AssertSqlSafe(sql)), after, limit)
        .bind(account.as_bytes().as_slice())
        .bind(car.as_bytes().as_slice())
        .rows(reader, FeedRow::from_row)
        .await
}
