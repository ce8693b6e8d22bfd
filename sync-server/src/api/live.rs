//! What event streams have in common (server-sent events, WHATWG HTML, section 9.2).

use std::convert::Infallible;
use std::time::Duration;

use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::Stream;

use super::asked::Asked;
use crate::live::{Listener, Place};

/// How long nothing may be said: proxies cut connections that seem dead.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// An event of a kind, with its data.
pub(crate) fn event(kind: &str, data: &str) -> Event {
    Event::default().event(kind).data(data)
}

/// The first event of a stream: from here on everything is told.
pub(crate) fn open(listener: &Listener) -> Event {
    event("open", "{}").id(listener.place().id())
}

/// What was read before may be different.
pub(crate) fn stale(place: Place) -> Event {
    event("stale", "{}").id(place.id())
}

/// From which place on the client has heard nothing, if it says so: in the header that browsers send when they come back, or
/// in a parameter.
pub(crate) fn from_place(asked: &Asked) -> Option<Place> {
    let header = asked.headers.get("last-event-id").and_then(|value| value.to_str().ok());
    header.or_else(|| asked.text("lastEventId")).map(|id| Place::parse(id).unwrap_or(Place::UNKNOWN))
}

/// A stream as an answer. nginx gathers what it passes on unless it is told not to, and would tell late what is live.
pub(crate) fn answer(events: impl Stream<Item = Result<Event, Infallible>> + Send + 'static) -> Response {
    let events = Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE));
    ([("x-accel-buffering", "no")], events).into_response()
}
