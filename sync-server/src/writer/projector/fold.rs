//! Folds documents off the threads that serve sockets, many at a time, each where a panic over it is contained.
//!
//! What was folded once is kept loaded as long as the writer remembers it: the next change is applied to it, and the others
//! are not read again. This knows no SQL.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use automerge::Automerge;
use tourismo_core::docs::claim::claim;
use tourismo_core::docs::{Visibility, automerge_doc, published, snapshot};
use tourismo_core::id::ChangeHash;
use tourismo_core::projection::{self, DocumentRow, PublishedRow};
use tourismo_core::roads::RoadSteps;
use tourismo_core::time::Timestamp;
use tourismo_core::track::block::decode_all;
use tourismo_core::track::parts::parts;
use tourismo_core::wire::DocKind;

use super::{DeriveCost, Derived};
use crate::db::documents::Quarantine;
use crate::domain::roads::Trace;
use crate::runtime::background_thread::BackgroundThread;

/// Nothing is ever written as this actor.
const NOBODY: [u8; 16] = [0; 16];

/// What a small document weighs in memory, bytes, as 5,000 of them were measured.
const EMPTY_BYTES: usize = 40 << 10;

/// A document as it was last folded.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// Nothing until it is folded for the first time: a thousand documents that wait for it must weigh nothing.
    doc: Option<Automerge>,
    size: Size,
    since: Since,
    /// The rows that were derived from it, where that is remembered.
    pub(super) rows: Option<Derived>,
}

/// What a document was loaded from.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Size {
    /// Inflated: a kilobyte can stand for a thousand times as many.
    pub(super) bytes: u64,
    pub(super) changes: u64,
    pub(super) ops: u64,
}

/// Which changes of a published drive say when it was shown.
#[derive(Debug, Default)]
pub(super) struct History {
    /// The one that said who may see it.
    pub(super) shown: Option<ChangeHash>,
    /// Those that nothing builds on.
    pub(super) heads: Vec<ChangeHash>,
    /// How many there are.
    pub(super) changes: u32,
}

/// When the relay first heard of a document.
#[derive(Clone, Copy, Debug)]
pub(super) enum Since {
    /// As its changes say, the earliest of them.
    Changes(Timestamp),
    /// As its snapshot says, whatever came later.
    Snapshot(Timestamp),
}

/// Which documents are folded, and on which thread.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Scope<'t> {
    /// Those that are folded in little time: everybody who pushes waits for it.
    Small,
    /// All that are within their bounds: nobody pushes.
    All,
    /// All that are within their bounds, on a thread for this alone while others push.
    Beside(&'t BackgroundThread),
}

/// Why a document was not folded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unfolded {
    /// It cannot be read, or is larger than anything that is shown.
    Quarantined(Quarantine),
    /// It is larger than what is folded while others wait.
    NotSmall,
}

/// What there is to fold.
pub(super) struct FoldInput {
    pub(super) kind: DocKind,
    /// What is loaded already.
    pub(super) loaded: Loaded,
    /// What it takes besides, in log order, and how many changes that are.
    pub(super) chunks: Vec<Vec<u8>>,
    pub(super) changes: u64,
}

/// What a document says.
pub(super) struct Folded {
    pub(super) loaded: Loaded,
    /// None if it says too little for one.
    pub(super) row: Option<DocumentRow>,
    /// The change since which a profile claims its handle.
    pub(super) claim: Option<ChangeHash>,
    /// Since when a published drive is shown as it is, and what was changed last.
    pub(super) history: History,
    /// What everybody may know of the road of a published drive.
    pub(super) trace: Option<Vec<u8>>,
}

impl Loaded {
    /// A document of which nothing is loaded.
    pub(super) fn empty(since: Since) -> Loaded {
        Loaded { doc: None, size: Size::default(), since, rows: None }
    }

    /// A document that began just now, and has no rows.
    pub(crate) fn of_a_new_document(received_at: Timestamp) -> Loaded {
        Loaded { rows: Some(Derived::Nothing), ..Loaded::empty(Since::Changes(received_at)) }
    }

    /// Takes note of changes that come at this time.
    pub(crate) fn add_change(&mut self, received_at: Timestamp) {
        if let Since::Changes(since) = &mut self.since {
            // The clock may have been set back.
            *since = (*since).min(received_at);
        }
    }

