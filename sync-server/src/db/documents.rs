//! The tables `document` and `actor`: the state of each document in the log.

use std::collections::BTreeMap;

use sqlx::AssertSqlSafe;
use tourismo_core::admission::DocumentState;
use tourismo_core::change::Actor;
use tourismo_core::id::{AccountId, DocId};
use tourismo_core::session::relay::{HeadsPage, MAX_HEADS_PAGE};
use tourismo_core::time::Timestamp;
use tourismo_core::wire::{DocHeads, DocKind};

use super::sql::{self, Bulk, Connection, SqlRow, one_column};
use super::{accounts, column, concatenated, damaged, doc_id, doc_in, hashes, optional_time_in, position};

/// Returns an account's document with this id.
pub(crate) async fn find(
    connection: &mut Connection,
    account: AccountId,
    doc: DocId,
) -> Result<Option<DocumentState>, sqlx::Error> {
    Ok(find_all(connection, account, &[doc]).await?.remove(&doc).map(|state| state.log))
}

/// The state of a document without its changes.
#[derive(Clone, Debug)]
pub(crate) struct DocState {
    pub(crate) log: DocumentState,
    pub(crate) is_quarantined: bool,
    /// Whether its rows must be derived in the background.
    pub(crate) is_due: bool,
    /// The number of its chunks: its snapshot and the changes since.
    pub(crate) chunks: u64,
}

/// Returns kind and heads of the first `max` documents of an account in an inclusive range of ids, ascending.
pub(crate) async fn in_range(
    connection: &mut Connection,
    account: AccountId,
    from: DocId,
    to: DocId,
    max: usize,
) -> Result<Vec<(DocHeads, DocKind)>, sqlx::Error> {
    let sql = r#"
        SELECT doc, kind, heads FROM document WHERE account = $1 AND doc >= $2 AND doc <= $3 ORDER BY doc LIMIT $4
    "#;
    let rows: Vec<(Vec<u8>, i64, Vec<u8>)> = sql::query(sql)
        .bind(account.as_bytes().as_slice())
        .bind(from.as_bytes().as_slice())
        .bind(to.as_bytes().as_slice())
        .bind(column(max as u64))
        .fetch_all(connection)
        .await?;
    rows.iter()
        .map(|(doc, kind, heads)| Ok((DocHeads { doc: doc_id(doc)?, heads: hashes("heads", heads)? }, kind_of(*kind)?)))
        .collect()
}

/// Returns the first documents of an account in an inclusive range of ids, with the position of its newest entry. All
/// of it must be read in one transaction.
pub(crate) async fn heads_page(
    snapshot: &mut Connection,
    account: AccountId,
    from: DocId,
    to: DocId,
) -> Result<HeadsPage, sqlx::Error> {
    let (head, _) = accounts::head(snapshot, account).await?;
    let docs = in_range(snapshot, account, from, to, MAX_HEADS_PAGE).await?;
    let through = docs.last().filter(|_| docs.len() == MAX_HEADS_PAGE).map_or(to, |(last, _)| last.doc);
    Ok(HeadsPage { docs, through, head })
}

/// Returns the states of those of an account's documents that exist.
pub(crate) async fn find_all(
    connection: &mut Connection,
    account: AccountId,
    docs: &[DocId],
) -> Result<BTreeMap<DocId, DocState>, sqlx::Error> {
    let (mut rest, mut found) = (docs, BTreeMap::new());
    while let Some(count) = sql::group(rest.len()) {
        let (these, others) = rest.split_at(count);
        let sql = format!(
            r#"
            SELECT doc, kind, heads, quarantined, loose, covered,
                (SELECT due.seq FROM due_document due WHERE due.account = document.account AND due.doc = document.doc) AS due
            FROM document WHERE account = $1 AND doc IN ({})
            "#,
            sql::parameters(1, count)
        );
        let read = |row: &SqlRow| {
            let heads = hashes("heads", &row.get::<Vec<u8>>("heads")?)?;
            let log = DocumentState { owner: account, kind: kind_of(row.get("kind")?)?, heads };
            let covered: i64 = row.get("covered")?;
            let state = DocState {
                log,
                is_quarantined: row.get::<Option<String>>("quarantined")?.is_some(),
                is_due: row.get::<Option<i64>>("due")?.is_some(),
                chunks: position("loose", row.get("loose")?)? + u64::from(covered > 0),
            };
            Ok((doc_in(row, "doc")?, state))
        };
        let query = sql::query(AssertSqlSafe(sql)).bind(account);
        let query = these.iter().fold(query, |query, doc| query.bind(*doc));
        found.extend(query.rows(connection, read).await?);
        rest = others;
    }
    Ok(found)
}

