//! `GET /v1/me/feed/live`: what comes new into the home feed, as server-sent events.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use axum::response::sse::Event as SseEvent;
use futures_util::stream;
use tokio::sync::watch;
use tourismo_core::id::AccountId;

use super::feed::{HomeEntry, entries};
use crate::Relay;
use crate::api::asked::Asked;
use crate::api::live::{event, from_place, open, stale};
use crate::api::schema::Refusals;
use crate::api::{ApiError, live};
use crate::db::feed_items;
use crate::db::follows;
use crate::live::{Event, Heard, Listener};

/// What comes new into my home feed, as it happens: `open` at first; `item` with what `items` of `/v1/me/feed` has, new or
/// changed; `stale` when the feed is to be read again because something went or was missed. `Last-Event-ID` goes on where
/// another stream ended. `[R9]`
#[utoipa::path(
    get, path = "/v1/me/feed/live", tag = "me", security(("token" = [])),
    params(("last-event-id" = Option<String>, Header, description = "The id of the last event that was heard.")),
    responses((status = 200, description = "Events.", body = String, content_type = "text/event-stream"), Refusals)
)]
pub(crate) async fn home_feed_live(State(relay): State<Arc<Relay>>, asked: Asked) -> Result<Response, ApiError> {
    let me = asked.me()?;
    let listener = relay.live.listen(Some(me), from_place(&asked)).map_err(|_| ApiError::overloaded())?;
    let followees = followees(&relay, me).await?;
    let waiting = VecDeque::from([open(&listener)]);
    let stopping = relay.stopping.clone();
    let feed = Feed { relay, me, listener, followees, waiting, stopping };
    let events = stream::unfold(feed, async |mut feed| Some((Ok(feed.next().await?), feed)));
    Ok(live::answer(events))
}

struct Feed {
    relay: Arc<Relay>,
    me: AccountId,
    listener: Listener,
    followees: BTreeSet<AccountId>,
    waiting: VecDeque<SseEvent>,
    stopping: watch::Receiver<bool>,
}

impl Feed {
    /// The next event; `None` when the server stops or cannot read.
    async fn next(&mut self) -> Option<SseEvent> {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                return Some(event);
            }
            let heard = tokio::select! {
                _ = self.stopping.wait_for(|stopping| *stopping) => return None,
                heard = self.listener.next() => heard,
            };
            match heard {
                Heard::Missed(place) => {
                    self.followees = followees(&self.relay, self.me).await.ok()?;
                    self.waiting.push_back(stale(place));
                }
                Heard::Events(events, place) => {
                    let told = self.tell(events).await.ok()?;
                    // Whoever comes back with the id of the last has heard all of them.
                    let last = told.len().saturating_sub(1);
                    let with_id = |(index, event): (usize, SseEvent)| {
                        if index == last { event.id(place.id()) } else { event }
                    };
                    self.waiting.extend(told.into_iter().enumerate().map(with_id));
                }
            }
        }
    }

    async fn tell(&mut self, events: Vec<Event>) -> Result<Vec<SseEvent>, ApiError> {
        let (mut told, mut is_stale) = (Vec::new(), false);
        for heard in events {
            match heard {
                Event::Shown { owner, doc } if self.followees.contains(&owner) => {
                    let mut reader = self.relay.readers.acquire().await?;
                    match feed_items::home_item(&mut reader, self.me, owner, doc).await? {
                        Some(item) => {
                            let entries = entries(&mut reader, self.me, &[item]).await?;
                            told.extend(entries.iter().map(item_event).collect::<Result<Vec<_>, _>>()?);
                        }
                        None => is_stale = true,
                    }
                }
                // What is for followers may have come or gone.
                Event::People { account } if account == self.me || self.followees.contains(&account) => {
                    self.followees = followees(&self.relay, self.me).await?;
                    is_stale = true;
                }
                Event::Shown { .. } | Event::People { .. } | Event::Meet { .. } => {}
            }
        }
        told.extend(is_stale.then(|| event("stale", "{}")));
        Ok(told)
    }
}

fn item_event(entry: &HomeEntry) -> Result<SseEvent, ApiError> {
    let data = serde_json::to_string(entry).map_err(|_| ApiError::internal())?;
    Ok(event("item", &data))
}

async fn followees(relay: &Relay, me: AccountId) -> Result<BTreeSet<AccountId>, ApiError> {
    let mut reader = relay.readers.acquire().await?;
    Ok(follows::followees(&mut reader, me).await?.into_iter().collect())
}
