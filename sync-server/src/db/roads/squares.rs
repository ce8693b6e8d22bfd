//! The table `road_square`: the roads in each square, the best first.
//!
//! A road is in one square of each size. Bounds are covered by a few squares of about their own size, so that a read
//! returns the roads within them and few others, in a valley as on a continent. This module handles positions and ranks
//! of roads only.

use std::collections::BTreeMap;

use sqlx::AssertSqlSafe;

use super::super::sql::{self, Connection, SqlRow};
use super::{RoadKey, RoadRecord, SegmentId, name};
use crate::domain::grid::{Bounds, square};

/// The sides of the squares, degrees; the largest square is the whole world.
const SIDES_DEGREES: [f64; 5] = [0.125, 0.5, 2.0, 7.5, 30.0];
/// The index of that size.
const WORLD: usize = SIDES_DEGREES.len();
/// The number of sizes.
const SIZES: usize = SIDES_DEGREES.len() + 1;

/// Maximum number of squares of a search, unless there is no larger size. Few large squares make a shorter statement
/// than many small ones, but contain more outside of the bounds: on a tile of zoom 5, six squares of 7.5 degrees took
/// SQLite 1.5 times as long.
const MOST_SQUARES: usize = 36;

/// Returns the squares of every size that contain a position.
fn squares_of([lon, lat]: [f64; 2]) -> [i64; SIZES] {
    std::array::from_fn(|size| SIDES_DEGREES.get(size).map_or(0, |side| square(lon, lat, *side)))
}

/// Returns the size and the numbers of the squares that cover bounds.
fn covering(bounds: &Bounds) -> (usize, Vec<i64>) {
    let sizes = SIDES_DEGREES.iter().enumerate();
    let fitting = sizes.filter(|(_, side)| bounds.count(**side) <= MOST_SQUARES).map(|(size, _)| size).next();
    fitting.map_or((WORLD, vec![0]), |size| (size, bounds.squares(SIDES_DEGREES[size])))
}

/// Inserts a road into its squares.
pub(super) async fn insert(writer: &mut Connection, road: &RoadRecord) -> Result<(), sqlx::Error> {
    let place = |size: usize| {
        let values: Vec<String> = (0..6).map(|column| format!("${}", 6 * size + column + 1)).collect();
        format!("({})", values.join(", "))
    };
    let places: Vec<String> = (0..SIZES).map(place).collect();
    let sql = format!("INSERT INTO road_square (size, square, rank, id, lon, lat) VALUES {}", places.join(", "));
    let mut query = sql::query(AssertSqlSafe(sql));
    let [lon, lat] = road.middle();
    for (size, square) in (0_i64..).zip(squares_of(road.middle())) {
        query = query.bind(size).bind(square).bind(road.key().0).bind(name(road.id)).bind(lon).bind(lat);
    }
    query.execute(writer).await.map(drop)
}

/// Removes a road, which must be unchanged since it was inserted, from its squares.
pub(super) async fn remove(writer: &mut Connection, road: &RoadRecord) -> Result<(), sqlx::Error> {
    for (size, square) in (0_i64..).zip(squares_of(road.middle())) {
        let sql = "DELETE FROM road_square WHERE size = $1 AND square = $2 AND rank = $3 AND id = $4";
        let query = sql::query(sql).bind(size).bind(square).bind(road.key().0).bind(name(road.id));
        query.execute(&mut *writer).await?;
    }
    Ok(())
}

