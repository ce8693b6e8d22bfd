//! Slices of the server's state that are no component of their own: connections that read, and whether the server stops.

use std::ops::Deref;

use tokio::sync::watch;

use crate::db::sql::Pool;

/// Connections that read for answers over HTTP.
#[derive(Clone, Debug)]
pub(crate) struct AnswerReaders(pub(crate) Pool);

/// Connections that read in the background: figures about everything.
#[derive(Clone, Debug)]
pub(crate) struct BackgroundReaders(pub(crate) Pool);

/// Tells whether the server stops.
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
