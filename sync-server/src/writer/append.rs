//! The additions of one transaction to the logs: devices, changes, and rows derived from them.
//!
//! The rules are those of the core ([`tourismo_core::admission`]). This module reads what they need, unless the
//! writer's memory has it, and writes their results at the end, all at once. It commits nothing.

mod inbox;
mod members;
mod operators;
mod rows;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tourismo_core::admission::{
    AccountState, Admission, Candidate, DocumentState, IN_USE_MS, check_continues, is_reserved,
};
use tourismo_core::change::{Actor, ScannedChange};
use tourismo_core::id::{AccountId, ChangeHash, DocId};
use tourismo_core::session::relay::ChangeOutcome;
use tourismo_core::time::Timestamp;
use tourismo_core::wire::{NackCode, Offer};

use super::disk::DiskSpace;
use super::memory::{Key, KnownDocument, Memory};
use super::projector::DeriveCost;
use super::{Compaction, Examined, Pusher};
use crate::clients::limits::{DAY_MS, Limits, NETWORK_SHARE, SourceName, SourceNames};
use crate::db::change_log::{self, FoundChange, NewEntry};
use crate::db::decisions::{self, Decisions};
use crate::db::documents::{ActorUse, DocState};
use crate::db::roads::RoadUpdate;
use crate::db::sql::Connection;
use crate::db::{accounts, address_days, documents, relay, roads, snapshots};
use crate::notify::event_bus::BusEvent;

/// The number of changes that leave the log for a snapshot in one transaction, so that pushes do not wait for it.
const SWEPT_AT_ONCE: u32 = 250;

/// How far the stored maximum time of entries is ahead of the newest entry, milliseconds, so that it need not be
/// written in every transaction.
const RECEIVED_AHEAD_MS: i64 = 1_000;

/// An open transaction.
pub(super) struct Append<'t> {
    connection: &'t mut Connection,
    memory: &'t mut Memory,
    received_at: Timestamp,
    limits: &'t Limits,
    room: DiskSpace,
    /// When the accounts were founded.
    founded_at: BTreeMap<AccountId, Timestamp>,
    /// Bytes that new accounts pushed today from the addresses of this transaction.
    address_bytes: BTreeMap<SourceName, u64>,
    accounts: BTreeMap<AccountId, AccountState>,
    /// `None` for a document that its account has not written to.
    docs: BTreeMap<Key, Option<KnownDocument>>,
    entries: Vec<NewEntry<'t>>,
    touched: BTreeMap<Key, TouchedDocs>,
    /// Visible changes by rows that were derived in the background.
    events: Vec<BusEvent>,
    feed_changed: bool,
    /// Whether documents became due by other causes than their changes.
    has_due: bool,
    quarantined: u64,
    /// The accounts whose membership statements changed.
    membership_changed: BTreeSet<AccountId>,
}

/// The effects of a transaction, to be reported after its commit.
#[derive(Debug, Default)]
pub(super) struct AppendResult {
    /// The logs that grew, with their heads.
    pub(super) heads: Vec<(AccountId, u64)>,
    /// Whether the public feed may have changed.
    pub(super) feed_changed: bool,
    /// The visible changes, for event streams.
    pub(super) events: Vec<BusEvent>,
    /// The cost of deriving rows, by account.
    pub(super) work: Vec<(AccountId, DeriveCost)>,
    /// Whether documents are due.
    pub(super) has_due: bool,
    /// The number of documents that were quarantined.
    pub(super) quarantined: u64,
    /// The accounts whose membership statements changed.
    pub(super) membership_changed: BTreeSet<AccountId>,
}

#[derive(Debug, Default)]
struct TouchedDocs {
    is_new: bool,
    actors: BTreeSet<Actor>,
    /// The indices of its entries among all entries of the transaction.
    entries: Vec<usize>,
    last: u64,
    /// The number of operations of its changes.
    ops: u64,
}

