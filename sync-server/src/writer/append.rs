//! What one transaction adds to the logs: devices, changes, and the rows that are derived from them.
//!
//! The rules are core's ([`tourismo_core::log`]); this reads what they need to know, once for each transaction, and
//! writes what they decide. It commits nothing.

use std::collections::{BTreeMap, BTreeSet};

use crate::db::sql::Connection;
use tourismo_core::change::{Actor, ScannedChange};
use tourismo_core::id::{AccountId, ChangeHash, DeviceKey, DocId};
use tourismo_core::log::{AccountLog, Admission, Candidate, DocLog, check_fit};
use tourismo_core::session::relay::Outcome;
use tourismo_core::time::Timestamp;
use tourismo_core::wire::{DocKind, Offer};

use super::projector::{self, Work};
use super::{Admitted, Compaction, Examined};
use crate::db::change_log::{self, Found};
use crate::db::{accounts, documents, roads, snapshots};
use crate::limits::Limits;
use crate::live::Event;
use crate::surveyor::Paving;

/// How many changes leave the log for a snapshot in one transaction, so that pushes do not wait for it.
const SWEPT_AT_ONCE: u32 = 250;

/// A transaction in the making.
pub(super) struct Append<'t> {
    connection: &'t mut Connection,
    received_at: Timestamp,
    limits: &'t Limits,
    accounts: BTreeMap<AccountId, AccountLog>,
    docs: BTreeMap<DocId, Option<DocLog>>,
    last_seqs: BTreeMap<(DocId, Actor), u64>,
    stored: BTreeMap<(DocId, ChangeHash), Found>,
    touched: BTreeMap<DocId, Touched>,
}

/// What a transaction did, to be told after its commit.
#[derive(Debug, Default)]
pub(super) struct Appended {
    /// The logs that grew, and how far they reach.
    pub(super) heads: Vec<(AccountId, u64)>,
    /// Whether the public feed may look different.
    pub(super) feed_changed: bool,
    /// What looks different to those who listen.
    pub(super) events: Vec<Event>,
    /// What deriving rows from their documents took.
    pub(super) work: Vec<(AccountId, Work)>,
}

#[derive(Debug, Default)]
struct Touched {
    actors: BTreeSet<Actor>,
    last: u64,
    changes: u64,
}

