//! One sync connection: a loop that passes events to the session and performs its effects.

mod admission;

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
use tourismo_core::wire::{ByeCode, NackCode, OLDEST_PHONE_PROTOCOL, Offer};
use tracing::Instrument;

use self::admission::{AdmittedDevice, Admitting, Candidate, admit, is_removed};
use super::SyncState;
use crate::clients::limits::{ConnectionPermit, Source};
use crate::db::{change_log, documents, membership, sql};
use crate::http::serving::ByteAllowance;
use crate::notify::head_notifier::Subscription;
use crate::writer::{Committing, Examined, Pusher, Unavailable};

/// Maximum time for sending one message. A slower reader is disconnected and resumes by its cursor.
const WRITE_DEADLINE: Duration = Duration::from_secs(30);

/// Maximum time for the other side to close the connection.
const CLOSE_DEADLINE: Duration = Duration::from_secs(2);

/// Maximum waiting time of a push; after a longer silence a phone treats the connection as broken.
const LONGEST_WAIT: Duration = Duration::from_secs(20);

/// Running work for the session, which limits its amount.
type Pending = FuturesUnordered<Pin<Box<dyn Future<Output = RelayInput> + Send>>>;

/// The client before its handshake.
pub(super) struct Client {
    pub(super) source: Source,
    pub(super) allowance: Arc<ByteAllowance>,
    /// The origins that it may sign.
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
    /// Pushes are scanned one after the other and reach the writer in order, because later ones depend on earlier ones.
    in_order: Arc<Mutex<()>>,
    /// The device's admission while it is being checked.
    admitting: Option<Admitting>,
    account: Option<ConnectedDevice>,
    /// The actors whose changes it may push, once the account is known.
    claims: Option<ActorClaims>,
    /// Counts this connection for the account.
    place: Option<ConnectionPermit>,
    /// When the next message is read.
    read_at: Instant,
}

/// The admitted device, and its subscriptions.
struct ConnectedDevice {
    account: AccountId,
    device: DeviceKey,
    heads: Subscription,
    membership: Subscription,
    /// Whether the membership of the account changed while a message was being sent.
    membership_changed: bool,
}

/// A change of the account by another connection.
enum News {
    Grew(u64),
    MembershipChanged,
}

/// An answer that is being read from the database.
type Reading<'c> = Pin<Box<dyn Future<Output = Result<RelayInput, sqlx::Error>> + Send + 'c>>;

