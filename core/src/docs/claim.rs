//! Since when a profile claims its handle: which of its changes said it first, in whatever spelling.
//!
//! Who claims a handle first has it, and the relay's clock tells when a change came; so that only the change must be found,
//! the same one whoever looks. Every operation of the history is looked at once: the time grows with its length and no
//! faster. Nobody keeps a claim by hiding that something else was said since.

use automerge::legacy::{Key, ObjectId, Op, OpType};
use automerge::{ActorId, Automerge, ScalarValue};

use crate::docs::automerge_doc;
use crate::handle_name;
use crate::id::ChangeHash;

/// The key under which a profile says its handle.
const KEY: &str = "handle";

/// An operation on the handle.
struct HandleWrite {
    /// Its number. What builds on an operation has a higher one.
    id: (u64, ActorId),
    /// The change that it is part of.
    by: ChangeHash,
    /// What it says, as it is compared; `None` if that is no handle.
    folded: Option<String>,
}

/// The change since which the document claims the handle that it shows; `None` if that is none.
///
/// A change that says the same handle in another spelling, or again, begins no other claim. Whatever else was said in
/// between ends it, also by a device that did not know of it.
pub fn claim(doc: &Automerge) -> Option<ChangeHash> {
    let shown = handle_name::fold(&automerge_doc::string(doc, KEY))?;
    let mut said = history(doc);
    said.sort_by(|a, b| a.id.cmp(&b.id));
    let last = said.last()?;
    let since = said.iter().rev().take_while(|said| said.folded.as_ref() == Some(&shown)).last();
    // The last one took something back, and shows what was said before.
    Some(since.unwrap_or(last).by)
}

/// Every operation on the handle.
fn history(doc: &Automerge) -> Vec<HandleWrite> {
    let mut said = Vec::new();
    for change in doc.get_changes(&[]) {
        let by = ChangeHash(change.hash().0);
        let change = change.decode();
        for (counter, op) in (change.start_op.get()..).zip(&change.operations) {
            if is_of_handle(op) {
                let folded = match &op.action {
                    OpType::Put(ScalarValue::Str(handle)) => handle_name::fold(handle),
                    _ => None,
                };
                said.push(HandleWrite { id: (counter, change.actor_id.clone()), by, folded });
            }
        }
    }
    said
}

fn is_of_handle(op: &Op) -> bool {
    op.obj == ObjectId::Root && matches!(&op.key, Key::Map(key) if key == KEY)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docs::automerge_doc;
    use crate::docs::profile::{self, ProfileFields};

    fn set_handle(doc: &mut Automerge, handle: &str, bio: &str) -> ChangeHash {
        let fields = ProfileFields { handle: handle.to_owned(), bio: bio.to_owned(), ..ProfileFields::default() };
        profile::put(doc, &fields).unwrap().expect("it says something else").hash
    }

    #[test]
    fn a_claim_begins_with_the_change_that_said_the_handle_first() {
        let mut doc = automerge_doc::new(&[1; 16]);
        assert_eq!(claim(&doc), None);
        let first = set_handle(&mut doc, "dan", "");
        assert_eq!(claim(&doc), Some(first));
        set_handle(&mut doc, "dan", "Something else");
        set_handle(&mut doc, "Dan", "Another spelling");
        set_handle(&mut doc, "DAN", "And another");
        assert_eq!(claim(&doc), Some(first));
        let other = set_handle(&mut doc, "daniel", "");
        assert_eq!(claim(&doc), Some(other));
        let again = set_handle(&mut doc, "dan", "");
        assert_eq!(claim(&doc), Some(again), "what was let go of is claimed anew");
        set_handle(&mut doc, "!", "");
        assert_eq!(claim(&doc), None, "that is no handle");
    }

    #[test]
    fn of_two_devices_that_claim_at_the_same_time_the_one_whose_word_counts_does() {
        let mut one = automerge_doc::new(&[1; 16]);
        set_handle(&mut one, "", "Hello");
        let mut two = one.fork().with_actor([2; 16].as_slice().into());
        let claims = [set_handle(&mut one, "anna", "Hello"), set_handle(&mut two, "annika", "Hello")];
        automerge_doc::merge(&mut one, &two).unwrap();
        let shown = profile::read(&one).handle;
        assert_eq!(claim(&one), Some(claims[usize::from(shown == "annika")]));
        let restyled = set_handle(&mut one, &shown.to_uppercase(), "Hello");
        assert_ne!(claim(&one), Some(restyled));
        let snapshot = automerge_doc::snapshot(&one);
        let loaded = automerge_doc::load(&[9; 16], [snapshot.as_slice()]).unwrap();
        assert_eq!(claim(&loaded), claim(&one), "also out of a snapshot");
    }

    #[test]
    fn a_handle_that_was_let_go_of_is_not_claimed_from_before_by_hiding_what_was_said_since() {
        let mut doc = automerge_doc::new(&[1; 16]);
        let first = set_handle(&mut doc, "dan", "");
        // Another device of the account goes on from the first word alone.
        let mut other = doc.fork().with_actor([2; 16].as_slice().into());
        let hidden = set_handle(&mut other, "DAN", "");
        set_handle(&mut doc, "zoe", "");
        set_handle(&mut doc, "zoe", "Hello");
        let taken_back = automerge_doc::edit(&mut doc, |edit| edit.string("handle", "zoe.2")).unwrap().unwrap().hash;
        assert_eq!(claim(&doc), Some(taken_back));
        let gone = automerge_doc::edit(&mut doc, |edit| edit.int_or_nothing("handle", None)).unwrap().unwrap().hash;
        assert_eq!(claim(&doc), None);
        automerge_doc::merge(&mut doc, &other).unwrap();
        assert_eq!(profile::read(&doc).handle, "DAN", "it was set beside the others");
        assert_eq!(claim(&doc), Some(gone), "not since {first:?} or {hidden:?}");
    }

    #[test]
    fn a_long_history_of_spellings_is_looked_at_once() {
        let mut doc = automerge_doc::new(&[1; 16]);
        let first = set_handle(&mut doc, "dan", "");
        for number in 0..900 {
            set_handle(&mut doc, if number % 2 == 0 { "DAN" } else { "dan" }, "");
        }
        assert_eq!(claim(&doc), Some(first));
    }
}
