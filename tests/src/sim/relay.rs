//! A relay in memory: a log as in a real relay, with the same admission, and a disk that is synced in groups.

use std::collections::{BTreeMap, BTreeSet};

use tourismo_core::admission::{AccountState, ActorClaims, Admission, Candidate, DocumentState, scan_candidate};
use tourismo_core::change::Actor;
use tourismo_core::digest::Digest;
use tourismo_core::docs::{automerge_doc, snapshot};
use tourismo_core::id::{AccountId, ChangeHash, DeviceKey, DocId};
use tourismo_core::membership::{Claim, MembershipDigest, MembershipSet, Statement};
use tourismo_core::projection::{self, DocumentRow};
use tourismo_core::session::relay::{ChangeOutcome, DocPage, HeadsPage, LogPage, NamesPage, RelaySession};
use tourismo_core::time::Timestamp;
use tourismo_core::wire::{
    BATCH_BYTES, ByeCode, Chunk, DocHeads, DocKind, Entry, EntryBody, Epoch, Grant, MAX_BATCH, NackCode, Offer, RelayId,
};

use crate::sim::InjectedBug;
use crate::sim::connections::ConnId;

/// A relay.
#[derive(Debug)]
pub struct Relay {
    pub(super) id: RelayId,
    pub(super) epoch: Epoch,
    /// The number of this start of the relay.
    pub(super) boot: u32,
    pub(super) is_up: bool,
    pub(super) disk: RelayDisk,
    /// An older state of the disk, stored elsewhere.
    pub(super) backup: Option<RelayDisk>,
    /// An older state of the whole disk, including the epoch, as of a machine that is put back to a snapshot.
    pub(super) image: Option<(RelayDisk, Epoch)>,
    /// The state before the last restore.
    pub(super) other_life: Option<(RelayDisk, Epoch)>,
    /// Whether its disk is full.
    pub(super) is_full: bool,
    /// Whether accounts have their maximum number of devices, so that no vouch is stored.
    pub(super) has_devices_enough: bool,
    /// The error of its wall clock.
    pub(super) clock_ms: i64,
    pub(super) sessions: BTreeMap<ConnId, ServedConnection>,
    /// Pushes that wait for the disk.
    pub(super) waiting: Vec<WaitingPush>,
}

/// A connection that the relay serves.
#[derive(Debug)]
pub(super) struct ServedConnection {
    pub(super) session: RelaySession,
    pub(super) account: Option<AccountId>,
    pub(super) device: Option<DeviceKey>,
    /// The actors whose changes it may push.
    pub(super) claims: Option<ActorClaims>,
    pub(super) timer_at_ms: Option<u64>,
}

/// A push that waits for the disk.
#[derive(Clone, Debug)]
pub(super) struct WaitingPush {
    pub(super) conn: ConnId,
    pub(super) device: DeviceKey,
    pub(super) account: AccountId,
    pub(super) claims: ActorClaims,
    pub(super) push: u64,
    pub(super) changes: Vec<Offer>,
    pub(super) received_at: Timestamp,
}

/// The content of the relay's disk.
#[derive(Clone, Debug, Default)]
pub(super) struct RelayDisk {
    pub(super) accounts: BTreeMap<AccountId, AccountLog>,
    /// Whether an id belongs to the first account that wrote to it, as in relays of earlier versions.
    pub(super) gives_ids_away: bool,
    /// The public rows of the documents.
    pub(super) rows: BTreeMap<(AccountId, DocId), DocumentRow>,
}

/// One account on the relay's disk.
#[derive(Clone, Debug)]
pub(super) struct AccountLog {
    devices: BTreeSet<DeviceKey>,
    pub(super) members: MembershipSet,
    log: AccountState,
    docs: BTreeMap<DocId, StoredDocument>,
    pub(super) entries: Vec<LogEntry>,
}

#[derive(Clone, Debug)]
struct StoredDocument {
    log: DocumentState,
    last_seqs: BTreeMap<Actor, u64>,
    /// When the own device of an actor last appended with it.
    own_at: BTreeMap<Actor, Timestamp>,
    /// Positions in the account's log.
    positions: BTreeMap<ChangeHash, u64>,
    snapshot: Option<StoredSnapshot>,
}

