//! The inbox of an account: its address, what recorders post, and what devices take.

use tourismo_core::fix::packed::BYTES_PER_FIX;
use tourismo_core::id::AccountId;

use super::Append;
use crate::clients::limits::SourceNames;
use crate::db::inbox::{self, MAX_WAITING};
use crate::writer::{InboxAct, InboxResult};

/// The bytes that a row takes beside its fix.
const ROW_BYTES: usize = 48;

impl Append<'_> {
    /// Does what a device of the account, or one of its recorders, asks.
    pub(in crate::writer) async fn inbox(
        &mut self,
        account: AccountId,
        act: &InboxAct,
    ) -> Result<InboxResult, sqlx::Error> {
        match act {
            InboxAct::Open(secret) => inbox::open(self.connection, account, secret, self.received_at).await?,
            InboxAct::Close => inbox::close(self.connection, account).await?,
            InboxAct::Claim(portion) => inbox::claim(self.connection, account, portion).await?,
            InboxAct::Take(portion) => {
                if inbox::take(self.connection, account, portion, self.received_at).await? {
                    return Ok(InboxResult::More);
                }
            }
            InboxAct::Post { secret, source, recorder, fixes, refused } => {
                let found = inbox::find(self.connection, account).await?;
                // The address may have ended since the request came.
                let Some(found) = found.filter(|found| found.secret.as_ref() == Some(secret)) else {
                    return Ok(InboxResult::Unknown);
                };
                if found.waiting + fixes.len() as u64 > MAX_WAITING {
                    return Ok(InboxResult::Full);
                }
                if !self.has_room(account, source, fixes.len()).await? {
                    return Ok(InboxResult::NoRoom);
                }
                // Two transactions may have the same time.
                let received_at = found.posted_at.map_or(self.received_at, |before| self.received_at.max(before + 1));
                inbox::insert(self.connection, account, recorder, fixes, *refused, received_at).await?;
            }
        }
        Ok(InboxResult::Done)
    }

    /// Returns whether fixes may be stored, and counts them for the address of a new account.
    async fn has_room(&mut self, account: AccountId, source: &SourceNames, fixes: usize) -> Result<bool, sqlx::Error> {
        self.look_up_account_age(account, *source).await?;
        let is_new_account = self.limits.is_new(self.received_at.millis_since(self.founded_at[&account]));
        let bytes = fixes * (BYTES_PER_FIX + ROW_BYTES);
        if !self.room.is_for(is_new_account) || is_new_account && !self.address_has_room(source, bytes) {
            return Ok(false);
        }
        if is_new_account {
            self.charge_address(source, bytes);
        }
        Ok(true)
    }
}