/// Writes the states of documents that are new or were appended to, each with the number of appended changes.
pub(crate) async fn write(writer: &mut Connection, docs: &[(DocId, &DocumentState, u64)]) -> Result<(), sqlx::Error> {
    let mut bulk = Bulk::new(
        "INSERT INTO document (account, doc, kind, heads, loose) VALUES ",
        "ON CONFLICT (account, doc) DO UPDATE SET heads = excluded.heads, loose = document.loose + excluded.loose",
    );
    for (doc, state, appended) in docs {
        let kind = i64::from(state.kind.number());
        bulk.row([
            state.owner.into(),
            (*doc).into(),
            kind.into(),
            concatenated(&state.heads).into(),
            column(*appended).into(),
        ]);
    }
    bulk.execute(writer).await.map(drop)
}

/// Why no rows are derived from a document. The names are stored and never change their meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Quarantine {
    /// Automerge cannot read it, or panics.
    Unreadable,
    /// It has more bytes, changes, operations or fixes than anything that is shown.
    TooLarge,
}

one_column!(Quarantine, Text, |why| why.name().to_owned(), |name: String| Quarantine::ALL
    .into_iter()
    .find(|why| why.name() == name));

impl Quarantine {
    const ALL: [Quarantine; 2] = [Quarantine::Unreadable, Quarantine::TooLarge];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Quarantine::Unreadable => "unreadable",
            Quarantine::TooLarge => "too_large",
        }
    }
}

/// Returns, for a quarantined document, the position of the last change that its rows include.
pub(crate) async fn good_through(
    connection: &mut Connection,
    account: AccountId,
    doc: DocId,
) -> Result<Option<u64>, sqlx::Error> {
    let sql = r#"
        SELECT COALESCE(good_through, 0) AS good_through FROM document
        WHERE account = $1 AND doc = $2 AND quarantined IS NOT NULL
    "#;
    let row = sql::query(sql).bind(account).bind(doc).row(connection).await?;
    row.map(|row| position("good_through", row.get("good_through")?)).transpose()
}

/// Returns the quarantined documents of an account with their reasons.
pub(crate) async fn quarantined(
    reader: &mut Connection,
    account: AccountId,
) -> Result<Vec<(DocId, DocKind, Quarantine)>, sqlx::Error> {
    let read = |row: &SqlRow| Ok((doc_in(row, "doc")?, kind_of(row.get("kind")?)?, row.field("quarantined")?));
    let sql = "SELECT doc, kind, quarantined FROM document WHERE account = $1 AND quarantined IS NOT NULL ORDER BY doc";
    sql::query(sql).bind(account).rows(reader, read).await
}

/// Ends the quarantine of a document of an account, or of all of them: they are read again.
pub(crate) async fn release(
    writer: &mut Connection,
    account: AccountId,
    doc: Option<DocId>,
) -> Result<(), sqlx::Error> {
    let sql = r#"
        UPDATE document SET quarantined = NULL, good_through = NULL
        WHERE account = $1 AND ($2 = 1 OR doc = $3) AND quarantined IS NOT NULL
    "#;
    let id = doc.unwrap_or(DocId::from_bytes([0; 16]));
    sql::query(sql).bind(account).bind(i64::from(doc.is_none())).bind(id).execute(writer).await.map(drop)
}

/// Ends all quarantines, before all rows are derived again.
pub(crate) async fn release_all(writer: &mut Connection) -> Result<(), sqlx::Error> {
    sql::query("UPDATE document SET quarantined = NULL, good_through = NULL WHERE quarantined IS NOT NULL")
        .execute(writer)
        .await
        .map(drop)
}

/// Quarantines a document whose rows include changes up to a position.
pub(crate) async fn quarantine(
    writer: &mut Connection,
    account: AccountId,
    doc: DocId,
    why: Quarantine,
    good_through: u64,
) -> Result<(), sqlx::Error> {
    sql::query("UPDATE document SET quarantined = $3, good_through = $4 WHERE account = $1 AND doc = $2")
        .bind(account.as_bytes().as_slice())
        .bind(doc.as_bytes().as_slice())
        .bind(why.name())
        .bind(column(good_through))
        .execute(writer)
        .await?;
    Ok(())
}

