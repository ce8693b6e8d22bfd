//! One sync connection: a loop that hands the session what happened and does what it says.

use std::io::ErrorKind;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{Message, WebSocket};
use futures_util::stream::{FuturesUnordered, SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until, timeout};
use tourismo_core::admission::{ActorClaims, InflationBudget};
use tourismo_core::id::{AccountId, DeviceKey};
use tourismo_core::origin::OriginPolicy;
use tourismo_core::session::relay::{ChangeOutcome, RelayEffect, RelayInput, RelaySession};
use tourismo_core::wire::{ByeCode, NackCode, Offer, PROTOCOL};
use tracing::Instrument;

use super::SyncState;
use crate::clients::limits::{ConnectionPermit, Source};
use crate::db::{accounts, change_log, documents, sql};
use crate::http::serving::ByteAllowance;
use crate::notify::head_notifier::Subscription;
use crate::writer::{Admitted, Committing, Examined, Pusher, Unavailable};

/// How long the socket may take to accept one message. A reader that is slower is cut off and resumes by its cursor.
const WRITE_DEADLINE: Duration = Duration::from_secs(30);

/// How long the other side may take to close after it was told to.
const CLOSE_DEADLINE: Duration = Duration::from_secs(2);

/// The longest that a push may wait for its turn; a phone takes a longer silence for a broken connection.
const LONGEST_WAIT: Duration = Duration::from_secs(20);

/// Work for the session that is under way. The session bounds how much there can be.
type Pending = FuturesUnordered<Pin<Box<dyn Future<Output = RelayInput> + Send>>>;

/// Who is at the other end, before they say their name.
pub(super) struct Client {
    pub(super) source: Source,
    pub(super) allowance: Arc<ByteAllowance>,
    /// For which origins they may sign.
    pub(super) policy: OriginPolicy,
}

pub(super) struct Connection {
    relay: Arc<SyncState>,
    client: Client,
    session: RelaySession,
    opened: Instant,
    sink: SplitSink<WebSocket, Message>,
    stream: SplitStream<WebSocket>,
    pending: Pending,
    /// Pushes are looked at one after the other, and reach the writer as they came: later ones build on earlier ones.
    in_order: Arc<Mutex<()>>,
    /// The device's admission, while it is looked into.
    admitting: Option<Admitting>,
    account: Option<(AccountId, Subscription)>,
    /// Whose changes it may bring, once it is known whose connection it is.
    claims: Option<ActorClaims>,
    /// Counts this connection among the account's.
    place: Option<ConnectionPermit>,
    /// When the next message is read.
    read_at: Instant,
}

/// An answer that is being read from the database.
type Reading<'c> = Pin<Box<dyn Future<Output = Result<RelayInput, sqlx::Error>> + Send + 'c>>;

/// The socket is of no more use.
struct SocketClosed;

impl Connection {
    pub(super) fn new(relay: Arc<SyncState>, client: Client, socket: WebSocket) -> Connection {
        let mut nonce = [0; 32];
        getrandom::fill(&mut nonce).expect("the system has randomness; without it no key is safe");
        let (sink, stream) = socket.split();
        Connection {
            session: RelaySession::new(relay.identity.id, client.policy.clone(), nonce, 0),
            client,
            opened: Instant::now(),
            sink,
            stream,
            pending: Pending::new(),
            in_order: Arc::default(),
            admitting: None,
            account: None,
            claims: None,
            place: None,
            read_at: Instant::now(),
            relay,
        }
    }

    pub(super) async fn run(mut self) {
        let mut stopping = self.relay.stopping.clone();
        while !self.session.is_closed() {
            let deadline = self.session.next_deadline().map(|(due_ms, _)| self.opened + Duration::from_millis(due_ms));
            // Answers come before the news of a longer log: what this client pushed itself is then not read back.
            let input = tokio::select! {
                biased;
                _ = stopping.wait_for(|stopping| *stopping) => RelayInput::Stop(ByeCode::GoingAway),
                admission = admitted(&mut self.admitting) => self.admit_device(admission),
                Some(input) = self.pending.next(), if !self.pending.is_empty() => input,
                Some(head) = log_grown(&mut self.account) => RelayInput::Grew(head),
                Some(()) = due(deadline) => RelayInput::Tick,
                frame = next(&mut self.stream, self.read_at) => match frame {
                    Some(Ok(Message::Binary(bytes))) => RelayInput::Received(bytes.into()),
                    // The socket answers these by itself; only messages of the protocol are signs of life. `[M5]`
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => {
                        self.count_message();
                        continue;
                    }
                    Some(Ok(Message::Text(_))) => RelayInput::Stop(ByeCode::Malformed),
                    Some(Ok(Message::Close(_))) | None => break,
                    Some(Err(error)) => match close_frame(error) {
                        Some(code) => RelayInput::Stop(code),
                        None => break,
                    },
                },
            };
            if let RelayInput::Received(_) = input {
                self.count_message();
            }
            if let RelayInput::Admitted { .. } = input {
                self.client.allowance.lift();
            }
            if let RelayInput::NotAdmitted(code) | RelayInput::Stop(code) = input {
                self.relay.metrics.refuse_connection(code);
            }
            let now_ms = self.opened.elapsed().as_millis() as u64;
            for effect in self.session.handle(now_ms, input) {
                if self.perform(effect).await.is_err() {
                    return;
                }
            }
        }
        self.close().await;
    }

