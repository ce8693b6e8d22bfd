//! Makes snapshots of documents in the background, when the documents have rested and the snapshot is worth its cost.
//!
//! It reads with its own connections, works where a panic is contained, and lets the writer store the result. Nothing
//! depends on a snapshot before it was read back from the database and loaded again; a document that fails is marked
//! and skipped. The compactor may be killed at any moment: unfinished work is found and finished.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tourismo_core::docs::snapshot::{self, MAX_BYTES, SnapshotError};
use tracing::Instrument;

use crate::db::snapshots::{self, Snapshot, SnapshotInput, SnapshotState, SnapshotTarget};
use crate::db::sql;
use crate::runtime::clock::Clock;
use crate::runtime::metrics::Metrics;
use crate::writer::{Compaction, Unavailable, Writer};

/// The number of documents that are read at a time.
const PAGE: u32 = 64;

/// The number of loose changes from which on a document need not rest: about twenty entries of a page of the log.
const MAX_LOOSE: u64 = 1_000;

pub(crate) struct Compactor {
    pub(crate) readers: sql::Pool,
    pub(crate) writer: Writer,
    pub(crate) clock: Arc<Clock>,
    /// Notified after every commit that added to a log.
    pub(crate) grown: Arc<Notify>,
    /// The time without changes that a document needs.
    pub(crate) rest: Duration,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) stopping: watch::Receiver<bool>,
}

/// Why a round ended early.
#[derive(Debug, thiserror::Error)]
enum Stopped {
    #[error("the database cannot be read: {0}")]
    Reading(#[from] sqlx::Error),
    #[error("the database cannot be written")]
    Writing,
    #[error("the server is stopping")]
    Stopping,
}

impl From<Unavailable> for Stopped {
    fn from(Unavailable: Unavailable) -> Stopped {
        Stopped::Writing
    }
}

impl Compactor {
    pub(crate) fn spawn(self) -> JoinHandle<()> {
        tokio::spawn(self.run())
    }

    async fn run(mut self) {
        // The last run may have left work, and logs may have grown meanwhile.
        let mut is_more_to_come = true;
        while !*self.stopping.borrow() {
            let grown = self.grown.clone();
            let work = async {
                if !is_more_to_come {
                    grown.notified().await;
                }
                sleep(self.rest).await;
            };
            tokio::select! {
                _ = self.stopping.wait_for(|stopping| *stopping) => return,
                () = work => {}
            }
            let began = Instant::now();
            let round = self.round().instrument(tracing::debug_span!("job", name = "snapshots")).await;
            self.metrics.writer.round("snapshots", began);
            is_more_to_come = match round {
                Ok(is_more_to_come) => is_more_to_come,
                Err(Stopped::Stopping) => return,
                Err(error) => {
                    tracing::warn!(%error, "compaction failed, will retry");
                    true
                }
            };
            if is_more_to_come {
                // Without a resting time, an error must not cause a busy loop.
                let _ = timeout(Duration::from_secs(1), self.grown.notified()).await;
            }
        }
    }

    /// Finishes started snapshots and makes due ones. Returns whether documents are due that have not rested yet.
    async fn round(&mut self) -> Result<bool, Stopped> {
        self.finish().await?;
        let (mut last, mut is_more_to_come) = (None, false);
        loop {
            let due = snapshots::due(&mut self.readers.acquire().await?, last, PAGE).await?;
            for subject in due.iter().copied() {
                is_more_to_come |= !self.compact(subject).await?;
            }
            match due.last() {
                Some(subject) => last = Some(*subject),
                None => return Ok(is_more_to_come),
            }
        }
    }

    /// Makes a snapshot of a document, if it has rested; returns whether it had.
    async fn compact(&mut self, subject: SnapshotTarget) -> Result<bool, Stopped> {
        let material = {
            let mut moment = self.readers.snapshot().await?;
            snapshots::snapshot_input(&mut moment, subject, MAX_BYTES).await?
        };
        let Some(material) = material else {
            self.give_up(subject, SnapshotError::TooLarge).await?;
            return Ok(true);
        };
        let rested_ms = self.clock.now().millis_since(material.last_at);
        if material.loose < MAX_LOOSE && rested_ms < i64::try_from(self.rest.as_millis()).unwrap_or(i64::MAX) {
            return Ok(false);
        }
        let SnapshotInput { heads, names, chunks, loose: _, seq, first_at, last_at } = material;
        let (made_heads, changes) = (heads.clone(), names.len() as u64);
        let made = self.contained(move || snapshot::build(chunks.iter().map(Vec::as_slice), &made_heads, &names));
        match made.await? {
            Ok(chunk) => {
                let snapshot = Snapshot { subject, seq, heads, changes, first_at, last_at, chunk };
                self.writer.compact(Compaction::Write(snapshot)).await?;
                self.finish().await?;
            }
            Err(unfit) => self.give_up(subject, unfit).await?,
        }
        Ok(true)
    }

    /// Finishes every stored snapshot: makes it part of the log and removes the covered changes, or deletes it.
    async fn finish(&mut self) -> Result<(), Stopped> {
        while let Some((subject, seq, state)) = snapshots::unfinished(&mut self.readers.acquire().await?).await? {
            if state == SnapshotState::Written {
                let (found, names) = {
                    let mut moment = self.readers.snapshot().await?;
                    let found = snapshots::at(&mut moment, subject, seq).await?;
                    (found, snapshots::names(&mut moment, subject.account, subject.doc, seq).await?)
                };
                let Some(Snapshot { heads, chunk, .. }) = found else { continue };
                if let Err(unfit) = self.contained(move || snapshot::verify(&chunk, &heads, &names)).await? {
                    self.give_up(subject, unfit).await?;
                    continue;
                }
                self.writer.compact(Compaction::Enforce(subject, seq)).await?;
            }
            while self.writer.compact(Compaction::Sweep(subject, seq)).await? {}
        }
        Ok(())
    }

    async fn give_up(&mut self, subject: SnapshotTarget, unfit: SnapshotError) -> Result<(), Stopped> {
        tracing::warn!(doc = %subject.doc, %unfit, "snapshot skipped");
        self.writer.compact(Compaction::GiveUp(subject)).await?;
        Ok(())
    }

    /// Runs code in which Automerge may panic on another thread than those of sockets, and then waits as long as that
    /// took.
    async fn contained<T: Send + 'static>(
        &mut self,
        work: impl FnOnce() -> Result<T, SnapshotError> + Send + 'static,
    ) -> Result<Result<T, SnapshotError>, Stopped> {
        let began = Instant::now();
        let done = tokio::task::spawn_blocking(work).await.unwrap_or(Err(SnapshotError::Unreadable));
        if timeout(began.elapsed(), self.stopping.wait_for(|stopping| *stopping)).await.is_ok() {
            return Err(Stopped::Stopping);
        }
        Ok(done)
    }
}
