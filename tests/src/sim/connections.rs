//! The connections between phones and their relay: ordered, slow, and cut without warning.

use std::collections::BTreeMap;

/// The id of a connection.
pub(super) type ConnId = u32;

/// One of the two ends of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum End {
    Phone,
    Relay,
}

/// The messages of one connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Tag and length in bytes of each message from the phone.
    pub from_phone: Vec<(u8, usize)>,
    /// Tag and length in bytes of each message from the relay.
    pub from_relay: Vec<(u8, usize)>,
}

impl Traffic {
    /// All bytes in both directions.
    pub fn bytes(&self) -> usize {
        self.from_phone.iter().chain(&self.from_relay).map(|(_, bytes)| bytes).sum()
    }
}

/// One connection.
#[derive(Clone, Debug)]
pub(super) struct Connection {
    pub(super) phone: usize,
    /// The start of the phone's app to which it belongs.
    pub(super) life: u32,
    pub(super) relay: usize,
    /// Whether the phone dialled a hostile relay, which forwards everything in both directions.
    pub(super) is_forwarded: bool,
    /// Whether the relay has accepted it.
    pub(super) is_open: bool,
    /// Whether messages still arrive at each end.
    carries: [bool; 2],
    /// Whether it had any fault, so that closing it is expected.
    pub(super) is_troubled: bool,
    /// Whether a message came twice or too early.
    pub(super) has_misdelivered: bool,
    /// The arrival of the last message on its way to each end.
    last_at_ms: [u64; 2],
    pub(super) traffic: Traffic,
}

impl Connection {
    /// Returns whether messages still arrive at an end.
    pub(super) fn carries_to(&self, end: End) -> bool {
        self.carries[end as usize]
    }

    /// Returns whether messages still arrive at both ends.
    pub(super) fn is_whole(&self) -> bool {
        self.carries == [true; 2]
    }

    /// From now on nothing arrives at an end.
    pub(super) fn fall_silent(&mut self, end: End) {
        self.carries[end as usize] = false;
        self.is_troubled = true;
    }
}

/// All connections of the run.
#[derive(Clone, Debug, Default)]
pub(super) struct Connections {
    conns: BTreeMap<ConnId, Connection>,
    next: ConnId,
}

impl Connections {
    pub(super) fn dial(&mut self, phone: usize, life: u32, relay: usize) -> ConnId {
        self.next += 1;
        let traffic = Traffic::default();
        let conn = Connection {
            phone,
            life,
            relay,
            is_forwarded: false,
            is_open: false,
            carries: [true; 2],
            is_troubled: false,
            has_misdelivered: false,
            last_at_ms: [0; 2],
            traffic,
        };
        self.conns.insert(self.next, conn);
        self.next
    }

    /// Returns the relay of a connection.
    pub(super) fn relay_of(&self, id: ConnId) -> usize {
        self.conns[&id].relay
    }

    pub(super) fn get(&self, id: ConnId) -> Option<&Connection> {
        self.conns.get(&id)
    }

    pub(super) fn get_mut(&mut self, id: ConnId) -> Option<&mut Connection> {
        self.conns.get_mut(&id)
    }

    /// Returns the open connections without a fault.
    pub(super) fn whole(&self) -> Vec<ConnId> {
        self.conns.iter().filter(|(_, conn)| conn.is_open && conn.is_whole()).map(|(id, _)| *id).collect()
    }

    /// Returns when a message sent at `now_ms` arrives at an end, if it does. Messages keep their order.
    pub(super) fn arrival_ms(
        &mut self,
        id: ConnId,
        to: End,
        now_ms: u64,
        delay_ms: u64,
        bytes: usize,
        bytes_per_s: u64,
    ) -> Option<u64> {
        let conn = self.conns.get_mut(&id).filter(|conn| conn.is_open && conn.carries_to(to))?;
        let last = &mut conn.last_at_ms[to as usize];
        let on_the_way_ms = bytes as u64 * 1_000 / bytes_per_s;
        *last = (now_ms + delay_ms).max(*last) + on_the_way_ms;
        Some(*last)
    }
}
