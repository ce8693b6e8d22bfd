//! The block codec decodes what it encoded, resumes after lost blocks, and returns errors for other bytes.

use std::ops::Range;

use proptest::prelude::*;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::*;
use crate::track::{Mark, MarkKind, Refusal, RefusedFix};

fn fix(second: i64, lat_deg: f64, lon_deg: f64) -> Fix {
    Fix {
        fixed_at: Timestamp(1_700_000_000_000 + second * 1000),
        recorded_at: Timestamp(1_700_000_000_000 + second * 1000 + 120),
        lat_deg,
        lon_deg,
        accuracy_m: Some(5.0),
        altitude_m: Some(2757.3),
        altitude_accuracy_m: None,
        heading_deg: Some(359.0),
        speed_mps: Some(12.3),
    }
}

/// A minute of a drive, the `index`-th: a car that speeds up and turns.
fn minute(index: i64) -> Stretch {
    let fixes = (0..60).map(|second| {
        let second = index * 60 + second;
        let north = second as f64 * 1e-4 + (second % 7) as f64 * 1e-6;
        fix(second, 46.5 + north, 10.4 - north * north).quantised().expect("a position")
    });
    Stretch { fixes: fixes.collect(), ..Stretch::default() }
}

fn minutes(count: i64) -> Vec<Vec<u8>> {
    let mut encoder = BlockEncoder::new();
    (0..count).map(|index| encoder.encode(&minute(index)).expect("packable")).collect()
}

/// Encodes the stretches as one chain, and checks that they decode.
#[track_caller]
fn check_round_trip(stretches: &[Stretch]) -> Vec<Vec<u8>> {
    let mut encoder = BlockEncoder::new();
    let mut decoder = BlockDecoder::new();
    let mut blocks = Vec::new();
    for stretch in stretches {
        let block = encoder.encode(stretch).expect("packable");
        assert_eq!(decoder.decode(&block).expect("a block"), with_block_delay(stretch));
        blocks.push(block);
    }
    blocks
}

/// The stretch as decoded: each fix with the delay of the last one.
fn with_block_delay(stretch: &Stretch) -> Stretch {
    let mut stretch = stretch.clone();
    if let Some(last) = stretch.fixes.last().copied() {
        let delay_ms = last.recorded_at.millis_since(last.fixed_at);
        for fix in &mut stretch.fixes {
            fix.recorded_at = (fix.fixed_at + delay_ms).clamp(Timestamp(0), YEAR_2200);
        }
    }
    stretch
}

#[track_caller]
fn check_fixes_round_trip(fixes: Vec<Fix>) {
    check_round_trip(&[Stretch { fixes, ..Stretch::default() }]);
}

#[test]
fn a_drive_comes_back_over_key_blocks_and_chained_ones() {
    let blocks = check_round_trip(&(0..25).map(minute).collect::<Vec<_>>());
    let positions: Vec<u8> = blocks.iter().map(|block| block[0] & 0xf).collect();
    assert_eq!(positions, (0..16).chain(0..9).collect::<Vec<u8>>());
}

#[test]
fn an_empty_stretch_is_two_bytes() {
    assert_eq!(check_round_trip(&[Stretch::default()]), [[0x20, 0]]);
}

#[test]
fn places_where_coordinates_end_come_back() {
    check_fixes_round_trip(vec![fix(0, 90.0, 0.0), fix(1, -90.0, 180.0), fix(2, 89.999_999, -180.0)]);
    check_fixes_round_trip(vec![
        fix(0, 1.0, 179.999_9),
        fix(1, 1.0, -179.999_9),
        fix(2, 1.0, 180.0),
        fix(3, 1.0, -180.0),
    ]);
    check_fixes_round_trip(vec![fix(0, 0.0, 0.000_001), fix(1, 0.000_001, 0.0), fix(2, -0.000_001, 0.0)]);
}

#[test]
fn teleports_and_gaps_come_back() {
    check_fixes_round_trip(vec![
        fix(0, 46.5, 10.4),
        fix(1, -33.9, 151.2),
        fix(2, 46.5, 10.4),
        fix(40_000_000, 46.6, 10.4),
        Fix { fixed_at: YEAR_2200, recorded_at: YEAR_2200, ..fix(0, 46.6, 10.5) },
    ]);
    let first = Fix { fixed_at: Timestamp(0), recorded_at: YEAR_2200, ..fix(0, 46.5, 10.4) };
    check_fixes_round_trip(vec![first]);
    check_fixes_round_trip(vec![Fix { fixed_at: YEAR_2200, recorded_at: Timestamp(0), ..first }]);
}

