//! Lines for maps and profiles for charts: small, however long the drive is.

mod date_line;

use serde::{Deserialize, Serialize};

pub use self::date_line::{cut_line, cut_parts};

use crate::fix::Fix;
use crate::geodesy::{Position, TangentPlane, distance_m};
use crate::track::parts::Part;

/// Maximum number of samples of a [`Profile`].
pub const MAX_SAMPLES: usize = 512;

/// Number of fixes that are simplified at once: the time is quadratic for a hostile track.
const FIXES_AT_ONCE: usize = 1_024;

/// A line for a map. It has no segment over a gap, and none around the world where the track crosses the date line.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct Line {
    /// The points of each part as `[longitude, latitude]`, degrees; at least one. This is a MultiLineString of RFC
    /// 7946, except for parts with a single point.
    pub parts: Vec<Vec<[f64; 2]>>,
}

/// A profile for charts: columns of equal length, at most [`MAX_SAMPLES`].
///
/// At a gap, speed and altitude are `null` once, so that a chart interrupts its line.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct Profile {
    /// Time since the first fix, seconds; non-decreasing.
    pub elapsed_s: Vec<f64>,
    /// Way since the first fix, gaps as straight lines, metres; non-decreasing.
    pub way_m: Vec<f64>,
    /// The receiver's speed, metres per second.
    pub speed_mps: Vec<Option<f64>>,
    /// Altitude, metres.
    pub altitude_m: Vec<Option<f64>>,
}

impl Line {
    /// Returns a subset of the points whose line stays within `tolerance_m` of the track (Ramer–Douglas–Peucker, for
    /// every 1,024 fixes on the plane that touches the earth at their middle). The ends of parts are kept; a tolerance
    /// of 0 keeps every point.
    pub fn simplified(parts: &[Part], tolerance_m: f64) -> Line {
        let lines = parts.iter().map(|part| simplified_part(&part.fixes, tolerance_m));
        Line { parts: lines.flat_map(cut_line).collect() }
    }
}

fn simplified_part(fixes: &[Fix], tolerance_m: f64) -> Vec<[f64; 2]> {
    let mut line: Vec<[f64; 2]> = Vec::new();
    // Each piece begins where the last one ends.
    for from in (0..fixes.len().saturating_sub(1).max(1)).step_by(FIXES_AT_ONCE) {
        line.pop();
        line.extend(simplified(&fixes[from..fixes.len().min(from + FIXES_AT_ONCE + 1)], tolerance_m));
    }
    line
}

fn simplified(fixes: &[Fix], tolerance_m: f64) -> Vec<[f64; 2]> {
    let Some(middle) = fixes.get(fixes.len() / 2) else { return Vec::new() };
    let plane = TangentPlane::at(middle.into());
    let points: Vec<(f64, f64)> = fixes.iter().map(|fix| plane.project_m(fix.into())).collect();
    kept(&points, tolerance_m).into_iter().map(|index| [fixes[index].lon_deg, fixes[index].lat_deg]).collect()
}

/// Returns the indices of the points to keep, so that all others are within the tolerance of the line through them
/// (Douglas and Peucker, 1973). A tolerance of 0 keeps all.
fn kept(points: &[(f64, f64)], tolerance_m: f64) -> Vec<usize> {
    if tolerance_m <= 0.0 || points.len() < 3 {
        return (0..points.len()).collect();
    }
    let mut kept = vec![0];
    // The ends of the segments to examine, the next one on top.
    let mut ends = vec![points.len() - 1];
    while let (Some(&from), Some(&to)) = (kept.last(), ends.last()) {
        let apart = |index: &usize| squared_distance(points[*index], points[from], points[to]);
        match (from + 1..to).max_by(|a, b| apart(a).total_cmp(&apart(b))) {
            Some(farthest) if apart(&farthest) > tolerance_m * tolerance_m => ends.push(farthest),
            Some(_) | None => {
                kept.push(to);
                ends.pop();
            }
        }
    }
    kept
}

/// Returns the square of the distance from a point to a segment.
fn squared_distance((x, y): (f64, f64), (ax, ay): (f64, f64), (bx, by): (f64, f64)) -> f64 {
    let (dx, dy) = (bx - ax, by - ay);
    let length = dx * dx + dy * dy;
    let along = if length > 0.0 { (((x - ax) * dx + (y - ay) * dy) / length).clamp(0.0, 1.0) } else { 0.0 };
    let (x, y) = (x - ax - along * dx, y - ay - along * dy);
    x * x + y * y
}

