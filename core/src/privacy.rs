//! Redaction: makes the public track of a drive from the fixes that are far enough from its start and end.
//!
//! All public values (statistics, bounds, times) are computed from the remaining fixes. The hidden part influences only
//! which fixes remain. This module must not depend on documents.
//!
//! # Hidden
//! 1. the first and the last 300 m of way (straight lines over gaps);
//! 2. every fix of the drive within 300 m of the true first or last fix: loops that pass home;
//! 3. from each end of every remaining piece, everything up to the first crossing of a line of a global grid (0.005° of
//!    latitude, about 550 m in both directions). So no cut lies on a circle around a home: somebody who joins the ends
//!    of many drives finds the grid;
//! 4. the time: the track begins at a full hour, and accuracies, headings and times of recording are removed;
//! 5. the duration of a hidden piece in the middle: it is always a gap of [`HIDDEN_GAP_MS`].
//!
//! An end that its owner does not mark as private ([`PrivateEnds`]: a circuit, a meeting point) is shown: 1 and 2 do
//! not apply to it, and no grid line cuts there.
//!
//! # Not hidden
//! The hour of the start. The existence of a hidden piece in the middle, which shows that the drive passed one of its
//! own ends. The area that many public drives leave out together, which contains the home: about 600 m wide, bordered
//! by grid lines and roads. Durations between two shown fixes of one piece, and the shape of the road between them.

pub mod places;
pub mod stops;
pub mod thinning;

use serde::{Deserialize, Serialize};

use crate::fix::Fix;
use crate::geodesy::{Bounds, Position, distance_m};
use crate::stats::{DriveStats, RunningStats, known_altitude_m};
use crate::time::Timestamp;
use crate::track::Stretch;
use crate::track::parts::merged;

/// The hidden way at both ends, and the radius around both ends within which nothing is shown, metres.
pub const HIDDEN_M: f64 = 300.0;
/// The duration of every hidden piece in the middle of a drive, milliseconds: long enough to be a gap in every
/// recorder's rhythm ([`crate::track::parts::LONGEST_STEP_MS`]).
pub const HIDDEN_GAP_MS: i64 = 120_000;
/// The minimum way of a published drive, metres.
pub const SHORTEST_M: f64 = 100.0;
/// Grid lines per degree of latitude.
const ROWS_PER_DEGREE: f64 = 200.0;

/// The ends of a drive that are private places.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, minicbor::Encode, minicbor::Decode)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct PrivateEnds {
    /// Whether the start is private.
    #[n(0)]
    pub start: bool,
    /// Whether the end is private.
    #[n(1)]
    pub end: bool,
}

impl Default for PrivateEnds {
    /// Both ends are private unless the owner decides otherwise.
    fn default() -> PrivateEnds {
        PrivateEnds { start: true, end: true }
    }
}

/// The redacted track.
#[derive(Clone, Debug, PartialEq)]
pub struct Redacted {
    /// The start of the hour in which the shown part began; the `fixed_at` of the first fix.
    pub started_at: Timestamp,
    /// The shown fixes, quantised, with time, position, altitude and speed only; `recorded_at` equals `fixed_at`.
    pub fixes: Vec<Fix>,
    /// The statistics of the shown part.
    pub stats: DriveStats,
    /// The bounds of the shown part.
    pub bounds: Bounds,
}

/// Why a drive cannot be published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RedactError {
    /// The drive is too short, or stays too near to its ends: less than two fixes or 100 m remain.
    #[error("nothing is left of the drive once its start and end are hidden")]
    NothingLeft,
}

