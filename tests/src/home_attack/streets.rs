//! Streets of several kinds, and the shortest ways along them.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::sim::SimRng;

/// A point in metres east and north of the middle.
pub type Point = (f64, f64);

/// A network of streets.
#[derive(Clone, Debug)]
pub struct Streets {
    /// Where the junctions are.
    pub nodes: Vec<Point>,
    /// The streets from each junction: the other junction, the length in metres, and how much slower than on a main road
    /// they are driven.
    pub edges: Vec<Vec<(usize, f64, f64)>>,
}

/// A point on a street: part of the way from one junction to the next.
#[derive(Clone, Copy, Debug)]
pub struct OnStreet {
    /// The junction at its beginning.
    pub from: usize,
    /// The junction at its end.
    pub to: usize,
    /// The part of the way, from 0 to 1.
    pub part: f64,
}

/// A kind of place to live.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A grid of blocks.
    City,
    /// Crooked streets with dead ends.
    Suburb,
    /// An old town without right angles.
    OldTown,
    /// A few streets, and side streets.
    Village,
    /// Lonely houses along country roads.
    Country,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Kind; 5] = [Kind::City, Kind::Suburb, Kind::OldTown, Kind::Village, Kind::Country];

    /// Distance of junctions in metres, how crooked the streets are, and how many of a hundred possible ones there are.
    fn shape(self) -> (f64, f64, u64) {
        match self {
            Kind::City => (130.0, 0.04, 97),
            Kind::Suburb => (150.0, 0.3, 74),
            Kind::OldTown => (120.0, 0.38, 85),
            Kind::Village => (260.0, 0.3, 72),
            Kind::Country => (600.0, 0.35, 78),
        }
    }
}

/// Half of the width of the square that streets cover, metres.
const HALF_M: f64 = 7_000.0;

impl Streets {
    /// Makes streets of a kind.
    pub fn random(kind: Kind, rng: &mut SimRng) -> Streets {
        let (spacing_m, jitter, kept) = kind.shape();
        let side = (2.0 * HALF_M / spacing_m) as usize;
        let mut nodes = Vec::with_capacity(side * side);
        for index in 0..side * side {
            let mut at = |step: usize| {
                let off = (unit(rng) - 0.5) * 2.0 * jitter;
                (step as f64 + 0.5 + off) * spacing_m - HALF_M
            };
            nodes.push((at(index % side), at(index / side)));
        }
        let mut streets = Streets { edges: vec![Vec::new(); nodes.len()], nodes };
        // Every so many rows there is a main road, which is whole.
        let is_main = |line: usize| line % 8 == 4;
        for index in 0..side * side {
            let (column, row) = (index % side, index / side);
            for (next, is_main) in [(index + 1, is_main(row)), (index + side, is_main(column))] {
                let exists = if next == index + 1 { column + 1 < side } else { row + 1 < side };
                if exists && (is_main || rng.between(1, 100) <= kept) {
                    streets.join(index, next, if is_main { 1.0 } else { 1.6 });
                }
            }
        }
        streets
    }

    fn join(&mut self, a: usize, b: usize, slowness: f64) {
        let length_m = distance_m(self.nodes[a], self.nodes[b]);
        self.edges[a].push((b, length_m, slowness));
        self.edges[b].push((a, length_m, slowness));
    }

    /// Where a point on a street is.
    pub fn position(&self, at: OnStreet) -> Point {
        let (a, b) = (self.nodes[at.from], self.nodes[at.to]);
        (a.0 + (b.0 - a.0) * at.part, a.1 + (b.1 - a.1) * at.part)
    }

    /// Points along all streets near a point, one every `step_m` metres.
    pub fn along(&self, near: Point, within_m: f64, step_m: f64) -> Vec<OnStreet> {
        let mut points = Vec::new();
        for (from, edges) in self.edges.iter().enumerate() {
            for &(to, length_m, _) in edges.iter().filter(|edge| edge.0 > from) {
                let count = (length_m / step_m).ceil().max(1.0) as usize;
                let point = |step: usize| OnStreet { from, to, part: (step as f64 + 0.5) / count as f64 };
                let is_near = |at: &OnStreet| distance_m(self.position(*at), near) <= within_m;
                points.extend((0..count).map(point).filter(is_near));
            }
        }
        points
    }

    /// A random point on a street near a point that can be left towards most of the others.
    pub fn random_point(&self, near: Point, within_m: f64, rng: &mut SimRng) -> OnStreet {
        let all = self.along(near, within_m, 20.0);
        let main = self.reachable(near);
        loop {
            let at = all[rng.between(0, all.len() as u64 - 1) as usize];
            if main[at.from] {
                return at;
            }
        }
    }

