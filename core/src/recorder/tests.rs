use proptest::prelude::*;

use super::*;
use crate::testing::{START, eastward, fix, fix_at_speed};

/// Takes fixes in and settles; the verdicts as letters in the order in which they fell: `a`ccepted, or the reason.
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

/// A stretch that holds these verdicts.
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
    let at_once = fix(60.2, 0.0, 0.0);
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
    check(&drive(&[fix(2.0, 20.0, 150.0), fix(3.0, 30.0, 600.0), fix(4.0, 40.0, 0.0)]), "aaaoa");
    check(&drive(&[fix(4.0, 20.0, 200.0)]), "aaa");
}

#[test]
fn a_held_fix_waits_for_one_that_passes_the_other_filters() {
    let mut recorder = Recorder::new(START);
    recorder.take(&fix(0.0, 0.0, 0.0));
    let jumped = fix(1.0, 0.0, 150.0);
    assert_eq!(recorder.take(&jumped), []);
    assert_eq!((recorder.held(), recorder.last()), (Some(&jumped), Some(&fix(0.0, 0.0, 0.0))));
    let late = fix(0.9, 0.0, 0.0);
    assert_eq!(recorder.take(&late), [Verdict::Refused(RefusedFix { fix: late, refusal: Refusal::NotLater })]);
    assert_eq!(recorder.held(), Some(&jumped));
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

/// Fixes as a bad phone gives them: mostly a drive, with jumps, repeated times, bad accuracies and nonsense.
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
