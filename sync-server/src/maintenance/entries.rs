//! All entries of an account's log in order, whether they are stored one by one or in snapshots.

use std::collections::BTreeMap;

use crate::db::sql::Connection;
use tourismo_core::admission::scan_candidate;
use tourismo_core::docs::automerge_doc;
use tourismo_core::id::{AccountId, ChangeHash, DocId};

use crate::db::change_log::{self, StoredEntry};
use crate::db::snapshots::{self, CoveredChanges};

/// How many entries are in memory at a time.
const PAGE: u32 = 256;

/// How many snapshots are taken apart at a time.
const OPENED: usize = 32;

/// A walk along a log.
pub(super) struct Entries {
    account: AccountId,
    covered: BTreeMap<u64, CoveredChanges>,
    /// The changes of snapshots by name; none of one that cannot be read.
    opened: BTreeMap<DocId, BTreeMap<ChangeHash, Vec<u8>>>,
    last: u64,
}

impl Entries {
    pub(super) async fn of(reader: &mut Connection, account: AccountId) -> Result<Entries, sqlx::Error> {
        let covered = snapshots::covered(reader, account).await?;
        Ok(Entries { account, covered, opened: BTreeMap::new(), last: 0 })
    }

    /// The next entries; none at the end. What a snapshot should hold and does not has no bytes.
    pub(super) async fn next(&mut self, reader: &mut Connection) -> Result<Vec<StoredEntry>, sqlx::Error> {
        let mut page = change_log::stored(reader, self.account, self.last, PAGE).await?;
        // Those that stand between the entries of the page, or behind the last of all.
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

/// The changes in a snapshot, by name.
async fn taken_apart(snapshot: Vec<u8>) -> BTreeMap<ChangeHash, Vec<u8>> {
    // A task of its own contains a panic.
    let changes = tokio::task::spawn_blocking(move || {
        automerge_doc::load(&[0; 16], [snapshot.as_slice()]).map(|doc| automerge_doc::chunks(&doc).collect())
    });
    changes.await.ok().and_then(Result::ok).unwrap_or_default()
}
