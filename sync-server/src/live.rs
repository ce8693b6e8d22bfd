//! Tells open streams what changed, after the commit. Knows names of things only, never what they say: who may see them is
//! asked anew for everyone who listens.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;
use tourismo_core::id::{AccountId, DocId};

/// How many events are kept for those who come back.
const KEPT: usize = 4_096;

/// How many streams may be open, and how many of one account.
const MAX_STREAMS: usize = 4_096;
const MAX_STREAMS_PER_ACCOUNT: u32 = 16;

/// Something that changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// What followers find of an account: this drive or meet.
    Shown { owner: AccountId, doc: DocId },
    /// A meet, or what somebody answered to it.
    Meet { doc: DocId },
    /// Whom an account follows or blocks, or whom it lets follow: theirs are to be looked up again.
    People { account: AccountId },
}

/// What happened since the server started, as far as it is remembered.
#[derive(Debug)]
pub(crate) struct Live {
    /// Tells this life of the server from others: places in them mean other events.
    life: u64,
    state: Mutex<State>,
    reach: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    /// The place of the next event.
    next: u64,
    kept: VecDeque<Event>,
    streams: usize,
    of_account: BTreeMap<AccountId, u32>,
}

/// A place in what happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    life: u64,
    next: u64,
}

/// Listens from a place on, until it is dropped.
#[derive(Debug)]
pub(crate) struct Listener {
    live: Arc<Live>,
    account: Option<AccountId>,
    reach: watch::Receiver<u64>,
    at: Place,
}

/// What a listener hears.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// These events, in order; the place is behind them.
    Events(Vec<Event>, Place),
    /// Something that is not remembered: all may be different.
    Missed(Place),
}

/// There are as many streams as there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooManyStreams;

impl Live {
    /// The beginning of a life that no other one is like.
    pub(crate) fn new(life: u64) -> Arc<Live> {
        Arc::new(Live { life, state: Mutex::default(), reach: watch::Sender::new(0) })
    }

    /// Tells what a commit changed.
    pub(crate) fn announce(&self, events: Vec<Event>) {
        if events.is_empty() {
            return;
        }
        let mut state = self.lock();
        state.next += events.len() as u64;
        state.kept.extend(events);
        let surplus = state.kept.len().saturating_sub(KEPT);
        state.kept.drain(..surplus);
        let next = state.next;
        drop(state);
        self.reach.send_replace(next);
    }

    /// Tells everybody that something may have changed that nobody knows of.
    pub(crate) fn forget(&self) {
        let mut state = self.lock();
        state.next += 1;
        state.kept.clear();
        let next = state.next;
        drop(state);
        self.reach.send_replace(next);
    }

    /// Listens, from a place on if it is named, else from here on.
    pub(crate) fn listen(
        self: &Arc<Live>,
        account: Option<AccountId>,
        from: Option<Place>,
    ) -> Result<Listener, TooManyStreams> {
        let mut state = self.lock();
        let of_account = account.map_or(0, |account| state.of_account.get(&account).copied().unwrap_or(0));
        if state.streams >= MAX_STREAMS || of_account >= MAX_STREAMS_PER_ACCOUNT {
            return Err(TooManyStreams);
        }
        state.streams += 1;
        if let Some(account) = account {
            *state.of_account.entry(account).or_default() += 1;
        }
        let at = from.unwrap_or(Place { life: self.life, next: state.next });
        Ok(Listener { live: self.clone(), account, reach: self.reach.subscribe(), at })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        // Every change to the state is whole before anything can panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// A place of no life: whoever comes from there has missed something.
    pub(crate) const UNKNOWN: Place = Place { life: 0, next: u64::MAX };

    /// The name that an event stream gives to it.
    pub(crate) fn id(self) -> String {
        format!("{:x}-{}", self.life, self.next)
    }

    /// The place of a name; nothing if it is none.
    pub(crate) fn parse(id: &str) -> Option<Place> {
        let (life, next) = id.split_once('-')?;
        Some(Place { life: u64::from_str_radix(life, 16).ok()?, next: next.parse().ok()? })
    }
}

impl Listener {
    /// The place up to which everything was heard.
    pub(crate) fn place(&self) -> Place {
        self.at
    }

