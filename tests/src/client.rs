//! A client of the protocol, message by message: the messages of a phone without a replica.
//!
//! It records which changes were offered and which were acknowledged, by hash. It decides nothing.

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

/// Longer than any machine needs: waiting longer is futile.
const PATIENCE: Duration = Duration::from_secs(120);

/// A device of an account.
#[derive(Clone, Debug)]
pub struct Device {
    key: SigningKey,
    /// Its account.
    pub account: AccountId,
    grant: Option<Grant>,
}

impl Device {
    /// Returns the founding device of an account, which depends on the seed.
    pub fn founder(seed: [u8; 32]) -> Device {
        let key = SigningKey::from_bytes(&seed);
        let account = AccountId::founded_by(&DeviceKey(key.verifying_key().to_bytes()));
        Device { key, account, grant: None }
    }

    /// Returns another device of the account with a grant of this one.
    pub fn link(&self, seed: [u8; 32]) -> Device {
        let key = SigningKey::from_bytes(&seed);
        let device = DeviceKey(key.verifying_key().to_bytes());
        let signature = self.key.sign(&grant_bytes(&self.account, &device)).to_bytes();
        Device { key, account: self.account, grant: Some(Grant { granted_by: self.key(), signature }) }
    }

    /// Returns a device without a valid grant: its grant is by a key that is not in the account.
    pub fn intruder(account: AccountId, seed: [u8; 32]) -> Device {
        Device { account, ..Device::founder(seed) }.link(seed.map(|byte| !byte))
    }

    /// Returns its first message.
    pub fn hello(&self) -> Message {
        Message::Hello { protocols: vec![PROTOCOL], account: self.account, device: self.key() }
    }

    /// Returns its answer to a challenge of the relay at an origin.
    pub fn proof(&self, relay: &RelayId, nonce: &[u8; 32], origin: &str) -> Message {
        let signature = self.key.sign(&proof_bytes(relay, nonce, &self.account, &self.key(), origin)).to_bytes();
        Message::Proof { signature, grant: self.grant, origin: Some(origin.to_owned()) }
    }

    /// Returns its public key.
    pub fn key(&self) -> DeviceKey {
        DeviceKey(self.key.verifying_key().to_bytes())
    }

    /// Returns a token for reading as the account until this time, from the relay of a connection. `[R1]`
    pub fn read_token(&self, client: &Client, expires_at: Timestamp) -> String {
        let (account, device) = (self.account, self.key());
        let bytes = read_bytes(&client.relay, &account, &device, expires_at, &client.origin);
        let (signature, origin) = (self.key.sign(&bytes).to_bytes(), Some(client.origin.clone()));
        BASE64_URL_SAFE_NO_PAD.encode(ReadToken { account, device, expires_at, signature, origin }.to_bytes())
    }

    /// Connects, completes the handshake and catches up from the head of the log, without reading entries.
    ///
    /// # Errors
    /// If the relay refuses it.
    pub async fn connect(&self, relay: SocketAddr) -> anyhow::Result<Client> {
        self.connect_from(relay, IpAddr::V4(Ipv4Addr::LOCALHOST)).await
    }

    /// Like [`Device::connect`], from another address of this machine.
    ///
    /// # Errors
    /// If the relay refuses it.
    pub async fn connect_from(&self, relay: SocketAddr, from: IpAddr) -> anyhow::Result<Client> {
        self.connect_as(&Origin::from(relay).to_string(), relay, from).await
    }

    /// Like [`Device::connect`], through a proxy with TLS or the like, with another dialled origin.
    ///
    /// # Errors
    /// If the relay refuses it.
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

/// The relay's answers to pushes.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Answers {
    /// The acknowledged changes.
    pub acked: Vec<ChangeHash>,
    /// The refused changes: the number of the push, the index in it, the code.
    pub nacked: Vec<(u64, u32, NackCode)>,
}

/// A connection.
#[derive(Debug)]
pub struct Client {
    socket: WebSocketStream<TcpStream>,
    relay: RelayId,
    /// The dialled origin.
    origin: String,
}

impl Client {
    /// Returns the relay's id.
    pub fn relay(&self) -> RelayId {
        self.relay
    }

    /// Sends a message.
    ///
    /// # Errors
    /// If the connection is closed.
    pub async fn send(&mut self, message: &Message) -> anyhow::Result<()> {
        Ok(self.socket.send(Frame::Binary(message.encode().into())).await?)
    }

    /// Pushes changes.
    ///
    /// # Errors
    /// If the connection is closed.
    pub async fn push(&mut self, changes: Vec<Offer>) -> anyhow::Result<()> {
        self.send(&Message::Push { changes }).await
    }

    /// Returns the next message.
    ///
    /// # Errors
    /// If the connection is closed, or nothing arrives.
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

    /// Receives until this number of changes is acknowledged or refused. Skips entries of other devices.
    ///
    /// # Errors
    /// If another message arrives.
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

    /// Returns all changes of a document.
    ///
    /// # Errors
    /// If another message arrives.
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
