//! The sync progress that a phone shows is correct at every step, through interrupted connections and refusals.

use tourismo_core::id::DocId;
use tourismo_core::replica::io::Command;
use tourismo_core::replica::views::{DriveSync, LinkStatus, StatusView};
use tourismo_tests::sim::{CONVERGENCE_MS, Network};
use tourismo_tests::synthetic::{self, Kind, Options};

use crate::stories::done;

/// A phone's progress for one pending drive: changes and bytes that are not acknowledged, those in flight, and the
/// acknowledged changes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Waiting {
    changes: u32,
    bytes: u32,
    sent_changes: u32,
    sent_bytes: u32,
    acked_changes: u32,
}

fn waiting(sync: DriveSync) -> Option<Waiting> {
    match sync {
        DriveSync::OnPhone { changes, bytes, sent_changes, sent_bytes, acked_changes } => {
            Some(Waiting { changes, bytes, sent_changes, sent_bytes, acked_changes })
        }
        _ => None,
    }
}

/// Records a drive of several blocks without a network.
fn drive(sim: &mut Network) -> DocId {
    sim.set_network(false);
    let options = Options { start: sim.now(0).wall, minutes: 10, kind: Kind::Motorway };
    sim.drive_along(0, synthetic::drive(3, options));
    let drive = done(sim, 0, Command::StartDrive { car: None });
    sim.run_for(400_000);
    done(sim, 0, Command::FinishDrive);
    drive.expect("a drive was made")
}

fn status(sim: &Network, phone: usize) -> StatusView {
    sim.replica(phone).status()
}

fn sync(sim: &Network, phone: usize) -> DriveSync {
    sim.replica(phone).drives()[0].sync
}

/// A phone on a slow network. After every step, the numbers of its one drive equal the totals.
fn on_a_slow_network() -> Network {
    let mut sim = Network::new(21);
    sim.add_phone();
    drive(&mut sim);
    sim.faults.bytes_per_s = 2_000;
    sim
}

#[test]
fn what_is_sent_and_not_acknowledged_is_on_its_way_until_the_connection_is_cut() {
    let mut sim = on_a_slow_network();
    let before = waiting(sync(&sim, 0)).expect("nothing was ever sent");
    assert_eq!((before.sent_changes, before.sent_bytes, before.acked_changes), (0, 0, 0));
    let total = status(&sim, 0);
    // The places of the drive are in the settings.
    assert_eq!(total.unsent_changes, before.changes + 1);
    assert!(total.unsent_bytes > before.bytes);
    assert_eq!((total.unsent_documents, total.sent_changes, total.fetching_documents), (3, 0, 0));

    sim.set_network(true);
    assert!(sim.run_until(CONVERGENCE_MS, |sim| status(sim, 0).sent_changes > 0), "something is on its way");
    let under_way = waiting(sync(&sim, 0)).expect("nothing is acknowledged");
    assert_eq!((under_way.changes, under_way.bytes, under_way.acked_changes), (before.changes, before.bytes, 0));
    let total = status(&sim, 0);
    assert!(total.sent_changes >= under_way.sent_changes && total.sent_bytes >= under_way.sent_bytes);
    assert!(under_way.sent_bytes > 0 && under_way.sent_bytes <= before.bytes, "{under_way:?}");

    sim.set_network(false);
    sim.run_for(5_000);
    let cut = waiting(sync(&sim, 0)).expect("it is not all acknowledged");
    assert_eq!((cut.sent_changes, cut.sent_bytes), (0, 0), "nothing is on its way without a connection");
    assert_eq!(cut.changes + cut.acked_changes, before.changes, "what is not acknowledged is on this phone only");

    sim.set_network(true);
    assert!(sim.run_until(CONVERGENCE_MS, |sim| sim.is_settled(0).is_ok()));
    assert_eq!(sync(&sim, 0), DriveSync::OnRelay { track_here: true });
    let total = status(&sim, 0);
    assert_eq!((total.unsent_changes, total.unsent_bytes, total.unsent_documents), (0, 0, 0));
    assert_eq!((total.sent_changes, total.sent_bytes), (0, 0));
}

#[test]
fn progress_is_never_more_than_there_is_whenever_the_connection_is_cut() {
    let mut sim = on_a_slow_network();
    let all = waiting(sync(&sim, 0)).expect("nothing was ever sent").changes;
    let mut acked = 0;
    for round in 1..40 {
        sim.set_network(true);
        let until_ms = round * 37;
        sim.run_for(until_ms);
        let total = status(&sim, 0);
        if let Some(shown) = waiting(sync(&sim, 0)) {
            assert_eq!(shown.changes + shown.acked_changes, all);
            assert!(shown.sent_changes <= shown.changes && shown.sent_bytes <= shown.bytes, "{shown:?}");
            assert!(shown.acked_changes >= acked, "what was acknowledged stays so");
            // The places of the drive are in the settings.
            assert!((0..=1).contains(&(total.unsent_changes - shown.changes)));
            assert!((0..=1).contains(&(total.sent_changes - shown.sent_changes)));
            acked = shown.acked_changes;
        } else {
            assert!(total.unsent_changes <= 1);
        }
        sim.set_network(false);
        sim.run_for(2_100);
    }
}

#[test]
fn a_track_that_is_fetched_says_how_much_is_still_to_come() {
    let mut sim = Network::new(22);
    sim.add_phone();
    let drive = drive(&mut sim);
    sim.set_network(true);
    assert!(sim.run_until(CONVERGENCE_MS, |sim| sim.is_settled(0).is_ok()));
    let second = sim.add_device(0);
    // The row is projected when its note is on disk, a moment after the entries.
    let is_shown = |sim: &Network| !sim.replica(second).drives().is_empty() && sim.is_settled(second).is_ok();
    assert!(sim.run_until(CONVERGENCE_MS, is_shown));
    assert_eq!(sync(&sim, second), DriveSync::OnRelay { track_here: false });

    sim.command(second, Command::OpenDrive { drive });
    let DriveSync::Fetching { changes } = sync(&sim, second) else { panic!("{:?}", sync(&sim, second)) };
    assert!(changes >= 7, "a block a minute: {changes}");
    let total = status(&sim, second);
    assert_eq!((total.fetching_documents, total.fetching_changes), (1, changes));

    assert!(sim.run_until(CONVERGENCE_MS, |sim| sim.is_settled(second).is_ok()));
    assert_eq!(sync(&sim, second), DriveSync::OnRelay { track_here: true });
    assert_eq!((status(&sim, second).fetching_documents, status(&sim, second).fetching_changes), (0, 0));
}

#[test]
fn m4_a_phone_that_was_sent_away_comes_back_by_itself() {
    let mut sim = Network::new(22);
    sim.add_phone();
    drive(&mut sim);
    sim.faults.misdelivers = 2;
    sim.set_network(true);
    let is_sent_away = |sim: &Network| matches!(status(sim, 0).link, LinkStatus::Rejected { .. });
    assert!(sim.run_until(60_000, is_sent_away), "{:?}", status(&sim, 0));
    sim.faults.misdelivers = 0;
    assert!(sim.run_until(CONVERGENCE_MS, |sim| sim.is_settled(0).is_ok()), "{:?}", status(&sim, 0));
}
