//! The outbox: the state of each change that the relay has not acknowledged.
//!
//! A change waits, is read from storage, is in flight, and is then acknowledged or refused; a refused one may wait
//! again. The outbox contains positions and hashes only. Which changes are unacknowledged is in the documents' records.

use crate::change::Actor;
use crate::id::{ChangeHash, DocId};
use crate::sorted::{Map, Set};
use crate::wire::NackCode;

/// A local change that the relay has not acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Unsent {
    /// Its document.
    pub(crate) doc: DocId,
    /// Its position among the document's changes.
    pub(crate) index: u32,
}

/// A change that was pushed and is not answered.
#[derive(Debug)]
pub(crate) struct InFlight {
    pub(crate) unsent: Unsent,
    pub(crate) deps: Vec<ChangeHash>,
    pub(crate) actor: Actor,
}

/// The outbox.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    waiting: Set<Unsent>,
    /// The changes that are being read from storage, and the number of that read.
    reading: Option<(u32, Vec<Unsent>)>,
    storage_reads: u32,
    in_flight: Map<ChangeHash, InFlight>,
    /// The changes that a relay refused since this start of the app, with the codes.
    refused: Map<Unsent, NackCode>,
}

impl Outbox {
    /// Queues changes to be sent.
    pub(super) fn wait(&mut self, unsent: impl IntoIterator<Item = Unsent>) {
        self.waiting.extend(unsent);
    }

    /// Records that the relay has a change.
    pub(super) fn acknowledge(&mut self, unsent: &Unsent) {
        self.waiting.remove(unsent);
        self.refused.remove(unsent);
    }

    /// Records that the relay refused a change.
    pub(super) fn refuse(&mut self, unsent: Unsent, code: NackCode) {
        self.refused.insert(unsent, code);
    }

    /// Takes the changes whose refusal may be temporary. `[P7]`
    pub(super) fn take_retriable(&mut self) -> Vec<Unsent> {
        self.refused.take_if(|code| code.may_change())
    }

    /// Returns whether the relay refused a change since this start of the app.
    pub(super) fn is_refused(&self, unsent: &Unsent) -> bool {
        self.refused.get(unsent).is_some()
    }

    /// Returns whether any refusal may be temporary.
    pub(crate) fn has_retriable(&self) -> bool {
        self.refused.values().any(|code| code.may_change())
    }

    /// Returns the changes that wait, ascending.
    pub(super) fn waiting(&self) -> impl Iterator<Item = &Unsent> {
        self.waiting.iter()
    }

    /// Takes waiting changes to be read from storage. Returns the number of the read.
    pub(super) fn read(&mut self, unsent: Vec<Unsent>) -> u32 {
        for taken in &unsent {
            self.waiting.remove(taken);
        }
        self.storage_reads += 1;
        self.reading = Some((self.storage_reads, unsent));
        self.storage_reads
    }

    /// Takes the changes of a finished read; none if it was cancelled.
    pub(crate) fn take_reading(&mut self, reading: u32) -> Option<Vec<Unsent>> {
        Some(self.reading.take_if(|(number, _)| *number == reading)?.1)
    }

    /// Returns the number of the reading that has not ended.
    pub(crate) fn reading(&self) -> Option<u32> {
        self.reading.as_ref().map(|(number, _)| *number)
    }

    /// Returns whether changes are being read.
    pub(crate) fn is_reading(&self) -> bool {
        self.reading.is_some()
    }

    /// Records that a change was pushed.
    pub(crate) fn push(&mut self, hash: ChangeHash, pushed: InFlight) {
        self.in_flight.insert(hash, pushed);
    }

    /// Takes a change in flight that was answered, or that arrived from the relay.
    pub(crate) fn take_in_flight(&mut self, hash: &ChangeHash) -> Option<InFlight> {
        self.in_flight.remove(hash)
    }

    /// Takes everything that was read or in flight on a closed connection. `[P6]`
    pub(crate) fn take_all_under_way(&mut self) -> Vec<Unsent> {
        let pushed = std::mem::take(&mut self.in_flight).into_values().map(|pushed| pushed.unsent);
        let read = self.reading.take().map(|(_, unsent)| unsent).unwrap_or_default();
        pushed.chain(read).collect()
    }

    /// Returns the changes in flight.
    pub(crate) fn in_flight(&self) -> impl Iterator<Item = Unsent> {
        self.in_flight.values().map(|pushed| pushed.unsent)
    }

    /// Returns the number of changes in flight.
    pub(crate) fn in_flight_count(&self) -> usize {
        self.in_flight.len()
    }

    /// Returns whether no change waits, is read or is in flight. There may be refused ones.
    pub(crate) fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.in_flight.is_empty() && self.reading.is_none()
    }

    /// Returns whether a change is in the outbox in any state.
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