/// Redacts a track.
///
/// # Errors
/// [`RedactError::NothingLeft`] if too little remains.
///
/// # Examples
/// ```
/// use tourismo_core::fix::Fix;
/// use tourismo_core::privacy::{HIDDEN_M, PrivateEnds, redact};
/// use tourismo_core::time::Timestamp;
/// use tourismo_core::track::Stretch;
///
/// // Ten minutes to the north at 11.1 m/s, with the accuracy and the delay of each fix.
/// let fix = |second: i32| Fix {
///     fixed_at: Timestamp(1_700_000_000_000) + 1_000 * i64::from(second),
///     recorded_at: Timestamp(1_700_000_000_300) + 1_000 * i64::from(second),
///     lat_deg: 46.5 + 1e-4 * f64::from(second),
///     lon_deg: 10.4,
///     accuracy_m: Some(5.0),
///     altitude_m: None,
///     altitude_accuracy_m: None,
///     heading_deg: None,
///     speed_mps: Some(11.1),
/// };
/// let stretch = Stretch { fixes: (0..600).map(fix).collect(), ..Stretch::default() };
///
/// let shown = redact(&[stretch], PrivateEnds::default())?;
/// assert!(shown.stats.distance_m < 6_660.0 - 2.0 * HIDDEN_M);
/// assert_eq!(shown.started_at, shown.started_at.floor_to_hour());
/// assert!(shown.fixes.iter().all(|fix| fix.accuracy_m.is_none() && fix.recorded_at == fix.fixed_at));
/// # Ok::<(), tourismo_core::privacy::RedactError>(())
/// ```
pub fn redact(stretches: &[Stretch], private: PrivateEnds) -> Result<Redacted, RedactError> {
    let fixes = merged(stretches);
    let shown = shown(&fixes, &pieces(&fixes, private));
    let first = shown.first().ok_or(RedactError::NothingLeft)?;
    let started_at = first.fixed_at;
    let stats = RunningStats::of(&shown).summary();
    let bounds = Bounds::around(shown.iter().map(Position::from)).ok_or(RedactError::NothingLeft)?;
    if stats.distance_m < SHORTEST_M {
        return Err(RedactError::NothingLeft);
    }
    Ok(Redacted { started_at, fixes: shown, stats, bounds })
}

/// The redaction as its owner sees it before publishing.
#[derive(Clone, Debug, PartialEq)]
pub struct Preview {
    /// The hidden pieces. Each begins and ends with a shown fix, if there is one. The whole track if nothing remains.
    pub hidden: Vec<Vec<Fix>>,
    /// The distance of the shown part, equal to that in [`Redacted::stats`], metres. Absent if [`redact`] fails.
    pub shown_m: Option<f64>,
}

/// Returns the shown and hidden parts of a track.
pub fn preview(stretches: &[Stretch], private: PrivateEnds) -> Preview {
    let fixes = merged(stretches);
    let mut pieces = pieces(&fixes, private);
    let distance_m = RunningStats::of(&shown(&fixes, &pieces)).summary().distance_m;
    let shown_m = (distance_m >= SHORTEST_M).then_some(distance_m);
    if shown_m.is_none() {
        pieces.clear();
    }
    let mut hidden = Vec::new();
    let mut from = 0;
    for piece in pieces.into_iter().chain(std::iter::once(fixes.len()..fixes.len())) {
        let to = fixes.len().min(piece.start + 1);
        if to > from + 1 {
            hidden.push(fixes[from..to].to_vec());
        }
        from = piece.end.saturating_sub(1);
    }
    Preview { hidden, shown_m }
}

