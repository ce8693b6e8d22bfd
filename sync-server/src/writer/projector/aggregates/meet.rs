//! Meets: the parts in the table `meet_part`, and the effective meets in `meet` and `meet_organiser`.

use std::collections::BTreeSet;

use tourismo_core::docs::meet::MeetRow;
use tourismo_core::id::{AccountId, DocId};

use super::{About, Derived};
use crate::db::feed_items;
use crate::db::meets::{self, MeetPart};
use crate::db::sql::Connection;
use crate::notify::event_bus::{BusEvent, FeedEvent};

/// Returns the part of a meet that is in a document.
pub(super) fn derive(about: About, row: MeetRow) -> Derived {
    Derived::Meet(Box::new(MeetPart { row, received_at: about.received_at }))
}

/// Replaces the content of a meet document, and settles the meets that it concerns.
pub(in crate::writer::projector) async fn apply(
    writer: &mut Connection,
    owner: AccountId,
    id: DocId,
    part: &MeetPart,
    events: &mut Vec<BusEvent>,
) -> Result<(), sqlx::Error> {
    let before = meets::part(writer, owner, id).await?;
    meets::replace_part(writer, owner, id, part).await?;
    settle_those_of(writer, owner, id, [before.as_ref(), Some(part)], events).await
}

/// Removes the content of a meet document, and settles the meets that it concerned.
pub(super) async fn remove(
    writer: &mut Connection,
    owner: AccountId,
    id: DocId,
    events: &mut Vec<BusEvent>,
) -> Result<(), sqlx::Error> {
    let before = meets::part(writer, owner, id).await?;
    meets::remove_part(writer, owner, id).await?;
    settle_those_of(writer, owner, id, [before.as_ref(), None], events).await
}

/// Reads the part of a document.
pub(super) async fn stored(
    reader: &mut Connection,
    owner: AccountId,
    id: DocId,
) -> Result<Option<Derived>, sqlx::Error> {
    Ok(meets::part(reader, owner, id).await?.map(|part| Derived::Meet(Box::new(part))))
}

/// Returns the number of rows, without those of the effective meet.
pub(super) fn count(_: &MeetPart) -> u64 {
    1
}

/// Writes the effective meet, with events if it changed.
pub(in crate::writer::projector) async fn settle(
    writer: &mut Connection,
    host: AccountId,
    meet: DocId,
    events: &mut Vec<BusEvent>,
) -> Result<(), sqlx::Error> {
    let is_in_feeds = feed_items::find(writer, host, meet).await?.is_some();
    // Statements of accounts that may not change the meet are stored without effect.
    if !meets::settle(writer, host, meet).await? {
        return Ok(());
    }
    events.push(BusEvent::Meet { doc: meet });
    if is_in_feeds || feed_items::find(writer, host, meet).await?.is_some() {
        events.push(BusEvent::Feed(FeedEvent::Item { owner: host, doc: meet }));
    }
    Ok(())
}

/// Settles the meets that a document concerns, or concerned. With another link it is another meet.
async fn settle_those_of(
    writer: &mut Connection,
    owner: AccountId,
    id: DocId,
    parts: [Option<&MeetPart>; 2],
    events: &mut Vec<BusEvent>,
) -> Result<(), sqlx::Error> {
    let rows = parts.into_iter().flatten().map(|part| &part.row);
    for (found_by, amended) in rows.map(|row| (row.link_id(&owner, &id), row.amends)).collect::<BTreeSet<_>>() {
        if let Some(meet) = found_by {
            settle(writer, owner, meet, events).await?;
        }
        // An amendment of a missing meet is read when the meet arrives.
        if let Some(meet) = amended
            && let Some(host) = meets::owner(writer, meet).await?
        {
            settle(writer, host, meet, events).await?;
        }
    }
    Ok(())
}
