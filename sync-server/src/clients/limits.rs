//! The limits of clients: the options, and the tables of present clients and their recent use.
//!
//! This module counts and returns waiting times. It must not depend on sockets or messages; of an account it uses only
//! the id.

mod client_table;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use clap::Args;
use tokio::time::Instant;
use tourismo_core::admission::Quota;
use tourismo_core::id::AccountId;

use self::client_table::{Bucket, ClientTable, ClientUsage, Network, TableEntry};
pub(crate) use self::client_table::{Source, SourceName, SourceNames};
use crate::clients::proxy::ClientHeader;

/// Burst of a rate, in seconds of it: a phone that reconnects with 5,000 documents is not slowed.
const BURST_S: f64 = 20.0;

/// Burst of new accounts, in seconds: one hour.
const ACCOUNTS_BURST_S: f64 = 3_600.0;

/// A day.
pub(crate) const DAY_MS: i64 = 24 * 3_600_000;

/// Limit of an IPv6 /48, as a multiple of the limit of a /64.
pub(crate) const NETWORK_SHARE: u32 = 4;

/// Limits of the relay. Each is an option of the command line.
#[derive(Args, Clone, Debug)]
pub struct Limits {
    /// Maximum concurrent sync connections. Each may use about 2 MiB of memory.
    #[arg(long, env = "TOURISMO_MAX_CONNECTIONS", default_value_t = Limits::DEFAULT.max_connections)]
    pub max_connections: u32,
    /// Maximum concurrent TCP connections, including sync connections.
    #[arg(long, env = "TOURISMO_MAX_SOCKETS", default_value_t = Limits::DEFAULT.max_sockets)]
    pub max_sockets: u32,
    /// Maximum concurrent connections per client address (IPv6: per /64).
    #[arg(long, env = "TOURISMO_MAX_CONNECTIONS_PER_ADDRESS", default_value_t = Limits::DEFAULT.max_connections_per_address)]
    pub max_connections_per_address: u32,
    /// Maximum concurrent event streams per client address (IPv6: per /64).
    #[arg(long, env = "TOURISMO_MAX_STREAMS_PER_ADDRESS", default_value_t = Limits::DEFAULT.max_streams_per_address)]
    pub max_streams_per_address: u32,
    /// Maximum concurrent sync connections per account.
    #[arg(long, env = "TOURISMO_MAX_CONNECTIONS_PER_ACCOUNT", default_value_t = Limits::DEFAULT.max_connections_per_account)]
    pub max_connections_per_account: u32,
    /// Maximum devices per account.
    #[arg(long, env = "TOURISMO_MAX_DEVICES_PER_ACCOUNT", default_value_t = Limits::DEFAULT.max_devices_per_account)]
    pub max_devices_per_account: u32,
    /// Maximum new accounts per client address per hour. 0 disables sign-up.
    #[arg(long, env = "TOURISMO_MAX_NEW_ACCOUNTS_PER_HOUR", default_value_t = Limits::DEFAULT.max_new_accounts_per_hour)]
    pub max_new_accounts_per_hour: u32,
    /// Maximum HTTP requests and new sync connections per address per second, with a burst of 20 seconds.
    #[arg(long, env = "TOURISMO_MAX_REQUESTS_PER_SECOND", default_value_t = Limits::DEFAULT.max_requests_per_second)]
    pub max_requests_per_second: u32,
    /// Maximum sync messages per account per second, with a burst of 20 seconds. Beyond it the relay reads more slowly.
    #[arg(long, env = "TOURISMO_MAX_MESSAGES_PER_SECOND", default_value_t = Limits::DEFAULT.max_messages_per_second)]
    pub max_messages_per_second: u32,
    /// Maximum changes per account per second, with a burst of 20 seconds. Beyond it pushes wait.
    #[arg(long, env = "TOURISMO_MAX_CHANGES_PER_SECOND", default_value_t = Limits::DEFAULT.max_changes_per_second)]
    pub max_changes_per_second: u32,
    /// Maximum bytes pushed per account per second, with a burst of 20 seconds. Beyond it pushes wait.
    #[arg(long, env = "TOURISMO_MAX_BYTES_PER_SECOND", default_value_t = Limits::DEFAULT.max_bytes_per_second)]
    pub max_bytes_per_second: u32,
    /// Maximum read time per address, and per account, in milliseconds per second, with a burst of 20 seconds. Beyond it
    /// reads wait.
    #[arg(long, env = "TOURISMO_MAX_READ_MILLIS_PER_SECOND", default_value_t = Limits::DEFAULT.max_read_millis_per_second)]
    pub max_read_millis_per_second: u32,
    /// Maximum stored changes per account.
    #[arg(long, env = "TOURISMO_MAX_ACCOUNT_CHANGES", default_value_t = Limits::DEFAULT.max_account_changes)]
    pub max_account_changes: u64,
    /// Maximum stored documents per account.
    #[arg(long, env = "TOURISMO_MAX_ACCOUNT_DOCUMENTS", default_value_t = Limits::DEFAULT.max_account_documents)]
    pub max_account_documents: u64,
    /// Maximum stored bytes of changes per account.
    #[arg(long, env = "TOURISMO_MAX_ACCOUNT_BYTES", default_value_t = Limits::DEFAULT.max_account_bytes)]
    pub max_account_bytes: u64,
    /// Maximum stored bytes of changes of an account on its first day.
    #[arg(long, env = "TOURISMO_MAX_NEW_ACCOUNT_BYTES", default_value_t = Limits::DEFAULT.max_new_account_bytes)]
    pub max_new_account_bytes: u64,
    /// Additional stored bytes per day of the account's age, up to --max-account-bytes.
    #[arg(long, env = "TOURISMO_MAX_ACCOUNT_BYTES_PER_DAY", default_value_t = Limits::DEFAULT.max_account_bytes_per_day)]
    pub max_account_bytes_per_day: u64,
    /// Age in days below which an account is new.
    #[arg(long, env = "TOURISMO_NEW_ACCOUNT_DAYS", default_value_t = Limits::DEFAULT.new_account_days)]
    pub new_account_days: u32,
    /// Maximum bytes pushed per day by the new accounts of one client address (IPv6: per /64; four times as many per /48).
    #[arg(long, env = "TOURISMO_MAX_NEW_BYTES_PER_ADDRESS", default_value_t = Limits::DEFAULT.max_new_bytes_per_address)]
    pub max_new_bytes_per_address: u64,
    /// Percentage of the disk, and of --max-database-bytes, that is reserved for accounts that are not new.
    #[arg(long, env = "TOURISMO_RESERVED_DISK_PERCENT", default_value_t = Limits::DEFAULT.reserved_disk_percent,
        value_parser = clap::value_parser!(u32).range(0..=100))]
    pub reserved_disk_percent: u32,
    /// Timeout in seconds for the head of a request and for an idle HTTP connection.
    #[arg(long, env = "TOURISMO_HEADER_SECONDS", default_value_t = Limits::DEFAULT.header_seconds)]
    pub header_seconds: u32,
    /// Trust the client address and scheme in the headers of the reverse proxy. Only behind a proxy that sets them.
    #[arg(long, env = "TOURISMO_TRUST_PROXY")]
    pub trust_proxy: bool,
    /// With --trust-proxy: the header that holds the client address.
    #[arg(long, env = "TOURISMO_CLIENT_HEADER", value_enum, default_value_t = Limits::DEFAULT.client_header)]
    pub client_header: ClientHeader,
    /// With --trust-proxy: number of proxies that append to that header.
    #[arg(long, env = "TOURISMO_TRUSTED_HOPS", default_value_t = Limits::DEFAULT.trusted_hops,
        value_parser = clap::value_parser!(u32).range(1..))]
    pub trusted_hops: u32,
}

