//! The parts of a track, within which it was measured without a break, and the reasons of the gaps between them.
//!
//! Nothing is known of a gap, so nothing is drawn over it and nothing in it is scored. A gap is detected by its
//! duration, compared with the recorder's rhythm, and by the speed that it implies; never by its length, which depends
//! on the speed of the car. This module must not depend on maps or statistics.

use std::collections::VecDeque;

use crate::fix::Fix;
use crate::geodesy::{Position, distance_m};
use crate::sorting::sort_by_key;
use crate::track::{Mark, MarkKind, Stretch, overlap};

/// A shorter time is never a gap, milliseconds.
pub const SHORTEST_GAP_MS: i64 = 10_000;
/// A longer time is always a gap, milliseconds: a recorder that measures every half minute misses two fixes.
pub const LONGEST_STEP_MS: i64 = 100_000;
/// A gap is at least this number of times as long as the usual interval.
const GAP_INTERVALS: i64 = 3;
/// The usual interval is the median of this number of intervals.
const MAX_RECENT_INTERVALS: usize = 9;
/// The maximum speed of a car, metres per second.
const PLAUSIBLE_MPS: f64 = 70.0;
/// The maximum error between two fixes, however short the time, metres.
const NOISE_M: f64 = 10.0;

/// The rhythm of a recorder, by its last fixes.
#[derive(Clone, Debug, Default)]
pub struct RecentIntervals {
    intervals_ms: VecDeque<i64>,
}

impl RecentIntervals {
    /// Adds the next fix of a track, `way_m` from the one before. Returns whether there is a gap between them.
    pub fn is_gap(&mut self, last: &Fix, next: &Fix, way_m: f64) -> bool {
        let elapsed_ms = next.fixed_at.millis_since(last.fixed_at);
        let is_late = elapsed_ms > SHORTEST_GAP_MS && elapsed_ms > self.longest_step_ms();
        if self.intervals_ms.len() == MAX_RECENT_INTERVALS {
            self.intervals_ms.pop_front();
        }
        self.intervals_ms.push_back(elapsed_ms);
        is_late || way_m > plausible_m(last, next)
    }

    /// Returns the longest time between two fixes of one part.
    fn longest_step_ms(&self) -> i64 {
        let mut intervals_ms: Vec<i64> = self.intervals_ms.iter().copied().collect();
        sort_by_key(&mut intervals_ms, |interval_ms| *interval_ms);
        let median_ms = intervals_ms.get(intervals_ms.len().saturating_sub(1) / 2).copied().unwrap_or(0);
        median_ms.saturating_mul(GAP_INTERVALS).clamp(SHORTEST_GAP_MS, LONGEST_STEP_MS)
    }
}

/// Returns whether a car can get from one fix to the next in that time, or whether the receiver's Doppler speed
/// confirms it.
pub fn is_plausible_step(last: &Fix, next: &Fix) -> bool {
    distance_m(last.into(), Position::from(next)) <= plausible_m(last, next)
}

/// Returns whether a first fix fits the next one, or the last one the fix before. The rule is stricter than
/// [`is_plausible_step`] where the receiver reports a speed: positions that do not come from satellites are off by
/// hundreds of metres, and occur at the start.
pub fn is_plausible_end(last: &Fix, next: &Fix) -> bool {
    let elapsed_s = next.fixed_at.millis_since(last.fixed_at) as f64 / 1000.0;
    let fastest_mps = next.speed_mps.map_or(PLAUSIBLE_MPS, |mps| 3.0 * mps + 15.0);
    distance_m(last.into(), Position::from(next)) <= fastest_mps * elapsed_s + NOISE_M
}

/// Returns the maximum distance from one fix to the next, metres.
fn plausible_m(last: &Fix, next: &Fix) -> f64 {
    let elapsed_s = next.fixed_at.millis_since(last.fixed_at) as f64 / 1000.0;
    let plausible_mps = next.speed_mps.map_or(PLAUSIBLE_MPS, |mps| PLAUSIBLE_MPS.max(3.0 * mps + 15.0));
    plausible_mps * elapsed_s + NOISE_M
}

/// Consecutive fixes with no gap between them.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// The gap before this part; `None` at the beginning of the track.
    pub after: Option<Gap>,
    /// At least one fix, strictly increasing in `fixed_at`.
    pub fixes: Vec<Fix>,
}

