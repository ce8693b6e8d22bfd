//! The routes, and the layers around all of them.

use std::pin::Pin;
use std::sync::{Arc, Once};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, Method, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hyper::body::{Frame, SizeHint};
use tokio::time::timeout;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::{Any, CorsLayer};
use tower_http::set_header::SetResponseHeaderLayer;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::state::AppState;
use super::{health, metrics, openapi, pwa, ready};
use crate::clients::limits::{ConnectionPermit, RateLimiter, Source};
use crate::clients::origin::PublicOrigin;
use crate::clients::proxy;
use crate::http::compression;
use crate::http::error::ApiError;
use crate::http::serving::Peer;
use crate::read::{drives, feed, inbox, invitations, me, meets, people, recovery, reports, roads, stats};
use crate::runtime::metrics::{Metrics, OpenGauge};
use crate::sync;

/// Maximum time of a read.
const READ_DEADLINE: Duration = Duration::from_secs(30);

/// Permissions of pages of this host. The camera reads the code that another device shows.
const POLICIES: [(HeaderName, &str); 4] = [
    (
        HeaderName::from_static("permissions-policy"),
        "geolocation=(self), screen-wake-lock=(self), camera=(self), microphone=()",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
];

/// The media type of event streams, as axum writes it.
const EVENT_STREAM: &str = "text/event-stream";

/// Returns which resources pages of this host may load, and where they may connect. The core is WebAssembly, and maps
/// draw in workers made of blobs and set styles. A page connects to its own host only; the policy names that host for
/// WebSockets, too, because some browsers do not include them in `'self'`.
fn content_security_policy(origin: &str) -> String {
    // A policy cannot contain an IPv6 address.
    let host = origin.split_once("://").map(|(_, host)| host).filter(|host| !host.contains('['));
    let sockets = host.map(|host| format!(" ws://{host} wss://{host}")).unwrap_or_default();
    format!(
        "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self' blob:; img-src 'self' data: blob:; \
         style-src 'self' 'unsafe-inline'; connect-src 'self'{sockets}; object-src 'none'; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'"
    )
}

/// Returns every documented endpoint with its description.
pub(super) fn documented() -> (Router<AppState>, utoipa::openapi::OpenApi) {
    OpenApiRouter::with_openapi(openapi::head())
        .routes(routes!(feed::public::public))
        .routes(routes!(feed::public::public_atom))
        .routes(routes!(feed::public::public_json_feed))
        .routes(routes!(drives::drive::drive))
        .routes(routes!(drives::gpx::drive_gpx))
        .routes(routes!(drives::reactions::reactions))
        .routes(routes!(drives::comments::comments))
        .routes(routes!(people::search::search_people))
        .routes(routes!(people::person::person))
        .routes(routes!(people::drives::person_drives))
        .routes(routes!(people::cars::person_cars))
        .routes(routes!(people::lists::followers))
        .routes(routes!(people::lists::following))
        .routes(routes!(people::meets::person_meets))
        .routes(routes!(people::stats::person_stats))
        .routes(routes!(people::feeds::person_atom))
        .routes(routes!(people::feeds::person_json_feed))
        .routes(routes!(people::feeds::car_atom))
        .routes(routes!(people::feeds::car_json_feed))
        .routes(routes!(people::feeds::person_calendar))
        .routes(routes!(meets::search::search_meets))
        .routes(routes!(meets::meet::meet))
        .routes(routes!(meets::attendees::attendees))
        .routes(routes!(meets::live::meet_live))
        .routes(routes!(meets::feeds::meets_atom))
        .routes(routes!(meets::feeds::meets_json_feed))
        .routes(routes!(meets::calendar::meets_calendar))
        .routes(routes!(meets::calendar::meet_calendar))
        .routes(routes!(me::drives::own_drives))
        .routes(routes!(me::cars::own_cars))
        .routes(routes!(me::car_drives::car_drives))
        .routes(routes!(me::car_log::car_log))
        .routes(routes!(me::meets::own_meets))
        .routes(routes!(me::feed::home_feed))
        .routes(routes!(me::feed_live::home_feed_live))
        .routes(routes!(me::stats::own_stats))
        .routes(routes!(me::profile::own_profile))
        .routes(routes!(me::requests::requests))
        .routes(routes!(me::in_common::in_common))
        .routes(routes!(me::devices::own_devices))
        .routes(routes!(me::decisions::own_decisions))
        .routes(routes!(me::inbox::own_inbox))
        .routes(routes!(me::inbox::own_inbox_fixes))
        .routes(routes!(me::inbox::open_inbox))
        .routes(routes!(me::inbox::close_inbox))
        .routes(routes!(me::inbox::claim_in_inbox))
        .routes(routes!(me::inbox::take_from_inbox))
        .routes(routes!(inbox::post_to_inbox, inbox::get_to_inbox))
        .routes(routes!(reports::report))
        .routes(routes!(invitations::redeem))
        .routes(routes!(recovery::recoverable_accounts))
        .routes(routes!(roads::search::search_roads))
        .routes(routes!(roads::road::road))
        .routes(routes!(roads::tile::tile))
        .routes(routes!(stats::relay_stats))
        .split_for_parts()
}

/// Returns the router of everything that the server answers.
pub(crate) fn router(state: AppState) -> Router {
    // A read token is the only credential, and a page cannot send that of another one, so any page may read, report and use the inbox of
    // its account.
    let cors = CorsLayer::new()
        .allow_origin(Any)
        .allow_methods([Method::GET, Method::HEAD, Method::POST])
        .allow_headers([
            header::IF_NONE_MATCH,
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            HeaderName::from_static("last-event-id"),
        ])
        .expose_headers([header::ETAG])
        .max_age(Duration::from_secs(86_400));
    let reads = documented()
        .0
        .route("/v1/openapi.json", get(openapi::openapi))
        .route("/v1/ready", get(ready::ready))
        // Within the layer, because browsers send OPTIONS before they send a token.
        .method_not_allowed_fallback(async || ApiError::method_not_allowed())
        .layer(cors.clone())
        .layer(from_fn(in_time));
    let mut router = Router::new()
        .merge(reads)
        .route("/v1/sync", get(sync::sync))
        .route("/v1/{*rest}", get(async || ApiError::not_found()))
        .method_not_allowed_fallback(async || ApiError::method_not_allowed())
        .fallback(pwa::serve)
        .layer(from_fn_with_state(state.clone(), compression::compress))
        .layer(from_fn_with_state(state.clone(), count))
        .layer(from_fn_with_state(state.clone(), metrics::observe))
        // Health checks are not counted, because they cost less than a refusal.
        .route("/v1/health", get(health::health).fallback(async || ApiError::method_not_allowed()).layer(cors))
        .layer(CatchPanicLayer::custom(|_| ApiError::internal().into_response()));
    for (name, value) in POLICIES {
        router = router.layer(SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value)));
    }
    router.layer(from_fn_with_state(state.clone(), with_content_security_policy)).with_state(state)
}

