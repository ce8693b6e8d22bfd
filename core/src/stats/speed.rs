//! How fast: the receiver's Doppler speed where there is one, else the way of at least three seconds.

use std::collections::VecDeque;

use crate::fix::Fix;
use crate::geodesy::{Ecef, Position};
use crate::time::Timestamp;

/// Shorter ways are more noise than way.
const SHORTEST_BASE_MS: i64 = 3_000;

/// Speeds within one part of a track.
#[derive(Clone, Debug, Default)]
pub(super) struct Speedometer {
    /// The fixes of the last three seconds and one before them, oldest first.
    recent: VecDeque<(Timestamp, Ecef)>,
}

impl Speedometer {
    /// The speed at the next fix, metres per second; `None` if the receiver does not tell and the part is too young.
    pub(super) fn read_mps(&mut self, fix: &Fix) -> Option<f64> {
        let here = Ecef::from(Position::from(fix));
        let is_old_enough = |(at, _): &(Timestamp, Ecef)| fix.fixed_at.millis_since(*at) >= SHORTEST_BASE_MS;
        while self.recent.get(1).is_some_and(is_old_enough) {
            self.recent.pop_front();
        }
        let base = self.recent.front().copied().filter(is_old_enough);
        self.recent.push_back((fix.fixed_at, here));
        let over_base_mps =
            |(at, there): (Timestamp, Ecef)| there.chord_m(here) * 1000.0 / fix.fixed_at.millis_since(at) as f64;
        fix.speed_mps.or_else(|| base.map(over_base_mps))
    }
}

#[cfg(test)]
impl Speedometer {
    pub(super) fn fixes(&self) -> usize {
        self.recent.len()
    }
}

/// The greatest speed that is not a single spike: the maximum of the medians of three consecutive speeds.
#[derive(Clone, Debug, Default)]
pub(super) struct Fastest {
    max_mps: f64,
    before_mps: [Option<f64>; 2],
}

impl Fastest {
    pub(super) fn begin_part(&mut self) {
        self.before_mps = [None; 2];
    }

    pub(super) fn fold(&mut self, speed_mps: Option<f64>) {
        let Some(third) = speed_mps else { return self.begin_part() };
        let [first, second] = self.before_mps;
        if let (Some(first), Some(second)) = (first, second) {
            let median = first.max(second).min(first.min(second).max(third));
            self.max_mps = self.max_mps.max(median);
        }
        self.before_mps = [second, Some(third)];
    }

    pub(super) fn max_mps(&self) -> f64 {
        self.max_mps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(speeds_mps: &[f64], expected_mps: f64) {
        let mut fastest = Fastest::default();
        speeds_mps.iter().for_each(|&speed| fastest.fold(Some(speed)));
        assert_eq!(fastest.max_mps(), expected_mps, "{speeds_mps:?}");
    }

    #[test]
    fn the_greatest_speed_is_the_greatest_median_of_three() {
        check(&[10.0, 11.0], 0.0);
        check(&[10.0, 12.0, 11.0], 11.0);
        check(&[10.0, 60.0, 11.0, 12.0], 12.0);
        check(&[60.0, 10.0, 11.0, 12.0], 11.0);
        check(&[5.0, 20.0, 21.0, 22.0, 3.0, 90.0, 2.0], 22.0);
    }

    #[test]
    fn an_unknown_speed_breaks_the_row() {
        let mut fastest = Fastest::default();
        [Some(9.0), Some(9.0), None, Some(9.0), Some(9.0)].into_iter().for_each(|speed| fastest.fold(speed));
        assert_eq!(fastest.max_mps(), 0.0);
    }
}
