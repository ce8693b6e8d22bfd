//! Finds the private places of the account: each stop of a finished drive is at a place, or a place is added there.
//!
//! The stops are in the rows of tracks, so a phone with old data finds its places by itself once their rows are folded. A
//! drive whose track is not here is left to the device that recorded it, or to the command that publishes it.

use crate::docs::settings;
use crate::id::DocId;
use crate::privacy::places::{Place, PlaceKind, ZoneSize, is_known};
use crate::projection::DocumentRow;
use crate::replica::documents::DocumentEvent;
use crate::replica::io::Topic;
use crate::replica::reconcile::ReconcileContext;
use crate::sorted::Set;
use crate::wire::DocKind;

/// The reconciler of the list of places.
#[derive(Debug, Default)]
pub(super) struct PlaceFinder {
    /// Drives and tracks whose stops were not compared with the places.
    unexamined: Set<DocId>,
    /// Whether the tracks that were here at the start are queued.
    has_begun: bool,
}

impl PlaceFinder {
    /// Handles a change of a document.
    pub(super) fn note(&mut self, event: DocumentEvent) {
        match event {
            DocumentEvent::TrackFolded(doc) | DocumentEvent::Changed(doc) => drop(self.unexamined.insert(doc)),
            DocumentEvent::Merged(_) | DocumentEvent::Concurrent(_) => {}
        }
    }

    /// Queues a drive that was finished.
    pub(super) fn request(&mut self, drive: DocId) {
        self.unexamined.insert(drive);
    }

    /// Returns whether the stops of all drives whose tracks are here are at known places.
    pub(super) fn is_settled(&self) -> bool {
        self.has_begun && self.unexamined.is_empty()
    }

    /// Adds the places that are missing.
    pub(super) fn poll(&mut self, context: &mut ReconcileContext<'_>) {
        if !self.has_begun {
            self.has_begun = true;
            let is_track = |(_, row): &(&DocId, &DocumentRow)| matches!(row, DocumentRow::Track(..));
            self.unexamined.extend(context.documents.rows().filter(is_track).map(|(doc, _)| *doc));
        }
        let settings = context.settings_id();
        if self.unexamined.is_empty() || context.reads.is_waiting() || context.documents.is_stale(&settings) {
            return;
        }
        let queued = self.unexamined.take_where(|doc| !context.documents.is_stale(doc));
        let mut places = context.documents.places(&context.account).to_vec();
        let known = places.len();
        for doc in &queued {
            self.find(doc, &mut places, context);
        }
        if places.len() == known {
            return;
        }
        let record = context.documents.record(&settings);
        if record.is_some_and(|record| record.is_here()) && !context.documents.is_loaded(&settings) {
            // Nothing can be added to a document that cannot be read; a drive with an unknown stop is not published.
            if !context.documents.is_unreadable(&settings) {
                context.read_document(settings);
                self.unexamined.extend(queued);
            }
            return;
        }
        let document = context.documents.create(settings, DocKind::Settings);
        // A document that Automerge cannot edit stays unchanged.
        if let Ok(change) = settings::add_places(document, &places[known..]) {
            context.documents.add_own(context.writes, settings, change);
            context.output.topics.insert(Topic::Account);
        }
    }

    /// Adds places for the stops of a drive that are at none.
    fn find(&mut self, doc: &DocId, places: &mut Vec<Place>, context: &mut ReconcileContext<'_>) {
        let is_it = |(id, row): &(&DocId, &DocumentRow)| matches!(row, DocumentRow::Drive(fields) if *id == doc || fields.track == Some(*doc));
        let Some((_, DocumentRow::Drive(fields))) = context.documents.rows().find(is_it) else { return };
        let Some(track) = fields.track.filter(|_| fields.ended_at.is_some() && !fields.deleted) else { return };
        let open = fields.open_ends;
        let Some(DocumentRow::Track(_, _, stops, _)) = context.documents.row(&track) else { return };
        for (index, stop) in stops.clone().into_iter().enumerate() {
            if is_known(stop, places) {
                continue;
            }
            // Earlier versions asked of each drive whether its ends are private.
            let is_open = (index == 0 && open.start) || (index == 1 && open.end);
            let (kind, size) =
                if is_open { (PlaceKind::Open, ZoneSize::None) } else { (PlaceKind::Stop, ZoneSize::Standard) };
            let (id, secret) = context.device.new_place();
            places.push(Place { id, position: stop, secret, is_found: true, kind, size });
        }
    }
}
