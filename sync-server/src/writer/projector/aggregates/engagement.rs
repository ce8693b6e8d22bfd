//! Statements about drives and meets: the tables `reaction`, `comment`, `hidden_comment` and `rsvp`.

use tourismo_core::docs::social::{self, SocialRow};
use tourismo_core::id::{AccountId, DocId};

use crate::db::sql::Connection;
use crate::db::{comments, hidden_comments, reactions, rsvps};
use crate::notify::event_bus::BusEvent;

/// Returns the statements that count: the statements about a drive or a meet count in one document only.
pub(super) fn derive(account: AccountId, doc: DocId, row: SocialRow) -> SocialRow {
    let is_here = |thing: &DocId| social::about(&account, thing) == doc;
    SocialRow {
        reactions: row.reactions.into_iter().filter(|(drive, _)| is_here(drive)).collect(),
        comments: row.comments.into_iter().filter(|(_, comment)| is_here(&comment.drive)).collect(),
        rsvps: row.rsvps.into_iter().filter(|(meet, ..)| is_here(meet)).collect(),
        hidden: row.hidden.into_iter().filter(|hidden| is_here(&hidden.drive)).collect(),
        ..SocialRow::default()
    }
}

/// Replaces the stored statements by the derived ones (diff).
pub(in crate::writer::projector) async fn apply(
    writer: &mut Connection,
    owner: AccountId,
    id: DocId,
    stored: &SocialRow,
    said: &SocialRow,
    events: &mut Vec<BusEvent>,
) -> Result<(), sqlx::Error> {
    reactions::replace(writer, owner, id, &stored.reactions, &said.reactions).await?;
    comments::replace(writer, owner, id, &stored.comments, &said.comments).await?;
    hidden_comments::replace(writer, owner, id, &stored.hidden, &said.hidden).await?;
    let meets = rsvps::replace(writer, owner, id, &stored.rsvps, &said.rsvps).await?;
    events.extend(meets.into_iter().map(|doc| BusEvent::Meet { doc }));
    Ok(())
}

/// Reads the statements of a document.
pub(super) async fn stored(reader: &mut Connection, owner: AccountId, id: DocId) -> Result<SocialRow, sqlx::Error> {
    Ok(SocialRow {
        reactions: reactions::stored(reader, owner, id).await?,
        comments: comments::stored(reader, owner, id).await?,
        rsvps: rsvps::stored(reader, owner, id).await?,
        hidden: hidden_comments::stored(reader, owner, id).await?,
        ..SocialRow::default()
    })
}

/// Returns the number of rows.
pub(super) fn count(row: &SocialRow) -> usize {
    row.reactions.len() + row.comments.len() + row.rsvps.len() + row.hidden.len()
}
