use geo::{Destination, Distance, Geodesic, Point};
use proptest::prelude::*;
use proptest::strategy::ValueTree;

use super::*;
use crate::geodesy::TangentPlane;
use crate::id::DocId;
use crate::privacy::places::{PlaceKind, PlaceSecret, ZoneSize};
use crate::testing::{START, eastward, fix, fix_at_speed};
use crate::track::parts::parts;
use crate::track::{Mark, MarkKind, Refusal, RefusedFix};

/// Returns the fix with every optional value.
fn chatty(fix: Fix) -> Fix {
    Fix { altitude_m: Some(800.0), altitude_accuracy_m: Some(4.0), heading_deg: Some(90.0), ..fix }
}

fn track(fixes: Vec<Fix>) -> [Stretch; 1] {
    let refused = vec![RefusedFix { fix: fixes[0], refusal: Refusal::Outlier }];
    let marks = vec![Mark { at: fixes[0].recorded_at, kind: MarkKind::Resumed }];
    [Stretch { fixes, refused, marks, ..Stretch::default() }]
}

/// A drive through corners in metres east and north, with one fix every 10 m and second.
fn through(corners: &[(f64, f64)]) -> Vec<Fix> {
    let mut fixes = Vec::new();
    for pair in corners.windows(2) {
        let ((x, y), (to_x, to_y)) = (pair[0], pair[1]);
        let steps = (libm::hypot(to_x - x, to_y - y) / 10.0).ceil();
        for step in 0..steps as u32 {
            let part = f64::from(step) / steps;
            fixes.push(fix_at_speed(fixes.len() as f64, x + (to_x - x) * part, y + (to_y - y) * part, 10.0));
        }
    }
    fixes
}

fn place(position: Position, number: u8, size: ZoneSize) -> Place {
    let kind = if size == ZoneSize::None { PlaceKind::Open } else { PlaceKind::Stop };
    let (id, secret) = (DocId::from_bytes([number; 16]), PlaceSecret([number; 16]));
    Place { id, position, secret, is_found: true, kind, size }
}

/// Adds the places that are missing for a drive.
fn with_places_of(mut places: Vec<Place>, fixes: &[Fix]) -> Vec<Place> {
    for stop in unknown_stops(&stops::stops(fixes), &places) {
        places.push(place(stop, places.len() as u8, ZoneSize::Standard));
    }
    places
}

/// What is shown of a drive with places at its stops.
fn shown_of(fixes: &[Fix]) -> Result<Redacted, RedactError> {
    redact(&track(fixes.to_vec()), &with_places_of(Vec::new(), fixes))
}

fn is_inside(fix: &Fix, place: &Place) -> bool {
    place.zone().is_some_and(|zone| zone.holds(Position::from(fix).into()))
}

fn way_m(a: &Fix, b: &Fix) -> f64 {
    Geodesic.distance(Point::new(a.lon_deg, a.lat_deg), Point::new(b.lon_deg, b.lat_deg))
}

#[test]
fn a_straight_drive_is_cut_at_the_first_grid_lines_beyond_the_zones_of_its_ends() {
    let fixes = eastward(&[(1_200, 10.0)]);
    let places = with_places_of(Vec::new(), &fixes);
    let shown = redact(&track(fixes.clone()), &places).unwrap();
    // Lines every 0.005°; the drive begins on one.
    const LINE_M: f64 = 556.597_5;
    let east_m = |fix: &Fix| (fix.lon_deg - 10.0) * 111_319.5;
    for (shown, place, sign) in [(shown.fixes[0], places[0], 1.0), (*shown.fixes.last().unwrap(), places[1], -1.0)] {
        let along_m = sign * (east_m(&shown) - (place.position.lon_deg - 10.0) * 111_319.5);
        // The drive is long, so the zones of its ends are the largest.
        let reach_m = zones::MAX_RADIUS_M + places::MAX_OFFSET_M;
        assert!((1_500.0..reach_m + LINE_M + 10.0).contains(&along_m), "{along_m}");
        let behind_m = (sign * east_m(&shown) + 0.2).rem_euclid(LINE_M);
        assert!((0.0..10.5).contains(&behind_m), "it is the first fix behind a line, not {behind_m} m behind");
        assert!(!is_inside(&shown, &place));
    }
    assert_eq!((shown.stats.refused, shown.stats.gaps), (0, 0));
    assert!(
        (shown.bounds.west_deg, shown.bounds.east_deg) == (shown.fixes[0].lon_deg, shown.fixes.last().unwrap().lon_deg)
    );
}

