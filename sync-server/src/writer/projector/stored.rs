//! Reads the stored rows of a document.

use tourismo_core::admission::DocumentState;
use tourismo_core::docs::social::{self, SocialRow};
use tourismo_core::id::{AccountId, DocId};
use tourismo_core::wire::DocKind;

use super::Derived;
use crate::db::sql::Connection;
use crate::db::{cars, comments, drives, follows, meets, profiles, published, reactions, rsvps, unbound};

/// Reads the rows that were derived from a document.
pub(crate) async fn stored(reader: &mut Connection, doc: &DocumentState, id: DocId) -> Result<Derived, sqlx::Error> {
    let owner = doc.owner;
    let derived = match doc.kind {
        // An account may have several profile documents; the one written last is shown.
        DocKind::Profile => profiles::record(reader, owner).await?.filter(|row| row.doc == id).map(Derived::Profile),
        DocKind::Published => match published::record(reader, owner, id).await? {
            Some(drive) => Some(Derived::Published(Box::new(drive), published::blocks(reader, owner, id).await?)),
            None => None,
        },
        DocKind::Drive => drives::record(reader, owner, id).await?.map(|drive| Derived::Drive(Box::new(drive))),
        DocKind::Car => match cars::record(reader, owner, id).await? {
            Some(fields) => Some(Derived::Car(fields, cars::logbook(reader, owner, id).await?)),
            None => None,
        },
        DocKind::Social => Some(Derived::Social(stored_social(reader, owner, id).await?)),
        DocKind::Meet => meets::part(reader, owner, id).await?.map(|part| Derived::Meet(Box::new(part))),
        DocKind::Settings | DocKind::Track => None,
    };
    match derived {
        Some(derived) => Ok(derived),
        None if unbound::is_noted(reader, owner, id).await? => Ok(Derived::NotShown),
        None => Ok(Derived::Nothing),
    }
}

/// Reads the stored statements of an account.
pub(super) async fn stored_social(
    reader: &mut Connection,
    owner: AccountId,
    id: DocId,
) -> Result<SocialRow, sqlx::Error> {
    if id == social::people(&owner) {
        return follows::stored(reader, owner).await;
    }
    Ok(SocialRow {
        reactions: reactions::stored(reader, owner, id).await?,
        comments: comments::stored(reader, owner, id).await?,
        rsvps: rsvps::stored(reader, owner, id).await?,
        ..SocialRow::default()
    })
}
