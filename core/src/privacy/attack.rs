//! The attack on one's own profile: where somebody would look for a private place who sees the shown drives and knows the
//! rules of [`super`], but neither the secrets nor the streets.
//!
//! Shown lines that end near each other leave a hole. The attacker tries every centre of a zone of the standard size, which is
//! the larger, the farther a drive goes: no line may enter its disc, and each cut must be the first crossing of a grid line
//! outside it. Each home is as likely as the part of its possible offsets that lead to a centre which fits. With the streets, an
//! attacker finds more: PRIVACY.md has the figures.

use super::grid_cell;
use super::places::{MAX_OFFSET_M, STANDARD_RADIUS_M};
use super::zones::{GROWTH, MAX_RADIUS_M, radius_at_stop_m};
use crate::geodesy::{Position, TangentPlane};
use crate::sorted::Set;
use crate::sorting::sort_by;

/// Centres and homes are compared on a raster with cells of this width, metres.
const CELL_M: f64 = 60.0;
/// Number of cells on each side of the raster.
const SIDE: i32 = 80;
/// Ends of short drives so near to the middle of others, metres, belong to the same hole.
const HOLE_M: f64 = 2_600.0;
/// The same for long drives, as a multiple of the radius of their zones.
const HOLE_RADII: f64 = 1.95;
/// The minimum number of ends around a hole. Fewer tell nothing of where in it a place is.
const FEWEST_ENDS: usize = 3;
/// Maximum number of holes that are searched.
const MAX_HOLES: usize = 20;
/// Maximum number of cuts of one hole that are compared.
const MAX_CUTS: usize = 500;
/// A gap in the middle of a drive that is longer may be a zone, metres.
const HIDDEN_GAP_M: f64 = 500.0;
/// How far a shown line may be from the fixes that it shows, metres.
const TOLERANCE_M: f64 = 25.0;
/// The weight of a centre whose zone does not reach to the crossing before a cut. The line to it is a guess.
const UNEXPLAINED: f64 = 0.25;
/// The way from the edge of a zone to the grid line of a cut, metres, if the way is not crooked.
const TO_GRID_LINE_M: f64 = 800.0;

/// A shown line: parts of `[longitude, latitude]`, degrees.
pub type ShownLine = Vec<Vec<[f64; 2]>>;

/// Where an attacker would look.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Guess {
    /// The middle of the land that is searched first.
    pub position: Position,
    /// The land that holds the place with a probability of one half, square metres.
    pub searched_m2: f64,
    /// The number of shown ends around the hole.
    pub ends: usize,
}

/// A shown end at the edge of a hole.
struct End {
    /// The index of its drive.
    drive: usize,
    at: Position,
    /// A shown position behind it.
    behind: Position,
    /// The distance from the middle of others at which it belongs to their hole, metres.
    near_m: f64,
}

impl End {
    /// Returns the end of a drive at a position with the next one behind it.
    fn of((drive, line): (usize, &ShownLine), at: &[f64; 2], behind: &[f64; 2]) -> End {
        let at = position(at);
        let near_m = HOLE_M.max(HOLE_RADII * radius_at_stop_m(goes_at_most_from_end_m(farthest_m(at, line))));
        End { drive, at, behind: position(behind), near_m }
    }
}

/// Returns where an attacker would look, the hole with the most ends first.
pub fn guesses(drives: &[ShownLine]) -> Vec<Guess> {
    let mut holes: Vec<Hole> = Vec::new();
    for end in drives.iter().enumerate().flat_map(ends) {
        match holes.iter_mut().find(|hole| hole.is_near(&end)) {
            Some(hole) => hole.add(end),
            None => holes.push(Hole::around(end)),
        }
    }
    holes.retain(|hole| hole.ends.len() >= FEWEST_ENDS);
    sort_by(&mut holes, |a, b| b.ends.len().cmp(&a.ends.len()));
    holes.truncate(MAX_HOLES);
    holes.iter().filter_map(|hole| hole.search(drives)).collect()
}

fn position(&[lon_deg, lat_deg]: &[f64; 2]) -> Position {
    Position { lat_deg, lon_deg }
}

/// Returns the ends of a drive, and both sides of each long gap.
fn ends(drive: (usize, &ShownLine)) -> Vec<End> {
    let mut ends = Vec::new();
    let parts: Vec<&Vec<[f64; 2]>> = drive.1.iter().filter(|part| part.len() >= 2).collect();
    let is_gap = |before: &[[f64; 2]], after: &[[f64; 2]]| match (before.last(), after.first()) {
        (Some(before), Some(after)) => crate::geodesy::distance_m(position(before), position(after)) > HIDDEN_GAP_M,
        _ => true,
    };
    for (index, part) in parts.iter().enumerate() {
        if index == 0 || is_gap(parts[index - 1], part) {
            ends.push(End::of(drive, &part[0], &part[1]));
        }
        if parts.get(index + 1).is_none_or(|next| is_gap(part, next)) {
            let last = part.len() - 1;
            ends.push(End::of(drive, &part[last], &part[last - 1]));
        }
    }
    ends
}