impl<'t> Append<'t> {
    pub(super) fn new(
        connection: &'t mut Connection,
        memory: &'t mut Memory,
        received_at: Timestamp,
        limits: &'t Limits,
        room: DiskSpace,
    ) -> Append<'t> {
        Append {
            connection,
            memory,
            received_at,
            limits,
            room,
            founded_at: BTreeMap::new(),
            address_bytes: BTreeMap::new(),
            accounts: BTreeMap::new(),
            docs: BTreeMap::new(),
            entries: Vec::new(),
            touched: BTreeMap::new(),
            events: Vec::new(),
            feed_changed: false,
            has_due: false,
            quarantined: 0,
            membership_changed: BTreeSet::new(),
        }
    }

    /// Appends the acceptable changes of a push. Each change is judged by itself, after those before it. `[P4]`
    pub(super) async fn push(
        &mut self,
        pusher: &Pusher,
        changes: &'t [Examined],
    ) -> Result<Vec<ChangeOutcome>, sqlx::Error> {
        let account = pusher.account;
        self.look_up_account_state(account).await?;
        self.look_up_account_age(account, pusher.source).await?;
        let judged = changes.iter().filter(|change| change.scanned.is_ok());
        self.look_up_docs(account, judged.map(|change| change.offer.doc).collect()).await?;
        let mut outcomes = Vec::with_capacity(changes.len());
        for Examined { offer, scanned } in changes {
            outcomes.push(match scanned {
                Ok(change) => self.change(pusher, offer, change).await?,
                Err(code) => ChangeOutcome::Refused(*code),
            });
        }
        Ok(outcomes)
    }

    /// Returns the decisions of operators. They are read once.
    async fn decisions(&mut self) -> Result<Arc<Decisions>, sqlx::Error> {
        if let Some(decisions) = &self.memory.decisions {
            return Ok(decisions.clone());
        }
        let decisions = Arc::new(decisions::all(self.connection).await?);
        Ok(self.memory.decisions.insert(decisions).clone())
    }

    /// Replaces and removes roads.
    pub(super) async fn apply_road_update(&mut self, update: &RoadUpdate) -> Result<(), sqlx::Error> {
        roads::remove(self.connection, &update.remove).await?;
        roads::replace(self.connection, &update.replace).await?;
        roads::set_batch(self.connection, update.batch.as_ref()).await
    }

    /// Does one step of making a snapshot of committed changes. The account state stays unchanged: positions, hashes
    /// and heads are the same.
    pub(super) async fn compact(&mut self, step: &Compaction) -> Result<bool, sqlx::Error> {
        let writer = &mut *self.connection;
        match step {
            Compaction::Write(snapshot) => snapshots::insert(writer, snapshot).await.map(|()| false),
            Compaction::Enforce(subject, seq) => {
                // Its weight is that of the chunks from which it was loaded.
                self.memory.take_loaded((subject.account, subject.doc));
                snapshots::enforce(writer, *subject, *seq).await?;
                snapshots::sweep(writer, *subject, *seq, SWEPT_AT_ONCE).await
            }
            Compaction::Sweep(subject, seq) => {
                self.memory.take_loaded((subject.account, subject.doc));
                snapshots::sweep(writer, *subject, *seq, SWEPT_AT_ONCE).await
            }
            Compaction::GiveUp(subject) => snapshots::give_up(writer, *subject).await.map(|()| false),
        }
    }

    /// Writes entries and account states, derives the rows if required, and returns the effects.
    pub(super) async fn finish(mut self, derives_rows: bool) -> Result<AppendResult, sqlx::Error> {
        let (mut docs, mut uses, mut grown) = (Vec::new(), Vec::new(), BTreeSet::new());
        for (key, touched) in &self.touched {
            let (account, id) = *key;
            let known = self.docs[key].as_ref().expect("a document that was appended to is known");
            docs.push((id, &known.log, touched.entries.len() as u64));
            uses.extend(touched.actors.iter().map(|actor| (account, id, actor, known.actor(actor))));
            grown.insert(account);
        }
        let logs: Vec<&AccountState> = grown.iter().map(|account| &self.accounts[account]).collect();
        // An entry refers to its document.
        documents::write(self.connection, &docs).await?;
        documents::write_actor_uses(self.connection, &uses).await?;
        change_log::insert(self.connection, &self.entries, self.received_at).await?;
        if !self.entries.is_empty() && self.memory.received_until < self.received_at {
            let until = self.received_at + RECEIVED_AHEAD_MS;
            relay::set_received_until(self.connection, until).await?;
            self.memory.received_until = until;
        }
        accounts::update(self.connection, &logs).await?;
        let today = self.today();
        address_days::write(self.connection, today, std::mem::take(&mut self.address_bytes).into_iter()).await?;

        let heads = logs.iter().map(|log| (log.account, log.head)).collect();
        let (events, feed_changed) = (std::mem::take(&mut self.events), self.feed_changed);
        let (quarantined, membership_changed) = (self.quarantined, std::mem::take(&mut self.membership_changed));
        let has_due = self.has_due;
        let mut appended = AppendResult {
            heads,
            events,
            feed_changed,
            has_due,
            quarantined,
            membership_changed,
            ..AppendResult::default()
        };
        if derives_rows {
            self.project(&mut appended).await?;
        }
        self.accounts.into_values().for_each(|log| self.memory.keep_account(log));
        self.founded_at.into_iter().for_each(|(account, at)| self.memory.keep_founded_at(account, at));
        for (key, known) in self.docs {
            if let Some(known) = known {
                self.memory.keep_doc(key, known);
            }
        }
        Ok(appended)
    }

    async fn change(
        &mut self,
        pusher: &Pusher,
        offer: &'t Offer,
        change: &'t ScannedChange,
    ) -> Result<ChangeOutcome, sqlx::Error> {
        let Pusher { account, source, claims } = pusher;
        let account = *account;
        let id = offer.doc;
        let key = (account, id);
        self.look_up(key, change).await?;
        let known = self.docs.get(&key).and_then(Option::as_ref);
        let ActorUse { last_seq, own_at } = known.map(|known| known.actor(&change.actor)).unwrap_or_default();
        // The absolute difference, because the clock may have been wrong meanwhile.
        let is_in_use = own_at.is_some_and(|own_at| self.received_at.millis_since(own_at).abs() < IN_USE_MS);
        let stored = |hash: &ChangeHash| known.and_then(|known| known.stored.get(hash));
        let candidate = Candidate { claims, is_in_use, kind: offer.kind, change, last_seq };
        let log = self.accounts.get_mut(&account).expect("the account has been looked up");
        match log.admit(known.map(|known| &known.log), candidate, |hash| stored(hash).is_some()) {
            Err(code) => return Ok(ChangeOutcome::Refused(code)),
            Ok(Admission::AlreadyStored) => {
                let seq = stored(&change.hash).expect("it was found stored").seq;
                return Ok(ChangeOutcome::Stored { seq, hash: change.hash });
            }
            Ok(Admission::Append) => {}
        }
        let has_written = |actor: &Actor| known.is_some_and(|known| known.last_seq(actor) > 0);
        if let Err(code) = check_continues(change, |hash| stored(hash).map(|found| found.max_op), has_written) {
            return Ok(ChangeOutcome::Refused(code));
        }
        let is_new = known.is_none();
        let bytes = offer.chunk.0.len();
        let age_ms = self.received_at.millis_since(self.founded_at[&account]);
        if let Err(code) = log.check_quota(&self.limits.quota(age_ms), offer.kind, is_new, bytes) {
            return Ok(ChangeOutcome::Refused(code));
        }
        let is_new_account = self.limits.is_new(age_ms);
        if !is_reserved(offer.kind, is_new, bytes) {
            if !self.room.is_for(is_new_account) {
                return Ok(ChangeOutcome::Refused(NackCode::Unavailable));
            }
            if is_new_account && !self.address_has_room(source, bytes) {
                return Ok(ChangeOutcome::Refused(NackCode::OverQuota));
            }
        }
        if is_new_account {
            self.charge_address(source, bytes);
        }
        let log = self.accounts.get_mut(&account).expect("the account has been looked up");
        let known = self.docs.entry(key).or_default();
        let known = known.get_or_insert_with(|| {
            let log = DocumentState::new(account, offer.kind);
            KnownDocument::new(DocState { log, is_quarantined: false, is_due: false, chunks: 0 })
        });
        known.chunks += 1;
        let seq = log.append(id, &mut known.log, change, offer.chunk.0.len());
        let own_at = if claims.is_own(&change.actor) { Some(self.received_at) } else { own_at };
        known.actors.insert(change.actor.clone(), ActorUse { last_seq: change.seq, own_at });
        known.stored.insert(change.hash, FoundChange { seq, max_op: change.max_op() });
        let touched = self.touched.entry(key).or_default();
        touched.is_new |= is_new;
        touched.actors.insert(change.actor.clone());
        touched.entries.push(self.entries.len());
        touched.last = seq;
        touched.ops += change.ops;
        self.entries.push(NewEntry {
            account,
            seq,
            doc: id,
            hash: change.hash,
            deps: &change.deps,
            max_op: change.max_op(),
            chunk: &offer.chunk.0,
        });
        Ok(ChangeOutcome::Stored { seq, hash: change.hash })
    }

    async fn look_up_account_state(&mut self, account: AccountId) -> Result<(), sqlx::Error> {
        if !self.accounts.contains_key(&account) {
            let log = match self.memory.take_account(account) {
                Some(log) => log,
                None => accounts::log(self.connection, account).await?,
            };
            self.accounts.insert(account, log);
        }
        Ok(())
    }

    /// Reads the age of an account, and for a new one the bytes pushed today from its address.
    async fn look_up_account_age(&mut self, account: AccountId, source: SourceNames) -> Result<(), sqlx::Error> {
        let founded_at = match self.founded_at.get(&account).copied().or_else(|| self.memory.founded_at(account)) {
            Some(founded_at) => founded_at,
            None => accounts::founded_at(self.connection, account).await?,
        };
        self.founded_at.insert(account, founded_at);
        if !self.limits.is_new(self.received_at.millis_since(founded_at)) {
            return Ok(());
        }
        for name in [source.host].into_iter().chain(source.network) {
            if !self.address_bytes.contains_key(&name) {
                let bytes = address_days::bytes(self.connection, self.today(), name).await?;
                self.address_bytes.insert(name, bytes);
            }
        }
        Ok(())
    }

    /// Returns how much new accounts may push in a day from an address and from its network.
    fn address_bounds(&self, source: &SourceNames) -> impl Iterator<Item = (SourceName, u64)> + use<> {
        let most = self.limits.max_new_bytes_per_address;
        let network = source.network.map(|name| (name, most.saturating_mul(u64::from(NETWORK_SHARE))));
        [(source.host, most)].into_iter().chain(network)
    }

    /// Returns whether a new account may push this many more bytes from an address today.
    fn address_has_room(&self, source: &SourceNames, bytes: usize) -> bool {
        let used = |name| self.address_bytes.get(&name).copied().unwrap_or_default();
        self.address_bounds(source).all(|(name, most)| used(name) + bytes as u64 <= most)
    }

    /// Counts bytes that a new account pushes from an address.
    fn charge_address(&mut self, source: &SourceNames, bytes: usize) {
        for (name, _) in self.address_bounds(source) {
            *self.address_bytes.entry(name).or_default() += bytes as u64;
        }
    }

    /// Returns the number of days since 1970.
    fn today(&self) -> i64 {
        self.received_at.as_millis().div_euclid(DAY_MS)
    }

    async fn look_up_docs(&mut self, account: AccountId, ids: BTreeSet<DocId>) -> Result<(), sqlx::Error> {
        let mut unknown = Vec::new();
        for id in ids {
            let key = (account, id);
            if !self.docs.contains_key(&key) {
                match self.memory.take_doc(key) {
                    Some(known) => drop(self.docs.insert(key, Some(known))),
                    None => unknown.push(id),
                }
            }
        }
        let mut found = documents::find_all(self.connection, account, &unknown).await?;
        for id in unknown {
            let known = found.remove(&id).map(KnownDocument::new);
            self.docs.insert((account, id), known);
        }
        Ok(())
    }

    /// Reads the other values that admission needs, unless they are known. Changes of a document usually depend on one
    /// another, so only the first one needs reads.
    async fn look_up(&mut self, key: Key, change: &ScannedChange) -> Result<(), sqlx::Error> {
        // A new document has no values.
        let Some(known) = self.docs.get_mut(&key).and_then(Option::as_mut) else { return Ok(()) };
        let (account, id) = key;
        let mut unknown: Vec<&Actor> = change.other_actors.iter().chain([&change.actor]).collect();
        unknown.retain(|actor| !known.actors.contains_key(*actor));
        let found = documents::actor_uses_of(self.connection, account, id, &unknown).await?;
        known.actors.extend(unknown.into_iter().map(|actor| (actor.clone(), ActorUse::default())));
        known.actors.extend(found);
        // A change that continues its actor's sequence numbers cannot be stored already.
        let itself = (change.seq <= known.last_seq(&change.actor)).then_some(&change.hash);
        let mut unknown: Vec<&ChangeHash> = change.deps.iter().chain(itself).collect();
        unknown.retain(|hash| !known.stored.contains_key(*hash));
        known.stored.extend(change_log::find_all(self.connection, account, id, &unknown).await?);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tourismo_core::admission::{ActorClaims, scan_candidate};
    use tourismo_core::docs::automerge_doc;
    use tourismo_core::wire::{Chunk, DocKind};

    use tourismo_core::id::DeviceKey;

    use super::*;
    use crate::db::{Database, Durability};

    fn host(number: u8) -> SourceNames {
        SourceNames { host: SourceName([number; 16]), network: None }
    }

    #[tokio::test]
    async fn p8_new_accounts_share_what_an_address_may_push_in_a_day_and_their_quota_grows_with_their_age() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer =
            Database::open(&folder.path().join("x.sqlite").into(), None, Durability::EveryCommit).await.unwrap().writer;
        let limits = Limits {
            max_new_account_bytes: 1_500,
            max_account_bytes_per_day: 1_000,
            new_account_days: 3,
            max_new_bytes_per_address: 2_000,
            ..Limits::DEFAULT
        };
        let mut memory = Memory::default();
        let (here, there) = (host(1), host(2));
        let mut made = 0;
        // The result of a kilobyte that an account pushes on a day from an address.
        let mut push = async |device: u8, day: i64, source, kind, room| {
            made += 1;
            let device = DeviceKey([device; 32]);
            let account = AccountId::founded_by(&device);
            let mut actor = [made; 16];
            actor[..8].copy_from_slice(&device.actor_prefix());
            let bytes = vec![7; if kind == DocKind::Social { 10 } else { 900 }];
            let change = automerge_doc::edit(&mut automerge_doc::new(&actor), |edit| {
                edit.bytes_or_nothing("bytes", Some(&bytes))
            });
            let offer =
                Offer { doc: DocId::from_bytes([made; 16]), kind, chunk: Chunk(change.unwrap().unwrap().chunk) };
            let offers = [Examined { scanned: scan_candidate(&offer.chunk.0), offer }];
            let at = Timestamp(day * DAY_MS + 1);
            let mut append = Append::new(&mut writer, &mut memory, at, &limits, room);
            append.admit(account, device, None).await.unwrap();
            let outcomes =
                append.push(&Pusher { account, source, claims: ActorClaims::new(&device) }, &offers).await.unwrap();
            append.finish(true).await.unwrap();
            match outcomes[0] {
                ChangeOutcome::Stored { .. } => None,
                ChangeOutcome::Refused(code) => Some(code),
            }
        };
        let (car, full) = (DocKind::Car, Some(NackCode::OverQuota));
        assert_eq!(push(1, 0, here, car, DiskSpace::Everybody).await, None);
        assert_eq!(
            push(1, 0, there, car, DiskSpace::Everybody).await,
            full,
            "as much as an account keeps on its first day"
        );
        assert_eq!(push(2, 0, here, car, DiskSpace::Everybody).await, None);
        assert_eq!(
            push(3, 0, here, car, DiskSpace::Everybody).await,
            full,
            "as much as new accounts push from one address"
        );
        assert_eq!(push(3, 0, here, DocKind::Social, DiskSpace::Everybody).await, None, "but it may block");
        assert_eq!(push(3, 0, there, car, DiskSpace::Everybody).await, None, "and push from another address");
        assert_eq!(push(1, 1, here, car, DiskSpace::Everybody).await, None, "a day later there is more of both");
        let scarce = DiskSpace::OlderAccounts;
        assert_eq!(push(4, 1, there, car, scarce).await, Some(NackCode::Unavailable), "the rest is not for who is new");
        assert_eq!(push(4, 1, there, DocKind::Social, scarce).await, None);
        assert_eq!(push(1, 4, here, car, scarce).await, None, "it is for who is not");
        // Each account has its own /64 within one /48: four times as much in total, and no more.
        let in_network = |number| SourceNames { network: Some(SourceName([9; 16])), ..host(number) };
        let mut pushed = Vec::new();
        for number in 10..20 {
            pushed.push(push(number, 4, in_network(number), car, DiskSpace::Everybody).await);
        }
        assert_eq!(pushed, [vec![None; 8], vec![full; 2]].concat());
        let full_disk = DiskSpace::Reserved;
        assert_eq!(push(1, 4, here, car, full_disk).await, Some(NackCode::Unavailable), "it is for nobody's drives");
        assert_eq!(push(1, 4, here, DocKind::Social, full_disk).await, None, "one may always block");
        let bytes = address_days::bytes(&mut writer, 0, here.host).await.unwrap();
        assert_eq!(bytes, 0, "days that are over are forgotten");
    }

    #[tokio::test]
    async fn b3_two_accounts_that_use_one_id_in_one_transaction_have_a_document_each() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer =
            Database::open(&folder.path().join("x.sqlite").into(), None, Durability::EveryCommit).await.unwrap().writer;
        let devices = [DeviceKey([1; 32]), DeviceKey([2; 32])];
        let accounts = devices.map(|device| AccountId::founded_by(&device));
        let mut docs = devices.map(|device| {
            let mut actor = [0; 16];
            actor[..8].copy_from_slice(&device.actor_prefix());
            automerge_doc::new(&actor)
        });
        let mut change = |of: usize, key: &str| {
            let chunk = automerge_doc::edit(&mut docs[of], |edit| edit.boolean(key, true)).unwrap().unwrap().chunk;
            let offer = Offer {
                doc: DocId::from_bytes([1; 16]),
                kind: [DocKind::Car, DocKind::Drive][of],
                chunk: Chunk(chunk),
            };
            [Examined { scanned: scan_candidate(&offer.chunk.0), offer }]
        };
        let (first, theirs, second) = (change(0, "first"), change(1, "first"), change(0, "second"));

        let mut memory = Memory::default();
        let pusher =
            |of: usize| Pusher { account: accounts[of], source: host(1), claims: ActorClaims::new(&devices[of]) };
        let mut before = Append::new(&mut writer, &mut memory, Timestamp(0), &Limits::DEFAULT, DiskSpace::Everybody);
        before.admit(accounts[0], devices[0], None).await.unwrap();
        before.admit(accounts[1], devices[1], None).await.unwrap();
        before.push(&pusher(0), &first).await.unwrap();
        before.finish(true).await.unwrap();

        let mut append = Append::new(&mut writer, &mut memory, Timestamp(0), &Limits::DEFAULT, DiskSpace::Everybody);
        let stolen = append.push(&pusher(1), &second).await.unwrap();
        assert_eq!(stolen, [ChangeOutcome::Refused(NackCode::ForeignActor)]);
        for (account, changes, position) in [(1, &theirs, 1), (0, &second, 2)] {
            let kept = append.push(&pusher(account), changes).await.unwrap();
            assert!(matches!(kept[..], [ChangeOutcome::Stored { seq, .. }] if seq == position), "{account}: {kept:?}");
        }
        let mut heads = [(accounts[0], 2), (accounts[1], 1)];
        heads.sort();
        assert_eq!(append.finish(true).await.unwrap().heads, heads);
        let id = DocId::from_bytes([1; 16]);
        for (account, kind) in accounts.into_iter().zip([DocKind::Car, DocKind::Drive]) {
            let found = documents::find(&mut writer, account, id).await.unwrap().expect("each has one");
            assert_eq!((found.owner, found.kind), (account, kind));
        }
    }
}
