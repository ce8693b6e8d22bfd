//! The tables `snapshot` and `covered_change`: documents whose log has one chunk in place of many changes.
//!
//! A snapshot is written first, then read back and verified. Then it becomes part of the log, at the position of the
//! last change that it covers. The changes move from the table `change` to `covered_change`, the newest first, so that
//! no remaining change ever depends on a removed one.

use std::collections::{BTreeMap, BTreeSet};

use tourismo_core::id::{AccountId, ChangeHash, DocId};
use tourismo_core::time::Timestamp;

use super::sql::{self, Connection};
use super::{account_id, column, concatenated, doc_id, hash, hashes, position};

/// A document whose snapshot is to be made or finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SnapshotTarget {
    pub(crate) account: AccountId,
    pub(crate) doc: DocId,
}

/// The input of a snapshot, as it is at one moment.
#[derive(Debug)]
pub(crate) struct SnapshotInput {
    /// The heads of the document.
    pub(crate) heads: Vec<ChangeHash>,
    /// The hashes of all its changes.
    pub(crate) names: BTreeSet<ChangeHash>,
    /// The last snapshot, and the changes since.
    pub(crate) chunks: Vec<Vec<u8>>,
    /// The number of changes since the last snapshot.
    pub(crate) loose: u64,
    /// The position of the newest change.
    pub(crate) seq: u64,
    pub(crate) first_at: Timestamp,
    pub(crate) last_at: Timestamp,
}

/// A stored snapshot.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    pub(crate) subject: SnapshotTarget,
    pub(crate) seq: u64,
    pub(crate) heads: Vec<ChangeHash>,
    pub(crate) changes: u64,
    pub(crate) first_at: Timestamp,
    pub(crate) last_at: Timestamp,
    pub(crate) chunk: Vec<u8>,
}

/// The state of a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SnapshotState {
    /// It is written, and nothing depends on it.
    Written,
    /// It is part of the log; some changes that it covers may be, too.
    InForce,
}

/// Returns up to `count` documents after this one for which a snapshot is due; the condition is that of the index
/// `document_due`.
pub(crate) async fn due(
    reader: &mut Connection,
    after: Option<SnapshotTarget>,
    count: u32,
) -> Result<Vec<SnapshotTarget>, sqlx::Error> {
    let sql = r#"
        SELECT account, doc FROM document
        WHERE is_unfit = 0 AND loose >= 4 AND 2 * loose >= covered AND (account, doc) > ($1, $2)
        ORDER BY account, doc LIMIT $3
    "#;
    let rows: Vec<(Vec<u8>, Vec<u8>)> = sql::query(sql)
        .bind(after.map_or(Vec::new(), |subject| subject.account.as_bytes().to_vec()))
        .bind(after.map_or(Vec::new(), |subject| subject.doc.as_bytes().to_vec()))
        .bind(i64::from(count))
        .fetch_all(reader)
        .await?;
    rows.iter().map(|(account, doc)| Ok(SnapshotTarget { account: account_id(account)?, doc: doc_id(doc)? })).collect()
}

/// Returns an unfinished snapshot.
pub(crate) async fn unfinished(
    reader: &mut Connection,
) -> Result<Option<(SnapshotTarget, u64, SnapshotState)>, sqlx::Error> {
    let sql = "SELECT account, doc, seq, state FROM snapshot WHERE state < 2 ORDER BY account, doc, seq LIMIT 1";
    let row: Option<(Vec<u8>, Vec<u8>, i64, i64)> = sql::query(sql).fetch_optional(reader).await?;
    let read = |(account, doc, seq, state): (Vec<u8>, Vec<u8>, i64, i64)| {
        let state = if state == 0 { SnapshotState::Written } else { SnapshotState::InForce };
        Ok((SnapshotTarget { account: account_id(&account)?, doc: doc_id(&doc)? }, position("seq", seq)?, state))
    };
    row.map(read).transpose()
}

