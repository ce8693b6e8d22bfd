//! A track: everything a recorder took in, in the order in which it was measured.
//!
//! A track is stored as packed blocks (`track::block`), each self-describing and immutable.

pub mod block;
mod few_values;
mod grid;
mod overlap;
pub mod parts;
mod predictor;
mod predictor_v1;
mod range_coder;
mod reckoning;
mod residual;
mod rhythm;
mod row;
mod side_stream;
pub(crate) mod taken_back;

use serde::Serialize;

use crate::fix::Fix;
use crate::time::Timestamp;

/// One stretch of recording, as it is packed into one block: usually 60 seconds, up to ten minutes where fixes are sparse.
///
/// Nothing is thrown away: fixes that the recorder refused are kept beside the accepted ones, with their reason.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stretch {
    /// Accepted fixes, quantised, strictly increasing in `fixed_at`.
    pub fixes: Vec<Fix>,
    /// Refused fixes in order of arrival.
    pub refused: Vec<RefusedFix>,
    /// How many fixes were no position at all ([`Refusal::Invalid`]) and left nothing but this count.
    pub invalid_count: u32,
    /// What happened to the recording, in order of arrival.
    pub marks: Vec<Mark>,
    /// Which run of a recorder it comes from, among those it stands with. No block holds this.
    pub run: u32,
}

impl Stretch {
    /// When the last of everything in it came.
    pub(crate) fn last_arrival(&self) -> Option<Timestamp> {
        let accepted = self.fixes.last().map(|fix| fix.recorded_at.max(fix.fixed_at));
        let refused = self.refused.iter().map(|refused| refused.fix.recorded_at);
        accepted.into_iter().chain(refused).chain(self.marks.iter().map(|mark| mark.at)).max()
    }
}

/// A fix that is not part of the drive, and why.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RefusedFix {
    /// The fix, quantised.
    pub fix: Fix,
    /// The reason.
    pub refusal: Refusal,
}

/// Why the recorder refused a fix. The numbers are stored; they never change their meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
#[repr(u8)]
pub enum Refusal {
    /// Not finite, out of range, or exactly (0, 0). Such a fix cannot be stored; it is only counted.
    Invalid = 0,
    /// Measured at the same time as an earlier fix, or before it, by a sensor's clock that was set for this fix alone.
    NotLater = 1,
    /// Measured later than it arrived, by a sensor's clock that was set for this fix alone.
    InTheFuture = 2,
    /// Measured before the recording began, or before it went on after a break.
    BeforeStart = 3,
    /// The accuracy circle is too large.
    TooInaccurate = 4,
    /// An implausible jump that later fixes contradict, or a step of a run of them.
    Outlier = 5,
}

impl Refusal {
    /// The reason with this number.
    pub(crate) const fn from_number(number: u8) -> Option<Refusal> {
        Some(match number {
            0 => Refusal::Invalid,
            1 => Refusal::NotLater,
            2 => Refusal::InTheFuture,
            3 => Refusal::BeforeStart,
            4 => Refusal::TooInaccurate,
            5 => Refusal::Outlier,
            _ => return None,
        })
    }
}

/// Something that happened to a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// When, by the phone's wall clock.
    pub at: Timestamp,
    /// What.
    pub kind: MarkKind,
}

/// What happened. The numbers are stored; they never change their meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum MarkKind {
    /// The driver paused the recording.
    Paused = 0,
    /// The driver resumed it.
    Resumed = 1,
    /// The page was hidden; browsers measure nothing then.
    Hidden = 2,
    /// The page was shown again.
    Shown = 3,
    /// The app was killed or restarted; recording went on from here.
    Restarted = 4,
}

impl MarkKind {
    /// The kind with this number.
    pub(crate) const fn from_number(number: u8) -> Option<MarkKind> {
        Some(match number {
            0 => MarkKind::Paused,
            1 => MarkKind::Resumed,
            2 => MarkKind::Hidden,
            3 => MarkKind::Shown,
            4 => MarkKind::Restarted,
            _ => return None,
        })
    }
}
