//! Looks whether a database is sound, and derives again what can be derived.
//!
//! The log is the truth: each entry is read as it was when it came, also out of a snapshot that covers it; the books (heads,
//! digest, numbers) are counted again, and every row is folded again and compared.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use tourismo_core::admission::DocumentState;
use tourismo_core::docs::social;
use tourismo_core::id::{AccountId, DocId};
use tourismo_core::wire::DocKind;

use super::MaintenanceError;
use super::entries::Entries;
pub use super::recount::EntryFault;
use super::recount::Recount;
use crate::db::documents::ActorUse;
use crate::db::meets::{self, MeetRecord};
use crate::db::sql::Connection;
use crate::db::{self, Claim, Location, accounts, documents, due, profiles, read_models, relay, roads};
use crate::jobs::road_builder;
use crate::writer::projector::{self, Derived, DueFold, Scope};

/// What a check came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// How many accounts were looked at.
    pub accounts: u64,
    /// How many documents.
    pub documents: u64,
    /// How many changes.
    pub changes: u64,
    /// How many rows there are to be derived.
    pub rows: u64,
    /// The documents that are kept and synced, but in quarantine: what is shown of them is what was read last, if anything.
    pub quarantined: Vec<Quarantined>,
    /// How many documents' rows are still to be derived: that happens while the database is served.
    pub due: u64,
    /// What is wrong; empty if nothing is.
    pub findings: Vec<Finding>,
}

/// A document in quarantine. Its owner is told, too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantined {
    /// Whose it is.
    pub account: AccountId,
    /// The document.
    pub doc: DocId,
    /// Its kind.
    pub kind: DocKind,
    /// Why: `unreadable` or `too_large`.
    pub reason: &'static str,
}

impl fmt::Display for Quarantined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Quarantined { account, doc, kind, reason } = self;
        write!(f, "quarantine: {kind:?} {doc} of account {account}: {reason}")
    }
}

/// Something that is wrong with a database. Names what it is about, never what that holds.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Finding {
    /// SQLite or Postgres finds what it stores damaged.
    #[error("storage: {0}")]
    Storage(String),
    /// The relay does not know who it is.
    #[error("this is no relay's database: it has no identity")]
    NoIdentity,
    /// An account's positions are not 1, 2, 3… up to its head.
    #[error("account {account}: its log does not have the entries that its head counts")]
    Positions {
        /// Whose log.
        account: AccountId,
    },
    /// An entry of a log is not as it must be.
    #[error("account {account}: entry {seq} of its log {fault}")]
    Entry {
        /// Whose log.
        account: AccountId,
        /// Its position.
        seq: u64,
        /// What it is not.
        fault: EntryFault,
    },
    /// An account's head, digest or numbers are not those of its log.
    #[error("account {account}: its books are not those of its log")]
    Books {
        /// Whose.
        account: AccountId,
    },
    /// A document's heads are not those of its changes.
    #[error("document {doc}: its heads are not those of its changes")]
    Heads {
        /// Which.
        doc: DocId,
    },
    /// A document's row is not what its changes fold to.
    #[error("document {doc}: its row is not what its changes say")]
    Row {
        /// Which.
        doc: DocId,
    },
    /// A profile has a handle that another one claimed before it, or lacks its own.
    #[error("document {doc}: its handle is not with who claimed it first")]
    Handle {
        /// Which.
        doc: DocId,
    },
    /// The roads are not what the drives say that they were found in.
    #[error("{roads} roads are not what the drives say")]
    Roads {
        /// How many.
        roads: u64,
    },
    /// There are rows of no document.
    #[error("{rows} rows belong to no document")]
    StrayRows {
        /// How many.
        rows: u64,
    },
}

impl Finding {
    /// Whether it is about something that can be derived from the log again.
    pub fn is_derived(&self) -> bool {
        match self {
            Finding::Books { .. }
            | Finding::Heads { .. }
            | Finding::Row { .. }
            | Finding::Handle { .. }
            | Finding::Roads { .. }
            | Finding::StrayRows { .. } => true,
            Finding::Storage(_) | Finding::NoIdentity | Finding::Positions { .. } | Finding::Entry { .. } => false,
        }
    }
}

/// Looks at a database, also while it is served: at one moment of it.
///
/// # Errors
/// [`MaintenanceError`] if it cannot be looked at.
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

/// Throws away what can be derived from the log and derives it again, then looks at the database.
///
/// # Errors
/// [`MaintenanceError`] if somebody serves the database, or it cannot be written.
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

/// What the engine itself finds.
pub(super) async fn storage(connection: &mut Connection) -> Result<Vec<Finding>, sqlx::Error> {
    Ok(db::damage(connection).await?.into_iter().map(Finding::Storage).collect())
}

/// Looks at what costs no reading of changes: the identity, and whether the logs have no gaps.
pub(super) async fn positions(connection: &mut Connection) -> Result<Vec<Finding>, sqlx::Error> {
    if db::relay::identity(connection).await?.is_none() {
        return Ok(vec![Finding::NoIdentity]);
    }
    let accounts = accounts::with_gaps(connection).await?;
    Ok(accounts.into_iter().map(|account| Finding::Positions { account }).collect())
}

