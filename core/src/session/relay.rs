//! The relay's end of a sync session.
//!
//! The account's log is the outbound queue: the session keeps only how far the client has been told (`tail`) and reads
//! the next page when the last one has been sent, so that a slow reader costs a number, not memory. Entries that this
//! very client pushed are acknowledged at their place in the log; all others are sent.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use ed25519_dalek::{Signature, VerifyingKey};

use crate::digest::Digest;
use crate::id::{AccountId, ChangeHash, DeviceKey, DocId};
use crate::session::{HANDSHAKE_MS, MAX_PUSHES_IN_FLIGHT, PING_AFTER_MS, SILENCE_MS};
use crate::time::Timestamp;
use crate::wire::{
    BATCH_BYTES, ByeCode, Chunk, DocHeads, DocHistory, DocKind, Entry, Epoch, Grant, MAX_BATCH, MAX_CHUNK_BYTES,
    MAX_HEADS, MAX_MESSAGE_BYTES, Message, NackCode, Offer, PROTOCOL, RelayId, grant_bytes, proof_bytes,
};

/// What happens to the session.
#[derive(Debug)]
pub enum Input {
    /// A binary message arrived.
    Received(Vec<u8>),
    /// Any other sign of life arrived, such as a pong.
    Heard,
    /// Answers [`Effect::Admit`]: the device may speak for the account.
    Admitted {
        /// The current epoch of the relay's log.
        epoch: Epoch,
        /// The position of the newest entry in the account's log; 0 if it is empty.
        head: u64,
        /// The relay's clock.
        at: Timestamp,
    },
    /// Answers [`Effect::Admit`]: it may not.
    NotAdmitted(ByeCode),
    /// Answers [`Effect::Commit`]: everything not refused is on disk.
    Committed {
        /// Which push.
        push: u64,
        /// One outcome for each change of the push, in its order.
        outcomes: Vec<Outcome>,
    },
    /// The account's log has grown to this position, by whomever.
    Grew(u64),
    /// Answers [`Effect::ReadLog`].
    Log(LogPage),
    /// Answers [`Effect::ReadDoc`].
    Doc(DocPage),
    /// Answers [`Effect::ReadHeads`]: the account's documents in the range, ascending, with kind and heads.
    Heads(Vec<(DocHeads, DocKind)>),
    /// Answers [`Effect::ReadHistories`].
    Histories(Vec<DocHistory>),
    /// The deadline has passed, or the shell just wants the time looked at.
    Tick,
    /// The relay is stopping or its storage has failed.
    Stop(ByeCode),
}

/// What the session wants done. Answers come back as inputs, in any order.
#[derive(Debug, PartialEq)]
pub enum Effect {
    /// Send a binary message. The shell goes on to the next effect when the socket has taken it.
    Send(Vec<u8>),
    /// Send a ping.
    Ping,
    /// Look whether the device may speak for the account, remember it, and from then on report [`Input::Grew`].
    /// Signatures have been verified. A founder founds the account if it is new.
    Admit {
        /// The account.
        account: AccountId,
        /// The device whose key was proved.
        device: DeviceKey,
        /// The device that let it in, which must be one of the account; absent for the founder.
        granted_by: Option<DeviceKey>,
    },
    /// Store the changes, refusing each by itself, and sync the disk before answering.
    Commit {
        /// Which push; comes back with the outcomes.
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
    /// Read kind and heads of the account's documents in an inclusive range of ids.
    ReadHeads {
        /// The first id.
        from: DocId,
        /// The last id.
        to: DocId,
    },
    /// Read the hashes of all changes of some documents.
    ReadHistories(Vec<DocId>),
    /// Close the socket. Nothing follows.
    Close,
}

/// What became of one pushed change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is on disk, at this position of the account's log, since this push or an earlier one.
    Stored {
        /// The position.
        seq: u64,
        /// Its name.
        hash: ChangeHash,
    },
    /// It was refused.
    Refused(NackCode),
}

