//! The world: time, the queue of what will happen, and what phones, relay and connections do to each other.

use std::collections::BTreeMap;

use serde_bytes::ByteBuf;
use tourismo_core::fix::Fix;
use tourismo_core::id::{AccountId, DocId};
use tourismo_core::replica::io::{Command, Input, KeyRange, Outcome, SensorFailure, StorageFailure};
use tourismo_core::replica::view::StorageStatus;
use tourismo_core::replica::{OpenError, Opening, Replica};
use tourismo_core::session::relay as serve;
use tourismo_core::time::{Now, Timestamp};

use crate::sim::ledger::Ledger;
use crate::sim::net::{ConnId, End, Net};
use crate::sim::phone::Phone;
use crate::sim::relay::{Account, Relay};
use crate::sim::trace::Trace;
use crate::sim::{Chance, Plant, Traffic, Weather};

/// 2024-06-01T06:13:20Z.
pub(super) const BEGINNING: Timestamp = Timestamp(1_717_222_400_000);
/// So many events at one instant are a loop that does not end.
const MAX_EVENTS_AT_ONCE: u32 = 20_000;

/// A simulated world.
#[derive(Debug)]
pub struct World {
    pub(super) now_ms: u64,
    queue: BTreeMap<(u64, u64), Event>,
    order: u64,
    at_once: u32,
    pub(super) chance: Chance,
    /// How slow and unreliable everything is.
    pub weather: Weather,
    pub(super) plant: Plant,
    pub(super) phones: Vec<Phone>,
    pub(super) relay: Relay,
    pub(super) net: Net,
    pub(super) ledger: Ledger,
    pub(super) trace: Trace,
    requests: u32,
    /// Whether the machines of the phones believe that there is a network.
    pub(super) believes_online: bool,
    /// When a phone's storage was slow or failing last.
    storage_ill_ms: u64,
    /// The first broken promise.
    pub(super) broken: Option<String>,
}

/// Something that will happen.
#[derive(Debug)]
pub(super) enum Event {
    /// The shell of a phone tells its replica something.
    Tell { phone: usize, life: u32, input: Input },
    /// A transaction reaches the disk.
    DiskCommits { phone: usize, life: u32, batch: u32 },
    /// A transaction fails.
    DiskFails { phone: usize, life: u32, batch: u32, failure: StorageFailure },
    /// A reading takes its snapshot.
    DiskReads { phone: usize, life: u32, request: u32, ranges: Vec<KeyRange> },
    /// A phone's timer rings.
    Rings { phone: usize, life: u32, timer: u32 },
    /// A phone's sensor measures, every second while the app runs.
    Measures { phone: usize, life: u32 },
    /// A killed app is started again.
    Starts { phone: usize },
    /// A connection is open or fails.
    Dialled { conn: ConnId },
    /// A message arrives.
    Arrives { conn: ConnId, at: End, message: Vec<u8> },
    /// An end learns that its connection is gone.
    Learns { conn: ConnId, end: End },
    /// The relay reads for a session.
    RelayReads { conn: ConnId, boot: u32, effect: serve::Effect },
    /// A session of the relay gets an answer.
    RelayTells { conn: ConnId, boot: u32, input: serve::Input },
    /// A session's deadline comes.
    RelayRings { conn: ConnId, boot: u32, at_ms: u64 },
    /// The relay's disk is synced.
    RelayCommits { boot: u32 },
    /// The relay is started again.
    RelayStarts,
}

impl World {
    /// A calm world without phones.
    pub fn new(seed: u64) -> World {
        World::with(seed, Plant::Nothing, false)
    }

