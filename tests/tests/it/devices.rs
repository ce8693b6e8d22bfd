//! Several devices of one account: what competes stays visible, what two recorded of one drive is one drive, and storage that
//! was copied or put back does no harm.

use tourismo_core::docs::{CarFields, DriveConflict, Visibility};
use tourismo_core::id::DocId;
use tourismo_core::replica::io::{Command, CommandError, Outcome};
use tourismo_core::replica::view::{DriveView, RecordingState, TrackView};
use tourismo_tests::made::{self, Kind, Options};
use tourismo_tests::sim::{CONVERGENCE_MS, World};

const WEEK_MS: u64 = 7 * 24 * 3_600_000;

fn done(world: &mut World, phone: usize, command: Command) -> Option<DocId> {
    match world.perform(phone, command) {
        Outcome::Done { doc } => doc,
        other => panic!("{other:?}"),
    }
}

fn settle(world: &mut World) {
    let all = |world: &World| (0..world.phones()).all(|phone| world.is_settled(phone).is_ok());
    for _ in 0..3 {
        let reasons = |world: &World| (0..world.phones()).map(|phone| world.is_settled(phone)).collect::<Vec<_>>();
        assert!(world.run_until(CONVERGENCE_MS, all), "{:?}", reasons(world));
        world.run_for(3_000);
    }
}

fn two_phones() -> World {
    let mut world = World::new(21);
    world.add_phone();
    settle(&mut world);
    world.add_device(0);
    settle(&mut world);
    world
}

/// Puts both phones on the same road; each has a receiver of its own, whose fixes lie apart from the other's.
fn set_out(world: &mut World, phones: &[usize], minutes: u32) {
    for phone in phones {
        let options = Options { start: world.now(*phone).wall, minutes, kind: Kind::Motorway };
        let mut route = made::drive(3, options);
        for fix in &mut route {
            fix.lat_deg += *phone as f64 * 0.000_1;
        }
        world.drive_along(*phone, route);
    }
}

fn view(world: &World, phone: usize, drive: DocId) -> DriveView {
    world.replica(phone).drives().into_iter().find(|view| view.id == drive).expect("the drive is listed")
}

fn car(world: &mut World, name: &str) -> DocId {
    let fields = CarFields { nickname: name.to_owned(), ..CarFields::default() };
    done(world, 0, Command::PutCar { car: None, fields }).expect("a car was put")
}

fn edit(drive: DocId, title: &str, notes: &str, car: Option<DocId>) -> Command {
    Command::EditDrive { drive, title: Some(title.to_owned()), notes: Some(notes.to_owned()), car: Some(car) }
}

#[test]
fn what_two_phones_say_of_a_drive_in_a_week_without_a_network_is_merged_or_shown_side_by_side() {
    let mut world = two_phones();
    let (rosi, lancia) = (car(&mut world, "Rosi"), car(&mut world, "Lancia"));
    set_out(&mut world, &[0], 2);
    let drive = done(&mut world, 0, Command::StartDrive { car: Some(rosi) }).unwrap();
    world.run_for(60_000);
    done(&mut world, 0, Command::FinishDrive);
    done(&mut world, 0, edit(drive, "Pass", "Sun.", Some(rosi)));
    settle(&mut world);
    world.set_network(false);
    done(&mut world, 0, edit(drive, "The pass", "Sun. Coffee at the top.", None));
    world.run_for(WEEK_MS / 2);
    done(&mut world, 1, edit(drive, "Pass and back", "Sun. Ice.", Some(lancia)));
    world.run_for(WEEK_MS / 2);
    world.set_network(true);
    settle(&mut world);
    let (first, second) = (view(&world, 0, drive), view(&world, 1, drive));
    assert_eq!((&second.title, &second.notes, second.car), (&first.title, &first.notes, first.car));
    assert_eq!(second.conflicts, first.conflicts);
    assert_eq!(first.title, "The pass and back");
    assert!(first.notes.contains("Coffee") && first.notes.contains("Ice"), "{}", first.notes);
    let [DriveConflict::Car { values }] = &first.conflicts[..] else { panic!("{:?}", first.conflicts) };
    assert_eq!(values[0], first.car);
    assert!(values.len() == 2 && values.contains(&Some(lancia)) && values.contains(&None), "{values:?}");

    // To choose what counts already settles it, too.
    let choice = Command::EditDrive { drive, title: None, notes: None, car: Some(first.car) };
    done(&mut world, 1, choice);
    settle(&mut world);
    for phone in [0, 1] {
        assert_eq!((view(&world, phone, drive).car, view(&world, phone, drive).conflicts), (first.car, Vec::new()));
    }
}

