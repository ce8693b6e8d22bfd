//! Recording: from the first fix to the finished drive, through pauses, kills and disks that refuse writes.

use tourismo_core::docs::{self, automerge_doc};
use tourismo_core::fix::Fix;
use tourismo_core::geodesy::{Position, distance_m};
use tourismo_core::id::DocId;
use tourismo_core::privacy::places::{PlaceKind, ZoneSize};
use tourismo_core::recorder::Recorder;
use tourismo_core::replica::io::{Command, CommandError, CommandOutcome, SensorFailure, Space, StorageFailure};
use tourismo_core::replica::views::{
    DriveView, RecordingState, RecordingView, RefusedView, Signal, StorageStatus, TrackView,
};
use tourismo_core::roads::RoadSteps;
use tourismo_core::time::Timestamp;
use tourismo_core::track::block::decode_all;
use tourismo_core::track::parts::{Gap, parts};
use tourismo_core::track::{MarkKind, Refusal, Stretch};
use tourismo_tests::phone::{Clock, Phone, Setup};
use tourismo_tests::replay;
use tourismo_tests::sim::Network;
use tourismo_tests::synthetic::{self, Device, Kind, Options};

/// A simulation with one phone on a motorway, without a network unless a test adds one.
fn on_the_road() -> Network {
    let mut sim = Network::new(7);
    let phone = sim.add_phone();
    sim.set_network(false);
    let options = Options { start: sim.now(phone).wall, minutes: 20, kind: Kind::Motorway };
    sim.drive_along(phone, synthetic::drive(1, options));
    sim.run_for(500);
    sim
}

fn start(sim: &mut Network) -> DocId {
    match sim.perform(0, Command::StartDrive { car: None }) {
        CommandOutcome::Done { doc: Some(drive) } => drive,
        other => panic!("{other:?}"),
    }
}

fn done(sim: &mut Network, command: Command) {
    let outcome = sim.perform(0, command);
    assert!(matches!(outcome, CommandOutcome::Done { .. }), "{outcome:?}");
}

fn recording(sim: &Network) -> RecordingView {
    sim.replica(0).recording_view(sim.now(0)).expect("something is being recorded")
}

fn only_drive(sim: &Network) -> DriveView {
    let drives = sim.replica(0).drives();
    assert_eq!(drives.len(), 1);
    drives[0].clone()
}

/// The only track on the phone's disk.
fn track(sim: &Network) -> Vec<Stretch> {
    let drive = only_drive(sim).id;
    let of = |doc: DocId| -> Vec<Vec<u8>> {
        let chunks = sim.phone(0).disk().changes();
        chunks.filter(|(id, _)| *id == doc).map(|(_, chunk)| chunk.to_vec()).collect()
    };
    let load =
        |doc| automerge_doc::load(&[1; 16], of(doc).iter().map(Vec::as_slice)).expect("what is stored can be read");
    let track = docs::drive::read(&load(drive)).track.expect("a drive has a track");
    let sessions = docs::track::sessions(&load(track));
    sessions.iter().flat_map(|blocks| decode_all(blocks.iter().map(Vec::as_slice)).stretches).collect()
}

fn marks(stretches: &[Stretch]) -> Vec<MarkKind> {
    let mut marks: Vec<_> = stretches.iter().flat_map(|stretch| stretch.marks.clone()).collect();
    marks.sort_by_key(|mark| mark.at);
    marks.iter().map(|mark| mark.kind).collect()
}

fn fixes(stretches: &[Stretch]) -> usize {
    stretches.iter().map(|stretch| stretch.fixes.len()).sum()
}

/// Kills the app, starts it again, and waits until the interrupted drive is read.
fn restart(sim: &mut Network) {
    sim.kill(0);
    sim.start(0).unwrap();
    sim.run_until(5_000, |sim| {
        let view = sim.replica(0).recording_view(sim.now(0));
        view.is_none_or(|view| view.state != RecordingState::Recovering)
    });
}

