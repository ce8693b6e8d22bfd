//! Inserts rows directly into a relay's tables, many at a time: a community that would take too long to make through
//! the protocol.
//!
//! Only for measuring reads: there is no log for these rows.

use std::fmt::Write;

use anyhow::Context;
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, SqliteConnection};
use tourismo_core::docs::{Reaction, social};
use tourismo_core::id::DocId;
use tourismo_core::stats::DriveStats;

use super::words::SampleText;
use super::{Community, Drive, Person};

/// The number of rows that one statement of SQLite inserts.
const ROWS: usize = 200;
/// The number of bytes sent to Postgres at once.
const COPIED_BYTES: usize = 1 << 20;
const HOUR_MS: i64 = 3_600_000;
/// The numbers of kinds of documents and visibilities in the tables.
const PUBLISHED: i64 = 5;
const FOLLOWERS: i64 = 3;
const EVERYONE: i64 = 2;

/// A connection to a relay's database that is not served.
#[derive(Debug)]
pub enum Tables {
    /// An SQLite file.
    Sqlite(SqliteConnection),
    /// A Postgres database.
    Postgres(PgConnection),
}

/// The value of a column.
#[derive(Clone, Debug)]
pub enum Cell {
    /// NULL.
    Null,
    /// BIGINT.
    Int(i64),
    /// DOUBLE PRECISION.
    Real(f64),
    /// TEXT.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
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
        let meet_row = |meet: &super::Meet| self::meet(&people[meet.organiser as usize], meet);
        rows += self.insert("meet", &MEET, meets.iter().map(meet_row)).await?;
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

fn id(person: &Person) -> Cell {
    Cell::Bytes(person.account.as_bytes().to_vec())
}

fn doc(doc: &DocId) -> Cell {
    Cell::Bytes(doc.as_bytes().to_vec())
}

fn text(text: impl Into<String>) -> Cell {
    Cell::Text(text.into())
}

const ACCOUNT: [&str; 6] = ["account", "head", "digest", "changes", "documents", "bytes"];

fn account(person: &Person) -> Vec<Cell> {
    vec![id(person), Cell::Int(0), Cell::Bytes(vec![0; 32]), Cell::Int(0), Cell::Int(0), Cell::Int(0)]
}

const DEVICE: [&str; 5] = ["account", "device", "actor_prefix", "granted_by", "added_at"];

fn device(person: &Person) -> Vec<Cell> {
    let key = tourismo_core::id::DeviceKey(person.key.verifying_key().to_bytes());
    vec![id(person), Cell::Bytes(key.0.to_vec()), Cell::Bytes(key.actor_prefix().to_vec()), Cell::Null, Cell::Int(0)]
}

const PROFILE: [&str; 11] = [
    "account",
    "doc",
    "revision",
    "handle",
    "display_name",
    "bio",
    "by_approval",
    "folded",
    "claimed_at",
    "holds",
    "skeleton",
];

fn profile(person: &Person) -> Vec<Cell> {
    vec![
        id(person),
        doc(&DocId::only(&person.account, "profile")),
        Cell::Int(1),
        text(&*person.handle),
        text(&*person.display_name),
        text(""),
        Cell::Int(i64::from(person.by_approval)),
        text(person.handle.to_lowercase()),
        Cell::Int(0),
        Cell::Int(1),
        // No two of them look alike.
        text(person.handle.to_lowercase()),
    ]
}

const CAR: [&str; 8] = ["account", "doc", "make", "model", "year", "nickname", "colour", "is_public"];

fn car(person: &Person, which: usize) -> Vec<Cell> {
    let (car, make, model) = &person.cars[which];
    vec![id(person), doc(car), text(*make), text(*model), Cell::Int(1_991), text(""), text("red"), Cell::Int(1)]
}

const FOLLOW: [&str; 3] = ["account", "followee", "since"];

fn follow(by: &Person, of: &Person, since: i64) -> Vec<Cell> {
    vec![id(by), id(of), Cell::Int(since)]
}

const DRIVE: [&str; 14] = [
    "account",
    "doc",
    "title",
    "car",
    "started_at",
    "ended_at",
    "month",
    "stats",
    "distance_m",
    "moving_ms",
    "duration_ms",
    "ascent_m",
    "visibility",
    "published",
];

fn private(person: &Person, drive: &Drive) -> Vec<Cell> {
    let duration_ms = drive.minutes as i64 * 60_000;
    vec![
        id(person),
        doc(&drive.id),
        text(drive.title),
        doc(&person.cars[drive.car].0),
        Cell::Int(drive.started_at.as_millis()),
        Cell::Int(drive.started_at.as_millis() + duration_ms),
        Cell::Int(month(drive)),
        text(stats(drive)),
        Cell::Real(drive.distance_m),
        Cell::Int(duration_ms),
        Cell::Int(duration_ms),
        Cell::Real(drive.ascent_m),
        Cell::Int(visibility(drive)),
        doc(&drive.published),
    ]
}

const PUBLISHED_DRIVE: [&str; 26] = [
    "account",
    "doc",
    "revision",
    "bucket",
    "sort_at",
    "visibility",
    "started_at",
    "month",
    "title",
    "car",
    "stats",
    "distance_m",
    "moving_ms",
    "duration_ms",
    "ascent_m",
    "west",
    "south",
    "east",
    "north",
    "cell",
    "wide_cell",
    "line",
    "place",
    "shown_at",
    "shown_place",
    "updated_at",
];

fn published(person: &Person, drive: &Drive) -> Vec<Cell> {
    let duration_ms = drive.minutes as i64 * 60_000;
    let hour = drive.started_at.as_millis() / HOUR_MS * HOUR_MS;
    let [west, south] = drive.at;
    let middle = [west + 0.1, south + 0.025];
    let (_, make, model) = &person.cars[drive.car];
    let line: Vec<[f64; 2]> =
        (0..20).map(|step| [west + f64::from(step) / 100.0, south + f64::from(step % 5) / 100.0]).collect();
    let mut row = vec![
        id(person),
        doc(&drive.published),
        Cell::Int(1),
        Cell::Int(i64::from(drive.published.as_bytes()[15] % 16)),
        Cell::Int(hour),
        Cell::Int(visibility(drive)),
        Cell::Int(hour),
        Cell::Int(month(drive)),
        text(drive.title),
        text(format!("{make} {model}")),
        text(stats(drive)),
        Cell::Real(drive.distance_m),
        Cell::Int(duration_ms),
        Cell::Int(duration_ms),
        Cell::Real(drive.ascent_m),
        Cell::Real(west),
        Cell::Real(south),
        Cell::Real(west + 0.2),
        Cell::Real(south + 0.05),
        Cell::Int(square(middle, 1.0)),
        Cell::Int(square(middle, 15.0)),
    ];
    row.push(text(json!([line]).to_string()));
    // A position in the hour's order.
    let place =
        i64::from_be_bytes(*drive.published.as_bytes().last_chunk().expect("an id is longer")) & (i64::MAX >> 1);
    row.extend([place, hour, place, hour].map(Cell::Int));
    row
}

/// Returns the square of this side that contains a position, as the relay numbers them.
fn square([lon, lat]: [f64; 2], degrees: f64) -> i64 {
    let columns = (360.0 / degrees) as i64;
    ((lat + 90.0) / degrees) as i64 * columns + ((lon + 180.0) / degrees) as i64
}

const FEED_ITEM: [&str; 5] = ["account", "sort_at", "doc", "visibility", "kind"];

fn feed_item(person: &Person, drive: &Drive) -> Vec<Cell> {
    let hour = drive.started_at.as_millis() / HOUR_MS * HOUR_MS;
    vec![id(person), Cell::Int(hour), doc(&drive.published), Cell::Int(visibility(drive)), Cell::Int(PUBLISHED)]
}

const REACTION: [&str; 4] = ["account", "doc", "drive", "kind"];

fn reaction(by: &Person, drive: &DocId, reaction: Reaction) -> Vec<Cell> {
    let kind = match reaction {
        Reaction::Like => 0,
        Reaction::Wow => 1,
        Reaction::Road => 2,
        Reaction::Car => 3,
    };
    vec![id(by), doc(&social::about(&by.account, drive)), doc(drive), Cell::Int(kind)]
}

const COMMENT: [&str; 6] = ["account", "doc", "comment", "drive", "at", "text"];

fn comment(by: &Person, drive: &DocId, at: i64, said: &str) -> Vec<Cell> {
    let comment = DocId::only(&by.account, &format!("comment {drive}"));
    vec![id(by), doc(&social::about(&by.account, drive)), doc(&comment), doc(drive), Cell::Int(at), text(said)]
}

const MEET: [&str; 18] = [
    "account",
    "doc",
    "sequence",
    "changed_at",
    "sort_at",
    "title",
    "text",
    "place",
    "lon",
    "lat",
    "starts_at",
    "ends_at",
    "time_zone",
    "capacity",
    "visibility",
    "is_cancelled",
    "cell",
    "wide_cell",
];

fn meet(organiser: &Person, meet: &super::Meet) -> Vec<Cell> {
    let starts_at = meet.starts_at.as_millis();
    vec![
        id(organiser),
        doc(&meet.id),
        Cell::Int(1),
        Cell::Int(0),
        Cell::Int(0),
        text(meet.title),
        text("Bring coffee."),
        text("At the lake"),
        Cell::Real(meet.at[0]),
        Cell::Real(meet.at[1]),
        Cell::Int(starts_at),
        Cell::Int(starts_at + 3 * HOUR_MS),
        text("Europe/Zurich"),
        Cell::Null,
        Cell::Int(EVERYONE),
        Cell::Int(0),
        Cell::Int(square(meet.at, 1.0)),
        Cell::Int(square(meet.at, 15.0)),
    ]
}

fn visibility(drive: &Drive) -> i64 {
    if drive.for_followers { FOLLOWERS } else { EVERYONE }
}

fn month(drive: &Drive) -> i64 {
    let date = time::OffsetDateTime::UNIX_EPOCH + time::Duration::milliseconds(drive.started_at.as_millis());
    i64::from(date.year()) * 100 + i64::from(u8::from(date.month()))
}

fn stats(drive: &Drive) -> String {
    let duration_ms = drive.minutes as i64 * 60_000;
    let mean_speed_mps = drive.distance_m / (duration_ms as f64 / 1e3);
    let stats = DriveStats {
        distance_m: drive.distance_m,
        gap_distance_m: 0.0,
        duration_ms,
        moving_ms: duration_ms,
        mean_speed_mps,
        max_speed_mps: 1.6 * mean_speed_mps,
        ascent_m: drive.ascent_m,
        descent_m: drive.ascent_m,
        fixes: drive.minutes as u32 * 60,
        refused: 0,
        gaps: 0,
    };
    serde_json::to_string(&stats).expect("numbers are JSON")
}
