//! `GET /v1/ready`: whether the server can do its work. A load balancer sends it no clients while it cannot.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use tokio::time::timeout;

use crate::db::due;
use crate::db::relay::is_readable;
use crate::http::readers::{BackgroundReaders, Stopping};
use crate::runtime::clock::Clock;
use crate::writer::Writer;

/// Maximum time of the writer's answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Maximum of the count of due documents.
const MAX_COUNTED: u32 = 10_000;

/// Answers whether the writer can store, the database can be read, and the server is not stopping.
pub(crate) async fn ready(
    State(writer): State<Writer>,
    State(readers): State<BackgroundReaders>,
    State(clock): State<Arc<Clock>>,
    State(stopping): State<Stopping>,
) -> Response {
    let writer = matches!(timeout(PATIENCE, writer.ping()).await, Ok(Ok(())));
    let (database, due) = match timeout(PATIENCE, readers.acquire()).await {
        Ok(Ok(mut reader)) => (is_readable(&mut reader).await, due::count(&mut reader, MAX_COUNTED).await.ok()),
        Ok(Err(_)) | Err(_) => (false, None),
    };
    let stopping = *stopping.0.borrow();
    let is_ready = writer && database && !stopping;
    let status = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    // Entries are dated after the log then: an operator must act, but clients can go on.
    let clock_behind_s = clock.look().map(|behind_ms| behind_ms / 1_000);
    let body = json!({
        "ready": is_ready,
        "writer": writer,
        "database": database,
        "stopping": stopping,
        "clockBehindS": clock_behind_s,
        "due": due,
    });
    (status, [(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
}
