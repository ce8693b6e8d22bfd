//! The real binary of the relay as a separate process: started, observed, killed.
//!
//! This module handles building and starting the binary, and must not depend on what it serves.

use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, OnceLock};

use anyhow::Context;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr};
use tourismo_server::Location;

/// The parameters of a relay's start.
#[derive(Clone, Debug)]
pub struct Start {
    /// The database.
    pub database: Location,
    /// The address to listen on; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Further arguments for `serve`.
    pub arguments: Vec<OsString>,
    /// A program with arguments that runs the relay and keeps its process id.
    pub under: Vec<OsString>,
    /// The log filter, as in `RUST_LOG`.
    pub log: String,
}

impl Start {
    /// Returns a relay with this database file on a free port.
    pub fn on(data: &Path) -> Start {
        Start::at(data.into())
    }

    /// Returns a relay with this database on a free port.
    pub fn at(database: Location) -> Start {
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Start { database, listen, arguments: Vec::new(), under: Vec::new(), log: "info".to_owned() }
    }

    /// Starts it and waits until it listens.
    ///
    /// # Errors
    /// If it ends before.
    pub async fn start(&self) -> anyhow::Result<Daemon> {
        let mut line = self.under.clone();
        line.push(binary()?.into());
        let mut command = tokio::process::Command::new(&line[0]);
        command.args(&line[1..]).args(["serve", "--log-json", "--listen", &self.listen.to_string()]);
        command.args(option(&self.database)).args(&self.arguments).env("RUST_LOG", &self.log);
        // A test machine with an almost full disk must not change what the relay accepts.
        command.env("TOURISMO_RESERVED_DISK_PERCENT", "0");
        let mut child = command.stderr(Stdio::piped()).kill_on_drop(true).spawn()?;
        let mut log = BufReader::new(child.stderr.take().context("standard error is a pipe")?).lines();
        let mut said = String::new();
        while let Some(line) = log.next_line().await? {
            let entry: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
            if let ("listening", Some(addr)) = (text(&entry["fields"]["message"]), entry["fields"]["addr"].as_str()) {
                let addr = addr.parse()?;
                let said = Arc::new(StatementCounts::default());
                // A pipe that nobody reads would block the relay.
                tokio::spawn(said.clone().listen(log));
                return Ok(Daemon { child, addr, said });
            }
            said = line;
        }
        anyhow::bail!("the relay ended before it listened: {said}")
    }
}

/// Returns the argument for the location of the database.
fn option(database: &Location) -> [OsString; 2] {
    match database {
        Location::File(path) => ["--data".into(), path.into()],
        Location::Postgres(url) => ["--database".into(), url.into()],
    }
}

fn text(value: &serde_json::Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// A running relay. It is killed when this is dropped.
#[derive(Debug)]
pub struct Daemon {
    child: Child,
    addr: SocketAddr,
    said: Arc<StatementCounts>,
}

/// The numbers of statements that a relay has executed, if it logs them.
#[derive(Debug, Default)]
struct StatementCounts {
    statements: AtomicU64,
    commits: AtomicU64,
}

impl StatementCounts {
    async fn listen(self: Arc<StatementCounts>, mut log: Lines<BufReader<ChildStderr>>) {
        while let Ok(Some(line)) = log.next_line().await {
            let entry: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
            if let Some(statement) = entry["fields"]["statement"].as_str() {
                self.statements.fetch_add(1, Relaxed);
                self.commits.fetch_add(u64::from(statement == "COMMIT"), Relaxed);
            }
        }
    }
}

impl Daemon {
    /// Returns its address.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Returns the numbers of executed statements and of commits, as far as they are logged.
    pub fn statements(&self) -> (u64, u64) {
        (self.said.statements.load(Relaxed), self.said.commits.load(Relaxed))
    }

    /// Returns its process id.
    pub fn pid(&self) -> u32 {
        self.child.id().unwrap_or_default()
    }

    /// Kills it with SIGKILL, without flushing or closing anything.
    ///
    /// # Errors
    /// If it was dead already.
    pub async fn kill(mut self) -> anyhow::Result<()> {
        anyhow::ensure!(self.child.try_wait()?.is_none(), "the relay ended by itself");
        Ok(self.child.kill().await?)
    }

    /// Stops it, and waits until it has ended.
    ///
    /// # Errors
    /// If it fails.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        let told = Command::new("kill").args(["-TERM", &self.pid().to_string()]).status()?;
        anyhow::ensure!(told.success(), "the relay cannot be told to stop");
        let ended = self.child.wait().await?;
        anyhow::ensure!(ended.success(), "the relay ended with {ended}");
        Ok(())
    }
}

/// Runs the binary's check of a database.
///
/// # Errors
/// The findings.
pub fn check(database: impl Into<Location>) -> anyhow::Result<()> {
    let output =
        Command::new(binary()?).arg("check").args(option(&database.into())).env("RUST_LOG", "error").output()?;
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    anyhow::ensure!(output.status.success(), "{said}");
    Ok(())
}

/// Returns the relay's binary: from the folder in `TOURISMO_BINARIES`, or built once with the profile of this program.
///
/// A run of all tests has built it and sets the variable: built alone it has other features, so every dependency would
/// be compiled again.
///
/// # Errors
/// If it does not exist, or cannot be built.
pub fn binary() -> anyhow::Result<&'static Path> {
    static BINARY: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    match BINARY.get_or_init(|| build().map_err(|error| format!("{error:#}"))) {
        Ok(path) => Ok(path),
        Err(error) => anyhow::bail!("{error}"),
    }
}

fn build() -> anyhow::Result<PathBuf> {
    if let Some(folder) = std::env::var_os("TOURISMO_BINARIES") {
        let binary = std::path::absolute(Path::new(&folder).join("tourismo-server"))?;
        anyhow::ensure!(binary.exists(), "TOURISMO_BINARIES: there is no {}", binary.display());
        return Ok(binary);
    }
    let this = std::env::current_exe()?;
    // Programs are in target/<profile>, tests in target/<profile>/deps.
    let folder = this.parent().context("a program lies in a folder")?;
    let folder = if folder.ends_with("deps") { folder.parent().context("deps lies in a folder")? } else { folder };
    let profile = if folder.ends_with("debug") { "dev" } else { "release" };
    let built = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--quiet", "--locked", "--bin", "tourismo-server", "--profile", profile, "--manifest-path"])
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../sync-server/Cargo.toml"))
        .arg("--target-dir")
        .arg(folder.parent().context("a profile's folder lies in target")?)
        .status()?;
    anyhow::ensure!(built.success(), "the relay cannot be built");
    Ok(folder.join("tourismo-server"))
}