    pub(super) fn received_at(&self) -> Timestamp {
        match self.since {
            Since::Changes(at) | Since::Snapshot(at) => at,
        }
    }

    /// What it takes of the memory, bytes, roughly.
    pub(crate) fn weight(&self) -> usize {
        let Size { bytes, ops, .. } = self.size;
        EMPTY_BYTES + 4 * bytes as usize + 128 * ops as usize
    }
}

/// What is loaded for rows at most.
#[derive(Clone, Copy)]
pub(super) struct Bounds {
    pub(super) bytes: u64,
    pub(super) changes: u64,
    /// A few dozen bytes can stand for thousands, and each takes Automerge up to 5 µs.
    pub(super) ops: u64,
}

/// What a document consists of, at most, that is folded while others wait.
#[derive(Clone, Copy)]
pub(crate) struct SmallBounds {
    /// Inflated.
    pub(super) bytes: u64,
    /// Chunks that are not loaded yet. Each takes Automerge some 4 µs, however small it is.
    pub(crate) chunks: u64,
    pub(crate) ops: u64,
    /// Operations of the changes that came: each may be a row, which takes longer than to fold it.
    pub(crate) new_ops: u64,
    /// Of a published drive.
    fixes: usize,
}

/// A follow list of some hundred people, or a published drive of twenty minutes.
pub(crate) const SMALL: SmallBounds =
    SmallBounds { bytes: 64 << 10, chunks: 256, ops: 1_000, new_ops: 200, fixes: 1_300 };

impl SmallBounds {
    fn hold(&self, chunks: usize, size: Size) -> bool {
        chunks as u64 <= self.chunks && size.bytes <= self.bytes && size.ops <= self.ops
    }
}

impl Bounds {
    pub(super) fn of(kind: DocKind) -> Bounds {
        match kind {
            // One operation for each person, or for a sixteenth of all that was ever said of things; and one change for each.
            DocKind::Social => Bounds { bytes: 8 << 20, changes: 40_000, ops: 40_000 },
            // A car's logbook has one change for each entry, a meet one for each edit.
            DocKind::Car | DocKind::Meet => Bounds { bytes: 2 << 20, changes: 4_000, ops: 20_000 },
            // Ten times a published drive of ten hours, which has one change, one for each edit of its title, and one
            // operation for each minute; and much more than the others hold.
            DocKind::Settings | DocKind::Profile | DocKind::Drive | DocKind::Track | DocKind::Published => {
                Bounds { bytes: 1 << 20, changes: 1_000, ops: 10_000 }
            }
        }
    }
}

/// How long a change takes that is only stored, on a core.
const STORED_IN: Duration = Duration::from_micros(100);

/// Folds documents, and says of each what it says, or why it was not folded; and how much work that was.
pub(super) async fn fold_all(
    materials: Vec<FoldInput>,
    scope: Scope<'_>,
) -> Result<Vec<(Result<Folded, Unfolded>, DeriveCost)>, sqlx::Error> {
    let small = match scope {
        Scope::Small => Some(SMALL),
        Scope::All | Scope::Beside(_) => None,
    };
    let contained = move |material| {
        let began = cpu_time();
        // Nothing that it had is looked at again.
        let folded = catch_unwind(AssertUnwindSafe(|| fold(material, small)));
        let folded = folded.unwrap_or(Err(Unfolded::Quarantined(Quarantine::Unreadable)));
        let took = cpu_time().saturating_sub(began);
        (folded, DeriveCost { changes: (took.as_micros() / STORED_IN.as_micros()) as u64 })
    };
    let fold_each = move || materials.into_iter().map(contained).collect();
    // The server is ending if this fails; what it was writing is not committed.
    match scope {
        Scope::Small | Scope::All => {
            tokio::task::spawn_blocking(fold_each).await.map_err(|_| sqlx::Error::WorkerCrashed)
        }
        Scope::Beside(thread) => thread.run(fold_each).await.map_err(|_| sqlx::Error::WorkerCrashed),
    }
}

