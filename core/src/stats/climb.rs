//! How much a drive climbs and descends.
//!
//! A receiver's altitude is noisy: the sum of all its rises is too great by a sixth to a half. So one altitude is taken
//! every ten metres of way, then the median over 300 m, and of that only turns of at least five metres count.

use std::collections::VecDeque;

/// Way between two samples, metres.
const SPACING_M: f64 = 10.0;
/// Way under the sliding median, metres.
const WINDOW_M: f64 = 300.0;
/// Way under the shortest window, at both ends of a part: the first and last 50 m climb nothing, noise there neither.
const SHORTEST_WINDOW_M: f64 = 100.0;
/// The smallest rise or fall that counts, metres.
const HYSTERESIS_M: f64 = 5.0;

/// Ascent and descent along the way. At most 31 samples are kept.
#[derive(Clone, Debug, Default)]
pub(super) struct Climb {
    way_m: f64,
    /// Where on the way each sample was taken, and its altitude; oldest first.
    window: VecDeque<(f64, f64)>,
    turns: Turns,
}

impl Climb {
    /// Whatever changed over a gap was not seen.
    pub(super) fn begin_part(&mut self) {
        self.turns = self.finished();
        self.turns.trend = Trend::Unknown;
        self.window.clear();
    }

    pub(super) fn fold(&mut self, distance_m: f64, altitude_m: Option<f64>) {
        self.way_m += distance_m;
        let Some(altitude_m) = altitude_m else { return };
        if self.window.back().is_some_and(|(at_m, _)| self.way_m - at_m < SPACING_M) {
            return;
        }
        self.window.push_back((self.way_m, altitude_m));
        while self.window.front().is_some_and(|(at_m, _)| self.way_m - at_m > WINDOW_M) {
            self.window.pop_front();
        }
        self.turns.fold_median(&self.window);
    }

    #[cfg(test)]
    pub(super) fn samples(&self) -> usize {
        self.window.len()
    }

    pub(super) fn ascent_and_descent_m(&self) -> (f64, f64) {
        let turns = self.finished();
        (turns.ascent_m, turns.descent_m)
    }

    /// At the end the window closes as it opened at the beginning, so that the last 150 m count as the first do.
    fn finished(&self) -> Turns {
        let mut turns = self.turns.clone();
        let mut window = self.window.clone();
        while window.pop_front().is_some() {
            turns.fold_median(&window);
        }
        turns
    }
}

/// The sum of rises and falls between turning points that differ by the hysteresis or more.
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
    /// The next altitude is the median of a window, if that is long enough.
    fn fold_median(&mut self, window: &VecDeque<(f64, f64)>) {
        let (Some((from_m, _)), Some((to_m, _))) = (window.front(), window.back()) else { return };
        if to_m - from_m < SHORTEST_WINDOW_M {
            return;
        }
        let mut altitudes_m: Vec<f64> = Vec::with_capacity(window.len());
        for (_, altitude_m) in window {
            let place = altitudes_m.partition_point(|lower| lower.total_cmp(altitude_m).is_le());
            altitudes_m.insert(place, *altitude_m);
        }
        let (lower, upper) = (altitudes_m[(altitudes_m.len() - 1) / 2], altitudes_m[altitudes_m.len() / 2]);
        self.fold((lower + upper) / 2.0);
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

    /// The turns of altitudes as they are.
    fn turns(altitudes_m: &[f64]) -> (f64, f64) {
        let mut turns = Turns::default();
        altitudes_m.iter().for_each(|&altitude_m| turns.fold(altitude_m));
        (turns.ascent_m, turns.descent_m)
    }

    /// Ascent and descent with one altitude every 10 m.
    fn climb(altitudes_m: impl IntoIterator<Item = f64>) -> (f64, f64) {
        let mut climb = Climb::default();
        altitudes_m.into_iter().for_each(|altitude_m| climb.fold(SPACING_M, Some(altitude_m)));
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
    fn what_changed_over_a_gap_does_not_count() {
        let mut climb = Climb::default();
        (0..=100).for_each(|metre| climb.fold(SPACING_M, Some(f64::from(metre))));
        climb.begin_part();
        (0..=100).for_each(|metre| climb.fold(SPACING_M, Some(f64::from(1000 - metre))));
        assert_eq!(climb.ascent_and_descent_m(), (90.0, 90.0));
    }

    #[test]
    fn a_standing_car_keeps_no_samples() {
        let mut climb = Climb::default();
        (0..100_000).for_each(|index| climb.fold(0.0, Some(f64::from(index % 50))));
        assert_eq!((climb.window.len(), climb.ascent_and_descent_m()), (1, (0.0, 0.0)));
    }
}
