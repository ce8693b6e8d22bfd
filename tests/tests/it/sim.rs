//! The simulator finds no violated invariant in the system, and finds every injected fault.

use std::ops::Range;

use tourismo_core::replica::Fault;
use tourismo_core::replica::io::Command;
use tourismo_tests::sim::{FaultProfile, InjectedBug, Network, Report, Scenario, run, run_twice};
use tourismo_tests::synthetic;

const STEPS: u32 = 60;
/// The number of scenarios, in two halves that run in parallel.
const STORIES: u64 = 640;
/// The minimum number of events in them.
const EVENTS: u64 = 1_000_000;

fn scenario(seed: u64, bug: InjectedBug) -> Scenario {
    Scenario { seed, steps: STEPS, bug, shuffles_polls: false, keeps_lines: false }
}

/// Runs each scenario twice and returns the number of events.
fn check(seeds: impl IntoIterator<Item = u64>) -> u64 {
    let tell = |seed| {
        let report = run_twice(scenario(seed, InjectedBug::Nothing));
        let again = format!("just sim --first {seed} --steps {STEPS} --trace");
        assert_eq!(report.broken, None, "seed {seed}; to see it: {again}");
        report.events
    };
    seeds.into_iter().map(tell).sum()
}

#[test]
fn phones_and_relays_keep_their_promises_whatever_breaks_part_1() {
    let events = check(0..STORIES / 2);
    assert!(events >= EVENTS / 2, "{events} steps");
}

#[test]
fn phones_and_relays_keep_their_promises_whatever_breaks_part_2() {
    let events = check(STORIES / 2..STORIES);
    assert!(events >= EVENTS / 2, "{events} steps");
}

