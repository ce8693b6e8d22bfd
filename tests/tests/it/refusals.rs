//! The refusals of commands by a phone: every code is reached, and a refused command changes nothing.

use serde_bytes::ByteBuf;
use tourismo_core::docs::social::Relation;
use tourismo_core::docs::{CarFields, ProfileFields, Visibility};
use tourismo_core::id::{AccountId, DocId};
use tourismo_core::replica::io::{Command, CommandError, CommandOutcome, Space};
use tourismo_core::replica::views::TrackView;
use tourismo_tests::sim::{CONVERGENCE_MS, Network};
use tourismo_tests::synthetic::{self, Kind, Options};

/// A simulation with one phone and one finished drive of two minutes, without a network.
fn after_a_drive() -> (Network, DocId) {
    let mut sim = Network::new(31);
    sim.add_phone();
    sim.set_network(false);
    let options = Options { start: sim.now(0).wall, minutes: 30, kind: Kind::Motorway };
    sim.drive_along(0, synthetic::drive(2, options));
    let drive = done(&mut sim, Command::StartDrive { car: None }).expect("a drive was made");
    sim.run_for(120_000);
    done(&mut sim, Command::FinishDrive);
    (sim, drive)
}

fn done(sim: &mut Network, command: Command) -> Option<DocId> {
    match sim.perform(0, command) {
        CommandOutcome::Done { doc } => doc,
        other => panic!("{other:?}"),
    }
}

fn check(sim: &mut Network, code: CommandError, commands: impl IntoIterator<Item = Command>) {
    for command in commands {
        check_outcome(sim, command, |outcome| *outcome == CommandOutcome::Refused { code });
    }
}

fn check_outcome(sim: &mut Network, command: Command, is_expected: impl Fn(&CommandOutcome) -> bool) {
    let shown = |sim: &Network| (sim.replica(0).drives(), sim.replica(0).cars(), sim.replica(0).account());
    let (before, changes) = (shown(sim), sim.phone(0).disk().count(Space::Change));
    let outcome = sim.perform(0, command.clone());
    assert!(is_expected(&outcome), "{command:?}: {outcome:?}");
    sim.run_for(100);
    assert_eq!((shown(sim), sim.phone(0).disk().count(Space::Change)), (before, changes), "{command:?}");
}

fn edit(drive: DocId) -> Command {
    Command::EditDrive { drive, title: Some("x".to_owned()), notes: None, car: None }
}

fn publish(drive: DocId) -> Command {
    Command::PublishDrive { drive, visibility: Visibility::Public }
}

#[test]
fn nothing_is_paused_resumed_or_finished_while_nothing_is_recorded() {
    let (mut sim, _) = after_a_drive();
    let commands = [Command::PauseDrive, Command::ResumeDrive, Command::FinishDrive];
    check(&mut sim, CommandError::NotRecording, commands);
}

#[test]
fn one_drive_is_recorded_at_a_time() {
    let (mut sim, _) = after_a_drive();
    done(&mut sim, Command::StartDrive { car: None });
    let commands = [Command::StartDrive { car: None }, Command::ResumeDrive];
    check(&mut sim, CommandError::AlreadyRecording, commands);
    done(&mut sim, Command::PauseDrive);
    check(&mut sim, CommandError::AlreadyRecording, [Command::StartDrive { car: None }]);
    check(&mut sim, CommandError::NotRecording, [Command::PauseDrive]);
    sim.kill(0);
    sim.start(0).unwrap();
    check(&mut sim, CommandError::AlreadyRecording, [Command::StartDrive { car: None }]);
    check(&mut sim, CommandError::NotRecording, [Command::PauseDrive]);
}

#[test]
fn a_drive_that_is_being_recorded_is_neither_published_nor_deleted() {
    let (mut sim, _) = after_a_drive();
    let drive = done(&mut sim, Command::StartDrive { car: None }).unwrap();
    sim.run_for(5_000);
    check(&mut sim, CommandError::NotFinished, [publish(drive), Command::DeleteDrive { drive }]);
}

