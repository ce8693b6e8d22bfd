//! Profiles: the table `profile`.

use tourismo_core::docs::ProfileFields;
use tourismo_core::id::{AccountId, DocId};

use super::{About, Derived};
use crate::db::profiles::{self, ProfileRecord, ProfileRow};
use crate::db::sql::Connection;
use crate::notify::event_bus::{BusEvent, FeedEvent};

/// Returns the row of a profile; none if a field is invalid.
pub(super) fn derive(about: About, fields: ProfileFields) -> Derived {
    if fields.check().is_err() {
        return Derived::Nothing;
    }
    let About { owner, doc, revision, claimed_at, .. } = about;
    let ProfileFields { handle, display_name, bio, by_approval } = fields;
    Derived::Profile(ProfileRecord {
        account: owner,
        doc,
        revision,
        handle,
        display_name,
        bio,
        by_approval,
        claimed_at,
        withheld_handle: None,
    })
}

/// Replaces the row of an account. The profile documents of an account share it; the last one that was written counts.
pub(in crate::writer::projector) async fn apply(
    writer: &mut Connection,
    profile: &ProfileRecord,
    events: &mut Vec<BusEvent>,
) -> Result<(), sqlx::Error> {
    let owner = profile.account;
    let before = shown(writer, owner).await?;
    profiles::replace(writer, profile).await?;
    // The name is shown beside drives and meets, and the approval of followers decides what others see.
    if shown(writer, owner).await? != before {
        events.push(BusEvent::Feed(FeedEvent::Everything { owner }));
    }
    Ok(())
}

/// Reads the row, if it is that of this document.
pub(super) async fn stored(
    reader: &mut Connection,
    owner: AccountId,
    id: DocId,
) -> Result<Option<Derived>, sqlx::Error> {
    Ok(profiles::record(reader, owner).await?.filter(|row| row.doc == id).map(Derived::Profile))
}

/// Returns the number of rows.
pub(super) fn count(_: &ProfileRecord) -> u64 {
    1
}

/// Returns the profile as shown beside the account's drives and meets, with the approval of followers.
async fn shown(writer: &mut Connection, owner: AccountId) -> Result<Option<ProfileRow>, sqlx::Error> {
    let profile = profiles::find(writer, owner).await?;
    Ok(profile.map(|profile| ProfileRow { bio: String::new(), ..profile }))
}
