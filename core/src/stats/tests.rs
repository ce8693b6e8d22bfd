use geo::{Distance, Geodesic, Point};
use proptest::prelude::*;

use super::*;
use crate::testing::{DEGREE_EAST_M, START, eastward, fix, fix_at_speed};

fn stats(fixes: &[Fix]) -> DriveStats {
    RunningStats::of(fixes).summary()
}

/// Returns the fixes moved by seconds and metres.
fn moved(fixes: &[Fix], seconds: i64, east_m: f64) -> Vec<Fix> {
    let fix = |fix: &Fix| Fix {
        fixed_at: fix.fixed_at + seconds * 1000,
        lon_deg: fix.lon_deg + east_m / DEGREE_EAST_M,
        ..*fix
    };
    fixes.iter().map(fix).collect()
}

/// One fix a second that wanders like that of a parked car: three slow circles that never close.
fn parked(seconds: u32) -> impl Iterator<Item = Fix> {
    (0..seconds).map(|second| {
        let at_s = f64::from(second);
        let wander = |period_s: f64, radius_m: f64| {
            let (sin, cos) = libm::sincos(at_s / period_s);
            (radius_m * sin, radius_m * cos)
        };
        let circles = [wander(31.0, 3.0), wander(7.3, 0.7), wander(211.0, 2.5)];
        let (east_m, north_m) = circles.iter().fold((0.0, 0.0), |sum, circle| (sum.0 + circle.0, sum.1 + circle.1));
        fix(at_s, east_m, north_m)
    })
}

#[test]
fn a_steady_drive_has_the_figures_that_one_computes_by_hand() {
    let expected = DriveStats {
        distance_m: 1200.0,
        gap_distance_m: 0.0,
        duration_ms: 120_000,
        moving_ms: 120_000,
        mean_speed_mps: 10.0,
        max_speed_mps: 10.0,
        ascent_m: 0.0,
        descent_m: 0.0,
        fixes: 121,
        refused: 0,
        gaps: 0,
    };
    assert_eq!(stats(&eastward(&[(120, 10.0)])), expected);
}

#[test]
fn nothing_and_a_single_fix_are_no_drive() {
    assert_eq!(stats(&[]), DriveStats::default());
    assert_eq!(stats(&[fix(5.0, 0.0, 0.0)]), DriveStats { fixes: 1, ..DriveStats::default() });
}

#[test]
fn a_red_light_takes_time_but_no_motion() {
    let stats = stats(&eastward(&[(60, 10.0), (30, 0.0), (60, 10.0)]));
    assert_eq!((stats.distance_m, stats.duration_ms), (1200.0, 150_000));
    // The first three seconds of standing count as motion, because standing is not detected before.
    assert_eq!(stats.moving_ms, 123_000);
    assert_eq!(stats.mean_speed_mps, 9.8);
}

#[test]
fn a_parked_car_drives_nowhere_with_and_without_doppler() {
    let hour: Vec<Fix> = parked(3600).collect();
    let bare_m: f64 = hour.windows(2).map(|pair| distance_m((&pair[0]).into(), (&pair[1]).into())).sum();
    assert!(bare_m > 450.0, "{bare_m}");
    assert_eq!((stats(&hour).distance_m, stats(&hour).moving_ms), (0.0, 0));
    let with_doppler: Vec<Fix> = parked(3600).map(|fix| Fix { speed_mps: Some(0.2), ..fix }).collect();
    assert_eq!((stats(&with_doppler).distance_m, stats(&with_doppler).moving_ms), (0.0, 0));
}

#[test]
fn a_car_that_parks_stops_counting_within_ten_seconds() {
    let mut fixes = eastward(&[(60, 10.0)]);
    fixes.extend(moved(&parked(600).map(|fix| Fix { speed_mps: None, ..fix }).collect::<Vec<_>>(), 61, 600.0));
    let stats = stats(&fixes);
    assert!((600.0..615.0).contains(&stats.distance_m), "{}", stats.distance_m);
    assert!((60_000..75_000).contains(&stats.moving_ms), "{}", stats.moving_ms);
}

#[test]
fn creeping_forward_in_a_queue_is_not_lost() {
    // 100 s at 0.4 m/s look like standing; the 40 m count when the car drives off.
    assert_eq!(stats(&eastward(&[(60, 10.0), (100, 0.4), (60, 10.0)])).distance_m, 1240.0);
}

#[test]
fn a_tunnel_is_counted_apart() {
    let mut fixes = eastward(&[(60, 20.0)]);
    fixes.extend(moved(&eastward(&[(60, 20.0)]), 120, 2200.0));
    let stats = stats(&fixes);
    assert_eq!((stats.distance_m, stats.gap_distance_m, stats.gaps), (2400.0, 1000.0, 1));
    assert_eq!((stats.moving_ms, stats.duration_ms), (120_000, 180_000));
    assert_eq!(stats.mean_speed_mps, 20.0);
}

