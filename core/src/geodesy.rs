//! Distances and directions on the WGS 84 ellipsoid.
//!
//! All computations use earth-centred coordinates, in which the date line and the poles need no special cases. Sines
//! and cosines come from the crate `libm`, so that phone and relay compute the same bits.

use serde::{Deserialize, Serialize};

use crate::fix::Fix;
use crate::sorting::sort_by;

/// Half of the equator's diameter (WGS 84, defining constant), metres.
const SEMI_MAJOR_AXIS_M: f64 = 6_378_137.0;
/// The flattening of WGS 84 (defining constant).
const FLATTENING: f64 = 1.0 / 298.257_223_563;
const ECCENTRICITY_SQUARED: f64 = FLATTENING * (2.0 - FLATTENING);
/// Mean radius (IUGG, R1), metres.
const MEAN_RADIUS_M: f64 = 6_371_008.8;
/// Above this length the error of the bent chord exceeds 1e-7, so longer distances are measured in pieces.
const LONGEST_CHORD_M: f64 = 50_000.0;

/// A position on the WGS 84 ellipsoid.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, minicbor::Encode, minicbor::Decode)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct Position {
    /// Geodetic latitude, degrees north.
    #[n(0)]
    pub lat_deg: f64,
    /// Longitude, degrees east.
    #[n(1)]
    pub lon_deg: f64,
}

impl Position {
    /// Returns whether it is a place on earth.
    pub fn is_valid(&self) -> bool {
        self.lat_deg.abs() <= 90.0 && self.lon_deg.abs() <= 180.0
    }
}

impl From<&Fix> for Position {
    fn from(fix: &Fix) -> Position {
        Position { lat_deg: fix.lat_deg, lon_deg: fix.lon_deg }
    }
}

/// Returns the length of the shortest way between two positions over the ellipsoid, metres.
///
/// Up to 50 km it is the chord through the earth, bent by `c³ / 24R²` (the first term of `2R asin(c / 2R)`): within
/// 1e-7 of the geodesic (the radius of curvature differs from R by 0.6 % at most) and 1 nm of rounding. Above, it is
/// the sum of such pieces along the great ellipse, the curve in which the plane through both positions and the centre
/// of the earth cuts the ellipsoid: within 1e-5 of the geodesic up to 10,000 km, and 0.2 % to the antipodes. Karney's
/// exact algorithm would be larger than a tenth of all other geodesy code, and distances over gaps need no millimetres.
pub fn distance_m(a: Position, b: Position) -> f64 {
    let (a, b) = (Ecef::from(a), Ecef::from(b));
    let chord_m = a.chord_m(b);
    if chord_m <= LONGEST_CHORD_M {
        return bent_m(chord_m);
    }
    // Seen from the centre, the pieces of the chord are longest in its middle. With an odd number, no piece ends in the
    // centre itself.
    let pieces = 4 * (chord_m / LONGEST_CHORD_M) as u32 + 1;
    let point = |index: u32| a.towards(b, f64::from(index) / f64::from(pieces)).on_ellipsoid();
    (0..pieces).map(|index| bent_m(point(index).chord_m(point(index + 1)))).sum()
}

/// Returns the length along the ground of a chord through the earth.
fn bent_m(chord_m: f64) -> f64 {
    chord_m * (1.0 + chord_m * chord_m / (24.0 * MEAN_RADIUS_M * MEAN_RADIUS_M))
}

/// Earth-centred, earth-fixed coordinates: x to (0° N, 0° E), y to (0° N, 90° E), z to the north pole; metres.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Ecef {
    /// Metres towards (0° N, 0° E).
    pub x_m: f64,
    /// Metres towards (0° N, 90° E).
    pub y_m: f64,
    /// Metres towards the north pole.
    pub z_m: f64,
}

impl From<Position> for Ecef {
    /// The position is at height 0. Source: any textbook of geodesy, with the prime-vertical radius `N = a / sqrt(1 -
    /// e² sin² φ)`.
    fn from(position: Position) -> Ecef {
        let (sin_lat, cos_lat) = libm::sincos(position.lat_deg.to_radians());
        let (sin_lon, cos_lon) = libm::sincos(position.lon_deg.to_radians());
        let prime_vertical_m = SEMI_MAJOR_AXIS_M / (1.0 - ECCENTRICITY_SQUARED * sin_lat * sin_lat).sqrt();
        Ecef {
            x_m: prime_vertical_m * cos_lat * cos_lon,
            y_m: prime_vertical_m * cos_lat * sin_lon,
            z_m: prime_vertical_m * (1.0 - ECCENTRICITY_SQUARED) * sin_lat,
        }
    }
}

