//! Derives the rows of documents beside the writer that are too large to be derived while everybody waits: what is read is
//! folded on a thread for this alone, and written by the writer in steps.
//!
//! A step is written only while the document is as it was when it was read. A change that came meanwhile makes the document
//! due again, and what is left of the steps is dropped: an older state never takes the place of a newer one.

use tourismo_core::admission::DocumentState;
use tourismo_core::docs::social;
use tourismo_core::id::{AccountId, DocId};
use tourismo_core::wire::DocKind;

use super::portions::{MEETS_AT_ONCE, Portion, portions};
use super::write::{Settling, set_aside, settle_meet, show, write_all};
use super::{DeriveCost, Derived, DueFold, FoldResult, FoldTarget, Scope, derive_all, gather, last_good, stored};
use crate::db::documents::{self, Quarantine};
use crate::db::due::{self, DueDocument};
use crate::db::sql::{Connection, Pool};
use crate::db::{meets, profiles, unbound};
use crate::notify::event_bus::BusEvent;
use crate::runtime::background_thread::BackgroundThread;
use crate::writer::ROWS_OF_A_CHANGE;

/// How many meets of an account are looked at at a time.
const MEETS_PAGE: u32 = 100;

/// The rows of a document, to be written step by step, and what deriving them took.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) steps: Vec<Step>,
    pub(crate) work: DeriveCost,
}

/// What is written of a document's rows in one transaction.
#[derive(Debug)]
pub(crate) struct Step {
    subject: FoldTarget,
    /// None where nothing differs.
    portion: Option<Portion>,
    /// Why the document goes into quarantine with the last step, and up to which position its rows are derived.
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

    /// How many rows it writes, roughly.
    pub(crate) fn rows(&self) -> usize {
        1 + self.portion.as_ref().map_or(0, Portion::rows)
    }

    /// Whether the public feed may look different afterwards.
    pub(in crate::writer) fn is_public(&self) -> bool {
        matches!(self.subject.kind, DocKind::Published | DocKind::Profile)
    }

    /// Whether nothing is left to be derived afterwards, and whether the document is in quarantine then.
    pub(in crate::writer) fn ends_in_quarantine(&self) -> Option<bool> {
        self.is_last.then_some(self.quarantine.is_some())
    }
}

/// Derives the rows of a due document; `None` if it is not due any more.
pub(crate) async fn prepare(
    readers: &Pool,
    thread: &BackgroundThread,
    due: DueDocument,
) -> Result<Option<Prepared>, sqlx::Error> {
    let DueDocument { account, doc, .. } = due;
    let scope = Scope::Beside(thread);
    let (log, subject, material) = {
        let mut moment = readers.snapshot().await?;
        let Some(revision) = due::find(&mut moment, account, doc).await? else { return Ok(None) };
        let Some(log) = documents::find(&mut moment, account, doc).await? else { return Ok(None) };
        let subject = FoldTarget { id: doc, owner: account, kind: log.kind, revision, first: None };
        let material = match documents::good_through(&mut moment, account, doc).await? {
            Some(_) => None,
            None => Some(gather(&mut moment, DueFold::unknown(doc, &log, revision), scope).await?),
        };
        (log, subject, material)
    };
    let (mut written, mut quarantine, mut work) = (Vec::new(), None, DeriveCost::default());
    if let Some(material) = material {
        let derived = derive_all(&mut readers.acquire().await?, vec![material], scope).await?.0.pop();
        let FoldResult { mut rows, quarantine: why, work: took, .. } = derived.expect("one came of one");
        work = took;
        if let Some((why, _)) = why {
            let (through, good) = last_good(&mut readers.snapshot().await?, &subject, u64::MAX, scope).await?;
            (quarantine, rows) = (Some((why, through)), good);
        }
        written = portions(what_is_stored(readers, &log, doc).await?, rows);
    }
    if doc == social::people(&account) {
        written.extend(meets_to_settle(readers, account).await?);
    }
    work.changes += written.iter().map(Portion::rows).sum::<usize>() as u64 / ROWS_OF_A_CHANGE as u64;
    let step = |portion| Step { subject, portion: Some(portion), quarantine: None, is_last: false };
    let mut steps: Vec<Step> = written.into_iter().map(step).collect();
    match steps.last_mut() {
        Some(last) => (last.is_last, last.quarantine) = (true, quarantine),
        None => steps.push(Step { subject, portion: None, quarantine, is_last: true }),
    }
    Ok(Some(Prepared { steps, work }))
}

/// The rows of a document of which only what differs is written. What comes in between makes the document due anew.
async fn what_is_stored(readers: &Pool, log: &DocumentState, doc: DocId) -> Result<Option<Derived>, sqlx::Error> {
    match log.kind {
        DocKind::Social | DocKind::Car => stored(&mut readers.acquire().await?, log, doc).await.map(Some),
        DocKind::Profile | DocKind::Settings | DocKind::Drive | DocKind::Track | DocKind::Published | DocKind::Meet => {
            Ok(None)
        }
    }
}

/// The meets of an account of which something else counts than what is stored, such as after a block of a co-organiser.
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

/// Writes a step, in the transaction that is open, unless the document has changed since it was read. Says whether it did,
/// and which other documents of the account may be shown since.
pub(in crate::writer) async fn apply(
    writer: &mut Connection,
    step: &Step,
    events: &mut Vec<BusEvent>,
) -> Result<Option<Vec<DocId>>, sqlx::Error> {
    let FoldTarget { id, owner, revision, .. } = step.subject;
    if due::find(writer, owner, id).await? != Some(revision) {
        return Ok(None);
    }
    let mut projected = Vec::new();
    match &step.portion {
        // It may be shown since it was read, and stays due.
        Some(Portion::Rows { rows, .. })
            if **rows == Derived::NotShown && unbound::may_show(writer, owner, id).await? =>
        {
            return Ok(None);
        }
        Some(Portion::Rows { before, rows }) => {
            // An account's profiles share a row: of two the one that was written last is shown.
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
                write_all(writer, vec![outcome], Settling::None, events, &mut projected).await?;
            }
        }
        Some(Portion::Blocks { first, blocks }) => {
            crate::db::published::insert_blocks(writer, owner, id, *first, blocks).await?;
        }
        Some(Portion::Show(drive)) => show(writer, drive, events).await?,
        Some(Portion::Meets(meets)) => {
            for meet in meets {
                settle_meet(writer, owner, *meet, events).await?;
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
