//! The database: opening it, and columns that several tables share.
//!
//! One connection writes; the [`Writer`](crate::writer::Writer) owns it. Pools of connections can only read. All SQL of
//! a table is in the file named after the table. Each statement, including migrations, is one text for SQLite and
//! Postgres ([`sql`]); code for one engine only is in [`sqlite`] and [`postgres`].

pub(crate) mod accounts;
pub(crate) mod address_days;
pub(crate) mod cars;
pub(crate) mod change_log;
pub(crate) mod comments;
pub(crate) mod data_file;
pub(crate) mod decisions;
pub(crate) mod documents;
pub(crate) mod drive_totals;
pub(crate) mod drives;
pub(crate) mod due;
pub(crate) mod engagement;
pub(crate) mod feed;
pub(crate) mod feed_items;
pub(crate) mod follows;
pub(crate) mod hidden_comments;
pub(crate) mod inbox;
pub(crate) mod invitations;
pub(crate) mod meet_search;
pub(crate) mod meets;
pub(crate) mod membership;
pub(crate) mod order;
pub(crate) mod postgres;
pub(crate) mod profiles;
pub(crate) mod published;
pub(crate) mod reactions;
pub(crate) mod read_models;
pub(crate) mod relay;
pub(crate) mod reports;
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

/// Maximum number of connections that read at the same time: for HTTP answers, for sync, for event streams, and for
/// background work. The pools are separate, so that none of these can exhaust the connections of another.
pub(crate) const ANSWER_READERS: u32 = 4;
const SYNC_READERS: u32 = 4;
const STREAM_READERS: u32 = 2;
const BACKGROUND_READERS: u32 = 3;

/// Maximum time of a read for one answer or one event; then it is interrupted.
const READ_DEADLINE: Duration = Duration::from_secs(5);

/// Maximum time of a read for one message of a sync connection.
const SYNC_READ_DEADLINE: Duration = Duration::from_secs(20);

/// The migrations, as SQLite text: the files of `migrations/`, listed by `build.rs`. Released ones are never edited.
const MIGRATIONS: &[(i64, &str, &str)] = &include!(concat!(env!("OUT_DIR"), "/migrations.rs"));

/// The location of the database.
#[derive(Clone, PartialEq, Eq)]
pub enum Location {
    /// An SQLite file, created if it does not exist.
    File(PathBuf),
    /// The URL of an existing Postgres database. It may contain a password and is never printed.
    Postgres(String),
}

/// Why the database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process uses it, or its files cannot be used.
    #[error(transparent)]
    Claim(#[from] ClaimError),
    /// Another server writes to this Postgres database.
    #[error("another server writes to this database: stop it first")]
    Taken,
    /// The engine cannot open or read it.
    #[error("the database cannot be opened: {0}")]
    Database(#[from] sqlx::Error),
    /// Its schema cannot be migrated.
    #[error("the schema cannot be brought up to date: {0}")]
    Migrate(MigrateError),
    /// Its schema has migrations of a newer version.
    #[error("the database was written by a newer version of this program: start that one, or restore an older backup")]
    Newer,
    /// The linked SQLite may lose commits.
    #[error("SQLite {found} may lose commits; at least 3.51.3 is needed")]
    OldSqlite {
        /// Its version.
        found: String,
    },
    /// The URL of the Postgres database is invalid.
    #[error("the database's URL cannot be used: {0}")]
    Url(&'static str),
    /// The Postgres server does not wait for its disk, so acknowledgements would not be durable.
    #[error("this Postgres may lose commits: {setting} is off")]
    NotDurable {
        /// The setting that must be on.
        setting: &'static str,
    },
    /// The Postgres database cannot store every text.
    #[error("the database's encoding is {encoding}: make one with ENCODING 'UTF8'")]
    NotUtf8 {
        /// Its encoding.
        encoding: String,
    },
    /// Another version of this program wrote to the database, or it is another relay's, or a new epoch was begun.
    #[error("the database is not the one that it was: start the server again")]
    Changed,
}

impl From<MigrateError> for OpenError {
    fn from(error: MigrateError) -> OpenError {
        if let MigrateError::VersionMissing(_) = error { OpenError::Newer } else { OpenError::Migrate(error) }
    }
}

/// An open database: the connection that writes, the pools that read, and the claim.
#[derive(Debug)]
pub(crate) struct Database {
    pub(crate) claim: Claim,
    pub(crate) writer: Connection,
    pub(crate) readers: Readers,
    /// The checkpointer of an SQLite file.
    pub(crate) checkpointer: Option<Checkpointer>,
}

/// Connections that can only read, one pool for each use.
#[derive(Clone, Debug)]
pub(crate) struct Readers {
    /// For HTTP answers.
    pub(crate) answers: Pool,
    /// For sync connections: the handshake, catching up, fetching, comparing.
    pub(crate) sync: Pool,
    /// For events of open streams.
    pub(crate) streams: Pool,
    /// For the compactor, the road builder, and statistics over everything. Their reads have no time limit.
    pub(crate) background: Pool,
}

impl Readers {
    /// Creates the four pools with their numbers of connections and their ways of reading. Sync comes first.
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

/// The exclusive right to write to a database.
#[derive(Debug)]
pub(crate) enum Claim {
    /// The claim of an SQLite file.
    File {
        /// The file.
        file: DataFile,
    },
    /// A lock that the writing connection to Postgres holds, with the address to take it again.
    Postgres(Box<postgres::Address>),
}

impl Database {
    /// Claims and opens the database, and migrates its schema.
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
    /// Claims a database for work that must not run while the database is served.
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

    /// Checks that writes still go to the database of this name.
    pub(crate) fn is_in_place(&self) -> Result<(), ClaimError> {
        match self {
            Claim::File { file } => file.is_in_place(),
            // A connection ends with its database.
            Claim::Postgres(_) => Ok(()),
        }
    }

    /// Opens another connection that writes, after one was lost, and claims the database again. Fails if the database
    /// has changed. Returns `None` if connections to it cannot be lost.
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

    /// Returns how long a transaction may take before it is given up with its connection. A file has no limit, because
    /// there is no other disk.
    pub(crate) fn patience(&self) -> Option<Duration> {
        match self {
            Claim::File { .. } => None,
            Claim::Postgres(_) => Some(Duration::from_secs(60)),
        }
    }
}

/// Opens a connection that reads a database, also while another process writes to it.
pub(crate) async fn connect_to_read(location: &Location) -> Result<Connection, OpenError> {
    match location {
        Location::File(path) => Ok(sqlite::connect_to_read(&to_read(path)?).await?),
        Location::Postgres(url) => postgres::connect_to_read(url).await,
    }
}

/// When commits are synced to the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// Before the commit returns (`synchronous = FULL`).
    #[default]
    EveryCommit,
    /// Some time later (`synchronous = NORMAL`): a power cut loses acknowledged changes. Exists only for the test that
    /// shows this.
    Checkpoints,
}

impl From<String> for Location {
    /// Parses a URL of Postgres, or else the name of a file.
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
    /// Prints no URL.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Location::File(path) => path.display().fmt(f),
            Location::Postgres(_) => f.write_str("the Postgres database"),
        }
    }
}