impl From<Ecef> for Position {
    /// The point must be on the ellipsoid, as [`Ecef::from`] returns it: there `z = (1 - e²) tan φ p` at the distance
    /// `p` from the axis.
    fn from(place: Ecef) -> Position {
        let axis_m = (place.x_m * place.x_m + place.y_m * place.y_m).sqrt();
        Position {
            lat_deg: libm::atan2(place.z_m, (1.0 - ECCENTRICITY_SQUARED) * axis_m).to_degrees(),
            lon_deg: libm::atan2(place.y_m, place.x_m).to_degrees(),
        }
    }
}

impl Ecef {
    /// Returns the point at this part, from 0 to 1, of the straight line to another point.
    pub(crate) fn towards(self, other: Ecef, part: f64) -> Ecef {
        let between = |from: f64, to: f64| from + (to - from) * part;
        Ecef { x_m: between(self.x_m, other.x_m), y_m: between(self.y_m, other.y_m), z_m: between(self.z_m, other.z_m) }
    }

    /// Returns the middle of points, at least one, on the ellipsoid.
    pub(crate) fn middle(points: &[Ecef]) -> Position {
        let sum = points.iter().fold(Ecef::default(), |sum, point| Ecef {
            x_m: sum.x_m + point.x_m,
            y_m: sum.y_m + point.y_m,
            z_m: sum.z_m + point.z_m,
        });
        sum.on_ellipsoid().into()
    }

    /// Returns the intersection of the ellipsoid with the ray from the centre through this point.
    fn on_ellipsoid(self) -> Ecef {
        let Ecef { x_m, y_m, z_m } = self;
        let polar = z_m / (1.0 - FLATTENING);
        let scale = SEMI_MAJOR_AXIS_M / (x_m * x_m + y_m * y_m + polar * polar).sqrt();
        Ecef { x_m: x_m * scale, y_m: y_m * scale, z_m: z_m * scale }
    }

    /// Returns the length of the straight line through the earth, metres. Up to 10 km it equals the distance over the
    /// ground within 1 mm.
    pub fn chord_m(self, other: Ecef) -> f64 {
        let (x, y, z) = (self.x_m - other.x_m, self.y_m - other.y_m, self.z_m - other.z_m);
        (x * x + y * y + z * z).sqrt()
    }
}

/// The plane that touches the ellipsoid at a position: a local map in metres.
///
/// Lengths are short by `d² / 2R²` at `d` from the origin: 1e-4 at 100 km.
#[derive(Clone, Copy, Debug)]
pub struct TangentPlane {
    origin: Ecef,
    east: [f64; 2],
    north: [f64; 3],
}

impl TangentPlane {
    /// Returns the plane at `origin`.
    pub fn at(origin: Position) -> TangentPlane {
        let (sin_lat, cos_lat) = libm::sincos(origin.lat_deg.to_radians());
        let (sin_lon, cos_lon) = libm::sincos(origin.lon_deg.to_radians());
        TangentPlane {
            origin: Ecef::from(origin),
            east: [-sin_lon, cos_lon],
            north: [-sin_lat * cos_lon, -sin_lat * sin_lon, cos_lat],
        }
    }

    /// Returns a position on the plane: metres east and metres north of the origin.
    pub fn project_m(&self, position: Position) -> (f64, f64) {
        let place = Ecef::from(position);
        let (x, y, z) = (place.x_m - self.origin.x_m, place.y_m - self.origin.y_m, place.z_m - self.origin.z_m);
        (self.east[0] * x + self.east[1] * y, self.north[0] * x + self.north[1] * y + self.north[2] * z)
    }

    /// Returns the position so many metres east and north of the origin: the inverse of [`TangentPlane::project_m`].
    pub fn unproject(&self, east_m: f64, north_m: f64) -> Position {
        let Ecef { x_m, y_m, z_m } = self.origin;
        let place = Ecef {
            x_m: x_m + self.east[0] * east_m + self.north[0] * north_m,
            y_m: y_m + self.east[1] * east_m + self.north[1] * north_m,
            z_m: z_m + self.north[2] * north_m,
        };
        place.on_ellipsoid().into()
    }
}