#[test]
fn a_drive_with_a_stop_at_no_place_is_not_published() {
    let fixes = eastward(&[(1_200, 10.0)]);
    let places = with_places_of(Vec::new(), &fixes);
    for known in [&[], &places[..1], &places[1..]] {
        assert_eq!(redact(&track(fixes.clone()), known), Err(RedactError::UnknownStop));
    }
    // Its owner sees that at least as much is hidden as any place there could hide.
    let (before, after) = (preview(&track(fixes.clone()), &[]), preview(&track(fixes), &places));
    assert!(before.shown_m.unwrap() <= after.shown_m.unwrap());
}

#[test]
fn a_place_hides_in_the_middle_of_every_drive_also_without_a_stop() {
    let fixes = eastward(&[(1_200, 10.0)]);
    let friend = place(Position { lat_deg: 0.001, lon_deg: 10.05 }, 99, ZoneSize::Large);
    let shown = redact(&track(fixes.clone()), &with_places_of(vec![friend], &fixes)).unwrap();
    assert_eq!(shown.stats.gaps, 1);
    assert!(!shown.fixes.iter().any(|fix| is_inside(fix, &friend)));
    assert!(shows_a_place(fixes.iter(), &[], &[friend]) && !shows_a_place(shown.fixes.iter(), &[], &[friend]));
}

#[test]
fn twenty_minutes_at_home_in_the_middle_of_a_drive_are_hidden() {
    let mut fixes = eastward(&[(900, 10.0), (1_200, 0.0), (900, 10.0)]);
    // The position of a standing receiver wanders.
    for (index, fix) in fixes.iter_mut().enumerate().skip(900).take(1_200) {
        fix.lat_deg += 0.000_1 * libm::sin(index as f64 / 40.0);
    }
    let home = fixes[1_500];
    let shown = shown_of(&fixes).unwrap();
    assert!(shown.fixes.iter().all(|fix| way_m(fix, &home) > 290.0));
    assert_eq!(shown.stats.gaps, 1);
}

#[test]
fn only_the_hour_of_the_start_and_no_accuracy_heading_or_time_of_recording_survives() {
    let late: Vec<Fix> = eastward(&[(1_200, 10.0)])
        .into_iter()
        .map(|fix| chatty(Fix { fixed_at: fix.fixed_at + 1_234_567, recorded_at: fix.recorded_at + 1_239_000, ..fix }))
        .collect();
    let shown = shown_of(&late).unwrap();
    assert_eq!((shown.started_at, shown.fixes[0].fixed_at), (START, START));
    for fix in &shown.fixes {
        assert_eq!(fix.recorded_at, fix.fixed_at);
        assert_eq!((fix.accuracy_m, fix.altitude_accuracy_m, fix.heading_deg), (None, None, None));
        assert_eq!((fix.altitude_m, fix.speed_mps), (Some(800.0), Some(10.0)));
        assert_eq!(fix.quantised(), Ok(*fix));
    }
}

#[test]
fn passing_home_on_the_way_is_hidden_and_how_long_it_took_too() {
    let past_home =
        through(&[(0.0, 0.0), (6000.0, 0.0), (6000.0, 4000.0), (-100.0, 4000.0), (-100.0, 0.0), (-9000.0, 0.0)]);
    let home = past_home[0];
    let places = with_places_of(Vec::new(), &past_home);
    let shown = redact(&track(past_home.clone()), &places).unwrap();
    let pieces = parts(&[Stretch { fixes: shown.fixes.clone(), ..Stretch::default() }]);
    assert_eq!((pieces.len(), shown.stats.gaps), (2, 1));
    let gap_ms = |fixes: &[Fix]| fixes.windows(2).map(|pair| pair[1].fixed_at.millis_since(pair[0].fixed_at)).max();
    assert_eq!(gap_ms(&shown.fixes), Some(HIDDEN_GAP_MS));
    assert!(shown.fixes.iter().all(|fix| way_m(fix, &home) >= places::ALWAYS_HIDDEN_M));
    // An hour at home does not show.
    let nearest =
        (900..past_home.len()).min_by(|&a, &b| way_m(&past_home[a], &home).total_cmp(&way_m(&past_home[b], &home)));
    let mut with_a_break = past_home;
    for fix in &mut with_a_break[nearest.unwrap()..] {
        (fix.fixed_at, fix.recorded_at) = (fix.fixed_at + 3_600_000, fix.recorded_at + 3_600_000);
    }
    assert_eq!(redact(&track(with_a_break), &places).unwrap(), shown);
}