    pub(super) fn with(seed: u64, plant: Plant, keeps_lines: bool) -> World {
        let mut chance = Chance::new(seed);
        let relay = Relay::new(chance.bytes(), chance.bytes());
        World {
            now_ms: 0,
            queue: BTreeMap::new(),
            order: 0,
            at_once: 0,
            chance,
            weather: Weather::calm(),
            plant,
            phones: Vec::new(),
            relay,
            net: Net::default(),
            ledger: Ledger::default(),
            trace: Trace::new(keeps_lines),
            requests: 0,
            believes_online: true,
            storage_ill_ms: 0,
            broken: None,
        }
    }

    /// Adds a phone that founds an account, and starts its app.
    pub fn add_phone(&mut self) -> usize {
        self.add(None)
    }

    /// Adds a phone that another one lets into its account.
    pub fn add_device(&mut self, of: usize) -> usize {
        let secret = self.chance.bytes();
        let device = ByteBuf::from(Phone::new(secret, None).device().0);
        let Outcome::Granted { grant } = self.perform(of, Command::GrantDevice { device }) else {
            panic!("a device that is in lets others in")
        };
        self.add_with(secret, Some(grant.into_vec()))
    }

    fn add(&mut self, grant: Option<Vec<u8>>) -> usize {
        let secret = self.chance.bytes();
        self.add_with(secret, grant)
    }

    fn add_with(&mut self, secret: [u8; 32], grant: Option<Vec<u8>>) -> usize {
        self.phones.push(Phone::new(secret, grant));
        let phone = self.phones.len() - 1;
        self.start(phone).expect("a new phone opens");
        phone
    }

    /// How many phones there are.
    pub fn phones(&self) -> usize {
        self.phones.len()
    }

    /// A phone.
    pub fn phone(&self, phone: usize) -> &Phone {
        &self.phones[phone]
    }

    /// A phone's running app.
    pub fn replica(&self, phone: usize) -> &Replica {
        self.phones[phone].replica.as_ref().expect("the app runs")
    }

    /// The relay.
    pub fn relay(&self) -> &Relay {
        &self.relay
    }

    /// The account of a phone.
    pub fn account(&self, phone: usize) -> AccountId {
        self.replica(phone).account().account
    }

    /// What went over a phone's present connection.
    pub fn traffic(&self, phone: usize) -> Traffic {
        let conn = self.phones[phone].conn.and_then(|conn| self.net.get(conn));
        conn.map(|conn| conn.traffic.clone()).unwrap_or_default()
    }

    /// What a phone's clocks show.
    pub fn now(&self, phone: usize) -> Now {
        let phone = &self.phones[phone];
        let monotonic_ms = (self.now_ms - phone.born_ms) as f64 + 0.25;
        Now { wall: BEGINNING + self.now_ms as i64 + phone.clock_ms, monotonic_ms }
    }

    /// The first promise that was found broken.
    pub fn broken(&self) -> Option<&str> {
        self.broken.as_deref()
    }

    pub(super) fn breaks(&mut self, promise: String) {
        self.trace.note(self.now_ms, format_args!("BROKEN {promise}"));
        self.broken.get_or_insert(promise);
    }

    /// Lets so much time pass.
    ///
    /// # Panics
    /// If a promise is broken.
    pub fn run_for(&mut self, ms: u64) {
        self.go_on_for(ms);
        assert_eq!(self.broken, None);
    }

    pub(super) fn go_on_for(&mut self, ms: u64) {
        let until_ms = self.now_ms + ms;
        while self.broken.is_none() && self.step(until_ms) {}
        self.now_ms = self.now_ms.max(until_ms);
    }

    /// Lets time pass until something is so, but no longer than `within_ms`. Says whether it came to be so.
    pub fn run_until(&mut self, within_ms: u64, mut is_so: impl FnMut(&World) -> bool) -> bool {
        let until_ms = self.now_ms + within_ms;
        while !is_so(self) {
            if self.broken.is_some() || !self.step(until_ms) {
                self.now_ms = until_ms;
                return is_so(self);
            }
        }
        true
    }

