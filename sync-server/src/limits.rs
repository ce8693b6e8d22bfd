//! What the relay puts up with, from whom: options, and the books of who is here and what they took lately.
//!
//! It counts and says how long to wait. It knows neither sockets nor messages, and of the account only its name. The
//! books are bounded: who is not connected and owes nothing is forgotten, and when there are too many to remember, the
//! rest share one entry.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use clap::Args;
use tokio::time::Instant;
use tourismo_core::id::AccountId;
use tourismo_core::log::Quota;

/// How much of a rate may be used at once, in seconds' worth: a phone that comes home with 5,000 documents is not slowed.
const BURST_S: f64 = 20.0;

/// How many new accounts may come at once: all that an hour allows.
const ACCOUNTS_BURST_S: f64 = 3_600.0;

/// The most addresses, and the most accounts, that are remembered one by one.
const MAX_REMEMBERED: usize = 1 << 16;

/// How often those that need not be remembered are looked for, at most.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// What the relay puts up with. Each is an option of the command line.
#[derive(Args, Clone, Debug)]
pub struct Limits {
    /// The most sync connections at the same time. Each can make the relay hold some 2 MiB.
    #[arg(long, env = "TOURISMO_MAX_CONNECTIONS", default_value_t = Limits::DEFAULT.max_connections)]
    pub max_connections: u32,
    /// The most TCP connections at the same time, those that sync among them.
    #[arg(long, env = "TOURISMO_MAX_SOCKETS", default_value_t = Limits::DEFAULT.max_sockets)]
    pub max_sockets: u32,
    /// The most connections from one address (with IPv6, one /64) at the same time.
    #[arg(long, env = "TOURISMO_MAX_CONNECTIONS_PER_ADDRESS", default_value_t = Limits::DEFAULT.max_connections_per_address)]
    pub max_connections_per_address: u32,
    /// The most sync connections of one account at the same time.
    #[arg(long, env = "TOURISMO_MAX_CONNECTIONS_PER_ACCOUNT", default_value_t = Limits::DEFAULT.max_connections_per_account)]
    pub max_connections_per_account: u32,
    /// The most devices of one account.
    #[arg(long, env = "TOURISMO_MAX_DEVICES_PER_ACCOUNT", default_value_t = Limits::DEFAULT.max_devices_per_account)]
    pub max_devices_per_account: u32,
    /// The most accounts that may be founded from one address in an hour; 0 closes the relay to who is new.
    #[arg(long, env = "TOURISMO_MAX_NEW_ACCOUNTS_PER_HOUR", default_value_t = Limits::DEFAULT.max_new_accounts_per_hour)]
    pub max_new_accounts_per_hour: u32,
    /// HTTP requests and new sync connections of one address per second; 20 times as many at once.
    #[arg(long, env = "TOURISMO_MAX_REQUESTS_PER_SECOND", default_value_t = Limits::DEFAULT.max_requests_per_second)]
    pub max_requests_per_second: u32,
    /// Messages of one account per second; 20 times as many at once, then it is read more slowly.
    #[arg(long, env = "TOURISMO_MAX_MESSAGES_PER_SECOND", default_value_t = Limits::DEFAULT.max_messages_per_second)]
    pub max_messages_per_second: u32,
    /// Changes of one account per second; 20 times as many at once, then they wait.
    #[arg(long, env = "TOURISMO_MAX_CHANGES_PER_SECOND", default_value_t = Limits::DEFAULT.max_changes_per_second)]
    pub max_changes_per_second: u32,
    /// Bytes pushed by one account per second; 20 times as many at once, then they wait.
    #[arg(long, env = "TOURISMO_MAX_BYTES_PER_SECOND", default_value_t = Limits::DEFAULT.max_bytes_per_second)]
    pub max_bytes_per_second: u32,
    /// The most changes that one account may keep here.
    #[arg(long, env = "TOURISMO_MAX_ACCOUNT_CHANGES", default_value_t = Limits::DEFAULT.max_account_changes)]
    pub max_account_changes: u64,
    /// The most documents that one account may keep here.
    #[arg(long, env = "TOURISMO_MAX_ACCOUNT_DOCUMENTS", default_value_t = Limits::DEFAULT.max_account_documents)]
    pub max_account_documents: u64,
    /// The most bytes of changes that one account may keep here.
    #[arg(long, env = "TOURISMO_MAX_ACCOUNT_BYTES", default_value_t = Limits::DEFAULT.max_account_bytes)]
    pub max_account_bytes: u64,
    /// How many seconds a client may take to send the head of a request, and an idle HTTP connection is kept.
    #[arg(long, env = "TOURISMO_HEADER_SECONDS", default_value_t = Limits::DEFAULT.header_seconds)]
    pub header_seconds: u32,
    /// Take a client's address from the last hop of `X-Forwarded-For`. Only behind a proxy that sets it.
    #[arg(long, env = "TOURISMO_TRUST_PROXY")]
    pub trust_proxy: bool,
}

