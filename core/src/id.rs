//! Names of things: accounts, devices, documents, changes. All are made offline.

use std::fmt;
use std::str::FromStr;

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::time::Timestamp;

/// An account: a UUIDv8 whose bits are the SHA-256 of the public key that founded it.
///
/// The name proves itself: only who holds the founding key, or was granted access by it, can speak for the account, so
/// that an account born with no signal needs no registry.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(type = "string"))]
#[serde(transparent)]
pub struct AccountId(Uuid);

/// A document: a UUIDv7 made by the device that created it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(type = "string"))]
#[serde(transparent)]
pub struct DocId(Uuid);

/// The Ed25519 public key of a device.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct DeviceKey(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 32]);

/// The name of an Automerge change: the SHA-256 of its chunk.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct ChangeHash(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 32]);

impl AccountId {
    /// The account that `founder` founds.
    pub fn founded_by(founder: &DeviceKey) -> AccountId {
        let digest = Sha256::new().chain_update(b"tourismo account").chain_update(founder.0).finalize();
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest[..16]);
        AccountId(uuid::Builder::from_custom_bytes(bytes).into_uuid())
    }

    /// The 16 bytes of the id.
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// The account with these 16 bytes, as storage has them.
    pub const fn from_bytes(bytes: [u8; 16]) -> AccountId {
        AccountId(Uuid::from_bytes(bytes))
    }
}

impl DocId {
    /// A new id: UUIDv7 of `at` with `random` in its 74 free bits.
    pub fn new(at: Timestamp, random: [u8; 10]) -> DocId {
        let millis = u64::try_from(at.as_millis()).unwrap_or(0);
        DocId(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
    }

    /// The id of the one document of this name that an account has, the same on all its devices: a UUIDv8.
    pub fn only(account: &AccountId, name: &str) -> DocId {
        let digest = Sha256::new().chain_update(b"tourismo only ").chain_update(name).chain_update(account.as_bytes());
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest.finalize()[..16]);
        DocId(uuid::Builder::from_custom_bytes(bytes).into_uuid())
    }

    /// The 16 bytes of the id.
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// The document with these 16 bytes, as storage and the wire have them.
    pub const fn from_bytes(bytes: [u8; 16]) -> DocId {
        DocId(Uuid::from_bytes(bytes))
    }
}

impl DeviceKey {
    /// The first eight bytes of the key's SHA-256. Every actor id of this device starts with them.
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
