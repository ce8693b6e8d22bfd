//! What only Postgres knows: connecting, the lock of the one writer, whether it keeps what it commits.

use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, PgConnection};

use super::sql::{Connection, Pool};
use super::{Claim, Database, OpenError, READERS, bring_up_to_date};

/// The lock that the one writer holds while it is connected: "tourismo" in ASCII.
const WRITER_LOCK: i64 = 0x746f_7572_6973_6d6f;

/// Claims and opens a database.
pub(super) async fn open(url: &str) -> Result<Database, OpenError> {
    let options = options(url)?;
    let mut writer = options.connect().await?;
    let is_ours: bool =
        sqlx::query_scalar("SELECT pg_try_advisory_lock($1)").bind(WRITER_LOCK).fetch_one(&mut writer).await?;
    if !is_ours {
        return Err(OpenError::Taken);
    }
    let mut writer = Connection::from(writer);
    bring_up_to_date(&mut writer).await?;
    let readers = PgPoolOptions::new()
        .max_connections(READERS)
        .acquire_timeout(Duration::from_secs(10))
        .connect_with(options.options([("default_transaction_read_only", "on")]))
        .await?;
    Ok(Database { claim: Claim::Connection, writer, readers: Pool::Postgres(readers) })
}

/// Looks whether this server keeps what it commits.
pub(super) async fn check(connection: &mut PgConnection) -> Result<(), OpenError> {
    for setting in ["fsync", "full_page_writes"] {
        let value: String =
            sqlx::query_scalar("SELECT current_setting($1)").bind(setting).fetch_one(&mut *connection).await?;
        if value != "on" {
            return Err(OpenError::NotDurable { setting });
        }
    }
    Ok(())
}

/// Looks whether the transaction may write, without writing: Postgres leaves no trace of what was rolled back.
pub(super) async fn probe(writer: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE relay SET epoch = epoch").execute(writer).await.map(drop)
}

/// A migration, which is written in SQLite's words, in those of Postgres.
///
/// Texts compare bytewise, as SQLite's do, so that both engines order and find the same.
pub(super) fn in_its_words(sql: &str) -> String {
    const WORDS: [(&str, &str); 6] = [
        ("INTEGER", "BIGINT"),
        ("BLOB", "BYTEA"),
        ("REAL", "DOUBLE PRECISION"),
        ("TEXT", "TEXT COLLATE \"C\""),
        (" STRICT, WITHOUT ROWID;", ";"),
        (" STRICT;", ";"),
    ];
    let line = |line: &str| {
        let code = line.find("--").unwrap_or(line.len());
        let code_in_words = WORDS.iter().fold(line[..code].to_owned(), |code, (from, to)| code.replace(from, to));
        code_in_words + &line[code..]
    };
    sql.lines().map(line).collect::<Vec<_>>().join("\n")
}

fn options(url: &str) -> Result<PgConnectOptions, sqlx::Error> {
    Ok(PgConnectOptions::from_str(url)?
        .application_name("tourismo")
        // Whatever the server's default: a commit returns when it is on disk.
        .options([("synchronous_commit", "on")])
        .disable_statement_logging())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_migration_is_said_in_the_words_of_postgres() {
        let sqlite = r#"
CREATE TABLE t (
    a    INTEGER NOT NULL,  -- an INTEGER
    b    BLOB             CHECK (LENGTH(b) = 32),
    text TEXT,
    c    REAL    NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE TABLE u (a INTEGER) STRICT;"#;
        let postgres = r#"
CREATE TABLE t (
    a    BIGINT NOT NULL,  -- an INTEGER
    b    BYTEA             CHECK (LENGTH(b) = 32),
    text TEXT COLLATE "C",
    c    DOUBLE PRECISION    NOT NULL DEFAULT 0
);
CREATE TABLE u (a INTEGER) STRICT;"#;
        assert_eq!(in_its_words(sqlite), postgres.replace("(a INTEGER) STRICT", "(a BIGINT)"));
    }
}
