//! The blocks of a published copy. A drive that is too long for a relay or a change is published with fewer fixes.

use crate::fix::Fix;
use crate::privacy::thinning;
use crate::projection::MAX_PUBLISHED_FIXES;
use crate::track::Stretch;
use crate::track::block::BlockEncoder;
use crate::wire::MAX_CHUNK_BYTES;

/// The number of fixes in one block of a published copy.
const PUBLISHED_BLOCK: usize = 600;

/// Encodes the blocks of a published copy: all fixes if a relay shows that many and they fit into one change, else a
/// thinned track. Returns none if even the coarsest thinning leaves too many.
pub(in crate::replica) fn pack(fixes: &[Fix]) -> Option<Vec<Vec<u8>>> {
    let within = |fixes: &[Fix]| {
        let mut encoder = BlockEncoder::new();
        let pack = |fixes: &[Fix]| {
            let stretch = Stretch { fixes: fixes.to_vec(), ..Stretch::default() };
            encoder.encode(&stretch).expect("redacted fixes are quantised and ascending")
        };
        let blocks: Vec<Vec<u8>> = fixes.chunks(PUBLISHED_BLOCK).map(pack).collect();
        let bytes: usize = blocks.iter().map(|block| block.len() + BYTES_BESIDE_A_BLOCK).sum();
        (bytes <= MAX_CHUNK_BYTES - BYTES_BESIDE_BLOCKS).then_some(blocks)
    };
    let fits = |fixes: &[Fix]| fixes.len() <= MAX_PUBLISHED_FIXES;
    if fits(fixes)
        && let Some(blocks) = within(fixes)
    {
        return Some(blocks);
    }
    thinning::STEPS.into_iter().find_map(|by| {
        let thinned = thinning::thinned(fixes, by);
        if fits(&thinned) { within(&thinned) } else { None }
    })
}

/// The bytes in a change besides the encoded blocks: for each block, and for all other fields together.
const BYTES_BESIDE_A_BLOCK: usize = 24;
const BYTES_BESIDE_BLOCKS: usize = 8 << 10;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geodesy::{Position, distance_m};
    use crate::testing::fix_at_speed;
    use crate::track::block::decode_all;

    /// A winding road with a fix every so many seconds.
    fn winding(fixes: u32, every_s: f64) -> Vec<Fix> {
        let at = |index: u32| {
            let s = f64::from(index) * every_s;
            fix_at_speed(s, 10.0 * s, 30.0 * libm::sin(s / 9.0), 10.0).quantised().expect("it is on earth")
        };
        (0..fixes).map(at).collect()
    }

    fn decoded(blocks: &[Vec<u8>]) -> Vec<Fix> {
        decode_all(blocks.iter().map(Vec::as_slice)).stretches.into_iter().flat_map(|stretch| stretch.fixes).collect()
    }

    #[test]
    fn a_drive_that_fits_is_published_as_it_is() {
        let fixes = winding(3_000, 1.0);
        assert_eq!(decoded(&pack(&fixes).unwrap()).len(), 3_000);
    }

    #[test]
    fn a_drive_of_more_fixes_than_a_relay_shows_is_published_with_fewer() {
        for (count, every_s) in [(108_000, 1.0), (150_000, 0.04)] {
            let fixes = winding(count, every_s);
            let shown = decoded(&pack(&fixes).unwrap());
            assert!(shown.len() <= MAX_PUBLISHED_FIXES && shown.len() > 1_000, "{} of {count}", shown.len());
            let way_m = |fixes: &[Fix]| {
                fixes.windows(2).map(|pair| distance_m((&pair[0]).into(), Position::from(&pair[1]))).sum::<f64>()
            };
            assert!((way_m(&shown) / way_m(&fixes) - 1.0).abs() < 0.02, "{count}");
        }
    }

    #[test]
    fn a_drive_that_no_thinning_makes_small_enough_is_refused() {
        assert_eq!(pack(&winding(MAX_PUBLISHED_FIXES as u32 + 10, 9.0)), None);
    }
}
