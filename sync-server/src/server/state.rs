//! The server's state in slices: a handler takes the slices that it needs, such as `State(readers):
//! State<AnswerReaders>`.
//!
//! Only this module and the start of the server use all of them.

use std::sync::Arc;

use super::pwa::Pwa;
use crate::clients::limits::{RateLimiter, Registration};
use crate::clients::origin::PublicOrigin;
use crate::clients::read_queue::ReadQueue;
use crate::http::compression::AnswerCompressor;
use crate::http::event_stream::EventStreams;
use crate::http::readers::{AnswerReaders, BackgroundReaders, Stopping};
use crate::http::viewer::Viewers;
use crate::notify::newest_page::NewestPage;
use crate::read::inbox::InboxPosts;
use crate::read::stats::TotalsCache;
use crate::read::syndication::Site;
use crate::read::tracks::Tracks;
use crate::runtime::clock::Clock;
use crate::runtime::metrics::Metrics;
use crate::sync::SyncState;
use crate::writer::Writer;
use axum::extract::FromRef;

/// The state of the router: all slices.
#[derive(Clone, Debug)]
pub(crate) struct AppState(pub(crate) Arc<Slices>);

macro_rules! slices {
    ($($field:ident: $slice:ty),+ $(,)?) => {
        /// One value of each type that a handler can take.
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
    inbox_posts: Arc<InboxPosts>,
    limiter: Arc<RateLimiter>,
    metrics: Arc<Metrics>,
    newest_page: Arc<NewestPage>,
    public_origin: Arc<PublicOrigin>,
    pwa: Arc<Pwa>,
    read_queue: Arc<ReadQueue>,
    registration: Registration,
    site: Site,
    stopping: Stopping,
    sync: Arc<SyncState>,
    totals: Arc<TotalsCache>,
    tracks: Arc<Tracks>,
    viewers: Arc<Viewers>,
    writer: Writer,
}
