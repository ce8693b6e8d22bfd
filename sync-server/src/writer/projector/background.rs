//! Derives the rows of documents that are too large to be derived while everybody waits: they are folded on a separate
//! thread, and the writer writes the rows in steps.
//!
//! A step is written only if the document has not changed since it was read. A change in between makes the document due
//! again, and the remaining steps are dropped: an older state never replaces a newer one.

use tourismo_core::admission::DocumentState;
use tourismo_core::docs::social;
use tourismo_core::id::{AccountId, DocId};
use tourismo_core::kind::RelayRows;

use super::aggregates::{Settling, meet, published};
use super::portions::{MEETS_AT_ONCE, Portion, portions};
use super::write::{set_aside, write_all};
use super::{DeriveCost, Derived, DueFold, FoldResult, FoldTarget, Scope, derive_all, gather, last_good, stored};
use crate::db::decisions::{self, Decisions};
use crate::db::documents::{self, Quarantine};
use crate::db::due::{self, DueDocument};
use crate::db::sql::{Connection, Pool};
use crate::db::{meets, profiles, unbound};
use crate::notify::event_bus::BusEvent;
use crate::runtime::background_thread::BackgroundThread;
use crate::writer::ROWS_OF_A_CHANGE;

/// The number of meets of an account that are read at a time.
const MEETS_PAGE: u32 = 100;

/// The rows of a document, to be written step by step, with the cost of deriving them.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) steps: Vec<Step>,
    pub(crate) work: DeriveCost,
}

/// The rows of a document that are written in one transaction.
#[derive(Debug)]
pub(crate) struct Step {
    subject: FoldTarget,
    /// The number of the newest operators' decision about the account when it was read.
    decided: u64,
    /// `None` if nothing differs.
    portion: Option<Portion>,
    /// Why the last step quarantines the document, and up to which position its rows include its changes.
    quarantine: Option<(Quarantine, u64)>,
    is_last: bool,
}

impl Step {
    pub(crate) fn account(&self) -> AccountId {
        self.subject.owner
    }

    pub(crate) fn doc(&self) -> DocId {
        self.subject.id
    }

    /// Returns the approximate number of rows that it writes.
    pub(crate) fn rows(&self) -> usize {
        1 + self.portion.as_ref().map_or(0, Portion::rows)
    }

    /// Returns whether the step may change the public feed.
    pub(in crate::writer) fn is_public(&self) -> bool {
        self.subject.kind.policy().is_in_public_feed
    }

    /// Returns, for the last step, whether the document is quarantined then.
    pub(in crate::writer) fn ends_in_quarantine(&self) -> Option<bool> {
        self.is_last.then_some(self.quarantine.is_some())
    }
}

/// Projects the rows of a due document; `None` if it is not due.
pub(crate) async fn prepare(
    readers: &Pool,
    thread: &BackgroundThread,
    due: DueDocument,
) -> Result<Option<Prepared>, sqlx::Error> {
    let DueDocument { account, doc, .. } = due;
    let scope = Scope::Beside(thread);
    let (log, subject, material, decisions) = {
        let mut moment = readers.snapshot().await?;
        let Some(revision) = due::find(&mut moment, account, doc).await? else { return Ok(None) };
        let Some(log) = documents::find(&mut moment, account, doc).await? else { return Ok(None) };
        let subject = FoldTarget { id: doc, owner: account, kind: log.kind, revision, first: None };
        let material = match documents::good_through(&mut moment, account, doc).await? {
            Some(_) => None,
            None => Some(gather(&mut moment, DueFold::unknown(doc, &log, revision), scope).await?),
        };
        let decisions = decisions::of(&mut moment, account).await?;
        (log, subject, material, decisions)
    };
    let (mut written, mut quarantine, mut work) = (Vec::new(), None, DeriveCost::default());
    if let Some(material) = material {
        let derived = derive_all(&mut readers.acquire().await?, vec![material], scope, &decisions).await?.0.pop();
        let FoldResult { mut rows, quarantine: why, work: took, .. } = derived.expect("one came of one");
        work = took;
        if let Some((why, _)) = why {
            let (through, good) =
                last_good(&mut readers.snapshot().await?, &subject, u64::MAX, scope, &decisions).await?;
            (quarantine, rows) = (Some((why, through)), good);
        }
        written = portions(what_is_stored(readers, &log, doc).await?, rows);
    }
    if doc == social::people(&account) {
        written.extend(meets_to_settle(readers, account).await?);
    }
    work.changes += written.iter().map(Portion::rows).sum::<usize>() as u64 / ROWS_OF_A_CHANGE as u64;
    let decided = decisions.newest_of(&account);
    let step = |portion| Step { subject, decided, portion: Some(portion), quarantine: None, is_last: false };
    let mut steps: Vec<Step> = written.into_iter().map(step).collect();
    match steps.last_mut() {
        Some(last) => (last.is_last, last.quarantine) = (true, quarantine),
        None => steps.push(Step { subject, decided, portion: None, quarantine, is_last: true }),
    }
    Ok(Some(Prepared { steps, work }))
}

