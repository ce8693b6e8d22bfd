//! Finds the change with which a profile first claimed its present handle, in any spelling.
//!
//! The first account that claims a handle holds it, by the relay's time of that change. So every device and the relay
//! must find the same change. Every operation of the history is read once, so the time is linear in its length. An
//! account cannot keep an old claim by hiding that it changed the handle in between.

use automerge::legacy::{Key, ObjectId, Op, OpType};
use automerge::{ActorId, Automerge, ScalarValue};

use crate::docs::automerge_doc;
use crate::handle_name;
use crate::id::ChangeHash;

/// The key of the handle in a profile.
const KEY: &str = "handle";

/// An operation on the handle.
struct HandleWrite {
    /// Its number. An operation that depends on another one has a higher number.
    id: (u64, ActorId),
    /// The change of the operation.
    by: ChangeHash,
    /// The folded handle; `None` if it is not a valid handle.
    folded: Option<String>,
}

/// Returns the change since which the document claims its handle; `None` without a valid handle.
///
/// A change that sets the same handle again, or in another spelling, does not begin a new claim. Any other value in
/// between ends the claim, also one of a device that did not know of the claim.
pub fn claim(doc: &Automerge) -> Option<ChangeHash> {
    let shown = handle_name::fold(&automerge_doc::string(doc, KEY))?;
    let mut said = history(doc);
    said.sort_by(|a, b| a.id.cmp(&b.id));
    let last = said.last()?;
    let since = said.iter().rev().take_while(|said| said.folded.as_ref() == Some(&shown)).last();
    // The last operation removed a value, so an earlier value counts again.
    Some(since.unwrap_or(last).by)
}

/// Returns all operations on the handle.
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
        // Another device of the account continues from the first change only.
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