/// The changes that a snapshot holds at their positions, in log order; none if it cannot be loaded.
pub(super) async fn removed_rows(
    snapshot: Vec<u8>,
    positions: Vec<(ChangeHash, u64)>,
) -> Result<Vec<(u64, Vec<u8>)>, sqlx::Error> {
    let positions: BTreeMap<ChangeHash, u64> = positions.into_iter().collect();
    let dissolve = move || {
        let Ok(doc) = automerge_doc::load(&NOBODY, [snapshot.as_slice()]) else { return Vec::new() };
        let at = |(hash, chunk)| Some((*positions.get(&hash)?, chunk));
        let mut changes: Vec<_> = automerge_doc::chunks(&doc).filter_map(at).collect();
        changes.sort_by_key(|(seq, _)| *seq);
        changes
    };
    let dissolve = || catch_unwind(AssertUnwindSafe(dissolve)).unwrap_or_default();
    tokio::task::spawn_blocking(dissolve).await.map_err(|_| sqlx::Error::WorkerCrashed)
}

/// How long this thread has been at work: what others took of the machine meanwhile is nobody's debt.
#[cfg(unix)]
fn cpu_time() -> Duration {
    let spent = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(spent.tv_sec.unsigned_abs(), u32::try_from(spent.tv_nsec).unwrap_or(0))
}

/// How long this process has run.
#[cfg(not(unix))]
fn worked() -> Duration {
    static BEGAN: std::sync::LazyLock<std::time::Instant> = std::sync::LazyLock::new(std::time::Instant::now);
    BEGAN.elapsed()
}

fn fold(material: FoldInput, small: Option<SmallBounds>) -> Result<Folded, Unfolded> {
    let (unreadable, too_large) =
        (Unfolded::Quarantined(Quarantine::Unreadable), Unfolded::Quarantined(Quarantine::TooLarge));
    let FoldInput { kind, loaded: Loaded { doc, size: before, since, rows }, chunks, changes } = material;
    let (mut bytes, mut ops) = (0, 0);
    for chunk in &chunks {
        let size = snapshot::size_of(chunk).ok_or(unreadable)?;
        bytes += size.bytes;
        ops += size.ops;
    }
    let size = Size { bytes: before.bytes + bytes, changes: before.changes + changes, ops: before.ops + ops };
    if small.is_some_and(|small| !small.hold(chunks.len(), size)) {
        return Err(Unfolded::NotSmall);
    }
    let bounds = Bounds::of(kind);
    if size.bytes > bounds.bytes || size.changes > bounds.changes || size.ops > bounds.ops {
        return Err(too_large);
    }
    let doc = match doc {
        None => automerge_doc::load(&NOBODY, chunks),
        Some(mut doc) => automerge_doc::apply(&mut doc, chunks).map(|()| doc),
    };
    let doc = doc.map_err(|_| unreadable)?;
    let is_longer = |small: SmallBounds| projection::published_fixes(&doc) > small.fixes;
    if kind == DocKind::Published && small.is_some_and(is_longer) {
        return Err(Unfolded::NotSmall);
    }
    let claim = if kind == DocKind::Profile { claim(&doc) } else { None };
    let row = projection::fold(kind, &doc);
    // Its owner is told: what is acknowledged and shown to nobody looks published from the phone.
    if row.is_none() && projection::is_too_much(kind, &doc) {
        return Err(too_large);
    }
    if row.is_none() && projection::is_of_later_version(kind, &doc) {
        return Err(unreadable);
    }
    let history = if let Some(DocumentRow::Published(_)) = &row {
        let changes = u32::try_from(automerge_doc::names(&doc).len()).unwrap_or(u32::MAX);
        History { shown: published::shown_since(&doc), heads: automerge_doc::heads(&doc), changes }
    } else {
        History::default()
    };
    let trace = match &row {
        Some(DocumentRow::Published(row)) if row.visibility == Visibility::Public => trace(row),
        Some(
            DocumentRow::Published(_)
            | DocumentRow::Settings(..)
            | DocumentRow::Profile(_)
            | DocumentRow::Car(..)
            | DocumentRow::Drive(_)
            | DocumentRow::Track(..)
            | DocumentRow::Social(_)
            | DocumentRow::Meet(_),
        )
        | None => None,
    };
    Ok(Folded { loaded: Loaded { doc: Some(doc), size, since, rows }, row, claim, history, trace })
}

/// What a drive tells of its road; nothing if none of it was measured well enough.
fn trace(row: &PublishedRow) -> Option<Vec<u8>> {
    let parts = parts(&decode_all(row.blocks.iter().map(|block| block.as_slice())).stretches);
    let trace = Trace::of(&RoadSteps::of(parts.iter().flat_map(|part| &part.fixes)));
    (!trace.is_empty()).then(|| trace.encode())
}
