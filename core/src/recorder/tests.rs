use proptest::prelude::*;

use super::*;
use crate::testing::{START, eastward, fix, fix_at_speed};

/// Records and settles fixes; returns the verdicts in order as letters: `a` for accepted, or that of the reason.
fn verdicts(recorder: &mut Recorder, fixes: &[Fix]) -> String {
    let mut letters = String::new();
    for verdict in
        fixes.iter().flat_map(|fix| recorder.take(fix)).collect::<Vec<_>>().into_iter().chain(recorder.settle())
    {
        letters.push(match verdict {
            Verdict::Accepted(_) => 'a',
            Verdict::Invalid(_) => 'i',
            Verdict::Refused(refused) => match refused.refusal {
                Refusal::Invalid => 'i',
                Refusal::NotLater => 'n',
                Refusal::InTheFuture => 'f',
                Refusal::BeforeStart => 'b',
                Refusal::TooInaccurate => 'c',
                Refusal::Outlier => 'o',
            },
        });
    }
    letters
}

fn check(fixes: &[Fix], expected: &str) {
    assert_eq!(verdicts(&mut Recorder::new(START), fixes), expected);
}

fn accurate_to(accuracy_m: f64, fix: Fix) -> Fix {
    Fix { accuracy_m: Some(accuracy_m), ..fix }
}

/// Returns a stretch with these verdicts.
fn stretch(verdicts: &[Verdict]) -> Stretch {
    let mut stretch = Stretch::default();
    for verdict in verdicts {
        match verdict {
            Verdict::Accepted(fix) => stretch.fixes.push(*fix),
            Verdict::Refused(refused) => stretch.refused.push(*refused),
            Verdict::Invalid(_) => stretch.invalid_count += 1,
        }
    }
    stretch
}

#[test]
fn a_plain_drive_is_accepted_whole() {
    check(&eastward(&[(10, 10.0)]), "aaaaaaaaaaa");
}

#[test]
fn times_must_rise_and_be_of_this_recording() {
    check(
        &[fix(0.0, 0.0, 0.0), fix(1.0, 9.0, 0.0), fix(1.0, 9.0, 0.0), fix(0.5, 5.0, 0.0), fix(2.0, 18.0, 0.0)],
        "aanna",
    );
    check(&[fix(-0.001, 0.0, 0.0), fix(0.0, 0.0, 0.0)], "ba");
    let at_once = fix(10.2, 0.0, 0.0);
    check(&[Fix { recorded_at: START + 200, ..at_once }], "a");
    check(&[Fix { recorded_at: START + 199, ..at_once }], "f");
}

#[test]
fn what_is_no_position_is_only_counted() {
    let mut recorder = Recorder::new(START);
    let nowhere = Fix { lat_deg: f64::NAN, ..fix(1.0, 0.0, 0.0) };
    assert_eq!(recorder.take(&nowhere), [Verdict::Invalid(InvalidFix::NotFinite)]);
    assert_eq!((recorder.stats().refused, recorder.stats().fixes), (1, 0));
}

#[test]
fn inaccurate_fixes_count_only_when_nothing_better_came_for_fifteen_seconds() {
    let at = |seconds: f64, accuracy_m: f64| accurate_to(accuracy_m, fix(seconds, seconds, 0.0));
    check(&[at(0.0, 35.0), at(1.0, 36.0), at(14.9, 65.0), at(15.0, 65.0), at(16.0, 65.0), at(17.0, 66.0)], "accaac");
    check(&[at(0.0, 35.0), at(15.0, 65.0), at(16.0, 10.0), at(17.0, 65.0)], "aaac");
    check(&[at(1.0, 3000.0), at(14.0, 40.0), at(15.0, 40.0)], "cca");
    check(&[Fix { accuracy_m: None, ..fix(0.0, 0.0, 0.0) }], "a");
}

