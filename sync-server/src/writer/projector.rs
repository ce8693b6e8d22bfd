//! Derives the rows that others may read: for small documents in the transaction of the change, for larger ones in the
//! background, whose rows are written in portions.
//!
//! This is the only place of the relay where Automerge loads a document. Pushed changes have passed the core's scan,
//! but Automerge may still panic. Then the panic is contained here, and the document is quarantined: its changes are
//! kept and synced, and it is not loaded again. A document that is larger than anything that is shown is quarantined,
//! too. Its rows stay as they were last read, so that nobody gets access; only changes that narrow visibility are
//! applied, each read from its change alone. The same holds for such changes to a due document. `[P13]`

mod aggregates;
mod background;
mod fold;
mod last_good;
mod portions;
#[cfg(test)]
mod row_shapes;
mod withheld;
mod write;

use tourismo_core::admission::DocumentState;
use tourismo_core::docs::social::SocialRow;
use tourismo_core::docs::{CarFields, LogItem};
use tourismo_core::id::{AccountId, DocId};
use tourismo_core::kind::FoldBounds;
use tourismo_core::projection;
use tourismo_core::time::Timestamp;
use tourismo_core::wire::DocKind;

pub(crate) use self::aggregates::stored;
use self::aggregates::{About, Settling};
pub(super) use self::background::apply;
pub(crate) use self::background::{Step, prepare};
pub(super) use self::fold::Loaded;
use self::fold::{FoldInput, Folded, History, Since, Unfolded, fold_all};
pub(crate) use self::fold::{SMALL, Scope};
use self::last_good::last_good;
pub(super) use self::last_good::narrow;
use self::withheld::without_withheld;
use self::write::write_all;
use crate::db::change_log::{self, ChunksOf};
use crate::db::decisions::{self, Decisions};
use crate::db::documents::{self, Quarantine};
use crate::db::drives::OwnDrive;
use crate::db::meets::MeetPart;
use crate::db::profiles::ProfileRecord;
use crate::db::published::DriveRecord;
use crate::db::sql::Connection;
use crate::db::unbound;
use crate::notify::event_bus::BusEvent;

/// The version of the derived rows: the version of the fold, and of the rows that this module derives from it. A server that
/// finds another version derives all rows again.
pub(crate) const VERSION: u32 = ROWS + projection::VERSION as u32;
const ROWS: u32 = 4;

/// The version of rows while they are being derived again: some are missing.
pub(crate) const NO_VERSION: u32 = 0;

/// Maximum size of the chunks, bytes, and number of documents that are folded together, to bound the memory.
const AT_ONCE_BYTES: usize = 1 << 20;
const AT_ONCE: usize = 64;

/// Maximum number of documents of one transaction that stay loaded after their rows were derived.
const KEPT_LOADED: usize = 128;

/// The rows of a document.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Derived {
    /// A published drive with the blocks of its track.
    Published(Box<DriveRecord>, Vec<Vec<u8>>),
    /// The profile of its account.
    Profile(ProfileRecord),
    /// A drive, for its owner.
    Drive(Box<OwnDrive>),
    /// A car and its logbook, ascending by id.
    Car(CarFields, Vec<LogItem>),
    /// The statements of its account about accounts, drives and meets.
    Social(SocialRow),
    /// The content of a meet or an amendment.
    Meet(Box<MeetPart>),
    /// Nothing is shown, because its id is not bound to its account: it might be another account's id. `[B3]`
    NotShown,
    /// No row: required fields are missing, or nobody may see it.
    Nothing,
    /// The stored rows stay, because it cannot be read.
    Quarantined(Quarantine),
}

/// The measured cost of deriving rows, in changes that could have been stored meanwhile.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct DeriveCost {
    pub(super) changes: u64,
}

impl DeriveCost {
    pub(crate) fn changes(&self) -> u64 {
        self.changes
    }
}

/// A document whose rows must be derived.
pub(crate) struct DueFold {
    pub(crate) id: DocId,
    pub(crate) owner: AccountId,
    pub(crate) kind: DocKind,
    /// The log position of its newest change.
    pub(crate) revision: u64,
    /// The log position of the first change that its rows do not include; none if all of it is derived again.
    pub(crate) first: Option<u64>,
    /// The document as it was last folded, with the changes since, if it is remembered; otherwise it is read.
    pub(crate) before: Option<(Loaded, Vec<Vec<u8>>)>,
}

impl DueFold {
    /// Returns a document that is not remembered.
    pub(crate) fn unknown(id: DocId, doc: &DocumentState, revision: u64) -> DueFold {
        DueFold { id, owner: doc.owner, kind: doc.kind, revision, first: None, before: None }
    }
}

/// A document whose rows were derived.
pub(crate) struct Projected {
    pub(crate) id: DocId,
    pub(crate) owner: AccountId,
    /// Whether it is quarantined.
    pub(crate) is_quarantined: bool,
    /// Whether rows are left to be derived in the background.
    pub(crate) is_due: bool,
    /// Another document of the account that may be shown since these rows were written. `[B3]`
    pub(crate) allowed: Option<DocId>,
    /// The folded document, for the first of many.
    pub(crate) loaded: Option<Loaded>,
    pub(crate) work: DeriveCost,
}

