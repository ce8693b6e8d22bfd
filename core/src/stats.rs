//! The figures of a drive, kept up to date fix by fix.
//!
//! They are a fold over accepted fixes and nothing else, so that they come out the same while recording, from the stored
//! track, and from what is left of it after redaction. Each fix costs the same, be it the first or the 36,000th.

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

/// The figures of a drive, rounded to what is shown: whole metres, 0.1 m/s.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, minicbor::Encode, minicbor::Decode)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct DriveStats {
    /// What was driven, over the ellipsoid and without gaps, metres.
    #[n(0)]
    pub distance_m: f64,
    /// The straight lines over all gaps, metres: the least that was driven unmeasured.
    #[n(1)]
    pub gap_distance_m: f64,
    /// From the first fix to the last, with stops and gaps, milliseconds.
    #[n(2)]
    #[cfg_attr(feature = "ts", ts(type = "number"))]
    pub duration_ms: i64,
    /// The time in motion, without stops and gaps, milliseconds.
    #[n(3)]
    #[cfg_attr(feature = "ts", ts(type = "number"))]
    pub moving_ms: i64,
    /// Distance by time in motion, metres per second; 0 if there was no motion.
    #[n(4)]
    pub mean_speed_mps: f64,
    /// The greatest speed that two readings of their own support, metres per second; never less than the mean.
    #[n(5)]
    pub max_speed_mps: f64,
    /// Metres climbed.
    #[n(6)]
    pub ascent_m: f64,
    /// Metres descended.
    #[n(7)]
    pub descent_m: f64,
    /// Accepted fixes.
    #[n(8)]
    pub fixes: u32,
    /// Refused fixes.
    #[n(9)]
    pub refused: u32,
    /// Gaps: one less than the parts.
    #[n(10)]
    pub gaps: u32,
}

impl DriveStats {
    /// Whether the figures can be those of a drive: finite, none below 0.
    pub fn is_valid(&self) -> bool {
        let metres = [self.distance_m, self.gap_distance_m, self.ascent_m, self.descent_m];
        let speeds = [self.mean_speed_mps, self.max_speed_mps];
        let sound = |figure: &f64| figure.is_finite() && *figure >= 0.0;
        metres.iter().chain(&speeds).all(sound) && self.duration_ms >= 0 && self.moving_ms >= 0
    }
}

/// The figures of a drive so far, unrounded.
#[derive(Clone, Debug, Default)]
pub struct RunningStats {
    first_at: Timestamp,
    /// The part of the track that is being driven.
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
    /// The figures of accepted fixes, strictly increasing in time.
    pub fn of<'a>(fixes: impl IntoIterator<Item = &'a Fix>) -> RunningStats {
        let mut stats = RunningStats::default();
        fixes.into_iter().for_each(|fix| stats.fold(fix));
        stats
    }

    /// Takes in the next accepted fix, quantised, later than the one before.
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

    /// The last fix that was taken in.
    pub fn last(&self) -> Option<&Fix> {
        self.part.as_ref().map(|part| &part.last)
    }

    /// The speed at the last fix, metres per second, if it is known.
    pub fn speed_mps(&self) -> Option<f64> {
        self.part.as_ref().and_then(|part| part.speed_mps)
    }

    /// The figures so far, rounded.
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
            // Whoever went so far in that time was as fast at least once, also where fixes are too few for readings.
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
    /// The one place where figures are rounded. Times are whole milliseconds already.
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
