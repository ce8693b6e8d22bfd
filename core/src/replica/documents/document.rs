//! A document on this phone: its record, the place of its content, and its projected row.

use std::collections::BTreeMap;

use automerge::Automerge;

use crate::id::DocId;
use crate::projection::DocumentRow;
use crate::replica::documents::DocumentRecord;
use crate::replica::write_queue::WriteSeq;
use crate::sorted::Set;
use crate::wire::DocKind;

/// A document.
#[derive(Debug)]
struct Document {
    record: DocumentRecord,
    content: Content,
    row: Option<DocumentRow>,
    /// The last write that concerns it, since this start of the app.
    last_write: Option<WriteSeq>,
}

/// The place of a document's content.
#[derive(Debug, Default)]
enum Content {
    /// On disk, if there are any local changes.
    #[default]
    OnDisk,
    /// On disk and in memory.
    Loaded(Box<Automerge>),
    /// On disk and unreadable.
    Unreadable,
    /// In memory, while the stored content is unreadable.
    LoadedOverDamage(Box<Automerge>),
}

impl Content {
    fn document(&self) -> Option<&Automerge> {
        match self {
            Content::Loaded(document) | Content::LoadedOverDamage(document) => Some(document),
            Content::OnDisk | Content::Unreadable => None,
        }
    }

    fn document_mut(&mut self) -> Option<&mut Automerge> {
        match self {
            Content::Loaded(document) | Content::LoadedOverDamage(document) => Some(document),
            Content::OnDisk | Content::Unreadable => None,
        }
    }

    fn is_unreadable(&self) -> bool {
        matches!(self, Content::Unreadable | Content::LoadedOverDamage(_))
    }

    /// Returns the state after the stored content was found unreadable.
    fn damaged(self) -> Content {
        match self {
            Content::OnDisk | Content::Unreadable => Content::Unreadable,
            Content::Loaded(document) | Content::LoadedOverDamage(document) => Content::LoadedOverDamage(document),
        }
    }

    /// Returns the state after a damaged change was stored again.
    fn repaired(self) -> Content {
        match self {
            Content::OnDisk | Content::Unreadable => Content::OnDisk,
            Content::Loaded(document) | Content::LoadedOverDamage(document) => Content::Loaded(document),
        }
    }

    fn loaded(self, document: Automerge) -> Content {
        match self {
            Content::OnDisk | Content::Loaded(_) => Content::Loaded(Box::new(document)),
            Content::Unreadable | Content::LoadedOverDamage(_) => Content::LoadedOverDamage(Box::new(document)),
        }
    }

    /// Returns the state without the document in memory, and the document.
    fn unloaded(self) -> (Content, Option<Automerge>) {
        match self {
            Content::Loaded(document) => (Content::OnDisk, Some(*document)),
            Content::LoadedOverDamage(document) => (Content::Unreadable, Some(*document)),
            Content::OnDisk | Content::Unreadable => (self, None),
        }
    }
}

/// All documents of this phone, by id.
#[derive(Debug, Default)]
pub(super) struct Documents {
    by_id: BTreeMap<DocId, Document>,
    /// The documents in memory.
    loaded: Set<DocId>,
}

impl Documents {
    /// Adds a stored document.
    pub(super) fn insert(&mut self, doc: DocId, record: DocumentRecord) {
        self.by_id.insert(doc, Document { record, content: Content::OnDisk, row: None, last_write: None });
    }

    /// Removes a document.
    pub(super) fn remove(&mut self, doc: &DocId) {
        self.by_id.remove(doc);
        self.loaded.remove(doc);
    }

    /// Returns the records, ascending by document.
    pub(super) fn records(&self) -> impl Iterator<Item = (&DocId, &DocumentRecord)> + Clone {
        self.by_id.iter().map(|(doc, document)| (doc, &document.record))
    }

    /// Returns the records from a document on, ascending.
    pub(super) fn records_from(&self, from: DocId) -> impl Iterator<Item = (&DocId, &DocumentRecord)> {
        self.by_id.range(from..).map(|(doc, document)| (doc, &document.record))
    }

    /// Returns the record of a document.
    pub(super) fn record(&self, doc: &DocId) -> Option<&DocumentRecord> {
        self.by_id.get(doc).map(|document| &document.record)
    }

    /// Returns the record of a document.
    pub(super) fn record_mut(&mut self, doc: &DocId) -> Option<&mut DocumentRecord> {
        self.by_id.get_mut(doc).map(|document| &mut document.record)
    }

    /// Returns the record of a document, which is created if there is none.
    pub(super) fn record_or_new(&mut self, doc: DocId, kind: DocKind) -> &mut DocumentRecord {
        if !self.by_id.contains_key(&doc) {
            self.insert(doc, DocumentRecord::new(kind));
        }
        self.record_mut(&doc).expect("it was made above")
    }

    /// Returns the document, if it is in memory.
    pub(super) fn loaded(&self, doc: &DocId) -> Option<&Automerge> {
        self.by_id.get(doc)?.content.document()
    }

