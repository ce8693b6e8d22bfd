//! Publishing: what leaves the phone, what never does, and how a publication is undone.

use tourismo_core::docs::published::{self, PublishedFields};
use tourismo_core::docs::{self, CarFields, MeetFields, Visibility, automerge_doc};
use tourismo_core::fix::Fix;
use tourismo_core::geodesy::{Position, distance_m};
use tourismo_core::id::{AccountId, DocId};
use tourismo_core::privacy::places::{ALWAYS_HIDDEN_M, PlaceKind, ZoneSize};
use tourismo_core::projection::{self, DocumentRow};
use tourismo_core::replica::io::{Command, CommandError, CommandOutcome};
use tourismo_core::time::UtcOffset;
use tourismo_core::track::block::decode_all;
use tourismo_core::track::parts::merged;
use tourismo_core::wire::DocKind;
use tourismo_tests::sim::{CONVERGENCE_MS, Network};
use tourismo_tests::synthetic::{self, Kind, Options};

use crate::stories::{done, settle};

/// A simulation with so many devices of one account; the first has recorded six minutes on a motorway.
fn after_a_drive(devices: usize) -> (Network, DocId) {
    let mut sim = Network::new(21);
    sim.add_phone();
    settle(&mut sim);
    for _ in 1..devices {
        sim.add_device(0);
    }
    let options = Options { start: sim.now(0).wall, minutes: 7, kind: Kind::Motorway };
    sim.drive_along(0, synthetic::drive(5, options));
    let drive = done(&mut sim, 0, Command::StartDrive { car: None }).unwrap();
    sim.run_for(360_000);
    done(&mut sim, 0, Command::FinishDrive);
    settle(&mut sim);
    (sim, drive)
}

fn publish(drive: DocId, visibility: Visibility) -> Command {
    Command::PublishDrive { drive, visibility }
}

/// The published copies on the relay.
fn copies(sim: &Network) -> Vec<PublishedFields> {
    let documents = sim.relay().documents(&sim.account(0));
    let copies = documents.into_values().filter(|(kind, _)| *kind == DocKind::Published);
    copies.map(|(_, chunks)| published::read(&automerge_doc::load(&[0; 16], chunks).unwrap()).unwrap()).collect()
}

fn fixes(copy: &PublishedFields) -> Vec<Fix> {
    merged(&decode_all(copy.blocks.iter().map(Vec::as_slice)).stretches)
}

/// The private fixes of the only drive.
fn private(sim: &Network) -> Vec<Fix> {
    let documents = sim.relay().documents(&sim.account(0));
    let (_, chunks) = documents.into_values().find(|(kind, _)| *kind == DocKind::Track).unwrap();
    let sessions = docs::track::sessions(&automerge_doc::load(&[0; 16], chunks).unwrap());
    let stretches = sessions.iter().flat_map(|blocks| decode_all(blocks.iter().map(Vec::as_slice)).stretches);
    merged(&stretches.collect::<Vec<_>>())
}

#[test]
fn a_published_copy_holds_nothing_near_the_ends_of_the_drive() {
    let (mut sim, drive) = after_a_drive(1);
    done(&mut sim, 0, publish(drive, Visibility::Public));
    settle(&mut sim);
    let (private, copies) = (private(&sim), copies(&sim));
    assert_eq!((copies.len(), copies[0].visibility), (1, Visibility::Public));
    let shown = fixes(&copies[0]);
    assert!(shown.len() > 60, "{} fixes are shown", shown.len());
    for end in [private.first().unwrap(), private.last().unwrap()] {
        for fix in &shown {
            let way_m = distance_m(Position::from(end), Position::from(fix));
            assert!(way_m >= ALWAYS_HIDDEN_M, "{way_m} m from an end");
        }
    }
}

