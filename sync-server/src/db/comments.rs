//! The table `comment`: what accounts say about published drives.

use std::collections::BTreeMap;

use sqlx::AssertSqlSafe;
use tourismo_core::docs::social::Comment;
use tourismo_core::id::{AccountId, DocId};
use tourismo_core::time::Timestamp;

use super::feed::Author;
use super::follows::{difference, is_heard};
use super::sql::{self, Bulk, Connection, Row};
use super::{account_in, doc_in, position, time_in};

/// A comment in a list.
#[derive(Clone, Debug)]
pub(crate) struct CommentRow {
    pub(crate) id: DocId,
    pub(crate) account: AccountId,
    pub(crate) at: Timestamp,
    pub(crate) text: String,
    pub(crate) author: Author,
}

/// What a document says, ascending by id.
pub(crate) async fn stored(
    reader: &mut Connection,
    account: AccountId,
    doc: DocId,
) -> Result<Vec<(DocId, Comment)>, sqlx::Error> {
    sql::query("SELECT comment, drive, at, text FROM comment WHERE account = $1 AND doc = $2 ORDER BY comment")
        .bind(account)
        .bind(doc)
        .rows(reader, comment)
        .await
}

fn comment(row: &Row) -> Result<(DocId, Comment), sqlx::Error> {
    let comment = Comment { drive: doc_in(row, "drive")?, at: time_in(row, "at")?, text: row.get("text")? };
    Ok((doc_in(row, "comment")?, comment))
}

/// Those of a document's comments that have these ids, ascending.
pub(crate) async fn stored_with_ids(
    reader: &mut Connection,
    account: AccountId,
    doc: DocId,
    ids: &[DocId],
) -> Result<Vec<(DocId, Comment)>, sqlx::Error> {
    let sql = "SELECT comment, drive, at, text FROM comment WHERE account = $1 AND doc = $2 AND comment IN ";
    let mut stored = sql::rows_of_each(reader, sql, &[*account.as_bytes(), *doc.as_bytes()], ids, comment).await?;
    stored.sort_by_key(|(id, _)| *id);
    Ok(stored)
}

/// Makes of what a document has said what it says.
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
    let before = "INSERT INTO comment (account, doc, comment, drive, at, text) VALUES ";
    let after = r#"
        ON CONFLICT (account, doc, comment) DO UPDATE SET drive = excluded.drive, at = excluded.at, text = excluded.text
    "#;
    let mut bulk = Bulk::new(before, after);
    for (id, comment) in said {
        let (drive, at, text) = (comment.drive, comment.at, comment.text.as_str());
        bulk.row([account.into(), doc.into(), id.into(), drive.into(), at.into(), text.into()]);
    }
    bulk.execute(writer).await.map(drop)
}

/// A place in a list of comments.
pub(crate) type CommentKey = (Timestamp, DocId);

/// Up to `limit` comments on a drive after a place, the latest first; without those of whom its owner or the viewer
/// blocks.
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
        SELECT comment.comment, comment.account, comment.at, comment.text, {}
        FROM comment LEFT JOIN profile ON profile.account = comment.account
        WHERE comment.drive = $1 AND (comment.at, comment.comment) < ($4, $5) AND {}
        ORDER BY comment.at DESC, comment.comment DESC LIMIT $6
        "#,
        Author::COLUMNS,
        is_heard("comment.account", 2, 3)
    );
    let read = |row: &Row| {
        Ok(CommentRow {
            id: doc_in(row, "comment")?,
            account: account_in(row, "account")?,
            at: time_in(row, "at")?,
            text: row.get("text")?,
            author: Author::read(row)?,
        })
    };
    sql::query(AssertSqlSafe(sql))
        .bind(drive)
        .bind(owner)
        .bind(viewer)
        .bind(after.0)
        .bind(after.1)
        .bind(i64::from(limit))
        .rows(reader, read)
        .await
}

/// How many rows there are.
pub(crate) async fn count(reader: &mut Connection) -> Result<u64, sqlx::Error> {
    position("count", sql::query_scalar("SELECT COUNT(*) FROM comment").fetch_one(reader).await?)
}

/// Removes all rows, to be derived again.
pub(crate) async fn remove_all(writer: &mut Connection) -> Result<(), sqlx::Error> {
    sql::query("DELETE FROM comment").execute(writer).await.map(drop)
}
