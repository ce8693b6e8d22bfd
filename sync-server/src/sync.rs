//! `GET /v1/sync`: carries a sync session over a WebSocket.
//!
//! The session (core) decides; this module performs its effects in order and passes the results back. It must not
//! depend on messages.

mod connection;

use std::sync::Arc;

use axum::extract::{Extension, State, WebSocketUpgrade};
use axum::http::HeaderMap;
use axum::response::Response;
use tokio::sync::{Semaphore, watch};
use tourismo_core::wire::MAX_MESSAGE_BYTES;
use tracing::Instrument;

use self::connection::{Client, Connection};
use crate::clients::limits::{RateLimiter, Registration, Source};
use crate::clients::origin::PublicOrigin;
use crate::db::relay::Identity;
use crate::db::sql::Pool;
use crate::http::error::ApiError;
use crate::http::serving::Peer;
use crate::notify::head_notifier::HeadNotifier;
use crate::notify::membership_notifier::MembershipNotifier;
use crate::runtime::clock::Clock;
use crate::runtime::log_throttle::LogThrottle;
use crate::runtime::metrics::Metrics;
use crate::writer::Writer;

/// The sizes of a connection's read and write buffers: most messages are smaller, and every connection has these
/// buffers.
const BUFFER_BYTES: usize = 4 << 10;

/// The state that sync connections share.
#[derive(Debug)]
pub(crate) struct SyncState {
    pub(crate) identity: Identity,
    /// Who may make an account.
    pub(crate) registration: Registration,
    /// Connections that read for sync.
    pub(crate) sync_readers: Pool,
    pub(crate) writer: Writer,
    pub(crate) clock: Arc<Clock>,
    pub(crate) head_notifier: HeadNotifier,
    pub(crate) membership_notifier: MembershipNotifier,
    pub(crate) public_origin: Arc<PublicOrigin>,
    /// Reports phones whose cursors are beyond the log.
    pub(crate) short_log: LogThrottle,
    pub(crate) limiter: Arc<RateLimiter>,
    pub(crate) metrics: Arc<Metrics>,
    /// One permit for each further sync connection.
    pub(crate) places: Arc<Semaphore>,
    /// One permit for each push that may be scanned at the same time.
    pub(crate) examining: Arc<Semaphore>,
    pub(crate) stopping: watch::Receiver<bool>,
}

/// Opens a sync connection. `[M2]`
pub(crate) async fn sync(
    State(relay): State<Arc<SyncState>>,
    Extension(peer): Extension<Peer>,
    Extension(source): Extension<Source>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Result<Response, ApiError> {
    if !relay.public_origin.may_sync(&headers) {
        return Err(ApiError::forbidden_origin(&relay.public_origin.of(&headers)));
    }
    let Ok(place) = relay.places.clone().try_acquire_owned() else {
        return Err(ApiError::overloaded());
    };
    let upgrade = upgrade
        .read_buffer_size(BUFFER_BYTES)
        .write_buffer_size(BUFFER_BYTES)
        .max_frame_size(MAX_MESSAGE_BYTES)
        .max_message_size(MAX_MESSAGE_BYTES);
    let policy = relay.public_origin.policy(peer.local, &headers);
    let client = Client { source, allowance: peer.allowance, policy };
    let span = tracing::debug_span!("connect", account = tracing::field::Empty);
    let connect = async move |socket| {
        let _open = relay.metrics.sync.connection();
        Connection::new(relay.clone(), client, socket).run().await;
        drop(place);
    };
    Ok(upgrade.on_upgrade(move |socket| connect(socket).instrument(span)))
}
