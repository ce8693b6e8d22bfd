//! Ids of accounts, documents, devices and changes. All are made offline.

use std::fmt;
use std::str::FromStr;

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::time::Timestamp;

/// The id of an account: a UUIDv8 of the SHA-256 of the public key that founded it.
///
/// The id proves itself: only the holder of the founding key, and devices with a grant, can prove that they belong to
/// the account. So an account that is made offline needs no registry.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(type = "string"))]
#[serde(transparent)]
pub struct AccountId(Uuid);

/// The id of a document: a UUIDv7 made by the device that creates it, or a UUIDv8 computed from the account.
///
/// Ids belong to accounts: two accounts that use one id have two documents. A document that others find by its id
/// alone, such as by a link, has an id that is bound to its account ([`DocId::bound`]).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(type = "string"))]
#[serde(transparent)]
pub struct DocId(Uuid);

/// The Ed25519 public key of a device.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct DeviceKey(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 32]);

/// The hash of an Automerge change: the SHA-256 of its chunk.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct ChangeHash(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 32]);

impl AccountId {
    /// Returns the account that `founder` founds.
    pub fn founded_by(founder: &DeviceKey) -> AccountId {
        let digest = Sha256::new().chain_update(b"tourismo account").chain_update(founder.0).finalize();
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest[..16]);
        AccountId(uuid::Builder::from_custom_bytes(bytes).into_uuid())
    }

    /// Returns the 16 bytes of the id.
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// Returns the id with these 16 bytes, as stored.
    pub const fn from_bytes(bytes: [u8; 16]) -> AccountId {
        AccountId(Uuid::from_bytes(bytes))
    }
}

impl DocId {
    /// Makes a new id: a UUIDv7 of `at` with `random` in its 74 free bits.
    pub fn new(at: Timestamp, random: [u8; 10]) -> DocId {
        let millis = u64::try_from(at.as_millis()).unwrap_or(0);
        DocId(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
    }

    /// Returns the id of the document of this name that an account has once, the same on all its devices: a UUIDv8.
    pub fn only(account: &AccountId, name: &str) -> DocId {
        let digest = Sha256::new().chain_update(b"tourismo only ").chain_update(name).chain_update(account.as_bytes());
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest.finalize()[..16]);
        DocId(uuid::Builder::from_custom_bytes(bytes).into_uuid())
    }

    /// Returns an id that is bound to an account, for a document that others find by its id alone: a UUIDv8 of `part`
    /// and of 74 bits of SHA-256(`"tourismo bound id v1"` ‖ account ‖ part). Anybody who knows the account can verify
    /// it, and nobody can find a part that gives another account's id. `[B1]`
    pub fn bound(account: &AccountId, part: [u8; 6]) -> DocId {
        let digest = Sha256::new().chain_update(b"tourismo bound id v1").chain_update(account.as_bytes());
        let digest = digest.chain_update(part).finalize();
        let mut bytes = [0; 16];
        bytes[..6].copy_from_slice(&part);
        bytes[6..].copy_from_slice(&digest[..10]);
        DocId(uuid::Builder::from_custom_bytes(bytes).into_uuid())
    }

    /// Returns whether the id is bound to this account. `[B1]`
    pub fn is_bound_to(&self, account: &AccountId) -> bool {
        self.as_bytes().first_chunk().is_some_and(|part| DocId::bound(account, *part) == *self)
    }

    /// Returns the id of the published copy of a drive, the same on all devices of the account. It is bound to the
    /// account, differs after each renewal of the link, and reveals nothing of the drive's own id. `[B2]`
    pub fn of_copy(account: &AccountId, drive: &DocId, renewals: u32) -> DocId {
        DocId::renewed(account, b"tourismo published copy v1", drive.as_bytes(), renewals)
    }

    /// Returns the id that apps gave to the published copy of a drive before ids were bound. `[B3]`
    pub fn of_unbound_copy(account: &AccountId, drive: &DocId) -> DocId {
        DocId::only(account, &format!("published {drive}"))
    }

    /// Returns the id by which others find a meet after this number of renewals of its link, the same on all devices of
    /// the account and bound to it. `first` is the hash of the first change of the meet's document, which only these
    /// devices and their relay know. So somebody with an earlier link cannot compute a later one. `[B4]`
    pub fn of_renewed_meet(account: &AccountId, first: &ChangeHash, renewals: u32) -> DocId {
        DocId::renewed(account, b"tourismo renewed meet v1", &first.0, renewals)
    }

    fn renewed(account: &AccountId, prefix: &[u8], of: &[u8], renewals: u32) -> DocId {
        let digest =
            Sha256::new().chain_update(prefix).chain_update(of).chain_update(renewals.to_be_bytes()).finalize();
        let mut part = [0; 6];
        part.copy_from_slice(&digest[..6]);
        DocId::bound(account, part)
    }

