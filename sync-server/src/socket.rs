//! `GET /v1/sync`: carries a sync session over a WebSocket.
//!
//! The session (core) decides; this performs its effects in order and brings back what came of them. Nothing here knows
//! a message.

mod connection;
mod origin;

use std::sync::Arc;

use axum::extract::{State, WebSocketUpgrade};
use axum::http::HeaderMap;
use axum::response::Response;
use tourismo_core::wire::MAX_MESSAGE_BYTES;

use self::connection::Connection;
use crate::Relay;
use crate::api::ApiError;

/// Opens a sync connection. `[M2]`
pub(crate) async fn sync(
    State(relay): State<Arc<Relay>>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Result<Response, ApiError> {
    if !origin::is_allowed(&headers, &relay.allowed_origins) {
        return Err(ApiError::forbidden_origin());
    }
    let Ok(place) = relay.places.clone().try_acquire_owned() else {
        return Err(ApiError::overloaded());
    };
    let upgrade = upgrade.max_frame_size(MAX_MESSAGE_BYTES).max_message_size(MAX_MESSAGE_BYTES);
    Ok(upgrade.on_upgrade(async move |socket| {
        Connection::new(relay, socket).run().await;
        drop(place);
    }))
}
