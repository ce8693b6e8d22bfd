//! The membership of an account: a grow-only set of signed statements, and the members that follow from it.
//!
//! Phones and relay hold the same set and compare a digest of it. The union of two sets is their merge, so the order of
//! arrival does not matter, and a restored relay or phone gets the others' statements back. [`MembershipSet::evaluate`] returns the
//! members. This module must not depend on clocks, storage or connections.

mod evaluate;
#[cfg(test)]
mod tests;

use ed25519_dalek::{Signature, VerifyingKey};
use minicbor::{Decode, Encode};
use sha2::{Digest as _, Sha256};

pub use self::evaluate::{Members, RecoveryKey, RecoveryState};
use crate::id::{AccountId, DeviceKey};
use crate::sorted::{Map, Set};
use crate::sorting::sort_by_key;
use crate::time::Timestamp;

/// Maximum statements of an account that devices signed, except revocations. `[G6]`
pub const MAX_DEVICE_STATEMENTS: usize = 128;

/// Maximum revocations of an account that devices signed. `[G6]`
pub const MAX_DEVICE_REVOCATIONS: usize = 64;

/// Maximum statements of an account that recovery keys signed: devices cannot use them up. `[G6]`
pub const MAX_RECOVERY_STATEMENTS: usize = 128;

/// Maximum statements of one signer in each of these shares. `[G6]`
pub const MAX_OF_ONE_SIGNER: usize = 48;

/// Maximum keys that a revocation keeps. `[G6]`
pub const MAX_KEEPS: usize = 64;

/// A signed statement about a key of an account. `[G1]`
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Statement {
    /// What it says.
    #[n(0)]
    pub claim: Claim,
    /// The key that it is about.
    #[n(1)]
    pub subject: DeviceKey,
    /// The key that signed it.
    #[n(2)]
    pub by: DeviceKey,
    /// The Ed25519 signature of `by` over [`Statement::signed_bytes`].
    #[cbor(n(3), with = "minicbor::bytes")]
    pub signature: [u8; 64],
}

/// What a statement says about its subject.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub enum Claim {
    /// The subject is a device of the account.
    #[n(0)]
    Grant,
    /// The subject is a recovery key of the account.
    #[n(1)]
    Enrol {
        /// The signature of the subject over [`acceptance_bytes`]: a key is enrolled only with the consent of its holder.
        #[cbor(n(0), with = "minicbor::bytes")]
        acceptance: [u8; 64],
    },
    /// The subject is not a member any more.
    #[n(2)]
    Revoke {
        /// The devices that the subject let in and that stay, ascending. All others that only it let in are out, too.
        #[n(0)]
        keeps: Vec<DeviceKey>,
    },
    /// The subject shall not become a recovery key.
    #[n(3)]
    Object,
}

/// Returns the bytes that are signed to let `device` into `account`. `[H5]`
pub fn grant_bytes(account: &AccountId, device: &DeviceKey) -> Vec<u8> {
    [b"tourismo grant v1".as_slice(), account.as_bytes(), &device.0].concat()
}

/// Returns the bytes that a recovery key signs to be one of the account. `[G1]`
pub fn acceptance_bytes(account: &AccountId, key: &DeviceKey) -> Vec<u8> {
    [b"tourismo accept v1".as_slice(), account.as_bytes(), &key.0].concat()
}

/// Returns the name by which the relay finds the account of a recovery key. `[G8]`
pub fn recovery_lookup(key: &DeviceKey) -> [u8; 32] {
    Sha256::new().chain_update(b"tourismo recovery lookup v1").chain_update(key.0).finalize().into()
}

/// Identifies a statement, independently of its signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StatementId(pub [u8; 32]);

/// A hash over all statements of an account; zeros for none. `[G5]`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
pub struct MembershipDigest(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 16]);

/// A statement with the time at which the relay received it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ReceivedStatement {
    /// The statement.
    #[n(0)]
    pub statement: Statement,
    /// The time, by the relay's clock.
    #[n(1)]
    pub received_at: Timestamp,
}