impl Limits {
    /// Defaults for a small machine with many phones, some of them behind one address.
    pub const DEFAULT: Limits = Limits {
        max_connections: 1_024,
        max_sockets: 4_096,
        max_connections_per_address: 256,
        max_streams_per_address: 64,
        max_connections_per_account: 32,
        max_devices_per_account: 64,
        max_new_accounts_per_hour: 100,
        max_requests_per_second: 100,
        max_messages_per_second: 200,
        max_changes_per_second: 1_000,
        max_bytes_per_second: 4 << 20,
        max_read_millis_per_second: 250,
        max_account_changes: 1_000_000,
        max_account_documents: 100_000,
        max_account_bytes: 512 << 20,
        max_new_account_bytes: 64 << 20,
        max_account_bytes_per_day: 32 << 20,
        new_account_days: 7,
        max_new_bytes_per_address: 256 << 20,
        reserved_disk_percent: 5,
        header_seconds: 10,
        trust_proxy: false,
        client_header: ClientHeader::XForwardedFor,
        trusted_hops: 1,
    };

    /// No limits, for benchmarks.
    pub const NONE: Limits = Limits {
        max_connections: 1 << 20,
        max_sockets: 1 << 20,
        max_connections_per_address: u32::MAX,
        max_streams_per_address: u32::MAX,
        max_connections_per_account: u32::MAX,
        max_devices_per_account: u32::MAX,
        max_new_accounts_per_hour: u32::MAX,
        max_requests_per_second: u32::MAX,
        max_messages_per_second: u32::MAX,
        max_changes_per_second: u32::MAX,
        max_bytes_per_second: u32::MAX,
        max_read_millis_per_second: u32::MAX,
        max_account_changes: u64::MAX,
        max_account_documents: u64::MAX,
        max_account_bytes: u64::MAX,
        max_new_account_bytes: u64::MAX,
        max_account_bytes_per_day: u64::MAX,
        new_account_days: 0,
        max_new_bytes_per_address: u64::MAX,
        reserved_disk_percent: 0,
        header_seconds: 10,
        trust_proxy: false,
        client_header: ClientHeader::XForwardedFor,
        trusted_hops: 1,
    };

