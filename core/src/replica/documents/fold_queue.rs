//! The documents whose rows lack local changes.

use crate::id::DocId;
use crate::sorted::Set;

/// Documents whose rows must be folded again.
#[derive(Debug, Default)]
pub(super) struct FoldQueue {
    stale: Set<DocId>,
    /// Changed tracks in memory, which are folded once per event.
    tracks: Set<DocId>,
}

impl FoldQueue {
    /// Records that the row of a document is stale.
    pub(super) fn push(&mut self, doc: DocId) {
        self.stale.insert(doc);
    }

    /// Records that a track in memory changed.
    pub(super) fn push_track(&mut self, doc: DocId) {
        self.tracks.insert(doc);
    }

    /// Removes a document that was folded or must not be read for that. Returns whether it was stale.
    pub(super) fn remove(&mut self, doc: &DocId) -> bool {
        self.stale.remove(doc)
    }

    /// Takes the changed tracks except the recorded one, which stays.
    pub(super) fn take_tracks(&mut self, recorded: Option<DocId>) -> Vec<DocId> {
        // The recorded track is not read for its row either.
        let stale = recorded.filter(|doc| self.stale.remove(doc));
        let (waiting, due) = self.tracks.take().into_iter().partition(|doc| Some(*doc) == recorded);
        let (waiting, due): (Vec<DocId>, Vec<DocId>) = (waiting, due);
        self.tracks.extend(waiting.into_iter().chain(stale));
        due
    }

    /// Returns whether the row of a document lacks stored changes.
    pub(super) fn is_stale(&self, doc: &DocId) -> bool {
        self.stale.contains(doc)
    }

    /// Returns whether the row of a document is complete.
    pub(super) fn is_fresh(&self, doc: &DocId) -> bool {
        !self.stale.contains(doc) && !self.tracks.contains(doc)
    }

    /// Returns the documents whose rows lack stored changes, ascending.
    pub(super) fn stale(&self) -> impl Iterator<Item = DocId> {
        self.stale.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCS: [DocId; 2] = [DocId::from_bytes([1; 16]), DocId::from_bytes([2; 16])];

    #[test]
    fn the_track_that_is_recorded_waits_until_it_is_finished() {
        let mut folds = FoldQueue::default();
        DOCS.iter().for_each(|doc| folds.push_track(*doc));
        folds.push(DOCS[0]);
        assert_eq!(folds.take_tracks(Some(DOCS[0])), DOCS[1..]);
        assert_eq!(folds.stale().count(), 0, "it is not read from storage");
        assert!(!folds.is_fresh(&DOCS[0]));
        assert_eq!(folds.take_tracks(None), DOCS[..1]);
        assert!(folds.is_fresh(&DOCS[0]));
    }
}
