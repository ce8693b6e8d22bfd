//! Cuts lines at the date line as required by RFC 7946 (3.1.9): each piece stays on its side, so that no map draws it
//! around the world.
//!
//! A step of more than 180 degrees of longitude is taken in the other direction.

use crate::fix::Fix;
use crate::track::parts::Part;

/// Returns the pieces of a line of `[longitude, latitude]`, degrees. A piece ends at ±180 degrees, and the next one
/// begins at ∓180.
pub fn cut_line(line: Vec<[f64; 2]>) -> Vec<Vec<[f64; 2]>> {
    cut(line, |point| point[0], |from, to, part, lon_deg| [lon_deg, round(from[1] + (to[1] - from[1]) * part)])
}

/// Cuts the parts of a track in the same way. There is no gap between pieces of one part; both contain an interpolated
/// fix at the cut.
pub fn cut_parts(parts: Vec<Part>) -> Vec<Part> {
    let pieces = |part: Part| {
        let mut after = part.after;
        cut(part.fixes, |fix| fix.lon_deg, between).into_iter().map(move |fixes| Part { after: after.take(), fixes })
    };
    parts.into_iter().flat_map(pieces).collect()
}

fn between(from: &Fix, to: &Fix, part: f64, lon_deg: f64) -> Fix {
    let value = |from: f64, to: f64| from + (to - from) * part;
    let known = |from: Option<f64>, to: Option<f64>| from.zip(to).map(|(from, to)| value(from, to));
    let elapsed_ms = to.fixed_at.millis_since(from.fixed_at) as f64;
    Fix {
        fixed_at: from.fixed_at + (elapsed_ms * part) as i64,
        lat_deg: round(value(from.lat_deg, to.lat_deg)),
        lon_deg,
        altitude_m: known(from.altitude_m, to.altitude_m),
        speed_mps: known(from.speed_mps, to.speed_mps),
        ..*from
    }
}

fn round(degrees: f64) -> f64 {
    (degrees * 1e6).round() / 1e6
}

/// Cuts between two points if the longitude jumps. `between` returns the point at this fraction of the way, with this
/// longitude.
fn cut<T>(points: Vec<T>, lon_deg: impl Fn(&T) -> f64, between: impl Fn(&T, &T, f64, f64) -> T) -> Vec<Vec<T>> {
    let mut pieces = Vec::new();
    let mut piece: Vec<T> = Vec::new();
    for point in points {
        let Some(last) = piece.last() else {
            piece.push(point);
            continue;
        };
        let (from, to) = (lon_deg(last), lon_deg(&point));
        if (to - from).abs() > 180.0 {
            let side = if from > to { 180.0 } else { -180.0 };
            let (way, length) = (side - from, to + 2.0 * side - from);
            let part = if length == 0.0 { 0.0 } else { (way / length).clamp(0.0, 1.0) };
            let (end, begin) = (between(last, &point, part, side), between(last, &point, part, -side));
            if from != side {
                piece.push(end);
            }
            let begun = if to == -side { Vec::new() } else { vec![begin] };
            // A line that only touches the date line gives no piece there.
            let ended = std::mem::replace(&mut piece, begun);
            pieces.extend((ended.len() > 1).then_some(ended));
        }
        piece.push(point);
    }
    if piece.len() > 1 || pieces.is_empty() {
        pieces.push(piece);
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::fix;
    use crate::track::parts::Gap;

    fn check(line: &[[f64; 2]], expected: &[&[[f64; 2]]]) {
        assert_eq!(cut_line(line.to_vec()), expected);
        let back: Vec<_> = line.iter().rev().copied().collect();
        let expected: Vec<Vec<_>> = expected.iter().rev().map(|piece| piece.iter().rev().copied().collect()).collect();
        assert_eq!(cut_line(back), expected);
    }

    #[test]
    fn a_line_is_cut_where_it_crosses_the_date_line() {
        check(&[[10.0, 1.0], [11.0, 2.0]], &[&[[10.0, 1.0], [11.0, 2.0]]]);
        check(&[[5.0, 1.0]], &[&[[5.0, 1.0]]]);
        check(
            &[[179.0, 0.0], [179.75, -16.0], [-179.75, -17.0], [-179.0, 0.0]],
            &[&[[179.0, 0.0], [179.75, -16.0], [180.0, -16.5]], &[[-180.0, -16.5], [-179.75, -17.0], [-179.0, 0.0]]],
        );
    }

    #[test]
    fn a_line_that_ends_on_the_date_line_or_follows_it_has_no_piece_of_one_point() {
        check(
            &[[179.0, 0.0], [180.0, 1.0], [-179.0, 2.0]],
            &[&[[179.0, 0.0], [180.0, 1.0]], &[[-180.0, 1.0], [-179.0, 2.0]]],
        );
        check(&[[179.0, 0.0], [-180.0, 1.0]], &[&[[179.0, 0.0], [180.0, 1.0]]]);
        check(&[[180.0, 0.0], [-180.0, 1.0], [-179.0, 1.0]], &[&[[-180.0, 1.0], [-179.0, 1.0]]]);
        assert_eq!(cut_line(Vec::new()), [Vec::<[f64; 2]>::new()]);
    }

    #[test]
    fn a_part_is_cut_with_its_times_and_has_no_gap_there() {
        let at = |seconds: f64, lon_deg: f64| Fix { lon_deg, speed_mps: Some(seconds), ..fix(seconds, 0.0, 0.0) };
        let part = Part { after: Some(Gap::Paused), fixes: vec![at(0.0, 179.999), at(4.0, -179.997)] };
        let pieces = cut_parts(vec![part]);
        assert_eq!((pieces[0].after, pieces[1].after), (Some(Gap::Paused), None));
        let told = |fix: &Fix| {
            let elapsed_ms = fix.fixed_at.millis_since(pieces[0].fixes[0].fixed_at);
            (fix.lon_deg, elapsed_ms, fix.speed_mps.map(f64::round))
        };
        assert_eq!(told(&pieces[0].fixes[1]), (180.0, 1_000, Some(1.0)));
        assert_eq!(told(&pieces[1].fixes[0]), (-180.0, 1_000, Some(1.0)));
    }
}