#[test]
fn a_jump_is_an_outlier_only_if_the_next_fix_is_back() {
    let before = [fix(0.0, 0.0, 0.0), fix(1.0, 10.0, 0.0)];
    let drive = |after: &[Fix]| [before.as_slice(), after].concat();
    check(&drive(&[fix(2.0, 20.0, 150.0), fix(3.0, 30.0, 0.0)]), "aaoa");
    check(&drive(&[fix(2.0, 20.0, 150.0), fix(3.0, 30.0, 150.0)]), "aaaa");
    check(&drive(&[fix(2.0, 20.0, 150.0)]), "aaa");
    check(&drive(&[fix(2.0, 20.0, 150.0), fix(3.0, 30.0, 600.0), fix(4.0, 40.0, 0.0)]), "aaooa");
    check(&drive(&[fix(4.0, 20.0, 200.0)]), "aaa");
}

#[test]
fn a_held_fix_waits_for_one_that_passes_the_other_filters() {
    let mut recorder = Recorder::new(START);
    recorder.take(&fix(0.0, 0.0, 0.0));
    let jumped = fix(1.0, 0.0, 150.0);
    assert_eq!(recorder.take(&jumped), []);
    assert_eq!((recorder.held(), recorder.last()), ([jumped].as_slice(), Some(&fix(0.0, 0.0, 0.0))));
    let late = Fix { recorded_at: START + 1_300, ..fix(0.9, 0.0, 0.0) };
    assert_eq!(recorder.take(&late), [Verdict::Refused(RefusedFix { fix: late, refusal: Refusal::NotLater })]);
    assert_eq!(recorder.held(), [jumped]);
    let next = fix(2.0, 20.0, 0.0);
    let outlier = RefusedFix { fix: jumped, refusal: Refusal::Outlier };
    assert_eq!(recorder.take(&next), [Verdict::Refused(outlier), Verdict::Accepted(next)]);
}

#[test]
fn whole_rides_by_train_and_plane_are_kept() {
    let train: Vec<Fix> = (0..60).map(|second| fix(f64::from(second), 90.0 * f64::from(second), 0.0)).collect();
    check(&train, &"a".repeat(60));
    let plane = eastward(&[(60, 240.0)]);
    let mut recorder = Recorder::new(START);
    assert!(plane.iter().all(|fix| recorder.take(fix).len() == 1), "Doppler vouches for the speed: nothing is held");
}

#[test]
fn noise_of_a_receiver_that_reports_often_is_no_jump() {
    check(&[fix(0.0, 0.0, 0.0), fix(0.05, 6.0, 0.0), fix(0.1, 0.0, 6.0)], "aaa");
    check(&[fix_at_speed(0.0, 0.0, 0.0, 30.0), fix_at_speed(1.0, 104.0, 0.0, 30.0)], "aa");
}

#[test]
fn a_resumed_recorder_goes_on_as_if_never_stopped() {
    let fixes = eastward(&[(40, 14.0), (20, 0.0), (40, 14.0)]);
    let mut live = Recorder::new(START);
    let before: Vec<Verdict> = fixes[..60].iter().flat_map(|fix| live.take(fix)).collect();
    let (first, second) = before.split_at(25);
    let mut resumed = Recorder::resume(START, &[stretch(second), stretch(first)]);
    for fix in &fixes[60..] {
        assert_eq!(resumed.take(fix), live.take(fix));
    }
    assert_eq!((resumed.stats(), resumed.position()), (live.stats(), live.position()));
    assert_eq!(resumed.stats().fixes, 101);
}