/// The snapshot of a document.
#[derive(Clone, Debug)]
struct StoredSnapshot {
    /// The changes after this position and up to that of the snapshot have left the log.
    rest: u64,
    seq: u64,
    heads: Vec<ChangeHash>,
    changes: u32,
    chunk: Vec<u8>,
}

impl StoredSnapshot {
    /// Returns whether the log has the snapshot, if anything, in place of a change.
    fn covers(&self, seq: u64) -> bool {
        self.rest < seq && seq <= self.seq
    }
}

/// One entry of a log.
#[derive(Clone, Debug)]
pub(super) struct LogEntry {
    pub(super) doc: DocId,
    pub(super) kind: DocKind,
    pub(super) hash: ChangeHash,
    pub(super) deps: Vec<ChangeHash>,
    pub(super) chunk: Vec<u8>,
    pub(super) received_at: Timestamp,
}

/// How long an actor's numbers are reserved for its own device here, milliseconds: scenarios are too short for two
/// weeks.
const IN_USE_MS: i64 = 20_000;

fn is_in_use(own_at: Timestamp, at: Timestamp) -> bool {
    at.millis_since(own_at).abs() < IN_USE_MS
}

/// Returns whether others may see rows of documents of a kind.
pub(super) fn is_shown_to_others(kind: DocKind) -> bool {
    match kind {
        DocKind::Profile | DocKind::Published | DocKind::Meet => true,
        DocKind::Settings | DocKind::Car | DocKind::Drive | DocKind::Track | DocKind::Social => false,
    }
}

impl Relay {
    /// Returns the relay's id.
    pub fn id(&self) -> RelayId {
        self.id
    }

    pub(super) fn new(id: [u8; 16], epoch: [u8; 16]) -> Relay {
        Relay {
            id: RelayId(id),
            epoch: Epoch(epoch),
            boot: 0,
            is_up: true,
            disk: RelayDisk::default(),
            backup: None,
            image: None,
            other_life: None,
            is_full: false,
            has_devices_enough: false,
            clock_ms: 0,
            sessions: BTreeMap::new(),
            waiting: Vec::new(),
        }
    }

    /// Returns everything stored for an account: document, kind and chunk, in the order of the log.
    pub fn entries(&self, account: &AccountId) -> Vec<(DocId, DocKind, &[u8])> {
        let entries = self.disk.accounts.get(account).map_or(&[][..], |account| &account.entries);
        entries.iter().map(|stored| (stored.doc, stored.kind, stored.chunk.as_slice())).collect()
    }

    /// Returns the digest of everything stored for an account.
    pub fn digest(&self, account: &AccountId) -> Digest {
        self.disk.accounts.get(account).map_or(Digest::default(), |account| account.log.digest)
    }

    /// Returns the changes of every document of an account with its kind, in the order of the log.
    pub fn documents(&self, account: &AccountId) -> BTreeMap<DocId, (DocKind, Vec<&[u8]>)> {
        let mut documents: BTreeMap<DocId, (DocKind, Vec<&[u8]>)> = BTreeMap::new();
        for (doc, kind, chunk) in self.entries(account) {
            documents.entry(doc).or_insert_with(|| (kind, Vec::new())).1.push(chunk);
        }
        documents
    }
}

impl RelayDisk {
    /// Makes snapshots; see [`AccountLog::compact`].
    pub(super) fn compact(&mut self, gone_quarters: u64) {
        self.accounts.values_mut().for_each(|account| account.compact(gone_quarters));
    }

    pub(super) fn has(&self, hash: &ChangeHash) -> bool {
        self.accounts.values().any(|account| account.docs.values().any(|doc| doc.positions.contains_key(hash)))
    }

    /// Returns whether a device belongs to an account.
    pub(super) fn knows(&self, account: &AccountId, device: &DeviceKey) -> bool {
        self.accounts.get(account).is_some_and(|disk| disk.devices.contains(device))
    }

    /// Returns the digest of an account's membership statements.
    pub(super) fn membership_digest(&self, account: &AccountId) -> MembershipDigest {
        self.accounts.get(account).map(|log| log.members.digest()).unwrap_or_default()
    }

