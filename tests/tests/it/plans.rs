//! The query plans of all reads: the plan of every SQL statement that the relay executes for them, with a loaded
//! community, compared with snapshots. Rule: whatever costs more than the page is found by an index, and no statement
//! scans a table that grows.
//!
//! If `TOURISMO_WRITE_PLANS` is set, `tests/plans/` is written anew. Plans of Postgres are compared only on the version
//! that the snapshot names; other versions may plan differently, and only have to keep the rule.

use std::collections::BTreeSet;
use std::fmt::{Debug, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, Row, SqliteConnection};
use tourismo_core::time::Timestamp;
use tourismo_server::{Config, Limits, Location, Running};
use tourismo_test_kit::http::get_with;
use tourismo_test_kit::relay::{self, sync_url};
use tourismo_test_postgres::Cluster;
use tourismo_tests::community::roads::{FEWEST, Road, load, roads};
use tourismo_tests::community::tables::Tables;
use tourismo_tests::community::{Community, FOLLOWS_500, Size};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt};

use super::support::read_token;

/// So small that the databases sample every row for their statistics: the same rows give the same plans.
const COMMUNITY: Community = Community {
    seed: 1,
    size: Size { people: 8_000, follows: 24_000, drives: 10_000, meets: 500, reactions: 20_000 },
    until: Timestamp(1_790_000_000_000),
};

/// More of what the community has few of or none: meets, hidden rows, tracks, blocks, logbooks, co-organisers, decisions,
/// removed comments.
const MORE: [&str; 10] = [
    "INSERT INTO decision (number, decided_at, account, target, item, link, is_hidden, reason) \
     SELECT ROW_NUMBER() OVER (ORDER BY account, doc), 0, account, 1, doc, doc, 0, '' FROM published_drive",
    "INSERT INTO hidden_comment (account, doc, drive, author, comment) \
     SELECT account, doc, doc, account, doc FROM published_drive",
    "INSERT INTO meet (account, doc, sequence, changed_at, sort_at, title, text, place, lon, lat, starts_at, time_zone, \
        visibility, is_cancelled, cell, wide_cell) \
     SELECT account, doc, 1, 0, sort_at, title, '', '', west, south, sort_at, '', 2, 0, cell, wide_cell FROM published_drive",
    "INSERT INTO meet (account, doc, sequence, changed_at, sort_at, title, text, place, starts_at, time_zone, visibility, \
        is_cancelled) \
     SELECT account, doc, 1, 0, started_at, title, '', '', started_at, '', 2, 0 FROM drive",
    "INSERT INTO published_block (account, doc, place, block) SELECT account, doc, 0, doc FROM published_drive",
    "INSERT INTO block (account, blocked) SELECT one.account, other.account \
     FROM (SELECT account FROM profile ORDER BY account LIMIT 40) one, \
          (SELECT account FROM profile ORDER BY account DESC LIMIT 40) other",
    "INSERT INTO former_block (account, other) SELECT account, blocked FROM block",
    "INSERT INTO car_log (account, doc, entry, kind, at, note) SELECT account, doc, doc, 0, 1, '' FROM car",
    "INSERT INTO not_shown (account, doc, kind) SELECT account, doc, 5 FROM published_drive",
    "INSERT INTO meet_organiser (account, doc, organiser) SELECT meet.account, meet.doc, one.account \
     FROM meet, (SELECT account FROM profile ORDER BY account LIMIT 2) one",
];

/// People who require approval let nobody follow without it: otherwise nobody would wait for approval.
fn more() -> Vec<String> {
    let asks = format!("UPDATE profile SET by_approval = 1 WHERE handle = '{}'", COMMUNITY.person(FOLLOWS_500).handle);
    MORE.map(str::to_owned).into_iter().chain([asks]).collect()
}

/// Names in statements that are no tables; to scan them is allowed. Everything else is a table that grows.
const MADE: [&str; 9] = ["CONSTANT", "place", "asked", "page", "newest", "bound", "merged", "uttered", "heard"];