#[test]
fn a_tunnel_keeps_its_time_and_its_gap() {
    let mut fixes = eastward(&[(1_200, 10.0)]);
    let whole = shown_of(&fixes).unwrap();
    fixes.drain(600..640);
    let shown = shown_of(&fixes).unwrap();
    assert_eq!((shown.stats.gaps, shown.stats.gap_distance_m), (1, 410.0));
    assert_eq!(shown.stats.duration_ms, whole.stats.duration_ms);
}

#[test]
fn a_gap_near_home_hides_what_comes_out_of_it() {
    // The signal is lost at home and found again 3 km away: the next grid line counts, not the place.
    let mut fixes = eastward(&[(1_200, 10.0)]);
    fixes.drain(3..300);
    let shown = shown_of(&fixes).unwrap();
    let east_m = ((shown.fixes[0].lon_deg - 10.0) * 111_319.5).round();
    assert_eq!(east_m, 3340.0);
}

#[test]
fn a_wrong_first_fix_does_not_show_the_true_start() {
    for off_m in [500.0, 2_000.0] {
        let mut fixes = eastward(&[(1_200, 10.0)]);
        let start = fixes[1];
        fixes[0] = fix(0.0, 0.0, off_m);
        let shown = shown_of(&fixes).unwrap();
        assert!(shown.fixes.iter().all(|fix| way_m(fix, &start) > 290.0), "{off_m}");
    }
}

#[test]
fn of_a_drive_that_stays_near_its_ends_nothing_is_left() {
    let nothing = |fixes: Vec<Fix>| {
        let places = with_places_of(Vec::new(), &fixes);
        assert_eq!(redact(&track(fixes.clone()), &places), Err(RedactError::NothingLeft));
        let all: Vec<_> = Some(fixes.clone()).filter(|fixes| fixes.len() > 1).into_iter().collect();
        assert_eq!(preview(&track(fixes), &places), Preview { hidden: all, shown_m: None });
    };
    nothing(eastward(&[(50, 10.0)]));
    nothing(eastward(&[(100, 10.0)]));
    nothing(through(&[(0.0, 0.0), (250.0, 0.0), (0.0, 100.0), (250.0, 200.0), (0.0, 0.0), (250.0, 0.0), (0.0, 0.0)]));
    assert_eq!(redact(&[], &[]), Err(RedactError::NothingLeft));
    nothing(eastward(&[(0, 0.0)]));
}

#[test]
fn what_is_hidden_and_what_is_shown_are_the_whole_drive() {
    let fixes = eastward(&[(1_200, 10.0)]);
    let places = with_places_of(Vec::new(), &fixes);
    let shown = redact(&track(fixes.clone()), &places).unwrap();
    let seen = preview(&track(fixes.clone()), &places);
    let [before, after] = seen.hidden.as_slice() else { panic!("two ends are hidden, not {}", seen.hidden.len()) };
    assert_eq!(seen.shown_m, Some(shown.stats.distance_m));
    assert_eq!(before.len() + shown.fixes.len() + after.len(), fixes.len() + 2, "they meet at shown fixes");
    assert_eq!((before.first(), after.last()), (fixes.first(), fixes.last()));
    assert_eq!(before.last().unwrap().lon_deg, shown.fixes[0].lon_deg);
    let short = through(&[(0.0, 0.0), (200.0, 0.0)]);
    assert_eq!(preview(&track(short.clone()), &with_places_of(Vec::new(), &short)).hidden, [short]);
}

#[test]
fn an_end_at_an_open_place_is_shown_and_the_other_is_not() {
    // Twenty laps of a circuit of 1,200 m.
    let lap = [(0.0, 0.0), (300.0, 0.0), (300.0, 300.0), (0.0, 300.0)];
    let circuit: Vec<(f64, f64)> = (0..20).flat_map(|_| lap).chain([(0.0, 0.0)]).collect();
    let laps = track(through(&circuit));
    let open = place((&laps[0].fixes[0]).into(), 1, ZoneSize::None);
    let shown = redact(&laps, &[open]).unwrap();
    assert_eq!(shown.fixes.len(), laps[0].fixes.len());
    assert_eq!((shown.stats.distance_m, shown.started_at), (23_990.0, START));
    assert_eq!(preview(&laps, &[open]), Preview { hidden: Vec::new(), shown_m: Some(23_990.0) });
    assert!(shown_of(&laps[0].fixes).is_err());
    // A drive from a meeting point home.
    let fixes = eastward(&[(1_200, 10.0)]);
    let places = with_places_of(vec![open], &fixes);
    let shown = redact(&track(fixes.clone()), &places).unwrap();
    assert_eq!(shown.fixes[0].lon_deg, fixes[0].lon_deg);
    let seen = preview(&track(fixes.clone()), &places);
    let [after] = seen.hidden.as_slice() else { panic!("one end is hidden") };
    assert_eq!(after.last(), fixes.last());
    // A home beside the circuit is hidden all the same.
    let home = place((&fixes[10]).into(), 2, ZoneSize::Standard);
    let shown = redact(&track(fixes.clone()), &with_places_of(vec![open, home], &fixes)).unwrap();
    assert!(!shown.fixes.iter().any(|fix| is_inside(fix, &home)));
}