/// A page of an account's log, read in one snapshot.
#[derive(Clone, Debug)]
pub struct LogPage {
    /// The entries with their positions and names, ascending.
    pub entries: Vec<(u64, ChangeHash, Entry)>,
    /// The position of the newest entry in the log at the time of the snapshot.
    pub head: u64,
    /// Over all documents of the account at the time of the snapshot.
    pub digest: Digest,
}

/// A page of one document's changes.
#[derive(Clone, Debug)]
pub struct DocPage {
    /// The document.
    pub doc: DocId,
    /// Log positions and chunks, ascending.
    pub changes: Vec<(u64, Chunk)>,
    /// Whether nothing follows.
    pub done: bool,
}

/// The relay's end of one connection.
#[derive(Debug)]
pub struct Session {
    relay: RelayId,
    phase: Phase,
    opened_ms: u64,
    heard_ms: u64,
    pinged: bool,
}

#[derive(Debug)]
enum Phase {
    AwaitingHello { nonce: [u8; 32] },
    AwaitingProof { nonce: [u8; 32], account: AccountId, device: DeviceKey },
    AwaitingAdmission,
    AwaitingCatchUp { head: u64 },
    Open(Open),
    Closed,
}

#[derive(Debug)]
struct Open {
    /// Up to here the client has been sent everything or had it acknowledged.
    tail: u64,
    /// The newest position known to exist.
    head: u64,
    /// This client's own entries beyond the tail, to be acknowledged at their place.
    mine: BTreeMap<u64, ChangeHash>,
    reading: bool,
    caught_up: bool,
    pushes: u64,
    pushes_in_flight: usize,
    fetching: Option<DocId>,
    comparing: Option<Comparing>,
}

/// A comparison that is being answered.
#[derive(Debug)]
struct Comparing {
    from: DocId,
    to: DocId,
    theirs: Vec<DocHeads>,
}

impl Session {
    /// A session on a connection that was just accepted.
    ///
    /// `nonce` is fresh randomness, used for nothing else; `now_ms` any monotonic clock.
    pub fn new(relay: RelayId, nonce: [u8; 32], now_ms: u64) -> Session {
        Session { relay, phase: Phase::AwaitingHello { nonce }, opened_ms: now_ms, heard_ms: now_ms, pinged: false }
    }

    /// When [`Input::Tick`] is due, on the clock of `now_ms`, and what for.
    pub fn next_deadline(&self) -> Option<(u64, &'static str)> {
        match self.phase {
            Phase::Closed => None,
            Phase::Open(_) if self.pinged => Some((self.heard_ms + SILENCE_MS, "give up a silent client")),
            Phase::Open(_) => Some((self.heard_ms + PING_AFTER_MS, "ping a quiet client")),
            _ => Some((self.opened_ms + HANDSHAKE_MS, "give up a slow handshake")),
        }
    }

    /// Whether the session has closed the connection.
    pub fn is_closed(&self) -> bool {
        matches!(self.phase, Phase::Closed)
    }

    /// Takes in what happened and says what to do.
    pub fn handle(&mut self, now_ms: u64, input: Input) -> Vec<Effect> {
        if self.is_closed() {
            return Vec::new();
        }
        if matches!(input, Input::Received(_) | Input::Heard) {
            (self.heard_ms, self.pinged) = (now_ms, false);
        }
        self.step(now_ms, input).unwrap_or_else(|code| self.bye(code))
    }

    fn step(&mut self, now_ms: u64, input: Input) -> Result<Vec<Effect>, ByeCode> {
        match input {
            Input::Received(bytes) => self.receive(Message::decode(&bytes).map_err(|error| error.bye())?),
            Input::Heard => Ok(Vec::new()),
            Input::Admitted { epoch, head, at } => Ok(self.admitted(epoch, head, at)),
            Input::NotAdmitted(code) | Input::Stop(code) => Err(code),
            Input::Tick => self.tick(now_ms),
            Input::Committed { push, outcomes } => Ok(self.open_or_ignore(|open| open.committed(push, outcomes))),
            Input::Grew(head) => Ok(self.open_or_ignore(|open| open.grew(head))),
            Input::Log(page) => Ok(self.open_or_ignore(|open| open.log(page))),
            Input::Doc(page) => Ok(self.open_or_ignore(|open| open.doc(page))),
            Input::Heads(docs) => Ok(self.open_or_ignore(|open| open.heads(docs))),
            Input::Histories(docs) => Ok(self.open_or_ignore(|open| open.histories(docs))),
        }
    }

