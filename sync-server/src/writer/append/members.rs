//! The members of accounts: admissions, membership statements and vouches.

use tourismo_core::id::{AccountId, DeviceKey};
use tourismo_core::membership::{Claim, ReceivedStatement, Statement, StatementError};
use tourismo_core::wire::Grant;

use super::Append;
use crate::db::accounts::DeviceState;
use crate::db::{accounts, membership};
use crate::writer::Admitted;

impl Append<'_> {
    /// Admits a device, stores its grant and when it was seen; returns whether it belongs to the account. `[H5]` `[G3]`
    pub(in crate::writer) async fn admit(
        &mut self,
        account: AccountId,
        device: DeviceKey,
        grant: Option<Grant>,
    ) -> Result<Admitted, sqlx::Error> {
        let mut set = membership::read(self.connection, account).await?;
        let (before, at) = (set.evaluate(self.received_at), set.next_receipt(self.received_at));
        let is_founder = AccountId::founded_by(&device) == account;
        let new_statement = match grant.filter(|_| !is_founder) {
            None => None,
            Some(grant) => {
                let statement = grant.statement(device);
                match set.add(statement.clone(), Some(at), at) {
                    Ok(is_new) => is_new.then_some(statement),
                    // A member stays a member.
                    Err(_) if before.is_member(&device) => None,
                    Err(StatementError::TooMany) => return Ok(Admitted::OneTooMany),
                    Err(StatementError::Stranger | StatementError::NotAuthentic) => return Ok(Admitted::Stranger),
                }
            }
        };
        let members = set.evaluate(self.received_at);
        if !(is_founder || members.is_member(&device)) || members.is_revoked(&device) {
            let was_in = before.is_revoked(&device);
            return Ok(if was_in { Admitted::Removed } else { Admitted::Stranger });
        }
        let is_new_device = accounts::device_state(self.connection, account, device).await? == DeviceState::Unknown;
        let most = u64::from(self.limits.max_devices_per_account);
        if is_new_device && accounts::devices(self.connection, account).await? >= most {
            return Ok(Admitted::OneTooMany);
        }
        accounts::insert(self.connection, account).await?;
        let granted_by = grant.filter(|_| !is_founder).map(|grant| grant.granted_by);
        // The account's id proves its founding device, which need not have connected before the device that it granted.
        if let Some(founder) = granted_by.filter(|key| AccountId::founded_by(key) == account)
            && accounts::device_state(self.connection, account, founder).await? == DeviceState::Unknown
        {
            accounts::insert_device(self.connection, account, founder, None, self.received_at, None).await?;
        }
        accounts::insert_device(self.connection, account, device, granted_by, self.received_at, Some(self.received_at))
            .await?;
        if let Some(statement) = new_statement {
            let digest = set.digest();
            let received = ReceivedStatement { statement, received_at: at };
            membership::insert(self.connection, account, &[received], digest).await?;
            membership::update_devices(self.connection, account, &members, self.received_at).await?;
            self.membership_changed.insert(account);
        }
        // An account state that was read before does not contain the device.
        self.memory.take_account(account);
        if let Some(log) = self.accounts.get_mut(&account) {
            log.actor_prefixes.insert(device.actor_prefix());
        }
        Ok(Admitted::Yes)
    }

    /// Stores membership statements of a device of the account, as far as they are allowed. `[G3]` `[G6]`
    pub(in crate::writer) async fn declare(
        &mut self,
        account: AccountId,
        device: DeviceKey,
        statements: &[Statement],
    ) -> Result<(), sqlx::Error> {
        let mut set = membership::read(self.connection, account).await?;
        let before = set.evaluate(self.received_at);
        // The device may have been removed while the job waited.
        if !before.is_member(&device) {
            return Ok(());
        }
        let added = set.add_all(statements.to_vec(), self.received_at);
        if added.is_empty() {
            return Ok(());
        }
        membership::insert(self.connection, account, &added, set.digest()).await?;
        for ReceivedStatement { statement, .. } in &added {
            // A device cannot keep those of whose grants it does not know, from before there were statements. `[G3]`
            if matches!(statement.claim, Claim::Revoke { .. }) && !before.is_recovery(&statement.by) {
                for device in set.unstated(&statement.subject) {
                    membership::detach(self.connection, account, device).await?;
                    set.assume(device, None);
                }
            }
        }
        let members = set.evaluate(self.received_at);
        membership::update_devices(self.connection, account, &members, self.received_at).await?;
        self.membership_changed.insert(account);
        self.memory.take_account(account);
        if let Some(log) = self.accounts.get_mut(&account) {
            log.revoked_prefixes = members.removed_devices().map(DeviceKey::actor_prefix).collect();
        }
        Ok(())
    }

    /// Stores a vouch for a device with this actor prefix.
    pub(in crate::writer) async fn vouch(
        &mut self,
        account: AccountId,
        actor_prefix: [u8; 8],
    ) -> Result<(), sqlx::Error> {
        let most = self.limits.max_devices_per_account;
        let is_new = accounts::vouch(self.connection, account, actor_prefix, self.received_at, most).await?;
        self.memory.take_account(account);
        if let Some(log) = self.accounts.get_mut(&account).filter(|_| is_new) {
            log.actor_prefixes.insert(actor_prefix);
        }
        Ok(())
    }
}
