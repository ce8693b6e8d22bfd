//! Squares of degrees, by which searches within bounds read only rows nearby.
//!
//! This module handles degrees and numbers of squares, and must not depend on their contents. The crate `geo` (0.33) has no
//! rectangles over the date line, and no function that enlarges one by a distance on the ellipsoid.

/// Maximum number of narrow squares of a search; larger bounds use wide squares, of which there are 288.
const MAX_NARROW: usize = 64;

/// The side of a wide square, degrees.
const WIDE_DEGREES: f64 = 15.0;

/// Bounds on the map, degrees: west is greater than east if they cross the date line (RFC 7946).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Bounds {
    pub(crate) west: f64,
    pub(crate) south: f64,
    pub(crate) east: f64,
    pub(crate) north: f64,
}

/// The squares that touch bounds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cells {
    /// Squares of one degree.
    Narrow(Vec<i64>),
    /// Squares of fifteen degrees.
    Wide(Vec<i64>),
}

impl Bounds {
    /// Parses bounds of `west,south,east,north`; nothing if they are invalid.
    pub(crate) fn parse(text: &str) -> Option<Bounds> {
        let numbers: Vec<f64> = text.split(',').map(str::parse).collect::<Result<_, _>>().ok()?;
        let [west, south, east, north] = numbers[..] else { return None };
        let is_longitude = |degrees: f64| (-180.0..=180.0).contains(&degrees);
        let is_latitude = |degrees: f64| (-90.0..=90.0).contains(&degrees);
        let is_sound = is_longitude(west) && is_longitude(east) && is_latitude(south) && is_latitude(north);
        (is_sound && south <= north).then_some(Bounds { west, south, east, north })
    }

    /// Returns bounds that contain everything within a distance of a position, and slightly more (a degree of latitude
    /// has at least 110,574 m on the WGS 84 ellipsoid).
    pub(crate) fn around(lon: f64, lat: f64, radius_m: f64) -> Bounds {
        Bounds { west: lon, south: lat, east: lon, north: lat }.grown(radius_m)
    }

    /// Returns the bounds enlarged by a distance on every side, and slightly more.
    pub(crate) fn grown(&self, margin_m: f64) -> Bounds {
        let up = margin_m / 110_574.0;
        let (south, north) = ((self.south - up).max(-90.0), (self.north + up).min(90.0));
        // A degree of longitude is shortest at the latitude farthest from the equator.
        let aside = up / south.abs().max(north.abs()).to_radians().cos().max(1e-9);
        if self.width() + 2.0 * aside >= 360.0 {
            return Bounds { west: -180.0, south, east: 180.0, north };
        }
        let wrapped = |lon: f64| {
            if lon < -180.0 {
                lon + 360.0
            } else if lon > 180.0 {
                lon - 360.0
            } else {
                lon
            }
        };
        Bounds { west: wrapped(self.west - aside), south, east: wrapped(self.east + aside), north }
    }

    fn width(&self) -> f64 {
        if self.is_over_date_line() { self.east + 360.0 - self.west } else { self.east - self.west }
    }

    pub(crate) fn is_over_date_line(&self) -> bool {
        self.west > self.east
    }

    /// Returns whether the bounds contain every longitude, and therefore also everything that crosses the date line.
    pub(crate) fn is_all_the_way_round(&self) -> bool {
        self.east - self.west >= 360.0
    }

    /// Returns the squares that touch the bounds.
    pub(crate) fn cells(&self) -> Cells {
        let narrow = self.squares(1.0);
        if narrow.len() <= MAX_NARROW { Cells::Narrow(narrow) } else { Cells::Wide(self.squares(WIDE_DEGREES)) }
    }

    /// Returns the maximum number of squares of this side that touch the bounds.
    pub(crate) fn count(&self, degrees: f64) -> usize {
        let touched = |length: f64| (length / degrees) as usize + 2;
        touched(self.width()) * touched(self.north - self.south)
    }

