//! What operators decide, what people report to them, and who is invited.

use tourismo_core::id::AccountId;

use super::Append;
use crate::clients::limits::DAY_MS;
use crate::db::decisions::{self, Decision, Item, Target};
use crate::db::invitations::{self, CodeHash, Invitation};
use crate::db::reports::{self, NewReport, Reported};
use crate::db::{documents, due};
use crate::writer::memory::Memory;
use crate::writer::projector;
use crate::writer::{InvitationAct, NewDecision};

impl Append<'_> {
    /// Stores a decision, removes what it hides, and closes the reports about the item. What becomes visible again, and
    /// everything of a suspended account, is derived again in the background. `[O1]` `[O3]`
    pub(in crate::writer) async fn decide(&mut self, new: &NewDecision) -> Result<Decision, sqlx::Error> {
        let NewDecision { item, is_hidden, reason } = new;
        let decision = decisions::insert(self.connection, self.received_at, *item, *is_hidden, reason).await?;
        reports::close(self.connection, item, self.received_at).await?;
        // Remembered rows were derived without the decision.
        *self.memory = Memory::default();
        match item.target {
            Target::Account => self.derive_account_beside(item.account).await?,
            Target::Drive | Target::Meet | Target::Comment if *is_hidden => self.withhold(item).await?,
            Target::Drive | Target::Meet | Target::Comment => {
                for doc in decisions::documents_of(self.connection, item).await? {
                    documents::release(self.connection, item.account, Some(doc)).await?;
                    self.has_due |= self.derive_beside((item.account, doc)).await?;
                }
            }
        }
        self.feed_changed = true;
        Ok(decision)
    }

    async fn withhold(&mut self, item: &Item) -> Result<(), sqlx::Error> {
        let decisions = self.decisions().await?;
        for doc in decisions::documents_of(self.connection, item).await? {
            if let Some(log) = documents::find(self.connection, item.account, doc).await? {
                projector::withhold(self.connection, &log, doc, &decisions, &mut self.events).await?;
            }
        }
        Ok(())
    }

    async fn derive_account_beside(&mut self, account: AccountId) -> Result<(), sqlx::Error> {
        documents::release(self.connection, account, None).await?;
        self.has_due |= due::note_public(self.connection, account).await? > 0;
        for ((_, _), known) in self.docs.iter_mut().filter(|((owner, _), _)| *owner == account) {
            if let Some(known) = known.as_mut().filter(|known| decisions::is_public(known.log.kind)) {
                (known.is_due, known.is_quarantined) = (true, false);
            }
        }
        Ok(())
    }

    /// Closes the reports about an item without a decision.
    pub(in crate::writer) async fn dismiss(&mut self, item: &Item) -> Result<u64, sqlx::Error> {
        reports::close(self.connection, item, self.received_at).await
    }

    /// Makes, revokes or uses an invitation; nothing if there is none.
    pub(in crate::writer) async fn invite(&mut self, act: &InvitationAct) -> Result<Option<Invitation>, sqlx::Error> {
        let now = self.received_at;
        match act {
            InvitationAct::Create { hash, uses, days, note } => {
                let expires_at = now + i64::from(*days) * DAY_MS;
                let (number, revoked_at, note) = (0, None, note.clone());
                let invitation = Invitation { number, created_at: now, expires_at, uses: *uses, revoked_at, note };
                invitations::insert(self.connection, *hash, invitation).await.map(Some)
            }
            InvitationAct::Revoke(number) => invitations::revoke(self.connection, *number, now).await,
        }
    }

    /// Lets an account in by a code; returns whether it may be made.
    pub(in crate::writer) async fn redeem(&mut self, hash: CodeHash, account: AccountId) -> Result<bool, sqlx::Error> {
        invitations::redeem(self.connection, hash, account, self.received_at).await
    }

    /// Stores a report within the bounds.
    pub(in crate::writer) async fn report(&mut self, report: &NewReport) -> Result<Reported, sqlx::Error> {
        reports::insert(self.connection, report, self.received_at).await
    }
}
