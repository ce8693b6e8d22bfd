//! Roads between junctions, as far as enough drivers passed them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::str::FromStr;

use h3o::CellIndex;
use tourismo_core::roads::{RoadScore, SHORTEST_SCORED_M, STEP_M, Tally};

use super::network::{Edge, Network};

/// The id of a segment: its first ordered pair of nodes. No two segments of a network have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SegmentId(pub u64, pub u64);

impl fmt::Display for SegmentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}-{:x}", self.0, self.1)
    }
}

impl FromStr for SegmentId {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<SegmentId, Self::Err> {
        let (from, to) = text.split_once('-').unwrap_or((text, ""));
        Ok(SegmentId(u64::from_str_radix(from, 16)?, u64::from_str_radix(to, 16)?))
    }
}

/// A piece of road in one direction.
#[derive(Clone, Debug, PartialEq)]
pub struct Segment {
    /// Its id.
    pub id: SegmentId,
    /// Its score; for a short one, that of the road before and after it is included.
    pub score: RoadScore,
    /// Its length, metres.
    pub length_m: u32,
    /// The class of its number of drivers.
    pub evidence: Evidence,
    /// Its nodes, in the direction of travel.
    pub nodes: Vec<u64>,
    /// `[longitude, latitude]` of each node, degrees: the mean over all drivers.
    pub line: Vec<[f64; 2]>,
}

/// The number of distinct drivers of a segment in classes, so that nobody can detect the last driver who came or left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Evidence {
    /// As many as it takes to be shown, or more.
    Few,
    /// At least 10.
    Some,
    /// At least 25.
    Many,
    /// At least 50.
    Most,
}

impl Evidence {
    const ALL: [Evidence; 4] = [Evidence::Few, Evidence::Some, Evidence::Many, Evidence::Most];

    /// Returns the minimum number of drivers.
    pub fn at_least(self, fewest: usize) -> usize {
        match self {
            Evidence::Few => fewest,
            Evidence::Some => 10.max(fewest),
            Evidence::Many => 25.max(fewest),
            Evidence::Most => 50.max(fewest),
        }
    }

    /// A class is entered with two drivers more than its minimum and left with one less than it, so that a driver who
    /// comes and goes does not change it.
    fn of(drivers: usize, fewest: usize, before: Option<Evidence>) -> Evidence {
        let reached = |evidence: &&Evidence| {
            let margin = if before.is_some_and(|before| **evidence > before) { 2 } else { 0 };
            drivers >= evidence.at_least(fewest) + margin
        };
        Evidence::ALL.iter().rev().find(reached).copied().unwrap_or(Evidence::Few)
    }
}

/// A smaller change of the score is ignored.
const SCORE_HYSTERESIS: u8 = 3;

/// A shorter segment is scored with the road before and after it, metres: on such a length one corner changes a score
/// by a few points.
const SCORED_WITH_M: f64 = 2_000.0;

/// A longer segment is cut at this length, metres.
const LONGEST_M: u32 = 5_000;

impl Network {
    /// Returns the segments each of whose pairs of nodes was passed by at least `fewest` distinct drivers in this
    /// direction, ascending by id. `before` has the published values: it only prevents frequent changes of evidence and
    /// score.
    pub fn segments(&self, fewest: usize, before: &BTreeMap<SegmentId, (Evidence, RoadScore)>) -> Vec<Segment> {
        let graph = Graph::of(self, fewest);
        let mut segments: Vec<Segment> =
            graph.chains().iter().filter_map(|chain| self.segment(&graph, chain, fewest)).collect();
        segments.sort_unstable_by_key(|segment| segment.id);
        for segment in &mut segments {
            let Some((evidence, score)) = before.get(&segment.id) else { continue };
            let drivers = self.fewest_drivers(&segment.nodes);
            segment.evidence = Evidence::of(drivers, fewest, Some(*evidence));
            if segment.score.score.abs_diff(score.score) < SCORE_HYSTERESIS {
                segment.score.score = score.score;
            }
        }
        segments
    }

    fn segment(&self, graph: &Graph<'_>, chain: &[CellIndex], fewest: usize) -> Option<Segment> {
        let nodes: Vec<u64> = chain.iter().map(|&node| node.into()).collect();
        let lon_lat = |node: &CellIndex| self.places.get(node).map(|place| place.lon_lat(*node));
        Some(Segment {
            id: SegmentId(*nodes.first()?, *nodes.get(1)?),
            score: graph.tally(chain)?.score()?,
            length_m: self.edges_along(chain).map(mean_m).sum::<f64>().round() as u32,
            evidence: Evidence::of(self.fewest_drivers(&nodes), fewest, None),
            line: chain.iter().filter_map(lon_lat).collect(),
            nodes,
        })
    }

    fn edges_along(&self, chain: &[CellIndex]) -> impl Iterator<Item = &Edge> {
        chain.windows(2).filter_map(|pair| self.edges.get(&(pair[0], pair[1])))
    }

    fn fewest_drivers(&self, nodes: &[u64]) -> usize {
        let chain: Vec<CellIndex> = nodes.iter().filter_map(|&node| CellIndex::try_from(node).ok()).collect();
        self.edges_along(&chain).map(|edge| edge.drivers as usize).min().unwrap_or(0)
    }
}

