//! Slices of the server's state: connections that read, and whether the server is stopping.

use std::ops::Deref;

use tokio::sync::watch;

use crate::db::sql::Pool;

/// Connections that read for HTTP answers.
#[derive(Clone, Debug)]
pub(crate) struct AnswerReaders(pub(crate) Pool);

/// Connections that read in the background: statistics over everything.
#[derive(Clone, Debug)]
pub(crate) struct BackgroundReaders(pub(crate) Pool);

/// Reports whether the server is stopping.
#[derive(Clone, Debug)]
pub(crate) struct Stopping(pub(crate) watch::Receiver<bool>);

impl Deref for AnswerReaders {
    type Target = Pool;

    fn deref(&self) -> &Pool {
        &self.0
    }
}

impl Deref for BackgroundReaders {
    type Target = Pool;

    fn deref(&self) -> &Pool {
        &self.0
    }
}
