//! The attack on one's own profile: where somebody would look for a private place who sees the shown drives and knows the
//! rules of [`super`], but neither the secrets nor the streets.
//!
//! Shown lines that end near each other leave a hole. The attacker tries every centre of a zone of the standard size: no
//! line may enter its disc, and each cut must be the first crossing of a grid line outside it. Each home is as likely as the
//! part of its possible offsets that lead to a centre which fits. With the streets, an attacker finds more: PRIVACY.md has
//! the figures.

use super::grid_cell;
use super::places::STANDARD_M;
use crate::geodesy::{Position, TangentPlane};
use crate::sorted::Set;
use crate::sorting::sort_by;

/// Centres and homes are compared on a raster with cells of this width, metres.
const CELL_M: f64 = 60.0;
/// Number of cells on each side of the raster.
const SIDE: i32 = 80;
/// Ends so near to the middle of others, metres, belong to the same hole.
const HOLE_M: f64 = 2_600.0;
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
    at: Position,
    /// A shown position behind it.
    behind: Position,
}

/// Returns where an attacker would look, the hole with the most ends first.
pub fn guesses(drives: &[ShownLine]) -> Vec<Guess> {
    let mut holes: Vec<Hole> = Vec::new();
    for end in drives.iter().flat_map(ends) {
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
fn ends(line: &ShownLine) -> Vec<End> {
    let mut ends = Vec::new();
    let parts: Vec<&Vec<[f64; 2]>> = line.iter().filter(|part| part.len() >= 2).collect();
    let is_gap = |before: &[[f64; 2]], after: &[[f64; 2]]| match (before.last(), after.first()) {
        (Some(before), Some(after)) => crate::geodesy::distance_m(position(before), position(after)) > HIDDEN_GAP_M,
        _ => true,
    };
    for (index, part) in parts.iter().enumerate() {
        if index == 0 || is_gap(parts[index - 1], part) {
            ends.push(End { at: position(&part[0]), behind: position(&part[1]) });
        }
        if parts.get(index + 1).is_none_or(|next| is_gap(part, next)) {
            let last = part.len() - 1;
            ends.push(End { at: position(&part[last]), behind: position(&part[last - 1]) });
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
        is_here && libm::hypot(east_m - middle_m.0, north_m - middle_m.1) <= HOLE_M
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
        let mut centers = Raster::new(1.0);
        for &(column, row) in shown_cells(&plane, drives).iter() {
            centers.scale((column, row), |away_m| if away_m < STANDARD_M.0 - TOLERANCE_M - CELL_M { 0.0 } else { 1.0 });
        }
        for crossing in self.ends.iter().take(MAX_CUTS).filter_map(|end| crossing_before(&plane, end)) {
            let reach_m = STANDARD_M.0 + CELL_M;
            centers.scale(cell_of(crossing), |away_m| if away_m < reach_m { 1.0 } else { UNEXPLAINED });
        }
        let homes = centers.mean_within(STANDARD_M.1);
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

/// The cells near the raster through which shown lines pass.
fn shown_cells(plane: &TangentPlane, drives: &[ShownLine]) -> Set<(i32, i32)> {
    let mut cells = Set::new();
    let far_m = f64::from(SIDE) * CELL_M;
    for part in drives.iter().flatten() {
        for pair in part.windows(2) {
            let is_here = (pair[0][1] - plane.unproject(0.0, 0.0).lat_deg).abs() < 1.0;
            let (from, to) = (plane.project_m(position(&pair[0])), plane.project_m(position(&pair[1])));
            let length_m = libm::hypot(to.0 - from.0, to.1 - from.1);
            if !is_here || libm::hypot(from.0, from.1) > far_m + length_m {
                continue;
            }
            let steps = (length_m / CELL_M).ceil().max(1.0) as u32;
            for step in 0..=steps {
                let part = f64::from(step) / f64::from(steps);
                cells.insert(cell_of((from.0 + (to.0 - from.0) * part, from.1 + (to.1 - from.1) * part)));
            }
        }
    }
    // Others are too far from every centre.
    let reach = SIDE / 2 + (STANDARD_M.0 / CELL_M) as i32;
    cells.retain(|(column, row)| column.abs() <= reach && row.abs() <= reach);
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

    /// Multiplies each weight by a function of its distance from a cell, metres.
    fn scale(&mut self, (column, row): (i32, i32), by: impl Fn(f64) -> f64) {
        for (index, weight) in self.weights.iter_mut().enumerate().filter(|(_, weight)| **weight > 0.0) {
            let (to_column, to_row) = Raster::cell(index);
            *weight *= by(libm::hypot(f64::from(to_column - column), f64::from(to_row - row)) * CELL_M);
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

    /// Lines that leave a circle around a position in so many directions.
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
        let [guess] = guesses(&rays(HOME, 12, 820.0))[..] else { panic!("there is one hole") };
        assert!(distance_m(guess.position, HOME) < 100.0, "{guess:?}");
        assert_eq!(guess.ends, 12);
    }

    #[test]
    fn the_more_is_hidden_the_more_is_searched() {
        let searched = |radius_m| guesses(&rays(HOME, 12, radius_m))[0].searched_m2;
        assert!(searched(900.0) < searched(1_200.0) && searched(1_200.0) < searched(1_600.0));
        let few = guesses(&rays(HOME, 3, 1_200.0))[0].searched_m2;
        assert!(few > 1.2 * searched(1_200.0), "{few}");
    }

    #[test]
    fn ends_far_from_each_other_are_different_holes() {
        let other = Position { lat_deg: 47.57, ..HOME };
        let mut drives = rays(HOME, 9, 1_000.0);
        drives.extend(rays(other, 4, 1_000.0));
        let [first, second] = guesses(&drives)[..] else { panic!("there are two holes") };
        assert!(distance_m(first.position, HOME) < 300.0 && distance_m(second.position, other) < 500.0);
        assert_eq!(guesses(&rays(HOME, 2, 1_000.0)), [], "two ends are too few");
    }

    #[test]
    fn a_hidden_piece_in_the_middle_of_a_drive_has_two_ends() {
        let rays = rays(HOME, 4, 1_000.0);
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
            let mut drives = rays(center, 5, 1_000.0);
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
