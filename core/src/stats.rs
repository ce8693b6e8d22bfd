//! The statistics of a drive, updated fix by fix.
//!
//! Statistics are a fold over accepted fixes and nothing else. So they are the same while recording, from the stored
//! track, and from the redacted track. The cost of a fix does not depend on the number of fixes before it.

mod climb;
mod motion;
mod speed;

use serde::{Deserialize, Serialize};

use crate::fix::Fix;
use crate::geodesy::distance_m;
use crate::time::Timestamp;
use crate::track::parts::RecentIntervals;

use climb::Climb;
pub(crate) use climb::known_altitude_m;
use motion::Motion;
use speed::{Fastest, Speedometer};

/// The statistics of a drive, rounded for display: whole metres, 0.1 m/s.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, minicbor::Encode, minicbor::Decode)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct DriveStats {
    /// The distance over the ellipsoid, without gaps, metres.
    #[n(0)]
    pub distance_m: f64,
    /// The sum of the straight lines over all gaps, metres: a lower bound of the unmeasured distance.
    #[n(1)]
    pub gap_distance_m: f64,
    /// The time from the first fix to the last, with stops and gaps, milliseconds.
    #[n(2)]
    #[cfg_attr(feature = "ts", ts(type = "number"))]
    pub duration_ms: i64,
    /// The time in motion, without stops and gaps, milliseconds.
    #[n(3)]
    #[cfg_attr(feature = "ts", ts(type = "number"))]
    pub moving_ms: i64,
    /// Distance by moving time, metres per second; 0 without moving time.
    #[n(4)]
    pub mean_speed_mps: f64,
    /// The greatest speed that two independent readings support, metres per second; never below the mean.
    #[n(5)]
    pub max_speed_mps: f64,
    /// The ascent, metres.
    #[n(6)]
    pub ascent_m: f64,
    /// The descent, metres.
    #[n(7)]
    pub descent_m: f64,
    /// The number of accepted fixes.
    #[n(8)]
    pub fixes: u32,
    /// The number of refused fixes.
    #[n(9)]
    pub refused: u32,
    /// The number of gaps: one less than the number of parts.
    #[n(10)]
    pub gaps: u32,
}

impl DriveStats {
    /// Returns whether the values can be those of a drive: finite and not negative.
    pub fn is_valid(&self) -> bool {
        let metres = [self.distance_m, self.gap_distance_m, self.ascent_m, self.descent_m];
        let speeds = [self.mean_speed_mps, self.max_speed_mps];
        let sound = |figure: &f64| figure.is_finite() && *figure >= 0.0;
        metres.iter().chain(&speeds).all(sound) && self.duration_ms >= 0 && self.moving_ms >= 0
    }
}

/// The statistics of a drive so far, unrounded.
#[derive(Clone, Debug, Default)]
pub struct RunningStats {
    first_at: Timestamp,
    /// The present part of the track.
    part: Option<OpenPart>,
    rhythm: RecentIntervals,
    distance_m: f64,
    gap_distance_m: f64,
    moving_ms: i64,
    fixes: u32,
    gaps: u32,
    fastest: Fastest,
    climb: Climb,
}

#[derive(Clone, Debug)]
struct OpenPart {
    last: Fix,
    motion: Motion,
    speedometer: Speedometer,
    speed_mps: Option<f64>,
}