#[test]
fn a_drive_is_recorded_paused_resumed_and_finished() {
    let mut sim = on_the_road();
    let drive = start(&mut sim);
    assert_eq!(recording(&sim).signal, Signal::Waiting);
    sim.run_for(100_000);
    let view = recording(&sim);
    assert_eq!((view.state, view.drive), (RecordingState::Active, drive));
    assert!(matches!(view.signal, Signal::Good { .. }) && view.stats.distance_m > 2_000.0, "{view:?}");
    done(&mut sim, Command::PauseDrive);
    let paused = recording(&sim).stats;
    sim.run_for(60_000);
    assert_eq!((recording(&sim).state, recording(&sim).stats), (RecordingState::Paused, paused));
    done(&mut sim, Command::ResumeDrive);
    sim.run_for(20_000);
    done(&mut sim, Command::FinishDrive);
    assert_eq!(sim.replica(0).recording_view(sim.now(0)), None);
    let view = only_drive(&sim);
    let stretches = track(&sim);
    assert_eq!(marks(&stretches), [MarkKind::Paused, MarkKind::Resumed]);
    let gaps: Vec<_> = parts(&stretches).iter().filter_map(|part| part.after).collect();
    assert_eq!(gaps, [Gap::Paused]);
    let stats = view.stats.expect("a finished drive has figures");
    assert_eq!(stats, Recorder::resume(view.started_at, &stretches).stats());
    assert_eq!((stats.fixes as usize, stats.gaps), (fixes(&stretches), 1));
    assert!(view.ended_at.unwrap().millis_since(view.started_at) > 180_000);
    assert_eq!(sim.phone(0).disk().count(Space::Journal), 0);
}

/// A simulation with one phone that has driven over a pass.
fn over_a_pass() -> Network {
    let mut sim = Network::new(7);
    let phone = sim.add_phone();
    sim.set_network(false);
    let options = Options { start: sim.now(phone).wall, minutes: 10, kind: Kind::Mountain };
    sim.drive_along(phone, synthetic::drive(1, options));
    start(&mut sim);
    sim.run_for(600_000);
    sim
}

#[test]
fn a_finished_drive_says_in_the_list_how_good_its_road_is() {
    let mut sim = over_a_pass();
    assert_eq!(only_drive(&sim).road, None, "nobody knows yet what is to come");
    done(&mut sim, Command::FinishDrive);
    let road = only_drive(&sim).road.expect("a finished drive has a road");
    let parts = parts(&track(&sim));
    assert_eq!(road, RoadSteps::of(parts.iter().flat_map(|part| &part.fixes)).view());
    assert!(road.score.expect("it was measured").score > 70 && !road.stretches.is_empty(), "{road:?}");
    let [west, south, east, north] = only_drive(&sim).bounds.expect("it was somewhere");
    let within = |fix: &Fix| (west..=east).contains(&fix.lon_deg) && (south..=north).contains(&fix.lat_deg);
    assert!(parts.iter().flat_map(|part| &part.fixes).all(within));
    // From the summary row: no document is in memory when the app starts.
    sim.kill(0);
    sim.start(0).unwrap();
    assert_eq!(only_drive(&sim).road, Some(road));
}

#[test]
fn an_app_that_dies_after_every_start_beside_a_failing_disk_keeps_what_it_recorded() {
    let mut sim = over_a_pass();
    let notes = |sim: &Network| sim.phone(0).disk().count(Space::Meta);
    let noted = notes(&sim);
    for _ in 0..5 {
        sim.kill(0);
        sim.start(0).unwrap();
        // Each note for a document that is being read is written to the disk, and not deleted.
        sim.run_until(200, |sim| notes(sim) > noted);
        sim.faults.store_fails = (StorageFailure::Aborted, 1);
        sim.run_for(500);
        sim.faults.store_fails = (StorageFailure::Aborted, 0);
    }
    restart(&mut sim);
    done(&mut sim, Command::FinishDrive);
    let drive = only_drive(&sim);
    assert!(drive.stats.is_some_and(|stats| stats.fixes > 500) && drive.road.is_some(), "{drive:?}");
    restart(&mut sim);
    done(&mut sim, Command::OpenDrive { drive: drive.id });
    assert!(matches!(sim.replica(0).track(), Some(TrackView::Ready { .. })));
}

