//! The part of a session after the handshake: entries from the cursor on, acknowledgements at their position in the
//! log, fetched documents, comparisons.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::comparison::RelayComparison;
use super::{ChangeOutcome, DocPage, HeadsPage, LogPage, NamesPage, RelayEffect, send};
use crate::id::{ChangeHash, DocId};
use crate::membership::{ReceivedStatement, Statement};
use crate::session::MAX_PUSHES_IN_FLIGHT;
use crate::wire::{BATCH_BYTES, ByeCode, Chunk, DocHeads, DocHistory, Entry, MAX_BATCH, Message, Offer};

#[derive(Debug)]
pub(super) struct OpenSession {
    /// The position up to which every entry was sent or acknowledged.
    tail: u64,
    /// The newest known position.
    head: u64,
    /// This client's own entries after the tail, to be acknowledged at their position.
    mine: BTreeMap<u64, ChangeHash>,
    reading: bool,
    caught_up: bool,
    pushes: u64,
    pushes_in_flight: usize,
    fetching: Option<DocId>,
    comparing: Option<RelayComparison>,
    vouching: bool,
    /// Declarations that are being stored, and those that are stored and not answered.
    declarations: usize,
    answers_due: usize,
    /// Whether the membership statements are being read, and whether they changed meanwhile.
    reading_members: bool,
    members_changed: bool,
    /// The hash of the membership statements that were sent last.
    told_members: Option<[u8; 32]>,
}

impl OpenSession {
    pub(super) fn at(tail: u64, head: u64) -> OpenSession {
        OpenSession {
            tail,
            head,
            mine: BTreeMap::new(),
            reading: false,
            caught_up: false,
            pushes: 0,
            pushes_in_flight: 0,
            fetching: None,
            comparing: None,
            vouching: false,
            declarations: 0,
            answers_due: 0,
            reading_members: false,
            members_changed: false,
            told_members: None,
        }
    }

    /// Reads the next page of the log, if there is one and none is being read. `[C2]`
    pub(super) fn read_on(&mut self) -> Vec<RelayEffect> {
        // A comparison is answered from one state of the log, so nothing newer may be sent before the answer. `[D2]`
        // During a commit the log may have grown by this client's own changes, which must not be sent back.
        let is_busy = self.reading || self.comparing.is_some() || self.pushes_in_flight > 0;
        if is_busy || (self.caught_up && self.head <= self.tail) {
            return Vec::new();
        }
        self.reading = true;
        vec![RelayEffect::ReadLog { after: self.tail }]
    }

    pub(super) fn push(&mut self, changes: Vec<Offer>) -> Result<Vec<RelayEffect>, ByeCode> {
        if !self.caught_up || changes.is_empty() {
            return Err(ByeCode::OutOfOrder);
        }
        if self.pushes_in_flight == MAX_PUSHES_IN_FLIGHT || changes.len() > MAX_BATCH {
            return Err(ByeCode::Overloaded);
        }
        let push = self.pushes;
        self.pushes += 1;
        self.pushes_in_flight += 1;
        Ok(vec![RelayEffect::Commit { push, changes }])
    }

    pub(super) fn vouch(&mut self, actor_prefix: [u8; 8]) -> Result<Vec<RelayEffect>, ByeCode> {
        if !self.caught_up || std::mem::replace(&mut self.vouching, true) {
            return Err(ByeCode::OutOfOrder);
        }
        Ok(vec![RelayEffect::Vouch { actor_prefix }])
    }

    pub(super) fn vouched(&mut self) -> Vec<RelayEffect> {
        self.vouching = false;
        vec![send(Message::Vouched)]
    }

    /// Takes in membership statements. A phone may take news for the answer, and send the next message before it. `[G5]`
    pub(super) fn declare(&mut self, statements: Vec<Statement>) -> Result<Vec<RelayEffect>, ByeCode> {
        if !self.caught_up {
            return Err(ByeCode::OutOfOrder);
        }
        if self.declarations == MAX_PUSHES_IN_FLIGHT {
            return Err(ByeCode::Overloaded);
        }
        self.declarations += 1;
        Ok(vec![RelayEffect::Declare { statements }])
    }

