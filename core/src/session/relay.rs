//! The relay's end of a sync session.
//!
//! The account's log is the outbound queue: the session keeps only the position up to which the client has everything
//! (`tail`), and reads the next page when the last one was sent. So a slow reader costs no memory. The session
//! acknowledges entries of this client at their position in the log and sends all others.

mod comparison;
mod open;
#[cfg(test)]
mod tests;

use ed25519_dalek::{Signature, VerifyingKey};

use self::open::OpenSession;
use crate::digest::Digest;
use crate::id::{AccountId, ChangeHash, DeviceKey, DocId};
use crate::membership::{MembershipDigest, ReceivedStatement, Statement};
use crate::origin::{OriginError, OriginPolicy};
use crate::session::{HANDSHAKE_MS, PING_AFTER_MS, SILENCE_MS};
use crate::time::Timestamp;
use crate::wire::{
    BATCH_BYTES, ByeCode, Chunk, DocHeads, DocKind, Entry, Epoch, Grant, MAX_CHUNK_BYTES, MAX_DECLARED,
    MAX_MESSAGE_BYTES, MEMBERSHIP_PROTOCOL, Message, NackCode, Offer, PROTOCOL, RelayId, grant_bytes, proof_bytes,
    proof_bytes_v1,
};

/// The inputs of the session.
#[derive(Debug)]
pub enum RelayInput {
    /// A binary message arrived.
    Received(Vec<u8>),
    /// Answers [`RelayEffect::Admit`]: the device belongs to the account.
    Admitted {
        /// The current epoch of the relay's log.
        epoch: Epoch,
        /// The position of the newest entry in the account's log; 0 if it is empty.
        head: u64,
        /// The relay's clock.
        at: Timestamp,
        /// The digest of the account's membership statements.
        membership: MembershipDigest,
    },
    /// Answers [`RelayEffect::Admit`]: the device is refused.
    NotAdmitted(ByeCode),
    /// Answers [`RelayEffect::Vouch`], whether or not the relay stored it: changes are checked when they are pushed.
    Vouched,
    /// Answers [`RelayEffect::Commit`]: everything that was not refused is on disk.
    Committed {
        /// The number of the push.
        push: u64,
        /// One outcome for each change of the push, in its order.
        outcomes: Vec<ChangeOutcome>,
    },
    /// The account's log has grown to this position, by any session.
    Grew(u64),
    /// The account's membership statements changed, by any session.
    MembershipChanged,
    /// Answers [`RelayEffect::Declare`], whether or not the relay stored anything.
    Declared,
    /// Answers [`RelayEffect::ReadMembers`].
    Members(Vec<ReceivedStatement>),
    /// Answers [`RelayEffect::ReadLog`].
    Log(LogPage),
    /// Answers [`RelayEffect::ReadDoc`].
    Doc(DocPage),
    /// Answers [`RelayEffect::ReadHeads`].
    Heads(HeadsPage),
    /// Answers [`RelayEffect::ReadNames`].
    Names(NamesPage),
    /// The deadline has passed, or the shell checks the time.
    Tick,
    /// The relay is stopping or its storage has failed.
    Stop(ByeCode),
}

