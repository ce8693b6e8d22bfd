//! Phones of one account and their relay: what is sent when, what it costs, and what comes of edits that cross.

use tourismo_core::docs::{CarFields, ProfileFields, SettingsFields, Units, Visibility};
use tourismo_core::id::DocId;
use tourismo_core::replica::OpenError;
use tourismo_core::replica::io::{Command, CommandError, Outcome};
use tourismo_core::replica::view::{DriveSync, LinkStatus, TrackView};
use tourismo_core::session::SILENCE_MS;
use tourismo_core::session::client::ANSWER_MS;
use tourismo_tests::made::{self, Kind, Options};
use tourismo_tests::sim::{CONVERGENCE_MS, World};

fn done(world: &mut World, phone: usize, command: Command) -> Option<DocId> {
    match world.perform(phone, command) {
        Outcome::Done { doc } => doc,
        other => panic!("{other:?}"),
    }
}

/// Waits until all phones have nothing left to do.
fn settle(world: &mut World, phones: usize) {
    let all = |world: &World| (0..phones).all(|phone| world.is_settled(phone).is_ok());
    // What broke off is noticed within two seconds, and what one device pushed reaches the others a moment later.
    for _ in 0..2 {
        let reasons = |world: &World| (0..phones).map(|phone| world.is_settled(phone)).collect::<Vec<_>>();
        assert!(world.run_until(CONVERGENCE_MS, all), "{:?}", reasons(world));
        world.run_for(2_000);
    }
}

/// Records and finishes a drive.
fn drive(world: &mut World, phone: usize, seconds: u32) -> DocId {
    let options = Options { start: world.now(phone).wall, minutes: seconds / 60 + 1, kind: Kind::Motorway };
    world.drive_along(phone, made::drive(3, options));
    let drive = done(world, phone, Command::StartDrive { car: None }).expect("a drive was made");
    world.run_for(u64::from(seconds) * 1_000);
    done(world, phone, Command::FinishDrive);
    world.drive_along(phone, Vec::new());
    drive
}

fn title(world: &World, phone: usize, drive: DocId) -> String {
    world.replica(phone).drives().into_iter().find(|view| view.id == drive).expect("the drive is listed").title
}

fn rename(drive: DocId, title: &str) -> Command {
    Command::EditDrive { drive, title: Some(title.to_owned()), notes: None, car: None }
}

fn two_phones() -> World {
    let mut world = World::new(11);
    world.add_phone();
    settle(&mut world, 1);
    world.add_device(0);
    settle(&mut world, 2);
    world
}

#[test]
fn what_was_recorded_without_a_network_is_sent_when_there_is_one() {
    let mut world = World::new(1);
    world.add_phone();
    world.set_network(false);
    let drive = drive(&mut world, 0, 150);
    let view = world.replica(0).drives().remove(0);
    assert!(matches!(view.sync, DriveSync::OnPhone { changes: 5.., .. }), "{:?}", view.sync);
    assert_eq!(world.replica(0).status().link, LinkStatus::Offline);
    world.set_network(true);
    settle(&mut world, 1);
    assert_eq!(world.replica(0).drives()[0].sync, DriveSync::OnRelay { track_here: true });
    assert!(world.relay().documents(&world.account(0)).contains_key(&drive));
}

#[test]
fn l1_a_second_device_hears_of_drives_at_once_and_fetches_a_track_when_it_is_opened() {
    let mut world = two_phones();
    let drive = drive(&mut world, 0, 130);
    settle(&mut world, 2);
    let view = world.replica(1).drives().remove(0);
    assert_eq!((view.id, view.sync), (drive, DriveSync::OnRelay { track_here: false }));
    assert_eq!(view.stats, world.replica(0).drives()[0].stats);
    world.set_network(false);
    let outcome = world.perform(1, Command::OpenDrive { drive });
    assert_eq!(outcome, Outcome::Refused { code: CommandError::TrackNotHere });
    world.set_network(true);
    settle(&mut world, 2);
    done(&mut world, 1, Command::OpenDrive { drive });
    done(&mut world, 0, Command::OpenDrive { drive });
    assert!(matches!(world.replica(1).track(), Some(TrackView::Ready { .. })));
    assert_eq!(world.replica(1).track(), world.replica(0).track());
    settle(&mut world, 2);
    assert_eq!(world.replica(1).drives()[0].sync, DriveSync::OnRelay { track_here: true });
    assert!(view.road.is_none() && world.replica(1).drives()[0].road.is_some(), "once the track has been here");
    assert_eq!(world.replica(1).drives(), world.replica(0).drives());
    done(&mut world, 1, Command::CloseDrive);
    assert_eq!(world.replica(1).track(), None);
}

