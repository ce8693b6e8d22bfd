//! The listeners of open streams: they wait for events and deliver them at a limited rate.

use std::time::Duration;

use axum::body::Bytes;
use tokio::time::{Instant, sleep_until};
use tourismo_core::id::{AccountId, DocId};

use super::event_log::FeedEvent;
use super::{EventId, Registration, StreamTopic, prefix};

/// Maximum number of single events for a stream. A client that is further behind reads the feed again at less cost.
pub(super) const MAX_BEHIND: usize = 64;

/// The time between two deliveries of a stream, so that several changes are delivered together.
const REST: Duration = Duration::from_millis(250);
const REST_AFTER_STALE: Duration = Duration::from_secs(2);

/// Listens for changes of a home feed.
#[derive(Debug)]
pub(crate) struct HomeListener {
    registration: Registration,
    /// Everything before this position was delivered; `None` if that is unknown.
    at: Option<u64>,
    /// The position up to which the log was examined.
    until: u64,
    rests_until: Instant,
}

/// Listens for changes of a meet.
#[derive(Debug)]
pub(crate) struct MeetListener {
    registration: Registration,
    rests_until: Instant,
}

/// The next delivery of a home feed's stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// A drive or meet in its newest state.
    Item { owner: AccountId, doc: DocId },
    /// Anything may have changed.
    Stale,
}

impl HomeListener {
    /// Creates the listener of a stream that was delivered everything before `at`, at the end `until` of the log.
    pub(super) fn new(registration: Registration, at: Option<u64>, until: u64) -> HomeListener {
        HomeListener { registration, at, until, rests_until: Instant::now() }
    }

    /// Stores the accounts that the account follows.
    pub(crate) fn follows(&self, followees: &[AccountId]) {
        let StreamTopic::Home { me } = self.registration.interest else { return };
        let mut prefixes: Vec<u32> = followees.iter().map(prefix).collect();
        prefixes.sort_unstable();
        prefixes.dedup();
        if let Some(followees) = self.registration.bus.lock().followees.get_mut(&me) {
            followees.prefixes = prefixes.into();
        }
    }

    /// Returns the position up to which everything was delivered.
    pub(crate) fn id(&self) -> EventId {
        let bus = &self.registration.bus;
        EventId { life: bus.life, next: self.at.unwrap_or_else(|| bus.lock().log.next()) }
    }

    /// Waits for the next delivery. Cancelling loses nothing.
    pub(crate) async fn next(&mut self) -> Delivery {
        loop {
            if self.at.is_none_or(|at| at != self.until)
                && let Some(delivery) = self.take()
            {
                return delivery;
            }
            sleep_until(self.rests_until).await;
            if !self.look() {
                self.registration.wake.notified().await;
            }
        }
    }

    /// Reads the end of the log; returns false if everything was delivered.
    fn look(&mut self) -> bool {
        let mut state = self.registration.bus.lock();
        let next = state.log.next();
        let Some(stream) = state.streams.get_mut(&self.registration.number) else { return false };
        self.at = self.at.map(|at| at.max(stream.quiet_until));
        let is_behind = self.at.is_none_or(|at| at != next);
        stream.is_concerned = is_behind;
        self.until = next;
        is_behind
    }

    /// Skips all waiting events, because the whole feed is delivered.
    pub(crate) fn skip(&mut self) {
        let next = self.registration.bus.lock().log.next();
        (self.at, self.until) = (Some(next), next);
        self.rests_until = Instant::now() + REST_AFTER_STALE;
    }

    /// Returns the event for sending; `None` if too many bytes are on their way.
    pub(crate) fn hold(&self, event: String) -> Option<Bytes> {
        self.registration.budget.take(event)
    }

    fn take(&mut self) -> Option<Delivery> {
        let StreamTopic::Home { me } = self.registration.interest else { return None };
        let found = {
            let state = self.registration.bus.lock();
            let events = self.at.and_then(|at| state.log.from(at));
            events.map(|events| {
                let events = events.take_while(|(position, _)| *position < self.until);
                let mine = events.filter(|(_, event)| state.is_in_feed(me, event));
                mine.take(MAX_BEHIND + 1).collect::<Vec<_>>()
            })
        };
        let item = |event: &FeedEvent| match event {
            FeedEvent::Item { owner, doc } => Some(Delivery::Item { owner: *owner, doc: *doc }),
            FeedEvent::Everything { .. } | FeedEvent::Access { .. } | FeedEvent::Follows { .. } => None,
        };
        let is_told_singly = |found: &Vec<(u64, FeedEvent)>| {
            found.len() <= MAX_BEHIND && found.iter().all(|(_, event)| item(event).is_some())
        };
        let Some(found) = found.filter(is_told_singly) else {
            self.skip();
            return Some(Delivery::Stale);
        };
        let Some((position, event)) = found.first() else {
            self.at = Some(self.until);
            return None;
        };
        self.at = Some(position + 1);
        self.rests_until = Instant::now() + REST;
        item(event)
    }
}

impl MeetListener {
    /// Creates the listener of a stream.
    pub(super) fn new(registration: Registration) -> MeetListener {
        MeetListener { registration, rests_until: Instant::now() }
    }

    /// Waits until the meet may have changed. Cancelling loses nothing.
    pub(crate) async fn next(&mut self) {
        sleep_until(self.rests_until).await;
        self.registration.wake.notified().await;
        self.rests_until = Instant::now() + REST;
    }

    /// Returns the event for sending; `None` if too many bytes are on their way.
    pub(crate) fn hold(&self, event: String) -> Option<Bytes> {
        self.registration.budget.take(event)
    }
}