impl fmt::Debug for Location {
    /// Prints no URL.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Location::File(path) => f.debug_tuple("File").field(path).finish(),
            Location::Postgres(_) => f.write_str("Postgres"),
        }
    }
}

/// Checks the engine's version and migrates the schema.
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

/// Returns the damage that the engine finds, described without any stored content.
pub(crate) async fn damage(connection: &mut Connection) -> Result<Vec<String>, sqlx::Error> {
    match connection.engine() {
        Engine::Sqlite(connection) => sqlite::damage(connection).await,
        Engine::Postgres(connection) => postgres::damage(connection).await,
    }
}

/// Returns whether the schema is that of this version.
pub(crate) async fn has_current_schema(connection: &mut Connection) -> Result<bool, sqlx::Error> {
    let newest: i64 = sql::query_scalar("SELECT MAX(version) FROM _sqlx_migrations").fetch_one(connection).await?;
    Ok(MIGRATIONS.last().is_some_and(|(version, ..)| *version == newest))
}

/// Writes within the open transaction, to check that writing works.
pub(crate) async fn probe(writer: &mut Connection) -> Result<(), sqlx::Error> {
    match writer.engine() {
        Engine::Sqlite(writer) => sqlite::probe(writer).await,
        Engine::Postgres(writer) => postgres::probe(writer).await,
    }
}

/// Closes the connection; of an SQLite database only one file is left.
pub(crate) async fn close(mut writer: Connection) -> Result<(), sqlx::Error> {
    checkpoint(&mut writer).await?;
    writer.close().await
}

/// Returns the size of the database in bytes: its file, or the size that its server reports.
pub(crate) async fn bytes(reader: &mut Connection) -> Result<u64, sqlx::Error> {
    match reader.engine() {
        Engine::Sqlite(reader) => sqlite::bytes(reader).await,
        Engine::Postgres(_) => postgres::bytes(reader).await,
    }
}

/// Moves the write-ahead log into the database file, if there is one.
pub(crate) async fn checkpoint(writer: &mut Connection) -> Result<(), sqlx::Error> {
    match writer.engine() {
        Engine::Sqlite(writer) => sqlite::checkpoint(writer).await,
        Engine::Postgres(_) => Ok(()),
    }
}

fn migrator(translate: impl Fn(&str) -> String) -> Migrator {
    let step = |&(version, name, sql): &(i64, &'static str, &'static str)| {
        let sql = AssertSqlSafe(translate(sql)).into_sql_str();
        Migration::new(version, name.into(), MigrationType::Simple, sql, false)
    };
    Migrator::with_migrations(MIGRATIONS.iter().map(step).collect())
}

/// A column with an invalid value. Only its name is reported, because the value may be private.
#[derive(Debug, thiserror::Error)]
#[error("the column {0} is damaged")]
struct DamagedColumn(&'static str);

fn damaged(column: &'static str) -> sqlx::Error {
    sqlx::Error::Decode(Box::new(DamagedColumn(column)))
}

/// Returns the bytes of a column of fixed length.
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

/// Returns the hashes that a column holds one after the other.
fn hashes(column: &'static str, bytes: &[u8]) -> Result<Vec<ChangeHash>, sqlx::Error> {
    let (hashes, rest) = bytes.as_chunks::<32>();
    if rest.is_empty() { Ok(hashes.iter().copied().map(ChangeHash).collect()) } else { Err(damaged(column)) }
}

fn concatenated(hashes: &[ChangeHash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| hash.0).collect()
}

/// Returns a position as a column holds it. Positions count rows, so they fit.
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