    async fn perform(&mut self, effect: RelayEffect) -> Result<(), SocketClosed> {
        match effect {
            RelayEffect::Send(bytes) => self.send(Message::Binary(bytes.into())).await?,
            RelayEffect::ReportOrigin { dialled } => self.relay.public_origin.report(&dialled, &self.client.policy),
            RelayEffect::ReportShortLog { cursor, head } => self.relay.short_log.report(self.account()?, cursor, head),
            RelayEffect::Admit { account, device, granted_by, protocol } => {
                self.relay.metrics.sync.handshake(protocol);
                if protocol < PROTOCOL {
                    self.relay.public_origin.count_old_phone();
                }
                self.claims = Some(ActorClaims::new(&device));
                let candidate = Candidate { account, device, granted_by };
                self.admitting = Some(Box::pin(admit(self.relay.clone(), candidate, self.client.source)));
            }
            // All that follows comes from a session that was admitted.
            RelayEffect::Commit { push, changes } => {
                let (account, claims) = (self.account()?, self.claims.clone().ok_or(SocketClosed)?);
                let pusher = Pusher { account, source: self.client.source.names(&self.relay.identity.id), claims };
                let in_order = self.in_order.clone();
                let span = tracing::debug_span!("push", push, changes = changes.len());
                let commit = commit(self.relay.clone(), in_order, pusher, push, changes);
                self.pending.push(Box::pin(commit.instrument(span)));
            }
            RelayEffect::Vouch { actor_prefix } => {
                let (relay, account) = (self.relay.clone(), self.account()?);
                self.claims.as_mut().ok_or(SocketClosed)?.vouch(actor_prefix);
                self.pending.push(Box::pin(async move {
                    match relay.writer.vouch(account, actor_prefix).await {
                        Ok(()) => tracing::info!(%account, "a device vouched for another one"),
                        Err(Unavailable) => tracing::warn!(%account, "a device could not vouch for another one"),
                    }
                    RelayInput::Vouched
                }));
            }
            RelayEffect::ReadLog { after } => self.read(move |snapshot, account| {
                Box::pin(async move { change_log::page(snapshot, account, after).await.map(RelayInput::Log) })
            })?,
            RelayEffect::ReadDoc { doc, after } => self.read(move |snapshot, account| {
                Box::pin(async move { change_log::doc_page(snapshot, account, doc, after).await.map(RelayInput::Doc) })
            })?,
            RelayEffect::ReadHeads { from, to } => self.read(move |snapshot, account| {
                Box::pin(async move { documents::heads_page(snapshot, account, from, to).await.map(RelayInput::Heads) })
            })?,
            RelayEffect::ReadNames { docs, after, upto } => self.read(move |snapshot, account| {
                let page = async move { change_log::names_page(snapshot, account, &docs, after, upto).await };
                Box::pin(async move { page.await.map(RelayInput::Names) })
            })?,
            RelayEffect::Close => {}
        }
        Ok(())
    }

    /// Takes the seat of a device that was let in, and tells the session.
    fn admit_device(&mut self, admission: Result<AdmittedDevice, RelayInput>) -> RelayInput {
        self.admitting = None;
        match admission {
            Ok(AdmittedDevice { account, place, subscription, head }) => {
                tracing::Span::current().record("account", tracing::field::display(account));
                self.place = Some(place);
                self.account = Some((account, subscription));
                RelayInput::Admitted { epoch: self.relay.identity.epoch, head, at: self.relay.clock.now() }
            }
            Err(refusal) => refusal,
        }
    }

    async fn send(&mut self, message: Message) -> Result<(), SocketClosed> {
        match timeout(WRITE_DEADLINE, self.sink.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(SocketClosed),
        }
    }

    /// Counts what an account says, so that one who says too much is read more slowly. Strangers have their allowance.
    fn count_message(&mut self) {
        if let Some((account, _)) = &self.account {
            self.read_at = Instant::now() + self.relay.limiter.message(*account).min(LONGEST_WAIT);
        }
    }