    /// Whether each junction is joined to the one that is nearest to a point of a main road.
    fn reachable(&self, near: Point) -> Vec<bool> {
        let middle = (0..self.nodes.len())
            .filter(|node| self.edges[*node].len() > 2)
            .min_by(|a, b| distance_m(self.nodes[*a], near).total_cmp(&distance_m(self.nodes[*b], near)));
        let mut seen = vec![false; self.nodes.len()];
        let mut next: Vec<usize> = middle.into_iter().collect();
        while let Some(node) = next.pop() {
            if !std::mem::replace(&mut seen[node], true) {
                next.extend(self.edges[node].iter().map(|edge| edge.0));
            }
        }
        seen
    }

    /// The cost of the way from a point to every junction, and the junction before each. Each street costs its length times
    /// its slowness times `mood`.
    pub fn costs(&self, from: OnStreet, mood: &dyn Fn(usize, usize) -> f64) -> (Vec<f64>, Vec<usize>) {
        let (mut costs, mut before) = (vec![f64::INFINITY; self.nodes.len()], vec![usize::MAX; self.nodes.len()]);
        let mut queue = BinaryHeap::new();
        let (length_m, slowness) = self.street(from.from, from.to);
        for (node, part) in [(from.from, from.part), (from.to, 1.0 - from.part)] {
            costs[node] = length_m * slowness * part;
            queue.push(Reverse(((costs[node] * 1_000.0) as u64, node)));
        }
        while let Some(Reverse((cost, node))) = queue.pop() {
            if cost > (costs[node] * 1_000.0) as u64 {
                continue;
            }
            for &(next, length_m, slowness) in &self.edges[node] {
                let through = costs[node] + length_m * slowness * mood(node, next);
                if through < costs[next] {
                    (costs[next], before[next]) = (through, node);
                    queue.push(Reverse(((through * 1_000.0) as u64, next)));
                }
            }
        }
        (costs, before)
    }

    /// The cost of the way to a point, from the costs to all junctions.
    pub fn cost_to(&self, costs: &[f64], to: OnStreet) -> f64 {
        let (length_m, slowness) = self.street(to.from, to.to);
        let from = costs[to.from] + length_m * slowness * to.part;
        from.min(costs[to.to] + length_m * slowness * (1.0 - to.part))
    }

    /// The way between two points.
    pub fn route(&self, from: OnStreet, to: OnStreet, mood: &dyn Fn(usize, usize) -> f64) -> Vec<Point> {
        let (costs, before) = self.costs(from, mood);
        let (length_m, slowness) = self.street(to.from, to.to);
        let by_from = costs[to.from] + length_m * slowness * to.part;
        let by_to = costs[to.to] + length_m * slowness * (1.0 - to.part);
        let mut node = if by_from <= by_to { to.from } else { to.to };
        let mut way = vec![self.position(to)];
        while node != usize::MAX {
            way.push(self.nodes[node]);
            node = before[node];
        }
        way.push(self.position(from));
        way.reverse();
        way
    }

    fn street(&self, from: usize, to: usize) -> (f64, f64) {
        let edge = self.edges[from].iter().find(|edge| edge.0 == to).expect("points are on streets");
        (edge.1, edge.2)
    }

    /// The point on a street that is nearest to a point.
    pub fn nearest(&self, point: Point) -> OnStreet {
        let mut best = (f64::INFINITY, OnStreet { from: 0, to: 0, part: 0.0 });
        for (from, edges) in self.edges.iter().enumerate() {
            if distance_m(self.nodes[from], point) > 1_500.0 {
                continue;
            }
            for &(to, length_m, _) in edges {
                let (a, b) = (self.nodes[from], self.nodes[to]);
                let along = ((point.0 - a.0) * (b.0 - a.0) + (point.1 - a.1) * (b.1 - a.1)) / (length_m * length_m);
                let at = OnStreet { from, to, part: along.clamp(0.0, 1.0) };
                let off_m = distance_m(self.position(at), point);
                if off_m < best.0 {
                    best = (off_m, at);
                }
            }
        }
        best.1
    }
}

/// The straight line between two points.
pub fn distance_m(a: Point, b: Point) -> f64 {
    libm::hypot(a.0 - b.0, a.1 - b.1)
}

/// A number from 0 to 1.
pub fn unit(rng: &mut SimRng) -> f64 {
    rng.between(0, 1 << 30) as f64 / f64::from(1 << 30)
}
