//! Folds documents on other threads than those of sockets, many at a time, and contains panics.
//!
//! A folded document stays loaded while the writer remembers it: the next change is applied to it without reading the
//! others. This module must not depend on SQL.

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

/// No change is ever made by this actor.
const NOBODY: [u8; 16] = [0; 16];

/// The size of a small document in memory, bytes, as measured for 5,000 of them.
const EMPTY_BYTES: usize = 40 << 10;

/// A document as it was last folded.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// `None` until it is folded for the first time: a thousand waiting documents must take no memory.
    doc: Option<Automerge>,
    size: Size,
    since: Since,
    /// Its derived rows, if they are remembered.
    pub(super) rows: Option<Derived>,
}

/// The size of the chunks of a document.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Size {
    /// Inflated: a kilobyte can stand for a thousand times as many.
    pub(super) bytes: u64,
    pub(super) changes: u64,
    pub(super) ops: u64,
}

/// The changes that determine when a published drive was shown.
#[derive(Debug, Default)]
pub(super) struct History {
    /// The change that set its visibility.
    pub(super) shown: Option<ChangeHash>,
    /// Its heads.
    pub(super) heads: Vec<ChangeHash>,
    /// The number of changes.
    pub(super) changes: u32,
}

/// When the relay received the first change of a document.
#[derive(Clone, Copy, Debug)]
pub(super) enum Since {
    /// The earliest time of its changes.
    Changes(Timestamp),
    /// The time of its snapshot, whatever came later.
    Snapshot(Timestamp),
}

/// Which documents are folded, and on which thread.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Scope<'t> {
    /// Documents that are folded in little time, because every pushing client waits.
    Small,
    /// All documents within their bounds, because no client pushes.
    All,
    /// All documents within their bounds, on a separate thread while clients push.
    Beside(&'t BackgroundThread),
}

/// Why a document was not folded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unfolded {
    /// It cannot be read, or is larger than anything that is shown.
    Quarantined(Quarantine),
    /// It is larger than documents that are folded while others wait.
    NotSmall,
}

/// The input of folding.
pub(super) struct FoldInput {
    pub(super) kind: DocKind,
    /// The loaded part.
    pub(super) loaded: Loaded,
    /// The further chunks, in log order, and their number of changes.
    pub(super) chunks: Vec<Vec<u8>>,
    pub(super) changes: u64,
}

/// The result of folding a document.
pub(super) struct Folded {
    pub(super) loaded: Loaded,
    /// `None` if required fields are missing.
    pub(super) row: Option<DocumentRow>,
    /// The change since which a profile claims its handle.
    pub(super) claim: Option<ChangeHash>,
    /// The times at which a published drive was shown and last changed.
    pub(super) history: History,
    /// The public trace of the road of a published drive.
    pub(super) trace: Option<Vec<u8>>,
}

impl Loaded {
    /// Returns a document without any loaded part.
    pub(super) fn empty(since: Since) -> Loaded {
        Loaded { doc: None, size: Size::default(), since, rows: None }
    }

    /// Returns a new document without rows.
    pub(crate) fn of_a_new_document(received_at: Timestamp) -> Loaded {
        Loaded { rows: Some(Derived::Nothing), ..Loaded::empty(Since::Changes(received_at)) }
    }

    /// Records changes that arrive at this time.
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

    /// Returns its approximate size in memory, bytes.
    pub(crate) fn weight(&self) -> usize {
        let Size { bytes, ops, .. } = self.size;
        EMPTY_BYTES + 4 * bytes as usize + 128 * ops as usize
    }
}

/// Maximum size of a document that is folded while others wait.
#[derive(Clone, Copy)]
pub(crate) struct SmallBounds {
    /// Inflated.
    pub(super) bytes: u64,
    /// Chunks that are not loaded yet. Each takes Automerge about 4 µs, however small it is.
    pub(crate) chunks: u64,
    pub(crate) ops: u64,
    /// Operations of the new changes: each may be a row, which takes longer than folding it.
    pub(crate) new_ops: u64,
    /// Of a published drive.
    fixes: usize,
}

/// About a list of some hundred followed accounts, or a published drive of twenty minutes.
pub(crate) const SMALL: SmallBounds =
    SmallBounds { bytes: 64 << 10, chunks: 256, ops: 1_000, new_ops: 200, fixes: 1_300 };

impl SmallBounds {
    fn hold(&self, chunks: usize, size: Size) -> bool {
        chunks as u64 <= self.chunks && size.bytes <= self.bytes && size.ops <= self.ops
    }
}

/// The CPU time of storing a change without folding it.
const STORED_IN: Duration = Duration::from_micros(100);

/// Folds documents. Returns the result or the reason for each, and the cost.
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
        // The closure owns its input, which is dropped after a panic.
        let folded = catch_unwind(AssertUnwindSafe(|| fold(material, small)));
        let folded = folded.unwrap_or(Err(Unfolded::Quarantined(Quarantine::Unreadable)));
        let took = cpu_time().saturating_sub(began);
        (folded, DeriveCost { changes: (took.as_micros() / STORED_IN.as_micros()) as u64 })
    };
    let fold_each = move || materials.into_iter().map(contained).collect();
    // This fails only if the server is ending; its writes are not committed then.
    match scope {
        Scope::Small | Scope::All => {
            tokio::task::spawn_blocking(fold_each).await.map_err(|_| sqlx::Error::WorkerCrashed)
        }
        Scope::Beside(thread) => thread.run(fold_each).await.map_err(|_| sqlx::Error::WorkerCrashed),
    }
}

/// Returns the changes in a snapshot with their positions, in log order; none if it cannot be loaded.
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

/// Returns the CPU time of this thread, so that the load of others is not charged.
#[cfg(unix)]
fn cpu_time() -> Duration {
    let spent = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(spent.tv_sec.unsigned_abs(), u32::try_from(spent.tv_nsec).unwrap_or(0))
}

/// Returns the time since this process started.
#[cfg(not(unix))]
fn cpu_time() -> Duration {
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
    let bounds = kind.policy().fold_bounds;
    if size.bytes > bounds.bytes || size.changes > bounds.changes || size.ops > bounds.ops {
        return Err(too_large);
    }
    if small.is_some_and(|small| !small.hold(chunks.len(), size)) {
        return Err(Unfolded::NotSmall);
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
    // The owner is informed by the quarantine: otherwise a drive that is acknowledged and shown to nobody would look
    // published on the phone.
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

/// Returns the trace of a drive's road; none if no part of it was measured well enough.
fn trace(row: &PublishedRow) -> Option<Vec<u8>> {
    let parts = parts(&decode_all(row.blocks.iter().map(|block| block.as_slice())).stretches);
    let trace = Trace::of(&RoadSteps::of(parts.iter().flat_map(|part| &part.fixes)));
    (!trace.is_empty()).then(|| trace.encode())
}
