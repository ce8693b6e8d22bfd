use proptest::prelude::*;

use super::*;
use crate::testing::{DEGREE_EAST_M, DEGREE_NORTH_M, START, fix, fix_at_speed};

/// A leg of a synthetic road: its length, and the radius of its bend, to the left if positive; straight without one.
type Leg = (f64, Option<f64>);

/// One fix every 15 m of a road that begins at the equator towards the east, at 15 m/s.
fn drive(legs: &[Leg]) -> Vec<Fix> {
    let (mut east_m, mut north_m, mut heading_rad) = (0.0, 0.0, 0.0_f64);
    let mut fixes = vec![fix_at_speed(0.0, 0.0, 0.0, 15.0)];
    let mut since_fix_m = 0.0;
    for &(length_m, radius_m) in legs {
        for _ in 0..length_m as u32 {
            heading_rad += radius_m.map_or(0.0, |radius_m| 1.0 / radius_m);
            let (sin, cos) = libm::sincos(heading_rad);
            (east_m, north_m) = (east_m + cos, north_m + sin);
            since_fix_m += 1.0;
            if since_fix_m == 15.0 {
                since_fix_m = 0.0;
                fixes.push(fix_at_speed(fixes.len() as f64, east_m, north_m, 15.0));
            }
        }
    }
    fixes
}

/// A road of corners with straights between them and a slope of 5 %.
fn pass() -> Vec<Fix> {
    let corners = [(63.0, 40.0), (110.0, -70.0), (55.0, 35.0), (90.0, -120.0), (78.0, 25.0), (160.0, -160.0)];
    let legs: Vec<Leg> = corners
        .iter()
        .cycle()
        .take(24)
        .flat_map(|&(turn_m, radius_m)| [(150.0, None), (turn_m, Some(radius_m))])
        .collect();
    let mut fixes = drive(&legs);
    for (index, fix) in fixes.iter_mut().enumerate() {
        fix.altitude_m = Some(400.0 + 0.05 * 15.0 * index as f64);
    }
    fixes
}

fn bends(legs: &[Leg]) -> Vec<Bend> {
    RoadSteps::of(&drive(legs)).steps().iter().map(|step| step.bend).collect()
}

#[test]
fn a_circle_has_the_bend_of_its_radius() {
    let table = [
        (250.0, Bend::Straight),
        (140.0, Bend::Broad),
        (80.0, Bend::Medium),
        (45.0, Bend::Tight),
        (20.0, Bend::Hairpin),
    ];
    for (radius_m, expected) in table {
        for radius_m in [radius_m, -radius_m] {
            let found = bends(&[(600.0, Some(radius_m))]);
            let as_expected = found.iter().filter(|&&bend| bend == expected).count();
            assert!(as_expected * 10 >= found.len() * 9, "{radius_m} m: {found:?}");
        }
    }
    assert!(bends(&[(2_000.0, None)]).iter().all(|&bend| bend == Bend::Straight));
}

#[test]
fn a_corner_turns_by_thirty_degrees_to_one_side_and_is_no_loop() {
    let corners = |turn_deg: f64, radius_m: f64| {
        let turn_m = turn_deg.to_radians() * radius_m;
        RoadSteps::of(&drive(&[(200.0, None), (turn_m, Some(radius_m)), (200.0, None)])).tally().corners
    };
    assert_eq!([15.0, 45.0, 90.0, 180.0, 300.0].map(|turn_deg| corners(turn_deg, 60.0)), [0, 1, 1, 1, 0]);
    let ess = drive(&[(200.0, None), (90.0, Some(60.0)), (90.0, Some(-60.0)), (200.0, None)]);
    assert_eq!(RoadSteps::of(&ess).tally().corners, 2, "one to each side");
}

#[test]
fn nothing_counts_near_a_crawl() {
    let mut fixes = drive(&[(300.0, None), (90.0, Some(60.0)), (300.0, None)]);
    assert_eq!(RoadSteps::of(&fixes).tally().corners, 1);
    let apex = fixes.len() / 2;
    fixes[apex].speed_mps = Some(8.0);
    let survey = RoadSteps::of(&fixes);
    assert_eq!(survey.tally().corners, 0);
    // 40 m before and behind, and the span to which the speed belongs.
    assert!((80..=120).contains(&(20 * survey.steps().iter().filter(|step| !step.flows).count())));
}

