//! `GET /metrics`, at an address of its own, and the layer that counts requests.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::time::timeout;

use super::state::AppState;
use crate::db::{self, due};
use crate::http::readers::BackgroundReaders;
use crate::runtime::metrics::Metrics;
use crate::writer::Writer;

/// Maximum time for reading the size of the database.
const PATIENCE: Duration = Duration::from_secs(5);

/// Maximum of the count of due documents.
const MAX_COUNTED: u32 = 10_000;

/// The media type of the answer.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The route of requests that match no path of the API: files of the app.
const APP: &str = "app";

/// Counts and logs a request with its answer.
pub(super) async fn observe(State(metrics): State<Arc<Metrics>>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map_or(APP, MatchedPath::as_str).to_owned();
    let (method, began) = (request.method().clone(), Instant::now());
    let response = next.run(request).await;
    let took = began.elapsed();
    let status = response.status().as_u16();
    tracing::debug!(target: "tourismo_server::requests", %method, route, status, ms = took.as_millis() as u64, "answered");
    metrics.request(route, status, response.extensions().get().copied(), took);
    response
}

/// The router for `GET /metrics` only.
pub(crate) fn router(state: AppState) -> Router {
    Router::new().route("/metrics", get(exposition)).with_state(state)
}

async fn exposition(
    State(metrics): State<Arc<Metrics>>,
    State(writer): State<Writer>,
    State(readers): State<BackgroundReaders>,
) -> Response {
    let (jobs, bytes) = writer.waiting();
    metrics.writer.waiting(jobs, bytes);
    // If the database is too slow, the last values stay.
    let looked = timeout(PATIENCE, async {
        let mut reader = readers.acquire().await?;
        let due = due::count(&mut reader, MAX_COUNTED).await?;
        Ok::<_, sqlx::Error>((due, db::bytes(&mut reader).await?))
    });
    if let Ok(Ok((due, bytes))) = looked.await {
        metrics.writer.database(due, bytes);
    }
    match metrics.exposition() {
        Ok(text) => ([(header::CONTENT_TYPE, OPEN_METRICS), (header::CACHE_CONTROL, "no-store")], text).into_response(),
        Err(fmt::Error) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
