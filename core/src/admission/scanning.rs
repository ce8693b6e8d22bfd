//! The checks of a pushed change that need no state of the account: that it is well-formed, within the limits, and that it
//! continues its document.

use crate::change::{Actor, ChangeError, ChangeLimits, Limit, ScannedChange, is_deflated, scan};
use crate::id::ChangeHash;
use crate::wire::{MAX_CHUNK_BYTES, NackCode};

/// Maximum inflated size of all deflated changes of one push, bytes. Phones do not deflate.
pub const MAX_INFLATED_PUSH_BYTES: u64 = 4 << 20;

/// The remaining inflation budget of one push, and the amount used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InflationBudget {
    left: u64,
}

impl InflationBudget {
    /// Returns the budget of a push.
    pub fn of_a_push() -> InflationBudget {
        InflationBudget { left: MAX_INFLATED_PUSH_BYTES }
    }

    /// Returns an upper bound of the inflated bytes.
    pub fn used(&self) -> u64 {
        MAX_INFLATED_PUSH_BYTES - self.left
    }

    /// Scans a chunk like [`scan_candidate`], within the remaining budget.
    ///
    /// # Errors
    /// The [`NackCode`] to answer with. [`NackCode::Unavailable`] if the change needs more than the remaining budget;
    /// it may succeed in another push. `[P3]` `[P4]`
    pub fn scan_candidate(&mut self, chunk: &[u8]) -> Result<ScannedChange, NackCode> {
        if !is_deflated(chunk) {
            return scan_candidate(chunk);
        }
        let max_inflated_bytes = LIMITS.max_inflated_bytes.min(self.left);
        let scanned = scan(chunk, &ChangeLimits { max_inflated_bytes, ..LIMITS });
        // The inflated size of a refused change is unknown.
        self.left -= scanned.as_ref().map_or(max_inflated_bytes, |change| change.body_bytes.min(max_inflated_bytes));
        match scanned {
            Err(ChangeError::TooMuch { limit: Limit::InflatedBytes, .. })
                if max_inflated_bytes < LIMITS.max_inflated_bytes =>
            {
                Err(NackCode::Unavailable)
            }
            scanned => scanned.map_err(refusal),
        }
    }
}

const LIMITS: ChangeLimits = ChangeLimits { max_chunk_bytes: MAX_CHUNK_BYTES as u64, ..ChangeLimits::DEFAULT };

/// Scans a chunk within the limits for all clients.
///
/// # Errors
/// The [`NackCode`] to answer with. `[P3]` `[P4]`
pub fn scan_candidate(chunk: &[u8]) -> Result<ScannedChange, NackCode> {
    scan(chunk, &LIMITS).map_err(refusal)
}

fn refusal(error: ChangeError) -> NackCode {
    match error {
        ChangeError::TooMuch { .. } => NackCode::TooLarge,
        ChangeError::NotAChunk
        | ChangeError::DocumentChunk
        | ChangeError::BundleChunk
        | ChangeError::NotADocument { .. }
        | ChangeError::UnknownChunk { .. }
        | ChangeError::Truncated
        | ChangeError::TrailingBytes { .. }
        | ChangeError::BadDeflate
        | ChangeError::ChecksumMismatch
        | ChangeError::BadInteger
        | ChangeError::BadText
        | ChangeError::UnorderedDeps
        | ChangeError::BadActors
        | ChangeError::ZeroSeq
        | ChangeError::ZeroStartOp
        | ChangeError::BadColumn { .. }
        | ChangeError::RowsDisagree { .. }
        | ChangeError::NotCanonical { .. }
        | ChangeError::BadReference { .. }
        | ChangeError::BadOperation { .. } => NackCode::Malformed,
    }
}

/// Checks that a change continues its document as Automerge requires; Automerge panics otherwise.
///
/// `max_op_of` returns [`ScannedChange::max_op`] of a dependency, `has_written` whether an actor has changes in the
/// document. Unknown dependencies and actors are malformed.
///
/// # Errors
/// [`NackCode::Malformed`] if the first operation has a wrong number or unknown actors are referred to.
pub fn check_continues(
    change: &ScannedChange,
    max_op_of: impl Fn(&ChangeHash) -> Option<u64>,
    has_written: impl Fn(&Actor) -> bool,
) -> Result<(), NackCode> {
    let highest = change.deps.iter().map(max_op_of).try_fold(0, |highest, max_op| Some(highest.max(max_op?)));
    let continues = highest.is_some_and(|highest| change.start_op == highest + 1);
    if continues && change.other_actors.iter().all(has_written) { Ok(()) } else { Err(NackCode::Malformed) }
}
