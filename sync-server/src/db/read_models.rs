//! All tables that are derived from the log, together.

use super::sql::Connection;
use super::{
    cars, comments, drives, feed_items, follows, hidden_comments, meets, profiles, published, reactions, roads, rsvps,
    unbound,
};

/// Returns the number of rows.
pub(crate) async fn count(reader: &mut Connection) -> Result<u64, sqlx::Error> {
    Ok(profiles::count(reader).await?
        + published::count(reader).await?
        + roads::count_traces(reader).await?
        + feed_items::count(reader).await?
        + drives::count(reader).await?
        + cars::count(reader).await?
        + follows::count(reader).await?
        + reactions::count(reader).await?
        + comments::count(reader).await?
        + hidden_comments::count(reader).await?
        + rsvps::count(reader).await?
        + meets::count(reader).await?
        + unbound::count(reader).await?)
}

/// Removes all rows, so that they can be derived again.
pub(crate) async fn remove_all(writer: &mut Connection) -> Result<(), sqlx::Error> {
    profiles::remove_all(writer).await?;
    published::remove_all(writer).await?;
    roads::remove_traces(writer).await?;
    feed_items::remove_all(writer).await?;
    drives::remove_all(writer).await?;
    cars::remove_all(writer).await?;
    follows::remove_all(writer).await?;
    reactions::remove_all(writer).await?;
    comments::remove_all(writer).await?;
    hidden_comments::remove_all(writer).await?;
    rsvps::remove_all(writer).await?;
    meets::remove_all(writer).await?;
    unbound::remove_all(writer).await
}