impl Limits {
    /// What suits a small machine that many phones share, some of them behind one address.
    pub const DEFAULT: Limits = Limits {
        max_connections: 1_024,
        max_sockets: 4_096,
        max_connections_per_address: 256,
        max_connections_per_account: 32,
        max_devices_per_account: 64,
        max_new_accounts_per_hour: 100,
        max_requests_per_second: 100,
        max_messages_per_second: 200,
        max_changes_per_second: 1_000,
        max_bytes_per_second: 4 << 20,
        max_account_changes: 1_000_000,
        max_account_documents: 100_000,
        max_account_bytes: 512 << 20,
        header_seconds: 10,
        trust_proxy: false,
    };

    /// Nothing is too much: for measuring what the relay can do.
    pub const NONE: Limits = Limits {
        max_connections: 1 << 20,
        max_sockets: 1 << 20,
        max_connections_per_address: u32::MAX,
        max_connections_per_account: u32::MAX,
        max_devices_per_account: u32::MAX,
        max_new_accounts_per_hour: u32::MAX,
        max_requests_per_second: u32::MAX,
        max_messages_per_second: u32::MAX,
        max_changes_per_second: u32::MAX,
        max_bytes_per_second: u32::MAX,
        max_account_changes: u64::MAX,
        max_account_documents: u64::MAX,
        max_account_bytes: u64::MAX,
        header_seconds: 10,
        trust_proxy: false,
    };

    /// How much an account may keep.
    pub fn quota(&self) -> Quota {
        Quota {
            changes: self.max_account_changes,
            documents: self.max_account_documents,
            bytes: self.max_account_bytes,
        }
    }
}

impl Default for Limits {
    fn default() -> Limits {
        Limits::DEFAULT
    }
}

/// Whom an address stands for: a host by its IPv4 address, a network of one customer by the /64 of its IPv6 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Source(IpAddr);

impl From<IpAddr> for Source {
    fn from(address: IpAddr) -> Source {
        match address.to_canonical() {
            IpAddr::V4(address) => Source(address.into()),
            IpAddr::V6(address) => Source(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into()),
        }
    }
}

/// Knows who is here and what they took lately.
#[derive(Debug)]
pub(crate) struct Doorkeeper {
    limits: Limits,
    sources: Mutex<Book<Source, BySource>>,
    accounts: Mutex<Book<AccountId, ByAccount>>,
}

/// One connection that is counted until this is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    doorkeeper: Arc<Doorkeeper>,
    of: Who,
    seat: Seat,
}

#[derive(Clone, Copy, Debug)]
enum Who {
    Source(Source),
    Account(AccountId),
}

/// Too much was asked for; it may be tried again after a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooMuch {
    pub(crate) retry_in: Duration,
}

#[derive(Clone, Copy, Debug, Default)]
struct BySource {
    connections: u32,
    requests: Bucket,
    accounts: Bucket,
}

#[derive(Clone, Copy, Debug, Default)]
struct ByAccount {
    connections: u32,
    messages: Bucket,
    changes: Bucket,
    bytes: Bucket,
}

