//! A random story: people who drive, edit and publish while things break; then the faults end, and everybody must agree.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tourismo_core::docs::{CarFields, ProfileFields, SettingsFields, Units, Visibility};
use tourismo_core::id::DocId;
use tourismo_core::replica::io::{Command, Input, SensorFailure};
use tourismo_core::replica::view::{DriveView, RecordingState};
use tourismo_core::session::SILENCE_MS;

use crate::made::{self, Kind};
use crate::sim::weather::Plant;
use crate::sim::world::HOME;
use crate::sim::{Weather, World};

/// How long everybody may take to agree once the faults are over, in virtual milliseconds: until a connection that is cut in
/// silence is given up, the longest wait before the next is tried, and half a minute to talk.
pub const CONVERGENCE_MS: u64 = SILENCE_MS + 60_000 + 30_000;

/// What a story is made of.
#[derive(Clone, Copy, Debug)]
pub struct Outline {
    /// Decides everything.
    pub seed: u64,
    /// How many things people and faults do.
    pub steps: u32,
    /// A fault that should be found.
    pub plant: Plant,
    /// Whether to keep the lines of the trace.
    pub keeps_lines: bool,
}

/// How a story went.
#[derive(Clone, Debug)]
pub struct Report {
    /// The promise that was broken first, if one was.
    pub broken: Option<String>,
    /// Equal for equal stories.
    pub trace_hash: u64,
    /// The lines of the trace, if they were kept.
    pub lines: Vec<String>,
    /// How much virtual time it took.
    pub virtual_ms: u64,
    /// How long it took until everybody agreed.
    pub converged_ms: u64,
    /// How many changes the relay has in the end.
    pub changes: usize,
    /// How many fixes were taken in.
    pub fixes: usize,
}

/// Tells one story.
pub fn run(outline: Outline) -> Report {
    let mut world = World::with(outline.seed, outline.plant, outline.keeps_lines);
    let mut converged_ms = 0;
    let told = catch_unwind(AssertUnwindSafe(|| {
        Story::begin(&mut world).tell(outline.steps);
        converged_ms = world.heal();
    }));
    if let Err(panic) = told {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        world.breaks(format!("nothing panics: {}", text.unwrap_or_default()));
    }
    let changes = world.relays[HOME].books.accounts.values().map(|account| account.entries.len()).sum();
    let fixes = world.ledger.drives.values().map(|taken| taken.saved.len()).sum();
    Report {
        broken: world.broken.clone(),
        trace_hash: world.trace.hash(),
        virtual_ms: world.now_ms,
        converged_ms,
        changes,
        fixes,
        lines: world.trace.into_lines(),
    }
}

struct Story<'a> {
    world: &'a mut World,
    has_backups: bool,
    titles: u32,
}

#[derive(Clone, Copy)]
enum Act {
    Person,
    Kill,
    Weather,
    Cut,
    Network,
    CrashRelay,
    StopRelay,
    RestoreRelay,
    Clock,
    Wait,
}