#[test]
fn a_drive_that_one_phone_withdraws_while_another_shows_it_to_everyone_is_withdrawn() {
    for (one, other) in [(0, 1), (1, 0)] {
        let mut world = two_phones();
        set_out(&mut world, &[0], 10);
        let drive = done(&mut world, 0, Command::StartDrive { car: None }).unwrap();
        world.run_for(400_000);
        done(&mut world, 0, Command::FinishDrive);
        done(&mut world, 0, Command::PublishDrive { drive, visibility: Visibility::Link });
        settle(&mut world);
        for phone in [0, 1] {
            done(&mut world, phone, Command::OpenDrive { drive });
        }
        world.set_network(false);
        done(&mut world, one, Command::PublishDrive { drive, visibility: Visibility::Private });
        done(&mut world, other, Command::PublishDrive { drive, visibility: Visibility::Public });
        world.set_network(true);
        settle(&mut world);
        for phone in [0, 1] {
            assert_eq!(view(&world, phone, drive).visibility, Visibility::Private);
        }
    }
}

/// The length of the line of a drive, metres, as each phone's own figures have it.
fn distances(world: &World, drive: DocId) -> Vec<f64> {
    let distance = |phone| view(world, phone, drive).stats.expect("a finished drive has figures").distance_m;
    (0..world.phones()).map(distance).collect()
}

fn check_one_way(world: &mut World, drive: DocId, alone_m: f64) {
    for distance_m in distances(world, drive) {
        assert!((0.97..1.03).contains(&(distance_m / alone_m)), "{distance_m} m of {alone_m} m");
    }
    let mut lines = Vec::new();
    for phone in 0..world.phones() {
        done(world, phone, Command::OpenDrive { drive });
        let Some(TrackView::Ready { line, road, .. }) = world.replica(phone).track() else {
            panic!("a track was opened")
        };
        lines.push((line.clone(), road.clone()));
    }
    assert!(lines.iter().all(|line| *line == lines[0]), "all draw the same line, and find the same road");
    let same = (0..world.phones()).all(|phone| view(world, phone, drive).stats == view(world, 0, drive).stats);
    assert!(same, "and show the same figures");
}

/// How long the way is that one phone records.
fn alone_m(minutes: u64) -> f64 {
    let mut world = World::new(22);
    world.add_phone();
    set_out(&mut world, &[0], minutes as u32 + 1);
    let drive = done(&mut world, 0, Command::StartDrive { car: None }).unwrap();
    world.run_for(minutes * 60_000);
    done(&mut world, 0, Command::FinishDrive);
    distances(&world, drive)[0]
}

#[test]
fn two_phones_that_record_one_drive_record_one_way() {
    let mut world = two_phones();
    set_out(&mut world, &[0, 1], 9);
    let drive = done(&mut world, 0, Command::StartDrive { car: None }).unwrap();
    world.run_for(130_000);
    world.show(0, false);
    world.show(0, true);
    settle(&mut world);
    done(&mut world, 1, Command::TakeOverDrive { drive });
    world.set_network(false);
    world.run_for(240_000);
    done(&mut world, 0, Command::FinishDrive);
    world.run_for(60_000);
    done(&mut world, 1, Command::FinishDrive);
    assert_ne!(view(&world, 0, drive).stats, view(&world, 1, drive).stats);
    world.set_network(true);
    settle(&mut world);
    check_one_way(&mut world, drive, alone_m(7) * 430.0 / 420.0);
    assert_eq!(world.replica(0).drives().len(), 1);
}

