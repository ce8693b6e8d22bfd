//! A phone without a browser: performs a replica's effects with a file, a key, a socket and a clock.
//!
//! It decides nothing. The replica is the one that runs in the browser; what differs is who stores, signs and connects.

mod clock;
mod socket;
mod storage;

use std::collections::VecDeque;
use std::future::pending;
use std::path::Path;
use std::time::Duration;

use ed25519_dalek::{Signer, SigningKey};
use tokio::time::{Instant, sleep, sleep_until, timeout_at};
use tourismo_core::fix::Fix;
use tourismo_core::replica::io::{Command, CommandOutcome, Effect, Input};
use tourismo_core::replica::views::{LinkStatus, StatusView};
use tourismo_core::replica::{Bootstrap, OpenError, Replica};
use tourismo_core::time::Timestamp;
use tourismo_core::wire::{ByeCode, Message};
use tourismo_server::Origin;

pub use clock::Clock;
use socket::{Socket, SocketEvent};
pub use storage::{Storage, StorageError};

/// The name of the device's private key in a phone's folder.
const KEY_FILE: &str = "device.key";
/// The name of the storage in a phone's folder.
const STORAGE_FILE: &str = "storage.log";

/// What a phone is made of.
#[derive(Debug)]
pub struct Setup {
    /// Where it keeps things.
    pub storage: Storage,
    /// The device's key, the same at every start.
    pub key: SigningKey,
    /// Names the writer of this start's changes: never the same twice for one key, unless the same changes are to come.
    pub seed: [u8; 32],
    /// At the first start of a device that another one let in: what that one gave it.
    pub grant: Option<Vec<u8>>,
    /// Where the relay is, such as `ws://localhost:8080/v1/sync`.
    pub relay: String,
    /// The relay's origin, if `relay` leads to it by way of something that only counts bytes; absent if it is what is dialled.
    pub origin: Option<String>,
    /// The time on the phone.
    pub clock: Clock,
    /// Whether there is a network from the beginning.
    pub online: bool,
}

/// Why a phone cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum PhoneError {
    /// The storage cannot be used.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The key cannot be read or written.
    #[error("the device key cannot be read or written: {0}")]
    Key(std::io::Error),
    /// The key has a wrong length.
    #[error("the device key has {bytes} bytes where 32 belong")]
    BadKey {
        /// Its length.
        bytes: usize,
    },
    /// The replica refuses what it was given.
    #[error(transparent)]
    Open(#[from] OpenError),
}

/// Why a phone and its relay do not come to agree.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// The relay cannot be reached.
    #[error("no relay at {relay}: {reason}")]
    NoRelay {
        /// Its address.
        relay: String,
        /// What the last attempt ended with.
        reason: String,
    },
    /// The relay sent the phone away for good.
    #[error("the relay sends this device away: {code:?}")]
    Rejected {
        /// Why.
        code: ByeCode,
    },
    /// The relay refuses to keep something.
    #[error("the relay refuses something of {documents} documents")]
    Refused {
        /// Of how many documents.
        documents: u32,
    },
    /// Nothing moves.
    #[error("nothing has moved for {seconds} s; {unsent} changes are not acknowledged")]
    Stalled {
        /// For how long.
        seconds: u64,
        /// How many changes wait.
        unsent: u32,
    },
}

/// What has gone over the sockets, in messages and in bytes with the WebSocket frames around them (RFC 6455).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Binary messages to the relay.
    pub sent: u64,
    /// Their size.
    pub sent_bytes: u64,
    /// Binary messages from the relay.
    pub received: u64,
    /// Their size.
    pub received_bytes: u64,
}

/// A phone.
#[derive(Debug)]
pub struct Phone {
    replica: Replica,
    storage: Storage,
    key: SigningKey,
    relay: String,
    origin: String,
    clock: Clock,
    online: bool,
    /// When the replica wants to be woken, on its monotonic clock.
    timer_ms: Option<f64>,
    socket: Option<Socket>,
    /// What the last connection ended with.
    lost: Option<String>,
    requests: u32,
    settled: Vec<(u32, CommandOutcome)>,
    traffic: Traffic,
}

