//! An adaptive binary range coder: encodes decisions to bytes, and decodes them.
//!
//! It handles probabilities and bytes, and must not depend on fixes. It uses integers only, so that every machine
//! computes the same stream. The scheme is the carry-propagating coder of G. N. N. Martin, "Range encoding" (1979),
//! with binary decisions and adaptive probabilities as in J. Rissanen and G. Langdon, "Arithmetic coding" (1979).

/// An encoder or a decoder. Each model is written once against this trait and works in both directions, so that both
/// always agree.
pub(super) trait BitCoder {
    /// Codes one decision with an adaptive probability and returns it. An encoder writes `bit`; a decoder ignores `bit`
    /// and returns the decision that it reads.
    fn code(&mut self, probability: &mut Probability, bit: bool) -> bool;

    /// Codes the lowest `bit_count` bits of `value` without a model, and returns them, with the same convention.
    fn code_plain(&mut self, value: u64, bit_count: u32) -> u64;
}

/// The adaptive probability that a decision is `true`.
///
/// The first observations change it much, later ones less: with weight n by 1 / (n + 1.5) of the difference.
#[derive(Clone, Copy, Debug)]
pub(super) struct Probability {
    /// The probability, of 2^16.
    of_true: u16,
    /// The number of observations that the estimate is worth; at most `MAX_WEIGHT`.
    weight: u8,
}

/// Older observations are forgotten, because roads and drivers change.
const MAX_WEIGHT: u8 = 63;
/// The part of the difference, of 2^16, by which a probability of this weight changes towards an observed decision.
const STEP: [u32; MAX_WEIGHT as usize + 1] = {
    let mut step = [0; MAX_WEIGHT as usize + 1];
    let mut weight = 0;
    while weight < step.len() {
        step[weight] = (2 << 16) / (2 * weight as u32 + 3);
        weight += 1;
    }
    step
};

impl Probability {
    /// Returns an initial guess, of 2^16, worth `weight` observations.
    pub(super) const fn guess(of_true: u16, weight: u8) -> Probability {
        Probability { of_true, weight }
    }

    /// The initial guess without any information.
    pub(super) const EVEN: Probability = Probability::guess(1 << 15, 0);

    /// Returns the part of `range` for `true`: never empty, never all of it.
    fn share(self, range: u32) -> u32 {
        (range >> 12) * u32::from(self.of_true >> 4).max(1)
    }

    fn observe(&mut self, bit: bool) {
        let step = STEP[usize::from(self.weight)];
        let of_true = u32::from(self.of_true);
        let moved =
            if bit { of_true + (((0xffff - of_true) * step) >> 16) } else { of_true - ((of_true * step) >> 16) };
        self.of_true = moved as u16;
        self.weight = (self.weight + 1).min(MAX_WEIGHT);
    }
}

/// The minimum of the range, so that it can be divided by 12 bits of probability.
const MIN_RANGE: u32 = 1 << 24;
/// The number of bytes of the decoder's window.
const WINDOW_BYTES: usize = 4;

/// Encodes decisions to bytes.
pub(super) struct RangeEncoder {
    bytes: Vec<u8>,
    /// The lower end of the interval, below what is in `bytes`.
    low: u32,
    range: u32,
}

impl RangeEncoder {
    pub(super) fn new() -> RangeEncoder {
        RangeEncoder { bytes: Vec::new(), low: 0, range: u32::MAX }
    }

    /// Appends the smallest number of bytes that identify a number inside the interval; the decoder reads zeros after
    /// them.
    pub(super) fn finish(mut self) -> Vec<u8> {
        if self.low != 0 {
            let ends_in_zeros = (u64::from(self.low) + u64::from(MIN_RANGE - 1)) & !u64::from(MIN_RANGE - 1);
            let step = (ends_in_zeros - u64::from(self.low)) as u32;
            self.raise_low(step);
            self.bytes.push((self.low >> 24) as u8);
        }
        self.bytes
    }

    fn raise_low(&mut self, by: u32) {
        let (low, carries) = self.low.overflowing_add(by);
        self.low = low;
        if carries {
            // The whole interval is below 1, so a carry always ends at some byte.
            for byte in self.bytes.iter_mut().rev() {
                *byte = byte.wrapping_add(1);
                if *byte != 0 {
                    break;
                }
            }
        }
    }

    fn refill(&mut self) {
        while self.range < MIN_RANGE {
            self.bytes.push((self.low >> 24) as u8);
            self.low <<= 8;
            self.range <<= 8;
        }
    }
}

impl BitCoder for RangeEncoder {
    fn code(&mut self, probability: &mut Probability, bit: bool) -> bool {
        let share = probability.share(self.range);
        if bit {
            self.range = share;
        } else {
            self.raise_low(share);
            self.range -= share;
        }
        probability.observe(bit);
        self.refill();
        bit
    }

