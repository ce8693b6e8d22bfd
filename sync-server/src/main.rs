//! The command `tourismo-server`: reads the command line and the environment, runs the server until it is told to stop.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, Parser, Subcommand};
use tourismo_server::{Config, Server};
use tracing_subscriber::EnvFilter;

/// The relay of Tourismo: keeps drives safe, brings them to your other devices, and serves what is published.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: Serve,
}

#[derive(Subcommand)]
enum Command {
    /// Serve until SIGTERM or SIGINT (the default).
    Serve(Serve),
}

#[derive(Args)]
struct Serve {
    /// Where to listen.
    #[arg(long, env = "TOURISMO_LISTEN", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// The database file, made if it is not there.
    #[arg(long, env = "TOURISMO_DATA", default_value = "tourismo.sqlite")]
    data: PathBuf,
    /// Serve the web app from this folder rather than from inside the binary.
    #[arg(long, env = "TOURISMO_PWA")]
    pwa: Option<PathBuf>,
    /// An origin, such as https://drive.example, whose pages may sync here besides this host's own. May be repeated.
    #[arg(long, env = "TOURISMO_ALLOW_ORIGIN", value_delimiter = ',')]
    allow_origin: Vec<String>,
    /// The most sync connections at the same time.
    #[arg(long, env = "TOURISMO_MAX_CONNECTIONS", default_value_t = 1_024)]
    max_connections: usize,
    /// The most bytes that the database file may take; writes beyond are refused as on a full disk.
    #[arg(long, env = "TOURISMO_MAX_DATABASE_BYTES")]
    max_database_bytes: Option<u64>,
    /// Log as JSON, one object a line. RUST_LOG chooses what is logged.
    #[arg(long, env = "TOURISMO_LOG_JSON")]
    log_json: bool,
}

fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    let serve = match cli.command {
        Some(Command::Serve(serve)) => serve,
        None => cli.serve,
    };
    start_logging(serve.log_json);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(run(serve))
}

async fn run(serve: Serve) -> anyhow::Result<()> {
    let config = Config {
        listen: serve.listen,
        database: serve.data,
        pwa: serve.pwa,
        allowed_origins: serve.allow_origin,
        max_connections: serve.max_connections,
        max_database_bytes: serve.max_database_bytes,
    };
    let running = Server::start(config).await?;
    asked_to_stop().await.context("cannot listen for signals")?;
    tracing::info!("stopping");
    running.shutdown().await;
    Ok(())
}

#[cfg(unix)]
async fn asked_to_stop() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

#[cfg(not(unix))]
async fn asked_to_stop() -> std::io::Result<()> {
    tokio::signal::ctrl_c().await
}

fn start_logging(as_json: bool) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if as_json {
        builder.json().init()
    } else {
        builder.init()
    }
    // The message of a panic may quote what was being worked on: where it happened is all that is told.
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(%place, "panicked");
    }));
}
