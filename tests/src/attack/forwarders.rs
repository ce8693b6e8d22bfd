//! Attacks by a relay that phones dial: it forwards another relay's challenge to a phone, to be admitted there as the
//! phone, or lets the phone sign a read token and reads with it there.
//!
//! The victim is a phone with a real replica and an account at the attacked relay. The hostile relay listens on the
//! same machine, where a check of the address alone could not distinguish them.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail, ensure};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ed25519_dalek::SigningKey;
use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message as Frame;
use tokio_tungstenite::{WebSocketStream, accept_async};
use tourismo_core::digest::Digest;
use tourismo_core::membership::MembershipDigest;
use tourismo_core::origin::OriginPolicy;
use tourismo_core::read_token::ReadToken;
use tourismo_core::replica::io::{Command, CommandOutcome};
use tourismo_core::session::relay::{LogPage, RelayEffect, RelayInput, RelaySession};
use tourismo_core::time::Timestamp;
use tourismo_core::wire::{ByeCode, Epoch, Message, OLDEST_PROTOCOL, RelayId};
use tourismo_server::Origin;
use tourismo_test_kit::relay::sync_url;

use super::{Attack, Environment};
use crate::client::Device;
use crate::phone::{Phone, Setup, SyncError};

/// Longer than any machine needs: waiting longer is futile.
const PATIENCE: Duration = Duration::from_secs(60);

/// The victim's key.
const SEED: [u8; 32] = [0x71; 32];

pub(super) fn attacks() -> Vec<Attack> {
    let named = "https://relay.example";
    vec![
        Attack::new("a challenge passed on", |field| Box::pin(forwarding(field))),
        Attack::new("a challenge passed on, --public-url", |field| Box::pin(forwarding(field))).public_url(named),
        Attack::new("a read token used elsewhere", |field| Box::pin(reading(field))),
        Attack::new("a read token used elsewhere, --public-url", |field| Box::pin(reading(field))).public_url(named),
    ]
}

/// The modification of forwarded messages by a hostile relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trick {
    /// Nothing.
    PassOn,
    /// It tells the relay that the phone supports version 1 only, and the phone that version 1 was chosen.
    Downgrade,
    /// It makes the relay choose version 1, tells the phone that version 2 was chosen, and removes the origin from the
    /// proof.
    LeaveOriginOut,
    /// It states the relay's own origin in the proof.
    NameRelaysOrigin,
}

const TRICKS: [Trick; 4] = [Trick::PassOn, Trick::Downgrade, Trick::LeaveOriginOut, Trick::NameRelaysOrigin];

impl Trick {
    fn on(self, message: Message, origin: &str) -> Message {
        match (self, message) {
            (Trick::Downgrade | Trick::LeaveOriginOut, Message::Hello { account, device, .. }) => {
                Message::Hello { protocols: vec![1], account, device }
            }
            (Trick::LeaveOriginOut, Message::Challenge { relay, nonce, .. }) => {
                Message::Challenge { protocol: 2, relay, nonce }
            }
            (Trick::LeaveOriginOut, Message::Proof { signature, grant, .. }) => {
                Message::Proof { signature, grant, origin: None }
            }
            (Trick::NameRelaysOrigin, Message::Proof { signature, grant, .. }) => {
                Message::Proof { signature, grant, origin: Some(origin.to_owned()) }
            }
            (_, message) => message,
        }
    }

    /// Returns the code with which the phone is refused.
    fn refusal(self) -> ByeCode {
        match self {
            Trick::PassOn => ByeCode::WrongOrigin,
            Trick::Downgrade => ByeCode::UnknownProtocol,
            Trick::LeaveOriginOut | Trick::NameRelaysOrigin => ByeCode::NotAuthentic,
        }
    }
}

async fn forwarding(field: Environment) -> anyhow::Result<String> {
    let victim = Device::founder(SEED);
    victim.connect_as(&field.origin, field.relay, Ipv4Addr::LOCALHOST.into()).await.context("the victim's account")?;
    let mut refused = 0;
    for _ in 0..field.scale.of(40) {
        for trick in TRICKS {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
            let mut phone = phone(listener.local_addr()?)?;
            let (let_in, synced) = tokio::join!(pass_on(&listener, &field, trick), phone.sync(PATIENCE));
            ensure!(!let_in?, "{trick:?}: the hostile relay got in as the phone");
            match synced {
                Err(SyncError::Rejected { code }) if code == trick.refusal() => refused += 1,
                other => bail!("{trick:?}: the phone was not told: {other:?}"),
            }
        }
        // A device that takes the dialled origin from the relay is admitted: so the refusals above are not due to the
        // harness.
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let credulous = victim.connect_as(&field.origin, listener.local_addr()?, Ipv4Addr::LOCALHOST.into());
        tokio::select! {
            passed = pass_on(&listener, &field, Trick::PassOn) => ensure!(passed?, "the hostile relay passes nothing on"),
            client = credulous => drop(client?),
        }
    }
    Ok(format!("{refused} refused"))
}

