//! The table of clients: their open connections, and their rates as token buckets.
//!
//! The crate `governor` (0.10) does not fit: the cost of a fold or a read is charged when it is known, and `governor`
//! counts nothing that exceeds the burst, nor anything that it refuses.
//!
//! The table is bounded: an entry without connections and debt is removed, and when the table is full, new clients
//! share one entry.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::time::Instant;
use tourismo_core::wire::RelayId;

use super::RateLimited;

/// Maximum number of addresses, and of accounts, with entries of their own.
pub(super) const MAX_REMEMBERED: usize = 1 << 16;

/// The minimum time between two removals of unneeded entries.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// The client of an address: a host by its IPv4 address, or the network of one customer by the /64 of its IPv6 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Source(IpAddr);

impl From<IpAddr> for Source {
    fn from(address: IpAddr) -> Source {
        match address.to_canonical() {
            IpAddr::V4(address) => Source(address.into()),
            IpAddr::V6(address) => Source(prefix(address, 64).into()),
        }
    }
}

/// The /48 of an IPv6 address: usually the maximum of one customer, 65,536 times a [`Source`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Network(Ipv6Addr);

/// A name of a [`Source`] that only one relay can compute, so that it need not store addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SourceName(pub(crate) [u8; 16]);

/// The names of a [`Source`] and of its [`Network`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SourceNames {
    pub(crate) host: SourceName,
    pub(crate) network: Option<SourceName>,
}

impl Source {
    /// Returns a relay's names of the source and its network.
    pub(crate) fn names(self, relay: &RelayId) -> SourceNames {
        let name = |text: String| {
            let hash = Sha256::new().chain_update(relay.0).chain_update(text).finalize();
            SourceName(std::array::from_fn(|place| hash[place]))
        };
        let network = self.network().map(|Network(address)| name(format!("{address}/48")));
        SourceNames { host: name(self.0.to_string()), network }
    }

    /// Returns the network of the source, if it may contain other sources of the same customer.
    pub(crate) fn network(self) -> Option<Network> {
        match self.0 {
            IpAddr::V4(_) => None,
            IpAddr::V6(address) => Some(Network(prefix(address, 48))),
        }
    }
}

fn prefix(address: Ipv6Addr, bits: u32) -> Ipv6Addr {
    Ipv6Addr::from_bits(address.to_bits() >> (128 - bits) << (128 - bits))
}

/// The use of a rate, as the time at which all of it is paid off (the generic cell rate algorithm, ITU-T I.371).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Bucket {
    paid_at: Option<Instant>,
}

impl Bucket {
    /// Takes an amount, and returns the time until the debt is within the burst.
    pub(super) fn take(&mut self, count: f64, per_second: f64, burst_s: f64) -> Duration {
        let now = Instant::now();
        // Limited to a day.
        let cost = Duration::from_secs_f64((count / per_second.max(1e-9)).min(86_400.0));
        let paid_at = self.paid_at.unwrap_or(now).max(now) + cost;
        self.paid_at = Some(paid_at);
        (paid_at - now).saturating_sub(Duration::from_secs_f64(burst_s))
    }

    /// Takes an amount if the debt stays within the burst.
    pub(super) fn take_or_refuse(&mut self, count: f64, per_second: f64, burst_s: f64) -> Result<(), RateLimited> {
        let mut after = *self;
        let retry_in = after.take(count, per_second, burst_s);
        if !retry_in.is_zero() {
            return Err(RateLimited { retry_in });
        }
        *self = after;
        Ok(())
    }

    pub(super) fn is_settled(&self, now: Instant) -> bool {
        self.paid_at.is_none_or(|paid_at| paid_at <= now)
    }
}

/// The counted use of a client.
pub(super) trait ClientUsage: Copy + Default {
    /// Returns whether the client has nothing open, and no debt.
    fn is_forgettable(&self, now: Instant) -> bool;
}

/// The entry in which a connection is counted.
#[derive(Clone, Copy, Debug)]
pub(super) enum TableEntry {
    Own,
    Shared,
}

#[derive(Debug)]
pub(super) struct ClientTable<K, V> {
    pub(super) entries: BTreeMap<K, V>,
    /// Shared by clients without an entry of their own.
    others: V,
    swept_at: Option<Instant>,
}

impl<K, V: Default> Default for ClientTable<K, V> {
    fn default() -> ClientTable<K, V> {
        ClientTable { entries: BTreeMap::new(), others: V::default(), swept_at: None }
    }
}

impl<K: Ord, V: ClientUsage> ClientTable<K, V> {
    pub(super) fn entry(&mut self, key: K) -> &mut V {
        self.find_entry(key).0
    }

    /// Increments a field of an entry, unless it has reached its limit.
    pub(super) fn open(&mut self, key: K, open: fn(&mut V) -> &mut u32, most: u32) -> Option<TableEntry> {
        let (entry, seat) = self.find_entry(key);
        let open = open(entry);
        (*open < most).then(|| {
            *open += 1;
            seat
        })
    }

    /// Decrements a field of an entry.
    pub(super) fn close(&mut self, key: &K, open: fn(&mut V) -> &mut u32, seat: TableEntry) {
        let entry = match seat {
            // An entry with something open is never removed.
            TableEntry::Own => self.entries.get_mut(key),
            TableEntry::Shared => Some(&mut self.others),
        };
        if let Some(open) = entry.map(open) {
            *open = open.saturating_sub(1);
        }
    }

    fn find_entry(&mut self, key: K) -> (&mut V, TableEntry) {
        if !self.entries.contains_key(&key) {
            self.sweep();
            if self.entries.len() >= MAX_REMEMBERED {
                return (&mut self.others, TableEntry::Shared);
            }
        }
        (self.entries.entry(key).or_default(), TableEntry::Own)
    }

    fn sweep(&mut self) {
        let now = Instant::now();
        if self.swept_at.is_none_or(|swept_at| swept_at + SWEEP_EVERY <= now) {
            self.swept_at = Some(now);
            self.entries.retain(|_, entry| !entry.is_forgettable(now));
        }
    }
}
