//! The cost of deriving rows in the transaction of a change: the same relay with rows, and as a log alone.

use std::io::Write;

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};
use tourismo_server::{Config, Limits, Location, Server};

use super::Table;
use super::load::{Content, Loaded, at_a_rate};
use crate::daemon::Start;

/// The rate of changes, and the duration.
const CHANGES_PER_S: usize = 2_500;
const SECONDS: usize = 8;

/// The first argument of the program as the relay of this benchmark, without and with rows.
pub const AS_RELAY: [(&str, bool); 2] = [("with-rows", true), ("log-alone", false)];

/// The table.
///
/// # Errors
/// If a relay cannot be started, or refuses a change.
pub async fn table() -> anyhow::Result<Table> {
    let mut rows = Vec::new();
    for (what, content) in
        [("as phones drive: 2 of 12 changes are of drives", Content::Driving), ("drives alone", Content::Drives)]
    {
        let mut costs = Vec::new();
        for (mode, name) in [("log-alone", "no"), ("with-rows", "yes")] {
            let loaded = loaded(mode, content).await?;
            costs.push(loaded.cpu_ms_per_1_000);
            rows.push(vec![
                what.to_owned(),
                name.to_owned(),
                format!("{:.0}", loaded.changes_per_s),
                format!("{:.1}", loaded.median_ms),
                format!("{:.1}", loaded.p99_ms),
                format!("{:.0}", loaded.cpu_ms_per_1_000),
                costs.first().map_or_else(String::new, |alone| format!("{:.2}", loaded.cpu_ms_per_1_000 / alone)),
            ]);
        }
    }
    Ok(Table {
        title: "The cost of projected rows",
        notes: format!(
            "A relay that stores {CHANGES_PER_S} changes per second from 100 clients, one in a push, and projects \
             rows from them in the same transactions, compared with the same relay without projection. The relay is \
             a separate process. The latency of acknowledgements is wall time."
        ),
        columns: vec![
            "changes",
            "rows",
            "changes/s",
            "median ms",
            "99th percentile ms",
            "the relay's ms of CPU for 1,000",
            "times the log alone",
        ],
        rows,
    })
}

async fn loaded(mode: &str, content: Content) -> anyhow::Result<Loaded> {
    let folder = tempfile::tempdir()?;
    let this = std::env::current_exe()?;
    let under = vec![this.into(), "--as-relay".into(), mode.into()];
    let relay = Start { under, ..Start::on(&folder.path().join("relay.sqlite")) }.start().await?;
    at_a_rate(relay, content, 100, CHANGES_PER_S, SECONDS).await
}

/// Runs the relay: `arguments` are a mode and the arguments of the real one. Ends on a signal.
///
/// # Errors
/// If the relay fails.
pub async fn be_relay(arguments: &[String]) -> anyhow::Result<()> {
    let (_, derives_rows) = AS_RELAY
        .into_iter()
        .find(|(mode, _)| arguments.first().is_some_and(|first| first == mode))
        .context("a mode")?;
    let value = |option: &str| {
        let place = arguments.iter().position(|argument| argument == option).context("an option is missing")?;
        arguments.get(place + 1).cloned().context("its value is missing")
    };
    let mut config = Config::new(value("--listen")?.parse()?, Location::from(value("--data")?));
    (config.derives_rows, config.limits) = (derives_rows, Limits::NONE);
    let mut told = signal(SignalKind::terminate())?;
    let running = Server::start(config).await?;
    let says = serde_json::json!({ "fields": { "message": "listening", "addr": running.addr().to_string() } });
    writeln!(std::io::stderr(), "{says}")?;
    told.recv().await;
    running.shutdown().await;
    Ok(())
}
