//! Writes rows: one statement for many of them, only where they differ from the stored ones, and with events for
//! visible changes.

use std::collections::{BTreeMap, BTreeSet};

use tourismo_core::id::{AccountId, DocId};
use tourismo_core::kind::IdRule;

use super::aggregates::{Settling, apply_social, car, drive, meet, profile, published, remove};
use super::{Derived, FoldResult, FoldTarget, KEPT_LOADED, Projected};
use crate::db::decisions::Decisions;
use crate::db::documents::{self, Quarantine};
use crate::db::sql::Connection;
use crate::db::unbound;
use crate::notify::event_bus::BusEvent;

/// Writes the results of folding documents, and adds the visible changes to `events`.
pub(super) async fn write_all(
    writer: &mut Connection,
    outcomes: Vec<FoldResult>,
    settling: Settling,
    decisions: &Decisions,
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
        if kind.policy().id == IdRule::Bound && !matches!(rows, Derived::Quarantined(_)) {
            unbound::note(writer, owner, id, kind, *rows == Derived::NotShown).await?;
        }
        match (rows, before) {
            (Derived::Drive(_) | Derived::Car(..), Some(before)) if before == rows => {}
            (Derived::Drive(drive), _) => drives.push(&**drive),
            (Derived::Car(fields, log), before) => {
                car::apply_log(writer, owner, id, before.as_ref(), log).await?;
                cars.push((owner, id, fields));
            }
            (Derived::Published(drive, blocks), before) => {
                published::apply(writer, before.as_ref(), drive, blocks, events).await?;
            }
            (Derived::Profile(profile), _) => profile::apply(writer, profile, events).await?,
            (Derived::Social(row), before) => {
                if apply_social(writer, owner, id, before.as_ref(), row, settling, events).await? {
                    has_meets_left.insert((owner, id));
                }
            }
            (Derived::Meet(part), _) => meet::apply(writer, owner, id, part, events).await?,
            // The stored rows stay: without them, blocked or unaccepted accounts would get access.
            (Derived::Quarantined(_), _) => {}
            (Derived::Nothing | Derived::NotShown, before) => {
                if remove(writer, kind, owner, id, before.as_ref(), settling, events).await? {
                    has_meets_left.insert((owner, id));
                }
            }
        }
    }
    drive::apply(writer, &drives).await?;
    car::apply(writer, &cars).await?;
    let mut copies = BTreeMap::new();
    for drive in drives {
        if let Some(copy) = drive.unbound_copy()
            && unbound::allow_copy(writer, drive.account, copy).await?
        {
            copies.insert((drive.account, drive.doc), copy);
        }
        // Another copy of a hidden drive may have been shown before the drive named it.
        let is_hidden = decisions.of(&drive.account).is_some_and(|withheld| withheld.drives.contains(&drive.doc));
        if let Some(copy) = drive.published.filter(|_| is_hidden) {
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
