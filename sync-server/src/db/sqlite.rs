//! Code for SQLite only: files, pragmas, its version.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, SqliteConnection};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::sql::{Connection, Pool};
use super::{Claim, Database, Durability, OpenError, Readers, bring_up_to_date};
use crate::db::data_file::DataFile;

/// The oldest SQLite in which a checkpoint cannot lose a commit (the WAL-reset bug).
const OLDEST: (u32, u32, u32) = (3, 51, 3);

/// The number of prepared statements that a connection keeps: all of them.
const REMEMBERED_STATEMENTS: usize = 512;

/// The page cache of the connection that writes, KiB.
const WRITER_CACHE_KB: u32 = 8 << 10;

/// The length of the write-ahead log, in pages, at which a commit checkpoints it, if the [`Checkpointer`] is late.
const LONGEST_LOG_PAGES: i64 = 32_000;

/// The length, in pages, from which on the log is restarted, which needs a moment without another writer.
const LONG_LOG_PAGES: i64 = 4_000;

/// The number of new pages that are moved at once. The more there are, the longer a commit waits for the disk meanwhile.
const MANY_PAGES: i64 = 1_000;

/// The time over which commits are collected before a checkpoint, unless there are many pages before.
const BETWEEN_CHECKPOINTS: Duration = Duration::from_millis(250);

/// The time between two looks at the length of the log.
const BETWEEN_LOOKS: Duration = Duration::from_millis(10);

/// Claims and opens a database file; creates it if it does not exist.
pub(super) async fn open(path: &Path, max_bytes: Option<u64>, durability: Durability) -> Result<Database, OpenError> {
    let mut file = DataFile::claim(path).await?;
    file.make()?;
    let synchronous = match durability {
        Durability::EveryCommit => SqliteSynchronous::Full,
        Durability::Checkpoints => SqliteSynchronous::Normal,
    };
    let options = options(file.path()).journal_mode(SqliteJournalMode::Wal).synchronous(synchronous);
    let own = options
        .clone()
        .pragma("cache_size", format!("-{WRITER_CACHE_KB}"))
        .pragma("wal_autocheckpoint", LONGEST_LOG_PAGES.to_string());
    let mut writer = Connection::from(own.connect().await?);
    bring_up_to_date(&mut writer).await?;
    // Otherwise the statement journal goes to a file, a page for each statement: a tenth of a commit. Not during
    // migrations: creating an index sorts a whole table there.
    super::sql::query("PRAGMA temp_store = MEMORY").execute(&mut writer).await?;
    if let Some(max_bytes) = max_bytes {
        cap(&mut writer, max_bytes).await?;
    }
    // The names may refer to other files later, so the readers connect at the start and stay connected.
    let options = options.pragma("query_only", "on");
    let readers = Readers::new(async |count, reading| {
        let pool = SqlitePoolOptions::new()
            .max_connections(count)
            .min_connections(count)
            .idle_timeout(None)
            .max_lifetime(None)
            .acquire_timeout(Duration::from_secs(10))
            // A file connection is never lost like one to a server, and the test would take as long as a small read.
            .test_before_acquire(false)
            .connect_with(options.clone())
            .await?;
        Ok(Pool::Sqlite(pool, reading))
    });
    let readers = readers.await?;
    let beside = self::options(file.path()).busy_timeout(Duration::ZERO).connect().await?;
    let checkpointer = Some(Checkpointer::spawn(beside));
    file.remember()?;
    Ok(Database { claim: Claim::File { file }, writer, readers, checkpointer })
}

/// Moves commits from the write-ahead log into the database file, beside the writer. SQLite would do it within a
/// commit, which would delay every waiting job.
#[derive(Debug)]
pub(crate) struct Checkpointer {
    committed: Arc<Notify>,
    task: JoinHandle<()>,
}