#[test]
fn the_extremes_of_every_value_come_back() {
    let low = Fix {
        accuracy_m: Some(0.0),
        altitude_m: Some(-20_000.0),
        altitude_accuracy_m: Some(0.0),
        heading_deg: Some(0.0),
        speed_mps: Some(0.0),
        ..fix(0, 46.5, 10.4)
    };
    let high = |second| Fix {
        accuracy_m: Some(1e6),
        altitude_m: Some(20_000.0),
        altitude_accuracy_m: Some(1e6),
        heading_deg: Some(359.0),
        speed_mps: Some(1_000.0),
        ..fix(second, 46.5, 10.4)
    };
    check_fixes_round_trip(vec![low, high(1), Fix { fixed_at: high(2).fixed_at, ..low }, high(3)]);
}

#[test]
fn absent_values_stay_absent() {
    let fixes = (0..64).map(|bits| {
        let keep = |index: i64, value| ((bits >> index) & 1 == 1).then_some(value);
        Fix {
            accuracy_m: keep(0, 5.0),
            altitude_m: keep(1, 100.0 + bits as f64),
            altitude_accuracy_m: keep(2, 9.0),
            heading_deg: keep(3, bits as f64),
            speed_mps: keep(4, bits as f64),
            ..fix(bits, 46.5, 10.4)
        }
    });
    check_fixes_round_trip(fixes.collect());
}

#[test]
fn refused_fixes_marks_and_the_invalid_count_come_back_as_they_were() {
    let refused = |second, refusal, recorded_at| RefusedFix {
        fix: Fix { recorded_at: Timestamp(recorded_at), ..fix(second, -46.5, 10.4) },
        refusal,
    };
    let stretch = Stretch {
        refused: vec![
            refused(9, Refusal::NotLater, 7),
            refused(-5, Refusal::BeforeStart, 1_700_000_000_001),
            refused(99, Refusal::InTheFuture, YEAR_2200.0),
            refused(3, Refusal::TooInaccurate, 0),
            refused(3, Refusal::Outlier, 0),
            refused(3, Refusal::Invalid, 0),
        ],
        invalid_count: u32::MAX,
        marks: [MarkKind::Paused, MarkKind::Resumed, MarkKind::Hidden, MarkKind::Shown, MarkKind::Restarted]
            .into_iter()
            .zip([5, 0, -1, i64::MIN, i64::MAX])
            .map(|(kind, at)| Mark { at: Timestamp(at), kind })
            .collect(),
        ..minute(0)
    };
    check_round_trip(&[stretch.clone(), minute(1), Stretch { fixes: Vec::new(), ..stretch }, minute(2)]);
}

#[test]
fn the_largest_stretch_fits_and_a_larger_one_is_refused() {
    let fixes: Vec<Fix> = (0..=MAX_ITEMS as i64).map(|second| fix(second, 46.5, 10.4)).collect();
    check_fixes_round_trip(fixes[..MAX_ITEMS].to_vec());
    let count = MAX_ITEMS + 1;
    let mut encoder = BlockEncoder::new();
    let mut check = |stretch, of| assert_eq!(encoder.encode(&stretch), Err(EncodeError::TooMany { of, count }));
    check(Stretch { fixes: fixes.clone(), ..Stretch::default() }, Items::Fixes);
    let refused = fixes.into_iter().map(|fix| RefusedFix { fix, refusal: Refusal::Outlier }).collect();
    check(Stretch { refused, ..Stretch::default() }, Items::RefusedFixes);
    let marks = vec![Mark { at: Timestamp(0), kind: MarkKind::Paused }; count];
    check(Stretch { marks, ..Stretch::default() }, Items::Marks);
}

#[test]
fn a_stretch_that_cannot_be_packed_leaves_the_encoder_as_it_was() {
    let mut encoder = BlockEncoder::new();
    let mut decoder = BlockDecoder::new();
    decoder.decode(&encoder.encode(&minute(0)).unwrap()).unwrap();

    let backwards = Stretch { fixes: vec![fix(1, 1.0, 1.0), fix(1, 1.0, 1.0)], ..Stretch::default() };
    assert_eq!(encoder.encode(&backwards), Err(EncodeError::NotLater));
    let nowhere = Stretch { fixes: vec![fix(1, f64::NAN, 1.0)], ..Stretch::default() };
    let invalid = crate::fix::InvalidFix::NotFinite;
    assert_eq!(encoder.encode(&nowhere), Err(EncodeError::Invalid { of: Items::Fixes, invalid }));

    assert_eq!(decoder.decode(&encoder.encode(&minute(1)).unwrap()), Ok(with_block_delay(&minute(1))));
}

