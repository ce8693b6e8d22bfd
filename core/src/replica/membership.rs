//! The membership statements that this phone holds, and which of them the relay lacks. `[G5]`

use minicbor::{Decode, Encode};

use crate::membership::{
    Members, MembershipDigest, MembershipSet, ReceivedStatement, Statement, StatementError, StatementId,
};
use crate::replica::documents;
use crate::replica::io::{Space, StoredEntry};
use crate::replica::write_queue::WriteQueue;
use crate::session::client::Identity;
use crate::sorted::Set;
use crate::time::Timestamp;
use crate::wire::MAX_DECLARED;

const MEMBERSHIP_KEY: &[u8] = b"membership";

/// The membership statements of the phone's account.
#[derive(Debug)]
pub(crate) struct Membership {
    identity: Identity,
    set: MembershipSet,
    /// What the relay lacks, as far as it has told.
    lacked: Vec<Statement>,
    /// What was declared on this connection: a relay may refuse to keep a statement.
    declared: Set<StatementId>,
}

/// A statement as it is stored.
#[derive(Encode, Decode)]
struct StoredStatement {
    #[n(0)]
    statement: Statement,
    #[n(1)]
    received_at: Option<Timestamp>,
}

impl Membership {
    /// Opens the statements from stored entries. The grant of this device is one of them.
    pub(crate) fn open(identity: Identity, stored: &[StoredEntry]) -> Membership {
        let mut set = MembershipSet::new(identity.account);
        // Who let in the device that let this one in may be unknown here.
        set.assume(identity.device, None);
        let is_membership = |entry: &&StoredEntry| entry.space == Space::Meta && entry.key == MEMBERSHIP_KEY;
        if let Some(entry) = stored.iter().find(is_membership) {
            let statements: Vec<StoredStatement> = minicbor::decode(&entry.value).unwrap_or_default();
            for StoredStatement { statement, received_at } in statements {
                set.restore(statement, received_at);
            }
        }
        if let Some(grant) = identity.grant.map(|grant| grant.statement(identity.device))
            && set.statements().all(|(id, ..)| id != grant.id(&identity.account))
        {
            set.restore(grant, None);
        }
        Membership { identity, set, lacked: Vec::new(), declared: Set::new() }
    }

    /// Returns the digest for the handshake.
    pub(crate) fn digest(&self) -> MembershipDigest {
        self.set.digest()
    }

    /// Returns the statements.
    pub(crate) fn set(&self) -> &MembershipSet {
        &self.set
    }

    /// Returns the members at a time of the relay's clock.
    pub(crate) fn members(&self, now: Timestamp) -> Members {
        self.set.evaluate(now)
    }

    /// Adds a statement of this phone, which goes to the relay on the next occasion.
    ///
    /// # Errors
    /// [`StatementError`] if the account has too many, or the signer is not a member of the account.
    pub(crate) fn add(
        &mut self,
        statement: Statement,
        now: Timestamp,
        writes: &mut WriteQueue,
    ) -> Result<(), StatementError> {
        if self.set.add(statement.clone(), None, now)? {
            self.lacked.push(statement);
            self.save(writes);
        }
        Ok(())
    }

    /// Takes in all that the relay has. Returns whether anything is new here.
    ///
    /// # Errors
    /// [`StatementError::NotAuthentic`] if the relay tells a statement that nobody signed.
    pub(crate) fn received(
        &mut self,
        statements: Vec<ReceivedStatement>,
        writes: &mut WriteQueue,
    ) -> Result<bool, StatementError> {
        self.lacked = self.set.missing_from(&statements);
        let before = self.set.clone();
        self.set.merge(statements)?;
        let is_new = self.set != before;
        if is_new {
            self.save(writes);
        }
        Ok(is_new)
    }

    /// Takes the next statements to declare; none if the relay lacks nothing that it may take.
    pub(crate) fn next_declaration(&mut self) -> Vec<Statement> {
        let (account, declared) = (self.identity.account, &mut self.declared);
        let mut next = std::mem::take(&mut self.lacked);
        next.retain(|statement| declared.insert(statement.id(&account)));
        self.lacked = next.split_off(next.len().min(MAX_DECLARED));
        // What waits for the next message is not declared yet.
        self.lacked.iter().for_each(|statement| {
            declared.remove(&statement.id(&account));
        });
        next
    }

    /// Returns whether the relay lacks anything that was not declared.
    pub(crate) fn is_settled(&self) -> bool {
        self.lacked.is_empty()
    }

    /// Forgets what was declared: on the next connection it may be declared again.
    pub(crate) fn disconnected(&mut self) {
        self.declared.clear();
    }

    fn save(&self, writes: &mut WriteQueue) {
        let stored = |(_, statement, received_at): (StatementId, &Statement, Option<Timestamp>)| StoredStatement {
            statement: statement.clone(),
            received_at,
        };
        let stored: Vec<StoredStatement> = self.set.statements().map(stored).collect();
        writes.put(Space::Meta, MEMBERSHIP_KEY.to_vec(), documents::cbor(&stored));
    }
}
