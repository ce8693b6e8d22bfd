//! Many traces put together: which cells are the same road, and who passed from where to where.
//!
//! It takes three passes over the traces, one at a time: [`Census`], [`Nodes`], [`Network`]. What it keeps grows with the
//! roads, not with the drives.

use std::collections::{BTreeMap, HashMap, HashSet};

use h3o::CellIndex;
use tourismo_core::roads::Tally;

use super::trace::{Trace, Visit, middle_e6, turned_e6};

/// Who drove, as far as counting drivers needs it: a number that two drivers do not share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Driver(pub u64);

/// More distinct drivers than this are not told apart.
pub(super) const MOST_DRIVERS: usize = 64;

/// A stay no longer than this, after which the car is back where it was, is the receiver's jitter: steps of 20 m.
const JITTER_STEPS: u32 = 2;

/// The first pass: how many drives passed each cell.
#[derive(Debug, Default)]
pub struct Census {
    drives: HashMap<CellIndex, u32>,
}

impl Census {
    /// Counts one more drive.
    pub fn count(&mut self, trace: &Trace) {
        let cells: HashSet<CellIndex> = trace.visits.iter().map(|visit| visit.cell).collect();
        for cell in cells {
            let drives = self.drives.entry(cell).or_default();
            *drives = drives.saturating_add(1);
        }
    }

    /// Finds the cells that stand for themselves and those around them.
    ///
    /// Two laps of a road do not pass quite the same cells, but cells next to each other. So the most driven cells become
    /// nodes, none beside another (a maximal independent set, taken greedily), and every other cell stands for the best node
    /// beside it. What counts is the order of magnitude of how often a cell was driven, so that one drive more seldom changes
    /// a node; equals are ordered by a hash.
    pub fn settle(self) -> Nodes {
        let rank = |cell: CellIndex, drives: u32| (drives.ilog2(), hash(cell), u64::from(cell));
        let mut cells: Vec<_> = self.drives.iter().map(|(&cell, &drives)| (rank(cell, drives), cell)).collect();
        cells.sort_unstable_by(|a, b| b.cmp(a));
        // A node by its cell, from the best; the nodes beside a cell are known when its turn comes, or are none.
        let mut nodes: HashMap<CellIndex, CellIndex> = HashMap::with_capacity(cells.len());
        for (_, cell) in cells {
            if nodes.contains_key(&cell) {
                continue;
            }
            for beside in cell.grid_disk::<Vec<_>>(1) {
                if self.drives.contains_key(&beside) {
                    // What already has a node has a better one.
                    nodes.entry(beside).or_insert(cell);
                }
            }
        }
        Nodes { nodes, passes: HashMap::new() }
    }
}

/// Spreads cells that lie side by side over all numbers (the finalizer of SplitMix64, Steele et al. 2014).
fn hash(cell: CellIndex) -> u64 {
    let mut bits = u64::from(cell);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// The second pass: how often somebody passed from which node to which.
#[derive(Debug, Default)]
pub struct Nodes {
    nodes: HashMap<CellIndex, CellIndex>,
    passes: HashMap<(CellIndex, CellIndex), u32>,
}

impl Nodes {
    /// Counts one more drive. Cells that the census did not count are left out.
    pub fn count(&mut self, trace: &Trace) {
        for section in trace.sections() {
            for pair in self.way(section).windows(2) {
                let passes = self.passes.entry((pair[0].node, pair[1].node)).or_default();
                *passes = passes.saturating_add(1);
            }
        }
    }

    /// Knows which way is the usual one.
    pub fn settle(self) -> Network {
        let mut onwards: HashMap<CellIndex, Vec<CellIndex>> = HashMap::new();
        for &(from, to) in self.passes.keys() {
            onwards.entry(from).or_default().push(to);
        }
        Network { nodes: self, onwards, places: BTreeMap::new(), edges: BTreeMap::new() }
    }

    /// The nodes of a section with what was counted on the way to each.
    fn way(&self, section: &[Visit]) -> Vec<Stay> {
        let mut way: Vec<Stay> = Vec::with_capacity(section.len());
        for visit in section {
            let Some(&node) = self.nodes.get(&visit.cell) else { continue };
            let stay = Stay { node, tally: visit.tally };
            match &mut way[..] {
                [.., last] if last.node == node => last.tally.add(&visit.tally),
                [.., before, short] if before.node == node && short.tally.steps <= JITTER_STEPS => {
                    before.tally.add(&short.tally);
                    before.tally.add(&visit.tally);
                    way.pop();
                }
                _ => way.push(stay),
            }
        }
        way
    }

    fn passes(&self, from: CellIndex, to: CellIndex) -> u32 {
        self.passes.get(&(from, to)).copied().unwrap_or(0)
    }

    /// Whether one usually comes from the first node to the last over the one between them, not straight.
    fn leads_over(&self, from: CellIndex, over: CellIndex, to: CellIndex) -> bool {
        let over = self.passes(from, over).min(self.passes(over, to));
        over > 0 && over >= self.passes(from, to)
    }
}

/// A node on the way of a drive, and what was counted until there.
#[derive(Clone, Copy)]
struct Stay {
    node: CellIndex,
    tally: Tally,
}

/// The third pass: who passed from which node to which.
#[derive(Debug, Default)]
pub struct Network {
    nodes: Nodes,
    onwards: HashMap<CellIndex, Vec<CellIndex>>,
    pub(super) places: BTreeMap<CellIndex, Place>,
    pub(super) edges: BTreeMap<(CellIndex, CellIndex), Edge>,
}

/// Where the road passes a node: the sum over all visits, so that it does not depend on their order.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Place {
    offset_e6: [i64; 2],
    steps: i64,
}

