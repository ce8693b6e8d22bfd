//! `/v1/inbox/{secret}`: background recorders post positions to the secret address of an account.

use std::sync::Arc;

use axum::Extension;
use axum::body::{Body, HttpBody, to_bytes};
use axum::extract::{RawQuery, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use tourismo_core::id::AccountId;
use tourismo_core::wire::RelayId;
use tourismo_import::post::{self, Post};

use crate::clients::bodies::Bodies;
use crate::clients::limits::RateLimiter;
use crate::db::inbox::{self, Secret};
use crate::http::error::ApiError;
use crate::http::path::Path;
use crate::http::read_request::ReadRequest;
use crate::http::readers::AnswerReaders;
use crate::http::serving::Peer;
use crate::read::schema::Refusals;
use crate::runtime::clock::Clock;
use crate::writer::{InboxAct, InboxResult, Writer};

/// Maximum size of a body, bytes.
const MAX_BODY: usize = 1 << 20;

/// A body of this size costs as much as a fix, bytes: that of Overland has about 350.
const BYTES_OF_A_FIX: usize = 200;

/// A fix that is further in the future is refused, milliseconds.
const MAX_AHEAD_MS: i64 = 600_000;

/// Stores positions of OwnTracks, Overland or Traccar's client for the account whose address this is. They are on disk when
/// this answers. A repeated post adds nothing. `[I1]` `[I2]` `[I3]`
#[utoipa::path(
    post, path = "/v1/inbox/{secret}", tag = "inbox", security(()),
    params(("secret" = String, Path, description = "The secret part of the address, 32 hexadecimal digits.")),
    request_body(
        content = String, content_type = "application/json",
        description = "A message of OwnTracks, a batch of Overland, or a location of Traccar's client; or the parameters of the \
            OsmAnd protocol, as a form."
    ),
    responses(
        (status = 200, description = "Stored; the answer is the one that the recorder expects.",
            content_type = "application/json", body = String),
        Refusals
    )
)]
pub(crate) async fn post_to_inbox(
    State(inbox): State<Arc<InboxPosts>>,
    Path(secret): Path<String>,
    RawQuery(query): RawQuery,
    Extension(peer): Extension<Peer>,
    mut request: ReadRequest,
    body: Body,
) -> Result<Response, ApiError> {
    let account = inbox.account(&secret).await?;
    // The client may send slowly.
    request.release_permit();
    let too_long = || ApiError::bad_body("The body has at most 1 MiB.");
    let length = body.size_hint().exact().map_or(MAX_BODY, |length| usize::try_from(length).unwrap_or(usize::MAX));
    if length > MAX_BODY {
        return Err(too_long());
    }
    let _room = inbox.bodies.reserve(request.source, length).ok_or_else(ApiError::overloaded)?;
    // More than a stranger may send.
    peer.allowance.extend(MAX_BODY);
    let body = to_bytes(body, length).await.map_err(|_| too_long())?;
    inbox.store(account, &query.unwrap_or_default(), request, &body).await
}

/// The same for recorders that send one position as the parameters of a query, such as GPSLogger. `[I1]` `[I2]` `[I3]`
#[utoipa::path(
    get, path = "/v1/inbox/{secret}", tag = "inbox", security(()),
    params(
        ("secret" = String, Path, description = "The secret part of the address, 32 hexadecimal digits."),
        ("lat" = Option<f64>, Query, description = "Latitude, degrees north."),
        ("lon" = Option<f64>, Query, description = "Longitude, degrees east."),
        ("time" = Option<String>, Query, description = "ISO 8601, or seconds or milliseconds since 1970; the time of the \
            request if it is missing. Further parameters are those of the OsmAnd protocol."),
    ),
    responses(
        (status = 200, description = "Stored.", content_type = "application/json", body = String),
        Refusals
    )
)]
pub(crate) async fn get_to_inbox(
    State(inbox): State<Arc<InboxPosts>>,
    Path(secret): Path<String>,
    RawQuery(query): RawQuery,
    request: ReadRequest,
) -> Result<Response, ApiError> {
    let account = inbox.account(&secret).await?;
    inbox.store(account, &query.unwrap_or_default(), request, &[]).await
}

/// Stores what recorders post.
#[derive(Debug)]
pub(crate) struct InboxPosts {
    pub(crate) readers: AnswerReaders,
    pub(crate) relay: RelayId,
    pub(crate) clock: Arc<Clock>,
    pub(crate) writer: Writer,
    pub(crate) limiter: Arc<RateLimiter>,
    /// The bodies that are being received.
    pub(crate) bodies: Arc<Bodies>,
}

impl InboxPosts {
    /// Returns the account with an address, and the secret of the address.
    async fn account(&self, secret: &str) -> Result<(AccountId, Secret), ApiError> {
        let mut bytes = Secret::default();
        hex::decode_to_slice(secret, &mut bytes).map_err(|_| ApiError::not_found())?;
        let inbox = inbox::find_by_secret(&mut self.readers.acquire().await?, &bytes).await?;
        Ok((inbox.ok_or_else(ApiError::not_found)?.account, bytes))
    }

    async fn store(
        &self,
        (account, secret): (AccountId, Secret),
        query: &str,
        mut request: ReadRequest,
        body: &[u8],
    ) -> Result<Response, ApiError> {
        request.release_permit();
        self.limiter.post_to_inbox(account, 1 + body.len() / BYTES_OF_A_FIX)?;
        let now = self.clock.now();
        let post = post::read(query, body, now);
        let Post { recorder, fixes, refused, answer } = post.map_err(|error| ApiError::bad_body(&sentence(&error)))?;
        let (fixes, ahead): (Vec<_>, Vec<_>) =
            fixes.into_iter().partition(|fix| fix.fixed_at.millis_since(now) <= MAX_AHEAD_MS);
        let refused = refused + ahead.len();
        if !fixes.is_empty() || refused > 0 {
            let source = request.source.names(&self.relay);
            let act = InboxAct::Post { secret, source, recorder, fixes, refused };
            match self.writer.inbox(account, act).await.map_err(|_| ApiError::unavailable())? {
                InboxResult::Done | InboxResult::More => {}
                InboxResult::Unknown => return Err(ApiError::not_found()),
                InboxResult::Full => return Err(ApiError::inbox_full()),
                InboxResult::NoRoom => return Err(ApiError::unavailable()),
            }
        }
        let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
        Ok((headers, answer).into_response())
    }
}

/// The message of an error as a sentence.
fn sentence(error: &post::PostError) -> String {
    let text = error.to_string();
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect::<String>() + ".").unwrap_or_default()
}