/// The reason of a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gap {
    /// The receiver had no signal: a tunnel, a garage, a deep valley. Also the default without a mark.
    NoSignal,
    /// The page was hidden or the screen off.
    Hidden,
    /// The app was killed or restarted.
    Restarted,
    /// The user paused the recording.
    Paused,
}

/// Returns the parts of a track.
///
/// Stretches may come from several runs of the recorder, or from several devices, in any order: see [`merged`].
pub fn parts(stretches: &[Stretch]) -> Vec<Part> {
    let mut marks: Vec<Mark> = stretches.iter().flat_map(|stretch| stretch.marks.iter().copied()).collect();
    sort_by_key(&mut marks, |mark| mark.at);
    let mut parts: Vec<Part> = Vec::new();
    let mut rhythm = RecentIntervals::default();
    for fix in merged(stretches) {
        match parts.last_mut().and_then(|part| part.fixes.last().copied().map(|last| (part, last))) {
            Some((part, last)) if !rhythm.is_gap(&last, &fix, distance_m((&last).into(), (&fix).into())) => {
                part.fixes.push(fix);
            }
            Some((_, last)) => parts.push(Part { after: Some(reason(&last, &fix, &marks)), fixes: vec![fix] }),
            None => parts.push(Part { after: None, fixes: vec![fix] }),
        }
    }
    parts
}

/// Returns the accepted fixes that count, ordered by the time of measurement: all of one run, and of other runs those
/// that do not overlap a better one.
pub fn merged(stretches: &[Stretch]) -> Vec<Fix> {
    overlap::merged(stretches)
}

/// Returns the reason that the marks between two fixes give. A pause by the user takes precedence over other events.
fn reason(last: &Fix, next: &Fix, marks: &[Mark]) -> Gap {
    // Marks have the phone's time, like `recorded_at`; the receiver's clock may differ by seconds.
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

    /// A fix `seconds` after the start, `metres` north of the equator, recorded 300 ms later.
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

    /// Checks each part by its gap and the whole seconds of its fixes.
    fn check(stretches: &[Stretch], expected: &[(Option<Gap>, &[i64])]) {
        let seconds = |part: &Part| part.fixes.iter().map(|fix| fix.fixed_at.0 / 1000).collect::<Vec<_>>();
        let found: Vec<_> = parts(stretches).iter().map(|part| (part.after, seconds(part))).collect();
        let expected: Vec<_> = expected.iter().map(|(gap, seconds)| (*gap, seconds.to_vec())).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_tunnel_is_a_gap_and_ten_seconds_are_not() {
        let driven = stretch(&[(0.0, 0.0), (1.0, 15.0), (11.0, 150.0), (21.001, 300.0)], &[]);
        check(&[driven], &[(None, &[0, 1, 11]), (Some(Gap::NoSignal), &[21])]);
    }

    #[test]
    fn a_jump_that_no_car_makes_is_a_gap_and_a_long_way_in_a_long_time_is_none() {
        let driven = stretch(&[(0.0, 0.0), (1.0, 79.0), (2.0, 160.0)], &[]);
        check(&[driven], &[(None, &[0, 1]), (Some(Gap::NoSignal), &[2])]);
        let driven = stretch(&[(0.0, 0.0), (8.0, 560.0), (16.0, 1_120.0)], &[]);
        check(&[driven], &[(None, &[0, 8, 16])]);
    }

    #[test]
    fn a_gap_is_three_times_as_long_as_the_recorder_takes_from_fix_to_fix() {
        // The rhythm is unknown before the second fix.
        let every = |step_s: f64, gap_s: f64| {
            let at = |index: i32| f64::from(index) * step_s + if index > 6 { gap_s - step_s } else { 0.0 };
            let fixes: Vec<(f64, f64)> = (0..12).map(|index| (at(index), at(index))).collect();
            parts(&[stretch(&fixes, &[])]).len()
        };
        assert_eq!((every(1.0, 10.0), every(1.0, 10.1)), (1, 2));
        assert_eq!((every(6.0, 18.0), every(6.0, 18.1)), (1, 2));
        assert_eq!((every(30.0, 90.0), every(30.0, 90.1)), (2, 3), "the first step of half a minute is one, too");
        assert_eq!((every(60.0, 100.0), every(60.0, 100.1)), (2, 3));
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
