//! A digest of all heads of an account in 32 bytes: equal digests mean equal heads of every document.
//!
//! A digest depends on ids and heads only. It is updated document by document, so an update costs the same however many
//! documents exist.

use std::fmt;

use minicbor::{Decode, Encode};
use sha2::{Digest as _, Sha256};

use crate::id::{ChangeHash, DocId};

/// The digest of a set of (document, heads). The order of the documents does not matter.
///
/// It is the sum, modulo 2²⁵⁶ and little-endian, of SHA-256(`"tourismo doc heads"` ‖ document id ‖ sorted heads) over
/// the documents that have heads; the digest of no documents is zero. This is AdHash (Bellare and Micciancio, "A new
/// paradigm for collision-free hashing", 1997). Both sides of a comparison belong to one account, which gains nothing
/// from a collision.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct Digest(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 32]);

impl Digest {
    /// Replaces the heads of `doc` in the digest.
    ///
    /// Both must be sorted and unique, as [`advance_heads`](crate::change::advance_heads) returns them. A document
    /// without heads does not count.
    pub fn replace(&mut self, doc: &DocId, old: &[ChangeHash], new: &[ChangeHash]) {
        if let Some(term) = term(doc, old) {
            self.subtract(&term);
        }
        if let Some(term) = term(doc, new) {
            self.add(&term);
        }
    }

    fn add(&mut self, term: &[u8; 32]) {
        let mut carry = false;
        for (byte, addend) in self.0.iter_mut().zip(term) {
            (*byte, carry) = byte.carrying_add(*addend, carry);
        }
    }

    fn subtract(&mut self, term: &[u8; 32]) {
        let mut borrow = false;
        for (byte, subtrahend) in self.0.iter_mut().zip(term) {
            (*byte, borrow) = byte.borrowing_sub(*subtrahend, borrow);
        }
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

/// Returns the term of one document; nothing without heads.
fn term(doc: &DocId, heads: &[ChangeHash]) -> Option<[u8; 32]> {
    debug_assert!(heads.is_sorted_by(|a, b| a < b), "heads are kept sorted and unique");
    if heads.is_empty() {
        return None;
    }
    let mut hasher = Sha256::new().chain_update(b"tourismo doc heads").chain_update(doc.as_bytes());
    for head in heads {
        hasher.update(head.0);
    }
    Some(hasher.finalize().into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn doc(n: u8) -> DocId {
        DocId::from_bytes([n; 16])
    }

    fn heads(ns: &[u8]) -> Vec<ChangeHash> {
        let mut heads: Vec<_> = ns.iter().map(|n| ChangeHash([*n; 32])).collect();
        heads.sort_unstable();
        heads.dedup();
        heads
    }

    fn digest_of(docs: &[(u8, Vec<u8>)]) -> Digest {
        let mut digest = Digest::default();
        for (id, ns) in docs {
            digest.replace(&doc(*id), &[], &heads(ns));
        }
        digest
    }

    #[test]
    fn the_order_of_the_documents_does_not_matter() {
        let forward = digest_of(&[(1, vec![10]), (2, vec![20, 21]), (3, vec![30])]);
        let backward = digest_of(&[(3, vec![30]), (2, vec![21, 20]), (1, vec![10])]);
        assert_eq!(forward, backward);
    }

    #[test]
    fn a_document_without_heads_contributes_nothing() {
        assert_eq!(digest_of(&[(1, vec![])]), Digest::default());
        assert_eq!(digest_of(&[(1, vec![]), (2, vec![20])]), digest_of(&[(2, vec![20])]));
    }

    #[test]
    fn the_same_heads_in_another_document_give_another_digest() {
        assert_ne!(digest_of(&[(1, vec![10]), (2, vec![20])]), digest_of(&[(1, vec![20]), (2, vec![10])]));
        assert_ne!(digest_of(&[(1, vec![10, 11])]), digest_of(&[(1, vec![10])]));
    }

    #[test]
    fn what_is_added_and_taken_away_leaves_zero() {
        let mut digest = digest_of(&[(1, vec![10]), (2, vec![20])]);
        digest.replace(&doc(1), &heads(&[10]), &[]);
        digest.replace(&doc(2), &heads(&[20]), &[]);
        assert_eq!(digest, Digest::default());
    }

    #[test]
    fn a_digest_crosses_the_wire_as_32_bytes() {
        let digest = digest_of(&[(1, vec![10])]);
        let bytes = minicbor::to_vec(digest).unwrap();
        assert_eq!(bytes[..2], [0x58, 32], "a byte string of 32");
        assert_eq!(minicbor::decode::<Digest>(&bytes).unwrap(), digest);
        assert_eq!(digest.to_string().len(), 64);
    }

    proptest! {
        #[test]
        fn keeping_up_equals_starting_over(steps in prop::collection::vec((0u8..6, prop::collection::vec(any::<u8>(), 0..4)), 0..40)) {
            let mut state: std::collections::BTreeMap<u8, Vec<u8>> = Default::default();
            let mut kept = Digest::default();
            for (id, ns) in steps {
                let old = state.insert(id, ns.clone()).unwrap_or_default();
                kept.replace(&doc(id), &heads(&old), &heads(&ns));
            }
            let docs: Vec<_> = state.into_iter().collect();
            prop_assert_eq!(kept, digest_of(&docs));
        }
    }
}
