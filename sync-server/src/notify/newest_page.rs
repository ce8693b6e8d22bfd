//! The newest page of the public feed, kept in memory, because most reads request it.

use std::sync::{Arc, Mutex, PoisonError};

use crate::db::feed::FeedRow;

/// The newest rows of the feed, until a commit may have changed them.
#[derive(Debug, Default)]
pub(crate) struct NewestPage(Mutex<PageState>);

#[derive(Debug, Default)]
struct PageState {
    generation: u64,
    rows: Option<Arc<[FeedRow]>>,
}

/// The time of a request for a page: rows that are read for it may be outdated before they are stored.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Generation(u64);

impl NewestPage {
    /// Returns the rows, or else the generation with which rows may be stored after reading them.
    pub(crate) fn get(&self) -> Result<Arc<[FeedRow]>, Generation> {
        let state = self.lock();
        state.rows.clone().ok_or(Generation(state.generation))
    }

    /// Stores rows, unless a commit happened since the generation.
    pub(crate) fn keep(&self, generation: Generation, rows: Arc<[FeedRow]>) {
        let mut state = self.lock();
        if state.generation == generation.0 {
            state.rows = Some(rows);
        }
    }

    /// Drops the rows. Must be called after a commit that may have changed them.
    pub(crate) fn invalidate(&self) {
        let mut state = self.lock();
        state.generation += 1;
        state.rows = None;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, PageState> {
        // The state stays consistent after a panic: each change is a single assignment.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_read_before_a_commit_are_not_kept_after_it() {
        let newest = NewestPage::default();
        let early = newest.get().unwrap_err();
        newest.invalidate();
        newest.keep(early, Arc::new([]));
        let late = newest.get().unwrap_err();
        newest.keep(late, Arc::new([]));
        assert!(newest.get().is_ok());
    }
}
