//! Several devices of one account: concurrent edits stay visible, two recordings of one drive are one drive, and copied
//! or restored storage does no harm.

use tourismo_core::docs::{CarFields, DriveConflict, Visibility};
use tourismo_core::id::DocId;
use tourismo_core::replica::io::{Command, CommandError, CommandOutcome};
use tourismo_core::replica::views::{RecordingState, TrackView};
use tourismo_tests::sim::{CONVERGENCE_MS, Network};
use tourismo_tests::synthetic::{self, Kind, Options};

use crate::stories::{car, done, settle, two_phones, view};

const WEEK_MS: u64 = 7 * 24 * 3_600_000;

/// Puts both phones on the same road. Each has a receiver of its own with different errors.
fn set_out(sim: &mut Network, phones: &[usize], minutes: u32) {
    for phone in phones {
        let options = Options { start: sim.now(*phone).wall, minutes, kind: Kind::Motorway };
        let mut route = synthetic::drive(3, options);
        for fix in &mut route {
            fix.lat_deg += *phone as f64 * 0.000_1;
        }
        sim.drive_along(*phone, route);
    }
}

fn edit(drive: DocId, title: &str, notes: &str, car: Option<DocId>) -> Command {
    Command::EditDrive { drive, title: Some(title.to_owned()), notes: Some(notes.to_owned()), car: Some(car) }
}

#[test]
fn what_two_phones_say_of_a_drive_in_a_week_without_a_network_is_merged_or_shown_side_by_side() {
    let mut sim = two_phones(21);
    let (rosi, lancia) = (car(&mut sim, "Rosi"), car(&mut sim, "Lancia"));
    set_out(&mut sim, &[0], 2);
    let drive = done(&mut sim, 0, Command::StartDrive { car: Some(rosi) }).unwrap();
    sim.run_for(60_000);
    done(&mut sim, 0, Command::FinishDrive);
    done(&mut sim, 0, edit(drive, "Pass", "Sun.", Some(rosi)));
    settle(&mut sim);
    sim.set_network(false);
    done(&mut sim, 0, edit(drive, "The pass", "Sun. Coffee at the top.", None));
    sim.run_for(WEEK_MS / 2);
    done(&mut sim, 1, edit(drive, "Pass and back", "Sun. Ice.", Some(lancia)));
    sim.run_for(WEEK_MS / 2);
    sim.set_network(true);
    settle(&mut sim);
    let (first, second) = (view(&sim, 0, drive), view(&sim, 1, drive));
    assert_eq!((&second.title, &second.notes, second.car), (&first.title, &first.notes, first.car));
    assert_eq!(second.conflicts, first.conflicts);
    assert_eq!(first.title, "The pass and back");
    assert!(first.notes.contains("Coffee") && first.notes.contains("Ice"), "{}", first.notes);
    let [DriveConflict::Car { values }] = &first.conflicts[..] else { panic!("{:?}", first.conflicts) };
    assert_eq!(values[0], first.car);
    assert!(values.len() == 2 && values.contains(&Some(lancia)) && values.contains(&None), "{values:?}");

    // To choose the current value resolves the conflict, too.
    let choice = Command::EditDrive { drive, title: None, notes: None, car: Some(first.car) };
    done(&mut sim, 1, choice);
    settle(&mut sim);
    for phone in [0, 1] {
        assert_eq!((view(&sim, phone, drive).car, view(&sim, phone, drive).conflicts), (first.car, Vec::new()));
    }
}

#[test]
fn a_drive_that_one_phone_withdraws_while_another_shows_it_to_everyone_is_withdrawn() {
    for (one, other) in [(0, 1), (1, 0)] {
        let mut sim = two_phones(21);
        set_out(&mut sim, &[0], 10);
        let drive = done(&mut sim, 0, Command::StartDrive { car: None }).unwrap();
        sim.run_for(400_000);
        done(&mut sim, 0, Command::FinishDrive);
        done(&mut sim, 0, Command::PublishDrive { drive, visibility: Visibility::Link });
        settle(&mut sim);
        for phone in [0, 1] {
            done(&mut sim, phone, Command::OpenDrive { drive });
        }
        sim.set_network(false);
        done(&mut sim, one, Command::PublishDrive { drive, visibility: Visibility::Private });
        done(&mut sim, other, Command::PublishDrive { drive, visibility: Visibility::Public });
        sim.set_network(true);
        settle(&mut sim);
        for phone in [0, 1] {
            assert_eq!(view(&sim, phone, drive).visibility, Visibility::Private);
        }
    }
}

/// The length of the line of a drive in metres, as each phone computes it.
fn distances(sim: &Network, drive: DocId) -> Vec<f64> {
    let distance = |phone| view(sim, phone, drive).stats.expect("a finished drive has figures").distance_m;
    (0..sim.phones()).map(distance).collect()
}

