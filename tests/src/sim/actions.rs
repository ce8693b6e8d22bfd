//! The random actions of users and faults in a scenario.

use std::collections::BTreeMap;

use tourismo_core::docs::social::Relation;
use tourismo_core::docs::{Answer, CarFields, MeetFields, ProfileFields, Reaction, SettingsFields, Units, Visibility};
use tourismo_core::id::{AccountId, DocId};
use tourismo_core::privacy::places::{PlaceKind, ZoneSize};
use tourismo_core::replica::Replica;
use tourismo_core::replica::io::{Command, Input, SensorFailure};
use tourismo_core::replica::views::{DriveView, RecordingState};
use tourismo_core::time::Timestamp;

use crate::sim::network::HOME;
use crate::sim::{Disk, FaultProfile, Network, SimRng};
use crate::synthetic::{self, Kind};

/// A running scenario.
pub(super) struct ScenarioRun<'a> {
    sim: &'a mut Network,
    has_backups: bool,
    has_rollbacks: bool,
    is_unruly: bool,
    is_put_back: bool,
    snapshots: BTreeMap<usize, Disk>,
    titles: u32,
}

#[derive(Clone, Copy)]
enum Action {
    Person,
    Kill,
    HandOver,
    ChangeFaults,
    Cut,
    Network,
    CrashRelay,
    StopRelay,
    FillRelay,
    BackUpRelay,
    RestoreRelay,
    Compact,
    OtherLife,
    Squat,
    TakeNumber,
    KeepImage,
    PutBack,
    Quota,
    Evict,
    Snapshot,
    RestorePhone,
    CopyPhone,
    MovePhone,
    Clock,
    Sleep,
    Misdeliver,
    Wait,
}

