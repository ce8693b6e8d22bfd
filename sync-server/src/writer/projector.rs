//! Derives the rows that others may read: of small documents in the transaction that stores the change they come from, of
//! larger ones beside the writer, from where the rows come back in portions.
//!
//! The only place of the relay where Automerge loads a document. What was pushed passed core's scan, but Automerge may
//! still panic over it: then the panic stays here, and the document goes into quarantine. Its changes are kept and synced
//! all the same, and it is never loaded again; so is one that is larger than anything that is shown. What was read of it
//! last stays shown, so that nobody is let in by it; only words that narrow that are heard, each off its change alone. So
//! are those in a change to a document whose rows are still to be derived. `[P13]`

mod background;
mod fold;
mod last_good;
mod portions;
#[cfg(test)]
mod row_shapes;
mod rows;
mod stored;
mod write;

use tourismo_core::admission::DocumentState;
use tourismo_core::docs::social::SocialRow;
use tourismo_core::docs::{CarFields, LogItem};
use tourismo_core::id::{AccountId, DocId};
use tourismo_core::time::Timestamp;
use tourismo_core::wire::DocKind;

pub(super) use self::background::apply;
pub(crate) use self::background::{Step, prepare};
pub(super) use self::fold::Loaded;
use self::fold::{Bounds, FoldInput, Folded, History, Since, Unfolded, fold_all};
pub(crate) use self::fold::{SMALL, Scope};
use self::last_good::last_good;
pub(super) use self::last_good::narrow;
use self::rows::{About, rows};
pub(crate) use self::stored::stored;
use self::write::{Settling, write_all};
use crate::db::change_log::{self, ChunksOf};
use crate::db::documents::{self, Quarantine};
use crate::db::drives::OwnDrive;
use crate::db::meets::MeetPart;
use crate::db::profiles::ProfileRecord;
use crate::db::published::DriveRecord;
use crate::db::sql::Connection;
use crate::db::unbound;
use crate::notify::event_bus::BusEvent;

/// Which version of the rows this derives. A server that finds another one derives all of them again: since version 7 it
/// reads blocks of version 2.
pub(crate) const VERSION: u32 = 8;

/// The version of rows that are being derived again: not all of them are there.
pub(crate) const NO_VERSION: u32 = 0;

/// How much is folded in one go, so that what waits for its rows stays small: chunks, bytes; and documents.
const AT_ONCE_BYTES: usize = 1 << 20;
const AT_ONCE: usize = 64;

/// How many documents of one transaction stay loaded after their rows were derived.
const KEPT_LOADED: usize = 128;

/// What is derived from a document.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Derived {
    /// A published drive, and the blocks of its track.
    Published(Box<DriveRecord>, Vec<Vec<u8>>),
    /// Its account's profile.
    Profile(ProfileRecord),
    /// A drive, for its owner.
    Drive(Box<OwnDrive>),
    /// A car and its logbook, ascending by id.
    Car(CarFields, Vec<LogItem>),
    /// What its account says of people or of things.
    Social(SocialRow),
    /// What it says of a meet.
    Meet(Box<MeetPart>),
    /// Others would find it by its id, which is not bound to its account: it might be another account's. `[B3]`
    NotShown,
    /// No row: it says too little, or nobody may see it.
    Nothing,
    /// What is there stays: it cannot be read.
    Quarantined(Quarantine),
}

impl Derived {
    /// How many rows it has.
    pub(crate) fn rows(&self) -> u64 {
        match self {
            Derived::Published(drive, _) => 1 + u64::from(drive.is_in_home_feeds()) + u64::from(drive.trace.is_some()),
            Derived::Profile(_) | Derived::Drive(_) | Derived::Meet(_) | Derived::NotShown => 1,
            Derived::Car(_, log) => 1 + log.len() as u64,
            Derived::Social(row) => {
                let people = row.follows.len() + row.accepted.len() + row.blocked.len() + row.unblocked.len();
                (people + row.reactions.len() + row.comments.len() + row.rsvps.len()) as u64
            }
            Derived::Nothing | Derived::Quarantined(_) => 0,
        }
    }
}

/// What it took to derive rows, as it was measured, in changes that could have been stored meanwhile.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct DeriveCost {
    pub(super) changes: u64,
}

impl DeriveCost {
    pub(crate) fn changes(&self) -> u64 {
        self.changes
    }
}

