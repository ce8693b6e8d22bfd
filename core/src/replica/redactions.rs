//! Withdraws and makes again the published copies that show what is to be hidden.
//!
//! A copy is current if it was made by the rules of this version and shows no fix inside a zone of the places that this
//! device knows. Whenever places are added or enlarged, and whenever a copy comes from another device, copies are compared
//! with the places. One that is not current is withdrawn at once, before anything else is published, and made again once
//! its track is here. A withdrawn copy says so itself (`rules` 0), so that any device of the account can make it again.
//!
//! What was compared is remembered by a digest of the rules and the places, so that a start of the app reads no copy.

use sha2::{Digest, Sha256};

use crate::docs::{Visibility, drive, published};
use crate::geodesy::Position;
use crate::id::DocId;
use crate::privacy::{self, places::Place};
use crate::projection::DocumentRow;
use crate::replica::documents::{DocumentEvent, DocumentStore, cbor};
use crate::replica::io::{CommandError, Space, StoredEntry, Topic};
use crate::replica::reconcile::ReconcileContext;
use crate::replica::redacted_copy;
use crate::sorted::Set;
use crate::track::block::decode_all;

/// Maximum number of copies that are compared at once, and of tracks that are read at once.
const READ_AT_ONCE: usize = 4;

/// Where the digest of the places is stored with which every copy was compared.
const COMPARED_KEY: &[u8] = b"compared places";

/// The reconciler of what published copies show.
#[derive(Debug, Default)]
pub(super) struct RedactionReconciler {
    /// The places with which the queues were filled.
    places: Option<Vec<Place>>,
    /// How often the places changed.
    generation: u32,
    /// The digest of the places with which every copy was compared, as stored.
    compared: Option<Vec<u8>>,
    /// Drives, tracks and copies that changed.
    changed: Set<DocId>,
    /// Drives whose copies are to be compared with the places.
    unchecked: Set<DocId>,
    /// Drives whose copies are being compared.
    checking: Set<DocId>,
    /// Drives whose copies are withdrawn and to be made again.
    withdrawn: Set<DocId>,
    /// Those of them whose documents are being read.
    making: Set<DocId>,
    /// Drives whose tracks are not complete enough for that. Another part of the track may come.
    incomplete: Set<DocId>,
}

/// How far something came.
enum Progress {
    Settled,
    /// A document is being read or fetched.
    Reading,
    /// The track is not complete here.
    Incomplete,
}

impl RedactionReconciler {
    /// Opens the reconciler from stored entries.
    pub(super) fn open(stored: &[StoredEntry]) -> RedactionReconciler {
        let is_digest = |entry: &&StoredEntry| entry.space == Space::Meta && entry.key == COMPARED_KEY;
        let compared = stored.iter().find(is_digest).map(|entry| entry.value.clone());
        RedactionReconciler { compared, ..RedactionReconciler::default() }
    }

    /// Handles a change of a document.
    pub(super) fn note(&mut self, event: DocumentEvent) {
        match event {
            DocumentEvent::Changed(doc) | DocumentEvent::Merged(doc) | DocumentEvent::TrackFolded(doc) => {
                self.changed.insert(doc);
            }
            DocumentEvent::Concurrent(_) => {}
        }
    }

    /// Returns whether every copy was compared with these places, and those that are not current are withdrawn.
    pub(super) fn is_settled(&self, places: &[Place]) -> bool {
        let is_idle = self.changed.is_empty() && self.unchecked.is_empty() && self.checking.is_empty();
        is_idle && self.places.as_deref() == Some(places)
    }

    /// Returns whether the copy of a drive is still to be compared with these places: nobody else may see more of it
    /// meanwhile.
    pub(super) fn is_unchecked(&self, drive: &DocId, copy: &DocId, places: &[Place]) -> bool {
        let is_queued = [&self.changed, &self.unchecked, &self.checking]
            .into_iter()
            .any(|queue| queue.contains(drive) || queue.contains(copy));
        is_queued || self.places.as_deref() != Some(places)
    }

    /// Returns what changes whenever something was compared, withdrawn or made again.
    pub(super) fn state(&self) -> (u32, [usize; 5]) {
        let queues = [&self.changed, &self.unchecked, &self.checking, &self.withdrawn, &self.incomplete];
        (self.generation, queues.map(Set::len))
    }

    /// Returns the places with which copies are compared.
    pub(super) fn places(&self) -> &[Place] {
        self.places.as_deref().unwrap_or_default()
    }

    /// Returns a number that changes with the places.
    pub(super) fn generation(&self) -> u32 {
        self.generation
    }

