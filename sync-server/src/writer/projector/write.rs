//! Writes rows: a statement for many of them, only where they differ from what is stored, and with a word to those who listen
//! where that looks different.

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

/// Which meets are settled together with a block that may change what counts of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Settling {
    /// None: whoever writes the rows sees to it.
    None,
    /// A few; more are left.
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

/// Writes what came of folding documents, and says in `events` what looks different afterwards.
pub(super) async fn write_all(
    writer: &mut Connection,
    outcomes: Vec<FoldResult>,
    settling: Settling,
    events: &mut Vec<BusEvent>,
    projected: &mut Vec<Projected>,
) -> Result<(), sqlx::Error> {
    // Most of what is written is of these, one row each, which nothing else depends on.
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
                // Its names stand beside what it shows, and whether followers must be accepted decides what they see.
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
            // What was shown stays: without it people whom its account blocked, or asks about, would be let in.
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

/// Whether what was derived of a document is all there is to know of its rows, and small.
fn is_remembered(rows: &Derived) -> bool {
    match rows {
        Derived::Drive(_) | Derived::Car(..) | Derived::Social(_) => true,
        // An account's profiles share a row; what counts of a meet is said by several; and a track is large.
        Derived::Profile(_) | Derived::Meet(_) | Derived::Published(..) => false,
        Derived::NotShown | Derived::Nothing | Derived::Quarantined(_) => false,
    }
}

/// Removes the rows of a document that says nothing. Returns whether meets are left to be settled.
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
        // A profile is a row whatever it says; nothing was ever derived of one that has none.
        DocKind::Profile | DocKind::Settings | DocKind::Track => {}
    }
    Ok(false)
}

/// Makes of what was stored what is said: only where the two differ, which need not be all that the document says. Returns
/// whether meets are left to be settled.
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
        // One who does not follow sees no more and no less in their feed, whatever is said of them. Who is blocked is not told.
        for follower in follows::followers_among(writer, owner, &accepted).await? {
            events.push(BusEvent::Feed(FeedEvent::Access { follower, owner }));
        }
        // What a co-organiser says counts only as long as the owner does not block them.
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

/// Replaces what a document says of a meet, and makes anew what counts of the meets that it speaks of.
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
        // Of a meet that is not there yet, an amendment is looked up when it comes.
        if let Some(meet) = amended
            && let Some(host) = meets::owner(writer, meet).await?
        {
            settle_meet(writer, host, meet, events).await?;
        }
    }
    Ok(())
}

/// Makes the row of a meet what counts of it, and tells those concerned if that is something else.
pub(super) async fn settle_meet(
    writer: &mut Connection,
    host: AccountId,
    meet: DocId,
    events: &mut Vec<BusEvent>,
) -> Result<(), sqlx::Error> {
    let is_in_feeds = feed_items::find(writer, host, meet).await?.is_some();
    // What somebody says who may not change it is kept, and changes nothing.
    if !meets::settle(writer, host, meet).await? {
        return Ok(());
    }
    events.push(BusEvent::Meet { doc: meet });
    if is_in_feeds || feed_items::find(writer, host, meet).await?.is_some() {
        events.push(BusEvent::Feed(FeedEvent::Item { owner: host, doc: meet }));
    }
    Ok(())
}

/// Puts a document into quarantine, of which rows were derived up to a position.
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

/// Shows a published drive that is there to those to whom its record says.
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

/// A person as their names stand beside what they show, and whether followers must be accepted.
async fn shown_person(writer: &mut Connection, owner: AccountId) -> Result<Option<ProfileRow>, sqlx::Error> {
    let profile = profiles::find(writer, owner).await?;
    Ok(profile.map(|profile| ProfileRow { bio: String::new(), ..profile }))
}

/// A published drive as followers find it in their feeds, if they do.
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
