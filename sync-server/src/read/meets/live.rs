//! `GET /v1/meets/{id}/live`: a meet and its answers as they change, as server-sent events.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use tourismo_core::id::DocId;

use super::meet;
use crate::db::meets;
use crate::domain::authorize::Viewer;
use crate::http::error::ApiError;
use crate::http::event_stream::{EventSource, EventStreams, Lifetime, WaitOutcome, event};
use crate::http::path::Path;
use crate::http::read_request::{ReadRequest, tag};
use crate::notify::event_bus::{MeetListener, StreamClient};
use crate::read::access_check;
use crate::read::schema::Refusals;

/// Changes of a meet: `meet` with the answer of `/v1/meets/{id}`, first and after each change of the meet or of its
/// answers; `expired` last, when another read token is needed. The stream ends when the viewer may not see the meet any
/// more. `[R9]`
#[utoipa::path(
    get, path = "/v1/meets/{id}/live", tag = "meets", security((), ("token" = [])),
    params(("id" = String, Path, description = "The meet.")),
    responses((status = 200, description = "Events.", body = String, content_type = "text/event-stream"), Refusals)
)]
pub(crate) async fn meet_live(
    State(streams): State<Arc<EventStreams>>,
    Path(id): Path<String>,
    request: ReadRequest,
) -> Result<Response, ApiError> {
    let (id, viewer) = (access_check::id(&id)?, request.viewer);
    let owner = {
        let mut reader = streams.readers.acquire().await?;
        meets::find(&mut reader, id).await?.ok_or_else(ApiError::not_found)?.0.account
    };
    let client = viewer.account().map_or(StreamClient::Source(request.source), StreamClient::Account);
    let listener = streams.bus.listen_meet(client, id, owner).map_err(|_| ApiError::overloaded())?;
    let mut meet = Meet { streams: streams.clone(), id, viewer, listener, first: None, last_tag: String::new() };
    meet.first = Some(meet.read().await?.ok_or_else(ApiError::not_found)?);
    Ok(streams.answer(&request, meet))
}

struct Meet {
    streams: Arc<EventStreams>,
    id: DocId,
    viewer: Viewer,
    listener: MeetListener,
    /// The first event.
    first: Option<Bytes>,
    /// The tag of the last sent state.
    last_tag: String,
}

impl EventSource for Meet {
    async fn next(&mut self, lifetime: &mut Lifetime) -> Option<Bytes> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        loop {
            match lifetime.wait(self.listener.next()).await {
                WaitOutcome::For(()) => {}
                WaitOutcome::Send(bytes) => return Some(bytes),
                WaitOutcome::End => return None,
            }
            let before = self.last_tag.clone();
            let event = self.read().await.ok()??;
            // It may have been woken for a change that this viewer does not see.
            if self.last_tag != before {
                return Some(event);
            }
        }
    }
}

impl Meet {
    /// Returns the event with the present state; `None` if the viewer may not see the meet.
    async fn read(&mut self) -> Result<Option<Bytes>, ApiError> {
        let mut reader = self.streams.readers.snapshot().await?;
        let Some(body) = meet::read(&mut reader, self.viewer, self.id).await? else { return Ok(None) };
        drop(reader);
        let data = serde_json::to_string(&body).map_err(|_| ApiError::internal())?;
        self.last_tag = tag(data.as_bytes());
        Ok(Some(match self.listener.hold(event("meet", None, &data)) {
            Some(event) => event,
            None => event("stale", None, "{}").into(),
        }))
    }
}