fn check_one_way(sim: &mut Network, drive: DocId, alone_m: f64) {
    for distance_m in distances(sim, drive) {
        assert!((0.97..1.03).contains(&(distance_m / alone_m)), "{distance_m} m of {alone_m} m");
    }
    let mut lines = Vec::new();
    for phone in 0..sim.phones() {
        done(sim, phone, Command::OpenDrive { drive });
        let Some(TrackView::Ready { line, road, .. }) = sim.replica(phone).track() else {
            panic!("a track was opened")
        };
        lines.push((line.clone(), road.clone()));
    }
    assert!(lines.iter().all(|line| *line == lines[0]), "all draw the same line, and find the same road");
    let same = (0..sim.phones()).all(|phone| view(sim, phone, drive).stats == view(sim, 0, drive).stats);
    assert!(same, "and show the same figures");
}

/// The length of the part that only one phone records.
fn alone_m(minutes: u64) -> f64 {
    let mut sim = Network::new(22);
    sim.add_phone();
    set_out(&mut sim, &[0], minutes as u32 + 1);
    let drive = done(&mut sim, 0, Command::StartDrive { car: None }).unwrap();
    sim.run_for(minutes * 60_000);
    done(&mut sim, 0, Command::FinishDrive);
    distances(&sim, drive)[0]
}

#[test]
fn two_phones_that_record_one_drive_record_one_way() {
    let mut sim = two_phones(21);
    set_out(&mut sim, &[0, 1], 9);
    let drive = done(&mut sim, 0, Command::StartDrive { car: None }).unwrap();
    sim.run_for(130_000);
    sim.show(0, false);
    sim.show(0, true);
    settle(&mut sim);
    done(&mut sim, 1, Command::TakeOverDrive { drive });
    sim.set_network(false);
    sim.run_for(240_000);
    done(&mut sim, 0, Command::FinishDrive);
    sim.run_for(60_000);
    done(&mut sim, 1, Command::FinishDrive);
    assert_ne!(view(&sim, 0, drive).stats, view(&sim, 1, drive).stats);
    sim.set_network(true);
    settle(&mut sim);
    check_one_way(&mut sim, drive, alone_m(7) * 430.0 / 420.0);
    assert_eq!(sim.replica(0).drives().len(), 1);
}

#[test]
fn two_phones_with_one_storage_that_both_resume_a_drive_finish_one_drive() {
    let mut sim = Network::new(23);
    sim.add_phone();
    set_out(&mut sim, &[0], 12);
    let drive = done(&mut sim, 0, Command::StartDrive { car: None }).unwrap();
    sim.run_for(150_000);
    sim.kill(0);
    let disk = sim.snapshot(0);
    let copy = sim.copy_phone(0, disk);
    sim.start(0).unwrap();
    sim.set_network(false);
    sim.run_for(2_000);
    set_out(&mut sim, &[0, copy], 9);
    for phone in [0, copy] {
        let state = sim.replica(phone).recording_view(sim.now(phone)).map(|view| view.state);
        assert_eq!(state, Some(RecordingState::Unfinished));
        done(&mut sim, phone, Command::ResumeDrive);
    }
    sim.run_for(200_000);
    for phone in [0, copy] {
        done(&mut sim, phone, Command::FinishDrive);
    }
    sim.set_network(true);
    settle(&mut sim);
    let (first, second) = (view(&sim, 0, drive), view(&sim, copy, drive));
    assert_eq!((first.stats, first.ended_at), (second.stats, second.ended_at));
    let stats = first.stats.expect("it has figures");
    assert!((330..360).contains(&stats.fixes), "each second once: {stats:?}");
}

/// One phone finishes a drive while the other continues it, and both are lost before either has computed the figures
/// again.
#[test]
fn figures_are_counted_again_by_a_phone_that_never_held_the_track() {
    let mut sim = two_phones(21);
    sim.add_device(0);
    settle(&mut sim);
    set_out(&mut sim, &[0, 1], 9);
    let lost = [0, 1].map(|phone| sim.snapshot(phone));
    let drive = done(&mut sim, 0, Command::StartDrive { car: None }).unwrap();
    sim.run_for(130_000);
    sim.show(0, false);
    sim.show(0, true);
    settle(&mut sim);
    done(&mut sim, 1, Command::TakeOverDrive { drive });
    sim.run_for(20_000);
    done(&mut sim, 0, Command::FinishDrive);
    settle_one(&mut sim, 0);
    sim.kill(0);
    sim.run_for(100_000);
    done(&mut sim, 1, Command::PauseDrive);
    settle_one(&mut sim, 1);
    sim.kill(1);
    for (phone, disk) in [0, 1].into_iter().zip(lost) {
        sim.restore_phone(phone, disk);
    }
    sim.run_for(2_000);
    for phone in [0, 1] {
        sim.start(phone).unwrap();
    }
    settle(&mut sim);
    let stats = view(&sim, 2, drive).stats.expect("it has figures");
    assert!((250..270).contains(&stats.fixes), "with what the second phone recorded: {stats:?}");
    assert_eq!(view(&sim, 0, drive).stats, view(&sim, 2, drive).stats);
}