/// Folds documents and replaces their rows. Quarantined documents must not be passed: more changes make no document
/// smaller or readable. Adds the visible changes to `events`.
pub(crate) async fn project(
    writer: &mut Connection,
    due: Vec<DueFold>,
    scope: Scope<'_>,
    decisions: &Decisions,
    events: &mut Vec<BusEvent>,
) -> Result<Vec<Projected>, sqlx::Error> {
    let settling = match scope {
        Scope::Small => Settling::AFew,
        Scope::All | Scope::Beside(_) => Settling::All,
    };
    let (mut due, mut projected) = (due.into_iter().peekable(), Vec::new());
    while due.peek().is_some() {
        let (mut these, mut bytes) = (Vec::new(), 0);
        while bytes < AT_ONCE_BYTES
            && these.len() < AT_ONCE
            && let Some(one) = due.next()
        {
            let (about, material) = gather(writer, one, scope).await?;
            bytes += material.as_ref().map_or(0, |material| material.chunks.iter().map(Vec::len).sum());
            these.push((about, material));
        }
        let (mut derived, not_small) = derive_all(writer, these, scope, decisions).await?;
        for outcome in &mut derived {
            if let (Some((why, _)), None) = (outcome.quarantine, outcome.subject.first) {
                let (through, rows) = last_good(writer, &outcome.subject, u64::MAX, scope, decisions).await?;
                (outcome.quarantine, outcome.rows) = (Some((why, through)), rows);
            }
        }
        write_all(writer, derived, settling, decisions, events, &mut projected).await?;
        projected.extend(not_small.into_iter().map(|subject| Projected {
            id: subject.id,
            owner: subject.owner,
            is_quarantined: false,
            is_due: true,
            allowed: None,
            loaded: None,
            work: DeriveCost::default(),
        }));
    }
    Ok(projected)
}

/// Derives the rows of a document, independent of stored rows.
pub(crate) async fn derive(
    reader: &mut Connection,
    doc: &DocumentState,
    id: DocId,
    revision: u64,
) -> Result<Derived, sqlx::Error> {
    let decisions = &decisions::of(reader, doc.owner).await?;
    if let Some(through) = documents::good_through(reader, doc.owner, id).await? {
        let subject = FoldTarget { id, owner: doc.owner, kind: doc.kind, revision, first: None };
        return last_good(reader, &subject, through, Scope::All, decisions).await.map(|(_, rows)| rows);
    }
    let gathered = gather(reader, DueFold::unknown(id, doc, revision), Scope::All).await?;
    let derived = derive_all(reader, vec![gathered], Scope::All, decisions).await?.0.pop();
    Ok(derived.expect("one came of one").rows)
}

/// A document that is about to be folded.
#[derive(Clone, Copy, Debug)]
struct FoldTarget {
    id: DocId,
    owner: AccountId,
    kind: DocKind,
    revision: u64,
    first: Option<u64>,
}

/// The result of folding a document.
struct FoldResult {
    subject: FoldTarget,
    loaded: Option<Loaded>,
    /// Its stored rows, if they are known.
    before: Option<Derived>,
    rows: Derived,
    /// Why it is quarantined, and up to which position its rows include its changes.
    quarantine: Option<(Quarantine, u64)>,
    work: DeriveCost,
}

/// Reads the chunks of a document, unless they are too large.
async fn gather(
    reader: &mut Connection,
    due: DueFold,
    scope: Scope<'_>,
) -> Result<(FoldTarget, Result<FoldInput, Unfolded>), sqlx::Error> {
    let DueFold { id, owner, kind, revision, first, before } = due;
    let subject = FoldTarget { id, owner, kind, revision, first };
    if let Some((loaded, chunks)) = before {
        let changes = chunks.len() as u64;
        return Ok((subject, Ok(FoldInput { kind, loaded, chunks, changes })));
    }
    let FoldBounds { bytes, changes, .. } = kind.policy().fold_bounds;
    let (bytes, more) = match scope {
        Scope::Small => (bytes.min(SMALL.bytes), Unfolded::NotSmall),
        Scope::All | Scope::Beside(_) => (bytes, Unfolded::Quarantined(Quarantine::TooLarge)),
    };
    let material = match change_log::chunks(reader, owner, id, bytes, changes).await? {
        ChunksOf::Whole { received_at, is_from_snapshot, changes, chunks } => {
            let since = if is_from_snapshot { Since::Snapshot(received_at) } else { Since::Changes(received_at) };
            Ok(FoldInput { kind, loaded: Loaded::empty(since), chunks, changes })
        }
        ChunksOf::TooMuch => Err(more),
    };
    Ok((subject, material))
}

