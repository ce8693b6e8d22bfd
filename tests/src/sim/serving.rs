//! What goes over the connections, and how the relay serves them.

use tourismo_core::replica::io::Input;
use tourismo_core::session::relay::{self as serve, Session};
use tourismo_core::time::Timestamp;
use tourismo_core::wire::{ByeCode, EntryBody, Message};

use crate::sim::net::{ConnId, End};
use crate::sim::relay::{Served, Waiting};
use crate::sim::trace::short;
use crate::sim::world::Event;
use crate::sim::{Plant, World};

impl World {
    pub(super) fn dial(&mut self, phone: usize, life: u32) {
        let conn = self.net.dial(phone, life);
        self.phones[phone].conn = Some(conn);
        let in_ms = self.chance.between(self.weather.connect_ms.0, self.weather.connect_ms.1);
        self.schedule(in_ms, Event::Dialled { conn });
    }

    pub(super) fn dialled(&mut self, conn: ConnId) {
        let Some(state) = self.net.get(conn) else { return };
        let (phone, life) = (state.phone, state.life);
        if !self.lives(phone, life) || self.phones[phone].conn != Some(conn) {
            return;
        }
        if !(self.weather.has_network && self.relay.is_up) {
            self.phones[phone].conn = None;
            self.tell(phone, Input::Disconnected);
            return;
        }
        let session = Session::new(self.relay.id, self.chance.bytes(), self.now_ms);
        self.relay.sessions.insert(conn, Served { session, account: None, timer_at_ms: None });
        self.net.get_mut(conn).expect("it was there a moment ago").is_open = true;
        self.set_session_timer(conn);
        self.tell(phone, Input::Connected);
    }

    /// The phone closes its connection by itself; the relay learns it a little later.
    pub(super) fn hang_up(&mut self, phone: usize) {
        self.trace.note(self.now_ms, format_args!("phone {phone} hangs up"));
        let Some(conn) = self.phones[phone].conn.take() else { return };
        let Some(state) = self.net.get_mut(conn) else { return };
        let was_healthy = state.is_whole() && !state.is_troubled;
        [End::Phone, End::Relay].into_iter().for_each(|end| state.fall_silent(end));
        self.schedule(50, Event::Learns { conn, end: End::Relay });
        if was_healthy {
            self.breaks(format!("a phone does not give up connection {conn}, which is healthy"));
        }
    }

    pub(super) fn send_from_phone(&mut self, phone: usize, bytes: Vec<u8>) {
        let message = Message::decode(&bytes);
        match &message {
            Ok(Message::Push { changes }) => {
                let disk = &self.phones[phone].disk;
                if let Some(offer) = changes.iter().find(|offer| !disk.has(&offer.doc, &offer.chunk.0)) {
                    let doc = offer.doc;
                    self.breaks(format!("nothing is sent before it is durable: phone {phone}, document {doc}"));
                }
            }
            Ok(Message::Compare { .. }) if !self.ledger.may_differ => {
                self.breaks(format!("digests agree: phone {phone} compares though no relay was restored"));
            }
            Ok(_) => {}
            Err(error) => self.breaks(format!("a phone sends messages of the protocol: {error}")),
        }
        let name = message.as_ref().map(name).unwrap_or_default();
        self.trace.note(self.now_ms, format_args!("phone {phone} -> {name} {}", short(&bytes)));
        let Some(conn) = self.phones[phone].conn else { return };
        if let Some(state) = self.net.get_mut(conn) {
            state.traffic.from_phone.push((tag(&bytes), bytes.len()));
        }
        self.carry(conn, End::Relay, bytes);
    }

    fn carry(&mut self, conn: ConnId, to: End, message: Vec<u8>) {
        let delay_ms = self.chance.between(self.weather.delay_ms.0, self.weather.delay_ms.1);
        let at_ms = self.net.arrival_ms(conn, to, self.now_ms, delay_ms, message.len(), self.weather.bytes_per_s);
        if let Some(at_ms) = at_ms {
            self.schedule(at_ms - self.now_ms, Event::Arrives { conn, at: to, message });
        }
    }

