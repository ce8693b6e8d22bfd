//! Speeds: the receiver's Doppler speed if there is one, else the way over at least three seconds.

use std::collections::VecDeque;

use crate::fix::Fix;
use crate::geodesy::{Ecef, Position};
use crate::time::Timestamp;

/// The minimum time base of a speed: shorter ways are mostly noise.
const SHORTEST_BASE_MS: i64 = 3_000;
/// The minimum time between two Doppler readings: a receiver that reports more often repeats its errors.
const DOPPLER_APART_MS: i64 = 800;

/// A speed with its time base.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct SpeedSample {
    pub(super) mps: f64,
    /// Start and end of the time base. Readings without a common time base have independent errors.
    from: Timestamp,
    to: Timestamp,
}

/// Computes speeds within one part of a track.
#[derive(Clone, Debug, Default)]
pub(super) struct Speedometer {
    /// The fixes of the last three seconds and the one before them, oldest first.
    recent: VecDeque<(Timestamp, Ecef)>,
}

impl Speedometer {
    /// Returns the speed at the next fix; `None` without a Doppler speed if the part is too short.
    pub(super) fn read(&mut self, fix: &Fix) -> Option<SpeedSample> {
        let (at, here) = (fix.fixed_at, Ecef::from(Position::from(fix)));
        let is_old_enough = |(then, _): &(Timestamp, Ecef)| at.millis_since(*then) >= SHORTEST_BASE_MS;
        while self.recent.get(1).is_some_and(is_old_enough) {
            self.recent.pop_front();
        }
        let base = self.recent.front().copied().filter(is_old_enough);
        self.recent.push_back((at, here));
        let doppler = |mps: f64| SpeedSample { mps, from: at - DOPPLER_APART_MS, to: at };
        let over_base = |(then, there): (Timestamp, Ecef)| SpeedSample {
            mps: there.chord_m(here) * 1000.0 / at.millis_since(then) as f64,
            from: then,
            to: at,
        };
        fix.speed_mps.map(doppler).or_else(|| base.map(over_base))
    }
}

#[cfg(test)]
impl Speedometer {
    pub(super) fn fixes(&self) -> usize {
        self.recent.len()
    }
}

/// The greatest speed that two consecutive independent readings reach, so that an error of one fix does not count.
#[derive(Clone, Debug, Default)]
pub(super) struct Fastest {
    max_mps: f64,
    /// The readings of the last three seconds of this part and the one before them, oldest first. No time base begins
    /// before that one.
    recent: VecDeque<SpeedSample>,
}

impl Fastest {
    pub(super) fn begin_part(&mut self) {
        self.recent.clear();
    }

    pub(super) fn fold(&mut self, reading: Option<SpeedSample>) {
        let Some(reading) = reading else { return };
        let before = self.recent.partition_point(|earlier| earlier.to <= reading.from);
        if let Some(earlier) = before.checked_sub(1).and_then(|index| self.recent.get(index)) {
            self.max_mps = self.max_mps.max(earlier.mps.min(reading.mps));
        }
        self.recent.push_back(reading);
        let is_old = |earlier: &SpeedSample| reading.to.millis_since(earlier.to) >= SHORTEST_BASE_MS;
        while self.recent.get(1).is_some_and(is_old) {
            self.recent.pop_front();
        }
    }

    pub(super) fn max_mps(&self) -> f64 {
        self.max_mps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks the result for one Doppler speed every `every_ms`.
    fn check(every_ms: i64, speeds_mps: &[f64], expected_mps: f64) {
        let mut fastest = Fastest::default();
        for (at, &mps) in (0..).map(|index| Timestamp(index * every_ms)).zip(speeds_mps) {
            fastest.fold(Some(SpeedSample { mps, from: at - DOPPLER_APART_MS, to: at }));
        }
        assert_eq!(fastest.max_mps(), expected_mps, "{speeds_mps:?}");
    }

    #[test]
    fn the_greatest_speed_is_that_of_two_readings() {
        check(1_000, &[10.0], 0.0);
        check(1_000, &[10.0, 11.0], 10.0);
        check(1_000, &[10.0, 60.0, 11.0, 12.0], 11.0);
        check(1_000, &[60.0, 10.0, 11.0, 12.0], 11.0);
        check(1_000, &[5.0, 20.0, 21.0, 22.0, 3.0, 90.0, 2.0], 21.0);
    }

    #[test]
    fn speeds_within_a_second_are_one_reading() {
        check(100, &[10.0, 60.0, 60.0, 60.0, 60.0, 60.0, 60.0, 10.0, 10.0, 10.0], 10.0);
        check(100, &[12.0; 30], 12.0);
    }
}
