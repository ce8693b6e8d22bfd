//! How steep the road is.

use super::STEP_M;
use super::way::RoadSample;

/// Samples on each side over which altitudes are averaged: with the one between them 300 m.
const SIDE: usize = 7;

/// The steepest road, metres per kilometre, over 300 m.
const STEEPEST_M_PER_KM: f64 = 300.0;

/// The steepness at each sample, metres per kilometre, up or down alike: the mean altitude of the seven samples behind
/// against that of the seven before, whose middles are 160 m apart. A receiver's altitude is noisy, and only its differences
/// can be trusted. `None` where an altitude of the 300 m is missing, or where they are steeper than a road: then the receiver
/// has jumped, or settles.
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