/// Returns the ids of up to `limit` roads whose middle is within bounds, the best first, after a position and not worse
/// than `last_rank`.
///
/// One index range for each square, which ends after `limit` roads; all of them in one statement.
pub(super) async fn best(
    reader: &mut Connection,
    bounds: &Bounds,
    after: RoadKey,
    last_rank: i64,
    limit: u32,
) -> Result<Vec<Vec<u8>>, sqlx::Error> {
    let (size, squares) = covering(bounds);
    let longitudes = if bounds.is_over_date_line() { "(lon >= $5 OR lon <= $7)" } else { "lon >= $5 AND lon <= $7" };
    let look = |index: usize| {
        let square = 10 + index;
        format!(
            r#"
            SELECT * FROM (
                SELECT rank, id FROM road_square
                WHERE
                    size = $1 AND square = ${square} AND (rank, id) > ($2, $3) AND rank <= $4
                    AND {longitudes} AND lat >= $6 AND lat <= $8
                ORDER BY rank, id LIMIT $9
            ) look_{index}
            "#
        )
    };
    let looks: Vec<String> = (0..squares.len()).map(look).collect();
    let sql = format!("{} ORDER BY 1, 2 LIMIT $9", looks.join(" UNION ALL "));
    let mut query = sql::query(AssertSqlSafe(sql)).bind(size as i64).bind(after.0).bind(name(after.1)).bind(last_rank);
    query = query.bind(bounds.west).bind(bounds.south).bind(bounds.east).bind(bounds.north).bind(i64::from(limit));
    for square in squares {
        query = query.bind(square);
    }
    query.rows(reader, |row| row.get("id")).await
}

/// Returns how many of these roads are in wrong squares or missing from theirs.
pub(crate) async fn misplaced(
    reader: &mut Connection,
    roads: &BTreeMap<SegmentId, RoadRecord>,
) -> Result<usize, sqlx::Error> {
    let mut expected: BTreeMap<(i64, i64, i64, Vec<u8>), [f64; 2]> = BTreeMap::new();
    for road in roads.values() {
        for (size, square) in (0_i64..).zip(squares_of(road.middle())) {
            expected.insert((size, square, road.key().0, name(road.id)), road.middle());
        }
    }
    let mut after = (-1_i64, 0_i64, 0_i64, Vec::new());
    let mut wrong = 0;
    loop {
        let sql = r#"
            SELECT size, square, rank, id, lon, lat FROM road_square
            WHERE (size, square, rank, id) > ($1, $2, $3, $4) ORDER BY size, square, rank, id LIMIT 1000
        "#;
        let read = |row: &SqlRow| {
            let key = (row.get("size")?, row.get("square")?, row.get("rank")?, row.get::<Vec<u8>>("id")?);
            Ok((key, [row.get("lon")?, row.get("lat")?]))
        };
        let query = sql::query(sql).bind(after.0).bind(after.1).bind(after.2).bind(after.3);
        let page: Vec<(_, [f64; 2])> = query.rows(reader, read).await?;
        let Some((last, _)) = page.last() else { return Ok(wrong + expected.len()) };
        after = last.clone();
        wrong += page.iter().filter(|(key, place)| expected.remove(key).as_ref() != Some(place)).count();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_within_bounds_is_in_one_of_the_few_squares_that_are_looked_at() {
        let bounds = |west, south, east, north| Bounds { west, south, east, north };
        for outer in [
            bounds(8.49, 46.99, 8.51, 47.01),
            bounds(8.0, 46.0, 9.0, 47.0),
            bounds(-10.0, 36.0, 30.0, 60.0),
            bounds(0.0, 10.0, 170.0, 10.1),
            bounds(179.5, -1.0, -179.2, 1.0),
            bounds(-180.0, -90.0, 180.0, 90.0),
            bounds(100.0, 88.0, 90.0, 90.0),
        ] {
            let (size, squares) = covering(&outer);
            assert!(squares.len() <= MOST_SQUARES, "{outer:?}");
            let width = (outer.east - outer.west).rem_euclid(360.0);
            let width = if width == 0.0 { 360.0 } else { width };
            for (x, y) in [(0.0, 0.0), (0.5, 0.5), (1.0, 1.0), (0.0, 1.0), (0.999, 0.001)] {
                let lon = outer.west + x * width;
                let lon = if lon > 180.0 { lon - 360.0 } else { lon };
                let lat = outer.south + y * (outer.north - outer.south);
                assert!(squares.contains(&squares_of([lon, lat])[size]), "{lon} {lat} in {outer:?}");
            }
        }
    }
}
