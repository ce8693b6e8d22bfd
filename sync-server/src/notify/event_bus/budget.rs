//! Limits the bytes of events on their way to clients: for one stream, for the streams of one client, and in total.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;

use super::StreamClient;

/// Maximum bytes of one stream, of the streams of one client, and of all streams.
const MAX_BYTES_OF_STREAM: usize = 64 << 10;
const MAX_BYTES_OF_CLIENT: usize = 256 << 10;
const MAX_BYTES: usize = 16 << 20;

/// The bytes of all streams that were made and not yet written to a socket.
#[derive(Debug, Default)]
pub(super) struct ByteBudget(Mutex<Held>);

#[derive(Debug, Default)]
struct Held {
    total: usize,
    of_client: BTreeMap<StreamClient, usize>,
}

/// The part of one stream.
#[derive(Debug)]
pub(super) struct StreamBudget {
    budget: Arc<ByteBudget>,
    client: StreamClient,
    held: Arc<AtomicUsize>,
}

/// An event that counts until its last byte was written or its client disconnected.
struct Counted {
    bytes: Vec<u8>,
    budget: Arc<ByteBudget>,
    client: StreamClient,
    held: Arc<AtomicUsize>,
}

impl StreamBudget {
    pub(super) fn new(budget: Arc<ByteBudget>, client: StreamClient) -> StreamBudget {
        StreamBudget { budget, client, held: Arc::default() }
    }

    /// Returns the event for sending; `None` if too many bytes are on their way.
    pub(super) fn take(&self, event: String) -> Option<Bytes> {
        let size = event.len();
        if self.held.load(Ordering::Relaxed) + size > MAX_BYTES_OF_STREAM {
            return None;
        }
        let mut held = self.budget.lock();
        let of_client = held.of_client.get(&self.client).copied().unwrap_or(0) + size;
        if of_client > MAX_BYTES_OF_CLIENT || held.total + size > MAX_BYTES {
            return None;
        }
        held.total += size;
        held.of_client.insert(self.client, of_client);
        drop(held);
        self.held.fetch_add(size, Ordering::Relaxed);
        let (budget, client) = (self.budget.clone(), self.client);
        Some(Bytes::from_owner(Counted { bytes: event.into_bytes(), budget, client, held: self.held.clone() }))
    }
}

impl ByteBudget {
    fn lock(&self) -> MutexGuard<'_, Held> {
        // The sums stay consistent after a panic: each change is a single addition after everything that may panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the number of bytes on their way.
    #[cfg(test)]
    pub(super) fn total(&self) -> usize {
        self.lock().total
    }
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let size = self.bytes.len();
        self.held.fetch_sub(size, Ordering::Relaxed);
        let mut held = self.budget.lock();
        held.total -= size;
        if let Some(of_client) = held.of_client.get_mut(&self.client) {
            *of_client -= size;
            if *of_client == 0 {
                held.of_client.remove(&self.client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tourismo_core::id::AccountId;

    use super::*;

    fn stream(budget: &Arc<ByteBudget>, account: u8) -> StreamBudget {
        StreamBudget::new(budget.clone(), StreamClient::Account(AccountId::from_bytes([account; 16])))
    }

    #[test]
    fn r9_what_is_on_its_way_is_bounded_for_a_stream_an_account_and_all_of_them() {
        let budget = Arc::<ByteBudget>::default();
        let event = || "x".repeat(10_000);
        let taken = |stream: &StreamBudget| std::iter::from_fn(|| stream.take(event())).collect::<Vec<_>>();
        let streams: Vec<StreamBudget> = (0..5).map(|_| stream(&budget, 1)).collect();
        let of_account: Vec<Vec<Bytes>> = streams.iter().map(taken).collect();
        assert_eq!(of_account.iter().map(Vec::len).collect::<Vec<_>>(), [6, 6, 6, 6, 2]);
        let others: Vec<Vec<Bytes>> = (2..=255)
            .flat_map(|account| (0..5).map(move |_| account))
            .map(|account| taken(&stream(&budget, account)))
            .collect();
        assert!(budget.total() <= MAX_BYTES && budget.total() + 10_000 > MAX_BYTES);
        assert!(others.last().is_some_and(Vec::is_empty));
        drop(others);
        assert!(stream(&budget, 255).take(event()).is_some());
        drop(of_account);
        assert_eq!(budget.total(), 0);
        assert!(streams[4].take(event()).is_some(), "what was read makes room");
    }
}