    fn code_plain(&mut self, value: u64, bit_count: u32) -> u64 {
        for index in (0..bit_count).rev() {
            self.range >>= 1;
            if (value >> index) & 1 == 1 {
                self.raise_low(self.range);
            }
            self.refill();
        }
        value
    }
}

/// Decodes bytes to decisions. After the end it reads zeros and counts them: any bytes decode to some decisions.
pub(super) struct RangeDecoder<'a> {
    bytes: &'a [u8],
    read: usize,
    /// The number read, relative to the lower end of the interval.
    offset: u32,
    range: u32,
}

impl<'a> RangeDecoder<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> RangeDecoder<'a> {
        let mut decoder = RangeDecoder { bytes, read: 0, offset: 0, range: u32::MAX };
        for _ in 0..WINDOW_BYTES {
            decoder.read_byte();
        }
        decoder
    }

    /// Returns whether more zeros were read than an encoder omits at the end.
    pub(super) fn is_past_end(&self) -> bool {
        self.read > self.bytes.len() + WINDOW_BYTES
    }

    /// Returns the number of unused bytes.
    pub(super) fn unread_byte_count(&self) -> usize {
        self.bytes.len().saturating_sub(self.read)
    }

    fn read_byte(&mut self) {
        let byte = self.bytes.get(self.read).copied().unwrap_or(0);
        self.read += 1;
        self.offset = (self.offset << 8) | u32::from(byte);
    }

    fn refill(&mut self) {
        while self.range < MIN_RANGE {
            self.read_byte();
            self.range <<= 8;
        }
    }
}

impl BitCoder for RangeDecoder<'_> {
    fn code(&mut self, probability: &mut Probability, _: bool) -> bool {
        let share = probability.share(self.range);
        let bit = self.offset < share;
        if bit {
            self.range = share;
        } else {
            self.offset -= share;
            self.range -= share;
        }
        probability.observe(bit);
        self.refill();
        bit
    }

    fn code_plain(&mut self, _: u64, bit_count: u32) -> u64 {
        let mut value = 0;
        for _ in 0..bit_count {
            self.range >>= 1;
            let bit = self.offset >= self.range;
            if bit {
                self.offset -= self.range;
            }
            value = (value << 1) | u64::from(bit);
            self.refill();
        }
        value
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::{Rng, SeedableRng};

    use super::*;

    /// Random decisions that are `true` once in `rarity` times, with plain numbers between them.
    fn check_round_trip(seed: u64, rarity: u32) -> usize {
        let decisions = || {
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            (0..2_000).map(move |_| (random.next_u32().is_multiple_of(rarity), u64::from(random.next_u32() >> 27)))
        };
        let mut encoder = RangeEncoder::new();
        let mut probability = Probability::EVEN;
        for (bit, plain) in decisions() {
            encoder.code(&mut probability, bit);
            encoder.code_plain(plain, 5);
        }
        let bytes = encoder.finish();
        let mut decoder = RangeDecoder::new(&bytes);
        let mut probability = Probability::EVEN;
        for (bit, plain) in decisions() {
            assert_eq!(decoder.code(&mut probability, false), bit, "seed {seed}");
            assert_eq!(decoder.code_plain(0, 5), plain, "seed {seed}");
        }
        assert!(!decoder.is_past_end());
        assert_eq!(decoder.unread_byte_count(), 0);
        bytes.len()
    }

    #[test]
    fn decisions_come_back_and_rare_ones_cost_what_they_tell() {
        let plain_bytes = 2_000 * 5 / 8;
        for seed in 0..50 {
            assert!(check_round_trip(seed, 1) <= plain_bytes + 10, "seed {seed}");
            // Entropy: 250 bytes for even decisions, 14 for one in 200.
            assert!((240..265).contains(&(check_round_trip(seed, 2) - plain_bytes)), "seed {seed}");
            assert!(check_round_trip(seed, 200) <= plain_bytes + 45, "seed {seed}");
        }
    }

    #[test]
    fn a_carry_runs_through_all_the_bytes_that_are_full() {
        let mut encoder = RangeEncoder::new();
        encoder.bytes = vec![0x12, 0xff, 0xff];
        encoder.low = u32::MAX;
        encoder.raise_low(1);
        assert_eq!((encoder.bytes, encoder.low), (vec![0x13, 0, 0], 0));
    }

    #[test]
    fn no_observation_makes_a_probability_certain() {
        for bit in [false, true] {
            let mut probability = Probability::EVEN;
            (0..100_000).for_each(|_| probability.observe(bit));
            let share = probability.share(MIN_RANGE);
            assert!(0 < share && share < MIN_RANGE, "{share}");
        }
    }
}
