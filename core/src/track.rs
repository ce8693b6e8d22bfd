//! A track: all measurements of a recorder, in order.
//!
//! A track is stored as encoded blocks (`track::block`), each self-describing and immutable.

pub mod block;
mod few_values;
mod grid;
mod interval_model;
mod overlap;
pub mod parts;
mod predictor;
mod predictor_v1;
mod quantised_fix;
mod range_coder;
mod reckoning;
mod residual;
mod side_stream;
pub(crate) mod taken_back;

use serde::Serialize;

use crate::fix::Fix;
use crate::time::Timestamp;

/// One stretch of a recording, which becomes one block: usually 60 seconds, up to ten minutes if fixes are sparse.
///
/// Nothing is discarded: refused fixes are kept beside the accepted ones, with their reason.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stretch {
    /// Accepted fixes, quantised, strictly increasing in `fixed_at`.
    pub fixes: Vec<Fix>,
    /// Refused fixes in order of arrival.
    pub refused: Vec<RefusedFix>,
    /// The number of invalid measurements ([`Refusal::Invalid`]), which cannot be stored.
    pub invalid_count: u32,
    /// Events of the recording, in order of arrival.
    pub marks: Vec<Mark>,
    /// The recorder run of the stretch, which blocks do not store.
    pub run: u32,
}

/// The maximum difference between the delays of the fixes of one block, milliseconds.
const DELAYS_MS: i64 = 20_000;

impl Stretch {
    /// Splits the stretch into stretches of similar delays, because a block stores one delay for all of its fixes.
    /// Delays jump by minutes when a sensor's clock is set.
    pub(crate) fn of_one_delay(mut self) -> Vec<Stretch> {
        let delay_ms = |fix: &Fix| fix.recorded_at.millis_since(fix.fixed_at);
        let mut parts = Vec::new();
        loop {
            let first_ms = self.fixes.first().map_or(0, delay_ms);
            let differs = |fix: &Fix| (delay_ms(fix) - first_ms).abs() > DELAYS_MS;
            let Some(index) = self.fixes.iter().position(differs) else { break };
            let fixes = self.fixes.split_off(index);
            let from = fixes[0].recorded_at;
            let later = |refused: &RefusedFix| refused.fix.recorded_at >= from;
            let (refused, earlier) = std::mem::take(&mut self.refused).into_iter().partition(later);
            let (marks, marks_before) = std::mem::take(&mut self.marks).into_iter().partition(|mark| mark.at >= from);
            let (invalid_count, run) = (self.invalid_count, self.run);
            parts.push(Stretch { refused: earlier, marks: marks_before, invalid_count: 0, ..self });
            self = Stretch { fixes, refused, invalid_count, marks, run };
        }
        parts.push(self);
        parts
    }

    /// Returns the time of the last arrival.
    pub(crate) fn last_arrival(&self) -> Option<Timestamp> {
        let accepted = self.fixes.last().map(|fix| fix.recorded_at.max(fix.fixed_at));
        let refused = self.refused.iter().map(|refused| refused.fix.recorded_at);
        accepted.into_iter().chain(refused).chain(self.marks.iter().map(|mark| mark.at)).max()
    }
}

/// A refused fix with its reason.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RefusedFix {
    /// The fix, quantised.
    pub fix: Fix,
    /// The reason.
    pub refusal: Refusal,
}

/// The reasons for which the recorder refuses a fix. The numbers are stored and never change their meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
#[repr(u8)]
pub enum Refusal {
    /// Not finite, out of range, or exactly (0, 0). Such a fix is counted but not stored.
    Invalid = 0,
    /// The time is not later than that of an earlier fix, and later fixes do not confirm that the clock was set.
    NotLater = 1,
    /// The time is later than the arrival, and later fixes do not confirm that the clock was set.
    InTheFuture = 2,
    /// Measured before the recording began or resumed.
    BeforeStart = 3,
    /// The accuracy circle is too large.
    TooInaccurate = 4,
    /// An implausible jump that later fixes contradict, or a step within such jumps.
    Outlier = 5,
}

impl Refusal {
    /// Returns the reason with this number.
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

/// An event of a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The time by the phone's wall clock.
    pub at: Timestamp,
    /// The kind of the event.
    pub kind: MarkKind,
}

/// The kind of an event. The numbers are stored and never change their meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum MarkKind {
    /// The user paused the recording.
    Paused = 0,
    /// The user resumed it.
    Resumed = 1,
    /// The page was hidden; browsers report no positions then.
    Hidden = 2,
    /// The page was shown again.
    Shown = 3,
    /// The app was killed or restarted; the recording continued here.
    Restarted = 4,
}

impl MarkKind {
    /// Returns the kind with this number.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{START, fix};

    #[test]
    fn fixes_that_took_much_longer_to_arrive_are_packed_into_a_block_of_their_own() {
        let told = |measured_s: f64, arrived_s: i64| Fix {
            recorded_at: START + 1_000 * arrived_s,
            ..fix(measured_s, 0.0, 0.0)
        };
        let refused = |arrived_s: i64| RefusedFix { fix: told(0.0, arrived_s), refusal: Refusal::InTheFuture };
        let mark = |at_s: i64| Mark { at: START + 1_000 * at_s, kind: MarkKind::Hidden };
        let stretch = Stretch {
            fixes: vec![told(1.0, 1), told(2.0, 3), told(100.0, 280), told(101.0, 281)],
            refused: vec![refused(2), refused(280)],
            invalid_count: 2,
            marks: vec![mark(4), mark(281)],
            run: 3,
        };
        let parts = stretch.clone().of_one_delay();
        let counts: Vec<_> =
            parts.iter().map(|part| (part.fixes.len(), part.refused.len(), part.marks.len())).collect();
        assert_eq!(counts, [(2, 1, 1), (2, 1, 1)]);
        let runs: Vec<_> = parts.iter().map(|part| (part.invalid_count, part.run)).collect();
        assert_eq!(runs, [(0, 3), (2, 3)]);
        let whole = Stretch { fixes: stretch.fixes[..2].to_vec(), ..stretch };
        assert_eq!(whole.clone().of_one_delay(), [whole]);
    }
}