/// Why a statement is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StatementError {
    /// A signature is wrong, or the list of kept keys is not ascending, or too long.
    #[error("a membership statement is not authentic")]
    NotAuthentic,
    /// The signer never was a member of the account.
    #[error("the signer of a membership statement is not a member of the account")]
    Stranger,
    /// The account has the maximum number of statements.
    #[error("the account has the maximum number of membership statements")]
    TooMany,
}

impl Statement {
    /// Returns the bytes that `by` signs. `[G1]`
    pub fn signed_bytes(claim: &Claim, account: &AccountId, subject: &DeviceKey) -> Vec<u8> {
        let about = |prefix: &[u8]| [prefix, account.as_bytes(), &subject.0].concat();
        match claim {
            Claim::Grant => grant_bytes(account, subject),
            Claim::Enrol { .. } => about(b"tourismo enrol v1"),
            Claim::Revoke { keeps } => {
                let mut bytes = about(b"tourismo revoke v1");
                keeps.iter().for_each(|key| bytes.extend(key.0));
                bytes
            }
            Claim::Object => about(b"tourismo object v1"),
        }
    }

    /// Returns its name. It does not depend on the signatures: one text can have several valid ones.
    pub fn id(&self, account: &AccountId) -> StatementId {
        let digest = Sha256::new()
            .chain_update(Statement::signed_bytes(&self.claim, account, &self.subject))
            .chain_update(self.by.0);
        StatementId(digest.finalize().into())
    }

    /// Verifies the signatures for this account. `[G2]`
    ///
    /// # Errors
    /// [`StatementError::NotAuthentic`].
    pub fn verify(&self, account: &AccountId) -> Result<(), StatementError> {
        let signed = Statement::signed_bytes(&self.claim, account, &self.subject);
        verify(&self.by, &signed, &self.signature)?;
        match &self.claim {
            Claim::Grant | Claim::Object => Ok(()),
            Claim::Enrol { acceptance } => verify(&self.subject, &acceptance_bytes(account, &self.subject), acceptance),
            Claim::Revoke { keeps } => {
                let is_list = keeps.len() <= MAX_KEEPS && keeps.is_sorted_by(|a, b| a < b);
                if is_list { Ok(()) } else { Err(StatementError::NotAuthentic) }
            }
        }
    }
}

/// Verifies an Ed25519 signature (RFC 8032), strictly.
fn verify(key: &DeviceKey, bytes: &[u8], signature: &[u8; 64]) -> Result<(), StatementError> {
    VerifyingKey::from_bytes(&key.0)
        .and_then(|key| key.verify_strict(bytes, &Signature::from_bytes(signature)))
        .map_err(|_| StatementError::NotAuthentic)
}

/// A statement of the set.
#[derive(Clone, Debug, PartialEq)]
struct Known {
    statement: Statement,
    /// When the relay received it; `None` if it did not yet.
    received_at: Option<Timestamp>,
}

/// The statements of one account. Every one of them is verified.
#[derive(Clone, Debug, PartialEq)]
pub struct MembershipSet {
    account: AccountId,
    statements: Map<StatementId, Known>,
    /// Devices that the relay let in before it kept statements, each with the device that let it in. They are not exchanged.
    assumed: Vec<(DeviceKey, DeviceKey)>,
    /// Devices that belong to the account although no grant of them is known here.
    roots: Vec<DeviceKey>,
    /// The founding key, once it is known.
    founder: Option<DeviceKey>,
}

impl MembershipSet {
    /// Creates the set of an account without statements.
    pub fn new(account: AccountId) -> MembershipSet {
        MembershipSet { account, statements: Map::new(), assumed: Vec::new(), roots: Vec::new(), founder: None }
    }

    /// Adds a stored statement, which was verified before it was stored.
    pub fn restore(&mut self, statement: Statement, received_at: Option<Timestamp>) {
        self.note_key(statement.subject);
        self.note_key(statement.by);
        let id = statement.id(&self.account);
        self.statements.insert(id, Known { statement, received_at });
    }

