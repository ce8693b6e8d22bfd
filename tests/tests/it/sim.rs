//! The simulator finds nothing in the system, and everything that is planted in it.

use tourismo_tests::sim::{Outline, Plant, Report, run};

const STEPS: u32 = 60;

fn story(seed: u64, plant: Plant) -> Report {
    run(Outline { seed, steps: STEPS, plant, keeps_lines: false })
}

fn check(seeds: impl IntoIterator<Item = u64>) {
    for seed in seeds {
        let report = story(seed, Plant::Nothing);
        let again = format!("just sim --first {seed} --steps {STEPS} --trace");
        assert_eq!(report.broken, None, "seed {seed}; to see it: {again}");
    }
}

#[test]
fn phones_and_relay_keep_their_promises_whatever_breaks_part_1() {
    check(0..200);
}

#[test]
fn phones_and_relay_keep_their_promises_whatever_breaks_part_2() {
    check(200..400);
}

/// The second comparison of a phone that met a relay restored twice; a signature that came after its connection.
#[test]
fn seeds_that_failed_once_do_not_fail_again() {
    check([80, 122, 616, 775, 826, 836, 20_503]);
}

#[test]
fn one_seed_tells_one_story() {
    for seed in [3, 80] {
        let tell = |seed| run(Outline { seed, steps: STEPS, plant: Plant::Nothing, keeps_lines: true });
        let (first, second, other) = (tell(seed), tell(seed), tell(seed + 1));
        assert_eq!(first.lines, second.lines);
        assert_eq!(first.trace_hash, second.trace_hash);
        assert_ne!(first.trace_hash, other.trace_hash);
    }
}

/// Tells stories with a planted fault until one is found that breaks this promise.
fn check_found(plant: Plant, promise: &str) {
    let found = (0..1_000).any(|seed| story(seed, plant).broken.is_some_and(|broken| broken.contains(promise)));
    assert!(found, "{plant:?} is found");
}

#[test]
fn a_relay_that_acknowledges_before_it_syncs_is_found() {
    check_found(Plant::AcksBeforeSync, "what was acknowledged is on the relay's disk");
}

#[test]
fn a_relay_that_tells_others_before_it_syncs_is_found() {
    check_found(Plant::TellsBeforeSync, "nobody hears of a change before it is durable on the relay");
}

#[test]
fn a_phone_that_calls_a_transaction_stored_too_early_is_found() {
    check_found(Plant::StoredTooEarly, "a fix that was called saved is in the track");
}

#[test]
fn a_phone_that_loses_a_transaction_it_called_stored_is_found() {
    check_found(Plant::ForgetsTransactions, "a fix that was called saved is in the track");
}

#[test]
fn a_disk_that_tears_transactions_is_found() {
    check_found(Plant::TornTransactions, "a fix ");
}

#[test]
fn a_relay_that_leaves_an_entry_out_is_found() {
    check_found(Plant::LeavesEntriesOut, "digests agree");
}

#[test]
fn a_relay_whose_digest_is_wrong_is_found() {
    check_found(Plant::WrongDigest, "digests agree");
}