impl Story<'_> {
    fn begin(world: &mut World) -> Story<'_> {
        let minutes = 12;
        let kind = world.chance.pick(&[Kind::Mountain, Kind::Town, Kind::Motorway, Kind::Motorway]);
        let devices = world.chance.between(1, 2);
        let route_seed = world.chance.between(0, 3);
        let has_backups = world.chance.one_in(3);
        let is_odd = world.chance.one_in(2);
        world.add_phone();
        if devices == 2 {
            world.run_until(20_000, |world| world.is_settled(0).is_ok());
            world.add_device(0);
        }
        for phone in 0..world.phones.len() {
            let start = world.now(phone).wall;
            let route = made::drive(route_seed + phone as u64, made::Options { start, minutes, kind });
            world.drive_along(phone, route);
            world.phones[phone].sensor.is_odd = is_odd;
        }
        if world.chance.one_in(2) {
            // A drive that is long enough to be published.
            world.command(0, Command::StartDrive { car: None });
            world.go_on_for(300_000);
            world.command(0, Command::FinishDrive);
            world.go_on_for(3_000);
        }
        Story { world, has_backups, titles: 0 }
    }

    fn tell(&mut self, steps: u32) {
        for _ in 0..steps {
            if self.world.broken.is_some() {
                return;
            }
            self.act();
            let ms = self.world.chance.weighted(&[(3, 50), (4, 1_000), (5, 7_000), (1, 45_000)]);
            let ms = self.world.chance.between(1, ms);
            self.world.go_on_for(ms);
        }
    }

    fn act(&mut self) {
        let restore = if self.has_backups { 4 } else { 0 };
        let act = self.world.chance.weighted(&[
            (50, Act::Person),
            (8, Act::Kill),
            (8, Act::Weather),
            (6, Act::Cut),
            (5, Act::Network),
            (3, Act::CrashRelay),
            (1, Act::StopRelay),
            (restore, Act::RestoreRelay),
            (1, Act::Clock),
            (10, Act::Wait),
        ]);
        let world = &mut *self.world;
        let phone = world.chance.between(0, world.phones.len() as u64 - 1) as usize;
        match act {
            Act::Person => self.person(phone),
            Act::Kill => {
                world.kill(phone);
                let in_ms = world.chance.between(0, 20_000);
                world.schedule(in_ms, super::world::Event::Starts { phone });
            }
            Act::Weather => {
                world.weather = Weather::any(&mut world.chance);
                world.trace.note(world.now_ms, format_args!("{:?}", world.weather));
            }
            Act::Cut => {
                let conns = world.net.whole();
                if !conns.is_empty() {
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
            }
            Act::Network => {
                let has_network = world.chance.one_in(2);
                world.set_network(has_network);
            }
            Act::CrashRelay => {
                if world.relays[HOME].is_up {
                    let down_ms = world.chance.between(100, 30_000);
                    world.crash_relay(down_ms);
                }
            }
            Act::StopRelay => world.stop_sessions(HOME),
            Act::RestoreRelay => {
                if world.relays[HOME].is_up {
                    let keeps_percent = world.chance.pick(&[0, 30, 80, 95, 100]);
                    world.restore_relay(keeps_percent);
                }
            }
            Act::Clock => {
                let by_ms = world.chance.pick(&[-3_600_000, -2_000, 2_000, 3_600_000]);
                world.phones[phone].clock_ms += by_ms;
            }
            Act::Wait => {}
        }
    }

    /// What somebody does with a phone.
    fn person(&mut self, phone: usize) {
        let world = &mut *self.world;
        let now = world.now(phone);
        let Some(replica) = &world.phones[phone].replica else { return };
        let recording = replica.recording_view(now).map(|view| view.state);
        let drives: Vec<DocId> = replica.drives().iter().map(|drive| drive.id).collect();
        let finished = replica.drives().into_iter().filter(|drive| drive.ended_at.is_some());
        let way_m = |drive: &DriveView| drive.stats.map_or(0, |stats| stats.distance_m as u64);
        let longest = finished.max_by_key(way_m).map(|drive| drive.id);
        let cars: Vec<DocId> = replica.cars().iter().map(|car| car.id).collect();
        let chance = &mut world.chance;
        let any = |chance: &mut super::Chance, docs: &[DocId]| (!docs.is_empty()).then(|| chance.pick(docs));
        let (mut drive, car) = (any(chance, &drives), any(chance, &cars));
        if chance.one_in(2) {
            // The drive that is most worth showing is what people return to, from all their devices.
            drive = longest.or(drive);
        }
        let visibility = chance.pick(&[Visibility::Private, Visibility::Link, Visibility::Public, Visibility::Public]);
        self.titles += 1;
        let title = format!("Drive {}", self.titles);
        let command = match (chance.between(0, 19), recording, drive) {
            (0..=6, None, _) => Command::StartDrive { car },
            (0..=2, Some(RecordingState::Active), _) => Command::PauseDrive,
            (0..=4, Some(RecordingState::Paused | RecordingState::Unfinished), _) => Command::ResumeDrive,
            (3..=4, Some(_), _) => Command::FinishDrive,
            (5..=6, Some(RecordingState::Active), _) if world.phones[phone].is_shown == chance.one_in(3) => {
                let is_shown = !world.phones[phone].is_shown;
                return world.show(phone, is_shown);
            }
            (7, _, _) => return world.tell(phone, Input::SensorFailed { reason: SensorFailure::TimedOut }),
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
            (18, _, Some(drive)) => Command::OpenDrive { drive },
            (19, _, Some(drive)) if chance.one_in(3) => Command::DeleteDrive { drive },
            _ => Command::CloseDrive,
        };
        world.command(phone, command);
    }
}

