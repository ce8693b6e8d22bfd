//! The common part of event streams (server-sent events, WHATWG HTML, section 9.2).
//!
//! An event is made when the connection requests it, so that no memory is used for events that a client does not read.

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
use crate::http::reading_device::ReadingDevice;
use crate::http::viewer::Credential;
use crate::notify::event_bus::{EventBus, EventId};
use crate::notify::membership_notifier::MembershipNotifier;
use crate::runtime::clock::Clock;

/// Maximum time without a byte: proxies close connections that seem dead.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// A comment, which is not an event.
const COMMENT: &str = ":\n\n";

/// A source of events.
pub(crate) trait EventSource: Send + 'static {
    /// Returns the next event as sent, or a comment; `None` at the end.
    fn next(&mut self, lifetime: &mut Lifetime) -> impl Future<Output = Option<Bytes>> + Send;
}

/// The end of a stream: when the server stops, when its read token expires, or when its device is removed.
#[derive(Debug)]
pub(crate) struct Lifetime {
    stopping: watch::Receiver<bool>,
    expires_at: Option<Instant>,
    device: Option<ReadingDevice>,
    has_ended: bool,
}

/// The result of waiting.
pub(crate) enum WaitOutcome<T> {
    /// The awaited value.
    For(T),
    /// Bytes to send in the meantime.
    Send(Bytes),
    /// The stream ends.
    End,
}

impl Lifetime {
    /// Waits for a value. May be cancelled at any time.
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
        let device = &mut self.device;
        let removed = async {
            match device {
                Some(device) => device.removed().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = removed => {
                self.has_ended = true;
                WaitOutcome::Send(event("revoked", None, "{}").into())
            }
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

/// Returns an event with its data in one line. A client that reconnects with its id gets the events after it.
pub(crate) fn event(kind: &str, id: Option<EventId>, data: &str) -> String {
    let id = id.map(|id| format!("id: {}\n", id.text())).unwrap_or_default();
    format!("event: {kind}\n{id}data: {data}\n\n")
}

/// `lastEventId`, for clients that cannot send the header `Last-Event-ID`.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ResumeQuery {
    /// Like the header `Last-Event-ID`, which takes precedence.
    #[serde(default)]
    #[param(value_type = String)]
    last_event_id: Option<String>,
}

impl ResumeQuery {
    /// Returns the last event that the client received, if it states one: in the header that browsers send when they
    /// reconnect, or in the parameter.
    pub(crate) fn last_event_id(&self, headers: &HeaderMap) -> Option<EventId> {
        let header = headers.get("last-event-id").and_then(|value| value.to_str().ok());
        header.or(self.last_event_id.as_deref()).map(|id| EventId::parse(id).unwrap_or(EventId::UNKNOWN))
    }
}

/// The state that event streams need.
#[derive(Debug)]
pub(crate) struct EventStreams {
    pub(crate) bus: Arc<EventBus>,
    /// Connections that read for the events of open streams.
    pub(crate) readers: Pool,
    pub(crate) clock: Arc<Clock>,
    pub(crate) membership_notifier: MembershipNotifier,
    pub(crate) stopping: watch::Receiver<bool>,
}

impl EventStreams {
    /// Returns a stream as an answer. By default nginx buffers an answer, which would delay live events, so a header
    /// disables that.
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
        let until = |at: Timestamp| Instant::now() + Duration::from_millis(left_ms(at));
        let device = request.credential.map(|Credential { account, device, .. }| {
            // The device was looked up before this subscription began, so it is looked up again.
            ReadingDevice::again(account, device, self.membership_notifier.subscribe(account), self.readers.clone())
        });
        let expires_at = request.credential.map(|credential| until(credential.expires_at));
        Lifetime { stopping: self.stopping.clone(), expires_at, device, has_ended: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lifetime(expires_in: Option<Duration>) -> (watch::Sender<bool>, Lifetime) {
        let (stop, stopping) = watch::channel(false);
        let expires_at = expires_in.map(|left| Instant::now() + left);
        (stop, Lifetime { stopping, expires_at, device: None, has_ended: false })
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