/// The seeds, by what their scenarios contain:
/// - Two phones have unequal parts of one drive when it is finished (27, 66).
/// - A drive's track is on another relay (0).
/// - A push follows one that a full disk refused (90).
/// - A device finishes a drive before it has the blocks of another one (1,907).
/// - A drive has titles from before and after a restore of its phone (8,026).
/// - A phone fetches a track while its relay is about to delete what a snapshot covers (383).
/// - A phone is killed when it wakes up, with a write from before it slept (80,045).
/// - A disk is slow when a write begins and fast when the app is killed (901,340).
/// - A restored relay has a snapshot that lacks what only an older one contained (900,827), or has single changes
///   that it had announced as a snapshot (2,002,791).
/// - The pages of a comparison arrive in another order (100,145, 2,002,157).
/// - A relay and a phone are restored to times at which a drive had different visibilities (2,003,341, 10,007,409),
///   or no copy (10,005,296).
/// - Two drives are finished before the first of them is on disk (10,004,913).
/// - A phone is killed again and again while it reads (10,012,140, 10,020,851, 10,023,882).
/// - A full relay gets room again (10,008,350).
/// - A change is pushed after all its dependencies were lost on the way (10,004,997).
/// - A change is acknowledged while its document is fetched (10,100,914).
/// - A drive is resumed on another device after the end of the faults (10,100,918).
/// - Phone and relay have both lost a published copy (10,305,993).
/// - A drive gets more blocks after its copy was reconciled (10,312,266, 11,027,962, 11,042,907, 30,027,412,
///   30,122,835), or after another phone withdrew it (31,102,348).
/// - A phone and then its relay lose a car before anything is recorded (30,108,425).
/// - A change arrives before its dependencies are acknowledged, as single changes (11,013,309) or in a snapshot
///   (10,322,708, 11,034,222).
/// - No drive names a published copy (31,003,658), or a copy was withdrawn before its drive was edited
///   (32,020,279).
/// - Every phone that recorded a track is lost (31,109,483).
/// - The sensor's clock is set during a long sleep, and refused fixes are accepted after it (31,005,693).
/// - A fix is held back among refused ones until the driver pauses (31,016,736).
/// - A phone's clock is set before a kill (20,022,559).
/// - A relay refuses a drive and accepts its published copy (33,100,359).
/// - A phone adds to a track of which the relay has made a snapshot (34,013,787).
/// - The disk is full during five starts (35,101,717).
/// - A phone's clock is set while its page is hidden (36,010,648), or twice while a drive is resumed (36,025,566).
/// - Three wrong times precede a long sleep (35,104,609).
/// - The sensor is 90 seconds behind when its drive is paused (36,132,639).
/// - A phone is killed while it stores what it could not store for some seconds (37,003,548).
/// - A fix with a wrong time is taken back beside a jump of the route (38,016,516).
/// - The owner's new phone starts while phones are told that there is no network (40,000,214).
/// - A stolen phone recorded a drive, and could not push all of its track (40,001,192 and 40,106,180).
/// - A copy of earlier rules is withdrawn, while one phone calls an end of its drive no private place (40,004,573).
/// - A stolen phone published a drive, and could not push the copy (40,105,181).
/// - A thief removes the founding phone after the relay's clock was set back (41,014,194).
/// - A relay that was put back to an older state sends a snapshot without a change that a phone had from it (41,125,469).
/// - A phone that was put back removes the thief without knowing the device that the owner let in with it (42,039,178).
#[test]
fn seeds_that_failed_once_do_not_fail_again() {
    check([0, 27, 66, 90, 383, 1_907, 8_026, 80_045, 90_795, 100_145, 900_827, 901_340, 2_002_157, 2_002_791]);
    check([2_003_341, 10_004_913, 10_005_296, 10_004_997, 10_007_409, 10_008_350, 10_012_140, 10_020_851, 10_023_882]);
    check([10_100_914, 10_100_918, 10_305_993, 10_312_266, 10_322_708]);
    check([11_013_309, 11_027_962, 11_034_222, 11_042_907, 30_027_412, 30_108_425, 30_122_835, 31_102_348]);
    check([20_022_559, 31_003_658, 31_005_693, 31_016_736, 31_109_483, 32_020_279, 33_100_359, 34_013_787, 35_101_717]);
    check([35_104_609, 36_010_648, 36_025_566, 36_132_639, 37_003_548, 38_016_516, 40_000_214, 40_001_192]);
    check([40_004_573, 40_105_181, 40_106_180, 41_014_194, 41_125_469, 42_039_178]);
}

#[test]
fn promises_hold_in_whatever_order_the_components_of_a_replica_are_polled() {
    for seed in 0..120 {
        let report = run(Scenario { shuffles_polls: true, ..scenario(seed, InjectedBug::Nothing) });
        let again = format!("just sim --first {seed} --steps {STEPS} --shuffle --trace");
        assert_eq!(report.broken, None, "seed {seed}; to see it: {again}");
    }
}

#[test]
fn one_seed_tells_one_story() {
    for seed in [3, 80] {
        let tell = |seed| run(Scenario { keeps_lines: true, ..scenario(seed, InjectedBug::Nothing) });
        let (first, second, other) = (tell(seed), tell(seed), tell(seed + 1));
        assert_eq!(first.lines, second.lines);
        assert_eq!(first.trace_hash, second.trace_hash);
        assert_ne!(first.trace_hash, other.trace_hash);
    }
}

/// The invariant holds for disks that work: a write that began while a disk was slow takes its time, even if the disk
/// is fast again.
#[test]
fn what_a_slow_disk_began_to_write_may_be_lost_when_the_disk_is_quick_again() {
    let mut sim = Network::new(1);
    sim.add_phone();
    sim.run_for(1_500);
    sim.faults.store_ms = (3_000, 3_000);
    sim.command(0, Command::StartDrive { car: None });
    sim.faults = FaultProfile::calm();
    let start = sim.now(0).wall;
    sim.drive_along(0, synthetic::drive(1, synthetic::Options { start, minutes: 1, kind: synthetic::Kind::Town }));
    sim.run_for(2_500);
    sim.kill(0);
    assert_eq!(sim.broken(), None);
}

