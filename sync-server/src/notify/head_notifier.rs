//! Notifies connections after a commit that an account's log has grown. It carries positions only, never changes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;
use tourismo_core::id::AccountId;

/// The subscriptions to accounts. A slow subscriber may miss positions, but never the last one.
#[derive(Clone, Debug, Default)]
pub(crate) struct HeadNotifier(Arc<Mutex<BTreeMap<AccountId, watch::Sender<u64>>>>);

/// A subscription to one account, until it is dropped.
#[derive(Debug)]
pub(crate) struct Subscription {
    head_notifier: HeadNotifier,
    account: AccountId,
    heads: watch::Receiver<u64>,
}

impl HeadNotifier {
    /// Subscribes to an account. Earlier positions are not delivered.
    pub(crate) fn subscribe(&self, account: AccountId) -> Subscription {
        let heads = self.lock().entry(account).or_insert_with(|| watch::Sender::new(0)).subscribe();
        Subscription { head_notifier: self.clone(), account, heads }
    }

    /// Announces that the account's log on disk has grown to `head`.
    pub(crate) fn announce(&self, account: AccountId, head: u64) {
        if let Some(sender) = self.lock().get(&account) {
            sender.send_replace(head);
        }
    }

    /// Returns the accounts that have subscriptions.
    pub(crate) fn accounts(&self) -> Vec<AccountId> {
        self.lock().keys().copied().collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<AccountId, watch::Sender<u64>>> {
        // A map of senders is always consistent, also after a panic of a holder.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Subscription {
    /// Passes over positions that were announced before.
    pub(crate) fn mark_seen(&mut self) {
        self.heads.mark_unchanged();
    }

    /// Returns the next announced position. Cancelling loses nothing.
    pub(crate) async fn next(&mut self) -> u64 {
        match self.heads.changed().await {
            Ok(()) => *self.heads.borrow_and_update(),
            // The sender exists as long as the subscription.
            Err(_) => std::future::pending().await,
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut senders = self.head_notifier.lock();
        // This receiver is still counted.
        if senders.get(&self.account).is_some_and(|sender| sender.receiver_count() <= 1) {
            senders.remove(&self.account);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn l1_a_listener_learns_the_last_position_and_leaves_nothing_behind() {
        let (head_notifier, account) = (HeadNotifier::default(), AccountId::from_bytes([1; 16]));
        let (mut one, two) = (head_notifier.subscribe(account), head_notifier.subscribe(account));
        head_notifier.announce(account, 1);
        head_notifier.announce(account, 2);
        head_notifier.announce(AccountId::from_bytes([2; 16]), 9);
        assert_eq!(one.next().await, 2);
        drop(two);
        head_notifier.announce(account, 3);
        assert_eq!(one.next().await, 3);
        drop(one);
        assert!(head_notifier.lock().is_empty());
    }
}
