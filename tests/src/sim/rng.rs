//! The only source of randomness in a simulated network.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// A random number generator with a seed.
#[derive(Clone, Debug)]
pub struct SimRng(ChaCha8Rng);

impl SimRng {
    /// Creates a generator. The same seed gives the same numbers.
    pub fn new(seed: u64) -> SimRng {
        SimRng(ChaCha8Rng::seed_from_u64(seed))
    }

    /// Returns a number from `low` to `high`, both included.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.0.next_u64() % (high - low + 1)
    }

    /// Returns true with probability 1/`n`; never if `n` is 0.
    pub fn one_in(&mut self, n: u64) -> bool {
        n > 0 && self.between(1, n) == 1
    }

    /// Returns one of the values.
    pub fn pick<T: Copy>(&mut self, things: &[T]) -> T {
        things[self.between(0, things.len() as u64 - 1) as usize]
    }

    /// Returns one of the values, with probabilities proportional to the weights.
    pub fn weighted<T: Copy>(&mut self, things: &[(u64, T)]) -> T {
        let mut point = self.between(1, things.iter().map(|(weight, _)| weight).sum());
        for (weight, thing) in things {
            if point <= *weight {
                return *thing;
            }
            point -= weight;
        }
        unreachable!("the point lies within the sum of the weights")
    }

    /// Returns random bytes.
    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.0.fill_bytes(&mut bytes);
        bytes
    }
}
