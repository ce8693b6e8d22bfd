//! The network: time, the queue of events, and the interactions of phones, relays and connections.

use std::collections::BTreeMap;

use tourismo_core::fix::Fix;
use tourismo_core::id::AccountId;
use tourismo_core::replica::Replica;
use tourismo_core::replica::io::{Command, CommandOutcome, Input, KeyRange, SensorFailure, StorageFailure};
use tourismo_core::session::relay as serve;
use tourismo_core::time::{Now, Timestamp};

use crate::sim::clock_faults::ClockFaults;
use crate::sim::connections::{ConnId, Connections, End};
use crate::sim::phone::Phone;
use crate::sim::reference_model::ReferenceModel;
use crate::sim::relay::Relay;
use crate::sim::theft::Theft;
use crate::sim::trace::Trace;
use crate::sim::{FaultProfile, InjectedBug, SimRng, Traffic};

/// 2024-06-01T06:13:20Z.
pub(super) const BEGINNING: Timestamp = Timestamp(1_717_222_400_000);
/// The relay that all phones use in the end.
pub(super) const HOME: usize = 0;
/// Maximum number of events at one time: more are an endless loop.
const MAX_EVENTS_AT_ONCE: u32 = 20_000;

/// A simulated network.
#[derive(Debug)]
pub struct Network {
    pub(super) now_ms: u64,
    queue: BTreeMap<(u64, u64), NetworkEvent>,
    order: u64,
    at_once: u32,
    events: u64,
    pub(super) rng: SimRng,
    /// The present fault profile.
    pub faults: FaultProfile,
    pub(super) bug: InjectedBug,
    /// Whether phones poll the components of their replicas in random orders.
    pub(super) shuffles_polls: bool,
    pub(super) phones: Vec<Phone>,
    pub(super) relays: Vec<Relay>,
    pub(super) connections: Connections,
    pub(super) reference: ReferenceModel,
    /// The clock faults, in some of the scenarios.
    pub(super) clock_faults: Option<ClockFaults>,
    /// The theft, in some of the scenarios.
    pub(super) theft: Option<Theft>,
    pub(super) trace: Trace,
    requests: u32,
    /// Whether the phones' operating systems report a network.
    pub(super) believes_online: bool,
    /// When a phone last began to write to slow, failing or full storage.
    pub(super) storage_degraded_ms: u64,
    /// The first broken promise.
    pub(super) broken: Option<String>,
}

/// Something that will happen.
#[derive(Debug)]
pub(super) enum NetworkEvent {
    /// A phone's shell passes an input to its replica.
    Deliver { phone: usize, life: u32, input: Input },
    /// A transaction reaches the disk.
    DiskCommits { phone: usize, life: u32, batch: u32 },
    /// A transaction fails.
    DiskFails { phone: usize, life: u32, batch: u32, failure: StorageFailure },
    /// A read takes its snapshot.
    DiskReads { phone: usize, life: u32, request: u32, ranges: Vec<KeyRange> },
    /// A phone's timer fires.
    TimerFires { phone: usize, life: u32, timer: u32 },
    /// A phone's sensor measures, every second while the app runs.
    Measures { phone: usize, life: u32 },
    /// A killed app is started again.
    Starts { phone: usize },
    /// A connection is open or fails.
    Dialled { conn: ConnId },
    /// A message arrives.
    Arrives { conn: ConnId, at: End, message: Vec<u8> },
    /// An end detects that its connection is gone.
    Disconnects { conn: ConnId, end: End },
    /// The relay reads for a session.
    RelayReads { conn: ConnId, boot: u32, effect: serve::RelayEffect },
    /// A session of the relay gets an answer.
    RelayDelivers { conn: ConnId, boot: u32, input: serve::RelayInput },
    /// A session's deadline comes.
    RelayTimerFires { conn: ConnId, boot: u32, at_ms: u64 },
    /// The relay's disk is synced.
    RelayCommits { relay: usize, boot: u32 },
    /// A relay is started again.
    RelayStarts { relay: usize },
}

