//! The newest page of the public feed, kept in memory: what most readers ask for most of the time.

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

/// When a page was asked for: what is read for it may be outdated by the time that it is kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Generation(u64);

impl NewestPage {
    /// The rows, or else the generation under which freshly read ones may be kept.
    pub(crate) fn get(&self) -> Result<Arc<[FeedRow]>, Generation> {
        let state = self.lock();
        state.rows.clone().ok_or(Generation(state.generation))
    }

    /// Keeps rows, if no commit came between the asking and now.
    pub(crate) fn keep(&self, generation: Generation, rows: Arc<[FeedRow]>) {
        let mut state = self.lock();
        if state.generation == generation.0 {
            state.rows = Some(rows);
        }
    }

    /// Forgets the rows. Called after the commit that may have changed them.
    pub(crate) fn invalidate(&self) {
        let mut state = self.lock();
        state.generation += 1;
        state.rows = None;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, PageState> {
        // Every change to the state is a single assignment after which it is whole.
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