impl Profile {
    /// Returns the profile of a track.
    ///
    /// Up to [`MAX_SAMPLES`] fixes, every fix is a sample. Longer tracks are divided into buckets of equal time. Each
    /// bucket gives its lowest and highest speed and altitude, in order of time, so that no peak is lost.
    pub fn of(parts: &[Part]) -> Profile {
        let fixes: usize = parts.iter().map(|part| part.fixes.len()).sum();
        let gaps = parts.len().saturating_sub(1);
        let mut profile = Profile::default();
        if fixes + gaps <= MAX_SAMPLES {
            for sample in samples(parts) {
                profile.break_before(&sample);
                profile.push(sample.elapsed_s, sample.way_m, sample.speed_mps, sample.altitude_m);
            }
            return profile;
        }
        let duration_s = samples(parts).last().map_or(0.0, |last| last.elapsed_s).max(1.0);
        let mut bucket = Bucket::default();
        for sample in samples(parts) {
            // A bucket gives at most one break and two samples.
            let index = (sample.elapsed_s / duration_s * (MAX_SAMPLES / 3 - 1) as f64) as usize;
            if index != bucket.index {
                profile.push_bucket(&bucket);
                bucket = Bucket { index, samples: Vec::new() };
            }
            bucket.samples.push(sample);
        }
        profile.push_bucket(&bucket);
        profile
    }

    fn push(&mut self, elapsed_s: f64, way_m: f64, speed_mps: Option<f64>, altitude_m: Option<f64>) {
        self.elapsed_s.push(elapsed_s);
        self.way_m.push(way_m.round());
        self.speed_mps.push(speed_mps);
        self.altitude_m.push(altitude_m);
    }

    fn break_before(&mut self, sample: &ProfileSample) {
        if sample.begins_after_gap {
            self.push(sample.elapsed_s, sample.way_m, None, None);
        }
    }

