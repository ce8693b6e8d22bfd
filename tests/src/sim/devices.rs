//! Events of phones: they are added, killed, restarted, copied, restored, wiped, handed from tab to tab, and moved to
//! another relay.

use serde_bytes::ByteBuf;
use tourismo_core::id::ChangeHash;
use tourismo_core::replica::io::{Command, CommandOutcome, Input, Space};
use tourismo_core::replica::views::StorageStatus;
use tourismo_core::replica::{Bootstrap, OpenError, Replica};

use crate::sim::network::{HOME, NetworkEvent};
use crate::sim::phone::{Nap, Phone};
use crate::sim::{Disk, InjectedBug, Network};

impl Network {
    /// Adds a phone that founds an account, and starts its app.
    pub fn add_phone(&mut self) -> usize {
        self.add(None)
    }

    /// Adds a phone to the account of another one.
    pub fn add_device(&mut self, of: usize) -> usize {
        let secret = self.rng.bytes();
        let device = ByteBuf::from(Phone::new(secret, None).device().0);
        let CommandOutcome::Granted { grant } = self.perform(of, Command::GrantDevice { device }) else {
            panic!("a device that is in lets others in")
        };
        self.add_with(secret, Some(grant.into_vec()))
    }

    fn add(&mut self, grant: Option<Vec<u8>>) -> usize {
        let secret = self.rng.bytes();
        self.add_with(secret, grant)
    }

    pub(super) fn add_with(&mut self, secret: [u8; 32], grant: Option<Vec<u8>>) -> usize {
        self.phones.push(Phone::new(secret, grant));
        let phone = self.phones.len() - 1;
        self.start(phone).expect("a new phone opens");
        phone
    }

    /// Damages a phone's disk: in every document the change at this index, from 0, is gone.
    pub fn lose_change(&mut self, phone: usize, index: u32) {
        self.phones[phone].disk.lose(index);
        self.reference.may_differ = true;
    }

    /// Deletes the records of all documents from a phone's disk, but not the documents.
    pub fn lose_records(&mut self, phone: usize) {
        self.phones[phone].disk.lose_records();
        self.reference.may_differ = true;
    }

    /// Kills a phone's app. The transaction in progress is on disk or is not.
    pub fn kill(&mut self, phone: usize) {
        let Some(replica) = self.phones[phone].replica.take() else { return };
        self.trace.note(self.now_ms, format_args!("phone {phone} is killed"));
        // A replica reports a storage that fails. Once storage works again, a failed transaction is tried again within five
        // seconds, and the slowest transaction takes four.
        let is_failing = matches!(replica.status().storage, StorageStatus::Failing { .. });
        // A sleeping phone receives and writes nothing.
        let awake_since = |ms| self.phones[phone].awake_since(self.now_ms, ms);
        let is_healthy = !is_failing && awake_since(9_000) >= self.storage_degraded_ms;
        let complaint = self.reference.killed(phone, awake_since(1_000), is_healthy);
        let (all, torn) = (self.rng.one_in(2), self.bug == InjectedBug::TornTransactions);
        let state = &mut self.phones[phone];
        state.disk.kill(|ops| match (torn, all) {
            (true, _) => ops / 2,
            (false, true) => ops,
            (false, false) => 0,
        });
        state.outcomes.clear();
        if let Some(conn) = state.conn.take()
            && self.connections.get(conn).is_some_and(|conn| conn.is_open && conn.is_whole())
        {
            self.cut(conn, 2_000);
        }
        if let Some(complaint) = complaint {
            self.report_broken(complaint);
        }
    }

    /// Starts a phone's app.
    ///
    /// # Errors
    /// [`OpenError`] if the replica does not open.
    pub fn start(&mut self, phone: usize) -> Result<(), OpenError> {
        self.trace.note(self.now_ms, format_args!("phone {phone} starts"));
        let mut seed = ByteBuf::from(self.rng.bytes::<32>());
        let state = &mut self.phones[phone];
        if self.bug == InjectedBug::ReusesSeeds {
            seed = ByteBuf::from([7; 32]);
        }
        let device = ByteBuf::from(state.device().0);
        let grant = state.grant.clone().map(ByteBuf::from);
        let mut replica = Replica::open(&Bootstrap { seed, device, grant, stored: state.disk.opening() })?;
        if let InjectedBug::InReplica(fault) = self.bug {
            replica.inject(fault);
        }
        if self.shuffles_polls {
            replica.shuffle_polls(self.now_ms + phone as u64);
        }
        state.replica = Some(replica);
        (state.life, state.born_ms, state.is_shown) = (state.life + 1, self.now_ms, true);
        state.naps.clear();
        let life = state.life;
        self.schedule(1_000, NetworkEvent::Measures { phone, life });
        self.deliver(phone, Input::Start);
        if !self.believes_online {
            self.deliver(phone, Input::Network { online: false });
        }
        Ok(())
    }