    /// Admits a device that founded the account or that a member of it granted.
    ///
    /// # Errors
    /// The code of the refusal.
    pub(super) fn admit(
        &mut self,
        account: AccountId,
        device: DeviceKey,
        grant: Option<Grant>,
        at: Timestamp,
        bug: InjectedBug,
    ) -> Result<(), ByeCode> {
        // The account's id proves its founding device, also if another device connects first.
        let founder = grant.map_or(device, |grant| grant.granted_by);
        if AccountId::founded_by(&founder) == account {
            self.accounts.entry(account).or_insert_with(|| AccountLog::new(account, founder));
        }
        let disk = self.accounts.get_mut(&account).ok_or(ByeCode::NotAuthentic)?;
        let was_revoked = disk.members.evaluate(at).is_revoked(&device);
        let mut set = disk.members.clone();
        if let Some(grant) = grant {
            let received_at = set.next_receipt(at);
            // A grant that is refused makes nobody a member.
            let _ = set.add(grant.statement(device), Some(received_at), at);
        }
        let members = set.evaluate(at);
        let lets_in = bug == InjectedBug::LetsRevokedIn && was_revoked;
        if !members.is_member(&device) && !lets_in {
            return Err(if was_revoked { ByeCode::Revoked } else { ByeCode::NotAuthentic });
        }
        disk.members = set;
        disk.devices.insert(device);
        disk.log.actor_prefixes.insert(device.actor_prefix());
        if lets_in {
            disk.log.revoked_prefixes.remove(&device.actor_prefix());
        }
        Ok(())
    }

    /// Adds membership statements that a device declares. Returns whether one is new.
    pub(super) fn declare(
        &mut self,
        account: AccountId,
        device: &DeviceKey,
        statements: Vec<Statement>,
        at: Timestamp,
        bug: InjectedBug,
    ) -> bool {
        let Some(disk) = self.accounts.get_mut(&account) else { return false };
        if !disk.members.evaluate(at).is_member(device) {
            return false;
        }
        let (trusted, others): (Vec<Statement>, Vec<Statement>) = statements.into_iter().partition(|statement| {
            bug == InjectedBug::TrustsEveryEnrolment && matches!(statement.claim, Claim::Enrol { .. })
        });
        let before = disk.members.digest();
        trusted.into_iter().for_each(|statement| disk.members.restore(statement, Some(at - 8 * 24 * 3_600_000)));
        disk.members.add_all(others, at);
        let is_new = disk.members.digest() != before;
        let members = disk.members.evaluate(at);
        if bug != InjectedBug::LetsRevokedIn {
            disk.log.revoked_prefixes = members.removed_devices().map(DeviceKey::actor_prefix).collect();
        }
        is_new
    }

    /// Stores a vouch for a device with this actor prefix.
    pub(super) fn vouch(&mut self, account: AccountId, actor_prefix: [u8; 8]) {
        if let Some(disk) = self.accounts.get_mut(&account) {
            disk.log.actor_prefixes.insert(actor_prefix);
        }
    }

    pub(super) fn commit(&mut self, waiting: &WaitingPush, bug: InjectedBug) -> Vec<ChangeOutcome> {
        let taken = |doc: &DocId| {
            self.accounts.iter().any(|(id, account)| *id != waiting.account && account.docs.contains_key(doc))
        };
        let is_refused = |offer: &Offer| self.gives_ids_away && taken(&offer.doc);
        let refused: BTreeSet<DocId> =
            waiting.changes.iter().filter(|offer| is_refused(offer)).map(|offer| offer.doc).collect();
        let Some(account) = self.accounts.get_mut(&waiting.account) else {
            return vec![ChangeOutcome::Refused(NackCode::Unavailable); waiting.changes.len()];
        };
        let judge = |offer: &Offer| match refused.contains(&offer.doc) {
            true => ChangeOutcome::Refused(NackCode::NotYourDocument),
            false => account.offer_change(offer, &waiting.claims, waiting.received_at, bug),
        };
        let outcomes = waiting.changes.iter().map(judge).collect();
        let shown = waiting.changes.iter().filter(|offer| is_shown_to_others(offer.kind)).map(|offer| offer.doc);
        for doc in shown.collect::<BTreeSet<_>>() {
            self.fold(&waiting.account, doc);
        }
        outcomes
    }