    /// Gives a phone a command and waits for its outcome.
    ///
    /// # Panics
    /// If there is none within two minutes.
    pub fn perform(&mut self, phone: usize, command: Command) -> Outcome {
        let request = self.command(phone, command);
        self.run_until(120_000, |world| world.outcome(phone, request).is_some());
        self.outcome(phone, request).cloned().expect("every command is settled")
    }

    /// Gives a phone a command. Its number is that of the outcome.
    pub fn command(&mut self, phone: usize, command: Command) -> u32 {
        self.requests += 1;
        let request = self.requests;
        self.ledger.commanded(phone, request, &command);
        self.tell(phone, Input::Command { request, command });
        request
    }

    /// How a command ended, if it did.
    pub fn outcome(&self, phone: usize, request: u32) -> Option<&Outcome> {
        self.phones[phone].outcomes.get(&request)
    }

    /// Puts a phone on a route: from now on its sensor measures one fix a second.
    pub fn drive_along(&mut self, phone: usize, route: Vec<Fix>) {
        self.phones[phone].sensor.route = route;
        self.phones[phone].sensor.next = 0;
    }

    /// Hands a phone one measurement.
    pub fn measure(&mut self, phone: usize, fix: Fix) {
        self.tell(phone, Input::Fix { fix });
    }

    /// Tells a phone that its sensor failed.
    pub fn sensor_fails(&mut self, phone: usize, reason: SensorFailure) {
        self.tell(phone, Input::SensorFailed { reason });
    }

    /// Hides or shows the page of a phone. A hidden page measures nothing.
    pub fn show(&mut self, phone: usize, is_shown: bool) {
        self.phones[phone].is_shown = is_shown;
        self.tell(phone, if is_shown { Input::Shown } else { Input::Hidden });
    }

    /// Gives all phones a network, or takes it away with every connection.
    pub fn set_network(&mut self, has_network: bool) {
        self.weather.has_network = has_network;
        self.believes_online = has_network;
        if !has_network {
            self.cut_all();
        }
        for phone in 0..self.phones.len() {
            self.tell(phone, Input::Network { online: has_network });
        }
    }

    /// Cuts every connection; both ends learn it some moments later.
    pub fn cut_all(&mut self) {
        for conn in self.net.whole() {
            self.cut(conn, 2_000);
        }
    }

    /// Cuts every connection in silence: nothing arrives at these ends, and nobody learns why.
    pub fn silence_all(&mut self, at_phones: bool, at_relay: bool) {
        for conn in self.net.whole() {
            self.silence(conn, at_phones, at_relay);
        }
    }

    pub(super) fn silence(&mut self, conn: ConnId, at_phone: bool, at_relay: bool) {
        self.trace.note(self.now_ms, format_args!("connection {conn} falls silent: {at_phone} {at_relay}"));
        let Some(state) = self.net.get_mut(conn) else { return };
        for (end, _) in [(End::Phone, at_phone), (End::Relay, at_relay)].into_iter().filter(|(_, silent)| *silent) {
            state.fall_silent(end);
        }
    }

    /// Cuts a connection: what is under way is lost, and the ends learn it within `within_ms`.
    pub(super) fn cut(&mut self, conn: ConnId, within_ms: u64) {
        self.trace.note(self.now_ms, format_args!("connection {conn} is cut"));
        let Some(state) = self.net.get_mut(conn) else { return };
        for end in [End::Phone, End::Relay] {
            state.fall_silent(end);
        }
        for end in [End::Phone, End::Relay] {
            let in_ms = self.chance.between(0, within_ms);
            self.schedule(in_ms, Event::Learns { conn, end });
        }
    }

    /// Damages a phone's disk: of every document the change at this place, counted from 0, is gone.
    pub fn lose_change(&mut self, phone: usize, index: u32) {
        self.phones[phone].disk.lose(index);
        self.ledger.may_differ = true;
    }

