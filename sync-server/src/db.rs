//! The database: how it is opened, and the columns that several tables share.
//!
//! There is one connection that writes, owned by the [`Writer`](crate::writer::Writer), and a pool of connections that
//! can only read. All SQL about a table stands in the file named after it. Each statement is one text for SQLite and
//! Postgres ([`sql`]), the migrations' too; what only one engine knows is in [`sqlite`] and [`postgres`].

pub(crate) mod accounts;
pub(crate) mod address_days;
pub(crate) mod cars;
pub(crate) mod change_log;
pub(crate) mod comments;
pub(crate) mod data_file;
pub(crate) mod documents;
pub(crate) mod drive_totals;
pub(crate) mod drives;
pub(crate) mod due;
pub(crate) mod engagement;
pub(crate) mod feed;
pub(crate) mod feed_items;
pub(crate) mod follows;
pub(crate) mod meet_search;
pub(crate) mod meets;
pub(crate) mod order;
pub(crate) mod postgres;
pub(crate) mod profiles;
pub(crate) mod published;
pub(crate) mod reactions;
pub(crate) mod read_models;
pub(crate) mod relay;
pub(crate) mod roads;
pub(crate) mod rsvps;
pub(crate) mod snapshots;
pub(crate) mod sql;
pub(crate) mod sqlite;
pub(crate) mod unbound;

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::{AssertSqlSafe, SqlSafeStr};
use tourismo_core::id::{AccountId, ChangeHash, DocId};
use tourismo_core::time::Timestamp;

pub use self::data_file::ClaimError;
use self::data_file::{DataFile, to_read};
use crate::db::relay::{Identity, Secret};
use crate::db::sql::{Connection, Engine, Pool, Reading, SqlRow, Value};
use crate::db::sqlite::Checkpointer;
use crate::runtime::random;

/// How many connections read at the same time: for answers over HTTP, for sync, for open streams, and for the work that
/// nobody waits for. None of them can use up the connections of another.
pub(crate) const ANSWER_READERS: u32 = 4;
const SYNC_READERS: u32 = 4;
const STREAM_READERS: u32 = 2;
const BACKGROUND_READERS: u32 = 3;

/// How long a connection may read for one answer, or for one event, before it is interrupted.
const READ_DEADLINE: Duration = Duration::from_secs(5);

/// How long a connection may read for one message of a sync connection.
const SYNC_READ_DEADLINE: Duration = Duration::from_secs(20);

/// The schema, step by step, in SQLite's words. Steps that were released are never edited.
const MIGRATIONS: [(i64, &str, &str); 17] = [
    (1, "log and read models", include_str!("../migrations/0001_log_and_read_models.sql")),
    (2, "usage and quarantine", include_str!("../migrations/0002_usage_and_quarantine.sql")),
    (3, "changes by document", include_str!("../migrations/0003_change_by_doc.sql")),
    (4, "snapshots", include_str!("../migrations/0004_snapshots.sql")),
    (5, "people", include_str!("../migrations/0005_people.sql")),
    (6, "roads", include_str!("../migrations/0006_roads.sql")),
    (7, "road squares", include_str!("../migrations/0007_road_squares.sql")),
    (8, "meets by place", include_str!("../migrations/0008_meets_by_place.sql")),
    (9, "vouched", include_str!("../migrations/0009_vouched.sql")),
    (10, "road squares covered", include_str!("../migrations/0010_road_squares_covered.sql")),
    (12, "last good rows and address days", include_str!("../migrations/0012_last_good_rows_and_address_days.sql")),
    (14, "newest received", include_str!("../migrations/0014_newest_received.sql")),
    (15, "order of public lists", include_str!("../migrations/0015_order_of_public_lists.sql")),
    (40, "offsets from UTC", include_str!("../migrations/0040_utc_offsets.sql")),
    (41, "ids of accounts", include_str!("../migrations/0041_ids_of_accounts.sql")),
    (50, "due documents", include_str!("../migrations/0050_due_documents.sql")),
    (60, "links of meets", include_str!("../migrations/0060_links_of_meets.sql")),
];

/// Where the database is.
#[derive(Clone, PartialEq, Eq)]
pub enum Location {
    /// An SQLite file, made if it is not there.
    File(PathBuf),
    /// The URL of a Postgres database, which must be there. It may hold a password, and is never printed.
    Postgres(String),
}

