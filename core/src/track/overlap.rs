//! Merges several recordings of one drive: two phones in one car, or one phone's storage copied to another.
//!
//! Receivers differ by some metres, so alternating fixes of two of them would be a zigzag of twice the length. Where
//! runs cover the same time, one counts: the one with more and more accurate fixes in total. The other one fills its
//! gaps (a pause, a dead battery, a tunnel); the rest of it is kept, but neither drawn nor counted.

use crate::fix::Fix;
use crate::geodesy::distance_m;
use crate::sorted::Map;
use crate::sorting::{sort_by, sort_by_key};
use crate::time::Timestamp;
use crate::track::Stretch;
use crate::track::parts::RecentIntervals;

/// The assumed accuracy of a fix without one, metres.
const UNKNOWN_ACCURACY_M: f64 = 20.0;

/// Returns the fixes that count, ordered by the time of measurement, no two with the same time.
///
/// Of equally good runs the one with the lower number counts; the order of stretches does not matter.
pub(super) fn merged(stretches: &[Stretch]) -> Vec<Fix> {
    let mut runs: Map<u32, Vec<Fix>> = Map::new();
    for stretch in stretches {
        runs.or_default(stretch.run).extend(&stretch.fixes);
    }
    let mut runs: Vec<Vec<Fix>> = runs.into_values().collect();
    for fixes in &mut runs {
        sort_by_key(fixes, |fix| fix.fixed_at);
        fixes.dedup_by_key(|fix| fix.fixed_at);
    }
    if runs.len() < 2 {
        return runs.pop().unwrap_or_default();
    }
    sort_by(&mut runs, |a, b| worth(b).total_cmp(&worth(a)));
    let mut covered = Covered::default();
    let mut counting: Vec<Fix> = Vec::new();
    for fixes in runs {
        counting.extend(fixes.iter().filter(|fix| !covered.holds(fix.fixed_at)));
        covered.add(&fixes);
    }
    sort_by_key(&mut counting, |fix| fix.fixed_at);
    counting
}

/// Returns the quality of a run: the sum over its fixes, weighted by accuracy.
fn worth(fixes: &[Fix]) -> f64 {
    fixes.iter().map(|fix| 1.0 / fix.accuracy_m.unwrap_or(UNKNOWN_ACCURACY_M).max(1.0)).sum()
}

/// The times that better runs cover: disjoint spans from a first to a last fix, ordered by start.
#[derive(Default)]
struct Covered(Vec<(Timestamp, Timestamp)>);

impl Covered {
    fn holds(&self, at: Timestamp) -> bool {
        let after = self.0.partition_point(|(from, _)| *from <= at);
        after > 0 && at <= self.0[after - 1].1
    }

    fn add(&mut self, fixes: &[Fix]) {
        let mut rhythm = RecentIntervals::default();
        let steps = fixes.chunk_by(|last, next| !rhythm.is_gap(last, next, distance_m(last.into(), next.into())));
        self.0.extend(steps.map(|span| (span[0].fixed_at, span[span.len() - 1].fixed_at)));
        sort_by_key(&mut self.0, |span| *span);
        self.0.dedup_by(|next, last| {
            let overlap = next.0 <= last.1;
            if overlap {
                last.1 = last.1.max(next.1);
            }
            overlap
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(run: u32, seconds: impl IntoIterator<Item = i64>, lon_deg: f64, accuracy_m: f64) -> Stretch {
        let fix = |second: i64| Fix {
            fixed_at: Timestamp(second * 1_000 + i64::from(run)),
            recorded_at: Timestamp(second * 1_000 + 300),
            lat_deg: 46.0 + second as f64 * 1e-4,
            lon_deg,
            accuracy_m: Some(accuracy_m),
            altitude_m: None,
            altitude_accuracy_m: None,
            heading_deg: None,
            speed_mps: None,
        };
        Stretch { fixes: seconds.into_iter().map(fix).collect(), run, ..Stretch::default() }
    }

    /// Checks the fixes that count, as runs of consecutive ones with one longitude: the longitude and the number of
    /// fixes.
    fn check(stretches: &[Stretch], expected: &[(f64, usize)]) {
        let found = merged(stretches);
        let same = |a: &Fix, b: &Fix| a.lon_deg == b.lon_deg;
        let found: Vec<_> = found.chunk_by(same).map(|fixes| (fixes[0].lon_deg, fixes.len())).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn of_two_phones_in_one_car_the_more_accurate_one_counts() {
        check(&[run(0, 0..100, 10.0, 9.0), run(1, 0..100, 10.1, 4.0)], &[(10.0, 1), (10.1, 100)]);
        check(&[run(0, 0..100, 10.0, 4.0), run(1, 0..100, 10.1, 9.0)], &[(10.0, 100), (10.1, 1)]);
    }

    #[test]
    fn the_other_fills_what_the_better_one_left_out() {
        let better = || [run(0, 20..50, 10.0, 4.0), run(0, 80..200, 10.0, 4.0)];
        let other = run(1, 0..220, 10.1, 9.0);
        let expected = [(10.1, 20), (10.0, 30), (10.1, 31), (10.0, 120), (10.1, 21)];
        let [first, second] = better();
        check(&[first.clone(), second.clone(), other.clone()], &expected);
        check(&[other, second, first], &expected);
    }

    #[test]
    fn a_copy_of_a_run_adds_nothing() {
        let (one, mut copy) = (run(0, 0..50, 10.0, 5.0), run(0, 0..40, 10.0, 5.0));
        copy.run = 7;
        assert_eq!(merged(&[one.clone(), copy.clone()]), one.fixes);
        assert_eq!(merged(&[copy, one.clone()]), one.fixes);
    }

    #[test]
    fn runs_one_after_the_other_all_count() {
        check(&[run(1, 50..80, 10.1, 30.0), run(0, 0..50, 10.0, 5.0)], &[(10.0, 50), (10.1, 30)]);
    }
}
