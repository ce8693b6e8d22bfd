//! A test phone: a device of `tests/kit` whose calls panic on an error.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::{Deref, DerefMut};

use tokio_tungstenite::tungstenite::{Bytes, Message as Frame};
use tourismo_core::digest::Digest;
use tourismo_core::id::{AccountId, DeviceKey, DocId};
use tourismo_core::membership::{MembershipDigest, ReceivedStatement, Statement};
use tourismo_core::wire::{ByeCode, Entry, Epoch, Grant, Message, Offer, RelayId};
use tourismo_test_kit::client::{Answers, Device, Wire as Connection};

pub(crate) use tourismo_test_kit::client::origin_of;

#[derive(Clone)]
pub(crate) struct Phone(Device);

/// A connection. It panics if the relay does not answer as it must.
pub(crate) struct Wire {
    connection: Connection,
    pub(crate) epoch: Option<Epoch>,
}

impl Deref for Phone {
    type Target = Device;

    fn deref(&self) -> &Device {
        &self.0
    }
}

impl Phone {
    /// The founding device of an account, a different one for each seed.
    pub(crate) fn founder(seed: u8) -> Phone {
        Phone(Device::founder([seed; 32]))
    }

    /// Another device of the same account, with a grant from this one.
    pub(crate) fn link(&self, seed: u8) -> Phone {
        Phone(self.0.link([seed; 32]))
    }

    /// The same device with another grant or with none.
    pub(crate) fn with_grant(self, grant: Option<Grant>) -> Phone {
        Phone(self.0.with_grant(grant))
    }

    /// The same device, claiming another account.
    pub(crate) fn posing_as(self, account: AccountId) -> Phone {
        Phone(self.0.posing_as(account))
    }

    /// The same device, speaking the version with membership statements.
    pub(crate) fn with_membership(self) -> Phone {
        Phone(self.0.with_membership())
    }

    pub(crate) fn device(&self) -> DeviceKey {
        self.key()
    }

    /// The relay's id, from `/v1/info`.
    pub(crate) async fn relay(&self, addr: SocketAddr) -> RelayId {
        let mut wire = Wire::open(addr).await;
        wire.send(&self.hello()).await;
        let Message::Challenge { relay, .. } = wire.receive().await else { panic!("a challenge was due") };
        relay
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

impl Deref for Wire {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}

impl DerefMut for Wire {
    fn deref_mut(&mut self) -> &mut Connection {
        &mut self.connection
    }
}

impl Wire {
    pub(crate) async fn open(addr: SocketAddr) -> Wire {
        Wire::open_with(addr, &[]).await
    }

    /// The same with these headers in the upgrade request.
    pub(crate) async fn open_with(addr: SocketAddr, headers: &[(&'static str, &str)]) -> Wire {
        let from = IpAddr::V4(Ipv4Addr::LOCALHOST);
        Wire { connection: Connection::open(addr, from, headers).await.unwrap(), epoch: None }
    }

    pub(crate) async fn send(&mut self, message: &Message) {
        self.connection.send(message).await.unwrap();
    }

    pub(crate) async fn send_frame(&mut self, frame: Frame) {
        self.connection.send_frame(frame).await.unwrap();
    }

    pub(crate) async fn send_bytes(&mut self, bytes: impl Into<Bytes>) {
        self.send_frame(Frame::Binary(bytes.into())).await;
    }

    pub(crate) async fn push(&mut self, changes: Vec<Offer>) {
        self.connection.push(changes).await.unwrap();
    }

    pub(crate) fn count_from_here(&mut self) {
        (self.sent, self.received) = (0, 0);
    }

    pub(crate) async fn receive(&mut self) -> Message {
        self.connection.receive().await.unwrap()
    }

    /// The next frame; `None` after the end of the connection.
    pub(crate) async fn frame(&mut self) -> Option<Frame> {
        self.connection.frame().await.unwrap()
    }

    /// Expects a `bye` as the last message, and returns its code.
    pub(crate) async fn bye(mut self) -> ByeCode {
        let code = match self.receive().await {
            Message::Bye { code } => code,
            other => panic!("a goodbye was due, not {other:?}"),
        };
        assert!(self.frame().await.is_none(), "nothing follows a goodbye");
        code
    }

    /// Whether the next message is a `bye` and not a welcome.
    pub(crate) async fn sent_away(mut self) -> bool {
        matches!(self.receive().await, Message::Bye { .. })
    }

    pub(crate) async fn catch_up(&mut self, cursor: u64) -> (Vec<Entry>, u64, Digest) {
        self.connection.catch_up(cursor).await.unwrap()
    }

    /// Catches up from the beginning of the log without its entries, and returns the membership statements if the relay tells them.
    pub(crate) async fn catch_up_members(
        &mut self,
        membership: MembershipDigest,
        is_told: bool,
    ) -> Option<Vec<ReceivedStatement>> {
        let catch_up = Message::CatchUp { cursor: 0, digest: Digest::default(), membership: Some(membership) };
        self.send(&catch_up).await;
        let (mut told, mut is_caught_up) = (None, false);
        while !is_caught_up || (is_told && told.is_none()) {
            match self.receive().await {
                Message::Members { statements } => told = Some(statements),
                Message::CaughtUp { .. } => is_caught_up = true,
                Message::Entries { .. } => {}
                message => panic!("unexpected while catching up: {message:?}"),
            }
        }
        told
    }

    /// Declares statements and returns all that the relay has then, which are so many.
    pub(crate) async fn declare(&mut self, statements: Vec<Statement>, count: usize) -> Vec<ReceivedStatement> {
        self.send(&Message::Declare { statements }).await;
        self.members(count).await
    }

    /// The membership statements that the relay tells, as soon as they are so many.
    pub(crate) async fn members(&mut self, count: usize) -> Vec<ReceivedStatement> {
        loop {
            match self.receive().await {
                Message::Members { statements } if statements.len() == count => return statements,
                Message::Members { .. } => {}
                message => panic!("membership statements were due: {message:?}"),
            }
        }
    }

    /// Receives until `count` changes are acknowledged or refused.
    pub(crate) async fn answers(&mut self, count: usize) -> Answers {
        self.connection.answers(count).await.unwrap()
    }

    /// Fetches a document, in as many pages as it has.
    pub(crate) async fn fetch(&mut self, doc: DocId) -> Vec<Vec<u8>> {
        self.connection.fetch(doc).await.unwrap()
    }

    /// Closes the connection with a close frame.
    pub(crate) async fn close(self) {
        self.connection.close().await.unwrap();
    }
}