    /// Records that `granted_by` let `device` in, without a statement; `None` for a device that belongs to the account
    /// although nothing is known of its grant.
    pub fn assume(&mut self, device: DeviceKey, granted_by: Option<DeviceKey>) {
        self.note_key(device);
        match granted_by {
            Some(granted_by) => {
                self.note_key(granted_by);
                self.assumed.push((device, granted_by));
            }
            None => self.roots.push(device),
        }
    }

    /// Remembers the founding key, if this is it.
    fn note_key(&mut self, key: DeviceKey) {
        if self.founder.is_none() && AccountId::founded_by(&key) == self.account {
            self.founder = Some(key);
        }
    }

    /// Merges the relay's whole set, with its times of receipt. Statements that the relay lacks stay.
    ///
    /// # Errors
    /// [`StatementError::NotAuthentic`] for a statement with a wrong signature; nothing is merged then.
    pub fn merge(&mut self, received: Vec<ReceivedStatement>) -> Result<(), StatementError> {
        let is_new = |one: &&ReceivedStatement| self.statements.get(&one.statement.id(&self.account)).is_none();
        received.iter().filter(is_new).try_for_each(|one| one.statement.verify(&self.account))?;
        for ReceivedStatement { statement, received_at } in received {
            match self.statements.get_mut(&statement.id(&self.account)) {
                Some(known) => known.received_at = Some(received_at),
                None => self.restore(statement, Some(received_at)),
            }
        }
        Ok(())
    }

    /// Returns the time of receipt of the next statement: the relay's clock, but at least the time of every other statement. So
    /// the times give the order of receipt, also after the clock was set back. `[G4]`
    pub fn next_receipt(&self, now: Timestamp) -> Timestamp {
        self.statements.values().filter_map(|known| known.received_at).fold(now, Timestamp::max)
    }

