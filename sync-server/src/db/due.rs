//! The table `due_document`: documents whose rows are older than their log, because deriving them takes too long for
//! the transaction that stores a change.

use sqlx::AssertSqlSafe;
use tourismo_core::id::{AccountId, DocId};
use tourismo_core::wire::DocKind;

use super::sql::{self, Bulk, Connection, SqlRow};
use super::{account_in, column, decisions, doc_in, position};

/// A document whose rows must be derived, as it was when it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DueDocument {
    pub(crate) account: AccountId,
    pub(crate) doc: DocId,
    /// The position of its newest change.
    pub(crate) seq: u64,
}

/// Stores that documents are due, each with the position of its newest change.
pub(crate) async fn note(writer: &mut Connection, due: &[DueDocument]) -> Result<(), sqlx::Error> {
    let mut bulk = Bulk::new(
        "INSERT INTO due_document (account, doc, seq) VALUES ",
        "ON CONFLICT (account, doc) DO UPDATE SET seq = excluded.seq",
    );
    for DueDocument { account, doc, seq } in due {
        bulk.row([(*account).into(), (*doc).into(), column(*seq).into()]);
    }
    bulk.execute(writer).await.map(drop)
}

/// Stores that a document is due up to its newest change; returns whether it exists.
pub(crate) async fn note_newest(writer: &mut Connection, account: AccountId, doc: DocId) -> Result<bool, sqlx::Error> {
    let sql = r#"
        INSERT INTO due_document (account, doc, seq)
        SELECT newest.account, newest.doc, newest.seq FROM (
            SELECT account, doc, seq FROM change WHERE account = $1 AND doc = $2
            UNION ALL SELECT account, doc, seq FROM snapshot WHERE account = $1 AND doc = $2 AND state > 0
        ) newest
        ORDER BY newest.seq DESC LIMIT 1
        ON CONFLICT (account, doc) DO UPDATE SET seq = excluded.seq
    "#;
    Ok(sql::query(sql).bind(account).bind(doc).execute(writer).await? > 0)
}

/// Stores that all documents of an account are due from which something is derived that others may see; returns their
/// number.
pub(crate) async fn note_public(writer: &mut Connection, account: AccountId) -> Result<u64, sqlx::Error> {
    let kinds = DocKind::ALL.into_iter().filter(|kind| decisions::is_public(*kind));
    let kinds = kinds.map(|kind| kind.number().to_string()).collect::<Vec<_>>().join(", ");
    let of = |table: &str| {
        format!(
            r#"
            SELECT {table}.account, {table}.doc, {table}.seq FROM {table}
            JOIN document ON document.account = {table}.account AND document.doc = {table}.doc
            WHERE {table}.account = $1 AND document.kind IN ({kinds})
            "#
        )
    };
    let sql = format!(
        r#"
        INSERT INTO due_document (account, doc, seq)
        SELECT newest.account, newest.doc, MAX(newest.seq)
        FROM ({} UNION ALL {} AND snapshot.state > 0) newest
        GROUP BY newest.account, newest.doc
        ON CONFLICT (account, doc) DO UPDATE SET seq = excluded.seq
        "#,
        of("change"),
        of("snapshot")
    );
    sql::query(AssertSqlSafe(sql)).bind(account).execute(writer).await
}

/// Returns the position up to which the rows of a document must be derived, if it is due.
pub(crate) async fn find(
    connection: &mut Connection,
    account: AccountId,
    doc: DocId,
) -> Result<Option<u64>, sqlx::Error> {
    let sql = "SELECT seq FROM due_document WHERE account = $1 AND doc = $2";
    let row = sql::query(sql).bind(account).bind(doc).row(connection).await?;
    row.map(|row| position("seq", row.get("seq")?)).transpose()
}

/// Removes a document whose rows are derived.
pub(crate) async fn remove(writer: &mut Connection, account: AccountId, doc: DocId) -> Result<(), sqlx::Error> {
    let sql = "DELETE FROM due_document WHERE account = $1 AND doc = $2";
    sql::query(sql).bind(account).bind(doc).execute(writer).await.map(drop)
}

/// Returns up to `limit` due documents of the first account after another that has any, ascending.
pub(crate) async fn of_account_after(
    reader: &mut Connection,
    after: Option<AccountId>,
    limit: u32,
) -> Result<Vec<DueDocument>, sqlx::Error> {
    let sql = r#"
        SELECT account, doc, seq FROM due_document
        WHERE account = (
            SELECT next.account FROM due_document next WHERE next.account > $1 ORDER BY next.account LIMIT 1
        )
        ORDER BY doc LIMIT $2
    "#;
    let read = |row: &SqlRow| {
        let (account, doc) = (account_in(row, "account")?, doc_in(row, "doc")?);
        Ok(DueDocument { account, doc, seq: position("seq", row.get("seq")?)? })
    };
    let after = after.map_or(Vec::new(), |account| account.as_bytes().to_vec());
    sql::query(sql).bind(after).bind(i64::from(limit)).rows(reader, read).await
}

/// Returns the number of due documents, at most `most`.
pub(crate) async fn count(reader: &mut Connection, most: u32) -> Result<u64, sqlx::Error> {
    let sql = "SELECT COUNT(*) FROM (SELECT 1 FROM due_document LIMIT $1) counted";
    position("count", sql::query_scalar(sql).bind(i64::from(most)).fetch_one(reader).await?)
}

/// Removes all due documents, before all rows are derived again.
pub(crate) async fn remove_all(writer: &mut Connection) -> Result<(), sqlx::Error> {
    sql::query("DELETE FROM due_document").execute(writer).await.map(drop)
}
