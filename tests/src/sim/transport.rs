//! Phones open and close connections, messages travel on them, and the ends detect their end or do not.

use tourismo_core::admission::scan_candidate;
use tourismo_core::origin::OriginPolicy;
use tourismo_core::replica::io::Input;
use tourismo_core::session::relay::{self as serve, RelaySession};
use tourismo_core::wire::{Message, PROTOCOL};

use crate::sim::connections::{ConnId, End};
use crate::sim::network::NetworkEvent;
use crate::sim::relay::ServedConnection;
use crate::sim::trace::{name, short, tag};
use crate::sim::{InjectedBug, Network};

/// The dialled origin of a hostile relay.
const HOSTILE_ORIGIN: &str = "https://hostile.example";

/// Returns the dialled origin of a relay.
pub(super) fn origin_of(relay: usize) -> String {
    format!("https://relay-{relay}.example")
}

impl Network {
    pub(super) fn dial(&mut self, phone: usize, life: u32) {
        let conn = self.connections.dial(phone, life, self.phones[phone].relay);
        self.phones[phone].conn = Some(conn);
        let in_ms = self.rng.between(self.faults.connect_ms.0, self.faults.connect_ms.1);
        self.schedule(in_ms, NetworkEvent::Dialled { conn });
    }

    pub(super) fn dialled(&mut self, conn: ConnId) {
        let Some(state) = self.connections.get(conn) else { return };
        let (phone, life, relay) = (state.phone, state.life, state.relay);
        if !self.is_running(phone, life) || self.phones[phone].conn != Some(conn) {
            return;
        }
        if !(self.faults.has_network && self.relays[relay].is_up) {
            self.phones[phone].conn = None;
            self.deliver(phone, Input::Disconnected);
            return;
        }
        // By its number, so that scenarios without hostile relays are unchanged.
        let is_forwarded = conn.is_multiple_of(self.faults.forwards);
        let mut own = vec![origin_of(relay)];
        if self.bug == InjectedBug::AcceptsAnyOrigin {
            own.push(HOSTILE_ORIGIN.to_owned());
        }
        let policy = OriginPolicy { own, oldest_protocol: PROTOCOL };
        let session = RelaySession::new(self.relays[relay].id, policy, self.rng.bytes(), self.now_ms);
        self.relays[relay]
            .sessions
            .insert(conn, ServedConnection { session, account: None, device: None, claims: None, timer_at_ms: None });
        let state = self.connections.get_mut(conn).expect("it was there a moment ago");
        (state.is_open, state.is_forwarded, state.is_troubled) = (true, is_forwarded, is_forwarded);
        self.set_session_timer(conn);
        let dialled = match is_forwarded && self.bug != InjectedBug::TellsRelaysOrigin {
            true => HOSTILE_ORIGIN.to_owned(),
            false => origin_of(relay),
        };
        self.deliver(phone, Input::Connected { origin: dialled });
    }

    /// The phone closes its connection; the relay detects it slightly later.
    pub(super) fn hang_up(&mut self, phone: usize) {
        self.trace.note(self.now_ms, format_args!("phone {phone} hangs up"));
        let Some(conn) = self.phones[phone].conn.take() else { return };
        let Some(state) = self.connections.get_mut(conn) else { return };
        let was_healthy = state.is_whole() && !state.is_troubled;
        [End::Phone, End::Relay].into_iter().for_each(|end| state.fall_silent(end));
        self.schedule(50, NetworkEvent::Disconnects { conn, end: End::Relay });
        if was_healthy {
            self.report_broken(format!("a phone does not give up connection {conn}, which is healthy"));
        }
    }

    pub(super) fn send_from_phone(&mut self, phone: usize, bytes: Vec<u8>) {
        let message = Message::decode(&bytes);
        match &message {
            Ok(Message::Push { changes }) => {
                let disk = &self.phones[phone].disk;
                if let Some(offer) = changes.iter().find(|offer| !disk.has(&offer.doc, &offer.chunk.0)) {
                    let doc = offer.doc;
                    self.report_broken(format!("nothing is sent before it is durable: phone {phone}, document {doc}"));
                }
                let account = self.account(phone);
                for offer in changes {
                    let complaint = scan_candidate(&offer.chunk.0)
                        .ok()
                        .and_then(|change| self.reference.pushed(account, offer.doc, &change));
                    if let Some(complaint) = complaint {
                        self.report_broken(complaint);
                    }
                }
            }
            Ok(Message::Compare { .. }) if !self.reference.may_differ => {
                self.report_broken(format!("digests agree: phone {phone} compares though no relay was restored"));
            }
            Ok(_) => {}
            Err(error) => self.report_broken(format!("a phone sends messages of the protocol: {error}")),
        }
        let name = message.as_ref().map(name).unwrap_or_default();
        self.trace.note(self.now_ms, format_args!("phone {phone} -> {name} {}", short(&bytes)));
        let Some(conn) = self.phones[phone].conn else { return };
        if let Some(state) = self.connections.get_mut(conn) {
            state.traffic.from_phone.push((tag(&bytes), bytes.len()));
        }
        self.carry(conn, End::Relay, bytes);
    }

    pub(super) fn carry(&mut self, conn: ConnId, to: End, message: Vec<u8>) {
        let delay_ms = self.rng.between(self.faults.delay_ms.0, self.faults.delay_ms.1);
        let at_ms =
            self.connections.arrival_ms(conn, to, self.now_ms, delay_ms, message.len(), self.faults.bytes_per_s);
        if at_ms.is_some() && self.rng.one_in(self.faults.misdelivers) {
            // No link does that to a WebSocket, but a broken proxy might.
            let state = self.connections.get_mut(conn).expect("a message travels on it");
            (state.is_troubled, state.has_misdelivered) = (true, true);
            self.reference.may_differ = true;
            let (is_copy, message) = (self.rng.one_in(2), message.clone());
            self.trace.note(self.now_ms, format_args!("connection {conn} misdelivers: {is_copy} {}", short(&message)));
            self.schedule(0, NetworkEvent::Arrives { conn, at: to, message });
            if !is_copy {
                return;
            }
        }
        if let Some(at_ms) = at_ms {
            self.schedule(at_ms - self.now_ms, NetworkEvent::Arrives { conn, at: to, message });
        }
    }

    pub(super) fn arrives(&mut self, conn: ConnId, at: End, message: Vec<u8>) {
        let Some(state) = self.connections.get(conn).filter(|state| state.carries_to(at)) else { return };
        let (phone, life) = (state.phone, state.life);
        match at {
            End::Phone if self.is_running(phone, life) => {
                self.deliver(phone, Input::Received { bytes: message.into() })
            }
            End::Phone => {}
            End::Relay => {
                let boot = self.relays[self.connections.relay_of(conn)].boot;
                self.deliver_to_session(conn, boot, serve::RelayInput::Received(message));
            }
        }
    }

    pub(super) fn disconnected(&mut self, conn: ConnId, end: End) {
        let Some(state) = self.connections.get(conn) else { return };
        let (phone, life) = (state.phone, state.life);
        match end {
            End::Relay => {
                self.relays[self.connections.relay_of(conn)].sessions.remove(&conn);
            }
            End::Phone => {
                if self.is_running(phone, life) && self.phones[phone].conn == Some(conn) {
                    self.phones[phone].conn = None;
                    self.deliver(phone, Input::Disconnected);
                }
            }
        }
    }
}