/// Ends that are near each other.
struct Hole {
    /// A plane at the first of them.
    plane: TangentPlane,
    ends: Vec<End>,
    /// The sum of their coordinates, metres.
    sum_m: (f64, f64),
}

impl Hole {
    fn around(end: End) -> Hole {
        Hole { plane: TangentPlane::at(end.at), ends: vec![end], sum_m: (0.0, 0.0) }
    }

    fn middle_m(&self) -> (f64, f64) {
        let count = self.ends.len() as f64;
        (self.sum_m.0 / count, self.sum_m.1 / count)
    }

    fn is_near(&self, end: &End) -> bool {
        let ((east_m, north_m), middle_m) = (self.plane.project_m(end.at), self.middle_m());
        // The far side of the earth is near on the plane.
        let is_here = (end.at.lat_deg - self.ends[0].at.lat_deg).abs() < 1.0;
        is_here && libm::hypot(east_m - middle_m.0, north_m - middle_m.1) <= end.near_m
    }

    fn add(&mut self, end: End) {
        let (east_m, north_m) = self.plane.project_m(end.at);
        self.sum_m = (self.sum_m.0 + east_m, self.sum_m.1 + north_m);
        self.ends.push(end);
    }

    /// Searches the hole. Returns nothing if no zone of the standard size fits into it.
    fn search(&self, drives: &[ShownLine]) -> Option<Guess> {
        let (east_m, north_m) = self.middle_m();
        let plane = TangentPlane::at(self.plane.unproject(east_m, north_m));
        let middle = plane.unproject(0.0, 0.0);
        let goes_m: Vec<f64> = drives.iter().map(|line| farthest_m(middle, line)).collect();
        let mut centers = Raster::new(1.0);
        for (cell, shown_m) in shown_cells(&plane, drives, &goes_m).iter() {
            let is_free = |away_m, center_m| away_m >= radius_at_stop_m(shown_m - center_m) - TOLERANCE_M - CELL_M;
            centers.scale(*cell, |away_m, center_m| if is_free(away_m, center_m) { 1.0 } else { 0.0 });
        }
        for end in self.ends.iter().take(MAX_CUTS) {
            let Some(crossing) = crossing_before(&plane, end) else { continue };
            let is_inside = |away_m, center_m| {
                let most_m = radius_at_stop_m(goes_at_most_m(goes_m[end.drive] + center_m));
                away_m < most_m + CELL_M
            };
            let weight = |away_m, center_m| if is_inside(away_m, center_m) { 1.0 } else { UNEXPLAINED };
            centers.scale(cell_of(crossing), weight);
        }
        let homes = centers.mean_within(MAX_OFFSET_M);
        let total: f64 = homes.weights.iter().sum();
        let mut order: Vec<usize> = (0..homes.weights.len()).filter(|index| homes.weights[*index] > 0.0).collect();
        sort_by(&mut order, |a, b| homes.weights[*b].total_cmp(&homes.weights[*a]));
        let (mut sum, mut sum_m, mut cells) = (0.0, (0.0, 0.0), 0.0);
        for index in order {
            let (weight, (east_m, north_m)) = (homes.weights[index], homes.at_m(index));
            sum += weight;
            sum_m = (sum_m.0 + weight * east_m, sum_m.1 + weight * north_m);
            cells += 1.0;
            if sum * 2.0 >= total {
                break;
            }
        }
        (sum > 0.0).then(|| Guess {
            position: plane.unproject(sum_m.0 / sum, sum_m.1 / sum),
            searched_m2: cells * CELL_M * CELL_M,
            ends: self.ends.len(),
        })
    }
}

/// The distance of the farthest shown position of a drive from a position, metres.
fn farthest_m(from: Position, line: &ShownLine) -> f64 {
    let away_m = line.iter().flatten().map(|at| crate::geodesy::distance_m(from, position(at)));
    away_m.fold(0.0, f64::max)
}

/// How far a drive goes at most of which positions so far away are shown: the other end has a zone, too, metres.
fn goes_at_most_m(shown_m: f64) -> f64 {
    let to_cut_m = shown_m + TO_GRID_LINE_M;
    let to_center_m = (to_cut_m / (1.0 - GROWTH)).min(to_cut_m + MAX_RADIUS_M).max(to_cut_m + STANDARD_RADIUS_M);
    to_center_m + STANDARD_RADIUS_M
}

