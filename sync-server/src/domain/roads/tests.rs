use std::collections::{BTreeMap, BTreeSet};

use h3o::{CellIndex, LatLng, Resolution};
use tourismo_core::fix::Fix;
use tourismo_core::geodesy::{Position, distance_m};
use tourismo_core::roads::{RoadParts, RoadScore, RoadSteps, Tally};
use tourismo_core::time::Timestamp;

use super::trace::Visit;
use super::*;

/// A road of 60 cells, about 3 km.
const LONG: i32 = 60;

fn origin() -> CellIndex {
    LatLng::new(47.0, 8.5).unwrap().to_cell(Resolution::Eleven)
}

/// The cell at this distance from the origin along both axes of its grid.
fn cell(i: i32, j: i32) -> CellIndex {
    let here = origin().to_local_ij(origin()).unwrap();
    CellIndex::try_from(h3o::LocalIJ::new(origin(), h3o::CoordIJ::new(here.coord.i + i, here.coord.j + j))).unwrap()
}

/// A drive through these cells, which must be neighbours, without bends and gaps.
fn through(cells: impl IntoIterator<Item = CellIndex>) -> Trace {
    let tally = Tally { steps: 3, flowing: 3, bends: [3, 0, 0, 0, 0], ..Tally::default() };
    let visit = |cell| Visit { cell, begins_section: false, tally, offset_e6: [0; 2] };
    let mut visits: Vec<Visit> = cells.into_iter().map(visit).collect();
    visits.dedup_by_key(|visit| visit.cell);
    Trace { visits }
}

/// A drive over the cells on the straight lines between these.
fn over(corners: &[CellIndex]) -> Trace {
    let leg = |pair: &[CellIndex]| pair[0].grid_path_cells(pair[1]).unwrap().map(Result::unwrap).collect::<Vec<_>>();
    through(corners.windows(2).flat_map(leg))
}

fn straight() -> Trace {
    over(&[cell(0, 0), cell(LONG, 0)])
}

/// A drive with a detour in the middle: four cells long, two cells off the road.
fn with_detour() -> Trace {
    over(&[cell(0, 0), cell(28, 0), apex(), cell(32, 0), cell(LONG, 0)])
}

fn apex() -> CellIndex {
    cell(29, 3)
}

fn network(drives: &[(u128, Trace)]) -> Network {
    let mut drives: Vec<_> = drives.iter().collect();
    drives.sort_by_key(|(driver, _)| *driver);
    let mut census = CellCounts::default();
    drives.iter().for_each(|(_, trace)| census.count(trace));
    let mut nodes = census.settle();
    drives.iter().for_each(|(driver, trace)| nodes.count(Driver(*driver), trace));
    let mut network = nodes.settle();
    drives.iter().for_each(|(driver, trace)| network.add(Driver(*driver), trace));
    network
}

fn shown(drives: &[(u128, Trace)], fewest: usize) -> Vec<Segment> {
    network(drives).segments(fewest, &BTreeMap::new())
}

/// Returns the distance in cells from a cell to the nearest shown node.
fn nearest(segments: &[Segment], to: CellIndex) -> Option<i32> {
    let nodes = segments.iter().flat_map(|segment| &segment.nodes);
    nodes.map(|&node| CellIndex::try_from(node).unwrap().grid_distance(to).unwrap()).min()
}

#[test]
fn what_one_person_drives_is_not_shown_for_others_who_pass_beside_it() {
    let others = |count: u128| (1..=count).map(|driver| (driver, straight())).collect::<Vec<_>>();
    for others_count in [4, 5, 9] {
        let mut drives = others(others_count);
        // The number of detours does not matter, nor whether they come first or last.
        for lone in [0, 100] {
            drives.extend((0..200).map(|_| (lone, with_detour())));
            let segments = shown(&drives, 5);
            // Nodes may be up to two cells from the road.
            assert!(nearest(&segments, apex()).is_none_or(|cells| cells >= 2), "{others_count} others");
            drives.retain(|(driver, _)| *driver != lone);
        }
    }
    let mut drives = others(5);
    drives.extend((0..200).map(|_| (0, with_detour())));
    let length_m: u32 = shown(&drives, 5).iter().map(|segment| segment.length_m).sum();
    assert!(length_m > 2_500, "the road itself is shown: {length_m} m");
    let all_around: Vec<_> = (1..=5).map(|driver| (driver, with_detour())).collect();
    assert!(nearest(&shown(&all_around, 5), apex()).is_some_and(|cells| cells < 2), "and so is what five drive");
}