/// Derives the rows of documents; returns those that are not small if only small ones are folded.
async fn derive_all(
    reader: &mut Connection,
    gathered: Vec<(FoldTarget, Result<FoldInput, Unfolded>)>,
    scope: Scope<'_>,
    decisions: &Decisions,
) -> Result<(Vec<FoldResult>, Vec<FoldTarget>), sqlx::Error> {
    let (mut subjects, mut befores, mut materials) = (Vec::new(), Vec::new(), Vec::new());
    for (subject, material) in gathered {
        let material = material.map(|mut material| {
            befores.push(material.loaded.rows.take());
            materials.push(material);
        });
        subjects.push((subject, material));
    }
    let (mut folded, mut befores) = (fold_all(materials, scope).await?.into_iter(), befores.into_iter());
    let (mut outcomes, mut not_small) = (Vec::with_capacity(subjects.len()), Vec::new());
    for (subject, material) in subjects {
        let before = if material.is_ok() { befores.next().flatten() } else { None };
        let (folded, work) = match material {
            Ok(()) => folded.next().expect("each was folded"),
            Err(why) => (Err(why), DeriveCost::default()),
        };
        match folded {
            Ok(folded) => {
                let (loaded, rows) = rows_of(reader, &subject, folded, decisions).await?;
                outcomes.push(FoldResult { subject, loaded: Some(loaded), before, rows, quarantine: None, work });
            }
            Err(Unfolded::Quarantined(why)) => {
                let through = subject.first.map_or(0, |first| first.saturating_sub(1));
                let (rows, quarantine) = (Derived::Quarantined(why), Some((why, through)));
                outcomes.push(FoldResult { subject, loaded: None, before, rows, quarantine, work });
            }
            Err(Unfolded::NotSmall) => not_small.push(subject),
        }
    }
    Ok((outcomes, not_small))
}

/// Derives the rows of a folded document, without what operators withhold.
async fn rows_of(
    reader: &mut Connection,
    subject: &FoldTarget,
    folded: Folded,
    decisions: &Decisions,
) -> Result<(Loaded, Derived), sqlx::Error> {
    let FoldTarget { id, owner, revision, .. } = *subject;
    let Folded { loaded, row, claim, history, trace } = folded;
    let claimed_at = match claim {
        Some(change) => change_log::received_at(reader, owner, id, change).await?,
        None => Timestamp(0),
    };
    let received_at = loaded.received_at();
    let (shown_at, updated_at) = times(reader, owner, id, &history, received_at).await?;
    let about = About { owner, doc: id, revision, received_at, claimed_at, shown_at, updated_at };
    let rows = aggregates::derive(about, row, trace);
    match found_by(subject, &rows) {
        Some(link) if !unbound::may_show(reader, owner, link).await? => Ok((loaded, Derived::NotShown)),
        Some(_) | None => Ok((loaded, without_withheld(reader, subject, rows, decisions).await?)),
    }
}

/// Removes from the stored rows of a document, at once, what an operator has decided to hide. `[O3]`
pub(super) async fn withhold(
    writer: &mut Connection,
    doc: &DocumentState,
    id: DocId,
    decisions: &Decisions,
    events: &mut Vec<BusEvent>,
) -> Result<(), sqlx::Error> {
    let subject = FoldTarget { id, owner: doc.owner, kind: doc.kind, revision: 0, first: None };
    let before = stored(writer, doc, id).await?;
    let rows = without_withheld(writer, &subject, before.clone(), decisions).await?;
    if rows == before {
        return Ok(());
    }
    let work = DeriveCost::default();
    let outcome = FoldResult { subject, loaded: None, before: Some(before), rows, quarantine: None, work };
    write_all(writer, vec![outcome], Settling::All, decisions, events, &mut Vec::new()).await
}

/// Returns when a published drive got its present visibility, to the hour, and when it was last changed. The latter is
/// the hour, plus a second for each change after the first, so that every change makes it newer without revealing the
/// time of day.
async fn times(
    reader: &mut Connection,
    owner: AccountId,
    id: DocId,
    history: &History,
    received_at: Timestamp,
) -> Result<(Timestamp, Timestamp), sqlx::Error> {
    let mut shown_at = received_at;
    if let Some(change) = history.shown {
        shown_at = shown_at.max(change_log::received_at(reader, owner, id, change).await?);
    }
    let changed_at = shown_at.max(change_log::newest_received_at(reader, owner, id, &history.heads).await?);
    let later_ms = 1_000 * i64::from(history.changes.saturating_sub(1));
    Ok((shown_at.floor_to_hour(), changed_at.floor_to_hour() + later_ms))
}

/// Returns the id by which alone others find the rows, if there is one.
fn found_by(subject: &FoldTarget, rows: &Derived) -> Option<DocId> {
    match rows {
        Derived::Published(..) => Some(subject.id),
        Derived::Meet(part) => part.row.link_id(&subject.owner, &subject.id),
        Derived::Profile(_)
        | Derived::Drive(_)
        | Derived::Car(..)
        | Derived::Social(_)
        | Derived::NotShown
        | Derived::Nothing
        | Derived::Quarantined(_) => None,
    }
}