/// Why the database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it, or its files cannot be used.
    #[error(transparent)]
    Claim(#[from] ClaimError),
    /// Another server writes to this Postgres database.
    #[error("another server writes to this database: stop it first")]
    Taken,
    /// The engine refuses to open it, or cannot read it.
    #[error("the database cannot be opened: {0}")]
    Database(#[from] sqlx::Error),
    /// Its schema cannot be brought up to date.
    #[error("the schema cannot be brought up to date: {0}")]
    Migrate(MigrateError),
    /// Its schema has steps that this version does not know.
    #[error("the database was written by a newer version of this program: start that one, or restore an older backup")]
    Newer,
    /// The SQLite that this binary is linked with may lose commits.
    #[error("SQLite {found} may lose commits; at least 3.51.3 is needed")]
    OldSqlite {
        /// Its version.
        found: String,
    },
    /// The URL of the Postgres database cannot be understood.
    #[error("the database's URL cannot be used: {0}")]
    Url(&'static str),
    /// The Postgres server does not wait for its disk, so that nothing could be promised.
    #[error("this Postgres may lose commits: {setting} is off")]
    NotDurable {
        /// The setting that would have to be on.
        setting: &'static str,
    },
    /// The Postgres database cannot hold every text.
    #[error("the database's encoding is {encoding}: make one with ENCODING 'UTF8'")]
    NotUtf8 {
        /// The encoding it has.
        encoding: String,
    },
    /// The database was written by another version of this program, or is another relay's, or had another life begun.
    #[error("the database is not the one that it was: start the server again")]
    Changed,
}

impl From<MigrateError> for OpenError {
    fn from(error: MigrateError) -> OpenError {
        if let MigrateError::VersionMissing(_) = error { OpenError::Newer } else { OpenError::Migrate(error) }
    }
}

/// An open database: the connection that writes, those that read, and the right to write.
#[derive(Debug)]
pub(crate) struct Database {
    pub(crate) claim: Claim,
    pub(crate) writer: Connection,
    pub(crate) readers: Readers,
    /// What moves the write-ahead log of an SQLite file.
    pub(crate) checkpointer: Option<Checkpointer>,
}

/// Connections that can only read, apart for each use.
#[derive(Clone, Debug)]
pub(crate) struct Readers {
    /// For answers over HTTP.
    pub(crate) answers: Pool,
    /// For sync connections: the handshake, catching up, fetching, comparing.
    pub(crate) sync: Pool,
    /// For the events of open streams.
    pub(crate) streams: Pool,
    /// For the compactor, the road builder, and figures about everything. They may take as long as they need.
    pub(crate) background: Pool,
}

impl Readers {
    /// Four pools, by how many connections each has and how each reads. Whoever syncs comes first.
    async fn new(pool: impl AsyncFn(u32, Reading) -> Result<Pool, sqlx::Error>) -> Result<Readers, sqlx::Error> {
        let answers = Reading { deadline: Some(READ_DEADLINE), yields: true };
        let sync = Reading { deadline: Some(SYNC_READ_DEADLINE), yields: false };
        let background = Reading { deadline: None, yields: true };
        Ok(Readers {
            answers: pool(ANSWER_READERS, answers).await?,
            sync: pool(SYNC_READERS, sync).await?,
            streams: pool(STREAM_READERS, answers).await?,
            background: pool(BACKGROUND_READERS, background).await?,
        })
    }
}

/// The right to write to a database, which at most one process has at a time.
#[derive(Debug)]
pub(crate) enum Claim {
    /// Of an SQLite file.
    File {
        /// Which file it is.
        file: DataFile,
    },
    /// The connection that writes to Postgres holds it, as a lock. This is how to have it again.
    Postgres(Box<postgres::Address>),
}

impl Database {
    /// Claims and opens the database, and brings its schema up to date.
    ///
    /// `max_bytes` caps the size of an SQLite file; beyond it, writes fail as on a full disk.
    pub(crate) async fn open(
        location: &Location,
        max_bytes: Option<u64>,
        durability: Durability,
    ) -> Result<Database, OpenError> {
        match location {
            Location::File(path) => sqlite::open(path, max_bytes, durability).await,
            Location::Postgres(url) => postgres::open(url).await,
        }
    }
}

impl Claim {
    /// Claims a database for what nobody may do while it is served.
    pub(crate) async fn alone(location: &Location) -> Result<(Claim, Connection), OpenError> {
        match location {
            Location::File(path) => {
                to_read(path)?;
                let file = DataFile::claim(path).await?;
                let connection = sqlite::connect_beside_others(file.path()).await?;
                Ok((Claim::File { file }, connection))
            }
            Location::Postgres(url) => postgres::claim(url).await,
        }
    }

    /// Looks whether what is written still goes to the database that its name leads to.
    pub(crate) fn is_in_place(&self) -> Result<(), ClaimError> {
        match self {
            Claim::File { file } => file.is_in_place(),
            // A connection does not outlive its database.
            Claim::Postgres(_) => Ok(()),
        }
    }

    /// Another connection that writes, in place of one that was lost, with the right to write taken again. Fails unless the
    /// database is still what it was. `None` if connections to it are not lost.
    pub(crate) async fn reconnect(&self, identity: Identity) -> Result<Option<Connection>, OpenError> {
        match self {
            Claim::File { .. } => Ok(None),
            Claim::Postgres(address) => {
                let mut writer = address.writer().await?;
                let found = relay::identity(&mut writer).await?;
                if found != Some(identity) || !has_current_schema(&mut writer).await? {
                    return Err(OpenError::Changed);
                }
                Ok(Some(writer))
            }
        }
    }

    /// How long a transaction may take before it is given up, with its connection. A file is waited for: its disk is all
    /// there is.
    pub(crate) fn patience(&self) -> Option<Duration> {
        match self {
            Claim::File { .. } => None,
            Claim::Postgres(_) => Some(Duration::from_secs(60)),
        }
    }
}

/// A connection that reads a database, whoever writes to it meanwhile.
pub(crate) async fn connect_to_read(location: &Location) -> Result<Connection, OpenError> {
    match location {
        Location::File(path) => Ok(sqlite::connect_to_read(&to_read(path)?).await?),
        Location::Postgres(url) => postgres::connect_to_read(url).await,
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

impl From<String> for Location {
    /// A URL of Postgres, or else the name of a file.
    fn from(text: String) -> Location {
        let is_url = ["postgres://", "postgresql://"].iter().any(|scheme| text.starts_with(scheme));
        if is_url { Location::Postgres(text) } else { Location::File(text.into()) }
    }
}

impl From<PathBuf> for Location {
    fn from(path: PathBuf) -> Location {
        Location::File(path)
    }
}

impl From<&Path> for Location {
    fn from(path: &Path) -> Location {
        Location::File(path.to_owned())
    }
}

impl fmt::Display for Location {
    /// Without the URL.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Location::File(path) => path.display().fmt(f),
            Location::Postgres(_) => f.write_str("the Postgres database"),
        }
    }
}

impl fmt::Debug for Location {
    /// Without the URL.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Location::File(path) => f.debug_tuple("File").field(path).finish(),
            Location::Postgres(_) => f.write_str("Postgres"),
        }
    }
}

