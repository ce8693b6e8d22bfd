//! Whole drives through the block codec: synthetic ones, and real ones if their folder exists.

use tourismo_core::fix::Fix;
use tourismo_core::time::Timestamp;
use tourismo_core::track::Stretch;
use tourismo_core::track::block::{BlockEncoder, decode_all};
use tourismo_tests::real_drives;
use tourismo_tests::synthetic::{self, Kind, Options};

/// Encodes a drive in blocks of a minute, asserts that it decodes to the same, and returns the number of bytes.
#[track_caller]
fn check_round_trip(fixes: &[Fix]) -> usize {
    let mut encoder = BlockEncoder::new();
    let blocks: Vec<Vec<u8>> = fixes
        .chunks(60)
        .map(|fixes| encoder.encode(&Stretch { fixes: fixes.to_vec(), ..Stretch::default() }).expect("a drive"))
        .collect();
    let track = decode_all(blocks.iter().map(Vec::as_slice));
    assert_eq!(track.failures, []);
    let decoded: Vec<Fix> = track.stretches.into_iter().flat_map(|stretch| stretch.fixes).collect();
    assert_eq!(decoded.len(), fixes.len());
    for (decoded, fix) in decoded.iter().zip(fixes) {
        // A block has one delay for all its fixes.
        assert_eq!(*decoded, Fix { recorded_at: decoded.recorded_at, ..*fix });
    }
    blocks.iter().map(Vec::len).sum()
}

#[track_caller]
fn check_bytes_per_fix(drives: &[Vec<Fix>], limit: f64) {
    let bytes: usize = drives.iter().map(|fixes| check_round_trip(fixes)).sum();
    let per_fix = bytes as f64 / drives.iter().map(Vec::len).sum::<usize>() as f64;
    assert!(per_fix <= limit, "{per_fix:.2} bytes per fix");
}

#[test]
fn drives_come_back_from_a_few_bytes_per_fix() {
    let start = Timestamp(1_717_232_400_000);
    let options = [Kind::Mountain, Kind::Town, Kind::Motorway].map(|kind| Options { start, minutes: 40, kind });
    check_bytes_per_fix(&options.map(|options| real_drives::ordered(&synthetic::drive(5, options))), 4.5);

    let mut drives = real_drives::omaha().expect("readable drives");
    if drives.is_empty() {
        eprintln!("no real drives at hand: made ones only");
        return;
    }
    eprintln!("{} real drives at hand", drives.len());
    drives.iter_mut().zip(1..).for_each(|(drive, seed)| real_drives::complete(drive, seed));
    check_bytes_per_fix(&drives, 2.7);
}