impl Checkpointer {
    fn spawn(mut beside: SqliteConnection) -> Checkpointer {
        let committed = Arc::new(Notify::new());
        let heard = committed.clone();
        let task = tokio::spawn(async move {
            let mut log = Log::default();
            loop {
                heard.notified().await;
                if let Err(error) = log.collect_and_move(&mut beside).await {
                    // As on a full disk. The commits stay in the log.
                    tracing::warn!(%error, "a checkpoint of the write-ahead log failed");
                }
            }
        });
        Checkpointer { committed, task }
    }

    /// Reports a commit.
    pub(crate) fn committed(&self) {
        self.committed.notify_one();
    }

    /// Ends, and closes its connection.
    pub(crate) async fn stop(self) {
        self.task.abort();
        // The task was aborted, so this is an error.
        let _ = self.task.await;
    }
}

/// What the [`Checkpointer`] knows of the write-ahead log.
#[derive(Debug, Default)]
struct Log {
    /// Its length after the last checkpoint, in pages.
    pages: i64,
}

impl Log {
    async fn collect_and_move(&mut self, beside: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        let collected_since = Instant::now();
        while collected_since.elapsed() < BETWEEN_CHECKPOINTS && self.new_pages(beside).await? < MANY_PAGES {
            sleep(BETWEEN_LOOKS).await;
        }
        self.pages = move_log(beside).await?;
        Ok(())
    }

    /// The number of pages since the last checkpoint.
    async fn new_pages(&mut self, beside: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
        let pages = checkpoint_log(beside, "NOOP").await?;
        // A shorter log is one that was restarted.
        Ok(if pages < self.pages { pages } else { pages - self.pages })
    }
}

/// Moves as much as is possible without blocking anybody; restarts a long log if nobody writes or reads at the moment.
/// Returns the length of the log in pages.
async fn move_log(beside: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    let pages = checkpoint_log(beside, "PASSIVE").await?;
    if pages <= LONG_LOG_PAGES {
        return Ok(pages);
    }
    // Restarting moves what is left while nobody can write. What came during the last move is moved before.
    checkpoint_log(beside, "PASSIVE").await?;
    // This does not wait for other connections; the next call tries again.
    checkpoint_log(beside, "RESTART").await
}

/// Checkpoints the log in one of SQLite's modes, and returns its length in pages.
async fn checkpoint_log(beside: &mut SqliteConnection, mode: &'static str) -> Result<i64, sqlx::Error> {
    // A pragma takes no parameters.
    let pragma = sqlx::AssertSqlSafe(format!("PRAGMA wal_checkpoint({mode})"));
    let (_, pages, _): (i64, i64, i64) = sqlx::query_as(pragma).fetch_one(beside).await?;
    Ok(pages)
}

/// Opens a connection that reads a database file, also while another process writes to it.
pub(crate) async fn connect_to_read(path: &Path) -> Result<Connection, sqlx::Error> {
    options(path).pragma("query_only", "on").connect().await.map(Connection::from)
}

/// Opens a connection to a database file that others may have open.
pub(crate) async fn connect_beside_others(path: &Path) -> Result<Connection, sqlx::Error> {
    options(path).connect().await.map(Connection::from)
}

/// Opens a connection to a database file that nobody serves, as one file without a write-ahead log.
pub(crate) async fn connect_alone(path: &Path) -> Result<Connection, sqlx::Error> {
    let options = options(path).journal_mode(SqliteJournalMode::Delete).synchronous(SqliteSynchronous::Full);
    options.connect().await.map(Connection::from)
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(5))
        .statement_cache_capacity(REMEMBERED_STATEMENTS)
        .disable_statement_logging()
}

/// Checks that this SQLite keeps its commits.
pub(super) async fn check(connection: &mut SqliteConnection) -> Result<(), OpenError> {
    let version: String = sqlx::query_scalar("SELECT sqlite_version()").fetch_one(connection).await?;
    check_version(&version)
}

