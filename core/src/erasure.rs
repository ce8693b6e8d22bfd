//! Erasures: the signed orders by which a document ends.
//!
//! An erasure is an entry of the log in place of all changes of its document. Its hash depends on the account and the
//! document alone, so two devices that erase one document make the same entry, and an erased document has the same heads
//! everywhere. `[X1]` This module must not depend on documents, storage or connections.

use ed25519_dalek::{Signature, VerifyingKey};
use minicbor::{Decode, Encode};
use sha2::{Digest as _, Sha256};

use crate::id::{AccountId, ChangeHash, DeviceKey, DocId};

/// The size of an encoded erasure, bytes.
pub const ERASURE_BYTES: usize = 101;

/// The beginning of an encoded erasure: an array of two, and a byte string of 32. No Automerge chunk begins like this.
const BEGINNING: [u8; 3] = [0x82, 0x58, 32];

/// A signed order that a document ends. `[X1]`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Erasure {
    /// The key that signed it.
    #[n(0)]
    pub by: DeviceKey,
    /// The Ed25519 signature of `by` over [`erase_bytes`].
    #[cbor(n(1), with = "minicbor::bytes")]
    pub signature: [u8; 64],
}

/// Returns the bytes that a member of `account` signs to erase `doc`. `[X1]`
pub fn erase_bytes(account: &AccountId, doc: &DocId) -> Vec<u8> {
    [b"tourismo erase v1".as_slice(), account.as_bytes(), doc.as_bytes()].concat()
}

/// Returns the hash of the erasure of a document, whoever signs it.
pub fn erasure_hash(account: &AccountId, doc: &DocId) -> ChangeHash {
    ChangeHash(Sha256::digest(erase_bytes(account, doc)).into())
}

/// Returns whether a chunk has the form of an erasure.
pub fn is_erasure(chunk: &[u8]) -> bool {
    chunk.len() == ERASURE_BYTES && chunk.starts_with(&BEGINNING)
}

impl Erasure {
    /// Encodes the erasure as a chunk of the log.
    pub fn encode(&self) -> Vec<u8> {
        minicbor::to_vec(self).expect("writing to memory cannot fail")
    }

    /// Decodes the erasure of a document; nothing if the chunk is another one, or if its signature is wrong. `[X2]`
    pub fn verified(chunk: &[u8], account: &AccountId, doc: &DocId) -> Option<Erasure> {
        let erasure: Erasure = minicbor::decode(chunk).ok().filter(|_| is_erasure(chunk))?;
        let signature = Signature::from_bytes(&erasure.signature);
        let key = VerifyingKey::from_bytes(&erasure.by.0).ok()?;
        key.verify_strict(&erase_bytes(account, doc), &signature).ok().map(|()| erasure)
    }
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signer as _, SigningKey};

    use super::*;

    const DOC: DocId = DocId::from_bytes([7; 16]);

    fn erasure(key: &SigningKey, account: &AccountId) -> Erasure {
        let signature = key.sign(&erase_bytes(account, &DOC)).to_bytes();
        Erasure { by: DeviceKey(key.verifying_key().to_bytes()), signature }
    }

    #[test]
    fn x1_an_erasure_has_these_bytes_and_one_hash_whoever_signs_it() {
        let keys = [1, 2].map(|seed| SigningKey::from_bytes(&[seed; 32]));
        let account = AccountId::founded_by(&DeviceKey(keys[0].verifying_key().to_bytes()));
        let made = keys.each_ref().map(|key| erasure(key, &account).encode());
        let hex: String = made[0].iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            hex,
            concat!(
                "8258208a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c58408dea4f0346af7983b7ec9658069cf6655006",
                "268f1267dbe2e75741091f43692e221eb478570968090150e0bd6b6e17ede529d6e3d90bbd89b287f1eae33c3c02"
            )
        );
        let hash = "3ab66ce3712df2de62a2d90739b42093ecd7f75092292f07865c90cd1c59780e";
        assert_eq!(erasure_hash(&account, &DOC).to_string(), hash);
        assert!(made.iter().all(|chunk| is_erasure(chunk) && Erasure::verified(chunk, &account, &DOC).is_some()));
    }

    #[test]
    fn x2_a_forged_moved_or_truncated_erasure_is_none() {
        let key = SigningKey::from_bytes(&[1; 32]);
        let account = AccountId::founded_by(&DeviceKey(key.verifying_key().to_bytes()));
        let chunk = erasure(&key, &account).encode();
        assert_eq!(Erasure::verified(&chunk, &account, &DocId::from_bytes([8; 16])), None, "of another document");
        assert_eq!(Erasure::verified(&chunk, &AccountId::from_bytes([8; 16]), &DOC), None, "of another account");
        for length in 0..chunk.len() {
            assert_eq!(Erasure::verified(&chunk[..length], &account, &DOC), None);
        }
        for place in 0..chunk.len() {
            let mut forged = chunk.clone();
            forged[place] ^= 1;
            assert_eq!(Erasure::verified(&forged, &account, &DOC), None, "byte {place}");
        }
    }
}
