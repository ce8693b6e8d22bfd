//! What operators do about abuse, at an address of its own behind a secret: reports, decisions, use of accounts. The page and the
//! command `tourismo-server admin` are clients of the same endpoints.

mod answers;
pub(crate) mod client;
mod decisions;
mod invitations;
mod page;
mod secret;
mod usage;

use std::sync::Arc;

use axum::Router;
use axum::extract::{FromRef, Request, State};
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use serde::de::DeserializeOwned;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::set_header::SetResponseHeaderLayer;

pub(crate) use self::secret::OperatorSecret;
pub use self::secret::SecretError;
use crate::db::sql::Pool;
use crate::http::error::ApiError;
use crate::writer::Writer;

/// Headers of every answer: nothing of another host, no frames, no caches.
const POLICIES: [(HeaderName, &str); 5] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; form-action 'none'; \
         base-uri 'none'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-store"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
];

/// The state of the operators' endpoints.
#[derive(Clone, Debug)]
pub(crate) struct OperatorState {
    pub(crate) readers: Pool,
    pub(crate) writer: Writer,
    pub(crate) secret: Arc<OperatorSecret>,
}

impl FromRef<OperatorState> for Pool {
    fn from_ref(state: &OperatorState) -> Pool {
        state.readers.clone()
    }
}

impl FromRef<OperatorState> for Writer {
    fn from_ref(state: &OperatorState) -> Writer {
        state.writer.clone()
    }
}

/// Returns the router of the operators' address. Only the page itself is answered without the secret.
pub(crate) fn router(state: OperatorState) -> Router {
    let behind_secret = Router::new()
        .route("/v1/reports", get(decisions::reports))
        .route("/v1/reports/{number}/dismiss", post(decisions::dismiss))
        .route("/v1/decisions", get(decisions::decisions).post(decisions::decide))
        .route("/v1/accounts", get(usage::accounts))
        .route("/v1/accounts/{name}", get(usage::account))
        .route("/v1/invitations", get(invitations::invitations).post(invitations::create))
        .route("/v1/invitations/{number}", delete(invitations::revoke))
        .layer(from_fn_with_state(state.clone(), require_secret));
    let mut router = Router::new()
        .merge(behind_secret)
        .route("/", get(page::html))
        .route("/page.js", get(page::script))
        .route("/page.css", get(page::style))
        .fallback(async || ApiError::not_found())
        .layer(CatchPanicLayer::custom(|_| ApiError::internal().into_response()));
    for (name, value) in POLICIES {
        router = router.layer(SetResponseHeaderLayer::overriding(name, HeaderValue::from_static(value)));
    }
    router.with_state(state)
}

/// Refuses requests without the secret. A page of another origin cannot send it, so it also protects against requests that
/// a browser sends for such a page.
async fn require_secret(State(state): State<OperatorState>, request: Request, next: Next) -> Response {
    let sent = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let sent = sent.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
    if state.secret.is(sent) { next.run(request).await } else { ApiError::wrong_secret().into_response() }
}

/// Parses the body of a request.
fn parsed<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    serde_json::from_slice(body).map_err(|error| ApiError::bad_body(&error.to_string()))
}
