//! Selects the jobs of the writer's next transaction, so that no account waits for the jobs of another.
//!
//! Every account has a queue of its own (a line), and so has each kind of background work. A short line is in the very next
//! transaction, however long the others are. Long lines take turns. While accounts with short lines are active, each long
//! line gives only its share, so that transactions are short. Otherwise a transaction is as large as it may be, because only
//! the number of commits counts. This module knows neither the content of a job nor the clock.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use tourismo_core::id::AccountId;

/// The number of changes after which a transaction is full; its last job may exceed it.
const MAX_CHANGES: usize = 128;

/// Maximum number of jobs in one transaction.
const MAX_JOBS: usize = 128;

/// Maximum number of changes of a short line, all of which are in the very next transaction.
const FEW_CHANGES: usize = 8;

/// The number of changes that a long line gives in its turn.
pub(super) const SHARE: usize = 16;

/// The number of changes that all long lines give to one transaction while accounts with short lines are active: one line
/// gives its share. A short line waits for one transaction and for its own, so the length of both is the delay that others
/// cause.
const SHARE_OF_LONG_LINES: usize = SHARE;

/// How long an account with few changes counts as active.
const LATELY: Duration = Duration::from_secs(1);

/// The owner of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Owner {
    /// An account, also one whose device is not admitted yet.
    Account(AccountId),
    /// The relay itself: health checks and the stop.
    Relay,
    /// Rows that were derived in the background.
    Rows,
    /// The compactor.
    Snapshots,
    /// The road builder.
    Roads,
    /// Operators.
    Operators,
    /// Clients without an account of their own: who reports something, or uses an invitation.
    Strangers,
}

impl Owner {
    /// Returns whether no client waits for its jobs.
    fn can_wait(self) -> bool {
        match self {
            Owner::Account(_) | Owner::Relay | Owner::Operators | Owner::Strangers => false,
            Owner::Rows | Owner::Snapshots | Owner::Roads => true,
        }
    }
}

/// The waiting jobs.
#[derive(Debug)]
pub(super) struct FairQueue<J> {
    lines: BTreeMap<Owner, Line<J>>,
    /// The owners of lines, each once, in the order of their turns.
    turns: VecDeque<Owner>,
    /// When accounts with few changes last had a job.
    seen: BTreeMap<Owner, Instant>,
}

/// Jobs of one owner in order of arrival, each with its number of changes. Never empty.
#[derive(Debug)]
struct Line<J> {
    jobs: VecDeque<(J, usize)>,
    changes: usize,
}

/// The jobs of a transaction.
struct Taken<J> {
    jobs: Vec<J>,
    changes: usize,
}

impl<J> Default for FairQueue<J> {
    fn default() -> FairQueue<J> {
        FairQueue { lines: BTreeMap::new(), turns: VecDeque::new(), seen: BTreeMap::new() }
    }
}

impl<J> FairQueue<J> {
    /// Adds a job with this number of changes to the end of its owner's line.
    pub(super) fn push(&mut self, owner: Owner, job: J, changes: usize) {
        let line = self.lines.entry(owner).or_insert_with(|| {
            self.turns.push_back(owner);
            Line { jobs: VecDeque::new(), changes: 0 }
        });
        line.jobs.push_back((job, changes));
        line.changes += changes;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.turns.is_empty()
    }

    /// Removes and returns the jobs of the next transaction; none only if no job waits. Jobs of one owner keep their
    /// order.
    pub(super) fn next_transaction(&mut self, now: Instant) -> Vec<J> {
        let mut taken = Taken { jobs: Vec::new(), changes: 0 };
        let turns = std::mem::take(&mut self.turns);
        let (mut short, mut long): (VecDeque<Owner>, VecDeque<Owner>) =
            turns.into_iter().partition(|owner| self.is_short(*owner));
        let mut behind = VecDeque::new();
        while !taken.is_full()
            && let Some(owner) = short.pop_front()
        {
            self.give(owner, &mut taken);
            behind.extend(self.lines.contains_key(&owner).then_some(owner));
            if let Owner::Account(_) = owner {
                self.seen.insert(owner, now);
            }
        }
        self.seen.retain(|_, at| now.saturating_duration_since(*at) < LATELY);
        let are_others_here = {
            let long: BTreeSet<&Owner> = long.iter().collect();
            self.seen.keys().any(|owner| !long.contains(owner))
        };
        // The first long line has its turn also in a full transaction, so that no line waits for ever.
        let most = if are_others_here { SHARE_OF_LONG_LINES } else { MAX_CHANGES };
        let mut given = 0;
        while given < most
            && (given == 0 || !taken.is_full())
            && let Some(owner) = long.pop_front()
        {
            given += self.give(owner, &mut taken);
            if self.lines.contains_key(&owner) {
                let grant_next = if are_others_here { &mut behind } else { &mut long };
                grant_next.push_back(owner);
            }
        }
        self.turns = [short, long, behind].into_iter().flatten().collect();
        taken.jobs
    }

    fn is_short(&self, owner: Owner) -> bool {
        !owner.can_wait() && self.lines.get(&owner).is_some_and(|line| line.changes <= FEW_CHANGES)
    }

