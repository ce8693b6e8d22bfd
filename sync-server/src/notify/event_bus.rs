//! Notifies open streams of changes after a commit. Events carry ids and no contents; authorization is checked again
//! for every stream.
//!
//! A stream that nobody reads costs only its position: one log has the newest event of each thing for all streams, and
//! bodies are made when a client reads them.

mod budget;
mod event_log;
mod listeners;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::Notify;
use tourismo_core::id::{AccountId, DocId};

use self::budget::{ByteBudget, StreamBudget};
use self::event_log::EventLog;
pub(crate) use self::event_log::FeedEvent;
pub(crate) use self::listeners::{Delivery, HomeListener, MeetListener};
use crate::clients::limits::Source;

/// Maximum number of open streams: in total, and of one account. `limits` limits those of an address.
const MAX_STREAMS: usize = 4_096;
const MAX_STREAMS_OF_ACCOUNT: usize = 16;

/// The number of streams that are examined before other tasks get their turn.
const STREAMS_AT_ONCE: usize = 256;

/// A change by a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum BusEvent {
    /// A change in home feeds.
    Feed(FeedEvent),
    /// A changed meet, or changed answers to it.
    Meet { doc: DocId },
    /// A change of the block between `owner` and `viewer`.
    Block { owner: AccountId, viewer: AccountId },
}

/// The client of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum StreamClient {
    /// An account.
    Account(AccountId),
    /// Anonymous readers at this address.
    Source(Source),
}

/// Delivers events to open streams.
#[derive(Debug)]
pub(crate) struct EventBus {
    /// Identifies this run of the server: positions of other runs refer to other events.
    life: u64,
    state: Mutex<BusState>,
    budget: Arc<ByteBudget>,
    announced: Arc<Notify>,
}

#[derive(Debug, Default)]
struct BusState {
    log: EventLog,
    /// Announced events that were not delivered yet.
    announced: BTreeSet<BusEvent>,
    /// Whether every stream must look for changes.
    is_for_all: bool,
    next_stream: u64,
    streams: BTreeMap<u64, Stream>,
    of_client: BTreeMap<StreamClient, usize>,
    followees: BTreeMap<AccountId, Followees>,
}

#[derive(Debug)]
struct Stream {
    interest: StreamTopic,
    wake: Arc<Notify>,
    /// Whether the log may contain events for it after `quiet_until`.
    is_concerned: bool,
    /// No event for it was announced before this position, except those it was woken for.
    quiet_until: u64,
}

/// The subject of a stream.
#[derive(Clone, Copy, Debug)]
enum StreamTopic {
    Home { me: AccountId },
    Meet { doc: DocId, owner: AccountId, viewer: Option<AccountId> },
}

/// The accounts that an account follows, four bytes each: a filter with few false positives, which the database
/// corrects.
#[derive(Debug, Default)]
struct Followees {
    streams: usize,
    prefixes: Box<[u32]>,
}

/// A position in the log of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EventId {
    life: u64,
    next: u64,
}

/// A stream among all open streams, removed when this is dropped.
#[derive(Debug)]
struct Registration {
    bus: Arc<EventBus>,
    number: u64,
    client: StreamClient,
    interest: StreamTopic,
    wake: Arc<Notify>,
    budget: StreamBudget,
}

/// The maximum number of streams is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooManyStreams;

impl EventBus {
    /// Creates the bus of a run with a unique number. A task delivers events until the bus is dropped.
    pub(crate) fn new(life: u64) -> Arc<EventBus> {
        let announced = Arc::new(Notify::new());
        let (state, budget) = (Mutex::default(), Arc::default());
        let bus = Arc::new(EventBus { life, state, budget, announced: announced.clone() });
        let for_task: Weak<EventBus> = Arc::downgrade(&bus);
        tokio::spawn(async move {
            loop {
                announced.notified().await;
                let Some(bus) = for_task.upgrade() else { return };
                bus.dispatch().await;
            }
        });
        bus
    }

    /// Announces the changes of a commit.
    pub(crate) fn announce(&self, events: Vec<BusEvent>) {
        if events.is_empty() {
            return;
        }
        let mut state = self.lock();
        for event in events {
            if let BusEvent::Feed(event) = event {
                state.log.push(event);
            }
            state.announced.insert(event);
        }
        drop(state);
        self.announced.notify_one();
    }

    /// Announces that unknown changes may have happened.
    pub(crate) fn forget(&self) {
        let mut state = self.lock();
        state.log.forget();
        state.is_for_all = true;
        drop(state);
        self.announced.notify_one();
    }

    /// Wakes the streams concerned by announced events, on a task of its own.
    async fn dispatch(&self) {
        let (events, is_for_all, end) = {
            let mut state = self.lock();
            (std::mem::take(&mut state.announced), std::mem::take(&mut state.is_for_all), state.log.next())
        };
        let mut from = 0;
        loop {
            let last = self.lock().pass_on(from, &events, is_for_all, end);
            let Some(last) = last else { return };
            from = last + 1;
            tokio::task::yield_now().await;
        }
    }

    /// Opens a stream of an account's home feed, from a position if given, else from now on.
    pub(crate) fn listen_home(
        self: &Arc<EventBus>,
        me: AccountId,
        from: Option<EventId>,
    ) -> Result<HomeListener, TooManyStreams> {
        let registration = self.register(StreamClient::Account(me), StreamTopic::Home { me })?;
        let next = self.lock().log.next();
        let at = match from {
            Some(from) => (from.life == self.life).then_some(from.next),
            None => Some(next),
        };
        Ok(HomeListener::new(registration, at, next))
    }

