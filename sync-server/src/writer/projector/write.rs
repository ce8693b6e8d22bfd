//! Writes rows: one statement for many of them, only where they differ from the stored ones, and with events for
//! visible changes.

use std::collections::{BTreeMap, BTreeSet};

use tourismo_core::docs::social::{self, SocialRow};
use tourismo_core::id::{AccountId, DocId};
use tourismo_core::wire::DocKind;

use super::stored::stored_social;
use super::{Derived, FoldResult, FoldTarget, KEPT_LOADED, Projected};
use crate::db::documents::{self, Quarantine};
use crate::db::feed::{self, FeedRow};
use crate::db::meets::{self, MeetPart};
use crate::db::profiles::{self, ProfileRow};
use crate::db::published::{self, DriveRecord};
use crate::db::sql::Connection;
use crate::db::{cars, comments, drives, feed_items, follows, reactions, rsvps, unbound};
use crate::notify::event_bus::{BusEvent, FeedEvent};

/// Which meets are settled together with a block that may change their effective state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Settling {
    /// None: the caller settles them.
    None,
    /// A few; others are left.
    AFew,
    /// All.
    All,
}

impl Settling {
    fn most(self) -> usize {
        match self {
            Settling::None => 0,
            Settling::AFew => 1,
            Settling::All => usize::MAX,
        }
    }
}

/// Writes the results of folding documents, and adds the visible changes to `events`.
pub(super) async fn write_all(
    writer: &mut Connection,
    outcomes: Vec<FoldResult>,
    settling: Settling,
    events: &mut Vec<BusEvent>,
    projected: &mut Vec<Projected>,
) -> Result<(), sqlx::Error> {
    // Most rows are of these kinds: one row each, on which nothing else depends.
    let (mut drives, mut cars) = (Vec::new(), Vec::new());
    let mut has_meets_left = BTreeSet::new();
    for FoldResult { subject, before, rows, quarantine, .. } in &outcomes {
        let FoldTarget { id, owner, kind, .. } = *subject;
        if let Some((why, through)) = quarantine {
            set_aside(writer, owner, id, *why, *through).await?;
        }
        if matches!(kind, DocKind::Published | DocKind::Meet) && !matches!(rows, Derived::Quarantined(_)) {
            unbound::note(writer, owner, id, kind, *rows == Derived::NotShown).await?;
        }
        match (rows, before) {
            (Derived::Drive(_) | Derived::Car(..), Some(before)) if before == rows => {}
            (Derived::Drive(drive), _) => drives.push(&**drive),
            (Derived::Car(fields, log), before) => {
                let stored = match before {
                    Some(Derived::Car(_, log)) => log.clone(),
                    Some(_) => Vec::new(),
                    None => cars::logbook(writer, owner, id).await?,
                };
                cars::replace_log(writer, owner, id, &stored, log).await?;
                cars.push((owner, id, fields));
            }
            (Derived::Published(drive, blocks), before) => {
                let mut shown = None;
                if !matches!(before, Some(Derived::Nothing)) {
                    shown = shown_drive(writer, owner, id).await?;
                    published::remove(writer, owner, id).await?;
                }
                published::insert(writer, drive, blocks).await?;
                if shown_drive(writer, owner, id).await? != shown {
                    events.push(BusEvent::Feed(FeedEvent::Item { owner, doc: id }));
                }
            }
            (Derived::Profile(profile), _) => {
                let before = shown_person(writer, owner).await?;
                profiles::replace(writer, profile).await?;
                // The name is shown beside drives and meets, and the approval of followers decides what others see.
                if shown_person(writer, owner).await? != before {
                    events.push(BusEvent::Feed(FeedEvent::Everything { owner }));
                }
            }
            (Derived::Social(row), before) => {
                if write_social(writer, owner, id, before.as_ref(), row, settling, events).await? {
                    has_meets_left.insert((owner, id));
                }
            }
            (Derived::Meet(part), _) => write_meet(writer, owner, id, Some(&**part), events).await?,
            // The stored rows stay: without them, blocked or unaccepted accounts would get access.
            (Derived::Quarantined(_), _) => {}
            (Derived::Nothing | Derived::NotShown, before) => {
                if remove(writer, kind, owner, id, before.as_ref(), settling, events).await? {
                    has_meets_left.insert((owner, id));
                }
            }
        }
    }
    drives::replace(writer, &drives).await?;
    cars::replace(writer, &cars).await?;
    let mut copies = BTreeMap::new();
    for drive in drives {
        if let Some(copy) = drive.unbound_copy()
            && unbound::allow_copy(writer, drive.account, copy).await?
        {
            copies.insert((drive.account, drive.doc), copy);
        }
    }
    for FoldResult { subject, mut loaded, rows, quarantine, work, .. } in outcomes {
        if let Some(loaded) = &mut loaded {
            loaded.rows = is_remembered(&rows).then_some(rows);
        }
        let is_quarantined = quarantine.is_some();
        let loaded = loaded.filter(|_| projected.len() < KEPT_LOADED);
        let (id, owner) = (subject.id, subject.owner);
        let is_due = has_meets_left.contains(&(owner, id));
        let allowed = copies.remove(&(owner, id));
        projected.push(Projected { id, owner, is_quarantined, is_due, allowed, loaded, work });
    }
    Ok(())
}

/// Returns whether the derived rows of a document are all of its rows, and small.
fn is_remembered(rows: &Derived) -> bool {
    match rows {
        Derived::Drive(_) | Derived::Car(..) | Derived::Social(_) => true,
        // Profile documents of an account share a row, a meet depends on several documents, and a track is large.
        Derived::Profile(_) | Derived::Meet(_) | Derived::Published(..) => false,
        Derived::NotShown | Derived::Nothing | Derived::Quarantined(_) => false,
    }
}

