//! Combines many traces: finds cells of the same road, and counts drivers between them.
//!
//! This takes three passes over the traces, one at a time: [`CellCounts`], [`Nodes`], [`Network`]. The memory grows
//! with the roads, not with the drives.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Range;

use h3o::CellIndex;
use tourismo_core::roads::Tally;

use super::trace::{Trace, Visit, middle_e6, turned_e6};

/// A driver: one account with any number of devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Driver(pub u128);

/// A stay of at most this length after which the car is back at the cell before is jitter of the receiver: steps of 20
/// m.
const JITTER_STEPS: u32 = 2;

/// The first pass: the number of drives in each cell.
#[derive(Debug, Default)]
pub struct CellCounts {
    drives: HashMap<CellIndex, u32>,
}

impl CellCounts {
    /// Counts another drive.
    pub fn count(&mut self, trace: &Trace) {
        let cells: HashSet<CellIndex> = trace.visits.iter().map(|visit| visit.cell).collect();
        for cell in cells {
            let drives = self.drives.entry(cell).or_default();
            *drives = drives.saturating_add(1);
        }
    }

    /// Finds the cells that become nodes.
    ///
    /// Two laps of a road pass different but neighbouring cells. So the most driven cells become nodes, no two of them
    /// neighbours (a maximal independent set, found greedily), and every other cell belongs to its best neighbouring
    /// node. The order of magnitude of a cell's count matters, so that one more drive rarely changes a node; equal
    /// cells are ordered by a hash.
    pub fn settle(self) -> Nodes {
        let rank = |cell: CellIndex, drives: u32| (drives.ilog2(), hash(cell), u64::from(cell));
        let mut cells: Vec<_> = self.drives.iter().map(|(&cell, &drives)| (rank(cell, drives), cell)).collect();
        cells.sort_unstable_by(|a, b| b.cmp(a));
        // The node of each cell, starting with the best cells. When a cell is reached, its neighbouring nodes are
        // known.
        let mut nodes: HashMap<CellIndex, CellIndex> = HashMap::with_capacity(cells.len());
        for (_, cell) in cells {
            if nodes.contains_key(&cell) {
                continue;
            }
            for beside in cell.grid_disk::<Vec<_>>(1) {
                if self.drives.contains_key(&beside) {
                    // A cell that has a node already has a better one.
                    nodes.entry(beside).or_insert(cell);
                }
            }
        }
        Nodes { nodes, ..Nodes::default() }
    }
}

