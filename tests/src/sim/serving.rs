//! What goes over the connections, and how the relay serves them.

use tourismo_core::id::{AccountId, DeviceKey, DocId};
use tourismo_core::log::Bearer;
use tourismo_core::session::relay as serve;
use tourismo_core::time::Timestamp;
use tourismo_core::wire::{ByeCode, EntryBody, Message, NackCode};

use crate::sim::net::{ConnId, End};
use crate::sim::relay::{Served, Waiting};
use crate::sim::trace::{name, short, tag};
use crate::sim::world::Event;
use crate::sim::{Plant, World};

impl World {
    pub(super) fn tell_session(&mut self, conn: ConnId, boot: u32, input: serve::Input) {
        let relay = self.net.relay_of(conn);
        if boot != self.relays[relay].boot {
            return;
        }
        let Some(served) = self.relays[relay].sessions.get_mut(&conn) else { return };
        let effects = served.session.handle(self.now_ms, input);
        for effect in effects {
            self.do_for_session(conn, effect);
        }
        self.set_session_timer(conn);
    }

    pub(super) fn set_session_timer(&mut self, conn: ConnId) {
        let relay = self.net.relay_of(conn);
        let boot = self.relays[relay].boot;
        let Some(served) = self.relays[relay].sessions.get_mut(&conn) else { return };
        let due_ms = served.session.next_deadline().map(|(due_ms, _)| due_ms);
        if let Some(at_ms) = due_ms
            && served.timer_at_ms.is_none_or(|timer_at_ms| at_ms < timer_at_ms)
        {
            served.timer_at_ms = Some(at_ms);
            self.schedule(at_ms.saturating_sub(self.now_ms), Event::RelayRings { conn, boot, at_ms });
        }
    }

    pub(super) fn relay_rings(&mut self, conn: ConnId, boot: u32, at_ms: u64) {
        let relay = self.net.relay_of(conn);
        let is_of_now = boot == self.relays[relay].boot;
        let Some(served) = self.relays[relay].sessions.get_mut(&conn) else { return };
        if is_of_now && served.timer_at_ms == Some(at_ms) {
            served.timer_at_ms = None;
            self.tell_session(conn, boot, serve::Input::Tick);
        }
    }

    fn do_for_session(&mut self, conn: ConnId, effect: serve::Effect) {
        let relay = self.net.relay_of(conn);
        let boot = self.relays[relay].boot;
        match effect {
            serve::Effect::Send(bytes) => self.send_from_relay(conn, bytes),
            serve::Effect::ReportOrigin { dialled } => {
                self.trace.note(self.now_ms, format_args!("connection {conn} was dialled as {dialled}"));
            }
            serve::Effect::ReportShortLog { cursor, head } => {
                self.trace.note(self.now_ms, format_args!("connection {conn} knows {cursor} of {head} entries"));
                if self.plant == Plant::SendsAwayWhoKnowsMore {
                    self.tell_session(conn, boot, serve::Input::Stop(ByeCode::OutOfOrder));
                }
            }
            serve::Effect::Close => {
                self.relays[relay].sessions.remove(&conn);
                if let Some(state) = self.net.get_mut(conn) {
                    state.is_troubled = true;
                }
                // What was said before goes out first.
                let at_ms = self.net.arrival_ms(conn, End::Phone, self.now_ms, 50, 0, self.weather.bytes_per_s);
                let in_ms = at_ms.map_or(50, |at_ms| at_ms - self.now_ms);
                self.schedule(in_ms, Event::Learns { conn, end: End::Phone });
            }
            serve::Effect::Commit { push, changes } => {
                let served = self.relays[relay].sessions.get(&conn);
                let bearer =
                    served.and_then(|served| served.bearer.clone()).expect("a session that pushes was admitted");
                let account = served.and_then(|served| served.account).expect("a session that pushes was admitted");
                let waiting = Waiting { conn, account, bearer, push, changes, received_at: self.relay_time(relay) };
                if self.plant == Plant::AcksBeforeSync {
                    let mut books = self.relays[relay].books.clone();
                    self.relays[relay].waiting.iter().for_each(|earlier| drop(books.commit(earlier, self.plant)));
                    let outcomes = books.commit(&waiting, self.plant);
                    self.schedule(
                        0,
                        Event::RelayTells { conn, boot, input: serve::Input::Committed { push, outcomes } },
                    );
                }
                if self.relays[relay].waiting.is_empty() {
                    let in_ms = self.chance.between(self.weather.fsync_ms.0, self.weather.fsync_ms.1);
                    self.schedule(in_ms, Event::RelayCommits { relay, boot });
                }
                self.relays[relay].waiting.push(waiting);
                if self.plant == Plant::TellsBeforeSync {
                    self.tell_everybody(relay, account);
                }
            }
            serve::Effect::Admit { .. }
            | serve::Effect::Vouch { .. }
            | serve::Effect::ReadLog { .. }
            | serve::Effect::ReadDoc { .. }
            | serve::Effect::ReadHeads { .. }
            | serve::Effect::ReadNames { .. } => {
                let in_ms = self.chance.between(self.weather.relay_read_ms.0, self.weather.relay_read_ms.1);
                self.schedule(in_ms, Event::RelayReads { conn, boot, effect });
            }
        }
    }

