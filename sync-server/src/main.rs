//! The command `tourismo-server`: reads the command line and the environment, and runs the server until it gets a
//! signal, or performs a maintenance command on a database and reports the result.
#![expect(clippy::print_stdout, reason = "a command answers on the standard output")]

use std::error::Error;
use std::io::{IsTerminal, stderr};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use clap::{Args, Parser, Subcommand, ValueEnum};
use tourismo_core::id::AccountId;
use tourismo_core::time::Timestamp;
use tourismo_server::maintenance::{self, Finding, MaintenanceError, Report};
use tourismo_server::{
    Admin, AdminAddress, Config, Durability, Limits, Location, OpenError, Origin, Registration, Server, StartError,
    TimeSource,
};
use tracing_subscriber::EnvFilter;

/// The relay of Tourismo: keeps drives safe, brings them to your other devices, and serves what is published.
#[derive(Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: Serve,
}

#[derive(Subcommand)]
enum Command {
    /// Serve until SIGTERM or SIGINT (the default).
    Serve(Box<Serve>),
    /// Write a checked copy of the database to a file, also while it is served.
    Backup(Backup),
    /// Replace the database by a backup; the old database is kept beside it. Phones push again what the backup lacks.
    /// Without --from: declare that the database itself was restored, for example by pg_restore.
    Restore(Restore),
    /// Read the whole log, derive rows and counters again, and compare. Exit code 0: no findings, 1: findings, 2: the
    /// database cannot be read.
    Check(Check),
    /// Write everything of one account into a zip archive, also while the database is served. The app imports it.
    Export(Export),
    /// Act on abuse, through the operators' address of the running server (`serve --admin-listen`).
    Admin(Box<Admin>),
    /// Print the OpenAPI description of the HTTP API.
    Openapi,
}

/// The location of the database. A URL is never logged: it may hold a password.
#[derive(Args)]
struct Data {
    /// Path of the SQLite database; `serve` creates it.
    #[arg(long = "data", env = "TOURISMO_DATA", default_value = "tourismo.sqlite")]
    path: PathBuf,
    /// URL of a Postgres database instead of a file, such as postgres://user@host/name. Keep the password in the
    /// environment or in ~/.pgpass: command lines are visible to all users of the machine.
    #[arg(long = "database", env = "TOURISMO_DATABASE", hide_env_values = true, conflicts_with = "path")]
    url: Option<String>,
}

impl Data {
    fn location(self) -> anyhow::Result<Location> {
        let Some(url) = self.url else { return Ok(Location::File(self.path)) };
        match Location::from(url) {
            location @ Location::Postgres(_) => Ok(location),
            Location::File(_) => anyhow::bail!("--database is for postgres:// URLs; a file is named by --data"),
        }
    }

    /// Returns the path of the file, for commands that need one.
    fn file(self, instead: &str) -> anyhow::Result<PathBuf> {
        match self.location()? {
            Location::File(path) => Ok(path),
            Location::Postgres(_) => anyhow::bail!("{instead}"),
        }
    }
}

const DUMP: &str = "Postgres is backed up by its own tools, also while it is served: \
                    pg_dump --format=custom --file=FILE URL";

const PUT_BACK: &str = "Postgres is put back by its own tools: stop the server, empty the database, run \
                        pg_restore --no-owner --dbname=URL FILE, then 'restore --database URL' without --from";

#[derive(Args)]
struct Backup {
    #[command(flatten)]
    data: Data,
    /// Path of the backup. The file appears under this name once it is complete, checked and synced.
    #[arg(long)]
    to: PathBuf,
    /// Overwrite an existing file.
    #[arg(long)]
    replace: bool,
}

#[derive(Args)]
struct Restore {
    #[command(flatten)]
    data: Data,
    /// Path of the backup, which is not modified.
    #[arg(long)]
    from: Option<PathBuf>,
    /// Another database, a file or a URL, whose operators' decisions the restored one takes. Those of the replaced file are
    /// taken by themselves.
    #[arg(long)]
    decisions_from: Option<String>,
}

#[derive(Args)]
struct Check {
    #[command(flatten)]
    data: Data,
    /// Delete everything derived from the log (heads, digests, feeds) and derive it again. Stop the server first.
    #[arg(long)]
    repair: bool,
}

