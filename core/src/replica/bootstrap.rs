//! The start of a replica: the device key, the stored entries, and the account of this phone.

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::id::{AccountId, DeviceKey};
use crate::replica::documents;
use crate::replica::io::{CommandError, Space, StoredEntry};
use crate::replica::write_queue::WriteQueue;
use crate::session::client::Identity;
use crate::wire::Grant;

const ACCOUNT_KEY: &[u8] = b"account";

/// The arguments of [`crate::replica::Replica::open`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct Bootstrap {
    /// 32 random bytes, different at every start: they determine the actor of this start.
    #[cfg_attr(feature = "ts", ts(type = "Uint8Array"))]
    pub seed: ByteBuf,
    /// The Ed25519 public key of this device, 32 bytes, the same at every start.
    #[cfg_attr(feature = "ts", ts(type = "Uint8Array"))]
    pub device: ByteBuf,
    /// The grant of another device, see [`DeviceGrant`]. It is used at the first start, or as long as this phone holds
    /// nothing.
    #[serde(default)]
    #[cfg_attr(feature = "ts", ts(type = "Uint8Array | null", optional))]
    pub grant: Option<ByteBuf>,
    /// All entries of the spaces in [`Space::OPENING`].
    pub stored: Vec<StoredEntry>,
}

/// A grant with its subject: account, signature and device. CBOR, the bytes of
/// [`crate::replica::io::CommandOutcome::Granted`].
#[derive(Clone, Copy, Debug, PartialEq, minicbor::Encode, minicbor::Decode)]
pub struct DeviceGrant {
    /// The account.
    #[n(0)]
    pub account: AccountId,
    /// The signature of the granting device.
    #[n(1)]
    pub grant: Grant,
    /// The granted device.
    #[n(2)]
    pub device: DeviceKey,
}

/// Why a replica cannot be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Seed or device key does not have 32 bytes.
    #[error("the seed and the device key have 32 bytes each")]
    WrongLength,
    /// The grant does not fit: `bad_grant`, `foreign_grant` or `other_account`.
    #[error(transparent)]
    Grant(#[from] CommandError),
}

impl OpenError {
    /// Returns the stable code of the error.
    pub fn code(self) -> &'static str {
        match self {
            OpenError::WrongLength => "wrong_length",
            OpenError::Grant(error) => error.code(),
        }
    }
}

/// The identity of this phone, stored in [`Space::Meta`].
#[derive(minicbor::Encode, minicbor::Decode)]
struct StoredIdentity {
    #[n(0)]
    account: AccountId,
    #[n(1)]
    grant: Option<Grant>,
}

/// Returns the identity of this phone: the stored one, else that of the grant, else the founder of a new account. A
/// phone without data follows a grant into another account.
pub(super) fn identity(
    device: DeviceKey,
    bootstrap: &Bootstrap,
    writes: &mut WriteQueue,
) -> Result<Identity, OpenError> {
    let is_account = |entry: &&StoredEntry| entry.space == Space::Meta && entry.key == ACCOUNT_KEY;
    let stored = bootstrap.stored.iter().find(is_account);
    let stored = stored.and_then(|entry| minicbor::decode::<StoredIdentity>(&entry.value).ok());
    let holds_anything = || bootstrap.stored.iter().any(|entry| entry.space != Space::Meta);
    let linked = bootstrap.grant.as_ref().map(|grant| read_grant(grant, &device)).transpose()?;
    if linked.as_ref().is_some_and(|linked| linked.device != device) {
        return Err(CommandError::ForeignGrant.into());
    }
    let identity = match (stored, linked) {
        (Some(StoredIdentity { account, grant }), linked) if linked.is_none_or(|linked| linked.account == account) => {
            return Ok(Identity { account, device, grant });
        }
        (Some(_), Some(_)) if holds_anything() => return Err(CommandError::OtherAccount.into()),
        (_, Some(linked)) => Identity { account: linked.account, device, grant: Some(linked.grant) },
        (_, None) => Identity { account: AccountId::founded_by(&device), device, grant: None },
    };
    store_identity(&identity, writes);
    Ok(identity)
}

/// Decodes a grant and verifies that it is for this device, or signed by it.
pub(super) fn read_grant(grant: &[u8], device: &DeviceKey) -> Result<DeviceGrant, CommandError> {
    let linked: DeviceGrant = minicbor::decode(grant).map_err(|_| CommandError::BadGrant)?;
    let is_of_this_device = linked.device == *device || linked.grant.granted_by == *device;
    if is_of_this_device { Ok(linked) } else { Err(CommandError::ForeignGrant) }
}

/// Stores the identity of this phone.
pub(super) fn store_identity(identity: &Identity, writes: &mut WriteQueue) {
    let stored = StoredIdentity { account: identity.account, grant: identity.grant };
    writes.put(Space::Meta, ACCOUNT_KEY.to_vec(), documents::cbor(&stored));
}
