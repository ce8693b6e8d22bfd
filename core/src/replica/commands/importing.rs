//! Commands about drives of other programs: the comparison with drives that are here, the import, and the fixes for an export.
//!
//! The ids of an imported drive and of its track are computed from the account and the digest of the source, so that two
//! devices that import one file make one drive.

use serde_bytes::ByteBuf;

use crate::docs;
use crate::docs::drive::{self, SourceDigest};
use crate::fix::packed;
use crate::geodesy::Bounds;
use crate::id::{ChangeHash, DocId};
use crate::projection::DocumentRow;
use crate::replica::Replica;
use crate::replica::commands::unreadable;
use crate::replica::io::{CommandError, CommandOutcome, ImportCandidate, ImportMatch};
use crate::replica::recording::record_all;
use crate::sorted::Map;
use crate::time::{Now, Timestamp};
use crate::track::parts::parts;
use crate::wire::DocKind;

/// Maximum number of fixes of an imported drive: 138 hours at one a second.
pub(super) const MAX_IMPORTED_FIXES: usize = 500_000;
/// Maximum number of drives that are checked at once.
pub(super) const MAX_CANDIDATES: usize = 20_000;
/// Bounds within this distance of each other, degrees, count as the same place: about a kilometre.
const NEAR_DEG: f64 = 0.01;

/// The user's labels of an imported drive.
pub(super) struct Labels<'a> {
    pub(super) title: &'a str,
    pub(super) notes: &'a str,
    pub(super) car: Option<DocId>,
}

/// The document of an import.
pub(super) enum Target {
    /// It was imported before.
    Here(DocId),
    /// It is imported under this id.
    New(DocId),
}

/// Returns the name under which the drive of a source is imported.
pub(super) fn name_of(source: &SourceDigest) -> String {
    format!("drive {}", ChangeHash(source.0))
}

/// The time and place of a drive. The bounds are absent if the track was never on this phone.
#[derive(Clone, Copy)]
struct Span {
    started_at: Timestamp,
    ended_at: Timestamp,
    bounds: Option<[f64; 4]>,
}

impl Span {
    /// Returns whether two drives were driven in the same place and at the same time, for at least half of the shorter one.
    fn overlaps(&self, other: &Span) -> bool {
        let shorter_ms = self.duration_ms().min(other.duration_ms());
        let from = self.started_at.max(other.started_at);
        let both_ms = self.ended_at.min(other.ended_at).millis_since(from);
        let is_near = |(a, b): ([f64; 4], [f64; 4])| Bounds::are_near(a, b, NEAR_DEG);
        both_ms >= 0 && both_ms * 2 >= shorter_ms && self.bounds.zip(other.bounds).is_none_or(is_near)
    }

    fn duration_ms(&self) -> i64 {
        self.ended_at.millis_since(self.started_at)
    }
}

impl Replica {
    pub(super) fn import_drive(
        &mut self,
        now: Now,
        source: &[u8],
        labels: &Labels<'_>,
        fixes: &[u8],
    ) -> Result<Option<DocId>, CommandError> {
        let source = source.try_into().map(SourceDigest).map_err(|_| CommandError::Invalid)?;
        let drive = match self.import_target(&name_of(&source)) {
            Target::Here(drive) => return Ok(Some(drive)),
            Target::New(drive) => drive,
        };
        let track = self.imported_track(now, &drive);
        let fixes = packed::unpack(fixes);
        let started_at = fixes.clone().find_map(|fix| fix.quantised().ok()).map(|fix| fix.fixed_at);
        let started_at = started_at.ok_or(CommandError::NothingToImport)?;
        let recorded = record_all(fixes, started_at);
        let (Some(ended_at), stats) = (recorded.ended_at(), recorded.stats()) else {
            return Err(CommandError::NothingToImport);
        };
        if stats.fixes < 2 {
            return Err(CommandError::NothingToImport);
        }
        let change = docs::track::create(self.documents.create(track, DocKind::Track)).map_err(unreadable)?;
        self.documents.add_own(&mut self.writes, track, change);
        recorded.pack(track, &self.device.actor, &mut self.documents, &mut self.writes);
        let document = self.documents.create(drive, DocKind::Drive);
        let change = drive::create(document, started_at, track, labels.car, None).map_err(unreadable)?;
        self.documents.add_own(&mut self.writes, drive, change);
        let edit = drive::DriveEdit {
            title: Some(labels.title),
            notes: Some(labels.notes),
            finished: Some((ended_at, stats)),
            source: Some(source),
            ..drive::DriveEdit::default()
        };
        self.change_drive(drive, &edit)?;
        self.reconcilers.places.request(drive);
        Ok(Some(drive))
    }