/// The smallest rectangle of latitudes and longitudes around positions.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct Bounds {
    /// Western edge, degrees east; greater than `east_deg` if the date line is between them (RFC 7946, 5.2).
    pub west_deg: f64,
    /// Southern edge, degrees north.
    pub south_deg: f64,
    /// Eastern edge, degrees east.
    pub east_deg: f64,
    /// Northern edge, degrees north.
    pub north_deg: f64,
}

impl Bounds {
    /// Returns the bounds of `positions`, the shorter way around the earth; `None` without positions.
    pub fn around(positions: impl IntoIterator<Item = Position>) -> Option<Bounds> {
        let (mut lats, mut lons): (Vec<f64>, Vec<f64>) =
            positions.into_iter().map(|position| (position.lat_deg, position.lon_deg)).unzip();
        sort_by(&mut lats, f64::total_cmp);
        sort_by(&mut lons, f64::total_cmp);
        let (&south_deg, &north_deg) = (lats.first()?, lats.last()?);
        let (&first, &last) = (lons.first()?, lons.last()?);
        // The widest empty range of longitudes is outside the bounds.
        let mut widest = (first + 360.0 - last, first, last);
        for pair in lons.windows(2) {
            if pair[1] - pair[0] > widest.0 {
                widest = (pair[1] - pair[0], pair[1], pair[0]);
            }
        }
        let (_, west_deg, east_deg) = widest;
        Some(Bounds { west_deg, south_deg, east_deg, north_deg })
    }

    /// Returns west, south, east, north in degrees: the order of RFC 7946.
    pub fn as_bbox(&self) -> [f64; 4] {
        [self.west_deg, self.south_deg, self.east_deg, self.north_deg]
    }

    /// Returns whether two boxes, as returned by [`Bounds::as_bbox`], overlap or are at most `deg` degrees apart.
    pub fn are_near([west, south, east, north]: [f64; 4], other: [f64; 4], deg: f64) -> bool {
        let [other_west, other_south, other_east, other_north] = other;
        // Degrees eastwards from one meridian to another.
        let east_of = |from: f64, to: f64| (to - from).rem_euclid(360.0);
        let begins_within = east_of(west, other_west) <= east_of(west, east) + deg;
        let is_within = east_of(other_west, west) <= east_of(other_west, other_east) + deg;
        south <= other_north + deg && other_south <= north + deg && (begins_within || is_within)
    }
}

#[cfg(test)]
mod tests {
    use geo::{Destination, Distance, Geodesic, Point};
    use proptest::prelude::*;

    use super::*;

    fn at(lat_deg: f64, lon_deg: f64) -> Position {
        Position { lat_deg, lon_deg }
    }

    fn geodesic_m(a: Position, b: Position) -> f64 {
        Geodesic.distance(Point::new(a.lon_deg, a.lat_deg), Point::new(b.lon_deg, b.lat_deg))
    }

    #[test]
    fn lengths_of_degrees_are_those_of_the_published_tables() {
        // Lengths of one degree centred on the latitude (NGA, "Length of a degree of latitude and longitude").
        let table = [(0.0, 110_574.0, 111_320.0), (45.0, 111_132.0, 78_847.0), (60.0, 111_412.0, 55_800.0)];
        for (lat, degree_of_latitude_m, degree_of_longitude_m) in table {
            let meridian_m = 10.0 * distance_m(at(lat - 0.05, 7.0), at(lat + 0.05, 7.0));
            let parallel_m = 10.0 * distance_m(at(lat, 7.0), at(lat, 7.1));
            assert!((meridian_m - degree_of_latitude_m).abs() < 1.0, "{lat}: {meridian_m}");
            assert!((parallel_m - degree_of_longitude_m).abs() < 1.0, "{lat}: {parallel_m}");
        }
        // A quarter of a meridian, which once defined the metre: 10,001,965.729 m.
        assert!((distance_m(at(0.0, 0.0), at(90.0, 0.0)) - 10_001_965.729).abs() < 1.0);
    }