impl Doorkeeper {
    pub(crate) fn new(limits: Limits) -> Arc<Doorkeeper> {
        Arc::new(Doorkeeper { limits, sources: Mutex::default(), accounts: Mutex::default() })
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Lets a connection from an address in, unless there are too many.
    pub(crate) fn admit_source(self: &Arc<Self>, source: Source) -> Option<Place> {
        let seat = lock(&self.sources).enter(source, self.limits.max_connections_per_address)?;
        Some(Place { doorkeeper: self.clone(), of: Who::Source(source), seat })
    }

    /// Lets a sync connection of an account in, unless there are too many.
    pub(crate) fn admit_account(self: &Arc<Self>, account: AccountId) -> Option<Place> {
        let seat = lock(&self.accounts).enter(account, self.limits.max_connections_per_account)?;
        Some(Place { doorkeeper: self.clone(), of: Who::Account(account), seat })
    }

    /// Counts a request of an address.
    pub(crate) fn request(&self, source: Source) -> Result<(), TooMuch> {
        self.requests(source, 1)
    }

    /// Counts work for an address that is worth so many requests.
    pub(crate) fn requests(&self, source: Source, count: usize) -> Result<(), TooMuch> {
        let rate = f64::from(self.limits.max_requests_per_second);
        lock(&self.sources).entry(source).requests.take_or_refuse(count as f64, rate, BURST_S)
    }

    /// Counts an account that is to be founded from an address.
    pub(crate) fn found_account(&self, source: Source) -> Result<(), TooMuch> {
        let rate = f64::from(self.limits.max_new_accounts_per_hour) / 3_600.0;
        lock(&self.sources).entry(source).accounts.take_or_refuse(1.0, rate, ACCOUNTS_BURST_S)
    }

    /// Counts a message of an account and says how long the next one is to wait.
    pub(crate) fn message(&self, account: AccountId) -> Duration {
        let rate = f64::from(self.limits.max_messages_per_second);
        lock(&self.accounts).entry(account).messages.take(1.0, rate, BURST_S)
    }

    /// Counts a push of an account and says how long it is to wait; one that would have to wait longer than `patience` is
    /// not counted.
    pub(crate) fn push(
        &self,
        account: AccountId,
        changes: usize,
        bytes: usize,
        patience: Duration,
    ) -> Result<Duration, TooMuch> {
        let mut book = lock(&self.accounts);
        let entry = book.entry(account);
        let mut after = *entry;
        let for_changes = after.changes.take(changes as f64, f64::from(self.limits.max_changes_per_second), BURST_S);
        let for_bytes = after.bytes.take(bytes as f64, f64::from(self.limits.max_bytes_per_second), BURST_S);
        let wait = for_changes.max(for_bytes);
        if wait > patience {
            return Err(TooMuch { retry_in: wait });
        }
        *entry = after;
        Ok(wait)
    }

    /// Counts what an account made the relay do besides, as if it had pushed so many changes.
    pub(crate) fn charge(&self, account: AccountId, changes: u64) {
        let rate = f64::from(self.limits.max_changes_per_second);
        lock(&self.accounts).entry(account).changes.take(changes as f64, rate, BURST_S);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        match self.of {
            Who::Source(source) => lock(&self.doorkeeper.sources).leave(&source, self.seat),
            Who::Account(account) => lock(&self.doorkeeper.accounts).leave(&account, self.seat),
        }
    }
}

/// What was taken at a rate, as the moment at which all of it is paid off (the generic cell rate algorithm, ITU-T I.371).
#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    paid_at: Option<Instant>,
}

impl Bucket {
    /// Takes, and says how long until what is owed is within the burst.
    fn take(&mut self, count: f64, per_second: f64, burst_s: f64) -> Duration {
        let now = Instant::now();
        // A day is for ever.
        let cost = Duration::from_secs_f64((count / per_second.max(1e-9)).min(86_400.0));
        let paid_at = self.paid_at.unwrap_or(now).max(now) + cost;
        self.paid_at = Some(paid_at);
        (paid_at - now).saturating_sub(Duration::from_secs_f64(burst_s))
    }

    /// Takes if what is owed stays within the burst.
    fn take_or_refuse(&mut self, count: f64, per_second: f64, burst_s: f64) -> Result<(), TooMuch> {
        let mut after = *self;
        let retry_in = after.take(count, per_second, burst_s);
        if !retry_in.is_zero() {
            return Err(TooMuch { retry_in });
        }
        *self = after;
        Ok(())
    }

