//! `GET /v1/health`: whether the process answers. Restart it if it does not.

use axum::Json;
use axum::http::header;
use axum::response::IntoResponse;
use serde_json::json;

/// Answers.
pub(crate) async fn health() -> impl IntoResponse {
    ([(header::CACHE_CONTROL, "no-store")], Json(json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION") })))
}