/// The same of a drive of which positions are shown so far away from its shown end: both ends have zones.
fn goes_at_most_from_end_m(shown_m: f64) -> f64 {
    let between_cuts_m = shown_m + 2.0 * TO_GRID_LINE_M;
    (between_cuts_m / (1.0 - 2.0 * GROWTH)).min(between_cuts_m + 2.0 * MAX_RADIUS_M) + STANDARD_RADIUS_M
}

/// The cells near the raster through which shown lines pass, each with how far the farthest of its drives goes.
fn shown_cells(plane: &TangentPlane, drives: &[ShownLine], goes_m: &[f64]) -> Vec<((i32, i32), f64)> {
    // Others are too far from every centre.
    let reach = SIDE / 2 + (MAX_RADIUS_M / CELL_M) as i32;
    let is_near = |(column, row): &(i32, i32)| column.abs() <= reach && row.abs() <= reach;
    let far_m = f64::from(SIDE) * CELL_M + MAX_RADIUS_M;
    let middle = plane.unproject(0.0, 0.0);
    let mut cells: Vec<((i32, i32), f64)> = Vec::new();
    for (line, goes_m) in drives.iter().zip(goes_m) {
        let mut of_drive = Set::new();
        for pair in line.iter().flat_map(|part| part.windows(2)) {
            let is_here = (pair[0][1] - middle.lat_deg).abs() < 1.0;
            let (from, to) = (plane.project_m(position(&pair[0])), plane.project_m(position(&pair[1])));
            let length_m = libm::hypot(to.0 - from.0, to.1 - from.1);
            if !is_here || libm::hypot(from.0, from.1) > far_m + length_m {
                continue;
            }
            let steps = (length_m / CELL_M).ceil().max(1.0) as u32;
            for step in 0..=steps {
                let part = f64::from(step) / f64::from(steps);
                of_drive.insert(cell_of((from.0 + (to.0 - from.0) * part, from.1 + (to.1 - from.1) * part)));
            }
        }
        cells.extend(of_drive.iter().filter(|cell| is_near(cell)).map(|cell| (*cell, *goes_m)));
    }
    sort_by(&mut cells, |a, b| a.0.cmp(&b.0).then(b.1.total_cmp(&a.1)));
    cells.dedup_by_key(|(cell, _)| *cell);
    cells
}

/// Where a straight line beyond a cut crosses the grid: the cut would be there, were it outside the zone.
fn crossing_before(plane: &TangentPlane, end: &End) -> Option<(f64, f64)> {
    let (at, behind) = (plane.project_m(end.at), plane.project_m(end.behind));
    let length_m = libm::hypot(at.0 - behind.0, at.1 - behind.1);
    if length_m < 1.0 {
        return None;
    }
    let on = |metres: f64| (at.0 + (at.0 - behind.0) / length_m * metres, at.1 + (at.1 - behind.1) / length_m * metres);
    let cell = |metres: f64| grid_cell(plane.unproject(on(metres).0, on(metres).1));
    // The cut itself lies within some metres of the end.
    let mut steps = (4..80).map(|step| f64::from(step) * 10.0);
    steps.find(|metres| cell(*metres) != cell(metres - 10.0)).map(on)
}

fn cell_of((east_m, north_m): (f64, f64)) -> (i32, i32) {
    (libm::floor(east_m / CELL_M) as i32, libm::floor(north_m / CELL_M) as i32)
}

/// Weights of cells around the middle of a hole.
struct Raster {
    weights: Vec<f64>,
}

impl Raster {
    fn new(weight: f64) -> Raster {
        Raster { weights: vec![weight; (SIDE * SIDE) as usize] }
    }

    /// Returns the column and the row of a cell, from the middle.
    fn cell(index: usize) -> (i32, i32) {
        (index as i32 % SIDE - SIDE / 2, index as i32 / SIDE - SIDE / 2)
    }

    fn at_m(&self, index: usize) -> (f64, f64) {
        let (column, row) = Raster::cell(index);
        ((f64::from(column) + 0.5) * CELL_M, (f64::from(row) + 0.5) * CELL_M)
    }

    /// Multiplies each weight by a function of its distances from a cell and from the middle, metres.
    fn scale(&mut self, (column, row): (i32, i32), by: impl Fn(f64, f64) -> f64) {
        let away_m = |columns: i32, rows: i32| libm::hypot(f64::from(columns), f64::from(rows)) * CELL_M;
        for (index, weight) in self.weights.iter_mut().enumerate().filter(|(_, weight)| **weight > 0.0) {
            let (to_column, to_row) = Raster::cell(index);
            *weight *= by(away_m(to_column - column, to_row - row), away_m(to_column, to_row));
        }
    }

