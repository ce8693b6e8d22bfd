//! Since when a profile claims its handle: which of its changes said it first, in whatever spelling.
//!
//! Who claims a handle first has it, and the relay's clock tells when a change came; so that only the change must be found,
//! the same one whoever looks.

use automerge::{Automerge, ChangeHash as AutomergeHash, ChangeMetadata, ObjId, ROOT, ReadDoc, Value};

use crate::handle;
use crate::id::ChangeHash;

/// The change since which the document claims the handle that it shows; `None` if that is none.
///
/// A change that says the same handle in another spelling, or again, begins no other claim.
pub fn claim(doc: &Automerge) -> Option<ChangeHash> {
    let changes = doc.get_changes_meta(&[]);
    let heads = doc.get_heads();
    let (folded, mut said_by) = said(doc, &heads)?;
    let mut claim = change_of(&changes, &said_by)?;
    // Every step goes to a change that this one builds on.
    while let Some((before, by)) = said(doc, &claim.deps)
        && before == folded
        && by != said_by
    {
        said_by = by;
        claim = change_of(&changes, &said_by)?;
    }
    Some(ChangeHash(claim.hash.0))
}

/// The handle that the document showed at these heads, folded, and the operation that said it.
fn said(doc: &Automerge, heads: &[AutomergeHash]) -> Option<(String, ObjId)> {
    if heads.is_empty() {
        return None;
    }
    let Ok(Some((Value::Scalar(value), id))) = doc.get_at(ROOT, "handle", heads) else { return None };
    Some((handle::fold(value.as_str()?)?, id))
}

fn change_of<'c, 'd>(changes: &'c [ChangeMetadata<'d>], id: &ObjId) -> Option<&'c ChangeMetadata<'d>> {
    let ObjId::Id(counter, actor, _) = id else { return None };
    let made = |change: &&ChangeMetadata<'_>| {
        change.actor.as_ref() == actor && (change.start_op..=change.max_op).contains(counter)
    };
    changes.iter().find(made)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docs::open;
    use crate::docs::profile::{self, ProfileFields};

    fn say(doc: &mut Automerge, handle: &str, bio: &str) -> ChangeHash {
        let fields = ProfileFields { handle: handle.to_owned(), bio: bio.to_owned(), ..ProfileFields::default() };
        profile::put(doc, &fields).unwrap().expect("it says something else").hash
    }

    #[test]
    fn a_claim_begins_with_the_change_that_said_the_handle_first() {
        let mut doc = open::new(&[1; 16]);
        assert_eq!(claim(&doc), None);
        let first = say(&mut doc, "dan", "");
        assert_eq!(claim(&doc), Some(first));
        say(&mut doc, "dan", "Something else");
        say(&mut doc, "Dan", "Another spelling");
        say(&mut doc, "DAN", "And another");
        assert_eq!(claim(&doc), Some(first));
        let other = say(&mut doc, "daniel", "");
        assert_eq!(claim(&doc), Some(other));
        let again = say(&mut doc, "dan", "");
        assert_eq!(claim(&doc), Some(again), "what was let go of is claimed anew");
        say(&mut doc, "!", "");
        assert_eq!(claim(&doc), None, "that is no handle");
    }

    #[test]
    fn of_two_devices_that_claim_at_the_same_time_the_one_whose_word_counts_does() {
        let mut one = open::new(&[1; 16]);
        say(&mut one, "", "Hello");
        let mut two = one.fork().with_actor([2; 16].as_slice().into());
        let claims = [say(&mut one, "anna", "Hello"), say(&mut two, "annika", "Hello")];
        open::merge(&mut one, &two).unwrap();
        let shown = profile::read(&one).handle;
        assert_eq!(claim(&one), Some(claims[usize::from(shown == "annika")]));
        let restyled = say(&mut one, &shown.to_uppercase(), "Hello");
        assert_ne!(claim(&one), Some(restyled));
        let snapshot = open::snapshot(&one);
        let loaded = open::load(&[9; 16], [snapshot.as_slice()]).unwrap();
        assert_eq!(claim(&loaded), claim(&one), "also out of a snapshot");
    }
}
