//! The public profile of an account.

use automerge::Automerge;
use serde::{Deserialize, Serialize};

use crate::docs::Invalid;
use crate::docs::automerge_doc::{self, EditError, NewChange};
use crate::docs::invalid::is_within;
use crate::handle_name;

/// Maximum numbers of characters of a display name and of a bio.
const NAME: usize = 100;
const BIO: usize = 1_000;

/// The public profile of an account. Texts are empty when not given.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, minicbor::Encode, minicbor::Decode)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct ProfileFields {
    /// The name by which others find the account: empty, or 2 to 30 letters and digits with `_`, `.`, `-` between them.
    #[n(0)]
    pub handle: String,
    /// The name that others see; at most 100 characters.
    #[n(1)]
    pub display_name: String,
    /// At most 1,000 characters.
    #[n(2)]
    pub bio: String,
    /// Whether followers must be accepted before they see content for followers.
    #[n(3)]
    #[cbor(default)]
    pub by_approval: bool,
}

impl ProfileFields {
    /// Checks that every value is within its bounds. [`crate::handle_name`] has the rules of a handle.
    ///
    /// # Errors
    /// [`Invalid`] with the first field that is out of bounds.
    pub fn check(&self) -> Result<(), Invalid> {
        Invalid::unless(is_within(&self.handle, handle_name::MAX_CHARS), "handle", "at most 30 characters")?;
        Invalid::unless(is_within(&self.display_name, NAME), "displayName", "at most 100 characters")?;
        Invalid::unless(is_within(&self.bio, BIO), "bio", "at most 1,000 characters")
    }
}

/// Makes a change of all fields that differ from the document; none if none differs.
///
/// # Errors
/// [`EditError`] if Automerge refuses.
pub fn put(doc: &mut Automerge, fields: &ProfileFields) -> Result<Option<NewChange>, EditError> {
    let before = read(doc);
    automerge_doc::edit(doc, |edit| {
        edit.string_if_changed("handle", &before.handle, &fields.handle)?;
        edit.string_if_changed("displayName", &before.display_name, &fields.display_name)?;
        edit.string_if_changed("bio", &before.bio, &fields.bio)?;
        if before.by_approval == fields.by_approval { Ok(()) } else { edit.boolean("byApproval", fields.by_approval) }
    })
}

/// Reads the profile.
pub fn read(doc: &Automerge) -> ProfileFields {
    ProfileFields {
        handle: automerge_doc::string_within(doc, "handle", handle_name::MAX_CHARS),
        display_name: automerge_doc::string_within(doc, "displayName", NAME),
        bio: automerge_doc::string_within(doc, "bio", BIO),
        by_approval: automerge_doc::boolean(doc, "byApproval"),
    }
}
