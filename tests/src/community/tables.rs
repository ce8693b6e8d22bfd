//! Inserts rows directly into a relay's tables, many at a time: a community that would take too long to make through
//! the protocol.
//!
//! Only for measuring reads: there is no log for these rows.

mod rows;

use std::fmt::Write;

use anyhow::Context;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, SqliteConnection};
use tourismo_core::id::DocId;

pub use self::rows::Cell;
use self::rows::{
    ACCOUNT, CAR, COMMENT, DEVICE, DRIVE, FEED_ITEM, FOLLOW, HOUR_MS, MEET, PROFILE, PUBLISHED_DRIVE, REACTION,
    account, car, comment, device, doc, feed_item, follow, id, meet, private, profile, published, reaction,
};
use super::words::SampleText;
use super::{Community, Drive, Person};

/// The number of rows that one statement of SQLite inserts.
const ROWS: usize = 200;
/// The number of bytes sent to Postgres at once.
const COPIED_BYTES: usize = 1 << 20;

/// A connection to a relay's database that is not served.
#[derive(Debug)]
pub enum Tables {
    /// An SQLite file.
    Sqlite(SqliteConnection),
    /// A Postgres database.
    Postgres(PgConnection),
}

impl Tables {
    /// Opens the database of a URL, `sqlite:` or `postgres:`, for loading.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub async fn open(url: &str) -> anyhow::Result<Tables> {
        if url.starts_with("postgres") {
            let mut connection = PgConnection::connect(url).await?;
            connection.execute("SET synchronous_commit = off").await?;
            return Ok(Tables::Postgres(connection));
        }
        let mut connection = SqliteConnection::connect(url).await?;
        // A failed load can be repeated, so nothing needs to be durable.
        connection.execute("PRAGMA synchronous = OFF; PRAGMA cache_size = -2000000; PRAGMA foreign_keys = OFF").await?;
        Ok(Tables::Sqlite(connection))
    }

    /// Loads a community and updates the database's statistics. Returns the number of rows.
    ///
    /// # Errors
    /// If the tables are of another version, or not empty.
    pub async fn load(mut self, community: &Community) -> anyhow::Result<u64> {
        let people: Vec<Person> = (0..community.size.people).map(|number| community.person(number)).collect();
        let mut order: Vec<&Person> = people.iter().collect();
        // In the order of the keys, so that pages are filled one after the other.
        order.sort_by_key(|person| person.account);
        let mut rows = 0;
        rows += self.insert("account", &ACCOUNT, order.iter().map(|person| account(person))).await?;
        rows += self.insert("device", &DEVICE, order.iter().map(|person| device(person))).await?;
        rows += self.insert("profile", &PROFILE, order.iter().map(|person| profile(person))).await?;
        let cars = order.iter().flat_map(|person| (0..2).map(move |which| car(person, which)));
        rows += self.insert("car", &CAR, cars).await?;
        let follows = || {
            let follow = |person: &Person| {
                let number = person.number;
                community.follows(number).into_iter().map(move |other| (number, other)).collect::<Vec<_>>()
            };
            order.iter().flat_map(move |person| follow(person))
        };
        let since = community.until.as_millis() - 400 * 24 * HOUR_MS;
        let row =
            |(by, of): (u64, u64)| follow(&people[by as usize], &people[of as usize], since + (by * 31 + of) as i64);
        rows += self.insert("follow", &FOLLOW, follows().map(row)).await?;
        // People who approve their followers have accepted four of five.
        let accepted = follows().filter(|(by, of)| people[*of as usize].by_approval && (by + of) % 5 > 0);
        let row = |(by, of): (u64, u64)| vec![id(&people[of as usize]), id(&people[by as usize])];
        rows += self.insert("accept", &["account", "accepted"], accepted.map(row)).await?;
        let drives = || {
            order.iter().flat_map(|person| {
                let mut drives = community.drives(person.number);
                drives.sort_by_key(|drive| drive.id);
                drives.into_iter().map(move |drive| (*person, drive))
            })
        };
        rows += self.insert("drive", &DRIVE, drives().map(|(person, drive)| private(person, &drive))).await?;
        let published = || drives().map(|(person, drive)| published(person, &drive));
        rows += self.insert("published_drive", &PUBLISHED_DRIVE, published()).await?;
        let item = |(person, drive): (&Person, Drive)| feed_item(person, &drive);
        rows += self.insert("feed_item", &FEED_ITEM, drives().map(item)).await?;
        let words = || {
            order.iter().flat_map(|person| {
                let said = move |(place, drive): (u64, Drive)| {
                    let words = community.words(person.number, place);
                    words.into_iter().map(move |word| (drive.published, word)).collect::<Vec<_>>()
                };
                (0..).zip(community.drives(person.number)).flat_map(said)
            })
        };
        let row = |(drive, word): (DocId, SampleText)| reaction(&people[word.by as usize], &drive, word.reaction);
        rows += self.insert("reaction", &REACTION, words().map(row)).await?;
        let row = |((drive, word), at): ((DocId, SampleText), i64)| {
            word.comment.map(|said| comment(&people[word.by as usize], &drive, since + at, said))
        };
        rows += self.insert("comment", &COMMENT, words().zip(0..).filter_map(row)).await?;
        let meets: Vec<_> = (0..community.size.meets).map(|number| community.meet(number)).collect();
        let row = |held: &super::Meet| meet(&people[held.organiser as usize], held);
        rows += self.insert("meet", &MEET, meets.iter().map(row)).await?;
        let answers = meets.iter().flat_map(|meet| {
            let people = &people;
            meet.guests.iter().zip(0_i64..).map(move |(guest, place)| {
                let said_in = DocId::only(&people[*guest as usize].account, "social 0");
                let answer = Cell::Int([0, 0, 0, 1, 2][place as usize % 5]);
                vec![id(&people[*guest as usize]), doc(&said_in), doc(&meet.id), answer, Cell::Int(since + place)]
            })
        });
        rows += self.insert("rsvp", &["account", "doc", "meet", "answer", "at"], answers).await?;
        match &mut self {
            Tables::Sqlite(connection) => {
                connection.execute("ANALYZE; PRAGMA wal_checkpoint(TRUNCATE)").await.map(drop)?
            }
            Tables::Postgres(connection) => connection.execute("VACUUM ANALYZE").await.map(drop)?,
        }
        Ok(rows)
    }

    /// Inserts rows into a table in one transaction; returns their number.
    pub(super) async fn insert(
        &mut self,
        table: &str,
        columns: &[&str],
        rows: impl Iterator<Item = Vec<Cell>>,
    ) -> anyhow::Result<u64> {
        let context = || format!("the table {table} is not as expected");
        match self {
            Tables::Sqlite(connection) => into_sqlite(connection, table, columns, rows).await.with_context(context),
            Tables::Postgres(connection) => into_postgres(connection, table, columns, rows).await.with_context(context),
        }
    }
}

