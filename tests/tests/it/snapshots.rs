//! Phones that receive snapshots in place of changes: new ones, old ones, ones with unsent changes, and ones that have
//! what a relay lost.

use std::collections::BTreeSet;

use tourismo_core::admission::scan_candidate;
use tourismo_core::docs::CarFields;
use tourismo_core::id::ChangeHash;
use tourismo_core::replica::io::{Command, Space};
use tourismo_core::replica::views::{DriveSync, TrackView};
use tourismo_tests::sim::{CONVERGENCE_MS, Network};

use crate::stories::{done, drive, rename, settle, settle_first, title};

/// The number of entries on a phone's disk: single changes and snapshots.
fn stored(sim: &Network, phone: usize) -> usize {
    sim.phone(phone).disk().count(Space::Change)
}

#[test]
fn s1_s3_a_new_device_gets_one_snapshot_for_each_document_and_a_track_when_it_is_opened() {
    let mut sim = Network::new(1);
    sim.add_phone();
    let drive = drive(&mut sim, 0, 330);
    for number in 0..6 {
        done(&mut sim, 0, rename(drive, &format!("Over the pass {number}")));
    }
    settle(&mut sim);
    sim.compact_relay(4);
    sim.add_device(0);
    settle(&mut sim);
    assert_eq!(title(&sim, 1, drive), "Over the pass 5");
    assert_eq!(sim.replica(1).drives()[0].sync, DriveSync::OnRelay { track_here: false });
    assert_eq!(stored(&sim, 1), 2, "drive and settings are one chunk each, the track is not here");
    done(&mut sim, 1, Command::OpenDrive { drive });
    done(&mut sim, 0, Command::OpenDrive { drive });
    assert!(matches!(sim.replica(1).track(), Some(TrackView::Ready { .. })));
    assert_eq!(sim.replica(1).track(), sim.replica(0).track());
    settle(&mut sim);
    assert_eq!(stored(&sim, 1), 3);
    assert_eq!(sim.phone(1).disk().hashes(), sim.phone(0).disk().hashes(), "and every change is in there");

    // Later changes depend on it, on both devices, also after a restart.
    sim.kill(1);
    sim.start(1).unwrap();
    settle(&mut sim);
    done(&mut sim, 1, rename(drive, "Back over the pass"));
    settle(&mut sim);
    assert_eq!(title(&sim, 0, drive), "Back over the pass");
}

#[test]
fn s2_a_device_with_unsent_changes_keeps_them_unsent_when_a_snapshot_comes() {
    let mut sim = Network::new(2);
    sim.add_phone();
    let drive = drive(&mut sim, 0, 70);
    settle(&mut sim);
    sim.add_device(0);
    settle(&mut sim);
    // One phone is offline, and both continue with the same documents.
    sim.kill(1);
    for number in 0..8 {
        done(&mut sim, 0, rename(drive, &format!("Number {number}")));
    }
    settle_first(&mut sim, 1);
    sim.compact_relay(4);
    sim.set_network(false);
    sim.start(1).unwrap();
    sim.run_for(2_000);
    let car = done(
        &mut sim,
        1,
        Command::PutCar { car: None, fields: CarFields { nickname: "Red one".to_owned(), ..CarFields::default() } },
    )
    .unwrap();
    let notes =
        Command::EditDrive { drive, title: None, notes: Some("Ice in the shade".to_owned()), car: Some(Some(car)) };
    done(&mut sim, 1, notes);
    let before = sim.replica(1).status().unsent_changes;
    assert_eq!(before, 2);
    sim.set_network(true);
    settle(&mut sim);
    for phone in 0..2 {
        let view = sim.replica(phone).drives().remove(0);
        assert_eq!((view.title.as_str(), view.notes.as_str(), view.car), ("Number 7", "Ice in the shade", Some(car)));
    }
}

#[test]
fn s3_a_push_that_was_never_answered_is_told_from_a_snapshot_that_covers_it() {
    let mut sim = Network::new(3);
    sim.add_phone();
    let drive = drive(&mut sim, 0, 250);
    // The relay has everything, and its acknowledgements are lost.
    sim.kill(0);
    sim.start(0).unwrap();
    sim.run_for(500);
    sim.cut_all();
    sim.kill(0);
    sim.run_for(5_000);
    sim.compact_relay(4);
    sim.start(0).unwrap();
    settle(&mut sim);
    assert_eq!(sim.replica(0).drives()[0].sync, DriveSync::OnRelay { track_here: true });
    done(&mut sim, 0, Command::OpenDrive { drive });
    assert!(matches!(sim.replica(0).track(), Some(TrackView::Ready { .. })));
}

#[test]
fn d2_what_only_a_snapshot_here_holds_is_offered_to_a_relay_that_lost_it() {
    let mut sim = Network::new(4);
    sim.add_phone();
    let drive = drive(&mut sim, 0, 250);
    for number in 0..6 {
        done(&mut sim, 0, rename(drive, &format!("Over the pass {number}")));
    }
    settle(&mut sim);
    sim.compact_relay(4);
    sim.add_device(0);
    settle(&mut sim);
    done(&mut sim, 1, Command::OpenDrive { drive });
    settle(&mut sim);
    let whole = sim.phone(1).disk().hashes();
    assert_eq!(stored(&sim, 1), 3, "it has a chunk of drive, track and settings, and no change by itself");
    // The phone that made it all is gone, and the relay is restored from an old backup.
    sim.kill(0);
    sim.restore_relay(30);
    let names = |sim: &Network| -> BTreeSet<ChangeHash> {
        let relay = sim.relay();
        relay.entries(&sim.account(1)).iter().map(|(_, _, chunk)| scan_candidate(chunk).unwrap().hash).collect()
    };
    assert!(!names(&sim).is_superset(&whole), "it lost something");
    let all = |sim: &Network| sim.is_settled(1).is_ok() && names(sim).is_superset(&whole);
    assert!(sim.run_until(2 * CONVERGENCE_MS, all), "{:?}", sim.is_settled(1));
}
