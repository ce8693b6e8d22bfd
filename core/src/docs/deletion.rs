//! The deletion of a drive, a car or a meet: it is hidden, and erased later unless it is restored before.

use automerge::Automerge;

use crate::docs::automerge_doc::{self, EditError, NewChange};
use crate::time::Timestamp;

/// How long a deleted document can be restored, milliseconds: 30 days. `[X6]`
pub const RESTORABLE_MS: i64 = 30 * 24 * 3_600_000;

const ERASE_AT: &str = "eraseAt";

/// Of versions without erasure, which know deleted drives only.
const DELETED: &str = "deleted";

/// Hides a document until it is erased at this time, or shows it again.
///
/// # Errors
/// [`EditError`] if Automerge refuses.
pub fn put(doc: &mut Automerge, erase_at: Option<Timestamp>) -> Result<Option<NewChange>, EditError> {
    let (was_deleted, before) = (automerge_doc::boolean(doc, DELETED), erase_at_of(doc));
    automerge_doc::edit(doc, |edit| {
        if was_deleted != erase_at.is_some() {
            edit.boolean(DELETED, erase_at.is_some())?;
        }
        if before != erase_at {
            edit.int_or_nothing(ERASE_AT, erase_at.map(Timestamp::as_millis))?;
        }
        Ok(())
    })
}

/// Returns whether a document is deleted.
pub fn is_deleted(doc: &Automerge) -> bool {
    automerge_doc::boolean(doc, DELETED)
}

/// Returns when a document is due to be erased: of concurrent values the latest.
pub fn erase_at(doc: &Automerge) -> Option<Timestamp> {
    erase_at_of(doc).filter(|_| is_deleted(doc))
}

fn erase_at_of(doc: &Automerge) -> Option<Timestamp> {
    automerge_doc::latest_time(doc, ERASE_AT)
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Timestamp = Timestamp(1_700_000_000_000);

    #[test]
    fn x6_a_deleted_document_is_due_once_and_restored_it_is_not() {
        let mut doc = automerge_doc::new(&[1; 16]);
        assert_eq!((is_deleted(&doc), erase_at(&doc)), (false, None));
        put(&mut doc, Some(AT)).unwrap().expect("it is deleted");
        assert!(put(&mut doc, Some(AT)).unwrap().is_none(), "it is deleted already");
        assert_eq!((is_deleted(&doc), erase_at(&doc)), (true, Some(AT)));
        put(&mut doc, None).unwrap().expect("it is restored");
        assert_eq!((is_deleted(&doc), erase_at(&doc)), (false, None));
    }

    #[test]
    fn x6_of_two_deletions_the_later_time_counts() {
        let mut doc = automerge_doc::new(&[1; 16]);
        automerge_doc::edit(&mut doc, |edit| edit.boolean("isPublic", true)).unwrap();
        let mut other = automerge_doc::load(&[2; 16], [automerge_doc::snapshot(&doc)]).unwrap();
        put(&mut doc, Some(AT)).unwrap();
        put(&mut other, Some(AT + 1)).unwrap();
        automerge_doc::merge(&mut doc, &other).unwrap();
        assert_eq!(erase_at(&doc), Some(AT + 1));
    }
}