impl Setup {
    /// A phone that forgets everything at its end: a new key, a new account.
    pub fn in_memory(relay: &str) -> Setup {
        Setup::with(Storage::in_memory(), SigningKey::from_bytes(&random()), relay)
    }

    /// A phone that keeps its key and its data in a folder, which is made if it is not there.
    ///
    /// # Errors
    /// [`PhoneError`] if the folder cannot be used, or another process uses it.
    pub fn in_folder(folder: &Path, relay: &str) -> Result<Setup, PhoneError> {
        std::fs::create_dir_all(folder).map_err(StorageError::from)?;
        let storage = Storage::in_file(&folder.join(STORAGE_FILE))?;
        Ok(Setup::with(storage, key_in(&folder.join(KEY_FILE))?, relay))
    }

    fn with(storage: Storage, key: SigningKey, relay: &str) -> Setup {
        let (relay, clock) = (relay.to_owned(), Clock::of_this_machine());
        Setup { storage, key, seed: random(), grant: None, relay, origin: None, clock, online: true }
    }
}

impl Phone {
    /// Opens the phone on what its storage holds.
    ///
    /// # Errors
    /// [`PhoneError`] if the storage cannot be read or the grant does not fit.
    ///
    /// # Panics
    /// Outside a Tokio runtime, if it is online: the socket is a task.
    pub fn open(setup: Setup) -> Result<Phone, PhoneError> {
        let Setup { storage, key, seed, grant, relay, origin, clock, online } = setup;
        let origin = origin.unwrap_or_else(|| origin_dialled(&relay));
        let opening = Bootstrap {
            seed: seed.to_vec().into(),
            device: key.verifying_key().to_bytes().to_vec().into(),
            grant: grant.map(Into::into),
            stored: storage.opening(),
        };
        let mut phone = Phone {
            replica: Replica::open(&opening)?,
            storage,
            key,
            relay,
            origin,
            clock,
            online,
            timer_ms: None,
            socket: None,
            lost: None,
            requests: 0,
            settled: Vec::new(),
            traffic: Traffic::default(),
        };
        phone.handle(Input::Start);
        if !online {
            phone.network(false);
        }
        Ok(phone)
    }

    /// The replica, to be read.
    pub fn replica(&self) -> &Replica {
        &self.replica
    }

    /// How storage and sync are.
    pub fn status(&self) -> StatusView {
        self.replica.status()
    }

    /// The public key of the device, as [`Command::GrantDevice`] wants it.
    pub fn device(&self) -> [u8; 32] {
        self.key.verifying_key().to_bytes()
    }

    /// What has gone over the sockets so far.
    pub fn traffic(&self) -> Traffic {
        self.traffic
    }

    /// Ends the phone and leaves what it stored.
    pub fn into_storage(self) -> Storage {
        self.storage
    }

    /// The time on the phone.
    pub fn clock(&mut self) -> &mut Clock {
        &mut self.clock
    }

    /// Takes the network away or gives it back.
    pub fn network(&mut self, online: bool) {
        self.online = online;
        if !online && self.socket.take().is_some() {
            self.handle(Input::Disconnected);
        }
        self.handle(Input::Network { online });
    }

    /// Gives the replica a measurement.
    pub fn feed(&mut self, fix: Fix) {
        self.handle(Input::Fix { fix, arrived_ms: None });
    }

    /// Moves the phone to another time at once. What was due on the way happens when it was due.
    pub fn travel(&mut self, to: Timestamp) {
        let ahead_ms = to.millis_since(self.clock.now().wall) as f64;
        let arrival_ms = self.clock.now().monotonic_ms + ahead_ms.max(0.0);
        while let Some(due_ms) = self.timer_ms.filter(|due_ms| *due_ms <= arrival_ms) {
            self.clock.advance_to(due_ms);
            self.tick();
        }
        self.clock.set(to);
    }