#[test]
fn a_title_that_two_devices_edit_without_a_network_keeps_both_edits() {
    let mut world = two_phones();
    let drive = drive(&mut world, 0, 20);
    done(&mut world, 0, rename(drive, "Over the pass"));
    settle(&mut world, 2);
    world.set_network(false);
    done(&mut world, 0, rename(drive, "Slowly over the pass"));
    done(&mut world, 1, rename(drive, "Over the pass and back"));
    world.set_network(true);
    settle(&mut world, 2);
    assert_eq!(title(&world, 0, drive), "Slowly over the pass and back");
    assert_eq!(title(&world, 1, drive), "Slowly over the pass and back");
}

#[test]
fn cars_profile_and_settings_reach_the_other_device() {
    let mut world = two_phones();
    let fields = CarFields { make: "Mazda".to_owned(), model: "MX-5".to_owned(), ..CarFields::default() };
    let car = done(&mut world, 0, Command::PutCar { car: None, fields: fields.clone() });
    let profile = ProfileFields { handle: "dan".to_owned(), ..ProfileFields::default() };
    done(&mut world, 1, Command::PutProfile { fields: profile.clone() });
    let settings = SettingsFields { units: Units::Imperial, default_visibility: Visibility::Link };
    done(&mut world, 0, Command::PutSettings { fields: settings });
    settle(&mut world, 2);
    for phone in [0, 1] {
        let cars = world.replica(phone).cars();
        assert_eq!((Some(cars[0].id), &cars[0].fields), (car, &fields));
        let account = world.replica(phone).account();
        assert_eq!((account.profile, account.settings), (profile.clone(), settings));
    }
}

#[test]
fn two_drives_that_begin_alike_are_both_sent() {
    let mut world = World::new(2);
    world.add_phone();
    world.set_network(false);
    for _ in 0..3 {
        drive(&mut world, 0, 2);
    }
    world.set_network(true);
    settle(&mut world, 1);
    assert_eq!(world.relay().documents(&world.account(0)).len(), 6);
}

#[test]
fn m5_a_long_silence_before_a_push_is_no_reason_to_give_up() {
    let mut world = World::new(3);
    world.add_phone();
    settle(&mut world, 1);
    world.run_for(20 * ANSWER_MS);
    done(&mut world, 0, Command::PutProfile { fields: ProfileFields { bio: "x".to_owned(), ..Default::default() } });
    settle(&mut world, 1);
    let pushes = world.traffic(0).from_phone.iter().filter(|(tag, _)| *tag == 6).count();
    assert_eq!((pushes, world.traffic(0).from_phone[0].0), (1, 0), "all on one connection: {:?}", world.traffic(0));
}

#[test]
fn m5_a_phone_that_waits_for_nothing_notices_that_its_connection_is_dead_whichever_way() {
    for (at_phones, at_relay) in [(true, true), (true, false), (false, true)] {
        let mut world = two_phones();
        let drive = drive(&mut world, 0, 5);
        settle(&mut world, 2);
        world.silence_all(at_phones, at_relay);
        // The second phone has nothing to ask for: it must find out to hear of this.
        done(&mut world, 0, rename(drive, "After"));
        let heard = |world: &World| title(world, 1, drive) == "After";
        assert!(world.run_until(2 * SILENCE_MS, heard), "{at_phones} {at_relay}: {:?}", world.is_settled(1));
        settle(&mut world, 2);
    }
}

#[test]
fn m5_a_quiet_connection_is_kept() {
    let mut world = two_phones();
    world.run_for(20 * SILENCE_MS);
    for phone in [0, 1] {
        let traffic = world.traffic(phone);
        assert!((40..=60).contains(&traffic.from_phone.len()), "an hour of pongs on one connection: {traffic:?}");
    }
}

#[test]
fn c3_a_reconnect_without_news_costs_one_question_and_one_answer_however_much_there_is() {
    let mut world = two_phones();
    let mut made = 0;
    for count in [10, 1_000, 5_000] {
        for number in made..count {
            let nickname = format!("Car {number}");
            world.command(0, Command::PutCar { car: None, fields: CarFields { nickname, ..CarFields::default() } });
        }
        made = count;
        settle(&mut world, 2);
        for phone in [0, 1] {
            world.kill(phone);
            world.start(phone).unwrap();
            assert_eq!(world.replica(phone).cars().len(), count, "lists are there at once");
        }
        let loads = [world.phone(0).loads(), world.phone(1).loads()];
        settle(&mut world, 2);
        for phone in [0, 1] {
            let traffic = world.traffic(phone);
            assert_eq!((traffic.from_phone.len(), traffic.from_relay.len()), (3, 3), "{traffic:?}");
            let after_handshake = traffic.from_phone[2].1 + traffic.from_relay[2].1;
            assert!(after_handshake < 100 && traffic.bytes() < 1_000, "{count} documents: {} bytes", traffic.bytes());
            assert_eq!(world.phone(phone).loads(), loads[phone], "no document is loaded");
        }
    }
}

