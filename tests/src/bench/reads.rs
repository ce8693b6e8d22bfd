//! The latency of reads with a large community, and the cost of a home feed that the application combines from several
//! queries.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ed25519_dalek::Signer;
use sqlx::{Connection as _, Executor as _, PgConnection, Row, SqliteConnection};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tourismo_core::id::DeviceKey;
use tourismo_core::read_token::{ReadToken, read_bytes};
use tourismo_core::time::Timestamp;
use tourismo_core::wire::RelayId;
use tourismo_server::{Config, Limits, Location, Origin, Server};
use tourismo_test_postgres::Cluster;

use super::{Table, grouped, median};
use crate::community::tables::Tables;
use crate::community::{Community, FOLLOWS_500, FOLLOWS_5000, Person, Size};

/// The number of reads of each kind, by as many people if anyone may make it.
const READS: u64 = 1_000;
/// The number of reads before, which fill the database's caches.
const WARMING: u64 = 200;
/// The number of items of a page.
const PAGE: usize = 20;

/// Reads in a community of so many drives and in one of a tenth of them, on either engine, as a table.
///
/// # Errors
/// If a database cannot be loaded or a read fails.
pub async fn table(drives: u64) -> anyhow::Result<Table> {
    let mut measured = Vec::new();
    for drives in [drives / 10, drives] {
        let size =
            Size { people: drives / 10, follows: 5 * drives, drives, meets: drives / 500, reactions: 2 * drives };
        let community = Community { seed: 1, size, until: Timestamp(1_790_000_000_000) };
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("relay.sqlite");
        let url = format!("sqlite:{}", file.display());
        let cluster = Cluster::start()?;
        let database = cluster.lend()?;
        for (location, url) in [(file.into(), url), (Location::from(database.url()), database.url())] {
            let mut reads = of(&community, location, &url).await?;
            reads.push(home_feed_by_hand(&community, &url).await?);
            measured.push(reads);
        }
    }
    let row = |place: usize| {
        let figures = measured.iter().map(|reads| format!("{:.1}, {:.1}", reads[place].median_ms, reads[place].p99_ms));
        [measured[0][place].what.to_owned()].into_iter().chain(figures).collect()
    };
    Ok(Table {
        title: "Reads of a large community",
        notes: format!(
            "{} and {} synthetic drives, with a tenth as many people, five times as many follows and some meets, \
             inserted into the tables of the same relay on SQLite and on a Postgres on the same machine, with a warm \
             cache. Wall time in milliseconds over a kept connection, including the token's signature, the query and \
             the JSON: median, 99th percentile. A page has 20 items. \"By hand\" is the home feed as an application \
             would compute it from the newest drives of each followee: one query for each of the 500, then a merge, \
             without HTTP.",
            grouped(drives / 10),
            grouped(drives),
        ),
        columns: vec!["", "SQLite, smaller", "Postgres, smaller", "SQLite, larger", "Postgres, larger"],
        rows: (0..measured[0].len()).map(row).collect(),
    })
}

/// The same statements for both drivers, whose types are unrelated.
macro_rules! by_hand {
    ($database:ident, $me:ident) => {{
        let followees: Vec<Vec<u8>> = sqlx::query_scalar("SELECT followee FROM follow WHERE account = $1")
            .bind($me.as_bytes().as_slice())
            .fetch_all(&mut $database)
            .await?;
        let mut items: Vec<(i64, Vec<u8>, Vec<u8>)> = Vec::new();
        for followee in &followees {
            let sql = r#"
                SELECT sort_at, doc, account FROM feed_item WHERE account = $1 ORDER BY sort_at DESC, doc DESC LIMIT 20
            "#;
            let newest: Vec<(i64, Vec<u8>, Vec<u8>)> =
                sqlx::query_as(sql).bind(followee.as_slice()).fetch_all(&mut $database).await?;
            items.extend(newest);
        }
        items.sort_by(|a, b| b.cmp(a));
        for (_, doc, account) in items.iter().take(PAGE) {
            let sql = "SELECT title, car, stats, line FROM published_drive WHERE account = $1 AND doc = $2";
            let row = sqlx::query(sql).bind(account.as_slice()).bind(doc.as_slice()).fetch_one(&mut $database).await?;
            ensure!(!row.try_get::<String, _>("title")?.is_empty(), "a drive has a title");
        }
    }};
}
/// The result for one kind of read.
#[derive(Clone, Debug)]
pub struct Reads {
    /// The kind.
    pub what: &'static str,
    /// The median in milliseconds over a kept connection on loopback, including JSON.
    pub median_ms: f64,
    /// The p99.
    pub p99_ms: f64,
}

