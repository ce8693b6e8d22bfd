//! Faults of components and random poll orders, for the simulator. Only the feature `faults` has them.
//!
//! Each fault breaks the transition of one component; [`Replica::check_invariants`] must find it.

use crate::id::DocId;
use crate::replica::Replica;
use crate::replica::io::Input;
use crate::time::{Now, Timestamp};

/// A fault of a component.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The outbox drops changes that are read or in flight when the connection is lost.
    DropsUnderWay,
    /// A failed read is neither retried nor reported.
    ForgetsFailedReads,
    /// The digest does not change when the relay gets a change.
    KeepsDigest,
    /// Commands are not answered when their writes are on disk.
    AnswersNoCommand,
    /// Documents in memory are not listed.
    UnlistsLoaded,
    /// The operations of a failed transaction are dropped.
    ForgetsTransactions,
    /// An import makes ids as a recording does.
    ImportsUnderNewIds,
    /// Each operation is written in a transaction of its own.
    SplitsTransactions,
}

/// The faults and the poll orders of a replica.
#[derive(Debug, Default)]
pub(super) struct Faults {
    fault: Option<Fault>,
    /// The state of the generator of poll orders; without one the order is the usual one.
    orders: Option<u64>,
}

impl Faults {
    /// Shuffles a poll order, if orders are random.
    pub(super) fn shuffle<T>(&mut self, order: &mut [T]) {
        let Some(state) = &mut self.orders else { return };
        for last in (1..order.len()).rev() {
            // splitmix64
            *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut random = *state;
            random = (random ^ (random >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            random = (random ^ (random >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            order.swap(last, ((random ^ (random >> 31)) % (last as u64 + 1)) as usize);
        }
    }
}

impl Replica {
    /// Injects a fault.
    pub fn inject(&mut self, fault: Fault) {
        self.faults.fault = Some(fault);
        self.writes.split_transactions(fault == Fault::SplitsTransactions);
    }

    /// Returns the id of an import as the injected fault has it.
    pub(super) fn import_id_with_fault(&self) -> Option<DocId> {
        // Another one for each document here.
        let id = || DocId::new(Timestamp(self.documents.records().count() as i64), [0; 10]);
        (self.faults.fault == Some(Fault::ImportsUnderNewIds)).then(id)
    }

    /// Polls the components in random orders from now on.
    pub fn shuffle_polls(&mut self, seed: u64) {
        self.faults.orders = Some(seed);
    }

    /// Routes an input as the injected fault has it.
    pub(super) fn route_with_fault(&mut self, now: Now, input: Input) {
        let Some(fault) = self.faults.fault else { return self.route(now, input) };
        let digest = self.documents.digest();
        match (fault, &input) {
            (Fault::DropsUnderWay, Input::Disconnected) => drop(self.documents.outbox.take_all_under_way()),
            (Fault::ForgetsFailedReads, Input::LoadFailed { request, .. }) => return self.reads.forget(*request),
            (Fault::AnswersNoCommand, Input::Stored { batch }) => return self.writes.stored(*batch),
            (Fault::ForgetsTransactions, Input::StoreFailed { .. }) => return self.writes.forget_transaction(),
            (
                Fault::DropsUnderWay
                | Fault::ForgetsFailedReads
                | Fault::AnswersNoCommand
                | Fault::ForgetsTransactions
                | Fault::KeepsDigest
                | Fault::UnlistsLoaded
                | Fault::ImportsUnderNewIds
                | Fault::SplitsTransactions,
                _,
            ) => {}
        }
        self.route(now, input);
        match fault {
            Fault::KeepsDigest => self.documents.keep_digest(digest),
            Fault::UnlistsLoaded => self.documents.unlist_loaded(),
            Fault::DropsUnderWay
            | Fault::ForgetsFailedReads
            | Fault::AnswersNoCommand
            | Fault::ForgetsTransactions
            | Fault::ImportsUnderNewIds
            | Fault::SplitsTransactions => {}
        }
    }
}
