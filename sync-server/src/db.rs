//! The database: how it is opened, and the columns that several tables share.
//!
//! There is one connection that writes, owned by the [`Writer`](crate::writer::Writer), and a pool of connections that
//! can only read. All SQL about a table stands in the file named after it. Statements are written for SQLite and Postgres
//! alike; the migrations, whose column types differ, are kept for each engine.

pub(crate) mod accounts;
pub(crate) mod change_log;
pub(crate) mod documents;
pub(crate) mod feed;
pub(crate) mod profiles;
pub(crate) mod published;
pub(crate) mod relay;
pub(crate) mod snapshots;

use std::path::Path;
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, SqlSafeStr, SqliteConnection, SqlitePool};
use tourismo_core::id::{AccountId, ChangeHash, DocId};

pub use crate::data_file::ClaimError;
use crate::data_file::DataFile;

/// The oldest SQLite in which a checkpoint cannot lose a commit (the WAL-reset bug).
const OLDEST_SQLITE: (u32, u32, u32) = (3, 51, 3);

/// How many connections read at the same time.
const READERS: u32 = 4;

/// The schema, step by step. Steps that were released are never edited.
const MIGRATIONS: [(i64, &str, &str); 4] = [
    (1, "log and read models", include_str!("../migrations/sqlite/0001_log_and_read_models.sql")),
    (2, "usage and quarantine", include_str!("../migrations/sqlite/0002_usage_and_quarantine.sql")),
    (3, "changes by document", include_str!("../migrations/sqlite/0003_change_by_doc.sql")),
    (4, "snapshots", include_str!("../migrations/sqlite/0004_snapshots.sql")),
];

/// Why the database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it, or its files cannot be used.
    #[error(transparent)]
    Claim(#[from] ClaimError),
    /// SQLite refuses to open it, or cannot read it.
    #[error("the database cannot be opened: {0}")]
    Database(#[from] sqlx::Error),
    /// Its schema cannot be brought up to date.
    #[error("the schema cannot be brought up to date: {0}")]
    Migrate(#[from] MigrateError),
    /// The SQLite that this binary is linked with may lose commits.
    #[error("SQLite {found} may lose commits; at least 3.51.3 is needed")]
    OldSqlite {
        /// Its version.
        found: String,
    },
}

/// An open database: the connection that writes, those that read, and the right to write.
#[derive(Debug)]
pub(crate) struct Database {
    pub(crate) file: DataFile,
    pub(crate) writer: SqliteConnection,
    pub(crate) readers: SqlitePool,
}

impl Database {
    /// Claims and opens the database file, makes it if it is not there, and brings its schema up to date.
    ///
    /// `max_bytes` caps the size of the file; beyond it, writes fail as on a full disk.
    pub(crate) async fn open(
        path: &Path,
        max_bytes: Option<u64>,
        durability: Durability,
    ) -> Result<Database, OpenError> {
        let file = DataFile::claim(path).await?;
        let synchronous = match durability {
            Durability::EveryCommit => SqliteSynchronous::Full,
            Durability::Checkpoints => SqliteSynchronous::Normal,
        };
        let options =
            options(file.path()).create_if_missing(true).journal_mode(SqliteJournalMode::Wal).synchronous(synchronous);
        let mut writer = options.connect().await?;
        bring_up_to_date(&mut writer).await?;
        if let Some(max_bytes) = max_bytes {
            cap(&mut writer, max_bytes).await?;
        }
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            .acquire_timeout(Duration::from_secs(10))
            .connect_with(options.create_if_missing(false).pragma("query_only", "on"))
            .await?;
        Ok(Database { file, writer, readers })
    }
}

/// When what was committed is synced to the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// Before the commit returns (`synchronous = FULL`).
    #[default]
    EveryCommit,
    /// Some time later (`synchronous = NORMAL`): a power cut takes back what was acknowledged. Only there for the test
    /// that shows it.
    Checkpoints,
}

/// A connection that reads a database file, whoever writes to it.
pub(crate) async fn connect_to_read(path: &Path) -> Result<SqliteConnection, sqlx::Error> {
    options(path).pragma("query_only", "on").connect().await
}

/// A connection to a database file, whoever has it open besides.
pub(crate) async fn connect_beside_others(path: &Path) -> Result<SqliteConnection, sqlx::Error> {
    options(path).connect().await
}

/// A connection to a database file that nobody serves, as one file without a write-ahead log beside it.
pub(crate) async fn connect_alone(path: &Path) -> Result<SqliteConnection, sqlx::Error> {
    options(path).journal_mode(SqliteJournalMode::Delete).synchronous(SqliteSynchronous::Full).connect().await
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(5))
        .disable_statement_logging()
}