#[test]
fn reading_resumes_at_the_next_key_block_when_one_is_missing() {
    let mut blocks = minutes(25);
    blocks.remove(3);
    let track = decode_all(blocks.iter().map(Vec::as_slice));
    let missing = (3..15).map(|index| (index, BlockError::MissingPredecessor { position: index as u8 + 1 }));
    assert_eq!(track.failures, missing.collect::<Vec<_>>());
    let readable = (0..3).chain(16..25).map(|index| with_block_delay(&minute(index)));
    assert_eq!(track.stretches, readable.collect::<Vec<_>>());
}

#[test]
fn a_block_chained_to_another_one_is_told_apart() {
    let ours = minutes(2);
    let mut encoder = BlockEncoder::new();
    let theirs = encoder.encode(&minute(7)).unwrap();
    let track = decode_all([theirs.as_slice(), ours[1].as_slice()]);
    assert_eq!(track.failures, [(1, BlockError::MissingPredecessor { position: 1 })]);
}

#[test]
fn what_is_no_block_says_why() {
    let check = |block: &[u8], error| assert_eq!(BlockDecoder::new().decode(block), Err(error), "{block:?}");
    check(&[], BlockError::Truncated);
    check(&[0x30, 0], BlockError::UnknownVersion { version: 3 });
    check(&[0x00, 0], BlockError::UnknownVersion { version: 0 });
    check(&[0x23, 1, 2, 0], BlockError::MissingPredecessor { position: 3 });
    check(&[0x23, 1], BlockError::Truncated);
    check(&[0x20, 120], BlockError::Truncated);
    check(&[0x20, 0x82, 0x40], BlockError::TooMany { of: Items::Fixes, count: 4097 });
    check(&[0x20, 0, 9], BlockError::TrailingBytes { count: 1 });
    check(&[0x20, 1, 0x81, 0x20, 0, 0], BlockError::TooMany { of: Items::RefusedFixes, count: 4097 });
    check(&[0x20, 1, 0, 0x81, 0x20, 0], BlockError::TooMany { of: Items::Marks, count: 4097 });
    check(&[0x20, 1, 0, 1, 0, 9, 0], BlockError::UnknownNumber { of: Items::Marks, number: 9 });
    check(&[0x20, 1, 1, 0, 0, 9, 0], BlockError::UnknownNumber { of: Items::RefusedFixes, number: 9 });
    check(
        &[0x20, 1, 1, 0, 0, 4, 2, 0xfe, 0xff, 0xff, 0xff, 0xff, 0x7f, 2, 2, 0],
        BlockError::OutOfRange { field: Field::Latitude },
    );
    check(&[0x20, 1, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f], BlockError::VarintTooLong);
    check(&[&[0x20][..], &[0xff; 12]].concat(), BlockError::VarintTooLong);
    // All ones: a first fix with impossible values, in both versions.
    check(&[&[0x10, 2][..], &[0xff; 40]].concat(), BlockError::OutOfRange { field: Field::Time });
    check(&[&[0x20, 2][..], &[0xff; 40]].concat(), BlockError::OutOfRange { field: Field::Time });
}

/// The contents of the golden blocks.
fn golden_stretches() -> [Stretch; 2] {
    let mark = Mark { at: Timestamp(1_700_000_000_500), kind: MarkKind::Paused };
    let refused = RefusedFix { fix: fix(1, 46.5, 10.4), refusal: Refusal::NotLater };
    let first = Stretch {
        run: 0,
        fixes: vec![fix(0, 46.5, 10.4), fix(1, 46.500_1, 10.400_1), fix(2, 46.500_21, 10.400_19)],
        refused: vec![refused],
        invalid_count: 2,
        marks: vec![mark],
    };
    let second = Stretch { fixes: vec![fix(3, 46.500_3, 10.400_3)], ..Stretch::default() };
    [first, second]
}