/// Statements of the relay's background tasks, which are no reads: road batches, projection, compaction, decisions.
const BESIDE: [&str; 9] = [
    "FROM decision ORDER BY",
    "FROM road_trace",
    "FROM road_batch",
    "FROM road_segment WHERE id > ",
    "DELETE FROM",
    "FROM document",
    "FROM due_document",
    "FROM snapshot",
    "FROM change",
];

/// The number of roads.
const ROADS: usize = 20_000;

/// The one read that aggregates over all rows. Its answer is cached for a minute.
const COUNTS_EVERYTHING: &str = "stats";

/// Every read, with every parameter that changes its statements.
fn reads(roads: &[Road]) -> Vec<String> {
    let me = COMMUNITY.person(FOLLOWS_500);
    let (popular, car) = (COMMUNITY.person(0), me.cars[0].0);
    let drive = COMMUNITY.drives(0)[0].published;
    let (handle, meet) = (&popular.handle, COMMUNITY.meet(0).id);
    let mut reads: Vec<String> = [
        "me/drives",
        "me/cars",
        "me/feed",
        "me/meets",
        "me/profile",
        "me/decisions",
        "me/requests",
        "me/stats?by=month",
        "me/stats?by=car",
        "feed/public",
        "feed/public?bbox=8,46,9,47",
        "feed/public?bbox=-20,30,60,70",
        "people?prefix=da",
        "meets?from=0",
        "meets?from=0&near=47,8.5&radiusM=20000",
        "meets?from=0&bbox=5,45,10,48",
        "meets.ics?from=0",
        "meets.atom?from=0",
        "roads",
        "roads?bbox=8,46,9,47",
        "roads?bbox=-20,30,60,70&min_score=50",
        "roads?near=47,8.5&radiusM=20000",
        "roads/tiles/5/16/11.mvt",
        "roads/tiles/12/2144/1440.mvt",
        COUNTS_EVERYTHING,
    ]
    .map(str::to_owned)
    .into();
    reads.extend([format!("me/cars/{car}/drives"), format!("me/cars/{car}/log")]);
    reads.push(format!("roads/{}", roads[0].name()));
    for what in ["", "/drives", "/cars", "/followers", "/following", "/meets", "/stats", "/feed.atom", "/meets.ics"] {
        reads.push(format!("people/{handle}{what}"));
    }
    reads.push(format!("people/{}/drives", popular.account));
    reads.push(format!("me/in-common/{handle}"));
    reads.extend(["followers", "stats"].map(|what| format!("people/{}/{what}", me.handle)));
    reads.push(format!("people/{handle}/cars/{}/feed.json", popular.cars[0].0));
    for what in ["", "/drive.gpx", "/reactions", "/comments"] {
        reads.push(format!("drives/{drive}{what}"));
    }
    for what in ["", "/attendees", "/meet.ics"] {
        reads.push(format!("meets/{meet}{what}"));
    }
    reads
}

/// The relay's statements, and the database's messages, since the last call.
#[derive(Clone, Debug, Default)]
struct Overheard(Arc<Mutex<Vec<String>>>);

impl Overheard {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<S: Subscriber> Layer<S> for Overheard {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let wanted = match event.metadata().target() {
            "tourismo_server::db::sql" => "statement",
            "sqlx::postgres::notice" => "message",
            _ => return,
        };
        let mut heard = Heard { wanted, text: String::new() };
        event.record(&mut heard);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(heard.text);
    }
}

struct Heard {
    wanted: &'static str,
    text: String,
}

impl Visit for Heard {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == self.wanted {
            self.text = value.to_owned();
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == self.wanted {
            self.text = format!("{value:?}");
        }
    }
}