/// Returns the ranges of fixes that may be shown, each of at least two fixes. They are cut at grid lines on both sides,
/// except at a shown end of the drive.
fn pieces(fixes: &[Fix], private: PrivateEnds) -> Vec<std::ops::Range<usize>> {
    let (Some(first), Some(last)) = (fixes.first(), fixes.last()) else { return Vec::new() };
    let start = private.start.then(|| Position::from(first));
    let end = private.end.then(|| Position::from(last));
    let steps_m: Vec<f64> = fixes.windows(2).map(|pair| distance_m((&pair[0]).into(), (&pair[1]).into())).collect();
    let from_start_m = way_so_far_m(steps_m.iter());
    let mut from_end_m = way_so_far_m(steps_m.iter().rev());
    from_end_m.reverse();
    let is_far = |index: usize| {
        let place = Position::from(&fixes[index]);
        let is_far_from = |end: Option<Position>, along_m: &[f64]| {
            end.is_none_or(|end| along_m[index] >= HIDDEN_M && distance_m(end, place) >= HIDDEN_M)
        };
        is_far_from(start, &from_start_m) && is_far_from(end, &from_end_m)
    };
    let mut pieces = Vec::new();
    let mut from = None;
    for index in 0..=fixes.len() {
        let is_shown = index < fixes.len() && is_far(index);
        match from {
            None if is_shown => from = Some(index),
            Some(begin) if !is_shown => {
                pieces.extend(cut_at_grid_lines(fixes, begin..index, private));
                from = None;
            }
            Some(_) | None => {}
        }
    }
    pieces
}

/// Returns the way from the first position to each position, given the steps between them, metres.
fn way_so_far_m<'a>(steps_m: impl Iterator<Item = &'a f64>) -> Vec<f64> {
    let add = |way_m: &mut f64, step_m: &f64| {
        *way_m += step_m;
        Some(*way_m)
    };
    std::iter::once(0.0).chain(steps_m.scan(0.0, add)).collect()
}

/// Returns the part of a piece between its first and last crossing of a grid line; it is not cut at a shown end of the
/// drive.
fn cut_at_grid_lines(
    fixes: &[Fix],
    piece: std::ops::Range<usize>,
    private: PrivateEnds,
) -> Option<std::ops::Range<usize>> {
    let crosses = |&index: &usize| cell(&fixes[index - 1]) != cell(&fixes[index]);
    let mut crossings = (piece.start + 1..piece.end).filter(crosses);
    let begin = if piece.start == 0 && !private.start { piece.start } else { crossings.next()? };
    let end = if piece.end == fixes.len() && !private.end { piece.end } else { crossings.next_back()? };
    (end - begin >= 2).then_some(begin..end)
}

/// Returns the cell of the global grid: row and column. Columns are wider towards the poles, so that a cell is about as
/// wide as high.
fn cell(fix: &Fix) -> (i64, i64) {
    let row = (fix.lat_deg * ROWS_PER_DEGREE).floor();
    let cos_lat = libm::cos((row / ROWS_PER_DEGREE).to_radians()).max(1e-3);
    let columns_per_degree = ROWS_PER_DEGREE / (1.0 / cos_lat).round();
    (row as i64, (fix.lon_deg * columns_per_degree).floor() as i64)
}

/// Returns the shown fixes of these pieces.
fn shown(fixes: &[Fix], pieces: &[std::ops::Range<usize>]) -> Vec<Fix> {
    let mut shown = Vec::new();
    pieces.iter().for_each(|piece| append(&mut shown, &fixes[piece.clone()]));
    shown
}

/// Appends a piece to the shown fixes without its private values, and moves its times: the first piece to the full
/// hour, each other piece to [`HIDDEN_GAP_MS`] after the one before.
fn append(shown: &mut Vec<Fix>, piece: &[Fix]) {
    let Some(first) = piece.first() else { return };
    let begins_at = match shown.last() {
        Some(last) => last.fixed_at + HIDDEN_GAP_MS,
        None => first.fixed_at.floor_to_hour(),
    };
    shown.extend(piece.iter().map(|fix| {
        let fixed_at = begins_at + fix.fixed_at.millis_since(first.fixed_at);
        Fix {
            fixed_at,
            recorded_at: fixed_at,
            lat_deg: fix.lat_deg,
            lon_deg: fix.lon_deg,
            accuracy_m: None,
            altitude_m: known_altitude_m(fix),
            altitude_accuracy_m: None,
            heading_deg: None,
            speed_mps: fix.speed_mps,
        }
    }));
}

#[cfg(test)]
mod tests;
