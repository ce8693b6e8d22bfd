//! The road network that many drives form.

use std::collections::BTreeSet;

use tourismo_core::fix::Fix;
use tourismo_core::roads::RoadSteps;
use tourismo_server::roads::{CellCounts, Driver, Network, Trace};

/// Returns the trace of a drive.
pub fn trace(fixes: &[Fix]) -> Trace {
    Trace::of(&RoadSteps::of(fixes))
}

/// Returns the network of drives, in any order.
pub fn network(traces: &[(Driver, Trace)]) -> Network {
    // Driver by driver, as the relay reads them; the drives of one driver keep their order.
    let mut traces: Vec<_> = traces.iter().collect();
    traces.sort_by_key(|(driver, _)| *driver);
    let mut census = CellCounts::default();
    traces.iter().for_each(|(_, trace)| census.count(trace));
    let mut nodes = census.settle();
    traces.iter().for_each(|(driver, trace)| nodes.count(*driver, trace));
    let mut network = nodes.settle();
    traces.iter().for_each(|(driver, trace)| network.add(*driver, trace));
    network
}

/// Returns the share of the second lap's pairs of nodes that the first lap also passed.
pub fn shared(network: &Network, first: &Trace, second: &Trace) -> f64 {
    let first: BTreeSet<_> = network.pairs(first).into_iter().collect();
    let second = network.pairs(second);
    second.iter().filter(|pair| first.contains(*pair)).count() as f64 / second.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use tourismo_core::geodesy::{Position, distance_m};
    use tourismo_core::roads::RoadScore;
    use tourismo_core::time::Timestamp;
    use tourismo_server::roads::{Evidence, Segment};

    use super::*;
    use crate::real_drives;
    use crate::roads::Change;
    use crate::synthetic::{self, Kind, Options};

    const START: Timestamp = Timestamp(1_717_232_400_000);

    fn drive(seed: u64, kind: Kind, minutes: u32) -> Vec<Fix> {
        real_drives::ordered(&synthetic::drive(seed, Options { start: START, minutes, kind }))
    }

    /// Laps of one road, each with another error of the receiver.
    fn laps(road: u64, kind: Kind, minutes: u32, count: u64) -> Vec<Trace> {
        let fixes = drive(road, kind, minutes);
        (0..count).map(|seed| trace(&Change::Noisy.of(&fixes, 100 * road + seed))).collect()
    }

    #[test]
    fn two_laps_of_a_road_share_at_least_95_of_100_segments() {
        for kind in [Kind::Mountain, Kind::Lane, Kind::Motorway, Kind::Town] {
            let mut shares = Vec::new();
            for laps in (1..=12).map(|road| laps(road, kind, 20, 2)) {
                let network = network(&drivers(&laps));
                shares.push(shared(&network, &laps[0], &laps[1]));
                shares.push(shared(&network, &laps[1], &laps[0]));
            }
            let mean = shares.iter().sum::<f64>() / shares.len() as f64;
            let least = shares.iter().copied().fold(1.0, f64::min);
            eprintln!("{kind:?}: {mean:.3}, at least {least:.3}");
            assert!(mean >= 0.95 && least >= 0.9, "{kind:?}: {shares:.2?}");
        }
    }

    #[test]
    fn nearly_all_of_a_road_is_shown_when_two_drivers_more_have_passed_than_it_takes() {
        for (kind, least) in [(Kind::Mountain, 0.95), (Kind::Lane, 0.95), (Kind::Motorway, 0.95), (Kind::Town, 0.85)] {
            let length_m = |segments: &[Segment]| segments.iter().map(|segment| segment.length_m).sum::<u32>();
            let (mut shown_m, mut driven_m) = (0, 0);
            for road in 1..=3 {
                let network = network(&drivers(&laps(road, kind, 20, 7)));
                shown_m += length_m(&network.segments(5, &BTreeMap::new()));
                driven_m += length_m(&network.segments(1, &BTreeMap::new()));
            }
            let share = f64::from(shown_m) / f64::from(driven_m);
            eprintln!("{kind:?}: {share:.2} is shown");
            assert!(share >= least, "{kind:?}: {share}");
        }
    }

    fn drivers(traces: &[Trace]) -> Vec<(Driver, Trace)> {
        traces.iter().cloned().zip(1..).map(|(trace, number)| (Driver(number), trace)).collect()
    }

    /// Laps of three roads in both directions, each by another driver.
    fn crowd() -> Vec<(Driver, Trace)> {
        let mut traces = Vec::new();
        for (road, kind) in [(1, Kind::Mountain), (2, Kind::Mountain), (1, Kind::Lane)] {
            let there = drive(road, kind, 10);
            let back = Change::Reversed.of(&there, 0);
            for seed in 0..4 {
                traces.push(trace(&Change::Noisy.of(&there, seed)));
                traces.push(trace(&Change::Noisy.of(&back, 10 + seed)));
            }
        }
        drivers(&traces)
    }

    #[test]
    fn a_road_is_shown_from_the_third_driver_on() {
        let laps = laps(1, Kind::Lane, 10, 3);
        let shown = |drivers: [u128; 3]| {
            let traces: Vec<_> = drivers.into_iter().map(Driver).zip(laps.iter().cloned()).collect();
            network(&traces).segments(3, &BTreeMap::new())
        };
        assert!(shown([1, 2, 2]).is_empty(), "two drivers, three drives");
        let segments = shown([1, 2, 3]);
        let length_m: u32 = segments.iter().map(|segment| segment.length_m).sum();
        assert!(length_m > 8_000, "{length_m} m");
        for segment in &segments {
            assert_eq!(segment.evidence, Evidence::Few);
            assert!(segment.line.len() == segment.nodes.len() && segment.line.len() > 1);
        }
    }

    #[test]
    fn a_road_lies_where_it_was_driven() {
        let fixes = drive(1, Kind::Lane, 10);
        let segments = network(&drivers(&laps(1, Kind::Lane, 10, 4))).segments(3, &BTreeMap::new());
        for [lon_deg, lat_deg] in segments.iter().flat_map(|segment| segment.line.iter().copied()) {
            let place = Position { lat_deg, lon_deg };
            let nearest_m = fixes.iter().map(|fix| distance_m(Position::from(fix), place)).fold(f64::MAX, f64::min);
            assert!(nearest_m < 40.0, "{nearest_m} m off");
        }
    }

    #[test]
    fn both_directions_are_roads_of_their_own_with_nearly_the_same_score() {
        let segments = network(&crowd()).segments(3, &BTreeMap::new());
        let by_nodes: BTreeMap<_, _> = segments.iter().map(|segment| (segment.nodes.clone(), segment)).collect();
        let mut differences = Vec::new();
        for segment in &segments {
            let reversed: Vec<u64> = segment.nodes.iter().rev().copied().collect();
            if let Some(back) = by_nodes.get(&reversed) {
                differences.push(segment.score.score.abs_diff(back.score.score));
            }
        }
        differences.sort_unstable();
        let (most, worst) = (differences[differences.len() * 9 / 10], differences[differences.len() - 1]);
        eprintln!("{} of {} in both directions: {most}, at worst {worst} points", differences.len(), segments.len());
        assert!(2 * differences.len() > segments.len());
        assert!(most <= 15 && worst <= 25, "{differences:?}");
    }

    #[test]
    fn what_was_shown_keeps_scores_and_evidence_from_flapping_and_changes_no_road() {
        let network = network(&crowd());
        let fresh = network.segments(3, &BTreeMap::new());
        let shown = |change: i16| {
            let near = |segment: &Segment| {
                let score = RoadScore { score: (i16::from(segment.score.score) + change) as u8, ..segment.score };
                (segment.id, (segment.evidence, score))
            };
            fresh.iter().map(near).collect::<BTreeMap<_, _>>()
        };
        assert_eq!(network.segments(3, &shown(0)), fresh);
        let after = network.segments(3, &shown(2));
        assert!(after.iter().zip(&fresh).all(|(after, fresh)| after.score.score == fresh.score.score + 2));
        assert_eq!(network.segments(3, &shown(-3)), fresh);
    }

    #[test]
    fn a_withdrawn_drive_leaves_no_trace() {
        let all = drivers(&laps(1, Kind::Lane, 10, 4));
        let without = &all[..3];
        assert_ne!(network(&all).segments(3, &BTreeMap::new()), network(without).segments(3, &BTreeMap::new()));
        assert!(network(&all[..2]).segments(3, &BTreeMap::new()).is_empty());
    }

    #[test]
    fn a_trace_is_read_as_it_was_written_and_other_bytes_are_refused() {
        for kind in [Kind::Mountain, Kind::Lane, Kind::Town, Kind::Motorway] {
            let trace = trace(&drive(3, kind, 30));
            let bytes = trace.encode();
            assert_eq!(Trace::decode(&bytes), Ok(trace.clone()));
            assert!(bytes.len() < 16 * trace.len(), "{} bytes for {} cells", bytes.len(), trace.len());
            assert!(Trace::decode(&bytes[..bytes.len() - 1]).is_err());
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(12))]
        #[test]
        fn the_order_of_drives_changes_nothing(order in Just((0..24_usize).collect::<Vec<_>>()).prop_shuffle()) {
            let crowd = crowd();
            let shuffled: Vec<_> = order.iter().map(|&index| crowd[index].clone()).collect();
            prop_assert_eq!(network(&shuffled).segments(3, &BTreeMap::new()), network(&crowd).segments(3, &BTreeMap::new()));
        }
    }

    proptest! {
        #[test]
        fn no_bytes_break_the_reading_of_a_trace(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(trace) = Trace::decode(&bytes) {
                prop_assert_eq!(Trace::decode(&trace.encode()), Ok(trace));
            }
        }
    }
}