/// A place in the middle of what is shown of the only copy.
fn place_on_the_way(sim: &Network, size: ZoneSize) -> Command {
    let shown = fixes(&copies(sim)[0]);
    let middle = &shown[shown.len() / 2];
    Command::AddPlace { position: [middle.lon_deg, middle.lat_deg], kind: PlaceKind::Friend, size }
}

/// Every fix of the only copy is outside the zones of all places that a phone knows.
fn check_zones(sim: &Network, phone: usize) -> Vec<Fix> {
    let shown = fixes(&copies(sim)[0]);
    for place in sim.replica(phone).account().places {
        let zone = place.zone.expect("all of them are private");
        for fix in &shown {
            let center = Position { lat_deg: zone.center[1], lon_deg: zone.center[0] };
            assert!(distance_m(center, Position::from(fix)) > zone.radius_m - 0.1, "{place:?}");
        }
    }
    shown
}

#[test]
fn a_place_that_is_added_or_enlarged_withdraws_what_shows_it_and_makes_it_again() {
    let (mut sim, drive) = after_a_drive(1);
    done(&mut sim, 0, publish(drive, Visibility::Public));
    settle(&mut sim);
    let before = check_zones(&sim, 0);
    let id = sim.replica(0).drives()[0].published;
    let added = place_on_the_way(&sim, ZoneSize::Standard);
    let place = done(&mut sim, 0, added).unwrap();
    settle(&mut sim);
    let after = check_zones(&sim, 0);
    assert!(after.len() < before.len() && !after.is_empty(), "{} of {}", after.len(), before.len());
    done(&mut sim, 0, Command::ChangePlace { place, kind: PlaceKind::Friend, size: ZoneSize::Large });
    settle(&mut sim);
    let larger = check_zones(&sim, 0);
    assert!(larger.len() < after.len(), "{} of {}", larger.len(), after.len());
    let view = &sim.replica(0).drives()[0];
    assert_eq!((view.published, view.visibility), (id, Visibility::Public));
    assert_eq!(copies(&sim)[0].visibility, Visibility::Public, "it is the same copy under the same link");
    // A smaller zone concerns what is published later.
    done(&mut sim, 0, Command::ChangePlace { place, kind: PlaceKind::Open, size: ZoneSize::None });
    settle(&mut sim);
    assert_eq!(fixes(&copies(&sim)[0]).len(), larger.len());
}

#[test]
fn a_copy_is_withdrawn_before_it_is_made_again_and_others_never_see_both() {
    let (mut sim, drive) = after_a_drive(1);
    done(&mut sim, 0, publish(drive, Visibility::Public));
    settle(&mut sim);
    let added = place_on_the_way(&sim, ZoneSize::Standard);
    done(&mut sim, 0, added);
    settle(&mut sim);
    let documents = sim.relay().documents(&sim.account(0));
    let (_, chunks) = documents.into_values().find(|(kind, _)| *kind == DocKind::Published).unwrap();
    let mut doc = automerge_doc::new(&[0; 16]);
    let mut seen = Vec::new();
    for chunk in chunks {
        automerge_doc::apply(&mut doc, [chunk.to_vec()]).unwrap();
        let fields = published::read(&doc).unwrap();
        let shown = (fields.visibility == Visibility::Public).then(|| fixes(&fields).len());
        seen.push(shown);
    }
    let [Some(before), None, Some(after)] = seen[..] else { panic!("shown, withdrawn, shown again: {seen:?}") };
    assert!(after < before);
}