    /// Has the phone hear what its relay would say if it lived in the phone's time.
    pub fn receive(&mut self, message: &Message) {
        self.take(PhoneEvent::Socket(SocketEvent::Message(message.encode())));
    }

    /// Lets the phone live until its clock shows this time.
    pub async fn run_until(&mut self, wall: Timestamp) {
        while let Some(left) = self.clock.real_time_to(wall).filter(|left| !left.is_zero()) {
            tokio::select! {
                happening = next(&mut self.socket, self.clock.real_time_until(self.timer_ms)) => self.take(happening),
                () = sleep(left) => {}
            }
        }
    }

    /// Has a command carried out and says how it ended; `None` if it has not ended after `patience`.
    pub async fn command(&mut self, command: Command, patience: Duration) -> Option<CommandOutcome> {
        self.requests += 1;
        let request = self.requests;
        self.handle(Input::Command { request, command });
        let deadline = Instant::now() + patience;
        loop {
            if let Some(place) = self.settled.iter().position(|(settled, _)| *settled == request) {
                return Some(self.settled.swap_remove(place).1);
            }
            timeout_at(deadline, self.step()).await.ok()?;
        }
    }

    /// Lets the phone live until something is so. Says whether it came to be within `patience`.
    pub async fn until(&mut self, patience: Duration, is_so: impl Fn(&Replica) -> bool) -> bool {
        let deadline = Instant::now() + patience;
        while !is_so(&self.replica) {
            if timeout_at(deadline, self.step()).await.is_err() {
                return false;
            }
        }
        true
    }

    /// Lets the phone live until the relay has acknowledged everything and both agree.
    ///
    /// # Errors
    /// [`SyncError`] if the relay refuses, or if nothing has moved for as long as `patience`.
    pub async fn sync(&mut self, patience: Duration) -> Result<(), SyncError> {
        let mut deadline = Instant::now() + patience;
        let mut before = (self.traffic, self.status().unsent_changes);
        loop {
            let status = self.status();
            match status.link {
                LinkStatus::Rejected { code } => return Err(SyncError::Rejected { code }),
                LinkStatus::UpToDate | LinkStatus::Syncing if status.refused > 0 => {
                    return Err(SyncError::Refused { documents: status.refused });
                }
                LinkStatus::UpToDate if status.unsent_changes == 0 => return Ok(()),
                LinkStatus::UpToDate | LinkStatus::Syncing | LinkStatus::Offline | LinkStatus::Connecting => {}
            }
            if before != (self.traffic, status.unsent_changes) {
                before = (self.traffic, status.unsent_changes);
                deadline = Instant::now() + patience;
            }
            if timeout_at(deadline, self.step()).await.is_err() {
                return Err(match (status.link, self.lost.clone()) {
                    (LinkStatus::Offline | LinkStatus::Connecting, Some(reason)) => {
                        SyncError::NoRelay { relay: self.relay.clone(), reason }
                    }
                    _ => SyncError::Stalled { seconds: patience.as_secs(), unsent: status.unsent_changes },
                });
            }
        }
    }

    /// Waits for the next thing that happens, and takes it in.
    async fn step(&mut self) {
        let happening = next(&mut self.socket, self.clock.real_time_until(self.timer_ms)).await;
        self.take(happening);
    }

    fn take(&mut self, happening: PhoneEvent) {
        match happening {
            PhoneEvent::TimerDue => self.tick(),
            PhoneEvent::Socket(SocketEvent::Opened) => self.handle(Input::Connected { origin: self.origin.clone() }),
            PhoneEvent::Socket(SocketEvent::Message(bytes)) => {
                self.traffic.received += 1;
                self.traffic.received_bytes += framed(bytes.len(), 0);
                self.handle(Input::Received { bytes: bytes.into() });
            }
            PhoneEvent::Socket(SocketEvent::Closed(reason)) => {
                self.socket = None;
                self.lost = Some(reason);
                self.handle(Input::Disconnected);
            }
        }
    }