    /// Answers a session's question from what is on disk at this moment; the answer takes its time, too.
    pub(super) fn relay_reads(&mut self, conn: ConnId, boot: u32, effect: &serve::Effect) {
        let relay = self.net.relay_of(conn);
        if boot != self.relays[relay].boot {
            return;
        }
        let at = self.relay_time(relay);
        let epoch = self.relays[relay].epoch;
        if !self.relays[relay].sessions.contains_key(&conn) {
            return;
        }
        if let serve::Effect::Admit { account, device, granted_by, protocol: _ } = effect {
            if self.net.get(conn).is_some_and(|conn| conn.is_forwarded) {
                self.breaks("nobody gets in with what a phone signed for another origin".to_owned());
            }
            if self.relays[relay].is_full && !self.relays[relay].books.knows(account, device) {
                return self.tell_session(conn, boot, serve::Input::NotAdmitted(ByeCode::GoingAway));
            }
            let may = self.relays[relay].books.admit(*account, *device, *granted_by);
            self.serve(conn, may.then_some(*account), device);
        }
        if let (serve::Effect::Vouch { actor_prefix }, Some(served)) =
            (effect, self.relays[relay].sessions.get_mut(&conn))
        {
            served.bearer.as_mut().expect("a session that vouches was admitted").vouch(*actor_prefix);
        }
        let served = &self.relays[relay].sessions[&conn];
        let mut account = served.account.and_then(|account| self.relays[relay].books.accounts.get(&account));
        if self.plant == Plant::LeaksAccounts
            && matches!(effect, serve::Effect::ReadLog { .. })
            && self.chance.one_in(10)
        {
            account = self.relays[relay].books.accounts.values().next().or(account);
        }
        let Some(account) = account else {
            return self.tell_session(conn, boot, serve::Input::NotAdmitted(ByeCode::NotAuthentic));
        };
        let input = match effect {
            serve::Effect::Admit { .. } => serve::Input::Admitted { epoch, head: account.head(), at },
            serve::Effect::Vouch { actor_prefix } => {
                let account = served.account.expect("a session that vouches was admitted");
                let state = &mut self.relays[relay];
                if !state.is_full && !state.has_devices_enough {
                    state.books.vouch(account, *actor_prefix);
                }
                serve::Input::Vouched
            }
            serve::Effect::ReadLog { after } => {
                let mut page = match self.plant {
                    Plant::TellsBeforeSync => {
                        let mut books = self.relays[relay].books.clone();
                        self.relays[relay].waiting.iter().for_each(|waiting| drop(books.commit(waiting, self.plant)));
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
            serve::Effect::ReadHeads { from, to } => serve::Input::Heads(account.heads_page(*from, *to)),
            serve::Effect::ReadNames { docs, after, upto } => {
                serve::Input::Names(account.names_page(docs, *after, *upto))
            }
            serve::Effect::Send(_)
            | serve::Effect::Commit { .. }
            | serve::Effect::ReportOrigin { .. }
            | serve::Effect::ReportShortLog { .. }
            | serve::Effect::Close => {
                unreachable!("these are no questions")
            }
        };
        let in_ms = self.chance.between(self.weather.relay_read_ms.0, self.weather.relay_read_ms.1) / 2;
        self.schedule(in_ms, Event::RelayTells { conn, boot, input });
    }

    fn serve(&mut self, conn: ConnId, account: Option<AccountId>, device: &DeviceKey) {
        let relay = self.net.relay_of(conn);
        if let Some(served) = self.relays[relay].sessions.get_mut(&conn) {
            served.account = account;
            served.bearer = account.map(|_| Bearer::new(device));
        }
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
    pub(super) fn relay_commits(&mut self, relay: usize, boot: u32) {
        if boot != self.relays[relay].boot {
            return;
        }
        for waiting in std::mem::take(&mut self.relays[relay].waiting) {
            let rows = (self.plant == Plant::ForgetsToFold && self.chance.one_in(4))
                .then(|| self.relays[relay].books.rows.clone());
            let outcomes = if self.relays[relay].is_full {
                vec![serve::Outcome::Refused(NackCode::Unavailable); waiting.changes.len()]
            } else {
                self.relays[relay].books.commit(&waiting, self.plant)
            };
            if let Some(rows) = rows {
                self.relays[relay].books.rows = rows;
            }
            self.note_push(&waiting, &outcomes);
            if self.plant == Plant::WrongDigest && self.chance.one_in(20) {
                self.relays[relay]
                    .books
                    .accounts
                    .get_mut(&waiting.account)
                    .expect("it was just written to")
                    .forget_digest();
            }
            let Waiting { conn, account, push, .. } = waiting;
            if self.plant != Plant::AcksBeforeSync {
                let in_ms = self.chance.between(0, 5);
                self.schedule(
                    in_ms,
                    Event::RelayTells { conn, boot, input: serve::Input::Committed { push, outcomes } },
                );
            }
            self.tell_everybody(relay, account);
        }
    }

    fn tell_everybody(&mut self, relay: usize, account: AccountId) {
        let boot = self.relays[relay].boot;
        let head = self.relays[relay].books.accounts.get(&account).map_or(0, |account| account.head());
        let unsynced: usize = match self.plant {
            Plant::TellsBeforeSync => self.relays[relay].waiting.iter().map(|waiting| waiting.changes.len()).sum(),
            _ => 0,
        };
        let of_account = |served: &Served| served.account == Some(account);
        let conns: Vec<_> =
            self.relays[relay].sessions.iter().filter(|(_, s)| of_account(s)).map(|(conn, _)| *conn).collect();
        for conn in conns {
            let in_ms = self.chance.between(0, 5);
            let input = serve::Input::Grew(head + unsynced as u64);
            self.schedule(in_ms, Event::RelayTells { conn, boot, input });
        }
    }

    fn send_from_relay(&mut self, conn: ConnId, bytes: Vec<u8>) {
        let relay = self.net.relay_of(conn);
        let message = Message::decode(&bytes).expect("a relay sends messages of the protocol");
        self.trace.note(self.now_ms, format_args!("relay -> {conn}: {} {}", name(&message), short(&bytes)));
        match &message {
            Message::Nack { .. } | Message::Bye { .. } => self.trace.note(self.now_ms, format_args!("{message:?}")),
            _ => {}
        }
        match &message {
            Message::Ack { hashes, .. } => self.ledger.acknowledged(relay, hashes),
            Message::Fetched { doc, chunks, .. } if !chunks.is_empty() => self.check_right(conn, *doc),
            Message::Entries { entries, .. } => {
                entries.iter().for_each(|entry| self.check_right(conn, entry.doc));
                let books = &self.relays[relay].books;
                let is_durable = |body: &EntryBody| match body {
                    EntryBody::Change(chunk) => {
                        tourismo_core::log::examine(&chunk.0).is_ok_and(|change| books.has(&change.hash))
                    }
                    EntryBody::Stub { hash, .. } => books.has(hash),
                    EntryBody::Snapshot { heads, .. } | EntryBody::SnapshotStub { heads, .. } => {
                        heads.iter().all(|head| books.has(head))
                    }
                };
                if !entries.iter().all(|entry| is_durable(&entry.body)) {
                    self.breaks("nobody hears of a change before it is durable on the relay".to_owned());
                }
            }
            Message::Nack { code: NackCode::Unavailable, .. } => {}
            Message::Nack { code: NackCode::UnknownDeps, .. } if self.ledger.was_full => {}
            Message::Nack { code, .. } if !self.ledger.may_differ => {
                self.breaks(format!("the relay refuses nothing of an honest phone: {code:?}"));
            }
            Message::Bye { .. } if self.net.get(conn).is_some_and(|conn| conn.has_misdelivered) => {}
            Message::Bye { code: ByeCode::WrongOrigin } if self.net.get(conn).is_some_and(|conn| conn.is_forwarded) => {
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

    /// What travels to a phone must be of its account.
    fn check_right(&mut self, conn: ConnId, doc: DocId) {
        let Some(phone) = self.net.get(conn).map(|conn| conn.phone) else { return };
        let Some(replica) = &self.phones[phone].replica else { return };
        let account = replica.account().account;
        if self.ledger.owners.get(&doc).is_some_and(|owner| *owner != account) {
            self.breaks(format!("nobody is sent what is another account's: phone {phone}, document {doc}"));
        }
    }

    /// Tells all sessions that the relay is stopping.
    pub(super) fn stop_sessions(&mut self, relay: usize) {
        let boot = self.relays[relay].boot;
        let conns: Vec<_> = self.relays[relay].sessions.keys().copied().collect();
        for conn in conns {
            self.tell_session(conn, boot, serve::Input::Stop(ByeCode::GoingAway));
        }
    }

    pub(super) fn relay_time(&self, relay: usize) -> Timestamp {
        crate::sim::world::BEGINNING + self.now_ms as i64 + self.relays[relay].clock_ms
    }
}