#[test]
fn an_opened_drive_shows_where_its_best_stretches_lie() {
    let mut sim = over_a_pass();
    done(&mut sim, Command::FinishDrive);
    let drive = only_drive(&sim).id;
    done(&mut sim, Command::OpenDrive { drive });
    let Some(TrackView::Ready { line, road, stretches, .. }) = sim.replica(0).track().cloned() else {
        panic!("the track is here")
    };
    assert_eq!(Some(&road), only_drive(&sim).road.as_ref());
    assert_eq!(stretches.len(), road.stretches.len());
    for (shown, stretch) in stretches.iter().zip(&road.stretches) {
        let points: Vec<_> = shown.parts.iter().flatten().collect();
        let m = |[lon_deg, lat_deg]: [f64; 2]| Position { lat_deg, lon_deg };
        let (from, to) = (points[0], points[points.len() - 1]);
        assert!(distance_m(m(*from), m(stretch.from)) < 40.0 && distance_m(m(*to), m(stretch.to)) < 40.0);
        assert!(points.len() < line.parts.iter().flatten().count());
    }
}

#[test]
fn a_fix_is_on_disk_within_a_second() {
    let mut sim = on_the_road();
    start(&mut sim);
    for _ in 0..30 {
        sim.run_for(1_000);
        assert!(recording(&sim).unsaved <= 1, "{:?}", recording(&sim));
    }
}

#[test]
fn a_killed_drive_is_offered_and_goes_on_with_a_gap() {
    let mut sim = on_the_road();
    let drive = start(&mut sim);
    sim.run_for(90_000);
    let before = recording(&sim);
    restart(&mut sim);
    let offered = recording(&sim);
    assert_eq!((offered.state, offered.drive), (RecordingState::Unfinished, drive));
    assert!(before.stats.fixes - offered.stats.fixes <= 1, "{before:?} {offered:?}");
    sim.run_for(30_000);
    assert_eq!(recording(&sim).stats, offered.stats, "nothing is recorded before somebody says so");
    done(&mut sim, Command::ResumeDrive);
    sim.run_for(30_000);
    done(&mut sim, Command::FinishDrive);
    let stretches = track(&sim);
    assert_eq!(marks(&stretches), [MarkKind::Restarted]);
    assert_eq!(parts(&stretches)[1].after, Some(Gap::Restarted));
    let view = only_drive(&sim);
    assert_eq!(view.stats, Some(Recorder::resume(view.started_at, &stretches).stats()));
}

#[test]
fn a_killed_drive_that_is_finished_ended_with_its_last_fix() {
    let mut sim = on_the_road();
    start(&mut sim);
    sim.run_for(30_000);
    sim.kill(0);
    sim.run_for(3_600_000);
    restart(&mut sim);
    done(&mut sim, Command::FinishDrive);
    let view = only_drive(&sim);
    assert!(view.ended_at.unwrap().millis_since(view.started_at) <= 30_000, "{view:?}");
}

#[test]
fn a_killed_app_loses_nothing_when_it_is_killed_again_while_it_recovers() {
    let mut sim = on_the_road();
    start(&mut sim);
    sim.run_for(90_000);
    let before = recording(&sim).stats.fixes;
    for _ in 0..5 {
        sim.kill(0);
        sim.start(0).unwrap();
        sim.run_for(5);
    }
    restart(&mut sim);
    assert!(before - recording(&sim).stats.fixes <= 1);
}

