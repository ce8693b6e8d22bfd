//! The logs of all accounts: the table `change`, whose entries are appended and never changed, and snapshots in place
//! of the changes that they cover.

use sqlx::AssertSqlSafe;
use tourismo_core::id::{AccountId, ChangeHash, DocId};
use tourismo_core::session::relay::{DocPage, LogPage, MAX_NAMES_PAGE, NamesPage};
use tourismo_core::time::Timestamp;
use tourismo_core::wire::{BATCH_BYTES, Chunk, Entry, EntryBody, MAX_BATCH};

use super::documents::kind_of;
use super::sql::{self, Bulk, Connection, SqlRow};
use super::{accounts, column, concatenated, damaged, doc_id, hash, hashes, position, snapshots};

/// Maximum bytes that an entry with a single dependency adds to a message besides its chunk.
const ENTRY_BYTES: i64 = 128;

/// A change with its position in a log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewEntry<'a> {
    pub(crate) account: AccountId,
    pub(crate) seq: u64,
    pub(crate) doc: DocId,
    pub(crate) hash: ChangeHash,
    pub(crate) deps: &'a [ChangeHash],
    pub(crate) max_op: u64,
    pub(crate) chunk: &'a [u8],
}

/// Appends entries. Fails if a position or a change is already stored.
pub(crate) async fn insert(
    writer: &mut Connection,
    entries: &[NewEntry<'_>],
    received_at: Timestamp,
) -> Result<(), sqlx::Error> {
    let before = "INSERT INTO change (account, seq, doc, hash, deps, max_op, received_at, chunk) VALUES ";
    let mut bulk = Bulk::new(before, "");
    for entry in entries {
        bulk.row([
            entry.account.into(),
            column(entry.seq).into(),
            entry.doc.into(),
            entry.hash.0.as_slice().into(),
            concatenated(entry.deps).into(),
            column(entry.max_op).into(),
            received_at.into(),
            entry.chunk.into(),
        ]);
    }
    bulk.execute(writer).await.map(drop)
}

/// The position of a change, with the values that admission needs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FoundChange {
    pub(crate) seq: u64,
    pub(crate) max_op: u64,
}

/// Returns those of the named changes that the log has.
pub(crate) async fn find_all(
    connection: &mut Connection,
    account: AccountId,
    doc: DocId,
    hashes: &[&ChangeHash],
) -> Result<Vec<(ChangeHash, FoundChange)>, sqlx::Error> {
    let (mut rest, mut found) = (hashes, Vec::new());
    while let Some(count) = sql::group(rest.len()) {
        let (these, others) = rest.split_at(count);
        let names = sql::parameters(2, count);
        let sql = format!(
            r#"
            SELECT hash, seq, max_op FROM change WHERE account = $1 AND doc = $2 AND hash IN ({names})
            UNION ALL
            SELECT hash, seq, max_op FROM covered_change WHERE account = $1 AND doc = $2 AND hash IN ({names})
            "#
        );
        let read = |row: &SqlRow| {
            let name = hash(&row.get::<Vec<u8>>("hash")?)?;
            let (seq, max_op) = (position("seq", row.get("seq")?)?, position("max_op", row.get("max_op")?)?);
            Ok((name, FoundChange { seq, max_op }))
        };
        let query = sql::query(AssertSqlSafe(sql)).bind(account).bind(doc);
        let query = these.iter().fold(query, |query, hash| query.bind(hash.0.as_slice()));
        found.extend(query.rows(connection, read).await?);
        rest = others;
    }
    Ok(found)
}

/// Returns when the relay received a change. 1970 for a change that a snapshot covered before this time was stored.
pub(crate) async fn received_at(
    reader: &mut Connection,
    account: AccountId,
    doc: DocId,
    hash: ChangeHash,
) -> Result<Timestamp, sqlx::Error> {
    let sql = r#"
        SELECT received_at FROM change WHERE account = $1 AND doc = $2 AND hash = $3
        UNION ALL SELECT received_at FROM covered_change WHERE account = $1 AND doc = $2 AND hash = $3
    "#;
    let at: Option<i64> =
        sql::query_scalar(sql).bind(account).bind(doc).bind(hash.0.as_slice()).fetch_optional(reader).await?;
    Ok(Timestamp(at.unwrap_or(0)))
}

