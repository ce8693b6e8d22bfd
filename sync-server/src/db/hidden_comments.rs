//! The table `hidden_comment`: comments that owners of drives removed from them.

use std::collections::BTreeSet;

use tourismo_core::docs::social::HiddenComment;
use tourismo_core::id::{AccountId, DocId};

use super::sql::{self, Bulk, Connection};
use super::{account_in, doc_in, position};

/// Returns the stored removals of a document, ascending.
pub(crate) async fn stored(
    reader: &mut Connection,
    account: AccountId,
    doc: DocId,
) -> Result<Vec<HiddenComment>, sqlx::Error> {
    let sql = "SELECT drive, author, comment FROM hidden_comment WHERE account = $1 AND doc = $2 ORDER BY drive, author, comment";
    let query = sql::query(sql).bind(account).bind(doc);
    query
        .rows(reader, |row| {
            let (drive, account, comment) =
                (doc_in(row, "drive")?, account_in(row, "author")?, doc_in(row, "comment")?);
            Ok(HiddenComment { drive, account, comment })
        })
        .await
}

/// Replaces the stored removals of a document by the derived ones (diff).
pub(crate) async fn replace(
    writer: &mut Connection,
    account: AccountId,
    doc: DocId,
    stored: &[HiddenComment],
    derived: &[HiddenComment],
) -> Result<(), sqlx::Error> {
    let (before, now): (BTreeSet<_>, BTreeSet<_>) = (stored.iter().collect(), derived.iter().collect());
    for hidden in before.difference(&now) {
        let sql = "DELETE FROM hidden_comment WHERE account = $1 AND drive = $2 AND author = $3 AND comment = $4";
        let query = sql::query(sql).bind(account).bind(hidden.drive).bind(hidden.account).bind(hidden.comment);
        query.execute(writer).await?;
    }
    let mut bulk = Bulk::new(
        "INSERT INTO hidden_comment (account, doc, drive, author, comment) VALUES ",
        "ON CONFLICT (account, drive, author, comment) DO NOTHING",
    );
    for hidden in now.difference(&before) {
        let HiddenComment { drive, account: author, comment } = **hidden;
        bulk.row([account.into(), doc.into(), drive.into(), author.into(), comment.into()]);
    }
    bulk.execute(writer).await.map(drop)
}

/// Returns the condition that the owner of a drive, an expression of SQL, removed the comment of the row `comment`.
pub(crate) fn is_hidden(owner: &str) -> String {
    format!(
        "EXISTS (SELECT 1 FROM hidden_comment hidden WHERE hidden.account = {owner} AND hidden.drive = comment.drive \
         AND hidden.author = comment.account AND hidden.comment = comment.comment)"
    )
}

/// Returns the number of rows.
pub(crate) async fn count(reader: &mut Connection) -> Result<u64, sqlx::Error> {
    position("count", sql::query_scalar("SELECT COUNT(*) FROM hidden_comment").fetch_one(reader).await?)
}

/// Removes all rows, so that they can be derived again.
pub(crate) async fn remove_all(writer: &mut Connection) -> Result<(), sqlx::Error> {
    sql::query("DELETE FROM hidden_comment").execute(writer).await.map(drop)
}
