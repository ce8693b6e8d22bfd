//! A test phone: a device key, and a connection on which the test sends single messages.

use std::net::SocketAddr;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ed25519_dalek::{Signer, SigningKey};
use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Bytes, Message as Frame};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};
use tourismo_core::digest::Digest;
use tourismo_core::id::{AccountId, ChangeHash, DeviceKey};
use tourismo_core::read_token::{ReadToken, read_bytes, read_bytes_v1};
use tourismo_core::time::Timestamp;
use tourismo_core::wire::{
    ByeCode, Chunk, Entry, Epoch, Grant, Message, NackCode, Offer, PROTOCOL, RelayId, grant_bytes, proof_bytes,
    proof_bytes_v1,
};
use tourismo_server::Origin;

/// A wait that is too long for any machine, so that its end is a failure.
const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) struct Phone {
    key: SigningKey,
    pub(crate) account: AccountId,
    grant: Option<Grant>,
}

/// A connection, and the messages and bytes on it since [`Wire::count_from_here`].
pub(crate) struct Wire {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    pub(crate) sent: usize,
    pub(crate) received: usize,
    pub(crate) epoch: Option<Epoch>,
}

/// The relay's answers to pushes.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Answers {
    pub(crate) acked: Vec<ChangeHash>,
    pub(crate) nacked: Vec<(u64, u32, NackCode)>,
    pub(crate) cursor: u64,
}

/// The origin of a relay that is dialled by its address.
pub(crate) fn origin_of(relay: SocketAddr) -> String {
    Origin::from(relay).to_string()
}

impl Phone {
    /// The founding device of an account, a different one for each seed.
    pub(crate) fn founder(seed: u8) -> Phone {
        let key = SigningKey::from_bytes(&[seed; 32]);
        let account = AccountId::founded_by(&DeviceKey(key.verifying_key().to_bytes()));
        Phone { key, account, grant: None }
    }

    /// Another device of the same account, with a grant from this one.
    pub(crate) fn link(&self, seed: u8) -> Phone {
        let key = SigningKey::from_bytes(&[seed; 32]);
        let device = DeviceKey(key.verifying_key().to_bytes());
        let signature = self.key.sign(&grant_bytes(&self.account, &device)).to_bytes();
        Phone { key, account: self.account, grant: Some(Grant { granted_by: self.device(), signature }) }
    }

    /// The same device with another grant or with none.
    pub(crate) fn with_grant(mut self, grant: Option<Grant>) -> Phone {
        self.grant = grant;
        self
    }

    pub(crate) fn grant(&self) -> Option<Grant> {
        self.grant
    }

    /// The same device, claiming another account.
    pub(crate) fn posing_as(mut self, account: AccountId) -> Phone {
        self.account = account;
        self
    }

    pub(crate) fn device(&self) -> DeviceKey {
        DeviceKey(self.key.verifying_key().to_bytes())
    }

    pub(crate) fn hello(&self) -> Message {
        Message::Hello { protocols: vec![PROTOCOL], account: self.account, device: self.device() }
    }

    pub(crate) fn proof(&self, relay: &RelayId, nonce: &[u8; 32], origin: &str) -> Message {
        let signature = self.key.sign(&proof_bytes(relay, nonce, &self.account, &self.device(), origin)).to_bytes();
        Message::Proof { signature, grant: self.grant, origin: Some(origin.to_owned()) }
    }

    /// The proof of a device that uses protocol version 1.
    pub(crate) fn proof_v1(&self, relay: &RelayId, nonce: &[u8; 32]) -> Message {
        let signature = self.key.sign(&proof_bytes_v1(relay, nonce, &self.account, &self.device())).to_bytes();
        Message::Proof { signature, grant: self.grant, origin: None }
    }

    /// The relay's id, from `/v1/info`.
    pub(crate) async fn relay(&self, addr: SocketAddr) -> RelayId {
        let mut wire = Wire::open(addr).await;
        wire.send(&self.hello()).await;
        let Message::Challenge { relay, .. } = wire.receive().await else { panic!("a challenge was due") };
        relay
    }

    /// A read token for the relay at an origin.
    pub(crate) fn token(&self, relay: &RelayId, expires_at: Timestamp, origin: &str) -> String {
        let (account, device) = (self.account, self.device());
        let signature = self.key.sign(&read_bytes(relay, &account, &device, expires_at, origin)).to_bytes();
        let origin = Some(origin.to_owned());
        BASE64_URL_SAFE_NO_PAD.encode(ReadToken { account, device, expires_at, signature, origin }.to_bytes())
    }

    /// The read token of a device that uses protocol version 1.
    pub(crate) fn token_v1(&self, relay: &RelayId, expires_at: Timestamp) -> String {
        let (account, device) = (self.account, self.device());
        let signature = self.key.sign(&read_bytes_v1(relay, &account, &device, expires_at)).to_bytes();
        BASE64_URL_SAFE_NO_PAD.encode(ReadToken { account, device, expires_at, signature, origin: None }.to_bytes())
    }

    /// Sends hello and proof, and leaves the answer unread.
    pub(crate) async fn knock(&self, addr: SocketAddr) -> Wire {
        let mut wire = Wire::open(addr).await;
        wire.send(&self.hello()).await;
        let Message::Challenge { relay, nonce, .. } = wire.receive().await else { panic!("a challenge was due") };
        wire.send(&self.proof(&relay, &nonce, &origin_of(addr))).await;
        wire
    }