/// Fixes of a bad phone: mostly a drive, with jumps, repeated times, bad accuracies and invalid values.
fn bad_phone() -> impl Strategy<Value = Vec<Fix>> {
    let step = (0..20_u8, 0.0..3.0_f64, 0.0..80.0_f64, -300.0..300.0_f64, 0.0..70.0_f64, any::<bool>());
    prop::collection::vec(step, 1..200).prop_map(|steps| {
        let (mut seconds, mut east_m) = (0.0, 0.0);
        let fix = |(kind, elapsed_s, speed_mps, jump_m, accuracy_m, tells_speed): (u8, f64, f64, f64, f64, bool)| {
            seconds += elapsed_s;
            east_m += speed_mps * elapsed_s;
            let plain = Fix { speed_mps: tells_speed.then_some(speed_mps), ..fix(seconds, east_m, 0.0) };
            match kind {
                0 => fix_at_speed(seconds, east_m + jump_m, jump_m, speed_mps),
                1 => Fix { fixed_at: plain.fixed_at - 2_000, ..plain },
                2 | 3 => accurate_to(accuracy_m, plain),
                4 => Fix { lat_deg: f64::INFINITY, ..plain },
                5 => fix(seconds + 12.0, east_m, jump_m * 5.0),
                _ => plain,
            }
        };
        steps.into_iter().map(fix).collect()
    })
}

proptest! {
    #[test]
    fn every_fix_is_decided_once_and_a_replay_decides_alike(fixes in bad_phone()) {
        let run = || {
            let mut recorder = Recorder::new(START);
            let mut verdicts: Vec<Verdict> = fixes.iter().flat_map(|fix| recorder.take(fix)).collect();
            verdicts.extend(recorder.settle());
            (verdicts, recorder)
        };
        let ((verdicts, live), (again, _)) = (run(), run());
        prop_assert_eq!(&verdicts, &again);
        prop_assert_eq!(verdicts.len(), fixes.len());
        let recorded = stretch(&verdicts);
        prop_assert!(recorded.fixes.windows(2).all(|pair| pair[0].fixed_at < pair[1].fixed_at));
        prop_assert_eq!(live.stats().fixes as usize, recorded.fixes.len());
        prop_assert_eq!(Recorder::resume(START, &[recorded]).stats(), live.stats());
    }
}

/// A drive of `count` fixes, one a second at 20 m/s, on a phone whose sensor reports `sensor(second, true time)`, and
/// whose own clock is right.
fn told_by(count: u32, sensor: impl Fn(u32, Timestamp) -> Timestamp) -> Vec<Fix> {
    let fix = |second: u32| {
        let fix = fix_at_speed(f64::from(second) + 0.3, 20.0 * f64::from(second), 0.0, 20.0);
        // Arrivals are late by 100 to 350 ms.
        let late_ms = 100 + i64::from(second * 7919 % 250);
        Fix { fixed_at: sensor(second, fix.fixed_at), recorded_at: fix.fixed_at + late_ms, ..fix }
    };
    (0..count).map(fix).collect()
}

/// Records a drive at 20 m/s and checks that all fixes but `lost` are accepted, in order and at the right times.
fn check_kept(name: &str, fixes: &[Fix], lost: usize) {
    let mut recorder = Recorder::new(START);
    let verdicts: Vec<Verdict> = fixes.iter().flat_map(|fix| recorder.take(fix)).collect();
    let kept: Vec<Fix> = verdicts
        .iter()
        .filter_map(|verdict| if let Verdict::Accepted(fix) = verdict { Some(*fix) } else { None })
        .collect();
    assert_eq!(fixes.len() - kept.len(), lost, "{name}: {verdicts:?}");
    for pair in kept.windows(2) {
        let true_ms = distance_m((&pair[0]).into(), (&pair[1]).into()) * 50.0;
        let elapsed_ms = pair[1].fixed_at.millis_since(pair[0].fixed_at) as f64;
        assert!((elapsed_ms - true_ms).abs() < 260.0, "{name}: {elapsed_ms} of {true_ms} ms");
    }
    assert!(kept.iter().all(|fix| fix.recorded_at.millis_since(fix.fixed_at).abs() < 5_000), "{name}");
    let way_m = recorder.stats().gap_distance_m + recorder.stats().distance_m;
    assert!(way_m >= 20.0 * (fixes.len() - 1 - lost) as f64 - 1.0, "{name}: {way_m} m");
}

