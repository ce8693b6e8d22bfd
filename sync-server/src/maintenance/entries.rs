//! Reads all entries of an account's log in order, whether they are stored as changes or in snapshots.

use std::collections::BTreeMap;

use crate::db::sql::Connection;
use tourismo_core::admission::scan_candidate;
use tourismo_core::docs::automerge_doc;
use tourismo_core::id::{AccountId, ChangeHash, DocId};

use crate::db::change_log::{self, StoredEntry};
use crate::db::snapshots::{self, CoveredChanges};

/// The number of entries in memory.
const PAGE: u32 = 256;

/// The number of snapshots that are loaded at a time.
const OPENED: usize = 32;

/// A reader of a log.
pub(super) struct Entries {
    account: AccountId,
    covered: BTreeMap<u64, CoveredChanges>,
    /// The changes of snapshots by hash; none of an unreadable one.
    opened: BTreeMap<DocId, BTreeMap<ChangeHash, Vec<u8>>>,
    last: u64,
}

impl Entries {
    pub(super) async fn of(reader: &mut Connection, account: AccountId) -> Result<Entries, sqlx::Error> {
        let covered = snapshots::covered(reader, account).await?;
        Ok(Entries { account, covered, opened: BTreeMap::new(), last: 0 })
    }

    /// Returns the next entries; none at the end. A change that is missing in its snapshot has no bytes.
    pub(super) async fn next(&mut self, reader: &mut Connection) -> Result<Vec<StoredEntry>, sqlx::Error> {
        let mut page = change_log::stored(reader, self.account, self.last, PAGE).await?;
        // The covered changes between the entries of the page, or after the last entry.
        let until = if page.len() < PAGE as usize { u64::MAX } else { page.last().map_or(u64::MAX, |entry| entry.seq) };
        let covered: Vec<(u64, CoveredChanges)> =
            self.covered.extract_if(.., |seq, _| *seq <= until).take(PAGE as usize).collect();
        let until = if covered.len() < PAGE as usize { until } else { covered.last().map_or(until, |(seq, _)| *seq) };
        page.retain(|entry| entry.seq <= until);
        for (seq, covered) in covered {
            page.push(self.uncovered(reader, seq, covered).await?);
        }
        page.sort_by_key(|entry| entry.seq);
        self.last = page.last().map_or(self.last, |entry| entry.seq);
        Ok(page)
    }

    async fn uncovered(
        &mut self,
        reader: &mut Connection,
        seq: u64,
        CoveredChanges { doc, hash, max_op, bytes }: CoveredChanges,
    ) -> Result<StoredEntry, sqlx::Error> {
        if !self.opened.contains_key(&doc) {
            if self.opened.len() == OPENED {
                self.opened.clear();
            }
            let snapshot = snapshots::find(reader, self.account, doc).await?.map(|snapshot| snapshot.chunk);
            self.opened.insert(doc, taken_apart(snapshot.unwrap_or_default()).await);
        }
        let chunk = self.opened[&doc].get(&hash).cloned().unwrap_or_default();
        let deps = scan_candidate(&chunk).map(|change| change.deps).unwrap_or_default();
        Ok(StoredEntry { seq, doc, hash, deps, max_op, bytes, chunk })
    }
}

/// Returns the changes in a snapshot, by hash.
async fn taken_apart(snapshot: Vec<u8>) -> BTreeMap<ChangeHash, Vec<u8>> {
    // A separate task contains a panic.
    let changes = tokio::task::spawn_blocking(move || {
        automerge_doc::load(&[0; 16], [snapshot.as_slice()]).map(|doc| automerge_doc::chunks(&doc).collect())
    });
    changes.await.ok().and_then(Result::ok).unwrap_or_default()
}
