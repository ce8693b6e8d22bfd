//! `GET /v1/me/feed/live`: changes of the home feed as server-sent events.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use tourismo_core::id::{AccountId, DocId};

use super::feed::entries;
use crate::db::feed_items;
use crate::db::follows;
use crate::http::error::ApiError;
use crate::http::event_stream::{EventSource, EventStreams, Lifetime, ResumeQuery, WaitOutcome, event};
use crate::http::query::Query;
use crate::http::read_request::OwnRequest;
use crate::notify::event_bus::{Delivery, HomeListener};
use crate::read::schema::Refusals;

/// Changes of my home feed as they happen: `open` first; `item` with an item of `/v1/me/feed`, new or changed; `stale`
/// if the feed must be read again because something was removed or missed; `expired` last, when another read token is
/// needed. `Last-Event-ID` continues where another stream ended. `[R9]`
#[utoipa::path(
    get, path = "/v1/me/feed/live", tag = "me", security(("token" = [])),
    params(("last-event-id" = Option<String>, Header, description = "The id of the last received event."), ResumeQuery),
    responses((status = 200, description = "Events.", body = String, content_type = "text/event-stream"), Refusals)
)]
pub(crate) async fn home_feed_live(
    State(streams): State<Arc<EventStreams>>,
    OwnRequest { me, request }: OwnRequest,
    Query(resumed): Query<ResumeQuery>,
) -> Result<Response, ApiError> {
    let listener =
        streams.bus.listen_home(me, resumed.last_event_id(&request.headers)).map_err(|_| ApiError::overloaded())?;
    let feed = Feed { streams: streams.clone(), me, listener, is_open: false };
    feed.read_followees().await?;
    Ok(streams.answer(&request, feed))
}

struct Feed {
    streams: Arc<EventStreams>,
    me: AccountId,
    listener: HomeListener,
    is_open: bool,
}

impl EventSource for Feed {
    async fn next(&mut self, lifetime: &mut Lifetime) -> Option<Bytes> {
        if !self.is_open {
            self.is_open = true;
            return Some(event("open", Some(self.listener.id()), "{}").into());
        }
        let delivery = match lifetime.wait(self.listener.next()).await {
            WaitOutcome::For(delivery) => delivery,
            WaitOutcome::Send(bytes) => return Some(bytes),
            WaitOutcome::End => return None,
        };
        match delivery {
            Delivery::Stale => self.stale().await.ok(),
            Delivery::Item { owner, doc } => match self.item(owner, doc).await.ok()? {
                Some(bytes) => Some(bytes),
                None => {
                    self.listener.skip();
                    self.stale().await.ok()
                }
            },
        }
    }
}

impl Feed {
    /// Returns the event of an item; `None` if the item is not in the feed, or if too many bytes are on their way.
    async fn item(&self, owner: AccountId, doc: DocId) -> Result<Option<Bytes>, ApiError> {
        let mut reader = self.streams.readers.acquire().await?;
        let Some(item) = feed_items::home_item(&mut reader, self.me, owner, doc).await? else { return Ok(None) };
        let Some(entry) = entries(&mut reader, self.me, &[item]).await?.pop() else { return Ok(None) };
        let data = serde_json::to_string(&entry).map_err(|_| ApiError::internal())?;
        Ok(self.listener.hold(event("item", Some(self.listener.id()), &data)))
    }

    /// Returns the event after which everything must be read again. The followed accounts may have changed, too.
    async fn stale(&self) -> Result<Bytes, ApiError> {
        let id = self.listener.id();
        self.read_followees().await?;
        Ok(event("stale", Some(id), "{}").into())
    }

    async fn read_followees(&self) -> Result<(), ApiError> {
        let mut reader = self.streams.readers.acquire().await?;
        self.listener.follows(&follows::followees(&mut reader, self.me).await?);
        Ok(())
    }
}
