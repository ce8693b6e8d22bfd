//! Which documents are folded in the transaction that stores their changes: few and small ones of each account. What it
//! takes is estimated from what is known before anything is read, so that the same changes always share the work alike.
//! The others are due: noted in the transaction, and derived beside the writer.

use std::collections::BTreeMap;

use tourismo_core::id::AccountId;
use tourismo_core::wire::DocKind;

use super::projector::SMALL;

/// What one document takes besides its operations: its rows, and what is looked up for them. In operations, which take some
/// µs each.
const DOCUMENT: u64 = 100;

/// A meet is made of what up to a hundred others say.
const MEET: u64 = 1_000;

/// A chunk that is not loaded.
const CHUNK: u64 = 4;

/// What a document was before, of which nobody knows how many operations it has.
const UNKNOWN: u64 = 300;

/// How much is folded of an account in one transaction, and of all accounts.
const OF_AN_ACCOUNT: u64 = 10_000;
const OF_ALL: u64 = 20_000;

/// What there is to fold of a document.
#[derive(Clone, Copy, Debug)]
pub(super) struct Estimate {
    pub(super) kind: DocKind,
    /// Operations of the changes that came.
    pub(super) ops: u64,
    /// Chunks that are not loaded yet.
    pub(super) chunks: u64,
    /// Whether the document is loaded, or had nothing before.
    pub(super) is_known: bool,
}

/// What may still be folded in a transaction.
#[derive(Debug, Default)]
pub(super) struct FoldBudget {
    spent: u64,
    of: BTreeMap<AccountId, u64>,
}

impl FoldBudget {
    /// Whether a document is folded in the transaction; then that is counted.
    pub(super) fn take(&mut self, account: AccountId, estimate: Estimate) -> bool {
        let Estimate { kind, ops, chunks, is_known } = estimate;
        if chunks > SMALL.chunks || ops > SMALL.new_ops {
            return false;
        }
        let work = ops + CHUNK * chunks + if kind == DocKind::Meet { MEET } else { DOCUMENT };
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