    fn is_settled(&self, now: Instant) -> bool {
        self.paid_at.is_none_or(|paid_at| paid_at <= now)
    }
}

/// Somebody who is counted.
trait Visitor: Default {
    fn connections(&mut self) -> &mut u32;

    /// Whether all buckets are as full as those of somebody who was never here.
    fn owes_nothing(&self, now: Instant) -> bool;
}

impl Visitor for BySource {
    fn connections(&mut self) -> &mut u32 {
        &mut self.connections
    }

    fn owes_nothing(&self, now: Instant) -> bool {
        self.requests.is_settled(now) && self.accounts.is_settled(now)
    }
}

impl Visitor for ByAccount {
    fn connections(&mut self) -> &mut u32 {
        &mut self.connections
    }

    fn owes_nothing(&self, now: Instant) -> bool {
        [self.messages, self.changes, self.bytes].iter().all(|bucket| bucket.is_settled(now))
    }
}

/// Which entry a connection is counted in.
#[derive(Clone, Copy, Debug)]
enum Seat {
    Own,
    Shared,
}

#[derive(Debug)]
struct Book<K, V> {
    entries: BTreeMap<K, V>,
    /// Shared by those for whom there is no room.
    others: V,
    swept_at: Option<Instant>,
}

impl<K, V: Default> Default for Book<K, V> {
    fn default() -> Book<K, V> {
        Book { entries: BTreeMap::new(), others: V::default(), swept_at: None }
    }
}

impl<K: Ord, V: Visitor> Book<K, V> {
    fn entry(&mut self, key: K) -> &mut V {
        self.seated(key).0
    }

    fn enter(&mut self, key: K, max_connections: u32) -> Option<Seat> {
        let (visitor, seat) = self.seated(key);
        let connections = visitor.connections();
        (*connections < max_connections).then(|| {
            *connections += 1;
            seat
        })
    }

    fn leave(&mut self, key: &K, seat: Seat) {
        let visitor = match seat {
            // Whoever is connected is not forgotten.
            Seat::Own => self.entries.get_mut(key),
            Seat::Shared => Some(&mut self.others),
        };
        if let Some(connections) = visitor.map(V::connections) {
            *connections = connections.saturating_sub(1);
        }
    }

    fn seated(&mut self, key: K) -> (&mut V, Seat) {
        if !self.entries.contains_key(&key) {
            self.sweep();
            if self.entries.len() >= MAX_REMEMBERED {
                return (&mut self.others, Seat::Shared);
            }
        }
        (self.entries.entry(key).or_default(), Seat::Own)
    }

    fn sweep(&mut self) {
        let now = Instant::now();
        if self.swept_at.is_none_or(|swept_at| swept_at + SWEEP_EVERY <= now) {
            self.swept_at = Some(now);
            self.entries.retain(|_, visitor| *visitor.connections() > 0 || !visitor.owes_nothing(now));
        }
    }
}