/// The use of a document by an actor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ActorUse {
    /// Its last sequence number; 0 without any.
    pub(crate) last_seq: u64,
    /// When its own device last appended with it in this epoch.
    pub(crate) own_at: Option<Timestamp>,
}

/// Returns the uses of a document by these actors, if they have any.
pub(crate) async fn actor_uses_of(
    connection: &mut Connection,
    account: AccountId,
    doc: DocId,
    actors: &[&Actor],
) -> Result<Vec<(Actor, ActorUse)>, sqlx::Error> {
    let (mut rest, mut found) = (actors, Vec::new());
    while let Some(count) = sql::group(rest.len()) {
        let (these, others) = rest.split_at(count);
        let sql = format!(
            "SELECT actor, last_seq, own_at FROM actor WHERE account = $1 AND doc = $2 AND actor IN ({})",
            sql::parameters(2, count)
        );
        let read = |row: &SqlRow| {
            let actor = Actor::try_from(row.get::<Vec<u8>>("actor")?.as_slice()).map_err(|_| damaged("actor"))?;
            Ok((actor, read_use(row)?))
        };
        let query = sql::query(AssertSqlSafe(sql)).bind(account).bind(doc);
        let query = these.iter().fold(query, |query, actor| query.bind(actor.as_bytes()));
        found.extend(query.rows(connection, read).await?);
        rest = others;
    }
    Ok(found)
}

fn read_use(row: &SqlRow) -> Result<ActorUse, sqlx::Error> {
    Ok(ActorUse { last_seq: position("last_seq", row.get("last_seq")?)?, own_at: optional_time_in(row, "own_at")? })
}

/// Returns the uses of all actors of an account, by document.
pub(crate) async fn actor_uses(
    connection: &mut Connection,
    account: AccountId,
) -> Result<BTreeMap<(DocId, Actor), ActorUse>, sqlx::Error> {
    let read = |row: &SqlRow| {
        let actor: Vec<u8> = row.get("actor")?;
        let actor = Actor::try_from(actor.as_slice()).map_err(|_| damaged("actor"))?;
        Ok(((doc_in(row, "doc")?, actor), read_use(row)?))
    };
    let sql = "SELECT doc, actor, last_seq, own_at FROM actor WHERE account = $1";
    Ok(sql::query(sql).bind(account).rows(connection, read).await?.into_iter().collect())
}

/// Deletes the uses of an account's actors, so that they can be recomputed.
pub(crate) async fn remove_actor_uses(writer: &mut Connection, account: AccountId) -> Result<(), sqlx::Error> {
    sql::query("DELETE FROM actor WHERE account = $1").bind(account).execute(writer).await.map(drop)
}

/// Writes uses of documents by actors.
pub(crate) async fn write_actor_uses(
    writer: &mut Connection,
    uses: &[(AccountId, DocId, &Actor, ActorUse)],
) -> Result<(), sqlx::Error> {
    let mut bulk = Bulk::new(
        "INSERT INTO actor (account, doc, actor, last_seq, own_at) VALUES ",
        "ON CONFLICT (account, doc, actor) DO UPDATE SET last_seq = excluded.last_seq, own_at = excluded.own_at",
    );
    for (account, doc, actor, ActorUse { last_seq, own_at }) in uses {
        let own_at = own_at.map(Timestamp::as_millis);
        bulk.row([(*account).into(), (*doc).into(), actor.as_bytes().into(), column(*last_seq).into(), own_at.into()]);
    }
    bulk.execute(writer).await.map(drop)
}

/// Allows every device to continue every actor, because a new epoch begins. `[P12]`
pub(crate) async fn release_actors(writer: &mut Connection) -> Result<(), sqlx::Error> {
    sql::query("UPDATE actor SET own_at = NULL WHERE own_at IS NOT NULL").execute(writer).await.map(drop)
}

one_column!(DocKind, Int, |kind| i64::from(kind.number()), |number: i64| {
    u8::try_from(number).ok().and_then(DocKind::from_number)
});

pub(super) fn kind_of(number: i64) -> Result<DocKind, sqlx::Error> {
    u8::try_from(number).ok().and_then(DocKind::from_number).ok_or_else(|| damaged("kind"))
}
