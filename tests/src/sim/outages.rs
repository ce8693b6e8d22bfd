//! Events of the network and of relays: connections are cut, relays crash and return as they were or from a backup.

use tourismo_core::id::DocId;
use tourismo_core::replica::io::Input;
use tourismo_core::wire::Epoch;

use crate::sim::connections::{ConnId, End};
use crate::sim::network::HOME;
use crate::sim::network::NetworkEvent;
use crate::sim::relay::{AccountLog, RelayDisk};
use crate::sim::{InjectedBug, Network, Relay};

impl Network {
    /// Gives all phones a network, or removes it and every connection.
    pub fn set_network(&mut self, has_network: bool) {
        self.faults.has_network = has_network;
        self.believes_online = has_network;
        if !has_network {
            self.cut_all();
        }
        for phone in 0..self.phones.len() {
            let input = Input::Network { online: has_network };
            match self.phones[phone].nap(self.now_ms) {
                Some(nap) => {
                    let life = self.phones[phone].life;
                    self.schedule(nap.until_ms - self.now_ms, NetworkEvent::Deliver { phone, life, input });
                }
                None => self.deliver(phone, input),
            }
        }
    }

    /// Cuts every connection; both ends detect it some moments later.
    pub fn cut_all(&mut self) {
        for conn in self.connections.whole() {
            self.cut(conn, 2_000);
        }
    }

    /// Cuts every connection silently: nothing arrives at these ends.
    pub fn silence_all(&mut self, at_phones: bool, at_relay: bool) {
        for conn in self.connections.whole() {
            self.silence(conn, at_phones, at_relay);
        }
    }

    pub(super) fn silence(&mut self, conn: ConnId, at_phone: bool, at_relay: bool) {
        self.trace.note(self.now_ms, format_args!("connection {conn} falls silent: {at_phone} {at_relay}"));
        let Some(state) = self.connections.get_mut(conn) else { return };
        for (end, _) in [(End::Phone, at_phone), (End::Relay, at_relay)].into_iter().filter(|(_, silent)| *silent) {
            state.fall_silent(end);
        }
    }

    /// Cuts a connection: messages on their way are lost, and the ends detect it within `within_ms`.
    pub(super) fn cut(&mut self, conn: ConnId, within_ms: u64) {
        self.trace.note(self.now_ms, format_args!("connection {conn} is cut"));
        let Some(state) = self.connections.get_mut(conn) else { return };
        for end in [End::Phone, End::Relay] {
            state.fall_silent(end);
        }
        for end in [End::Phone, End::Relay] {
            let in_ms = self.rng.between(0, within_ms);
            self.schedule(in_ms, NetworkEvent::Disconnects { conn, end });
        }
    }

    /// Stops the first relay at once. The transaction in progress is on disk or is not.
    pub fn crash_relay(&mut self, down_ms: u64) {
        self.crash(HOME, down_ms);
    }

    pub(super) fn crash(&mut self, relay: usize, down_ms: u64) {
        self.trace.note(self.now_ms, format_args!("relay {relay} crashes"));
        for waiting in std::mem::take(&mut self.relays[relay].waiting) {
            if self.bug != InjectedBug::AcksBeforeSync && !self.relays[relay].is_full && self.rng.one_in(3) {
                let bug = self.bug;
                self.relays[relay].disk.commit(&waiting, bug);
            }
        }
        let state = &mut self.relays[relay];
        state.is_up = false;
        state.boot += 1;
        state.sessions.clear();
        for conn in self.connections.whole() {
            if self.connections.relay_of(conn) == relay {
                self.cut(conn, 1_000);
            }
        }
        self.check_acknowledged();
        self.schedule(down_ms, NetworkEvent::RelayStarts { relay });
    }

    /// Makes the first relay compact; see [`Network::compact`].
    pub fn compact_relay(&mut self, gone_quarters: u64) {
        self.compact(HOME, gone_quarters);
    }