/// Adds the content security policy to each answer.
async fn with_content_security_policy(
    State(public_origin): State<Arc<PublicOrigin>>,
    request: Request,
    next: Next,
) -> Response {
    let origin = public_origin.reached(request.headers()).to_string();
    let policy = HeaderValue::from_str(&content_security_policy(&origin));
    let mut response = next.run(request).await;
    if let Ok(policy) = policy {
        response.headers_mut().entry(header::CONTENT_SECURITY_POLICY).or_insert(policy);
    }
    response
}

/// Returns the router of health checks, which also answers on reserved sockets.
pub(crate) fn health_router(state: AppState) -> Router {
    Router::new()
        .route("/v1/health", get(health::health))
        .route("/v1/ready", get(ready::ready))
        .fallback(async || ApiError::overloaded())
        .layer(from_fn(in_time))
        .layer(CatchPanicLayer::custom(|_| ApiError::internal().into_response()))
        .with_state(state)
}

/// Counts a request for its client, and passes the client's [`Source`] to handlers.
async fn count(
    State(limiter): State<Arc<RateLimiter>>,
    State(metrics): State<Arc<Metrics>>,
    mut request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let peer = request.extensions().get::<Peer>().ok_or_else(ApiError::internal)?;
    let limits = limiter.limits();
    let source = Source::from(if limits.trust_proxy {
        limits.client_header.client(request.headers(), limits.trusted_hops).unwrap_or_else(|| {
            warn_of_unnamed_client();
            peer.address
        })
    } else {
        if proxy::is_forwarded(request.headers()) {
            warn_of_proxy();
        }
        peer.address
    });
    if limits.trust_proxy && !peer.assign_client(source, &limiter) {
        return Err(ApiError::overloaded());
    }
    limiter.request(source)?;
    request.extensions_mut().insert(source);
    let response = next.run(request).await;
    let content_type = response.headers().get(header::CONTENT_TYPE);
    if content_type.is_none_or(|value| value != EVENT_STREAM) {
        return Ok(response);
    }
    let place = limiter.admit_stream(source).ok_or_else(ApiError::overloaded)?;
    let open = metrics.stream();
    Ok(response.map(|body| Body::new(CountedBody { body, _place: place, _open: open })))
}

/// A body that is counted while it is being sent.
struct CountedBody {
    body: Body,
    _place: ConnectionPermit,
    _open: OpenGauge,
}

impl HttpBody for CountedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Fails requests that take too long; a stream has begun before that.
async fn in_time(request: Request, next: Next) -> Result<Response, ApiError> {
    timeout(READ_DEADLINE, next.run(request)).await.map_err(|_| ApiError::timed_out())
}

fn warn_of_proxy() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        tracing::warn!("requests come through a proxy: without --trust-proxy its clients share one address's limits");
    });
}

fn warn_of_unnamed_client() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        tracing::warn!(
            "a request has no client address from a proxy, as --trust-proxy expects; such requests share one address's limits"
        );
    });
}
