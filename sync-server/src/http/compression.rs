//! Compresses answers, each as a whole before it is sent: the memory for compressing is held for milliseconds, however
//! slowly the answer is read. An answer that is the same for everybody is compressed once and cached for a while.

use std::io::Write;
use std::sync::Arc;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::StreamExt;
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use crate::clients::bodies::Bodies;
use crate::clients::limits::Source;
use crate::clients::read_queue::ReadQueue;
use crate::http::error::ApiError;

/// Maximum bytes of cached answers, and their expected number.
const KEPT_BYTES: u64 = 16 << 20;
const KEPT_ANSWERS: usize = 1_024;

/// Maximum size of a cached answer, bytes.
const LARGEST_KEPT: usize = 2 << 20;

/// Smaller answers are not compressed.
const WORTH_BYTES: u64 = 860;

/// The size from which on a sent answer counts towards the limits, bytes.
const COUNTED_BYTES: usize = 64 << 10;

/// The size from which on an answer is compressed on another thread than those of sockets.
const AT_ONCE_BYTES: usize = 256 << 10;

/// Marks an answer that is the same for every reader who may have it. Its tag must differ for every other answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SharedAnswers;

/// The cache of compressed answers.
#[derive(Debug)]
pub(crate) struct Compressed(Cache<Key, Bytes, ByBytes>);

/// The state that compression needs.
#[derive(Debug)]
pub(crate) struct AnswerCompressor {
    pub(crate) compressed: Compressed,
    /// The large answers that are being sent.
    pub(crate) bodies: Arc<Bodies>,
    pub(crate) read_queue: Arc<ReadQueue>,
}

/// The key of an answer: its path and query, the relay's origin, and its tag.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    host: Option<HeaderValue>,
    resource: String,
    tag: HeaderValue,
}

#[derive(Clone, Debug)]
struct ByBytes;

impl Weighter<Key, Bytes> for ByBytes {
    fn weight(&self, key: &Key, bytes: &Bytes) -> u64 {
        (key.resource.len() + bytes.len()) as u64
    }
}

impl Default for Compressed {
    fn default() -> Compressed {
        Compressed(Cache::with_weighter(KEPT_ANSWERS, KEPT_BYTES, ByBytes))
    }
}

/// Compresses an answer if its client accepts that and it is large enough, and counts a large one until it was read.
pub(crate) async fn compress(
    State(compressor): State<Arc<AnswerCompressor>>,
    request: Request,
    next: Next,
) -> Response {
    let Some(source) = request.extensions().get::<Source>().copied() else { return next.run(request).await };
    let is_get = request.method() == Method::GET;
    let accepts = accepts_gzip(request.headers());
    let is_anonymous = !request.headers().contains_key(header::AUTHORIZATION);
    let host = request.headers().get(header::HOST).cloned();
    let resource = request.uri().path_and_query().map(ToString::to_string).unwrap_or_default();
    let mut response = next.run(request).await;
    if !is_get || response.status() != StatusCode::OK || !can_be_compressed(&response) {
        return response;
    }
    let varies = |value: &HeaderValue| value.to_str().is_ok_and(|value| value.contains("accept-encoding"));
    if !response.headers().get_all(header::VARY).iter().any(varies) {
        response.headers_mut().append(header::VARY, HeaderValue::from_static("accept-encoding"));
    }
    let is_small = response.body().size_hint().upper().is_some_and(|bytes| bytes < WORTH_BYTES);
    if !accepts || is_small {
        return compressor.counted(source, response).await.unwrap_or_else(IntoResponse::into_response);
    }
    let is_same_for_all = is_anonymous || response.extensions().get::<SharedAnswers>().is_some();
    let key = tag(&response).filter(|_| is_same_for_all).map(|tag| Key { host, resource, tag });
    compressor.compressed(source, key, response).await.unwrap_or_else(IntoResponse::into_response)
}