    /// Returns the id of the meet that an account makes of a meet of an archive, the same on all its devices and bound to the
    /// account.
    pub fn of_imported_meet(account: &AccountId, archived: &DocId) -> DocId {
        DocId::renewed(account, b"tourismo imported meet v1", archived.as_bytes(), 0)
    }

    /// Returns the 16 bytes of the id.
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// Returns the id with these 16 bytes, as stored and sent.
    pub const fn from_bytes(bytes: [u8; 16]) -> DocId {
        DocId(Uuid::from_bytes(bytes))
    }
}

impl DeviceKey {
    /// Returns the first eight bytes of the key's SHA-256. Every actor id of this device starts with them.
    pub fn actor_prefix(&self) -> [u8; 8] {
        let digest = Sha256::digest(self.0);
        let mut prefix = [0; 8];
        prefix.copy_from_slice(&digest[..8]);
        prefix
    }
}

macro_rules! uuid_newtype {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0.hyphenated())
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, uuid::Error> {
                Uuid::parse_str(text).map($name)
            }
        }

        impl<C> Encode<C> for $name {
            fn encode<W: minicbor::encode::Write>(
                &self,
                e: &mut minicbor::Encoder<W>,
                _: &mut C,
            ) -> Result<(), minicbor::encode::Error<W::Error>> {
                e.bytes(self.0.as_bytes())?;
                Ok(())
            }
        }

        impl<'b, C> Decode<'b, C> for $name {
            fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
                let bytes = d.bytes()?;
                Uuid::from_slice(bytes).map($name).map_err(|_| minicbor::decode::Error::message("an id has 16 bytes"))
            }
        }
    };
}

uuid_newtype!(AccountId);
uuid_newtype!(DocId);

macro_rules! hex_newtype {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }
    };
}

hex_newtype!(DeviceKey);
hex_newtype!(ChangeHash);

#[cfg(test)]
mod tests {
    use super::*;

    const ANNA: AccountId = AccountId::from_bytes([1; 16]);
    const BEN: AccountId = AccountId::from_bytes([2; 16]);

    #[test]
    fn b1_the_bytes_of_a_bound_id_are_these_and_no_other_account_has_them() {
        let id = DocId::bound(&ANNA, [7; 6]);
        assert_eq!(id.to_string(), "07070707-0707-8c2b-9653-fe35109a169e");
        assert!(id.is_bound_to(&ANNA) && !id.is_bound_to(&BEN));
        for bit in 0..128 {
            let mut bytes = *id.as_bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(!DocId::from_bytes(bytes).is_bound_to(&ANNA), "bit {bit}");
        }
        assert!(!DocId::new(Timestamp(1_790_000_000_000), [7; 10]).is_bound_to(&ANNA));
        assert!(!DocId::only(&ANNA, "profile").is_bound_to(&ANNA));
    }

    #[test]
    fn b2_every_renewal_of_a_link_is_another_id_of_the_same_account() {
        let drive = DocId::new(Timestamp(1_790_000_000_000), [7; 10]);
        let ids: Vec<DocId> = (0..3).map(|renewals| DocId::of_copy(&ANNA, &drive, renewals)).collect();
        assert_eq!(ids[0].to_string(), "0ef738de-1c2c-8a1a-90ad-afb187f00d93");
        assert!(ids.iter().all(|id| id.is_bound_to(&ANNA)));
        assert!(ids[0] != ids[1] && ids[1] != ids[2] && ids[0] != ids[2]);
        assert_ne!(DocId::of_copy(&BEN, &drive, 0), ids[0]);
        assert_eq!(DocId::of_unbound_copy(&ANNA, &drive).to_string(), "03009af6-bf31-8fb8-af81-c264aa1fe559");
    }

    #[test]
    fn the_id_of_an_imported_meet_is_bound_to_the_account_that_imports_it() {
        let meet = DocId::bound(&ANNA, [7; 6]);
        assert!(DocId::of_imported_meet(&BEN, &meet).is_bound_to(&BEN));
        assert_ne!(DocId::of_imported_meet(&ANNA, &meet), meet);
    }

    #[test]
    fn b4_every_renewal_of_a_meet_s_link_is_another_id_of_the_same_account() {
        let first = ChangeHash([7; 32]);
        let ids: Vec<DocId> = (1..4).map(|renewals| DocId::of_renewed_meet(&ANNA, &first, renewals)).collect();
        assert_eq!(ids[0].to_string(), "6855699d-9bff-8d62-b37c-1aa030cabd7f");
        assert!(ids.iter().all(|id| id.is_bound_to(&ANNA)));
        assert!(ids[0] != ids[1] && ids[1] != ids[2] && ids[0] != ids[2]);
        assert_ne!(DocId::of_renewed_meet(&BEN, &first, 1), ids[0]);
        assert_ne!(DocId::of_renewed_meet(&ANNA, &ChangeHash([8; 32]), 1), ids[0]);
    }
}
