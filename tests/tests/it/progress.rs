//! What a phone shows of the way between itself and the relay: always what is so, through cuts and refusals.

use tourismo_core::id::DocId;
use tourismo_core::replica::io::{Command, Outcome};
use tourismo_core::replica::view::{DriveSync, LinkStatus, StatusView};
use tourismo_tests::made::{self, Kind, Options};
use tourismo_tests::sim::{CONVERGENCE_MS, World};

/// What a phone shows of one drive that waits: changes and bytes not acknowledged, those on their way, and the changes
/// that are acknowledged.
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
fn drive(world: &mut World) -> DocId {
    world.set_network(false);
    let options = Options { start: world.now(0).wall, minutes: 10, kind: Kind::Motorway };
    world.drive_along(0, made::drive(3, options));
    let drive = done(world, 0, Command::StartDrive { car: None });
    world.run_for(400_000);
    done(world, 0, Command::FinishDrive);
    drive.expect("a drive was made")
}

fn done(world: &mut World, phone: usize, command: Command) -> Option<DocId> {
    match world.perform(phone, command) {
        Outcome::Done { doc } => doc,
        other => panic!("{other:?}"),
    }
}

fn status(world: &World, phone: usize) -> StatusView {
    world.replica(phone).status()
}

fn sync(world: &World, phone: usize) -> DriveSync {
    world.replica(phone).drives()[0].sync
}

/// A phone on a slow network; after every step, its one drive and its totals say the same.
fn on_a_slow_network() -> World {
    let mut world = World::new(21);
    world.add_phone();
    drive(&mut world);
    world.weather.bytes_per_s = 2_000;
    world
}

#[test]
fn what_is_sent_and_not_acknowledged_is_on_its_way_until_the_connection_is_cut() {
    let mut world = on_a_slow_network();
    let before = waiting(sync(&world, 0)).expect("nothing was ever sent");
    assert_eq!((before.sent_changes, before.sent_bytes, before.acked_changes), (0, 0, 0));
    let total = status(&world, 0);
    assert_eq!((total.unsent_changes, total.unsent_bytes), (before.changes, before.bytes));
    assert_eq!((total.unsent_documents, total.sent_changes, total.fetching_documents), (2, 0, 0));

    world.set_network(true);
    assert!(world.run_until(CONVERGENCE_MS, |world| status(world, 0).sent_changes > 0), "something is on its way");
    let under_way = waiting(sync(&world, 0)).expect("nothing is acknowledged");
    assert_eq!((under_way.changes, under_way.bytes, under_way.acked_changes), (before.changes, before.bytes, 0));
    let total = status(&world, 0);
    assert_eq!((total.sent_changes, total.sent_bytes), (under_way.sent_changes, under_way.sent_bytes));
    assert!(under_way.sent_bytes > 0 && under_way.sent_bytes <= before.bytes, "{under_way:?}");

    world.set_network(false);
    world.run_for(5_000);
    let cut = waiting(sync(&world, 0)).expect("it is not all acknowledged");
    assert_eq!((cut.sent_changes, cut.sent_bytes), (0, 0), "nothing is on its way without a connection");
    assert_eq!(cut.changes + cut.acked_changes, before.changes, "what is not acknowledged is on this phone only");

    world.set_network(true);
    assert!(world.run_until(CONVERGENCE_MS, |world| world.is_settled(0).is_ok()));
    assert_eq!(sync(&world, 0), DriveSync::OnRelay { track_here: true });
    let total = status(&world, 0);
    assert_eq!((total.unsent_changes, total.unsent_bytes, total.unsent_documents), (0, 0, 0));
    assert_eq!((total.sent_changes, total.sent_bytes), (0, 0));
}

#[test]
fn progress_is_never_more_than_there_is_whenever_the_connection_is_cut() {
    let mut world = on_a_slow_network();
    let all = waiting(sync(&world, 0)).expect("nothing was ever sent").changes;
    let mut acked = 0;
    for round in 1..40 {
        world.set_network(true);
        let until_ms = round * 37;
        world.run_for(until_ms);
        let total = status(&world, 0);
        if let Some(shown) = waiting(sync(&world, 0)) {
            assert_eq!(shown.changes + shown.acked_changes, all);
            assert!(shown.sent_changes <= shown.changes && shown.sent_bytes <= shown.bytes, "{shown:?}");
            assert!(shown.acked_changes >= acked, "what was acknowledged stays so");
            assert_eq!((total.unsent_changes, total.sent_changes), (shown.changes, shown.sent_changes));
            acked = shown.acked_changes;
        } else {
            assert_eq!((total.unsent_changes, total.sent_changes), (0, 0));
        }
        world.set_network(false);
        world.run_for(2_100);
    }
}

#[test]
fn a_track_that_is_fetched_says_how_much_is_still_to_come() {
    let mut world = World::new(22);
    world.add_phone();
    let drive = drive(&mut world);
    world.set_network(true);
    assert!(world.run_until(CONVERGENCE_MS, |world| world.is_settled(0).is_ok()));
    let second = world.add_device(0);
    // The row is folded when its note is on the disk, a moment after the entries are.
    let is_shown = |world: &World| !world.replica(second).drives().is_empty() && world.is_settled(second).is_ok();
    assert!(world.run_until(CONVERGENCE_MS, is_shown));
    assert_eq!(sync(&world, second), DriveSync::OnRelay { track_here: false });

    world.command(second, Command::OpenDrive { drive });
    let DriveSync::Fetching { changes } = sync(&world, second) else { panic!("{:?}", sync(&world, second)) };
    assert!(changes >= 7, "a block a minute: {changes}");
    let total = status(&world, second);
    assert_eq!((total.fetching_documents, total.fetching_changes), (1, changes));

    assert!(world.run_until(CONVERGENCE_MS, |world| world.is_settled(second).is_ok()));
    assert_eq!(sync(&world, second), DriveSync::OnRelay { track_here: true });
    assert_eq!((status(&world, second).fetching_documents, status(&world, second).fetching_changes), (0, 0));
}

#[test]
fn m4_a_phone_that_was_sent_away_comes_back_by_itself() {
    let mut world = World::new(22);
    world.add_phone();
    drive(&mut world);
    world.weather.misdelivers = 2;
    world.set_network(true);
    let is_sent_away = |world: &World| matches!(status(world, 0).link, LinkStatus::Rejected { .. });
    assert!(world.run_until(60_000, is_sent_away), "{:?}", status(&world, 0));
    world.weather.misdelivers = 0;
    assert!(world.run_until(CONVERGENCE_MS, |world| world.is_settled(0).is_ok()), "{:?}", status(&world, 0));
}