#[test]
fn places_of_two_devices_that_have_no_signal_hide_together() {
    let (mut sim, drive) = after_a_drive(2);
    done(&mut sim, 0, publish(drive, Visibility::Public));
    settle(&mut sim);
    done(&mut sim, 1, Command::OpenDrive { drive });
    settle(&mut sim);
    let shown = fixes(&copies(&sim)[0]);
    sim.set_network(false);
    for (phone, part) in [(0, 3), (1, 2)] {
        let at = &shown[shown.len() / part];
        let position = [at.lon_deg, at.lat_deg];
        done(&mut sim, phone, Command::AddPlace { position, kind: PlaceKind::Home, size: ZoneSize::Standard });
    }
    assert_eq!(sim.replica(0).account().places.len(), sim.replica(1).account().places.len());
    sim.set_network(true);
    settle(&mut sim);
    assert_eq!(sim.replica(0).account().places, sim.replica(1).account().places);
    assert_eq!(sim.replica(0).account().places.iter().filter(|place| !place.is_found).count(), 2);
    let after = check_zones(&sim, 0);
    assert!(after.len() < shown.len());
    let is_shown = sim.replica(0).drives()[0].visibility == Visibility::Public;
    assert_eq!(copies(&sim)[0].visibility == Visibility::Public, is_shown);
}

#[test]
fn a_drive_and_its_copy_say_what_the_clocks_showed_where_it_began() {
    for (utc_offset_min, expected) in [(570, Some(570)), (-720, Some(-720)), (1_441, None)] {
        let mut sim = Network::new(21);
        sim.add_phone();
        sim.set_utc_offset(0, utc_offset_min);
        let options = Options { start: sim.now(0).wall, minutes: 7, kind: Kind::Motorway };
        sim.drive_along(0, synthetic::drive(5, options));
        let drive = done(&mut sim, 0, Command::StartDrive { car: None }).unwrap();
        sim.run_for(360_000);
        // The car drives into another time zone: the drive keeps the offset of its start.
        sim.set_utc_offset(0, 60);
        done(&mut sim, 0, Command::FinishDrive);
        done(&mut sim, 0, publish(drive, Visibility::Public));
        settle(&mut sim);
        let expected = expected.and_then(UtcOffset::from_minutes);
        assert_eq!(sim.replica(0).drives()[0].utc_offset_min, expected);
        assert_eq!(copies(&sim)[0].utc_offset, expected);
    }
}

#[test]
fn no_byte_of_a_published_copy_says_where_the_drive_began_or_ended() {
    let (mut sim, drive) = after_a_drive(1);
    done(&mut sim, 0, publish(drive, Visibility::Public));
    settle(&mut sim);
    let private = private(&sim);
    let hidden: Vec<[u8; 4]> = [private.first().unwrap(), private.last().unwrap()]
        .into_iter()
        .flat_map(|fix| [fix.lat_deg, fix.lon_deg])
        .flat_map(|deg| {
            let quantised = (deg * 1e6).round() as i32;
            [quantised.to_le_bytes(), quantised.to_be_bytes()]
        })
        .collect();
    let documents = sim.relay().documents(&sim.account(0));
    for (_, chunks) in documents.into_values().filter(|(kind, _)| *kind == DocKind::Published) {
        for chunk in chunks {
            assert!(hidden.iter().all(|bytes| !chunk.windows(4).any(|window| window == bytes)));
            assert!(!chunk.windows(16).any(|window| window == drive.as_bytes()), "nor which drive it is made of");
        }
    }
}

#[test]
fn title_and_car_of_a_published_copy_follow_the_drive() {
    let (mut sim, drive) = after_a_drive(1);
    done(&mut sim, 0, publish(drive, Visibility::Link));
    let fields = CarFields { nickname: "Rosi".to_owned(), ..CarFields::default() };
    let car = done(&mut sim, 0, Command::PutCar { car: None, fields });
    let title = Some("Along the coast".to_owned());
    done(&mut sim, 0, Command::EditDrive { drive, title, notes: Some("secret".to_owned()), car: Some(car) });
    settle(&mut sim);
    let copy = copies(&sim).remove(0);
    assert_eq!(
        (copy.title.as_str(), copy.car.as_str(), copy.visibility),
        ("Along the coast", "Rosi", Visibility::Link)
    );
    let documents = sim.relay().documents(&sim.account(0));
    let of_copy = documents.into_values().filter(|(kind, _)| *kind == DocKind::Published);
    let mut chunks = of_copy.flat_map(|(_, chunks)| chunks);
    assert!(chunks.all(|chunk| !chunk.windows(6).any(|window| window == b"secret")), "notes are private");
}

