//! The server's state in slices: a handler takes the slices that it needs, such as `State(readers): State<AnswerReaders>`.
//!
//! Only this and the code that starts the server know all of them.

use std::ops::Deref;
use std::sync::Arc;

use axum::extract::FromRef;
use tokio::sync::watch;

use crate::api::compression::AnswerCompressor;
use crate::api::event_stream::EventStreams;
use crate::api::stats::TotalsCache;
use crate::api::syndication::Site;
use crate::api::tracks::Tracks;
use crate::api::viewer::Viewers;
use crate::clock::Clock;
use crate::db::sql::Pool;
use crate::limits::RateLimiter;
use crate::metrics::Metrics;
use crate::newest_page::NewestPage;
use crate::origin::PublicOrigin;
use crate::pwa::Pwa;
use crate::read_queue::ReadQueue;
use crate::socket::SyncState;
use crate::writer::Writer;

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

/// The state of the router: all slices.
#[derive(Clone, Debug)]
pub(crate) struct AppState(pub(crate) Arc<Slices>);

macro_rules! slices {
    ($($field:ident: $slice:ty),+ $(,)?) => {
        /// One value of each kind that a handler can ask for.
        #[derive(Debug)]
        pub(crate) struct Slices {
            $(pub(crate) $field: $slice,)+
        }

        $(impl FromRef<AppState> for $slice {
            fn from_ref(AppState(slices): &AppState) -> $slice {
                slices.$field.clone()
            }
        })+
    };
}

slices! {
    answer_readers: AnswerReaders,
    background_readers: BackgroundReaders,
    event_streams: Arc<EventStreams>,
    clock: Arc<Clock>,
    compression: Arc<AnswerCompressor>,
    limiter: Arc<RateLimiter>,
    metrics: Arc<Metrics>,
    newest_page: Arc<NewestPage>,
    public_origin: Arc<PublicOrigin>,
    pwa: Arc<Pwa>,
    read_queue: Arc<ReadQueue>,
    site: Site,
    stopping: Stopping,
    sync: Arc<SyncState>,
    totals: Arc<TotalsCache>,
    tracks: Arc<Tracks>,
    viewers: Arc<Viewers>,
    writer: Writer,
}
