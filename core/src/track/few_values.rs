//! Codes a column that has few different values: the accuracy of a phone.
//!
//! A recent value costs its index among the recent ones; any other value costs the difference to the last one.

use super::range_coder::{BitCoder, Probability};
use super::residual::ResidualModel;

/// The number of stored values.
const REMEMBERED: usize = 8;

/// The recent values and the statistics of their indices.
#[derive(Clone, Debug)]
pub(super) struct FewValues {
    /// The latest first.
    seen: [i64; REMEMBERED],
    seen_count: usize,
    /// The bit whether the value is none of the first values, for each index, by the index of the value before.
    is_farther: [[Probability; REMEMBERED]; 4],
    /// The index of the value before: at the front, second, further back, none.
    last_place: usize,
    residual: ResidualModel,
}

impl FewValues {
    /// Returns the model after its first value.
    pub(super) fn new(first: i64) -> FewValues {
        let mut seen = [0; REMEMBERED];
        seen[0] = first;
        FewValues {
            seen,
            seen_count: 1,
            is_farther: [[Probability::EVEN; REMEMBERED]; 4],
            last_place: 0,
            residual: ResidualModel::new(2),
        }
    }

    /// Codes one value; [`BitCoder`] explains which values count.
    pub(super) fn code(&mut self, coder: &mut impl BitCoder, value: i64) -> i64 {
        let place = self.seen[..self.seen_count].iter().position(|seen| *seen == value).unwrap_or(REMEMBERED);
        let mut coded = 0;
        while coded < self.seen_count && coder.code(&mut self.is_farther[self.last_place][coded], place > coded) {
            coded += 1;
        }
        self.last_place = match coded {
            0 | 1 => coded,
            _ if coded < self.seen_count => 2,
            _ => 3,
        };
        let value = if coded < self.seen_count {
            self.seen[coded]
        } else {
            self.seen_count = (self.seen_count + 1).min(REMEMBERED);
            self.seen[0] + self.residual.code(coder, value - self.seen[0])
        };
        self.seen.copy_within(0..coded.min(REMEMBERED - 1), 1);
        self.seen[0] = value;
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::track::range_coder::{RangeDecoder, RangeEncoder};

    fn bytes_of(values: &[i64]) -> usize {
        let (mut model, mut coder) = (FewValues::new(5), RangeEncoder::new());
        values.iter().for_each(|value| assert_eq!(model.code(&mut coder, *value), *value));
        let bytes = coder.finish();
        let (mut model, mut coder) = (FewValues::new(5), RangeDecoder::new(&bytes));
        values.iter().for_each(|value| assert_eq!(model.code(&mut coder, 0), *value));
        bytes.len()
    }

    #[test]
    fn values_come_back_whether_few_or_many() {
        bytes_of(&[5, 5, 4, 5, 1_000_000, 0, 5, 4, 1, 2, 3, 6, 7, 8, 9, 10, 11, 5, 4, 1_000_000]);
        bytes_of(&(0..500).map(|n| n * n % 97).collect::<Vec<_>>());
    }

    #[test]
    fn values_far_apart_that_come_again_cost_little() {
        let far: Vec<i64> = (0..1000).map(|n| [4, 4, 4, 400, 4, 4, 4, 77][n % 8]).collect();
        assert!(bytes_of(&far) < 150, "{}", bytes_of(&far));
    }
}