fn lock<T>(book: &Mutex<T>) -> MutexGuard<'_, T> {
    // Every change to a book is a single assignment after which it is whole.
    book.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    fn source(address: &str) -> Source {
        Source::from(address.parse::<IpAddr>().unwrap())
    }

    fn account(number: u8) -> AccountId {
        AccountId::from_bytes([number; 16])
    }

    #[tokio::test(start_paused = true)]
    async fn requests_are_refused_beyond_twenty_seconds_worth_and_come_back_with_time() {
        let doorkeeper = Doorkeeper::new(Limits { max_requests_per_second: 2, ..Limits::DEFAULT });
        let (here, there) = (source("192.0.2.1"), source("192.0.2.2"));
        assert_eq!((0..50).filter(|_| doorkeeper.request(here).is_ok()).count(), 40);
        assert_eq!(doorkeeper.request(here), Err(TooMuch { retry_in: Duration::from_millis(500) }));
        assert_eq!(doorkeeper.request(there), Ok(()), "another address is not concerned");
        advance(Duration::from_secs(1)).await;
        assert_eq!((0..50).filter(|_| doorkeeper.request(here).is_ok()).count(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_phone_that_comes_home_with_five_thousand_documents_does_not_wait() {
        let doorkeeper = Doorkeeper::new(Limits::DEFAULT);
        for _ in 0..10 {
            assert_eq!(doorkeeper.push(account(1), 1_000, 500_000, Duration::ZERO), Ok(Duration::ZERO));
            assert_eq!(doorkeeper.message(account(1)), Duration::ZERO);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_pushes_without_end_waits_for_as_long_as_the_rate_says() {
        let doorkeeper = Doorkeeper::new(Limits { max_changes_per_second: 100, ..Limits::DEFAULT });
        let push =
            |number| doorkeeper.push(account(number), 1_000, 0, Duration::from_secs(15)).map(|wait| wait.as_secs());
        assert_eq!([push(1), push(1), push(1)], [Ok(0), Ok(0), Ok(10)]);
        for _ in 0..2 {
            assert_eq!(push(1), Err(TooMuch { retry_in: Duration::from_secs(20) }), "what is put off is not counted");
        }
        assert_eq!(push(2), Ok(0), "another account is not concerned");
        doorkeeper.charge(account(2), 1_500);
        assert_eq!(push(2), Ok(15), "work for an account counts like its changes");
    }

    #[tokio::test(start_paused = true)]
    async fn new_accounts_are_counted_by_the_hour() {
        let doorkeeper = Doorkeeper::new(Limits { max_new_accounts_per_hour: 3, ..Limits::DEFAULT });
        let here = source("2001:db8::1");
        assert_eq!((0..9).filter(|_| doorkeeper.found_account(here).is_ok()).count(), 3);
        assert!(doorkeeper.found_account(source("2001:db8::2:1")).is_err(), "the same /64");
        assert_eq!(doorkeeper.found_account(source("2001:db8:0:1::1")), Ok(()), "another /64");
        advance(Duration::from_secs(1_200)).await;
        assert_eq!((0..9).filter(|_| doorkeeper.found_account(here).is_ok()).count(), 1);
        let closed = Doorkeeper::new(Limits { max_new_accounts_per_hour: 0, ..Limits::DEFAULT });
        assert!(closed.found_account(here).is_err(), "nobody who is new");
    }

    #[tokio::test(start_paused = true)]
    async fn a_place_is_free_again_when_its_holder_has_gone() {
        let limits = Limits { max_connections_per_address: 2, max_connections_per_account: 1, ..Limits::DEFAULT };
        let doorkeeper = Doorkeeper::new(limits);
        let here = source("::ffff:192.0.2.1");
        let places = [here, source("192.0.2.1")].map(|source| doorkeeper.admit_source(source));
        assert!(places.iter().all(Option::is_some) && doorkeeper.admit_source(here).is_none(), "one address twice");
        drop(places);
        assert!(doorkeeper.admit_source(here).is_some());
        let place = doorkeeper.admit_account(account(1));
        assert!(place.is_some() && doorkeeper.admit_account(account(1)).is_none());
        drop(place);
        assert!(doorkeeper.admit_account(account(1)).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_of_addresses_is_not_remembered_without_end() {
        let doorkeeper = Doorkeeper::new(Limits::DEFAULT);
        let address = |number: usize| Source::from(IpAddr::from((number as u32 + (1 << 24)).to_be_bytes()));
        for number in 0..MAX_REMEMBERED + 1_000 {
            assert_eq!(doorkeeper.request(address(number)), Ok(()));
        }
        assert_eq!(lock(&doorkeeper.sources).entries.len(), MAX_REMEMBERED);
        let others = (0..5_000).filter(|number| doorkeeper.request(address(MAX_REMEMBERED + number)).is_ok()).count();
        assert_eq!(others, 1_000, "those that are too many share what one may take");
        advance(Duration::from_secs(60)).await;
        assert_eq!(doorkeeper.request(address(0)), Ok(()));
        assert_eq!(doorkeeper.request(address(MAX_REMEMBERED)), Ok(()));
        assert_eq!(lock(&doorkeeper.sources).entries.len(), 2, "who owes nothing is forgotten");
    }
}