    /// Returns for each cell the mean of the weights within a distance, metres.
    fn mean_within(&self, within_m: f64) -> Raster {
        let reach = (within_m / CELL_M) as i32;
        let is_near = |(column, row): &(i32, i32)| column * column + row * row <= reach * reach;
        let offsets = (-reach..=reach).flat_map(|row| (-reach..=reach).map(move |column| (column, row)));
        let offsets: Vec<(i32, i32)> = offsets.filter(is_near).collect();
        let mut means = Raster::new(0.0);
        for (index, weight) in self.weights.iter().enumerate().filter(|(_, weight)| **weight > 0.0) {
            let (column, row) = Raster::cell(index);
            for (columns, rows) in &offsets {
                let (column, row) = (column + columns + SIDE / 2, row + rows + SIDE / 2);
                if (0..SIDE).contains(&column) && (0..SIDE).contains(&row) {
                    means.weights[(row * SIDE + column) as usize] += weight / offsets.len() as f64;
                }
            }
        }
        means
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geodesy::distance_m;

    const HOME: Position = Position { lat_deg: 47.37, lon_deg: 8.54 };

    /// Lines of 6 km that leave a circle around a position in so many directions.
    fn rays(center: Position, count: u32, radius_m: f64) -> Vec<ShownLine> {
        let plane = TangentPlane::at(center);
        let at = |degrees: f64, metres: f64| {
            let (sin, cos) = libm::sincos(degrees.to_radians());
            let Position { lat_deg, lon_deg } = plane.unproject(metres * sin, metres * cos);
            [lon_deg, lat_deg]
        };
        (0..count)
            .map(|number| {
                let degrees = f64::from(number) * 360.0 / f64::from(count) + 7.0;
                vec![(0..30).map(|step| at(degrees, radius_m + 200.0 * f64::from(step))).collect()]
            })
            .collect()
    }

    #[test]
    fn lines_that_end_on_a_small_circle_lead_to_its_middle() {
        let [guess] = guesses(&rays(HOME, 12, MAX_RADIUS_M + 20.0))[..] else { panic!("there is one hole") };
        assert!(distance_m(guess.position, HOME) < 100.0, "{guess:?}");
        assert_eq!(guess.ends, 12);
        assert_eq!(
            guesses(&rays(HOME, 12, STANDARD_RADIUS_M + 20.0)),
            [],
            "no zone of so long drives fits between them"
        );
    }

    #[test]
    fn the_more_is_hidden_the_more_is_searched() {
        let searched = |more_m| guesses(&rays(HOME, 12, MAX_RADIUS_M + more_m))[0].searched_m2;
        assert!(searched(50.0) < searched(200.0) && searched(200.0) < searched(400.0));
        let few = guesses(&rays(HOME, 3, MAX_RADIUS_M + 200.0))[0].searched_m2;
        assert!(few > 1.2 * searched(200.0), "{few}");
    }

    #[test]
    fn ends_far_from_each_other_are_different_holes() {
        let other = Position { lat_deg: 47.57, ..HOME };
        let mut drives = rays(HOME, 9, 2_100.0);
        drives.extend(rays(other, 4, 2_100.0));
        let [first, second] = guesses(&drives)[..] else { panic!("there are two holes") };
        assert!(distance_m(first.position, HOME) < 300.0 && distance_m(second.position, other) < 500.0);
        assert_eq!(guesses(&rays(HOME, 2, 2_100.0)), [], "two ends are too few");
    }

    #[test]
    fn a_hidden_piece_in_the_middle_of_a_drive_has_two_ends() {
        let rays = rays(HOME, 4, 2_100.0);
        let through = |to: usize, from: usize| {
            let inwards: Vec<[f64; 2]> = rays[to][0].iter().rev().copied().collect();
            vec![inwards, rays[from][0].clone()]
        };
        let [guess] = guesses(&[through(0, 1), through(2, 3)])[..] else { panic!("there is one hole") };
        assert_eq!(guess.ends, 4);
    }

    #[test]
    fn strange_lines_are_no_reason_to_stop() {
        for center in [HOME, Position { lat_deg: 89.9, lon_deg: 0.0 }, Position { lat_deg: 0.0, lon_deg: 179.99 }] {
            let mut drives = rays(center, 5, 2_100.0);
            drives.extend([vec![], vec![vec![]], vec![vec![[8.0, 47.0]]], vec![vec![[8.0, 47.0]; 2]]]);
            assert_eq!(guesses(&drives).len(), 1, "{center:?}");
        }
        // Where lines are shown everywhere there is no room for a zone.
        let line = |row: u32| {
            let lat_deg = 47.35 + f64::from(row) * 0.001;
            vec![vec![[8.4, lat_deg], [8.7, lat_deg]], vec![[8.54, lat_deg], [8.541, lat_deg]]]
        };
        let everywhere: Vec<ShownLine> = (0..60).map(line).collect();
        let is_covered = |at: Position| (47.355..47.405).contains(&at.lat_deg) && (8.41..8.69).contains(&at.lon_deg);
        assert!(guesses(&everywhere).iter().all(|guess| !is_covered(guess.position)));
    }
}
