//! Checks a database, and derives data again.
//!
//! The log is authoritative: each entry is read as it arrived, also from a snapshot that covers it. The account states
//! (heads, digest, numbers) are computed again, and every row is folded again and compared.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use tourismo_core::admission::DocumentState;
use tourismo_core::docs::social;
use tourismo_core::id::{AccountId, DocId};
use tourismo_core::kind::RelayRows;
use tourismo_core::wire::DocKind;

use super::entries::Entries;
pub use super::recount::EntryFault;
use super::recount::Recount;
use super::{MaintenanceError, membership};
use crate::db::documents::ActorUse;
use crate::db::meets::{self, MeetRecord};
use crate::db::sql::Connection;
use crate::db::{self, Claim, Location, accounts, decisions, documents, due, profiles, read_models, relay, roads};
use crate::jobs::road_builder;
use crate::writer::projector::{self, Derived, DueFold, Scope};

/// The result of a check.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// The number of checked accounts.
    pub accounts: u64,
    /// The number of documents.
    pub documents: u64,
    /// The number of changes.
    pub changes: u64,
    /// The number of derived rows.
    pub rows: u64,
    /// The quarantined documents: they are kept and synced, and their rows, if any, stay as they were last read.
    pub quarantined: Vec<Quarantined>,
    /// The number of due documents, whose rows are derived while the database is served.
    pub due: u64,
    /// The faults; empty if there are none.
    pub findings: Vec<Finding>,
}

/// A quarantined document. Its owner is informed, too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantined {
    /// Its account.
    pub account: AccountId,
    /// The document.
    pub doc: DocId,
    /// Its kind.
    pub kind: DocKind,
    /// The reason: `unreadable` or `too_large`.
    pub reason: &'static str,
}

impl fmt::Display for Quarantined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Quarantined { account, doc, kind, reason } = self;
        write!(f, "quarantine: {kind:?} {doc} of account {account}: {reason}")
    }
}

/// A fault of a database. It names the affected thing, never its content.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Finding {
    /// SQLite or Postgres reports damage.
    #[error("storage: {0}")]
    Storage(String),
    /// The relay has no identity.
    #[error("this is no relay's database: it has no identity")]
    NoIdentity,
    /// An account's positions are not 1, 2, 3… up to its head.
    #[error("account {account}: its log does not have the entries that its head counts")]
    Positions {
        /// The account of the log.
        account: AccountId,
    },
    /// An entry of a log has a fault.
    #[error("account {account}: entry {seq} of its log {fault}")]
    Entry {
        /// The account of the log.
        account: AccountId,
        /// Its position.
        seq: u64,
        /// The fault.
        fault: EntryFault,
    },
    /// An account's head, digest or numbers differ from its log.
    #[error("account {account}: its books are not those of its log")]
    Books {
        /// The account.
        account: AccountId,
    },
    /// A membership statement cannot be read, or nobody signed it.
    #[error("account {account}: a membership statement is not authentic")]
    Statement {
        /// The account.
        account: AccountId,
    },
    /// The removed devices, the digest or the names of an account's membership statements differ from the statements.
    #[error("account {account}: its devices are not those of its membership statements")]
    Membership {
        /// The account.
        account: AccountId,
    },
    /// A document's heads differ from its changes.
    #[error("document {doc}: its heads are not those of its changes")]
    Heads {
        /// The document.
        doc: DocId,
    },
    /// A document's row differs from the fold of its changes.
    #[error("document {doc}: its row is not what its changes say")]
    Row {
        /// The document.
        doc: DocId,
    },
    /// A profile holds a handle that another one claimed before it, or does not hold its own.
    #[error("document {doc}: its handle is not with who claimed it first")]
    Handle {
        /// The document.
        doc: DocId,
    },
    /// The roads differ from those found in the drives.
    #[error("{roads} roads are not what the drives say")]
    Roads {
        /// Their number.
        roads: u64,
    },
    /// There are rows without a document.
    #[error("{rows} rows belong to no document")]
    StrayRows {
        /// Their number.
        rows: u64,
    },
}

impl Finding {
    /// Returns whether the affected data can be derived from the log again.
    pub fn is_derived(&self) -> bool {
        match self {
            Finding::Books { .. }
            | Finding::Membership { .. }
            | Finding::Heads { .. }
            | Finding::Row { .. }
            | Finding::Handle { .. }
            | Finding::Roads { .. }
            | Finding::StrayRows { .. } => true,
            Finding::Storage(_)
            | Finding::NoIdentity
            | Finding::Positions { .. }
            | Finding::Statement { .. }
            | Finding::Entry { .. } => false,
        }
    }
}

