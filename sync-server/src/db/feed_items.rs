//! The table `feed_item`, and the home feed: what the followed accounts of an account show to their followers, newest
//! first.

use std::sync::LazyLock;

use sqlx::AssertSqlSafe;
use tourismo_core::docs::Visibility;
use tourismo_core::id::{AccountId, DocId};
use tourismo_core::time::Timestamp;
use tourismo_core::wire::DocKind;

use super::feed::{self, Author, FeedKey, FeedRow};
use super::follows::{self, not_blocked_by};
use super::meets::{self, MeetRecord};
use super::sql::{self, Columns, Connection, Insert, SqlRow, columns};
use super::{damaged, position};
use crate::domain::authorize::{Access, Audience, Viewer, authorize};

/// A drive or meet in the feeds of followers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FeedItem {
    account: AccountId,
    doc: DocId,
    sort_at: Timestamp,
    visibility: Visibility,
    kind: DocKind,
}

columns!(FeedItem { account, sort_at, doc, visibility, kind });

static INSERT: LazyLock<Insert> = LazyLock::new(|| Insert::into("feed_item", &FeedItem::list()));

/// An item of a home feed.
#[derive(Clone, Debug)]
pub(crate) enum HomeItem {
    Drive(Box<FeedRow>),
    Meet(Box<MeetRecord>, Author),
}

impl FeedItem {
    /// Returns the item of a document with this visibility; none if it is in no feed.
    pub(crate) fn new(
        account: AccountId,
        doc: DocId,
        sort_at: Timestamp,
        visibility: Visibility,
        kind: DocKind,
    ) -> Option<FeedItem> {
        match visibility {
            Visibility::Public | Visibility::Followers => Some(FeedItem { account, doc, sort_at, visibility, kind }),
            Visibility::Private | Visibility::Link => None,
        }
    }
}

impl HomeItem {
    /// Returns its position in the feed.
    pub(crate) fn key(&self) -> FeedKey {
        match self {
            HomeItem::Drive(drive) => drive.key,
            HomeItem::Meet(meet, _) => FeedKey { sort_at: meet.sort_at, doc: meet.doc },
        }
    }
}

/// Adds an item.
pub(crate) async fn insert(writer: &mut Connection, item: &FeedItem) -> Result<(), sqlx::Error> {
    let mut bulk = INSERT.rows();
    bulk.row(item.values());
    bulk.execute(writer).await.map(drop)
}

/// Removes an item, if it exists.
pub(crate) async fn remove(writer: &mut Connection, account: AccountId, doc: DocId) -> Result<(), sqlx::Error> {
    let sql = "DELETE FROM feed_item WHERE account = $1 AND doc = $2";
    sql::query(sql).bind(account).bind(doc).execute(writer).await.map(drop)
}

/// Returns the item of a document, if it has one.
pub(crate) async fn find(
    reader: &mut Connection,
    account: AccountId,
    doc: DocId,
) -> Result<Option<FeedItem>, sqlx::Error> {
    let sql = format!("SELECT {} FROM feed_item WHERE account = $1 AND doc = $2", FeedItem::of("feed_item"));
    let row = sql::query(AssertSqlSafe(sql)).bind(account).bind(doc).row(reader).await?;
    row.map(|row| FeedItem::from_row(&row)).transpose()
}

/// Returns the number of items.
pub(crate) async fn count(reader: &mut Connection) -> Result<u64, sqlx::Error> {
    position("count", sql::query_scalar("SELECT COUNT(*) FROM feed_item").fetch_one(reader).await?)
}

/// Removes all items, so that they can be derived again.
pub(crate) async fn remove_all(writer: &mut Connection) -> Result<(), sqlx::Error> {
    sql::query("DELETE FROM feed_item").execute(writer).await.map(drop)
}

