//! Executes SQL on either engine, SQLite or Postgres, through their own drivers.
//!
//! A statement is one text for both: `$1`, `$2`… stand for values. Columns are BIGINT, DOUBLE PRECISION, TEXT and
//! bytes, and computed values are cast to one of these where the engines would differ. This module must not depend on
//! tables.

mod bulk;
mod columns;

use std::cell::Cell;
use std::time::{Duration, Instant};

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query as Prepared;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{
    Connection as _, Decode, Executor as _, FromRow, PgConnection, PgPool, Postgres, Row as _, SqlSafeStr, SqlStr,
    Sqlite, SqliteConnection, SqlitePool, Transaction, Type, ValueRef as _,
};
use tokio::time::timeout;

pub(crate) use self::bulk::{Bulk, delete_each, group, parameters, rows_of_each};
pub(crate) use self::columns::{Columns, Insert, Numbered, columns, is_null_of, names_of, numbers, one_column};
use crate::runtime::background_thread::yield_to_others;

/// A connection to a database, alone or borrowed from a pool.
#[derive(Debug)]
pub(crate) struct Connection(Inner);

#[derive(Debug)]
enum Inner {
    Sqlite(SqliteConnection),
    SqlitePooled(PoolConnection<Sqlite>),
    SqliteSnapshot(Transaction<'static, Sqlite>),
    Postgres(PgConnection),
    PostgresPooled(PoolConnection<Postgres>),
    PostgresSnapshot(Transaction<'static, Postgres>),
}

/// A connection of the driver, for code of one engine.
#[derive(Debug)]
pub(crate) enum Engine<'c> {
    Sqlite(&'c mut SqliteConnection),
    Postgres(&'c mut PgConnection),
}

impl From<SqliteConnection> for Connection {
    fn from(connection: SqliteConnection) -> Connection {
        Connection(Inner::Sqlite(connection))
    }
}

impl From<PgConnection> for Connection {
    fn from(connection: PgConnection) -> Connection {
        Connection(Inner::Postgres(connection))
    }
}

impl Connection {
    /// Returns the connection of the driver.
    pub(crate) fn engine(&mut self) -> Engine<'_> {
        match &mut self.0 {
            Inner::Sqlite(connection) => Engine::Sqlite(connection),
            Inner::SqlitePooled(connection) => Engine::Sqlite(connection),
            Inner::SqliteSnapshot(transaction) => Engine::Sqlite(transaction),
            Inner::Postgres(connection) => Engine::Postgres(connection),
            Inner::PostgresPooled(connection) => Engine::Postgres(connection),
            Inner::PostgresSnapshot(transaction) => Engine::Postgres(transaction),
        }
    }

    /// Begins a transaction that may write.
    ///
    /// SQLite rolls back by itself when the disk is full. The transactions of sqlx do not detect that and never begin
    /// another one, so the statements are executed here.
    pub(crate) async fn begin(&mut self) -> Result<(), sqlx::Error> {
        self.run("BEGIN IMMEDIATE", "BEGIN").await
    }

    /// Begins a transaction that sees one state of the database.
    pub(crate) async fn begin_snapshot(&mut self) -> Result<(), sqlx::Error> {
        self.run("BEGIN", SNAPSHOT).await
    }

    /// Commits the transaction; its writes are on disk when this returns.
    pub(crate) async fn commit(&mut self) -> Result<(), sqlx::Error> {
        self.run("COMMIT", "COMMIT").await
    }

    /// Rolls the transaction back.
    pub(crate) async fn roll_back(&mut self) -> Result<(), sqlx::Error> {
        self.run("ROLLBACK", "ROLLBACK").await
    }

    /// Returns whether the engine still answers.
    pub(crate) async fn is_alive(&mut self) -> bool {
        match self.engine() {
            Engine::Sqlite(connection) => connection.ping().await.is_ok(),
            Engine::Postgres(connection) => {
                matches!(timeout(PING_DEADLINE, connection.ping()).await, Ok(Ok(())))
            }
        }
    }

    /// Closes the connection.
    pub(crate) async fn close(self) -> Result<(), sqlx::Error> {
        match self.0 {
            Inner::Sqlite(connection) => connection.close().await,
            Inner::Postgres(connection) => connection.close().await,
            Inner::SqliteSnapshot(transaction) => transaction.rollback().await,
            Inner::PostgresSnapshot(transaction) => transaction.rollback().await,
            // Dropping it returns it to its pool.
            Inner::SqlitePooled(_) | Inner::PostgresPooled(_) => Ok(()),
        }
    }

    async fn run(&mut self, sqlite: &'static str, postgres: &'static str) -> Result<(), sqlx::Error> {
        record_statement(sqlite);
        match self.engine() {
            Engine::Sqlite(connection) => connection.execute(sqlite).await.map(drop),
            Engine::Postgres(connection) => connection.execute(postgres).await.map(drop),
        }
    }
}

/// Maximum time of an engine's answer to a ping.
const PING_DEADLINE: Duration = Duration::from_secs(5);

const SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// The steps of SQLite's virtual machine between two checks of the time limit: some tenths of a millisecond.
const STEPS_BETWEEN_CHECKS: i32 = 10_000;

/// Connections that can only read.
#[derive(Clone, Debug)]
pub(crate) enum Pool {
    /// Connections to SQLite and how they read.
    Sqlite(SqlitePool, Reading),
    /// Connections to Postgres, which interrupts statements by itself.
    Postgres(PgPool),
}

impl Pool {
    /// Returns a connection for statements that need not see one state of the database.
    pub(crate) async fn acquire(&self) -> Result<Connection, sqlx::Error> {
        Ok(Connection(match self {
            Pool::Sqlite(pool, reading) => {
                let mut connection = pool.acquire().await?;
                reading.begin(&mut connection).await?;
                Inner::SqlitePooled(connection)
            }
            Pool::Postgres(pool) => Inner::PostgresPooled(pool.acquire().await?),
        }))
    }

    /// Returns a connection that sees one state of the database.
    pub(crate) async fn snapshot(&self) -> Result<Connection, sqlx::Error> {
        Ok(Connection(match self {
            Pool::Sqlite(pool, reading) => {
                let mut transaction = pool.begin().await?;
                reading.begin(&mut transaction).await?;
                Inner::SqliteSnapshot(transaction)
            }
            Pool::Postgres(pool) => Inner::PostgresSnapshot(pool.begin_with(SNAPSHOT).await?),
        }))
    }

    /// Closes all connections, those in use when they are returned.
    pub(crate) async fn close(&self) {
        match self {
            Pool::Sqlite(pool, _) => pool.close().await,
            Pool::Postgres(pool) => pool.close().await,
        }
    }
}

/// How the connections of a pool read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reading {
    /// The time limit of a loan; a statement is interrupted after it.
    pub(crate) deadline: Option<Duration>,
    /// Whether long statements yield to sync.
    pub(crate) yields: bool,
}

impl Reading {
    /// Sets a progress handler that enforces the time limit, until the connection is lent again.
    async fn begin(self, connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        let Reading { deadline, yields } = self;
        let ends_at = deadline.map(|deadline| Instant::now() + deadline);
        // SQLite calls this on the thread that executes the connection's statements, which runs no other code of ours.
        let goes_on = move || {
            if yields {
                yield_once();
            }
            ends_at.is_none_or(|ends_at| Instant::now() < ends_at)
        };
        connection.lock_handle().await?.set_progress_handler(STEPS_BETWEEN_CHECKS, goes_on);
        Ok(())
    }
}

/// The decrease of the priority of a thread with a long read, as of nice(1): it gets a third of the time of a core that
/// others need, too.
const NICE: i32 = 5;

/// Lowers the priority of this thread at the first call on it.
fn yield_once() {
    thread_local! {
        static HAS_YIELDED: Cell<bool> = const { Cell::new(false) };
    }
    if !HAS_YIELDED.replace(true) {
        yield_to_others(NICE);
    }
}

/// Returns whether a statement was interrupted because it took too long.
pub(crate) fn was_interrupted(error: &sqlx::Error) -> bool {
    // SQLITE_INTERRUPT, and query_canceled of Postgres.
    error.as_database_error().and_then(|error| error.code()).is_some_and(|code| code == "9" || code == "57014")
}

/// A value of a statement.
#[derive(Debug)]
pub(crate) enum Value {
    Int(Option<i64>),
    Real(Option<f64>),
    Text(Option<String>),
    Bytes(Option<Vec<u8>>),
}

impl From<i64> for Value {
    fn from(value: i64) -> Value {
        Value::Int(Some(value))
    }
}

impl From<Option<i64>> for Value {
    fn from(value: Option<i64>) -> Value {
        Value::Int(value)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Value {
        Value::Real(Some(value))
    }
}

impl From<Option<f64>> for Value {
    fn from(value: Option<f64>) -> Value {
        Value::Real(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Value {
        Value::from(Some(value))
    }
}

impl From<Option<&str>> for Value {
    /// Postgres refuses texts with a NUL. No document's text has one, but a parameter of a request may.
    fn from(value: Option<&str>) -> Value {
        Value::Text(value.map(|text| text.replace('\0', "\u{fffd}")))
    }
}

impl From<&[u8]> for Value {
    fn from(value: &[u8]) -> Value {
        Value::Bytes(Some(value.to_vec()))
    }
}

impl From<[u8; 16]> for Value {
    fn from(id: [u8; 16]) -> Value {
        Value::from(id.as_slice())
    }
}

impl From<Option<&[u8]>> for Value {
    fn from(value: Option<&[u8]>) -> Value {
        Value::Bytes(value.map(<[u8]>::to_vec))
    }
}

impl From<Vec<u8>> for Value {
    fn from(value: Vec<u8>) -> Value {
        Value::Bytes(Some(value))
    }
}

impl From<Option<Vec<u8>>> for Value {
    fn from(value: Option<Vec<u8>>) -> Value {
        Value::Bytes(value)
    }
}

/// Types of columns, for both engines.
pub(crate) trait Column:
    for<'r> Decode<'r, Sqlite> + Type<Sqlite> + for<'r> Decode<'r, Postgres> + Type<Postgres>
{
}

impl<T> Column for T where T: for<'r> Decode<'r, Sqlite> + Type<Sqlite> + for<'r> Decode<'r, Postgres> + Type<Postgres> {}

/// Types of rows, for both engines: tuples of [`Column`]s.
pub(crate) trait Tuple: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> {}

impl<T> Tuple for T where T: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> {}

/// A row.
#[derive(Debug)]
pub(crate) enum SqlRow {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

impl SqlRow {
    /// Returns the value of a column.
    pub(crate) fn get<T: Column>(&self, column: &str) -> Result<T, sqlx::Error> {
        match self {
            SqlRow::Sqlite(row) => row.try_get(column),
            SqlRow::Postgres(row) => row.try_get(column),
        }
    }

    /// Returns the value of the columns of a field with this name.
    pub(crate) fn field<T: Columns>(&self, name: &'static str) -> Result<T, sqlx::Error> {
        T::read(self, "", name)
    }

    /// Returns the value of a column whose name has a prefix.
    pub(crate) fn get_behind<T: Column>(&self, prefix: &str, column: &str) -> Result<T, sqlx::Error> {
        if prefix.is_empty() { self.get(column) } else { self.get(&[prefix, column].concat()) }
    }

    /// Returns whether a column whose name has a prefix is NULL.
    pub(crate) fn is_null_behind(&self, prefix: &str, column: &str) -> Result<bool, sqlx::Error> {
        let name = [prefix, column].concat();
        match self {
            SqlRow::Sqlite(row) => Ok(row.try_get_raw(name.as_str())?.is_null()),
            SqlRow::Postgres(row) => Ok(row.try_get_raw(name.as_str())?.is_null()),
        }
    }

    fn columns<T: Tuple>(&self) -> Result<T, sqlx::Error> {
        match self {
            SqlRow::Sqlite(row) => T::from_row(row),
            SqlRow::Postgres(row) => T::from_row(row),
        }
    }
}

/// A statement with its values.
#[must_use]
#[derive(Debug)]
pub(crate) struct Query {
    sql: SqlStr,
    values: Vec<Value>,
}

/// A statement.
pub(crate) fn query(sql: impl SqlSafeStr) -> Query {
    Query { sql: sql.into_sql_str(), values: Vec::new() }
}

/// A statement that returns one column.
pub(crate) fn query_scalar(sql: impl SqlSafeStr) -> Scalar {
    Scalar(query(sql))
}

impl Query {
    /// Sets the next parameter.
    pub(crate) fn bind(mut self, value: impl Into<Value>) -> Query {
        self.values.push(value.into());
        self
    }

    /// Executes the statement and returns the number of written rows.
    pub(crate) async fn execute(self, connection: &mut Connection) -> Result<u64, sqlx::Error> {
        match connection.engine() {
            Engine::Sqlite(connection) => Ok(self.sqlite().execute(connection).await?.rows_affected()),
            Engine::Postgres(connection) => Ok(self.postgres().execute(connection).await?.rows_affected()),
        }
    }

    /// Returns all rows.
    pub(crate) async fn fetch_all<T: Tuple>(self, connection: &mut Connection) -> Result<Vec<T>, sqlx::Error> {
        self.rows(connection, |row| row.columns()).await
    }

    /// Returns the only row.
    pub(crate) async fn fetch_one<T: Tuple>(self, connection: &mut Connection) -> Result<T, sqlx::Error> {
        self.fetch_optional(connection).await?.ok_or(sqlx::Error::RowNotFound)
    }

    /// Returns the row, if there is one.
    pub(crate) async fn fetch_optional<T: Tuple>(self, connection: &mut Connection) -> Result<Option<T>, sqlx::Error> {
        self.row(connection).await?.map(|row| row.columns()).transpose()
    }

    /// Returns all rows, read by column names.
    pub(crate) async fn rows<T>(
        self,
        connection: &mut Connection,
        read: impl Fn(&SqlRow) -> Result<T, sqlx::Error>,
    ) -> Result<Vec<T>, sqlx::Error> {
        match connection.engine() {
            Engine::Sqlite(connection) => {
                let rows = self.sqlite().fetch_all(connection).await?;
                rows.into_iter().map(|row| read(&SqlRow::Sqlite(row))).collect()
            }
            Engine::Postgres(connection) => {
                let rows = self.postgres().fetch_all(connection).await?;
                rows.into_iter().map(|row| read(&SqlRow::Postgres(row))).collect()
            }
        }
    }

    /// Returns the row, if there is one, to be read by column names.
    pub(crate) async fn row(self, connection: &mut Connection) -> Result<Option<SqlRow>, sqlx::Error> {
        Ok(match connection.engine() {
            Engine::Sqlite(connection) => self.sqlite().fetch_optional(connection).await?.map(SqlRow::Sqlite),
            Engine::Postgres(connection) => self.postgres().fetch_optional(connection).await?.map(SqlRow::Postgres),
        })
    }

    fn sqlite(self) -> Prepared<'static, Sqlite, SqliteArguments> {
        record_statement(self.sql.as_str());
        self.values.into_iter().fold(sqlx::query(self.sql), |query, value| match value {
            Value::Int(value) => query.bind(value),
            Value::Real(value) => query.bind(value),
            Value::Text(value) => query.bind(value),
            Value::Bytes(value) => query.bind(value),
        })
    }

    fn postgres(self) -> Prepared<'static, Postgres, PgArguments> {
        record_statement(self.sql.as_str());
        self.values.into_iter().fold(sqlx::query(self.sql), |query, value| match value {
            Value::Int(value) => query.bind(value),
            Value::Real(value) => query.bind(value),
            Value::Text(value) => query.bind(value),
            Value::Bytes(value) => query.bind(value),
        })
    }
}

thread_local! {
    static STATEMENTS: Cell<u64> = const { Cell::new(0) };
}

/// Returns the number of statements executed on this thread.
pub(crate) fn statements_executed() -> u64 {
    STATEMENTS.get()
}

/// Reports the text of a statement, never its values, at the most detailed log level.
fn record_statement(statement: &str) {
    STATEMENTS.set(STATEMENTS.get().wrapping_add(1));
    tracing::trace!(statement, "said");
}

/// A statement that returns one column, with its values.
#[must_use]
#[derive(Debug)]
pub(crate) struct Scalar(Query);

impl Scalar {
    /// Sets the next parameter.
    pub(crate) fn bind(self, value: impl Into<Value>) -> Scalar {
        Scalar(self.0.bind(value))
    }

    /// Returns the column of all rows.
    pub(crate) async fn fetch_all<T>(self, connection: &mut Connection) -> Result<Vec<T>, sqlx::Error>
    where
        (T,): Tuple,
    {
        self.0.rows(connection, |row| row.columns().map(|(value,)| value)).await
    }

    /// Returns the column of the only row.
    pub(crate) async fn fetch_one<T>(self, connection: &mut Connection) -> Result<T, sqlx::Error>
    where
        (T,): Tuple,
    {
        self.0.fetch_one(connection).await.map(|(value,)| value)
    }

    /// Returns the column of the row, if there is one.
    pub(crate) async fn fetch_optional<T>(self, connection: &mut Connection) -> Result<Option<T>, sqlx::Error>
    where
        (T,): Tuple,
    {
        Ok(self.0.fetch_optional(connection).await?.map(|(value,)| value))
    }
}