    fn open_or_ignore(&mut self, act: impl FnOnce(&mut Open) -> Vec<Effect>) -> Vec<Effect> {
        if let Phase::Open(open) = &mut self.phase { act(open) } else { Vec::new() }
    }

    fn receive(&mut self, message: Message) -> Result<Vec<Effect>, ByeCode> {
        match (&mut self.phase, message) {
            (_, Message::Bye { .. }) => {
                self.phase = Phase::Closed;
                Ok(vec![Effect::Close])
            }
            (Phase::AwaitingHello { nonce }, Message::Hello { protocols, account, device }) => {
                if protocols.len() > 8 || !protocols.contains(&PROTOCOL) {
                    return Err(ByeCode::UnknownProtocol);
                }
                let nonce = *nonce;
                self.phase = Phase::AwaitingProof { nonce, account, device };
                Ok(vec![send(Message::Challenge { protocol: PROTOCOL, relay: self.relay, nonce })])
            }
            (Phase::AwaitingProof { nonce, account, device }, Message::Proof { signature, grant }) => {
                let (account, device) = (*account, *device);
                verify(&device, &proof_bytes(&self.relay, nonce, &account, &device), &signature)?;
                let granted_by = verify_membership(&account, &device, grant)?;
                self.phase = Phase::AwaitingAdmission;
                Ok(vec![Effect::Admit { account, device, granted_by }])
            }
            (Phase::AwaitingCatchUp { head }, Message::CatchUp { cursor, digest: _ }) => {
                if cursor > *head {
                    return Err(ByeCode::OutOfOrder);
                }
                let mut open = Open::at(cursor, *head);
                let effects = open.read_on();
                self.phase = Phase::Open(open);
                Ok(effects)
            }
            (Phase::Open(open), Message::Push { changes }) => open.push(changes),
            (Phase::Open(open), Message::Fetch { doc }) => open.fetch(doc),
            (Phase::Open(open), Message::Compare { from, to, docs }) => open.compare(from, to, docs),
            _ => Err(ByeCode::OutOfOrder),
        }
    }

    fn admitted(&mut self, epoch: Epoch, head: u64, at: Timestamp) -> Vec<Effect> {
        if !matches!(self.phase, Phase::AwaitingAdmission) {
            return Vec::new();
        }
        self.phase = Phase::AwaitingCatchUp { head };
        vec![send(Message::Welcome {
            epoch,
            head,
            max_message_bytes: MAX_MESSAGE_BYTES as u32,
            max_chunk_bytes: MAX_CHUNK_BYTES as u32,
            at,
        })]
    }

    fn tick(&mut self, now_ms: u64) -> Result<Vec<Effect>, ByeCode> {
        match self.next_deadline() {
            Some((due, _)) if due <= now_ms => match &self.phase {
                Phase::Open(_) if !self.pinged => {
                    self.pinged = true;
                    Ok(vec![Effect::Ping])
                }
                _ => Err(ByeCode::TooSlow),
            },
            _ => Ok(Vec::new()),
        }
    }

    fn bye(&mut self, code: ByeCode) -> Vec<Effect> {
        self.phase = Phase::Closed;
        vec![send(Message::Bye { code }), Effect::Close]
    }
}

impl Open {
    fn at(tail: u64, head: u64) -> Open {
        Open {
            tail,
            head,
            mine: BTreeMap::new(),
            reading: false,
            caught_up: false,
            pushes: 0,
            pushes_in_flight: 0,
            fetching: None,
            comparing: None,
        }
    }