    fn push_bucket(&mut self, bucket: &Bucket) {
        let (Some(first), Some(last)) = (bucket.samples.first(), bucket.samples.last()) else { return };
        if let Some(sample) = bucket.samples.iter().find(|sample| sample.begins_after_gap) {
            self.break_before(&ProfileSample { elapsed_s: first.elapsed_s, way_m: first.way_m, ..*sample });
        }
        let (speed, altitude) = (bucket.extremes(|sample| sample.speed_mps), bucket.extremes(|s| s.altitude_m));
        self.push(first.elapsed_s, first.way_m, speed.map(|pair| pair.0), altitude.map(|pair| pair.0));
        if bucket.samples.len() > 1 {
            self.push(last.elapsed_s, last.way_m, speed.map(|pair| pair.1), altitude.map(|pair| pair.1));
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct ProfileSample {
    elapsed_s: f64,
    way_m: f64,
    speed_mps: Option<f64>,
    altitude_m: Option<f64>,
    begins_after_gap: bool,
}

/// Returns every fix of a track with its time and way since the first one.
fn samples(parts: &[Part]) -> impl Iterator<Item = ProfileSample> {
    let mut before: Option<(Fix, ProfileSample)> = None;
    let fixes = parts
        .iter()
        .flat_map(|part| part.fixes.iter().enumerate().map(|(index, fix)| (fix, index == 0 && part.after.is_some())));
    fixes.map(move |(fix, begins_after_gap)| {
        let (elapsed_s, way_m) = before.map_or((0.0, 0.0), |(last, sample)| {
            let step_s = fix.fixed_at.millis_since(last.fixed_at) as f64 / 1000.0;
            (sample.elapsed_s + step_s, sample.way_m + distance_m(Position::from(&last), Position::from(fix)))
        });
        let sample =
            ProfileSample { elapsed_s, way_m, speed_mps: fix.speed_mps, altitude_m: fix.altitude_m, begins_after_gap };
        before = Some((*fix, sample));
        sample
    })
}

#[derive(Default)]
struct Bucket {
    index: usize,
    samples: Vec<ProfileSample>,
}

impl Bucket {
    /// Returns the lowest and the highest known value, in order of time.
    fn extremes(&self, value: impl Fn(&ProfileSample) -> Option<f64>) -> Option<(f64, f64)> {
        let known = || self.samples.iter().filter_map(&value).enumerate();
        let (low_at, low) = known().min_by(|a, b| a.1.total_cmp(&b.1))?;
        let (high_at, high) = known().max_by(|a, b| a.1.total_cmp(&b.1))?;
        Some(if low_at <= high_at { (low, high) } else { (high, low) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{DEGREE_EAST_M, eastward, fix, fix_at_speed};
    use crate::track::Stretch;
    use crate::track::parts::parts;

    fn parts_of(fixes: Vec<Fix>) -> Vec<Part> {
        parts(&[Stretch { fixes, ..Stretch::default() }])
    }

    /// A winding road at 14 m/s, with amplitudes of 100 m to both sides.
    fn winding(seconds: u32) -> Vec<Fix> {
        let at = |second: u32| {
            let s = f64::from(second);
            let swing = libm::sin(s / 20.0);
            let fix = fix_at_speed(s, 14.0 * s, 100.0 * swing, 14.0 + 5.0 * swing);
            Fix { altitude_m: Some(500.0 + 50.0 * libm::cos(s / 300.0)), ..fix }
        };
        (0..seconds).map(at).collect()
    }

    #[test]
    fn a_straight_road_is_a_line_of_two_points() {
        let line = Line::simplified(&parts_of(eastward(&[(600, 10.0)])), 1.0);
        assert_eq!(line.parts, [vec![[10.0, 0.0], [10.0 + (6000.0 / DEGREE_EAST_M * 1e6).round() / 1e6, 0.0]]]);
    }

    #[test]
    fn a_simplified_line_stays_within_its_tolerance() {
        let fixes = winding(1000);
        let plane = TangentPlane::at((&fixes[500]).into());
        for tolerance_m in [1.0, 5.0, 20.0] {
            let line = Line::simplified(&parts_of(fixes.clone()), tolerance_m);
            let points: Vec<(f64, f64)> = line.parts[0]
                .iter()
                .map(|&[lon_deg, lat_deg]| plane.project_m(Position { lat_deg, lon_deg }))
                .collect();
            assert!(points.len() < 300, "{tolerance_m} m: {}", points.len());
            for fix in &fixes {
                let (x, y) = plane.project_m(fix.into());
                let to_segment_m = |pair: &[(f64, f64)]| {
                    let ((ax, ay), (dx, dy)) = (pair[0], (pair[1].0 - pair[0].0, pair[1].1 - pair[0].1));
                    let along = (((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy)).clamp(0.0, 1.0);
                    libm::hypot(x - ax - along * dx, y - ay - along * dy)
                };
                let off_m = points.windows(2).map(to_segment_m).fold(f64::MAX, f64::min);
                assert!(off_m <= tolerance_m + 0.01, "{off_m} of {tolerance_m} m");
            }
        }
    }

    #[test]
    fn nothing_is_drawn_over_a_gap_nor_around_the_world() {
        let mut fixes = winding(300);
        fixes.drain(100..150);
        assert_eq!(Line::simplified(&parts_of(fixes.clone()), 5.0).parts.len(), 2);
        for fix in &mut fixes {
            fix.lon_deg += if fix.lon_deg < 10.02 { 169.98 } else { -190.02 };
        }
        let over_the_line = Line::simplified(&parts_of(fixes), 5.0);
        assert_eq!(over_the_line.parts.len(), 3);
        let is_short = |pair: &[[f64; 2]]| (pair[1][0] - pair[0][0]).abs() < 1.0;
        assert!(over_the_line.parts.iter().all(|part| part.windows(2).all(is_short)));
        assert!(over_the_line.parts.iter().flatten().count() < 60);
    }

    #[test]
    fn lines_and_profiles_of_nothing_are_empty() {
        assert_eq!(Line::simplified(&[], 5.0), Line::default());
        assert_eq!(Profile::of(&[]), Profile::default());
        assert_eq!(Line::simplified(&parts_of(vec![fix(0.0, 0.0, 0.0)]), 5.0).parts, [[[10.0, 0.0]]]);
        assert_eq!(Profile::of(&parts_of(vec![fix(0.0, 0.0, 0.0)])).elapsed_s, [0.0]);
    }

    #[test]
    fn a_short_drive_shows_every_fix() {
        let profile = Profile::of(&parts_of(eastward(&[(10, 10.0)])));
        assert_eq!(profile.elapsed_s, (0..=10).map(f64::from).collect::<Vec<_>>());
        assert_eq!(profile.way_m, (0..=10).map(|second| f64::from(second * 10)).collect::<Vec<_>>());
        assert_eq!((profile.speed_mps[3], profile.altitude_m[3]), (Some(10.0), None));
    }

    #[test]
    fn a_long_profile_keeps_its_peaks_within_the_limit() {
        let mut fixes = winding(36_000);
        fixes[20_000].speed_mps = Some(44.0);
        fixes[20_007].speed_mps = Some(0.5);
        fixes[30_000].altitude_m = Some(999.0);
        let profile = Profile::of(&parts_of(fixes));
        assert!((300..=MAX_SAMPLES).contains(&profile.elapsed_s.len()), "{}", profile.elapsed_s.len());
        for column in [&profile.speed_mps, &profile.altitude_m] {
            assert_eq!(column.len(), profile.elapsed_s.len());
        }
        assert!(profile.elapsed_s.is_sorted() && profile.way_m.is_sorted());
        assert!(profile.speed_mps.contains(&Some(44.0)) && profile.speed_mps.contains(&Some(0.5)));
        assert!(profile.altitude_m.contains(&Some(999.0)));
        assert_eq!(profile.elapsed_s.last(), Some(&35_999.0));
    }

    #[test]
    fn a_gap_is_a_null_in_short_and_in_long_profiles() {
        for seconds in [300, 3000] {
            let mut fixes = winding(seconds);
            fixes.drain(100..150);
            let profile = Profile::of(&parts_of(fixes));
            let nulls = profile.speed_mps.iter().filter(|speed| speed.is_none()).count();
            assert_eq!(nulls, 1, "{seconds} s");
        }
    }

    #[test]
    fn a_track_of_gaps_alone_is_bounded_too() {
        let alone: Vec<Fix> = (0..2000).map(|index| fix(f64::from(index) * 20.0, 0.0, 0.0)).collect();
        assert!(Profile::of(&parts_of(alone)).elapsed_s.len() <= MAX_SAMPLES);
    }
}