#[test]
fn a_drive_that_another_phone_finished_is_not_offered_any_more() {
    let mut sim = two_phones(21);
    set_out(&mut sim, &[0], 9);
    let drive = done(&mut sim, 0, Command::StartDrive { car: None }).unwrap();
    sim.run_for(100_000);
    settle(&mut sim);
    sim.kill(0);
    done(&mut sim, 1, Command::TakeOverDrive { drive });
    assert_eq!(
        sim.perform(1, Command::TakeOverDrive { drive }),
        CommandOutcome::Refused { code: CommandError::AlreadyRecording }
    );
    done(&mut sim, 1, Command::FinishDrive);
    assert_eq!(
        sim.perform(1, Command::TakeOverDrive { drive }),
        CommandOutcome::Refused { code: CommandError::NotRecording }
    );
    settle_one(&mut sim, 1);
    sim.start(0).unwrap();
    settle(&mut sim);
    assert_eq!(sim.replica(0).recording_view(sim.now(0)), None);
    let stats = view(&sim, 1, drive).stats.expect("it has figures");
    assert!((95..=115).contains(&stats.fixes), "with what only the first phone had: {stats:?}");
    assert_eq!(view(&sim, 0, drive), view(&sim, 1, drive));
}

fn settle_one(sim: &mut Network, phone: usize) {
    assert!(sim.run_until(CONVERGENCE_MS, |sim| sim.is_settled(phone).is_ok()), "{:?}", sim.is_settled(phone));
}

#[test]
fn a_phone_that_is_put_back_to_an_old_state_again_and_again_writes_on() {
    let mut sim = two_phones(21);
    set_out(&mut sim, &[0], 30);
    let drive = done(&mut sim, 0, Command::StartDrive { car: None }).unwrap();
    sim.run_for(90_000);
    let old = sim.snapshot(0);
    for round in 0..4 {
        // The changes since the backup are on the relay, with sequence numbers that the phone has forgotten.
        done(&mut sim, 0, edit(drive, &format!("Round {round}"), "", None));
        sim.run_for(65_000);
        settle(&mut sim);
        sim.restore_phone(0, old.clone());
        sim.start(0).unwrap();
        sim.run_for(round * 700);
        done(&mut sim, 0, edit(drive, &format!("Round {round}, again"), "", None));
        done(&mut sim, 0, Command::ResumeDrive);
        settle(&mut sim);
        assert_eq!(view(&sim, 0, drive), view(&sim, 1, drive));
    }
    done(&mut sim, 0, Command::FinishDrive);
    settle(&mut sim);
    let stats = view(&sim, 1, drive).stats.expect("it has figures");
    assert!(stats.fixes > 250, "{stats:?}");
}

#[test]
fn two_phones_with_one_key_and_one_storage_at_once_do_not_get_in_each_others_way() {
    let mut sim = Network::new(24);
    sim.add_phone();
    let rosi = car(&mut sim, "Rosi");
    settle(&mut sim);
    let disk = sim.snapshot(0);
    let copy = sim.copy_phone(0, disk);
    for round in 0..10 {
        for phone in [0, copy] {
            let fields = CarFields { nickname: format!("{phone} {round}"), ..CarFields::default() };
            done(&mut sim, phone, Command::PutCar { car: Some(rosi), fields: fields.clone() });
            done(&mut sim, phone, Command::PutCar { car: None, fields });
        }
    }
    settle(&mut sim);
    assert_eq!(sim.replica(0).cars(), sim.replica(copy).cars());
    assert_eq!(sim.replica(0).cars().len(), 21);
}

#[test]
fn a_tab_that_takes_over_goes_on_where_the_last_one_was() {
    let mut sim = Network::new(25);
    sim.add_phone();
    set_out(&mut sim, &[0], 9);
    let drive = done(&mut sim, 0, Command::StartDrive { car: None }).unwrap();
    for _ in 0..3 {
        sim.run_for(40_000);
        sim.hand_over(0);
        sim.run_for(1_000);
        done(&mut sim, 0, Command::ResumeDrive);
    }
    done(&mut sim, 0, Command::FinishDrive);
    settle(&mut sim);
    let stats = view(&sim, 0, drive).stats.expect("it has figures");
    assert!((112..=123).contains(&stats.fixes), "{stats:?}");
}

