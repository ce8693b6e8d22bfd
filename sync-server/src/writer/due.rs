//! Decides which documents are folded in the transaction that stores their changes: few and small ones of each account.
//! The cost is estimated from values that are known without reading, so that the same changes always give the same
//! decision. The other documents become due: they are listed in the transaction and derived in the background.

use std::collections::BTreeMap;

use tourismo_core::id::AccountId;
use tourismo_core::wire::DocKind;

use super::projector::SMALL;

/// The cost of one document besides its operations: its rows and their lookups. The unit is an operation, which takes a
/// few µs.
const DOCUMENT: u64 = 100;

/// A meet depends on amendments of up to a hundred accounts.
const MEET: u64 = 1_000;

/// A chunk that is not loaded.
const CHUNK: u64 = 4;

/// The former content of a document whose number of operations is unknown.
const UNKNOWN: u64 = 300;

/// Maximum cost of folding in one transaction, for an account and for all accounts.
const OF_AN_ACCOUNT: u64 = 10_000;
const OF_ALL: u64 = 20_000;

/// The input of folding a document.
#[derive(Clone, Copy, Debug)]
pub(super) struct Estimate {
    pub(super) kind: DocKind,
    /// Operations of the new changes.
    pub(super) ops: u64,
    /// Chunks that are not loaded yet.
    pub(super) chunks: u64,
    /// Whether the document is loaded, or was empty before.
    pub(super) is_known: bool,
}

/// The cost that a transaction may still spend on folding.
#[derive(Debug, Default)]
pub(super) struct FoldBudget {
    spent: u64,
    of: BTreeMap<AccountId, u64>,
}

impl FoldBudget {
    /// Returns whether a document is folded in the transaction, and subtracts its cost then.
    pub(super) fn take(&mut self, account: AccountId, estimate: Estimate) -> bool {
        let Estimate { kind, ops, chunks, is_known } = estimate;
        if chunks > SMALL.chunks || ops > SMALL.new_ops {
            return false;
        }
        let work = ops + CHUNK * chunks + if kind.policy().has_several_parts { MEET } else { DOCUMENT };
        let work = work + if is_known { 0 } else { UNKNOWN };
        let spent = self.of.entry(account).or_default();
        let fits = *spent + work <= OF_AN_ACCOUNT && self.spent + work <= OF_ALL;
        if fits {
            *spent += work;
            self.spent += work;
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_and_small_documents_of_an_account_are_folded_at_once_and_others_leave_room() {
        let mut budget = FoldBudget::default();
        let account = |number: u8| AccountId::from_bytes([number; 16]);
        let estimate = |ops, chunks| Estimate { kind: DocKind::Car, ops, chunks, is_known: true };
        assert!(!budget.take(account(1), estimate(SMALL.new_ops + 1, 1)));
        assert!(!budget.take(account(1), estimate(1, SMALL.chunks + 1)));
        let folded = |budget: &mut FoldBudget, number| {
            (0..1_000).filter(|_| budget.take(account(number), estimate(1, 1))).count()
        };
        let first = folded(&mut budget, 1);
        assert!((50..200).contains(&first), "{first}");
        assert_eq!((folded(&mut budget, 2), folded(&mut budget, 3)), (first, 0), "two accounts take all there is");
    }
}
