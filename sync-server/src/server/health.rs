//! `GET /v1/health`: whether the process answers. An operator restarts it if it does not.

use axum::Json;
use axum::http::header;
use axum::response::IntoResponse;
use serde_json::json;

/// Answers 200.
pub(crate) async fn health() -> impl IntoResponse {
    // The socket is closed, because it is counted for no client.
    let headers = [(header::CACHE_CONTROL, "no-store"), (header::CONNECTION, "close")];
    (headers, Json(json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION") })))
}
