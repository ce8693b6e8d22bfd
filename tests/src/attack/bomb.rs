//! Chunks that inflate to far more than their length.

use tourismo_core::change::forge::compressed_chunk;

/// A deflated chunk of at most this length that inflates to a thousand times as many zeros.
pub fn bomb(bytes: usize) -> Vec<u8> {
    let mut zeros = bytes * 1_025;
    loop {
        let data = miniz_oxide::deflate::compress_to_vec(&vec![0; zeros], 1);
        let chunk = compressed_chunk(&data);
        if chunk.len() <= bytes {
            return chunk;
        }
        zeros = zeros / 100 * 95;
    }
}

#[cfg(test)]
mod tests {
    use tourismo_core::admission::scan_candidate;
    use tourismo_core::change::forge::{ForgedChange, actor};
    use tourismo_core::id::DeviceKey;
    use tourismo_core::wire::NackCode;

    use super::*;

    const DEVICE: DeviceKey = DeviceKey([7; 32]);

    fn sets(rows: u64) -> ForgedChange {
        ForgedChange::sets(actor(DEVICE, 1), rows)
    }

    #[test]
    fn what_is_forged_without_malice_is_a_sound_change() {
        for rows in [1, 2, 20_000] {
            let (hash, chunk) = sets(rows).chunk();
            let scanned = scan_candidate(&chunk).unwrap();
            assert_eq!((scanned.hash, scanned.ops), (hash, rows));
            assert_eq!(automerge::Change::from_bytes(chunk).unwrap().hash().0, hash.0);
        }
    }

    #[test]
    fn bytes_are_a_sound_value() {
        let mut change = sets(1);
        change.set_bytes(vec![7; 1_000]);
        assert_eq!(scan_candidate(&change.chunk().1).map(|change| change.ops), Ok(1));
    }

    #[test]
    fn maps_in_maps_are_a_sound_change_of_one_operation_each() {
        let (_, chunk) = ForgedChange::nested(actor(DEVICE, 1), 1_000).chunk();
        assert_eq!(scan_candidate(&chunk).map(|change| change.ops), Ok(1_000));
    }

    #[test]
    fn a_bomb_is_as_large_as_allowed_and_refused() {
        let chunk = bomb(10_000);
        assert!((9_000..=10_000).contains(&chunk.len()), "{}", chunk.len());
        assert_eq!(scan_candidate(&chunk), Err(NackCode::TooLarge));
    }
}
