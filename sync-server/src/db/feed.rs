//! The public feed: a page of `published_drive` with the `profile` of each author, newest first.

use std::fmt::Write;
use std::sync::LazyLock;

use sqlx::AssertSqlSafe;
use tourismo_core::id::{AccountId, DocId};
use tourismo_core::time::Timestamp;

use super::published::BUCKETS;
use super::sql::{self, Connection, Row};
use super::{account_id, doc_id};

/// A place in the feed's order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FeedKey {
    pub(crate) sort_at: Timestamp,
    pub(crate) doc: DocId,
}

/// A drive as the feed lists it.
#[derive(Clone, Debug)]
pub(crate) struct FeedRow {
    pub(crate) key: FeedKey,
    pub(crate) account: AccountId,
    pub(crate) started_at: Timestamp,
    pub(crate) title: String,
    pub(crate) car: Option<String>,
    pub(crate) stats: String,
    pub(crate) bbox: Option<String>,
    pub(crate) line: String,
    pub(crate) handle: Option<String>,
    pub(crate) display_name: Option<String>,
}

/// The newest `limit` rows of every bucket, merged and cut to `limit`: each bucket is a range of the index, and no more
/// than `limit` × [`BUCKETS`] entries are looked at, wherever in the feed the page is.
static PAGE: LazyLock<String> = LazyLock::new(|| {
    let mut buckets = String::new();
    for bucket in 0..BUCKETS {
        let union = if bucket == 0 { "" } else { "UNION ALL" };
        write!(
            buckets,
            r#"
            {union} SELECT * FROM (
                SELECT account, doc, sort_at FROM published_drive
                WHERE visibility = 2 AND bucket = {bucket} AND (sort_at, doc) < ($1, $2)
                ORDER BY sort_at DESC, doc DESC LIMIT $3
            ) bucket_{bucket}"#
        )
        .expect("writing to a String cannot fail");
    }
    format!(
        r#"
        SELECT
            drive.account, drive.doc, drive.sort_at, drive.started_at, drive.title, drive.car, drive.stats, drive.bbox,
            drive.line, profile.handle, profile.display_name
        FROM (SELECT * FROM ({buckets}) merged ORDER BY sort_at DESC, doc DESC LIMIT $3) page
        JOIN published_drive drive ON drive.account = page.account AND drive.doc = page.doc
        LEFT JOIN profile ON profile.account = drive.account
        ORDER BY drive.sort_at DESC, drive.doc DESC
        "#
    )
});

/// Up to `limit` public drives after `after`, newest first; from the newest on if it is `None`.
pub(crate) async fn page(
    reader: &mut Connection,
    after: Option<FeedKey>,
    limit: u32,
) -> Result<Vec<FeedRow>, sqlx::Error> {
    let before_all = FeedKey { sort_at: Timestamp(i64::MAX), doc: DocId::from_bytes([0xff; 16]) };
    let after = after.unwrap_or(before_all);
    let read = |row: &Row| {
        let doc: Vec<u8> = row.get("doc")?;
        let account: Vec<u8> = row.get("account")?;
        Ok(FeedRow {
            key: FeedKey { sort_at: Timestamp(row.get("sort_at")?), doc: doc_id(&doc)? },
            account: account_id(&account)?,
            started_at: Timestamp(row.get("started_at")?),
            title: row.get("title")?,
            car: row.get("car")?,
            stats: row.get("stats")?,
            bbox: row.get("bbox")?,
            line: row.get("line")?,
            handle: row.get("handle")?,
            display_name: row.get("display_name")?,
        })
    };
    sql::query(AssertSqlSafe(PAGE.as_str()))
        .bind(after.sort_at.as_millis())
        .bind(after.doc.as_bytes().as_slice())
        .bind(i64::from(limit))
        .rows(reader, read)
        .await
}
