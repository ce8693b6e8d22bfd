//! Storage that does not give back what was written, and relays that lost something: nobody is stuck, and nothing that
//! anybody still has stays away.

use tourismo_core::digest::Digest;
use tourismo_core::docs::CarFields;
use tourismo_core::id::DocId;
use tourismo_core::replica::io::{Command, Outcome};
use tourismo_core::replica::view::{DriveSync, RecordingState, TrackView};
use tourismo_core::wire::NackCode;
use tourismo_tests::made::{self, Kind, Options};
use tourismo_tests::sim::{CONVERGENCE_MS, World};

fn done(world: &mut World, phone: usize, command: Command) -> Option<DocId> {
    match world.perform(phone, command) {
        Outcome::Done { doc } => doc,
        other => panic!("{other:?}"),
    }
}

fn settle(world: &mut World, phone: usize) {
    assert!(world.run_until(CONVERGENCE_MS, |world| world.is_settled(phone).is_ok()), "{:?}", world.is_settled(phone));
}

fn begin_drive(world: &mut World, phone: usize, minutes: u32) -> DocId {
    let options = Options { start: world.now(phone).wall, minutes: minutes + 5, kind: Kind::Motorway };
    world.drive_along(phone, made::drive(3, options));
    let drive = done(world, phone, Command::StartDrive { car: None }).expect("a drive was made");
    world.run_for(u64::from(minutes) * 60_000);
    drive
}

fn restart_damaged(world: &mut World, index: u32) {
    world.kill(0);
    world.lose_change(0, index);
    world.start(0).unwrap();
}

fn state(world: &World) -> Option<RecordingState> {
    world.replica(0).recording_view(world.now(0)).map(|view| view.state)
}

fn rename(drive: DocId, title: &str) -> Command {
    Command::EditDrive { drive, title: Some(title.to_owned()), notes: None, car: None }
}

#[test]
fn what_is_damaged_here_is_fetched_again_from_the_relay() {
    let mut world = World::new(1);
    world.add_phone();
    let drive = begin_drive(&mut world, 0, 4);
    done(&mut world, 0, Command::FinishDrive);
    settle(&mut world, 0);
    let before = world.phone(0).disk().hashes();
    for index in [0, 1, 3] {
        restart_damaged(&mut world, index);
        assert_ne!(world.phone(0).disk().hashes(), before);
        world.run_for(3_000);
        done(&mut world, 0, Command::OpenDrive { drive });
        done(&mut world, 0, rename(drive, "Repaired"));
        settle(&mut world, 0);
        assert!(world.phone(0).disk().hashes().is_superset(&before), "all of it is on disk again");
    }
    world.kill(0);
    world.set_network(false);
    world.start(0).unwrap();
    done(&mut world, 0, Command::OpenDrive { drive });
    assert!(matches!(world.replica(0).track(), Some(TrackView::Ready { .. })));
}

#[test]
fn a_recording_whose_track_is_damaged_goes_on_with_what_can_be_read_of_it() {
    // The first change of a track makes its map; without it nothing can be read.
    for (damaged, at_least) in [(3, 110), (1, 25), (0, 25)] {
        let mut world = World::new(2);
        world.add_phone();
        world.set_network(false);
        let drive = begin_drive(&mut world, 0, 5);
        restart_damaged(&mut world, damaged);
        assert!(world.run_until(5_000, |world| state(world) == Some(RecordingState::Unfinished)), "{damaged}");
        done(&mut world, 0, Command::ResumeDrive);
        world.run_for(30_000);
        let finished = done(&mut world, 0, Command::FinishDrive).expect("a drive was finished");
        assert_eq!(finished == drive, damaged != 0, "a drive that cannot be read either has another in its place");
        let view = world.replica(0).drives().into_iter().find(|view| view.id == finished).unwrap();
        assert!(view.stats.unwrap().fixes >= at_least, "{damaged}: {:?}", view.stats);
        done(&mut world, 0, Command::OpenDrive { drive: finished });
        world.set_network(true);
        world.run_for(20_000);
        let view = world.replica(0).drives().into_iter().find(|view| view.id == finished).unwrap();
        assert_eq!(view.sync, DriveSync::OnRelay { track_here: true }, "{damaged}");
    }
}

