//! Code for Postgres only: connecting, the lock of the writer, checks of durability and damage.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions, PgConnection};
use tokio::time::{sleep, timeout};

use super::sql::{self, Connection, Pool, Reading};
use super::{Claim, Database, OpenError, Readers, bring_up_to_date, position};

/// The lock that the writer holds while it is connected: "tourismo" in ASCII.
const WRITER_LOCK: i64 = 0x746f_7572_6973_6d6f;

/// How often the lock is attempted at a start. A killed server holds it until Postgres detects the lost connection.
const ATTEMPTS: u32 = 100;

/// The time between two attempts.
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(50);

/// Maximum time for connecting.
const CONNECT_DEADLINE: Duration = Duration::from_secs(10);

/// The number of prepared statements that a connection keeps: all of them.
const REMEMBERED_STATEMENTS: usize = 512;

/// The settings of a connection that writes: a commit returns when it is on disk, and the server ends the connection,
/// and releases its lock, within half a minute of losing the client.
const WRITER_SETTINGS: [(&str, &str); 7] = [
    ("synchronous_commit", "on"),
    ("default_transaction_read_only", "off"),
    ("statement_timeout", "0"),
    ("client_min_messages", "warning"),
    ("tcp_keepalives_idle", "10"),
    ("tcp_keepalives_interval", "5"),
    ("tcp_keepalives_count", "3"),
];

/// The settings of a connection that reads, in addition to a time limit for each statement.
const READER_SETTINGS: [(&str, &str); 2] =
    [("default_transaction_read_only", "on"), ("idle_in_transaction_session_timeout", "60000")];

/// The supported options of a URL. Others are refused, because sqlx would log them with their values.
const URL_OPTIONS: [&str; 15] = [
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
];

/// The address and the user of a Postgres database. It may contain a password and is never printed.
#[derive(Clone)]
pub(crate) struct Address(PgConnectOptions);

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Address")
    }
}

impl Address {
    fn of(url: &str) -> Result<Address, OpenError> {
        let options = url.split_once('?').map_or("", |(_, options)| options);
        let names = || options.split('&').map(|option| option.split('=').next().unwrap_or_default());
        if !names().all(|name| name.is_empty() || URL_OPTIONS.contains(&name)) {
            return Err(OpenError::Url("it has an option that is not known, or a character that must be %-encoded"));
        }
        let address = PgConnectOptions::from_str(url)
            .map_err(|_| OpenError::Url("it must be like postgres://user:password@host:5432/database"))?
            .application_name("tourismo")
            .statement_cache_capacity(REMEMBERED_STATEMENTS)
            .disable_statement_logging();
        let is_near = address.get_socket().is_some()
            || address.get_host().starts_with('/')
            || ["localhost", "127.0.0.1", "[::1]"].contains(&address.get_host());
        let says_how =
            names().any(|name| ["sslmode", "ssl-mode"].contains(&name)) || std::env::var_os("PGSSLMODE").is_some();
        // Connections to other machines are encrypted unless the operator decides otherwise.
        Ok(Address(if is_near || says_how { address } else { address.ssl_mode(PgSslMode::Require) }))
    }

    /// Connects with the lock of the writer, which the connection holds until it ends.
    pub(super) async fn writer(&self) -> Result<Connection, OpenError> {
        let mut writer = connected(&self.0.clone().options(WRITER_SETTINGS)).await?;
        let is_ours: bool =
            sqlx::query_scalar("SELECT pg_try_advisory_lock($1)").bind(WRITER_LOCK).fetch_one(&mut writer).await?;
        if is_ours { Ok(Connection::from(writer)) } else { Err(OpenError::Taken) }
    }

    /// Like [`Address::writer`], but waits for a server that is ending.
    async fn writer_at_start(&self) -> Result<Connection, OpenError> {
        let mut attempts = 0;
        loop {
            attempts += 1;
            match self.writer().await {
                Err(OpenError::Taken) if attempts < ATTEMPTS => sleep(BETWEEN_ATTEMPTS).await,
                outcome => return outcome,
            }
        }
    }
}

async fn connected(options: &PgConnectOptions) -> Result<PgConnection, sqlx::Error> {
    timeout(CONNECT_DEADLINE, options.connect()).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))
}

/// Claims and opens a database.
pub(super) async fn open(url: &str) -> Result<Database, OpenError> {
    let address = Address::of(url)?;
    let mut writer = address.writer_at_start().await?;
    bring_up_to_date(&mut writer).await?;
    let readers = Readers::new(async |count, Reading { deadline, .. }| {
        let timeout_ms = deadline.map_or(0, |deadline| deadline.as_millis()).to_string();
        let settings = address.0.clone().options(READER_SETTINGS).options([("statement_timeout", timeout_ms)]);
        let options = PgPoolOptions::new().max_connections(count).acquire_timeout(Duration::from_secs(10));
        Ok(Pool::Postgres(options.connect_with(settings).await?))
    });
    let readers = readers.await?;
    Ok(Database { claim: Claim::Postgres(Box::new(address)), writer, readers, checkpointer: None })
}

/// Claims a database for work that must not run while the database is served.
pub(super) async fn claim(url: &str) -> Result<(Claim, Connection), OpenError> {
    let address = Address::of(url)?;
    let writer = address.writer_at_start().await?;
    Ok((Claim::Postgres(Box::new(address)), writer))
}

