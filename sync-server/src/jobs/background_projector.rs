//! Derives the rows of due documents: those that are too large, or too many, for the transaction that stored their
//! changes.
//!
//! Accounts take turns, one document at a time, on a thread with low priority. Its only state is the table of due
//! documents, so interrupted work is found there at the next start.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tourismo_core::id::AccountId;
use tracing::Instrument;

use crate::clients::limits::RateLimiter;
use crate::db::due::{self, DueDocument};
use crate::db::sql;
use crate::runtime::background_thread::BackgroundThread;
use crate::runtime::metrics::{FoldedBy, Metrics};
use crate::writer::projector::{Step, prepare};
use crate::writer::{ROWS_OF_A_JOB, Unavailable, Writer};

/// The number of due documents of an account that are read at a time.
const PAGE: u32 = 64;

/// The length of an account's turn.
const TURN: Duration = Duration::from_millis(100);

/// The waiting time after an error, such as a full disk.
const AFTER_ERROR: Duration = Duration::from_secs(1);

pub(crate) struct BackgroundProjector {
    pub(crate) readers: sql::Pool,
    pub(crate) writer: Writer,
    pub(crate) limiter: Arc<RateLimiter>,
    /// Notified after every commit that left documents due.
    pub(crate) due: Arc<Notify>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) stopping: watch::Receiver<bool>,
}

/// Why a turn ended early.
#[derive(Debug, thiserror::Error)]
enum Stopped {
    #[error("the database cannot be read: {0}")]
    Reading(#[from] sqlx::Error),
    #[error("the database cannot be written")]
    Writing,
}

impl From<Unavailable> for Stopped {
    fn from(Unavailable: Unavailable) -> Stopped {
        Stopped::Writing
    }
}

impl BackgroundProjector {
    /// Starts the thread.
    ///
    /// # Errors
    /// If the system cannot start another thread.
    pub(crate) fn spawn(self) -> std::io::Result<JoinHandle<()>> {
        let thread = BackgroundThread::start_beside("rows")?;
        Ok(tokio::spawn(self.run(thread)))
    }

    async fn run(mut self, thread: BackgroundThread) {
        let mut last = None;
        while !*self.stopping.borrow() {
            let (is_round_over, pause) = match self.turn(&thread, last).await {
                Ok(Some(account)) => {
                    last = Some(account);
                    continue;
                }
                Ok(None) => (last.take().is_some(), None),
                Err((account, error)) => {
                    tracing::warn!(%error, "deriving rows failed, will retry");
                    // Other accounts have their turns before this one is tried again.
                    last = account;
                    (false, Some(AFTER_ERROR))
                }
            };
            if is_round_over {
                continue;
            }
            let due = self.due.clone();
            let wait = async {
                match pause {
                    Some(pause) => drop(timeout(pause, std::future::pending::<()>()).await),
                    None => due.notified().await,
                }
            };
            tokio::select! {
                _ = self.stopping.wait_for(|stopping| *stopping) => return,
                () = wait => {}
            }
        }
    }

    /// Derives due documents of the next account until its turn ends; returns the account.
    async fn turn(
        &mut self,
        thread: &BackgroundThread,
        last: Option<AccountId>,
    ) -> Result<Option<AccountId>, (Option<AccountId>, Stopped)> {
        let due = async { due::of_account_after(&mut self.readers.acquire().await?, last, PAGE).await };
        let due = due.await.map_err(|error| (last, error.into()))?;
        let Some(DueDocument { account, .. }) = due.first().copied() else { return Ok(None) };
        let began = Instant::now();
        let span = tracing::debug_span!("job", name = "rows", %account);
        self.derive(thread, due).instrument(span).await.map_err(|error| (Some(account), error))?;
        self.metrics.writer.round("rows", began);
        Ok(Some(account))
    }

    async fn derive(&self, thread: &BackgroundThread, due: Vec<DueDocument>) -> Result<(), Stopped> {
        let began = Instant::now();
        let mut steps: Vec<Step> = Vec::new();
        for document in due {
            if began.elapsed() > TURN || *self.stopping.borrow() {
                break;
            }
            let Some(prepared) = prepare(&self.readers, thread, document).await? else { continue };
            self.limiter.charge(document.account, prepared.work.changes());
            self.metrics.writer.fold(FoldedBy::Background, 1);
            for step in prepared.steps {
                let rows: usize = steps.iter().map(Step::rows).sum();
                if !steps.is_empty() && rows + step.rows() > ROWS_OF_A_JOB {
                    self.writer.write_rows(std::mem::take(&mut steps)).await?;
                }
                steps.push(step);
            }
        }
        if !steps.is_empty() {
            self.writer.write_rows(steps).await?;
        }
        Ok(())
    }
}
