//! What of a drive may leave the phone: a new track, made of what lies outside the zones of the account's places.
//!
//! Everything public (figures, bounds, times) is computed again from what is left. The hidden part enters only through
//! the decision which fixes are left. This file knows nothing of documents. PRIVACY.md explains the rule to users, with
//! what an attacker still finds.
//!
//! # What is hidden
//! 1. every fix, whenever in the drive, inside the zone of any place of the account ([`places`]). Each stop of the drive
//!    ([`stops`]) is at a place, or the drive is not published. Where it stops, a zone is larger in long drives ([`zones`]);
//! 2. from each end of every piece that is left, everything up to the first crossing of a line of a global grid (0.005°
//!    of latitude, about 550 m both ways), so that no cut lies on the edge of a zone;
//! 3. when it was: the track begins at a full hour, and accuracies, headings and the times of recording are gone;
//! 4. how long a hidden piece in the middle took: it always shows as a gap of [`HIDDEN_GAP_MS`].
//!
//! No rule depends on the distance from an exact end: each such rule is a function of the place that it hides. A place that
//! its owner calls open (a circuit, a meeting point) has no zone, and an end there is shown.
//!
//! # What is not hidden
//! The start's hour. That there is a hidden piece in the middle. That the places lie in the holes that many public drives
//! leave open together. Durations between two shown fixes of one piece are true, and so is the shape of the road between
//! them.

pub mod attack;
pub mod places;
pub mod stops;
pub mod thinning;
pub mod zones;

use crate::fix::Fix;
use crate::geodesy::{Bounds, Ecef, Position};
use crate::privacy::places::{Place, unknown_stops};
use crate::privacy::zones::{Zone, zones};
use crate::stats::{DriveStats, RunningStats, known_altitude_m};
use crate::time::Timestamp;
use crate::track::Stretch;
use crate::track::parts::merged;

/// The version of these rules. A copy of another version is withdrawn and made again.
pub const RULES: i64 = 3;
/// How long every hidden piece in the middle of a drive seems to have taken, milliseconds: long enough to be a gap
/// whatever the recorder's rhythm ([`crate::track::parts::LONGEST_STEP_MS`]).
pub const HIDDEN_GAP_MS: i64 = 120_000;
/// Less than so much way is not worth showing, metres.
pub const SHORTEST_M: f64 = 100.0;
/// Grid lines per degree of latitude.
const ROWS_PER_DEGREE: f64 = 200.0;

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
    /// It is too short, or stays too near to private places: what may be shown is less than two fixes or 100 m.
    #[error("nothing is left of the drive once its private places are hidden")]
    NothingLeft,
    /// A stop of the drive is at no known place.
    #[error("a stop of the drive is at no known place")]
    UnknownStop,
}

/// Derives what may be published of a track, with all places of the account.
///
/// # Errors
/// [`RedactError::NothingLeft`] if too little remains, [`RedactError::UnknownStop`] if a place must be added first.
///
/// # Examples
/// ```
/// use tourismo_core::fix::Fix;
/// use tourismo_core::geodesy::Position;
/// use tourismo_core::id::DocId;
/// use tourismo_core::privacy::places::{Place, PlaceKind, PlaceSecret, ZoneSize, unknown_stops};
/// use tourismo_core::privacy::{redact, shows_a_place, stops::stops};
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
/// let place = |position: Position| Place {
///     id: DocId::from_bytes([1; 16]),
///     position,
///     secret: PlaceSecret([2; 16]),
///     is_found: true,
///     kind: PlaceKind::Home,
///     size: ZoneSize::Standard,
/// };
/// let places: Vec<Place> = unknown_stops(&stops(&stretch.fixes), &[]).into_iter().map(place).collect();
///
/// let at = stops(&stretch.fixes);
/// let shown = redact(&[stretch], &places)?;
/// assert!(!shows_a_place(shown.fixes.iter(), &at, &places));
/// assert_eq!(shown.started_at, shown.started_at.floor_to_hour());
/// assert!(shown.fixes.iter().all(|fix| fix.accuracy_m.is_none() && fix.recorded_at == fix.fixed_at));
/// # Ok::<(), tourismo_core::privacy::RedactError>(())
/// ```
pub fn redact(stretches: &[Stretch], places: &[Place]) -> Result<Redacted, RedactError> {
    let fixes = merged(stretches);
    let stops = stops::stops(&fixes);
    if !unknown_stops(&stops, places).is_empty() {
        return Err(RedactError::UnknownStop);
    }
    let points = points(&fixes);
    let shown = shown(&fixes, &pieces(&fixes, &points, &zones(&points, &stops, places, &[])));
    let first = shown.first().ok_or(RedactError::NothingLeft)?;
    let started_at = first.fixed_at;
    let stats = RunningStats::of(&shown).summary();
    let bounds = Bounds::around(shown.iter().map(Position::from)).ok_or(RedactError::NothingLeft)?;
    if stats.distance_m < SHORTEST_M {
        return Err(RedactError::NothingLeft);
    }
    Ok(Redacted { started_at, fixes: shown, stats, bounds })
}

