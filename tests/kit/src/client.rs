//! A client of the protocol, message by message: the messages of a phone without a replica.
//!
//! It records which changes were offered and which were acknowledged, by hash.

mod document;
mod wire;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::{Deref, DerefMut};

use anyhow::bail;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ed25519_dalek::{Signer, SigningKey};
use tourismo_core::id::{AccountId, DeviceKey};
use tourismo_core::membership::{Claim, MembershipDigest, Statement, acceptance_bytes};
use tourismo_core::read_token::{ReadToken, read_bytes, read_bytes_v1};
use tourismo_core::time::Timestamp;
use tourismo_core::wire::{
    Grant, MEMBERSHIP_PROTOCOL, Message, OLDEST_PHONE_PROTOCOL, RelayId, grant_bytes, proof_bytes, proof_bytes_v1,
};

pub use self::document::Document;
pub use self::wire::{Answers, Wire};

/// A device of an account.
#[derive(Clone, Debug)]
pub struct Device {
    key: SigningKey,
    /// The protocol version that it speaks.
    protocol: u16,
    /// Its account.
    pub account: AccountId,
    grant: Option<Grant>,
}

impl Device {
    /// Returns the founding device of an account, which depends on the seed.
    pub fn founder(seed: [u8; 32]) -> Device {
        let key = SigningKey::from_bytes(&seed);
        let account = AccountId::founded_by(&DeviceKey(key.verifying_key().to_bytes()));
        Device { key, protocol: OLDEST_PHONE_PROTOCOL, account, grant: None }
    }

    /// Returns another device of the account with a grant of this one.
    pub fn link(&self, seed: [u8; 32]) -> Device {
        let key = SigningKey::from_bytes(&seed);
        let device = DeviceKey(key.verifying_key().to_bytes());
        let signature = self.key.sign(&grant_bytes(&self.account, &device)).to_bytes();
        Device {
            key,
            protocol: self.protocol,
            account: self.account,
            grant: Some(Grant { granted_by: self.key(), signature }),
        }
    }

    /// Returns a device without a valid grant: its grant is by a key that is not in the account.
    pub fn intruder(account: AccountId, seed: [u8; 32]) -> Device {
        Device { account, ..Device::founder(seed) }.link(seed.map(|byte| !byte))
    }

    /// Returns its first message.
    pub fn hello(&self) -> Message {
        Message::Hello { protocols: vec![self.protocol], account: self.account, device: self.key() }
    }

    /// Returns its answer to a challenge of the relay at an origin.
    pub fn proof(&self, relay: &RelayId, nonce: &[u8; 32], origin: &str) -> Message {
        let signature = self.key.sign(&proof_bytes(relay, nonce, &self.account, &self.key(), origin)).to_bytes();
        Message::Proof { signature, grant: self.grant, origin: Some(origin.to_owned()) }
    }

    /// Returns the proof of a device with protocol version 1.
    pub fn proof_v1(&self, relay: &RelayId, nonce: &[u8; 32]) -> Message {
        let signature = self.key.sign(&proof_bytes_v1(relay, nonce, &self.account, &self.key())).to_bytes();
        Message::Proof { signature, grant: self.grant, origin: None }
    }

    /// Returns the same device with the protocol version that has membership statements.
    #[must_use]
    pub fn with_membership(self) -> Device {
        Device { protocol: MEMBERSHIP_PROTOCOL, ..self }
    }

    /// Returns a membership statement, signed by it.
    pub fn statement(&self, claim: Claim, subject: DeviceKey) -> Statement {
        let bytes = Statement::signed_bytes(&claim, &self.account, &subject);
        Statement { claim, subject, by: self.key(), signature: self.key.sign(&bytes).to_bytes() }
    }

    /// Returns the claim of an enrolment of its key, with its acceptance.
    pub fn accepts(&self, account: &AccountId) -> Claim {
        Claim::Enrol { acceptance: self.key.sign(&acceptance_bytes(account, &self.key())).to_bytes() }
    }

    /// Returns the grant that it presents.
    pub fn grant(&self) -> Option<Grant> {
        self.grant
    }

