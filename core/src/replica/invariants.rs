//! What holds of the replica after every event, whatever came before. The simulator checks it.

use crate::replica::Replica;
use crate::replica::commands::Unmet;

impl Replica {
    /// Checks what holds after every [`Replica::handle`].
    ///
    /// # Errors
    /// The first invariant that does not hold, in words.
    pub fn check_invariants(&self) -> Result<(), String> {
        self.shelf.check_invariants()?;
        self.check_waiting_commands()
    }

    /// A command that waits is attempted again: what it waits for is on its way.
    fn check_waiting_commands(&self) -> Result<(), String> {
        let recovering = || self.recording.as_ref().map(|recording| recording.track());
        for (request, command) in self.commands.waiting() {
            let is_coming = match self.needs(command) {
                Err(Unmet::Stored(doc)) => self.reads.is_awaited(&doc),
                Err(Unmet::Remote(doc)) => self.link.is_fetching(&doc),
                Err(Unmet::Recovery) => {
                    recovering().is_some_and(|track| self.reads.is_awaited(&track) || self.link.is_fetching(&track))
                }
                // It came, or it is gone, by another way: the next answer attempts the command.
                Ok(()) | Err(Unmet::Refused(_)) => self.reads.is_any_awaited() || self.link.fetches().next().is_some(),
            };
            if !is_coming {
                return Err(format!("command {request} waits for nothing: {command:?}"));
            }
        }
        Ok(())
    }
}
