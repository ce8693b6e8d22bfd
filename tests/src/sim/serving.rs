//! Messages on connections, and the relay's answers.

use tourismo_core::admission::ActorClaims;
use tourismo_core::id::{AccountId, DeviceKey, DocId};
use tourismo_core::membership::Members;
use tourismo_core::session::relay as serve;
use tourismo_core::time::Timestamp;
use tourismo_core::wire::{ByeCode, EntryBody, Message, NackCode};

use crate::sim::connections::{ConnId, End};
use crate::sim::network::NetworkEvent;
use crate::sim::relay::{ServedConnection, WaitingPush};
use crate::sim::trace::{name, short, tag};
use crate::sim::{InjectedBug, Network};

impl Network {
    pub(super) fn deliver_to_session(&mut self, conn: ConnId, boot: u32, input: serve::RelayInput) {
        let relay = self.connections.relay_of(conn);
        if boot != self.relays[relay].boot {
            return;
        }
        let Some(served) = self.relays[relay].sessions.get_mut(&conn) else { return };
        let effects = served.session.handle(self.now_ms, input);
        for effect in effects {
            self.perform_session_effect(conn, effect);
        }
        self.set_session_timer(conn);
    }

    pub(super) fn set_session_timer(&mut self, conn: ConnId) {
        let relay = self.connections.relay_of(conn);
        let boot = self.relays[relay].boot;
        let Some(served) = self.relays[relay].sessions.get_mut(&conn) else { return };
        let due_ms = served.session.next_deadline().map(|(due_ms, _)| due_ms);
        if let Some(at_ms) = due_ms
            && served.timer_at_ms.is_none_or(|timer_at_ms| at_ms < timer_at_ms)
        {
            served.timer_at_ms = Some(at_ms);
            self.schedule(at_ms.saturating_sub(self.now_ms), NetworkEvent::RelayTimerFires { conn, boot, at_ms });
        }
    }

    pub(super) fn relay_timer_fired(&mut self, conn: ConnId, boot: u32, at_ms: u64) {
        let relay = self.connections.relay_of(conn);
        let is_of_now = boot == self.relays[relay].boot;
        let Some(served) = self.relays[relay].sessions.get_mut(&conn) else { return };
        if is_of_now && served.timer_at_ms == Some(at_ms) {
            served.timer_at_ms = None;
            self.deliver_to_session(conn, boot, serve::RelayInput::Tick);
        }
    }