impl ScenarioRun<'_> {
    pub(super) fn begin(sim: &mut Network, is_unruly: bool, is_put_back: bool) -> ScenarioRun<'_> {
        let kind = sim.rng.pick(&[Kind::Mountain, Kind::Town, Kind::Motorway, Kind::Motorway]);
        let devices = sim.rng.weighted(&[(3, 1), (4, 2), (2, 3)]);
        let route_seed = sim.rng.between(0, 3);
        let has_backups = sim.rng.one_in(3);
        let has_rollbacks = sim.rng.one_in(4);
        let is_odd = sim.rng.one_in(2);
        if sim.rng.one_in(4) {
            sim.add_relay();
        }
        sim.add_phone();
        if devices > 1 {
            sim.run_until(20_000, |sim| sim.is_settled(0).is_ok());
            if has_backups {
                sim.back_up(HOME);
            }
        }
        for _ in 1..devices {
            sim.add_device(0);
        }
        if sim.rng.one_in(3) {
            sim.add_phone();
        }
        sim.begin_theft(has_backups);
        for phone in 0..sim.phones.len() {
            let start = sim.now(phone).wall;
            let route = synthetic::drive(route_seed + phone as u64, synthetic::Options { start, minutes: 12, kind });
            sim.drive_along(phone, route);
            sim.phones[phone].sensor.is_odd = is_odd;
            sim.phones[phone].clock_ms += sim.rng.pick(&[0, 0, -90_000, 40_000]);
        }
        if is_unruly {
            for phone in 0..sim.phones.len() {
                sim.phones[phone].fast_ppm = sim.rng.pick(&[0, -200, 200, 30_000, -30_000]);
            }
        }
        sim.begin_clock_faults();
        if sim.rng.one_in(2) {
            // A drive that is long enough to be published.
            sim.command(0, Command::StartDrive { car: None });
            sim.advance(300_000);
            sim.command(0, Command::FinishDrive);
            sim.advance(3_000);
        }
        ScenarioRun { sim, has_backups, has_rollbacks, is_unruly, is_put_back, snapshots: BTreeMap::new(), titles: 0 }
    }

    pub(super) fn run(&mut self, steps: u32) {
        for _ in 0..steps {
            if self.sim.broken.is_some() {
                return;
            }
            self.act_once();
            self.sim.clock_action();
            self.sim.theft_action();
            let ms = self.sim.rng.weighted(&[(3, 50), (4, 1_000), (5, 7_000), (1, 45_000)]);
            let ms = self.sim.rng.between(1, ms);
            self.sim.advance(ms);
        }
    }

    fn act_once(&mut self) {
        let backups = u64::from(self.has_backups);
        let rollbacks = u64::from(self.has_rollbacks);
        let unruly = u64::from(self.is_unruly);
        let put_backs = u64::from(self.is_put_back);
        let moves = self.sim.relays.len() as u64 - 1;
        let act = self.sim.rng.weighted(&[
            (50, Action::Person),
            (6, Action::Kill),
            (3, Action::HandOver),
            (8, Action::ChangeFaults),
            (6, Action::Cut),
            (5, Action::Network),
            (3, Action::CrashRelay),
            (1, Action::StopRelay),
            (1, Action::FillRelay),
            (2 * backups, Action::BackUpRelay),
            (3 * backups, Action::RestoreRelay),
            (4, Action::Compact),
            (backups, Action::OtherLife),
            (1, Action::Squat),
            (1, Action::TakeNumber),
            (backups + 4 * put_backs, Action::KeepImage),
            (2 * backups + 4 * put_backs, Action::PutBack),
            (1, Action::Quota),
            (rollbacks, Action::Evict),
            (3 * rollbacks, Action::Snapshot),
            (2 * rollbacks, Action::RestorePhone),
            (rollbacks, Action::CopyPhone),
            (3 * moves, Action::MovePhone),
            (1, Action::Clock),
            (6 * unruly, Action::Sleep),
            (3 * unruly, Action::Misdeliver),
            (10, Action::Wait),
        ]);
        let sim = &mut *self.sim;
        let phone = sim.rng.between(0, sim.phones.len() as u64 - 1) as usize;
        let relay = sim.rng.between(0, moves) as usize;
        match act {
            Action::Person | Action::Sleep | Action::HandOver if sim.phones[phone].nap(sim.now_ms).is_some() => {}
            Action::Person => self.user_action(phone),
            Action::Kill => {
                sim.kill(phone);
                sim.start_later(phone);
            }
            Action::HandOver => {
                if sim.phones[phone].replica.is_some() {
                    sim.hand_over(phone);
                }
            }
            Action::ChangeFaults => {
                sim.faults = FaultProfile::random(&mut sim.rng);
                sim.trace.note(sim.now_ms, format_args!("{:?}", sim.faults));
            }
            Action::Cut => self.cut(),
            Action::Network => {
                let has_network = sim.rng.one_in(2);
                sim.set_network(has_network);
            }
            Action::CrashRelay => {
                if sim.relays[relay].is_up {
                    let down_ms = sim.rng.between(100, 30_000);
                    sim.crash(relay, down_ms);
                }
            }
            Action::StopRelay => sim.stop_sessions(relay),
            Action::FillRelay => {
                sim.reference.was_full = true;
                sim.relays[relay].is_full = !sim.relays[relay].is_full;
            }
            Action::BackUpRelay => sim.back_up(relay),
            Action::RestoreRelay => {
                if sim.relays[relay].is_up {
                    match sim.rng.pick(&[None, None, Some(0), Some(30), Some(80), Some(95), Some(100)]) {
                        Some(keeps_percent) => sim.restore_part(relay, keeps_percent),
                        None => sim.restore(relay),
                    }
                }
            }
            Action::Compact => {
                let gone_quarters = sim.rng.between(0, 4);
                sim.compact(relay, gone_quarters);
            }
            Action::OtherLife => {
                if sim.relays[relay].is_up {
                    sim.return_to_other_epoch(relay);
                }
            }
            Action::Squat => {
                if sim.relays[relay].is_up {
                    sim.squat(relay);
                }
            }
            Action::TakeNumber => {
                if sim.relays[relay].is_up && !sim.relays[relay].is_full {
                    sim.take_number(relay);
                }
            }
            Action::KeepImage => sim.keep_image(relay),
            Action::PutBack => {
                if sim.relays[relay].is_up {
                    sim.put_back(relay);
                }
            }
            Action::Quota => {
                let room = sim.rng.pick(&[None, None, Some(0), Some(2_000)]);
                let state = &mut sim.phones[phone];
                state.quota_bytes = room.map(|room| state.disk.bytes() + room);
            }
            Action::Evict => {
                sim.evict(phone);
                sim.start_later(phone);
            }
            Action::Snapshot => {
                self.snapshots.insert(phone, sim.snapshot(phone));
            }
            Action::RestorePhone => {
                if let Some(disk) = self.snapshots.get(&phone) {
                    sim.restore_phone(phone, disk.clone());
                    sim.start_later(phone);
                }
            }
            Action::CopyPhone => {
                if let Some(disk) = self.snapshots.get(&phone).filter(|_| sim.phones.len() < 5) {
                    let copy = sim.copy_phone(phone, disk.clone());
                    let sensor = sim.phones[phone].sensor.clone();
                    sim.phones[copy].sensor = sensor;
                }
            }
            Action::MovePhone => {
                if sim.phones[phone].relay != relay {
                    sim.move_phone(phone, relay);
                    sim.start_later(phone);
                }
            }
            Action::Clock => {
                let by_ms = sim.rng.pick(&[-3_600_000, -2_000, 2_000, 3_600_000, 86_400_000]);
                if sim.rng.one_in(3) {
                    sim.relays[relay].clock_ms += by_ms;
                } else {
                    sim.set_phone_clock(phone, by_ms);
                }
            }
            Action::Sleep => {
                let ms = sim.rng.pick(&[800, 20_000, 70_000, 1_200_000]);
                let stops_clock = sim.rng.one_in(2);
                sim.sleep(phone, ms, stops_clock);
            }
            Action::Misdeliver => sim.faults.misdelivers = sim.rng.pick(&[0, 60, 8]),
            Action::Wait => {}
        }
    }

    fn cut(&mut self) {
        let sim = &mut *self.sim;
        let conns = sim.connections.whole();
        if conns.is_empty() {
            return;
        }
        let conn = sim.rng.pick(&conns);
        match sim.rng.between(0, 5) {
            0 => sim.silence(conn, true, true),
            1 => sim.silence(conn, true, false),
            2 => sim.silence(conn, false, true),
            _ => {
                let within_ms = sim.rng.pick(&[100, 5_000, 60_000]);
                sim.cut(conn, within_ms);
            }
        }
    }

    /// A random action of a user with a phone.
    fn user_action(&mut self, phone: usize) {
        let sim = &mut *self.sim;
        let now = sim.now(phone);
        let Some(replica) = &sim.phones[phone].replica else { return };
        let recording = replica.recording_view(now).map(|view| view.state);
        let drives: Vec<DocId> = replica.drives().iter().map(|drive| drive.id).collect();
        let unfinished: Vec<DocId> =
            replica.drives().iter().filter(|drive| drive.ended_at.is_none()).map(|drive| drive.id).collect();
        let finished = replica.drives().into_iter().filter(|drive| drive.ended_at.is_some());
        let way_m = |drive: &DriveView| drive.stats.map_or(0, |stats| stats.distance_m as u64);
        let longest = finished.max_by_key(way_m).map(|drive| drive.id);
        let cars: Vec<DocId> = replica.cars().iter().map(|car| car.id).collect();
        let rng = &mut sim.rng;
        let any = |rng: &mut SimRng, docs: &[DocId]| (!docs.is_empty()).then(|| rng.pick(docs));
        let (mut drive, car, unfinished) = (any(rng, &drives), any(rng, &cars), any(rng, &unfinished));
        if rng.one_in(2) {
            // Users return to their longest drive on all their devices.
            drive = longest.or(drive);
        }
        let visibility = rng.pick(&[Visibility::Private, Visibility::Link, Visibility::Public, Visibility::Public]);
        self.titles += 1;
        let title = format!("Drive {}", self.titles);
        let command = match (rng.between(0, 19), recording, drive) {
            (0..=1, None, _) if unfinished.is_some() => {
                Command::TakeOverDrive { drive: unfinished.expect("it was looked at a moment ago") }
            }
            (0..=6, None, _) => Command::StartDrive { car },
            (0..=2, Some(RecordingState::Active), _) => Command::PauseDrive,
            (0..=4, Some(RecordingState::Paused | RecordingState::Unfinished), _) => Command::ResumeDrive,
            (3..=4, Some(_), _) => Command::FinishDrive,
            (5..=6, Some(RecordingState::Active), _) if sim.phones[phone].is_shown == rng.one_in(3) => {
                let is_shown = !sim.phones[phone].is_shown;
                return sim.show(phone, is_shown);
            }
            (7, _, _) => return sim.deliver(phone, Input::SensorFailed { reason: SensorFailure::TimedOut }),
            (8, _, _) if !self.titles.is_multiple_of(4) => social(replica, self.titles, now.wall),
            (8, _, _) => {
                let fields = ProfileFields { display_name: title, ..ProfileFields::default() };
                Command::PutProfile { fields }
            }
            (9, _, _) if self.titles.is_multiple_of(3) => places(replica, self.titles),
            (9, _, _) => {
                let units = rng.pick(&[Units::Metric, Units::Imperial]);
                Command::PutSettings { fields: SettingsFields { units, default_visibility: visibility } }
            }
            (10..=11, _, _) => {
                let car = car.filter(|_| self.titles.is_multiple_of(2));
                Command::PutCar { car, fields: CarFields { nickname: title, ..CarFields::default() } }
            }
            (12..=14, _, Some(drive)) => Command::EditDrive { drive, title: Some(title), notes: None, car: Some(car) },
            (15, _, Some(drive)) => Command::EditDrive { drive, title: None, notes: Some(title), car: None },
            (16..=17, _, Some(drive)) => Command::PublishDrive { drive: longest.unwrap_or(drive), visibility },
            (18, _, Some(drive)) if self.titles.is_multiple_of(2) => {
                Command::RenewLink { drive: longest.unwrap_or(drive) }
            }
            (18, _, Some(drive)) => Command::OpenDrive { drive },
            (19, _, Some(drive)) if rng.one_in(3) => Command::DeleteDrive { drive },
            _ => Command::CloseDrive,
        };
        sim.command(phone, command);
    }
}

