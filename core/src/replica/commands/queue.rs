//! The queue of commands without an answer: those that wait for a document, and those that wait for the disk.

use crate::replica::io::{Command, CommandOutcome};
use crate::replica::write_queue::{WriteQueue, WriteSeq};

/// The queue.
#[derive(Debug, Default)]
pub(in crate::replica) struct CommandQueue {
    /// Commands that wait for a document, in the order of their arrival.
    waiting: Vec<(u32, Command)>,
    /// Whether one of them waits until every published copy was compared with the places.
    awaits_redaction: bool,
    /// Commands that are applied in memory, with the write that makes them durable.
    settling: Vec<(WriteSeq, u32, CommandOutcome)>,
}

impl CommandQueue {
    /// Queues a command until its documents are here.
    pub(in crate::replica) fn wait(&mut self, request: u32, command: Command) {
        self.waiting.push((request, command));
    }

    /// Queues a command until every published copy was compared with the places.
    pub(super) fn wait_for_redaction(&mut self, request: u32, command: Command) {
        self.wait(request, command);
        self.awaits_redaction = true;
    }

    /// Returns whether a command waits until every published copy was compared with the places.
    pub(in crate::replica) fn awaits_redaction(&self) -> bool {
        self.awaits_redaction
    }

    /// Returns the commands that wait for a document.
    pub(in crate::replica) fn waiting(&self) -> impl Iterator<Item = &(u32, Command)> {
        self.waiting.iter()
    }

    /// The answers that wait for the disk.
    pub(in crate::replica) fn settling(&self) -> impl Iterator<Item = &(WriteSeq, u32, CommandOutcome)> {
        self.settling.iter()
    }

    /// Takes the commands that wait for a document, in order to retry them.
    pub(super) fn take_waiting(&mut self) -> Vec<(u32, Command)> {
        self.awaits_redaction = false;
        std::mem::take(&mut self.waiting)
    }

    /// Returns whether any command waits for a document.
    pub(in crate::replica) fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Keeps an answer until a write is on disk.
    pub(in crate::replica) fn settle_after(&mut self, seq: WriteSeq, request: u32, outcome: CommandOutcome) {
        self.settling.push((seq, request, outcome));
    }

    /// Takes the answers whose writes are on disk.
    pub(in crate::replica) fn take_settled(&mut self, writes: &WriteQueue) -> Vec<(u32, CommandOutcome)> {
        let (settled, settling) = self.settling.drain(..).partition(|(seq, ..)| writes.is_durable(*seq));
        self.settling = settling;
        let settled: Vec<(WriteSeq, u32, CommandOutcome)> = settled;
        settled.into_iter().map(|(_, request, outcome)| (request, outcome)).collect()
    }

    /// Takes the requests of the commands whose writes were in a failed transaction.
    pub(in crate::replica) fn take_failed(&mut self, seq: WriteSeq) -> Vec<u32> {
        let (failed, settling) = self.settling.drain(..).partition(|(until, ..)| *until <= seq);
        self.settling = settling;
        let failed: Vec<(WriteSeq, u32, CommandOutcome)> = failed;
        failed.into_iter().map(|(_, request, _)| request).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replica::io::{Space, StorageFailure};

    #[test]
    fn a_command_is_answered_when_the_disk_has_its_writes_and_not_before() {
        let (mut queue, mut writes) = (CommandQueue::default(), WriteQueue::default());
        let done = || CommandOutcome::Done { doc: None };
        queue.settle_after(writes.write_seq(), 1, done());
        writes.put(Space::Meta, vec![1], vec![1]);
        queue.settle_after(writes.write_seq(), 2, done());
        assert_eq!(queue.take_settled(&writes), [(1, done())], "it wrote nothing");
        writes.next(0);
        writes.put(Space::Meta, vec![2], vec![2]);
        queue.settle_after(writes.write_seq(), 3, done());
        let failed = writes.failed(1, StorageFailure::QuotaExceeded, 0).unwrap();
        assert_eq!((queue.take_failed(failed), queue.take_settled(&writes)), (vec![2], vec![]));
        writes.next(10_000);
        writes.stored(2);
        assert_eq!(queue.take_settled(&writes), [(3, done())]);
    }
}