    /// Answers a declaration with all statements.
    pub(super) fn declared(&mut self) -> Vec<RelayEffect> {
        self.declarations = self.declarations.saturating_sub(1);
        self.answers_due += 1;
        self.read_members()
    }

    /// Reads the membership statements, to send all of them. `[G5]`
    pub(super) fn read_members(&mut self) -> Vec<RelayEffect> {
        if std::mem::replace(&mut self.reading_members, true) {
            self.members_changed = true;
            return Vec::new();
        }
        vec![RelayEffect::ReadMembers]
    }

    pub(super) fn members(&mut self, statements: Vec<ReceivedStatement>) -> Vec<RelayEffect> {
        self.reading_members = false;
        let message = Message::Members { statements }.encode();
        let hash = Sha256::digest(&message).into();
        // A declaration is answered in any case.
        let is_news = self.told_members.replace(hash) != Some(hash);
        let is_due = std::mem::take(&mut self.answers_due) > 0 || is_news;
        let mut effects = Vec::from_iter(is_due.then_some(RelayEffect::Send(message)));
        if std::mem::take(&mut self.members_changed) {
            effects.extend(self.read_members());
        }
        effects
    }

    pub(super) fn committed(&mut self, push: u64, outcomes: Vec<ChangeOutcome>) -> Vec<RelayEffect> {
        self.pushes_in_flight -= 1;
        let mut effects = Vec::new();
        let mut acks = Vec::new();
        for (index, outcome) in outcomes.into_iter().enumerate() {
            match outcome {
                ChangeOutcome::Stored { seq, hash } if seq <= self.tail => acks.push(hash),
                ChangeOutcome::Stored { seq, hash } => {
                    self.head = self.head.max(seq);
                    self.mine.insert(seq, hash);
                }
                ChangeOutcome::Refused(code) => effects.push(send(Message::Nack { index: index as u32, push, code })),
            }
        }
        // Own entries directly after the tail can be acknowledged without reading the log.
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

    pub(super) fn log_grew(&mut self, head: u64) -> Vec<RelayEffect> {
        self.head = self.head.max(head);
        self.read_on()
    }

    pub(super) fn log(&mut self, page: LogPage) -> Vec<RelayEffect> {
        self.reading = false;
        self.head = self.head.max(page.head);
        let mut effects = Vec::new();
        let (mut acks, mut entries) = (Vec::new(), Vec::new());
        // In the order of the log, so that the client receives dependencies first, and no cursor passes an entry that
        // was not sent. `[C2]`
        for (seq, entry) in page.entries {
            let own = self.mine.remove(&seq);
            let is_for_sending = own.is_none() || entry.body.is_snapshot();
            // A pushed change that a snapshot covers already is not in the log. It is acknowledged before the snapshot
            // is sent, because a stub of a snapshot does not tell whether it contains the change.
            let own: Vec<ChangeHash> = self.take_mine_before(seq).chain(own).collect();
            if !own.is_empty() {
                effects.extend(self.entries(&mut entries));
                acks.extend(own);
            }
            if is_for_sending {
                effects.extend(self.ack(std::mem::take(&mut acks)));
                entries.push(entry);
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

    fn take_mine_before(&mut self, seq: u64) -> impl Iterator<Item = ChangeHash> + use<> {
        let rest = self.mine.split_off(&seq);
        std::mem::replace(&mut self.mine, rest).into_values()
    }

    fn entries(&self, entries: &mut Vec<Entry>) -> Option<RelayEffect> {
        let entries = std::mem::take(entries);
        (!entries.is_empty()).then(|| send(Message::Entries { entries, cursor: self.tail }))
    }

    fn ack(&self, hashes: Vec<ChangeHash>) -> Option<RelayEffect> {
        (!hashes.is_empty()).then(|| send(Message::Ack { hashes, cursor: self.tail }))
    }

    pub(super) fn fetch(&mut self, doc: DocId) -> Result<Vec<RelayEffect>, ByeCode> {
        if self.fetching.replace(doc).is_some() {
            return Err(ByeCode::OutOfOrder);
        }
        Ok(vec![RelayEffect::ReadDoc { doc, after: 0 }])
    }

    pub(super) fn doc(&mut self, page: DocPage) -> Vec<RelayEffect> {
        if self.fetching != Some(page.doc) {
            return Vec::new();
        }
        let after = page.changes.last().map_or(0, |(seq, _)| *seq);
        let chunks = page.changes.into_iter().map(|(_, chunk)| chunk).collect();
        let mut effects = fetched(page.doc, chunks, page.done);
        if page.done {
            self.fetching = None;
        } else {
            effects.push(RelayEffect::ReadDoc { doc: page.doc, after });
        }
        effects
    }

    pub(super) fn compare(&mut self, from: DocId, to: DocId, docs: Vec<DocHeads>) -> Result<Vec<RelayEffect>, ByeCode> {
        let comparing = RelayComparison::new(from, to, docs).ok_or(ByeCode::OutOfOrder)?;
        if self.comparing.replace(comparing).is_some() {
            return Err(ByeCode::OutOfOrder);
        }
        Ok(self.read_heads())
    }

    /// Starts to answer a comparison unless a page of the log is being read, which might be newer than the answer.
    fn read_heads(&self) -> Vec<RelayEffect> {
        self.comparing.iter().filter(|_| !self.reading).filter_map(RelayComparison::next_effect).collect()
    }

    pub(super) fn heads(&mut self, page: HeadsPage) -> Vec<RelayEffect> {
        let Some(comparing) = &mut self.comparing else { return Vec::new() };
        let pages = comparing.heads(page);
        self.send_differences(pages)
    }

    pub(super) fn names(&mut self, page: NamesPage) -> Vec<RelayEffect> {
        let Some(comparing) = &mut self.comparing else { return Vec::new() };
        let pages = comparing.names(page);
        self.send_differences(pages)
    }

    /// Sends differences, and continues or ends the comparison.
    fn send_differences(&mut self, mut pages: Vec<Vec<DocHistory>>) -> Vec<RelayEffect> {
        let question = self.comparing.as_ref().and_then(RelayComparison::next_effect);
        let last = if question.is_none() { Some(pages.pop().unwrap_or_default()) } else { None };
        let mut effects: Vec<_> =
            pages.into_iter().map(|docs| send(Message::Differences { docs, done: false })).collect();
        effects.extend(question);
        if let Some(docs) = last {
            self.comparing = None;
            effects.push(send(Message::Differences { docs, done: true }));
            effects.extend(self.read_on());
        }
        effects
    }
}

/// Returns the messages with a page of a document: usually one, more if its last chunk is too large for one. `[F3]`
fn fetched(doc: DocId, mut chunks: Vec<Chunk>, done: bool) -> Vec<RelayEffect> {
    let last = chunks.pop_if(|Chunk(last)| last.len() > BATCH_BYTES);
    let mut messages = Vec::new();
    if let Some(Chunk(last)) = last {
        let mut pieces = last.chunks(BATCH_BYTES).map(|piece| Chunk(piece.to_vec())).peekable();
        while let Some(piece) = pieces.next() {
            chunks.push(piece);
            let goes_on = pieces.peek().is_some();
            let chunks = std::mem::take(&mut chunks);
            messages.push(send(Message::Fetched { doc, chunks, done: done && !goes_on, goes_on }));
        }
    } else {
        messages.push(send(Message::Fetched { doc, chunks, done, goes_on: false }));
    }
    messages
}
