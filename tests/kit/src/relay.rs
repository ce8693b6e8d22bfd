//! A relay in this process.

use std::net::{Ipv4Addr, SocketAddr};

use tourismo_server::{Config, Location, Running, Server, StartError};

/// Starts a relay on a free port of this machine, with defaults for everything that is not configured.
///
/// # Errors
/// If the database cannot be used.
pub async fn start(database: impl Into<Location>, configure: impl FnOnce(&mut Config)) -> Result<Running, StartError> {
    let mut config = Config::new(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), database);
    // An almost full disk of the test machine must not change what the relay accepts.
    config.limits.reserved_disk_percent = 0;
    configure(&mut config);
    Server::start(config).await
}

/// Returns the URL at which phones sync with the relay at this address.
pub fn sync_url(relay: SocketAddr) -> String {
    format!("ws://{relay}/v1/sync")
}