    /// Kills a phone's app. What its disk was writing is there or is not.
    pub fn kill(&mut self, phone: usize) {
        let Some(replica) = self.phones[phone].replica.take() else { return };
        self.trace.note(self.now_ms, format_args!("phone {phone} is killed"));
        // Time enough for the slowest transaction; and a replica that says that storage fails has said it.
        let is_failing = matches!(replica.status().storage, StorageStatus::Failing { .. });
        let is_healthy = !is_failing && self.now_ms >= self.storage_ill_ms + 4_000;
        let complaint = self.ledger.killed(phone, self.now_ms, is_healthy);
        let (all, torn) = (self.chance.one_in(2), self.plant == Plant::TornTransactions);
        let state = &mut self.phones[phone];
        state.disk.kill(|ops| match (torn, all) {
            (true, _) => ops / 2,
            (false, true) => ops,
            (false, false) => 0,
        });
        state.outcomes.clear();
        if let Some(conn) = state.conn.take()
            && self.net.get(conn).is_some_and(|conn| conn.is_open && conn.is_whole())
        {
            self.cut(conn, 2_000);
        }
        if let Some(complaint) = complaint {
            self.breaks(complaint);
        }
    }

    /// Starts a phone's app.
    ///
    /// # Errors
    /// [`OpenError`] if the replica does not open.
    pub fn start(&mut self, phone: usize) -> Result<(), OpenError> {
        self.trace.note(self.now_ms, format_args!("phone {phone} starts"));
        let seed = ByteBuf::from(self.chance.bytes::<32>());
        let state = &mut self.phones[phone];
        let device = ByteBuf::from(state.device().0);
        let grant = state.grant.clone().map(ByteBuf::from);
        state.replica = Some(Replica::open(&Opening { seed, device, grant, stored: state.disk.opening() })?);
        (state.life, state.born_ms, state.is_shown) = (state.life + 1, self.now_ms, true);
        let life = state.life;
        self.schedule(1_000, Event::Measures { phone, life });
        self.tell(phone, Input::Start);
        Ok(())
    }

    /// Starts a phone's app with what another device gave it.
    ///
    /// # Errors
    /// [`OpenError`] if the replica does not open.
    pub fn start_with_grant(&mut self, phone: usize, grant: Vec<u8>) -> Result<(), OpenError> {
        self.phones[phone].grant = Some(grant);
        self.start(phone)
    }

    /// Stops the relay at once. What its disk was writing is there or is not.
    pub fn crash_relay(&mut self, down_ms: u64) {
        self.trace.note(self.now_ms, format_args!("the relay crashes"));
        for waiting in std::mem::take(&mut self.relay.waiting) {
            if self.plant != Plant::AcksBeforeSync && self.chance.one_in(3) {
                self.relay.books.commit(&waiting);
            }
        }
        self.relay.is_up = false;
        self.relay.boot += 1;
        self.relay.sessions.clear();
        for conn in self.net.whole() {
            self.cut(conn, 1_000);
        }
        self.check_acknowledged();
        self.schedule(down_ms, Event::RelayStarts);
    }

    /// Replaces the relay's data by a backup that has only part of each log. Its epoch is another.
    pub fn restore_relay(&mut self, keeps_percent: usize) {
        self.replace_books(|account, index| index < account.entries.len() * keeps_percent / 100);
    }

    /// Replaces the relay's data by one that lacks the last change of a document. Its epoch is another.
    pub fn forget_last_change(&mut self, doc: &DocId) {
        let last = |account: &Account| account.entries.iter().rposition(|stored| stored.doc == *doc);
        self.replace_books(|account, index| last(account) != Some(index));
    }

    /// Makes a backup of the relay.
    pub fn back_up_relay(&mut self) {
        self.relay.backup = Some(self.relay.books.clone());
    }

    /// Replaces the relay's data by its last backup, if there is one. Its epoch is another.
    pub fn restore_backup(&mut self) {
        if let Some(backup) = self.relay.backup.clone() {
            self.crash_relay(1_000);
            self.relay.books = backup;
            self.relay.epoch = tourismo_core::wire::Epoch(self.chance.bytes());
            self.ledger.restored(&self.relay.books);
        }
    }