#[test]
fn p1_nothing_is_pushed_before_it_is_on_the_phones_disk() {
    let mut world = World::new(9);
    world.add_phone();
    settle(&mut world, 1);
    let before = world.traffic(0).from_phone.len();
    world.weather.store_ms = (3_000, 3_000);
    let fields = CarFields { nickname: "Rosi".to_owned(), ..CarFields::default() };
    let request = world.command(0, Command::PutCar { car: None, fields });
    world.run_for(2_990);
    assert_eq!((world.outcome(0, request), world.traffic(0).from_phone.len()), (None, before));
    world.run_for(500);
    assert!(world.outcome(0, request).is_some());
    assert_eq!(world.traffic(0).from_phone.len(), before + 1, "and at once after that");
}

#[test]
fn h3_a_signature_that_comes_after_its_connection_ended_proves_nothing_on_the_next() {
    let mut world = World::new(10);
    world.weather.sign_ms = (4_000, 4_000);
    world.add_phone();
    world.run_for(1_000);
    for _ in 0..3 {
        world.cut_all();
        world.run_for(2_000);
        world.set_network(true);
        world.run_for(2_000);
        let link = world.replica(0).status().link;
        assert!(!matches!(link, LinkStatus::Rejected { .. }), "{link:?}");
    }
    world.run_for(10_000);
    settle(&mut world, 1);
}

#[test]
fn p6_what_a_cut_connection_took_along_is_pushed_again_and_stored_once() {
    let mut world = World::new(4);
    world.add_phone();
    settle(&mut world, 1);
    for count in 0..30 {
        let nickname = format!("Car {count}");
        done(&mut world, 0, Command::PutCar { car: None, fields: CarFields { nickname, ..CarFields::default() } });
        world.run_for(17 * count);
        world.cut_all();
    }
    settle(&mut world, 1);
    assert_eq!(world.relay().entries(&world.account(0)).len(), 30);
}

#[test]
fn what_a_cut_connection_did_not_bring_is_fetched_on_the_next() {
    let mut world = two_phones();
    let drive = drive(&mut world, 0, 5);
    settle(&mut world, 2);
    done(&mut world, 0, rename(drive, "A"));
    settle(&mut world, 2);
    // The relay forgets; the first phone brings everything back, and the second is cut off while it compares and fetches.
    for cut_ms in (100..2_000).step_by(130) {
        world.restore_relay(0);
        world.run_for(1_500 + cut_ms);
        world.cut_all();
        done(&mut world, 0, rename(drive, &format!("A {cut_ms}")));
        settle(&mut world, 2);
        assert_eq!(title(&world, 1, drive), format!("A {cut_ms}"));
        assert_eq!(world.replica(1).status().refused, 0);
    }
}

#[test]
fn a_relay_that_was_restored_gets_back_what_it_lost() {
    for keeps_percent in [0, 50, 90] {
        let mut world = two_phones();
        drive(&mut world, 0, 90);
        let other = drive(&mut world, 1, 70);
        settle(&mut world, 2);
        let before = world.relay().digest(&world.account(0));
        world.restore_relay(keeps_percent);
        assert_ne!(world.relay().digest(&world.account(0)), before);
        settle(&mut world, 2);
        assert_eq!(world.relay().digest(&world.account(0)), before);
        assert_eq!(world.replica(0).drives().len(), 2);
        done(&mut world, 0, Command::OpenDrive { drive: other });
    }
}

#[test]
fn a_slow_network_is_slow_and_nothing_else() {
    let mut world = World::new(5);
    world.add_phone();
    world.set_network(false);
    for count in 0..40 {
        let bio = format!("{count}{}", "long ".repeat(190));
        let fields = ProfileFields { bio, ..ProfileFields::default() };
        done(&mut world, 0, Command::PutProfile { fields });
        let drive = done(&mut world, 0, Command::StartDrive { car: None }).unwrap();
        done(&mut world, 0, Command::FinishDrive);
        let notes = format!("{count}{}", "far away ".repeat(1_100));
        done(&mut world, 0, Command::EditDrive { drive, title: None, notes: Some(notes), car: None });
    }
    let bytes = u64::from(world.replica(0).status().unsent_bytes);
    world.weather.bytes_per_s = 3_000;
    world.set_network(true);
    assert!(bytes > 300_000, "{bytes}");
    let sent = world.run_until(bytes / 3 * 2, |world| world.is_settled(0).is_ok());
    assert_eq!(world.broken(), None);
    assert!(sent, "{bytes} bytes: {:?}", world.is_settled(0));
    // And all of it comes down again on a new device.
    let second = world.add_device(0);
    assert!(world.run_until(bytes / 3 * 2, |world| world.is_settled(second).is_ok()));
    assert_eq!(world.replica(second).drives().len(), 40);
}