    /// Derives the row of a document again.
    pub(super) fn fold(&mut self, account: &AccountId, doc: DocId) {
        let key = (*account, doc);
        let Some(account) = self.accounts.get(account) else { return };
        let chunks = account.entries.iter().filter(|stored| stored.doc == doc).map(|stored| stored.chunk.as_slice());
        let kind = account.docs.get(&doc).map(|doc| doc.log.kind);
        let row =
            kind.zip(automerge_doc::load(&[0; 16], chunks).ok()).and_then(|(kind, doc)| projection::fold(kind, &doc));
        match row {
            Some(row) => self.rows.insert(key, row),
            None => self.rows.remove(&key),
        };
    }

    /// Returns what a link to a published copy or to a meet shows, and its owner. A row is found only by an id that is
    /// bound to its account.
    pub(super) fn shown_by_link(&self, id: DocId, bug: InjectedBug) -> Option<(AccountId, &DocumentRow)> {
        let is_right = |account: &AccountId| bug == InjectedBug::TrustsIds || id.is_bound_to(account);
        let is_found = |account: &AccountId, doc: &DocId, row: &DocumentRow| match row {
            DocumentRow::Meet(row) if bug != InjectedBug::KeepsOldLinks || *doc != id => {
                row.link_id(account, doc) == Some(id)
            }
            _ => *doc == id,
        };
        let mut rows =
            self.rows.iter().filter(|((account, doc), row)| is_found(account, doc, row) && is_right(account));
        rows.next().map(|((account, _), row)| (*account, row))
    }

    /// Returns the disk with some entries of each log only; kept entries must not depend on others.
    pub(super) fn keeping(&self, keeps: impl Fn(&AccountLog, usize) -> bool) -> RelayDisk {
        let mut disk = RelayDisk::default();
        for (id, account) in &self.accounts {
            let mut devices = account.devices.iter();
            let founder = *devices.next().expect("an account has a device");
            let mut old = AccountLog::new(*id, founder);
            let mut claims = ActorClaims::new(&founder);
            account.log.actor_prefixes.iter().for_each(|prefix| claims.vouch(*prefix));
            old.devices.extend(devices);
            old.members = account.members.clone();
            // Prefixes of admitted devices and of those that were vouched for.
            old.log.actor_prefixes.extend(&account.log.actor_prefixes);
            for (_, stored) in account.entries.iter().enumerate().filter(|(index, _)| keeps(account, *index)) {
                let offer = Offer { doc: stored.doc, kind: stored.kind, chunk: Chunk(stored.chunk.clone()) };
                let outcome = old.offer_change(&offer, &claims, stored.received_at, InjectedBug::Nothing);
                assert!(matches!(outcome, ChangeOutcome::Stored { .. }), "what was stored once is stored again");
            }
            old.log.revoked_prefixes.clone_from(&account.log.revoked_prefixes);
            // A new epoch begins: every device may continue every actor.
            old.docs.values_mut().for_each(|doc| doc.own_at.clear());
            disk.accounts.insert(*id, old);
        }
        for (account, doc) in
            self.accounts.iter().flat_map(|(id, account)| account.docs.keys().map(move |doc| (id, doc)))
        {
            if self.rows.contains_key(&(*account, *doc)) {
                disk.fold(account, *doc);
            }
        }
        disk
    }
}

impl AccountLog {
    fn new(account: AccountId, device: DeviceKey) -> AccountLog {
        AccountLog {
            devices: BTreeSet::from([device]),
            members: {
                let mut members = MembershipSet::new(account);
                members.assume(device, None);
                members
            },
            log: AccountState::new(account, &device),
            docs: BTreeMap::new(),
            entries: Vec::new(),
        }
    }

    pub(super) fn head(&self) -> u64 {
        self.log.head
    }

    fn snapshot_over(&self, doc: &DocId, seq: u64) -> Option<&StoredSnapshot> {
        self.docs.get(doc)?.snapshot.as_ref().filter(|snapshot| snapshot.covers(seq))
    }