#[derive(Args)]
struct Export {
    #[command(flatten)]
    data: Data,
    /// The id of the account, a UUID.
    #[arg(long)]
    account: AccountId,
    /// Path of the archive. The file appears under this name once it is complete.
    #[arg(long)]
    to: PathBuf,
}

#[derive(Args)]
struct Serve {
    /// Address and port to listen on: 127.0.0.1 for this machine and a proxy on it, 0.0.0.0 or [::] for all interfaces.
    #[arg(long, env = "TOURISMO_LISTEN", default_value = "127.0.0.1:8080", value_parser = socket_address)]
    listen: SocketAddr,
    /// Separate address and port for /v1/health and /v1/ready, so that clients cannot exhaust them.
    #[arg(long, env = "TOURISMO_HEALTH_LISTEN", value_parser = socket_address)]
    health_listen: Option<SocketAddr>,
    /// Address and port for /metrics (OpenMetrics). Disabled if absent.
    #[arg(long, env = "TOURISMO_METRICS_LISTEN", value_parser = socket_address)]
    metrics_listen: Option<SocketAddr>,
    /// Address and port for operators: a page, and what `admin` uses. Keep it on this machine or in a private network.
    /// Disabled if absent.
    #[arg(long, env = "TOURISMO_ADMIN_LISTEN", value_parser = socket_address)]
    admin_listen: Option<SocketAddr>,
    /// The file with the operators' secret. It is created, readable by this user only, if it does not exist. Beside the
    /// SQLite file if absent, as `<data>.admin-secret`; in this folder with Postgres.
    #[arg(long, env = "TOURISMO_ADMIN_SECRET_FILE")]
    admin_secret_file: Option<PathBuf>,
    #[command(flatten)]
    data: Data,
    /// Serve the web app from this folder rather than from inside the binary.
    #[arg(long, env = "TOURISMO_PWA", value_parser = folder_of_app)]
    pwa: Option<PathBuf>,
    /// The URL at which clients reach this server, such as https://relay.example: links and ids in feeds derive from it,
    /// only its pages may sync here, and phones may sync only if they dial it. May be repeated; the first one is for links.
    /// Without it links follow the Host header of each request, and phones may dial this server's own IP addresses only.
    #[arg(long, env = "TOURISMO_PUBLIC_URL", value_delimiter = ',')]
    public_url: Vec<Origin>,
    /// An origin, such as https://drive.example, whose pages may sync here besides the server's own. May be repeated.
    #[arg(long, env = "TOURISMO_ALLOW_ORIGIN", value_delimiter = ',')]
    allow_origin: Vec<Origin>,
    /// The oldest accepted protocol version. A signature of version 1 is valid at any relay; 2 refuses phones with such
    /// an app.
    #[arg(long, env = "TOURISMO_OLDEST_PROTOCOL", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=2))]
    oldest_protocol: u16,
    /// Who may make an account: everybody, whoever has an invitation (`admin invite`), or nobody.
    #[arg(long, env = "TOURISMO_REGISTRATION", value_enum, default_value = "open")]
    registration: Registration,
    /// Maximum size of the database in bytes. Writes beyond it fail as on a full disk.
    #[arg(long, env = "TOURISMO_MAX_DATABASE_BYTES")]
    max_database_bytes: Option<u64>,
    #[command(flatten)]
    limits: Limits,
    /// Seconds without changes after which a document is compacted into a snapshot.
    #[arg(long, env = "TOURISMO_COMPACT_AFTER_SECONDS", default_value_t = 600)]
    compact_after_seconds: u64,
    /// Seconds between two updates of the roads that are derived from public drives.
    #[arg(long, env = "TOURISMO_ROADS_EVERY_SECONDS", default_value_t = 900)]
    roads_every_seconds: u64,
    /// Minimum number of distinct drivers of a road that is shown. 3 is enough for a small community.
    #[arg(long, env = "TOURISMO_ROADS_FROM_DRIVERS", default_value_t = 5, value_parser = clap::value_parser!(u32).range(2..))]
    roads_from_drivers: u32,
    /// When commits are synced to the disk. Any other value than the default loses acknowledged changes; a test shows this.
    #[arg(long, hide = true, default_value = "full")]
    synchronous: Synchronous,
    /// Log as JSON, one object a line. RUST_LOG chooses what is logged.
    #[arg(long, env = "TOURISMO_LOG_JSON")]
    log_json: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Synchronous {
    Full,
    Normal,
}

/// Maximum number of findings that are listed.
const NAMED_FINDINGS: usize = 100;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let command = cli.command.unwrap_or(Command::Serve(Box::new(cli.serve)));
    start_logging(matches!(&command, Command::Serve(serve) if serve.log_json));
    let is_check = matches!(command, Command::Check(_));
    carry_out(command).unwrap_or_else(|error| {
        eprintln!("tourismo-server: {}", causes(error.as_ref()));
        ExitCode::from(if is_check { 2 } else { 1 })
    })
}