/// The effects of the session. Answers come as inputs, in any order.
#[derive(Debug, PartialEq)]
pub enum RelayEffect {
    /// Send a binary message. The shell performs the next effect when the socket has accepted it.
    Send(Vec<u8>),
    /// Check whether the device belongs to the account, store it, and from then on report [`RelayInput::Grew`] and
    /// [`RelayInput::MembershipChanged`]. A device that is revoked later gets [`RelayInput::Stop`] with
    /// [`ByeCode::Revoked`]. The signatures are verified. A founding device, or its grant for another device, makes the
    /// account if it is new.
    Admit {
        /// The account.
        account: AccountId,
        /// The device with the verified key.
        device: DeviceKey,
        /// The grant of a key that must be a member of the account; absent for the founding device.
        grant: Option<Grant>,
        /// The protocol version of the phone.
        protocol: u16,
    },
    /// Report to the operator that a phone signed for another origin than the relay's own and was refused. `[H9]`
    ReportOrigin {
        /// The origin that the phone states.
        dialled: String,
    },
    /// Report to the operator that a phone's cursor is beyond the log: the database was put back to an older state, or
    /// the phone states a wrong cursor. `[C6]`
    ReportShortLog {
        /// The cursor that the phone states.
        cursor: u64,
        /// The head of the log.
        head: u64,
    },
    /// Store that a device with this actor prefix belongs to the account, if it may have one more device. `[P10]`
    Vouch {
        /// The actor prefix.
        actor_prefix: [u8; 8],
    },
    /// Store these membership statements as far as they are allowed. Their signatures are verified. `[G3]` `[G6]`
    Declare {
        /// The statements.
        statements: Vec<Statement>,
    },
    /// Read all membership statements of the account.
    ReadMembers,
    /// Store the changes, refuse each one separately, and sync the disk before answering.
    Commit {
        /// The number of the push, which is part of the answer.
        push: u64,
        /// The changes.
        changes: Vec<Offer>,
    },
    /// Read a page of the account's log after this position: at most [`MAX_BATCH`] entries and about [`BATCH_BYTES`].
    ReadLog {
        /// The position after which to read.
        after: u64,
    },
    /// Read a page of one document's changes, in log order.
    ReadDoc {
        /// The document.
        doc: DocId,
        /// The log position after which to read.
        after: u64,
    },
    /// Read kind and heads of the account's documents in an inclusive range of ids: the first [`MAX_HEADS_PAGE`] at most.
    ReadHeads {
        /// The first id.
        from: DocId,
        /// The last id.
        to: DocId,
    },
    /// Read the hashes of changes of some documents, one document after the other: at most [`MAX_NAMES_PAGE`].
    ReadNames {
        /// The documents, [`MAX_HEADS_PAGE`] at most.
        docs: Vec<DocId>,
        /// Of the first document, only hashes above this one.
        after: Option<ChangeHash>,
        /// Only changes up to this position of the log.
        upto: u64,
    },
    /// Close the socket. Nothing follows.
    Close,
}

/// The result for one pushed change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeOutcome {
    /// It is on disk, at this position of the account's log, stored by this push or an earlier one.
    Stored {
        /// The position.
        seq: u64,
        /// Its hash.
        hash: ChangeHash,
    },
    /// It was refused.
    Refused(NackCode),
}

/// A page of an account's log, read in one snapshot.
#[derive(Clone, Debug)]
pub struct LogPage {
    /// The entries with their positions, ascending. A change that a snapshot covers is not among them.
    pub entries: Vec<(u64, Entry)>,
    /// The position of the newest entry in the log at the time of the snapshot.
    pub head: u64,
    /// The digest of all documents of the account at the time of the snapshot.
    pub digest: Digest,
}

/// A page of one document's changes.
#[derive(Clone, Debug)]
pub struct DocPage {
    /// The document.
    pub doc: DocId,
    /// The chunks with their log positions, ascending: changes, and a snapshot in place of those that it covers. Only
    /// the last chunk may be larger than a page.
    pub changes: Vec<(u64, Chunk)>,
    /// Whether nothing follows.
    pub done: bool,
}

/// Maximum number of documents of a [`HeadsPage`].
pub const MAX_HEADS_PAGE: usize = 500;

/// Maximum number of hashes of a [`NamesPage`]: as many as fit into one message.
pub const MAX_NAMES_PAGE: usize = BATCH_BYTES / 34;

/// The heads of an account's documents in the first part of a range of ids, read in one snapshot.
#[derive(Clone, Debug)]
pub struct HeadsPage {
    /// Heads and kind of each document, ascending.
    pub docs: Vec<(DocHeads, DocKind)>,
    /// The last id of the part that the page covers; the last of the range if it covers all.
    pub through: DocId,
    /// The position of the newest entry in the account's log.
    pub head: u64,
}

