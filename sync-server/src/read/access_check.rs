//! What a viewer has to do with the owner of what is asked for: the facts that `authorize` decides by.

use std::collections::BTreeSet;

use tourismo_core::docs::Visibility;
use tourismo_core::handle_name;
use tourismo_core::id::{AccountId, DocId};

use crate::db::meets::MeetRecord;
use crate::db::sql::Connection;
use crate::db::{accounts, follows, meets, profiles, published};
use crate::domain::authorize::{Access, Audience, Relation, Viewer, authorize};
use crate::http::error::ApiError;
use crate::http::read_request::ReadRequest;

/// A person whom the viewer may look at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Person {
    pub(crate) account: AccountId,
    pub(crate) relation: Relation,
}

impl Person {
    /// Whether what is for followers is for the viewer, too.
    pub(crate) fn shows_to_followers(&self, viewer: Viewer) -> bool {
        (self.relation.is_follower && !self.relation.is_blocked) || viewer.account() == Some(self.account)
    }

    /// Whether the viewer may know who follows the person, and whom they follow. `asks` tells whether the person asks about
    /// followers: then that is for those whom they accepted, and for themselves.
    pub(crate) fn shows_people(&self, viewer: Viewer, asks: bool) -> bool {
        !asks || self.shows_to_followers(viewer)
    }

    /// The viewer.
    pub(crate) fn own_account(account: AccountId) -> Person {
        Person { account, relation: Relation::default() }
    }
}

/// What the viewer has to do with an owner.
pub(crate) async fn relation(
    reader: &mut Connection,
    viewer: Viewer,
    owner: AccountId,
) -> Result<Relation, sqlx::Error> {
    match viewer.account().filter(|account| *account != owner) {
        Some(account) => follows::relation(reader, account, owner).await,
        None => Ok(Relation::default()),
    }
}

/// The person of this handle, in whatever spelling, or of this id.
pub(crate) async fn person(reader: &mut Connection, request: &ReadRequest, name: &str) -> Result<Person, ApiError> {
    let account = match name.parse::<AccountId>() {
        Ok(account) if accounts::exists(reader, account).await? => Some(account),
        Ok(_) => None,
        Err(_) => match handle_name::fold(name) {
            Some(folded) => profiles::holder(reader, &folded).await?,
            None => None,
        },
    };
    let account = account.ok_or_else(ApiError::not_found)?;
    let relation = relation(reader, request.viewer, account).await?;
    let audience = Audience::of_person(account, relation);
    authorize(request.viewer, audience, Access::ById).map_err(|_| ApiError::not_found())?;
    Ok(Person { account, relation })
}

/// The owner of a published drive that the viewer may see.
pub(crate) async fn drive_owner(
    reader: &mut Connection,
    request: &ReadRequest,
    id: DocId,
) -> Result<AccountId, ApiError> {
    let (owner, visibility) = published::audience(reader, id).await?.ok_or_else(ApiError::not_found)?;
    let relation = relation(reader, request.viewer, owner).await?;
    let audience = Audience { owner, visibility, relation };
    authorize(request.viewer, audience, Access::ById).map_err(|_| ApiError::not_found())?;
    Ok(owner)
}

/// Whether the viewer may see a meet.
pub(crate) async fn may_see_meet(
    reader: &mut Connection,
    viewer: Viewer,
    meet: &MeetRecord,
    access: Access,
) -> Result<bool, sqlx::Error> {
    let mut relation = relation(reader, viewer, meet.account).await?;
    if let Some(account) = viewer.account() {
        relation.is_organiser = meets::organisers(reader, meet.account, meet.doc).await?.contains(&account);
    }
    let audience = Audience { owner: meet.account, visibility: meet.visibility, relation };
    Ok(authorize(viewer, audience, access).is_ok())
}

/// Those whom the viewer blocks.
pub(crate) async fn blocked_either_way(
    reader: &mut Connection,
    viewer: Viewer,
) -> Result<BTreeSet<AccountId>, sqlx::Error> {
    match viewer.account() {
        Some(account) => follows::blocked_by(reader, account).await,
        None => Ok(BTreeSet::new()),
    }
}

/// Whether the viewer may find something among others, as far as that needs no follower: `blocked_either_way` are those whom the viewer
/// blocks.
pub(crate) fn may_list(
    viewer: Viewer,
    owner: AccountId,
    visibility: Visibility,
    blocked: &BTreeSet<AccountId>,
) -> bool {
    let relation = Relation { blocks: blocked.contains(&owner), ..Relation::default() };
    authorize(viewer, Audience { owner, visibility, relation }, Access::Listed).is_ok()
}

/// An id in a path; what is none leads nowhere.
pub(crate) fn id(text: &str) -> Result<DocId, ApiError> {
    text.parse().map_err(|_| ApiError::not_found())
}
