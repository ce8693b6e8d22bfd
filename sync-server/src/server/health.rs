//! `GET /v1/health`: whether the process answers. Restart it if it does not.

use axum::Json;
use axum::http::header;
use axum::response::IntoResponse;
use serde_json::json;

/// Answers.
pub(crate) async fn health() -> impl IntoResponse {
    // A socket on which it was asked is not kept: it is counted as nobody's.
    let headers = [(header::CACHE_CONTROL, "no-store"), (header::CONNECTION, "close")];
    (headers, Json(json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION") })))
}
