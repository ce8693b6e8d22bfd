//! The rows of a document that cannot be read, or not yet: those that were last read, narrowed by later changes, each
//! read from its change alone. `[P13]`

use std::collections::BTreeSet;

use tourismo_core::admission::{DocumentState, scan_candidate};
use tourismo_core::docs::Visibility;
use tourismo_core::docs::narrowing::{Narrowing, narrow_meet, narrow_social, narrowings};
use tourismo_core::docs::social::{self, SocialRow};
use tourismo_core::id::{AccountId, DocId};
use tourismo_core::kind::FoldBounds;
use tourismo_core::time::Timestamp;
use tourismo_core::wire::DocKind;

use super::aggregates::{Settling, published as published_drives};
use super::fold::{FoldInput, Since, fold_all, removed_rows};
use super::write::write_all;
use super::{DeriveCost, Derived, FoldResult, FoldTarget, Loaded, Scope, rows_of, stored};
use crate::db::decisions::Decisions;
use crate::db::sql::Connection;
use crate::db::{change_log, comments, follows, hidden_comments, published, reactions, rsvps, snapshots};
use crate::notify::event_bus::BusEvent;

/// Returns the rows of a quarantined document: those of its first changes up to a position, as many as can be read,
/// narrowed by the later changes. Also returns the position of the last change that was read.
pub(super) async fn last_good(
    reader: &mut Connection,
    subject: &FoldTarget,
    through: u64,
    scope: Scope<'_>,
    decisions: &Decisions,
) -> Result<(u64, Derived), sqlx::Error> {
    let FoldTarget { id, owner, kind, .. } = *subject;
    let FoldBounds { bytes, changes: max_changes, .. } = kind.policy().fold_bounds;
    let snapshot = snapshots::find(reader, owner, id).await?;
    let covered = snapshot.as_ref().map_or(0, |snapshot| snapshot.seq);
    // A snapshot contains every original change, including those that are too many.
    let mut changes = match &snapshot {
        Some(snapshot) => {
            let positions = change_log::positions(reader, owner, id, covered).await?;
            removed_rows(snapshot.chunk.clone(), positions).await?
        }
        None => Vec::new(),
    };
    let loose = change_log::first_chunks(reader, owner, id, (covered, through), bytes, max_changes).await?;
    let since = match (&snapshot, loose.first()) {
        (Some(snapshot), _) => Since::Snapshot(snapshot.first_at),
        (None, first) => Since::Changes(first.map_or(Timestamp(0), |(_, received_at, _)| *received_at)),
    };
    changes.extend(loose.into_iter().map(|(seq, _, chunk)| (seq, chunk)));
    let most = changes.iter().take_while(|(seq, _)| *seq <= through).count().min(max_changes as usize);
    let (mut good, mut too_many, mut count, mut best) = (0, most + 1, most, None);
    while good < count && count < too_many {
        let chunks: Vec<Vec<u8>> = changes[..count].iter().map(|(_, chunk)| chunk.clone()).collect();
        let material = FoldInput { kind, loaded: Loaded::empty(since), chunks, changes: count as u64 };
        match fold_all(vec![material], scope).await?.pop() {
            Some((Ok(folded), _)) => (good, best) = (count, Some(folded)),
            Some((Err(_), _)) | None => too_many = count,
        }
        count = good.midpoint(too_many);
    }
    let read_through = good.checked_sub(1).map_or(0, |last| changes[last].0);
    let rows = match best {
        Some(folded) => {
            let subject = FoldTarget { id, owner, kind, revision: read_through, first: None };
            rows_of(reader, &subject, folded, decisions).await?.1
        }
        None if kind == DocKind::Social => Derived::Social(SocialRow::default()),
        None => Derived::Nothing,
    };
    let later: Vec<Vec<u8>> =
        changes.into_iter().filter(|(seq, _)| *seq > read_through && *seq <= covered).map(|(_, chunk)| chunk).collect();
    let mut rows = narrowed(owner, id, rows, &narrowings_of(kind, later.iter().map(Vec::as_slice)));
    let (mut after, mut looked_at) = (read_through.max(covered), 0);
    while looked_at < max_changes {
        let page = change_log::short_chunks_after(reader, owner, id, after, MAX_NARROWING_BYTES, PAGE).await?;
        let Some((last, _)) = page.last() else { break };
        (after, looked_at) = (*last, looked_at + page.len() as u64);
        rows = narrowed(owner, id, rows, &narrowings_of(kind, page.iter().map(|(_, chunk)| chunk.as_slice())));
    }
    Ok((read_through, rows))
}

/// Maximum size of a change that is examined, bytes: that of a change of a meet's text and visibility together. A
/// phone's change with one statement takes about 150.
const MAX_NARROWING_BYTES: usize = 64 << 10;

/// The number of changes that are read at a time.
const PAGE: u64 = 64;

/// Returns the narrowings of changes.
fn narrowings_of<'c>(kind: DocKind, chunks: impl IntoIterator<Item = &'c [u8]>) -> Vec<Narrowing> {
    let short = chunks.into_iter().filter(|chunk| chunk.len() <= MAX_NARROWING_BYTES);
    short.filter_map(|chunk| Some(narrowings(kind, &scan_candidate(chunk).ok()?, chunk))).flatten().collect()
}