#[test]
fn a_car_that_stands_does_not_flow_on_either_side_of_it() {
    let mut fixes = drive(&[(1_000.0, None)]);
    let halt = fixes.len() / 2;
    for fix in &mut fixes[halt..] {
        fix.fixed_at = fix.fixed_at + 30_000;
    }
    let survey = RoadSteps::of(&fixes);
    assert_eq!(survey.steps().iter().filter(|step| step.begins_section).count(), 2);
    assert!(survey.steps().iter().any(|step| !step.flows) && survey.tally().flowing > 35);
}

#[test]
fn speed_is_a_gate_and_rewards_nothing() {
    let at = |speed_mps: f64| {
        let mut fixes = pass();
        fixes.iter_mut().for_each(|fix| fix.speed_mps = Some(speed_mps));
        RoadSteps::of(&fixes).tally()
    };
    assert_eq!(at(9.0), at(60.0));
    assert_eq!(at(8.0).flowing, 0);
}

#[test]
fn without_the_receivers_speed_that_of_the_way_is_the_gate() {
    let mut fixes = pass();
    fixes.iter_mut().for_each(|fix| fix.speed_mps = None);
    assert_eq!(RoadSteps::of(&fixes).tally(), RoadSteps::of(&pass()).tally());
    for (index, fix) in fixes.iter_mut().enumerate() {
        fix.fixed_at = START + 2_000 * index as i64;
    }
    assert_eq!(RoadSteps::of(&fixes).tally().flowing, 0, "7.5 m/s");
}

#[test]
fn what_was_not_measured_is_not_scored() {
    let mut fixes = pass();
    let all = RoadSteps::of(&fixes).tally().steps;
    fixes.drain(100..105);
    let survey = RoadSteps::of(&fixes);
    assert_eq!(survey.steps().iter().filter(|step| step.begins_section).count(), 2);
    assert!(survey.tally().steps < all - 4);
    assert!(survey.score().is_some());
    let slow_receiver: Vec<Fix> = fixes.iter().copied().step_by(5).collect();
    assert!(RoadSteps::of(&slow_receiver).steps().len() < 4);
    assert_eq!(RoadSteps::of(&slow_receiver).score(), None);
}

#[test]
fn the_whole_has_a_score_only_if_most_of_it_was_measured() {
    let mut fixes = pass();
    let far = fixes.len();
    assert!(RoadSteps::of(&fixes).score().is_some());
    fixes.push(fix(far as f64 + 600.0, 60_000.0, 0.0));
    assert_eq!(RoadSteps::of(&fixes).score(), None);
    assert_eq!(RoadSteps::of(&fixes).best_stretches(), RoadSteps::of(&pass()).best_stretches(), "which were measured");
}

#[test]
fn a_road_driven_backwards_is_the_same_road() {
    let forward = pass();
    let last = forward.last().unwrap().fixed_at;
    let backward: Vec<Fix> =
        forward.iter().rev().map(|fix| Fix { fixed_at: START + last.millis_since(fix.fixed_at), ..*fix }).collect();
    let (there, back) = (RoadSteps::of(&forward).score().unwrap(), RoadSteps::of(&backward).score().unwrap());
    assert!(there.score.abs_diff(back.score) <= 2, "{there:?} {back:?}");
}

#[test]
fn a_straight_road_scores_next_to_nothing_and_a_pass_nearly_everything() {
    let straight = RoadSteps::of(&drive(&[(20_000.0, None)])).score().unwrap();
    assert!(straight.score < 10 && straight.parts.flow == 100 && straight.parts.relief.is_none());
    let pass = RoadSteps::of(&pass()).score().unwrap();
    assert!(pass.score > 80, "{pass:?}");
}