    pub(super) fn arrives(&mut self, conn: ConnId, at: End, message: Vec<u8>) {
        let Some(state) = self.net.get(conn).filter(|state| state.carries_to(at)) else { return };
        let (phone, life) = (state.phone, state.life);
        match at {
            End::Phone if self.lives(phone, life) => self.tell(phone, Input::Received { bytes: message.into() }),
            End::Phone => {}
            End::Relay => {
                let boot = self.relay.boot;
                self.tell_session(conn, boot, serve::Input::Received(message));
            }
        }
    }

    pub(super) fn learns(&mut self, conn: ConnId, end: End) {
        let Some(state) = self.net.get(conn) else { return };
        let (phone, life) = (state.phone, state.life);
        match end {
            End::Relay => {
                self.relay.sessions.remove(&conn);
            }
            End::Phone => {
                if self.lives(phone, life) && self.phones[phone].conn == Some(conn) {
                    self.phones[phone].conn = None;
                    self.tell(phone, Input::Disconnected);
                }
            }
        }
    }

    pub(super) fn tell_session(&mut self, conn: ConnId, boot: u32, input: serve::Input) {
        if boot != self.relay.boot {
            return;
        }
        let Some(served) = self.relay.sessions.get_mut(&conn) else { return };
        let effects = served.session.handle(self.now_ms, input);
        for effect in effects {
            self.do_for_session(conn, effect);
        }
        self.set_session_timer(conn);
    }

    fn set_session_timer(&mut self, conn: ConnId) {
        let boot = self.relay.boot;
        let Some(served) = self.relay.sessions.get_mut(&conn) else { return };
        let due_ms = served.session.next_deadline().map(|(due_ms, _)| due_ms);
        if let Some(at_ms) = due_ms
            && served.timer_at_ms.is_none_or(|timer_at_ms| at_ms < timer_at_ms)
        {
            served.timer_at_ms = Some(at_ms);
            self.schedule(at_ms.saturating_sub(self.now_ms), Event::RelayRings { conn, boot, at_ms });
        }
    }

    pub(super) fn relay_rings(&mut self, conn: ConnId, boot: u32, at_ms: u64) {
        let Some(served) = self.relay.sessions.get_mut(&conn) else { return };
        if boot == self.relay.boot && served.timer_at_ms == Some(at_ms) {
            served.timer_at_ms = None;
            self.tell_session(conn, boot, serve::Input::Tick);
        }
    }

    fn do_for_session(&mut self, conn: ConnId, effect: serve::Effect) {
        let boot = self.relay.boot;
        match effect {
            serve::Effect::Send(bytes) => self.send_from_relay(conn, bytes),
            serve::Effect::Close => {
                self.relay.sessions.remove(&conn);
                if let Some(state) = self.net.get_mut(conn) {
                    state.is_troubled = true;
                }
                // What was said before goes out first.
                let at_ms = self.net.arrival_ms(conn, End::Phone, self.now_ms, 50, 0, self.weather.bytes_per_s);
                let in_ms = at_ms.map_or(50, |at_ms| at_ms - self.now_ms);
                self.schedule(in_ms, Event::Learns { conn, end: End::Phone });
            }
            serve::Effect::Commit { push, changes } => {
                let served = self.relay.sessions.get(&conn);
                let account = served.and_then(|served| served.account).expect("a session that pushes was admitted");
                let waiting = Waiting { conn, account, push, changes, received_at: self.relay_time() };
                if self.plant == Plant::AcksBeforeSync {
                    let mut books = self.relay.books.clone();
                    self.relay.waiting.iter().for_each(|earlier| drop(books.commit(earlier)));
                    let outcomes = books.commit(&waiting);
                    self.schedule(
                        0,
                        Event::RelayTells { conn, boot, input: serve::Input::Committed { push, outcomes } },
                    );
                }
                if self.relay.waiting.is_empty() {
                    let in_ms = self.chance.between(self.weather.fsync_ms.0, self.weather.fsync_ms.1);
                    self.schedule(in_ms, Event::RelayCommits { boot });
                }
                self.relay.waiting.push(waiting);
                if self.plant == Plant::TellsBeforeSync {
                    self.tell_everybody(account);
                }
            }
            serve::Effect::Admit { .. }
            | serve::Effect::ReadLog { .. }
            | serve::Effect::ReadDoc { .. }
            | serve::Effect::ReadHeads { .. }
            | serve::Effect::ReadHistories(_) => {
                let in_ms = self.chance.between(self.weather.relay_read_ms.0, self.weather.relay_read_ms.1);
                self.schedule(in_ms, Event::RelayReads { conn, boot, effect });
            }
        }
    }

