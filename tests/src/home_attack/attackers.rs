//! Attackers who know the rules and the streets, see the public drives, and look for a home.
//!
//! Each of them gives every point on the streets a score and searches the points with the best scores first.

use tourismo_core::privacy::places::ZoneSize;

use crate::home_attack::people::{Person, Shown};
use crate::home_attack::streets::{OnStreet, Point, distance_m};

/// Points on the streets that an attacker compares, one every so many metres.
const STEP_M: f64 = 20.0;
/// The land that belongs to such a point: houses on both sides of the street, square metres.
const LAND_M2: f64 = STEP_M * 50.0;
/// The centres of zones that an attacker compares, one every so many metres both ways.
const RASTER_M: f64 = 40.0;
/// How far from the ends of the drives an attacker looks, metres.
const LOOKS_M: f64 = 3_000.0;
/// How many metres of detour make a route `e` times less likely.
const DETOUR_M: f64 = 150.0;

/// What an attack found.
#[derive(Clone, Copy, Debug)]
pub struct Found {
    /// How far the best guess is from the home, metres.
    pub off_m: f64,
    /// How much land is searched before the home is found, square metres.
    pub searched_m2: f64,
}

/// A way to look for a home.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Attack {
    /// The middle of a circle through the shown ends (Hassan et al., USENIX Security 2018).
    Circle,
    /// The point that is as far from all shown ends along the streets (Dhondt et al., CCS 2022).
    StreetDistance,
    /// All places from which the rules give just these cuts.
    Inversion,
    /// The same, and which exits were taken for which destinations.
    Route,
}

impl Attack {
    /// All attacks.
    pub const ALL: [Attack; 4] = [Attack::Circle, Attack::StreetDistance, Attack::Inversion, Attack::Route];
}

/// What an attacker knows of a set of public drives.
pub struct Evidence<'a> {
    person: &'a Person,
    drives: Vec<&'a Shown>,
    /// The shown ends towards the home.
    ends: Vec<End>,
    middle: Point,
}

/// A shown end of a drive towards the home.
struct End {
    at: Point,
    /// Where the street crosses the grid before, seen from the shown part: the cut would have been there, were it outside.
    before: Option<Point>,
}