#[test]
fn a_drive_goes_on_whatever_the_clock_of_the_sensor_is() {
    const WEEK_MS: i64 = 604_800_000;
    for (name, offset_ms) in [
        ("since 2001", -978_307_200_000),
        ("1,024 weeks ago", -1_024 * WEEK_MS),
        ("two hours ago", -7_200_000),
        ("three minutes ago", -180_000),
        ("in 90 seconds", 90_000),
        ("in a day", 86_400_000),
    ] {
        check_kept(name, &told_by(40, |_, at| at + offset_ms), 1);
    }
    check_kept("right", &told_by(40, |_, at| at), 0);
    check_kept("whole seconds", &told_by(40, |_, at| Timestamp(at.0 / 1_000 * 1_000)), 0);
    check_kept("some seconds ahead", &told_by(40, |_, at| at + 4_000), 0);
}

#[test]
fn a_drive_goes_on_when_the_clock_of_the_sensor_is_set() {
    for by_ms in [-3_600_000, -5_000, 5_000, 90_000, 3_600_000] {
        check_kept(&format!("{by_ms}"), &told_by(120, |second, at| if second < 60 { at } else { at + by_ms }), 1);
    }
    let twice = |second, at| if (40..80).contains(&second) { at - 7_200_000 } else { at };
    check_kept("there and back", &told_by(120, twice), 2);
}

#[test]
fn a_single_time_that_is_wrong_costs_one_fix() {
    for by_ms in [-55_000, -2_500, 2_500, 55_000, 7_200_000, -978_307_200_000] {
        let once = |second, at| if second == 60 { at + by_ms } else { at };
        check_kept(&format!("{by_ms}"), &told_by(120, once), 1);
    }
    let first = |second, at| if second == 0 { at - 60_000 } else { at };
    check_kept("the first is an old one", &told_by(120, first), 1);
}

#[test]
fn a_sensor_that_does_not_know_the_time_is_not_asked() {
    let mut recorder = Recorder::new(START);
    let standing_still = told_by(120, |_, at| at - at.0 % 3_600_000);
    assert!(standing_still.iter().flat_map(|fix| recorder.take(fix)).count() == 120);
    assert_eq!(recorder.stats().fixes, 118);
    let mut recorder = Recorder::new(START);
    let anything = told_by(120, |second, at| at + i64::from(second) * 7_919_000_017 % 86_400_000 - 43_200_000);
    anything.iter().for_each(|fix| drop(recorder.take(fix)));
    assert!(recorder.stats().fixes > 110, "{:?}", recorder.stats());
    let never = told_by(120, |_, _| Timestamp(i64::MIN));
    let mut recorder = Recorder::new(START);
    never.iter().for_each(|fix| drop(recorder.take(fix)));
    assert_eq!(recorder.stats().fixes, 118);
}

#[test]
fn what_a_sensor_measured_before_a_recording_went_on_is_refused() {
    let recorder = || {
        let mut recorder = Recorder::new(START);
        assert_eq!(verdicts(&mut recorder, &told_by(10, |_, at| at)), "aaaaaaaaaa");
        recorder.go_on_at(START + 60_000);
        recorder
    };
    // The sensor repeats an old position several times.
    let old = |second: u32| Fix { recorded_at: START + i64::from(second) * 1_000, ..fix(30.0, 600.0, 0.0) };
    assert_eq!(verdicts(&mut recorder(), &[old(61), old(62), old(63), old(64)]), "bbbb");
    // The clock was set back meanwhile, by less than the pause.
    let set_back = told_by(70, |_, at| at - 20_000);
    let mut later = recorder();
    assert_eq!(verdicts(&mut later, &set_back[60..]), "baaaaaaaaa");
    let last = later.last().unwrap();
    assert!((0..500).contains(&last.recorded_at.millis_since(last.fixed_at)), "{last:?}");
    // The clock was behind all the time, which looked like late arrivals.
    for behind_ms in [5_000, 90_000] {
        let behind = told_by(70, |_, at| at - behind_ms);
        let mut late = Recorder::new(START - 120_000);
        assert_eq!(verdicts(&mut late, &behind[1..10]), "aaaaaaaaa", "{behind_ms}");
        late.go_on_at(START + 60_000);
        let cached = Fix { fixed_at: START + 30_000 - behind_ms, ..old(60) };
        assert_eq!(verdicts(&mut late, &[cached]), "b", "{behind_ms}");
        assert_eq!(verdicts(&mut late, &behind[60..]), "aaaaaaaaaa", "{behind_ms}");
        assert_eq!(late.stats().duration_ms, 68_000, "{behind_ms}");
    }
}