#[test]
fn the_best_stretch_is_where_the_corners_are() {
    let corners = [(150.0, None), (63.0, Some(40.0)), (110.0, Some(-70.0))];
    let mut legs: Vec<Leg> = vec![(5_000.0, None)];
    legs.extend(corners.iter().cycle().take(30));
    legs.push((5_000.0, None));
    let survey = RoadSteps::of(&drive(&legs));
    let best = survey.best_stretches();
    let [stretch] = &best[..] else { panic!("{best:?}") };
    let (from_m, to_m) =
        (15 * stretch.from_at.millis_since(START) / 1000, 15 * stretch.to_at.millis_since(START) / 1000);
    assert!((4_900..5_200).contains(&from_m) && (8_000..8_400).contains(&to_m), "{from_m} {to_m}");
    assert!(stretch.score.score > survey.score().unwrap().score);
    assert!(2_000 <= stretch.score.measured_m && stretch.score.measured_m <= 4_200);
}

#[test]
fn tracks_without_a_road_have_no_score() {
    let here = |seconds| fix(seconds, 0.0, 0.0);
    let circling: Vec<Fix> = (0..5_000).map(|i| fix(f64::from(i), f64::from(i % 3), f64::from(i % 2))).collect();
    let teleports: Vec<Fix> =
        (0..500).map(|i| fix(f64::from(i), 20_000.0 * f64::from(i % 2), 15.0 * f64::from(i))).collect();
    let backwards: Vec<Fix> = (0..500).rev().map(|i| fix(f64::from(i), 15.0 * f64::from(i), 0.0)).collect();
    let at_once: Vec<Fix> = (0..500).map(|i| fix(0.0, 15.0 * f64::from(i), 0.0)).collect();
    let nowhere = vec![Fix { lat_deg: f64::NAN, ..here(0.0) }; 3];
    for fixes in [vec![], vec![here(0.0)], vec![here(0.0), here(1.0)], circling, teleports, backwards, at_once, nowhere]
    {
        let survey = RoadSteps::of(&fixes);
        assert_eq!((survey.score(), survey.best_stretches()), (None, vec![]));
    }
}

#[test]
fn duplicates_and_times_that_go_back_change_nothing() {
    let fixes = pass();
    let mut disturbed = Vec::new();
    for (index, fix) in fixes.iter().enumerate() {
        disturbed.push(*fix);
        disturbed.push(*fix);
        disturbed.extend(fixes.get(index.wrapping_sub(7)));
    }
    assert_eq!(RoadSteps::of(&disturbed), RoadSteps::of(&fixes));
}

#[test]
fn the_date_line_and_the_poles_are_places_like_any_other() {
    let moved = |to: fn(f64, f64) -> (f64, f64)| {
        let mut fixes = pass();
        for fix in &mut fixes {
            let (east_m, north_m) = ((fix.lon_deg - 10.0) * DEGREE_EAST_M, fix.lat_deg * DEGREE_NORTH_M);
            (fix.lat_deg, fix.lon_deg) = to(east_m, north_m);
        }
        RoadSteps::of(&fixes).score().unwrap()
    };
    let over_the_line = moved(|east_m, north_m| {
        let lon_deg = 179.995 + east_m / DEGREE_EAST_M;
        (north_m / DEGREE_NORTH_M, if lon_deg > 180.0 { lon_deg - 360.0 } else { lon_deg })
    });
    let at_the_pole = moved(|east_m, north_m| {
        let (east_m, north_m) = (east_m - 300.0, north_m - 50.0);
        (90.0 - libm::hypot(east_m, north_m) / 111_694.0, libm::atan2(east_m, -north_m).to_degrees())
    });
    let here = RoadSteps::of(&pass()).score().unwrap();
    for there in [over_the_line, at_the_pole] {
        assert!(here.score.abs_diff(there.score) <= 1, "{here:?} {there:?}");
    }
}