    /// Answers a session's question from what is on disk at this moment; the answer takes its time, too.
    pub(super) fn relay_reads(&mut self, conn: ConnId, boot: u32, effect: &serve::Effect) {
        if boot != self.relay.boot {
            return;
        }
        let at = self.relay_time();
        let epoch = self.relay.epoch;
        let Some(served) = self.relay.sessions.get_mut(&conn) else { return };
        if let serve::Effect::Admit { account, device, granted_by } = effect {
            let may = self.relay.books.admit(*account, *device, *granted_by);
            served.account = may.then_some(*account);
        }
        let account = served.account.and_then(|account| self.relay.books.accounts.get(&account));
        let Some(account) = account else {
            return self.tell_session(conn, boot, serve::Input::NotAdmitted(ByeCode::NotAuthentic));
        };
        let input = match effect {
            serve::Effect::Admit { .. } => serve::Input::Admitted { epoch, head: account.head(), at },
            serve::Effect::ReadLog { after } => {
                let mut page = match self.plant {
                    Plant::TellsBeforeSync => {
                        let mut books = self.relay.books.clone();
                        self.relay.waiting.iter().for_each(|waiting| drop(books.commit(waiting)));
                        books.accounts[&served.account.expect("it was found by its id")].page(*after)
                    }
                    _ => account.page(*after),
                };
                if self.plant == Plant::LeavesEntriesOut && page.entries.len() > 1 && self.chance.one_in(10) {
                    page.entries.remove(0);
                }
                serve::Input::Log(page)
            }
            serve::Effect::ReadDoc { doc, after } => serve::Input::Doc(account.doc_page(*doc, *after)),
            serve::Effect::ReadHeads { from, to } => serve::Input::Heads(account.doc_heads(*from, *to)),
            serve::Effect::ReadHistories(docs) => serve::Input::Histories(account.histories(docs)),
            serve::Effect::Send(_) | serve::Effect::Commit { .. } | serve::Effect::Close => {
                unreachable!("these are no questions")
            }
        };
        let in_ms = self.chance.between(self.weather.relay_read_ms.0, self.weather.relay_read_ms.1) / 2;
        self.schedule(in_ms, Event::RelayTells { conn, boot, input });
    }

    fn note_push(&mut self, waiting: &Waiting, outcomes: &[serve::Outcome]) {
        for (offer, outcome) in waiting.changes.iter().zip(outcomes) {
            if let Ok(change) = tourismo_core::log::examine(&offer.chunk.0) {
                self.trace.note(
                    self.now_ms,
                    format_args!(
                        "relay: {} {:?} {} {} deps {:?}: {outcome:?}",
                        waiting.conn, offer.kind, offer.doc, change.hash, change.deps
                    ),
                );
            }
        }
    }

    /// The relay's disk is synced with everything that waits; then, and not before, it is acknowledged.
    pub(super) fn relay_commits(&mut self, boot: u32) {
        if boot != self.relay.boot {
            return;
        }
        for waiting in std::mem::take(&mut self.relay.waiting) {
            let outcomes = self.relay.books.commit(&waiting);
            self.note_push(&waiting, &outcomes);
            if self.plant == Plant::WrongDigest && self.chance.one_in(20) {
                self.relay.books.accounts.get_mut(&waiting.account).expect("it was just written to").forget_digest();
            }
            let Waiting { conn, account, push, .. } = waiting;
            if self.plant != Plant::AcksBeforeSync {
                let in_ms = self.chance.between(0, 5);
                self.schedule(
                    in_ms,
                    Event::RelayTells { conn, boot, input: serve::Input::Committed { push, outcomes } },
                );
            }
            self.tell_everybody(account);
        }
    }