    /// Returns the document that was imported under a name, or the id of a new one. A deleted drive does not count.
    pub(super) fn import_target(&self, name: &str) -> Target {
        #[cfg(feature = "faults")]
        if let Some(id) = self.import_id_with_fault() {
            return Target::New(id);
        }
        let (account, mut times) = (&self.device.identity.account, 0_u32);
        loop {
            let id = DocId::only(account, &format!("imported {name} {times}"));
            match (self.documents.record(&id), self.documents.row(&id)) {
                (None, _) => return Target::New(id),
                (Some(_), Some(DocumentRow::Drive(fields))) if fields.deleted => times += 1,
                (Some(_), _) => return Target::Here(id),
            }
        }
    }

    /// Returns the id of the track of an imported drive.
    pub(super) fn imported_track(&mut self, now: Now, drive: &DocId) -> DocId {
        let track = DocId::only(&self.device.identity.account, &format!("imported track {drive}"));
        // Another device imported the same drive, and only its track has arrived.
        if self.documents.record(&track).is_some() { self.device.new_doc_id(now) } else { track }
    }

    pub(super) fn check_import(&self, candidates: &[ImportCandidate]) -> Vec<ImportMatch> {
        let here = |(id, row): (&DocId, &DocumentRow)| {
            let DocumentRow::Drive(fields) = row else { return None };
            let ended_at = fields.ended_at.filter(|_| !fields.deleted)?;
            let bounds = match fields.track.and_then(|track| self.documents.row(&track)) {
                Some(DocumentRow::Track(_, bounds, ..)) => *bounds,
                _ => None,
            };
            Some((*id, Span { started_at: fields.started_at, ended_at, bounds }))
        };
        let here: Vec<(DocId, Span)> = self.documents.rows().filter_map(here).collect();
        let mut sources: Map<[u8; 32], u32> = Map::new();
        let mut earlier: Vec<(u32, Span)> = Vec::new();
        let mut found = Vec::new();
        for (index, candidate) in (0..).zip(candidates) {
            let (started_at, ended_at) = (candidate.started_at, candidate.ended_at);
            let span = Span { started_at, ended_at, bounds: Some(candidate.bounds) };
            let source = candidate.source.as_slice().try_into().unwrap_or_default();
            let overlapping = |(_, other): &&(DocId, Span)| other.overlaps(&span);
            let repeated = |(_, other): &&(u32, Span)| other.overlaps(&span);
            found.push(if let Some(index) = sources.get(&source) {
                ImportMatch::Repeated { index: *index }
            } else if let Target::Here(drive) = self.import_target(&name_of(&SourceDigest(source))) {
                ImportMatch::Here { doc: drive }
            } else if let Some((drive, _)) = here.iter().find(overlapping) {
                ImportMatch::Overlaps { doc: *drive }
            } else if let Some((index, _)) = earlier.iter().find(repeated) {
                ImportMatch::Repeated { index: *index }
            } else {
                earlier.push((index, span));
                ImportMatch::New
            });
            sources.or_insert_with(source, || index);
        }
        found
    }

    pub(super) fn read_fixes(&mut self, drive: DocId) -> Result<CommandOutcome, CommandError> {
        let track = self.drive(&drive)?.track.ok_or(CommandError::Unreadable)?;
        let parts = parts(&self.documents.stretches(&track));
        let fixes = packed::pack(parts.iter().flat_map(|part| &part.fixes));
        let parts = parts.iter().map(|part| part.fixes.len() as u32).collect();
        Ok(CommandOutcome::Fixes { fixes: ByteBuf::from(fixes), parts })
    }
}
