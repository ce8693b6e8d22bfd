//! Synthetic roads, inserted directly into a relay's tables: as many as a continent has.
//!
//! Six of ten are in 400 valleys, with very different numbers; the others are anywhere. Good ones are close together.
//! Their ids depend on their positions, like those of real roads, whose ids are cells.

use std::time::SystemTime;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde_json::json;
use sha2::{Digest, Sha256};
use sqlx::Executor;

use super::tables::{Cell, Tables};

/// The sides of the squares by which the relay finds roads, degrees; the sixth size is the world.
const SIDES_DEGREES: [f64; 5] = [0.125, 0.5, 2.0, 7.5, 30.0];

/// The minimum number of drivers of a relay that shows these roads.
pub const FEWEST: u32 = 5;

/// A road, as far as searches need it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Road {
    /// Its id: the interleaved bits of its position, and its number.
    pub id: (u64, u64),
    /// 0 to 100.
    pub score: u8,
    /// Longitude and latitude of its middle, degrees.
    pub at: [f64; 2],
    /// The number of points of its line, about 50 m apart.
    points: u32,
}

/// Returns this number of roads, ascending by id. The same seed gives the same ones.
pub fn roads(seed: u64, count: usize) -> Vec<Road> {
    let mut chance = Random(ChaCha8Rng::seed_from_u64(seed));
    let valleys: Vec<([f64; 2], f64, f64)> =
        (0..400).map(|_| (anywhere(&mut chance), chance.between(0.1, 0.6), chance.between(10.0, 80.0))).collect();
    let mut roads: Vec<Road> = (0..count as u64)
        .map(|number| {
            let (at, mean_score) = if chance.between(0.0, 1.0) < 0.6 {
                // The product makes the first valleys the fullest.
                let place = (400.0 * chance.between(0.0, 1.0) * chance.between(0.0, 1.0)) as usize;
                let (middle, reach, score) = valleys[place.min(399)];
                ([middle[0] + reach * chance.normal(), middle[1] + 0.7 * reach * chance.normal()], score)
            } else {
                (anywhere(&mut chance), 15.0)
            };
            let at = at.map(|degrees| (degrees * 1e5).round() / 1e5);
            let score = (mean_score + 12.0 * chance.normal()).clamp(0.0, 100.0) as u8;
            let points = [4, 6, 8, 12, 20, 60][(6.0 * chance.between(0.0, 1.0)) as usize % 6];
            Road { id: (interleaved(at), number), score, at, points }
        })
        .collect();
    roads.sort_unstable_by_key(|road| road.id);
    roads
}

/// Returns a position between Lisbon and the Urals, Sicily and Bergen.
fn anywhere(chance: &mut Random) -> [f64; 2] {
    [chance.between(-10.0, 30.0), chance.between(36.0, 60.0)]
}

/// Returns the alternating bits of longitude and latitude, so that near roads have similar ids (Morton order).
fn interleaved([lon, lat]: [f64; 2]) -> u64 {
    let [x, y] = [(lon + 180.0) / 360.0, (lat + 90.0) / 180.0].map(|part| (part * f64::from(u32::MAX)) as u64);
    (0..32).fold(0, |bits, bit| bits | (x >> bit & 1) << (2 * bit) | (y >> bit & 1) << (2 * bit + 1))
}

impl Road {
    /// Returns its id as in the API.
    pub fn name(&self) -> String {
        format!("{:x}-{:x}", self.id.0, self.id.1)
    }

    fn rank(&self) -> i64 {
        100 - i64::from(self.score)
    }

    fn key(&self) -> Cell {
        Cell::Bytes([self.id.0.to_be_bytes(), self.id.1.to_be_bytes()].concat())
    }

    /// Returns the squares that contain it, by size.
    fn squares(&self) -> impl Iterator<Item = (i64, i64)> {
        let [lon, lat] = self.at;
        let square = move |side: f64| {
            let columns = (360.0 / side) as i64;
            let index = |from_zero: f64, count: i64| ((from_zero / side).floor() as i64).clamp(0, count - 1);
            index(lat + 90.0, columns / 2) * columns + index(lon + 180.0, columns)
        };
        (0..).zip(SIDES_DEGREES.into_iter().map(square).chain([0]))
    }