/// Makes every read of a relay on this database, and returns the log during each.
async fn overhear(database: Location, roads: &[Road]) -> anyhow::Result<Vec<(String, Vec<String>)>> {
    let overheard = Overheard::default();
    // The relay's tasks run on this thread, too, so that a thread's subscriber receives their log.
    let _listening = tracing::subscriber::set_default(tracing_subscriber::registry().with(overheard.clone()));
    let relay = serve(database).await?;
    let token = read_token(COMMUNITY.person(FOLLOWS_500).key, &sync_url(relay.addr())).await?;
    let mut all = Vec::new();
    for path in reads(roads) {
        overheard.take();
        let mark = if path.contains('?') { '&' } else { '?' };
        let mut next = Some(format!("/v1/{path}"));
        let mut heard = Vec::new();
        // A first page and the one after it.
        for _ in 0..2 {
            let Some(url) = next.take() else { break };
            let answer = get_with(relay.addr(), &url, &format!("authorization: Bearer {token}\r\n")).await?;
            anyhow::ensure!(answer.status == 200, "{url}: {} {}", answer.status, answer.text());
            let page: Option<Value> = serde_json::from_slice(&answer.body).ok();
            next = page.and_then(|page| Some(format!("/v1/{path}{mark}after={}", page["next"].as_str()?)));
            heard.append(&mut overheard.take());
        }
        all.push((path, heard));
    }
    relay.shutdown().await;
    Ok(all)
}

/// Loads the community and roads into a new database.
async fn fill(database: &str) -> anyhow::Result<Vec<Road>> {
    Tables::open(database).await?.load(&COMMUNITY).await?;
    let made = roads(1, ROADS);
    load(Tables::open(database).await?, &made).await?;
    Ok(made)
}

async fn serve(database: Location) -> anyhow::Result<Running> {
    let configure = |config: &mut Config| (config.limits, config.roads_from_drivers) = (Limits::NONE, FEWEST);
    Ok(relay::start(database, configure).await?)
}

/// Checks plans by the rule and compares them with their snapshot.
fn check(name: &str, plans: &str, broken: &[String], is_comparable: impl Fn(&str) -> bool) -> anyhow::Result<()> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/plans").join(name);
    if std::env::var_os("TOURISMO_WRITE_PLANS").is_some() {
        std::fs::write(&path, plans)?;
    }
    anyhow::ensure!(broken.is_empty(), "these read through a table that grows:\n{}", broken.join("\n"));
    let snapshot = std::fs::read_to_string(path)?;
    if is_comparable(&snapshot) {
        let other = snapshot.lines().zip(plans.lines()).find(|(snapshot, plan)| snapshot != plan);
        anyhow::ensure!(
            other.is_none() && snapshot.len() == plans.len(),
            "{name}: another plan than before: {other:?}"
        );
    }
    Ok(())
}

/// Whether a statement is to be listed: executed for a read, and not listed before.
fn is_new(seen: &mut BTreeSet<String>, statement: &str) -> bool {
    !BESIDE.iter().any(|other| statement.contains(other)) && seen.insert(statement.to_owned())
}

/// Whether a name in a plan may be that of a table, which grows.
fn grows(name: &str) -> bool {
    let is_merged = name.starts_with("range_") || name.starts_with("look_");
    !name.starts_with('(') && !MADE.contains(&name) && !is_merged
}

fn in_one_line(sql: &str) -> String {
    sql.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn no_read_of_sqlite_goes_through_a_table_that_grows() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("relay.sqlite");
    let database = format!("sqlite:{}", file.display());
    serve(file.clone().into()).await?.shutdown().await;
    let roads = fill(&database).await?;
    let mut tables = SqliteConnection::connect(&database).await?;
    for sql in more() {
        tables.execute(AssertSqlSafe(sql)).await?;
    }
    tables.execute("ANALYZE").await?;
    tables.close().await?;
    let said = overhear(file.into(), &roads).await?;
    // Without `ANALYZE`, a database has no statistics.
    for (name, begin) in [("sqlite-analyzed.txt", "PRAGMA query_only = ON"), ("sqlite.txt", "DELETE FROM sqlite_stat1")]
    {
        SqliteConnection::connect(&database).await?.execute(begin).await?;
        let mut tables = SqliteConnection::connect(&database).await?;
        let (mut plans, mut seen, mut broken) = (String::new(), BTreeSet::new(), Vec::new());
        for (path, statements) in &said {
            writeln!(plans, "\n# {path}")?;
            for statement in statements.iter().map(|statement| in_one_line(statement)) {
                if !is_new(&mut seen, &statement) {
                    continue;
                }
                writeln!(plans, "{statement}")?;
                let rows = sqlx::query(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}")))
                    .fetch_all(&mut tables)
                    .await?;
                let mut depths = std::collections::BTreeMap::from([(0_i64, 0)]);
                for row in rows {
                    let (id, parent, detail): (i64, i64, String) = (row.get(0), row.get(1), row.get(3));
                    let depth = depths.get(&parent).copied().unwrap_or(0) + 1;
                    depths.insert(id, depth);
                    writeln!(plans, "{:1$}{detail}", "", 4 * depth)?;
                    let scanned = detail.strip_prefix("SCAN ").and_then(|rest| rest.split(' ').next());
                    if scanned.is_some_and(grows) && path != COUNTS_EVERYTHING {
                        broken.push(format!("{path}: {detail}: {statement}"));
                    }
                }
            }
        }
        check(name, &plans, &broken, |_| true)?;
    }
    Ok(())
}