#[test]
fn every_shown_pair_of_nodes_was_passed_by_enough_people_themselves() {
    let mut pairs = 0;
    for seed in 0..120_u64 {
        let mut chance = Chance(seed);
        let fewest = 2 + chance.below(3) as usize;
        let corners: Vec<CellIndex> =
            (0..5).map(|_| cell(chance.below(26) as i32 - 13, chance.below(26) as i32 - 13)).collect();
        let mut drives = Vec::new();
        for driver in 0..2 + u128::from(chance.below(6)) {
            for _ in 0..1 + chance.below(4) {
                let stops: Vec<CellIndex> = (0..4).map(|_| corners[chance.below(5) as usize]).collect();
                let wandering = |visit: Visit| {
                    let ring: Vec<CellIndex> = visit.cell.grid_disk(1);
                    if chance.below(4) == 0 { ring[chance.below(ring.len() as u64) as usize] } else { visit.cell }
                };
                drives.push((driver, through(over(&stops).visits.into_iter().map(wandering))));
            }
        }
        let segments = shown(&drives, fewest);
        for pair in segments.iter().flat_map(|segment| segment.nodes.windows(2)) {
            let [from, to] = [pair[0], pair[1]].map(|node| CellIndex::try_from(node).unwrap());
            let is_at = |visit: &Visit, node: CellIndex| visit.cell.grid_distance(node).is_ok_and(|cells| cells <= 1);
            let passed = |trace: &Trace| {
                trace.visits.iter().any(|visit| is_at(visit, from) && is_at(visit, to))
                    || trace.visits.windows(2).any(|next| is_at(&next[0], from) && is_at(&next[1], to))
            };
            let people: BTreeSet<u128> =
                drives.iter().filter(|(_, trace)| passed(trace)).map(|(driver, _)| *driver).collect();
            assert!(people.len() >= fewest, "seed {seed}: {} of {fewest} passed {from} to {to}", people.len());
            pairs += 1;
        }
    }
    assert!(pairs > 400, "only {pairs} pairs were shown at all");
}

#[test]
fn a_person_counts_once_however_many_drives_they_have_and_whenever_they_come() {
    let drives: Vec<_> = (0..50).map(|index| (index % 4, straight())).collect();
    assert!(shown(&drives, 5).is_empty());
    assert!(!shown(&drives, 4).is_empty());
    // Drives out of order do not count, so that no driver counts twice.
    let mut census = CellCounts::default();
    census.count(&straight());
    let mut nodes = census.settle();
    [1, 2, 1, 2].into_iter().for_each(|driver| nodes.count(Driver(driver), &straight()));
    let mut network = nodes.settle();
    [1, 2, 1, 2].into_iter().for_each(|driver| network.add(Driver(driver), &straight()));
    assert!(network.segments(3, &BTreeMap::new()).is_empty());
    assert!(!network.segments(2, &BTreeMap::new()).is_empty());
}

#[test]
fn what_was_shown_keeps_nothing_shown_of_which_a_driver_is_lacking() {
    let drives = |count: u128| (0..count).map(|driver| (driver, straight())).collect::<Vec<_>>();
    let parts = RoadParts { twist: 100, corners: 100, relief: None, flow: 100, variety: 100 };
    let before: BTreeMap<_, _> = shown(&drives(60), 5)
        .into_iter()
        .map(|segment| (segment.id, (Evidence::Most, RoadScore { score: 100, parts, measured_m: 3_000 })))
        .collect();
    assert!(!before.is_empty());
    assert!(network(&drives(4)).segments(5, &before).is_empty());
    let left = network(&drives(5)).segments(5, &before);
    assert!(!left.is_empty() && left.iter().all(|segment| segment.evidence == Evidence::Few), "{left:?}");
}

#[test]
fn a_road_lies_at_the_mean_of_its_drivers_not_where_one_of_them_drives_every_day() {
    let moved = |north_e6| {
        let mut trace = straight();
        trace.visits.iter_mut().for_each(|visit| visit.offset_e6 = [north_e6, 0]);
        trace
    };
    let mut drives: Vec<_> = (1..=4).map(|driver| (driver, moved(0))).collect();
    drives.extend((0..96).map(|_| (0, moved(100))));
    let place = |segments: &[Segment]| segments[0].line[0];
    let (with, without) = (shown(&drives, 4), shown(&drives[..4], 4));
    let north_e6 = ((place(&with)[1] - place(&without)[1]) * 1e6).round();
    assert!((10.0..=30.0).contains(&north_e6), "a fifth of the way: {north_e6}");
}