/// Brings the schema up to date, with an engine that is good enough.
pub(crate) async fn bring_up_to_date(writer: &mut Connection) -> Result<(), OpenError> {
    match writer.engine() {
        Engine::Sqlite(writer) => {
            sqlite::check(writer).await?;
            migrator(str::to_owned).run(writer).await?;
        }
        Engine::Postgres(writer) => {
            postgres::check(writer).await?;
            migrator(postgres::in_its_words).run(writer).await?;
        }
    }
    relay::make_secret(writer, &Secret(random())).await?;
    Ok(())
}

/// What the engine itself finds wrong with what it stores, in words that hold nothing of what that is.
pub(crate) async fn damage(connection: &mut Connection) -> Result<Vec<String>, sqlx::Error> {
    match connection.engine() {
        Engine::Sqlite(connection) => sqlite::damage(connection).await,
        Engine::Postgres(connection) => postgres::damage(connection).await,
    }
}

/// Looks whether the schema is the one that this version writes.
pub(crate) async fn has_current_schema(connection: &mut Connection) -> Result<bool, sqlx::Error> {
    let newest: i64 = sql::query_scalar("SELECT MAX(version) FROM _sqlx_migrations").fetch_one(connection).await?;
    Ok(MIGRATIONS.last().is_some_and(|(version, ..)| *version == newest))
}

