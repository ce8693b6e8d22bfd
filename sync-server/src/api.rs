//! The HTTP side: routes, what is wrapped around all of them, and the body that every refusal has.

pub(crate) mod access_check;
pub(crate) mod compression;
pub(crate) mod cursor;
pub(crate) mod drive_item;
pub(crate) mod drives;
pub(crate) mod event_stream;
pub(crate) mod feed;
pub(crate) mod geojson;
pub(crate) mod health;
pub(crate) mod me;
pub(crate) mod meets;
pub(crate) mod openapi;
pub(crate) mod page;
pub(crate) mod path;
pub(crate) mod people;
pub(crate) mod query;
pub(crate) mod read_request;
pub(crate) mod ready;
pub(crate) mod roads;
pub(crate) mod schema;
pub(crate) mod stats;
pub(crate) mod syndication;
pub(crate) mod tracks;
pub(crate) mod viewer;

use std::pin::Pin;
use std::sync::{Arc, Once};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use hyper::body::{Frame, SizeHint};
use tokio::time::timeout;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::{Any, CorsLayer};
use tower_http::set_header::SetResponseHeaderLayer;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::schema::{ErrorBody, ErrorDetails};
use crate::db::sql;
use crate::limits::{ConnectionPermit, RateLimited, RateLimiter, Source};
use crate::metrics::{self, Metrics, RefusalCode};
use crate::origin::{Origin, PublicOrigin};
use crate::serving::Peer;
use crate::state::AppState;
use crate::{proxy, pwa, socket};

/// How long a read may take.
const READ_DEADLINE: Duration = Duration::from_secs(30);

/// What pages of this host may do. The camera reads the code that another device shows.
const POLICIES: [(HeaderName, &str); 4] = [
    (
        HeaderName::from_static("permissions-policy"),
        "geolocation=(self), screen-wake-lock=(self), camera=(self), microphone=()",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
];

/// The code of a connection that is one too many.
const OVERLOADED: &str = "overloaded";

/// The type of event streams, as axum says it.
const EVENT_STREAM: &str = "text/event-stream";

/// What pages of this host may load, and where they may connect. The core is WebAssembly, and maps draw in workers made of
/// blobs and set styles. A page connects to its own host alone; that host is named for WebSockets, too, because not every
/// browser takes them for `'self'`.
fn content_security_policy(origin: &str) -> String {
    // A policy cannot name an IPv6 address.
    let host = origin.split_once("://").map(|(_, host)| host).filter(|host| !host.contains('['));
    let sockets = host.map(|host| format!(" ws://{host} wss://{host}")).unwrap_or_default();
    format!(
        "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self' blob:; img-src 'self' data: blob:; \
         style-src 'self' 'unsafe-inline'; connect-src 'self'{sockets}; object-src 'none'; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'"
    )
}

/// Every read, with its description.
fn documented() -> (Router<AppState>, utoipa::openapi::OpenApi) {
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
        .routes(routes!(roads::search::search_roads))
        .routes(routes!(roads::road::road))
        .routes(routes!(roads::tile::tile))
        .routes(routes!(stats::relay_stats))
        .split_for_parts()
}

/// Everything that the server answers.
pub(crate) fn router(state: AppState) -> Router {
    // A read token is the only credential, and pages cannot send somebody else's: any page may ask.
    let cors = CorsLayer::new()
        .allow_origin(Any)
        .allow_methods([Method::GET, Method::HEAD])
        .allow_headers([header::IF_NONE_MATCH, header::AUTHORIZATION, HeaderName::from_static("last-event-id")])
        .expose_headers([header::ETAG])
        .max_age(Duration::from_secs(86_400));
    let reads = documented()
        .0
        .route("/v1/openapi.json", get(openapi::openapi))
        .route("/v1/ready", get(ready::ready))
        // Within the layer: browsers ask with OPTIONS whether they may send a token.
        .method_not_allowed_fallback(async || ApiError::method_not_allowed())
        .layer(cors.clone())
        .layer(from_fn(in_time));
    let mut router = Router::new()
        .merge(reads)
        .route("/v1/sync", get(socket::sync))
        .route("/v1/{*rest}", get(async || ApiError::not_found()))
        .method_not_allowed_fallback(async || ApiError::method_not_allowed())
        .fallback(pwa::serve)
        .layer(from_fn_with_state(state.clone(), compression::compress))
        .layer(from_fn_with_state(state.clone(), count))
        .layer(from_fn_with_state(state.clone(), metrics::observe))
        // Whoever asks whether the process runs is not counted: it costs less than a refusal.
        .route("/v1/health", get(health::health).fallback(async || ApiError::method_not_allowed()).layer(cors))
        .layer(CatchPanicLayer::custom(|_| ApiError::internal().into_response()));
    for (name, value) in POLICIES {
        router = router.layer(SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value)));
    }
    router.layer(from_fn_with_state(state.clone(), with_content_security_policy)).with_state(state)
}

/// Says of each answer what a page may load.
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