/// Returns an error with its causes, each once: many errors repeat their causes in their own texts.
fn causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = error.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        cause = error.source();
    }
    text
}

fn socket_address(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse().map_err(|_| "wanted are an IP address and a port, such as 127.0.0.1:8080 or [::]:8080")
}

fn folder_of_app(text: &str) -> Result<PathBuf, &'static str> {
    let folder = PathBuf::from(text);
    if folder.join("index.html").is_file() { Ok(folder) } else { Err("there is no index.html in it") }
}

fn carry_out(command: Command) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        match command {
            Command::Serve(serve) => run(*serve).await?,
            Command::Backup(Backup { data, to, replace }) => {
                let data = data.file(DUMP)?;
                let backup = maintenance::back_up(&data, &to, replace).await.inspect_err(name_findings)?;
                let maintenance::Backup { bytes, accounts, changes } = backup;
                println!("backup: {changes} changes of {accounts} accounts in {} ({bytes} bytes)", to.display());
            }
            Command::Restore(restore) => put_back(restore).await?,
            Command::Export(Export { data, account, to }) => {
                let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
                let now = Timestamp(i64::try_from(now)?);
                let export = maintenance::export_account(&data.location()?, account, now, &to).await?;
                let maintenance::AccountExport { documents, drives, inbox_fixes, missing } = export;
                println!("export: {documents} documents, {drives} drives among them, in {}", to.display());
                if inbox_fixes > 0 {
                    println!("export: {inbox_fixes} positions of the inbox");
                }
                for doc in missing {
                    println!("export: document {doc} cannot be read");
                }
            }
            Command::Admin(admin) => println!("{}", admin.run().await?),
            Command::Openapi => print!("{}", tourismo_server::openapi_json()),
            Command::Check(check) => return look(&check.data.location()?, check.repair).await,
        }
        Ok(ExitCode::SUCCESS)
    })
}

async fn put_back(Restore { data, from, decisions_from }: Restore) -> anyhow::Result<()> {
    let location = match from {
        None => {
            let location = data.location()?;
            let report = maintenance::begin_again(&location).await.inspect_err(name_findings)?;
            println!("restore: another life of the log begins: {}", counted(&report));
            location
        }
        Some(from) => {
            let data = data.file(PUT_BACK)?;
            let restored = maintenance::restore(&from, &data).await.inspect_err(name_findings)?;
            println!("restore: {} is in place: {}", from.display(), counted(&restored.report));
            match restored.decisions {
                Some(0) => {}
                Some(taken) => println!("restore: {taken} newer decisions of operators were taken over"),
                None => println!(
                    "restore: the decisions of operators in the replaced file cannot be read: what they hid since the \
                     backup may be public again; --decisions-from names another database that has them"
                ),
            }
            if let Some(kept) = restored.kept {
                println!("restore: what was there is kept as {}", kept.display());
            }
            Location::File(data)
        }
    };
    if let Some(decisions_from) = decisions_from {
        let taken = maintenance::take_decisions(&location, &Location::from(decisions_from)).await?;
        println!("restore: {taken} decisions of operators were taken over");
    }
    Ok(())
}

