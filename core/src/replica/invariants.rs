//! What holds of the replica after every event, whatever came before. The simulator checks it.

use crate::id::DocId;
use crate::replica::Replica;
use crate::replica::commands::Unmet;
use crate::replica::recording::Recording;

impl Replica {
    /// Checks what holds after every [`Replica::handle`].
    ///
    /// # Errors
    /// The first invariant that does not hold, in words.
    pub fn check_invariants(&self) -> Result<(), String> {
        self.documents.check_invariants()?;
        self.check_waiting_commands()
    }

    /// A command that waits is attempted again: what it waits for is on its way.
    fn check_waiting_commands(&self) -> Result<(), String> {
        let is_on_its_way = |doc: DocId| self.reads.is_awaited(&doc) || self.sync_client.is_fetching(&doc);
        for (request, command) in self.commands.waiting() {
            let is_coming = match self.needs(command) {
                Err(Unmet::Stored(doc) | Unmet::Remote(doc)) => is_on_its_way(doc),
                Err(Unmet::Recovery) => self.recording.as_ref().map(Recording::track).is_some_and(is_on_its_way),
                // It came, or it is gone, by another way: the next answer attempts the command.
                Ok(()) | Err(Unmet::Refused(_) | Unmet::Invalid(_)) => {
                    self.reads.is_any_awaited() || self.sync_client.fetches().next().is_some()
                }
            };
            if !is_coming {
                return Err(format!("command {request} waits for nothing: {command:?}"));
            }
        }
        Ok(())
    }
}