/// Returns when the relay received the last of some changes to a document; 1970 if it has none of them.
pub(crate) async fn newest_received_at(
    reader: &mut Connection,
    account: AccountId,
    doc: DocId,
    names: &[ChangeHash],
) -> Result<Timestamp, sqlx::Error> {
    let (mut rest, mut newest) = (names, Timestamp(0));
    while let Some(count) = sql::group(rest.len()) {
        let (these, others) = rest.split_at(count);
        let names = sql::parameters(2, count);
        let sql = format!(
            r#"
            SELECT received_at FROM change WHERE account = $1 AND doc = $2 AND hash IN ({names})
            UNION ALL
            SELECT received_at FROM covered_change WHERE account = $1 AND doc = $2 AND hash IN ({names})
            "#
        );
        let query = sql::query(AssertSqlSafe(sql)).bind(account).bind(doc);
        let query = these.iter().fold(query, |query, name| query.bind(name.0.as_slice()));
        let received: Vec<i64> = query.rows(reader, |row| row.get("received_at")).await?;
        newest = received.into_iter().map(Timestamp).fold(newest, Timestamp::max);
        rest = others;
    }
    Ok(newest)
}

/// Returns a page of an account's log after a position. All of it must be read in one transaction.
pub(crate) async fn page(snapshot: &mut Connection, account: AccountId, after: u64) -> Result<LogPage, sqlx::Error> {
    let (head, digest) = accounts::head(snapshot, account).await?;
    if head <= after {
        return Ok(LogPage { entries: Vec::new(), head, digest });
    }
    // The stub of a snapshot is not larger than such an entry.
    let sizes = r#"
        SELECT seq, CAST(LENGTH(chunk) + LENGTH(deps) AS BIGINT) FROM change WHERE account = $1 AND seq > $2
        UNION ALL
        SELECT seq, CAST(CASE WHEN LENGTH(chunk) > $4 THEN 0 ELSE LENGTH(chunk) END + LENGTH(heads) AS BIGINT)
        FROM snapshot WHERE account = $1 AND seq > $2 AND state > 0
        ORDER BY seq LIMIT $3
    "#;
    let sizes: Vec<(i64, i64)> = sql::query(sizes)
        .bind(account.as_bytes().as_slice())
        .bind(column(after))
        .bind(column(MAX_BATCH as u64))
        .bind(BATCH_BYTES as i64)
        .fetch_all(&mut *snapshot)
        .await?;
    let last = last_that_fits(&sizes);
    let mut entries = changes(snapshot, account, after, last).await?;
    entries.extend(snapshots_in(snapshot, account, after, last).await?);
    entries.sort_unstable_by_key(|(seq, _)| *seq);
    Ok(LogPage { entries, head, digest })
}

/// Returns the changes in a range of the log.
async fn changes(
    snapshot: &mut Connection,
    account: AccountId,
    after: u64,
    last: i64,
) -> Result<Vec<(u64, Entry)>, sqlx::Error> {
    type Row = (i64, Vec<u8>, i64, Vec<u8>, Vec<u8>, i64, Vec<u8>);
    let sql = r#"
        SELECT change.seq, change.doc, document.kind, change.hash, change.deps, change.received_at, change.chunk
        FROM change JOIN document ON document.account = change.account AND document.doc = change.doc
        WHERE change.account = $1 AND change.seq > $2 AND change.seq <= $3
    "#;
    let rows: Vec<Row> =
        sql::query(sql).bind(account.as_bytes().as_slice()).bind(column(after)).bind(last).fetch_all(snapshot).await?;
    let entry = |(seq, doc, kind, name, deps, received_at, chunk): Row| {
        let (doc, kind) = (doc_id(&doc)?, kind_of(kind)?);
        let body = if kind.is_on_demand() {
            EntryBody::Stub { hash: hash(&name)?, deps: hashes("deps", &deps)?, bytes: chunk.len() as u32 }
        } else {
            EntryBody::Change(Chunk(chunk))
        };
        Ok((position("seq", seq)?, Entry { doc, kind, received_at: Timestamp(received_at), body }))
    };
    rows.into_iter().map(entry).collect()
}

