//! Phones that get snapshots in place of changes: new ones, old ones, ones with something unsent, and ones that have what a
//! relay lost.

use std::collections::BTreeSet;

use tourismo_core::docs::CarFields;
use tourismo_core::id::{ChangeHash, DocId};
use tourismo_core::log::examine;
use tourismo_core::replica::io::{Command, Outcome, Space};
use tourismo_core::replica::view::{DriveSync, TrackView};
use tourismo_tests::made::{self, Kind, Options};
use tourismo_tests::sim::{CONVERGENCE_MS, World};

fn done(world: &mut World, phone: usize, command: Command) -> Option<DocId> {
    match world.perform(phone, command) {
        Outcome::Done { doc } => doc,
        other => panic!("{other:?}"),
    }
}

fn settle(world: &mut World, phones: usize) {
    let all = |world: &World| (0..phones).all(|phone| world.is_settled(phone).is_ok());
    for _ in 0..2 {
        let reasons = |world: &World| (0..phones).map(|phone| world.is_settled(phone)).collect::<Vec<_>>();
        assert!(world.run_until(CONVERGENCE_MS, all), "{:?}", reasons(world));
        world.run_for(2_000);
    }
}

fn drive(world: &mut World, phone: usize, seconds: u32) -> DocId {
    let options = Options { start: world.now(phone).wall, minutes: seconds / 60 + 1, kind: Kind::Motorway };
    world.drive_along(phone, made::drive(3, options));
    let drive = done(world, phone, Command::StartDrive { car: None }).expect("a drive was made");
    world.run_for(u64::from(seconds) * 1_000);
    done(world, phone, Command::FinishDrive);
    world.drive_along(phone, Vec::new());
    drive
}

fn rename(drive: DocId, title: &str) -> Command {
    Command::EditDrive { drive, title: Some(title.to_owned()), notes: None, car: None }
}

fn title(world: &World, phone: usize, drive: DocId) -> String {
    world.replica(phone).drives().into_iter().find(|view| view.id == drive).expect("the drive is listed").title
}

/// How many entries of the space a phone's disk has: changes by themselves and snapshots.
fn stored(world: &World, phone: usize) -> usize {
    world.phone(phone).disk().count(Space::Change)
}

#[test]
fn s1_s3_a_new_device_gets_one_snapshot_for_each_document_and_a_track_when_it_is_opened() {
    let mut world = World::new(1);
    world.add_phone();
    let drive = drive(&mut world, 0, 330);
    for number in 0..6 {
        done(&mut world, 0, rename(drive, &format!("Over the pass {number}")));
    }
    settle(&mut world, 1);
    world.compact_relay(4);
    world.add_device(0);
    settle(&mut world, 2);
    assert_eq!(title(&world, 1, drive), "Over the pass 5");
    assert_eq!(world.replica(1).drives()[0].sync, DriveSync::OnRelay { track_here: false });
    assert_eq!(stored(&world, 1), 1, "the drive is one chunk, the track is not here");
    done(&mut world, 1, Command::OpenDrive { drive });
    done(&mut world, 0, Command::OpenDrive { drive });
    assert!(matches!(world.replica(1).track(), Some(TrackView::Ready { .. })));
    assert_eq!(world.replica(1).track(), world.replica(0).track());
    settle(&mut world, 2);
    assert_eq!(stored(&world, 1), 2);
    assert_eq!(world.phone(1).disk().hashes(), world.phone(0).disk().hashes(), "and every change is in there");

    // What comes later builds on it, here and there, also after a restart.
    world.kill(1);
    world.start(1).unwrap();
    settle(&mut world, 2);
    done(&mut world, 1, rename(drive, "Back over the pass"));
    settle(&mut world, 2);
    assert_eq!(title(&world, 0, drive), "Back over the pass");
}

#[test]
fn s2_a_device_with_unsent_changes_keeps_them_unsent_when_a_snapshot_comes() {
    let mut world = World::new(2);
    world.add_phone();
    let drive = drive(&mut world, 0, 70);
    settle(&mut world, 1);
    world.add_device(0);
    settle(&mut world, 2);
    // One phone is away, and both go on with the same documents.
    world.kill(1);
    for number in 0..8 {
        done(&mut world, 0, rename(drive, &format!("Number {number}")));
    }
    settle(&mut world, 1);
    world.compact_relay(4);
    world.set_network(false);
    world.start(1).unwrap();
    world.run_for(2_000);
    let car = done(
        &mut world,
        1,
        Command::PutCar { car: None, fields: CarFields { nickname: "Red one".to_owned(), ..CarFields::default() } },
    )
    .unwrap();
    let notes =
        Command::EditDrive { drive, title: None, notes: Some("Ice in the shade".to_owned()), car: Some(Some(car)) };
    done(&mut world, 1, notes);
    let before = world.replica(1).status().unsent_changes;
    assert_eq!(before, 2);
    world.set_network(true);
    settle(&mut world, 2);
    for phone in 0..2 {
        let view = world.replica(phone).drives().remove(0);
        assert_eq!((view.title.as_str(), view.notes.as_str(), view.car), ("Number 7", "Ice in the shade", Some(car)));
    }
}

#[test]
fn s3_a_push_that_was_never_answered_is_told_from_a_snapshot_that_covers_it() {
    let mut world = World::new(3);
    world.add_phone();
    let drive = drive(&mut world, 0, 250);
    // The relay has everything, and its answers are lost.
    world.kill(0);
    world.start(0).unwrap();
    world.run_for(500);
    world.cut_all();
    world.kill(0);
    world.run_for(5_000);
    world.compact_relay(4);
    world.start(0).unwrap();
    settle(&mut world, 1);
    assert_eq!(world.replica(0).drives()[0].sync, DriveSync::OnRelay { track_here: true });
    done(&mut world, 0, Command::OpenDrive { drive });
    assert!(matches!(world.replica(0).track(), Some(TrackView::Ready { .. })));
}

#[test]
fn d2_what_only_a_snapshot_here_holds_is_offered_to_a_relay_that_lost_it() {
    let mut world = World::new(4);
    world.add_phone();
    let drive = drive(&mut world, 0, 250);
    for number in 0..6 {
        done(&mut world, 0, rename(drive, &format!("Over the pass {number}")));
    }
    settle(&mut world, 1);
    world.compact_relay(4);
    world.add_device(0);
    settle(&mut world, 2);
    done(&mut world, 1, Command::OpenDrive { drive });
    settle(&mut world, 2);
    let whole = world.phone(1).disk().hashes();
    assert_eq!(stored(&world, 1), 2, "it has two snapshots and no change by itself");
    // The phone that made it all is gone, and the relay goes back to an old backup.
    world.kill(0);
    world.restore_relay(30);
    let names = |world: &World| -> BTreeSet<ChangeHash> {
        let relay = world.relay();
        relay.entries(&world.account(1)).iter().map(|(_, _, chunk)| examine(chunk).unwrap().hash).collect()
    };
    assert!(!names(&world).is_superset(&whole), "it lost something");
    let all = |world: &World| world.is_settled(1).is_ok() && names(world).is_superset(&whole);
    assert!(world.run_until(2 * CONVERGENCE_MS, all), "{:?}", world.is_settled(1));
}