#[test]
fn what_is_not_there_or_of_another_kind_is_not_found() {
    let (mut sim, drive) = after_a_drive();
    let fields = CarFields { nickname: "Rosi".to_owned(), ..CarFields::default() };
    let car = done(&mut sim, Command::PutCar { car: None, fields: fields.clone() }).unwrap();
    let nowhere = DocId::from_bytes([9; 16]);
    let with_car = |car| Command::EditDrive { drive, title: None, notes: None, car: Some(Some(car)) };
    for drive in [nowhere, car] {
        let commands = [edit(drive), publish(drive), Command::DeleteDrive { drive }, Command::OpenDrive { drive }];
        check(&mut sim, CommandError::NotFound, commands);
    }
    for car in [nowhere, drive] {
        let put = Command::PutCar { car: Some(car), fields: fields.clone() };
        check(&mut sim, CommandError::NotFound, [with_car(car), Command::StartDrive { car: Some(car) }, put]);
    }
    done(&mut sim, Command::DeleteDrive { drive });
    check(&mut sim, CommandError::NotFound, [edit(drive), publish(drive), Command::DeleteDrive { drive }]);
}

#[test]
fn values_beyond_their_bounds_are_invalid() {
    let (mut sim, drive) = after_a_drive();
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
        check_outcome(&mut sim, command, |outcome| *outcome == CommandOutcome::Invalid { field, expected });
    }
    done(&mut sim, with(Some(long(200)), Some(long(10_000))));
    let view = sim.replica(0).drives().remove(0);
    assert_eq!((view.title, view.notes), (long(200), long(10_000)));
}

#[test]
fn a_drive_that_hides_altogether_is_not_published() {
    let (mut sim, _) = after_a_drive();
    let short = done(&mut sim, Command::StartDrive { car: None }).unwrap();
    sim.run_for(10_000);
    done(&mut sim, Command::FinishDrive);
    check(&mut sim, CommandError::NothingLeftToPublish, [publish(short)]);
}

#[test]
fn a_track_that_cannot_be_read_is_said_to_be_so() {
    let (mut sim, drive) = after_a_drive();
    sim.kill(0);
    sim.lose_change(0, 1);
    sim.start(0).unwrap();
    let outcome = sim.perform(0, Command::OpenDrive { drive });
    let code = CommandError::Unreadable;
    assert_eq!(outcome, CommandOutcome::Refused { code });
    assert_eq!(sim.replica(0).track(), Some(&TrackView::Unavailable { drive, code }));
    check(&mut sim, code, [publish(drive)]);
}

/// A relay of an earlier version gave an id to the first account that wrote to it, and refused the owner. After an
/// update of the relay, phones push these changes again by themselves.
#[test]
fn p7_what_was_refused_because_a_stranger_had_the_id_is_offered_again_once_the_relay_is_updated() {
    let mut sim = Network::new(31);
    sim.add_phone();
    assert!(sim.run_until(CONVERGENCE_MS, |sim| sim.is_settled(0).is_ok()));
    sim.give_ids_away(true);
    sim.squat_first_relay();
    let fields = ProfileFields { display_name: "Anna".to_owned(), ..ProfileFields::default() };
    sim.perform(0, Command::PutProfile { fields });
    let other = AccountId::from_bytes([7; 16]);
    sim.perform(0, Command::Relate { account: other, relation: Relation::Block, holds: true });
    sim.run_for(30_000);
    let refused = |sim: &Network| sim.replica(0).status().refused;
    assert_eq!((refused(&sim), sim.is_settled(0).is_ok()), (2, false));
    sim.give_ids_away(false);
    sim.crash_relay(1_000);
    assert!(sim.run_until(CONVERGENCE_MS, |sim| sim.is_settled(0).is_ok()), "{:?}", sim.is_settled(0));
    assert_eq!(refused(&sim), 0);
    let documents = sim.relay().documents(&sim.account(0));
    assert_eq!(documents.len(), 2, "{:?}", documents.keys());
}
