//! A read request: its viewer, its client, and the answers that the client has cached.

use std::sync::Arc;

use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use sha2::{Digest, Sha256};
use tourismo_core::id::AccountId;

use crate::clients::limits::Source;
use crate::clients::read_queue::{ReadPermit, ReadQueue};
use crate::domain::authorize::Viewer;
use crate::http::error::ApiError;
use crate::http::serving::Peer;
use crate::http::viewer::{Credential, Viewers};

/// A request.
#[derive(Debug)]
pub(crate) struct ReadRequest {
    pub(crate) viewer: Viewer,
    /// The viewer's read token.
    pub(crate) credential: Option<Credential>,
    /// The client's address.
    pub(crate) source: Source,
    /// The permit to read, held until the answer is made.
    turn: Option<ReadPermit>,
    pub(crate) headers: HeaderMap,
    /// Path and query as received.
    pub(crate) uri: String,
}

impl<S> FromRequestParts<S> for ReadRequest
where
    S: Send + Sync,
    Arc<Viewers>: FromRef<S>,
    Arc<ReadQueue>: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<ReadRequest, ApiError> {
        let source = *parts.extensions.get::<Source>().ok_or_else(ApiError::internal)?;
        let peer = parts.extensions.get::<Peer>().ok_or_else(ApiError::internal)?;
        let (viewer, credential) = Arc::<Viewers>::from_ref(state).viewer(&parts.headers, peer).await?;
        let turn = Arc::<ReadQueue>::from_ref(state).acquire(source, viewer.account()).await?;
        let uri = parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
        Ok(ReadRequest { viewer, credential, source, turn: Some(turn), headers: parts.headers.clone(), uri })
    }
}

/// A request for an account's own data, which requires a read token.
#[derive(Debug)]
pub(crate) struct OwnRequest {
    pub(crate) me: AccountId,
    pub(crate) request: ReadRequest,
}

impl<S> FromRequestParts<S> for OwnRequest
where
    S: Send + Sync,
    ReadRequest: FromRequestParts<S, Rejection = ApiError>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<OwnRequest, ApiError> {
        let request = ReadRequest::from_request_parts(parts, state).await?;
        let me = request.viewer.account().ok_or_else(|| {
            ApiError::unauthorized(
                "token_needed",
                "Authentication required.",
                "Send a read token: Authorization: Bearer.",
            )
        })?;
        Ok(OwnRequest { me, request })
    }
}

impl ReadRequest {
    /// Releases the permit before something that may take long.
    pub(crate) fn release_permit(&mut self) {
        self.turn = None;
    }

    /// Returns an answer in JSON, or 304 if the client has it. `[R8]`
    pub(crate) fn answer(&self, body: &impl Serialize) -> Result<Response, ApiError> {
        let body = serde_json::to_string(body).map_err(|_| ApiError::internal())?;
        Ok(self.answer_with(body, "application/json"))
    }

    /// Returns an answer of some type, or 304 if the client has it.
    pub(crate) fn answer_with(&self, body: String, content_type: &'static str) -> Response {
        self.answer_bytes(body.into_bytes(), content_type)
    }

    /// Returns a binary answer, or 304 if the client has it.
    pub(crate) fn answer_bytes(&self, body: Vec<u8>, content_type: &'static str) -> Response {
        // Weak, because the answer may be compressed.
        let etag = HeaderValue::from_str(&format!("W/\"{}\"", tag(&body))).expect("digits are visible ASCII");
        let caching = self.caching(etag.clone());
        if is_known(&self.headers, &etag) {
            return (StatusCode::NOT_MODIFIED, caching).into_response();
        }
        (caching, [(header::CONTENT_TYPE, HeaderValue::from_static(content_type))], body).into_response()
    }

    /// Returns the headers for caches: they must revalidate each time, and must not store answers for one viewer.
    pub(crate) fn caching(&self, etag: HeaderValue) -> [(HeaderName, HeaderValue); 3] {
        let policy = match self.viewer {
            Viewer::Anonymous => "no-cache",
            Viewer::Account(_) => "private, no-store",
        };
        [
            (header::ETAG, etag),
            (header::CACHE_CONTROL, HeaderValue::from_static(policy)),
            (header::VARY, HeaderValue::from_static("authorization")),
        ]
    }
}

/// Returns a text that differs for every other body.
pub(crate) fn tag(body: &[u8]) -> String {
    Sha256::digest(body).iter().take(12).map(|byte| format!("{byte:02x}")).collect()
}

/// Returns whether a client has the answer with this tag: by weak comparison, in a list or as `*` (RFC 9110, 13.1.2).
pub(crate) fn is_known(headers: &HeaderMap, etag: &HeaderValue) -> bool {
    let Some(tag) = etag.to_str().ok().and_then(|etag| opaque_tags(etag).next()) else { return false };
    let mut values = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    values.any(|value| value.trim() == "*" || opaque_tags(value).any(|known| known == tag))
}

/// Returns the tags of a list without quotes and `W/`: a tag may contain a comma. Stops at the first invalid tag.
fn opaque_tags(list: &str) -> impl Iterator<Item = &str> {
    let mut rest = list;
    std::iter::from_fn(move || {
        let start = rest.trim_start_matches([' ', '\t', ',']);
        let (tag, after) = start.strip_prefix("W/").unwrap_or(start).strip_prefix('"')?.split_once('"')?;
        rest = after;
        Some(tag)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r8_tags_are_compared_weakly_and_in_lists() {
        let etag = HeaderValue::from_static("W/\"a1\"");
        for (values, is_one) in [
            (&["W/\"a1\""][..], true),
            (&["\"a1\""], true),
            (&["*"], true),
            (&["\"x\", W/\"a1\""], true),
            (&["\"x,y\",\"a1\""], true),
            (&["\"x\"", " \"a1\" "], true),
            (&["\"a1"], false),
            (&["a1"], false),
            (&["\"A1\""], false),
            (&["\"W/a1\""], false),
            (&["\"x, \"a1\", \"y\""], false),
            (&[""], false),
            (&[], false),
        ] {
            let header = |value: &&'static str| (header::IF_NONE_MATCH, HeaderValue::from_static(value));
            let headers: HeaderMap = values.iter().map(header).collect();
            assert_eq!(is_known(&headers, &etag), is_one, "{values:?}");
        }
    }
}