    /// Makes a relay compact. This number of quarters of the covered changes has left its log.
    pub(super) fn compact(&mut self, relay: usize, gone_quarters: u64) {
        self.trace.note(self.now_ms, format_args!("relay {relay} makes snapshots"));
        self.relays[relay].disk.compact(gone_quarters);
    }

    /// From now on the first relay accepts no vouch for an unknown device.
    pub fn let_nobody_vouch(&mut self) {
        self.relays[HOME].has_devices_enough = true;
    }

    /// Replaces the first relay's data by a backup with a part of each log. Its epoch is another one.
    pub fn restore_relay(&mut self, keeps_percent: usize) {
        self.restore_part(HOME, keeps_percent);
    }

    /// Replaces the first relay's data by data without the last change of a document. Its epoch is another one.
    pub fn forget_last_change(&mut self, doc: &DocId) {
        let last = |account: &AccountLog| account.entries.iter().rposition(|stored| stored.doc == *doc);
        self.replace_disk(|account, index| last(account) != Some(index));
    }

    pub(super) fn restore_part(&mut self, relay: usize, keeps_percent: usize) {
        let disk =
            self.relays[relay].disk.keeping(|account, index| index < account.entries.len() * keeps_percent / 100);
        self.begin_epoch(relay, disk, None);
    }

    /// Adds a relay.
    pub fn add_relay(&mut self) {
        let relay = Relay::new(self.rng.bytes(), self.rng.bytes());
        self.relays.push(relay);
    }

    fn replace_disk(&mut self, keeps: impl Fn(&AccountLog, usize) -> bool) {
        let disk = self.relays[HOME].disk.keeping(keeps);
        self.begin_epoch(HOME, disk, None);
    }

    /// Makes a backup of the first relay.
    pub fn back_up_relay(&mut self) {
        self.back_up(HOME);
    }

    pub(super) fn back_up(&mut self, relay: usize) {
        self.trace.note(self.now_ms, format_args!("relay {relay} is backed up"));
        self.relays[relay].backup = Some(self.relays[relay].disk.clone());
    }

    /// Replaces the first relay's data by its last backup, if there is one. Its epoch is another one.
    pub fn restore_backup(&mut self) {
        self.restore(HOME);
    }

    pub(super) fn restore(&mut self, relay: usize) {
        if let Some(backup) = self.relays[relay].backup.clone() {
            self.begin_epoch(relay, backup, None);
        }
    }

    /// Restores what a relay had before its last restore: two histories of one log with different entries.
    pub fn return_to_other_epoch(&mut self, relay: usize) {
        if let Some((disk, epoch)) = self.relays[relay].other_life.clone() {
            self.begin_epoch(relay, disk, Some(epoch));
        }
    }

    /// Keeps an image of the first relay's disk.
    pub fn keep_image_of_relay(&mut self) {
        self.keep_image(HOME);
    }

    pub(super) fn keep_image(&mut self, relay: usize) {
        self.trace.note(self.now_ms, format_args!("an image of relay {relay} is kept"));
        self.relays[relay].image = Some((self.relays[relay].disk.clone(), self.relays[relay].epoch));
    }

    /// Puts the first relay's disk back to its image, if there is one, without a new epoch: it is that of the image.
    pub fn put_back_relay(&mut self) {
        self.put_back(HOME);
    }

    pub(super) fn put_back(&mut self, relay: usize) {
        if let Some((disk, epoch)) = self.relays[relay].image.clone() {
            self.begin_epoch(relay, disk, Some(epoch));
        }
    }

    fn begin_epoch(&mut self, relay: usize, disk: RelayDisk, epoch: Option<Epoch>) {
        self.crash(relay, 1_000);
        let state = &mut self.relays[relay];
        state.other_life = Some((std::mem::replace(&mut state.disk, disk), state.epoch));
        state.epoch = epoch.unwrap_or_else(|| Epoch(self.rng.bytes()));
        self.reference.restored(relay, &self.relays[relay].disk);
    }
}