/// Opens a connection that reads a database, also while another process writes to it.
pub(super) async fn connect_to_read(url: &str) -> Result<Connection, OpenError> {
    // Reading everything has no time limit.
    let options = Address::of(url)?.0.options([("default_transaction_read_only", "on"), ("statement_timeout", "0")]);
    Ok(Connection::from(connected(&options).await?))
}

/// Checks that this server keeps its commits and can store every text.
pub(super) async fn check(connection: &mut PgConnection) -> Result<(), OpenError> {
    let mut setting = async |name: &'static str| {
        sqlx::query_scalar::<_, String>("SELECT current_setting($1)").bind(name).fetch_one(&mut *connection).await
    };
    for name in ["fsync", "full_page_writes"] {
        if setting(name).await? != "on" {
            return Err(OpenError::NotDurable { setting: name });
        }
    }
    let encoding = setting("server_encoding").await?;
    if encoding == "UTF8" { Ok(()) } else { Err(OpenError::NotUtf8 { encoding }) }
}

/// Returns the damage that Postgres can report without reading every page: failed checksums, invalid indexes and
/// constraints, references to missing rows.
pub(super) async fn damage(connection: &mut PgConnection) -> Result<Vec<String>, sqlx::Error> {
    let known = r#"
        SELECT 'the index ' || index.relname || ' is not valid'
        FROM pg_index JOIN pg_class index ON index.oid = pg_index.indexrelid
        WHERE index.relnamespace = current_schema()::regnamespace AND NOT pg_index.indisvalid
        UNION ALL
        SELECT 'the constraint ' || conname || ' is not validated'
        FROM pg_constraint WHERE connamespace = current_schema()::regnamespace AND NOT convalidated
        UNION ALL
        SELECT 'the checksums of ' || checksum_failures || ' pages were wrong'
        FROM pg_stat_database WHERE datname = current_database() AND checksum_failures > 0
    "#;
    let mut damage: Vec<String> = sqlx::query_scalar(known).fetch_all(&mut *connection).await?;
    let references = r#"
        SELECT format(
            'SELECT COUNT(*) FROM %s child WHERE NOT EXISTS (SELECT 1 FROM %s parent WHERE %s)',
            conrelid::regclass, confrelid::regclass, (
                SELECT string_agg(format('parent.%I = child.%I', parent.attname, child.attname), ' AND ')
                FROM unnest(confkey, conkey) AS pair (parent, child)
                JOIN pg_attribute parent ON parent.attrelid = confrelid AND parent.attnum = pair.parent
                JOIN pg_attribute child ON child.attrelid = conrelid AND child.attnum = pair.child
            )
        )
        FROM pg_constraint WHERE contype = 'f' AND connamespace = current_schema()::regnamespace
        ORDER BY conname
    "#;
    let references: Vec<String> = sqlx::query_scalar(references).fetch_all(&mut *connection).await?;
    let mut dangling = 0;
    for count in references {
        let count: i64 = sqlx::query_scalar(AssertSqlSafe(count)).fetch_one(&mut *connection).await?;
        dangling += count;
    }
    if dangling > 0 {
        damage.push(format!("{dangling} rows refer to rows that are not there"));
    }
    Ok(damage)
}

/// Returns the size of the database on the server's disk, bytes.
pub(crate) async fn bytes(reader: &mut Connection) -> Result<u64, sqlx::Error> {
    let bytes: i64 = sql::query_scalar("SELECT pg_database_size(current_database())").fetch_one(reader).await?;
    position("bytes", bytes)
}

/// Writes a row without changing it.
pub(super) async fn probe(writer: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE relay SET epoch = epoch").execute(writer).await.map(drop)
}

/// Translates a migration, which is written for SQLite, for Postgres.
///
/// Texts compare bytewise, as in SQLite, so that both engines have the same order and find the same rows.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::Location;

    #[tokio::test]
    async fn a_password_is_printed_nowhere() {
        let url = "postgres://dan:s3cret@localhost:1/relay";
        let address = Address::of(url).unwrap();
        let pool = Pool::Postgres(PgPoolOptions::new().connect_lazy_with(address.0.clone()));
        let failed = address.writer().await.unwrap_err();
        let location = Location::from(url.to_owned());
        for text in [format!("{address:?} {pool:?} {location:?} {location}"), format!("{failed} {failed:?}")] {
            assert!(!text.contains("s3cret"), "{text}");
        }
        for wrong in
            ["postgres://dan:s3cret@localhost:x/relay", "postgres://d@h/r?s3cret=1", "postgres://dan:1?s3cret@h/r"]
        {
            let refused = Address::of(wrong).unwrap_err();
            assert!(
                matches!(refused, OpenError::Url(_)) && !format!("{refused} {refused:?}").contains("s3cret"),
                "{wrong}"
            );
        }
    }

    #[test]
    fn a_connection_to_another_machine_is_encrypted_unless_the_operator_says_otherwise() {
        for (url, mode) in [
            ("postgres://localhost/relay", "Prefer"),
            ("postgres:///relay?host=/run/postgresql", "Prefer"),
            ("postgres://db.example/relay", "Require"),
            ("postgres://db.example/relay?sslmode=verify-full", "VerifyFull"),
            ("postgres://db.example/relay?sslmode=disable", "Disable"),
        ] {
            assert_eq!(format!("{:?}", Address::of(url).unwrap().0.get_ssl_mode()), mode, "{url}");
        }
    }

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
