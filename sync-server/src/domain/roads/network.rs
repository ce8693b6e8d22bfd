//! Many traces put together: which cells are the same road, and who passed from where to where.
//!
//! It takes three passes over the traces, one at a time: [`CellCounts`], [`Nodes`], [`Network`]. What it keeps grows with the
//! roads, not with the drives.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Range;

use h3o::CellIndex;
use tourismo_core::roads::Tally;

use super::trace::{Trace, Visit, middle_e6, turned_e6};

/// Who drove: one account, whatever the number of its devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Driver(pub u128);

/// A stay no longer than this, after which the car is back where it was, is the receiver's jitter: steps of 20 m.
const JITTER_STEPS: u32 = 2;

/// The first pass: how many drives passed each cell.
#[derive(Debug, Default)]
pub struct CellCounts {
    drives: HashMap<CellIndex, u32>,
}

impl CellCounts {
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
        Nodes { nodes, ..Nodes::default() }
    }
}

/// Spreads cells that lie side by side over all numbers (the finalizer of SplitMix64, Steele et al. 2014).
fn hash(cell: CellIndex) -> u64 {
    let mut bits = u64::from(cell);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// The second pass: how many drivers passed from which node to which.
#[derive(Debug, Default)]
pub struct Nodes {
    nodes: HashMap<CellIndex, CellIndex>,
    drivers: HashMap<(CellIndex, CellIndex), u32>,
    turn: DriverGroup<HashSet<(CellIndex, CellIndex)>>,
}

impl Nodes {
    /// Counts one more drive, of the same driver as the last one or of a greater one; see [`Network::add`]. Cells that the
    /// census did not count are left out.
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

    /// Knows which way is the usual one.
    pub fn settle(mut self) -> Network {
        self.turn = DriverGroup::default();
        let mut onwards: HashMap<CellIndex, Vec<CellIndex>> = HashMap::new();
        for &(from, to) in self.drivers.keys() {
            onwards.entry(from).or_default().push(to);
        }
        Network { nodes: self, onwards, ..Network::default() }
    }

    /// The nodes of a section with what was counted on the way to each.
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

    /// How many drivers came from the first node to the last over the one between them, at most.
    fn drivers_over(&self, from: CellIndex, over: CellIndex, to: CellIndex) -> u32 {
        self.drivers(from, over).min(self.drivers(over, to))
    }

    /// Whether a cell is a node's, or beside it: whoever was there passed the node, even if the cell stands for another one.
    fn is_at(&self, cell: CellIndex, node: CellIndex) -> bool {
        self.nodes.get(&cell) == Some(&node) || cell.is_neighbor_with(node).unwrap_or(false)
    }
}

/// Whose drives are being counted, and what is known of this driver alone.
///
/// Drives come driver after driver, so that this is all there is to remember in order to count nobody twice.
#[derive(Debug, Default)]
struct DriverGroup<T> {
    driver: Option<Driver>,
    of_driver: T,
}

impl<T: Default> DriverGroup<T> {
    /// Whether a drive of this driver may come. If it is another one than the last, what was known is forgotten.
    fn is_of(&mut self, driver: Driver) -> bool {
        let is_later = self.driver.is_none_or(|last| last < driver);
        if is_later {
            *self = DriverGroup { driver: Some(driver), of_driver: T::default() };
        }
        is_later || self.driver == Some(driver)
    }
}

/// A node on the way of a drive, and what was counted until there.
#[derive(Clone)]
struct NodeVisit {
    node: CellIndex,
    tally: Tally,
    /// Where in the section the car was there. What most passed and this car did not has all of what is around it.
    visits: Range<usize>,
}

impl NodeVisit {
    fn extend(&mut self, tally: Tally, end: usize) {
        self.tally.add(&tally);
        self.visits.end = end;
    }
}

/// The third pass: who passed from which node to which.
#[derive(Debug, Default)]
pub struct Network {
    nodes: Nodes,
    onwards: HashMap<CellIndex, Vec<CellIndex>>,
    turn: DriverGroup<DriverPasses>,
    pub(super) places: HashMap<CellIndex, NodePosition>,
    pub(super) edges: BTreeMap<(CellIndex, CellIndex), Edge>,
}

/// What one driver has passed.
#[derive(Debug, Default)]
struct DriverPasses {
    edges: HashSet<(CellIndex, CellIndex)>,
    places: HashMap<CellIndex, Mean>,
}

/// Where the road passes a node: the mean over all drivers, each of whom counts once however often they come.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct NodePosition(Mean);

/// A mean of offsets from the middle of a node, millionths of a degree: north and east.
#[derive(Clone, Copy, Debug, Default)]
struct Mean {
    sum_e6: [i64; 2],
    count: i64,
}

impl Mean {
    /// Whole numbers, so that sums of means do not depend on their order.
    fn value_e6(&self) -> [i64; 2] {
        self.sum_e6.map(|sum_e6| sum_e6.div_euclid(self.count.max(1)))
    }
}

/// The way from one node to the next.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Edge {
    /// How many people passed it themselves: from a cell at the one node straight to a cell at the other.
    pub(super) drivers: u32,
    /// How often it was passed, with what came near enough to be taken for it.
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
    /// Takes one drive in, of the same driver as the last one or of a greater one. A drive that comes too late is left out:
    /// better one driver too few than one counted twice. Cells that the census did not count are left out.
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
                // The first stay of a section has no way that leads to it.
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

    /// The nodes of a section, where three of them lie close together as most have passed them: over the one in the middle,
    /// over another one, or straight.
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

    /// The node over which one usually comes from one to the other, if it is not the straight way.
    fn between(&self, from: CellIndex, to: CellIndex) -> Option<CellIndex> {
        let straight = self.nodes.drivers(from, to);
        let onwards = self.onwards.get(&from)?.iter();
        let overs = onwards.map(|&over| (self.nodes.drivers_over(from, over, to), u64::from(over), over));
        let (drivers, _, over) = overs.max()?;
        (drivers > 0 && drivers >= straight).then_some(over)
    }

    /// Whether the car was itself at a cell of the first node and then at one of the second, with nothing between them.
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

    /// The ordered pairs of nodes of a drive as most have passed them: what two laps of a road share.
    pub fn pairs(&self, trace: &Trace) -> Vec<[u64; 2]> {
        let ways: Vec<_> = trace.sections().map(|section| self.usual_way(section)).collect();
        ways.iter().flat_map(|way| way.windows(2).map(nodes)).collect()
    }

    /// Those of them that the drive passed itself.
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