/// Loads a community into a new database and makes every read of it.
///
/// # Errors
/// If the database cannot be loaded or a read fails.
pub async fn of(community: &Community, database: Location, url: &str) -> anyhow::Result<Vec<Reads>> {
    let mut config = Config::new("127.0.0.1:0".parse()?, database);
    config.limits = Limits { max_requests_per_second: u32::MAX / 32, ..Limits::DEFAULT };
    // Creates the tables.
    Server::start(config.clone()).await?.shutdown().await;
    Tables::open(url).await?.load(community).await?;
    let relay = relay_id(url).await?;
    let running = Server::start(config).await?;
    let mut reader = Reader {
        connection: Connection::open(running.addr()).await?,
        relay,
        origin: Origin::from(running.addr()).to_string(),
    };

    let anyone = |number: u64| community.person(number * 7_919 % community.size.people);
    let meet = community.meet(0).id;
    let (follows_500, follows_5000) = (community.person(FOLLOWS_500), community.person(FOLLOWS_5000));
    let mut reads = Vec::new();
    let mut add = |what, samples: Vec<f64>| reads.push(summary(what, samples));
    add("my drives", reader.each(anyone, |_| "me/drives?limit=20".to_owned()).await?);
    add("my drives, a later page", reader.later(anyone, "me/drives?limit=5").await?);
    add("a car's history", reader.each(anyone, |by| format!("me/cars/{}/drives?limit=20", by.cars[0].0)).await?);
    add("a person's public drives", reader.each(anyone, |by| format!("people/{}/drives?limit=20", by.handle)).await?);
    add("the public feed", reader.each(anyone, |_| "feed/public?limit=20".to_owned()).await?);
    add("the public feed, a later page", reader.later(anyone, "feed/public?limit=20").await?);
    add("the public feed within 2° by 2°", reader.each(anyone, |by| bbox(by.number)).await?);
    add("a handle", reader.each(anyone, |by| format!("people/{}", by.handle.to_uppercase())).await?);
    add(
        "handles by their first letters",
        reader.each(anyone, |by| format!("people?prefix={}", &by.handle[..2])).await?,
    );
    add("home feed, 500 followed", reader.each(|_| follows_500.clone(), |_| "me/feed?limit=20".to_owned()).await?);
    add("home feed, 5,000 followed", reader.each(|_| follows_5000.clone(), |_| "me/feed?limit=20".to_owned()).await?);
    let attendees = |_: &Person| format!("meets/{meet}/attendees?limit=20");
    add("who comes to a meet, 1,000 answers", reader.each(|_| follows_500.clone(), attendees).await?);
    add("my figures by month", reader.each(anyone, |_| "me/stats?by=month".to_owned()).await?);
    drop(reader);
    running.shutdown().await;
    Ok(reads)
}

/// A home feed as the first version made it, for an account that follows 500 others: the followed accounts, then a
/// query for the newest drives of each, then a merge in the application, then the rows of the remaining ones. Directly
/// on the database, without HTTP.
///
/// # Errors
/// If the database cannot be read.
pub async fn home_feed_by_hand(community: &Community, url: &str) -> anyhow::Result<Reads> {
    let me = community.person(FOLLOWS_500).account;
    let mut samples = Vec::new();
    if url.starts_with("postgres") {
        let mut database = PgConnection::connect(url).await?;
        for _ in 0..READS / 10 {
            let began = Instant::now();
            by_hand!(database, me);
            samples.push(began.elapsed());
        }
    } else {
        let mut database = SqliteConnection::connect(url).await?;
        database.execute("PRAGMA query_only = ON").await?;
        for _ in 0..READS / 10 {
            let began = Instant::now();
            by_hand!(database, me);
            samples.push(began.elapsed());
        }
    }
    Ok(summary("home feed, 500 followed, by hand", samples.into_iter().map(milliseconds).collect()))
}

/// A reader with a connection.
struct Reader {
    connection: Connection,
    relay: RelayId,
    origin: String,
}

