//! A track: everything a recorder took in, in the order in which it was measured.
//!
//! A track is stored as packed blocks (`track::block`), each self-describing and immutable.

use crate::fix::Fix;
use crate::time::Timestamp;

/// One stretch of recording, as it is packed into one block: usually 60 seconds.
///
/// Nothing is thrown away: fixes that the recorder refused are kept beside the accepted ones, with their reason.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stretch {
    /// Accepted fixes, quantised, strictly increasing in `fixed_at`.
    pub fixes: Vec<Fix>,
    /// Refused fixes in order of arrival.
    pub refused: Vec<RefusedFix>,
    /// What happened to the recording, in order of arrival.
    pub marks: Vec<Mark>,
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Refusal {
    /// Not finite, out of range, or exactly (0, 0). Such a fix cannot be stored; it is only counted.
    Invalid = 0,
    /// Measured at the same time as an earlier fix, or before it.
    NotLater = 1,
    /// Measured more than 60 s after the phone's clock.
    InTheFuture = 2,
    /// Measured before the recording began.
    BeforeStart = 3,
    /// The accuracy circle is too large.
    TooInaccurate = 4,
    /// An implausible jump that the next fix contradicts.
    Outlier = 5,
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