    /// Returns the documents being compared, and those of copies being made again.
    pub(super) fn in_use(&self, documents: &DocumentStore) -> Vec<DocId> {
        let copy = |drive: &DocId| match documents.row(drive) {
            Some(DocumentRow::Drive(fields)) => fields.published,
            _ => None,
        };
        let track = |drive: &DocId| match documents.row(drive) {
            Some(DocumentRow::Drive(fields)) => fields.track,
            _ => None,
        };
        let made = self.making.iter();
        let made = made.flat_map(|drive| [Some(*drive), copy(drive), track(drive)].into_iter().flatten());
        self.checking.iter().filter_map(copy).chain(made).collect()
    }

    /// Compares copies with the places, withdraws those that are not current, and makes them again.
    ///
    /// Nothing is made again until all places are known.
    pub(super) fn poll(&mut self, knows_places: bool, context: &mut ReconcileContext<'_>) {
        if context.reads.is_waiting() || context.documents.is_stale(&context.settings_id()) {
            return;
        }
        self.queue_by_places(context);
        for doc in self.changed.take_where(|doc| !context.documents.is_stale(doc)) {
            let Some(drive) = drive_of(&doc, context) else { continue };
            if self.incomplete.remove(&drive) {
                self.withdrawn.insert(drive);
            }
            // A zone is larger where the drive stops, and the track has the stops.
            self.unchecked.insert(drive);
        }
        self.compare_some(context);
        if knows_places {
            self.make_some_again(context);
        }
        let digest = digest(self.places());
        let is_done = self.is_settled(self.places()) && self.withdrawn.is_empty() && self.incomplete.is_empty();
        if is_done && self.compared.as_ref() != Some(&digest) {
            context.writes.put(Space::Meta, COMPARED_KEY.to_vec(), digest.clone());
            self.compared = Some(digest);
        }
    }

    /// Queues the copies that a change of the places concerns; at the start all of them, unless they were compared with
    /// these places.
    fn queue_by_places(&mut self, context: &ReconcileContext<'_>) {
        let places = context.documents.places(&context.account);
        if self.places.as_deref() == Some(places) {
            return;
        }
        let added: Option<Vec<Place>> = match &self.places {
            Some(before) => {
                let is_hidden = |place: &&Place| {
                    before.iter().any(|it| it.id == place.id && it.position == place.position && it.size >= place.size)
                };
                Some(places.iter().filter(|place| !is_hidden(place)).copied().collect())
            }
            None if self.compared == Some(digest(places)) => Some(Vec::new()),
            None => None,
        };
        for (drive, row) in context.documents.rows() {
            let DocumentRow::Drive(fields) = row else { continue };
            if fields.published.is_none() {
                continue;
            }
            let bounds = fields.track.and_then(|track| match context.documents.row(&track) {
                Some(DocumentRow::Track(_, bounds, ..)) if !context.documents.is_stale(&track) => *bounds,
                _ => None,
            });
            let is_near = |place: &Place| bounds.is_none_or(|bounds| place.may_hide_in(bounds));
            if added.as_ref().is_none_or(|added| added.iter().any(is_near)) {
                self.unchecked.insert(*drive);
            }
        }
        self.places = Some(places.to_vec());
        self.generation = self.generation.wrapping_add(1);
    }

    /// Compares copies with the places, a few at a time because each is read.
    fn compare_some(&mut self, context: &mut ReconcileContext<'_>) {
        loop {
            for drive in self.checking.take() {
                match self.compare(drive, context) {
                    Progress::Settled | Progress::Incomplete => {}
                    Progress::Reading => drop(self.checking.insert(drive)),
                }
            }
            let Some(next) = self.unchecked.first().copied().filter(|_| self.checking.len() < READ_AT_ONCE) else {
                return;
            };
            self.unchecked.remove(&next);
            self.checking.insert(next);
        }
    }

    /// Compares the copy of a drive with the places, and withdraws it if it is not current.
    fn compare(&mut self, drive: DocId, context: &mut ReconcileContext<'_>) -> Progress {
        let Some(DocumentRow::Drive(fields)) = context.documents.row(&drive) else { return Progress::Settled };
        let Some(copy) = fields.published else { return Progress::Settled };
        let is_shown = !fields.deleted && fields.visibility != Visibility::Private;
        let stops = match fields.track.and_then(|track| context.documents.row(&track)) {
            Some(DocumentRow::Track(_, _, stops, _)) => stops.clone(),
            _ => Vec::new(),
        };
        if context.documents.is_stale(&drive) {
            return Progress::Reading;
        }
        if !context.is_readable_copy(&copy) {
            return Progress::Settled;
        }
        let Some(document) = context.documents.loaded(&copy) else {
            context.read_document(copy);
            return Progress::Reading;
        };
        if !is_current(document, &stops, self.places.as_deref().unwrap_or_default()) {
            // A document that Automerge cannot edit stays unchanged; another device may be able to edit it.
            if let Ok(change) = published::withdraw_for_redaction(document) {
                context.documents.add_own(context.writes, copy, change);
            }
            if is_shown {
                self.withdrawn.insert(drive);
            }
        }
        Progress::Settled
    }