/// Returns the snapshots in a range of the log.
async fn snapshots_in(
    snapshot: &mut Connection,
    account: AccountId,
    after: u64,
    last: i64,
) -> Result<Vec<(u64, Entry)>, sqlx::Error> {
    type Row = (i64, Vec<u8>, i64, Vec<u8>, i64, i64, Vec<u8>);
    let sql = r#"
        SELECT
            snapshot.seq, snapshot.doc, document.kind, snapshot.heads, snapshot.changes, snapshot.last_at, snapshot.chunk
        FROM snapshot
        JOIN document ON document.account = snapshot.account AND document.doc = snapshot.doc
        WHERE snapshot.account = $1 AND snapshot.seq > $2 AND snapshot.seq <= $3 AND snapshot.state > 0
    "#;
    let rows: Vec<Row> =
        sql::query(sql).bind(account.as_bytes().as_slice()).bind(column(after)).bind(last).fetch_all(snapshot).await?;
    let entry = |(seq, doc, kind, heads, changes, last_at, chunk): Row| {
        let (doc, kind) = (doc_id(&doc)?, kind_of(kind)?);
        let changes = u32::try_from(changes).map_err(|_| damaged("changes"))?;
        let body = EntryBody::of_snapshot(kind, hashes("heads", &heads)?, changes, chunk);
        Ok((position("seq", seq)?, Entry { doc, kind, received_at: Timestamp(last_at), body }))
    };
    rows.into_iter().map(entry).collect()
}

/// A stored entry with every column.
pub(crate) struct StoredEntry {
    pub(crate) seq: u64,
    pub(crate) doc: DocId,
    pub(crate) hash: ChangeHash,
    pub(crate) deps: Vec<ChangeHash>,
    pub(crate) max_op: u64,
    /// The length of its chunk as received.
    pub(crate) bytes: u64,
    pub(crate) chunk: Vec<u8>,
}

/// Returns up to `count` entries of an account's log after a position.
pub(crate) async fn stored(
    reader: &mut Connection,
    account: AccountId,
    after: u64,
    count: u32,
) -> Result<Vec<StoredEntry>, sqlx::Error> {
    type Row = (i64, Vec<u8>, Vec<u8>, Vec<u8>, i64, Vec<u8>);
    let sql = r#"
        SELECT seq, doc, hash, deps, max_op, chunk FROM change WHERE account = $1 AND seq > $2 ORDER BY seq LIMIT $3
    "#;
    let rows: Vec<Row> = sql::query(sql)
        .bind(account.as_bytes().as_slice())
        .bind(column(after))
        .bind(i64::from(count))
        .fetch_all(reader)
        .await?;
    let entry = |(seq, doc, name, deps, max_op, chunk): Row| {
        Ok(StoredEntry {
            seq: position("seq", seq)?,
            doc: doc_id(&doc)?,
            hash: hash(&name)?,
            deps: hashes("deps", &deps)?,
            max_op: position("max_op", max_op)?,
            bytes: chunk.len() as u64,
            chunk,
        })
    };
    rows.into_iter().map(entry).collect()
}

/// Returns a page of one document's changes after a position of the account's log. All of it must be read in one
/// transaction.
pub(crate) async fn doc_page(
    snapshot: &mut Connection,
    account: AccountId,
    doc: DocId,
    after: u64,
) -> Result<DocPage, sqlx::Error> {
    let sql = r#"
        SELECT seq, CAST(LENGTH(chunk) AS BIGINT) FROM change WHERE account = $1 AND doc = $2 AND seq > $3
        UNION ALL
        SELECT seq, CAST(LENGTH(chunk) AS BIGINT) FROM snapshot WHERE account = $1 AND doc = $2 AND seq > $3 AND state > 0
        ORDER BY seq LIMIT $4
    "#;
    // One more than the page can hold, which shows whether anything follows it.
    let sizes: Vec<(i64, i64)> = sql::query(sql)
        .bind(account.as_bytes().as_slice())
        .bind(doc.as_bytes().as_slice())
        .bind(column(after))
        .bind(column(MAX_BATCH as u64 + 1))
        .fetch_all(&mut *snapshot)
        .await?;
    let last = last_that_fits(&sizes[..sizes.len().min(MAX_BATCH)]);
    let done = sizes.last().is_none_or(|(seq, _)| *seq == last);
    let sql = r#"
        SELECT seq, chunk FROM change WHERE account = $1 AND doc = $2 AND seq > $3 AND seq <= $4
        UNION ALL
        SELECT seq, chunk FROM snapshot WHERE account = $1 AND doc = $2 AND seq > $3 AND seq <= $4 AND state > 0
        ORDER BY seq
    "#;
    let rows: Vec<(i64, Vec<u8>)> = sql::query(sql)
        .bind(account.as_bytes().as_slice())
        .bind(doc.as_bytes().as_slice())
        .bind(column(after))
        .bind(last)
        .fetch_all(snapshot)
        .await?;
    let change = |(seq, chunk)| Ok((position("seq", seq)?, Chunk(chunk)));
    Ok(DocPage { doc, changes: rows.into_iter().map(change).collect::<Result<_, sqlx::Error>>()?, done })
}

