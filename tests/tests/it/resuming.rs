//! A drive that a killed app left open continues by itself if that was a moment ago, and this can be undone.

use tourismo_core::fix::Fix;
use tourismo_core::replica::io::{Command, CommandError, CommandOutcome, Space};
use tourismo_core::replica::views::{RecordingState, RecordingView};
use tourismo_core::track::Refusal;
use tourismo_tests::sim::Network;
use tourismo_tests::synthetic::{self, Kind, Options};

const MINUTE_MS: u64 = 60_000;

/// A simulation with one phone that records, without a network.
fn driving() -> Network {
    let mut sim = Network::new(7);
    let phone = sim.add_phone();
    sim.set_network(false);
    let options = Options { start: sim.now(phone).wall, minutes: 60, kind: Kind::Motorway };
    sim.drive_along(phone, synthetic::drive(1, options));
    sim.run_for(500);
    done(&mut sim, Command::StartDrive { car: None });
    sim.run_for(30_000);
    sim
}

fn done(sim: &mut Network, command: Command) {
    let outcome = sim.perform(0, command);
    assert!(matches!(outcome, CommandOutcome::Done { .. }), "{outcome:?}");
}

fn recording(sim: &Network) -> RecordingView {
    sim.replica(0).recording_view(sim.now(0)).expect("something is being recorded")
}

/// Kills the app for so long and starts it again.
fn restart_after(sim: &mut Network, dead_ms: u64) {
    sim.kill(0);
    sim.run_for(dead_ms);
    sim.start(0).unwrap();
    sim.run_until(5_000, |sim| recording(sim).state != RecordingState::Recovering);
}

#[test]
fn a_drive_goes_on_by_itself_if_the_app_was_killed_less_than_ten_minutes_ago() {
    for (dead_ms, hidden, expected) in [
        (MINUTE_MS, false, true),
        (MINUTE_MS, true, true),
        (9 * MINUTE_MS, false, true),
        (11 * MINUTE_MS, false, false),
        (11 * MINUTE_MS, true, false),
    ] {
        let mut sim = driving();
        if hidden {
            // Everything is encoded, and the journal is empty.
            sim.show(0, false);
            sim.run_for(1_000);
        }
        restart_after(&mut sim, dead_ms);
        let view = recording(&sim);
        assert_eq!((view.state, view.resumes_itself), (RecordingState::Unfinished, expected), "{dead_ms} {hidden}");
    }
}

#[test]
fn a_drive_that_was_paused_waits_for_its_person() {
    let mut sim = driving();
    done(&mut sim, Command::PauseDrive);
    restart_after(&mut sim, 1_000);
    assert!(!recording(&sim).resumes_itself);
    done(&mut sim, Command::ResumeDrive);
    restart_after(&mut sim, 1_000);
    assert!(recording(&sim).resumes_itself, "it was being recorded again");
}

#[test]
fn a_position_from_before_a_drive_went_on_is_kept_beside_it() {
    for is_killed in [false, true] {
        let mut sim = driving();
        if is_killed {
            restart_after(&mut sim, MINUTE_MS);
        } else {
            done(&mut sim, Command::PauseDrive);
        }
        sim.drive_along(0, Vec::new());
        let ([lon_deg, lat_deg], at) = (recording(&sim).position.unwrap(), sim.now(0).wall);
        sim.run_for(10_000);
        done(&mut sim, Command::ResumeDrive);
        let before = recording(&sim).stats;
        let old = Fix {
            fixed_at: at,
            recorded_at: at,
            lat_deg,
            lon_deg,
            accuracy_m: Some(5.0),
            altitude_m: None,
            altitude_accuracy_m: None,
            heading_deg: None,
            speed_mps: None,
        };
        // Browsers report the last known position first, and some report it twice.
        for _ in 0..2 {
            sim.run_for(1_000);
            sim.measure(0, old);
        }
        let after = recording(&sim);
        let found = (after.stats.fixes, after.stats.refused, after.not_recording);
        assert_eq!(found, (before.fixes, before.refused + 2, Some(Refusal::BeforeStart)), "{is_killed}");
    }
}

#[test]
fn that_a_drive_went_on_can_be_undone_as_if_it_had_not() {
    let mut sim = driving();
    restart_after(&mut sim, 2 * MINUTE_MS);
    sim.run_for(1_000);
    let (left, journal) = (recording(&sim), sim.phone(0).disk().count(Space::Journal));
    done(&mut sim, Command::ResumeDrive);
    sim.run_for(20_000);
    let on = recording(&sim);
    assert!(on.can_undo_resume && on.stats.fixes > left.stats.fixes && on.left_off_at == left.left_off_at, "{on:?}");
    done(&mut sim, Command::UndoResume);
    let undone = recording(&sim);
    assert_eq!((undone.state, undone.stats), (RecordingState::Unfinished, left.stats));
    assert!(!undone.resumes_itself && !undone.can_undo_resume);
    assert_eq!(sim.phone(0).disk().count(Space::Journal), journal);
    restart_after(&mut sim, 1_000);
    let again = recording(&sim);
    assert_eq!((again.stats, again.resumes_itself), (left.stats, false), "a second start does not take it up again");
    done(&mut sim, Command::FinishDrive);
    let drive = sim.replica(0).drives()[0].clone();
    assert_eq!(drive.stats.map(|stats| stats.fixes), Some(left.stats.fixes));
    assert!(drive.ended_at.unwrap().millis_since(drive.started_at) <= 31_000, "{drive:?}");
}

#[test]
fn what_is_packed_is_not_undone() {
    let mut sim = driving();
    restart_after(&mut sim, 1_000);
    done(&mut sim, Command::ResumeDrive);
    sim.run_for(2 * MINUTE_MS);
    let before = recording(&sim);
    assert!(!before.can_undo_resume);
    assert_eq!(sim.perform(0, Command::UndoResume), CommandOutcome::Refused { code: CommandError::NotFound });
    assert_eq!(recording(&sim).state, RecordingState::Active);
}

#[test]
fn a_drive_that_is_discarded_is_on_no_list() {
    let mut sim = driving();
    done(&mut sim, Command::DiscardDrive);
    assert_eq!(sim.replica(0).recording_view(sim.now(0)), None);
    assert_eq!(sim.replica(0).drives(), []);
    restart_after_discard(&mut sim);
    assert_eq!(sim.replica(0).drives(), []);
}

fn restart_after_discard(sim: &mut Network) {
    sim.kill(0);
    sim.start(0).unwrap();
    sim.run_for(5_000);
    assert_eq!(sim.replica(0).recording_view(sim.now(0)), None);
}