impl<'t> Append<'t> {
    pub(super) fn new(connection: &'t mut Connection, received_at: Timestamp, limits: &'t Limits) -> Append<'t> {
        Append {
            connection,
            received_at,
            limits,
            accounts: BTreeMap::new(),
            docs: BTreeMap::new(),
            last_seqs: BTreeMap::new(),
            stored: BTreeMap::new(),
            touched: BTreeMap::new(),
        }
    }

    /// Lets a device in; says whether it is.
    pub(super) async fn admit(
        &mut self,
        account: AccountId,
        device: DeviceKey,
        granted_by: Option<DeviceKey>,
    ) -> Result<Admitted, sqlx::Error> {
        match granted_by {
            None => accounts::insert(self.connection, account).await?,
            Some(granter) if accounts::has_device(self.connection, account, granter).await? => {}
            // The account's name tells who founded it: that device need not have come before the one that it let in.
            Some(granter) if AccountId::founded_by(&granter) == account => {
                accounts::insert(self.connection, account).await?;
                accounts::insert_device(self.connection, account, granter, None, self.received_at).await?;
            }
            Some(_) => return Ok(Admitted::Stranger),
        }
        if accounts::devices(self.connection, account).await? >= u64::from(self.limits.max_devices_per_account) {
            return Ok(Admitted::OneTooMany);
        }
        accounts::insert_device(self.connection, account, device, granted_by, self.received_at).await?;
        if let Some(log) = self.accounts.get_mut(&account) {
            log.actor_prefixes.insert(device.actor_prefix());
        }
        Ok(Admitted::Yes)
    }

    /// Appends what can be kept of a push, each change judged by itself and after those before it. `[P4]`
    pub(super) async fn push(&mut self, account: AccountId, changes: &[Examined]) -> Result<Vec<Outcome>, sqlx::Error> {
        let mut outcomes = Vec::with_capacity(changes.len());
        for Examined { offer, scanned } in changes {
            outcomes.push(match scanned {
                Ok(change) => self.change(account, offer, change).await?,
                Err(code) => Outcome::Refused(*code),
            });
        }
        Ok(outcomes)
    }

    /// Does one step of making a snapshot. The books stay as they are: positions, names and heads do not change by it.
    pub(super) async fn pave(&mut self, paving: &Paving) -> Result<(), sqlx::Error> {
        roads::remove(self.connection, &paving.remove).await?;
        roads::replace(self.connection, &paving.replace).await?;
        roads::set_batch(self.connection, paving.batch.as_ref()).await
    }

    pub(super) async fn compact(&mut self, step: &Compaction) -> Result<bool, sqlx::Error> {
        let writer = &mut *self.connection;
        match step {
            Compaction::Write(snapshot) => snapshots::insert(writer, snapshot).await.map(|()| false),
            Compaction::Enforce(subject, seq) => {
                snapshots::enforce(writer, *subject, *seq).await?;
                snapshots::sweep(writer, *subject, *seq, SWEPT_AT_ONCE).await
            }
            Compaction::Sweep(subject, seq) => snapshots::sweep(writer, *subject, *seq, SWEPT_AT_ONCE).await,
            Compaction::GiveUp(subject) => snapshots::give_up(writer, *subject).await.map(|()| false),
        }
    }

    /// Writes the books, derives the rows, and says what has changed.
    pub(super) async fn finish(self) -> Result<Appended, sqlx::Error> {
        let mut appended = Appended::default();
        // In the order of the log: of two profiles of one account, the one that was written last is shown.
        let mut touched: Vec<_> = self.touched.iter().collect();
        touched.sort_by_key(|(_, touched)| touched.last);
        for (id, touched) in touched {
            let doc = self.docs.get(id).and_then(Option::as_ref).expect("a touched document has been looked up");
            documents::upsert(self.connection, *id, doc).await?;
            documents::count_loose(self.connection, doc.owner, *id, touched.changes).await?;
            for actor in &touched.actors {
                let last_seq = self.last_seqs.get(&(*id, actor.clone())).copied().unwrap_or(0);
                documents::upsert_last_seq(self.connection, doc.owner, *id, actor, last_seq).await?;
            }
            if projector::has_rows(doc.kind) {
                let work = projector::project(self.connection, doc, *id, touched.last, &mut appended.events).await?;
                appended.work.push((doc.owner, work));
                appended.feed_changed |= matches!(doc.kind, DocKind::Published | DocKind::Profile);
            }
        }
        let grown: BTreeSet<AccountId> =
            self.touched.keys().filter_map(|id| self.docs.get(id)?.as_ref().map(|doc| doc.owner)).collect();
        for log in grown.iter().filter_map(|account| self.accounts.get(account)) {
            accounts::update(self.connection, log).await?;
            appended.heads.push((log.account, log.head));
        }
        Ok(appended)
    }

    async fn change(
        &mut self,
        account: AccountId,
        offer: &Offer,
        change: &ScannedChange,
    ) -> Result<Outcome, sqlx::Error> {
        let id = offer.doc;
        self.look_up(account, id, change).await?;
        let last_seq = self.last_seq(id, &change.actor);
        let candidate = Candidate { kind: offer.kind, change, last_seq };
        let doc = self.docs.get(&id).and_then(Option::as_ref);
        let stored = &self.stored;
        let log = self.accounts.get_mut(&account).expect("the account has just been looked up");
        match log.judge(doc, candidate, |hash| stored.contains_key(&(id, *hash))) {
            Err(code) => return Ok(Outcome::Refused(code)),
            Ok(Admission::AlreadyStored) => {
                let seq = stored.get(&(id, change.hash)).expect("it was found stored").seq;
                return Ok(Outcome::Stored { seq, hash: change.hash });
            }
            Ok(Admission::Append) => {}
        }
        let last_seqs = &self.last_seqs;
        let has_written = |actor: &Actor| last_seqs.get(&(id, actor.clone())).is_some_and(|last_seq| *last_seq > 0);
        let max_op_of = |hash: &ChangeHash| stored.get(&(id, *hash)).map(|found| found.max_op);
        if let Err(code) = check_fit(change, max_op_of, has_written) {
            return Ok(Outcome::Refused(code));
        }
        let is_new = doc.is_none();
        if let Err(code) = log.check_quota(&self.limits.quota(), is_new, offer.chunk.0.len()) {
            return Ok(Outcome::Refused(code));
        }
        let doc = self.docs.entry(id).or_default().get_or_insert_with(|| DocLog::new(account, offer.kind));
        let seq = log.append(id, doc, change, offer.chunk.0.len());
        if is_new {
            // The entry refers to its document.
            documents::upsert(self.connection, id, doc).await?;
        }
        let entry = change_log::NewEntry {
            account,
            seq,
            doc: id,
            hash: change.hash,
            deps: &change.deps,
            max_op: change.max_op(),
            received_at: self.received_at,
            chunk: &offer.chunk.0,
        };
        change_log::insert(self.connection, entry).await?;
        let touched = self.touched.entry(id).or_default();
        touched.actors.insert(change.actor.clone());
        touched.last = seq;
        touched.changes += 1;
        self.last_seqs.insert((id, change.actor.clone()), change.seq);
        self.stored.insert((id, change.hash), Found { seq, max_op: change.max_op() });
        Ok(Outcome::Stored { seq, hash: change.hash })
    }

    /// Reads what judging the change needs to know, unless this transaction knows it. A document's changes usually build
    /// one on the other, so that only the first of a push costs look-ups.
    async fn look_up(&mut self, account: AccountId, id: DocId, change: &ScannedChange) -> Result<(), sqlx::Error> {
        if !self.accounts.contains_key(&account) {
            self.accounts.insert(account, accounts::log(self.connection, account).await?);
        }
        if !self.docs.contains_key(&id) {
            self.docs.insert(id, documents::find(self.connection, id).await?);
        }
        // Of a document that is new, or another account's, there is nothing to know. What one account asks must not end
        // up as what is known of the other's.
        if self.docs.get(&id).and_then(Option::as_ref).is_none_or(|doc| doc.owner != account) {
            return Ok(());
        }
        for actor in std::iter::once(&change.actor).chain(&change.other_actors) {
            let key = (id, actor.clone());
            if !self.last_seqs.contains_key(&key) {
                let last_seq = documents::last_seq(self.connection, account, id, actor).await?;
                self.last_seqs.insert(key, last_seq);
            }
        }
        // A change that continues its actor's numbers cannot be there yet.
        let itself = (change.seq <= self.last_seq(id, &change.actor)).then_some(&change.hash);
        for hash in change.deps.iter().chain(itself) {
            if !self.stored.contains_key(&(id, *hash))
                && let Some(found) = change_log::find(self.connection, account, id, *hash).await?
            {
                self.stored.insert((id, *hash), found);
            }
        }
        Ok(())
    }

    fn last_seq(&self, id: DocId, actor: &Actor) -> u64 {
        self.last_seqs.get(&(id, actor.clone())).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use tourismo_core::docs::open;
    use tourismo_core::log::examine;
    use tourismo_core::wire::{Chunk, NackCode};

    use super::*;
    use crate::db::{Database, Durability};

    #[tokio::test]
    async fn p4_what_a_stranger_pushes_in_the_same_transaction_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer =
            Database::open(&folder.path().join("x.sqlite").into(), None, Durability::EveryCommit).await.unwrap().writer;
        let (ours, theirs) = (DeviceKey([1; 32]), DeviceKey([2; 32]));
        let accounts = [ours, theirs].map(|device| AccountId::founded_by(&device));
        let mut actor = [0; 16];
        actor[..8].copy_from_slice(&ours.actor_prefix());
        let mut doc = open::new(&actor);
        let mut change = |key: &str| {
            let chunk = open::edit(&mut doc, |edit| edit.boolean(key, true)).unwrap().unwrap().chunk;
            let offer = Offer { doc: DocId::from_bytes([1; 16]), kind: DocKind::Car, chunk: Chunk(chunk) };
            Examined { scanned: examine(&offer.chunk.0), offer }
        };
        let (first, second) = ([change("first")], [change("second")]);

        let mut before = Append::new(&mut writer, Timestamp(0), &Limits::DEFAULT);
        before.admit(accounts[0], ours, None).await.unwrap();
        before.admit(accounts[1], theirs, None).await.unwrap();
        before.push(accounts[0], &first).await.unwrap();
        before.finish().await.unwrap();

        let mut append = Append::new(&mut writer, Timestamp(0), &Limits::DEFAULT);
        let refused = append.push(accounts[1], &second).await.unwrap();
        assert_eq!(refused, [Outcome::Refused(NackCode::NotYourDocument)]);
        let kept = append.push(accounts[0], &second).await.unwrap();
        assert!(matches!(kept[..], [Outcome::Stored { seq: 2, .. }]), "{kept:?}");
        assert_eq!(append.finish().await.unwrap().heads, [(accounts[0], 2)]);
    }
}