#[test]
fn cells_are_about_as_wide_as_high_wherever_roads_are() {
    for lat_deg in [0.0, 30.0, 46.5, 60.0, 70.0, 78.0] {
        let mut fix = eastward(&[])[0];
        fix.lat_deg = lat_deg;
        let width_deg = (1..)
            .map(|step| f64::from(step) * 1e-4)
            .find(|offset| cell(&Fix { lon_deg: 20.0 + offset, ..fix }).1 > cell(&Fix { lon_deg: 20.0, ..fix }).1 + 1);
        let two_cells_m = width_deg.unwrap() * 111_319.5 * libm::cos(lat_deg.to_radians());
        assert!((380.0..1700.0).contains(&two_cells_m), "{lat_deg}: {two_cells_m}");
    }
}

/// A drive anywhere on earth: legs of some seconds at a speed after a turn, some of them without a signal. The turns
/// are large enough that some drives come home.
fn drives() -> impl Strategy<Value = Vec<Fix>> {
    let place = prop_oneof![
        (-85.0..85.0_f64, -180.0..180.0_f64),
        (-60.0..60.0_f64, Just(179.995)),
        (89.9..90.0_f64, -180.0..180.0_f64),
    ];
    let leg = (5..120_u32, 0.0..40.0_f64, -120.0..120.0_f64, 0..8_u8);
    (place, prop::collection::vec(leg, 1..60), 0..7_200_000_i64).prop_map(|((lat_deg, lon_deg), legs, late_ms)| {
        let mut place = Point::new(lon_deg, lat_deg);
        let mut bearing_deg = 0.0;
        let mut seconds = 0.0;
        let mut fixes = Vec::new();
        for (duration_s, speed_mps, turn_deg, kind) in legs {
            bearing_deg += turn_deg;
            for _ in 0..duration_s {
                let fix = fix_at_speed(seconds, 0.0, 0.0, speed_mps);
                let fixed_at = fix.fixed_at + late_ms;
                let fix = Fix { fixed_at, recorded_at: fixed_at + 90, lat_deg: place.y(), lon_deg: place.x(), ..fix };
                if kind != 0 || fixes.is_empty() {
                    fixes.push(chatty(fix).quantised().expect("it is a position"));
                }
                seconds += 1.0;
                place = Geodesic.destination(place, bearing_deg, speed_mps);
            }
        }
        fixes
    })
}

/// The properties below hold trivially for drives of which nothing remains, so these must be few.
#[test]
fn something_is_left_of_most_drives_and_some_pass_home() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let shown: Vec<Redacted> =
        (0..200).filter_map(|_| shown_of(&drives().new_tree(&mut runner).unwrap().current()).ok()).collect();
    let pass_home = shown.iter().filter(|shown| shown.stats.gaps > 0).count();
    assert!(shown.len() > 60 && pass_home > 10, "{} left, {pass_home} with gaps", shown.len());
}

/// Other places of the account, around some fix of the drive.
fn others(fixes: &[Fix], seeds: &[(usize, f64, f64, bool)]) -> Vec<Place> {
    let at = |(number, (index, east_m, north_m, is_large)): (usize, &(usize, f64, f64, bool))| {
        let plane = TangentPlane::at((&fixes[index % fixes.len()]).into());
        let size = if *is_large { ZoneSize::Large } else { ZoneSize::Standard };
        place(plane.unproject(*east_m, *north_m), 100 + number as u8, size)
    };
    seeds.iter().enumerate().map(at).collect()
}

fn seeds() -> impl Strategy<Value = Vec<(usize, f64, f64, bool)>> {
    prop::collection::vec((0..10_000_usize, -2_000.0..2_000.0_f64, -2_000.0..2_000.0_f64, any::<bool>()), 0..4)
}