/// The number of fixes that a phone with a long interval has received at each encoding of a block.
async fn packed_after(interval_s: u32) -> anyhow::Result<Vec<usize>> {
    let start = Timestamp(1_717_232_400_000);
    let drive =
        synthetic::drive_with(Device::Logger { interval_s }, 1, Options { start, minutes: 35, kind: Kind::Motorway });
    let setup =
        Setup { clock: Clock::standing_at(start), online: false, ..Setup::in_memory("ws://127.0.0.1:1/v1/sync") };
    let mut phone = Phone::open(setup)?;
    replay::order(&mut phone, "start", Command::StartDrive { car: None }).await?;
    let mut changes = phone.status().unsent_changes;
    let mut packed = Vec::new();
    for (fix, taken) in drive.iter().zip(1..) {
        phone.travel(fix.recorded_at);
        phone.feed(*fix);
        if phone.status().unsent_changes > changes {
            changes = phone.status().unsent_changes;
            packed.push(taken);
        }
    }
    Ok(packed)
}

#[tokio::test]
async fn where_fixes_are_sparse_a_block_has_some_of_them_or_ten_minutes() -> anyhow::Result<()> {
    let often = packed_after(5).await?;
    assert!(often.len() >= 10 && often.windows(2).all(|pair| (28..=32).contains(&(pair[1] - pair[0]))), "{often:?}");
    let seldom = packed_after(60).await?;
    assert!(seldom.len() >= 2 && seldom.windows(2).all(|pair| (9..=12).contains(&(pair[1] - pair[0]))), "{seldom:?}");
    Ok(())
}

#[test]
fn a_hidden_page_has_everything_in_a_block() {
    let mut sim = on_the_road();
    start(&mut sim);
    sim.run_for(20_000);
    assert!(sim.phone(0).disk().count(Space::Journal) > 15);
    sim.show(0, false);
    sim.run_for(1_000);
    assert_eq!(sim.phone(0).disk().count(Space::Journal), 0);
    assert_eq!(fixes(&track(&sim)), recording(&sim).stats.fixes as usize);
    sim.run_for(20_000);
    sim.show(0, true);
    sim.run_for(5_000);
    done(&mut sim, Command::FinishDrive);
    assert_eq!(marks(&track(&sim)), [MarkKind::Hidden, MarkKind::Shown]);
    assert_eq!(parts(&track(&sim))[1].after, Some(Gap::Hidden));
}

#[test]
fn a_disk_that_refuses_is_shown_and_tried_again_and_nothing_is_lost() {
    for failure in [StorageFailure::QuotaExceeded, StorageFailure::Aborted, StorageFailure::Unavailable] {
        let mut sim = on_the_road();
        start(&mut sim);
        sim.run_for(10_000);
        sim.faults.store_fails = (failure, 1);
        sim.run_for(70_000);
        assert_eq!(sim.replica(0).status().storage, StorageStatus::Failing { failure });
        assert!(recording(&sim).unsaved >= 69);
        let finish = sim.perform(0, Command::FinishDrive);
        assert_eq!(finish, CommandOutcome::NotStored { failure });
        sim.faults.store_fails = (failure, 0);
        sim.run_for(11_000);
        assert_eq!(sim.replica(0).status().storage, StorageStatus::Saved);
        restart(&mut sim);
        assert_eq!(only_drive(&sim).stats.unwrap().fixes as usize, fixes(&track(&sim)));
        assert!(fixes(&track(&sim)) > 75);
    }
}

#[test]
fn a_drive_is_opened_while_the_disk_refuses() {
    let mut sim = on_the_road();
    let drive = start(&mut sim);
    sim.run_for(90_000);
    done(&mut sim, Command::FinishDrive);
    sim.faults.store_fails = (StorageFailure::QuotaExceeded, 1);
    let start = sim.perform(0, Command::StartDrive { car: None });
    assert_eq!(start, CommandOutcome::NotStored { failure: StorageFailure::QuotaExceeded });
    done(&mut sim, Command::OpenDrive { drive });
    done(&mut sim, Command::CloseDrive);
}

/// A fix with this accuracy, two kilometres aside if `aside`.
fn fix(sim: &Network, seconds: u32, aside: bool, accuracy_m: f64) -> Fix {
    let wall = sim.now(0).wall;
    let lat_deg = 10.0 + f64::from(seconds) * 1e-4 + if aside { 0.02 } else { 0.0 };
    Fix {
        fixed_at: wall,
        recorded_at: wall,
        lat_deg,
        lon_deg: 5.0,
        accuracy_m: Some(accuracy_m),
        altitude_m: None,
        altitude_accuracy_m: None,
        heading_deg: None,
        speed_mps: None,
    }
}