impl Reader {
    /// Makes a read as many people, each once; returns the time of each in milliseconds.
    async fn each(
        &mut self,
        who: impl Fn(u64) -> Person,
        path: impl Fn(&Person) -> String,
    ) -> anyhow::Result<Vec<f64>> {
        let mut samples = Vec::new();
        for number in 0..WARMING + READS {
            let person = who(number);
            let (token, path) = (self.token(&person), path(&person));
            let began = Instant::now();
            self.connection.get(&path, Some(&token)).await?;
            if number >= WARMING {
                samples.push(milliseconds(began.elapsed()));
            }
        }
        Ok(samples)
    }

    /// Like [`Reader::each`], for the second page.
    async fn later(&mut self, who: impl Fn(u64) -> Person, path: &str) -> anyhow::Result<Vec<f64>> {
        let mut samples = Vec::new();
        let mut after = None;
        for number in 0..READS / 4 {
            let person = who(number);
            let token = self.token(&person);
            // The public feed is read page after page; each account's own list from its beginning.
            if path.starts_with("me/") || after.is_none() {
                after = next(&self.connection.get(path, Some(&token)).await?)?;
            }
            let Some(place) = after.take() else { continue };
            let began = Instant::now();
            let body = self.connection.get(&format!("{path}&after={place}"), Some(&token)).await?;
            samples.push(milliseconds(began.elapsed()));
            after = next(&body)?;
        }
        Ok(samples)
    }

    fn token(&self, person: &Person) -> String {
        let (account, device) = (person.account, DeviceKey(person.key.verifying_key().to_bytes()));
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let expires_at = Timestamp(now.as_millis() as i64 + 3_600_000);
        let bytes = read_bytes(&self.relay, &account, &device, expires_at, &self.origin);
        let (signature, origin) = (person.key.sign(&bytes).to_bytes(), Some(self.origin.clone()));
        BASE64_URL_SAFE_NO_PAD.encode(ReadToken { account, device, expires_at, signature, origin }.to_bytes())
    }
}

/// One kept connection to a relay.
pub(super) struct Connection(TcpStream);

impl Connection {
    pub(super) async fn open(addr: SocketAddr) -> anyhow::Result<Connection> {
        Ok(Connection(TcpStream::connect(addr).await?))
    }

    /// Returns the body of a path below `/v1`; without a token, anonymously.
    pub(super) async fn get(&mut self, path: &str, token: Option<&str>) -> anyhow::Result<Vec<u8>> {
        let token = token.map(|token| format!("authorization: Bearer {token}\r\n")).unwrap_or_default();
        let request = format!("GET /v1/{path} HTTP/1.1\r\nhost: relay\r\n{token}\r\n");
        self.0.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        loop {
            let mut bytes = [0; 32 << 10];
            let read = self.0.read(&mut bytes).await?;
            ensure!(read > 0, "the relay closes the connection");
            answer.extend(&bytes[..read]);
            if let Some(head) = answer.windows(4).position(|window| window == b"\r\n\r\n") {
                let text = std::str::from_utf8(&answer[..head])?.to_ascii_lowercase();
                let length = text.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
                let length: usize = length.context("an answer has a length")?;
                if answer.len() >= head + 4 + length {
                    let body = answer.split_off(head + 4);
                    ensure!(text.starts_with("http/1.1 200"), "{path}: {text} {}", String::from_utf8_lossy(&body));
                    return Ok(body);
                }
            }
        }
    }
}

pub(super) fn next(body: &[u8]) -> anyhow::Result<Option<String>> {
    let page: serde_json::Value = serde_json::from_slice(body)?;
    Ok(page["next"].as_str().map(str::to_owned))
}

fn bbox(number: u64) -> String {
    let (west, south) = (number % 20, 40 + number % 15);
    format!("feed/public?limit=20&bbox={west},{south},{},{}", west + 2, south + 2)
}

async fn relay_id(url: &str) -> anyhow::Result<RelayId> {
    const SQL: &str = "SELECT id FROM relay";
    let id: Vec<u8> = if url.starts_with("postgres") {
        sqlx::query_scalar(SQL).fetch_one(&mut PgConnection::connect(url).await?).await?
    } else {
        sqlx::query_scalar(SQL).fetch_one(&mut SqliteConnection::connect(url).await?).await?
    };
    Ok(RelayId(id.as_slice().try_into()?))
}

pub(super) fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

pub(super) fn summary(what: &'static str, mut samples: Vec<f64>) -> Reads {
    samples.sort_by(f64::total_cmp);
    let p99_ms = samples.get(samples.len() * 99 / 100).copied().unwrap_or_default();
    Reads { what, median_ms: median(samples), p99_ms }
}