/// Writes something, in the transaction that is open, to see whether anything can be written.
pub(crate) async fn probe(writer: &mut Connection) -> Result<(), sqlx::Error> {
    match writer.engine() {
        Engine::Sqlite(writer) => sqlite::probe(writer).await,
        Engine::Postgres(writer) => postgres::probe(writer).await,
    }
}

/// Leaves the database as one file if it is one, and closes the connection.
pub(crate) async fn close(mut writer: Connection) -> Result<(), sqlx::Error> {
    checkpoint(&mut writer).await?;
    writer.close().await
}

/// How many bytes the database takes: its file, or what its server says.
pub(crate) async fn bytes(reader: &mut Connection) -> Result<u64, sqlx::Error> {
    match reader.engine() {
        Engine::Sqlite(reader) => sqlite::bytes(reader).await,
        Engine::Postgres(_) => postgres::bytes(reader).await,
    }
}

/// Moves what the write-ahead log holds into the database file, if it is one.
pub(crate) async fn checkpoint(writer: &mut Connection) -> Result<(), sqlx::Error> {
    match writer.engine() {
        Engine::Sqlite(writer) => sqlite::checkpoint(writer).await,
        Engine::Postgres(_) => Ok(()),
    }
}

fn migrator(translate: impl Fn(&str) -> String) -> Migrator {
    let step = |(version, name, sql): (i64, &'static str, &'static str)| {
        let sql = AssertSqlSafe(translate(sql)).into_sql_str();
        Migration::new(version, name.into(), MigrationType::Simple, sql, false)
    };
    Migrator::with_migrations(MIGRATIONS.into_iter().map(step).collect())
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

fn account_in(row: &SqlRow, column: &'static str) -> Result<AccountId, sqlx::Error> {
    fixed(column, &row.get::<Vec<u8>>(column)?).map(AccountId::from_bytes)
}

fn doc_in(row: &SqlRow, column: &'static str) -> Result<DocId, sqlx::Error> {
    fixed(column, &row.get::<Vec<u8>>(column)?).map(DocId::from_bytes)
}

fn optional_doc_in(row: &SqlRow, column: &'static str) -> Result<Option<DocId>, sqlx::Error> {
    row.get::<Option<Vec<u8>>>(column)?.map(|id| fixed(column, &id).map(DocId::from_bytes)).transpose()
}

fn time_in(row: &SqlRow, column: &'static str) -> Result<Timestamp, sqlx::Error> {
    row.get(column).map(Timestamp)
}

fn optional_time_in(row: &SqlRow, column: &'static str) -> Result<Option<Timestamp>, sqlx::Error> {
    Ok(row.get::<Option<i64>>(column)?.map(Timestamp))
}

impl From<AccountId> for Value {
    fn from(account: AccountId) -> Value {
        Value::from(account.as_bytes().as_slice())
    }
}

impl From<Option<AccountId>> for Value {
    fn from(account: Option<AccountId>) -> Value {
        Value::Bytes(account.map(|account| account.as_bytes().to_vec()))
    }
}

impl From<DocId> for Value {
    fn from(doc: DocId) -> Value {
        Value::from(doc.as_bytes().as_slice())
    }
}

impl From<Option<DocId>> for Value {
    fn from(doc: Option<DocId>) -> Value {
        Value::Bytes(doc.map(|doc| doc.as_bytes().to_vec()))
    }
}

impl From<Timestamp> for Value {
    fn from(at: Timestamp) -> Value {
        Value::from(at.as_millis())
    }
}

impl From<Option<Timestamp>> for Value {
    fn from(at: Option<Timestamp>) -> Value {
        Value::Int(at.map(Timestamp::as_millis))
    }
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
    fn a_column_of_hashes_is_read_back_or_refused_as_a_whole() {
        let two = vec![ChangeHash([1; 32]), ChangeHash([2; 32])];
        assert_eq!(hashes("heads", &concatenated(&two)).unwrap(), two);
        assert!(hashes("heads", &[0; 33]).is_err());
    }
}