    /// Returns the document, if it is in memory.
    pub(super) fn loaded_mut(&mut self, doc: &DocId) -> Option<&mut Automerge> {
        self.by_id.get_mut(doc)?.content.document_mut()
    }

    /// Returns the ids of the documents in memory, ascending.
    pub(super) fn loaded_ids(&self) -> &Set<DocId> {
        &self.loaded
    }

    /// Keeps a document in memory.
    pub(super) fn load(&mut self, doc: DocId, loaded: Automerge) {
        let Some(document) = self.by_id.get_mut(&doc) else { return };
        document.content = std::mem::take(&mut document.content).loaded(loaded);
        self.loaded.insert(doc);
    }

    /// Removes a document from memory.
    pub(super) fn unload(&mut self, doc: &DocId) -> Option<Automerge> {
        let document = self.by_id.get_mut(doc)?;
        let (content, loaded) = std::mem::take(&mut document.content).unloaded();
        document.content = content;
        self.loaded.remove(doc);
        loaded
    }

    /// Returns whether the stored content of a document is unreadable.
    pub(super) fn is_unreadable(&self, doc: &DocId) -> bool {
        self.by_id.get(doc).is_some_and(|document| document.content.is_unreadable())
    }

    /// Records that the stored content of a document is unreadable.
    pub(super) fn damaged(&mut self, doc: &DocId) {
        if let Some(document) = self.by_id.get_mut(doc) {
            document.content = std::mem::take(&mut document.content).damaged();
        }
    }

    /// Records that a damaged change was stored again, so that the document may be readable.
    pub(super) fn repaired(&mut self, doc: &DocId) {
        if let Some(document) = self.by_id.get_mut(doc) {
            document.content = std::mem::take(&mut document.content).repaired();
        }
    }

    /// Returns the rows, ascending by document.
    pub(super) fn rows(&self) -> impl Iterator<Item = (&DocId, &DocumentRow)> {
        self.by_id.iter().filter_map(|(doc, document)| Some((doc, document.row.as_ref()?)))
    }

    /// Returns the row of a document.
    pub(super) fn row(&self, doc: &DocId) -> Option<&DocumentRow> {
        self.by_id.get(doc)?.row.as_ref()
    }

    /// Replaces the row of a document.
    pub(super) fn set_row(&mut self, doc: &DocId, row: Option<DocumentRow>) {
        if let Some(document) = self.by_id.get_mut(doc) {
            document.row = row;
        }
    }

    /// Returns the last write of a document since this start of the app.
    pub(super) fn last_write(&self, doc: &DocId) -> Option<WriteSeq> {
        self.by_id.get(doc)?.last_write
    }

    /// Records that a part of a document was queued for the disk.
    pub(super) fn written(&mut self, doc: &DocId, seq: WriteSeq) {
        if let Some(document) = self.by_id.get_mut(doc) {
            document.last_write = Some(seq);
        }
    }

    /// Lists no document as in memory.
    #[cfg(feature = "faults")]
    pub(super) fn unlist_loaded(&mut self) {
        self.loaded = Set::new();
    }

    /// Returns the first document whose entry in the list of loaded documents is wrong.
    pub(super) fn wrongly_listed(&self) -> Option<DocId> {
        let is_wrong =
            |(doc, document): &(&DocId, &Document)| document.content.document().is_some() != self.loaded.contains(doc);
        self.by_id.iter().find(is_wrong).map(|(doc, _)| *doc)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOC: DocId = DocId::from_bytes([1; 16]);

    fn state(documents: &Documents) -> (bool, bool) {
        (documents.loaded(&DOC).is_some(), documents.is_unreadable(&DOC))
    }

    #[test]
    fn a_document_is_loaded_damaged_repaired_and_let_go() {
        let mut documents = Documents::default();
        documents.record_or_new(DOC, DocKind::Car);
        assert_eq!(state(&documents), (false, false));
        documents.damaged(&DOC);
        assert_eq!(state(&documents), (false, true));
        documents.load(DOC, Automerge::new());
        assert_eq!(state(&documents), (true, true), "in memory it is whole, whatever the disk has");
        assert!(documents.unload(&DOC).is_some());
        assert_eq!(state(&documents), (false, true));
        documents.repaired(&DOC);
        documents.load(DOC, Automerge::new());
        assert_eq!((state(&documents), documents.wrongly_listed()), ((true, false), None));
        documents.damaged(&DOC);
        documents.repaired(&DOC);
        assert_eq!(state(&documents), (true, false));
    }

    #[test]
    fn nothing_is_kept_of_a_document_that_is_not_there() {
        let mut documents = Documents::default();
        documents.load(DOC, Automerge::new());
        documents.damaged(&DOC);
        documents.written(&DOC, WriteSeq::default());
        assert_eq!(
            (state(&documents), documents.last_write(&DOC), documents.wrongly_listed()),
            ((false, false), None, None)
        );
    }
}
