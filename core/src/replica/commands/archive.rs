//! Commands of an archive of the account: its documents as files of Automerge, and their import.
//!
//! The changes of a document belong to the devices that made them, so another account cannot take them over. An import makes
//! a new document with the same content. Its id is computed from the account and the id in the archive, so that a repeated
//! import, also on another device, makes one document. Settings, profile and relations that are here already stay.

use automerge::Automerge;
use serde_bytes::ByteBuf;

use super::importing::{Target, name_of};
use super::{singleton_id, unreadable};
use crate::change::{DocumentLimits, split_chunks};
use crate::docs::automerge_doc::NewChange;
use crate::docs::{self, automerge_doc, car, drive, logbook, meet, profile, settings, social};
use crate::id::DocId;
use crate::projection::DocumentRow;
use crate::replica::Replica;
use crate::replica::io::{ArchivedDocument, CommandError, CommandOutcome, DocumentRef, ImportMatch, Topic};
use crate::time::Now;
use crate::wire::{DocKind, MAX_CHUNK_BYTES};

/// Maximum size of a document of an archive, bytes: a track of 500,000 fixes has about 3 MB.
pub(super) const MAX_DOCUMENT_BYTES: usize = 16 << 20;

/// Maximum number of documents that are compared at once.
pub(super) const MAX_DOCUMENTS: usize = 100_000;

impl Replica {
    /// Returns the documents of an archive of this account. The published copies of drives, deleted drives and the drive that is being
    /// recorded are not part of it.
    pub(super) fn list_documents(&self) -> CommandOutcome {
        let listed = |(id, kind): (&DocId, DocKind)| {
            let track = match (kind, self.documents.row(id)) {
                (DocKind::Track | DocKind::Published, _) => return None,
                (DocKind::Drive, Some(DocumentRow::Drive(fields))) if fields.deleted || fields.ended_at.is_none() => {
                    return None;
                }
                (DocKind::Drive, Some(DocumentRow::Drive(fields))) => fields.track,
                (_, _) => None,
            };
            Some(DocumentRef { kind, id: *id, track })
        };
        let records = self.documents.records().map(|(id, record)| (id, record.kind));
        CommandOutcome::Documents { documents: records.filter_map(listed).collect() }
    }

    pub(super) fn read_whole(&mut self, doc: &DocId) -> Result<CommandOutcome, CommandError> {
        let document = self.documents.loaded(doc).ok_or(CommandError::NotFound)?;
        Ok(CommandOutcome::Document { bytes: ByteBuf::from(automerge_doc::to_file(document)) })
    }

    pub(super) fn check_documents(&self, documents: &[DocumentRef]) -> CommandOutcome {
        let check = |document: &DocumentRef| match self.archive_target(document.kind, &document.id) {
            Target::Here(doc) => ImportMatch::Here { doc },
            Target::New(_) => ImportMatch::New,
        };
        CommandOutcome::ImportChecked { found: documents.iter().map(check).collect() }
    }

    pub(super) fn import_document(
        &mut self,
        now: Now,
        document: &ArchivedDocument,
    ) -> Result<Option<DocId>, CommandError> {
        let id = match self.archive_target(document.kind, &document.id) {
            Target::Here(doc) if has_several(document.kind) => return Ok(Some(doc)),
            Target::Here(doc) | Target::New(doc) => doc,
        };
        let archived = read_archived(&document.bytes)?;
        match document.kind {
            DocKind::Drive => {
                let track = document.track.as_ref().ok_or(CommandError::Unreadable)?;
                self.import_whole_drive(now, id, &drive::read(&archived), &read_archived(track)?)
            }
            DocKind::Car => self.import_car(id, &archived),
            DocKind::Meet => self.import_meet(now, id, &archived),
            DocKind::Settings => self.import_settings(id, &archived),
            DocKind::Profile => self.import_profile(id, &archived),
            DocKind::Social => self.import_relations(&archived),
            DocKind::Track | DocKind::Published => Err(CommandError::Invalid),
        }
    }

    /// Returns the document that has the content of a document of an archive, or the id of a new one. A deleted drive does
    /// not count.
    fn archive_target(&self, kind: DocKind, id: &DocId) -> Target {
        let account = &self.device.identity.account;
        match kind {
            DocKind::Settings | DocKind::Profile | DocKind::Social => {
                let id = if kind == DocKind::Social { social::people(account) } else { singleton_id(account, kind) };
                let is_here = self.documents.record(&id).is_some();
                if is_here { Target::Here(id) } else { Target::New(id) }
            }
            // The archive may be of this account.
            _ if self.is_listed(id, kind) => Target::Here(*id),
            DocKind::Meet => {
                let id = DocId::of_imported_meet(account, id);
                if self.is_listed(&id, kind) { Target::Here(id) } else { Target::New(id) }
            }
            DocKind::Car => self.import_target(&format!("car {id}")),
            DocKind::Drive | DocKind::Track | DocKind::Published => self.import_target(&format!("drive {id}")),
        }
    }

    /// Returns whether a document of this kind is here and not deleted.
    fn is_listed(&self, id: &DocId, kind: DocKind) -> bool {
        let is_deleted = matches!(self.documents.row(id), Some(DocumentRow::Drive(fields)) if fields.deleted);
        self.require_kind(id, kind).is_ok() && !is_deleted
    }