#[test]
fn a_fix_that_is_held_back_survives_a_block_and_a_kill_with_a_refused_one_behind_it() {
    let mut sim = on_the_road();
    sim.drive_along(0, Vec::new());
    start(&mut sim);
    for second in 0..60 {
        sim.run_for(1_000);
        // The 59th fix jumps, so that the recorder waits for the next; that one is too inaccurate to decide.
        let measured = fix(&sim, second, second == 58, if second == 59 { 900.0 } else { 5.0 });
        sim.measure(0, measured);
    }
    sim.run_for(2_000);
    assert_eq!(sim.phone(0).disk().count(Space::Journal), 1, "the block is stored; the held fix stays behind");
    restart(&mut sim);
    done(&mut sim, Command::FinishDrive);
    let stretches = track(&sim);
    let refused: Vec<_> =
        stretches.iter().flat_map(|stretch| &stretch.refused).map(|refused| refused.refusal).collect();
    assert_eq!((fixes(&stretches), refused), (59, vec![Refusal::TooInaccurate]));
}

#[test]
fn what_is_no_position_is_counted_in_the_block_and_after_a_kill() {
    let mut sim = on_the_road();
    sim.drive_along(0, Vec::new());
    start(&mut sim);
    for second in 0..90 {
        sim.run_for(1_000);
        let mut measured = fix(&sim, second, false, 5.0);
        if second % 10 == 0 {
            measured.lat_deg = f64::NAN;
        }
        sim.measure(0, measured);
    }
    sim.run_for(500);
    assert_eq!(recording(&sim).stats.refused, 9);
    restart(&mut sim);
    assert_eq!((recording(&sim).stats.refused, recording(&sim).stats.fixes), (9, 81));
    done(&mut sim, Command::FinishDrive);
    assert_eq!(track(&sim).iter().map(|stretch| stretch.invalid_count).sum::<u32>(), 9);
}

#[test]
fn the_signal_is_good_lost_inaccurate_or_failed() {
    let mut sim = on_the_road();
    sim.drive_along(0, Vec::new());
    start(&mut sim);
    let measured = fix(&sim, 0, false, 5.0);
    sim.measure(0, measured);
    assert_eq!(recording(&sim).signal, Signal::Good { accuracy_m: Some(5.0) });
    sim.run_for(5_001);
    assert_eq!(recording(&sim).signal, Signal::Lost);
    let measured = fix(&sim, 1, false, 3_000.0);
    sim.measure(0, measured);
    assert_eq!(recording(&sim).signal, Signal::Inaccurate { accuracy_m: 3_000.0 });
    sim.sensor_fails(0, SensorFailure::Denied);
    assert_eq!(recording(&sim).signal, Signal::Failed { reason: SensorFailure::Denied });
}

#[test]
fn every_start_of_the_app_writes_as_another_actor() {
    let mut sim = on_the_road();
    for _ in 0..3 {
        start(&mut sim);
        sim.run_for(2_000);
        done(&mut sim, Command::FinishDrive);
        restart(&mut sim);
    }
    let chunks = sim.phone(0).disk().changes();
    let actors: Vec<_> =
        chunks.map(|(doc, chunk)| (doc, tourismo_core::admission::scan_candidate(chunk).unwrap().actor)).collect();
    let device = sim.phone(0).device();
    assert!(actors.iter().all(|(_, actor)| actor.is_of(&device)));
    for (doc, actor) in &actors {
        assert!(actors.iter().all(|(other, same)| same != actor || other == doc), "an actor writes to one document");
    }
}