proptest! {
    #[test]
    fn nothing_shows_within_a_zone_or_within_three_hundred_metres_of_a_place(fixes in drives(), seeds in seeds()) {
        let places = with_places_of(others(&fixes, &seeds), &fixes);
        let Ok(shown) = redact(&track(fixes.clone()), &places) else { return Ok(()) };
        for place in &places {
            let at = fix_at(place.position);
            for fix in &shown.fixes {
                // Distances are within 1e-7 of the geodesic.
                prop_assert!(!is_inside(fix, place) && way_m(fix, &at) > places::ALWAYS_HIDDEN_M - 1e-3);
            }
        }
        prop_assert!(!shows_a_place(shown.fixes.iter(), &stops::stops(&fixes), &places));
        prop_assert_eq!(shown.started_at.floor_to_hour(), shown.started_at);
        prop_assert_eq!(shown.fixes[0].fixed_at, shown.started_at);
        prop_assert!(shown.fixes.windows(2).all(|pair| pair[0].fixed_at < pair[1].fixed_at));
        prop_assert_eq!(RunningStats::of(&shown.fixes).summary(), shown.stats);
    }

    #[test]
    fn more_and_larger_places_only_hide_more(fixes in drives(), seeds in seeds(), enlarged in 0..8_usize) {
        let few = with_places_of(Vec::new(), &fixes);
        let mut more: Vec<Place> = few.iter().copied().chain(others(&fixes, &seeds)).collect();
        let index = enlarged % more.len();
        more[index].size = ZoneSize::Large;
        let at = |shown: &Redacted| -> Vec<(f64, f64)> { shown.fixes.iter().map(|fix| (fix.lat_deg, fix.lon_deg)).collect() };
        let Ok(shown) = redact(&track(fixes.clone()), &more) else { return Ok(()) };
        let before = redact(&track(fixes), &few);
        prop_assert!(before.is_ok());
        let before = at(&before.unwrap());
        prop_assert!(at(&shown).iter().all(|place| before.contains(place)));
    }

    #[test]
    fn every_cut_lies_at_a_grid_line_and_every_gap_is_true_or_hidden(fixes in drives(), seeds in seeds()) {
        let places = with_places_of(others(&fixes, &seeds), &fixes);
        let Ok(shown) = redact(&track(fixes.clone()), &places) else { return Ok(()) };
        // Shown fixes are true ones in their order.
        let mut from = 0;
        let mut true_indices = Vec::new();
        for fix in &shown.fixes {
            let same = |true_fix: &Fix| (true_fix.lat_deg, true_fix.lon_deg) == (fix.lat_deg, fix.lon_deg);
            let found = fixes[from..].iter().position(same).expect("it was measured") + from;
            true_indices.push(found);
            from = found + 1;
        }
        let crosses = |index: usize| cell(&fixes[index - 1]) != cell(&fixes[index]);
        prop_assert!(crosses(true_indices[0]) && crosses(from));
        for (shown_pair, indices) in shown.fixes.windows(2).zip(true_indices.windows(2)) {
            let shown_ms = shown_pair[1].fixed_at.millis_since(shown_pair[0].fixed_at);
            if indices[1] == indices[0] + 1 {
                prop_assert_eq!(shown_ms, fixes[indices[1]].fixed_at.millis_since(fixes[indices[0]].fixed_at));
            } else {
                prop_assert_eq!(shown_ms, HIDDEN_GAP_MS);
                prop_assert!(crosses(indices[0] + 1) && crosses(indices[1]));
            }
        }
    }

    #[test]
    fn what_is_hidden_does_not_show_in_what_is_published(fixes in drives(), noise in 1.0..50.0_f64) {
        let places = with_places_of(Vec::new(), &fixes);
        let Ok(shown) = redact(&track(fixes.clone()), &places) else { return Ok(()) };
        let is_shown = |fix: &Fix| shown.fixes.iter().any(|s| (s.lat_deg, s.lon_deg) == (fix.lat_deg, fix.lon_deg));
        let mut changed = fixes;
        for fix in changed.iter_mut().filter(|fix| !is_shown(fix)) {
            fix.altitude_m = Some(noise * 20.0);
            fix.accuracy_m = Some(noise);
            fix.heading_deg = None;
            fix.recorded_at = fix.recorded_at + 5_000;
        }
        prop_assert_eq!(redact(&track(changed), &places).unwrap(), shown);
    }
}

fn fix_at(position: Position) -> Fix {
    Fix { lat_deg: position.lat_deg, lon_deg: position.lon_deg, ..fix(0.0, 0.0, 0.0) }
}
