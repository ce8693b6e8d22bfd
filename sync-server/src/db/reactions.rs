//! The table `reaction`: reactions to published drives.

use std::collections::BTreeMap;

use sqlx::AssertSqlSafe;
use tourismo_core::docs::social::Reaction;
use tourismo_core::id::{AccountId, DocId};

use super::feed::Author;
use super::follows::{difference, is_comment_visible};
use super::sql::{self, Bulk, Connection, Numbered, SqlRow, numbers};
use super::{account_in, doc_in, position};

/// A reaction in a list.
#[derive(Clone, Debug)]
pub(crate) struct ReactionRow {
    pub(crate) account: AccountId,
    pub(crate) reaction: Reaction,
    pub(crate) author: Author,
}

numbers!(Reaction { Like = 0, Wow = 1, Road = 2, Car = 3 });

/// Returns the stored reactions of a document, ascending by drive.
pub(crate) async fn stored(
    reader: &mut Connection,
    account: AccountId,
    doc: DocId,
) -> Result<Vec<(DocId, Reaction)>, sqlx::Error> {
    sql::query("SELECT drive, kind FROM reaction WHERE account = $1 AND doc = $2 ORDER BY drive")
        .bind(account)
        .bind(doc)
        .rows(reader, |row| Ok((doc_in(row, "drive")?, row.field("kind")?)))
        .await
}

/// Returns the stored reactions of a document to some drives, ascending.
pub(crate) async fn stored_about(
    reader: &mut Connection,
    account: AccountId,
    doc: DocId,
    drives: &[DocId],
) -> Result<Vec<(DocId, Reaction)>, sqlx::Error> {
    let sql = "SELECT drive, kind FROM reaction WHERE account = $1 AND doc = $2 AND drive IN ";
    let read = |row: &SqlRow| Ok((doc_in(row, "drive")?, row.field("kind")?));
    let mut stored = sql::rows_of_each(reader, sql, &[*account.as_bytes(), *doc.as_bytes()], drives, read).await?;
    stored.sort();
    Ok(stored)
}

/// Replaces the stored rows of a document by the derived set (diff).
pub(crate) async fn replace(
    writer: &mut Connection,
    account: AccountId,
    doc: DocId,
    stored: &[(DocId, Reaction)],
    derived: &[(DocId, Reaction)],
) -> Result<(), sqlx::Error> {
    let set = |said: &[(DocId, Reaction)]| said.iter().copied().collect::<BTreeMap<_, _>>();
    let (gone, said) = difference(&set(stored), &set(derived));
    let sql = "DELETE FROM reaction WHERE account = $1 AND doc = $2 AND drive IN ";
    sql::delete_each(writer, sql, &[*account.as_bytes(), *doc.as_bytes()], &gone).await?;
    let mut bulk = Bulk::new(
        "INSERT INTO reaction (account, doc, drive, kind) VALUES ",
        "ON CONFLICT (account, doc, drive) DO UPDATE SET kind = excluded.kind",
    );
    for (drive, reaction) in said {
        bulk.row([account.into(), doc.into(), drive.into(), reaction.into()]);
    }
    bulk.execute(writer).await.map(drop)
}

/// A position in a list of reactions.
pub(crate) type ReactionKey = (i64, AccountId);

impl ReactionRow {
    pub(crate) fn key(&self) -> ReactionKey {
        (self.reaction.number(), self.account)
    }
}

/// Returns up to `limit` reactions to a drive after a position, by kind, without those of accounts that its owner or
/// the viewer blocks.
pub(crate) async fn list(
    reader: &mut Connection,
    drive: DocId,
    owner: AccountId,
    viewer: Option<AccountId>,
    after: ReactionKey,
    limit: u32,
) -> Result<Vec<ReactionRow>, sqlx::Error> {
    let sql = format!(
        r#"
        SELECT reaction.account, reaction.kind, {}
        FROM reaction LEFT JOIN profile ON profile.account = reaction.account
        WHERE reaction.drive = $1 AND (reaction.kind, reaction.account) > ($4, $5) AND {}
        ORDER BY reaction.kind, reaction.account LIMIT $6
        "#,
        Author::COLUMNS,
        is_comment_visible("reaction.account", 2, 3)
    );
    let read = |row: &sql::SqlRow| {
        let (account, reaction) = (account_in(row, "account")?, row.field("kind")?);
        Ok(ReactionRow { account, reaction, author: Author::read(row)? })
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

/// Returns the number of rows.
pub(crate) async fn count(reader: &mut Connection) -> Result<u64, sqlx::Error> {
    position("count", sql::query_scalar("SELECT COUNT(*) FROM reaction").fetch_one(reader).await?)
}

/// Removes all rows, so that they can be derived again.
pub(crate) async fn remove_all(writer: &mut Connection) -> Result<(), sqlx::Error> {
    sql::query("DELETE FROM reaction").execute(writer).await.map(drop)
}
