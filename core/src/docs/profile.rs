//! What everyone may know of an account.

use automerge::Automerge;
use serde::{Deserialize, Serialize};

use crate::docs::open::{self, EditError, NewChange};

/// What everyone may know of an account. Texts are empty when not given.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, minicbor::Encode, minicbor::Decode)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct ProfileFields {
    /// The name by which others find the account; at most 30 characters.
    #[n(0)]
    pub handle: String,
    /// The name that others see; at most 100 characters.
    #[n(1)]
    pub display_name: String,
    /// At most 1,000 characters.
    #[n(2)]
    pub bio: String,
}

impl ProfileFields {
    /// Whether every value is within its bounds.
    pub fn is_valid(&self) -> bool {
        let within = |text: &str, chars: usize| text.chars().count() <= chars;
        within(&self.handle, 30) && within(&self.display_name, 100) && within(&self.bio, 1_000)
    }
}

/// Makes a change of all fields that differ from what the document holds; none if none does.
///
/// # Errors
/// [`EditError`] if Automerge refuses.
pub fn put(doc: &mut Automerge, fields: &ProfileFields) -> Result<Option<NewChange>, EditError> {
    let before = read(doc);
    open::edit(doc, |edit| {
        edit.string_if_changed("handle", &before.handle, &fields.handle)?;
        edit.string_if_changed("displayName", &before.display_name, &fields.display_name)?;
        edit.string_if_changed("bio", &before.bio, &fields.bio)
    })
}

/// What the document says of its account.
pub fn read(doc: &Automerge) -> ProfileFields {
    ProfileFields {
        handle: open::string(doc, "handle"),
        display_name: open::string(doc, "displayName"),
        bio: open::string(doc, "bio"),
    }
}