/// Hashes of the changes of some documents.
#[derive(Clone, Debug)]
pub struct NamesPage {
    /// The hashes of each of the first requested documents, ascending; of at least one document.
    pub names: Vec<Vec<ChangeHash>>,
    /// Whether the last of these documents has more.
    pub goes_on: bool,
}

/// The relay's end of one connection.
#[derive(Debug)]
pub struct RelaySession {
    relay: RelayId,
    policy: OriginPolicy,
    phase: RelayPhase,
    /// The version that was chosen; 0 before.
    protocol: u16,
    /// The account of the handshake.
    account: Option<AccountId>,
    /// Whether the membership statements changed since the admission.
    membership_changed: bool,
    opened_ms: u64,
    heard_ms: u64,
    pinged: bool,
}

#[derive(Debug)]
enum RelayPhase {
    AwaitingHello { nonce: [u8; 32] },
    AwaitingProof { nonce: [u8; 32], account: AccountId, device: DeviceKey },
    AwaitingAdmission,
    AwaitingCatchUp { head: u64, membership: MembershipDigest },
    Open(Box<OpenSession>),
    Closed,
}

impl RelaySession {
    /// Creates the session of a new connection.
    ///
    /// `policy` has the origins that phones may sign; `nonce` is fresh randomness for this session only; `now_ms` is
    /// any monotonic clock.
    pub fn new(relay: RelayId, policy: OriginPolicy, nonce: [u8; 32], now_ms: u64) -> RelaySession {
        RelaySession {
            relay,
            policy,
            phase: RelayPhase::AwaitingHello { nonce },
            protocol: 0,
            account: None,
            membership_changed: false,
            opened_ms: now_ms,
            heard_ms: now_ms,
            pinged: false,
        }
    }

    /// Returns when [`RelayInput::Tick`] is due, on the clock of `now_ms`, and the reason.
    pub fn next_deadline(&self) -> Option<(u64, &'static str)> {
        match self.phase {
            RelayPhase::Closed => None,
            RelayPhase::Open(_) if self.pinged => Some((self.heard_ms + SILENCE_MS, "give up a silent client")),
            RelayPhase::Open(_) => Some((self.heard_ms + PING_AFTER_MS, "ping a quiet client")),
            _ => Some((self.opened_ms + HANDSHAKE_MS, "give up a slow handshake")),
        }
    }

    /// Returns whether the session has closed the connection.
    pub fn is_closed(&self) -> bool {
        matches!(self.phase, RelayPhase::Closed)
    }

    /// Handles an input and returns the effects.
    pub fn handle(&mut self, now_ms: u64, input: RelayInput) -> Vec<RelayEffect> {
        if self.is_closed() {
            return Vec::new();
        }
        if matches!(input, RelayInput::Received(_)) {
            (self.heard_ms, self.pinged) = (now_ms, false);
        }
        self.step(now_ms, input).unwrap_or_else(|code| self.bye(code))
    }

    fn step(&mut self, now_ms: u64, input: RelayInput) -> Result<Vec<RelayEffect>, ByeCode> {
        match input {
            RelayInput::Received(bytes) => self.receive(Message::decode(&bytes).map_err(|error| error.bye())?),
            RelayInput::Admitted { epoch, head, at, membership } => Ok(self.admitted(epoch, head, at, membership)),
            RelayInput::NotAdmitted(code) | RelayInput::Stop(code) => Err(code),
            RelayInput::Tick => self.tick(now_ms),
            RelayInput::Committed { push, outcomes } => Ok(self.open_or_ignore(|open| open.committed(push, outcomes))),
            RelayInput::Vouched => Ok(self.open_or_ignore(OpenSession::vouched)),
            RelayInput::MembershipChanged if self.protocol < MEMBERSHIP_PROTOCOL => Ok(Vec::new()),
            RelayInput::MembershipChanged => {
                // Before the catch-up, the digest of the admission is out of date.
                self.membership_changed = true;
                Ok(self.open_or_ignore(OpenSession::read_members))
            }
            RelayInput::Declared => Ok(self.open_or_ignore(OpenSession::declared)),
            RelayInput::Members(statements) => Ok(self.open_or_ignore(|open| open.members(statements))),
            RelayInput::Grew(head) => Ok(self.open_or_ignore(|open| open.log_grew(head))),
            RelayInput::Log(page) => Ok(self.open_or_ignore(|open| open.log(page))),
            RelayInput::Doc(page) => Ok(self.open_or_ignore(|open| open.doc(page))),
            RelayInput::Heads(page) => Ok(self.open_or_ignore(|open| open.heads(page))),
            RelayInput::Names(page) => Ok(self.open_or_ignore(|open| open.names(page))),
        }
    }