#[test]
fn two_phones_with_one_storage_that_both_resume_a_drive_finish_one_drive() {
    let mut world = World::new(23);
    world.add_phone();
    set_out(&mut world, &[0], 12);
    let drive = done(&mut world, 0, Command::StartDrive { car: None }).unwrap();
    world.run_for(150_000);
    world.kill(0);
    let disk = world.snapshot(0);
    let copy = world.copy_phone(0, disk);
    world.start(0).unwrap();
    world.set_network(false);
    world.run_for(2_000);
    set_out(&mut world, &[0, copy], 9);
    for phone in [0, copy] {
        let state = world.replica(phone).recording_view(world.now(phone)).map(|view| view.state);
        assert_eq!(state, Some(RecordingState::Unfinished));
        done(&mut world, phone, Command::ResumeDrive);
    }
    world.run_for(200_000);
    for phone in [0, copy] {
        done(&mut world, phone, Command::FinishDrive);
    }
    world.set_network(true);
    settle(&mut world);
    let (first, second) = (view(&world, 0, drive), view(&world, copy, drive));
    assert_eq!((first.stats, first.ended_at), (second.stats, second.ended_at));
    let stats = first.stats.expect("it has figures");
    assert!((330..360).contains(&stats.fixes), "each second once: {stats:?}");
}

/// One phone finishes a drive while the other goes on with it, and both are lost before either has counted again.
#[test]
fn figures_are_counted_again_by_a_phone_that_never_held_the_track() {
    let mut world = two_phones();
    world.add_device(0);
    settle(&mut world);
    set_out(&mut world, &[0, 1], 9);
    let lost = [0, 1].map(|phone| world.snapshot(phone));
    let drive = done(&mut world, 0, Command::StartDrive { car: None }).unwrap();
    world.run_for(130_000);
    world.show(0, false);
    world.show(0, true);
    settle(&mut world);
    done(&mut world, 1, Command::TakeOverDrive { drive });
    world.run_for(20_000);
    done(&mut world, 0, Command::FinishDrive);
    settle_one(&mut world, 0);
    world.kill(0);
    world.run_for(100_000);
    done(&mut world, 1, Command::PauseDrive);
    settle_one(&mut world, 1);
    world.kill(1);
    for (phone, disk) in [0, 1].into_iter().zip(lost) {
        world.restore_phone(phone, disk);
    }
    world.run_for(2_000);
    for phone in [0, 1] {
        world.start(phone).unwrap();
    }
    settle(&mut world);
    let stats = view(&world, 2, drive).stats.expect("it has figures");
    assert!((250..270).contains(&stats.fixes), "with what the second phone recorded: {stats:?}");
    assert_eq!(view(&world, 0, drive).stats, view(&world, 2, drive).stats);
}

#[test]
fn a_drive_that_another_phone_finished_is_not_offered_any_more() {
    let mut world = two_phones();
    set_out(&mut world, &[0], 9);
    let drive = done(&mut world, 0, Command::StartDrive { car: None }).unwrap();
    world.run_for(100_000);
    settle(&mut world);
    world.kill(0);
    done(&mut world, 1, Command::TakeOverDrive { drive });
    assert_eq!(
        world.perform(1, Command::TakeOverDrive { drive }),
        Outcome::Refused { code: CommandError::AlreadyRecording }
    );
    done(&mut world, 1, Command::FinishDrive);
    assert_eq!(
        world.perform(1, Command::TakeOverDrive { drive }),
        Outcome::Refused { code: CommandError::NotRecording }
    );
    settle_one(&mut world, 1);
    world.start(0).unwrap();
    settle(&mut world);
    assert_eq!(world.replica(0).recording_view(world.now(0)), None);
    let stats = view(&world, 1, drive).stats.expect("it has figures");
    assert!((95..=115).contains(&stats.fixes), "with what only the first phone had: {stats:?}");
    assert_eq!(view(&world, 0, drive), view(&world, 1, drive));
}

