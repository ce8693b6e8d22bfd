//! The rates and connections of clients: tables of present clients and of their recent use.
//!
//! This module counts and returns waiting times. It must not depend on sockets or messages; of an account it uses only
//! the id.

#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tourismo_core::id::AccountId;

use super::Limits;
use super::client_table::{Bucket, ClientTable, ClientUsage, Network, Source, TableEntry};

/// Burst of a rate, in seconds of it: a phone that reconnects with 5,000 documents is not slowed.
const BURST_S: f64 = 20.0;

/// Burst of new accounts, in seconds: one hour.
const ACCOUNTS_BURST_S: f64 = 3_600.0;

/// Limit of an IPv6 /48, as a multiple of the limit of a /64.
pub(crate) const NETWORK_SHARE: u32 = 4;

/// Counts connections, requests and pushes by address and by account, and limits them.
#[derive(Debug)]
pub(crate) struct RateLimiter {
    limits: Limits,
    sources: Mutex<Sources>,
    accounts: Mutex<ClientTable<AccountId, AccountUsage>>,
}

/// Addresses, and the networks of IPv6 addresses.
#[derive(Debug, Default)]
struct Sources {
    hosts: ClientTable<Source, SourceUsage>,
    networks: ClientTable<Network, SourceUsage>,
}

/// A counted connection or stream, released when this is dropped.
#[derive(Debug)]
pub(crate) struct ConnectionPermit {
    limiter: Arc<RateLimiter>,
    of: PermitOwner,
}

#[derive(Clone, Copy, Debug)]
enum PermitOwner {
    Source { source: Source, open: fn(&mut SourceUsage) -> &mut u32, seat: TableEntry, in_network: Option<TableEntry> },
    Account { account: AccountId, seat: TableEntry },
}

/// A limit is exceeded; the client may try again after this time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RateLimited {
    pub(crate) retry_in: Duration,
}

#[derive(Clone, Copy, Debug, Default)]
struct SourceUsage {
    connections: u32,
    streams: u32,
    requests: Bucket,
    accounts: Bucket,
}

#[derive(Clone, Copy, Debug, Default)]
struct AccountUsage {
    connections: u32,
    messages: Bucket,
    changes: Bucket,
    bytes: Bucket,
    posted: Bucket,
}

