//! Notifies connections and event streams after a commit that the membership statements of their account changed. It carries
//! no statement.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::SeqCst;

use tourismo_core::id::AccountId;

use super::head_notifier::{HeadNotifier, Subscription};

/// The subscriptions to accounts.
#[derive(Clone, Debug, Default)]
pub(crate) struct MembershipNotifier {
    accounts: HeadNotifier,
    /// The number of changes of all accounts.
    version: Arc<AtomicU64>,
}

impl MembershipNotifier {
    /// Subscribes to an account. Earlier changes are not delivered.
    pub(crate) fn subscribe(&self, account: AccountId) -> Subscription {
        self.accounts.subscribe(account)
    }

    /// Announces that the statements of an account on disk changed.
    pub(crate) fn announce(&self, account: AccountId) {
        let version = self.version.fetch_add(1, SeqCst) + 1;
        self.accounts.announce(account, version);
    }

    /// Returns the number of announced changes. A result from before another change may be stale.
    pub(crate) fn version(&self) -> u64 {
        self.version.load(SeqCst)
    }

    /// Returns the accounts that have subscriptions.
    pub(crate) fn accounts(&self) -> Vec<AccountId> {
        self.accounts.accounts()
    }
}