#[test]
fn without_doppler_speed_comes_from_ways_of_three_seconds() {
    let silent = |fix: Fix| Fix { speed_mps: None, ..fix };
    let fixes: Vec<Fix> = eastward(&[(60, 10.0), (60, 25.0), (60, 10.0)]).into_iter().map(silent).collect();
    let stats = stats(&fixes);
    assert_eq!((stats.max_speed_mps, stats.distance_m, stats.moving_ms), (25.0, 2700.0, 180_000));
}

#[test]
fn a_single_spike_is_no_maximum_speed() {
    let mut fixes = eastward(&[(60, 10.0)]);
    fixes[30].speed_mps = Some(55.0);
    assert_eq!(stats(&fixes).max_speed_mps, 10.0);
    fixes[31].speed_mps = Some(54.0);
    assert_eq!(stats(&fixes).max_speed_mps, 54.0);
}

#[test]
fn a_hill_is_climbed_once_whatever_the_noise() {
    // 3 km up at 5 %, 3 km down; altitudes off by up to 3 m.
    let mut fixes = eastward(&[(600, 10.0)]);
    for (index, fix) in fixes.iter_mut().enumerate() {
        let way_m = 10.0 * index as f64;
        let noise_m = f64::from(index as u32 * 7919 % 61) / 10.0 - 3.0;
        fix.altitude_m = Some(500.0 + 0.05 * way_m.min(6000.0 - way_m) + noise_m);
    }
    let raw_m: f64 =
        fixes.windows(2).map(|pair| (pair[1].altitude_m.unwrap() - pair[0].altitude_m.unwrap()).max(0.0)).sum();
    assert!(raw_m > 300.0, "{raw_m}");
    let stats = stats(&fixes);
    // 150 m, less the climb of 50 m of way at the ends and that under the median at the top.
    assert!((138.0..=152.0).contains(&stats.ascent_m), "{}", stats.ascent_m);
    assert!((138.0..=152.0).contains(&stats.descent_m), "{}", stats.descent_m);
}

#[test]
fn drives_over_the_date_line_and_the_pole_are_as_long_as_elsewhere() {
    let along = |place: fn(f64) -> (f64, f64)| {
        let fix = |second: u32| {
            let (lat_deg, lon_deg) = place(f64::from(second) * 10.0 - 300.0);
            Fix { lat_deg, lon_deg, ..fix_at_speed(f64::from(second), 0.0, 0.0, 10.0) }.quantised().unwrap()
        };
        stats(&(0..=60).map(fix).collect::<Vec<_>>()).distance_m
    };
    assert_eq!(along(|m| (0.0, if m < 0.0 { 180.0 + m / DEGREE_EAST_M } else { -180.0 + m / DEGREE_EAST_M })), 600.0);
    assert_eq!(along(|m| (90.0 - m.abs() / 111_694.0, if m < 0.0 { 20.0 } else { -160.0 })), 600.0);
}

/// A drive straight to the east without Doppler: one fix every `every_s` at 1 m/s times `speed_mps`.
fn silent(count: u32, every_s: f64, speed_mps: f64) -> Vec<Fix> {
    let at = |index: u32| f64::from(index) * every_s;
    (0..count).map(|index| fix(at(index), at(index) * speed_mps, 0.0)).collect()
}

#[test]
fn a_recorder_that_measures_every_eight_seconds_on_a_motorway_loses_nothing() {
    for every_s in [6.0, 8.0, 10.0, 20.0, 30.0] {
        let found = stats(&silent(400, every_s, 28.0));
        // The first step of a slow recorder is a gap, because its rhythm is unknown.
        let first_m = if every_s > 10.0 { every_s * 28.0 } else { 0.0 };
        let expected_m = 399.0 * every_s * 28.0 - first_m;
        assert!((found.distance_m - expected_m).abs() < 2.0, "{every_s} s: {found:?} of {expected_m} m");
        assert_eq!(found.gap_distance_m, first_m, "{every_s} s");
        assert_eq!((found.mean_speed_mps, found.max_speed_mps), (28.0, 28.0), "{every_s} s");
    }
}

#[test]
fn one_mistimed_fix_is_no_top_speed() {
    // A second is missing in mid-drive: 40 m in one step.
    let mut lost = silent(600, 1.0, 20.0);
    lost.remove(300);
    for fix in &mut lost[300..] {
        fix.fixed_at = fix.fixed_at - 1_000;
    }
    assert_eq!(stats(&lost).max_speed_mps, 20.0);
    // The time of one fix is late, so the speed before it looks low and the one after it high.
    for by_ms in [-900, -500, 500, 900] {
        let mut late = silent(600, 1.0, 20.0);
        late[300].fixed_at = late[300].fixed_at + by_ms;
        assert_eq!(stats(&late).max_speed_mps, 20.0, "{by_ms}");
    }
    // Between them, a gap of one fix.
    let mut jump = silent(600, 1.0, 36.7);
    jump.remove(400);
    jump[300].lon_deg += 30.0 / DEGREE_EAST_M;
    assert!(stats(&jump).max_speed_mps <= 36.8, "{}", stats(&jump).max_speed_mps);
}