    /// Opens a stream of a meet.
    pub(crate) fn listen_meet(
        self: &Arc<EventBus>,
        client: StreamClient,
        doc: DocId,
        owner: AccountId,
    ) -> Result<MeetListener, TooManyStreams> {
        let viewer = match client {
            StreamClient::Account(account) => Some(account),
            StreamClient::Source(_) => None,
        };
        let registration = self.register(client, StreamTopic::Meet { doc, owner, viewer })?;
        Ok(MeetListener::new(registration))
    }

    fn register(
        self: &Arc<EventBus>,
        client: StreamClient,
        interest: StreamTopic,
    ) -> Result<Registration, TooManyStreams> {
        let max_of_client = match client {
            StreamClient::Account(_) => MAX_STREAMS_OF_ACCOUNT,
            StreamClient::Source(_) => MAX_STREAMS,
        };
        let wake = Arc::new(Notify::new());
        let mut state = self.lock();
        let of_client = state.of_client.get(&client).copied().unwrap_or(0);
        if state.streams.len() >= MAX_STREAMS || of_client >= max_of_client {
            return Err(TooManyStreams);
        }
        state.of_client.insert(client, of_client + 1);
        if let StreamTopic::Home { me } = interest {
            state.followees.entry(me).or_default().streams += 1;
        }
        let number = state.next_stream;
        state.next_stream += 1;
        let stream = Stream { interest, wake: wake.clone(), is_concerned: true, quiet_until: 0 };
        state.streams.insert(number, stream);
        drop(state);
        let budget = StreamBudget::new(self.budget.clone(), client);
        Ok(Registration { bus: self.clone(), number, client, interest, wake, budget })
    }

    fn lock(&self) -> MutexGuard<'_, BusState> {
        // The state stays consistent after a panic, because related changes have nothing between them that may panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for EventBus {
    fn drop(&mut self) {
        self.announced.notify_one();
    }
}

impl BusState {
    /// Wakes those of the next streams that events announced before `end` concern; returns the last examined one.
    fn pass_on(&mut self, from: u64, events: &BTreeSet<BusEvent>, is_for_all: bool, end: u64) -> Option<u64> {
        let numbers: Vec<u64> = self.streams.range(from..).take(STREAMS_AT_ONCE).map(|(number, _)| *number).collect();
        for number in &numbers {
            let interest = self.streams.get(number)?.interest;
            let is_concerned = is_for_all || events.iter().any(|event| self.concerns(interest, event));
            let stream = self.streams.get_mut(number)?;
            if is_concerned {
                stream.is_concerned = true;
                stream.wake.notify_one();
            } else if !stream.is_concerned {
                stream.quiet_until = end;
            }
        }
        numbers.last().copied()
    }

    fn concerns(&self, interest: StreamTopic, event: &BusEvent) -> bool {
        match (interest, event) {
            (StreamTopic::Home { me }, BusEvent::Feed(event)) => self.is_in_feed(me, event),
            (StreamTopic::Home { .. }, BusEvent::Meet { .. } | BusEvent::Block { .. }) => false,
            (StreamTopic::Meet { doc, .. }, BusEvent::Meet { doc: changed }) => doc == *changed,
            (StreamTopic::Meet { owner, viewer, .. }, BusEvent::Block { owner: by, viewer: whom }) => {
                owner == *by && viewer == Some(*whom)
            }
            (StreamTopic::Meet { owner, viewer, .. }, BusEvent::Feed(event)) => match event {
                FeedEvent::Everything { owner: of } => viewer.is_some() && owner == *of,
                FeedEvent::Access { follower, owner: by } => owner == *by && viewer == Some(*follower),
                FeedEvent::Follows { account } => viewer == Some(*account),
                FeedEvent::Item { .. } => false,
            },
        }
    }

    /// Returns whether an event changes the home feed of an account.
    fn is_in_feed(&self, me: AccountId, event: &FeedEvent) -> bool {
        match event {
            FeedEvent::Item { owner, .. } | FeedEvent::Everything { owner } => {
                self.followees.get(&me).is_some_and(|followees| followees.has(owner))
            }
            FeedEvent::Access { follower, .. } => *follower == me,
            FeedEvent::Follows { account } => *account == me,
        }
    }
}

impl Followees {
    fn has(&self, account: &AccountId) -> bool {
        self.prefixes.binary_search(&prefix(account)).is_ok()
    }
}

fn prefix(account: &AccountId) -> u32 {
    let [a, b, c, d, ..] = *account.as_bytes();
    u32::from_be_bytes([a, b, c, d])
}

impl EventId {
    /// A position of no run: a client with it has missed events.
    pub(crate) const UNKNOWN: EventId = EventId { life: 0, next: u64::MAX };

    /// Returns the id of the position in an event stream.
    pub(crate) fn text(self) -> String {
        format!("{:x}-{}", self.life, self.next)
    }

    /// Parses an id; nothing if it is invalid.
    pub(crate) fn parse(id: &str) -> Option<EventId> {
        let (life, next) = id.split_once('-')?;
        Some(EventId { life: u64::from_str_radix(life, 16).ok()?, next: next.parse().ok()? })
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut state = self.bus.lock();
        state.streams.remove(&self.number);
        if let Some(count) = state.of_client.get_mut(&self.client) {
            *count -= 1;
            if *count == 0 {
                state.of_client.remove(&self.client);
            }
        }
        if let StreamTopic::Home { me } = self.interest
            && let Some(followees) = state.followees.get_mut(&me)
        {
            followees.streams -= 1;
            if followees.streams == 0 {
                state.followees.remove(&me);
            }
        }
    }
}