    fn import_whole_drive(
        &mut self,
        now: Now,
        id: DocId,
        fields: &drive::DriveFields,
        archived_track: &Automerge,
    ) -> Result<Option<DocId>, CommandError> {
        // A drive that was imported from a file may also be imported from that file here.
        let id = match fields.source.map(|source| self.import_target(&name_of(&source))) {
            Some(Target::Here(drive)) => return Ok(Some(drive)),
            Some(Target::New(drive)) => drive,
            None => id,
        };
        let finished = fields.ended_at.zip(fields.stats).ok_or(CommandError::NotFinished)?;
        let track = self.imported_track(now, &id);
        let changes = docs::track::copy(self.documents.create(track, DocKind::Track), archived_track);
        let changes = changes.map_err(unreadable)?;
        // No recorder writes a block that does not fit into a change.
        if changes.iter().any(|change| change.chunk.len() > MAX_CHUNK_BYTES) {
            self.documents.discard_new(&track);
            return Err(CommandError::Unreadable);
        }
        self.add_all(track, changes);
        let car = fields.car.and_then(|car| match self.archive_target(DocKind::Car, &car) {
            Target::Here(car) => Some(car),
            Target::New(_) => None,
        });
        let document = self.documents.create(id, DocKind::Drive);
        let change = drive::create(document, fields.started_at, track, car, fields.utc_offset).map_err(unreadable)?;
        self.documents.add_own(&mut self.writes, id, change);
        let edit = drive::DriveEdit {
            title: Some(&fields.title),
            notes: Some(&fields.notes),
            finished: Some(finished),
            source: fields.source,
            ..drive::DriveEdit::default()
        };
        self.change_drive(id, &edit)?;
        Ok(Some(id))
    }

    fn import_car(&mut self, id: DocId, archived: &Automerge) -> Result<Option<DocId>, CommandError> {
        let (fields, log) = (car::read(archived), logbook::read(archived));
        fields.check().map_err(|_| CommandError::Unreadable)?;
        self.output.topics.insert(Topic::Cars);
        self.edit_or_create(id, DocKind::Car, &|doc| car::put(doc, &fields))?;
        let changes = logbook::put_all(self.documents.create(id, DocKind::Car), &log).map_err(unreadable)?;
        self.add_all(id, changes);
        Ok(Some(id))
    }

    /// Imports an own meet. Changes of other accounts' meets are not imported: their owners allowed another account to make
    /// them.
    fn import_meet(&mut self, now: Now, id: DocId, archived: &Automerge) -> Result<Option<DocId>, CommandError> {
        let row = meet::read(archived);
        if row.amends.is_some() {
            return Ok(None);
        }
        row.fields.check().map_err(|_| CommandError::Unreadable)?;
        self.output.topics.insert(Topic::Meets);
        self.edit_or_create(id, DocKind::Meet, &|doc| meet::put(doc, now.wall, None, None, &row.fields))?;
        let own = self.device.identity.account;
        for (account, may) in row.organisers.into_iter().filter(|(account, _)| *account != own) {
            self.edit_or_create(id, DocKind::Meet, &|doc| meet::grant(doc, &account, may))?;
        }
        Ok(Some(id))
    }

    /// Imports the settings if this account has none, and its places.
    fn import_settings(&mut self, id: DocId, archived: &Automerge) -> Result<Option<DocId>, CommandError> {
        let (fields, is_new) = (settings::read(archived), self.documents.record(&id).is_none());
        self.output.topics.insert(Topic::Account);
        if is_new {
            self.edit_or_create(id, DocKind::Settings, &|doc| settings::put(doc, &fields))?;
        }
        self.edit_or_create(id, DocKind::Settings, &|doc| {
            let mut places = settings::places(archived);
            let here = settings::places(doc);
            places.retain(|place| here.iter().all(|known| known.id != place.id));
            settings::add_places(doc, &places)
        })?;
        Ok(Some(id))
    }

    fn import_profile(&mut self, id: DocId, archived: &Automerge) -> Result<Option<DocId>, CommandError> {
        if self.documents.record(&id).is_none() {
            let fields = profile::read(archived);
            self.output.topics.insert(Topic::Account);
            self.edit_or_create(id, DocKind::Profile, &|doc| profile::put(doc, &fields))?;
        }
        Ok(Some(id))
    }

    /// Imports follows, acceptances and blocks of accounts to which this account has no relation.
    fn import_relations(&mut self, archived: &Automerge) -> Result<Option<DocId>, CommandError> {
        let own = self.device.identity.account;
        let mut row = social::read(archived);
        row.remove_relations_to(&own);
        self.output.topics.insert(Topic::Social);
        let doc = social::people(&own);
        let is_new = self.documents.record(&doc).is_none();
        let made = social::put_relations(self.documents.create(doc, DocKind::Social), &row).map_err(unreadable)?;
        if is_new && made.is_empty() {
            self.documents.discard_new(&doc);
        }
        self.add_all(doc, made);
        Ok(None)
    }

    fn add_all(&mut self, doc: DocId, changes: Vec<NewChange>) {
        for change in changes {
            self.documents.add_own(&mut self.writes, doc, Some(change));
        }
    }
}

/// Returns whether an account has several documents of this kind, each of which is imported as a whole.
fn has_several(kind: DocKind) -> bool {
    match kind {
        DocKind::Settings | DocKind::Profile | DocKind::Social => false,
        DocKind::Car | DocKind::Drive | DocKind::Track | DocKind::Published | DocKind::Meet => true,
    }
}

/// Loads a document of an archive.
fn read_archived(bytes: &[u8]) -> Result<Automerge, CommandError> {
    let chunks = split_chunks(bytes).map_err(|_| CommandError::Unreadable)?;
    let mut ops = 0;
    for chunk in &chunks {
        ops += docs::snapshot::size_of(chunk).ok_or(CommandError::Unreadable)?.ops;
    }
    if chunks.is_empty() || ops > DocumentLimits::DEFAULT.max_ops {
        return Err(CommandError::Unreadable);
    }
    // This actor never writes.
    automerge_doc::load(&[0; 16], chunks).map_err(|_| CommandError::Unreadable)
}
