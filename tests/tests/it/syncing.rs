//! Phones of one account and their relay: the order and the cost of messages, and the result of concurrent edits.

use tourismo_core::docs::{CarFields, ProfileFields, SettingsFields, Units, Visibility};
use tourismo_core::replica::OpenError;
use tourismo_core::replica::io::{Command, CommandError, CommandOutcome};
use tourismo_core::replica::views::{DriveSync, LinkStatus, TrackView};
use tourismo_core::session::SILENCE_MS;
use tourismo_core::session::client::ANSWER_MS;
use tourismo_tests::sim::Network;

use crate::stories::{done, drive, rename, settle, title, two_phones};

#[test]
fn what_was_recorded_without_a_network_is_sent_when_there_is_one() {
    let mut sim = Network::new(1);
    sim.add_phone();
    sim.set_network(false);
    let drive = drive(&mut sim, 0, 150);
    let view = sim.replica(0).drives().remove(0);
    assert!(matches!(view.sync, DriveSync::OnPhone { changes: 5.., .. }), "{:?}", view.sync);
    assert_eq!(sim.replica(0).status().link, LinkStatus::Offline);
    sim.set_network(true);
    settle(&mut sim);
    assert_eq!(sim.replica(0).drives()[0].sync, DriveSync::OnRelay { track_here: true });
    assert!(sim.relay().documents(&sim.account(0)).contains_key(&drive));
}

#[test]
fn l1_a_second_device_hears_of_drives_at_once_and_fetches_a_track_when_it_is_opened() {
    let mut sim = two_phones(11);
    let drive = drive(&mut sim, 0, 130);
    settle(&mut sim);
    let view = sim.replica(1).drives().remove(0);
    assert_eq!((view.id, view.sync), (drive, DriveSync::OnRelay { track_here: false }));
    assert_eq!(view.stats, sim.replica(0).drives()[0].stats);
    sim.set_network(false);
    let outcome = sim.perform(1, Command::OpenDrive { drive });
    assert_eq!(outcome, CommandOutcome::Refused { code: CommandError::TrackNotHere });
    sim.set_network(true);
    settle(&mut sim);
    done(&mut sim, 1, Command::OpenDrive { drive });
    done(&mut sim, 0, Command::OpenDrive { drive });
    assert!(matches!(sim.replica(1).track(), Some(TrackView::Ready { .. })));
    assert_eq!(sim.replica(1).track(), sim.replica(0).track());
    settle(&mut sim);
    assert_eq!(sim.replica(1).drives()[0].sync, DriveSync::OnRelay { track_here: true });
    assert!(view.road.is_none() && sim.replica(1).drives()[0].road.is_some(), "once the track has been here");
    assert_eq!(sim.replica(1).drives(), sim.replica(0).drives());
    done(&mut sim, 1, Command::CloseDrive);
    assert_eq!(sim.replica(1).track(), None);
}

#[test]
fn a_title_that_two_devices_edit_without_a_network_keeps_both_edits() {
    let mut sim = two_phones(11);
    let drive = drive(&mut sim, 0, 20);
    done(&mut sim, 0, rename(drive, "Over the pass"));
    settle(&mut sim);
    sim.set_network(false);
    done(&mut sim, 0, rename(drive, "Slowly over the pass"));
    done(&mut sim, 1, rename(drive, "Over the pass and back"));
    sim.set_network(true);
    settle(&mut sim);
    assert_eq!(title(&sim, 0, drive), "Slowly over the pass and back");
    assert_eq!(title(&sim, 1, drive), "Slowly over the pass and back");
}

#[test]
fn cars_profile_and_settings_reach_the_other_device() {
    let mut sim = two_phones(11);
    let fields = CarFields { make: "Mazda".to_owned(), model: "MX-5".to_owned(), ..CarFields::default() };
    let car = done(&mut sim, 0, Command::PutCar { car: None, fields: fields.clone() });
    let profile = ProfileFields { handle: "dan".to_owned(), ..ProfileFields::default() };
    done(&mut sim, 1, Command::PutProfile { fields: profile.clone() });
    let settings = SettingsFields { units: Units::Imperial, default_visibility: Visibility::Link };
    done(&mut sim, 0, Command::PutSettings { fields: settings });
    settle(&mut sim);
    for phone in [0, 1] {
        let cars = sim.replica(phone).cars();
        assert_eq!((Some(cars[0].id), &cars[0].fields), (car, &fields));
        let account = sim.replica(phone).account();
        assert_eq!((account.profile, account.settings), (profile.clone(), settings));
    }
}