impl RunningStats {
    /// Returns the statistics of accepted fixes, whose times must increase strictly.
    ///
    /// # Examples
    /// ```
    /// use tourismo_core::fix::Fix;
    /// use tourismo_core::stats::RunningStats;
    /// use tourismo_core::time::Timestamp;
    ///
    /// // A minute to the north at 11.1 m/s.
    /// let fix = |second: i32| Fix {
    ///     fixed_at: Timestamp(1_700_000_000_000) + 1_000 * i64::from(second),
    ///     recorded_at: Timestamp(1_700_000_000_000) + 1_000 * i64::from(second),
    ///     lat_deg: 46.5 + 1e-4 * f64::from(second),
    ///     lon_deg: 10.4,
    ///     accuracy_m: Some(5.0),
    ///     altitude_m: None,
    ///     altitude_accuracy_m: None,
    ///     heading_deg: None,
    ///     speed_mps: Some(11.1),
    /// };
    /// let fixes: Vec<_> = (0..=60).map(fix).collect();
    /// let stats = RunningStats::of(&fixes).summary();
    /// assert_eq!((stats.fixes, stats.duration_ms), (61, 60_000));
    /// assert_eq!((stats.distance_m, stats.max_speed_mps), (667.0, 11.1));
    /// ```
    pub fn of<'a>(fixes: impl IntoIterator<Item = &'a Fix>) -> RunningStats {
        let mut stats = RunningStats::default();
        fixes.into_iter().for_each(|fix| stats.fold(fix));
        stats
    }

    /// Adds the next accepted fix, which must be quantised and later than the one before.
    pub fn fold(&mut self, fix: &Fix) {
        self.fixes = self.fixes.saturating_add(1);
        let Some(part) = &mut self.part else {
            self.first_at = fix.fixed_at;
            return self.begin_part(fix);
        };
        let last = std::mem::replace(&mut part.last, *fix);
        let way_m = distance_m((&last).into(), fix.into());
        if self.rhythm.is_gap(&last, fix, way_m) {
            self.gap_distance_m += way_m;
            self.gaps = self.gaps.saturating_add(1);
            return self.begin_part(fix);
        }
        let reading = part.speedometer.read(fix);
        part.speed_mps = reading.map(|reading| reading.mps);
        let progress = part.motion.step(&last, fix, way_m, part.speed_mps);
        self.fastest.fold(reading);
        self.distance_m += progress.distance_m;
        self.moving_ms += progress.moving_ms;
        self.climb.fold(progress.distance_m, fix.fixed_at, known_altitude_m(fix));
    }

    fn begin_part(&mut self, fix: &Fix) {
        let mut speedometer = Speedometer::default();
        self.fastest.begin_part();
        let reading = speedometer.read(fix);
        self.fastest.fold(reading);
        self.climb.begin_part();
        self.climb.fold(0.0, fix.fixed_at, known_altitude_m(fix));
        let speed_mps = reading.map(|reading| reading.mps);
        self.part = Some(OpenPart { last: *fix, motion: Motion::standing_at(fix), speedometer, speed_mps });
    }

    /// Returns the last fix.
    pub fn last(&self) -> Option<&Fix> {
        self.part.as_ref().map(|part| &part.last)
    }

    /// Returns the speed at the last fix, metres per second, if it is known.
    pub fn speed_mps(&self) -> Option<f64> {
        self.part.as_ref().and_then(|part| part.speed_mps)
    }

    /// Returns the statistics so far, rounded.
    pub fn summary(&self) -> DriveStats {
        let (ascent_m, descent_m) = self.climb.ascent_and_descent_m();
        let moving_s = self.moving_ms as f64 / 1000.0;
        let mean_speed_mps = if self.moving_ms > 0 { self.distance_m / moving_s } else { 0.0 };
        DriveStats {
            distance_m: self.distance_m,
            gap_distance_m: self.gap_distance_m,
            duration_ms: self.last().map_or(0, |last| last.fixed_at.millis_since(self.first_at)),
            moving_ms: self.moving_ms,
            mean_speed_mps,
            // The greatest speed cannot be below the mean, also if there are too few fixes for a reading.
            max_speed_mps: self.fastest.max_mps().max(mean_speed_mps),
            ascent_m,
            descent_m,
            fixes: self.fixes,
            refused: 0,
            gaps: self.gaps,
        }
        .rounded()
    }
}

impl DriveStats {
    /// Statistics are rounded here only. Times are whole milliseconds already.
    fn rounded(self) -> DriveStats {
        let to_tenths = |mps: f64| (mps * 10.0).round() / 10.0;
        DriveStats {
            distance_m: self.distance_m.round(),
            gap_distance_m: self.gap_distance_m.round(),
            mean_speed_mps: to_tenths(self.mean_speed_mps),
            max_speed_mps: to_tenths(self.max_speed_mps),
            ascent_m: self.ascent_m.round(),
            descent_m: self.descent_m.round(),
            ..self
        }
    }
}

#[cfg(test)]
mod tests;
