//! Commands that are not answered: those that wait for a document, and those that wait for the disk.

use crate::replica::io::{Command, Outcome};
use crate::replica::store::{Store, Ticket};

/// Commands that are not answered.
#[derive(Debug, Default)]
pub(in crate::replica) struct CommandQueue {
    /// Commands that wait for a document, in the order in which they came.
    waiting: Vec<(u32, Command)>,
    /// Commands that are done in memory, with the write that makes them durable.
    settling: Vec<(Ticket, u32, Outcome)>,
}

impl CommandQueue {
    /// Has a command wait until something has come.
    pub(super) fn wait(&mut self, request: u32, command: Command) {
        self.waiting.push((request, command));
    }

    /// The commands that wait.
    pub(in crate::replica) fn waiting(&self) -> impl Iterator<Item = &(u32, Command)> {
        self.waiting.iter()
    }

    /// Takes the commands that wait, to attempt them again.
    pub(super) fn take_waiting(&mut self) -> Vec<(u32, Command)> {
        std::mem::take(&mut self.waiting)
    }

    /// Returns whether any command waits for a document.
    pub(in crate::replica) fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Keeps an answer until the disk has everything up to a write.
    pub(super) fn settle_after(&mut self, ticket: Ticket, request: u32, outcome: Outcome) {
        self.settling.push((ticket, request, outcome));
    }

    /// Takes the answers whose writes the disk has.
    pub(in crate::replica) fn take_settled(&mut self, store: &Store) -> Vec<(u32, Outcome)> {
        let (settled, settling) = self.settling.drain(..).partition(|(ticket, ..)| store.is_durable(*ticket));
        self.settling = settling;
        let settled: Vec<(Ticket, u32, Outcome)> = settled;
        settled.into_iter().map(|(_, request, outcome)| (request, outcome)).collect()
    }

    /// Takes the requests whose writes belong to a transaction that failed.
    pub(in crate::replica) fn take_failed(&mut self, ticket: Ticket) -> Vec<u32> {
        let (failed, settling) = self.settling.drain(..).partition(|(until, ..)| *until <= ticket);
        self.settling = settling;
        let failed: Vec<(Ticket, u32, Outcome)> = failed;
        failed.into_iter().map(|(_, request, _)| request).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replica::io::{Space, StorageFailure};

    #[test]
    fn a_command_is_answered_when_the_disk_has_its_writes_and_not_before() {
        let (mut queue, mut store) = (CommandQueue::default(), Store::default());
        let done = || Outcome::Done { doc: None };
        queue.settle_after(store.ticket(), 1, done());
        store.put(Space::Meta, vec![1], vec![1]);
        queue.settle_after(store.ticket(), 2, done());
        assert_eq!(queue.take_settled(&store), [(1, done())], "it wrote nothing");
        store.next(0);
        store.put(Space::Meta, vec![2], vec![2]);
        queue.settle_after(store.ticket(), 3, done());
        let failed = store.failed(1, StorageFailure::QuotaExceeded, 0).unwrap();
        assert_eq!((queue.take_failed(failed), queue.take_settled(&store)), (vec![2], vec![]));
        store.next(10_000);
        store.stored(2);
        assert_eq!(queue.take_settled(&store), [(3, done())]);
    }
}