/// Returns whether any shown fix of a drive with these stops is inside the zone of a place.
pub fn shows_a_place<'a>(fixes: impl Iterator<Item = &'a Fix>, stops: &[Position], places: &[Place]) -> bool {
    let points = points(fixes);
    let zones = zones(&points, stops, places, &[]);
    points.iter().any(|point| zones.iter().any(|zone| zone.holds(*point)))
}

fn points<'a>(fixes: impl IntoIterator<Item = &'a Fix>) -> Vec<Ecef> {
    fixes.into_iter().map(|fix| Position::from(fix).into()).collect()
}

/// What its owner sees of a track before it is published.
#[derive(Clone, Debug, PartialEq)]
pub struct Preview {
    /// What stays hidden: pieces that each begin and end with a fix that is shown, if one is. All of it if nothing is left.
    pub hidden: Vec<Vec<Fix>>,
    /// The distance of what is shown, as [`Redacted::stats`] has it, metres. Absent where [`redact`] finds nothing left.
    pub shown_m: Option<f64>,
}

/// What [`redact`] shows and hides of a track. Of a drive that is not finished a stop may be at no known place: around such
/// a stop everything is hidden that the zone of a place there could hide.
pub fn preview(stretches: &[Stretch], places: &[Place]) -> Preview {
    let fixes = merged(stretches);
    let (points, stops) = (points(&fixes), stops::stops(&fixes));
    let mut pieces = pieces(&fixes, &points, &zones(&points, &stops, places, &unknown_stops(&stops, places)));
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

/// The ranges of fixes that may be shown, each of at least two fixes, and cut at a grid line wherever a zone is entered or
/// left.
fn pieces(fixes: &[Fix], points: &[Ecef], zones: &[Zone]) -> Vec<std::ops::Range<usize>> {
    let is_shown = |index: usize| !zones.iter().any(|zone| zone.holds(points[index]));
    let mut pieces = Vec::new();
    let mut from = None;
    for index in 0..=fixes.len() {
        let is_shown = index < fixes.len() && is_shown(index);
        match from {
            None if is_shown => from = Some(index),
            Some(begin) if !is_shown => {
                pieces.extend(cut_at_grid_lines(fixes, begin..index));
                from = None;
            }
            Some(_) | None => {}
        }
    }
    pieces
}

/// What of a piece lies between its first and its last crossing of a grid line; all of it towards an end of the drive, which
/// is shown only at an open place.
fn cut_at_grid_lines(fixes: &[Fix], piece: std::ops::Range<usize>) -> Option<std::ops::Range<usize>> {
    let crosses = |&index: &usize| cell(&fixes[index - 1]) != cell(&fixes[index]);
    let mut crossings = (piece.start + 1..piece.end).filter(crosses);
    let begin = if piece.start == 0 { piece.start } else { crossings.next()? };
    let end = if piece.end == fixes.len() { piece.end } else { crossings.next_back()? };
    (end - begin >= 2).then_some(begin..end)
}

/// The cell of the global grid: row and column. Columns widen towards the poles, so that a cell stays about as wide as
/// high wherever roads are.
pub fn grid_cell(Position { lat_deg, lon_deg }: Position) -> (i64, i64) {
    let row = (lat_deg * ROWS_PER_DEGREE).floor();
    let cos_lat = libm::cos((row / ROWS_PER_DEGREE).to_radians()).max(1e-3);
    let columns_per_degree = ROWS_PER_DEGREE / (1.0 / cos_lat).round();
    (row as i64, (lon_deg * columns_per_degree).floor() as i64)
}

fn cell(fix: &Fix) -> (i64, i64) {
    grid_cell(fix.into())
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