/// A command about private places, selected by a number, so that it draws no random value.
fn places(replica: &Replica, number: u32) -> Command {
    let (kind, size) =
        [(PlaceKind::Home, ZoneSize::Standard), (PlaceKind::Open, ZoneSize::None), (PlaceKind::Home, ZoneSize::Large)]
            [number as usize / 3 % 3];
    let known = replica.account().places;
    let bounds = replica.drives().iter().find_map(|drive| drive.bounds);
    match bounds {
        Some([west_deg, south_deg, east_deg, north_deg]) if number.is_multiple_of(2) || known.is_empty() => {
            let position = [(west_deg + east_deg) / 2.0, (south_deg + north_deg) / 2.0];
            Command::AddPlace { position, kind, size }
        }
        Some(_) | None => match known.get(number as usize % known.len().max(1)) {
            Some(place) => Command::ChangePlace { place: place.id, kind, size },
            None => Command::CloseDrive,
        },
    }
}

/// A social command or one about a meet, selected by a number, so that it draws no random value.
fn social(replica: &Replica, number: u32, now: Timestamp) -> Command {
    let account = AccountId::from_bytes([(number % 5) as u8; 16]);
    let published = replica.drives().iter().find_map(|drive| drive.published);
    let meet = replica.meets().iter().find(|meet| meet.own).map(|meet| meet.id);
    let fields = MeetFields {
        title: format!("Meet {number}"),
        starts_at: now,
        capacity: number.is_multiple_of(2).then_some(number),
        ..MeetFields::default()
    };
    match (number % 9, published, meet) {
        (0..=2, _, _) => {
            let relation = [Relation::Follow, Relation::Accept, Relation::Block][number as usize % 3];
            Command::Relate { account, relation, holds: !number.is_multiple_of(5) }
        }
        (3, Some(drive), _) => Command::React { drive, reaction: Reaction::ALL.get(number as usize % 5).copied() },
        (4, Some(drive), _) => Command::Comment { drive, text: format!("Comment {number}") },
        (5..=6, _, Some(meet)) => {
            let answer = [Some(Answer::Going), Some(Answer::No), None][number as usize / 9 % 3];
            Command::Rsvp { meet, answer }
        }
        (7, _, Some(meet)) => Command::GrantOrganiser { meet, account, may: number.is_multiple_of(2) },
        (8, _, Some(meet)) if number.is_multiple_of(2) => Command::RenewMeetLink { meet, fields, seen_at: None },
        (_, _, meet) => Command::PutMeet { meet: meet.filter(|_| !number.is_multiple_of(3)), fields, seen_at: None },
    }
}