/// Looks at everything, at one moment of the database.
async fn inspect(connection: &mut Connection) -> Result<Report, sqlx::Error> {
    connection.begin_snapshot().await?;
    let snapshot = connection;
    let mut report = Report { findings: positions(snapshot).await?, ..Report::default() };
    for account in accounts::all(snapshot).await? {
        report.accounts += 1;
        let recount = recount(snapshot, account, &mut report).await?;
        compare_books(snapshot, account, &recount, &mut report).await?;
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

/// Looks at everything, and derives again what can be derived if that is all that differs: another version may derive other
/// rows.
pub(super) async fn inspect_and_repair(connection: &mut Connection) -> Result<Report, sqlx::Error> {
    let report = inspect(connection).await?;
    if report.findings.is_empty() || !report.findings.iter().all(Finding::is_derived) {
        return Ok(report);
    }
    derive_again(connection).await?;
    inspect(connection).await
}

/// Finds the roads again, if the last batch was made of the drives that there are; otherwise the next one makes them anew.
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
        // Its rows are older than the log, and may be half written.
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
        // What counts of a meet is made of several documents.
        let effective = meets::effective(reader, state.owner, meet).await?;
        let stored = meets::stored(reader, state.owner, meet).await?;
        let rows = |meet: &Option<(MeetRecord, Vec<AccountId>)>| meet.as_ref().map_or(0, meets::rows);
        report.rows += rows(&effective).max(rows(&stored));
        // Its owner may have blocked a co-organiser just now.
        let is_to_be_settled = due::find(reader, state.owner, social::people(&state.owner)).await?.is_some();
        is_right &= effective == stored || is_to_be_settled;
    }
    if !is_right {
        report.findings.push(Finding::Row { doc });
    }
    Ok(())
}

/// The ids by which others find what a document says of a meet, or found it before its link was renewed.
fn meets_of(state: &DocumentState, doc: DocId, stored: &Derived) -> BTreeSet<DocId> {
    let found_by = match stored {
        Derived::Meet(part) => part.row.link_id(&state.owner, &doc),
        _ => None,
    };
    found_by.into_iter().chain([doc]).filter(|_| state.kind == DocKind::Meet).collect()
}

/// Writes the books and the rows anew, of every account whose log is whole, a few accounts in a transaction: with a large log
/// one for all of them would take as much of the disk again. While this lasts, the database says that nobody made its rows, so
/// that whoever comes after an interruption begins again.
async fn derive_again(connection: &mut Connection) -> Result<(), sqlx::Error> {
    let derived = derive_in_steps(connection).await;
    if derived.is_err() {
        // This fails if it was rolled back already.
        drop(connection.roll_back().await);
    }
    derived
}

async fn derive_in_steps(writer: &mut Connection) -> Result<(), sqlx::Error> {
    let accounts = accounts::all(writer).await?;
    if !accounts.is_empty() {
        tracing::info!(accounts = accounts.len(), "deriving what is shown from the log again, which may take a while");
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
            tracing::info!(accounts = done + 1, of = accounts.len(), "derived again what they show");
            writer.begin().await?;
            in_step = 0;
        }
    }
    relay::set_projected(writer, projector::VERSION).await?;
    writer.commit().await
}

/// After how many documents what was derived is committed.
const DERIVED_IN_A_STEP: usize = 1_000;

/// Writes the books of an account anew, if its log is whole, and the rows of its documents; says how many these are.
async fn derive_account(writer: &mut Connection, account: AccountId) -> Result<usize, sqlx::Error> {
    let mut report = Report::default();
    let recount = recount(writer, account, &mut report).await?;
    if report.findings.is_empty() {
        accounts::correct(writer, &recount.log).await?;
        let docs: Vec<_> = recount.docs.iter().map(|(doc, state)| (*doc, state, 0)).collect();
        documents::write(writer, &docs).await?;
        // Who appended with an actor is in no log.
        let before = documents::actor_uses(writer, account).await?;
        documents::remove_actor_uses(writer, account).await?;
        let counted = recount.last_seqs.iter().map(|(key, last_seq)| {
            let own_at = before.get(key).and_then(|used| used.own_at);
            (account, key.0, &key.1, ActorUse { last_seq: *last_seq, own_at })
        });
        documents::write_actor_uses(writer, &counted.collect::<Vec<_>>()).await?;
    }
    let due = |doc: &DocId| DueFold::unknown(*doc, &recount.docs[doc], recount.revisions[doc]);
    // A drive may say that its copy may be shown.
    let (drives, others): (Vec<_>, Vec<_>) =
        shown_docs(&recount).into_iter().partition(|doc| recount.docs[doc].kind == DocKind::Drive);
    for docs in [&drives, &others] {
        projector::project(writer, docs.iter().map(due).collect(), Scope::All, &mut Vec::new()).await?;
    }
    Ok(drives.len() + others.len())
}

/// Derives all rows again if another version made them, as after an upgrade.
pub(crate) async fn bring_rows_up_to_date(writer: &mut Connection) -> Result<(), sqlx::Error> {
    if relay::projected(writer).await? == projector::VERSION {
        return Ok(());
    }
    derive_again(writer).await
}

/// Counts the books of an account again, and reports the entries that are not as they must be.
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

/// The documents that rows are derived from, in the order of the log; of an account's profiles the one that was written last.
fn shown_docs(recount: &Recount) -> Vec<DocId> {
    let kind = |doc: &DocId| recount.docs[doc].kind;
    let revision = |doc: &DocId| recount.revisions[doc];
    let profile = recount.revisions.keys().filter(|doc| kind(doc) == DocKind::Profile).copied().max_by_key(revision);
    let is_shown =
        |doc: &DocId| projector::has_rows(kind(doc)) && (kind(doc) != DocKind::Profile || Some(*doc) == profile);
    let mut docs: Vec<DocId> = recount.revisions.keys().copied().filter(is_shown).collect();
    docs.sort_by_key(revision);
    docs
}