#[test]
fn a_recording_of_which_nothing_is_known_any_more_goes_on_with_what_can_be_read() {
    let mut world = World::new(6);
    world.add_phone();
    world.set_network(false);
    begin_drive(&mut world, 0, 5);
    world.kill(0);
    world.lose_records(0);
    world.start(0).unwrap();
    assert!(world.run_until(5_000, |world| state(world) == Some(RecordingState::Unfinished)));
    let drive = done(&mut world, 0, Command::FinishDrive).expect("a drive was finished");
    let view = world.replica(0).drives().into_iter().find(|view| view.id == drive).unwrap();
    assert!(view.stats.unwrap().fixes > 290, "{:?}", view.stats);
}

#[test]
fn a_recording_whose_track_is_damaged_gets_it_back_from_the_relay() {
    let mut world = World::new(3);
    world.add_phone();
    let drive = begin_drive(&mut world, 0, 5);
    restart_damaged(&mut world, 2);
    assert!(world.run_until(5_000, |world| state(world) == Some(RecordingState::Unfinished)));
    done(&mut world, 0, Command::FinishDrive);
    settle(&mut world, 0);
    let view = world.replica(0).drives().remove(0);
    assert_eq!(view.id, drive);
    assert!(view.stats.unwrap().fixes > 295, "{:?}", view.stats);
    assert_eq!(world.relay().documents(&world.account(0)).len(), 2, "no other track was needed");
}

#[test]
fn a_damaged_change_that_was_never_sent_holds_nothing_else_up() {
    let mut world = World::new(4);
    world.add_phone();
    settle(&mut world, 0);
    world.set_network(false);
    let drive = begin_drive(&mut world, 0, 1);
    done(&mut world, 0, Command::FinishDrive);
    restart_damaged(&mut world, 0);
    let fields = CarFields { nickname: "Rosi".to_owned(), ..CarFields::default() };
    let car = done(&mut world, 0, Command::PutCar { car: None, fields }).unwrap();
    world.set_network(true);
    world.run_for(30_000);
    assert!(world.relay().documents(&world.account(0)).contains_key(&car));
    let view = world.replica(0).drives().into_iter().find(|view| view.id == drive).expect("its row is still there");
    assert!(matches!(view.sync, DriveSync::Refused { code: NackCode::Malformed | NackCode::UnknownDeps }), "{view:?}");
}

/// A phone whose relay was put back to before the time of another device, which is gone but made part of what the phone
/// holds; with that device, and with what the relay had of all.
fn of_another_time() -> (World, usize, Digest) {
    let mut world = World::new(5);
    world.add_phone();
    let drive = begin_drive(&mut world, 0, 1);
    done(&mut world, 0, Command::FinishDrive);
    settle(&mut world, 0);
    world.back_up_relay();
    let second = world.add_device(0);
    settle(&mut world, second);
    done(&mut world, second, rename(drive, "Second"));
    settle(&mut world, second);
    world.run_for(2_000);
    done(&mut world, 0, rename(drive, "Second and first"));
    settle(&mut world, 0);
    world.run_for(2_000);
    let before = world.relay().digest(&world.account(0));
    world.kill(second);
    world.restore_backup();
    (world, second, before)
}

#[test]
fn p7_what_a_restored_relay_refuses_is_offered_again_until_it_knows_better() {
    let (mut world, second, before) = of_another_time();
    world.let_nobody_vouch();
    world.run_for(20_000);
    assert!(world.replica(0).status().refused > 0, "{:?}", world.replica(0).status());
    let sent = world.traffic(0).from_phone.len();
    world.run_for(200_000);
    assert!(world.traffic(0).from_phone.len() < sent + 20, "nothing is offered over and over");
    world.start(second).unwrap();
    settle(&mut world, second);
    settle(&mut world, 0);
    assert_eq!(world.relay().digest(&world.account(0)), before);
    assert_eq!(world.replica(0).status().refused, 0);
}

#[test]
fn p10_what_a_lost_device_made_and_all_that_builds_on_it_is_offered_again_once() {
    let (mut world, _, before) = of_another_time();
    world.run_for(1_000);
    settle(&mut world, 0);
    assert_eq!(world.relay().digest(&world.account(0)), before);
    assert_eq!(world.replica(0).status().refused, 0);
    assert!(world.traffic(0).from_phone.len() < 12, "nothing is offered over and over: {:?}", world.traffic(0));
}
