//! What is removed of an erased document, and the table `erasure_due`: the rest of large ones. `[X3]`

use tourismo_core::admission::{DocumentState, Usage};
use tourismo_core::id::{AccountId, DocId};

use super::sql::{self, Connection, SqlRow};
use super::{account_in, column, concatenated, doc_in, position};

/// The number of entries that are removed in one transaction, so that pushes do not wait for it.
pub(crate) const REMOVED_AT_ONCE: u32 = 1_000;

/// An erased document of which entries are left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ErasureDue {
    pub(crate) account: AccountId,
    pub(crate) doc: DocId,
    /// The position of the erasure.
    pub(crate) seq: u64,
}

/// Returns the number of stored changes of a document, and their bytes as they were received.
pub(crate) async fn usage(connection: &mut Connection, account: AccountId, doc: DocId) -> Result<Usage, sqlx::Error> {
    let sql = r#"
        SELECT COUNT(*), CAST(COALESCE(SUM(bytes), 0) AS BIGINT) FROM (
            SELECT LENGTH(chunk) AS bytes FROM change WHERE account = $1 AND doc = $2
            UNION ALL SELECT bytes FROM covered_change WHERE account = $1 AND doc = $2
        ) entry
    "#;
    let (changes, bytes): (i64, i64) = sql::query(sql).bind(account).bind(doc).fetch_one(connection).await?;
    Ok(Usage { changes: position("changes", changes)?, documents: 0, bytes: position("bytes", bytes)? })
}

/// Makes a document an erased one, which has its erasure as its only entry, and removes the snapshots and the actors.
pub(crate) async fn mark(writer: &mut Connection, doc: DocId, state: &DocumentState) -> Result<(), sqlx::Error> {
    let (account, kind, heads) = (state.owner, i64::from(state.kind.number()), concatenated(&state.heads));
    let sql = r#"
        INSERT INTO document (account, doc, kind, heads, loose, is_unfit, is_erased) VALUES ($1, $2, $3, $4, 1, 1, 1)
        ON CONFLICT (account, doc) DO UPDATE SET
            heads = excluded.heads, loose = 1, covered = 0, is_unfit = 1, is_erased = 1, quarantined = NULL,
            good_through = NULL
    "#;
    sql::query(sql).bind(account).bind(doc).bind(kind).bind(heads).execute(&mut *writer).await?;
    for sql in [
        "DELETE FROM snapshot WHERE account = $1 AND doc = $2",
        "DELETE FROM actor WHERE account = $1 AND doc = $2",
        "DELETE FROM due_document WHERE account = $1 AND doc = $2",
        "DELETE FROM not_shown WHERE account = $1 AND doc = $2",
    ] {
        sql::query(sql).bind(account).bind(doc).execute(&mut *writer).await?;
    }
    Ok(())
}

/// Removes some entries of an erased document from the log; returns whether any may be left.
pub(crate) async fn remove_entries(writer: &mut Connection, due: ErasureDue) -> Result<bool, sqlx::Error> {
    let ErasureDue { account, doc, seq } = due;
    let mut removed = 0;
    for (newest, delete) in [
        (
            r#"
            SELECT MAX(seq) FROM (
                SELECT seq FROM change WHERE account = $1 AND doc = $2 AND seq < $3 ORDER BY seq LIMIT $4
            ) oldest
            "#,
            "DELETE FROM change WHERE account = $1 AND doc = $2 AND seq < $3 AND seq <= $4",
        ),
        (
            r#"
            SELECT MAX(seq) FROM (
                SELECT seq FROM covered_change WHERE account = $1 AND doc = $2 AND seq < $3 ORDER BY seq LIMIT $4
            ) oldest
            "#,
            "DELETE FROM covered_change WHERE account = $1 AND doc = $2 AND seq < $3 AND seq <= $4",
        ),
    ] {
        let room = i64::from(REMOVED_AT_ONCE) - column(removed);
        let query = sql::query_scalar(newest).bind(account).bind(doc).bind(column(seq)).bind(room);
        let newest: Option<i64> = query.fetch_one(&mut *writer).await?;
        if let Some(newest) = newest.filter(|_| room > 0) {
            let query = sql::query(delete).bind(account).bind(doc).bind(column(seq)).bind(newest);
            removed += query.execute(&mut *writer).await?;
        }
    }
    count_erased(writer, account, removed).await?;
    Ok(removed >= u64::from(REMOVED_AT_ONCE))
}

/// Counts positions of the log that have no entry any more.
pub(crate) async fn count_erased(writer: &mut Connection, account: AccountId, count: u64) -> Result<(), sqlx::Error> {
    let sql = "UPDATE account SET erased = erased + $2 WHERE account = $1";
    sql::query(sql).bind(account).bind(column(count)).execute(writer).await.map(drop)
}

/// Stores that entries of an erased document are left.
pub(crate) async fn note_due(writer: &mut Connection, due: ErasureDue) -> Result<(), sqlx::Error> {
    let sql = r#"
        INSERT INTO erasure_due (account, doc, seq) VALUES ($1, $2, $3) ON CONFLICT (account, doc) DO NOTHING
    "#;
    sql::query(sql).bind(due.account).bind(due.doc).bind(column(due.seq)).execute(writer).await.map(drop)
}

/// Stores that no entry of an erased document is left.
pub(crate) async fn settle(writer: &mut Connection, due: ErasureDue) -> Result<(), sqlx::Error> {
    let sql = "DELETE FROM erasure_due WHERE account = $1 AND doc = $2";
    sql::query(sql).bind(due.account).bind(due.doc).execute(writer).await.map(drop)
}

/// Returns an erased document of which entries are left.
pub(crate) async fn next_due(reader: &mut Connection) -> Result<Option<ErasureDue>, sqlx::Error> {
    let read = |row: &SqlRow| {
        let (account, doc) = (account_in(row, "account")?, doc_in(row, "doc")?);
        Ok(ErasureDue { account, doc, seq: position("seq", row.get("seq")?)? })
    };
    let sql = "SELECT account, doc, seq FROM erasure_due ORDER BY account, doc LIMIT 1";
    Ok(sql::query(sql).rows(reader, read).await?.pop())
}
