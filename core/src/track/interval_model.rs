//! Predicts the time of the next fix of a track, and codes the prediction error.
//!
//! Most recorders measure on whole seconds, regularly or not; others have a rhythm in milliseconds that jitters and
//! skips beats. The former are coded as whole numbers of seconds, the latter as a number of beats and the jitter.

use super::predictor_v1::median;
use super::range_coder::{BitCoder, Probability};
use super::residual::ResidualModel;

const SECOND_MS: i64 = 1000;
/// More beats than this are a gap.
const MAX_MULTIPLE: i64 = 8;

/// The model of a track's intervals.
#[derive(Clone, Debug)]
pub(super) struct IntervalModel {
    /// The last three intervals, the latest first.
    intervals_ms: [i64; 3],
    /// The bit whether an interval is a whole number of seconds, by whether the last two were.
    is_whole: [Probability; 4],
    were_whole: usize,
    seconds: ResidualModel,
    /// The bit whether there are more beats than the index plus one.
    is_longer: [Probability; MAX_MULTIPLE as usize - 1],
    millis: ResidualModel,
}

impl IntervalModel {
    /// Returns the model that expects one fix a second.
    pub(super) fn new() -> IntervalModel {
        IntervalModel {
            intervals_ms: [SECOND_MS; 3],
            is_whole: [Probability::EVEN; 4],
            were_whole: 0b11,
            seconds: ResidualModel::new(0),
            is_longer: [Probability::guess(1 << 12, 2); MAX_MULTIPLE as usize - 1],
            millis: ResidualModel::new(4),
        }
    }

    /// Codes one interval; [`BitCoder`] explains which values count.
    pub(super) fn code(&mut self, coder: &mut impl BitCoder, interval_ms: i64) -> i64 {
        let usual_ms = median(self.intervals_ms).max(1);
        let is_whole = coder.code(&mut self.is_whole[self.were_whole], interval_ms % SECOND_MS == 0);
        self.were_whole = (self.were_whole << 1 | usize::from(is_whole)) & 0b11;
        let coded_ms = if is_whole {
            let usual_s = (usual_ms + SECOND_MS / 2) / SECOND_MS;
            (usual_s + self.seconds.code(coder, interval_ms / SECOND_MS - usual_s)) * SECOND_MS
        } else {
            let beats = self.code_multiple(coder, (interval_ms + usual_ms / 2) / usual_ms);
            beats * usual_ms + self.millis.code(coder, interval_ms - beats * usual_ms)
        };
        self.intervals_ms = [coded_ms, self.intervals_ms[0], self.intervals_ms[1]];
        coded_ms
    }

    /// Codes a number of beats, limited to 1 to [`MAX_MULTIPLE`].
    fn code_multiple(&mut self, coder: &mut impl BitCoder, beats: i64) -> i64 {
        let mut coded = 1;
        for is_longer in &mut self.is_longer {
            if !coder.code(is_longer, beats > coded) {
                break;
            }
            coded += 1;
        }
        coded
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::track::range_coder::{RangeDecoder, RangeEncoder};

    fn bytes_of(intervals_ms: &[i64]) -> usize {
        let (mut rhythm, mut coder) = (IntervalModel::new(), RangeEncoder::new());
        for interval_ms in intervals_ms {
            assert_eq!(rhythm.code(&mut coder, *interval_ms), *interval_ms);
        }
        let bytes = coder.finish();
        let (mut rhythm, mut coder) = (IntervalModel::new(), RangeDecoder::new(&bytes));
        for interval_ms in intervals_ms {
            assert_eq!(rhythm.code(&mut coder, 0), *interval_ms);
        }
        bytes.len()
    }

    #[test]
    fn intervals_of_every_kind_come_back() {
        bytes_of(&[1, 2, 999, 1000, 1001, 55, 56, 7_000_000_000_000, 1, 3_600_000, 40, 60_000, 500, 1]);
    }

    #[test]
    fn whole_seconds_cost_no_milliseconds() {
        assert!(bytes_of(&[1000; 1000]) < 20);
        let irregular: Vec<i64> = (0..1000).map(|n| 1000 * [5, 5, 6, 5, 4][n % 5]).collect();
        assert!(bytes_of(&irregular) < 300, "{}", bytes_of(&irregular));
    }

    #[test]
    fn a_beat_that_is_skipped_costs_less_than_two_bytes() {
        let jitter = |n: i64| (n * 7919) % 9 - 4;
        let steady: Vec<i64> = (0..1000).map(|n| 1000 + jitter(n)).collect();
        let skipping: Vec<i64> = (0..1000).map(|n| if n % 10 == 9 { 2000 } else { 1000 } + jitter(n)).collect();
        assert!(bytes_of(&skipping) < bytes_of(&steady) + 200, "{} {}", bytes_of(&skipping), bytes_of(&steady));
    }
}
