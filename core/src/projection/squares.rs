//! The squares of a hundredth of a degree in which a track was measured, so that drives are found by place without their
//! tracks.

use minicbor::{Decode, Encode};

use crate::geodesy::Position;

/// Squares per degree: a square is 1.1 km from south to north.
const PER_DEG: f64 = 100.0;
/// Squares around the earth.
const AROUND: i32 = 36_000;
/// Bytes of a square: the number from the equator and that from Greenwich, of its south-western corner, 16 bits each.
const SQUARE_BYTES: usize = 4;

/// The squares that a track enters, each once, in the order in which it enters them.
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode)]
#[cbor(transparent)]
pub struct Squares(#[cbor(n(0), with = "minicbor::bytes")] Vec<u8>);

impl Squares {
    /// Returns the squares of these positions.
    pub(crate) fn of(positions: impl IntoIterator<Item = Position>) -> Squares {
        let mut bytes: Vec<u8> = Vec::new();
        let mut last = None;
        for position in positions {
            let square = encoded(position);
            if last.replace(square) != Some(square) && !bytes.chunks_exact(SQUARE_BYTES).any(|other| other == square) {
                bytes.extend(square);
            }
        }
        Squares(bytes)
    }

    /// Returns whether one of the squares overlaps an area of west, south, east, north, degrees (RFC 7946).
    pub(crate) fn overlap(&self, [west, south, east, north]: [f64; 4]) -> bool {
        let (west, south, east, north) = (floor(west), floor(south), floor(east), floor(north));
        // Squares eastwards from the western edge.
        let width = if east - west >= AROUND { AROUND } else { (east - west).rem_euclid(AROUND) };
        self.0.chunks_exact(SQUARE_BYTES).any(|square| {
            let [lat, lon] =
                [[square[0], square[1]], [square[2], square[3]]].map(|half| i32::from(i16::from_le_bytes(half)));
            (south..=north).contains(&lat) && (lon - west).rem_euclid(AROUND) <= width
        })
    }
}

fn floor(deg: f64) -> i32 {
    libm::floor(deg * PER_DEG) as i32
}

fn encoded(Position { lat_deg, lon_deg }: Position) -> [u8; SQUARE_BYTES] {
    // Positions are at most 90 and 180 degrees, so the numbers fit.
    let [lat, lon] = [lat_deg, lon_deg].map(|deg| (floor(deg) as i16).to_le_bytes());
    [lat[0], lat[1], lon[0], lon[1]]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(lat_deg: f64, lon_deg: f64) -> Position {
        Position { lat_deg, lon_deg }
    }

    #[test]
    fn a_track_is_where_it_was_measured_and_not_in_the_rest_of_its_bounds() {
        let track = Squares::of([at(46.0, 8.0), at(46.001, 8.001), at(46.2, 8.2), at(46.0, 8.0)]);
        assert_eq!(track.0.len(), 2 * SQUARE_BYTES, "each square once");
        assert!(track.overlap([7.9, 45.9, 8.005, 46.005]) && track.overlap([8.2, 46.2, 8.2, 46.2]));
        assert!(!track.overlap([8.05, 46.05, 8.15, 46.15]));
    }

    #[test]
    fn areas_across_the_date_line_have_both_sides() {
        let track = Squares::of([at(-17.0, 179.99), at(-17.0, -179.99)]);
        assert!(track.overlap([179.5, -18.0, -179.995, -16.0]) && track.overlap([-179.995, -18.0, -179.0, -16.0]));
        assert!(!track.overlap([-179.5, -18.0, 179.5, -16.0]));
        assert!(track.overlap([-180.0, -90.0, 180.0, 90.0]), "the whole earth");
    }

    proptest! {
        #[test]
        fn a_square_around_a_fix_finds_it(lat in -89.0..89.0_f64, lon in -180.0..=180.0_f64) {
            let track = Squares::of([at(lat, lon)]);
            prop_assert!(track.overlap([lon, lat, lon, lat]));
            prop_assert!(!track.overlap([lon, lat + 0.02, lon, lat + 0.03]));
        }
    }
}