    /// Reads the next page of the log, if there is one to be had and none is on its way. `[C2]`
    fn read_on(&mut self) -> Vec<Effect> {
        // A comparison is answered from one moment of the log: nothing newer is said before. `[D2]` While a commit is under
        // way, the log may have grown by this client's own changes, which are not for sending back.
        let is_busy = self.reading || self.comparing.is_some() || self.pushes_in_flight > 0;
        if is_busy || (self.caught_up && self.head <= self.tail) {
            return Vec::new();
        }
        self.reading = true;
        vec![Effect::ReadLog { after: self.tail }]
    }

    fn push(&mut self, changes: Vec<Offer>) -> Result<Vec<Effect>, ByeCode> {
        if !self.caught_up || changes.is_empty() {
            return Err(ByeCode::OutOfOrder);
        }
        if self.pushes_in_flight == MAX_PUSHES_IN_FLIGHT || changes.len() > MAX_BATCH {
            return Err(ByeCode::Overloaded);
        }
        let push = self.pushes;
        self.pushes += 1;
        self.pushes_in_flight += 1;
        Ok(vec![Effect::Commit { push, changes }])
    }

    fn committed(&mut self, push: u64, outcomes: Vec<Outcome>) -> Vec<Effect> {
        self.pushes_in_flight -= 1;
        let mut effects = Vec::new();
        let mut acks = Vec::new();
        for (index, outcome) in outcomes.into_iter().enumerate() {
            match outcome {
                Outcome::Stored { seq, hash } if seq <= self.tail => acks.push(hash),
                Outcome::Stored { seq, hash } => {
                    self.head = self.head.max(seq);
                    self.mine.insert(seq, hash);
                }
                Outcome::Refused(code) => effects.push(send(Message::Nack { index: index as u32, push, code })),
            }
        }
        // What follows the tail without a stranger's entry in between needs no reading back.
        while let Some(hash) =
            (!self.reading && self.comparing.is_none()).then(|| self.mine.remove(&(self.tail + 1))).flatten()
        {
            self.tail += 1;
            acks.push(hash);
        }
        effects.extend(self.ack(acks));
        effects.extend(self.read_on());
        effects
    }

    fn grew(&mut self, head: u64) -> Vec<Effect> {
        self.head = self.head.max(head);
        self.read_on()
    }

    fn log(&mut self, page: LogPage) -> Vec<Effect> {
        self.reading = false;
        self.head = self.head.max(page.head);
        let mut effects = Vec::new();
        let (mut acks, mut entries) = (Vec::new(), Vec::new());
        // In the order of the log, so that the client hears of nothing before what it depends on, and no cursor passes
        // an entry that was not sent. `[C2]`
        for (seq, _, entry) in page.entries {
            match self.mine.remove(&seq) {
                Some(mine) => {
                    effects.extend(self.entries(&mut entries));
                    acks.push(mine);
                }
                None => {
                    effects.extend(self.ack(std::mem::take(&mut acks)));
                    entries.push(entry);
                }
            }
            self.tail = seq;
        }
        effects.extend(self.entries(&mut entries));
        effects.extend(self.ack(acks));
        if !self.caught_up && self.tail == page.head {
            self.caught_up = true;
            effects.push(send(Message::CaughtUp { cursor: self.tail, digest: page.digest }));
        }
        effects.extend(self.read_on());
        effects.extend(self.read_heads());
        effects
    }

    fn entries(&self, entries: &mut Vec<Entry>) -> Option<Effect> {
        let entries = std::mem::take(entries);
        (!entries.is_empty()).then(|| send(Message::Entries { entries, cursor: self.tail }))
    }

    fn ack(&self, hashes: Vec<ChangeHash>) -> Option<Effect> {
        (!hashes.is_empty()).then(|| send(Message::Ack { hashes, cursor: self.tail }))
    }

    fn fetch(&mut self, doc: DocId) -> Result<Vec<Effect>, ByeCode> {
        if self.fetching.replace(doc).is_some() {
            return Err(ByeCode::OutOfOrder);
        }
        Ok(vec![Effect::ReadDoc { doc, after: 0 }])
    }