impl Network {
    /// Creates a calm network without phones.
    pub fn new(seed: u64) -> Network {
        Network::with(seed, InjectedBug::Nothing, false)
    }

    /// A network with a bug that is to be found.
    pub fn with_bug(seed: u64, bug: InjectedBug) -> Network {
        Network::with(seed, bug, false)
    }

    pub(super) fn with(seed: u64, bug: InjectedBug, keeps_lines: bool) -> Network {
        let mut rng = SimRng::new(seed);
        let relays = vec![Relay::new(rng.bytes(), rng.bytes())];
        Network {
            now_ms: 0,
            queue: BTreeMap::new(),
            order: 0,
            at_once: 0,
            events: 0,
            rng,
            faults: FaultProfile::calm(),
            bug,
            shuffles_polls: false,
            phones: Vec::new(),
            relays,
            connections: Connections::default(),
            reference: ReferenceModel::default(),
            clock_faults: None,
            theft: None,
            trace: Trace::new(keeps_lines),
            requests: 0,
            believes_online: true,
            storage_degraded_ms: 0,
            broken: None,
        }
    }

    /// Returns the number of phones.
    pub fn phones(&self) -> usize {
        self.phones.len()
    }

    /// Returns a phone.
    pub fn phone(&self, phone: usize) -> &Phone {
        &self.phones[phone]
    }

    /// Returns a phone's running app.
    pub fn replica(&self, phone: usize) -> &Replica {
        self.phones[phone].replica.as_ref().expect("the app runs")
    }

    /// Returns the first relay.
    pub fn relay(&self) -> &Relay {
        &self.relays[HOME]
    }

    /// Returns the account of a phone.
    pub fn account(&self, phone: usize) -> AccountId {
        self.replica(phone).account().account
    }

    /// Returns the messages of a phone's present connection.
    pub fn traffic(&self, phone: usize) -> Traffic {
        let conn = self.phones[phone].conn.and_then(|conn| self.connections.get(conn));
        conn.map(|conn| conn.traffic.clone()).unwrap_or_default()
    }

    /// Returns the readings of a phone's clocks.
    pub fn now(&self, phone: usize) -> Now {
        let phone = &self.phones[phone];
        let set_ms = if self.bug == InjectedBug::MonotonicIsSet { phone.clock_ms.max(0) as f64 } else { 0.0 };
        let monotonic_ms = phone.clocked_ms(phone.ran_ms(self.now_ms)) + set_ms + 0.25;
        Now { wall: BEGINNING + phone.clocked_ms(self.now_ms) as i64 + phone.clock_ms, monotonic_ms }
    }

    /// Returns the number of events so far.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// Returns the first broken promise.
    pub fn broken(&self) -> Option<&str> {
        self.broken.as_deref()
    }

    pub(super) fn report_broken(&mut self, promise: String) {
        self.trace.note(self.now_ms, format_args!("BROKEN {promise}"));
        self.broken.get_or_insert(promise);
    }

    /// Runs for this time.
    ///
    /// # Panics
    /// If a promise is broken.
    pub fn run_for(&mut self, ms: u64) {
        self.advance(ms);
        assert_eq!(self.broken, None);
    }

    pub(super) fn advance(&mut self, ms: u64) {
        let until_ms = self.now_ms + ms;
        while self.broken.is_none() && self.step(until_ms) {}
        self.now_ms = self.now_ms.max(until_ms);
    }

    /// Runs until a condition holds, but no longer than `within_ms`. Returns whether it holds.
    pub fn run_until(&mut self, within_ms: u64, mut is_so: impl FnMut(&Network) -> bool) -> bool {
        let until_ms = self.now_ms + within_ms;
        while !is_so(self) {
            if self.broken.is_some() || !self.step(until_ms) {
                self.now_ms = until_ms;
                return is_so(self);
            }
        }
        true
    }