/// A device was added after the backup and is lost. Another device has its changes and brings them back.
#[test]
fn p10_what_a_lost_device_made_comes_back_from_another_though_the_relay_never_knew_it() {
    let mut sim = Network::new(23);
    let founder = sim.add_phone();
    assert!(sim.run_until(20_000, |sim| sim.is_settled(founder).is_ok()));
    sim.back_up_relay();
    let lost = sim.add_device(founder);
    let fields = CarFields { make: "Lotus".to_owned(), model: "Elise".to_owned(), ..CarFields::default() };
    let CommandOutcome::Done { doc: Some(car) } = sim.perform(lost, Command::PutCar { car: None, fields }) else {
        panic!("a car is put into the garage")
    };
    let has = |sim: &Network| sim.replica(founder).cars().iter().any(|view| view.id == car);
    assert!(sim.run_until(CONVERGENCE_MS, has));
    sim.kill(lost);
    sim.restore_backup();
    let has_again = |sim: &Network| sim.relay().documents(&sim.account(founder)).contains_key(&car);
    assert!(!has_again(&sim));
    assert!(sim.run_until(CONVERGENCE_MS, has_again));
    assert!(sim.run_until(CONVERGENCE_MS, |sim| sim.is_settled(founder).is_ok()));
}

/// Whether every phone and the relay have the same changes of a document.
fn agree(sim: &Network, doc: &DocId) -> bool {
    let of_phone = |phone: usize| sim.phone(phone).disk().changes().filter(|(of, _)| of == doc).count();
    let on_relay = sim.relay().documents(&sim.account(0)).get(doc).map_or(0, |(_, chunks)| chunks.len());
    (0..sim.phones()).all(|phone| of_phone(phone) == on_relay)
}

#[test]
fn d1_a_document_that_a_relay_lost_comes_back_also_where_something_of_it_was_never_sent() {
    let mut sim = two_phones(21);
    let car = car(&mut sim, "Car");
    settle(&mut sim);
    sim.kill(1);
    sim.set_network(false);
    let fields = CarFields { nickname: "Never sent".to_owned(), ..CarFields::default() };
    done(&mut sim, 0, Command::PutCar { car: Some(car), fields });
    sim.restore_relay(0);
    sim.run_for(2_000);
    sim.set_network(true);
    assert!(sim.run_until(CONVERGENCE_MS, |sim| sim.is_settled(0).is_ok()));
    let documents = sim.relay().documents(&sim.account(0));
    assert_eq!(documents.get(&car).map(|(_, chunks)| chunks.len()), Some(2));
}

/// The relay's database is replaced by a backup without `restore`. The relay loses `ahead` changes that one phone had
/// acknowledged, and the other phone makes `anew` changes before the first one connects.
fn put_back(ahead: u32, anew: u32) {
    let mut sim = two_phones(21);
    let car = car(&mut sim, "Car");
    let fields = |name: String| CarFields { nickname: name, ..CarFields::default() };
    let rename = |sim: &mut Network, phone: usize, name: String| {
        done(sim, phone, Command::PutCar { car: Some(car), fields: fields(name) });
    };
    settle(&mut sim);
    sim.keep_image_of_relay();
    sim.kill(1);
    for number in 0..ahead {
        rename(&mut sim, 0, format!("Before {number}"));
        sim.run_for(2_000);
    }
    assert!(sim.run_until(CONVERGENCE_MS, |sim| sim.is_settled(0).is_ok()));
    sim.put_back_relay();
    sim.kill(0);
    sim.start(1).unwrap();
    for number in 0..anew {
        rename(&mut sim, 1, format!("After {number}"));
        sim.run_for(2_000);
    }
    assert!(sim.run_until(CONVERGENCE_MS, |sim| sim.is_settled(1).is_ok()), "{:?}", sim.is_settled(1));
    sim.kill(1);
    sim.start(0).unwrap();
    assert!(sim.run_until(CONVERGENCE_MS, |sim| sim.is_settled(0).is_ok()), "{:?}", sim.is_settled(0));
    sim.start(1).unwrap();
    settle(&mut sim);
    assert!(agree(&sim, &car), "{ahead} {anew}");
    for phone in [0, 1] {
        // The stored data can be read again.
        sim.kill(phone);
        sim.start(phone).unwrap();
    }
    settle(&mut sim);
    rename(&mut sim, 0, "In the end".to_owned());
    settle(&mut sim);
    for phone in [0, 1] {
        let names: Vec<_> = sim.replica(phone).cars().into_iter().map(|car| car.fields.nickname).collect();
        assert_eq!(names, ["In the end"], "{ahead} {anew}");
    }
}

#[test]
fn c6_a_relay_whose_database_was_put_back_gets_from_its_phones_what_it_lacks() {
    put_back(5, 0);
    put_back(5, 2);
}

#[test]
fn c6_a_phone_whose_cursor_means_another_place_since_the_log_grew_again_compares_and_loses_nothing() {
    put_back(3, 3);
    put_back(3, 6);
    put_back(1, 9);
}