    /// Adds a statement that was verified, within the bounds. Returns whether it is new. `[G3]` `[G6]`
    ///
    /// # Errors
    /// [`StatementError::Stranger`] if the signer never was a member of the account, [`StatementError::TooMany`].
    pub fn add(
        &mut self,
        statement: Statement,
        received_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<bool, StatementError> {
        self.note_key(statement.by);
        let members = self.evaluate(now);
        self.add_by(&members, statement, received_at)
    }

    /// Adds several statements, which may build on each other in any order. Returns the new ones; others are left out. Each is
    /// received a millisecond after the one before it, so that a relay that lost statements learns their order again. `[G4]`
    pub fn add_all(&mut self, statements: Vec<Statement>, now: Timestamp) -> Vec<ReceivedStatement> {
        statements.iter().for_each(|statement| self.note_key(statement.by));
        let received_at = self.next_receipt(now);
        let received = |(place, statement)| ReceivedStatement { statement, received_at: received_at + place };
        let mut waiting: Vec<ReceivedStatement> = (0..).zip(statements).map(received).collect();
        let mut added = Vec::new();
        // One evaluation for each length of a chain of grants, so that the relay's writer is not kept long.
        loop {
            let (members, before) = (self.evaluate(received_at), added.len());
            waiting.retain(|one| {
                let ReceivedStatement { statement, received_at } = one;
                let outcome = self.add_by(&members, statement.clone(), Some(*received_at));
                if outcome == Ok(true) {
                    added.push(one.clone());
                }
                outcome == Err(StatementError::Stranger)
            });
            if added.len() == before || waiting.is_empty() {
                return added;
            }
        }
    }

    /// Adds a statement, given the members before it.
    fn add_by(
        &mut self,
        members: &Members,
        statement: Statement,
        received_at: Option<Timestamp>,
    ) -> Result<bool, StatementError> {
        if self.statements.get(&statement.id(&self.account)).is_some() {
            return Ok(false);
        }
        if !members.has_standing(&statement.by) {
            return Err(StatementError::Stranger);
        }
        if !self.has_room_for(&statement, members) {
            return Err(StatementError::TooMany);
        }
        self.restore(statement, received_at);
        Ok(true)
    }

    fn has_room_for(&self, statement: &Statement, members: &Members) -> bool {
        let share = Share::of(statement, members);
        let (mut all, mut of_signer) = (0, 0);
        for Known { statement: other, .. } in self.statements.values() {
            if Share::of(other, members) == share {
                all += 1;
                of_signer += usize::from(other.by == statement.by);
            }
        }
        all < share.most() && of_signer < MAX_OF_ONE_SIGNER
    }

    /// Returns the digest. `[G5]`
    pub fn digest(&self) -> MembershipDigest {
        if self.statements.is_empty() {
            return MembershipDigest::default();
        }
        let mut hash = Sha256::new();
        hash.update(b"tourismo membership v1");
        self.statements.iter().for_each(|(id, _)| hash.update(id.0));
        let mut digest = [0; 16];
        digest.copy_from_slice(&hash.finalize()[..16]);
        MembershipDigest(digest)
    }

    /// Returns every statement, by name.
    pub fn statements(&self) -> impl Iterator<Item = (StatementId, &Statement, Option<Timestamp>)> {
        self.statements.iter().map(|(id, known)| (*id, &known.statement, known.received_at))
    }

    /// Returns what the relay received, with the times: the message to a phone.
    pub fn received(&self) -> Vec<ReceivedStatement> {
        let received = |known: &Known| {
            let received_at = known.received_at?;
            Some(ReceivedStatement { statement: known.statement.clone(), received_at })
        };
        self.statements.values().filter_map(received).collect()
    }

    /// Returns the statements that are not among these, in the order in which a relay received them.
    pub fn missing_from(&self, received: &[ReceivedStatement]) -> Vec<Statement> {
        let there: Set<StatementId> = received.iter().map(|one| one.statement.id(&self.account)).collect();
        let lacked = self.statements.iter().filter(|(id, _)| !there.contains(id));
        let mut lacked: Vec<&Known> = lacked.map(|(_, known)| known).collect();
        sort_by_key(&mut lacked, |known| (known.received_at.is_none(), known.received_at));
        lacked.into_iter().map(|known| known.statement.clone()).collect()
    }

    /// Returns the devices that a key let in, ascending: what a revocation of it keeps unless they shall go, too.
    pub fn granted_by(&self, key: &DeviceKey) -> Vec<DeviceKey> {
        let grants = self.grants().filter(|(_, by)| by == key).map(|(device, _)| device);
        grants.collect::<Set<DeviceKey>>().take()
    }

    /// Returns the devices that a key let in before there were statements, and for which there is none.
    pub fn unstated(&self, by: &DeviceKey) -> Vec<DeviceKey> {
        let is_stated = |device: &DeviceKey| {
            let mut grants = self.statements.values().map(|known| &known.statement);
            grants.any(|one| one.claim == Claim::Grant && one.subject == *device && one.by == *by)
        };
        let assumed = self.assumed.iter().filter(|(device, granted_by)| granted_by == by && !is_stated(device));
        assumed.map(|(device, _)| *device).collect()
    }

    /// Returns every grant as a pair of device and signer.
    fn grants(&self) -> impl Iterator<Item = (DeviceKey, DeviceKey)> {
        let stated = self.statements.values().filter(|known| matches!(known.statement.claim, Claim::Grant));
        stated.map(|known| (known.statement.subject, known.statement.by)).chain(self.assumed.iter().copied())
    }
}

/// The share of an account's statements to which a statement counts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Share {
    OfRecoveryKeys,
    Revocations,
    Others,
}

impl Share {
    fn of(statement: &Statement, members: &Members) -> Share {
        if members.is_recovery(&statement.by) {
            return Share::OfRecoveryKeys;
        }
        match statement.claim {
            Claim::Revoke { .. } => Share::Revocations,
            Claim::Grant | Claim::Enrol { .. } | Claim::Object => Share::Others,
        }
    }

    fn most(self) -> usize {
        match self {
            Share::OfRecoveryKeys => MAX_RECOVERY_STATEMENTS,
            Share::Revocations => MAX_DEVICE_REVOCATIONS,
            Share::Others => MAX_DEVICE_STATEMENTS,
        }
    }
}