/// Reads the stored rows of a document, so that only differences are written. A change in between makes the document
/// due again.
async fn what_is_stored(readers: &Pool, log: &DocumentState, doc: DocId) -> Result<Option<Derived>, sqlx::Error> {
    match log.kind.policy().relay_rows {
        RelayRows::Differing => stored(&mut readers.acquire().await?, log, doc).await.map(Some),
        RelayRows::Whole | RelayRows::None => Ok(None),
    }
}

/// Returns the meets of an account whose effective state differs from the stored one, for example after a co-organiser
/// was blocked.
async fn meets_to_settle(readers: &Pool, account: AccountId) -> Result<Vec<Portion>, sqlx::Error> {
    let (mut after, mut differ) = (DocId::from_bytes([0; 16]), Vec::new());
    loop {
        let mut reader = readers.snapshot().await?;
        let page = meets::organised_after(&mut reader, account, after, MEETS_PAGE).await?;
        let Some(last) = page.last() else { break };
        after = *last;
        for meet in page {
            let stored = meets::stored(&mut reader, account, meet).await?;
            if stored.is_none() || stored != meets::effective(&mut reader, account, meet).await? {
                differ.push(meet);
            }
        }
    }
    Ok(differ.chunks(MEETS_AT_ONCE).map(|meets| Portion::Meets(meets.to_vec())).collect())
}

/// Writes a step in the open transaction, unless the document has changed, or an operator has decided something about its
/// account, since it was read. Returns nothing then, and otherwise other documents of the account that may be shown since.
pub(in crate::writer) async fn apply(
    writer: &mut Connection,
    step: &Step,
    decisions: &Decisions,
    events: &mut Vec<BusEvent>,
) -> Result<Option<Vec<DocId>>, sqlx::Error> {
    let FoldTarget { id, owner, revision, .. } = step.subject;
    if due::find(writer, owner, id).await? != Some(revision) || decisions.newest_of(&owner) != step.decided {
        return Ok(None);
    }
    let mut projected = Vec::new();
    match &step.portion {
        // It may have become visible since it was read, and stays due.
        Some(Portion::Rows { rows, .. })
            if **rows == Derived::NotShown && unbound::may_show(writer, owner, id).await? =>
        {
            return Ok(None);
        }
        Some(Portion::Rows { before, rows }) => {
            // Profile documents of an account share a row: the one written last is shown.
            let is_older = match &**rows {
                Derived::Profile(profile) => profiles::record(writer, owner)
                    .await?
                    .is_some_and(|shown| shown.doc != id && shown.revision > profile.revision),
                _ => false,
            };
            if !is_older {
                let (before, rows) = (before.as_deref().cloned(), (**rows).clone());
                let (subject, work) = (step.subject, DeriveCost::default());
                let outcome = FoldResult { subject, loaded: None, before, rows, quarantine: None, work };
                write_all(writer, vec![outcome], Settling::None, decisions, events, &mut projected).await?;
            }
        }
        Some(Portion::Blocks { first, blocks }) => {
            crate::db::published::insert_blocks(writer, owner, id, *first, blocks).await?;
        }
        Some(Portion::Show(drive)) => published::show(writer, drive, events).await?,
        Some(Portion::Meets(meets)) => {
            for meet in meets {
                meet::settle(writer, owner, *meet, events).await?;
            }
        }
        None => {}
    }
    if let Some((why, through)) = step.quarantine {
        set_aside(writer, owner, id, why, through).await?;
    }
    if step.is_last {
        due::remove(writer, owner, id).await?;
    }
    Ok(Some(projected.into_iter().filter_map(|projected| projected.allowed).collect()))
}
