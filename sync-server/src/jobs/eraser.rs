//! Removes what is left of large erased documents, in bounded steps. It continues after a restart from the table `erasure_due`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::db::{erasures, sql};
use crate::runtime::metrics::Metrics;
use crate::writer::Writer;

/// The time before a retry.
const BEFORE_RETRY: Duration = Duration::from_secs(1);

pub(crate) struct Eraser {
    pub(crate) readers: sql::Pool,
    pub(crate) writer: Writer,
    /// Notified after every commit that erased something.
    pub(crate) erased: Arc<Notify>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) stopping: watch::Receiver<bool>,
}

impl Eraser {
    pub(crate) fn spawn(self) -> JoinHandle<()> {
        tokio::spawn(self.run())
    }

    async fn run(mut self) {
        let erased = self.erased.clone();
        // The last run may have left work.
        while !*self.stopping.borrow() {
            let began = Instant::now();
            let is_done = self.round().await;
            self.metrics.writer.round("erasures", began);
            let next = async { if is_done { erased.notified().await } else { sleep(BEFORE_RETRY).await } };
            tokio::select! {
                _ = self.stopping.wait_for(|stopping| *stopping) => return,
                () = next => {}
            }
        }
    }

    /// Removes what is left of all erased documents. Returns whether it succeeded.
    async fn round(&self) -> bool {
        loop {
            let due = async { erasures::next_due(&mut self.readers.acquire().await?).await };
            match due.await {
                Ok(Some(due)) => {
                    if *self.stopping.borrow() || self.writer.sweep_erased(due).await.is_err() {
                        return false;
                    }
                }
                Ok(None) => return true,
                Err(error) => {
                    tracing::warn!(%error, "erased documents cannot be swept, will retry");
                    return false;
                }
            }
        }
    }
}