#[test]
fn a_drive_is_withdrawn_shown_again_and_withdrawn_by_its_deletion() {
    let (mut sim, drive) = after_a_drive(1);
    for visibility in [Visibility::Public, Visibility::Private, Visibility::Link, Visibility::Public] {
        done(&mut sim, 0, publish(drive, visibility));
        settle(&mut sim);
        let (copies, view) = (copies(&sim), sim.replica(0).drives().remove(0));
        assert_eq!((copies.len(), copies[0].visibility, view.visibility), (1, visibility, visibility));
    }
    done(&mut sim, 0, Command::DeleteDrive { drive });
    settle(&mut sim);
    assert_eq!(copies(&sim)[0].visibility, Visibility::Private);
    assert!(sim.replica(0).drives().is_empty());
}

#[test]
fn two_devices_that_publish_at_the_same_time_make_one_copy() {
    let (mut sim, drive) = after_a_drive(2);
    done(&mut sim, 1, Command::OpenDrive { drive });
    sim.set_network(false);
    done(&mut sim, 0, publish(drive, Visibility::Public));
    done(&mut sim, 1, publish(drive, Visibility::Public));
    sim.set_network(true);
    settle(&mut sim);
    assert_eq!(copies(&sim).len(), 1);
    assert!(fixes(&copies(&sim)[0]).len() > 60);
    done(&mut sim, 1, publish(drive, Visibility::Private));
    settle(&mut sim);
    assert_eq!(copies(&sim)[0].visibility, Visibility::Private);
}

#[test]
fn a_copy_is_as_visible_as_its_drive_says_however_edits_crossed() {
    for (first, second) in [(0, 1), (1, 0)] {
        let (mut sim, drive) = after_a_drive(2);
        done(&mut sim, 0, publish(drive, Visibility::Link));
        settle(&mut sim);
        sim.set_network(false);
        // Automerge decides between concurrent edits by their operation numbers. Several titles make drive and copy end
        // differently.
        for title in ["a", "b", "c"] {
            let edit = Command::EditDrive { drive, title: Some(title.to_owned()), notes: None, car: None };
            done(&mut sim, first, edit);
        }
        done(&mut sim, first, publish(drive, Visibility::Public));
        for visibility in [Visibility::Public, Visibility::Link, Visibility::Public, Visibility::Private] {
            done(&mut sim, second, publish(drive, visibility));
        }
        sim.set_network(true);
        settle(&mut sim);
        let copy = copies(&sim).remove(0);
        for phone in [0, 1] {
            let view = sim.replica(phone).drives().remove(0);
            assert_eq!((copy.visibility, &copy.title), (view.visibility, &view.title));
        }
    }
}

/// The id of the published copy on the relay.
fn copy_id(sim: &Network) -> DocId {
    let documents = sim.relay().documents(&sim.account(0));
    *documents.iter().find(|(_, (kind, _))| *kind == DocKind::Published).unwrap().0
}

/// Changes a drive, then restores a backup of the relay that has this change of the drive or of its copy but not both,
/// and restores the phone to before the change.
fn check_half(loses_copy: bool, change: Command, expected: Visibility) {
    let (mut sim, drive) = after_a_drive(1);
    let visibility = if expected == Visibility::Private { Visibility::Public } else { Visibility::Link };
    done(&mut sim, 0, publish(drive, visibility));
    settle(&mut sim);
    let before = sim.snapshot(0);
    done(&mut sim, 0, change);
    settle(&mut sim);
    let lost = if loses_copy { copy_id(&sim) } else { drive };
    sim.kill(0);
    sim.forget_last_change(&lost);
    sim.restore_phone(0, before);
    sim.run_for(2_000);
    sim.start(0).unwrap();
    settle(&mut sim);
    let (copy, view) = (copies(&sim).remove(0), sim.replica(0).drives().remove(0));
    assert_eq!((copy.visibility, &copy.title), (view.visibility, &view.title));
    assert_eq!(view.visibility, expected);
}

