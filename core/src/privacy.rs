//! What of a drive may leave the phone: a new track, made of what lies far enough from where the drive began and ended.
//!
//! Everything public (figures, bounds, times) is computed again from what is left. The hidden part enters only through
//! the decision which fixes are left. This file knows nothing of documents.
//!
//! # What is hidden
//! 1. the first and the last 300 m of way (straight lines where there are gaps);
//! 2. every fix, whenever in the drive, nearer than 300 m to the true first or last fix: loops that pass home;
//! 3. from each end of every piece that is left, everything up to the first crossing of a line of a global grid (0.005°
//!    of latitude, about 550 m both ways), so that no cut lies on a circle around a home: whoever joins the ends of many
//!    drives finds the grid;
//! 4. when it was: the track begins at a full hour, and accuracies, headings and the times of recording are gone;
//! 5. how long a hidden piece in the middle took: it always shows as a gap of [`HIDDEN_GAP_MS`].
//!
//! An end that its owner calls no private place ([`PrivateEnds`]: a circuit, a meeting point) is shown: 1 and 2 do not count
//! from it, and no grid line cuts there.
//!
//! # What is not hidden
//! The start's hour. That there is a hidden piece in the middle, and so that the drive passed one of its own ends. That
//! home lies in the hole that many public drives leave open together: some 600 m wide, its border made of grid lines and
//! roads. Whoever wants more sets a zone. Durations between two shown fixes of one piece are true, and so is the shape of
//! the road between them.

pub mod thinning;

use serde::{Deserialize, Serialize};

use crate::fix::Fix;
use crate::geodesy::{Bounds, Position, distance_m};
use crate::stats::{DriveStats, RunningStats, known_altitude_m};
use crate::time::Timestamp;
use crate::track::Stretch;
use crate::track::parts::merged;

/// The way hidden at both ends, and the radius around both within which nothing is shown, metres.
pub const HIDDEN_M: f64 = 300.0;
/// How long every hidden piece in the middle of a drive seems to have taken, milliseconds: long enough to be a gap
/// whatever the recorder's rhythm ([`crate::track::parts::LONGEST_STEP_MS`]).
pub const HIDDEN_GAP_MS: i64 = 120_000;
/// Less than so much way is not worth showing, metres.
pub const SHORTEST_M: f64 = 100.0;
/// Grid lines per degree of latitude.
const ROWS_PER_DEGREE: f64 = 200.0;

/// Which ends of a drive are private places.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, minicbor::Encode, minicbor::Decode)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct PrivateEnds {
    /// Where it began.
    #[n(0)]
    pub start: bool,
    /// Where it ended.
    #[n(1)]
    pub end: bool,
}

impl Default for PrivateEnds {
    /// Both, unless somebody says otherwise.
    fn default() -> PrivateEnds {
        PrivateEnds { start: true, end: true }
    }
}

/// The public derivative of a track.
#[derive(Clone, Debug, PartialEq)]
pub struct Redacted {
    /// The start of the hour in which the shown part began; the `fixed_at` of the first fix.
    pub started_at: Timestamp,
    /// What is shown, quantised. Only time, place, altitude and speed are there; `recorded_at` equals `fixed_at`.
    pub fixes: Vec<Fix>,
    /// The figures of the shown part.
    pub stats: DriveStats,
    /// The bounds of the shown part.
    pub bounds: Bounds,
}

/// Why a drive cannot be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RedactError {
    /// It is too short, or stays too near to its ends: what may be shown is less than two fixes or 100 m.
    #[error("nothing is left of the drive once its start and end are hidden")]
    NothingLeft,
}

/// Derives what may be published of a track.
///
/// # Errors
/// [`RedactError::NothingLeft`] if that is next to nothing.
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

/// What its owner sees of a track before it is published.
#[derive(Clone, Debug, PartialEq)]
pub struct Preview {
    /// What stays hidden: pieces that each begin and end with a fix that is shown, if one is. All of it if nothing is left.
    pub hidden: Vec<Vec<Fix>>,
    /// The distance of what is shown, as [`Redacted::stats`] has it, metres. Absent where [`redact`] finds nothing left.
    pub shown_m: Option<f64>,
}

/// What [`redact`] shows and hides of a track.
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

/// The ranges of fixes that may be shown, each of at least two fixes and cut at grid lines on both sides, unless it begins or
/// ends with an end of the drive that is shown.
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

/// The way from the first of some places to each of them, by the steps between them, metres.
fn way_so_far_m<'a>(steps_m: impl Iterator<Item = &'a f64>) -> Vec<f64> {
    let add = |way_m: &mut f64, step_m: &f64| {
        *way_m += step_m;
        Some(*way_m)
    };
    std::iter::once(0.0).chain(steps_m.scan(0.0, add)).collect()
}

/// What of a piece lies between its first and its last crossing of a grid line; all of it at an end of the drive that is
/// shown.
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

/// The cell of the global grid: row and column. Columns widen towards the poles, so that a cell stays about as wide as
/// high wherever roads are.
fn cell(fix: &Fix) -> (i64, i64) {
    let row = (fix.lat_deg * ROWS_PER_DEGREE).floor();
    let cos_lat = libm::cos((row / ROWS_PER_DEGREE).to_radians()).max(1e-3);
    let columns_per_degree = ROWS_PER_DEGREE / (1.0 / cos_lat).round();
    (row as i64, (fix.lon_deg * columns_per_degree).floor() as i64)
}

/// What is shown of some fixes, which are these pieces of them.
fn shown(fixes: &[Fix], pieces: &[std::ops::Range<usize>]) -> Vec<Fix> {
    let mut shown = Vec::new();
    pieces.iter().for_each(|piece| append(&mut shown, &fixes[piece.clone()]));
    shown
}

/// Adds a piece to what is shown, stripped, and moved in time: the first to the full hour, each other to
/// [`HIDDEN_GAP_MS`] after the one before.
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
