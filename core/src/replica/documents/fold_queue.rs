//! Documents whose rows do not show all changes that are here.

use crate::id::DocId;
use crate::sorted::Set;

/// Documents whose rows must be folded again.
#[derive(Debug, Default)]
pub(super) struct FoldQueue {
    stale: Set<DocId>,
    /// Tracks in memory to which something was added: they are folded when all that comes at once is there.
    tracks: Set<DocId>,
}

impl FoldQueue {
    /// Takes in that the row of a document does not show everything.
    pub(super) fn push(&mut self, doc: DocId) {
        self.stale.insert(doc);
    }

    /// Takes in that something was added to a track in memory.
    pub(super) fn push_track(&mut self, doc: DocId) {
        self.tracks.insert(doc);
    }

    /// Takes in that a document was folded, or is not to be read for that. Returns whether it was stale.
    pub(super) fn remove(&mut self, doc: &DocId) -> bool {
        self.stale.remove(doc)
    }

    /// Takes the tracks to which something was added, but for the one that is recorded: that one waits.
    pub(super) fn take_tracks(&mut self, recorded: Option<DocId>) -> Vec<DocId> {
        // It is not read for the sake of its row, either.
        let stale = recorded.filter(|doc| self.stale.remove(doc));
        let (waiting, due) = self.tracks.take().into_iter().partition(|doc| Some(*doc) == recorded);
        let (waiting, due): (Vec<DocId>, Vec<DocId>) = (waiting, due);
        self.tracks.extend(waiting.into_iter().chain(stale));
        due
    }

    /// Returns whether the row of a document does not show what is stored of it.
    pub(super) fn is_stale(&self, doc: &DocId) -> bool {
        self.stale.contains(doc)
    }

    /// Returns whether the row of a document shows everything.
    pub(super) fn is_fresh(&self, doc: &DocId) -> bool {
        !self.stale.contains(doc) && !self.tracks.contains(doc)
    }

    /// The documents whose rows do not show what is stored of them, ascending.
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