#[test]
fn what_is_too_short_to_be_scored_is_scored_with_the_road_around_it() {
    // A crossroads in the middle cuts the road in two; between two crossroads there is a short road.
    let across = |i| over(&[cell(i, -30), cell(i, 30)]);
    let mut drives = Vec::new();
    for driver in 0..3 {
        drives.extend([(driver, straight()), (driver, across(28)), (driver, across(33))]);
    }
    let segments = shown(&drives, 3);
    let short: Vec<_> = segments.iter().filter(|segment| segment.length_m < 500).collect();
    assert!(!short.is_empty() && short.iter().all(|segment| segment.score.measured_m >= 3 * 2_000), "{short:?}");
    let alone: Vec<_> = (0..3).map(|driver| (driver, over(&[cell(0, 0), cell(12, 0)]))).collect();
    assert!(shown(&alone, 3).is_empty(), "600 m by themselves say nothing");
}

/// Four kilometres at 15 m/s; `place` returns the position at each metre, from 2,000 before the middle of the road to
/// 2,000 after it.
fn measured(place: impl Fn(f64) -> Position) -> Vec<Fix> {
    let fix = |second: i32| {
        let Position { lat_deg, lon_deg } = place(f64::from(15 * second) - 2_000.0);
        let fixed_at = Timestamp(1_717_232_400_000 + 1_000 * i64::from(second));
        Fix {
            fixed_at,
            recorded_at: fixed_at,
            lat_deg,
            lon_deg: (lon_deg + 540.0).rem_euclid(360.0) - 180.0,
            accuracy_m: Some(5.0),
            altitude_m: None,
            altitude_accuracy_m: None,
            heading_deg: None,
            speed_mps: Some(15.0),
        }
    };
    (0..=266).map(fix).collect()
}

#[test]
fn the_date_line_the_poles_and_the_cells_with_five_sides_have_roads_like_any_other_place() {
    let pentagon = LatLng::from(Resolution::Eleven.pentagons().next().unwrap());
    let over_the_line = |m: f64| Position { lat_deg: 10.0, lon_deg: 180.0 + m / 109_600.0 };
    let over_the_pole =
        |m: f64| Position { lat_deg: 90.0 - m.abs() / 111_694.0, lon_deg: if m < 0.0 { 20.0 } else { 200.0 } };
    let over_the_other = |m: f64| Position { lat_deg: -over_the_pole(m).lat_deg, ..over_the_pole(m) };
    let over_a_pentagon = |m: f64| Position { lat_deg: pentagon.lat() + m / 111_000.0, lon_deg: pentagon.lng() };
    let roads: [(&str, Vec<Fix>); 4] = [
        ("date line", measured(over_the_line)),
        ("north pole", measured(over_the_pole)),
        ("south pole", measured(over_the_other)),
        ("pentagon", measured(over_a_pentagon)),
    ];
    for (where_, fixes) in roads {
        let trace = Trace::of(&RoadSteps::of(&fixes));
        assert_eq!(Trace::decode(&trace.encode()), Ok(trace.clone()), "{where_}");
        let segments = shown(&[(1, trace.clone()), (2, trace.clone()), (3, trace)], 3);
        let length_m: u32 = segments.iter().map(|segment| segment.length_m).sum();
        assert!((3_700..=4_100).contains(&length_m), "{where_}: {length_m} m in {}", segments.len());
        for [lon_deg, lat_deg] in segments.iter().flat_map(|segment| segment.line.iter().copied()) {
            let off_m = |fix: &Fix| distance_m(Position::from(fix), Position { lat_deg, lon_deg });
            let nearest_m = fixes.iter().map(off_m).fold(f64::MAX, f64::min);
            assert!(nearest_m < 60.0, "{where_}: {lon_deg} {lat_deg} is {nearest_m} m off");
        }
    }
}

#[test]
fn tracks_without_a_road_leave_no_trace() {
    let whole = measured(|m| Position { lat_deg: 47.0, lon_deg: 8.5 + m / 76_000.0 });
    let still: Vec<Fix> = whole.iter().map(|fix| Fix { lon_deg: 8.5, ..*fix }).collect();
    let at_once: Vec<Fix> = whole.iter().map(|fix| Fix { fixed_at: whole[0].fixed_at, ..*fix }).collect();
    let backward: Vec<Fix> = whole.iter().rev().copied().collect();
    let teleports: Vec<Fix> =
        whole.iter().enumerate().map(|(index, fix)| Fix { lat_deg: 47.0 + (index % 2) as f64, ..*fix }).collect();
    for fixes in [vec![], vec![whole[0]], still, at_once, backward, teleports] {
        assert!(Trace::of(&RoadSteps::of(&fixes)).is_empty());
    }
    let empty = Trace::default();
    assert!(shown(&[(1, empty.clone()), (2, empty.clone()), (3, empty)], 3).is_empty());
}

/// Random numbers from a seed (SplitMix64, Steele et al. 2014).
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (bits ^ (bits >> 31)) % end
    }
}
