//! Logs that phones have a longer log than the relay, as after the restore of an older database.
//!
//! Any account can claim this of its own log, so the only consequence is a log line once in a while.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tourismo_core::id::AccountId;

/// The time between two log lines.
const PAUSE: Duration = Duration::from_secs(60 * 60);

/// Logs at most once in an hour.
#[derive(Debug, Default)]
pub(crate) struct LogThrottle {
    told_at: Mutex<Option<Instant>>,
}

impl LogThrottle {
    /// Logs that a phone's cursor is beyond the log of its account. `[C6]`
    pub(crate) fn report(&self, account: AccountId, cursor: u64, head: u64) {
        if self.is_due() {
            tracing::warn!(
                %account,
                cursor,
                head,
                "a phone has a longer log than this database. If the database was restored from an older state, phones push \
                 their own changes again; stop the server once and run 'restore' without --from, so that they also push the \
                 changes of lost devices"
            );
        }
    }

    fn is_due(&self) -> bool {
        // The state stays consistent after a panic: each change is a single assignment.
        let mut told_at = self.told_at.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = told_at.is_none_or(|at| at.elapsed() >= PAUSE);
        if is_due {
            *told_at = Some(Instant::now());
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_operator_is_told_once_whoever_says_so_how_often() {
        let reporter = LogThrottle::default();
        assert_eq!([reporter.is_due(), reporter.is_due(), reporter.is_due()], [true, false, false]);
    }
}