#[test]
fn t1_blocks_of_version_1_are_read() {
    let golden = [
        "100701010201d0afabfef962c0a2ac2c80c4f509f0010ff601ce05eaae030a00e8a7abfef962\
         0df005cb5e9e1b9029ec2689e1d3eebd0acca16f6a045229de185d7ca2fe",
        "115d6a02ff1c6f57",
    ];
    let mut decoder = BlockDecoder::new();
    for (hex, stretch) in golden.into_iter().zip(golden_stretches()) {
        assert_eq!(decoder.decode(&bytes_of(hex)), Ok(with_block_delay(&stretch)));
    }
    // No block continues a chain of another version.
    let mut encoder = BlockEncoder::new();
    let blocks = golden_stretches().map(|stretch| encoder.encode(&stretch).unwrap());
    let mut decoder = BlockDecoder::new();
    decoder.decode(&blocks[0]).unwrap();
    let mut other = bytes_of(golden[1]);
    other[1..3].copy_from_slice(&blocks[1][1..3]);
    assert_eq!(decoder.decode(&other), Err(BlockError::MissingPredecessor { position: 1 }));
}

/// A drive of every kind of recorder, encoded by version 1 in blocks of 60.
#[test]
fn t1_a_track_of_version_1_is_read_whole() {
    let lines: Vec<&str> = include_str!("golden_v1.txt").lines().collect();
    let blocks: Vec<Vec<u8>> = lines.iter().map(|line| bytes_of(line)).collect();
    let track = decode_all(blocks.iter().map(Vec::as_slice));
    assert_eq!(track.failures, []);
    let expected: Vec<Stretch> = (0..12).map(|index| with_block_delay(&minute(index))).collect();
    assert_eq!(track.stretches, expected);
}

fn bytes_of(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex")).collect()
}

#[test]
fn t1_the_format_of_version_2_is_locked() {
    let blocks = check_round_trip(&golden_stretches());
    let hex: Vec<String> =
        blocks.iter().map(|block| block.iter().map(|byte| format!("{byte:02x}")).collect()).collect();
    let golden = [
        "200701010201d0afabfef962c0a2ac2c80c4f509f0010ff601ce05eaae030a00e8a7abfef962\
         0e08183f7e7d915a5dadb7e854e3d2c89f96342ded40f270aabf49cef5624d",
        "217a9202fe09c857",
    ];
    assert_eq!(hex, golden);
}

#[test]
fn a_block_cut_short_anywhere_is_an_error_or_a_shorter_story() {
    for block in [&minutes(1)[0], &check_round_trip(&[Stretch { invalid_count: 300, ..minute(0) }])[0]] {
        for length in 0..block.len() {
            let result = BlockDecoder::new().decode(&block[..length]);
            // The decoder reads zeros for up to four bytes at the end, so the loss of the last bytes may be undetected.
            assert!(result.is_err() || length + 4 >= block.len(), "{length} bytes of {}: {result:?}", block.len());
        }
    }
}

#[test]
fn random_and_mutated_bytes_never_panic() {
    const SEED: u64 = 0x70_75_72_69_73_6d_6f;
    eprintln!("seed {SEED}");
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    let blocks = minutes(10);
    let mut outcomes = [0; 2];
    for case in 0..4_000 {
        let mut decoder = BlockDecoder::new();
        let mut block = if case % 2 == 0 {
            let mut bytes = vec![0; rng.next_u32() as usize % 300];
            rng.fill_bytes(&mut bytes);
            bytes.splice(0..bytes.len().min(2), [[0x10, 0x20][case / 2 % 2], rng.next_u32() as u8]);
            bytes
        } else {
            // A chain that is valid up to the mutated block.
            let index = rng.next_u32() as usize % blocks.len();
            for block in &blocks[..index] {
                decoder.decode(block).expect("a block");
            }
            blocks[index].clone()
        };
        for _ in 0..case % 4 {
            let (place, byte) = (rng.next_u32() as usize, rng.next_u32() as u8);
            if let Some(old) = place.checked_rem(block.len()).and_then(|place| block.get_mut(place)) {
                *old = byte;
            }
        }
        let result = decoder.decode(&block);
        outcomes[usize::from(result.is_ok())] += 1;
        if let Ok(stretch) = result {
            assert!(stretch.fixes.len() <= block.len() * FIXES_PER_BYTE);
            // A decoded stretch can be encoded.
            check_round_trip(&[stretch]);
        }
    }
    assert!(outcomes.iter().all(|count| *count > 100), "both happen: {outcomes:?}");
}