#[tokio::test]
async fn no_read_of_postgres_goes_through_a_table_that_grows() -> anyhow::Result<()> {
    // Its settings must not affect other tests.
    let cluster = Cluster::start()?;
    let database = cluster.lend()?;
    let url = database.url();
    serve(Location::from(url.clone())).await?.shutdown().await;
    let roads = fill(&url).await?;
    let mut tables = PgConnection::connect(&url).await?;
    for sql in more() {
        tables.execute(AssertSqlSafe(sql)).await?;
    }
    tables.execute("VACUUM ANALYZE").await?;
    let version: String = sqlx::query_scalar("SHOW server_version").fetch_one(&mut tables).await?;
    let version = format!("Postgres {}", version.split('.').next().unwrap_or_default());
    // Postgres logs the plan of every statement, with its parameters.
    for (setting, value) in [
        ("session_preload_libraries", "auto_explain"),
        ("auto_explain.log_min_duration", "0"),
        ("auto_explain.log_level", "notice"),
    ] {
        let sql = format!("ALTER ROLE CURRENT_USER SET {setting} = '{value}'");
        tables.execute(AssertSqlSafe(sql)).await?;
    }
    tables.close().await?;
    let said = overhear(Location::from(url), &roads).await?;
    let (mut plans, mut seen, mut broken) = (format!("{version}\n"), BTreeSet::new(), Vec::new());
    for (path, heard) in said {
        writeln!(plans, "\n# {path}")?;
        for told in heard.iter().filter_map(|heard| heard.strip_prefix("duration: ")) {
            let Some((_, told)) = told.split_once("Query Text: ") else { continue };
            let lines: Vec<&str> = told.lines().collect();
            let Some(begin) = lines.iter().position(|line| line.contains("  (cost=")) else { continue };
            let statement = in_one_line(&lines[..begin].join(" "));
            if !is_new(&mut seen, &statement) {
                continue;
            }
            writeln!(plans, "{statement}")?;
            for (place, line) in lines.iter().enumerate().skip(begin) {
                // Conditions contain the values of parameters, which differ in each run.
                let Some((node, _)) = line.split_once("  (cost=") else { continue };
                let is_found = lines.get(place + 1).is_some_and(|next| next.trim_start().starts_with("Index Cond: "));
                let is_index = node.contains("Index Scan") || node.contains("Index Only Scan");
                let is_through = node.contains("Seq Scan on ") || is_index && !is_found;
                writeln!(plans, "    {node}{}", if is_index && !is_found { ", all of it" } else { "" })?;
                if is_through && path != COUNTS_EVERYTHING {
                    broken.push(format!("{path}: {}: {statement}", node.trim_start()));
                }
            }
        }
    }
    anyhow::ensure!(
        seen.len() > 30,
        "auto_explain tells nothing: it comes with Postgres, or in a package postgresql-contrib"
    );
    check("postgres.txt", &plans, &broken, |snapshot| snapshot.lines().next() == Some(&version))
}