async fn reading(field: Environment) -> anyhow::Result<String> {
    let victim = Device::founder(SEED);
    let client = victim.connect_as(&field.origin, field.relay, Ipv4Addr::LOCALHOST.into()).await?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis() as i64;
    let good = victim.read_token(&client, Timestamp(now + 3_600_000));
    let mut refused = 0;
    for _ in 0..field.scale.of(40) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let mut phone = phone(listener.local_addr()?)?;
        let told = async {
            phone.sync(PATIENCE).await?;
            phone.command(Command::ReadToken, PATIENCE).await.context("a token was due")
        };
        let outcome = tokio::select! {
            outcome = told => outcome?,
            played = play_relay(&listener, client.relay(), Timestamp(now)) => bail!("the phone left: {played:?}"),
        };
        let CommandOutcome::Token { token, .. } = outcome else { bail!("{outcome:?}") };
        let token = ReadToken::from_bytes(&token)?;
        let renamed = ReadToken { origin: Some(field.origin.clone()), ..token.clone() };
        let nameless = ReadToken { origin: None, ..token.clone() };
        for token in [token, renamed, nameless] {
            let status = read(&field, &BASE64_URL_SAFE_NO_PAD.encode(token.to_bytes())).await?;
            ensure!(status == 401, "a token for {:?} was answered with {status}", token.origin);
            refused += 1;
        }
        ensure!(read(&field, &good).await? == 200, "a token that was signed for the relay is good");
    }
    Ok(format!("{refused} refused"))
}

/// Returns the victim's phone, with the hostile relay's address.
fn phone(hostile: SocketAddr) -> anyhow::Result<Phone> {
    let setup = Setup::in_memory(&sync_url(hostile));
    Ok(Phone::open(Setup { key: SigningKey::from_bytes(&SEED), ..setup })?)
}

async fn read(field: &Environment, token: &str) -> anyhow::Result<u16> {
    let head = "GET /v1/me/profile HTTP/1.1\r\nhost: relay\r\nconnection: close\r\n";
    field.hostile(1).ask(format!("{head}authorization: Bearer {token}\r\n\r\n").as_bytes()).await
}

/// Accepts one connection and forwards messages in both directions, until an end is closed. Returns whether the relay
/// admitted the device.
async fn pass_on(listener: &TcpListener, field: &Environment, trick: Trick) -> anyhow::Result<bool> {
    let mut phone = accept(listener).await?;
    let mut relay = field.hostile(1).upgrade().await?;
    let mut let_in = false;
    loop {
        let (frame, to_relay) = tokio::select! {
            frame = phone.next() => (frame, true),
            frame = relay.next() => (frame, false),
        };
        let Some(Ok(frame)) = frame else { return Ok(let_in) };
        let Frame::Binary(bytes) = frame else { continue };
        let message = Message::decode(&bytes)?;
        let_in |= matches!(message, Message::Welcome { .. });
        let passed = Frame::Binary(trick.on(message, &field.origin).encode().into());
        let to = if to_relay { &mut relay } else { &mut phone };
        if to.send(passed).await.is_err() {
            return Ok(let_in);
        }
    }
}

/// Accepts one connection and serves it as an honest relay would, with the id of another relay.
async fn play_relay(listener: &TcpListener, id: RelayId, at: Timestamp) -> anyhow::Result<()> {
    let mut phone = accept(listener).await?;
    let own = vec![Origin::from(listener.local_addr()?).to_string()];
    let mut session = RelaySession::new(id, OriginPolicy { own, oldest_protocol: OLDEST_PROTOCOL }, [0; 32], 0);
    while let Some(frame) = phone.next().await {
        let Frame::Binary(bytes) = frame? else { continue };
        let mut inputs = vec![RelayInput::Received(bytes.into())];
        while let Some(input) = inputs.pop() {
            for effect in session.handle(0, input) {
                match effect {
                    RelayEffect::Send(bytes) => phone.send(Frame::Binary(bytes.into())).await?,
                    RelayEffect::Admit { .. } => {
                        let membership = MembershipDigest::default();
                        inputs.push(RelayInput::Admitted { epoch: Epoch([1; 16]), head: 0, at, membership });
                    }
                    RelayEffect::ReadMembers => inputs.push(RelayInput::Members(Vec::new())),
                    RelayEffect::ReadLog { .. } => {
                        let page = LogPage { entries: Vec::new(), head: 0, digest: Digest::default() };
                        inputs.push(RelayInput::Log(page));
                    }
                    effect => bail!("the phone has nothing to say that leads to {effect:?}"),
                }
            }
        }
    }
    Ok(())
}

async fn accept(listener: &TcpListener) -> anyhow::Result<WebSocketStream<TcpStream>> {
    let (stream, _) = timeout(PATIENCE, listener.accept()).await.context("the phone does not connect")??;
    Ok(accept_async(stream).await?)
}