    /// Makes withdrawn copies again, a few at a time because each track is read.
    fn make_some_again(&mut self, context: &mut ReconcileContext<'_>) {
        self.making = Set::new();
        for drive in self.withdrawn.iter().copied().collect::<Vec<_>>() {
            if self.making.len() >= READ_AT_ONCE {
                return;
            }
            match self.make_again(drive, context) {
                Progress::Settled => drop(self.withdrawn.remove(&drive)),
                Progress::Reading => drop(self.making.insert(drive)),
                Progress::Incomplete => {
                    self.withdrawn.remove(&drive);
                    self.incomplete.insert(drive);
                }
            }
        }
    }

    /// Makes the copy of a drive again. A drive of which nothing may be shown becomes private.
    fn make_again(&self, drive: DocId, context: &mut ReconcileContext<'_>) -> Progress {
        let Some(DocumentRow::Drive(fields)) = context.documents.row(&drive).cloned() else {
            return Progress::Settled;
        };
        let (Some(copy), Some(track)) = (fields.published, fields.track) else { return Progress::Settled };
        if context.documents.is_stale(&drive) {
            return Progress::Reading;
        }
        let is_wanted = !fields.deleted && fields.visibility != Visibility::Private && context.recorded != Some(drive);
        if !is_wanted || !context.is_readable_copy(&copy) {
            return Progress::Settled;
        }
        let Some(record) = context.documents.record(&track) else { return Progress::Incomplete };
        if record.lacks_any() {
            if !context.sync_client.can_fetch(&track) {
                return Progress::Incomplete;
            }
            context.sync_client.request_fetch(track);
            return Progress::Reading;
        }
        if !record.is_here() || context.documents.is_unreadable(&track) {
            return Progress::Incomplete;
        }
        for doc in [drive, copy, track] {
            if !context.documents.is_loaded(&doc) {
                if context.documents.is_unreadable(&doc) {
                    return Progress::Settled;
                }
                context.read_document(doc);
                return Progress::Reading;
            }
        }
        let made = redacted_copy::redact(context.documents, &track, &fields, fields.visibility, self.places());
        let change = match made {
            Ok(shown) => {
                let document = context.documents.loaded(&copy).expect("it was in memory a moment ago");
                (copy, published::make_again(document, &shown))
            }
            Err(CommandError::NothingLeftToPublish | CommandError::TooLongToPublish) => {
                let document = context.documents.loaded(&drive).expect("it was in memory a moment ago");
                let published = Some((copy, Visibility::Private));
                (drive, drive::change(document, &drive::DriveEdit { published, ..drive::DriveEdit::default() }))
            }
            Err(_) => return Progress::Incomplete,
        };
        // A document that Automerge cannot edit stays unchanged; another device may be able to edit it.
        if let (doc, Ok(change)) = change {
            context.documents.add_own(context.writes, doc, change);
            context.output.topics.insert(Topic::Drives);
        }
        Progress::Settled
    }
}

/// Returns whether a copy of a drive with these stops was made by the rules of this version and shows no fix inside a zone.
pub(super) fn is_current(copy: &automerge::Automerge, stops: &[Position], places: &[Place]) -> bool {
    if !published::is_current(copy) {
        return false;
    }
    let Some(fields) = published::read(copy) else { return true };
    let shown = decode_all(fields.blocks.iter().map(Vec::as_slice)).stretches;
    !privacy::shows_a_place(shown.iter().flat_map(|stretch| &stretch.fixes), stops, places)
}

/// Returns the drive that a document is, or that it is the copy or the track of.
fn drive_of(doc: &DocId, context: &ReconcileContext<'_>) -> Option<DocId> {
    let is_of = |(id, row): &(&DocId, &DocumentRow)| matches!(row, DocumentRow::Drive(fields) if *id == doc || fields.published.as_ref() == Some(doc) || fields.track.as_ref() == Some(doc));
    context.documents.rows().find(is_of).map(|(id, _)| *id)
}

/// A digest of the rules and of everything in the places that decides what is hidden.
fn digest(places: &[Place]) -> Vec<u8> {
    let mut digest = Sha256::new().chain_update(privacy::RULES.to_be_bytes());
    for place in places {
        digest.update(cbor(place));
    }
    digest.finalize().to_vec()
}

#[cfg(test)]
impl RedactionReconciler {
    /// Returns a reconciler that has compared everything with no places.
    pub(super) fn settled() -> RedactionReconciler {
        RedactionReconciler { places: Some(Vec::new()), ..RedactionReconciler::default() }
    }
}