/// The refused positions of the opened drive.
fn refused(sim: &Network) -> Vec<RefusedView> {
    match sim.replica(0).track() {
        Some(TrackView::Ready { refused, .. }) => refused.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_recording_says_at_once_that_and_why_nothing_is_recorded() {
    let mut sim = on_the_road();
    sim.drive_along(0, Vec::new());
    start(&mut sim);
    let measured = fix(&sim, 0, false, 3_000.0);
    sim.measure(0, measured);
    assert_eq!(recording(&sim).not_recording, Some(Refusal::TooInaccurate));
    sim.run_for(1_000);
    let measured = fix(&sim, 1, false, 5.0);
    sim.measure(0, measured);
    assert_eq!(recording(&sim).not_recording, None);
    for second in 2..4 {
        sim.run_for(1_000);
        let measured = fix(&sim, second, false, 900.0);
        sim.measure(0, measured);
        let expected = (second == 3).then_some(Refusal::TooInaccurate);
        assert_eq!(recording(&sim).not_recording, expected, "one is nothing to worry about");
    }
}

#[test]
fn a_recording_says_also_of_positions_that_wait_for_later_ones_that_nothing_is_recorded() {
    let mut sim = on_the_road();
    sim.drive_along(0, Vec::new());
    start(&mut sim);
    // From the third fix on the place is elsewhere, with an impossible speed; later fixes decide whether it is
    // accepted.
    for (second, place, expected) in [(0, 0, None), (1, 1, None), (2, 102, None), (3, 122, Some(Refusal::Outlier))] {
        sim.run_for(1_000);
        let measured = fix(&sim, place, false, 5.0);
        sim.measure(0, measured);
        let view = recording(&sim);
        assert_eq!((view.not_recording, view.stats.refused), (expected, 0), "second {second}");
    }
}

#[test]
fn the_speed_of_a_while_ago_is_none_also_while_refused_positions_come() {
    let mut sim = on_the_road();
    start(&mut sim);
    sim.run_for(20_000);
    assert!(recording(&sim).speed_mps.is_some());
    sim.drive_along(0, Vec::new());
    for second in 20..27 {
        sim.run_for(1_000);
        let measured = fix(&sim, second, false, 900.0);
        sim.measure(0, measured);
    }
    assert_eq!(recording(&sim).speed_mps, None);
}

#[test]
fn refused_positions_are_listed_taken_back_and_refused_again() {
    let mut sim = on_the_road();
    sim.drive_along(0, Vec::new());
    let drive = start(&mut sim);
    for second in 0..90 {
        sim.run_for(1_000);
        let measured = fix(&sim, second, false, if second % 3 == 1 { 90.0 } else { 5.0 });
        sim.measure(0, measured);
    }
    // During the recording: the last minute is encoded first.
    done(&mut sim, Command::OpenDrive { drive });
    assert_eq!(recording(&sim).stats.refused, 30);
    let ids: Vec<String> = refused(&sim).iter().map(|refused| refused.id.clone()).collect();
    done(&mut sim, Command::TakeBackRefused { drive, fixes: ids[..2].to_vec(), holds: true });
    assert_eq!((recording(&sim).stats.refused, recording(&sim).stats.fixes), (28, 62));
    done(&mut sim, Command::FinishDrive);
    restart(&mut sim);
    assert_eq!(only_drive(&sim).stats.map(|stats| (stats.refused, stats.fixes)), Some((28, 62)));
    done(&mut sim, Command::OpenDrive { drive });
    let listed = refused(&sim);
    assert!(listed.iter().all(|refused| refused.reason == Refusal::TooInaccurate && refused.accuracy_m == Some(90.0)));
    assert_eq!((listed.len(), listed.iter().filter(|refused| refused.is_taken_back).count()), (30, 2));
    let all: Vec<String> = listed.into_iter().map(|refused| refused.id).collect();
    done(&mut sim, Command::TakeBackRefused { drive, fixes: all.clone(), holds: true });
    assert_eq!(only_drive(&sim).stats.map(|stats| (stats.refused, stats.fixes)), Some((0, 90)));
    assert!(refused(&sim).iter().all(|refused| refused.is_taken_back), "what is shown follows");
    done(&mut sim, Command::TakeBackRefused { drive, fixes: all[1..].to_vec(), holds: false });
    restart(&mut sim);
    assert_eq!(only_drive(&sim).stats.map(|stats| (stats.refused, stats.fixes)), Some((29, 61)));
}

#[test]
fn a_drive_goes_on_when_the_phones_clock_is_set() {
    for by_ms in [-3_600_000, 90_000, 86_400_000] {
        let mut sim = on_the_road();
        start(&mut sim);
        sim.run_for(60_000);
        sim.set_clock(0, by_ms);
        sim.run_for(60_000);
        done(&mut sim, Command::FinishDrive);
        let drive = only_drive(&sim);
        let stats = drive.stats.unwrap();
        assert!(stats.refused <= 1 && stats.gaps == 0, "{by_ms}: {stats:?}");
        assert!((117_000..121_000).contains(&stats.duration_ms), "{by_ms}: {stats:?}");
        assert!((119_000..123_000).contains(&drive.ended_at.unwrap().millis_since(drive.started_at)), "{by_ms}");
    }
}

#[test]
fn places_are_found_at_the_ends_of_a_drive_and_the_owner_sees_what_they_hide_until_they_are_open() {
    let mut sim = over_a_pass();
    assert_eq!(sim.replica(0).account().places, []);
    done(&mut sim, Command::FinishDrive);
    let drive = only_drive(&sim).id;
    let places = sim.replica(0).account().places;
    assert!(places.len() >= 2 && places.iter().all(|place| place.is_found && place.zone.is_some()), "{places:?}");
    done(&mut sim, Command::OpenDrive { drive });
    let seen = |sim: &Network| match sim.replica(0).track() {
        Some(TrackView::Ready { hidden, shown_m, .. }) => (hidden.parts.len(), *shown_m),
        other => panic!("{other:?}"),
    };
    let (hidden, shown_m) = seen(&sim);
    let all_m = only_drive(&sim).stats.map(|stats| stats.distance_m);
    assert!(hidden >= 1 && shown_m < all_m, "{shown_m:?}");
    for place in &places {
        let size = ZoneSize::None;
        let home = Command::ChangePlace { place: place.id, kind: PlaceKind::Home, size };
        assert!(matches!(sim.perform(0, home), CommandOutcome::Invalid { field: "size", .. }));
        done(&mut sim, Command::ChangePlace { place: place.id, kind: PlaceKind::Open, size });
    }
    assert_eq!(seen(&sim), (0, all_m), "what is shown follows the places");
    let unknown = Command::ChangePlace { place: drive, kind: PlaceKind::Home, size: ZoneSize::Large };
    assert_eq!(sim.perform(0, unknown), CommandOutcome::Refused { code: CommandError::NotFound });
    let nowhere = Command::AddPlace { position: [0.0, 91.0], kind: PlaceKind::Home, size: ZoneSize::Standard };
    assert!(matches!(sim.perform(0, nowhere), CommandOutcome::Invalid { field: "position", .. }));
}

#[test]
fn a_drive_goes_on_when_the_clock_of_the_sensor_is_set_also_after_a_kill() {
    for by_ms in [-978_307_200_000, -7_200_000, 90_000] {
        let mut sim = on_the_road();
        start(&mut sim);
        sim.run_for(30_000);
        sim.set_sensor_clock(0, by_ms);
        sim.run_for(30_000);
        let before = recording(&sim).stats;
        assert!(before.refused <= 1 && before.gaps == 0 && before.fixes >= 58, "{by_ms}: {before:?}");
        restart(&mut sim);
        // The journal contains corrected times: no clock is read again.
        let after = recording(&sim).stats;
        assert!(before.fixes - after.fixes <= 1 && after.refused == before.refused, "{by_ms}: {after:?}");
        done(&mut sim, Command::ResumeDrive);
        sim.run_for(30_000);
        assert!(recording(&sim).stats.fixes >= after.fixes + 28, "{by_ms}: {:?}", recording(&sim).stats);
        assert_eq!(recording(&sim).not_recording, None);
    }
}
