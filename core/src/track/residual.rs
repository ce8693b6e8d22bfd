//! An adaptive model of residuals: small signed numbers whose magnitude changes slowly, such as prediction errors.
//!
//! It must not depend on the meaning of the numbers, nor on how decisions become bytes.
//!
//! A residual is coded as decisions: the number of bits of its magnitude (in unary), its sign, the rest of the
//! magnitude. The probabilities depend on the running mean of recent magnitudes, in half octaves. They begin as those
//! of a two-sided geometric distribution with that mean, so that a fresh model is nearly right (S. Golomb, "Run-length
//! encodings", 1966).

use super::range_coder::{BitCoder, Probability};

/// The largest magnitude has this many bits: enough for a time in milliseconds.
const MAX_BITS: u32 = 44;
/// Magnitudes of at least this number of bits are rare; their length is coded plainly.
const LONG_BITS: usize = 16;
const CONTEXTS: usize = 24;
/// The number of binary places of the running mean.
const MEAN_PLACES: u32 = 6;
/// The mean changes by 1 / 2^this towards a new magnitude.
const MEAN_SHIFT: u32 = 2;

/// The model of one kind of residual.
#[derive(Clone, Debug)]
pub(super) struct ResidualModel {
    /// The running mean of the magnitudes, times 2^[`MEAN_PLACES`].
    mean: u64,
    /// The bit whether the magnitude has more bits than the index.
    is_longer: [[Probability; LONG_BITS]; CONTEXTS],
    /// The bit whether the residual is negative, by the sign of the one before.
    is_negative: [Probability; 3],
    /// The two bits below the leading one, by length; the second one by the first as well.
    below_leading: [[Probability; 3]; LONG_BITS],
    /// The sign of the last residual, as an index.
    last_sign: usize,
}

impl ResidualModel {
    /// Returns a model that expects magnitudes around `mean_magnitude`.
    pub(super) fn new(mean_magnitude: u64) -> ResidualModel {
        ResidualModel {
            mean: mean_magnitude << MEAN_PLACES,
            is_longer: GEOMETRIC,
            is_negative: [Probability::EVEN; 3],
            below_leading: [[Probability::guess(3 << 13, 4); 3]; LONG_BITS],
            last_sign: 0,
        }
    }

    /// Codes one residual; [`BitCoder::code`] explains which values count. Magnitudes have at most 44 bits.
    pub(super) fn code(&mut self, coder: &mut impl BitCoder, residual: i64) -> i64 {
        let magnitude = residual.unsigned_abs();
        let is_longer = &mut self.is_longer[context(self.mean)];
        let wanted = bit_length(magnitude) as usize;
        let mut length = 0;
        while length < LONG_BITS && coder.code(&mut is_longer[length], wanted > length) {
            length += 1;
        }
        let coded = if length == 0 { 0 } else { self.code_below_leading(coder, magnitude, length) };
        let negative = coded != 0 && coder.code(&mut self.is_negative[self.last_sign], residual < 0);
        self.last_sign = if coded == 0 { 0 } else { 1 + usize::from(negative) };
        // One large magnitude, such as that of a gap, must not distort the mean.
        let seen = (coded << MEAN_PLACES).min(4 * self.mean + (8 << MEAN_PLACES));
        self.mean = self.mean - (self.mean >> MEAN_SHIFT) + (seen >> MEAN_SHIFT);
        if negative { -(coded as i64) } else { coded as i64 }
    }

    /// Codes the rest of a magnitude, whose length is known unless it is long.
    fn code_below_leading(&mut self, coder: &mut impl BitCoder, magnitude: u64, length: usize) -> u64 {
        if length == LONG_BITS {
            let bits = coder.code_plain(u64::from(bit_length(magnitude)), 6).clamp(1, u64::from(MAX_BITS)) as u32;
            return (1 << (bits - 1)) | coder.code_plain(magnitude & ((1 << (bits - 1)) - 1), bits - 1);
        }
        let below = length as u32 - 1;
        let models = &mut self.below_leading[length];
        let mut coded = 1;
        for place in (0..below).rev().take(2) {
            let model = if coded == 1 { 0 } else { coded as usize - 1 };
            let bit = coder.code(&mut models[model], (magnitude >> place) & 1 == 1);
            coded = (coded << 1) | u64::from(bit);
        }
        let plain = below.saturating_sub(2);
        (coded << plain) | coder.code_plain(magnitude & ((1 << plain) - 1), plain)
    }
}