#[test]
fn the_mean_is_never_above_the_greatest_speed_where_fixes_are_few() {
    for count in 2..6 {
        let found = stats(&silent(count, 2.0, 30.0));
        assert!(found.max_speed_mps >= found.mean_speed_mps && found.mean_speed_mps > 0.0, "{found:?}");
    }
}

#[test]
fn a_receiver_that_settles_its_altitude_climbs_nothing() {
    let mut cold = silent(600, 1.0, 15.0);
    for (index, fix) in cold.iter_mut().enumerate() {
        fix.altitude_m = Some((-704.0 + 11.54 * index as f64).min(450.0));
    }
    // 1,154 m without a climb; the last altitudes look like a steep road.
    assert!(stats(&cold).ascent_m <= 15.0 && stats(&cold).descent_m == 0.0, "{:?}", stats(&cold));
    // The receiver reports the bad accuracy.
    for (index, fix) in cold.iter_mut().enumerate() {
        fix.altitude_m = Some(450.0 - 2.0 * (60.0 - index as f64).max(0.0));
        fix.altitude_accuracy_m = Some(if index < 60 { 80.0 } else { 6.0 });
    }
    assert_eq!((stats(&cold).ascent_m, stats(&cold).descent_m), (0.0, 0.0));
}

#[test]
fn what_is_kept_does_not_grow_with_the_drive() {
    let mut stats = RunningStats::default();
    for fix in eastward(&[(36_000, 14.0)]) {
        stats.fold(&Fix { altitude_m: Some(100.0), ..fix });
    }
    assert_eq!(stats.summary().distance_m, 504_000.0);
    assert!(stats.climb.samples() <= 31 && stats.part.unwrap().speedometer.fixes() <= 5);
}

#[test]
fn figures_survive_json_and_cbor() {
    let stats = stats(&eastward(&[(61, 10.3)]));
    let json = serde_json::to_string(&stats).unwrap();
    assert!(json.contains("\"distanceM\":628.0") && json.contains("\"meanSpeedMps\":10.3"), "{json}");
    assert_eq!(serde_json::from_str::<DriveStats>(&json).unwrap(), stats);
    assert_eq!(minicbor::decode::<DriveStats>(&minicbor::to_vec(stats).unwrap()).unwrap(), stats);
}

fn point(fix: &Fix) -> Point {
    Point::new(fix.lon_deg, fix.lat_deg)
}

fn point_way_m(fixes: &[Fix]) -> f64 {
    fixes.windows(2).map(|pair| Geodesic.distance(point(&pair[0]), point(&pair[1]))).sum()
}

proptest! {
    /// A car that never drives slower than 2 m/s, anywhere on earth: the distance is the sum of exact geodesics.
    #[test]
    fn a_clean_drive_is_as_long_as_the_sum_of_its_geodesics(
        lat_deg in -80.0..80.0_f64, lon_deg in -180.0..180.0_f64, steps in prop::collection::vec((2.0..45.0_f64, -20.0..20.0_f64), 3..300),
    ) {
        use geo::Destination;
        let (mut place, mut bearing) = (Point::new(lon_deg, lat_deg), 0.0);
        let mut fixes = Vec::new();
        for (index, &(speed_mps, turn_deg)) in steps.iter().enumerate() {
            bearing += turn_deg;
            place = Geodesic.destination(place, bearing, speed_mps);
            let at = fix_at_speed(index as f64, 0.0, 0.0, speed_mps);
            fixes.push(Fix { lat_deg: place.y(), lon_deg: place.x(), ..at }.quantised().unwrap());
        }
        let exact_m = point_way_m(&fixes);
        // The car leaves its standing start with the third fix, by the straight line.
        let corner_m = point_way_m(&fixes[..3]) - Geodesic.distance(point(&fixes[0]), point(&fixes[2]));
        let found = stats(&fixes);
        let tolerance_m = 0.501 + 1e-7 * exact_m;
        prop_assert!(found.distance_m <= exact_m + tolerance_m, "{} {exact_m}", found.distance_m);
        prop_assert!(found.distance_m >= exact_m - corner_m - tolerance_m, "{} {exact_m}", found.distance_m);
        prop_assert_eq!(found.moving_ms, found.duration_ms);
        prop_assert_eq!(fixes[0].fixed_at, START);
    }
}
