//! The tables `unbound_id` and `not_shown`: ids that are not bound to an account but may show something, and documents
//! that are shown to nobody because of their ids. `[B3]`

use tourismo_core::id::{AccountId, DocId};
use tourismo_core::wire::DocKind;

use super::documents::kind_of;
use super::sql::{self, Connection, SqlRow};
use super::{doc_in, position};

/// Returns whether an account may show something under an id by which others find it. The id must be bound to the
/// account; or be older than bound ids, if this account had it then or has the drive from which it was computed.
pub(crate) async fn may_show(reader: &mut Connection, account: AccountId, id: DocId) -> Result<bool, sqlx::Error> {
    if id.is_bound_to(&account) {
        return Ok(true);
    }
    let sql = "SELECT 1 FROM unbound_id WHERE doc = $1 AND account = $2";
    Ok(sql::query(sql).bind(id).bind(account).row(reader).await?.is_some())
}

/// Allows an account to show a document under the id that an app older than bound ids gave to the copy of one of its
/// drives; returns whether that is new. An id that another account had then stays with that account.
pub(crate) async fn allow_copy(writer: &mut Connection, account: AccountId, copy: DocId) -> Result<bool, sqlx::Error> {
    let sql = "INSERT INTO unbound_id (doc, account) VALUES ($1, $2) ON CONFLICT (doc) DO NOTHING";
    Ok(sql::query(sql).bind(copy).bind(account).execute(writer).await? > 0)
}

/// Stores whether a document is hidden because of its id.
pub(crate) async fn note(
    writer: &mut Connection,
    account: AccountId,
    doc: DocId,
    kind: DocKind,
    is_not_shown: bool,
) -> Result<(), sqlx::Error> {
    if is_not_shown {
        let sql = r#"
            INSERT INTO not_shown (account, doc, kind) VALUES ($1, $2, $3) ON CONFLICT (account, doc) DO NOTHING
        "#;
        return sql::query(sql).bind(account).bind(doc).bind(i64::from(kind.number())).execute(writer).await.map(drop);
    }
    if doc.is_bound_to(&account) {
        return Ok(());
    }
    let sql = "DELETE FROM not_shown WHERE account = $1 AND doc = $2";
    sql::query(sql).bind(account).bind(doc).execute(writer).await.map(drop)
}

/// Returns whether a document is hidden because of its id.
pub(crate) async fn is_noted(reader: &mut Connection, account: AccountId, doc: DocId) -> Result<bool, sqlx::Error> {
    let sql = "SELECT 1 FROM not_shown WHERE account = $1 AND doc = $2";
    Ok(sql::query(sql).bind(account).bind(doc).row(reader).await?.is_some())
}

/// Returns the documents of an account that are hidden because of their ids.
pub(crate) async fn not_shown(
    reader: &mut Connection,
    account: AccountId,
) -> Result<Vec<(DocId, DocKind)>, sqlx::Error> {
    let read = |row: &SqlRow| Ok((doc_in(row, "doc")?, kind_of(row.get("kind")?)?));
    let sql = "SELECT doc, kind FROM not_shown WHERE account = $1 ORDER BY doc";
    sql::query(sql).bind(account).rows(reader, read).await
}

/// Returns the number of documents that are hidden because of their ids.
pub(crate) async fn count(reader: &mut Connection) -> Result<u64, sqlx::Error> {
    position("count", sql::query_scalar("SELECT COUNT(*) FROM not_shown").fetch_one(reader).await?)
}

/// Removes all rows of `not_shown`, so that they can be derived again.
pub(crate) async fn remove_all(writer: &mut Connection) -> Result<(), sqlx::Error> {
    sql::query("DELETE FROM not_shown").execute(writer).await.map(drop)
}