/// Checks one state of a database, also while it is served.
///
/// # Errors
/// [`MaintenanceError`] if it cannot be read.
pub async fn check(database: &Location) -> Result<Report, MaintenanceError> {
    let failed = MaintenanceError::database(database.clone());
    let mut connection = db::connect_to_read(database).await.map_err(MaintenanceError::opening(database))?;
    let storage = storage(&mut connection).await.map_err(&failed)?;
    if !storage.is_empty() {
        return Ok(Report { findings: storage, ..Report::default() });
    }
    if !db::has_current_schema(&mut connection).await.map_err(&failed)? {
        return Err(MaintenanceError::OtherVersion { database: database.clone() });
    }
    let report = inspect(&mut connection).await.map_err(&failed)?;
    connection.close().await.map_err(&failed)?;
    Ok(report)
}

/// Deletes all derived data, derives it again, then checks the database.
///
/// # Errors
/// [`MaintenanceError`] if the database is being served, or cannot be written.
pub async fn repair(database: &Location) -> Result<Report, MaintenanceError> {
    let failed = MaintenanceError::database(database.clone());
    let (_claim, mut connection) = Claim::alone(database).await?;
    let storage = storage(&mut connection).await.map_err(&failed)?;
    if !storage.is_empty() {
        return Ok(Report { findings: storage, ..Report::default() });
    }
    db::bring_up_to_date(&mut connection).await?;
    derive_again(&mut connection).await.map_err(&failed)?;
    let report = inspect(&mut connection).await.map_err(&failed)?;
    db::close(connection).await.map_err(&failed)?;
    Ok(report)
}

/// Returns the damage that the engine reports.
pub(super) async fn storage(connection: &mut Connection) -> Result<Vec<Finding>, sqlx::Error> {
    Ok(db::damage(connection).await?.into_iter().map(Finding::Storage).collect())
}

/// Checks what needs no reading of changes: the identity, and gaps in the logs.
pub(super) async fn positions(connection: &mut Connection) -> Result<Vec<Finding>, sqlx::Error> {
    if db::relay::identity(connection).await?.is_none() {
        return Ok(vec![Finding::NoIdentity]);
    }
    let accounts = accounts::with_gaps(connection).await?;
    Ok(accounts.into_iter().map(|account| Finding::Positions { account }).collect())
}

/// Checks everything in one state of the database.
async fn inspect(connection: &mut Connection) -> Result<Report, sqlx::Error> {
    connection.begin_snapshot().await?;
    let snapshot = connection;
    let mut report = Report { findings: positions(snapshot).await?, ..Report::default() };
    for account in accounts::all(snapshot).await? {
        report.accounts += 1;
        let recount = recount(snapshot, account, &mut report).await?;
        compare_books(snapshot, account, &recount, &mut report).await?;
        membership::compare(snapshot, account, &mut report).await?;
        for doc in shown_docs(&recount) {
            compare_rows(snapshot, &recount, doc, &mut report).await?;
        }
        let quarantined = documents::quarantined(snapshot, account).await?.into_iter();
        report.quarantined.extend(quarantined.map(|(doc, kind, why)| Quarantined {
            account,
            doc,
            kind,
            reason: why.name(),
        }));
    }
    let wrong_holders = profiles::wrong_holders(snapshot).await?;
    report.findings.extend(wrong_holders.into_iter().map(|doc| Finding::Handle { doc }));
    report.findings.extend(compare_roads(snapshot).await?);
    let stored = read_models::count(snapshot).await?;
    if stored > report.rows {
        report.findings.push(Finding::StrayRows { rows: stored - report.rows });
    }
    snapshot.commit().await?;
    Ok(report)
}

/// Checks everything, and derives data again if only derived data differs: another version may derive other rows.
pub(super) async fn inspect_and_repair(connection: &mut Connection) -> Result<Report, sqlx::Error> {
    let report = inspect(connection).await?;
    if report.findings.is_empty() || !report.findings.iter().all(Finding::is_derived) {
        return Ok(report);
    }
    derive_again(connection).await?;
    inspect(connection).await
}

