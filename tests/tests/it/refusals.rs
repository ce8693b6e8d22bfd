//! What a phone refuses to do, and why: every reason can be reached, and a refused command changes nothing.

use serde_bytes::ByteBuf;
use tourismo_core::docs::social::Relation;
use tourismo_core::docs::{CarFields, ProfileFields, Visibility};
use tourismo_core::id::{AccountId, DocId};
use tourismo_core::replica::io::{Command, CommandError, Outcome, Space};
use tourismo_core::replica::view::TrackView;
use tourismo_tests::made::{self, Kind, Options};
use tourismo_tests::sim::{CONVERGENCE_MS, World};

/// A world with one phone that has one finished drive of two minutes, without a network.
fn after_a_drive() -> (World, DocId) {
    let mut world = World::new(31);
    world.add_phone();
    world.set_network(false);
    let options = Options { start: world.now(0).wall, minutes: 30, kind: Kind::Motorway };
    world.drive_along(0, made::drive(2, options));
    let drive = done(&mut world, Command::StartDrive { car: None }).expect("a drive was made");
    world.run_for(120_000);
    done(&mut world, Command::FinishDrive);
    (world, drive)
}

fn done(world: &mut World, command: Command) -> Option<DocId> {
    match world.perform(0, command) {
        Outcome::Done { doc } => doc,
        other => panic!("{other:?}"),
    }
}

fn check(world: &mut World, code: CommandError, commands: impl IntoIterator<Item = Command>) {
    for command in commands {
        check_outcome(world, command, |outcome| *outcome == Outcome::Refused { code });
    }
}

fn check_outcome(world: &mut World, command: Command, is_expected: impl Fn(&Outcome) -> bool) {
    let shown = |world: &World| (world.replica(0).drives(), world.replica(0).cars(), world.replica(0).account());
    let (before, changes) = (shown(world), world.phone(0).disk().count(Space::Change));
    let outcome = world.perform(0, command.clone());
    assert!(is_expected(&outcome), "{command:?}: {outcome:?}");
    world.run_for(100);
    assert_eq!((shown(world), world.phone(0).disk().count(Space::Change)), (before, changes), "{command:?}");
}

fn edit(drive: DocId) -> Command {
    Command::EditDrive { drive, title: Some("x".to_owned()), notes: None, car: None }
}

fn publish(drive: DocId) -> Command {
    Command::PublishDrive { drive, visibility: Visibility::Public }
}

#[test]
fn nothing_is_paused_resumed_or_finished_while_nothing_is_recorded() {
    let (mut world, _) = after_a_drive();
    let commands = [Command::PauseDrive, Command::ResumeDrive, Command::FinishDrive];
    check(&mut world, CommandError::NotRecording, commands);
}

#[test]
fn one_drive_is_recorded_at_a_time() {
    let (mut world, _) = after_a_drive();
    done(&mut world, Command::StartDrive { car: None });
    let commands = [Command::StartDrive { car: None }, Command::ResumeDrive];
    check(&mut world, CommandError::AlreadyRecording, commands);
    done(&mut world, Command::PauseDrive);
    check(&mut world, CommandError::AlreadyRecording, [Command::StartDrive { car: None }]);
    check(&mut world, CommandError::NotRecording, [Command::PauseDrive]);
    world.kill(0);
    world.start(0).unwrap();
    check(&mut world, CommandError::AlreadyRecording, [Command::StartDrive { car: None }]);
    check(&mut world, CommandError::NotRecording, [Command::PauseDrive]);
}

#[test]
fn a_drive_that_is_being_recorded_is_neither_published_nor_deleted() {
    let (mut world, _) = after_a_drive();
    let drive = done(&mut world, Command::StartDrive { car: None }).unwrap();
    world.run_for(5_000);
    check(&mut world, CommandError::NotFinished, [publish(drive), Command::DeleteDrive { drive }]);
}

#[test]
fn what_is_not_there_or_of_another_kind_is_not_found() {
    let (mut world, drive) = after_a_drive();
    let fields = CarFields { nickname: "Rosi".to_owned(), ..CarFields::default() };
    let car = done(&mut world, Command::PutCar { car: None, fields: fields.clone() }).unwrap();
    let nowhere = DocId::from_bytes([9; 16]);
    let with_car = |car| Command::EditDrive { drive, title: None, notes: None, car: Some(Some(car)) };
    for drive in [nowhere, car] {
        let commands = [edit(drive), publish(drive), Command::DeleteDrive { drive }, Command::OpenDrive { drive }];
        check(&mut world, CommandError::NotFound, commands);
    }
    for car in [nowhere, drive] {
        let put = Command::PutCar { car: Some(car), fields: fields.clone() };
        check(&mut world, CommandError::NotFound, [with_car(car), Command::StartDrive { car: Some(car) }, put]);
    }
    done(&mut world, Command::DeleteDrive { drive });
    check(&mut world, CommandError::NotFound, [edit(drive), publish(drive), Command::DeleteDrive { drive }]);
}