/// A document whose rows are to be derived.
pub(crate) struct DueFold {
    pub(crate) id: DocId,
    pub(crate) owner: AccountId,
    pub(crate) kind: DocKind,
    /// The log position of its newest change.
    pub(crate) revision: u64,
    /// The log position of the first change that its rows do not have; none if all of it is derived anew.
    pub(crate) first: Option<u64>,
    /// The document as it was last folded, and the changes since, if that is remembered; otherwise it is read.
    pub(crate) before: Option<(Loaded, Vec<Vec<u8>>)>,
}

impl DueFold {
    /// A document of which nothing is remembered.
    pub(crate) fn unknown(id: DocId, doc: &DocumentState, revision: u64) -> DueFold {
        DueFold { id, owner: doc.owner, kind: doc.kind, revision, first: None, before: None }
    }
}

/// A document whose rows were derived.
pub(crate) struct Projected {
    pub(crate) id: DocId,
    pub(crate) owner: AccountId,
    /// Whether it is in quarantine.
    pub(crate) is_quarantined: bool,
    /// Whether rows are left to be derived beside the writer.
    pub(crate) is_due: bool,
    /// Another document of the account, which may be shown since these rows were written. `[B3]`
    pub(crate) allowed: Option<DocId>,
    /// The document as it was folded, of the first of many.
    pub(crate) loaded: Option<Loaded>,
    pub(crate) work: DeriveCost,
}

/// Folds documents and replaces their rows. One in quarantine is not to be folded: more changes make no document smaller or
/// easier to read. Says in `events` what looks different afterwards.
pub(crate) async fn project(
    writer: &mut Connection,
    due: Vec<DueFold>,
    scope: Scope<'_>,
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
        let (mut derived, not_small) = derive_all(writer, these, scope).await?;
        for outcome in &mut derived {
            if let (Some((why, _)), None) = (outcome.quarantine, outcome.subject.first) {
                let (through, rows) = last_good(writer, &outcome.subject, u64::MAX, scope).await?;
                (outcome.quarantine, outcome.rows) = (Some((why, through)), rows);
            }
        }
        write_all(writer, derived, settling, events, &mut projected).await?;
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

/// Whether rows are derived from documents of this kind.
pub(crate) fn has_rows(kind: DocKind) -> bool {
    match kind {
        DocKind::Profile | DocKind::Car | DocKind::Drive | DocKind::Published | DocKind::Social | DocKind::Meet => true,
        DocKind::Settings | DocKind::Track => false,
    }
}

/// What is to be derived from a document, whatever rows there are.
pub(crate) async fn derive(
    reader: &mut Connection,
    doc: &DocumentState,
    id: DocId,
    revision: u64,
) -> Result<Derived, sqlx::Error> {
    if let Some(through) = documents::good_through(reader, doc.owner, id).await? {
        let subject = FoldTarget { id, owner: doc.owner, kind: doc.kind, revision, first: None };
        return last_good(reader, &subject, through, Scope::All).await.map(|(_, rows)| rows);
    }
    let gathered = gather(reader, DueFold::unknown(id, doc, revision), Scope::All).await?;
    let derived = derive_all(reader, vec![gathered], Scope::All).await?.0.pop();
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

/// What came of folding one.
struct FoldResult {
    subject: FoldTarget,
    loaded: Option<Loaded>,
    /// The rows that it has, where that is known.
    before: Option<Derived>,
    rows: Derived,
    /// Why it goes into quarantine, and up to which position its rows are derived.
    quarantine: Option<(Quarantine, u64)>,
    work: DeriveCost,
}

/// Brings together what a document consists of, if it is not too much.
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
    let Bounds { bytes, changes, .. } = Bounds::of(kind);
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

/// What documents say, and those that are not small where only these are folded.
async fn derive_all(
    reader: &mut Connection,
    gathered: Vec<(FoldTarget, Result<FoldInput, Unfolded>)>,
    scope: Scope<'_>,
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
                let (loaded, rows) = rows_of(reader, &subject, folded).await?;
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

/// The rows of a document that was folded.
async fn rows_of(
    reader: &mut Connection,
    subject: &FoldTarget,
    folded: Folded,
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
    let rows = rows(about, row, trace);
    match found_by(subject, &rows) {
        Some(link) if !unbound::may_show(reader, owner, link).await? => Ok((loaded, Derived::NotShown)),
        Some(_) | None => Ok((loaded, rows)),
    }
}

/// When a published drive became visible as it is, to the hour, and when it was last changed: to the hour, too, and for each
/// change after the first a second later, so that every change makes it newer and none tells the time of day.
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

/// By which id alone others find what is derived from a document, if they do.
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