impl<'a> Evidence<'a> {
    /// Collects what the drives tell.
    pub fn of(person: &'a Person, drives: &'a [Shown]) -> Option<Evidence<'a>> {
        let drives: Vec<&Shown> = drives.iter().filter(|shown| shown.points.len() > 10).collect();
        let ends: Vec<End> = drives.iter().map(|shown| End::of(person, shown)).collect();
        let count = ends.len() as f64;
        if ends.is_empty() {
            return None;
        }
        let sum = ends.iter().fold((0.0, 0.0), |sum, end| (sum.0 + end.at.0, sum.1 + end.at.1));
        Some(Evidence { person, drives, ends, middle: (sum.0 / count, sum.1 / count) })
    }

    /// Attacks with one kind of evidence, or several sets of it together, each with the size of its zones.
    pub fn attack(sets: &[(Evidence<'_>, ZoneSize)], attack: Attack) -> Found {
        let first = &sets[0].0;
        let streets = &first.person.streets;
        let points = streets.along(first.middle, LOOKS_M, STEP_M);
        let mut scores = vec![0.0; points.len()];
        match attack {
            Attack::Circle => {
                let middle = circle(&first.ends.iter().map(|end| end.at).collect::<Vec<_>>()).unwrap_or(first.middle);
                let score = |at: &OnStreet| -distance_m(streets.position(*at), middle);
                scores = points.iter().map(score).collect();
            }
            Attack::StreetDistance => {
                let to_ends: Vec<Vec<f64>> = first.ends.iter().take(12).map(|end| first.costs(end.at)).collect();
                for (score, at) in scores.iter_mut().zip(&points) {
                    let costs: Vec<f64> = to_ends.iter().map(|costs| streets.cost_to(costs, *at)).collect();
                    let mean = costs.iter().sum::<f64>() / costs.len() as f64;
                    *score =
                        -costs.iter().map(|cost| (cost - mean).abs()).sum::<f64>() / costs.len() as f64 - 0.1 * mean;
                }
            }
            Attack::Inversion | Attack::Route => {
                let centers = Centers::that_fit(sets);
                for (score, at) in scores.iter_mut().zip(&points) {
                    *score = centers.score(streets.position(*at));
                }
                if attack == Attack::Route {
                    for (score, detour_m) in scores.iter_mut().zip(first.detours_m(&points)) {
                        *score -= detour_m / DETOUR_M;
                    }
                }
            }
        }
        first.judge(&points, &scores)
    }

    /// Compares the guess with the truth.
    fn judge(&self, points: &[OnStreet], scores: &[f64]) -> Found {
        let home = self.person.home_at();
        let position = |index: usize| self.person.streets.position(points[index]);
        let best = (0..points.len()).max_by(|a, b| scores[*a].total_cmp(&scores[*b])).unwrap_or(0);
        let truth =
            (0..points.len()).min_by(|a, b| distance_m(position(*a), home).total_cmp(&distance_m(position(*b), home)));
        let truth = truth.map_or(f64::NEG_INFINITY, |truth| scores[truth]);
        // Equal scores are searched in any order: on average half of them.
        let better = scores.iter().filter(|score| **score > truth).count() as f64;
        let equal = scores.iter().filter(|score| **score == truth).count() as f64;
        Found { off_m: distance_m(position(best), home), searched_m2: (better + equal / 2.0).max(1.0) * LAND_M2 }
    }

    fn costs(&self, from: Point) -> Vec<f64> {
        let streets = &self.person.streets;
        streets.costs(streets.nearest(from), &|_, _| 1.1).0
    }

    /// How much longer all drives were than they had to be, were the home at each of the points, metres.
    fn detours_m(&self, points: &[OnStreet]) -> Vec<f64> {
        let streets = &self.person.streets;
        let mut detours_m = vec![0.0; points.len()];
        for (drive, end) in self.drives.iter().zip(&self.ends) {
            let far = if drive.is_outbound { drive.points[drive.points.len() - 1] } else { drive.points[0] };
            let (from_end, from_far) = (self.costs(end.at), self.costs(far));
            let between = streets.cost_to(&from_far, streets.nearest(end.at));
            for (detour_m, at) in detours_m.iter_mut().zip(points) {
                let detour = streets.cost_to(&from_end, *at) + between - streets.cost_to(&from_far, *at);
                *detour_m += detour.clamp(0.0, 600.0);
            }
        }
        detours_m
    }
}

impl End {
    fn of(person: &Person, shown: &Shown) -> End {
        let inwards = |index: usize| {
            if shown.is_outbound { shown.points[index] } else { shown.points[shown.points.len() - 1 - index] }
        };
        let (at, inside) = (inwards(0), inwards(9));
        let length_m = distance_m(at, inside).max(1.0);
        let (east, north) = ((at.0 - inside.0) / length_m, (at.1 - inside.1) / length_m);
        let cell = |metres: f64| {
            let position = person.plane.unproject(at.0 + east * metres, at.1 + north * metres);
            tourismo_core::privacy::grid_cell(position)
        };
        // The cut itself lies within some metres of the end.
        let before = (3..80).map(|step| f64::from(step) * 10.0).find(|metres| cell(*metres) != cell(metres - 10.0));
        End { at, before: before.map(|metres| (at.0 + east * metres, at.1 + north * metres)) }
    }
}

/// Where the centre of the zone can be, as weights on a raster.
struct Centers {
    corner: Point,
    side: usize,
    weights: Vec<f64>,
}

impl Centers {
    /// The centres of the standard zone that fit everything. A large zone's centre is within 300 m of it.
    fn that_fit(sets: &[(Evidence<'_>, ZoneSize)]) -> Centers {
        let middle = sets[0].0.middle;
        let side = (2.0 * LOOKS_M / RASTER_M) as usize;
        let corner = (middle.0 - LOOKS_M, middle.1 - LOOKS_M);
        let mut centers = Centers { corner, side, weights: vec![1.0; side * side] };
        for (evidence, size) in sets {
            let radius_m = if *size == ZoneSize::Large { 1_100.0 } else { 800.0 };
            let mut fit = Centers { corner, side, weights: vec![1.0; side * side] };
            for shown in &evidence.drives {
                let mut last = (f64::INFINITY, f64::INFINITY);
                for point in &shown.points {
                    if distance_m(*point, last) > 25.0 {
                        last = *point;
                        fit.scale(|distance_m| if distance_m < radius_m - 8.0 { 0.0 } else { 1.0 }, last, radius_m);
                    }
                }
            }
            for before in evidence.ends.iter().filter_map(|end| end.before) {
                fit.scale(|distance_m| if distance_m < radius_m + 15.0 { 1.0 } else { 0.25 }, before, f64::INFINITY);
            }
            if *size == ZoneSize::Large {
                fit = fit.spread(300.0);
            }
            centers.weights.iter_mut().zip(&fit.weights).for_each(|(weight, fit)| *weight *= fit);
        }
        centers
    }

    fn at(&self, index: usize) -> Point {
        let (column, row) = (index % self.side, index / self.side);
        (self.corner.0 + column as f64 * RASTER_M, self.corner.1 + row as f64 * RASTER_M)
    }

    /// The raster's cells within some metres of a point.
    fn near(&self, point: Point, within_m: f64) -> impl Iterator<Item = usize> + use<> {
        let side = self.side;
        let range = move |at: f64, corner: f64| {
            let low = ((at - within_m - corner) / RASTER_M).floor().max(0.0);
            let high = ((at + within_m - corner) / RASTER_M).ceil().min(side as f64 - 1.0);
            (low as usize)..(high.max(-1.0) + 1.0) as usize
        };
        let columns = range(point.0, self.corner.0);
        range(point.1, self.corner.1).flat_map(move |row| columns.clone().map(move |column| row * side + column))
    }

    fn scale(&mut self, by: impl Fn(f64) -> f64, point: Point, within_m: f64) {
        for index in self.near(point, within_m) {
            self.weights[index] *= by(distance_m(self.at(index), point));
        }
    }

    /// The mean of the weights around each cell.
    fn spread(&self, within_m: f64) -> Centers {
        let mut weights = vec![0.0; self.weights.len()];
        for (index, weight) in weights.iter_mut().enumerate() {
            *weight = self.mean(self.at(index), within_m);
        }
        Centers { corner: self.corner, side: self.side, weights }
    }

    fn mean(&self, point: Point, within_m: f64) -> f64 {
        let (mut sum, mut count) = (0.0, 0.0);
        for index in self.near(point, within_m) {
            if distance_m(self.at(index), point) <= within_m {
                (sum, count) = (sum + self.weights[index], count + 1.0);
            }
        }
        if count > 0.0 { sum / count } else { 0.0 }
    }

    /// How likely a home at a point is: the part of the offsets that lead to a centre which fits, as a logarithm.
    fn score(&self, home: Point) -> f64 {
        libm::log(self.mean(home, 500.0).max(1e-12))
    }
}

/// The middle of the circle that fits points best (Kåsa's method).
fn circle(points: &[Point]) -> Option<Point> {
    let count = points.len() as f64;
    let mean = |value: &dyn Fn(&Point) -> f64| points.iter().map(value).sum::<f64>() / count;
    let (east, north) = (mean(&|point| point.0), mean(&|point| point.1));
    let of = |value: &dyn Fn(f64, f64) -> f64| points.iter().map(|at| value(at.0 - east, at.1 - north)).sum::<f64>();
    let (uu, vv, uv) = (of(&|u, _| u * u), of(&|_, v| v * v), of(&|u, v| u * v));
    let right_u = of(&|u, v| u * (u * u + v * v)) / 2.0;
    let right_v = of(&|u, v| v * (u * u + v * v)) / 2.0;
    let determinant = uu * vv - uv * uv;
    let is_good = points.len() > 2 && determinant.abs() > 1e-3 * uu * vv;
    is_good.then(|| {
        (east + (right_u * vv - right_v * uv) / determinant, north + (right_v * uu - right_u * uv) / determinant)
    })
}