    fn perform_session_effect(&mut self, conn: ConnId, effect: serve::RelayEffect) {
        let relay = self.connections.relay_of(conn);
        let boot = self.relays[relay].boot;
        match effect {
            serve::RelayEffect::Send(bytes) => self.send_from_relay(conn, bytes),
            serve::RelayEffect::ReportOrigin { dialled } => {
                self.trace.note(self.now_ms, format_args!("connection {conn} was dialled as {dialled}"));
            }
            serve::RelayEffect::ReportShortLog { cursor, head } => {
                self.trace.note(self.now_ms, format_args!("connection {conn} knows {cursor} of {head} entries"));
                if self.bug == InjectedBug::SendsAwayWhoKnowsMore {
                    self.deliver_to_session(conn, boot, serve::RelayInput::Stop(ByeCode::OutOfOrder));
                }
            }
            serve::RelayEffect::Close => {
                self.relays[relay].sessions.remove(&conn);
                if let Some(state) = self.connections.get_mut(conn) {
                    state.is_troubled = true;
                }
                // Earlier messages are sent first.
                let at_ms = self.connections.arrival_ms(conn, End::Phone, self.now_ms, 50, 0, self.faults.bytes_per_s);
                let in_ms = at_ms.map_or(50, |at_ms| at_ms - self.now_ms);
                self.schedule(in_ms, NetworkEvent::Disconnects { conn, end: End::Phone });
            }
            serve::RelayEffect::Commit { push, changes } => {
                let served = self.relays[relay].sessions.get(&conn);
                let claims =
                    served.and_then(|served| served.claims.clone()).expect("a session that pushes was admitted");
                let account = served.and_then(|served| served.account).expect("a session that pushes was admitted");
                let device = served.and_then(|served| served.device).expect("a session that pushes was admitted");
                let received_at = self.relay_time(relay);
                let waiting = WaitingPush { conn, device, account, claims, push, changes, received_at };
                if self.bug == InjectedBug::AcksBeforeSync {
                    let mut disk = self.relays[relay].disk.clone();
                    self.relays[relay].waiting.iter().for_each(|earlier| drop(disk.commit(earlier, self.bug)));
                    let outcomes = disk.commit(&waiting, self.bug);
                    self.schedule(
                        0,
                        NetworkEvent::RelayDelivers {
                            conn,
                            boot,
                            input: serve::RelayInput::Committed { push, outcomes },
                        },
                    );
                }
                if self.relays[relay].waiting.is_empty() {
                    let in_ms = self.rng.between(self.faults.fsync_ms.0, self.faults.fsync_ms.1);
                    self.schedule(in_ms, NetworkEvent::RelayCommits { relay, boot });
                }
                self.relays[relay].waiting.push(waiting);
                if self.bug == InjectedBug::TellsBeforeSync {
                    self.announce_head(relay, account);
                }
            }
            serve::RelayEffect::Admit { .. }
            | serve::RelayEffect::Vouch { .. }
            | serve::RelayEffect::Declare { .. }
            | serve::RelayEffect::ReadMembers
            | serve::RelayEffect::ReadLog { .. }
            | serve::RelayEffect::ReadDoc { .. }
            | serve::RelayEffect::ReadHeads { .. }
            | serve::RelayEffect::ReadNames { .. } => {
                let in_ms = self.rng.between(self.faults.relay_read_ms.0, self.faults.relay_read_ms.1);
                self.schedule(in_ms, NetworkEvent::RelayReads { conn, boot, effect });
            }
        }
    }

