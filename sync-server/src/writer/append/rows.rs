//! The rows that are derived from the changes of a transaction, or were derived in the background.

use std::collections::BTreeSet;

use tourismo_core::kind::RelayRows;

use super::{Append, AppendResult};
use crate::db::due::{self, DueDocument};
use crate::writer::due::{Estimate, FoldBudget};
use crate::writer::memory::Key;
use crate::writer::projector::{self, DueFold, Loaded, Scope, Step};

impl Append<'_> {
    /// Writes rows that were derived in the background, unless the document has newer changes.
    pub(in crate::writer) async fn write_rows(&mut self, steps: &[Step]) -> Result<(), sqlx::Error> {
        let decisions = self.decisions().await?;
        for step in steps {
            let applied = projector::apply(self.connection, step, &decisions, &mut self.events).await?;
            let Some(allowed) = applied else { continue };
            self.feed_changed |= step.is_public();
            if let Some(is_quarantined) = step.ends_in_quarantine() {
                self.quarantined += u64::from(is_quarantined);
                let key = (step.account(), step.doc());
                // By the cached state it is due.
                self.memory.take_doc(key);
                if let Some(known) = self.docs.get_mut(&key).and_then(Option::as_mut) {
                    (known.is_due, known.is_quarantined) = (false, is_quarantined);
                }
            }
            for doc in allowed {
                self.derive_beside((step.account(), doc)).await?;
            }
        }
        Ok(())
    }

    /// Makes a document due, if it exists; returns whether it does.
    pub(super) async fn derive_beside(&mut self, key: Key) -> Result<bool, sqlx::Error> {
        let is_there = due::note_newest(self.connection, key.0, key.1).await?;
        self.memory.take_doc(key);
        if let Some(known) = self.docs.get_mut(&key).and_then(Option::as_mut) {
            known.is_due = is_there;
        }
        Ok(is_there)
    }

    pub(super) async fn project(&mut self, appended: &mut AppendResult) -> Result<(), sqlx::Error> {
        let decisions = self.decisions().await?;
        // In the order of the log: of two profile documents of one account, the one written last is shown.
        let mut touched: Vec<_> = self.touched.iter().collect();
        touched.sort_by_key(|(_, touched)| touched.last);
        let (mut budget, mut due, mut later) = (FoldBudget::default(), Vec::new(), BTreeSet::new());
        for (key, touched) in touched {
            let Some(known) = self.docs.get(key).and_then(Option::as_ref) else { continue };
            let policy = known.log.kind.policy();
            if policy.relay_rows == RelayRows::None {
                continue;
            }
            appended.feed_changed |= policy.is_in_public_feed;
            if known.is_quarantined {
                continue;
            }
            let new = || touched.is_new.then(|| Loaded::of_a_new_document(self.received_at));
            let mut before = self.memory.take_loaded(*key).or_else(new);
            let (kind, ops, is_known) = (known.log.kind, touched.ops, before.is_some());
            let chunks = if is_known { touched.entries.len() as u64 } else { known.chunks };
            // The rows of a due document are derived in the background only, so that no older state replaces a newer
            // one.
            // A new document that is too large for rows needs no fold that finds it out.
            let is_too_large = touched.is_new && ops > policy.fold_bounds.ops;
            if known.is_due || !(is_too_large || budget.take(key.0, Estimate { kind, ops, chunks, is_known })) {
                later.insert(*key);
                continue;
            }
            if let Some(loaded) = &mut before {
                loaded.add_change(self.received_at);
            }
            due.push(DueFold {
                id: key.1,
                owner: key.0,
                kind: known.log.kind,
                revision: touched.last,
                first: touched.entries.first().map(|place| self.entries[*place].seq),
                before: before.map(|loaded| {
                    (loaded, touched.entries.iter().map(|place| self.entries[*place].chunk.to_vec()).collect())
                }),
            });
        }
        let projected =
            projector::project(self.connection, due, Scope::Small, &decisions, &mut appended.events).await?;
        for projected in projected {
            let key = (projected.owner, projected.id);
            if let Some(known) = self.docs.get_mut(&key).and_then(Option::as_mut) {
                known.is_quarantined = projected.is_quarantined;
            }
            appended.quarantined += u64::from(projected.is_quarantined);
            if projected.is_due {
                later.insert(key);
            } else {
                appended.work.push((projected.owner, projected.work));
            }
            if let Some(loaded) = projected.loaded {
                self.memory.keep_loaded(key, loaded);
            }
            if let Some(doc) = projected.allowed {
                appended.has_due |= self.derive_beside((key.0, doc)).await?;
            }
        }
        for (key, touched) in &self.touched {
            let Some(known) = self.docs.get(key).and_then(Option::as_ref) else { continue };
            if !known.is_quarantined && !later.contains(key) {
                continue;
            }
            let chunks: Vec<&[u8]> = touched.entries.iter().map(|place| self.entries[*place].chunk).collect();
            let events = &mut appended.events;
            if projector::narrow(self.connection, &known.log, key.1, &chunks, &decisions, events).await? {
                later.insert(*key);
            }
        }
        let mut noted = Vec::with_capacity(later.len());
        for key in later {
            noted.push(DueDocument { account: key.0, doc: key.1, seq: self.touched[&key].last });
            if let Some(known) = self.docs.get_mut(&key).and_then(Option::as_mut) {
                known.is_due = true;
            }
        }
        appended.has_due |= !noted.is_empty();
        due::note(self.connection, &noted).await
    }
}
