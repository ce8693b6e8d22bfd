//! A private Postgres for the time of the tests: they start it, connect to it through a socket in a temporary folder,
//! and it ends with them.
//!
//! This crate starts and kills Postgres and creates databases. It is independent of their content.

use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

const SCRIPT: &str = include_str!("../cluster.sh");

/// Kills a process and its children, the parent first, since it would take the death of a child for a crash and begin a
/// recovery. Then waits until they are gone, and deletes the PID file: where no process reaps them, dead processes look
/// alive.
const KILL: &str = r#"
    all="$1 $(pgrep -P "$1")"
    kill -KILL $all
    while ps -o stat= -p "$(echo $all | tr ' ' ,)" | grep -qv '^Z'; do sleep 0.01; done
    rm -f "$2/data/postmaster.pid" "$2"/.s.PGSQL.*
"#;

/// The user for Postgres when the tests run as root: Postgres refuses to run as root.
const UNPRIVILEGED: &str = "postgres";

/// Creates the schema that a new database has.
const PUBLIC: &str = "CREATE SCHEMA public AUTHORIZATION pg_database_owner";

/// A running Postgres without content. It ends when this value is dropped or when this process ends, in whatever way.
#[derive(Debug)]
pub struct Cluster {
    folder: PathBuf,
    keeper: Child,
    /// The keeper process reads from it until this process has ended.
    lifeline: Option<ChildStdin>,
    databases: AtomicU32,
    /// Unused databases: to empty one is faster than to create one.
    idle: Mutex<Vec<String>>,
}

/// A database that was empty when it was lent. It is returned when this value is dropped.
#[derive(Debug)]
pub struct Database<'c> {
    cluster: &'c Cluster,
    name: String,
}

impl Cluster {
    /// The cluster that all tests of this process share.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn shared() -> &'static Cluster {
        static SHARED: OnceLock<Cluster> = OnceLock::new();
        SHARED.get_or_init(|| Cluster::start().expect("a private Postgres starts"))
    }

    /// Starts a cluster.
    ///
    /// # Errors
    /// If Postgres is not installed, or does not start.
    pub fn start() -> io::Result<Cluster> {
        let mut command = unprivileged("sh");
        command.args(["-c", SCRIPT]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // A signal from the terminal ends the tests and must not end the keeper before it has cleaned up.
        let mut keeper = command.process_group(0).spawn()?;
        let lifeline = keeper.stdin.take();
        let mut folder = String::new();
        if let Some(said) = keeper.stdout.take() {
            BufReader::new(said).read_line(&mut folder)?;
        }
        if folder.is_empty() {
            let mut complaint = String::new();
            if let Some(mut said) = keeper.stderr.take() {
                said.read_to_string(&mut complaint)?;
            }
            return Err(io::Error::other(complaint));
        }
        Ok(Cluster {
            folder: folder.trim_end().into(),
            keeper,
            lifeline,
            databases: AtomicU32::new(0),
            idle: Mutex::default(),
        })
    }

    /// Lends an empty database.
    ///
    /// # Errors
    /// If Postgres cannot create it.
    pub fn lend(&self) -> io::Result<Database<'_>> {
        let idle = self.idle().pop();
        let name = match idle {
            Some(name) => {
                let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                           WHERE datname = current_database() AND pid <> pg_backend_pid()";
                self.sql(&name, &[end, "DROP SCHEMA public CASCADE", PUBLIC])?;
                name
            }
            None => {
                let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
                self.sql("postgres", &[&format!("CREATE DATABASE {name}")])?;
                name
            }
        };
        Ok(Database { cluster: self, name })
    }

    /// The URL of the database that exists from the start.
    pub fn url(&self) -> String {
        self.url_of("postgres")
    }

    fn url_of(&self, database: &str) -> String {
        format!("postgres:///{database}?user=postgres&host={}", self.folder.display())
    }

    fn idle(&self) -> MutexGuard<'_, Vec<String>> {
        // A panic cannot leave a list of names half changed.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sql(&self, database: &str, statements: &[&str]) -> io::Result<()> {
        let mut psql = self.program("psql");
        psql.arg("--host").arg(&self.folder).args(["--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1", "--dbname"]);
        psql.arg(database);
        for statement in statements {
            psql.args(["--command", statement]);
        }
        succeed(&mut psql)
    }

    /// Kills the server and all its children with SIGKILL, so that nothing is flushed.
    ///
    /// # Errors
    /// If it does not run.
    pub fn kill(&self) -> io::Result<()> {
        let pid = std::fs::read_to_string(self.data().join("postmaster.pid"))?;
        let pid = pid.lines().next().unwrap_or_default();
        succeed(unprivileged("sh").args(["-c", KILL, "sh", pid]).arg(&self.folder))
    }

    /// Starts the server again after a kill, and returns when it has recovered and accepts connections.
    ///
    /// # Errors
    /// If it does not recover.
    pub fn restart(&self) -> io::Result<()> {
        let mut start = self.program("pg_ctl");
        start.args(["--silent", "--wait", "--log"]).arg(self.folder.join("log")).arg("--pgdata").arg(self.data());
        succeed(start.arg("start"))
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// A program of Postgres, of the version of the server.
    fn program(&self, name: &str) -> Command {
        let started_as = std::fs::read_to_string(self.data().join("postmaster.opts")).unwrap_or_default();
        let server = Path::new(started_as.split_ascii_whitespace().next().unwrap_or_default());
        unprivileged(&server.with_file_name(name).to_string_lossy())
    }
}

impl<'c> Database<'c> {
    /// The URL of the database.
    pub fn url(&self) -> String {
        self.cluster.url_of(&self.name)
    }

    /// A copy of the database, made with `pg_dump` and `pg_restore` as an operator would.
    ///
    /// # Errors
    /// If one of them fails.
    pub fn dumped_and_restored(&self) -> io::Result<Database<'c>> {
        let copy = self.cluster.lend()?;
        let file = self.cluster.folder.join(format!("{}.dump", copy.name));
        let mut dump = self.cluster.program("pg_dump");
        succeed(dump.args(["--format=custom", "--file"]).arg(&file).arg(self.url()))?;
        let mut restore = self.cluster.program("pg_restore");
        succeed(restore.args(["--no-owner", "--dbname", &copy.url()]).arg(&file))?;
        Ok(copy)
    }
}

impl Drop for Database<'_> {
    fn drop(&mut self) {
        self.cluster.idle().push(std::mem::take(&mut self.name));
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.lifeline.take());
        // If this fails, the next start removes what is left.
        let _ = self.keeper.wait();
    }
}

/// A program, run as a user that Postgres accepts.
fn unprivileged(program: &str) -> Command {
    let is_root = std::fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
    let mut command = if is_root { Command::new("runuser") } else { Command::new(program) };
    if is_root {
        command.args(["-u", UNPRIVILEGED, "--", program]);
    }
    // A folder that this user may read, and no environment variables that name another Postgres.
    command.current_dir("/");
    for variable in ["PGHOST", "PGHOSTADDR", "PGPORT", "PGDATABASE", "PGPASSWORD", "PGOPTIONS", "PGSSLMODE"] {
        command.env_remove(variable);
    }
    command.env("PGUSER", "postgres");
    command
}

fn succeed(command: &mut Command) -> io::Result<()> {
    let output = command.stdin(Stdio::null()).output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(io::Error::other(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr))))
}
