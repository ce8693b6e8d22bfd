//! Erasures: the order of a member in place of everything else of a document. `[X2]` `[X3]`

use tourismo_core::admission::{Admission, DocumentState, Usage};
use tourismo_core::erasure::{ERASURE_BYTES, erasure_hash};
use tourismo_core::id::AccountId;
use tourismo_core::session::relay::ChangeOutcome;
use tourismo_core::wire::Offer;

use super::Append;
use crate::db::change_log::{self, FoundChange, NewEntry};
use crate::db::documents::DocState;
use crate::db::erasures::{self, ErasureDue};
use crate::db::membership;
use crate::writer::Pusher;
use crate::writer::memory::{Key, KnownDocument};
use crate::writer::projector;

/// A document that this transaction erases.
#[derive(Debug)]
pub(super) struct Erased {
    /// The position of its erasure.
    pub(super) seq: u64,
    /// The entries of this transaction that it erases.
    entries: u64,
}

impl<'t> Append<'t> {
    /// Erases a document, unless it is erased already.
    pub(super) async fn erase(&mut self, pusher: &Pusher, offer: &'t Offer) -> Result<ChangeOutcome, sqlx::Error> {
        let (account, id, kind) = (pusher.account, offer.doc, offer.kind);
        let (key, hash) = ((account, id), erasure_hash(&account, &id));
        let members = membership::read(self.connection, account).await?.evaluate(self.received_at);
        let known = self.docs.get(&key).and_then(Option::as_ref);
        let log = self.accounts.get_mut(&account).expect("the account has been looked up");
        match log.admit_erasure(id, known.map(|known| &known.log), &pusher.claims, &offer.chunk.0, &members) {
            Err(code) => return Ok(ChangeOutcome::Refused(code)),
            Ok(Admission::AlreadyStored) => {
                let seq = match self.erased.get(&key) {
                    Some(erased) => erased.seq,
                    None => change_log::find_all(self.connection, account, id, &[&hash]).await?[0].1.seq,
                };
                return Ok(ChangeOutcome::Stored { seq, hash });
            }
            Ok(Admission::Append) => {}
        }
        // A document that nobody pushed yet counts like a new one.
        if known.is_none() {
            let age_ms = self.received_at.millis_since(self.founded_at[&account]);
            if let Err(code) = log.check_quota(&self.limits.quota(age_ms), kind, true, ERASURE_BYTES) {
                return Ok(ChangeOutcome::Refused(code));
            }
        }
        let mut removed = match known {
            Some(_) => erasures::usage(self.connection, account, id).await?,
            None => Usage::default(),
        };
        let touched = self.touched.remove(&key).unwrap_or_default();
        for place in &touched.entries {
            removed.changes += 1;
            removed.bytes += self.entries[*place].chunk.len() as u64;
        }
        let log = self.accounts.get_mut(&account).expect("the account has been looked up");
        let mut state = match self.docs.get_mut(&key).and_then(Option::take) {
            Some(known) => known.log,
            None => DocumentState::new(account, kind),
        };
        let seq = log.erase(id, &mut state, removed);
        let state = DocState { log: state, is_quarantined: false, is_due: false, chunks: 1 };
        let mut known = KnownDocument::new(state);
        known.stored.insert(hash, FoundChange { seq, max_op: 0 });
        self.docs.insert(key, Some(known));
        self.memory.take_loaded(key);
        self.erased.insert(key, Erased { seq, entries: touched.entries.len() as u64 });
        let chunk = &offer.chunk.0;
        self.entries.push(NewEntry { account, seq, doc: id, hash, deps: &[], max_op: 0, chunk });
        Ok(ChangeOutcome::Stored { seq, hash })
    }

    /// Returns the entries to insert: of an erased document only its erasure.
    pub(super) fn entries_to_insert(&self) -> Vec<NewEntry<'t>> {
        let stays = |entry: &&NewEntry<'_>| {
            self.erased.get(&(entry.account, entry.doc)).is_none_or(|erased| erased.seq == entry.seq)
        };
        self.entries.iter().filter(stays).copied().collect()
    }

    /// Removes everything of the erased documents from the database, as much as one transaction may. The erasures are inserted
    /// after this.
    pub(super) async fn remove_erased(&mut self) -> Result<(), sqlx::Error> {
        for (key, Erased { seq, entries }) in &self.erased {
            let (account, doc) = *key;
            let state = &self.docs[key].as_ref().expect("an erased document is known").log;
            projector::forget(self.connection, state, doc, &mut self.events).await?;
            erasures::mark(self.connection, doc, state).await?;
            erasures::count_erased(self.connection, account, *entries).await?;
            let due = ErasureDue { account, doc, seq: *seq };
            if erasures::remove_entries(self.connection, due).await? {
                erasures::note_due(self.connection, due).await?;
            }
            self.feed_changed |= state.kind.policy().is_in_public_feed;
        }
        Ok(())
    }

    /// Removes some more entries of an erased document; returns whether any are left.
    pub(in crate::writer) async fn sweep_erased(&mut self, due: ErasureDue) -> Result<bool, sqlx::Error> {
        self.has_swept = true;
        let is_any_left = erasures::remove_entries(self.connection, due).await?;
        if !is_any_left {
            erasures::settle(self.connection, due).await?;
        }
        Ok(is_any_left)
    }

    /// Returns the accounts of the erased documents.
    pub(super) fn erasing_accounts(&self) -> impl Iterator<Item = AccountId> {
        self.erased.keys().map(|(account, _): &Key| *account)
    }
}