impl RateLimiter {
    pub(crate) fn new(limits: Limits) -> Arc<RateLimiter> {
        Arc::new(RateLimiter { limits, sources: Mutex::default(), accounts: Mutex::default() })
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Admits a connection from an address, unless there are too many.
    pub(crate) fn admit_source(self: &Arc<Self>, source: Source) -> Option<ConnectionPermit> {
        self.admit(source, |entry| &mut entry.connections, self.limits.max_connections_per_address)
    }

    /// Admits an event stream to an address, unless there are too many.
    pub(crate) fn admit_stream(self: &Arc<Self>, source: Source) -> Option<ConnectionPermit> {
        self.admit(source, |entry| &mut entry.streams, self.limits.max_streams_per_address)
    }

    fn admit(
        self: &Arc<Self>,
        source: Source,
        open: fn(&mut SourceUsage) -> &mut u32,
        most: u32,
    ) -> Option<ConnectionPermit> {
        let mut sources = lock(&self.sources);
        let Sources { hosts, networks } = &mut *sources;
        let in_network = match source.network() {
            Some(network) => Some(networks.open(network, open, most.saturating_mul(NETWORK_SHARE))?),
            None => None,
        };
        let Some(seat) = hosts.open(source, open, most) else {
            if let (Some(network), Some(seat)) = (source.network(), in_network) {
                networks.close(&network, open, seat);
            }
            return None;
        };
        Some(ConnectionPermit { limiter: self.clone(), of: PermitOwner::Source { source, open, seat, in_network } })
    }

    /// Admits a sync connection of an account, unless there are too many.
    pub(crate) fn admit_account(self: &Arc<Self>, account: AccountId) -> Option<ConnectionPermit> {
        let most = self.limits.max_connections_per_account;
        let seat = lock(&self.accounts).open(account, |entry| &mut entry.connections, most)?;
        Some(ConnectionPermit { limiter: self.clone(), of: PermitOwner::Account { account, seat } })
    }

    /// Counts a request of an address.
    pub(crate) fn request(&self, source: Source) -> Result<(), RateLimited> {
        self.requests(source, 1)
    }

    /// Counts work for an address that costs as much as this number of requests.
    pub(crate) fn requests(&self, source: Source, count: usize) -> Result<(), RateLimited> {
        let rate = f64::from(self.limits.max_requests_per_second);
        self.take(source, |entry| &mut entry.requests, count as f64, rate, BURST_S)
    }

    /// Counts a new account from an address.
    pub(crate) fn found_account(&self, source: Source) -> Result<(), RateLimited> {
        let rate = f64::from(self.limits.max_new_accounts_per_hour) / 3_600.0;
        self.take(source, |entry| &mut entry.accounts, 1.0, rate, ACCOUNTS_BURST_S)
    }

    /// Takes from the limits of an address and of its network, or from neither.
    fn take(
        &self,
        source: Source,
        bucket: fn(&mut SourceUsage) -> &mut Bucket,
        count: f64,
        per_second: f64,
        burst_s: f64,
    ) -> Result<(), RateLimited> {
        let mut sources = lock(&self.sources);
        let Sources { hosts, networks } = &mut *sources;
        let network = source.network().map(|network| bucket(networks.entry(network)));
        let mut after = network.as_deref().copied();
        if let Some(after) = &mut after {
            after.take_or_refuse(count, per_second * f64::from(NETWORK_SHARE), burst_s)?;
        }
        bucket(hosts.entry(source)).take_or_refuse(count, per_second, burst_s)?;
        if let (Some(network), Some(after)) = (network, after) {
            *network = after;
        }
        Ok(())
    }

    /// Counts a message of an account and returns how long the next one must wait.
    pub(crate) fn message(&self, account: AccountId) -> Duration {
        let rate = f64::from(self.limits.max_messages_per_second);
        lock(&self.accounts).entry(account).messages.take(1.0, rate, BURST_S)
    }

    /// Counts a push of an account and returns how long it must wait; a push that would wait longer than `patience` is
    /// not counted.
    pub(crate) fn push(
        &self,
        account: AccountId,
        changes: usize,
        bytes: usize,
        patience: Duration,
    ) -> Result<Duration, RateLimited> {
        let mut book = lock(&self.accounts);
        let entry = book.entry(account);
        let mut after = *entry;
        let for_changes = after.changes.take(changes as f64, f64::from(self.limits.max_changes_per_second), BURST_S);
        let for_bytes = after.bytes.take(bytes as f64, f64::from(self.limits.max_bytes_per_second), BURST_S);
        let wait = for_changes.max(for_bytes);
        if wait > patience {
            return Err(RateLimited { retry_in: wait });
        }
        *entry = after;
        Ok(wait)
    }

    /// Counts fixes that are posted to the inbox of an account. They do not slow down its pushes.
    pub(crate) fn post_to_inbox(&self, account: AccountId, fixes: usize) -> Result<(), RateLimited> {
        let rate = f64::from(self.limits.max_changes_per_second);
        lock(&self.accounts).entry(account).posted.take_or_refuse(fixes as f64, rate, BURST_S)
    }

    /// Counts additional work of an account, as if it had pushed this number of changes.
    pub(crate) fn charge(&self, account: AccountId, changes: u64) {
        let rate = f64::from(self.limits.max_changes_per_second);
        lock(&self.accounts).entry(account).changes.take(changes as f64, rate, BURST_S);
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        match self.of {
            PermitOwner::Source { source, open, seat, in_network } => {
                let mut sources = lock(&self.limiter.sources);
                sources.hosts.close(&source, open, seat);
                if let (Some(network), Some(seat)) = (source.network(), in_network) {
                    sources.networks.close(&network, open, seat);
                }
            }
            PermitOwner::Account { account, seat } => {
                lock(&self.limiter.accounts).close(&account, |entry| &mut entry.connections, seat);
            }
        }
    }
}

impl ClientUsage for SourceUsage {
    fn is_forgettable(&self, now: Instant) -> bool {
        self.connections == 0 && self.streams == 0 && self.requests.is_settled(now) && self.accounts.is_settled(now)
    }
}

impl ClientUsage for AccountUsage {
    fn is_forgettable(&self, now: Instant) -> bool {
        let buckets = [self.messages, self.changes, self.bytes, self.posted];
        self.connections == 0 && buckets.iter().all(|bucket| bucket.is_settled(now))
    }
}

fn lock<T>(book: &Mutex<T>) -> MutexGuard<'_, T> {
    // The tables stay consistent after a panic: each change is a single assignment.
    book.lock().unwrap_or_else(PoisonError::into_inner)
}
