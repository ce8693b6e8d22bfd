//! The parts of a track: where it was measured without a break, and why it broke off in between.
//!
//! Nobody knows what happened in a gap, so nothing is drawn through it and nothing in it is scored. This file knows
//! nothing of maps or statistics.

use crate::fix::Fix;
use crate::geodesy::{Position, distance_m};
use crate::sorting::sort_by_key;
use crate::track::{Mark, MarkKind, Stretch, overlap};

/// The longest time between two fixes of one part.
pub const LONGEST_STEP_MS: i64 = 10_000;
/// The longest way between two fixes of one part, metres.
pub const LONGEST_STEP_M: f64 = 200.0;

/// Consecutive fixes with no gap between them.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// The gap before this part; `None` at the beginning of the track.
    pub after: Option<Gap>,
    /// At least one fix, strictly increasing in `fixed_at`.
    pub fixes: Vec<Fix>,
}

/// Why nothing was measured for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gap {
    /// The receiver heard nothing: a tunnel, a garage, a deep valley. Also where no mark tells.
    NoSignal,
    /// The page was hidden or the screen off.
    Hidden,
    /// The app was killed or restarted.
    Restarted,
    /// The driver paused the recording.
    Paused,
}

/// Whether two consecutive fixes so far apart have a gap between them.
pub fn is_gap(elapsed_ms: i64, distance_m: f64) -> bool {
    elapsed_ms > LONGEST_STEP_MS || distance_m > LONGEST_STEP_M
}

/// The parts of a track.
///
/// Stretches may come from several runs of the recorder, or from several devices, in any order: see [`merged`].
pub fn parts(stretches: &[Stretch]) -> Vec<Part> {
    let mut marks: Vec<Mark> = stretches.iter().flat_map(|stretch| stretch.marks.iter().copied()).collect();
    sort_by_key(&mut marks, |mark| mark.at);
    let mut parts: Vec<Part> = Vec::new();
    for fix in merged(stretches) {
        match parts.last_mut().and_then(|part| part.fixes.last().copied().map(|last| (part, last))) {
            Some((part, last)) if !is_gap_between(&last, &fix) => part.fixes.push(fix),
            Some((_, last)) => parts.push(Part { after: Some(reason(&last, &fix, &marks)), fixes: vec![fix] }),
            None => parts.push(Part { after: None, fixes: vec![fix] }),
        }
    }
    parts
}

/// The accepted fixes that count, ordered by the time at which they were measured: all of one run, and of several that
/// overlap those of the better one.
pub fn merged(stretches: &[Stretch]) -> Vec<Fix> {
    overlap::merged(stretches)
}

fn is_gap_between(last: &Fix, next: &Fix) -> bool {
    is_gap(next.fixed_at.millis_since(last.fixed_at), distance_m(last.into(), Position::from(next)))
}