/// Returns the hashes of the changes of some documents, as many as fit on a page: of the first document only those
/// above `after`, of all documents only changes up to a position of the account's log.
pub(crate) async fn names_page(
    snapshot: &mut Connection,
    account: AccountId,
    docs: &[DocId],
    after: Option<ChangeHash>,
    upto: u64,
) -> Result<NamesPage, sqlx::Error> {
    // Ordered by hash, because an index has this order: a page is found in the same time anywhere. A document of
    // another account has no hashes in this account's log.
    let sql = r#"
        SELECT hash FROM change WHERE account = $1 AND doc = $2 AND hash > $3 AND seq <= $4
        UNION ALL
        SELECT hash FROM covered_change WHERE account = $1 AND doc = $2 AND hash > $3 AND seq <= $4
        ORDER BY hash LIMIT $5
    "#;
    let mut page = NamesPage { names: Vec::new(), goes_on: false };
    let (mut after, mut room) = (after.map(|after| after.0.to_vec()).unwrap_or_default(), MAX_NAMES_PAGE);
    for doc in docs {
        let rows: Vec<Vec<u8>> = sql::query_scalar(sql)
            .bind(account.as_bytes().as_slice())
            .bind(doc.as_bytes().as_slice())
            .bind(std::mem::take(&mut after))
            .bind(column(upto))
            // One more than fits, which shows whether anything follows.
            .bind(column(room as u64 + 1))
            .fetch_all(&mut *snapshot)
            .await?;
        page.goes_on = rows.len() > room;
        let names = rows.iter().take(room).map(|bytes| hash(bytes)).collect::<Result<Vec<_>, _>>()?;
        room -= names.len();
        page.names.push(names);
        if page.goes_on || room == 0 {
            break;
        }
    }
    Ok(page)
}

/// The chunks of a document, or the fact that they are too large.
#[derive(Debug)]
pub(crate) enum ChunksOf {
    Whole {
        /// When the relay received its first change.
        received_at: Timestamp,
        /// Whether the first chunk is a snapshot.
        is_from_snapshot: bool,
        /// The number of changes in the chunks.
        changes: u64,
        /// In log order.
        chunks: Vec<Vec<u8>>,
    },
    TooMuch,
}

/// Returns the chunks of a document, unless they exceed these bytes or changes.
pub(crate) async fn chunks(
    connection: &mut Connection,
    account: AccountId,
    doc: DocId,
    max_bytes: u64,
    max_changes: u64,
) -> Result<ChunksOf, sqlx::Error> {
    let before = snapshots::find(connection, account, doc).await?;
    let sql = r#"
        SELECT MIN(received_at), CAST(SUM(LENGTH(chunk)) AS BIGINT), COUNT(*) FROM change
        WHERE account = $1 AND doc = $2
    "#;
    let (received_at, bytes, changes): (Option<i64>, Option<i64>, i64) = sql::query(sql)
        .bind(account.as_bytes().as_slice())
        .bind(doc.as_bytes().as_slice())
        .fetch_one(&mut *connection)
        .await?;
    let (covered_bytes, covered) = before.as_ref().map_or((0, 0), |before| (before.chunk.len() as u64, before.changes));
    let bytes = bytes.unwrap_or(0).unsigned_abs() + covered_bytes;
    let changes = changes.unsigned_abs() + covered;
    if bytes > max_bytes || changes > max_changes {
        return Ok(ChunksOf::TooMuch);
    }
    let mut loose: Vec<Vec<u8>> =
        sql::query_scalar("SELECT chunk FROM change WHERE account = $1 AND doc = $2 ORDER BY seq")
            .bind(account.as_bytes().as_slice())
            .bind(doc.as_bytes().as_slice())
            .fetch_all(connection)
            .await?;
    let received_at = before.as_ref().map_or(Timestamp(received_at.unwrap_or(0)), |before| before.first_at);
    let is_from_snapshot = before.is_some();
    let mut chunks: Vec<Vec<u8>> = before.into_iter().map(|before| before.chunk).collect();
    chunks.append(&mut loose);
    Ok(ChunksOf::Whole { received_at, is_from_snapshot, changes, chunks })
}