    /// Does the whole handshake.
    pub(crate) async fn enter(&self, addr: SocketAddr) -> Wire {
        let mut wire = self.knock(addr).await;
        let Message::Welcome { epoch, .. } = wire.receive().await else { panic!("a welcome was due") };
        wire.epoch = Some(epoch);
        wire
    }

    /// Does the handshake and catches up from `cursor`.
    pub(crate) async fn catch_up(&self, addr: SocketAddr, cursor: u64) -> (Wire, Vec<Entry>, u64, Digest) {
        let mut wire = self.enter(addr).await;
        let (entries, cursor, digest) = wire.catch_up(cursor).await;
        (wire, entries, cursor, digest)
    }

    /// Does the handshake as a device that has nothing of the account.
    pub(crate) async fn join(&self, addr: SocketAddr) -> Wire {
        self.catch_up(addr, 0).await.0
    }
}

impl Wire {
    pub(crate) async fn open(addr: SocketAddr) -> Wire {
        Wire::open_with(addr, &[]).await
    }

    /// The same with these headers in the upgrade request.
    pub(crate) async fn open_with(addr: SocketAddr, headers: &[(&'static str, &str)]) -> Wire {
        let mut request = format!("ws://{addr}/v1/sync").into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        let (socket, _) = connect_async(request).await.unwrap();
        Wire { socket, sent: 0, received: 0, epoch: None }
    }

    pub(crate) async fn send(&mut self, message: &Message) {
        self.send_frame(Frame::Binary(message.encode().into())).await;
    }

    pub(crate) async fn send_frame(&mut self, frame: Frame) {
        self.sent += 1;
        self.socket.send(frame).await.unwrap();
    }

    pub(crate) async fn push(&mut self, changes: Vec<Offer>) {
        self.send(&Message::Push { changes }).await;
    }

    pub(crate) fn count_from_here(&mut self) {
        (self.sent, self.received) = (0, 0);
    }

    pub(crate) async fn receive(&mut self) -> Message {
        loop {
            match self.frame().await.expect("the relay closed the connection") {
                Frame::Binary(bytes) => return Message::decode(&bytes).unwrap(),
                Frame::Ping(_) | Frame::Pong(_) => {}
                frame => panic!("the relay sent {frame:?}"),
            }
        }
    }

    /// The next frame; `None` after the end of the connection.
    pub(crate) async fn frame(&mut self) -> Option<Frame> {
        let frame = timeout(PATIENCE, self.socket.next()).await.expect("the relay said nothing");
        self.received += 1;
        match frame? {
            Ok(Frame::Close(_)) | Err(_) => None,
            Ok(frame) => Some(frame),
        }
    }

    /// Expects a `bye` as the last message, and returns its code.
    pub(crate) async fn bye(mut self) -> ByeCode {
        let Message::Bye { code } = self.receive().await else { panic!("a goodbye was due") };
        assert!(self.frame().await.is_none(), "nothing follows a goodbye");
        code
    }

    /// Whether the next message is a `bye` and not a welcome.
    pub(crate) async fn sent_away(mut self) -> bool {
        matches!(self.receive().await, Message::Bye { .. })
    }

    pub(crate) async fn catch_up(&mut self, cursor: u64) -> (Vec<Entry>, u64, Digest) {
        self.send(&Message::CatchUp { cursor, digest: Digest::default() }).await;
        let mut all = Vec::new();
        loop {
            match self.receive().await {
                Message::Entries { entries, .. } => all.extend(entries),
                Message::CaughtUp { cursor, digest } => return (all, cursor, digest),
                message => panic!("unexpected while catching up: {message:?}"),
            }
        }
    }

    /// Receives until `count` changes are acknowledged or refused.
    pub(crate) async fn answers(&mut self, count: usize) -> Answers {
        let mut answers = Answers::default();
        while answers.acked.len() + answers.nacked.len() < count {
            match self.receive().await {
                Message::Ack { hashes, cursor } => {
                    answers.acked.extend(hashes);
                    answers.cursor = cursor;
                }
                Message::Nack { push, index, code } => answers.nacked.push((push, index, code)),
                message => panic!("unexpected while waiting for an answer: {message:?}"),
            }
        }
        answers
    }

    /// Fetches a document, in as many pages as it has.
    pub(crate) async fn fetch(&mut self, doc: tourismo_core::id::DocId) -> Vec<Vec<u8>> {
        self.send(&Message::Fetch { doc }).await;
        let (mut all, mut begun) = (Vec::new(), Vec::new());
        loop {
            let Message::Fetched { doc: of, chunks, done, goes_on } = self.receive().await else {
                panic!("a page was due")
            };
            assert_eq!(of, doc);
            for Chunk(chunk) in chunks {
                begun.extend(chunk);
                all.push(std::mem::take(&mut begun));
            }
            if goes_on {
                begun = all.pop().expect("something goes on");
            }
            if done {
                return all;
            }
        }
    }

    /// Closes the connection with a close frame.
    pub(crate) async fn close(mut self) {
        self.socket.close(None).await.unwrap();
        while self.frame().await.is_some() {}
    }

    pub(crate) async fn send_bytes(&mut self, bytes: impl Into<Bytes>) {
        self.send_frame(Frame::Binary(bytes.into())).await;
    }
}