    /// Makes every due snapshot. This number of quarters of the covered changes has left the log, the newest first,
    /// because a relay may stop at any moment.
    pub(super) fn compact(&mut self, gone_quarters: u64) {
        for (id, doc) in &mut self.docs {
            let covered = doc.snapshot.as_ref().map_or(0, |snapshot| u64::from(snapshot.changes));
            let all = doc.positions.len() as u64;
            if !snapshot::is_due(all - covered, covered) {
                continue;
            }
            let chunks: Vec<&[u8]> =
                self.entries.iter().filter(|stored| stored.doc == *id).map(|stored| stored.chunk.as_slice()).collect();
            let names = doc.positions.keys().copied().collect();
            let chunk = snapshot::build(chunks, &doc.log.heads, &names).expect("honest changes make a snapshot");
            let mut seqs: Vec<u64> = doc.positions.values().copied().collect();
            seqs.sort_unstable();
            let kept = (all * (4 - gone_quarters) / 4).min(all - 1) as usize;
            let rest = if kept == 0 { 0 } else { seqs[kept - 1] };
            let seq = seqs[seqs.len() - 1];
            doc.snapshot = Some(StoredSnapshot { rest, seq, heads: doc.log.heads.clone(), changes: all as u32, chunk });
        }
    }

    pub(super) fn forget_digest(&mut self) {
        self.log.digest = Digest::default();
    }

    /// Returns the actor that its own device used last, and the document, if its numbers are reserved for that device.
    pub(super) fn in_use(&self, at: Timestamp) -> Option<(DocId, Actor)> {
        let uses =
            self.docs.iter().flat_map(|(id, doc)| doc.own_at.iter().map(move |(actor, own_at)| (own_at, id, actor)));
        let (own_at, id, actor) = uses.max()?;
        is_in_use(*own_at, at).then(|| (*id, actor.clone()))
    }

    fn offer_change(
        &mut self,
        offer: &Offer,
        claims: &ActorClaims,
        received_at: Timestamp,
        bug: InjectedBug,
    ) -> ChangeOutcome {
        match self.judge(offer, claims, received_at, bug) {
            Ok((seq, hash)) => ChangeOutcome::Stored { seq, hash },
            Err(code) => ChangeOutcome::Refused(code),
        }
    }

    fn judge(
        &mut self,
        offer: &Offer,
        claims: &ActorClaims,
        received_at: Timestamp,
        bug: InjectedBug,
    ) -> Result<(u64, ChangeHash), NackCode> {
        let change = scan_candidate(&offer.chunk.0)?;
        let doc = self.docs.get(&offer.doc);
        let last_seq = doc.and_then(|doc| doc.last_seqs.get(&change.actor)).copied().unwrap_or(0);
        let own_at = doc.and_then(|doc| doc.own_at.get(&change.actor)).copied();
        let is_in_use =
            bug != InjectedBug::LetsNumbersBeTaken && own_at.is_some_and(|own_at| is_in_use(own_at, received_at));
        let candidate = Candidate { claims, is_in_use, kind: offer.kind, change: &change, last_seq };
        let is_stored = |hash: &ChangeHash| doc.is_some_and(|doc| doc.positions.contains_key(hash));
        match self.log.admit(doc.map(|doc| &doc.log), candidate, is_stored)? {
            Admission::AlreadyStored => {
                let seq = doc.and_then(|doc| doc.positions.get(&change.hash)).expect("it was found there");
                Ok((*seq, change.hash))
            }
            Admission::Append => {
                let owner = self.log.account;
                let doc = self.docs.entry(offer.doc).or_insert_with(|| StoredDocument {
                    log: DocumentState::new(owner, offer.kind),
                    last_seqs: BTreeMap::new(),
                    own_at: BTreeMap::new(),
                    positions: BTreeMap::new(),
                    snapshot: None,
                });
                let seq = self.log.append(offer.doc, &mut doc.log, &change, offer.chunk.0.len());
                doc.last_seqs.insert(change.actor.clone(), change.seq);
                if claims.is_own(&change.actor) {
                    doc.own_at.insert(change.actor.clone(), received_at);
                }
                doc.positions.insert(change.hash, seq);
                self.entries.push(LogEntry {
                    doc: offer.doc,
                    kind: offer.kind,
                    hash: change.hash,
                    deps: change.deps,
                    chunk: offer.chunk.0.clone(),
                    received_at,
                });
                Ok((seq, change.hash))
            }
        }
    }

