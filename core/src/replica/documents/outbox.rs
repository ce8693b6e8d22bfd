//! The outbox: where each change that the relay has not acknowledged stands on its way to it.
//!
//! A change waits, is read from storage, is in flight, and is then acknowledged or refused; one that was refused may wait
//! again. The outbox knows places and hashes; which changes are unacknowledged at all is in the documents' records.

use crate::change::Actor;
use crate::id::{ChangeHash, DocId};
use crate::sorted::{Map, Set};
use crate::wire::NackCode;

/// A change that is here and that the relay has not acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Unsent {
    /// Its document.
    pub(crate) doc: DocId,
    /// Its place among the document's changes.
    pub(crate) index: u32,
}

/// A change that was pushed and not answered.
#[derive(Debug)]
pub(crate) struct InFlight {
    pub(crate) unsent: Unsent,
    pub(crate) deps: Vec<ChangeHash>,
    pub(crate) actor: Actor,
}

/// The changes on their way to the relay.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    waiting: Set<Unsent>,
    /// The changes that are being read from storage, and the number of that reading.
    reading: Option<(u32, Vec<Unsent>)>,
    storage_reads: u32,
    in_flight: Map<ChangeHash, InFlight>,
    /// What a relay refused since this start of the app, and why.
    refused: Map<Unsent, NackCode>,
}

impl Outbox {
    /// Has changes wait to be sent.
    pub(super) fn wait(&mut self, unsent: impl IntoIterator<Item = Unsent>) {
        self.waiting.extend(unsent);
    }

    /// Takes in that the relay has a change.
    pub(super) fn acknowledge(&mut self, unsent: &Unsent) {
        self.waiting.remove(unsent);
        self.refused.remove(unsent);
    }

    /// Takes in that the relay refused a change.
    pub(super) fn refuse(&mut self, unsent: Unsent, code: NackCode) {
        self.refused.insert(unsent, code);
    }

    /// Takes the changes whose refusal may have passed. `[P7]`
    pub(super) fn take_retriable(&mut self) -> Vec<Unsent> {
        self.refused.take_if(|code| code.may_change())
    }

    /// Returns whether the relay refused a change since this start of the app.
    pub(super) fn is_refused(&self, unsent: &Unsent) -> bool {
        self.refused.get(unsent).is_some()
    }

    /// Returns whether any refusal may pass.
    pub(crate) fn has_retriable(&self) -> bool {
        self.refused.values().any(|code| code.may_change())
    }

    /// The changes that wait, ascending.
    pub(super) fn waiting(&self) -> impl Iterator<Item = &Unsent> {
        self.waiting.iter()
    }

    /// Takes changes out of those that wait: storage is read for them. Returns the number of that reading.
    pub(super) fn read(&mut self, unsent: Vec<Unsent>) -> u32 {
        for taken in &unsent {
            self.waiting.remove(taken);
        }
        self.storage_reads += 1;
        self.reading = Some((self.storage_reads, unsent));
        self.storage_reads
    }

    /// Takes the changes of a reading that has ended; none if it was given up.
    pub(crate) fn take_reading(&mut self, reading: u32) -> Option<Vec<Unsent>> {
        Some(self.reading.take_if(|(number, _)| *number == reading)?.1)
    }

    /// Returns whether storage is being read.
    pub(crate) fn is_reading(&self) -> bool {
        self.reading.is_some()
    }

    /// Takes in that a change was pushed.
    pub(crate) fn push(&mut self, hash: ChangeHash, pushed: InFlight) {
        self.in_flight.insert(hash, pushed);
    }

    /// Takes a change that was answered, or that came from the relay.
    pub(crate) fn take_in_flight(&mut self, hash: &ChangeHash) -> Option<InFlight> {
        self.in_flight.remove(hash)
    }

    /// Takes all that was under way on a connection that is gone. `[P6]`
    pub(crate) fn take_all_under_way(&mut self) -> Vec<Unsent> {
        let pushed = std::mem::take(&mut self.in_flight).into_values().map(|pushed| pushed.unsent);
        let read = self.reading.take().map(|(_, unsent)| unsent).unwrap_or_default();
        pushed.chain(read).collect()
    }

    /// What was pushed and not answered.
    pub(crate) fn in_flight(&self) -> impl Iterator<Item = Unsent> {
        self.in_flight.values().map(|pushed| pushed.unsent)
    }

    /// Returns how many changes are in flight.
    pub(crate) fn in_flight_count(&self) -> usize {
        self.in_flight.len()
    }

    /// Returns whether nothing waits, is read or is in flight. What was refused may be there.
    pub(crate) fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.in_flight.is_empty() && self.reading.is_none()
    }

    /// Returns whether a change is somewhere in the outbox.
    pub(super) fn holds(&self, unsent: &Unsent) -> bool {
        self.waiting.contains(unsent)
            || self.is_refused(unsent)
            || self.reading.iter().any(|(_, read)| read.contains(unsent))
            || self.in_flight().any(|pushed| pushed == *unsent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: ChangeHash = ChangeHash([7; 32]);

    fn unsent(index: u32) -> Unsent {
        Unsent { doc: DocId::from_bytes([1; 16]), index }
    }

    fn pushed(index: u32) -> InFlight {
        let actor = Actor::try_from(&[5; 16][..]).unwrap();
        InFlight { unsent: unsent(index), deps: Vec::new(), actor }
    }

    fn waiting(outbox: &Outbox) -> Vec<u32> {
        outbox.waiting().map(|unsent| unsent.index).collect()
    }

    #[test]
    fn a_change_waits_is_read_is_pushed_and_is_acknowledged() {
        let mut outbox = Outbox::default();
        outbox.wait([unsent(0), unsent(1)]);
        let reading = outbox.read(vec![unsent(0)]);
        assert_eq!((waiting(&outbox), outbox.take_reading(reading + 1)), (vec![1], None), "another reading");
        assert_eq!(outbox.take_reading(reading), Some(vec![unsent(0)]));
        outbox.push(HASH, pushed(0));
        assert!(outbox.holds(&unsent(0)) && outbox.holds(&unsent(1)) && !outbox.is_idle());
        assert_eq!(outbox.take_in_flight(&HASH).unwrap().unsent, unsent(0));
        outbox.acknowledge(&unsent(1));
        assert!(outbox.is_idle() && !outbox.holds(&unsent(0)));
    }

    #[test]
    fn what_was_under_way_on_a_lost_connection_is_given_back_once() {
        let mut outbox = Outbox::default();
        outbox.wait([unsent(0)]);
        outbox.push(HASH, pushed(1));
        let reading = outbox.read(vec![unsent(0)]);
        assert_eq!(outbox.take_all_under_way(), [unsent(1), unsent(0)]);
        assert_eq!((outbox.take_all_under_way(), outbox.take_reading(reading)), (vec![], None));
    }

    #[test]
    fn only_a_refusal_that_may_pass_is_tried_again() {
        let mut outbox = Outbox::default();
        outbox.refuse(unsent(0), NackCode::Malformed);
        outbox.refuse(unsent(1), NackCode::OverQuota);
        assert!(outbox.has_retriable());
        assert_eq!(outbox.take_retriable(), [unsent(1)]);
        assert!(outbox.is_refused(&unsent(0)) && !outbox.has_retriable());
    }
}
