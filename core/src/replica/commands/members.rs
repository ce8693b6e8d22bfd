//! Commands about the keys that may speak for the account: recovery keys, and devices to remove.

use serde_bytes::ByteBuf;

use crate::id::{AccountId, DeviceKey, DocId};
use crate::membership::{
    Claim, RecoveryKey, RecoveryState, Statement, StatementError, acceptance_bytes, recovery_lookup,
};
use crate::recovery::{self, RecoverySigner, WORDS_SECRET_BYTES};
use crate::replica::io::{CommandError, CommandOutcome, Effect};
use crate::replica::signing::Signing;
use crate::replica::{Replica, commands::Applied};
use crate::time::{Now, Timestamp};
use crate::wire::{Grant, grant_bytes};

impl Replica {
    /// Answers with a new secret and its words.
    pub(super) fn new_recovery_words(&mut self, request: u32) -> Result<Applied, CommandError> {
        let secret = self.device.random_bytes::<WORDS_SECRET_BYTES>();
        let words = recovery::words_of(&secret).ok_or(CommandError::Invalid)?;
        let outcome = CommandOutcome::RecoveryWords { secret: ByteBuf::from(secret), words };
        self.output.effects.push(Effect::Settled { request, outcome });
        Ok(Applied::AnsweredElsewhere)
    }

    /// Answers with the secret of twelve words, or with what is wrong with them.
    pub(super) fn read_recovery_words(&mut self, request: u32, text: &str) -> Result<Applied, CommandError> {
        match recovery::read_words(text) {
            Ok(secret) => self.look_up_recovery(request, &secret),
            Err(wrong) => {
                let outcome = CommandOutcome::WrongWords { wrong };
                self.output.effects.push(Effect::Settled { request, outcome });
                Ok(Applied::AnsweredElsewhere)
            }
        }
    }

    /// Answers with a secret and its lookup.
    pub(super) fn look_up_recovery(&mut self, request: u32, secret: &[u8]) -> Result<Applied, CommandError> {
        let signer = RecoverySigner::from_secret(secret).ok_or(CommandError::Invalid)?;
        let lookup = DeviceKey(recovery_lookup(&signer.key())).to_string();
        let outcome = CommandOutcome::RecoverySecret { secret: ByteBuf::from(secret), lookup };
        self.output.effects.push(Effect::Settled { request, outcome });
        Ok(Applied::AnsweredElsewhere)
    }

    /// Makes the key of a secret a recovery key of the account.
    pub(super) fn enrol_recovery(&mut self, request: u32, secret: &[u8]) -> Result<Applied, CommandError> {
        let signer = RecoverySigner::from_secret(secret).ok_or(CommandError::Invalid)?;
        let (account, subject) = (self.device.identity.account, signer.key());
        let acceptance = signer.sign(&acceptance_bytes(&account, &subject));
        self.sign_statement(request, Claim::Enrol { acceptance }, subject);
        Ok(Applied::AnsweredElsewhere)
    }

    /// Objects to a recovery key that is pending.
    pub(super) fn object_to_recovery(&mut self, now: Now, request: u32, key: &[u8]) -> Result<Applied, CommandError> {
        let key = self.key(key)?;
        let members = self.membership.members(self.sync_client.relay_time(now));
        let is_pending = members
            .recovery_keys()
            .any(|one| one.key == key && matches!(one.state, RecoveryState::Pending { .. } | RecoveryState::Unsent));
        if !is_pending {
            return Err(CommandError::NotFound);
        }
        self.sign_statement(request, Claim::Object, key);
        Ok(Applied::AnsweredElsewhere)
    }

    /// Removes a device, or with the secret of a recovery key any key, from the account.
    pub(super) fn remove_key(
        &mut self,
        now: Now,
        request: u32,
        key: &[u8],
        secret: Option<&[u8]>,
        removes_granted: bool,
    ) -> Result<Applied, CommandError> {
        let key = self.key(key)?;
        let at = self.sync_client.relay_time(now);
        let members = self.membership.members(at);
        let signer =
            secret.map(|secret| RecoverySigner::from_secret(secret).ok_or(CommandError::Invalid)).transpose()?;
        if let Some(signer) = &signer
            && !(members.is_member(&signer.key()) && members.is_recovery(&signer.key()))
        {
            return Err(CommandError::NotARecoveryKey);
        }
        // A device cannot revoke a recovery key, nor the devices that the subject let in. `[G3]`
        if signer.is_none() && (members.is_recovery(&key) || removes_granted) {
            return Err(CommandError::RecoveryKeyNeeded);
        }
        let Some(signer) = signer else {
            self.sign_statement(request, Claim::Revoke { keeps: self.membership.set().granted_by(&key) }, key);
            return Ok(Applied::AnsweredElsewhere);
        };
        let revocations = if removes_granted {
            self.cascade(&signer, key, at)?
        } else {
            let claim = Claim::Revoke { keeps: self.membership.set().granted_by(&key) };
            vec![signer.statement(claim, &self.device.identity.account, key)]
        };
        for statement in revocations {
            self.membership.add(statement, at, &mut self.writes).map_err(refusal)?;
        }
        Ok(Applied::Done(None))
    }

    /// Returns the revocations of a key, of all recovery keys that it enrolled, and of those that went with it enrolled.
    fn cascade(&self, signer: &RecoverySigner, key: DeviceKey, at: Timestamp) -> Result<Vec<Statement>, CommandError> {
        let mut set = self.membership.set().clone();
        let before = set.evaluate(at);
        let (mut revocations, mut waiting) = (Vec::new(), vec![key]);
        while let Some(subject) = waiting.pop() {
            let claim = Claim::Revoke { keeps: Vec::new() };
            let statement = signer.statement(claim, &self.device.identity.account, subject);
            set.add(statement.clone(), None, at).map_err(refusal)?;
            revocations.push(statement);
            let after = set.evaluate(at);
            let goes = |one: &&RecoveryKey| {
                let is_by_it = one.by == subject || (before.is_member(&one.by) && !after.is_member(&one.by));
                is_by_it && one.key != signer.key() && after.is_member(&one.key) && !waiting.contains(&one.key)
            };
            let enrolled: Vec<DeviceKey> = after.recovery_keys().filter(goes).map(|one| one.key).collect();
            waiting.extend(enrolled);
        }
        Ok(revocations)
    }

    /// Enters the account of a recovery key: its secret signs the grant of this device. Only a phone that holds nothing can.
    pub(super) fn recover_account(&mut self, account: AccountId, secret: &[u8]) -> Result<Option<DocId>, CommandError> {
        let signer = RecoverySigner::from_secret(secret).ok_or(CommandError::Invalid)?;
        let signature = signer.sign(&grant_bytes(&account, &self.device.identity.device));
        self.enter_account(account, Grant { granted_by: signer.key(), signature })
    }

    fn key(&self, key: &[u8]) -> Result<DeviceKey, CommandError> {
        Ok(DeviceKey(key.try_into().map_err(|_| CommandError::Invalid)?))
    }

    fn sign_statement(&mut self, request: u32, claim: Claim, subject: DeviceKey) {
        let bytes = Statement::signed_bytes(&claim, &self.device.identity.account, &subject);
        self.sign(bytes, Signing::Statement(request, claim, subject));
    }
}

/// Returns the code of a statement that cannot be added.
pub(in crate::replica) fn refusal(error: StatementError) -> CommandError {
    match error {
        StatementError::TooMany => CommandError::TooMany,
        StatementError::Stranger | StatementError::NotAuthentic => CommandError::NotARecoveryKey,
    }
}