    fn doc(&mut self, page: DocPage) -> Vec<Effect> {
        if self.fetching != Some(page.doc) {
            return Vec::new();
        }
        let after = page.changes.last().map_or(0, |(seq, _)| *seq);
        let chunks = page.changes.into_iter().map(|(_, chunk)| chunk).collect();
        let mut effects = vec![send(Message::Fetched { doc: page.doc, chunks, done: page.done })];
        if page.done {
            self.fetching = None;
        } else {
            effects.push(Effect::ReadDoc { doc: page.doc, after });
        }
        effects
    }

    fn compare(&mut self, from: DocId, to: DocId, docs: Vec<DocHeads>) -> Result<Vec<Effect>, ByeCode> {
        let ascending = docs.windows(2).all(|pair| pair[0].doc < pair[1].doc);
        let within = docs.iter().all(|d| from <= d.doc && d.doc <= to && d.heads.len() <= MAX_HEADS);
        let comparing = Comparing { from, to, theirs: docs };
        if !ascending || !within || from > to || self.comparing.replace(comparing).is_some() {
            return Err(ByeCode::OutOfOrder);
        }
        Ok(self.read_heads())
    }

    /// Begins to answer a comparison when no page of the log is on its way that might be newer than the answer.
    fn read_heads(&self) -> Vec<Effect> {
        let read = |comparing: &Comparing| Effect::ReadHeads { from: comparing.from, to: comparing.to };
        self.comparing.iter().filter(|_| !self.reading).map(read).collect()
    }

    fn heads(&mut self, ours: Vec<(DocHeads, DocKind)>) -> Vec<Effect> {
        let Some(Comparing { theirs, .. }) = &self.comparing else { return Vec::new() };
        let theirs: BTreeMap<DocId, &[ChangeHash]> = theirs.iter().map(|d| (d.doc, d.heads.as_slice())).collect();
        let ours: BTreeMap<DocId, &[ChangeHash]> = ours.iter().map(|(d, _)| (d.doc, d.heads.as_slice())).collect();
        let differ: std::collections::BTreeSet<DocId> =
            theirs.keys().chain(ours.keys()).filter(|doc| theirs.get(doc) != ours.get(doc)).copied().collect();
        vec![Effect::ReadHistories(differ.into_iter().collect())]
    }

    fn histories(&mut self, docs: Vec<DocHistory>) -> Vec<Effect> {
        if self.comparing.take().is_none() {
            return Vec::new();
        }
        let mut pages = vec![Vec::new()];
        let mut bytes = 0;
        for doc in docs {
            bytes += 64 + 34 * (doc.heads.len() + doc.hashes.len());
            if bytes > BATCH_BYTES && !pages[pages.len() - 1].is_empty() {
                pages.push(Vec::new());
                bytes = 0;
            }
            pages.last_mut().expect("there is always a page").push(doc);
        }
        let last = pages.len() - 1;
        let message = |(i, docs)| send(Message::Differences { docs, done: i == last });
        let mut effects: Vec<_> = pages.into_iter().enumerate().map(message).collect();
        effects.extend(self.read_on());
        effects
    }
}

fn send(message: Message) -> Effect {
    Effect::Send(message.encode())
}

fn verify(key: &DeviceKey, bytes: &[u8], signature: &[u8; 64]) -> Result<(), ByeCode> {
    VerifyingKey::from_bytes(&key.0)
        .and_then(|key| key.verify_strict(bytes, &Signature::from_bytes(signature)))
        .map_err(|_| ByeCode::NotAuthentic)
}

/// Who let the device in: nobody if it founded the account, else the signer of its grant. `[H5]`
fn verify_membership(
    account: &AccountId,
    device: &DeviceKey,
    grant: Option<Grant>,
) -> Result<Option<DeviceKey>, ByeCode> {
    if AccountId::founded_by(device) == *account {
        return Ok(None);
    }
    let grant = grant.ok_or(ByeCode::NotAuthentic)?;
    verify(&grant.granted_by, &grant_bytes(account, device), &grant.signature)?;
    Ok(Some(grant.granted_by))
}