    /// Starts a phone's app with another device's grant.
    ///
    /// # Errors
    /// [`OpenError`] if the replica does not open.
    pub fn start_with_grant(&mut self, phone: usize, grant: Vec<u8>) -> Result<(), OpenError> {
        self.phones[phone].grant = Some(grant);
        self.start(phone)
    }

    /// Starts a phone's app some seconds later.
    pub(super) fn start_later(&mut self, phone: usize) {
        let in_ms = self.rng.between(0, 20_000);
        self.schedule(in_ms, NetworkEvent::Starts { phone });
    }

    /// Sets the UTC offset of a phone, minutes.
    pub fn set_utc_offset(&mut self, phone: usize, utc_offset_min: i64) {
        self.deliver(phone, Input::Zone { utc_offset_min });
    }

    /// Another tab takes over a phone: it opens the same storage, and effects of the old tab are ignored. The old
    /// connection stays open until the relay notices.
    pub fn hand_over(&mut self, phone: usize) {
        self.trace.note(self.now_ms, format_args!("phone {phone} goes to another tab"));
        let conn = self.phones[phone].conn.take();
        self.kill(phone);
        if let Some(conn) = conn {
            self.silence(conn, true, false);
        }
        if let Err(error) = self.start(phone) {
            self.report_broken(format!("another tab opens the same storage: {error}"));
        }
    }

    /// Makes a phone sleep: until it wakes nothing happens on it, and everything that was due then happens at once.
    pub fn sleep(&mut self, phone: usize, ms: u64, stops_clock: bool) {
        self.trace.note(self.now_ms, format_args!("phone {phone} sleeps for {ms} ms, {stops_clock}"));
        if stops_clock && let Some(faults) = &mut self.clock_faults {
            faults.recordings.lost_count(phone);
        }
        let state = &mut self.phones[phone];
        state.naps.push(Nap { from_ms: self.now_ms, until_ms: self.now_ms + ms, stops_clock });
        // A phone without an answer is disconnected, and may disconnect by itself when it wakes.
        let conn = state.conn.and_then(|conn| self.connections.get_mut(conn));
        conn.into_iter().for_each(|conn| conn.is_troubled = true);
    }

    /// Returns a copy of a phone's disk, as in a backup.
    pub fn snapshot(&self, phone: usize) -> Disk {
        let mut disk = self.phones[phone].disk.clone();
        disk.kill(|_| 0);
        disk
    }

    /// Kills a phone's app and restores an older state of its disk. Anything newer on it is lost.
    pub fn restore_phone(&mut self, phone: usize, disk: Disk) {
        self.kill(phone);
        self.trace.note(self.now_ms, format_args!("phone {phone} is restored"));
        let kept = &self.relays[HOME].disk;
        let is_elsewhere = |hash: &ChangeHash| kept.has(hash) || disk.hashes().contains(hash);
        let state = &self.phones[phone];
        let is_safe = state.disk.count(Space::Journal) == 0 && state.disk.hashes().iter().all(is_elsewhere);
        self.reference.rolled_back(phone, is_safe);
        self.phones[phone].disk = disk;
    }

    /// Wipes a phone's storage, as a browser may when it needs space. The key is stored elsewhere.
    pub fn evict(&mut self, phone: usize) {
        self.restore_phone(phone, Disk::default());
    }

    /// Adds a phone with the key of another one and a copy of its storage, as after a move to a new machine. Both may
    /// be used from then on.
    pub fn copy_phone(&mut self, of: usize, disk: Disk) -> usize {
        let state = &self.phones[of];
        let (secret, grant, relay) = (state.key.to_bytes(), state.grant.clone(), state.relay);
        self.phones.push(Phone { disk, relay, ..Phone::new(secret, grant) });
        let phone = self.phones.len() - 1;
        self.trace.note(self.now_ms, format_args!("phone {phone} is a copy of {of}"));
        self.reference.has_copies = true;
        self.reference.copied(phone, of);
        self.start(phone).expect("a copy opens like its original");
        phone
    }

    /// Makes a phone use another relay from its next start on.
    pub fn move_phone(&mut self, phone: usize, relay: usize) {
        if self.phones[phone].relay != relay {
            self.kill(phone);
            self.trace.note(self.now_ms, format_args!("phone {phone} moves to relay {relay}"));
            self.phones[phone].relay = relay;
            self.reference.may_differ = true;
        }
    }
}