#[test]
fn a_drive_that_was_withdrawn_is_hidden_though_a_restored_relay_and_a_phone_that_was_put_back_know_half_of_it() {
    let drive = || after_a_drive(1).1;
    check_half(true, publish(drive(), Visibility::Private), Visibility::Private);
    check_half(false, publish(drive(), Visibility::Private), Visibility::Private);
    check_half(true, publish(drive(), Visibility::Public), Visibility::Link);
    check_half(false, publish(drive(), Visibility::Public), Visibility::Link);
    let edit = Command::EditDrive { drive: drive(), title: Some("Home".to_owned()), notes: None, car: None };
    check_half(true, edit, Visibility::Link);
}

/// The visibilities of the copies on the relay, with their ids.
fn shown(sim: &Network) -> Vec<(DocId, Visibility)> {
    let documents = sim.relay().documents(&sim.account(0));
    let copies = documents.into_iter().filter(|(_, (kind, _))| *kind == DocKind::Published);
    copies
        .map(|(id, (_, chunks))| {
            (id, published::read(&automerge_doc::load(&[0; 16], chunks).unwrap()).unwrap().visibility)
        })
        .collect()
}

/// Publishes a drive or renews its link, then restores a backup of the relay that lacks the last change of each
/// document in `lost`, a function of the drive and its copies before and after; and restores the phone to before.
fn check_unnamed(is_renewed: bool, lost: impl Fn(DocId, DocId, DocId) -> Vec<DocId>) {
    let (mut sim, drive) = after_a_drive(1);
    if is_renewed {
        done(&mut sim, 0, publish(drive, Visibility::Public));
        settle(&mut sim);
    }
    let earlier = sim.replica(0).drives()[0].published;
    let before = sim.snapshot(0);
    let change = if is_renewed { Command::RenewLink { drive } } else { publish(drive, Visibility::Public) };
    done(&mut sim, 0, change);
    settle(&mut sim);
    let copy = sim.replica(0).drives()[0].published.unwrap();
    sim.kill(0);
    lost(drive, earlier.unwrap_or(copy), copy).iter().for_each(|doc| sim.forget_last_change(doc));
    sim.restore_phone(0, before);
    sim.run_for(2_000);
    sim.start(0).unwrap();
    settle(&mut sim);
    let named = sim.replica(0).drives()[0].published;
    let unnamed: Vec<_> = shown(&sim).into_iter().filter(|(id, _)| Some(*id) != named).collect();
    assert!(!unnamed.is_empty(), "a copy is there that no drive names");
    assert!(unnamed.iter().all(|(_, visibility)| *visibility == Visibility::Private), "{unnamed:?}");
}

#[test]
fn b2_a_copy_that_no_drive_names_is_withdrawn_though_relay_and_phone_were_put_back() {
    check_unnamed(false, |drive, _, _| vec![drive]);
    check_unnamed(true, |drive, _, _| vec![drive]);
    check_unnamed(true, |_, earlier, copy| vec![earlier, copy]);
    check_unnamed(true, |_, earlier, _| vec![earlier]);
}