    #[test]
    fn boxes_are_near_each_other_also_over_the_date_line() {
        let home = [10.0, 46.0, 10.5, 46.5];
        let fiji = [179.5, -18.0, -179.5, -17.0];
        for (a, b, near) in [
            (home, home, true),
            (home, [10.4, 46.4, 10.9, 46.9], true),
            (home, [10.2, 46.2, 10.3, 46.3], true),
            (home, [10.505, 46.505, 10.6, 46.6], true),
            (home, [10.52, 46.0, 10.6, 46.5], false),
            (home, [10.0, 46.52, 10.5, 46.6], false),
            (home, fiji, false),
            (fiji, [-179.6, -17.5, -179.0, -17.4], true),
            (fiji, [179.0, -17.5, 179.495, -17.4], true),
            (fiji, [-179.4, -17.5, -179.0, -17.4], false),
        ] {
            assert_eq!(Bounds::are_near(a, b, 0.01), near, "{a:?} {b:?}");
            assert_eq!(Bounds::are_near(b, a, 0.01), near, "{b:?} {a:?}");
        }
    }

    #[test]
    fn the_date_line_and_the_poles_are_places_like_any_other() {
        let over_the_line_m = distance_m(at(-16.8, 179.999_5), at(-16.8, -179.999_5));
        assert!((over_the_line_m - distance_m(at(-16.8, 10.0), at(-16.8, 10.001))).abs() < 1e-6);
        assert!((distance_m(at(89.999, 0.0), at(89.999, 180.0)) - 2.0 * 111.694).abs() < 0.001);
        assert_eq!(distance_m(at(90.0, 0.0), at(90.0, 77.0)).round(), 0.0);
        assert_eq!(distance_m(at(12.0, 180.0), at(12.0, -180.0)).round(), 0.0);
    }

    #[test]
    fn a_plane_keeps_lengths_near_its_origin_also_at_the_pole() {
        for origin in [at(46.5, 10.4), at(-16.8, 179.999), at(89.999, 5.0)] {
            let plane = TangentPlane::at(origin);
            let there = at((origin.lat_deg + 0.002).min(90.0), origin.lon_deg - 359.99);
            let (east_m, north_m) = plane.project_m(there);
            assert!((libm::hypot(east_m, north_m) - distance_m(origin, there)).abs() < 0.01);
            assert!(north_m > 0.0);
        }
    }

    #[test]
    fn bounds_go_the_narrow_way_around_the_earth() {
        let bounds = |lons: &[f64]| {
            let b = Bounds::around(lons.iter().map(|&lon| at(1.0, lon))).unwrap();
            (b.west_deg, b.east_deg)
        };
        assert_eq!(bounds(&[10.0, 12.0, 11.0]), (10.0, 12.0));
        assert_eq!(bounds(&[179.0, -179.5, -179.0]), (179.0, -179.0));
        assert_eq!(bounds(&[5.0]), (5.0, 5.0));
        assert_eq!(Bounds::around([]), None);
    }

    proptest! {
        #[test]
        fn a_place_seen_from_the_centre_of_the_earth_is_the_same_place(lat in -90.0..=90.0_f64, lon in -180.0..180.0_f64) {
            let place = at(lat, lon);
            prop_assert!(distance_m(place, Ecef::from(place).into()) < 1e-6);
        }

        /// The stated error: 1e-7 of the length, or 10 nm.
        #[test]
        fn distances_are_those_of_the_exact_geodesic(
            lat in -90.0..=90.0_f64, lon in -180.0..=180.0_f64, bearing in 0.0..360.0_f64, exponent in -1.0..4.69_f64,
        ) {
            let length_m = libm::pow(10.0, exponent);
            let there = Geodesic.destination(Point::new(lon, lat), bearing, length_m);
            let (a, b) = (at(lat, lon), at(there.y(), there.x()));
            let exact_m = geodesic_m(a, b);
            prop_assert!((distance_m(a, b) - exact_m).abs() <= 1e-7 * exact_m + 1e-8, "{} {}", distance_m(a, b), exact_m);
            prop_assert_eq!(distance_m(a, b), distance_m(b, a));
        }

        #[test]
        fn the_way_between_any_two_places_is_that_of_the_exact_geodesic(
            lat_a in -90.0..=90.0_f64, lon_a in -180.0..=180.0_f64, lat_b in -90.0..=90.0_f64, lon_b in -180.0..=180.0_f64,
        ) {
            let (a, b) = (at(lat_a, lon_a), at(lat_b, lon_b));
            let (exact_m, found_m) = (geodesic_m(a, b), distance_m(a, b));
            let error = if exact_m < 10_000_000.0 { 1e-5 } else { 2e-3 };
            prop_assert!((found_m - exact_m).abs() <= error * exact_m, "{} {}", found_m, exact_m);
        }
    }
}