async fn look(data: &Location, repair: bool) -> anyhow::Result<ExitCode> {
    let report = if repair { maintenance::repair(data).await? } else { maintenance::check(data).await? };
    name(&report.findings);
    name(&report.quarantined);
    println!("check: {}", counted(&report));
    if report.findings.is_empty() {
        println!("check: all is well");
        return Ok(ExitCode::SUCCESS);
    }
    println!("check: findings: {}", report.findings.len());
    println!(
        "check: {}",
        if report.findings.iter().all(Finding::is_derived) {
            "the log is whole: 'check --repair' derives the rest from it again"
        } else {
            "the log is damaged: restore a backup; phones offer again what it lacks"
        }
    );
    Ok(ExitCode::from(1))
}

fn counted(report: &Report) -> String {
    let Report { accounts, documents, changes, rows, quarantined, due, findings: _ } = report;
    let mut all = format!("{changes} changes in {documents} documents of {accounts} accounts, {rows} rows");
    if !quarantined.is_empty() {
        let count = quarantined.len();
        all += &format!(
            "; {count} documents in quarantine, kept and synced, but shown as they were read last or not at all"
        );
    }
    if *due > 0 {
        all += &format!("; the rows of {due} documents are still to be derived, which happens while the server runs");
    }
    all
}

fn name_findings(error: &MaintenanceError) {
    if let MaintenanceError::Damaged { findings, .. } = error {
        name(findings);
    }
}

fn name<T: std::fmt::Display>(found: &[T]) {
    found.iter().take(NAMED_FINDINGS).for_each(|finding| println!("{finding}"));
    if found.len() > NAMED_FINDINGS {
        println!("and {} more", found.len() - NAMED_FINDINGS);
    }
}

async fn run(serve: Serve) -> anyhow::Result<()> {
    #[cfg(unix)]
    open_many_files();
    // Registered before anybody can see that the server runs.
    let stop = asked_to_stop().context("cannot listen for signals")?;
    let secret_file = serve.admin_secret_file.unwrap_or_else(|| {
        let mut path = serve.data.path.clone().into_os_string();
        path.push(".admin-secret");
        path.into()
    });
    let config = Config {
        listen: serve.listen,
        health_listen: serve.health_listen,
        metrics_listen: serve.metrics_listen,
        admin: serve.admin_listen.map(|listen| AdminAddress { listen, secret_file }),
        database: serve.data.location()?,
        pwa: serve.pwa,
        public_urls: serve.public_url,
        allowed_origins: serve.allow_origin,
        oldest_protocol: serve.oldest_protocol,
        registration: serve.registration,
        limits: serve.limits,
        max_database_bytes: serve.max_database_bytes,
        durability: match serve.synchronous {
            Synchronous::Full => Durability::EveryCommit,
            Synchronous::Normal => Durability::Checkpoints,
        },
        compact_after: Duration::from_secs(serve.compact_after_seconds),
        roads_every: Duration::from_secs(serve.roads_every_seconds),
        roads_from_drivers: serve.roads_from_drivers,
        time: TimeSource::machine(),
        derives_rows: true,
    };
    let database = config.database.clone();
    let running = Server::start(config).await.map_err(|error| match error {
        StartError::Database(OpenError::Claim(_))
        | StartError::Listen { .. }
        | StartError::Secret(_)
        | StartError::Thread(_) => error.into(),
        StartError::Database(_) => anyhow::Error::from(error).context(database.to_string()),
    })?;
    stop.await;
    tracing::info!("stopping");
    running.shutdown().await;
    Ok(())
}

/// Raises the limit of open files to the maximum: a process begins with 1,024, fewer than there may be phones.
#[cfg(unix)]
fn open_many_files() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = rustix::process::Rlimit { current: limit.maximum, ..limit };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, "the number of open files cannot be raised");
    }
}

/// Resolves when the process gets a signal to stop, from the moment of this call on.
#[cfg(unix)]
fn asked_to_stop() -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

#[cfg(not(unix))]
fn asked_to_stop() -> std::io::Result<impl Future<Output = ()>> {
    Ok(async { drop(tokio::signal::ctrl_c().await) })
}

fn start_logging(as_json: bool) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr);
    if as_json {
        builder.json().init()
    } else {
        // A file or a journal needs no colours.
        builder.with_ansi(stderr().is_terminal()).init()
    }
    // The message of a panic may contain private data, so only the location is logged.
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(%place, "panicked");
    }));
}