    fn open_or_ignore(&mut self, act: impl FnOnce(&mut OpenSession) -> Vec<RelayEffect>) -> Vec<RelayEffect> {
        if let RelayPhase::Open(open) = &mut self.phase { act(open) } else { Vec::new() }
    }

    fn receive(&mut self, message: Message) -> Result<Vec<RelayEffect>, ByeCode> {
        match (&mut self.phase, message) {
            (_, Message::Bye { .. }) => {
                self.phase = RelayPhase::Closed;
                Ok(vec![RelayEffect::Close])
            }
            (RelayPhase::AwaitingHello { nonce }, Message::Hello { protocols, account, device }) => {
                let is_spoken = |version: &u16| (self.policy.oldest_protocol..=PROTOCOL).contains(version);
                let newest = protocols.iter().copied().filter(is_spoken).max();
                let protocol = newest.filter(|_| protocols.len() <= 8).ok_or(ByeCode::UnknownProtocol)?;
                let nonce = *nonce;
                (self.protocol, self.account) = (protocol, Some(account));
                self.phase = RelayPhase::AwaitingProof { nonce, account, device };
                Ok(vec![send(Message::Challenge { protocol, relay: self.relay, nonce })])
            }
            (RelayPhase::AwaitingProof { nonce, account, device }, Message::Proof { signature, grant, origin }) => {
                let (protocol, account, device) = (self.protocol, *account, *device);
                let signed = match (protocol, &origin) {
                    (1, None) => proof_bytes_v1(&self.relay, nonce, &account, &device),
                    (2..=PROTOCOL, Some(origin)) => proof_bytes(&self.relay, nonce, &account, &device, origin),
                    (_, Some(_) | None) => return Err(ByeCode::Malformed),
                };
                match (self.policy.check(origin.as_deref()), origin) {
                    (Ok(()), _) => {}
                    (Err(OriginError::WrongOrigin), Some(dialled)) => {
                        let mut effects = vec![RelayEffect::ReportOrigin { dialled }];
                        effects.extend(self.bye(ByeCode::WrongOrigin));
                        return Ok(effects);
                    }
                    (Err(OriginError::WrongOrigin | OriginError::NoOrigin), _) => return Err(ByeCode::UnknownProtocol),
                }
                verify(&device, &signed, &signature)?;
                let grant = verify_grant(&account, &device, grant)?;
                self.phase = RelayPhase::AwaitingAdmission;
                Ok(vec![RelayEffect::Admit { account, device, grant, protocol }])
            }
            (
                RelayPhase::AwaitingCatchUp { head, membership },
                Message::CatchUp { cursor, digest: _, membership: theirs },
            ) => {
                if theirs.is_some() != (self.protocol >= MEMBERSHIP_PROTOCOL) {
                    return Err(ByeCode::Malformed);
                }
                let differs = theirs.is_some_and(|theirs| theirs != *membership || self.membership_changed);
                // The log of a database that was put back to an older state is shorter than before. Its head is as good
                // a cursor as any: the digests decide. `[C6]`
                let head = *head;
                let mut open = OpenSession::at(cursor.min(head), head);
                let report = (cursor > head).then_some(RelayEffect::ReportShortLog { cursor, head });
                let members = if differs { open.read_members() } else { Vec::new() };
                let effects = report.into_iter().chain(members).chain(open.read_on()).collect();
                self.phase = RelayPhase::Open(Box::new(open));
                Ok(effects)
            }
            (RelayPhase::Open(_), Message::Pong) => Ok(Vec::new()),
            (RelayPhase::Open(open), Message::Push { changes }) => open.push(changes),
            (RelayPhase::Open(open), Message::Vouch { actor_prefix }) => open.vouch(actor_prefix),
            (RelayPhase::Open(open), Message::Declare { statements }) if self.protocol >= MEMBERSHIP_PROTOCOL => {
                if statements.is_empty() || statements.len() > MAX_DECLARED {
                    return Err(ByeCode::Overloaded);
                }
                let account = self.account.ok_or(ByeCode::OutOfOrder)?;
                let verified = statements.iter().try_for_each(|statement| statement.verify(&account));
                verified.map_err(|_| ByeCode::NotAuthentic)?;
                open.declare(statements)
            }
            (RelayPhase::Open(open), Message::Fetch { doc }) => open.fetch(doc),
            (RelayPhase::Open(open), Message::Compare { from, to, docs }) => open.compare(from, to, docs),
            _ => Err(ByeCode::OutOfOrder),
        }
    }