/// Distributes neighbouring cells over all numbers (the finalizer of SplitMix64, Steele et al. 2014).
fn hash(cell: CellIndex) -> u64 {
    let mut bits = u64::from(cell);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// The second pass: the number of drivers from node to node.
#[derive(Debug, Default)]
pub struct Nodes {
    nodes: HashMap<CellIndex, CellIndex>,
    drivers: HashMap<(CellIndex, CellIndex), u32>,
    turn: DriverGroup<HashSet<(CellIndex, CellIndex)>>,
}

impl Nodes {
    /// Counts another drive, of the same driver as the last one or of a greater one; see [`Network::add`]. Cells that
    /// the first pass did not count are left out.
    pub fn count(&mut self, driver: Driver, trace: &Trace) {
        if !self.turn.is_of(driver) {
            return;
        }
        for section in trace.sections() {
            for pair in self.way(section).windows(2) {
                let pair = (pair[0].node, pair[1].node);
                if self.turn.of_driver.insert(pair) {
                    *self.drivers.entry(pair).or_default() += 1;
                }
            }
        }
    }

    /// Finds the usual way between nodes.
    pub fn settle(mut self) -> Network {
        self.turn = DriverGroup::default();
        let mut onwards: HashMap<CellIndex, Vec<CellIndex>> = HashMap::new();
        for &(from, to) in self.drivers.keys() {
            onwards.entry(from).or_default().push(to);
        }
        Network { nodes: self, onwards, ..Network::default() }
    }

    /// Returns the nodes of a section with the counts on the way to each.
    fn way(&self, section: &[Visit]) -> Vec<NodeVisit> {
        let mut way: Vec<NodeVisit> = Vec::with_capacity(section.len());
        for (index, visit) in section.iter().enumerate() {
            let Some(&node) = self.nodes.get(&visit.cell) else { continue };
            let end = index + 1;
            match &mut way[..] {
                [.., last] if last.node == node => last.extend(visit.tally, end),
                [.., before, short] if before.node == node && short.tally.steps <= JITTER_STEPS => {
                    before.extend(short.tally, end);
                    before.extend(visit.tally, end);
                    way.pop();
                }
                _ => way.push(NodeVisit { node, tally: visit.tally, visits: index..end }),
            }
        }
        way
    }

    fn drivers(&self, from: CellIndex, to: CellIndex) -> u32 {
        self.drivers.get(&(from, to)).copied().unwrap_or(0)
    }

    /// Returns the maximum number of drivers from the first node to the last through the one between them.
    fn drivers_over(&self, from: CellIndex, over: CellIndex, to: CellIndex) -> u32 {
        self.drivers(from, over).min(self.drivers(over, to))
    }

    /// Returns whether a cell is a node or its neighbour: a car there passed the node, even if the cell belongs to
    /// another one.
    fn is_at(&self, cell: CellIndex, node: CellIndex) -> bool {
        self.nodes.get(&cell) == Some(&node) || cell.is_neighbor_with(node).unwrap_or(false)
    }
}

/// The driver whose drives are being counted, with the counts of this driver only.
///
/// Drives come driver by driver, so this is enough to count every driver once.
#[derive(Debug, Default)]
struct DriverGroup<T> {
    driver: Option<Driver>,
    of_driver: T,
}

impl<T: Default> DriverGroup<T> {
    /// Returns whether a drive of this driver is in order. Clears the counts if it is another driver than the last.
    fn is_of(&mut self, driver: Driver) -> bool {
        let is_later = self.driver.is_none_or(|last| last < driver);
        if is_later {
            *self = DriverGroup { driver: Some(driver), of_driver: T::default() };
        }
        is_later || self.driver == Some(driver)
    }
}

/// A node on the way of a drive, with the counts up to it.
#[derive(Clone)]
struct NodeVisit {
    node: CellIndex,
    tally: Tally,
    /// The visits of the section during which the car was there. A node that most cars pass and this one did not has
    /// all neighbouring visits.
    visits: Range<usize>,
}

impl NodeVisit {
    fn extend(&mut self, tally: Tally, end: usize) {
        self.tally.add(&tally);
        self.visits.end = end;
    }
}

/// The third pass: the drivers from node to node.
#[derive(Debug, Default)]
pub struct Network {
    nodes: Nodes,
    onwards: HashMap<CellIndex, Vec<CellIndex>>,
    turn: DriverGroup<DriverPasses>,
    pub(super) places: HashMap<CellIndex, NodePosition>,
    pub(super) edges: BTreeMap<(CellIndex, CellIndex), Edge>,
}

/// The passes of one driver.
#[derive(Debug, Default)]
struct DriverPasses {
    edges: HashSet<(CellIndex, CellIndex)>,
    places: HashMap<CellIndex, Mean>,
}

/// The position of the road at a node: the mean over all drivers, each counted once.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct NodePosition(Mean);

/// A mean of offsets from the middle of a node, millionths of a degree: north and east.
#[derive(Clone, Copy, Debug, Default)]
struct Mean {
    sum_e6: [i64; 2],
    count: i64,
}

impl Mean {
    /// Integers, so that sums do not depend on their order.
    fn value_e6(&self) -> [i64; 2] {
        self.sum_e6.map(|sum_e6| sum_e6.div_euclid(self.count.max(1)))
    }
}

/// The way from one node to the next.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Edge {
    /// The number of drivers who passed it: directly from a cell at the one node to a cell at the other.
    pub(super) drivers: u32,
    /// The number of passes, including ones that passed nearby.
    pub(super) passes: u32,
    pub(super) tally: Tally,
}

impl NodePosition {
    /// Longitude and latitude, degrees, to the fifth decimal (1 m).
    pub(super) fn lon_lat(self, node: CellIndex) -> [f64; 2] {
        let ([lat_e6, lon_e6], [north_e6, east_e6]) = (middle_e6(node), self.0.value_e6());
        let lon_e6 = turned_e6(0, lon_e6 + east_e6);
        [(lon_e6 as f64 / 10.0).round() / 1e5, ((lat_e6 + north_e6) as f64 / 10.0).round() / 1e5]
    }
}

impl Network {
    /// Adds a drive, of the same driver as the last one or of a greater one. A drive out of order is left out, because
    /// no driver may count twice. Cells that the first pass did not count are left out.
    pub fn add(&mut self, driver: Driver, trace: &Trace) {
        if !self.turn.is_of(driver) {
            return;
        }
        for section in trace.sections() {
            section.iter().for_each(|visit| self.place(visit));
            let way = self.usual_way(section);
            for (index, pair) in way.windows(2).enumerate() {
                let nodes = (pair[0].node, pair[1].node);
                let is_driven = self.is_driven(section, pair);
                let edge = self.edges.entry(nodes).or_default();
                edge.tally.add(&pair[1].tally);
                // The first visit of a section has no way before it.
                if index == 0 {
                    edge.tally.add(&pair[0].tally);
                }
                edge.passes = edge.passes.saturating_add(1);
                if is_driven && self.turn.of_driver.edges.insert(nodes) {
                    edge.drivers += 1;
                }
            }
        }
    }

