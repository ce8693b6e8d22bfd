//! `GET /v1/roads/tiles/{z}/{x}/{y}.mvt`: roads for a map, as a Mapbox Vector Tile 2.1.

use axum::extract::State;
use axum::response::Response;
use std::f64::consts::PI;

use crate::db::roads::{self, RoadLine};
use crate::domain::grid::Bounds;
use crate::http::error::ApiError;
use crate::http::path::Path;
use crate::http::read_request::ReadRequest;
use crate::http::readers::AnswerReaders;
use crate::read::formats::mvt::{Line, layer};
use crate::read::schema::Refusals;

/// Maximum number of roads of a tile: the best.
const MOST_ROADS: u32 = 400;

/// The maximum on tiles that show roads as dots, because several of them are seen at once.
const MOST_DOTS: u32 = 200;

/// The zoom from which on a road is more than a dot.
const LINES_FROM_ZOOM: u32 = 8;

/// The maximum zoom of tiles; maps enlarge these.
const DEEPEST: u32 = 14;

/// The width of a tile in units.
const EXTENT: f64 = 4096.0;

/// How far the middle of a visible road may be outside of a tile, metres: half of the longest road.
const REACH_M: f64 = 3_000.0;

/// The best roads of a tile, at most 400 (200 on tiles of zoom 7 or less), as a Mapbox Vector Tile 2.1 with one layer
/// `roads` of lines, each with `id`, `score` (0 to 100) and `lengthM`.
#[utoipa::path(
    get, path = "/v1/roads/tiles/{z}/{x}/{y}", tag = "roads", security((), ("token" = [])),
    params(
        ("z" = u32, Path, description = "Zoom, 0 to 14."),
        ("x" = u32, Path, description = "Column."),
        ("y" = String, Path, description = "Row, followed by `.mvt`."),
    ),
    responses((status = 200, description = "The tile.", content_type = "application/vnd.mapbox-vector-tile"), Refusals)
)]
pub(crate) async fn tile(
    State(readers): State<AnswerReaders>,
    Path((z, x, y)): Path<(u32, u32, String)>,
    request: ReadRequest,
) -> Result<Response, ApiError> {
    let y = y.strip_suffix(".mvt").and_then(|y| y.parse().ok()).ok_or_else(ApiError::not_found)?;
    let tile = Tile::new(z, x, y).filter(|_| super::may_read(request.viewer)).ok_or_else(ApiError::not_found)?;
    let mut reader = readers.snapshot().await?;
    let most = if z < LINES_FROM_ZOOM { MOST_DOTS } else { MOST_ROADS };
    let found = roads::lines(&mut reader, &tile.reach(), most).await?;
    drop(reader);
    let lines: Vec<Line> = found.iter().map(|road| tile.line(road)).collect();
    Ok(request.answer_bytes(layer("roads", EXTENT as u32, &lines), "application/vnd.mapbox-vector-tile"))
}

/// A tile of the web map (spherical Mercator, EPSG:3857).
#[derive(Clone, Copy, Debug)]
struct Tile {
    tiles: f64,
    x: f64,
    y: f64,
}

impl Tile {
    fn new(z: u32, x: u32, y: u32) -> Option<Tile> {
        let tiles = 1_u32.checked_shl(z).filter(|_| z <= DEEPEST)?;
        (x < tiles && y < tiles).then_some(Tile { tiles: tiles.into(), x: x.into(), y: y.into() })
    }

    /// Returns the bounds of the middles of roads that may be visible on it.
    fn reach(self) -> Bounds {
        let lon = |x: f64| x / self.tiles * 360.0 - 180.0;
        // The inverse Gudermannian function, as in every description of the projection.
        let lat = |y: f64| (PI * (1.0 - 2.0 * y / self.tiles)).sinh().atan().to_degrees();
        if self.tiles < 4.0 {
            return Bounds { west: -180.0, south: -90.0, east: 180.0, north: 90.0 };
        }
        Bounds { west: lon(self.x), south: lat(self.y + 1.0), east: lon(self.x + 1.0), north: lat(self.y) }
            .grown(REACH_M)
    }

    fn line(self, road: &RoadLine) -> Line {
        let world = self.tiles * EXTENT;
        // At the date line, the copy nearer to the tile counts for the first point, and the one nearer to the previous
        // point for the others.
        let mut beside = EXTENT / 2.0;
        let point = |&[lon, lat]: &[f64; 2]| {
            let sin = lat.to_radians().sin().clamp(-0.9999, 0.9999);
            let x = (lon + 180.0) / 360.0 * world - self.x * EXTENT;
            let y = (0.5 - ((1.0 + sin) / (1.0 - sin)).ln() / (4.0 * PI)) * world - self.y * EXTENT;
            let x = if x - beside > world / 2.0 {
                x - world
            } else if x - beside < -world / 2.0 {
                x + world
            } else {
                x
            };
            beside = x;
            [x.round() as i32, y.round() as i32]
        };
        let mut points: Vec<[i32; 2]> = road.line.iter().map(point).collect();
        points.dedup();
        // At a low zoom a short road is a dot, which maps draw only as a line.
        points.extend(points.first().filter(|_| points.len() == 1).map(|[x, y]| [x + 1, *y]));
        Line { points, id: road.id.to_string(), score: road.score.0, length_m: road.length_m }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::roads::Rank;
    use crate::domain::roads::SegmentId;

    #[test]
    fn a_road_has_the_points_that_its_tile_can_tell_apart_and_two_at_least() {
        let line = (0..50).map(|step| [8.5 + 1e-4 * f64::from(step), 47.0]).collect();
        let road = RoadLine { id: SegmentId(1, 2), score: Rank(90), length_m: 380, line };
        let points = |z: u32, x, y| Tile::new(z, x, y).unwrap().line(&road).points;
        assert_eq!(points(14, 8578, 5760).len(), 50);
        assert!((3..50).contains(&points(8, 134, 90).len()));
        let [from, to] = points(2, 2, 1).try_into().unwrap();
        assert_eq!([to[0] - from[0], to[1] - from[1]], [1, 0], "a dot that is drawn");
        let [from, _] = points(0, 0, 0).try_into().unwrap();
        assert_eq!(from[0], 2145, "the one tile of the world has all of it");
    }

    #[test]
    fn a_road_over_the_date_line_is_drawn_where_it_is_on_the_tiles_of_both_sides() {
        let lon = |step: i32| if step < 0 { 180.0 + 1e-3 * f64::from(step) } else { -180.0 + 1e-3 * f64::from(step) };
        let line = (-25..25).map(|step| [lon(step), -16.8]).collect();
        let road = RoadLine { id: SegmentId(1, 2), score: Rank(90), length_m: 5_000, line };
        for (z, x) in [(0, 0), (1, 0), (1, 1), (8, 0), (8, 255), (14, 0), (14, 16_383)] {
            let y = if z == 0 { 0 } else { (f64::from(1 << z) * 0.547) as u32 };
            let points = Tile::new(z, x, y).unwrap().line(&road).points;
            let (west, east) = (points.iter().map(|point| point[0]).min(), points.iter().map(|point| point[0]).max());
            let (west, east) = (west.unwrap(), east.unwrap());
            // 0.05 degrees of 360, on 4,096 units for each tile.
            let width = (0.05 / 360.0 * 4096.0 * f64::from(1 << z)).ceil() as i32 + 1;
            assert!(east - west <= width, "{z} {x}: {west} to {east}");
            let edge = if x == 0 && z > 0 { 0 } else { 4096 };
            assert!((west..=east + 1).contains(&edge), "{z} {x}: {west} to {east}");
        }
    }
}
