//! A client that speaks the protocol message by message: what a phone says, without a replica behind it.
//!
//! It keeps promises apart: what was offered and what was acknowledged, by name. It decides nothing.

mod document;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, bail};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ed25519_dalek::{Signer, SigningKey};
use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message as Frame;
use tokio_tungstenite::{WebSocketStream, client_async};
use tourismo_core::digest::Digest;
use tourismo_core::id::{AccountId, ChangeHash, DeviceKey, DocId};
use tourismo_core::read_token::{ReadToken, read_bytes};
use tourismo_core::time::Timestamp;
use tourismo_core::wire::{Grant, Message, NackCode, Offer, PROTOCOL, RelayId, grant_bytes, proof_bytes};
use tourismo_server::Origin;

pub use self::document::Document;

/// Long enough for any machine: whoever waits so long waits in vain.
const PATIENCE: Duration = Duration::from_secs(120);

/// A device of an account.
#[derive(Clone, Debug)]
pub struct Device {
    key: SigningKey,
    /// The account it speaks for.
    pub account: AccountId,
    grant: Option<Grant>,
}

impl Device {
    /// The device that founds an account; another one for each seed.
    pub fn founder(seed: [u8; 32]) -> Device {
        let key = SigningKey::from_bytes(&seed);
        let account = AccountId::founded_by(&DeviceKey(key.verifying_key().to_bytes()));
        Device { key, account, grant: None }
    }

    /// Another device of the account, let in by this one.
    pub fn link(&self, seed: [u8; 32]) -> Device {
        let key = SigningKey::from_bytes(&seed);
        let device = DeviceKey(key.verifying_key().to_bytes());
        let signature = self.key.sign(&grant_bytes(&self.account, &device)).to_bytes();
        Device { key, account: self.account, grant: Some(Grant { granted_by: self.key(), signature }) }
    }

    /// A device that nobody of the account let in: its grant is by a key that the account does not know.
    pub fn intruder(account: AccountId, seed: [u8; 32]) -> Device {
        Device { account, ..Device::founder(seed) }.link(seed.map(|byte| !byte))
    }

    /// How it begins a handshake.
    pub fn hello(&self) -> Message {
        Message::Hello { protocols: vec![PROTOCOL], account: self.account, device: self.key() }
    }

    /// How it answers a challenge of the relay at an origin.
    pub fn proof(&self, relay: &RelayId, nonce: &[u8; 32], origin: &str) -> Message {
        let signature = self.key.sign(&proof_bytes(relay, nonce, &self.account, &self.key(), origin)).to_bytes();
        Message::Proof { signature, grant: self.grant, origin: Some(origin.to_owned()) }
    }

    /// Its public key.
    pub fn key(&self) -> DeviceKey {
        DeviceKey(self.key.verifying_key().to_bytes())
    }

    /// A token to read as the account until then, from the relay of a connection. `[R1]`
    pub fn read_token(&self, client: &Client, expires_at: Timestamp) -> String {
        let (account, device) = (self.account, self.key());
        let bytes = read_bytes(&client.relay, &account, &device, expires_at, &client.origin);
        let (signature, origin) = (self.key.sign(&bytes).to_bytes(), Some(client.origin.clone()));
        BASE64_URL_SAFE_NO_PAD.encode(ReadToken { account, device, expires_at, signature, origin }.to_bytes())
    }

    /// Connects, goes through the handshake and catches up from the head of the log, without reading what is there.
    ///
    /// # Errors
    /// If the relay does not let it in.
    pub async fn connect(&self, relay: SocketAddr) -> anyhow::Result<Client> {
        self.connect_from(relay, IpAddr::V4(Ipv4Addr::LOCALHOST)).await
    }

    /// The same from another address of this machine.
    ///
    /// # Errors
    /// If the relay does not let it in.
    pub async fn connect_from(&self, relay: SocketAddr, from: IpAddr) -> anyhow::Result<Client> {
        self.connect_as(&Origin::from(relay).to_string(), relay, from).await
    }