/// Finds the roads again, if the drives are those of the last batch; otherwise the next batch will replace the roads.
async fn compare_roads(reader: &mut Connection) -> Result<Option<Finding>, sqlx::Error> {
    let Some(batch) = roads::batch(reader).await? else { return Ok(None) };
    if road_builder::digest(reader, batch.day).await? != batch.traces {
        return Ok(None);
    }
    let mut stored = roads::all(reader).await?;
    let misplaced = roads::misplaced(reader, &stored).await?;
    let found = road_builder::find(reader, batch.day, batch.fewest, &stored).await?;
    let missing = found.iter().filter(|road| stored.remove(&road.id).as_ref() != Some(*road)).count();
    let roads = (missing + stored.len()).max(misplaced) as u64;
    Ok((roads > 0).then_some(Finding::Roads { roads }))
}

async fn compare_rows(
    reader: &mut Connection,
    recount: &Recount,
    doc: DocId,
    report: &mut Report,
) -> Result<(), sqlx::Error> {
    let state = &recount.docs[&doc];
    let is_due = due::find(reader, state.owner, doc).await?.is_some();
    report.due += u64::from(is_due);
    let stored = projector::stored(reader, state, doc).await?;
    if is_due {
        // Its rows are older than the log and may be incomplete.
        report.rows += stored.rows();
        for meet in meets_of(state, doc, &stored) {
            report.rows += meets::stored(reader, state.owner, meet).await?.as_ref().map_or(0, meets::rows);
        }
        return Ok(());
    }
    let derived = projector::derive(reader, state, doc, recount.revisions[&doc]).await?;
    report.rows += derived.rows().max(stored.rows());
    let mut is_right = derived == stored;
    for meet in meets_of(state, doc, &stored) {
        // An effective meet depends on several documents.
        let effective = meets::effective(reader, state.owner, meet).await?;
        let stored = meets::stored(reader, state.owner, meet).await?;
        let rows = |meet: &Option<(MeetRecord, Vec<AccountId>)>| meet.as_ref().map_or(0, meets::rows);
        report.rows += rows(&effective).max(rows(&stored));
        // Its owner may have blocked a co-organiser just before.
        let is_to_be_settled = due::find(reader, state.owner, social::people(&state.owner)).await?.is_some();
        is_right &= effective == stored || is_to_be_settled;
    }
    if !is_right {
        report.findings.push(Finding::Row { doc });
    }
    Ok(())
}

/// Returns the ids by which others find, or found before a renewal, the meets of a document.
fn meets_of(state: &DocumentState, doc: DocId, stored: &Derived) -> BTreeSet<DocId> {
    let found_by = match stored {
        Derived::Meet(part) => part.row.link_id(&state.owner, &doc),
        _ => None,
    };
    found_by.into_iter().chain([doc]).filter(|_| state.kind == DocKind::Meet).collect()
}

/// Writes the account states and the rows again, of every account whose log is complete, a few accounts in a
/// transaction: one transaction for all would need as much disk again. Meanwhile the stored version of the rows is
/// none, so that the next start begins again after an interruption.
async fn derive_again(connection: &mut Connection) -> Result<(), sqlx::Error> {
    let derived = derive_in_steps(connection).await;
    if derived.is_err() {
        // This fails if the transaction was rolled back already.
        drop(connection.roll_back().await);
    }
    derived
}

async fn derive_in_steps(writer: &mut Connection) -> Result<(), sqlx::Error> {
    let accounts = accounts::all(writer).await?;
    if !accounts.is_empty() {
        tracing::info!(
            accounts = accounts.len(),
            "deriving the rows of all accounts from the log again, which may take a while"
        );
    }
    writer.begin().await?;
    relay::set_projected(writer, projector::NO_VERSION).await?;
    read_models::remove_all(writer).await?;
    roads::remove_all(writer).await?;
    documents::release_all(writer).await?;
    due::remove_all(writer).await?;
    writer.commit().await?;
    writer.begin().await?;
    let mut in_step = 0;
    for (done, account) in accounts.iter().enumerate() {
        in_step += derive_account(writer, *account).await?;
        if in_step >= DERIVED_IN_A_STEP {
            writer.commit().await?;
            tracing::info!(accounts = done + 1, of = accounts.len(), "derived the rows of accounts again");
            writer.begin().await?;
            in_step = 0;
        }
    }
    relay::set_projected(writer, projector::VERSION).await?;
    writer.commit().await
}

/// The number of documents after which derived data is committed.
const DERIVED_IN_A_STEP: usize = 1_000;

