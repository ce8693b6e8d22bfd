//! Storage that returns something else than was written, and relays that lost data: every device gets to a consistent
//! state, and whatever any device still has reaches all of them.

use tourismo_core::digest::Digest;
use tourismo_core::docs::CarFields;
use tourismo_core::replica::io::Command;
use tourismo_core::replica::views::{DriveSync, RecordingState, TrackView};
use tourismo_core::wire::{DocKind, NackCode};
use tourismo_tests::sim::{CONVERGENCE_MS, Network};

use crate::stories::{begin_drive, done, rename};

fn settle(sim: &mut Network, phone: usize) {
    assert!(sim.run_until(CONVERGENCE_MS, |sim| sim.is_settled(phone).is_ok()), "{:?}", sim.is_settled(phone));
}

fn restart_damaged(sim: &mut Network, index: u32) {
    sim.kill(0);
    sim.lose_change(0, index);
    sim.start(0).unwrap();
}

fn state(sim: &Network) -> Option<RecordingState> {
    sim.replica(0).recording_view(sim.now(0)).map(|view| view.state)
}

#[test]
fn what_is_damaged_here_is_fetched_again_from_the_relay() {
    let mut sim = Network::new(1);
    sim.add_phone();
    let drive = begin_drive(&mut sim, 0, 4);
    done(&mut sim, 0, Command::FinishDrive);
    settle(&mut sim, 0);
    let before = sim.phone(0).disk().hashes();
    for index in [0, 1, 3] {
        restart_damaged(&mut sim, index);
        assert_ne!(sim.phone(0).disk().hashes(), before);
        sim.run_for(3_000);
        done(&mut sim, 0, Command::OpenDrive { drive });
        done(&mut sim, 0, rename(drive, "Repaired"));
        // The settings, with the places that were found, are read when they are changed.
        done(&mut sim, 0, Command::NameDevice { name: format!("Repaired {index}") });
        settle(&mut sim, 0);
        assert!(sim.phone(0).disk().hashes().is_superset(&before), "all of it is on disk again");
    }
    sim.kill(0);
    sim.set_network(false);
    sim.start(0).unwrap();
    done(&mut sim, 0, Command::OpenDrive { drive });
    assert!(matches!(sim.replica(0).track(), Some(TrackView::Ready { .. })));
}

#[test]
fn a_recording_whose_track_is_damaged_goes_on_with_what_can_be_read_of_it() {
    // The first change of a track creates its map; without it no block can be read.
    for (damaged, at_least) in [(3, 110), (1, 25), (0, 25)] {
        let mut sim = Network::new(2);
        sim.add_phone();
        sim.set_network(false);
        let drive = begin_drive(&mut sim, 0, 5);
        restart_damaged(&mut sim, damaged);
        assert!(sim.run_until(5_000, |sim| state(sim) == Some(RecordingState::Unfinished)), "{damaged}");
        done(&mut sim, 0, Command::ResumeDrive);
        sim.run_for(30_000);
        let finished = done(&mut sim, 0, Command::FinishDrive).expect("a drive was finished");
        assert_eq!(finished == drive, damaged != 0, "a drive that cannot be read either has another in its place");
        let view = sim.replica(0).drives().into_iter().find(|view| view.id == finished).unwrap();
        assert!(view.stats.unwrap().fixes >= at_least, "{damaged}: {:?}", view.stats);
        done(&mut sim, 0, Command::OpenDrive { drive: finished });
        sim.set_network(true);
        sim.run_for(20_000);
        let view = sim.replica(0).drives().into_iter().find(|view| view.id == finished).unwrap();
        assert_eq!(view.sync, DriveSync::OnRelay { track_here: true }, "{damaged}");
    }
}

#[test]
fn a_recording_of_which_nothing_is_known_any_more_goes_on_with_what_can_be_read() {
    let mut sim = Network::new(6);
    sim.add_phone();
    sim.set_network(false);
    begin_drive(&mut sim, 0, 5);
    sim.kill(0);
    sim.lose_records(0);
    sim.start(0).unwrap();
    assert!(sim.run_until(5_000, |sim| state(sim) == Some(RecordingState::Unfinished)));
    let drive = done(&mut sim, 0, Command::FinishDrive).expect("a drive was finished");
    let view = sim.replica(0).drives().into_iter().find(|view| view.id == drive).unwrap();
    assert!(view.stats.unwrap().fixes > 290, "{:?}", view.stats);
}

