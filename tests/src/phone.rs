//! A phone without a browser: performs a replica's effects with a file, a key, a socket and a clock.
//!
//! It decides nothing. The replica is the same as in the browser; only storage, signing and connections differ.

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

/// The parameters of a phone.
#[derive(Debug)]
pub struct Setup {
    /// Its storage.
    pub storage: Storage,
    /// The device's key, the same at every start.
    pub key: SigningKey,
    /// Determines the actor of this start: it must differ for every start with one key, unless the same changes are
    /// wanted.
    pub seed: [u8; 32],
    /// For the first start of a device with a grant: the grant.
    pub grant: Option<Vec<u8>>,
    /// The URL of the relay, such as `ws://localhost:8080/v1/sync`.
    pub relay: String,
    /// The relay's origin, if `relay` leads to it through a byte counter; absent if `relay` itself is dialled.
    pub origin: Option<String>,
    /// Its clock.
    pub clock: Clock,
    /// Whether there is a network at the start.
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
    /// The replica refuses the arguments.
    #[error(transparent)]
    Open(#[from] OpenError),
}

/// Why a phone and its relay do not agree.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// The relay cannot be reached.
    #[error("no relay at {relay}: {reason}")]
    NoRelay {
        /// Its URL.
        relay: String,
        /// The reason of the last failure.
        reason: String,
    },
    /// The relay refused the phone with a lasting code.
    #[error("the relay sends this device away: {code:?}")]
    Rejected {
        /// The code.
        code: ByeCode,
    },
    /// The relay refuses changes.
    #[error("the relay refuses something of {documents} documents")]
    Refused {
        /// The number of documents with refused changes.
        documents: u32,
    },
    /// Nothing progresses.
    #[error("nothing has moved for {seconds} s; {unsent} changes are not acknowledged")]
    Stalled {
        /// The time without progress.
        seconds: u64,
        /// The number of unsent changes.
        unsent: u32,
    },
}

/// The traffic of the sockets, in messages and in bytes including the WebSocket frames (RFC 6455).
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
    /// When the replica's timer fires, on its monotonic clock.
    timer_ms: Option<f64>,
    socket: Option<Socket>,
    /// The reason of the end of the last connection.
    lost: Option<String>,
    requests: u32,
    settled: Vec<(u32, CommandOutcome)>,
    traffic: Traffic,
}

impl Setup {
    /// Returns a phone without permanent storage: a new key, a new account.
    pub fn in_memory(relay: &str) -> Setup {
        Setup::with(Storage::in_memory(), SigningKey::from_bytes(&random()), relay)
    }

    /// Returns a phone whose key and data are in a folder, which is created if it does not exist.
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
    /// Opens the phone with its storage.
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

    /// Returns the replica, for reading.
    pub fn replica(&self) -> &Replica {
        &self.replica
    }

    /// Returns the state of storage and sync.
    pub fn status(&self) -> StatusView {
        self.replica.status()
    }

    /// Returns the public key of the device, for [`Command::GrantDevice`].
    pub fn device(&self) -> [u8; 32] {
        self.key.verifying_key().to_bytes()
    }

    /// Returns the traffic of the sockets so far.
    pub fn traffic(&self) -> Traffic {
        self.traffic
    }

    /// Ends the phone and returns its storage.
    pub fn into_storage(self) -> Storage {
        self.storage
    }

    /// Returns the phone's clock.
    pub fn clock(&mut self) -> &mut Clock {
        &mut self.clock
    }

    /// Removes or restores the network.
    pub fn network(&mut self, online: bool) {
        self.online = online;
        if !online && self.socket.take().is_some() {
            self.handle(Input::Disconnected);
        }
        self.handle(Input::Network { online });
    }

    /// Passes a measurement to the replica.
    pub fn feed(&mut self, fix: Fix) {
        self.handle(Input::Fix { fix, arrived_ms: None });
    }

    /// Moves the phone to another time at once. Timers that are due on the way fire when they are due.
    pub fn travel(&mut self, to: Timestamp) {
        let ahead_ms = to.millis_since(self.clock.now().wall) as f64;
        let arrival_ms = self.clock.now().monotonic_ms + ahead_ms.max(0.0);
        while let Some(due_ms) = self.timer_ms.filter(|due_ms| *due_ms <= arrival_ms) {
            self.clock.advance_to(due_ms);
            self.tick();
        }
        self.clock.set(to);
    }

    /// Passes a message of the relay to the phone in the phone's time.
    pub fn receive(&mut self, message: &Message) {
        self.take(PhoneEvent::Socket(SocketEvent::Message(message.encode())));
    }

    /// Runs the phone until its clock shows this time.
    pub async fn run_until(&mut self, wall: Timestamp) {
        while let Some(left) = self.clock.real_time_to(wall).filter(|left| !left.is_zero()) {
            tokio::select! {
                happening = next(&mut self.socket, self.clock.real_time_until(self.timer_ms)) => self.take(happening),
                () = sleep(left) => {}
            }
        }
    }

    /// Performs a command and returns its outcome; `None` if it has not ended after `patience`.
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

    /// Runs the phone until a condition holds. Returns whether it holds within `patience`.
    pub async fn until(&mut self, patience: Duration, is_so: impl Fn(&Replica) -> bool) -> bool {
        let deadline = Instant::now() + patience;
        while !is_so(&self.replica) {
            if timeout_at(deadline, self.step()).await.is_err() {
                return false;
            }
        }
        true
    }

    /// Runs the phone until the relay has acknowledged everything and both agree.
    ///
    /// # Errors
    /// [`SyncError`] if the relay refuses, or if nothing progressed for `patience`.
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

    /// Waits for the next event and handles it.
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

    /// Passes an input to the replica, and then the answers of its effects, until there are no further immediate ones.
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

/// An event from outside of the phone.
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

/// Returns the origin of a WebSocket URL, as browsers write it; empty for an unusable URL.
fn origin_dialled(url: &str) -> String {
    let web = url.replacen("ws", "http", 1);
    let end = web.find("://").and_then(|scheme| web[scheme + 3..].find(['/', '?', '#']).map(|end| scheme + 3 + end));
    web[..end.unwrap_or(web.len())].parse::<Origin>().map(|origin| origin.to_string()).unwrap_or_default()
}

/// Returns the size of a WebSocket frame with this payload (RFC 6455, 5.2); `mask` is 4 from a client, 0 from a server.
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