/// Brings the schema up to date, with an SQLite that is good enough.
pub(crate) async fn bring_up_to_date(writer: &mut SqliteConnection) -> Result<(), OpenError> {
    let version: String = sqlx::query_scalar("SELECT sqlite_version()").fetch_one(&mut *writer).await?;
    check_version(&version)?;
    Ok(migrator().run(writer).await?)
}

/// Looks whether the schema is the one that this version writes.
pub(crate) async fn has_current_schema(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    let newest: i64 = sqlx::query_scalar("SELECT MAX(version) FROM _sqlx_migrations").fetch_one(connection).await?;
    Ok(MIGRATIONS.last().is_some_and(|(version, ..)| *version == newest))
}

/// Writes a page, in the transaction that is open, to see whether anything can be written. SQLite passes over an update
/// that changes no byte, so that this counts in a field of the file's header that nothing else uses.
pub(crate) async fn probe(writer: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    let probes: i32 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut *writer).await?;
    // A pragma takes no parameters.
    let pragma = sqlx::AssertSqlSafe(format!("PRAGMA user_version = {}", probes.wrapping_add(1)));
    sqlx::query(pragma).execute(writer).await.map(drop)
}

/// Moves what the write-ahead log holds into the database file, and closes the connection.
pub(crate) async fn checkpoint_and_close(mut writer: SqliteConnection) -> Result<(), sqlx::Error> {
    sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut writer).await?;
    writer.close().await
}

fn check_version(version: &str) -> Result<(), OpenError> {
    let mut numbers = version.split('.').map(|part| part.parse().unwrap_or(0));
    let mut next = || numbers.next().unwrap_or(0);
    if (next(), next(), next()) < OLDEST_SQLITE {
        return Err(OpenError::OldSqlite { found: version.to_owned() });
    }
    Ok(())
}

fn migrator() -> Migrator {
    let step = |(version, name, sql): (i64, &'static str, &'static str)| {
        Migration::new(version, name.into(), MigrationType::Simple, sql.into_sql_str(), false)
    };
    Migrator::with_migrations(MIGRATIONS.into_iter().map(step).collect())
}

async fn cap(writer: &mut SqliteConnection, max_bytes: u64) -> Result<(), sqlx::Error> {
    let page_size: i64 = sqlx::query_scalar("PRAGMA page_size").fetch_one(&mut *writer).await?;
    let pages = max_bytes / page_size.max(1).unsigned_abs();
    // A pragma takes no parameters.
    let pragma = sqlx::AssertSqlSafe(format!("PRAGMA max_page_count = {pages}"));
    sqlx::query(pragma).execute(writer).await?;
    Ok(())
}

/// A column that does not hold what the schema says. Only its name is told: its content may be private.
#[derive(Debug, thiserror::Error)]
#[error("the column {0} is damaged")]
struct DamagedColumn(&'static str);

fn damaged(column: &'static str) -> sqlx::Error {
    sqlx::Error::Decode(Box::new(DamagedColumn(column)))
}

/// The bytes of a column of fixed length.
fn fixed<const N: usize>(column: &'static str, bytes: &[u8]) -> Result<[u8; N], sqlx::Error> {
    bytes.try_into().map_err(|_| damaged(column))
}

fn account_id(bytes: &[u8]) -> Result<AccountId, sqlx::Error> {
    fixed("account", bytes).map(AccountId::from_bytes)
}

fn doc_id(bytes: &[u8]) -> Result<DocId, sqlx::Error> {
    fixed("doc", bytes).map(DocId::from_bytes)
}

fn hash(bytes: &[u8]) -> Result<ChangeHash, sqlx::Error> {
    fixed("hash", bytes).map(ChangeHash)
}

/// Hashes as one column holds them: one after the other.
fn hashes(column: &'static str, bytes: &[u8]) -> Result<Vec<ChangeHash>, sqlx::Error> {
    let (hashes, rest) = bytes.as_chunks::<32>();
    if rest.is_empty() { Ok(hashes.iter().copied().map(ChangeHash).collect()) } else { Err(damaged(column)) }
}

fn concatenated(hashes: &[ChangeHash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| hash.0).collect()
}

/// A position in a log as the column holds it. Positions count rows, so that they fit.
fn column(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}

fn position(column: &'static str, seq: i64) -> Result<u64, sqlx::Error> {
    u64::try_from(seq).map_err(|_| damaged(column))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_sqlite_that_may_lose_commits_is_refused() {
        for (version, is_good) in
            [("3.51.3", true), ("3.52.0", true), ("4.0.0", true), ("3.51.2", false), ("3.46.1", false), ("", false)]
        {
            assert_eq!(check_version(version).is_ok(), is_good, "{version}");
        }
    }

    #[test]
    fn a_column_of_hashes_is_read_back_or_refused_as_a_whole() {
        let two = vec![ChangeHash([1; 32]), ChangeHash([2; 32])];
        assert_eq!(hashes("heads", &concatenated(&two)).unwrap(), two);
        assert!(hashes("heads", &[0; 33]).is_err());
    }
}
