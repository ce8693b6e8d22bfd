//! The device whose read token came with a request: its answer and its event stream end when it is removed. `[G9]`

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::sleep;
use tourismo_core::id::{AccountId, DeviceKey};

use crate::db::accounts::{self, DeviceState};
use crate::db::sql::Pool;
use crate::notify::head_notifier::Subscription;

/// Time for an event stream to report the removal before its connection is cut off.
const CUT_OFF_AFTER: Duration = Duration::from_millis(500);

/// A device that reads.
#[derive(Debug)]
pub(crate) struct ReadingDevice {
    account: AccountId,
    device: DeviceKey,
    changes: Subscription,
    /// Whether the membership of the account changed since the device was looked up.
    is_stale: bool,
    readers: Pool,
}

impl ReadingDevice {
    /// Creates the device from a subscription that began before the device was looked up.
    pub(crate) fn new(account: AccountId, device: DeviceKey, changes: Subscription, readers: Pool) -> ReadingDevice {
        ReadingDevice { account, device, changes, is_stale: false, readers }
    }

    /// Creates the device from a later subscription: it is looked up again.
    pub(crate) fn again(account: AccountId, device: DeviceKey, changes: Subscription, readers: Pool) -> ReadingDevice {
        ReadingDevice { is_stale: true, ..ReadingDevice::new(account, device, changes, readers) }
    }

    /// Returns when the device was removed. Cancelling loses nothing.
    pub(crate) async fn removed(&mut self) {
        loop {
            if !self.is_stale {
                self.changes.next().await;
                self.is_stale = true;
            }
            let (account, device) = (self.account, self.device);
            // On the heap, because every socket has space for this future, and few read with a token.
            let state =
                Box::pin(async { accounts::device_state(&mut self.readers.acquire().await?, account, device).await });
            match state.await {
                Ok(DeviceState::Member { .. }) => self.is_stale = false,
                // If the device cannot be looked up, the answer ends; the client asks again.
                Ok(DeviceState::Removed | DeviceState::Unknown) | Err(_) => return,
            }
        }
    }
}

/// Returns when the device that reads on a connection was removed. Each request on the connection sends its device, or `None`
/// for an anonymous request: behind a proxy, requests of many clients share a connection.
pub(crate) async fn cut_off(mut devices: mpsc::UnboundedReceiver<Option<Box<ReadingDevice>>>) {
    let mut device: Option<Box<ReadingDevice>> = None;
    loop {
        let removed = async {
            match &mut device {
                Some(device) => device.removed().await,
                None => std::future::pending().await,
            }
            sleep(CUT_OFF_AFTER).await;
        };
        tokio::select! {
            biased;
            next = devices.recv() => match next {
                Some(next) => device = next,
                None => return std::future::pending().await,
            },
            () = removed => return,
        }
    }
}