fn settle_one(world: &mut World, phone: usize) {
    assert!(world.run_until(CONVERGENCE_MS, |world| world.is_settled(phone).is_ok()), "{:?}", world.is_settled(phone));
}

#[test]
fn a_phone_that_is_put_back_to_an_old_state_again_and_again_writes_on() {
    let mut world = two_phones();
    set_out(&mut world, &[0], 30);
    let drive = done(&mut world, 0, Command::StartDrive { car: None }).unwrap();
    world.run_for(90_000);
    let old = world.snapshot(0);
    for round in 0..4 {
        // What was written since the old state is on the relay under numbers that the phone has forgotten.
        done(&mut world, 0, edit(drive, &format!("Round {round}"), "", None));
        world.run_for(65_000);
        settle(&mut world);
        world.restore_phone(0, old.clone());
        world.start(0).unwrap();
        world.run_for(round * 700);
        done(&mut world, 0, edit(drive, &format!("Round {round}, again"), "", None));
        done(&mut world, 0, Command::ResumeDrive);
        settle(&mut world);
        assert_eq!(view(&world, 0, drive), view(&world, 1, drive));
    }
    done(&mut world, 0, Command::FinishDrive);
    settle(&mut world);
    let stats = view(&world, 1, drive).stats.expect("it has figures");
    assert!(stats.fixes > 250, "{stats:?}");
}

#[test]
fn two_phones_with_one_key_and_one_storage_at_once_do_not_get_in_each_others_way() {
    let mut world = World::new(24);
    world.add_phone();
    let rosi = car(&mut world, "Rosi");
    settle(&mut world);
    let disk = world.snapshot(0);
    let copy = world.copy_phone(0, disk);
    for round in 0..10 {
        for phone in [0, copy] {
            let fields = CarFields { nickname: format!("{phone} {round}"), ..CarFields::default() };
            done(&mut world, phone, Command::PutCar { car: Some(rosi), fields: fields.clone() });
            done(&mut world, phone, Command::PutCar { car: None, fields });
        }
    }
    settle(&mut world);
    assert_eq!(world.replica(0).cars(), world.replica(copy).cars());
    assert_eq!(world.replica(0).cars().len(), 21);
}

#[test]
fn a_tab_that_takes_over_goes_on_where_the_last_one_was() {
    let mut world = World::new(25);
    world.add_phone();
    set_out(&mut world, &[0], 9);
    let drive = done(&mut world, 0, Command::StartDrive { car: None }).unwrap();
    for _ in 0..3 {
        world.run_for(40_000);
        world.hand_over(0);
        world.run_for(1_000);
        done(&mut world, 0, Command::ResumeDrive);
    }
    done(&mut world, 0, Command::FinishDrive);
    settle(&mut world);
    let stats = view(&world, 0, drive).stats.expect("it has figures");
    assert!((112..=123).contains(&stats.fixes), "{stats:?}");
}