/// Runs scenarios with an injected fault until one violates this invariant.
fn check_found(bug: InjectedBug, promise: &str) {
    check_found_in(0..1_000, bug, promise);
}

/// The same with scenarios in which the disks of relays are restored.
fn check_found_among_put_back(bug: InjectedBug, promise: &str) {
    check_found_in(440..490, bug, promise);
}

/// The same with scenarios with wrong clocks.
fn check_found_among_clocks(bug: InjectedBug, promise: &str) {
    check_found_in(500..750, bug, promise);
}

/// The same with scenarios in which a device is stolen.
fn check_found_among_thefts(bug: InjectedBug, promise: &str) {
    check_found_in(160..220, bug, promise);
}

fn check_found_in(mut seeds: Range<u64>, bug: InjectedBug, promise: &str) {
    let tell = |seed| -> Report { run(scenario(seed, bug)) };
    let found = seeds.any(|seed| tell(seed).broken.is_some_and(|broken| broken.contains(promise)));
    assert!(found, "{bug:?} is found");
}

#[test]
fn a_relay_that_acknowledges_before_it_syncs_is_found() {
    check_found(InjectedBug::AcksBeforeSync, "what was acknowledged is on the relay's disk");
}

#[test]
fn a_relay_that_tells_others_before_it_syncs_is_found() {
    check_found(InjectedBug::TellsBeforeSync, "nobody hears of a change before it is durable on the relay");
}

#[test]
fn a_phone_that_calls_a_transaction_stored_too_early_is_found() {
    check_found(InjectedBug::StoredTooEarly, "a fix that was called saved is in the track");
}

#[test]
fn a_phone_that_loses_a_transaction_it_called_stored_is_found() {
    check_found(InjectedBug::ForgetsTransactions, "a fix that was called saved is in the track");
}

#[test]
fn a_disk_that_tears_transactions_is_found() {
    check_found(InjectedBug::TornTransactions, "a fix ");
}

#[test]
fn a_relay_that_leaves_an_entry_out_is_found() {
    check_found(InjectedBug::LeavesEntriesOut, "digests agree");
}

#[test]
fn a_relay_whose_digest_is_wrong_is_found() {
    check_found(InjectedBug::WrongDigest, "digests agree");
}

#[test]
fn a_relay_that_does_not_verify_whose_an_id_is_is_found() {
    check_found(InjectedBug::TrustsIds, "a link shows what its owner published");
}

#[test]
fn a_relay_that_shows_a_meet_by_its_old_link_is_found() {
    check_found(InjectedBug::KeepsOldLinks, "a link that was renewed shows nothing");
}

#[test]
fn a_relay_that_lets_a_device_take_the_numbers_of_another_one_is_found() {
    check_found(InjectedBug::LetsNumbersBeTaken, "no device takes the next number of another one");
}

#[test]
fn c6_a_relay_that_sends_away_who_knows_more_than_it_is_found() {
    check_found_among_put_back(InjectedBug::SendsAwayWhoKnowsMore, "the relay sends no honest phone away");
}

#[test]
fn g9_a_relay_that_lets_removed_devices_in_is_found() {
    check_found_among_thefts(InjectedBug::LetsRevokedIn, "a removed device ");
}

#[test]
fn g9_a_relay_that_keeps_the_connections_of_removed_devices_is_found() {
    check_found_among_thefts(InjectedBug::KeepsConnectionsOfRevoked, "a removed device is sent nothing after the cut");
}

#[test]
fn g4_a_relay_that_trusts_every_enrolment_is_found() {
    check_found_among_thefts(InjectedBug::TrustsEveryEnrolment, "a recovery key of a thief lets nobody in");
}

#[test]
fn a_phone_that_does_nothing_when_it_should_is_found() {
    check_found(InjectedBug::ForgetsTimers, "everybody agrees within");
}