#[test]
fn an_offset_that_follows_from_wrong_times_is_given_up_after_a_sleep() {
    // Three wrong times in a row, the last one ahead; then the machine sleeps for longer than that one was ahead.
    let wrong = |second: u32, at: Timestamp| match second {
        60 => at - 951_000,
        61 => at - 3_266_000,
        62 => at + 927_000,
        _ => at,
    };
    let fixes = told_by(1_300, wrong);
    let mut recorder = Recorder::new(START);
    fixes[..63].iter().chain(&fixes[1_263..]).for_each(|fix| drop(recorder.take(fix)));
    assert_eq!(recorder.stats().duration_ms, 1_299_000);
}

#[test]
fn a_place_that_is_told_twice_is_taken_once() {
    check(
        &[fix(0.0, 0.0, 0.0), fix(1.0, 9.0, 0.0), fix(1.0, 9.0, 0.0), fix(1.0, 9.0, 0.0), fix(1.0, 9.0, 0.0)],
        "aannn",
    );
}

#[test]
fn a_phone_whose_clock_alone_is_set_back_loses_one_fix() {
    // Sensor and arrivals are set together, as in a file.
    let set_back = |second: u32| {
        let fix = fix_at_speed(f64::from(second), 20.0 * f64::from(second), 0.0, 20.0);
        let by_ms = if second < 60 { 0 } else { -3_600_000 };
        Fix { fixed_at: fix.fixed_at + by_ms, recorded_at: fix.fixed_at + by_ms, ..fix }
    };
    let mut recorder = Recorder::new(START);
    (0..120).for_each(|second| drop(recorder.take(&set_back(second))));
    let stats = recorder.stats();
    assert_eq!((stats.fixes, stats.distance_m, stats.duration_ms), (119, 2_380.0, 119_000));
}

#[test]
fn a_run_of_implausible_steps_is_one_outlier() {
    // 18 fixes a second at 1 m/s. The position jumps by 360 m and slides back.
    let slide = |index: u32| {
        let seconds = f64::from(index) / 18.0;
        let off_m = if (600..606).contains(&index) { f64::from(606 - index) * 60.0 } else { 0.0 };
        fix_at_speed(seconds, seconds + off_m, 0.0, 1.0)
    };
    let fixes: Vec<Fix> = (0..1800).map(slide).collect();
    let mut recorder = Recorder::new(START);
    let letters = verdicts(&mut recorder, &fixes);
    assert_eq!(letters.matches('o').count(), 6);
    let stats = recorder.stats();
    assert_eq!((stats.distance_m, stats.gap_distance_m, stats.max_speed_mps), (100.0, 0.0, 1.0));
    // After a tunnel of a minute the position is far behind, and slides to the car.
    let car = |second: u32| fix(f64::from(second), 25.0 * f64::from(second), 0.0);
    let slide = (180..195).map(|second: u32| fix(f64::from(second), 3_000.0 + 98.0 * f64::from(second - 179), 0.0));
    let fixes: Vec<Fix> = (0..120).map(car).chain(slide).chain((195..300).map(car)).collect();
    let mut recorder = Recorder::new(START);
    verdicts(&mut recorder, &fixes);
    let stats = recorder.stats();
    assert!(stats.max_speed_mps <= 25.1, "{stats:?}");
    assert!((7_400.0..7_500.0).contains(&(stats.distance_m + stats.gap_distance_m)), "{stats:?}");
}