    /// Returns the squares of this side that touch the bounds.
    pub(crate) fn squares(&self, degrees: f64) -> Vec<i64> {
        let columns = columns(degrees);
        let (from, to) = (index(self.west + 180.0, degrees, columns), index(self.east + 180.0, degrees, columns));
        let rows = index(self.south + 90.0, degrees, columns / 2)..=index(self.north + 90.0, degrees, columns / 2);
        let across: Vec<i64> =
            if self.is_over_date_line() { (from..columns).chain(0..=to).collect() } else { (from..=to).collect() };
        let mut squares: Vec<i64> =
            rows.flat_map(|row| across.iter().map(move |column| row * columns + column)).collect();
        // Bounds around the whole world contain their first column twice.
        squares.sort_unstable();
        squares.dedup();
        squares
    }

    /// Returns the narrow and the wide square that contain the middle of the bounds.
    pub(crate) fn home(&self) -> (i64, i64) {
        let lon = (self.west + self.width() / 2.0 + 180.0).rem_euclid(360.0) - 180.0;
        let lat = (self.south + self.north) / 2.0;
        (square(lon, lat, 1.0), square(lon, lat, WIDE_DEGREES))
    }
}

/// Returns the square of this side that contains a position.
pub(crate) fn square(lon: f64, lat: f64, degrees: f64) -> i64 {
    let columns = columns(degrees);
    index(lat + 90.0, degrees, columns / 2) * columns + index(lon + 180.0, degrees, columns)
}

fn columns(degrees: f64) -> i64 {
    (360.0 / degrees) as i64
}

fn index(from_zero: f64, degrees: f64, count: i64) -> i64 {
    ((from_zero / degrees).floor() as i64).clamp(0, count - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounds(west: f64, south: f64, east: f64, north: f64) -> Bounds {
        Bounds { west, south, east, north }
    }

    #[test]
    fn bounds_are_four_numbers_on_earth() {
        assert_eq!(Bounds::parse("8,46.5,-9,47"), Some(bounds(8.0, 46.5, -9.0, 47.0)));
        for bad in ["", "1,2,3", "1,2,3,4,5", "a,2,3,4", "181,0,0,0", "0,5,0,4", "0,-91,0,0", "NaN,0,0,0", "0,0,inf,0"]
        {
            assert_eq!(Bounds::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_square_of_what_is_within_bounds_is_among_the_squares_of_the_bounds() {
        for outer in [
            bounds(8.1, 46.9, 8.9, 47.3),
            bounds(-10.0, 30.0, 40.0, 70.0),
            bounds(179.5, -1.0, -179.2, 1.0),
            bounds(-180.0, -90.0, 180.0, 90.0),
            bounds(1.0, -90.0, 0.9, 90.0),
        ] {
            let width =
                if outer.is_over_date_line() { outer.east + 360.0 - outer.west } else { outer.east - outer.west };
            for (x, y, part) in [(0.0, 0.0, 0.1), (0.5, 0.5, 0.5), (0.9, 0.9, 0.1), (0.0, 0.0, 1.0), (1.0, 1.0, 0.0)] {
                let wrapped = |lon: f64| if lon > 180.0 { lon - 360.0 } else { lon };
                let (west, height) = (outer.west + x * width, outer.north - outer.south);
                let south = outer.south + y * height;
                let inner = bounds(wrapped(west), south, wrapped(west + part * width), south + part * height);
                let (narrow, wide) = inner.home();
                match outer.cells() {
                    Cells::Narrow(cells) => assert!(cells.contains(&narrow), "{inner:?} in {outer:?}"),
                    Cells::Wide(cells) => assert!(cells.contains(&wide), "{inner:?} in {outer:?}"),
                }
            }
        }
    }

    #[test]
    fn no_bounds_touch_more_squares_than_a_statement_can_name() {
        for outer in [bounds(-180.0, -90.0, 180.0, 90.0), bounds(0.0, -90.0, -0.1, 90.0), bounds(0.0, 0.0, 7.9, 8.0)] {
            let (Cells::Narrow(cells) | Cells::Wide(cells)) = outer.cells();
            assert!(cells.len() <= 288, "{}", cells.len());
        }
    }

    #[test]
    fn bounds_around_a_place_hold_what_is_near_also_over_the_date_line_and_at_the_poles() {
        let near = Bounds::around(8.5, 47.0, 10_000.0);
        assert!(near.north - 47.0 > 0.0899 && 8.5 - near.west > 0.13, "{near:?}");
        assert!(Bounds::around(179.99, 0.0, 10_000.0).is_over_date_line());
        assert_eq!(Bounds::around(0.0, 89.99, 10_000.0).west, -180.0);
    }
}