    /// The same where something stands before the relay, such as a proxy that speaks TLS, so that another origin is dialled.
    ///
    /// # Errors
    /// If the relay does not let it in.
    pub async fn connect_as(&self, origin: &str, relay: SocketAddr, from: IpAddr) -> anyhow::Result<Client> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::new(from, 0))?;
        let stream = socket.connect(relay).await?;
        stream.set_nodelay(true)?;
        let (socket, _) = client_async(format!("ws://{relay}/v1/sync"), stream).await?;
        let mut client = Client { socket, relay: RelayId([0; 16]), origin: origin.to_owned() };
        client.send(&self.hello()).await?;
        let Message::Challenge { relay, nonce, .. } = client.receive().await? else { bail!("a challenge was due") };
        client.relay = relay;
        client.send(&self.proof(&relay, &nonce, origin)).await?;
        let Message::Welcome { head, .. } = client.receive().await? else { bail!("a welcome was due") };
        client.send(&Message::CatchUp { cursor: head, digest: Digest::default() }).await?;
        loop {
            match client.receive().await? {
                Message::Entries { .. } => {}
                Message::CaughtUp { .. } => return Ok(client),
                message => bail!("unexpected while catching up: {message:?}"),
            }
        }
    }
}

/// What the relay answered to pushes.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Answers {
    /// What it promised to keep.
    pub acked: Vec<ChangeHash>,
    /// What it refused: the number of the push, the place in it, the reason.
    pub nacked: Vec<(u64, u32, NackCode)>,
}

/// A connection.
#[derive(Debug)]
pub struct Client {
    socket: WebSocketStream<TcpStream>,
    relay: RelayId,
    /// What was dialled.
    origin: String,
}

impl Client {
    /// Who the relay says that it is.
    pub fn relay(&self) -> RelayId {
        self.relay
    }

    /// Says something.
    ///
    /// # Errors
    /// If the connection is gone.
    pub async fn send(&mut self, message: &Message) -> anyhow::Result<()> {
        Ok(self.socket.send(Frame::Binary(message.encode().into())).await?)
    }

    /// Offers changes.
    ///
    /// # Errors
    /// If the connection is gone.
    pub async fn push(&mut self, changes: Vec<Offer>) -> anyhow::Result<()> {
        self.send(&Message::Push { changes }).await
    }

    /// The next message.
    ///
    /// # Errors
    /// If the connection is gone, or nothing comes.
    pub async fn receive(&mut self) -> anyhow::Result<Message> {
        loop {
            let frame = timeout(PATIENCE, self.socket.next()).await.context("the relay said nothing")?;
            match frame.context("the relay closed the connection")?? {
                Frame::Binary(bytes) => return Ok(Message::decode(&bytes)?),
                Frame::Ping(_) | Frame::Pong(_) => {}
                Frame::Text(_) | Frame::Close(_) | Frame::Frame(_) => bail!("the relay ends the connection"),
            }
        }
    }

    /// Receives until so many changes have been acknowledged or refused. What other devices push is passed over.
    ///
    /// # Errors
    /// If something else comes.
    pub async fn answers(&mut self, count: usize) -> anyhow::Result<Answers> {
        let mut answers = Answers::default();
        while answers.acked.len() + answers.nacked.len() < count {
            match self.receive().await? {
                Message::Ack { hashes, .. } => answers.acked.extend(hashes),
                Message::Nack { push, index, code } => answers.nacked.push((push, index, code)),
                Message::Entries { .. } => {}
                message => bail!("unexpected while waiting for an answer: {message:?}"),
            }
        }
        Ok(answers)
    }

    /// All changes of a document.
    ///
    /// # Errors
    /// If something else comes.
    pub async fn fetch(&mut self, doc: DocId) -> anyhow::Result<Vec<Vec<u8>>> {
        self.send(&Message::Fetch { doc }).await?;
        let mut all = Vec::new();
        loop {
            let Message::Fetched { chunks, done, .. } = self.receive().await? else { bail!("a page was due") };
            all.extend(chunks.into_iter().map(|chunk| chunk.0));
            if done {
                return Ok(all);
            }
        }
    }
}