    /// Takes a share from a line, at least one job; returns its number of changes, and one for a job without changes.
    fn give(&mut self, owner: Owner, taken: &mut Taken<J>) -> usize {
        let Some(line) = self.lines.get_mut(&owner) else { return 0 };
        let mut given = 0;
        while given < SHARE
            && (given == 0 || !taken.is_full())
            && let Some((job, changes)) = line.jobs.pop_front()
        {
            line.changes -= changes;
            taken.jobs.push(job);
            taken.changes += changes;
            given += changes.max(1);
        }
        if line.jobs.is_empty() {
            self.lines.remove(&owner);
        }
        given
    }
}

impl<J> Taken<J> {
    fn is_full(&self) -> bool {
        self.changes >= MAX_CHANGES || self.jobs.len() >= MAX_JOBS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(number: u8) -> Owner {
        Owner::Account(AccountId::from_bytes([number; 16]))
    }

    /// A queue in which an account waits with this number of jobs of one share each.
    fn flooded(jobs: usize) -> FairQueue<(u8, usize)> {
        let mut queue = FairQueue::default();
        (0..jobs).for_each(|number| queue.push(account(1), (1, number), SHARE));
        queue
    }

    fn count(jobs: &[(u8, usize)], of: u8) -> usize {
        jobs.iter().filter(|(owner, _)| *owner == of).count()
    }

    #[test]
    fn who_brings_few_changes_is_in_the_next_transaction_behind_any_flood() {
        let now = Instant::now();
        let mut queue = flooded(1_000);
        queue.push(account(2), (2, 0), 1);
        let next = queue.next_transaction(now);
        assert_eq!(next, [(2, 0), (1, 0)], "before the flood, which gives no more than its share beside it");
        assert_eq!(queue.next_transaction(now), [(1, 1)], "somebody who was here lately comes again");
        assert_eq!(queue.next_transaction(now + LATELY).len(), MAX_CHANGES / SHARE, "nobody else is here");
    }

    #[test]
    fn a_line_alone_fills_transactions_and_keeps_its_order() {
        let (now, mut queue) = (Instant::now(), flooded(20));
        queue.push(account(1), (1, 20), 3);
        let (mut all, mut sizes) = (Vec::new(), Vec::new());
        while !queue.is_empty() {
            let next = queue.next_transaction(now);
            sizes.push(next.len());
            all.extend(next);
        }
        assert_eq!(sizes, [8, 8, 5]);
        assert_eq!(all, (0..=20).map(|number| (1, number)).collect::<Vec<_>>());
    }

    #[test]
    fn long_lines_have_turns_and_none_waits_for_ever_beside_many_short_ones() {
        let (now, mut queue) = (Instant::now(), FairQueue::default());
        for number in 0..20 {
            (1..=8).for_each(|owner| queue.push(account(owner), (owner, number), SHARE));
        }
        let next = queue.next_transaction(now);
        assert_eq!((1..=8).map(|owner| count(&next, owner)).collect::<Vec<_>>(), [1; 8]);
        for round in 0..8 {
            (100..=255).for_each(|owner| queue.push(account(owner), (owner, round), 1));
            let next = queue.next_transaction(now);
            let given: Vec<u8> = (1..=8).filter(|owner| count(&next, *owner) > 0).collect();
            assert_eq!(given.len(), 1, "a full transaction takes one of the long ones: {next:?}");
            assert_eq!(given, [round as u8 + 1], "each in its turn");
        }
    }

    #[test]
    fn work_that_nobody_waits_for_comes_after_people_and_is_done_all_the_same() {
        let (now, mut queue) = (Instant::now(), FairQueue::default());
        (0..4).for_each(|number| queue.push(Owner::Rows, (0, number), SHARE));
        queue.push(Owner::Relay, (9, 0), 0);
        queue.push(account(2), (2, 0), 1);
        queue.push(Owner::Snapshots, (8, 0), SHARE);
        let next = queue.next_transaction(now);
        assert_eq!(next, [(9, 0), (2, 0), (0, 0)]);
        assert_eq!(queue.next_transaction(now), [(8, 0)], "in turns while somebody was here lately");
        assert_eq!(queue.next_transaction(now + LATELY).len(), 3);
        assert!(queue.is_empty());
    }

    #[test]
    fn nothing_is_lost_and_nothing_is_remembered_of_who_left() {
        let (now, mut queue) = (Instant::now(), FairQueue::default());
        for number in 0..500 {
            queue.push(account((number % 256) as u8), (0, number), number * 7 % 40);
        }
        let (mut all, mut rounds) = (Vec::new(), 0);
        while !queue.is_empty() {
            all.extend(queue.next_transaction(now).into_iter().map(|(_, number)| number));
            rounds += 1;
            assert!(rounds < 500);
        }
        all.sort_unstable();
        assert_eq!(all, (0..500).collect::<Vec<_>>());
        assert!(queue.next_transaction(now + LATELY).is_empty());
        assert!(queue.lines.is_empty() && queue.turns.is_empty() && queue.seen.is_empty());
    }
}
