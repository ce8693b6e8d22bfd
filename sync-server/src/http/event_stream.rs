//! What event streams have in common (server-sent events, WHATWG HTML, section 9.2).
//!
//! An event is made when the connection asks for it, and not before: what a client does not take is not made.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::Deserialize;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};
use tourismo_core::time::Timestamp;
use utoipa::IntoParams;

use crate::db::sql::Pool;
use crate::http::read_request::ReadRequest;
use crate::notify::event_bus::{EventBus, EventId};
use crate::runtime::clock::Clock;

/// How long nothing may be said: proxies cut connections that seem dead.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// A comment, which is no event.
const COMMENT: &str = ":\n\n";

/// Something that tells events one after the other.
pub(crate) trait EventSource: Send + 'static {
    /// The next event as it is sent, or a comment; `None` if there are no more.
    fn next(&mut self, lifetime: &mut Lifetime) -> impl Future<Output = Option<Bytes>> + Send;
}

/// How long a stream may last: until the server stops, or the read token expires that opened it.
#[derive(Debug)]
pub(crate) struct Lifetime {
    stopping: watch::Receiver<bool>,
    expires_at: Option<Instant>,
    has_ended: bool,
}

/// What came of waiting.
pub(crate) enum WaitOutcome<T> {
    /// What was waited for.
    For(T),
    /// This is to be sent meanwhile.
    Send(Bytes),
    /// The stream ends.
    End,
}

impl Lifetime {
    /// Waits for something, which may be given up at every moment.
    pub(crate) async fn wait<T>(&mut self, something: impl Future<Output = T>) -> WaitOutcome<T> {
        if self.has_ended {
            return WaitOutcome::End;
        }
        let expires_at = self.expires_at;
        let expired = async {
            match expires_at {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            _ = self.stopping.wait_for(|stopping| *stopping) => WaitOutcome::End,
            () = expired => {
                self.has_ended = true;
                WaitOutcome::Send(event("expired", None, "{}").into())
            }
            happened = something => WaitOutcome::For(happened),
            () = sleep(KEEP_ALIVE) => WaitOutcome::Send(Bytes::from_static(COMMENT.as_bytes())),
        }
    }
}

/// An event of a kind, with its data in one line; whoever comes back with its id is told what came after it.
pub(crate) fn event(kind: &str, id: Option<EventId>, data: &str) -> String {
    let id = id.map(|id| format!("id: {}\n", id.text())).unwrap_or_default();
    format!("event: {kind}\n{id}data: {data}\n\n")
}

/// `lastEventId`, for clients that cannot send the header `Last-Event-ID`.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ResumeQuery {
    /// The same as the header `Last-Event-ID`, which counts if both are there.
    #[serde(default)]
    #[param(value_type = String)]
    last_event_id: Option<String>,
}

impl ResumeQuery {
    /// The event after which the client was told nothing, if it names one: in the header that browsers send when they come
    /// back, or in the parameter.
    pub(crate) fn last_event_id(&self, headers: &HeaderMap) -> Option<EventId> {
        let header = headers.get("last-event-id").and_then(|value| value.to_str().ok());
        header.or(self.last_event_id.as_deref()).map(|id| EventId::parse(id).unwrap_or(EventId::UNKNOWN))
    }
}

/// What event streams take.
#[derive(Debug)]
pub(crate) struct EventStreams {
    pub(crate) bus: Arc<EventBus>,
    /// Connections that read for the events of open streams.
    pub(crate) readers: Pool,
    pub(crate) clock: Arc<Clock>,
    pub(crate) stopping: watch::Receiver<bool>,
}

impl EventStreams {
    /// A stream as an answer. nginx gathers what it passes on unless it is told not to, and would tell late what is live.
    pub(crate) fn answer(&self, request: &ReadRequest, source: impl EventSource) -> Response {
        let lifetime = self.lifetime(request);
        let events = stream::unfold((source, lifetime), async |(mut source, mut lifetime)| {
            let event = source.next(&mut lifetime).await?;
            Some((Ok::<_, Infallible>(event), (source, lifetime)))
        });
        let headers = [
            (header::CONTENT_TYPE.as_str(), "text/event-stream"),
            (header::CACHE_CONTROL.as_str(), "no-cache"),
            ("x-accel-buffering", "no"),
        ];
        (headers, Body::from_stream(events)).into_response()
    }

    fn lifetime(&self, request: &ReadRequest) -> Lifetime {
        let left_ms = |at: Timestamp| u64::try_from(at.millis_since(self.clock.now())).unwrap_or(0);
        let expires_at = request.expires_at.map(|at| Instant::now() + Duration::from_millis(left_ms(at)));
        Lifetime { stopping: self.stopping.clone(), expires_at, has_ended: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lifetime(expires_in: Option<Duration>) -> (watch::Sender<bool>, Lifetime) {
        let (stop, stopping) = watch::channel(false);
        let expires_at = expires_in.map(|left| Instant::now() + left);
        (stop, Lifetime { stopping, expires_at, has_ended: false })
    }

    #[tokio::test(start_paused = true)]
    async fn r9_a_stream_says_that_its_token_expired_and_ends() {
        let (_stop, mut lifetime) = lifetime(Some(Duration::from_secs(40)));
        let mut said = Vec::new();
        while let WaitOutcome::Send(bytes) = lifetime.wait(std::future::pending::<()>()).await {
            said.push(String::from_utf8(bytes.to_vec()).unwrap());
        }
        assert_eq!(said, [COMMENT, COMMENT, "event: expired\ndata: {}\n\n"]);
    }

    #[tokio::test(start_paused = true)]
    async fn r9_a_stream_without_a_token_lasts_until_the_server_stops() {
        let (stop, mut lifetime) = lifetime(None);
        for _ in 0..10_000 {
            assert!(matches!(lifetime.wait(std::future::pending::<()>()).await, WaitOutcome::Send(_)));
        }
        assert!(matches!(lifetime.wait(async {}).await, WaitOutcome::For(())));
        stop.send_replace(true);
        assert!(matches!(lifetime.wait(async {}).await, WaitOutcome::End));
    }
}
