//! The rows projected from the documents, and which of them must be folded again.

use automerge::Automerge;
use minicbor::{Decode, Encode};

use crate::docs::open::Unreadable;
use crate::id::{ChangeHash, DocId};
use crate::projection::{self, Row};
use crate::replica::io::{Space, StoredEntry};
use crate::replica::shelf::{Shelf, cbor};
use crate::replica::store::{Store, Ticket};
use crate::wire::DocKind;

/// How many tracks are folded in one go.
const TRACKS_AT_ONCE: usize = 4;

#[derive(Encode, Decode)]
pub(super) struct StoredRow {
    #[n(0)]
    pub(super) heads: Vec<ChangeHash>,
    #[n(1)]
    pub(super) row: Row,
    /// Of the fold that made it: the rows of an earlier one are shown until they are folded again.
    #[n(2)]
    #[cbor(default)]
    pub(super) version: u8,
}

impl StoredRow {
    /// Whether it shows everything of a document with these heads.
    pub(super) fn is_fresh(&self, heads: &[ChangeHash]) -> bool {
        self.version == projection::VERSION && self.heads == heads
    }
}

impl Shelf {
    /// All rows, ascending by document.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (&DocId, &Row)> {
        self.rows.iter()
    }

    /// The row of a document.
    pub(crate) fn row(&self, doc: &DocId) -> Option<&Row> {
        self.rows.get(doc)
    }

    /// Whether the row of a document does not show all changes that are here.
    pub(crate) fn is_stale(&self, doc: &DocId) -> bool {
        self.stale.contains(doc) && !self.unreadable.contains(doc)
    }

    /// Some documents whose rows must be folded again and which are not in memory; tracks last, and few at once: they are
    /// large.
    pub(crate) fn some_stale(&self, count: usize) -> Vec<DocId> {
        let is_track = |doc: &DocId| self.records.get(doc).is_some_and(|record| record.kind == DocKind::Track);
        let stale = || self.stale.iter().copied().filter(|doc| !self.unreadable.contains(doc));
        let others: Vec<DocId> = stale().filter(|doc| !is_track(doc)).take(count).collect();
        if others.is_empty() { stale().filter(is_track).take(TRACKS_AT_ONCE).collect() } else { others }
    }

    /// Folds a document in memory again, to which a change was added; a track only when all that comes at once is there.
    pub(super) fn refold_soon(&mut self, doc: DocId, kind: DocKind) {
        if kind == DocKind::Track && self.loaded.get(&doc).is_some() {
            self.unfolded_tracks.insert(doc);
        } else {
            self.refold(doc);
            self.unwritten_rows.insert(doc);
        }
    }

    /// Folds the tracks to which something was added, but for the one that is recorded: a block comes every minute, and what
    /// they make is shown when the drive is finished. Nor is that one read for the sake of its row: whoever is killed while
    /// recording starts again and again, and its fold must not count as what killed the app. Says whether there were any.
    pub(crate) fn fold_tracks(&mut self, recorded: Option<DocId>) -> bool {
        let stale = recorded.filter(|doc| self.stale.remove(doc));
        let (recorded, finished) = self.unfolded_tracks.take().into_iter().partition(|doc| Some(*doc) == recorded);
        let (recorded, finished): (Vec<DocId>, Vec<DocId>) = (recorded, finished);
        self.unfolded_tracks.extend(recorded.into_iter().chain(stale));
        for doc in &finished {
            // What is not in memory any more is read again.
            if self.loaded.get(doc).is_none() {
                self.stale.insert(*doc);
            }
            self.refold(*doc);
            self.unwritten_rows.insert(*doc);
        }
        !finished.is_empty()
    }

    /// Folds rows of documents that are not in memory, from what storage gave; see [`Shelf::load`].
    pub(crate) fn fold_stale(&mut self, store: &Store, docs: &[DocId], entries: &[StoredEntry], since: Ticket) {
        for doc in docs {
            match self.assemble(doc, entries, store) {
                Ok(document) => self.fold(*doc, &document),
                Err(Unreadable) if self.was_written_since(doc, since) => {}
                Err(Unreadable) => self.damaged(*doc, entries, store),
            }
            self.unwritten_rows.insert(*doc);
        }
    }

    /// Whether a document is a track whose row needs no fold now. Folding a long one takes four times as long as loading
    /// it; documents of other kinds are folded whenever they are loaded, whatever their rows say.
    pub(super) fn has_fresh_track_row(&self, doc: &DocId) -> bool {
        matches!(self.rows.get(doc), Some(Row::Track(..))) && !self.stale.contains(doc)
    }

    pub(super) fn refold(&mut self, doc: DocId) {
        if let Some(document) = self.loaded.remove(&doc) {
            self.fold(doc, &document);
            self.loaded.insert(doc, document);
        }
    }

    fn fold(&mut self, doc: DocId, document: &Automerge) {
        self.stale.remove(&doc);
        let kind = self.records.get(&doc).map(|record| record.kind).filter(|kind| projection::is_kept_on_phone(*kind));
        match kind.and_then(|kind| projection::fold(kind, document)) {
            Some(row) => {
                if is_contested(&row) {
                    self.merged.insert(doc);
                }
                self.rows.insert(doc, row)
            }
            None => drop(self.rows.remove(&doc)),
        }
    }

    pub(super) fn put_row(&mut self, store: &mut Store, doc: DocId) {
        let (Some(row), Some(record)) = (self.rows.get(&doc), self.records.get(&doc)) else { return };
        if self.stale.contains(&doc) || self.unfolded_tracks.contains(&doc) {
            return;
        }
        let stored = StoredRow { heads: record.heads.clone(), row: row.clone(), version: projection::VERSION };
        store.put(Space::Row, doc.as_bytes().to_vec(), cbor(&stored));
        self.tickets.insert(doc, store.ticket());
    }
}

/// Whether devices say different figures of a drive.
pub(super) fn is_contested(row: &Row) -> bool {
    matches!(row, Row::Drive(fields) if fields.is_contested)
}
