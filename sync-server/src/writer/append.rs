//! What one transaction adds to the logs: devices, changes, and the rows that are derived from them.
//!
//! The rules are core's ([`tourismo_core::log`]); this reads what they need to know, once for each transaction, and
//! writes what they decide. It commits nothing.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::SqliteConnection;
use tourismo_core::change::{Actor, ScannedChange};
use tourismo_core::id::{AccountId, ChangeHash, DeviceKey, DocId};
use tourismo_core::log::{AccountLog, Admission, Candidate, DocLog};
use tourismo_core::session::relay::Outcome;
use tourismo_core::time::Timestamp;
use tourismo_core::wire::{DocKind, Offer};

use super::{Examined, projector};
use crate::db::{accounts, change_log, documents};

/// A transaction in the making.
pub(super) struct Append<'t> {
    connection: &'t mut SqliteConnection,
    received_at: Timestamp,
    accounts: BTreeMap<AccountId, AccountLog>,
    docs: BTreeMap<DocId, Option<DocLog>>,
    last_seqs: BTreeMap<(DocId, Actor), u64>,
    touched: BTreeMap<DocId, Touched>,
}

/// What a transaction did, to be told after its commit.
#[derive(Debug, Default)]
pub(super) struct Appended {
    /// The logs that grew, and how far they reach.
    pub(super) heads: Vec<(AccountId, u64)>,
    /// Whether the public feed may look different.
    pub(super) feed_changed: bool,
}

#[derive(Debug, Default)]
struct Touched {
    actors: BTreeSet<Actor>,
    last: u64,
}

impl<'t> Append<'t> {
    pub(super) fn new(connection: &'t mut SqliteConnection, received_at: Timestamp) -> Append<'t> {
        Append {
            connection,
            received_at,
            accounts: BTreeMap::new(),
            docs: BTreeMap::new(),
            last_seqs: BTreeMap::new(),
            touched: BTreeMap::new(),
        }
    }

    /// Lets a device in; returns whether it is.
    pub(super) async fn admit(
        &mut self,
        account: AccountId,
        device: DeviceKey,
        granted_by: Option<DeviceKey>,
    ) -> Result<bool, sqlx::Error> {
        match granted_by {
            None => accounts::insert(self.connection, account).await?,
            Some(granter) if accounts::has_device(self.connection, account, granter).await? => {}
            Some(_) => return Ok(false),
        }
        accounts::insert_device(self.connection, account, device, granted_by, self.received_at).await?;
        if let Some(log) = self.accounts.get_mut(&account) {
            log.actor_prefixes.insert(device.actor_prefix());
        }
        Ok(true)
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

    /// Writes the books, derives the rows, and says what has changed.
    pub(super) async fn finish(self) -> Result<Appended, sqlx::Error> {
        let mut appended = Appended::default();
        for (id, touched) in &self.touched {
            let doc = self.docs.get(id).and_then(Option::as_ref).expect("a touched document has been looked up");
            documents::upsert(self.connection, *id, doc).await?;
            for actor in &touched.actors {
                let last_seq = self.last_seqs.get(&(*id, actor.clone())).copied().unwrap_or(0);
                documents::upsert_last_seq(self.connection, doc.owner, *id, actor, last_seq).await?;
            }
            match doc.kind {
                DocKind::Published | DocKind::Profile => {
                    projector::project(self.connection, doc, *id, touched.last).await?;
                    appended.feed_changed = true;
                }
                DocKind::Settings | DocKind::Car | DocKind::Drive | DocKind::Track => {}
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
        self.look_up(account, offer.doc, &change.actor).await?;
        let actor = (offer.doc, change.actor.clone());
        let doc = self.docs.get(&offer.doc).and_then(Option::as_ref);
        let candidate =
            Candidate { kind: offer.kind, change, last_seq: self.last_seqs.get(&actor).copied().unwrap_or(0) };
        let mut stored = BTreeMap::<ChangeHash, u64>::new();
        for hash in candidate.to_look_up(doc) {
            if let Some(seq) = change_log::find(self.connection, account, offer.doc, hash).await? {
                stored.insert(hash, seq);
            }
        }
        let log = self.accounts.get_mut(&account).expect("the account has just been looked up");
        match log.judge(doc, candidate, |hash| stored.contains_key(hash)) {
            Err(code) => return Ok(Outcome::Refused(code)),
            Ok(Admission::AlreadyStored) => {
                let seq = stored.get(&change.hash).copied().expect("it was found stored");
                return Ok(Outcome::Stored { seq, hash: change.hash });
            }
            Ok(Admission::Append) => {}
        }
        let is_new = doc.is_none();
        let doc = self.docs.entry(offer.doc).or_default().get_or_insert_with(|| DocLog::new(account, offer.kind));
        let seq = log.append(offer.doc, doc, change);
        if is_new {
            // The entry refers to its document.
            documents::upsert(self.connection, offer.doc, doc).await?;
        }
        let entry = change_log::NewEntry {
            account,
            seq,
            doc: offer.doc,
            hash: change.hash,
            deps: &change.deps,
            received_at: self.received_at,
            chunk: &offer.chunk.0,
        };
        change_log::insert(self.connection, entry).await?;
        let touched = self.touched.entry(offer.doc).or_default();
        touched.actors.insert(change.actor.clone());
        touched.last = seq;
        self.last_seqs.insert(actor, change.seq);
        Ok(Outcome::Stored { seq, hash: change.hash })
    }

    /// Reads what is known of account, document and actor, unless this transaction has it.
    async fn look_up(&mut self, account: AccountId, doc: DocId, actor: &Actor) -> Result<(), sqlx::Error> {
        if !self.accounts.contains_key(&account) {
            self.accounts.insert(account, accounts::log(self.connection, account).await?);
        }
        if !self.docs.contains_key(&doc) {
            self.docs.insert(doc, documents::find(self.connection, doc).await?);
        }
        let key = (doc, actor.clone());
        if !self.last_seqs.contains_key(&key) {
            let last_seq = documents::last_seq(self.connection, account, doc, actor).await?;
            self.last_seqs.insert(key, last_seq);
        }
        Ok(())
    }
}