    fn admitted(&mut self, epoch: Epoch, head: u64, at: Timestamp, membership: MembershipDigest) -> Vec<RelayEffect> {
        if !matches!(self.phase, RelayPhase::AwaitingAdmission) {
            return Vec::new();
        }
        self.phase = RelayPhase::AwaitingCatchUp { head, membership };
        vec![send(Message::Welcome {
            epoch,
            head,
            max_message_bytes: MAX_MESSAGE_BYTES as u32,
            max_chunk_bytes: MAX_CHUNK_BYTES as u32,
            at,
        })]
    }

    fn tick(&mut self, now_ms: u64) -> Result<Vec<RelayEffect>, ByeCode> {
        match self.next_deadline() {
            Some((due, _)) if due <= now_ms => match &self.phase {
                RelayPhase::Open(_) if !self.pinged => {
                    self.pinged = true;
                    Ok(vec![send(Message::Ping)])
                }
                _ => Err(ByeCode::TooSlow),
            },
            _ => Ok(Vec::new()),
        }
    }

    fn bye(&mut self, code: ByeCode) -> Vec<RelayEffect> {
        self.phase = RelayPhase::Closed;
        let code = match code {
            code if self.protocol >= MEMBERSHIP_PROTOCOL => code,
            ByeCode::Revoked => ByeCode::NotAuthentic,
            // Their words say to ask the operator for more.
            ByeCode::NotInvited | ByeCode::RegistrationClosed => ByeCode::OverQuota,
            code => code,
        };
        vec![send(Message::Bye { code }), RelayEffect::Close]
    }
}

fn send(message: Message) -> RelayEffect {
    RelayEffect::Send(message.encode())
}

fn verify(key: &DeviceKey, bytes: &[u8], signature: &[u8; 64]) -> Result<(), ByeCode> {
    VerifyingKey::from_bytes(&key.0)
        .and_then(|key| key.verify_strict(bytes, &Signature::from_bytes(signature)))
        .map_err(|_| ByeCode::NotAuthentic)
}

/// Returns the verified grant; nothing if the device founded the account. `[H5]`
fn verify_grant(account: &AccountId, device: &DeviceKey, grant: Option<Grant>) -> Result<Option<Grant>, ByeCode> {
    if AccountId::founded_by(device) == *account {
        return Ok(None);
    }
    let grant = grant.ok_or(ByeCode::NotAuthentic)?;
    verify(&grant.granted_by, &grant_bytes(account, device), &grant.signature)?;
    Ok(Some(grant))
}