    /// Reads for the session, in one snapshot.
    fn read<F>(&mut self, read: F) -> Result<(), SocketClosed>
    where
        F: for<'c> FnOnce(&'c mut sql::Connection, AccountId) -> Reading<'c> + Send + 'static,
    {
        let (readers, account) = (self.relay.sync_readers.clone(), self.account()?);
        let snapshot = async move {
            let mut snapshot = readers.snapshot().await?;
            read(&mut snapshot, account).await
        };
        self.pending.push(Box::pin(async move { snapshot.await.unwrap_or_else(cannot_read) }));
        Ok(())
    }

    fn account(&self) -> Result<AccountId, SocketClosed> {
        self.account.as_ref().map(|(account, _)| *account).ok_or(SocketClosed)
    }

    /// Says goodbye, and lets what was sent arrive: closing a socket with unread bytes in it would throw that away.
    async fn close(mut self) {
        let goodbye = async {
            if self.sink.close().await.is_ok() {
                while self.stream.next().await.is_some_and(|frame| frame.is_ok()) {}
            }
        };
        // Whoever does not answer in time is left alone.
        let _ = timeout(CLOSE_DEADLINE, goodbye).await;
    }
}

/// A device that proved its key, and wants to speak for an account.
#[derive(Clone, Copy)]
struct Candidate {
    account: AccountId,
    device: DeviceKey,
    granted_by: Option<DeviceKey>,
}

/// What a device has that was let in.
struct AdmittedDevice {
    account: AccountId,
    place: ConnectionPermit,
    subscription: Subscription,
    head: u64,
}

/// An admission that is looked into: a seat, or what to tell the session.
type Admitting = Pin<Box<dyn Future<Output = Result<AdmittedDevice, RelayInput>> + Send>>;

/// Looks whether the device may speak for the account. One that is known costs no write; one that nobody of the account
/// let in costs two look-ups, and takes neither a seat of the account nor time of the writer. `[H4]` `[H5]`
async fn admit(relay: Arc<SyncState>, candidate: Candidate, source: Source) -> Result<AdmittedDevice, RelayInput> {
    let Candidate { account, device, granted_by } = candidate;
    let standing = standing(&relay, candidate).await.map_err(cannot_read)?;
    if standing == DeviceStanding::Stranger {
        return Err(RelayInput::NotAdmitted(ByeCode::NotAuthentic));
    }
    let overloaded = || RelayInput::NotAdmitted(ByeCode::Overloaded);
    let place = relay.limiter.admit_account(account).ok_or_else(overloaded)?;
    if standing == DeviceStanding::Founds {
        relay.limiter.found_account(source).map_err(|_| overloaded())?;
    }
    if standing != DeviceStanding::Known {
        match relay.writer.admit(account, device, granted_by).await {
            Ok(Admitted::Yes) => tracing::info!(%account, "a device was added"),
            Ok(Admitted::Stranger) => return Err(RelayInput::NotAdmitted(ByeCode::NotAuthentic)),
            Ok(Admitted::OneTooMany) => return Err(RelayInput::NotAdmitted(ByeCode::OverQuota)),
            Err(Unavailable) => return Err(RelayInput::NotAdmitted(ByeCode::GoingAway)),
        }
    }
    // Listening begins before the log is looked at, so that no growth falls in between.
    let subscription = relay.head_notifier.subscribe(account);
    let head = async { accounts::head(&mut relay.sync_readers.acquire().await?, account).await };
    let (head, _) = head.await.map_err(cannot_read)?;
    Ok(AdmittedDevice { account, place, subscription, head })
}

/// What a device is to an account, as far as the database and the account's id tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum DeviceStanding {
    /// It is one of the account's devices.
    Known,
    /// A device of the account let it in.
    Granted,
    /// The account is not here yet, and it or the device that let it in founded it.
    Founds,
    /// Neither.
    Stranger,
}

async fn standing(relay: &SyncState, candidate: Candidate) -> Result<DeviceStanding, sqlx::Error> {
    let Candidate { account, device, granted_by } = candidate;
    let mut reader = relay.sync_readers.acquire().await?;
    if accounts::has_device(&mut reader, account, device).await? {
        return Ok(DeviceStanding::Known);
    }
    if AccountId::founded_by(&granted_by.unwrap_or(device)) == account {
        let exists = accounts::exists(&mut reader, account).await?;
        return Ok(if exists { DeviceStanding::Granted } else { DeviceStanding::Founds });
    }
    match granted_by {
        Some(granter) if accounts::has_device(&mut reader, account, granter).await? => Ok(DeviceStanding::Granted),
        Some(_) | None => Ok(DeviceStanding::Stranger),
    }
}

/// How many inflated bytes cost what storing a change does.
const INFLATED_BYTES_OF_A_CHANGE: u64 = 16 << 10;

/// How many changes of a push are looked at before others have their turn.
const EXAMINED_AT_ONCE: usize = 64;

