//! Attackers who know the rules and the streets, see the public drives, and look for a home.
//!
//! Each of them gives every point on the streets a score and searches the points with the best scores first.

use tourismo_core::privacy::places::{MAX_OFFSET_M, STANDARD_RADIUS_M, ZoneSize};
use tourismo_core::privacy::zones::radius_at_stop_m;

use crate::home_attack::people::{Person, Shown};
use crate::home_attack::streets::{OnStreet, Point, distance_m};

/// Points on the streets that an attacker compares, one every so many metres.
const STEP_M: f64 = 20.0;
/// The land that belongs to such a point: houses on both sides of the street, square metres.
const LAND_M2: f64 = STEP_M * 50.0;
/// The centres of zones that an attacker compares, one every so many metres both ways.
const RASTER_M: f64 = 40.0;
/// A shown point may be so much nearer to a centre of the raster than the radius: the true centre lies beside it, and its radius
/// is another, metres.
const TOLERANCE_M: f64 = 40.0;
/// How far from the ends of the drives an attacker looks, metres.
const LOOKS_M: f64 = 3_000.0;
/// How much larger the radius of a large zone is, and how far its centre is at most from that of the standard zone, metres.
const LARGER_M: f64 = 300.0;
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
    /// The middle of the circle through the shown ends (Hassan et al., USENIX Security 2018): of the circles, if their radii
    /// differ.
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
    drives: Vec<Seen<'a>>,
    /// The shown ends towards the home.
    ends: Vec<End>,
    middle: Point,
}

/// A public drive.
struct Seen<'a> {
    shown: &'a Shown,
    /// Its outermost shown points in several directions.
    outermost: Vec<Point>,
}

impl<'a> Seen<'a> {
    fn of(shown: &'a Shown) -> Seen<'a> {
        let outermost = |degrees: f64| {
            let (sin, cos) = libm::sincos(degrees.to_radians());
            let along = |point: &&Point| point.0 * sin + point.1 * cos;
            shown.points.iter().max_by(|a, b| along(a).total_cmp(&along(b))).copied()
        };
        Seen { shown, outermost: (0..12).filter_map(|step| outermost(f64::from(step) * 30.0)).collect() }
    }

    /// The radius of the home's standard zone in this drive, were its centre at a point.
    fn radius_m(&self, center: Point) -> f64 {
        if self.shown.far_centers.is_empty() {
            return STANDARD_RADIUS_M;
        }
        let far_edges = self.shown.far_centers.iter().map(|far| distance_m(*far, center) + STANDARD_RADIUS_M);
        let shown = self.outermost.iter().map(|point| distance_m(*point, center));
        radius_at_stop_m(far_edges.chain(shown).fold(0.0, f64::max))
    }
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
        let drives: Vec<Seen<'_>> = drives.iter().filter(|shown| shown.points.len() > 10).map(Seen::of).collect();
        let ends: Vec<End> = drives.iter().map(|seen| End::of(person, seen.shown)).collect();
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
                for (score, at) in scores.iter_mut().zip(&points) {
                    let at = streets.position(*at);
                    let seen = first.drives.iter().zip(&first.ends);
                    *score = -spread(
                        &seen.map(|(seen, end)| distance_m(end.at, at) - seen.radius_m(at)).collect::<Vec<_>>(),
                    );
                }
            }
            Attack::StreetDistance => {
                let to_ends: Vec<Vec<f64>> = first.ends.iter().take(12).map(|end| first.costs(end.at)).collect();
                for (score, at) in scores.iter_mut().zip(&points) {
                    // The way to a cut is as much longer as the radius is.
                    let position = streets.position(*at);
                    let seen = to_ends.iter().zip(&first.drives);
                    let cost = |(costs, seen): (&Vec<f64>, &Seen<'_>)| {
                        streets.cost_to(costs, *at) * STANDARD_RADIUS_M / seen.radius_m(position)
                    };
                    let costs: Vec<f64> = seen.map(cost).collect();
                    let mean = costs.iter().sum::<f64>() / costs.len() as f64;
                    *score = -spread(&costs) - 0.1 * mean;
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
        for (seen, end) in self.drives.iter().zip(&self.ends) {
            let drive = seen.shown;
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
            let larger_m = if *size == ZoneSize::Large { LARGER_M } else { 0.0 };
            let mut fit = Centers { corner, side, weights: vec![1.0; side * side] };
            for (seen, end) in evidence.drives.iter().zip(&evidence.ends) {
                let radii_m: Vec<f64> = (0..side * side).map(|index| seen.radius_m(fit.at(index)) + larger_m).collect();
                let most_m = radii_m.iter().copied().fold(0.0, f64::max);
                let mut last = (f64::INFINITY, f64::INFINITY);
                for point in &seen.shown.points {
                    if distance_m(*point, last) > 60.0 {
                        last = *point;
                        fit.scale(
                            |index, away_m| if away_m < radii_m[index] - TOLERANCE_M { 0.0 } else { 1.0 },
                            last,
                            most_m,
                        );
                    }
                }
                if let Some(before) = end.before {
                    let weight = |index: usize, away_m| if away_m < radii_m[index] + 15.0 { 1.0 } else { 0.25 };
                    fit.scale(weight, before, f64::INFINITY);
                }
            }
            if *size == ZoneSize::Large {
                fit = fit.spread(LARGER_M);
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

    /// Multiplies the weights by a function of the cell and its distance from a point.
    fn scale(&mut self, by: impl Fn(usize, f64) -> f64, point: Point, within_m: f64) {
        for index in self.near(point, within_m) {
            if self.weights[index] > 0.0 {
                self.weights[index] *= by(index, distance_m(self.at(index), point));
            }
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
        libm::log(self.mean(home, MAX_OFFSET_M).max(1e-12))
    }
}

/// How much values differ from their mean, on average.
fn spread(values: &[f64]) -> f64 {
    let count = values.len().max(1) as f64;
    let mean = values.iter().sum::<f64>() / count;
    values.iter().map(|value| (value - mean).abs()).sum::<f64>() / count
}