    pub(super) fn page(&self, after: u64) -> LogPage {
        let mut entries = Vec::new();
        let mut bytes = 0;
        for (seq, stored) in (1..).zip(&self.entries).skip(after as usize) {
            let snapshot = self.snapshot_over(&stored.doc, seq);
            if snapshot.is_some_and(|snapshot| snapshot.seq != seq) {
                continue;
            }
            let is_stub = stored.kind.is_on_demand();
            let size = snapshot.map_or(stored.chunk.len(), |snapshot| snapshot.chunk.len());
            bytes += if is_stub { 100 } else { size };
            if entries.len() == MAX_BATCH || (bytes > BATCH_BYTES && !entries.is_empty()) {
                break;
            }
            let stub = || {
                let (hash, deps, bytes) = (stored.hash, stored.deps.clone(), stored.chunk.len() as u32);
                EntryBody::Stub { hash, deps, bytes }
            };
            let body = match snapshot.cloned() {
                Some(StoredSnapshot { heads, changes, chunk, .. }) => {
                    EntryBody::of_snapshot(stored.kind, heads, changes, chunk)
                }
                None if is_stub => stub(),
                None => EntryBody::Change(Chunk(stored.chunk.clone())),
            };
            let entry = Entry { doc: stored.doc, kind: stored.kind, received_at: stored.received_at, body };
            entries.push((seq, entry));
        }
        LogPage { entries, head: self.log.head, digest: self.log.digest }
    }

    pub(super) fn doc_page(&self, doc: DocId, after: u64) -> DocPage {
        let mut changes = Vec::new();
        let mut bytes = 0;
        for (seq, stored) in (1..).zip(&self.entries).skip(after as usize).filter(|(_, stored)| stored.doc == doc) {
            let snapshot = self.snapshot_over(&doc, seq);
            if snapshot.is_some_and(|snapshot| snapshot.seq != seq) {
                continue;
            }
            let chunk = snapshot.map_or(&stored.chunk, |snapshot| &snapshot.chunk);
            bytes += chunk.len();
            if changes.len() == MAX_BATCH || (bytes > BATCH_BYTES && !changes.is_empty()) {
                return DocPage { doc, changes, done: false };
            }
            changes.push((seq, Chunk(chunk.clone())));
        }
        DocPage { doc, changes, done: true }
    }

    /// Returns a page of few documents, so that comparisons have several pages.
    pub(super) fn heads_page(&self, from: DocId, to: DocId) -> HeadsPage {
        let heads =
            |(id, doc): (&DocId, &StoredDocument)| (DocHeads { doc: *id, heads: doc.log.heads.clone() }, doc.log.kind);
        let docs: Vec<_> = self.docs.range(from..=to).map(heads).take(4).collect();
        let through = docs.last().filter(|_| docs.len() == 4).map_or(to, |(last, _)| last.doc);
        HeadsPage { docs, through, head: self.head() }
    }

    /// Returns a page of few hashes.
    pub(super) fn names_page(&self, docs: &[DocId], after: Option<ChangeHash>, upto: u64) -> NamesPage {
        const NAMES: usize = 5;
        let mut page = NamesPage { names: Vec::new(), goes_on: false };
        let mut room = NAMES;
        for (place, id) in docs.iter().enumerate() {
            let is_due = |hash: &ChangeHash| place > 0 || after.is_none_or(|after| *hash > after);
            let positions = self.docs.get(id).map(|doc| &doc.positions);
            let due = positions.into_iter().flatten().filter(|(hash, seq)| **seq <= upto && is_due(hash));
            let names: Vec<ChangeHash> = due.map(|(hash, _)| *hash).take(room + 1).collect();
            page.goes_on = names.len() > room;
            page.names.push(names.into_iter().take(room).collect());
            room -= page.names[place].len();
            if page.goes_on || room == 0 {
                break;
            }
        }
        page
    }
}
