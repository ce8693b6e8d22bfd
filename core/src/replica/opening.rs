//! What a replica begins with: this device's key, what storage has, and which account it speaks for.

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::id::{AccountId, DeviceKey};
use crate::replica::io::{Space, StoredEntry};
use crate::replica::shelf;
use crate::replica::store::Store;
use crate::session::client::Identity;
use crate::wire::Grant;

const ACCOUNT_KEY: &[u8] = b"account";

/// What a replica needs to begin.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct Opening {
    /// 32 fresh random bytes. Never the same twice: they name the writer of this start's changes.
    #[cfg_attr(feature = "ts", ts(type = "Uint8Array"))]
    pub seed: ByteBuf,
    /// The Ed25519 public key of this device, 32 bytes, the same at every start.
    #[cfg_attr(feature = "ts", ts(type = "Uint8Array"))]
    pub device: ByteBuf,
    /// At the first start of a device that another device let in: what that device gave it, see [`Linked`].
    #[serde(default)]
    #[cfg_attr(feature = "ts", ts(type = "Uint8Array | null", optional))]
    pub grant: Option<ByteBuf>,
    /// All entries of the spaces in [`Space::OPENING`].
    pub stored: Vec<StoredEntry>,
}

/// Which account a device was let into, and by whom. CBOR, the bytes of [`crate::replica::io::Outcome::Granted`].
#[derive(Clone, Copy, Debug, PartialEq, minicbor::Encode, minicbor::Decode)]
pub struct Linked {
    /// The account.
    #[n(0)]
    pub account: AccountId,
    /// The word of the device that was in.
    #[n(1)]
    pub grant: Grant,
}

/// Why a replica cannot begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Seed or device key does not have 32 bytes.
    #[error("the seed and the device key have 32 bytes each")]
    WrongLength,
    /// The grant cannot be read.
    #[error("the grant cannot be read")]
    BadGrant,
    /// The grant is for another account than the one that this phone holds data of.
    #[error("this phone belongs to another account already")]
    OtherAccount,
}

impl OpenError {
    /// The stable name of the error.
    pub fn code(self) -> &'static str {
        match self {
            OpenError::WrongLength => "wrong_length",
            OpenError::BadGrant => "bad_grant",
            OpenError::OtherAccount => "other_account",
        }
    }
}

/// Who this phone is: what storage says, else what the grant says, else the founder of a new account.
pub(super) fn identity(device: DeviceKey, opening: &Opening, store: &mut Store) -> Result<Identity, OpenError> {
    #[derive(minicbor::Encode, minicbor::Decode)]
    struct Stored {
        #[n(0)]
        account: AccountId,
        #[n(1)]
        grant: Option<Grant>,
    }
    let is_account = |entry: &&StoredEntry| entry.space == Space::Meta && entry.key == ACCOUNT_KEY;
    let stored = opening.stored.iter().find(is_account).and_then(|entry| minicbor::decode::<Stored>(&entry.value).ok());
    let linked = match &opening.grant {
        Some(bytes) => Some(minicbor::decode::<Linked>(bytes).map_err(|_| OpenError::BadGrant)?),
        None => None,
    };
    let stored = match (stored, linked) {
        (Some(stored), Some(linked)) if stored.account != linked.account => return Err(OpenError::OtherAccount),
        (Some(stored), _) => return Ok(Identity { account: stored.account, device, grant: stored.grant }),
        (None, Some(linked)) => Stored { account: linked.account, grant: Some(linked.grant) },
        (None, None) => Stored { account: AccountId::founded_by(&device), grant: None },
    };
    store.put(Space::Meta, ACCOUNT_KEY.to_vec(), shelf::cbor(&stored));
    Ok(Identity { account: stored.account, device, grant: stored.grant })
}