#[test]
fn values_beyond_their_bounds_are_invalid() {
    let (mut world, drive) = after_a_drive();
    let long = |chars| "é".repeat(chars);
    let with = |title, notes| Command::EditDrive { drive, title, notes, car: None };
    let car = |fields| Command::PutCar { car: None, fields };
    let profile = |fields| Command::PutProfile { fields };
    let commands = [
        (with(Some(long(201)), None), "title", "at most 200 characters"),
        (with(None, Some(long(10_001))), "notes", "at most 10,000 characters"),
        (car(CarFields::default()), "nickname", "a nickname, or a make or model"),
        (car(CarFields { make: long(101), ..CarFields::default() }), "make", "at most 100 characters"),
        (
            car(CarFields { make: long(1), year: Some(1_879), ..CarFields::default() }),
            "year",
            "a year from 1880 to 2200",
        ),
        (profile(ProfileFields { handle: long(31), ..ProfileFields::default() }), "handle", "at most 30 characters"),
        (profile(ProfileFields { bio: long(1_001), ..ProfileFields::default() }), "bio", "at most 1,000 characters"),
        (Command::GrantDevice { device: ByteBuf::from(vec![1; 31]) }, "device", "a key of 32 bytes"),
    ];
    for (command, field, expected) in commands {
        check_outcome(&mut world, command, |outcome| *outcome == Outcome::Invalid { field, expected });
    }
    done(&mut world, with(Some(long(200)), Some(long(10_000))));
    let view = world.replica(0).drives().remove(0);
    assert_eq!((view.title, view.notes), (long(200), long(10_000)));
}

#[test]
fn a_drive_that_hides_altogether_is_not_published() {
    let (mut world, _) = after_a_drive();
    let short = done(&mut world, Command::StartDrive { car: None }).unwrap();
    world.run_for(10_000);
    done(&mut world, Command::FinishDrive);
    check(&mut world, CommandError::NothingLeftToPublish, [publish(short)]);
}

#[test]
fn a_track_that_cannot_be_read_is_said_to_be_so() {
    let (mut world, drive) = after_a_drive();
    world.kill(0);
    world.lose_change(0, 1);
    world.start(0).unwrap();
    let outcome = world.perform(0, Command::OpenDrive { drive });
    let code = CommandError::Unreadable;
    assert_eq!(outcome, Outcome::Refused { code });
    assert_eq!(world.replica(0).track(), Some(&TrackView::Unavailable { drive, code }));
    check(&mut world, code, [publish(drive)]);
}

/// A relay of an earlier version gave an id to whoever wrote to it first, and refused its owner. Once it is updated, phones
/// offer those changes by themselves.
#[test]
fn p7_what_was_refused_because_a_stranger_had_the_id_is_offered_again_once_the_relay_is_updated() {
    let mut world = World::new(31);
    world.add_phone();
    assert!(world.run_until(CONVERGENCE_MS, |world| world.is_settled(0).is_ok()));
    world.give_ids_away(true);
    world.squat_first_relay();
    let fields = ProfileFields { display_name: "Anna".to_owned(), ..ProfileFields::default() };
    world.perform(0, Command::PutProfile { fields });
    let other = AccountId::from_bytes([7; 16]);
    world.perform(0, Command::Relate { account: other, relation: Relation::Block, holds: true });
    world.run_for(30_000);
    let refused = |world: &World| world.replica(0).status().refused;
    assert_eq!((refused(&world), world.is_settled(0).is_ok()), (2, false));
    world.give_ids_away(false);
    world.crash_relay(1_000);
    assert!(world.run_until(CONVERGENCE_MS, |world| world.is_settled(0).is_ok()), "{:?}", world.is_settled(0));
    assert_eq!(refused(&world), 0);
    let documents = world.relay().documents(&world.account(0));
    assert_eq!(documents.len(), 2, "{:?}", documents.keys());
}