/// Writes a page. SQLite skips an update that changes no byte, so this increments a field of the file's header that is
/// not used otherwise.
pub(super) async fn probe(writer: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    let probes: i32 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut *writer).await?;
    // A pragma has no parameters.
    let pragma = sqlx::AssertSqlSafe(format!("PRAGMA user_version = {}", probes.wrapping_add(1)));
    sqlx::query(pragma).execute(writer).await.map(drop)
}

/// Moves the write-ahead log into the database file.
pub(super) async fn checkpoint(writer: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(writer).await.map(drop)
}

/// Returns the size of the pages of the database, bytes.
pub(super) async fn bytes(reader: &mut SqliteConnection) -> Result<u64, sqlx::Error> {
    let pages: i64 = sqlx::query_scalar("PRAGMA page_count").fetch_one(&mut *reader).await?;
    let page: i64 = sqlx::query_scalar("PRAGMA page_size").fetch_one(reader).await?;
    Ok(pages.unsigned_abs() * page.unsigned_abs())
}

/// Returns the damage that SQLite finds: pages, indexes, references to missing rows.
pub(super) async fn damage(connection: &mut SqliteConnection) -> Result<Vec<String>, sqlx::Error> {
    let lines: Vec<String> = match sqlx::query_scalar("PRAGMA integrity_check").fetch_all(&mut *connection).await {
        Ok(lines) => lines,
        // Some damage prevents reading. Any other failure does not depend on the stored content.
        Err(sqlx::Error::Database(error)) if primary_code(&*error) == Some(SQLITE_CORRUPT) => {
            return Ok(vec![error.message().to_owned()]);
        }
        Err(error) => return Err(error),
    };
    let mut damage: Vec<String> = lines.into_iter().filter(|line| line != "ok").collect();
    let dangling = sqlx::query("PRAGMA foreign_key_check").fetch_all(connection).await?.len();
    if dangling > 0 {
        damage.push(format!("{dangling} rows refer to rows that are not there"));
    }
    Ok(damage)
}

/// Why SQLite cannot read a file, for reasons that do not depend on its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Obstacle {
    /// It is not a database, or its beginning is overwritten.
    NoDatabase,
    /// The user or the file system does not allow it.
    NotAllowed,
}

impl Obstacle {
    /// Returns the obstacle that an error describes, if any.
    pub(crate) fn of(error: &sqlx::Error) -> Option<Obstacle> {
        match primary_code(error.as_database_error()?)? {
            SQLITE_NOTADB => Some(Obstacle::NoDatabase),
            SQLITE_PERM | SQLITE_READONLY | SQLITE_CANTOPEN | SQLITE_AUTH => Some(Obstacle::NotAllowed),
            _ => None,
        }
    }
}

/// Result codes of SQLite (sqlite.org/rescode.html).
const SQLITE_PERM: u32 = 3;
const SQLITE_READONLY: u32 = 8;
const SQLITE_CORRUPT: u32 = 11;
const SQLITE_CANTOPEN: u32 = 14;
const SQLITE_AUTH: u32 = 23;
const SQLITE_NOTADB: u32 = 26;

/// Returns the primary result code, the last byte of the driver's code.
fn primary_code(error: &dyn sqlx::error::DatabaseError) -> Option<u32> {
    error.try_downcast_ref::<sqlx::sqlite::SqliteError>()?;
    Some(error.code()?.parse::<u32>().ok()? & 0xff)
}

fn check_version(version: &str) -> Result<(), OpenError> {
    let mut numbers = version.split('.').map(|part| part.parse().unwrap_or(0));
    let mut next = || numbers.next().unwrap_or(0);
    if (next(), next(), next()) < OLDEST {
        return Err(OpenError::OldSqlite { found: version.to_owned() });
    }
    Ok(())
}