    fn replace_books(&mut self, keeps: impl Fn(&Account, usize) -> bool) {
        self.crash_relay(1_000);
        self.relay.books = self.relay.books.keeping(keeps);
        self.relay.epoch = tourismo_core::wire::Epoch(self.chance.bytes());
        self.ledger.restored(&self.relay.books);
    }

    pub(super) fn schedule(&mut self, in_ms: u64, event: Event) {
        self.order += 1;
        self.queue.insert((self.now_ms + in_ms, self.order), event);
    }

    /// Lets the next thing happen that is due by `until_ms`.
    fn step(&mut self, until_ms: u64) -> bool {
        let Some(next) = self.queue.first_entry().filter(|next| next.key().0 <= until_ms) else { return false };
        let ((at_ms, _), event) = next.remove_entry();
        self.at_once = if at_ms == self.now_ms { self.at_once + 1 } else { 0 };
        self.now_ms = at_ms;
        if self.weather.store_ms.1 > 300 || self.weather.store_fails.1 > 0 {
            self.storage_ill_ms = at_ms;
        }
        if self.at_once > MAX_EVENTS_AT_ONCE {
            self.breaks(format!("time goes on: {MAX_EVENTS_AT_ONCE} events at one instant, the last {event:?}"));
        }
        self.happen(event);
        true
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Tell { phone, life, input } => self.tell_life(phone, life, input),
            Event::DiskCommits { phone, life, batch } if self.lives(phone, life) => {
                if self.plant != Plant::ForgetsTransactions || !self.chance.one_in(40) {
                    self.phones[phone].disk.commit(batch);
                } else {
                    self.phones[phone].disk.abort(batch);
                }
                if self.plant != Plant::StoredTooEarly {
                    let in_ms = self.chance.between(0, 3);
                    self.schedule(in_ms, Event::Tell { phone, life, input: Input::Stored { batch } });
                }
            }
            Event::DiskFails { phone, life, batch, failure } if self.lives(phone, life) => {
                self.phones[phone].disk.abort(batch);
                self.tell(phone, Input::StoreFailed { batch, failure });
            }
            Event::DiskReads { phone, life, request, ranges } if self.lives(phone, life) => {
                let entries = self.phones[phone].disk.read(&ranges);
                let in_ms = self.chance.between(self.weather.load_ms.0, self.weather.load_ms.1) / 2;
                self.schedule(in_ms, Event::Tell { phone, life, input: Input::Loaded { request, entries } });
            }
            Event::Rings { phone, life, timer } => {
                if self.lives(phone, life) && self.phones[phone].timer == timer {
                    self.tell(phone, Input::Tick);
                }
            }
            Event::Measures { phone, life } if self.lives(phone, life) => self.sense(phone, life),
            Event::Starts { phone } => {
                if self.phones[phone].replica.is_none()
                    && let Err(error) = self.start(phone)
                {
                    self.breaks(format!("a phone's app starts again after a kill: {error}"));
                }
            }
            Event::DiskCommits { .. } | Event::DiskFails { .. } | Event::DiskReads { .. } | Event::Measures { .. } => {}
            Event::Dialled { conn } => self.dialled(conn),
            Event::Arrives { conn, at, message } => self.arrives(conn, at, message),
            Event::Learns { conn, end } => self.learns(conn, end),
            Event::RelayReads { conn, boot, effect } => self.relay_reads(conn, boot, &effect),
            Event::RelayTells { conn, boot, input } => self.tell_session(conn, boot, input),
            Event::RelayRings { conn, boot, at_ms } => self.relay_rings(conn, boot, at_ms),
            Event::RelayCommits { boot } => self.relay_commits(boot),
            Event::RelayStarts => self.relay.is_up = true,
        }
    }
}