#[test]
fn two_drives_that_begin_alike_are_both_sent() {
    let mut sim = Network::new(2);
    sim.add_phone();
    sim.set_network(false);
    for _ in 0..3 {
        drive(&mut sim, 0, 2);
    }
    sim.set_network(true);
    settle(&mut sim);
    // The settings have the places at which they began.
    let drives_and_tracks = sim.relay().documents(&sim.account(0)).len() - 1;
    assert_eq!(drives_and_tracks, 6);
}

#[test]
fn m5_a_long_silence_before_a_push_is_no_reason_to_give_up() {
    let mut sim = Network::new(3);
    sim.add_phone();
    settle(&mut sim);
    sim.run_for(20 * ANSWER_MS);
    done(&mut sim, 0, Command::PutProfile { fields: ProfileFields { bio: "x".to_owned(), ..Default::default() } });
    settle(&mut sim);
    let pushes = sim.traffic(0).from_phone.iter().filter(|(tag, _)| *tag == 6).count();
    assert_eq!((pushes, sim.traffic(0).from_phone[0].0), (1, 0), "all on one connection: {:?}", sim.traffic(0));
}

#[test]
fn m5_a_phone_that_waits_for_nothing_notices_that_its_connection_is_dead_whichever_way() {
    for (at_phones, at_relay) in [(true, true), (true, false), (false, true)] {
        let mut sim = two_phones(11);
        let drive = drive(&mut sim, 0, 5);
        settle(&mut sim);
        sim.silence_all(at_phones, at_relay);
        // The second phone has nothing to send, and receives this edit only after it has detected the dead connection.
        done(&mut sim, 0, rename(drive, "After"));
        let heard = |sim: &Network| title(sim, 1, drive) == "After";
        assert!(sim.run_until(2 * SILENCE_MS, heard), "{at_phones} {at_relay}: {:?}", sim.is_settled(1));
        settle(&mut sim);
    }
}

#[test]
fn m5_a_quiet_connection_is_kept() {
    let mut sim = two_phones(11);
    sim.run_for(20 * SILENCE_MS);
    for phone in [0, 1] {
        let traffic = sim.traffic(phone);
        assert!((40..=60).contains(&traffic.from_phone.len()), "an hour of pongs on one connection: {traffic:?}");
    }
}

#[test]
fn c3_a_reconnect_without_news_costs_one_question_and_one_answer_however_much_there_is() {
    let mut sim = two_phones(11);
    let mut made = 0;
    for count in [10, 1_000, 5_000] {
        for number in made..count {
            let nickname = format!("Car {number}");
            sim.command(0, Command::PutCar { car: None, fields: CarFields { nickname, ..CarFields::default() } });
        }
        made = count;
        settle(&mut sim);
        for phone in [0, 1] {
            sim.kill(phone);
            sim.start(phone).unwrap();
            assert_eq!(sim.replica(phone).cars().len(), count, "lists are there at once");
        }
        let loads = [sim.phone(0).loads(), sim.phone(1).loads()];
        settle(&mut sim);
        for phone in [0, 1] {
            let traffic = sim.traffic(phone);
            assert_eq!((traffic.from_phone.len(), traffic.from_relay.len()), (3, 3), "{traffic:?}");
            let after_handshake = traffic.from_phone[2].1 + traffic.from_relay[2].1;
            assert!(after_handshake < 100 && traffic.bytes() < 1_000, "{count} documents: {} bytes", traffic.bytes());
            assert_eq!(sim.phone(phone).loads(), loads[phone], "no document is loaded");
        }
    }
}

#[test]
fn p1_nothing_is_pushed_before_it_is_on_the_phones_disk() {
    let mut sim = Network::new(9);
    sim.add_phone();
    settle(&mut sim);
    let before = sim.traffic(0).from_phone.len();
    sim.faults.store_ms = (3_000, 3_000);
    let fields = CarFields { nickname: "Rosi".to_owned(), ..CarFields::default() };
    let request = sim.command(0, Command::PutCar { car: None, fields });
    sim.run_for(2_990);
    assert_eq!((sim.outcome(0, request), sim.traffic(0).from_phone.len()), (None, before));
    sim.run_for(500);
    assert!(sim.outcome(0, request).is_some());
    assert_eq!(sim.traffic(0).from_phone.len(), before + 1, "and at once after that");
}

