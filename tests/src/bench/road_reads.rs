//! The latency of reads of roads with the roads of a continent.

use std::time::Instant;

use anyhow::ensure;
use tourismo_server::{Config, Limits, Location, Server};
use tourismo_test_postgres::Cluster;

use super::reads::{Connection, Reads, milliseconds, next, summary};
use super::{Table, grouped};
use crate::community::roads::{FEWEST, Road, load, roads};
use crate::community::tables::Tables;

/// The number of reads of each kind, each at another position.
const READS: usize = 1_000;
/// The number of reads before.
const WARMING: usize = 200;
/// The number of tiles of each zoom, each drawn for the first time.
const TILES: usize = 200;

/// Reads of so many roads and of a tenth of them, on either engine, as a table.
///
/// # Errors
/// If a database cannot be loaded or a read fails.
pub async fn table(segments: usize) -> anyhow::Result<Table> {
    let mut measured = Vec::new();
    for segments in [segments / 10, segments] {
        let made = roads(1, segments);
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("relay.sqlite");
        let url = format!("sqlite:{}", file.display());
        measured.push(of(&made, file.into(), &url).await?);
        let cluster = Cluster::start()?;
        let database = cluster.lend()?;
        measured.push(of(&made, Location::from(database.url()), &database.url()).await?);
    }
    let row = |place: usize| {
        let figures = measured.iter().map(|reads| format!("{:.1}, {:.1}", reads[place].median_ms, reads[place].p99_ms));
        [measured[0][place].what.to_owned()].into_iter().chain(figures).collect()
    };
    Ok(Table {
        title: "Reads of a continent's roads",
        notes: format!(
            "{} and {} synthetic roads, six of ten in 400 valleys, inserted into the tables of the same relay on \
             SQLite and on a Postgres on the same machine. Wall time in milliseconds over a kept connection, \
             including the query and the JSON: median, 99th percentile. Each read is for a place with roads that was \
             not read before. A page has 20 items. A tile has up to 400 roads, 200 below zoom 8; \"cold\" is the \
             first request for a tile after a start of the relay.",
            grouped(segments as u64 / 10),
            grouped(segments as u64),
        ),
        columns: vec!["", "SQLite, fewer", "Postgres, fewer", "SQLite, more", "Postgres, more"],
        rows: (0..measured[0].len()).map(row).collect(),
    })
}

/// Loads roads into a new database and makes every read of them.
///
/// # Errors
/// If the database cannot be loaded or a read fails.
pub async fn of(roads: &[Road], database: Location, url: &str) -> anyhow::Result<Vec<Reads>> {
    let mut config = Config::new("127.0.0.1:0".parse()?, database);
    config.limits = Limits { max_requests_per_second: u32::MAX / 32, ..Limits::DEFAULT };
    config.roads_from_drivers = FEWEST;
    // Creates the tables.
    Server::start(config.clone()).await?.shutdown().await;
    load(Tables::open(url).await?, roads).await?;
    let mut reads = Vec::new();
    for zoom in [5, 8, 11, 14] {
        // A relay that has just been started: nothing of the database is in its memory.
        let running = Server::start(config.clone()).await?;
        let mut connection = Connection::open(running.addr()).await?;
        let mut samples = Vec::new();
        let mut bytes = 0;
        for [x, y] in tiles(roads, zoom) {
            let began = Instant::now();
            bytes += connection.get(&format!("roads/tiles/{zoom}/{x}/{y}.mvt"), None).await?.len();
            samples.push(milliseconds(began.elapsed()));
        }
        ensure!(bytes > 0, "no tile has a road");
        let what = match zoom {
            5 => "a tile of zoom 5, cold",
            8 => "a tile of zoom 8, cold",
            11 => "a tile of zoom 11, cold",
            _ => "a tile of zoom 14, cold",
        };
        reads.push(summary(what, samples));
        running.shutdown().await;
    }
    let running = Server::start(config).await?;
    let mut connection = Connection::open(running.addr()).await?;
    let boxes: [(&str, f64); 4] = [
        ("the best within 0.1°", 0.1),
        ("the best within 1°", 1.0),
        ("the best within 5°", 5.0),
        ("the best of the continent", 40.0),
    ];
    for (what, side) in boxes {
        reads.push(each(&mut connection, roads, what, |road| bbox(road, side)).await?);
    }
    let near = |road: &Road| format!("roads?near={},{}&radiusM=50000&limit=20", road.at[1], road.at[0]);
    reads.push(each(&mut connection, roads, "the best within 50 km", near).await?);
    reads.push(later(&mut connection, roads).await?);
    reads.push(each(&mut connection, roads, "one road", |road| format!("roads/{}", road.name())).await?);
    drop(connection);
    running.shutdown().await;
    Ok(reads)
}

/// A read at a thousand positions with roads.
async fn each(
    connection: &mut Connection,
    roads: &[Road],
    what: &'static str,
    path: impl Fn(&Road) -> String,
) -> anyhow::Result<Reads> {
    let mut samples = Vec::new();
    for number in 0..WARMING + READS {
        let path = path(somewhere(roads, number));
        let began = Instant::now();
        let body = connection.get(&path, None).await?;
        ensure!(body.len() > 200, "{path}: there is a road");
        if number >= WARMING {
            samples.push(milliseconds(began.elapsed()));
        }
    }
    Ok(summary(what, samples))
}

/// The second and third page of boxes.
async fn later(connection: &mut Connection, roads: &[Road]) -> anyhow::Result<Reads> {
    let mut samples = Vec::new();
    for number in 0..READS / 2 {
        let path = bbox(somewhere(roads, number), 1.0);
        let mut after = next(&connection.get(&path, None).await?)?;
        for _ in 0..2 {
            let Some(place) = after.take() else { break };
            let began = Instant::now();
            let body = connection.get(&format!("{path}&after={place}"), None).await?;
            samples.push(milliseconds(began.elapsed()));
            after = next(&body)?;
        }
    }
    Ok(summary("a later page within 1°", samples))
}

/// Returns a road, a different one for each number: most are where people drive.
fn somewhere(roads: &[Road], number: usize) -> &Road {
    &roads[number * 7_919 % roads.len()]
}

fn bbox(road: &Road, side: f64) -> String {
    let [west, south] = [(road.at[0] - side / 2.0).max(-180.0), (road.at[1] - side / 2.0).max(-90.0)];
    format!("roads?limit=20&bbox={west},{south},{},{}", (west + side).min(180.0), (south + side).min(90.0))
}

/// Tiles of a zoom with roads on them, each once.
fn tiles(roads: &[Road], zoom: u32) -> Vec<[u32; 2]> {
    let tile = |road: &Road| {
        let ([lon, lat], world) = (road.at, f64::from(1 << zoom));
        let y = (1.0 - lat.to_radians().tan().asinh() / std::f64::consts::PI) / 2.0;
        [((lon + 180.0) / 360.0 * world) as u32, (y * world) as u32]
    };
    let mut tiles: Vec<[u32; 2]> = (0..TILES).map(|number| tile(somewhere(roads, number))).collect();
    tiles.sort_unstable();
    tiles.dedup();
    tiles
}