#[test]
fn a_recording_whose_track_is_damaged_gets_it_back_from_the_relay() {
    let mut sim = Network::new(3);
    sim.add_phone();
    let drive = begin_drive(&mut sim, 0, 5);
    restart_damaged(&mut sim, 2);
    assert!(sim.run_until(5_000, |sim| state(sim) == Some(RecordingState::Unfinished)));
    done(&mut sim, 0, Command::FinishDrive);
    settle(&mut sim, 0);
    let view = sim.replica(0).drives().remove(0);
    assert_eq!(view.id, drive);
    assert!(view.stats.unwrap().fixes > 295, "{:?}", view.stats);
    let documents = sim.relay().documents(&sim.account(0));
    let tracks = documents.into_values().filter(|(kind, _)| *kind == DocKind::Track).count();
    assert_eq!(tracks, 1, "no other track was needed");
}

#[test]
fn a_damaged_change_that_was_never_sent_holds_nothing_else_up() {
    let mut sim = Network::new(4);
    sim.add_phone();
    settle(&mut sim, 0);
    sim.set_network(false);
    let drive = begin_drive(&mut sim, 0, 1);
    done(&mut sim, 0, Command::FinishDrive);
    restart_damaged(&mut sim, 0);
    let fields = CarFields { nickname: "Rosi".to_owned(), ..CarFields::default() };
    let car = done(&mut sim, 0, Command::PutCar { car: None, fields }).unwrap();
    sim.set_network(true);
    sim.run_for(30_000);
    assert!(sim.relay().documents(&sim.account(0)).contains_key(&car));
    let view = sim.replica(0).drives().into_iter().find(|view| view.id == drive).expect("its row is still there");
    assert!(matches!(view.sync, DriveSync::Refused { code: NackCode::Malformed | NackCode::UnknownDeps }), "{view:?}");
}

/// A phone whose relay was restored to before another device was added. That device is gone, but the phone has its
/// changes. Returns also the other device and the digest of all changes before.
fn of_another_time() -> (Network, usize, Digest) {
    let mut sim = Network::new(5);
    sim.add_phone();
    let drive = begin_drive(&mut sim, 0, 1);
    done(&mut sim, 0, Command::FinishDrive);
    settle(&mut sim, 0);
    sim.back_up_relay();
    let second = sim.add_device(0);
    settle(&mut sim, second);
    done(&mut sim, second, rename(drive, "Second"));
    settle(&mut sim, second);
    sim.run_for(2_000);
    done(&mut sim, 0, rename(drive, "Second and first"));
    settle(&mut sim, 0);
    sim.run_for(2_000);
    let before = sim.relay().digest(&sim.account(0));
    sim.kill(second);
    sim.restore_backup();
    (sim, second, before)
}

#[test]
fn p7_what_a_restored_relay_refuses_is_offered_again_until_it_knows_better() {
    let (mut sim, second, before) = of_another_time();
    sim.let_nobody_vouch();
    sim.run_for(20_000);
    assert!(sim.replica(0).status().refused > 0, "{:?}", sim.replica(0).status());
    let sent = sim.traffic(0).from_phone.len();
    sim.run_for(200_000);
    assert!(sim.traffic(0).from_phone.len() < sent + 20, "nothing is offered over and over");
    sim.start(second).unwrap();
    settle(&mut sim, second);
    settle(&mut sim, 0);
    assert_eq!(sim.relay().digest(&sim.account(0)), before);
    assert_eq!(sim.replica(0).status().refused, 0);
}

#[test]
fn p10_what_a_lost_device_made_and_all_that_builds_on_it_is_offered_again_once() {
    let (mut sim, _, before) = of_another_time();
    sim.run_for(1_000);
    settle(&mut sim, 0);
    assert_eq!(sim.relay().digest(&sim.account(0)), before);
    assert_eq!(sim.replica(0).status().refused, 0);
    assert!(sim.traffic(0).from_phone.len() < 12, "nothing is offered over and over: {:?}", sim.traffic(0));
}