    /// Sends a phone a command and waits for its outcome.
    ///
    /// # Panics
    /// If there is none within two minutes.
    pub fn perform(&mut self, phone: usize, command: Command) -> CommandOutcome {
        let request = self.command(phone, command);
        self.run_until(120_000, |sim| sim.outcome(phone, request).is_some());
        self.outcome(phone, request).cloned().expect("every command is settled")
    }

    /// Sends a phone a command. Returns its number, which its outcome has, too.
    pub fn command(&mut self, phone: usize, command: Command) -> u32 {
        self.requests += 1;
        let request = self.requests;
        self.reference.commanded(phone, request, &command);
        if let Command::JoinAccount { .. } | Command::RecoverAccount { .. } = command {
            // A phone that enters another account closes a healthy connection.
            let conn = self.phones[phone].conn.and_then(|conn| self.connections.get_mut(conn));
            conn.into_iter().for_each(|conn| conn.is_troubled = true);
        }
        self.deliver(phone, Input::Command { request, command });
        request
    }

    /// Returns the outcome of a command, if it has ended.
    pub fn outcome(&self, phone: usize, request: u32) -> Option<&CommandOutcome> {
        self.phones[phone].outcomes.get(&request)
    }

    /// Puts a phone on a route: from now on its sensor measures one fix a second.
    pub fn drive_along(&mut self, phone: usize, route: Vec<Fix>) {
        self.phones[phone].sensor.route = route;
        self.phones[phone].sensor.next = 0;
    }

    /// Sets the clock of a phone. Its sensor follows.
    pub fn set_clock(&mut self, phone: usize, by_ms: i64) {
        self.phones[phone].clock_ms += by_ms;
    }

    /// Sets the clock of a phone's sensor relative to the phone's clock.
    pub fn set_sensor_clock(&mut self, phone: usize, by_ms: i64) {
        self.phones[phone].sensor.ahead_ms += by_ms;
    }

    /// Delivers one measurement to a phone.
    pub fn measure(&mut self, phone: usize, fix: Fix) {
        self.deliver(phone, Input::Fix { fix, arrived_ms: None });
    }

    /// Reports a failure of a phone's sensor.
    pub fn sensor_fails(&mut self, phone: usize, reason: SensorFailure) {
        self.deliver(phone, Input::SensorFailed { reason });
    }

    /// Hides or shows the page of a phone. A hidden page gets no measurements.
    pub fn show(&mut self, phone: usize, is_shown: bool) {
        self.phones[phone].is_shown = is_shown;
        self.deliver(phone, if is_shown { Input::Shown } else { Input::Hidden });
    }

    pub(super) fn schedule(&mut self, in_ms: u64, event: NetworkEvent) {
        self.order += 1;
        self.queue.insert((self.now_ms + in_ms, self.order), event);
    }

    /// Performs the next event that is due by `until_ms`.
    fn step(&mut self, until_ms: u64) -> bool {
        let Some(next) = self.queue.first_entry().filter(|next| next.key().0 <= until_ms) else { return false };
        let ((at_ms, _), event) = next.remove_entry();
        self.at_once = if at_ms == self.now_ms { self.at_once + 1 } else { 0 };
        self.now_ms = at_ms;
        self.events += 1;
        if let Some(nap) = self.happens_on(&event).and_then(|phone| self.phones[phone].nap(at_ms)) {
            self.schedule(nap.until_ms - at_ms, event);
            return true;
        }
        if self.at_once > MAX_EVENTS_AT_ONCE {
            self.report_broken(format!("time goes on: {MAX_EVENTS_AT_ONCE} events at one instant, the last {event:?}"));
        }
        self.happen(event);
        true
    }