    /// Returns the same device with another grant or none.
    #[must_use]
    pub fn with_grant(self, grant: Option<Grant>) -> Device {
        Device { grant, ..self }
    }

    /// Returns the same device, claiming another account.
    #[must_use]
    pub fn posing_as(self, account: AccountId) -> Device {
        Device { account, ..self }
    }

    /// Returns its public key.
    pub fn key(&self) -> DeviceKey {
        DeviceKey(self.key.verifying_key().to_bytes())
    }

    /// Returns a token for reading as the account until this time, from the relay of a connection. `[R1]`
    pub fn read_token(&self, client: &Client, expires_at: Timestamp) -> String {
        self.token(&client.relay, expires_at, &client.origin)
    }

    /// Returns a read token of the account until this time, for a relay at an origin.
    pub fn token(&self, relay: &RelayId, expires_at: Timestamp, origin: &str) -> String {
        self.signed(
            &read_bytes(relay, &self.account, &self.key(), expires_at, origin),
            expires_at,
            Some(origin.to_owned()),
        )
    }

    /// Returns the read token of a device with protocol version 1.
    pub fn token_v1(&self, relay: &RelayId, expires_at: Timestamp) -> String {
        self.signed(&read_bytes_v1(relay, &self.account, &self.key(), expires_at), expires_at, None)
    }

    fn signed(&self, bytes: &[u8], expires_at: Timestamp, origin: Option<String>) -> String {
        let (account, device, signature) = (self.account, self.key(), self.key.sign(bytes).to_bytes());
        BASE64_URL_SAFE_NO_PAD.encode(ReadToken { account, device, expires_at, signature, origin }.to_bytes())
    }

    /// Connects, completes the handshake and catches up from the head of the log, without reading entries.
    ///
    /// # Errors
    /// If the relay does not let it in.
    pub async fn connect(&self, relay: SocketAddr) -> anyhow::Result<Client> {
        self.connect_from(relay, IpAddr::V4(Ipv4Addr::LOCALHOST)).await
    }

    /// Like [`Device::connect`], from another address of this machine.
    ///
    /// # Errors
    /// If the relay does not let it in.
    pub async fn connect_from(&self, relay: SocketAddr, from: IpAddr) -> anyhow::Result<Client> {
        self.connect_as(&origin_of(relay), relay, from).await
    }

    /// Like [`Device::connect`], through a proxy with TLS or the like, with another dialled origin.
    ///
    /// # Errors
    /// If the relay does not let it in.
    pub async fn connect_as(&self, origin: &str, relay: SocketAddr, from: IpAddr) -> anyhow::Result<Client> {
        let mut wire = Wire::open(relay, from, &[]).await?;
        wire.send(&self.hello()).await?;
        let Message::Challenge { relay, nonce, .. } = wire.receive().await? else { bail!("a challenge was due") };
        wire.send(&self.proof(&relay, &nonce, origin)).await?;
        let Message::Welcome { head, .. } = wire.receive().await? else { bail!("a welcome was due") };
        let membership = (self.protocol >= MEMBERSHIP_PROTOCOL).then(MembershipDigest::default);
        wire.catch_up_with(head, membership).await?;
        Ok(Client { wire, relay, account: self.account, origin: origin.to_owned() })
    }
}

/// Returns the origin of a relay that is dialled by its address.
pub fn origin_of(relay: SocketAddr) -> String {
    format!("http://{relay}")
}

/// A connection after the handshake.
#[derive(Debug)]
pub struct Client {
    wire: Wire,
    relay: RelayId,
    account: AccountId,
    /// The dialled origin.
    origin: String,
}

impl Client {
    /// The account.
    pub fn account(&self) -> AccountId {
        self.account
    }

    /// The id of the relay.
    pub fn relay(&self) -> RelayId {
        self.relay
    }
}

impl Deref for Client {
    type Target = Wire;

    fn deref(&self) -> &Wire {
        &self.wire
    }
}

impl DerefMut for Client {
    fn deref_mut(&mut self) -> &mut Wire {
        &mut self.wire
    }
}
