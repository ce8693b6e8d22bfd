//! Recent events of home feeds, for streams that are behind: the newest event of each thing, limited in number.
//!
//! It stores ids only, and must not depend on streams or authorization.

use std::collections::{BTreeMap, BTreeSet};

use tourismo_core::id::{AccountId, DocId};

/// Maximum number of stored events.
pub(super) const MAX_EVENTS: usize = 4_096;

/// Maximum number of stored events of one owner. Beyond it one event stands for everything of the owner, so that one
/// account alone cannot remove the events of others from the log.
pub(super) const MAX_EVENTS_OF_OWNER: usize = 64;

/// A change in home feeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum FeedEvent {
    /// A drive or a meet that followers of its owner see or saw.
    Item { owner: AccountId, doc: DocId },
    /// Anything of the owner that followers see.
    Everything { owner: AccountId },
    /// The access of `follower`, who follows `owner`.
    Access { follower: AccountId, owner: AccountId },
    /// The follows or blocks of the account.
    Follows { account: AccountId },
}

impl FeedEvent {
    /// Returns the owner whose events are replaced by [`FeedEvent::Everything`] if they are too many.
    fn counted_for(&self) -> Option<AccountId> {
        match self {
            FeedEvent::Item { owner, .. } | FeedEvent::Access { owner, .. } => Some(*owner),
            FeedEvent::Everything { .. } | FeedEvent::Follows { .. } => None,
        }
    }
}

/// The newest event of each thing, by position.
#[derive(Debug, Default)]
pub(super) struct EventLog {
    /// The position of the next event.
    next: u64,
    /// The position from which on the log is complete.
    complete_from: u64,
    events: BTreeMap<u64, FeedEvent>,
    positions: BTreeMap<FeedEvent, u64>,
    of_owner: BTreeMap<AccountId, BTreeSet<u64>>,
}

impl EventLog {
    /// Returns the position of the next event.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// Adds an event in place of an earlier one of the same thing.
    pub(super) fn push(&mut self, event: FeedEvent) {
        self.remove(&event);
        match event.counted_for() {
            Some(owner) => {
                let positions = self.of_owner.entry(owner).or_default();
                positions.insert(self.next);
                if positions.len() > MAX_EVENTS_OF_OWNER {
                    return self.push(FeedEvent::Everything { owner });
                }
            }
            None => {
                if let FeedEvent::Everything { owner } = event {
                    for position in self.of_owner.remove(&owner).unwrap_or_default() {
                        if let Some(event) = self.events.remove(&position) {
                            self.positions.remove(&event);
                        }
                    }
                }
            }
        }
        self.events.insert(self.next, event);
        self.positions.insert(event, self.next);
        self.next += 1;
        if self.events.len() > MAX_EVENTS
            && let Some((position, oldest)) = self.events.first_key_value()
        {
            let (position, oldest) = (*position, *oldest);
            self.remove(&oldest);
            self.complete_from = position + 1;
        }
    }

    /// Removes all events, because unknown changes may have happened.
    pub(super) fn forget(&mut self) {
        let next = self.next + 1;
        *self = EventLog { next, complete_from: next, ..EventLog::default() };
    }

    /// Returns the events from a position on with their positions, ascending; `None` if some of them were removed, or
    /// the position is unknown.
    pub(super) fn from(&self, position: u64) -> Option<impl Iterator<Item = (u64, FeedEvent)> + '_> {
        let is_known = (self.complete_from..=self.next).contains(&position);
        is_known.then(|| self.events.range(position..).map(|(position, event)| (*position, *event)))
    }

    fn remove(&mut self, event: &FeedEvent) {
        let Some(position) = self.positions.remove(event) else { return };
        self.events.remove(&position);
        if let Some(owner) = event.counted_for()
            && let Some(positions) = self.of_owner.get_mut(&owner)
        {
            positions.remove(&position);
            if positions.is_empty() {
                self.of_owner.remove(&owner);
            }
        }
    }

    /// Returns the number of stored events.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        assert_eq!(self.events.len(), self.positions.len());
        self.events.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(number: u64) -> AccountId {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        AccountId::from_bytes(bytes)
    }

    fn item(owner: u64, doc: u8) -> FeedEvent {
        FeedEvent::Item { owner: account(owner), doc: DocId::from_bytes([doc; 16]) }
    }

    fn events(log: &EventLog, from: u64) -> Option<Vec<FeedEvent>> {
        Some(log.from(from)?.map(|(_, event)| event).collect())
    }

    #[test]
    fn r9_a_thing_that_changed_often_is_remembered_once_at_its_newest_position() {
        let mut log = EventLog::default();
        for _ in 0..10_000 {
            log.push(item(1, 1));
            log.push(item(1, 2));
        }
        assert_eq!(events(&log, 0), Some(vec![item(1, 1), item(1, 2)]));
        assert_eq!(events(&log, 19_999), Some(vec![item(1, 2)]));
        assert_eq!((events(&log, 20_000), events(&log, 20_001)), (Some(vec![]), None));
    }

    #[test]
    fn r9_one_owner_cannot_push_the_events_of_others_out_of_the_log() {
        let mut log = EventLog::default();
        log.push(item(1, 1));
        for round in 0..100 {
            for doc in 0..=255 {
                log.push(item(2, doc));
            }
            log.push(FeedEvent::Access { follower: account(1_000 + round), owner: account(2) });
        }
        let all = events(&log, 0).unwrap();
        assert_eq!(all[0], item(1, 1));
        assert!(all.contains(&FeedEvent::Everything { owner: account(2) }));
        assert!(log.len() <= 2 + MAX_EVENTS_OF_OWNER, "{}", log.len());
    }

    #[test]
    fn r9_the_log_is_bounded_and_knows_what_it_forgot() {
        let mut log = EventLog::default();
        for number in 0..=MAX_EVENTS as u64 {
            log.push(FeedEvent::Follows { account: account(number) });
        }
        assert_eq!(log.len(), MAX_EVENTS);
        assert!(log.from(0).is_none() && log.from(1).is_some());
        log.forget();
        assert!(log.from(log.next() - 1).is_none() && log.from(log.next()).is_some());
        assert_eq!(log.len(), 0);
    }
}
