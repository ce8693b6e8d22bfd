//! Codes prediction errors, also of values that a recorder rounds more coarsely than a track does: to five decimal
//! places of a degree, to whole metres. Values on such a grid are coded in steps of the grid.

use super::range_coder::{BitCoder, Probability};
use super::residual::ResidualModel;

/// The grid: tens of the unit of a track.
const STEP: i64 = 10;
/// After this number of changes between values on the grid, the next value is expected on the grid.
const EXPECTED_AFTER: u8 = 6;

/// The model of the residuals of one column.
#[derive(Clone, Debug)]
pub(super) struct GridModel {
    /// The number of consecutive changes to a value on the grid.
    on_grid_count: u8,
    is_on_grid: Probability,
    last: i64,
    fine: ResidualModel,
    coarse: ResidualModel,
}

impl GridModel {
    /// Returns a model that expects residuals around `mean_magnitude`.
    pub(super) fn new(mean_magnitude: u64) -> GridModel {
        GridModel {
            on_grid_count: 0,
            is_on_grid: Probability::guess(0xf000, 4),
            last: 0,
            fine: ResidualModel::new(mean_magnitude),
            coarse: ResidualModel::new(1),
        }
    }

    /// Codes a value against its prediction; [`BitCoder`] explains which values count. For values that wrap around, the
    /// caller passes the one that is nearest to the prediction.
    pub(super) fn code(&mut self, coder: &mut impl BitCoder, value: i64, predicted: i64) -> i64 {
        let is_expected = self.on_grid_count == EXPECTED_AFTER;
        let value = if is_expected && coder.code(&mut self.is_on_grid, value % STEP == 0) {
            let predicted = (predicted + STEP / 2).div_euclid(STEP);
            (predicted + self.coarse.code(coder, value.div_euclid(STEP) - predicted)) * STEP
        } else {
            predicted + self.fine.code(coder, value - predicted)
        };
        if value % STEP != 0 {
            self.on_grid_count = 0;
        } else if value != self.last {
            self.on_grid_count = (self.on_grid_count + 1).min(EXPECTED_AFTER);
        }
        self.last = value;
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::track::range_coder::{RangeDecoder, RangeEncoder};

    fn bytes_of(values: &[i64]) -> usize {
        let (mut model, mut coder) = (GridModel::new(8), RangeEncoder::new());
        let mut last = 0;
        for value in values {
            assert_eq!(model.code(&mut coder, *value, last), *value);
            last = *value;
        }
        let bytes = coder.finish();
        let (mut model, mut coder) = (GridModel::new(8), RangeDecoder::new(&bytes));
        last = 0;
        for value in values {
            last = model.code(&mut coder, 0, last);
            assert_eq!(last, *value);
        }
        bytes.len()
    }

    /// Steps that do not repeat, up to 31 in both directions.
    fn walk(step: i64) -> Vec<i64> {
        (0..1000_i64)
            .scan(0, |at, n| {
                *at += (n * n * 7919 % 63 - 31) * step;
                Some(*at)
            })
            .collect()
    }

    #[test]
    fn values_come_back_on_the_grid_beside_it_and_in_turns() {
        bytes_of(&walk(1));
        bytes_of(&walk(10));
        bytes_of(&walk(10).into_iter().zip(walk(1)).flat_map(|(a, b)| [a, a + 10, a + 20, b]).collect::<Vec<_>>());
        bytes_of(&[0, -10, 20, -30, 40, -50, 60, -70, 80, 81, -90, 180_000_000, -180_000_000]);
    }

    #[test]
    fn a_step_of_the_grid_costs_what_a_step_of_a_unit_costs() {
        let (fine, coarse) = (bytes_of(&walk(1)), bytes_of(&walk(10)));
        assert!(coarse < fine + 20, "{coarse} of {fine}");
    }
}