/// Writes the state of an account again, if its log is complete, and the rows of its documents; returns their number.
pub(super) async fn derive_account(writer: &mut Connection, account: AccountId) -> Result<usize, sqlx::Error> {
    membership::derive_again(writer, account).await?;
    let mut report = Report::default();
    let recount = recount(writer, account, &mut report).await?;
    if report.findings.is_empty() {
        accounts::correct(writer, &recount.log).await?;
        let docs: Vec<_> = recount.docs.iter().map(|(doc, state)| (*doc, state, 0)).collect();
        documents::write(writer, &docs).await?;
        // The log does not contain the device that pushed an actor's changes.
        let before = documents::actor_uses(writer, account).await?;
        documents::remove_actor_uses(writer, account).await?;
        let counted = recount.last_seqs.iter().map(|(key, last_seq)| {
            let own_at = before.get(key).and_then(|used| used.own_at);
            (account, key.0, &key.1, ActorUse { last_seq: *last_seq, own_at })
        });
        documents::write_actor_uses(writer, &counted.collect::<Vec<_>>()).await?;
    }
    let due = |doc: &DocId| DueFold::unknown(*doc, &recount.docs[doc], recount.revisions[doc]);
    // A drive may allow its copy to be shown, so drives come first.
    let (drives, others): (Vec<_>, Vec<_>) =
        shown_docs(&recount).into_iter().partition(|doc| recount.docs[doc].kind == DocKind::Drive);
    let decisions = decisions::of(writer, account).await?;
    for docs in [&drives, &others] {
        projector::project(writer, docs.iter().map(due).collect(), Scope::All, &decisions, &mut Vec::new()).await?;
    }
    Ok(drives.len() + others.len())
}

/// Derives all rows again if another version derived them, as after an upgrade.
pub(crate) async fn bring_rows_up_to_date(writer: &mut Connection) -> Result<(), sqlx::Error> {
    if relay::projected(writer).await? == projector::VERSION {
        return Ok(());
    }
    derive_again(writer).await
}

/// Computes the state of an account from its entries, and reports faulty entries.
async fn recount(reader: &mut Connection, account: AccountId, report: &mut Report) -> Result<Recount, sqlx::Error> {
    let books = accounts::log(reader, account).await?;
    let all = (DocId::from_bytes([0; 16]), DocId::from_bytes([0xff; 16]));
    let docs = documents::in_range(reader, account, all.0, all.1, usize::MAX).await?;
    let kinds: BTreeMap<DocId, DocKind> = docs.iter().map(|(doc, kind)| (doc.doc, *kind)).collect();
    let mut recount = Recount::new(&books, &kinds);
    let mut entries = Entries::of(reader, account).await?;
    loop {
        let page = entries.next(reader).await?;
        for entry in &page {
            if let Err(fault) = recount.enter(entry) {
                report.findings.push(Finding::Entry { account, seq: entry.seq, fault });
            }
        }
        report.changes += page.len() as u64;
        if page.is_empty() {
            return Ok(recount);
        }
    }
}

async fn compare_books(
    reader: &mut Connection,
    account: AccountId,
    recount: &Recount,
    report: &mut Report,
) -> Result<(), sqlx::Error> {
    let books = accounts::log(reader, account).await?;
    let uses = documents::actor_uses(reader, account).await?;
    let last_seqs: BTreeMap<_, _> = uses.into_iter().map(|(key, used)| (key, used.last_seq)).collect();
    let counted = &recount.log;
    let agree = (books.head, books.digest, books.usage) == (counted.head, counted.digest, counted.usage);
    if !agree || last_seqs != recount.last_seqs {
        report.findings.push(Finding::Books { account });
    }
    for (doc, counted) in &recount.docs {
        report.documents += 1;
        if documents::find(reader, counted.owner, *doc).await?.as_ref() != Some(counted) {
            report.findings.push(Finding::Heads { doc: *doc });
        }
    }
    Ok(())
}

/// Returns the documents with rows, in the order of the log; of an account's profile documents the one written last.
fn shown_docs(recount: &Recount) -> Vec<DocId> {
    let kind = |doc: &DocId| recount.docs[doc].kind;
    let revision = |doc: &DocId| recount.revisions[doc];
    let profile = recount.revisions.keys().filter(|doc| kind(doc) == DocKind::Profile).copied().max_by_key(revision);
    let has_rows = |doc: &DocId| kind(doc).policy().relay_rows != RelayRows::None;
    let is_shown = |doc: &DocId| has_rows(doc) && (kind(doc) != DocKind::Profile || Some(*doc) == profile);
    let mut docs: Vec<DocId> = recount.revisions.keys().copied().filter(is_shown).collect();
    docs.sort_by_key(revision);
    docs
}
