//! The invariants of the document store after every event.

use crate::digest::Digest;
use crate::replica::documents::{DocumentStore, Unsent};

impl DocumentStore {
    /// Checks the invariants.
    ///
    /// # Errors
    /// The first invariant that does not hold, in words.
    pub(crate) fn check_invariants(&self) -> Result<(), String> {
        let mut digest = Digest::default();
        for (doc, record) in self.documents.records() {
            digest.replace(doc, &[], &record.relay_heads);
            let lost =
                record.unacked_places().map(|index| Unsent { doc: *doc, index }).find(|it| !self.outbox.holds(it));
            if let Some(Unsent { index, .. }) = lost {
                return Err(format!("change {index} of {doc} is not acknowledged, and the outbox does not have it"));
            }
        }
        if digest != self.digest {
            return Err("the digest is not that of the records".to_owned());
        }
        if let Some(item) = self.outbox.waiting().find(|item| !self.is_unacked(item)) {
            return Err(format!("change {} of {} waits to be sent and is acknowledged", item.index, item.doc));
        }
        if let Some(doc) = self.unwritten.iter().chain(self.unwritten_rows.iter()).next() {
            return Err(format!("the record or the row of {doc} changed and is not queued for the disk"));
        }
        if let Some(doc) = self.documents.wrongly_listed() {
            return Err(format!("{doc} is listed as in memory and is not, or the other way round"));
        }
        Ok(())
    }
}

#[cfg(feature = "faults")]
impl DocumentStore {
    /// Restores an earlier digest.
    pub(crate) fn keep_digest(&mut self, digest: Digest) {
        self.digest = digest;
    }

    /// Lists no document as in memory.
    pub(crate) fn unlist_loaded(&mut self) {
        self.documents.unlist_loaded();
    }
}