    /// Returns the nodes of a section. Where three nodes are close together, it uses the way of most drivers: through
    /// the middle one, through another one, or directly.
    fn usual_way(&self, section: &[Visit]) -> Vec<NodeVisit> {
        let straight = self.nodes.way(section);
        let mut way: Vec<NodeVisit> = Vec::with_capacity(straight.len());
        for mut stay in straight {
            while let [.., from, over] = &way[..] {
                let straight = self.nodes.drivers(from.node, stay.node);
                if straight <= self.nodes.drivers_over(from.node, over.node, stay.node) {
                    break;
                }
                stay.tally.add(&over.tally);
                way.pop();
            }
            if let [.., from, over] = &mut way[..]
                && let Some(usual) = self.between(from.node, stay.node)
                && usual != over.node
            {
                over.node = usual;
                over.visits = from.visits.start..stay.visits.end;
            }
            let usual = way.last().and_then(|from| {
                let over = self.between(from.node, stay.node)?;
                Some(NodeVisit { node: over, tally: Tally::default(), visits: from.visits.start..stay.visits.end })
            });
            way.extend(usual);
            way.push(stay);
        }
        way
    }

    /// Returns the node through which most drivers go from one node to another, if they do not go directly.
    fn between(&self, from: CellIndex, to: CellIndex) -> Option<CellIndex> {
        let straight = self.nodes.drivers(from, to);
        let onwards = self.onwards.get(&from)?.iter();
        let overs = onwards.map(|&over| (self.nodes.drivers_over(from, over, to), u64::from(over), over));
        let (drivers, _, over) = overs.max()?;
        (drivers > 0 && drivers >= straight).then_some(over)
    }

    /// Returns whether the car was at a cell of the first node and then at one of the second, with nothing between
    /// them.
    fn is_driven(&self, section: &[Visit], pair: &[NodeVisit]) -> bool {
        let (from, to) = (&pair[0], &pair[1]);
        if from.visits.end == to.visits.start {
            return true;
        }
        let visits = &section[from.visits.start.min(to.visits.start)..to.visits.end.max(from.visits.end)];
        let cells = || visits.iter().map(|visit| visit.cell);
        let is_at_both = |cell| self.nodes.is_at(cell, from.node) && self.nodes.is_at(cell, to.node);
        let mut steps = cells().zip(cells().skip(1));
        steps.any(|(here, next)| self.nodes.is_at(here, from.node) && self.nodes.is_at(next, to.node))
            || cells().any(is_at_both)
    }

    fn place(&mut self, visit: &Visit) {
        let Some(&node) = self.nodes.nodes.get(&visit.cell) else { return };
        let ([node_lat, node_lon], [lat, lon]) = (middle_e6(node), middle_e6(visit.cell));
        let steps = i64::from(visit.tally.steps);
        let own = self.turn.of_driver.places.entry(node).or_default();
        let place = &mut self.places.entry(node).or_default().0;
        let before = own.value_e6();
        place.count += i64::from(own.count == 0);
        own.sum_e6[0] += steps * (lat - node_lat + i64::from(visit.offset_e6[0]));
        own.sum_e6[1] += steps * (turned_e6(node_lon, lon) + i64::from(visit.offset_e6[1]));
        own.count += steps;
        for (axis, value_e6) in own.value_e6().into_iter().enumerate() {
            place.sum_e6[axis] += value_e6 - before[axis];
        }
    }

    /// Returns the ordered pairs of nodes of a drive on the usual ways, which two laps of a road share.
    pub fn pairs(&self, trace: &Trace) -> Vec<[u64; 2]> {
        let ways: Vec<_> = trace.sections().map(|section| self.usual_way(section)).collect();
        ways.iter().flat_map(|way| way.windows(2).map(nodes)).collect()
    }

    /// Returns those of the pairs that the drive itself passed.
    pub fn driven_pairs(&self, trace: &Trace) -> Vec<[u64; 2]> {
        let driven = |section| {
            let way = self.usual_way(section);
            let driven = way.windows(2).filter(|pair| self.is_driven(section, pair));
            driven.map(nodes).collect::<Vec<_>>()
        };
        trace.sections().flat_map(driven).collect()
    }
}

fn nodes(pair: &[NodeVisit]) -> [u64; 2] {
    [pair[0].node.into(), pair[1].node.into()]
}
