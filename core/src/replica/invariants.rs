//! The invariants of the replica after every event. The simulator checks them.

use crate::replica::Replica;

impl Replica {
    /// Checks the invariants.
    ///
    /// # Errors
    /// The first invariant that does not hold, in words.
    pub fn check_invariants(&self) -> Result<(), String> {
        self.documents.check_invariants()?;
        self.writes.check_invariants()?;
        self.reads.check_invariants()?;
        self.check_answered_commands()?;
        self.check_waiting_commands()?;
        self.check_waiting_reconcilers()?;
        self.check_push()
    }

    /// A command is answered as soon as its writes are on disk.
    fn check_answered_commands(&self) -> Result<(), String> {
        match self.commands.settling().find(|(seq, ..)| self.writes.is_durable(*seq)) {
            Some((_, request, _)) => Err(format!("command {request} is on disk and was not answered")),
            None => Ok(()),
        }
    }

    /// A waiting command is retried only on an event, so one must be pending.
    fn check_waiting_commands(&self) -> Result<(), String> {
        let is_redaction_awaited = self.commands.awaits_redaction() && !self.is_redaction_settled();
        let is_anything_coming =
            is_redaction_awaited || self.reads.is_any_awaited() || self.sync_client.fetches().next().is_some();
        match self.commands.waiting().next() {
            Some((request, command)) if !is_anything_coming => {
                Err(format!("command {request} waits for nothing: {command:?}"))
            }
            _ => Ok(()),
        }
    }

    /// A reconciler that waits is polled with something new: a document is read, at once or after a failure, or a row is folded.
    fn check_waiting_reconcilers(&self) -> Result<(), String> {
        let is_read = self.reads.is_any_awaited() || self.reads.is_waiting();
        if is_read || !self.documents.some_stale(1).is_empty() {
            return Ok(());
        }
        if let Some(doc) = self.reconcilers.copies.waiting().next() {
            return Err(format!("the copy of {doc} waits for nothing"));
        }
        match self.reconcilers.stats.waiting(&self.documents).next() {
            Some(drive) => Err(format!("the statistics of {drive} wait for nothing")),
            None => Ok(()),
        }
    }

    /// Changes that are taken to be pushed are being read.
    fn check_push(&self) -> Result<(), String> {
        match self.documents.outbox.reading() {
            Some(number) if !self.reads.is_reading_push(number) => Err(format!("push {number} waits for no read")),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_bytes::ByteBuf;

    use super::*;
    use crate::replica::Bootstrap;
    use crate::replica::io::{Command, Input};
    use crate::time::Now;

    fn replica() -> Replica {
        let bootstrap = Bootstrap {
            seed: ByteBuf::from([1; 32]),
            device: ByteBuf::from(ed25519_dalek::SigningKey::from_bytes(&[7; 32]).verifying_key().to_bytes()),
            grant: None,
            stored: Vec::new(),
        };
        let mut replica = Replica::open(&bootstrap).unwrap();
        let command = Command::StartDrive { car: None };
        replica.handle(Now::default(), Input::Command { request: 1, command });
        replica
    }

    #[test]
    fn what_is_lost_between_components_is_found_by_the_invariants() {
        assert_eq!(replica().check_invariants(), Ok(()));
        let broken: [fn(&mut Replica); 4] = [
            |replica| replica.commands.wait(2, Command::CloseDrive),
            |replica| replica.writes.stored(1),
            |replica| drop(replica.documents.read_unsent(9, 9_000)),
            |replica| replica.reconcilers.stats.request(crate::id::DocId::from_bytes([9; 16])),
        ];
        for breaks in broken {
            let mut replica = replica();
            breaks(&mut replica);
            assert!(replica.check_invariants().is_err());
        }
    }
}