impl World {
    /// Ends all faults, lets every drive be finished, and waits until everybody agrees. Says how long that took.
    fn heal(&mut self) -> u64 {
        if self.broken.is_some() {
            return 0;
        }
        self.trace.note(self.now_ms, format_args!("the faults are over"));
        self.weather = Weather::calm();
        self.relays[HOME].is_up = true;
        for phone in 0..self.phones.len() {
            if self.phones[phone].replica.is_none()
                && let Err(error) = self.start(phone)
            {
                return self.breaks_at(format!("a phone's app starts again: {error}"));
            }
            if !self.phones[phone].is_shown {
                self.show(phone, true);
            }
            self.phones[phone].sensor.route.clear();
            if !self.believes_online {
                self.tell(phone, Input::Network { online: true });
            }
        }
        let begin_ms = self.now_ms;
        for phone in 0..self.phones.len() {
            self.finish(phone);
        }
        let all = |world: &World| (0..world.phones.len()).all(|phone| world.is_settled(phone).is_ok());
        let converged = self.run_until(CONVERGENCE_MS, all);
        if self.broken.is_some() {
            return 0;
        }
        if !converged {
            let reasons: Vec<_> = (0..self.phones.len()).map(|phone| self.is_settled(phone)).collect();
            return self.breaks_at(format!("everybody agrees within {CONVERGENCE_MS} ms: {reasons:?}"));
        }
        // Devices of an account hear of each other within moments, and what was slow on its way before has arrived.
        for _ in 0..2 {
            self.go_on_for(4_000);
            self.run_until(CONVERGENCE_MS, all);
        }
        let converged_ms = self.now_ms - begin_ms;
        self.check_end();
        if self.broken.is_none() {
            self.check_reconnect();
        }
        converged_ms
    }

    fn breaks_at(&mut self, promise: String) -> u64 {
        self.breaks(promise);
        0
    }

    fn finish(&mut self, phone: usize) {
        let is_recording = |world: &World| world.replica(phone).recording_view(world.now(phone)).map(|view| view.state);
        self.run_until(30_000, |world| is_recording(world) != Some(RecordingState::Recovering));
        if is_recording(self).is_some() {
            self.command(phone, Command::FinishDrive);
            if !self.run_until(30_000, |world| is_recording(world).is_none()) && self.broken.is_none() {
                self.breaks(format!("a drive can be finished: phone {phone}, {:?}", is_recording(self)));
            }
        }
    }

    /// When nothing changed, a new connection costs a handshake, one question and one answer.
    fn check_reconnect(&mut self) {
        self.cut_all();
        let all = |world: &World| (0..world.phones.len()).all(|phone| world.is_settled(phone).is_ok());
        self.go_on_for(2_100);
        if !self.run_until(CONVERGENCE_MS, all) && self.broken.is_none() {
            return self.breaks("a connection is made again".to_owned());
        }
        for phone in 0..self.phones.len() {
            let traffic = self.traffic(phone);
            if traffic.from_phone.len() > 3 || traffic.from_relay.len() > 3 || traffic.bytes() > 1_000 {
                self.breaks(format!("equal digests end it: phone {phone}, {traffic:?}"));
            }
        }
    }
}
