//! What people and faults do in a story, one thing after the other, by chance.

use std::collections::BTreeMap;

use tourismo_core::docs::social::Relation;
use tourismo_core::docs::{Answer, CarFields, MeetFields, ProfileFields, Reaction, SettingsFields, Units, Visibility};
use tourismo_core::id::{AccountId, DocId};
use tourismo_core::replica::Replica;
use tourismo_core::replica::io::{Command, Input, SensorFailure};
use tourismo_core::replica::view::{DriveView, RecordingState};
use tourismo_core::time::Timestamp;

use crate::made::{self, Kind};
use crate::sim::world::HOME;
use crate::sim::{Chance, Disk, Weather, World};

/// A story that is being told.
pub(super) struct Story<'a> {
    world: &'a mut World,
    has_backups: bool,
    has_rollbacks: bool,
    is_unruly: bool,
    is_put_back: bool,
    snapshots: BTreeMap<usize, Disk>,
    titles: u32,
}

#[derive(Clone, Copy)]
enum Act {
    Person,
    Kill,
    HandOver,
    Weather,
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

impl Story<'_> {
    pub(super) fn begin(world: &mut World, is_unruly: bool, is_put_back: bool) -> Story<'_> {
        let kind = world.chance.pick(&[Kind::Mountain, Kind::Town, Kind::Motorway, Kind::Motorway]);
        let devices = world.chance.weighted(&[(3, 1), (4, 2), (2, 3)]);
        let route_seed = world.chance.between(0, 3);
        let has_backups = world.chance.one_in(3);
        let has_rollbacks = world.chance.one_in(4);
        let is_odd = world.chance.one_in(2);
        if world.chance.one_in(4) {
            world.add_relay();
        }
        world.add_phone();
        if devices > 1 {
            world.run_until(20_000, |world| world.is_settled(0).is_ok());
            if has_backups {
                world.back_up(HOME);
            }
        }
        for _ in 1..devices {
            world.add_device(0);
        }
        if world.chance.one_in(3) {
            world.add_phone();
        }
        for phone in 0..world.phones.len() {
            let start = world.now(phone).wall;
            let route = made::drive(route_seed + phone as u64, made::Options { start, minutes: 12, kind });
            world.drive_along(phone, route);
            world.phones[phone].sensor.is_odd = is_odd;
            world.phones[phone].clock_ms += world.chance.pick(&[0, 0, -90_000, 40_000]);
        }
        if is_unruly {
            for phone in 0..world.phones.len() {
                world.phones[phone].fast_ppm = world.chance.pick(&[0, -200, 200, 30_000, -30_000]);
            }
        }
        world.begin_clock_faults();
        if world.chance.one_in(2) {
            // A drive that is long enough to be published.
            world.command(0, Command::StartDrive { car: None });
            world.go_on_for(300_000);
            world.command(0, Command::FinishDrive);
            world.go_on_for(3_000);
        }
        Story { world, has_backups, has_rollbacks, is_unruly, is_put_back, snapshots: BTreeMap::new(), titles: 0 }
    }

    pub(super) fn tell(&mut self, steps: u32) {
        for _ in 0..steps {
            if self.world.broken.is_some() {
                return;
            }
            self.act();
            self.world.clock_act();
            let ms = self.world.chance.weighted(&[(3, 50), (4, 1_000), (5, 7_000), (1, 45_000)]);
            let ms = self.world.chance.between(1, ms);
            self.world.go_on_for(ms);
        }
    }

    fn act(&mut self) {
        let backups = u64::from(self.has_backups);
        let rollbacks = u64::from(self.has_rollbacks);
        let unruly = u64::from(self.is_unruly);
        let put_backs = u64::from(self.is_put_back);
        let moves = self.world.relays.len() as u64 - 1;
        let act = self.world.chance.weighted(&[
            (50, Act::Person),
            (6, Act::Kill),
            (3, Act::HandOver),
            (8, Act::Weather),
            (6, Act::Cut),
            (5, Act::Network),
            (3, Act::CrashRelay),
            (1, Act::StopRelay),
            (1, Act::FillRelay),
            (2 * backups, Act::BackUpRelay),
            (3 * backups, Act::RestoreRelay),
            (4, Act::Compact),
            (backups, Act::OtherLife),
            (1, Act::Squat),
            (1, Act::TakeNumber),
            (backups + 4 * put_backs, Act::KeepImage),
            (2 * backups + 4 * put_backs, Act::PutBack),
            (1, Act::Quota),
            (rollbacks, Act::Evict),
            (3 * rollbacks, Act::Snapshot),
            (2 * rollbacks, Act::RestorePhone),
            (rollbacks, Act::CopyPhone),
            (3 * moves, Act::MovePhone),
            (1, Act::Clock),
            (6 * unruly, Act::Sleep),
            (3 * unruly, Act::Misdeliver),
            (10, Act::Wait),
        ]);
        let world = &mut *self.world;
        let phone = world.chance.between(0, world.phones.len() as u64 - 1) as usize;
        let relay = world.chance.between(0, moves) as usize;
        match act {
            Act::Person | Act::Sleep | Act::HandOver if world.phones[phone].nap(world.now_ms).is_some() => {}
            Act::Person => self.person(phone),
            Act::Kill => {
                world.kill(phone);
                world.start_later(phone);
            }
            Act::HandOver => {
                if world.phones[phone].replica.is_some() {
                    world.hand_over(phone);
                }
            }
            Act::Weather => {
                world.weather = Weather::any(&mut world.chance);
                world.trace.note(world.now_ms, format_args!("{:?}", world.weather));
            }
            Act::Cut => self.cut(),
            Act::Network => {
                let has_network = world.chance.one_in(2);
                world.set_network(has_network);
            }
            Act::CrashRelay => {
                if world.relays[relay].is_up {
                    let down_ms = world.chance.between(100, 30_000);
                    world.crash(relay, down_ms);
                }
            }
            Act::StopRelay => world.stop_sessions(relay),
            Act::FillRelay => {
                world.ledger.was_full = true;
                world.relays[relay].is_full = !world.relays[relay].is_full;
            }
            Act::BackUpRelay => world.back_up(relay),
            Act::RestoreRelay => {
                if world.relays[relay].is_up {
                    match world.chance.pick(&[None, None, Some(0), Some(30), Some(80), Some(95), Some(100)]) {
                        Some(keeps_percent) => world.restore_part(relay, keeps_percent),
                        None => world.restore(relay),
                    }
                }
            }
            Act::Compact => {
                let gone_quarters = world.chance.between(0, 4);
                world.compact(relay, gone_quarters);
            }
            Act::OtherLife => {
                if world.relays[relay].is_up {
                    world.return_to_other_life(relay);
                }
            }
            Act::Squat => {
                if world.relays[relay].is_up {
                    world.squat(relay);
                }
            }
            Act::TakeNumber => {
                if world.relays[relay].is_up && !world.relays[relay].is_full {
                    world.take_number(relay);
                }
            }
            Act::KeepImage => world.keep_image(relay),
            Act::PutBack => {
                if world.relays[relay].is_up {
                    world.put_back(relay);
                }
            }
            Act::Quota => {
                let room = world.chance.pick(&[None, None, Some(0), Some(2_000)]);
                let state = &mut world.phones[phone];
                state.quota_bytes = room.map(|room| state.disk.bytes() + room);
            }
            Act::Evict => {
                world.evict(phone);
                world.start_later(phone);
            }
            Act::Snapshot => {
                self.snapshots.insert(phone, world.snapshot(phone));
            }
            Act::RestorePhone => {
                if let Some(disk) = self.snapshots.get(&phone) {
                    world.restore_phone(phone, disk.clone());
                    world.start_later(phone);
                }
            }
            Act::CopyPhone => {
                if let Some(disk) = self.snapshots.get(&phone).filter(|_| world.phones.len() < 5) {
                    let copy = world.copy_phone(phone, disk.clone());
                    let sensor = world.phones[phone].sensor.clone();
                    world.phones[copy].sensor = sensor;
                }
            }
            Act::MovePhone => {
                if world.phones[phone].relay != relay {
                    world.move_phone(phone, relay);
                    world.start_later(phone);
                }
            }
            Act::Clock => {
                let by_ms = world.chance.pick(&[-3_600_000, -2_000, 2_000, 3_600_000, 86_400_000]);
                if world.chance.one_in(3) {
                    world.relays[relay].clock_ms += by_ms;
                } else {
                    world.set_phone_clock(phone, by_ms);
                }
            }
            Act::Sleep => {
                let ms = world.chance.pick(&[800, 20_000, 70_000, 1_200_000]);
                let stops_clock = world.chance.one_in(2);
                world.sleep(phone, ms, stops_clock);
            }
            Act::Misdeliver => world.weather.misdelivers = world.chance.pick(&[0, 60, 8]),
            Act::Wait => {}
        }
    }

    fn cut(&mut self) {
        let world = &mut *self.world;
        let conns = world.net.whole();
        if conns.is_empty() {
            return;
        }
        let conn = world.chance.pick(&conns);
        match world.chance.between(0, 5) {
            0 => world.silence(conn, true, true),
            1 => world.silence(conn, true, false),
            2 => world.silence(conn, false, true),
            _ => {
                let within_ms = world.chance.pick(&[100, 5_000, 60_000]);
                world.cut(conn, within_ms);
            }
        }
    }

    /// What somebody does with a phone.
    fn person(&mut self, phone: usize) {
        let world = &mut *self.world;
        let now = world.now(phone);
        let Some(replica) = &world.phones[phone].replica else { return };
        let recording = replica.recording_view(now).map(|view| view.state);
        let drives: Vec<DocId> = replica.drives().iter().map(|drive| drive.id).collect();
        let unfinished: Vec<DocId> =
            replica.drives().iter().filter(|drive| drive.ended_at.is_none()).map(|drive| drive.id).collect();
        let finished = replica.drives().into_iter().filter(|drive| drive.ended_at.is_some());
        let way_m = |drive: &DriveView| drive.stats.map_or(0, |stats| stats.distance_m as u64);
        let longest = finished.max_by_key(way_m).map(|drive| drive.id);
        let cars: Vec<DocId> = replica.cars().iter().map(|car| car.id).collect();
        let chance = &mut world.chance;
        let any = |chance: &mut Chance, docs: &[DocId]| (!docs.is_empty()).then(|| chance.pick(docs));
        let (mut drive, car, unfinished) = (any(chance, &drives), any(chance, &cars), any(chance, &unfinished));
        if chance.one_in(2) {
            // The drive that is most worth showing is what people return to, from all their devices.
            drive = longest.or(drive);
        }
        let visibility = chance.pick(&[Visibility::Private, Visibility::Link, Visibility::Public, Visibility::Public]);
        self.titles += 1;
        let title = format!("Drive {}", self.titles);
        let command = match (chance.between(0, 19), recording, drive) {
            (0..=1, None, _) if unfinished.is_some() => {
                Command::TakeOverDrive { drive: unfinished.expect("it was looked at a moment ago") }
            }
            (0..=6, None, _) => Command::StartDrive { car },
            (0..=2, Some(RecordingState::Active), _) => Command::PauseDrive,
            (0..=4, Some(RecordingState::Paused | RecordingState::Unfinished), _) => Command::ResumeDrive,
            (3..=4, Some(_), _) => Command::FinishDrive,
            (5..=6, Some(RecordingState::Active), _) if world.phones[phone].is_shown == chance.one_in(3) => {
                let is_shown = !world.phones[phone].is_shown;
                return world.show(phone, is_shown);
            }
            (7, _, _) => return world.tell(phone, Input::SensorFailed { reason: SensorFailure::TimedOut }),
            (8, _, _) if !self.titles.is_multiple_of(4) => social(replica, self.titles, now.wall),
            (8, _, _) => {
                let fields = ProfileFields { display_name: title, ..ProfileFields::default() };
                Command::PutProfile { fields }
            }
            (9, _, _) => {
                let units = chance.pick(&[Units::Metric, Units::Imperial]);
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
            (19, _, Some(drive)) if chance.one_in(3) => Command::DeleteDrive { drive },
            _ => Command::CloseDrive,
        };
        world.command(phone, command);
    }
}

/// Something about others, or about a meet; which is told by a number, so that it costs no chance.
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