#[test]
fn a_drive_whose_copy_is_lost_can_be_edited_and_published_again() {
    let (mut sim, drive) = after_a_drive(1);
    let before = sim.snapshot(0);
    done(&mut sim, 0, publish(drive, Visibility::Public));
    settle(&mut sim);
    let copy = copy_id(&sim);
    sim.kill(0);
    sim.forget_last_change(&copy);
    sim.restore_phone(0, before);
    sim.run_for(2_000);
    sim.start(0).unwrap();
    settle(&mut sim);
    let view = sim.replica(0).drives().remove(0);
    assert_eq!((copies(&sim).len(), view.published, view.visibility), (0, None, Visibility::Private));
    done(&mut sim, 0, Command::EditDrive { drive, title: Some("Home".to_owned()), notes: None, car: None });
    done(&mut sim, 0, publish(drive, Visibility::Private));
    assert_eq!(sim.replica(0).drives()[0].visibility, Visibility::Private);
    done(&mut sim, 0, publish(drive, Visibility::Public));
    settle(&mut sim);
    let copy = copies(&sim).remove(0);
    assert_eq!((copy.visibility, copy.title.as_str()), (Visibility::Public, "Home"));
    done(&mut sim, 0, Command::DeleteDrive { drive });
}

#[test]
fn a_drive_that_is_deleted_while_another_device_publishes_it_stays_hidden() {
    let (mut sim, drive) = after_a_drive(2);
    done(&mut sim, 1, Command::OpenDrive { drive });
    sim.set_network(false);
    done(&mut sim, 0, Command::DeleteDrive { drive });
    done(&mut sim, 1, publish(drive, Visibility::Public));
    sim.set_network(true);
    settle(&mut sim);
    assert!(copies(&sim).iter().all(|copy| copy.visibility == Visibility::Private));
}

#[test]
fn a_track_of_which_a_part_is_still_on_another_device_is_not_published() {
    let (mut sim, drive) = after_a_drive(2);
    // The relay has the end of the drive, and the last block of its track is missing.
    let documents = sim.relay().documents(&sim.account(0));
    let (track, _) = documents.iter().find(|(_, (kind, _))| *kind == DocKind::Track).unwrap();
    let track = *track;
    sim.kill(0);
    sim.forget_last_change(&track);
    // The crash is detected within a second.
    sim.run_for(2_000);
    assert!(sim.run_until(CONVERGENCE_MS, |sim| sim.is_settled(1).is_ok()));
    let stats = |sim: &Network| sim.replica(1).drives()[0].stats;
    let before = stats(&sim);
    // An opened drive shows what there is of its track, and keeps the full figures.
    done(&mut sim, 1, Command::OpenDrive { drive });
    done(&mut sim, 1, Command::EditDrive { drive, title: Some("Home".to_owned()), notes: None, car: None });
    sim.run_for(10_000);
    assert_eq!(stats(&sim), before);
    let outcome = sim.perform(1, publish(drive, Visibility::Public));
    assert_eq!(outcome, CommandOutcome::Refused { code: CommandError::TrackNotHere });
    // The first device brings the rest when it connects.
    sim.start(0).unwrap();
    settle(&mut sim);
    done(&mut sim, 1, publish(drive, Visibility::Public));
    settle(&mut sim);
    assert_eq!(copies(&sim).len(), 1);
}

#[test]
fn the_relay_folds_the_row_that_everybody_sees_from_the_shown_part_alone() {
    let (mut sim, drive) = after_a_drive(1);
    done(&mut sim, 0, publish(drive, Visibility::Public));
    settle(&mut sim);
    let documents = sim.relay().documents(&sim.account(0));
    let (_, chunks) = documents.into_values().find(|(kind, _)| *kind == DocKind::Published).unwrap();
    let doc = automerge_doc::load(&[0; 16], chunks).unwrap();
    let Some(DocumentRow::Published(row)) = projection::fold(DocKind::Published, &doc) else { panic!("it has a row") };
    let whole = sim.replica(0).drives()[0].stats.unwrap();
    assert!(row.stats.distance_m < whole.distance_m - 2.0 * ALWAYS_HIDDEN_M, "{:?} {whole:?}", row.stats);
    assert_eq!(row.started_at.as_millis() % 3_600_000, 0);
    assert!(!row.line.is_empty() && row.bbox[0] <= row.bbox[2]);
}

