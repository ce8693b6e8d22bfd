//! Leaves out fixes of a track for its published copy, if the whole track has more fixes than a relay shows.
//!
//! Every fix that is left out was within a stated distance of the line between its remaining neighbours, and within
//! seconds of them. No fix is moved.

use crate::fix::Fix;
use crate::geodesy::{Position, TangentPlane, distance_m};

/// A degree of thinning.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Thinning {
    /// Maximum distance of a left-out fix from the line between its remaining neighbours, metres.
    pub tolerance_m: f64,
    /// Maximum time between remaining neighbours, milliseconds: shorter than any gap.
    pub longest_ms: i64,
}

/// From almost lossless to what is still good enough for a map: the first one that makes a track small enough is used.
pub const STEPS: [Thinning; 4] = [
    Thinning { tolerance_m: 0.5, longest_ms: 1_000 },
    Thinning { tolerance_m: 1.0, longest_ms: 2_000 },
    Thinning { tolerance_m: 2.0, longest_ms: 4_000 },
    Thinning { tolerance_m: 5.0, longest_ms: 8_000 },
];

/// Maximum way between neighbours, metres, so that no reader detects a gap.
const LONGEST_M: f64 = 190.0;

/// Maximum number of consecutive fixes that are left out, so that a dense track costs a few steps for each fix.
const MOST_IN_A_ROW: usize = 64;

/// Returns the remaining fixes: the first and the last, both sides of every gap, and as few others as possible.
pub fn thinned(fixes: &[Fix], by: Thinning) -> Vec<Fix> {
    let mut kept = Vec::new();
    let mut at = 0;
    while let Some(fix) = fixes.get(at) {
        kept.push(*fix);
        at += reach(&fixes[at..], by).max(1);
    }
    kept
}

/// Returns the index of the next remaining fix after the first one.
fn reach(fixes: &[Fix], by: Thinning) -> usize {
    let Some(first) = fixes.first() else { return 0 };
    let plane = TangentPlane::at(first.into());
    let mut places: Vec<(f64, f64)> = Vec::new();
    for (index, pair) in fixes.windows(2).enumerate().take(MOST_IN_A_ROW) {
        let (last, next) = (&pair[0], &pair[1]);
        let is_step = next.fixed_at.millis_since(last.fixed_at) <= by.longest_ms
            && distance_m(last.into(), Position::from(next)) <= LONGEST_M;
        let end = plane.project_m(next.into());
        let is_near = next.fixed_at.millis_since(first.fixed_at) <= by.longest_ms
            && libm::hypot(end.0, end.1) <= LONGEST_M
            && places.iter().all(|place| is_within(*place, end, by.tolerance_m));
        if !is_step || !is_near {
            return index;
        }
        places.push(end);
    }
    places.len()
}

/// Returns whether a point is within `tolerance_m` of the segment from the origin to this end.
fn is_within((x, y): (f64, f64), (to_x, to_y): (f64, f64), tolerance_m: f64) -> bool {
    let length = to_x * to_x + to_y * to_y;
    let along = if length > 0.0 { ((x * to_x + y * to_y) / length).clamp(0.0, 1.0) } else { 0.0 };
    libm::hypot(x - along * to_x, y - along * to_y) <= tolerance_m
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::RunningStats;
    use crate::testing::fix_at_speed;

    /// A winding road at 14 m/s, measured at this rate for this time.
    fn winding(hertz: u32, seconds: u32) -> Vec<Fix> {
        let at = |tick: u32| {
            let s = f64::from(tick) / f64::from(hertz);
            fix_at_speed(s, 14.0 * s, 40.0 * libm::sin(s / 7.0), 15.0)
        };
        (0..seconds * hertz).map(at).collect()
    }

    #[test]
    fn what_is_left_out_is_within_the_tolerance_and_the_drive_stays_the_same() {
        for hertz in [1, 5, 25] {
            let fixes = winding(hertz, 600);
            let whole = RunningStats::of(&fixes).summary();
            for by in STEPS {
                let kept = thinned(&fixes, by);
                assert_eq!((kept.first(), kept.last()), (fixes.first(), fixes.last()));
                assert!(kept.windows(2).all(|pair| pair[1].fixed_at.millis_since(pair[0].fixed_at) <= by.longest_ms));
                let mut rest = fixes.iter().peekable();
                for pair in kept.windows(2) {
                    let plane = TangentPlane::at((&pair[0]).into());
                    let end = plane.project_m((&pair[1]).into());
                    while let Some(fix) = rest.next_if(|fix| fix.fixed_at < pair[1].fixed_at) {
                        assert!(
                            is_within(plane.project_m(fix.into()), end, by.tolerance_m + 0.01),
                            "{hertz} Hz {by:?}"
                        );
                    }
                }
                let shown = RunningStats::of(&kept).summary();
                assert!((shown.distance_m / whole.distance_m - 1.0).abs() < 0.02, "{hertz} Hz {by:?}");
            }
        }
        assert!(thinned(&winding(25, 600), STEPS[0]).len() < 25 * 600 / 10);
        assert!(thinned(&winding(1, 600), STEPS[3]).len() < 300);
    }

    #[test]
    fn a_gap_stays_one_between_the_same_two_fixes() {
        let mut fixes = winding(5, 200);
        fixes.drain(400..500);
        let sides = [fixes[399], fixes[400]];
        for by in STEPS {
            assert!(thinned(&fixes, by).windows(2).any(|pair| pair == sides), "{by:?}");
        }
    }

    #[test]
    fn nothing_of_nothing_is_left_and_one_fix_stays() {
        assert!(thinned(&[], STEPS[0]).is_empty());
        let fixes = winding(1, 1);
        assert_eq!(thinned(&fixes, STEPS[3]), fixes);
    }
}