#[test]
fn an_old_drive_and_its_copy_can_be_edited_while_many_newer_ones_are_in_memory() {
    let mut world = World::new(6);
    world.add_phone();
    let old = drive(&mut world, 0, 120);
    done(&mut world, 0, Command::PublishDrive { drive: old, visibility: Visibility::Public });
    world.kill(0);
    world.start(0).unwrap();
    for _ in 0..20 {
        let drive = done(&mut world, 0, Command::StartDrive { car: None }).unwrap();
        done(&mut world, 0, Command::FinishDrive);
        done(&mut world, 0, rename(drive, "new"));
    }
    done(&mut world, 0, rename(old, "old"));
    settle(&mut world, 1);
}

/// What `of` gives to let another phone in.
fn grant(world: &mut World, of: usize, to: usize) -> serde_bytes::ByteBuf {
    let device = serde_bytes::ByteBuf::from(world.phone(to).device().0);
    match world.perform(of, Command::GrantDevice { device }) {
        Outcome::Granted { grant } => grant,
        other => panic!("{other:?}"),
    }
}

fn put_a_car(world: &mut World, phone: usize) {
    let fields = CarFields { make: "Mazda".to_owned(), ..CarFields::default() };
    done(world, phone, Command::PutCar { car: None, fields });
}

#[test]
fn h5_a_phone_that_holds_data_of_one_account_does_not_open_for_another() {
    let mut world = World::new(8);
    let (one, other) = (world.add_phone(), world.add_phone());
    put_a_car(&mut world, one);
    world.run_for(5_000);
    let grant = grant(&mut world, other, one);
    let join = Command::JoinAccount { grant: grant.clone() };
    assert_eq!(world.perform(one, join), Outcome::Refused { code: CommandError::OtherAccount });
    world.kill(one);
    assert_eq!(world.start_with_grant(one, grant.into_vec()), Err(CommandError::OtherAccount.into()));
    assert_eq!(world.start_with_grant(one, vec![1, 2, 3]), Err(CommandError::BadGrant.into()));
    assert_eq!(OpenError::from(CommandError::OtherAccount).code(), "other_account");
}

#[test]
fn h5_a_phone_that_holds_nothing_can_leave_its_account_for_another_whether_the_app_runs_or_not() {
    for runs in [true, false] {
        let mut world = World::new(9);
        let (one, other) = (world.add_phone(), world.add_phone());
        put_a_car(&mut world, other);
        settle(&mut world, 2);
        let grant = grant(&mut world, other, one);
        if runs {
            done(&mut world, one, Command::JoinAccount { grant: grant.clone() });
            done(&mut world, one, Command::JoinAccount { grant });
        } else {
            world.kill(one);
            world.start_with_grant(one, grant.into_vec()).unwrap();
        }
        settle(&mut world, 2);
        assert_eq!(world.account(one), world.account(other));
        assert_eq!(world.replica(one).cars(), world.replica(other).cars());
        // And it stays so, without the grant being shown again.
        world.kill(one);
        world.start(one).unwrap();
        settle(&mut world, 2);
        assert_eq!(world.replica(one).cars().len(), 1);
    }
}

#[test]
fn two_devices_that_name_themselves_without_a_network_are_both_listed() {
    let mut world = two_phones();
    world.set_network(false);
    let name = |name: &str| Command::NameDevice { name: name.to_owned() };
    done(&mut world, 0, name("Phone"));
    done(&mut world, 1, name("Laptop"));
    world.set_network(true);
    settle(&mut world, 2);
    for phone in [0, 1] {
        let account = world.replica(phone).account();
        let mut names: Vec<_> = account.devices.iter().map(|device| device.name.as_str()).collect();
        names.sort_unstable();
        assert_eq!(names, ["Laptop", "Phone"]);
        let own = account.devices.iter().find(|device| device.key == account.device).expect("it has named itself");
        assert_eq!(own.name, ["Phone", "Laptop"][phone]);
    }
    done(&mut world, 1, name(""));
    settle(&mut world, 2);
    assert_eq!(world.replica(0).account().devices.len(), 1);
}

#[test]
fn h5_a_grant_for_another_device_lets_nobody_in() {
    let mut world = World::new(10);
    let (one, other, third) = (world.add_phone(), world.add_phone(), world.add_phone());
    let join = |grant| Command::JoinAccount { grant };
    let grant = grant(&mut world, other, third);
    assert_eq!(world.perform(one, join(grant)), Outcome::Refused { code: CommandError::ForeignGrant });
    let bytes = serde_bytes::ByteBuf::from([1, 2, 3]);
    assert_eq!(world.perform(one, join(bytes)), Outcome::Refused { code: CommandError::BadGrant });
    settle(&mut world, 3);
}