/// Looks at some changes of a push, off the threads that serve sockets and beside few others.
async fn examine(
    relay: &SyncState,
    mut budget: InflationBudget,
    changes: Vec<Offer>,
) -> Result<(Vec<Examined>, InflationBudget), Unavailable> {
    let permit = relay.examining.clone().acquire_owned().await.map_err(|_| Unavailable)?;
    let examined = tokio::task::spawn_blocking(move || {
        let examine = |offer: Offer| Examined { scanned: budget.scan_candidate(&offer.chunk.0), offer };
        let examined: Vec<Examined> = changes.into_iter().map(examine).collect();
        drop(permit);
        (examined, budget)
    });
    examined.await.map_err(|_| Unavailable)
}

/// Has the writer keep what can be kept of a push, and counts what became of it.
async fn commit(
    relay: Arc<SyncState>,
    in_order: Arc<Mutex<()>>,
    pusher: Pusher,
    push: u64,
    changes: Vec<Offer>,
) -> RelayInput {
    let began = std::time::Instant::now();
    let outcomes = take_in(&relay, &in_order, &pusher, changes).await;
    let mut stored = 0;
    for outcome in &outcomes {
        match outcome {
            ChangeOutcome::Stored { .. } => stored += 1,
            ChangeOutcome::Refused(code) => relay.metrics.refuse_change(code),
        }
    }
    relay.metrics.sync.acknowledge(stored, began);
    RelayInput::Committed { push, outcomes }
}

/// Looks at the changes of a push when it is their turn, and has the writer keep them, some at a time.
async fn take_in(
    relay: &SyncState,
    in_order: &Mutex<()>,
    pusher: &Pusher,
    mut changes: Vec<Offer>,
) -> Vec<ChangeOutcome> {
    let count = changes.len();
    let bytes: usize = changes.iter().map(|offer| offer.chunk.0.len()).sum();
    let refuse_all = || vec![ChangeOutcome::Refused(NackCode::Unavailable); count];
    let begins_at = match relay.limiter.push(pusher.account, count, bytes, LONGEST_WAIT) {
        Ok(wait) => Instant::now() + wait,
        Err(_) => return refuse_all(),
    };
    // The one that waited longest is next, and they begin to wait in the order in which they came.
    let turn = in_order.lock().await;
    sleep_until(begins_at).await;
    let (mut budget, mut committing) = (InflationBudget::of_a_push(), Committing::default());
    while !changes.is_empty() {
        let rest = changes.split_off(changes.len().min(EXAMINED_AT_ONCE));
        let these = changes.len();
        match examine(relay, budget, changes).await {
            Ok((examined, left)) => {
                budget = left;
                relay.writer.commit(&mut committing, pusher, examined).await;
            }
            // The server is ending.
            Err(Unavailable) => committing.refuse(these),
        }
        changes = rest;
    }
    // Its account pays for what had to be inflated.
    relay.limiter.charge(pusher.account, budget.used() / INFLATED_BYTES_OF_A_CHANGE);
    // The next push is looked at when all of this one waits for the writer.
    drop(turn);
    committing.outcomes().await
}

fn cannot_read(error: sqlx::Error) -> RelayInput {
    tracing::error!(%error, "the database cannot be read");
    RelayInput::Stop(ByeCode::GoingAway)
}

/// What to say after a frame that could not be read, if anything can be said.
fn close_frame(error: axum::Error) -> Option<ByeCode> {
    match *error.into_inner().downcast::<tungstenite::Error>().ok()? {
        tungstenite::Error::Capacity(_) => Some(ByeCode::TooLarge),
        tungstenite::Error::Io(error) if error.kind() == ErrorKind::QuotaExceeded => Some(ByeCode::TooLarge),
        tungstenite::Error::Protocol(tungstenite::error::ProtocolError::ResetWithoutClosingHandshake) => None,
        tungstenite::Error::Protocol(_) | tungstenite::Error::Utf8(_) => Some(ByeCode::Malformed),
        _ => None,
    }
}

async fn next(stream: &mut SplitStream<WebSocket>, at: Instant) -> Option<Result<Message, axum::Error>> {
    sleep_until(at).await;
    stream.next().await
}

async fn admitted(admitting: &mut Option<Admitting>) -> Result<AdmittedDevice, RelayInput> {
    match admitting {
        Some(admitting) => admitting.await,
        None => std::future::pending().await,
    }
}

async fn log_grown(account: &mut Option<(AccountId, Subscription)>) -> Option<u64> {
    match account {
        Some((_, subscription)) => Some(subscription.next().await),
        None => None,
    }
}

async fn due(deadline: Option<Instant>) -> Option<()> {
    sleep_until(deadline?).await;
    Some(())
}
