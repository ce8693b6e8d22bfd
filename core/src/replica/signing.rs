//! The requests for signatures with the device key, and the use of the signatures.

use serde_bytes::ByteBuf;

use crate::id::{AccountId, DeviceKey};
use crate::membership::{Claim, Statement};
use crate::read_token::ReadToken;
use crate::replica::commands::statement_refusal;
use crate::replica::io::{CommandOutcome, Effect, Topic};
use crate::replica::{DeviceGrant, Replica, documents, sync_client};
use crate::sorted::Map;
use crate::time::{Now, Timestamp};
use crate::wire::Grant;

/// The purpose of a signature.
#[derive(Debug)]
pub(super) enum Signing {
    /// The proof for the relay.
    Proof,
    /// A grant for another device, and the request of the command.
    Grant(u32, DeviceKey),
    /// To say this about a key of the account; the command with this request.
    Statement(u32, Claim, DeviceKey),
    /// A read token for this account, and the request of the command.
    Token(u32, TokenTerms),
}

/// The content of a read token without its signature.
#[derive(Debug)]
pub(super) struct TokenTerms {
    pub(super) account: AccountId,
    /// The origin of the relay that accepts it.
    pub(super) origin: String,
    /// Its end by the relay's clock.
    pub(super) expires_at: Timestamp,
    /// Its end by this phone's clock.
    pub(super) expires_here_at: Timestamp,
}

/// The pending signatures, by request.
#[derive(Debug, Default)]
pub(super) struct Signatures(Map<u32, Signing>);

impl Signatures {
    /// Removes the request for a closed connection: its signature is invalid on the next one.
    pub(super) fn forget_proof(&mut self) {
        self.0.retain(|_, signing| !matches!(signing, Signing::Proof));
    }
}

impl Replica {
    /// Requests a signature from the shell.
    pub(super) fn sign(&mut self, bytes: Vec<u8>, signing: Signing) {
        let request = self.output.next_request();
        self.device.signatures.0.insert(request, signing);
        self.output.effects.push(Effect::Sign { request, bytes });
    }

    /// Handles a signature.
    pub(super) fn signed(&mut self, now: Now, request: u32, signature: &[u8]) {
        let Some(signing) = self.device.signatures.0.remove(&request) else { return };
        let Ok(signature) = <[u8; 64]>::try_from(signature) else { return };
        let (account, device) = (self.device.identity.account, self.device.identity.device);
        let (request, outcome) = match signing {
            Signing::Proof => {
                if let Some(sync_client::SyncEffect::Send(bytes)) = self.sync_client.signed(signature) {
                    self.output.effects.push(Effect::Send { bytes });
                }
                return;
            }
            Signing::Grant(request, granted) => {
                let grant = Grant { granted_by: device, signature };
                // A grant that nobody uses does no harm; one that is used comes from the relay in any case.
                let at = self.sync_client.relay_time(now);
                let added = self.membership.add(grant.statement(granted), at, &mut self.writes);
                if let Err(error) = added {
                    let outcome = CommandOutcome::Refused { code: statement_refusal(error) };
                    return self.output.effects.push(Effect::Settled { request, outcome });
                }
                self.output.topics.insert(Topic::Members);
                let linked = DeviceGrant { account, grant, device: granted };
                (request, CommandOutcome::Granted { grant: ByteBuf::from(documents::cbor(&linked)) })
            }
            Signing::Statement(request, claim, subject) => {
                let statement = Statement { claim, subject, by: device, signature };
                let at = self.sync_client.relay_time(now);
                match self.membership.add(statement, at, &mut self.writes) {
                    Ok(()) => {
                        self.output.topics.insert(Topic::Members);
                        let seq = self.writes.write_seq();
                        self.commands.settle_after(seq, request, CommandOutcome::Done { doc: None });
                        return self.settle_commands();
                    }
                    Err(error) => (request, CommandOutcome::Refused { code: statement_refusal(error) }),
                }
            }
            Signing::Token(request, TokenTerms { account, origin, expires_at, expires_here_at }) => {
                let token = ReadToken { account, device, expires_at, signature, origin: Some(origin) };
                (request, CommandOutcome::Token { token: ByteBuf::from(token.to_bytes()), expires_at: expires_here_at })
            }
        };
        self.output.effects.push(Effect::Settled { request, outcome });
    }
}