#[test]
fn a_relay_that_reads_from_the_log_of_another_account_is_found() {
    check_found(InjectedBug::LeaksAccounts, "nobody is sent what is another account's");
}

#[test]
fn a_private_track_in_the_place_of_the_published_one_is_found() {
    check_found(InjectedBug::ShowsOriginals, "nothing published is near an end of its drive");
}

#[test]
fn a_published_copy_that_still_shows_what_was_hidden_since_is_found() {
    check_found(InjectedBug::ShowsFirstCopies, "nothing published is inside a zone of a place");
}

#[test]
fn a_phone_whose_rows_say_something_else_than_its_documents_is_found() {
    check_found(InjectedBug::WrongRows, "rows are a fold over the documents");
}

#[test]
fn a_relay_whose_rows_say_something_else_than_its_documents_is_found() {
    check_found(InjectedBug::ForgetsToFold, "the relay's rows are a fold over its documents");
}

#[test]
fn a_start_with_the_randomness_of_an_earlier_one_is_found() {
    check_found(InjectedBug::ReusesSeeds, "a number names one change");
}

#[test]
fn h9_a_relay_that_lets_phones_in_for_any_origin_is_found() {
    check_found(InjectedBug::AcceptsAnyOrigin, "nobody gets in with what a phone signed for another origin");
}

#[test]
fn h9_a_phone_that_takes_a_relays_word_for_the_origin_that_it_dialled_is_found() {
    check_found(InjectedBug::TellsRelaysOrigin, "nobody gets in with what a phone signed for another origin");
}

#[test]
fn a_phone_that_drops_fixes_of_another_time_is_found() {
    check_found_among_clocks(InjectedBug::DropsMistimed, "what was measured is in the drive or among what was refused");
}

#[test]
fn a_phone_that_gives_fixes_the_times_of_others_is_found() {
    check_found_among_clocks(InjectedBug::SwapsFixes, "fixes stand in the order in which they were measured");
}

#[test]
fn a_phone_that_listens_to_two_sensors_is_found() {
    check_found_among_clocks(InjectedBug::HearsTwoSensors, "a drive is as long as it was driven");
}

#[test]
fn a_phone_that_counts_time_by_a_clock_that_is_set_is_found() {
    check_found_among_clocks(InjectedBug::MonotonicIsSet, "a drive lasts as long as it was driven");
}

#[test]
fn a_screen_that_says_that_a_drive_is_recorded_which_is_not_is_found() {
    check_found_among_clocks(InjectedBug::HidesRefusals, "nobody is told that a drive is recorded which is not");
}

#[test]
fn a_replica_that_drops_what_was_under_way_on_a_lost_connection_is_found() {
    check_found(InjectedBug::InReplica(Fault::DropsUnderWay), "is not acknowledged, and the outbox does not have it");
}

#[test]
fn a_replica_that_forgets_failed_reads_is_found() {
    check_found(InjectedBug::InReplica(Fault::ForgetsFailedReads), "the crash guard waits for other documents");
    check_found(InjectedBug::InReplica(Fault::ForgetsFailedReads), "waits for nothing");
    check_found(InjectedBug::InReplica(Fault::ForgetsFailedReads), "waits for no read");
}

#[test]
fn a_replica_whose_digest_is_that_of_before_is_found() {
    check_found(InjectedBug::InReplica(Fault::KeepsDigest), "the digest is not that of the records");
}

#[test]
fn a_replica_that_answers_no_command_is_found() {
    check_found(InjectedBug::InReplica(Fault::AnswersNoCommand), "is on disk and was not answered");
}

#[test]
fn a_replica_that_does_not_list_what_is_in_memory_is_found() {
    check_found(InjectedBug::InReplica(Fault::UnlistsLoaded), "is listed as in memory and is not");
}

#[test]
fn a_replica_that_drops_a_failed_transaction_is_found() {
    check_found(InjectedBug::InReplica(Fault::ForgetsTransactions), "a write is neither on disk nor on its way");
}
