//! A database per test, on the engine of this run of the tests, and queries on it that bypass the relay. The SQL is the
//! same for both engines, except for bytes literals.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, SqliteConnection};
use tempfile::TempDir;
use tourismo_core::id::{AccountId, ChangeHash};
use tourismo_server::Location;
use tourismo_test_postgres::Cluster;

/// The environment variable that chooses the engine of a run: `postgres`, or SQLite if it is absent.
pub(crate) const ENGINE: &str = "TOURISMO_TEST_ENGINE";

/// A database. It is deleted when the last clone is dropped.
#[derive(Clone, Debug)]
pub(crate) struct Database {
    location: Location,
    keeper: Option<Arc<Keeper>>,
}

#[derive(Debug)]
enum Keeper {
    Folder { _folder: TempDir },
    Postgres(tourismo_test_postgres::Database<'static>),
}

enum Connected {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Database {
    /// An empty database on this run's engine.
    pub(crate) fn fresh() -> Database {
        match std::env::var(ENGINE).as_deref() {
            Ok("postgres") => Database::postgres(),
            Ok(other) => panic!("there is no engine {other}"),
            Err(_) => Database::file(),
        }
    }

    /// An empty SQLite database, for tests of what only a database file has.
    pub(crate) fn file() -> Database {
        let folder = tempfile::tempdir().unwrap();
        let location = Location::File(folder.path().join("tourismo.sqlite"));
        Database { location, keeper: Some(Arc::new(Keeper::Folder { _folder: folder })) }
    }

    /// An empty Postgres database, for tests of what only Postgres has.
    pub(crate) fn postgres() -> Database {
        Database::lent(Cluster::shared().lend().unwrap())
    }

    fn lent(database: tourismo_test_postgres::Database<'static>) -> Database {
        let location = Location::Postgres(database.url());
        Database { location, keeper: Some(Arc::new(Keeper::Postgres(database))) }
    }

    /// A copy of this Postgres database, made with `pg_dump` and `pg_restore`.
    pub(crate) fn dumped_and_restored(&self) -> Database {
        match self.keeper.as_deref() {
            Some(Keeper::Postgres(database)) => Database::lent(database.dumped_and_restored().unwrap()),
            Some(Keeper::Folder { .. }) | None => panic!("this is about Postgres"),
        }
    }

    pub(crate) fn location(&self) -> &Location {
        &self.location
    }

    /// The file of an SQLite database.
    pub(crate) fn path(&self) -> PathBuf {
        match &self.location {
            Location::File(path) => path.clone(),
            Location::Postgres(_) => panic!("a Postgres database is no file"),
        }
    }

    pub(crate) fn is_file(&self) -> bool {
        matches!(self.location, Location::File(_))
    }

    /// The SQL literal of bytes.
    pub(crate) fn bytes(&self, bytes: &[u8]) -> String {
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        if self.is_file() { format!("x'{hex}'") } else { format!(r"'\x{hex}'::bytea") }
    }

    /// The number that a query returns on another connection.
    pub(crate) async fn ask(&self, sql: &str) -> i64 {
        match self.connect().await {
            Connected::Sqlite(mut to) => sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut to).await.unwrap(),
            Connected::Postgres(mut to) => sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut to).await.unwrap(),
        }
    }

    /// Executes a statement that the relay would not execute, with foreign keys unchecked, and returns the number of
    /// rows written.
    pub(crate) async fn write(&self, sql: &str) -> u64 {
        let sql = AssertSqlSafe(sql);
        match self.connect().await {
            Connected::Sqlite(mut to) => {
                to.execute("PRAGMA foreign_keys = OFF").await.unwrap();
                let done = sqlx::query(sql).execute(&mut to).await.unwrap();
                to.close().await.unwrap();
                done.rows_affected()
            }
            Connected::Postgres(mut to) => {
                to.execute("SET session_replication_role = replica").await.unwrap();
                let done = sqlx::query(sql).execute(&mut to).await.unwrap();
                to.close().await.unwrap();
                done.rows_affected()
            }
        }
    }

    /// Makes Postgres refuse large changes as a full disk would. An SQLite file is given a maximum size.
    pub(crate) async fn fill_up(&self) {
        if !self.is_file() {
            self.write(
                "CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS \
                 $$ BEGIN RAISE EXCEPTION USING ERRCODE = 'disk_full', MESSAGE = 'no room'; END $$",
            )
            .await;
            self.write(
                "CREATE TRIGGER no_room BEFORE INSERT ON change FOR EACH ROW WHEN (LENGTH(NEW.chunk) > 100000) \
                 EXECUTE FUNCTION no_room()",
            )
            .await;
        }
    }

    /// Undoes [`Self::fill_up`].
    pub(crate) async fn make_room(&self) {
        if !self.is_file() {
            self.write("DROP TRIGGER no_room ON change").await;
        }
    }

    /// Makes the engine refuse the rows of an account in a projected table. These rows are written last in a
    /// transaction.
    pub(crate) async fn refuse_rows(&self, table: &str, account: &AccountId) {
        let is_theirs = format!("NEW.account = {}", self.bytes(account.as_bytes()));
        if self.is_file() {
            let refuse = "BEGIN SELECT RAISE(ABORT, 'no'); END";
            self.write(&format!("CREATE TRIGGER no_rows BEFORE INSERT ON {table} WHEN {is_theirs} {refuse}")).await;
        } else {
            self.write(
                "CREATE FUNCTION no_rows() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$",
            )
            .await;
            self.write(&format!(
                "CREATE TRIGGER no_rows BEFORE INSERT ON {table} FOR EACH ROW WHEN ({is_theirs}) EXECUTE FUNCTION no_rows()"
            ))
            .await;
        }
    }

    /// Undoes [`Self::refuse_rows`].
    pub(crate) async fn accept_rows(&self, table: &str) {
        if self.is_file() {
            self.write("DROP TRIGGER no_rows").await;
        } else {
            self.write(&format!("DROP TRIGGER no_rows ON {table}")).await;
            self.write("DROP FUNCTION no_rows").await;
        }
    }

    /// The hashes of all changes that are stored one by one.
    pub(crate) async fn names(&self) -> Vec<ChangeHash> {
        let sql = "SELECT hash FROM change ORDER BY account, seq";
        let names: Vec<Vec<u8>> = match self.connect().await {
            Connected::Sqlite(mut to) => sqlx::query_scalar(sql).fetch_all(&mut to).await.unwrap(),
            Connected::Postgres(mut to) => sqlx::query_scalar(sql).fetch_all(&mut to).await.unwrap(),
        };
        names.into_iter().map(|name| ChangeHash(name.try_into().unwrap())).collect()
    }

    async fn connect(&self) -> Connected {
        match &self.location {
            Location::File(path) => {
                let url = format!("sqlite://{}", path.display());
                Connected::Sqlite(SqliteConnection::connect(&url).await.unwrap())
            }
            Location::Postgres(url) => Connected::Postgres(PgConnection::connect(url).await.unwrap()),
        }
    }
}

impl From<&Path> for Database {
    /// A file that the caller deletes.
    fn from(path: &Path) -> Database {
        Database { location: path.into(), keeper: None }
    }
}