/// Returns narrowed rows.
fn narrowed(owner: AccountId, id: DocId, mut rows: Derived, narrowings: &[Narrowing]) -> Derived {
    for narrowing in narrowings {
        // Blocks count in one document only, and an account cannot block itself.
        let is_elsewhere = |blocked: &AccountId| *blocked == owner || id != social::people(&owner);
        match (&mut rows, narrowing) {
            (Derived::Social(_), Narrowing::Block(blocked)) if is_elsewhere(blocked) => {}
            (Derived::Social(row), narrowing) => narrow_social(row, narrowing),
            (Derived::Profile(profile), Narrowing::AskAboutFollowers) => profile.by_approval = true,
            (Derived::Meet(part), narrowing) => narrow_meet(&mut part.row, narrowing),
            (Derived::Published(drive, _), Narrowing::ShowAtMost(visibility)) => {
                drive.visibility = drive.visibility.narrower(*visibility);
                match drive.visibility {
                    Visibility::Private => rows = Derived::Nothing,
                    // The trace of a road was public, so it is removed.
                    Visibility::Followers | Visibility::Link => drive.trace = None,
                    Visibility::Public => {}
                }
            }
            (Derived::NotShown, Narrowing::ShowAtMost(Visibility::Private)) => rows = Derived::Nothing,
            (
                Derived::Published(..)
                | Derived::Profile(_)
                | Derived::Drive(_)
                | Derived::Car(..)
                | Derived::NotShown
                | Derived::Nothing
                | Derived::Quarantined(_),
                _,
            ) => {}
        }
    }
    rows
}

/// Narrows the rows of a document at once, if these changes narrow visibility: a quarantined document is not read
/// again, and rows of a due document come later. Reads and writes only rows that the changes concern. Returns whether
/// meets are left to be settled. `[P13]`
pub(in crate::writer) async fn narrow(
    writer: &mut Connection,
    doc: &DocumentState,
    id: DocId,
    chunks: &[&[u8]],
    decisions: &Decisions,
    events: &mut Vec<BusEvent>,
) -> Result<bool, sqlx::Error> {
    let narrowings = narrowings_of(doc.kind, chunks.iter().copied());
    if narrowings.is_empty() {
        return Ok(false);
    }
    let before = match doc.kind {
        DocKind::Social => Derived::Social(stored_of(writer, doc.owner, id, &narrowings).await?),
        DocKind::Published => match published::head(writer, doc.owner, id).await? {
            // The blocks of its track all stay or are all removed.
            Some(drive) => Derived::Published(Box::new(drive), Vec::new()),
            None => Derived::Nothing,
        },
        DocKind::Profile | DocKind::Meet | DocKind::Settings | DocKind::Car | DocKind::Drive | DocKind::Track => {
            stored(writer, doc, id).await?
        }
    };
    let rows = narrowed(doc.owner, id, before.clone(), &narrowings);
    if rows == before {
        return Ok(false);
    }
    if let Derived::Published(drive, _) = &rows {
        return published_drives::show(writer, drive, events).await.map(|()| false);
    }
    let subject = FoldTarget { id, owner: doc.owner, kind: doc.kind, revision: 0, first: None };
    let work = DeriveCost::default();
    let outcome = FoldResult { subject, loaded: None, before: Some(before), rows, quarantine: None, work };
    let mut written = Vec::new();
    write_all(writer, vec![outcome], Settling::AFew, decisions, events, &mut written).await?;
    Ok(written.iter().any(|written| written.is_due))
}

/// Reads the stored rows that these narrowings concern.
async fn stored_of(
    reader: &mut Connection,
    owner: AccountId,
    id: DocId,
    narrowings: &[Narrowing],
) -> Result<SocialRow, sqlx::Error> {
    let (mut people, mut things, mut blocks, mut hides) = (BTreeSet::new(), BTreeSet::new(), false, false);
    for narrowing in narrowings {
        match narrowing {
            Narrowing::Block(account) => {
                people.insert(*account);
                blocks = true;
            }
            Narrowing::TakeBack(subject) => match subject {
                social::SocialKey::Follow(account)
                | social::SocialKey::Accept(account)
                | social::SocialKey::Block(account) => drop(people.insert(*account)),
                social::SocialKey::React(thing)
                | social::SocialKey::Comment(thing)
                | social::SocialKey::Rsvp(thing) => {
                    things.insert(*thing);
                }
                social::SocialKey::Hide(_) => {}
            },
            Narrowing::Hide(_) => hides = true,
            Narrowing::ShowAtMost(_) | Narrowing::AskAboutFollowers | Narrowing::Renew(_) => {}
        }
    }
    let (people, things): (Vec<_>, Vec<_>) = (people.into_iter().collect(), things.into_iter().collect());
    if id == social::people(&owner) {
        let is_full = blocks && follows::blocks_as_many_as_can_be(reader, owner).await?;
        let stored = follows::stored_about(reader, owner, &people).await?;
        // No document has more entries than the maximum that is read.
        let blocked = if is_full { people } else { stored.blocked.clone() };
        return Ok(SocialRow { blocked, ..stored });
    }
    Ok(SocialRow {
        reactions: reactions::stored_about(reader, owner, id, &things).await?,
        comments: comments::stored_with_ids(reader, owner, id, &things).await?,
        rsvps: rsvps::stored_about(reader, owner, id, &things).await?,
        hidden: if hides { hidden_comments::stored(reader, owner, id).await? } else { Vec::new() },
        ..SocialRow::default()
    })
}