    /// Returns the phone that must be awake for an event.
    fn happens_on(&self, event: &NetworkEvent) -> Option<usize> {
        match event {
            NetworkEvent::Deliver { phone, .. }
            | NetworkEvent::DiskCommits { phone, .. }
            | NetworkEvent::DiskFails { phone, .. }
            | NetworkEvent::DiskReads { phone, .. }
            | NetworkEvent::TimerFires { phone, .. }
            | NetworkEvent::Measures { phone, .. } => Some(*phone),
            NetworkEvent::Dialled { conn }
            | NetworkEvent::Arrives { conn, at: End::Phone, .. }
            | NetworkEvent::Disconnects { conn, end: End::Phone } => self.connections.get(*conn).map(|conn| conn.phone),
            NetworkEvent::Starts { .. }
            | NetworkEvent::Arrives { at: End::Relay, .. }
            | NetworkEvent::Disconnects { end: End::Relay, .. }
            | NetworkEvent::RelayReads { .. }
            | NetworkEvent::RelayDelivers { .. }
            | NetworkEvent::RelayTimerFires { .. }
            | NetworkEvent::RelayCommits { .. }
            | NetworkEvent::RelayStarts { .. } => None,
        }
    }

    fn happen(&mut self, event: NetworkEvent) {
        match event {
            NetworkEvent::Deliver { phone, life, input } => self.deliver_if_running(phone, life, input),
            NetworkEvent::DiskCommits { phone, life, batch } if self.is_running(phone, life) => {
                if self.bug != InjectedBug::ForgetsTransactions || !self.rng.one_in(40) {
                    self.phones[phone].disk.commit(batch);
                } else {
                    self.phones[phone].disk.abort(batch);
                }
                if self.bug != InjectedBug::StoredTooEarly {
                    let in_ms = self.rng.between(0, 3);
                    self.schedule(in_ms, NetworkEvent::Deliver { phone, life, input: Input::Stored { batch } });
                }
            }
            NetworkEvent::DiskFails { phone, life, batch, failure } if self.is_running(phone, life) => {
                self.phones[phone].disk.abort(batch);
                self.deliver(phone, Input::StoreFailed { batch, failure });
            }
            NetworkEvent::DiskReads { phone, life, request, ranges } if self.is_running(phone, life) => {
                let entries = self.phones[phone].disk.read(&ranges);
                let in_ms = self.rng.between(self.faults.load_ms.0, self.faults.load_ms.1) / 2;
                self.schedule(in_ms, NetworkEvent::Deliver { phone, life, input: Input::Loaded { request, entries } });
            }
            NetworkEvent::TimerFires { phone, life, timer } => {
                if self.is_running(phone, life) && self.phones[phone].timer == timer {
                    self.deliver(phone, Input::Tick);
                }
            }
            NetworkEvent::Measures { phone, life } if self.is_running(phone, life) => self.measure_now(phone, life),
            NetworkEvent::Starts { phone } => {
                if self.phones[phone].replica.is_none()
                    && let Err(error) = self.start(phone)
                {
                    self.report_broken(format!("a phone's app starts again after a kill: {error}"));
                }
            }
            NetworkEvent::DiskCommits { .. }
            | NetworkEvent::DiskFails { .. }
            | NetworkEvent::DiskReads { .. }
            | NetworkEvent::Measures { .. } => {}
            NetworkEvent::Dialled { conn } => self.dialled(conn),
            NetworkEvent::Arrives { conn, at, message } => self.arrives(conn, at, message),
            NetworkEvent::Disconnects { conn, end } => self.disconnected(conn, end),
            NetworkEvent::RelayReads { conn, boot, effect } => self.relay_reads(conn, boot, &effect),
            NetworkEvent::RelayDelivers { conn, boot, input } => self.deliver_to_session(conn, boot, input),
            NetworkEvent::RelayTimerFires { conn, boot, at_ms } => self.relay_timer_fired(conn, boot, at_ms),
            NetworkEvent::RelayCommits { relay, boot } => self.relay_commits(relay, boot),
            NetworkEvent::RelayStarts { relay } => self.relays[relay].is_up = true,
        }
    }
}