fn bit_length(magnitude: u64) -> u32 {
    u64::BITS - magnitude.leading_zeros()
}

/// Returns the context of a running mean: its half octave.
fn context(mean: u64) -> usize {
    half_octave(mean >> (MEAN_PLACES - 3)).min(CONTEXTS - 1)
}

/// 0, 1, 2, 3, 4.., 6.., 8.., 12.., …: two steps per power of two.
fn half_octave(value: u64) -> usize {
    if value < 2 {
        return value as usize;
    }
    let octave = bit_length(value) - 1;
    (2 * octave + ((value >> (octave - 1)) & 1) as u32) as usize
}

/// For each context, the probability that a magnitude has more bits than the index, if it has at least as many.
const GEOMETRIC: [[Probability; LONG_BITS]; CONTEXTS] = {
    let mut table = [[Probability::EVEN; LONG_BITS]; CONTEXTS];
    let mut context = 0;
    while context < CONTEXTS {
        // The middle of the half octave, times 16: see `half_octave`; means are in eighths there.
        let octave = context / 2;
        let mean_x16: u64 = match context {
            0 | 1 => 1 + 2 * context as u64,
            _ => ((5 + 2 * (context as u64 % 2)) << octave) / 2,
        };
        // P(magnitude >= n) = ratio^n; of 2^16.
        let mut ratio = (mean_x16 << 16) / (mean_x16 + 16);
        let mut length = 0;
        while length < LONG_BITS {
            let floor = 1 << 13;
            let guess = if ratio < floor { floor } else { ratio };
            table[context][length] = Probability::guess(guess as u16, 6);
            if length > 0 {
                // From 2^(length-1) to 2^length, the exponent doubles with each bit.
                ratio = (ratio * ratio) >> 16;
            }
            length += 1;
        }
        context += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::track::range_coder::{RangeDecoder, RangeEncoder};

    fn check_round_trip(residuals: &[i64]) -> usize {
        let mut encoder = RangeEncoder::new();
        let mut model = ResidualModel::new(4);
        residuals.iter().for_each(|residual| assert_eq!(model.code(&mut encoder, *residual), *residual));
        let bytes = encoder.finish();
        let mut decoder = RangeDecoder::new(&bytes);
        let mut model = ResidualModel::new(4);
        for residual in residuals {
            assert_eq!(model.code(&mut decoder, 0), *residual);
        }
        bytes.len()
    }

    #[test]
    fn residuals_of_every_length_and_sign_come_back() {
        let longest = (1 << MAX_BITS) - 1;
        let powers = (0..MAX_BITS).flat_map(|bits| [-1, 0, 1].map(|off| (1_i64 << bits) + off));
        let residuals: Vec<i64> = powers.filter(|value| *value <= longest).flat_map(|value| [value, -value]).collect();
        check_round_trip(&residuals);
        check_round_trip(&[longest, -longest, 0, longest]);
    }

    #[test]
    fn residuals_that_are_always_zero_cost_next_to_nothing() {
        assert!(check_round_trip(&[0; 10_000]) < 60);
    }

    #[test]
    fn a_lone_gap_costs_little_afterwards() {
        let steady = [1, -1, 0, 2, -1, 0].repeat(50);
        let with_gap = [&steady[..150], &[40_000], &steady[150..]].concat();
        assert!(check_round_trip(&with_gap) - check_round_trip(&steady) <= 16);
    }

    #[test]
    fn contexts_are_half_octaves() {
        let values = [0, 1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 15, 16];
        assert_eq!(values.map(half_octave), [0, 1, 2, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8]);
    }
}