    fn row(&self) -> Vec<Cell> {
        let [lon, lat] = self.at;
        let middle = f64::from(self.points / 2);
        let point = |step: u32| {
            let away = f64::from(step) - middle;
            [lon + 5e-4 * away, lat + 2e-4 * (away % 3.0)].map(|degrees| (degrees * 1e5).round() / 1e5)
        };
        let line: Vec<[f64; 2]> = (0..self.points).map(point).collect();
        let parts = json!({ "twist": self.score, "corners": self.score, "relief": 50, "flow": 90, "variety": 50 });
        vec![
            self.key(),
            Cell::Int(self.rank()),
            Cell::Text(parts.to_string()),
            Cell::Int(20_000),
            Cell::Int(50 * i64::from(self.points)),
            Cell::Int(0),
            Cell::Text(json!(line).to_string()),
            // The ids of ten withdrawn drives.
            Cell::Bytes(vec![7; 160]),
        ]
    }
}

/// Loads roads, ascending by id, for a relay that is started on this day, and updates the database's statistics.
///
/// # Errors
/// If the tables are of another version, or not empty.
pub async fn load(mut tables: Tables, roads: &[Road]) -> anyhow::Result<()> {
    let columns = ["id", "rank", "parts", "measured_m", "length_m", "evidence", "line", "drives"];
    tables.insert("road_segment", &columns, roads.iter().map(Road::row)).await?;
    let mut places: Vec<(i64, i64, i64, usize)> = Vec::with_capacity(6 * roads.len());
    for (index, road) in roads.iter().enumerate() {
        places.extend(road.squares().map(|(size, square)| (size, square, road.rank(), index)));
    }
    // In the order of the keys, so that pages are filled one after the other.
    places.sort_unstable();
    let row = |(size, square, rank, index): (i64, i64, i64, usize)| {
        let [lon, lat] = roads[index].at;
        vec![Cell::Int(size), Cell::Int(square), Cell::Int(rank), roads[index].key(), Cell::Real(lon), Cell::Real(lat)]
    };
    let columns = ["size", "square", "rank", "id", "lon", "lat"];
    tables.insert("road_square", &columns, places.into_iter().map(row)).await?;
    // Otherwise the relay would look for the drives of these roads and remove the roads, because there are none.
    match &mut tables {
        Tables::Sqlite(connection) => connection.execute("DELETE FROM road_batch").await.map(drop)?,
        Tables::Postgres(connection) => connection.execute("DELETE FROM road_batch").await.map(drop)?,
    }
    let columns = ["one", "day", "fewest", "traces"];
    let no_drives = Cell::Bytes(Sha256::digest([]).to_vec());
    let batch = vec![Cell::Int(1), Cell::Int(today_ms()), Cell::Int(FEWEST.into()), no_drives];
    tables.insert("road_batch", &columns, [batch].into_iter()).await?;
    match &mut tables {
        Tables::Sqlite(connection) => connection.execute("ANALYZE; PRAGMA wal_checkpoint(TRUNCATE)").await.map(drop)?,
        Tables::Postgres(connection) => connection.execute("VACUUM ANALYZE").await.map(drop)?,
    }
    Ok(())
}

/// Returns the beginning of this day, milliseconds since 1970.
fn today_ms() -> i64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    now.as_millis() as i64 / 86_400_000 * 86_400_000
}

struct Random(ChaCha8Rng);

impl Random {
    fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * (self.0.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.between(0.0, 1.0)).sum::<f64>() - 6.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_roads_in_the_order_of_their_names() {
        let made = roads(1, 2_000);
        assert_eq!(made, roads(1, 2_000));
        assert_ne!(made, roads(2, 2_000));
        assert!(made.windows(2).all(|pair| pair[0].id < pair[1].id));
    }
}
