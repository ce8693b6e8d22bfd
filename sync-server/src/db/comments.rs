//! The table `comment`: comments on published drives.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use sqlx::AssertSqlSafe;
use tourismo_core::docs::social::Comment;
use tourismo_core::id::{AccountId, DocId};
use tourismo_core::time::Timestamp;

use super::feed::Author;
use super::follows::{difference, is_comment_visible};
use super::hidden_comments::is_hidden;
use super::position;
use super::sql::{self, Columns, Connection, Insert, SqlRow, columns};

/// A comment in a list.
#[derive(Clone, Debug)]
pub(crate) struct CommentRow {
    pub(crate) id: DocId,
    pub(crate) account: AccountId,
    pub(crate) at: Timestamp,
    pub(crate) text: String,
    /// Whether the owner of the drive removed it.
    pub(crate) is_hidden: bool,
    pub(crate) author: Author,
}

columns!(Comment { drive, at, text });
columns!(CommentRow { id: "comment", account, at, text } author = Author::read, is_hidden = |row| row.field("is_hidden"));

static REPLACE: LazyLock<Insert> = LazyLock::new(|| {
    let columns = [vec!["account", "doc", "comment"], Comment::list()].concat();
    Insert::or_replace("comment", &columns, 3)
});

/// Returns the stored comments of a document, ascending by id.
pub(crate) async fn stored(
    reader: &mut Connection,
    account: AccountId,
    doc: DocId,
) -> Result<Vec<(DocId, Comment)>, sqlx::Error> {
    let columns = Comment::of("comment");
    let sql = format!("SELECT comment, {columns} FROM comment WHERE account = $1 AND doc = $2 ORDER BY comment");
    sql::query(AssertSqlSafe(sql)).bind(account).bind(doc).rows(reader, comment).await
}

fn comment(row: &SqlRow) -> Result<(DocId, Comment), sqlx::Error> {
    Ok((row.field("comment")?, Comment::from_row(row)?))
}

/// Returns the stored comments of a document with these ids, ascending.
pub(crate) async fn stored_with_ids(
    reader: &mut Connection,
    account: AccountId,
    doc: DocId,
    ids: &[DocId],
) -> Result<Vec<(DocId, Comment)>, sqlx::Error> {
    let columns = Comment::of("comment");
    let sql = format!("SELECT comment, {columns} FROM comment WHERE account = $1 AND doc = $2 AND comment IN ");
    let mut stored = sql::rows_of_each(reader, &sql, &[*account.as_bytes(), *doc.as_bytes()], ids, comment).await?;
    stored.sort_by_key(|(id, _)| *id);
    Ok(stored)
}

/// Replaces the stored rows of a document by the derived set (diff).
pub(crate) async fn replace(
    writer: &mut Connection,
    account: AccountId,
    doc: DocId,
    stored: &[(DocId, Comment)],
    derived: &[(DocId, Comment)],
) -> Result<(), sqlx::Error> {
    let set = |said: &[(DocId, Comment)]| said.iter().cloned().collect::<BTreeMap<_, _>>();
    let (gone, said) = difference(&set(stored), &set(derived));
    let sql = "DELETE FROM comment WHERE account = $1 AND doc = $2 AND comment IN ";
    sql::delete_each(writer, sql, &[*account.as_bytes(), *doc.as_bytes()], &gone).await?;
    let mut bulk = REPLACE.rows();
    for (id, comment) in said {
        bulk.row([account.into(), doc.into(), id.into()].into_iter().chain(comment.values()));
    }
    bulk.execute(writer).await.map(drop)
}

/// A position in a list of comments.
pub(crate) type CommentKey = (Timestamp, DocId);

/// Returns up to `limit` comments on a drive after a position, the latest first, without those of accounts that its
/// owner or the viewer blocks. Those that its owner removed are for the owner only, who can show them again.
pub(crate) async fn list(
    reader: &mut Connection,
    drive: DocId,
    owner: AccountId,
    viewer: Option<AccountId>,
    after: CommentKey,
    limit: u32,
) -> Result<Vec<CommentRow>, sqlx::Error> {
    let sql = format!(
        r#"
        SELECT {}, {}, CAST(CASE WHEN {} THEN 1 ELSE 0 END AS BIGINT) AS is_hidden
        FROM comment LEFT JOIN profile ON profile.account = comment.account
        WHERE comment.drive = $1 AND (comment.at, comment.comment) < ($4, $5) AND {} AND ($2 = $3 OR NOT {})
        ORDER BY comment.at DESC, comment.comment DESC LIMIT $6
        "#,
        CommentRow::of("comment"),
        Author::COLUMNS,
        is_hidden("$2"),
        is_comment_visible("comment.account", 2, 3),
        is_hidden("$2")
    );
    sql::query(AssertSqlSafe(sql))
        .bind(drive)
        .bind(owner)
        .bind(viewer)
        .bind(after.0)
        .bind(after.1)
        .bind(i64::from(limit))
        .rows(reader, CommentRow::from_row)
        .await
}

/// Returns the number of rows.
pub(crate) async fn count(reader: &mut Connection) -> Result<u64, sqlx::Error> {
    position("count", sql::query_scalar("SELECT COUNT(*) FROM comment").fetch_one(reader).await?)
}

/// Removes all rows, so that they can be derived again.
pub(crate) async fn remove_all(writer: &mut Connection) -> Result<(), sqlx::Error> {
    sql::query("DELETE FROM comment").execute(writer).await.map(drop)
}