/// Whether the process runs and can do its work, and nothing else: what a socket of the reserve answers.
pub(crate) fn health_router(state: AppState) -> Router {
    Router::new()
        .route("/v1/health", get(health::health))
        .route("/v1/ready", get(ready::ready))
        .fallback(async || ApiError::overloaded())
        .layer(from_fn(in_time))
        .layer(CatchPanicLayer::custom(|_| ApiError::internal().into_response()))
        .with_state(state)
}

/// Counts the request of whoever makes it, and says who that is to those that ask for a [`Source`].
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

/// A body that is counted for as long as it is being sent.
struct CountedBody {
    body: Body,
    _place: ConnectionPermit,
    _open: metrics::OpenGauge,
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

/// Gives up what takes too long; a stream has begun before that.
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
            "a request came whose client no proxy names, as --trust-proxy expects; such requests share one address's limits"
        );
    });
}

/// After how many seconds to try again, where nothing tells better.
const RETRY_AFTER_S: u64 = 2;

/// A refusal: `{ "error": { "code", "message", "hint"? } }`. Codes are stable, texts are not.
#[derive(Clone, Debug)]
pub(crate) struct ApiError {
    status: StatusCode,
    code: &'static str,
    message: &'static str,
    hint: Option<String>,
    /// When it may be tried again, seconds.
    retry_after_s: Option<u64>,
}

impl ApiError {
    /// For what does not exist and for what the viewer may not see, alike.
    pub(crate) fn not_found() -> ApiError {
        ApiError::new(StatusCode::NOT_FOUND, "not_found", "Not found.")
    }

    pub(crate) fn bad_parameter(code: &'static str, hint: String) -> ApiError {
        let error = ApiError::new(StatusCode::BAD_REQUEST, code, "Invalid parameter.");
        ApiError { hint: Some(hint), ..error }
    }

    /// For whoever does not show who they are, or not well.
    pub(crate) fn unauthorized(code: &'static str, message: &'static str, hint: &str) -> ApiError {
        let error = ApiError::new(StatusCode::UNAUTHORIZED, code, message);
        ApiError { hint: Some(hint.to_owned()), ..error }
    }

    pub(crate) fn forbidden_origin(expected: &Origin) -> ApiError {
        let error =
            ApiError::new(StatusCode::FORBIDDEN, "origin_not_allowed", "Pages of this origin may not sync here.");
        let hint = format!(
            "The server takes itself for {expected}. Start it with --public-url if clients reach it elsewhere, and with \
             --allow-origin for pages of another host."
        );
        ApiError { hint: Some(hint), ..error }
    }

    pub(crate) fn overloaded() -> ApiError {
        ApiError::later(StatusCode::SERVICE_UNAVAILABLE, OVERLOADED, "Too many connections. Try again later.")
    }

    /// For an address that reads as many large answers as it may.
    pub(crate) fn too_many_bodies() -> ApiError {
        let error = ApiError::later(
            StatusCode::TOO_MANY_REQUESTS,
            "too_many_requests",
            "Too many large answers are on their way to this address.",
        );
        ApiError { hint: Some("Read those first, or try again later.".to_owned()), ..error }
    }

    pub(crate) fn method_not_allowed() -> ApiError {
        ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "Only GET and HEAD are allowed.")
    }

    pub(crate) fn timed_out() -> ApiError {
        ApiError::later(StatusCode::GATEWAY_TIMEOUT, "timed_out", "The read took too long. Try again later.")
    }

    pub(crate) fn internal() -> ApiError {
        ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Internal server error. It has been logged.")
    }

    fn new(status: StatusCode, code: &'static str, message: &'static str) -> ApiError {
        ApiError { status, code, message, hint: None, retry_after_s: None }
    }

    /// For what may be tried again after a while.
    fn later(status: StatusCode, code: &'static str, message: &'static str) -> ApiError {
        ApiError { retry_after_s: Some(RETRY_AFTER_S), ..ApiError::new(status, code, message) }
    }
}

impl From<RateLimited> for ApiError {
    fn from(too_much: RateLimited) -> ApiError {
        let error =
            ApiError::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", "Too many requests from this address.");
        let seconds = too_much.retry_in.as_secs() + 1;
        ApiError { hint: Some(format!("Try again in {seconds} s.")), retry_after_s: Some(seconds), ..error }
    }
}

impl From<sqlx::Error> for ApiError {
    fn from(error: sqlx::Error) -> ApiError {
        if sql::was_interrupted(&error) {
            tracing::warn!("a read was interrupted because it took too long");
            return ApiError::timed_out();
        }
        tracing::error!(%error, "the database cannot be read");
        ApiError::later(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "The database cannot be read. Try again later.")
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let challenge = (self.status == StatusCode::UNAUTHORIZED)
            .then_some([(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))]);
        let error = ErrorDetails { code: self.code, message: self.message, hint: self.hint };
        let headers = [(header::CACHE_CONTROL, "no-store")];
        let mut response = (self.status, headers, Json(ErrorBody { error })).into_response();
        response.extensions_mut().insert(RefusalCode(self.code));
        if self.code == OVERLOADED {
            // A connection that is one too many is not kept.
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response.headers_mut().extend(challenge.into_iter().flatten());
        response
            .headers_mut()
            .extend(self.retry_after_s.map(|seconds| (header::RETRY_AFTER, HeaderValue::from(seconds))));
        response
    }
}