/// Both devices renew the link without a network. Both compute the same new copy, and no earlier link shows anything.
#[test]
fn b2_a_link_that_two_devices_renew_with_no_signal_is_one_new_link_and_the_old_one_shows_nothing() {
    let (mut sim, drive) = after_a_drive(2);
    done(&mut sim, 0, publish(drive, Visibility::Link));
    settle(&mut sim);
    // The other device needs the track to make a copy.
    done(&mut sim, 1, Command::OpenDrive { drive });
    settle(&mut sim);
    let link = |sim: &Network, phone: usize| sim.replica(phone).drives()[0].published.expect("it was published");
    let before = link(&sim, 0);
    sim.set_network(false);
    for phone in [0, 1] {
        done(&mut sim, phone, Command::RenewLink { drive });
    }
    let after = [link(&sim, 0), link(&sim, 1)];
    assert_eq!(after[0], after[1]);
    assert_ne!(after[0], before);
    sim.set_network(true);
    settle(&mut sim);
    let account = sim.account(0);
    let documents = sim.relay().documents(&account);
    for (id, visibility) in [(before, Visibility::Private), (after[0], Visibility::Link)] {
        assert!(id.is_bound_to(&account));
        let copy = published::read(&automerge_doc::load(&[0; 16], documents[&id].1.iter().copied()).unwrap()).unwrap();
        assert_eq!(copy.visibility, visibility, "{id}");
    }
    done(&mut sim, 1, Command::RenewLink { drive });
    settle(&mut sim);
    assert!(link(&sim, 0) == link(&sim, 1) && !after.contains(&link(&sim, 0)));
    assert_eq!(sim.replica(0).drives()[0].visibility, Visibility::Link);
}

/// Both devices renew a meet's link without a network, and one of them also changes the meet: no change is lost.
#[test]
fn b4_a_meet_s_link_that_two_devices_renew_with_no_signal_is_one_new_link_and_the_old_one_is_gone() {
    let mut sim = Network::new(22);
    sim.add_phone();
    settle(&mut sim);
    sim.add_device(0);
    let starts_at = sim.now(0).wall;
    let sunday =
        MeetFields { title: "Sunday".to_owned(), starts_at, visibility: Visibility::Link, ..Default::default() };
    let put = |meet, fields: &MeetFields| Command::PutMeet { meet, fields: fields.clone(), seen_at: None };
    let old = done(&mut sim, 0, put(None, &sunday)).unwrap();
    let organiser = AccountId::from_bytes([9; 16]);
    done(&mut sim, 0, Command::GrantOrganiser { meet: old, account: organiser, may: true });
    settle(&mut sim);
    sim.set_network(false);
    // A co-organiser moved it, and the first device has read this from the relay.
    let moved = MeetFields { place: "The upper car park".to_owned(), ..sunday.clone() };
    let renew = |meet, fields: &MeetFields| Command::RenewMeetLink { meet, fields: fields.clone(), seen_at: None };
    let link = done(&mut sim, 0, renew(old, &moved)).unwrap();
    assert_eq!(done(&mut sim, 1, renew(old, &sunday)), Some(link));
    // The app may still show the old link.
    assert_eq!(done(&mut sim, 1, put(Some(old), &MeetFields { capacity: Some(12), ..sunday })), Some(link));
    sim.set_network(true);
    settle(&mut sim);
    let account = sim.account(0);
    assert!(link != old && link.is_bound_to(&account));
    for phone in [0, 1] {
        let meets = sim.replica(phone).meets();
        assert_eq!((meets.len(), meets[0].id, &meets[0].organisers), (1, link, &vec![organiser]));
        assert_eq!(meets[0].fields, MeetFields { capacity: Some(12), ..moved.clone() });
    }
    let again = done(&mut sim, 1, renew(link, &moved)).unwrap();
    settle(&mut sim);
    assert!(again != link && sim.replica(0).meets()[0].id == again);
}