/// Returns the input of a document's snapshot; `None` if its chunks exceed `max_bytes`. All of it must be read in one
/// transaction.
pub(crate) async fn snapshot_input(
    reader: &mut Connection,
    SnapshotTarget { account, doc }: SnapshotTarget,
    max_bytes: u64,
) -> Result<Option<SnapshotInput>, sqlx::Error> {
    let sql = r#"
        SELECT COUNT(*), CAST(SUM(LENGTH(chunk)) AS BIGINT), MAX(seq), MIN(received_at), MAX(received_at)
        FROM change WHERE account = $1 AND doc = $2
    "#;
    type Row = (i64, Option<i64>, Option<i64>, Option<i64>, Option<i64>);
    let (loose, bytes, seq, first_at, last_at): Row = sql::query(sql)
        .bind(account.as_bytes().as_slice())
        .bind(doc.as_bytes().as_slice())
        .fetch_one(&mut *reader)
        .await?;
    if bytes.unwrap_or(0).unsigned_abs() > max_bytes {
        return Ok(None);
    }
    let before = find(reader, account, doc).await?;
    let first_at = before.as_ref().map(|before| before.first_at).or(first_at.map(Timestamp)).unwrap_or(Timestamp(0));
    let mut chunks: Vec<Vec<u8>> = before.into_iter().map(|before| before.chunk).collect();
    let mut rows: Vec<Vec<u8>> =
        sql::query_scalar("SELECT chunk FROM change WHERE account = $1 AND doc = $2 ORDER BY seq")
            .bind(account.as_bytes().as_slice())
            .bind(doc.as_bytes().as_slice())
            .fetch_all(&mut *reader)
            .await?;
    chunks.append(&mut rows);
    let seq = position("seq", seq.unwrap_or(0))?;
    let names = names(reader, account, doc, seq).await?;
    let heads: Vec<u8> = sql::query_scalar("SELECT heads FROM document WHERE account = $1 AND doc = $2")
        .bind(account.as_bytes().as_slice())
        .bind(doc.as_bytes().as_slice())
        .fetch_one(reader)
        .await?;
    let (heads, last_at) = (hashes("heads", &heads)?, Timestamp(last_at.unwrap_or(0)));
    Ok(Some(SnapshotInput { heads, names, chunks, loose: loose.unsigned_abs(), seq, first_at, last_at }))
}

/// Returns the hashes of a document's changes up to a position.
pub(crate) async fn names(
    reader: &mut Connection,
    account: AccountId,
    doc: DocId,
    seq: u64,
) -> Result<BTreeSet<ChangeHash>, sqlx::Error> {
    let sql = r#"
        SELECT hash FROM change WHERE account = $1 AND doc = $2 AND seq <= $3
        UNION ALL SELECT hash FROM covered_change WHERE account = $1 AND doc = $2
    "#;
    let rows: Vec<Vec<u8>> = sql::query_scalar(sql)
        .bind(account.as_bytes().as_slice())
        .bind(doc.as_bytes().as_slice())
        .bind(column(seq))
        .fetch_all(reader)
        .await?;
    rows.iter().map(|name| hash(name)).collect()
}

const COLUMNS: &str = "SELECT seq, heads, changes, first_at, last_at, chunk FROM snapshot ";

type SnapshotRow = (i64, Vec<u8>, i64, i64, i64, Vec<u8>);

fn snapshot(
    subject: SnapshotTarget,
    (seq, heads, changes, first_at, last_at, chunk): SnapshotRow,
) -> Result<Snapshot, sqlx::Error> {
    Ok(Snapshot {
        subject,
        seq: position("seq", seq)?,
        heads: hashes("heads", &heads)?,
        changes: position("changes", changes)?,
        first_at: Timestamp(first_at),
        last_at: Timestamp(last_at),
        chunk,
    })
}

/// Returns the snapshot of a document that is part of the log, if there is one.
pub(crate) async fn find(
    reader: &mut Connection,
    account: AccountId,
    doc: DocId,
) -> Result<Option<Snapshot>, sqlx::Error> {
    let sql = [COLUMNS, "WHERE account = $1 AND doc = $2 AND state > 0 ORDER BY seq DESC LIMIT 1"].concat();
    let row: Option<SnapshotRow> = sql::query(sqlx::AssertSqlSafe(sql))
        .bind(account.as_bytes().as_slice())
        .bind(doc.as_bytes().as_slice())
        .fetch_optional(reader)
        .await?;
    row.map(|row| snapshot(SnapshotTarget { account, doc }, row)).transpose()
}

/// Returns a snapshot in any state.
pub(crate) async fn at(
    reader: &mut Connection,
    subject: SnapshotTarget,
    seq: u64,
) -> Result<Option<Snapshot>, sqlx::Error> {
    let sql = [COLUMNS, "WHERE account = $1 AND doc = $2 AND seq = $3"].concat();
    let row: Option<SnapshotRow> = sql::query(sqlx::AssertSqlSafe(sql))
        .bind(subject.account.as_bytes().as_slice())
        .bind(subject.doc.as_bytes().as_slice())
        .bind(column(seq))
        .fetch_optional(reader)
        .await?;
    row.map(|row| snapshot(subject, row)).transpose()
}

/// Inserts a snapshot that is not part of the log.
pub(crate) async fn insert(writer: &mut Connection, snapshot: &Snapshot) -> Result<(), sqlx::Error> {
    let sql = r#"
        INSERT INTO snapshot (account, doc, seq, state, heads, changes, first_at, last_at, chunk)
        VALUES ($1, $2, $3, 0, $4, $5, $6, $7, $8)
    "#;
    sql::query(sql)
        .bind(snapshot.subject.account.as_bytes().as_slice())
        .bind(snapshot.subject.doc.as_bytes().as_slice())
        .bind(column(snapshot.seq))
        .bind(concatenated(&snapshot.heads))
        .bind(column(snapshot.changes))
        .bind(snapshot.first_at.as_millis())
        .bind(snapshot.last_at.as_millis())
        .bind(snapshot.chunk.as_slice())
        .execute(writer)
        .await?;
    Ok(())
}

