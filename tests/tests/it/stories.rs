//! Helpers of tests with simulated phones: commands that must succeed, drives, and waiting until no phone has work.

use tourismo_core::docs::CarFields;
use tourismo_core::id::DocId;
use tourismo_core::replica::io::{Command, CommandOutcome};
use tourismo_core::replica::views::DriveView;
use tourismo_tests::sim::{CONVERGENCE_MS, Network};
use tourismo_tests::synthetic::{self, Kind, Options};

/// Executes a command on a phone, which must succeed.
pub(crate) fn done(sim: &mut Network, phone: usize, command: Command) -> Option<DocId> {
    match sim.perform(phone, command) {
        CommandOutcome::Done { doc } => doc,
        other => panic!("{other:?}"),
    }
}

/// Waits until no phone has work.
pub(crate) fn settle(sim: &mut Network) {
    settle_first(sim, sim.phones());
}

/// Waits until the first phones have no work.
pub(crate) fn settle_first(sim: &mut Network, phones: usize) {
    let all = |sim: &Network| (0..phones).all(|phone| sim.is_settled(phone).is_ok());
    // A lost connection is detected within two seconds. The changes of one device reach the others a moment later.
    for _ in 0..3 {
        let reasons = |sim: &Network| (0..phones).map(|phone| sim.is_settled(phone)).collect::<Vec<_>>();
        assert!(sim.run_until(CONVERGENCE_MS, all), "{:?}", reasons(sim));
        sim.run_for(2_000);
    }
}

/// A network with one phone.
pub(crate) fn one_phone(seed: u64) -> Network {
    let mut sim = Network::new(seed);
    sim.add_phone();
    settle(&mut sim);
    sim
}

/// A network with two devices of one account.
pub(crate) fn two_phones(seed: u64) -> Network {
    let mut sim = one_phone(seed);
    sim.add_device(0);
    settle(&mut sim);
    sim
}

/// Puts a phone on a motorway and begins to record there; the road lasts for some minutes more than the recording.
pub(crate) fn begin_drive(sim: &mut Network, phone: usize, minutes: u32) -> DocId {
    let options = Options { start: sim.now(phone).wall, minutes: minutes + 5, kind: Kind::Motorway };
    sim.drive_along(phone, synthetic::drive(3, options));
    let drive = done(sim, phone, Command::StartDrive { car: None }).expect("a drive was made");
    sim.run_for(u64::from(minutes) * 60_000);
    drive
}

/// Records and finishes a drive.
pub(crate) fn drive(sim: &mut Network, phone: usize, seconds: u32) -> DocId {
    let options = Options { start: sim.now(phone).wall, minutes: seconds / 60 + 1, kind: Kind::Motorway };
    sim.drive_along(phone, synthetic::drive(3, options));
    let drive = done(sim, phone, Command::StartDrive { car: None }).expect("a drive was made");
    sim.run_for(u64::from(seconds) * 1_000);
    done(sim, phone, Command::FinishDrive);
    sim.drive_along(phone, Vec::new());
    drive
}

pub(crate) fn rename(drive: DocId, title: &str) -> Command {
    Command::EditDrive { drive, title: Some(title.to_owned()), notes: None, car: None }
}

/// A drive as a phone lists it.
pub(crate) fn view(sim: &Network, phone: usize, drive: DocId) -> DriveView {
    sim.replica(phone).drives().into_iter().find(|view| view.id == drive).expect("the drive is listed")
}

pub(crate) fn title(sim: &Network, phone: usize, drive: DocId) -> String {
    view(sim, phone, drive).title
}

pub(crate) fn car(sim: &mut Network, name: &str) -> DocId {
    let fields = CarFields { nickname: name.to_owned(), ..CarFields::default() };
    done(sim, 0, Command::PutCar { car: None, fields }).expect("a car was put")
}
