//! What only SQLite knows: files, pragmas, its version.

use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, SqliteConnection};

use super::sql::{Connection, Pool};
use super::{Claim, Database, Durability, OpenError, READERS, bring_up_to_date};
use crate::data_file::DataFile;

/// The oldest SQLite in which a checkpoint cannot lose a commit (the WAL-reset bug).
const OLDEST: (u32, u32, u32) = (3, 51, 3);

/// Claims and opens a database file, and makes it if it is not there.
pub(super) async fn open(path: &Path, max_bytes: Option<u64>, durability: Durability) -> Result<Database, OpenError> {
    let file = DataFile::claim(path).await?;
    let synchronous = match durability {
        Durability::EveryCommit => SqliteSynchronous::Full,
        Durability::Checkpoints => SqliteSynchronous::Normal,
    };
    let options =
        options(file.path()).create_if_missing(true).journal_mode(SqliteJournalMode::Wal).synchronous(synchronous);
    let mut writer = Connection::from(options.connect().await?);
    bring_up_to_date(&mut writer).await?;
    if let Some(max_bytes) = max_bytes {
        cap(&mut writer, max_bytes).await?;
    }
    let readers = SqlitePoolOptions::new()
        .max_connections(READERS)
        .acquire_timeout(Duration::from_secs(10))
        .connect_with(options.create_if_missing(false).pragma("query_only", "on"))
        .await?;
    Ok(Database { claim: Claim::File { _file: file }, writer, readers: Pool::Sqlite(readers) })
}

/// A connection that reads a database file, whoever writes to it.
pub(crate) async fn connect_to_read(path: &Path) -> Result<Connection, sqlx::Error> {
    options(path).pragma("query_only", "on").connect().await.map(Connection::from)
}

/// A connection to a database file, whoever has it open besides.
pub(crate) async fn connect_beside_others(path: &Path) -> Result<Connection, sqlx::Error> {
    options(path).connect().await.map(Connection::from)
}

/// A connection to a database file that nobody serves, as one file without a write-ahead log beside it.
pub(crate) async fn connect_alone(path: &Path) -> Result<Connection, sqlx::Error> {
    let options = options(path).journal_mode(SqliteJournalMode::Delete).synchronous(SqliteSynchronous::Full);
    options.connect().await.map(Connection::from)
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(5))
        .disable_statement_logging()
}

/// Looks whether this SQLite keeps what it commits.
pub(super) async fn check(connection: &mut SqliteConnection) -> Result<(), OpenError> {
    let version: String = sqlx::query_scalar("SELECT sqlite_version()").fetch_one(connection).await?;
    check_version(&version)
}

/// Writes a page. SQLite passes over an update that changes no byte, so that this counts in a field of the file's header
/// that nothing else uses.
pub(super) async fn probe(writer: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    let probes: i32 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut *writer).await?;
    // A pragma takes no parameters.
    let pragma = sqlx::AssertSqlSafe(format!("PRAGMA user_version = {}", probes.wrapping_add(1)));
    sqlx::query(pragma).execute(writer).await.map(drop)
}

/// Moves what the write-ahead log holds into the database file.
pub(super) async fn checkpoint(writer: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(writer).await.map(drop)
}

/// What SQLite finds: pages, indexes, rows that refer to rows that are not there.
pub(super) async fn damage(connection: &mut SqliteConnection) -> Result<Vec<String>, sqlx::Error> {
    let lines: Vec<String> = match sqlx::query_scalar("PRAGMA integrity_check").fetch_all(&mut *connection).await {
        Ok(lines) => lines,
        // What is too damaged to be looked at.
        Err(sqlx::Error::Database(error)) => return Ok(vec![error.message().to_owned()]),
        Err(error) => return Err(error),
    };
    let mut damage: Vec<String> = lines.into_iter().filter(|line| line != "ok").collect();
    let dangling = sqlx::query("PRAGMA foreign_key_check").fetch_all(connection).await?.len();
    if dangling > 0 {
        damage.push(format!("{dangling} rows refer to rows that are not there"));
    }
    Ok(damage)
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
    // A pragma takes no parameters.
    let pragma = sqlx::AssertSqlSafe(format!("PRAGMA max_page_count = {pages}"));
    super::sql::query(pragma).execute(writer).await.map(drop)
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
}
