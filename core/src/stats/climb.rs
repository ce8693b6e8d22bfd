//! Ascent and descent of a drive.
//!
//! A receiver's altitude is noisy: the sum of all rises is too great by a sixth to a half. So this module samples one
//! altitude every ten metres of way, takes the median over 300 m, and counts only turns of at least five metres.
//!
//! The rule is the same for every recorder, although a barometer would allow a finer one: in two files whose recorders
//! count themselves, this rule finds 19 % less than a Garmin Edge 810 and 38 % less than an Edge 500. But the noise of
//! a track does not reveal its recorder. Between samples ten metres apart the median second difference is 0.2 and 0.4 m
//! in those two files, and 0.1 to 0.3 m in files of phones, whose filters smooth errors of several metres. With a
//! median over 100 m and turns of two metres, a flat road with such a slow error of 5 m would climb 51 m in 20 km; with
//! this rule it climbs 19 m.
//!
//! Before that, altitudes that are errors of the receiver are left out:
//! 1. altitudes whose stated accuracy is worse than 25 m;
//! 2. an altitude that differs from the last one, or from the median of the last 300 m, by 20 m more than a road can
//!    climb on that way: a quarter of the way, and six metres a second;
//! 3. if the next altitudes agree with such a one, the receiver has jumped: the jump climbs nothing, and a new run of
//!    altitudes begins;
//! 4. a run of less than 300 m, such as the settling after a start, in which each altitude is a jump from those a few
//!    seconds before.

use std::collections::VecDeque;

use crate::fix::Fix;
use crate::time::Timestamp;

/// The way between two samples, metres.
const SPACING_M: f64 = 10.0;
/// The way under the sliding median, metres.
const WINDOW_M: f64 = 300.0;
/// The way under the shortest window, at both ends of a part, metres. So the first and last 50 m climb nothing, and
/// neither does their noise.
const SHORTEST_WINDOW_M: f64 = 100.0;
/// The smallest rise or fall that counts, metres.
const HYSTERESIS_M: f64 = 5.0;
/// The worst accepted accuracy of an altitude, metres.
const ACCURATE_M: f64 = 25.0;
/// The tolerated error of an altitude, metres.
const NOISE_M: f64 = 20.0;
/// The maximum slope of a road.
const STEEPEST: f64 = 0.25;
/// The maximum climb rate of a car, metres per second.
const FASTEST_CLIMB_MPS: f64 = 6.0;
/// The minimum way between two jumps, metres; altitudes of shorter runs are left out.
const SHORTEST_RUN_M: f64 = 300.0;

/// Returns the altitude of a fix, if it is accurate enough.
pub(crate) fn known_altitude_m(fix: &Fix) -> Option<f64> {
    fix.altitude_m.filter(|_| fix.altitude_accuracy_m.is_none_or(|accuracy_m| accuracy_m <= ACCURATE_M))
}

/// Ascent and descent along the way. Stores at most 31 samples.
#[derive(Clone, Debug, Default)]
pub(super) struct Climb {
    way_m: f64,
    /// The samples under the median, oldest first.
    window: VecDeque<AltitudeSample>,
    /// A sample after a possible jump. The next sample decides whether it was one.
    jumped: Option<AltitudeSample>,
    turns: Turns,
    /// Ascent and descent before the present run of altitudes, and the position on the way at which the run began.
    before_run: (Turns, f64),
}

#[derive(Clone, Copy, Debug)]
struct AltitudeSample {
    way_m: f64,
    at: Timestamp,
    altitude_m: f64,
}

impl AltitudeSample {
    fn goes_on_after(&self, last: &AltitudeSample) -> bool {
        self.is_plausible_after(last.way_m, last.at, last.altitude_m)
    }

    /// Returns whether a car can be at this altitude, given an earlier altitude.
    fn is_plausible_after(&self, way_m: f64, at: Timestamp, altitude_m: f64) -> bool {
        let by_road_m = STEEPEST * (self.way_m - way_m);
        let by_time_m = FASTEST_CLIMB_MPS * self.at.millis_since(at) as f64 / 1000.0;
        (self.altitude_m - altitude_m).abs() <= NOISE_M + by_road_m.min(by_time_m)
    }
}

