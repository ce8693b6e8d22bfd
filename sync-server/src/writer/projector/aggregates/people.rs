//! The follows, acceptances and blocks of an account: the tables `follow`, `accept`, `block` and `former_block`.

use tourismo_core::docs::social::SocialRow;
use tourismo_core::id::AccountId;

use super::{Settling, meet};
use crate::db::sql::Connection;
use crate::db::{follows, meets};
use crate::notify::event_bus::{BusEvent, FeedEvent};

/// Returns the relations that count. An account has no relation to itself.
pub(super) fn derive(account: AccountId, row: SocialRow) -> SocialRow {
    let others = |accounts: Vec<AccountId>| accounts.into_iter().filter(|other| *other != account).collect();
    SocialRow {
        follows: row.follows.into_iter().filter(|(followee, _)| *followee != account).collect(),
        accepted: others(row.accepted),
        blocked: others(row.blocked),
        unblocked: others(row.unblocked),
        ..SocialRow::default()
    }
}

/// Replaces the stored relations by the derived ones (diff). Returns whether meets are left to be settled.
pub(in crate::writer::projector) async fn apply(
    writer: &mut Connection,
    owner: AccountId,
    stored: &SocialRow,
    said: &SocialRow,
    settling: Settling,
    events: &mut Vec<BusEvent>,
) -> Result<bool, sqlx::Error> {
    let follows::ChangedFollows { follows, accepted, blocked } = follows::replace(writer, owner, stored, said).await?;
    if follows || !blocked.is_empty() {
        events.push(BusEvent::Feed(FeedEvent::Follows { account: owner }));
    }
    // An acceptance changes nothing for an account that does not follow. A blocked account must not notice the block.
    for follower in follows::followers_among(writer, owner, &accepted).await? {
        events.push(BusEvent::Feed(FeedEvent::Access { follower, owner }));
    }
    // Changes of a co-organiser count only while the owner does not block them.
    let most = settling.most();
    let mut meets = match most {
        0 => Vec::new(),
        most => meets::organised_by(writer, owner, &blocked, most.saturating_add(1)).await?,
    };
    let are_left = meets.len() > most;
    meets.truncate(most);
    for meet in meets {
        meet::settle(writer, owner, meet, events).await?;
    }
    events.extend(blocked.into_iter().map(|viewer| BusEvent::Block { owner, viewer }));
    Ok(are_left)
}

/// Reads the relations of an account.
pub(super) async fn stored(reader: &mut Connection, owner: AccountId) -> Result<SocialRow, sqlx::Error> {
    follows::stored(reader, owner).await
}

/// Returns the number of rows.
pub(super) fn count(row: &SocialRow) -> usize {
    row.follows.len() + row.accepted.len() + row.blocked.len() + row.unblocked.len()
}
