//! A drive that a killed app left behind goes on by itself if that was a moment ago, and that can be undone.

use tourismo_core::fix::Fix;
use tourismo_core::replica::io::{Command, CommandError, Outcome, Space};
use tourismo_core::replica::view::{RecordingState, RecordingView};
use tourismo_core::track::Refusal;
use tourismo_tests::made::{self, Kind, Options};
use tourismo_tests::sim::World;

const MINUTE_MS: u64 = 60_000;

/// A world with one phone that drives, without any network.
fn driving() -> World {
    let mut world = World::new(7);
    let phone = world.add_phone();
    world.set_network(false);
    let options = Options { start: world.now(phone).wall, minutes: 60, kind: Kind::Motorway };
    world.drive_along(phone, made::drive(1, options));
    world.run_for(500);
    done(&mut world, Command::StartDrive { car: None });
    world.run_for(30_000);
    world
}

fn done(world: &mut World, command: Command) {
    let outcome = world.perform(0, command);
    assert!(matches!(outcome, Outcome::Done { .. }), "{outcome:?}");
}

fn recording(world: &World) -> RecordingView {
    world.replica(0).recording_view(world.now(0)).expect("something is being recorded")
}

/// The app is dead for so long, and is started again.
fn restart_after(world: &mut World, dead_ms: u64) {
    world.kill(0);
    world.run_for(dead_ms);
    world.start(0).unwrap();
    world.run_until(5_000, |world| recording(world).state != RecordingState::Recovering);
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
        let mut world = driving();
        if hidden {
            // Everything is packed, and the journal is empty.
            world.show(0, false);
            world.run_for(1_000);
        }
        restart_after(&mut world, dead_ms);
        let view = recording(&world);
        assert_eq!((view.state, view.resumes_itself), (RecordingState::Unfinished, expected), "{dead_ms} {hidden}");
    }
}

#[test]
fn a_drive_that_was_paused_waits_for_its_person() {
    let mut world = driving();
    done(&mut world, Command::PauseDrive);
    restart_after(&mut world, 1_000);
    assert!(!recording(&world).resumes_itself);
    done(&mut world, Command::ResumeDrive);
    restart_after(&mut world, 1_000);
    assert!(recording(&world).resumes_itself, "it was being recorded again");
}

#[test]
fn a_position_from_before_a_drive_went_on_is_kept_beside_it() {
    for is_killed in [false, true] {
        let mut world = driving();
        if is_killed {
            restart_after(&mut world, MINUTE_MS);
        } else {
            done(&mut world, Command::PauseDrive);
        }
        world.drive_along(0, Vec::new());
        let ([lon_deg, lat_deg], at) = (recording(&world).position.unwrap(), world.now(0).wall);
        world.run_for(10_000);
        done(&mut world, Command::ResumeDrive);
        let before = recording(&world).stats;
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
        // Browsers tell the last position that they know first, and some of them tell it again.
        for _ in 0..2 {
            world.run_for(1_000);
            world.measure(0, old);
        }
        let after = recording(&world);
        let found = (after.stats.fixes, after.stats.refused, after.not_recording);
        assert_eq!(found, (before.fixes, before.refused + 2, Some(Refusal::BeforeStart)), "{is_killed}");
    }
}

#[test]
fn that_a_drive_went_on_can_be_undone_as_if_it_had_not() {
    let mut world = driving();
    restart_after(&mut world, 2 * MINUTE_MS);
    world.run_for(1_000);
    let (left, journal) = (recording(&world), world.phone(0).disk().count(Space::Journal));
    done(&mut world, Command::ResumeDrive);
    world.run_for(20_000);
    let on = recording(&world);
    assert!(on.can_undo_resume && on.stats.fixes > left.stats.fixes && on.left_off_at == left.left_off_at, "{on:?}");
    done(&mut world, Command::UndoResume);
    let undone = recording(&world);
    assert_eq!((undone.state, undone.stats), (RecordingState::Unfinished, left.stats));
    assert!(!undone.resumes_itself && !undone.can_undo_resume);
    assert_eq!(world.phone(0).disk().count(Space::Journal), journal);
    restart_after(&mut world, 1_000);
    let again = recording(&world);
    assert_eq!((again.stats, again.resumes_itself), (left.stats, false), "a second start does not take it up again");
    done(&mut world, Command::FinishDrive);
    let drive = world.replica(0).drives()[0].clone();
    assert_eq!(drive.stats.map(|stats| stats.fixes), Some(left.stats.fixes));
    assert!(drive.ended_at.unwrap().millis_since(drive.started_at) <= 31_000, "{drive:?}");
}

#[test]
fn what_is_packed_is_not_undone() {
    let mut world = driving();
    restart_after(&mut world, 1_000);
    done(&mut world, Command::ResumeDrive);
    world.run_for(2 * MINUTE_MS);
    let before = recording(&world);
    assert!(!before.can_undo_resume);
    assert_eq!(world.perform(0, Command::UndoResume), Outcome::Refused { code: CommandError::NotFound });
    assert_eq!(recording(&world).state, RecordingState::Active);
}

#[test]
fn a_drive_that_is_discarded_is_on_no_list() {
    let mut world = driving();
    done(&mut world, Command::DiscardDrive);
    assert_eq!(world.replica(0).recording_view(world.now(0)), None);
    assert_eq!(world.replica(0).drives(), []);
    restart_after_discard(&mut world);
    assert_eq!(world.replica(0).drives(), []);
}

fn restart_after_discard(world: &mut World) {
    world.kill(0);
    world.start(0).unwrap();
    world.run_for(5_000);
    assert_eq!(world.replica(0).recording_view(world.now(0)), None);
}