    /// Waits until something happens that was not heard. Cancelling loses nothing.
    pub(crate) async fn next(&mut self) -> Heard {
        loop {
            // What is announced from here on wakes the wait below.
            self.reach.borrow_and_update();
            if let Some(heard) = self.heard() {
                return heard;
            }
            if self.reach.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    fn heard(&mut self) -> Option<Heard> {
        let state = self.live.lock();
        let here = Place { life: self.live.life, next: state.next };
        let oldest = state.next - state.kept.len() as u64;
        let is_known = self.at.life == here.life && (oldest..=here.next).contains(&self.at.next);
        let heard = if !is_known {
            Heard::Missed(here)
        } else if self.at.next == here.next {
            return None;
        } else {
            Heard::Events(state.kept.iter().skip((self.at.next - oldest) as usize).copied().collect(), here)
        };
        self.at = here;
        Some(heard)
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let mut state = self.live.lock();
        state.streams -= 1;
        if let Some(account) = self.account
            && let Some(count) = state.of_account.get_mut(&account)
        {
            *count -= 1;
            if *count == 0 {
                state.of_account.remove(&account);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANNA: AccountId = AccountId::from_bytes([1; 16]);

    fn event(number: u64) -> Event {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        Event::Meet { doc: DocId::from_bytes(bytes) }
    }

    #[tokio::test]
    async fn r9_who_listens_hears_what_happens_and_who_comes_back_what_happened_since() {
        let live = Live::new(7);
        live.announce(vec![event(0)]);
        let mut listener = live.listen(Some(ANNA), None).unwrap();
        live.announce(vec![event(1), event(2)]);
        let Heard::Events(events, place) = listener.next().await else { panic!("nothing was missed") };
        assert_eq!(events, [event(1), event(2)]);
        drop(listener);
        live.announce(vec![event(3)]);
        let place = Place::parse(&place.id()).unwrap();
        let mut back = live.listen(Some(ANNA), Some(place)).unwrap();
        assert!(matches!(back.next().await, Heard::Events(events, _) if events == [event(3)]));
    }

    #[tokio::test]
    async fn r9_who_was_away_too_long_or_in_another_life_is_told_so() {
        let live = Live::new(7);
        let mut slow = live.listen(None, None).unwrap();
        for number in 0..=KEPT as u64 {
            live.announce(vec![event(number)]);
        }
        assert!(matches!(slow.next().await, Heard::Missed(_)));
        live.announce(vec![event(9)]);
        assert!(matches!(slow.next().await, Heard::Events(events, _) if events == [event(9)]));
        live.forget();
        assert!(matches!(slow.next().await, Heard::Missed(_)));
        for id in ["8-0", "7-99999"] {
            let mut other = live.listen(None, Place::parse(id)).unwrap();
            assert!(matches!(other.next().await, Heard::Missed(_)), "{id}");
        }
        assert_eq!(["", "7", "x-1", "7-x", "7-1-1"].map(Place::parse), [None; 5]);
    }

    #[test]
    fn streams_are_bounded_and_give_their_places_back() {
        let live = Live::new(7);
        let listeners: Vec<_> = (0..MAX_STREAMS_PER_ACCOUNT).map(|_| live.listen(Some(ANNA), None).unwrap()).collect();
        assert_eq!(live.listen(Some(ANNA), None).err(), Some(TooManyStreams));
        assert!(live.listen(None, None).is_ok());
        drop(listeners);
        assert!(live.listen(Some(ANNA), None).is_ok());
        assert!(live.lock().of_account.is_empty());
    }
}