    fn tell_everybody(&mut self, account: tourismo_core::id::AccountId) {
        let boot = self.relay.boot;
        let head = self.relay.books.accounts.get(&account).map_or(0, |account| account.head());
        let unsynced: usize = match self.plant {
            Plant::TellsBeforeSync => self.relay.waiting.iter().map(|waiting| waiting.changes.len()).sum(),
            _ => 0,
        };
        let of_account = |served: &Served| served.account == Some(account);
        let conns: Vec<_> = self.relay.sessions.iter().filter(|(_, s)| of_account(s)).map(|(conn, _)| *conn).collect();
        for conn in conns {
            let in_ms = self.chance.between(0, 5);
            let input = serve::Input::Grew(head + unsynced as u64);
            self.schedule(in_ms, Event::RelayTells { conn, boot, input });
        }
    }

    fn send_from_relay(&mut self, conn: ConnId, bytes: Vec<u8>) {
        let message = Message::decode(&bytes).expect("a relay sends messages of the protocol");
        self.trace.note(self.now_ms, format_args!("relay -> {conn}: {} {}", name(&message), short(&bytes)));
        match &message {
            Message::Nack { .. } | Message::Bye { .. } => self.trace.note(self.now_ms, format_args!("{message:?}")),
            _ => {}
        }
        match &message {
            Message::Ack { hashes, .. } => self.ledger.acknowledged(hashes),
            Message::Entries { entries, .. } => {
                let books = &self.relay.books;
                let is_durable = |body: &EntryBody| match body {
                    EntryBody::Change(chunk) => {
                        tourismo_core::log::examine(&chunk.0).is_ok_and(|change| books.has(&change.hash))
                    }
                    EntryBody::Stub { hash, .. } => books.has(hash),
                };
                if !entries.iter().all(|entry| is_durable(&entry.body)) {
                    self.breaks("nobody hears of a change before it is durable on the relay".to_owned());
                }
            }
            Message::Nack { code, .. } if !self.ledger.may_differ => {
                self.breaks(format!("the relay refuses nothing of an honest phone: {code:?}"));
            }
            Message::Bye { code } if !code.is_temporary() => {
                self.breaks(format!("the relay sends no honest phone away: {code:?}"));
            }
            _ => {}
        }
        if let Some(state) = self.net.get_mut(conn) {
            state.traffic.from_relay.push((tag(&bytes), bytes.len()));
        }
        self.carry(conn, End::Phone, bytes);
    }

    /// Tells all sessions that the relay is stopping.
    pub(super) fn stop_sessions(&mut self) {
        let boot = self.relay.boot;
        let conns: Vec<_> = self.relay.sessions.keys().copied().collect();
        for conn in conns {
            self.tell_session(conn, boot, serve::Input::Stop(ByeCode::GoingAway));
        }
    }

    fn relay_time(&self) -> Timestamp {
        crate::sim::world::BEGINNING + self.now_ms as i64
    }
}

/// The tag of a message: the first field of its array.
fn tag(bytes: &[u8]) -> u8 {
    match bytes.get(1) {
        Some(0x18) => bytes.get(2).copied().unwrap_or(u8::MAX),
        Some(tag) => *tag,
        None => u8::MAX,
    }
}

fn name(message: &Message) -> &'static str {
    match message {
        Message::Hello { .. } => "Hello",
        Message::Challenge { .. } => "Challenge",
        Message::Proof { .. } => "Proof",
        Message::Welcome { .. } => "Welcome",
        Message::CatchUp { .. } => "CatchUp",
        Message::Entries { .. } => "Entries",
        Message::CaughtUp { .. } => "CaughtUp",
        Message::Push { .. } => "Push",
        Message::Ack { .. } => "Ack",
        Message::Nack { .. } => "Nack",
        Message::Fetch { .. } => "Fetch",
        Message::Fetched { .. } => "Fetched",
        Message::Compare { .. } => "Compare",
        Message::Differences { .. } => "Differences",
        Message::Pong => "Pong",
        Message::Ping => "Ping",
        Message::Bye { .. } => "Bye",
    }
}
