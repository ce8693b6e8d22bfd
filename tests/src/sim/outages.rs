//! What becomes of the network and of relays: connections are cut, relays crash and come back as they were or as a backup was.

use tourismo_core::id::DocId;
use tourismo_core::replica::io::Input;
use tourismo_core::wire::Epoch;

use crate::sim::net::{ConnId, End};
use crate::sim::relay::{Account, Books};
use crate::sim::world::Event;
use crate::sim::world::HOME;
use crate::sim::{Plant, Relay, World};

impl World {
    /// Gives all phones a network, or takes it away with every connection.
    pub fn set_network(&mut self, has_network: bool) {
        self.weather.has_network = has_network;
        self.believes_online = has_network;
        if !has_network {
            self.cut_all();
        }
        for phone in 0..self.phones.len() {
            let input = Input::Network { online: has_network };
            match self.phones[phone].nap(self.now_ms) {
                Some(nap) => {
                    let life = self.phones[phone].life;
                    self.schedule(nap.until_ms - self.now_ms, Event::Tell { phone, life, input });
                }
                None => self.tell(phone, input),
            }
        }
    }

    /// Cuts every connection; both ends learn it some moments later.
    pub fn cut_all(&mut self) {
        for conn in self.net.whole() {
            self.cut(conn, 2_000);
        }
    }

    /// Cuts every connection in silence: nothing arrives at these ends, and nobody learns why.
    pub fn silence_all(&mut self, at_phones: bool, at_relay: bool) {
        for conn in self.net.whole() {
            self.silence(conn, at_phones, at_relay);
        }
    }

    pub(super) fn silence(&mut self, conn: ConnId, at_phone: bool, at_relay: bool) {
        self.trace.note(self.now_ms, format_args!("connection {conn} falls silent: {at_phone} {at_relay}"));
        let Some(state) = self.net.get_mut(conn) else { return };
        for (end, _) in [(End::Phone, at_phone), (End::Relay, at_relay)].into_iter().filter(|(_, silent)| *silent) {
            state.fall_silent(end);
        }
    }

    /// Cuts a connection: what is under way is lost, and the ends learn it within `within_ms`.
    pub(super) fn cut(&mut self, conn: ConnId, within_ms: u64) {
        self.trace.note(self.now_ms, format_args!("connection {conn} is cut"));
        let Some(state) = self.net.get_mut(conn) else { return };
        for end in [End::Phone, End::Relay] {
            state.fall_silent(end);
        }
        for end in [End::Phone, End::Relay] {
            let in_ms = self.chance.between(0, within_ms);
            self.schedule(in_ms, Event::Learns { conn, end });
        }
    }

    /// Stops the first relay at once. What its disk was writing is there or is not.
    pub fn crash_relay(&mut self, down_ms: u64) {
        self.crash(HOME, down_ms);
    }

    pub(super) fn crash(&mut self, relay: usize, down_ms: u64) {
        self.trace.note(self.now_ms, format_args!("relay {relay} crashes"));
        for waiting in std::mem::take(&mut self.relays[relay].waiting) {
            if self.plant != Plant::AcksBeforeSync && !self.relays[relay].is_full && self.chance.one_in(3) {
                let plant = self.plant;
                self.relays[relay].books.commit(&waiting, plant);
            }
        }
        let state = &mut self.relays[relay];
        state.is_up = false;
        state.boot += 1;
        state.sessions.clear();
        for conn in self.net.whole() {
            if self.net.relay_of(conn) == relay {
                self.cut(conn, 1_000);
            }
        }
        self.check_acknowledged();
        self.schedule(down_ms, Event::RelayStarts { relay });
    }

    /// Has the first relay make snapshots; see [`World::compact`].
    pub fn compact_relay(&mut self, gone_quarters: u64) {
        self.compact(HOME, gone_quarters);
    }

