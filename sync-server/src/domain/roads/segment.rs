//! Roads between junctions, as far as enough drivers passed them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::str::FromStr;

use h3o::CellIndex;
use tourismo_core::roads::{RoadScore, SHORTEST_SCORED_M, STEP_M, Tally};

use super::network::{Edge, Network};

/// What a segment is called: the ordered pair of nodes with which it begins. No two segments of a network share one.
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
    /// What it is called.
    pub id: SegmentId,
    /// How good it is; if it is short, with the road before and behind it.
    pub score: RoadScore,
    /// How long it is, metres.
    pub length_m: u32,
    /// How many drivers drove it.
    pub evidence: Evidence,
    /// Its nodes, in the order in which they are driven.
    pub nodes: Vec<u64>,
    /// `[longitude, latitude]` of each node, degrees: the mean over everybody who passed.
    pub line: Vec<[f64; 2]>,
}

/// How many distinct drivers drove a segment, coarsely: nobody can tell who was the last to come or to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Evidence {
    /// As many as it takes to be shown, or more.
    Few = 0,
    /// At least 10.
    Some = 1,
    /// At least 25.
    Many = 2,
    /// At least 50.
    Most = 3,
}

impl Evidence {
    /// The evidence with this number.
    pub fn from_number(number: i64) -> Option<Evidence> {
        Evidence::ALL.into_iter().find(|evidence| *evidence as i64 == number)
    }

    const ALL: [Evidence; 4] = [Evidence::Few, Evidence::Some, Evidence::Many, Evidence::Most];

    /// The fewest drivers of it.
    pub fn at_least(self, fewest: usize) -> usize {
        match self {
            Evidence::Few => fewest,
            Evidence::Some => 10.max(fewest),
            Evidence::Many => 25.max(fewest),
            Evidence::Most => 50.max(fewest),
        }
    }

    /// It rises only when two drivers more than it takes have come, and falls when it lacks one: a driver who comes and goes
    /// does not make it flap.
    fn of(drivers: usize, fewest: usize, before: Option<Evidence>) -> Evidence {
        let reached = |evidence: &&Evidence| {
            let margin = if before.is_some_and(|before| **evidence > before) { 2 } else { 0 };
            drivers >= evidence.at_least(fewest) + margin
        };
        Evidence::ALL.iter().rev().find(reached).copied().unwrap_or(Evidence::Few)
    }
}

/// A score that moves by less stays what it was.
const SCORE_HYSTERESIS: u8 = 3;

/// What is shorter than this is scored with the road before and behind it, metres: a corner more or less in so much moves a
/// score by a few points.
const SCORED_WITH_M: f64 = 2_000.0;

/// A segment that is longer is cut here, metres.
const LONGEST_M: u32 = 5_000;

impl Network {
    /// The segments whose every pair of nodes at least `fewest` distinct drivers passed in this direction, ascending by id.
    /// `before` is what was shown: it keeps evidence and score from flapping, and changes nothing else.
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

/// What enough drivers passed.
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

    /// Every pair of nodes in exactly one chain, from junction to junction, or to where nobody goes on.
    fn chains(&self) -> Vec<Vec<CellIndex>> {
        let mut left: BTreeSet<(CellIndex, CellIndex)> = self.edges.keys().copied().collect();
        let begins = |&(from, to): &(CellIndex, CellIndex)| {
            self.beyond(to, from).is_none_or(|before| !self.edges.contains_key(&(before, from)))
        };
        let mut chains = Vec::new();
        for start in self.edges.keys().copied().filter(begins) {
            self.walk(start, &mut left, &mut chains);
        }
        // What has no beginning is a round.
        while let Some(start) = left.first().copied() {
            self.walk(start, &mut left, &mut chains);
        }
        chains
    }

    /// Walks from a first pair of nodes as far as there is only one way, and cuts what is too long.
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

    /// What there is to count on a chain. A short one is a corner or a straight, and says nothing of the road: it is counted
    /// with the way that most take before and behind it. `None` if even that is too short.
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
            // The one node may be at both ends.
            if let Some(behind) = behind.filter(|behind| before != Some(*behind)) {
                way.push_back(behind);
                counted_m = count((last, behind))?;
            }
        }
        (counted_m >= f64::from(SHORTEST_SCORED_M)).then_some(tally)
    }

    /// Of the nodes beside one, those on the way left out, the one to or from which most drove; of equals the greatest.
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

    /// The node behind another one, seen from the first; `None` at junctions and ends.
    fn beyond(&self, from: CellIndex, through: CellIndex) -> Option<CellIndex> {
        let neighbours = self.neighbours.get(&through)?;
        if neighbours.len() != 2 {
            return None;
        }
        neighbours.iter().copied().find(|&node| node != from)
    }
}