    fn tick(&mut self) {
        self.timer_ms = None;
        self.handle(Input::Tick);
    }

    /// Hands the replica what happened, and then what came of its effects, until nothing more comes at once.
    fn handle(&mut self, input: Input) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            for effect in self.replica.handle(self.clock.now(), input) {
                inputs.extend(self.perform(effect));
            }
        }
    }

    fn perform(&mut self, effect: Effect) -> Option<Input> {
        match effect {
            Effect::Store { batch, ops } => Some(match self.storage.write(&ops) {
                Ok(()) => Input::Stored { batch },
                Err(failure) => Input::StoreFailed { batch, failure },
            }),
            Effect::Load { request, ranges } => Some(Input::Loaded { request, entries: self.storage.read(&ranges) }),
            Effect::Sign { request, bytes } => {
                let signature = self.key.sign(&bytes).to_bytes().to_vec().into();
                Some(Input::Signed { request, signature })
            }
            Effect::Connect if self.online => {
                self.socket = Some(Socket::open(self.relay.clone()));
                None
            }
            Effect::Connect => Some(Input::Disconnected),
            Effect::Send { bytes } => {
                if let Some(socket) = &self.socket {
                    self.traffic.sent += 1;
                    self.traffic.sent_bytes += framed(bytes.len(), 4);
                    socket.send(bytes);
                }
                None
            }
            Effect::Disconnect => {
                self.socket = None;
                None
            }
            Effect::SetTimer { in_ms, why: _ } => {
                self.timer_ms = Some(self.clock.now().monotonic_ms + in_ms);
                None
            }
            Effect::Settled { request, outcome } => {
                self.settled.push((request, outcome));
                None
            }
            Effect::Changed { topics: _ } => None,
        }
    }
}

/// Something that happens to a phone by itself.
enum PhoneEvent {
    Socket(SocketEvent),
    TimerDue,
}

async fn next(socket: &mut Option<Socket>, timer: Option<Duration>) -> PhoneEvent {
    let due = timer.map(|left| Instant::now() + left);
    let socket = async {
        match socket {
            Some(socket) => socket.next().await,
            None => pending().await,
        }
    };
    let timer = async {
        match due {
            Some(due) => sleep_until(due).await,
            None => pending().await,
        }
    };
    tokio::select! {
        event = socket => PhoneEvent::Socket(event),
        () = timer => PhoneEvent::TimerDue,
    }
}

/// The origin that a WebSocket URL leads to, as browsers write it; empty for what no socket can be opened to.
fn origin_dialled(url: &str) -> String {
    let web = url.replacen("ws", "http", 1);
    let end = web.find("://").and_then(|scheme| web[scheme + 3..].find(['/', '?', '#']).map(|end| scheme + 3 + end));
    web[..end.unwrap_or(web.len())].parse::<Origin>().map(|origin| origin.to_string()).unwrap_or_default()
}

/// The size of a WebSocket frame with so many bytes in it (RFC 6455, 5.2); `mask` is 4 from a client, 0 from a server.
fn framed(bytes: usize, mask: u64) -> u64 {
    let head = match bytes {
        0..126 => 2,
        126..65_536 => 4,
        _ => 10,
    };
    head + mask + bytes as u64
}

fn key_in(path: &Path) -> Result<SigningKey, PhoneError> {
    match std::fs::read(path) {
        Ok(bytes) => {
            let key: [u8; 32] = bytes.as_slice().try_into().map_err(|_| PhoneError::BadKey { bytes: bytes.len() })?;
            Ok(SigningKey::from_bytes(&key))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let key = random();
            storage::write_secret(path, &key).map_err(PhoneError::Key)?;
            Ok(SigningKey::from_bytes(&key))
        }
        Err(error) => Err(PhoneError::Key(error)),
    }
}

fn random() -> [u8; 32] {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).expect("the system has randomness; without it no key is safe");
    bytes
}