#[test]
fn h3_a_signature_that_comes_after_its_connection_ended_proves_nothing_on_the_next() {
    let mut sim = Network::new(10);
    sim.faults.sign_ms = (4_000, 4_000);
    sim.add_phone();
    sim.run_for(1_000);
    for _ in 0..3 {
        sim.cut_all();
        sim.run_for(2_000);
        sim.set_network(true);
        sim.run_for(2_000);
        let link = sim.replica(0).status().link;
        assert!(!matches!(link, LinkStatus::Rejected { .. }), "{link:?}");
    }
    sim.run_for(10_000);
    settle(&mut sim);
}

#[test]
fn p6_what_a_cut_connection_took_along_is_pushed_again_and_stored_once() {
    let mut sim = Network::new(4);
    sim.add_phone();
    settle(&mut sim);
    for count in 0..30 {
        let nickname = format!("Car {count}");
        done(&mut sim, 0, Command::PutCar { car: None, fields: CarFields { nickname, ..CarFields::default() } });
        sim.run_for(17 * count);
        sim.cut_all();
    }
    settle(&mut sim);
    assert_eq!(sim.relay().entries(&sim.account(0)).len(), 30);
}

#[test]
fn what_a_cut_connection_did_not_bring_is_fetched_on_the_next() {
    let mut sim = two_phones(11);
    let drive = drive(&mut sim, 0, 5);
    settle(&mut sim);
    done(&mut sim, 0, rename(drive, "A"));
    settle(&mut sim);
    // The relay loses its log. The first phone brings everything back, and the second is cut off while it compares and
    // fetches.
    for cut_ms in (100..2_000).step_by(130) {
        sim.restore_relay(0);
        sim.run_for(1_500 + cut_ms);
        sim.cut_all();
        done(&mut sim, 0, rename(drive, &format!("A {cut_ms}")));
        settle(&mut sim);
        assert_eq!(title(&sim, 1, drive), format!("A {cut_ms}"));
        assert_eq!(sim.replica(1).status().refused, 0);
    }
}

#[test]
fn a_relay_that_was_restored_gets_back_what_it_lost() {
    for keeps_percent in [0, 50, 90] {
        let mut sim = two_phones(11);
        drive(&mut sim, 0, 90);
        let other = drive(&mut sim, 1, 70);
        settle(&mut sim);
        let before = sim.relay().digest(&sim.account(0));
        sim.restore_relay(keeps_percent);
        assert_ne!(sim.relay().digest(&sim.account(0)), before);
        settle(&mut sim);
        assert_eq!(sim.relay().digest(&sim.account(0)), before);
        assert_eq!(sim.replica(0).drives().len(), 2);
        done(&mut sim, 0, Command::OpenDrive { drive: other });
    }
}

#[test]
fn a_slow_network_is_slow_and_nothing_else() {
    let mut sim = Network::new(5);
    sim.add_phone();
    sim.set_network(false);
    for count in 0..40 {
        let bio = format!("{count}{}", "long ".repeat(190));
        let fields = ProfileFields { bio, ..ProfileFields::default() };
        done(&mut sim, 0, Command::PutProfile { fields });
        let drive = done(&mut sim, 0, Command::StartDrive { car: None }).unwrap();
        done(&mut sim, 0, Command::FinishDrive);
        let notes = format!("{count}{}", "far away ".repeat(1_100));
        done(&mut sim, 0, Command::EditDrive { drive, title: None, notes: Some(notes), car: None });
    }
    let bytes = u64::from(sim.replica(0).status().unsent_bytes);
    sim.faults.bytes_per_s = 3_000;
    sim.set_network(true);
    assert!(bytes > 300_000, "{bytes}");
    let sent = sim.run_until(bytes / 3 * 2, |sim| sim.is_settled(0).is_ok());
    assert_eq!(sim.broken(), None);
    assert!(sent, "{bytes} bytes: {:?}", sim.is_settled(0));
    // A new device receives all of it.
    let second = sim.add_device(0);
    assert!(sim.run_until(bytes / 3 * 2, |sim| sim.is_settled(second).is_ok()));
    assert_eq!(sim.replica(second).drives().len(), 40);
}

#[test]
fn an_old_drive_and_its_copy_can_be_edited_while_many_newer_ones_are_in_memory() {
    let mut sim = Network::new(6);
    sim.add_phone();
    let old = drive(&mut sim, 0, 120);
    done(&mut sim, 0, Command::PublishDrive { drive: old, visibility: Visibility::Public });
    sim.kill(0);
    sim.start(0).unwrap();
    for _ in 0..20 {
        let drive = done(&mut sim, 0, Command::StartDrive { car: None }).unwrap();
        done(&mut sim, 0, Command::FinishDrive);
        done(&mut sim, 0, rename(drive, "new"));
    }
    done(&mut sim, 0, rename(old, "old"));
    settle(&mut sim);
}