fn mean_m(edge: &Edge) -> f64 {
    f64::from(edge.tally.steps) * f64::from(STEP_M) / f64::from(edge.passes.max(1))
}

/// The pairs that enough drivers passed.
struct Graph<'n> {
    edges: BTreeMap<(CellIndex, CellIndex), &'n Edge>,
    neighbours: BTreeMap<CellIndex, BTreeSet<CellIndex>>,
}

impl<'n> Graph<'n> {
    fn of(network: &'n Network, fewest: usize) -> Graph<'n> {
        let is_shown = |(_, edge): &(_, &Edge)| edge.drivers as usize >= fewest.max(1);
        let edges: BTreeMap<_, _> = network.edges.iter().map(|(pair, edge)| (*pair, edge)).filter(is_shown).collect();
        let mut neighbours: BTreeMap<CellIndex, BTreeSet<CellIndex>> = BTreeMap::new();
        for &(from, to) in edges.keys() {
            neighbours.entry(from).or_default().insert(to);
            neighbours.entry(to).or_default().insert(from);
        }
        Graph { edges, neighbours }
    }

    /// Returns chains from junction to junction, or to a dead end, which contain every pair of nodes exactly once.
    fn chains(&self) -> Vec<Vec<CellIndex>> {
        let mut left: BTreeSet<(CellIndex, CellIndex)> = self.edges.keys().copied().collect();
        let begins = |&(from, to): &(CellIndex, CellIndex)| {
            self.beyond(to, from).is_none_or(|before| !self.edges.contains_key(&(before, from)))
        };
        let mut chains = Vec::new();
        for start in self.edges.keys().copied().filter(begins) {
            self.walk(start, &mut left, &mut chains);
        }
        // The rest are loops.
        while let Some(start) = left.first().copied() {
            self.walk(start, &mut left, &mut chains);
        }
        chains
    }

    /// Follows the road from a first pair of nodes while there is one way only, and cuts it at the maximum length.
    fn walk(
        &self,
        start: (CellIndex, CellIndex),
        left: &mut BTreeSet<(CellIndex, CellIndex)>,
        chains: &mut Vec<Vec<CellIndex>>,
    ) {
        let (mut from, mut to) = start;
        let mut chain = vec![from];
        let mut length_m = 0.0;
        while left.remove(&(from, to)) {
            chain.push(to);
            length_m += self.edges.get(&(from, to)).map_or(0.0, |edge| mean_m(edge));
            if length_m >= f64::from(LONGEST_M) {
                chains.push(std::mem::replace(&mut chain, vec![to]));
                length_m = 0.0;
            }
            match self.beyond(from, to) {
                Some(next) => (from, to) = (to, next),
                None => break,
            }
        }
        if chain.len() > 1 {
            chains.push(chain);
        }
    }

    /// Returns the counts of a chain. A short one may be a single corner, so the usual way before and after it is
    /// included. `None` if even that is too short.
    fn tally(&self, chain: &[CellIndex]) -> Option<Tally> {
        let mut way: VecDeque<CellIndex> = chain.iter().copied().collect();
        let mut tally = Tally::default();
        let mut length_m = 0.0;
        let mut count = |pair| {
            let edge = self.edges.get(&pair)?;
            tally.add(&edge.tally);
            length_m += mean_m(edge);
            Some(length_m)
        };
        let mut counted_m = 0.0;
        for pair in chain.windows(2) {
            counted_m = count((pair[0], pair[1]))?;
        }
        while counted_m < SCORED_WITH_M {
            let (first, last) = (*way.front()?, *way.back()?);
            let before = self.most_driven(first, &way, |node| (node, first));
            let behind = self.most_driven(last, &way, |node| (last, node));
            if before.is_none() && behind.is_none() {
                break;
            }
            if let Some(before) = before {
                way.push_front(before);
                counted_m = count((before, first))?;
            }
            // One node may be at both ends.
            if let Some(behind) = behind.filter(|behind| before != Some(*behind)) {
                way.push_back(behind);
                counted_m = count((last, behind))?;
            }
        }
        (counted_m >= f64::from(SHORTEST_SCORED_M)).then_some(tally)
    }

    /// Of the neighbours of a node, without those on the way, returns the one to or from which most drivers went; of
    /// equal ones the greatest.
    fn most_driven(
        &self,
        node: CellIndex,
        way: &VecDeque<CellIndex>,
        pair: impl Fn(CellIndex) -> (CellIndex, CellIndex),
    ) -> Option<CellIndex> {
        let beside = self.neighbours.get(&node)?.iter().copied().filter(|beside| !way.contains(beside));
        beside
            .filter_map(|beside| Some((self.edges.get(&pair(beside))?.drivers, beside)))
            .max()
            .map(|(_, beside)| beside)
    }

    /// Returns the node after another one, seen from the first; `None` at junctions and ends.
    fn beyond(&self, from: CellIndex, through: CellIndex) -> Option<CellIndex> {
        let neighbours = self.neighbours.get(&through)?;
        if neighbours.len() != 2 {
            return None;
        }
        neighbours.iter().copied().find(|&node| node != from)
    }
}