/// The way from one node to the next.
#[derive(Clone, Debug, Default)]
pub(super) struct Edge {
    /// Sorted; at most [`MOST_DRIVERS`].
    drivers: Vec<Driver>,
    pub(super) passes: u32,
    pub(super) tally: Tally,
}

impl Edge {
    pub(super) fn drivers(&self) -> usize {
        self.drivers.len()
    }
}

impl Place {
    /// Longitude and latitude, degrees, to the fifth decimal (1 m).
    pub(super) fn lon_lat(self, node: CellIndex) -> [f64; 2] {
        let [lat_e6, lon_e6] = middle_e6(node);
        let mean = |sum_e6: i64| sum_e6 as f64 / self.steps.max(1) as f64;
        let lon_e6 = turned_e6(0, lon_e6 + mean(self.offset_e6[1]).round() as i64);
        let lat_e6 = lat_e6 as f64 + mean(self.offset_e6[0]);
        [(lon_e6 as f64 / 10.0).round() / 1e5, (lat_e6 / 10.0).round() / 1e5]
    }
}

impl Network {
    /// Takes one drive in. Cells that the census did not count are left out.
    pub fn add(&mut self, driver: Driver, trace: &Trace) {
        for section in trace.sections() {
            section.iter().for_each(|visit| self.place(visit));
            let way = self.usual_way(section);
            for (index, pair) in way.windows(2).enumerate() {
                let edge = self.edges.entry((pair[0].node, pair[1].node)).or_default();
                edge.tally.add(&pair[1].tally);
                // The first stay of a section has no way that leads to it.
                if index == 0 {
                    edge.tally.add(&pair[0].tally);
                }
                edge.passes = edge.passes.saturating_add(1);
                if let (Err(place), true) = (edge.drivers.binary_search(&driver), edge.drivers.len() < MOST_DRIVERS) {
                    edge.drivers.insert(place, driver);
                }
            }
        }
    }

    /// The nodes of a section, where three of them lie close together as most have passed them: over the one in the middle, or
    /// straight.
    fn usual_way(&self, section: &[Visit]) -> Vec<Stay> {
        let straight = self.nodes.way(section);
        let mut way: Vec<Stay> = Vec::with_capacity(straight.len());
        for mut stay in straight {
            while let [.., from, over] = way[..] {
                if self.nodes.passes(from.node, stay.node) == 0
                    || self.nodes.leads_over(from.node, over.node, stay.node)
                {
                    break;
                }
                stay.tally.add(&over.tally);
                way.pop();
            }
            if let Some(over) = way.last().and_then(|from| self.between(from.node, stay.node)) {
                way.push(Stay { node: over, tally: Tally::default() });
            }
            way.push(stay);
        }
        way
    }

    /// The node over which one usually comes from one to the other, if it is not the straight way.
    fn between(&self, from: CellIndex, to: CellIndex) -> Option<CellIndex> {
        let over = self.onwards.get(&from)?.iter().copied().filter(|&over| self.nodes.leads_over(from, over, to));
        over.max_by_key(|&over| (self.nodes.passes(from, over).min(self.nodes.passes(over, to)), u64::from(over)))
    }

    fn place(&mut self, visit: &Visit) {
        let Some(&node) = self.nodes.nodes.get(&visit.cell) else { return };
        let ([node_lat, node_lon], [lat, lon]) = (middle_e6(node), middle_e6(visit.cell));
        let steps = i64::from(visit.tally.steps);
        let place = self.places.entry(node).or_default();
        place.offset_e6[0] += steps * (lat - node_lat + i64::from(visit.offset_e6[0]));
        place.offset_e6[1] += steps * (turned_e6(node_lon, lon) + i64::from(visit.offset_e6[1]));
        place.steps += steps;
    }

    /// The ordered pairs of nodes that a drive passes: what two laps of a road share.
    pub fn pairs(&self, trace: &Trace) -> Vec<[u64; 2]> {
        let ways: Vec<_> = trace.sections().map(|section| self.usual_way(section)).collect();
        let pair = |pair: &[Stay]| [pair[0].node.into(), pair[1].node.into()];
        ways.iter().flat_map(|way| way.windows(2).map(pair)).collect()
    }
}