async fn cap(writer: &mut Connection, max_bytes: u64) -> Result<(), sqlx::Error> {
    let page_size: i64 = super::sql::query_scalar("PRAGMA page_size").fetch_one(writer).await?;
    let pages = max_bytes / page_size.max(1).unsigned_abs();
    // A pragma has no parameters.
    let pragma = sqlx::AssertSqlSafe(format!("PRAGMA max_page_count = {pages}"));
    super::sql::query(pragma).execute(writer).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_write_ahead_log_is_moved_beside_the_one_who_writes_and_begun_anew_when_it_is_long() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.sqlite");
        let Database { mut writer, readers, checkpointer, claim: _claim } =
            open(&path, None, Durability::EveryCommit).await.unwrap();
        readers.answers.close().await;
        checkpointer.unwrap().stop().await;
        let mut beside = options(&path).busy_timeout(Duration::ZERO).connect().await.unwrap();
        let log_bytes = || std::fs::metadata(folder.path().join("x.sqlite-wal")).unwrap().len();
        super::super::sql::query("CREATE TABLE t (b BLOB)").execute(&mut writer).await.unwrap();
        let write = async |writer: &mut Connection, bytes: usize| {
            super::super::sql::query("INSERT INTO t (b) VALUES ($1)")
                .bind(vec![1; bytes])
                .execute(writer)
                .await
                .unwrap();
        };
        // An open transaction does not prevent the checkpoint of earlier commits.
        write(&mut writer, 8 << 20).await;
        writer.begin().await.unwrap();
        write(&mut writer, 1).await;
        let mut log = Log::default();
        assert!(log.new_pages(&mut beside).await.unwrap() > 2_000);
        log.collect_and_move(&mut beside).await.unwrap();
        assert_eq!(log.new_pages(&mut beside).await.unwrap(), 0);
        assert!(std::fs::metadata(&path).unwrap().len() > 8 << 20);
        writer.commit().await.unwrap();
        for _ in 0..3 {
            write(&mut writer, 8 << 20).await;
        }
        let longest = log_bytes();
        assert!(longest > 32 << 20);
        log.collect_and_move(&mut beside).await.unwrap();
        write(&mut writer, 8 << 20).await;
        let pages = log.new_pages(&mut beside).await.unwrap();
        assert!((2_000..3_000).contains(&pages), "it was begun anew, with {pages} pages");
        for _ in 0..2 {
            write(&mut writer, 8 << 20).await;
        }
        assert_eq!(log_bytes(), longest, "it was begun anew");
        let rows: i64 = super::super::sql::query_scalar("SELECT COUNT(*) FROM t").fetch_one(&mut writer).await.unwrap();
        assert_eq!(rows, 8);
    }

    #[tokio::test]
    async fn a_read_without_end_is_interrupted_and_its_connection_reads_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.sqlite");
        let Database { readers, .. } = open(&path, None, Durability::EveryCommit).await.unwrap();
        let Pool::Sqlite(pool, _) = readers.streams else { panic!("this is SQLite") };
        let reading = super::super::sql::Reading { deadline: Some(Duration::from_millis(50)), yields: true };
        let pool = Pool::Sqlite(pool, reading);
        let endless = "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n) SELECT COUNT(*) FROM n";
        for _ in 0..3 {
            let mut reader = pool.snapshot().await.unwrap();
            let counted: Result<i64, _> = super::super::sql::query_scalar(endless).fetch_one(&mut reader).await;
            assert!(super::super::sql::was_interrupted(&counted.unwrap_err()));
            drop(reader);
            let mut reader = pool.acquire().await.unwrap();
            let one: i64 = super::super::sql::query_scalar("SELECT 1").fetch_one(&mut reader).await.unwrap();
            assert_eq!(one, 1);
        }
    }

    #[test]
    fn an_sqlite_that_may_lose_commits_is_refused() {
        for (version, is_good) in
            [("3.51.3", true), ("3.52.0", true), ("4.0.0", true), ("3.51.2", false), ("3.46.1", false), ("", false)]
        {
            assert_eq!(check_version(version).is_ok(), is_good, "{version}");
        }
    }
}