/// A device that came after the backup, and does not come back: what another one holds of it is on the relay again.
#[test]
fn p10_what_a_lost_device_made_comes_back_from_another_though_the_relay_never_knew_it() {
    let mut world = World::new(23);
    let founder = world.add_phone();
    assert!(world.run_until(20_000, |world| world.is_settled(founder).is_ok()));
    world.back_up_relay();
    let lost = world.add_device(founder);
    let fields = CarFields { make: "Lotus".to_owned(), model: "Elise".to_owned(), ..CarFields::default() };
    let Outcome::Done { doc: Some(car) } = world.perform(lost, Command::PutCar { car: None, fields }) else {
        panic!("a car is put into the garage")
    };
    let has = |world: &World| world.replica(founder).cars().iter().any(|view| view.id == car);
    assert!(world.run_until(CONVERGENCE_MS, has));
    world.kill(lost);
    world.restore_backup();
    let has_again = |world: &World| world.relay().documents(&world.account(founder)).contains_key(&car);
    assert!(!has_again(&world));
    assert!(world.run_until(CONVERGENCE_MS, has_again));
    assert!(world.run_until(CONVERGENCE_MS, |world| world.is_settled(founder).is_ok()));
}

/// Whether every phone and the relay have the same changes of a document.
fn agree(world: &World, doc: &DocId) -> bool {
    let of_phone = |phone: usize| world.phone(phone).disk().changes().filter(|(of, _)| of == doc).count();
    let on_relay = world.relay().documents(&world.account(0)).get(doc).map_or(0, |(_, chunks)| chunks.len());
    (0..world.phones()).all(|phone| of_phone(phone) == on_relay)
}

#[test]
fn d1_a_document_that_a_relay_lost_comes_back_also_where_something_of_it_was_never_sent() {
    let mut world = two_phones();
    let car = car(&mut world, "Car");
    settle(&mut world);
    world.kill(1);
    world.set_network(false);
    let fields = CarFields { nickname: "Never sent".to_owned(), ..CarFields::default() };
    done(&mut world, 0, Command::PutCar { car: Some(car), fields });
    world.restore_relay(0);
    world.run_for(2_000);
    world.set_network(true);
    assert!(world.run_until(CONVERGENCE_MS, |world| world.is_settled(0).is_ok()));
    let documents = world.relay().documents(&world.account(0));
    assert_eq!(documents.get(&car).map(|(_, chunks)| chunks.len()), Some(2));
}

/// The relay's database is put back to an older state, and nobody tells the relay. `ahead` changes that one phone had
/// acknowledged are gone, and the other phone makes `anew` before the first one comes back.
fn put_back(ahead: u32, anew: u32) {
    let mut world = two_phones();
    let car = car(&mut world, "Car");
    let fields = |name: String| CarFields { nickname: name, ..CarFields::default() };
    let rename = |world: &mut World, phone: usize, name: String| {
        done(world, phone, Command::PutCar { car: Some(car), fields: fields(name) });
    };
    settle(&mut world);
    world.keep_image_of_relay();
    world.kill(1);
    for number in 0..ahead {
        rename(&mut world, 0, format!("Before {number}"));
        world.run_for(2_000);
    }
    assert!(world.run_until(CONVERGENCE_MS, |world| world.is_settled(0).is_ok()));
    world.put_back_relay();
    world.kill(0);
    world.start(1).unwrap();
    for number in 0..anew {
        rename(&mut world, 1, format!("After {number}"));
        world.run_for(2_000);
    }
    assert!(world.run_until(CONVERGENCE_MS, |world| world.is_settled(1).is_ok()), "{:?}", world.is_settled(1));
    world.kill(1);
    world.start(0).unwrap();
    assert!(world.run_until(CONVERGENCE_MS, |world| world.is_settled(0).is_ok()), "{:?}", world.is_settled(0));
    world.start(1).unwrap();
    settle(&mut world);
    assert!(agree(&world, &car), "{ahead} {anew}");
    for phone in [0, 1] {
        // What is stored can be read again.
        world.kill(phone);
        world.start(phone).unwrap();
    }
    settle(&mut world);
    rename(&mut world, 0, "In the end".to_owned());
    settle(&mut world);
    for phone in [0, 1] {
        let names: Vec<_> = world.replica(phone).cars().into_iter().map(|car| car.fields.nickname).collect();
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