    /// Answers a read of a session from the present disk; the answer takes its time, too.
    pub(super) fn relay_reads(&mut self, conn: ConnId, boot: u32, effect: &serve::RelayEffect) {
        let relay = self.connections.relay_of(conn);
        if boot != self.relays[relay].boot {
            return;
        }
        let at = self.relay_time(relay);
        let epoch = self.relays[relay].epoch;
        if !self.relays[relay].sessions.contains_key(&conn) {
            return;
        }
        if let serve::RelayEffect::Admit { account, device, grant, protocol: _ } = effect {
            if self.connections.get(conn).is_some_and(|conn| conn.is_forwarded) {
                self.report_broken("nobody gets in with what a phone signed for another origin".to_owned());
            }
            if self.relays[relay].is_full && !self.relays[relay].disk.knows(account, device) {
                return self.deliver_to_session(conn, boot, serve::RelayInput::NotAdmitted(ByeCode::GoingAway));
            }
            let before = self.relays[relay].disk.membership_digest(account);
            if let Err(code) = self.relays[relay].disk.admit(*account, *device, *grant, at, self.bug) {
                return self.deliver_to_session(conn, boot, serve::RelayInput::NotAdmitted(code));
            }
            self.check_let_in(relay, *account, grant.as_ref());
            self.serve(conn, Some(*account), device);
            if self.relays[relay].disk.membership_digest(account) != before {
                self.announce_membership(relay, *account, Some(conn));
            }
        }
        if let serve::RelayEffect::Declare { statements } = effect {
            let served = &self.relays[relay].sessions[&conn];
            let (Some(account), Some(device)) = (served.account, served.device) else { return };
            if self.relays[relay].is_full {
                return self.deliver_to_session(conn, boot, serve::RelayInput::Stop(ByeCode::GoingAway));
            }
            self.note_enrolments(relay, statements);
            if self.relays[relay].disk.declare(account, &device, statements.clone(), at, self.bug) {
                self.announce_membership(relay, account, None);
            }
            // The device may be among those that it removed.
            if !self.relays[relay].sessions.contains_key(&conn) {
                return;
            }
        }
        if let (serve::RelayEffect::Vouch { actor_prefix }, Some(served)) =
            (effect, self.relays[relay].sessions.get_mut(&conn))
        {
            served.claims.as_mut().expect("a session that vouches was admitted").vouch(*actor_prefix);
        }
        let served = &self.relays[relay].sessions[&conn];
        let mut account = served.account.and_then(|account| self.relays[relay].disk.accounts.get(&account));
        if self.bug == InjectedBug::LeaksAccounts
            && matches!(effect, serve::RelayEffect::ReadLog { .. })
            && self.rng.one_in(10)
        {
            account = self.relays[relay].disk.accounts.values().next().or(account);
        }
        let Some(account) = account else {
            return self.deliver_to_session(conn, boot, serve::RelayInput::NotAdmitted(ByeCode::NotAuthentic));
        };
        let input = match effect {
            serve::RelayEffect::Admit { .. } => {
                serve::RelayInput::Admitted { epoch, head: account.head(), at, membership: account.members.digest() }
            }
            serve::RelayEffect::Declare { .. } => serve::RelayInput::Declared,
            serve::RelayEffect::ReadMembers => serve::RelayInput::Members(account.members.received()),
            serve::RelayEffect::Vouch { actor_prefix } => {
                let account = served.account.expect("a session that vouches was admitted");
                let state = &mut self.relays[relay];
                if !state.is_full && !state.has_devices_enough {
                    state.disk.vouch(account, *actor_prefix);
                }
                serve::RelayInput::Vouched
            }
            serve::RelayEffect::ReadLog { after } => {
                let mut page = match self.bug {
                    InjectedBug::TellsBeforeSync => {
                        let mut disk = self.relays[relay].disk.clone();
                        self.relays[relay].waiting.iter().for_each(|waiting| drop(disk.commit(waiting, self.bug)));
                        disk.accounts[&served.account.expect("it was found by its id")].page(*after)
                    }
                    _ => account.page(*after),
                };
                if self.bug == InjectedBug::LeavesEntriesOut && page.entries.len() > 1 && self.rng.one_in(10) {
                    page.entries.remove(0);
                }
                serve::RelayInput::Log(page)
            }
            serve::RelayEffect::ReadDoc { doc, after } => serve::RelayInput::Doc(account.doc_page(*doc, *after)),
            serve::RelayEffect::ReadHeads { from, to } => serve::RelayInput::Heads(account.heads_page(*from, *to)),
            serve::RelayEffect::ReadNames { docs, after, upto } => {
                serve::RelayInput::Names(account.names_page(docs, *after, *upto))
            }
            serve::RelayEffect::Send(_)
            | serve::RelayEffect::Commit { .. }
            | serve::RelayEffect::ReportOrigin { .. }
            | serve::RelayEffect::ReportShortLog { .. }
            | serve::RelayEffect::Close => {
                unreachable!("these are no questions")
            }
        };
        let in_ms = self.rng.between(self.faults.relay_read_ms.0, self.faults.relay_read_ms.1) / 2;
        self.schedule(in_ms, NetworkEvent::RelayDelivers { conn, boot, input });
    }

    fn serve(&mut self, conn: ConnId, account: Option<AccountId>, device: &DeviceKey) {
        let relay = self.connections.relay_of(conn);
        if let Some(served) = self.relays[relay].sessions.get_mut(&conn) {
            served.account = account;
            served.device = account.map(|_| *device);
            served.claims = account.map(|_| ActorClaims::new(device));
        }
    }

