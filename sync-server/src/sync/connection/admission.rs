//! Admission of a device: whether it belongs to the account, by the database and by the grant that it presents.

use std::pin::Pin;
use std::sync::Arc;

use tourismo_core::id::{AccountId, DeviceKey};
use tourismo_core::membership::MembershipDigest;
use tourismo_core::session::relay::RelayInput;
use tourismo_core::wire::{ByeCode, Grant};

use super::{ConnectedDevice, cannot_read};
use crate::clients::limits::{ConnectionPermit, Registration, Source};
use crate::db::accounts::{self, DeviceState};
use crate::db::{invitations, membership};
use crate::sync::SyncState;
use crate::writer::{Admitted, Unavailable};

/// The time after which the last connection of a device is written again.
const SEEN_EVERY_MS: i64 = 3_600_000;

/// A device with a verified key that requests admission to an account.
#[derive(Clone, Copy)]
pub(super) struct Candidate {
    pub(super) account: AccountId,
    pub(super) device: DeviceKey,
    pub(super) grant: Option<Grant>,
}

/// The result of an admission.
pub(super) struct AdmittedDevice {
    pub(super) connected: ConnectedDevice,
    pub(super) place: ConnectionPermit,
    pub(super) head: u64,
    pub(super) membership: MembershipDigest,
}

/// A running admission: its result, or the input for the session.
pub(super) type Admitting = Pin<Box<dyn Future<Output = Result<AdmittedDevice, RelayInput>> + Send>>;

/// Checks whether the device belongs to the account. A known device costs a write once an hour. A device without a grant
/// costs a few lookups, and neither a connection of the account nor time of the writer. `[H4]` `[H5]`
pub(super) async fn admit(
    relay: Arc<SyncState>,
    candidate: Candidate,
    source: Source,
) -> Result<AdmittedDevice, RelayInput> {
    let Candidate { account, device, grant } = candidate;
    // The subscription begins before anything is read, so that no change falls in between.
    let mut membership_changes = relay.membership_notifier.subscribe(account);
    let standing = standing(&relay, candidate).await.map_err(cannot_read)?;
    match standing {
        DeviceStanding::Stranger => return Err(RelayInput::NotAdmitted(ByeCode::NotAuthentic)),
        DeviceStanding::Removed => return Err(RelayInput::NotAdmitted(ByeCode::Revoked)),
        DeviceStanding::Known { .. } | DeviceStanding::Granted | DeviceStanding::Founds => {}
    }
    let overloaded = || RelayInput::NotAdmitted(ByeCode::Overloaded);
    let place = relay.limiter.admit_account(account).ok_or_else(overloaded)?;
    if standing == DeviceStanding::Founds {
        may_found(&relay, account).await?;
        relay.limiter.found_account(source).map_err(|_| overloaded())?;
    }
    let is_known = matches!(standing, DeviceStanding::Known { .. });
    if standing != (DeviceStanding::Known { is_noted: true }) {
        match relay.writer.admit(account, device, grant).await {
            Ok(Admitted::Yes) if is_known => {}
            Ok(Admitted::Yes) => tracing::info!(%account, "a device was added"),
            Ok(Admitted::Stranger) => return Err(RelayInput::NotAdmitted(ByeCode::NotAuthentic)),
            Ok(Admitted::Removed) => return Err(RelayInput::NotAdmitted(ByeCode::Revoked)),
            Ok(Admitted::OneTooMany) => return Err(RelayInput::NotAdmitted(ByeCode::OverQuota)),
            // A full disk does not keep a device from reading what is there.
            Err(Unavailable) if is_known => {}
            Err(Unavailable) => return Err(RelayInput::NotAdmitted(ByeCode::GoingAway)),
        }
    }
    // The subscription begins before the log is read, so that no growth is missed.
    let heads = relay.head_notifier.subscribe(account);
    membership_changes.mark_seen();
    let head = async {
        let mut reader = relay.sync_readers.acquire().await?;
        let head = accounts::head_and_membership(&mut reader, account).await?;
        Ok((head, accounts::device_state(&mut reader, account, device).await?))
    };
    let ((head, membership), state) = head.await.map_err(cannot_read)?;
    if state == DeviceState::Removed {
        return Err(RelayInput::NotAdmitted(ByeCode::Revoked));
    }
    let connected =
        ConnectedDevice { account, device, heads, membership: membership_changes, membership_changed: false };
    Ok(AdmittedDevice { connected, place, head, membership })
}

/// Refuses an account that may not be made here. `[O8]`
async fn may_found(relay: &SyncState, account: AccountId) -> Result<(), RelayInput> {
    let code = match relay.registration {
        Registration::Open => return Ok(()),
        Registration::Invite => ByeCode::NotInvited,
        Registration::Closed => ByeCode::RegistrationClosed,
    };
    let invited = async { invitations::is_invited(&mut relay.sync_readers.acquire().await?, account).await };
    if invited.await.map_err(cannot_read)? { Ok(()) } else { Err(RelayInput::NotAdmitted(code)) }
}

/// The standing of a device in an account, by the database and the account's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum DeviceStanding {
    /// It is one of the account's devices.
    Known {
        /// Whether its connection of the last hour and its grant are stored.
        is_noted: bool,
    },
    /// It was one, and was removed.
    Removed,
    /// A key of the account let it in.
    Granted,
    /// The account does not exist here, and the device or the one that granted it founded it.
    Founds,
    /// None of these.
    Stranger,
}

async fn standing(relay: &SyncState, candidate: Candidate) -> Result<DeviceStanding, sqlx::Error> {
    let Candidate { account, device, grant } = candidate;
    let now = relay.clock.now();
    let mut reader = relay.sync_readers.acquire().await?;
    match accounts::device_state(&mut reader, account, device).await? {
        // The grant of a device from before there were statements is stored at its first connection after an hour.
        DeviceState::Member { seen_at } => {
            let is_noted = seen_at.is_some_and(|at| now.millis_since(at).abs() < SEEN_EVERY_MS);
            return Ok(DeviceStanding::Known { is_noted });
        }
        // Another grant may make it a member again, if it was not revoked itself.
        DeviceState::Removed if grant.is_none() => return Ok(DeviceStanding::Removed),
        DeviceState::Removed | DeviceState::Unknown => {}
    }
    let founder = grant.map_or(device, |grant| grant.granted_by);
    if AccountId::founded_by(&founder) == account && !accounts::exists(&mut reader, account).await? {
        return Ok(DeviceStanding::Founds);
    }
    let mut set = membership::read(&mut reader, account).await?;
    let is_removed = set.evaluate(now).is_revoked(&device);
    if let Some(grant) = grant {
        // Too many statements are the writer's to refuse.
        let _ = set.add(grant.statement(device), Some(now), now);
    }
    let members = set.evaluate(now);
    let is_in = members.is_member(&device) || AccountId::founded_by(&device) == account;
    Ok(match (is_in && !members.is_revoked(&device), is_removed) {
        (true, _) => DeviceStanding::Granted,
        (false, true) => DeviceStanding::Removed,
        (false, false) => DeviceStanding::Stranger,
    })
}

/// Returns whether a device was removed from its account.
pub(super) async fn is_removed(relay: &SyncState, account: AccountId, device: DeviceKey) -> Result<bool, sqlx::Error> {
    let state = accounts::device_state(&mut relay.sync_readers.acquire().await?, account, device).await?;
    Ok(state == DeviceState::Removed)
}