/// Returns all bits as one number (FNV-1a).
fn fingerprint(survey: &RoadSteps) -> u64 {
    let numbers = |step: &Step| {
        let Position { lat_deg, lon_deg } = step.position();
        let flags = u64::from(step.flows) + 2 * u64::from(step.is_corner) + 4 * step.bend as u64;
        [lat_deg.to_bits(), lon_deg.to_bits(), step.at.0 as u64, flags, step.grade_m_per_km.map_or(u64::MAX, u64::from)]
    };
    survey.steps().iter().flat_map(numbers).fold(0xcbf2_9ce4_8422_2325, |hash: u64, number| {
        number.to_le_bytes().iter().fold(hash, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
    })
}

#[test]
fn a_road_has_the_same_bits_on_every_machine() {
    let survey = RoadSteps::of(&pass());
    let bends = [174, 52, 26, 25, 12];
    let tally = Tally { steps: 289, flowing: 289, bends, corners: 24, graded: 277, grade_sum: 13_850 };
    assert_eq!(survey.tally(), tally);
    assert_eq!(fingerprint(&survey), 18_407_696_647_980_175_632);
}

fn any_fix() -> impl Strategy<Value = Fix> {
    let near =
        (0.0..300.0_f64, -400.0..400.0_f64, -400.0..400.0_f64).prop_map(|(s, east_m, north_m)| fix(s, east_m, north_m));
    let anywhere = (any::<i64>(), any::<f64>(), any::<f64>(), any::<Option<f64>>(), any::<Option<f64>>()).prop_map(
        |(at, lat_deg, lon_deg, altitude_m, speed_mps)| Fix {
            fixed_at: Timestamp(at),
            lat_deg,
            lon_deg,
            altitude_m,
            speed_mps,
            ..fix(0.0, 0.0, 0.0)
        },
    );
    prop_oneof![4 => near, 1 => anywhere]
}

proptest! {
    #[test]
    fn no_track_breaks_the_survey(fixes in prop::collection::vec(any_fix(), 0..400)) {
        let survey = RoadSteps::of(&fixes);
        for score in survey.score().into_iter().chain(survey.best_stretches().into_iter().map(|stretch| stretch.score)) {
            prop_assert!(score.score <= 100 && score.measured_m >= SHORTEST_SCORED_M);
        }
        prop_assert!(survey.tally().flowing <= survey.tally().steps);
    }

    #[test]
    fn the_sum_of_tallies_does_not_depend_on_their_order(cut in 0_usize..500, seed in any::<u64>()) {
        let survey = RoadSteps::of(&pass());
        let steps = survey.steps();
        let cut = cut.min(steps.len());
        let mut pieces: Vec<Tally> = steps.chunks(7).map(|piece| piece.iter().collect()).collect();
        let len = pieces.len();
        pieces.rotate_left(seed as usize % len);
        let mut sum = Tally::default();
        pieces.iter().for_each(|piece| sum.add(piece));
        prop_assert_eq!(sum, survey.tally());
        sum.subtract(&steps[..cut].iter().collect());
        prop_assert_eq!(sum, steps[cut..].iter().collect::<Tally>());
    }
}

#[test]
fn relief_is_known_where_the_receiver_tells_every_fourth_altitude_and_not_where_it_jumps() {
    let whole = RoadSteps::of(&pass()).score().unwrap();
    let mut sparse = pass();
    for (index, fix) in sparse.iter_mut().enumerate() {
        fix.altitude_m = fix.altitude_m.filter(|_| index % 4 == 0);
    }
    let scored = RoadSteps::of(&sparse).score().unwrap();
    assert!(scored.parts.relief.unwrap().abs_diff(whole.parts.relief.unwrap()) <= 2, "{scored:?} {whole:?}");
    // The span between fixes two thousand apart is unmeasured.
    let mut ends = pass();
    let count = ends.len();
    for fix in &mut ends[1..count - 1] {
        fix.altitude_m = None;
    }
    assert_eq!(RoadSteps::of(&ends).score().unwrap().parts.relief, None);
    // A flat road on which the altitude jumps up and down by 100 m every kilometre.
    let mut jumps = pass();
    for (index, fix) in jumps.iter_mut().enumerate() {
        fix.altitude_m = Some(if index / 67 % 2 == 0 { 400.0 } else { 500.0 });
    }
    assert!(RoadSteps::of(&jumps).tally().grade_m_per_km() < Some(20.0));
}