/// The socket is closed or broken.
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
            // Answers come before news of a longer log, so that this client's own changes are not read back.
            let input = tokio::select! {
                biased;
                _ = stopping.wait_for(|stopping| *stopping) => RelayInput::Stop(ByeCode::GoingAway),
                admission = admitted(&mut self.admitting) => self.admit_device(admission),
                Some(input) = self.pending.next(), if !self.pending.is_empty() => input,
                Some(news) = news(&mut self.account) => match news {
                    News::Grew(head) => RelayInput::Grew(head),
                    News::MembershipChanged => {
                        self.check_membership();
                        continue;
                    }
                },
                Some(()) = due(deadline) => RelayInput::Tick,
                frame = next(&mut self.stream, self.read_at) => match frame {
                    Some(Ok(Message::Binary(bytes))) => RelayInput::Received(bytes.into()),
                    // The socket answers these by itself; only messages of the protocol count as signs of life. `[M5]`
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
            RelayEffect::Admit { account, device, grant, protocol } => {
                self.relay.metrics.sync.handshake(protocol);
                if protocol < OLDEST_PHONE_PROTOCOL {
                    self.relay.public_origin.count_old_phone();
                }
                self.claims = Some(ActorClaims::new(&device));
                let candidate = Candidate { account, device, grant };
                self.admitting = Some(Box::pin(admit(self.relay.clone(), candidate, self.client.source)));
            }
            // All following effects come from a session after its admission.
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
            RelayEffect::Declare { statements } => {
                let (relay, account) = (self.relay.clone(), self.account()?);
                let device = self.account.as_ref().map(|connected| connected.device).ok_or(SocketClosed)?;
                relay.limiter.charge(account, statements.len() as u64);
                self.pending.push(Box::pin(async move {
                    match relay.writer.declare(account, device, statements).await {
                        Ok(()) => RelayInput::Declared,
                        // The phone connects again, and then offers them again.
                        Err(Unavailable) => RelayInput::Stop(ByeCode::GoingAway),
                    }
                }));
            }
            RelayEffect::ReadMembers => self.read(move |snapshot, account| {
                Box::pin(async move {
                    membership::read(snapshot, account).await.map(|set| RelayInput::Members(set.received()))
                })
            })?,
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

    /// Stores the admission of a device and informs the session.
    fn admit_device(&mut self, admission: Result<AdmittedDevice, RelayInput>) -> RelayInput {
        self.admitting = None;
        match admission {
            Ok(AdmittedDevice { connected, place, head, membership }) => {
                tracing::Span::current().record("account", tracing::field::display(connected.account));
                self.place = Some(place);
                self.account = Some(connected);
                RelayInput::Admitted { epoch: self.relay.identity.epoch, head, at: self.relay.clock.now(), membership }
            }
            Err(refusal) => refusal,
        }
    }

    async fn send(&mut self, message: Message) -> Result<(), SocketClosed> {
        let sending = timeout(WRITE_DEADLINE, self.sink.send(message));
        let Some(connected) = &mut self.account else {
            return match sending.await {
                Ok(Ok(())) => Ok(()),
                Ok(Err(_)) | Err(_) => Err(SocketClosed),
            };
        };
        let mut sending = std::pin::pin!(sending);
        loop {
            tokio::select! {
                biased;
                sent = &mut sending => return match sent {
                    Ok(Ok(())) => Ok(()),
                    Ok(Err(_)) | Err(_) => Err(SocketClosed),
                },
                // A removed device is cut off at once even if it reads slowly. `[G9]`
                _ = connected.membership.next() => {
                    connected.membership_changed = true;
                    match is_removed(&self.relay, connected.account, connected.device).await {
                        Ok(false) => {}
                        Ok(true) | Err(_) => return Err(SocketClosed),
                    }
                }
            }
        }
    }

    /// Checks whether the connected device was removed from its account, and reports it to the session.
    fn check_membership(&mut self) {
        let Some(ConnectedDevice { account, device, .. }) = self.account else { return };
        let relay = self.relay.clone();
        self.pending.push(Box::pin(async move {
            match is_removed(&relay, account, device).await {
                Ok(true) => RelayInput::Stop(ByeCode::Revoked),
                Ok(false) => RelayInput::MembershipChanged,
                Err(error) => cannot_read(error),
            }
        }));
    }

    /// Counts messages of an account, so that one that sends too much is read more slowly. Others have their byte
    /// allowance.
    fn count_message(&mut self) {
        if let Some(ConnectedDevice { account, .. }) = &self.account {
            self.read_at = Instant::now() + self.relay.limiter.message(*account).min(LONGEST_WAIT);
        }
    }

    /// Reads for the session, from one state of the database.
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
        self.account.as_ref().map(|connected| connected.account).ok_or(SocketClosed)
    }

    /// Sends the close frame and waits until it arrives: closing a socket with unread bytes would discard sent ones.
    async fn close(mut self) {
        let goodbye = async {
            if self.sink.close().await.is_ok() {
                while self.stream.next().await.is_some_and(|frame| frame.is_ok()) {}
            }
        };
        // A client that does not answer in time is disconnected.
        let _ = timeout(CLOSE_DEADLINE, goodbye).await;
    }
}

/// The number of inflated bytes that cost as much as storing a change.
const INFLATED_BYTES_OF_A_CHANGE: u64 = 16 << 10;

/// The number of changes of a push that are scanned before others have their turn.
const EXAMINED_AT_ONCE: usize = 64;

/// Scans some changes of a push, on another thread than those of sockets, with a limit of parallel scans.
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

/// Lets the writer store the acceptable changes of a push, and counts the outcomes.
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

/// Scans the changes of a push in its turn and lets the writer store them, some at a time.
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
    // The lock is fair: pushes get it in the order in which they began to wait.
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
    // The account is charged for inflating.
    relay.limiter.charge(pusher.account, budget.used() / INFLATED_BYTES_OF_A_CHANGE);
    // The next push is scanned when all jobs of this one wait for the writer.
    drop(turn);
    committing.outcomes().await
}

fn cannot_read(error: sqlx::Error) -> RelayInput {
    tracing::error!(%error, "the database cannot be read");
    RelayInput::Stop(ByeCode::GoingAway)
}

/// Returns the code for a frame that could not be read, if an answer is possible.
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

async fn news(connected: &mut Option<ConnectedDevice>) -> Option<News> {
    let connected = connected.as_mut()?;
    if std::mem::take(&mut connected.membership_changed) {
        return Some(News::MembershipChanged);
    }
    Some(tokio::select! {
        biased;
        _ = connected.membership.next() => News::MembershipChanged,
        head = connected.heads.next() => News::Grew(head),
    })
}

async fn due(deadline: Option<Instant>) -> Option<()> {
    sleep_until(deadline?).await;
    Some(())
}