    fn note_push(&mut self, waiting: &WaitingPush, outcomes: &[serve::ChangeOutcome]) {
        for (offer, outcome) in waiting.changes.iter().zip(outcomes) {
            if let Ok(change) = tourismo_core::admission::scan_candidate(&offer.chunk.0) {
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

    /// Syncs the relay's disk with everything that waits; only then it is acknowledged.
    pub(super) fn relay_commits(&mut self, relay: usize, boot: u32) {
        if boot != self.relays[relay].boot {
            return;
        }
        for waiting in std::mem::take(&mut self.relays[relay].waiting) {
            let rows = (self.bug == InjectedBug::ForgetsToFold && self.rng.one_in(4))
                .then(|| self.relays[relay].disk.rows.clone());
            let outcomes = if self.relays[relay].is_full {
                vec![serve::ChangeOutcome::Refused(NackCode::Unavailable); waiting.changes.len()]
            } else {
                self.relays[relay].disk.commit(&waiting, self.bug)
            };
            if let Some(rows) = rows {
                self.relays[relay].disk.rows = rows;
            }
            self.note_push(&waiting, &outcomes);
            if outcomes.iter().any(|outcome| matches!(outcome, serve::ChangeOutcome::Stored { .. })) {
                self.check_cut(relay, &waiting.device);
            }
            if self.bug == InjectedBug::WrongDigest && self.rng.one_in(20) {
                self.relays[relay]
                    .disk
                    .accounts
                    .get_mut(&waiting.account)
                    .expect("it was just written to")
                    .forget_digest();
            }
            let WaitingPush { conn, account, push, .. } = waiting;
            if self.bug != InjectedBug::AcksBeforeSync {
                let in_ms = self.rng.between(0, 5);
                self.schedule(
                    in_ms,
                    NetworkEvent::RelayDelivers { conn, boot, input: serve::RelayInput::Committed { push, outcomes } },
                );
            }
            self.announce_head(relay, account);
        }
    }

    fn announce_head(&mut self, relay: usize, account: AccountId) {
        let boot = self.relays[relay].boot;
        let head = self.relays[relay].disk.accounts.get(&account).map_or(0, |account| account.head());
        let unsynced: usize = match self.bug {
            InjectedBug::TellsBeforeSync => {
                self.relays[relay].waiting.iter().map(|waiting| waiting.changes.len()).sum()
            }
            _ => 0,
        };
        let of_account = |served: &ServedConnection| served.account == Some(account);
        let conns: Vec<_> =
            self.relays[relay].sessions.iter().filter(|(_, s)| of_account(s)).map(|(conn, _)| *conn).collect();
        for conn in conns {
            let in_ms = self.rng.between(0, 5);
            let input = serve::RelayInput::Grew(head + unsynced as u64);
            self.schedule(in_ms, NetworkEvent::RelayDelivers { conn, boot, input });
        }
    }

    /// Notifies the sessions of an account that its membership changed, and ends those of devices that are out.
    fn announce_membership(&mut self, relay: usize, account: AccountId, except: Option<ConnId>) {
        let (boot, at) = (self.relays[relay].boot, self.relay_time(relay));
        let Some(log) = self.relays[relay].disk.accounts.get(&account) else { return };
        let members = log.members.evaluate(at);
        let told = |(conn, served): (&ConnId, &ServedConnection)| {
            let device = served.device.filter(|_| served.account == Some(account) && Some(*conn) != except)?;
            Some((*conn, members.is_member(&device)))
        };
        let told: Vec<_> = self.relays[relay].sessions.iter().filter_map(told).collect();
        self.note_removed(relay, account, &members);
        for (conn, is_member) in told {
            if is_member {
                let in_ms = self.rng.between(0, 5);
                let input = serve::RelayInput::MembershipChanged;
                self.schedule(in_ms, NetworkEvent::RelayDelivers { conn, boot, input });
            } else if self.bug != InjectedBug::KeepsConnectionsOfRevoked {
                self.deliver_to_session(conn, boot, serve::RelayInput::Stop(ByeCode::Revoked));
            }
        }
    }

    fn send_from_relay(&mut self, conn: ConnId, bytes: Vec<u8>) {
        let relay = self.connections.relay_of(conn);
        let message = Message::decode(&bytes).expect("a relay sends messages of the protocol");
        self.trace.note(self.now_ms, format_args!("relay -> {conn}: {} {}", name(&message), short(&bytes)));
        match &message {
            Message::Nack { .. } | Message::Bye { .. } => self.trace.note(self.now_ms, format_args!("{message:?}")),
            _ => {}
        }
        let device = self.relays[relay].sessions.get(&conn).and_then(|served| served.device);
        self.check_sent(relay, device, &message);
        match &message {
            Message::Ack { hashes, .. } => self.reference.acknowledged(relay, hashes),
            Message::Fetched { doc, chunks, .. } if !chunks.is_empty() => self.check_account(conn, *doc),
            Message::Entries { entries, .. } => {
                entries.iter().for_each(|entry| self.check_account(conn, entry.doc));
                let disk = &self.relays[relay].disk;
                let is_durable = |body: &EntryBody| match body {
                    EntryBody::Change(chunk) => {
                        tourismo_core::admission::scan_candidate(&chunk.0).is_ok_and(|change| disk.has(&change.hash))
                    }
                    EntryBody::Stub { hash, .. } => disk.has(hash),
                    EntryBody::Snapshot { heads, .. } | EntryBody::SnapshotStub { heads, .. } => {
                        heads.iter().all(|head| disk.has(head))
                    }
                };
                if !entries.iter().all(|entry| is_durable(&entry.body)) {
                    self.report_broken("nobody hears of a change before it is durable on the relay".to_owned());
                }
            }
            Message::Nack { code: NackCode::Unavailable, .. } => {}
            Message::Nack { code: NackCode::UnknownDeps, .. } if self.reference.was_full => {}
            Message::Nack { .. } if self.is_removed(conn) => {}
            Message::Nack { code, .. } if !self.reference.may_differ => {
                self.report_broken(format!("the relay refuses nothing of an honest phone: {code:?}"));
            }
            Message::Bye { .. } if self.connections.get(conn).is_some_and(|conn| conn.has_misdelivered) => {}
            Message::Bye { code: ByeCode::WrongOrigin }
                if self.connections.get(conn).is_some_and(|conn| conn.is_forwarded) => {}
            Message::Bye { code: ByeCode::Revoked } if self.is_removed(conn) => {}
            Message::Bye { code: ByeCode::NotAuthentic } if self.is_of_no_member(conn) => {}
            Message::Bye { code } if !code.is_temporary() => {
                self.report_broken(format!("the relay sends no honest phone away: {code:?}"));
            }
            _ => {}
        }
        if let Some(state) = self.connections.get_mut(conn) {
            state.traffic.from_relay.push((tag(&bytes), bytes.len()));
        }
        self.carry(conn, End::Phone, bytes);
    }

    /// Returns whether the phone of a connection was removed from its account.
    fn is_removed(&self, conn: ConnId) -> bool {
        self.members_of(conn).is_none_or(|(members, device)| members.is_revoked(&device))
    }

    /// Returns whether no member let in the phone of a connection, as far as the relay knows.
    fn is_of_no_member(&self, conn: ConnId) -> bool {
        self.members_of(conn).is_none_or(|(members, device)| !members.is_member(&device))
    }

    /// Returns the members of a phone's account and its device; nothing if its app was killed, or if the relay does not know the
    /// account.
    fn members_of(&self, conn: ConnId) -> Option<(Members, DeviceKey)> {
        let relay = self.connections.relay_of(conn);
        let phone = &self.phones[self.connections.get(conn)?.phone];
        let log = self.relays[relay].disk.accounts.get(&phone.replica.as_ref()?.account().account)?;
        Some((log.members.evaluate(self.relay_time(relay)), phone.device()))
    }

    /// Checks that a document sent to a phone belongs to its account.
    fn check_account(&mut self, conn: ConnId, doc: DocId) {
        let Some(phone) = self.connections.get(conn).map(|conn| conn.phone) else { return };
        let Some(replica) = &self.phones[phone].replica else { return };
        let account = replica.account().account;
        if self.reference.owners.get(&doc).is_some_and(|owner| *owner != account) {
            self.report_broken(format!("nobody is sent what is another account's: phone {phone}, document {doc}"));
        }
    }

    /// Informs all sessions that the relay is stopping.
    pub(super) fn stop_sessions(&mut self, relay: usize) {
        let boot = self.relays[relay].boot;
        let conns: Vec<_> = self.relays[relay].sessions.keys().copied().collect();
        for conn in conns {
            self.deliver_to_session(conn, boot, serve::RelayInput::Stop(ByeCode::GoingAway));
        }
    }

    pub(super) fn relay_time(&self, relay: usize) -> Timestamp {
        crate::sim::network::BEGINNING + self.now_ms as i64 + self.relays[relay].clock_ms
    }
}