impl Climb {
    /// Changes of the altitude over a gap do not count.
    pub(super) fn begin_part(&mut self) {
        self.end_run(0.0);
        self.jumped = None;
    }

    pub(super) fn fold(&mut self, distance_m: f64, at: Timestamp, altitude_m: Option<f64>) {
        self.way_m += distance_m;
        let Some(altitude_m) = altitude_m else { return };
        let last = self.jumped.as_ref().or(self.window.back());
        if last.is_some_and(|last| self.way_m - last.way_m < SPACING_M) {
            return;
        }
        let sample = AltitudeSample { way_m: self.way_m, at, altitude_m };
        if !self.goes_on_with(&sample) {
            let jumped = self.jumped.replace(sample).filter(|jumped| sample.goes_on_after(jumped));
            let Some(jumped) = jumped else { return };
            self.end_run(SHORTEST_RUN_M);
            self.window.push_back(jumped);
        }
        self.jumped = None;
        self.window.push_back(sample);
        while self.window.front().is_some_and(|first| self.way_m - first.way_m > WINDOW_M) {
            self.window.pop_front();
        }
        self.turns.fold_median(&self.window);
    }

    /// Returns whether a sample is plausible after those under the median.
    fn goes_on_with(&self, sample: &AltitudeSample) -> bool {
        let (Some(middle), Some(last)) = (self.window.get(self.window.len() / 2), self.window.back()) else {
            return true;
        };
        sample.is_plausible_after(middle.way_m, middle.at, median_m(&self.window)) && sample.goes_on_after(last)
    }

    /// Ends a run of comparable altitudes. A run shorter than this does not count.
    fn end_run(&mut self, shortest_m: f64) {
        let (before, began_m) = &self.before_run;
        let is_short = self.way_m - began_m < shortest_m;
        self.turns = if is_short { before.clone() } else { self.finished() };
        self.turns.trend = Trend::Unknown;
        self.before_run = (self.turns.clone(), self.way_m);
        self.window.clear();
    }

    #[cfg(test)]
    pub(super) fn samples(&self) -> usize {
        self.window.len()
    }

    pub(super) fn ascent_and_descent_m(&self) -> (f64, f64) {
        let turns = self.finished();
        (turns.ascent_m, turns.descent_m)
    }

    /// At the end the window shrinks as it grew at the beginning, so that the last 150 m count like the first.
    fn finished(&self) -> Turns {
        let mut turns = self.turns.clone();
        let mut window = self.window.clone();
        while window.pop_front().is_some() {
            turns.fold_median(&window);
        }
        turns
    }
}

/// Returns the median of altitudes; 0 without any.
fn median_m(window: &VecDeque<AltitudeSample>) -> f64 {
    let mut altitudes_m: Vec<f64> = Vec::with_capacity(window.len());
    for sample in window {
        let place = altitudes_m.partition_point(|lower| lower.total_cmp(&sample.altitude_m).is_le());
        altitudes_m.insert(place, sample.altitude_m);
    }
    let at = |place: usize| altitudes_m.get(place).copied().unwrap_or(0.0);
    (at(altitudes_m.len().saturating_sub(1) / 2) + at(altitudes_m.len() / 2)) / 2.0
}

/// The sums of rises and falls between turning points that differ by at least the hysteresis.
#[derive(Clone, Debug, Default)]
struct Turns {
    ascent_m: f64,
    descent_m: f64,
    trend: Trend,
}

#[derive(Clone, Copy, Debug, Default)]
enum Trend {
    #[default]
    Unknown,
    Level {
        low_m: f64,
        high_m: f64,
    },
    Climbing {
        top_m: f64,
    },
    Descending {
        bottom_m: f64,
    },
}

impl Turns {
    /// Adds the median of a window, if the window is long enough.
    fn fold_median(&mut self, window: &VecDeque<AltitudeSample>) {
        let (Some(from), Some(to)) = (window.front(), window.back()) else { return };
        if to.way_m - from.way_m >= SHORTEST_WINDOW_M {
            self.fold(median_m(window));
        }
    }

