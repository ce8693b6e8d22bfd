//! Reads the relation of a viewer to an owner, from which `authorize` decides.

use std::collections::BTreeSet;

use tourismo_core::docs::Visibility;
use tourismo_core::handle_name;
use tourismo_core::id::{AccountId, DocId};

use crate::db::meets::MeetRecord;
use crate::db::sql::Connection;
use crate::db::{accounts, decisions, follows, meets, profiles, published};
use crate::domain::authorize::{Access, Audience, Relation, Viewer, authorize};
use crate::http::error::ApiError;
use crate::http::read_request::ReadRequest;

/// An account whose profile the viewer may see.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Person {
    pub(crate) account: AccountId,
    pub(crate) relation: Relation,
}

impl Person {
    /// Returns whether the viewer may see content for followers.
    pub(crate) fn shows_to_followers(&self, viewer: Viewer) -> bool {
        (self.relation.is_follower && !self.relation.is_blocked) || viewer.account() == Some(self.account)
    }

    /// Returns whether the viewer may see the account's followers and follows. If the account approves its followers
    /// (`asks`), only its accepted followers and the account itself may.
    pub(crate) fn shows_people(&self, viewer: Viewer, asks: bool) -> bool {
        !asks || self.shows_to_followers(viewer)
    }

    /// Returns the viewer's own account.
    pub(crate) fn own_account(account: AccountId) -> Person {
        Person { account, relation: Relation::default() }
    }
}

/// Returns the relation of the viewer to an owner.
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

/// Returns the account with this handle, in any spelling, or with this id.
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
    // An account may exist without any row that could be left out.
    if request.viewer.account() != Some(account) && decisions::is_suspended(reader, account).await? {
        return Err(ApiError::not_found());
    }
    let relation = relation(reader, request.viewer, account).await?;
    let audience = Audience::of_person(account, relation);
    authorize(request.viewer, audience, Access::ById).map_err(|_| ApiError::not_found())?;
    Ok(Person { account, relation })
}

/// Returns the owner of a published drive that the viewer may see.
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

/// Returns whether the viewer may see a meet.
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

/// Returns the accounts that the viewer blocks.
pub(crate) async fn blocked_either_way(
    reader: &mut Connection,
    viewer: Viewer,
) -> Result<BTreeSet<AccountId>, sqlx::Error> {
    match viewer.account() {
        Some(account) => follows::blocked_by(reader, account).await,
        None => Ok(BTreeSet::new()),
    }
}

/// Returns whether the viewer may find something in a list, as far as that does not depend on follows.
/// `blocked_either_way` are the accounts that the viewer blocks.
pub(crate) fn may_list(
    viewer: Viewer,
    owner: AccountId,
    visibility: Visibility,
    blocked: &BTreeSet<AccountId>,
) -> bool {
    let relation = Relation { blocks: blocked.contains(&owner), ..Relation::default() };
    authorize(viewer, Audience { owner, visibility, relation }, Access::Listed).is_ok()
}

/// Parses an id in a path; an invalid one gives `not_found`.
pub(crate) fn id(text: &str) -> Result<DocId, ApiError> {
    text.parse().map_err(|_| ApiError::not_found())
}