impl AnswerCompressor {
    async fn compressed(&self, source: Source, key: Option<Key>, response: Response) -> Result<Response, ApiError> {
        let (mut parts, body) = response.into_parts();
        let bytes = match key {
            None => self.gzip(source, body).await?,
            Some(key) => match self.compressed.0.get_value_or_guard_async(&key).await {
                Ok(bytes) => bytes,
                Err(guard) => {
                    let bytes = self.gzip(source, body).await?;
                    if bytes.len() <= LARGEST_KEPT {
                        // If the cache has no room for it, it is dropped at once.
                        let _ = guard.insert(bytes.clone());
                    }
                    bytes
                }
            },
        };
        parts.headers.remove(header::CONTENT_LENGTH);
        parts.headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        self.counted(source, Response::from_parts(parts, Body::from(bytes))).await
    }

    /// Compresses a body while it is being made. This is a read of this address, which waits for its turn and is
    /// charged.
    async fn gzip(&self, source: Source, body: Body) -> Result<Bytes, ApiError> {
        let _turn = self.read_queue.acquire(source, None).await?;
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        let mut pieces = body.into_data_stream();
        while let Some(piece) = pieces.next().await {
            let mut piece = piece.map_err(|_| ApiError::internal())?;
            while !piece.is_empty() {
                let these = piece.split_to(piece.len().min(AT_ONCE_BYTES));
                let written = tokio::task::spawn_blocking(move || encoder.write_all(&these).map(|()| encoder));
                encoder = written.await.map_err(|_| ApiError::internal())?.map_err(|_| ApiError::internal())?;
            }
        }
        encoder.finish().map(Bytes::from).map_err(|_| ApiError::internal())
    }

    /// Counts a large answer in memory until it was read. A body that is made on demand counts by itself.
    async fn counted(&self, source: Source, response: Response) -> Result<Response, ApiError> {
        let size = response.body().size_hint().exact().and_then(|size| usize::try_from(size).ok()).unwrap_or(0);
        if size < COUNTED_BYTES {
            return Ok(response);
        }
        let room = self.bodies.reserve(source, size).ok_or_else(ApiError::too_many_bodies)?;
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, size).await.map_err(|_| ApiError::internal())?;
        Ok(Response::from_parts(parts, room.whole(bytes)))
    }
}

/// Returns the tag that distinguishes this answer from every other one at its address.
fn tag(response: &Response) -> Option<HeaderValue> {
    let is_for_ever = |policy: &HeaderValue| policy.to_str().is_ok_and(|policy| policy.contains("immutable"));
    let headers = response.headers();
    headers
        .get(header::ETAG)
        .or_else(|| headers.get(header::CACHE_CONTROL).filter(|policy| is_for_ever(policy)))
        .cloned()
}

fn can_be_compressed(response: &Response) -> bool {
    let content_type = response.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let name = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    let is_text = name != "text/event-stream"
        && (name.starts_with("text/")
            || name.ends_with("json")
            || name.ends_with("xml")
            || ["application/wasm", "application/vnd.mapbox-vector-tile", "application/x-protobuf"].contains(&name));
    is_text && !response.headers().contains_key(header::CONTENT_ENCODING)
}

/// Returns whether `Accept-Encoding` contains gzip (RFC 9110, 12.5.3) with a weight other than 0.
fn accepts_gzip(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::ACCEPT_ENCODING).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|coding| {
        let (name, parameters) = coding.split_once(';').unwrap_or((coding, ""));
        let weight = parameters.trim().strip_prefix("q=").map_or(1.0, |weight| weight.parse().unwrap_or(0.0));
        name.trim().eq_ignore_ascii_case("gzip") && weight > 0.0
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_sent_to_those_who_accept_it() {
        for (value, accepts) in [
            ("gzip, deflate, br, zstd", true),
            ("GZIP;q=0.5", true),
            ("gzip; q=0", false),
            ("br", false),
            ("identity", false),
        ] {
            let headers = [(header::ACCEPT_ENCODING, HeaderValue::from_static(value))].into_iter().collect();
            assert_eq!(accepts_gzip(&headers), accepts, "{value}");
        }
    }

    #[test]
    fn texts_are_compressed_and_streams_and_pictures_are_not() {
        for (content_type, can) in [
            ("application/json", true),
            ("application/geo+json", true),
            ("application/atom+xml; charset=utf-8", true),
            ("text/event-stream", false),
            ("image/png", false),
        ] {
            let response = ([(header::CONTENT_TYPE, content_type)], "x").into_response();
            assert_eq!(can_be_compressed(&response), can, "{content_type}");
        }
    }
}