async fn into_sqlite(
    connection: &mut SqliteConnection,
    table: &str,
    columns: &[&str],
    rows: impl Iterator<Item = Vec<Cell>>,
) -> anyhow::Result<u64> {
    let mut rows = rows.peekable();
    let mut inserted = 0;
    connection.execute("BEGIN").await?;
    while rows.peek().is_some() {
        let batch: Vec<Vec<Cell>> = rows.by_ref().take(ROWS).collect();
        inserted += batch.len() as u64;
        let marks = vec![format!("({})", vec!["?"; columns.len()].join(",")); batch.len()].join(",");
        let sql = format!("INSERT INTO {table} ({}) VALUES {marks}", columns.join(","));
        let statement = batch.into_iter().flatten().fold(sqlx::query(AssertSqlSafe(sql)), |query, cell| match cell {
            Cell::Null => query.bind(None::<i64>),
            Cell::Int(value) => query.bind(value),
            Cell::Real(value) => query.bind(value),
            Cell::Text(value) => query.bind(value),
            Cell::Bytes(value) => query.bind(value),
        });
        statement.execute(&mut *connection).await?;
    }
    connection.execute("COMMIT").await?;
    Ok(inserted)
}

/// In the text format of COPY.
async fn into_postgres(
    connection: &mut PgConnection,
    table: &str,
    columns: &[&str],
    rows: impl Iterator<Item = Vec<Cell>>,
) -> anyhow::Result<u64> {
    let sql = format!("COPY {table} ({}) FROM STDIN", columns.join(","));
    let mut copy = connection.copy_in_raw(&sql).await?;
    let mut text = String::with_capacity(COPIED_BYTES + 4_096);
    for row in rows {
        for (place, cell) in row.iter().enumerate() {
            text.push_str(if place == 0 { "" } else { "\t" });
            write_cell(&mut text, cell);
        }
        text.push('\n');
        if text.len() >= COPIED_BYTES {
            copy.send(text.as_bytes()).await?;
            text.clear();
        }
    }
    copy.send(text.as_bytes()).await?;
    Ok(copy.finish().await?)
}

fn write_cell(text: &mut String, cell: &Cell) {
    let written = match cell {
        Cell::Null => write!(text, "\\N"),
        Cell::Int(value) => write!(text, "{value}"),
        Cell::Real(value) => write!(text, "{value}"),
        Cell::Text(value) => {
            let escaped = value.replace('\\', "\\\\").replace('\t', "\\t").replace('\n', "\\n");
            write!(text, "{escaped}")
        }
        Cell::Bytes(value) => {
            text.push_str("\\\\x");
            value.iter().try_for_each(|byte| write!(text, "{byte:02x}"))
        }
    };
    written.expect("writing to a String cannot fail");
}