    /// Has a relay make snapshots. Of the changes in them so many parts of four have left its log.
    pub(super) fn compact(&mut self, relay: usize, gone_quarters: u64) {
        self.trace.note(self.now_ms, format_args!("relay {relay} makes snapshots"));
        self.relays[relay].books.compact(gone_quarters);
    }

    /// From here on the first relay takes nobody's word for a device that it does not know.
    pub fn let_nobody_vouch(&mut self) {
        self.relays[HOME].has_devices_enough = true;
    }

    /// Replaces the first relay's data by a backup that has only part of each log. Its epoch is another.
    pub fn restore_relay(&mut self, keeps_percent: usize) {
        self.restore_part(HOME, keeps_percent);
    }

    /// Replaces the first relay's data by one that lacks the last change of a document. Its epoch is another.
    pub fn forget_last_change(&mut self, doc: &DocId) {
        let last = |account: &Account| account.entries.iter().rposition(|stored| stored.doc == *doc);
        self.replace_books(|account, index| last(account) != Some(index));
    }

    pub(super) fn restore_part(&mut self, relay: usize, keeps_percent: usize) {
        let books =
            self.relays[relay].books.keeping(|account, index| index < account.entries.len() * keeps_percent / 100);
        self.begin_life(relay, books, None);
    }

    /// Adds a relay.
    pub fn add_relay(&mut self) {
        let relay = Relay::new(self.chance.bytes(), self.chance.bytes());
        self.relays.push(relay);
    }

    fn replace_books(&mut self, keeps: impl Fn(&Account, usize) -> bool) {
        let books = self.relays[HOME].books.keeping(keeps);
        self.begin_life(HOME, books, None);
    }

    /// Makes a backup of the first relay.
    pub fn back_up_relay(&mut self) {
        self.back_up(HOME);
    }

    pub(super) fn back_up(&mut self, relay: usize) {
        self.trace.note(self.now_ms, format_args!("relay {relay} is backed up"));
        self.relays[relay].backup = Some(self.relays[relay].books.clone());
    }

    /// Replaces the first relay's data by its last backup, if there is one. Its epoch is another.
    pub fn restore_backup(&mut self) {
        self.restore(HOME);
    }

    pub(super) fn restore(&mut self, relay: usize) {
        if let Some(backup) = self.relays[relay].backup.clone() {
            self.begin_life(relay, backup, None);
        }
    }

    /// Puts back what a relay had before it was restored last: two lives of one log, each with entries of its own.
    pub fn return_to_other_life(&mut self, relay: usize) {
        if let Some((books, epoch)) = self.relays[relay].other_life.clone() {
            self.begin_life(relay, books, Some(epoch));
        }
    }

    /// Keeps an image of the first relay's disk.
    pub fn keep_image_of_relay(&mut self) {
        self.keep_image(HOME);
    }

    pub(super) fn keep_image(&mut self, relay: usize) {
        self.trace.note(self.now_ms, format_args!("an image of relay {relay} is kept"));
        self.relays[relay].image = Some((self.relays[relay].books.clone(), self.relays[relay].epoch));
    }

    /// Puts the first relay's disk back to its image, if there is one. Nobody tells the relay: its epoch is that of the image.
    pub fn put_back_relay(&mut self) {
        self.put_back(HOME);
    }

    pub(super) fn put_back(&mut self, relay: usize) {
        if let Some((books, epoch)) = self.relays[relay].image.clone() {
            self.begin_life(relay, books, Some(epoch));
        }
    }

    fn begin_life(&mut self, relay: usize, books: Books, epoch: Option<Epoch>) {
        self.crash(relay, 1_000);
        let state = &mut self.relays[relay];
        state.other_life = Some((std::mem::replace(&mut state.books, books), state.epoch));
        state.epoch = epoch.unwrap_or_else(|| Epoch(self.chance.bytes()));
        self.ledger.restored(relay, &self.relays[relay].books);
    }
}