    fn fold(&mut self, altitude_m: f64) {
        self.trend = match self.trend {
            Trend::Unknown => Trend::Level { low_m: altitude_m, high_m: altitude_m },
            Trend::Level { low_m, .. } if altitude_m - low_m >= HYSTERESIS_M => self.rise(low_m, altitude_m),
            Trend::Level { high_m, .. } if high_m - altitude_m >= HYSTERESIS_M => self.fall(high_m, altitude_m),
            Trend::Level { low_m, high_m } => {
                Trend::Level { low_m: low_m.min(altitude_m), high_m: high_m.max(altitude_m) }
            }
            Trend::Climbing { top_m } if altitude_m > top_m => self.rise(top_m, altitude_m),
            Trend::Climbing { top_m } if top_m - altitude_m >= HYSTERESIS_M => self.fall(top_m, altitude_m),
            Trend::Climbing { top_m } => Trend::Climbing { top_m },
            Trend::Descending { bottom_m } if altitude_m < bottom_m => self.fall(bottom_m, altitude_m),
            Trend::Descending { bottom_m } if altitude_m - bottom_m >= HYSTERESIS_M => self.rise(bottom_m, altitude_m),
            Trend::Descending { bottom_m } => Trend::Descending { bottom_m },
        };
    }

    fn rise(&mut self, from_m: f64, to_m: f64) -> Trend {
        self.ascent_m += to_m - from_m;
        Trend::Climbing { top_m: to_m }
    }

    fn fall(&mut self, from_m: f64, to_m: f64) -> Trend {
        self.descent_m += from_m - to_m;
        Trend::Descending { bottom_m: to_m }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The turns of unfiltered altitudes.
    fn turns(altitudes_m: &[f64]) -> (f64, f64) {
        let mut turns = Turns::default();
        altitudes_m.iter().for_each(|&altitude_m| turns.fold(altitude_m));
        (turns.ascent_m, turns.descent_m)
    }

    /// Ascent and descent with one altitude every 10 m, which takes one second.
    fn climb(altitudes_m: impl IntoIterator<Item = f64>) -> (f64, f64) {
        let mut climb = Climb::default();
        let seconds = (0..).map(|second| Timestamp(1_000 * second));
        seconds.zip(altitudes_m).for_each(|(at, altitude_m)| climb.fold(SPACING_M, at, Some(altitude_m)));
        climb.ascent_and_descent_m()
    }

    #[test]
    fn turns_under_five_metres_do_not_count() {
        assert_eq!(turns(&[100.0, 104.0, 100.0, 104.0, 101.0]), (0.0, 0.0));
        assert_eq!(turns(&[100.0, 105.0]), (5.0, 0.0));
        assert_eq!(turns(&[100.0, 110.0, 106.0, 120.0]), (20.0, 0.0));
        assert_eq!(turns(&[100.0, 110.0, 105.0, 120.0]), (25.0, 5.0));
        assert_eq!(turns(&[100.0, 97.0, 103.0, 90.0]), (6.0, 13.0));
    }

    #[test]
    fn a_climb_counts_but_for_fifty_metres_of_way_at_both_ends() {
        assert_eq!(climb((0..=200).map(f64::from)), (190.0, 0.0));
        assert_eq!(climb((0..=200).rev().map(f64::from)), (0.0, 190.0));
    }

    #[test]
    fn spikes_and_noise_climb_nothing() {
        let spikes = (0..300).map(|index| if index % 40 == 20 { 150.0 } else { 100.0 });
        assert_eq!(climb(spikes), (0.0, 0.0));
        let noise = (0..300).map(|index| 100.0 + 4.0 * f64::from(index * 7919 % 13 - 6) / 6.0);
        assert_eq!(climb(noise), (0.0, 0.0));
    }

    #[test]
    fn a_receiver_that_settles_or_jumps_climbs_nothing() {
        let settling = (0..600).map(|index| (-704.0 + 11.54 * f64::from(index)).min(450.0));
        assert_eq!(climb(settling), (0.0, 0.0));
        let slower = (0..600).map(|index| (-104.0 + 4.0 * f64::from(index)).min(450.0));
        let (ascent_m, descent_m) = climb(slower);
        assert!(ascent_m <= 40.0 && descent_m == 0.0, "{ascent_m} {descent_m}");
        let jumps = (0..600).map(|index| if (200..400).contains(&index) { 148.0 } else { 100.0 });
        assert_eq!(climb(jumps), (0.0, 0.0));
        // A road with a slope of a fifth and a jump.
        let steep = (0..300).map(|index| 2.0 * f64::from(index) + if index < 150 { 0.0 } else { 60.0 });
        let (ascent_m, descent_m) = climb(steep);
        assert!((550.0..600.0).contains(&ascent_m) && descent_m == 0.0, "{ascent_m} {descent_m}");
    }

    /// Returns numbers from -1 to 1.
    fn noise(state: &mut u64) -> f64 {
        *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*state >> 33) as f64 / f64::from(1 << 30) - 1.0
    }