/// Returns the first changes of a document between two positions, `after` excluded, up to these bytes and changes:
/// position, time of receipt and chunk of each, in log order.
pub(crate) async fn first_chunks(
    connection: &mut Connection,
    account: AccountId,
    doc: DocId,
    (after, through): (u64, u64),
    max_bytes: u64,
    max_changes: u64,
) -> Result<Vec<(u64, Timestamp, Vec<u8>)>, sqlx::Error> {
    let sql = r#"
        SELECT seq, CAST(LENGTH(chunk) AS BIGINT) FROM change
        WHERE account = $1 AND doc = $2 AND seq > $3 AND seq <= $4 ORDER BY seq LIMIT $5
    "#;
    let sizes: Vec<(i64, i64)> = sql::query(sql)
        .bind(account)
        .bind(doc)
        .bind(column(after))
        .bind(column(through))
        .bind(column(max_changes))
        .fetch_all(&mut *connection)
        .await?;
    let mut bytes = 0;
    let fits = |(_, size): &&(i64, i64)| {
        bytes += size.unsigned_abs();
        bytes <= max_bytes
    };
    let last = sizes.iter().take_while(fits).last().map_or(0, |(seq, _)| *seq);
    let sql = r#"
        SELECT seq, received_at, chunk FROM change
        WHERE account = $1 AND doc = $2 AND seq > $3 AND seq <= $4 ORDER BY seq
    "#;
    let rows: Vec<(i64, i64, Vec<u8>)> =
        sql::query(sql).bind(account).bind(doc).bind(column(after)).bind(last).fetch_all(connection).await?;
    let read = |(seq, at, chunk): (i64, i64, Vec<u8>)| Ok((position("seq", seq)?, Timestamp(at), chunk));
    rows.into_iter().map(read).collect()
}

/// Returns the hashes and positions of a document's changes up to a position.
pub(crate) async fn positions(
    connection: &mut Connection,
    account: AccountId,
    doc: DocId,
    through: u64,
) -> Result<Vec<(ChangeHash, u64)>, sqlx::Error> {
    let sql = r#"
        SELECT hash, seq FROM covered_change WHERE account = $1 AND doc = $2 AND seq <= $3
        UNION ALL SELECT hash, seq FROM change WHERE account = $1 AND doc = $2 AND seq <= $3
    "#;
    let read = |row: &SqlRow| Ok((hash(&row.get::<Vec<u8>>("hash")?)?, position("seq", row.get("seq")?)?));
    sql::query(sql).bind(account).bind(doc).bind(column(through)).rows(connection, read).await
}

/// Returns the chunks of a document after a position that have at most this size, in log order with their positions; of
/// too many the first ones.
pub(crate) async fn short_chunks_after(
    connection: &mut Connection,
    account: AccountId,
    doc: DocId,
    after: u64,
    max_bytes: usize,
    max_changes: u64,
) -> Result<Vec<(u64, Vec<u8>)>, sqlx::Error> {
    let sql = r#"
        SELECT seq, chunk FROM change
        WHERE account = $1 AND doc = $2 AND seq > $3 AND LENGTH(chunk) <= $4 ORDER BY seq LIMIT $5
    "#;
    let rows: Vec<(i64, Vec<u8>)> = sql::query(sql)
        .bind(account)
        .bind(doc)
        .bind(column(after))
        .bind(column(max_bytes as u64))
        .bind(column(max_changes))
        .fetch_all(connection)
        .await?;
    rows.into_iter().map(|(seq, chunk)| Ok((position("seq", seq)?, chunk))).collect()
}

/// Returns the last position that fits on a page, given positions and sizes of entries; the first entry always fits.
fn last_that_fits(sizes: &[(i64, i64)]) -> i64 {
    let mut bytes = 0;
    let fits = |(_, size): &&(i64, i64)| {
        let first = bytes == 0;
        bytes += size + ENTRY_BYTES;
        first || bytes <= BATCH_BYTES as i64
    };
    sizes.iter().take_while(fits).last().map_or(0, |(seq, _)| *seq)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_holds_what_fits_and_always_something() {
        let half = BATCH_BYTES as i64 / 2 - ENTRY_BYTES;
        for (sizes, last) in [
            (vec![], 0),
            (vec![(7, 10)], 7),
            (vec![(7, 10 * BATCH_BYTES as i64), (8, 1)], 7),
            (vec![(7, half), (8, half), (9, 0)], 8),
            (vec![(7, 0), (8, 0), (9, 0)], 9),
        ] {
            assert_eq!(last_that_fits(&sizes), last, "{sizes:?}");
        }
    }
}
