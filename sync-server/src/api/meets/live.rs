//! `GET /v1/meets/{id}/live`: a meet and its answers as they change, as server-sent events.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use axum::response::sse::Event as SseEvent;
use futures_util::stream;
use tokio::sync::watch;
use tourismo_core::id::DocId;

use super::meet;
use crate::Relay;
use crate::api::asked::Asked;
use crate::api::live::{event, from_place};
use crate::api::path::Path;
use crate::api::schema::Refusals;
use crate::api::{ApiError, live, reach};
use crate::authorize::Viewer;
use crate::live::{Event, Heard, Listener, Place};

/// A meet as it changes: `meet` with what `/v1/meets/{id}` has, at first and after each change of it or of its answers. The
/// stream ends when the viewer may not see the meet any more. `[R9]`
#[utoipa::path(
    get, path = "/v1/meets/{id}/live", tag = "meets", security((), ("token" = [])),
    params(
        ("id" = String, Path, description = "The meet."),
        ("last-event-id" = Option<String>, Header, description = "The id of the last event that was heard."),
    ),
    responses((status = 200, description = "Events.", body = String, content_type = "text/event-stream"), Refusals)
)]
pub(crate) async fn meet_live(
    State(relay): State<Arc<Relay>>,
    Path(id): Path<String>,
    asked: Asked,
) -> Result<Response, ApiError> {
    let (id, viewer) = (reach::id(&id)?, asked.viewer);
    let place = from_place(&asked);
    let listener = relay.live.listen(viewer.account(), place).map_err(|_| ApiError::overloaded())?;
    let stopping = relay.stopping.clone();
    let mut meet = Meet { relay, id, viewer, listener, stopping, first: None };
    let first = meet.read(None).await?.ok_or_else(ApiError::not_found)?;
    // Whoever comes back knows what it was, unless something was missed, which is told.
    meet.first = place.is_none().then(|| first.id(meet.listener.place().id()));
    let events = stream::unfold(meet, async |mut meet| Some((Ok(meet.next().await?), meet)));
    Ok(live::answer(events))
}

struct Meet {
    relay: Arc<Relay>,
    id: DocId,
    viewer: Viewer,
    listener: Listener,
    stopping: watch::Receiver<bool>,
    first: Option<SseEvent>,
}

impl Meet {
    /// The next event; `None` when the server stops, cannot read, or the viewer may not see the meet any more.
    async fn next(&mut self) -> Option<SseEvent> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        loop {
            let heard = tokio::select! {
                _ = self.stopping.wait_for(|stopping| *stopping) => return None,
                heard = self.listener.next() => heard,
            };
            let place = match heard {
                Heard::Missed(place) => place,
                Heard::Events(events, place) if events.iter().any(|event| self.concerns(event)) => place,
                Heard::Events(..) => continue,
            };
            return self.read(Some(place)).await.ok()?;
        }
    }

    fn concerns(&self, event: &Event) -> bool {
        match event {
            Event::Meet { doc } => *doc == self.id,
            // A block, or an acceptance.
            Event::People { account } => self.viewer == Viewer::Account(*account),
            Event::Shown { .. } => false,
        }
    }

    async fn read(&self, place: Option<Place>) -> Result<Option<SseEvent>, ApiError> {
        let mut reader = self.relay.readers.snapshot().await?;
        let Some(body) = meet::read(&mut reader, self.viewer, self.id).await? else { return Ok(None) };
        let data = serde_json::to_string(&body).map_err(|_| ApiError::internal())?;
        let told = event("meet", &data);
        Ok(Some(match place {
            Some(place) => told.id(place.id()),
            None => told,
        }))
    }
}