#[test]
fn a_track_of_more_fixes_than_memory_allows_is_cut_off() {
    let standing = |block: i64| Stretch {
        fixes: (0..MAX_ITEMS as i64).map(|second| fix(block * MAX_ITEMS as i64 + second, 46.5, 10.4)).collect(),
        ..Stretch::default()
    };
    let block = BlockEncoder::new().encode(&standing(0)).unwrap();
    assert!(block.len() < 600, "{} bytes", block.len());
    let allowed = MAX_TRACK_FIXES / MAX_ITEMS;
    let track = decode_all(std::iter::repeat_n(block.as_slice(), allowed + 2));
    assert_eq!(track.stretches.len(), allowed);
    let too_many = BlockError::TooMany { of: Items::Fixes, count: (MAX_TRACK_FIXES + MAX_ITEMS) as u64 };
    assert_eq!(track.failures, [(allowed, too_many), (allowed + 1, too_many)]);
}

/// A value that is mostly present and mostly in the usual range.
fn value(usual: Range<f64>, possible: Range<f64>) -> impl Strategy<Value = Option<f64>> {
    proptest::option::weighted(0.8, prop_oneof![8 => usual, 1 => possible])
}

prop_compose! {
    /// The difference to the next fix: interval, steps north and east in micro-degrees, and the other values.
    fn next_fix()(
        interval_ms in prop_oneof![
            8 => Just(1000), 4 => 1_i64..3000, 2 => (1_i64..90).prop_map(|s| 1000 * s), 1 => 1_i64..10_000_000_000
        ],
        north in prop_oneof![8 => -400_i64..400, 1 => -90_000_000_i64..90_000_000],
        east in prop_oneof![8 => -400_i64..400, 1 => -180_000_000_i64..180_000_000],
        speed_mps in value(0.0..80.0, 0.0..1_000.0),
        heading_deg in value(80.0..100.0, 0.0..360.0),
        altitude_m in value(100.0..110.0, -20_000.0..20_000.0),
        accuracy_m in value(3.0..9.0, 0.0..1e6),
        altitude_accuracy_m in value(3.0..9.0, 0.0..1e6),
        delay_ms in -50_i64..5_000,
    ) -> (i64, i64, i64, Fix) {
        let recorded_at = Timestamp(delay_ms);
        let fix = fix(0, 1.0, 1.0);
        let fix = Fix { recorded_at, accuracy_m, altitude_m, altitude_accuracy_m, heading_deg, speed_mps, ..fix };
        (interval_ms, north, east, fix)
    }
}

prop_compose! {
    /// A random walk over the whole earth, including poles and date line.
    fn drive()(
        start in (-90_000_000_i64..=90_000_000, -180_000_000_i64..=180_000_000),
        steps in proptest::collection::vec(next_fix(), 0..150),
    ) -> Vec<Fix> {
        let (mut lat_udeg, mut lon_udeg) = start;
        let mut fixed_at = Timestamp(1_000_000_000_000);
        steps.into_iter().filter_map(|(interval_ms, north, east, fix)| {
            lat_udeg = (lat_udeg + north).clamp(-90_000_000, 90_000_000);
            lon_udeg = (lon_udeg + east + 180_000_000).rem_euclid(360_000_000) - 180_000_000;
            fixed_at = fixed_at + interval_ms;
            let recorded_at = fixed_at + fix.recorded_at.as_millis();
            let (lat_deg, lon_deg) = (lat_udeg as f64 / 1e6, lon_udeg as f64 / 1e6);
            Fix { fixed_at, recorded_at, lat_deg, lon_deg, ..fix }.quantised().ok()
        }).collect()
    }
}

proptest! {
    #[test]
    fn any_drive_in_blocks_of_any_size_comes_back(fixes in drive(), block_length in 1_usize..80) {
        let stretches: Vec<Stretch> =
            fixes.chunks(block_length).map(|fixes| Stretch { fixes: fixes.to_vec(), ..Stretch::default() }).collect();
        check_round_trip(&stretches);
    }

    #[test]
    fn any_refused_fixes_come_back(fixes in drive(), refusal in 0_u8..6) {
        let refusal = Refusal::from_number(refusal).expect("a reason");
        let refused = fixes.into_iter().rev().map(|fix| RefusedFix { fix, refusal }).collect();
        check_round_trip(&[Stretch { refused, ..Stretch::default() }]);
    }
}