    /// Returns ascent and descent of 20 km over hills of this height and length at 14 m/s. One fix of `one_in` has an
    /// altitude. The error of the altitude has a part that wanders within a minute and a part that jitters, with these
    /// deviations.
    fn hills(height_m: f64, length_m: f64, (wander_m, jitter_m): (f64, f64), one_in: i64) -> f64 {
        let (mut climb, mut state) = (Climb::default(), 1);
        let mut normal = || (0..3).map(|_| noise(&mut state)).sum::<f64>();
        let (kept, mut error_m) = (59.0 / 60.0, wander_m * normal());
        for second in 0..=1_428 {
            error_m = kept * error_m + wander_m * libm::sqrt(1.0 - kept * kept) * normal();
            let turns = 14.0 * second as f64 / length_m;
            let true_m = height_m / 2.0 * (1.0 - libm::cos(core::f64::consts::TAU * turns));
            let altitude_m = true_m + error_m + jitter_m * normal();
            climb.fold(14.0, Timestamp(1_000 * second), Some(altitude_m).filter(|_| second % one_in == 0));
        }
        climb.ascent_and_descent_m().0
    }

    #[test]
    fn known_hills_are_climbed_as_high_as_they_are_whatever_measures_and_however_seldom() {
        let (barometer, receiver) = ((0.0, 0.2), (3.0, 0.1));
        for (height_m, length_m, true_m) in [(30.0, 1_600.0, 390.0), (60.0, 3_000.0, 420.0)] {
            for (errors_m, one_in) in [(barometer, 1), (barometer, 4), (receiver, 1), (receiver, 4)] {
                let ratio = hills(height_m, length_m, errors_m, one_in) / true_m;
                assert!((0.9..=1.1).contains(&ratio), "{height_m} m, {errors_m:?}, one in {one_in}: {ratio}");
            }
        }
        // Low and short hills lose a fifth under the median, with any recorder.
        for errors_m in [barometer, receiver] {
            let ratio = hills(10.0, 800.0, errors_m, 1) / 250.0;
            assert!((0.75..=1.0).contains(&ratio), "{errors_m:?}: {ratio}");
        }
        // A flat road.
        assert_eq!(hills(0.0, 1_000.0, barometer, 1), 0.0);
        for one_in in [1, 4] {
            let ascent_m = hills(0.0, 1_000.0, receiver, one_in);
            assert!(ascent_m <= 60.0, "one in {one_in}: {ascent_m}");
        }
    }

    #[test]
    fn what_changed_over_a_gap_does_not_count() {
        let mut climb = Climb::default();
        (0..=100).for_each(|metre| climb.fold(SPACING_M, Timestamp(1_000 * i64::from(metre)), Some(f64::from(metre))));
        climb.begin_part();
        (0..=100).for_each(|metre| {
            climb.fold(SPACING_M, Timestamp(1_000 * i64::from(metre)), Some(f64::from(1000 - metre)))
        });
        assert_eq!(climb.ascent_and_descent_m(), (90.0, 90.0));
    }

    #[test]
    fn a_standing_car_keeps_no_samples() {
        let mut climb = Climb::default();
        (0..100_000).for_each(|index| climb.fold(0.0, Timestamp(index), Some((index % 50) as f64)));
        assert_eq!((climb.window.len(), climb.ascent_and_descent_m()), (1, (0.0, 0.0)));
    }
}