/// Reads the newest item of each followed account after the position. The oldest of the newest `$4` of these limits the
/// page, so that the statement reads one item of each followed account and little more than the page, however many
/// items exist. The `LIMIT` is never reached: it keeps an SQLite with statistics from reading all items for a Bloom
/// filter.
static HOME: LazyLock<String> = LazyLock::new(|| {
    let not_blocked = not_blocked_by("follow.followee", 1);
    let (drive, author) = (FeedRow::of("drive"), Author::COLUMNS);
    let meet = MeetRecord::columns();
    format!(
        r#"
        WITH newest AS MATERIALIZED (
            SELECT followee.account, followee.sees, (
                SELECT item.sort_at FROM feed_item item
                WHERE item.account = followee.account AND item.visibility <= followee.sees
                    AND (item.sort_at, item.doc) < ($2, $3)
                ORDER BY item.sort_at DESC, item.doc DESC LIMIT 1
            ) AS sort_at
            FROM (
                SELECT follow.followee AS account, CASE
                    WHEN follow.followee IN (SELECT block.account FROM block WHERE block.blocked = $1) THEN 2
                    WHEN follow.followee IN (SELECT accept.account FROM accept WHERE accept.accepted = $1) THEN 3
                    WHEN follow.followee IN (
                        SELECT former_block.account FROM former_block WHERE former_block.other = $1
                    ) THEN 2
                    WHEN (
                        SELECT 1 FROM profile WHERE profile.account = follow.followee AND profile.by_approval = 0
                    ) IS NOT NULL THEN 3
                    ELSE 2
                END AS sees
                FROM follow WHERE follow.account = $1 AND {not_blocked}
            ) followee
        ),
        bound AS MATERIALIZED (
            SELECT COALESCE((
                SELECT newest.sort_at FROM newest WHERE newest.sort_at IS NOT NULL
                ORDER BY newest.sort_at DESC LIMIT 1 OFFSET $4 - 1
            ), 0) AS sort_at
        ),
        page AS (
            SELECT item.account, item.doc, item.sort_at, item.kind
            FROM bound
            JOIN (SELECT * FROM newest LIMIT 10000) newest ON newest.sort_at >= bound.sort_at
            JOIN feed_item item ON item.account = newest.account AND item.sort_at >= bound.sort_at
            WHERE item.visibility <= newest.sees AND (item.sort_at, item.doc) < ($2, $3)
            ORDER BY item.sort_at DESC, item.doc DESC LIMIT $4
        )
        SELECT page.kind, {author}, {drive}, {meet}
        FROM page
        LEFT JOIN published_drive drive
            ON page.kind = 5 AND drive.account = page.account AND drive.doc = page.doc
        LEFT JOIN meet ON page.kind = 7 AND meet.account = page.account AND meet.doc = page.doc
        LEFT JOIN profile ON profile.account = page.account
        ORDER BY page.sort_at DESC, page.doc DESC
        "#
    )
});

/// Returns up to `limit` items of an account's home feed after a position: public items, and items for followers if the
/// account is an accepted follower; none of accounts that it blocks.
pub(crate) async fn home(
    reader: &mut Connection,
    account: AccountId,
    after: FeedKey,
    limit: u32,
) -> Result<Vec<HomeItem>, sqlx::Error> {
    sql::query(AssertSqlSafe(HOME.as_str()))
        .bind(account)
        .bind(after.sort_at)
        .bind(after.doc)
        .bind(i64::from(limit))
        .rows(reader, read_home_item)
        .await
}

/// Returns one item of an account's home feed, by its owner and its id; nothing if the feed does not contain it.
pub(crate) async fn home_item(
    reader: &mut Connection,
    account: AccountId,
    owner: AccountId,
    doc: DocId,
) -> Result<Option<HomeItem>, sqlx::Error> {
    let Some(item) = find(reader, owner, doc).await? else { return Ok(None) };
    let relation = follows::relation(reader, account, owner).await?;
    let audience = Audience { owner, visibility: item.visibility, relation };
    let is_in = relation.follows && authorize(Viewer::Account(account), audience, Access::Listed).is_ok();
    if !is_in {
        return Ok(None);
    }
    match item.kind {
        DocKind::Meet => {
            Ok(meets::find(reader, doc).await?.map(|(meet, author)| HomeItem::Meet(Box::new(meet), author)))
        }
        DocKind::Published => Ok(feed::find(reader, owner, doc).await?.map(|row| HomeItem::Drive(Box::new(row)))),
        DocKind::Settings | DocKind::Profile | DocKind::Car | DocKind::Drive | DocKind::Track | DocKind::Social => {
            Ok(None)
        }
    }
}

fn read_home_item(row: &SqlRow) -> Result<HomeItem, sqlx::Error> {
    match row.field("kind")? {
        DocKind::Published => Ok(HomeItem::Drive(Box::new(FeedRow::from_row(row)?))),
        DocKind::Meet => Ok(HomeItem::Meet(Box::new(MeetRecord::read(row)?), Author::read(row)?)),
        DocKind::Settings | DocKind::Profile | DocKind::Car | DocKind::Drive | DocKind::Track | DocKind::Social => {
            Err(damaged("kind"))
        }
    }
}
