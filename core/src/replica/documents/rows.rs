//! The rows projected from the documents, and the documents to fold again.

use automerge::Automerge;
use minicbor::{Decode, Encode};

use crate::docs::automerge_doc::Unreadable;
use crate::docs::drive::DriveFields;
use crate::id::{AccountId, ChangeHash, DocId};
use crate::privacy::places::Place;
use crate::projection::{self, DocumentRow};
use crate::replica::commands::singleton_id;
use crate::replica::documents::{DocumentEvent, DocumentStore, cbor};
use crate::replica::io::{Space, StoredEntry};
use crate::replica::write_queue::{WriteQueue, WriteSeq};
use crate::wire::DocKind;

/// Maximum number of tracks per fold.
const TRACKS_AT_ONCE: usize = 4;

#[derive(Encode, Decode)]
pub(super) struct StoredRow {
    #[n(0)]
    pub(super) heads: Vec<ChangeHash>,
    #[n(1)]
    pub(super) row: DocumentRow,
    /// The version of the fold. Rows of an earlier version are shown until they are folded again.
    #[n(2)]
    #[cbor(default)]
    pub(super) version: u8,
}

impl StoredRow {
    /// Returns whether the row reflects a document with these heads.
    pub(super) fn is_fresh(&self, heads: &[ChangeHash]) -> bool {
        self.version == projection::VERSION && self.heads == heads
    }
}

impl DocumentStore {
    /// Returns all rows, ascending by document.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (&DocId, &DocumentRow)> {
        self.documents.rows()
    }

    /// Returns the row of a document.
    pub(crate) fn row(&self, doc: &DocId) -> Option<&DocumentRow> {
        self.documents.row(doc)
    }

    /// Returns the private places of the account.
    pub(crate) fn places(&self, account: &AccountId) -> &[Place] {
        match self.row(&singleton_id(account, DocKind::Settings)) {
            Some(DocumentRow::Settings(_, _, places)) => places,
            _ => &[],
        }
    }

    /// Returns the name of a car; empty if it is unknown.
    pub(crate) fn car_name(&self, car: Option<DocId>) -> String {
        match car.and_then(|car| self.row(&car)) {
            Some(DocumentRow::Car(fields, _)) => fields.name(),
            _ => String::new(),
        }
    }

    /// Returns the published copy of a drive; none if phone and relay have both lost it. Another phone may bring it
    /// back.
    pub(crate) fn copy_of(&self, drive: &DriveFields) -> Option<DocId> {
        let is_somewhere =
            |copy: &DocId| self.record(copy).is_some_and(|record| record.is_here() || record.lacks_any());
        drive.published.filter(is_somewhere)
    }

    /// Returns whether the row of a document lacks local changes.
    pub(crate) fn is_stale(&self, doc: &DocId) -> bool {
        self.folds.is_stale(doc) && !self.documents.is_unreadable(doc)
    }

    /// Returns stale documents that are not in memory, tracks last and few at once because they are large.
    pub(crate) fn some_stale(&self, count: usize) -> Vec<DocId> {
        let is_track = |doc: &DocId| self.documents.record(doc).is_some_and(|record| record.kind == DocKind::Track);
        let stale = || self.folds.stale().filter(|doc| !self.documents.is_unreadable(doc));
        let others: Vec<DocId> = stale().filter(|doc| !is_track(doc)).take(count).collect();
        if others.is_empty() { stale().filter(is_track).take(TRACKS_AT_ONCE).collect() } else { others }
    }

    /// Folds a document in memory after a change. Tracks are folded after all changes of one event.
    pub(super) fn refold_soon(&mut self, doc: DocId, kind: DocKind) {
        if kind == DocKind::Track && self.documents.loaded(&doc).is_some() {
            self.folds.push_track(doc);
        } else {
            self.refold(doc);
            self.unwritten_rows.insert(doc);
        }
    }

    /// Folds the changed tracks, except the recorded one: a block is added every minute, and its row is shown when the
    /// drive is finished. The recorded track is not read for its row either: an app that is killed while recording
    /// restarts repeatedly, and the crash guard must not blame that fold. Returns whether any track was folded.
    pub(crate) fn fold_tracks(&mut self, recorded: Option<DocId>) -> bool {
        let finished = self.folds.take_tracks(recorded);
        for doc in &finished {
            // An evicted track is read again.
            if self.documents.loaded(doc).is_none() {
                self.folds.push(*doc);
            }
            self.refold(*doc);
            self.unwritten_rows.insert(*doc);
        }
        !finished.is_empty()
    }

    /// Folds the rows of documents that are not in memory, from stored entries; see [`DocumentStore::load`].
    pub(crate) fn fold_stale(&mut self, writes: &WriteQueue, docs: &[DocId], entries: &[StoredEntry], since: WriteSeq) {
        for doc in docs {
            match self.assemble(doc, entries, writes) {
                Ok(document) => self.fold(*doc, &document),
                Err(Unreadable) if self.was_written_since(doc, since) => {}
                Err(Unreadable) => self.note_damage(*doc, entries, writes),
            }
            self.unwritten_rows.insert(*doc);
        }
    }

    /// Returns whether a document is a track with a fresh row. Folding a long track takes four times as long as loading
    /// it; documents of other kinds are folded at each load.
    pub(super) fn has_fresh_track_row(&self, doc: &DocId) -> bool {
        matches!(self.documents.row(doc), Some(DocumentRow::Track(..))) && !self.folds.is_stale(doc)
    }

    pub(super) fn refold(&mut self, doc: DocId) {
        if let Some(document) = self.documents.unload(&doc) {
            self.fold(doc, &document);
            self.documents.load(doc, document);
        }
    }

    fn fold(&mut self, doc: DocId, document: &Automerge) {
        self.folds.remove(&doc);
        let kind = self.documents.record(&doc).map(|record| record.kind).filter(|kind| kind.policy().has_row_on_phone);
        match kind.and_then(|kind| projection::fold(kind, document)) {
            Some(row) => {
                if is_contested(&row) {
                    self.events.insert(DocumentEvent::Merged(doc));
                }
                if matches!(row, DocumentRow::Track(..)) {
                    self.events.insert(DocumentEvent::TrackFolded(doc));
                }
                self.documents.set_row(&doc, Some(row));
            }
            None => self.documents.set_row(&doc, None),
        }
    }

    /// Puts the row of a document that has no content.
    #[cfg(test)]
    pub(crate) fn put_row_for_test(&mut self, doc: DocId, row: DocumentRow) {
        self.documents.record_or_new(doc, row.kind());
        self.documents.set_row(&doc, Some(row));
    }

    pub(super) fn put_row(&mut self, writes: &mut WriteQueue, doc: DocId) {
        let (Some(row), Some(record)) = (self.documents.row(&doc), self.documents.record(&doc)) else { return };
        if !self.folds.is_fresh(&doc) {
            return;
        }
        let stored = StoredRow { heads: record.heads.clone(), row: row.clone(), version: projection::VERSION };
        writes.put(Space::Row, doc.as_bytes().to_vec(), cbor(&stored));
        self.documents.written(&doc, writes.write_seq());
    }
}

/// Returns whether devices wrote different statistics of a drive.
pub(super) fn is_contested(row: &DocumentRow) -> bool {
    matches!(row, DocumentRow::Drive(fields) if fields.is_contested)
}