/// A grant by `of` for another phone.
fn grant(sim: &mut Network, of: usize, to: usize) -> serde_bytes::ByteBuf {
    let device = serde_bytes::ByteBuf::from(sim.phone(to).device().0);
    match sim.perform(of, Command::GrantDevice { device }) {
        CommandOutcome::Granted { grant } => grant,
        other => panic!("{other:?}"),
    }
}

fn put_a_car(sim: &mut Network, phone: usize) {
    let fields = CarFields { make: "Mazda".to_owned(), ..CarFields::default() };
    done(sim, phone, Command::PutCar { car: None, fields });
}

#[test]
fn h5_a_phone_that_holds_data_of_one_account_does_not_open_for_another() {
    let mut sim = Network::new(8);
    let (one, other) = (sim.add_phone(), sim.add_phone());
    put_a_car(&mut sim, one);
    sim.run_for(5_000);
    let grant = grant(&mut sim, other, one);
    let join = Command::JoinAccount { grant: grant.clone() };
    assert_eq!(sim.perform(one, join), CommandOutcome::Refused { code: CommandError::OtherAccount });
    sim.kill(one);
    assert_eq!(sim.start_with_grant(one, grant.into_vec()), Err(CommandError::OtherAccount.into()));
    assert_eq!(sim.start_with_grant(one, vec![1, 2, 3]), Err(CommandError::BadGrant.into()));
    assert_eq!(OpenError::from(CommandError::OtherAccount).code(), "other_account");
}

#[test]
fn h5_a_phone_that_holds_nothing_can_leave_its_account_for_another_whether_the_app_runs_or_not() {
    for runs in [true, false] {
        let mut sim = Network::new(9);
        let (one, other) = (sim.add_phone(), sim.add_phone());
        put_a_car(&mut sim, other);
        settle(&mut sim);
        let grant = grant(&mut sim, other, one);
        if runs {
            done(&mut sim, one, Command::JoinAccount { grant: grant.clone() });
            done(&mut sim, one, Command::JoinAccount { grant });
        } else {
            sim.kill(one);
            sim.start_with_grant(one, grant.into_vec()).unwrap();
        }
        settle(&mut sim);
        assert_eq!(sim.account(one), sim.account(other));
        assert_eq!(sim.replica(one).cars(), sim.replica(other).cars());
        // The membership remains without another presentation of the grant.
        sim.kill(one);
        sim.start(one).unwrap();
        settle(&mut sim);
        assert_eq!(sim.replica(one).cars().len(), 1);
    }
}

#[test]
fn two_devices_that_name_themselves_without_a_network_are_both_listed() {
    let mut sim = two_phones(11);
    sim.set_network(false);
    let name = |name: &str| Command::NameDevice { name: name.to_owned() };
    done(&mut sim, 0, name("Phone"));
    done(&mut sim, 1, name("Laptop"));
    sim.set_network(true);
    settle(&mut sim);
    for phone in [0, 1] {
        let account = sim.replica(phone).account();
        let mut names: Vec<_> = account.devices.iter().map(|device| device.name.as_str()).collect();
        names.sort_unstable();
        assert_eq!(names, ["Laptop", "Phone"]);
        let own = account.devices.iter().find(|device| device.key == account.device).expect("it has named itself");
        assert_eq!(own.name, ["Phone", "Laptop"][phone]);
    }
    done(&mut sim, 1, name(""));
    settle(&mut sim);
    assert_eq!(sim.replica(0).account().devices.len(), 1);
}

#[test]
fn h5_a_grant_for_another_device_lets_nobody_in() {
    let mut sim = Network::new(10);
    let (one, other, third) = (sim.add_phone(), sim.add_phone(), sim.add_phone());
    let join = |grant| Command::JoinAccount { grant };
    let grant = grant(&mut sim, other, third);
    assert_eq!(sim.perform(one, join(grant)), CommandOutcome::Refused { code: CommandError::ForeignGrant });
    let bytes = serde_bytes::ByteBuf::from([1, 2, 3]);
    assert_eq!(sim.perform(one, join(bytes)), CommandOutcome::Refused { code: CommandError::BadGrant });
    settle(&mut sim);
}