/// Makes a snapshot part of the log, in place of the one before.
pub(crate) async fn enforce(writer: &mut Connection, subject: SnapshotTarget, seq: u64) -> Result<(), sqlx::Error> {
    for sql in [
        "UPDATE snapshot SET state = 1 WHERE account = $1 AND doc = $2 AND seq = $3",
        "DELETE FROM snapshot WHERE account = $1 AND doc = $2 AND seq < $3",
    ] {
        sql::query(sql)
            .bind(subject.account.as_bytes().as_slice())
            .bind(subject.doc.as_bytes().as_slice())
            .bind(column(seq))
            .execute(&mut *writer)
            .await?;
    }
    Ok(())
}

/// Removes up to `count` covered changes from the log, the newest first; returns whether any are left.
pub(crate) async fn sweep(
    writer: &mut Connection,
    subject: SnapshotTarget,
    seq: u64,
    count: u32,
) -> Result<bool, sqlx::Error> {
    let oldest = r#"
        SELECT MIN(seq) FROM (
            SELECT seq FROM change WHERE account = $1 AND doc = $2 AND seq <= $3 ORDER BY seq DESC LIMIT $4
        ) newest
    "#;
    let oldest: Option<i64> = sql::query_scalar(oldest)
        .bind(subject.account.as_bytes().as_slice())
        .bind(subject.doc.as_bytes().as_slice())
        .bind(column(seq))
        .bind(i64::from(count))
        .fetch_one(&mut *writer)
        .await?;
    let mut moved = 0;
    if let Some(oldest) = oldest {
        for sql in [
            r#"
                INSERT INTO covered_change (account, doc, hash, seq, max_op, bytes, received_at)
                SELECT account, doc, hash, seq, max_op, LENGTH(chunk), received_at FROM change
                WHERE account = $1 AND doc = $2 AND seq <= $3 AND seq >= $4
            "#,
            "DELETE FROM change WHERE account = $1 AND doc = $2 AND seq <= $3 AND seq >= $4",
        ] {
            let done = sql::query(sql)
                .bind(subject.account.as_bytes().as_slice())
                .bind(subject.doc.as_bytes().as_slice())
                .bind(column(seq))
                .bind(oldest)
                .execute(&mut *writer)
                .await?;
            moved = done;
        }
        sql::query("UPDATE document SET loose = loose - $3, covered = covered + $3 WHERE account = $1 AND doc = $2")
            .bind(subject.account.as_bytes().as_slice())
            .bind(subject.doc.as_bytes().as_slice())
            .bind(column(moved))
            .execute(&mut *writer)
            .await?;
    }
    let is_rest = moved == u64::from(count);
    if !is_rest {
        sql::query("UPDATE snapshot SET state = 2 WHERE account = $1 AND doc = $2 AND seq = $3")
            .bind(subject.account.as_bytes().as_slice())
            .bind(subject.doc.as_bytes().as_slice())
            .bind(column(seq))
            .execute(writer)
            .await?;
    }
    Ok(is_rest)
}

/// Deletes a snapshot that is not part of the log, and marks the document: no further snapshot is made of it.
pub(crate) async fn give_up(writer: &mut Connection, subject: SnapshotTarget) -> Result<(), sqlx::Error> {
    for sql in [
        "DELETE FROM snapshot WHERE account = $1 AND doc = $2 AND state = 0",
        "UPDATE document SET is_unfit = 1 WHERE account = $1 AND doc = $2",
    ] {
        sql::query(sql)
            .bind(subject.account.as_bytes().as_slice())
            .bind(subject.doc.as_bytes().as_slice())
            .execute(&mut *writer)
            .await?;
    }
    Ok(())
}

/// A change whose bytes are in the snapshot of its document.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CoveredChanges {
    pub(crate) doc: DocId,
    pub(crate) hash: ChangeHash,
    pub(crate) max_op: u64,
    /// The length of its chunk as received.
    pub(crate) bytes: u64,
}

/// Returns all covered changes of an account, by position.
pub(crate) async fn covered(
    reader: &mut Connection,
    account: AccountId,
) -> Result<BTreeMap<u64, CoveredChanges>, sqlx::Error> {
    type Row = (i64, Vec<u8>, Vec<u8>, i64, i64);
    let rows: Vec<Row> = sql::query("SELECT seq, doc, hash, max_op, bytes FROM covered_change WHERE account = $1")
        .bind(account.as_bytes().as_slice())
        .fetch_all(reader)
        .await?;
    let read = |(seq, doc, name, max_op, bytes): Row| {
        let (max_op, bytes) = (position("max_op", max_op)?, position("bytes", bytes)?);
        let covered = CoveredChanges { doc: doc_id(&doc)?, hash: hash(&name)?, max_op, bytes };
        Ok((position("seq", seq)?, covered))
    };
    rows.into_iter().map(read).collect()
}