/// What the marks between two fixes tell. What the driver wanted explains more than what happened besides.
fn reason(last: &Fix, next: &Fix, marks: &[Mark]) -> Gap {
    // Marks bear the phone's time, as `recorded_at` does; the receiver's clock may differ by seconds.
    let from = marks.partition_point(|mark| mark.at < last.recorded_at);
    let to = marks.partition_point(|mark| mark.at <= next.recorded_at);
    let gaps = marks.get(from..to).unwrap_or_default().iter().map(|mark| match mark.kind {
        MarkKind::Paused | MarkKind::Resumed => Gap::Paused,
        MarkKind::Restarted => Gap::Restarted,
        MarkKind::Hidden | MarkKind::Shown => Gap::Hidden,
    });
    gaps.max_by_key(|gap| match gap {
        Gap::NoSignal => 0,
        Gap::Hidden => 1,
        Gap::Restarted => 2,
        Gap::Paused => 3,
    })
    .unwrap_or(Gap::NoSignal)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    /// A fix `seconds` after the start, `metres` north of the equator, that the phone took in 300 ms later.
    fn fix(seconds: f64, metres: f64) -> Fix {
        let fixed_at = Timestamp((seconds * 1000.0) as i64);
        Fix {
            fixed_at,
            recorded_at: fixed_at + 300,
            lat_deg: metres / 110_574.0,
            lon_deg: 10.0,
            accuracy_m: None,
            altitude_m: None,
            altitude_accuracy_m: None,
            heading_deg: None,
            speed_mps: None,
        }
    }

    fn stretch(fixes: &[(f64, f64)], marks: &[(i64, MarkKind)]) -> Stretch {
        Stretch {
            fixes: fixes.iter().map(|&(seconds, metres)| fix(seconds, metres)).collect(),
            marks: marks.iter().map(|&(at, kind)| Mark { at: Timestamp(at), kind }).collect(),
            ..Stretch::default()
        }
    }

    /// Each part as its gap and the whole seconds of its fixes.
    fn check(stretches: &[Stretch], expected: &[(Option<Gap>, &[i64])]) {
        let seconds = |part: &Part| part.fixes.iter().map(|fix| fix.fixed_at.0 / 1000).collect::<Vec<_>>();
        let found: Vec<_> = parts(stretches).iter().map(|part| (part.after, seconds(part))).collect();
        let expected: Vec<_> = expected.iter().map(|(gap, seconds)| (*gap, seconds.to_vec())).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_tunnel_is_a_gap_and_ten_seconds_are_not() {
        let driven = stretch(&[(0.0, 0.0), (10.0, 150.0), (20.001, 300.0)], &[]);
        check(&[driven], &[(None, &[0, 10]), (Some(Gap::NoSignal), &[20])]);
    }

    #[test]
    fn a_jump_of_more_than_two_hundred_metres_is_a_gap() {
        let driven = stretch(&[(0.0, 0.0), (1.0, 199.0), (2.0, 400.0)], &[]);
        check(&[driven], &[(None, &[0, 1]), (Some(Gap::NoSignal), &[2])]);
    }

    #[test]
    fn a_gap_has_the_reason_that_its_marks_tell() {
        let reason = |marks: &[(i64, MarkKind)]| {
            parts(&[stretch(&[(0.0, 0.0), (60.0, 10.0), (120.0, 20.0)], marks)])[1].after.unwrap()
        };
        assert_eq!(reason(&[]), Gap::NoSignal);
        assert_eq!(reason(&[(5_000, MarkKind::Hidden), (50_000, MarkKind::Shown)]), Gap::Hidden);
        assert_eq!(reason(&[(5_000, MarkKind::Hidden), (50_000, MarkKind::Restarted)]), Gap::Restarted);
        assert_eq!(reason(&[(5_000, MarkKind::Paused), (50_000, MarkKind::Restarted)]), Gap::Paused);
        assert_eq!(reason(&[(60_200, MarkKind::Resumed)]), Gap::Paused, "before the phone took the next fix in");
        assert_eq!(reason(&[(70_000, MarkKind::Paused)]), Gap::NoSignal, "the next gap's mark");
    }

    #[test]
    fn a_mark_alone_is_no_gap() {
        let driven = stretch(&[(0.0, 0.0), (2.0, 20.0)], &[(500, MarkKind::Hidden), (1_500, MarkKind::Shown)]);
        check(&[driven], &[(None, &[0, 2])]);
    }

    #[test]
    fn runs_one_after_the_other_are_one_track_whatever_their_order() {
        let (first, second) = (stretch(&[(0.0, 0.0), (2.0, 20.0)], &[]), stretch(&[(3.0, 30.0)], &[]));
        let second = Stretch { run: 1, ..second };
        check(&[first.clone(), second.clone()], &[(None, &[0, 2, 3])]);
        check(&[second, first], &[(None, &[0, 2, 3])]);
    }

    #[test]
    fn no_fixes_are_no_parts() {
        check(&[], &[]);
        check(&[stretch(&[], &[(0, MarkKind::Paused)])], &[]);
    }
}