    /// Returns the storage quota of an account of this age.
    pub fn quota(&self, age_ms: i64) -> Quota {
        let days = u64::try_from(age_ms / DAY_MS).unwrap_or(0);
        let grown = self.max_account_bytes_per_day.saturating_mul(days);
        Quota {
            changes: self.max_account_changes,
            documents: self.max_account_documents,
            bytes: self.max_new_account_bytes.saturating_add(grown).min(self.max_account_bytes),
        }
    }

    /// Returns whether an account of this age is new.
    pub(crate) fn is_new(&self, age_ms: i64) -> bool {
        age_ms < i64::from(self.new_account_days) * DAY_MS
    }
}

impl Default for Limits {
    fn default() -> Limits {
        Limits::DEFAULT
    }
}

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
        self.connections == 0 && [self.messages, self.changes, self.bytes].iter().all(|bucket| bucket.is_settled(now))
    }
}

fn lock<T>(book: &Mutex<T>) -> MutexGuard<'_, T> {
    // The tables stay consistent after a panic: each change is a single assignment.
    book.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use tokio::time::advance;

    use super::client_table::MAX_REMEMBERED;
    use super::*;

    fn source(address: &str) -> Source {
        Source::from(address.parse::<IpAddr>().unwrap())
    }

    fn account(number: u8) -> AccountId {
        AccountId::from_bytes([number; 16])
    }

    #[tokio::test(start_paused = true)]
    async fn requests_are_refused_beyond_twenty_seconds_worth_and_come_back_with_time() {
        let limiter = RateLimiter::new(Limits { max_requests_per_second: 2, ..Limits::DEFAULT });
        let (here, there) = (source("192.0.2.1"), source("192.0.2.2"));
        assert_eq!((0..50).filter(|_| limiter.request(here).is_ok()).count(), 40);
        assert_eq!(limiter.request(here), Err(RateLimited { retry_in: Duration::from_millis(500) }));
        assert_eq!(limiter.request(there), Ok(()), "another address is not concerned");
        advance(Duration::from_secs(1)).await;
        assert_eq!((0..50).filter(|_| limiter.request(here).is_ok()).count(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_phone_that_comes_home_with_five_thousand_documents_does_not_wait() {
        let limiter = RateLimiter::new(Limits::DEFAULT);
        for _ in 0..10 {
            assert_eq!(limiter.push(account(1), 1_000, 500_000, Duration::ZERO), Ok(Duration::ZERO));
            assert_eq!(limiter.message(account(1)), Duration::ZERO);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_pushes_without_end_waits_for_as_long_as_the_rate_says() {
        let limiter = RateLimiter::new(Limits { max_changes_per_second: 100, ..Limits::DEFAULT });
        let push = |number| limiter.push(account(number), 1_000, 0, Duration::from_secs(15)).map(|wait| wait.as_secs());
        assert_eq!([push(1), push(1), push(1)], [Ok(0), Ok(0), Ok(10)]);
        for _ in 0..2 {
            assert_eq!(
                push(1),
                Err(RateLimited { retry_in: Duration::from_secs(20) }),
                "what is put off is not counted"
            );
        }
        assert_eq!(push(2), Ok(0), "another account is not concerned");
        limiter.charge(account(2), 1_500);
        assert_eq!(push(2), Ok(15), "work for an account counts like its changes");
    }

    #[tokio::test(start_paused = true)]
    async fn new_accounts_are_counted_by_the_hour() {
        let limiter = RateLimiter::new(Limits { max_new_accounts_per_hour: 3, ..Limits::DEFAULT });
        let here = source("2001:db8::1");
        assert_eq!((0..9).filter(|_| limiter.found_account(here).is_ok()).count(), 3);
        assert!(limiter.found_account(source("2001:db8::2:1")).is_err(), "the same /64");
        assert_eq!(limiter.found_account(source("2001:db8:0:1::1")), Ok(()), "another /64");
        advance(Duration::from_secs(1_200)).await;
        assert_eq!((0..9).filter(|_| limiter.found_account(here).is_ok()).count(), 1);
        let closed = RateLimiter::new(Limits { max_new_accounts_per_hour: 0, ..Limits::DEFAULT });
        assert!(closed.found_account(here).is_err(), "nobody who is new");
    }

    #[tokio::test(start_paused = true)]
    async fn a_place_is_free_again_when_its_holder_has_gone() {
        let limits = Limits { max_connections_per_address: 2, max_connections_per_account: 1, ..Limits::DEFAULT };
        let limiter = RateLimiter::new(limits);
        let here = source("::ffff:192.0.2.1");
        let places = [here, source("192.0.2.1")].map(|source| limiter.admit_source(source));
        assert!(places.iter().all(Option::is_some) && limiter.admit_source(here).is_none(), "one address twice");
        drop(places);
        assert!(limiter.admit_source(here).is_some());
        let place = limiter.admit_account(account(1));
        assert!(place.is_some() && limiter.admit_account(account(1)).is_none());
        drop(place);
        assert!(limiter.admit_account(account(1)).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn the_networks_of_one_customer_share_four_times_what_one_of_them_has() {
        let limits = Limits {
            max_connections_per_address: 2,
            max_streams_per_address: 1,
            max_requests_per_second: 1,
            ..Limits::DEFAULT
        };
        let limiter = RateLimiter::new(limits);
        let address = |number: u16| source(&format!("2001:db8:7:{number:x}::1"));
        let places: Vec<ConnectionPermit> =
            (0..100).filter_map(|number| limiter.admit_source(address(number))).collect();
        assert_eq!(places.len(), 8);
        assert_eq!((0..100).filter_map(|number| limiter.admit_stream(address(number))).collect::<Vec<_>>().len(), 4);
        assert_eq!((0..1_000).filter(|number| limiter.request(address(*number)).is_ok()).count(), 80);
        let elsewhere = source("2001:db8:8::1");
        assert!(limiter.admit_source(elsewhere).is_some() && limiter.request(elsewhere).is_ok());
        drop(places);
        assert!(limiter.admit_source(address(0)).is_some(), "who leaves makes room in the network, too");
        let refused_alone: Vec<_> = (0..5).map(|_| limiter.admit_source(address(1))).collect();
        assert_eq!(refused_alone.iter().flatten().count(), 2);
        let others: Vec<_> =
            (2..5).flat_map(|number| [(); 2].map(|()| limiter.admit_source(address(number)))).collect();
        assert_eq!(others.iter().flatten().count(), 6, "who is refused takes nothing from the network");
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_of_addresses_is_not_remembered_without_end() {
        let limiter = RateLimiter::new(Limits::DEFAULT);
        let address = |number: usize| Source::from(IpAddr::from((number as u32 + (1 << 24)).to_be_bytes()));
        for number in 0..MAX_REMEMBERED + 1_000 {
            assert_eq!(limiter.request(address(number)), Ok(()));
        }
        assert_eq!(lock(&limiter.sources).hosts.entries.len(), MAX_REMEMBERED);
        let others = (0..5_000).filter(|number| limiter.request(address(MAX_REMEMBERED + number)).is_ok()).count();
        assert_eq!(others, 1_000, "those that are too many share what one may take");
        advance(Duration::from_secs(60)).await;
        assert_eq!(limiter.request(address(0)), Ok(()));
        assert_eq!(limiter.request(address(MAX_REMEMBERED)), Ok(()));
        assert_eq!(lock(&limiter.sources).hosts.entries.len(), 2, "who owes nothing is forgotten");
    }
}
