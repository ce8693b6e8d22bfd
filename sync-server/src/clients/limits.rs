//! The limits of clients, as options of the command line, and the quota of an account that follows from them.

mod client_table;
mod rate_limiter;

use clap::Args;
use tourismo_core::admission::Quota;

pub(crate) use self::client_table::{Source, SourceName, SourceNames};
pub(crate) use self::rate_limiter::{ConnectionPermit, NETWORK_SHARE, RateLimited, RateLimiter};
use crate::clients::proxy::ClientHeader;

/// A day.
pub(crate) const DAY_MS: i64 = 24 * 3_600_000;

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

/// Who may make an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Registration {
    /// Everybody.
    #[default]
    Open,
    /// Whoever has an invitation.
    Invite,
    /// Nobody. Accounts that were invited before may still connect.
    Closed,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits::DEFAULT
    }
}
