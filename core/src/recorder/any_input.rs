//! Properties of recorder, statistics, roads and redaction for arbitrary fixes and clocks.

use proptest::prelude::*;

use super::*;
use crate::geodesy::Position;
use crate::id::DocId;
use crate::privacy::places::{Place, PlaceKind, PlaceSecret, ZoneSize, unknown_stops};
use crate::privacy::stops::stops;
use crate::privacy::{preview, redact};
use crate::roads::RoadSteps;
use crate::testing::{START, fix, fix_at_speed};
use crate::track::parts::{merged, parts};

/// A fix that no sensor would report.
fn nonsense() -> impl Strategy<Value = Fix> {
    let time = || prop_oneof![any::<i64>(), START.0 - 10_000_000..START.0 + 10_000_000];
    let degrees = || prop_oneof![any::<f64>(), -180.0..180.0_f64];
    let value = || prop_oneof![Just(None), any::<f64>().prop_map(Some), (0.0..100.0_f64).prop_map(Some)];
    (time(), time(), degrees(), degrees(), [value(), value(), value(), value(), value()]).prop_map(
        |(
            fixed_at,
            recorded_at,
            lat_deg,
            lon_deg,
            [accuracy_m, altitude_m, altitude_accuracy_m, heading_deg, speed_mps],
        )| Fix {
            fixed_at: Timestamp(fixed_at),
            recorded_at: Timestamp(recorded_at),
            lat_deg,
            lon_deg,
            accuracy_m,
            altitude_m,
            altitude_accuracy_m,
            heading_deg,
            speed_mps,
        },
    )
}

/// A drive whose fixes are at least half plausible: it has a rhythm, a speed and an altitude, its sensor's clock is set
/// sometimes, and errors are single or consecutive.
fn mostly_plausible() -> impl Strategy<Value = (Vec<Fix>, usize)> {
    let step = (0..40_u8, -500.0..500.0_f64, 0.0..45.0_f64, any::<i32>(), nonsense());
    let clock = prop_oneof![Just(0), Just(-978_307_200_000), Just(-180_000), -20_000_000..20_000_000_i64];
    (prop::collection::vec(step, 40..300), 1..30_u8, clock, any::<bool>()).prop_map(
        |(steps, tenths, mut clock_ms, has_doppler)| {
            let (mut seconds, mut east_m, mut wrong, mut sets) = (0.0, 0.0, 0, 0);
            let mut fixes = Vec::new();
            for (index, (kind, off_m, speed_mps, set_ms, odd)) in steps.into_iter().enumerate() {
                let elapsed_s = f64::from(tenths) / 5.0;
                seconds += elapsed_s;
                east_m += speed_mps * elapsed_s;
                let true_fix = fix_at_speed(seconds, east_m, 0.0, speed_mps);
                let altitude_m = Some(400.0 + off_m);
                let mut fix = Fix {
                    speed_mps: true_fix.speed_mps.filter(|_| has_doppler),
                    altitude_m,
                    fixed_at: true_fix.fixed_at + clock_ms,
                    ..true_fix
                };
                // At most a quarter is wrong; setting the clock costs two fixes.
                if (wrong + 1) * 4 < index {
                    match kind {
                        0..=2 => fix.fixed_at = fix.fixed_at + i64::from(set_ms),
                        3..=5 => fix = self::fix(seconds, east_m + 20.0 * off_m, off_m),
                        6..=7 => fix.accuracy_m = Some(900.0),
                        8..=9 => fix = Fix { recorded_at: fix.recorded_at, ..odd },
                        10 if sets * 20 < index => {
                            clock_ms += i64::from(set_ms);
                            sets += 1;
                        }
                        _ => {}
                    }
                    wrong += usize::from(kind <= 9);
                }
                fixes.push(fix);
            }
            (fixes, wrong + 2 * sets + 2)
        },
    )
}

/// Checks the properties of a recording of any input.
fn check(fixes: &[Fix]) -> Result<Stretch, TestCaseError> {
    let mut recorder = Recorder::new(START);
    let mut verdicts: Vec<Verdict> = Vec::new();
    for fix in fixes {
        verdicts.extend(recorder.take(fix));
        prop_assert!(recorder.stats().is_valid());
    }
    verdicts.extend(recorder.settle());
    prop_assert_eq!(verdicts.len(), fixes.len(), "every fix is decided once");
    let mut stretch = Stretch::default();
    for verdict in verdicts {
        match verdict {
            Verdict::Accepted(fix) => stretch.fixes.push(fix),
            Verdict::Refused(refused) => stretch.refused.push(refused),
            Verdict::Invalid(_) => stretch.invalid_count += 1,
        }
    }
    prop_assert!(stretch.fixes.windows(2).all(|pair| pair[0].fixed_at < pair[1].fixed_at), "times rise");
    for fix in stretch.fixes.iter().chain(stretch.refused.iter().map(|refused| &refused.fix)) {
        prop_assert_eq!(fix.quantised(), Ok(*fix), "it can be kept");
    }
    check_figures(&recorder.stats())?;
    prop_assert_eq!(Recorder::resume(START, std::slice::from_ref(&stretch)).stats(), recorder.stats());
    let track = [stretch];
    prop_assert_eq!(parts(&track).len() as u32, recorder.stats().gaps + u32::from(recorder.stats().fixes > 0));
    for road in RoadSteps::of(&track[0].fixes).view().stretches {
        prop_assert!(road.from_at <= road.to_at && road.score.score <= 100);
    }
    let stops = unknown_stops(&stops(&merged(&track)), &[]);
    for (kind, size) in [(PlaceKind::Stop, ZoneSize::Standard), (PlaceKind::Open, ZoneSize::None)] {
        let (id, secret) = (DocId::from_bytes([1; 16]), PlaceSecret([1; 16]));
        let place = |position: &Position| Place { id, position: *position, secret, is_found: true, kind, size };
        let places: Vec<Place> = stops.iter().map(place).collect();
        let redacted = redact(&track, &places);
        let seen = preview(&track, &places);
        prop_assert_eq!(seen.shown_m, redacted.as_ref().ok().map(|shown| shown.stats.distance_m));
        prop_assert!(seen.hidden.iter().all(|piece| piece.len() > 1));
        if let Ok(shown) = redacted {
            check_figures(&shown.stats)?;
            prop_assert!(shown.fixes.windows(2).all(|pair| pair[0].fixed_at < pair[1].fixed_at));
            prop_assert!(shown.fixes.iter().all(|fix| fix.quantised() == Ok(*fix)));
        }
    }
    let [stretch] = track;
    Ok(stretch)
}

/// Checks that statistics are finite, not negative, and consistent.
fn check_figures(stats: &DriveStats) -> Result<(), TestCaseError> {
    prop_assert!(stats.is_valid(), "{stats:?}");
    prop_assert!(stats.mean_speed_mps <= stats.max_speed_mps, "{stats:?}");
    prop_assert!(stats.moving_ms <= stats.duration_ms, "{stats:?}");
    Ok(())
}

proptest! {
    #[test]
    fn whatever_a_sensor_tells_figures_are_finite_ordered_and_not_negative(
        fixes in prop::collection::vec(nonsense(), 0..120),
    ) {
        check(&fixes)?;
    }

    #[test]
    fn of_a_track_that_is_plausible_in_half_no_more_than_what_is_wrong_is_refused((fixes, wrong) in mostly_plausible()) {
        let stretch = check(&fixes)?;
        let refused = fixes.len() - stretch.fixes.len();
        prop_assert!(refused * 2 <= fixes.len(), "{} of {} are refused, {} are wrong", refused, fixes.len(), wrong);
    }
}