/// Removes the rows of a document without content. Returns whether meets are left to be settled.
async fn remove(
    writer: &mut Connection,
    kind: DocKind,
    owner: AccountId,
    id: DocId,
    before: Option<&Derived>,
    settling: Settling,
    events: &mut Vec<BusEvent>,
) -> Result<bool, sqlx::Error> {
    let has_none = matches!(before, Some(Derived::Nothing));
    match kind {
        DocKind::Published => {
            if shown_drive(writer, owner, id).await?.is_some() {
                events.push(BusEvent::Feed(FeedEvent::Item { owner, doc: id }));
            }
            published::remove(writer, owner, id).await?;
        }
        DocKind::Drive | DocKind::Car if has_none => {}
        DocKind::Drive => drives::remove(writer, owner, id).await?,
        DocKind::Car => cars::remove(writer, owner, id).await?,
        DocKind::Social => {
            return write_social(writer, owner, id, before, &SocialRow::default(), settling, events).await;
        }
        DocKind::Meet if has_none => {}
        DocKind::Meet => write_meet(writer, owner, id, None, events).await?,
        // A profile always has a row. The other kinds have none.
        DocKind::Profile | DocKind::Settings | DocKind::Track => {}
    }
    Ok(false)
}

/// Replaces stored statements by derived ones (diff); they need not be all statements of the document. Returns whether
/// meets are left to be settled.
async fn write_social(
    writer: &mut Connection,
    owner: AccountId,
    id: DocId,
    before: Option<&Derived>,
    said: &SocialRow,
    settling: Settling,
    events: &mut Vec<BusEvent>,
) -> Result<bool, sqlx::Error> {
    let read;
    let stored = match before {
        Some(Derived::Social(row)) => row,
        Some(_) => &SocialRow::default(),
        None => {
            read = stored_social(writer, owner, id).await?;
            &read
        }
    };
    if id == social::people(&owner) {
        let follows::ChangedFollows { follows, accepted, blocked } =
            follows::replace(writer, owner, stored, said).await?;
        if follows || !blocked.is_empty() {
            events.push(BusEvent::Feed(FeedEvent::Follows { account: owner }));
        }
        // An acceptance changes nothing for an account that does not follow. A blocked account must not notice the
        // block.
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
            settle_meet(writer, owner, meet, events).await?;
        }
        events.extend(blocked.into_iter().map(|viewer| BusEvent::Block { owner, viewer }));
        return Ok(are_left);
    }
    reactions::replace(writer, owner, id, &stored.reactions, &said.reactions).await?;
    comments::replace(writer, owner, id, &stored.comments, &said.comments).await?;
    let meets = rsvps::replace(writer, owner, id, &stored.rsvps, &said.rsvps).await?;
    events.extend(meets.into_iter().map(|doc| BusEvent::Meet { doc }));
    Ok(false)
}

/// Replaces the content of a meet document, and settles the meets that it concerns.
async fn write_meet(
    writer: &mut Connection,
    owner: AccountId,
    id: DocId,
    part: Option<&MeetPart>,
    events: &mut Vec<BusEvent>,
) -> Result<(), sqlx::Error> {
    let before = meets::part(writer, owner, id).await?;
    match part {
        Some(part) => meets::replace_part(writer, owner, id, part).await?,
        None => meets::remove_part(writer, owner, id).await?,
    }
    // With another link it is another meet.
    let rows = [before.as_ref(), part].into_iter().flatten().map(|part| &part.row);
    for (found_by, amended) in rows.map(|row| (row.link_id(&owner, &id), row.amends)).collect::<BTreeSet<_>>() {
        if let Some(meet) = found_by {
            settle_meet(writer, owner, meet, events).await?;
        }
        // An amendment of a missing meet is read when the meet arrives.
        if let Some(meet) = amended
            && let Some(host) = meets::owner(writer, meet).await?
        {
            settle_meet(writer, host, meet, events).await?;
        }
    }
    Ok(())
}

/// Writes the effective meet, with events if it changed.
pub(super) async fn settle_meet(
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

/// Quarantines a document whose rows include changes up to a position.
pub(super) async fn set_aside(
    writer: &mut Connection,
    owner: AccountId,
    id: DocId,
    why: Quarantine,
    through: u64,
) -> Result<(), sqlx::Error> {
    tracing::warn!(account = %owner, doc = %id, why = why.name(), "a document is in quarantine");
    documents::quarantine(writer, owner, id, why, through).await
}

/// Sets the visibility of a stored published drive to that of its record.
pub(super) async fn show(
    writer: &mut Connection,
    drive: &DriveRecord,
    events: &mut Vec<BusEvent>,
) -> Result<(), sqlx::Error> {
    let (owner, doc) = (drive.account, drive.doc);
    let shown = shown_drive(writer, owner, doc).await?;
    published::show_to(writer, drive).await?;
    if shown_drive(writer, owner, doc).await? != shown {
        events.push(BusEvent::Feed(FeedEvent::Item { owner, doc }));
    }
    Ok(())
}

/// Returns the profile as shown beside the account's drives and meets, with the approval of followers.
async fn shown_person(writer: &mut Connection, owner: AccountId) -> Result<Option<ProfileRow>, sqlx::Error> {
    let profile = profiles::find(writer, owner).await?;
    Ok(profile.map(|profile| ProfileRow { bio: String::new(), ..profile }))
}

/// Returns a published drive as it appears in home feeds, if it does.
pub(super) async fn shown_drive(
    writer: &mut Connection,
    owner: AccountId,
    id: DocId,
) -> Result<Option<FeedRow>, sqlx::Error> {
    match feed_items::find(writer, owner, id).await? {
        Some(_) => feed::find(writer, owner, id).await,
        None => Ok(None),
    }
}
