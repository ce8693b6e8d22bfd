//! The slope of the road.

use super::STEP_M;
use super::way::RoadSample;

/// Number of samples on each side over which altitudes are averaged: 300 m with the one between them.
const SIDE: usize = 7;

/// The maximum slope of a road over 300 m, metres per kilometre.
const STEEPEST_M_PER_KM: f64 = 300.0;

/// Returns the slope at each sample, metres per kilometre, up or down: the mean altitude of the seven samples behind
/// against that of the seven ahead, whose middles are 160 m apart. A receiver's altitude is noisy, and only its
/// differences are reliable. `None` if an altitude of the 300 m is missing, or if the slope exceeds that of any road:
/// then the receiver has jumped or is settling.
pub(super) fn along(samples: &[RoadSample]) -> Vec<Option<u32>> {
    let mut grades = vec![None; samples.len()];
    for (window, grade) in samples.windows(2 * SIDE + 1).zip(grades.iter_mut().skip(SIDE)) {
        let sum_m = |side: &[RoadSample]| side.iter().try_fold(0.0, |sum_m, sample| Some(sum_m + sample.altitude_m?));
        let rise_m = |(before_m, behind_m): (f64, f64)| (behind_m - before_m) / SIDE as f64;
        let middles_km = f64::from(STEP_M) * (SIDE + 1) as f64 / 1000.0;
        *grade = sum_m(&window[..SIDE])
            .zip(sum_m(&window[SIDE + 1..]))
            .map(rise_m)
            .map(|rise_m| rise_m.abs() / middles_km)
            .filter(|grade_m_per_km| *grade_m_per_km <= STEEPEST_M_PER_KM)
            .map(|grade_m_per_km| grade_m_per_km.round() as u32);
    }
    grades
}
