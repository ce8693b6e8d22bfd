//! The invariants of the replica after every event. The simulator checks them.

use crate::replica::Replica;

impl Replica {
    /// Checks the invariants.
    ///
    /// # Errors
    /// The first invariant that does not hold, in words.
    pub fn check_invariants(&self) -> Result<(), String> {
        self.documents.check_invariants()?;
        self.check_waiting_commands()
    }

    /// A waiting command is retried only on an event, so one must be pending.
    fn check_waiting_commands(&self) -> Result<(), String> {
        let is_anything_coming = self.reads.is_any_awaited() || self.sync_client.fetches().next().is_some();
        match self.commands.waiting().next() {
            Some((request, command)) if !is_anything_coming => {
                Err(format!("command {request} waits for nothing: {command:?}"))
            }
            _ => Ok(()),
        }
    }
}
